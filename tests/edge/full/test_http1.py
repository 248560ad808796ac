"""HTTP/1.1 in the full lane: TLS connections, and what the fast lane hands over."""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

import pytest
import trio
import trio.testing

from etamil_actors.edge.full.lane import FullLane

Serve = Any

GET = b"GET /plain HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /plain HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


async def read(stream: trio.abc.Stream) -> bytes:
    """What comes until the end, which may not be a reset."""
    data = b""
    while piece := await stream.receive_some(4096):
        data += piece
    return data


def parts(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines)
    return int(first.split(" ")[1]), {name.lower(): value for name, value in fields.items()}, body


async def test_a_request_is_answered_with_length_and_date_and_without_a_server_header(serve: Serve) -> None:
    async with serve() as server:
        status, headers, body = parts(await server.ask(LAST))
        assert (status, body) == (200, b"vanakkam")
        assert headers["content-length"] == "8" and "date" in headers and "server" not in headers
        assert server.site.requests[0].version == "1.1"
        assert server.site.requests[0].scheme == "http"
        assert server.site.requests[0].client == "127.0.0.1"
        assert server.site.finished == [("/plain", 200, 8, False)]


async def test_tls_is_spoken_and_the_scheme_says_so(serve: Serve) -> None:
    async with serve(tls=True) as server:
        assert parts(await server.ask(LAST))[0] == 200
        assert server.site.requests[0].scheme == "https"


async def test_pipelined_requests_are_answered_in_order(serve: Serve) -> None:
    async with serve() as server:
        first = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\none"
        second = b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n"
        answer = await server.ask(first + second + LAST)
        bodies = [part.partition(b"\r\n\r\n")[2] for part in answer.split(b"HTTP/1.1 ")[1:]]
        assert bodies == [b"one", b"two", b"vanakkam"]
        await server.still_answers()


