"""MySQL and MariaDB alone: addresses, types, prepared statements, stopping, deadlocks, sessions, TLS, logins."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest
import trio

from etamil_actors.errors import Fault
from etamil_actors.ports.databases import Connection, Datum, PoolSettings
from etamil_actors.resources.databases import mysql
from etamil_actors.resources.databases.mysql_address import MysqlAddress
from tests.resources.servers import (
    OwnServer,
    open_connection,
    open_pool,
    own_server,
    tls_files,
    url_of,
    value_of,
)


def settings(**changes: object) -> PoolSettings:
    return PoolSettings(**{"kind": "mysql", "url": url_of("mysql"), "name": "kadai", **changes})  # type: ignore[arg-type]


def leased(**changes: object) -> AbstractAsyncContextManager[Connection]:
    return open_connection(settings(**changes))


@asynccontextmanager
async def a_table(connection: Connection, columns: str) -> AsyncIterator[str]:
    name = f"mysql_{uuid4().hex[:12]}"
    await connection.execute(f"CREATE TABLE {name} ({columns}) ENGINE=InnoDB CHARACTER SET utf8mb4", [])
    try:
        yield name
    finally:
        await connection.rollback()
        await connection.execute(f"DROP TABLE IF EXISTS {name}", [])


async def refused(connection: Connection, sql: str, *parameters: Datum) -> Fault:
    with pytest.raises(Fault) as caught:
        await connection.query(sql, list(parameters))
    return caught.value


# ---- addresses ----------------------------------------------------------------------------------


def test_the_parts_of_an_address_are_read() -> None:
    address = MysqlAddress(
        "mariadb://asha:p%40ss%2Fword%3A@db.example:3307/kadai?ssl-mode=VERIFY_CA&charset=utf8mb4"
    )
    assert (address.user, address.password, address.host, address.port) == (
        "asha",
        "p@ss/word:",
        "db.example",
        3307,
    )
    assert (address.database, address.mode, address.is_here) == ("kadai", "verify_ca", False)
    assert MysqlAddress("mysql://root@localhost").port == 3306
    assert MysqlAddress("mysql://root@localhost/?socket=/run/x.sock").socket == "/run/x.sock"


@pytest.mark.parametrize(
    "url, mode",
    (
        ("mysql://root@127.0.0.1/kadai", "disabled"),
        ("mysql://root@localhost/kadai", "disabled"),
        ("mysql://root@db.example/kadai", "preferred"),
        ("mysql://root@127.0.0.1.example/kadai", "preferred"),
        ("mysql://root@db.example/kadai?sslmode=verify-full", "verify_identity"),
        ("mysql://root@127.0.0.1/kadai?ssl-mode=required", "required"),
    ),
)
def test_only_loopback_goes_without_tls_unless_it_is_told(url: str, mode: str) -> None:
    assert MysqlAddress(url).mode == mode


@pytest.mark.parametrize(
    "url",
    (
        "mysql://asha:s3cr3t#x@127.0.0.1/kadai",
        "mysql://asha:s3cr3t@127.0.0.1:port/kadai",
        "mysql://asha:s3cr3t@[::1/kadai",
        "mysql://asha:s3cr3t%ff@127.0.0.1/kadai",
        "mysql://asha:s3cr3t@127.0.0.1/a/b",
        "mysql://asha:s3cr3t@127.0.0.1/a?ssl-mode=perhaps",
        "mysql://asha:s3cr3t@127.0.0.1/a?nonsense=1",
        "mysql://asha:s3cr3t@127.0.0.1/a?nonsense",
        "http://asha:s3cr3t@127.0.0.1/a",
    ),
)
def test_an_address_that_cannot_be_read_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(Fault) as caught:
        MysqlAddress(url)
    assert caught.value.code == "config"
    assert "s3cr3t" not in f"{caught.value.message} {caught.value.details}"


async def test_a_port_that_nobody_listens_on_is_told_with_the_place() -> None:
    with pytest.raises(Fault) as caught:
        async with leased(url="mysql://asha:s3cr3t@localhost:1/kadai"):
            pass
    assert caught.value.code == "db.unavailable"
    assert "localhost:1" in caught.value.message and "refused" in caught.value.message
    assert "s3cr3t" not in caught.value.message


@pytest.mark.parametrize("host", ("no-such-host.invalid", "a..b", f"{'a' * 64}.example"))
async def test_an_unknown_host_is_told_without_the_password(host: str) -> None:
    with pytest.raises(Fault) as caught:
        async with leased(url=f"mysql://asha:s3cr3t@{host}/kadai"):
            pass
    assert caught.value.code == "db.unavailable"
    assert "s3cr3t" not in caught.value.message


# ---- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "declared, given, expected",
    (
        ("tinyint", -128, -128),
        ("tinyint unsigned", 255, 255),
        ("smallint", -32768, -32768),
        ("smallint unsigned", 65535, 65535),
        ("mediumint", -8388608, -8388608),
        ("mediumint unsigned", 16777215, 16777215),
        ("int", -(2**31), -(2**31)),
        ("int unsigned", 2**32 - 1, 2**32 - 1),
        ("bigint", -(2**63), -(2**63)),
        ("bigint unsigned", 2**64 - 1, 2**64 - 1),
        ("boolean", True, 1),
        ("boolean", False, 0),
        ("year", 2026, 2026),
        ("bit(12)", 5, None),
        ("decimal(10,3)", Decimal("12.50"), Decimal("12.5")),
        ("decimal(10,3)", Decimal("-12.00"), -12),
        ("float", Decimal("0.1"), Decimal("0.1")),
        ("float", 16777216, 16777216),
        ("double", Decimal("0.1"), Decimal("0.1")),
        ("double", 10**20, 10**20),
        ("date", "2026-11-21", "2026-11-21"),
        ("datetime", "2026-11-21T09:30:00", "2026-11-21T09:30:00"),
        ("datetime", "2026-11-21", "2026-11-21T00:00:00"),
        ("datetime(6)", "2026-11-21 09:30:00.25", "2026-11-21T09:30:00.25"),
        ("timestamp", "2026-11-21 09:30:00", "2026-11-21T09:30:00"),
        ("time", "-101:02:03", "-101:02:03"),
        ("time(3)", "01:02:03.5", "01:02:03.5"),
        ("char(10)", "007", "007"),
        ("varchar(20)", "தமிழ்", "தமிழ்"),
        ("text", Decimal("12.50"), "12.5"),
        ("longtext", "😀 \\ ' \" %", "😀 \\ ' \" %"),
        ("json", '{"a": 1}', '{"a": 1}'),
        ("enum('a','b')", "b", "b"),
        ("set('a','b')", "a,b", "a,b"),
        ("blob", "ப", "ப"),
        ("int", None, None),
        ("text", None, None),
        ("text", "", ""),
    ),
)
async def test_a_value_comes_back_as_the_type_of_its_column_says(
    declared: str, given: Datum, expected: Datum
) -> None:
    async with leased() as connection, a_table(connection, f"v {declared} NULL") as table:
        if declared == "bit(12)":
            # A text would be taken for its letters, so a number of bits is written into the statement.
            await connection.execute(f"INSERT INTO {table} VALUES (b'101')", [])
            expected = 5
        else:
            await connection.execute(f"INSERT INTO {table} VALUES (?)", [given])
        for _ in range(2):
            ((found,),) = [row.values() for row in await connection.query(f"SELECT v FROM {table}", [])]
            assert found == expected and type(found) is type(expected)


async def test_bytes_that_are_no_text_are_replaced() -> None:
    async with leased() as connection:
        assert await value_of(connection, "x'61ff62'") == "a\ufffdb"


async def test_rows_that_come_as_texts_are_read_like_the_others() -> None:
    # A server cannot prepare PREPARE and EXECUTE, so these go as they are, and their rows come as texts.
    wanted = "1 AS n, 2.50 AS d, 0.1e0 AS f, 'மலர்' AS t, NULL AS z, TIMESTAMP'2026-11-21 09:30:00.5' AS m, TIME'01:02:03.50' AS c"
    async with leased() as connection:
        await connection.execute(f"PREPARE s FROM 'SELECT {wanted.replace(chr(39), chr(39) * 2)}'", [])
        prepared = await connection.query(f"SELECT {wanted}", [])
        for _ in range(2):
            assert await connection.query("EXECUTE s", []) == prepared
        assert prepared == [
            {
                "n": 1,
                "d": Decimal("2.5"),
                "f": Decimal("0.1"),
                "t": "மலர்",
                "z": None,
                "m": "2026-11-21T09:30:00.5",
                "c": "01:02:03.5",
            }
        ]


@pytest.mark.parametrize("given", ("\ud800", "x" * 70_000))
async def test_a_value_that_does_not_fit_is_refused_and_the_connection_goes_on(given: Datum) -> None:
    async with leased() as connection, a_table(connection, "v varchar(100)") as table:
        with pytest.raises(Fault) as caught:
            await connection.execute(f"INSERT INTO {table} VALUES (?)", [given])
        assert caught.value.code == "db.query"
        assert await value_of(connection, "1") == 1


async def test_a_value_larger_than_the_server_takes_is_refused_before_it_is_sent() -> None:
    async with leased() as connection:
        fault = await refused(connection, "SELECT LENGTH(?) AS n", "x" * 17_000_000)
        assert fault.code == "db.query" and "16777216" in fault.english
        assert await value_of(connection, "1") == 1


# ---- commands ---------------------------------------------------------------------------------------


async def test_a_command_tells_how_many_rows_it_has_changed_and_the_last_key() -> None:
    async with (
        leased() as connection,
        a_table(connection, "id int PRIMARY KEY AUTO_INCREMENT, name text") as table,
    ):
        assert await connection.execute(f"INSERT INTO {table} (name) VALUES (?)", ["pen"]) == (1, 1)
        assert await connection.execute(f"INSERT INTO {table} (name) VALUES (?) RETURNING id", ["ink"]) == (
            1,
            2,
        )
        assert await connection.execute(f"UPDATE {table} SET name = 'x' WHERE id = ?", [1]) == (1, None)
        # As every other database has it, a row counts that is what it was.
        assert await connection.execute(f"UPDATE {table} SET name = 'x' WHERE id = ?", [1]) == (1, None)
        assert await connection.execute(f"SELECT * FROM {table}", []) == (0, None)
        assert await connection.execute(f"DELETE FROM {table}", []) == (2, None)
        assert await connection.query(f"DELETE FROM {table}", []) == []


async def test_numbered_placeholders_may_come_in_any_order() -> None:
    async with leased() as connection:
        found = await connection.query("SELECT $2 AS a, ?1 AS b, ? AS c, '?' AS d /* ? */", ["1", "2", "3"])
        assert found == [{"a": "2", "b": "1", "c": "3", "d": "?"}]


@pytest.mark.parametrize(
    "sql",
    ("SELECT 1; SELECT 2", "SELECT ?; DROP TABLE x", "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE x"),
)
async def test_no_text_holds_two_statements_and_no_file_is_sent(sql: str) -> None:
    async with leased() as connection:
        fault = await refused(connection, sql, *(["1"] if "?" in sql else []))
        assert fault.code == "db.query"
        assert await value_of(connection, "1") == 1


async def test_of_several_results_of_a_procedure_the_first_counts() -> None:
    name = f"many_{uuid4().hex[:12]}"
    async with leased() as connection:
        await connection.execute(
            f"CREATE PROCEDURE {name}(n int) BEGIN SELECT n AS a; SELECT 2 AS b, 3 AS c; END", []
        )
        try:
            for number in (7, 8):
                assert [{"a": number}] == await connection.query(f"CALL {name}(?)", [number])
            assert await value_of(connection, "1") == 1
        finally:
            await connection.execute(f"DROP PROCEDURE {name}", [])


async def test_a_prepared_statement_survives_a_change_of_the_type_of_a_column() -> None:
    async with leased() as connection, leased() as other, a_table(other, "id int, name int") as table:
        select = f"SELECT * FROM {table} WHERE id = ?"
        await connection.execute(f"INSERT INTO {table} VALUES (?, ?)", [1, 5])
        assert await connection.query(select, [1]) == [{"id": 1, "name": 5}]
        await other.execute(f"ALTER TABLE {table} MODIFY COLUMN name text", [])
        assert await connection.query(select, [1]) == [{"id": 1, "name": "5"}]


# ---- stopping ----------------------------------------------------------------------------------------


async def still_running(marker: str) -> bool:
    async with leased() as connection:
        found = await connection.query(
            "SELECT info FROM information_schema.processlist WHERE info LIKE ?", [f"%{marker}%"]
        )
        return any("SLEEP(20)" in str(row["info"]) for row in found)


@pytest.mark.parametrize("how", ("cancelled", "timed out"))
@pytest.mark.parametrize("in_transaction", (False, True))
async def test_a_query_that_nobody_waits_for_is_stopped_on_the_server(how: str, in_transaction: bool) -> None:
    marker = uuid4().hex
    sql = f"SELECT SLEEP(20), '{marker}' AS m WHERE ? > 0"
    async with (
        leased(query_seconds=0.2 if how == "timed out" else 30) as connection,
        a_table(connection, "n int") as table,
    ):
        if in_transaction:
            await connection.begin()
            await connection.execute(f"INSERT INTO {table} VALUES (1)", [])
        with trio.fail_after(10):
            if how == "timed out":
                fault = await refused(connection, sql, 1)
                assert fault.code == "db.unavailable" and "0.2" in fault.english
            else:
                with trio.move_on_after(0.2) as scope:
                    await connection.query(sql, [1])
                assert scope.cancelled_caught
            assert not await still_running(marker)
        for number in range(5):  # a late order to stop hits none of these
            assert await value_of(connection, "?", str(number)) == str(number)
        if in_transaction:
            assert connection.in_transaction
            await connection.commit()
            assert await connection.query(f"SELECT n FROM {table}", []) == [{"n": 1}]


async def test_an_order_to_stop_that_comes_late_hits_no_later_query() -> None:
    async with open_pool(settings(most=1)) as pool:
        for delay in range(60):
            with trio.move_on_after(delay / 30_000):
                await pool.query("SELECT ? AS n", ["x"])
            assert await pool.query("SELECT ? AS n", [str(delay)]) == [{"n": str(delay)}]


async def test_a_server_that_does_not_even_stop_costs_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mysql, "STOP_SECONDS", 0.2)

    async def never(self: object, number: int, peer: object) -> None:
        await trio.sleep_forever()

    monkeypatch.setattr(mysql.MysqlDriver, "kill", never)
    async with open_pool(settings()) as pool:
        with trio.fail_after(3):
            with trio.move_on_after(0.1):
                await pool.query("SELECT SLEEP(1)", [])
            assert pool.facts().open == 0
            assert await pool.query("SELECT 1 AS one", []) == [{"one": 1}]


async def test_the_server_itself_stops_what_nobody_could_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mysql, "STOP_SECONDS", 0.3)
    async with leased(query_seconds=0.2) as connection:
        assert await value_of(connection, "@@max_statement_time") == Decimal("0.5")


# ---- transactions and sessions ---------------------------------------------------------------------------


@asynccontextmanager
async def a_deadlock(by_sql: bool = False) -> AsyncIterator[tuple[Connection, str]]:
    """A connection whose transaction the server has just undone, and its table."""
    async with leased() as victim, leased() as winner, a_table(winner, "id int PRIMARY KEY, n int") as table:
        for place in (1, 2):
            await winner.execute(f"INSERT INTO {table} VALUES (?, 0)", [place])
        update = f"UPDATE {table} SET n = n + 1 WHERE id = ?"
        await winner.begin()
        # The server undoes the transaction that has changed less.
        await winner.execute(f"INSERT INTO {table} VALUES (10, 0), (11, 0), (12, 0), (13, 0)", [])
        await winner.execute(update, [1])
        if by_sql:
            await victim.execute("START TRANSACTION", [])
        else:
            await victim.begin()
        await victim.execute(update, [2])
        waiting = trio.Event()

        async def wait_for_the_victim() -> None:
            waiting.set()
            await winner.execute(update, [2])

        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(wait_for_the_victim)
                await waiting.wait()
                with pytest.raises(Fault) as caught:
                    # Whoever comes last to the circle closes it.
                    await victim.execute(update, [1])
        assert caught.value.code == "db.conflict" and "Deadlock" in caught.value.english
        await winner.rollback()
        yield victim, table


@pytest.mark.parametrize("by_sql", (False, True))
async def test_after_a_deadlock_nothing_runs_until_the_program_has_rolled_back(by_sql: bool) -> None:
    async with a_deadlock(by_sql) as (victim, table):
        assert victim.in_transaction
        fault = await refused(victim, f"UPDATE {table} SET n = 100")
        assert fault.code == "db.query"
        with pytest.raises(Fault):
            await victim.savepoint("a")
        await (victim.execute("ROLLBACK", []) if by_sql else victim.rollback())  # type: ignore[func-returns-value]
        assert not victim.in_transaction
        assert await victim.query(f"SELECT sum(n) AS n FROM {table}", []) == [{"n": 0}]


@pytest.mark.parametrize("by_sql", (False, True))
async def test_a_transaction_that_a_deadlock_has_undone_cannot_be_committed(by_sql: bool) -> None:
    async with a_deadlock(by_sql) as (victim, table):
        with pytest.raises(Fault) as caught:
            await (victim.execute("commit ;", []) if by_sql else victim.commit())  # type: ignore[func-returns-value]
        assert caught.value.code == "db.query"
        assert not victim.in_transaction
        assert await victim.query(f"SELECT sum(n) AS n FROM {table}", []) == [{"n": 0}]


async def test_an_error_does_not_end_a_transaction() -> None:
    async with leased() as connection, a_table(connection, "n int PRIMARY KEY") as table:
        await connection.begin()
        await connection.execute(f"INSERT INTO {table} VALUES (1)", [])
        await refused(connection, f"INSERT INTO {table} VALUES (?)", 1)
        await refused(connection, "SELECT nonsense FROM nowhere")
        await connection.commit()
        assert await connection.query(f"SELECT n FROM {table}", []) == [{"n": 1}]


def test_a_lock_on_all_tables_is_known_to_outlive_its_command() -> None:
    assert mysql.leaves_marks("FLUSH TABLES WITH READ LOCK") and mysql.leaves_marks("LOCK TABLES a READ")
    assert not mysql.leaves_marks("SELECT flush FROM locks")


async def test_what_was_wished_for_the_next_transaction_is_not_for_that_of_another() -> None:
    async with leased() as maker, a_table(maker, "n int") as table, open_pool(settings(most=1)) as pool:
        await pool.execute("SET TRANSACTION READ ONLY", [])
        connection = await pool.lease()
        await connection.begin()
        await connection.execute(f"INSERT INTO {table} VALUES (1)", [])
        await connection.commit()
        await pool.give_back(connection)


async def test_an_open_transaction_is_rolled_back_on_return_and_the_connection_kept() -> None:
    async with open_pool(settings(most=1)) as pool:
        connection = await pool.lease()
        number = await value_of(connection, "CONNECTION_ID()")
        await connection.begin()
        await pool.give_back(connection)
        connection = await pool.lease()
        assert not connection.in_transaction
        assert await value_of(connection, "CONNECTION_ID()") == number
        await pool.give_back(connection)


# ---- a server of our own: TLS, logins, statements --------------------------------------------------------


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OwnServer, Path]]:
    kept = tmp_path_factory.mktemp("authority") / "authority.pem"

    def options(folder: Path) -> list[str]:
        authority, certificate, key = tls_files(folder)
        kept.write_bytes(authority.read_bytes())
        return [f"--ssl-cert={certificate}", f"--ssl-key={key}", "--max-prepared-stmt-count=30"]

    with own_server("mysql", options) as server:
        yield server, kept


async def test_tls_is_spoken_and_checked_when_the_url_says_so(
    secured: tuple[OwnServer, Path], tmp_path: Path
) -> None:
    server, authority = secured
    for options, expected in (
        ("", False), ("?ssl-mode=preferred", True), ("?ssl-mode=required", True),
        (f"?ssl-mode=verify_identity&ssl-ca={authority}", True),
    ):  # fmt: skip
        async with leased(url=server.url + options) as connection:
            (row,) = await connection.query("SHOW STATUS LIKE 'Ssl_cipher'", [])
            assert bool(row["Value"]) is expected
            with trio.move_on_after(0.1) as scope:
                await connection.query("SELECT SLEEP(5)", [])
            assert scope.cancelled_caught
            assert await value_of(connection, "repeat('ப', 200000)") == "ப" * 200_000
    wrong, _, _ = tls_files(tmp_path)
    with pytest.raises(Fault) as caught:
        async with leased(url=f"{server.url}?ssl-mode=verify_ca&ssl-ca={wrong}"):
            pass
    assert caught.value.code == "db.unavailable" and "certificate" in caught.value.english
    with pytest.raises(Fault) as caught:
        async with leased(url=f"{server.url}?ssl-mode=verify_ca&ssl-ca={tmp_path / 'none.pem'}"):
            pass
    assert caught.value.code == "config"


async def test_a_password_opens_the_door_and_is_never_told(secured: tuple[OwnServer, Path]) -> None:
    server, _ = secured
    async with leased(url=server.url) as connection:
        await connection.execute("CREATE USER asha@'127.0.0.1' IDENTIFIED BY 's3cr3t @ word'", [])
        await connection.execute("GRANT ALL ON test.* TO asha@'127.0.0.1'", [])
    async with leased(url=server.url.replace("root@", "asha:s3cr3t%20%40%20word@")) as connection:
        assert await value_of(connection, "CURRENT_USER()") == "asha@127.0.0.1"
        # A user without special rights may stop its own queries.
        with trio.move_on_after(0.1) as scope:
            await connection.query("SELECT SLEEP(5)", [])
        assert scope.cancelled_caught
        assert await value_of(connection, "1") == 1
    for wrong in ("asha:0th3r-word@", "asha:s3cr3t%20%40@", "asha@", "nobody:s3cr3t@"):
        with pytest.raises(Fault) as caught:
            async with leased(url=server.url.replace("root@", wrong)):
                pass
        assert caught.value.code == "db.unavailable"
        told = f"{caught.value.message} {caught.value.details}"
        assert "s3cr3t" not in told and "0th3r" not in told


async def test_every_command_stands_for_itself_whatever_the_server_says(
    secured: tuple[OwnServer, Path],
) -> None:
    server, _ = secured
    async with leased(url=server.url) as connection:
        await connection.execute("SET GLOBAL autocommit = 0", [])
        try:
            async with leased(url=server.url) as other:
                assert await value_of(other, "@@autocommit") == 1
                assert not other.in_transaction
        finally:
            await connection.execute("SET GLOBAL autocommit = 1", [])


async def test_nobody_knows_what_came_of_a_commit_that_took_too_long(secured: tuple[OwnServer, Path]) -> None:
    server, _ = secured
    async with leased(url=server.url) as maker, a_table(maker, "n int") as table:
        async with leased(url=server.url, query_seconds=0.3) as connection:
            await connection.begin()
            await connection.execute(f"INSERT INTO {table} VALUES (1)", [])
            async with leased(url=server.url) as other:
                await other.execute("FLUSH TABLES WITH READ LOCK", [])
                with pytest.raises(Fault) as caught:
                    await connection.commit()
        assert caught.value.code == "db.unavailable"
        assert "nobody knows whether the transaction is committed" in caught.value.english
        assert connection.is_broken


async def test_a_way_to_log_in_that_we_do_not_know_is_named(secured: tuple[OwnServer, Path]) -> None:
    server, _ = secured
    async with leased(url=server.url) as connection:
        await connection.execute("INSTALL SONAME 'auth_ed25519'", [])
        await connection.execute(
            "CREATE USER ed@'127.0.0.1' IDENTIFIED VIA ed25519 USING PASSWORD('s3cr3t')", []
        )
    with pytest.raises(Fault) as caught:
        async with leased(url=server.url.replace("root@", "ed:s3cr3t@")):
            pass
    assert caught.value.code == "db.unavailable" and "ed25519" in caught.value.english
    assert "s3cr3t" not in caught.value.message


async def test_the_server_keeps_only_so_many_prepared_statements(
    secured: tuple[OwnServer, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, _ = secured
    monkeypatch.setattr(mysql, "MAX_STATEMENTS", 10)

    async def kept(connection: Connection) -> int:
        (row,) = await connection.query("SHOW GLOBAL STATUS LIKE 'Prepared_stmt_count'", [])
        return int(row["Value"] or 0)

    async with leased(url=server.url) as connection:
        for number in range(30):
            assert await value_of(connection, f"? + {number}", "1") == number + 1
        assert await kept(connection) <= 11
    # The server takes 30; who keeps too many gives its own up and goes on.
    monkeypatch.setattr(mysql, "MAX_STATEMENTS", 1000)
    async with leased(url=server.url) as connection:
        for number in range(70):
            assert await value_of(connection, f"? + {number}", "1") == number + 1
        assert await kept(connection) <= 30
