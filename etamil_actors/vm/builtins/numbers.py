"""Rounding, reading numbers, roots, logarithms and powers. The arithmetic is ``vm/number.py``."""

from __future__ import annotations

from collections.abc import Callable

from etamil_actors.errors import Fault
from etamil_actors.vm import number
from etamil_actors.vm.builtins.errors import failed
from etamil_actors.vm.builtins.registry import implements
from etamil_actors.vm.values import Err, Number, Ok


@implements("_round")
def round_number(n: Number, places: Number) -> Number:
    """Half away from zero at so many decimals, which are truncated; never adds digits."""
    whole_places = number.truncate(places)
    if whole_places < 0:
        raise Fault(
            "value.invalid",
            name="வட்டமிடு",
            problem_ta=f"பதின்ம இடங்கள் எதிர்மமாக இருக்க முடியாது: {whole_places}",
            problem_en=f"the number of places cannot be negative: {whole_places}",
        )
    return number.round_half_away(n, whole_places)


implements("_floor")(number.floor)
implements("_ceil")(number.ceil)


@implements("_toNumber")
def to_number(text: str) -> Ok | Err:
    """The number that a text reads as."""
    n = number.parse_number(text)
    if n is not None:
        return Ok(n)
    shown = text if len(text) <= 60 else f"{text[:60]}…"
    return failed(f"‘{shown}’ ஓர் எண் அல்ல", f"‘{shown}’ is not a number")


@implements("_sqrt")
def sqrt(n: Number) -> Ok | Err:
    """The square root."""
    if n < 0:
        return failed("எதிர்ம எண்ணுக்கு வர்க்கமூலம் இல்லை", "a negative number has no square root")
    return _fitting(number.sqrt, n)


@implements("_ln")
def ln(n: Number) -> Ok | Err:
    """The natural logarithm."""
    return _no_logarithm() if n <= 0 else _fitting(number.ln, n)


@implements("_log10")
def log10(n: Number) -> Ok | Err:
    """The logarithm to base 10."""
    return _no_logarithm() if n <= 0 else _fitting(number.log10, n)


def _no_logarithm() -> Err:
    return failed("நேர்ம எண்ணுக்கு மட்டுமே மடக்கை உண்டு", "only a positive number has a logarithm")


@implements("_exp")
def exp(n: Number) -> Ok | Err:
    """e to the power n."""
    return _fitting(number.exp, n)


@implements("_pow")
def power(base: Number, exponent: Number) -> Ok | Err:
    """base to the power exponent, which may be fractional."""
    if not base and exponent < 0:
        return failed("சுழியத்துக்கு எதிர்ம அடுக்கு இல்லை", "zero has no negative power")
    if base < 0 and not number.is_whole(exponent):
        return failed("எதிர்ம எண்ணுக்குப் பின்ன அடுக்கு இல்லை", "a negative number has no fractional power")
    return _fitting(number.power, base, exponent)


def _fitting(function: Callable[..., Number | None], *arguments: Number) -> Ok | Err:
    answer = function(*arguments)
    if answer is not None:
        return Ok(answer)
    return failed("விடை எண்ணின் எல்லையைத் தாண்டுகிறது", "the result does not fit a number")
