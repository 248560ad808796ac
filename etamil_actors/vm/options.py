"""Options as a word gets them while the program runs: ``{"காலவரம்பு": 5}`` becomes ``{"timeout": 5}``.

Keys may be written in Tamil, romanised or in English, and so may the few words that some options
take for a value; whoever works with them sees the English ones only. Where a record of options is
written out, ``check`` has said the same before the program ran.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import overload

from etamil_actors.errors import Fault
from etamil_actors.language.builtins import BUILTIN_OF
from etamil_actors.language.options import (
    OPTIONS_OF,
    ROUTE,
    VALUES_OF,
    canonical_option,
    canonical_value,
    spellings_of,
    value_words,
)
from etamil_actors.vm.builtins.registry import wrong_kind
from etamil_actors.vm.convert import text_of
from etamil_actors.vm.values import Value

_ROUTE_WORD = "வழி"

LONGEST_WAIT = 1_000_000_000.0
"""Seconds; some thirty years. What is longer is taken for this, so that moments stay exact."""


def read_options(record: Value, word: str) -> dict[str, Value]:
    """The options that a word was given, by their English names. இன்மை stands for none.

    ``word`` is the English name of a builtin, or ``"route"``. An option whose value is இன்மை counts
    as left out. Words that stand for values (``restart``, ``overflow`` …) are English too.

    Raises:
        Fault: ``value.kind`` when it is no record, ``option.unknown`` for a key that the word does
            not know, ``value.invalid`` for a value that is none of the option's words.
    """
    if record is None:
        return {}
    if not isinstance(record, dict):
        raise wrong_kind(_tamil(word), "விருப்பங்களின் பொருள்", "a record of options", record)
    known = (ROUTE if word == "route" else OPTIONS_OF[word]).names
    options: dict[str, Value] = {}
    for key, value in record.items():
        name = canonical_option(key, known)
        if name is None:
            raise Fault("option.unknown", name=key)
        if value is not None and name not in options:
            options[name] = _word(name, value, word) if name in VALUES_OF else value
    return options


def _word(name: str, value: Value, word: str) -> str:
    written = text_of(value)
    known = VALUES_OF[name]
    meant = written if written in known else canonical_value(written, known)
    if meant is None:
        tamil, english = value_words(name)
        raise Fault(
            "value.invalid",
            name=option_named(word, name),
            problem_ta=f"‘{written}’ என்ற மதிப்பு இல்லை; இருப்பவை: {tamil}",
            problem_en=f"there is no value ‘{written}’; known are {english}",
        )
    return meant


@overload
def seconds_of(options: Mapping[str, Value], name: str, word: str, default: float) -> float: ...
@overload
def seconds_of(options: Mapping[str, Value], name: str, word: str) -> float | None: ...
def seconds_of(
    options: Mapping[str, Value], name: str, word: str, default: float | None = None
) -> float | None:
    """A duration, or the default when it is not given.

    Raises:
        Fault: ``value.kind`` for what is no number, ``value.invalid`` for one below zero.
    """
    value = options.get(name)
    if value is None:
        return default
    if type(value) is not int and type(value) is not Decimal:
        raise wrong_kind(option_named(word, name), "நொடிகளின் எண்", "a number of seconds", value)
    if value < 0:
        raise _invalid(word, name, "சுழியை விடச் சிறியதாக இருக்க முடியாது", "it cannot be below zero")
    return min(float(value), LONGEST_WAIT)


def count_of(options: Mapping[str, Value], name: str, word: str, default: int, *, least: int = 1) -> int:
    """How many of something, or the default when it is not given.

    Raises:
        Fault: ``value.kind`` for what is no whole number, ``value.invalid`` for one below ``least``.
    """
    value = options.get(name)
    if value is None:
        return default
    if type(value) is Decimal and value == int(value):
        value = int(value)
    if type(value) is not int:
        raise wrong_kind(option_named(word, name), "முழு எண்", "a whole number", value)
    if value < least:
        raise _invalid(word, name, f"குறைந்தது {least} ஆக இருக்க வேண்டும்", f"it must be at least {least}")
    return value


def flag_of(options: Mapping[str, Value], name: str, word: str) -> bool:
    """Yes or no; no when it is not given.

    Raises:
        Fault: ``value.kind`` for what is no boolean.
    """
    value = options.get(name, False)
    if type(value) is not bool:
        raise wrong_kind(option_named(word, name), "மெய் அல்லது பொய்", "a boolean", value)
    return value


def text_option(options: Mapping[str, Value], name: str, word: str) -> str | None:
    """A text, or None when it is not given.

    Raises:
        Fault: ``value.kind`` for what is no text.
    """
    value = options.get(name)
    if value is not None and type(value) is not str:
        raise wrong_kind(option_named(word, name), "உரை", "a text", value)
    return value


def name_and_options(word: str, arguments: tuple[Value, ...]) -> tuple[str | None, dict[str, Value]]:
    """``word([name] [, options])``: the two parts, either of which may be missing.

    Raises:
        Fault: as ``read_options``, and ``value.kind`` when the first of two is a record.
    """
    if not arguments:
        return None, {}
    first, *rest = arguments
    if isinstance(first, dict):
        if rest:
            raise wrong_kind(_tamil(word), "பெயர்", "a name", first)
        return None, read_options(first, word)
    name = None if first is None else text_of(first)
    return name, read_options(rest[0] if rest else None, word)


def _tamil(word: str) -> str:
    return _ROUTE_WORD if word == "route" else BUILTIN_OF[word].tamil


def option_named(word: str, name: str) -> str:
    """An option as messages call it: ``வழி: காலவரம்பு``."""
    return f"{_tamil(word)}: {spellings_of(name)[0]}"


def _invalid(word: str, name: str, tamil: str, english: str) -> Fault:
    return Fault("value.invalid", name=option_named(word, name), problem_ta=tamil, problem_en=english)
