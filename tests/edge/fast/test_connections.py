"""What clients see of one connection: keep-alive, pipelining, bodies, early answers, streams, hand-over."""

from __future__ import annotations

import socket
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from etamil_actors.actors.programs.exchange import PeerGoneError
from etamil_actors.edge.exchange import BodyError, FileBody, Outgoing
from etamil_actors.errors import InternalError

pytestmark = pytest.mark.timeout(30)

GET = b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET /%b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
OLD = b"GET /%b HTTP/1.0\r\n%b\r\n"
POST = b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n%b\r\n"
CHUNKED = b"POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n%b\r\n"


class Pieces(FileBody):
    """A file in memory that tells whether it was closed."""

    __slots__ = ("data", "is_closed")

    def __init__(self, data: bytes, start: int, length: int) -> None:
        super().__init__(None, start, length)
        self.data = data
        self.is_closed = False

    async def read(self, at: int, size: int) -> bytes:
        await trio.lowlevel.checkpoint()
        return self.data[at : at + size]

    def close(self) -> None:
        self.is_closed = True


# ---------------------------------------------------------------- one after the other


async def test_a_connection_answers_one_request_after_the_other(start: Any) -> None:
    lane = await start()
    client = await lane.connect()
    for name in (b"one", b"two", b"three"):
        answer = await client.ask(GET % name)
        assert (answer.status, answer.body) == (200, b"/" + name)
        assert "connection" not in answer.fields
        assert answer.fields["date"].endswith(" GMT")
    assert lane.listener.connections == lane.listener.accepted == 1


async def test_the_site_gets_the_parts_of_a_request(start: Any) -> None:
    lane = await start()
    client = await lane.connect()
    await client.ask(b"PATCH /a?b=%20 HTTP/1.1\r\nHOST: x:80\r\nX-One:  1 \t\r\nx-one:2\r\nEmpty:\r\nO: \xe0\xff\r\n\r\n")
    [request] = lane.site.begun
    assert (request.method, request.target, request.version, request.scheme) == ("PATCH", b"/a?b=%20", "1.1", "http")
    assert request.fields == [(b"host", b"x:80"), (b"x-one", b"1"), (b"x-one", b"2"), (b"empty", b""), (b"o", b"\xe0\xff")]
    assert request.client == "127.0.0.1"
    assert not request.exchange.has_body


async def test_what_was_sent_is_told_to_the_site(start: Any, kit: Any) -> None:
    lane = await start()
    client = await lane.connect()
    await client.send(LAST % b"x")
    sent = await client.rest()
    await kit.until(lambda: lane.site.ended)
    assert lane.site.ended == [(lane.site.begun[0], 200, len(sent), False)]


async def test_every_cut_of_a_request_is_read_alike(start: Any, kit: Any) -> None:
    lane = await start()
    lane.site.handler = kit.echo
    client = await lane.connect()
    whole = POST % (3, b"X-A: b\r\n") + b"abc" + CHUNKED % b"" + b"3;x=y\r\ndef\r\n2\r\ngh\r\n0\r\nT: x\r\n\r\n"
    for cut in range(1, len(whole)):
        await client.send(whole[:cut])
        await wait_all_tasks_blocked()
        await client.send(whole[cut:])
        assert (await client.answer()).body == b"abc"
        assert (await client.answer()).body == b"defgh"
    assert len(lane.site.begun) == 2 * (len(whole) - 1)


async def test_a_request_that_comes_byte_by_byte_is_answered(start: Any, kit: Any) -> None:
    lane = await start()
    lane.site.handler = kit.echo
    client = await lane.connect()
    for byte in b"\r\n" + CHUNKED % b"" + b"a\r\n0123456789\r\n0\r\n\r\n":
        await client.send(bytes([byte]))
        await wait_all_tasks_blocked()
    assert (await client.answer()).body == b"0123456789"


