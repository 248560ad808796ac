"""Inputs that were right once and then were changed at random: none may fail, hang, or leave a task behind."""

from __future__ import annotations

import random
import socket

import h2.connection
import trio
from hpack import Encoder
from hyperframe.frame import DataFrame, HeadersFrame

from etamil_actors.edge.full.lane import FullLane
from etamil_actors.edge.settings import HttpSettings
from tests.edge.full.conftest import FakeSite

INPUTS = 600
SIDE_BY_SIDE = 40

UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
FRAMES = b"\x81\x83\0\0\0\0one\x02\x83\0\0\0\0two\x89\x81\0\0\0\0p\x80\x81\0\0\0\0x\x88\x82\0\0\0\0\x03\xe8"


def preface() -> bytes:
    connection = h2.connection.H2Connection()
    connection.initiate_connection()
    return connection.data_to_send()


def head(number: int, method: bytes, path: bytes, *more: tuple[bytes, bytes], end: bool = True) -> bytes:
    fields = [(b":method", method), (b":scheme", b"http"), (b":authority", b"x"), (b":path", path), *more]
    frame = HeadersFrame(number, data=Encoder().encode(fields))
    frame.flags = {"END_HEADERS", "END_STREAM"} if end else {"END_HEADERS"}
    return bytes(frame.serialize())


def right_ones() -> list[bytes]:
    post = head(1, b"POST", b"/echo", end=False) + DataFrame(1, data=b"hello" * 100).serialize()
    live = head(1, b"CONNECT", b"/ws", (b"sec-websocket-version", b"13"), end=False)
    return [
        b"GET /plain HTTP/1.1\r\nHost: x\r\n\r\n" * 3,
        b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n0123456789",
        UPGRADE + b"\r\n" + FRAMES,
        UPGRADE
        + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n\xc1\x87\0\0\0\0\xf2\x48\xcd\xc9\xc9\x07\x00",
        preface() + head(1, b"GET", b"/plain") + head(3, b"GET", b"/stream") + head(5, b"HEAD", b"/head"),
        preface() + post + head(3, b"GET", b"/big"),
        preface() + live + DataFrame(1, data=FRAMES).serialize(),
    ]


def changed(chance: random.Random, data: bytes) -> bytes:
    """Some bytes are changed, added, doubled or lost."""
    made = bytearray(data)
    for _ in range(chance.choice((0, 1, 1, 1, 2, 4, 8))):
        if not made:
            break
        place, other = chance.randrange(len(made)), chance.randrange(len(made))
        match chance.randrange(6):
            case 0:
                made[place] = chance.randrange(256)
            case 1:
                made[place] ^= 1 << chance.randrange(8)
            case 2:
                del made[place : place + chance.randrange(1, 20)]
            case 3:
                made[place:place] = chance.randbytes(chance.randrange(1, 12))
            case 4:
                made[place:place] = made[other : other + chance.randrange(1, 60)]
            case _:
                del made[place:]
    return bytes(made)


async def test_no_input_fails_hangs_or_leaves_something_behind() -> None:
    chance = random.Random(7)
    short = {"header_seconds": 0.2, "body_seconds": 0.2, "keep_alive_seconds": 0.2, "write_seconds": 1.0}
    site = FakeSite(HttpSettings(http2="cleartext", websocket_ping_seconds=0.1, **short))  # type: ignore[arg-type]
    site.gate.set()
    lane = FullLane(site)
    limit = trio.CapacityLimiter(SIDE_BY_SIDE)
    inputs = [(changed(chance, chance.choice(right_ones())), chance.random() < 0.5) for _ in range(INPUTS)]

    async def send(data: bytes, hangs_up: bool) -> None:
        async with limit, trio.open_nursery() as nursery:
            ours, theirs = socket.socketpair()
            theirs.setblocking(False)
            nursery.start_soon(lane.serve_connection, theirs, data, "10.0.0.9")
            async with trio.SocketStream(trio.socket.from_stdlib_socket(ours)) as client:
                try:
                    if hangs_up:
                        await client.send_eof()
                    while await client.receive_some(65536):
                        pass
                except trio.BrokenResourceError:
                    pass  # the server has ended it

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            for data, hangs_up in inputs:
                nursery.start_soon(send, data, hangs_up)
    assert not site.failures
    assert site.running == 0 and lane.connections == 0
