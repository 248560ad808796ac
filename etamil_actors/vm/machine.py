"""One running instance of a program.

An ``Image`` is what a program needs once per process: its code executed, its constants, its
shapes. A ``Machine`` is one instance of it, with shared names of its own, a world and a budget.
A ``Run`` is one activity on a machine, in a greenlet of its own:

```
driver                                   greenlet
run.start() ──────────────────────────▶  top() … machine.perform(ReadFile("a"))
        ◀───────────── ReadFile("a") ──      (waits here, the whole call stack stays)
run.resume(b"…") ─────────────────────▶  … goes on, until it returns
        ◀──────────────── Finished(v) ──
```

The driver decides what an effect means; nothing here knows of trio, files or clocks. A machine
whose effects are answered at once (a script) needs no greenlet: ``machine.performer`` is then a
plain function.

The end of a time slice comes from outside too: whoever watches the clock calls ``interrupt``,
and the program performs ``Slice`` at its next loop turn or call.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from decimal import Decimal, localcontext

from etamil_actors.errors import BudgetSpent, Fault, InternalError, OutputClosed, ProgramEnd
from etamil_actors.language.program import FieldRow, Program
from etamil_actors.vm import operations
from etamil_actors.vm.builtins import registry
from etamil_actors.vm.convert import kind_of, text_of
from etamil_actors.vm.effects import Effect, Service
from etamil_actors.vm.number import CONTEXT
from etamil_actors.vm.traces import fault_of
from etamil_actors.vm.values import (
    UNSET,
    BuiltinFunction,
    FieldInfo,
    Function,
    Handle,
    Shaped,
    ShapeInfo,
    TwoNamed,
    Value,
)

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing takes longer to import than all of this
    from typing import Any, Final

    from etamil_actors.vm.world import World

    Performer = Callable[[Effect], Any]

CALL_DEPTH: Final = 1000
"""How deep calls may nest (EXTENSIONS §1.12)."""

FINAL_STEPS: Final = 10_000
FINAL_SECONDS: Final = 5.0
"""What இறுதியில் blocks get when the activity is being ended (EXTENSIONS §3)."""

_PYTHON_FRAMES: Final = 12
"""Python frames that one call of the program may need, builtins that call back included."""

_ROOM: Final = 2000

State = tuple[Value, ...]


class Slice(Effect):
    """The time slice is used up, or somebody wants a word: yield."""

    __slots__ = ()


class Grace(Effect):
    """The activity is being ended; its இறுதியில் blocks may run so many seconds, all together."""

    __slots__ = ("seconds",)

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


class OpenBlock(Effect):
    """A word with a block: answers an object whose turns run the block."""

    __slots__ = ("arguments", "key")

    def __init__(self, key: str, arguments: tuple[Value, ...]) -> None:
        self.key = key
        self.arguments = arguments


class Choose(Effect):
    """தேர்வு: answers what was chosen, as a context manager with ``branch`` and ``value``."""

    __slots__ = ("after", "otherwise", "sources")

    def __init__(self, sources: tuple[Value, ...], after: Value, otherwise: bool) -> None:
        self.sources = sources
        self.after = after
        self.otherwise = otherwise


class Finished:
    """The activity is over, and this is its value."""

    __slots__ = ("value",)

    def __init__(self, value: Value) -> None:
        self.value = value


class Image:
    """A program made ready in this process."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.shapes = {row.name: ShapeInfo(row.name, {}) for row in program.shapes}
        for row in program.shapes:
            self.shapes[row.name].fields = {field.name: _field(field) for field in row.fields}
        names = dict(operations.NAMES)
        names.update((name, Decimal(digits)) for name, digits in program.decimals)
        names.update(("S_" + name, shape) for name, shape in self.shapes.items())
        names.update((f"T{number}", _field(row)) for number, row in enumerate(program.types))
        exec(program.code, names)
        self.make: Any = names["machine"]


