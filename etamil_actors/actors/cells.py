"""Atomic cells: one value that the activities of a process share (EXTENSIONS §7).

Everything here is done in one go: no operation waits, and a time slice ends only in compiled code,
so nobody ever sees half of a change. Values are never changed in place; whoever got a list out of a
cell writes into a copy of its own.

Arithmetic and equality are those of the language. They do not depend on the decimal context of
whoever calls, so a cell may also be used outside program code.
"""

from __future__ import annotations

from etamil_actors.vm.convert import add_any, equal
from etamil_actors.vm.values import Handle, Number, Value


class Cell(Handle):
    """See the top of the file. Its text does not show the value, which might hold the cell itself."""

    __slots__ = ("_value", "name")

    kind = "a cell"

    def __init__(self, value: Value = None, name: str = "") -> None:
        self._value = value
        self.name = name
        """What people call it: that of the place where it was made."""

    @property
    def text(self) -> str:
        return f"<அணு {self.name}>" if self.name else "<அணு>"

    def __repr__(self) -> str:
        return f"<cell {self.name}>"

    def get(self) -> Value:
        """What is in it now."""
        return self._value

    def set(self, value: Value) -> None:
        """Put another value in."""
        self._value = value

    def add(self, amount: Value) -> Number:
        """``value + amount``, which is in it then and is answered; both count as numbers.

        Raises:
            Fault: ``number.overflow``; the cell is as before.
        """
        total = self._value = add_any(self._value, amount)
        return total

    def swap(self, old: Value, new: Value) -> bool:
        """Put ``new`` in if ``old`` is in it, and answer whether it was."""
        if not equal(self._value, old):
            return False
        self._value = new
        return True
