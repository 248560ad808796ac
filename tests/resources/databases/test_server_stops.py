"""Pools under load: many activities, cancelled at any moment, and servers that are stopped and started.

Whatever happens, no transaction is half done, nobody waits for ever, and the pool is as good as new afterwards.
"""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
import trio

from etamil_actors.errors import Fault
from etamil_actors.ports.databases import Connection, Pool, PoolSettings
from etamil_actors.resources.databases import mysql, postgres
from tests.resources.servers import OwnServer, open_pool, own_server, url_of

KINDS = ("postgres", "mysql")
ACTIVITIES = 200
MOST = 10


@asynccontextmanager
async def a_table(kind: str, pool: Pool, columns: str) -> AsyncIterator[str]:
    name = f"storm_{uuid4().hex[:12]}"
    await pool.execute(f"CREATE TABLE {name} ({columns})", [])
    try:
        yield name
    finally:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + 10):
            await pool.execute(f"DROP TABLE {name}", [])


async def transfer(pool: Pool, table: str, chance: random.Random) -> None:
    """Move something from one account to another, in one transaction."""
    giver, taker = sorted(chance.sample(range(5), 2))  # in one order, or they would wait for one another
    connection = await pool.lease()
    try:
        await connection.begin()
        await connection.execute(f"UPDATE {table} SET amount = amount - ? WHERE id = ?", [7, giver])
        if chance.random() < 0.3:
            await connection.query(SLEEP[pool.settings.kind], [])
        await connection.execute(f"UPDATE {table} SET amount = amount + ? WHERE id = ?", [7, taker])
        await connection.commit()
    finally:
        await pool.give_back(connection)


SLEEP = {"postgres": "SELECT pg_sleep(0.01)", "mysql": "SELECT SLEEP(0.01)"}


async def sessions_of_server(pool: Pool) -> tuple[int, int]:
    """Connections of a pool, and those in a transaction, as PostgreSQL counts them."""
    (row,) = await pool.query(
        "SELECT count(*) AS all_of_them, count(*) FILTER (WHERE state LIKE 'idle in transaction%') AS busy "
        "FROM pg_stat_activity WHERE application_name = ?",
        [pool.settings.name],
    )
    return int(row["all_of_them"] or 0), int(row["busy"] or 0)


@pytest.mark.parametrize("kind", KINDS)
async def test_200_activities_cancelled_at_random_leave_no_trace(kind: str) -> None:
    chance = random.Random(5)
    url = url_of(kind)
    name = f"storm-{uuid4().hex[:8]}"
    if kind == "postgres":
        url += f"?application_name={name}"
    settings = PoolSettings(kind=kind, url=url, name=name, most=MOST, wait_seconds=60)
    outcomes: Counter[str] = Counter()

    async def live(table: str, number: int) -> None:
        for _ in range(4):
            with trio.move_on_after(chance.choice((chance.uniform(0.0, 0.25), 50))) as scope:
                await transfer(pool, table, chance)
            outcomes["cancelled" if scope.cancelled_caught else "done"] += 1

    async with open_pool(settings) as pool, a_table(kind, pool, "id int PRIMARY KEY, amount int") as table:
        for account in range(5):
            await pool.execute(f"INSERT INTO {table} VALUES (?, 1000)", [account])
        with trio.fail_after(100):
            async with trio.open_nursery() as nursery:
                for number in range(ACTIVITIES):
                    nursery.start_soon(live, table, number)
        assert outcomes["done"] + outcomes["cancelled"] == 4 * ACTIVITIES
        assert outcomes["cancelled"] > 20 and outcomes["done"] > 20, outcomes
        assert await pool.query(f"SELECT sum(amount) AS total FROM {table}", []) == [{"total": 5000}]
        facts = pool.facts()
        assert (facts.leased, facts.waiting) == (0, 0)
        assert facts.open <= MOST
        if kind == "postgres":
            everything, busy = await sessions_of_server(pool)
            assert everything <= MOST and busy == 0
        # All places are there to be leased, at once and clean.
        with trio.fail_after(10):
            connections = [await pool.lease() for _ in range(MOST)]
        assert not any(connection.in_transaction for connection in connections)
        for connection in connections:
            assert await connection.query("SELECT 1 AS one", []) == [{"one": 1}]
            await pool.give_back(connection)


