"""What is SQLite's own: files, one writer, values without exact types, and statements that take too long."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import apsw
import pytest
import trio

from etamil_actors.errors import Fault
from etamil_actors.ports.databases import Datum, Pool, PoolSettings, Row, TakesFunctions
from etamil_actors.resources.databases import RealDatabases, sqlite_file
from etamil_actors.resources.databases.sqlite_plans import Deed, Plan, Plans, shape_of
from tests.resources.databases.kinds import SLOW, Place, open_keeper, place_of
from tests.resources.servers import open_pool

REPOSITORY = Path(__file__).resolve().parents[3]
BOTH = pytest.mark.parametrize("place", ["sqlite", "memory"], indirect=True)
ALL = pytest.mark.parametrize("place", ["sqlite", "memory", "simulated"], indirect=True)
FILE = pytest.mark.parametrize("place", ["sqlite"], indirect=True)

def up_to(most: int | str) -> str:
    """The numbers from 1, as a table."""
    return (
        "(WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n "
        f"WHERE value < CAST({most} AS INTEGER)) SELECT value FROM n)"
    )


@asynccontextmanager
async def pool_of(url: Path | str, **said: Any) -> AsyncIterator[Pool]:
    said.setdefault("name", "கடை")
    async with open_pool(PoolSettings(kind="sqlite", url=str(url), **said)) as pool:
        yield pool


# ---- files ----------------------------------------------------------------------------------


async def test_a_file_has_a_log_foreign_keys_and_its_place(tmp_path: Path) -> None:
    async with pool_of(tmp_path / "தரவு.db") as pool:
        for pragma, wanted in (("journal_mode", "wal"), ("foreign_keys", 1), ("synchronous", 1)):
            assert await pool.query(f"PRAGMA {pragma}", []) == [{pragma: wanted}]
        await pool.execute("CREATE TABLE a (id INTEGER PRIMARY KEY)", [])
        await pool.execute("CREATE TABLE b (of INTEGER REFERENCES a)", [])
        with pytest.raises(Fault, match="FOREIGN KEY"):
            await pool.execute("INSERT INTO b VALUES (1)", [])
    assert os.listdir(tmp_path) == ["தரவு.db"], "the log is not needed any more"


async def test_commits_wait_for_the_disk_where_that_is_wanted(tmp_path: Path) -> None:
    async with pool_of(f"{tmp_path}/a.db?synchronous=FULL") as pool:
        assert await pool.query("PRAGMA synchronous", []) == [{"synchronous": 2}]
        await pool.execute("CREATE TABLE a (n)", [])
        for number in range(10):
            await pool.execute("INSERT INTO a VALUES (?)", [number])
        assert await pool.query("SELECT count(*) AS c FROM a", []) == [{"c": 10}]
    assert (tmp_path / "a.db").is_file()


@pytest.mark.parametrize(
    ("url", "code", "english"),
    [
        ("{folder}/not/there/a.db", "db.unavailable", "there is no folder"),
        ("{folder}", "db.unavailable", "is a folder, no file"),
        ("{folder}/text", "db.unavailable", "not a database"),
        ("", "config", "the name of the SQLite file is missing"),
        ("a\0b", "config", "the name of the SQLite file is missing or impossible"),
        ("a\ud800.db", "config", "the name of the SQLite file is missing or impossible"),
        ("{folder}/a.db?mode=ro", "db.unavailable", "there is no file"),
        ("{folder}/a.db?mode=r", "config", "‘mode=r’ means nothing behind the name of a file"),
        ("{folder}/a.db?synchronous=full&cache=shared", "config", "‘cache=shared’ means nothing"),
    ],
)
async def test_what_is_no_file_of_sqlite_is_told_clearly(tmp_path: Path, url: str, code: str, english: str) -> None:
    (tmp_path / "text").write_text("வணக்கம்" * 1000, encoding="utf-8")
    async with open_keeper() as keeper:
        with pytest.raises(Fault) as caught:
            settings = PoolSettings(kind="sqlite", url=url.format(folder=tmp_path), name="கடை")
            await RealDatabases().pool(settings, keeper).query("SELECT 1", [])
    assert caught.value.code == code
    assert english in caught.value.english
    assert not (tmp_path / "not").exists()


async def test_a_folder_that_is_made_later_is_found(tmp_path: Path) -> None:
    async with pool_of(tmp_path / "data" / "a.db") as pool:
        with pytest.raises(Fault, match=r"‘கடை’: .*no folder"):
            await pool.query("SELECT 1 AS a", [])
        (tmp_path / "data").mkdir()
        await trio.sleep(0.15)
        assert await pool.query("SELECT 1 AS a", []) == [{"a": 1}]


async def test_a_file_that_only_may_be_read_can_be_read(tmp_path: Path) -> None:
    raw = apsw.Connection(str(tmp_path / "a.db"))
    raw.execute("CREATE TABLE a (n); INSERT INTO a VALUES (7)")
    raw.close()
    os.chmod(tmp_path / "a.db", 0o444)
    if os.geteuid() == 0:
        # root may write everything, so it has to be a property of the file system itself
        async with pool_of(tmp_path / "a.db") as pool:
            await pool.query("PRAGMA query_only = 1", [])
            assert await pool.query("SELECT n FROM a", []) == [{"n": 7}]
        return
    async with pool_of(tmp_path / "a.db") as pool:
        assert await pool.query("SELECT n FROM a", []) == [{"n": 7}]
        with pytest.raises(Fault, match="can only be read"):
            await pool.execute("INSERT INTO a VALUES (8)", [])


def written(path: Path) -> None:
    """A database with a log, as ours are, that nobody has open."""
    raw = apsw.Connection(str(path))
    raw.pragma("journal_mode", "wal")
    raw.execute("CREATE TABLE a (n); INSERT INTO a VALUES (7)")
    raw.close()


@pytest.mark.parametrize("said", ("mode=ro&immutable=1", "immutable=1", "mode=ro"))
async def test_a_url_may_say_that_a_database_is_only_read(tmp_path: Path, said: str) -> None:
    path = tmp_path / "a ?%23 அ.db"
    written(path)
    before = path.read_bytes()
    async with pool_of(f"{path}?{said}") as pool:
        for _ in range(5):
            assert await pool.query("SELECT n FROM a", []) == [{"n": 7}]
            with pytest.raises(Fault, match="this database can only be read") as caught:
                await pool.execute("INSERT INTO a VALUES (8)", [])
            assert caught.value.code == "db.query"
        connection = await pool.lease()
        await connection.begin()
        assert await connection.query("SELECT n FROM a", []) == [{"n": 7}]
        await connection.commit()
        await pool.give_back(connection)
        if "immutable" in said:  # not even what a log needs
            assert os.listdir(tmp_path) == [path.name]
    assert path.read_bytes() == before


async def test_where_nothing_can_be_written_a_database_with_a_log_says_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.db"
    written(path)
    # As on a disc that cannot be written, also for root: what a log needs cannot be made.
    (tmp_path / "a.db-wal").mkdir()
    monkeypatch.setattr(os, "access", lambda place, mode: place != str(tmp_path))
    async with pool_of(path) as pool:
        with pytest.raises(Fault, match=r"nothing can be written in the folder .* add ‘\?mode=ro&immutable=1’"):
            await pool.query("SELECT n FROM a", [])
    async with pool_of(f"{path}?mode=ro&immutable=1") as pool:
        assert await pool.query("SELECT n FROM a", []) == [{"n": 7}]


async def test_another_file_in_the_place_of_the_first_is_noticed(tmp_path: Path) -> None:
    async with pool_of(tmp_path / "a.db") as pool:
        await pool.execute("CREATE TABLE a (n)", [])
        for name in os.listdir(tmp_path):
            os.unlink(tmp_path / name)
        await trio.sleep(1.1)
        await pool.execute("CREATE TABLE a (n)", [])
        assert (tmp_path / "a.db").exists()


async def test_the_log_does_not_grow_for_ever(tmp_path: Path) -> None:
    async with pool_of(tmp_path / "a.db") as pool:
        await pool.execute("CREATE TABLE a (t TEXT)", [])
        for _ in range(60):
            await pool.execute(f"INSERT INTO a SELECT printf('%.*c', 3000, 'x') FROM {up_to(100)}", [])
        assert (tmp_path / "a.db-wal").stat().st_size < 3000 * 4096
        assert (tmp_path / "a.db").stat().st_size > 5000 * 3000


# ---- values ---------------------------------------------------------------------------------


@ALL
@pytest.mark.parametrize(
    ("value", "kind", "back"),
    [
        (12, "text", 12), (Decimal("12.50"), "text", Decimal("12.5")), (Decimal("3.00"), "text", 3),
        (Decimal("0.0000001"), "text", Decimal("0.0000001")), ("007", "text", 7), ("1e5", "text", "1e5"),
        ("12.50", "text", Decimal("12.5")), (" 7", "text", " 7"), ("", "text", ""), (True, "integer", 1),
        (False, "integer", 0), (None, "null", None), ("வணக்கம்", "text", "வணக்கம்"),
        (2**96 - 1, "text", 2**96 - 1), ("a\0b", "text", "a\0b"),
    ],
)  # fmt: skip
async def test_numbers_travel_as_texts(place: Place, value: Datum, kind: str, back: Datum) -> None:
    async with place.pool() as pool:
        (row,) = await pool.query("SELECT typeof(?1) AS kind, ?1 AS value", [value])
        assert row == {"kind": kind, "value": back}
        assert type(row["value"]) is type(back)


@ALL
@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("0.1 + 0.2", Decimal("0.30000000000000004")), ("1.0", 1), ("1e20", 10**20), ("1e300 * 1e300", "inf"),
        ("X'E0AEA4FF'", "த�"), ("9223372036854775807", 2**63 - 1), ("NULL", None), ("'a' || 5", "a5"),
        ("sum(1.5)", Decimal("1.5")), ("'007'", 7),
    ],
)  # fmt: skip
async def test_columns_become_values_of_the_language(place: Place, sql: str, value: Datum) -> None:
    async with place.pool() as pool:
        (row,) = await pool.query(f"SELECT {sql} AS v", [])
        assert row["v"] == value


@ALL
async def test_affinity_of_a_column_makes_numbers_comparable(place: Place) -> None:
    async with place.pool() as pool, place.table(pool, "price NUMERIC, id INTEGER PRIMARY KEY") as table:
        for number in (9, 10, Decimal("12.5"), 100):
            await pool.execute(f"INSERT INTO {table} (price) VALUES (?)", [number])
        rows = await pool.query(f"SELECT price FROM {table} WHERE price > ? ORDER BY price LIMIT ?", [9, 2])
        assert [row["price"] for row in rows] == [10, Decimal("12.5")]


@ALL
async def test_a_broken_letter_is_refused(place: Place) -> None:
    async with place.pool() as pool:
        for _ in range(4):
            with pytest.raises(Fault, match="broken letter"):
                await pool.query("SELECT ? AS a", ["\ud800"])
            with pytest.raises(Fault, match="not UTF-8"):
                await pool.query("SELECT CAST(X'FF' AS TEXT) AS a UNION ALL SELECT 1", [])
            with pytest.raises(Fault, match="not UTF-8"):
                await pool.query("SELECT 1 AS a UNION ALL SELECT CAST(X'FF' AS TEXT) UNION ALL SELECT 2", [])


# ---- commands -------------------------------------------------------------------------------


@ALL
async def test_a_command_that_answers_rows_fails(place: Place) -> None:
    async with place.pool() as pool, place.table(pool, "n") as table:
        for sql in ("SELECT 1", f"INSERT INTO {table} VALUES (1) RETURNING n", "PRAGMA user_version", "VALUES (1)"):
            with pytest.raises(Fault, match="answers rows"):
                await pool.execute(sql, [])
        assert await pool.query(f"SELECT count(*) AS c FROM {table}", []) == [{"c": 0}]
        assert await pool.query(f"INSERT INTO {table} VALUES (1), (2) RETURNING n", []) == [{"n": 1}, {"n": 2}]
        assert await pool.query(f"INSERT INTO {table} VALUES (3)", []) == []


@ALL
async def test_the_key_is_told_of_what_was_inserted_and_nothing_else(place: Place) -> None:
    async with place.pool() as pool, place.table(pool, "id INTEGER PRIMARY KEY, n UNIQUE") as table:
        assert await pool.execute(f"INSERT INTO {table} (n) VALUES (1)", []) == (1, 1)
        assert await pool.execute(f"INSERT INTO {table} (n) VALUES (2), (3)", []) == (2, 3)
        assert await pool.execute(f"INSERT OR IGNORE INTO {table} (n) VALUES (3)", []) == (0, None)
        assert await pool.execute(f"UPDATE {table} SET n = 9 WHERE id = 1", []) == (1, None)
        assert await pool.execute(f"DELETE FROM {table}", []) == (3, None)
        assert await pool.execute("CREATE TABLE IF NOT EXISTS x (n)", []) == (0, None)
        assert await pool.execute(f"WITH a(b) AS (SELECT 7) INSERT INTO {table} (n) SELECT b FROM a", []) == (1, 1)
        await pool.execute("DROP TABLE x", [])


@ALL
async def test_a_transaction_that_begins_in_a_text_may_write_whatever_others_do(place: Place) -> None:
    async with place.pool() as pool, place.table(pool, "n") as table:
        await pool.execute(f"INSERT INTO {table} VALUES (0)", [])

        async def add() -> None:
            connection = await pool.lease()
            await connection.execute("BEGIN", [])
            (row,) = await connection.query(f"SELECT n FROM {table}", [])
            await trio.sleep(0.001)
            await connection.execute(f"UPDATE {table} SET n = ?", [row["n"] + 1])  # type: ignore[operator]
            await connection.execute("COMMIT", [])
            await pool.give_back(connection)

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(add)
        assert await pool.query(f"SELECT n FROM {table}", []) == [{"n": 20}]


@FILE
async def test_readers_go_on_while_somebody_writes(place: Place) -> None:
    async with place.pool() as pool, place.table(pool, "n") as table:
        writer = await pool.lease()
        await writer.begin()
        await writer.execute(f"INSERT INTO {table} VALUES (1)", [])
        with trio.fail_after(1):
            assert await pool.query(f"SELECT count(*) AS c FROM {table}", []) == [{"c": 0}]
        await writer.commit()
        assert await pool.query(f"SELECT count(*) AS c FROM {table}", []) == [{"c": 1}]
        await pool.give_back(writer)


@BOTH
async def test_writers_take_turns_in_the_order_of_asking(place: Place) -> None:
    order: list[int] = []

    async def write(pool: Pool, table: str, number: int) -> None:
        await pool.execute(f"INSERT INTO {table} VALUES (?)", [number])
        order.append(number)

    async with place.pool(most=30) as pool, place.table(pool, "n") as table:
        writer = await pool.lease()
        await writer.begin()
        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(write, pool, table, number)
                await trio.sleep(0.01)
            await writer.commit()
        rows = await pool.query(f"SELECT n FROM {table} ORDER BY rowid", [])
        assert [row["n"] for row in rows] == list(range(20))
        await pool.give_back(writer)


@FILE
async def test_pools_of_one_file_share_the_turn(place: Place) -> None:
    async with place.pool(name="a") as one, place.pool(name="b") as other, place.table(one, "n") as table:
        writer = await one.lease()
        await writer.begin()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(other.execute, f"INSERT INTO {table} VALUES (1)", [])
            await trio.sleep(0.05)
            await writer.execute(f"INSERT INTO {table} VALUES (2)", [])
            await writer.commit()
        rows = await other.query(f"SELECT n FROM {table} ORDER BY rowid", [])
        assert [row["n"] for row in rows] == [2, 1]
        await one.give_back(writer)


@FILE
async def test_another_process_that_writes_is_waited_for(place: Place) -> None:
    async with place.pool(query_seconds=0.4) as pool, place.table(pool, "n") as table:
        other = apsw.Connection(place.url)
        other.execute("BEGIN IMMEDIATE")
        began = trio.current_time()
        connection = await pool.lease()
        for call in (pool.execute(f"INSERT INTO {table} VALUES (1)", []), connection.begin()):
            with pytest.raises(Fault, match=r"it is writing, and did not end within 0\.4 s") as caught:
                await call
            assert caught.value.code == "db.conflict"
        assert trio.current_time() - began < 2
        await pool.give_back(connection)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pool.execute, f"INSERT INTO {table} VALUES (1)", [])
            await trio.sleep(0.1)
            other.execute("COMMIT")
        other.close()
        assert await pool.query(f"SELECT count(*) AS c FROM {table}", []) == [{"c": 1}]


@FILE
async def test_who_reads_first_and_writes_after_somebody_else_is_told_so(place: Place) -> None:
    async with place.pool() as pool, place.table(pool, "n") as table:
        connection = await pool.lease()
        await connection.execute("BEGIN DEFERRED", [])
        await connection.query(f"SELECT * FROM {table}", [])
        await pool.execute(f"INSERT INTO {table} VALUES (1)", [])
        with pytest.raises(Fault, match="it has written since this one has read") as caught:
            await connection.execute(f"INSERT INTO {table} VALUES (2)", [])
        assert caught.value.code == "db.conflict"
        await connection.rollback()
        await connection.execute(f"INSERT INTO {table} VALUES (2)", [])
        await pool.give_back(connection)


KILLED = """
import sys, trio
from etamil_actors.ports.databases import PoolSettings
from tests.resources.servers import open_pool
async def main():
    async with open_pool(PoolSettings(kind="sqlite", url=sys.argv[1], name="x")) as pool:
        while True:
            connection = await pool.lease()
            await connection.begin()
            await connection.execute("UPDATE a SET n = n - 1 WHERE id = 1", [])
            await connection.execute("UPDATE a SET n = n + 1 WHERE id = 2", [])
            await connection.commit()
            await pool.give_back(connection)
            print(end=".", flush=True)