async def test_requests_sent_together_are_answered_in_order(start: Any, kit: Any) -> None:
    lane = await start()
    may_go = trio.Event()

    async def slow(request: Any) -> Any:
        body = await kit.read_body(request)
        await may_go.wait()
        return kit.text(b"slow " + body)

    lane.site.handler = lambda r: slow(r) if r.method == "POST" else kit.text(r.target)
    client = await lane.connect()
    together = [GET % b"1", POST % (4, b"") + b"GET ", GET % b"2", CHUNKED % b"" + b"1\r\n\r\r\n0\r\n\r\n"]
    await client.send(b"".join(together) + b"".join(GET % b"%d" % n for n in range(3, 40)))
    assert (await client.answer()).body == b"/1"
    await wait_all_tasks_blocked()
    assert [r.method for r in lane.site.begun] == ["GET", "POST"]
    may_go.set()
    bodies = [(await client.answer()).body for _ in range(40)]
    assert bodies == [b"slow GET ", b"/2", b"slow \r", *(b"/%d" % n for n in range(3, 40))]


async def test_many_requests_together_let_others_have_a_turn(start: Any, kit: Any) -> None:
    lane = await start()
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    lane.site.handler = lambda request: kit.text(str(turns))
    client = await lane.connect()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(others)
        await client.send(b"".join(GET % b"" for _ in range(300)))
        seen = {(await client.answer()).body for _ in range(300)}
        nursery.cancel_scope.cancel()
    assert len(seen) >= 20


async def test_empty_lines_in_front_of_a_request_count_for_nothing(start: Any) -> None:
    lane = await start()
    client = await lane.connect()
    assert (await client.ask(b"\r\n\r\n" + GET % b"a")).status == 200
    assert (await client.ask(b"\r\n" + GET % b"b")).body == b"/b"
    assert (await client.ask(b"\r\n\r\n\r\n" + GET % b"c")).status == 400


# ---------------------------------------------------------------- how it ends


@pytest.mark.parametrize(("request_", "ending"), [
    (GET % b"", None),
    (LAST % b"", "close"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE\r\n\r\n", "close"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n", "close"),
    (OLD % (b"", b""), "close"),
    (OLD % (b"", b"Connection: Keep-Alive\r\n"), "keep-alive"),
    (OLD % (b"", b"Connection: keep-alive, close\r\n"), "close"),
])  # fmt: skip
async def test_a_connection_is_kept_or_closed_as_asked(start: Any, request_: bytes, ending: str | None) -> None:
    lane = await start()
    client = await lane.connect()
    answer = await client.ask(request_)
    assert answer.status == 200
    assert answer.fields.get("connection") == ending
    if ending == "close":
        assert await client.rest() == b""
    else:
        assert (await client.ask(GET % b"again")).body == b"/again"


async def test_an_answer_may_close_the_connection(start: Any, kit: Any) -> None:
    lane = await start()
    lane.site.handler = lambda request: kit.text("bye", closes=True)
    client = await lane.connect()
    answer = await client.ask(GET % b"" + GET % b"never")
    assert (answer.body, answer.fields["connection"]) == (b"bye", "close")
    assert await client.rest() == b""
    assert len(lane.site.begun) == 1


async def test_a_client_that_closed_its_side_still_gets_its_answer(start: Any, kit: Any) -> None:
    lane = await start()
    has_closed = trio.Event()

    async def later(request: Any) -> Any:
        await has_closed.wait()
        return kit.text(request.target)

    lane.site.handler = later
    client = await lane.connect()
    await client.send(GET % b"a" + GET % b"b")
    await client.stream.send_eof()
    await wait_all_tasks_blocked()
    has_closed.set()
    assert (await client.answer()).body == b"/a"
    assert (await client.answer()).body == b"/b"
    assert await client.rest() == b""


