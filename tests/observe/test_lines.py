"""Events become lines for people, and nobody waits for whoever reads them."""

from __future__ import annotations

import errno
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
import trio
import trio.testing

from etamil_actors.actors.dead import DeadLetters
from etamil_actors.actors.errors import StartError
from etamil_actors.actors.events import (
    ActorCrashed,
    ActorRestarted,
    ActorStarted,
    ActorStopped,
    DeadReason,
    Event,
    EventStream,
)
from etamil_actors.actors.programs.jobs import RunFailed
from etamil_actors.actors.restart import Crashed, Cut, Ended, Stopped
from etamil_actors.errors import BudgetSpent, Fault, Frame
from etamil_actors.observe.lines import Lines
from etamil_actors.script import fault_text
from etamil_actors.testing import run_seeded

T = TypeVar("T")


def division() -> Fault:
    fault = Fault("number.division_by_zero")
    fault.trace = [Frame("a.qmz", 2, 9, "f")]
    return fault


def told(*events: Event, verbose: bool = False, colours: bool = False, is_starting: bool = False) -> str:
    """What is written of these events."""
    written: list[str] = []

    async def scenario() -> None:
        lines = Lines(
            written.append, fault_text=fault_text, verbose=verbose, colours=colours, in_thread=False
        )
        lines.is_starting = is_starting
        for event in events:
            lines.hear(event)
        await lines.flush()

    run_seeded(scenario)
    return "".join(written)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            ActorCrashed(0, "/root/a/agents/அ#1", 2, division()),
            "✗ /root/a/agents/அ#1 பழுதடைந்தது  (/root/a/agents/அ#1 crashed, life 2): "
            "சுழியத்தால் வகுக்க முடியாது  (division by zero)  [number.division_by_zero]\n"
            "    a.qmz: வரி 2, நெடுவரிசை 9  (line 2, column 9)  f()\n",
        ),
        (
            ActorCrashed(0, "/root/a", 1, ValueError("odd")),
            "✗ /root/a பழுதடைந்தது  (/root/a crashed, life 1): ValueError: odd\n",
        ),
        (ActorRestarted(0, "/root/a", 2, 0.0, "/root/a"), "↻ /root/a மறுதொடக்கம்  (/root/a is started again)\n"),
        (
            ActorRestarted(0, "/root/a", 2, 1.5, "/root/b"),
            "↻ /root/a 1.5 நொடிக்குப் பின் மறுதொடக்கம்; காரணம் /root/b"
            "  (/root/a is started again after 1.5 s because of /root/b)\n",
        ),
        (
            RunFailed(0, "/root/a/jobs/ப", 3, division(), None),
            "✗ /root/a/jobs/ப: ஓட்டம் தோல்வி, முயற்சி 3  (a run failed, try 3) → இனி முயலப்படாது  (given up): "
            "சுழியத்தால் வகுக்க முடியாது  (division by zero)  [number.division_by_zero]\n"
            "    a.qmz: வரி 2, நெடுவரிசை 9  (line 2, column 9)  f()\n",
        ),
    ],
)
def test_an_event_is_told_in_both_languages(event: Event, line: str) -> None:
    assert told(event) == line


def test_a_run_that_will_be_tried_again_says_when() -> None:
    assert "(tried again after 2 s)" in told(RunFailed(0, "/root/a/jobs/ப", 1, division(), 2.0))


def test_a_spent_budget_is_told_as_its_error() -> None:
    spent = BudgetSpent(Fault("budget.time", seconds=3))
    assert "[budget.time]" in told(ActorCrashed(0, "/root/a", 1, spent))


ENDINGS = [Ended(), Stopped("why"), Cut("late"), Crashed(ValueError("odd"))]


def test_who_starts_and_stops_is_told_only_when_asked_for() -> None:
    events: list[Event] = [ActorStarted(0, "/root/a", 1), *(ActorStopped(0, "/root/a", exit) for exit in ENDINGS)]
    assert told(*events) == ""
    lines = told(*events, verbose=True).splitlines()
    assert [line.split("(")[1].rstrip(")") for line in lines] == [
        "/root/a started",
        "/root/a ended",
        "/root/a stopped: why",
        "/root/a was cut: late",
        "/root/a crashed: ValueError: odd",
    ]


def test_a_start_that_fails_is_left_to_whoever_reports_it() -> None:
    failed = StartError("/root/a/prelude", division())
    events = [ActorCrashed(0, "/root/a/prelude", 1, division()), ActorCrashed(0, "/root/a", 1, failed)]
    assert told(*events, is_starting=True) == ""
    assert len(told(*events).splitlines()) == 3


def test_marks_are_coloured_only_on_a_terminal() -> None:
    event = ActorRestarted(0, "/root/a", 2, 0.0, "/root/a")
    assert "\x1b" not in told(event)
    assert told(event, colours=True).startswith("\x1b[33m↻\x1b[0m /root/a")


# ---- dead letters ---------------------------------------------------------------------


