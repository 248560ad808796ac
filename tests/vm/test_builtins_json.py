"""JSON: strict, exact, and never anything but a result (REFERENCE §21)."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from etamil_actors.errors import BudgetSpent
from etamil_actors.vm.builtins.json import DEPTH, FAST_DEPTH, NotJson, _write, json_text, parse_json
from etamil_actors.vm.number import CONTEXT, MAX_MANTISSA
from etamil_actors.vm.values import Err, Handle, Ok, Shaped, ShapeInfo, TwoNamed

Call = Callable[..., Any]


class Lamp(Handle):
    """Some handle."""

    __slots__ = ()


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None),
        ("true", True),
        (" \t\r\n false \n", False),
        ('"தமிழ்"', "தமிழ்"),
        ('"\\u0ba4\\ud83d\\ude00\\/\\b\\f\\n\\r\\t\\"\\\\"', 'த😀/\b\f\n\r\t"\\'),
        ('"\x7f"', "\x7f"),
        ("[]", []),
        ("{}", {}),
        ('{"அ":{"ஆ":[1,2.5,null]}}', {"அ": {"ஆ": [1, Decimal("2.5"), None]}}),
        ('{"k":1,"k":2}', {"k": 2}),
        ("0", 0),
        ("-0", 0),
        ("79228162514264337593543950335", MAX_MANTISSA),
        ("-79228162514264337593543950335", -MAX_MANTISSA),
        ("1e2", 100),
        ("1E+2", 100),
        ("100e-2", Decimal("1.00")),
        ("1.5e1", 15),
        ("1.50e1", Decimal("15.0")),
        ("0e999999999999999999999999999", 0),
        ("7.9228162514264337593543950335", Decimal("7.9228162514264337593543950335")),
        ("7.9228162514264337593543950000", Decimal("7.9228162514264337593543950000")),
        ("0.1000000000000000000000000000000000000000", Decimal("0.1000000000000000000000000000")),
        ("1e28", 10**28),
        ("1e-28", Decimal("1e-28")),
        ("10000000000000000000000000000000000000e-10", 10**27 * 1),
    ],
)
def test_json_text_becomes_a_value(call: Call, text: str, value: object) -> None:
    answer = call("ஜேசான்_படி", text)
    assert isinstance(answer, Ok), answer
    assert answer.value == value
    assert type(answer.value) is type(value) or isinstance(value, int)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "tru", "nul", "NaN", "Infinity", "-Infinity", "01", "1.", ".5", "+1", "-", "1e", "1e+",
        "0x1", "[1,]", '{"a":1,}', "[1 2]", '{"a" 1}', "{1:2}", "{a:1}", "'a'", '"a', '"\n"', '"\x01"',
        '"\\x"', '"\\u12g4"', '"\\ud800"', '"\\udc00x"', '"\\ud800\\u0041"',
        "1 2", "[]]", "[", "]", "{", "\ufeff1",
        "\xa01", "\x0c1", "1௨", "[1]//x", "/**/1",
    ],
)  # fmt: skip
def test_what_is_no_json_is_a_failure_in_both_languages(call: Call, text: str) -> None:
    answer = call("_jsonParse", text)
    assert isinstance(answer, Err)
    assert answer.value.startswith("ஜேசான் அல்ல: ")
    assert "  (no JSON: line " in answer.value


@pytest.mark.parametrize(
    "text",
    [
        "79228162514264337593543950336",
        "-79228162514264337593543950336",
        "1e29",
        "1e400",
        "1E999999999999999999999999",
        "1e-29",
        "1.00000000000000000000000000001",
        "7.92281625142643375935439503355",
        "123456789012345678901234567890123",
        "9" * 5000,
        "0." + "1" * 5000,
        '{"a":[{"b":79228162514264337593543950336}]}',
        "1e-" + "9" * 100_000,
    ],
)
def test_a_number_that_does_not_fit_is_a_failure(call: Call, text: str) -> None:
    answer = call("ஜேசான்_படி", text)
    assert isinstance(answer, Err)
    assert answer.value == "ஓர் எண் எல்லைக்குள் அடங்கவில்லை  (a number does not fit)"


def test_a_failure_tells_the_place(call: Call) -> None:
    answer = call("ஜேசான்_படி", '{\n  "பெயர்": மலர்\n}')
    assert answer.value == (
        "ஜேசான் அல்ல: வரி 2, நெடுவரிசை 12: எதிர்பாராத எழுத்து  (no JSON: line 2, column 12: an unexpected character)"
    )


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"[":"]"},'])
@pytest.mark.parametrize("closed", [True, False])
def test_nesting_has_a_limit_of_its_own(opening: str, closed: bool) -> None:
    levels = opening.replace('"[":"]"', "").replace("{}", "").count("[") + opening.startswith("{")
    assert levels == 1
    closing = "}" if opening.startswith("{") else "]"

    def nested(depth: int) -> str:
        return opening * depth + "1" + (closing * depth if closed else "")

    if closed:
        parse_json(nested(DEPTH - 1))
    for depth in (DEPTH + 2, 100_000):
        with pytest.raises(NotJson, match="nest deeper"):
            parse_json(nested(depth))


def test_the_deepest_text_that_is_read() -> None:
    value = parse_json("[" * DEPTH + "]" * DEPTH)
    for _ in range(DEPTH - 1):
        (value,) = value
    assert value == []
    with pytest.raises(NotJson):
        parse_json("[" * (DEPTH + 1) + "]" * (DEPTH + 1))


def test_many_shallow_brackets_and_brackets_in_texts_are_no_depth() -> None:
    rows = [{"a": ["[[[{{{" * 50, '\\"[', "\\"], "b": {}} for _ in range(2000)]
    assert parse_json(json.dumps(rows)) == rows


def test_reading_survives_a_small_stack_and_a_generous_recursion_limit() -> None:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(60_000)
    try:
        for text in ("[" * 50_000, '{"a":' * 50_000, '["]",' * 50_000, "[{" * 50_000 + "}]" * 50_000):
            with pytest.raises(NotJson):
                parse_json(text)
    finally:
        sys.setrecursionlimit(before)


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text() | st.text(alphabet='[]{}",:\\ \n0123456789eE.+-truefalsnu'))
@example("\ud800")
def test_any_text_ends_in_a_result(call: Call, text: str) -> None:
    assert isinstance(call("ஜேசான்_படி", text), (Ok, Err))


written_numbers = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "-"]),
    st.integers(0, 10**40),
    st.just("")
    | st.integers(0, 10**40).map(".{}".format)
    | st.integers(0, 999).map(".00000000{}0000".format),
    st.just("")
    | st.tuples(st.sampled_from(["e", "E+", "e-"]), st.integers(0, 60)).map("{0[0]}{0[1]}".format),
)


@settings(max_examples=200)
@given(written_numbers)
def test_numbers_agree_with_an_exact_model(text: str) -> None:
    with localcontext() as exact:
        exact.prec = 2000
        amount = Decimal(text)
        numerator, denominator = amount.as_integer_ratio()
        fits = 10**28 % denominator == 0 and (
            min(
                abs(numerator * 10**scale // denominator)
                for scale in range(29)
                if numerator * 10**scale % denominator == 0
            )
            <= MAX_MANTISSA
        )
        try:
            number = parse_json(text)
        except NotJson:
            assert not fits
        else:
            assert fits
            assert Decimal(number) == amount
            assert type(number) is int or (
                isinstance(number, Decimal) and -28 <= int(number.as_tuple()[2]) < 0
            )


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (12, "12"),
        (MAX_MANTISSA, "79228162514264337593543950335"),
        (Decimal("1.50"), "1.50"),
        (Decimal("9000.00"), "9000.00"),
        (Decimal("0.0000001"), "0.0000001"),
        (Decimal("-0.0000000000000000000000000010"), "-0.0000000000000000000000000010"),
        (["E-", Decimal("1e-9")], '["E-",0.000000001]'),
        ("வணக்கம்", '"வணக்கம்"'),
        ('"\\/\b\f\n\r\t\x00\x1f\x7f\u2028😀', '"\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\x7f\u2028😀"'),
        ([], "[]"),
        ({}, "{}"),
        ([[], {}, [{}]], "[[],{},[{}]]"),
        (
            {"ஆ": 1, "அ": [1, 2], "b": None, "\uffff": 0, "😀": 1},
            '{"b":null,"அ":[1,2],"ஆ":1,"\uffff":0,"😀":1}',
        ),
        (Shaped({"y": 2, "x": 1}, ShapeInfo("புள்ளி", {})), '{"x":1,"y":2}'),
        (TwoNamed({"status": 200}, {"நிலை": "status"}), '{"status":200}'),
        ([Ok(1), Err("x"), Lamp()], "[null,null,null]"),
        (Ok(1), "null"),
    ],
)
def test_a_value_becomes_json_text(call: Call, value: object, text: str) -> None:
    assert call("ஜேசான்_ஆக்கு", value) == text
    assert _write(value) == text


def test_any_depth_is_written(call: Call) -> None:
    for depth in (FAST_DEPTH, FAST_DEPTH + 1, 200_000):
        value: list[Any] = []
        for _ in range(depth):
            value = [value]
        assert call("ஜேசான்_ஆக்கு", value) == "[" * (depth + 1) + "]" * (depth + 1)


def test_a_text_without_end_is_not_written(call: Call) -> None:
    value: Any = "அ" * 1000
    for _ in range(60):
        value = [value, value]
    with pytest.raises(BudgetSpent):
        call("ஜேசான்_ஆக்கு", value)
    with pytest.raises(BudgetSpent):
        call("ஜேசான்_ஆக்கு", ["அ" * 1_000_000] * 1000)
    with pytest.raises(BudgetSpent):
        call("ஜேசான்_ஆக்கு", "\x01" * 20_000_000)


def test_the_context_of_the_program_does_not_matter(call: Call) -> None:
    text = '{"a":7.9228162514264337593543950335,"b":0.0000001,"c":-0.00,"d":1e28}'
    with localcontext(CONTEXT):
        answer = call("ஜேசான்_படி", text)
        assert call("ஜேசான்_ஆக்கு", answer.value) == (
            '{"a":7.9228162514264337593543950335,"b":0.0000001,"c":0.00,"d":10000000000000000000000000000}'
        )


def test_writing_works_deep_inside_a_program() -> None:
    value = {"a": [{"b": [1]}]}

    def descend() -> str:
        try:
            return descend()
        except RecursionError:
            return json_text(value)

    assert json_text(value) == '{"a":[{"b":[1]}]}'
    assert descend() == '{"a":[{"b":[1]}]}'


numbers = st.integers(-MAX_MANTISSA, MAX_MANTISSA) | st.builds(
    lambda mantissa, scale: Decimal((int(mantissa < 0), tuple(map(int, str(abs(mantissa)))), -scale)),
    st.integers(-(10**28), 10**28).filter(bool),
    st.integers(1, 28),
)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(max_examples=100)
@given(values)
def test_what_was_written_is_read_back(value: object) -> None:
    text = json_text(value)
    again = parse_json(text)
    assert again == value
    assert json_text(again) == text
    assert _write(value) == text
    assert json.loads(text, parse_float=Decimal) == value
