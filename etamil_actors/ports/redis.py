"""The port of Redis: commands on pooled connections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol, Union

from etamil_actors.ports.background import Keeper


class RedisError(Exception):
    """The server answered with an error; its text is the server's."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RedisError) and other.args == self.args

    def __hash__(self) -> int:
        return hash(self.args)


class RedisUnavailable(Exception):
    """There is no answer: nobody listens, the connection broke, it took too long. Whether the command was
    carried out is not known. Both texts name the server, and never its password."""

    def __init__(self, tamil: str, english: str) -> None:
        super().__init__(english)
        self.tamil = tamil
        self.english = english


LASTING: Final = frozenset(b"ASKING AUTH CLIENT HELLO QUIT READONLY READWRITE RESET SELECT".split())
"""Commands after which others may mean something else on this connection, for ever."""

BEGINNING: Final = frozenset(b"MULTI WATCH".split())
ENDING: Final = frozenset(b"EXEC DISCARD".split())
"""Those that do so until one of these has succeeded."""

REFUSED: Final = frozenset(b"HELLO MONITOR PSUBSCRIBE PSYNC SSUBSCRIBE SUBSCRIBE SYNC".split())
"""Commands that are not answered by exactly one reply as RESP2 has it."""


def is_refused(parts: Sequence[str | bytes | int]) -> bool:
    """Is this a command after which replies and commands would not belong together any more?"""
    words = [_upper(part) for part in parts[:2]]
    return bool(words) and (words[0] in REFUSED or words == [b"CLIENT", b"REPLY"])


class Changes:
    """What commands have changed on a connection."""

    __slots__ = ("_in_transaction", "_lasting")

    def __init__(self) -> None:
        self._lasting = False
        self._in_transaction = False

    @property
    def any(self) -> bool:
        """Is there anything that the next one to have the connection would notice?"""
        return self._lasting or self._in_transaction

    def sent(self, parts: Sequence[str | bytes | int]) -> None:
        """This command is about to leave."""
        word = _upper(parts[0]) if parts else b""
        if word in LASTING:
            self._lasting = True
        elif word in BEGINNING:
            self._in_transaction = True

    def succeeded(self, parts: Sequence[str | bytes | int]) -> None:
        """It was answered, and not by an error."""
        if self._in_transaction and _upper(parts[0]) in ENDING:
            self._in_transaction = False


def _upper(part: str | bytes | int) -> bytes:
    return (part if isinstance(part, bytes) else str(part).encode("utf-8", "replace")).upper()


Reply = Union[bytes, int, None, RedisError, list["Reply"]]  # noqa: UP007  it names itself
"""An error is an answer only inside an array, as ``EXEC`` has it; alone it is raised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisSettings:
    """A Redis server and how it is used."""

    url: str = field(repr=False)  # it may hold a password
    """``redis://user:password@host:port/0``, ``rediss://`` with TLS, or ``host:port``."""
    most: int = 16
    """Connections at once."""
    seconds: float = 10.0
    """How long connecting, waiting for a free connection, or one command may take."""
    most_bytes: int = 64 * 1024 * 1024
    """The largest reply."""


class RedisFacts(NamedTuple):
    """A client at this moment, for metrics."""

    open: int
    """Connections."""
    busy: int
    """Those of them on which a command is on its way."""
    waiting: int
    """Commands that wait for a connection."""
    opened: int
    """Connections since the start, and of them those that were thrown away after trouble."""
    failed: int


class RedisConnection(Protocol):
    """One connection, for one activity: what it sets — a transaction, a database — holds for the next
    command. After ``RedisUnavailable`` or a cancellation it is closed."""

    @property
    def is_open(self) -> bool:
        """May more commands be sent?"""

    @property
    def is_changed(self) -> bool:
        """Has a command changed what later ones mean: another database, an open transaction?"""

    async def command(self, *parts: str | bytes | int) -> Reply:
        """Send a command and answer the reply, texts as bytes. Raises: RedisError, RedisUnavailable."""


class Redis(Protocol):
    """One server. Nothing is opened before the first command."""

    @property
    def name(self) -> str:
        """What people call it: its address, without a password."""

    @property
    def host(self) -> str:
        """Where it is, for traces."""

    @property
    def port(self) -> int:
        """And there."""

    async def command(self, *parts: str | bytes | int) -> Reply:
        """Send a command and answer the reply, texts as bytes. Raises: RedisError, RedisUnavailable."""

    async def lease(self) -> RedisConnection:
        """A connection that nobody else uses until it is given back. Raises: RedisUnavailable."""

    def give_back(self, connection: RedisConnection) -> None:
        """It is not needed any more. One that was changed or broken is not used again. Never waits."""

    def facts(self) -> RedisFacts:
        """How it is now."""

    async def close(self) -> None:
        """Close its connections. Commands that are on their way end with ``RedisUnavailable``."""


class RedisServers(Protocol):
    """Makes clients; equal settings give the same client for as long as it is open."""

    def client(self, settings: RedisSettings, keeper: Keeper) -> Redis:
        """Raises: Fault ``config`` when the url cannot be understood."""

    def clients(self) -> Sequence[Redis]:
        """Those that are open."""
