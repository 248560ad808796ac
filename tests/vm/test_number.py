"""Arithmetic against a model: pairs of integers and the table of REFERENCE §5, and nothing else.

The model knows fractions and tries one scale after the other. It is slow, and has no cleverness in
it that could be wrong in the same way as ``vm/number.py``.
"""

from __future__ import annotations

from decimal import Context, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etamil_actors.errors import Fault
from etamil_actors.vm import number
from etamil_actors.vm.values import Number

MOST = 2**96 - 1
Pair = tuple[int, int]
"""Mantissa and scale."""


# ---- the model --------------------------------------------------------------------------------


def amount(pair: Pair) -> Fraction:
    return Fraction(pair[0], 10 ** pair[1])


def rounded(exact: Fraction, scale: int) -> Pair | None:
    """Half to even, at the greatest scale up to this one that fits; None is an overflow."""
    for places in range(scale, -1, -1):
        mantissa = round(exact * 10**places)  # rounds a fraction half to even
        if abs(mantissa) <= MOST:
            return mantissa, places
    return None


def model_add(a: Pair, b: Pair) -> Pair | None:
    if a[0] == 0:
        return b
    if b[0] == 0:
        return a
    return rounded(amount(a) + amount(b), max(a[1], b[1]))


def model_subtract(a: Pair, b: Pair) -> Pair | None:
    return model_add(a, (-b[0], b[1]))


def model_multiply(a: Pair, b: Pair) -> Pair | None:
    if a[0] == 0 or b[0] == 0:
        return 0, 0
    return rounded(amount(a) * amount(b), min(28, a[1] + b[1]))


def model_divide(a: Pair, b: Pair) -> Pair | None:
    if a[0] == 0:
        return 0, 0
    scale = a[1] - b[1]
    if a[0] % b[0] == 0:
        quotient = a[0] // b[0]
        if scale < 0:
            quotient, scale = quotient * 10**-scale, 0
        return (quotient, scale) if abs(quotient) <= MOST else None
    found = rounded(amount(a) / amount(b), 28)
    if found is None:
        return None
    mantissa, places = found
    while places > 0 and mantissa % 10 == 0:
        mantissa, places = mantissa // 10, places - 1
    return mantissa, places


# ---- numbers and pairs ------------------------------------------------------------------------


def number_from(pair: Pair) -> Number:
    mantissa, scale = pair
    if scale == 0:
        return mantissa
    return Decimal((int(mantissa < 0), tuple(map(int, str(abs(mantissa)))), -scale))


def pair_from(n: Number) -> Pair:
    """The pair of a number, which must be kept as promised."""
    if type(n) is int:
        assert abs(n) <= MOST
        return n, 0
    assert type(n) is Decimal
    sign, digits, exponent = n.as_tuple()
    assert isinstance(exponent, int)
    assert -28 <= exponent <= -1
    mantissa = int("".join(map(str, digits)))
    assert mantissa <= MOST
    assert mantissa or not sign, "a negative zero"
    return (-mantissa if sign else mantissa), -exponent


MANTISSAS = st.one_of(
    st.integers(-MOST, MOST),
    st.integers(-200, 200),
    st.integers(-30, 30).map(lambda n: MOST - n if n >= 0 else -MOST - n),
    st.builds(lambda power, near: 10**power + near, st.integers(0, 28), st.integers(-2, 2)),
    st.builds(lambda power, digit: digit * 5 * 10**power, st.integers(0, 27), st.integers(-1, 1)),
    st.integers(0, 96).map(lambda bits: -(2**bits) + 1),
)
PAIRS = st.tuples(MANTISSAS, st.integers(0, 28))

EDGES: list[Pair] = [
    (mantissa, scale)
    for scale in (0, 2, 27, 28)
    for mantissa in (
        0, 1, -1, 2, 3, 5, 15, 25, -25, 100, 125, 10**14, 5 * 10**13, 10**27, 10**28, 10**28 - 1, 5 * 10**28,
        2**95, MOST // 2, MOST - 1, MOST, -MOST,
    )
]  # fmt: skip

OPERATIONS = {
    "+": (number.add, model_add),
    "-": (number.subtract, model_subtract),
    "*": (number.multiply, model_multiply),
    "/": (number.divide, model_divide),
}


