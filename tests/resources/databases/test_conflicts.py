"""Transactions of servers that are in each other's way: ``db.conflict``, which is worth another try."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from etamil_actors.errors import Fault
from etamil_actors.ports.databases import Connection, Pool
from tests.resources.databases.kinds import Place, place_of

SERVERS = pytest.mark.parametrize("place", ("postgres", "mysql"), indirect=True)
POSTGRES = pytest.mark.parametrize("place", ("postgres",), indirect=True)
MYSQL = pytest.mark.parametrize("place", ("mysql",), indirect=True)


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return place_of(request.param, tmp_path)


@asynccontextmanager
async def two_in(place: Place) -> AsyncIterator[tuple[Pool, Connection, Connection, str]]:
    """A pool, two connections with a transaction each, and a table with two rows."""
    async with place.pool() as pool, place.table(pool, "id INTEGER PRIMARY KEY, n INTEGER") as table:
        await pool.execute(f"INSERT INTO {table} VALUES (1, 0), (2, 0)", [])
        one, other = await pool.lease(), await pool.lease()
        try:
            await one.begin()
            await other.begin()
            yield pool, one, other, table
        finally:
            await pool.give_back(one)
            await pool.give_back(other)


async def conflict_of(connection: Connection, sql: str) -> Fault:
    with trio.fail_after(10), pytest.raises(Fault) as caught:
        await connection.query(sql, [])
    assert caught.value.code == "db.conflict"
    assert "குறுக்கிட்டது" in caught.value.tamil
    return caught.value


async def total(pool: Pool, table: str) -> object:
    (row,) = await pool.query(f"SELECT SUM(n) AS n FROM {table}", [])
    return row["n"]


@SERVERS
async def test_a_deadlock_is_a_conflict_and_the_transaction_can_be_done_again(place: Place) -> None:
    async with two_in(place) as (pool, victim, winner, table):
        update = f"UPDATE {table} SET n = n + 1 WHERE id ="
        if place.kind == "postgres":
            await victim.query("SET LOCAL deadlock_timeout = '10ms'", [])
        else:  # the server undoes the transaction that has changed less
            await winner.execute(f"INSERT INTO {table} VALUES (10, 0), (11, 0), (12, 0), (13, 0)", [])
        await winner.execute(f"{update} 1", [])
        await victim.execute(f"{update} 2", [])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(winner.execute, f"{update} 2", [])
            fault = await conflict_of(victim, f"{update} 1")
        assert fault.details["sqlstate"] in ("40P01", "40001")
        await winner.commit()
        await victim.rollback()
        await victim.begin()
        await victim.execute(f"{update} 1", [])
        await victim.commit()
        assert await total(pool, table) == 3


@SERVERS
async def test_a_lock_that_is_not_free_is_a_conflict(place: Place) -> None:
    async with two_in(place) as (_, one, other, table):
        await one.execute(f"UPDATE {table} SET n = 1 WHERE id = 1", [])
        await conflict_of(other, f"SELECT n FROM {table} WHERE id = 1 FOR UPDATE NOWAIT")


@MYSQL
async def test_a_lock_that_does_not_become_free_in_time_is_a_conflict(place: Place) -> None:
    async with two_in(place) as (_, one, other, table):
        await other.execute("SET SESSION innodb_lock_wait_timeout = 1", [])
        await one.execute(f"UPDATE {table} SET n = 1 WHERE id = 1", [])
        fault = await conflict_of(other, f"UPDATE {table} SET n = 2 WHERE id = 1")
        assert fault.details["number"] == 1205


@POSTGRES
@pytest.mark.parametrize("level", ("REPEATABLE READ", "SERIALIZABLE"))
async def test_a_row_that_has_changed_since_it_was_read_is_a_conflict(place: Place, level: str) -> None:
    async with two_in(place) as (pool, one, _, table):
        await one.query(f"SET TRANSACTION ISOLATION LEVEL {level}", [])
        await one.query(f"SELECT * FROM {table}", [])
        await pool.execute(f"UPDATE {table} SET n = 5 WHERE id = 1", [])
        fault = await conflict_of(one, f"UPDATE {table} SET n = n + 1 WHERE id = 1")
        assert fault.details["sqlstate"] == "40001"


@POSTGRES
async def test_a_serialization_that_fails_at_the_commit_is_a_conflict(place: Place) -> None:
    async with two_in(place) as (pool, one, other, table):
        for connection, yours in ((one, 2), (other, 1)):
            await connection.query("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", [])
            await connection.query(f"SELECT n FROM {table} WHERE id = {yours}", [])
        for connection, mine in ((one, 1), (other, 2)):
            await connection.execute(f"UPDATE {table} SET n = 7 WHERE id = {mine}", [])
        await one.commit()
        with pytest.raises(Fault) as caught:
            await other.commit()
        assert caught.value.code == "db.conflict"
        assert await total(pool, table) == 7
