"""Connections of a simulation: SQLite in memory, whatever kind the settings say, and no thread anywhere.

Everything happens at once, at a point where the order of tasks is the seed's. A query that would run for
ever is stopped after so many steps as its time is worth, and then that time has passed on the virtual clock.

A statement for PostgreSQL or MySQL is run as SQLite understands it: with the placeholders, literals and
common types of its own kind, and its values come back by the declared types of the columns. What only those
servers have is an error here, and a number in a column of exact ones keeps 15 digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final, TypeVar

import apsw
import trio

from etamil_actors.ports.databases import Datum, Done, Kind, PoolSettings, Row
from etamil_actors.resources.databases import troubles
from etamil_actors.resources.databases.placeholders import pieces
from etamil_actors.resources.databases.sqlite import Answer, SqliteConnection
from etamil_actors.resources.databases.sqlite_file import MEMORY, STEPS, Opened, SqliteFile
from etamil_actors.resources.databases.sqlite_plans import Plan
from etamil_actors.resources.databases.sqlite_values import Stored, datum_of

STEPS_A_SECOND: Final = 500_000
"""Of SQLite's machine. A real second has a hundred times as many, but nobody wants to wait for them."""
KEPT: Final = 1000

_T = TypeVar("_T")


class SimulatedOpened(Opened):
    """A connection on which a statement may take so many steps."""

    __slots__ = ("left",)

    def __init__(self, raw: apsw.Connection) -> None:
        super().__init__(raw, False)
        self.left = 0
        self.look_every(STEPS)

    def _is_over(self) -> bool:
        self.left -= STEPS
        return self.left < 0


class SimulatedConnection(SqliteConnection):
    """A connection that does everything at once."""

    __slots__ = ("_kind",)

    def __init__(self, opened: SimulatedOpened, file: SqliteFile, settings: PoolSettings) -> None:
        super().__init__(opened, file, settings)
        self._kind = settings.kind

    async def query(self, sql: str, parameters: Sequence[Datum]) -> list[Row]:
        """The rows. Raises: Fault."""
        await trio.lowlevel.checkpoint()
        return (await self._run(self._plan(sql), parameters))[0]

    async def execute(self, sql: str, parameters: Sequence[Datum]) -> Done:
        """Run a command. Raises: Fault."""
        if self._kind == "sqlite":
            return await super().execute(sql, parameters)
        await trio.lowlevel.checkpoint()
        _, changed, key = await self._run(self._plan(sql), parameters)
        return Done(changed, key if self._kind == "mysql" else None)

    def _plan(self, sql: str) -> Plan:
        return self._file.plans[sql if self._kind == "sqlite" else as_sqlite(sql, self._kind)]

    async def _attempt(self, plan: Plan, bound: list[Stored], deadline: float) -> Answer:
        assert isinstance(self._opened, SimulatedOpened)
        self._opened.left = int(self._seconds * STEPS_A_SECOND)
        try:
            return self._do(plan, bound)
        except apsw.InterruptError:
            await trio.sleep(self._seconds)
            raise troubles.too_slow(self._seconds) from None

    async def _in_thread(self, work: Callable[[], _T], deadline: float) -> _T:
        return work()

    def _rows(self, cursor: apsw.Cursor, most: float) -> list[Row]:
        if self._kind == "sqlite":
            return super()._rows(cursor, most)
        try:
            columns = cursor.get_description()
        except apsw.ExecutionCompleteError:
            return []
        rows: list[Row] = []
        for found in self._fetched(cursor, most):
            row: Row = {}
            for (name, declared), value in zip(columns, found, strict=True):
                row[name] = _declared(declared, value, self._kind)
            rows.append(row)
        return rows


_TEXTS: Final = ("CHAR", "TEXT", "CLOB", "UUID", "JSON", "DATE", "TIME", "ENUM")


def _declared(declared: str | None, value: Any, kind: Kind) -> Datum:
    """A value of a column that has been declared so."""
    said = (declared or "TEXT").upper()
    if isinstance(value, str) and any(one in said for one in _TEXTS):
        return value
    if isinstance(value, int) and kind == "postgres" and said.startswith("BOOL"):
        return bool(value)
    return datum_of(value)


_TYPES: Final = {
    "serial": "INTEGER", "bigserial": "INTEGER", "smallserial": "INTEGER",
    "int": "INTEGER", "bigint": "INTEGER", "smallint": "INTEGER", "tinyint": "INTEGER",
    "mediumint": "INTEGER", "int2": "INTEGER", "int4": "INTEGER", "int8": "INTEGER",
    "auto_increment": "", "unsigned": "", "bytea": "BLOB",
}  # fmt: skip
"""Words of other kinds, and what stands for them."""
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "b": "\b", "Z": "\x1a"}


@lru_cache(maxsize=KEPT)
def as_sqlite(sql: str, kind: Kind) -> str:
    """A statement of another kind, as far as SQLite can understand it."""
    made: list[str] = []
    for what, text in pieces(sql, kind):
        if what == "word":
            made.append(_TYPES.get(text.lower(), text))
        elif what == "literal":
            made.append(_literal(text, kind))
        elif what == "comment":
            made.append(" ")
        else:
            made.append(text)
    return "".join(made)


def _literal(text: str, kind: Kind) -> str:
    if kind == "postgres" and text[:1] == "$":
        tag = text[: text.index("$", 1) + 1]
        return _quoted(text[len(tag) : -len(tag)])
    if kind == "postgres" and text[:1] in "eE":
        return _quoted(_unescaped(text[2:-1], "'"))
    if kind == "mysql" and text[:1] in "'\"":
        return _quoted(_unescaped(text[1:-1], text[0]))
    return text


def _unescaped(text: str, quote: str) -> str:
    made: list[str] = []
    letters = iter(text)
    for letter in letters:
        if letter == "\\":
            letter = next(letters, "")
            letter = _ESCAPES.get(letter, letter)
        elif letter == quote:
            next(letters, "")
        made.append(letter)
    return "".join(made)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


class SimulatedDriver:
    """See ``resources.databases.driver.Driver``."""

    def __init__(self, settings: PoolSettings, place: SimulatedPlace, is_own: bool) -> None:
        self._settings = settings
        self._place = place
        self._is_own = is_own

    @property
    def settings(self) -> PoolSettings:
        return self._settings

    async def connect(self) -> SimulatedConnection:
        """A new connection."""
        await trio.lowlevel.checkpoint()
        return SimulatedConnection(self._place.opened, self._place.file, self._settings)

    async def close(self) -> None:
        """A database in memory is gone with its pool; what would be a file or a server stays."""
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._is_own and await self._place.file.turn.take(math.inf):
            self._place.opened.raw.close()


class SimulatedPlace:
    """What stands for a file or a server."""

    def __init__(self) -> None:
        self.file = SqliteFile(MEMORY)
        self.opened = SimulatedOpened(self.file.open().raw)
