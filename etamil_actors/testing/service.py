"""A service under test: the real tree, actors and programs, in a world that is simulated.

Three classes of the runtime have a child here, and everything else is the real thing:

- ``SimulatedMachine`` lets its service look at each word before the program says it: there delays and
  faults come in, and what is replaced by போலியாக is on it;
- ``SimulatedService`` makes those machines, and looks at what every activity leaves behind;
- ``SimulatedSystem`` may share a journal with another one, so that a service can be started twice.

``Service`` is what a test holds.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from inspect import iscoroutine
from math import inf
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar
from unicodedata import normalize

import trio
import trio.testing

from etamil_actors.actors.actor import Actor
from etamil_actors.actors.channels.base import JOURNAL, Channel, Source
from etamil_actors.actors.channels.lane import Lane
from etamil_actors.actors.channels.letters import Letter
from etamil_actors.actors.dead import DeadLetter
from etamil_actors.actors.events import EventStream, Listener
from etamil_actors.actors.journal.store import Journal
from etamil_actors.actors.moments import after, at
from etamil_actors.actors.programs import agents
from etamil_actors.actors.programs.activity import Activity
from etamil_actors.actors.programs.agents import AgentHandle
from etamil_actors.actors.programs.jobs import RunFailed
from etamil_actors.actors.programs.service import RunningService, _nobody
from etamil_actors.actors.programs.slices import Slicer
from etamil_actors.actors.programs.system import System, run_system
from etamil_actors.actors.programs.world import Ports
from etamil_actors.actors.reference import Reference
from etamil_actors.errors import (
    BudgetSpent,
    EtamilError,
    ExitRequested,
    ExpectationFailed,
    Fault,
    Frame,
    InternalError,
    ProgramEnd,
)
from etamil_actors.language.nodes import Module
from etamil_actors.language.problems import LoadFailed
from etamil_actors.language.program import FILE_MARK, NO_PLACE, Program
from etamil_actors.language.source import SourceMap
from etamil_actors.ports import Files
from etamil_actors.resources.system import SimulatedConsole, SimulatedFiles, SimulatedProgram
from etamil_actors.resources.telemetry.simulated import SimulatedNumbers, SimulatedTracer
from etamil_actors.script import compiled_or_failed, read_and_check
from etamil_actors.testing.determinism import SHUFFLE, Watch, expect_virtual_time, run_seeded
from etamil_actors.testing.faults import Delay, FaultKinds, Faults, InjectedCrash, filled
from etamil_actors.testing.mocks import Mocks, replaceable
from etamil_actors.testing.ports import START, simulated_ports
from etamil_actors.testing.trace import Trace
from etamil_actors.vm import effects
from etamil_actors.vm.machine import Choose, Image, Machine, OpenBlock, Walk
from etamil_actors.vm.traces import _frame
from etamil_actors.vm.values import Value

if TYPE_CHECKING:
    from etamil_actors.edge.site import Site
    from etamil_actors.testing.requests import Received

T = TypeVar("T")

GRACE: Final = 0.001
"""Deadlines differ by billionths of a second. What is due at a moment has happened so long after it."""

PATIENCE: Final = 60.0
"""Virtual seconds that a test waits for a message if it says nothing else."""

MOST_STEPS: Final = 200_000
"""So often tasks may go on in one test of a program, while it does not move the clock; then there is no end
to it."""

WAITING_STEPS: Final = 20_000
WAITING_SECONDS: Final = 600.0
"""When others have gone on so often, and for so many virtual seconds, while a test waits for one thing, it
waits for ever. உறங்கு and நேரம்_நகர்த்து may take any time."""

_PATIENT: Final = ("_sleep", "_advance")


class WaitsForeverError(EtamilError):
    """Everybody waits, and nothing will ever happen."""

    def __init__(self) -> None:
        super().__init__("முடிவில்லாமல் காத்திருக்கிறது  (waits for ever)")


class Finding(NamedTuple):
    """Something that must never be, whatever the program does."""

    kind: str
    """``lock``, ``delivery``, ``task``, ``internal`` …"""
    tamil: str
    english: str
    fault: Fault | None = None

    @property
    def message(self) -> str:
        """Both languages on one line."""
        return f"{self.tamil}  ({self.english})"


class Verdict(NamedTuple):
    """How a test of a program has ended."""

    name: str
    kind: str
    """``passed``, ``expectation``, ``error``, ``hang`` (everybody waits) or ``endless``."""
    fault: Fault | None = None
    trace: Sequence[Frame] = ()
    """Where it was, if it hangs."""

    @property
    def passed(self) -> bool:
        """Has it ended well?"""
        return self.kind == "passed"


class RunningTest:
    """A test of a program while it runs."""

    def __init__(self, name: str, moment: float) -> None:
        self.name = name
        self.activity: Activity | None = None
        self.scope = trio.CancelScope()
        self.moment = moment
        """What its clock says, which நேரம்_நகர்த்து moves by exactly what was wanted."""
        self.failure: Fault | None = None
        self.end = ""
        """Why it was ended from outside."""

    def cut(self, why: str) -> None:
        """End it."""
        self.end = self.end or why
        self.scope.cancel(why)

    def fail(self, fault: Fault) -> None:
        """An expectation failed, here or in something that the test has started."""
        self.failure = self.failure or fault
        self.scope.cancel("an expectation failed")


# ---- what differs from the real thing -------------------------------------------------

_ASKS: Final = (effects.Service, effects.Sleep, OpenBlock, Choose, Walk)
"""The effects before which something may happen."""

_NAMES: Final[dict[type, str]] = {Choose: "தேர்வு", Walk: "ஒவ்வொரு", effects.Sleep: "_sleep"}


class SimulatedMachine(Machine):
    """A machine whose words go past its service first."""

    def __init__(self, service: SimulatedService, performer: Callable[[Any], Any]) -> None:
        self.service_of_test = service
        self.activity: Activity | None = None
        super().__init__(service.image, service.world, performer)
        restore = self.restore
        self.restore = lambda state: restore(service.mocks.poured(state, self))

    @property
    def performer(self) -> Callable[[Any], Any]:
        """What answers effects."""
        return self._perform

    @performer.setter
    def performer(self, performer: Callable[[Any], Any]) -> None:
        worker = getattr(performer, "__self__", None)
        self.activity = worker if isinstance(worker, Activity) else None
        self._performer = performer

    def _perform(self, effect: effects.Effect) -> Any:
        if self.activity is not None and isinstance(effect, _ASKS):
            key = getattr(effect, "key", None) or _NAMES[type(effect)]
            self.service_of_test.before(self.activity, key)
        return self._performer(effect)


class SimulatedService(RunningService):
    """A service that a test looks into."""

    def __init__(
        self, system: SimulatedSystem, name: str, image: Image, mocks: Mocks, **how: Any
    ) -> None:
        super().__init__(system, name, image, **how)
        self.simulated = system
        self.mocks = mocks
        self.machines: list[SimulatedMachine] = []
        self.ended: dict[str, int] = {}
        """How many activities have ended, by their names."""
        self.test: RunningTest | None = None
        """The test of the program that runs."""
        self._changed = trio.Event()

    def new_machine(self) -> Machine:
        """A machine on which nothing has run yet."""
        machine = SimulatedMachine(self, _nobody)
        self.machines.append(machine)
        return machine

    def before(self, activity: Activity, key: str) -> None:
        """A program is about to say a word; it may have to wait first."""
        system = self.simulated
        if self.test is not None and activity is self.test.activity:
            steps = inf if key in _PATIENT else WAITING_STEPS
            system.watch.begin_wait(steps, WAITING_SECONDS, counts=key != "_advance")
        for delay in system.delays:
            if delay.fits(activity, key):
                delay.times -= 1
                activity.wait(trio.sleep_until(after(delay.seconds)))
        if system.faults is not None and self.template is not None:
            system.faults.before(activity, self)

    def give_back_machine(self, machine: Machine) -> None:
        """An activity has ended, or an agent its message: nothing may be left of it."""
        assert isinstance(machine, SimulatedMachine)
        activity = machine.activity
        if activity is not None:
            self.ended[activity.name] = self.ended.get(activity.name, 0) + 1
            self.simulated.findings += leftovers(activity)
            changed, self._changed = self._changed, trio.Event()
            changed.set()
        super().give_back_machine(machine)

    async def has_ended(self, name: str, times: int) -> None:
        """Wait until so many activities of this name have ended since the beginning."""
        while self.ended.get(name, 0) < times:
            await self._changed.wait()


def leftovers(activity: Activity) -> list[Finding]:
    """What an activity still holds although it has ended."""
    found = []
    if activity.locks:
        locks = ", ".join(lock.text for lock in activity.locks)
        found.append(
            Finding(
                "lock",
                f"‘{activity.name}’ முடிந்தும் {locks} விடுவிக்கப்படவில்லை",
                f"‘{activity.name}’ has ended and still holds {locks}",
            )
        )
    if any(not one.is_settled for deliveries in (activity.taken or {}).values() for one in deliveries):
        found.append(
            Finding(
                "delivery",
                f"‘{activity.name}’ முடிந்தும் அது எடுத்த செய்தி ஏற்கப்படவோ திருப்பப்படவோ இல்லை",
                f"‘{activity.name}’ has ended and a message that it took is not settled",
            )
        )
    if activity.me is None and any(not task.outcome.is_over for task in activity.children or ()):
        found.append(
            Finding(
                "task",
                f"‘{activity.name}’ முடிந்தும் அதன் பணி ஒன்று ஓடுகிறது",
                f"‘{activity.name}’ has ended and a task of it still runs",
            )
        )
    return found


class SimulatedSystem(System):
    """A process in which a test has its hands."""

    def __init__(
        self,
        ports: Ports,
        slicer: Slicer,
        *,
        watch: Watch,
        kept: Journal | None,
        seed: int = 0,
        envelope: bool = False,
        **options: Any,
    ) -> None:
        """``envelope`` is what the configuration says of errors (``http.envelope``)."""
        super().__init__(ports, slicer, journal=":memory:", **options)
        self._envelope = envelope
        wall = ports.clock.wall
        self.tracer: SimulatedTracer = SimulatedTracer(seed=seed, wall=lambda: int(wall() * 10**9))
        self.numbers: SimulatedNumbers = SimulatedNumbers()
        self.watch = watch
        self.kept = kept
        self.delays: list[Delay] = []
        self.faults: Faults | None = None
        self.findings: list[Finding] = []
        self._site: Site | None = None

    @property
    def site(self) -> Site:
        """Where requests of the test go."""
        if self._site is None:
            from etamil_actors.testing.requests import site_of

            self._site = site_of(self, envelope=self._envelope)
        return self._site

    async def need_journal(self) -> Journal:
        """The journal: that of the test, if it has one, else one that is gone with the service."""
        if self.journal is None and self.kept is not None:
            journal = self.journal = self.kept
            journal.jobs.on_requeued = self._requeued
            self.channels.add_transport(
                JOURNAL, lambda name, settings, path: journal.channel(name, settings, path, self.events)
            )
            return journal
        return await super().need_journal()

    async def open_kept_journal(self) -> None:
        """What is in the journal of the test comes first."""
        if self.kept is not None:
            await self.need_journal()


# ---- what a test holds ----------------------------------------------------------------


class ChannelProbe:
    """A channel in the hands of a test."""

    def __init__(self, source: Source) -> None:
        self.source = source

    @property
    def pending(self) -> int:
        """How many messages wait."""
        return self.source.pending

    async def send(self, value: Value, **options: Any) -> bool:
        """Send, as சேனல்_அனுப்பு does; options are ``delay``, ``key``, ``id``."""
        if not isinstance(self.source, Channel):
            raise TypeError("this can only be received from")
        accepted = self.source.send_nowait(value, **options)
        return await self.source.send(value, **options) if accepted is None else accepted

    async def receive(self, seconds: float = PATIENCE) -> Value:
        """The next message, acknowledged; nothing once the channel is over.

        Raises:
            Fault: ``timeout``, none came within so many virtual seconds.
        """
        delivery = await self.source.take(seconds)
        if delivery is None:
            return None
        delivery.ack()
        return delivery.value

    def receive_all(self) -> list[Value]:
        """What waits now, acknowledged."""
        values = []
        while (delivery := self.source.try_take()) is not None:
            delivery.ack()
            values.append(delivery.value)
        return values

    def subscribe(self) -> ChannelProbe:
        """A receiving end of a broadcast channel."""
        assert isinstance(self.source, Channel)
        return ChannelProbe(self.source.subscribe())


class Service:
    """A service under test, and what a test can do with it."""

    def __init__(self, running: SimulatedService, trace: Trace) -> None:
        self.running = running
        self.system = running.simulated
        self.trace = trace

    # ── what can be seen ─────────────────────────────────────────────────────────────────────────

    @property
    def path(self) -> str:
        """Its place in the tree."""
        return self.running.path

    @property
    def output(self) -> str:
        """All that was printed."""
        return self._console.output

    @property
    def lines(self) -> list[str]:
        """What was printed, line by line."""
        return self.output.splitlines()

    @property
    def errors(self) -> str:
        """All that went to standard error."""
        return self._console.errors

    @property
    def _console(self) -> SimulatedConsole:
        console = self.system.ports.console
        assert isinstance(console, SimulatedConsole)
        return console

    @property
    def files(self) -> Files:
        """The files that the service sees."""
        return self.system.ports.files

    @property
    def dead_letters(self) -> list[DeadLetter]:
        """Messages to actors that nobody handled, oldest first."""
        return self.system.tree.dead_letters.last

    async def letters(self, channel: str | None = None) -> list[Letter]:
        """Dead letters of channels, in memory and in the journal."""
        letters = await self.system.letters.listed(channel)
        if self.system.journal is not None:
            letters += await self.system.journal.letters.listed(channel)
        return letters

    @property
    def failed_runs(self) -> list[RunFailed]:
        """Runs of jobs that have failed, and what is done about them."""
        return self.trace.of(RunFailed, self.path)

    @property
    def is_leaving(self) -> bool:
        """Has a program said வெளியேறு?"""
        return self.system.leaving.is_set()

    def value(self, name: str) -> Value:
        """What the top level has left in this variable.

        Raises:
            KeyError: the program has no such variable, or nothing is in it.
        """
        names, template = self.running.image.program.shared, self.running.template
        name = normalize("NFC", name)
        if template is None or name not in names:
            raise KeyError(name)
        return template.state[names.index(name)]

    # ── requests ──

    async def request(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Received:
        """Send a request through the real router and actors, and wait for the whole answer."""
        from etamil_actors.testing.requests import send

        return await send(self.system.site, method, path, headers, body)

    # ── time ─────────────────────────────────────────────────────────────────────────────────────

    async def settle(self) -> None:
        """Let everything happen that happens at this moment."""
        await trio.testing.wait_all_tasks_blocked()

    async def advance(self, seconds: float) -> None:
        """Let so much virtual time pass, and everything happen that comes due meanwhile."""
        await advance(trio.current_time() + seconds)

    # ── talking with it ──────────────────────────────────────────────────────────────────────────

    def channel(self, name: str) -> ChannelProbe:
        """A channel: by its own name, or by the variable of the top level that holds it.

        Raises:
            KeyError: there is none.
        """
        found = self.system.channels.find(name)
        if found is None:
            held = self.value(name)
            if not isinstance(held, Source):
                raise KeyError(name)
            return ChannelProbe(held)
        return ChannelProbe(found)

    def agent(self, name: str) -> AgentHandle:
        """An agent: by the name it was started under, or by the variable of the top level that holds it.

        Raises:
            KeyError: there is none.
        """
        handle = self.system.agents.get(normalize("NFC", name))
        if handle is None:
            held = self.value(name)
            if not isinstance(held, AgentHandle):
                raise KeyError(name)
            return held
        return handle

    async def ask(
        self, agent: str | AgentHandle, message: str, *arguments: Value, seconds: float = agents.ASK_SECONDS
    ) -> Value:
        """Ask an agent, as ``a.m(…)`` does.

        Raises:
            Fault: what the program would get.
        """
        handle = self.agent(agent) if isinstance(agent, str) else agent
        async with self._activity() as activity:
            answer = agents.ask(activity, handle, message, arguments, float(seconds))
            return await answer if iscoroutine(answer) else answer

    async def tell(self, agent: str | AgentHandle, message: str, *arguments: Value) -> None:
        """Tell an agent, as முகவர்_சொல் does."""
        handle = self.agent(agent) if isinstance(agent, str) else agent
        async with self._activity() as activity:
            answer = agents.tell(activity, handle, message, list(arguments))
            if iscoroutine(answer):
                await answer

    async def call(self, function: str, *arguments: Value) -> Value:
        """Call a function of the program, in an activity of its own.

        Raises:
            Fault: what the program raises.
            KeyError: there is no such function.
        """
        activity = Activity(self.running, f"சோதனை {function}")
        activity.enter(self.running.take_machine())
        assert activity.machine is not None
        found = activity.machine.functions.get(normalize("NFC", function))
        if found is None:
            await activity.close(True)
            raise KeyError(function)
        return await activity.live(activity.machine.call, found, *arguments)

    @asynccontextmanager
    async def _activity(self) -> AsyncIterator[Activity]:
        activity = Activity(self.running, "சோதனை")
        activity.enter(self.running.take_machine())
        try:
            yield activity
        finally:
            await activity.close(True)

    # ── jobs ─────────────────────────────────────────────────────────────────────────────────────

    def runs(self, job: str) -> int:
        """How many runs of this job have ended."""
        return self.running.ended.get(f"பணி {normalize('NFC', job)}", 0)

    async def wait_for_run(self, job: str, times: int = 1) -> None:
        """Wait until so many more runs of this job have ended, well or not."""
        await self.running.has_ended(f"பணி {normalize('NFC', job)}", self.runs(job) + times)

    # ── putting things out of order ──────────────────────────────────────────────────────────────

    def actor(self, path: str) -> Actor:
        """The actor at this place; a path that begins without / counts from the service.

        Raises:
            ActorStoppedError: there is none.
        """
        return self.reference(path)._actor

    def reference(self, path: str) -> Reference:
        """How others see the actor at this place."""
        return self.system.tree.at(path if path.startswith("/") else f"{self.path}/{path}")

    def crash(self, actor: str | AgentHandle, problem: BaseException | None = None) -> None:
        """Let an actor fail now, whatever it does: the actor at a path, or an agent.

        Raises:
            RuntimeError: it is not running.
        """
        reference = actor.reference if isinstance(actor, AgentHandle) else self.reference(actor)
        if reference is None or not reference._actor.crash(problem or InjectedCrash()):
            raise RuntimeError(f"‘{actor}’ is not running, so it cannot crash")

    def delay(
        self, seconds: float, word: str | None = None, *, activity: str | None = None, times: int = 1
    ) -> None:
        """Let the next words pause first: all, or those of this name, of the activity of this name."""
        key = word
        if word is not None:
            from etamil_actors.language.builtins import BUILTIN_OF

            builtin = BUILTIN_OF.get(normalize("NFC", word))
            key = builtin.english if builtin is not None else word
        self.system.delays.append(Delay(key, activity, seconds, times))

    def full(self, place: str | AgentHandle) -> AbstractContextManager[None]:
        """A block in which a channel has no room, or an agent is busy and its mailbox full.

        The place is a channel as for ``channel``, an agent as for ``agent``, or the path of an actor.
        """
        if isinstance(place, AgentHandle):
            return filled(place.target._actor)
        if "/" in place:
            return filled(self.actor(place))
        try:
            return filled(self.agent(place).target._actor)
        except KeyError:
            source = self.channel(place).source
            if not isinstance(source, Lane):
                raise TypeError(f"‘{place}’ is no queue in memory") from None
            return filled(source)

    # ── tests of the program itself ──────────────────────────────────────────────────────────────

    @property
    def tests(self) -> list[str]:
        """The names of its சோதனை blocks, in the order of the program."""
        return list(self._tests())

    def _tests(self) -> dict[str, int]:
        declared, tests = self.running.declared, blocks_of(self.running.image.program)
        return {name: tests[name].unit for name in tests if tests[name].number in declared}

    async def run_test(self, name: str, *, most_steps: int = MOST_STEPS) -> Verdict:
        """Run one of its சோதனை blocks, in this service as it is.

        Raises:
            KeyError: there is none of this name.
        """
        unit = self._tests()[name]
        running = self.running
        test = running.test = RunningTest(name, trio.current_time())
        activity = test.activity = Activity(running, f"சோதனை {name}")
        activity.enter(running.take_machine())
        assert activity.machine is not None
        where: list[Frame] = []

        def cut(why: str) -> bool:
            if test.scope.cancel_called:
                return False
            where.extend(place_of(activity))
            test.cut(why)
            return True

        verdict = Verdict(name, "passed")
        try:
            with self.system.watch.cutting(cut, most_steps), test.scope:
                await activity.live(activity.machine.run_body, unit)
        except ExpectationFailed as failed:
            test.failure = test.failure or failed.fault
        except BudgetSpent as spent:
            verdict = Verdict(name, "error", spent.fault)
        except Fault as problem:
            verdict = Verdict(name, "error", problem)
        except ExitRequested as leaving:
            self.system.leave(leaving.status)
            if leaving.status:
                verdict = Verdict(name, "expectation", _left(leaving.status))
        finally:
            running.test = None
            running.mocks.clear()
        if test.failure is not None:
            return Verdict(name, "expectation", test.failure)
        return Verdict(name, test.end, None, tuple(where)) if test.end else verdict

    # ── what must never be ───────────────────────────────────────────────────────────────────────

    @property
    def findings(self) -> list[Finding]:
        """What is wrong with the runtime, as far as it can be seen: leftovers and internal errors."""
        return self.system.findings + internal_errors(self.trace)


def _left(status: int) -> Fault:
    return Fault(
        "expectation",
        problem_ta=f"வெளியேறு({status}) சோதனையை நடுவிலேயே முடித்தது",
        problem_en=f"வெளியேறு({status}) has ended the test before its end",
    )


def place_of(activity: Activity) -> list[Frame]:
    """Where the program of an activity waits, innermost first."""
    program = activity.drive._program if activity.drive is not None else None
    frame = program.gr_frame if program is not None else None
    frames = []
    files = activity.service.image.program.files
    while frame is not None:
        code = frame.f_code
        if code.co_filename == FILE_MARK and frame.f_lineno != NO_PLACE:
            frames.append(_frame(code, frame.f_lasti, frame.f_lineno, files))
        frame = frame.f_back
    return frames


def internal_errors(trace: Trace) -> list[Finding]:
    """Failures that are the runtime's own."""
    return [finding for problem in trace.failures if (finding := internal(problem)) is not None]


