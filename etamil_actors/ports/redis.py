"""The port of Redis: commands on pooled connections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, Union

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


Reply = Union[  # noqa: UP007  it names itself
    bytes, int, None, RedisError, list["Reply"]
]
"""An error is an answer only inside an array, as ``EXEC`` has it; alone it is raised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisSettings:
    """A Redis server and how it is used."""

    url: str
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

    async def command(self, *parts: str | bytes | int) -> Reply:
        """Send a command and answer the reply, texts as bytes. Raises: RedisError, RedisUnavailable."""

    async def close(self) -> None:
        """Close it; may be said twice."""


class Redis(Protocol):
    """One server. Nothing is opened before the first command."""

    @property
    def name(self) -> str:
        """What people call it: its address, without a password."""

    async def command(self, *parts: str | bytes | int) -> Reply:
        """Send a command and answer the reply, texts as bytes. Raises: RedisError, RedisUnavailable."""

    async def connect(self) -> RedisConnection:
        """A connection beside the pool. Raises: RedisError, RedisUnavailable."""

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
