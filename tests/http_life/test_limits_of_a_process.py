"""What clients can take of a process: connections, time, memory, descriptors — and what they cannot.

Each server here is a process of its own. A budget in seconds or bytes is generous on purpose; what was measured
is told beside it.
"""

from __future__ import annotations

import json
import random
import re
import resource
import socket
import ssl
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from unicodedata import normalize
from urllib.parse import quote

import pytest
import trio

from tests.http_life.load import Wire
from tests.http_life.serving import (
    Certificate,
    Line,
    NoAnswerError,
    Server,
    Start,
    WebSocket,
    request,
)

MIB = 1024 * 1024
PROBLEM = "application/problem+json"


def until(is_so: Callable[[], bool], what: str, seconds: float = 15.0) -> None:
    """Wait until something is so that nobody tells."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, what
        time.sleep(0.01)


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """Tests that hold a thousand connections need them on their own side, too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# ---- how many -------------------------------------------------------------------------


@pytest.mark.usefixtures("many_descriptors")
def test_of_a_thousand_connections_two_hundred_are_served_and_the_rest_are_told_to_come_again(
    lane: str, start: Start
) -> None:
    server = start(lane, connections=200)
    before = server.descriptors()
    told, closed, taken = 0, 0, []
    with ExitStack() as stack:
        lines = []
        for _ in range(1000):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 30))
            lines.append(sock)
        # 200 of them are quiet guests now; all others hear that there are too many, or are just closed.
        for sock in lines:
            sock.settimeout(0.0)
        waiting = set(lines)
        end = time.monotonic() + 15
        while len(waiting) > 200 and time.monotonic() < end:
            for sock in list(waiting):
                try:
                    data = sock.recv(4096)
                except BlockingIOError:
                    continue
                except ConnectionError:
                    data = b""
                waiting.discard(sock)
                if lane == "fast" and data:
                    assert data.startswith(b"HTTP/1.1 503 "), data
                    assert re.search(rb"(?i)\r\nretry-after: \d+\r\n", data)
                    assert b"connection: close" in data.lower()
                    told += 1
                else:
                    closed += 1
            time.sleep(0.01)
        assert len(waiting) == 200, (told, closed)
        if lane == "fast":
            assert told >= 64
            for sock in list(waiting)[:20]:
                sock.settimeout(30)
                line = Line(sock)
                assert line.ask("GET", "/hello").status == 200
                taken.append(line)
            text = taken[0].ask("GET", "/metrics").body.decode()
            assert float(re.findall(r"^etamil_http_connections (\S+)$", text, re.MULTILINE)[0]) == 200
            refused = float(re.findall(r"^etamil_http_connections_refused_total (\S+)$", text, re.MULTILINE)[0])
            assert refused == 800
    until(lambda: server.descriptors() <= before + 2, "descriptors are kept of connections that have ended")
    until(lambda: is_let_in(server), "they have left, and nobody is let in")
    assert server.stop() == 0


def is_let_in(server: Server) -> bool:
    """Is a new connection served? What cannot be told in TLS is told by closing it."""
    with suppress(ConnectionError, ssl.SSLError, NoAnswerError):
        return server.ask("GET", "/hello").status == 200
    return False


def test_one_address_may_not_have_more_connections_than_its_share(lane: str, start: Start) -> None:
    server = start(lane, per_address=5)
    with ExitStack() as stack:
        lines = [stack.enter_context(server.connect()) for _ in range(5)]
        assert {line.ask("GET", "/hello").status for line in lines} == {200}
        with suppress(ConnectionError, ssl.SSLError, NoAnswerError):  # in TLS it cannot be told
            assert server.ask("GET", "/hello").status == 503
        for line in lines[:1]:
            line.close()
        until(lambda: is_let_in(server), "one has left, and nobody may take the place")
    assert server.stop() == 0


def test_requests_beyond_the_limit_are_told_to_come_again_and_vital_ones_are_answered(
    lane: str, start: Start
) -> None:
    server = start(lane, in_flight=3)
    assert server.metric("http_server_active_requests") == 1
    with ExitStack() as stack:
        busy = [stack.enter_context(server.connect()) for _ in range(3)]
        for number, line in enumerate(busy):
            line.send(request("GET", "/wait/1.5"))
            # Who asks for the metrics counts, too.
            until(lambda count=number + 2: server.metric("http_server_active_requests") == count, "it is not begun")
        refused = server.ask("GET", "/hello", Accept_Language="en")
        assert refused.status == 503
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.headers["content-type"].startswith(PROBLEM)
        assert server.ask("GET", "/health").status == 200
        assert [line.answer().status for line in busy] == [200] * 3
    assert server.ask("GET", "/hello").status == 200
    assert server.stop() == 0


