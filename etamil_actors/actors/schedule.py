"""When does a scheduled job run next? (EXTENSIONS §5)

Only the calendar lives here; moments arrive as arguments and are answered, nobody waits.

``Every`` counts from the end of a run. ``Cron`` thinks in local minutes: ``cronsim`` says which of them a
text means, on a calendar without time zones, and each of them becomes one moment:

```
local    01:59 │ 02:00 … 02:59 are skipped │ 03:00        01:59 │ 02:00 … 02:59 │ 02:00 … 02:59 │ 03:00
moment      ●  │ ──────────────────────▶ ● │ ●               ●  │ ●             │ (not again)   │ ●
```

A skipped time runs in the first moment after the gap, once however many were skipped; of a repeated time the
first passing counts. Both rules hold for every text, so ``* * * * *`` rests during the repeated hour; who
wants a steady beat uses ``every``, or a zone whose clock is never put back.

``cronsim`` has rules of its own for zones, those of Debian's cron. They run repeated times of some
texts twice and forget skipped times of others, so here it never sees a zone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from difflib import get_close_matches
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError
from cronsim.cronsim import Field

from etamil_actors.errors import Fault

DEFAULT_ZONE: Final = "Asia/Kolkata"

LONGEST_TEXT: Final = 500
"""Letters of a cron text; a list of every minute and every hour has 240."""

Moment = float | Decimal
"""Seconds since 1970-01-01 UTC, as ``Clock.wall`` tells them."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)
# A leap year; who finds nothing in fifty years from here never will.
_ANY_YEAR: Final = datetime(2024, 1, 1)


class ScheduleError(ValueError):
    """A schedule that cannot be: the words say which part of it, and what is wrong."""

    def __init__(self, option: str, tamil: str, english: str) -> None:
        super().__init__(f"{tamil}  ({english})")
        self.option = option
        """The option that is wrong: ``every``, ``cron`` or ``tz``."""
        self.tamil = tamil
        self.english = english

    def fault(self) -> Fault:
        """The same as an error of the running program."""
        return Fault("value.invalid", name="பணி_உருவாக்கு", problem_ta=self.tamil, problem_en=self.english)


# ── every ────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Every:
    """So many seconds from the end of a run to the next start; the first run is so long after the start."""

    seconds: float

    def __post_init__(self) -> None:
        if not 0 < self.seconds < math.inf:
            raise ScheduleError(
                "every",
                f"இடைநேரம் 0-ஐ விட அதிகமான நொடிகள்; {self.seconds:g} அல்ல",
                f"‘every’ wants more than 0 seconds, not {self.seconds:g}",
            )

    def next_after(self, end: float) -> float:
        """When the next run starts, by the clock that told the end of the last."""
        return end + self.seconds


# ── cron ─────────────────────────────────────────────────────────────────────────────────────────


class CronField(NamedTuple):
    """One of the five fields of a cron text."""

    parser: Field
    tamil: str
    english: str
    values: str


FIELDS: Final = (
    CronField(Field.MINUTE, "நிமிடம்", "minute", "0–59"),
    CronField(Field.HOUR, "மணி", "hour", "0–23"),
    CronField(Field.DAY, "நாள்", "day of the month", "1–31, L, LW"),
    CronField(Field.MONTH, "மாதம்", "month", "1–12, JAN–DEC"),
    CronField(Field.DOW, "கிழமை", "day of the week", "0–7, SUN–SAT, 5L, MON#2"),
)
_ORDER_TA: Final = " ".join(field.tamil for field in FIELDS)
_ORDER_EN: Final = ", ".join(field.english for field in FIELDS)


class Cron:
    """The moments that a five-field cron text means in a time zone.

    Fields are numbers, ``*``, ranges, lists and steps, names of months and weekdays; ``L`` is the last day
    of the month, ``LW`` its last working day, ``5L`` its last Friday, ``MON#2`` its second Monday. Sunday is
    0 or 7. If both days are limited one of them has to fit, as in every cron; both have to when one begins
    with ``*``.

    Whoever waits for a moment by another clock may wake a little early by this one. The moment that was
    waited for, not the one of waking, is then the one to ask with.

    Raises:
        ScheduleError: the text or the zone is wrong.
    """

    __slots__ = ("_zone", "text", "tz")

    def __init__(self, text: str, tz: str = DEFAULT_ZONE) -> None:
        _check(text)
        self.text = text
        self._zone = zone_of(tz)
        self.tz = tz

    def __repr__(self) -> str:
        return f"Cron({self.text!r}, {self.tz!r})"

    def next_after(self, moment: Moment) -> int:
        """The first moment after this one."""
        # All moments are whole seconds, so the fraction of a second never matters.
        second = math.floor(moment)
        local = (_EPOCH + second * _SECOND).astimezone(self._zone).replace(tzinfo=None, fold=0)
        times = CronSim(self.text, local)
        while (following := self._moment_of(next(times))) <= second:
            pass  # the second passing of a repeated hour
        return following

    def _moment_of(self, local: datetime) -> int:
        """The one moment of a local time."""
        early = local.replace(tzinfo=self._zone)
        late = early.replace(fold=1)
        first, last = (early - _EPOCH) // _SECOND, (late - _EPOCH) // _SECOND
        # What is skipped lies, read with the offset of either side, on the other side of the gap.
        return self._end_of_gap(last, first) if last < first else first

    def _end_of_gap(self, before: int, after: int) -> int:
        offset = self._offset(after)
        while after - before > 1:
            middle = (before + after) // 2
            if self._offset(middle) == offset:
                after = middle
            else:
                before = middle
        return after

    def _offset(self, moment: int) -> timedelta | None:
        return (_EPOCH + moment * _SECOND).astimezone(self._zone).utcoffset()


