"""HTTP/2 in the full lane, by hand-made frames and by real clients."""

from __future__ import annotations

import json
import subprocess
from functools import partial
from typing import Any

import h2.events
import h2.settings
import pytest
import trio
from hpack import Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

Serve = Any
Client = Any


async def test_requests_are_answered_side_by_side(serve: Serve, http2: Client) -> None:
    async with serve(tls=True) as server, http2(server) as client:
        waits = await client.request(b"/wait")
        quick = await client.request(b"/plain")
        status, headers, body = await client.answer(quick)
        assert (status, body) == (200, b"vanakkam") and headers[b"content-length"] == b"8"
        assert b"server" not in headers and b"date" in headers and b"connection" not in headers
        server.site.gate.set()
        assert (await client.answer(waits))[2] == b"at last"
        request = server.site.requests[0]
        assert (request.version, request.scheme, request.client) == ("2", "https", "127.0.0.1")
        assert dict(request.fields)[b"host"] == b"localhost"


async def test_a_body_is_uploaded_and_a_large_one_downloaded(serve: Serve, http2: Client) -> None:
    async with serve(tls=True) as server, http2(server) as client:
        number = await client.request(b"/echo", method=b"POST", end=False)
        client.h2.send_data(number, b"one ")
        client.h2.send_data(number, b"two", end_stream=True)
        await client.flush()
        assert (await client.answer(number))[2] == b"one two"
        status, _, body = await client.answer(await client.request(b"/big"))
        assert status == 200 and len(body) == 8 * 1024 * 1024


async def test_a_slow_reader_of_a_body_does_not_hold_other_requests(serve: Serve, http2: Client) -> None:
    async with serve(tls=True) as server, http2(server) as client:
        waits = await client.request(b"/wait", method=b"POST", end=False)
        await client.pump()
        while client.h2.local_flow_control_window(waits):
            size = min(16384, client.h2.local_flow_control_window(waits))
            client.h2.send_data(waits, bytes(size))
        await client.flush()
        assert (await client.answer(await client.request(b"/plain")))[2] == b"vanakkam"
        server.site.gate.set()
        assert (await client.answer(waits))[2] == b"at last"
        # What nobody took is given back to the window of the connection.
        number = await client.request(b"/count", method=b"POST", end=False)
        sent = 0
        while sent < 3_000_000:
            room = min(16384, client.h2.local_flow_control_window(number))
            if room:
                client.h2.send_data(number, bytes(room))
                sent += room
                await client.flush()
            else:
                await client.pump()
        client.h2.end_stream(number)
        await client.flush()
        assert (await client.answer(number))[2] == str(sent).encode()


async def test_an_early_answer_stops_an_upload_that_goes_on_and_on(serve: Serve, http2: Client) -> None:
    async with serve(tls=True) as server, http2(server) as client:
        number = await client.request(b"/deny", method=b"POST", end=False)
        assert (await client.answer(number))[0] == 401
        while not client.of(number, h2.events.StreamReset):
            while client.h2.local_flow_control_window(number) and not client.of(
                number, h2.events.StreamReset
            ):
                client.h2.send_data(number, bytes(min(16384, client.h2.local_flow_control_window(number))))
            await client.flush()
            await client.pump()
        assert client.of(number, h2.events.StreamReset)[0].error_code == 0
        assert (await client.answer(await client.request()))[0] == 200


async def test_a_client_that_waits_to_be_told_to_go_on_is_told(serve: Serve, http2: Client) -> None:
    async with serve(tls=True) as server, http2(server) as client:
        number = await client.request(
            b"/echo", method=b"POST", more=[(b"expect", b"100-continue")], end=False
        )
        while not client.of(number, h2.events.InformationalResponseReceived):
            await client.pump()
        client.h2.send_data(number, b"now", end_stream=True)
        await client.flush()
        assert (await client.answer(number))[2] == b"now"


async def test_a_stream_whose_client_takes_nothing_is_given_up(serve: Serve, http2: Client) -> None:
    async with serve(tls=True, write_seconds=0.1) as server, http2(server) as client:
        client.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0})
        number = await client.request(b"/big")
        assert await client.answer(number) != (200, {}, b"")
        assert client.of(number, h2.events.StreamReset)
        await server.site.until(lambda: bool(server.site.finished))
        assert server.site.finished[0][3] is True
        status, _, _ = await client.answer(await client.request(b"/empty"))
        assert status == 204


