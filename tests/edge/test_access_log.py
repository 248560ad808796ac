"""The access log: a line for each request, never in the way of one, with nothing in it that should not be."""

from __future__ import annotations

import json
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from etamil_actors.actors.supervisor import SupervisorSpec
from etamil_actors.actors.tree import open_tree
from etamil_actors.edge import access_log
from etamil_actors.edge.access_log import (
    AccessLog,
    Entry,
    is_secret,
    shown_path,
    shown_query,
    shown_target,
    trace_of,
)
from etamil_actors.testing import run_seeded

WALL = 1_795_281_845.123  # 2026-11-21T17:24:05.123Z


def entry(**given: object) -> Entry:
    """A request that is over, at the beginning of trio's clock."""
    told: dict[str, object] = {
        "ended": 0.0,
        "seconds": 0.0034,
        "client": "192.0.2.1",
        "method": "GET",
        "target": b"/hello",
        "status": 200,
        "sent": 1234,
        "id": "",
        "traceparent": "",
        "route": "",
        "service": "",
        "agent": b"",
    }
    return Entry(**(told | given))  # type: ignore[arg-type]


def lines(*entries: Entry, as_json: bool = True, **options: object) -> list[str]:
    """What is written of these entries."""
    written: list[str] = []

    async def scenario() -> None:
        log = AccessLog(
            written.append, wall=lambda: WALL, as_json=as_json, zone=UTC, in_thread=False, **options  # type: ignore[arg-type]
        )
        for one in entries:
            log.note(one)
        await log.flush()

    run_seeded(scenario)
    return "".join(written).splitlines(keepends=True)


def record(one: Entry) -> dict[str, object]:
    (line,) = lines(one)
    assert line.endswith("\n")
    told: dict[str, object] = json.loads(line)
    return told


# ---------------------------------------------------------------- lines


def test_a_line_for_machines_tells_everything() -> None:
    told = record(
        entry(
            target="/வணக்கம்?பெயர்=அருண்&page=2".encode(),
            id="r-1",
            traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            route="kadai.get_vaNakkam",
            service="kadai",
            agent=b"curl/8.5",
        )
    )
    assert told == {
        "time": "2026-11-21T17:24:05.123Z",
        "level": "info",
        "event": "http",
        "client": "192.0.2.1",
        "method": "GET",
        "path": "/வணக்கம்",
        "query": "பெயர்=அருண்&page=2",
        "status": 200,
        "bytes": 1234,
        "ms": 3.4,
        "request": "r-1",
        "trace": "4bf92f3577b34da6a3ce929d0e0e4736",
        "route": "kadai.get_vaNakkam",
        "service": "kadai",
        "agent": "curl/8.5",
    }


def test_what_is_empty_is_left_out_and_a_zero_is_not() -> None:
    told = record(entry(target=b"", sent=0, seconds=0.0, status=499))
    assert told.keys() == {"time", "level", "event", "client", "method", "status", "bytes", "ms"}
    assert told["status"] == 499


def test_a_failure_of_ours_is_an_error() -> None:
    assert record(entry(status=500))["level"] == "error"


@pytest.mark.parametrize(
    ("one", "line"),
    [
        (entry(service="kadai"), "· 17:24:05 GET /hello 200 1.2 kB 3.4 ms 192.0.2.1 kadai\n"),
        (entry(status=404, sent=999), "⚠ 17:24:05 GET /hello 404 999 B 3.4 ms 192.0.2.1\n"),
        (entry(status=503, sent=2_500_000), "✗ 17:24:05 GET /hello 503 2.5 MB 3.4 ms 192.0.2.1\n"),
        (entry(target=b"/a?b=%E0%AE%85"), "· 17:24:05 GET /a?b=அ 200 1.2 kB 3.4 ms 192.0.2.1\n"),
        (entry(target=b"", method="-", status=400), "⚠ 17:24:05 - - 400 1.2 kB 3.4 ms 192.0.2.1\n"),
    ],
)
def test_a_line_for_people_is_short(one: Entry, line: str) -> None:
    assert lines(one, as_json=False) == [line]


