"""Routes that last: events and chunks, live connections, and the ways in which they end (EXTENSIONS §9).

Each test is a program and its clients. A client here is small and honest: what the edge has of a real one, in
memory. Everything happens in virtual time.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from etamil_actors.actors.programs.activity import Activity
from etamil_actors.actors.programs.exchange import Headers, PeerGoneError, Request
from etamil_actors.actors.programs.live import MOST_MESSAGES, serve_live
from etamil_actors.actors.programs.responses import headers_of
from etamil_actors.actors.programs.streams import (
    BEAT,
    BEAT_SECONDS,
    LINGER_SECONDS,
    MOST_PIECES,
    MOST_SIZE,
    Outbox,
    event_text,
    serve_stream,
)
from etamil_actors.actors.programs.system import System
from etamil_actors.errors import Fault
from tests.actors.helpers import run_virtually, settle
from tests.programs.running import Result, output_of, run_program

# ---- clients --------------------------------------------------------------------------


class Peer:
    """The other end of a WebSocket."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        """What the program sent."""
        self.headers: Headers | None = None
        """Of the handshake, once it was answered."""
        self.code: int | None = None
        """Of the goodbye."""
        self.unread = 0
        """What was said and has not been received yet."""
        self.reads = trio.Event()
        """It takes what is sent to it."""
        self.reads.set()
        self._gone = trio.Event()
        self._say, self._said = trio.open_memory_channel[Any](math.inf)

    # what the edge offers

    async def accept(self, headers: Headers) -> None:
        await self._answered()
        self.headers = headers

    async def receive(self) -> Any:
        try:
            message = await self._said.receive()
        except trio.EndOfChannel:
            return None
        self.unread -= 1
        return message

    async def send(self, message: Any) -> None:
        await self._answered()
        self.heard.append(message)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        await trio.lowlevel.checkpoint()
        if self.code is None and not self._gone.is_set():
            self.code = code
            self._say.close()

    async def _answered(self) -> None:
        await trio.lowlevel.checkpoint()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_first, self._gone, nursery.cancel_scope)
            await self.reads.wait()
            nursery.cancel_scope.cancel("it reads")
        if self._gone.is_set():
            raise PeerGoneError

    # what a person does

    def say(self, *messages: Any) -> None:
        for message in messages:
            self.unread += 1
            self._say.send_nowait(message)

    def leave(self) -> None:
        self._gone.set()
        self._say.close()


async def _first(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel("it has gone")


class Reader:
    """Somebody who reads a stream."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: Headers = []
        self.pieces: list[bytes] = []
        self.is_open = False
        self.is_gone = False
        self.reads = trio.Event()
        self.reads.set()

    async def open(self, status: int, headers: Headers) -> None:
        await trio.lowlevel.checkpoint()
        if self.is_gone:
            raise PeerGoneError
        assert not self.is_open
        self.is_open, self.status, self.headers = True, status, headers

    async def send(self, data: bytes) -> None:
        assert self.is_open
        assert data, "an empty chunk would end the stream"
        await trio.lowlevel.checkpoint()
        await self.reads.wait()
        if self.is_gone:
            raise PeerGoneError
        self.pieces.append(data)

    @property
    def text(self) -> str:
        return b"".join(self.pieces).decode()


class Visit(Request):
    """A request, and the route that serves it: what a route of the program does, by hand."""

    line: Any = None

    def __init__(
        self, system: System, path: str = "/", *, linger: float = LINGER_SECONDS, guards: float = 0.0
    ) -> None:
        super().__init__("GET", trio.current_time())
        self.service = next(iter(system.services.values()))
        self.row = next(row for row in self.service.image.program.declared if row.path == path)
        self.activity = Activity(self.service, path)
        self.activity.request = self
        self.value: Any = None
        self.problem: BaseException | None = None
        self.over = trio.Event()
        self.lines: list[str] = []
        """What the program printed."""
        self.ended = 0.0
        """When everybody had gone."""
        self._linger = linger
        self._guards = guards
        """So many seconds they take."""
        if self.row.name == "WS":
            self.live = Peer()
        else:
            self.sink = Reader()

    @property
    def peer(self) -> Peer:
        assert isinstance(self.live, Peer)
        return self.live

    @property
    def reader(self) -> Reader:
        assert isinstance(self.sink, Reader)
        return self.sink

    async def run(self) -> None:
        """Serve it, as its route does."""
        goodbye, linger = self.service.system.goodbye, self._linger
        try:
            if self.live is not None:
                self.value = await serve_live(self.activity, self._handle, goodbye, head=self._head, linger=linger)  # fmt: skip
            else:
                self.value = await serve_stream(
                    self.activity,
                    self._handle,
                    goodbye,
                    is_events=self.row.name == "SSE",
                    head=self._head,
                    linger=linger,
                )
        except Exception as problem:  # noqa: BLE001  the test looks at it
            self.problem = problem
        finally:
            self.over.set()

    async def _handle(self) -> Any:
        if self._guards:
            await trio.sleep(self._guards)
        self.line.let_in()
        self.activity.enter(self.service.take_machine())
        assert self.activity.machine is not None
        return await self.activity.live(self.activity.machine.run_body, self.row.unit)

    def _head(self) -> tuple[int, Headers]:
        said = self.activity.said
        return (200, []) if said is None else (int(said.status), headers_of(said.headers))


Scenario = Callable[[System, trio.Nursery], Awaitable[None]]


def serve(text: str, scenario: Scenario, *, seed: int = 0) -> Result:
    """Run a program with its visitors; afterwards nothing of it is left."""

    async def during(system: System) -> None:
        with trio.fail_after(3600):
            async with trio.open_nursery() as nursery:
                await scenario(system, nursery)

    done = run_program(text, during=during, seed=seed)
    if done.problem is not None:
        raise done.problem
    assert not done.crashes
    assert not done.left_over
    return done


