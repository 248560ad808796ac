"""Exact decimal arithmetic: the one numeric type of the language (REFERENCE §5).

A number is a mantissa m with |m| < 2⁹⁶ and a scale s from 0 to 28, and means m·10⁻ˢ. With scale
0 it is kept as ``int``, otherwise as ``Decimal`` whose exponent is −s; a zero is never negative.
The scale is no part of a number's identity (1.5 equals 1.50), it shows in JSON only.

A pair of integers is the honest model, and ``_fitted`` is all the theory there is: an exact
result (m, s) that does not fit loses decimals, and is rounded *once*, half to even, to the most
digits that fit. Working so for every operation would be five times too slow. Therefore each
operation tries three ways, from the fastest:

1. two integers: the integers of Python, and one comparison against 2⁹⁶;
2. a decimal among them: ``CONTEXT``, whose 28 digits always fit the mantissa (10²⁸ < 2⁹⁶) and
   whose least exponent is −28. What is exact there is the answer, to its scale;
3. ``CONTEXT`` had to round, and says so by raising ``Rounded``: the pair of integers. Only there
   live the 29-digit mantissas below 2⁹⁶, and every rounding.

Zero comes before all: a zero operand decides scale and sign in ways of its own (§5).

Compiled code runs bare decimal operators with ``CONTEXT`` as the current context and comes here
when they raise. Nothing in this file depends on what the current context is.
"""

from __future__ import annotations

from decimal import (
    MAX_EMAX,
    MIN_EMIN,
    ROUND_CEILING,
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    ROUND_HALF_UP,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
    Rounded,
)

from etamil_actors.errors import Fault
from etamil_actors.vm.values import Number

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing takes longer to import than all of this
    from typing import Final

MAX_MANTISSA: Final = 2**96 - 1
MAX_SCALE: Final = 28

class ProgramContext(Context):
    """A context for program code, to be told from others by its type."""


def program_context() -> ProgramContext:
    """A context of one's own for program code."""
    return ProgramContext(
        prec=MAX_SCALE,
        rounding=ROUND_HALF_EVEN,
        Emin=-1,  # the least exponent is Emin − prec + 1 = −28
        Emax=MAX_SCALE,
        traps=[Rounded, InvalidOperation, DivisionByZero, Overflow],
    )


CONTEXT: Final = program_context()

# Wide enough that placing a point or rounding a finished number never loses a digit.
_EXACT: Final = Context(prec=80, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[])
# Roots, logarithms and powers carry twice the digits they deliver; ∞ and NaN tell of failure.
_FINE: Final = Context(prec=80, rounding=ROUND_HALF_EVEN, Emin=-99_999, Emax=99_999, traps=[])

_add = CONTEXT.add
_subtract = CONTEXT.subtract
_multiply = CONTEXT.multiply
_divide = CONTEXT.divide
_to_text = _EXACT.to_sci_string
_TEN_TO: Final = tuple(10**n for n in range(128))