async def test_a_client_that_leaves_early_is_counted_as_gone(start: Any, kit: Any) -> None:
    lane = await start()
    lane.site.handler = kit.echo
    client = await lane.connect()
    await client.send(POST % (10, b"") + b"abc")
    await kit.until(lambda: lane.site.begun)
    await client.close()
    await kit.until(lambda: lane.listener.connections == 0)
    assert lane.site.ended == [(lane.site.begun[0], 499, 0, True)]
    assert lane.site.failures == []


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n"])
async def test_a_client_that_leaves_before_a_request_costs_nothing(start: Any, kit: Any, sent: bytes) -> None:
    lane = await start()
    client = await lane.connect()
    await client.send(sent)
    await wait_all_tasks_blocked()
    await client.close()
    await kit.until(lambda: lane.listener.connections == 0)
    assert lane.site.ended == []


# ---------------------------------------------------------------- answers


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_without_a_body_says_nothing_of_length(start: Any, status: int) -> None:
    lane = await start()
    outgoing = Outgoing(status, [], b"")
    outgoing.length = None
    lane.site.handler = lambda request: outgoing
    client = await lane.connect()
    answer = await client.ask(GET % b"")
    assert answer.status == status
    assert "content-length" not in answer.fields
    assert (await client.ask(GET % b"")).status == status


async def test_an_answer_to_head_has_the_length_of_the_answer_to_get(start: Any) -> None:
    lane = await start()
    outgoing = Outgoing(200, [], b"")
    outgoing.length = 1234
    lane.site.handler = lambda request: outgoing
    client = await lane.connect()
    for _ in range(2):
        answer = await client.ask(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", is_head=True)
        assert answer.fields["content-length"] == "1234"


async def test_a_status_without_a_name_can_be_sent(start: Any, kit: Any) -> None:
    lane = await start()
    lane.site.handler = lambda request: kit.text("", 299)
    client = await lane.connect()
    await client.send(LAST % b"")
    assert (await client.rest()).startswith(b"HTTP/1.1 299 \r\n")


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 9_000_000])
async def test_bodies_of_all_sizes_arrive_whole(start: Any, kit: Any, size: int) -> None:
    body = bytes(range(251)) * (size // 251 + 1)
    lane = await start()
    lane.site.handler = lambda request: kit.text(body[:size])
    client = await lane.connect()
    assert (await client.ask(GET % b"")).body == body[:size]
    assert (await client.ask(GET % b"")).body == body[:size]


@pytest.mark.parametrize(("first", "length"), [(0, 0), (0, 10), (5, 600_000), (700_000, 300_000)])
async def test_files_are_sent_in_pieces_and_closed(start: Any, first: int, length: int) -> None:
    data = bytes(range(250)) * 4000
    file = Pieces(data, first, length)
    lane = await start()
    lane.site.handler = lambda request: Outgoing(200, [], file)
    client = await lane.connect()
    assert (await client.ask(GET % b"")).body == data[first : first + length]
    assert file.is_closed


async def test_a_file_that_became_shorter_ends_the_connection(start: Any) -> None:
    file = Pieces(b"x" * 300_000, 0, 400_000)
    lane = await start()
    lane.site.handler = lambda request: Outgoing(200, [], file)
    client = await lane.connect()
    with pytest.raises(EOFError):
        await client.ask(GET % b"")
    assert file.is_closed
    assert lane.site.ended[0][1:] == (200, lane.site.ended[0][2], True)
    assert isinstance(lane.site.failures.pop(), InternalError)


async def test_a_file_is_closed_when_its_client_left(start: Any, kit: Any) -> None:
    file = Pieces(b"x" * 50_000_000, 0, 50_000_000)
    lane = await start()
    lane.site.handler = lambda request: Outgoing(200, [], file)
    client = await lane.connect()
    await client.send(GET % b"")
    await client.stream.receive_some(10)
    await client.close()
    await kit.until(lambda: file.is_closed)
    await kit.until(lambda: lane.site.ended)
    assert lane.site.ended[0][3]


@pytest.mark.parametrize("header", [
    (b"x", b"a\r\nset-cookie: b"), (b"x", b"a\nb"), (b"x", b"a\rb"), (b"x", b"a\0b"), (b"x\r\ny", b"a"),
])  # fmt: skip
async def test_a_header_that_leaves_its_line_is_never_sent(start: Any, header: Any) -> None:
    lane = await start()
    lane.site.handler = lambda request: Outgoing(200, [header], b"")
    client = await lane.connect()
    await client.send(GET % b"")
    sent = await client.rest()
    assert sent.startswith(b"HTTP/1.1 500 ")
    assert b"set-cookie" not in sent
    assert isinstance(lane.site.failures.pop(), InternalError)


async def test_a_failure_of_ours_is_one_request_s_500_and_all_else_lives(start: Any, kit: Any) -> None:
    async def fail_later(request: Any) -> Any:
        await trio.lowlevel.checkpoint()
        raise ExceptionGroup("both", [ZeroDivisionError(), KeyError()])

    async def no_answer(request: Any) -> Any:
        await trio.lowlevel.checkpoint()

    def fail(request: Any) -> Any:
        if request.target == b"/now":
            raise ZeroDivisionError
        if request.target == b"/later":
            return fail_later(request)
        return no_answer(request) if request.target == b"/none" else kit.text("well")

    lane = await start()
    lane.site.handler = fail
    other = await lane.connect()
    assert (await other.ask(GET % b"")).body == b"well"
    for name in (b"now", b"later", b"none"):
        client = await lane.connect()
        answer = await client.ask(GET % name)
        assert (answer.status, answer.fields["connection"]) == (500, "close")
        assert await client.rest() == b""
        assert (await other.ask(GET % b"")).body == b"well"
    assert [type(failure) for failure in lane.site.failures] == [ZeroDivisionError, ExceptionGroup, InternalError]


# ---------------------------------------------------------------- bodies


async def test_a_body_is_read_to_its_end_and_not_further(start: Any, kit: Any) -> None:
    lane = await start()
    lane.site.handler = kit.echo
    client = await lane.connect()
    body = bytes(range(256)) * 1000
    chunks = b"".join(b"%X\r\n%b\r\n" % (len(body[a : a + 999]), body[a : a + 999]) for a in range(0, len(body), 999))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.send, (POST % (len(body), b"") + body) * 2 + CHUNKED % b"" + chunks + b"0\r\n\r\n" + GET % b"")
        for _ in range(3):
            assert (await client.answer()).body == body
        assert (await client.answer()).body == b""
    assert [request.exchange.length for request in lane.site.begun] == [len(body), len(body), None, 0]
    assert [request.exchange.has_body for request in lane.site.begun] == [True, True, True, False]


