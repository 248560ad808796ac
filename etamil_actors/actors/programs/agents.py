"""Agents: actors with state, written in the language (EXTENSIONS §8).

The *state* of an agent is what its program's shared names hold, as one tuple (``Machine.save``). Between
messages that tuple is all there is of it: it has no task and no machine. A message takes a machine from the
service's pool, pours the state in, runs the handler, and saves the state again:

```
parked: state ──pour──▶ machine ──handler──▶ save ──▶ state
                           └── an error that is an answer: the state of before stays
                           └── any other error: the asker gets it, and the agent is started again
```

The handler begins in the asker's own turn when nobody can tell the difference (``Behaviour.serve_now``):
one that does not wait needs no change of tasks at all. One that waits is handed on, as it stands, to a
worker that goes on with it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn
from unicodedata import normalize
from weakref import ref

from etamil_actors.actors.actor import Actor, ActorSpec, Behaviour
from etamil_actors.actors.errors import (
    ActorCrashedError,
    ActorStoppedError,
    AskSelfError,
    AskTimeoutError,
    MailboxFull,
    NameTakenError,
    StartError,
    describe,
)
from etamil_actors.actors.events import DeadReason
from etamil_actors.actors.mailbox import Overflow
from etamil_actors.actors.moments import as_number
from etamil_actors.actors.programs.activity import Activity, failure_of_children
from etamil_actors.actors.programs.spans import Within, answering
from etamil_actors.actors.programs.words import expect, tamil_of, word
from etamil_actors.actors.reference import Down, Reference
from etamil_actors.actors.restart import Backoff, Crashed, Cut, Exit, Restart, Stopped
from etamil_actors.errors import BudgetSpent, EtamilError, ExitRequested, Fault, InternalError
from etamil_actors.vm.convert import kind_of, text_of
from etamil_actors.vm.entering import entered
from etamil_actors.vm.machine import AgentInfo, Machine
from etamil_actors.vm.operations import wrong_count
from etamil_actors.vm.options import count_of, flag_of, read_options, seconds_of, text_option
from etamil_actors.vm.template import Template
from etamil_actors.vm.values import FieldInfo, Function, Handle, TwoNamed, Value

if TYPE_CHECKING:
    from etamil_actors.actors.programs.service import RunningService

ASK_SECONDS: Final = 5.0

MESSAGE_SECONDS: Final = 30.0
"""How long the handler of one message may compute, without counting its waits. An agent that never came back
from a message would be lost; so it is restarted instead."""

SHUTDOWN_SECONDS: Final = 10.0
SCRIPT_SECONDS: Final = 1.0
"""How long an agent may go on when it is asked to stop; it does not keep a script alive."""

ANSWERS: Final = frozenset(("validation", "not_found", "conflict"))
"""Codes of errors that are answers of an agent and no crash: what the message had changed is undone."""


class Call(NamedTuple):
    """A message to an agent."""

    name: str
    arguments: tuple[Value, ...]
    nesting: int = 0
    """In how many turns of askers it is handled, one within the other."""


MOST_NESTED: Final = 4
"""So many agents may serve or start each other in the turn of one asker; the next ones get a turn of their
own, so that a long row of agents is no deep row of calls."""


class Refused:
    """An answer that is an error, and no crash of the agent; or the end of the process, which reaches whoever
    waits for it."""

    __slots__ = ("_problem",)

    def __init__(self, problem: Fault | ExitRequested) -> None:
        self._problem: Fault | ExitRequested | None = problem

    def tell(self) -> NoReturn:
        """Raise it, once: its trace has the frames of those who have this answer, and would be a ring."""
        problem, self._problem = self._problem, None
        assert problem is not None
        try:
            raise problem
        finally:
            del problem


class AgentOptions(NamedTuple):
    """How an agent is started."""

    name: str | None = None
    restart: Restart = Restart.TRANSIENT
    mailbox: int = 1000
    overflow: Overflow = Overflow.WAIT
    keep: bool = False


class AgentHandle(Handle):
    """What a program holds of an agent. It stays good over restarts."""

    __slots__ = (
        "agent", "arguments", "kept", "nesting", "options", "origin", "reference", "service", "successor",
        "trace",
    )  # fmt: skip

    kind = "an agent"

    def __init__(
        self, service: RunningService, agent: AgentInfo, arguments: tuple[Value, ...], options: AgentOptions
    ) -> None:
        self.service = service
        self.agent = agent
        self.arguments = arguments
        """Its first arguments, from which it is restarted."""
        self.options = options
        self.origin: Template | None = None
        """The globals that its first life begins with when the prelude starts it, as there is no template."""
        self.kept: Template | None = None
        """The state of the last message that succeeded, where it is to be kept over restarts."""
        self.reference: Reference | None = None
        self.trace = ""
        """The trace context of whoever starts it, for its first life."""
        self.successor: AgentHandle | None = None
        """The agent that has taken its place, when the service has new code."""
        self.nesting = 0
        """How deep in the turns of others it does what it does now; 0 when it has a turn of its own."""

    @property
    def name(self) -> str:
        """What people call it."""
        return self.options.name or self.agent.name

    @property
    def text(self) -> str:
        return f"<முகவர் {self.name}>"

    @property
    def global_name(self) -> tuple[str, str] | None:
        """How it can be found from anywhere, where it has a name."""
        return ("agent", self.options.name) if self.options.name is not None else None

    @property
    def latest(self) -> AgentHandle:
        """Who is meant by it now."""
        handle = self
        while handle.successor is not None:
            handle = handle.successor
        return handle

    def enter_name(self) -> None:
        """Let it be found by its name, if it has one, for as long as it lives."""
        name, agents = self.options.name, self.service.system.agents
        if name is None or self.reference is None:
            return

        def forget(down: Down) -> None:
            if agents.get(name) is self:
                del agents[name]

        agents[name] = self
        self.reference.monitor(forget)

    @property
    def target(self) -> Reference:
        """Its actor."""
        if self.reference is None or not self.reference.is_alive:
            raise Fault("agent.stopped")
        return self.reference


class AgentBehaviour(Behaviour):
    """One life of an agent."""

    def __init__(self, handle: AgentHandle) -> None:
        self.handle = handle
        self.agent = handle.agent
        self.service = handle.service
        self.activity = Activity(handle.service, handle.name)
        self.activity.me = handle
        self.activity.budget = MESSAGE_SECONDS
        self.state: Template | None = None
        self._within: Within | None = None
        """The span of the message at hand."""

    # ── a life ───────────────────────────────────────────────────────────────────────────────────

    def start_now(self, actor: Actor) -> tuple[bool, Any]:
        """Run the body, whose names are the state, as far as it goes without waiting."""
        self.handle.reference = actor.reference  # the body may already give இது away
        if self.handle.kept is not None:
            self.state = self.handle.kept
            return True, None
        machine = self._machine(self.service.template or self.handle.origin)
        self.activity.trace, self.handle.trace = self.handle.trace, ""
        drive = self.activity.driving(machine.run_body)
        try:
            arguments = self._entered(self.agent.parameters, self.handle.arguments, machine)
            step = drive.begin(self.agent.unit, *arguments)
            if drive.is_over:
                self._has_begun(machine)
                return True, None
        except BaseException as problem:  # noqa: BLE001  raised again when everything is given back
            return False, self._not_begun(problem)
        return False, self._begin(machine, drive.carry_on(step))

    async def _begin(self, machine: Machine, running: Any) -> None:
        self.handle.nesting = 0
        try:
            await running
            self._has_begun(machine)
        except BaseException as problem:  # noqa: BLE001  raised again when everything is given back
            await self._not_begun(problem)

    def _has_begun(self, machine: Machine) -> None:
        self.activity.trace = ""
        self._look_after_children()
        self.state = Template(machine, self.service.template)
        self.activity.settle(well=True)
        self._release(machine)
        if self.handle.options.keep:
            self.handle.kept = self.state

    async def _not_begun(self, problem: BaseException) -> None:
        if isinstance(problem, ExitRequested):
            self.service.system.leave(problem.status)
        await self.activity.close(well=False)
        raise problem

    def _entered(
        self, parameters: Sequence[FieldInfo], arguments: Sequence[Value], machine: Machine
    ) -> list[Value]:
        shapes = machine.image.shapes
        return [
            entered(parameter, machine.adopt(argument), shapes)
            for parameter, argument in zip(parameters, arguments, strict=True)
        ]

    def has_cleanup(self, exit: Exit) -> bool:
        """Is there anything to do when it ends?"""
        return self.agent.on_stop >= 0 or self.activity.holds_something

    async def on_stop(self, actor: Actor, exit: Exit) -> None:
        """Run நிறுத்தும்போது, unless it has crashed; give everything back."""
        well = not isinstance(exit, Crashed)
        try:
            if well and self.agent.on_stop >= 0 and self.state is not None:
                self._machine(self.state)
                await self.activity.run_body(self.agent.on_stop)
        finally:
            await self.activity.close(well)

    # ── a message ────────────────────────────────────────────────────────────────────────────────

    def serve_now(self, call: Call, actor: Actor) -> tuple[bool, Any]:
        """Handle a message as far as it goes without waiting."""
        self.handle.nesting = call.nesting
        machine = self._machine(self.state)
        envelope = actor.envelope
        if envelope is not None:
            self._within = answering(self.activity, self.agent.name, call.name, envelope.trace)
        try:
            message = self.agent.messages[call.name]
            arguments = self._entered(message.parameters, call.arguments, machine)
            drive = self.activity.driving(machine.run_body)
            step = drive.begin(message.unit, *arguments)
            if not drive.is_over:
                return False, self._go_on(drive.carry_on(step))
            return True, self._handled(step)
        except BaseException as problem:  # noqa: BLE001  an answer, or raised again
            return True, self._refused(problem)

    async def on_message(self, call: Call, actor: Actor) -> Any:
        """Handle a message, waiting where the program waits."""
        done, answer = self.serve_now(call if not call.nesting else Call(*call[:2]), actor)
        return answer if done else await answer

    async def _go_on(self, running: Any) -> Any:
        self.handle.nesting = 0
        try:
            answer = self._handled(await running)
        except BaseException as problem:  # noqa: BLE001  an answer, or raised again
            answer = self._refused(problem)
        if self.activity.lent is not None:
            await self.activity.lent.rest()
        return answer

    def _handled(self, value: Value) -> Value:
        machine = self.activity.machine
        assert machine is not None
        if self.activity.children:
            self._look_after_children()
        if self._within is not None:
            self._leave_span(None)
        self.state = Template(machine, self.state)
        if self.activity.taken:
            self.activity.settle(well=True)
        self._release(machine)
        if self.handle.options.keep:
            self.handle.kept = self.state
        return value

    def _refused(self, problem: BaseException) -> Refused:
        """The error as an answer, if it is one; its changes are forgotten with the machine."""
        if self._within is not None:
            self._leave_span(problem)
        machine = self.activity.machine
        self.activity.settle(well=False)
        if machine is not None:
            self._release(machine)
        if isinstance(problem, Fault) and problem.code in ANSWERS:
            return Refused(problem)
        if isinstance(problem, ExitRequested):
            self.service.system.leave(problem.status)
            return Refused(problem)
        raise problem

    def _leave_span(self, problem: BaseException | None) -> None:
        within, self._within = self._within, None
        assert within is not None
        within.leave(problem)

    def _look_after_children(self) -> None:
        failure = failure_of_children(self.activity)
        if failure is not None:
            raise failure

    # ── machines ─────────────────────────────────────────────────────────────────────────────────

    def _machine(self, state: Template | None) -> Machine:
        if state is None:
            raise InternalError("an agent without a state")
        machine = self.service.pour(state)
        self.activity.enter(machine)
        return machine

    def _release(self, machine: Machine) -> None:
        self.activity.machine = None
        self.service.give_back_machine(machine)


# ---- starting -------------------------------------------------------------------------


@word("start_agent")
def start_by_name(activity: Activity, name: str, arguments: tuple[Value, ...]) -> Any:
    """``name(arguments)``."""
    agent = activity.service.image.agents[name]
    if len(arguments) != len(agent.parameters):
        wrong_count(name, str(len(agent.parameters)), arguments)
    return start(activity, agent, tuple(arguments), AgentOptions())


@word("_startAgent")
def start_agent(activity: Activity, agent: Value, *rest: Value) -> Any:
    """முகவர்_தொடங்கு(agent [, arguments] [, options])."""
    kind = None
    if isinstance(agent, Function):
        image = activity.service.image
        kind = image.agents.get(image.agent_of_unit.get(agent.unit, ""))
    if kind is None:
        raise Fault(
            "value.kind",
            name=tamil_of("_startAgent"),
            wanted_ta="ஒரு முகவரின் பெயர்",
            wanted_en="the name of an agent",
            kind=kind_of(agent),
        )
    arguments: Value = []
    options: Value = None
    for argument in rest:
        if isinstance(argument, list):
            arguments = argument
        elif argument is not None:
            options = argument
    if len(arguments) != len(kind.parameters):
        wrong_count(kind.name, str(len(kind.parameters)), arguments)
    return start(activity, kind, tuple(arguments), options_of(options))


def options_of(record: Value) -> AgentOptions:
    """The options of முகவர்_தொடங்கு.

    Raises:
        Fault: ``option.unknown``, ``value.kind``, ``value.invalid``.
    """
    if record is None:
        return AgentOptions()
    given = read_options(record, "_startAgent")
    name = text_option(given, "name", "_startAgent")
    return AgentOptions(
        name=normalize("NFC", name) if name is not None else None,
        restart=Restart(given.get("restart", Restart.TRANSIENT.value)),
        mailbox=count_of(given, "mailbox", "_startAgent", 1000),
        overflow=Overflow(given.get("overflow", Overflow.WAIT.value)),
        keep=flag_of(given, "keep", "_startAgent"),
    )


def start(
    activity: Activity, agent: AgentInfo, arguments: tuple[Value, ...], options: AgentOptions
) -> Any:
    """Start an agent, and answer when its body has run: at once, or as a coroutine.

    Raises:
        Fault: what its body raised; ``conflict``, the name is taken.
    """
    service = activity.service
    if options.name is not None and not service.is_waiting and options.name in service.system.agents:
        raise _not_started(NameTakenError(options.name), options)
    handle = AgentHandle(service, agent, arguments, options)
    handle.trace = activity.trace
    if service.template is None and activity.machine is not None:
        handle.origin = Template(activity.machine)
    branch = service.agents
    spec = ActorSpec(
        name=branch.fresh_name(agent.name),
        make=lambda: AgentBehaviour(handle),
        restart=options.restart,
        backoff=BACKOFF,
        capacity=options.mailbox,
        overflow=options.overflow,
        register=None if service.is_waiting else options.name,
        drain=True,
        shutdown=SCRIPT_SECONDS if service.as_script else SHUTDOWN_SECONDS,
    )
    me = activity.me
    if type(me) is AgentHandle:
        if me.nesting >= MOST_NESTED:
            return _start_later(handle, spec)
        handle.nesting = me.nesting + 1
    try:
        is_ready, starting = branch.try_start_child(spec)
    except Exception as problem:  # noqa: BLE001  told in the program's words
        raise _not_started(problem, options) from None
    return _started(handle) if is_ready else _start(handle, starting)


async def _start_later(handle: AgentHandle, spec: ActorSpec) -> Value:
    return await _start(handle, handle.service.agents.start_child(spec))


async def _start(handle: AgentHandle, starting: Awaitable[Reference]) -> Value:
    try:
        handle.reference = await starting
    except Exception as problem:  # noqa: BLE001  told in the program's words
        raise _not_started(problem, handle.options) from None
    return _started(handle)


def _started(handle: AgentHandle) -> Value:
    if not handle.service.is_waiting:
        handle.enter_name()
    return handle


def _not_started(problem: Exception, options: AgentOptions) -> BaseException:
    match problem:
        case StartError():
            return fault_in(problem.problem)
        case NameTakenError():
            return Fault(
                "conflict",
                tamil=f"‘{options.name}’ என்ற பெயரில் ஒரு முகவர் ஏற்கெனவே உள்ளார்",
                english=f"there is an agent named ‘{options.name}’ already",
            )
        case ActorStoppedError():
            return Fault("agent.stopped")
    return problem


BACKOFF: Final = Backoff(initial=0.05, cap=30.0, reset=10.0, free=3)
"""The first failures in a row are restarted at once; an agent that goes on failing is slowed down, so
that it never uses up the patience of its supervisor and takes others along."""


def fault_in(problem: BaseException) -> BaseException:
    """The program's error in what a crash was."""
    if isinstance(problem, BudgetSpent):
        return problem.fault
    if isinstance(problem, (Fault, EtamilError)):
        return problem
    if isinstance(problem, ExitRequested):  # it reaches whoever waits, too
        return ExitRequested(problem.status)
    return Fault("internal", problem=f"{type(problem).__name__}: {problem}")


