"""A small site, a listener, and clients that speak HTTP/1.1, HTTP/2 and WebSocket by hand.

The site is a fake of ``edge/site.py``: paths decide what happens, and what was done is written down.
"""

from __future__ import annotations

import json
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest
import trio
import trio.testing
import trustme
import wsproto
from hypercorn.events import RawData
from wsproto.events import AcceptConnection, CloseConnection, RejectConnection
from wsproto.events import Request as Handshake

from etamil_actors.actors.programs.exchange import Headers
from etamil_actors.edge.exchange import BodyError, Outgoing
from etamil_actors.edge.full.guarded import GuardedConnection
from etamil_actors.edge.full.lane import FullLane
from etamil_actors.edge.full.pages import Pages
from etamil_actors.edge.request import HttpRequest
from etamil_actors.edge.settings import HttpSettings, Tls

PATIENCE = 15.0
"""Seconds until something that should happen has not."""

BIG = bytes(range(256)) * 4 * 1024 * 8
"""8 MiB: more than sockets hold."""


class FakeSite:
    """See the top of the file."""

    def __init__(self, settings: HttpSettings) -> None:
        self.settings = settings
        self.is_draining = False
        self.requests: list[HttpRequest] = []
        self.finished: list[tuple[str, int, int, bool]] = []
        self.failures: list[BaseException] = []
        self.running = 0
        self.gate = trio.Event()
        """Handlers of ``/wait`` go on when it is set."""
        self.entered = trio.Event()
        """A handler that waits is there."""
        self.was_gone = trio.Event()
        self.changed = trio.Event()
        self.received: list[Any] = []
        self.pages = Pages(self)
        self.document = b"{}"

    def openapi(self) -> bytes:
        return self.document

    # what is asked

    def begin(self, request: HttpRequest) -> Any:
        self.requests.append(request)
        path = request.target.partition(b"?")[0].decode()
        if path == "/docs":
            return self.pages.answer(request)
        if path == "/plain":
            return Outgoing(200, [(b"content-type", b"text/plain")], b"vanakkam")
        if path == "/big":
            return Outgoing(200, [], BIG)
        if path == "/empty":
            made = Outgoing(204, [], b"")
            made.length = None
            return made
        if path == "/head":
            made = Outgoing(200, [], b"")
            made.length = 8
            return made
        if path == "/deny":
            return self.refuse(401, "இல்லை", "no")
        if path == "/boom":
            raise RuntimeError("a mistake of ours")
        return self._later(path.strip("/"), request)

    async def _later(self, name: str, request: HttpRequest) -> Outgoing | None:
        self.running += 1
        try:
            return await getattr(self, f"on_{name}", self.on_missing)(request)
        except BodyError as problem:
            return self.refuse(problem.status, problem.tamil, problem.english)
        finally:
            self.running -= 1
            self._change()

    async def on_missing(self, request: HttpRequest) -> Outgoing:
        return Outgoing(404, [], b"")

    async def on_echo(self, request: HttpRequest) -> Outgoing:
        body = b""
        while piece := await request.exchange.read():
            assert len(piece) <= 64 * 1024
            body += piece
        return Outgoing(200, [], body)

    async def on_count(self, request: HttpRequest) -> Outgoing:
        count = 0
        while piece := await request.exchange.read():
            count += len(piece)
        return Outgoing(200, [], str(count).encode())

    async def on_wait(self, request: HttpRequest) -> Outgoing:
        self.entered.set()
        await self.gate.wait()
        return Outgoing(200, [], b"at last")

    async def on_gone(self, request: HttpRequest) -> Outgoing:
        self.entered.set()
        await request.exchange.wait_gone()
        self.was_gone.set()
        return Outgoing(200, [], b"still here")

    async def on_stream(self, request: HttpRequest) -> None:
        sink = request.exchange.sink()
        await sink.open(200, [(b"content-type", b"text/plain")])
        for number in range(5):
            await sink.send(b"%d " % number)

    async def on_endless(self, request: HttpRequest) -> None:
        sink = request.exchange.sink()
        await sink.open(200, [])
        self.entered.set()
        while True:
            await sink.send(BIG)

    async def on_broken(self, request: HttpRequest) -> None:
        sink = request.exchange.sink()
        await sink.open(200, [])
        await sink.send(b"half of it")
        raise RuntimeError("a mistake of ours")

    # WebSockets

    def wants_upgrade(self, request: HttpRequest) -> bool:
        return request.target.startswith(b"/ws")

    async def live(self, request: HttpRequest) -> Outgoing | None:
        self.requests.append(request)
        live = request.live
        assert live is not None
        path = request.target.partition(b"?")[0].decode()
        if path == "/ws/deny":
            return self.refuse(401, "இல்லை", "no")
        self.running += 1
        try:
            await live.accept([(b"x-said", b"yes")])
            await self._talk(path, live)
        finally:
            self.running -= 1
            self._change()
        return None

    async def _talk(self, path: str, live: Any) -> None:
        if path == "/ws/boom":
            raise RuntimeError("a mistake of ours")
        if path == "/ws/lingers":
            self.entered.set()
            await self.gate.wait()
            return
        if path == "/ws/sends":
            self.entered.set()
            while True:
                await live.send(BIG[: 1024 * 1024])
        if path == "/ws/slow":
            await self.gate.wait()
        while True:
            message = await live.receive()
            self.received.append(message)
            self._change()
            if message is None:
                return
            await live.send(message)

    # what is told

    def refuse(
        self, status: int, tamil: str, english: str, request: HttpRequest | None = None, **extra: str
    ) -> Outgoing:
        body = json.dumps({"status": status, "tamil": tamil, "english": english, **extra}).encode()
        return Outgoing(status, [(b"content-type", b"application/problem+json")], body, closes=True)

    def done(
        self,
        request: HttpRequest | None,
        status: int,
        sent: int,
        *,
        is_cut: bool = False,
        peer: str = "",
    ) -> None:
        path = request.target.decode("latin-1") if request is not None else ""
        self.finished.append((path, status, sent, is_cut))
        self._change()

    def failed(self, problem: BaseException, request: HttpRequest | None = None) -> None:
        self.failures.append(problem)

    def _change(self) -> None:
        self.changed.set()
        self.changed = trio.Event()

    async def until(self, fact: Callable[[], bool]) -> None:
        """Wait until something is so."""
        with trio.fail_after(PATIENCE):
            while not fact():
                await self.changed.wait()