async def test_nothing_is_read_of_a_body_that_nobody_asks_for(start: Any, kit: Any) -> None:
    lane = await start()
    may_go = trio.Event()

    async def later(request: Any) -> Any:
        await may_go.wait()
        size = 0
        while piece := await request.exchange.read():
            assert len(piece) <= 65_536
            size += len(piece)
        return kit.text(str(size))

    lane.site.handler = later
    client = await lane.connect()
    sent = 0

    async def send() -> None:
        nonlocal sent
        await client.send(POST % (200_000_000, b""))
        while sent < 200_000_000:
            sent += await client.stream.socket.send(bytes(min(1_000_000, 200_000_000 - sent)))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        await wait_all_tasks_blocked(0.05)
        assert sent < 100_000_000
        may_go.set()
    assert (await client.answer()).body == b"200000000"


async def test_a_body_that_is_no_chunks_is_refused(start: Any, kit: Any) -> None:
    lane = await start()

    async def careful(request: Any) -> Any:
        try:
            return kit.text(await kit.read_body(request))
        except BodyError as error:
            with pytest.raises(PeerGoneError):
                await request.exchange.read()
            return kit.text(error.english, error.status)

    for handler in (careful, kit.echo):
        lane.site.handler = handler
        client = await lane.connect()
        answer = await client.ask(CHUNKED % b"" + b"zz\r\n" + GET % b"smuggled")
        assert (answer.status, answer.fields["connection"]) == (400, "close")
        assert await client.rest() == b""
    assert b"/smuggled" not in [request.target for request in lane.site.begun]
    assert lane.site.failures == []


