"""Where optimised code could differ from the language: each case once said something else.

The same lines run at the top level, inside a function and with every step counted; all three
must print the same.
"""

from __future__ import annotations

import pytest

from etamil_actors.script import run_text

SAME_EVERYWHERE = {
    "a zero with decimals gives way to the other side": (
        "a = 1.50 - 1.50; b = 0.500; அச்சு ஜேசான்_ஆக்கு([a + b, b + a, a - b, b - a]);",
        "[0.500,0.500,-0.500,0.500]\n",
    ),
    "of two zeros the right one is the result": (
        "a = 1.50 - 1.50; b = 1.500 - 1.500; c = a + b; அச்சு ஜேசான்_ஆக்கு([c, a + b, b + a, 0 + a, -a]);",
        "[0.000,0.000,0.00,0.00,0.00]\n",
    ),
    "a product that rounds to zero is a zero like others": (
        "a = 0.00000000000001; b = 0.000000000000001; c = a * b; d = c + 0.5;"
        " அச்சு ஜேசான்_ஆக்கு([c, d, a * b + 0.5]);",
        "[0.0000000000000000000000000000,0.5,0.5]\n",
    ),
    "a decimal that is rounded to a whole number is bounded like one": (
        "v = 0.2; i = 0; (i < 3) சுற்று { v = v * 79228162514264337593543950335; i = i + 1; } அச்சு v;",
        "number.overflow",
    ),
    "a variable that starts far out is not taken for a counter": (
        "x = 1208925819614629174706170; i = 0; (i < 100) சுற்று { x = x + 1; i = i + 1; }"
        " y = 79226953588444722964369244159; அச்சு x + y;",
        "number.overflow",
    ),
    "a text that becomes a number in a loop": (
        'x = "5"; i = 0; (i < 3) சுற்று { x = x + 1; i = i + 1; } அச்சு x;',
        "8\n",
    ),
    "a name that changes its kind from turn to turn": (
        'x = 1; ஒவ்வொரு v இல் [1, "2", மெய், [3], இன்மை, 0.5] { x = v; அச்சு x + 1; }',
        "2\n3\n2\n1\n1\n1.5\n",
    ),
    "booleans do not compare like numbers": (
        "x = மெய்; ஒவ்வொரு v இல் [மெய், 1] { அச்சு v < 2; அச்சு v == 1; }",
        "false\nfalse\ntrue\ntrue\n",
    ),
    "a text joined with itself": ('s = "அ"; s = s & s & s; t = s; s = s & t; அச்சு s & t;', "அஅஅஅஅஅஅஅஅ\n"),
    "an array appended to itself": (
        "x = [1]; x = இணை(x, x); y = x; x = இணை(x, 2); அச்சு [x, y];",
        "[[1, [1], 2], [1, [1]]]\n",
    ),
    "a loop goes over what the collection was": (
        "x = [1, 2]; ஒவ்வொரு v இல் x { x = இணை(x, v); x[0] = 9; } அச்சு x;",
        "[9, 2, 1, 2]\n",
    ),
    "parts of parts are copies": (
        "a = [1]; r = {x: a}; b = r.x; b[0] = 5; s = r; s.x = 7; அச்சு [a, r, s, b];",
        "[[1], {x: [1]}, {x: 7}, [5]]\n",
    ),
    "an index of another kind": (
        'r = {"1": "உரை"}; a = ["பூ", "ஒன்"]; அச்சு r[1] & a["1"] & a[மெய்] & "கா"[0];',
        "உரைஒன்ஒன்கா\n",
    ),
    "three thousand else-ifs": (
        "x = 1234; (x == 0) எனில் { அச்சு 0; }"
        + "".join(f" இன்றேல் (x == {i}) எனில் {{ அச்சு {i}; }}" for i in range(1, 3000)),
        "1234\n",
    ),
    "twenty thousand operands": ("x = மெய்; அச்சு " + " மற்றும் ".join(["x"] * 20_000) + ";", "true\n"),
    "right-nested products of unknown kind": (
        "p = {a: 2}; அச்சு " + "p.a * (" * 24 + "3" + ")" * 24 + ";",
        "50331648\n",
    ),
    "a function named like a method is another thing": (
        'வடிவம் P { எண் x, செயல் m(இது) { திரும்பு 1; } } செயல் "P.m"(a, b) { திரும்பு 2; } அச்சு P{x: 1}.m();',
        "1\n",
    ),
    "of two parameters of one name the later wins": ("அச்சு செயல்(a, a) { திரும்பு a; }(1, 2);", "2\n"),
    "nil is nothing where no variable has the name": (
        "அச்சு nil; g = செயல்(nil) { திரும்பு nil; }; அச்சு g(3);",
        "nil\n3\n",
    ),
}


