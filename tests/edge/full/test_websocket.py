"""WebSockets in the full lane."""

from __future__ import annotations

import json
import os
import struct
import tracemalloc
import zlib
from typing import Any

import h2.events
import h2.settings
import pytest
import trio
import wsproto
from wsproto.events import (
    BytesMessage,
    CloseConnection,
    Ping,
    Pong,
    RejectConnection,
    RejectData,
    TextMessage,
)
from wsproto.extensions import PerMessageDeflate

from etamil_actors.edge.full.websocket import is_origin_allowed

Serve = Any
Client = Any

UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, masked: bool = True, bits: int = 0
) -> bytes:
    """A frame as a client sends it, or as it should not."""
    size = len(payload)
    first = bytes([(0x80 if fin else 0) | bits | opcode])
    mask = 0x80 if masked else 0
    if size < 126:
        length = bytes([mask | size])
    elif size < 65536:
        length = bytes([mask | 126]) + struct.pack("!H", size)
    else:
        length = bytes([mask | 127]) + struct.pack("!Q", size)
    return first + length + (b"\0\0\0\0" if masked else b"") + payload


@pytest.mark.parametrize("tls", [False, True])
async def test_messages_go_both_ways_in_tamil_and_in_bytes(
    serve: Serve, websocket: Client, tls: bool
) -> None:
    async with serve(tls=tls) as server:
        async with websocket(server) as client:
            accepted = await client.open("/ws?a=1")
            assert (b"x-said", b"yes") in accepted.extra_headers
            for message in ("வணக்கம்", b"\x00\xff", b"", "", "அ" * 30_000, os.urandom(200_000)):
                kind = TextMessage if isinstance(message, str) else BytesMessage
                await client.send(kind(data=message))
                whole: Any = "" if isinstance(message, str) else b""
                while True:
                    event = await client.next(TextMessage, BytesMessage)
                    whole += event.data if isinstance(event.data, str) else bytes(event.data)
                    if event.message_finished:
                        break
                assert whole == message
            await client.send(CloseConnection(code=1000))
            assert await client.closed() == (1000, "")
        await server.still_answers()
        assert server.site.received[2] == b"" and server.site.received[-1] is None
        assert server.site.finished[0] == ("/ws?a=1", 101, sum(map(len, server.site.received[:-1])), False)
        assert server.site.requests[0].method == "GET"


async def test_a_message_in_many_frames_is_one(serve: Serve, websocket: Client) -> None:
    async with serve() as server, websocket(server) as client:
        await client.open("/ws")
        tamil = "கொள்முதல்".encode()
        for place in range(len(tamil)):
            await client.raw(frame(0 if place else 1, tamil[place : place + 1], fin=False))
        await client.raw(frame(9, b"meanwhile") + frame(0, b"", fin=True))
        assert bytes((await client.next(Pong)).payload) == b"meanwhile"
        assert (await client.next(TextMessage)).data == "கொள்முதல்"


async def test_a_handshake_can_be_refused_with_a_document(serve: Serve, websocket: Client) -> None:
    async with serve() as server:
        async with websocket(server) as client:
            refused = await client.open("/ws/deny")
            assert isinstance(refused, RejectConnection) and refused.status_code == 401
            assert json.loads((await client.next(RejectData)).data)["english"] == "no"
        assert server.site.finished == [
            ("/ws/deny", 401, len(server.site.refuse(401, "இல்லை", "no").body), False)
        ]
        await server.still_answers()