def _field(row: FieldRow) -> FieldInfo:
    element = _field(row.element) if row.element is not None else None
    return FieldInfo(row.name, row.kind, row.shape, row.optional, element)


class Machine:
    """One instance of a program."""

    type_ = type
    int_ = int
    str_ = str
    list_ = list
    dict_ = dict
    refs = staticmethod(sys.getrefcount)
    len_ = staticmethod(len)

    def __init__(
        self, image: Image, world: World, performer: Performer, *, depth: int = CALL_DEPTH, steps: int = 0
    ) -> None:
        self.image = image
        self.program = image.program
        self.world = world
        self.performer = performer
        self.depth = depth
        self.steps = steps
        self._graced = False
        self.state: dict[str, object] = {}
        """Scratch of builtins that keep something per machine."""
        self.declared: dict[int, tuple[Value, ...]] = {}
        """What the program declared, by the number of the declaration, with its options."""
        (
            self._top,
            self.save,
            self.restore,
            self.interrupt,
            self.calm,
            self._bodies,
            self.functions,
            self.methods,
            self._set_steps,
        ) = image.make(self)

    # ---- running ----------------------------------------------------------------------

    def run_top(self) -> Value:
        """Run the top level. Effects go to ``performer``."""
        return self.protected(self._top)

    def run_body(self, unit: int, *given: Value) -> Value:
        """Run a body: a route's, a job's, a test's."""
        return self.protected(self._bodies[unit], *given)

    def call(self, function: Value, *arguments: Value) -> Value:
        """Call a function value from outside."""
        return self.protected(operations.call_value, function, arguments, 1, "")

    def protected(self, entry: Callable[..., Value], *arguments: Value) -> Value:
        """Run compiled code with its arithmetic and its errors.

        Raises:
            Fault: the program failed; place and trace are filled in.
            ProgramEnd: it was ended on purpose.
        """
        before = sys.getrecursionlimit()
        sys.setrecursionlimit(max(before, self.depth * _PYTHON_FRAMES + _ROOM))
        try:
            with localcontext(CONTEXT):
                return entry(*arguments)
        except BudgetSpent as spent:
            if not spent.fault.trace:
                spent.fault.trace = fault_of_signal(spent, self)
            raise
        except Exception as problem:
            fault = fault_of(problem, self.program.files, self.depth)
            if fault is problem:
                raise
            raise fault from problem
        finally:
            sys.setrecursionlimit(before)

    def perform(self, effect: Effect) -> Any:
        """Ask the world for something and wait for the answer."""
        return self.performer(effect)

    def service(self, key: str, arguments: tuple[Value, ...]) -> Value:
        """Ask for a word that a service provides."""
        return self.performer(Service(key, arguments))

    # ---- what compiled code calls -----------------------------------------------------

    def tick(self) -> None:
        """The flag is up: lower it and yield."""
        self.calm()
        self.performer(Slice())

    def deep(self, depth: int) -> None:
        """A call went deeper than ``limit``: too deep, or the flag in another dress."""
        if depth > self.depth:
            raise Fault("call.depth", limit=self.depth)
        self.tick()

    def out_of_steps(self) -> None:
        """A counted program has made its last step."""
        raise BudgetSpent(Fault("budget.steps", steps=self.steps))

    def give_steps(self, steps: int) -> None:
        """Let a counted program make this many steps from now on."""
        if self._set_steps is None:
            raise InternalError("this program was compiled without counting")
        self.steps = steps
        self._set_steps(steps)

    def print_(self, value: Value) -> None:
        """அச்சு."""
        line = (value if type(value) is str else text_of(value)) + "\n"
        try:
            self.world.write(line)
        except OSError as trouble:
            raise OutputClosed(trouble) from None

    def declare(self, number: int, options: tuple[Value, ...]) -> None:
        """The top level came past a declaration."""
        self.declared[number] = options

    def caught(self, problem: Exception) -> Value:
        """The record that பிழை gets."""
        from etamil_actors.vm.builtins.errors import caught_record

        fault = fault_of(problem, self.program.files, self.depth, callers=True)
        if fault.code == "internal" and fault is not problem:
            raise problem  # our mistake, not the program's
        return caught_record(fault)

    def final_begins(self, end: ProgramEnd | None) -> None:
        """An இறுதியில் block begins; when the activity is being ended it gets a short grace."""
        if end is not None:
            self.performer(Grace(FINAL_SECONDS))
            if self._set_steps is not None and not self._graced:
                self._graced = True
                self._set_steps(FINAL_STEPS)

    def final_ends(self, end: ProgramEnd | None) -> None:
        """An இறுதியில் block is left, in whatever way."""
        if end is not None:
            raise end

    def undefined(self, name: str) -> Value:
        """A name was read that has no value."""
        raise Fault("name.undefined", name=name)

    def unknown_call(self, name: str, *_arguments: Value) -> Value:
        """A function was called that does not exist."""
        raise Fault("call.unknown", name=name)

    def not_in_block(self, what: str) -> None:
        """A declaration stands where it can only be refused."""
        tamil, english = _NOT_HERE.get(what, ("மேல்நிலையில் மட்டும்", "only at the top level"))
        raise Fault("not_here", name=_WORDS.get(what, what), problem_ta=tamil, problem_en=english)

    def link(self, key: str) -> Callable[..., Value]:
        """A builtin as compiled code calls it: with the depth last where it takes a function."""
        return registry.link(key, self)

    def builtin_value(self, key: str) -> BuiltinFunction:
        """A builtin as a value."""
        return registry.function_value(key, self)

    def agent_value(self, name: str, arity: int) -> Function:
        """An agent's name as a value: a function that starts one."""
        return Function(lambda *arguments: self.start_agent(name, arguments[:-1]), name, arity, -1)

    def start_agent(self, name: str, arguments: tuple[Value, ...]) -> Value:
        """Start an agent."""
        return self.service("start_agent", (name, arguments))

    def body_value(self, unit: int) -> Function:
        """The body of a job that a handler starts."""
        return Function(lambda *given: self._bodies[unit](*given[:-1]), "", 1, unit)

    def call_method(self, target: Value, name: str, arguments: Sequence[Value], depth: int) -> Value:
        """``target.name(arguments)``."""
        if isinstance(target, dict):
            return self._call_of_record(target, name, arguments, depth)
        if isinstance(target, Handle):
            return self.service("method", (target, name, tuple(arguments)))
        raise Fault("record.kind", kind=kind_of(target), field=name)

    def _call_of_record(
        self, target: dict[str, Value], name: str, arguments: Sequence[Value], depth: int
    ) -> Value:
        if isinstance(target, Shaped):
            method = self.methods.get(f"{target.shape.name}.{name}")
            if method is not None:
                if not method.takes_self:
                    raise Fault("method.no_self", name=name)
                return operations.call_value(method, (target, *arguments), depth, name)
        key = target.key_for(name) if isinstance(target, TwoNamed) else name
        held = target.get(key, UNSET)
        if isinstance(held, (Function, BuiltinFunction)):
            return operations.call_value(held, arguments, depth, name)
        if held is UNSET and name == "get":
            return _get(target, arguments)
        raise Fault("method.missing", name=name)

    def call_value(self, value: Value, arguments: Sequence[Value], depth: int, name: str) -> Value:
        """Call something that should be a function."""
        return operations.call_value(value, arguments, depth, name)

    def call_variable(
        self, value: Value, fallback: Value, arguments: Sequence[Value], depth: int, name: str
    ) -> Value:
        """Call by a name that a variable and a function share."""
        return operations.call_variable(value, fallback, arguments, depth, name)

    def iterate(self, collection: Value) -> Any:
        """What ஒவ்வொரு walks through."""
        return operations.iterate(collection)

    def finish(self, turns: Any) -> None:
        """The loop over a channel has been left."""
        operations.finish(turns)

    def open_block(self, key: str, arguments: tuple[Value, ...]) -> Any:
        """A word with a block."""
        from etamil_actors.vm.blocks import BLOCKS

        make = BLOCKS.get(key)
        if make is not None:
            return make(self, arguments)
        return self.performer(OpenBlock(key, arguments))

    def choose(self, sources: tuple[Value, ...], after: Value, otherwise: bool) -> Any:
        """தேர்வு."""
        return self.performer(Choose(sources, after, otherwise))

    def read_input(self) -> str:
        """உள்ளிடு."""
        return _files().read_input(self)  # type: ignore[no-any-return]

    def open_file(self, path: Value, mode: str) -> None:
        """கோப்பு_திற."""
        _files().open_file(self, text_of(path), mode)

    def close_file(self, path: Value) -> None:
        """கோப்பு_மூடு."""
        _files().close_file(self, text_of(path))

    def read_file(self, path: Value) -> str:
        """கோப்பு_படி."""
        return _files().read_file(self, text_of(path))  # type: ignore[no-any-return]

    def count_rows(self, path: Value) -> int:
        """தரவுரை_படி."""
        return _files().count_rows(self, text_of(path))  # type: ignore[no-any-return]

    def append_line(self, path: Value, data: Value) -> None:
        """கோப்பு_எழுது."""
        _files().append_line(self, text_of(path), data)


