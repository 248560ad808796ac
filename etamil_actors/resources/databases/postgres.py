"""PostgreSQL: libpq, as ``psycopg.pq`` offers it to the public, driven by trio.

libpq does the talking (TLS, passwords, the protocol) and never waits here; ``_receive`` does the waiting.
psycopg's own connections are not used: they belong to threads and to asyncio, and cost twice as much.

A statement is prepared when it is first used with parameters, because only the server knows their types, and
when it is used for the second time without. What is prepared lives as long as the connection, at most
``MAX_STATEMENTS`` of them. After a change of the schema the server refuses a prepared statement, or its
parameters are of other types than it had said; then it is prepared once more.

A query that is cancelled, or takes too long, is stopped by a cancel request over a connection of its own.
The server closes that one when it has passed the request on, so no later query can be hit by it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from math import inf
from typing import Any, Final

import trio
from psycopg import Error as PsycopgError
from psycopg import OperationalError, pq
from trio.lowlevel import checkpoint, notify_closing, wait_readable, wait_writable

from etamil_actors.errors import Fault
from etamil_actors.ports.background import Keeper
from etamil_actors.ports.databases import Datum, Done, PoolSettings, Row
from etamil_actors.resources.databases import troubles
from etamil_actors.resources.databases.placeholders import (
    Translated,
    arranged,
    first_word,
    limit_of,
    translate,
)
from etamil_actors.resources.databases.postgres_address import PostgresAddress
from etamil_actors.resources.databases.postgres_values import Decode, Encode, Lossy, decoder_of, encoder_of
from etamil_actors.resources.databases.server import (
    ROWS_AT_ONCE,
    STOP_SECONDS,
    ServerConnection,
    ServerDriver,
)

MAX_STATEMENTS: Final = 200
CERTAIN_SECONDS: Final = 1.0
"""For so long we believe what the server has said of the types of parameters, when a value does not fit."""
READ_EVERY: Final = 0.1
"""While something large is sent, answers are read at least so often."""
_CHUNK: Final = int(pq.ExecStatus.TUPLES_CHUNK)
_ROWS: Final = int(pq.ExecStatus.TUPLES_OK)
_DONE: Final = int(pq.ExecStatus.COMMAND_OK)
_EMPTY: Final = int(pq.ExecStatus.EMPTY_QUERY)
_COPIES: Final = frozenset(
    {int(pq.ExecStatus.COPY_IN), int(pq.ExecStatus.COPY_OUT), int(pq.ExecStatus.COPY_BOTH)}
)
_BAD: Final = int(pq.ConnStatus.BAD)
_IDLE: Final = int(pq.TransactionStatus.IDLE)
_OPEN: Final = frozenset({int(pq.TransactionStatus.INTRANS), int(pq.TransactionStatus.INERROR)})
_WORKING: Final = int(pq.PollingStatus.READING)
_MAY_CLOSE: Final = pq.version() >= 170000
"""Can this libpq close one prepared statement, cancel without blocking, and give rows before all are in?"""

CANCELLING: Final = trio.CapacityLimiter(20)
"""Threads that send requests to cancel, for a libpq that can only do that by waiting."""

OUTDATED: Final = frozenset({
    b"0A000",  # the cached plan must not change its result type
    b"26000",  # somebody has dropped it
    b"42804", b"42883", b"42P18", b"42703", b"42P01",  # other types and columns than there were
})  # fmt: skip
"""What a prepared statement may answer only because the schema is not the one it was prepared for."""
COUNTED: Final = (b"INSERT", b"UPDATE", b"DELETE", b"MERGE")
"""What changes rows, as the server calls it."""
CONFLICTS: Final = frozenset({
    b"40001",  # could not serialize access
    b"40P01",  # deadlock
    b"55P03",  # a lock is not free, or not in time
})  # fmt: skip
"""What a transaction may meet only because of others."""
UNREACHABLE: Final = (b"08", b"57P", b"53300", b"57014")
"""Beginnings of SQLSTATEs that mean: not the text is at fault, but the server has no time for it."""


_MARKS: Final = re.compile(
    r"\A(?:\s|\(|--[^\n]*\n|/\*.*?\*/)*(?:SET\b(?!\s+(?:LOCAL|TRANSACTION)\b)|LISTEN|DECLARE|PREPARE|LOAD)\b"
    r"|advisory_lock|set_config|\bTEMP(?:ORARY)?\b|pg_temp",
    re.IGNORECASE | re.DOTALL,
)


def leaves_marks(sql: str) -> bool:
    """May this leave something on the connection that outlives a transaction: a setting, a lock, a cursor?
    Too often yes costs a little time, no more."""
    return _MARKS.search(sql) is not None


class Statement:
    """What is prepared on a connection, and all that is known of it."""

    __slots__ = (
        "columns", "count", "encoders", "is_certain_until", "most_rows", "name", "translated", "was_used",
    )  # fmt: skip

    def __init__(
        self,
        name: bytes,
        translated: Translated,
        encoders: list[Encode],
        columns: list[tuple[str, Decode]],
        most_rows: float,
    ) -> None:
        self.name = name
        self.translated = translated
        self.encoders = encoders
        self.count = len(encoders)
        self.columns = columns
        self.most_rows = most_rows if columns else inf
        self.is_certain_until = trio.current_time() + CERTAIN_SECONDS
        self.was_used = True

    def bind(self, parameters: Sequence[Datum]) -> list[bytes | None]:
        """The parameters as they are sent.

        Raises:
            Fault: too many or too few, or one that no database can hold.
            Lossy: one that does not fit what the server has declared.
        """
        if len(parameters) != self.count:
            parameters = self._counted(parameters)
        return [encode(value) for encode, value in zip(self.encoders, parameters, strict=True)]

    def bind_certainly(self, parameters: Sequence[Datum]) -> list[bytes | None]:
        """The same with what is left of a value that does not fit: a number in a column of whole ones is
        truncated. Raises: Fault, when nothing is left."""
        parameters = self._counted(parameters)
        return [_settled(encode, value) for encode, value in zip(self.encoders, parameters, strict=True)]

    def _counted(self, parameters: Sequence[Datum]) -> Sequence[Datum]:
        parameters = arranged(self.translated, parameters)
        if len(parameters) != self.count:
            raise troubles.wrong_count(self.count, len(parameters))
        return parameters


class PostgresConnection(ServerConnection["pq.abc.PGresult"]):
    """See ``resources.databases.driver.RawConnection``."""

    __slots__ = ("_close_later", "_count", "_pg", "_plug", "_statements")

    LOST = (PsycopgError, OSError, trio.ClosedResourceError)
    QUOTE = '"'

    def __init__(self, pg: pq.abc.PGconn, settings: PoolSettings) -> None:
        super().__init__(settings)
        self._pg = pg
        self._plug = pg.socket
        self._statements: dict[str, Statement | Translated] = {}
        self._count = 0
        self._close_later: list[bytes] = []

    @property
    def in_transaction(self) -> bool:
        """Is a transaction open, whoever began it?"""
        return not self.is_broken and self._pg.transaction_status in _OPEN

    # ---- what programs ask ------------------------------------------------------------------

    async def query(self, sql: str, parameters: Sequence[Datum]) -> list[Row]:
        """The rows. Raises: Fault."""
        result, columns = await self._run(sql, parameters)
        count = result.ntuples
        if count > ROWS_AT_ONCE:
            return await _many_rows(result, columns)
        return _rows(result, columns, 0, count)

    async def execute(self, sql: str, parameters: Sequence[Datum]) -> Done:
        """Run a command. PostgreSQL tells no keys of itself: what ``RETURNING`` gives first of the last new
        row is taken for it, when it is a whole number. Raises: Fault."""
        result, columns = await self._run(sql, parameters)
        told = result.command_status or b""
        if told == b"ROLLBACK" and first_word(sql, "postgres") in ("commit", "end"):
            raise troubles.not_committed()
        if not told.startswith(COUNTED):
            return Done(0, None)
        key: Datum = None
        if columns and result.ntuples and told.startswith(b"INSERT"):
            decode = columns[0][1]
            raw = result.get_value(result.ntuples - 1, 0)
            key = None if raw is None else decode(raw)
        return Done(result.command_tuples or 0, key if type(key) is int else None)

    async def commit(self) -> None:
        """Commit it. Raises: Fault."""
        result = await self._committed()
        if result.command_status == b"ROLLBACK":
            raise troubles.not_committed()

    # ---- what the pool asks -----------------------------------------------------------------

    async def reset(self) -> None:
        """Roll back what is open. What a program has set for its session, or locked in it, goes as well."""
        if not self.is_broken and self._pg.transaction_status != _IDLE:
            await self.rollback()
        if self._is_marked and not self.is_broken:
            self._is_marked = False
            self._statements.clear()
            self._close_later.clear()
            try:
                await self._command("DISCARD ALL")
            except Fault:
                self.abandon()

    async def check(self) -> bool:
        """Does the server still answer?"""
        try:
            await self._command("")
        except Fault:
            return False
        return True

    async def close(self) -> None:
        """Say goodbye. libpq writes one small packet, which never waits."""
        self.abandon()
        await checkpoint()

    def abandon(self) -> None:
        """Let go of the connection at once."""
        self.is_broken = True
        if self._plug >= 0:
            plug, self._plug = self._plug, -1
            notify_closing(plug)
            self._pg.finish()

    # ---- statements -------------------------------------------------------------------------

    async def _run(
        self, sql: str, parameters: Sequence[Datum]
    ) -> tuple[pq.abc.PGresult, list[tuple[str, Decode]]]:
        statement = self._statements.get(sql)
        is_new = not isinstance(statement, Statement)
        if not isinstance(statement, Statement):
            if statement is None:
                self._is_marked |= leaves_marks(sql)
                if not parameters:
                    return await self._run_first(sql)
            statement = await self._prepare(sql)
        statement.was_used = True
        try:
            values = statement.bind(parameters)
        except Lossy:
            if trio.current_time() > statement.is_certain_until:
                statement, is_new = await self._prepare(sql), True
            values = statement.bind_certainly(parameters)
        result = await self._execute(statement, values)
        status = result.status
        if status in (_CHUNK, _ROWS, _DONE):
            return result, statement.columns
        if is_new or not self._is_outdated(result):
            return self._checked(result), statement.columns
        statement = await self._prepare(sql)
        result = await self._execute(statement, statement.bind_certainly(parameters))
        return self._checked(result), statement.columns

    async def _execute(self, statement: Statement, values: list[bytes | None]) -> pq.abc.PGresult:
        send = self._pg.send_query_prepared
        return await self._answer(send, statement.name, values, most_rows=statement.most_rows)

    async def _run_first(self, sql: str) -> tuple[pq.abc.PGresult, list[tuple[str, Decode]]]:
        """Run a text without parameters that may never come again: it is not prepared, only remembered."""
        translated = translate(sql, "postgres")
        arranged(translated, ())
        result = self._checked(
            await self._answer(
                self._pg.send_query_params,
                _encoded(translated.text),
                None,
                most_rows=limit_of(sql, self._settings),
            )
        )
        self._remember(sql, translated)
        return result, _columns_of(result)

    async def _prepare(self, sql: str) -> Statement:
        """Let the server prepare a text, and ask it for the types. Raises: Fault."""
        old = self._statements.pop(sql, None)
        if isinstance(old, Statement):
            self._close_later.append(old.name)
        await self._close_old()
        translated = translate(sql, "postgres")
        self._count += 1
        name = b"e%d" % self._count
        self._checked(await self._answer(self._pg.send_prepare, name, _encoded(translated.text)))
        try:
            told = self._checked(await self._answer(self._pg.send_describe_prepared, name))
        except BaseException:
            self._close_later.append(name)
            raise
        encoders = [encoder_of(told.param_type(index)) for index in range(told.nparams)]
        most_rows = limit_of(sql, self._settings)
        statement = Statement(name, translated, encoders, _columns_of(told), most_rows)
        self._remember(sql, statement)
        return statement

    def _remember(self, sql: str, what: Statement | Translated) -> None:
        known = self._statements
        known[sql] = what
        while len(known) > MAX_STATEMENTS:
            # The oldest goes, unless it was used since it was last looked at; then it gets a second chance.
            oldest, other = next(iter(known.items()))
            del known[oldest]
            if isinstance(other, Statement):
                if other.was_used and other is not what:
                    other.was_used = False
                    known[oldest] = other
                else:
                    self._close_later.append(other.name)

    async def _close_old(self) -> None:
        """Tell the server which prepared statements are not wanted any more."""
        while self._close_later:
            name = self._close_later.pop()
            if _MAY_CLOSE:
                await self._answer(self._pg.send_close_prepared, name)
            else:
                await self._answer(self._pg.send_query, b"DEALLOCATE " + name)

    def _is_outdated(self, result: pq.abc.PGresult) -> bool:
        """Did this fail only because the statement is older than the schema? Within a transaction nothing
        can be tried again: the failure has ended it."""
        state = result.error_field(pq.DiagnosticField.SQLSTATE)
        return state in OUTDATED and not self.is_broken and self._pg.transaction_status == _IDLE

    async def _command(self, text: str) -> pq.abc.PGresult:
        return self._checked(await self._answer(self._pg.send_query, _encoded(text)))

    # ---- waiting ----------------------------------------------------------------------------

    async def _answer(
        self, send: Callable[..., None], *values: Any, most_rows: float = inf
    ) -> pq.abc.PGresult:
        """Send something, and wait for all that the server answers. Raises: Fault, as ``_exchange``."""
        came: list[pq.abc.PGresult] = []

        async def talk() -> bool:
            send(*values)
            if most_rows != inf and _MAY_CLOSE:
                self._pg.set_chunked_rows_mode(int(most_rows) + 1)
            came.append(await self._receive(most_rows))
            return came[0].ntuples > most_rows

        await self._exchange(talk, self._stop_query)
        return came[0]

    async def _receive(self, most_rows: float) -> pq.abc.PGresult:
        """What the server answers: of several things the first that is an error, else the first. An answer
        that may have too many rows comes in chunks: the first has all of them, or one that is too many; then
        the rest is not waited for."""
        pg, plug = self._pg, self._plug
        if pg.flush():
            await self._flush()
        first: pq.abc.PGresult | None = None
        while True:
            while not pg.is_busy():
                result = pg.get_result()
                if result is None:
                    if first is None:
                        raise OperationalError
                    while pg.notifies() is not None:
                        pass
                    return first
                if first is None or first.status in (_ROWS, _DONE):
                    first = result
                elif first.status == _CHUNK and result.status != _ROWS:
                    first = result  # an error in the middle
                if result.status == _CHUNK and result.ntuples > most_rows:
                    return result
                if result.status in _COPIES:
                    self.abandon()
                    raise troubles.refused("COPY இங்கே இயலாது", "COPY is not possible here")
            await wait_readable(plug)
            try:
                pg.consume_input()
            except OperationalError:
                # What it said before it went is better than that it has gone.
                if first is None:
                    raise
                self.abandon()
                return first

    async def _flush(self) -> None:
        """Send what the system would not take at once."""
        pg = self._pg
        while pg.flush():
            # The server, too, may wait until somebody reads what it says.
            with trio.move_on_after(READ_EVERY):
                await wait_writable(self._plug)
            pg.consume_input()

    async def _drain(self) -> None:
        """Read an answer to its end, from wherever it was left. Raises: OperationalError."""
        pg = self._pg
        if pg.flush():
            await self._flush()
        while True:
            while not pg.is_busy():
                result = pg.get_result()
                if result is None:
                    return
                if result.status in _COPIES:
                    raise OperationalError
            await wait_readable(self._plug)
            pg.consume_input()

    async def _stop_query(self) -> None:
        """Let the server stop what it is doing, and read its answer to the end; or give the connection up."""
        done = False
        with trio.CancelScope(shield=True, deadline=trio.current_time() + STOP_SECONDS):
            try:
                await self._request_cancel()
                await self._drain()
                done = not self.is_broken
            except (PsycopgError, OSError, Fault, trio.ClosedResourceError):
                pass
        if not done:
            self.abandon()

    async def _request_cancel(self) -> None:
        if not _MAY_CLOSE:
            cancel = self._pg.get_cancel().cancel
            await trio.to_thread.run_sync(cancel, abandon_on_cancel=True, limiter=CANCELLING)
            return
        request = self._pg.cancel_conn()
        try:
            request.start()
            await poll(request.poll, lambda: request.socket, request.get_error_message)
        finally:
            request.finish()

    # ---- what went wrong --------------------------------------------------------------------

    def _checked(self, result: pq.abc.PGresult) -> pq.abc.PGresult:
        if result.status in (_CHUNK, _ROWS, _DONE, _EMPTY):
            return result
        raise self._fault_of(result)

    def _fault_of(self, result: pq.abc.PGresult) -> Fault:
        field = result.error_field
        state = field(pq.DiagnosticField.SQLSTATE) or b""
        text = (
            (field(pq.DiagnosticField.MESSAGE_PRIMARY) or result.error_message)
            .decode("utf-8", "replace")
            .strip()
        )
        if detail := field(pq.DiagnosticField.MESSAGE_DETAIL):
            text = f"{text}: {detail.decode('utf-8', 'replace')}"
        if not self.is_broken and self._pg.status == _BAD:
            self.abandon()
        text = " ".join(text.split("\n"))  # a message is one line
        if self.is_broken or state.startswith(UNREACHABLE):
            make = troubles.unavailable
        else:
            make = troubles.conflict if state in CONFLICTS else troubles.refused
        return make(text, text, sqlstate=state.decode())


class PostgresDriver(ServerDriver):
    """See ``resources.databases.driver.Driver``."""

    def __init__(self, settings: PoolSettings, keeper: Keeper | None = None) -> None:
        """Raises: Fault ``config`` when the url cannot be understood."""
        super().__init__(settings, keeper)
        self._address = PostgresAddress(settings.url)

    async def connect(self) -> PostgresConnection:
        """A new connection. Raises: Fault ``db.unavailable``."""
        wanted = await self._address.resolved()
        pg = pq.PGconn.connect_start(wanted)
        try:
            await poll(pg.connect_poll, lambda: pg.socket, pg.get_error_message)
            pg.nonblocking = 1
            return PostgresConnection(pg, self._settings)
        except (PsycopgError, OSError) as problem:
            pg.finish()
            text = " ".join(str(problem).split())
            raise troubles.unavailable(text, text) from None
        except BaseException:
            pg.finish()
            raise

async def poll(step: Callable[[], int], plug: Callable[[], int], trouble: Callable[[], str]) -> None:
    """Take the steps of libpq until it has what it wants. Raises: OperationalError."""
    while True:
        match step():
            case pq.PollingStatus.OK:
                return
            case pq.PollingStatus.READING:
                await wait_readable(plug())
            case pq.PollingStatus.WRITING:
                await wait_writable(plug())
            case _:
                raise OperationalError(trouble())


def _rows(result: pq.abc.PGresult, columns: list[tuple[str, Decode]], start: int, end: int) -> list[Row]:
    get = result.get_value
    rows: list[Row] = []
    for index in range(start, end):
        row: Row = {}
        for place, (name, decode) in enumerate(columns):
            raw = get(index, place)
            row[name] = None if raw is None else decode(raw)
        rows.append(row)
    return rows


async def _many_rows(result: pq.abc.PGresult, columns: list[tuple[str, Decode]]) -> list[Row]:
    rows: list[Row] = []
    count = result.ntuples
    for start in range(0, count, ROWS_AT_ONCE):
        rows += _rows(result, columns, start, min(start + ROWS_AT_ONCE, count))
        await checkpoint()
    return rows


def _columns_of(result: pq.abc.PGresult) -> list[tuple[str, Decode]]:
    return [
        ((result.fname(index) or b"").decode("utf-8", "replace"), decoder_of(result.ftype(index)))
        for index in range(result.nfields)
    ]


def _settled(encode: Encode, value: Datum) -> bytes | None:
    try:
        return encode(value)
    except Lossy as lossy:
        return lossy.settled()


def _encoded(text: str) -> bytes:
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        raise troubles.not_text() from None
    if b"\0" in raw:
        raise troubles.not_text()
    return raw
