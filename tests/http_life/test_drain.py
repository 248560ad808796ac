"""The end of a server that real clients are using: what each of them sees, and how long it may take."""

from __future__ import annotations

import re
import signal
import socket
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
import trio

from tests.http_life.load import Load
from tests.http_life.serving import Certificate, Line, NoAnswerError, Server, Start, WebSocket, request

# ---- under load -----------------------------------------------------------------------

ROUNDS = 50


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_request_that_was_accepted_is_never_lost_or_cut_by_a_stop(
    lane: str, tmp_path: Path, certificate: Certificate
) -> None:
    """So many stops, each at another moment; the next server starts while one is used."""
    secured = certificate if lane == "full" else None
    servers: list[Server] = []

    def begin(number: int) -> Server:
        folder = tmp_path / str(number)
        folder.mkdir()
        servers.append(Server(folder, certificate=secured, is_awaited=False))
        return servers[-1]

    totals = {"answered": 0, "refused": 0, "unheard": 0, "silent": 0}
    lost: list[str] = []
    try:
        following = begin(0)
        for number in range(ROUNDS):
            server, following = following, None
            server.wait_until_it_serves()
            if number + 1 < ROUNDS:
                following = begin(number + 1)
            load = Load(server.port, secured, seed=number)

            async def scenario(server: Server = server, load: Load = load, number: int = number) -> None:
                with trio.fail_after(30):
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(load.run)
                        await trio.sleep(0.03 + 0.003 * (number % 50))
                        load.tally.is_ending = True
                        server.gets()

            trio.run(scenario)
            status = server.ends()
            lost += [f"round {number}: {one}" for one in load.tally.lost]
            if status or set(load.tally.statuses) != {200}:
                lost.append(f"round {number}: exit {status}, {load.tally.statuses}, {server.said[-1000:]}")
            for key in totals:
                totals[key] += getattr(load.tally, key)
    finally:
        for server in servers:
            server.end()
    assert not lost, f"{totals}\n" + "\n".join(lost)
    assert totals["answered"] > 10 * ROUNDS


# ---- what each kind of client sees ----------------------------------------------------


@pytest.mark.slow
def test_everybody_is_told_in_the_right_way_and_in_the_right_order(lane: str, start: Start) -> None:
    server = start(lane)
    with ExitStack() as stack:
        idle, fresh, events, live, slow = (stack.enter_context(server.connect()) for _ in range(5))
        assert idle.ask("GET", "/hello").status == 200
        events.send(request("GET", "/events"))
        events.until(rb"first")
        websocket = WebSocket(live)
        websocket.say("வணக்கம்")
        assert websocket.hears() == "வணக்கம்"
        slow.send(request("GET", "/wait/3"))
        assert server.ask("POST", "/job").status == 202
        server.says("job begins")
        begun = time.monotonic()
        server.gets()
        assert websocket.takes_leave() == 1012
        assert live.rest() == b""
        goodbye = events.rest()
        assert re.search(rb"retry: ?\d+", goodbye)
        if b"transfer-encoding: chunked" in goodbye.lower():
            assert goodbye.endswith(b"0\r\n\r\n"), "an end, and no cut"
        assert idle.rest() == b""
        assert fresh.rest() == b""
        assert time.monotonic() - begun < 2.9, "nobody but the slow request waits for the slow request"
        answer = slow.answer()
        assert (answer.status, answer.body, answer.closes) == (200, b"rested", True)
        assert slow.rest() == b""
        assert server.ends() == 0
    assert (
        server.place_of("SIGTERM:")
        < server.place_of("(stopping)")
        < server.place_of("job ends")
        < server.place_of("everything has stopped in order")
    )
    # A request of three seconds and a job of one: the job ends long before the steps come to it.
    assert server.place_of("job ends") < server.place_of('"/wait/3"')
    assert {one["status"] for one in server.log() if one["path"] == "/wait/3"} == {200}


