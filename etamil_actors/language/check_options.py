"""Which word takes which options (EXTENSIONS §4–§13).

Only words with a closed list stand here; settings, log fields, labels, claims and the parts of a
container are free. The names are the English ones; ``options.py`` pairs them with the Tamil and
romanised ones. An option that a word does not know is a problem where the record is written
out, and the error ``option.unknown`` where it is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from etamil_actors.language import nodes
from etamil_actors.language.options import canonical_option, spellings_of


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
    "_cache": _takes(0, "ttl max_size url"),
    "_verifyJwt": _takes(1, "secret algorithms issuer audience jwks"),
    "_retry": _takes(0, "attempts backoff codes"),
    "_breaker": _takes(1, "failures reset"),
    # tests
    "_sendRequest": _takes(2, "json body headers query"),
}
"""By the English name of the builtin, which names its row in the table of builtins."""

JOB_AT_TOP = frozenset({"every", "cron", "channel", "instances"})
"""Options of a job that only a job declared at the top level may have."""


def unknown_options(record: nodes.Record, takes: Takes) -> Iterator[nodes.Identifier]:
    """The keys of a written-out record that name none of a word's options."""
    for pair in record.pairs:
        if canonical_option(pair.key.text, takes.names) is None:
            yield pair.key


def option_spellings(takes: Takes) -> list[str]:
    """Every way to write an option that a word takes."""
    return [spelling for name in sorted(takes.names) for spelling in spellings_of(name)]