@pytest.mark.parametrize("kind", KINDS)
async def test_queries_cancelled_at_random_never_answer_one_another(kind: str) -> None:
    chance = random.Random(11)
    async with open_pool(PoolSettings(kind=kind, url=url_of(kind), most=3, wait_seconds=30)) as pool:

        async def live(number: int) -> None:
            for step in range(30):
                marker = number * 1000 + step
                with trio.move_on_after(chance.choice((0.0, 0.001, 0.002, 0.004, 0.02, 5))):
                    rows = await pool.query(
                        "SELECT ? AS marker" if step % 3 else f"SELECT {marker} AS marker",
                        [str(marker)] if step % 3 else [],
                    )
                    assert [int(row["marker"]) for row in rows] == [marker]  # type: ignore[arg-type]

        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                for number in range(12):
                    nursery.start_soon(live, number)
        assert pool.facts().leased == 0
        assert pool.facts().open <= 3


@pytest.mark.parametrize("kind", KINDS)
async def test_a_commit_that_is_cancelled_is_done_or_undone_and_leaves_the_connection_clean(
    kind: str,
) -> None:
    chance = random.Random(3)
    async with (
        open_pool(PoolSettings(kind=kind, url=url_of(kind), most=2)) as pool,
        a_table(kind, pool, "id int") as table,
    ):
        for number in range(60):
            connection = await pool.lease()
            await connection.begin()
            await connection.execute(f"INSERT INTO {table} VALUES (?)", [number])
            await connection.execute(f"INSERT INTO {table} VALUES (?)", [number])
            with trio.move_on_after(chance.uniform(0, 0.001)):
                await connection.commit()
            await pool.give_back(connection)
            found = await pool.query(f"SELECT count(*) AS n FROM {table} WHERE id = ?", [number])
            assert found in ([{"n": 0}], [{"n": 2}])
        assert pool.facts().leased == 0


@pytest.mark.parametrize("kind", KINDS)
async def test_leases_that_are_cancelled_while_connecting_leave_no_place_taken(kind: str) -> None:
    chance = random.Random(8)
    async with open_pool(
        PoolSettings(kind=kind, url=url_of(kind), most=2, most_idle=0, wait_seconds=30)
    ) as pool:

        async def live() -> None:
            for _ in range(10):
                with trio.move_on_after(chance.uniform(0, 0.006)):
                    connection = await pool.lease()
                    try:
                        await connection.query("SELECT 1 AS one", [])
                    finally:
                        await pool.give_back(connection)

        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                for _ in range(8):
                    nursery.start_soon(live)
            first, second = await pool.lease(), await pool.lease()
            for connection in (first, second):
                await pool.give_back(connection)
        assert pool.facts().leased == 0


# ---- a server that goes away ------------------------------------------------------------------


@pytest.fixture(scope="module", params=KINDS)
def server(request: pytest.FixtureRequest) -> Iterator[OwnServer]:
    with own_server(request.param) as started:
        yield started


@pytest.mark.parametrize("end", ("stop", "kill"))
async def test_a_server_that_goes_and_comes_back_leaves_no_half_transaction(
    server: OwnServer, end: str
) -> None:
    settings = PoolSettings(kind=server.kind, url=server.url, name="kadai", most=MOST, wait_seconds=3)  # type: ignore[arg-type]
    committed: list[str] = []
    unsure: list[str] = []
    faults: Counter[str] = Counter()
    may_stop = trio.Event()
    has_failed = trio.Event()
    done_after = trio.Event()
    is_gone = False
    is_back = False

    async def write(connection: Connection, table: str, marker: str) -> None:
        await connection.begin()
        await connection.execute(f"INSERT INTO {table} VALUES (?, 1)", [marker])
        await connection.execute(f"INSERT INTO {table} VALUES (?, 2)", [marker])
        try:
            await connection.commit()
        except Fault:
            unsure.append(marker)
            raise

    async def live(pool: Pool, table: str) -> None:
        while not done_after.is_set():
            marker = uuid4().hex
            try:
                connection = await pool.lease()
                try:
                    await write(connection, table, marker)
                finally:
                    await pool.give_back(connection)
            except Fault as fault:
                faults[fault.code] += 1
                if is_gone and faults.total() > 20:
                    has_failed.set()
                assert fault.code == "db.unavailable", str(fault)
                assert fault.tamil != fault.english
                await trio.sleep(0.02)
            else:
                committed.append(marker)
                if len(committed) > 50:
                    may_stop.set()
                if is_back and len(committed) - before > 50:
                    done_after.set()

    before = 0
    async with open_pool(settings) as pool:
        table = f"pairs_{uuid4().hex[:12]}"
        await pool.execute(f"CREATE TABLE {table} (marker varchar(40), half int)", [])
        with trio.fail_after(90):
            async with trio.open_nursery() as nursery:
                for _ in range(25):
                    nursery.start_soon(live, pool, table)
                await may_stop.wait()
                await trio.to_thread.run_sync(getattr(server, end))
                is_gone = True
                await has_failed.wait()
                await trio.to_thread.run_sync(server.start)
                before, is_back = len(committed), True
        found = Counter(str(row["marker"]) for row in await pool.query(f"SELECT marker FROM {table}", []))
        assert set(found.values()) == {2}, "a transaction is half done"
        assert set(committed) <= found.keys(), "something that was committed is lost"
        assert found.keys() <= set(committed) | set(unsure), "something that failed is there all the same"
        assert pool.facts().leased == 0 and pool.facts().open <= MOST
        await pool.execute(f"DROP TABLE {table}", [])


