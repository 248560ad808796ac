"""Jobs: work that belongs to the service and to no request (EXTENSIONS §5).

A job that the program declares is one supervised actor (``instances`` of them) from start to stop; what it
does depends on its options:

```
nothing said    one run; `restart` says what follows when it has failed
every, cron     wait ─▶ run ─▶ wait …          a run that fails is told, and the schedule goes on
channel         take ─▶ run ─▶ acknowledge …   a message that fails comes again, in the end as a dead letter
```

A job that a handler starts runs once, under the same supervisor, and outlives the handler; its handle is
awaited like a task. Every run is an activity of its own. A job that is asked to stop takes no more, and
has its ``shutdown`` seconds to finish what it does; what is cut then gives back what it had taken.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from unicodedata import normalize

import trio

from etamil_actors.actors.actor import Actor, ActorSpec, Behaviour
from etamil_actors.actors.attempts import MAKER, Attempts, Dead, read_attempts, read_restart
from etamil_actors.actors.channels.base import Channel, Delivery, Source
from etamil_actors.actors.channels.letters import KEPT
from etamil_actors.actors.errors import ActorStoppedError
from etamil_actors.actors.events import Event
from etamil_actors.actors.moments import after, as_number
from etamil_actors.actors.programs.activity import Activity
from etamil_actors.actors.programs.spans import running
from etamil_actors.actors.programs.tasks import Outcome, Status
from etamil_actors.actors.programs.words import expect, word
from etamil_actors.actors.reference import Down, Reference
from etamil_actors.actors.restart import Backoff, Crashed, Ended, Restart
from etamil_actors.actors.schedule import DEFAULT_ZONE, Cron, Every, ScheduleError
from etamil_actors.errors import ActivityCancelled, BudgetSpent, ExitRequested, Fault, Frame
from etamil_actors.vm.convert import text_of
from etamil_actors.vm.options import count_of, flag_of, read_options, seconds_of, text_option
from etamil_actors.vm.template import Template
from etamil_actors.vm.values import Function, Handle, Value

if TYPE_CHECKING:
    from etamil_actors.actors.journal.jobs import StoredJob, StoredJobs
    from etamil_actors.actors.programs.service import RunningService
    from etamil_actors.vm.machine import Machine

SHUTDOWN_SECONDS: Final = 10.0
"""How long a run may take to finish at shutdown, if the program says nothing."""


@dataclass(slots=True)
class RunFailed(Event):
    """A run of a job has failed. ``delay`` is when it is tried again; nothing when it is not."""

    attempt: int
    problem: Fault
    delay: float | None
    is_letter: bool = False
    """Is what it was about kept among the dead letters?"""


class JobPlan(NamedTuple):
    """What a job is to do, read from its options."""

    name: str
    schedule: Every | Cron | None = None
    source: Source | None = None
    instances: int = 1
    restart: Restart = Restart.TRANSIENT
    attempts: Attempts = Attempts()
    timeout: float = float("inf")
    singleton: bool = False
    durable: bool = False
    shutdown: float = SHUTDOWN_SECONDS

    @property
    def when(self) -> str:
        """When it runs, for people: at intervals, by a calendar, for each message of a channel."""
        match self.schedule:
            case Every() as every:
                return f"every {every.seconds:g} s"
            case Cron() as cron:
                return f"cron {cron.text} ({cron.tz})"
        return f"← {self.source.name}" if isinstance(self.source, Channel) else ""


def read_plan(name: str, options: Mapping[str, Value]) -> JobPlan:
    """The plan of a job.

    Raises:
        Fault: an option has no sense.
    """
    if not name:
        raise _invalid("பணிக்கு ஒரு பெயர் தேவை", "a job needs a name")
    given = [option for option in ("every", "cron", "channel") if option in options]
    if len(given) > 1:
        both = ", ".join(given)
        raise _invalid(f"{both}: இவற்றில் ஒன்று மட்டுமே இருக்கலாம்", f"only one of {both} can be given")
    if "tz" in options and "cron" not in options:
        raise _invalid("‘tz’ ‘cron’ உடன் மட்டுமே பொருள்படும்", "‘tz’ means something only beside ‘cron’")
    schedule: Every | Cron | None = None
    source: Source | None = None
    attempts = read_attempts(options, scheduled="every" in options or "cron" in options)
    try:
        if "every" in options:
            schedule = Every(seconds_of(options, "every", "_job", 0.0))
        elif "cron" in options:
            schedule = Cron(
                text_option(options, "cron", "_job") or "", text_option(options, "tz", "_job") or DEFAULT_ZONE
            )
    except ScheduleError as wrong:
        raise wrong.fault() from None
    if "channel" in options:
        source = expect(
            Source,  # type: ignore[type-abstract]
            options["channel"],
            "_job",
            "‘சேனல்’ விருப்பத்தில் ஒரு சேனல்",
            "a channel as ‘channel’",
        )
        if "attempts" not in options and isinstance(source, Channel) and source.settings.attempts:
            attempts = Attempts(source.settings.attempts, attempts.backoff)
    return JobPlan(
        name,
        schedule,
        source,
        count_of(options, "instances", "_job", 1),
        read_restart(options, lasting=schedule is not None or source is not None),
        attempts,
        seconds_of(options, "timeout", "_job", float("inf")),
        flag_of(options, "singleton", "_job"),
        flag_of(options, "durable", "_job"),
        seconds_of(options, "shutdown", "_job", SHUTDOWN_SECONDS),
    )


def _invalid(tamil: str, english: str) -> Fault:
    return Fault("value.invalid", name=MAKER, problem_ta=tamil, problem_en=english)


# ---- the actor of a job ---------------------------------------------------------------

Prepare = Callable[[Activity], tuple[Callable[..., Value], tuple[Value, ...]]]
"""Gives an activity its machine, and answers what is to be run on it, without the message."""


class JobBehaviour(Behaviour):
    """One life of a job's actor: what all jobs share, which is waiting, running and being stopped."""

    leaves_letters = False
    """Is what fails too often kept among the dead letters?"""

    def __init__(self, service: RunningService, plan: JobPlan, prepare: Prepare) -> None:
        self.service = service
        self.plan = plan
        self.path = ""
        self.activity: Activity | None = None
        """The last run."""
        self.handle: Job | None = None
        """What the program has of it, where it wanted a value of a declared job."""
        self._prepare = prepare
        self._idle: trio.CancelScope | None = None
        self._stopping = False

    async def work(self, actor: Actor) -> None:
        """Do what the plan says, until there is nothing more to do or the actor is asked to stop."""
        self.path = actor.path
        if self.handle is not None:
            self.handle.consists_of(actor.reference)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._hear, actor.stopping)
            try:
                await self.do()
            except ActivityCancelled:
                if not self._stopping:
                    raise
                # It was asked to stop, and waited for a message.
            finally:
                nursery.cancel_scope.cancel("the job has ended")

    async def do(self) -> None:
        """One run, and what `restart` says when it has failed is the supervisor's."""
        value = await self.run()
        if self.handle is not None:
            self.handle.value = value

    async def _hear(self, stopping: trio.Event) -> None:
        await stopping.wait()
        self._stopping = True
        if self._idle is not None:
            self._idle.cancel("the job is asked to stop")
        if self.activity is not None:
            self.activity.ask_to_stop()

    async def wait(self, waiting: Callable[[], Awaitable[Any]]) -> Any:
        """Wait for the next thing to do; nothing when the job is asked to stop meanwhile."""
        found = None
        if not self._stopping:
            with trio.CancelScope() as self._idle:
                found = await waiting()
            self._idle = None
        return found

    async def pause(self, seconds: float) -> bool:
        """Let so much time pass; False when the job is asked to stop."""
        await self.wait(lambda: trio.sleep_until(after(seconds)))
        return not self._stopping

    # ── a run ────────────────────────────────────────────────────────────────────────────────────

    async def run(self, delivery: Delivery | None = None) -> Value:
        """One run, as an activity of its own, perhaps for a message.

        Raises:
            Fault: it failed; ``timeout`` when it took too long.
        """
        plan = self.plan
        if not plan.singleton:
            return await self._run(delivery)
        turn = self.service.system.locks.named(f"/root/{self.service.name}/jobs/{plan.name}")
        holder = Activity(self.service, f"பணி {plan.name}")
        await turn.acquire(holder)
        try:
            if self._stopping:  # it waited for its turn, and has nothing in hand
                raise ActivityCancelled
            return await self._run(delivery)
        finally:
            turn.release(holder)

    async def _run(self, delivery: Delivery | None) -> Value:
        activity = self.activity = self.new_activity()
        activity.is_stopping = self._stopping
        counts = self.service.system.runs.of(self.service.name, self.plan.name)
        began = trio.current_time()
        counts.running += 1
        within = running(activity, self.plan.name, delivery)
        try:
            value = await self._run_followed(activity, delivery)
        except BaseException as problem:
            counts.failed += isinstance(problem, Fault)
            # To be asked to stop, and to do so, is no error.
            is_well = isinstance(problem, ActivityCancelled) and self._stopping
            within.leave(None if is_well else problem)
            raise
        else:
            within.leave()
            return value
        finally:
            counts.running -= 1
            counts.runs += 1
            counts.seconds += trio.current_time() - began

    async def _run_followed(self, activity: Activity, delivery: Delivery | None) -> Value:
        try:
            entry, given = self._prepare(activity)
            message = () if delivery is None else (activity.value_of(delivery),)
        except Fault:
            await activity.close(well=False)
            raise
        with trio.CancelScope(deadline=after(self.plan.timeout)) as limit:
            try:
                return await activity.live(entry, *given, *message)
            except ExitRequested as leaving:
                self.service.system.leave(leaving.status)
            except BudgetSpent as spent:
                raise spent.fault from None
        if limit.cancelled_caught:
            raise Fault("timeout", seconds=as_number(self.plan.timeout))
        await self.wait(trio.sleep_forever)  # everything ends now: it shall not begin once more before
        return None

    def new_activity(self) -> Activity:
        """The activity of one run."""
        activity = Activity(self.service, f"பணி {self.plan.name}")
        activity.actor = self.path
        activity.is_background = self.plan.source is None
        return activity

    def failed(self, attempt: int, problem: Fault) -> float | None:
        """Tell that a run has failed; when it is to be tried again, if at all."""
        verdict = self.plan.attempts.verdict(attempt, self.service.system.tree.random())
        delay = None if isinstance(verdict, Dead) else verdict.delay
        is_letter = delay is None and self.leaves_letters
        self.service.system.tell(
            RunFailed(trio.current_time(), self.path, attempt, problem, delay, is_letter)
        )
        return delay


