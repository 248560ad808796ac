"""SQLite cancelled at each of its steps, one after the other: whatever was going on, nothing is left behind."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from trio.lowlevel import Task, add_instrument, current_task

from etamil_actors.errors import Fault
from etamil_actors.ports.databases import Pool
from tests.resources.databases.kinds import SLOW, Place

MOST_STEPS = 40


class CancelAtStep(trio.abc.Instrument):
    """Cancels one task just before so many of its steps have been done."""

    def __init__(self) -> None:
        self.task: Task | None = None
        self.scope = trio.CancelScope()
        self.left: float = math.inf

    def before_task_step(self, task: Task) -> None:
        if task is self.task:
            if self.left == 0:
                self.scope.cancel()
            self.left -= 1


async def transfer(pool: Pool) -> None:
    """A transaction with a part of its own."""
    connection = await pool.lease()
    try:
        await connection.begin()
        await connection.execute("UPDATE a SET n = n - 1 WHERE id = 1", [])
        await connection.savepoint("part")
        await connection.execute("INSERT INTO b VALUES (?)", [1])
        await connection.release("part")
        await connection.execute("UPDATE a SET n = n + 1 WHERE id = 2", [])
        await connection.commit()
    finally:
        await pool.give_back(connection)


async def swap(pool: Pool) -> None:
    """One command and one query, each by itself."""
    await pool.execute("UPDATE a SET n = n + CASE id WHEN 1 THEN -1 ELSE 1 END WHERE id IN (1, 2)", [])
    await pool.query("SELECT n FROM a", [])


async def wait_long(pool: Pool) -> None:
    """A query that is stopped when its time is over."""
    with pytest.raises(Fault):
        await pool.query(SLOW["sqlite"], [])


async def at_ease(work: Callable[[Pool], Awaitable[None]], pool: Pool) -> None:
    """The others may be told that it is not their turn."""
    try:
        await work(pool)
    except Fault as fault:
        assert fault.code == "db.conflict"


@pytest.mark.parametrize("place", ["sqlite", "memory"], indirect=True)
@pytest.mark.parametrize("others", [0, 2])
@pytest.mark.parametrize("is_slow", [False, True], ids=["quick", "in threads"])
@pytest.mark.parametrize("work", [transfer, swap, wait_long])
async def test_a_cancellation_at_any_step_leaves_nothing_behind(
    place: Place, others: int, is_slow: bool, work: Callable[[Pool], Awaitable[None]]
) -> None:
    cancel = CancelAtStep()
    add_instrument(cancel)
    seconds = 0.03 if work is wait_long else 30.0
    async with place.pool(most=2, query_seconds=seconds) as opened:
        pool: Any = opened
        file = pool._driver._file
        await pool.execute("CREATE TABLE a (id INTEGER PRIMARY KEY, n INTEGER)", [])
        await pool.execute("CREATE TABLE b (n)", [])
        await pool.execute("INSERT INTO a VALUES (1, 0), (2, 0)", [])
        for step in range(MOST_STEPS):
            is_done = False
            for plan in file.plans.values():
                plan.trust = 3 if is_slow else 0
            async with trio.open_nursery() as nursery:
                for _ in range(others):
                    nursery.start_soon(at_ease, transfer, pool)
                cancel.scope, cancel.left, cancel.task = trio.CancelScope(), step, current_task()
                with cancel.scope:
                    await at_ease(work, pool)
                    is_done = True
                cancel.task = None

            facts = pool.facts()
            assert (facts.leased, facts.waiting, pool._used) == (0, 0, 0)
            assert not file.turn.is_taken
            for held in pool._idle:
                assert not held.connection.needs_reset
                assert not held.connection._is_busy
                assert not held.connection._has_turn
            assert await pool.query("SELECT sum(n) AS s FROM a", []) == [{"s": 0}]
            if is_done and cancel.left > 0:
                break
        assert is_done, "it was never left alone"
