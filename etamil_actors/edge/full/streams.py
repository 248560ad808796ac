"""One HTTP request on a connection: Hypercorn's stream, with our inbox and our reading of the target.

The end of an answer goes to the protocol together with the last of its bytes (``Last``). A client may leave
as soon as it has got them, and that is heard of before the sender has its next turn; whether the answer was
whole is then known from what was handed over.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from hypercorn.protocol.events import Body, EndBody, Event, Request, Response, StreamClosed
from hypercorn.protocol.http_stream import ASGIHTTPState, HTTPStream
from hypercorn.typing import HTTPScope
from hypercorn.utils import build_and_validate_headers, suppress_body

from etamil_actors.edge.full.guarded import Tasks
from etamil_actors.edge.full.inbox import Inbox

EXTENSION: Final = "etamil"
"""Under this name the scope of ASGI tells our application about framing."""

Send = Callable[[Any], Awaitable[None]]


@dataclass(frozen=True)
class Last(Event):
    """The last bytes of an answer, or none, and its end."""

    data: bytes


def stream_of(kind: Callable[..., Any], protocol: Any, stream_id: int) -> Any:
    """A stream on a protocol; both of Hypercorn's kinds are made in the same way."""
    return kind(
        protocol.app,
        protocol.config,
        protocol.context,
        protocol.task_group,
        protocol.ssl,
        protocol.client,
        protocol.server,
        protocol.stream_send,
        stream_id,
    )


def scope_of(kind: str, event: Request, scheme: str, client: Any, extensions: dict[str, Any]) -> Any:
    """What ASGI tells an application of a request. The path stays as it was sent; the site reads it."""
    path, _, query = event.raw_path.partition(b"?")
    return {
        "type": kind,
        "asgi": {"spec_version": "2.3", "version": "3.0"},
        "http_version": event.http_version,
        "method": event.method,
        "scheme": scheme,
        "path": path.decode("latin-1"),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": event.headers,
        "client": client,
        "server": None,
        "subprotocols": [],
        "state": {},
        "extensions": extensions,
        "target": event.raw_path,
    }


class HttpStream(HTTPStream):
    """See the top of the file."""

    task_group: Tasks
    inbox: Inbox
    has_body: bool
    is_whole = False
    """Has all of the answer been handed to the connection?"""

    def adopt(self, inbox: Inbox, *, has_body: bool) -> None:
        """Take what the client sends from there on into this inbox."""
        self.inbox = inbox
        self.has_body = has_body

    def hang_up(self) -> bool:
        """The client sends nothing more. Does it still get an answer?"""
        if not self.inbox.has_ended:
            return False
        self.inbox.hang_up()
        return True

    async def handle(self, event: Event) -> None:
        if self.closed:
            return
        if isinstance(event, Request):
            self.start_time = 0.0
            extensions = {EXTENSION: {"has_body": self.has_body}}
            scope: HTTPScope = scope_of("http", event, self.scheme, self.client, extensions)
            self.scope = scope
            self.task_group.spawn_request(self.app, scope, self.inbox, self.app_send)  # type: ignore[arg-type]
        elif isinstance(event, Body):
            await self.inbox.put(event.data)
        elif isinstance(event, EndBody):
            self.inbox.end()
        elif isinstance(event, StreamClosed):
            self.closed = True
            self.inbox.is_cut = not self.is_whole
            self.inbox.leave()

    async def app_send(self, message: Any) -> None:
        if message is None:
            self.inbox.close()
            await super().app_send(message)
        elif message["type"] == "http.response.start":
            await self._send_start(message)
        elif not message.get("more_body", False):
            await self._send_last(message["body"])
        else:
            await super().app_send(message)

    async def _send_start(self, message: Any) -> None:
        headers = build_and_validate_headers(message["headers"])
        self.response = message
        # Before it is sent: whoever is cancelled meanwhile has sent a head, and no other can follow.
        self.state = ASGIHTTPState.RESPONSE
        await self.send(
            Response(stream_id=self.stream_id, headers=headers, status_code=int(message["status"]))
        )

    async def _send_last(self, data: bytes) -> None:
        if suppress_body(self.scope["method"], int(self.response["status"])):
            data = b""
        await self.send(Last(stream_id=self.stream_id, data=data))
        self.state = ASGIHTTPState.CLOSED
        await self.send(StreamClosed(stream_id=self.stream_id))
