"""The port of databases: pools of connections, leased one activity at a time.

What travels is what SQL has: texts, exact numbers, booleans, nothing. Words turn other values into these
before they get here. Placeholders are ``?`` and ``$1`` alike, on every kind; ``??`` is a plain ``?``.

Trouble is a ``Fault``: ``db.query`` when the database refuses what it was asked, ``db.conflict`` when it does
so because another transaction is in the way, ``db.rows`` when it answers with more than one wants to hold,
``db.unavailable`` when it does not answer, when no connection became free in time, and when a query took too
long. After any of them a connection is clean or it is thrown away; whoever holds it need not know which.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Literal, NamedTuple, Protocol, runtime_checkable

from etamil_actors.ports.background import Keeper

Datum = str | int | Decimal | bool | None
Row = dict[str, Datum]
Kind = Literal["sqlite", "postgres", "mysql"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSettings:
    """What a pool is of, and how large it may grow. Pools with equal settings are one pool."""

    kind: Kind
    url: str = field(repr=False)
    """Where: for SQLite a path or ``:memory:``, else a URL or what the database itself understands. It may
    hold a password, so it is never shown: ``name`` is."""
    name: str = ""
    """What people call it, in messages and metrics."""
    most: int = 10
    """Connections at once."""
    least: int = 0
    """So many are kept open, once the pool is used."""
    wait_seconds: float = 5.0
    """How long an activity waits for a connection to become free."""
    query_seconds: float = 30.0
    """How long one query may take; then it is stopped in the database."""
    max_rows: int = 100_000
    """Rows of one answer; beyond them the query is stopped. 0: as many as there are. What RETURNING brings is
    not counted: it tells of rows that are changed already."""
    connect_seconds: float = 10.0
    idle_seconds: float = 600.0
    """A connection that nobody has used for so long is closed."""
    most_idle: int | None = None
    """No more than so many are kept when nobody uses them; nothing: as many as ``most``."""
    age_seconds: float = 3600.0
    """A connection that is so old is not leased again."""


class Done(NamedTuple):
    """What came of a command."""

    changed: int
    """Rows."""
    id: int | None
    """The key that the database gave the last row it inserted, where it tells one."""


class PoolFacts(NamedTuple):
    """A pool at this moment, for metrics."""

    open: int
    leased: int
    waiting: int
    opened: int
    """Since the start, as the next two."""
    failed: int
    timed_out: int


class Connection(Protocol):
    """A connection that is leased. One call at a time; a call that is cancelled stops the query."""

    @property
    def is_broken(self) -> bool:
        """Is it lost? Then whatever is asked of it fails."""

    @property
    def in_transaction(self) -> bool:
        """Is a transaction open, whoever began it?"""

    async def query(self, sql: str, parameters: Sequence[Datum]) -> list[Row]:
        """The rows; of two columns with one name the later wins. Raises: Fault."""

    async def execute(self, sql: str, parameters: Sequence[Datum]) -> Done:
        """Run a command. Raises: Fault; also for a text with more than one statement."""

    async def begin(self) -> None:
        """Begin a transaction. Raises: Fault."""

    async def commit(self) -> None:
        """Commit it. Raises: Fault; nothing of it is done then, or the answer was lost, which it says."""

    async def rollback(self) -> None:
        """Undo it; a connection on which that fails is thrown away. Raises nothing but cancellation."""

    async def savepoint(self, name: str) -> None:
        """Begin a part of a transaction. Raises: Fault."""

    async def release(self, name: str) -> None:
        """That part is right. Raises: Fault."""

    async def rollback_to(self, name: str) -> None:
        """Undo that part, and go on with the rest. Raises: Fault."""


@runtime_checkable
class TakesFunctions(Protocol):
    """A connection whose SQL can call functions of the program; only SQLite has such."""

    def add_function(self, name: str, arity: int, call: Callable[..., Datum], is_numeric: bool) -> None:
        """Make this callable, until the connection is given back. It is called in any thread, once per row,
        with values as rows have them, and may raise Fault. Its numbers go to SQL as text, or with
        ``is_numeric`` as integer or float. Raises: Fault ``db.query``."""


class Pool(Protocol):
    """Connections to one database. Nothing is opened before the first lease."""

    @property
    def settings(self) -> PoolSettings: ...

    async def lease(self) -> Connection:
        """A connection, in the order of asking. Raises: Fault ``db.unavailable``, naming the pool."""

    async def give_back(self, connection: Connection) -> None:
        """It is free for others: an open transaction is rolled back, a broken connection thrown away. Runs to
        its end even when it is cancelled, within a few seconds."""

    async def query(self, sql: str, parameters: Sequence[Datum]) -> list[Row]:
        """One query outside any transaction: lease, query, give back, perhaps faster. Raises: Fault."""

    def query_nowait(self, sql: str, parameters: Sequence[Datum]) -> list[Row] | None:
        """The same, where the rows can be had at once. None: nothing was done; ask ``query``.

        Raises:
            Fault: as ``query``.
        """

    async def execute(self, sql: str, parameters: Sequence[Datum]) -> Done:
        """One command outside any transaction. Raises: Fault."""

    async def migrate(self, files: Sequence[tuple[str, str]]) -> int:
        """Run numbered files of SQL (``001_items.sql``), name and text, each once and in the order of their
        numbers; answers how many were new.

        ``resources/databases/migrations.py`` is the one implementation: every pool hands itself and the
        files on.

        Raises:
            Fault: ``db.query``, a file fails (nothing of it is done, where the database can undo it), or one
                that was run already has changed; ``db.unavailable``.
        """

    async def close(self) -> None:
        """Lease nothing more, wait a moment for what is leased, and close everything."""

    def facts(self) -> PoolFacts: ...


class Databases(Protocol):
    """Makes pools. The same settings give the same pool for as long as it is open."""

    def pool(self, settings: PoolSettings, keeper: Keeper) -> Pool:
        """Raises: Fault ``config`` when the url cannot be understood or the driver is not installed."""

    def pools(self) -> Sequence[Pool]:
        """Those that are open."""

    async def retire(self, settings: PoolSettings) -> None:
        """Close the pool of these settings, if there is one; whoever still names them gets a new one."""


UNCLEAR_URL: Final = (
    "கடவுச்சொல்லில் @ / : # ? இருந்தால் %40 %2F %3A %23 %3F என எழுதவும்",
    "write @ / : # ? of a password as %40 %2F %3A %23 %3F",
)
"""What mostly helps, in both languages. The url itself is not shown: it may hold a password."""


def may_be_server(url: str) -> bool:
    """Can this be where a server is? Only the form is looked at; the driver understands more."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        # PostgreSQL takes several hosts, each with its port.
        return parts.netloc.count("@") < 2 and ("," in parts.netloc or parts.port != 0)
    except ValueError:
        return False


def database_kind(url: str) -> tuple[Kind | None, str]:
    """Which kind a URL means, and where the database is: of ``sqlite:data/kadai.db`` the path."""
    scheme, colon, rest = url.partition(":")
    scheme = scheme.lower()
    if colon and scheme == "sqlite":
        return "sqlite", rest.removeprefix("//") or ":memory:"
    if rest.startswith("//"):
        if scheme in ("postgres", "postgresql"):
            return "postgres", url
        if scheme in ("mysql", "mariadb"):
            return "mysql", url
    return None, url
