"""The journal: one SQLite file that keeps messages, one-time jobs and dead letters of a service tree.

```
channel.send ─▶ group ─▶ writer ─▶ disk ─▶ the sender goes on, the message may be taken
                  ▲
 ack, give back ──┘ (lazily)
```

Who waits for the disk makes the group urgent: it is written as soon as the writer is free, with all that
has gathered. What nobody waits for goes along, or is written a moment later. In a simulation the journal
is in memory, there is no thread, and groups are written where they are given; all else is the same.

Times in the file are those of the calendar, in the process those of trio's clock. The difference is
taken once, when the journal opens, so that a clock that is put right disturbs nothing that runs.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import apsw
import trio
from trio.lowlevel import Abort, cancel_shielded_checkpoint, checkpoint_if_cancelled, current_task

from etamil_actors.actors.channels.alarm import Alarm
from etamil_actors.actors.channels.base import BROADCAST, ChannelSettings
from etamil_actors.actors.events import EventStream
from etamil_actors.actors.journal.channel import JournalChannel
from etamil_actors.actors.journal.errors import JournalUnavailableError, unavailable
from etamil_actors.actors.journal.file import MEMORY, Lock, Place, open_file
from etamil_actors.actors.journal.jobs import StoredJobs
from etamil_actors.actors.journal.letters import JournalLetters
from etamil_actors.actors.journal.transit import Backlog
from etamil_actors.actors.journal.tries import Tries, read_tries
from etamil_actors.actors.journal.writing import Group, InlineWriter, Outcome, Statement, ThreadWriter
from etamil_actors.errors import Fault
from etamil_actors.vm.packing import NOTHING_KNOWN, Meanings

LAZY_SECONDS: Final = 0.02
"""How long an acknowledgement may wait for company."""

LAZY_MOST: Final = 512
"""So many are company enough."""

RETRY_SECONDS: Final = 1.0
"""When the disk is full: how long until the next try of what nobody waits for."""

FORGET_SECONDS: Final = 60.0
"""How often ids that are too old are removed from the file."""

NUMBERS_AT_ONCE: Final = 1_000_000

CLOSE_SECONDS: Final = 10.0


@asynccontextmanager
async def open_journal(
    path: str,
    *,
    wall: Callable[[], float] | None = None,
    meanings: Meanings = NOTHING_KNOWN,
    close_seconds: float = CLOSE_SECONDS,
) -> AsyncIterator[Journal]:
    """A journal for as long as the block lasts; one at ``:memory:`` uses no thread and no file.

    ``wall`` tells the seconds since 1970; in memory it is trio's clock. ``meanings`` says what names in
    values mean, unless whoever takes a message unpacks it anew. At the end everything is written, within
    so many seconds; what is not settled stays in the file and comes again.

    Raises:
        JournalError: one of its children; nothing was changed, and the text says what to do.
    """
    writing, reading, lock = open_file(path)
    try:
        journal = Journal(path, writing, reading, lock, wall, meanings)
    except (apsw.Error, OSError) as trouble:
        reading.close()
        writing.close()
        if lock is not None:
            lock.release()
        raise JournalUnavailableError(path, str(trouble)) from trouble
    try:
        yield journal
    finally:
        await journal.close(close_seconds)


class Journal:
    """See the top of the file. It is made by ``open_journal``."""

    def __init__(
        self,
        path: str,
        writing: apsw.Connection,
        reading: apsw.Connection,
        lock: Lock | None,
        wall: Callable[[], float] | None,
        meanings: Meanings,
    ) -> None:
        self.path = path
        self.meanings = meanings
        self._reading = reading
        self._is_inline = path == MEMORY
        now = trio.current_time()
        default = trio.current_time if self._is_inline else time.time
        self._ahead = (wall or default)() - now
        place = None if self._is_inline else Place(os.path.realpath(path))
        self.tries = Tries(place.tries if place is not None else None)
        if place is not None:
            _fold(writing, read_tries(place.tries))
        self.tries.begin()
        self._lock = lock
        self._begin_numbers(writing)
        self._channels: dict[str, JournalChannel] = {}
        self.backlogs = self._waiting()
        """What the file holds, by the name of the channel."""
        self._group = Group()
        self._running: Group | None = None
        self._is_urgent = False
        self._is_scheduled = False
        self._is_lazy = False
        self._folding = False
        self._alarm = Alarm(self._begin_lazily)
        self._forget_at = now
        self._token = trio.lowlevel.current_trio_token()
        self._connection = writing
        self._writer = (InlineWriter if self._is_inline else ThreadWriter)(writing, self._written)
        self.is_closed = False
        self.is_clean = True
        """After the end: was everything written in time?"""
        self.jobs = StoredJobs(self)
        """One-time jobs that survive a crash."""
        self.letters = JournalLetters(self)
        """The dead letters of its channels and jobs."""

    # ── what is there ───────────────────────────────────────────────────────────────────────────

    def channel(self, name: str, settings: ChannelSettings, path: str, events: EventStream) -> JournalChannel:
        """The channel of this name. There is one for each; it is opened again when it was closed.

        Raises:
            Fault: ``value.invalid``, a broadcast channel cannot be kept.
        """
        if settings.kind == BROADCAST:
            raise Fault(
                "value.invalid",
                name="சேனல்_உருவாக்கு",
                problem_ta="பரப்புச் சேனலைப் பதிவேட்டில் வைக்க முடியாது",
                problem_en="a broadcast channel cannot be kept in the journal",
            )
        channel = self._channels.get(name)
        if channel is None:
            backlog = self.backlogs.get(name)
            if backlog is None:
                backlog = self.backlogs[name] = Backlog(len(self.backlogs) + 1)
                self._group.deeds.append(("INSERT INTO channels VALUES (?, ?, 0)", (backlog.number, name)))
                self.lazily()
            channel = self._channels[name] = JournalChannel(self, name, settings, path, events, backlog)
        else:
            channel.open_again(settings, path, events)
        return channel

    def waiting(self) -> dict[str, int]:
        """How many messages wait, by the name of the channel; in the file there may be more channels
        than the program has."""
        return {
            name: channel.pending if (channel := self._channels.get(name)) is not None else backlog.count
            for name, backlog in self.backlogs.items()
        }

    # ── for channels, jobs and letters ──────────────────────────────────────────────────────────

    @property
    def group(self) -> Group:
        """What will be written next."""
        return self._group

    def next_number(self) -> int:
        """A number for a message or a job, higher than all before."""
        self._numbers += 1
        if self._numbers > self._numbers_end:
            self._numbers_end += NUMBERS_AT_ONCE
            # Whatever has the new numbers is in this group or a later one.
            self._group.deeds.append(_using(self._numbers_end))
        return self._numbers

    def to_calendar(self, moment: float) -> float:
        """A moment of trio's clock, as the file has it."""
        return moment + self._ahead

    def to_clock(self, moment: float) -> float:
        """A moment that the file has, by trio's clock."""
        return moment - self._ahead

    def urge(self) -> None:
        """Somebody waits for the group."""
        self._is_urgent = True
        if self._running is not None or self._is_scheduled:
            return
        if self._is_inline:
            self._begin()
        else:
            # When everybody has had a turn who can, the group is larger.
            self._is_scheduled = True
            self._token.run_sync_soon(self._begin_soon)

    def lazily(self) -> None:
        """Nobody waits for what was added to the group."""
        group = self._group
        if len(group.deletes) + len(group.deeds) >= LAZY_MOST:
            self.urge()
        elif not self._is_lazy and not self._is_inline:
            self._is_lazy = True
            self._alarm.set(trio.current_time() + LAZY_SECONDS)

    def read(self, statement: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """Look something up that has been written.

        Raises:
            Fault: ``channel.unavailable``, the file cannot be read.
        """
        try:
            return self._reading.execute(statement, values).fetchall()
        except apsw.Error as trouble:
            raise unavailable(trouble) from trouble

    def came_back(self, channel: int, number: int, moment: float) -> None:
        """A dead letter of a channel waits again."""
        for name, backlog in self.backlogs.items():
            if backlog.number == channel:
                if name in self._channels:
                    self._channels[name].came_back(number, moment)
                else:
                    backlog.ready.append(number)

    def count_try(self, number: int, attempt: int) -> bool:
        """Put on record that this is being tried; False when that is not possible now."""
        noted = self.tries.note(number, attempt)
        if self.tries.wants_folding and not self._folding:
            self._fold_tries()
        return noted

    async def ask(self, *statements: Statement) -> None:
        """Have this written, and wait for it.

        Raises:
            Fault: ``channel.unavailable``, it could not be written.
        """
        await checkpoint_if_cancelled()
        if self.is_closed:
            raise Fault("channel.unavailable", problem="closed")
        answer = Answer()
        self._group.asked += statements
        self._group.waiters.append(answer.give)
        self.urge()
        await answer.wait()

    async def flush(self) -> None:
        """Wait until all that was done before is on the disk.

        Raises:
            Fault: ``channel.unavailable``, it could not be written.
        """
        if self._running is not None or not self._group.is_empty:
            await self.ask()
        else:
            await trio.lowlevel.checkpoint()

    # ── writing ─────────────────────────────────────────────────────────────────────────────────

    def _begin_soon(self) -> None:
        self._is_scheduled = False
        if self._running is None:
            self._begin()

    def _begin_lazily(self) -> float:
        self._is_lazy = False
        if self._running is None and not self.is_closed:
            self._begin()
        return float("inf")

    def _begin(self) -> None:
        self._is_urgent = False
        if self._group.is_empty:
            return
        now = trio.current_time()
        if now >= self._forget_at:
            self._forget_at = now + FORGET_SECONDS
            self._group.deeds.append(("DELETE FROM seen WHERE until <= ?", (self.to_calendar(now),)))
        group = self._running = self._group
        self._group = Group()
        self._writer.write(group)

    def _written(self, group: Group, outcome: Outcome) -> None:
        self._running = None
        if outcome.is_kept:
            self._group.take_over(group)
            self._is_lazy = True
            self._alarm.set(trio.current_time() + RETRY_SECONDS)
        # The disk first, then those who wait: they may take long to be told.
        if self._is_urgent:
            self._begin()
        elif not outcome.is_kept and not self._group.is_empty:
            self.lazily()
        if not outcome.is_kept:
            for callback in group.callbacks:
                callback()
        for waiter in group.waiters:
            waiter(outcome.failure)

    def _fold_tries(self) -> None:
        self._folding = True
        self._group.deeds += self._known_tries()
        self._group.callbacks.append(self._folded)
        self.lazily()
        if self._is_inline:
            self.urge()

    def _known_tries(self) -> list[Statement]:
        """What the file has to be told of those that are being tried now."""
        messages = [taken for channel in self._channels.values() for taken in channel.tries()]
        jobs = self.jobs.tries()
        return [
            *[("UPDATE messages SET attempt = ? WHERE number = ?", taken) for taken in messages],
            *[("UPDATE jobs SET attempt = ? WHERE number = ?", taken) for taken in jobs],
        ]

    def _folded(self) -> None:
        self._folding = False
        self.tries.folded()
        for channel in self._channels.values():
            channel.can_count_again()

    # ── the beginning and the end ───────────────────────────────────────────────────────────────

    def _begin_numbers(self, writing: apsw.Connection) -> None:
        """Numbers are never used twice, whatever was removed from the file: it is told in advance."""
        self._numbers = next(int(used) for (used,) in writing.execute("SELECT used FROM numbers"))
        self._numbers_end = self._numbers + NUMBERS_AT_ONCE
        writing.execute(*_using(self._numbers_end))

    def _waiting(self) -> dict[str, Backlog]:
        read = self._reading.execute
        backlogs = {
            name: Backlog(number, dead)
            for number, name, dead in read("SELECT number, name, dead FROM channels")
        }
        by_number = {backlog.number: backlog for backlog in backlogs.values()}
        now = self.to_calendar(trio.current_time())
        for number, channel in read(
            "SELECT number, channel FROM messages WHERE due <= ? ORDER BY number", (now,)
        ):
            by_number[channel].ready.append(number)
        for number, channel, due, key, attempt in read(
            "SELECT number, channel, due, key, attempt FROM messages WHERE due > ? ORDER BY due, number",
            (now,),
        ):
            backlog = by_number[channel]
            backlog.later.append((self.to_clock(due), number, attempt > 0))
            if attempt > 0 and key is not None:
                backlog.keys[key] = number
        return backlogs

    async def close(self, seconds: float) -> None:
        """Write everything, within so many seconds. May be said twice."""
        if self.is_closed:
            return
        for channel in self._channels.values():
            channel.end()
        self._group.deeds += self._known_tries()
        written = trio.Event()
        self._group.waiters.append(lambda _: written.set())
        self.urge()
        with trio.move_on_after(seconds, shield=True):
            await written.wait()
        self.is_closed = True
        self.is_clean = self._running is None and self._group.is_empty
        self._fail_all()
        closed = trio.Event()
        self._writer.end(lambda: self._close_connection(closed))
        with trio.move_on_after(seconds, shield=True):
            await closed.wait()
        self.is_clean = self.is_clean and closed.is_set()
        self.tries.close(forget=self.is_clean)
        if self._lock is not None and closed.is_set():  # else the writer may still be at it
            self._lock.release()

    def _fail_all(self) -> None:
        """Nobody waits for a disk that hangs longer than the journal is open."""
        left = Fault("channel.unavailable", problem="closed")
        for group in (self._running, self._group):
            if group is not None:
                waiters, group.waiters = group.waiters, []
                for waiter in waiters:
                    waiter(left)

    def _close_connection(self, closed: trio.Event) -> None:
        if self._reading is not self._connection:
            self._reading.close()
        try:
            self._connection.close()
        finally:
            if self._is_inline:
                closed.set()
            else:
                with suppress(trio.RunFinishedError):
                    self._token.run_sync_soon(closed.set)


class Answer:
    """What somebody waits for who has asked for something to be written."""

    __slots__ = ("_failure", "_is_given", "_task")

    def __init__(self) -> None:
        self._task: trio.lowlevel.Task | None = None
        self._is_given = False
        self._failure: Exception | None = None

    def give(self, failure: Exception | None) -> None:
        """It is written, or it failed."""
        self._is_given = True
        self._failure = failure
        if self._task is not None:
            trio.lowlevel.reschedule(self._task)

    async def wait(self) -> None:
        """Wait for it. A cancellation has to wait too: there is no way back from the disk.

        Raises:
            Fault: ``channel.unavailable``.
        """
        if self._is_given:
            await cancel_shielded_checkpoint()
        else:
            self._task = current_task()
            await trio.lowlevel.wait_task_rescheduled(_no_way_back)
        if self._failure is not None:
            raise unavailable(self._failure)


def _no_way_back(_: object) -> Abort:
    return Abort.FAILED


def _using(numbers: int) -> Statement:
    return "UPDATE numbers SET used = ?", (numbers,)


def _fold(connection: apsw.Connection, tries: dict[int, int]) -> None:
    """Put into the journal what a process that ended badly had counted."""
    if not tries:
        return
    known = [(attempt, number) for number, attempt in tries.items()]
    with connection:
        connection.executemany("UPDATE messages SET attempt = max(attempt, ?) WHERE number = ?", known)
        connection.executemany("UPDATE jobs SET attempt = max(attempt, ?) WHERE number = ?", known)
