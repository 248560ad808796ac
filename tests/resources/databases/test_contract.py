"""What every database does alike, real or simulated (``ports/databases.py``)."""

from __future__ import annotations

import random
import tracemalloc
from decimal import Decimal

import pytest
import trio

from etamil_actors.errors import Fault
from etamil_actors.ports.databases import Connection, Pool, PoolSettings
from tests.resources.databases.kinds import Place, open_keeper

ACTIVITIES = 200
MOST = 10


async def one(pool: Pool | Connection, sql: str, *parameters: object) -> object:
    """The only value of the only row."""
    (row,) = await pool.query(sql, list(parameters))  # type: ignore[arg-type]
    (value,) = row.values()
    return value


# ---- queries and commands -------------------------------------------------------------------


async def test_rows_come_back_as_records_in_the_order_of_the_query(place: Place) -> None:
    async with place.pool() as pool, place.table(pool, f"id INTEGER, name {place.types['text']}") as table:
        for number, name in enumerate(("பேனா", "புத்தகம்", "மை")):
            await pool.execute(f"INSERT INTO {table} VALUES (?, ?)", [number, name])
        rows = await pool.query(f"SELECT name, id FROM {table} WHERE id > ? ORDER BY id DESC", [0])
        assert rows == [{"name": "மை", "id": 2}, {"name": "புத்தகம்", "id": 1}]
        assert list(rows[0]) == ["name", "id"]
        assert await pool.query(f"SELECT name FROM {table} WHERE id = ?", [99]) == []


async def test_rows_that_can_be_had_at_once_are_those_of_the_query(place: Place) -> None:
    async with place.pool() as pool, place.table(pool, "n INTEGER") as table:
        await pool.execute(f"INSERT INTO {table} VALUES (7)", [])
        for _ in range(20):
            rows = await pool.query(f"SELECT n FROM {table}", [])
            assert pool.query_nowait(f"SELECT n FROM {table}", []) in (None, rows)
            assert pool.query_nowait(f"INSERT INTO {table} VALUES (8)", []) is None
        assert await one(pool, f"SELECT count(*) AS c FROM {table}") == 1


async def test_more_rows_than_the_pool_allows_are_refused_and_the_connection_goes_on(place: Place) -> None:
    async with place.pool(most=1, max_rows=5, name="books") as pool, place.table(pool, "n INTEGER") as table:
        for number in range(5):
            await pool.execute(f"INSERT INTO {table} VALUES (?)", [number])
        query = f"SELECT n FROM {table} WHERE n >= ? ORDER BY n"
        for _ in range(3):
            assert len(await pool.query(query, [0])) == 5
        await pool.execute(f"INSERT INTO {table} VALUES (5)", [])
        for sql, given in ((query, [0]), (query.replace("?", "0"), []), (f"VALUES {'(1), ' * 5}(2)", [])):
            for _ in range(6):  # as something new, prepared, in a thread and quick
                with pytest.raises(Fault) as caught:
                    await pool.query(sql, given)
                assert (caught.value.code, caught.value.details) == ("db.rows", {"rows": 5})
                assert "database.books.max_rows" in caught.value.tamil
                assert len(await pool.query(query, [1])) == 5
        assert pool.facts().opened == 1


async def test_an_answer_of_very_many_rows_is_stopped_and_never_held(place: Place) -> None:
    numbers = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 2000000) SELECT n FROM c"
    async with place.pool(most=1, max_rows=1000) as pool:
        if place.kind == "mysql" and not place.is_simulated:
            await pool.query("SET SESSION max_recursive_iterations = 3000000", [])
        tracemalloc.start()
        try:
            with pytest.raises(Fault) as caught:
                await pool.query(numbers, [])
            assert caught.value.code == "db.rows"
            assert tracemalloc.get_traced_memory()[1] < 4 * 1024 * 1024
        finally:
            tracemalloc.stop()
        assert await one(pool, "SELECT 7 AS a") == 7


async def test_a_pool_may_be_told_to_take_all_rows(place: Place) -> None:
    async with place.pool(max_rows=0) as pool:
        assert len(await pool.query(f"VALUES {'(1), ' * 2999}(2)", [])) == 3000