class ScheduledJob(JobBehaviour):
    """``every`` and ``cron``: a run that fails is told, and the schedule goes on."""

    async def do(self) -> None:
        """Wait and run, again and again."""
        clock, schedule = self.service.system.ports.clock, self.plan.schedule
        due = 0
        while not self._stopping:
            if isinstance(schedule, Cron):
                now = clock.wall()
                # The moment that was waited for counts, not that of waking, which may be a little early.
                due = schedule.next_after(now if now > due else due)
                pause = float(due - now)
            else:
                assert schedule is not None
                pause = schedule.seconds
            if await self.pause(pause):
                await self._tries()

    async def _tries(self) -> None:
        attempt = 1
        while True:
            try:
                await self.run()
                return
            except Fault as problem:
                delay = self.failed(attempt, problem)
                if delay is None or not await self.pause(delay):
                    return
            attempt += 1


class ConsumingJob(JobBehaviour):
    """``channel``: one run for each message, which is acknowledged when the run ends well."""

    leaves_letters = True

    async def do(self) -> None:
        """Take and run, again and again."""
        source = self.plan.source
        assert source is not None
        while not self._stopping:
            delivery = source.try_take() or await self.wait(source.take)
            if delivery is not None:
                await self._handle(delivery)
            elif not self._stopping:  # closed and empty for ever: there is nothing to do but to be there
                await self.wait(trio.sleep_forever)

    async def _handle(self, delivery: Delivery) -> None:
        try:
            await self.run(delivery)
        except Fault as problem:
            delay = self.failed(delivery.attempt, problem)
            if delay is None:
                delivery.bury(problem)
            else:
                delivery.give_back(delay)
        else:
            delivery.ack()
        finally:
            delivery.give_back()  # it was cut; after any settlement this changes nothing


