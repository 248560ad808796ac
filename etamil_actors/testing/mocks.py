"""போலியாக: putting another function in the place of a builtin or of a function of the program.

A variable of a program hides the function of that name. So a program that names functions in போலியாக is
compiled as if variables of those names existed, which hold the functions themselves until somebody
puts another value there; and that value is put on every machine of the service. Nothing else is needed: the
compiler takes for granted nothing of what a variable answers.

Only names that stand in the program as a text can be replaced, for they must be known when it is compiled.
"""

from __future__ import annotations

from collections.abc import Iterator
from unicodedata import normalize

from etamil_actors.errors import Fault
from etamil_actors.language import nodes
from etamil_actors.language.builtins import BUILTIN_OF
from etamil_actors.language.compiler.units import parts_of
from etamil_actors.vm.machine import Machine, State
from etamil_actors.vm.values import UNSET, BuiltinFunction, Function, Value

WORD = "_mock"


def replaceable(module: nodes.Module) -> frozenset[str]:
    """The names of functions that a program may replace, in every spelling that means the same."""
    calls, functions, written = [], set(), set()
    for node in _walk(module):
        if isinstance(node, nodes.Function):
            functions.add(node.name.text)
        elif isinstance(node, nodes.Name):
            written.add(node.text)
        elif isinstance(node, nodes.Call):
            calls.append(node)
    names: set[str] = set()
    for call in calls:
        name = _named_in(call)
        if name is not None:
            names.update(_spellings(name, functions) & (written | {name}))
    return frozenset(names)


def _named_in(call: nodes.Call) -> str | None:
    callee = call.callee
    if not isinstance(callee, nodes.Name) or callee.text not in BUILTIN_OF or not call.arguments:
        return None
    first = call.arguments[0]
    if BUILTIN_OF[callee.text].english != WORD or not isinstance(first, nodes.Text):
        return None
    return normalize("NFC", first.value)


def _spellings(name: str, functions: set[str]) -> set[str]:
    if name in functions:
        return {name}
    builtin = BUILTIN_OF.get(name)
    if builtin is None or builtin.takes == "block":
        return set()
    return set(builtin.spellings) - functions


def _walk(root: nodes.Node) -> Iterator[nodes.Node]:
    todo: list[object] = [root]
    while todo:
        item = todo.pop()
        if isinstance(item, nodes.Node):
            yield item
            todo += [getattr(item, part) for part in parts_of(type(item))]
        elif isinstance(item, (list, tuple)):
            todo += item


class Mocks:
    """What is replaced in one service, for one test."""

    def __init__(self, names: frozenset[str], shared: tuple[str, ...]) -> None:
        self._names = names
        self._places = {name: place for place, name in enumerate(shared) if name in names}
        self._functions: dict[int, Function | BuiltinFunction] = {}
        self._used: dict[int, None] = {}
        """The places where something was put in earlier tests; agents may still have it in their state."""

    def replace(self, name: str, function: Function | BuiltinFunction, machine: Machine) -> None:
        """Put this function in the place of another.

        Raises:
            Fault: ``value.invalid``, that one cannot be replaced.
        """
        name = normalize("NFC", name)
        functions = set(machine.functions)
        names = [other for other in self._places if other in _spellings(name, functions)]
        if not names:
            raise _unknown(name, functions)
        for other in names:
            self._functions[self._places[other]] = function

    def poured(self, state: State, machine: Machine) -> State:
        """The state with what is replaced, for this machine."""
        if not self._functions and not self._used:
            return state
        values: list[Value] = list(state)
        for place in self._used:
            values[place] = UNSET  # then the machine puts the real function there
        for place, function in self._functions.items():
            values[place] = machine.adopt(function)
        return tuple(values)

    def clear(self) -> None:
        """Nothing is replaced any more; machines notice when they are filled next."""
        self._used.update(dict.fromkeys(self._functions))
        self._functions.clear()


def _unknown(name: str, functions: set[str]) -> Fault:
    builtin = BUILTIN_OF.get(name)
    if builtin is not None and builtin.takes == "block":
        tamil = f"தொகுதியுள்ள ‘{name}’-ஐ மாற்ற முடியாது"
        english = f"‘{name}’, which has a block, cannot be replaced"
    elif builtin is not None or name in functions:
        tamil = f"‘{name}’ என்ற பெயரை நிரலிலேயே ஓர் உரையாக எழுத வேண்டும்"
        english = f"the name ‘{name}’ has to be written as a text in the program"
    else:
        tamil, english = f"‘{name}’ என்ற செயல் இல்லை", f"there is no function ‘{name}’"
    return Fault("value.invalid", name="போலியாக", problem_ta=tamil, problem_en=english)
