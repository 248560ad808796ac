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

import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

import trio

from etamil_actors.actors.errors import StartError, TooManyRestartsError
from etamil_actors.actors.events import EventStream
from etamil_actors.actors.moments import after
from etamil_actors.actors.programs.shutdown import Shutdown
from etamil_actors.actors.programs.system import ServicePlan, System, open_system
from etamil_actors.actors.programs.words import WORDS
from etamil_actors.actors.programs.world import Ports
from etamil_actors.errors import BudgetSpent, Fault
from etamil_actors.observe.lines import BAD, Lines
from etamil_actors.script import SILENT, ScriptWorld, fault_text
from etamil_actors.vm.machine import Image

if TYPE_CHECKING:
    from etamil_actors.actors.programs.activity import Activity
    from etamil_actors.language.program import Program
    from etamil_actors.ports import Clock
    from etamil_actors.vm.values import Value

END_SECONDS: Final = 20.0
"""When every step of the shutdown is done, the rest may take so long; then the process ends by force."""

MAILBOXES: Final = "அஞ்சல்பெட்டிகள் / mailboxes"
CHANNELS: Final = "சேனல்கள் / channels"

ENDING: Final = (signal.SIGINT, signal.SIGTERM)
RELOADING: Final = (signal.SIGHUP,)
"""For a service without a terminal. Where there is one, the same signal says that it has gone."""


class Service(NamedTuple):
    """A program that is to be served, and what people call it."""

    name: str
    program: Program


class Plan(NamedTuple):
    """What a process is to serve."""

    title: str
    services: Sequence[Service]
    journal: str
    """Where the journal is, or will be when a program needs one."""
    verbose: bool = False
    channels: Mapping[str, Mapping[str, Any]] = {}
    """What the configuration says of channels, by name."""


Announce = Callable[[System], None]


def know_words_that_start_a_server() -> None:
    """Words of 2.0 that start the server or its tests do nothing: the process serves anyway."""
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


# ---- a process that serves ------------------------------------------------------------


class Process:
    """From the start of the services to the exit status."""

    def __init__(self, lines: Lines, *, end: Callable[[int], Any] = end_at_once) -> None:
        self.lines = lines
        self.events = EventStream()
        self.status = 0
        self._end = end
        self._start = trio.CancelScope()
        self._shutdown: Shutdown | None = None
        self._is_taken_down = trio.Event()
        self._signals = 0

    async def live(
        self,
        plans: Sequence[ServicePlan],
        ports: Ports,
        journal: str,
        announce: Announce,
        channels: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """Run everything until it is to end, and take it down."""
        self.events.listen(self.lines.hear, messages=False)
        try:
            with self._start:
                async with open_system(
                    ports, plans, events=self.events, channels=channels, journal=journal
                ) as system:
                    await self._serve(system, announce)
        except StartError as failed:
            self.status = 1
            self._report_start(failed)
        except TooManyRestartsError as failed:
            self.status = 1
            self.lines.put(f"சேவை கைவிடப்பட்டது  (the process gives up)\n{failed}", BAD)
        ports.console.flush()

    async def _serve(self, system: System, announce: Announce) -> None:
        lines = self.lines
        lines.is_starting = False
        lines.watch({MAILBOXES: system.tree.dead_letters.count, CHANNELS: system.letters.count})
        self._shutdown = shutdown = Shutdown(system, lines.say)
        if not system.leaving.is_set():
            try:
                announce(system)
            except OSError:  # nobody reads it any more; the services run all the same
                _forget_stderr()
        await system.leaving.wait()
        lines.say("நிறுத்தப்படுகிறது", "stopping")
        lines.look()
        # What is left in channels is told by the shutdown itself, by name.
        lines.watch({MAILBOXES: system.tree.dead_letters.count})
        await shutdown.run()
        self._is_taken_down.set()
        lines.look()
        self.status = shutdown.status()
        if shutdown.is_stuck:
            # Leaving the tree would wait for it for ever.
            lines.say("வலிந்து முடிக்கப்படுகிறது", "ended by force", BAD)
            await lines.flush()
            self._end(self.status)
        if shutdown.is_clean:
            lines.say("எல்லாம் ஒழுங்காக நின்றது", "everything has stopped in order")

    async def obey(self, signals: Signals) -> None:
        """Do what signals want."""
        while True:
            number = await signals.next()
            name = signal.Signals(number).name
            if number in signals.others:
                self.lines.say(
                    f"{name}: அமைப்புகளை மீண்டும் படிக்க இயலாது; மறுதொடக்கம் தேவை",
                    f"{name}: the configuration is not read again while this runs; start it anew for that",
                )
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
        else:
            self.lines.put(str(failed), BAD)


def serve(plan: Plan, announce: Announce) -> int:
    """Run services until they are to end; answers the exit status. ``announce`` tells what has started."""
    know_words_that_start_a_server()
    return trio.run(_serve, plan, announce)


async def _serve(plan: Plan, announce: Announce) -> int:
    lines = Lines(
        _write_error, fault_text=fault_text, verbose=plan.verbose, colours=sys.stderr.isatty()
    )
    process = Process(lines)
    plans = [ServicePlan(name=one.name, image=Image(one.program)) for one in plan.services]
    has_terminal = sys.stdin is not None and sys.stdin.isatty()
    ending, others = ((*ENDING, *RELOADING), ()) if has_terminal else (ENDING, RELOADING)
    with Signals(end_at_once, ending, others).heard() as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lines.run)
            nursery.start_soon(process.obey, signals)
            nursery.start_soon(process.watch_the_end)
            await process.live(plans, system_ports(), plan.journal, announce, plan.channels)
            await lines.flush()
            nursery.cancel_scope.cancel("the process has ended")
    return process.status


def _write_error(text: str) -> None:
    try:
        sys.stderr.buffer.write(text.encode("utf-8", "backslashreplace"))
        sys.stderr.buffer.flush()
    except OSError:
        _forget_stderr()
        raise


def _forget_stderr() -> None:
    """Where it went is gone. What is still in its buffer must not fail again when the process ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def system_ports() -> Ports:
    """The world as it is."""
    from etamil_actors.script import system_world

    return ports_of(system_world())


def ports_of(world: ScriptWorld, *, is_simulated: bool = False) -> Ports:
    """The ports of a script's world, as services take them."""
    clock: Clock = world.clock
    if is_simulated:
        from etamil_actors.testing import VirtualClock

        clock = VirtualClock(int(world.clock.wall()))
    return Ports(
        console=world.console,
        files=world.files,
        clock=clock,
        random=world.random,
        environment=world.variables,
        programs=world.programs,
        is_simulated=is_simulated,
    )
