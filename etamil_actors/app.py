"""The roof: how a process with services is put together, lives, and ends.

``serve`` is ``etamil-actors up``: services in one tree until a signal comes or a program says வெளியேறு.

Signals are heard by a handler of our own and obeyed by one task:

```
first    everything is taken down in order     (while it starts: the start is given up)
second   what still runs is cut
third    the process ends at once, 130 or 143
```

trio's signal receiver merges signals that come together, so a quick second one would be lost; and the
third must work even when the event loop does not turn.

The exit status is 0 when everything ended in order, n after வெளியேறு(n), and 1 when something had to be cut
or the tree gave up.
"""

from __future__ import annotations

import errno
import os
import resource
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, NoReturn
from weakref import WeakKeyDictionary

import trio

from etamil_actors.actors.actor import Actor, ActorSpec, Behaviour
from etamil_actors.actors.errors import StartError, TooManyRestartsError, describe
from etamil_actors.actors.events import EventStream
from etamil_actors.actors.moments import after
from etamil_actors.actors.programs.replacing import generations
from etamil_actors.actors.programs.shutdown import Shutdown
from etamil_actors.actors.programs.system import System, open_system
from etamil_actors.actors.programs.words import WORDS
from etamil_actors.actors.programs.world import Ports
from etamil_actors.edge.addresses import AddressError
from etamil_actors.errors import BudgetSpent, Fault
from etamil_actors.leases import LocalLease
from etamil_actors.observe.admin import About, Facts, admin_spec
from etamil_actors.observe.lines import BAD, NOTE, WARN, Lines
from etamil_actors.observe.recent import Recent
from etamil_actors.plan import Plan, expect_services_of_log, make_folders, service_plan
from etamil_actors.ports.web import WebSettings
from etamil_actors.renewing import Read, Renewal
from etamil_actors.resource_settings import ResourceSettings
from etamil_actors.resources.databases import RealDatabases
from etamil_actors.resources.redis import SystemRedisServers
from etamil_actors.resources.web import SystemWeb
from etamil_actors.script import SILENT, ScriptWorld, fault_text
from etamil_actors.vm.log_line import RANKS, Secrets
from etamil_actors.vm.machine import allow_deep_calls

if TYPE_CHECKING:
    from etamil_actors.actors.behaviour import Spec
    from etamil_actors.actors.programs.activity import Activity
    from etamil_actors.actors.programs.service import RunningService
    from etamil_actors.commands.announcing import Started
    from etamil_actors.edge.observer import Observer
    from etamil_actors.edge.server import Edge
    from etamil_actors.observe.settings import LogSettings
    from etamil_actors.ports import Clock
    from etamil_actors.ports.databases import Databases
    from etamil_actors.ports.redis import RedisServers
    from etamil_actors.ports.web import Web
    from etamil_actors.vm.values import Value

SLOW_START: Final = 3.0
"""A start that takes so long is told, again and again, so that nobody wonders."""

END_SECONDS: Final = 20.0
"""When every step of the shutdown is done, the rest may take so long; then the process ends by force."""

MAILBOXES: Final = "அஞ்சல்பெட்டிகள் / mailboxes"
CHANNELS: Final = "சேனல்கள் / channels"

ENDING: Final = (signal.SIGINT, signal.SIGTERM)
RELOADING: Final = (signal.SIGHUP,)
"""For a service without a terminal. Where there is one, the same signal says that it has gone."""


Announce = Callable[[System, "Process"], Iterable["Started"]]
"""Puts into words what has started, and where it is served."""

Ready = Callable[[], None]

Watch = Callable[[Callable[[], None]], Awaitable[None]]
"""Calls this whenever a file of a service has changed, until it is cancelled."""


def know_words_that_start_a_server() -> None:
    """Words of 2.0 that start the tests do nothing: they are run by a command of their own."""
    for key in SILENT:
        WORDS.setdefault(key, _do_nothing)


def _do_nothing(activity: Activity, *arguments: Value) -> None:
    """What is done already."""


# ---- signals --------------------------------------------------------------------------