def visit(text: str, meanwhile: Callable[[Visit], Awaitable[None]] | None = None, **options: Any) -> Visit:
    """One visit to a program with one route; ``meanwhile`` is what the visitor does. Everybody leaves."""
    visits: list[Visit] = []
    seed = options.pop("seed", 0)

    async def scenario(system: System, nursery: trio.Nursery) -> None:
        one = Visit(system, **options)
        visits.append(one)
        nursery.start_soon(one.run)
        if meanwhile is not None:
            await meanwhile(one)
        await one.over.wait()

    done = serve(text, scenario, seed=seed)
    visits[0].lines = done.lines
    visits[0].ended = done.time
    return visits[0]


def events_of(reader: Reader) -> list[str]:
    """What was sent, without the comments."""
    return [one for one in reader.text.split("\n\n") if one and not one.startswith(":")]


# ---- events ---------------------------------------------------------------------------


def test_an_event_has_its_name_its_id_and_its_data() -> None:
    one = visit("""
        வழி SSE, "/" {
            ஓடை_அனுப்பு("வணக்கம்");
            ஓடை_அனுப்பு({"விலை": 12.50}, {"நிகழ்வு": "விலை", "id": 7});
        }
    """)
    assert one.problem is None
    assert one.reader.text == 'data: வணக்கம்\n\nevent: விலை\nid: 7\ndata: {"விலை":12.50}\n\n'
    assert one.reader.status == 200
    assert one.reader.headers == [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
    ]


@pytest.mark.parametrize(
    ("data", "written"),
    [
        ("", "data: \n\n"),
        ("அ\nஆ", "data: அ\ndata: ஆ\n\n"),
        ("அ\r\nஆ\rஇ\n", "data: அ\ndata: ஆ\ndata: இ\ndata: \n\n"),
        (" இடம்", "data:  இடம்\n\n"),
        ("a\u2028b\x0bc\x85d", "data: a\u2028b\x0bc\x85d\n\n"),
        ("x\nevent: பொய்\n\nid: 9", "data: x\ndata: event: பொய்\ndata: \ndata: id: 9\n\n"),
    ],
)
def test_data_of_many_lines_stays_data(data: str, written: str) -> None:
    assert event_text(data) == written


@pytest.mark.parametrize("name", ["event", "id"])
@pytest.mark.parametrize("end", ["\\n", "\\r", "\\0"])
def test_no_field_can_be_made_within_a_field(name: str, end: str) -> None:
    character = {"\\n": '"\\n"', "\\r": '"\\r"', "\\0": 'ஜேசான்_படி("\\"\\\\u0000\\"")?'}[end]
    one = visit(f"""
        வழி SSE, "/" {{
            முயல் {{ ஓடை_அனுப்பு("x", {{"{name}": "a" & {character} & "data: பொய்"}}); }}
            பிழை(e) {{ ஓடை_அனுப்பு(e.code); }}
            முயல் {{ ஓடை_அனுப்பு("x", {{"{name}": [1]}}); }}
            பிழை(e) {{ ஓடை_அனுப்பு(e.code); }}
        }}
    """)
    assert one.reader.text == "data: value.invalid\n\ndata: value.kind\n\n"


def test_the_head_is_what_the_program_has_said_when_it_first_sends() -> None:
    one = visit("""
        வழி SSE, "/" {
            பதில் 201, "", {"X-Kadai": "அ1", "Cache-Control": "private"};
            ஓடை_அனுப்பு(1);
            பதில் 500, "", {"X-Kadai": "மாறியது"};
            ஓடை_அனுப்பு(2);
        }
    """)
    assert one.reader.status == 201
    assert dict(one.reader.headers) == {
        b"content-type": b"text/event-stream; charset=utf-8",
        b"x-kadai": "அ1".encode(),
        b"cache-control": b"private",
        b"x-accel-buffering": b"no",
    }
    assert events_of(one.reader) == ["data: 1", "data: 2"]


def test_a_header_that_cannot_be_sent_is_an_error_of_the_program_and_nothing_is_sent() -> None:
    one = visit("""வழி SSE, "/" { பதில் 200, "", {"X-A": "b\\r\\nX-C: d"}; ஓடை_அனுப்பு(1); }""")
    assert isinstance(one.problem, Fault)
    assert one.problem.code == "value.invalid"
    assert not one.reader.is_open


def test_a_handler_that_sends_nothing_is_answered_for_like_any_other() -> None:
    one = visit("""வழி SSE, "/" { திரும்பு பதில்_ஆக்கு(404, "இல்லை"); }""")
    assert not one.line.is_open
    assert not one.reader.is_open
    assert one.value["status"] == 404


def test_an_error_after_the_first_event_is_told_and_what_was_sent_is_written() -> None:
    one = visit("""வழி SSE, "/" { ஓடை_அனுப்பு(1); ஓடை_அனுப்பு(1 / 0); }""")
    assert isinstance(one.problem, Fault)
    assert one.problem.code == "number.division_by_zero"
    assert one.line.is_open
    assert one.reader.text == "data: 1\n\n"


def test_a_silent_stream_is_opened_and_kept_alive() -> None:
    one = visit('வழி SSE, "/" { உறங்கு(40); ஓடை_அனுப்பு("இறுதி"); }')
    assert one.reader.pieces == [BEAT, BEAT, BEAT, "data: இறுதி\n\n".encode()]


def test_three_minutes_of_a_stream_are_nothing_special() -> None:
    one = visit('வழி SSE, "/" { n = 0; (n < 18) சுற்று { n = n + 1; ஓடை_அனுப்பு(n); உறங்கு(10); } }')
    assert one.reader.text == "".join(f"data: {n}\n\n" for n in range(1, 19))


def test_nothing_is_opened_before_the_guards_are_through() -> None:
    async def look(one: Visit) -> None:
        await trio.sleep(29)
        assert not one.line.is_open
        await trio.sleep(3)
        assert one.line.is_open

    assert visit('வழி SSE, "/" { உறங்கு(5); }', look, guards=30).reader.pieces == [BEAT]


