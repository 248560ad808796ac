"""One-time jobs that survive a crash: what shall run, kept in the journal until it has succeeded.

The journal knows nothing of programs. A job is a name and a packed payload; whoever runs jobs asks for
those that are unfinished when it starts, and says of each when it is started, done, failed or dead.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import trio

from etamil_actors.actors.journal.letters import BURY_JOB, frame_text
from etamil_actors.actors.journal.writing import Statement
from etamil_actors.errors import Fault

if TYPE_CHECKING:
    from etamil_actors.actors.journal.store import Journal


class StoredJob(NamedTuple):
    """A job that is not finished."""

    number: int
    name: str
    payload: bytes
    attempt: int
    """How often it was started."""
    due: float
    """When it may be started next, by trio's clock."""


class StoredJobs:
    """The unfinished jobs of a journal."""

    __slots__ = ("_journal", "_tries", "on_requeued")

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._tries: dict[int, int] = {}
        self.on_requeued: Callable[[StoredJob], None] | None = None
        """Called when a dead job is to run again."""

    async def add(self, name: str, payload: bytes) -> StoredJob:
        """Keep a job. When this returns it will run, whatever happens.

        Raises:
            Fault: ``channel.unavailable``, it could not be kept.
        """
        return await self._add(name, payload)

    async def add_again(self, name: str, payload: bytes, letter: Statement) -> None:
        """Keep a dead job once more; ``letter`` takes its letter away."""
        job = await self._add(name, payload, letter)
        if self.on_requeued is not None:
            self.on_requeued(job)

    async def _add(self, name: str, payload: bytes, *beside: Statement) -> StoredJob:
        journal = self._journal
        now = trio.current_time()
        job = StoredJob(journal.next_number(), name, payload, 0, now)
        added = journal.to_calendar(now)
        insert = "INSERT INTO jobs VALUES (?, ?, ?, ?, ?, 0)"
        await journal.ask((insert, (job.number, name, payload, added, added)), *beside)
        return job

    async def unfinished(self) -> list[StoredJob]:
        """Those that are neither done nor dead, oldest first."""
        await self._journal.flush()
        rows = self._journal.read("SELECT number, name, payload, attempt, due FROM jobs ORDER BY number")
        return [
            StoredJob(
                number, name, payload, max(attempt, self._tries.get(number, 0)), self._journal.to_clock(due)
            )
            for number, name, payload, attempt, due in rows
        ]

    def started(self, job: StoredJob) -> StoredJob:
        """A try begins; it is on record before this returns.

        Raises:
            Fault: ``channel.unavailable``, it cannot be counted now and must not run.
        """
        attempt = max(job.attempt, self._tries.get(job.number, 0)) + 1
        if not self._journal.count_try(job.number, attempt):
            raise Fault("channel.unavailable", problem="the tries cannot be counted")
        self._tries[job.number] = attempt
        return job._replace(attempt=attempt)

    def done(self, job: StoredJob) -> None:
        """It has succeeded and is kept no longer."""
        self._end(job, ("DELETE FROM jobs WHERE number = ?", (job.number,)))

    def not_tried(self, job: StoredJob) -> StoredJob:
        """The try that was begun does not count; it does if the process ends badly before this is written."""
        again = job._replace(attempt=job.attempt - 1)
        self._tries[job.number] = again.attempt
        statement = "UPDATE jobs SET attempt = ? WHERE number = ?"
        self._journal.group.deeds.append((statement, (again.attempt, job.number)))
        self._journal.urge()
        return again

    def failed(self, job: StoredJob, delay: float) -> StoredJob:
        """A try has failed; there will be another one after so many seconds."""
        journal = self._journal
        due = trio.current_time() + delay
        journal.group.deeds.append(
            (
                "UPDATE jobs SET due = ?, attempt = ? WHERE number = ?",
                (journal.to_calendar(due), job.attempt, job.number),
            )
        )
        journal.urge()
        return job._replace(due=due)

    def dead(self, job: StoredJob, fault: Fault) -> None:
        """It has failed for good and goes among the dead letters."""
        journal = self._journal
        trace = json.dumps([frame_text(frame) for frame in fault.trace], ensure_ascii=False)
        time = journal.to_calendar(trio.current_time())
        journal.group.deeds.append(
            (BURY_JOB, (time, job.attempt, fault.code, fault.tamil, fault.english, trace, job.number))
        )
        self._end(job, ("DELETE FROM jobs WHERE number = ?", (job.number,)))

    def _end(self, job: StoredJob, statement: Statement) -> None:
        self._tries.pop(job.number, None)
        self._journal.group.deeds.append(statement)
        self._journal.urge()

    def tries(self) -> list[tuple[int, int]]:
        """Attempt and number of those that have been tried."""
        return [(attempt, number) for number, attempt in self._tries.items()]