async def test_in_a_transaction_too_many_rows_leave_nothing_behind(place: Place) -> None:
    async with place.pool(most=1, max_rows=2) as pool, place.table(pool, "n INTEGER") as table:
        connection = await pool.lease()
        await connection.begin()
        await connection.execute(f"INSERT INTO {table} VALUES (1), (2), (3)", [])
        with pytest.raises(Fault) as caught:
            await connection.query(f"SELECT n FROM {table}", [])
        assert caught.value.code == "db.rows"
        await connection.rollback()
        await pool.give_back(connection)
        assert await one(pool, f"SELECT count(*) AS c FROM {table}") == 0
        assert pool.facts().opened == 1


@pytest.fixture
def may_return(place: Place) -> None:
    """An INSERT may bring rows."""
    if place.kind == "mysql" and place.is_simulated:
        pytest.skip("the simulated one tells the key of an INSERT and no rows")


@pytest.mark.usefixtures("may_return")
async def test_what_returning_brings_is_not_counted(place: Place) -> None:
    async with place.pool(max_rows=2) as pool, place.table(pool, "n INTEGER") as table:
        insert = f"INSERT INTO {table} VALUES (?), (2), (3) RETURNING n"
        for _ in range(3):
            assert len(await pool.query(insert, [1])) == 3
        assert await one(pool, f"SELECT count(*) AS c FROM {table}") == 9


async def test_of_two_columns_with_one_name_the_later_wins(place: Place) -> None:
    async with place.pool() as pool:
        assert await pool.query("SELECT 1 AS a, 2 AS a", []) == [{"a": 2}]


async def test_placeholders_are_written_alike_everywhere(place: Place) -> None:
    columns = f"a INTEGER, b INTEGER, c {place.types['text']}"
    async with place.pool() as pool, place.table(pool, columns) as table:
        await pool.execute(f"INSERT INTO {table} VALUES ($1, $2, $3)", [1, 2, "?"])
        await pool.execute(f"INSERT INTO {table} VALUES (?2, ?1, ?3)", [20, 10, "$1"])
        await pool.execute(f"INSERT INTO {table} VALUES (?, $1, '? -- $1 100%')", [5])
        rows = await pool.query(f"SELECT a, b, c FROM {table} WHERE a = ? OR b = ? OR a = $1 /* ? */ ORDER BY a", [1, 20])
        assert [tuple(row.values()) for row in rows] == [(1, 2, "?"), (10, 20, "$1")]
        assert await one(pool, f"SELECT c FROM {table} WHERE a = 5 -- $7") == "? -- $1 100%"


async def test_a_query_that_was_used_before_survives_a_change_of_the_schema(place: Place) -> None:
    async with place.pool() as pool, place.table(pool, "id INTEGER, name INTEGER") as table:
        connection = await pool.lease()
        select = f"SELECT * FROM {table} WHERE id = ?"
        await connection.execute(f"INSERT INTO {table} VALUES (?, ?)", [1, 5])
        for _ in range(3):
            assert await connection.query(select, [1]) == [{"id": 1, "name": 5}]
        await pool.execute(f"ALTER TABLE {table} ADD COLUMN more INTEGER DEFAULT 7", [])
        for _ in range(3):
            assert await connection.query(select, [1]) == [{"id": 1, "name": 5, "more": 7}]
        await pool.execute(f"ALTER TABLE {table} RENAME COLUMN more TO less", [])
        assert await connection.query(select, [1]) == [{"id": 1, "name": 5, "less": 7}]
        await pool.execute(f"ALTER TABLE {table} DROP COLUMN less", [])
        assert await connection.query(select, [1]) == [{"id": 1, "name": 5}]
        await pool.give_back(connection)


