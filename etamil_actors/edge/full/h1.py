"""HTTP/1.1 of the full lane: Hypercorn's protocol on h11, with our judgement before and our words after.

A head is gathered here and read by the reader of the fast lane (``fast/head.py``) before h11 sees it; each
request gets an h11 connection of its own, which what was pipelined behind the request is handed on to. So h11
never decides where a request begins, nor what is one.

An answer says ``Connection: close`` when nothing can follow: while the service ends, unless the next request
has come already, and when the client still has to send what nobody will read.

``Upgrade: h2c`` is never followed: nothing has to be upgraded, and a proxy that forwards the header would be
passed by. A client that begins with HTTP/2 in the clear is served only when the settings say so.
"""

from __future__ import annotations

from http import HTTPStatus
from itertools import chain
from typing import Any, Final, cast

import h11
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.events import Body, Data, EndBody, Request, Response
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol, H11WSConnection

from etamil_actors.edge.exchange import Outgoing
from etamil_actors.edge.fast.head import END, PREFACE, Head, blank_bytes, check_start, read_head
from etamil_actors.edge.full.context import LaneContext
from etamil_actors.edge.full.guarded import Phase, SpeaksHttp2Error, Tasks
from etamil_actors.edge.full.inbox import Inbox
from etamil_actors.edge.full.streams import HttpStream, Last, stream_of
from etamil_actors.edge.full.websocket import WebSocketStream
from etamil_actors.edge.heads import NOT_UNDERSTOOD, HeadError, Refusal, too_slow

REASONS: Final = {status.value: status.phrase.encode() for status in HTTPStatus}

_LINE_ENDS: Final = b"\r\n"


_Written = h11.Response | h11.InformationalResponse | h11.Data | h11.EndOfMessage