trio.run(main)
"""


def start_writer(url: str) -> subprocess.Popen[bytes]:
    """A process that writes until it is killed, and tells after each transaction."""
    return subprocess.Popen([sys.executable, "-c", KILLED, url], cwd=REPOSITORY, stdout=subprocess.PIPE)


async def test_a_process_that_is_killed_leaves_no_transaction_half_done_and_loses_none(tmp_path: Path) -> None:
    url = str(tmp_path / "a.db")
    done = 0
    async with pool_of(url) as pool:
        await pool.execute("CREATE TABLE a (id INTEGER PRIMARY KEY, n INTEGER)", [])
        await pool.execute("INSERT INTO a VALUES (1, 0), (2, 0)", [])
        for _ in range(2):
            process = start_writer(url)
            assert process.stdout is not None
            with process.stdout as output:
                for _ in range(300):
                    done += len(await trio.to_thread.run_sync(output.read, 1))
                process.kill()
                done += len(await trio.to_thread.run_sync(output.read))
            await trio.to_thread.run_sync(process.wait)
        rows = await pool.query("SELECT n FROM a ORDER BY id", [])
        assert rows[0]["n"] == -rows[1]["n"]  # type: ignore[operator]
        assert done <= rows[1]["n"] <= done + 2  # type: ignore[operator]


# ---- memory ---------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["memory", "simulated"], indirect=True)
async def test_a_database_in_memory_is_one_for_its_pool_and_another_for_each_pool(place: Place) -> None:
    place = Place(place.name, "sqlite", ":memory:", place.databases)
    async with place.pool(name="1") as one, place.pool(name="2") as other:
        first, second = await one.lease(), await one.lease()
        await first.execute("CREATE TABLE a (n)", [])
        await second.execute("INSERT INTO a VALUES (1)", [])
        assert await first.query("SELECT n FROM a", []) == [{"n": 1}]
        await first.begin()
        assert first.in_transaction
        assert not second.in_transaction
        await first.execute("INSERT INTO a VALUES (2)", [])
        with trio.move_on_after(0.05) as scope:
            await second.query("SELECT n FROM a", [])
        assert scope.cancelled_caught, "it would see what is not committed"
        await first.rollback()
        assert await second.query("SELECT n FROM a", []) == [{"n": 1}]
        await one.give_back(first)
        await one.give_back(second)
        with pytest.raises(Fault, match="no such table"):
            await other.query("SELECT n FROM a", [])
    async with place.pool(name="1") as again:
        with pytest.raises(Fault, match="no such table"):
            await again.query("SELECT n FROM a", [])


@pytest.mark.parametrize("place", ["sqlite", "memory", "simulated"], indirect=True)
async def test_what_is_set_on_a_connection_is_gone_when_it_is_given_back(place: Place) -> None:
    async with place.pool(most=1) as pool:
        await pool.execute("CREATE TABLE a (id INTEGER PRIMARY KEY)", [])
        await pool.execute("CREATE TABLE b (of INTEGER REFERENCES a)", [])
        for pragma in ("query_only = 1", "foreign_keys = 0"):
            connection = await pool.lease()
            await connection.execute("CREATE TEMP TABLE c (n)", [])
            await connection.query(f"PRAGMA {pragma}", [])
            await pool.give_back(connection)
        await pool.execute("CREATE TEMP TABLE c (n)", [])
        await pool.execute("INSERT INTO a VALUES (1)", [])
        with pytest.raises(Fault, match="FOREIGN KEY"):
            await pool.execute("INSERT INTO b VALUES (2)", [])


async def test_memory_pools_leave_nothing_behind(tmp_path: Path) -> None:
    place = place_of("memory", tmp_path)
    for _ in range(3):
        async with place.pool() as pool:
            await pool.execute("CREATE TABLE a (n)", [])
    gc.collect()
    assert place.databases.pools() == []
    before = sum(isinstance(one, sqlite_file.SqliteFile) for one in gc.get_objects())
    async with place.pool() as pool:
        await pool.query("SELECT 1", [])
    gc.collect()
    assert sum(isinstance(one, sqlite_file.SqliteFile) for one in gc.get_objects()) == before


# ---- functions ------------------------------------------------------------------------------


@ALL
async def test_functions_of_a_program_can_be_called_while_the_connection_is_lent(place: Place) -> None:
    async with place.pool(most=1) as pool:
        connection = await pool.lease()
        assert isinstance(connection, TakesFunctions)
        seen: list[tuple[Datum, ...]] = []

        def note(*values: Datum) -> Datum:
            seen.append(values)
            return Decimal("2.50")

        connection.add_function("குறி", 2, note, False)
        connection.add_function("number", 2, note, True)
        rows = await connection.query("SELECT குறி('007', 1.0) AS a, typeof(குறி(NULL, X'41')) AS k, number(1, 2) AS n, typeof(number(1, 2)) AS m", [])
        assert rows == [{"a": Decimal("2.5"), "k": "text", "n": Decimal("2.5"), "m": "real"}]
        assert seen[:2] == [(7, 1), (None, "A")]

        def fail() -> Datum:
            raise Fault("db.query", problem="இல்லை")

        connection.add_function("fail", 0, fail, False)
        for _ in range(2):
            with pytest.raises(Fault, match="இல்லை"):
                await connection.query("SELECT fail()", [])
        await pool.give_back(connection)
        with pytest.raises(Fault, match="no such function"):
            await pool.query("SELECT குறி(1, 2)", [])


# ---- time -----------------------------------------------------------------------------------


class Heart:
    """Beats whenever others may run."""

    def __init__(self) -> None:
        self.beats = 0

    async def beat(self) -> None:
        while True:
            await trio.lowlevel.checkpoint()
            self.beats += 1


@BOTH
@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT count(*) AS c FROM {up_to('?')}",
        f"WITH a AS MATERIALIZED (SELECT * FROM {up_to('?')} ORDER BY random()) SELECT count(*) AS c FROM a",
    ],
)
async def test_a_slow_statement_holds_up_nobody(place: Place, sql: str) -> None:
    async with place.pool() as pool:
        for _ in range(8):  # quick, so it will run in the thread of trio
            await pool.query(sql, [10])
        heart = Heart()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(heart.beat)
            await trio.sleep(0.01)
            before = heart.beats
            assert await pool.query(sql, [400_000]) == [{"c": 400_000}]
            assert heart.beats - before > 20
            nursery.cancel_scope.cancel()


@BOTH
async def test_a_storm_of_quick_statements_lets_others_run(place: Place) -> None:
    async with place.pool() as pool:
        heart = Heart()

        streaks = [0]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(heart.beat)
            before = -1
            for number in range(5000):
                await pool.query("SELECT ? AS a", [number])
                streaks[-1] += 1
                if heart.beats != before:
                    before = heart.beats
                    streaks.append(0)
            nursery.cancel_scope.cancel()
        assert max(streaks) < 1000
        assert sum(streaks) == 5000


@BOTH
async def test_a_slow_write_inside_a_transaction_undoes_nothing(place: Place) -> None:
    async with place.pool() as pool, place.table(pool, "n INTEGER") as table:
        connection = await pool.lease()
        await connection.begin()
        for number in range(10):
            await connection.execute(f"INSERT INTO {table} VALUES (?)", [number])
            await connection.execute(f"UPDATE {table} SET n = n WHERE n = ?", [number])
        await connection.execute(f"INSERT INTO {table} SELECT value FROM {up_to(200000)}", [])
        await connection.execute(f"UPDATE {table} SET n = n + ?", [1])
        await connection.commit()
        await pool.give_back(connection)
        assert await pool.query(f"SELECT count(*) AS c FROM {table}", []) == [{"c": 200010}]


@BOTH
async def test_a_slow_command_outside_a_transaction_is_done_once(place: Place) -> None:
    async with place.pool() as pool, place.table(pool, "n INTEGER") as table:
        sql = f"INSERT INTO {table} SELECT value FROM {up_to('?')}"
        for _ in range(5):
            await pool.execute(sql, [1])
        await pool.execute(sql, [100_000])
        assert await pool.query(f"SELECT count(*) AS c FROM {table}", []) == [{"c": 100_005}]


@BOTH
async def test_a_statement_inside_one_function_of_sqlite_is_stopped_too(place: Place) -> None:
    async with place.pool(query_seconds=0.3) as pool, place.table(pool, "t TEXT") as table:
        await pool.execute(f"INSERT INTO {table} SELECT printf('%.*c', 20000, 'a') FROM {up_to(300)}", [])
        began = trio.current_time()
        with pytest.raises(Fault, match=r"longer than 0\.3 s"):
            await pool.query(f"SELECT count(*) FROM {table} a, {table} b WHERE a.t || b.t LIKE '%aaaaaaaaaab%'", [])
        assert trio.current_time() - began < 4
        assert await pool.query("SELECT 1 AS a", []) == [{"a": 1}]


@BOTH
async def test_a_write_that_is_stopped_inside_a_transaction_ends_it(place: Place) -> None:
    async with place.pool(query_seconds=0.2, most=1) as pool, place.table(pool, "n") as table:
        connection = await pool.lease()
        await connection.begin()
        await connection.execute(f"INSERT INTO {table} VALUES (1)", [])
        with pytest.raises(Fault, match="stopped"):
            await connection.execute(f"INSERT INTO {table} {SLOW['sqlite']}", [])
        assert not connection.in_transaction
        with pytest.raises(Fault):
            await connection.commit()
        await pool.give_back(connection)
        assert await pool.query(f"SELECT count(*) AS c FROM {table}", []) == [{"c": 0}]


@BOTH
async def test_a_pool_is_closed_in_the_middle_of_a_query(place: Place) -> None:
    async with open_keeper() as keeper:
        pool = place.databases.pool(PoolSettings(kind="sqlite", url=place.url, name="x"), keeper)
        ended: list[str] = []

        async def ask() -> None:
            try:
                await pool.query(SLOW["sqlite"], [])
            except Fault as fault:
                ended.append(fault.code)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await trio.sleep(0.05)
            with trio.fail_after(8):
                await pool.close()
        assert len(ended) == 1


UNDOES = f"UPDATE t SET n = n + (SELECT count(*) FROM {up_to(100_000_000)})"


@BOTH
@pytest.mark.parametrize(
    ("sql", "code"), [("INSERT OR ROLLBACK INTO t VALUES (1)", "db.query"), (UNDOES, "db.unavailable")]
)
async def test_what_follows_in_a_transaction_that_sqlite_has_undone_is_not_done(place: Place, sql: str, code: str) -> None:
    async with place.pool(query_seconds=0.2, most=2) as pool:
        await pool.execute("CREATE TABLE t (n INTEGER PRIMARY KEY)", [])
        await pool.execute("INSERT INTO t VALUES (1)", [])
        connection = await pool.lease()

        async def refused(text: str) -> None:
            with pytest.raises(Fault, match="so it was rolled back"):
                await connection.execute(text, [])

        async def spoil() -> None:
            await connection.execute("BEGIN", [])
            await connection.execute("INSERT INTO t VALUES (2)", [])
            with pytest.raises(Fault) as caught:
                await connection.execute(sql, [])
            assert caught.value.code == code
            assert not connection.in_transaction
            await refused("INSERT INTO t VALUES (3)")
            with pytest.raises(Fault, match="so it was rolled back"):
                await connection.query("SELECT n FROM t", [])

        await spoil()
        await refused("COMMIT")
        await spoil()
        await refused("ROLLBACK TO a")
        await connection.execute("ROLLBACK", [])
        await spoil()
        with pytest.raises(Fault, match="so it was rolled back"):
            await connection.commit()
        await spoil()
        await connection.rollback()
        assert await connection.execute("UPDATE t SET n = n", []) == (1, None)
        await spoil()
        await pool.give_back(connection)
        for _ in range(3):
            assert await pool.query("SELECT n FROM t", []) == [{"n": 1}]
        assert pool.facts().opened <= 2


@FILE
async def test_a_disk_that_is_full_undoes_the_whole_transaction(place: Place) -> None:
    async with place.pool(most=1) as pool:
        await pool.execute("CREATE TABLE t (n TEXT)", [])
        connection = await pool.lease()
        await connection.query("PRAGMA max_page_count = 20", [])
        await connection.begin()
        await connection.execute("INSERT INTO t VALUES ('a')", [])
        with pytest.raises(Fault, match="full") as caught:
            await connection.execute("INSERT INTO t VALUES (?)", ["x" * 1_000_000])
        assert caught.value.code == "db.unavailable"
        assert caught.value.details["sqlite"] == "SQLITE_FULL"
        if connection.in_transaction:  # one statement may be undone alone
            await connection.execute("INSERT INTO t VALUES ('b')", [])
            await connection.commit()
        await pool.give_back(connection)
        rows = await pool.query("SELECT n FROM t", [])
        assert rows in ([], [{"n": "a"}, {"n": "b"}])
        await pool.execute("INSERT INTO t VALUES (?)", ["x" * 1_000_000])


@FILE
async def test_a_statement_with_which_the_log_begins_anew_waits_for_the_disk_elsewhere(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "FULL_PAGES", 20)
    sql = "INSERT INTO t VALUES (?)"
    async with place.pool() as pool:
        await pool.execute("CREATE TABLE t (n TEXT)", [])
        connection: Any = await pool.lease()
        file, do = connection._file, connection._do
        here: list[tuple[bool, int]] = []

        def note(self: Any, plan: Plan, bound: Any) -> Any:
            if plan.deed is Deed.END or (plan.deed is Deed.INSERT and not connection.in_transaction):
                here.append((file.is_fresh, threading.get_ident()))
            return do(plan, bound)

        monkeypatch.setattr(type(connection), "_do", note)
        for number in range(100):
            if number % 3:
                await connection.execute(sql, ["x" * 3000])
            else:
                await connection.begin()
                await connection.execute(sql, ["x" * 3000])
                await connection.commit()
        await pool.give_back(connection)
        began = [thread for is_fresh, thread in here if is_fresh]
        assert len(began) > 2
        assert threading.get_ident() not in began
        assert sum(thread == threading.get_ident() for _, thread in here) > 50
        assert (await pool.query("SELECT count(*) AS c FROM t", [])) == [{"c": 100}]


@FILE
async def test_a_file_that_is_replaced_while_it_is_used_all_the_time_is_noticed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "LOOK_SECONDS", 0.05)
    async with place.pool(most=1) as pool:
        await pool.execute("CREATE TABLE t (n)", [])
        await pool.execute("INSERT INTO t VALUES (1)", [])
        other = apsw.Connection(place.url + ".new")
        other.execute("CREATE TABLE t (n); INSERT INTO t VALUES (1), (1)")
        other.close()
        for name in (place.url + "-wal", place.url + "-shm"):
            os.unlink(name)
        os.replace(place.url + ".new", place.url)
        told: list[str] = []
        with trio.fail_after(5):
            while True:
                try:
                    if len(await pool.query("SELECT n FROM t", [])) == 2:
                        break
                except Fault as fault:
                    told.append(fault.code)
                await trio.sleep(0.01)
        assert told == ["db.unavailable"]


async def test_a_database_with_a_log_where_nothing_may_be_written_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(file: sqlite_file.SqliteFile) -> None:
        raise apsw.ReadOnlyError("attempt to write a readonly database")

    monkeypatch.setattr(sqlite_file.SqliteFile, "open", refuse)
    async with pool_of(tmp_path / "a.db") as pool:
        with pytest.raises(Fault, match="a database with a log") as caught:
            await pool.query("SELECT 1", [])
    assert caught.value.code == "db.unavailable"


@ALL
async def test_a_nul_in_a_statement_is_refused(place: Place) -> None:
    async with place.pool() as pool:
        for _ in range(3):
            with pytest.raises(Fault, match="a NUL"):
                await pool.query("SELECT 1\0", [])


@pytest.mark.parametrize("place", ["memory"], indirect=True)
async def test_functions_in_memory_are_gone_although_somebody_else_is_busy(place: Place) -> None:
    async with place.pool(most=2) as pool:
        connection = await pool.lease()
        assert isinstance(connection, TakesFunctions)
        connection.add_function("mine", 0, lambda: 1, False)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pool.query, f"SELECT count(*) FROM {up_to(300_000)}", [])
            await trio.sleep(0.02)
            await pool.give_back(connection)
        with pytest.raises(Fault, match="no such function"):
            await pool.query("SELECT mine()", [])


async def at_once(pool: Pool, sql: str, parameters: list[Datum]) -> list[Row]:
    """The rows of a query that is quick, as soon as that is known and it is nobody else's turn."""
    while (rows := pool.query_nowait(sql, parameters)) is None:
        await pool.query(sql, parameters)
    return rows


