"""``etamil-actors run`` for programs with tasks, channels, agents and the like.

A program that needs none of them runs without trio (``script.py``). The others run as a service does, but
end as a script: when the top level has run and the one-time jobs that it started are done. Agents and
channels do not keep it alive; declared jobs and routes are not started.

What is told on standard error is what a plain run tells, and besides: errors that nobody else hears of, be
it a job that nobody awaited or an agent that nobody asked, and messages that were left.
"""

from __future__ import annotations

import signal
import threading
from typing import Final

import trio

from etamil_actors.actors.errors import StartError, TooManyRestartsError
from etamil_actors.actors.events import ActorCrashed, Event, EventStream
from etamil_actors.actors.moments import after
from etamil_actors.actors.programs.keeper import Told
from etamil_actors.actors.programs.log import Logged
from etamil_actors.actors.programs.shutdown import Shutdown
from etamil_actors.actors.programs.system import ServicePlan, System, open_system
from etamil_actors.app import Signals, end_at_once, know_words_that_start_a_server, ports_of
from etamil_actors.errors import BudgetSpent, EtamilError, Fault, OutputClosed, ProgramEnd
from etamil_actors.script import Outcome, RunOptions, ScriptWorld, fault_text
from etamil_actors.vm.log_line import MARKS
from etamil_actors.vm.machine import Image

TYPE_CHECKING = False
if TYPE_CHECKING:
    from etamil_actors.language.program import Program

AGENT_SECONDS: Final = 2.0
"""How long agents may handle what they have been told when everything else is done."""

INTERRUPT_SECONDS: Final = 20.0
"""After Ctrl-C everything together may take so long; then the process ends by force."""


def run_script(
    program: Program, world: ScriptWorld, options: RunOptions, *, simulated: bool = False
) -> Outcome:
    """Run a program that needs the actor floor, as ``run`` does; report on standard error what went wrong.

    It ends when its top level has run and the one-time jobs are done that it started. Agents and channels
    do not keep it alive.

    Raises:
        KeyboardInterrupt: Ctrl-C, after the program's இறுதியில் blocks have run.
        OSError: nobody reads its output any more.
    """
    script = _Script(program, world, options, simulated)
    if not simulated:
        know_words_that_start_a_server()
        return trio.run(script.run)
    from etamil_actors.testing import run_seeded  # its words first: they mean more than nothing

    know_words_that_start_a_server()
    return run_seeded(script.run)


