"""What the top level of a service left: the state that every activity begins with.

Every activity has a machine of its own (EXTENSIONS §1.1). Its variables begin with the values that
the top level gave them; values are never changed in place while somebody else holds them, so
filling a machine copies references and nothing else. Handles — channels, locks, pools — stay the
same shared things. Only functions in variables have to be made anew for each machine; which
variables hold some is found out once.
"""

from __future__ import annotations

from etamil_actors.vm.adoption import PLAIN, holds_functions

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing takes longer to import than all of this
    from collections.abc import Iterator, Sequence

    from etamil_actors.vm.machine import Machine, State
    from etamil_actors.vm.values import Value


class Template:
    """The variables of a machine as they are now, to fill others of the same program with."""

    __slots__ = ("_functions", "state")

    def __init__(self, machine: Machine, earlier: Template | None = None) -> None:
        """``earlier`` is a state of the same program of which much may still be there."""
        self.state: State = machine.save()
        self._functions: tuple[int, ...] = ()
        if machine.program.keeps_functions:
            self._functions = tuple(self._places(earlier))
        """The places of values that every machine has to adopt."""

    def _places(self, earlier: Template | None) -> Iterator[int]:
        for place, value in enumerate(self.state):
            if type(value) in PLAIN:
                continue
            if earlier is not None and value is earlier.state[place]:
                if place in earlier._functions:
                    yield place
            elif holds_functions(value):
                yield place

    def pour(self, machine: Machine) -> None:
        """Make a machine as if it were new and had run the top level."""
        machine.reset()
        if not self._functions:
            machine.restore(self.state)
            return
        state = list(self.state)
        for place in self._functions:
            state[place] = machine.adopt(state[place])
        machine.restore(state)

    def pour_with(self, machine: Machine, given: Sequence[tuple[int, Value]]) -> None:
        """The same, but for some variables that are given, by their places."""
        machine.reset()
        state = list(self.state)
        for place in self._functions:
            state[place] = machine.adopt(state[place])
        for place, value in given:
            state[place] = value
        machine.restore(tuple(state))

    def continue_from(self, source: Machine, machine: Machine) -> None:
        """Fill a machine with the variables that another one has now, as a child of its activity
        begins. What still is the template's needs no look inside."""
        machine.reset()
        state = list(source.save())
        for place, (value, first) in enumerate(zip(state, self.state, strict=True)):
            if type(value) not in PLAIN and (value is not first or place in self._functions):
                state[place] = machine.adopt(value)
        machine.restore(state)
