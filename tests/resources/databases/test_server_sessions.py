"""Sessions of servers: what a program leaves on a connection is nobody else's, and one that ends is replaced."""

from __future__ import annotations

import pytest

from etamil_actors.errors import Fault
from etamil_actors.ports.databases import Datum, PoolSettings
from tests.resources.servers import open_pool, url_of

POSTGRES, MYSQL = "postgres", "mysql"
LOCK = "EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())"
NAMED = "current_setting('application_name') = 'marked'"

MARKS = (
    (POSTGRES, "SET application_name = 'marked'", NAMED, False),
    (POSTGRES, "  -- why\n set statement_timeout = 12345", "current_setting('statement_timeout') = '12345ms'", False),
    (POSTGRES, "SELECT set_config('application_name', 'marked', false)", NAMED, False),
    (POSTGRES, "SELECT pg_advisory_lock(778899)", LOCK, False),
    (POSTGRES, "CREATE TEMP TABLE marked (n int)", "to_regclass('pg_temp.marked') IS NOT NULL", False),
    (POSTGRES, "CREATE TABLE pg_temp.marked (n int)", "to_regclass('pg_temp.marked') IS NOT NULL", False),
    (POSTGRES, "LISTEN marked", "EXISTS (SELECT 1 FROM pg_listening_channels())", False),
    (MYSQL, "SET @marked = 1", "@marked", None),
    (MYSQL, "/* why */ set autocommit = 0", "@@autocommit", 1),
    (MYSQL, "SET SESSION sql_mode = ''", "@@sql_mode = ''", 0),
    (MYSQL, "USE information_schema", "DATABASE() = 'information_schema'", 0),
    (MYSQL, "SELECT GET_LOCK('kadai_marked', 1)", "IS_USED_LOCK('kadai_marked') = CONNECTION_ID()", None),
    (MYSQL, "SELECT 1 INTO @marked", "@marked", None),
)
"""What a program does, a question that tells whether it lasts, and the answer where it never was."""


def settings(kind: str, **changes: int) -> PoolSettings:
    return PoolSettings(kind=kind, url=url_of(kind), name="kadai", **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("way", ("lease", "pool"))
@pytest.mark.parametrize(("kind", "sql", "question", "clean"), MARKS)
async def test_what_a_program_has_set_is_gone_with_its_lease(
    kind: str, sql: str, question: str, clean: Datum, way: str
) -> None:
    question = f"SELECT {question} AS it"
    async with open_pool(settings(kind, most=1)) as pool:
        if way == "pool":
            await pool.execute(sql, [])
        else:
            connection = await pool.lease()
            await connection.execute(sql, [])
            assert await connection.query(question, []) != [{"it": clean}]
            await pool.give_back(connection)
        assert await pool.query(question, []) == [{"it": clean}]


ENDING = {
    POSTGRES: ("pg_backend_pid()", "SELECT pg_terminate_backend({})"),
    MYSQL: ("CONNECTION_ID()", "KILL {}"),
}


@pytest.mark.parametrize("kind", ENDING)
async def test_a_connection_that_the_server_ends_is_replaced(kind: str) -> None:
    asked, end = ENDING[kind]
    async with open_pool(settings(kind, most=2)) as pool:
        connection = await pool.lease()
        number = (await connection.query(f"SELECT {asked} AS n", []))[0]["n"]
        await pool.execute(end.format(number), [])
        with pytest.raises(Fault) as caught:
            await connection.query("SELECT 1", [])
        assert caught.value.code == "db.unavailable"
        await pool.give_back(connection)
        assert await pool.query("SELECT 1 AS one", []) == [{"one": 1}]