class _Script:
    """One run."""

    def __init__(self, program: Program, world: ScriptWorld, options: RunOptions, simulated: bool) -> None:
        self.image = Image(program)
        self.world = world
        self.ports = ports_of(world, is_simulated=simulated)
        self.options = options
        self.outcome = Outcome()
        self.events = EventStream()
        self.system: System | None = None
        self.trouble: BaseException | None = None
        """What ends the whole process: an interrupt, or output that nobody reads."""
        self._spent: Fault | None = None
        """That the budget was spent when the top level had run."""
        self._simulated = simulated
        self._scope = trio.CancelScope()

    async def run(self) -> Outcome:
        """From the first statement to the last, and what came of it."""
        if self._simulated or threading.current_thread() is not threading.main_thread():
            await self._live()
        else:
            with Signals(end_at_once, (signal.SIGINT,), (), 2).heard() as signals:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._obey, signals)
                    await self._live()
                    nursery.cancel_scope.cancel("the program has ended")
        self.world.console.flush()
        if self.trouble is not None:
            raise self.trouble
        return self.outcome

    async def _obey(self, signals: Signals) -> None:
        await signals.next()
        self.trouble = KeyboardInterrupt()
        self._scope.cancel("Ctrl-C")
        # What a thread does cannot be cancelled: it may wait for a file for ever.
        await trio.sleep_until(after(INTERRUPT_SECONDS))
        self._say("முடியவில்லை; வலிந்து முடிக்கப்படுகிறது", "it does not end; ended by force")
        end_at_once(128 + signal.SIGINT)

    async def _live(self) -> None:
        plan = ServicePlan(name="run", image=self.image, as_script=True)
        self.events.listen(self._hear, messages=False)
        try:
            with self._scope:
                async with open_system(
                    self.ports,
                    [plan],
                    events=self.events,
                    journal=":memory:" if self._simulated else self.options.journal,
                    has_console=True,
                    budget=self.options.seconds,
                    opening=self._opening,
                ) as system:
                    await self._until_done(system)
        except StartError as failed:
            self._failed(failed.innermost.problem)
        except TooManyRestartsError as failed:
            self._failed(failed)
        if self._is_reading and self.trouble is not None:
            # A thread that waits for input holds the interpreter's lock on it, with which it cannot end.
            self.world.console.flush()
            end_at_once(128 + signal.SIGINT)

    def _opening(self, system: System) -> None:
        self.system = system

    async def _until_done(self, system: System) -> None:
        system.slicer.on_spent = self._on_spent
        await system.leaving.wait()
        shutdown = Shutdown(system, self._say, seconds={"agents": AGENT_SECONDS})
        if self._spent is not None:
            shutdown.hurry()
        await shutdown.run()
        if self._spent is not None:
            self._failed(self._spent)
            return
        for service in system.services.values():
            for start in service.dead_jobs:
                if start.job is not None and not start.job.outcome.was_awaited and start.job.outcome.fault:
                    self._failed(start.job.outcome.fault)
        # Agents do not keep a script alive, and so it is no failure when one had to be cut.
        cut = [one for one in shutdown.cut if "/agents/" not in one.path]
        self.outcome.status = self.outcome.status or system.status or int(bool(cut or shutdown.failed))
        if shutdown.is_stuck and not self._simulated:
            # Leaving the tree would wait for it for ever.
            self.world.console.flush()
            end_at_once(self.outcome.status)

    def _on_spent(self, fault: Fault) -> None:
        assert self.system is not None
        if self._spent is None:
            self._spent = fault
        self.system.leave(1)

    def _failed(self, problem: BaseException) -> None:
        """Report as a plain run does."""
        if isinstance(problem, OutputClosed):
            self.trouble = problem.trouble
            return
        if isinstance(problem, BudgetSpent):
            problem = problem.fault
        self.outcome.status = 1
        if isinstance(problem, Fault):
            self.outcome.fault = self.outcome.fault or problem
            self.world.warn(fault_text(problem))
        elif isinstance(problem, (ProgramEnd, EtamilError)):
            self.world.warn(f"✗ {problem}")
        else:
            raise problem

    def _hear(self, event: Event) -> None:
        """Tell of a crash that nobody else hears of. One that an asker hears of is the asker's."""
        if isinstance(event, Logged):
            self.world.warn(f"{MARKS[event.level]} {event.text}")
        if isinstance(event, Told):
            self._say(event.tamil, event.english)
        if not isinstance(event, ActorCrashed) or self.system is None:
            return
        if isinstance(event.problem, OutputClosed):
            self.trouble = self.trouble or event.problem.trouble
            self.system.leave(1)
        if "/agents/" not in event.actor or isinstance(event.problem, ProgramEnd):
            return
        reference = self.system.tree.registry.at(event.actor)
        envelope = reference._actor.envelope if reference is not None else None
        if envelope is None or envelope.reply is None:
            problem = event.problem
            text = fault_text(problem) if isinstance(problem, Fault) else str(problem)
            self.world.warn(f"✗ {event.actor} பழுதடைந்தது  (crashed): {text.removeprefix('✗ ')}")

    def _say(self, tamil: str, english: str) -> None:
        self.world.warn(f"· {tamil}  ({english})")

    @property
    def _is_reading(self) -> bool:
        return self.system is not None and self.system.threads.is_reading