def ran(text: str, **options: int) -> str:
    outcome = run_text(text, **options)
    assert not [problem for problem in outcome.problems if problem.severity == "error"], outcome.problems
    return outcome.fault.code if outcome.fault is not None else outcome.output


@pytest.mark.parametrize(("text", "wanted"), SAME_EVERYWHERE.values(), ids=SAME_EVERYWHERE.keys())
def test_quick_code_says_what_the_language_says(text: str, wanted: str) -> None:
    assert ran(text) == wanted
    if "வடிவம்" not in text:  # a shape stands at the top level only
        assert ran("செயல் எல்லாம்() { " + text + " }\nஎல்லாம்();") == wanted
    assert ran(text, steps=10**9) == wanted


def test_a_lambda_keeps_the_record_it_captured() -> None:
    text = "செயல் f() { r = {a: 1}; g = செயல்() { திரும்பு r.a; }; r.a = 2; திரும்பு [g(), r.a]; } அச்சு f();"
    assert ran(text) == "[1, 2]\n"


@pytest.mark.parametrize(
    "text",
    [
        "செயல் f() { முயல் { வெளியேறு(3); } இறுதியில் { திரும்பு 1; } } அச்சு f();",
        "(மெய்) சுற்று { முயல் { வெளியேறு(3); } இறுதியில் { நிறுத்து; } } அச்சு 1;",
        "(மெய்) சுற்று { முயல் { வெளியேறு(3); } இறுதியில் { தொடர்; } }",
        "முயல் { முயல் { வெளியேறு(3); } பிழை(e) { அச்சு 1; } } இறுதியில் { x = 1; }",
    ],
)
def test_no_last_part_keeps_a_program_from_leaving(text: str) -> None:
    outcome = run_text(text)
    assert (outcome.status, outcome.output) == (3, "")


def test_an_endless_loop_ends_although_its_last_part_returns() -> None:
    text = 'செயல் g() { முயல் { (மெய்) சுற்று { } } இறுதியில் { அச்சு "இறுதி"; திரும்பு 1; } } (மெய்) சுற்று { g(); }'
    outcome = run_text(text, seconds=0.2)
    assert outcome.fault is not None
    assert (outcome.fault.code, outcome.output) == ("budget.time", "இறுதி\n")


def test_a_last_part_gets_a_short_grace_and_no_more() -> None:
    text = "முயல் { (மெய்) சுற்று { } } இறுதியில் { i = 0; (i < 100000) சுற்று { i = i + 1; } அச்சு i; }"
    outcome = run_text(text, seconds=0.2)
    assert outcome.fault is not None
    assert (outcome.fault.code, outcome.output) == ("budget.time", "100000\n")


@pytest.mark.parametrize(("depth", "wanted"), [(999, "999\n"), (1000, "call.depth")])
@pytest.mark.parametrize(
    "text",
    [
        "செயல் f(n) { (n == 0) எனில் { திரும்பு 0; } திரும்பு 1 + f(n - 1); } அச்சு f(DEPTH);",
        'செயல் f(n) { (n == "0") எனில் { திரும்பு 0; } திரும்பு 1 + f(சொல்லாக்கு(n - 1)); } அச்சு f("DEPTH");',
        "f = செயல்(g, n) { (n == 0) எனில் { திரும்பு 0; } திரும்பு 1 + g(g, n - 1); }; அச்சு f(f, DEPTH);",
        "வடிவம் ப { எண் x, செயல் f(இது, n) { (n == 0) எனில் { திரும்பு 0; } திரும்பு 1 + இது.f(n - 1); } }"
        " அச்சு ப{x: 1}.f(DEPTH);",
    ],
)
def test_a_thousand_calls_nest_and_no_more(text: str, depth: int, wanted: str) -> None:
    assert ran(text.replace("DEPTH", str(depth))) == wanted


def test_a_block_may_only_be_a_whole_value() -> None:
    outcome = run_text('x = [1, விகல்_புரோ("--watch") { அச்சு 2; }];')
    assert [problem.code for problem in outcome.problems] == ["E0214"]
