"""What the checker says about the values of options that are written out (EXTENSIONS §5–§8)."""

from __future__ import annotations

import pytest

from etamil_actors.language.check_options import _WANTS
from etamil_actors.language.options import OPTIONS_OF, ROUTE, VALUES_OF, value_spellings
from tests.language.test_checker import checked, checked_lines, found

JOB = 'பணி_உருவாக்கு "p", {%s} { }'
CHANNEL = "சேனல்_உருவாக்கு({%s});"
LOCK = "பூட்டு_உருவாக்கு({%s});"
ROUTE_HERE = 'வழி பெறு, "/", {%s} { }'
AGENT = "முகவர்_தொடங்கு(தரை, [], {%s});"


def words(program: str) -> list[str]:
    return [f"{problem.code} {problem.english_text}" for problem in checked(program)[0]]


def marked(program: str) -> list[str]:
    """The text that each problem marks."""
    problems, sources = checked(program)
    text = sources.sources[0].text
    return [text[problem.start : problem.end] for problem in problems]


@pytest.mark.parametrize(
    ("program", "wanted"),
    [
        (JOB % '"every": 0', "more than 0 seconds"),
        (JOB % '"இடைநேரம்": -5', "more than 0 seconds"),
        (JOB % '"every": 0.0', "more than 0 seconds"),
        (JOB % '"every": "5"', "more than 0 seconds"),
        (JOB % '"every": [5]', "more than 0 seconds"),
        (JOB % '"instances": 0, "channel": சேனல்_உருவாக்கு()', "a whole number from 1"),
        (JOB % '"attempts": -1', "a whole number from 1"),
        (JOB % '"attempts": 1.5', "a whole number from 1"),
        (JOB % '"attempts": மெய்', "a whole number from 1"),
        (JOB % '"timeout": -0.1', "seconds from 0"),
        (JOB % '"backoff": "1s"', "seconds from 0"),
        (JOB % '"shutdown": -1', "seconds from 0"),
        (JOB % '"singleton": 1', "மெய் or பொய் (true or false)"),
        (JOB % '"singleton": "மெய்"', "மெய் or பொய் (true or false)"),
        (JOB % '"cron": 5', "a text"),
        (JOB % '"சேனல்": "அஞ்சல்"', "a channel"),
        (CHANNEL % '"capacity": 0', "a whole number from 1"),
        (CHANNEL % '"கொள்ளளவு": -10', "a whole number from 1"),
        (CHANNEL % '"ttl": -1', "seconds from 0"),
        (LOCK % '"permits": 0', "a whole number from 1"),
        (AGENT % '"mailbox": 0', "a whole number from 1"),
        (AGENT % '"keep": 5', "மெய் or பொய் (true or false)"),
        ("சேனல்_பெறு(1, {timeout: -1});", "seconds from 0"),
        ("பூட்டு_பிடி(1, {timeout: செயல்() { }}) { }", "seconds from 0"),
        ("இணையாக([], {limit: 0});", "a whole number from 1"),
        (ROUTE_HERE % '"concurrency": 0', "a whole number from 1"),
        (ROUTE_HERE % '"queue": -1', "a whole number from 0"),
        (ROUTE_HERE % '"idempotent": 1', "மெய் or பொய் (true or false)"),
    ],
)
def test_a_value_that_an_option_cannot_have(program: str, wanted: str) -> None:
    [said] = words(program)
    assert said.startswith("E0313 the option ‘")
    assert said.endswith(f"’ wants {wanted}")
    [value] = marked(program)
    assert program.partition(f": {value}")[1]


@pytest.mark.parametrize(
    "program",
    [
        JOB % '"every": 0.5',
        JOB % '"every": இன்மை',
        JOB % '"every": நொடி',
        JOB % '"every": 5 * 60',
        JOB % '"attempts": 3.0',
        JOB % '"timeout": 0',
        JOB % '"சேனல்": சேனல்_உருவாக்கு("அ"), "instances": 4',
        JOB % '"cron": திட்டம், "tz": மண்டலம்',
        CHANNEL % '"capacity": 1, "overflow": கொள்கை',
        ROUTE_HERE % '"queue": 0',
        "நொடி = 5; பணி_உருவாக்கு = தரை; " + "பணி_உருவாக்கு(1, {every: 0});",
    ],
)
def test_what_is_possible_or_computed_is_let_through(program: str) -> None:
    assert [code for code in found(program) if "W0310" not in code] == []


