"""The words of options: ``{"காலவரம்பு": 5}`` and ``{"timeout": 5}`` name one option (EXTENSIONS §13),
and which word of the language takes which of them (§4–§13).

The table pairs the Tamil word with the English one, which is the name that the rest of the house
knows; the romanised spelling is derived. Names that come from elsewhere (``cron``, ``url``) have
only one. A Tamil word may stand for two options of different words of the language — எண்ணிக்கை is
``instances`` of a job and ``concurrency`` of a route — so who knows what fits says it.

Only words with a closed list stand in ``OPTIONS_OF``; settings, log fields, labels, claims and the
parts of a container are free.
"""

from __future__ import annotations

from collections.abc import Container

from etamil_actors.language.keywords import read_table
from etamil_actors.language.romanise import romanise

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing takes longer to import than all of this
    from typing import NamedTuple
else:
    from etamil_actors.rows import NamedTuple


class Option(NamedTuple):
    """One row: where the option is used, and its two names."""

    where: str
    tamil: str
    english: str

    @property
    def spellings(self) -> tuple[str, ...]:
        return (self.tamil, romanise(self.tamil), self.english) if self.tamil else (self.english,)


def _read() -> tuple[tuple[Option, ...], tuple[Option, ...]]:
    rows = [Option(*row) for row in read_table("options.tsv")]
    return (
        tuple([row for row in rows if row.where != "values"]),
        tuple([row for row in rows if row.where == "values"]),
    )


def _by_spelling(rows: tuple[Option, ...]) -> dict[str, tuple[str, ...]]:
    names: dict[str, tuple[str, ...]] = {}
    for row in rows:
        for spelling in row.spellings:
            names[spelling] = (*names.get(spelling, ()), row.english)
    return names


OPTIONS, VALUES = _read()
_NAMES_OF = _by_spelling(OPTIONS)
_VALUES_OF = _by_spelling(VALUES)


def options_named(text: str) -> tuple[str, ...]:
    """The English names of all options that a key may mean."""
    return _NAMES_OF.get(text, ())


def canonical_option(text: str, known: Container[str] | None = None) -> str | None:
    """The English name of an option, of those that are ``known`` when that is given."""
    return next((name for name in options_named(text) if known is None or name in known), None)


def canonical_value(text: str, known: Container[str] | None = None) -> str | None:
    """The English name of a word that is the value of an option: எப்போதும் is ``permanent``."""
    return next((name for name in _VALUES_OF.get(text, ()) if known is None or name in known), None)


def spellings_of(english: str) -> tuple[str, ...]:
    """Every way to write an option, the Tamil word first."""
    return next((row.spellings for row in OPTIONS if row.english == english), (english,))


# ---- who takes which ------------------------------------------------------------------


class Takes(NamedTuple):
    """A word's options, and from which argument on a record written out means options."""

    first: int
    names: frozenset[str]


def _takes(first: int, names: str) -> Takes:
    return Takes(first, frozenset(names.split()))


ROUTE = _takes(
    0,
    "guards body query parameters answer timeout concurrency queue rate body_limit disconnect"
    " idempotent cache summary description tags",
)

OPTIONS_OF: dict[str, Takes] = {
    # tasks and jobs
    "_parallel": _takes(1, "limit"),
    "_parallelMap": _takes(2, "limit"),
    "_job": _takes(
        1,
        "every cron tz channel instances restart attempts backoff timeout singleton durable shutdown",
    ),
    # channels and locks
    "_channel": _takes(0, "capacity overflow kind transport attempts ttl"),
    "_send": _takes(2, "timeout delay key id"),
    "_receive": _takes(1, "timeout"),
    "_lock": _takes(0, "permits"),
    "_withLock": _takes(1, "timeout"),
    # agents
    "_startAgent": _takes(1, "name restart mailbox overflow keep"),
    "_ask": _takes(2, "timeout"),
    # requests
    "_onRequest": _takes(2, " ".join(ROUTE.names)),
    "_stream": _takes(1, "event id"),
    "_wsReceive": _takes(0, "timeout"),
    # resources
    "_pool": _takes(0, "host port database user password url max_connections pool_size timeout"),
    "_cache": _takes(0, "name ttl max_size url"),
    "_verifyJwt": _takes(1, "secret algorithms issuer audience jwks"),
    "_issueJwt": _takes(1, "secret algorithms issuer audience ttl"),
    "_retry": _takes(0, "attempts backoff codes"),
    "_breaker": _takes(1, "failures reset"),
    # tests
    "_sendRequest": _takes(2, "json body headers query"),
}
"""By the English name of the builtin, which names its row in the table of builtins."""

VALUES_OF: dict[str, tuple[str, ...]] = {
    "restart": ("permanent", "transient", "temporary"),
    "overflow": ("wait", "reject", "drop_oldest", "drop_newest"),
    "kind": ("queue", "broadcast"),
    "transport": ("memory", "journal", "redis", "nats"),
    "disconnect": ("finish", "cancel"),
}
"""Options whose value is one of a few words, and those words in English."""

JOB_AT_TOP = frozenset({"every", "cron", "channel", "instances"})
"""Options of a job that only a job declared at the top level may have."""


def value_spellings(name: str) -> list[str]:
    """Every way to write the value of an option that takes one of a few words."""
    return [spelling for word in VALUES_OF[name] for spelling in _spellings_of_value(word)]


def value_words(name: str) -> tuple[str, str]:
    """The values of such an option for a message, in Tamil and in English."""
    words = VALUES_OF[name]
    return ", ".join([_spellings_of_value(word)[0] for word in words]), ", ".join(words)


def _spellings_of_value(english: str) -> tuple[str, ...]:
    return next((row.spellings for row in VALUES if row.english == english), (english,))