class Signals:
    """The signals of a process while it serves, one after the other; none is lost."""

    def __init__(
        self,
        end: Callable[[int], Any],
        ending: Sequence[signal.Signals] = ENDING,
        others: Sequence[signal.Signals] = RELOADING,
        last: int = 3,
    ) -> None:
        """``end`` ends the process at once, with a status, when so many that want it to end have come."""
        self._end = end
        self._ending = ending
        self.others = others
        """Those that do not end the process."""
        self._last = last
        self._came: list[int] = []
        self._count = 0
        self._arrived = trio.Event()
        self._token = trio.lowlevel.current_trio_token()

    @contextmanager
    def heard(self) -> Iterator[Signals]:
        """Hear them for the length of a block. What somebody has set to be ignored stays so."""
        before = {}
        for number in (*self._ending, *self.others):
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, self._on_signal)
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if number in self._ending:
            self._count += 1
            if self._count >= self._last:
                self._end(128 + number)
        self._came.append(number)
        self._token.run_sync_soon(self._wake, idempotent=True)

    def _wake(self) -> None:
        self._arrived.set()

    async def next(self) -> int:
        """Wait for the next signal."""
        while not self._came:
            self._arrived = trio.Event()
            if not self._came:
                await self._arrived.wait()
        return self._came.pop(0)


def end_at_once(status: int) -> NoReturn:
    """End the process without giving anything back."""
    os._exit(status)