def _check(text: str) -> None:
    if len(text) > LONGEST_TEXT:
        raise ScheduleError(
            "cron",
            f"cron உரை {LONGEST_TEXT} எழுத்துகளை விட நீளமானது",
            f"the cron text is longer than {LONGEST_TEXT} letters",
        )
    parts = text.split()
    if len(parts) != len(FIELDS):
        raise ScheduleError(
            "cron",
            f"cron ‘{text}’: ஐந்து புலங்கள் தேவை ({_ORDER_TA}); {len(parts)} கிடைத்தன",
            f"cron ‘{text}’ needs five fields ({_ORDER_EN}), it has {len(parts)}",
        )
    for field, part in zip(FIELDS, parts, strict=True):
        for term in part.split(","):
            _check_term(text, field, term)
    try:
        next(CronSim(text, _ANY_YEAR))
    except (CronSimError, StopIteration):
        raise ScheduleError(
            "cron",
            f"cron ‘{text}’: இப்படி ஒரு நாள் ஒருபோதும் வராது",
            f"cron ‘{text}’: there is no such day, ever",
        ) from None


def _check_term(text: str, field: CronField, term: str) -> None:
    if _is_good(field, term):
        return
    tamil, english = _explanation(field, term)
    raise ScheduleError(
        "cron",
        f"cron ‘{text}’, {field.tamil}: {tamil}",
        f"cron ‘{text}’, {field.english}: {english}",
    )


def _is_good(field: CronField, term: str) -> bool:
    try:
        field.parser.parse(term.upper())
    except CronSimError:
        return False
    return True


def _explanation(field: CronField, term: str) -> tuple[str, str]:
    """What is wrong with one term of a field, in Tamil and English."""
    base, slash, step = term.partition("/")
    if slash and not (step.isascii() and step.isdigit() and int(step)):
        return (
            f"‘{term}’: ‘/’-க்குப் பின் 1 முதல் ஒரு முழு எண் தேவை",
            f"‘{term}’ needs a whole number from 1 after ‘/’",
        )
    ends = base.split("-")
    if not all(ends):
        return f"‘{term}’ முழுமையற்றது", f"‘{term}’ is not complete"
    for end in ends:
        if not _is_good(field, end):
            return f"‘{end}’ இங்கே பொருந்தாது ({field.values})", f"‘{end}’ does not fit here ({field.values})"
    if len(ends) == 2 and all(_is_single(field, end) for end in ends):
        return f"‘{base}’ முடிவதற்குப் பின் தொடங்குகிறது", f"‘{base}’ begins after it ends"
    return f"‘{term}’ இங்கே பொருந்தாது ({field.values})", f"‘{term}’ does not fit here ({field.values})"


def _is_single(field: CronField, end: str) -> bool:
    """Is it one value, which may stand at the end of a range?"""
    try:
        field.parser.int(end.upper())
    except CronSimError:
        return False
    return True


# ── zones ────────────────────────────────────────────────────────────────────────────────────────


LONGEST_NAME: Final = 100
"""Letters of the name of a zone; the longest there is has 32."""


def zone_of(name: str) -> ZoneInfo:
    """The time zone of this name.

    Raises:
        ScheduleError: there is none; the words name those that are spelt alike. Or the system has no
            time zones at all.
    """
    name = name[:LONGEST_NAME]
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise _no_zone(name) from None


def _no_zone(name: str) -> ScheduleError:
    zones = sorted(available_timezones())
    if not zones:
        return ScheduleError(
            "tz",
            f"நேர மண்டலம் ‘{name}’: இந்தக் கணினியில் நேர மண்டலத் தரவு இல்லை; ‘tzdata’ தொகுப்பை நிறுவவும்",
            f"time zone ‘{name}’: this system has no time zone data; install the package ‘tzdata’",
        )
    near = _near(name, zones)
    return ScheduleError(
        "tz",
        f"‘{name}’ என்ற நேர மண்டலம் இல்லை; {f'‘{near}’ எனக் கருதினீர்களா?' if near else EXAMPLE_TA}",
        f"there is no time zone ‘{name}’; {f'did you mean ‘{near}’?' if near else EXAMPLE_EN}",
    )


EXAMPLE_TA: Final = f"பெயர்கள் ‘{DEFAULT_ZONE}’ போன்றவை"
EXAMPLE_EN: Final = f"names are like ‘{DEFAULT_ZONE}’"


def _near(name: str, zones: list[str]) -> str | None:
    """The zone whose name, or whose city, is spelt most alike."""
    wanted = name.casefold().replace(" ", "_")
    by_name = {zone.casefold(): zone for zone in zones}
    by_city = {zone.rpartition("/")[2].casefold(): zone for zone in zones if "/" in zone}
    for spelling, zone_by in ((wanted, by_name), (wanted.rpartition("/")[2], by_city)):
        found = get_close_matches(spelling, zone_by, n=1, cutoff=0.75)
        if found:
            return zone_by[found[0]]
    return None