def test_every_option_with_a_rule_exists() -> None:
    known = {name for takes in (*OPTIONS_OF.values(), ROUTE) for name in takes.names}
    assert _WANTS.keys() <= known
    assert VALUES_OF.keys() <= known
    assert not _WANTS.keys() & VALUES_OF.keys()


# ---- words as values ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "value", "near"),
    [
        (CHANNEL % '"overflow": "drop_oldst"', '"drop_oldst"', "drop_oldest"),
        (CHANNEL % '"நிரம்பினால்": "மறுக்க"', '"மறுக்க"', None),
        (CHANNEL % '"வகை": "பறப்பு"', '"பறப்பு"', "பரப்பு"),
        (CHANNEL % '"transport": "journel"', '"journel"', "journal"),
        (JOB % '"restart": "permanant"', '"permanant"', "permanent"),
        (JOB % '"restart": "queue"', '"queue"', None),
        (JOB % '"restart": மெய்', "மெய்", None),
        (AGENT % '"restart": 5', "5", None),
        (ROUTE_HERE % '"disconnect": "finsh"', '"finsh"', "finish"),
    ],
)
def test_a_word_that_an_option_does_not_know(program: str, value: str, near: str | None) -> None:
    assert marked(program) == [value]
    [problem] = checked(program)[0]
    assert problem.code == "E0314"
    assert (near in (problem.suggestion or "")) if near else problem.suggestion is None


@pytest.mark.parametrize("name", VALUES_OF)
def test_the_words_of_an_option_are_known_in_every_spelling(name: str) -> None:
    call = ROUTE_HERE if name == "disconnect" else JOB if name == "restart" else CHANNEL
    for word in (*VALUES_OF[name], *value_spellings(name)):
        assert found(call % f'"{name}": "{word}"') == []
    assert {"redis", "nats"} < set(VALUES_OF["transport"])


# ---- when a job runs ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cron", "marked_text", "said", "near"),
    [
        ("0 25 * * *", "25", "hour: ‘25’ does not fit here (0–23)", None),
        ("0 2 * * MOM", "MOM", "day of the week: ‘MOM’ does not fit here (0–7, SUN–SAT, 5L, MON#2)", "MON"),
        (
            "* * * *",
            "* * * *",
            "five fields are needed (minute, hour, day of the month, month, day of the week), there are 4",
            None,
        ),
        ("0 0 31 2 *", "0 0 31 2 *", "there is no such day, ever", None),
        (
            "",
            '"',
            "five fields are needed (minute, hour, day of the month, month, day of the week), there are 0",
            None,
        ),
    ],
)
def test_a_wrong_cron_text_is_marked_where_it_is_wrong(
    cron: str, marked_text: str, said: str, near: str | None
) -> None:
    program = JOB % f'"cron": "{cron}", "tz": "Asia/Kolkata"'
    assert words(program) == [f"E0315 the cron text is wrong: {said}"]
    assert marked(program) == [marked_text]
    [problem] = checked(program)[0]
    assert (near in (problem.suggestion or "")) if near else problem.suggestion is None


def test_a_cron_text_with_escapes_is_marked_as_a_whole() -> None:
    program = JOB % r'"cron": "0 25\t* * *"'
    assert marked(program) == [r'"0 25\t* * *"']


@pytest.mark.parametrize(
    ("zone", "near"),
    [
        ("Asia/Kolkatta", "Asia/Kolkata"),
        ("Kolkata", "Asia/Kolkata"),
        ("Mars/Olympus", None),
        ("../etc", None),
        ("", None),
    ],
)
def test_an_unknown_zone_is_named_with_a_near_one(zone: str, near: str | None) -> None:
    program = JOB % f'"cron": "0 2 * * *", "tz": "{zone}"'
    assert words(program) == [f"E0316 there is no time zone ‘{zone}’"]
    [problem] = checked(program)[0]
    assert (near in (problem.suggestion or "")) if near else problem.suggestion is None


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "UTC", "Europe/Berlin"])
def test_known_zones_are_fine(zone: str) -> None:
    assert found(JOB % f'"cron": "0 2 * * *", "tz": "{zone}"') == []


