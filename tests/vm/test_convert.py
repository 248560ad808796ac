"""The tables of REFERENCE §4 and §7: kinds, text, numbers, truth, equality, order."""

from __future__ import annotations

import itertools
import time
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etamil_actors.errors import BudgetSpent, Fault
from etamil_actors.vm import convert, limits
from etamil_actors.vm.values import (
    BuiltinFunction,
    Err,
    Function,
    Handle,
    Ok,
    Shaped,
    ShapeInfo,
    TwoNamed,
    Value,
)

POINT = ShapeInfo("புள்ளி", {})
OTHER = ShapeInfo("இடம்_வடிவம்", {})


class Channel(Handle):
    kind = "a channel"

    @property
    def text(self) -> str:
        return "<சேனல் ஆணைகள்>"


CHANNEL = Channel()
DOUBLE = Function(lambda x, depth: x * 2, "இரட்டி", 1, 7)
NAMELESS = Function(lambda x, depth: x, "", 1, 8)
LENGTH = BuiltinFunction(lambda x, depth: len(x), "நீளம்", 1, 1)
RESPONSE = TwoNamed({"status": 200, "body": None}, {"நிலை": "status", "உடலுரை": "body"})

SAMPLES: list[tuple[Value, str, str, bool]] = [
    (12, "a number", "12", True),
    (0, "a number", "0", False),
    (-7, "a number", "-7", True),
    (Decimal("1.50"), "a number", "1.5", True),
    (Decimal("3.00"), "a number", "3", True),
    (Decimal("0.00"), "a number", "0", False),
    (Decimal("0.0000000000000000000000000001"), "a number", "0.0000000000000000000000000001", True),
    (79228162514264337593543950335, "a number", "79228162514264337593543950335", True),
    ("வணக்கம்", "a string", "வணக்கம்", True),
    ("", "a string", "", False),
    ("0", "a string", "0", True),
    (True, "a boolean", "true", True),
    (False, "a boolean", "false", False),
    (None, "nil", "nil", False),
    ([], "an array", "[]", False),
    ([0], "an array", "[0]", True),
    ([1, "இரண்டு", True, None, [Decimal("2.50"), []]], "an array", "[1, இரண்டு, true, nil, [2.5, []]]", True),
    ({}, "a record", "{}", False),
    ({"b": 1, "a": "x", "அ": [None]}, "a record", "{a: x, b: 1, அ: [nil]}", True),
    (Shaped({"y": 2, "x": 1}, POINT), "புள்ளி", "புள்ளி{x: 1, y: 2}", True),
    (Shaped({}, POINT), "புள்ளி", "புள்ளி{}", False),
    (RESPONSE, "a record", "{body: nil, status: 200}", True),
    (Ok(5), "a result", "சரி(5)", True),
    (Ok(False), "a result", "சரி(false)", True),
    (Err("பிழை"), "a result", "தவறு(பிழை)", False),
    (Ok(Err([])), "a result", "சரி(தவறு([]))", True),
    (DOUBLE, "a function", "<செயல் இரட்டி>", True),
    (NAMELESS, "a function", "<செயல்>", True),
    (LENGTH, "a function", "<செயல் நீளம்>", True),
    (CHANNEL, "a channel", "<சேனல் ஆணைகள்>", True),
    ([CHANNEL, DOUBLE, {"k": CHANNEL}], "an array", "[<சேனல் ஆணைகள்>, <செயல் இரட்டி>, {k: <சேனல் ஆணைகள்>}]", True),
]


@pytest.mark.parametrize(("value", "kind", "text", "truth"), SAMPLES)
def test_every_value_has_a_kind_a_text_and_a_truth(value: Value, kind: str, text: str, truth: bool) -> None:
    assert convert.kind_of(value) == kind
    assert convert.text_of(value) == text
    assert convert.truth(value) is truth


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, 5), (Decimal("1.50"), Decimal("1.50")), (True, 1), (False, 0), ("5", 5),
        (" -2.5 ", Decimal("-2.5")),
        ("ஐந்து", 0), ("", 0), ("1e3", 0), (None, 0), ([1, 2], 0), ({"a": 1}, 0), (Ok(5), 0), (Err(5), 0),
        (DOUBLE, 0), (CHANNEL, 0), (Shaped({"x": 1}, POINT), 0),
    ],
)  # fmt: skip
def test_every_value_counts_as_a_number(value: Value, expected: Value) -> None:
    found = convert.number_of(value)
    assert (type(found), found) == (type(expected), expected)


# ---- equality and order -----------------------------------------------------------------------