def test_a_slow_reader_makes_the_program_wait_and_loses_nothing() -> None:
    async def be_slow(one: Visit) -> None:
        one.reader.reads = trio.Event()
        await settle()
        waiting = one.line.outbox
        assert waiting.waiting_senders == 1
        assert len(waiting._pieces) == MOST_PIECES
        one.reader.reads.set()

    one = visit("""
        வழி SSE, "/" {
            n = 0;
            (n < 100) சுற்று { n = n + 1; ஓடை_அனுப்பு(n); }
            அச்சு n;
        }
    """, be_slow)  # fmt: skip
    assert one.reader.text == "".join(f"data: {n}\n\n" for n in range(1, 101))


def test_a_time_limit_around_a_send_leaves_no_half_event() -> None:
    async def be_slow(one: Visit) -> None:
        one.reader.reads = trio.Event()
        await trio.sleep(5)
        one.reader.reads.set()

    one = visit("""
        வழி SSE, "/" {
            n = 0;
            முயல் { காலவரம்பு(2) { (மெய்) சுற்று { n = n + 1; ஓடை_அனுப்பு(n); } } }
            பிழை(e) { உறங்கு(10); ஓடை_அனுப்பு(e.code); அச்சு n; }
        }
    """, be_slow)  # fmt: skip
    sent = events_of(one.reader)
    assert sent == [f"data: {n}" for n in range(1, len(sent))] + ["data: timeout"]
    # The last one of the loop had no room, and was cancelled: it has not been sent.
    assert one.lines == [str(len(sent))]


@pytest.mark.parametrize("what", ["(மெய்) சுற்று { ஓடை_அனுப்பு(1); உறங்கு(1); }", "உறங்கு(600);"])
def test_a_client_that_has_gone_cancels_the_handler(what: str) -> None:
    async def go(one: Visit) -> None:
        await trio.sleep(3.5)
        one.reader.is_gone = True

    one = visit(f"""
        வழி SSE, "/" {{
            ஓடை_அனுப்பு("முதல்");
            முயல் {{ {what} }} பிழை(e) {{ அச்சு "பிழை"; }} இறுதியில் {{ அச்சு "துப்புரவு"; }}
            அச்சு "ஒருபோதும் இல்லை";
        }}
    """, go)  # fmt: skip
    assert one.lines == ["துப்புரவு"]
    assert one.problem is None
    assert one.ended <= 2 * BEAT_SECONDS + 1


def test_a_program_that_waits_for_a_slow_client_that_goes_is_cancelled() -> None:
    async def go(one: Visit) -> None:
        one.reader.reads = trio.Event()
        await settle()
        one.reader.is_gone = True
        one.reader.reads.set()

    one = visit("""
        வழி SSE, "/" {
            முயல் { (மெய்) சுற்று { ஓடை_அனுப்பு(1); } } இறுதியில் { அச்சு "துப்புரவு"; }
        }
    """, go)  # fmt: skip
    assert one.lines == ["துப்புரவு"]
    assert one.problem is None


FEED = """
    செய்திகள் = சேனல்_உருவாக்கு({"kind": "broadcast"});
    வழி SSE, "/" {
        முயல் {
            ஒவ்வொரு m இல் சேனல்_சந்தா(செய்திகள்) { ஓடை_அனுப்பு(m); }
        } இறுதியில் { அச்சு "முடிந்தது"; }
    }
    பணி_உருவாக்கு "அனுப்பு", {"every": 10} { சேனல்_அனுப்பு(செய்திகள், "செய்தி"); }
"""


def test_at_goodbye_a_reader_is_told_when_to_come_back_and_the_handler_stops() -> None:
    async def go_down(one: Visit) -> None:
        await trio.sleep(12)
        one.service.system.goodbye.set()

    one = visit(FEED, go_down)
    assert one.problem is None
    assert one.reader.text.endswith("retry: 3000\n: பிறகு மீண்டும் இணையவும் (please come back)\n\n")
    assert "data: செய்தி\n\n" in one.reader.text
    assert one.lines == ["முடிந்தது"]
    assert one.ended < 14


def test_after_goodbye_one_more_event_is_sent_and_the_next_ends_the_handler() -> None:
    async def go_down(one: Visit) -> None:
        await trio.sleep(2.5)
        one.service.system.goodbye.set()

    one = visit('வழி SSE, "/" { n = 0; (மெய்) சுற்று { n = n + 1; ஓடை_அனுப்பு(n); உறங்கு(1); } }', go_down)
    assert events_of(one.reader) == [
        *("data: 1", "data: 2", "data: 3"),
        "retry: 3000\n: பிறகு மீண்டும் இணையவும் (please come back)",
        "data: 4",
    ]
    assert one.problem is None


def test_after_goodbye_a_handler_that_does_not_hear_is_cut() -> None:
    async def go_down(one: Visit) -> None:
        one.service.system.goodbye.set()

    one = visit('வழி SSE, "/" { ஓடை_அனுப்பு(1); உறங்கு(900); }', go_down, linger=7.0)
    assert one.problem is None
    assert one.ended == pytest.approx(7, abs=0.01)


# ---- chunks ---------------------------------------------------------------------------


def test_chunks_go_out_as_they_are() -> None:
    one = visit("""
        வழி STREAM, "/" {
            பதில் 200, "", {"Content-Type": "text/csv; charset=utf-8"};
            ஓடை_அனுப்பு("பெயர்,விலை\\n");
            ஓடை_அனுப்பு("");
            ஓடை_அனுப்பு([1, {"அ": மெய்}]);
        }
    """)
    assert one.reader.pieces == ["பெயர்,விலை\n".encode(), '[1,{"அ":true}]'.encode()]
    assert one.reader.headers == [
        (b"content-type", b"text/csv; charset=utf-8"),
        (b"x-accel-buffering", b"no"),
    ]


def test_a_chunk_has_no_name_and_no_id() -> None:
    one = visit('வழி STREAM, "/" { ஓடை_அனுப்பு("x", {"event": "e"}); }')
    assert isinstance(one.problem, Fault)
    assert one.problem.code == "value.invalid"


