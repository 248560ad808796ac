"""The shell's evaluator: statements one after the other on names that live on (REFERENCE §30).

Every input becomes a program of its own. It gets the functions and shapes defined so far, so that
they see the names as they are now, and the global names with the values they had; afterwards the
names are read back. The checker is not run: a shell is for trying.
"""

from __future__ import annotations

import os
import weakref

from etamil_actors.errors import BudgetSpent, ExitRequested, Fault
from etamil_actors.language import nodes
from etamil_actors.language.compiler.generator import generate
from etamil_actors.language.compiler.units import parts_of
from etamil_actors.language.lexer import lex
from etamil_actors.language.loader import load
from etamil_actors.language.parser import parse_expression
from etamil_actors.language.problems import LoadFailed
from etamil_actors.language.source import Source, SourceMap
from etamil_actors.script import (
    LIBRARY,
    Budget,
    Outcome,
    RunOptions,
    ScriptWorld,
    compiled_or_failed,
    fault_text,
    reader,
    search_path,
    system_world,
)
from etamil_actors.vm import operations
from etamil_actors.vm.machine import Image, Machine
from etamil_actors.vm.values import UNSET, Function, Value

_ANSWER = "\0"
"""The global name that holds the value of a bare expression; no program can write it."""

Definition = nodes.Function | nodes.Shape | nodes.Agent


class Session:
    """One conversation."""

    def __init__(self, world: ScriptWorld | None = None, seconds: float = 30.0) -> None:
        self._world = world or system_world()
        self._options = RunOptions(seconds=seconds)
        self._definitions: dict[str, Definition] = {}
        self._values: dict[str, Value] = {}
        self._sources = SourceMap()
        self._inputs = 0
        self._machines: list[weakref.ref[Machine]] = []
        """Machines of earlier inputs, as long as a function value holds one."""

    def names(self) -> dict[str, Value]:
        """The global names and their values."""
        return {name: value for name, value in self._values.items() if name != _ANSWER}

    def evaluate(self, text: str) -> Outcome:
        """Run one input. A bare expression, with or without ``;``, answers its value."""
        self._inputs += 1
        try:
            return self._run(self._read(text))
        except LoadFailed as failed:
            return Outcome(status=1, problems=failed.problems, errors=str(failed))

    # ---- reading ----------------------------------------------------------------------

    def _read(self, text: str) -> list[nodes.Statement]:
        expression = self._expression(text)
        if expression is not None:
            return [expression]
        world = self._world
        loaded = load(
            f"<{self._inputs}>",
            text,
            read=reader(world.files, []),
            canonical=os.path.realpath,
            folder=os.curdir,
            search=search_path(world.variables),
            library=LIBRARY,
        )
        if not loaded.is_sound:
            raise LoadFailed(loaded.problems, loaded.sources)
        first = self._sources.add(loaded.sources.sources[0].name, loaded.sources.sources[0].text)
        for source in loaded.sources.sources[1:]:
            self._sources.add(source.name, source.text)
        _shift(loaded.module, first.base)
        return _flat(loaded.module)

    def _expression(self, text: str) -> nodes.Statement | None:
        """The input as one expression, if it is one."""
        stripped = text.strip()
        ended = stripped.endswith(";")
        stripped = stripped.rstrip(";")
        source = Source(f"<{self._inputs}>", stripped, self._sources.add("", "").base)
        tokens, problems = lex(source)
        if any(problem.severity == "error" for problem in problems):
            return None
        expression, problems = parse_expression(tokens, source)
        if expression is None or any(problem.severity == "error" for problem in problems):
            return None
        if ended and isinstance(expression, nodes.Name):
            return None  # ``x;`` is a declaration
        added = self._sources.add(source.name, stripped)
        _shift(expression, added.base - source.base)
        name = nodes.Identifier(expression.start, expression.end, _ANSWER)
        return nodes.Binding(expression.start, expression.end, name, None, expression, False)

    # ---- running ----------------------------------------------------------------------

    def _run(self, statements: list[nodes.Statement]) -> Outcome:
        own = {_name(one): one for one in statements if isinstance(one, Definition)}
        definitions = {**self._definitions, **own}
        rest = [one for one in statements if not isinstance(one, Definition)]
        module = nodes.Module(0, 0, [*definitions.values(), *rest])
        self._values.pop(_ANSWER, None)
        known = frozenset(self._values)
        program = compiled_or_failed(
            lambda: generate(module, self._sources, known=known, keep=True), module, self._sources
        )
        machine = _SessionMachine(self, Image(program))
        self._machines = [held for held in self._machines if held() is not None]
        self._machines.append(weakref.ref(machine))
        for held in self._machines:
            if (alive := held()) is not None:  # functions kept in variables read today's names
                alive.restore(tuple([self._values.get(name, UNSET) for name in alive.program.shared]))
        outcome = Outcome()
        try:
            with Budget(machine, self._options.seconds) as budget:
                self._world.budget = budget
                machine.run_top()
        except ExitRequested:
            raise
        except (BudgetSpent, Fault) as problem:
            fault = problem.fault if isinstance(problem, BudgetSpent) else problem
            outcome.status, outcome.fault, outcome.errors = 1, fault, fault_text(fault)
        finally:
            self._definitions = definitions
            self._remember(program.shared, machine)
        self._world.console.flush()
        if _ANSWER in self._values and outcome.fault is None:
            outcome.value, outcome.has_value = self._values[_ANSWER], True
        return outcome

    def _remember(self, names: tuple[str, ...], machine: Machine) -> None:
        for name, value in zip(names, machine.save(), strict=True):
            function = machine.functions.get(name)
            if function is not None and isinstance(value, Function) and value.call is function.call:
                continue  # no variable, only the function of that name
            if value is not UNSET:
                self._values[name] = value


class _SessionMachine(Machine):
    """A machine whose functions find names that later inputs gave."""

    def __init__(self, session: Session, image: Image) -> None:
        self._session = session
        super().__init__(image, session._world, session._world.perform)

    def undefined(self, name: str) -> Value:
        """A name that did not exist when this input was compiled."""
        values = self._session._values
        return values[name] if name in values else super().undefined(name)

    def unknown_call(self, name: str, *arguments: Value) -> Value:
        """A call of such a name."""
        value = self._session._values.get(name, UNSET)
        if value is UNSET:
            return super().unknown_call(name, *arguments)
        return operations.call_value(value, arguments, 1, name)


def _name(definition: Definition) -> str:
    return definition.name.text


def _flat(module: nodes.Module) -> list[nodes.Statement]:
    """The statements, with those of imported files in their place."""
    statements: list[nodes.Statement] = []
    for statement in module.statements:
        if isinstance(statement, nodes.Import) and statement.module is not None:
            statements += _flat(statement.module)
        else:
            statements.append(statement)
    return statements


def _shift(node: object, distance: int) -> None:
    """Move a tree to another range of positions."""
    stack = [node]
    seen: set[int] = set()
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack.extend(item)
        elif isinstance(item, nodes.Node) and id(item) not in seen:
            seen.add(id(item))
            item.start += distance
            item.end += distance
            stack.extend(getattr(item, slot) for slot in parts_of(type(item)))
