"""Databases of a simulation: nothing of them depends on the machine or on real time."""

from __future__ import annotations

import threading
import time

import pytest
import trio

from etamil_actors.errors import Fault
from etamil_actors.ports.databases import Pool, PoolSettings
from etamil_actors.resources.databases.simulated import SimulatedDatabases
from etamil_actors.resources.databases.simulated_sqlite import as_sqlite
from tests.actors.helpers import run_virtually
from tests.resources.databases.kinds import SLOW, open_keeper


async def storm(most: int) -> list[object]:
    """Many activities write; the order is that of the schedule."""
    async with open_keeper() as keeper:
        databases = SimulatedDatabases()
        pool = databases.pool(PoolSettings(kind="sqlite", url="kadai.db", name="x", most=most), keeper)
        await pool.execute("CREATE TABLE a (n)", [])

        async def work(number: int) -> None:
            connection = await pool.lease()
            if number % 3:
                await connection.begin()
            await connection.execute("INSERT INTO a VALUES (?)", [number])
            await connection.commit() if number % 3 else None
            await pool.give_back(connection)

        async with trio.open_nursery() as nursery:
            for number in range(40):
                nursery.start_soon(work, number)
        rows = await pool.query("SELECT n FROM a ORDER BY rowid", [])
        return [row["n"] for row in rows]


def test_a_seed_makes_the_same_schedule_again() -> None:
    runs = [run_virtually(storm, 3, seed=seed) for seed in (1, 1, 2, 2)]
    assert runs[0] == runs[1]
    assert runs[2] == runs[3]
    assert runs[0] != runs[2]
    assert sorted(runs[0]) == list(range(40))  # type: ignore[type-var]


def test_no_thread_is_used_and_no_time_goes_by() -> None:
    async def scenario() -> None:
        began = trio.current_time()
        await storm(10)
        assert trio.current_time() == began

    before = set(threading.enumerate())
    run_virtually(scenario)
    assert set(threading.enumerate()) == before


def test_a_query_without_end_takes_its_time_on_the_virtual_clock_only() -> None:
    async def scenario() -> tuple[float, str]:
        async with open_keeper() as keeper:
            pool = SimulatedDatabases().pool(PoolSettings(kind="sqlite", url=":memory:", name="x"), keeper)
            began = trio.current_time()
            with pytest.raises(Fault) as caught:
                await pool.query(SLOW["sqlite"], [])
            return trio.current_time() - began, caught.value.code

    began = time.perf_counter()
    assert run_virtually(scenario) == (30.0, "db.unavailable")
    assert time.perf_counter() - began < 10


async def pool_named(databases: SimulatedDatabases, keeper: object, name: str, url: str = "kadai.db") -> Pool:
    return databases.pool(PoolSettings(kind="sqlite", url=url, name=name), keeper)  # type: ignore[arg-type]


async def test_what_would_be_a_file_outlives_its_pool_and_is_one_for_all_pools() -> None:
    databases = SimulatedDatabases()
    async with open_keeper() as keeper:
        one = await pool_named(databases, keeper, "1")
        await one.execute("CREATE TABLE a (n)", [])
        other = await pool_named(databases, keeper, "2")
        assert other is not one
        assert await other.query("SELECT count(*) AS c FROM a", []) == [{"c": 0}]
        await one.close()
        await other.close()
        again = await pool_named(databases, keeper, "1")
        assert await again.query("SELECT count(*) AS c FROM a", []) == [{"c": 0}]
        elsewhere = await pool_named(databases, keeper, "1", "other.db")
        with pytest.raises(Fault):
            await elsewhere.query("SELECT count(*) AS c FROM a", [])


def test_a_world_has_databases_of_its_own() -> None:
    assert run_virtually(storm, 2, seed=5) == run_virtually(storm, 2, seed=5)


@pytest.mark.parametrize(
    ("kind", "sql", "wanted"),
    [
        ("postgres", "CREATE TABLE a (id BIGSERIAL PRIMARY KEY, t TEXT)", "CREATE TABLE a (id INTEGER PRIMARY KEY, t TEXT)"),
        ("postgres", r"SELECT E'a\'b\n', $$it's$$, $x$y$x$, 'int'", "SELECT 'a''b\n', 'it''s', 'y', 'int'"),
        ("postgres", "SELECT $1 /* bigint */", "SELECT $1  "),
        ("mysql", "CREATE TABLE a (id BIGINT AUTO_INCREMENT PRIMARY KEY)", "CREATE TABLE a (id INTEGER  PRIMARY KEY)"),
        ("mysql", r"""SELECT 'a\'b', "it's ""so""\"", `int` # x""", """SELECT 'a''b', 'it''s "so""', `int`  """),
    ],
)
def test_statements_of_other_kinds_are_told_in_words_of_sqlite(kind: str, sql: str, wanted: str) -> None:
    assert as_sqlite(sql, kind) == wanted  # type: ignore[arg-type]