# ---- how long -------------------------------------------------------------------------

HASTY = {"header_time": "1s", "body_time": "1s", "keep_alive": "1s", "handler_time": "1s", "tls_time": "1s"}


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory, certificate: Certificate) -> Iterator[dict[str, Server]]:
    """Servers that wait for nothing very long."""
    servers = {}
    for lane in ("fast", "full"):
        servers[lane] = Server(
            tmp_path_factory.mktemp(lane),
            certificate=certificate if lane == "full" else None,
            websocket={"ping": "1s"},
            **HASTY,
        )
    yield servers
    for server in servers.values():
        server.end()


def test_a_head_that_comes_too_slowly_is_told_so(lane: str, hasty: dict[str, Server]) -> None:
    with hasty[lane].connect() as line:
        begun = time.monotonic()
        line.socket.settimeout(0.2)
        line.send(b"GET /hello HTTP/1.1\r\nHost: a\r\n")
        while time.monotonic() < begun + 10:
            with suppress(OSError):
                line.send(b"X-More: 1\r\n")
            try:
                data = line.receive()
            except TimeoutError:
                continue
            line.reading.buffer += data
            break
        assert time.monotonic() - begun >= 0.9
        line.socket.settimeout(10)
        assert line.answer().status == 408
        assert line.rest() == b""


def test_a_body_that_comes_too_slowly_is_told_so(lane: str, hasty: dict[str, Server]) -> None:
    with hasty[lane].connect() as line:
        line.send(request("POST", "/echo", b"0123456789")[:-5])
        answer = line.answer()
        assert (answer.status, answer.closes) == (408, True)
        assert line.rest() == b""


def test_a_handler_that_takes_too_long_is_ended_and_its_connection_goes_on(
    lane: str, hasty: dict[str, Server]
) -> None:
    with hasty[lane].connect() as line:
        assert line.ask("GET", "/hasty").status == 504
        assert line.ask("GET", "/hello").status == 200


def test_a_handler_may_take_longer_than_any_client_may(lane: str, hasty: dict[str, Server]) -> None:
    """No timer for clients ends what a client is waiting for."""
    with hasty[lane].connect() as line:
        answer = line.ask("GET", "/wait/2.5")
        assert (answer.status, answer.body) == (200, b"rested")


def test_a_quiet_websocket_lives_on_when_its_client_answers_pings(lane: str, hasty: dict[str, Server]) -> None:
    with hasty[lane].connect() as line:
        websocket = WebSocket(line)
        assert websocket.is_quiet(3.0)
        websocket.say("still here")
        assert websocket.hears() == "still here"


def test_a_websocket_whose_client_has_vanished_is_ended(lane: str, hasty: dict[str, Server]) -> None:
    server = hasty[lane]
    with server.connect() as line:
        WebSocket(line)
        assert server.metric("etamil_http_websockets") >= 1
        # It answers no pings any more.
        until(lambda: server.metric("etamil_http_websockets") == 0, "nobody asks whether it is still there")


def test_an_idle_connection_and_one_that_says_nothing_are_closed(lane: str, hasty: dict[str, Server]) -> None:
    with hasty[lane].connect() as idle, hasty[lane].connect() as silent:
        assert idle.ask("GET", "/hello").status == 200
        assert idle.rest() == b""
        assert silent.rest() == b""


def test_a_handshake_of_tls_that_does_not_end_is_ended(hasty: dict[str, Server]) -> None:
    with socket.create_connection(("127.0.0.1", hasty["full"].port), 10) as sock:
        sock.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
        with suppress(ConnectionError):
            assert sock.recv(100) == b""
    assert hasty["full"].ask("GET", "/hello").status == 200


# ---- clients that leave ---------------------------------------------------------------

STAGES = {
    "half a head": (lambda data: data[:30], 0),
    "half a body": (lambda data: data[:-3], 0),
    "all sent": (lambda data: data, 1),
}


def names_in(server: Server, file: str) -> Counter[str]:
    path = server.folder / file
    return Counter(path.read_text().split()) if path.exists() else Counter()


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("way", ["closed", "reset"])
def test_a_client_that_leaves_has_written_once_or_not_at_all(
    lane: str, stage: str, way: str, hasty: dict[str, Server]
) -> None:
    server = hasty[lane]
    part, times = STAGES[stage]
    name = f"{stage}-{way}-{lane}".replace(" ", "_")
    line = server.connect()
    line.send(part(request("POST", f"/write?name={name}", b"payload")))
    if times:
        until(lambda: names_in(server, "begun.txt")[name] == 1, "it was not begun")
    elif stage == "half a body":
        until(lambda: server.metric("http_server_active_requests") == 2, "it was not read")
    line.close() if way == "closed" else line.reset()
    until(
        lambda: stage == "half a head" or any(name in str(one) for one in server.log()), "nobody has noticed"
    )
    statuses = [one["status"] for one in server.log() if name in str(one)]
    if stage == "half a body" or (stage == "all sent" and way == "reset"):
        assert statuses == [499], "the client has not got its answer"
    # Another request to the same route has come and gone: what would be done twice has been done.
    assert server.ask("POST", f"/write?name=after_{name}").status == 201
    assert names_in(server, "begun.txt")[name] == times
    assert names_in(server, "done.txt")[name] == times


