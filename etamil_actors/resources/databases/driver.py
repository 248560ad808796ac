"""What a kind of database brings, so that there is one pool for all of them (``pool.py``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from etamil_actors.ports.databases import Connection, Datum, PoolSettings, Row


class RawConnection(Connection, Protocol):
    """One connection to a server or file. Every call may be cancelled: then the query is stopped in the
    database within a bounded time, or the connection is broken. The connection itself sees to it that no
    query takes longer than ``settings.query_seconds``, in the same way."""

    @property
    def needs_reset(self) -> bool:
        """Is a transaction open, or has a program set or locked something that would outlive its lease?"""

    async def reset(self) -> None:
        """Make it as new: roll back what is open. Whatever fails makes it broken, and nothing is raised but
        cancellation; the pool calls this under a shield with a deadline."""

    async def check(self) -> bool:
        """Does the other side still answer? Asked of connections that have been idle for a while."""

    async def close(self) -> None:
        """Say goodbye, within a deadline of the pool's. Raises nothing but cancellation."""

    def abandon(self) -> None:
        """Let go of it at once, without a word: close the socket or file."""


class QuickConnection(Protocol):
    """What a connection may offer besides, where the database is in this process."""

    def query_nowait(self, sql: str, parameters: Sequence[Datum]) -> list[Row] | None:
        """The rows, if that takes no time worth speaking of; None: nothing was done. Raises: Fault."""


class Driver(Protocol):
    """Opens connections of one pool. One whose connections are quick says so: ``is_quick = True``; and
    ``patient(seconds, keeper)`` may give one like it whose statements may take so long, and answer as much as
    there is."""

    @property
    def settings(self) -> PoolSettings: ...

    async def connect(self) -> RawConnection:
        """A new connection, within a deadline of the pool's.

        Raises:
            Fault: ``db.unavailable``, in words without any password.
        """

    async def close(self) -> None:
        """What the driver itself holds, when the last connection is closed."""
