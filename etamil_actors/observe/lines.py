"""The log of a process: what programs log and what happens in the tree, as lines on standard error.

Told are crashes, restarts, runs of jobs that failed, and dead letters; with ``verbose`` also who starts and
stops. Whoever publishes an event is never held up: it goes into a queue, and one task makes lines of what has
gathered, some at a time, and has them written in a thread. When the reader is slower than the lines come,
lines are dropped, and their number is told. So are lines that could not be written, with the next that can.

```
event ─▶ hear ─▶ queue ─▶ run: some lines ─▶ write, in a thread
counts of dead letters, looked at now and then ──┘   └ a checkpoint in between, so others go on
```

A line is text for people, in Tamil and in English, or one JSON object that has the same sentences:

```
· kadai · பணி வ: விற்பனை {"எண்":7}
{"time":"2026-11-21T11:34:05.123Z","level":"info","event":"விற்பனை","service":"kadai", …}
```

Dead letters come by the thousand when something is wrong. They are counted where they arise, so here only
the counts are compared once a second.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from time import time as wall_time
from typing import Any, Final, NamedTuple

import trio

from etamil_actors.actors.errors import StartError, describe
from etamil_actors.actors.events import ActorCrashed, ActorRestarted, ActorStarted, ActorStopped, Event
from etamil_actors.actors.moments import after
from etamil_actors.actors.programs.exchange import RequestFailed
from etamil_actors.actors.programs.jobs import RunFailed
from etamil_actors.actors.programs.keeper import Told
from etamil_actors.actors.programs.log import Logged
from etamil_actors.actors.programs.replacing import NEXT
from etamil_actors.actors.restart import Crashed, Cut, Ended, Exit, Stopped
from etamil_actors.errors import BudgetSpent, Fault

FATAL_AT_START: Final = ("/prelude", "/declared", "/edge/http")
"""Where a failure ends the start: whoever starts it all tells it, once."""
NEW_CODE: Final = f"/root/{NEXT}/"
"""Where code starts that is to take the place of what runs; that it did not is told like that, too."""

MOST: Final = 10_000
"""So many lines may wait to be written."""

AT_ONCE: Final = 64
"""So many lines are made before others have their turn."""

LOOK_SECONDS: Final = 1.0
"""How often the counts of dead letters are looked at."""

LONGEST: Final = 16_000
"""So many characters of one text are shown."""

BAD, AGAIN, NOTE, BEGINS, ENDS, WARN, DETAIL = "✗", "↻", "·", "▸", "■", "⚠", "…"

MARKS: Final = {"error": BAD, "warn": WARN, "info": NOTE, "debug": DETAIL}
"""By the level of what a program logs."""

LEVELS: Final = {
    BAD: "error", WARN: "warn", AGAIN: "warn", NOTE: "info", BEGINS: "info", ENDS: "info", DETAIL: "debug",
    "": "error",
}  # fmt: skip
"""The level of a line, by its mark; a line without one goes on with an error."""

RANKS: Final = {"debug": 0, "info": 1, "warn": 2, "error": 3}

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

PROCESS: Final = "process"
"""The event of lines that the process itself has to say."""

Counts = Mapping[str, Callable[[], int]]
"""Where dead letters arise, in words for people, and how many there are."""


class Note(NamedTuple):
    """A line that waits to be made, but for those of programs."""

    time: float
    mark: str
    event: str
    text: str
    """For people."""
    told: dict[str, Any]
    """For machines."""


class Batch(NamedTuple):
    """What is written at once."""

    text: str
    lines: int
    dropped: int
    """How many others it tells to be lost."""


class Lines:
    """See the top of the file."""

    def __init__(
        self,
        write: Callable[[str], None],
        *,
        fault_text: Callable[[Fault], str] = describe,
        verbose: bool = False,
        colours: bool = False,
        as_json: bool = False,
        level: str = "info",
        wall: Callable[[], float] = wall_time,
        in_thread: bool = True,
        most: int = MOST,
    ) -> None:
        """``write`` puts text where people see it; ``fault_text`` tells a program's error with its trace.
        ``level`` is the least that is told of the tree and the process; programs look at theirs themselves.
        """
        self.dropped = 0
        """Lines that were never written."""
        self.is_starting = True
        """What goes wrong while everything starts is reported by whoever starts it, once."""
        self._write = write
        self._fault_text = fault_text
        self.verbose = verbose
        self._wall, self._colours = wall, colours
        self.write_as(json=as_json)
        self.tell_from(level)
        self._limiter = trio.CapacityLimiter(1) if in_thread else None
        self._most = most
        self._queue: deque[Note | Logged] = deque()
        self._untold = 0
        """Of those dropped, so many are to be told yet."""
        self._wake = trio.Event()
        self._turn = trio.Lock()
        """Whose turn it is to write: one batch after the other, so whoever has it knows that all before are
        written."""
        self._counts: Counts = {}
        self._counted: dict[str, int] = {}

    def write_as(self, *, json: bool) -> None:
        """From now on lines are JSON objects, or text for people."""
        self.as_json = json
        self._form: Text | Json = Json(self._wall) if json else Text(self._colours)

    def tell_from(self, level: str) -> None:
        """From now on this is the least that is told."""
        self._least = 0 if self.verbose else RANKS[level]

    # ── what is to be told ───────────────────────────────────────────────────────────────────────

    def say(self, tamil: str, english: str, mark: str = NOTE, event: str = PROCESS, **told: Any) -> None:
        """A line in both languages."""
        self.note(event, f"{tamil}  ({english})", mark, tamil=tamil, english=english, **told)

    def put(self, text: str, mark: str = "", event: str = PROCESS) -> None:
        """A line as it stands, behind its mark."""
        self.note(event, text, mark, message=text)

    def note(self, event: str, text: str, mark: str, /, **told: Any) -> None:
        """A line for people, and what it tells to machines."""
        if RANKS[LEVELS[mark]] >= self._least:
            self._enqueue(Note(trio.current_time(), mark, event, text, told))

    def _enqueue(self, line: Note | Logged) -> None:
        if len(self._queue) >= self._most:
            self.dropped += 1
            self._untold += 1
            return
        self._queue.append(line)
        self._wake.set()

    def hear(self, event: Event) -> None:
        """A listener: tell of an event, if people shall know."""
        if type(event) is Logged:
            self._enqueue(event)
            return
        match event:
            case ActorCrashed():
                self._crashed(event)
            case ActorRestarted():
                self._restarted(event)
            case RunFailed():
                self._failed(event)
            case RequestFailed():
                self._bad(
                    "request.failed",
                    event.problem,
                    f"{event.route}: கோரிக்கை தோல்வி",
                    f"a request failed, {event.request}",
                    actor=event.actor,
                    request=event.request,
                )
            case Told():
                self.note(
                    "resources",
                    f"{event.actor}: {event.tamil}  ({event.english})",
                    AGAIN,
                    actor=event.actor,
                    tamil=event.tamil,
                    english=event.english,
                )
            case ActorStarted() if self.verbose:
                self._life("actor.started", event, "தொடங்கியது", "started", BEGINS)
            case ActorStopped() if self.verbose:
                self._life("actor.stopped", event, *_ending(event.exit), ENDS)

    def _life(self, name: str, event: Event, tamil: str, english: str, mark: str) -> None:
        actor = event.actor
        self.say(f"{actor} {tamil}", f"{actor} {english}", mark, name, actor=actor)

    def _bad(
        self, event: str, problem: BaseException, tamil: str, english: str, then: str = "", /, **told: Any
    ) -> None:
        text = f"{tamil}  ({english}){then}: {self._told(problem)}"
        error = error_members(problem) if self.as_json else None
        self.note(event, text, BAD, tamil=tamil, english=english, **told, error=error)

    def _crashed(self, event: ActorCrashed) -> None:
        problem, actor, life = event.problem, event.actor, event.life
        is_start = self.is_starting or (life == 1 and actor.startswith(NEW_CODE))
        if is_start and (isinstance(problem, StartError) or actor.endswith(FATAL_AT_START)):
            return
        english = f"{actor} crashed, life {life}"
        self._bad("actor.crashed", problem, f"{actor} பழுதடைந்தது", english, actor=actor, life=life)

    def _restarted(self, event: ActorRestarted) -> None:
        tamil, english = f"{event.actor} மறுதொடக்கம்", f"{event.actor} is started again"
        if event.delay:
            tamil = f"{event.actor} {event.delay:.3g} நொடிக்குப் பின் மறுதொடக்கம்"
            english += f" after {event.delay:.3g} s"
        if event.cause != event.actor:
            tamil += f"; காரணம் {event.cause}"
            english += f" because of {event.cause}"
        self.say(tamil, english, AGAIN, "actor.restarted", actor=event.actor, life=event.life)

    def _failed(self, event: RunFailed) -> None:
        if event.is_letter:
            then = "இறந்த மடலாக ஒதுக்கி வைக்கப்பட்டது  (kept among the dead letters)"
        elif event.delay is None:
            then = "இனி முயலப்படாது  (given up)"
        else:
            then = f"{event.delay:.3g} நொடிக்குப் பின் மீண்டும்  (tried again after {event.delay:.3g} s)"
        tamil = f"{event.actor}: ஓட்டம் தோல்வி, முயற்சி {event.attempt}"
        self._bad(
            "run.failed",
            event.problem,
            tamil,
            f"a run failed, try {event.attempt}",
            f" → {then}",
            actor=event.actor,
            attempt=event.attempt,
            then=then,
        )

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
                    "dead_letters",
                    count=new,
                )

    # ── writing ──────────────────────────────────────────────────────────────────────────────────

    async def run(self) -> None:
        """Write what comes, until this is cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._look_again_and_again)
            while True:
                await self._wake.wait()
                async with self._turn:
                    await self._write_waiting()

    async def flush(self, seconds: float = 2.0) -> None:
        """Wait until everything is written, but not for ever."""
        with trio.CancelScope(shield=True, deadline=after(seconds)):
            async with self._turn:
                while self._queue:
                    await self._write_waiting()
                if self._untold:
                    await self._write_waiting()

    async def _write_waiting(self) -> None:
        """Write what waits now; it is our turn."""
        self._wake = trio.Event()
        batch = await self._made()
        try:
            await self._written(batch.text)
        except OSError:  # nobody reads any more, or there is no room; perhaps there is later
            self.dropped += batch.lines
            self._untold += batch.lines + batch.dropped
        finally:
            if self._queue:
                self._wake.set()

    async def _written(self, text: str) -> None:
        """Raises: OSError."""
        if not text:  # somebody else has written it
            return
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

    async def _made(self) -> Batch:
        """What waits now, as text. The text is made here and not in the thread, which would take the
        interpreter from everybody else."""
        form, queue, made = self._form, self._queue, list[str]()
        offset = trio.current_time()
        while queue and len(made) < MOST:
            made.append(form.line(queue.popleft(), offset))
            if len(made) % AT_ONCE == 0:
                await trio.lowlevel.cancel_shielded_checkpoint()
        lines, count, self._untold = len(made), self._untold, 0
        if count:
            tamil, english = f"விடுபட்ட வரிகள்: {count}", f"lines that were dropped: {count}"
            told = {"count": count, "tamil": tamil, "english": english}
            note = Note(trio.current_time(), BAD, "log.dropped", f"{tamil}  ({english})", told)
            made.append(form.line(note, offset))
        return Batch("".join(made), lines, count)

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


