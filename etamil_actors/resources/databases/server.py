"""What connections to servers have in common, whatever those speak: the words of transactions, and the one
way in which something is said and its answer awaited."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import ClassVar, Final, Generic, TypeVar

import trio
from trio.lowlevel import checkpoint, checkpoint_if_cancelled

from etamil_actors.errors import Fault
from etamil_actors.ports.background import Keeper
from etamil_actors.ports.databases import PoolSettings
from etamil_actors.resources.databases import troubles

STOP_SECONDS: Final = 3.0
"""How long stopping a query may take before the connection is thrown away."""
ROWS_AT_ONCE: Final = 1000
"""After so many rows others get their turn."""

AnswerT = TypeVar("AnswerT")
DriverT = TypeVar("DriverT", bound="ServerDriver")


class ServerConnection(Generic[AnswerT]):
    """The half of ``resources.databases.driver.RawConnection`` that does not depend on the protocol."""

    __slots__ = ("_is_busy", "_is_marked", "_seconds", "_settings", "is_broken")

    LOST: ClassVar[tuple[type[BaseException], ...]]
    """What says that the connection is over."""
    QUOTE: ClassVar[str]
    """Stands around names."""

    def __init__(self, settings: PoolSettings) -> None:
        self._settings = settings
        self._seconds = settings.query_seconds
        self._is_busy = False
        self._is_marked = False
        """Has a program set or locked something for its session?"""
        self.is_broken = False

    @property
    def in_transaction(self) -> bool:
        """Is a transaction open, whoever began it?"""
        raise NotImplementedError

    @property
    def needs_reset(self) -> bool:
        """Is a transaction open, or has a program set or locked something for its session?"""
        return self._is_marked or self.in_transaction

    def abandon(self) -> None:
        """Let go of the connection at once."""
        raise NotImplementedError

    async def _command(self, text: str) -> AnswerT:
        """Run a text of ours. Raises: Fault."""
        raise NotImplementedError

    # ---- transactions -----------------------------------------------------------------------

    async def begin(self) -> None:
        """Begin a transaction. Raises: Fault."""
        if self.in_transaction:
            raise troubles.already_begun()
        await self._command("BEGIN")

    async def _committed(self) -> AnswerT:
        """What the server answers to a commit. Raises: Fault."""
        if self.is_broken:
            raise troubles.lost()
        try:
            return await self._command("COMMIT")
        except Fault as fault:
            if troubles.is_too_slow(fault):
                self.abandon()  # it was stopped, but perhaps after it was done
            if self.is_broken:
                raise troubles.answer_lost() from fault
            raise

    async def rollback(self) -> None:
        """Undo it; whatever fails makes the connection broken."""
        try:
            await self._command("ROLLBACK")
        except Fault:
            self.abandon()

    async def savepoint(self, name: str) -> None:
        """Begin a part of a transaction. Raises: Fault."""
        await self._command(f"SAVEPOINT {self._quoted(name)}")

    async def release(self, name: str) -> None:
        """That part is right. Raises: Fault."""
        await self._command(f"RELEASE SAVEPOINT {self._quoted(name)}")

    async def rollback_to(self, name: str) -> None:
        """Undo that part. Raises: Fault."""
        await self._command(f"ROLLBACK TO SAVEPOINT {self._quoted(name)}")

    def _quoted(self, name: str) -> str:
        quote = self.QUOTE
        return f"{quote}{name.replace(quote, 2 * quote)}{quote}"

    # ---- waiting ----------------------------------------------------------------------------

    async def _exchange(
        self, talk: Callable[[], Awaitable[bool]], stop: Callable[[], Awaitable[None]]
    ) -> None:
        """Say something, and wait until it is answered. ``talk`` does both, and tells whether there is more
        than anybody wants; then, and when the time is over or nobody waits any more, ``stop`` ends what the
        server does. Whatever else ends it early breaks the connection.

        Raises:
            Fault: ``db.unavailable``; the connection broke, or it took too long and was stopped.
                ``db.rows``; there is more, and it was stopped.
        """
        if self.is_broken or self._is_busy:
            raise troubles.lost()
        await checkpoint_if_cancelled()
        is_over = has_more = False
        scope = trio.CancelScope(deadline=trio.current_time() + self._seconds)
        self._is_busy = True
        try:
            with scope:
                has_more = await talk()
            if scope.cancelled_caught or has_more:
                await stop()
            is_over = True
        except trio.Cancelled:
            await stop()
            is_over = True
            raise
        except self.LOST:
            raise troubles.lost() from None
        finally:
            self._is_busy = False
            if not is_over:
                self.abandon()
        if scope.cancelled_caught:
            raise troubles.too_slow(self._seconds)
        if has_more:
            raise troubles.too_many_rows(self._settings)


class ServerDriver:
    """The head of ``resources.databases.driver.Driver``."""

    def __init__(self, settings: PoolSettings, keeper: Keeper | None = None) -> None:
        """Raises: Fault ``config`` when the url cannot be understood."""
        self._settings = settings

    def patient(self: DriverT, seconds: float, keeper: Keeper) -> DriverT:
        """One like it, whose statements may take so long, and answer as much as there is."""
        return type(self)(replace(self._settings, query_seconds=seconds, max_rows=0), keeper)

    @property
    def settings(self) -> PoolSettings:
        return self._settings

    async def close(self) -> None:
        """Nothing is held but the connections."""
        await checkpoint()