# ---- asking and telling ---------------------------------------------------------------


def an_agent(value: Value, key: str) -> AgentHandle:
    """This value, which must be an agent."""
    return expect(AgentHandle, value, key, "ஒரு முகவர்", "an agent")


@word("method")
def call_method(activity: Activity, target: Value, name: str, arguments: tuple[Value, ...]) -> Any:
    """``a.m(…)``: asks and waits. Other handles have methods of their own."""
    if type(target) is AgentHandle:
        return ask(activity, target, name, arguments, ASK_SECONDS)
    methods = getattr(target, "methods", {})
    if name not in methods:
        raise Fault("method.missing", name=name)
    return methods[name](activity, target, *arguments)


@word("_ask")
def ask_word(activity: Activity, target: Value, name: Value, *rest: Value) -> Any:
    """முகவர்_கேள்(a, "m", [..], {"timeout": n})."""
    arguments, options = _rest(rest)
    seconds = ASK_SECONDS
    if options is not None:
        seconds = seconds_of(read_options(options, "_ask"), "timeout", "_ask", ASK_SECONDS)
    return ask(activity, an_agent(target, "_ask"), text_of(name), arguments, seconds)


def _rest(rest: Sequence[Value]) -> tuple[tuple[Value, ...], Value]:
    arguments: tuple[Value, ...] = ()
    options: Value = None
    for value in rest:
        if isinstance(value, list):
            arguments = tuple(value)
        elif value is not None:
            options = value
    return arguments, options