async def test_the_trouble_names_the_pool_but_no_password(server: OwnServer) -> None:
    port = server.url.rpartition(":")[2].partition("/")[0]
    address = {"postgres": "postgres", "mysql": "mysql"}[
        server.kind
    ] + f"://nobody:s3cr3t-word@127.0.0.1:{port}/nowhere"
    settings = PoolSettings(kind=server.kind, url=address, name="kadai")  # type: ignore[arg-type]
    async with open_pool(settings) as pool:
        with pytest.raises(Fault) as caught:
            await pool.lease()
    fault = caught.value
    assert fault.code == "db.unavailable"
    assert "kadai" in fault.message
    assert "s3cr3t-word" not in f"{fault.message} {fault.details}"


async def test_a_server_that_is_down_is_told_soon(server: OwnServer) -> None:
    server.stop()
    try:
        async with open_pool(PoolSettings(kind=server.kind, url=server.url, name="kadai")) as pool:  # type: ignore[arg-type]
            with trio.fail_after(3), pytest.raises(Fault) as caught:
                await pool.query("SELECT 1", [])
            assert caught.value.code == "db.unavailable"
            assert "kadai" in caught.value.message
    finally:
        server.start()


async def test_a_server_that_hangs_holds_nobody_up(
    server: OwnServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (mysql, postgres):
        monkeypatch.setattr(module, "STOP_SECONDS", 0.3)
    pids = [server.pid, *server.children()]
    settings = PoolSettings(
        kind=server.kind, url=server.url, name="kadai", query_seconds=0.3, connect_seconds=0.5
    )  # type: ignore[arg-type]
    async with open_pool(settings) as pool:
        first, second = await pool.lease(), await pool.lease()
        pids = [server.pid, *server.children()]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            with trio.fail_after(8):
                # One that is cancelled, one that takes too long, and one for which there is no connection.
                with trio.move_on_after(0.1) as scope:
                    await first.query("SELECT 1", [])
                assert scope.cancelled_caught
                with pytest.raises(Fault) as caught:
                    await second.query("SELECT ?", ["1"])
                assert caught.value.code == "db.unavailable"
                await pool.give_back(first)
                await pool.give_back(second)
                with pytest.raises(Fault) as caught:
                    await pool.query("SELECT 1", [])
                assert caught.value.code == "db.unavailable"
            assert pool.facts().open == 0 and pool.facts().leased == 0
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        with trio.fail_after(10):
            while True:
                try:
                    assert await pool.query("SELECT 1 AS one", []) == [{"one": 1}]
                    break
                except Fault as fault:  # it is not tried again at once
                    assert fault.code == "db.unavailable"
                    await trio.sleep(0.05)


@pytest.mark.parametrize("kind", KINDS)
async def test_something_large_that_is_cancelled_while_it_is_sent_leaves_the_pool_whole(kind: str) -> None:
    chance = random.Random(2)
    large = "ப" * 3_000_000
    async with open_pool(PoolSettings(kind=kind, url=url_of(kind), most=1)) as pool:
        outcomes: Counter[bool] = Counter()
        for number in range(25):
            with trio.move_on_after(chance.uniform(0.0, 0.03)) as scope:
                assert await pool.query("SELECT ? AS it", [large]) == [{"it": large}]
            outcomes[scope.cancelled_caught] += 1
            assert await pool.query("SELECT ? AS it", [str(number)]) == [{"it": str(number)}]
        assert outcomes[True]
        assert pool.facts().leased == 0
