"""Clients that keep a server busy, and know of each request whether it has been answered.

What a client may expect at the end of a server:

- a request that was sent on a connection that is *kept* is answered, whole: the server had not said
  ``Connection: close``, and the client was not silent for long before it;
- of a *new* connection the first request may find nobody (refused, or reset without a byte of an answer), once
  the server has been asked to end. Whatever has been begun is sent whole, though.
"""

from __future__ import annotations

import random
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import trio

from tests.http_life.serving import Answer, Certificate, Reading, request

SILENT_SECONDS = 0.45
"""A client that is silent for longer may find its connection closed by a server that ends. It waits for half
a second; a little is for our own clock."""


@dataclass
class Tally:
    """What became of all requests."""

    answered: int = 0
    refused: int = 0
    """Connections that could not be made."""
    unheard: int = 0
    """First requests of connections that nobody took."""
    silent: int = 0
    """Requests on connections that had been silent for too long."""
    statuses: dict[int, int] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    """Those that must not be."""
    is_ending: bool = False
    """Has the server been asked to end?"""

    def count(self, answer: Answer) -> None:
        self.answered += 1
        self.statuses[answer.status] = self.statuses.get(answer.status, 0) + 1


class Wire:
    """A connection of a client that waits with trio."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self.reading = Reading()
        self.answered = 0
        self.last = trio.current_time()
        """When it was last heard of."""

    @classmethod
    async def open(cls, port: int, certificate: Certificate | None) -> Wire:
        """Raises: OSError, nobody listens; trio.BrokenResourceError, no TLS is spoken."""
        sock = trio.socket.socket()
        try:
            await sock.connect(("127.0.0.1", port))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            sock.close()
            raise
        stream: trio.abc.Stream = trio.SocketStream(sock)
        if certificate is not None:
            secured = trio.SSLStream(
                stream, certificate.context, server_hostname="127.0.0.1", https_compatible=True
            )
            try:
                await secured.do_handshake()
            except BaseException:
                await trio.aclose_forcefully(secured)
                raise
            stream = secured
        return cls(stream)

    async def send(self, data: bytes) -> None:
        await self._stream.send_all(data)

    async def answer(self, method: str = "GET") -> Answer | None:
        """The next answer; None when it ended before. What had come by then is in ``reading.buffer``."""
        while (answer := self.reading.take(method)) is None:
            try:
                data = await self._stream.receive_some(65536)
            except trio.BrokenResourceError:
                return None
            if not data:
                return None
            self.reading.buffer += data
        self.answered += 1
        self.last = trio.current_time()
        return answer

    async def close(self) -> None:
        await trio.aclose_forcefully(self._stream)


Send = Callable[[Wire], Awaitable[int]]
"""Sends some requests and answers how many."""


class Load:
    """Clients of several kinds, until the server cannot be reached any more."""

    def __init__(self, port: int, certificate: Certificate | None, seed: int) -> None:
        self.tally = Tally()
        self._port = port
        self._certificate = certificate
        self._random = random.Random(seed)

    def kinds(self) -> dict[str, Send]:
        return {
            "steady": self._steady,
            "slow handler": self._slow_handler,
            "pausing": self._pausing,
            "one by one": self._one_by_one,
            "body in two pieces": self._in_two_pieces,
            "three at once": self._three_at_once,
        }

    async def _steady(self, wire: Wire) -> int:
        await wire.send(request("GET", "/hello"))
        return 1

    async def _slow_handler(self, wire: Wire) -> int:
        await wire.send(request("GET", f"/wait/{self._random.choice(('0.01', '0.05', '0.15'))}"))
        return 1

    async def _pausing(self, wire: Wire) -> int:
        await trio.sleep(self._random.random() * 0.3)
        await wire.send(request("GET", "/hello"))
        return 1

    async def _one_by_one(self, wire: Wire) -> int:
        await wire.send(request("GET", "/hello", Connection="close"))
        return 1

    async def _in_two_pieces(self, wire: Wire) -> int:
        data = request("POST", "/echo", b"x" * 3000)
        place = self._random.randrange(10, len(data))
        await wire.send(data[:place])
        await trio.sleep(self._random.random() * 0.1)
        await wire.send(data[place:])
        return 1

    async def _three_at_once(self, wire: Wire) -> int:
        await wire.send(request("GET", "/hello") + request("GET", "/wait/0.02") + request("GET", "/hello"))
        return 3

    async def run(self, of_each: int = 2) -> None:
        """Until nobody answers any more."""
        async with trio.open_nursery() as nursery:
            for kind, send in self.kinds().items():
                for _ in range(of_each):
                    nursery.start_soon(self._client, kind, send)

    async def _client(self, kind: str, send: Send) -> None:
        tally = self.tally
        while True:
            was_ending = tally.is_ending
            try:
                wire = await Wire.open(self._port, self._certificate)
            except (OSError, trio.BrokenResourceError, ssl.SSLError) as problem:
                if not (was_ending or tally.is_ending):
                    tally.lost.append(f"{kind}: no connection while it served: {problem!r}")
                tally.refused += 1
                return
            try:
                await self._use(kind, send, wire)
            finally:
                await wire.close()

    async def _use(self, kind: str, send: Send, wire: Wire) -> None:
        while True:
            wanted, got = 0, 0
            begun = wire.last
            since = trio.current_time()
            try:
                wanted = await send(wire)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass
            sent = trio.current_time()
            answer = None
            while (not wanted or got < wanted) and (answer := await wire.answer()) is not None:
                got += 1
                self.tally.count(answer)
                if got == wanted or not wanted:
                    break
            if answer is None:
                self._judge(kind, wire, wanted, got, sent - begun, sent - since)
                return
            if answer.closes or not wanted:
                return

    def _judge(self, kind: str, wire: Wire, wanted: int, got: int, silent: float, took: float) -> None:
        tally = self.tally
        what = (
            f"{kind}: {got} of {wanted} answered on a connection with {wire.answered} answers, "
            f"{bytes(wire.reading.buffer[:80])!r} of the next; sent {silent:.3f} s after the last, in {took:.3f} s"
            f"{'' if tally.is_ending else '; nobody had asked it to end'}"
        )
        if wire.reading.buffer or got or not tally.is_ending:
            tally.lost.append(what)
        elif wire.answered == 0:
            tally.unheard += 1
        elif silent >= SILENT_SECONDS:
            tally.silent += 1
        else:
            tally.lost.append(what)
