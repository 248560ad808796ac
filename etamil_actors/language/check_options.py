"""Options that are written out where a word stands: what can be said before the program runs.

``options.py`` has the tables of names. Here stands what each option wants, for values that are
written out too: a number of seconds, a count, one of a few words, a cron text. What is computed is
looked at when the program runs (``vm/options.py``), and then the same mistakes are errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import NamedTuple

from etamil_actors.language import check_problems as problems
from etamil_actors.language import nodes
from etamil_actors.language.cron import mistake_in
from etamil_actors.language.options import (
    JOB_AT_TOP,
    VALUES_OF,
    Takes,
    canonical_option,
    canonical_value,
    spellings_of,
    value_spellings,
    value_words,
)
from etamil_actors.language.problems import NotAllowedHere, Problem
from etamil_actors.language.source import SourceMap


class OptionUse(NamedTuple):
    """A record written out where a word takes options. ``builtin`` is the word's English name, ""
    for a route; ``is_declared`` tells a job that the top level declares."""

    word: str
    record: nodes.Record
    takes: Takes
    builtin: str = ""
    is_declared: bool = False


Hint = Callable[[str, Iterable[str]], "str | None"]
"""Answers the suggestion of a near word."""


class OptionChecker:
    """Looks at written-out options, and remembers what programs say of a channel's name."""

    def __init__(self, sources: SourceMap, hint: Hint) -> None:
        self._sources = sources
        self._hint = hint

    def problems_of(self, use: OptionUse) -> Iterator[Problem]:
        """What is wrong with the options of one word."""
        given: dict[str, nodes.Pair] = {}
        for pair in use.record.pairs:
            name = canonical_option(pair.key.text, use.takes.names)
            if name is None:
                yield self._unknown(use, pair.key)
                continue
            given.setdefault(name, pair)
            if use.builtin != "_job" or use.is_declared or name not in JOB_AT_TOP:  # else refused as such
                yield from self._of_value(name, pair)
        if use.builtin == "_job":
            yield from self._of_job(use, given)

    def _unknown(self, use: OptionUse, key: nodes.Identifier) -> Problem:
        near = self._hint(key.text, option_spellings(use.takes))
        return problems.UnknownOption(key.start, key.end, suggestion=near, name=key.text, word=use.word)

    # ---- values -----------------------------------------------------------------------

    def _of_value(self, name: str, pair: nodes.Pair) -> Iterator[Problem]:
        value = pair.value
        if not is_literal(value) or _is_nothing(value):
            return
        if name in VALUES_OF:
            yield from self._of_word(name, pair)
            return
        wants = _WANTS.get(name)
        if wants is None:
            return
        if not wants.fits(value):
            words = {"wanted_ta": wants.tamil, "wanted_en": wants.english}
            yield problems.OptionValue(value.start, value.end, name=pair.key.text, **words)
        elif isinstance(value, nodes.Text) and name == "cron":
            yield from self._of_cron(value)
        elif isinstance(value, nodes.Text) and name == "tz":
            yield from self._of_zone(value)

    def _of_word(self, name: str, pair: nodes.Pair) -> Iterator[Problem]:
        value, known = pair.value, VALUES_OF[name]
        written = value.value if isinstance(value, nodes.Text) else None
        if written is not None and (written in known or canonical_value(written, known) is not None):
            return
        shown = written if written is not None else self._text_of(value)
        near = self._hint(written, value_spellings(name)) if written is not None else None
        known_ta, known_en = value_words(name)
        words = {"name": pair.key.text, "value": shown, "known_ta": known_ta, "known": known_en}
        yield problems.UnknownOptionValue(value.start, value.end, suggestion=near, **words)

    def _of_cron(self, value: nodes.Text) -> Iterator[Problem]:
        mistake = mistake_in(value.value)
        if mistake is None:
            return
        start, end = value.start, value.end
        if self._text_of(value)[1:-1] == value.value:  # no escapes: the place inside is known
            start, end = value.start + 1 + mistake.start, value.start + 1 + mistake.end
        near = self._hint(mistake.found, mistake.words) if mistake.words else None
        words = {"why_ta": mistake.tamil, "why": mistake.english}
        yield problems.BadCron(start, max(end, start + 1), suggestion=near, **words)

    def _of_zone(self, value: nodes.Text) -> Iterator[Problem]:
        zones = _zones_unless(value.value)
        if not zones:
            return
        cities = {zone.rpartition("/")[2]: zone for zone in zones}
        near = self._hint(value.value, zones)
        if near is None and (city := value.value.rpartition("/")[2]) in cities:
            near = self._hint(cities[city] + "?", [cities[city]])
        yield problems.UnknownZone(value.start, value.end, suggestion=near, name=value.value)

    def _text_of(self, node: nodes.Node) -> str:
        source = self._sources.find(node.start)
        return source.text[node.start - source.base : node.end - source.base]

    # ---- several options --------------------------------------------------------------

    def _of_job(self, use: OptionUse, given: dict[str, nodes.Pair]) -> Iterator[Problem]:
        kinds = ("every", "cron", "channel") if use.is_declared else ()
        starts = sorted([given[name].key for name in kinds if name in given], key=lambda key: key.start)
        for key in starts[1:]:
            words = {"name": key.text, "other": starts[0].text}
            yield problems.OptionsExclude(key.start, key.end, **words)
        if "tz" in given and "cron" not in given:
            key = given["tz"].key
            yield problems.OptionNeedsAnother(key.start, key.end, name=key.text, other="cron")
        if "durable" in given and use.is_declared:
            key = given["durable"].key
            tamil, english = _DURABLE_AT_WORK
            yield NotAllowedHere(key.start, key.end, found=key.text, reason_ta=tamil, reason_en=english)