async def test_a_command_tells_how_many_rows_have_changed(place: Place) -> None:
    async with place.pool() as pool, place.table(pool, f"id {place.key}, n INTEGER") as table:
        assert (await pool.execute(f"INSERT INTO {table} (n) VALUES (1), (2), (3)", [])).changed == 3
        assert (await pool.execute(f"UPDATE {table} SET n = n + 10 WHERE n < ?", [3])).changed == 2
        assert (await pool.execute(f"DELETE FROM {table} WHERE n = ?", [77])).changed == 0
        done = await pool.execute(f"INSERT INTO {table} (n) VALUES (?)", [4])
        assert done.id == (None if place.kind == "postgres" else 4)


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        ("SELECT * FROM no_such_table_here", []),
        ("SELEC 1", []),
        ("SELECT ? AS a", []),
        ("SELECT 1 AS a", [1]),
        ("SELECT ? AS a, ? AS b", []),
        ("SELECT ? AS a, ? AS b", [1, 2, 3]),
        ("SELECT ?0 AS a", [1]),
        ("SELECT ?99999999 AS a", [1]),
        ("SELECT 1; SELECT 2", []),
    ],
)
async def test_a_statement_that_makes_no_sense_is_refused_and_the_connection_stays_good(
    place: Place, sql: str, parameters: list[int]
) -> None:
    async with place.pool(most=1) as pool:
        for _ in range(3):
            with pytest.raises(Fault) as caught:
                await pool.query(sql, parameters)
            assert caught.value.code == "db.query"
            assert caught.value.tamil != caught.value.english
        assert await one(pool, "SELECT 7 AS a") == 7
        assert pool.facts().opened == 1


async def test_a_command_of_two_statements_does_none_of_them(place: Place) -> None:
    async with place.pool() as pool, place.table(pool, "n INTEGER") as table:
        with pytest.raises(Fault, match="SQL failed"):
            await pool.execute(f"INSERT INTO {table} VALUES (1); INSERT INTO {table} VALUES (2)", [])
        assert await one(pool, f"SELECT count(*) AS c FROM {table}") == 0


async def test_a_violated_constraint_is_refused(place: Place) -> None:
    async with place.pool() as pool, place.table(pool, "n INTEGER PRIMARY KEY") as table:
        await pool.execute(f"INSERT INTO {table} VALUES (?)", [1])
        with pytest.raises(Fault) as caught:
            await pool.execute(f"INSERT INTO {table} VALUES (?)", [1])
        assert caught.value.code == "db.query"
        assert await one(pool, f"SELECT count(*) AS c FROM {table}") == 1


@pytest.mark.parametrize(
    "text",
    [
        "'; DROP TABLE {table}; --", "' OR '1'='1", '" OR 1=1 --', "\\'; DELETE FROM {table}; -- ", "\\", "%s", "??",
        "$1", "அ'; DELETE FROM {table} WHERE ''='", "/*", "`", "\x1a", "1); DROP TABLE {table}; --", "𐎀'\"", "007x",
    ],
)  # fmt: skip
async def test_what_looks_like_sql_stays_data(place: Place, text: str) -> None:
    async with place.pool() as pool, place.table(pool, f"t {place.types['text']}") as table:
        told = text.replace("{table}", table)
        await pool.execute(f"INSERT INTO {table} VALUES (?)", ["சாதாரண"])
        await pool.execute(f"INSERT INTO {table} VALUES (?)", [told])
        assert await pool.query(f"SELECT t FROM {table} WHERE t = ?", [told]) == [{"t": told}]
        assert await one(pool, f"SELECT count(*) AS c FROM {table}") == 2


async def test_values_come_back_as_they_went(place: Place) -> None:
    types = place.types
    columns = f"t {types['text']}, n {types['number']}, w {types['whole']}, f {types['flag']}"
    async with place.pool() as pool, place.table(pool, columns) as table:
        number = Decimal("-1234567890.123456789012345678" if place.is_exact else "-1234567890.125")
        await pool.execute(f"INSERT INTO {table} VALUES (?, ?, ?, ?)", ["வணக்கம் 😀", number, 2**62, True])
        await pool.execute(f"INSERT INTO {table} VALUES (?, ?, ?, ?)", [None, None, None, None])
        rows = await pool.query(f"SELECT * FROM {table} ORDER BY w IS NULL", [])
        true = True if place.kind == "postgres" else 1
        assert rows == [
            {"t": "வணக்கம் 😀", "n": number, "w": 2**62, "f": true},
            {"t": None, "n": None, "w": None, "f": None},
        ]


# ---- transactions ---------------------------------------------------------------------------