async def test_a_path_without_a_websocket_answers_as_http(serve: Serve, websocket: Client) -> None:
    async with serve() as server:
        async with websocket(server) as client:
            answered = await client.open("/plain")
            assert answered.status_code == 200
            assert bytes((await client.next(RejectData)).data) == b"vanakkam"
        await server.still_answers()


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"Sec-WebSocket-Key: short", 400),
        (b"Sec-WebSocket-Key: \xff\xfe", 400),
        (b"Sec-WebSocket-Version: 8", 426),
        (b"Connection: Upgrade, \xc3\xa9", 400),
        (b"Content-Length: 5", 400),
        (b"Origin: https://elsewhere.example", 403),
        (b"Origin: null", 403),
    ],
)
async def test_a_handshake_that_is_none_is_refused(serve: Serve, line: bytes, status: int) -> None:
    name = line.partition(b":")[0].lower()
    kept = [other for other in UPGRADE.split(b"\r\n") if other and other.partition(b":")[0].lower() != name]
    async with serve() as server:
        answer = await server.ask(b"\r\n".join([*kept, line]) + b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 %d " % status), answer
        assert (b"sec-websocket-version: 13" in answer) is (status == 426)
        await server.still_answers()
        assert not server.site.failures


@pytest.mark.parametrize(
    "line",
    [
        b"Sec-WebSocket-Extensions: \xff\xfe",
        b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=what",
        b"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=1",
        b"Sec-WebSocket-Protocol: \xc3\xa9",
        b"Sec-WebSocket-Protocol: chat, superchat",
        b"X-Anything: \xff",
    ],
)
async def test_an_offer_that_cannot_be_read_is_not_taken(
    serve: Serve, websocket: Client, line: bytes
) -> None:
    async with serve() as server:
        async with websocket(server) as client:
            await client.raw(UPGRADE + line + b"\r\n\r\n" + frame(1, b"hi"))
            data = await read_until(client.stream, b"\x81\x02hi")
            assert data.startswith(b"HTTP/1.1 101 ") and b"protocol" not in data.lower().partition(b"\r\n")[2]
            assert b"sec-websocket-accept: s3ppl" in data.lower()
        await server.still_answers()
        assert not server.site.failures


async def test_frames_right_behind_the_handshake_are_kept(serve: Serve) -> None:
    import socket

    async with serve() as server:
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        client = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
        async with trio.open_nursery() as nursery, client:
            read = UPGRADE + b"\r\n" + frame(1, b"one") + frame(2, b"two")[:4]
            nursery.start_soon(server.lane.serve_connection, theirs, read, "10.0.0.9")
            await client.send_all(frame(2, b"two")[4:])
            data = await read_until(client, b"two")
            assert data.partition(b"\r\n\r\n")[2] == b"\x81\x03one\x82\x03two"
            await client.send_all(frame(8, b"\x03\xe8"))
            assert await client.receive_some(4096) == b"\x88\x02\x03\xe8"
            assert await client.receive_some(4096) == b""
        assert server.site.requests[0].client == "10.0.0.9"


async def read_until(stream: trio.abc.Stream, wanted: bytes) -> bytes:
    """What comes, up to something that has to come."""
    data = b""
    with trio.fail_after(10):
        while wanted not in data:
            piece = await stream.receive_some(4096)
            assert piece, data
            data += bytes(piece)
    return data


# ---------------------------------------------------------------- farewells


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(3, b"x"), 1002),
        (frame(11, b"x"), 1002),
        (frame(1, b"x", masked=False), 1002),
        (frame(1, b"x", bits=0x40), 1002),
        (frame(9, b"x", fin=False), 1002),
        (frame(9, b"x" * 126), 1002),
        (frame(0, b"x"), 1002),
        (frame(1, b"x", fin=False) + frame(1, b"y"), 1002),
        (frame(8, b"x"), 1002),
        (frame(8, struct.pack("!H", 1005)), 1002),
        (frame(8, struct.pack("!H", 999)), 1002),
        (frame(8, struct.pack("!H", 1000) + b"\xff\xfe"), 1007),
        (frame(1, b"\xff\xfe"), 1007),
        (frame(1, "அ".encode()[:2]), 1007),
        (b"\x81\xff" + struct.pack("!Q", 2**63) + b"\0\0\0\0", 1002),
        (b"\x81\xfe" + struct.pack("!H", 5) + b"\0\0\0\0hello", 1002),
        (frame(2, bytes(1024 * 1024 + 1)), 1009),
        (b"\x82\xff" + struct.pack("!Q", 2**40) + b"\0\0\0\0" + bytes(1024 * 1024 + 9), 1009),
        (frame(1, "அ".encode() * 349_530, fin=False) + frame(0, b"abcd"), 1009),
        (frame(8), 1005),
        (frame(8, struct.pack("!H", 3000) + b"bye"), 3000),
    ],
)
async def test_a_frame_that_is_none_gets_a_farewell(
    serve: Serve, websocket: Client, data: bytes, code: int
) -> None:
    async with serve() as server:
        async with websocket(server) as client:
            await client.open("/ws")
            await client.raw(data)
            assert (await client.closed())[0] == code
        await server.still_answers()
        assert not server.site.failures and server.site.received == [None]


