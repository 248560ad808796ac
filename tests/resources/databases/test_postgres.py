"""PostgreSQL alone: addresses, types, prepared statements, cancelling, sessions, TLS and passwords."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import trio

from etamil_actors.errors import Fault
from etamil_actors.ports.databases import Connection, Datum, PoolSettings
from etamil_actors.resources.databases import postgres
from etamil_actors.resources.databases.postgres_address import PostgresAddress
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
    return PoolSettings(**{"kind": "postgres", "url": url_of("postgres"), "name": "kadai", **changes})  # type: ignore[arg-type]


def leased(**changes: object) -> AbstractAsyncContextManager[Connection]:
    return open_connection(settings(**changes))


async def code_and_words(connection: Connection, sql: str, *parameters: Datum) -> tuple[str, str]:
    with pytest.raises(Fault) as caught:
        await connection.query(sql, list(parameters))
    return caught.value.code, caught.value.english


# ---- addresses ----------------------------------------------------------------------------------


async def test_urls_and_texts_of_libpq_lead_to_the_same_place() -> None:
    parts = urlsplit(url_of("postgres"))
    name = parts.path.strip("/")
    pairs = f"host={parts.hostname} port={parts.port or 5432} user={parts.username} dbname={name}"
    for url in (
        url_of("postgres"),
        pairs,
        pairs.replace(str(parts.hostname), "localhost"),
        f"hostaddr=127.0.0.1 {pairs}",
    ):
        async with leased(url=url) as connection:
            assert await value_of(connection, "current_database()") == name


@pytest.mark.parametrize(
    "url",
    (
        "postgres://asha:s3cr3t%zz@127.0.0.1/kadai",
        "postgres://asha:word@s3cr3t@127.0.0.1/kadai",
        "host=127.0.0.1 pasword=s3cr3t",
        "host='127.0.0.1 password=s3cr3t",
        "postgres://asha:s3cr3t@[::1/kadai",
    ),
)
def test_an_address_that_cannot_be_read_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(Fault) as caught:
        PostgresAddress(url)
    assert caught.value.code == "config"
    assert "s3cr3t" not in f"{caught.value.message} {caught.value.details}"


@pytest.mark.parametrize(
    "url, expected",
    (
        ("postgres://127.0.0.1/kadai", "disable"),
        ("postgres://localhost/kadai", "disable"),
        ("host=/var/run/postgresql", "disable"),
        ("postgres://db.example/kadai", None),
        ("postgres://db.example/kadai?sslmode=verify-full", "verify-full"),
        ("postgres://127.0.0.1/kadai?sslmode=require", "require"),
        ("host=127.0.0.1,db.example", None),
        ("postgres://127.0.0.1.example/kadai", None),
    ),
)
def test_only_loopback_goes_without_tls_unless_it_is_told(
    url: str, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PGSSLMODE", raising=False)
    assert PostgresAddress(url)._parts.get("sslmode") == expected


async def test_a_name_with_several_hosts_is_tried_in_turn() -> None:
    parts = urlsplit(url_of("postgres"))
    url = f"host=127.0.0.1,localhost port=1,{parts.port or 5432} user={parts.username} dbname={parts.path.strip('/')}"
    async with leased(url=url) as connection:
        assert await value_of(connection, "1") == 1


async def test_an_unknown_host_is_told_with_its_name() -> None:
    with pytest.raises(Fault) as caught:
        async with leased(url="postgres://asha:s3cr3t@no-such-host.invalid/kadai"):
            pass
    assert caught.value.code == "db.unavailable"
    assert "no-such-host.invalid" in caught.value.message
    assert "s3cr3t" not in caught.value.message


# ---- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expression, expected",
    (
        ("7::smallint", 7),
        ("-7::integer", -7),
        ("9223372036854775807::bigint", 2**63 - 1),
        ("12.50::numeric", Decimal("12.5")),
        ("12.00::numeric", 12),
        ("0.1::float8", Decimal("0.1")),
        ("0.1::float4", Decimal("0.1")),
        ("1e20::float8", 10**20),
        ("1e-30::float8", 0),
        ("true", True),
        ("'007'::text", "007"),
        ("'மலர்'::varchar(10)", "மலர்"),
        ("NULL", None),
        ("date '2026-11-21'", "2026-11-21"),
        ("timestamp '2026-11-21 09:30:00'", "2026-11-21 09:30:00"),
        ("'{\"a\": 1}'::json", '{"a": 1}'),
        ("'6f1b3a52-0000-4000-8000-000000000000'::uuid", "6f1b3a52-0000-4000-8000-000000000000"),
        ("ARRAY[1,2]", "{1,2}"),
        ("interval '1 day'", "1 day"),
        ("'\\x00ff'::bytea", "\\x00ff"),
    ),
)
async def test_a_column_becomes_what_its_type_says(expression: str, expected: Datum) -> None:
    async with leased() as connection:
        found = await value_of(connection, expression)
        assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize(
    "expression, given, expected",
    (
        ("?::int", Decimal("2.9"), 2),
        ("?::int", Decimal("-2.9"), -2),
        ("?::int", "42", 42),
        ("?::numeric", "42.50", Decimal("42.5")),
        ("?::numeric", 5, 5),
        ("?::text", Decimal("12.50"), "12.5"),
        ("?::text", 7, "7"),
        ("?::text", True, "true"),
        ("?::bool", True, True),
        ("?::bool", 2, True),
        ("?::bool", 0, False),
        ("?::bool", Decimal("0.5"), True),
        ("?::float8", Decimal("0.1"), Decimal("0.1")),
        ("?::int", None, None),
        ("?::text", None, None),
        ("?::date", "2026-11-21", "2026-11-21"),
        ("?::jsonb", '{"a": 1}', '{"a": 1}'),
        ("?::int8", 2**63 - 1, 2**63 - 1),
        ("?", "தமிழ்", "தமிழ்"),
    ),
)
async def test_a_parameter_becomes_what_the_column_wants(
    expression: str, given: Datum, expected: Datum
) -> None:
    async with leased() as connection:
        for _ in range(2):  # prepared, and used again
            found = await value_of(connection, expression, given)
            assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize(
    "expression, given",
    (
        ("?::int", 2**31),
        ("?::smallint", Decimal("-32769.5")),
        ("?::bigint", 2**63),
        ("?::int", "x"),
        ("?::int", "4.5"),
        ("?::numeric", "twelve"),
        ("?::text", "a\0b"),
        ("?::text", "\ud800"),
        ("?::bool", "perhaps"),
        ("?::date", "tomorrow-ish"),
    ),
)
async def test_a_parameter_that_does_not_fit_is_refused_and_the_connection_goes_on(
    expression: str, given: Datum
) -> None:
    async with leased() as connection:
        code, words = await code_and_words(connection, f"SELECT {expression} AS it", given)
        assert code == "db.query" and words
        assert await value_of(connection, "1") == 1


# ---- commands ---------------------------------------------------------------------------------------


async def test_a_command_tells_how_many_rows_it_has_changed() -> None:
    async with leased() as connection:
        assert await connection.execute("CREATE TEMP TABLE goods (id serial, name text)", []) == (0, None)
        assert await connection.execute("INSERT INTO goods (name) VALUES (?), (?)", ["pen", "ink"]) == (
            2,
            None,
        )
        assert await connection.execute("INSERT INTO goods (name) VALUES (?) RETURNING id", ["cap"]) == (1, 3)
        assert await connection.execute("INSERT INTO goods (name) VALUES (?) RETURNING name", ["nib"]) == (
            1,
            None,
        )
        assert await connection.execute("UPDATE goods SET name = 'x' WHERE id > $1", [1]) == (3, None)
        assert await connection.execute("SELECT * FROM goods", []) == (0, None)
        assert await connection.execute("DELETE FROM goods", []) == (4, None)
        assert await connection.query("DELETE FROM goods", []) == []


async def test_no_text_holds_two_statements_and_none_may_copy() -> None:
    async with open_pool(settings()) as pool:
        for sql in ("SELECT 1; SELECT 2", "COPY (SELECT 1) TO STDOUT"):
            for _ in range(3):
                with pytest.raises(Fault) as caught:
                    await pool.execute(sql, [])
                assert caught.value.code == "db.query"
        with pytest.raises(Fault) as caught:
            await pool.execute("SELECT ?; SELECT 2", [1])
        assert caught.value.code == "db.query"
        assert await pool.query("SELECT 1 AS one", []) == [{"one": 1}]


async def test_a_message_of_several_lines_becomes_one() -> None:
    async with leased() as connection:
        raising = "DO $$ BEGIN RAISE EXCEPTION USING MESSAGE = E'one\\ntwo', DETAIL = E'three\\nfour'; END $$"
        assert await code_and_words(connection, raising) == ("db.query", "SQL failed: one two: three four")


async def test_notices_of_the_server_are_printed_nowhere(capfd: pytest.CaptureFixture[str]) -> None:
    async with leased() as connection:
        await connection.execute("DROP TABLE IF EXISTS no_such_table_at_all", [])
        await connection.execute("DO $$ BEGIN RAISE WARNING 'loud'; END $$", [])
    assert capfd.readouterr() == ("", "")


# ---- prepared statements ------------------------------------------------------------------------------


@asynccontextmanager
async def a_table(connection: Connection, columns: str) -> AsyncIterator[str]:
    name = f"changing_{uuid4().hex[:12]}"
    await connection.execute(f"CREATE TABLE {name} ({columns})", [])
    try:
        yield name
    finally:
        await connection.execute(f"DROP TABLE {name}", [])


async def test_a_prepared_statement_survives_a_change_of_the_type_of_a_column() -> None:
    async with leased() as connection, leased() as other, a_table(other, "id int, name int") as table:
        select = f"SELECT * FROM {table} WHERE id = ?"
        await connection.execute(f"INSERT INTO {table} VALUES (?, ?)", [1, 5])
        assert await connection.query(select, [1]) == [{"id": 1, "name": 5}]
        await other.execute(f"ALTER TABLE {table} ALTER COLUMN name TYPE text", [])
        assert await connection.query(select, [1]) == [{"id": 1, "name": "5"}]


async def test_a_value_of_the_new_type_is_taken_after_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "CERTAIN_SECONDS", 0.0)
    async with leased() as connection, leased() as other, a_table(other, "name int") as table:
        insert = f"INSERT INTO {table} VALUES (?)"
        await connection.execute(insert, [1])
        await other.execute(f"ALTER TABLE {table} ALTER COLUMN name TYPE text", [])
        await connection.execute(insert, ["மலர்"])
        assert await connection.query(f"SELECT name FROM {table}", []) == [{"name": "1"}, {"name": "மலர்"}]


async def test_the_server_keeps_only_so_many_prepared_statements(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "MAX_STATEMENTS", 20)
    async with leased() as connection:
        for number in range(60):
            assert await value_of(connection, f"?::int + {number}", 1) == number + 1
            assert await value_of(connection, "?::int + 1000", 1) == 1001  # one that is always wanted
        kept = await value_of(connection, "(SELECT count(*) FROM pg_prepared_statements)")
        assert isinstance(kept, int) and kept <= 22


async def test_dropping_what_we_have_prepared_does_no_harm() -> None:
    async with leased() as connection:
        assert await value_of(connection, "?::int", 1) == 1
        await connection.execute("DEALLOCATE ALL", [])
        assert await value_of(connection, "?::int", 2) == 2


# ---- time ----------------------------------------------------------------------------------------------


async def still_running(marker: str) -> bool:
    async with leased() as connection:
        rows = await connection.query(
            "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE ?",
            [f"%{marker}%"],
        )
        return bool(rows)


@pytest.mark.parametrize("how", ("cancelled", "timed out"))
@pytest.mark.parametrize("in_transaction", (False, True))
@pytest.mark.parametrize("is_old", (False, True), ids=("new libpq", "old libpq"))
async def test_a_query_that_nobody_waits_for_is_stopped_on_the_server(
    how: str, in_transaction: bool, is_old: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_old:
        monkeypatch.setattr(postgres, "_MAY_CLOSE", False)
    marker = uuid4().hex
    async with leased(query_seconds=0.2 if how == "timed out" else 30) as connection:
        if in_transaction:
            await connection.begin()
        with trio.fail_after(10):
            if how == "timed out":
                code, words = await code_and_words(connection, f"SELECT pg_sleep(?) /* {marker} */", 20)
                assert code == "db.unavailable" and "0.2" in words
            else:
                with trio.move_on_after(0.2) as scope:
                    await connection.query(f"SELECT pg_sleep(?) /* {marker} */", [20])
                assert scope.cancelled_caught
            assert not await still_running(marker)
        if in_transaction:
            assert connection.in_transaction
            await connection.rollback()
        assert await value_of(connection, "1") == 1


async def test_a_server_that_does_not_even_cancel_costs_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(postgres, "STOP_SECONDS", 0.2)

    async def never(self: object) -> None:
        await trio.sleep_forever()

    monkeypatch.setattr(postgres.PostgresConnection, "_request_cancel", never)
    async with open_pool(settings()) as pool:
        with trio.fail_after(3):
            with trio.move_on_after(0.1):
                await pool.query("SELECT pg_sleep(1)", [])
            assert pool.facts().open == 0
            assert await pool.query("SELECT 1 AS one", []) == [{"one": 1}]


# ---- transactions and sessions ---------------------------------------------------------------------------


async def test_a_transaction_in_which_something_failed_cannot_be_committed() -> None:
    async with leased() as connection:
        for commit in (connection.commit, lambda: connection.execute("COMMIT", [])):
            await connection.begin()
            await code_and_words(connection, "SELECT 1/0")
            with pytest.raises(Fault) as caught:
                await commit()
            assert caught.value.code == "db.query"
            assert not connection.in_transaction


async def test_nobody_knows_what_came_of_a_commit_that_took_too_long() -> None:
    async with leased() as watcher, a_table(watcher, "n int") as table:
        await watcher.execute(
            f"CREATE FUNCTION wait_{table}() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN PERFORM pg_sleep(30); RETURN NULL; END'",
            [],
        )
        await watcher.execute(
            f"CREATE CONSTRAINT TRIGGER late AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED"
            f" FOR EACH ROW EXECUTE FUNCTION wait_{table}()",
            [],
        )
        try:
            async with leased(query_seconds=0.3) as connection:
                await connection.begin()
                await connection.execute(f"INSERT INTO {table} VALUES (1)", [])
                with pytest.raises(Fault) as caught:
                    await connection.commit()
                assert caught.value.code == "db.unavailable"
                assert "nobody knows whether the transaction is committed" in caught.value.english
                assert connection.is_broken
        finally:
            await watcher.execute(f"DROP FUNCTION wait_{table} CASCADE", [])


# ---- a server of our own: TLS, passwords ----------------------------------------------------------------


def _secured(folder: Path) -> list[str]:
    _, certificate, key = tls_files(folder)
    rules = folder / "hba.conf"
    rules.write_text("host all asha 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n")
    return [
        "-c",
        "ssl=on",
        "-c",
        f"ssl_cert_file={certificate}",
        "-c",
        f"ssl_key_file={key}",
        "-c",
        f"hba_file={rules}",
    ]


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OwnServer, Path]]:
    kept = tmp_path_factory.mktemp("authority") / "authority.pem"

    def options(folder: Path) -> list[str]:
        made = _secured(folder)
        kept.write_bytes((folder / "authority.pem").read_bytes())
        return made

    with own_server("postgres", options) as server:
        yield server, kept


async def test_tls_is_spoken_and_checked_when_the_url_says_so(
    secured: tuple[OwnServer, Path], tmp_path: Path
) -> None:
    server, authority = secured
    question = "(SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid())"
    for options, expected in (
        ("", False),
        ("?sslmode=require", True),
        (f"?sslmode=verify-full&sslrootcert={authority}", True),
    ):
        async with leased(url=server.url + options) as connection:
            assert await value_of(connection, question) is expected
            with trio.move_on_after(0.1):
                await connection.query("SELECT pg_sleep(5)", [])
            assert await value_of(connection, "repeat('ப', 200000)") == "ப" * 200_000
    wrong, _, _ = tls_files(tmp_path)
    with pytest.raises(Fault) as caught:
        async with leased(url=f"{server.url}?sslmode=verify-full&sslrootcert={wrong}"):
            pass
    assert caught.value.code == "db.unavailable" and "certificate" in caught.value.english


async def test_a_password_opens_the_door_and_is_never_told(secured: tuple[OwnServer, Path]) -> None:
    server, _ = secured
    async with leased(url=server.url) as connection:
        await connection.execute("CREATE ROLE asha LOGIN PASSWORD 's3cr3t @ word'", [])
    right = server.url.replace("root@", "asha:s3cr3t%20%40%20word@")
    async with leased(url=right) as connection:
        assert await value_of(connection, "current_user::text") == "asha"
    for wrong in ("0th3r-word", "s3cr3t%20%40"):
        with pytest.raises(Fault) as caught:
            async with leased(url=server.url.replace("root@", f"asha:{wrong}@")):
                pass
        assert caught.value.code == "db.unavailable"
        told = f"{caught.value.message} {caught.value.details}"
        assert "asha" in told and "s3cr3t" not in told and "0th3r" not in told