def agree(sign: str, a: Pair, b: Pair) -> None:
    operation, model = OPERATIONS[sign]
    if sign == "/" and b[0] == 0:
        expected: Pair | str | None = "number.division_by_zero"
    else:
        expected = model(a, b) or "number.overflow"
    try:
        found: Pair | str = pair_from(operation(number_from(a), number_from(b)))
    except Fault as fault:
        found = fault.code
    assert found == expected, f"{a} {sign} {b}"


@pytest.mark.parametrize("sign", OPERATIONS)
@given(a=PAIRS, b=PAIRS)
@settings(max_examples=800, deadline=None)
def test_arithmetic_agrees_with_the_model(sign: str, a: Pair, b: Pair) -> None:
    agree(sign, a, b)


@pytest.mark.parametrize("sign", OPERATIONS)
def test_arithmetic_agrees_with_the_model_at_the_edges(sign: str) -> None:
    for a in EDGES:
        for b in EDGES:
            agree(sign, a, b)


@given(a=PAIRS, b=st.tuples(st.integers(-20, 20), st.integers(0, 3)))
@settings(max_examples=600, deadline=None)
def test_division_by_small_numbers_agrees_with_the_model(a: Pair, b: Pair) -> None:
    agree("/", a, b)


@given(PAIRS)
@settings(deadline=None)
def test_negation_keeps_the_scale_and_makes_no_negative_zero(a: Pair) -> None:
    assert pair_from(number.negate(number_from(a))) == (-a[0], a[1])


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (number.divide(1, 3), "0.3333333333333333333333333333"),
        (number.divide(2, 3), "0.6666666666666666666666666667"),
        (number.divide(100, 3), "33.333333333333333333333333333"),
        (number.divide(Decimal("100.00"), 2), "50.00"),
        (number.divide(40, Decimal("0.20")), "200"),
        (number.divide(6, Decimal("0.20")), "30"),
        (number.divide(Decimal("1.00"), 8), "0.125"),
        (number.multiply(100_000, Decimal("0.09")), "9000.00"),
        (number.subtract(Decimal("1.50"), Decimal("1.50")), "0.00"),
        (number.add(0, Decimal("1.50")), "1.50"),
        (number.subtract(0, Decimal("1.50")), "-1.50"),
        (number.subtract(0, Decimal("0.00")), "0.00"),
        (number.multiply(0, Decimal("-1.50")), "0"),
        (number.multiply(Decimal("0.00"), -5), "0"),
        (number.add(MOST, 0), "79228162514264337593543950335"),
        # A half goes to the even neighbour: the last digit kept is 0, then 1.
        (number.add(10**28, Decimal("0.5")), "10000000000000000000000000000"),
        (number.add(10**28 + 1, Decimal("0.5")), "10000000000000000000000000002"),
        # Two tiny numbers: nothing is left at 28 decimals.
        (number.multiply(Decimal("0.000000000000001"), Decimal("0.00000000000001")), f"0.{'0' * 28}"),
        # 29 digits fit as long as they stay below 2⁹⁶.
        (number.multiply(Decimal("7.9228162514264337593543950335"), 1), "7.9228162514264337593543950335"),
    ],
)
def test_the_examples_of_the_reference(written: Number, expected: str) -> None:
    assert number.scaled_text(written) == expected


@pytest.mark.parametrize(
    ("operation", "a", "b"),
    [
        (number.add, MOST, 1),
        (number.add, MOST, Decimal("0.5")),  # rounds past the limit
        (number.subtract, -MOST, 1),
        (number.multiply, 2**48, 2**48),
        (number.multiply, MOST, Decimal("1.5")),
        (number.divide, MOST, Decimal("0.1")),
        (number.divide, 10**15, Decimal("0.00000000000000000000000001")),
    ],
)
def test_what_does_not_fit_is_an_overflow(operation: object, a: Number, b: Number) -> None:
    with pytest.raises(Fault) as caught:
        operation(a, b)  # type: ignore[operator]
    assert caught.value.code == "number.overflow"


@pytest.mark.parametrize("zero", [0, Decimal("0.0"), Decimal("0E-28")])
def test_division_by_zero_is_a_fault(zero: Number) -> None:
    for dividend in (0, 1, Decimal("1.5")):
        with pytest.raises(Fault) as caught:
            number.divide(dividend, zero)
        assert caught.value.code == "number.division_by_zero"


