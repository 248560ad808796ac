"""How often is something tried, and how long is the pause between two tries? (EXTENSIONS §5)

It holds for one message of a channel, for a one-time job, for a scheduled run. A try is counted *before* it
runs, so one that takes the whole process with it has been one. What failed for the last time goes to the
dead letters; that is the deed of whoever asked here.

The options of ``பணி_உருவாக்கு`` that are about this are read here too. They arrive under their English
names, and so do the words that stand for a kind of restart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

from etamil_actors.actors.restart import Backoff, Restart
from etamil_actors.errors import Fault, InternalError
from etamil_actors.vm.convert import kind_of, text_of
from etamil_actors.vm.number import is_whole
from etamil_actors.vm.values import Value

MAKER: Final = "பணி_உருவாக்கு"
"""The word whose options these are, as messages name it."""

TRIES: Final = 3
"""Tries of a message or a one-time job, if nothing else is said."""

SCHEDULED_TRIES: Final = 1
"""Tries of a scheduled run: the next one comes anyway."""

BACKOFF: Final = Backoff(initial=1.0, cap=60.0)
"""The pauses, if nothing else is said."""


class Retry(NamedTuple):
    """It is tried again, after so many seconds."""

    delay: float


class Dead(NamedTuple):
    """It is not tried again."""

    attempts: int
    """How often it was."""


@dataclass(frozen=True, slots=True)
class Attempts:
    """How often something is tried, and how the pauses grow."""

    most: int = TRIES
    backoff: Backoff = BACKOFF

    def __post_init__(self) -> None:
        if self.most < 1:
            raise ValueError(f"what is tried {self.most} times is never done")

    def verdict(self, attempt: int, chance: float) -> Retry | Dead:
        """What follows when this try, 1 for the first, has failed; ``chance`` is from 0 up to 1."""
        if attempt < 1:
            raise InternalError(f"try number {attempt} cannot have failed")
        if attempt >= self.most:
            return Dead(attempt)
        return Retry(self.backoff.delay(attempt, chance))


# ── options of பணி_உருவாக்கு ─────────────────────────────────────────────────────────────────────


def read_attempts(options: Mapping[str, Value], *, scheduled: bool = False) -> Attempts:
    """What ``attempts`` and ``backoff`` say; ``scheduled`` is a job with ``every`` or ``cron``.

    Raises:
        Fault: ``value.kind``, ``value.invalid``: an option has no sense.
    """
    most = SCHEDULED_TRIES if scheduled else TRIES
    if "attempts" in options:
        most = _tries(options["attempts"])
    if "backoff" not in options:
        return Attempts(most)
    first = _seconds(options["backoff"])
    # A first pause beyond the longest stays as it is, and so do those that follow.
    return Attempts(most, Backoff(initial=first, cap=max(first, BACKOFF.cap)))


def read_restart(options: Mapping[str, Value], *, lasting: bool = False) -> Restart:
    """What ``restart`` says; ``lasting`` is a job with ``every``, ``cron`` or ``channel``.

    Raises:
        Fault: ``value.kind``, ``value.invalid``: it names no kind of restart.
    """
    if "restart" not in options:
        return Restart.PERMANENT if lasting else Restart.TRANSIENT
    value = options["restart"]
    if not isinstance(value, str):
        raise _wrong_kind("மறுதொடக்கம்", "restart", "ஓர் உரை", "a text", value)
    try:
        return Restart(value)
    except ValueError:
        raise _invalid(
            "மறுதொடக்கம்",
            "restart",
            "எப்போதும் / பிழையானால் / வேண்டாம்",
            "permanent / transient / temporary",
            value,
        ) from None


def _tries(value: Value) -> int:
    _expect_number("தடவை", "attempts", value)
    if value < 1 or not is_whole(value):
        raise _invalid("தடவை", "attempts", "1 முதல் ஒரு முழு எண்", "a whole number from 1", value)
    return int(value)


def _seconds(value: Value) -> float:
    _expect_number("பின்வாங்கு", "backoff", value)
    if value < 0:
        raise _invalid("பின்வாங்கு", "backoff", "0 முதல் நொடிகள்", "seconds from 0", value)
    return float(value)


def _expect_number(tamil: str, english: str, value: Value) -> None:
    # A boolean is an int to Python, but no number of the language.
    if type(value) is not int and type(value) is not Decimal:
        raise _wrong_kind(tamil, english, "ஓர் எண்", "a number", value)


def _wrong_kind(tamil: str, english: str, wanted_tamil: str, wanted_english: str, value: Value) -> Fault:
    return Fault(
        "value.kind",
        name=MAKER,
        wanted_ta=f"‘{tamil}’ விருப்பத்தில் {wanted_tamil}",
        wanted_en=f"{wanted_english} as ‘{english}’",
        kind=kind_of(value),
    )


def _invalid(tamil: str, english: str, wanted_tamil: str, wanted_english: str, value: Value) -> Fault:
    return Fault(
        "value.invalid",
        name=MAKER,
        problem_ta=f"‘{tamil}’ விருப்பத்தில் {wanted_tamil} தேவை; ‘{text_of(value)}’ கிடைத்தது",
        problem_en=f"‘{english}’ wants {wanted_english}, not ‘{text_of(value)}’",
    )
