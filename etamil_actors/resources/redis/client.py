"""Redis on trio: a pool of connections that speak RESP2.

A command takes a connection, sends, and waits for the one reply. There is nothing in between that others
could see, so a connection is either idle, with nothing on its way, or somebody's. Whatever ends a command
early — a cancellation, a time-out, half a reply — throws its connection away, because the reply that is
still on its way must not become the answer to the next command.

```
command ─▶ a place among `most` (fair) ─▶ an idle connection, or a new one ─▶ send, receive ─▶ idle again
                                            └ that the server has closed        └ trouble
                                               ─▶ thrown away                      ─▶ thrown away
```

A command is never sent twice by itself: after it has left, nobody knows whether the server has carried it
out. Before it leaves, an idle connection is looked at, so those of a server that was restarted are not used.

A server that cannot be reached is not asked again at once. For a while, longer with every failure, commands
that would need a new connection fail with the reason that is known; then one of them tries, and the others
wait a moment for what comes of it.
"""

from __future__ import annotations

import ssl
from select import POLLIN, poll
from typing import Final

import trio

from etamil_actors.ports.redis import (
    Changes,
    RedisError,
    RedisFacts,
    RedisSettings,
    RedisUnavailable,
    Reply,
)
from etamil_actors.resources.redis.addresses import Address, address_of
from etamil_actors.resources.redis.places import Client, too_slow, unavailable
from etamil_actors.resources.redis.wire import Reader, Waiting, WireError, encoded

CHUNK: Final = 64 * 1024
IDLE_SECONDS: Final = 300.0
"""A connection that nobody has used for so long is not used again: a firewall may have forgotten it."""

FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 2.0
PROBE_SECONDS: Final = 1.0
"""How long the others wait for the one who tries again."""


class SystemConnection:
    """A connection; see ``ports.redis.RedisConnection``."""

    __slots__ = (
        "_address", "_is_busy", "_plug", "_poll", "_reader", "_seconds", "_stream", "changes", "is_open",
        "used",
    )  # fmt: skip

    def __init__(
        self, address: Address, plug: trio.SocketStream, stream: trio.abc.Stream, settings: RedisSettings
    ) -> None:
        self._address = address
        self._plug = plug
        self._stream = stream
        self._reader = Reader(settings.most_bytes)
        self._seconds = settings.seconds
        self._is_busy = False
        self._poll = poll()
        self._poll.register(plug.socket.fileno(), POLLIN)
        self.is_open = True
        self.changes = Changes()
        self.used = trio.current_time()
        """When it was used last."""

    async def command(self, *parts: str | bytes | int) -> Reply:
        """Send a command and answer the reply."""
        data = encoded(parts)
        if not self.is_open or self._is_busy:
            raise unavailable(self._address, "இணைப்பு மூடப்பட்டது", "the connection is closed")
        is_whole = False
        self._is_busy = True
        self.changes.sent(parts)
        try:
            with trio.fail_after(self._seconds):
                reply = await self._ask(data)
            is_whole = True
        except trio.TooSlowError:
            raise too_slow(self._address, self._seconds) from None
        except (trio.BrokenResourceError, trio.ClosedResourceError, OSError, WireError) as problem:
            raise unavailable(self._address, "இணைப்பு அறுந்தது", _told(problem)) from problem
        finally:
            self._is_busy = False
            if not is_whole:
                self.drop()
        self.used = trio.current_time()
        if isinstance(reply, RedisError):
            raise reply
        self.changes.succeeded(parts)
        return reply

    @property
    def is_changed(self) -> bool:
        """Has a command changed what later ones mean?"""
        return self.changes.any

    async def _ask(self, data: bytes) -> Reply:
        await self._stream.send_all(data)
        reader, receive = self._reader, self._stream.receive_some
        while isinstance(reply := reader.reply(), Waiting):
            chunk = await receive(CHUNK)
            if not chunk:
                raise trio.BrokenResourceError("the server has closed the connection")
            reader.feed(chunk)
        if not reader.is_empty:
            raise WireError("more than one reply")
        return reply

    def is_fit(self) -> bool:
        """Is there reason to think that the server still listens? Never waits."""
        if not self.is_open or trio.current_time() - self.used > IDLE_SECONDS:
            return False
        # Nothing may have come: it would be the end, or a reply that nobody has asked for.
        return not self._poll.poll(0)

    def drop(self) -> None:
        """Close it, without a word and without waiting. May be said twice."""
        self.is_open = False
        self._plug.socket.close()


