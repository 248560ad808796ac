"""Whatever a program stores comes back as REFERENCE §18.3 says. For the servers themselves see
``test_server_values.py``."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etamil_actors.ports.databases import Datum
from etamil_actors.resources.databases.datum import number_of_float, number_of_text, text_of_number
from etamil_actors.vm.number import WHITE_SPACE, number_text, parse_number
from tests.resources.databases.kinds import Place

TAMIL = "அஆஇஈஉஊஎஏஐஒஓஔகஙசஞடணதநபமயரலவழளறனஜஷஸஹாிீுூெேைொோௌ்ஃ௧௨௩"
texts = st.one_of(
    st.text(TAMIL + " '\"\\;-?$%0123456789.", max_size=40),
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=40),
    st.text("0123456789+-._ e", max_size=12),
)
numbers = st.one_of(
    st.integers(-(2**96 - 1), 2**96 - 1),
    st.builds(lambda digits, scale: Decimal(digits).scaleb(-scale), st.integers(-(10**28 - 1), 10**28 - 1), st.integers(0, 28)),
)
values = st.one_of(st.none(), st.booleans(), texts, numbers)


def expected(value: Datum) -> Datum:
    """What SQLite gives back."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        number = parse_number(value) if value == value.strip(WHITE_SPACE) else None
        return value if number is None else number
    return value


@pytest.mark.parametrize("place", ["sqlite", "memory", "simulated"], indirect=True)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(values, min_size=1, max_size=30))
async def test_values_come_back_from_sqlite(place: Place, given: list[Datum]) -> None:
    async with place.pool() as pool, place.table(pool, "place INTEGER, v TEXT") as table:
        for number, value in enumerate(given):
            await pool.execute(f"INSERT INTO {table} VALUES (?, ?)", [number, value])
        rows = await pool.query(f"SELECT v FROM {table} ORDER BY place", [])
        came = [row["v"] for row in rows]
        assert came == [expected(value) for value in given]
        assert all(type(one) is not float and type(one) is not bool for one in came)


@pytest.mark.parametrize("place", ["simulated postgres", "simulated mysql"], indirect=True)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.none() | texts, st.none() | st.integers(-(2**63), 2**63 - 1), st.none() | st.booleans()), max_size=20))
async def test_texts_stay_texts_where_a_server_would_keep_them(
    place: Place, given: list[tuple[str | None, int | None, bool | None]]
) -> None:
    columns = f"place INTEGER, t {place.types['text']}, w {place.types['whole']}, f {place.types['flag']}"
    async with place.pool() as pool, place.table(pool, columns) as table:
        for number, row in enumerate(given):
            await pool.execute(f"INSERT INTO {table} VALUES (?, ?, ?, ?)", [number, *row])
        rows = await pool.query(f"SELECT t, w, f FROM {table} ORDER BY place", [])
        assert [tuple(row.values()) for row in rows] == given
        if place.kind == "postgres":
            assert all(row["f"] is None or type(row["f"]) is bool for row in rows)


@given(numbers)
def test_a_number_survives_its_text(number: int | Decimal) -> None:
    text = text_of_number(number)
    assert "e" not in text.lower()
    assert not ("." in text and text.endswith("0"))
    again = number_of_text(text)
    assert again == number
    assert isinstance(again, int) == (number == int(number))


@given(st.one_of(texts, st.from_regex(r"[+-]?[0-9_]{0,32}\.?[0-9_]{0,32}", fullmatch=True)))
def test_a_text_is_the_number_that_the_language_reads(text: str) -> None:
    wanted = parse_number(text) if text == text.strip(WHITE_SPACE) else None
    found = number_of_text(text)
    assert found == wanted
    if found is not None and wanted is not None:
        assert str(found) in (str(wanted), number_text(wanted)) or found == wanted


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_becomes_its_shortest_decimal_text_as_a_number(number: float) -> None:
    made = number_of_float(number)
    if isinstance(made, str):
        assert abs(number) >= 2**96 - 1
    else:
        assert abs(Decimal(repr(number)) - made) <= Decimal(10) ** -27 * max(1, abs(int(number)))


def test_infinity_is_no_number() -> None:
    assert number_of_float(float("inf")) == "inf"
    assert number_of_float(float("nan")) == "nan"
