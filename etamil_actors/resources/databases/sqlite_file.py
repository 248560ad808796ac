"""An SQLite database of this process: where it is, how it is opened, and whose turn it is to write.

A file has several readers and one writer. SQLite would let writers knock until they are let in, in any order;
here those of one process wait in a queue, and only those of other processes have to be knocked for. A
database in memory is one connection of SQLite that all connections of its pool share, a statement or a
transaction at a time; there the turn is for reading as well.

Behind the path may stand how it is used: ``data/kadai.db?synchronous=full``; ``?mode=ro`` only reads. On a
disc where nothing can be written SQLite cannot even read a database with a log (WAL), as ours are, unless it
is told that nobody else writes either: ``?mode=ro&immutable=1``.
"""

from __future__ import annotations

import math
import os
import re
from time import perf_counter
from typing import Final
from urllib.parse import quote
from weakref import WeakValueDictionary

import apsw
import trio
from trio.lowlevel import Abort, Task, current_task, reschedule, wait_task_rescheduled

from etamil_actors.errors import Fault
from etamil_actors.resources.databases import troubles
from etamil_actors.resources.databases.sqlite_plans import Plans

MEMORY: Final = ":memory:"
STATEMENTS: Final = 200
"""Prepared statements that a connection keeps."""
FULL_PAGES: Final = 1000
"""So many pages may stand in the log before they are moved into the database."""
LOG_BYTES: Final = 16 * 1024 * 1024
"""A log that was larger once is cut to this."""
LOGGED: Final = b"\2\2"
"""At place 18 of a file: it was written with a log (WAL)."""
LOOK_SECONDS: Final = 1.0
"""So often it is looked whether the file is still the one that was opened."""
STEPS: Final = 1000
"""Of SQLite's machine between two looks at the clock: some 10 microseconds."""
STEPS_THERE: Final = 100_000
"""The same in a thread, where each look has to wait for the interpreter's lock."""

_SAID: Final = re.compile(r"(.*)\?(\w+=\w*(?:&\w+=\w*)*)\Z", re.DOTALL)
KNOWN: Final = {
    "synchronous": ("off", "normal", "full", "extra"),
    "mode": ("ro", "rwc"),
    "immutable": ("0", "1"),
}
"""What may stand behind the path of a file."""


class Turn:
    """Whose turn it is, first come, first served."""

    __slots__ = ("_waiting", "is_taken")

    def __init__(self) -> None:
        self.is_taken = False
        self._waiting: dict[Task, None] = {}

    async def take(self, deadline: float) -> bool:
        """Wait for it; false when there is no more time."""
        if not self.is_taken:
            self.is_taken = True
            return True
        task = current_task()
        self._waiting[task] = None

        def abort(_: object) -> Abort:
            del self._waiting[task]
            return Abort.SUCCEEDED

        with trio.CancelScope(deadline=deadline):
            await wait_task_rescheduled(abort)
            return True
        return False

    def free(self) -> None:
        """It is the next one's."""
        for task in self._waiting:
            del self._waiting[task]
            reschedule(task)
            return
        self.is_taken = False


class Opened:
    """A connection of SQLite, and what stops a statement on it."""

    __slots__ = ("raw", "steps", "until", "waits_for_disk")

    def __init__(self, raw: apsw.Connection, waits_for_disk: bool) -> None:
        self.raw = raw
        self.waits_for_disk = waits_for_disk
        """Does a commit?"""
        self.until = math.inf
        """When the statement that is running is stopped."""
        self.steps = 0
        """Between two looks at that."""

    def look_every(self, steps: int) -> None:
        """Let SQLite ask whether to stop, after so many steps each."""
        if self.steps != steps:
            self.steps = steps
            self.raw.set_progress_handler(self._is_over, steps)

    def _is_over(self) -> bool:
        return perf_counter() > self.until


