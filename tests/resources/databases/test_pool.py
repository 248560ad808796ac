"""The pool by itself, over connections that do as the test says, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock, wait_all_tasks_blocked

from etamil_actors.errors import Fault
from etamil_actors.ports.databases import Datum, Done, PoolSettings, Row
from etamil_actors.resources.databases import pool as pools
from etamil_actors.resources.databases import troubles
from etamil_actors.resources.databases.driver import Driver
from etamil_actors.resources.databases.pool import DriverPool
from tests.resources.databases.kinds import open_keeper


class Line:
    """A small honest connection: it lives until somebody breaks it."""

    def __init__(self, driver: Exchange, number: int) -> None:
        self.driver = driver
        self.number = number
        self.is_broken = False
        self.in_transaction = False
        self.is_dead = False
        """Has the other side gone, although nobody has noticed?"""
        self.is_stuck = False
        self.checks = 0
        self.ended = ""

    @property
    def needs_reset(self) -> bool:
        return self.in_transaction

    async def query(self, sql: str, parameters: Sequence[Datum]) -> list[Row]:
        await trio.lowlevel.checkpoint()
        if self.is_dead:
            self.is_broken = True
        if self.is_broken:
            raise troubles.lost()
        if sql.startswith("SLEEP"):
            await trio.sleep(float(sql[6:]))
        return [{"number": self.number}]

    async def execute(self, sql: str, parameters: Sequence[Datum]) -> Done:
        await self.query(sql, parameters)
        return Done(0, None)

    async def begin(self) -> None:
        await trio.lowlevel.checkpoint()
        self.in_transaction = True

    async def commit(self) -> None:
        await trio.lowlevel.checkpoint()
        self.in_transaction = False

    rollback = commit

    async def savepoint(self, name: str) -> None:
        await trio.lowlevel.checkpoint()

    release = rollback_to = savepoint

    async def reset(self) -> None:
        if self.is_stuck:
            await trio.sleep_forever()
        await self.rollback()

    async def check(self) -> bool:
        self.checks += 1
        if self.is_stuck:
            await trio.sleep_forever()
        await trio.lowlevel.checkpoint()
        return not self.is_dead

    async def close(self) -> None:
        self.ended = self.ended or "closed"
        await trio.lowlevel.checkpoint()

    def abandon(self) -> None:
        self.is_broken = True
        self.ended = self.ended or "abandoned"


class Exchange:
    """What connects: how long it takes, and whether it succeeds, is the test's to say."""

    def __init__(self, settings: PoolSettings) -> None:
        self.settings = settings
        self.lines: list[Line] = []
        self.attempts: list[float] = []
        self.trouble: Fault | None = None
        self.seconds = 0.0
        self.is_closed = False

    async def connect(self) -> Line:
        self.attempts.append(trio.current_time())
        await trio.sleep(self.seconds)
        if self.trouble is not None:
            raise self.trouble
        line = Line(self, len(self.lines) + 1)
        self.lines.append(line)
        return line

    async def close(self) -> None:
        await trio.lowlevel.checkpoint()
        self.is_closed = True

    @property
    def open(self) -> list[Line]:
        return [line for line in self.lines if not line.ended]


@asynccontextmanager
async def a_pool(**said: Any) -> AsyncIterator[tuple[DriverPool, Exchange]]:
    settings = PoolSettings(kind="postgres", url="x", name="கடை", **said)
    exchange = Exchange(settings)
    driver: Driver = exchange
    gone: list[object] = []
    async with open_keeper() as keeper:
        pool = DriverPool(settings, driver, keeper, forget=gone.append)
        try:
            yield pool, exchange
        finally:
            await pool.close()
            assert gone == [pool]
            assert exchange.is_closed
            assert not exchange.open
            facts = pool.facts()
            assert (facts.open, facts.leased, facts.waiting) == (0, 0, 0)


