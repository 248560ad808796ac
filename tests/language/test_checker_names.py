"""What the checker says about names, options and places (EXTENSIONS §1–§11)."""

from __future__ import annotations

import pytest

from etamil_actors.language.checker import check
from etamil_actors.language.lexer import lex
from etamil_actors.language.options import (
    OPTIONS_OF,
    ROUTE,
    VALUES_OF,
    spellings_of,
)
from etamil_actors.language.parser import parse
from etamil_actors.language.problems import render
from etamil_actors.language.source import SourceMap
from tests.language.test_checker import checked, checked_lines, found

# ---- names without a value ------------------------------------------------------------


def test_a_name_that_nothing_assigns_is_marked_wherever_it_is_read() -> None:
    program = ["அச்சு அ;", "அ2(அ);", "செயல் f() { திரும்பு ஆ + இ.x; }", "இ = 1;"]
    assert checked_lines(*program) == ["1:W0310", "2:W0310", "2:W0310", "3:W0310"]


@pytest.mark.parametrize(
    "assigning",
    [
        "அ = 1;",
        "எண் அ;",
        "நிலை அ = 1;",
        "ஒவ்வொரு அ இல் [] { }",
        "உள்ளிடு அ;",
        'கோப்பு_படி "a.txt", அ;',
        'தரவுரை_படி "a.csv", அ;',
        'தளம்_வினா "SELECT 1", [], அ;',
        "முயல் { } பிழை(அ) { }",
        "தேர்வு { அ இல் சேனல்_உருவாக்கு() { } }",
        "செயல் f(அ) { }",
        "செயல் அ() { }",
        "செயல் f() { அ = 1; }",
        "f = செயல்(அ) { };",
        "முகவர் அ() { }",
        "முகவர் a(அ) { }",
        "முகவர் a() { செய்தி m(அ) { } }",
        "வடிவம் v { x, செயல் m(அ) { } }",
    ],
)
def test_a_name_that_is_assigned_anywhere_is_known(assigning: str) -> None:
    assert checked_lines("செயல் g() { திரும்பு அ; }", assigning) == []


@pytest.mark.parametrize(
    "known",
    [
        "நீளம்",
        "nILam",
        "_length",
        "நீளம்([])",
        "nil",
        "request_method",
        "headers",
        "param_id",
        "response_status",
        "வேண்டிய",
        "request",
        "session",
        "அமர்வு",
        "நேரலை",
        "கோரிக்கை",
    ],
)
def test_a_name_that_means_something_everywhere_is_known(known: str) -> None:
    assert found(f"செயல் g() {{ திரும்பு {known}; }}") == []


def test_a_word_brings_its_name_along() -> None:
    program = [
        "வி = விகல்_உருவாக்கு({});",
        'விகல்_குறி(வி) { அச்சு குறி.வினா("SELECT 1"); }',
        'பணி_உருவாக்கு "p", {"channel": சேனல்_உருவாக்கு()} { அச்சு செய்தி; }',
    ]
    assert checked_lines(*program) == []


def test_a_changed_part_needs_a_name_with_a_value() -> None:
    assert checked_lines("அ[0] = 1;", "ஆ.x = 1;", "ஆ = {};") == ["1:W0310"]


def test_self_is_known_in_methods_and_agents_only() -> None:
    program = ["முகவர் a() { செய்தி m() { திரும்பு இது; } }", "அச்சு iqu;"]
    assert checked_lines(*program) == ["2:W0310"]


def test_a_misspelt_name_gets_a_suggestion() -> None:
    problems, sources = checked("மொத்தத்_தொகை = 5;\nஅச்சு மொத்ததொகை;")
    assert render(problems[0], sources).splitlines() == [
        "test.qmz: [W0310] வரி 2, நெடுவரிசை 5: ‘மொத்ததொகை’ என்ற பெயருக்கு இந்த நிரலில் எங்கும் மதிப்பு"
        " தரப்படவில்லை  (line 2, column 5: nothing in this program gives ‘மொத்ததொகை’ a value)",
        "  2 | அச்சு மொத்ததொகை;",
        "    |     ^^^^^",
        "    ‘மொத்தத்_தொகை’ என எழுத எண்ணினீர்களா?  (did you mean ‘மொத்தத்_தொகை’?)",
    ]


def test_a_misspelt_builtin_gets_a_suggestion() -> None:
    problems, _ = checked("அச்சு நீழம்([]);")
    assert problems[0].suggestion == "‘நீளம்’ என எழுத எண்ணினீர்களா?  (did you mean ‘நீளம்’?)"


def test_a_shell_tells_which_names_have_a_value_already() -> None:
    sources = SourceMap()
    source = sources.add("shell", "அச்சு அ + ஆ;")
    module, _ = parse(lex(source)[0], source)
    assert [problem.values["name"] for problem in check(module, sources, names=["அ"])] == ["ஆ"]


# ---- the prelude and the request ------------------------------------------------------

ROUTES = 'வழி பெறு, "/" { அச்சு request_path; பதில் 200, கோரிக்கை.பாதை; }'