def ask(
    activity: Activity, handle: AgentHandle, name: str, arguments: tuple[Value, ...], seconds: float
) -> Any:
    """Ask an agent: its answer at once when it can be had without waiting, else a coroutine."""
    if handle.successor is not None:
        handle = handle.latest
    call = _call(handle, name, arguments)
    me = activity.me
    if me is handle:
        raise Fault("agent.self")
    if type(me) is AgentHandle:
        if me.nesting >= MOST_NESTED:
            return _ask_later(activity, handle, call, seconds)
        call = Call(name, arguments, me.nesting + 1)
    try:
        answered, answer = handle.target.try_ask(call, seconds, trace=activity.trace)
    except Exception as problem:  # noqa: BLE001  told in the program's words
        raise _told(problem) from None
    return _answer(activity, answer) if answered else _ask(activity, answer)


async def _ask_later(activity: Activity, handle: AgentHandle, call: Call, seconds: float) -> Value:
    # Whoever waits is taken out of the turns of others, so there is nothing above this any more.
    return await _ask(activity, handle.target.ask(call, seconds, trace=activity.trace))


async def _ask(activity: Activity, asking: Awaitable[Any]) -> Value:
    try:
        answer = await asking
    except Exception as problem:  # noqa: BLE001  told in the program's words
        raise _told(problem) from None
    return _answer(activity, answer)


