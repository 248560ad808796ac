"""Whatever is done to a golden program, it ends in a program, in problems, or in a runtime error.

Every prefix of every golden program, and every deletion, doubling, swap and replacement of one
token, goes through the whole front end and the compiler; some of what is sound is run as well,
with little time. Nothing but problems and faults may come out. A normal run tries a sample that
is the same each time; ``ETAMIL_SWEEP=1`` tries everything, ``ETAMIL_SWEEP=20`` a twentieth.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from etamil_actors.language.lexer import lex
from etamil_actors.language.problems import render
from etamil_actors.language.source import SourceMap
from etamil_actors.script import Outcome, check_text, run_text
from tests.golden.cases import HERE, MAIN, Case, all_cases

SWEEP = int(os.environ.get("ETAMIL_SWEEP", "0"))
CHECKED = SWEEP or 400
"""One mutation of so many is checked, …"""
RUN = CHECKED * 3
"""… and one of so many is run."""
GROUPS = 16

OTHER_TOKENS = (
    "(", ")", "{", "}", "[", "]", ",", ";", ":", ".", "..", "=", "==", "<", "+", "-", "*", "/", "&", "?", "!",
    "0", "5", "1.50", "18%", "79228162514264337593543950336", '"அ"', '"', "'", "\\", "//", "🙂", "\r", "\u202e", "\u200d",
    "அ", "x", "எண்", "அணி", "அணி<எண்>", "மெய்", "இன்மை", "nil", "மற்றும்", "இல்லை", "எனில்", "இன்றேல்", "சுற்று", "ஒவ்வொரு", "இல்",
    "செயல்", "திரும்பு", "return", "அச்சு", "உள்ளிடு", "இறக்கு", "வடிவம்", "தரம்", "நிலை", "வரிசை", "கோப்பு_படி", "தளம்_வினா",
    "வழி", "இடைவெளி", "பதில்", "முயல்", "பிழை", "இறுதியில்", "தேர்வு", "காலம்", "பணி", "முகவர்", "செய்தி", "சோதனை", "நிறுத்து", "தொடர்",
    "இது", "கோரிக்கை", "நீளம்", "இணை", "காலவரம்பு", "यदि", "कार्य", "प्रतिक्रिया",
)  # fmt: skip


class Mutation(str):
    """A mutated text that knows what was done to it."""

    done: str

    def __new__(cls, text: str, done: str) -> Mutation:
        made = super().__new__(cls, text)
        made.done = done
        return made


def tokens_of(text: str) -> list[tuple[int, int]]:
    """Where the tokens of a text begin and end."""
    source = SourceMap().add(MAIN, text)
    tokens, _ = lex(source)
    shift = len(text) - len(source.text)
    return [(token.start + shift, token.end + shift) for token in tokens if token.end > token.start]


def mutations(text: str) -> Iterator[Mutation]:
    """Every prefix, and every change of one token."""
    spans = tokens_of(text)
    for number, (start, end) in enumerate(spans):
        word = text[start:end]
        yield Mutation(text[:end], f"cut after token {number}")
        yield Mutation(text[: start + 1], f"cut inside token {number}")
        yield Mutation(text[:start] + text[end:], f"without token {number}")
        yield Mutation(text[:end] + " " + word + text[end:], f"with token {number} twice")
        if number + 1 < len(spans):
            behind, last = spans[number + 1]
            swapped = text[behind:last] + text[end:behind] + word
            yield Mutation(text[:start] + swapped + text[last:], f"with token {number} and the next swapped")
        for other in OTHER_TOKENS:
            yield Mutation(text[:start] + other + text[end:], f"with {other!r} for token {number}")


def is_chosen(case: Case, mutation: Mutation, of: int) -> bool:
    return zlib.crc32(f"{case.id}|{mutation.done}".encode()) % of == 0


def ends_well(text: str, files: dict[str, str] | None = None) -> Outcome:
    """Check a text; every problem that comes of it must be presentable."""
    outcome = check_text(text, name=MAIN, files=files)
    for problem in outcome.problems:
        assert render(problem, outcome.sources)
    return outcome


def runs_to_an_end(text: str, files: dict[str, str] | None = None) -> Outcome:
    """Run a text with little time; an error must have a place and words."""
    outcome = run_text(text, name=MAIN, files=files, seconds=0.1)
    if outcome.fault is not None:
        assert outcome.fault.code != "internal", outcome.errors
        assert outcome.fault.trace, outcome.errors
        # What a program raises itself may have no words.
        assert outcome.fault.message or "பிழை_எழுப்பு" in text or "_raise" in text
    return outcome


CASES = all_cases()
FOUNDING = [path.read_text(encoding="utf-8") for path in sorted((HERE / "founding").glob("*.qmz"))]


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("group", range(GROUPS))
def test_a_mutated_golden_program_ends_in_a_program_or_in_problems(group: int) -> None:
    for case in CASES[group::GROUPS]:
        for mutation in mutations(case.text):
            if not is_chosen(case, mutation, CHECKED):
                continue
            try:
                outcome = ends_well(mutation, case.files)
                if outcome.status == 0 and case.runs and is_chosen(case, mutation, RUN):
                    runs_to_an_end(mutation, case.files)
            except Exception as error:
                raise AssertionError(f"{case.id}, {mutation.done}:\n{mutation}") from error


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("number", range(len(FOUNDING)))
def test_every_prefix_of_a_founding_program_ends_in_a_program_or_in_problems(number: int) -> None:
    text = FOUNDING[number]
    for end in range(0, len(text) + 1, 1 if SWEEP == 1 else 5):
        ends_well(text[:end])


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("group", range(GROUPS))
def test_every_prefix_by_characters_ends_in_a_program_or_in_problems(group: int) -> None:
    step = 1 if SWEEP == 1 else 97
    for number, case in enumerate(CASES[group::GROUPS]):
        for end in range(number % step, len(case.text), step):
            ends_well(case.text[:end], case.files)


# ---- depth and length -----------------------------------------------------------------

MANY = 20_000
LONGER = 5_000
NESTED = {
    "brackets": "அச்சு " + "(" * MANY + "1" + ")" * MANY + ";",
    "open brackets": "அச்சு " + "(" * MANY,
    "arrays": "அ = " + "[" * MANY + "]" * MANY + ";",
    "open arrays": "அ = " + "[" * MANY,
    "records": "அ = " + "{x: " * MANY + "1" + "}" * MANY + ";",
    "blocks": "(மெய்) எனில் { " * MANY + "}" * MANY,
    "open blocks": "(மெய்) சுற்று { " * MANY,
    "loops": "ஒவ்வொரு x இல் [1] { " * 500 + "அச்சு x;" + "}" * 500,
    "minus": "அச்சு " + "-" * MANY + "1;",
    "not": "அச்சு " + "இல்லை " * MANY + "மெய்;",
    "functions": "f = " + "செயல்() { திரும்பு " * MANY + "1" + "; }" * MANY + ";",
    "named functions": "".join(f"செயல் f{n}() {{ " for n in range(2000)) + "}" * 2000,
    "calls in calls": "அச்சு " + "நீளம்(" * MANY + "1" + ")" * MANY + ";",
    "calls of calls": "f = 1; அச்சு f" + "()" * MANY + ";",
    "indexes": "அ = 1; அச்சு அ" + "[0]" * MANY + ";",
    "indexes in indexes": "அ = [0]; அச்சு " + "அ[" * MANY + "0" + "]" * MANY + ";",
    "fields": "அ = 1; அச்சு அ" + ".x" * MANY + ";",
    "questions": "அ = 1; அச்சு அ" + "?" * MANY + ";",
    "else if": "(மெய்) எனில் { }" + " இன்றேல் (பொய்) எனில் { }" * 3000,
    "nested else": "(மெய்) எனில் { } இன்றேல் { " * MANY + "}" * MANY,
    "tries": "முயல் { " * MANY + "} பிழை(e) { }" * MANY,
    "tries in handlers": "முயல் { } பிழை(e) { " * MANY + "}" * MANY,
    "element types": "x: " + "அணி<" * MANY + "எண்" + ">" * MANY + " = [];",
    "shapes": "வடிவம் அ { x } அச்சு " + "அ{x: " * MANY + "1" + "}" * MANY + ";",
    "braces behind calls": "f(1) { " * MANY,
}  # fmt: skip

LONG = {
    "sums": "அச்சு 0" + " + 1" * LONGER + ";",
    "joins": 'அச்சு ""' + ' & "a"' * LONGER + ";",
    "products": "அச்சு 1" + " * 1" * LONGER + ";",
    "ands": "அச்சு மெய்" + " மற்றும் மெய்" * LONGER + ";",
    "ors": "அச்சு பொய்" + " அல்லது பொய்" * LONGER + ";",
    "comparisons": "அச்சு 1" + " == 1" * LONGER + ";",
    "elements": "அச்சு நீளம்([" + "1, " * LONGER + "]);",
    "fields": "அ = {" + ", ".join(f"k{n}: {n}" for n in range(LONGER)) + "}; அச்சு நீளம்(அ);",
    "statements": "x = 0;\n" + "x = x + 1;\n" * LONGER + "அச்சு x;",
    "semicolons": ";" * LONGER,
    "digits": "அச்சு " + "9" * LONGER + ";",
    "decimals": "அச்சு 0." + "9" * LONGER + ";",
    "name": "அ" * LONGER + " = 1; அச்சு " + "அ" * LONGER + ";",
    "text": 'அச்சு நீளம்("' + "க்" * LONGER + '");',
    "parameters": "செயல் f(" + ", ".join(f"p{n}" for n in range(2000)) + ") { திரும்பு p0; }",
    "arguments": "செயல் f() { } f(" + "1, " * LONGER + "1);",
    "names": "".join(f"n{n} = {n};" for n in range(LONGER)) + "அச்சு n5;",
    "functions": "".join(f"செயல் f{n}() {{ திரும்பு {n}; }}" for n in range(3000)) + "அச்சு f5();",
    "strange signs": "#" * LONGER,
    "open texts": '"\n' * LONGER,
    "keywords": "எனில் " * LONGER,
    "comments": "//\n" * LONGER,
}  # fmt: skip

SUMS = {
    "sums": "5000", "products": "1", "ands": "true", "ors": "false", "comparisons": "true", "elements": "5000", "fields": "5000",
    "statements": "5000", "text": "5000", "names": "5", "functions": "5", "name": "1",
}  # fmt: skip


@pytest.mark.parametrize("kind", NESTED)
def test_deep_nesting_ends_in_a_program_or_in_problems(kind: str) -> None:
    outcome = ends_well(NESTED[kind])
    if outcome.status == 0:
        runs_to_an_end(NESTED[kind])


@pytest.mark.parametrize("kind", LONG)
def test_long_programs_end_in_a_program_or_in_problems(kind: str) -> None:
    outcome = ends_well(LONG[kind])
    if outcome.status == 0:
        outcome = run_text(LONG[kind], seconds=20.0)
        assert outcome.fault is None or outcome.fault.trace
        if kind in SUMS and outcome.fault is None:
            assert outcome.output == SUMS[kind] + "\n"


# ---- anything at all ------------------------------------------------------------------

ANYTHING = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), database=None)


@ANYTHING
@given(st.binary(max_size=200))
@example(b"\xef\xbb\xbf")
@example(b"\xef\xbb\xbf\xef\xbb\xbf")
@example(b"\xff\xfe")
@example(b"\xc0\x80")
@example(b"\xed\xa0\x80")
@example(b"\x00")
@example(b"\r")
@example(b"\r\n")
@example('"அ'.encode()[:-1])
def test_any_bytes_end_in_a_program_or_in_problems(content: bytes) -> None:
    ends_well(content)  # type: ignore[arg-type]


@ANYTHING
@given(st.text(max_size=200))
def test_any_text_ends_in_a_program_or_in_problems(content: str) -> None:
    ends_well(content)


@ANYTHING
@given(st.lists(st.sampled_from(OTHER_TOKENS), max_size=40), st.sampled_from(["", " ", "\n"]))
def test_any_row_of_tokens_ends_in_a_program_or_in_problems(tokens: list[str], between: str) -> None:
    text = between.join(tokens)
    if ends_well(text).status == 0:
        runs_to_an_end(text)


SNIPPETS = (
    "x = {0};", "அச்சு {0};", "அச்சு {0} & {1};", "x = {0} + {1};", "x[{0}] = {1};", "x.y = {0};", "({0}) எனில் {{ {2} }} இன்றேல் {{ {2} }}",
    "ஒவ்வொரு x இல் {0} {{ {2} }}", "செயல் f(a, b) {{ {2} திரும்பு {0}; }}", "f({0}, {1});", "முயல் {{ {2} }} பிழை(e) {{ {2} }} இறுதியில் {{ {2} }}",
    "திரும்பு {0};", "i = 0; (i < 3) சுற்று {{ i = i + 1; {2} }}", "நிலை n = {0};", "எண் t = {0};", "வடிவம் வ {{ x, எண் y, செயல் m(இது) {{ திரும்பு {0}; }} }}",
    "நிறுத்து;", "தொடர்;", "உள்ளிடு x;", "கோப்பு_எழுது {0}, {1};", "கோப்பு_படி {0}, x;", "பிழை_எழுப்பு({0}, {1});", "g = செயல்(a) {{ {2} திரும்பு {0}; }};",
)  # fmt: skip
VALUES = (
    "x", "y", "e", "a", "f", "g", "n", "f({0}, {1})", "g({0})", "x[{0}]", "x.y", "x.m()", "வ{{x: {0}, y: {1}}}", "வ({0})", "1", "0.5", "5%",
    '"அ"', '"5"', "மெய்", "இன்மை", "[]", "[{0}, {1}]", "{{}}", "{{x: {0}, y: {1}}}", "-{0}", "இல்லை {0}", "{0} + {1}", "{0} / {1}", "{0} & {1}", "{0} == {1}",
    "{0} < {1}", "{0} மற்றும் {1}", "{0} அல்லது {1}", "{0}?", "சரி({0})", "தவறு({0})", "நீளம்({0})", "இணை({0}, {1})", "வரிசையாக்கு({0})",
    "மாற்றியமை({0}, {1})", "ஜேசான்_ஆக்கு({0})", "ஜேசான்_படி({0})", "செயல்(a) {{ திரும்பு {0}; }}", "79228162514264337593543950335", "வட்டமிடு({0}, {1})",
    "பகுதி({0}, {1})", "அடுக்கேற்று({0}, {1})", "பிரி({0}, {1})", "மாற்று({0}, {1}, {0})", "மதிப்பு({0})", "வகை({0})", "சொல்லாக்கு({0})",
)  # fmt: skip


@st.composite
def values(draw, depth: int = 0) -> str:
    form = draw(st.sampled_from(VALUES))
    if "{0}" not in form and "{1}" not in form:
        return form.replace("{{", "{").replace("}}", "}")
    if depth > 2:
        return "x"
    return "(" + form.format(draw(values(depth + 1)), draw(values(depth + 1))) + ")"


@st.composite
def programs(draw, depth: int = 0) -> str:
    lines = []
    for _ in range(draw(st.integers(1, 5 if depth == 0 else 2))):
        form = draw(st.sampled_from(SNIPPETS))
        if depth and form.startswith("வடிவம்"):
            continue
        inner = draw(programs(depth + 1)) if "{2}" in form and depth < 3 else ""
        lines.append(form.format(draw(values()), draw(values()), inner))
    return "\n".join(lines)


@settings(ANYTHING, max_examples=200)
@given(programs())
def test_a_program_of_any_parts_ends_in_a_result_or_in_an_error_with_a_place(text: str) -> None:
    if ends_well(text).status == 0:
        runs_to_an_end(text)