async def test_goodbye_refuses_what_comes_and_finishes_what_is_there(serve: Serve, http2: Client) -> None:
    async with serve(tls=True) as server, http2(server) as client:
        waits = await client.request(b"/wait")
        await server.site.entered.wait()
        server.lane.goodbye()
        data = b""
        while b"\x00\x00\x08\x07" not in data:  # GOAWAY
            data += await client.stream.receive_some(65536)
        server.site.gate.set()
        data = b""
        while b"at last" not in data:
            data += await client.stream.receive_some(65536)
        await server.lane.drained()
        assert server.site.finished == [("/wait", 200, 7, False)]
        assert waits == 1


async def test_a_request_that_was_on_its_way_is_answered_after_goodbye(serve: Serve, http2: Client) -> None:
    async with serve(tls=True) as server, http2(server) as client:
        assert (await client.answer(await client.request()))[0] == 200
        server.site.is_draining = True
        server.lane.goodbye()
        await client.request()
        data = b""
        while b"vanakkam" not in data:
            data += await client.stream.receive_some(65536)
        assert b"\x00\x00\x08\x07\x00\x00\x00\x00\x00\x7f\xff\xff\xff" in data, "the end is near"
        while piece := await client.stream.receive_some(65536):
            data += piece
        assert b"\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x03" in data, "the last was this"
        with trio.fail_after(2):
            await server.lane.drained()


@pytest.mark.parametrize("path", [b"/plain", b"/stream", b"/head"])
async def test_whoever_leaves_with_the_whole_answer_was_answered(
    serve: Serve, http2: Client, path: bytes, later: None
) -> None:
    async with serve(tls=True) as server:
        async with http2(server) as client:
            number = await client.request(path, method=b"HEAD" if path == b"/head" else b"GET")
            while not client.of(number, h2.events.StreamEnded):
                await client.pump()
        await server.site.until(lambda: bool(server.site.finished))
        assert server.site.finished[0][1] == 200 and server.site.finished[0][3] is False


async def test_a_client_that_left_before_the_end_was_not_answered(serve: Serve, http2: Client) -> None:
    async with serve(tls=True) as server:
        async with http2(server) as client:
            client.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0})
            number = await client.request()
            while not client.of(number, h2.events.ResponseReceived):
                await client.pump()
        await server.site.until(lambda: bool(server.site.finished))
        assert server.site.finished[0][3] is True


async def test_quiet_connections_end_with_goodbye(serve: Serve, http2: Client) -> None:
    async with serve(tls=True, keep_alive_seconds=0.1) as server, http2(server) as client:
        assert (await client.answer(await client.request()))[0] == 200
        await client.until_end()
        assert any(isinstance(event, h2.events.ConnectionTerminated) for event in client.events)
        await server.lane.drained()


async def test_with_http2_off_tls_speaks_http1_only(serve: Serve) -> None:
    async with serve(tls=True, http2="off") as server:
        done = await curl(
            "--http2",
            "--cacert",
            server.pem,
            "-w",
            "%{http_version}",
            f"https://localhost:{server.port}/plain",
        )
        assert done.stdout == b"vanakkam1.1", done.stderr


# ---------------------------------------------------------------- awkward clients

HEADERS = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"localhost"), (b":path", b"/plain")]


def head(
    number: int, headers: Any = HEADERS, *, flags: tuple[str, ...] = ("END_HEADERS", "END_STREAM")
) -> bytes:
    frame = HeadersFrame(number, data=Encoder().encode(list(headers)))
    frame.flags = set(flags)
    return frame.serialize()


def with_header(name: bytes, value: bytes) -> bytes:
    return head(1, [*HEADERS, (name, value)])


def with_pseudo(name: bytes, value: bytes) -> bytes:
    return head(1, [(n, value if n == name else v) for n, v in HEADERS])


def bomb() -> bytes:
    """A small head that unpacks to megabytes: one field in the table, used again and again."""
    encoder = Encoder()
    block = encoder.encode([*HEADERS, (b"x", b"a" * 3900)]) + b"\xbe" * 16000
    frame = HeadersFrame(1, data=block[:16000])
    more = ContinuationFrame(1, data=block[16000:])
    frame.flags = {"END_STREAM"}
    more.flags = {"END_HEADERS"}
    return frame.serialize() + more.serialize()


def settings(*pairs: tuple[int, int]) -> bytes:
    return SettingsFrame(0, settings=dict(pairs)).serialize()


