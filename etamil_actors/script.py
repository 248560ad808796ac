"""Running a program without trio: ``etamil-actors run``, the shell, and tests of the language.

Effects are answered on the spot by plain calls of the ports, so a program that touches files and
console only needs no driver, no greenlet and no event loop. What needs a running service answers
``not_here``.

``run_file`` is the road with the shortest start: from a kept program it loads neither lexer nor
parser.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import time

from etamil_actors.errors import BudgetSpent, ExitRequested, Fault, OutputClosed, ProgramEnd
from etamil_actors.language.program import digest
from etamil_actors.store import ABSENT, read_program, write_program
from etamil_actors.vm import effects
from etamil_actors.vm.machine import Choose, Grace, Image, Machine, OpenBlock, Slice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from decimal import Decimal
    from types import FrameType
    from typing import Any

    from etamil_actors.language import nodes
    from etamil_actors.language.problems import Problem
    from etamil_actors.language.program import Program
    from etamil_actors.language.source import SourceMap
    from etamil_actors.ports import Clock, Console, Environment, Files, Programs, Random
    from etamil_actors.store import Digests
    from etamil_actors.vm.effects import Effect
    from etamil_actors.vm.values import Value

LOOKS_PER_SECOND = 20
"""How often the budget of computing time is looked at."""

DEAF = 2.0
"""Seconds of computing after which a program that does not look at its flag is stopped by force:
it is inside one long operation."""


JOURNAL = os.path.join("data", "journal.sqlite")
"""Where programs keep what must not be lost: beside the program or configuration."""


class RunOptions:
    """How ``run`` runs. ``seconds`` and ``steps`` are 0 for no limit."""

    __slots__ = ("announce", "cache", "journal", "seconds", "steps")

    def __init__(
        self,
        *,
        seconds: float = 30.0,
        steps: int = 0,
        cache: bool = True,
        announce: bool = True,
        journal: str = JOURNAL,
    ) -> None:
        self.journal = journal
        self.seconds = seconds
        self.steps = steps
        self.cache = cache
        self.announce = announce


class Outcome:
    """What came of running a text."""

    __slots__ = ("errors", "fault", "has_value", "output", "problems", "sources", "status", "value")

    def __init__(
        self,
        output: str = "",
        errors: str = "",
        status: int = 0,
        problems: Sequence[Problem] = (),
        fault: Fault | None = None,
        value: Value = None,
        has_value: bool = False,
        sources: SourceMap | None = None,
    ) -> None:
        self.output = output
        self.errors = errors
        self.status = status
        self.problems = list(problems)
        self.fault = fault
        self.value = value
        self.has_value = has_value
        self.sources = sources


class ScriptWorld:
    """The world of a script: the ports, called directly."""

    def __init__(
        self,
        console: Console,
        files: Files,
        clock: Clock,
        random: Random,
        environment: Environment,
        programs: Programs,
    ) -> None:
        self.console = console
        self.files = files
        self.clock = clock
        self.random = random
        self.variables = environment
        self.programs = programs
        self.write = console.write
        self.random_bytes = random.bytes
        self.wall_time: Callable[[], Decimal] = clock.wall
        self.environment = environment.get
        self.budget: Budget | None = None
        self.keys: dict[str, bytes] = {}
        """Keys made for this process, where none was configured."""

    def warn(self, text: str) -> None:
        """Tell the operator something."""
        self.console.write_error(text + "\n")

    def perform(self, effect: Effect) -> Any:
        """Answer an effect."""
        deed = _DEEDS.get(type(effect))
        if deed is None:
            raise _needs_service(type(effect).__name__)
        return deed(self, effect)


def _needs_service(name: str) -> Fault:
    return Fault(
        "not_here",
        name=name,
        problem_ta="இது ஓடும் சேவையில் மட்டுமே கிடைக்கும்",
        problem_en="it is there only in a running service",
    )


def word_name(key: str) -> str:
    """What a program calls this word."""
    from etamil_actors.language.builtins import BUILTIN_OF

    builtin = BUILTIN_OF.get(key)
    return builtin.tamil if builtin is not None else _STATEMENTS.get(key, key)


_STATEMENTS = {
    "db.connect": "தளம்_இணை",
    "db.disconnect": "தளம்_பிரி",
    "db.query": "தளம்_வினா",
    "db.execute": "தளம்_செய்",
    "start_agent": "முகவர்",
}


def _slice(world: ScriptWorld, effect: Effect) -> None:
    if world.budget is not None:
        world.budget.check()


_DEEDS: dict[type, Callable[[ScriptWorld, Any], Any]] = {
    Slice: _slice,
    effects.ReadFile: lambda world, effect: world.files.read(effect.path, effect.limit),
    effects.WriteFile: lambda world, effect: world.files.write(effect.path, effect.data, effect.append),
    effects.FileExists: lambda world, effect: world.files.exists(effect.path),
    effects.FileInfo: lambda world, effect: world.files.details(effect.path),
    effects.ListFolder: lambda world, effect: world.files.names(effect.path),
    effects.RunProgram: lambda world, effect: world.programs.run(
        effect.program, effect.arguments, effect.seconds, effect.limit
    ),
    effects.ReadLine: lambda world, effect: world.console.read_line(),
    effects.InThread: lambda world, effect: effect.function(*effect.arguments),
    effects.Sleep: lambda world, effect: world.clock.sleep(effect.seconds),
}


def _service(world: ScriptWorld, effect: effects.Service) -> Any:
    if effect.key == "_sleep":
        from etamil_actors.actors.programs.words import LONGEST, duration

        world.console.flush()
        return world.clock.sleep(min(duration(effect.arguments[0], "_sleep"), LONGEST))
    if effect.key.startswith("_log"):
        return log_in_script(world, effect.key, *effect.arguments)
    if effect.key in SILENT:
        return None
    if effect.key in effects.OF_REQUESTS:
        raise Fault("no_request", name=word_name(effects.OF_REQUESTS[effect.key]))
    if effect.key == "method":  # a method of a handle
        raise _needs_service(str(effect.arguments[1]))
    raise _needs_service(word_name(effect.key))


def log_in_script(world: ScriptWorld, key: str, event: Value, fields: Value = None) -> None:
    """What a script logs goes to standard error."""
    from etamil_actors.vm.convert import text_of
    from etamil_actors.vm.log_line import LEVELS, MARKS, log_line

    world.warn(f"{MARKS[LEVELS[key]]} {log_line(text_of(event), fields)}")


def _open_block(world: ScriptWorld, effect: OpenBlock) -> Any:
    if effect.key == "_span":  # nobody follows a script
        from etamil_actors.vm.blocks import Word

        return Word()
    raise _needs_service(word_name(effect.key))


def _choose(world: ScriptWorld, effect: Choose) -> Any:
    raise _needs_service("தேர்வு")


SILENT = frozenset(
    ("_listen", "_onRequest", "_application", "_startApplication", "_runTests", "start_server",
     "_count", "_timing", "_gauge")
)  # fmt: skip
"""Words that start a service or its tests, or tell numbers to whoever reads them; ``run`` accepts them and
goes on."""

_DEEDS[effects.Service] = _service


def _grace(world: ScriptWorld, effect: Grace) -> None:
    if world.budget is not None:
        world.budget.give(effect.seconds)


_DEEDS[Grace] = _grace
_DEEDS[OpenBlock] = _open_block
_DEEDS[Choose] = _choose


class Budget:
    """Computing time, watched by a timer of the operating system.

    The timer only raises the machine's flag; the program notices at its next loop turn or call
    and asks for a slice. One that does not notice for ``DEAF`` seconds is inside a single long
    operation and is ended from the signal handler itself.
    """

    def __init__(self, machine: Machine, seconds: float) -> None:
        self.machine = machine
        self.seconds = seconds
        self.limit = seconds
        self._given = False
        self._start = 0.0
        self._before: Any = None

    def __enter__(self) -> Budget:
        self._start = time.process_time()
        if self.seconds:
            import _signal  # type: ignore[import-not-found, unused-ignore]

            pause = min(1 / LOOKS_PER_SECOND, self.seconds / 2)
            try:
                self._before = _signal.signal(_signal.SIGVTALRM, self._look)
            except ValueError:  # not the main thread: the caller watches the time
                self._before = None
                return self
            _signal.setitimer(_signal.ITIMER_VIRTUAL, pause, pause)
        return self

    def __exit__(self, *problem: object) -> None:
        if self._before is not None:
            import _signal

            _signal.setitimer(_signal.ITIMER_VIRTUAL, 0)
            _signal.signal(_signal.SIGVTALRM, self._before)

    def give(self, seconds: float) -> None:
        """Let இறுதியில் blocks run: once, so many seconds from now."""
        if self.seconds and not self._given:
            self._given = True
            self.limit = self.used + seconds

    @property
    def used(self) -> float:
        """Seconds computed so far."""
        return time.process_time() - self._start

    def check(self) -> None:
        """End the activity when the time is used up."""
        if self.seconds and self.used >= self.limit:
            raise self._spent()

    def _spent(self) -> BudgetSpent:
        shown = int(self.seconds) if self.seconds == int(self.seconds) else self.seconds
        return BudgetSpent(Fault("budget.time", seconds=shown))

    def _look(self, signal: int, frame: FrameType | None) -> None:
        over = self.used - self.limit
        if over >= DEAF:
            raise self._spent()
        if over >= 0:
            self.machine.interrupt()


# ---- from a file or text to a program -------------------------------------------------


class Compiled:
    """What reading and checking made of a program."""

    __slots__ = ("digests", "module", "problems", "sources")

    def __init__(
        self, module: nodes.Module, sources: SourceMap, problems: list[Problem], digests: Digests
    ) -> None:
        self.module = module
        self.sources = sources
        self.problems = problems
        self.digests = digests

    @property
    def is_sound(self) -> bool:
        """Whether nothing but warnings was found."""
        return not any(problem.severity == "error" for problem in self.problems)

    def program(self, *, counted: bool = False) -> Program:
        """The compiled form.

        Raises:
            LoadFailed: it nests deeper than can be compiled.
        """
        from etamil_actors.language.compiler.generator import generate

        return compiled_or_failed(
            lambda: generate(self.module, self.sources, counted=counted), self.module, self.sources
        )


def compiled_or_failed(make: Callable[[], Program], module: nodes.Module, sources: SourceMap) -> Program:
    """Compile, and say so in words when CPython cannot nest that deep."""
    from etamil_actors.language.compiler.statements import Misplaced
    from etamil_actors.language.problems import LoadFailed, NotAllowedHere, TooDeep

    try:
        return make()
    except Misplaced as misplaced:
        found = sources.find(misplaced.node.start).word_at(misplaced.node.start)
        problem = NotAllowedHere(
            misplaced.node.start,
            misplaced.node.end,
            found=found,
            reason_ta="தொகுதியுள்ள அழைப்பு ஒரு கூற்றின் முழு மதிப்பாக மட்டுமே நிற்கலாம்",
            reason_en="a call with a block may only be the whole value of a statement",
        )
        raise LoadFailed([problem], sources) from None
    except (RecursionError, SyntaxError, MemoryError):
        first = module.statements[0] if module.statements else module
        raise LoadFailed([TooDeep(first.start, first.start + 1, limit=20)], sources) from None


def read_and_check(
    name: str, text: str | bytes, files: Files, *, folder: str | None = None, search: Sequence[str] = ()
) -> Compiled:
    """Lex, parse, import, resolve and check a program."""
    from etamil_actors.language.checker import check
    from etamil_actors.language.loader import load

    main = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    digests = [(os.path.abspath(name), digest(main))]
    loaded = load(
        name,
        text,
        read=reader(files, digests),
        canonical=os.path.realpath,
        folder=folder,
        search=search,
        library=LIBRARY,
    )
    problems = list(loaded.problems)
    if loaded.is_sound:
        problems += check(loaded.module, loaded.sources)
    return Compiled(loaded.module, loaded.sources, problems, tuple(digests))


def reader(files: Files, digests: list[tuple[str, bytes]]) -> Callable[[str], bytes | None]:
    """How the loader reads a file; what was read is noted in ``digests``."""
    from etamil_actors.language.loader import Unreadable
    from etamil_actors.vm.builtins.files import words_of

    def read(path: str) -> bytes | None:
        try:
            if not files.exists(path) or files.details(path).folder:
                digests.append((os.path.abspath(path), ABSENT))
                return None
            if _is_device(path):
                raise Unreadable("இது ஒரு சாதாரண கோப்பு அல்ல", "it is not a regular file")
            data = files.read(path, SOURCE_BYTES)
        except OSError as trouble:
            raise Unreadable(*words_of(trouble)) from None
        digests.append((os.path.abspath(path), digest(data)))
        return data

    return read


def _is_device(path: str) -> bool:
    """Whether reading could go on for ever: a device, a pipe."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