WHITE_SPACE: Final = (
    "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""The white space of Unicode. ``str.strip`` takes four control characters more."""


# ---- the five operations ------------------------------------------------------------------


def add(a: Number, b: Number) -> Number:
    """a + b; a zero leaves the other side as it is."""
    if isinstance(a, int) and isinstance(b, int):
        return check(a + b)
    if not a:
        return b
    if not b:
        return a
    try:
        return _add(a, b)
    except Rounded:
        return _fitted(_units(a) + _units(b), MAX_SCALE)


def subtract(a: Number, b: Number) -> Number:
    """a − b; ``0 − b`` is b negated, with its own scale."""
    if isinstance(a, int) and isinstance(b, int):
        return check(a - b)
    if not a:
        return negate(b)
    if not b:
        return a
    try:
        return _subtract(a, b)
    except Rounded:
        return _fitted(_units(a) - _units(b), MAX_SCALE)


def multiply(a: Number, b: Number) -> Number:
    """a · b; with a zero factor it is 0 without decimals."""
    if isinstance(a, int) and isinstance(b, int):
        return check(a * b)
    if not a or not b:
        return 0
    try:
        return _multiply(a, b)
    except Rounded:
        return _fitted(_units(a) * _units(b), 2 * MAX_SCALE)


def divide(a: Number, b: Number) -> Number:
    """a / b, as exactly as fits.

    Raises:
        Fault: ``number.division_by_zero``; ``number.overflow``.
    """
    if not b:
        raise Fault("number.division_by_zero")
    if not a:
        return 0
    if isinstance(a, int) and isinstance(b, int):
        return _quotient(a, b, 0)
    try:
        quotient = _divide(a, b)
    except Rounded:
        (m, s), (n, t) = _pair(a), _pair(b)
        return _quotient(m, n, s - t)
    # What is exact has the scale of the table, but a scale below 0 wants the zeros written out.
    mantissa, scale = _pair(quotient)
    return quotient if scale else check(mantissa)


def _quotient(m: int, n: int, scale: int) -> Number:
    """m/n · 10⁻ˢᶜᵃˡᵉ."""
    quotient, rest = divmod(m, n)
    if rest:
        return _rounded_quotient(m, n, scale)
    if scale < 0:
        return check(quotient * _TEN_TO[-scale])
    return _number(quotient, scale)


def negate(a: Number) -> Number:
    """−a, with its own scale; zero stays zero."""
    if isinstance(a, int):
        return -a
    return a.copy_negate() if a else a


def check(whole: int) -> int:
    """A whole number that an operation made, if it fits.

    Raises:
        Fault: ``number.overflow``.
    """
    if -MAX_MANTISSA <= whole <= MAX_MANTISSA:
        return whole
    raise Fault("number.overflow")


# ---- pairs of integers ----------------------------------------------------------------------


def _pair(n: Number) -> tuple[int, int]:
    """Mantissa and scale."""
    if isinstance(n, int):
        return n, 0
    # Its text tells both faster than ``as_tuple``, which makes an object of every digit.
    whole, _, decimals = _plain(n).partition(".")
    return int(whole + decimals), len(decimals)


def _units(n: Number) -> int:
    """The mantissa at scale 28, whatever the scale.

    For what is going to be rounded the true scale is of no account: it has at least 29 digits, or
    more than 28 decimals, so ``_fitted`` drops the zeros added here before it drops a digit.
    """
    return n * _TEN_TO[MAX_SCALE] if isinstance(n, int) else int(n.scaleb(MAX_SCALE, _EXACT))


def _plain(n: Decimal) -> str:
    """All digits, without an exponent."""
    text = _to_text(n)
    return format(n, "f") if "E" in text else text


def _number(mantissa: int, scale: int) -> Number:
    """The number of a pair that fits."""
    return Decimal(mantissa).scaleb(-scale, _EXACT) if scale else mantissa


def _fitted(mantissa: int, scale: int) -> Number:
    """An exact result as a number: rounded once, half to even, to the most digits that fit."""
    drop = max(0, scale - MAX_SCALE, len(str(abs(mantissa))) - 29)
    while drop <= scale:
        kept = _half_even(mantissa, _TEN_TO[drop])
        if -MAX_MANTISSA <= kept <= MAX_MANTISSA:
            return _number(kept, scale - drop)
        drop += 1
    raise Fault("number.overflow")


def _rounded_quotient(m: int, n: int, scale: int) -> Number:
    """m/n · 10⁻ˢᶜᵃˡᵉ at the greatest scale that fits, without trailing zeros."""
    if n < 0:
        m, n = -m, -n
    m *= _TEN_TO[MAX_SCALE - scale]
    drop = max(0, len(str(abs(m) // n)) - 29)
    while drop <= MAX_SCALE:
        kept = _half_even(m, n * _TEN_TO[drop])
        if -MAX_MANTISSA <= kept <= MAX_MANTISSA:
            return _stripped(kept, MAX_SCALE - drop)
        drop += 1
    raise Fault("number.overflow")


def _half_even(dividend: int, divisor: int) -> int:
    """The whole number next to dividend/divisor (which is positive); a half goes to the even one."""
    quotient, rest = divmod(dividend, divisor)
    twice = 2 * rest
    if twice > divisor or (twice == divisor and quotient & 1):
        return quotient + 1
    return quotient


def _stripped(mantissa: int, scale: int) -> Number:
    """The number of a pair, its trailing zeros dropped, never below scale 0."""
    while scale and not mantissa % 10:
        if scale >= 8 and not mantissa % 100_000_000:
            mantissa //= 100_000_000
            scale -= 8
        else:
            mantissa //= 10
            scale -= 1
    return _number(mantissa, scale)


# ---- text -------------------------------------------------------------------------------------


def parse_number(text: str) -> Number | None:
    """The number that a text reads as (REFERENCE §4.2), or None when it is not a decimal.

    Decimals that do not fit are rounded off, half up; whole digits that do not fit make it none.
    """
    text = text.strip(WHITE_SPACE)
    negative = text.startswith("-")
    if negative or text.startswith("+"):
        text = text[1:]
    if not text.isascii():
        return None
    if not text.isdigit():
        whole, _, decimals = text.partition(".")
        if not (_is_digits(whole) and _is_digits(decimals)) or not (whole or decimals):
            return None
        whole, decimals = whole.replace("_", "").lstrip("0"), decimals.replace("_", "")
    else:
        whole, decimals = text.lstrip("0"), ""
    if len(whole) > 29:
        return None
    return _read(whole, decimals, negative)


def _is_digits(part: str) -> bool:
    """Nothing, or digits that ``_`` may part."""
    if "_" not in part:
        return part == "" or part.isdigit()
    return part[0] != "_" and part[-1] != "_" and part.replace("_", "").isdigit()


def _read(whole: str, decimals: str, negative: bool) -> Number | None:
    # Rounding half up looks at one digit only, so what stands behind the thirtieth is of no account.
    scale = min(len(decimals), MAX_SCALE)
    while scale >= 0:
        mantissa = int(whole + decimals[:scale] or "0") + (decimals[scale : scale + 1] >= "5")
        if mantissa <= MAX_MANTISSA:
            return _number(-mantissa if negative else mantissa, scale)
        scale -= 1
    return None


def number_text(n: Number) -> str:
    """Plain decimal notation without trailing zeros (REFERENCE §4.1)."""
    if isinstance(n, int):
        return str(n)
    return _plain(n).rstrip("0").rstrip(".")


def scaled_text(n: Number) -> str:
    """Plain decimal notation with the scale kept, as JSON wants it."""
    return str(n) if isinstance(n, int) else _plain(n)


# ---- rounding ---------------------------------------------------------------------------------


def round_half_away(n: Number, places: int) -> Number:
    """n with at most that many decimals (0 or more), half away from zero."""
    if isinstance(n, int):
        return n
    scale = _pair(n)[1]
    if places >= scale:
        return n
    rounded = n.quantize(Decimal((0, (1,), -places)), ROUND_HALF_UP, _EXACT)
    if not places:
        return int(rounded)
    return rounded if rounded else rounded.copy_abs()


def floor(n: Number) -> int:
    """The next whole number towards −∞."""
    return n if isinstance(n, int) else int(n.to_integral_value(ROUND_FLOOR, _EXACT))


def ceil(n: Number) -> int:
    """The next whole number towards +∞."""
    return n if isinstance(n, int) else int(n.to_integral_value(ROUND_CEILING, _EXACT))


def truncate(n: Number) -> int:
    """The whole part: towards zero."""
    return int(n)


def is_whole(n: Number) -> bool:
    """Is there nothing behind the point?"""
    return isinstance(n, int) or int(n) == n


def modulo(a: Number, b: Number) -> Number:
    """What is left of a after taking out b whole times: exact, and with the sign of b.

    Raises:
        Fault: ``number.division_by_zero``.
    """
    if not b:
        raise Fault("number.division_by_zero")
    if isinstance(a, int) and isinstance(b, int):
        return a % b
    (m, s), (n, t) = _pair(a), _pair(b)
    scale = max(s, t)
    # Of two mantissas at one scale the rest is smaller than the one of b, but that one may have
    # grown past 2⁹⁶ with the scale; then the rest is fitted like every result.
    return _fitted(m * _TEN_TO[scale - s] % (n * _TEN_TO[scale - t]), scale)


# ---- roots, logarithms, powers ------------------------------------------------------------------
# Each answers None for what has no answer or none that fits.


def sqrt(n: Number) -> Number | None:
    """The square root."""
    return None if n < 0 else _delivered(_FINE.sqrt(n))


def ln(n: Number) -> Number | None:
    """The natural logarithm."""
    return None if n <= 0 else _delivered(_FINE.ln(n))


def log10(n: Number) -> Number | None:
    """The logarithm to base 10."""
    return None if n <= 0 else _delivered(_FINE.log10(n))


def exp(n: Number) -> Number | None:
    """e to the power n."""
    # e⁶⁷ exceeds 2⁹⁶, and e⁻⁶⁶ is less than half of the last decimal place.
    if n > 67:
        return None
    return 0 if n < -67 else _delivered(_FINE.exp(n))


def power(base: Number, exponent: Number) -> Number | None:
    """base to the power exponent, which may be fractional. ``0⁰`` is 1."""
    if not exponent:
        return 1
    if not base:
        return 0 if exponent > 0 else None
    whole = is_whole(exponent)
    if base < 0 and not whole:
        return None
    size = abs(_pair(base)[0])
    magnitude = _FINE.multiply(_FINE.log10(_number(size, _pair(base)[1])), exponent)
    # Far beyond what fits, before any time is spent on it.
    if magnitude > 30:
        return None
    if magnitude < -30:
        return 0
    raised = _FINE.power(_number(size, _pair(base)[1]), exponent)
    odd = whole and int(exponent) & 1
    return _delivered(raised.copy_negate() if base < 0 and odd else raised)


def _delivered(result: Decimal) -> Number | None:
    """A finely computed result as a number, without trailing zeros, or None if it does not fit."""
    if not result.is_finite():
        return None
    mantissa, scale = _pair(result)
    if scale < 0:
        mantissa, scale = mantissa * 10**-scale, 0
    try:
        return _stripped(*_pair(_fitted(mantissa, scale)))
    except Fault:
        return None
