"""HTTP/2 of the full lane: Hypercorn's protocol on h2, with each stream on its own.

What is different from Hypercorn's:

- a request sends its own frames as its window allows, and waits when it is closed. There is no task that
  sends for all and no tree of priorities (RFC 9113 took them back), and so nothing of a stream is left when
  it ends. Frames of different requests take turns at the lock of the connection;
- a stream whose client takes nothing for ``write_seconds`` is reset. The socket need not be full for that;
- a slow reader of a body holds back its own stream only. What was not taken is not acknowledged, so a client
  can send no more than its window; the window of the connection has room for several such streams;
- a request that is reset goes on for its handler, so it still counts: a client that opens and resets gets no
  more done at once than one that waits, and when it does nothing else it is sent away;
- the rest of an upload that was answered early is thrown away, and beyond some megabytes stopped. A reset at
  once would be allowed, but some clients then lose the answer;
- what a client sends is read in small pieces, so that others have their turns, and everything that moves
  nothing (pings, settings, windows, priorities, empty frames) takes from an allowance, which grows with time
  and with what is moved. A client that has used it up is sent away;
- goodbye is said twice: first that the end is near, while requests may still be on their way and are served,
  and a moment later which one was the last.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import h2.events
import h2.exceptions
import trio
from h2.errors import ErrorCodes
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.events import Body, Data, EndBody, EndData, Request, Response, StreamClosed
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.utils import filter_pseudo_headers
from hyperframe.frame import GoAwayFrame

from etamil_actors.actors.programs.exchange import Headers
from etamil_actors.edge.full.context import STREAMS, LaneContext
from etamil_actors.edge.full.guarded import Phase, Tasks
from etamil_actors.edge.full.heads import flaw_of_parts
from etamil_actors.edge.full.inbox import Inbox
from etamil_actors.edge.full.streams import HttpStream, Last, stream_of
from etamil_actors.edge.full.websocket import WebSocketStream
from etamil_actors.edge.heads import Refusal

CONNECTION_WINDOW: Final = 1024 * 1024
"""So much may be on its way to handlers of one connection."""

TABLE_BYTES: Final = 4096
"""The most that is remembered of the headers sent to a client, whatever it offers."""

RESETS: Final = 200
"""So many requests may be reset before it counts whether any is waited for."""

DISCARDED: Final = 4 * 1024 * 1024
"""So much of an upload is thrown away before it is stopped."""

READ_BYTES: Final = 16 * 1024
"""So much is read before others have a turn."""

ALLOWANCE: Final = 512 * 1024
"""So many bytes may come that move nothing…"""

ALLOWANCE_RATE: Final = 16 * 1024
"""…and so many more in each second."""

LAST_STREAM: Final = 2**31 - 1

_CLOSED = (h2.exceptions.ProtocolError, KeyError)


class GuardedH2(H2Protocol):
    """See the top of the file."""

    context: LaneContext  # type: ignore[assignment]
    task_group: Tasks
    streams: dict[int, HttpStream | WebSocketStream]  # type: ignore[assignment]

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        # Hypercorn announces its own settings but leaves h2 with the defaults.
        self.connection.decoder.max_header_list_size = self.config.h2_max_header_list_size
        self._window = trio.Event()
        self._answered: set[int] = set()
        self._discarding: dict[int, int] = {}
        """Requests that were answered while they were still sent, and what else may come of each."""
        self._resets = 0
        self._finished = 0
        self._had_request = False
        self._is_leaving = False
        self._takes_no_more = False
        self._has_failed = False
        self._allowance = float(ALLOWANCE)
        self._since = trio.current_time()

    # What the connection asks.

    @property
    def phase(self) -> Phase:
        if self.streams:
            return Phase.BUSY
        if self._has_begun_a_frame:
            return Phase.HEAD
        return Phase.IDLE if self._had_request else Phase.FRESH

    @property
    def _has_begun_a_frame(self) -> bool:
        frames = self.connection.incoming_buffer
        return bool(frames._data or frames._headers_buffer)

    def lingers(self, has_more: bool) -> bool:
        return self._allowance >= 0

    async def is_late(self, phase: Phase) -> bool:
        # Also when it has been said: it may still be waiting for its turn, and then it is lost.
        self._takes_no_more = True
        await self._go_away(ErrorCodes.NO_ERROR)
        return False

    def hang_up(self) -> bool:
        return False

    def abandon(self) -> None:
        self.closed = True
        self._window_has_moved()

    async def goodbye(self) -> None:
        if self._is_leaving:
            return
        self._is_leaving = True
        await self._go_away(ErrorCodes.NO_ERROR, LAST_STREAM)
        for stream in list(self.streams.values()):
            if isinstance(stream, WebSocketStream):
                await stream.goodbye()

    async def last_call(self) -> None:
        if not self._takes_no_more:
            self._takes_no_more = True
            await self._go_away(ErrorCodes.NO_ERROR)

    def fail(self) -> None:
        self._has_failed = True
        for stream in self.streams.values():
            if isinstance(stream, HttpStream):
                stream.is_whole = False

    async def _go_away(self, code: ErrorCodes, last: int | None = None) -> None:
        # Not by h2, which takes it for the end of the connection: requests at hand are still answered.
        if last is None:
            last = self.connection.highest_inbound_stream_id
        frame = GoAwayFrame(stream_id=0, last_stream_id=last, error_code=code)
        await self._flush()
        await self.send(RawData(frame.serialize()))

    # Reading.

    async def initiate(self, headers: Any = None, settings: Any = None) -> None:
        self.connection.initiate_connection()
        self.connection.increment_flow_control_window(CONNECTION_WINDOW - 65_535)
        await self._flush()

    async def handle(self, event: Event) -> None:
        if isinstance(event, RawData):
            for piece in _pieces(event.data):
                if not await self._receive(piece):
                    await self.send(Closed())
                    return
                if len(event.data) > READ_BYTES:
                    await trio.lowlevel.checkpoint()
        elif isinstance(event, Closed):
            self.closed = True
            for stream_id in list(self.streams):
                await self._close_stream(stream_id)
            self._window_has_moved()

    async def _receive(self, data: bytes) -> bool:
        """May more follow?"""
        now = trio.current_time()
        self._allow((now - self._since) * ALLOWANCE_RATE)
        self._allowance -= len(data)
        self._since = now
        try:
            events = self.connection.receive_data(data)
        except h2.exceptions.ProtocolError:
            await self._flush()
            return False
        await self._handle_events(events)
        if self._is_frame_too_large():
            self.connection.close_connection(ErrorCodes.FRAME_SIZE_ERROR)
            await self._flush()
            return False
        if self._allowance < 0:
            await self._go_away(ErrorCodes.ENHANCE_YOUR_CALM)
            return False
        return True

    def _allow(self, size: float) -> None:
        """Something was moved, or time has passed."""
        self._allowance = min(self._allowance + size, ALLOWANCE)

    def _is_frame_too_large(self) -> bool:
        # h2 notices only when all of the frame has come, which may be 16 MiB.
        pending = self.connection.incoming_buffer._data
        return len(pending) >= 9 and int.from_bytes(pending[:3]) > self.connection.max_inbound_frame_size

    async def _handle_events(self, events: list[h2.events.Event]) -> None:
        for event in events:
            if self.closed:
                return
            match event:
                case h2.events.RequestReceived():
                    await self._begin_request(event)
                case h2.events.DataReceived():
                    await self._take(event)
                case h2.events.StreamEnded(stream_id=int(stream_id)):
                    self._discarding.pop(stream_id, None)
                    if stream_id in self.streams:
                        await self.streams[stream_id].handle(EndBody(stream_id=stream_id))
                case h2.events.StreamReset(stream_id=int(stream_id)):
                    await self._was_reset(stream_id)
                case h2.events.WindowUpdated():
                    self._window_has_moved()
                case h2.events.RemoteSettingsChanged():
                    encoder = self.connection.encoder
                    if encoder.header_table_size > TABLE_BYTES:
                        encoder.header_table_size = TABLE_BYTES
                    self._window_has_moved()
                case h2.events.ConnectionTerminated():
                    await self.send(Closed())
                    return
        await self._flush()

    async def _begin_request(self, event: h2.events.RequestReceived) -> None:
        assert event.stream_id is not None
        if self._takes_no_more or self.task_group.requests >= STREAMS:
            self._reset(event.stream_id, ErrorCodes.REFUSED_STREAM)
            await self._count_reset()
            return
        self._had_request = True
        self._allow(256 + sum(len(name) + len(value) for name, value in event.headers or ()))
        await self._create_stream(event)
        if self.streams:
            await self.send(Updated(idle=False))

    async def _take(self, event: h2.events.DataReceived) -> None:
        assert event.stream_id is not None and event.data is not None
        stream = self.streams.get(event.stream_id)
        if stream is not None or event.stream_id in self._discarding:
            self._allow(1.25 * len(event.data))  # a frame of some ten bytes is free, one of a few is not
        padding = (event.flow_controlled_length or 0) - len(event.data)
        if stream is None:
            self._acknowledge(event.flow_controlled_length or 0, event.stream_id)
            self._discard(event.stream_id, len(event.data))
            return
        if padding:
            self._acknowledge(padding, event.stream_id)
        if event.data:
            await stream.handle(Body(stream_id=event.stream_id, data=event.data))

    def _discard(self, stream_id: int, size: int) -> None:
        if stream_id not in self._discarding:
            return
        self._discarding[stream_id] -= size
        if self._discarding[stream_id] < 0:
            del self._discarding[stream_id]
            self._reset(stream_id, ErrorCodes.NO_ERROR)

    def _acknowledge(self, size: int, stream_id: int) -> None:
        try:
            self.connection.acknowledge_received_data(size, stream_id)
        except h2.exceptions.ProtocolError:
            pass  # the connection has ended, and its windows with it

    async def _was_reset(self, stream_id: int) -> None:
        self._discarding.pop(stream_id, None)
        await self._is_done(stream_id)
        self._window_has_moved()
        await self._count_reset()

    async def _count_reset(self) -> None:
        self._resets += 1
        if self._resets > max(RESETS, self._finished):
            await self._go_away(ErrorCodes.ENHANCE_YOUR_CALM)
            await self.send(Closed())

    # One request.

    async def _create_stream(self, request: h2.events.RequestReceived) -> None:
        assert request.stream_id is not None
        stream_id, headers = request.stream_id, [(bytes(n), bytes(v)) for n, v in request.headers or ()]
        pseudo = {name: value for name, value in headers if name[:1] == b":"}
        method = pseudo.get(b":method", b"")
        is_websocket = method == b"CONNECT" and pseudo.get(b":protocol") == b"websocket"
        path = pseudo.get(b":path", b"")
        fields = filter_pseudo_headers(headers)
        flaw = flaw_of_parts(b"GET" if is_websocket else method, path, fields, self.context.settings)
        if flaw is not None:
            # In a task of its own: the reader must not wait for a window that only it can see grow.
            self.task_group.spawn(self._refuse, stream_id, flaw)
            return
        inbox = Inbox(lambda size: self._acknowledge(size, stream_id), self._flush)
        kind: type[HttpStream | WebSocketStream] = WebSocketStream if is_websocket else HttpStream
        stream: HttpStream | WebSocketStream = stream_of(kind, self, stream_id)
        stream.adopt(inbox, has_body=request.stream_ended is None)
        if any(name == b"expect" and value.lower() == b"100-continue" for name, value in fields):
            inbox.on_wanted = lambda: self._go_on(stream_id)
        self.streams[stream_id] = stream
        await stream.handle(
            Request(
                stream_id=stream_id,
                headers=fields,
                http_version="2",
                method=method.decode("ascii"),
                raw_path=path,
                state=self.connection_state,
            )
        )

    async def _go_on(self, stream_id: int) -> None:
        try:
            self.connection.send_headers(stream_id, [(b":status", b"100")])
        except _CLOSED:
            return
        await self._flush()

    async def _refuse(self, stream_id: int, refusal: Refusal) -> None:
        site = self.context.site
        answer = site.refuse(refusal.status, refusal.tamil, refusal.english, None, **refusal.extra)
        body = answer.body if isinstance(answer.body, bytes) else b""
        headers = [*answer.headers, (b"content-length", b"%d" % len(body))]
        self._finished += 1
        try:
            self._send_head(stream_id, answer.status, headers)
            await self._send_frames(stream_id, body)
            self.connection.end_stream(stream_id)
            self._discarding[stream_id] = DISCARDED
        except _CLOSED:
            pass  # it was reset meanwhile
        await self._flush()
        site.done(None, answer.status, len(body))

    async def _close_stream(self, stream_id: int) -> None:
        stream = self.streams.pop(stream_id, None)
        if stream is None:
            return
        has_answered = stream_id in self._answered
        self._answered.discard(stream_id)
        await stream.handle(StreamClosed(stream_id=stream_id))
        if self.closed:
            return
        if not has_answered:
            self._reset(stream_id, ErrorCodes.INTERNAL_ERROR)
        elif not stream.inbox.has_ended and stream_id in self.connection.streams:
            self._discarding[stream_id] = DISCARDED

    def _reset(self, stream_id: int, code: ErrorCodes) -> None:
        """End a stream that is still open on one side."""
        stream = self.connection.streams.get(stream_id)
        if stream is None or stream.closed:
            return
        try:
            self.connection.reset_stream(stream_id, code)
        except h2.exceptions.ProtocolError:
            pass  # the connection has ended, and the stream with it

    # Writing.

    async def stream_send(self, event: StreamEvent) -> None:
        stream_id = event.stream_id
        try:
            if isinstance(event, Response):
                self._send_head(stream_id, event.status_code, event.headers)
                if not any(name.lower() == b"content-length" for name, _ in event.headers):
                    await self._flush()
            elif isinstance(event, (Body, Data)):
                await self._send_frames(stream_id, event.data)
            elif isinstance(event, Last):
                await self._send_last(stream_id, event.data)
            elif isinstance(event, (EndBody, EndData)):
                self.connection.end_stream(stream_id)
                self._has_answered(stream_id)
                await self._flush()
            elif isinstance(event, StreamClosed):
                await self._is_done(stream_id)
        except _CLOSED:
            return  # the client has reset the stream, or left

    def _send_head(self, stream_id: int, status: int, headers: Headers) -> None:
        self.connection.send_headers(
            stream_id,
            [(b":status", b"%d" % status)]
            + [(name.lower(), value) for name, value in headers if name.lower() not in _OF_CONNECTIONS]
            + self.config.response_headers("h2"),
        )

    async def _send_last(self, stream_id: int, data: bytes) -> None:
        stream = self.streams.get(stream_id)
        if data:
            await self._send_frames(stream_id, data, is_last=True)
        else:
            self.connection.end_stream(stream_id)
            self._has_answered(stream_id)
            await self._flush()
        if self._has_failed and stream is not None:
            stream.inbox.is_cut = True

    def _has_answered(self, stream_id: int) -> None:
        self._answered.add(stream_id)
        self._finished += 1
        stream = self.streams.get(stream_id)
        if isinstance(stream, HttpStream):
            stream.is_whole = not self._has_failed

    async def _send_frames(self, stream_id: int, data: bytes, *, is_last: bool = False) -> None:
        view, at = memoryview(data), 0
        deadline = self._write_deadline()
        while at < len(view):
            stream = self.connection.streams.get(stream_id)
            if self.closed or stream is None or stream.closed:
                return
            window = self._window
            size = min(
                self.connection.local_flow_control_window(stream_id),
                self.connection.max_outbound_frame_size,
                len(view) - at,
            )
            if size > 0:
                ends = is_last and at + size == len(view)
                self.connection.send_data(stream_id, bytes(view[at : at + size]), end_stream=ends)
                at += size
                self._allow(size / 16)  # the client gives back windows for it
                if ends:
                    self._has_answered(stream_id)
                await self._flush()
                deadline = self._write_deadline()
            elif trio.current_time() < deadline:
                await self._flush()  # the head of the answer, which was to go with these
                with trio.move_on_at(deadline):
                    await window.wait()
            else:
                self._reset(stream_id, ErrorCodes.CANCEL)
                await self._is_done(stream_id)
                return

    def _write_deadline(self) -> float:
        return trio.current_time() + self.context.settings.write_seconds

    def _window_has_moved(self) -> None:
        self._window.set()
        self._window = trio.Event()

    async def _is_done(self, stream_id: int) -> None:
        await self._close_stream(stream_id)
        await self._flush()
        if not self.streams:
            # Also at the end of the service: the client, which knows that it is near, has a moment to close.
            await self.send(Updated(idle=True))


def _pieces(data: bytes) -> Iterator[bytes]:
    return (data[at : at + READ_BYTES] for at in range(0, len(data), READ_BYTES))


_OF_CONNECTIONS: Final = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade")
)