def test_dead_letters_are_counted_and_told_once_a_second() -> None:
    written: list[tuple[float, str]] = []

    async def scenario() -> None:
        letters = DeadLetters(EventStream())
        lines = Lines(lambda text: written.append((trio.current_time(), text)), in_thread=False)
        letters.add("/root/a", "before", DeadReason.LEFT)
        lines.watch({"mailboxes": letters.count})
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lines.run)
            await trio.sleep(0.5)
            for number in range(1000):
                letters.add("/root/a", number, DeadReason.LEFT)
            await trio.sleep(5)
            nursery.cancel_scope.cancel()

    run_seeded(scenario)
    assert [round(moment) for moment, _ in written] == [1]
    assert "(dead letters, mailboxes: 1000 more, 1001 in all)" in written[0][1]


# ---- writing --------------------------------------------------------------------------


def in_real_time(scenario: Callable[[], Awaitable[T]]) -> T:
    return trio.run(scenario)


def test_a_reader_that_hangs_holds_nobody_up_and_drops_are_counted() -> None:
    written: list[str] = []
    may_read, reads = threading.Event(), threading.Event()

    def write(text: str) -> None:
        reads.set()
        assert may_read.wait(30)
        written.append(text)

    async def scenario() -> int:
        lines = Lines(write, most=3)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lines.run)
            lines.put("first")
            await trio.to_thread.run_sync(reads.wait, 30)
            for number in range(10):
                lines.put(str(number))  # never waits
            may_read.set()
            await lines.flush(30)
            nursery.cancel_scope.cancel()
        return lines.dropped

    assert in_real_time(scenario) == 7
    assert written[0] == "first\n"
    assert "".join(written[1:]) == "0\n1\n2\n✗ விடுபட்ட வரிகள்: 7  (lines that were dropped: 7)\n"


def test_a_reader_that_has_gone_is_no_trouble() -> None:
    def write(text: str) -> None:
        raise BrokenPipeError

    async def scenario() -> int:
        lines = Lines(write)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lines.run)
            lines.put("first")
            await lines.flush(30)
            lines.put("second")
            await lines.flush(30)
            nursery.cancel_scope.cancel()
        return lines.dropped

    assert in_real_time(scenario) == 2


def test_lines_that_could_not_be_written_are_told_with_the_next_that_can() -> None:
    written: list[str] = []
    is_full = True

    def write(text: str) -> None:
        if is_full:
            raise OSError(errno.ENOSPC, "no space left")
        written.append(text)

    async def scenario() -> int:
        nonlocal is_full
        lines = Lines(write)
        for text in ("first\nwith a trace", "second"):
            lines.put(text)
        await lines.flush(30)
        lines.put("third")
        await lines.flush(30)
        assert lines.dropped == 3
        is_full = False
        lines.put("fourth")
        await lines.flush(30)
        await lines.flush(30)
        return lines.dropped

    assert in_real_time(scenario) == 3
    assert "".join(written) == "fourth\n✗ விடுபட்ட வரிகள்: 3  (lines that were dropped: 3)\n"


def test_what_was_lost_at_the_very_end_is_told_by_the_flush() -> None:
    written: list[str] = []

    def write(text: str) -> None:
        if "first" in text:
            raise OSError(errno.EAGAIN, "try again")
        written.append(text)

    async def scenario() -> None:
        lines = Lines(write)
        lines.put("first")
        await lines.flush(30)

    in_real_time(scenario)
    assert written == ["✗ விடுபட்ட வரிகள்: 1  (lines that were dropped: 1)\n"]


def test_a_flush_waits_for_whoever_writes_and_for_all_that_came_meanwhile() -> None:
    written: list[str] = []
    may_read, reads = threading.Event(), threading.Event()

    def write(text: str) -> None:
        reads.set()
        assert may_read.wait(30)
        written.append(text)

    async def scenario() -> None:
        lines = Lines(write)
        ended: list[str] = []

        async def flush() -> None:
            await lines.flush(30)
            ended.append("".join(written))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(lines.run)
            lines.put("first")
            await trio.to_thread.run_sync(reads.wait, 30)
            async with trio.open_nursery() as several:  # may want the end at once
                for number in range(3):
                    lines.put(str(number))
                    several.start_soon(flush)
                await trio.testing.wait_all_tasks_blocked()
                assert ended == []
                may_read.set()
            assert ended == ["first\n0\n1\n2\n"] * 3
            nursery.cancel_scope.cancel()

    in_real_time(scenario)
    assert "" not in written


def test_the_end_does_not_wait_for_a_reader_that_hangs() -> None:
    is_over, reads = threading.Event(), threading.Event()

    def write(text: str) -> None:
        reads.set()
        is_over.wait(30)

    async def scenario() -> None:
        lines = Lines(write)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lines.run)
            lines.put("first")
            await trio.to_thread.run_sync(reads.wait, 30)
            with trio.fail_after(20):
                await lines.flush(0.05)
            nursery.cancel_scope.cancel()
        is_over.set()

    in_real_time(scenario)