# ---- jobs that the program declares ---------------------------------------------------


def declared_specs(service: RunningService) -> list[tuple[ActorSpec, bool]]:
    """The actors of the jobs that the program has declared, in the order of the program; and whether it is
    one that runs in one process only, where several serve the same.

    Raises:
        Fault: an option has no sense, or a name is used twice.
    """
    specs: list[tuple[ActorSpec, bool]] = []
    names: dict[str, int] = {}
    program = service.image.program
    told = service.declared
    if service.prelude_per_request:
        _refuse_what_lasts(service)
        told = {
            number: (Decimal(row.name),) if row.name else ()
            for number, row in enumerate(program.declared)
            if row.kind == "every"
        }
    for number, row in enumerate(program.declared):
        if row.kind not in ("job", "every") or row.is_inner or number not in told:
            continue
        file, line = program.place_of(row.place)
        try:
            plan = _declared_plan(row.kind, number, told[number])
            if (first := names.get(plan.name)) is not None:
                raise Fault(
                    "config",
                    problem_ta=f"‘{plan.name}’ என்ற பெயரில் இரண்டு பணிகள் உள்ளன (முதலாவது: வரி {first})",
                    problem_en=f"there are two jobs named ‘{plan.name}’ (the first in line {first})",
                )
        except Fault as problem:
            problem.trace = (Frame(file, line, 1, MAKER),)
            raise
        names[plan.name] = line
        # Another prelude will declare it anew, and then the handle is another one too.
        handle = service.handles.pop(number, None)
        if handle is not None and handle.outcome.is_over:
            continue  # it was stopped before it was started
        for instance in range(1, plan.instances + 1):
            spec = _spec(service, plan, row.unit, row.takes, instance, handle)
            specs.append((spec, plan.schedule is not None or plan.singleton))
        if handle is not None:
            handle.expected = plan.instances
    return specs