async def test_a_client_that_waits_for_100_gets_it_when_the_body_is_read(start: Any, kit: Any) -> None:
    lane = await start()
    may_read = trio.Event()

    async def later(request: Any) -> Any:
        await may_read.wait()
        return kit.text(await kit.read_body(request))

    lane.site.handler = later
    client = await lane.connect()
    for frame in (POST % (3, b"Expect: 100-Continue\r\n"), CHUNKED % b"Expect: 100-continue\r\n"):
        may_read = trio.Event()
        await client.send(frame)
        await wait_all_tasks_blocked()
        assert client.buffer == b""
        may_read.set()
        assert (await client.answer()).status == 100
        await client.send(b"abc" if b"Length" in frame else b"3\r\nabc\r\n0\r\n\r\n")
        assert (await client.answer()).body == b"abc"


async def test_a_client_that_did_not_wait_for_100_gets_none(start: Any, kit: Any) -> None:
    lane = await start()
    lane.site.handler = kit.echo
    client = await lane.connect()
    assert (await client.ask(POST % (3, b"Expect: 100-continue\r\n") + b"abc")).body == b"abc"
    assert (await client.ask(POST % (0, b"Expect: 100-continue\r\n"))).status == 200


async def test_a_client_whose_body_is_not_wanted_is_told_so_at_once(start: Any, kit: Any) -> None:
    lane = await start()
    lane.site.handler = lambda request: kit.text("no", 401)
    client = await lane.connect()
    answer = await client.ask(POST % (1_000_000, b"Expect: 100-continue\r\n"))
    assert (answer.status, answer.fields["connection"]) == (401, "close")
    assert await client.rest() == b""