@BOTH
async def test_the_rows_of_a_quick_query_can_be_had_at_once(place: Place) -> None:
    sql = "SELECT ? AS a"
    async with place.pool(most=2) as pool:
        assert pool.query_nowait(sql, [1]) is None, "nothing is open yet"
        assert await at_once(pool, sql, [1]) == [{"a": 1}]
        with pytest.raises(Fault, match="1 parameter"):
            pool.query_nowait(sql, [1, 2])
        assert pool.query_nowait(SLOW["sqlite"], []) is None
        assert pool.query_nowait("CREATE TABLE a (n)", []) is None
        assert pool.query_nowait("SELECT n FROM a", []) is None
        assert pool.facts().leased == 0

        answered = 0
        while (rows := pool.query_nowait(sql, [answered])) is not None:  # until others shall run
            assert rows == [{"a": answered}]
            answered += 1
        assert 0 < answered < 5000
        assert await at_once(pool, sql, [1]) == [{"a": 1}]

        held = [await pool.lease(), await pool.lease()]
        assert pool.query_nowait(sql, [1]) is None
        for connection in held:
            await pool.give_back(connection)
        await pool.close()
        assert pool.query_nowait(sql, [1]) is None


@pytest.mark.parametrize("place", ["memory"], indirect=True)
async def test_nothing_is_had_at_once_while_a_transaction_has_the_database(place: Place) -> None:
    sql = "SELECT count(*) AS c FROM a WHERE n > 0"
    async with place.pool() as pool:
        await pool.execute("CREATE TABLE a (n)", [])
        await at_once(pool, sql, [])
        connection = await pool.lease()
        await pool.query(sql, [])
        await connection.begin()
        await connection.execute("INSERT INTO a VALUES (1)", [])
        assert pool.query_nowait(sql, []) is None
        await connection.rollback()
        assert await at_once(pool, sql, []) == [{"c": 0}]
        await pool.give_back(connection)


