"""Servers for the tests of the web client: real ones on loopback, and the same as simulated ones.

A server is a table of functions, or of answers. The real one speaks just enough HTTP/1.1, over sockets, and
keeps connections open as long as it is let; what is to go wrong on the way is written out byte by byte.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import trio

from etamil_actors.ports.web import WebAnswer, WebSettings
from etamil_actors.resources.web import SystemWeb
from etamil_actors.resources.web.client import WebClient
from etamil_actors.resources.web.simulated import Answer, Answering, Asked, SimulatedWeb

Table = Mapping[str, Answering]
"""By path."""


class Server:
    """A real server. ``hold`` keeps every answer back until it is set."""

    def __init__(self, table: Table, *, tls: ssl.SSLContext | None = None) -> None:
        self.table = table
        self.asked: list[Asked] = []
        self.connections = 0
        """How many came."""
        self.busy = 0
        self.most_busy = 0
        """How many requests were at work at one time."""
        self.ended: list[str] = []
        """How connections ended: by ``them`` (a goodbye), ``cut``, or by ``us``."""
        self.hold = trio.Event()
        self.hold.set()
        self.arrived = trio.Event()
        self.port = 0
        self._tls = tls

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Server]:
        """Serve for the length of a block."""
        async with trio.open_nursery() as nursery:
            (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
            self.port = listener.socket.getsockname()[1]
            wrapped: Any = (
                trio.SSLListener(listener, self._tls, https_compatible=True) if self._tls else listener
            )
            nursery.start_soon(trio.serve_listeners, self._serve, [wrapped])
            yield self
            nursery.cancel_scope.cancel()

    async def _serve(self, stream: Any) -> None:
        self.connections += 1
        reader = Reader(stream)
        try:
            while await self._answer(reader, stream):
                pass
        except trio.BrokenResourceError:
            self.ended.append("cut")
        else:
            self.ended.append("them" if reader.is_over else "us")
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
                await trio.aclose_forcefully(stream)

    async def _answer(self, reader: Reader, stream: Any) -> bool:
        asked = await reader.request()
        if asked is None:
            return False
        self.asked.append(asked)
        self.arrived.set()
        self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)
        try:
            await self.hold.wait()
            answer = await made(self.table.get(asked.url.partition("?")[0], Answer(404)), asked)
        finally:
            self.busy -= 1
        body = answer.body.encode() if isinstance(answer.body, str) else answer.body
        names = {name.lower() for name, _ in answer.headers}
        lines = [f"{name}: {value}" for name, value in answer.headers]
        if "content-length" not in names and answer.status not in (204, 304):
            lines.append(f"Content-Length: {len(body)}")
        head = "\r\n".join((f"HTTP/1.1 {answer.status} Fine", *lines, "", "")).encode()
        await stream.send_all(head + (b"" if asked.method == "HEAD" else body))
        return "connection" not in names


class Reader:
    """Reads requests."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.is_over = False
        self._data = b""

    async def request(self) -> Asked | None:
        """The next one; nothing when there is none."""
        while b"\r\n\r\n" not in self._data:
            if not await self._more():
                return None
        head, _, self._data = self._data.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        method, target, _ = first.split(" ")
        pairs = [line.split(": ", 1) for line in lines]
        headers = {name.lower(): value for name, value in pairs}
        length = int(headers.get("content-length", 0))
        while len(self._data) < length:
            if not await self._more():
                return None
        body, self._data = self._data[:length], self._data[length:]
        return Asked(method, target, headers, body)

    async def _more(self) -> bool:
        data = await self.stream.receive_some(65536)
        self._data += data
        self.is_over = not data
        return bool(data)


async def made(answering: Answering, asked: Asked) -> Answer:
    """What is answered."""
    if callable(answering):
        answer = answering(asked)
        return answer if isinstance(answer, Answer) else await answer
    assert isinstance(answering, Answer)
    return answering


@asynccontextmanager
async def raw_server(serve: Callable[[trio.SocketStream], Awaitable[None]]) -> AsyncIterator[str]:
    """A server that is written out byte by byte."""
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listener.socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        yield f"http://127.0.0.1:{port}"
        nursery.cancel_scope.cancel()


# ---- the two forms of the client ------------------------------------------------------


class Names:
    """A resolver: names and what they mean, at the first time, at the second …"""

    def __init__(self, names: Mapping[str, Sequence[str]]) -> None:
        self.names = names
        self.looked_up: list[str] = []

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """See ``network.Resolve``."""
        await trio.lowlevel.checkpoint()
        self.looked_up.append(host)
        if host not in self.names:
            raise OSError("no such name")
        return self.names[host]


class World:
    """A client and the server that it asks."""

    def __init__(self, client: Any, url: str, asked: list[Asked]) -> None:
        self.client = client
        self.url = url
        self.asked = asked
        """What the server was asked, redirects too."""

    async def get(self, path: str, **headers: str) -> WebAnswer:
        """GET a path of the server, or a whole URL."""
        return await self.request("GET", path, None, headers)

    async def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> WebAnswer:
        """Ask the server, or a whole URL."""
        url = self.url + path if path.startswith("/") else path
        return await self.client.request(method, url, body, list((headers or {}).items()))  # type: ignore[no-any-return]


@asynccontextmanager
async def real_world(
    table: Table,
    *,
    settings: WebSettings,
    names: Mapping[str, Sequence[str]],
    hosts: Sequence[str] = (),
) -> AsyncIterator[World]:
    """The client over sockets."""
    async with Server(table).open() as server, opened(settings, names=names) as client:
        yield World(client, server.url, server.asked)


@asynccontextmanager
async def simulated_world(
    table: Table,
    *,
    settings: WebSettings,
    names: Mapping[str, Sequence[str]],
    hosts: Sequence[str] = (),
) -> AsyncIterator[World]:
    """The client of a simulation."""
    url = "http://127.0.0.1:8000"
    places = (url, *(f"http://{host}:8000" for host in hosts))
    routes = {("*", place + path): answering for place in places for path, answering in table.items()}
    client = SimulatedWeb(routes, settings, names)
    yield World(client, url, client.asked)


@asynccontextmanager
async def opened(
    settings: WebSettings | None = None,
    *,
    names: Mapping[str, Sequence[str]] | None = None,
    environment: Mapping[str, str] | None = None,
    resolve: Any = None,
) -> AsyncIterator[SystemWeb]:
    """A client over sockets; at the end of the block nothing of it is open."""
    resolve = resolve or Names(names or {}).resolve
    web = SystemWeb(settings or WebSettings(), (environment or {}).get, resolve)
    try:
        yield web
    finally:
        await web.close()


def pool_of(web: SystemWeb) -> Any:
    """What carries the requests of a client."""
    client = web.client
    assert isinstance(client, WebClient)
    return client._carrier
