"""WebSockets: the handshake, the frames, and the other end of a route (``Live``).

A task per connection, the *pump*, turns bytes into messages, answers pings, asks a silent client for a sign
of life, and sees the farewell through:

```
connection ─ bytes ─▶ Inbox ─▶ pump ─ messages ─▶ Messages ─▶ Live.receive
Live.send ──▶ wsproto ──▶ connection          └ pong, close
```

Each stage is bounded, and waits for the next: a client that floods a slow handler is held back by TCP (or by
its HTTP/2 window). While a message waits for room, nothing of the client is read, so its silence then counts
for nothing.

A farewell is said once, by whoever is first: the handler (1000), its error (1011), a broken frame (1002,
1007), a message beyond the limit (1009), no sign of life (1011), the end of the service (1012). Then the
other side has a few seconds to answer it. A handler that lingers is told by ``receive``, which gives nothing,
and by ``send``, which raises ``PeerGoneError``.

Compression forgets between messages: a window and a dictionary for each of ten thousand quiet connections
would be 3 GB. And it is unpacked with a bound, so a small frame cannot become a large memory.
"""

from __future__ import annotations

import re
import zlib
from base64 import b64decode
from binascii import Error as Base64Error
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

import trio
from hypercorn.protocol.events import Body, Data, EndBody, EndData, Event, Request, Response, StreamClosed
from hypercorn.protocol.ws_stream import ASGIWebsocketState, Handshake, WSStream
from hypercorn.utils import build_and_validate_headers
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Message, Ping, Pong, TextMessage
from wsproto.events import Event as Frame
from wsproto.extensions import Extension, PerMessageDeflate
from wsproto.frame_protocol import CloseReason, FrameDecoder, FrameProtocol, Opcode, RsvBits
from wsproto.handshake import server_extensions_handshake
from wsproto.utilities import LocalProtocolError

from etamil_actors.actors.programs.exchange import Headers, PeerGoneError
from etamil_actors.edge.full.context import LaneContext
from etamil_actors.edge.full.guarded import Tasks
from etamil_actors.edge.full.inbox import Inbox
from etamil_actors.edge.full.streams import EXTENSION, scope_of
from etamil_actors.edge.heads import Refusal

FAREWELL_SECONDS: Final = 3.0
"""How long the other side may take to answer a farewell."""

MAX_MESSAGES: Final = 16
"""So many messages wait for a handler; together they are no larger than two of the largest."""

_JOINED: Final = 256
"""So many pieces are kept beside each other: the boxes around them are larger than small ones."""

MAX_PIECES: Final = 16_384
"""In so many pieces a message may come; more are work without end for nothing."""

GOING: Final = (1012, "மறுதொடங்குகிறது; மீண்டும் இணையவும் / reconnect")
SILENT: Final = (1011, "பதில் இல்லை / no sign of life")
assert all(len(reason.encode()) <= 123 for _, reason in (GOING, SILENT)), "a frame has no room for more"
BAD_HANDSHAKE: Final = Refusal(
    400,
    "இது சரியான WebSocket கைகுலுக்கல் அல்ல; Sec-WebSocket-Key, Connection, Upgrade தலைப்புகளைச் சரிபார்க்கவும்.",
    "This is no WebSocket handshake; please check Sec-WebSocket-Key, Connection and Upgrade.",
)
BAD_VERSION: Final = Refusal(
    426,
    "WebSocket பதிப்பு 13 மட்டுமே ஏற்கப்படும்.",
    "Only version 13 of WebSocket is spoken here.",
)
FOREIGN_ORIGIN: Final = Refusal(
    403,
    "இந்தப் பக்கத்திலிருந்து நேரலை இணைப்புக்கு அனுமதி இல்லை; cors.origins அமைப்பில் அதைச் சேர்க்கவும்.",
    "Pages of this origin may not open a WebSocket here; the setting cors.origins can allow it.",
)


# ---------------------------------------------------------------- who may connect

_DEFAULT_PORT: Final = {"http": "80", "https": "443"}
_ORIGIN: Final = re.compile(r"(https?)://([^/?#@\s]+)")


def is_origin_allowed(
    origin: bytes | None,
    host: bytes | None,
    scheme: str,
    origins: Sequence[str],
    *,
    has_cookies: bool = False,
) -> bool:
    """May a page of this origin open a WebSocket at this host?

    A browser sends the cookies of the host whatever page asks, so a foreign page could act for the user; and
    ``*`` lets all pages in, but never with cookies. Programs that are no browsers send no origin. Behind a
    proxy that ends TLS we are reached by ``http`` while the page came by ``https``; the other way round is a
    page that anybody on the way could change.
    """
    if origin is None:
        return True
    said = origin.decode("latin-1").lower()
    if ("*" in origins and not has_cookies) or said in (allowed.lower().rstrip("/") for allowed in origins):
        return True
    found = _ORIGIN.fullmatch(said)
    if found is None or host is None or (scheme == "https" and found[1] != "https"):
        return False
    return _with_port(found[2], found[1]) == _with_port(host.decode("latin-1").lower(), found[1])