class GuardedH11(H11Protocol):
    """See the top of the file."""

    context: LaneContext  # type: ignore[assignment]
    task_group: Tasks
    stream: HttpStream | WebSocketStream | None

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._head = bytearray()
        self._seen = 0
        """So much of it has been looked at."""
        self._request = Head()
        """The head of the request at hand, as our reader has it."""
        self._held = b""
        """A head that waits for the body, so that both go in one packet."""
        self._had_request = False
        self._has_refused = False
        self._has_hung_up = False
        self._has_failed = False

    # What the connection asks.

    @property
    def phase(self) -> Phase:
        if self.stream is not None:
            return Phase.BUSY
        if self._head and self._head[0] not in _LINE_ENDS:
            return Phase.HEAD
        return Phase.IDLE if self._had_request else Phase.FRESH

    def lingers(self, has_more: bool) -> bool:
        return has_more or self._has_refused or self.connection.their_state in (h11.SEND_BODY, h11.ERROR)

    async def is_late(self, phase: Phase) -> bool:
        if phase is Phase.HEAD:
            await self._refuse(too_slow(self.context.settings))
        return phase is Phase.HEAD

    def hang_up(self) -> bool:
        self._has_hung_up = True
        return isinstance(self.stream, HttpStream) and self.stream.hang_up()

    def abandon(self) -> None:
        pass  # here nobody waits but for the connection itself

    def fail(self) -> None:
        self._has_failed = True
        if isinstance(self.stream, HttpStream):
            self.stream.is_whole = False

    async def goodbye(self) -> None:
        if isinstance(self.stream, WebSocketStream):
            await self.stream.goodbye()

    async def last_call(self) -> None:
        pass  # an answer says that it is the last

    # Reading.

    async def handle(self, event: Event) -> None:
        if isinstance(event, RawData):
            if self.stream is None:
                self._head += event.data
            elif event.data:
                self.connection.receive_data(event.data)
            await self._handle_events()
        elif isinstance(event, Closed):
            await self._close_stream()

    async def _handle_events(self) -> None:
        while not self._has_refused:
            if self.stream is None and not await self._begin_request():
                return
            try:
                event = self.connection.next_event()
            except h11.RemoteProtocolError as error:
                await self._is_broken(error)
                return
            if isinstance(event, h11.Request):
                self._had_request = True
                await self.send(Updated(idle=False))
                await self._create_stream(event)
            elif event is h11.PAUSED:
                await self.can_read.clear()
                await self.can_read.wait()
            elif event is h11.NEED_DATA or isinstance(event, h11.ConnectionClosed):
                return
            elif self.stream is not None:
                await self._pass_on(event)

    async def _pass_on(self, event: object) -> None:
        assert self.stream is not None
        if isinstance(event, h11.Data):
            await self.stream.handle(Body(stream_id=STREAM_ID, data=bytes(event.data)))
        elif isinstance(event, h11.EndOfMessage):
            await self.stream.handle(EndBody(stream_id=STREAM_ID))
        elif isinstance(event, Data):
            await self.stream.handle(event)

    async def _begin_request(self) -> bool:
        """Judge the head that has come so far. Is it complete, and h11's turn?"""
        try:
            head = self._read_head()
        except HeadError as error:
            await self._refuse(error.refusal)
            return False
        if head is None:
            return False
        self._request = head
        self.connection = h11.Connection(
            h11.SERVER, max_incomplete_event_size=2 * self.context.settings.header_bytes
        )
        self.connection.receive_data(bytes(self._head))
        self._head.clear()
        self._seen = 0
        return True

    def _read_head(self) -> Head | None:
        """Raises: HeadError; SpeaksHttp2Error."""
        data = self._head
        if data and data[0] in _LINE_ENDS:
            blank = blank_bytes(data)
            if blank < len(data):
                del data[:blank]
        if not data or data[0] in _LINE_ENDS:
            return None
        end = data.find(END, max(0, self._seen - 3))
        if end < 0:
            check_start(data, self._seen, self.context.settings, is_secured=self.ssl)
            self._seen = len(data)
            return None
        raw = bytes(data[: end + len(END)])
        if raw == PREFACE and self._may_speak_http2:
            raise SpeaksHttp2Error(bytes(data))
        return read_head(raw, self.context.settings)

    @property
    def _may_speak_http2(self) -> bool:
        return self.context.settings.http2 == "cleartext" and not self.ssl and not self._had_request

    async def _is_broken(self, error: h11.RemoteProtocolError) -> None:
        if self.stream is None:
            await self._refuse(NOT_UNDERSTOOD)
        elif isinstance(self.stream, HttpStream):
            # Whoever reads the body tells the client; an answer that does not need it is not spoilt.
            self.stream.inbox.break_off()
            await self.can_read.clear()
            await self.can_read.wait()

    # One request.

    async def _create_stream(self, request: h11.Request) -> None:
        has_body = self._request.length > 0 or self._request.is_chunked
        kind: type[HttpStream | WebSocketStream] = HttpStream
        if self._request.upgrades:
            if has_body:
                await self._refuse(NOT_UNDERSTOOD)
                return
            kind = WebSocketStream
            self.connection = H11WSConnection(cast("h11.Connection", self.connection))
        inbox = Inbox()
        stream: HttpStream | WebSocketStream = stream_of(kind, self, STREAM_ID)
        self.stream = stream
        stream.adopt(inbox, has_body=has_body)
        if kind is HttpStream:
            inbox.on_wanted = self._go_on
        await stream.handle(
            Request(
                stream_id=STREAM_ID,
                headers=list(request.headers),
                http_version=request.http_version.decode(),
                method=request.method.decode("ascii"),
                raw_path=request.target,
                state=self.connection_state,
            )
        )

    async def _go_on(self) -> None:
        if self.connection.they_are_waiting_for_100_continue:
            await self._send_h11_event(
                h11.InformationalResponse(status_code=100, headers=[], reason=REASONS[100])
            )

    async def _maybe_recycle(self) -> None:
        connection = self.connection
        await self._close_stream()
        ends = (
            self._has_hung_up
            or connection.our_state is not h11.DONE
            or connection.their_state is not h11.DONE
        )
        if ends:
            await self.can_read.set()
            await self.send(Closed())
            return
        self._head += connection.trailing_data[0]
        await self.can_read.set()
        await self.send(Updated(idle=True))

    # Writing.

    async def stream_send(self, event: StreamEvent) -> None:
        if isinstance(event, Response):
            await self._send_head(event)
        elif isinstance(event, Last):
            await self._send_last(event.data)
        elif isinstance(event, Body):
            await self._send_with_held(self._written(h11.Data(data=event.data)))
        elif isinstance(event, EndBody):
            await self._send_with_held(self._written(h11.EndOfMessage()))
        else:
            await super().stream_send(event)

    async def _send_head(self, event: Response) -> None:
        headers = list(chain(event.headers, self.config.response_headers("h11")))
        if self._is_last_answer:
            headers.append((b"connection", b"close"))
        kind = h11.Response if event.status_code >= 200 else h11.InformationalResponse
        head = self._written(
            kind(status_code=event.status_code, headers=headers, reason=REASONS.get(event.status_code, b""))
        )
        if any(name.lower() == b"content-length" for name, _ in event.headers):
            self._held = head
        else:
            await self.send(RawData(head))

    @property
    def _is_last_answer(self) -> bool:
        """Will there be no other on this connection, by what we know and the client does not?"""
        connection = self.connection
        if isinstance(connection, H11WSConnection):
            return False
        if connection.their_state is h11.SEND_BODY:
            return True
        return self.context.site.is_draining and END not in connection.trailing_data[0]

    async def _send_last(self, data: bytes) -> None:
        last = self._written(h11.Data(data=data)) if data else b""
        last += self._written(h11.EndOfMessage())
        stream = self.stream
        if isinstance(stream, HttpStream):
            stream.is_whole = not self._has_failed
        await self._send_with_held(last)
        if self._has_failed and isinstance(stream, HttpStream):
            stream.inbox.is_cut = True

    def _written(self, event: _Written) -> bytes:
        return bytes(self.connection.send(event) or b"")

    async def _send_with_held(self, data: bytes) -> None:
        held, self._held = self._held, b""
        if held or data:
            await self.send(RawData(held + data if held else data))

    async def _refuse(self, refusal: Refusal) -> None:
        """Answer what is no request, and end the connection."""
        self._has_refused = True
        self._head.clear()
        site = self.context.site
        answer = site.refuse(refusal.status, refusal.tamil, refusal.english, None, **refusal.extra)
        await self.send(RawData(_framed(answer, self.config.response_headers("h11"))))
        site.done(None, answer.status, len(answer.body) if isinstance(answer.body, bytes) else 0)
        await self.send(Closed())


def _framed(answer: Outgoing, more: list[tuple[bytes, bytes]]) -> bytes:
    connection = h11.Connection(h11.SERVER)
    body = answer.body if isinstance(answer.body, bytes) else b""
    headers = [
        *answer.headers,
        *more,
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    ]
    head = connection.send(
        h11.Response(status_code=answer.status, headers=headers, reason=REASONS.get(answer.status, b""))
    )
    return bytes(head or b"") + body