SOURCE_BYTES = 16 * 1024 * 1024
"""The longest source file."""

LIBRARY = os.path.dirname(os.path.abspath(__file__))
"""The folder that holds ``nUlakam``, the library that comes with the runtime."""


def search_path(environment: Environment) -> list[str]:
    """The folders of ``ETAMIL_PATH``."""
    return [folder for folder in (environment.get("ETAMIL_PATH") or "").split(os.pathsep) if folder]


def load_for_check(path: str) -> tuple[list[Problem], SourceMap]:
    """Everything that is wrong with a file, and the text to show it in.

    Raises:
        OSError: the file itself cannot be read.
    """
    problems, sources, _ = load_program(path)
    return problems, sources


def load_program(path: str) -> tuple[list[Problem], SourceMap, Program | None]:
    """Everything that is wrong with a file, the text to show it in, and the program if it may run.

    Raises:
        OSError: the file itself cannot be read.
    """
    from etamil_actors.language.problems import LoadFailed
    from etamil_actors.resources.system import SystemEnvironment, SystemFiles

    compiled = read_and_check(path, _content(path), SystemFiles(), search=search_path(SystemEnvironment()))
    if not compiled.is_sound:
        return compiled.problems, compiled.sources, None
    try:
        return compiled.problems, compiled.sources, compiled.program()
    except LoadFailed as failed:
        return compiled.problems + failed.problems, compiled.sources, None