@pytest.mark.parametrize("read", ["headers", "param_id", "request", "வேண்டிய", "கோரிக்கை", "_request"])
def test_a_prelude_that_reads_the_request_is_warned(read: str) -> None:
    assert checked_lines(f"அ = {read};", ROUTES) == ["1:W0311"]
    assert checked_lines(f"(மெய்) எனில் {{ அச்சு {read}; }}", ROUTES) == ["1:W0311"]
    assert checked_lines(f"அ = {read};", 'server.on("GET", "/", செயல்(r) { });') == ["1:W0311"]


@pytest.mark.parametrize(
    "fine",
    [
        "செயல் f() { திரும்பு headers; }",
        "f = செயல்() { திரும்பு கோரிக்கை; };",
        "headers = {}; அச்சு headers;",
        'சோதனை "s" { அச்சு headers; }',
        "இடைவெளி 5 { அச்சு request_path; }",
    ],
)
def test_what_does_not_read_the_request_at_start_is_not_warned(fine: str) -> None:
    assert checked_lines(fine, ROUTES) == []


def test_without_routes_the_program_is_the_handler() -> None:
    assert checked_lines("பதில் 200, request_path;") == []


# ---- names with braces ----------------------------------------------------------------


@pytest.mark.parametrize(
    "fine",
    [
        "செயல் f(r) { }\nf{x: 1};",
        "f = தரை;\nஅச்சு f{x: 1};",
        "செயல் g() { திரும்பு f{x: 1}; }\nf = தரை;",
        'கேச் = கேச்_உருவாக்கு { "ttl": 5 };',
        'அச்சு அமை_புரோ { "எதுவும்": 5 };',
    ],
)
def test_a_name_with_braces_may_be_a_call(fine: str) -> None:
    assert found(fine) == []


def test_the_record_of_such_a_call_is_its_argument() -> None:
    assert checked_lines("செயல் f(எண் அ) சொல் { }", "எண் ஆ = f{x: 1};") == ["1:E0421", "2:E0401"]


def test_a_function_takes_no_base() -> None:
    assert checked_lines("செயல் f(r) { }", "அச்சு f{x: 1, ..{}};") == ["2:E0310"]


# ---- options --------------------------------------------------------------------------

CALLS = {
    "_parallel": "இணையாக([], {%s: 1});",
    "_parallelMap": "இணையாக_மாற்று([], தரை, {%s: 1});",
    "_job": 'பணி_உருவாக்கு "p", {%s: 1} { }',
    "_channel": 'சேனல்_உருவாக்கு("c", {%s: 1});',
    "_send": "சேனல்_அனுப்பு(1, {x: 1}) {%s: 1};",
    "_receive": "சேனல்_பெறு(1, {%s: 1});",
    "_lock": "பூட்டு_உருவாக்கு({%s: 1});",
    "_withLock": "பூட்டு_பிடி(1, {%s: 1}) { }",
    "_startAgent": "முகவர்_தொடங்கு(தரை, [], {%s: 1});",
    "_ask": 'முகவர்_கேள்(1, "m", [], {%s: 1});',
    "_onRequest": 'server.on("GET", "/", {%s: 1}, தரை);',
    "_stream": "ஓடை_அனுப்பு({x: 1}, {%s: 1});",
    "_wsReceive": "நேரலை_பெறு({%s: 1});",
    "_pool": 'விகல்_உருவாக்கு("sqlite") {%s: 1};',
    "_cache": "கேச்_உருவாக்கு {%s: 1};",
    "_verifyJwt": "ஜீடபள்_சரிபார்த்து({x: 1}) {%s: 1};",
    "_issueJwt": "ஜீடபள்_உருவாக்கு({x: 1}) {%s: 1};",
    "_retry": "மீள்முயற்சி({%s: 1}) { }",
    "_breaker": 'சுற்று_முறிப்பான்("b", {%s: 1}) { }',
    "_sendRequest": 'கோரிக்கை_அனுப்பு("GET", "/", {%s: 1});',
}


VALUES = {
    "cron": '"0 2 * * *"', "tz": '"UTC"', "channel": "சேனல்_உருவாக்கு()",
    **dict.fromkeys(("singleton", "durable", "keep", "idempotent"), "மெய்"),
    **dict.fromkeys(("summary", "description"), '"உரை"'),
    **{name: f'"{words[0]}"' for name, words in VALUES_OF.items()},
}  # fmt: skip
"""What an option that takes no number may be given."""


def test_every_word_with_options_is_tried() -> None:
    assert CALLS.keys() == OPTIONS_OF.keys()


@pytest.mark.parametrize("word", OPTIONS_OF)
def test_a_word_takes_its_options_in_every_spelling_and_no_others(word: str) -> None:
    for name in OPTIONS_OF[word].names:
        beside = ', "cron": "0 2 * * *"' if name == "tz" else ""
        for spelling in spellings_of(name):
            program = CALLS[word].replace(": 1}", f": {VALUES.get(name, '1')}{beside}}}") % f'"{spelling}"'
            expected = ["1:E0214"] if name == "durable" else []
            assert found(program) == expected, spelling
    assert found(CALLS[word] % "வேறு_எதுவோ") == ["1:E0311"]