def _refuse_what_lasts(service: RunningService) -> None:
    """Where the top level runs for each request, nothing that it makes can last."""
    program = service.image.program
    for one in program.top_words:
        refused = Fault(
            "config",
            problem_ta=f"‘prelude: per_request’ உள்ள சேவையின் மேல்நிலையில் ‘{one.name}’ இருக்க முடியாது; அதைத்"
            " தனிச் சேவையாக்குங்கள், அல்லது அந்த அமைப்பை நீக்குங்கள்",
            problem_en=f"‘{one.name}’ cannot stand at the top level of a service with ‘prelude:"
            " per_request’; make it a service of its own, or take that setting away",
        )
        refused.trace = (Frame(*program.place_of(one.place), 1, one.name),)
        raise refused


def _declared_plan(kind: str, number: int, given: tuple[Value, ...]) -> JobPlan:
    if kind == "every":
        if not given:
            raise Fault(
                "config",
                problem_ta="‘prelude: per_request’ உள்ள சேவையில் இடைவெளியின் நொடிகளை எண்ணாகவே எழுத வேண்டும்",
                problem_en="in a service with ‘prelude: per_request’ the seconds of இடைவெளி are a number that"
                " is written out",
            )
        every = Every(max(1.0, float(int(given[0]))))
        return JobPlan(f"இடைவெளி:{number + 1}", every, restart=Restart.PERMANENT, attempts=Attempts(1))
    name = normalize("NFC", text_of(given[0]))
    return read_plan(name, read_options(given[1], "_job") if len(given) > 1 else {})


def _spec(
    service: RunningService, plan: JobPlan, unit: int, takes: int, instance: int, handle: Job | None
) -> ActorSpec:
    behaviour = _behaviour_of(plan)

    def make() -> JobBehaviour:
        made = behaviour(service, plan, prepare)
        made.handle = handle
        return made

    def prepare(activity: Activity) -> tuple[Callable[..., Value], tuple[Value, ...]]:
        machine = service.take_machine()
        activity.enter(machine)
        if service.prelude_per_request:  # and for each run
            return partial(run_with_top, machine), (unit,)
        # A body that could get a message is given one, or nothing.
        return machine.run_body, (unit,) if plan.source is not None or not takes else (unit, None)

    name = _stem(plan)
    return ActorSpec(
        name=name if instance == 1 else f"{name}#{instance}",
        make=make,
        restart=plan.restart,
        backoff=Backoff(),
        shutdown=plan.shutdown,
    )


def run_with_top(machine: Machine, unit: int) -> Value:
    """A body where the top level runs anew each time."""
    machine.run_top()
    return machine.run_body(unit)