def internal(problem: BaseException) -> Finding | None:
    """Is this failure the runtime's own?"""
    if isinstance(problem, InjectedCrash):
        return None
    if isinstance(problem, Fault):
        if problem.code != "internal":
            return None
        return Finding("internal", problem.tamil, problem.english, problem)
    if isinstance(problem, BaseExceptionGroup):
        return next(filter(None, map(internal, problem.exceptions)), None)
    if isinstance(problem, (EtamilError, ProgramEnd)) and not isinstance(problem, InternalError):
        return None
    text = f"{type(problem).__name__}: {problem}"
    return Finding("internal", f"இயக்கியில் ஒரு பிழை: {text}", f"an error in the runtime itself: {text}")


async def advance(moment: float, grace: float = GRACE) -> None:
    """Wait until this moment, and until all is done that is due at it."""
    await trio.sleep_until(at(moment + grace))
    await trio.testing.wait_all_tasks_blocked()


# ---- starting -------------------------------------------------------------------------


class Block(NamedTuple):
    """A சோதனை block of a program: its place among the declarations, and its body."""

    number: int
    unit: int


def blocks_of(program: Program) -> dict[str, Block]:
    """The tests of a program by name, in its order. What has no name, or that of another, gets one."""
    tests: dict[str, Block] = {}
    for number, row in enumerate(program.declared):
        if row.kind == "test":
            stem = name = row.name or "சோதனை"
            copy = 1
            while name in tests:
                copy += 1
                name = f"{stem} ({copy})"
            tests[name] = Block(number, row.unit)
    return tests