def _content(path: str) -> bytes:
    if path == "-":
        content = sys.stdin.buffer.read(SOURCE_BYTES + 1)
    else:
        with open(path, "rb") as file:
            content = file.read(SOURCE_BYTES + 1)
    if len(content) > SOURCE_BYTES:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
    return content


# ---- running --------------------------------------------------------------------------


def run_file(path: str, arguments: Sequence[str], options: RunOptions) -> int:
    """``etamil-actors run``: run a program and answer the exit status."""
    world = system_world()
    try:
        program = _program_of(path, options, world)
    except OSError as trouble:
        from etamil_actors.vm.builtins.files import words_of

        tamil, english = words_of(trouble)
        world.warn(f"✗ கோப்பு ‘{path}’: {tamil}  (file ‘{path}’: {english})")
        return 1
    if program is None:
        return 1
    if options.announce:
        _announce(program, world)
    return _run(program, world, options).status


def system_world() -> ScriptWorld:
    """The world as it is."""
    from etamil_actors.resources.system import (
        SystemClock,
        SystemConsole,
        SystemEnvironment,
        SystemFiles,
        SystemPrograms,
        SystemRandom,
    )

    return ScriptWorld(
        SystemConsole(), SystemFiles(), SystemClock(), SystemRandom(), SystemEnvironment(), SystemPrograms()
    )


