"""What is written to the journal, in groups: one transaction, one wait for the disk, many messages.

While one group is on its way to the disk the next one gathers. A group holds what somebody waits for
(``sends``, ``asked``), which fails when the group fails, and what nobody waits for (``deeds``,
``deletes``), which is kept for the next try. Within a group the deletes come last.

Each step of a statement gives up the interpreter and has to get it back, and beside a busy program that
takes milliseconds. So a usual group is *one* statement, and a transaction by itself: its rows, whatever
they mean, go into a view, and triggers do what each of them says. The number of rows is filled up to a
power of two with rows that say nothing, so that there are few different statements.

The writer is either a thread of its own, or nobody: then a group is written where it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from queue import SimpleQueue
from threading import Thread
from typing import Any, Final

import apsw
import trio

LARGEST_BLOCK: Final = 512

Statement = tuple[str, tuple[Any, ...]]


class Group:
    """What is written in one transaction."""

    __slots__ = ("asked", "callbacks", "deeds", "deletes", "ids", "sends", "waiters")

    def __init__(self) -> None:
        self.sends: list[tuple[Any, ...]] = []
        """Rows of messages."""
        self.ids: list[tuple[Any, ...]] = []
        """Rows of ids that were seen."""
        self.asked: list[Statement] = []
        self.waiters: list[Callable[[Exception | None], None]] = []
        """Told when the group has been written, or why it was not."""
        self.deeds: list[Statement] = []
        self.deletes: list[int] = []
        """Numbers of messages."""
        self.callbacks: list[Callable[[], None]] = []
        """Called when deeds and deletes have been written."""

    @property
    def is_empty(self) -> bool:
        """Is there nothing to be done?"""
        return not (self.sends or self.deletes or self.deeds or self.asked or self.waiters or self.callbacks)

    def take_over(self, failed: Group) -> None:
        """Do first what another group could not do."""
        self.deeds[:0] = failed.deeds
        self.deletes[:0] = failed.deletes
        self.callbacks[:0] = failed.callbacks


class Outcome:
    """How it went: what was wrong with the group, and with the part that nobody waits for."""

    __slots__ = ("failure", "is_kept")

    def __init__(self, failure: Exception | None, is_kept: bool) -> None:
        self.failure = failure
        self.is_kept = is_kept
        """Deeds and deletes must be done again."""


def write(connection: apsw.Connection, group: Group) -> Outcome:
    """Write a group. When that fails, the part that nobody waits for is tried alone; it may make room."""
    failure = _commit(connection, group)
    if failure is None:
        return Outcome(None, False)
    if not (group.deeds or group.deletes or group.callbacks):
        return Outcome(failure, False)
    if _commit(connection, group, sends=False) is not None:
        return Outcome(failure, True)
    return Outcome(_commit(connection, group, rest=False), False)


def _commit(
    connection: apsw.Connection, group: Group, *, sends: bool = True, rest: bool = True
) -> Exception | None:
    rows: list[_Row] = []
    if sends:
        rows += [(_SEND, *row) for row in group.sends]
        rows += [(_SEEN, *row, *_NOTHING[3:]) for row in group.ids]
    if rest:
        rows += [(_DELETE, number, *_NOTHING[1:]) for number in group.deletes]
    statements = [*(group.deeds if rest else ()), *(group.asked if sends else ())]
    execute = connection.execute
    try:
        if not statements and len(rows) <= LARGEST_BLOCK:
            if rows:
                execute(*_block(rows))
            return None
        execute("BEGIN IMMEDIATE")
        # What is done to messages one by one comes before they are deleted.
        for text, values in statements:
            execute(text, values)
        for start in range(0, len(rows), LARGEST_BLOCK):
            execute(*_block(rows[start : start + LARGEST_BLOCK]))
        execute("COMMIT")
    except Exception as problem:  # noqa: BLE001  whatever it is, those who wait are told
        if connection.in_transaction:
            try:
                execute("ROLLBACK")
            except apsw.Error:
                pass  # SQLite has rolled back by itself; the first problem is the one that tells
        return problem
    return None


_Row = tuple[Any, ...]

_SEND, _SEEN, _DELETE, _NONE = range(4)
_NOTHING = (None,) * 8

PREPARE: Final = f"""
PRAGMA temp_store = MEMORY;
CREATE TEMP VIEW work AS SELECT 0 AS what, 0 AS a, 0 AS b, 0 AS c, 0 AS d, 0 AS e, 0 AS f, 0 AS g, 0 AS h;
CREATE TEMP TRIGGER send INSTEAD OF INSERT ON work WHEN new.what = {_SEND} BEGIN
    INSERT INTO messages VALUES (new.a, new.b, new.c, new.d, new.e, new.f, new.g, new.h);
END;
CREATE TEMP TRIGGER saw INSTEAD OF INSERT ON work WHEN new.what = {_SEEN} BEGIN
    INSERT OR REPLACE INTO seen VALUES (new.a, new.b, new.c);
END;
CREATE TEMP TRIGGER done INSTEAD OF INSERT ON work WHEN new.what = {_DELETE} BEGIN
    DELETE FROM messages WHERE number = new.a;
END;
"""
"""What a connection that writes is told first."""


def _block(rows: list[_Row]) -> tuple[str, list[Any]]:
    """The statement for so many rows, and its values."""
    size = 1 << (len(rows) - 1).bit_length()
    values = [part for row in rows for part in row]
    values += [part for _ in range(size - len(rows)) for part in (_NONE, *_NOTHING)]
    return _work(size), values


@cache
def _work(rows: int) -> str:
    row = f"({', '.join('?' * 9)})"
    return f"INSERT INTO work VALUES {', '.join([row] * rows)}"


# ── who writes ──────────────────────────────────────────────────────────────────────────────────

Written = Callable[[Group, Outcome], None]


class InlineWriter:
    """Writes at once."""

    def __init__(self, connection: apsw.Connection, written: Written) -> None:
        connection.execute(PREPARE)
        self._connection = connection
        self._written = written

    def write(self, group: Group) -> None:
        """Write this, and tell."""
        self._written(group, write(self._connection, group))

    def end(self, last: Callable[[], None]) -> None:
        """Do this, and no more."""
        last()


class ThreadWriter:
    """Writes in a thread of its own, one group after the other."""

    def __init__(self, connection: apsw.Connection, written: Written) -> None:
        connection.execute(PREPARE)
        self._connection = connection
        self._written = written
        self._token = trio.lowlevel.current_trio_token()
        self._todo: SimpleQueue[Group | Callable[[], None]] = SimpleQueue()
        # It does not keep a process alive whose disk hangs.
        self._thread = Thread(target=self._work, name="etamil-journal", daemon=True)
        self._thread.start()

    def write(self, group: Group) -> None:
        """Have this written; ``written`` is called in trio's thread afterwards."""
        self._todo.put(group)

    def end(self, last: Callable[[], None]) -> None:
        """Do this after everything else, and end."""
        self._todo.put(last)

    def _work(self) -> None:
        while True:
            task = self._todo.get()
            if not isinstance(task, Group):
                task()
                return
            outcome = write(self._connection, task)
            try:
                self._token.run_sync_soon(self._written, task, outcome)
            except trio.RunFinishedError:
                return  # nobody is left who wants to know