class UnderLease(Behaviour):
    """Of several processes that serve the same, one runs what may run once only: who holds the lease."""

    def __init__(self, system: System, path: str) -> None:
        self._system = system
        self._path = path

    async def work(self, actor: Actor) -> None:
        """Wait for the lease, and keep it for as long as this process lives. Raises: OSError."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._hold)
            await actor.stopping.wait()
            nursery.cancel_scope.cancel("the process ends")

    async def _hold(self) -> None:
        async with LocalLease(self._path):
            self._system.is_first.set()
            await trio.sleep_forever()


# ---- a process that serves ------------------------------------------------------------


class Process:
    """From the start of the services to the exit status."""

    def __init__(
        self,
        lines: Lines,
        *,
        end: Callable[[int], Any] = end_at_once,
        ready: Ready | None = None,
        leaves: Ready | None = None,
    ) -> None:
        """``ready`` is called when everything serves, ``leaves`` when a program wants the process to end."""
        self.lines = lines
        self._leaves = leaves
        self.edge: Edge | None = None
        self.observer: Observer | None = None
        self._ready = ready
        self.events = EventStream()
        self.status = 0
        self._end = end
        self._start = trio.CancelScope()
        self._shutdown: Shutdown | None = None
        self._is_taken_down = trio.Event()
        self._signals = 0
        self._levels: WeakKeyDictionary[RunningService, str] = WeakKeyDictionary()
        """What programs have said of their log, which counts where the configuration is silent."""
        self.renewal = Renewal(self)
        self._starting: Mapping[str, RunningService] = {}
        """The services, once the start has begun."""

    @property
    def urls(self) -> Sequence[str]:
        """Where clients find what is served."""
        return self.edge.urls if self.edge is not None else ()

    @property
    def pages(self) -> Sequence[str]:
        """Where people look at what runs."""
        return self.observer.urls if self.observer is not None else ()

    async def live(self, plan: Plan, ports: Ports, announce: Announce) -> None:
        """Run everything until it is to end, and take it down."""
        plans = [service_plan(one) for one in plan.services]
        self.events.listen(self.lines.hear, messages=False)
        try:
            with self._start:
                async with open_system(
                    ports,
                    plans,
                    events=self.events,
                    channels=plan.channels,
                    journal=plan.journal,
                    databases=plan.resources.databases,
                    auth=plan.auth,
                    opening=lambda system: self._open_others(system, plan),
                ) as system:
                    await self._serve(system, announce)
        except AddressError as wrong:
            self.status = 1
            self.lines.say(wrong.tamil, wrong.english, BAD)
        except Fault as wrong:
            self.status = 1
            self.lines.put(wrong.message, BAD)
        except StartError as failed:
            self.status = 1
            self._report_start(failed)
        except TooManyRestartsError as failed:
            self.status = 1
            self.lines.put(f"செயல்முறை கைவிடுகிறது  (the process gives up)\n{failed}", BAD)
        finally:
            for one in (self.edge, self.observer):
                if one is not None:
                    one.close()
        ports.console.flush()

    def _open_others(self, system: System, plan: Plan) -> Sequence[Spec]:
        """What stands in the tree beside the services. Raises: AddressError, Fault."""
        others: list[Spec] = []
        self._starting = system.services
        self._watch(system, plan)
        make_folders(plan)
        if plan.lease:
            system.is_first = trio.Event()
            others.append(ActorSpec(name="lease", make=lambda: UnderLease(system, plan.lease)))
        edge = self._open_edge(system, plan)
        return [*others, *self.renewal.begin(system, plan), *edge, *self._open_to_look(system, plan)]

    def _open_to_look(self, system: System, plan: Plan) -> Iterator[Spec]:
        """Where people look at what runs: the socket of the commands, the page. Raises: AddressError."""
        about = About(
            plan.title,
            plan.config,
            urls=lambda: list(self.urls),
            numbers=lambda: self.edge.numbers() if self.edge is not None else {},
        )
        recent = Recent()
        self.events.listen(recent.hear, messages=False)
        facts = Facts(system, about, recent)
        yield admin_spec(facts, plan.config, self.lines.say)
        page = plan.resources.observer
        if page is not None and plan.child in (None, 1):
            from etamil_actors.edge.observer import Observer
            from etamil_actors.observe.siblings import Everyone

            self.observer = Observer(
                system,
                page.bind,
                page.secret,
                Everyone(facts, plan.config).answer,
                reuse_port=plan.child is not None,
                report=self._report_request,
            )
            yield self.observer.spec()

    def _watch(self, system: System, plan: Plan) -> None:
        """Who logs what. Raises: Fault ``config``."""
        expect_services_of_log(plan)
        self.take_log(system, plan)
        if plan.resources.tracing is not None:
            from etamil_actors.resources.telemetry.otlp import open_tracer

            system.tracer = open_tracer(plan.resources.tracing, system.keeper, name=plan.title)

    def take_log(self, system: System, plan: Plan, before: LogSettings | None = None) -> None:
        """Let what the plan says of the log hold. ``before`` is what has held until now."""
        log = plan.resources.log
        for service in generations(system):
            self.set_log(service, plan)
        system.choose_log = partial(self._choose_log, plan)
        if before is not None:
            self.lines.tell_from(log.level)
            if (log.format, "format" in log.said) != (before.format, "format" in before.said):
                self.lines.write_as(json=is_json(log.format, sys.stderr.isatty()))

    def _choose_log(self, plan: Plan, service: RunningService, level: str | None, form: str | None) -> None:
        """What a program says of its log, where the configuration is silent."""
        if level is not None:
            self._levels[service] = level
            self.set_log(service, plan)
        if form is not None and "format" not in plan.resources.log.said:
            self.lines.write_as(json=is_json(form, sys.stderr.isatty()))

    def set_log(self, service: RunningService, plan: Plan) -> None:
        """What is written of what its program logs."""
        log = plan.resources.log
        level = log.levels.get(service.name, log.level)
        if "level" not in log.said and service.name not in log.levels:
            level = self._levels.get(service, level)
        service.least_logged = RANKS["debug" if plan.verbose else level]
        service.secrets = Secrets(log.mask)

    def _open_edge(self, system: System, plan: Plan) -> Sequence[Spec]:
        if not plan.http.bind and not any(map(_answers_requests, system.services.values())):
            return ()
        from etamil_actors.edge.server import Edge
        from etamil_actors.language.romanise import romanise

        self.edge = edge = Edge(
            system,
            plan.http,
            name=plan.title,
            reuse_port=plan.child is not None,
            write_access=_write_error,
            has_terminal=sys.stderr.isatty(),
            ascii_name=romanise,
            warn=partial(self.lines.say, mark=WARN),
            report=self._report_request,
        )
        if plan.http.metrics:
            from etamil_actors.resources.telemetry.numbers import ProgramNumbers

            numbers = system.numbers = ProgramNumbers(ascii_name=romanise, tell=system.keeper.tell)
            edge.collectors.append(numbers)
            edge.more_numbers.append(number_of_lost_lines(self.lines))
            if plan.child is not None:
                edge.has_siblings(f"{plan.lease.removesuffix('-lease')}-numbers", plan.child)
        edge.bind()
        return (edge.spec(),)

    def _report_request(self, problem: BaseException, request: str) -> None:
        head = f"கோரிக்கை {request}: இயக்கியின் பிழை  (request {request}: a mistake of the runtime)"
        self.lines.put(f"{head}: {describe(problem)}", BAD)
        if self.lines.verbose:
            self.lines.put("".join(traceback.format_exception(problem)))

    def _tell_start(self, started: Iterable[Started]) -> None:
        """What has started is told at once, and before all else."""
        if self.lines.as_json:
            for one in started:
                self.lines.note(one.event, "", NOTE, message=one.message, **one.told)
        else:
            sys.stderr.write("".join(f"{line}\n" for one in started for line in one.lines))
            sys.stderr.flush()

    async def _serve(self, system: System, announce: Announce) -> None:
        lines, edge = self.lines, self.edge
        lines.is_starting = False
        lines.watch({MAILBOXES: system.tree.dead_letters.count, CHANNELS: system.letters.count})
        hooks = edge.hooks() if edge is not None else None
        self._shutdown = shutdown = Shutdown(system, lines.say, hooks=hooks)
        if not system.leaving.is_set():
            try:
                self._tell_start(announce(system, self))
            except OSError:  # nobody reads it any more; the services run all the same
                _forget_stderr()
        if self._ready is not None:
            self._ready()
        self.renewal.may_begin.set()
        await system.leaving.wait()
        if self._leaves is not None and not self._signals:
            self._leaves()
        lines.say("நிறுத்தப்படுகிறது", "stopping")
        lines.look()
        # What is left in channels is told by the shutdown itself, by name.
        lines.watch({MAILBOXES: system.tree.dead_letters.count})
        if edge is not None:
            shutdown.allow("notice", edge.settings.drain_delay + 1.0)
        await shutdown.run()
        if edge is not None:
            edge.cut()
        self._is_taken_down.set()
        lines.look()
        self.status = shutdown.status()
        if shutdown.is_stuck:
            # Leaving the tree would wait for it for ever.
            lines.say("வலிந்து முடிக்கப்படுகிறது", "ended by force", BAD)
            await lines.flush()
            self._end(self.status)
        if edge is not None and edge.access_log is not None:
            await edge.access_log.flush()
        if shutdown.is_clean:
            lines.say("எல்லாம் ஒழுங்காக நின்றது", "everything has stopped in order")

    async def tell_slow_start(self) -> None:
        """While it starts, say now and then what is waited for."""
        began = trio.current_time()
        while True:
            await trio.sleep_until(after(SLOW_START))
            if not self.lines.is_starting:
                return
            names = ", ".join(name for name, one in self._starting.items() if one.template is None)
            took = round(trio.current_time() - began)
            self.lines.say(
                f"இன்னும் தொடங்குகிறது, {took} நொடி: {names}", f"still starting, {took} s: {names}"
            )

    async def obey(self, signals: Signals) -> None:
        """Do what signals want."""
        while True:
            number = await signals.next()
            name = signal.Signals(number).name
            if number in signals.others:
                self.lines.say(f"{name}: அமைப்பு மீண்டும் படிக்கப்படுகிறது", f"{name}: reading everything again")
                self.renewal.wanted()
                continue
            self._signals += 1
            if self._shutdown is None:
                self.lines.say(f"{name}: தொடக்கம் கைவிடப்படுகிறது", f"{name}: the start is given up")
                self.status = 128 + number
                self._start.cancel(f"{name} while starting")
            elif self._signals == 1:
                self.lines.say(
                    f"{name}: ஒழுங்காக நிறுத்துகிறோம்; அவசரமெனில் மீண்டும் அனுப்புங்கள்",
                    f"{name}: stopping in order; send it again to be quick",
                )
                self._shutdown.system.leave(0)
            else:
                self.lines.say(
                    f"{name}: ஓடுவதெல்லாம் துண்டிக்கப்படும்; மூன்றாவது முறை உடனே முடிக்கும்",
                    f"{name}: what still runs is cut; a third one ends the process at once",
                )
                self._shutdown.system.leave(0)
                self._shutdown.hurry()

    async def watch_the_end(self) -> None:
        """A process that cannot leave its tree is ended by force."""
        await self._is_taken_down.wait()
        await trio.sleep_until(after(END_SECONDS))
        self.lines.say("முடியவில்லை; வலிந்து முடிக்கப்படுகிறது", "it does not end; ended by force", BAD)
        await self.lines.flush()
        self._end(self.status or 1)

    def _report_start(self, failed: StartError) -> None:
        first = failed.innermost
        problem = first.problem.fault if isinstance(first.problem, BudgetSpent) else first.problem
        if isinstance(problem, Fault):
            name = first.actor.split("/")[2] if first.actor.count("/") > 1 else first.actor
            self.lines.put(f"{name}: தொடங்கவில்லை  (did not start)\n{fault_text(problem)}", BAD)
        elif isinstance(problem, AddressError):
            self.lines.say(problem.tamil, problem.english, BAD)
        else:
            self.lines.put(str(failed), BAD)


def is_json(form: str, has_people: bool) -> bool:
    """Are the lines of the log JSON? ``auto`` asks who reads them."""
    return form == "json" or (form == "auto" and not has_people)


def number_of_lost_lines(lines: Lines) -> Any:
    """For whoever reads the numbers of the process."""
    from etamil_actors.edge.metrics import number

    words = "Lines of the log that were never written."
    return number("etamil_log_dropped", words, lambda: lines.dropped, is_counter=True)


def _answers_requests(service: RunningService) -> bool:
    declared = service.image.program.declared
    return service.as_whole or any(row.kind in ("route", "handler") for row in declared)



def serve(
    plan: Plan,
    announce: Announce,
    ready: Ready | None = None,
    leaves: Ready | None = None,
    read: Read | None = None,
    watch: Watch | None = None,
) -> int:
    """Run services until they are to end; answers the exit status. ``announce`` tells what has started,
    ``ready`` is called when everything serves, and ``leaves`` when a program wants the process to end.
    ``read`` reads everything again, in a thread, and ``watch`` waits for changes of files."""
    know_words_that_start_a_server()
    _allow_many_files()
    allow_deep_calls()
    return trio.run(_serve, plan, announce, ready, leaves, read, watch)


def _allow_many_files() -> None:
    """Every connection is a file; the usual limit is for people at a shell."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # some systems allow less than they say
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _serve(
    plan: Plan,
    announce: Announce,
    ready: Ready | None,
    leaves: Ready | None,
    read: Read | None,
    watch: Watch | None,
) -> int:
    has_people = sys.stderr.isatty()
    log = plan.resources.log
    lines = Lines(
        _write_error,
        fault_text=fault_text,
        verbose=plan.verbose,
        colours=has_people,
        as_json=is_json(log.format, has_people),
        level=log.level,
    )
    process = Process(lines, ready=ready, leaves=leaves)
    has_terminal = sys.stdin is not None and sys.stdin.isatty()
    ending, others = ((*ENDING, *RELOADING), ()) if has_terminal else (ENDING, RELOADING)
    with Signals(end_at_once, ending, others).heard() as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lines.run)
            nursery.start_soon(process.obey, signals)
            nursery.start_soon(process.watch_the_end)
            nursery.start_soon(process.tell_slow_start)
            if read is not None:
                nursery.start_soon(process.renewal.keep_new, read)
            if watch is not None:
                nursery.start_soon(watch, process.renewal.wanted)
            await process.live(plan, system_ports(plan.resources), announce)
            await lines.flush()
            nursery.cancel_scope.cancel("the process has ended")
    return process.status


