"""What an activity has of databases while it runs: connections that are lent to it, and transactions.

An activity has at most one connection of each pool at a time, whoever of its words asked for it; so a query
inside a block never waits for a connection that its own activity holds. Two counters tell when it goes back:

```
குறி block, transaction ─▶ users + 1 … users − 1 ─▶ 0: given back
transaction            ─▶ depth + 1   1: BEGIN … COMMIT    more: SAVEPOINT … RELEASE
```

Each way out of a block gives back what it took. Beneath that there is a net: when the activity ends, whatever
is still lent to it goes back.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final, TypeVar

import trio

from etamil_actors.actors.moments import after
from etamil_actors.actors.programs.spans import followed
from etamil_actors.errors import Fault

if TYPE_CHECKING:
    from etamil_actors.actors.programs.activity import Activity
    from etamil_actors.actors.programs.databases_statements import Opened
    from etamil_actors.ports.databases import Connection, Datum, Done, Kind, Pool, PoolSettings, Row

A = TypeVar("A")

END_SECONDS: Final = 10.0
"""How long the end of a transaction may take, cancelled or not."""


class Lease:
    """A connection while an activity has it."""

    __slots__ = ("connection", "depth", "is_spoilt", "pool", "users")

    def __init__(self, pool: Pool, connection: Connection) -> None:
        self.pool = pool
        self.connection = connection
        self.users = 0
        self.depth = 0
        """How many transactions are open, each inside the one before."""
        self.is_spoilt = False
        """Could an inner one not be undone? Then the outermost must not be kept."""

    async def begin(self) -> None:
        """Begin a transaction, or a part of the one that is open. Raises: Fault."""
        if self.depth:
            await self.connection.savepoint(f"s{self.depth}")
        else:
            await self.connection.begin()
        self.depth += 1

    async def end(self, well: bool) -> None:
        """Keep or undo what was done since the last ``begin``; it is kept as a whole or not at all.

        Raises:
            Fault: it is not kept, or nobody knows, which it says.
        """
        is_kept = False
        try:
            if well:
                await trio.lowlevel.checkpoint_if_cancelled()
                await self._keep()
                is_kept = True
        finally:
            try:
                if not is_kept:
                    await self._undo()
            finally:
                self.depth -= 1

    async def _keep(self) -> None:
        if self.is_spoilt:
            raise _refused(
                "பரிவர்த்தனையின் ஒரு பகுதியை மீட்க முடியவில்லை; அதனால் முழுவதும் மீட்கப்படுகிறது",
                "a part of the transaction could not be undone, so all of it is rolled back",
            )
        if not self.connection.is_broken and not self.connection.in_transaction:
            raise _refused(
                "பரிவர்த்தனை தொகுதிக்குள்ளேயே முடிந்துவிட்டது (COMMIT, ROLLBACK, நிறுத்தப்பட்ட ஒரு கட்டளை, அல்லது "
                "MySQL-இல் CREATE போன்றவை); அதுவரை செய்தவை உறுதியாகியிருக்கலாம், மீட்கப்பட்டும் இருக்கலாம். "
                "இத்தகைய கட்டளைகளைத் தொகுதிக்கு வெளியே எழுதவும்",
                "the transaction has ended inside its block (by COMMIT, ROLLBACK, a command that was "
                "stopped, or on MySQL by CREATE and its like); what was done before may be committed, or "
                "undone. Write such commands outside the block",
            )
        # A cancellation in the middle would leave open which of the two it is.
        with trio.CancelScope(shield=True, deadline=after(END_SECONDS)) as scope:
            if self.depth > 1:
                await self.connection.release(f"s{self.depth - 1}")
            else:
                await self.connection.commit()
        if scope.cancelled_caught:
            raise Fault(
                "db.unavailable",
                tamil="பரிவர்த்தனை உறுதியானதா என்று தெரியவில்லை: தரவுத்தளம் விடையளிக்கவில்லை",
                english="nobody knows whether the transaction is committed: the database does not answer",
            )

    async def _undo(self) -> None:
        with trio.CancelScope(shield=True, deadline=after(END_SECONDS)) as scope:
            if self.depth == 1:
                await self.connection.rollback()
                return
            try:
                await self.connection.rollback_to(f"s{self.depth - 1}")
            except Fault:
                self.is_spoilt = True
        if scope.cancelled_caught:
            self.is_spoilt = True


def _refused(tamil: str, english: str) -> Fault:
    return Fault("db.query", tamil=f"SQL தோல்வி: {tamil}", english=f"SQL failed: {english}")


class Lent:
    """Everything of databases that an activity has. It is made when the first connection is lent."""

    __slots__ = ("leases", "opened")

    def __init__(self) -> None:
        self.leases: dict[PoolSettings, Lease] = {}
        """Not by pool: should somebody close it meanwhile, then the pool that takes its place must not get
        what belongs to a transaction of the old one."""
        self.opened: dict[str, Opened] | None = None
        """What தளம்_இணை has opened, by handle, once the activity uses such statements."""

    async def take(self, pool: Pool) -> Lease:
        """The connection of this pool, lent now if it is not yet. Raises: Fault."""
        lease = self.leases.get(pool.settings)
        if lease is None:
            lease = self.leases[pool.settings] = Lease(pool, await pool.lease())
        lease.users += 1
        return lease

    async def leave(self, lease: Lease) -> None:
        """One word needs it no more."""
        lease.users -= 1
        if not lease.users:
            del self.leases[lease.pool.settings]
            await lease.pool.give_back(lease.connection)

    def in_transaction(self, settings: PoolSettings) -> Lease | None:
        """The connection on which a transaction is open, of this pool or another of the same database."""
        place = _place(settings)
        for lease in self.leases.values():
            if lease.depth and _place(lease.pool.settings) == place:
                return lease
        return None

    async def rest(self) -> None:
        """The activity goes on later: what it does not need until then is given back."""
        for one in (self.opened or {}).values():
            await one.rest()

    async def end(self) -> None:
        """The activity has ended: give everything back, also when it is cut short meanwhile."""
        leases, self.leases = self.leases, {}
        opened, self.opened = self.opened, {}
        async with AsyncExitStack() as giving:
            for lease in leases.values():
                giving.push_async_callback(lease.pool.give_back, lease.connection)
            for one in (opened or {}).values():
                giving.push_async_callback(one.end)


def _place(settings: PoolSettings) -> tuple[str, str, str]:
    return settings.kind, settings.url, settings.name  # every database in memory has a name of its own


def lent_to(activity: Activity) -> Lent:
    """What an activity has; given back at its end."""
    lent = activity.lent
    if lent is None:
        lent = activity.lent = Lent()
        activity.at_end(lambda well: _end(activity))
    return lent


def _end(activity: Activity) -> Any:
    lent, activity.lent = activity.lent, None
    return lent.end() if lent is not None and (lent.leases or lent.opened) else None


def _where(activity: Activity, pool: Pool) -> Pool | Connection:
    """Who runs what the activity asks of this pool: the connection that it has, or else any."""
    if activity.lent is not None:
        lease = activity.lent.leases.get(pool.settings)
        if lease is not None:
            return lease.connection
    return pool


async def query(activity: Activity, pool: Pool, sql: str, data: Sequence[Datum]) -> list[Row]:
    """The rows of a query, on the connection that the activity has of this pool, or on any. Raises: Fault."""
    return await told(activity, pool, sql, _where(activity, pool).query(sql, data))


def query_nowait(activity: Activity, pool: Pool, sql: str, data: Sequence[Datum]) -> list[Row] | None:
    """The same, if nothing has to be waited for and nobody traces; None: nothing was done. Raises: Fault."""
    if activity.service.system.tracer is not None:
        return None
    if activity.lent is not None and pool.settings in activity.lent.leases:
        return None
    return pool.query_nowait(sql, data)


async def execute(activity: Activity, pool: Pool, sql: str, data: Sequence[Datum]) -> Done:
    """Run a command there. Raises: Fault."""
    return await told(activity, pool, sql, _where(activity, pool).execute(sql, data))


# ---- spans ----------------------------------------------------------------------------

_SYSTEMS: Final[dict[Kind, str]] = {"sqlite": "sqlite", "postgres": "postgresql", "mysql": "mysql"}
"""What OpenTelemetry calls the kinds."""

LONGEST_WORD: Final = 16


async def told(activity: Activity, pool: Pool, sql: str, asked: Coroutine[Any, Any, A]) -> A:
    """The answer to a query, as a span of its own where somebody traces. Raises: what the query raises."""
    if activity.service.system.tracer is None:
        return await asked
    settings = pool.settings
    attributes = {"db.system": _SYSTEMS[settings.kind], "db.pool.name": settings.name}
    with followed(activity, _first_word(sql), "client", attributes):
        return await asked


def _first_word(sql: str) -> str:
    """SELECT, INSERT …: few names, and nothing of what the program says."""
    word = (sql.split(None, 1) or [""])[0].upper()
    return word if word.isascii() and word.isalpha() and len(word) <= LONGEST_WORD else "SQL"