def test_values_are_equal_to_copies_of_themselves_and_to_nothing_else() -> None:
    for (i, (a, *_)), (j, (b, *_)) in itertools.product(enumerate(SAMPLES), repeat=2):
        same_amount = {type(a), type(b)} <= {int, Decimal} and a == b
        assert convert.equal(a, b) == (i == j or same_amount), (a, b)
        assert convert.COMPARE["!="](a, b) != convert.equal(a, b)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (Decimal("1.5"), Decimal("1.50"), True),
        (2, Decimal("2.0"), True),
        (5, "5", False),
        (True, 1, False),
        (False, None, False),
        ([1, [2]], [1, [Decimal("2.0")]], True),
        ([1], [True], False),
        ([1], [1, 2], False),
        ({"a": 1, "b": [2]}, {"b": [2], "a": 1}, True),
        ({"a": 1}, {"a": 1, "b": 1}, False),
        ({"a": 1}, {"b": 1}, False),
        (Shaped({"x": 1}, POINT), Shaped({"x": 1}, POINT), True),
        (Shaped({"x": 1}, POINT), Shaped({"x": 1}, OTHER), False),
        (Shaped({"x": 1}, POINT), {"x": 1}, False),
        ({"status": 200, "body": None}, RESPONSE, True),
        (Ok([1]), Ok([1]), True),
        (Ok(1), Err(1), False),
        (Function(DOUBLE.call, "f", 1, 7, (1, [2])), Function(DOUBLE.call, "f", 1, 7, (1, [2])), True),
        (Function(DOUBLE.call, "f", 1, 7, (1,)), Function(DOUBLE.call, "f", 1, 7, (2,)), False),
        (Function(DOUBLE.call, "f", 1, 7), Function(DOUBLE.call, "f", 1, 8), False),
        (BuiltinFunction(len, "நீளம்", 1, 1), LENGTH, True),
        (BuiltinFunction(len, "தரை", 1, 1), LENGTH, False),
        (DOUBLE, LENGTH, False),
        (Channel(), CHANNEL, False),
        ([CHANNEL], [CHANNEL], True),
        ("க்", "க", False),
    ],
)
def test_equality(a: Value, b: Value, expected: bool) -> None:
    assert convert.equal(a, b) is expected
    assert convert.equal(b, a) is expected


@pytest.mark.parametrize(
    ("a", "b", "order"),
    [
        (1, 2, "<"), (2, Decimal("1.5"), ">"), (Decimal("1.50"), Decimal("1.5"), "="), (3, 3, "="),
        ("அ", "ஆ", "<"), ("b", "B", ">"), ("10", "9", "<"), ("", "", "="),
        (5, "6", "<"), ("6", 5, ">"), ("ஐந்து", 0, "="), (1, "ஐந்து", ">"), (Decimal("1.5"), "1.50", "="),
        (True, 2, ""), (True, False, ""), (None, None, ""), ([1], [1], ""), ({}, {}, ""), (Ok(1), Ok(2), ""),
        ("a", None, ""), ("1", True, ""), (None, 5, ""), (DOUBLE, DOUBLE, ""), (CHANNEL, CHANNEL, ""),
    ],
)  # fmt: skip
def test_order(a: Value, b: Value, order: str) -> None:
    for sign, orders in {"<": "<", "<=": "<=", ">": ">", ">=": ">="}.items():
        assert convert.compare_any(sign, a, b) is (order != "" and order in orders)


def test_operations_convert_both_sides_first() -> None:
    assert convert.add_any("5", 1) == 6
    assert convert.add_any("ஐந்து", 1) == 1
    assert convert.add_any(None, 1) == 1
    assert convert.subtract_any(True, "0.5") == Decimal("0.5")
    assert convert.multiply_any([1, 2], 3) == 0
    assert convert.divide_any("10", "4") == Decimal("2.5")
    assert convert.negate_any("3") == -3
    assert convert.join_any(1, [True]) == "1[true]"
    with pytest.raises(Fault, match=r"number\.division_by_zero|சுழியத்தால்"):
        convert.divide_any(1, None)


# ---- large and deep ---------------------------------------------------------------------------


def nested(depth: int) -> list[Value]:
    value: list[Value] = []
    for _ in range(depth):
        value = [value]
    return value


def doubled(times: int) -> Value:
    """A value that looks 2ⁿ times as large as it is."""
    value: Value = [1]
    for turn in range(times):
        value = {"a": value, "b": Ok(value)} if turn % 2 else [value, value]
    return value


def test_depth_is_no_matter() -> None:
    deep = nested(200_000)
    assert convert.text_of(deep) == "[" * 200_001 + "]" * 200_001
    assert convert.equal(deep, nested(200_000))
    assert not convert.equal(deep, nested(200_001))
    assert convert.truth(deep)


def test_a_value_that_shares_its_parts_without_end_outgrows_the_budget_at_once() -> None:
    started = time.monotonic()
    with pytest.raises(BudgetSpent) as caught:
        convert.text_of(doubled(200))
    assert caught.value.fault.code == "budget.size"
    assert convert.equal(doubled(200), doubled(200))
    assert time.monotonic() - started < 10


def test_shared_parts_within_the_budget_are_written_out() -> None:
    value = ["அ" * 700_000, [Err("அ" * 700_000)]]
    text = convert.text_of([value, value])
    assert text == f"[{convert.text_of(value)}, {convert.text_of(value)}]"


def test_a_text_that_would_be_too_long_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "VALUE_BYTES", 1000)
    assert len(convert.join_any("x" * 500, "y" * 500)) == 1000
    with pytest.raises(BudgetSpent):
        convert.join_any("x" * 500, "y" * 501)


SCALARS = (
    st.none() | st.booleans() | st.integers(-5, 5) | st.decimals(-5, 5, places=1) | st.text("aக்", max_size=2)
)
VALUES: st.SearchStrategy[Value] = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("ab", max_size=1), inner, max_size=2)
        | inner.map(Ok)
        | inner.map(Err)
    ),
    max_leaves=8,
)


@given(VALUES, VALUES)
@settings(deadline=None)
def test_equal_values_have_equal_texts_and_truth(a: Value, b: Value) -> None:
    assert convert.equal(a, a)
    assert convert.equal(a, b) == convert.equal(b, a)
    if convert.equal(a, b):
        assert convert.text_of(a) == convert.text_of(b)
        assert convert.truth(a) == convert.truth(b)