class SqliteFile:
    """What the connections of a pool have in common. Connections of several pools to one file share it."""

    def __init__(self, url: str) -> None:
        """Raises: Fault ``config``; there can be no such file."""
        path, said = _parts(url)
        self.synchronous = said.get("synchronous", "normal")
        self.is_immutable = said.get("immutable") == "1"
        """Does nobody write to it at all, so that it needs no locks and no log?"""
        self.is_read_only = self.is_immutable or said.get("mode") == "ro"
        if "\0" in path or not path or not _may_be_encoded(path):
            raise Fault(
                "config",
                problem_ta="SQLite கோப்பின் பெயர் சொல்லப்படவில்லை அல்லது தவறானது",
                problem_en="the name of the SQLite file is missing or impossible",
            )
        self.path = path if path == MEMORY else os.path.abspath(path)
        self.is_memory = path == MEMORY
        self.plans = Plans()
        self.turn = Turn()
        self.spent = 0.0
        """Seconds that statements have taken from others since the last of them let others run."""
        self.is_full = False
        """Should the log be emptied?"""
        self.is_fresh = not self.is_memory
        """Does the log begin anew with what is written next? That waits for the disk."""
        self._identity: tuple[int, int] | None = None
        self._look_at = 0.0
        self._full_pages = FULL_PAGES

    def open(self) -> Opened:
        """Open it; the caller is in a thread.

        Raises:
            apsw.Error: as SQLite says.
            Fault: ``db.unavailable``; there is no such folder.
        """
        if self.is_memory:
            raw = apsw.Connection(MEMORY, statementcachesize=STATEMENTS)
        else:
            self._look()
            raw = self._opened()
        self.is_fresh = not self.is_memory
        try:
            return self._prepare(raw)
        except BaseException:
            raw.close()
            raise

    def _opened(self) -> apsw.Connection:
        if not self.is_read_only:
            return apsw.Connection(self.path, statementcachesize=STATEMENTS)
        flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        url = f"file:{quote(self.path)}?immutable={int(self.is_immutable)}"
        return apsw.Connection(url, flags=flags, statementcachesize=STATEMENTS)

    @property
    def needs_folder(self) -> bool:
        """Has it a log, for which nothing can be written where it is?"""
        if self.is_immutable or os.access(os.path.dirname(self.path), os.W_OK):
            return False
        try:
            with open(self.path, "rb") as file:
                return file.read(20)[18:] == LOGGED
        except OSError:
            return False

    def _look(self) -> None:
        folder = os.path.dirname(self.path)
        if not os.path.isdir(folder):
            raise troubles.unavailable(f"‘{folder}’ என்ற கோப்புறை இல்லை", f"there is no folder ‘{folder}’")
        if os.path.isdir(self.path):
            raise troubles.unavailable(
                f"‘{self.path}’ ஒரு கோப்புறை, கோப்பு அல்ல", f"‘{self.path}’ is a folder, no file"
            )
        if self.is_read_only and not os.path.exists(self.path):
            raise troubles.unavailable(f"‘{self.path}’ என்ற கோப்பு இல்லை", f"there is no file ‘{self.path}’")

    def _prepare(self, raw: apsw.Connection) -> Opened:
        raw.set_busy_timeout(0)  # who has to wait does so in trio
        raw.pragma("foreign_keys", True)
        if self.is_memory:
            return Opened(raw, False)
        try:
            mode = raw.pragma("journal_mode") if self.is_read_only else raw.pragma("journal_mode", "wal")
        except (apsw.ReadOnlyError, apsw.CantOpenError):
            mode = ""  # one may only read here, which needs no log
        raw.pragma("synchronous", self.synchronous)
        raw.pragma("journal_size_limit", LOG_BYTES)
        raw.set_wal_hook(self._logged)
        return Opened(raw, mode != "wal" or self.synchronous not in ("normal", "off"))

    def _logged(self, raw: apsw.Connection, name: str, pages: int) -> int:
        self.is_fresh = False
        if pages >= self._full_pages:
            self.is_full = True
        return apsw.SQLITE_OK

    def empty(self, raw: apsw.Connection) -> None:
        """Move the log into the database as far as nobody reads it; the caller is in a thread. Should that
        fail, a later one tries."""
        self.is_full = False
        self._full_pages = 2 * self._full_pages  # until it is known, nobody else tries
        try:
            pages, moved = raw.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.Error:
            pages, moved = FULL_PAGES, 0
        self._full_pages = FULL_PAGES if moved >= pages else pages + FULL_PAGES
        self.is_fresh = moved >= pages

    def is_still(self, identity: tuple[int, int] | None) -> bool:
        """Is this the file that has the name? Looked at once in a while."""
        if perf_counter() >= self._look_at:
            self.identity()
        return identity == self._identity

    def identity(self) -> tuple[int, int] | None:
        """What tells this file from another of the same name; nothing when there is none."""
        if self.is_memory:
            return None
        self._look_at = perf_counter() + LOOK_SECONDS
        try:
            facts = os.stat(self.path)
        except OSError:
            self._identity = (0, 0)
        else:
            self._identity = facts.st_dev, facts.st_ino
        return self._identity


def _may_be_encoded(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _parts(url: str) -> tuple[str, dict[str, str]]:
    """The path, and what is said behind it. Raises: Fault ``config``."""
    found = _SAID.match(url)
    if found is None:
        return url, {}
    said = dict(pair.lower().split("=", 1) for pair in found[2].split("&"))
    for name, value in said.items():
        if value not in KNOWN.get(name, ()):
            known = ", ".join(f"{name}={'|'.join(values)}" for name, values in KNOWN.items())
            raise Fault(
                "config",
                problem_ta=f"SQLite கோப்பின் பெயருக்குப் பின் ‘{name}={value}’ வராது; வரக்கூடியவை: {known}",
                problem_en=f"‘{name}={value}’ means nothing behind the name of a file; known are {known}",
            )
    return found[1], said


_files: WeakValueDictionary[str, SqliteFile] = WeakValueDictionary()


def file_of(url: str) -> SqliteFile:
    """The file of this name, one for all of its pools; a database in memory is a new one. Raises: Fault."""
    made = SqliteFile(url)
    if made.is_memory:
        return made
    key = f"{os.path.realpath(made.path)}?{made.synchronous}{made.is_read_only:d}{made.is_immutable:d}"
    return _files.setdefault(key, made)


def extended(trouble: apsw.Error) -> int:
    """The code that tells more than the class does."""
    return getattr(trouble, "extendedresult", 0)


def fault_of(trouble: apsw.Error) -> Fault:
    """What SQLite says, as programs get it."""
    text = str(trouble)
    number = extended(trouble)
    code = apsw.mapping_extended_result_codes.get(number) or apsw.mapping_result_codes.get(number & 0xFF, "")
    if isinstance(trouble, apsw.ReadOnlyError):
        return troubles.only_read(sqlite=str(code))
    if isinstance(trouble, apsw.BusyError):
        return troubles.conflict(text, text, sqlite=str(code))
    if isinstance(trouble, UNREACHABLE):
        return troubles.unavailable(text, text, sqlite=str(code))
    if isinstance(trouble, apsw.TooBigError):
        text = "string or blob too big"
    return troubles.refused(text, text, sqlite=str(code))


UNREACHABLE: Final = (
    apsw.CantOpenError, apsw.IOError, apsw.FullError, apsw.CorruptError, apsw.NotADBError,
    apsw.LockedError, apsw.ProtocolError, apsw.NoLFSError, apsw.PermissionsError,
)  # fmt: skip
"""Not the statement is at fault, but the file, the disk, or whoever else uses it."""