# ---- what is known of statements ------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "deed", "has_rows"),
    [
        ("select 1", Deed.READ, True),
        ("-- x\n VALUES (1)", Deed.READ, True),
        ("WITH a AS (SELECT 1) SELECT * FROM a", Deed.READ, True),
        ("WITH a AS (SELECT 1) DELETE FROM b", Deed.WRITE, False),
        ("WITH a AS (SELECT 1) INSERT INTO b SELECT * FROM a RETURNING n", Deed.WRITE, True),
        ("INSERT INTO a VALUES (?)", Deed.INSERT, False),
        ("REPLACE INTO a VALUES (1) RETURNING *", Deed.WRITE, True),
        ("INSERT INTO a SELECT 1", Deed.WRITE, False),
        ("UPDATE a SET b = 1", Deed.WRITE, False),
        ("BEGIN", Deed.BEGIN, False),
        ("begin transaction", Deed.BEGIN, False),
        ("BEGIN EXCLUSIVE", Deed.BEGIN, False),
        ("BEGIN DEFERRED", Deed.MARK, False),
        ("SAVEPOINT a", Deed.MARK, False),
        ("ROLLBACK TO a", Deed.END, False),
        ("COMMIT", Deed.END, False),
        ("CREATE TABLE a (b)", Deed.OTHER, False),
        ("SELECT load_extension('x')", Deed.OTHER, False),
        ("PRAGMA foreign_keys", Deed.OTHER, False),
        ("", Deed.OTHER, False),
        ("WITH end AS (SELECT 1) SELECT * FROM end", Deed.READ, True),
        ("WITH release(a) AS (SELECT 1), begin AS (SELECT 2) UPDATE b SET n = 1", Deed.WRITE, False),
        ("INSERT OR REPLACE INTO a VALUES (1)", Deed.WRITE, False),
    ],
)
def test_the_text_tells_what_a_statement_does(sql: str, deed: Deed, has_rows: bool) -> None:
    shape = shape_of(sql)
    assert (shape.deed, shape.has_rows) == (deed, has_rows)