GONE: Final = frozenset((errno.EPIPE, errno.EBADF, errno.EIO, errno.ECONNRESET))
"""Nobody will read standard error any more. A disk that is full, say, may have room again."""


def _write_error(text: str) -> None:
    data = memoryview(text.encode("utf-8", "backslashreplace"))
    try:
        while data:
            data = data[os.write(2, data) :]
    except OSError as trouble:
        if trouble.errno in GONE:
            _forget_stderr()
        raise


def _forget_stderr() -> None:
    """Where it went is gone. What is still in its buffer must not fail again when the process ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def system_ports(settings: ResourceSettings | None = None) -> Ports:
    """The world as it is."""
    from etamil_actors.script import system_world

    return ports_of(system_world(), settings)


def ports_of(
    world: ScriptWorld, settings: ResourceSettings | None = None, *, is_simulated: bool = False
) -> Ports:
    """The ports of a script's world, as services take them."""
    clock: Clock = world.clock
    if is_simulated:
        from etamil_actors.testing import VirtualClock

        clock = VirtualClock(int(world.clock.wall()))
    web_settings = settings.web if settings is not None else WebSettings()
    web: Web
    databases: Databases
    redis: RedisServers
    if is_simulated:
        from etamil_actors.resources.databases.simulated import SimulatedDatabases
        from etamil_actors.resources.redis.simulated import SimulatedRedisServers
        from etamil_actors.resources.web.simulated import SimulatedWeb

        web, databases = SimulatedWeb(settings=web_settings), SimulatedDatabases()
        redis = SimulatedRedisServers()
    else:
        web, databases = SystemWeb(web_settings, world.variables.get), RealDatabases()
        redis = SystemRedisServers()
    return Ports(
        console=world.console,
        files=world.files,
        clock=clock,
        random=world.random,
        environment=world.variables,
        programs=world.programs,
        databases=databases,
        redis=redis,
        web=web,
        is_simulated=is_simulated,
    )