def priority(number: int, on: int) -> bytes:
    return PriorityFrame(number, depends_on=on, stream_weight=10, exclusive=True).serialize()


AWKWARD = {
    "data on a finished request": head(1) + DataFrame(1, data=b"x").serialize(),
    "data on a request that was answered early": head(
        1, [*HEADERS[:3], (b":path", b"/deny")], flags=("END_HEADERS",)
    )
    + DataFrame(1, data=b"x" * 9000).serialize() * 3,
    "data on a request that never was": DataFrame(7, data=b"x").serialize(),
    "a tunnel without a path": head(1, [(b":method", b"CONNECT"), (b":authority", b"localhost")]),
    "a tunnel to something else": head(
        1, [(b":method", b"CONNECT"), (b":protocol", b"connect-udp"), *HEADERS[1:]]
    ),
    "a letter outside ASCII in the path": with_pseudo(b":path", "/கொ".encode()),
    "a broken letter in the path": with_pseudo(b":path", b"/\xff\xfe"),
    "a path that is none": with_pseudo(b":path", b"plain"),
    "a space in the path": with_pseudo(b":path", b"/pl ain"),
    "a letter outside ASCII in the method": with_pseudo(b":method", b"G\xc3\x89T"),
    "a host that is no UTF-8": with_pseudo(b":authority", b"\xff\xfe"),
    "two hosts": with_header(b"host", b"elsewhere"),
    "a header in capitals": with_header(b"X-Big", b"1"),
    "a line feed in a header": with_header(b"x", b"a\r\nb: c"),
    "a connection header": with_header(b"connection", b"close"),
    "a transfer encoding": with_header(b"transfer-encoding", b"chunked"),
    "an unknown pseudo header": head(1, [*HEADERS, (b":foo", b"bar")]),
    "a length that is a lie": head(1, [*HEADERS, (b"content-length", b"5")], flags=("END_HEADERS",))
    + b"\x00\x00\x02\x00\x01\x00\x00\x00\x01ab",
    "a length that is none": with_header(b"content-length", b"-5"),
    "a head that unpacks to megabytes": bomb(),
    "a head that is not packed": HeadersFrame(1, data=b"\xff\xff\xff\xff\xff\xff\xff").serialize(),
    "a continuation of nothing": ContinuationFrame(1, data=b"x").serialize(),
    "an even number": head(2),
    "a promise from a client": PushPromiseFrame(1, promised_stream_id=2, data=b"").serialize(),
    "a frame that is too large": b"\x00\xff\xff\x00\x00\x00\x00\x00\x01" + bytes(65535),
    "a window that overflows": WindowUpdateFrame(0, window_increment=2**31 - 1).serialize() * 2,
    "a window of nothing": b"\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00",
    "settings that are impossible": settings((5, 1)),
    "settings that offer a huge table": settings((1, 2**32 - 1), (4, 2**31 - 1), (99, 7)) + head(1),
    "settings of an odd length": b"\x00\x00\x05\x04\x00\x00\x00\x00\x00" + bytes(5),
    "a reset of nothing": RstStreamFrame(9).serialize(),
    "a ping that is too short": b"\x00\x00\x01\x06\x00\x00\x00\x00\x00\x00",
    "pings without end": PingFrame(0, opaque_data=b"12345678").serialize() * 5000,
    "settings without end": settings((4, 65535)) * 3000,
    "priorities without end": b"".join(priority(number, 0) for number in range(1, 6001, 2)),
    "a circle of priorities": priority(1, 3) + priority(3, 5) + priority(5, 1) + head(1),
    "a priority on itself": priority(1, 1),
    "empty data without end": head(1, [*HEADERS[:3], (b":path", b"/wait")], flags=("END_HEADERS",))
    + DataFrame(1).serialize() * 5000,
    "a farewell and then a request": GoAwayFrame(0).serialize() + head(1),
    "an unknown frame": b"\x00\x00\x03\xee\x00\x00\x00\x00\x01abc" + head(1),
    "nothing of HTTP/2": b"GET / HTTP/1.1\r\n\r\n",
}


