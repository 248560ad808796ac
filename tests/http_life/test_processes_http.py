"""Several processes at one address, under load: one is killed, all are replaced, the parent goes."""

from __future__ import annotations

import os
import re
import signal
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
import trio

from tests.http_life.load import Load
from tests.http_life.serving import NoAnswerError, Server, Start

pytestmark = pytest.mark.slow

SERVES = r"\(process \d+ \(pid (\d+)\) serves\)"


def pids(server: Server) -> list[int]:
    """Of all that have come to serve, in that order."""
    return [int(pid) for pid in re.findall(SERVES, server.said)]


def start_two(start: Start, lane: str = "fast") -> Server:
    server = start(lane, "busy.qmz", processes=2)
    server.says(SERVES, times=2)
    return server


def who_answer(server: Server, wanted: int) -> set[str]:
    """Ask until so many different processes have answered."""
    found: set[str] = set()
    end = time.monotonic() + 15
    while len(found) < wanted and time.monotonic() < end:
        found.add(server.json("/who")["who"])
    return found


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    state = re.search(r"^State:\s+(\S)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return state is not None and state[1] == "Z"


def wait_gone(numbers: list[int]) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with suppress(FileNotFoundError):
            if all(is_gone(pid) for pid in numbers):
                return
        time.sleep(0.02)
    raise AssertionError(f"still there: {[pid for pid in numbers if not is_gone(pid)]}")


def test_when_one_of_two_is_killed_the_other_answers_and_a_new_one_comes(lane: str, start: Start) -> None:
    server = start_two(start, lane)
    assert len(who_answer(server, 2)) == 2
    victim = pids(server)[0]
    os.kill(victim, signal.SIGKILL)
    wait_gone([victim])
    answered = 0
    for _ in range(50):
        with suppress(ConnectionError, NoAnswerError):  # what the dead one had taken is gone with it
            answered += server.ask("GET", "/hello").status == 200
    assert answered >= 45
    server.says(SERVES, times=3)
    assert len(who_answer(server, 2)) == 2
    assert server.stop() == 0
    wait_gone(pids(server))


def test_under_load_only_the_connections_of_the_killed_one_break(start: Start) -> None:
    server = start_two(start)

    async def scenario() -> Load:
        load = Load(server.port, None, seed=1)
        load.tally.is_ending = True  # connections may break from now on
        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(load.run)
                await trio.sleep(0.4)
                os.kill(pids(server)[0], signal.SIGKILL)
                before = load.tally.answered
                await trio.sleep(0.4)
                assert load.tally.answered > before, "nobody answers"
                nursery.cancel_scope.cancel()
        return load

    tally = trio.run(scenario).tally
    # Each of twelve clients can have lost one connection; it makes a new one at once and goes on.
    assert len(tally.lost) <= 12, tally.lost
    assert set(tally.statuses) == {200}
    server.says(SERVES, times=3)
    assert server.stop() == 0


def test_all_are_replaced_under_load_without_a_lost_request(start: Start) -> None:
    server = start_two(start)
    before = pids(server)

    async def scenario() -> Load:
        load = Load(server.port, None, seed=2)
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(load.run)
                await trio.sleep(0.2)
                server.gets(signal.SIGHUP)
                await trio.to_thread.run_sync(server.says, SERVES, 4)
                await trio.to_thread.run_sync(wait_gone, before)
                await trio.sleep(0.2)
                load.tally.is_ending = True
                server.gets()
        return load

    tally = trio.run(scenario).tally
    assert server.ends() == 0
    assert not tally.lost, f"{tally.answered} answered\n" + "\n".join(tally.lost)
    assert set(tally.statuses) == {200}
    assert tally.answered > 200
    assert not set(pids(server)[2:]) & set(before)


def test_a_program_that_cannot_start_keeps_the_old_ones(start: Start) -> None:
    server = start_two(start)
    before = pids(server)
    program = server.folder / "life.qmz"
    good = program.read_text("utf-8")
    program.write_text(good + "\nx = 1 / 0;\n", "utf-8")
    server.gets(signal.SIGHUP)
    server.says("its replacement does not come to serve")
    assert [server.ask("GET", "/hello").status for _ in range(20)] == [200] * 20
    assert not any(is_gone(pid) for pid in before)
    program.write_text(good, "utf-8")
    server.gets(signal.SIGHUP)
    server.says(SERVES, times=4)
    wait_gone(before)
    assert server.ask("GET", "/hello").status == 200
    assert server.stop() == 0


def test_what_is_to_happen_once_happens_once_though_there_are_two(start: Start) -> None:
    server = start_two(start)
    beats = server.folder / "beats.txt"
    end = time.monotonic() + 15
    while not (beats.exists() and len(beats.read_text().split()) >= 5):
        assert time.monotonic() < end
        time.sleep(0.02)
    assert len(set(beats.read_text().split())) == 1, "one process has the schedule"
    assert server.stop() == 0
    assert len(Counter(beats.read_text().split())) <= 2, "the other took over when the first had ended"


def test_children_end_in_order_when_their_parent_is_killed(start: Start) -> None:
    server = start_two(start)
    children = pids(server)
    os.kill(server.pid, signal.SIGKILL)
    wait_gone(children)
    with suppress(ConnectionError, NoAnswerError), server.connect() as line:
        raise AssertionError(f"somebody still answers: {line.ask('GET', '/hello')}")