def test_a_client_that_leaves_when_it_is_answered_has_written_once(lane: str, hasty: dict[str, Server]) -> None:
    server = hasty[lane]
    for way in ("closed", "reset"):
        name = f"answered-{way}-{lane}"
        line = server.connect()
        line.send(request("POST", f"/write?name={name}"))
        assert line.answer().status == 201
        line.close() if way == "closed" else line.reset()
        assert server.ask("POST", f"/write?name=after_{name}").status == 201
        assert names_in(server, "begun.txt")[name] == names_in(server, "done.txt")[name] == 1
        assert [one["status"] for one in server.log() if f"name={name}" in str(one)] == [201]


def test_a_client_that_has_said_all_it_wants_to_say_gets_its_answer(hasty: dict[str, Server]) -> None:
    server = hasty["fast"]
    with server.connect() as line:
        line.send(request("POST", "/write?name=half_closed", b"x"))
        line.stops_sending()
        answer = line.answer()
        assert (answer.status, answer.body) == (201, b"half_closed")
        assert line.rest() == b""
    assert names_in(server, "done.txt")["half_closed"] == 1


def test_a_stream_whose_client_has_left_ends(lane: str, hasty: dict[str, Server]) -> None:
    server = hasty[lane]
    for path in ("/events", "/endless"):
        line = server.connect()
        line.send(request("GET", path))
        line.until(rb"\r\n\r\n")
        until(lambda: server.metric("http_server_active_requests") >= 2, "it is not counted")
        line.reset()
        until(lambda: server.metric("http_server_active_requests") == 1, f"{path} goes on for nobody")


# ---- long computations ----------------------------------------------------------------


@pytest.mark.slow
def test_a_loop_without_an_end_in_one_route_leaves_the_others_their_turn(
    lane: str, start: Start, record_property: Callable[[str, object], None]
) -> None:
    server = start(lane)
    assert server.metric("http_server_active_requests") == 1
    with server.connect() as looping, server.connect() as asking:
        looping.send(request("GET", "/loop"))
        until(lambda: server.metric("http_server_active_requests") == 2, "it has not begun")
        times: dict[str, list[float]] = {"/health": [], "/hello": []}
        for _ in range(25):
            for path, taken in times.items():
                begun = time.monotonic()
                assert asking.ask("GET", path).status == 200
                taken.append(time.monotonic() - begun)
        medians = {path: statistics.median(taken) for path, taken in times.items()}
        record_property("median_seconds", str(medians))
        print(f"while one route computes, on the {lane} lane: median {medians}")
        assert max(medians.values()) < 2.0
        server.gets()
        server.says("stopping in order")
        server.gets()
        assert server.ends() == 1


# ---- memory and descriptors -----------------------------------------------------------


@pytest.mark.slow
def test_a_large_upload_that_is_sent_faster_than_it_is_handled_stays_within_its_budget(
    lane: str, start: Start
) -> None:
    """64 MiB as a form with a file: it goes to the disk and never lies in memory whole."""
    server = start(lane, program=UPLOAD, body="100MiB")
    base = server.resident()
    head = (
        b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n"
    )
    tail = b"\r\n--edge--\r\n"
    size = 64 * MIB
    with server.connect() as line:
        line.send(
            b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=edge\r\n"
            b"Content-Length: %d\r\n\r\n" % (len(head) + size + len(tail)) + head
        )
        piece = b"\0" * MIB
        for _ in range(64):
            line.send(piece)
        line.send(tail)
        answer = line.answer()
        assert (answer.status, json.loads(answer.body)) == (200, [size])
    grown = server.resident("VmHWM") - base
    print(f"64 MiB of a form on the {lane} lane: {grown / MIB:.1f} MiB more at most")
    assert grown < 32 * MIB
    assert server.stop() == 0


