"""Time, sizes, numbers of connections, and the end of a listener."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from etamil_actors.actors.programs.exchange import PeerGoneError
from etamil_actors.edge.exchange import BodyError
from etamil_actors.edge.fast.connection import HEAD, IDLE
from etamil_actors.edge.fast.listener import peer_of

pytestmark = pytest.mark.timeout(30)

GET = b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n"
UPGRADE = b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
POST = b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"


async def pass_time(clock: MockClock, seconds: float) -> None:
    """Let so much time pass, in steps in which everything that waits for it has its turn."""
    while seconds > 0:
        await wait_all_tasks_blocked(0.001)
        clock.jump(min(0.5, seconds))
        seconds -= 0.5
    await wait_all_tasks_blocked(0.001)


# ---------------------------------------------------------------- time


async def test_a_head_that_does_not_end_is_answered_408(start: Any, mock_clock: MockClock) -> None:
    lane = await start(header_seconds=10)
    client = await lane.connect()
    for byte in b"GET / HTTP":
        await client.send(bytes([byte]))
        await pass_time(mock_clock, 0.9)
    assert lane.site.ended == []
    await pass_time(mock_clock, 2)
    answer = await client.answer()
    assert (answer.status, answer.fields["connection"]) == (408, "close")
    assert await client.rest() == b""
    assert [ended[:2] for ended in lane.site.ended] == [(None, 408)]


async def test_a_head_behind_another_request_is_bounded_too(start: Any, mock_clock: MockClock) -> None:
    lane = await start(header_seconds=10)
    client = await lane.connect()
    assert (await client.ask(GET % b"" + b"GET / HT")).status == 200
    await pass_time(mock_clock, 11)
    assert (await client.answer()).status == 408


@pytest.mark.parametrize("sent", [b"", b"\r\n"])
async def test_a_silent_connection_is_closed_without_a_word(start: Any, mock_clock: MockClock, sent: bytes) -> None:
    lane = await start(keep_alive_seconds=75)
    client = await lane.connect()
    assert (await client.ask(GET % b"")).status == 200
    await pass_time(mock_clock, 70)
    assert (await client.ask(GET % b"again")).status == 200
    await client.send(sent)
    await pass_time(mock_clock, 76)
    assert await client.rest() == b""
    assert lane.site.statuses == [200, 200]


async def test_a_slow_handler_is_not_the_lane_s_business(start: Any, kit: Any, mock_clock: MockClock) -> None:
    async def slow(request: Any) -> Any:
        await trio.sleep(500)
        return kit.text("late")

    lane = await start()
    lane.site.handler = slow
    client = await lane.connect()
    await client.send(GET % b"")
    await pass_time(mock_clock, 501)
    assert (await client.answer()).body == b"late"


async def test_a_body_that_stalls_is_answered_408(start: Any, kit: Any, mock_clock: MockClock) -> None:
    lane = await start(body_seconds=30)

    async def careful(request: Any) -> Any:
        try:
            return await kit.echo(request)
        except BodyError as error:
            return kit.text(error.english, error.status)

    for handler in (kit.echo, careful):
        lane.site.handler = handler
        client = await lane.connect()
        await client.send(POST % 10 + b"abc")
        await pass_time(mock_clock, 29)
        assert lane.listener.connections == 1
        await pass_time(mock_clock, 2)
        answer = await client.answer()
        assert (answer.status, answer.fields["connection"]) == (408, "close")
        await client.close()
        await kit.until(lambda: lane.listener.connections == 0)


async def test_a_body_may_take_longer_the_more_of_it_has_come(start: Any, kit: Any, mock_clock: MockClock) -> None:
    lane = await start(body_seconds=5, body_rate=1000)
    lane.site.handler = kit.echo
    client = await lane.connect()
    await client.send(POST % 20_000)
    for _ in range(20):
        await pass_time(mock_clock, 1)
        await client.send(bytes(1000))
    assert len((await client.answer()).body) == 20_000


async def test_a_body_that_drips_is_too_slow(start: Any, kit: Any, mock_clock: MockClock) -> None:
    lane = await start(body_seconds=10, body_rate=1000)
    lane.site.handler = kit.echo
    client = await lane.connect()
    await client.send(POST % 100)
    for _ in range(4):
        await pass_time(mock_clock, 3)
        await client.send(b"x")
    assert (await client.answer()).status == 408


async def test_time_in_which_the_site_is_busy_does_not_make_a_client_slow(
    start: Any, kit: Any, mock_clock: MockClock
) -> None:
    lane = await start(body_seconds=5, body_rate=1_000_000)

    async def busy(request: Any) -> Any:
        await trio.sleep(100)
        first = await request.exchange.read()
        await trio.sleep(100)
        return kit.text(first + await kit.read_body(request))

    lane.site.handler = busy
    client = await lane.connect()
    await client.send(POST % 3 + b"a")
    await pass_time(mock_clock, 203)
    await client.send(b"bc")
    assert (await client.answer()).body == b"abc"


async def test_a_client_that_takes_nothing_is_cut(start: Any, kit: Any, mock_clock: MockClock) -> None:
    lane = await start(write_seconds=30)
    lane.site.handler = lambda request: kit.text(bytes(50_000_000))
    client = await lane.connect()
    await client.send(GET % b"")
    await pass_time(mock_clock, 29)
    assert lane.listener.connections == 1
    await pass_time(mock_clock, 2)
    assert lane.listener.connections == 0
    request, status, sent, is_cut = lane.site.ended[0]
    assert (request, status, is_cut) == (lane.site.begun[0], 200, True)
    assert 0 < sent < 50_000_000


async def test_a_client_that_takes_a_little_is_not_cut(start: Any, kit: Any, mock_clock: MockClock) -> None:
    lane = await start(write_seconds=30)
    lane.site.handler = lambda request: kit.text(bytes(50_000_000))
    client = await lane.connect()
    await client.send(GET % b"")
    taken = 0
    for _ in range(10):
        await pass_time(mock_clock, 25)
        step = 0
        while step < 4_000_000:
            step += len(await client.stream.receive_some())
        taken += step
    while taken < 50_000_000:
        taken += len(await client.stream.receive_some())
    await kit.until(lambda: lane.site.ended)
    assert lane.site.ended[0][1:] == (200, taken, False)


async def test_a_stream_to_a_client_that_takes_nothing_ends(start: Any, mock_clock: MockClock) -> None:
    lane = await start(write_seconds=30)
    sent: list[Any] = []

    async def stream(request: Any) -> Any:
        sink = request.exchange.sink()
        await sink.open(200, [])
        try:
            while True:
                await sink.send(bytes(65_536))
                sent.append(65_536)
        except PeerGoneError:
            sent.append("gone")
            with pytest.raises(PeerGoneError):
                await sink.send(b"more")
            raise

    lane.site.handler = stream
    client = await lane.connect()
    await client.send(GET % b"")
    await pass_time(mock_clock, 29)
    before = len(sent)
    assert sent[-1] == 65_536
    await pass_time(mock_clock, 2)
    assert sent[before:] == ["gone"]
    assert lane.site.ended[0][1] == 200
    assert lane.site.ended[0][3]


async def test_a_quiet_stream_is_not_ended_by_the_lane(start: Any, mock_clock: MockClock) -> None:
    lane = await start()

    async def stream(request: Any) -> Any:
        sink = request.exchange.sink()
        await sink.open(200, [])
        for _ in range(3):
            await trio.sleep(60)
            await sink.send(b"tick")

    lane.site.handler = stream
    client = await lane.connect()
    await client.send(GET % b"")
    await pass_time(mock_clock, 181)
    assert (await client.answer()).body == b"tick" * 3


async def test_a_refused_client_that_goes_on_sending_is_left_after_a_while(
    start: Any, kit: Any, mock_clock: MockClock
) -> None:
    lane = await start()
    client = await lane.connect()
    assert (await client.ask(b"junk\r\n\r\n")).status == 400
    for _ in range(5):
        await client.send(b"more junk")
        await pass_time(mock_clock, 0.9)
    await pass_time(mock_clock, 2)
    assert lane.listener.connections == 0


def send_now(client: Any, data: bytes, *, is_last: bool = False) -> None:
    """Into the kernel, without giving the server a turn."""
    with socket.socket(fileno=os.dup(client.stream.socket.fileno())) as sock:
        sock.send(data)
        if is_last:
            sock.shutdown(socket.SHUT_WR)


async def test_a_last_request_that_comes_when_waiting_for_it_ends_is_answered(start: Any) -> None:
    lane = await start()
    client = await lane.connect()
    await wait_all_tasks_blocked()
    [connection] = lane.listener._open
    connection.expire()
    send_now(client, GET % b"last", is_last=True)
    assert (await client.answer()).body == b"/last"
    assert await client.rest() == b""


@pytest.mark.parametrize("turns", [0, 1])
async def test_a_request_that_comes_when_waiting_for_it_ends_is_answered(start: Any, kit: Any, turns: int) -> None:
    """In the moment before (its task is awake, but has not had its turn) and in the moment after."""
    lane = await start()

    async def later(request: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return kit.text(request.target)

    lane.site.handler = later
    client = await lane.connect()
    for number in range(40):
        await wait_all_tasks_blocked()
        [connection] = lane.listener._open
        if turns:
            send_now(client, GET % b"%d" % number)
            await trio.lowlevel.checkpoint()  # both are awake now; who is first is left to chance
            if connection.state == IDLE:
                connection.expire()
        else:
            connection.expire()
            send_now(client, GET % b"%d" % number)
        assert (await client.answer()).body == b"/%d" % number
    assert lane.listener.accepted == 1


async def test_a_head_that_comes_whole_when_it_is_too_late_is_begun_or_refused(start: Any, kit: Any) -> None:
    async def later(request: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return kit.text("")

    lane = await start()
    lane.site.handler = later
    for _ in range(40):
        client = await lane.connect()
        await client.send(b"GET / HT")
        await wait_all_tasks_blocked()
        [connection] = lane.listener._open
        send_now(client, b"TP/1.1\r\nHost: a\r\n\r\n")
        await trio.lowlevel.checkpoint()
        if connection.state == HEAD:
            connection.expire()
        assert (await client.answer()).status in (200, 408)
        await client.close()
        await kit.until(lambda: lane.listener.connections == 0)
    assert 408 in lane.site.statuses
    assert not any(is_cut for _, _, _, is_cut in lane.site.ended)


# ---------------------------------------------------------------- sizes


@pytest.mark.parametrize(("target", "fields", "status"), [
    (b"/" + b"a" * 499, b"", 200),
    (b"/" + b"a" * 500, b"", 414),
    (b"/" + b"a" * 5000, b"", 414),
    (b"/", b"X: y\r\n" * 9, 200),
    (b"/", b"X: y\r\n" * 10, 431),
    (b"/", b"X: " + b"y" * 900 + b"\r\n", 200),
    (b"/", b"X: " + b"y" * 1000 + b"\r\n", 431),
    (b"/", b"X: " + b"y" * 50_000 + b"\r\n", 431),
])  # fmt: skip
@pytest.mark.parametrize("step", [100_000, 300])
async def test_heads_are_bounded(start: Any, target: bytes, fields: bytes, status: int, step: int) -> None:
    lane = await start(target_bytes=500, header_bytes=1000, header_count=10)
    client = await lane.connect()
    data = b"GET %b HTTP/1.1\r\nHost: a\r\n%b\r\n" % (target, fields)
    for at in range(0, min(len(data), 6000), step):
        await client.send(data[at : at + step])
        await wait_all_tasks_blocked()
    assert (await client.answer()).status == status


@pytest.mark.parametrize("endless", [b"a", b"X: y\r\n"])
async def test_a_head_without_an_end_is_refused_when_it_is_too_large(start: Any, endless: bytes) -> None:
    lane = await start()
    client = await lane.connect()
    await client.send(b"GET /" if endless == b"a" else b"GET / HTTP/1.1\r\n")
    await client.send(endless * (40_000 // len(endless)))
    assert (await client.answer()).status == (414 if endless == b"a" else 431)


async def test_trailers_and_extensions_are_bounded(start: Any, kit: Any) -> None:
    lane = await start(header_bytes=500)
    lane.site.handler = kit.echo
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    for body in (b"1;x=%b\r\n" % (b"y" * 300), b"1;xxxxxxx\r\na\r\n" * 100, b"0\r\n" + b"X: y\r\n" * 100, b"0\r\nX:" + b"y" * 600):
        client = await lane.connect()
        assert (await client.ask(head + body)).status == 400


# ---------------------------------------------------------------- numbers


async def test_a_connection_too_many_is_answered_503_and_the_others_live(start: Any, kit: Any) -> None:
    lane = await start(connections=3)
    clients = [await lane.connect() for _ in range(3)]
    for client in clients:
        assert (await client.ask(GET % b"")).status == 200
    late = await lane.connect()
    await late.send(GET % b"")
    answer = await late.answer()
    assert (answer.status, answer.fields["connection"], answer.fields["retry-after"]) == (503, "close", "1")
    assert await late.rest() == b""
    assert (lane.listener.connections, lane.listener.accepted, lane.listener.refused) == (3, 4, 1)
    assert (await clients[0].ask(GET % b"")).status == 200
    await clients[1].close()
    await kit.until(lambda: lane.listener.connections == 2)
    assert (await (await lane.connect()).ask(GET % b"")).status == 200
    assert lane.site.ended[3][:2] == (None, 503)


async def test_a_crowd_that_is_too_large_is_sent_away_quickly(start: Any, kit: Any) -> None:
    lane = await start(connections=10)
    clients = [await lane.connect() for _ in range(150)]
    await kit.until(lambda: lane.listener.accepted == 150)
    assert (lane.listener.connections, lane.listener.refused) == (10, 140)
    for client in clients[10:]:
        await client.close()
    assert (await clients[0].ask(GET % b"")).status == 200


async def test_an_address_may_have_so_many_connections(start: Any, kit: Any) -> None:
    lane = await start(connections_per_address=2)
    first, _ = await lane.connect(), await lane.connect()
    assert (await (await lane.connect()).ask(GET % b"")).status == 503
    await first.close()
    await kit.until(lambda: lane.listener.connections == 1)
    assert (await (await lane.connect()).ask(GET % b"")).status == 200


async def test_this_machine_may_have_more_connections_than_others_unless_said(start: Any, kit: Any) -> None:
    lane = await start()
    for _ in range(300):
        await lane.connect()
    await kit.until(lambda: lane.listener.connections == 300)
    assert lane.listener.refused == 0


async def test_a_connection_that_was_handed_over_still_counts(start: Any, kit: Any) -> None:
    async def stay(sock: socket.socket, already_read: bytes, peer: str) -> None:
        await trio.sleep_forever()

    lane = await start(connections=1, hand_over=stay)
    lane.site.upgrades.add(b"/ws")
    client = await lane.connect()
    await client.send(UPGRADE)
    await wait_all_tasks_blocked()
    assert (await (await lane.connect()).ask(GET % b"")).status == 503
    assert lane.listener.cut() == 1
    assert await client.rest() == b""


class Short:
    """A listening socket of a system that has no more files to give, for a while."""

    def __init__(self, sock: socket.socket, times: int) -> None:
        self.sock = sock
        self.times = times
        self.family = sock.family

    def accept(self) -> Any:
        if self.times:
            self.times -= 1
            raise OSError(errno.EMFILE, "too many open files")
        return self.sock.accept()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sock, name)


async def test_a_shortage_of_files_is_told_and_passes(start: Any, kit: Any) -> None:
    lane = await start(sockets=[Short(socket.create_server(("127.0.0.1", 0)), 2)])
    client = await lane.connect()
    assert (await client.ask(GET % b"")).status == 200
    assert [failure.errno for failure in lane.site.failures] == [errno.EMFILE] * 2


# ---------------------------------------------------------------- addresses


async def test_a_unix_socket_is_served(start: Any, tmp_path: Path) -> None:
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "s"))
    listening.listen()
    lane = await start(sockets=[listening], connections_per_address=1)
    for _ in range(2):
        assert (await (await lane.connect()).ask(GET % b"x")).body == b"/x"
    assert lane.site.begun[0].client == "unix"


async def test_several_sockets_are_served_ipv6_too(start: Any) -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    both = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    lane = await start(sockets=[both, socket.create_server(("127.0.0.1", 0))])
    assert (await (await lane.connect()).ask(GET % b"")).status == 200
    stream = await trio.open_tcp_stream("127.0.0.1", both.getsockname()[1])
    await stream.send_all(GET % b"")
    await stream.receive_some()
    await stream.aclose()
    assert [request.client for request in lane.site.begun][1] == "127.0.0.1"


def test_an_ipv4_address_in_ipv6_is_read_as_ipv4() -> None:
    assert peer_of(socket.AF_INET6, ("::ffff:10.1.2.3", 1, 0, 0)) == "10.1.2.3"
    assert peer_of(socket.AF_INET6, ("2001:db8::1", 1, 0, 0)) == "2001:db8::1"
    assert peer_of(socket.AF_UNIX, "") == "unix"


# ---------------------------------------------------------------- the end


def stop(lane: Any) -> None:
    lane.site.is_draining = True
    lane.listener.stop_accepting()


async def test_while_draining_requests_are_answered_and_connections_closed(
    start: Any, kit: Any, nursery: trio.Nursery, mock_clock: MockClock
) -> None:
    lane = await start()
    may_go = trio.Event()

    async def slow(request: Any) -> Any:
        await may_go.wait()
        return kit.text(request.target)

    lane.site.handler = lambda r: slow(r) if b"slow" in r.target else kit.text(r.target)
    busy, idle, coming, half = [await lane.connect() for _ in range(4)]
    for client in (idle, coming):
        await client.ask(GET % b"")
    await busy.send(GET % b"slow" + GET % b"slow2" + GET % b"last")
    await half.send(b"GET /half HT")
    await wait_all_tasks_blocked()
    unseen = await lane.connect()  # the kernel has taken it, the listener may not have
    stop(lane)
    is_drained = trio.Event()

    async def drained() -> None:
        await lane.listener.drained()
        is_drained.set()

    nursery.start_soon(drained)
    with pytest.raises(OSError):
        await lane.connect()
    await unseen.send(GET % b"unseen")
    answer = await unseen.answer()
    assert (answer.body, answer.fields["connection"]) == (b"/unseen", "close")
    await pass_time(mock_clock, 0.3)
    answer = await coming.ask(GET % b"coming")
    assert (answer.body, answer.fields["connection"]) == (b"/coming", "close")
    await half.send(b"TP/1.1\r\nHost: a\r\n\r\n")
    assert (await half.answer()).body == b"/half"
    await pass_time(mock_clock, 1)
    assert await idle.rest() == b""
    assert not is_drained.is_set()
    may_go.set()
    answers = [await busy.answer() for _ in range(3)]
    assert [answer.body for answer in answers] == [b"/slow", b"/slow2", b"/last"]
    assert [answer.fields.get("connection") for answer in answers] == [None, None, "close"]
    await is_drained.wait()
    assert lane.listener.cut() == 0
    assert not any(is_cut for _, _, _, is_cut in lane.site.ended)


async def test_what_does_not_end_is_cut_and_counted(start: Any, kit: Any, mock_clock: MockClock) -> None:
    async def never(request: Any) -> Any:
        await trio.sleep_forever()

    lane = await start()
    lane.site.handler = lambda r: never(r) if r.target == b"/never" else kit.text(bytes(50_000_000))
    stuck, slow, half, _ = [await lane.connect() for _ in range(4)]
    await stuck.send(GET % b"never")
    await slow.send(GET % b"large")
    await half.send(b"GET ")
    await wait_all_tasks_blocked()
    stop(lane)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lane.listener.drained)
        await pass_time(mock_clock, 2.5)
        assert (await half.answer()).status == 408
        assert lane.listener.connections == 3  # one of them has just been told 408
        assert nursery.child_tasks
        nursery.cancel_scope.cancel()
    assert lane.listener.cut() == 2
    await kit.until(lambda: lane.listener.connections == 0)
    assert {(status, is_cut) for request, status, _, is_cut in lane.site.ended if request} == {(200, True), (503, True)}


async def test_a_listener_that_is_cancelled_ends_everything(start: Any, kit: Any) -> None:
    async def never(request: Any) -> Any:
        await trio.sleep_forever()

    lane = await start()
    lane.site.handler = never
    client = await lane.connect()
    await client.send(GET % b"")
    await kit.until(lambda: lane.site.begun)
    lane.scope.cancel()
    await lane.has_ended.wait()
    assert await client.rest() == b""
    assert lane.site.ended == [(lane.site.begun[0], 503, 0, True)]
    with pytest.raises(OSError):
        await lane.connect()


async def test_a_drain_without_connections_is_over_at_once(start: Any, kit: Any) -> None:
    lane = await start()
    await wait_all_tasks_blocked()
    stop(lane)
    stop(lane)
    await lane.listener.drained()
    assert lane.listener.cut() == 0


async def test_no_request_is_lost_while_draining_under_load(start: Any, kit: Any) -> None:
    """Many clients that begin again and again; each one that could connect must get its answer."""
    lane = await start()

    async def echo(request: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return kit.text(request.target)

    lane.site.handler = lambda r: echo(r) if r.target[-1] % 2 else kit.text(r.target)
    answered = 0

    async def client(number: int) -> None:
        nonlocal answered
        try:
            connection = await lane.connect()
        except OSError:
            return
        while True:
            answer = await connection.ask(GET % b"%d" % number)
            assert answer.body == b"/%d" % number
            answered += 1
            if answer.fields.get("connection") == "close":
                break
        await connection.close()
        await client(number)

    async with trio.open_nursery() as nursery:
        for number in range(40):
            nursery.start_soon(client, number)
        while answered < 500:
            await trio.lowlevel.checkpoint()
        stop(lane)
        await lane.listener.drained()
    assert answered == len(lane.site.begun)
    assert not any(is_cut for _, _, _, is_cut in lane.site.ended)