def test_an_empty_chunk_opens_the_stream() -> None:
    one = visit('வழி STREAM, "/" { ஓடை_அனுப்பு(""); }')
    assert one.line.is_open
    assert one.reader.pieces == []
    assert (b"content-type", b"text/plain; charset=utf-8") in one.reader.headers


def test_a_raw_stream_has_no_comments_and_is_finished_at_goodbye() -> None:
    async def go_down(one: Visit) -> None:
        await trio.sleep(25)
        one.service.system.goodbye.set()

    one = visit(
        'வழி STREAM, "/" { ஓடை_அனுப்பு("அ"); உறங்கு(60); ஓடை_அனுப்பு("ஆ"); உறங்கு(1); ஓடை_அனுப்பு("இ"); }', go_down
    )
    assert one.reader.text == "அஆஇ"
    assert one.problem is None


# ---- where there is no such route -----------------------------------------------------


@pytest.mark.parametrize("word", ["ஓடை_அனுப்பு(1);", "x = நேரலை;", "நேரலை_பெறு();", "நேரலை_அனுப்பு(1);"])
def test_the_words_mean_nothing_elsewhere(word: str) -> None:
    text = f"""
        முயல் {{ {word} }} பிழை(e) {{ அச்சு e.code; }}
        செயல் f() {{ முயல் {{ {word} }} பிழை(e) {{ அச்சு e.code; }} }}
        பணி_காத்திரு(பணி_தொடங்கு(f));
    """
    assert output_of(text) == ["no_request", "no_request"]


@pytest.mark.parametrize("word", ["x = நேரலை;", "நேரலை_பெறு();", "நேரலை_அனுப்பு(1);"])
def test_a_stream_is_no_live_connection(word: str) -> None:
    one = visit(f'வழி SSE, "/" {{ {word} }}')
    assert isinstance(one.problem, Fault)
    assert one.problem.code == "no_request"


def test_a_live_connection_is_no_stream() -> None:
    async def wait(one: Visit) -> None:
        await one.over.wait()

    one = visit('வழி WS, "/" { ஓடை_அனுப்பு(1); }', wait)
    assert isinstance(one.problem, Fault)
    assert one.problem.code == "no_request"


# ---- live connections -----------------------------------------------------------------


async def nothing(one: Visit) -> None:
    """The visitor says nothing."""


def test_texts_are_texts_and_other_values_are_json() -> None:
    async def talk(one: Visit) -> None:
        one.peer.say("வணக்கம்", "இருமம்".encode())

    one = visit("""
        வழி WS, "/" {
            அச்சு [நேரலை_பெறு(), நேரலை_பெறு()];
            நேரலை_அனுப்பு("நன்றி");
            நேரலை_அனுப்பு({"எண்": 1.50, "சேனல்": நேரலை});
            நேரலை_அனுப்பு(5);
        }
    """, talk)  # fmt: skip
    assert one.lines == ["[வணக்கம், இருமம்]"]
    assert one.peer.heard == ["நன்றி", '{"எண்":1.50,"சேனல்":null}', "5"]
    assert one.peer.code == 1000
    assert one.problem is None


def test_bytes_that_are_no_text_end_the_connection() -> None:
    async def talk(one: Visit) -> None:
        one.peer.say("நல்லது", b"\xff\xfe", "பிறகு")

    one = visit('வழி WS, "/" { ஒவ்வொரு m இல் நேரலை { அச்சு m; } அச்சு நேரலை_பெறு(); }', talk)
    assert one.lines == ["நல்லது", "nil"]
    assert one.peer.code == 1003
    assert one.problem is None


def test_receive_answers_nothing_when_the_peer_has_gone_after_all_it_said() -> None:
    async def talk(one: Visit) -> None:
        one.peer.say(*"abcde")
        await settle()
        one.peer.leave()

    one = visit("""
        வழி WS, "/" {
            c = நேரலை;
            உறங்கு(5);
            m = நேரலை_பெறு();
            (m != இன்மை) சுற்று { அச்சு m; உறங்கு(0.5); m = நேரலை_பெறு(); }
            அச்சு [நேரலை_பெறு(), நேரலை_பெறு()];
            அச்சு "முடிந்தது";
        }
    """, talk)  # fmt: skip
    assert one.lines == [*"abcde", "[nil, nil]", "முடிந்தது"]
    assert one.peer.code is None


def test_a_receive_with_a_time_limit() -> None:
    async def talk(one: Visit) -> None:
        await trio.sleep(4)
        one.peer.say("வந்தது")

    one = visit("""
        வழி WS, "/" {
            முயல் { நேரலை_பெறு({"timeout": 3}); } பிழை(e) { அச்சு e.code; }
            அச்சு நேரலை_பெறு({"காலவரம்பு": 3});
            ஒவ்வொரு தவறானது இல் [{"timeout": -1}, {"timeout": "x"}, {"தெரியாதது": 1}] {
                முயல் { நேரலை_பெறு(தவறானது); } பிழை(e) { அச்சு e.code; }
            }
        }
    """, talk)  # fmt: skip
    assert one.lines == ["timeout", "வந்தது", "value.invalid", "value.kind", "option.unknown"]


def test_an_echo_that_does_not_look_for_the_end_ends_without_an_error() -> None:
    async def talk(one: Visit) -> None:
        one.peer.say("அ", "ஆ")
        await trio.sleep(1)
        one.peer.leave()

    one = visit('வழி WS, "/" { (மெய்) சுற்று { நேரலை_அனுப்பு(நேரலை_பெறு()); } }', talk)
    assert one.peer.heard == ["அ", "ஆ"]
    assert one.problem is None


def test_nothing_cannot_be_sent() -> None:
    one = visit("""
        வழி WS, "/" {
            முயல் { நேரலை_அனுப்பு(இன்மை); } பிழை(e) { அச்சு e.code; }
            முயல் { சேனல்_அனுப்பு(நேரலை, இன்மை); } பிழை(e) { அச்சு e.code; }
        }
    """, nothing)  # fmt: skip
    assert one.lines == ["validation", "validation"]