class Loaded(NamedTuple):
    """A program that is ready to be tested, as often as wanted."""

    program: Program
    names: frozenset[str]
    """The functions that it may replace."""
    module: Module | None = None
    sources: SourceMap | None = None


def load(name: str, text: str | bytes, files: Files, *, keep: bool = True, **options: Any) -> Loaded:
    """Read, check and compile a program for tests; ``keep`` makes all its variables readable for them.

    Raises:
        LoadFailed: it has errors.
    """
    from etamil_actors.language.compiler.generator import generate

    compiled = read_and_check(name, text, files, **options)
    if not compiled.is_sound:
        raise LoadFailed(compiled.problems, compiled.sources)
    names = replaceable(compiled.module)
    module, sources = compiled.module, compiled.sources
    program = compiled_or_failed(lambda: generate(module, sources, known=names, keep=keep), module, sources)
    return Loaded(program, names, module, sources)


@asynccontextmanager
async def open_service(
    text: str | bytes | Loaded, *, name: str = "t", **options: Any
) -> AsyncIterator[Service]:
    """Run a service from its text for the length of a block; see ``open_services`` for the options."""
    async with open_services({name: text}, **options) as services:
        yield services[name]


@asynccontextmanager
async def open_services(
    texts: Mapping[str, str | bytes | Loaded],
    *,
    seed: int = 0,
    files: Files | Mapping[str, str | bytes] | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: str | None = None,
    programs: Mapping[str, SimulatedProgram] | None = None,
    start: int = START,
    channels: Mapping[str, Mapping[str, Value]] | None = None,
    journal: Journal | None = None,
    faults: FaultKinds | None = None,
    kept_events: int | None = None,
    listeners: Sequence[Listener] = (),
    as_script: bool = False,
    how: Mapping[str, Mapping[str, Any]] | None = None,
    process: Mapping[str, Any] | None = None,
) -> AsyncIterator[dict[str, Service]]:
    """Run several services in one tree, by name, for the length of a block.

    The clock of this run of trio's must be virtual. ``seed`` decides what is random in the world; how tasks
    are scheduled is decided by whoever runs trio (``run_service``, ``run_seeded``). ``start`` is where
    the calendar begins, in seconds since 1970; ``stdin`` lets உள்ளிடு read. ``channels`` is what a
    configuration says of them. A ``journal`` of the test's own outlives the service, and the next one
    that gets it goes on where this one stopped. ``faults`` puts things out of order by seed. ``listeners``
    hear of every event from the beginning. ``how`` tells of each service by name what ``RunningService``
    wants to know, such as its ``settings``; ``process`` what ``System`` does, such as ``databases``.

    Raises:
        LoadFailed: a program has errors.
        StartError: a service did not start.
        TooManyRestartsError: something failed that restarts do not cure.
    """
    expect_virtual_time()
    ports = simulated_ports(
        seed=seed, start=start, files=files, environment=environment, stdin=stdin or "", programs=programs
    )
    sources = ports.files if files is not None else SimulatedFiles()
    loaded = {
        name: text if isinstance(text, Loaded) else load(f"{name}.qmz", text, sources)
        for name, text in texts.items()
    }
    events, trace, watch = EventStream(), Trace(kept_events), Watch()
    events.listen(trace)
    for listener in listeners:
        events.listen(listener)
    with Slicer(virtual=True) as slicer:
        system = SimulatedSystem(
            ports,
            slicer,
            watch=watch,
            kept=journal,
            seed=seed,
            events=events,
            configured=channels,
            has_console=stdin is not None,
            **(process or {}),
        )
        if faults is not None and faults.any:
            system.faults = Faults(faults, seed)
            watch.on_idle(system.faults.make_room)
        services = {}
        for name, one in loaded.items():
            mocks = Mocks(one.names, one.program.shared)
            given = {"as_script": as_script, **(how or {}).get(name, {})}
            running = SimulatedService(system, name, Image(one.program), mocks, **given)
            system.services[name] = running
            services[name] = Service(running, trace)
        jitter = _jitter(seed)
        trio.lowlevel.add_instrument(watch)
        try:
            async with run_system(system, jitter):
                yield services
        finally:
            trio.lowlevel.remove_instrument(watch)
            system.findings += left_in(system)
            system.findings += [
                Finding("internal", f"ஒரு பார்வையாளர் பிழையால் நின்றார்: {why!r}", f"a listener failed: {why!r}")
                for _, why in events.failures
            ]