# ── lines ────────────────────────────────────────────────────────────────────────────────────────


class Text:
    """A line for people."""

    def __init__(self, colours: bool = False) -> None:
        self._colours = colours

    def line(self, told: Note | Logged, now: float) -> str:
        """With the mark in front, where there is one."""
        if isinstance(told, Logged):
            mark = MARKS[told.level]
            text = _cut(f"{told.service} · {_in_one_line(told.activity)}: {told.text}")
        else:
            mark, text = told.mark, told.text
        if mark:
            text = f"{COLOURS[mark]}{mark}{PLAIN} {text}" if self._colours else f"{mark} {text}"
        return text + "\n"


class Json:
    """One JSON object for each line. What is empty is left out."""

    def __init__(self, wall: Callable[[], float]) -> None:
        from msgspec.json import Encoder

        self._wall = wall
        self._encode = Encoder(enc_hook=str).encode

    def line(self, told: Note | Logged, now: float) -> str:
        """With the moment in UTC. ``now`` is that of trio's clock."""
        time = utc(self._wall() + told.time - now)
        if isinstance(told, Logged):
            return self._logged(told, time)
        members = {"time": time, "level": LEVELS[told.mark], "event": told.event}
        members |= {
            name: _cut(value) if type(value) is str else value
            for name, value in told.told.items()
            if value not in ("", None)
        }
        return _json_line(self._encode(members).decode())

    def _logged(self, told: Logged, time: str) -> str:
        members = {
            "time": time,
            "level": told.level,
            "event": told.event,
            "service": told.service,
            "actor": told.actor,
            "activity": told.activity,
        }
        if told.request:
            members["request"] = told.request
        if told.trace:
            members["trace"] = told.trace[3:35]
            members["span"] = told.trace[36:52]
        line = self._encode(members).decode()
        fields = told.json_fields
        return _json_line(f'{line[:-1]},"fields":{fields}}}' if fields else line)


