"""Bytes that were changed at random: nothing but a reading or a refusal comes of them, and nobody else notices."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
import trio

from etamil_actors.actors.programs.exchange import PeerGoneError
from etamil_actors.edge.exchange import BodyError
from etamil_actors.edge.fast.chunked import ChunkError, Chunks
from etamil_actors.edge.fast.head import END, HeadError, blank_bytes, check_start, read_head
from etamil_actors.edge.settings import HttpSettings

pytestmark = [pytest.mark.timeout(100), pytest.mark.slow]

READINGS = 200_000
CONNECTIONS = 3_000
SETTINGS = HttpSettings(target_bytes=200, header_bytes=600, header_count=12)

SEEDS = [
    b"GET /a/b?c=d HTTP/1.1\r\nHost: a.b:80\r\nAccept: */*\r\nConnection: keep-alive\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\nhello, world" b"GET / HTTP/1.1\r\nHost: b\r\n\r\n",
    b"PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
    b'5;a=b\r\nhello\r\n7 ; q="x;y"\r\n, world\r\n0\r\nTrailer: x\r\n\r\n',
    b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n\r\nHEAD /%E0%AE%85 HTTP/1.0\r\n\r\n",
    b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n\x81\x05",
    b"OPTIONS * HTTP/1.1\r\nHost: [::1]\r\nCookie: a=b; c=d\r\nX: \xe0\xae\x85\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
]
SPLICES = [
    b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Host: b\r\n", b"\r\n\r\n", b"\xff", b"0\r\n\r\n", b"ffffffffffffffff\r\n", b"HTTP/1.1", b"GET / HTTP/1.1\r\n", b";",
    b'"', b"\\", b"a" * 300, b"X: y\r\n" * 15, b"-1", b"\x16\x03\x01",
]  # fmt: skip


def mutated(random: Random) -> bytes:
    data = random.choice(SEEDS)
    for _ in range(random.choice([1, 1, 2, 3, 6])):
        at = random.randrange(len(data) + 1)
        match random.randrange(6):
            case 0:
                data = data[:at] + bytes([random.randrange(256)]) + data[at + 1 :]
            case 1:
                data = data[:at] + random.choice(SPLICES) + data[at:]
            case 2:
                data = data[:at] + data[at + random.randrange(1, 9) :]
            case 3:
                other = random.choice(SEEDS)
                data = data[:at] + other[random.randrange(len(other)) :]
            case 4:
                until = at + random.randrange(1, 30)
                data = data[:until] + data[at:until] + data[until:]
            case 5:
                data = data[:at]
        data = data or b"\r"
    return data


def read_all(data: bytes) -> int:
    """As a connection does it, without one; how many requests came whole."""
    count = 0
    while data:
        data = data[blank_bytes(data) :]
        end = data.find(END)
        if end < 0:
            if data:
                check_start(data, 0, SETTINGS)
            return count
        head = read_head(data[: end + 4], SETTINGS)
        data = data[end + 4 :]
        assert head.method.isupper()
        assert head.version in ("1.0", "1.1")
        assert head.target.isascii()
        assert not any(byte < 0x20 and byte != 9 for field in head.fields for part in field for byte in part)
        if head.is_chunked:
            chunks = Chunks(SETTINGS.header_bytes)
            body, rest = chunks.take(data)
            assert len(body) + len(rest) <= len(data)
            assert data.endswith(rest)
            if not chunks.is_over:
                return count
            data = rest
        else:
            if head.length > len(data):
                return count
            data = data[head.length :]
        count += 1
    return count


def test_readers_answer_or_refuse_whatever_comes() -> None:
    random = Random(4)
    whole = refused = 0
    for _ in range(READINGS):
        try:
            whole += read_all(mutated(random))
        except (HeadError, ChunkError):
            refused += 1
    assert whole > READINGS // 20
    assert refused > READINGS // 4


async def test_connections_end_whatever_comes(start: Any, kit: Any) -> None:
    """Each client sends what it sends, now and then in two parts, and closes its side; each connection ends."""
    gone = 0

    async def take(sock: Any, already_read: bytes, peer: str) -> None:
        await trio.lowlevel.checkpoint()

    async def answer(request: Any) -> Any:
        nonlocal gone
        try:
            if len(request.target) % 3:
                return await kit.echo(request)
            sink = request.exchange.sink()
            await sink.open(200, [])
            await sink.send(await kit.read_body(request))
            return None
        except BodyError as error:
            return kit.text("", error.status)
        except PeerGoneError:
            gone += 1
            raise

    lane = await start(hand_over=take, http2="cleartext", target_bytes=200, header_bytes=600, header_count=12)
    lane.site.upgrades.add(b"/ws")
    lane.site.handler = lambda r: kit.text("") if len(r.target) % 2 else answer(r)
    random = Random(5)

    async def attempt(data: bytes, cut: int | None) -> None:
        stream = await trio.open_tcp_stream(*lane.address)
        try:
            await stream.send_all(data[:cut])
            if cut is not None:
                await trio.lowlevel.checkpoint()
                await stream.send_all(data[cut:])
            await stream.send_eof()
            while await stream.receive_some():
                pass
        except trio.BrokenResourceError:
            pass  # it was handed over, or it ended while its client was still sending
        finally:
            await trio.aclose_forcefully(stream)

    for _ in range(CONNECTIONS // 20):
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                for _ in range(20):
                    data = mutated(random)
                    cut = random.randrange(len(data)) if random.random() < 0.4 else None
                    nursery.start_soon(attempt, data, cut)
            await kit.until(lambda: lane.listener.connections == 0)
    assert lane.site.failures == []
    assert lane.listener.accepted == CONNECTIONS
    assert {200, 400, 501} <= set(lane.site.statuses)
    assert gone
    client = await lane.connect()
    lane.site.handler = kit.echo
    assert (await client.ask(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok")).body == b"ok"
