"""What happens in the tree, as lines for people on standard error, in Tamil and in English.

Told are crashes, restarts, runs of jobs that failed, and dead letters; with ``verbose`` also who starts and
stops. Whoever publishes an event is never held up: a line goes into a queue, and one task writes what has
gathered in a thread. When the reader is slower than the lines come, lines are dropped, and their number
is told.

```
event ─▶ hear ─▶ line ─▶ queue ─▶ run ─▶ write, in a thread
counts of dead letters, looked at now and then ──┘
```

Dead letters come by the thousand when something is wrong. They are counted where they arise, so here only
the counts are compared once a second.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

import trio

from etamil_actors.actors.errors import StartError, describe
from etamil_actors.actors.events import ActorCrashed, ActorRestarted, ActorStarted, ActorStopped, Event
from etamil_actors.actors.moments import after
from etamil_actors.actors.programs.jobs import RunFailed
from etamil_actors.actors.programs.log import Logged
from etamil_actors.actors.restart import Crashed, Cut, Ended, Exit, Stopped
from etamil_actors.errors import BudgetSpent, Fault

MOST: Final = 10_000
"""So many lines may wait to be written."""

LOOK_SECONDS: Final = 1.0
"""How often the counts of dead letters are looked at."""

BAD, AGAIN, NOTE, BEGINS, ENDS, WARN, DETAIL = "✗", "↻", "·", "▸", "■", "⚠", "…"

MARKS: Final = {"error": BAD, "warn": WARN, "info": NOTE, "debug": DETAIL}
"""By the level of what a program logs."""

COLOURS: Final = {
    BAD: "\x1b[31m",
    WARN: "\x1b[33m",
    AGAIN: "\x1b[33m",
    NOTE: "\x1b[36m",
    BEGINS: "\x1b[32m",
    ENDS: "\x1b[2m",
    DETAIL: "\x1b[2m",
}
PLAIN: Final = "\x1b[0m"

Counts = Mapping[str, Callable[[], int]]
"""Where dead letters arise, in words for people, and how many there are."""


class Lines:
    """See the top of the file."""

    def __init__(
        self,
        write: Callable[[str], None],
        *,
        fault_text: Callable[[Fault], str] = describe,
        verbose: bool = False,
        colours: bool = False,
        in_thread: bool = True,
        most: int = MOST,
    ) -> None:
        """``write`` puts text where people see it; ``fault_text`` tells a program's error with its trace."""
        self.dropped = 0
        """Lines that were never written."""
        self.is_starting = True
        """What goes wrong while everything starts is reported by whoever starts it, once."""
        self._write = write
        self._fault_text = fault_text
        self._verbose = verbose
        self._colours = colours
        self._limiter = trio.CapacityLimiter(1) if in_thread else None
        self._most = most
        self._queue: deque[str] = deque()
        self._untold = 0
        self._wake = trio.Event()
        self._is_writing = False
        self._counts: Counts = {}
        self._counted: dict[str, int] = {}

    # ── what is to be told ───────────────────────────────────────────────────────────────────────

    def say(self, tamil: str, english: str, mark: str = NOTE) -> None:
        """A line in both languages."""
        self.put(f"{tamil}  ({english})", mark)

    def put(self, text: str, mark: str = "") -> None:
        """A line as it stands, behind its mark."""
        if len(self._queue) >= self._most:
            self.dropped += 1
            self._untold += 1
            return
        if mark:
            text = f"{COLOURS[mark]}{mark}{PLAIN} {text}" if self._colours else f"{mark} {text}"
        self._queue.append(text + "\n")
        self._wake.set()

    def hear(self, event: Event) -> None:
        """A listener: tell of an event, if people shall know."""
        match event:
            case ActorCrashed():
                self._crashed(event)
            case ActorRestarted():
                self._restarted(event)
            case RunFailed():
                self._failed(event)
            case Logged() if self._verbose or event.level != "debug":
                service = event.actor.rpartition("/")[2]
                self.put(f"{service} · {event.activity}: {event.text}", MARKS[event.level])
            case ActorStarted() if self._verbose:
                self.say(f"{event.actor} தொடங்கியது", f"{event.actor} started", BEGINS)
            case ActorStopped() if self._verbose:
                tamil, english = _ending(event.exit)
                self.say(f"{event.actor} {tamil}", f"{event.actor} {english}", ENDS)

    def _crashed(self, event: ActorCrashed) -> None:
        problem = event.problem
        if self.is_starting and (isinstance(problem, StartError) or event.actor.endswith("/prelude")):
            return
        head = f"{event.actor} பழுதடைந்தது  ({event.actor} crashed, life {event.life})"
        self.put(f"{head}: {self._told(problem)}", BAD)

    def _restarted(self, event: ActorRestarted) -> None:
        tamil, english = f"{event.actor} மறுதொடக்கம்", f"{event.actor} is started again"
        if event.delay:
            tamil = f"{event.actor} {event.delay:.3g} நொடிக்குப் பின் மறுதொடக்கம்"
            english += f" after {event.delay:.3g} s"
        if event.cause != event.actor:
            tamil += f"; காரணம் {event.cause}"
            english += f" because of {event.cause}"
        self.say(tamil, english, AGAIN)

    def _failed(self, event: RunFailed) -> None:
        if event.is_letter:
            then = "கைவிடப்பட்டவற்றின் பட்டியலில் வைக்கப்பட்டது  (kept among the dead letters)"
        elif event.delay is None:
            then = "இனி முயலப்படாது  (given up)"
        else:
            then = f"{event.delay:.3g} நொடிக்குப் பின் மீண்டும்  (tried again after {event.delay:.3g} s)"
        head = f"{event.actor}: ஓட்டம் தோல்வி, முயற்சி {event.attempt}  (a run failed, try {event.attempt})"
        self.put(f"{head} → {then}: {self._told(event.problem)}", BAD)

    def _told(self, problem: BaseException) -> str:
        if isinstance(problem, BudgetSpent):
            problem = problem.fault
        if isinstance(problem, Fault):
            return self._fault_text(problem).removeprefix(f"{BAD} ")
        return describe(problem)

    # ── dead letters ─────────────────────────────────────────────────────────────────────────────

    def watch(self, counts: Counts) -> None:
        """Compare these counts from now on."""
        self._counts = counts
        self._counted = {name: count() for name, count in counts.items()}

    def look(self) -> None:
        """Tell of dead letters that are new."""
        for name, count in self._counts.items():
            all_of_them = count()
            new = all_of_them - self._counted[name]
            if new > 0:
                self._counted[name] = all_of_them
                self.say(
                    f"இறந்த மடல்கள், {name}: {new} புதியவை, மொத்தம் {all_of_them}",
                    f"dead letters, {name}: {new} more, {all_of_them} in all",
                    BAD,
                )

    # ── writing ──────────────────────────────────────────────────────────────────────────────────

    async def run(self) -> None:
        """Write what comes, until this is cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._look_again_and_again)
            while True:
                await self._wake.wait()
                await self._write_all()

    async def flush(self, seconds: float = 2.0) -> None:
        """Wait until everything is written, but not for ever."""
        with trio.CancelScope(shield=True, deadline=after(seconds)):
            while self._queue or self._is_writing:
                if not self._is_writing:
                    await self._write_all()
                else:
                    await trio.sleep_until(after(0.005))

    async def _write_all(self) -> None:
        text = "".join(self._queue)
        self._queue.clear()
        if self._untold:
            count, self._untold = self._untold, 0
            text += f"{BAD} {count} வரிகள் விடுபட்டன  ({count} lines were dropped)\n"
        self._wake = trio.Event()
        self._is_writing = True
        try:
            if self._limiter is None:
                self._write(text)
                await trio.lowlevel.checkpoint()
            else:
                await trio.to_thread.run_sync(
                    self._write,
                    text,
                    limiter=self._limiter,
                    abandon_on_cancel=True,  # a reader that hangs must not hold up the end of the process
                )
        except OSError:
            self.dropped += text.count("\n")  # nobody reads any more
        finally:
            self._is_writing = False

    async def _look_again_and_again(self) -> None:
        while True:
            await trio.sleep_until(after(LOOK_SECONDS))
            self.look()


def _ending(exit: Exit) -> tuple[str, str]:
    match exit:
        case Ended():
            return "முடிந்தது", "ended"
        case Stopped():
            return f"நிறுத்தப்பட்டது: {exit.reason}", f"stopped: {exit.reason}"
        case Cut():
            return f"துண்டிக்கப்பட்டது: {exit.reason}", f"was cut: {exit.reason}"
        case Crashed():
            text = describe(exit.problem)
            return f"பழுதடைந்தது: {text}", f"crashed: {text}"
