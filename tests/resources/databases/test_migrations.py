"""Numbered files of SQL, run once and in order, by one process at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
import trio

from etamil_actors.errors import Fault
from etamil_actors.ports.databases import Pool
from etamil_actors.resources.databases import migrations, troubles
from etamil_actors.resources.databases.migrations import digest_of, read
from tests.resources.databases.kinds import Place


class Files:
    """Files of names of their own, so that nothing of other tests is met."""

    def __init__(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        self.mark = uuid4().hex[:10]
        self.items = f"items_{self.mark}"
        table = f"etamil_migrations_{self.mark}"
        for name in ("_CREATE", "_REMEMBER"):
            text = getattr(migrations, name)
            monkeypatch.setattr(migrations, name, text.replace("etamil_migrations", table))
        monkeypatch.setattr(migrations, "TABLE", table)
        self.first = ("001_items.sql", f"CREATE TABLE {self.items} (id INTEGER PRIMARY KEY, name {place.types['text']});\n")
        self.second = (
            "002_rows.sql",
            f"-- two rows; with a comment\nINSERT INTO {self.items} VALUES (1, 'ஒன்று; ?');\n"
            f"INSERT INTO {self.items} VALUES (2, 'இரண்டு');",
        )
        self.third = ("010_more.sql", f"UPDATE {self.items} SET name = 'மூன்று' WHERE id = 2")

    async def drop(self, pool: Pool) -> None:
        for table in (self.items, migrations.TABLE):
            await pool.execute(f"DROP TABLE IF EXISTS {table}", [])


@pytest.fixture
def files(place: Place, monkeypatch: pytest.MonkeyPatch) -> Files:
    return Files(place, monkeypatch)


async def names(pool: Pool, files: Files) -> list[object]:
    return [row["name"] for row in await pool.query(f"SELECT name FROM {files.items} ORDER BY id", [])]


async def test_each_file_runs_once_and_in_the_order_of_the_numbers(place: Place, files: Files) -> None:
    async with place.pool() as pool:
        try:
            assert await pool.migrate([]) == 0
            assert await pool.migrate([files.second, files.first]) == 2
            assert await names(pool, files) == ["ஒன்று; ?", "இரண்டு"]
            assert await pool.migrate([files.first, files.second]) == 0
            assert await pool.migrate([files.third, files.first, files.second]) == 1
            assert await names(pool, files) == ["ஒன்று; ?", "மூன்று"]
            assert pool.facts().leased == 0
        finally:
            await files.drop(pool)


async def test_a_file_that_has_changed_since_is_refused(place: Place, files: Files) -> None:
    async with place.pool() as pool:
        try:
            await pool.migrate([files.first, files.second])
            changed = (files.second[0], files.second[1] + " ")
            with pytest.raises(Fault) as caught:
                await pool.migrate([files.first, changed, files.third])
            assert caught.value.code == "db.query"
            assert "‘002_rows.sql’" in caught.value.english
            assert "changed" in caught.value.english
            assert "‘002_rows.sql’" in caught.value.tamil
            assert await names(pool, files) == ["ஒன்று; ?", "இரண்டு"]
            # Ends of lines are no change.
            assert await pool.migrate([files.first, (files.second[0], files.second[1].replace("\n", "\r\n"))]) == 0
        finally:
            await files.drop(pool)


async def test_a_file_with_a_number_below_the_last_one_is_refused(place: Place, files: Files) -> None:
    async with place.pool() as pool:
        try:
            await pool.migrate([files.first, files.third])
            with pytest.raises(Fault, match=r"‘010_more\.sql’ was run already"):
                await pool.migrate([files.first, files.second, files.third])
        finally:
            await files.drop(pool)


async def test_a_file_that_fails_leaves_nothing_half_done(place: Place, files: Files) -> None:
    bad = ("002_rows.sql", files.second[1] + f"\nINSERT INTO {files.items} VALUES (1, 'again');")
    async with place.pool() as pool:
        try:
            with pytest.raises(Fault) as caught:
                await pool.migrate([files.first, bad])
            assert "‘002_rows.sql’, statement 3" in caught.value.english
            assert await names(pool, files) == []
            assert await pool.migrate([files.first, files.second]) == 1
            assert await names(pool, files) == ["ஒன்று; ?", "இரண்டு"]
        finally:
            await files.drop(pool)


async def test_a_table_that_a_failed_file_has_made_is_gone_where_that_can_be(place: Place, files: Files) -> None:
    bad = (files.first[0], files.first[1] + "SELECT * FROM nothing_at_all;")
    async with place.pool() as pool:
        try:
            with pytest.raises(Fault) as caught:
                await pool.migrate([bad])
            if place.name == "mysql":
                assert "may have been done" in caught.value.english
            else:
                assert await pool.migrate([files.first]) == 1
        finally:
            await files.drop(pool)


async def test_two_who_migrate_at_once_run_each_file_once(place: Place, files: Files) -> None:
    counts: list[int] = []

    async def run(pool: Pool) -> None:
        counts.append(await pool.migrate([files.first, files.second, files.third]))

    async with place.pool() as pool:
        try:
            with trio.fail_after(30):
                async with trio.open_nursery() as nursery:
                    for _ in range(5):
                        nursery.start_soon(run, pool)
            assert sum(counts) == 3
            assert await names(pool, files) == ["ஒன்று; ?", "மூன்று"]
        finally:
            await files.drop(pool)


async def test_a_migration_that_is_cancelled_leaves_nothing_and_locks_nobody_out(place: Place, files: Files) -> None:
    slow = ("002_slow.sql", f"INSERT INTO {files.items} VALUES (9, 'x'); {place.slow}")
    async with place.pool(most=2) as pool:
        try:
            with trio.move_on_after(0.5) as scope:
                await pool.migrate([files.first, slow])
            assert scope.cancelled_caught
            with trio.fail_after(20):
                assert await pool.migrate([files.first, files.second]) <= 2
            assert await names(pool, files) == ["ஒன்று; ?", "இரண்டு"]
        finally:
            await files.drop(pool)


REPOSITORY = Path(__file__).resolve().parents[3]
PROCESS = """
import sys, trio
from etamil_actors.ports.databases import PoolSettings
from etamil_actors.resources.databases import migrations
from tests.resources.servers import open_pool
kind, url, table, items, text = sys.argv[1:]
for name in ("_CREATE", "_REMEMBER"):
    setattr(migrations, name, getattr(migrations, name).replace("etamil_migrations", table))