def _with_port(host: str, scheme: str) -> str:
    _, colon, port = host.rpartition(":")
    if colon and port.isdigit():
        return host
    return f"{host.removesuffix(':')}:{_DEFAULT_PORT[scheme]}"


# ---------------------------------------------------------------- the handshake


class BoundedDeflate(PerMessageDeflate):
    """Compression that unpacks no message beyond the limit, and keeps nothing between messages."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(client_no_context_takeover=True, server_no_context_takeover=True)
        self._max_bytes = max_bytes
        self._unpacked = 0

    def frame_inbound_header(
        self, proto: FrameDecoder | FrameProtocol, opcode: Opcode, rsv: RsvBits, payload_length: int
    ) -> CloseReason | RsvBits:
        if opcode in (Opcode.TEXT, Opcode.BINARY):
            self._unpacked = 0
        return super().frame_inbound_header(proto, opcode, rsv, payload_length)

    def frame_inbound_payload_data(
        self, proto: FrameDecoder | FrameProtocol, data: bytes
    ) -> bytes | CloseReason:
        if not self._inbound_compressed or not self._inbound_is_compressible:
            return data
        return self._unpack(data)

    def frame_inbound_complete(
        self, proto: FrameDecoder | FrameProtocol, fin: bool
    ) -> bytes | CloseReason | None:
        if not fin:
            return None
        tail: bytes | CloseReason | None = None
        if self._inbound_is_compressible:
            if self._inbound_compressed:
                tail = self._unpack(b"\x00\x00\xff\xff")
                self._decompressor = None
            self._inbound_compressed = None
        return tail

    def _unpack(self, data: bytes) -> bytes | CloseReason:
        assert self._decompressor is not None
        room = self._max_bytes - self._unpacked
        try:
            unpacked = self._decompressor.decompress(data, room + 1)
        except zlib.error:
            return CloseReason.INVALID_FRAME_PAYLOAD_DATA
        self._unpacked += len(unpacked)
        if len(unpacked) > room:
            return CloseReason.MESSAGE_TOO_BIG
        return unpacked


class OurHandshake(Handshake):
    """Hypercorn's handshake with bounded compression. Subprotocols are not negotiated."""

    def __init__(self, headers: Headers, http_version: str, max_bytes: int) -> None:
        # It reads lists as ASCII; what is none belongs to no handshake, and then something is missing.
        readable = [pair for pair in headers if pair[0] not in _NOT_ITS and pair[1].isascii()]
        super().__init__(readable, http_version)
        self._offered = b",".join(value for name, value in headers if name == b"sec-websocket-extensions")
        self._max_bytes = max_bytes

    def flaw(self) -> Refusal | None:
        """Why it cannot be accepted."""
        if self.version != b"13":
            return BAD_VERSION
        if self.http_version == "1.1" and not _is_key(self.key):
            return BAD_HANDSHAKE
        return None if self.is_valid() else BAD_HANDSHAKE

    def accept(  # type: ignore[override]
        self, subprotocol: None, additional_headers: Headers
    ) -> tuple[int, Headers, Connection]:
        status, headers, connection = super().accept(None, additional_headers)
        deflate: list[Extension] = [BoundedDeflate(self._max_bytes)]
        try:
            offers = [piece.strip() for piece in self._offered.decode("ascii").split(",") if piece.strip()]
            accepted = server_extensions_handshake(offers, deflate)
        except (ValueError, AssertionError):
            return status, headers, connection  # a broken offer is none
        if accepted:
            headers.append((b"sec-websocket-extensions", bytes(accepted)))
            connection = Connection(ConnectionType.SERVER, deflate)
        return status, headers, connection


_NOT_ITS: Final = (b"sec-websocket-extensions", b"sec-websocket-protocol")


def _is_key(key: bytes | None) -> bool:
    try:
        return key is not None and len(b64decode(key, validate=True)) == 16
    except (Base64Error, ValueError):
        return False


# ---------------------------------------------------------------- messages


