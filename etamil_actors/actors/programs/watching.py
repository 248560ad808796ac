"""Words that count, time and trace (EXTENSIONS §10).

Where nobody reads the numbers or follows the traces, the words cost a look and no more. What programs say is
looked at all the same: a mistake shows on the laptop, and not when the numbers are switched on. Names arrive
as texts and amounts as numbers, whatever the program has given: so all words of the language take them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Final

from etamil_actors.actors.programs.spans import Within, begin
from etamil_actors.actors.programs.words import block, tamil_of, word
from etamil_actors.errors import Fault
from etamil_actors.vm.blocks import Turn, Word
from etamil_actors.vm.builtins.registry import wrong_kind
from etamil_actors.vm.convert import text_of
from etamil_actors.vm.log_line import HIDDEN, Secrets, masked, shown
from etamil_actors.vm.values import Value

if TYPE_CHECKING:
    from etamil_actors.actors.programs.activity import Activity
    from etamil_actors.ports.telemetry import Span

NO_LABELS: Final[Mapping[str, str]] = {}

MOST_ATTRIBUTES: Final = 64
LONGEST: Final = 1_000
"""So many characters of a name or an attribute of a span are told."""

# ---- numbers --------------------------------------------------------------------------


@word("_count")
def count(activity: Activity, name: Value, amount: Value = 1, labels: Value = None) -> None:
    """மெட்ரிக்_எண்."""
    if amount < 0:
        raise _negative(amount, "_count")
    told = NO_LABELS if labels is None else _texts(labels, "_count")
    service = activity.service
    numbers = service.system.numbers
    if numbers is not None:
        numbers.count(name, amount if type(amount) is int else float(amount), told, service.name)


@word("_timing")
def timing(activity: Activity, name: Value, milliseconds: Value, labels: Value = None) -> None:
    """மெட்ரிக்_நேரம்."""
    if milliseconds < 0:
        raise _negative(milliseconds, "_timing")
    told = NO_LABELS if labels is None else _texts(labels, "_timing")
    service = activity.service
    numbers = service.system.numbers
    if numbers is not None:
        numbers.timing(name, float(milliseconds) / 1000, told, service.name)


@word("_gauge")
def gauge(activity: Activity, name: Value, value: Value, labels: Value = None) -> None:
    """மெட்ரிக்_அளவு."""
    told = NO_LABELS if labels is None else _texts(labels, "_gauge")
    service = activity.service
    numbers = service.system.numbers
    if numbers is not None:
        numbers.gauge(name, float(value), told, service.name)


def _negative(value: Value, key: str) -> Fault:
    return Fault(
        "value.invalid",
        name=tamil_of(key),
        problem_ta=f"குறை எண்ணாக இருக்க முடியாது ({value})",
        problem_en=f"it cannot be negative ({value})",
    )


def _texts(labels: Value, key: str) -> Mapping[str, str]:
    if not isinstance(labels, dict):
        raise wrong_kind(tamil_of(key), "குறிகளின் பொருள்", "a record of labels", labels)
    for value in labels.values():
        if type(value) is not str:
            return {name: text_of(value) for name, value in labels.items()}
    return labels


# ---- traces ---------------------------------------------------------------------------


@block("_span")
def trace(activity: Activity, name: Value, attributes: Value = None) -> Word:
    """தடம்."""
    told = None if attributes is None else _attributes(activity, attributes)
    span = begin(activity, (name if type(name) is str else text_of(name))[:LONGEST], "internal", told)
    return Word() if span is None else Traced(activity, span)


def _attributes(activity: Activity, attributes: Value) -> dict[str, str | int | float | bool]:
    if not isinstance(attributes, dict):
        raise wrong_kind(tamil_of("_span"), "பண்புகளின் பொருள்", "a record of attributes", attributes)
    secrets = activity.service.secrets
    return {
        name[:LONGEST]: HIDDEN if secrets.is_secret(name) else _attribute(value, secrets)
        for name, value in islice(attributes.items(), MOST_ATTRIBUTES)
    }


def _attribute(value: Value, secrets: Secrets) -> str | int | float | bool:
    if type(value) is int or type(value) is bool:
        return value
    # A decimal is told as its digits: a float would say something else.
    told = masked(value, secrets)
    return (told if type(told) is str else shown(text_of(told)))[:LONGEST]


class Traced(Word):
    """A block that is a span."""

    def __init__(self, activity: Activity, span: Span) -> None:
        super().__init__()
        self.activity = activity
        self.span = span

    def __iter__(self) -> Iterator[Turn]:
        yield TracedTurn(self)


class TracedTurn(Turn):
    """The one run of the block."""

    __slots__ = ("_within",)

    word: Traced

    def __enter__(self) -> Turn:
        self._within = Within(self.word.activity, self.word.span)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._within.leave(problem)
        return self.word.ended(self, problem)