def _program_of(path: str, options: RunOptions, world: ScriptWorld) -> Program | None:
    """The compiled program, kept or new; None when it has errors, which have been shown."""
    environment = world.variables
    caching = options.cache and path != "-" and not options.steps
    folders = environment.get("ETAMIL_PATH") or ""
    setting = "\0".join((path, folders, os.getcwd() if folders else ""))
    whole = os.path.abspath(path)
    if caching:
        program = read_program(whole, setting)
        if program is not None:
            return program
    from etamil_actors.language.problems import LoadFailed, render

    content = _content(path)
    name = "<stdin>" if path == "-" else path
    compiled = read_and_check(
        name, content, world.files, folder=os.curdir if path == "-" else None, search=search_path(environment)
    )
    try:
        if not compiled.is_sound:
            raise LoadFailed(compiled.problems, compiled.sources)
        program = compiled.program(counted=bool(options.steps))
    except LoadFailed as failed:
        for problem in failed.problems:
            if problem.severity == "error":
                world.warn("✗ " + render(problem, failed.sources).rstrip())
        return None
    if caching:
        write_program(whole, program, compiled.digests, setting)
    return program


_LEFT_OUT = {
    "route": ("வழிகள்", "routes"),
    "every": ("இடைவெளிகள்", "periodic blocks"),
    "job": ("பணிகள்", "jobs"),
}


def _announce(program: Program, world: ScriptWorld) -> None:
    declared = {row.kind for row in program.declared if not row.is_inner}
    kinds = [kind for kind in _LEFT_OUT if kind in declared]
    if kinds:
        tamil = ", ".join(_LEFT_OUT[kind][0] for kind in kinds)
        english = ", ".join(_LEFT_OUT[kind][1] for kind in kinds)
        world.warn(
            f"குறிப்பு: {tamil} ‘run’ கட்டளையில் தொடங்கப்படுவதில்லை; ‘etamil-actors up’ பயன்படுத்துங்கள்"
            f"  (note: ‘run’ does not start {english}; use ‘etamil-actors up’)"
        )


def _run(program: Program, world: ScriptWorld, options: RunOptions, *, simulated: bool = False) -> Outcome:
    """Run the top level and report on standard error what went wrong."""
    if program.serves:
        return _run_with_actors(program, world, options, simulated)
    machine = Machine(Image(program), world, world.perform, steps=options.steps)
    return _watched(machine, world, options, machine.run_top)


