"""What clients of Redis have in common, real or simulated: an address, so many places, and the order in which
commands get one of them. What a connection is, and where it comes from, is theirs."""

from __future__ import annotations

from typing import Generic, TypeVar, cast

import trio

from etamil_actors.ports.redis import RedisConnection, RedisSettings, RedisUnavailable, Reply
from etamil_actors.resources.redis.addresses import Address

ConnectionT = TypeVar("ConnectionT", bound=RedisConnection)


class Client(Generic[ConnectionT]):
    """The head of ``ports.redis.Redis``."""

    def __init__(self, settings: RedisSettings, address: Address) -> None:
        self.settings = settings
        self._address = address
        self._places = trio.Semaphore(settings.most, max_value=settings.most)
        self._busy: set[ConnectionT] = set()
        self._failed = 0
        self.is_closed = False

    def __repr__(self) -> str:
        return f"<redis {self.name}>"

    @property
    def name(self) -> str:
        """What people call it."""
        return self._address.name

    @property
    def host(self) -> str:
        """Where it is."""
        return self._address.host

    @property
    def port(self) -> int:
        """And there."""
        return self._address.port

    async def command(self, *parts: str | bytes | int) -> Reply:
        """Send a command on a connection of the pool."""
        connection = await self.lease()
        try:
            return await connection.command(*parts)
        finally:
            self.give_back(connection)

    async def lease(self) -> ConnectionT:
        """A connection for one alone, when there is a place for it."""
        await self._wait_for_a_place()
        try:
            connection = await self._a_connection()
        except BaseException:
            self._places.release()
            raise
        self._busy.add(connection)
        return connection

    def give_back(self, connection: RedisConnection) -> None:
        """It is not needed any more."""
        own = cast(ConnectionT, connection)
        if own in self._busy:  # else it was given back already
            self._busy.discard(own)
            self._failed += not own.is_open
            self._keep(own)
            self._places.release()

    async def _a_connection(self) -> ConnectionT:
        """An unused one, or a new one. Raises: RedisUnavailable."""
        raise NotImplementedError

    def _keep(self, connection: ConnectionT) -> None:
        """It is free: for the next one, if it is good for that."""

    async def _wait_for_a_place(self) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            self._places.acquire_nowait()
            return
        except trio.WouldBlock:
            pass
        seconds = self.settings.seconds
        try:
            with trio.fail_after(seconds):
                await self._places.acquire()
        except trio.TooSlowError:
            raise unavailable(
                self._address,
                f"{seconds:g} நொடிகளில் இணைப்பு எதுவும் கிடைக்கவில்லை ({self.settings.most} உள்ளன)",
                f"no connection became free within {seconds:g} s (there are {self.settings.most})",
            ) from None


# ---- trouble --------------------------------------------------------------------------------


def unavailable(address: Address, tamil: str, english: str) -> RedisUnavailable:
    """Why there is no answer, with the server's address in front."""
    return RedisUnavailable(f"{address.name}: {tamil}", f"{address.name}: {english}")


def too_slow(address: Address, seconds: float) -> RedisUnavailable:
    """It took too long."""
    return unavailable(address, f"{seconds:g} நொடிகளில் பதில் இல்லை", f"no answer within {seconds:g} s")