async def test_the_largest_message_is_taken(serve: Serve, websocket: Client) -> None:
    async with serve(websocket_message_bytes=1000) as server, websocket(server) as client:
        await client.open("/ws")
        await client.send(BytesMessage(data=bytes(1000)))
        assert bytes((await client.next(BytesMessage)).data) == bytes(1000)


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("kind", [TextMessage, BytesMessage])
async def test_a_mebibyte_is_taken_and_a_byte_more_is_not(
    serve: Serve, websocket: Client, tls: bool, kind: Any
) -> None:
    empty: Any = "" if kind is TextMessage else b""
    letter: Any = "a" if kind is TextMessage else b"a"
    async with serve(tls=tls) as server:
        async with websocket(server) as client:
            await client.open("/ws")
            await client.send(kind(data=letter * 2**20))
            whole = empty
            while True:
                event = await client.next(kind)
                whole += event.data if kind is TextMessage else bytes(event.data)
                if event.message_finished:
                    break
            assert whole == letter * 2**20
            await client.send(kind(data=letter * (2**20 + 1)))
            assert (await client.closed())[0] == 1009
        await server.still_answers()
        assert server.site.received == [whole, None]


@pytest.mark.parametrize("tls", [False, True])
async def test_pings_are_answered_with_what_they_hold(serve: Serve, websocket: Client, tls: bool) -> None:
    async with serve(tls=tls, websocket_ping_seconds=0.1) as server, websocket(server) as client:
        await client.open("/ws")
        for payload in (b"", b"p" * 125):
            await client.send(Ping(payload=payload))
            assert bytes((await client.next(Pong)).payload) == payload
        assert (await client.next(Ping)) is not None, "and whoever is silent is asked"


async def test_a_message_in_countless_pieces_gets_a_farewell(serve: Serve, websocket: Client) -> None:
    async with serve() as server:
        async with websocket(server) as client:
            await client.open("/ws")
            await client.raw(frame(1, b"a", fin=False))
            for _ in range(20):
                await client.raw(frame(0, b"", fin=False) * 1000)
            assert (await client.closed())[0] == 1008
        await server.still_answers()


async def test_a_message_in_many_small_pieces_fills_no_memory(serve: Serve, websocket: Client) -> None:
    async with serve() as server, websocket(server) as client:
        await client.open("/ws")
        tamil = "அ" * 10_000
        pieces = [frame(0 if place else 1, "அ".encode(), fin=False) for place in range(10_000)]
        await client.raw(b"".join(pieces) + frame(0, b""))
        whole = ""
        while True:
            event = await client.next(TextMessage)
            whole += event.data
            if event.message_finished:
                break
        assert whole == tamil


async def test_an_error_of_the_handler_is_told_with_1011(serve: Serve, websocket: Client) -> None:
    async with serve() as server:
        async with websocket(server) as client:
            await client.open("/ws/boom")
            assert (await client.closed())[0] == 1011
        assert len(server.site.failures) == 1
        await server.still_answers()


async def test_goodbye_is_told_with_1012_even_when_the_handler_lingers(
    serve: Serve, websocket: Client
) -> None:
    async with serve() as server, websocket(server) as client, websocket(server) as other:
        await client.open("/ws/lingers")
        await other.open("/ws")
        await server.site.entered.wait()
        server.lane.goodbye()
        code, reason = await client.closed()
        assert code == 1012 and "reconnect" in reason
        assert (await other.closed())[0] == 1012
        await server.site.until(lambda: server.site.received == [None])
        assert server.site.running == 1
        assert server.lane.cut() >= 1
        with trio.fail_after(5):
            await server.lane.drained()
        assert server.site.running == 0