def test_readiness_is_lost_first_and_requests_are_taken_until_the_delay_is_over(lane: str, start: Start) -> None:
    server = start(lane, drain_delay="1s")
    with server.connect() as kept:
        assert kept.ask("GET", "/health/ready").status == 200
        server.gets()
        server.says("stopping in order")
        while kept.ask("GET", "/health/ready").status == 200:
            pass
        assert kept.ask("GET", "/health/live").status == 200
        during = kept.ask("GET", "/hello")
        assert (during.status, during.closes) == (200, False)
        assert server.ask("GET", "/hello").status == 200, "on a new connection"
        while not (last := kept.ask("GET", "/hello")).closes:
            assert last.status == 200
        assert last.status == 200
        assert kept.rest() == b""
    with pytest.raises((OSError, NoAnswerError)):
        server.ask("GET", "/hello")
    assert server.ends() == 0


def test_a_request_that_has_begun_to_come_is_answered(lane: str, start: Start) -> None:
    server = start(lane)
    with server.connect() as half_a_head, server.connect() as half_a_body:
        whole = request("GET", "/hello")
        half_a_head.send(whole[:20])
        body = request("POST", "/echo", b"0123456789")
        half_a_body.send(body[:-5])
        server.gets()
        server.says("stopping in order")
        with pytest.raises(OSError):  # from here on the doors are closed
            while True:
                server.connect().close()
        half_a_head.send(whole[20:])
        answer = half_a_head.answer()
        assert (answer.status, answer.closes) == (200, True)
        half_a_body.send(body[-5:])
        answer = half_a_body.answer()
        assert (answer.status, answer.body, answer.closes) == (200, b"0123456789", True)
    assert server.ends() == 0


def test_a_slow_reader_gets_all_of_an_answer_that_was_begun(lane: str, start: Start) -> None:
    server = start(lane)
    with server.connect(buffer=65536) as reader:
        reader.send(request("GET", "/large"))
        reader.until(b"\r\n\r\n")
        server.gets()
        server.says("(stopping)")
        answer = reader.answer()
        assert answer.status == 200
        assert len(answer.body) == int(answer.headers["content-length"])
        assert set(answer.body.split()) == {b"agara", b"mudala", b"ezhuttellaam"}
    assert server.ends() == 0


# ---- those who would hold it ----------------------------------------------------------