def _stem(plan: JobPlan) -> str:
    """The name in the tree. It has no ``#``, so nobody takes the place of another: ``x`` is declared,
    ``x#2`` its second instance, ``x##7`` started once."""
    return plan.name.replace("/", "∕").replace("#", "＃")


def _behaviour_of(plan: JobPlan) -> type[JobBehaviour]:
    if plan.schedule is not None:
        return ScheduledJob
    return ConsumingJob if plan.source is not None else JobBehaviour


# ---- jobs that a handler starts -------------------------------------------------------


class Job(Handle):
    """A job, as its handle. One that the program declares consists of several actors if it has instances."""

    __slots__ = ("_ended", "activity", "expected", "is_cancelled", "name", "outcome", "references", "value")

    kind = "a job"

    def __init__(self, service: RunningService, name: str) -> None:
        self.name = name
        self.outcome = Outcome()
        self.activity = Activity(service, f"பணி {name}")
        """Stands for it where somebody waits for it."""
        self.references: list[Reference] = []
        self.expected = 1
        """How many actors it consists of."""
        self.is_cancelled = False
        """Has somebody said that it is not wanted any more?"""
        self.value: Value = None
        """What its last run has answered, if it is a declared one."""
        self._ended = 0

    @property
    def text(self) -> str:
        return f"<பணி {self.name}>"

    def cancel(self) -> None:
        """Let it end soon."""
        if self.outcome.is_over:
            return
        self.is_cancelled = True
        if not self.references:  # declared, and not yet started
            self.outcome.ended(Status.CANCELLED)
        for reference in list(self.references):
            reference.cancel("பணி_நிறுத்து")

    def consists_of(self, reference: Reference) -> None:
        """This actor is one of it, and it is over when all of them have ended for good."""
        if reference not in self.references:
            self.references.append(reference)
            reference.monitor(self._one_has_ended)

    def _one_has_ended(self, down: Down) -> None:
        self._ended += 1
        if self._ended < self.expected:
            return
        match down.exit:
            case Crashed(Fault() as fault):
                self.outcome.ended(Status.FAILED, fault=fault)
            case Crashed(problem):
                text = f"{type(problem).__name__}: {problem}"
                self.outcome.ended(Status.FAILED, fault=Fault("internal", problem=text))
            case Ended():
                self.outcome.ended(Status.DONE, self.value)
            case _:
                self.outcome.ended(Status.CANCELLED)


class OneTimeJob(JobBehaviour):
    """A job that runs until it has succeeded once, or has failed too often."""

    leaves_letters = True

    def __init__(self, start: Start, job: Job) -> None:
        super().__init__(start.service, start.plan, start.prepare)
        self.start = start
        self.job = job

    def new_activity(self) -> Activity:
        """That of its handle, so that who waits for the handle waits for whom the run waits for."""
        self.job.activity.actor = self.path
        return self.job.activity

    async def do(self) -> None:
        """Try it as often as it may be tried."""
        outcome = self.job.outcome
        try:
            if self.start.pause and not await self.pause(self.start.pause):
                return
            while not outcome.is_over:
                attempt = self.start.count()
                try:
                    value = await self.run()
                except Fault as problem:
                    delay = self.failed(attempt, problem)
                    if delay is None:
                        self.start.died(problem)
                        outcome.ended(Status.FAILED, fault=problem)
                    else:
                        self.start.will_try_again(delay)
                        if not await self.pause(delay):
                            return
                except ActivityCancelled:
                    if self._stopping:
                        self.start.was_stopped()
                    raise
                else:
                    self.start.succeeded()
                    outcome.ended(Status.DONE, value)
        finally:
            if self.job.is_cancelled:
                self.start.succeeded()  # nobody wants it any more
            outcome.ended(Status.CANCELLED)
            self.service.one_time.pop(self.job, None)


@word("_job")
def start_job(activity: Activity, name: Value, *rest: Value) -> Any:
    """பணி_உருவாக்கு inside an activity: a one-time job that outlives it."""
    *given, body = rest
    options = read_options(given[0], "_job") if given else {}
    plan = read_plan(text_of(name), options)
    if plan.schedule is not None or plan.source is not None or "instances" in options:
        raise Fault(
            "value.invalid",
            name=MAKER,
            problem_ta="every, cron, channel, instances ஆகியவை மேல்நிலைப் பணிகளுக்கு மட்டும்",
            problem_en="every, cron, channel and instances are for jobs at the top level only",
        )
    assert activity.machine is not None and isinstance(body, Function)
    start = Start(activity.service, plan, Template(activity.machine), body, activity.trace)
    if plan.durable:
        from etamil_actors.actors.programs.durable import keep  # databases are loaded by those who need one

        return keep(start, options)
    return start.begin()