def _jitter(seed: int) -> Callable[[], float]:
    from random import Random

    return Random(f"jitter {seed}").random


def left_in(system: System) -> list[Finding]:
    """What is still held although everything has ended."""
    found = []
    for channel in system.channels.channels:
        count = getattr(channel, "unsettled", 0)
        if count:
            found.append(
                Finding(
                    "delivery",
                    f"சேனல் ‘{channel.name}’: {count} செய்தி ஏற்கப்படவோ திருப்பப்படவோ இல்லை",
                    f"channel ‘{channel.name}’: {count} message(s) are not settled",
                )
            )
    for lock in system.locks.locks():
        if lock.holders:
            who = ", ".join(holder.name for holder in lock.holders)
            found.append(
                Finding("lock", f"{lock.text} இன்னும் {who} வசம் உள்ளது", f"{lock.text} is still held by {who}")
            )
    return found


def run_service(
    text: str | bytes | Loaded,
    scenario: Callable[[Service], Awaitable[T]],
    *,
    seed: int = 0,
    order: str = SHUFFLE,
    **options: Any,
) -> T:
    """Run a service and a scenario with it, alone in virtual time; the seed decides everything.

    Raises:
        WaitsForeverError: everybody waits, and nothing will ever happen.
    """

    async def run() -> T:
        hung = False
        async with open_service(text, seed=seed, **options) as service:
            with trio.CancelScope() as scope:

                def cut(why: str) -> bool:
                    nonlocal hung
                    if scope.cancel_called:
                        return False
                    hung = True
                    scope.cancel(why)
                    return True

                with service.system.watch.cutting(cut, inf):
                    return await scenario(service)
        assert hung
        raise WaitsForeverError

    return run_seeded(run, seed=seed, order=order)