async def test_what_is_committed_is_seen_by_others_and_what_is_rolled_back_is_not(place: Place) -> None:
    async with place.pool() as pool, place.table(pool, "n INTEGER") as table:
        connection = await pool.lease()
        assert not connection.in_transaction
        await connection.begin()
        assert connection.in_transaction
        await connection.execute(f"INSERT INTO {table} VALUES (1)", [])
        assert await one(connection, f"SELECT count(*) AS c FROM {table}") == 1
        await connection.commit()
        assert not connection.in_transaction
        assert await one(pool, f"SELECT count(*) AS c FROM {table}") == 1

        await connection.begin()
        await connection.execute(f"INSERT INTO {table} VALUES (2)", [])
        await connection.rollback()
        assert not connection.in_transaction
        await connection.rollback()
        await pool.give_back(connection)
        assert await one(pool, f"SELECT count(*) AS c FROM {table}") == 1


async def test_a_savepoint_is_a_part_that_can_be_undone(place: Place) -> None:
    async with place.pool() as pool, place.table(pool, "n INTEGER") as table:
        connection = await pool.lease()
        await connection.begin()
        for number, well in ((1, True), (2, False), (3, True)):
            await connection.savepoint(f"s{number}")
            await connection.execute(f"INSERT INTO {table} VALUES (?)", [number])
            if well:
                await connection.release(f"s{number}")
            else:
                await connection.rollback_to(f"s{number}")
        await connection.savepoint('strange " ` பெயர்')
        with pytest.raises(Fault):
            await connection.execute(f"INSERT INTO {table}_not_there VALUES (4)", [])
        await connection.rollback_to('strange " ` பெயர்')
        await connection.release('strange " ` பெயர்')
        await connection.commit()
        await pool.give_back(connection)
        rows = await pool.query(f"SELECT n FROM {table} ORDER BY n", [])
        assert [row["n"] for row in rows] == [1, 3]


async def test_a_transaction_does_not_begin_in_another(place: Place) -> None:
    async with place.pool() as pool:
        connection = await pool.lease()
        await connection.begin()
        with pytest.raises(Fault) as caught:
            await connection.begin()
        assert caught.value.code == "db.query"
        await pool.give_back(connection)


async def test_an_open_transaction_is_rolled_back_when_the_connection_is_given_back(place: Place) -> None:
    async with place.pool(most=1) as pool, place.table(pool, "n INTEGER") as table:
        connection = await pool.lease()
        await connection.begin()
        await connection.execute(f"INSERT INTO {table} VALUES (1)", [])
        await pool.give_back(connection)
        assert await one(pool, f"SELECT count(*) AS c FROM {table}") == 0

        # Whoever began it: a text does as well.
        connection = await pool.lease()
        await connection.execute("BEGIN", [])
        await connection.execute(f"INSERT INTO {table} VALUES (2)", [])
        assert connection.in_transaction
        await pool.give_back(connection)
        assert await one(pool, f"SELECT count(*) AS c FROM {table}") == 0


async def test_a_transaction_may_be_told_in_texts(place: Place) -> None:
    async with place.pool() as pool, place.table(pool, "n INTEGER") as table:
        connection = await pool.lease()
        await connection.execute("BEGIN", [])
        await connection.execute(f"INSERT INTO {table} VALUES (1)", [])
        await connection.execute("COMMIT", [])
        await connection.execute("BEGIN", [])
        await connection.execute(f"INSERT INTO {table} VALUES (2)", [])
        await connection.execute("ROLLBACK", [])
        assert not connection.in_transaction
        await pool.give_back(connection)
        assert await one(pool, f"SELECT count(*) AS c FROM {table}") == 1


async def test_a_temporary_table_is_gone_when_the_connection_is_given_back(place: Place) -> None:
    word = "TEMPORARY" if place.kind == "mysql" else "TEMP"
    async with place.pool(most=2) as pool:
        other = await pool.lease()
        await other.execute(f"CREATE {word} TABLE theirs (n INTEGER)", [])
        for number in range(3):
            connection = await pool.lease()
            await connection.execute(f"CREATE {word} TABLE picked (n INTEGER)", [])
            await connection.execute("INSERT INTO picked VALUES (?)", [number])
            assert await connection.query("SELECT n FROM picked", []) == [{"n": number}]
            await pool.give_back(connection)
        assert await other.query("SELECT n FROM theirs", []) == []
        await pool.give_back(other)


# ---- time and cancellation ------------------------------------------------------------------