async def open_connection(
    address: Address, settings: RedisSettings, context: ssl.SSLContext | None = None
) -> SystemConnection:
    """Connect and log in. Raises: RedisUnavailable."""
    try:
        with trio.fail_after(settings.seconds):
            return await _logged_in(address, settings, context)
    except trio.TooSlowError:
        raise too_slow(address, settings.seconds) from None
    except RedisError as problem:
        raise unavailable(address, f"உள்நுழைவு மறுக்கப்பட்டது: {problem}", f"login refused: {problem}") from None
    except (trio.BrokenResourceError, OSError) as problem:
        raise unavailable(address, "இணைக்க முடியவில்லை", f"cannot connect: {_told(problem)}") from problem


async def _logged_in(
    address: Address, settings: RedisSettings, context: ssl.SSLContext | None
) -> SystemConnection:
    plug = await trio.open_tcp_stream(address.host, address.port)
    try:
        stream: trio.abc.Stream = plug
        if address.tls:
            context = context or ssl.create_default_context()
            stream = trio.SSLStream(plug, context, server_hostname=address.host, https_compatible=True)
            await stream.do_handshake()
        connection = SystemConnection(address, plug, stream, settings)
        if address.password:
            await connection.command("AUTH", *([address.user] if address.user else []), address.password)
        if address.database:
            await connection.command("SELECT", address.database)
        connection.changes = Changes()
        return connection
    except BaseException:
        plug.socket.close()
        raise


class SystemRedis(Client[SystemConnection]):
    """A server and the connections to it; see ``ports.redis.Redis``."""

    def __init__(self, settings: RedisSettings, context: ssl.SSLContext | None = None) -> None:
        super().__init__(settings, address_of(settings.url))
        self._context = context
        self._idle: list[SystemConnection] = []
        """What was used last at the end, and taken first: so that what is not needed grows old."""
        self._opened = 0
        self._trouble: tuple[str, str] | None = None
        """Why the last attempt to connect failed, in both languages."""
        self._pause = 0.0
        self._not_before = 0.0
        """When the next attempt may be made."""
        self._probe: trio.Event | None = None
        """Set when the one who tries again knows whether it is well."""
        self._attempt = 0
        """How many have failed; those that were made side by side count once."""

    async def _a_connection(self) -> SystemConnection:
        return self._unused() or await self._connect()

    def _unused(self) -> SystemConnection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_fit():
                return connection
            self._failed += 1
            connection.drop()
        return None

    async def _connect(self) -> SystemConnection:
        self._insist_on_open()
        await self._after_trouble()
        attempt = self._attempt
        probe = None
        if self._trouble is not None:
            probe = self._probe = trio.Event()
        try:
            connection = await open_connection(self._address, self.settings, self._context)
        except RedisUnavailable as trouble:
            self._failed_to_connect(trouble, attempt)
            raise
        else:
            self._trouble, self._pause = None, 0.0
            self._opened += 1
        finally:
            if probe is not None:
                self._probe = None
                probe.set()
        try:
            self._insist_on_open()
        except RedisUnavailable:
            connection.drop()
            raise
        return connection

    async def _after_trouble(self) -> None:
        """Comes back when one may try to connect. Raises: RedisUnavailable, it is known that it is no use."""
        while self._trouble is not None:
            if trio.current_time() < self._not_before:
                raise RedisUnavailable(*self._trouble)
            if self._probe is None:
                return
            with trio.move_on_after(PROBE_SECONDS) as waiting:
                await self._probe.wait()
            if waiting.cancelled_caught and self._trouble is not None:
                raise RedisUnavailable(*self._trouble)

    def _failed_to_connect(self, trouble: RedisUnavailable, attempt: int) -> None:
        if attempt != self._attempt:
            return  # several tried side by side, and another has told already
        self._attempt += 1
        self._pause = min(max(2 * self._pause, FIRST_PAUSE), LONGEST_PAUSE)
        self._not_before = trio.current_time() + self._pause
        self._trouble = (trouble.tamil, trouble.english)

    def _insist_on_open(self) -> None:
        if self.is_closed:
            raise unavailable(self._address, "மூடப்பட்டது", "closed")

    def _keep(self, connection: SystemConnection) -> None:
        if connection.is_open and not connection.is_changed:
            self._idle.append(connection)
        else:
            connection.drop()
        if self._idle and trio.current_time() - self._idle[0].used > IDLE_SECONDS:
            self._idle.pop(0).drop()

    def facts(self) -> RedisFacts:
        """How it is now."""
        busy = len(self._busy)
        waiting = self._places.statistics().tasks_waiting
        return RedisFacts(len(self._idle) + busy, busy, waiting, self._opened, self._failed)

    async def close(self) -> None:
        """Close every connection."""
        self.is_closed = True
        idle, self._idle = self._idle, []
        for connection in [*idle, *self._busy]:
            connection.drop()
        await trio.lowlevel.checkpoint()


def _told(problem: BaseException) -> str:
    while isinstance(problem, trio.BrokenResourceError) and problem.__cause__ is not None:
        problem = problem.__cause__
    return str(problem) or type(problem).__name__
