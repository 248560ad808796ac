"""The fast lane with a small honest site behind it, on real sockets, and clients that speak bytes."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from etamil_actors.edge.exchange import Outgoing
from etamil_actors.edge.fast.listener import HandOver, Listener
from etamil_actors.edge.request import HttpRequest
from etamil_actors.edge.settings import HttpSettings

TEXT = (b"content-type", b"text/plain")


class FakeSite:
    """Answers by ``handler`` and remembers what it was told."""

    def __init__(self) -> None:
        self.settings = HttpSettings()
        self.is_draining = False
        self.upgrades: set[bytes] = set()
        self.handler: Callable[[HttpRequest], Any] = lambda request: text(request.target)
        self.begun: list[HttpRequest] = []
        self.ended: list[tuple[HttpRequest | None, int, int, bool]] = []
        self.failures: list[BaseException] = []

    def begin(self, request: HttpRequest) -> Any:
        self.begun.append(request)
        return self.handler(request)

    def wants_upgrade(self, request: HttpRequest) -> bool:
        return request.target in self.upgrades

    def refuse(
        self, status: int, tamil: str, english: str, request: HttpRequest | None = None, **extra: str
    ) -> Outgoing:
        assert any("\u0b80" <= letter <= "\u0bff" for letter in tamil), tamil
        said = "".join(f"\n{name}={value}" for name, value in extra.items())
        return Outgoing(status, [TEXT], f"{tamil}\n{english}{said}".encode(), closes=True)

    def done(
        self,
        request: HttpRequest | None,
        status: int,
        sent: int,
        *,
        is_cut: bool = False,
        peer: str = "",
    ) -> None:
        self.ended.append((request, status, sent, is_cut))

    def failed(self, problem: BaseException, request: HttpRequest | None = None) -> None:
        self.failures.append(problem)

    @property
    def statuses(self) -> list[int]:
        return [status for _, status, _, _ in self.ended]


def text(body: bytes | str, status: int = 200, **others: Any) -> Outgoing:
    return Outgoing(status, [TEXT], body.encode() if isinstance(body, str) else body, **others)


async def read_body(request: HttpRequest) -> bytes:
    pieces = []
    while piece := await request.exchange.read():
        pieces.append(piece)
    return b"".join(pieces)


async def echo(request: HttpRequest) -> Outgoing:
    return text(await read_body(request))


async def until(fact: Callable[[], object]) -> None:
    """Wait for a fact, on a real clock and on a virtual one."""
    while not fact():
        await wait_all_tasks_blocked(0.001)


class Answer:
    def __init__(self, status: int, fields: dict[str, str], body: bytes) -> None:
        self.status = status
        self.fields = fields
        self.body = body

    def __repr__(self) -> str:
        return f"<{self.status} {self.fields} {self.body[:200]!r}>"


class Client:
    """One connection, byte by byte if need be."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.buffer = b""

    async def send(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def rest(self) -> bytes:
        """All until the server closes."""
        while data := await self.stream.receive_some():
            self.buffer += data
        data, self.buffer = self.buffer, b""
        return data

    async def ask(self, data: bytes, *, is_head: bool = False) -> Answer:
        await self.send(data)
        return await self.answer(is_head=is_head)

    async def answer(self, *, is_head: bool = False) -> Answer:
        head = (await self._up_to(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(head[0].split(" ")[1])
        fields = dict(line.split(": ", 1) for line in head[1:] if line)
        if is_head or status in (100, 204, 304):
            body = b""
        elif fields.get("transfer-encoding") == "chunked":
            body = await self._chunks()
        elif "content-length" in fields:
            body = await self._exactly(int(fields["content-length"]))
        else:
            body = await self.rest()
        return Answer(status, fields, body)

    async def _chunks(self) -> bytes:
        body = b""
        while size := int(await self._up_to(b"\r\n"), 16):
            body += await self._exactly(size)
            assert await self._exactly(2) == b"\r\n"
        assert await self._exactly(2) == b"\r\n"
        return body

    async def _up_to(self, end: bytes) -> bytes:
        while end not in self.buffer:
            await self._more()
        data, _, self.buffer = self.buffer.partition(end)
        return data

    async def _exactly(self, size: int) -> bytes:
        while len(self.buffer) < size:
            await self._more()
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    async def _more(self) -> None:
        data = await self.stream.receive_some()
        if not data:
            raise EOFError(self.buffer)
        self.buffer += data

    async def close(self) -> None:
        await self.stream.aclose()


class Lane:
    """A running listener."""

    def __init__(self, site: FakeSite, sockets: list[socket.socket], hand_over: HandOver | None) -> None:
        self.site = site
        self.address = sockets[0].getsockname()
        self.family = sockets[0].family
        self.listener = Listener(site, sockets, hand_over)  # type: ignore[arg-type]
        self.scope = trio.CancelScope()
        self.has_ended = trio.Event()
        self.clients: list[Client] = []

    async def run(self) -> None:
        with self.scope:
            await self.listener.serve()
        self.has_ended.set()

    async def connect(self) -> Client:
        sock = trio.socket.socket(self.family)
        try:
            await sock.connect(self.address)
        except OSError:
            sock.close()
            raise
        self.clients.append(Client(trio.SocketStream(sock)))
        return self.clients[-1]

    async def stop(self) -> None:
        self.scope.cancel()
        await self.has_ended.wait()
        for client in self.clients:
            await client.close()
        assert self.listener.connections == 0


class Kit:
    """What the tests of this folder share; a fixture, since test files cannot import each other."""

    text = staticmethod(text)
    echo = staticmethod(echo)
    read_body = staticmethod(read_body)
    until = staticmethod(until)
    site = FakeSite
    quiet = staticmethod(wait_all_tasks_blocked)


@pytest.fixture
def kit() -> type[Kit]:
    return Kit


@pytest.fixture
async def start(nursery: trio.Nursery) -> AsyncIterator[Callable[..., Any]]:
    """Start a lane; at the end each request that was begun must have been ended once."""
    lanes: list[Lane] = []

    async def begin(
        site: FakeSite | None = None,
        *,
        hand_over: HandOver | None = None,
        sockets: list[socket.socket] | None = None,
        **settings: Any,
    ) -> Lane:
        site = site or FakeSite()
        site.settings = HttpSettings(**settings)
        if sockets is None:
            sockets = [socket.create_server(("127.0.0.1", 0), backlog=256)]
        lane = Lane(site, sockets, hand_over)
        nursery.start_soon(lane.run)
        lanes.append(lane)
        return lane

    yield begin
    for lane in lanes:
        await lane.stop()
        ended = [request for request, _, _, _ in lane.site.ended if request is not None]
        assert len(ended) == len(lane.site.begun)
        assert {id(request) for request in ended} == {id(request) for request in lane.site.begun}
