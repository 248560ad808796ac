"""The pool against what must hold of every pool, whatever happens in whatever order.

Nothing here goes on by itself: whoever connects, asks, resets or says goodbye stands still until the next
move lets it go on, fails it or cancels it. The moves are drawn; after each of them the world is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

import outcome
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.lowlevel import Abort, Task, current_task, reschedule, wait_task_rescheduled
from trio.testing import MockClock, wait_all_tasks_blocked

from etamil_actors.errors import Fault
from etamil_actors.ports.databases import Datum, Done, PoolSettings, Row
from etamil_actors.resources.databases import troubles
from etamil_actors.resources.databases.driver import Driver
from etamil_actors.resources.databases.pool import DriverPool
from tests.resources.databases.kinds import open_keeper

JUMPS = (0.3, 1.5, 7.0, 70.0)


class Stage:
    """Who stands still, in the order in which they came to stand."""

    def __init__(self) -> None:
        self.standing: list[tuple[str, Task]] = []

    async def stand(self, what: str) -> None:
        """Stand still until a move. Raises: what the move says."""
        entry = what, current_task()
        self.standing.append(entry)

        def abort(_: object) -> Abort:
            self.standing.remove(entry)
            return Abort.SUCCEEDED

        await wait_task_rescheduled(abort)

    def go_on(self, entry: tuple[str, Task], trouble: BaseException | None = None) -> None:
        self.standing.remove(entry)
        reschedule(entry[1], outcome.Error(trouble) if trouble is not None else outcome.Value(None))


class Line:
    """A connection of the stage."""

    def __init__(self, stage: Stage, number: int) -> None:
        self.stage = stage
        self.number = number
        self.is_broken = False
        self.in_transaction = False
        self.user: object = None
        self.ended = ""

    @property
    def needs_reset(self) -> bool:
        return self.in_transaction

    async def _stand(self, what: str) -> None:
        assert self.ended != "closed"
        if self.ended:
            raise troubles.lost()
        assert self.user is None, f"{what} while {self.user} goes on"
        self.user = what
        try:
            await self.stage.stand(what)
        except trio.Cancelled:
            # Some kinds of databases can stop a query, others have to break the connection.
            self.is_broken = self.is_broken or bool(self.number % 2)
            raise
        except Fault as fault:
            self.is_broken = self.is_broken or fault.code == "db.unavailable"
            raise
        finally:
            self.user = None

    async def query(self, sql: str, parameters: Sequence[Datum]) -> list[Row]:
        await self._stand("query")
        return [{"number": self.number}]

    async def execute(self, sql: str, parameters: Sequence[Datum]) -> Done:
        await self._stand("query")
        return Done(1, None)

    def query_nowait(self, sql: str, parameters: Sequence[Datum]) -> list[Row] | None:
        assert not self.ended
        assert self.user is None
        return [{"number": self.number}]

    async def begin(self) -> None:
        self.in_transaction = True
        await self._stand("begin")

    async def commit(self) -> None:
        await self._stand("commit")
        self.in_transaction = False

    rollback = commit

    async def savepoint(self, name: str) -> None:
        await self._stand("savepoint")

    release = rollback_to = savepoint

    async def reset(self) -> None:
        try:
            await self._stand("reset")
            self.in_transaction = False
        except Fault:
            self.is_broken = True

    async def check(self) -> bool:
        await self._stand("check")
        return True

    async def close(self) -> None:
        try:
            await self._stand("goodbye")
        except Fault:
            pass
        self.ended = self.ended or "closed"

    def abandon(self) -> None:
        self.is_broken = True
        self.ended = self.ended or "abandoned"


class Exchange:
    """What connects."""

    is_quick = True

    def __init__(self, settings: PoolSettings, stage: Stage) -> None:
        self.settings = settings
        self.stage = stage
        self.lines: list[Line] = []

    async def connect(self) -> Line:
        await self.stage.stand("connect")
        line = Line(self.stage, len(self.lines))
        self.lines.append(line)
        return line

    async def close(self) -> None:
        await trio.lowlevel.checkpoint()


class Worker:
    """Somebody who wants a connection."""

    def __init__(self, numbers: Iterator[int]) -> None:
        self.numbers = numbers
        self.number = -1
        """In the order of asking."""
        self.scope = trio.CancelScope()
        self.task: Task | None = None
        self.has = False
        self.is_over = False

    async def run(self, pool: DriverPool, stage: Stage, what: int) -> None:
        self.task = current_task()
        self.number = next(self.numbers)
        try:
            with self.scope:
                if what == 0:
                    await pool.query("SELECT", [])
                elif what == 1:
                    await pool.execute("UPDATE", [])
                else:
                    await self._hold(pool, stage, what)
        except Fault:
            pass
        finally:
            self.is_over = True

    async def _hold(self, pool: DriverPool, stage: Stage, what: int) -> None:
        connection = await pool.lease()
        self.has = True
        try:
            await stage.stand("hold")
            if what == 3:
                await connection.begin()
                await stage.stand("hold")
                await connection.commit()
        finally:
            await pool.give_back(connection)
            self.has = False


class World:
    """A pool, those who use it, and what must hold."""

    def __init__(self, pool: DriverPool, exchange: Exchange, stage: Stage, clock: MockClock, nursery: trio.Nursery) -> None:
        self.pool = pool
        self.exchange = exchange
        self.stage = stage
        self.clock = clock
        self.nursery = nursery
        self.workers: list[Worker] = []
        self.numbers = count()
        self.is_closing = False

    def moves(self) -> list[Callable[[], object]]:
        """What can happen now."""
        found: list[Callable[[], object]] = [lambda what=what: self._start(what) for what in range(4)]
        found.append(self._ask_at_once)
        found += [lambda seconds=seconds: self.clock.jump(seconds) for seconds in JUMPS]
        for entry in self.stage.standing:
            found.append(lambda entry=entry: self.stage.go_on(entry))
            if entry[0] not in ("hold", "check"):
                for fault in (troubles.lost(), troubles.refused("ஆ", "a")):
                    found.append(lambda entry=entry, fault=fault: self.stage.go_on(entry, fault))
        found += [worker.scope.cancel for worker in self.workers if not worker.is_over]
        # Two things at one moment: somebody gets on, and somebody is cancelled before running again.
        for entry in self.stage.standing[:2]:
            for worker in self._alive()[:3]:
                found.append(lambda entry=entry, worker=worker: (self.stage.go_on(entry), worker.scope.cancel()))
        # Or somebody asks at the moment at which another gives back.
        for entry in self.stage.standing[:4]:
            for what in (0, 2):
                found.append(lambda entry=entry, what=what: (self.stage.go_on(entry), self._start(what)))
        return found

    def _alive(self) -> list[Worker]:
        return [worker for worker in self.workers if not worker.is_over]

    def _start(self, what: int) -> None:
        worker = Worker(self.numbers)
        self.workers.append(worker)
        self.nursery.start_soon(worker.run, self.pool, self.stage, what)

    def _ask_at_once(self) -> None:
        before = len(self.stage.standing)
        self.pool.query_nowait("SELECT", [])
        assert len(self.stage.standing) == before

    def close(self) -> None:
        self.is_closing = True
        self.nursery.start_soon(self.pool.close)

    def look(self) -> None:
        """Does everything hold that must?"""
        pool, facts = self.pool, self.pool.facts()
        most = pool.settings.most
        open_lines = [line for line in self.exchange.lines if not line.ended]
        connecting = sum(what == "connect" for what, _ in self.stage.standing)
        assert len(open_lines) + connecting <= most
        assert 0 <= pool._used <= most
        assert len(pool._idle) + pool._used <= most
        assert not facts.waiting or pool._used == most, "somebody waits for what is free"
        assert facts.leased <= pool._used
        # Everybody who has a place does something with it.
        busy = sum(worker.has for worker in self.workers)
        busy += sum(what in ("connect", "check", "query", "goodbye") for what, _ in self.stage.standing)
        if not self.is_closing:  # what closing takes away leaves its place behind
            assert pool._used <= busy + self._waiting_for_an_attempt()
        waiting = list(pool._waiting)
        order = [worker.number for task in waiting for worker in self.workers if worker.task is task]
        assert order == sorted(order), "they do not stand in the order of asking"
        for line in (held.connection for held in pool._idle):
            assert isinstance(line, Line)
            assert not line.ended
            assert not line.is_broken
            assert not line.in_transaction
            assert line.user is None

    def _waiting_for_an_attempt(self) -> int:
        attempt = self.pool._attempt
        return attempt.statistics().tasks_waiting if attempt is not None else 0

    async def finish(self) -> None:
        """Let everybody come to an end: nothing may be lost, and everything still works."""
        for worker in self.workers:
            worker.scope.cancel()
        await self._let_all_go()
        assert (self.pool.facts().leased, self.pool.facts().waiting) == (0, 0)
        if not self.is_closing:
            assert self.pool._used == 0
            self.clock.jump(20)
            await self._let_all_go()
            most = self.pool.settings.most
            self.workers.clear()
            for _ in range(most + 2):
                self._start(2)
            await self._let_all_go(all_but="hold")
            assert sum(worker.has for worker in self.workers) == most, "places are lost"
            assert self.pool.facts().waiting == 2
            await self._let_all_go()
            self.close()
        await self._let_all_go()
        self.clock.jump(20)
        await self._let_all_go()
        assert all(line.ended for line in self.exchange.lines), "a connection was left open"
        assert self.pool.facts().open == 0

    async def _let_all_go(self, all_but: str = "") -> None:
        while True:
            await wait_all_tasks_blocked()
            self.look()
            standing = [entry for entry in self.stage.standing if entry[0] != all_but]
            if not standing:
                return
            self.stage.go_on(standing[0])


async def play(clock: MockClock, draws: list[int], most: int, said: dict[str, Any], close_after: int) -> None:
    said = {"kind": "postgres", "url": "x", "name": "கடை", "most": most, **said}
    pool_settings = PoolSettings(**said)
    stage = Stage()
    exchange = Exchange(pool_settings, stage)
    driver: Driver = exchange
    async with open_keeper() as keeper, trio.open_nursery() as nursery:
        pool = DriverPool(pool_settings, driver, keeper, forget=lambda pool: None)
        world = World(pool, exchange, stage, clock, nursery)
        try:
            for number, draw in enumerate(draws):
                if number == close_after:
                    world.close()
                else:
                    moves = world.moves()
                    moves[draw % len(moves)]()
                await wait_all_tasks_blocked()
                world.look()
            await world.finish()
        finally:
            clock.autojump_threshold = 0  # should it fail, nobody shall wait for the end


@settings(max_examples=250, deadline=None)
@given(
    draws=st.lists(st.integers(0, 2**12), max_size=60),
    most=st.integers(1, 3),
    said=st.sampled_from(
        [{}, {"least": 2}, {"most_idle": 0}, {"most_idle": 1, "age_seconds": 5.0}, {"least": 1, "idle_seconds": 3.0}]
    ),
    close_after=st.one_of(st.just(-1), st.integers(0, 60)),
)
def test_no_order_of_things_loses_a_place_a_connection_or_a_turn(
    draws: list[int], most: int, said: dict[str, Any], close_after: int
) -> None:
    clock = MockClock()
    trio.run(play, clock, draws, most, said, close_after, clock=clock)