def _run_with_actors(
    program: Program, world: ScriptWorld, options: RunOptions, simulated: bool
) -> Outcome:
    if options.steps:
        world.warn(
            "✗ பணிகள், சேனல்கள், முகவர்கள் போன்றவை உள்ள நிரலின் படிகளை எண்ண முடியாது; --seconds பயன்படுத்துங்கள்"
            "  (the steps of a program with tasks, channels, agents and the like cannot be counted; "
            "use --seconds)"
        )
        return Outcome(status=1)
    from etamil_actors.script_with_actors import run_script

    return run_script(program, world, options, simulated=simulated)


def _watched(
    machine: Machine, world: ScriptWorld, options: RunOptions, entry: Callable[[], Value]
) -> Outcome:
    outcome = Outcome()
    try:
        with Budget(machine, options.seconds) as budget:
            world.budget = budget
            outcome.value = entry()
    except ExitRequested as leaving:
        outcome.status = leaving.status
    except (BudgetSpent, Fault) as problem:
        fault = problem.fault if isinstance(problem, BudgetSpent) else problem
        outcome.fault, outcome.status = fault, 1
        world.console.flush()
        world.warn(fault_text(fault))
    except OutputClosed as closed:
        raise closed.trouble from None
    except ProgramEnd as end:
        outcome.status = 1
        world.warn(f"✗ {end}")
    except KeyboardInterrupt:
        world.console.flush()
        raise
    world.console.flush()
    return outcome


def fault_text(fault: Fault) -> str:
    """A runtime error as people read it: what, where, and the calls that led there."""
    lines = [f"✗ {fault.message}  [{fault.code}]"]
    shown = fault.trace if len(fault.trace) <= _TRACE_SHOWN else None
    frames = list(shown or [*fault.trace[: _TRACE_SHOWN - 3], *fault.trace[-3:]])
    for place, frame in enumerate(frames):
        if shown is None and place == _TRACE_SHOWN - 3:
            lines.append("    …")
        where = f"{frame.file}: வரி {frame.line}, நெடுவரிசை {frame.column}"
        inside = f"  {frame.function}()" if frame.function else ""
        lines.append(f"    {where}  (line {frame.line}, column {frame.column}){inside}")
    if fault.code == "budget.time":
        lines.append(
            "    வரம்பை மாற்ற: --seconds N; 0 என்றால் வரம்பில்லை  (to change the limit: --seconds N; 0 for none)"
        )
    if fault.earlier is not None:
        lines.append(f"    ← {fault.earlier.message}  [{fault.earlier.code}]")
    return "\n".join(lines)


_TRACE_SHOWN = 12


def run_text(
    text: str | bytes,
    *,
    name: str = "test.qmz",
    stdin: str = "",
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
    seconds: float = 10.0,
    steps: int = 0,
) -> Outcome:
    """Run a text in a simulated world and answer everything that came of it."""
    from etamil_actors.language.problems import LoadFailed
    from etamil_actors.resources.system import (
        SimulatedClock,
        SimulatedConsole,
        SimulatedEnvironment,
        SimulatedFiles,
        SimulatedPrograms,
        SimulatedRandom,
    )

    console = SimulatedConsole(stdin)
    held = SimulatedFiles({path: content.encode() for path, content in (files or {}).items()})
    variables = SimulatedEnvironment(environment)
    world = ScriptWorld(console, held, SimulatedClock(), SimulatedRandom(), variables, SimulatedPrograms())
    compiled = read_and_check(name, text, held, search=search_path(variables))
    try:
        if not compiled.is_sound:
            raise LoadFailed(compiled.problems, compiled.sources)
        program = compiled.program(counted=bool(steps))
    except LoadFailed as failed:
        return Outcome(status=1, problems=failed.problems, sources=failed.sources)
    outcome = _run(program, world, RunOptions(seconds=seconds, steps=steps), simulated=True)
    outcome.output, outcome.errors, outcome.problems = console.output, console.errors, compiled.problems
    outcome.sources = compiled.sources
    return outcome


def check_text(
    text: str | bytes, *, name: str = "test.qmz", files: Mapping[str, str] | None = None
) -> Outcome:
    """Check a text without running it: status 1 when it has errors."""
    from etamil_actors.language.problems import LoadFailed
    from etamil_actors.resources.system import SimulatedFiles

    held = SimulatedFiles({path: content.encode() for path, content in (files or {}).items()})
    compiled = read_and_check(name, text, held)
    problems = list(compiled.problems)
    if compiled.is_sound:
        try:
            compiled.program()
        except LoadFailed as failed:
            problems += failed.problems
    errors = any(problem.severity == "error" for problem in problems)
    return Outcome(status=int(errors), problems=problems, sources=compiled.sources)