@pytest.mark.slow
def test_bodies_that_nobody_takes_stay_with_their_senders(lane: str, start: Start) -> None:
    """The line of a slow route is full of uploads: what is in memory has a limit, and the rest is refused."""
    server = start(lane, program=UPLOAD, body="64MiB", buffered="32MiB")
    base = server.resident()
    statuses: list[int] = []
    data = request("POST", "/slow", b"\0" * (32 * MIB - 1))

    async def upload() -> None:
        wire = await Wire.open(server.port, server.certificate)

        async def send() -> None:
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await wire.send(data)

        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send)
                answer = await wire.answer("POST")
                assert answer is not None, "the end came before the answer"
                statuses.append(answer.status)
                nursery.cancel_scope.cancel()
        finally:
            await wire.close()

    async def uploads() -> None:
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                for _ in range(4):
                    nursery.start_soon(upload)

    trio.run(uploads)
    grown = server.resident("VmHWM") - base
    print(f"4 × 32 MiB on the {lane} lane: {statuses}, {grown / MIB:.1f} MiB more at most")
    assert Counter(statuses) == {200: 1, 503: 3}
    # Of the one that was taken: its pieces, the whole, the text that the program sees, and one more in between.
    assert grown < 4.5 * 32 * MIB
    assert server.ask("POST", "/slow", b"small").status == 200, "nothing is kept of those that were refused"
    assert server.metric("http_server_active_requests") == 1
    assert server.stop() == 0


UPLOAD = """
வழி பதி, "/upload", {"body_limit": 100000000, "timeout": 60} {
    அளவுகள் = [];
    ஒவ்வொரு ஒன்று இல் கோரிக்கை.files { அளவுகள் = இணை(அளவுகள், ஒன்று["அளவு"]); }
    உறங்கு(0.2);
    பதில் 200, அளவுகள்;
}

வழி பதி, "/slow", {"body_limit": 100000000, "timeout": 60, "concurrency": 1} {
    உறங்கு(0.5);
    பதில் 200, நீளம்(கோரிக்கை.body);
}
"""


@pytest.mark.slow
def test_a_storm_of_connections_that_break_in_every_phase_leaves_nothing_behind(lane: str, start: Start) -> None:
    server = start(lane)
    chance = random.Random(4)
    assert server.ask("GET", "/hello").status == 200
    server.metric("http_server_active_requests")
    WebSocket(warm := server.connect())
    warm.reset()
    until(lambda: server.metric("etamil_http_websockets") == 0, "it has left")
    before = server.descriptors()
    whole = [
        request("GET", "/hello"),
        request("POST", "/echo", b"x" * 5000),
        request("GET", "/wait/0.05"),
        request("GET", "/large"),
        request("GET", "/endless"),
        request("GET", "/events"),
        request("GET", "/hello") * 5,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\nzz\r\n",
        b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n",
        b"GET /live HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x81\x85abcd",
        b"\x00\xff" * 50,
    ]
    for number in range(300 if lane == "fast" else 120):
        if lane == "full" and number % 6 == 0:
            with socket.create_connection(("127.0.0.1", server.port), 10) as raw:
                raw.sendall(chance.randbytes(chance.randrange(1, 50)))
            continue
        line = server.connect(buffer=4096 if chance.random() < 0.5 else 0)
        data = chance.choice(whole)
        with suppress(OSError):
            line.send(data[: chance.randrange(len(data) + 1)] if chance.random() < 0.5 else data)
            if chance.random() < 0.4:
                line.socket.settimeout(0.02)
                line.receive()
        if chance.random() < 0.5:
            line.reset()
        else:
            line.close()
    until(lambda: server.metric("http_server_active_requests") == 1, "something is still under way")
    until(lambda: server.metric("etamil_http_connections") == 1, "connections are kept")
    until(lambda: server.descriptors() <= before, f"{server.descriptors()} descriptors, {before} before")
    assert server.metric("etamil_http_websockets") == 0
    assert server.metric("etamil_http_connections_accepted_total") >= 120
    answered = server.metric("http_server_request_duration_seconds_count")
    assert answered >= (100 if lane == "fast" else 30)
    assert "Traceback" not in server.said
    assert "a mistake of the runtime" not in server.said, server.said[-3000:]
    assert server.stop() == 0


# ---- Tamil paths ----------------------------------------------------------------------

PATH = "/கொள்முதல்"


def test_a_path_is_found_however_its_signs_are_composed(lane: str, hasty: dict[str, Server]) -> None:
    server = hasty[lane]
    for form in ("NFC", "NFD"):
        answer = server.ask("GET", quote(normalize(form, PATH)))
        assert answer.status == 200, form
    assert len(normalize("NFD", PATH)) > len(PATH), "the two do differ"


def test_a_path_that_is_not_encoded_is_answered_with_the_address_to_use(lane: str, hasty: dict[str, Server]) -> None:
    answer = hasty[lane].ask("GET", PATH)
    assert answer.status == 400
    assert answer.headers["content-type"].startswith(PROBLEM)
    assert quote(PATH).lower() in answer.body.decode().lower()
