"""The table of words that program code asks of the running service, and of the effects behind others.

A *word* is a plain function of the activity and the program's arguments. It answers a value, and the
program goes on at once; or a coroutine, and the program waits until it is done. Each subject has a module
of its own that enters its words here by their English name:

```python
@word("_sleep")
def sleep(activity: Activity, seconds: Value) -> Any: …

@block("_withLock")
async def with_lock(activity: Activity, lock: Value, options: Value = None) -> Word: …
```

A word that brings a block answers a ``Word`` (``vm/blocks.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, TypeVar

from etamil_actors.errors import Fault
from etamil_actors.vm.builtins.registry import tamil_name as tamil_of
from etamil_actors.vm.convert import kind_of
from etamil_actors.vm.machine import OpenBlock
from etamil_actors.vm.values import Value

if TYPE_CHECKING:
    from etamil_actors.actors.programs.activity import Activity
    from etamil_actors.vm.effects import Effect

__all__ = ["BLOCKS", "DEEDS", "WORDS", "block", "deed", "duration", "expect", "tamil_of", "word"]

Deed = Callable[..., Any]
F = TypeVar("F", bound=Deed)
H = TypeVar("H")

WORDS: Final[dict[str, Deed]] = {}
"""By English name: what answers ``Service`` effects."""

BLOCKS: Final[dict[str, Deed]] = {}
"""By English name: what opens a block."""

DEEDS: Final[dict[type[Effect], Callable[[Activity, Any], Any]]] = {}
"""What answers the other effects."""

LONGEST: Final = 1e9
"""Seconds; a duration beyond thirty years means for ever."""


def word(*keys: str) -> Callable[[F], F]:
    """Enter a function as the meaning of these words."""

    def enter(function: F) -> F:
        for key in keys:
            assert key not in WORDS, f"two meanings of {key}"
            WORDS[key] = function
        return function

    return enter


def block(key: str) -> Callable[[F], F]:
    """Enter a function that opens the block of this word."""

    def enter(function: F) -> F:
        assert key not in BLOCKS, f"two meanings of {key}"
        BLOCKS[key] = function
        return function

    return enter


def deed(kind: type[Effect]) -> Callable[[F], F]:
    """Enter a function that answers this kind of effect."""

    def enter(function: F) -> F:
        assert kind not in DEEDS, f"two answers to {kind.__name__}"
        DEEDS[kind] = function
        return function

    return enter


@deed(OpenBlock)
def open_block(activity: Activity, effect: OpenBlock) -> Any:
    """Open the block of a word."""
    opener = BLOCKS.get(effect.key)
    if opener is None:
        raise Fault("not_provided", name=tamil_of(effect.key))
    return opener(activity, *effect.arguments)


# ---- what words ask of their arguments ------------------------------------------------


def expect(kind: type[H], value: Value, key: str, tamil: str, english: str) -> H:
    """This value, which must be such a handle.

    Raises:
        Fault: ``value.kind``.
    """
    if isinstance(value, kind):
        return value
    raise Fault("value.kind", name=tamil_of(key), wanted_ta=tamil, wanted_en=english, kind=kind_of(value))


def duration(value: Value, key: str) -> float:
    """Seconds that a program gave.

    Raises:
        Fault: it is no number, or negative.
    """
    if type(value) is not int and type(value) is not Decimal:
        raise Fault(
            "value.kind",
            name=tamil_of(key),
            wanted_ta="நொடிகள் (ஓர் எண்)",
            wanted_en="seconds (a number)",
            kind=kind_of(value),
        )
    seconds = float(value)
    if seconds < 0 or not isfinite(seconds):
        raise Fault(
            "value.invalid",
            name=tamil_of(key),
            problem_ta=f"நேரம் குறை எண்ணாக இருக்க முடியாது ({value})",
            problem_en=f"a time cannot be negative ({value})",
        )
    return seconds if seconds <= LONGEST else float("inf")
