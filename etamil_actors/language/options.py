"""The words of options: ``{"காலவரம்பு": 5}`` and ``{"timeout": 5}`` name one option (EXTENSIONS §13).

The table pairs the Tamil word with the English one, which is the name that the rest of the house
knows; the romanised spelling is derived. Names that come from elsewhere (``cron``, ``url``) have
only one. A Tamil word may stand for two options of different words of the language — எண்ணிக்கை is
``instances`` of a job and ``concurrency`` of a route — so who knows what fits says it.
"""

from __future__ import annotations

from collections.abc import Container
from typing import NamedTuple

from etamil_actors.language.keywords import read_table
from etamil_actors.language.romanise import romanise


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
