"""Hashing passwords in a running service: others go on meanwhile, and a crowd gets no more than its share."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import trio

from etamil_actors.actors.programs.world import COMPUTING, Threads
from tests.http_life.serving import Server

PROGRAM = """
நிலை மறைவு = கடவுச்சொல்_மறை("பூந்தோட்டம்");
வழி பெறு, "/kind" { பதில் 200, மறைவு; }
வழி பெறு, "/slow" { பதில் 200, கடவுச்சொல்_சரியா("பூந்தோட்டம்", மறைவு); }
வழி பெறு, "/quick" { பதில் 200, "quick"; }
"""


@pytest.mark.parametrize(("setting", "head"), [("argon2id", b"$argon2id$v=19$"), ("bcrypt", b"$2b$12$")])
def test_others_are_served_while_passwords_are_compared(tmp_path: Path, setting: str, head: bytes) -> None:
    server = Server(tmp_path, PROGRAM, others={"auth": {"passwords": setting}})
    try:
        assert server.ask("GET", "/kind").body.startswith(head)
        order: list[str] = []
        with ThreadPoolExecutor(8) as crowd:
            slow = [crowd.submit(lambda: order.append(server.ask("GET", "/slow").body.decode())) for _ in range(8)]
            for _ in range(5):
                assert server.ask("GET", "/quick").body == b"quick"
                order.append("quick")
            for one in slow:
                one.result()
        assert order.count("true") == 8
        # Eight comparisons take more than half a second, on however many cores.
        assert "quick" in order[:7], order
    finally:
        server.end()


async def test_no_more_are_computed_at_once_than_there_should_be() -> None:
    threads = Threads(is_simulated=False)
    running: list[int] = []
    most: list[int] = []
    lock, enough, are_full = threading.Lock(), threading.Event(), trio.Event()

    def slow() -> None:
        with lock:
            running.append(1)
            most.append(len(running))
            if len(running) == COMPUTING:
                trio.from_thread.run_sync(are_full.set)
        enough.wait(5)
        with lock:
            running.pop()

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(threads.compute, slow)
        with trio.fail_after(5):
            await are_full.wait()
            assert await threads.call(lambda: "a file") == "a file"  # files do not stand in that line
        enough.set()
    assert max(most) == COMPUTING


async def test_who_is_cancelled_does_not_wait_for_what_is_computed() -> None:
    threads = Threads(is_simulated=False)
    enough = threading.Event()
    try:
        with trio.fail_after(5), trio.move_on_after(0.01) as scope:
            await threads.compute(enough.wait, 60)
        assert scope.cancelled_caught
    finally:
        enough.set()