def test_an_error_of_the_handler_is_told_and_the_peer_hears_1011() -> None:
    one = visit('வழி WS, "/" { நேரலை_அனுப்பு("முன்"); x = 1 / 0; }', nothing)
    assert isinstance(one.problem, Fault)
    assert one.problem.code == "number.division_by_zero"
    assert one.peer.heard == ["முன்"]
    assert one.peer.code == 1011


def test_a_handshake_can_be_refused_until_the_connection_is_used() -> None:
    one = visit('வழி WS, "/" { உறங்கு(0.5); திரும்பு பதில்_ஆக்கு(404, "அறை இல்லை"); }', nothing)
    assert one.value["status"] == 404
    assert not one.line.is_open
    assert one.peer.headers is None
    assert one.peer.code is None


def test_the_handshake_carries_the_headers_of_the_program() -> None:
    one = visit('வழி WS, "/" { பதில் 200, "", {"X-Arai": "1"}; நேரலை_அனுப்பு(1); }', nothing)
    assert one.peer.headers == [(b"x-arai", b"1")]


def test_a_handler_that_takes_its_time_lets_the_peer_in() -> None:
    async def look(one: Visit) -> None:
        await trio.sleep(2.9)
        assert not one.line.is_open
        await trio.sleep(0.2)
        assert one.line.is_open

    one = visit('வழி WS, "/" { உறங்கு(9); }', look, guards=2.0)
    assert one.peer.code == 1000


def test_a_peer_that_goes_during_the_handshake() -> None:
    async def go(one: Visit) -> None:
        one.peer.leave()

    one = visit('வழி WS, "/" { அச்சு நேரலை_பெறு(); நேரலை_அனுப்பு(1); அச்சு "இல்லை"; }', go)
    assert one.lines == ["nil"]
    assert one.problem is None
    assert not one.line.is_open
    assert one.ended < 2


# ---- the connection as a channel ------------------------------------------------------


def test_it_is_a_channel_in_every_way() -> None:
    async def talk(one: Visit) -> None:
        one.peer.say(*"abcdefgh")
        await trio.sleep(5)
        one.peer.leave()

    one = visit("""
        வழி WS, "/" {
            c = நேரலை;
            உறங்கு(1);
            அச்சு [வகை(c), c == நேரலை, சேனல்_நீளம்(c)];
            அச்சு c;
            அச்சு சேனல்_பெறு(c);
            அச்சு சேனல்_முயற்சி(c);
            சேனல்_ஏற்பு(c);
            அச்சு சேனல்_பெறு(c);
            சேனல்_மறு(c);
            அச்சு [சேனல்_அனுப்பு(c, "x"), சேனல்_அனுப்பு(c, {"y": 1}, {"timeout": 3})];
            ஒவ்வொரு விருப்பம் இல் [{"delay": 1}, {"key": "k"}, {"id": "i"}] {
                முயல் { சேனல்_அனுப்பு(c, "z", விருப்பம்); } பிழை(e) { அச்சு e.code; }
            }
            முயல் { சேனல்_சந்தா(c); } பிழை(e) { அச்சு e.code; }
            ஒவ்வொரு m இல் c { அச்சு m; }
            அச்சு [சேனல்_பெறு(c), சேனல்_முயற்சி(c)];
        }
    """, talk)  # fmt: skip
    assert one.lines == [
        "[a channel, true, 8]",
        "<சேனல் நேரலை#1>",
        "a",
        "சரி(b)",
        "c",
        "[true, true]",
        *["value.invalid"] * 4,
        *"cdefgh",
        "[nil, தவறு(மூடப்பட்டது)]",
    ]
    assert one.peer.heard == ["x", '{"y":1}']


def test_choosing_between_the_connection_and_another_channel() -> None:
    async def talk(one: Visit) -> None:
        await trio.sleep(3)
        one.peer.say("நான்")
        await trio.sleep(3)
        one.peer.say("போகிறேன்")

    one = visit("""
        மணி = சேனல்_உருவாக்கு();
        வழி WS, "/" {
            (மெய்) சுற்று {
                தேர்வு {
                    m இல் நேரலை { (m == "போகிறேன்") எனில் { நிறுத்து; } நேரலை_அனுப்பு("நீ: " & m); }
                    k இல் மணி { நேரலை_அனுப்பு("மணி " & k); }
                    காலம் 2.5 { நேரலை_அனுப்பு("அமைதி"); }
                }
            }
        }
        பணி_உருவாக்கு "அடி" { உறங்கு(4); சேனல்_அனுப்பு(மணி, 4); }
    """, talk)  # fmt: skip
    assert one.peer.heard == ["அமைதி", "நீ: நான்", "மணி 4"]
    assert one.peer.code == 1000


CHAT = """
    அறை = சேனல்_உருவாக்கு({"kind": "broadcast"});
    வழி WS, "/" {
        பெயர் = நேரலை_பெறு();
        கேள் = சேனல்_சந்தா(அறை);
        சேனல்_அனுப்பு(அறை, பெயர் & " வந்தார்");
        முயல் {
            (மெய்) சுற்று {
                தேர்வு {
                    பேச்சு இல் நேரலை { சேனல்_அனுப்பு(அறை, பெயர் & ": " & பேச்சு); }
                    வரி இல் கேள் { நேரலை_அனுப்பு(வரி); }
                }
            }
        } இறுதியில் { அச்சு பெயர் & " போனார்"; }
    }
"""


