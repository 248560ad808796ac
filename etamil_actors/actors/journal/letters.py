"""The dead letters of a journal: messages that nobody will handle, and one-time jobs that have failed.

They are kept in the file until somebody requeues or drops them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import trio

from etamil_actors.actors.channels.letters import Letter
from etamil_actors.errors import Fault, Frame
from etamil_actors.vm.packing import unpacked

if TYPE_CHECKING:
    from etamil_actors.actors.journal.store import Journal

_REASON: Final = "time, tries, code, tamil, english, trace"
_INTO: Final = f"INSERT INTO dead (channel, job, value, key, sent, {_REASON})"

BURY_MESSAGE: Final = (
    f"{_INTO} SELECT channel, NULL, value, key, sent, ?, ?, ?, ?, ?, ? FROM messages WHERE number = ?"
)
BURY_JOB: Final = (
    f"{_INTO} SELECT NULL, name, payload, NULL, added, ?, ?, ?, ?, ?, ? FROM jobs WHERE number = ?"
)


class DeadJob(NamedTuple):
    """A one-time job that has failed for good."""

    number: int
    time: float
    name: str
    payload: bytes
    code: str
    tamil: str
    english: str
    trace: tuple[str, ...]
    tries: int


class JournalLetters:
    """See the top of the file. Numbers are never given twice, to whatever kind of letter."""

    __slots__ = ("_journal", "_moving")

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._moving: set[int] = set()

    def count(self, channel: str | None = None) -> int:
        """How many messages ever were, of one channel or of all; requeued and dropped ones too."""
        journal = self._journal
        if channel is not None:
            backlog = journal.backlogs.get(channel)
            return backlog.dead if backlog is not None else 0
        return sum(backlog.dead for backlog in journal.backlogs.values())

    def total(self) -> int:
        """How many there are now, messages and jobs."""
        return int(self._journal.read("SELECT count(*) FROM dead")[0][0])

    async def jobs(self, name: str | None = None, *, limit: int = -1) -> list[DeadJob]:
        """The jobs that are kept, oldest first, all or those of one name, so many at most."""
        await self._journal.flush()
        clock = self._journal.to_clock
        found = self._journal.read(
            "SELECT number, time, job, value, code, tamil, english, trace, tries FROM dead"
            " WHERE job IS NOT NULL AND (?1 IS NULL OR job = ?1) ORDER BY number LIMIT ?2",
            (name, limit),
        )
        return [
            DeadJob(number, clock(time), job, payload, code, tamil, english, tuple(json.loads(trace)), tries)
            for number, time, job, payload, code, tamil, english, trace, tries in found
        ]

    async def listed(
        self,
        channel: str | None = None,
        *,
        code: str | None = None,
        since: float | None = None,
        limit: int = -1,
    ) -> list[Letter]:
        """The messages that are kept, oldest first: of a channel, with an error code, since a moment of
        trio's clock, so many at most.

        A value that cannot be unpacked here is shown as the text of what is wrong with it.
        """
        await self._journal.flush()
        clock = self._journal.to_clock
        found = self._journal.read(
            "SELECT dead.number, time, name, value, key, code, tamil, english, trace, tries"
            " FROM dead JOIN channels ON channels.number = dead.channel"
            " WHERE (?1 IS NULL OR name = ?1) AND (?2 IS NULL OR code = ?2) AND (?3 IS NULL OR time >= ?3)"
            " ORDER BY dead.number LIMIT ?4",
            (channel, code, None if since is None else self._journal.to_calendar(since), limit),
        )
        return [
            Letter(
                number,
                clock(time),
                name,
                self._value(value),
                key,
                said,
                tamil,
                english,
                tuple(json.loads(trace)),
                tries,
            )
            for number, time, name, value, key, said, tamil, english, trace, tries in found
        ]

    async def kept(self) -> Mapping[str, int]:
        """How many messages are kept of each channel that has any."""
        await self._journal.flush()
        return dict(
            self._journal.read(
                "SELECT name, count(*) FROM dead JOIN channels ON channels.number = dead.channel"
                " GROUP BY name"
            )
        )

    async def requeue(self, number: int) -> bool:
        """Let it be tried again, as if it were new; False when there is no such letter.

        A message waits behind the others, whether there is room or not, and whether or not the program
        has its channel open.

        Raises:
            Fault: ``channel.unavailable``, it could not be written; the letter stays.
        """
        row = await self._letter(number)
        if row is None:
            return False
        self._moving.add(number)
        try:
            channel, job, payload, key = row
            if job is not None:
                await self._journal.jobs.add_again(job, payload, _forget(number))
            else:
                await self._requeue_message(number, channel, payload, key)
        finally:
            self._moving.discard(number)
        return True

    async def _requeue_message(self, number: int, channel: int, payload: bytes, key: str | None) -> None:
        journal = self._journal
        now = trio.current_time()
        sent = journal.to_calendar(now)
        new = journal.next_number()
        await journal.ask(
            (
                "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, 0, 0)",
                (new, channel, payload, key, sent, sent),
            ),
            _forget(number),
        )
        journal.came_back(channel, new, now)

    async def drop(self, number: int) -> bool:
        """Throw it away; False when there is no such letter.

        Raises:
            Fault: ``channel.unavailable``, it could not be written.
        """
        if await self._letter(number) is None:
            return False
        self._moving.add(number)
        try:
            await self._journal.ask(_forget(number))
        finally:
            self._moving.discard(number)
        return True

    async def _letter(self, number: int) -> tuple[Any, ...] | None:
        await self._journal.flush()
        if number in self._moving:  # somebody is just about to take it away
            return None
        found = self._journal.read("SELECT channel, job, value, key FROM dead WHERE number = ?", (number,))
        return found[0] if found else None

    def _value(self, packed: bytes) -> Any:
        try:
            return unpacked(packed, self._journal.meanings)
        except Fault as fault:
            return fault.message


def _forget(number: int) -> tuple[str, tuple[int]]:
    return "DELETE FROM dead WHERE number = ?", (number,)


def frame_text(frame: Frame) -> str:
    """A call of the program in one line."""
    return f"{frame.file}:{frame.line}:{frame.column} {frame.function}".rstrip()
