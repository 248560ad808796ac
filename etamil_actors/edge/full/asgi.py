"""The application of the full lane: what ASGI tells becomes a request to the site, and its answer ASGI again.

It is plain ASGI, not Quart, for two reasons. Quart takes a body into memory as fast as it comes, and cancels
a handler when its client leaves; here a body is read when the site asks for it, and a handler ends when the
site says so. And between a plain application and Quart is half of the time of a small request. What Quart is
for are the pages made for people (``pages.py``).

A request is done exactly once, whatever happens: answered, refused, cut.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

import trio

from etamil_actors.actors.programs.exchange import Headers, PeerGoneError, Sink
from etamil_actors.edge.exchange import BodyError, FileBody, Outgoing
from etamil_actors.edge.full.context import SiteOfLane
from etamil_actors.edge.full.inbox import PIECE, Inbox
from etamil_actors.edge.full.streams import EXTENSION
from etamil_actors.edge.full.websocket import (
    FOREIGN_ORIGIN,
    WebSocketLive,
    WebSocketStream,
    is_origin_allowed,
)
from etamil_actors.edge.heads import Refusal
from etamil_actors.edge.request import HttpRequest

Send = Callable[[Any], Awaitable[None]]

BROKEN_BODY: Final = (
    "கோரிக்கையின் உடலுரையைப் படிக்க முடியவில்லை; அது முழுமையாகவோ சரியாகவோ வரவில்லை.",
    "The body of the request cannot be read; it came incomplete or malformed.",
)
SLOW_BODY: Final = (
    "கோரிக்கையின் உடலுரை நேரத்துக்குள் வந்து சேரவில்லை; மீண்டும் அனுப்பவும்.",
    "The body of the request did not arrive in time; please send it again.",
)
FAILED: Final = Refusal(
    500,
    "இயக்கியில் ஒரு பிழை ஏற்பட்டது; அது பதிவில் உள்ளது. தயவுசெய்து பிறகு முயலவும்.",
    "Something went wrong in the runtime itself; the log tells more. Please try again later.",
)


class LaneExchange:
    """One request on its connection (``Exchange``)."""

    def __init__(
        self, site: SiteOfLane, inbox: Inbox, answer: Answer, fields: Headers, *, has_body: bool
    ) -> None:
        self.has_body = has_body
        self.length = _length_of(fields) if has_body else 0
        self._site = site
        self._inbox = inbox
        self._answer = answer
        self._waited = 0.0
        self._received = 0

    def whole(self) -> bytes | None:
        """See ``Exchange``."""
        return None

    async def read(self) -> bytes:
        """The next piece of the body; empty at its end. Raises: BodyError; PeerGoneError."""
        if not self.has_body:
            return b""
        settings = self._site.settings
        patience = settings.body_seconds + self._received / settings.body_rate - self._waited
        began = trio.current_time()
        with trio.CancelScope(deadline=began + patience):
            piece = await self._inbox.take()
            # What the site does with it meanwhile does not make its client slow.
            self._waited += trio.current_time() - began
            self._received += len(piece)
            if piece or self._inbox.has_ended:
                return piece
            if self._inbox.is_broken:
                raise BodyError(400, *BROKEN_BODY)
            raise PeerGoneError("the client left in the middle of its request")
        raise BodyError(408, *SLOW_BODY)

    def sink(self) -> Sink:
        """For answers that are sent as they are made."""
        return self._answer

    async def wait_gone(self) -> None:
        """Wait until the client has left."""
        await self._inbox.gone.wait()


def _length_of(fields: Headers) -> int | None:
    for name, value in fields:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return None


class Answer:
    """The answer to one request, by messages of ASGI (``Sink``)."""

    def __init__(self, site: SiteOfLane, inbox: Inbox, send: Send, scope: Any) -> None:
        self._site = site
        self._inbox = inbox
        self._send = send
        self._kind = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
        self._can_say_close = scope["http_version"] != "2"
        self._is_head = scope["method"] == "HEAD"
        self._is_websocket = scope["type"] == "websocket"
        self.is_open = False
        self.status = 0
        self.sent = 0

    async def open(self, status: int, headers: Headers, *, closes: bool = False) -> None:
        """Send the head. Raises: PeerGoneError."""
        self._check()
        self.is_open = True
        self.status = status
        if self._can_say_close and (closes or self._is_websocket):
            headers = [*headers, (b"connection", b"close")]
        await self._send({"type": f"{self._kind}.start", "status": status, "headers": headers})

    async def send(self, data: bytes) -> None:
        """Send a piece, waiting while the client is slow. Raises: PeerGoneError."""
        if self._is_head:
            return
        for piece in _pieces(data):
            # What is sent is shielded, so a handler that only sends would never notice its end.
            await trio.lowlevel.checkpoint_if_cancelled()
            self._check()
            await self._send({"type": f"{self._kind}.body", "body": piece, "more_body": True})
            self.sent += len(piece)
        self._check()

    async def end(self, data: bytes = b"") -> None:
        """All has been sent, with these last bytes. Raises: PeerGoneError, the client left before them."""
        if data:
            self._check()
        await self._send({"type": f"{self._kind}.body", "body": data, "more_body": False})
        self.sent += len(data)

    async def give(self, outgoing: Outgoing) -> None:
        """Send a whole answer. Raises: PeerGoneError."""
        headers = outgoing.headers
        if outgoing.length is not None:
            headers = [*headers, (b"content-length", b"%d" % outgoing.length)]
        body = outgoing.body
        try:
            await self.open(outgoing.status, headers, closes=outgoing.closes)
            if self._is_head:
                await self.end()
            elif isinstance(body, bytes):
                begin = max(0, len(body) - 1) // PIECE * PIECE
                await self.send(body[:begin])
                await self.end(body[begin:])
            else:
                await self._send_file(body)
        finally:
            if not isinstance(body, bytes):
                body.close()

    async def _send_file(self, body: FileBody) -> None:
        at, end = body.start, body.start + body.length
        while at < end:
            piece = await body.read(at, min(PIECE, end - at))
            if not piece:
                raise PeerGoneError("the file became shorter while it was sent")
            at += len(piece)
            if at < end:
                await self.send(piece)
            else:
                await self.end(piece)
        if not body.length:
            await self.end()

    def _check(self) -> None:
        if self._inbox.is_deaf:
            raise PeerGoneError("the client has left")


def _pieces(data: bytes) -> Iterator[bytes]:
    if len(data) <= PIECE:
        if data:
            yield data
        return
    view = memoryview(data)
    for at in range(0, len(data), PIECE):
        yield bytes(view[at : at + PIECE])


class LaneApplication:
    """See the top of the file."""

    def __init__(self, site: SiteOfLane) -> None:
        self._site = site

    async def __call__(self, scope: Any, inbox: Inbox, send: Send) -> None:
        facts = scope["extensions"][EXTENSION]
        answer = Answer(self._site, inbox, send, scope)
        refusal = facts.get("flaw")
        if refusal is not None:
            await self._refuse(refusal, answer, scope["client"][0])
            return
        request = self._request_of(scope, inbox, answer, facts)
        if scope["type"] == "websocket" and self._site.wants_upgrade(request):
            await self._live(request, facts["websocket"], answer)
        else:
            await self._answer(request, answer, inbox)

    def _request_of(self, scope: Any, inbox: Inbox, answer: Answer, facts: dict[str, Any]) -> HttpRequest:
        fields = scope["headers"]
        exchange = LaneExchange(self._site, inbox, answer, fields, has_body=facts.get("has_body", False))
        is_websocket = scope["type"] == "websocket"
        return HttpRequest(
            "GET" if is_websocket else scope["method"],
            scope["target"],
            fields,
            exchange,
            arrived=trio.current_time(),
            client=scope["client"][0],
            scheme=scope["scheme"],
            version=scope["http_version"],
        )

    async def _answer(self, request: HttpRequest, answer: Answer, inbox: Inbox) -> None:
        is_complete = False
        try:
            await self._ask(request, answer)
            is_complete = True
        except PeerGoneError:
            pass  # whom to tell?
        finally:
            is_cut = inbox.is_cut or not is_complete
            self._site.done(request, answer.status, answer.sent, is_cut=is_cut)

    async def _ask(self, request: HttpRequest, answer: Answer) -> None:
        try:
            begun = self._site.begin(request)
            outgoing = begun if isinstance(begun, Outgoing) else await begun
        except PeerGoneError:
            raise
        except Exception as problem:  # the site answers for its routes; this is our own
            self._site.failed(problem, request)
            if answer.is_open:
                raise PeerGoneError("the answer broke off") from problem
            outgoing = self._refusal(FAILED, request)
        if outgoing is not None:
            await answer.give(outgoing)
        elif answer.is_open:
            await answer.end()

    def _refusal(self, refusal: Refusal, request: HttpRequest | None = None) -> Outgoing:
        return self._site.refuse(refusal.status, refusal.tamil, refusal.english, request, **refusal.extra)

    async def _refuse(self, refusal: Refusal, answer: Answer, peer: str) -> None:
        outgoing = self._refusal(refusal)
        if refusal.status == 426:
            outgoing.headers.append((b"sec-websocket-version", b"13"))
        is_cut = True
        try:
            await answer.give(outgoing)
            is_cut = False
        except PeerGoneError:
            pass  # whom to tell?
        finally:
            self._site.done(None, outgoing.status, answer.sent, is_cut=is_cut, peer=peer)

    # WebSockets.

    async def _live(self, request: HttpRequest, stream: WebSocketStream, answer: Answer) -> None:
        fields = dict(request.fields)
        if not is_origin_allowed(
            fields.get(b"origin"),
            fields.get(b"host"),
            request.scheme,
            self._site.settings.cors.origins,
            has_cookies=b"cookie" in fields,
        ):
            await self._refuse(FOREIGN_ORIGIN, answer, request.client)
            return
        live = WebSocketLive(stream)
        request.live = live
        is_complete = False
        try:
            await self._serve_live(request, live, answer)
            is_complete = True
        except PeerGoneError:
            pass  # whom to tell?
        finally:
            status, sent = (101, live.sent) if live.is_accepted else (answer.status, answer.sent)
            is_cut = not is_complete or stream.inbox.is_cut
            self._site.done(request, status, sent, is_cut=is_cut)

    async def _serve_live(self, request: HttpRequest, live: WebSocketLive, answer: Answer) -> None:
        try:
            outgoing = await self._site.live(request)
        except PeerGoneError:
            raise
        except Exception as problem:  # noqa: BLE001  the site answers for its routes; this is our own
            self._site.failed(problem, request)
            await live.close(1011)
            outgoing = self._refusal(FAILED, request)
        if live.is_accepted:
            await live.close()
        else:
            await answer.give(outgoing or self._refusal(FAILED, request))