@pytest.mark.parametrize("seed", range(5))
def test_a_chat_of_two(seed: int) -> None:
    peers: list[Peer] = []

    async def scenario(system: System, nursery: trio.Nursery) -> None:
        visits = [Visit(system), Visit(system)]
        anbu, bala = (one.peer for one in visits)
        peers.extend((anbu, bala))
        for one, name in zip(visits, ("அன்பு", "பாலா"), strict=True):
            nursery.start_soon(one.run)
            one.peer.say(name)
            await settle()
        anbu.say("வணக்கம்")
        await settle()
        bala.say("நலமா?")
        await settle()
        anbu.leave()
        await visits[0].over.wait()
        bala.say("தனியே")
        await settle()
        # Now nobody says anything any more, and still nobody stays behind.
        bala.leave()
        await visits[1].over.wait()
        assert [one.problem for one in visits] == [None, None]

    done = serve(CHAT, scenario, seed=seed)
    said = ["பாலா வந்தார்", "அன்பு: வணக்கம்", "பாலா: நலமா?"]
    assert peers[0].heard == ["அன்பு வந்தார்", *said]
    assert peers[1].heard == [*said, "பாலா: தனியே"]
    assert done.lines == ["அன்பு போனார்", "பாலா போனார்"]


def test_an_agent_holds_many_connections_and_notices_those_that_have_gone() -> None:
    async def scenario(system: System, nursery: trio.Nursery) -> None:
        visits = [Visit(system), Visit(system)]
        for number, one in enumerate(visits):
            nursery.start_soon(one.run)
            one.peer.say(f"ஆள்{number}")
            await settle()
        visits[0].peer.leave()
        await visits[0].over.wait()
        visits[1].peer.say("எல்லோருக்கும்")
        await settle()
        assert visits[0].peer.heard == ["ஆள்0", "ஆள்1"]
        assert visits[1].peer.heard == ["ஆள்1", "எல்லோருக்கும்"]
        visits[1].peer.leave()
        await visits[1].over.wait()
        assert [one.problem for one in visits] == [None, None]

    done = serve("""
        முகவர் அறை() {
            ஆட்கள் = [];
            செய்தி நுழை(இணைப்பு) { ஆட்கள் = இணை(ஆட்கள், இணைப்பு); }
            செய்தி பரப்பு(வரி) {
                இருப்போர் = [];
                ஒவ்வொரு ஆள் இல் ஆட்கள் {
                    முயல் {
                        சேனல்_அனுப்பு(ஆள், வரி);
                        இருப்போர் = இணை(இருப்போர், ஆள்);
                    } பிழை(e) { அச்சு e.code; }
                }
                ஆட்கள் = இருப்போர்;
                திரும்பு நீளம்(ஆட்கள்);
            }
        }
        கூடம் = அறை();
        வழி WS, "/" {
            கூடம்.நுழை(நேரலை);
            ஒவ்வொரு m இல் நேரலை { அச்சு கூடம்.பரப்பு(m); }
        }
    """, scenario)  # fmt: skip
    assert done.lines == ["1", "2", "channel.closed", "1"]


def test_a_task_of_the_handler_may_send_while_it_receives() -> None:
    async def talk(one: Visit) -> None:
        one.peer.say("அ")
        await trio.sleep(3.5)
        one.peer.leave()

    one = visit("""
        பணி துடிப்பு(c) { n = 0; (மெய்) சுற்று { n = n + 1; சேனல்_அனுப்பு(c, n); உறங்கு(1); } }
        வழி WS, "/" {
            பணி_தொடங்கு(துடிப்பு, நேரலை);
            ஒவ்வொரு m இல் நேரலை { நேரலை_அனுப்பு(m); }
        }
    """, talk)  # fmt: skip
    assert sorted(one.peer.heard) == ["1", "2", "3", "4", "அ"]
    assert one.problem is None


def test_what_is_sent_by_many_goes_out_whole_and_in_the_order_of_each() -> None:
    async def be_slow(one: Visit) -> None:
        one.peer.reads = trio.Event()
        await settle()
        assert one.line._outbox.waiting_senders == 3
        one.peer.reads.set()

    one = visit("""
        பணி எண்ணு(c, யார்) { n = 0; (n < 20) சுற்று { n = n + 1; சேனல்_அனுப்பு(c, யார் & n); } }
        வழி WS, "/" {
            செயல்கள் = [பணி_தொடங்கு(எண்ணு, நேரலை, "a"), பணி_தொடங்கு(எண்ணு, நேரலை, "b"), பணி_தொடங்கு(எண்ணு, நேரலை, "c")];
            ஒவ்வொரு t இல் செயல்கள் { பணி_காத்திரு(t); }
        }
    """, be_slow)  # fmt: skip
    assert len(one.peer.heard) == 60
    for who in "abc":
        assert [text for text in one.peer.heard if text[0] == who] == [f"{who}{n}" for n in range(1, 21)]


def test_a_slow_peer_makes_senders_wait_with_a_limit_if_they_want() -> None:
    async def be_slow(one: Visit) -> None:
        one.peer.reads = trio.Event()
        await trio.sleep(10)
        one.peer.reads.set()

    one = visit("""
        வழி WS, "/" {
            n = 0;
            முயல் { (மெய்) சுற்று { n = n + 1; சேனல்_அனுப்பு(நேரலை, n, {"timeout": 2}); } }
            பிழை(e) { அச்சு e.code; }
            நேரலை_அனுப்பு("இறுதி");
            அச்சு n;
        }
    """, be_slow)  # fmt: skip
    sent = MOST_MESSAGES
    assert one.peer.heard == [*(str(n) for n in range(1, sent + 1)), "இறுதி"]
    assert one.lines == ["timeout", str(sent + 1)]


def test_a_program_that_does_not_receive_leaves_the_rest_on_the_wire() -> None:
    async def talk(one: Visit) -> None:
        one.peer.say(*(str(n) for n in range(100)))
        await trio.sleep(5)
        assert one.peer.unread == 100 - MOST_MESSAGES - 1
        await trio.sleep(10)
        assert one.peer.unread == 0
        one.peer.leave()

    one = visit('வழி WS, "/" { n = நேரலை; உறங்கு(10); ஒவ்வொரு m இல் நேரலை { அச்சு m; } }', talk)
    assert one.lines == [str(n) for n in range(100)]


# ---- ends -----------------------------------------------------------------------------