def test_a_route_takes_its_options_in_every_spelling_and_no_others() -> None:
    for name in ROUTE.names:
        for spelling in spellings_of(name):
            assert found(f'வழி பெறு, "/", {{"{spelling}": {VALUES.get(name, "1")}}} {{ }}') == [], spelling
    assert found('வழி பெறு, "/", {"every": 1} { }') == ["1:E0311"]


def test_one_tamil_word_means_what_fits_the_place() -> None:
    program = ['வழி பெறு, "/", {"எண்ணிக்கை": 4} { }', 'பணி_உருவாக்கு "p", {"எண்ணிக்கை": 4} { }']
    assert checked_lines(*program) == []


def test_a_misspelt_option_gets_a_suggestion_in_its_language() -> None:
    program = 'வழி பெறு, "/", {"காலவரம்ப": 1, "timeot": 2} { }'
    suggestions = [problem.suggestion for problem in checked(program)[0]]
    assert suggestions == [
        "‘காலவரம்பு’ என எழுத எண்ணினீர்களா?  (did you mean ‘காலவரம்பு’?)",
        "‘timeout’ என எழுத எண்ணினீர்களா?  (did you mean ‘timeout’?)",
    ]


@pytest.mark.parametrize(
    "hiding",
    [
        "செயல் கேச்_உருவாக்கு(r) { }\nகேச்_உருவாக்கு {ஏதோ: 1};",
        "கேச்_உருவாக்கு = தரை;\nகேச்_உருவாக்கு {ஏதோ: 1};",
        "செயல் f(கேச்_உருவாக்கு) { கேச்_உருவாக்கு({ஏதோ: 1}); }",
    ],
)
def test_options_of_a_hidden_builtin_are_the_programs_own(hiding: str) -> None:
    assert found(hiding) == []


def test_a_record_that_is_not_written_out_is_not_looked_at() -> None:
    assert checked_lines('அ = {"ஏதோ": 1};', "கேச்_உருவாக்கு(அ);") == []


def test_types_among_the_options_of_a_route_must_exist() -> None:
    program = [
        "வடிவம் பயனர் { x }",
        'வழி பதி, "/", {"body": பயனர், "answer": அணி<பயனர்>, "query": பொருள்<அவர்>} { }',
    ]
    assert checked_lines(*program) == ["2:E0409"]


# ---- names that may be given once, and places -----------------------------------------


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (['பணி_உருவாக்கு "அ" { }', 'பணி_உருவாக்கு "ஆ" { }', 'x = பணி_உருவாக்கு("அ") { };'], ["3:E0312"]),
        (['செயல் f() { பணி_உருவாக்கு "அ" { } }', 'பணி_உருவாக்கு "அ" { }'], []),
        (['(மெய்) எனில் { பணி_உருவாக்கு "அ" { } }', 'பணி_உருவாக்கு "அ" { }'], []),
        (["முகவர் அ() { }", "முகவர் அ() { }"], ["2:E0312"]),
        (["முகவர் அ() {", "செய்தி m() { }", "செய்தி m() { }", "}", "முகவர் ஆ() { செய்தி m() { } }"], ["3:E0312"]),
        (['பூட்டு_உருவாக்கு("அ");', 'பூட்டு_உருவாக்கு("அ");'], []),
    ],
)
def test_names_of_jobs_agents_and_messages(lines: list[str], expected: list[str]) -> None:
    assert checked_lines(*lines) == expected


@pytest.mark.parametrize("option", ["every", "இடைநேரம்", "cron", "சேனல்", "instances"])
@pytest.mark.parametrize(
    "place",
    [
        "செயல் f() {{ {} }}",
        "f = செயல்() {{ {} }};",
        'வழி பெறு, "/" {{ {} }}',
        'பணி_உருவாக்கு "a" {{ {} }}',
        'சோதனை "a" {{ {} }}',
        "முகவர் a() {{ செய்தி m() {{ {} }} }}",
        "ஒவ்வொரு i இல் [1] {{ {} }}",
        "(பொய்) சுற்று {{ {} }}",
        "மீள்முயற்சி() {{ {} }}",
    ],
)
def test_a_one_time_job_cannot_be_scheduled(option: str, place: str) -> None:
    value = VALUES.get("channel" if option == "சேனல்" else option, "1")
    job = f'பணி_உருவாக்கு "p", {{"{option}": {value}, "attempts": 2}} {{ }}'
    assert found(place.format(job)) == ["1:E0214"]
    assert found(job) == []
    assert found(f"முயல் {{ {job} }} இறுதியில் {{ }}") == []


def test_a_route_is_registered_at_the_top_level() -> None:
    program = ['server.on("GET", "/", தரை);', 'செயல் f() { server.on("GET", "/", தரை); }', "f();"]
    assert checked_lines(*program) == ["2:E0214"]


def test_a_server_of_the_program_is_its_own() -> None:
    assert (
        checked_lines("செயல் f(server) { server.on(1); அச்சு server.x; }", "server = {};", "server.on(2);")
        == []
    )
