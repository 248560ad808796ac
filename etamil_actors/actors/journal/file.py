"""The journal's file: whose it is, whether it is one, and how a new one is made.

Before anything is touched the file is looked at from outside. What is not a journal of ours, or one of
a newer format, or damaged, is refused and stays as it was to the last byte, without a companion file
left behind.

One process owns a journal. It holds a lock on a file of its own beside it, because SQLite's locks on the
journal itself would be lost whenever anybody in the process opened and closed it once more. The lock
goes with the process, however that ends. A new journal is made under another name and moved in place
when it is whole.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from struct import unpack_from
from typing import Final, NamedTuple

import apsw

from etamil_actors.actors.journal.errors import (
    JournalBusyError,
    JournalCorruptError,
    JournalForeignError,
    JournalUnavailableError,
    JournalVersionError,
)

FORMAT: Final = 1
APPLICATION: Final = 0x65544A31
MEMORY: Final = ":memory:"

# A link that others may have put there is not followed, for what it leads to would be overwritten.
_LOCK_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW

_MAGIC = b"SQLite format 3\0"
_HEAD = 100

SCHEMA: Final = """
CREATE TABLE numbers (used INTEGER NOT NULL);
INSERT INTO numbers VALUES (0);
CREATE TABLE channels (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, dead INTEGER NOT NULL);
CREATE TABLE messages (
    number INTEGER PRIMARY KEY, channel INTEGER NOT NULL, value BLOB NOT NULL, key TEXT,
    sent REAL NOT NULL, ready REAL NOT NULL, due REAL NOT NULL, attempt INTEGER NOT NULL
);
CREATE TABLE seen (
    channel INTEGER NOT NULL, id TEXT NOT NULL, until REAL NOT NULL, PRIMARY KEY (channel, id)
) WITHOUT ROWID;
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL, payload BLOB NOT NULL,
    added REAL NOT NULL, due REAL NOT NULL, attempt INTEGER NOT NULL
);
CREATE TABLE dead (
    number INTEGER PRIMARY KEY AUTOINCREMENT, channel INTEGER, job TEXT, value BLOB NOT NULL, key TEXT,
    sent REAL NOT NULL, time REAL NOT NULL, tries INTEGER NOT NULL,
    code TEXT NOT NULL, tamil TEXT NOT NULL, english TEXT NOT NULL, trace TEXT NOT NULL
);
"""
_TABLES = {"numbers", "channels", "messages", "seen", "jobs", "dead"}


class Place(NamedTuple):
    """Where a journal is, and what stands beside it."""

    path: str

    @property
    def lock(self) -> str:
        """Whoever holds the lock on this owns the journal."""
        return f"{self.path}-lock"

    @property
    def log(self) -> str:
        """SQLite's write-ahead log."""
        return f"{self.path}-wal"

    @property
    def tries(self) -> str:
        """See ``tries.py``."""
        return f"{self.path}-tries"

    @property
    def new(self) -> str:
        """A journal that is being made."""
        return f"{self.path}-new"


class Lock:
    """That a journal is ours, until released or until the process ends."""

    __slots__ = ("_file", "_is_new", "_path")

    def __init__(self, place: Place) -> None:
        """Take it.

        Raises:
            JournalBusyError: somebody has it.
            OSError: there is no such folder, or no permission.
        """
        self._path = place.lock
        while True:
            self._is_new = not os.path.exists(self._path)
            self._file = os.open(self._path, _LOCK_FLAGS, 0o600)
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                owner = os.pread(self._file, 20, 0).decode("ascii", "replace").strip()
                os.close(self._file)
                raise JournalBusyError(place.path, owner) from None
            if self._is_current():
                return
            os.close(self._file)  # its last owner has just removed it

    def _is_current(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._file), os.stat(self._path))
        except FileNotFoundError:
            return False

    def sign(self) -> None:
        """Say who owns it, for whoever is refused."""
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, b"%d\n" % os.getpid(), 0)

    def give_up(self) -> None:
        """The journal was refused: leave everything as it was found."""
        self.release(self._is_new)

    def release(self, remove: bool = True) -> None:
        """Somebody else may have it."""
        if remove:
            with suppress(FileNotFoundError):
                os.unlink(self._path)
        os.close(self._file)