def test_colours_stand_around_the_mark_and_what_matters_less() -> None:
    (line,) = lines(entry(status=500), as_json=False, colours=True)
    assert line.startswith("\x1b[31m✗\x1b[0m 17:24:05 GET /hello 500 \x1b[2m1.2 kB")
    assert line.endswith("\x1b[0m\n")


# ---------------------------------------------------------------- what clients send


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (b"/a%20b", "/a b"),
        (b"/%E0%AE%85", "/அ"),
        (b"/a%0Ab", "/a%0Ab"),
        (b"/a\x1b[31mb", "/a%1B[31mb"),
        (b"/%C2%9Bb", "/%C2%9Bb"),
        (b"/%E2%80%AEabc", "/%E2%80%AEabc"),
        (b"/a%3Fb%25", "/a%3Fb%25"),
        (b"/100%", "/100%25"),
        (b"/\xff", "/\ufffd"),
        (b"/" + b"a" * 5000, "/" + "a" * 1022 + "…"),
        (b"/eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJSMeKKF2QT4/x", "/***/x"),
        (b"http://user:word@host/x", "/x"),
    ],
)
def test_a_path_is_shown_decoded_as_far_as_it_is_safe(path: bytes, shown: str) -> None:
    assert shown_target(path) == (shown, "")


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        (b"a=1&b=%E0%AE%85+x", "a=1&b=அ x"),
        (b"token=abc&a=1", "token=***&a=1"),
        (b"access_token=abc", "access_token=***"),
        (b"%74oken=abc", "token=***"),
        (b"apiKey=abc&x-api-key=d&API_KEY=e", "apiKey=***&x-api-key=***&API_KEY=***"),
        (b"Password=a&newPassword=b&pass=c", "Password=***&newPassword=***&pass=***"),
        (b"code=1&sig=2&X-Amz-Signature=3&client_secret=4", "code=***&sig=***&X-Amz-Signature=***&client_secret=***"),
        (b"monkey=1&barcode=2&design=3&author=4&keyword=5", "monkey=1&barcode=2&design=3&author=4&keyword=5"),
        ("கடவுச்சொல்=அ".encode(), "கடவுச்சொல்=***"),
        (b"u=eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJSMeKKF2QT4", "u=***"),
        (b"eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJSMeKKF2QT4", "***"),
        (b"a=b%26token%3Dx", "a=b%26token=x"),
        (b"a%3D=b&&c", "a%3D=b&&c"),
        (b"a=1%0d%0ab", "a=1%0D%0Ab"),
    ],
)
def test_a_query_is_shown_without_its_secrets(query: bytes, shown: str) -> None:
    assert shown_query(query) == shown


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_nothing_that_is_sent_breaks_a_line_or_steers_a_terminal(sent: bytes) -> None:
    for text in (shown_path(sent), shown_query(sent), access_log.agent(sent), access_log.plain(sent.decode("latin-1"), 99)):
        assert text.isprintable()


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_a_path_reads_back_as_what_was_sent(text: str) -> None:
    from urllib.parse import quote, unquote

    assert unquote(shown_path(quote("/" + text).encode())) == "/" + text


def test_the_name_of_a_client_is_cut_and_made_harmless() -> None:
    told = record(entry(agent=b"evil\x1b[2J" + b"x" * 500, client="10.0.0.1\n10.0.0.2", method="G\x00T"))
    assert told["client"] == "10.0.0.1\\n10.0.0.2"
    assert told["method"] == "G\\x00T"
    assert str(told["agent"]).startswith("evil\\x1b[2Jxxx")
    assert len(str(told["agent"])) <= 130


