"""Cron texts and intervals: the next moment, in zones whose clocks are put forward and back."""

from __future__ import annotations

import sys
import zoneinfo
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from etamil_actors.actors.schedule import DEFAULT_ZONE, LONGEST_TEXT, Cron, Every, ScheduleError

BERLIN, NEW_YORK, LORD_HOWE, APIA = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"


def moment(text: str, zone: str, fold: int = 0) -> int:
    """A local time as seconds since 1970."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp())


def local(seconds: int, zone: str) -> str:
    """A moment as local time, with the offset where one has to know it."""
    return datetime.fromtimestamp(seconds, ZoneInfo(zone)).isoformat(" ", "minutes")


def runs(text: str, zone: str, start: str, count: int) -> list[str]:
    cron, now, found = Cron(text, zone), moment(start, zone), []
    for _ in range(count):
        now = cron.next_after(now)
        found.append(local(now, zone))
    return found


# ── every ────────────────────────────────────────────────────────────────────────────────────────


def test_every_counts_from_the_end_of_a_run() -> None:
    assert Every(5).next_after(100.25) == 105.25


@pytest.mark.parametrize("seconds", [0, -1, float("inf"), float("nan")])
def test_an_interval_is_longer_than_nothing(seconds: float) -> None:
    with pytest.raises(ScheduleError) as caught:
        Every(seconds)
    assert caught.value.option == "every"
    assert str(caught.value) == (
        f"இடைநேரம் 0-ஐ விட அதிகமான நொடிகள்; {seconds:g} அல்ல  (‘every’ wants more than 0 seconds, not {seconds:g})"
    )


# ── cron on a calm calendar ──────────────────────────────────────────────────────────────────────


def test_the_default_zone_is_that_of_india() -> None:
    cron = Cron("0 2 * * *")
    assert cron.tz == DEFAULT_ZONE == "Asia/Kolkata"
    assert local(cron.next_after(moment("2026-03-01 12:00", DEFAULT_ZONE)), "UTC") == "2026-03-01 20:30+00:00"
    assert repr(cron) == "Cron('0 2 * * *', 'Asia/Kolkata')"


def test_every_minute_in_kolkata_is_every_minute() -> None:
    cron, start = Cron("* * * * *"), moment("2026-01-01 00:00", DEFAULT_ZONE)
    now = start
    for number in range(3000):
        now = cron.next_after(now)
        assert now == start + 60 * (number + 1)


@pytest.mark.parametrize(
    ("second", "expected"),
    [(0, 60), (1, 60), (59, 60), (60, 120), (59.999, 60), (Decimal("59.999999999"), 60), (Decimal("60.5"), 120)],
)
def test_the_next_moment_is_later_whatever_the_fraction(second: float | Decimal, expected: int) -> None:
    assert Cron("* * * * *", "UTC").next_after(second) == expected


@pytest.mark.parametrize(
    ("text", "start", "expected"),
    [
        ("30 2 * * *", "2026-05-05 02:30", ["05-06 02:30", "05-07 02:30"]),
        ("0 0 31 * *", "2026-01-31 00:00", ["03-31 00:00", "05-31 00:00", "07-31 00:00", "08-31 00:00"]),
        ("0 0 29 2 *", "2026-01-01 00:00", ["02-29 00:00"]),
        ("0 0 L * *", "2026-01-01 00:00", ["01-31 00:00", "02-28 00:00", "03-31 00:00", "04-30 00:00"]),
        ("0 0 L 2 *", "2027-03-01 00:00", ["02-29 00:00"]),
        ("0 9 LW * *", "2026-01-01 00:00", ["01-30 09:00", "02-27 09:00", "03-31 09:00", "04-30 09:00", "05-29 09:00"]),
        ("0 9 * * 5L", "2026-01-01 00:00", ["01-30 09:00", "02-27 09:00"]),
        ("0 9 * * mon#2", "2026-01-01 00:00", ["01-12 09:00", "02-09 09:00"]),
        ("0 9 * * 0", "2026-01-01 00:00", ["01-04 09:00"]),
        ("0 9 * * 7", "2026-01-01 00:00", ["01-04 09:00"]),
        ("0 9 * Feb-mar Sun", "2026-01-01 00:00", ["02-01 09:00"]),
        ("0 9 13 * 5", "2026-01-09 12:00", ["01-13 09:00", "01-16 09:00"]),
        ("0 9 */13 * 5", "2026-01-01 12:00", ["02-27 09:00", "03-27 09:00"]),
        ("*/20 8-9 * * *", "2026-01-01 00:00", ["01-01 08:00", "01-01 08:20", "01-01 08:40", "01-01 09:00"]),
        ("5,1,5 0 * * *", "2026-01-01 00:00", ["01-01 00:01", "01-01 00:05", "01-02 00:01"]),
    ],
)
def test_what_a_text_means(text: str, start: str, expected: list[str]) -> None:
    assert [run[5:16] for run in runs(text, DEFAULT_ZONE, start, len(expected))] == expected


# ── clocks that are put forward and back ─────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "zone", "start", "expected"),
    [
        # skipped: 02:00 … 02:59 on 29 March 2026 in Berlin, on 8 March in New York
        ("30 2 * * *", BERLIN, "2026-03-28 12:00", ["2026-03-29 03:00+02:00", "2026-03-30 02:30+02:00"]),
        ("0 2 * * *", BERLIN, "2026-03-28 12:00", ["2026-03-29 03:00+02:00", "2026-03-30 02:00+02:00"]),
        ("59 2 * * *", NEW_YORK, "2026-03-07 12:00", ["2026-03-08 03:00-04:00", "2026-03-09 02:59-04:00"]),
        # however many are skipped, there is one run after the gap
        ("*/15 2 * * *", BERLIN, "2026-03-28 12:00", ["2026-03-29 03:00+02:00", "2026-03-30 02:00+02:00"]),
        ("15,45 2-3 * * *", BERLIN, "2026-03-28 12:00", ["2026-03-29 03:00+02:00", "2026-03-29 03:15+02:00"]),
        # … and it is the same as one that belongs there anyway
        ("30 * * * *", BERLIN, "2026-03-29 01:30", ["2026-03-29 03:00+02:00", "2026-03-29 03:30+02:00"]),
        ("0 * * * *", BERLIN, "2026-03-29 01:00", ["2026-03-29 03:00+02:00", "2026-03-29 04:00+02:00"]),
        ("* * * * *", BERLIN, "2026-03-29 01:58", ["2026-03-29 01:59+01:00", "2026-03-29 03:00+02:00", "2026-03-29 03:01+02:00"]),
        # a gap of half an hour, and one of a whole day
        ("15 2 * * *", LORD_HOWE, "2026-10-03 12:00", ["2026-10-04 02:30+11:00", "2026-10-05 02:15+11:00"]),
        ("0 12 * * *", APIA, "2011-12-29 11:00", ["2011-12-29 12:00-10:00", "2011-12-31 00:00+14:00", "2011-12-31 12:00+14:00"]),
    ],
)
def test_a_skipped_time_runs_right_after_the_gap(text: str, zone: str, start: str, expected: list[str]) -> None:
    assert runs(text, zone, start, len(expected)) == expected


@pytest.mark.parametrize(
    ("text", "zone", "start", "expected"),
    [
        # repeated: 02:00 … 02:59 on 25 October 2026 in Berlin, 01:00 … 01:59 on 1 November in New York
        ("30 2 * * *", BERLIN, "2026-10-24 12:00", ["2026-10-25 02:30+02:00", "2026-10-26 02:30+01:00"]),
        ("0 3 * * *", BERLIN, "2026-10-24 12:00", ["2026-10-25 03:00+01:00", "2026-10-26 03:00+01:00"]),
        ("30 1 * * *", NEW_YORK, "2026-10-31 12:00", ["2026-11-01 01:30-04:00", "2026-11-02 01:30-05:00"]),
        ("*/30 2 * * *", BERLIN, "2026-10-24 12:00", ["2026-10-25 02:00+02:00", "2026-10-25 02:30+02:00", "2026-10-26 02:00+01:00"]),
        ("*/30 * * * *", BERLIN, "2026-10-25 01:30", ["2026-10-25 02:00+02:00", "2026-10-25 02:30+02:00", "2026-10-25 03:00+01:00"]),
        ("15 2 * * *", LORD_HOWE, "2026-04-04 12:00", ["2026-04-05 02:15+10:30", "2026-04-06 02:15+10:30"]),
        ("45 1 * * *", LORD_HOWE, "2026-04-04 12:00", ["2026-04-05 01:45+11:00", "2026-04-06 01:45+10:30"]),
    ],
)
def test_a_repeated_time_runs_once(text: str, zone: str, start: str, expected: list[str]) -> None:
    assert runs(text, zone, start, len(expected)) == expected


def test_asked_within_the_second_passing_the_first_is_over() -> None:
    now = moment("2026-10-25 02:10", BERLIN, fold=1)
    assert local(Cron("30 2 * * *", BERLIN).next_after(now), BERLIN) == "2026-10-26 02:30+01:00"
    assert local(Cron("* * * * *", BERLIN).next_after(now), BERLIN) == "2026-10-25 03:00+01:00"


def test_runs_that_were_missed_are_not_made_up() -> None:
    cron = Cron("0 * * * *", "UTC")
    assert cron.next_after(moment("2026-01-01 00:00", "UTC")) == moment("2026-01-01 01:00", "UTC")
    assert cron.next_after(moment("2026-01-01 09:30", "UTC")) == moment("2026-01-01 10:00", "UTC")


# ── against a model ──────────────────────────────────────────────────────────────────────────────


def one_of(low: int, high: int) -> st.SearchStrategy[str]:
    value = st.integers(low, high)
    return st.one_of(
        st.just("*"),
        value.map(str),
        st.integers(1, 20).map(lambda step: f"*/{step}"),
        st.tuples(value, value).map(lambda ends: f"{min(ends)}-{max(ends)}"),
        st.lists(value, min_size=1, max_size=3).map(lambda values: ",".join(map(str, values))),
    )


TEXTS = st.tuples(one_of(0, 59), one_of(0, 23)).map(lambda parts: " ".join([*parts, "* * *"]))
NEAR_A_CHANGE = st.sampled_from(
    [(BERLIN, "2026-03-29"), (BERLIN, "2026-10-25"), (NEW_YORK, "2026-03-08"), (NEW_YORK, "2026-11-01"),
     (LORD_HOWE, "2026-04-05"), (LORD_HOWE, "2026-10-04"), (DEFAULT_ZONE, "2026-06-01"), (APIA, "2011-12-30")]
)  # fmt: skip


def values_of(part: str, count: int) -> set[int]:
    found: set[int] = set()
    for term in part.split(","):
        base, _, step = term.partition("/")
        low, _, high = base.partition("-")
        all_values = range(count) if base == "*" else range(int(low), int(high or low) + 1)
        found |= set(all_values[:: int(step or 1)])
    return found


@lru_cache
def minutes_around(zone: str, day: str) -> list[tuple[datetime, int]]:
    """Each local minute of some days around a day, and the moment that the rule gives it, word by word."""
    where = ZoneInfo(zone)
    start = datetime.fromisoformat(day) - timedelta(days=1)
    found: list[tuple[datetime, int]] = []
    for number in range(4 * 24 * 60):
        time = start + timedelta(minutes=number)
        real = time.replace(tzinfo=where).astimezone(UTC)
        if real.astimezone(where).replace(tzinfo=None) != time:
            # There is no such time. Walk back to the first minute behind the gap.
            offset = real.astimezone(where).utcoffset()
            while (real - timedelta(minutes=1)).astimezone(where).utcoffset() == offset:
                real -= timedelta(minutes=1)
        found.append((time, int(real.timestamp())))
    return found


def moments_of(text: str, zone: str, day: str) -> list[int]:
    minute, hour, *_ = text.split()
    minutes, hours = values_of(minute, 60), values_of(hour, 24)
    around = minutes_around(zone, day)
    return sorted({real for time, real in around if time.minute in minutes and time.hour in hours})


@settings(deadline=None, max_examples=150)
@given(text=TEXTS, change=NEAR_A_CHANGE, minute=st.integers(0, 2 * 24 * 60), second=st.integers(0, 59))
def test_the_next_moment_is_the_first_that_the_rule_gives(
    text: str, change: tuple[str, str], minute: int, second: int
) -> None:
    zone, day = change
    now = moment(day, zone) - 6 * 3600 + minute * 60 + second
    expected = [one for one in moments_of(text, zone, day) if one > now]
    assume(expected)
    cron = Cron(text, zone)
    for later in expected[:30]:
        now = cron.next_after(now)
        assert local(now, zone) == local(later, zone)


DAYS = st.one_of(one_of(1, 28), st.sampled_from(["L", "LW", "L,15", "29,30"]))
WEEKDAYS = st.one_of(one_of(0, 7), st.sampled_from(["MON", "5L", "MON#1", "TUE-FRI", "SUN,SAT"]))
FULL_TEXTS = st.tuples(one_of(0, 59), one_of(0, 23), DAYS, one_of(1, 12), WEEKDAYS).map(" ".join)
SECONDS = st.integers(0, 4_000_000_000)


@settings(deadline=None, max_examples=300)
@given(
    text=FULL_TEXTS, zone=st.sampled_from([BERLIN, NEW_YORK, LORD_HOWE, DEFAULT_ZONE, "UTC"]), times=st.lists(SECONDS, min_size=2, max_size=5)
)
def test_moments_are_later_whole_minutes_and_in_order(text: str, zone: str, times: list[int]) -> None:
    try:
        cron = Cron(text, zone)
    except ScheduleError as refused:
        assume("no such day" not in refused.english)
        raise
    answers = [(time, cron.next_after(time)) for time in sorted(times)]
    for time, following in answers:
        assert following > time and following % 60 == 0
        # Nothing lies between, and asking just before it finds it again.
        assert cron.next_after(following - 1) == following
        assert cron.next_after((time + following) // 2) == following
    assert all(one[1] <= other[1] for one, other in pairwise(answers))


# ── mistakes ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "tamil", "english"),
    [
        ("61 * * * *", "நிமிடம்: ‘61’ இங்கே பொருந்தாது (0–59)", "minute: ‘61’ does not fit here (0–59)"),
        ("* 24 * * *", "மணி: ‘24’ இங்கே பொருந்தாது (0–23)", "hour: ‘24’ does not fit here (0–23)"),
        ("* * 0 * *", "நாள்: ‘0’ இங்கே பொருந்தாது (1–31, L, LW)", "day of the month: ‘0’ does not fit here (1–31, L, LW)"),
        ("* * * 13 *", "மாதம்: ‘13’ இங்கே பொருந்தாது (1–12, JAN–DEC)", "month: ‘13’ does not fit here (1–12, JAN–DEC)"),
        (
            "* * * * MON-FRY",
            "கிழமை: ‘FRY’ இங்கே பொருந்தாது (0–7, SUN–SAT, 5L, MON#2)",
            "day of the week: ‘FRY’ does not fit here (0–7, SUN–SAT, 5L, MON#2)",
        ),
        ("1,x * * * *", "நிமிடம்: ‘x’ இங்கே பொருந்தாது (0–59)", "minute: ‘x’ does not fit here (0–59)"),
        ("௧ * * * *", "நிமிடம்: ‘௧’ இங்கே பொருந்தாது (0–59)", "minute: ‘௧’ does not fit here (0–59)"),
        ("*-5 * * * *", "நிமிடம்: ‘*-5’ இங்கே பொருந்தாது (0–59)", "minute: ‘*-5’ does not fit here (0–59)"),
        ("*/0 * * * *", "நிமிடம்: ‘*/0’: ‘/’-க்குப் பின் 1 முதல் ஒரு முழு எண் தேவை", "minute: ‘*/0’ needs a whole number from 1 after ‘/’"),
        ("* 1/2/3 * * *", "மணி: ‘1/2/3’: ‘/’-க்குப் பின் 1 முதல் ஒரு முழு எண் தேவை", "hour: ‘1/2/3’ needs a whole number from 1 after ‘/’"),
        ("* * * FEB-JAN *", "மாதம்: ‘FEB-JAN’ முடிவதற்குப் பின் தொடங்குகிறது", "month: ‘FEB-JAN’ begins after it ends"),
        ("5- * * * *", "நிமிடம்: ‘5-’ முழுமையற்றது", "minute: ‘5-’ is not complete"),
        ("1,,2 * * * *", "நிமிடம்: ‘’ முழுமையற்றது", "minute: ‘’ is not complete"),
    ],
)
def test_a_wrong_text_names_the_field_and_what_is_wrong(text: str, tamil: str, english: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        Cron(text)
    assert caught.value.option == "cron"
    assert str(caught.value) == f"cron ‘{text}’, {tamil}  (cron ‘{text}’, {english})"


@pytest.mark.parametrize(("text", "count"), [("", 0), ("@daily", 1), ("0 2 * *", 4), ("0 0 2 * * *", 6)])
def test_a_text_has_five_fields(text: str, count: int) -> None:
    with pytest.raises(ScheduleError) as caught:
        Cron(text)
    assert str(caught.value) == (
        f"cron ‘{text}’: ஐந்து புலங்கள் தேவை (நிமிடம் மணி நாள் மாதம் கிழமை); {count} கிடைத்தன"
        f"  (cron ‘{text}’ needs five fields (minute, hour, day of the month, month, day of the week), it has {count})"
    )


@pytest.mark.parametrize("text", ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 */15 * MON#2"])
def test_a_day_that_never_comes_is_a_mistake(text: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        Cron(text)
    assert str(caught.value) == (
        f"cron ‘{text}’: இப்படி ஒரு நாள் ஒருபோதும் வராது  (cron ‘{text}’: there is no such day, ever)"
    )


def test_a_text_without_end_is_refused_unread() -> None:
    with pytest.raises(ScheduleError, match=f"longer than {LONGEST_TEXT} letters"):
        Cron("9" * 10_000 + " * * * *")


def test_the_longest_sensible_text_is_read() -> None:
    minutes, hours = (",".join(map(str, range(count))) for count in (60, 24))
    assert Cron(f"{minutes} {hours} * * *", "UTC").next_after(0) == 60


@pytest.mark.parametrize(
    ("zone", "near"),
    [
        ("Asia/Kolkatta", "‘Asia/Kolkata’"),
        ("asia/kolkata", "‘Asia/Kolkata’"),
        ("Kolkata", "‘Asia/Kolkata’"),
        ("New York", "‘America/New_York’"),
        ("Europe/Berlinn", "‘Europe/Berlin’"),
    ],
)
def test_a_wrong_zone_is_told_with_one_that_is_spelt_alike(zone: str, near: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        Cron("* * * * *", zone)
    assert caught.value.option == "tz"
    assert str(caught.value) == (
        f"‘{zone}’ என்ற நேர மண்டலம் இல்லை; {near} எனக் கருதினீர்களா?"
        f"  (there is no time zone ‘{zone}’; did you mean {near}?)"
    )


@pytest.mark.parametrize("zone", ["", "IST", "Europe", "../../etc/passwd", "/etc/passwd", "a\0b", "\ud800", "x" * 9999])
def test_a_zone_like_no_other_is_told_with_an_example(zone: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        Cron("* * * * *", zone)
    assert caught.value.english.endswith("; names are like ‘Asia/Kolkata’")
    assert len(str(caught.value)) < 500


def test_a_system_without_zones_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    # Parts of it that were imported before would still be found.
    for name in ["tzdata", *(name for name in sys.modules if name.startswith("tzdata."))]:
        monkeypatch.setitem(sys.modules, name, None)
    zoneinfo.reset_tzpath(to=[])
    ZoneInfo.clear_cache()
    try:
        with pytest.raises(ScheduleError) as caught:
            Cron("* * * * *")
    finally:
        zoneinfo.reset_tzpath()
    assert caught.value.tamil == (
        "நேர மண்டலம் ‘Asia/Kolkata’: இந்தக் கணினியில் நேர மண்டலத் தரவு இல்லை; ‘tzdata’ தொகுப்பை நிறுவவும்"
    )
    assert caught.value.english == (
        "time zone ‘Asia/Kolkata’: this system has no time zone data; install the package ‘tzdata’"
    )


def test_a_mistake_becomes_an_error_of_the_program() -> None:
    with pytest.raises(ScheduleError) as caught:
        Cron("0 2 * *")
    fault = caught.value.fault()
    assert fault.code == "value.invalid"
    assert fault.tamil == f"‘பணி_உருவாக்கு’: {caught.value.tamil}"
    assert fault.english == f"‘பணி_உருவாக்கு’: {caught.value.english}"