def _json_line(text: str) -> str:
    # JSON leaves these as they are, and some readers take them for the end of a line.
    if not text.isprintable():
        text = "".join([_as_json(sign) for sign in text])
    return text + "\n"


def _as_json(sign: str) -> str:
    return sign if _is_shown(sign) or ord(sign) > 0xFFFF else f"\\u{ord(sign):04x}"


def _in_one_line(text: str) -> str:
    if text.isprintable():
        return text
    return "".join([sign if _is_shown(sign) else ascii(sign)[1:-1] for sign in text])


def _is_shown(sign: str) -> bool:
    return sign.isprintable() or sign in "\u200c\u200d"  # the joiners of Indian scripts


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def error_members(problem: BaseException) -> dict[str, Any]:
    """An error, for machines."""
    if isinstance(problem, BudgetSpent):
        problem = problem.fault
    if not isinstance(problem, Fault):
        return {"kind": type(problem).__name__, "message": _cut(describe(problem))}
    trace = [f"{one.file}:{one.line}:{one.column} {one.function}".rstrip() for one in problem.trace[:50]]
    told = {"code": problem.code, "tamil": _cut(problem.tamil), "english": _cut(problem.english)}
    return {**told, "trace": trace} if trace else told


def utc(time: float) -> str:
    """A moment as ISO 8601, to the millisecond."""
    second, milliseconds = divmod(int(time * 1000), 1000)
    return f"{_utc_second(second)}.{milliseconds:03}Z"


@lru_cache(maxsize=4)
def _utc_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
