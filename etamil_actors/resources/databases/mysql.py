"""MySQL and MariaDB: their protocol (``mysql_packets.py``), spoken by trio itself.

Every text is a prepared statement, so a value never becomes part of a text, whatever mode or alphabet a
session is in. The libraries that exist belong to asyncio, paste escaped values into the text, and let a query
run on when nobody waits for it any more. One row by its key takes 80 – 105 µs of processor time and 130 –
210 µs in all, against 215 – 240 µs and 445 – 665 µs for asyncmy over trio-asyncio, in turns on one machine.

A query that is cancelled, or takes too long, is stopped by ``KILL QUERY`` over a second connection, to the
very server that the first one has reached. Such a request can come too late and would then hit the next
command; so empty commands are sent until one goes through. At the worst the server has a limit of its own.

When a deadlock or a full lock table ends a transaction, these servers go on as if every later command stood
for itself. Then nothing is run any more until the program has rolled back, as PostgreSQL has it.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Sequence
from math import inf
from typing import Final, TypeVar

import trio
from trio.lowlevel import checkpoint

from etamil_actors.errors import Fault
from etamil_actors.ports.background import Keeper
from etamil_actors.ports.databases import Datum, Done, PoolSettings, Row
from etamil_actors.resources.databases import mysql_login as logins
from etamil_actors.resources.databases import mysql_packets as packets
from etamil_actors.resources.databases import troubles
from etamil_actors.resources.databases.mysql_address import MysqlAddress
from etamil_actors.resources.databases.mysql_packets import (
    Answer,
    Inbox,
    Prepared,
    ProtocolError,
    ServerError,
)
from etamil_actors.resources.databases.mysql_values import (
    Read,
    Take,
    binary_row,
    bound,
    taker,
    text_reader,
    text_row,
)
from etamil_actors.resources.databases.placeholders import (
    Translated,
    arranged,
    first_word,
    limit_of,
    translate,
)
from etamil_actors.resources.databases.server import (
    ROWS_AT_ONCE,
    STOP_SECONDS,
    ServerConnection,
    ServerDriver,
)

MAX_STATEMENTS: Final = 100
"""A server keeps 16 382 of all its clients, if nobody has told it otherwise."""
LONGEST_SECONDS: Final = 31_536_000
"""Servers take no longer limit than a year."""
CHUNK: Final = 64 * 1024

NOT_PREPARABLE: Final = 1295
TOO_MANY_PREPARED: Final = 1461
OUTDATED: Final = frozenset((1243, 1615))
"""A prepared statement is not known any more, or not fit for the schema of today."""
UNREACHABLE: Final = frozenset((1040, 1053, 1152, 1203, 1226, 1317, 1927, 1969, 3024, 4031))
"""The text is not at fault, but the server has no room or no time for it, or goes away."""
CONFLICTS: Final = frozenset((1020, 1205, 1213, 3572))
"""Others: a row has changed since it was read, a lock is not free in time, a deadlock, NOWAIT and a lock."""
GONE: Final = frozenset((1053, 1152, 1153, 1927, 4031))
"""After these the server closes the connection."""
CHANGING: Final = frozenset(("insert", "replace", "update", "delete"))

_LOST: Final = (OSError, trio.BrokenResourceError, trio.ClosedResourceError, ProtocolError)
_ROLLBACK: Final = re.compile(r"\s*rollback(?:\s+work)?[\s;]*", re.IGNORECASE)
_COMMIT: Final = re.compile(r"\s*commit(?:\s+work)?[\s;]*", re.IGNORECASE)
_MARKS: Final = re.compile(
    r"\A(?:\s|\(|--[^\n]*\n|#[^\n]*\n|/\*.*?\*/)*(?:SET|USE|LOCK|FLUSH|PREPARE|HANDLER)\b"
    r"|GET_LOCK|\bTEMPORARY\b|@\w+\s*:=|\bINTO\s+@",
    re.IGNORECASE | re.DOTALL,
)


def leaves_marks(sql: str) -> bool:
    """May this leave something on the connection that outlives a transaction: a setting, a lock, a temporary
    table? Too often yes costs a new connection, no more. SET TRANSACTION means the *next* transaction, be it
    that of somebody else."""
    return _MARKS.search(sql) is not None


AnyAnswer = TypeVar("AnyAnswer", Answer, Prepared)


class Wire:
    """Packets over a stream of bytes."""

    __slots__ = ("_inbox", "_socket", "_stream")

    def __init__(self, stream: trio.SocketStream) -> None:
        self._socket = stream
        self._stream: trio.SocketStream | trio.SSLStream[trio.SocketStream] = stream
        self._inbox = Inbox()

    @property
    def is_secret(self) -> bool:
        """Is it TLS?"""
        return isinstance(self._stream, trio.SSLStream)

    @property
    def peer(self) -> tuple[str, int] | None:
        """The address and port of the other side; nothing for a Unix socket."""
        name = self._socket.socket.getpeername()
        return (name[0], name[1]) if isinstance(name, tuple) else None

    async def begin_tls(self, context: ssl.SSLContext, host: str) -> None:
        """From here on everything is secret. Raises: ProtocolError, ``trio.BrokenResourceError``."""
        if not self._inbox.is_empty:
            raise ProtocolError("something was said before TLS began")
        stream = trio.SSLStream(self._socket, context, server_hostname=host, https_compatible=True)
        await stream.do_handshake()
        self._stream = stream

    async def send(self, data: bytes) -> None:
        """Send bytes. When it is cancelled, nobody knows how much of them has gone."""
        await self._stream.send_all(data)

    async def reply(self, payload: bytes) -> None:
        """Send the next packet of a conversation."""
        await self.send(packets.framed(payload, self._inbox.sequence))
        self._inbox.sequence += 1

    async def packet(self) -> bytes:
        """The next packet. When it is cancelled, nothing is lost.

        Raises:
            OSError: the connection is over; or what trio says for it.
        """
        while True:
            packet = self._inbox.next()
            if packet is not None:
                return packet
            await self._more()

    async def receive(self, answer: Answer | Prepared) -> None:
        """An answer, to its end. When it is cancelled, it can be gone on with."""
        following, take = self._inbox.next, answer.take
        while True:
            packet = following()
            if packet is None:
                await self._more()
            elif take(packet):
                return

    async def _more(self) -> None:
        data = await self._stream.receive_some(CHUNK)
        if not data:
            raise ConnectionResetError("the server has closed the connection")
        self._inbox.feed(data)

    def close(self) -> None:
        """Close the socket at once."""
        self._socket.socket.close()


class Statement:
    """What is prepared on a connection, and what is known of its rows."""

    __slots__ = ("columns", "most_rows", "names", "number", "takers", "translated")

    def __init__(self, number: bytes, translated: Translated, most_rows: float) -> None:
        self.number = number
        """Empty: the server cannot prepare this, so it is sent as it is."""
        self.translated = translated
        self.most_rows = most_rows
        self.columns: list[bytes] = []
        self.names: list[str] = []
        self.takers: list[Take] = []

    def learn(self, columns: list[bytes]) -> None:
        """The columns of the rows that come now."""
        if columns != self.columns:
            known = [packets.column_of(packet) for packet in columns]
            self.names = [column.name for column in known]
            self.takers = [taker(column) for column in known]
            self.columns = columns


class MysqlConnection(ServerConnection[Answer]):
    """See ``resources.databases.driver.RawConnection``."""

    __slots__ = (
        "_driver", "_farewells", "_has_eof", "_is_set_up", "_is_undone", "_most", "_number", "_statements",
        "_status", "_wire",
    )  # fmt: skip

    LOST = _LOST
    QUOTE = "`"

    def __init__(self, driver: MysqlDriver, wire: Wire, number: int, has_eof: bool) -> None:
        super().__init__(driver.settings)
        self._driver = driver
        self._wire = wire
        self._number = number
        self._has_eof = has_eof
        self._most = packets.LARGEST
        self._statements: dict[str, Statement] = {}
        self._farewells = b""
        self._status = packets.AUTOCOMMIT
        self._is_set_up = False
        """Only what programs wait for is stopped by a second connection; this one may itself be that."""
        self._is_undone = False

    @property
    def in_transaction(self) -> bool:
        """Is a transaction open, whoever began it? Also one that the server has ended by itself, until the
        program knows."""
        return not self.is_broken and (self._is_undone or bool(self._status & packets.IN_TRANSACTION))

    async def set_up(self, version: str) -> None:
        """Make the session as we need it. Raises: Fault."""
        # The alphabet is told twice: some servers ignore what the login says.
        await self._command("SET NAMES utf8mb4")
        seconds = min(self._seconds + STOP_SECONDS, LONGEST_SECONDS)
        if "mariadb" in version.lower():
            await self._command(f"SET autocommit = 1, max_statement_time = {seconds:.3f}")
        else:
            await self._command("SET autocommit = 1")
            # Only newer servers have it.
            await self._try_command(f"SET max_execution_time = {int(seconds * 1000)}")
        answer = await self._command("SELECT @@max_allowed_packet")
        self._most = int(packets.Reader(answer.rows[0]).counted())
        self._is_set_up = True

    # ---- what programs ask ------------------------------------------------------------------

    async def query(self, sql: str, parameters: Sequence[Datum]) -> list[Row]:
        """The rows. Raises: Fault."""
        answer, statement = await self._run(sql, parameters)
        return await self._rows(answer, statement)

    async def execute(self, sql: str, parameters: Sequence[Datum]) -> Done:
        """Run a command. Of several new rows these servers tell the first key. Of rows that ``RETURNING``
        gives, the first value of the last is the key, when it is a whole number. Raises: Fault."""
        answer, statement = await self._run(sql, parameters)
        if not answer.columns:
            return Done(answer.changed, answer.id or None)
        if first_word(sql, "mysql") not in CHANGING:
            return Done(0, None)
        rows = await self._rows(answer, statement)
        key = next(iter(rows[-1].values()), None) if rows else None
        return Done(len(rows), key if type(key) is int else None)

    async def commit(self) -> None:
        """Commit it. Raises: Fault."""
        if self._is_undone and not self.is_broken:
            self._is_undone = False
            raise troubles.not_committed()
        try:
            await self._committed()
        finally:
            self._is_undone = False

    async def rollback(self) -> None:
        """Undo it; whatever fails makes the connection broken."""
        self._is_undone = False
        await super().rollback()

    # ---- what the pool asks -----------------------------------------------------------------

    async def reset(self) -> None:
        """Roll back what is open. A connection on which a program has set or locked something is not used
        again: there is no cheap way to undo that, and it is rare."""
        if self._is_marked or not self._status & packets.AUTOCOMMIT:
            self.abandon()
        elif self.in_transaction:
            await self.rollback()

    async def check(self) -> bool:
        """Does the server still answer?"""
        try:
            await self._ask(packets.PING)
        except Fault:
            return False
        return True

    async def close(self) -> None:
        """Say goodbye; the server does not answer that."""
        if not self.is_broken:
            try:
                await self._wire.send(self._farewells + packets.framed(packets.QUIT))
            except _LOST:
                pass
            finally:
                self.abandon()
        else:
            await checkpoint()

    def abandon(self) -> None:
        """Let go of the connection at once."""
        if not self.is_broken:
            self.is_broken = True
            self._wire.close()

    async def stop_other(self, number: int) -> None:
        """Stop what another connection is doing. Raises: Fault."""
        await self._command(f"KILL QUERY {number}")

    # ---- statements -------------------------------------------------------------------------

    async def _run(self, sql: str, parameters: Sequence[Datum]) -> tuple[Answer, Statement]:
        if self._is_undone:
            self._tell_of_undone(sql)
        statement = self._statements.pop(sql, None)
        is_new = statement is None
        if statement is None:
            self._is_marked |= leaves_marks(sql)
            statement = await self._prepare(sql)
        self._statements[sql] = statement
        answer = await self._execute(statement, sql, parameters)
        if answer.error is not None and not is_new and answer.error.code in OUTDATED and not self.is_broken:
            self._forget(self._statements.pop(sql))
            self._statements[sql] = statement = await self._prepare(sql)
            answer = await self._execute(statement, sql, parameters)
        if answer.error is not None:
            raise self._fault_of(answer.error)
        return answer, statement

    async def _execute(self, statement: Statement, sql: str, parameters: Sequence[Datum]) -> Answer:
        values = [bound(value) for value in arranged(statement.translated, parameters)]
        if not statement.number:
            wish = packets.QUERY + _encoded(statement.translated.text)
        else:
            wish = packets.execution(statement.number, values)
        return await self._ask(wish, statement.most_rows)

    async def _prepare(self, sql: str) -> Statement:
        """Let the server prepare a text. Raises: Fault."""
        translated = translate(sql, "mysql")
        most_rows = limit_of(sql, self._settings)
        wish = packets.PREPARE + _encoded(translated.text)
        while len(self._statements) >= MAX_STATEMENTS:
            self._forget(self._statements.pop(next(iter(self._statements))))
        prepared = await self._ask_for(Prepared(self._has_eof), wish)
        if prepared.error is not None and prepared.error.code == TOO_MANY_PREPARED and self._statements:
            for statement in self._statements.values():
                self._forget(statement)
            self._statements.clear()
            prepared = await self._ask_for(Prepared(self._has_eof), wish)
        if prepared.error is not None:
            if prepared.error.code != NOT_PREPARABLE or translated.count:
                raise self._fault_of(prepared.error)
            return Statement(b"", translated, most_rows)
        statement = Statement(prepared.number, translated, most_rows)
        if prepared.count != len(translated.order or ()):
            self._forget(statement)
            raise troubles.wrong_count(prepared.count, len(translated.order or ()))
        return statement

    def _forget(self, statement: Statement) -> None:
        """The server need not keep this. It does not answer that, so it is told with the next command."""
        if statement.number:
            self._farewells += packets.framed(packets.CLOSE + statement.number)

    async def _rows(self, answer: Answer, statement: Statement) -> list[Row]:
        try:
            return await self._read(answer, statement)
        except ProtocolError:
            self.abandon()
            raise troubles.lost() from None

    async def _read(self, answer: Answer, statement: Statement) -> list[Row]:
        if not answer.columns:
            return []
        readers: list[Read] = []
        if statement.number:
            statement.learn(answer.columns)
            names = statement.names
        else:
            columns = [packets.column_of(packet) for packet in answer.columns]
            names, readers = [column.name for column in columns], [text_reader(column) for column in columns]
        takers = statement.takers
        rows: list[Row] = []
        for start in range(0, len(answer.rows), ROWS_AT_ONCE):
            if start:
                await checkpoint()
            for packet in answer.rows[start : start + ROWS_AT_ONCE]:
                values = text_row(packet, readers) if readers else binary_row(packet, takers)
                rows.append(dict(zip(names, values, strict=True)))
        return rows

    def _tell_of_undone(self, sql: str) -> None:
        """The server has ended the transaction. Raises: Fault, unless this rolls it back."""
        is_known = bool(_ROLLBACK.fullmatch(sql) or _COMMIT.fullmatch(sql))
        self._is_undone = not is_known
        if not _ROLLBACK.fullmatch(sql):
            raise troubles.not_committed()

    # ---- commands ---------------------------------------------------------------------------

    async def _command(self, text: str) -> Answer:
        answer = await self._try_command(text)
        if answer.error is not None:
            raise self._fault_of(answer.error)
        return answer

    async def _try_command(self, text: str) -> Answer:
        if self._is_undone:
            raise troubles.not_committed()
        return await self._ask(packets.QUERY + _encoded(text))

    async def _ask(self, payload: bytes, most_rows: float = inf) -> Answer:
        """Send a command, and wait for its answer; after an error, see whether a transaction has survived.
        Raises: Fault, as ``_exchange``."""
        was_open = self._status & packets.IN_TRANSACTION
        answer = Answer(self._has_eof, most_rows)
        await self._ask_for(answer, payload)
        if answer.status is not None:
            self._status = answer.status
        elif was_open and not self.is_broken:
            done = False
            with trio.CancelScope(shield=True, deadline=trio.current_time() + STOP_SECONDS):
                done = await self._is_quiet(packets.PING)
            self._note_transaction(done)
        return answer

    async def _ask_for(self, answer: AnyAnswer, payload: bytes) -> AnyAnswer:
        """Send a command, and take its answer. Raises: Fault, as ``_exchange``."""
        if len(payload) >= self._most:
            raise troubles.too_large(self._most)
        sent: list[AnyAnswer] = []

        async def talk() -> bool:
            data, self._farewells = self._farewells + packets.framed(payload), b""
            await self._wire.send(data)
            sent.append(answer)
            await self._wire.receive(answer)
            return answer.has_more

        await self._exchange(talk, lambda: self._stop(sent[0] if sent else None))
        return answer

    async def _is_quiet(self, payload: bytes) -> bool:
        """Does the server answer this empty command? Its answer tells the state of the session."""
        answer = Answer(self._has_eof)
        try:
            await self._wire.send(packets.framed(payload))
            await self._wire.receive(answer)
        except _LOST:
            return False
        if answer.status is not None:
            self._status = answer.status
        return answer.status is not None

    def _note_transaction(self, is_known: bool) -> None:
        """A transaction was open and something has failed."""
        if not is_known:
            self.abandon()
        elif not self._status & packets.IN_TRANSACTION:
            self._is_undone = True

    async def _stop(self, answer: Answer | Prepared | None) -> None:
        """Let the server stop what it is doing, and read its answer to the end; or give the connection up."""
        was_open = self._status & packets.IN_TRANSACTION
        done = False
        if answer is not None and self._is_set_up and not self.is_broken:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + STOP_SECONDS):
                try:
                    await self._driver.kill(self._number, self._wire.peer)
                    await self._wire.receive(answer)
                    for _ in range(3):
                        if done := await self._is_quiet(packets.QUERY + b"DO 0"):
                            break
                except (*_LOST, Fault):
                    pass
        if isinstance(answer, Prepared) and answer.number:
            self._farewells += packets.framed(packets.CLOSE + answer.number)
        if not done:
            self.abandon()
        elif was_open:
            self._note_transaction(is_known=True)

    def _fault_of(self, error: ServerError) -> Fault:
        if error.code in GONE:
            self.abandon()
        return fault_of(error)


def fault_of(error: ServerError) -> Fault:
    """What the server refuses, in our words."""
    is_away = error.code in UNREACHABLE or error.state.startswith("08")
    if is_away:
        make = troubles.unavailable
    else:
        make = troubles.conflict if error.code in CONFLICTS else troubles.refused
    text = " ".join(error.text.split("\n"))  # a message is one line
    return make(text, text, sqlstate=error.state, number=error.code)


class MysqlDriver(ServerDriver):
    """See ``resources.databases.driver.Driver``."""

    def __init__(self, settings: PoolSettings, keeper: Keeper | None = None) -> None:
        """Raises: Fault ``config`` when the url cannot be understood."""
        super().__init__(settings, keeper)
        self._address = address = MysqlAddress(settings.url)
        self._tls = address.tls() if address.mode != "disabled" else None

    async def connect(self) -> MysqlConnection:
        """A new connection. Raises: Fault ``db.unavailable``."""
        return await self._connect(None)

    async def kill(self, number: int, peer: tuple[str, int] | None) -> None:
        """Stop the query that a connection to this server is busy with. Raises: Fault."""
        connection = await self._connect(peer)
        try:
            await connection.stop_other(number)
        finally:
            connection.abandon()

    async def _connect(self, peer: tuple[str, int] | None) -> MysqlConnection:
        address = self._address
        try:
            if address.socket:
                stream = await trio.open_unix_socket(address.socket)
            else:
                stream = await trio.open_tcp_stream(*(peer or (address.host, address.port)))
        except (OSError, UnicodeError) as problem:
            text = f"{address.socket or f'{address.host}:{address.port}'}: {_reason(problem)}"
            raise troubles.unavailable(text, text) from None
        wire = Wire(stream)
        try:
            return await self._log_in(wire, is_for_work=peer is None)
        except _LOST as problem:
            wire.close()
            raise _unreachable(problem) from None
        except BaseException:
            wire.close()
            raise

    async def _log_in(self, wire: Wire, is_for_work: bool) -> MysqlConnection:
        """Raises: Fault, and whatever says that the connection is over."""
        address = self._address
        greeting = packets.greeting_of(_sound(await wire.packet()))
        if greeting.abilities & packets.NEEDED != packets.NEEDED:
            raise ProtocolError("the server is too old")
        abilities = packets.OURS & greeting.abilities
        if address.database:
            abilities |= packets.WITH_DATABASE
        if self._tls is not None:
            if greeting.abilities & packets.TLS:
                abilities |= packets.TLS
                await wire.reply(packets.wish_for_tls(abilities))
                await wire.begin_tls(self._tls, address.host)
            elif address.mode != "preferred":
                raise ProtocolError("the server offers no TLS")
        method = greeting.plugin if greeting.plugin in logins.HIDING else logins.NATIVE
        proof = self._proof(method, greeting.nonce, wire)
        await wire.reply(packets.login(abilities, address.user, address.database, method, proof))
        await self._prove(wire, method, greeting.nonce)
        connection = MysqlConnection(self, wire, greeting.connection, not abilities & packets.NO_EOF)
        if is_for_work:
            await connection.set_up(greeting.version)
        return connection

    async def _prove(self, wire: Wire, method: str, nonce: bytes) -> None:
        """Answer the server's questions until it lets us in."""
        while (packet := _sound(await wire.packet()))[0] != 0:
            if packet[0] == 0xFE:  # another method
                reader = packets.Reader(packet, 1)
                method = reader.until_zero().decode("ascii", "replace")
                nonce = reader.rest()[:20]
                if method not in logins.METHODS:
                    known = ", ".join(logins.METHODS)
                    raise ProtocolError(f"the server wants a login by ‘{method}’; we know {known}")
                await wire.reply(self._proof(method, nonce, wire))
            elif packet[0] != 1:
                raise ProtocolError("an unknown question while logging in")
            elif packet[1:] == b"\x04":  # the server remembers nothing of us, and wants the password itself
                await wire.reply(self._password if self._is_secret(wire) else b"\x02")
            elif packet[1:2] == b"-":  # a key
                self._must_be_here()
                await wire.reply(logins.encrypted(self._address.password, nonce, packet[1:]))

    def _proof(self, method: str, nonce: bytes, wire: Wire) -> bytes:
        is_secret = self._is_secret(wire)
        if method == logins.CLEAR and not is_secret:
            raise ProtocolError("the server wants the password in the clear; this needs ssl-mode=required")
        return logins.first_proof(method, self._address.password, nonce, is_secret)

    def _is_secret(self, wire: Wire) -> bool:
        return wire.is_secret or bool(self._address.socket)

    @property
    def _password(self) -> bytes:
        return self._address.password.encode() + b"\0"

    def _must_be_here(self) -> None:
        """Whoever stands between could send a key of its own, so such a key is taken on loopback only."""
        if not self._address.is_here:
            raise ProtocolError("this way to log in needs TLS; the address wants ssl-mode=required")


def _sound(packet: bytes) -> bytes:
    """The packet, unless it is an error. Raises: Fault."""
    if packet[0] == 0xFF:
        text = packets.error_of(packet).text
        raise troubles.unavailable(text, text)
    return packet


def _unreachable(problem: BaseException) -> Fault:
    text = " ".join(str(problem.__cause__ or problem).split()) or type(problem).__name__
    return troubles.unavailable(text, text)


def _reason(problem: BaseException) -> str:
    """Why a place cannot be reached; of several attempts the first tells."""
    cause = problem.__cause__ or problem
    if isinstance(cause, BaseExceptionGroup):
        cause = cause.exceptions[0]
    if isinstance(cause, UnicodeError):
        return "not a name"
    return getattr(cause, "strerror", None) or str(cause)


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise troubles.not_text() from None