@pytest.mark.parametrize(
    ("options", "marked_texts", "said"),
    [
        (
            '"every": 5, "cron": "0 2 * * *"',
            ["cron"],
            "E0317 ‘cron’ and ‘every’ cannot stand together in one job",
        ),
        (
            '"சேனல்": ச, "இடைநேரம்": 5',
            ["இடைநேரம்"],
            "E0317 ‘இடைநேரம்’ and ‘சேனல்’ cannot stand together in one job",
        ),
        (
            '"cron": "0 2 * * *", "channel": ச',
            ["channel"],
            "E0317 ‘channel’ and ‘cron’ cannot stand together in one job",
        ),
        (
            '"every": 5, "tz": "UTC"',
            ["tz"],
            "E0318 the option ‘tz’ means something only together with ‘cron’",
        ),
        ('"tz": "UTC"', ["tz"], "E0318 the option ‘tz’ means something only together with ‘cron’"),
    ],
)
def test_options_of_one_job_that_do_not_go_together(options: str, marked_texts: list[str], said: str) -> None:
    program = "ச = 1;\n" + JOB % options
    assert words(program) == [said]
    assert [text.strip('"') for text in marked(program)] == marked_texts


def test_only_a_job_that_is_started_in_an_activity_can_be_durable() -> None:
    assert checked_lines(JOB % '"durable": மெய்', "செயல் f() { " + JOB % '"நிலைத்த": மெய்' + " }") == ["1:E0214"]
    assert found("ஒவ்வொரு i இல் [1] { " + JOB % '"durable": மெய்' + " }") == []


# ---- channels of one name -------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ('{"capacity": 5}', '{"capacity": 6}', ["2:E0319"]),
        ('{"capacity": 5}', '{"கொள்ளளவு": 5.0}', []),
        ('{"capacity": 5}', "{}", []),
        ('{"capacity": 5}', '{"capacity": n}', []),
        ('{"overflow": "wait"}', '{"நிரம்பினால்": "காத்திரு"}', []),
        ('{"overflow": "wait"}', '{"நிரம்பினால்": "மறு"}', ["2:E0319"]),
        ('{"kind": "queue", "capacity": 1}', '{"kind": "broadcast", "capacity": 2}', ["2:E0319", "2:E0319"]),
    ],
)
def test_who_names_a_channel_twice_has_to_agree(first: str, second: str, expected: list[str]) -> None:
    lines = [f'a = சேனல்_உருவாக்கு("அஞ்சல்", {first});', f'b = சேனல்_உருவாக்கு("அஞ்சல்", {second});', "n = 1;"]
    assert checked_lines(*lines) == expected


def test_channels_of_other_names_and_without_names_are_their_own() -> None:
    lines = [
        'சேனல்_உருவாக்கு("அ", {"capacity": 1});',
        'சேனல்_உருவாக்கு("ஆ", {"capacity": 2});',
        'சேனல்_உருவாக்கு({"capacity": 3});',
        'சேனல்_உருவாக்கு({"capacity": 4});',
    ]
    assert checked_lines(*lines) == []


def test_the_other_place_of_a_channel_is_told() -> None:
    program = 'அ = சேனல்_உருவாக்கு("மடல்", {"capacity": 1});\nஆ = சேனல்_உருவாக்கு("மடல்") { "capacity": 2 };'
    assert words(program) == ["E0319 the channel ‘மடல்’ has another ‘capacity’ elsewhere (line 1)"]


# ---- the message of a job -------------------------------------------------------------


def test_a_job_without_a_channel_is_given_no_message() -> None:
    assert checked_lines('பணி_உருவாக்கு "அ" { அச்சு செய்தி; }') == ["1:W0310"]
    assert checked_lines('பணி_உருவாக்கு "அ", {"every": 5} { அச்சு செய்தி; }') == ["1:W0310"]
    assert checked_lines('ச = 1; பணி_உருவாக்கு "அ", {"சேனல்": ச} { அச்சு செய்தி; }') == []
    assert checked_lines('வி = {}; பணி_உருவாக்கு "அ", வி { அச்சு செய்தி; }') == []
    assert checked_lines('செயல் f() { பணி_உருவாக்கு "அ" { அச்சு செய்தி; } }') == ["1:W0310"]


def test_the_agent_is_known_in_lambdas_and_jobs_inside_it() -> None:
    program = (
        "முகவர் க() { f = செயல்() { திரும்பு இது; }; செய்தி m() { g = செயல்() { திரும்பு _self; };"
        ' பணி_உருவாக்கு "வேலை" { அச்சு இது; } திரும்பு [f, g, இது]; } }'
    )
    assert found(program) == []
    assert found("முகவர் க() { f = செயல்(இது) { இது = 5; திரும்பு இது; }; }") == []
    assert found("முகவர் க() { f = செயல்() { இது = 5; }; }") == ["1:E0418"]