# ---------------------------------------------------------------- a server


@dataclass
class Server:
    """A lane behind a listener of the test."""

    site: FakeSite
    lane: FullLane
    port: int
    is_tls: bool
    trust: ssl.SSLContext | None
    pem: str
    scope: trio.CancelScope
    ended: trio.Event = field(default_factory=trio.Event)

    async def connect(self, *, alpn: str = "http/1.1") -> trio.abc.Stream:
        """A connection, with TLS where it is spoken."""
        stream = await trio.open_tcp_stream("127.0.0.1", self.port)
        if not self.is_tls:
            return stream
        assert self.trust is not None
        context = ssl.create_default_context()
        context.load_verify_locations(self.pem)
        context.set_alpn_protocols([alpn])
        secured = trio.SSLStream(stream, context, server_hostname="localhost", https_compatible=True)
        await secured.do_handshake()
        assert secured.selected_alpn_protocol() == alpn
        return secured

    async def ask(self, data: bytes) -> bytes:
        """Send this, and read to the end of the connection."""
        stream = await self.connect()
        async with stream:
            await stream.send_all(data)
            return await read_all(stream)

    async def still_answers(self) -> None:
        """A normal request is answered, and nothing is left behind."""
        answer = await self.ask(b"GET /plain HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 OK") and answer.endswith(b"vanakkam")
        with trio.fail_after(PATIENCE):
            await self.lane.drained()
        assert self.site.running == 0
        assert not self.ended.is_set()


async def read_all(stream: trio.abc.Stream) -> bytes:
    """What comes until the end; a reset is an end too."""
    data = b""
    with trio.fail_after(PATIENCE):
        try:
            while piece := await stream.receive_some(65536):
                data += bytes(piece)
        except trio.BrokenResourceError:
            pass
    return data


@dataclass(frozen=True)
class Certificate:
    """Made for these tests."""

    certificate: str
    key: str
    authority: str


@pytest.fixture(scope="session")
def certificate() -> AsyncIterator[Certificate]:
    """A certificate of localhost, and the authority that made it."""
    authority = trustme.CA()
    made = authority.issue_cert("localhost", "127.0.0.1")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        made.private_key_pem.write_to_path(str(place / "key.pem"))
        with open(place / "chain.pem", "wb") as chain:
            for blob in made.cert_chain_pems:
                chain.write(blob.bytes())
        authority.cert_pem.write_to_path(str(place / "authority.pem"))
        yield Certificate(str(place / "chain.pem"), str(place / "key.pem"), str(place / "authority.pem"))


@pytest.fixture
def serve(certificate: Certificate) -> Any:
    """``async with serve(tls=…, settings…) as server``."""

    @asynccontextmanager
    async def serving(*, tls: bool = False, **settings: Any) -> AsyncIterator[Server]:
        if tls:
            settings["tls"] = Tls(certificate=certificate.certificate, key=certificate.key)
        site = FakeSite(HttpSettings(**settings))
        lane = FullLane(site)
        await lane.prepare()
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        accepting = trio.socket.from_stdlib_socket(listener)
        server = Server(
            site,
            lane,
            listener.getsockname()[1],
            tls,
            ssl.create_default_context(),
            certificate.authority,
            trio.CancelScope(),
        )

        async def accept() -> None:
            try:
                with server.scope:
                    async with trio.open_nursery() as nursery:
                        while True:
                            one, _ = await accepting.accept()
                            plain = socket.socket(fileno=one.detach())
                            plain.setblocking(False)
                            nursery.start_soon(serve_one, plain)
            finally:
                server.ended.set()

        async def serve_one(one: socket.socket) -> None:
            await lane.serve_connection(one, b"", "127.0.0.1", tls=tls)

        with trio.fail_after(2 * PATIENCE), accepting:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(accept)
                yield server
                server.scope.cancel()

    return serving


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """After each send everybody else, clients too, has a turn before the sender has."""
    as_it_is = GuardedConnection.protocol_send

    async def protocol_send(self: GuardedConnection, event: Any) -> None:
        await as_it_is(self, event)
        if isinstance(event, RawData):
            await trio.testing.wait_all_tasks_blocked(0.01)

    monkeypatch.setattr(GuardedConnection, "protocol_send", protocol_send)