@pytest.mark.parametrize("data", AWKWARD.values(), ids=AWKWARD)
async def test_an_awkward_client_ends_nobody_but_itself(serve: Serve, http2: Client, data: bytes) -> None:
    async with serve(tls=True) as server:
        server.site.gate.set()
        async with http2(server) as witness:
            waits = await witness.request(b"/plain")
            async with http2(server) as client:
                await client.flush()
                try:
                    await client.stream.send_all(data)
                    await client.stream.send_all(PingFrame(0, opaque_data=b"finished").serialize())
                    await until_pong(client)
                except trio.BrokenResourceError:
                    pass  # the server has ended this connection, as it may
            assert (await witness.answer(waits))[0] == 200
            assert (await witness.answer(await witness.request()))[0] == 200
        await server.still_answers()
        assert not server.site.failures


NOTHING = {
    "pings": PingFrame(0, opaque_data=b"12345678").serialize() * 1000,
    "settings": SettingsFrame(0).serialize() * 2000,
    "priorities": PriorityFrame(1, depends_on=0, stream_weight=10).serialize() * 1000,
    "windows": WindowUpdateFrame(0, window_increment=1).serialize() * 1000,
    "unknown frames": b"\x00\x00\x00\xee\x00\x00\x00\x00\x00" * 2000,
    "resets": RstStreamFrame(1).serialize() * 1000,
    "empty data": DataFrame(1).serialize() * 2000,
    "single bytes": DataFrame(1, data=b"x").serialize() * 2000,
}


@pytest.mark.parametrize("data", NOTHING.values(), ids=NOTHING)
async def test_a_client_that_moves_nothing_is_sent_away(serve: Serve, http2: Client, data: bytes) -> None:
    async with serve(tls=True) as server, http2(server) as client:
        opening = head(1, [*HEADERS[:3], (b":path", b"/count")], flags=("END_HEADERS",))
        await client.stream.send_all(opening)
        seen = b""

        async def listen() -> None:
            nonlocal seen
            try:
                while piece := await client.stream.receive_some(65536):
                    seen += bytes(piece)
            except trio.BrokenResourceError:
                pass
            scope.cancel()

        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                scope = nursery.cancel_scope
                nursery.start_soon(listen)
                try:
                    while True:
                        await client.stream.send_all(data)
                except trio.BrokenResourceError:
                    pass
        assert b"\x00\x00\x08\x07" in seen, "a farewell"
        await server.still_answers()


async def test_a_client_that_moves_much_is_never_sent_away(serve: Serve, http2: Client) -> None:
    async with serve(tls=True) as server, http2(server) as client:
        for _ in range(5):  # in pieces of 100 bytes, of which a client sends many
            number = await client.request(b"/count", method=b"POST", end=False)
            sent = 0
            while sent < 400_000:
                while client.h2.local_flow_control_window(number) < 100:
                    await client.flush()
                    assert await client.pump()
                client.h2.send_data(number, b"y" * 100)
                sent += 100
            client.h2.end_stream(number)
            await client.flush()
            assert (await client.answer(number))[2] == b"400000"
        for _ in range(3):
            assert len((await client.answer(await client.request(b"/big")))[2]) == 8 * 1024 * 1024


async def until_pong(client: Any) -> None:
    """The server has read all that was sent, or has ended the connection."""
    seen = b""
    with trio.fail_after(10):
        while b"finished" not in seen:
            data = await client.stream.receive_some(65536)
            if not data:
                return
            seen = seen[-8:] + bytes(data)
            if b"\x07\x00\x00\x00\x00\x00" in seen:  # the server says goodbye, and waits for ours
                return


@pytest.mark.parametrize(
    ("data", "status", "said"),
    [
        (AWKWARD["a tunnel without a path"], 501, "CONNECT"),
        (AWKWARD["a letter outside ASCII in the path"], 400, "%E0%AE%95%E0%AF%8A"),
        (AWKWARD["a path that is none"], 400, "understood"),
        (with_pseudo(b":authority", b"a b/c@"), 400, "Host"),
        (with_pseudo(b":method", b"get"), 501, "get"),
        (with_header(b"expect", b"200-ok"), 417, "100-continue"),
        (head(1, [*HEADERS[:3], (b":path", b"/" + b"a" * 9000)]), 414, "8192"),
        (head(1, [*HEADERS, *((b"x-%d" % number, b"y") for number in range(120))]), 431, "100"),
    ],
)
async def test_a_request_that_is_none_is_told_why(
    serve: Serve, http2: Client, data: bytes, status: int, said: str
) -> None:
    async with serve(tls=True) as server, http2(server) as client:
        client.h2.get_next_available_stream_id()
        number = await client.request(b"/wait")  # the client's state knows of one request; the next is ours
        await client.stream.send_all(data.replace(b"\x00\x00\x00\x01", b"\x00\x00\x00\x03", 1))
        seen = b""
        while said.encode() not in seen:
            seen += await client.stream.receive_some(65536)
        assert number == 1
        while not server.site.finished:
            await server.site.changed.wait()
        assert server.site.finished[0][1] == status
        server.site.gate.set()