def option_spellings(takes: Takes) -> list[str]:
    """Every way to write an option that a word takes."""
    return [spelling for name in sorted(takes.names) for spelling in spellings_of(name)]


# ---- literals -------------------------------------------------------------------------

_LITERALS = (nodes.Number, nodes.Text, nodes.Constant, nodes.Array, nodes.Record, nodes.Lambda)


def is_literal(value: nodes.Expression) -> bool:
    """Whether the text shows what kind of value it is."""
    if isinstance(value, nodes.Negate):
        return isinstance(value.operand, nodes.Number)
    return isinstance(value, _LITERALS)


def _is_nothing(value: nodes.Expression) -> bool:
    return isinstance(value, nodes.Constant) and value.value is None


def number_in(value: nodes.Expression) -> int | Decimal | None:
    """The number that is written out, if it is one."""
    if isinstance(value, nodes.Negate) and isinstance(value.operand, nodes.Number):
        return -value.operand.value
    return value.value if isinstance(value, nodes.Number) else None


class _Wants(NamedTuple):
    """What an option wants, as a question to a literal and in words."""

    fits: Callable[[nodes.Expression], bool]
    tamil: str
    english: str


def _seconds(least: int, above: bool = False) -> Callable[[nodes.Expression], bool]:
    def fits(value: nodes.Expression) -> bool:
        number = number_in(value)
        return number is not None and (number > least or (number == least and not above))

    return fits


def _whole(least: int) -> Callable[[nodes.Expression], bool]:
    def fits(value: nodes.Expression) -> bool:
        number = number_in(value)
        return number is not None and number >= least and number == int(number)

    return fits


_DURATION = _Wants(_seconds(0), "0 அல்லது அதற்கு மேற்பட்ட நொடிகள்", "seconds from 0")
_PERIOD = _Wants(_seconds(0, above=True), "0-ஐ விட அதிகமான நொடிகள்", "more than 0 seconds")
_COUNT = _Wants(_whole(1), "1 முதல் ஒரு முழு எண்", "a whole number from 1")
_COUNT_OR_NONE = _Wants(_whole(0), "0 முதல் ஒரு முழு எண்", "a whole number from 0")
_FLAG = _Wants(
    lambda value: isinstance(value, nodes.Constant) and isinstance(value.value, bool),
    "மெய் அல்லது பொய்",
    "மெய் or பொய் (true or false)",
)
_TEXT = _Wants(lambda value: isinstance(value, nodes.Text), "ஓர் உரை", "a text")
_CHANNEL = _Wants(lambda value: False, "ஒரு சேனல்", "a channel")

_WANTS: dict[str, _Wants] = {
    **dict.fromkeys(("timeout", "delay", "ttl", "backoff", "shutdown", "reset", "cache"), _DURATION),
    **dict.fromkeys(
        (
            "attempts", "capacity", "concurrency", "failures", "instances", "limit", "mailbox",
            "max_connections", "max_size", "permits", "pool_size",
        ),
        _COUNT,
    ),
    **dict.fromkeys(("queue", "body_limit"), _COUNT_OR_NONE),
    **dict.fromkeys(("singleton", "durable", "keep", "idempotent"), _FLAG),
    **dict.fromkeys(("cron", "tz", "summary", "description"), _TEXT),
    "every": _PERIOD,
    "channel": _CHANNEL,
}  # fmt: skip
"""By the English name of an option; what is missing here takes anything."""

_DURABLE_AT_WORK = (
    "ஒரு கையாளியில், பணியில் அல்லது செயலில் தொடங்கும் பணி மட்டுமே நிலைத்திருக்க முடியும்",
    "only a job that is started in a handler, job or function can be durable",
)


def _zones_unless(name: str) -> list[str]:
    """All time zones, unless this is one of them or the system knows none."""
    from zoneinfo import ZoneInfo, available_timezones

    try:
        ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        return sorted(available_timezones())
    return []


# ---- channels of one name -------------------------------------------------------------


class NamedChannels:
    """What a program says of the channels that it names; the same name means the same channel."""

    def __init__(self) -> None:
        self._said: dict[tuple[str, str], tuple[object, int]] = {}

    def differences(
        self, name: str, use: OptionUse, place: Callable[[int, int], dict[str, str]]
    ) -> Iterator[Problem]:
        """Options that were given other values where the channel was named before."""
        for pair in use.record.pairs:
            option = canonical_option(pair.key.text, use.takes.names)
            if option is None or not is_literal(pair.value):
                continue
            value = _meaning(option, pair.value)
            before, start = self._said.setdefault((name, option), (value, pair.start))
            if before != value:
                words = {"name": pair.key.text, "channel": name, **place(start, pair.start)}
                yield problems.ChannelsDiffer(pair.start, pair.end, **words)


def _meaning(option: str, value: nodes.Expression) -> object:
    number = number_in(value)
    if number is not None:
        return number
    if isinstance(value, nodes.Text) and option in VALUES_OF:
        return canonical_value(value.value, VALUES_OF[option]) or value.value
    return value.value if isinstance(value, nodes.Text | nodes.Constant) else None