async def test_a_body_is_read_only_when_it_is_wanted_and_then_the_client_is_told_to_go_on(
    serve: Serve,
) -> None:
    async with serve() as server:
        async with await server.connect() as stream:
            await stream.send_all(
                b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
            )
            assert (await stream.receive_some(4096)).startswith(b"HTTP/1.1 100 Continue\r\n")
            await stream.send_all(b"hi")
            assert (await stream.receive_some(4096)).endswith(b"hi")
        refused = await server.ask(
            b"POST /deny HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        )
        assert refused.startswith(b"HTTP/1.1 401 ")


async def test_an_answer_of_unknown_length_is_sent_in_chunks(serve: Serve) -> None:
    async with serve() as server:
        answer = await server.ask(b"GET /stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b"transfer-encoding: chunked" in answer.lower() and answer.endswith(b"2\r\n4 \r\n0\r\n\r\n")
        old = await server.ask(b"GET /stream HTTP/1.0\r\n\r\n")
        assert b"chunked" not in old.lower() and old.endswith(b"\r\n\r\n0 1 2 3 4 ")


@pytest.mark.parametrize(("path", "method"), [("/head", "HEAD"), ("/empty", "GET")])
async def test_answers_without_a_body_keep_the_connection(serve: Serve, path: str, method: str) -> None:
    async with serve() as server:
        answer = await server.ask(f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() + LAST)
        head, _, rest = answer.partition(b"\r\n\r\n")
        assert (b"content-length: 8" in head) is (path == "/head")
        assert rest.startswith(b"HTTP/1.1 200 OK")


async def test_a_client_that_only_closed_its_sending_side_gets_its_answer(serve: Serve) -> None:
    async with serve() as server:
        async with await server.connect() as stream:
            await stream.send_all(b"GET /gone HTTP/1.1\r\nHost: x\r\n\r\n")
            await stream.send_eof()
            answer = b""
            while piece := await stream.receive_some(4096):
                answer += piece
        assert answer.endswith(b"still here")
        assert server.site.finished == [("/gone", 200, 10, False)]


async def test_a_client_that_left_does_not_end_its_handler(serve: Serve) -> None:
    async with serve() as server:
        stream = await server.connect()
        await stream.send_all(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        await server.site.entered.wait()
        await stream.aclose()
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert server.site.running == 1
        server.site.gate.set()
        await server.still_answers()
        assert server.site.finished[0][:2] == ("/wait", 200)


@pytest.mark.parametrize("path", [b"/plain", b"/stream"])
async def test_whoever_leaves_with_the_whole_answer_was_answered(
    serve: Serve, path: bytes, later: None
) -> None:
    async with serve() as server:
        stream = await server.connect()
        await stream.send_all(b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % path)
        answer = b""
        while not answer.endswith((b"vanakkam", b"0\r\n\r\n")):
            answer += await stream.receive_some(4096)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # and that by a reset
        await stream.aclose()
        await server.site.until(lambda: bool(server.site.finished))
        assert server.site.finished[0][1] == 200 and server.site.finished[0][3] is False


async def test_an_early_answer_to_an_upload_is_read_and_leaves_nothing_behind(serve: Serve) -> None:
    async with serve() as server:
        async with await server.connect() as stream:
            await stream.send_all(b"POST /deny HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n")
            for _ in range(30):
                await stream.send_all(bytes(100_000))
            answer = await stream.receive_some(4096)
            assert answer.startswith(b"HTTP/1.1 401 ")
        await server.still_answers()
        assert not server.site.failures


async def test_a_handler_that_reads_no_body_does_not_hold_it(serve: Serve) -> None:
    async with serve() as server:
        async with await server.connect() as stream, trio.open_nursery() as nursery:
            nursery.start_soon(
                stream.send_all,
                b"POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n" + bytes(1048576),
            )
            await server.site.entered.wait()
            server.site.gate.set()
            answer = b""
            while b"at last" not in answer:
                answer += await stream.receive_some(4096)
        await server.still_answers()


async def test_a_handler_that_fails_is_one_500_and_is_reported(serve: Serve) -> None:
    async with serve() as server:
        status, headers, body = parts(await server.ask(b"GET /boom HTTP/1.1\r\nHost: x\r\n\r\n"))
        assert status == 500 and headers["content-type"] == "application/problem+json"
        assert "தயவுசெய்து" in json.loads(body)["tamil"]
        assert [str(problem) for problem in server.site.failures] == ["a mistake of ours"]
        await server.still_answers()


async def test_an_answer_that_was_begun_and_given_up_gets_no_second_head(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    from etamil_actors.edge.full.h1 import GuardedH11

    as_it_is = GuardedH11._send_head

    async def send_head(self: GuardedH11, event: Any) -> None:
        await as_it_is(self, event)
        raise RuntimeError("ended between the head and what follows")

    monkeypatch.setattr(GuardedH11, "_send_head", send_head)
    async with serve() as server:
        answer = await server.ask(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.count(b"HTTP/1.1 ") == 1
        assert [str(problem) for problem in server.site.failures] == [
            "ended between the head and what follows"
        ]


async def test_an_answer_that_breaks_off_does_not_look_complete(serve: Serve) -> None:
    async with serve() as server:
        answer = await server.ask(b"GET /broken HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"half of it" in answer and not answer.endswith(b"0\r\n\r\n")
        assert server.site.finished == [("/broken", 200, 10, True)]
        await server.still_answers()


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /plain HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
        (b"GET /plain HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 1\r\n\r\na", 400),
        (b"GET /plain HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\na", 400),
        (
            b"GET /plain HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (b"GET /plain HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (b"GET /plain HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"GET /plain HTTP/1.1\nHost: x\n\n", 400),
        (b"GET /plain HTTP/1.1\r\nHost: x\nX: y\r\n\r\n", 400),
        (b"GET /plain HTTP/1.1\r\nHost: x\r\nX: y\r\n z\r\n\r\n", 400),
        (b"GET /plain HTTP/1.1\r\nHost : x\r\n\r\n", 400),
        (b"GET /plain HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
        (b"GET /plain HTTP/1.1\r\n\r\n", 400),
        (b"GET  /plain HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /pl ain HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /plain\r\n\r\n", 400),
        (b"GET /plain HTTP/3.0\r\nHost: x\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n", 400),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET /" + b"a" * 20000, 414),
        (b"GET /plain HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20000, 431),
        (b"GET /plain HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 101 + b"\r\n", 431),
        (b"GET /plain HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", 400),
    ],
)
async def test_what_has_two_readings_is_refused(serve: Serve, data: bytes, status: int) -> None:
    async with serve() as server:
        answer = await server.ask(data)
        got, headers, body = parts(answer)
        assert got == status, answer
        assert headers["connection"] == "close"
        assert json.loads(body)["status"] == status and answer.count(b"HTTP/1.1 %d " % status) == 1
        assert not server.site.failures
        await server.still_answers()


async def test_letters_outside_ascii_in_the_target_are_refused_with_the_way_to_write_them(
    serve: Serve,
) -> None:
    async with serve() as server:
        status, _, body = parts(await server.ask("GET /கொள்?a=%20 HTTP/1.1\r\nHost: x\r\n\r\n".encode()))
        assert status == 400
        assert json.loads(body)["url"] == "/%E0%AE%95%E0%AF%8A%E0%AE%B3%E0%AF%8D?a=%20"


async def test_an_upgrade_to_http2_in_the_clear_is_answered_as_http1(serve: Serve) -> None:
    async with serve() as server:
        answer = await server.ask(
            b"GET /plain HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\n"
            b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n"
        )
        assert answer.startswith(b"HTTP/1.1 200 OK") and answer.endswith(b"vanakkam")
        await server.still_answers()


async def test_http2_in_the_clear_is_spoken_when_the_settings_say_so(serve: Serve, http2: Any) -> None:
    async with serve(http2="cleartext") as server, http2(server) as client:
        status, _, body = await client.answer(await client.request())
        assert (status, body) == (200, b"vanakkam")
        assert server.site.requests[0].version == "2" and server.site.requests[0].scheme == "http"


# ---------------------------------------------------------------- time


async def test_a_head_that_does_not_come_is_answered_408(serve: Serve) -> None:
    async with serve(header_seconds=0.1) as server:
        assert parts(await server.ask(b"GET /plain HTTP/1.1\r\nHost:"))[0] == 408
        assert await server.ask(b"") == b""


async def test_a_body_that_does_not_come_is_answered_408(serve: Serve) -> None:
    async with serve(body_seconds=0.1) as server:
        answer = await server.ask(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
        assert parts(answer)[0] == 408
        await server.still_answers()


async def test_a_quiet_connection_is_closed_after_its_time(serve: Serve) -> None:
    async with serve(keep_alive_seconds=0.1) as server:
        assert parts(await server.ask(GET))[2] == b"vanakkam"
        await server.still_answers()


async def test_a_client_that_takes_nothing_is_given_up(serve: Serve) -> None:
    async with serve(write_seconds=0.2) as server:
        async with await server.connect() as stream:
            await stream.send_all(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
            await server.site.until(lambda: bool(server.site.finished))
        assert server.site.finished[0][3] is True
        await server.still_answers()


# ---------------------------------------------------------------- the end


async def test_a_download_that_nobody_reads_ends_when_it_is_cut(serve: Serve) -> None:
    async with serve() as server:
        async with await server.connect() as stream:
            await stream.send_all(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
            await server.site.entered.wait()
            server.lane.goodbye()
            assert server.lane.cut() == 1
            with trio.fail_after(1):
                await server.lane.drained()
        assert server.site.finished[0][3] is True


async def test_a_download_that_nobody_reads_ends_when_the_server_is_cancelled(serve: Serve) -> None:
    async with serve() as server, await server.connect() as stream:
        await stream.send_all(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
        await server.site.entered.wait()
        server.scope.cancel()
        with trio.fail_after(4):
            await server.ended.wait()


async def test_a_request_that_was_on_its_way_is_answered_after_goodbye(serve: Serve) -> None:
    async with serve() as server, await server.connect() as kept, await server.connect() as fresh:
        await kept.send_all(GET)
        await kept.receive_some(4096)
        server.site.is_draining = True
        server.lane.goodbye()
        await trio.testing.wait_all_tasks_blocked(0.01)
        for stream in (kept, fresh):
            await stream.send_all(GET)
            status, headers, body = parts(await read(stream))
            assert (status, body, headers["connection"]) == (200, b"vanakkam", "close")
        with trio.fail_after(2):
            await server.lane.drained()


async def test_a_head_that_has_begun_has_a_little_longer_after_goodbye(serve: Serve) -> None:
    async with serve() as server, await server.connect() as good, await server.connect() as slow:
        for stream in (good, slow):
            await stream.send_all(GET[:10])
        await trio.testing.wait_all_tasks_blocked(0.01)
        server.site.is_draining = True
        server.lane.goodbye()
        await trio.sleep(1)  # longer than for those that have sent nothing
        await good.send_all(GET[10:])
        assert parts(await read(good))[2] == b"vanakkam"
        with trio.fail_after(3):
            assert parts(await read(slow))[0] == 408
            await slow.aclose()
            await server.lane.drained()


async def test_what_came_together_is_answered_together_after_goodbye(serve: Serve) -> None:
    async with serve() as server, await server.connect() as stream:
        wait = b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"
        await stream.send_all(wait + GET + GET)
        await server.site.entered.wait()
        server.site.is_draining = True
        server.lane.goodbye()
        server.site.gate.set()
        answers = await read(stream)
        assert answers.count(b"HTTP/1.1 200 OK") == 3 and answers.lower().count(b"connection: close") == 1
        assert answers.endswith(b"vanakkam") and server.site.requests[-1].target == b"/plain"
        await server.lane.drained()


async def test_an_answer_that_ends_a_connection_survives_what_its_client_sends_meanwhile(
    serve: Serve,
) -> None:
    async with serve(tls=True) as server, await server.connect() as stream:
        await stream.send_all(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        await server.site.entered.wait()
        await stream.send_all(GET)
        await stream.send_all(GET)  # is not read while the first request is worked on
        server.site.is_draining = True
        server.lane.goodbye()
        server.site.gate.set()
        assert b"at last" in await read(stream)


async def test_a_handshake_that_hangs_does_not_hold_the_end(serve: Serve) -> None:
    async with serve(tls=True, tls_seconds=60.0) as server:
        stream = await trio.open_tcp_stream("127.0.0.1", server.port)
        await stream.send_all(b"\x16\x03\x01")
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert server.lane.connections == 1
        server.lane.goodbye()
        with trio.fail_after(4):
            await server.lane.drained()
        await stream.aclose()


async def test_a_lane_that_is_needed_only_after_goodbye_knows_of_it(serve: Serve) -> None:
    async with serve() as server, await server.connect() as stream:
        server.site.is_draining = True
        await stream.send_all(GET)
        assert b"connection: close" in (await read(stream)).lower()
        async with await server.connect() as silent:
            with trio.fail_after(2):
                assert await silent.receive_some(1) == b""


async def test_an_answer_says_when_the_rest_of_an_upload_ends_the_connection(serve: Serve) -> None:
    async with serve() as server, await server.connect() as stream:
        await stream.send_all(b"POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
        status, headers, _ = parts(await read(stream))
        assert (status, headers["connection"]) == (200, "close")


async def test_goodbye_ends_idle_connections_and_lets_answers_finish(serve: Serve) -> None:
    async with serve() as server, await server.connect() as idle, await server.connect() as busy:
        await idle.send_all(GET)
        await idle.receive_some(4096)
        await busy.send_all(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        await server.site.entered.wait()
        server.site.is_draining = True
        server.lane.goodbye()
        with trio.fail_after(2):
            assert await idle.receive_some(1) == b""
        server.site.gate.set()
        answer = b""
        while piece := await busy.receive_some(4096):
            answer += piece
        assert answer.endswith(b"at last") and b"connection: close" in answer.lower()
        await server.lane.drained()


# ---------------------------------------------------------------- being handed over


async def test_a_connection_is_taken_over_with_what_was_read_of_it(serve: Serve) -> None:
    async with serve() as server:
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.lane.serve_connection, theirs, GET + LAST, "10.0.0.9")
            client = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
            answer = b""
            while piece := await client.receive_some(4096):
                answer += piece
            await client.aclose()
        assert answer.count(b"vanakkam") == 2
        assert server.site.requests[0].client == "10.0.0.9"


async def test_a_certificate_that_cannot_be_read_is_told(serve: Serve) -> None:
    from dataclasses import replace

    from etamil_actors.edge.settings import Tls
    from etamil_actors.errors import Fault

    async with serve() as server:
        server.site.settings = replace(server.site.settings, tls=Tls(certificate="/none", key="/none"))
        with pytest.raises(Fault, match=r"http\.tls"):
            await FullLane(server.site).prepare()


# ---------------------------------------------------------------- the guard


@pytest.mark.parametrize(
    "problem",
    [
        ValueError("a mistake of ours"),
        ExceptionGroup("several", [KeyError("one"), ExceptionGroup("more", [ValueError("two")])]),
        RuntimeError("a mistake of ours"),
    ],
)
async def test_whatever_one_connection_raises_ends_it_alone_and_is_reported(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    from etamil_actors.edge.full.h1 import GuardedH11

    as_it_is = GuardedH11.handle

    async def handle(self: GuardedH11, event: Any) -> None:
        if b"/stumble" in getattr(event, "data", b""):
            raise problem
        await as_it_is(self, event)

    monkeypatch.setattr(GuardedH11, "handle", handle)
    async with serve() as server:
        async with await server.connect() as witness:
            await witness.send_all(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
            await server.site.entered.wait()
            assert await server.ask(b"GET /stumble HTTP/1.1\r\nHost: x\r\n\r\n") == b""
            server.site.gate.set()
            assert b"at last" in await witness.receive_some(4096)
        await server.still_answers()
        leaves = problem.exceptions if isinstance(problem, ExceptionGroup) else (problem,)
        assert len(server.site.failures) == len(leaves)


async def test_an_interrupt_is_not_kept(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    from etamil_actors.edge.full.h1 import GuardedH11

    async def handle(self: GuardedH11, event: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(GuardedH11, "handle", handle)
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    async with serve() as server:
        with pytest.raises(BaseExceptionGroup) as raised:
            await server.lane.serve_connection(theirs, GET, "10.0.0.9")
        ours.close()
        assert raised.group_contains(KeyboardInterrupt)
        assert theirs.fileno() == -1 and server.lane.connections == 0
