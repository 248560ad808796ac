"""Atomic cells: the numbers and the equality of the language, and no value is ever changed in place."""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from etamil_actors.actors.cells import Cell
from etamil_actors.errors import Fault
from etamil_actors.vm.convert import add_any, equal, kind_of, text_of
from etamil_actors.vm.number import CONTEXT, MAX_MANTISSA
from etamil_actors.vm.values import Err, Ok


def test_a_cell_is_a_handle_and_does_not_show_what_is_in_it() -> None:
    cell = Cell(5, "எண்ணி")
    cell.set([cell])
    assert kind_of(cell) == "a cell"
    assert text_of(cell) == "<அணு எண்ணி>"
    assert text_of(cell.get()) == "[<அணு எண்ணி>]"
    assert text_of(Cell()) == "<அணு>"
    assert repr(cell) == "<cell எண்ணி>"


def test_a_new_cell_holds_nothing() -> None:
    assert Cell().get() is None


def test_what_is_put_in_comes_out_and_is_left_alone() -> None:
    value = [1, {"a": [2]}]
    cell = Cell(value)
    assert cell.get() is value
    assert cell.swap([1, {"a": [2]}], "other")
    cell.set(value)
    assert cell.add(1) == 1
    assert value == [1, {"a": [2]}]


@pytest.mark.parametrize(
    ("value", "amount", "total"),
    [
        (1, 2, "3"),
        (Decimal("0.1"), Decimal("0.2"), "0.3"),
        (1, Decimal("-1.00"), "0"),
        ("41", 1, "42"),
        ("நாலு", 1, "1"),
        (None, 1, "1"),
        (True, True, "2"),
        (Decimal("7922816251426433759354395033.5"), Decimal("0.01"), "7922816251426433759354395033.5"),
    ],
)
def test_adding_is_the_plus_of_the_language(value: Any, amount: Any, total: str) -> None:
    cell = Cell(value)
    assert text_of(cell.add(amount)) == total
    assert text_of(cell.get()) == total


def test_a_sum_that_does_not_fit_is_a_fault_and_changes_nothing() -> None:
    cell = Cell(MAX_MANTISSA)
    with pytest.raises(Fault) as caught:
        cell.add(1)
    assert caught.value.code == "number.overflow"
    assert cell.get() == MAX_MANTISSA


NUMBERS = st.integers(-(10**6), 10**6) | st.decimals(-1000, 1000, places=6)


@given(NUMBERS, NUMBERS)
def test_the_decimal_context_of_the_caller_does_not_matter(value: Any, amount: Any) -> None:
    with localcontext(CONTEXT):
        inside = Cell(value).add(amount)
    with localcontext(prec=3):
        assert str(Cell(value).add(amount)) == str(inside) == str(add_any(value, amount))


@pytest.mark.parametrize(
    ("value", "old", "swapped"),
    [
        (1, 1, True),
        (1, Decimal("1.00"), True),
        (1, "1", False),
        (1, True, False),
        (None, None, True),
        ([1, {"a": "b"}], [Decimal("1.0"), {"a": "b"}], True),
        ([1], [1, 2], False),
        (Ok(1), Ok(1), True),
        (Ok(1), Err(1), False),
    ],
)
def test_swapping_asks_for_the_equality_of_the_language(value: Any, old: Any, swapped: bool) -> None:
    cell = Cell(value)
    assert cell.swap(old, "new") is swapped
    assert cell.get() == ("new" if swapped else value)


class CellMachine(RuleBasedStateMachine):
    """A cell against a variable."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = Cell(0)
        self.value: Any = 0

    @rule(value=NUMBERS | st.text(max_size=3) | st.none())
    def set(self, value: Any) -> None:
        self.cell.set(value)
        self.value = value

    @rule(amount=NUMBERS)
    def add(self, amount: Any) -> None:
        self.value = add_any(self.value, amount)
        assert str(self.cell.add(amount)) == str(self.value)

    @rule(old=st.integers(0, 1), new=st.integers(0, 1))
    def swap(self, old: Any, new: Any) -> None:
        fits = equal(self.value, old)
        assert self.cell.swap(old, new) is fits
        self.value = new if fits else self.value

    @rule()
    def get(self) -> None:
        assert equal(self.cell.get(), self.value)


TestCellMachine = CellMachine.TestCase