class Start:
    """All that a one-time job begins with, so that it can begin again; and its place in the journal."""

    def __init__(
        self, service: RunningService, plan: JobPlan, globals: Template, body: Function, trace: str = ""
    ) -> None:
        self.service = service
        self.plan = plan
        self.globals = globals
        self.body = body
        self.trace = trace
        """The trace context of whoever has started it."""
        self.name = f"பணி {plan.name}"
        self.stored: StoredJob | None = None
        self.job: Job | None = None
        """Its last begin."""
        self.kept: StoredJobs | None = None
        self._attempt = 0

    def begin(self) -> Job:
        """Start it under the service's supervisor of jobs.

        Raises:
            Fault: ``cancelled``, no job is started any more. One that the journal has is kept for later.
        """
        service, plan = self.service, self.plan
        job = self.job = Job(service, plan.name)
        job.activity.trace = self.trace
        branch = service.jobs
        spec = ActorSpec(
            name=branch.fresh_name(f"{_stem(plan)}#"),
            make=lambda: OneTimeJob(self, job),
            restart=Restart.TEMPORARY,
            shutdown=plan.shutdown,
        )
        service.one_time[job] = None
        try:
            job.references.append(branch.start_child_nowait(spec))
        except ActorStoppedError:
            del service.one_time[job]
            job.outcome.ended(Status.CANCELLED)
            if self.stored is None:
                raise Fault(
                    "cancelled",
                    tamil=f"எல்லாம் நிறுத்தப்படுகிறது; ‘{plan.name}’ என்ற பணியைத் தொடங்க இயலாது",
                    english=f"everything is being stopped; the job ‘{plan.name}’ cannot be started",
                ) from None
        return job

    def prepare(self, run: Activity) -> tuple[Callable[..., Value], tuple[Value, ...]]:
        """A machine with the globals that its starter had."""
        machine = self.service.pour(self.globals)
        run.enter(machine)
        body = machine.adopt(self.body)
        return machine.call, (body, *[None] * body.arity)

    # ── tries ────────────────────────────────────────────────────────────────────────────────────

    @property
    def pause(self) -> float:
        """Seconds until it may be tried first: one that is resumed may stand between two tries."""
        return max(0.0, self.stored.due - trio.current_time()) if self.stored is not None else 0.0

    def count(self) -> int:
        """A try begins; it is counted before it runs."""
        if self.stored is None or self.kept is None:
            self._attempt += 1
            return self._attempt
        self.stored = self.kept.started(self.stored)
        return self.stored.attempt

    def succeeded(self) -> None:
        """It is done."""
        if self.stored is not None and self.kept is not None:
            self.kept.done(self.stored)
            self.stored = None

    def will_try_again(self, delay: float) -> None:
        """A try has failed, and there will be another."""
        if self.stored is not None and self.kept is not None:
            self.stored = self.kept.failed(self.stored, delay)

    def was_stopped(self) -> None:
        """The try was asked to stop and has, at a wait: that is no failure, and is not counted."""
        if self.stored is not None and self.kept is not None:
            self.stored = self.kept.not_tried(self.stored)

    def died(self, problem: Fault) -> None:
        """It has failed too often: it becomes a dead letter."""
        if self.stored is not None and self.kept is not None:
            self.kept.dead(self.stored, problem)
            self.stored = None
        else:
            self.service.dead_jobs.append(self)  # the list of letters knows it weakly
            del self.service.dead_jobs[:-KEPT]
            self.service.system.letters.add(self, self, self._attempt, problem)

    # What the list of dead letters wants of a channel and its message.
    value: Value = None
    key: str | None = None

    def put_again(self, value: Value, key: str | None) -> None:
        """Try it all again."""
        if self in self.service.dead_jobs:
            self.service.dead_jobs.remove(self)
        self._attempt = 0
        self.begin()
