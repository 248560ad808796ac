"""The words of the language: two tables, and every way to find a row.

``keywords.tsv`` has the keywords of eTamil 2.0, one row per token with all its spellings; the
lexer knows no others. ``words.tsv`` has the words that this runtime adds. They are names to the
lexer and keywords to the parser in the position that the row's ``where`` tells (EXTENSIONS §2),
so that programs which use them as names keep working. Their romanised spelling is derived.

Nothing about a word is typed anywhere else: the lexer, the parser, the completion of the shell
and the keyword page all start from here.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from etamil_actors.language.romanise import romanise


class Keyword(NamedTuple):
    """One token of eTamil 2.0."""

    token: str
    tamil: str
    roman: tuple[str, ...]
    """The first is what ``romanise`` makes of the Tamil spelling; the others are older."""
    english: tuple[str, ...]
    family: str
    """The class of REFERENCE §2.3: type, statement, financial …"""
    name_ok: bool
    syntax: str
    value: str
    """What a type declares, the host name of a back end or an HTTP method."""
    group: str
    since: str
    meaning: str

    @property
    def spellings(self) -> tuple[str, ...]:
        return (self.tamil, *self.roman, *self.english)


class Word(NamedTuple):
    """A word that is a keyword only where ``where`` says."""

    word: str
    tamil: str
    english: str
    also: tuple[str, ...]
    value: str
    where: str
    meaning: str
    meaning_tamil: str

    @property
    def spellings(self) -> tuple[str, ...]:
        derived = (self.tamil, romanise(self.tamil)) if self.tamil else ()
        return tuple([spelling for spelling in (*derived, self.english, *self.also) if spelling])


def read_table(name: str) -> list[list[str]]:
    """The rows of a table of this folder, without its heading."""
    path = os.path.join(os.path.dirname(__file__), name)
    with open(path, encoding="utf-8", newline="\n") as file:
        _heading, *lines = file.read().splitlines()
    return [line.split("\t") for line in lines]


def _keyword(row: list[str]) -> Keyword:
    token, tamil, roman, english, family, name_ok, *rest = row
    spellings = (tamil, tuple(roman.split()), tuple(english.split()))
    return Keyword(token, *spellings, family, name_ok == "yes", *rest)


def _word(row: list[str]) -> Word:
    word, tamil, english, also, *rest = row
    return Word(word, tamil, english, tuple(also.split()), *rest)


KEYWORDS = tuple([_keyword(row) for row in read_table("keywords.tsv")])
KEYWORD_OF = {spelling: keyword for keyword in KEYWORDS for spelling in keyword.spellings}
KEYWORD_NAMED = {keyword.token: keyword for keyword in KEYWORDS}
assert len(KEYWORD_OF) == sum(len(word.spellings) for word in KEYWORDS), "two keywords share a spelling"

WORDS = tuple([_word(row) for row in read_table("words.tsv")])
WORD_OF = {spelling: word for word in WORDS for spelling in word.spellings}
assert len(WORD_OF) == sum(len(word.spellings) for word in WORDS), "two words share a spelling"


def keyword_of(written: str) -> Keyword | None:
    """The keyword a text spells, if it spells one."""
    return KEYWORD_OF.get(written)


def is_reserved(written: str) -> bool:
    """Whether a word can never be a name."""
    keyword = KEYWORD_OF.get(written)
    return keyword is not None and not keyword.name_ok