def test_a_handler_that_waits_for_others_does_not_outlive_its_peer() -> None:
    async def go(one: Visit) -> None:
        await trio.sleep(5)
        one.peer.leave()

    one = visit("""
        மணி = சேனல்_உருவாக்கு();
        வழி WS, "/" {
            நேரலை_அனுப்பு("வா");
            முயல் { (மெய்) சுற்று { சேனல்_பெறு(மணி); } } பிழை(e) { அச்சு e.code; } இறுதியில் { அச்சு "துப்புரவு"; }
        }
    """, go)  # fmt: skip
    assert one.lines == ["துப்புரவு"]
    assert one.problem is None
    assert one.ended < 7


def test_it_may_take_what_the_peer_had_said_and_then_does_not_stay_either() -> None:
    async def go(one: Visit) -> None:
        one.peer.say(*"abc")
        await settle()
        one.peer.leave()

    one = visit("""
        மணி = சேனல்_உருவாக்கு();
        வழி WS, "/" {
            c = நேரலை;
            உறங்கு(3);
            ஒவ்வொரு n இல் [1, 2, 3] { அச்சு நேரலை_பெறு(); உறங்கு(1); }
            சேனல்_பெறு(மணி);
        }
    """, go)  # fmt: skip
    assert one.lines == ["a", "b", "c"]
    assert one.ended < 8


def test_a_handler_finishes_what_it_has_in_hand_when_its_peer_has_gone() -> None:
    async def go(one: Visit) -> None:
        one.peer.say("வேலை")
        await settle()
        one.peer.leave()

    one = visit('வழி WS, "/" { ஒவ்வொரு m இல் நேரலை { உறங்கு(9); அச்சு m & " முடிந்தது"; } }', go)
    assert one.lines == ["வேலை முடிந்தது"]


@pytest.mark.parametrize("what", ["உறங்கு(900);", "(மெய்) சுற்று { நேரலை_பெறு(); உறங்கு(0.1); }"])
def test_but_not_for_ever(what: str) -> None:
    async def go(one: Visit) -> None:
        one.peer.say(*"abc")
        await settle()
        one.peer.leave()

    one = visit(f'வழி WS, "/" {{ நேரலை_அனுப்பு(1); முயல் {{ {what} }} இறுதியில் {{ அச்சு "துப்புரவு"; }} }}', go)
    assert one.lines == ["துப்புரவு"]
    assert one.problem is None
    assert one.ended == pytest.approx(LINGER_SECONDS, abs=0.1)


def test_the_program_closes_the_connection() -> None:
    async def wait(one: Visit) -> None:
        await settle()
        assert one.peer.heard == ["போய் வா"]
        assert one.peer.code == 1000, "at once, not when the handler ends"

    one = visit("""
        வழி WS, "/" {
            நேரலை_அனுப்பு("போய் வா");
            சேனல்_மூடு(நேரலை);
            அச்சு நேரலை_பெறு();
            முயல் { நேரலை_அனுப்பு("இன்னும்"); } பிழை(e) { அச்சு e.code; }
            உறங்கு(3);
            நேரலை_அனுப்பு("இன்னும்");
        }
    """, wait)  # fmt: skip
    assert one.lines == ["nil", "channel.closed"]
    # It has closed it itself, so this is a mistake of the program.
    assert isinstance(one.problem, Fault)
    assert one.problem.code == "channel.closed"


def test_somebody_else_closes_the_connection() -> None:
    one = visit("""
        காவலர் = சேனல்_உருவாக்கு();
        வழி WS, "/" {
            சேனல்_அனுப்பு(காவலர், நேரலை);
            ஒவ்வொரு m இல் நேரலை { அச்சு m; }
            அச்சு "வெளியேற்றப்பட்டார்";
        }
        பணி_உருவாக்கு "காவலர்", {"சேனல்": காவலர்} { உறங்கு(2); சேனல்_அனுப்பு(செய்தி, "வெளியே"); சேனல்_மூடு(செய்தி); }
    """, nothing)  # fmt: skip
    assert one.peer.heard == ["வெளியே"]
    assert one.peer.code == 1000
    assert one.lines == ["வெளியேற்றப்பட்டார்"]


def test_when_the_route_is_over_whoever_still_has_the_connection_is_told() -> None:
    async def scenario(system: System, nursery: trio.Nursery) -> None:
        one = Visit(system)
        nursery.start_soon(one.run)
        await one.over.wait()
        await trio.sleep(5)
        assert one.peer.code == 1000

    done = serve("""
        வைப்பு = சேனல்_உருவாக்கு();
        வழி WS, "/" { சேனல்_அனுப்பு(வைப்பு, நேரலை); உறங்கு(1); }
        பணி_உருவாக்கு "பின்", {"சேனல்": வைப்பு} {
            உறங்கு(2);
            முயல் { சேனல்_அனுப்பு(செய்தி, 1); } பிழை(e) { அச்சு e.code; }
            அச்சு சேனல்_பெறு(செய்தி);
            ஒவ்வொரு m இல் செய்தி { அச்சு m; }
            அச்சு "முடிந்தது";
        }
    """, scenario)  # fmt: skip
    assert done.lines == ["channel.closed", "nil", "முடிந்தது"]


def test_what_was_sent_before_the_handler_ended_is_written() -> None:
    async def be_slow(one: Visit) -> None:
        one.peer.reads = trio.Event()
        await trio.sleep(5)
        one.peer.reads.set()

    one = visit('வழி WS, "/" { ஒவ்வொரு n இல் [1, 2, 3] { நேரலை_அனுப்பு(n); } }', be_slow)
    assert one.peer.heard == ["1", "2", "3"]
    assert one.peer.code == 1000


def test_a_peer_that_never_reads_holds_nobody_up_for_ever() -> None:
    async def be_dead(one: Visit) -> None:
        one.peer.reads = trio.Event()

    one = visit('வழி WS, "/" { நேரலை_அனுப்பு(1); }', be_dead)
    assert one.peer.heard == []
    assert one.problem is None
    assert one.ended < 30


