"""Functions of a program that SQL may call: ``தளம்_செயல்_பதிவு`` (REFERENCE §18.5, builtins.md).

SQLite calls such a function in the middle of a query, once per row, in whatever thread the query runs. So the
function may only compute. ``vm/purity.py`` looks at it before it is registered; should anything slip through,
the machine that runs it has no world at all.

Each row begins with the variables as they were at the registration, and has so many steps. A step is a turn
of a loop or a call: the flag that ends slices (``Machine.tick``) stays up, and is counted.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

from etamil_actors.actors.programs.databases_values import datum_of
from etamil_actors.errors import BudgetSpent, Fault
from etamil_actors.vm.machine import Machine, Slice, allow_deep_calls
from etamil_actors.vm.template import Template
from etamil_actors.vm.values import BuiltinFunction, Function

if TYPE_CHECKING:
    from etamil_actors.ports.databases import Datum
    from etamil_actors.vm.effects import Effect

STEPS: Final = 100_000
"""So many may one row take."""

MODES: Final = ("exact", "numeric")
"""How numbers go back to SQL: as text, which loses nothing, or as integer or float."""

MOST_PARAMETERS: Final = 127
"""What SQLite allows."""

LONGEST_NAME: Final = 255


class SqlFunction(NamedTuple):
    """What SQL may call."""

    name: str
    arity: int
    call: Callable[..., Datum]
    is_numeric: bool
    """See ``MODES``."""


# ---- running it -----------------------------------------------------------------------


class RowFunction:
    """The function as SQLite calls it."""

    __slots__ = ("_function", "_machines", "_name", "_source", "_template")

    def __init__(self, name: str, function: Function | BuiltinFunction, machine: Machine) -> None:
        self._name = name
        self._function = function
        self._source = machine
        self._template = Template(machine)
        self._machines: list[tuple[Machine, Any]] = []
        """Those that nobody uses at the moment, each with the function as it is at home there."""
        allow_deep_calls()  # the limit is one for all threads, so a single call cannot raise and lower it

    def __call__(self, *arguments: Datum) -> Datum:
        """One row.

        Raises:
            Fault: ``db.query``; the function has failed, or taken too many steps.
        """
        try:
            machine, function = self._machines.pop()
        except IndexError:
            machine = Machine(self._source.image, _NOWHERE, _refuse)
            function = machine.adopt(self._function)
        self._template.pour(machine)
        machine.performer = _Counting(machine)
        machine.interrupt()
        try:
            answer = datum_of(machine.call(function, *arguments), "sqlite")
        except BudgetSpent as spent:
            raise self._failed(spent.fault) from None
        except Fault as fault:
            raise self._failed(fault) from None
        self._machines.append((machine, function))
        return answer

    def _failed(self, fault: Fault) -> Fault:
        return Fault(
            "db.query",
            tamil=f"SQL தோல்வி: ‘{self._name}’ செயலில்: {fault.tamil}",
            english=f"SQL failed: in the function ‘{self._name}’: {fault.english}",
            details={"code": fault.code},
        )


class _Counting:
    """Who answers what the function asks of the world: nothing, but it counts its steps."""

    __slots__ = ("left", "machine")

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.left = STEPS

    def __call__(self, effect: Effect) -> None:
        if type(effect) is not Slice:
            _refuse(effect)
        self.left -= 1
        if not self.left:
            raise BudgetSpent(Fault("budget.steps", steps=STEPS))
        self.machine.interrupt()


def _refuse(*of_what: object) -> NoReturn:
    raise Fault(
        "not_here",
        name="தளம்_செயல்_பதிவு",
        problem_ta="SQL அழைக்கும் செயல் கணக்கிட மட்டுமே செய்யலாம்",
        problem_en="a function that SQL calls may only compute",
    )


class _Nowhere:
    """A world without anything. What is printed is dropped."""

    def write(self, text: str) -> None:
        """அச்சு."""

    def warn(self, text: str) -> None:
        """Nobody hears it."""

    def wall_time(self) -> Decimal:
        """There is no clock."""
        _refuse()

    def random_bytes(self, count: int) -> bytes:
        """There are no dice."""
        _refuse(count)

    def environment(self, name: str) -> str | None:
        """There is no environment."""
        _refuse(name)


_NOWHERE: Final = _Nowhere()