async def test_opening_and_resetting_gets_no_more_done_than_waiting(
    serve: Serve, http2: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etamil_actors.edge.full.guarded.LINGER_SECONDS", 0.1)
    async with serve(tls=True) as server:
        async with http2(server) as client:
            try:
                for _ in range(600):
                    number = await client.request(b"/wait")
                    client.h2.reset_stream(number)
                    await client.flush()
            except trio.BrokenResourceError:
                pass  # sent away
            await client.until_end()
        assert server.site.running <= 100
        server.site.gate.set()
        await server.still_answers()


# ---------------------------------------------------------------- real clients


async def curl(*words: str) -> subprocess.CompletedProcess[bytes]:
    return await trio.run_process(
        ["curl", "-sS", *words], capture_stdout=True, capture_stderr=True, check=False
    )


async def test_curl_downloads_uploads_and_asks_for_ranges(serve: Serve) -> None:
    async with serve(tls=True) as server:
        url = f"https://localhost:{server.port}"
        common = ("--http2", "--cacert", server.pem)
        done = await curl(*common, "-w", "%{http_version} %{http_code}", f"{url}/plain")
        assert done.stdout == b"vanakkam2 200", done.stderr
        done = await curl(*common, "-o", "-", f"{url}/big")
        assert len(done.stdout) == 8 * 1024 * 1024, done.stderr
        done = await curl(*common, "--data-binary", "x" * 100_000, f"{url}/count")
        assert done.stdout == b"100000", done.stderr
        done = await curl(*common, "-H", "Range: bytes=1-3", f"{url}/plain")
        assert dict(server.site.requests[-1].fields)[b"range"] == b"bytes=1-3"
        done = await curl("--http1.1", "--cacert", server.pem, "-w", "%{http_version}", f"{url}/plain")
        assert done.stdout == b"vanakkam1.1", done.stderr
        await server.still_answers()


async def test_curl_uploads_from_a_file_and_is_refused_early(serve: Serve, tmp_path: Any) -> None:
    large = tmp_path / "large"
    large.write_bytes(bytes(3_000_000))
    async with serve(tls=True) as server:
        url = f"https://localhost:{server.port}"
        common = ("--cacert", server.pem, "-w", "%{http_code}", "-o", "/dev/null")
        for version in ("--http2", "--http1.1"):
            done = await curl(version, *common, "-T", str(large), f"{url}/count")
            assert done.stdout == b"200", done.stderr
            done = await curl(version, *common, "-T", str(large), f"{url}/deny")
            assert done.stdout == b"401", done.stderr
        assert [sent for path, _, sent, _ in server.site.finished if path == "/count"] == [7, 7]
        await server.still_answers()
        assert not server.site.failures


async def test_curl_asks_for_http2_in_the_clear_and_gets_http1(serve: Serve) -> None:
    async with serve() as server:
        url = f"http://127.0.0.1:{server.port}/plain"
        done = await curl("--http2", "-w", "%{http_version}", url)
        assert done.stdout == b"vanakkam1.1", done.stderr
        done = await curl("--http2-prior-knowledge", url)
        assert done.returncode != 0
        await server.still_answers()


async def test_httpx_speaks_http2(serve: Serve) -> None:
    import ssl

    import httpx2

    async with serve(tls=True) as server:
        trust = ssl.create_default_context(cafile=server.pem)
        async with httpx2.AsyncClient(http2=True, verify=trust) as client:
            url = f"https://localhost:{server.port}"
            answer = await client.get(f"{url}/plain")
            assert (answer.http_version, answer.text) == ("HTTP/2", "vanakkam")
            answer = await client.post(f"{url}/echo", content=b"y" * 200_000)
            assert len(answer.content) == 200_000
            results: list[int] = []

            async def get() -> None:
                results.append((await client.get(f"{url}/stream")).status_code)

            async with trio.open_nursery() as nursery:
                for _ in range(20):
                    nursery.start_soon(partial(get))
            assert results == [200] * 20
            answer = await client.post(f"{url}/deny", content=b"y" * 3_000_000)
            assert answer.status_code == 401 and json.loads(answer.content)["english"] == "no"
        await server.still_answers()
