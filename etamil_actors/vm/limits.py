"""How large one value may grow, and the signal that ends an activity which goes beyond.

The figures bound what a single builtin or operation may build, so that a text doubled for ever
ends with a clear message instead of an exhausted machine. Time and steps are the machine's affair.
"""

from __future__ import annotations

from etamil_actors.errors import BudgetSpent, Fault

VALUE_BYTES = 64 * 1024 * 1024
"""The longest text, counted in code points, which cost at least a byte each."""

ELEMENTS = 8 * 1024 * 1024
"""The longest array; an element costs at least the eight bytes of its place."""


def too_large() -> BudgetSpent:
    """The signal that a value outgrew its budget, ready to be raised."""
    return BudgetSpent(Fault("budget.size", bytes=VALUE_BYTES))


def admit_text(length: int) -> None:
    """Let a text of this many code points be made.

    Raises:
        BudgetSpent: it would be too long.
    """
    if length > VALUE_BYTES:
        raise too_large()


def admit_array(length: int) -> None:
    """Let an array of this many elements be made.

    Raises:
        BudgetSpent: it would be too long.
    """
    if length > ELEMENTS:
        raise too_large()