@pytest.fixture
def short_farewell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long for the answer to a farewell."""
    monkeypatch.setattr("etamil_actors.edge.full.websocket.FAREWELL_SECONDS", 0.1)


async def test_a_client_that_answers_no_farewell_is_left(
    serve: Serve, websocket: Client, short_farewell: None
) -> None:
    async with serve() as server, websocket(server) as client:
        await client.open("/ws")
        server.lane.goodbye()
        with trio.fail_after(10):
            await server.lane.drained()


async def test_a_silent_client_is_asked_and_then_left(serve: Serve, websocket: Client) -> None:
    async with serve(websocket_ping_seconds=0.1) as server:
        async with websocket(server) as client:
            await client.open("/ws")
            for _ in range(3):
                ping = await client.next(Ping)
                await client.send(ping.response())
            assert (await client.closed())[0] == 1011
        await server.still_answers()


async def test_a_client_that_is_gone_is_told_to_the_handler(serve: Serve, websocket: Client) -> None:
    async with serve() as server:
        async with websocket(server) as client:
            await client.open("/ws")
        await server.site.until(lambda: server.site.received == [None])
        await server.still_answers()
        assert server.site.finished[0][3] is True


async def test_a_client_that_takes_nothing_ends_its_handler(serve: Serve, websocket: Client) -> None:
    async with serve(write_seconds=0.2) as server, websocket(server) as client:
        await client.open("/ws/sends")
        await server.site.until(lambda: bool(server.site.finished))
        assert server.site.finished[0][3] is True
        assert not server.site.failures


# ---------------------------------------------------------------- memory


async def test_a_flood_of_messages_to_a_slow_handler_is_held_back(serve: Serve, websocket: Client) -> None:
    async with serve() as server:
        async with websocket(server) as client:
            await client.open("/ws/slow")
            message = frame(2, bytes(60_000))
            sent = 0
            tracemalloc.start()
            try:
                with trio.move_on_after(0.5) as limit:
                    while True:
                        await client.raw(message)
                        sent += len(message)
                assert limit.cancelled_caught
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            assert sent < 64 * 1024 * 1024 and peak < 16 * 1024 * 1024
            assert server.site.received == []
        server.site.gate.set()
        await server.still_answers()


@pytest.mark.parametrize("pieces", [1, 40])
async def test_a_small_frame_cannot_become_a_large_memory(
    serve: Serve, websocket: Client, pieces: int
) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(bytes(256 * 1024 * 1024)) + packer.flush(zlib.Z_SYNC_FLUSH)
    packed = packed[:-4]
    assert len(packed) < 300_000
    size = len(packed) // pieces + 1
    parts = [packed[place : place + size] for place in range(0, len(packed), size)]
    async with serve() as server:
        async with websocket(server) as client:
            accepted = await client.open("/ws", extensions=[PerMessageDeflate()])
            assert accepted.extensions
            tracemalloc.start()
            try:
                for number, part in enumerate(parts):
                    last = number == len(parts) - 1
                    await client.raw(frame(0 if number else 2, part, fin=last, bits=0 if number else 0x40))
                assert (await client.closed())[0] == 1009
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            assert peak < 16 * 1024 * 1024
        await server.still_answers()


async def test_packed_messages_are_unpacked(serve: Serve, websocket: Client) -> None:
    async with serve() as server, websocket(server) as client:
        await client.open("/ws", extensions=[PerMessageDeflate()])
        for text in ("வணக்கம்" * 1000, "", "வணக்கம்" * 1000):
            await client.send(TextMessage(data=text))
            whole = ""
            while True:
                event = await client.next(TextMessage)
                whole += event.data
                if event.message_finished:
                    break
            assert whole == text


async def test_what_is_not_packed_as_it_says_gets_a_farewell(serve: Serve, websocket: Client) -> None:
    async with serve() as server:
        async with websocket(server) as client:
            await client.open("/ws", extensions=[PerMessageDeflate()])
            await client.raw(frame(1, b"\xff" * 40, bits=0x40))
            assert (await client.closed())[0] == 1007
        await server.still_answers()


# ---------------------------------------------------------------- over HTTP/2


async def test_a_websocket_over_http2(serve: Serve, http2: Client) -> None:
    async with serve(tls=True) as server, http2(server) as client:
        while client.h2.remote_settings.get(h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL) != 1:
            await client.pump()
        number = client.h2.get_next_available_stream_id()
        client.h2.send_headers(
            number,
            [
                (b":method", b"CONNECT"),
                (b":protocol", b"websocket"),
                (b":scheme", b"https"),
                (b":authority", b"localhost"),
                (b":path", b"/ws"),
                (b"sec-websocket-version", b"13"),
                (b"origin", b"https://localhost"),
            ],
        )
        payload = "வணக்கம்".encode()
        client.h2.send_data(number, frame(1, payload))
        await client.flush()
        while not client.of(number, h2.events.DataReceived):
            await client.pump()
        client.h2.send_data(number, frame(8, b"\x03\xe8"), end_stream=True)
        await client.flush()
        status, _, body = await client.answer(number)
        assert status == 200
        assert body == b"\x81" + bytes([len(payload)]) + payload + b"\x88\x02\x03\xe8"
        assert (await client.answer(await client.request()))[0] == 200


async def test_goodbye_reaches_a_websocket_over_http2(
    serve: Serve, http2: Client, short_farewell: None
) -> None:
    async with serve(tls=True) as server, http2(server) as client:
        number = client.h2.get_next_available_stream_id()
        client.h2.send_headers(
            number,
            [
                (b":method", b"CONNECT"),
                (b":protocol", b"websocket"),
                (b":scheme", b"https"),
                (b":authority", b"localhost"),
                (b":path", b"/ws/lingers"),
                (b"sec-websocket-version", b"13"),
            ],
        )
        await client.flush()
        await server.site.entered.wait()
        server.lane.goodbye()
        await read_until(client.stream, struct.pack("!H", 1012))
        server.site.gate.set()
        with trio.fail_after(10):
            await server.lane.drained()


# ---------------------------------------------------------------- a client of others


async def test_a_client_of_others_talks_to_it(serve: Serve) -> None:
    import httpx2

    async with (
        serve() as server,
        httpx2.AsyncClient() as http,
        http.websocket(f"ws://127.0.0.1:{server.port}/ws") as connection,
    ):
        await connection.send_text("வணக்கம்")
        assert await connection.receive_text() == "வணக்கம்"
        await connection.send_bytes(b"")
        assert await connection.receive_bytes() == b""


# ---------------------------------------------------------------- who may connect


@pytest.mark.parametrize(
    ("origin", "host", "scheme", "origins", "may"),
    [
        (None, b"kadai.example", "https", (), True),
        (b"https://kadai.example", b"kadai.example", "https", (), True),
        (b"https://kadai.example", b"kadai.example:443", "https", (), True),
        (b"https://KADAI.example:443", b"kadai.example", "https", (), True),
        (b"http://localhost:8080", b"localhost:8080", "http", (), True),
        (b"http://[::1]:8080", b"[::1]:8080", "http", (), True),
        (b"http://[::1]", b"[::1]", "http", (), True),
        (b"https://kadai.example", b"kadai.example", "http", (), True),
        (b"http://kadai.example", b"kadai.example", "https", (), False),
        (b"https://kadai.example.evil.example", b"kadai.example", "https", (), False),
        (b"https://evil.example", b"kadai.example", "https", (), False),
        (b"https://kadai.example:8443", b"kadai.example", "https", (), False),
        (b"https://x@kadai.example", b"kadai.example", "https", (), False),
        (b"null", b"kadai.example", "https", (), False),
        (b"", b"kadai.example", "https", (), False),
        (b"\xff", b"\xff", "https", (), False),
        (b"https://app.example", b"kadai.example", "https", ("https://app.example",), True),
        (b"https://app.example", b"kadai.example", "https", ("https://app.example/",), True),
        (b"https://app.example", b"kadai.example", "https", ("*",), True),
        (b"https://app.example", None, "https", (), False),
    ],
)
def test_pages_of_other_places_may_not_connect(
    origin: bytes | None, host: bytes | None, scheme: str, origins: tuple[str, ...], may: bool
) -> None:
    assert is_origin_allowed(origin, host, scheme, origins) is may


@pytest.mark.parametrize(
    ("origin", "origins", "may"),
    [
        (b"https://evil.example", ("*",), False),
        (b"https://app.example", ("*", "https://app.example"), True),
        (b"https://kadai.example", ("*",), True),
        (None, ("*",), True),
    ],
)
def test_where_every_page_may_connect_none_may_act_for_the_user(
    origin: bytes | None, origins: tuple[str, ...], may: bool
) -> None:
    assert is_origin_allowed(origin, b"kadai.example", "https", origins, has_cookies=True) is may


assert wsproto.__version__