# ---------------------------------------------------------------- HTTP/2 by hand


class Http2:
    """A client of HTTP/2 whose every frame a test decides."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=True,
                header_encoding=None,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self.events: list[h2.events.Event] = []
        self.has_ended = False

    async def begin(self) -> None:
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(2**24)
        await self.flush()

    async def flush(self) -> None:
        await self.stream.send_all(self.h2.data_to_send())

    async def request(
        self,
        path: bytes = b"/plain",
        *,
        method: bytes = b"GET",
        more: Headers = (),  # type: ignore[assignment]
        end: bool = True,
    ) -> int:
        number = self.h2.get_next_available_stream_id()
        headers = [(b":method", method), (b":scheme", b"https"), (b":authority", b"localhost")]
        headers += [(b":path", path), *more]
        self.h2.send_headers(number, headers, end_stream=end)
        await self.flush()
        return number

    async def pump(self) -> bool:
        """Take what comes next. Is there more?"""
        try:
            with trio.fail_after(PATIENCE):
                data = await self.stream.receive_some(65536)
        except trio.BrokenResourceError:
            data = b""
        if not data:
            self.has_ended = True
            return False
        try:
            self.events += self.h2.receive_data(bytes(data))
        except h2.exceptions.ProtocolError:
            self.has_ended = True
            return False
        for event in self.events:
            if isinstance(event, h2.events.DataReceived) and not getattr(event, "seen", False):
                event.seen = True  # type: ignore[attr-defined]
                if event.flow_controlled_length:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        try:
            await self.flush()
        except trio.BrokenResourceError:
            self.has_ended = True
            return False
        return True

    def of(self, number: int, *kinds: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kinds) and event.stream_id == number]

    async def answer(self, number: int) -> tuple[int, dict[bytes, bytes], bytes]:
        """The status, headers and body of the answer; 0 when the stream was reset or the connection ended."""
        ends = (h2.events.StreamEnded, h2.events.StreamReset)
        while not self.of(number, *ends) and await self.pump():
            pass
        heads = self.of(number, h2.events.ResponseReceived)
        if not heads:
            return 0, {}, b""
        headers = dict(heads[0].headers)
        body = b"".join(event.data for event in self.of(number, h2.events.DataReceived))
        return int(headers[b":status"]), headers, body

    async def until_end(self) -> None:
        while await self.pump():
            pass


@pytest.fixture
def http2() -> Any:
    """``async with http2(server) as client``."""

    @asynccontextmanager
    async def open_client(server: Server) -> AsyncIterator[Http2]:
        async with await server.connect(alpn="h2") as stream:
            client = Http2(stream)
            await client.begin()
            yield client

    return open_client


# ---------------------------------------------------------------- WebSocket by hand


class WebSocket:
    """A client of WebSocket on wsproto; ``raw`` sends what is no frame."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.connection = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
        self.events: list[Any] = []

    async def open(self, path: str, *, headers: Headers = (), extensions: Any = ()) -> Any:  # type: ignore[assignment]
        await self.send(
            Handshake(host="localhost", target=path, extra_headers=list(headers), extensions=list(extensions))
        )
        return await self.next(AcceptConnection, RejectConnection)

    async def send(self, event: Any) -> None:
        await self.raw(self.connection.send(event))

    async def raw(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def next(self, *kinds: type) -> Any:
        """The next event of these kinds; None at the end."""
        while True:
            for place, event in enumerate(self.events):
                if isinstance(event, kinds):
                    return self.events.pop(place)
            with trio.fail_after(PATIENCE):
                try:
                    data = await self.stream.receive_some(65536)
                except trio.BrokenResourceError:
                    data = b""
            if not data:
                return None
            self.connection.receive_data(bytes(data))
            self.events += list(self.connection.events())

    async def closed(self) -> tuple[int, str]:
        """The code and reason of the farewell; 1006 when there is none."""
        event = await self.next(CloseConnection)
        return (int(event.code), event.reason or "") if event is not None else (1006, "")


@pytest.fixture
def websocket() -> Any:
    """``async with websocket(server) as client``."""

    @asynccontextmanager
    async def open_client(server: Server) -> AsyncIterator[WebSocket]:
        async with await server.connect() as stream:
            yield WebSocket(stream)

    return open_client
