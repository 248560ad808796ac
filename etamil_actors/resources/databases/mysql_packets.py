"""The protocol of MySQL and MariaDB, without any input or output: what is sent, and what is made of answers.

Only what we need of it (https://mariadb.com/kb/en/clientserver-protocol/): logging in, prepared statements,
whose parameters and rows travel in binary form, and plain texts for the few commands that a server cannot
prepare. Neither several statements in one text nor files of the client are ever offered to the server.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Final, NamedTuple

QUIT: Final = b"\x01"
QUERY: Final = b"\x03"
PING: Final = b"\x0e"
PREPARE: Final = b"\x16"
EXECUTE: Final = b"\x17"
CLOSE: Final = b"\x19"

LARGEST: Final = 0xFFFFFF
"""A packet of this size goes on in the next one."""

# What both sides can do.
FOUND_ROWS: Final = 0x2  # an update counts the rows it has found, as in other databases
WITH_DATABASE: Final = 0x8
TLS: Final = 0x800
PLUGINS: Final = 0x80000
NO_EOF: Final = 0x1000000
OURS: Final = (
    0x1  # long passwords
    | FOUND_ROWS
    | 0x4  # long flags
    | 0x200  # the protocol of 4.1
    | 0x2000  # states of transactions
    | 0x8000  # safe authentication
    | 0x20000  # several results, of procedures
    | 0x40000  # these of prepared ones too
    | PLUGINS
    | 0x200000  # long answers of plugins
    | NO_EOF
)
NEEDED: Final = 0x200 | 0x8000
UTF8MB4: Final = 45

# The state of a session, as every answer tells it.
IN_TRANSACTION: Final = 0x1
AUTOCOMMIT: Final = 0x2
MORE_RESULTS: Final = 0x8


class ProtocolError(Exception):
    """The other side says what cannot be."""


class ServerError(NamedTuple):
    """What the server refuses, and why."""

    code: int
    state: str
    text: str


class Reader:
    """Reads the parts of a packet, one after another."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data = data
        self.at = at

    def whole(self, size: int) -> int:
        """A whole number of so many bytes."""
        return int.from_bytes(self.raw(size), "little")

    def raw(self, size: int) -> bytes:
        """So many bytes."""
        at = self.at
        self.at = end = at + size
        if end > len(self.data):
            raise ProtocolError("a packet is too short")
        return self.data[at:end]

    def until_zero(self) -> bytes:
        """Bytes up to a zero, or all that are left."""
        end = self.data.find(b"\0", self.at)
        if end < 0:
            end = len(self.data)
        found = self.data[self.at : end]
        self.at = end + 1
        return found

    def rest(self) -> bytes:
        """All that is left."""
        return self.data[self.at :]

    def length(self) -> int:
        """A number that says by its first byte how long it is."""
        first = self.whole(1)
        if first < 0xFB:
            return first
        if first in _SIZES:
            return self.whole(_SIZES[first])
        raise ProtocolError(f"a length begins with {first}")

    def counted(self) -> bytes:
        """Bytes that follow their number."""
        return self.raw(self.length())


_SIZES: Final = {0xFC: 2, 0xFD: 3, 0xFE: 8}


def sized(size: int) -> bytes:
    """A number that says by its first byte how long it is."""
    if size < 0xFB:
        return bytes((size,))
    for first, count in _SIZES.items():
        if size < 1 << 8 * count:
            return bytes((first,)) + size.to_bytes(count, "little")
    raise ProtocolError("a value is too long")


def counted(data: bytes) -> bytes:
    """Bytes after their number."""
    return sized(len(data)) + data


def framed(payload: bytes, sequence: int = 0) -> bytes:
    """A payload as it is sent: in packets with their sizes and numbers."""
    if len(payload) < LARGEST:
        return len(payload).to_bytes(3, "little") + bytes((sequence & 0xFF,)) + payload
    made: list[bytes] = []
    for start in range(0, len(payload) + 1, LARGEST):
        part = payload[start : start + LARGEST]
        made.append(len(part).to_bytes(3, "little") + bytes((sequence & 0xFF,)) + part)
        sequence += 1
    return b"".join(made)