class Run:
    """One activity of a machine in a greenlet of its own."""

    def __init__(self, machine: Machine, entry: Callable[..., Value], *arguments: Value) -> None:
        from greenlet import getcurrent, greenlet

        self._machine = machine
        self._getcurrent = getcurrent
        self._greenlet = greenlet(lambda: entry(*arguments))
        machine.performer = self._ask

    def start(self) -> Effect | Finished:
        """Run until the first effect or the end."""
        return self._answered(self._greenlet.switch())

    def resume(self, answer: object) -> Effect | Finished:
        """Go on with the answer to the last effect."""
        return self._answered(self._greenlet.switch(answer))

    def throw(self, problem: BaseException) -> Effect | Finished:
        """Go on with an exception in place of an answer: trouble, or a cancellation."""
        return self._answered(self._greenlet.throw(problem))

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return bool(self._greenlet.dead)

    def _answered(self, made: object) -> Effect | Finished:
        if self._greenlet.dead:
            return Finished(made)
        assert isinstance(made, Effect)
        return made

    def _ask(self, effect: Effect) -> Any:
        return self._greenlet.parent.switch(effect)


def _files() -> Any:
    from etamil_actors.vm.builtins import files

    return files


def _get(target: dict[str, Value], arguments: Sequence[Value]) -> Value:
    if not 1 <= len(arguments) <= 2:
        operations.wrong_count("get", "1–2", arguments)
    key = text_of(arguments[0])
    if isinstance(target, TwoNamed):
        key = target.key_for(key)
    if key in target:
        return target[key]
    return arguments[1] if len(arguments) == 2 else None


def fault_of_signal(signal: BudgetSpent, machine: Machine) -> Any:
    """The trace of an activity that ran out of its budget."""
    stand_in = Fault(signal.fault.code, tamil="", english="").with_traceback(signal.__traceback__)
    return fault_of(stand_in, machine.program.files, machine.depth).trace


_WORDS: Final = {"Route": "வழி", "Every": "இடைவெளி", "Import": "இறக்கு"}
_NOT_HERE: Final = {
    "Route": ("மேல்நிலையில் மட்டும்; ஒரு சேவையில் இயங்கும்", "only at the top level, in a service"),
    "Every": ("மேல்நிலையில் மட்டும்; ஒரு சேவையில் இயங்கும்", "only at the top level, in a service"),
    "Import": ("மேல்நிலையில் மட்டும் இறக்க முடியும்", "imports stand at the top level"),
}