migrations.TABLE = table
files = [("001_items.sql", f"CREATE TABLE {items} (id INTEGER PRIMARY KEY, name {text})")]
files += [(f"{n:03}_row.sql", f"INSERT INTO {items} VALUES ({n}, 'x')") for n in range(2, 12)]
async def main():
    async with open_pool(PoolSettings(kind=kind, url=url, name="two")) as pool:
        print(await pool.migrate(files))
trio.run(main)
"""


@pytest.mark.parametrize("place", ["sqlite", "postgres", "mysql"], indirect=True)
async def test_two_processes_at_once_run_each_file_once(place: Place, files: Files) -> None:
    command = [sys.executable, "-c", PROCESS, place.kind, place.url, migrations.TABLE, files.items, place.types["text"]]

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            command, cwd=REPOSITORY, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )  # fmt: skip

    async with place.pool() as pool:
        try:
            running = [start(), start()]
            told = [await trio.to_thread.run_sync(process.communicate) for process in running]
            assert [errors for _, errors in told] == ["", ""]
            assert sum(int(output) for output, _ in told) == 11
            assert len(await names(pool, files)) == 10
        finally:
            await files.drop(pool)


class Ill:
    """A connection on which nothing can begin, for a reason that does not go away."""

    async def begin(self) -> None:
        await trio.lowlevel.checkpoint()
        raise troubles.unavailable("வட்டு நிறைந்தது", "disk I/O error", sqlite="SQLITE_IOERR")


async def test_only_others_who_write_are_waited_for() -> None:
    with trio.fail_after(1), pytest.raises(Fault, match="disk I/O error"):
        await migrations._lock(Ill(), "sqlite")  # type: ignore[arg-type]


# ---- names and texts ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["items.sql", "001.sql", "001_items.txt", "x01_items.sql", "-1_items.sql", "1_.sqlx"])
def test_a_name_without_a_number_is_refused(name: str) -> None:
    with pytest.raises(Fault, match=r"must be like 001_name\.sql"):
        read([(name, "SELECT 1")], "sqlite")


def test_a_number_that_two_files_have_is_refused() -> None:
    with pytest.raises(Fault, match=r"‘01_b.sql’: ‘001_a.sql’ has the same number"):
        read([("001_a.sql", ""), ("01_b.sql", "")], "sqlite")


@pytest.mark.parametrize("text", ["BEGIN; SELECT 1; COMMIT", "-- x\nrollback", "START TRANSACTION", "END"])
def test_a_file_has_no_transactions_of_its_own(text: str) -> None:
    with pytest.raises(Fault, match="each file is a transaction by itself"):
        read([("001_a.sql", text)], "postgres")


def test_files_are_ordered_by_number_not_by_name() -> None:
    found = read([("10_a.sql", ""), ("9_b.sql", "SELECT 1; SELECT 2"), ("0008_c.sql", "")], "sqlite")
    assert [one.number for one in found] == [8, 9, 10]
    assert list(found[1].statements) == ["SELECT 1", "SELECT 2"]


def test_the_digest_does_not_see_the_ends_of_lines() -> None:
    assert digest_of("a\nb\n") == digest_of("a\r\nb\r\n") != digest_of("a b")


@pytest.mark.parametrize("place", ["sqlite", "simulated"], indirect=True)
async def test_a_table_may_be_made_anew_without_losing_what_refers_to_it(place: Place, files: Files) -> None:
    first = (
        "001_a.sql",
        "CREATE TABLE parent (id INTEGER PRIMARY KEY);"
        "CREATE TABLE child (id INTEGER PRIMARY KEY, of INTEGER REFERENCES parent ON DELETE CASCADE);"
        "INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1, 1);"
        "CREATE TRIGGER t AFTER INSERT ON child BEGIN UPDATE child SET of = of; SELECT CASE WHEN 1 THEN 2 END; END;",
    )
    again = (
        "002_b.sql",
        "CREATE TABLE parent_new (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO parent_new (id) SELECT id FROM parent;"
        "DROP TABLE parent; ALTER TABLE parent_new RENAME TO parent;",
    )
    wrong = ("003_c.sql", "DELETE FROM parent")
    async with place.pool() as pool:
        assert await pool.migrate([first, again]) == 2
        assert await pool.query("SELECT count(*) AS c FROM child", []) == [{"c": 1}]
        with pytest.raises(Fault, match="rows that are not there"):
            await pool.migrate([first, again, wrong])
        assert await pool.query("SELECT count(*) AS c FROM parent", []) == [{"c": 1}]
        assert await pool.query("PRAGMA foreign_keys", []) == [{"foreign_keys": 1}]


A_SECOND = {
    "sqlite": "CREATE TABLE {table} AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 2000000) SELECT x FROM c;",
    "postgres": "SELECT pg_sleep(0.7);",
    "mysql": "DO SLEEP(0.7);",
}


async def test_a_statement_may_take_longer_than_a_query_may(place: Place, files: Files) -> None:
    table = f"{migrations.TABLE}_slow"
    slow = [("001_slow.sql", A_SECOND["sqlite" if place.is_sqlite else place.kind].format(table=table))]
    async with place.pool(query_seconds=0.3) as pool:
        try:
            if place.is_simulated or "memory" in place.url:  # there one connection is all there is
                with pytest.raises(Fault):
                    await pool.migrate(slow)
            else:
                assert await pool.migrate(slow) == 1
                assert await pool.migrate(slow) == 0
            assert pool.facts().leased == 0
        finally:
            await pool.execute(f"DROP TABLE IF EXISTS {table}", ())
            await files.drop(pool)
