"""What is stored on a server comes back as it was (REFERENCE §18.3), and nothing of it is ever read as SQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etamil_actors.errors import Fault
from etamil_actors.ports.databases import Connection, Datum, PoolSettings
from tests.resources.servers import open_pool, url_of

KINDS = ("postgres", "mysql")
TABLE = {
    "postgres": "CREATE TEMP TABLE {} (place int, label text, amount numeric, large bigint, flag boolean)",
    "mysql": "CREATE TEMPORARY TABLE {} (place int, label longtext, amount decimal(65, 28), large bigint, flag boolean) "
    "CHARACTER SET utf8mb4",
}
TRUTH = {"postgres": (False, True), "mysql": (0, 1)}

texts = st.one_of(
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=60),
    st.sampled_from(
        (
            "தமிழ்",
            "அ'; DROP TABLE items; --",
            "\\",
            "\\'",
            "'",
            '"',
            "%s",
            "?",
            "$1",
            "?2",
            "%",
            "/*",
            "\x1a",
            "\r\n",
            "😀",
            "007",
            "",
        )
    ),
)
numbers = st.one_of(
    st.integers(-(2**96 - 1), 2**96 - 1),
    st.builds(
        lambda mantissa, scale: Decimal(mantissa).scaleb(-scale),
        st.integers(-(10**28 - 1), 10**28 - 1),
        st.integers(0, 28),
    ),
)
wholes = st.integers(-(2**63), 2**63 - 1)
rows = st.lists(
    st.tuples(st.none() | texts, st.none() | numbers, st.none() | wholes, st.none() | st.booleans()),
    min_size=1,
    max_size=8,
)


@asynccontextmanager
async def leased(kind: str) -> AsyncIterator[Connection]:
    async with open_pool(PoolSettings(kind=kind, url=url_of(kind))) as pool:
        connection = await pool.lease()
        try:
            yield connection
        finally:
            await pool.give_back(connection)


def as_read(number: Datum) -> Datum:
    """A number as the language has it: whole, or without zeros at its end."""
    if isinstance(number, Decimal):
        return int(number) if number == number.to_integral_value() else number.normalize()
    return number


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_rows=rows)
async def test_every_value_comes_back_as_it_was(kind: str, given_rows: list[tuple[Datum, ...]]) -> None:
    async with leased(kind) as connection:
        await connection.execute(TABLE[kind].format("values_there"), [])
        for place, row in enumerate(given_rows):
            done = await connection.execute("INSERT INTO values_there VALUES (?, ?, ?, ?, ?)", [place, *row])
            assert done.changed == 1
        found = await connection.query(
            "SELECT label, amount, large, flag FROM values_there ORDER BY place", []
        )
        expected = [(label, as_read(amount), large, flag) for label, amount, large, flag in given_rows]
        shown = [tuple(row.values()) for row in found]
        assert shown == expected
        for row in found:
            assert row["label"] is None or type(row["label"]) is str
            assert row["amount"] is None or type(row["amount"]) in (int, Decimal)
            # A number is an int exactly when it is whole.
            assert not isinstance(row["amount"], Decimal) or row["amount"] % 1 != 0
            assert row["flag"] is None or type(row["flag"]) is type(TRUTH[kind][0])


ATTACKS = (
    "x' OR '1'='1",
    "x\\' OR 1=1 -- ",
    "x'; DROP TABLE {table}; --",
    '" OR ""="',
    "x\\",
    "\\'; DELETE FROM {table}; -- ",
    "1) OR 1=1",
    "x\x00' OR '1'='1",
    "\u0bbe' OR '1'='1",
    "\xbf' OR 1=1 -- ",
    "縗' OR 1=1 -- ",
    "$1", "?", "%s", "%(a)s", "{table}", "/* */", "-- ", "#", "𝄞'",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("setting", ("plain", "odd"))
async def test_an_attack_stays_data(kind: str, setting: str) -> None:
    table = f"attack_{uuid4().hex[:12]}"
    async with open_pool(PoolSettings(kind=kind, url=url_of(kind))) as pool:
        connection = await pool.lease()
        await connection.execute(f"CREATE TABLE {table} (name text, secret text)", [])
        try:
            if setting == "odd":
                # Modes and alphabets in which escaped texts have been broken out of.
                odd = {
                    "postgres": ["SET standard_conforming_strings = off", "SET backslash_quote = on"],
                    "mysql": ["SET sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES'", "SET NAMES gbk"],
                }
                for command in odd[kind]:
                    await connection.execute(command, [])
            await connection.execute(f"INSERT INTO {table} VALUES ('owner', 'hidden')", [])
            for attack in (text.format(table=table) if "{table}" in text else text for text in ATTACKS):
                try:
                    rows = await connection.query(
                        f"SELECT secret FROM {table} WHERE name = ? AND secret <> ?", [attack, attack]
                    )
                    assert rows == [], attack
                    await connection.execute(f"UPDATE {table} SET secret = 'taken' WHERE name = ?", [attack])
                except Fault as fault:
                    assert fault.code == "db.query", attack  # a letter that this alphabet has not, a NUL
            assert await connection.query(f"SELECT name, secret FROM {table}", []) == [
                {"name": "owner", "secret": "hidden"}
            ]
        finally:
            await pool.give_back(connection)
            await pool.execute(f"DROP TABLE {table}", [])


@pytest.mark.parametrize("kind", KINDS)
async def test_numbers_keep_28_digits(kind: str) -> None:
    amounts = [
        Decimal("1234567890123.123456789012345"),
        Decimal("-0.0000000000000000000000000001"),
        2**96 - 1,
    ]
    async with leased(kind) as connection:
        await connection.execute(TABLE[kind].format("exact_amounts"), [])
        for place, amount in enumerate(amounts):
            await connection.execute(
                "INSERT INTO exact_amounts (place, amount) VALUES (?, ?)", [place, amount]
            )
        found = await connection.query("SELECT amount FROM exact_amounts ORDER BY place", [])
        assert [row["amount"] for row in found] == amounts


@pytest.mark.parametrize("kind", KINDS)
async def test_a_number_too_large_for_the_language_is_refused_and_the_connection_goes_on(kind: str) -> None:
    huge = {"postgres": "SELECT 1e40::numeric AS n", "mysql": "SELECT CAST(1e40 AS DECIMAL(65, 0)) AS n"}
    async with leased(kind) as connection:
        with pytest.raises(Fault) as caught:
            await connection.query(huge[kind], [])
        assert caught.value.code == "db.query"
        assert await connection.query("SELECT 7 AS n", []) == [{"n": 7}]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_large_answer_and_a_large_value_pass_in_pieces(kind: str) -> None:
    # More than one packet of MySQL (16 MB) would need the server's consent; half of it takes many reads.
    text = "தமிழ் " * 400_000
    async with leased(kind) as connection:
        await connection.execute(TABLE[kind].format("long_texts"), [])
        await connection.execute("INSERT INTO long_texts (place, label) VALUES (?, ?)", [1, text])
        assert await connection.query("SELECT label FROM long_texts", []) == [{"label": text}]
        many = {
            "postgres": "SELECT n::int AS n FROM generate_series(1, 20000) AS n",
            "mysql": "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 20000) SELECT n FROM r",
        }
        if kind == "mysql":
            await connection.execute("SET max_recursive_iterations = 100000", [])
        assert [row["n"] for row in await connection.query(many[kind], [])] == list(range(1, 20_001))