@pytest.mark.parametrize("name", ["key", "sessionid", "OTP", "idToken", "ரகசிய_எண்"])
def test_names_that_speak_of_secrets(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("context", ["", "00", "00-xyz-1-01", "00-" + "x" * 31 + "-1-01", "-" * 9])
def test_what_is_no_trace_context_is_no_trace(context: str) -> None:
    assert trace_of(context) == ""


# ---------------------------------------------------------------- the queue


def test_a_full_queue_drops_the_newest_and_tells_it() -> None:
    many = [entry(target=b"/%d" % number) for number in range(5)]
    written = lines(*many, most=3)
    assert [json.loads(line).get("path") for line in written] == ["/0", "/1", "/2", None]
    told = json.loads(written[3])
    assert (told["event"], told["count"], told["tamil"]) == ("http.dropped", 2, "2 வரிகள் விடுபட்டன")
    assert lines(*many, most=3, as_json=False)[3] == "✗ 17:24:05 2 வரிகள் விடுபட்டன  (2 lines were dropped)\n"


Scenario = Callable[[AccessLog], Awaitable[None]]


async def under_a_supervisor(scenario: Scenario, write: Callable[[str], None], **options: object) -> AccessLog:
    """A scenario beside the actor that writes; afterwards that has ended in order."""
    log = AccessLog(write, wall=lambda: WALL, **options)  # type: ignore[arg-type]
    with trio.fail_after(20):
        async with open_tree(SupervisorSpec(name="root", children=(log.spec(),))):
            await scenario(log)
    assert log.waiting == 0
    return log


async def test_lines_are_written_while_it_runs_and_the_rest_at_its_end() -> None:
    written: list[str] = []
    has_written = trio.Event()

    def write(text: str) -> None:
        written.append(text)
        trio.from_thread.run_sync(has_written.set)

    async def scenario(log: AccessLog) -> None:
        log.note(entry())
        await has_written.wait()
        for _ in range(1000):
            log.note(entry())

    log = await under_a_supervisor(scenario, write)
    assert log.dropped == 0
    assert "".join(written).count("\n") == 1001


async def test_a_crash_of_the_writer_loses_at_most_what_it_was_writing(autojump_clock: trio.testing.MockClock) -> None:
    written: list[str] = []
    failures = [RuntimeError("the disk has an idea of its own")]

    def write(text: str) -> None:
        if failures:
            raise failures.pop()
        written.append(text)

    async def scenario(log: AccessLog) -> None:
        log.note(entry(target=b"/lost"))
        await trio.sleep(1)
        log.note(entry(target=b"/kept"))
        await trio.sleep(1)

    log = await under_a_supervisor(scenario, write, in_thread=False)
    assert log.dropped == 1
    assert [json.loads(line)["path"] for line in written] == ["/kept"]


async def test_a_reader_that_has_gone_is_counted_and_harms_nobody(autojump_clock: trio.testing.MockClock) -> None:
    def write(text: str) -> None:
        raise BrokenPipeError

    async def scenario(log: AccessLog) -> None:
        for _ in range(3):
            log.note(entry())
            await trio.sleep(1)

    log = await under_a_supervisor(scenario, write, in_thread=False)
    assert log.dropped == 3


async def test_a_reader_that_hangs_holds_up_neither_requests_nor_the_end() -> None:
    goes_on, is_writing = threading.Event(), trio.Event()

    def write(text: str) -> None:
        trio.from_thread.run_sync(is_writing.set)
        goes_on.wait(20)

    log = AccessLog(write, wall=lambda: WALL, most=5)
    try:
        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(log.run)
                log.note(entry())
                await is_writing.wait()
                for _ in range(8):
                    log.note(entry())
                assert log.waiting == 5
                nursery.cancel_scope.cancel()
            await log.flush(0.05)
            assert log.waiting == 0
            assert log.dropped == 9
    finally:
        goes_on.set()


async def test_being_cancelled_between_lines_loses_none(autojump_clock: trio.testing.MockClock) -> None:
    written: list[str] = []
    log = AccessLog(written.append, wall=lambda: WALL, in_thread=False)
    for number in range(200):
        log.note(entry(target=b"/%d" % number))
    with trio.CancelScope() as scope:
        scope.cancel()
        await log.write_waiting()
    assert scope.cancelled_caught
    assert written == []
    assert log.waiting == 200
    await log.flush()
    assert [json.loads(line)["path"] for line in "".join(written).splitlines()] == [f"/{n}" for n in range(200)]
    assert log.dropped == 0


async def test_requests_go_on_while_many_lines_are_made(autojump_clock: trio.testing.MockClock) -> None:
    log = AccessLog(lambda text: None, wall=lambda: WALL, in_thread=False)
    for _ in range(access_log.AT_ONCE * 10):
        log.note(entry())
    turns = 0

    async def other() -> None:
        nonlocal turns
        while log.waiting > 0:
            turns += 1
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        await log.write_waiting()
    assert turns >= 5
