"""What is known of a statement for SQLite before it runs: what it does, and how fast it was so far.

That decides where it runs. A statement that was quick runs in the thread of trio, because a hop to another
thread costs ten times what the statement itself does; one that is slow or unknown runs in a thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Final

from etamil_actors.resources.databases import troubles
from etamil_actors.resources.databases.placeholders import pieces, statements, translate

QUICK: Final = 0.0003
"""A statement that takes no longer, in seconds, may run in the thread of trio."""
LONG: Final = 0.01
"""One that takes so long there is not tried a second time before it has been quick elsewhere."""
TRUST: Final = 3
"""So often in a row one that was slow has to be quick before it may again."""
KEPT: Final = 1000
"""Statements that are remembered."""


class Deed(IntEnum):
    """What a statement does."""

    READ = 0
    WRITE = 1
    """It changes rows."""
    INSERT = 2
    """It puts in the rows that it lists; nothing that is in the database already makes it slow."""
    BEGIN = 3
    """A transaction that may write."""
    END = 4
    """Of a transaction or a part of one."""
    MARK = 5
    """A savepoint, or a transaction that begins with reading."""
    OTHER = 6
    """It changes what there is, or how."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the text alone tells."""

    text: str
    count: int
    """Of parameters."""
    deed: Deed
    has_rows: bool
    leaves_marks: bool = False
    """Does it change the connection itself?"""
    is_whole: bool = False
    """Does a single step of SQLite go through a whole table? Nothing can stop it in the middle of a step."""


class Plan:
    """A statement, and how it was so far."""

    __slots__ = ("_least", "count", "deed", "has_rows", "is_suspect", "leaves_marks", "text", "trust")

    def __init__(self, shape: Shape) -> None:
        self.text = shape.text
        self.count = shape.count
        self.deed = shape.deed
        self.has_rows = shape.has_rows
        self.leaves_marks = shape.leaves_marks
        self.trust = 1
        """So often it has to be quick in a thread before it may run here; 0: it may."""
        self._least = int(shape.is_whole)
        self.is_suspect = False
        """Has it taken too long here the last time?"""

    def ran_there(self, seconds: float) -> None:
        """It ran in a thread."""
        if seconds > QUICK:
            self.trust = TRUST
        elif self.trust > self._least:
            self.trust -= 1

    def was_slow(self) -> None:
        """It was stopped here."""
        self.trust = TRUST
        self.is_suspect = False

    def took_long(self, seconds: float) -> None:
        """It took too long here, or the machine had something else to do meanwhile; twice in a row it was the
        statement."""
        if self.is_suspect or seconds > LONG:
            self.was_slow()
        else:
            self.is_suspect = True


class Plans(dict[str, Plan]):
    """Those of one database, by the text that the program wrote."""

    def __missing__(self, sql: str) -> Plan:
        if len(self) >= KEPT:
            self.clear()
        plan = self[sql] = Plan(shape_of(sql))
        return plan


_DEEDS: Final = {
    "select": Deed.READ,
    "values": Deed.READ,
    "explain": Deed.READ,
    "insert": Deed.INSERT,
    "replace": Deed.INSERT,
    "update": Deed.WRITE,
    "delete": Deed.WRITE,
    "begin": Deed.MARK,
    "savepoint": Deed.MARK,
    "commit": Deed.END,
    "end": Deed.END,
    "rollback": Deed.END,
    "release": Deed.END,
}
_MARKING: Final = frozenset(("pragma", "attach", "detach", "temp", "temporary"))
_MARKED_IN: Final = 6
"""Among so many words: CREATE TABLE IF NOT EXISTS temp.…"""
_MAIN: Final = frozenset(("select", "values", "insert", "replace", "update", "delete"))
"""What can stand after WITH and its tables, which may have names such as ``end`` or ``release``."""
_BEGINS: Final = (["begin"], ["begin", "transaction"])


@lru_cache(maxsize=KEPT)
def shape_of(sql: str) -> Shape:
    """Look at a statement.

    Raises:
        Fault: ``db.query``; there is more than one statement, or an impossible parameter.
    """
    if "\0" in sql:
        raise troubles.refused("கட்டளையில் NUL இருக்க முடியாது", "a statement with a NUL")
    translated = translate(sql, "sqlite")
    if len(statements(sql, "sqlite")) > 1:
        raise troubles.refused(
            "ஒரு நேரத்தில் ஒரே ஒரு கட்டளை மட்டுமே", "only one statement at a time is possible"
        )
    words = [text.lower() for what, text in pieces(sql, "sqlite") if what == "word"]
    deed = _DEEDS.get(words[0] if words else "", Deed.OTHER)
    if words and words[0] == "with":
        deed = _after_with(sql)
    elif words[:2] == ["select", "load_extension"]:
        deed = Deed.OTHER
    elif deed is Deed.INSERT and ("select" in words or "replace" in words):
        deed = Deed.WRITE  # what is replaced may take with it all that refers to it
    elif words in _BEGINS:
        # Whoever only reads needs no transaction. One that begins by reading and then writes would fail when
        # somebody else has written in between.
        return Shape("BEGIN IMMEDIATE", 0, Deed.BEGIN, False)
    elif deed is Deed.MARK and ("immediate" in words or "exclusive" in words):
        deed = Deed.BEGIN
    has_rows = deed is Deed.READ or (deed in (Deed.WRITE, Deed.INSERT) and "returning" in words)
    leaves_marks = deed is Deed.OTHER and not _MARKING.isdisjoint(words[:_MARKED_IN])
    is_whole = _counts_all(sql) if deed is Deed.READ else "delete" in words and "where" not in words
    return Shape(translated.text, translated.count, deed, has_rows, leaves_marks, is_whole)


def _counts_all(sql: str) -> bool:
    """Is there a ``count(*)`` of a table as it is, without conditions or groups?"""
    depth = 0
    counted: set[int] = set()
    """How deep in parentheses there is one, as far as is known."""
    for what, text in pieces(sql, "sqlite"):
        word = text.lower()
        if what == "word" and word == "count":
            counted.add(depth)
        elif what == "word" and word in ("where", "group", "join"):
            counted.discard(depth)
        elif word == ")" or (what == "word" and word in ("union", "except", "intersect")):
            if depth in counted:
                return True
            depth -= word == ")"
        elif word == "(":
            depth += 1
    return bool(counted)


def _after_with(sql: str) -> Deed:
    """What a statement does that begins with WITH: the first such word that stands in no parentheses."""
    depth = 0
    for what, text in pieces(sql, "sqlite"):
        if what == "other":
            depth += (text == "(") - (text == ")")
        elif what == "word" and not depth and text.lower() in _MAIN:
            deed = _DEEDS[text.lower()]
            return Deed.WRITE if deed is Deed.INSERT else deed
    return Deed.OTHER
