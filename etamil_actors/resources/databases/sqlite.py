"""SQLite, by APSW.

A statement that reads runs in the thread of trio as long as it is quick: it may use a millisecond, then it
is stopped and runs in another thread from the beginning. So does one that writes outside of a transaction:
a statement that is stopped has changed nothing. Inside a transaction SQLite answers a stop by undoing all of
it, so only statements run here that cannot be slow (``sqlite_plans.Deed.INSERT``); the others have a thread.
The first time every statement runs in a thread, as nobody knows how slow it is, and what SQLite does in one
step that nothing can stop always does: ``count(*)`` and DELETE of a whole table.

A transaction that SQLite has undone by itself is not over for whoever is in it: until they end it, nothing
they say is done.

Nothing waits inside SQLite. Who is not let in because another process writes tries again after a pause.

The log of a file (WAL) is moved into the database, which waits for the disk, by the connection that fills it
up, in a thread and when its own work is done. With what is written next the log begins anew, which waits for
the disk as well, in a thread. ``synchronous`` is ``normal``: a transaction outlives the end of the process,
however it ends; after a power failure the database is whole, but the very last may be gone.
``data/kadai.db?synchronous=full`` waits for the disk at every commit, in a thread.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from time import perf_counter, thread_time
from typing import Any, Final, TypeVar

import apsw
import outcome
import trio
from trio.lowlevel import checkpoint, checkpoint_if_cancelled, current_trio_token, start_thread_soon

from etamil_actors.errors import Fault
from etamil_actors.ports.background import Keeper
from etamil_actors.ports.databases import Datum, Done, PoolSettings, Row
from etamil_actors.resources.databases import troubles
from etamil_actors.resources.databases.sqlite_file import (
    STEPS,
    STEPS_THERE,
    Opened,
    SqliteFile,
    extended,
    fault_of,
    file_of,
)
from etamil_actors.resources.databases.sqlite_plans import Deed, Plan
from etamil_actors.resources.databases.sqlite_values import Stored, function_of, rows_of, stored

BUDGET: Final = 0.001
"""Seconds that a statement may take from everybody else."""
TURN: Final = 0.004
"""Seconds that many quick ones may take, one after the other, until others have a turn: about as long as the
machines of programs compute before they are set aside."""
STOP_SECONDS: Final = 3.0
"""How long stopping a statement may take before the connection is given up."""
ASK_AGAIN: Final = 0.05
"""A statement that does not stop is told again after so long."""
KNOCK_FIRST: Final = 0.001
KNOCK_LAST: Final = 0.05
"""Pauses between two attempts to be let in."""
LIGHT: Final = 200
"""A transaction of so many statements may be committed here."""

USUAL: Final = ("PRAGMA query_only = 0", "PRAGMA foreign_keys = 1", "PRAGMA ignore_check_constraints = 0")
"""How every connection begins, as far as a program could have changed what others would notice."""
TEMPORARY: Final = (
    "SELECT type, name FROM temp.sqlite_master "
    "WHERE type IN ('table', 'view', 'trigger') AND name NOT LIKE 'sqlite@_%' ESCAPE '@'"
)
"""What has been made with CREATE TEMP."""

Answer = tuple[list[Row], int, int | None]
"""Rows, how many have changed, the key of the last one."""

_NONE: Final[Answer] = ([], 0, None)
"""Of what does nothing."""
_CHANGES: Final = (Deed.WRITE, Deed.INSERT)
_T = TypeVar("_T")


class SqliteConnection:
    """See ``resources.databases.driver.RawConnection``."""

    __slots__ = (
        "_cursor", "_file", "_functions", "_has_marks", "_has_turn", "_identity", "_is_busy", "_is_late",
        "_is_undone", "_most_rows", "_opened", "_raw", "_seconds", "_settings", "_temporary", "_weight",
        "is_broken",
    )  # fmt: skip

    def __init__(self, opened: Opened, file: SqliteFile, settings: PoolSettings) -> None:
        self._opened = opened
        self._raw = opened.raw
        self._file = file
        self._settings = settings
        self._seconds = settings.query_seconds
        self._most_rows = settings.max_rows or math.inf
        self._cursor = opened.raw.cursor()
        self._functions: set[tuple[str, int]] = set()
        self._has_marks = False
        """Has a program changed the connection itself, so that the next would find it otherwise?"""
        self._has_turn = False
        self._identity = file.identity()
        self._is_busy = False
        """Is a statement running in a thread, or about to?"""
        self._is_late = False
        """Is a statement still running that was given up?"""
        self._is_undone = False
        """Has SQLite undone the open transaction by itself? Whoever is in it has not ended it yet, and what
        they do until then must not be done outside of it."""
        self._temporary: set[tuple[str, str]] = set()
        """What a program has made on it for a while, where several connections are one of SQLite."""
        self._weight = 0
        """How much the open transaction has changed, about."""
        self.is_broken = False

    @property
    def in_transaction(self) -> bool:
        """Is a transaction open, whoever began it?"""
        if self.is_broken or (self._file.is_memory and not self._has_turn):
            return False
        return self._raw.in_transaction

    # ---- what programs ask ------------------------------------------------------------------

    async def query(self, sql: str, parameters: Sequence[Datum]) -> list[Row]:
        """The rows. Raises: Fault."""
        file = self._file
        if file.spent > BUDGET:
            file.spent = 0.0
            await checkpoint()
        else:
            await checkpoint_if_cancelled()
        plan = file.plans[sql]
        if plan.deed is Deed.READ and not plan.trust and self._is_free():
            rows = self._read(plan, parameters)
            if rows is not None:
                return rows
        return (await self._run(plan, parameters))[0]

    def query_nowait(self, sql: str, parameters: Sequence[Datum]) -> list[Row] | None:
        """The rows, if the statement only reads and is quick; None: nothing was done. Raises: Fault."""
        file = self._file
        if file.spent > TURN:  # others have their turn first
            return None
        plan = file.plans[sql]
        if plan.deed is Deed.READ and not plan.trust and self._is_free():
            return self._read(plan, parameters)
        return None

    async def execute(self, sql: str, parameters: Sequence[Datum]) -> Done:
        """Run a command. Raises: Fault; also for one that answers rows."""
        file = self._file
        if file.spent > BUDGET:
            file.spent = 0.0
            await checkpoint()
        else:
            await checkpoint_if_cancelled()
        plan = file.plans[sql]
        if plan.has_rows:
            raise _has_rows()
        rows, changed, key = await self._run(plan, parameters)
        if rows:
            raise _has_rows()
        return Done(changed, key)

    async def begin(self) -> None:
        """Begin a transaction that may write. Raises: Fault."""
        if self.in_transaction:
            raise troubles.already_begun()
        await self._command("BEGIN IMMEDIATE")

    async def commit(self) -> None:
        """Commit it. Raises: Fault; nothing of it is done then."""
        if self._is_undone:
            self._is_undone = False
            raise troubles.not_committed()
        try:
            await self._command("COMMIT")
        except Fault:
            await self.rollback()
            raise

    async def rollback(self) -> None:
        """Undo it; a connection on which that fails is thrown away."""
        self._is_undone = False
        if not self.in_transaction:
            return
        try:
            await self._command("ROLLBACK")
        except Fault:
            self.abandon()

    async def savepoint(self, name: str) -> None:
        """Begin a part of a transaction. Raises: Fault."""
        await self._command(f"SAVEPOINT {_quoted(name)}")

    async def release(self, name: str) -> None:
        """That part is right. Raises: Fault."""
        await self._command(f"RELEASE {_quoted(name)}")

    async def rollback_to(self, name: str) -> None:
        """Undo that part. Raises: Fault."""
        await self._command(f"ROLLBACK TO {_quoted(name)}")

    def add_function(self, name: str, arity: int, call: Callable[..., Datum], is_numeric: bool) -> None:
        """Let SQL call this, until the connection is given back. Raises: Fault."""
        if self.is_broken or self._is_busy:
            raise troubles.lost()
        try:
            self._raw.create_scalar_function(name, function_of(call, is_numeric), arity)
        except apsw.Error as trouble:
            raise fault_of(trouble) from None
        self._functions.add((name, arity))

    # ---- what the pool asks -----------------------------------------------------------------

    @property
    def needs_reset(self) -> bool:
        """Is anything left on it?"""
        return self._has_marks or self._is_undone or bool(self._functions) or self.in_transaction

    async def reset(self) -> None:
        """Make it as new, or close it."""
        await self.rollback()
        if self._has_marks and not self._file.is_memory:
            self.abandon()
            return
        if self._has_marks:
            await self._wipe()
        functions, self._functions = self._functions, set()
        # In memory somebody else may be using them at this moment.
        has_turn = bool(functions) and self._file.is_memory and await self._file.turn.take(math.inf)
        try:
            for name, arity in functions:
                self._raw.create_scalar_function(name, None, arity)
        except apsw.Error:
            self.abandon()
        finally:
            if has_turn:
                self._file.turn.free()

    async def _wipe(self) -> None:
        """In memory the connection of SQLite stays, whatever a program has set or made on it."""
        temporary, self._temporary = self._temporary, set()
        try:
            for pragma in USUAL:
                await self._command(pragma)
            for kind, name in temporary:
                await self._command(f"DROP {kind} IF EXISTS temp.{_quoted(name)}")
        except Fault:
            self.abandon()
        self._has_marks = False

    async def check(self) -> bool:
        """Is the file still the one that was opened?"""
        await checkpoint_if_cancelled()
        return not self.is_broken and self._identity == self._file.identity()

    async def close(self) -> None:
        """Close the file; the last one to do so moves the log into it."""
        if self.is_broken or self._is_busy or self._file.is_memory:
            self.abandon()
            await checkpoint_if_cancelled()
            return
        self.is_broken = True
        self._free_turn()
        closed = trio.Event()
        token = current_trio_token()

        def deliver(_: outcome.Outcome[None]) -> None:  # nobody will use it any more, whatever came of it
            try:
                token.run_sync_soon(closed.set)
            except trio.RunFinishedError:
                pass

        # Nothing ever tells this to stop: the connection may be gone just then.
        start_thread_soon(self._raw.close, deliver)
        await closed.wait()

    def abandon(self) -> None:
        """Let go of it at once. What still runs is stopped, and the file closed after it."""
        if self.is_broken:
            return
        self.is_broken = True
        if not self._is_busy:
            self._let_go()
        elif self._has_turn or not self._file.is_memory:  # else it waits, and what runs is somebody else's
            self._opened.until = 0.0
            self._raw.interrupt()

    def _let_go(self) -> None:
        """Leave it clean, or close it: it is broken, and nothing runs on it."""
        if not self._file.is_memory:
            start_thread_soon(self._raw.close, _forget)
        elif self._has_turn and self._raw.in_transaction:
            try:
                self._cursor.execute("ROLLBACK")
            except apsw.Error:
                pass  # SQLite has rolled back by itself
        self._free_turn()

    # ---- running a statement ----------------------------------------------------------------

    def _is_free(self) -> bool:
        """May something run on it now, in the thread of trio?"""
        if self._is_busy or self.is_broken or self._functions or self._is_undone:
            return False
        if not self._file.is_still(self._identity):
            return False
        return self._has_turn or not self._file.is_memory or not self._file.turn.is_taken

    def _read(self, plan: Plan, parameters: Sequence[Datum]) -> list[Row] | None:
        """The rows of a quick statement; nothing when it is not quick. Raises: Fault."""
        if len(parameters) != plan.count:
            raise troubles.wrong_count(plan.count, len(parameters))
        began = perf_counter()
        opened = self._opened
        opened.until = began + BUDGET
        if opened.steps != STEPS:
            opened.look_every(STEPS)
        cursor = self._cursor
        try:
            cursor.execute(plan.text, stored(parameters))
            return self._rows(cursor, self._most_rows)
        except (apsw.InterruptError, apsw.BusyError):
            plan.was_slow()
            return None
        except apsw.Error as trouble:
            raise fault_of(trouble) from None
        except UnicodeError as trouble:
            raise self._broken_text(trouble) from None
        finally:
            opened.until = math.inf
            took = perf_counter() - began
            self._file.spent += took
            if took > BUDGET:
                plan.took_long(took)
            else:
                plan.is_suspect = False

    async def _command(self, sql: str) -> None:
        await checkpoint_if_cancelled()
        await self._run(self._file.plans[sql], ())

    async def _run(self, plan: Plan, parameters: Sequence[Datum]) -> Answer:
        """Run a statement, wherever it belongs, when it is its turn. Raises: Fault."""
        if self._is_busy or self.is_broken:
            raise troubles.lost()
        if len(parameters) != plan.count:
            raise troubles.wrong_count(plan.count, len(parameters))
        if self._is_undone:
            return self._after_undone(plan)
        bound = stored(parameters)
        if plan.leaves_marks:
            self._has_marks = True
        was_inside = self.in_transaction
        if not was_inside and not self._file.is_still(self._identity):
            self.abandon()
            raise troubles.replaced(self._file.path)
        deadline = trio.current_time() + self._seconds
        self._is_busy = True
        try:
            if not self._has_turn and self._needs_turn(plan):
                if not await self._file.turn.take(deadline):
                    raise troubles.others_write(self._seconds)
                self._has_turn = True
                if self.is_broken:
                    raise troubles.lost()
            answer = await self._let_in(plan, bound, deadline)
        except BaseException:
            self._is_undone = was_inside and plan.deed is not Deed.END and not self.in_transaction
            raise
        finally:
            self._end_run()
        if self._file.is_full and not self.in_transaction and not self.is_broken:
            await self._empty_log()
        return answer

    def _after_undone(self, plan: Plan) -> Answer:
        """What is left of a transaction that is undone already: to say its end. Raises: Fault."""
        words = plan.text.lower().split()
        if plan.deed is Deed.END and words[0] != "release" and "to" not in words:
            self._is_undone = False
            if words[0] == "rollback":
                return _NONE
        raise troubles.not_committed()

    def _end_run(self) -> None:
        self._is_busy = False
        if not self.is_broken:
            if self._has_turn and not self._raw.in_transaction:
                self._weight = 0
                self._free_turn()
        elif not self._is_late:
            self._let_go()

    def _needs_turn(self, plan: Plan) -> bool:
        return self._file.is_memory or plan.deed in (Deed.WRITE, Deed.INSERT, Deed.BEGIN, Deed.OTHER)

    def _free_turn(self) -> None:
        if self._has_turn:
            self._has_turn = False
            self._file.turn.free()

    async def _let_in(self, plan: Plan, bound: list[Stored], deadline: float) -> Answer:
        """Knock until other processes let us in. Raises: Fault."""
        pause = KNOCK_FIRST
        while True:
            try:
                return await self._attempt(plan, bound, deadline)
            except apsw.BusyError as trouble:
                if extended(trouble) == apsw.SQLITE_BUSY_SNAPSHOT:
                    raise troubles.overtaken() from None
                if trio.current_time() + pause > deadline:
                    raise troubles.others_write(self._seconds) from None
            except apsw.Error as trouble:
                if self.is_broken:  # taken away meanwhile
                    raise troubles.lost() from None
                raise fault_of(trouble) from None
            except UnicodeError as trouble:
                raise self._broken_text(trouble) from None
            await trio.sleep(pause)
            pause = min(2 * pause, KNOCK_LAST)

    async def _attempt(self, plan: Plan, bound: list[Stored], deadline: float) -> Answer:
        seconds = self._allowance(plan)
        if seconds:
            began = perf_counter()
            opened = self._opened
            opened.until = began + seconds
            if opened.steps != STEPS:
                opened.look_every(STEPS)
            try:
                return self._do(plan, bound)
            except apsw.InterruptError:
                plan.was_slow()
            finally:
                opened.until = math.inf
                took = perf_counter() - began
                self._file.spent += took
                if took > BUDGET:
                    plan.took_long(took)
                else:
                    plan.is_suspect = False
        self._opened.look_every(STEPS_THERE)
        return await self._in_thread(lambda: self._do_there(plan, bound), deadline)

    def _allowance(self, plan: Plan) -> float:
        """The seconds that this may take in the thread of trio; 0: nothing, it belongs into another."""
        deed = plan.deed
        if deed is Deed.OTHER or self._functions:
            return 0.0
        if deed is Deed.READ:
            return 0.0 if plan.trust else BUDGET
        if self._opened.waits_for_disk:
            return 0.0
        if deed is Deed.BEGIN or deed is Deed.MARK:
            return math.inf
        if deed is Deed.END:
            if self._weight > LIGHT or (self._weight and self._file.is_fresh):
                return 0.0
            return math.inf
        if plan.trust or (self._file.is_fresh and not self._raw.in_transaction):
            return 0.0
        if not self._raw.in_transaction:
            return BUDGET
        return math.inf if deed is Deed.INSERT else 0.0

    def _do(self, plan: Plan, bound: list[Stored]) -> Answer:
        """Run it in this thread, whichever that is."""
        raw, cursor = self._raw, self._cursor
        is_change = plan.deed in _CHANGES
        if is_change:
            raw.set_last_insert_rowid(0)
        elif plan.leaves_marks and self._file.is_memory:
            before = set(raw.execute(TEMPORARY))
            cursor.execute(plan.text, bound)
            rows = self._rows(cursor, self._most_rows)
            self._temporary |= set(raw.execute(TEMPORARY)) - before
            return rows, 0, None
        cursor.execute(plan.text, bound)
        rows = self._rows(cursor, math.inf if is_change else self._most_rows)
        if not is_change:
            return rows, 0, None
        self._weight += 1
        changed = raw.changes()
        return rows, changed, (raw.last_insert_rowid() or None) if changed else None

    def _rows(self, cursor: apsw.Cursor, most: float) -> list[Row]:
        try:
            names = [column[0] for column in cursor.get_description()]
        except apsw.ExecutionCompleteError:
            return []
        return rows_of(names, self._fetched(cursor, most))

    def _fetched(self, cursor: apsw.Cursor, most: float) -> list[Any]:
        """What the database answers. Raises: Fault ``db.rows``."""
        # A quick one is stopped in time, however many rows there are.
        is_all = most == math.inf or self._opened.until < math.inf
        found = cursor.fetchall() if is_all else list(islice(cursor, int(most) + 1))
        if len(found) > most:
            self._begin_cursor()
            raise troubles.too_many_rows(self._settings)
        return found

    def _begin_cursor(self) -> None:
        """Another one: this stands in the middle of its rows."""
        self._cursor.close()
        self._cursor = self._raw.cursor()

    def _broken_text(self, trouble: UnicodeError) -> Fault:
        """A text could not be bound, or one that is stored is no text."""
        if isinstance(trouble, UnicodeEncodeError):
            return troubles.not_text()
        self._begin_cursor()
        return troubles.refused(
            "சேமிக்கப்பட்ட ஓர் உரை UTF-8 அல்ல; CAST(… AS BLOB) எனப் படிக்கவும்",
            "a stored text is not UTF-8; read it as CAST(… AS BLOB)",
        )

    def _do_there(self, plan: Plan, bound: list[Stored]) -> Answer:
        began = thread_time()
        try:
            return self._do(plan, bound)
        finally:
            took = thread_time() - began
            plan.ran_there(took)
            if took > BUDGET:
                self._weight += LIGHT

    async def _empty_log(self) -> None:
        """Move the log into the database. Should that fail, the next one to fill it up tries again."""
        self._is_busy = True
        try:
            await self._in_thread(lambda: self._file.empty(self._raw), math.inf)
        finally:
            self._end_run()

    # ---- in another thread ------------------------------------------------------------------

    async def _in_thread(self, work: Callable[[], _T], deadline: float) -> _T:
        """Do this in a thread; a cancellation, or the deadline, stops it.

        Raises:
            Fault: ``db.unavailable``; it took too long.
        """
        done = trio.Event()
        token = current_trio_token()
        came: list[outcome.Outcome[_T]] = []

        def deliver(result: outcome.Outcome[_T]) -> None:
            came.append(result)
            if self._is_late:
                self._raw.close()
            try:
                token.run_sync_soon(done.set)
            except trio.RunFinishedError:
                pass

        self._opened.until = math.inf
        start_thread_soon(work, deliver)
        scope = trio.CancelScope(deadline=deadline)
        try:
            with scope:
                await done.wait()
        except trio.Cancelled:
            await self._stop(done)
            raise
        if scope.cancelled_caught:
            await self._stop(done)
            if not came or isinstance(came[0], outcome.Error):
                raise troubles.too_slow(self._seconds)
        return came[0].unwrap()

    async def _stop(self, done: trio.Event) -> None:
        """Stop what runs in the thread, and wait until it has; or give the connection up."""
        self._opened.until = 0.0
        # In memory there is no disk to wait for, and nothing that could be given up without losing it all.
        seconds = math.inf if self._file.is_memory else STOP_SECONDS
        with trio.CancelScope(shield=True, deadline=trio.current_time() + seconds):
            while not done.is_set():
                try:
                    self._raw.interrupt()
                except apsw.Error:
                    pass  # it is being closed
                with trio.move_on_after(ASK_AGAIN):
                    await done.wait()
        if not done.is_set():
            self.is_broken = self._is_late = True
            self._free_turn()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _has_rows() -> Fault:
    return troubles.refused(
        "இந்தக் கட்டளை வரிகளைத் தருகிறது; அதை வினாவாகக் கேட்கவும்",
        "this command answers rows; ask it as a query",
    )


def _forget(_: outcome.Outcome[None]) -> None:
    """Nobody waits for it."""


class SqliteDriver:
    """See ``resources.databases.driver.Driver``."""

    is_quick = True

    def __init__(self, settings: PoolSettings, keeper: Keeper) -> None:
        """Raises: Fault ``config``; there can be no such file."""
        self._settings = settings
        self._file = file_of(settings.url)
        self._memory: Opened | None = None

    def patient(self, seconds: float, keeper: Keeper) -> SqliteDriver | None:
        """One like it, whose statements may take so long, and answer as much as there is."""
        if self._file.is_memory:
            return None
        return SqliteDriver(replace(self._settings, query_seconds=seconds, max_rows=0), keeper)

    @property
    def settings(self) -> PoolSettings:
        return self._settings

    async def connect(self) -> SqliteConnection:
        """A new connection. Raises: Fault ``db.unavailable``."""
        file = self._file
        if file.is_memory:
            await checkpoint()
            if self._memory is None:
                self._memory = file.open()
            return SqliteConnection(self._memory, file, self._settings)
        pause = KNOCK_FIRST
        while True:
            try:
                # What is opened although nobody waits for it any more closes itself.
                return await trio.to_thread.run_sync(self._open, abandon_on_cancel=True, limiter=_openers())
            except apsw.BusyError:  # another process is about to open it for the first time
                await trio.sleep(pause)
                pause = min(2 * pause, KNOCK_LAST)
            except apsw.Error as trouble:
                if isinstance(trouble, apsw.ReadOnlyError) or file.needs_folder:
                    raise troubles.needs_folder(file.path) from None
                raise fault_of(trouble) from None

    def _open(self) -> SqliteConnection:
        return SqliteConnection(self._file.open(), self._file, self._settings)

    async def close(self) -> None:
        """A database in memory is gone with its pool."""
        await checkpoint_if_cancelled()
        memory, self._memory = self._memory, None
        if memory is not None and await self._file.turn.take(trio.current_time() + STOP_SECONDS):
            memory.raw.close()


_limiter: trio.lowlevel.RunVar[trio.CapacityLimiter] = trio.lowlevel.RunVar("openers of SQLite files")


def _openers() -> trio.CapacityLimiter:
    """Files are opened a few at a time."""
    try:
        return _limiter.get()
    except LookupError:
        made = trio.CapacityLimiter(4)
        _limiter.set(made)
        return made