@pytest.mark.parametrize(
    ("sql", "is_whole"),
    [
        ("SELECT count(*) FROM a", True),
        ("SELECT Count (*) AS c FROM a ORDER BY 1", True),
        ("SELECT n, (SELECT count(*) FROM a) FROM b WHERE n = 1", True),
        ("SELECT count(*) FROM a UNION SELECT n FROM b WHERE n = 1", True),
        ("WITH c AS (SELECT count(*) FROM a) SELECT * FROM c WHERE 1", True),
        ("SELECT count(*) FROM a WHERE n = 1", False),
        ("SELECT n, count(*) FROM a GROUP BY n", False),
        ("SELECT n FROM a", False),
        ("SELECT 'count' FROM a", False),
        ("DELETE FROM a", True),
        ("DELETE FROM a WHERE n = 1", False),
        ("UPDATE a SET n = n + 1", False),
    ],
)
def test_what_goes_through_a_whole_table_at_once_never_runs_here(sql: str, is_whole: bool) -> None:
    assert shape_of(sql).is_whole is is_whole
    plan = Plan(shape_of(sql))
    for _ in range(10):
        plan.ran_there(0.0001)
    assert (plan.trust > 0) is is_whole


@pytest.mark.parametrize("sql", ["PRAGMA query_only = 1", "CREATE TEMP TABLE a (n)", "CREATE TABLE IF NOT EXISTS temp.a (n)"])
def test_what_changes_the_connection_itself_is_known(sql: str) -> None:
    assert shape_of(sql).leaves_marks


def test_a_statement_runs_here_only_while_it_is_quick() -> None:
    plan = Plan(shape_of("SELECT 1"))
    assert plan.trust == 1
    plan.ran_there(0.0001)
    assert plan.trust == 0
    plan.was_slow()
    for _ in range(3):
        assert plan.trust
        plan.ran_there(0.0001)
    assert plan.trust == 0
    plan.ran_there(0.1)
    assert plan.trust == 3
    plan.trust = 0
    plan.took_long(0.002)
    assert plan.trust == 0
    plan.took_long(0.002)
    assert plan.trust == 3
    plan.trust = 0
    plan.took_long(0.05)
    assert plan.trust == 3


def test_not_every_statement_is_remembered_for_ever() -> None:
    plans = Plans()
    for number in range(2500):
        plans[f"SELECT {number}"].was_slow()
    assert len(plans) <= 1000