def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without jitter."""
    uniform: Callable[[float, float], float] = lambda low, high: high  # noqa: E731
    monkeypatch.setattr(pools.random, "uniform", uniform)


async def number_of(pool: DriverPool) -> object:
    (row,) = await pool.query("SELECT", [])
    return row["number"]


# ---- leasing --------------------------------------------------------------------------------


async def test_nothing_is_opened_before_it_is_needed(autojump_clock: MockClock) -> None:
    async with a_pool() as (pool, exchange):
        await trio.sleep(100)
        assert exchange.attempts == []
        assert await number_of(pool) == 1
        assert await number_of(pool) == 1
        assert len(exchange.attempts) == 1


async def test_connections_are_leased_in_the_order_of_asking(autojump_clock: MockClock) -> None:
    order: list[int] = []

    async def work(pool: DriverPool, number: int) -> None:
        connection = await pool.lease()
        order.append(number)
        # One after the other, since those who get theirs at one moment run in any order.
        await trio.sleep(0.01 + number / 100_000)
        await pool.give_back(connection)

    async with a_pool(most=10, wait_seconds=60) as (pool, exchange):
        async with trio.open_nursery() as nursery:
            for number in range(200):
                nursery.start_soon(work, pool, number)
                await wait_all_tasks_blocked()
        assert order == list(range(200))
        assert len(exchange.lines) == 10
        assert pool.facts() == (10, 0, 0, 10, 0, 0)


async def test_who_comes_later_does_not_overtake_who_waits(autojump_clock: MockClock) -> None:
    order: list[str] = []

    async def work(pool: DriverPool, name: str) -> None:
        connection = await pool.lease()
        order.append(name)
        await pool.give_back(connection)

    async with a_pool(most=1) as (pool, _):
        connection = await pool.lease()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(work, pool, "first")
            await wait_all_tasks_blocked()
            await pool.give_back(connection)
            # The place is handed over already, although the first has not run yet.
            await work(pool, "second")
        assert order == ["first", "second"]


async def test_a_storm_of_cancellations_loses_no_place(autojump_clock: MockClock) -> None:
    async def work(pool: DriverPool, number: int) -> None:
        with trio.move_on_after(0.003 * (number % 7)):
            connection = await pool.lease()
            try:
                await connection.begin()
                await trio.sleep(0.002 * (number % 5))
            finally:
                await pool.give_back(connection)

    async with a_pool(most=3, wait_seconds=60) as (pool, exchange):
        exchange.seconds = 0.001
        for _ in range(3):
            async with trio.open_nursery() as nursery:
                for number in range(200):
                    nursery.start_soon(work, pool, number)
        facts = pool.facts()
        assert (facts.leased, facts.waiting) == (0, 0)
        held = [await pool.lease() for _ in range(3)]
        assert len({id(connection) for connection in held}) == 3
        assert not any(connection.in_transaction for connection in held)
        assert len(exchange.open) == 3


async def test_a_wait_that_is_too_long_ends_with_an_error_that_names_the_pool(autojump_clock: MockClock) -> None:
    async with a_pool(most=1, wait_seconds=2) as (pool, _):
        await pool.lease()
        began = trio.current_time()
        with pytest.raises(Fault) as caught:
            await pool.query("SELECT", [])
        assert trio.current_time() - began == pytest.approx(2)
        assert caught.value.english == (
            "the database cannot be reached: all 1 connection(s) of the pool ‘கடை’ are in use, "
            "none became free within 2 s"
        )
        assert pool.facts().timed_out == 1


async def test_the_connection_that_was_used_last_is_used_first(autojump_clock: MockClock) -> None:
    async with a_pool() as (pool, _):
        first, second = await pool.lease(), await pool.lease()
        await pool.give_back(first)
        await pool.give_back(second)
        assert await pool.lease() is second
        assert await pool.lease() is first


# ---- giving back ----------------------------------------------------------------------------


async def test_a_connection_that_cannot_be_reset_in_time_is_thrown_away(autojump_clock: MockClock) -> None:
    async with a_pool(most=1) as (pool, exchange):
        connection = await pool.lease()
        await connection.begin()
        exchange.lines[0].is_stuck = True
        began = trio.current_time()
        with trio.CancelScope() as scope:
            scope.cancel()
            await pool.give_back(connection)
        assert trio.current_time() - began == pytest.approx(pools.RESET_SECONDS)
        assert exchange.lines[0].ended == "abandoned"
        assert await number_of(pool) == 2


async def test_a_broken_connection_is_not_leased_again(autojump_clock: MockClock) -> None:
    async with a_pool(most=1) as (pool, exchange):
        await number_of(pool)
        exchange.lines[0].is_dead = True
        with pytest.raises(Fault, match="lost"):
            await number_of(pool)
        assert exchange.lines[0].ended == "abandoned"
        assert await number_of(pool) == 2


async def test_when_one_breaks_the_idle_ones_are_asked_before_they_are_leased(autojump_clock: MockClock) -> None:
    async with a_pool(most=3) as (pool, exchange):
        held = [await pool.lease() for _ in range(3)]
        for connection in held:
            await pool.give_back(connection)
        for line in exchange.lines:
            line.is_dead = True  # the server was started anew
        with pytest.raises(Fault):
            await number_of(pool)
        for _ in range(5):
            assert await number_of(pool) == 4
        assert [line.ended for line in exchange.lines] == ["abandoned"] * 3 + [""]


async def test_no_more_are_kept_than_may_be_idle(autojump_clock: MockClock) -> None:
    async with a_pool(most=4, most_idle=1) as (pool, exchange):
        held = [await pool.lease() for _ in range(4)]
        for connection in held:
            await pool.give_back(connection)
        assert len(exchange.open) == 1
        assert pool.facts().open == 1
        assert [line.ended for line in exchange.lines] == ["", "closed", "closed", "closed"]


# ---- what is idle ---------------------------------------------------------------------------


async def test_an_idle_connection_is_asked_whether_it_lives_before_it_is_leased(autojump_clock: MockClock) -> None:
    async with a_pool() as (pool, exchange):
        await number_of(pool)
        await number_of(pool)
        assert exchange.lines[0].checks == 0
        await trio.sleep(pools.CHECK_AFTER + 1)
        assert await number_of(pool) == 1
        assert exchange.lines[0].checks == 1
        await trio.sleep(pools.CHECK_AFTER + 1)
        exchange.lines[0].is_dead = True
        assert await number_of(pool) == 2


async def test_one_that_does_not_answer_the_question_is_thrown_away(autojump_clock: MockClock) -> None:
    async with a_pool() as (pool, exchange):
        await number_of(pool)
        exchange.lines[0].is_stuck = True
        await trio.sleep(pools.CHECK_AFTER + 1)
        began = trio.current_time()
        assert await number_of(pool) == 2
        assert trio.current_time() - began == pytest.approx(pools.CHECK_SECONDS)


async def test_a_server_that_stays_silent_is_waited_for_once(autojump_clock: MockClock) -> None:
    async with a_pool(most=5) as (pool, exchange):
        leased = [await pool.lease() for _ in range(5)]
        for connection in leased:
            await pool.give_back(connection)
        await trio.sleep(pools.CHECK_AFTER + 1)
        for line in exchange.lines:
            line.is_stuck = True
        began = trio.current_time()
        await pool.query("SELECT 1", ())
        assert trio.current_time() - began <= pools.CHECK_SECONDS + 0.1
        assert [line.ended for line in exchange.lines] == ["abandoned"] * 5 + [""]


async def test_connections_that_nobody_uses_are_closed_after_a_while(autojump_clock: MockClock) -> None:
    async with a_pool(idle_seconds=100, least=1) as (pool, exchange):
        held = [await pool.lease() for _ in range(3)]
        for connection in held:
            await pool.give_back(connection)
        await trio.sleep(90)
        assert len(exchange.open) == 3
        await trio.sleep(20)
        assert len(exchange.open) == 1
        await trio.sleep(10_000)
        assert len(exchange.open) == 1
        assert pool.facts().open == 1


async def test_an_old_connection_is_not_leased_again(autojump_clock: MockClock) -> None:
    async with a_pool(age_seconds=50) as (pool, exchange):
        for _ in range(60):
            await number_of(pool)
            await trio.sleep(0.9)
        assert len(exchange.lines) == 2
        assert exchange.lines[0].ended == "closed"


async def test_so_many_are_kept_open_as_are_wanted_at_the_least(autojump_clock: MockClock) -> None:
    async with a_pool(least=3, age_seconds=500) as (pool, exchange):
        assert exchange.lines == []
        await number_of(pool)
        await wait_all_tasks_blocked()
        assert len(exchange.open) == 3
        exchange.lines[0].is_dead = True
        with pytest.raises(Fault):
            await number_of(pool)
        await wait_all_tasks_blocked()
        assert len(exchange.open) == 3
        await trio.sleep(3100)
        assert len(exchange.open) == 3
        assert pool.facts().open == 3


async def test_a_dead_connection_is_found_in_the_background(autojump_clock: MockClock) -> None:
    async with a_pool(least=1) as (pool, exchange):
        await number_of(pool)
        exchange.lines[0].is_dead = True
        await trio.sleep(pools.CHECK_EVERY + 1)
        assert [line.ended for line in exchange.lines] == ["abandoned", ""]
        assert await number_of(pool) == 2


# ---- connecting -----------------------------------------------------------------------------


async def test_after_a_failure_nobody_tries_at_once_and_everybody_is_told(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    steady(monkeypatch)
    async with a_pool() as (pool, exchange):
        exchange.trouble = troubles.unavailable("யாரும் இல்லை", "nobody there")
        began = trio.current_time()
        while trio.current_time() - began < 60:
            before = trio.current_time()
            with pytest.raises(Fault) as caught:
                await number_of(pool)
            assert trio.current_time() == before
            assert caught.value.code == "db.unavailable"
            assert "‘கடை’" in caught.value.english
            assert "nobody there" in caught.value.english
            await trio.sleep(0.01)
        pauses = [later - earlier for earlier, later in zip(exchange.attempts, exchange.attempts[1:], strict=False)]
        assert pauses == sorted(pauses)
        assert pauses[0] == pytest.approx(0.1, abs=0.02)
        assert pauses[1] == pytest.approx(0.2, abs=0.02)
        assert pauses[-1] == pytest.approx(10, abs=0.02)
        assert pool.facts().failed == len(exchange.attempts)

        exchange.trouble = None
        await trio.sleep(pools.LONGEST_PAUSE)
        assert await number_of(pool) == 1
        exchange.lines[0].is_dead = True
        with pytest.raises(Fault):
            await number_of(pool)
        assert await number_of(pool) == 2


async def test_after_a_failure_one_tries_for_all(autojump_clock: MockClock) -> None:
    told: list[str] = []

    async def ask(pool: DriverPool) -> None:
        try:
            told.append(str(await number_of(pool)))
        except Fault as fault:
            told.append(fault.code)

    async with a_pool(most=5) as (pool, exchange):
        exchange.trouble, exchange.seconds = troubles.lost(), 1.0
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(ask, pool)
        assert len(exchange.attempts) == 5  # nobody knew yet
        assert told == ["db.unavailable"] * 5
        told.clear()
        await trio.sleep(0.2)
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(ask, pool)
        assert len(exchange.attempts) == 6
        assert told == ["db.unavailable"] * 5

        told.clear()
        exchange.trouble = None
        await trio.sleep(1)
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(ask, pool)
        assert sorted(told) == ["1", "2", "3", "4", "5"]


async def test_connecting_has_a_deadline_of_its_own(autojump_clock: MockClock) -> None:
    async with a_pool(most=1, connect_seconds=3, wait_seconds=60) as (pool, exchange):
        exchange.seconds = 1000
        began = trio.current_time()
        with pytest.raises(Fault, match="no connection within 3 s"):
            await pool.lease()
        assert trio.current_time() - began == pytest.approx(3)
        exchange.seconds = 0
        await trio.sleep(1)
        assert await number_of(pool) == 1


async def test_who_is_cancelled_while_connecting_leaves_the_place_to_the_next(autojump_clock: MockClock) -> None:
    async with a_pool(most=1) as (pool, exchange):
        exchange.seconds = 1.0
        got: list[object] = []

        async def ask() -> None:
            got.append(await number_of(pool))

        async with trio.open_nursery() as nursery:
            with trio.move_on_after(0.5):
                async with trio.open_nursery() as other:
                    other.start_soon(pool.lease)
                    await wait_all_tasks_blocked()
                    nursery.start_soon(ask)
                    await trio.sleep_forever()
        assert got == [1]
        assert pool.facts() == (1, 0, 0, 1, 0, 0)


async def test_a_mistake_of_a_driver_does_not_use_up_places(autojump_clock: MockClock) -> None:
    async with a_pool(most=1) as (pool, exchange):
        exchange.trouble = RuntimeError("a mistake")  # type: ignore[assignment]
        for _ in range(3):
            with pytest.raises(RuntimeError):
                await pool.lease()
        exchange.trouble = None
        assert await number_of(pool) == 1


# ---- the end --------------------------------------------------------------------------------


async def test_closing_gives_what_is_leased_a_moment_and_then_takes_it_away(autojump_clock: MockClock) -> None:
    async with a_pool(most=2) as (pool, exchange):
        quick, slow = await pool.lease(), await pool.lease()

        async def finish() -> None:
            await trio.sleep(1)
            await pool.give_back(quick)

        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(finish)
            nursery.start_soon(pool.close)
            nursery.start_soon(pool.close)
        assert trio.current_time() - began == pytest.approx(pools.GRACE_SECONDS)
        assert [line.ended for line in exchange.lines] == ["closed", "abandoned"]
        await pool.give_back(slow)


async def test_a_pool_that_is_closed_while_somebody_connects_keeps_nothing(autojump_clock: MockClock) -> None:
    async with a_pool() as (pool, exchange):
        exchange.seconds = pools.GRACE_SECONDS + 1
        codes: list[str] = []

        async def ask() -> None:
            with pytest.raises(Fault) as caught:
                await pool.lease()
            codes.append(caught.value.code)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await wait_all_tasks_blocked()
            await pool.close()
        assert codes == ["db.closed"]
        assert [line.ended for line in exchange.lines] == ["abandoned"]


async def test_closing_ends_who_looks_after_idle_connections(autojump_clock: MockClock) -> None:
    async with a_pool(idle_seconds=1000) as (pool, _):
        await number_of(pool)
        await wait_all_tasks_blocked()
        await pool.close()
        await wait_all_tasks_blocked()
        assert pool._call is None