async def test_a_query_that_takes_too_long_is_stopped(place: Place) -> None:
    async with place.pool(most=1, query_seconds=0.3) as pool:
        for _ in range(2):
            began = trio.current_time()
            with pytest.raises(Fault) as caught:
                await pool.query(place.slow, [])
            assert caught.value.code == "db.unavailable"
            assert "0.3 s" in caught.value.english
            assert trio.current_time() - began < 3
            assert await one(pool, "SELECT 1 AS a") == 1
        assert pool.facts().leased == 0


async def test_a_query_that_is_cancelled_is_stopped_and_nothing_leaks(place: Place) -> None:
    async with place.pool(most=2) as pool:
        for seconds in (0.0, 0.02, 0.2):
            with trio.move_on_after(seconds) as scope:
                await pool.query(place.slow, [])
            assert scope.cancelled_caught
            assert pool.facts().leased == 0
        with trio.fail_after(5):
            assert await one(pool, "SELECT 1 AS a") == 1


async def test_a_lease_that_is_cancelled_takes_nothing(place: Place) -> None:
    async with place.pool(most=1) as pool:
        connection = await pool.lease()
        for _ in range(3):
            with trio.move_on_after(0.01) as scope:
                await pool.lease()
            assert scope.cancelled_caught
        assert pool.facts().waiting == 0
        await pool.give_back(connection)
        assert await one(pool, "SELECT 1 AS a") == 1
        facts = pool.facts()
        assert (facts.open, facts.leased, facts.opened) == (1, 0, 1)


async def test_cancelled_transactions_are_done_as_a_whole_or_not_at_all(place: Place) -> None:
    chance = random.Random(1)

    async def transfer(pool: Pool, table: str) -> None:
        connection = await pool.lease()
        try:
            await connection.begin()
            await connection.execute(f"UPDATE {table} SET n = n - 1 WHERE id = ?", [1])
            await connection.execute(f"UPDATE {table} SET n = n + 1 WHERE id = ?", [2])
            await connection.commit()
        finally:
            await pool.give_back(connection)

    async with place.pool(most=3) as pool, place.table(pool, "id INTEGER PRIMARY KEY, n INTEGER") as table:
        await pool.execute(f"INSERT INTO {table} VALUES (1, 1000), (2, 0)", [])
        for _ in range(60):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(transfer, pool, table)
                if chance.random() < 0.8:
                    nursery.cancel_scope.deadline = trio.current_time() + chance.uniform(0, 0.004)
        assert pool.facts().leased == 0
        assert await one(pool, f"SELECT sum(n) AS s FROM {table}") == 1000


async def test_giving_back_runs_to_its_end_when_it_is_cancelled(place: Place) -> None:
    async with place.pool(most=1) as pool, place.table(pool, "n INTEGER") as table:
        for _ in range(5):
            connection = await pool.lease()
            await connection.begin()
            await connection.execute(f"INSERT INTO {table} VALUES (1)", [])
            with trio.CancelScope() as scope:
                scope.cancel()
                await pool.give_back(connection)
        assert pool.facts().leased == 0
        assert await one(pool, f"SELECT count(*) AS c FROM {table}") == 0


# ---- pools ----------------------------------------------------------------------------------


async def test_the_same_settings_are_the_same_pool_until_it_is_closed(place: Place) -> None:
    async with open_keeper() as keeper:
        settings = PoolSettings(kind=place.kind, url=place.url, name="ஒன்று")
        pool = place.databases.pool(settings, keeper)
        assert place.databases.pool(PoolSettings(kind=place.kind, url=place.url, name="ஒன்று"), keeper) is pool
        assert pool.settings == settings
        assert pool in place.databases.pools()
        assert await one(pool, "SELECT 1 AS a") == 1
        await pool.close()
        assert pool not in place.databases.pools()
        for call in (pool.lease(), pool.query("SELECT 1", []), pool.execute("SELECT 1", [])):
            with pytest.raises(Fault) as caught:
                await call
            assert caught.value.code == "db.closed"
        other = place.databases.pool(settings, keeper)
        assert other is not pool
        assert await one(other, "SELECT 2 AS a") == 2