def _answer(activity: Activity, answer: Any) -> Value:
    if type(answer) is Refused:
        answer.tell()
    assert activity.machine is not None
    return activity.machine.adopt(answer)


def _call(handle: AgentHandle, name: str, arguments: tuple[Value, ...]) -> Call:
    message = handle.agent.messages.get(name)
    if message is None:
        raise Fault("agent.message", name=name)
    if len(arguments) != len(message.parameters):
        wrong_count(name, str(len(message.parameters)), arguments)
    return Call(name, arguments)


def _told(problem: Exception) -> BaseException:
    """What went wrong between actors, in the words of a program."""
    match problem:
        case ActorCrashedError():
            return fault_in(problem.problem)
        case ActorStoppedError():
            return Fault("agent.stopped")
        case AskSelfError():
            return Fault("agent.self")
        case AskTimeoutError():
            return Fault("timeout", seconds=as_number(problem.seconds))
        case MailboxFull():
            return Fault("overloaded")
    return problem


@word("_tell")
def tell(activity: Activity, target: Value, name: Value, arguments: Value = None) -> Any:
    """முகவர்_சொல்: no answer is waited for; only a full mailbox makes the teller wait."""
    handle = an_agent(target, "_tell").latest
    call = _call(handle, text_of(name), tuple(arguments or ()))
    try:
        handle.target.tell_nowait(call, trace=activity.trace)
    except MailboxFull:
        if handle.options.overflow is not Overflow.WAIT:
            raise Fault("overloaded") from None
        return _tell(handle, call, activity.trace)
    except ActorStoppedError:
        if activity.me is handle:
            # It is asked to stop and takes nothing more, not even from itself. That is no reason to crash.
            tree = activity.service.system.tree
            tree.dead_letters.add(handle.target.path, call, DeadReason.LEFT)
            return None
        raise Fault("agent.stopped") from None
    return None


