"""One connection of the full lane: a subclass of Hypercorn's, which ends alone and in time.

Hypercorn gives the protocols; how a connection lives is ours, for four reasons:

- whatever goes wrong in it is reported and ends this connection only;
- a send has a deadline. It is shielded, because half a frame would spoil the connection for others on it,
  so without one a client that takes nothing would hold it, and a shutdown, for ever. When the time is over
  the stream is closed without ceremony, and the protocol told so;
- one deadline in the reader stands for all that a client may be slow with: its head, its next request, its
  farewell. No timer task. Once the service ends the deadlines are short: a silent connection has a moment for
  a request that was on its way, a head that has begun a little longer;
- whoever is still sending when its connection ends gets to read the answer: the connection stops to send,
  and takes what comes for a moment (a reset would throw the answer away with the rest).

```
nursery ─┬─ reader: bytes ─▶ protocol ─▶ streams ─▶ Inbox ─▶ application
         ├─ attendant: says goodbye; shortens the sends of a cancelled connection
         └─ one task per request, one more per WebSocket
```
"""

from __future__ import annotations

import select
import ssl
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from math import inf
from typing import Any, Final, Protocol

import trio
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.typing import ConnectionState

from etamil_actors.actors.leaves import leaves_of
from etamil_actors.edge.full.context import LaneContext
from etamil_actors.edge.full.inbox import PIECE, Inbox

SILENT_SECONDS: Final = 0.5
"""So long after goodbye a connection may still bring a request that was on its way."""

LATE_SECONDS: Final = 2.0
"""So long after goodbye a head may take that has begun, or a handshake."""

LINGER_SECONDS: Final = 2.0
"""How long a client that was refused may go on sending what nobody reads."""

LINGER_BYTES: Final = 16 * 1024 * 1024
"""So much of it is read and forgotten."""

CUT_SECONDS: Final = 1.0
"""What a send may still take when its connection is cancelled."""

CLOSE_SECONDS: Final = 2.0
"""What the farewell of TLS may take."""

Stream = trio.abc.Stream
Application = Callable[[Any, Inbox, Callable[[Any], Awaitable[None]]], Awaitable[None]]


class Phase(Enum):
    """What a connection waits for."""

    FRESH = "its first request"
    IDLE = "its next request"
    HEAD = "the rest of a head"
    BUSY = "busy"
    ENDING = "ending"


class SpeaksHttp2Error(Exception):
    """The client began with HTTP/2, and may; the data are all that came."""

    def __init__(self, data: bytes) -> None:
        super().__init__("HTTP/2 with prior knowledge")
        self.data = data


class LaneProtocol(Protocol):
    """HTTP/1.1 or HTTP/2, as the connection uses it."""

    @property
    def phase(self) -> Phase: ...

    def lingers(self, has_more: bool) -> bool:
        """Is the client in the middle of sending something, but shall read our answer? Has more come?"""
        ...

    async def initiate(self) -> None: ...

    async def handle(self, event: Event) -> None: ...

    async def is_late(self, phase: Phase) -> bool:
        """What it waited for did not come in time. Is there an answer that says so?"""
        ...

    def hang_up(self) -> bool:
        """The client sends nothing more. Is there an answer to finish?"""
        ...

    def abandon(self) -> None:
        """Nobody shall wait for the client any more."""
        ...

    def fail(self) -> None:
        """What was handed over to be sent has not all been sent."""
        ...

    async def goodbye(self) -> None:
        """Let the client know that it shall bring no more requests; those on their way are still taken."""
        ...

    async def last_call(self) -> None:
        """A moment later: from here on none is taken."""
        ...


class FrontedStream(trio.abc.Stream):
    """A stream with some bytes put in front of what it receives."""

    def __init__(self, stream: trio.SocketStream, front: bytes) -> None:
        self.stream = stream
        self._front = front

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        if not self._front:
            return bytes(await self.stream.receive_some(max_bytes))
        await trio.lowlevel.checkpoint()
        size = len(self._front) if max_bytes is None else max_bytes
        piece, self._front = self._front[:size], self._front[size:]
        return piece

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self.stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self.stream.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        await self.stream.send_eof()

    async def aclose(self) -> None:
        await self.stream.aclose()


class Tasks(TaskGroup):
    """The tasks of one connection."""

    def __init__(self, context: LaneContext) -> None:
        super().__init__()
        self._context = context
        self.requests = 0
        """How many requests are being worked on; those of clients that have left count too."""

    async def __aenter__(self) -> Tasks:
        await super().__aenter__()
        return self

    def spawn_request(
        self, app: Application, scope: Any, inbox: Inbox, send: Callable[[Any], Awaitable[None]]
    ) -> None:
        """Let the application answer a request."""
        assert self._nursery is not None
        self.requests += 1
        self._nursery.start_soon(self._run, app, scope, inbox, send)

    async def _run(
        self, app: Application, scope: Any, inbox: Inbox, send: Callable[[Any], Awaitable[None]]
    ) -> None:
        try:
            await app(scope, inbox, send)
        except BaseException as problem:  # the boundary of a request; the rest is raised again
            found = leaves_of(problem)
            for error in found.errors:
                self._context.site.failed(error, None)
            if found.cancelled or found.interrupts:
                raise
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + self._longest):
                await send(None)
            self.requests -= 1

    @property
    def _longest(self) -> float:
        return self._context.settings.write_seconds + CLOSE_SECONDS