class Inbox:
    """Makes packets of the bytes that come, however they are cut."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._at = 0
        self._began: list[bytes] = []
        self.sequence = 0
        """The number of the next packet in a conversation."""

    @property
    def is_empty(self) -> bool:
        """Has everything that came been taken?"""
        return self._at == len(self._data) and not self._began

    def feed(self, data: bytes | bytearray) -> None:
        """So much has come."""
        del self._data[: self._at]
        self._at = 0
        self._data += data

    def next(self) -> bytes | None:
        """The next packet, when all of it is there."""
        while True:
            data, at = self._data, self._at
            start = at + 4
            if len(data) < start:
                return None
            size = data[at] | data[at + 1] << 8 | data[at + 2] << 16
            end = start + size
            if len(data) < end:
                return None
            self.sequence = data[at + 3] + 1
            self._at = end
            part = bytes(data[start:end])
            if size == LARGEST:
                self._began.append(part)
                continue
            if self._began:
                part = b"".join([*self._began, part])
                self._began.clear()
            if not part:
                raise ProtocolError("an empty packet")
            return part


# ---- answers --------------------------------------------------------------------------------


def error_of(packet: bytes) -> ServerError:
    """What an error packet says."""
    code = int.from_bytes(packet[1:3], "little")
    if packet[3:4] == b"#":
        return ServerError(
            code, packet[4:9].decode("ascii", "replace"), packet[9:].decode("utf-8", "replace")
        )
    return ServerError(code, "", packet[3:].decode("utf-8", "replace"))


class Column(NamedTuple):
    """What the server tells of a column."""

    name: str
    kind: int
    flags: int
    charset: int


def column_of(packet: bytes) -> Column:
    """What a packet says of a column."""
    reader = Reader(packet)
    for _ in range(4):  # catalog, schema, and the table with two names
        reader.counted()
    name = reader.counted().decode("utf-8", "replace")
    reader.counted()
    reader.length()
    charset = reader.whole(2)
    reader.whole(4)
    kind = reader.whole(1)
    return Column(name, kind, reader.whole(2), charset)


_START, _COLUMNS, _EOF, _ROWS = range(4)


class Answer:
    """Takes the packets that answer a command. Of several results of a procedure the first counts. Of more
    rows than ``most`` none is kept; the first that is too many passes for the last packet, so that somebody
    can stop the rest."""

    __slots__ = (
        "_has_eof",
        "_is_first",
        "_left",
        "_state",
        "changed",
        "columns",
        "error",
        "has_more",
        "id",
        "most",
        "rows",
        "status",
    )

    def __init__(self, has_eof: bool, most: float = inf) -> None:
        self._has_eof = has_eof
        self.most = most
        self.has_more = False
        """Were there more rows than ``most``?"""
        self._is_first = True
        self._left = 0
        self._state = _START
        self.columns: list[bytes] = []
        self.rows: list[bytes] = []
        self.changed = 0
        self.id = 0
        self.status: int | None = None
        """The state of the session; nothing after an error, which does not tell it."""
        self.error: ServerError | None = None

    def take(self, packet: bytes) -> bool:
        """The next packet; was it the last?"""
        first = packet[0]
        state = self._state
        if state == _ROWS:
            if first == 0xFE and len(packet) < (9 if self._has_eof else LARGEST):
                return self._end_of_rows(packet)
            if first != 0xFF:
                return self._is_first and self._row(packet)
        if first == 0xFF and state != _COLUMNS:
            self.error = error_of(packet)
            self.status = None
            return True
        if state == _COLUMNS:
            if self._is_first:
                self.columns.append(packet)
            self._left -= 1
            if not self._left:
                self._state = _EOF if self._has_eof else _ROWS
            return False
        if state == _EOF:
            self._state = _ROWS
            return False
        if first == 0:
            return self._ok(Reader(packet, 1))
        if first == 0xFB:
            raise ProtocolError("the server wants a file")
        self._left = Reader(packet).length()
        self._state = _COLUMNS
        return False

    def _row(self, packet: bytes) -> bool:
        """Keep it. Is it the first that is too many?"""
        if self.has_more:
            return False
        self.rows.append(packet)
        self.has_more = len(self.rows) > self.most
        if self.has_more:
            self.rows.clear()
        return self.has_more

    def _ok(self, reader: Reader) -> bool:
        changed, key = reader.length(), reader.length()
        if self._is_first:
            self.changed, self.id = changed, key
        return self._end(reader.whole(2))

    def _end_of_rows(self, packet: bytes) -> bool:
        reader = Reader(packet, 1)
        if self._has_eof:
            reader.whole(2)
            return self._end(reader.whole(2))
        return self._ok(reader)

    def _end(self, status: int) -> bool:
        self.status = status
        self._is_first = False
        self._state = _START
        return not status & MORE_RESULTS


class Prepared:
    """Takes the packets that answer a wish to prepare a statement."""

    __slots__ = ("_has_eof", "_left", "count", "error", "number")

    has_more: Final = False

    def __init__(self, has_eof: bool) -> None:
        self._has_eof = has_eof
        self._left = -1
        self.number = b""
        self.count = 0
        """Of parameters."""
        self.error: ServerError | None = None

    def take(self, packet: bytes) -> bool:
        """The next packet; was it the last?"""
        if self._left < 0:
            if packet[0] == 0xFF:
                self.error = error_of(packet)
                return True
            reader = Reader(packet, 1)
            self.number = reader.raw(4)
            columns = reader.whole(2)
            self.count = reader.whole(2)
            self._left = columns + self.count
            if self._has_eof:
                self._left += (columns > 0) + (self.count > 0)
        else:
            # What the columns are is told again with every answer, by which time they may have changed.
            self._left -= 1
        return not self._left


def execution(number: bytes, values: Sequence[tuple[bytes, bytes] | None]) -> bytes:
    """A wish to run a prepared statement: of every parameter its type and its bytes, or nothing."""
    head = EXECUTE + number + b"\0\x01\0\0\0"
    if not values:
        return head
    nothing = 0
    kinds: list[bytes] = []
    parts: list[bytes] = []
    for place, value in enumerate(values):
        if value is None:
            nothing |= 1 << place
            kinds.append(NOTHING)
        else:
            kinds.append(value[0])
            parts.append(value[1])
    return b"".join([head, nothing.to_bytes((len(values) + 7) // 8, "little"), b"\x01", *kinds, *parts])


NOTHING: Final = b"\x06\0"
"""The type of nothing."""


# ---- logging in -----------------------------------------------------------------------------


class Greeting(NamedTuple):
    """What a server says first."""

    version: str
    connection: int
    """Its number for this connection, by which queries are stopped."""
    abilities: int
    plugin: str
    nonce: bytes


def greeting_of(packet: bytes) -> Greeting:
    """What the first packet says. Raises: ProtocolError."""
    reader = Reader(packet)
    if reader.whole(1) != 10:
        raise ProtocolError("this is no server of MySQL or MariaDB")
    version = reader.until_zero().decode("utf-8", "replace")
    connection = reader.whole(4)
    nonce = reader.raw(8)
    reader.whole(1)
    abilities = reader.whole(2)
    reader.raw(3)  # its letters and state
    abilities |= reader.whole(2) << 16
    length = reader.whole(1)
    reader.raw(10)
    nonce += reader.raw(max(13, length - 8))[:12]
    plugin = "mysql_native_password"
    if abilities & PLUGINS:
        plugin = reader.until_zero().decode("ascii", "replace")
    return Greeting(version, connection, abilities, plugin, nonce)


def wish_for_tls(abilities: int) -> bytes:
    """What is said before TLS begins; it is how every login begins."""
    return abilities.to_bytes(4, "little") + (1 << 30).to_bytes(4, "little") + bytes((UTF8MB4,)) + bytes(23)


def login(abilities: int, user: str, database: str, plugin: str, proof: bytes) -> bytes:
    """Who we are."""
    made = wish_for_tls(abilities) + user.encode() + b"\0" + counted(proof)
    if abilities & WITH_DATABASE:
        made += database.encode() + b"\0"
    return made + plugin.encode() + b"\0"
