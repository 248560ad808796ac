"""Numbers keep their digits, or are refused."""

from __future__ import annotations

from decimal import Context, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etamil_actors.edge.exact_json import NotExactError, decode, encode

DECIMALS = st.builds(
    lambda mantissa, scale: Decimal(mantissa).scaleb(-scale, Context(prec=80)),
    st.integers(-(2**96) + 1, 2**96 - 1).filter(bool), st.integers(1, 28),
)  # fmt: skip
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.text(), st.integers(-(2**96) + 1, 2**96 - 1), DECIMALS),
    lambda parts: st.one_of(st.lists(parts, max_size=4), st.dictionaries(st.text(), parts, max_size=4)),
    max_leaves=20,
)


@given(VALUES)
def test_a_value_comes_back_the_same(value: object) -> None:
    back = decode(encode(value))
    assert back == value
    assert repr(back) == repr(value)


@given(DECIMALS)
def test_numbers_are_exact_whatever_the_decimal_context_is(value: Decimal) -> None:
    with localcontext(Context(prec=1)):
        assert str(decode(encode(value))) == str(value)


@pytest.mark.parametrize(("written", "expected"), [
    (b"1e2", 100), (b"1.5e3", 1500), (b"1.50", Decimal("1.50")), (b"-0.0", Decimal("0.0")), (b"0", 0),
])  # fmt: skip
def test_numbers_are_read_exactly(written: bytes, expected: object) -> None:
    value = decode(written)
    assert repr(value) == repr(expected)


@pytest.mark.parametrize("written", [
    b"1e400", b"1e-400", b"1e99999999999999999999", b"0." + b"1" * 29, b"79228162514264337593543950336",
    b'{"a": [79228162514264337593543950336]}', b"-79228162514264337593543950336", b"7922816251426433759354395033.75", b"9" * 5000,
    b"0." + b"0" * 100, b"", b"{", b"nan", b'"\\ud800"', b"\xff", b"[" * 100_000,
])  # fmt: skip
def test_what_the_language_does_not_have_is_refused(written: bytes) -> None:
    with pytest.raises(NotExactError):
        decode(written)