class GuardedConnection(TCPServer):
    """See the top of the file."""

    context: LaneContext
    stream: Stream  # type: ignore[assignment]
    _task_group: Tasks

    def __init__(
        self,
        app: Application,
        config: Config,
        context: LaneContext,
        stream: trio.SocketStream,
        peer: str,
        protocols: Mapping[str, Callable[..., LaneProtocol]],
        *,
        front: bytes = b"",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(app, config, context, ConnectionState({}), stream)  # type: ignore[arg-type]
        self.stream = stream if tls is None else FrontedStream(stream, front)
        self.peer = peer
        self._protocols = protocols
        self._front = front if tls is None else b""
        self._tls = tls
        self._scope = trio.CancelScope()
        self._sends: set[trio.CancelScope] = set()
        self._send_until = inf
        """Nothing is sent any more after that."""
        self._reading = trio.CancelScope()
        self._lane_protocol: LaneProtocol | None = None
        self._phase = Phase.FRESH
        self._since = trio.current_time()
        self._moment = -inf
        """Until then a wait was made longer, since something had just come."""
        self._handshake = trio.CancelScope()
        self._has_hung_up = False
        """The client sends nothing more, but is to be answered."""
        self._is_ending = False
        self._is_lingering = False
        """Is what still comes read and forgotten?"""
        self._forgotten = 0
        self._is_dead = False

    # Its life.

    async def run(self) -> None:
        """Serve the connection to its end. Raises nothing but cancellation and what ends the process."""
        try:
            with self._scope:
                await self._serve()
        except BaseException as problem:  # the boundary of a connection; the rest goes on
            found = leaves_of(problem)
            for error in found.errors:
                if not isinstance(error, (OSError, trio.BrokenResourceError, trio.ClosedResourceError)):
                    self.context.site.failed(error, None)
            if found.cancelled or found.interrupts:
                raise
        finally:
            await self._close()

    def cut(self) -> None:
        """End it now."""
        self._scope.cancel()
        for scope in self._sends:
            scope.cancel()
        if self._lane_protocol is not None:
            self._lane_protocol.abandon()

    def hurry(self) -> None:
        """The service ends: a handshake may not take long any more."""
        latest = self.context.left_at + LATE_SECONDS
        self._handshake.deadline = min(self._handshake.deadline, latest)

    async def _serve(self) -> None:
        speaks = "http/1.1"
        if self._tls is not None:
            secured = trio.SSLStream(self.stream, self._tls, server_side=True, https_compatible=True)
            self._handshake.deadline = trio.current_time() + self.context.settings.tls_seconds
            self.hurry()
            with self._handshake:
                try:
                    await secured.do_handshake()
                except trio.BrokenResourceError:
                    return
            if self._handshake.cancelled_caught:
                return
            self.stream = secured
            speaks = secured.selected_alpn_protocol() or speaks
            self._since = trio.current_time()
        async with Tasks(self.context) as self._task_group:
            self._lane_protocol = self._open(speaks)
            attendant = trio.CancelScope()
            self._task_group.spawn(self._attend, attendant)
            await self._protocol.initiate()
            if self._front:
                await self._feed(self._front)
            await self._read_data()
            attendant.cancel()
            if not self._has_hung_up:
                # Handlers may go on, but nobody waits for them there.
                await self._close()

    def _open(self, speaks: str) -> LaneProtocol:
        kind = self._protocols[speaks]
        return kind(
            self.app,
            self.config,
            self.context,
            self._task_group,
            ConnectionState({}),
            self._tls is not None,
            (self.peer, 0),
            None,
            self.protocol_send,
        )

    @property
    def _protocol(self) -> LaneProtocol:
        assert self._lane_protocol is not None, "the protocol is chosen first"
        return self._lane_protocol

    async def _attend(self, scope: trio.CancelScope) -> None:
        try:
            with scope:
                await self.context.leaving.wait()
                await self._protocol.goodbye()
                self._set_patience()
                await trio.sleep_until(self.context.left_at + SILENT_SECONDS)
                if self._phase is Phase.HEAD:
                    await trio.sleep_until(self.context.left_at + LATE_SECONDS)
                await self._protocol.last_call()
                await trio.sleep_forever()
        except trio.Cancelled:
            # The connection is cancelled from outside: what is being sent now gets a little time only.
            self._send_until = trio.current_time() + CUT_SECONDS
            for sending in self._sends:
                sending.deadline = min(sending.deadline, self._send_until)
            self._protocol.abandon()
            raise

    # Receiving.

    async def _read_data(self) -> None:
        while True:
            self._set_patience()
            if self._is_ending and not self._is_lingering:
                break
            with trio.CancelScope(deadline=self._deadline()) as self._reading:
                try:
                    data = await self.stream.receive_some(PIECE)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    break
            if self._reading.cancelled_caught:
                if trio.current_time() < self._deadline() or self._gets_a_moment():
                    continue
                if self._is_ending or not await self._protocol.is_late(self._phase):
                    break
                continue
            if not data:
                if not self._is_ending and self._protocol.hang_up():
                    self._has_hung_up = True
                    return
                break
            if not self._is_ending:
                await self._feed(bytes(data))
                continue
            self._forgotten += len(data)
            if self._forgotten > LINGER_BYTES:
                break
        await self._protocol.handle(Closed())

    async def _feed(self, data: bytes) -> None:
        try:
            await self._protocol.handle(RawData(data))
        except SpeaksHttp2Error as change:
            self._lane_protocol = self._open("h2")
            await self._protocol.initiate()
            await self._protocol.handle(RawData(change.data))

    def _set_patience(self) -> None:
        phase = Phase.ENDING if self._is_ending else self._protocol.phase
        if phase is not self._phase:
            self._wait_for(phase)
        self._reading.deadline = self._deadline()

    def _wait_for(self, phase: Phase) -> None:
        self._phase = phase
        self._since = trio.current_time()
        self._moment = -inf

    def _deadline(self) -> float:
        settings = self.context.settings
        match self._phase:
            case Phase.FRESH:
                return self._until(settings.header_seconds, SILENT_SECONDS)
            case Phase.IDLE:
                return self._until(settings.keep_alive_seconds, SILENT_SECONDS)
            case Phase.HEAD:
                return self._until(settings.header_seconds, LATE_SECONDS)
            case Phase.ENDING:
                return self._since + LINGER_SECONDS if self._is_lingering else -inf
        return inf

    def _until(self, usual: float, leaving: float) -> float:
        """The end of a wait that takes so long at most, and so long once the service ends."""
        end = min(self._since + usual, max(self._since, self.context.left_at) + leaving)
        return max(end, self._moment)

    def _gets_a_moment(self) -> bool:
        """Has a request begun to come just when we gave up waiting for it? Once for each wait."""
        if self._phase not in (Phase.FRESH, Phase.IDLE) or self._moment > -inf or not self._has_more():
            return False
        self._moment = trio.current_time() + SILENT_SECONDS
        return True

    def _has_more(self) -> bool:
        """Is there something, if only the end, that has come and was not read?"""
        stream = self._bottom
        if isinstance(stream, FrontedStream):
            stream = stream.stream
        assert isinstance(stream, trio.SocketStream)
        number = stream.socket.fileno()
        if number < 0:
            return False
        poll = select.poll()
        poll.register(number, select.POLLIN)
        return bool(poll.poll(0))

    # Sending.

    async def protocol_send(self, event: Event) -> None:
        """What the protocols send goes through here: bytes, news of the phase, the end."""
        if isinstance(event, RawData):
            if event.data:
                await self._send(event.data)
        elif isinstance(event, Closed):
            await self._end()
        elif isinstance(event, Updated):
            # The time starts anew with each request and with each pause, however short the other was.
            self._wait_for(Phase.BUSY if not event.idle else self._protocol.phase)
            if event.idle:
                self._set_patience()
            else:
                self._reading.deadline = inf

    async def _send(self, data: bytes) -> None:
        with trio.CancelScope(shield=True) as scope:
            self._sends.add(scope)
            scope.deadline = self._send_until
            try:
                async with self.send_lock:
                    if not self._is_dead:
                        await self._send_pieces(data, scope)
                return
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass
            finally:
                self._sends.discard(scope)
        await self._give_up()

    async def _send_pieces(self, data: bytes, scope: trio.CancelScope) -> None:
        view = memoryview(data)
        for at in range(0, len(view), PIECE):
            limit = trio.current_time() + self.context.settings.write_seconds
            scope.deadline = min(limit, self._send_until)
            await self.stream.send_all(view[at : at + PIECE])
        scope.deadline = self._send_until

    async def _give_up(self) -> None:
        if self._is_dead:
            return
        self._is_dead = True
        self._is_lingering = False
        self._protocol.fail()
        await trio.aclose_forcefully(self._bottom)
        await self._protocol.handle(Closed())

    # Ending.

    async def _end(self) -> None:
        if self._is_ending:
            return
        self._is_ending = True
        self._is_lingering = not self._is_dead and self._protocol.lingers(self._has_more())
        if self._is_lingering and self._tls is None:
            try:
                await self.stream.send_eof()  # type: ignore[attr-defined]
            except (OSError, trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError):
                self._is_dead, self._is_lingering = True, False
        self._set_patience()
        await self._protocol.handle(Closed())

    @property
    def _bottom(self) -> Stream:
        return self.stream.transport_stream if isinstance(self.stream, trio.SSLStream) else self.stream

    async def _close(self) -> None:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + CLOSE_SECONDS):
            self._is_dead, was_dead = True, self._is_dead
            try:
                if not was_dead:
                    await self.stream.aclose()
            except (trio.BrokenResourceError, trio.BusyResourceError, OSError):
                pass  # it is gone already, which is what was wanted
            finally:
                await trio.aclose_forcefully(self._bottom)