def test_nothing_depends_on_the_current_context() -> None:
    third = number.divide(1, 3)
    with localcontext(Context(prec=2, rounding="ROUND_UP", capitals=0, Emin=-1, Emax=1, clamp=1)):
        assert number.divide(1, 3) == third
        assert number.scaled_text(number.add(third, Decimal("0.1234567"))) == "0.4567900333333333333333333333"
        assert number.scaled_text(number.multiply(third, third)) == "0.1111111111111111111111111111"
        assert number.divide(Decimal("123456.50"), 100) == Decimal("1234.565")
        assert number.number_text(Decimal("0.00000000012300")) == "0.000000000123"
        assert number.round_half_away(Decimal("12345.6785"), 3) == Decimal("12345.679")
        assert (number.floor(Decimal("-12345.5")), number.ceil(Decimal("12345.5"))) == (-12346, 12346)
        assert number.negate(Decimal("12345.67")).as_tuple().digits == (1, 2, 3, 4, 5, 6, 7)  # type: ignore[union-attr]
        assert number.parse_number("12345.678901") == Decimal("12345.678901")
        assert number.modulo(Decimal("12345.75"), 1000) == Decimal("345.75")
        assert str(number.sqrt(2))[:8] == "1.414213"


# ---- text ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12", "12"), ("1.50", "1.50"), ("+3", "3"), ("-3", "-3"), (".5", "0.5"), ("5.", "5"),
        ("-.5", "-0.5"),
        ("1_000_000", "1000000"), ("1_0.2_5", "10.25"), ("007", "7"), ("-0", "0"), ("-0.00", "0.00"),
        ("  42 \n", "42"), ("\u00a07\u3000", "7"), ("0.00", "0.00"),
        ("79228162514264337593543950335", "79228162514264337593543950335"),
        ("000000000000000000000000000000000000001", "1"),
        # Digits behind the 28th decimal are rounded half up …
        ("0.00000000000000000000000000005", "0.0000000000000000000000000001"),
        ("0.00000000000000000000000000004999", "0.0000000000000000000000000000"),
        ("-0.00000000000000000000000000005", "-0.0000000000000000000000000001"),
        # … and so is what would exceed 2⁹⁶.
        ("7.92281625142643375935439503355", "7.922816251426433759354395034"),
        ("79228162514264337593543950334.5", "79228162514264337593543950335"),
        ("12345678901234567890.1234567890123", "12345678901234567890.123456789"),
    ],
)  # fmt: skip
def test_a_text_reads_as_a_number(text: str, expected: str) -> None:
    found = number.parse_number(text)
    assert found is not None
    assert number.scaled_text(found) == expected
    pair_from(found)


@pytest.mark.parametrize(
    "text",
    ["", " ", ".", "+", "-", "--1", "+-1", "1e5", "1E5", "0x10", "1.2.3", "1 2", "ஐந்து", "௧௨", "١", "²",
     "1,5", "_1", "1_", "1_.5", "1._5", "1.5_", "_", "- 1", "NaN", "inf", "\x1c1",
     "79228162514264337593543950336", "9" * 40, "79228162514264337593543950335.5"],
)  # fmt: skip
def test_a_text_that_is_no_decimal_reads_as_none(text: str) -> None:
    assert number.parse_number(text) is None


def test_a_numeral_of_a_million_digits_is_read_at_once() -> None:
    assert number.parse_number("9" * 1_000_000) is None
    assert number.parse_number("0" * 1_000_000 + "5") == 5
    assert number.scaled_text(number.parse_number("0." + "3" * 1_000_000) or 0) == f"0.{'3' * 28}"


@given(PAIRS)
@settings(deadline=None)
def test_the_text_of_a_number_reads_as_that_number(pair: Pair) -> None:
    n = number_from(pair)
    assert pair_from(number.parse_number(number.scaled_text(n)) or 0) == pair or pair[0] == 0
    assert number.parse_number(number.number_text(n)) == n


@given(PAIRS)
@settings(deadline=None)
def test_a_number_prints_without_exponent_and_trailing_zeros(pair: Pair) -> None:
    text = number.number_text(number_from(pair))
    assert set(text) <= set("-0123456789.")
    assert text != "-0"
    if "." in text:
        assert text[-1] not in "0."
    assert Fraction(text) == amount(pair)


# ---- rounding -----------------------------------------------------------------------------------