async def test_http_1_0_knows_no_expectations(start: Any, kit: Any) -> None:
    lane = await start()
    lane.site.handler = kit.echo
    client = await lane.connect()
    answer = await client.ask(b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab")
    assert (answer.status, answer.body) == (200, b"ab")


async def test_a_small_body_that_nobody_read_does_not_end_the_connection(start: Any, kit: Any) -> None:
    lane = await start()
    client = await lane.connect()
    for frame in (POST % (20_000, b"") + bytes(20_000), CHUNKED % b"" + b"2\r\nab\r\n0\r\n\r\n"):
        answer = await client.ask(frame)
        assert (answer.status, answer.fields.get("connection")) == (200, None)
    assert (await client.ask(GET % b"next")).body == b"/next"


@pytest.mark.parametrize("frame", [POST % (8_000_000, b""), CHUNKED % b"" + b"7a1200\r\n"])
async def test_a_client_that_sends_much_gets_the_answer_that_refuses_it(start: Any, kit: Any, frame: bytes) -> None:
    lane = await start()
    lane.site.handler = lambda request: kit.text("too large", 413)
    client = await lane.connect()
    # It sends all of it before it looks for an answer, as simple clients do.
    await client.send(frame + bytes(8_000_000))
    answer = await client.answer()
    assert (answer.status, answer.fields["connection"]) == (413, "close")
    assert await client.rest() == b""


async def test_a_request_that_is_over_reads_nothing_of_the_next(start: Any, kit: Any) -> None:
    lane = await start()
    client = await lane.connect()
    await client.ask(POST % (2, b"") + b"ab")
    old = lane.site.begun[0].exchange
    await client.send(POST % (2, b"") + b"c")
    with pytest.raises(PeerGoneError):
        await old.read()
    with pytest.raises(PeerGoneError):
        old.sink()
    await old.wait_gone()


# ---------------------------------------------------------------- streams


def streaming(*pieces: bytes, status: int = 200, error: Exception | None = None) -> Any:
    async def stream(request: Any) -> Any:
        sink = request.exchange.sink()
        assert not sink.is_open
        await sink.open(status, [(b"content-type", b"text/plain")])
        assert sink.is_open
        for piece in pieces:
            await sink.send(piece)
        if error:
            raise error

    return stream


async def test_a_stream_is_sent_in_chunks_and_the_connection_goes_on(start: Any) -> None:
    lane = await start()
    lane.site.handler = streaming(b"one", b"", b"two" * 50_000)
    client = await lane.connect()
    for _ in range(2):
        answer = await client.ask(GET % b"")
        assert answer.body == b"one" + b"two" * 50_000
        assert "content-length" not in answer.fields
    assert lane.site.statuses == [200, 200]


async def test_a_stream_whose_request_turns_out_broken_is_cut(start: Any, kit: Any) -> None:
    lane = await start()

    async def stream(request: Any) -> Any:
        sink = request.exchange.sink()
        await sink.open(200, [])
        await sink.send(await request.exchange.read())
        await kit.read_body(request)

    lane.site.handler = stream
    client = await lane.connect()
    await client.send(CHUNKED % b"" + b"1\r\na\r\n")
    await wait_all_tasks_blocked()
    await client.send(b"junk")
    answer = await client.rest()
    assert answer.count(b"HTTP/1.1") == 1
    assert answer.endswith(b"\r\n1\r\na\r\n")
    assert lane.site.ended[0][3]


async def test_a_stream_to_an_old_client_ends_with_the_connection(start: Any) -> None:
    lane = await start()
    lane.site.handler = streaming(b"one", b"two")
    client = await lane.connect()
    answer = await client.ask(OLD % (b"", b"Connection: keep-alive\r\n"))
    assert (answer.body, answer.fields["connection"]) == (b"onetwo", "close")
    assert "transfer-encoding" not in answer.fields


async def test_a_stream_that_begins_before_its_body_was_read_is_the_last(start: Any, kit: Any) -> None:
    lane = await start()

    async def stream(request: Any) -> Any:
        sink = request.exchange.sink()
        await sink.open(200, [])
        await sink.send(await kit.read_body(request))

    lane.site.handler = stream
    client = await lane.connect()
    answer = await client.ask(POST % (3, b"") + b"abc")
    assert (answer.body, answer.fields["connection"]) == (b"abc", "close")
    assert await client.rest() == b""


async def test_a_stream_answers_head_with_its_head_only(start: Any) -> None:
    lane = await start()
    lane.site.handler = streaming(b"one", b"two")
    client = await lane.connect()
    await client.send(b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    sent = await client.rest()
    assert sent.endswith(b"\r\n\r\n")
    assert sent.count(b"\r\n\r\n") == 1


async def test_a_stream_that_fails_is_cut_without_its_last_chunk(start: Any) -> None:
    lane = await start()
    lane.site.handler = streaming(b"one", error=ZeroDivisionError())
    client = await lane.connect()
    await client.send(GET % b"")
    assert (await client.rest()).endswith(b"\r\n3\r\none\r\n")
    assert lane.site.ended[0][1] == 200
    assert lane.site.ended[0][3]
    assert isinstance(lane.site.failures.pop(), ZeroDivisionError)


async def test_a_stream_that_fails_resets_an_old_client(start: Any) -> None:
    lane = await start()
    lane.site.handler = streaming(b"one", error=ZeroDivisionError())
    client = await lane.connect()
    await client.send(OLD % (b"", b""))
    with pytest.raises(trio.BrokenResourceError):
        await client.rest()


async def test_a_stream_is_cut_when_its_route_answers_after_it(start: Any, kit: Any) -> None:
    file = Pieces(b"abc", 0, 3)

    async def both(request: Any) -> Any:
        await streaming(b"one")(request)
        return Outgoing(200, [], file)

    lane = await start()
    lane.site.handler = both
    client = await lane.connect()
    await client.send(GET % b"")
    assert (await client.rest()).endswith(b"\r\n3\r\none\r\n")
    assert file.is_closed
    assert isinstance(lane.site.failures.pop(), InternalError)


async def test_any_task_may_send_to_a_stream_and_pieces_stay_whole(start: Any) -> None:
    lane = await start()

    async def stream(request: Any) -> Any:
        sink = request.exchange.sink()
        await sink.open(200, [])
        async with trio.open_nursery() as nursery:
            for letter in b"abc":
                nursery.start_soon(sink.send, bytes([letter]) * 3_000_000)

    lane.site.handler = stream
    client = await lane.connect()
    body = (await client.ask(GET % b"")).body
    assert len(body) == 9_000_000
    assert sorted(body[at : at + 1] for at in (0, 3_000_000, 6_000_000)) == [b"a", b"b", b"c"]
    assert all(len(set(body[at : at + 3_000_000])) == 1 for at in (0, 3_000_000, 6_000_000))


async def test_a_stream_whose_client_left_says_so(start: Any, kit: Any) -> None:
    lane = await start()
    ends: list[str] = []

    async def stream(request: Any) -> Any:
        sink = request.exchange.sink()
        await sink.open(200, [])
        try:
            while True:
                await sink.send(bytes(100_000))
        except PeerGoneError:
            ends.append("gone")
            raise

    lane.site.handler = stream
    client = await lane.connect()
    await client.send(GET % b"")
    await client.stream.receive_some(100)
    await client.close()
    await kit.until(lambda: lane.site.ended)
    assert ends == ["gone"]
    assert lane.site.ended[0][1] == 200
    assert lane.site.ended[0][3]
    assert lane.site.failures == []


async def test_a_task_of_a_route_that_sends_is_told_when_the_connection_is_cut(
    start: Any, kit: Any, nursery: trio.Nursery
) -> None:
    lane = await start()
    ends: list[str] = []

    async def send_much(sink: Any) -> None:
        try:
            while True:
                await sink.send(bytes(1_000_000))
        except PeerGoneError:
            ends.append("gone")

    async def stream(request: Any) -> Any:
        sink = request.exchange.sink()
        await sink.open(200, [])
        nursery.start_soon(send_much, sink)
        await trio.sleep_forever()

    lane.site.handler = stream
    client = await lane.connect()
    await client.send(GET % b"")
    await kit.until(lambda: lane.site.begun)
    await wait_all_tasks_blocked()
    assert lane.listener.cut() == 1
    await kit.until(lambda: ends)
    assert lane.site.ended[0][1] == 200
    assert lane.site.ended[0][3]


# ---------------------------------------------------------------- is it still there?


async def test_a_site_that_asks_is_told_when_its_client_left(start: Any, kit: Any) -> None:
    lane = await start()
    gone: list[bytes] = []

    async def watch(request: Any) -> Any:
        await request.exchange.wait_gone()
        gone.append(request.target)
        return kit.text("nobody hears")

    lane.site.handler = watch
    for name, also, how in ((b"1", b"", "close"), (b"2", GET % b"x", "close"), (b"3", b"", "eof"), (b"4", b"junk", "eof")):
        client = await lane.connect()
        await client.send(GET % name)
        await wait_all_tasks_blocked()
        await client.send(also)
        await wait_all_tasks_blocked()
        assert b"/" + name not in gone
        await (client.close() if how == "close" else client.stream.send_eof())
        await kit.until(lambda name=name: b"/" + name in gone)
    assert all(request.target != b"/x" for request in lane.site.begun[:1])


async def test_watching_a_client_takes_nothing_of_its_next_request(start: Any, kit: Any) -> None:
    lane = await start()
    may_go = trio.Event()

    async def watch(request: Any) -> Any:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(request.exchange.wait_gone)
            await may_go.wait()
            nursery.cancel_scope.cancel()
        return kit.text(request.target)

    lane.site.handler = lambda r: watch(r) if r.target == b"/1" else kit.text(r.target)
    client = await lane.connect()
    await client.send(GET % b"1")
    await wait_all_tasks_blocked()
    await client.send(GET % b"2")
    await wait_all_tasks_blocked()
    may_go.set()
    assert (await client.answer()).body == b"/1"
    assert (await client.answer()).body == b"/2"


# ---------------------------------------------------------------- hand-over

UPGRADE = b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: %b\r\n\r\n"


class Other:
    """The full lane: remembers what it was given and says goodbye."""

    def __init__(self) -> None:
        self.given: list[tuple[bytes, str]] = []

    async def take(self, sock: socket.socket, already_read: bytes, peer: str) -> None:
        self.given.append((already_read, peer))
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
        more = await stream.receive_some()
        await stream.send_all(b"got " + more)
        await stream.aclose()


@pytest.mark.parametrize("first", [
    UPGRADE % b"websocket",
    UPGRADE % b"h2c, WebSocket",
])  # fmt: skip
@pytest.mark.parametrize("before", [b"", GET % b"before"])
async def test_a_connection_is_handed_over_with_every_byte_read(start: Any, first: bytes, before: bytes) -> None:
    other = Other()
    lane = await start(hand_over=other.take, http2="cleartext")
    lane.site.upgrades.add(b"/ws")
    client = await lane.connect()
    await client.send(before + first + b"and \r\n\r\n more")
    if before:
        assert (await client.answer()).body == b"/before"
    await wait_all_tasks_blocked()
    assert lane.listener.connections == 1
    assert other.given == [(first + b"and \r\n\r\n more", "127.0.0.1")]
    await client.send(b"later")
    assert await client.rest() == b"got later"
    assert len(lane.site.begun) == len(lane.site.ended) == bool(before)


async def test_every_cut_of_a_preface_is_handed_over(start: Any) -> None:
    other = Other()
    lane = await start(hand_over=other.take, http2="cleartext")
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    for cut in range(1, len(preface)):
        client = await lane.connect()
        await client.send(preface[:cut])
        await wait_all_tasks_blocked()
        await client.send(preface[cut:])
        await wait_all_tasks_blocked()
        already_read = other.given[-1][0]
        if already_read != preface:
            assert await client.rest() == b"got " + preface[len(already_read) :]
        else:
            await client.send(b"x")
            assert await client.rest() == b"got x"
    assert len(other.given) == len(preface) - 1


@pytest.mark.parametrize("request_", [
    UPGRADE % b"h2c",
    UPGRADE % b"websockets",
    b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
    b"POST /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    UPGRADE.replace(b"/ws", b"/other") % b"websocket",
])  # fmt: skip
async def test_what_need_not_be_handed_over_is_served_here(start: Any, request_: bytes) -> None:
    other = Other()
    lane = await start(hand_over=other.take)
    lane.site.upgrades.add(b"/ws")
    client = await lane.connect()
    for _ in range(2):
        assert (await client.ask(request_)).status == 200
    assert other.given == []


async def test_without_a_full_lane_everything_is_served_here(start: Any) -> None:
    lane = await start()
    lane.site.upgrades.add(b"/ws")
    client = await lane.connect()
    assert (await client.ask(UPGRADE % b"websocket")).body == b"/ws"


async def test_http_2_is_spoken_from_the_first_byte_or_not_at_all(start: Any) -> None:
    other = Other()
    lane = await start(hand_over=other.take, http2="cleartext")
    client = await lane.connect()
    assert (await client.ask(GET % b"" + b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")).status == 200
    assert (await client.answer()).status == 505
    assert other.given == []


async def test_http_2_from_the_first_byte_is_refused_unless_configured(start: Any) -> None:
    other = Other()
    lane = await start(hand_over=other.take)
    client = await lane.connect()
    await client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert (await client.rest()).startswith(b"HTTP/1.1 505 ")
    assert other.given == []


async def test_a_full_lane_that_fails_ends_one_connection_only(start: Any) -> None:
    async def fail(sock: socket.socket, already_read: bytes, peer: str) -> None:
        raise ZeroDivisionError

    lane = await start(hand_over=fail)
    lane.site.upgrades.add(b"/ws")
    client, other = await lane.connect(), await lane.connect()
    await client.send(UPGRADE % b"websocket")
    assert await client.rest() == b""
    assert (await other.ask(GET % b"x")).status == 200
    assert isinstance(lane.site.failures.pop(), ZeroDivisionError)