class Messages:
    """What was received and waits for the handler."""

    def __init__(self, max_bytes: int) -> None:
        self._waiting: deque[str | bytes] = deque()
        self._size = 0
        self._max_bytes = 2 * max_bytes
        self._is_over = False
        self._changed = trio.Event()

    def _change(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def put(self, message: str | bytes) -> None:
        """Add a message when there is room."""
        while not self._is_over and self._waiting and not self._has_room(len(message)):
            await self._changed.wait()
        if not self._is_over:
            self._waiting.append(message)
            self._size += len(message)
            self._change()

    def _has_room(self, size: int) -> bool:
        return len(self._waiting) < MAX_MESSAGES and self._size + size <= self._max_bytes

    async def take(self) -> str | bytes | None:
        """The next message; None when there will be none."""
        while not self._waiting:
            if self._is_over:
                return None
            await self._changed.wait()
        message = self._waiting.popleft()
        self._size -= len(message)
        self._change()
        return message

    def end(self, *, drop: bool) -> None:
        """Nothing more comes; ``drop``: and what waits is not wanted."""
        self._is_over = True
        if drop:
            self._waiting.clear()
        self._change()


# ---------------------------------------------------------------- the stream


class WebSocketStream(WSStream):
    """See the top of the file."""

    context: LaneContext  # type: ignore[assignment]
    task_group: Tasks
    handshake: OurHandshake
    inbox: Inbox

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.start_time = 0.0
        self.messages = Messages(self.config.websocket_max_message_size)
        self.sent = 0
        """Bytes of messages that were sent."""
        self._pump_scope = trio.CancelScope()
        self._send_lock = trio.Lock()
        self._pieces: list[str] | list[bytes] = []
        self._size = 0
        self._count = 0
        """In how many pieces that has come."""
        self._has_said_farewell = False
        self._is_unreadable = False

    def adopt(self, inbox: Inbox, *, has_body: bool) -> None:
        """Take what the client sends from there on into this inbox."""
        self.inbox = inbox

    async def handle(self, event: Event) -> None:
        if self.closed:
            return
        if isinstance(event, Request):
            await self._open(event)
        elif isinstance(event, (Body, Data)):
            await self.inbox.put(event.data)
        elif isinstance(event, EndBody):
            self.inbox.hang_up()
        elif isinstance(event, StreamClosed):
            self.closed = True
            self.inbox.is_cut = not self._has_said_farewell and self.state is ASGIWebsocketState.CONNECTED
            self.inbox.leave()
            self.messages.end(drop=False)
            self._pump_scope.cancel()

    async def _open(self, event: Request) -> None:
        self.handshake = OurHandshake(
            event.headers, event.http_version, self.config.websocket_max_message_size
        )
        scheme = "https" if self.scheme == "wss" else "http"
        extensions = {EXTENSION: {"websocket": self, "flaw": self.handshake.flaw()}}
        self.scope = scope_of("websocket", event, scheme, self.client, extensions)
        self.task_group.spawn_request(self.app, self.scope, self.inbox, self.app_send)  # type: ignore[arg-type]

    # What the application sends.

    async def app_send(self, message: Any) -> None:
        if self.closed:
            return
        if message is None:
            await self._application_has_ended()
        elif message["type"] == "websocket.http.response.start":
            self.response = message
        elif message["type"] == "websocket.http.response.body":
            await self._deny(message)
        else:
            await super().app_send(message)

    async def _application_has_ended(self) -> None:
        if self.state is ASGIWebsocketState.CONNECTED:
            await self.farewell(1011)
        elif self.state is not ASGIWebsocketState.CLOSED:
            await self.send(StreamClosed(stream_id=self.stream_id))

    async def _deny(self, message: Any) -> None:
        if self.state is ASGIWebsocketState.HANDSHAKE:
            self.state = ASGIWebsocketState.RESPONSE
            headers = build_and_validate_headers(self.response["headers"])
            await self.send(
                Response(stream_id=self.stream_id, status_code=self.response["status"], headers=headers)
            )
        if message.get("body"):
            await self.send(Body(stream_id=self.stream_id, data=message["body"]))
        if not message.get("more_body", False):
            self.state = ASGIWebsocketState.HTTPCLOSED
            await self.send(EndBody(stream_id=self.stream_id))

    async def accept(self, headers: Headers) -> None:
        """Answer the handshake: yes."""
        self.state = ASGIWebsocketState.CONNECTED
        status, ours, self.connection = self.handshake.accept(None, build_and_validate_headers(headers))
        await self.send(Response(stream_id=self.stream_id, status_code=status, headers=ours))
        self.task_group.spawn(self._run_pump)

    async def send_message(self, message: str | bytes) -> None:
        """Send a message. Raises: PeerGoneError."""
        await trio.lowlevel.checkpoint_if_cancelled()  # what is sent is shielded
        frame = TextMessage(message) if isinstance(message, str) else BytesMessage(message)
        if not await self._send_frame(frame):
            raise PeerGoneError("the WebSocket is closed")
        self.sent += len(message)

    async def _send_frame(self, frame: Frame) -> bool:
        async with self._send_lock:
            if self.closed or self.inbox.is_deaf:
                return False
            try:
                data = self.connection.send(frame)
            except LocalProtocolError:
                return False
            # Half a frame would spoil what follows; what is sent has a deadline of its own below.
            with trio.CancelScope(shield=True):
                await self.send(Data(stream_id=self.stream_id, data=bytes(data)))
            return not self.inbox.is_deaf

    # The farewell.

    async def goodbye(self) -> None:
        """The service ends."""
        if self.state is ASGIWebsocketState.CONNECTED:
            self.messages.end(drop=True)
            await self.farewell(*GOING)

    async def farewell(self, code: int, reason: str = "") -> None:
        """Say it, if nobody has, and give the other side a moment to answer."""
        if self._has_said_farewell or self.state is not ASGIWebsocketState.CONNECTED:
            return
        self._has_said_farewell = True
        self.state = ASGIWebsocketState.CLOSED
        self.messages.end(drop=False)
        self._pump_scope.deadline = trio.current_time() + FAREWELL_SECONDS
        await self._send_frame(CloseConnection(code=code, reason=reason or None))

    # What the client sends.

    async def _run_pump(self) -> None:
        with self._pump_scope:
            await self._pump()
        self.messages.end(drop=False)
        if not self.closed:
            await self.send(EndData(stream_id=self.stream_id))
            await self.send(StreamClosed(stream_id=self.stream_id))

    async def _pump(self) -> None:
        has_asked = False
        while self.connection.state not in (ConnectionState.CLOSED, ConnectionState.REMOTE_CLOSING):
            with trio.move_on_after(self.context.settings.websocket_ping_seconds) as silence:
                data = await self.inbox.take()
            if not silence.cancelled_caught:
                has_asked = False
                if not data:
                    return
                await self._read(data)
            elif has_asked:
                await self.farewell(*SILENT)
                return
            else:
                has_asked = True
                await self._send_frame(Ping())

    async def _read(self, data: bytes) -> None:
        if self._is_unreadable:
            return
        self.connection.receive_data(data)
        for frame in self.connection.events():
            if isinstance(frame, Message):
                if not self._has_said_farewell:
                    await self._gather(frame)
            elif isinstance(frame, Ping):
                await self._send_frame(Pong(payload=bytes(frame.payload)))
            elif isinstance(frame, CloseConnection):
                await self._is_left(frame)
                return

    async def _gather(self, frame: Message[Any]) -> None:
        piece = frame.data if isinstance(frame.data, str) else bytes(frame.data)
        self._size += len(piece.encode()) if isinstance(piece, str) else len(piece)
        if self._size > self.config.websocket_max_message_size:
            self._pieces = []
            await self.farewell(CloseReason.MESSAGE_TOO_BIG)
            return
        self._count += 1
        if self._count > MAX_PIECES:
            self._pieces = []
            await self.farewell(CloseReason.POLICY_VIOLATION)
            return
        if piece:
            self._pieces.append(piece)  # type: ignore[arg-type]
        if len(self._pieces) >= _JOINED:
            self._pieces = [self._joined(piece)]  # type: ignore[assignment]
        if frame.message_finished:
            whole = self._joined(piece)
            self._pieces, self._size, self._count = [], 0, 0
            await self.messages.put(whole)

    def _joined(self, piece: str | bytes) -> str | bytes:
        """All that has come of the message of which this is a piece."""
        if isinstance(piece, str):
            return "".join(self._pieces)  # type: ignore[arg-type]
        return b"".join(self._pieces)  # type: ignore[arg-type]

    async def _is_left(self, frame: CloseConnection) -> None:
        if self.connection.state is ConnectionState.REMOTE_CLOSING:
            self._has_said_farewell = True
            self.state = ASGIWebsocketState.CLOSED
            await self._send_frame(frame.response())
        elif self.connection.state is not ConnectionState.CLOSED:
            # What came is no frame: the code says why, and nothing more can be read.
            self._is_unreadable = True
            await self.farewell(frame.code)


class WebSocketLive:
    """The other end of a WebSocket route (``Live``)."""

    def __init__(self, stream: WebSocketStream) -> None:
        self._stream = stream
        self.is_accepted = False

    @property
    def sent(self) -> int:
        """Bytes of messages that were sent."""
        return self._stream.sent

    async def accept(self, headers: Headers) -> None:
        """Answer the handshake: yes. Raises: PeerGoneError."""
        if self._stream.closed:
            raise PeerGoneError("the client left before the handshake was answered")
        if not self.is_accepted:
            self.is_accepted = True
            await self._stream.accept(headers)
            if self._stream.context.leaving.is_set():
                await self._stream.goodbye()

    async def receive(self) -> str | bytes | None:
        """The next message; nothing when the peer has gone or the server says goodbye."""
        return await self._stream.messages.take()

    async def send(self, message: str | bytes) -> None:
        """Send a message, waiting while the peer is slow. Raises: PeerGoneError."""
        await self._stream.send_message(message)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye, if that was not done."""
        await self._stream.farewell(code, reason)