async def _tell(handle: AgentHandle, call: Call, trace: object) -> None:
    try:
        await handle.target.tell(call, trace=trace)
    except ActorStoppedError:
        raise Fault("agent.stopped") from None


# ---- finding, watching, stopping ------------------------------------------------------


@word("_whereis")
def whereis(activity: Activity, name: Value) -> Value:
    """முகவர்_தேடு."""
    handle = activity.service.system.agents.get(normalize("NFC", text_of(name)))
    if handle is None or handle.reference is None or not handle.reference.is_alive:
        return None
    return handle


@word("_stopAgent")
def stop_agent(activity: Activity, target: Value) -> Any:
    """முகவர்_நிறுத்து. An agent that stops itself does so after the message at hand."""
    handle = an_agent(target, "_stopAgent")
    if handle.reference is None or not handle.reference.is_alive:
        return None
    if activity.me is handle:
        handle.reference.request_stop("முகவர்_நிறுத்து")
        return None
    return handle.reference.stop("முகவர்_நிறுத்து")


DOWN_NAMES: Final = {"முகவர்": "agent", "காரணம்": "reason"}


@word("_monitor")
def monitor(activity: Activity, target: Value) -> Value:
    """முகவர்_கண்காணி: a channel that gets one message when the agent has ended."""
    handle = an_agent(target, "_monitor").latest
    service = activity.service
    channel = service.system.channels.unnamed(f"{handle.name}↓", {"capacity": 1}, service.path)

    # Held weakly: an agent that lives long may be watched by many who have forgotten their channels.
    heard = ref(channel, lambda _: watch.end())

    def notify(down: Down) -> None:
        channel = heard()
        if channel is not None:
            channel.send_nowait(TwoNamed({"agent": handle, "reason": reason_of(down.exit)}, DOWN_NAMES))
            channel.close()

    if handle.reference is None:
        raise Fault("agent.stopped")
    watch = handle.reference.monitor(notify)
    return channel


def reason_of(exit: Exit) -> str:
    """Why an actor has ended, in the program's words."""
    match exit:
        case Crashed():
            return describe(exit.problem)
        case Stopped() | Cut():
            return "நிறுத்தப்பட்டது"
    return "முடிந்தது"
