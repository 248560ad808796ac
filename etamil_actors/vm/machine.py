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

Values travel between machines as they are, but for functions: these see the variables of the
machine that made them, so whoever gives a value to another machine lets that one ``adopt`` it. A
machine is used again after it was filled from a template (``template.py``).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from decimal import Decimal, getcontext, localcontext

from etamil_actors.errors import BudgetSpent, Fault, InternalError, OutputClosed, ProgramEnd
from etamil_actors.language.program import AgentRow, FieldRow, Program
from etamil_actors.vm import adoption, operations
from etamil_actors.vm.builtins import registry
from etamil_actors.vm.convert import kind_of, text_of
from etamil_actors.vm.effects import Effect, Service
from etamil_actors.vm.number import CONTEXT, ProgramContext
from etamil_actors.vm.traces import fault_of
from etamil_actors.vm.values import (
    UNSET,
    BuiltinFunction,
    FieldInfo,
    Function,
    Handle,
    LateNames,
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


class _Depth:
    """Python's own limit of nested calls: raised while program code runs on any machine.

    Activities take turns, so the first to end may not lower it for those that stand deep in their
    calls; the last one does.
    """

    def __init__(self) -> None:
        self._entered = 0
        self._before = 0
        """What it was, once it was raised."""
        self.is_raised = False
        """For good, because this process does nothing else."""

    def raise_to(self, frames: int) -> None:
        self._entered += 1
        limit = sys.getrecursionlimit()
        if limit < frames:
            self._before = self._before or limit
            sys.setrecursionlimit(frames)

    def lower(self) -> None:
        self._entered -= 1
        if self._before and not self._entered:
            before, self._before = self._before, 0
            sys.setrecursionlimit(before)


_DEPTH: Final = _Depth()


def allow_deep_calls() -> None:
    """For a process that does nothing but run programs: raise the limit now, instead of at every entry."""
    sys.setrecursionlimit(max(sys.getrecursionlimit(), CALL_DEPTH * _PYTHON_FRAMES + _ROOM))
    _DEPTH.is_raised = True


class Slice(Effect):
    """The time slice is used up, or somebody wants a word: yield."""

    __slots__ = ()


class Grace(Effect):
    """The activity is being ended; its இறுதியில் blocks may run so many seconds, all together.

    Answers nothing, or a function that is called when the block is left, with what leaves it.
    """

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


class Walk(Effect):
    """ஒவ்வொரு over something shared, such as a channel: answers what gives its turns."""

    __slots__ = ("source",)

    def __init__(self, source: Value) -> None:
        self.source = source


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
        self.agents = {row.name: AgentInfo(row) for row in program.agents}
        self.agent_of_unit = {row.unit: row.name for row in program.agents}
        self.messages = {one.unit for row in program.agents for one in row.messages}
        self.messages.update(row.on_stop for row in program.agents if row.on_stop >= 0)
        """The bodies that run on the machine of an agent, after its own."""
        names = dict(operations.NAMES)
        names.update((name, Decimal(digits)) for name, digits in program.decimals)
        names.update(("S_" + name, shape) for name, shape in self.shapes.items())
        names.update((f"T{number}", _field(row)) for number, row in enumerate(program.types))
        exec(program.code, names)
        self.make: Any = names["machine"]


class MessageInfo:
    """A message of an agent at run time: the number of its body, and its parameters."""

    __slots__ = ("name", "parameters", "unit")

    def __init__(self, name: str, unit: int, parameters: tuple[FieldInfo, ...]) -> None:
        self.name = name
        self.unit = unit
        self.parameters = parameters


class AgentInfo:
    """An agent at run time, its messages by name."""

    __slots__ = ("messages", "name", "on_stop", "parameters", "place", "state", "unit")

    def __init__(self, row: AgentRow) -> None:
        self.name = row.name
        self.unit = row.unit
        self.parameters = tuple([_field(field) for field in row.parameters])
        self.state = row.state
        self.messages = {
            one.name: MessageInfo(one.name, one.unit, tuple([_field(field) for field in one.parameters]))
            for one in row.messages
        }
        self.on_stop = row.on_stop
        self.place = row.place


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
        self._graces: list[Callable[[BaseException | None], None] | None] = []
        self.me: Value = None
        """இது: the agent that this machine works for. Whoever starts an activity sets it."""
        self.state: dict[str, object] = {}
        """Scratch of builtins that keep something per machine."""
        self.declared: dict[int, tuple[Value, ...]] = {}
        """What the program declared, by the number of the declaration, with its options."""
        self.declaring: Callable[[int, tuple[Value, ...]], Value] | None = None
        """Answers the value of a declaration that stands where a value is wanted."""
        (
            self._top,
            self.save,
            self.restore,
            self.interrupt,
            self.calm,
            self._bodies,
            self._makers,
            self.functions,
            self.methods,
            self._set_steps,
        ) = image.make(self)

    # ---- running ----------------------------------------------------------------------

    def run_top(self) -> Value:
        """Run the top level. Effects go to ``performer``."""
        return self.protected(self._top)

    def run_body(self, unit: int, *given: Value) -> Value:
        """Run a body: a route's, a job's, a test's, an agent's, that of a message."""
        if unit in self.image.messages:
            return self.protected(self._bodies[unit], *given, 1)
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
        if not _DEPTH.is_raised:
            _DEPTH.raise_to(self.depth * _PYTHON_FRAMES + _ROOM)
        try:
            if type(getcontext()) is ProgramContext:  # whoever keeps a place for programs has seen to it
                return entry(*arguments)
            with localcontext(CONTEXT):
                return entry(*arguments)
        except BudgetSpent as spent:
            if not spent.fault.trace:
                spent.fault.trace = fault_of_signal(spent, self)
            raise
        except Exception as problem:  # noqa: BLE001  raised again as what it means
            fault = fault_of(problem, self.program.files, self.depth)
            try:
                if fault is problem:
                    raise
                raise fault from problem
            finally:
                del fault  # its trace has this frame, and would keep the program's values with it in a ring
        finally:
            if not _DEPTH.is_raised:
                _DEPTH.lower()

    def perform(self, effect: Effect) -> Any:
        """Ask the world for something and wait for the answer."""
        return self.performer(effect)

    def service(self, key: str, arguments: tuple[Value, ...]) -> Value:
        """Ask for a word that a service provides."""
        return self.performer(Service(key, arguments))

    # ---- values and states of other machines ------------------------------------------

    def adopt(self, value: Value) -> Value:
        """A value that another machine of this program made, for use on this one.

        Its functions see the variables of this machine from now on. Anything else stays the same
        object, and so does a value without functions.

        Raises:
            Fault: ``value.local`` when there is a function of another program in it.
        """
        return value if type(value) in adoption.PLAIN else adoption.adopted(self, value)

    def function_of(self, unit: int, captured: tuple[Value, ...] = ()) -> Function:
        """A function of the program by the number of its text, with the values it carries.

        Raises:
            KeyError: the program has no such function.
        """
        maker = self._makers.get(unit)
        if maker is not None:
            made = maker(*captured)
            return Function(made, "", made.__code__.co_argcount - 1, unit, captured, self)
        if unit in self._bodies and unit not in self.image.agent_of_unit:
            return self.body_value(unit, captured[0] if captured else None)
        if unit in self.image.agent_of_unit:
            return self.agent_value(self.image.agent_of_unit[unit])
        return self._function_of_unit[unit]

    @property
    def _function_of_unit(self) -> dict[int, Function]:
        return {function.unit: function for function in self.functions.values()}

    def reset(self) -> None:
        """Forget what the last activity left beside the variables."""
        self.calm()
        self.me = None
        self._graced = False
        if self.state:
            self.state = {}

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

    def declare(self, number: int, options: tuple[Value, ...]) -> Value:
        """The top level came past a declaration."""
        self.declared[number] = options
        return self.declaring(number, options) if self.declaring is not None else None

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
            self._graces.append(self.performer(Grace(FINAL_SECONDS)))
            if self._set_steps is not None and not self._graced:
                self._graced = True
                self._set_steps(FINAL_STEPS)

    def final_ends(self, end: ProgramEnd | None) -> None:
        """An இறுதியில் block is left, in whatever way. Called in a ``finally``."""
        if end is not None:
            grace = self._graces.pop()
            if grace is not None:
                grace(sys.exc_info()[1])
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

    def agent_value(self, name: str) -> Function:
        """An agent's name as a value: a function that starts one."""
        info = self.image.agents[name]
        return Function(
            lambda *arguments: self.start_agent(name, arguments[:-1]),
            name,
            len(info.parameters),
            info.unit,
            (),
            self,
        )

    def start_agent(self, name: str, arguments: tuple[Value, ...]) -> Value:
        """Start an agent."""
        wanted = len(self.image.agents[name].parameters)
        if wanted != len(arguments):
            operations.wrong_count(name, str(wanted), arguments)
        return self.service("start_agent", (name, arguments))

    def body_value(self, unit: int, me: Value = None) -> Function:
        """The body of a job that a handler starts; ``me`` is இது where it stands."""

        def run(*given: Value) -> Value:
            self.me = me
            return self._bodies[unit](*given[:-1])

        return Function(run, "", 0, unit, () if me is None else (me,), self)

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
        if isinstance(collection, Handle):
            return self.performer(Walk(collection))
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
        if type(target.names) is LateNames and key in target.names.late:
            return target[key]
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