@given(PAIRS, st.integers(0, 40))
@settings(deadline=None)
def test_rounding_goes_half_away_from_zero_and_adds_no_digits(pair: Pair, places: int) -> None:
    mantissa, scale = pair
    if places < scale:
        whole, rest = divmod(abs(mantissa), 10 ** (scale - places))
        whole += 2 * rest >= 10 ** (scale - places)
        mantissa, scale = (whole if mantissa > 0 else -whole), places
    assert pair_from(number.round_half_away(number_from(pair), places)) == (mantissa, scale)


@given(PAIRS)
@settings(deadline=None)
def test_floor_and_ceiling_are_the_next_whole_numbers(pair: Pair) -> None:
    n, exact = number_from(pair), amount(pair)
    assert pair_from(number.floor(n)) == (exact.__floor__(), 0)
    assert pair_from(number.ceil(n)) == (exact.__ceil__(), 0)
    assert number.truncate(n) == exact.__trunc__()
    assert number.is_whole(n) == (exact.denominator == 1)


@given(PAIRS, PAIRS.filter(lambda pair: pair[0] != 0))
@settings(deadline=None)
def test_a_remainder_is_exact_and_has_the_sign_of_the_divisor(a: Pair, b: Pair) -> None:
    exact = amount(a) % amount(b)
    expected = rounded(exact, max(a[1], b[1]))
    assert pair_from(number.modulo(number_from(a), number_from(b))) == expected


# ---- roots, logarithms, powers --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (number.sqrt(25), "5"),
        (number.sqrt(Decimal("2.25")), "1.5"),
        (number.sqrt(0), "0"),
        (number.sqrt(Decimal("0.0000000000000000000000000001")), "0.00000000000001"),
        (number.sqrt(2), "1.4142135623730950488016887242"),
        (number.sqrt(MOST), "281474976710656"),
        (number.ln(1), "0"),
        (number.ln(10), "2.3025850929940456840179914547"),
        (number.log10(1000), "3"),
        (number.log10(Decimal("0.001")), "-3"),
        (number.log10(10**28), "28"),
        (number.log10(2), "0.3010299956639811952137388947"),
        (number.exp(0), "1"),
        (number.exp(1), "2.7182818284590452353602874714"),
        (number.exp(-66), "0"),
        (number.exp(-(10**28)), "0"),
        (number.power(2, 10), "1024"),
        (number.power(2, 95), "39614081257132168796771975168"),
        (number.power(-2, 95), "-39614081257132168796771975168"),
        (number.power(-2, 2), "4"),
        (number.power(2, -2), "0.25"),
        (number.power(4, Decimal("0.5")), "2"),
        (number.power(27, number.divide(1, 3)), "2.9999999999999999999999999997"),
        (number.power(Decimal("1.1"), 10), "2.5937424601"),
        (number.power(0, 0), "1"),
        (number.power(0, 5), "0"),
        (number.power(5, 0), "1"),
        (number.power(Decimal("0.5"), 10**27), "0"),
        (number.power(1, MOST), "1"),
        (number.power(-1, MOST), "-1"),
        # (1 + 10⁻²⁸)ⁿ with n = 10²⁸ is e, but for the last digits.
        (number.power(Decimal("1.0000000000000000000000000001"), 10**28), "2.7182818284590452353602874712"),
    ],
)  # fmt: skip
def test_roots_logarithms_and_powers(found: Number | None, expected: str) -> None:
    assert found is not None
    pair_from(found)
    assert number.number_text(found) == expected


@pytest.mark.parametrize(
    "found",
    [number.sqrt(-1), number.ln(0), number.ln(-5), number.log10(0), number.exp(67), number.exp(MOST),
     number.power(0, -1), number.power(2, 96), number.power(-8, Decimal("0.5")), number.power(10, 29),
     number.power(MOST, MOST), number.power(Decimal("1.5"), MOST)],
)  # fmt: skip
def test_what_has_no_answer_that_fits_is_none(found: Number | None) -> None:
    assert found is None


@given(st.tuples(st.integers(1, MOST), st.integers(0, 28)))
@settings(max_examples=200, deadline=None)
def test_a_root_multiplied_by_itself_is_near_the_number(pair: Pair) -> None:
    root = number.sqrt(number_from(pair))
    assert root is not None
    mantissa, scale = pair_from(root)
    exact = amount((mantissa, scale)) ** 2
    # Half a unit of the last place, which is the 28th decimal or the 29th digit.
    slack = Fraction(1, 10**28) + amount((mantissa, scale)) / 10**27
    assert abs(exact - amount(pair)) <= slack * max(Fraction(1), 2 * amount((mantissa, scale)))