def test_at_goodbye_a_conversation_ends_in_order() -> None:
    async def go_down(one: Visit) -> None:
        one.peer.say("முதல்", "இரண்டு")
        await trio.sleep(1)
        one.service.system.goodbye.set()
        await settle()
        one.peer.say("தாமதம்")

    one = visit("""
        வழி WS, "/" {
            ஒவ்வொரு m இல் நேரலை { உறங்கு(2); நேரலை_அனுப்பு(m & " ஆயிற்று"); }
            நேரலை_அனுப்பு("போய் வருகிறேன்");
        }
    """, go_down)  # fmt: skip
    assert one.peer.heard == ["முதல் ஆயிற்று", "இரண்டு ஆயிற்று", "போய் வருகிறேன்"]
    assert one.peer.code == 1012
    assert one.problem is None


@pytest.mark.parametrize(
    "what",
    [
        "(மெய்) சுற்று { நேரலை_அனுப்பு(நேரலை_பெறு()); }",
        "(மெய்) சுற்று { தேர்வு { m இல் நேரலை { அச்சு m; } k இல் மணி { அச்சு k; } } }",
        "உறங்கு(900);",
    ],
)
def test_at_goodbye_everybody_ends_and_is_told_to_come_back(what: str) -> None:
    async def go_down(one: Visit) -> None:
        await trio.sleep(3)
        one.service.system.goodbye.set()

    one = visit(f'மணி = சேனல்_உருவாக்கு(); வழி WS, "/" {{ நேரலை_அனுப்பு(1); {what} }}', go_down)
    assert one.peer.code == 1012
    assert one.problem is None
    assert one.ended < 3 + LINGER_SECONDS + 1


def test_a_peer_whose_end_says_nothing_because_of_goodbye_can_still_be_answered() -> None:
    async def go_down(one: Visit) -> None:
        one.peer.say("கேள்வி")
        await settle()
        one.service.system.goodbye.set()
        one.peer._say.close()  # nothing more is received, and yet nobody has gone

    one = visit('வழி WS, "/" { ஒவ்வொரு m இல் நேரலை { உறங்கு(1); நேரலை_அனுப்பு("விடை"); } }', go_down)
    assert one.peer.heard == ["விடை"]
    assert one.peer.code == 1012


def test_a_route_that_is_cut_leaves_nobody_waiting_for_its_connection() -> None:
    async def scenario(system: System, nursery: trio.Nursery) -> None:
        one = Visit(system)
        one.peer.reads = trio.Event()
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as inner:
                inner.start_soon(one.run)
                await settle()
                scope.cancel("the route is cut")
        await settle()

    done = serve("""
        வைப்பு = சேனல்_உருவாக்கு({"kind": "broadcast"});
        பணி_உருவாக்கு "பெறு" { c = சேனல்_பெறு(சேனல்_சந்தா(வைப்பு)); அச்சு சேனல்_பெறு(c); }
        பணி_உருவாக்கு "அனுப்பு" {
            c = சேனல்_பெறு(சேனல்_சந்தா(வைப்பு));
            முயல் { (மெய்) சுற்று { சேனல்_அனுப்பு(c, 1); } } பிழை(e) { அச்சு e.code; }
        }
        வழி WS, "/" { சேனல்_அனுப்பு(வைப்பு, நேரலை); உறங்கு(900); }
    """, scenario)  # fmt: skip
    assert sorted(done.lines) == ["channel.closed", "nil"]


def test_a_route_that_is_cut_says_goodbye_all_the_same() -> None:
    async def scenario(system: System, nursery: trio.Nursery) -> None:
        one = Visit(system)
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as inner:
                inner.start_soon(one.run)
                await settle()
                scope.cancel("the route is cut")
        assert one.peer.heard == ["1"]
        assert one.peer.code == 1012

    done = serve(
        'வழி WS, "/" { நேரலை_அனுப்பு(1); முயல் { உறங்கு(900); } இறுதியில் { அச்சு "துப்புரவு"; } }', scenario
    )
    assert done.lines == ["துப்புரவு"]


# ---- the outbox -----------------------------------------------------------------------


def test_who_waits_for_room_is_served_in_turn_and_may_give_up() -> None:
    async def scenario() -> list[str]:
        outbox: Outbox[str] = Outbox()
        for number in range(MOST_PIECES):
            assert outbox.put_nowait(str(number))
        assert not outbox.put_nowait("x")
        async with trio.open_nursery() as nursery:
            scopes = []
            for name in "abc":
                scope = trio.CancelScope()
                scopes.append(scope)
                nursery.start_soon(_put, outbox, name, scope)
                await settle()
            scopes[1].cancel()
            await settle()
            assert outbox.waiting_senders == 2
            taken = [await outbox.next() for _ in range(MOST_PIECES)]
            outbox.close()
            taken += [await outbox.next() for _ in range(3)]
        assert taken[-1] is None
        return [one for one in taken[MOST_PIECES:] if one is not None]

    assert run_virtually(scenario) == ["a", "c"]


async def _put(outbox: Outbox[str], name: str, scope: trio.CancelScope) -> None:
    with scope:
        assert await outbox.put(name)


def test_large_pieces_take_their_room() -> None:
    outbox: Outbox[bytes] = Outbox()
    assert outbox.put_nowait(bytes(MOST_SIZE - 1))
    assert outbox.put_nowait(bytes(3 * MOST_SIZE))
    assert not outbox.put_nowait(b"x")


def test_when_it_is_closed_those_who_wait_have_put_nothing() -> None:
    async def scenario() -> None:
        outbox: Outbox[str] = Outbox()
        while outbox.put_nowait("x"):
            pass
        results: list[bool] = []

        async def put() -> None:
            results.append(await outbox.put("y"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(put)
            await settle()
            outbox.close()
        assert results == [False]
        assert not await outbox.put("z")
        left = 0
        while await outbox.next() is not None:
            left += 1
        assert left == MOST_PIECES

    run_virtually(scenario)