async def test_two_hundred_activities_share_ten_connections_and_none_is_lost(place: Place) -> None:
    served: list[int] = []
    most = 0

    async def work(pool: Pool, table: str, number: int) -> None:
        nonlocal most
        connection = await pool.lease()
        served.append(number)
        most = max(most, pool.facts().leased)
        try:
            await connection.begin()
            await connection.execute(f"INSERT INTO {table} VALUES (?)", [number])
            await trio.sleep(0.001)
            await connection.commit()
        finally:
            await pool.give_back(connection)

    async with place.pool(most=MOST, wait_seconds=30) as pool, place.table(pool, "n INTEGER") as table:
        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                for number in range(ACTIVITIES):
                    nursery.start_soon(work, pool, table, number)
        assert most <= MOST
        assert sorted(served) == list(range(ACTIVITIES))
        facts = pool.facts()
        assert (facts.leased, facts.waiting, facts.timed_out) == (0, 0, 0)
        assert facts.open <= MOST
        assert facts.opened <= MOST
        assert await one(pool, f"SELECT count(*) AS c FROM {table}") == ACTIVITIES


async def test_a_storm_of_cancellations_leaves_nothing_half_done(place: Place) -> None:
    chance = random.Random(7)

    async def work(pool: Pool, table: str, seconds: float, what: int) -> None:
        with trio.move_on_after(seconds):
            if what == 0:
                await pool.query(place.slow, [])
            elif what == 1:
                await pool.execute(f"UPDATE {table} SET n = n + ? WHERE id > ?", [0, 0])
            else:
                connection = await pool.lease()
                try:
                    await connection.begin()
                    await connection.execute(f"UPDATE {table} SET n = n - 1 WHERE id = ?", [1])
                    if what == 2:
                        await trio.sleep(0.001)
                    await connection.execute(f"UPDATE {table} SET n = n + 1 WHERE id = ?", [2])
                    await connection.commit()
                finally:
                    await pool.give_back(connection)

    columns = "id INTEGER PRIMARY KEY, n INTEGER"
    async with place.pool(most=MOST, wait_seconds=60, query_seconds=60) as pool, place.table(pool, columns) as table:
        await pool.execute(f"INSERT INTO {table} VALUES (1, 1000), (2, 0)", [])
        async with trio.open_nursery() as nursery:
            for _ in range(ACTIVITIES):
                what = chance.choices(range(4), (1, 10, 10, 20))[0]
                seconds = 0.1 if what == 0 else chance.choice((0, 0.002, 0.02, 0.2, 60))
                nursery.start_soon(work, pool, table, seconds, what)
        facts = pool.facts()
        assert (facts.leased, facts.waiting) == (0, 0)
        assert facts.open <= MOST
        assert await one(pool, f"SELECT sum(n) AS s FROM {table}") == 1000
        held = [await pool.lease() for _ in range(MOST)]
        for connection in held:
            assert not connection.in_transaction
            assert await one(connection, "SELECT 1 AS a") == 1
            await pool.give_back(connection)


async def test_who_waits_too_long_for_a_connection_is_told_which_pool_it_is(place: Place) -> None:
    async with place.pool(most=2, wait_seconds=0.05, name="கடை") as pool:
        held = [await pool.lease(), await pool.lease()]
        with pytest.raises(Fault) as caught:
            await pool.lease()
        assert caught.value.code == "db.unavailable"
        assert "‘கடை’" in caught.value.tamil
        assert "‘கடை’" in caught.value.english
        assert caught.value.details["pool"] == "கடை"
        assert pool.facts().timed_out == 1
        for connection in held:
            await pool.give_back(connection)
        assert await one(pool, "SELECT 1 AS a") == 1


async def test_closing_waits_for_what_is_leased_and_frees_who_waits(place: Place) -> None:
    async with place.pool(most=1, wait_seconds=30) as pool:
        connection = await pool.lease()
        faults: list[str] = []

        async def wait() -> None:
            with pytest.raises(Fault) as caught:
                await pool.lease()
            faults.append(caught.value.code)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(pool.close)
            await trio.testing.wait_all_tasks_blocked()
            assert faults == ["db.closed"]
            assert await one(connection, "SELECT 1 AS a") == 1
            await pool.give_back(connection)
        assert pool.facts().open == 0


async def test_a_connection_is_given_back_only_once(place: Place) -> None:
    async with place.pool(most=1, wait_seconds=0.05) as pool:
        connection = await pool.lease()
        await pool.give_back(connection)
        await pool.give_back(connection)
        again = await pool.lease()
        with pytest.raises(Fault):
            await pool.lease()
        await pool.give_back(again)