def open_file(path: str) -> tuple[apsw.Connection, apsw.Connection, Lock | None]:
    """Open a journal, making it if there is none: a connection to write, one to read, and the lock.

    Raises:
        JournalError: one of its children, with the reason.
    """
    if path == MEMORY:
        connection = apsw.Connection(MEMORY)
        _make(connection)
        return connection, connection, None
    place = Place(os.path.realpath(path))
    try:
        os.makedirs(os.path.dirname(place.path), exist_ok=True)
        lock = Lock(place)
    except OSError as trouble:
        raise JournalUnavailableError(path, _said(trouble)) from trouble
    try:
        if not _examine(place):
            _create(place)
        elif os.stat(place.path).st_mode & 0o077:
            os.chmod(place.path, 0o600)  # a copy that was put back; messages are nobody else's business
        lock.sign()
        return _connect(place), _connect(place, apsw.SQLITE_OPEN_READONLY), lock
    except (OSError, apsw.Error) as trouble:
        lock.give_up()
        raise JournalUnavailableError(path, _said(trouble)) from trouble
    except BaseException:
        lock.give_up()
        raise


def _said(trouble: Exception) -> str:
    return trouble.strerror or str(trouble) if isinstance(trouble, OSError) else str(trouble)


def _connect(place: Place, flags: int = apsw.SQLITE_OPEN_READWRITE) -> apsw.Connection:
    connection = apsw.Connection(place.path, flags)
    connection.set_busy_timeout(2000)
    if flags == apsw.SQLITE_OPEN_READWRITE:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 2000")
        connection.execute("PRAGMA journal_size_limit = 67108864")
    return connection


# ── looking at a file ───────────────────────────────────────────────────────────────────────────


def _examine(place: Place) -> bool:
    """Is there a journal? An empty file counts as none.

    Raises:
        JournalError: there is something, and it cannot be used.
    """
    try:
        with open(place.path, "rb") as file:
            head = file.read(_HEAD)
    except FileNotFoundError:
        if _has_log(place):  # messages that were accepted, and belong to a journal that was moved away
            raise JournalCorruptError(place.path, f"‘{place.log}’") from None
        return False
    if not head and not os.path.exists(place.log):
        return False
    if len(head) < _HEAD or not head.startswith(_MAGIC):
        raise JournalForeignError(place.path)
    version, application = unpack_from(">i4xI", head, 60)
    if application != APPLICATION:
        raise JournalForeignError(place.path)
    if version > FORMAT:
        raise JournalVersionError(place.path, version, FORMAT)
    problem = _problem_in(place)
    if problem is not None:
        raise JournalCorruptError(place.path, problem)
    return True


def _problem_in(place: Place) -> str | None:
    """What is wrong inside, found without changing anything."""
    try:
        connection = _connect_to_look(place)
        try:
            # Once more, for the log may know better than the head of the file.
            version = connection.pragma("user_version")
            if version > FORMAT:
                raise JournalVersionError(place.path, version, FORMAT)
            for (found,) in connection.execute("PRAGMA quick_check(1)"):
                if found != "ok":
                    return str(found).splitlines()[-1]
            found_tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
            tables = {name for (name,) in found_tables}
        finally:
            connection.close()
    except (apsw.CorruptError, apsw.NotADBError) as damage:
        return str(damage)
    missing = sorted(_TABLES - tables)
    return f"{', '.join(missing)}?" if missing else None


def _has_log(place: Place) -> bool:
    return os.path.exists(place.log) and os.path.getsize(place.log) > 0


def _connect_to_look(place: Place) -> apsw.Connection:
    if not _has_log(place):
        return apsw.Connection(
            Path(place.path).as_uri() + "?mode=ro&immutable=1",
            apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI,
        )
    # The last process has left its log, which has to be read too. In exclusive mode its index is in memory
    # and not beside the file, and without a checkpoint at the end neither the log nor the file is changed.
    connection = apsw.Connection(place.path, apsw.SQLITE_OPEN_READWRITE)
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    return connection


# ── making one ──────────────────────────────────────────────────────────────────────────────────


def _create(place: Place) -> None:
    for left in (place.new, place.new + "-journal", place.new + "-wal", place.new + "-shm", place.log):
        with suppress(FileNotFoundError):
            os.unlink(left)
    os.close(os.open(place.new, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        connection = apsw.Connection(place.new, apsw.SQLITE_OPEN_READWRITE)
        try:
            _make(connection)
            connection.execute("PRAGMA journal_mode = WAL")
        finally:
            connection.close()
        os.replace(place.new, place.path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(place.new)
        raise
    folder = os.open(os.path.dirname(place.path), os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _make(connection: apsw.Connection) -> None:
    with connection:
        connection.execute(SCHEMA)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {FORMAT}")