def hold(server: Server, stack: ExitStack) -> list[Line]:
    """Clients of all kinds that neither come to an end nor leave."""
    lines = []

    def connect(data: bytes) -> Line:
        line = stack.enter_context(server.connect(buffer=8192))
        line.send(data)
        lines.append(line)
        return line

    connect(request("GET", "/large")).until(b"\r\n\r\n")
    connect(request("GET", "/endless")).until(b"\r\n\r\n")
    connect(request("GET", "/files/large.bin")).until(b"\r\n\r\n")
    connect(request("POST", "/echo", b"x" * 5000)[:-4000])
    connect(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc")
    connect(b"GET /hello HT")
    connect(b"")
    if server.certificate is not None:
        silent = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        silent.sendall(b"\x16\x03\x01")
    deaf = WebSocket(stack.enter_context(server.connect(buffer=8192)))
    deaf.line.socket.settimeout(1)
    with pytest.raises(OSError):  # it is told ever more, and hears nothing of it
        while True:
            deaf.say("x" * 60000)
    return lines


def large_file(server: Server) -> None:
    with open(server.folder / "files" / "large.bin", "wb") as file:
        file.truncate(64 * 1024 * 1024)


@pytest.mark.slow
def test_clients_that_never_read_or_never_finish_do_not_delay_the_end_beyond_its_deadline(start: Start) -> None:
    """The steps of the goodbye and of the requests have 25 seconds together. Both lanes at once: it takes long."""
    patient = {"write_time": "2m", "body_time": "2m", "header_time": "2m", "tls_time": "2m", "keep_alive": "2m"}
    servers = [start(lane, **patient) for lane in ("fast", "full")]
    with ExitStack() as stack:
        for server in servers:
            large_file(server)
            hold(server, stack)
        begun = time.monotonic()
        for server in servers:
            server.gets()
        statuses = [server.ends(40) for server in servers]
        took = time.monotonic() - begun
    assert took < 26.0
    assert statuses == [1, 1], "something had to be cut"
    for server in servers:
        assert "Traceback" not in server.said
        assert "requests" in server.said


def test_clients_that_take_nothing_are_given_up_after_the_time_for_writing(lane: str, start: Start) -> None:
    server = start(lane, write_time="1s", body_time="1s", header_time="1s", tls_time="1s")
    large_file(server)
    with ExitStack() as stack:
        hold(server, stack)
        begun = time.monotonic()
        server.gets()
        server.ends(15)
        assert time.monotonic() - begun < 8.0
    assert "Traceback" not in server.said


def test_a_second_signal_cuts_what_is_left(lane: str, start: Start) -> None:
    server = start(lane)
    large_file(server)
    with ExitStack() as stack:
        hold(server, stack)
        with server.connect() as waiting:
            waiting.send(request("GET", "/wait/30"))
            server.gets()
            server.says("stopping in order")
            begun = time.monotonic()
            server.gets()
            assert server.ends() == 1
            assert time.monotonic() - begun < 5.0
            got = waiting.rest()
            assert got == b"" or got.startswith(b"HTTP/1.1 503"), got
    assert server.place_of("stopping in order") < server.place_of("what still runs is cut")
    assert "Traceback" not in server.said


@pytest.mark.slow
def test_whoever_is_waited_for_is_named(start: Start) -> None:
    server = start("fast")
    with server.connect() as waiting:
        waiting.send(request("GET", "/wait/6"))
        assert server.metric("http_server_active_requests") >= 1
        server.gets()
        assert waiting.answer().status == 200
    assert server.ends() == 0
    server.says(r"still running \(requests\): .*wait")


def test_a_third_signal_ends_it_at_once(start: Start) -> None:
    server = start("fast")
    with server.connect() as waiting:
        waiting.send(request("GET", "/loop"))
        server.gets()
        server.says("stopping in order")
        server.gets(signal.SIGINT)
        server.gets(signal.SIGTERM)
        server.gets(signal.SIGTERM)
        assert server.ends() in (1, 128 + signal.SIGTERM, 128 + signal.SIGINT)


def test_a_loop_without_an_end_does_not_keep_a_server_from_ending(start: Start) -> None:
    server = start("fast")
    with server.connect() as waiting:
        waiting.send(request("GET", "/loop"))
        assert server.ask("GET", "/hello").status == 200
        server.gets()
        server.says("stopping in order")
        server.gets()
        begun = time.monotonic()
        assert server.ends() == 1
        assert time.monotonic() - begun < 5.0


def test_two_hundred_idle_connections_are_seen_off_in_no_time(lane: str, start: Start) -> None:
    server = start(lane)
    with ExitStack() as stack:
        count = 200 if lane == "fast" else 40
        lines = [stack.enter_context(server.connect()) for _ in range(count)]
        for line in lines[::2]:
            assert line.ask("GET", "/hello").status == 200
        begun = time.monotonic()
        server.gets()
        assert server.ends() == 0
        assert time.monotonic() - begun < 3.0
        assert {line.rest() for line in lines} == {b""}


def test_a_request_that_comes_while_it_ends_is_answered_on_a_connection_that_was_idle(
    lane: str, start: Start
) -> None:
    """It was on its way when the connection was about to be closed."""
    server = start(lane)
    with ExitStack() as stack:
        lines = [stack.enter_context(server.connect()) for _ in range(10)]
        for line in lines:
            assert line.ask("GET", "/hello").status == 200
        threading.Timer(0.05, server.gets).start()
        end = time.monotonic() + 0.2
        while time.monotonic() < end:
            lines = [line for line in lines if not line.ask("GET", "/hello").closes]
    assert server.ends() == 0
