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

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import trio

from etamil_actors.actors.moments import after
from etamil_actors.errors import Fault

if TYPE_CHECKING:
    from etamil_actors.actors.programs.activity import Activity
    from etamil_actors.actors.programs.databases_statements import Opened
    from etamil_actors.ports.databases import Connection, Datum, Done, Pool, Row

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
        if self.is_spoilt or not self.connection.in_transaction:
            raise _lost(
                "பரிவர்த்தனை தொகுதிக்குள்ளேயே முடிந்துவிட்டது; அது உறுதியாகவில்லை",
                "the transaction has ended inside its block, and is not committed",
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


def _lost(tamil: str, english: str) -> Fault:
    return Fault("db.query", tamil=f"SQL தோல்வி: {tamil}", english=f"SQL failed: {english}")


class Lent:
    """Everything of databases that an activity has. It is made when the first connection is lent."""

    __slots__ = ("leases", "opened")

    def __init__(self) -> None:
        self.leases: dict[Pool, Lease] = {}
        self.opened: dict[str, Opened] | None = None
        """What தளம்_இணை has opened, by handle, once the activity uses such statements."""

    async def take(self, pool: Pool) -> Lease:
        """The connection of this pool, lent now if it is not yet. Raises: Fault."""
        lease = self.leases.get(pool)
        if lease is None:
            lease = self.leases[pool] = Lease(pool, await pool.lease())
        lease.users += 1
        return lease

    async def leave(self, lease: Lease) -> None:
        """One word needs it no more."""
        lease.users -= 1
        if not lease.users:
            del self.leases[lease.pool]
            await lease.pool.give_back(lease.connection)

    def in_transaction(self, pool: Pool) -> Lease | None:
        """The connection of this pool, if a transaction is open on it."""
        lease = self.leases.get(pool)
        return lease if lease is not None and lease.depth else None

    async def end(self) -> None:
        """The activity has ended: give everything back."""
        leases, self.leases = self.leases, {}
        opened, self.opened = self.opened, {}
        for lease in leases.values():
            await lease.pool.give_back(lease.connection)
        for one in (opened or {}).values():
            await one.end()


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


async def query(activity: Activity, pool: Pool, sql: str, data: Sequence[Datum]) -> list[Row]:
    """The rows of a query, on the connection that the activity has of this pool, or on any. Raises: Fault."""
    if activity.lent is not None:
        lease = activity.lent.leases.get(pool)
        if lease is not None:
            return await lease.connection.query(sql, data)
    return await pool.query(sql, data)


async def execute(activity: Activity, pool: Pool, sql: str, data: Sequence[Datum]) -> Done:
    """Run a command there. Raises: Fault."""
    if activity.lent is not None:
        lease = activity.lent.leases.get(pool)
        if lease is not None:
            return await lease.connection.execute(sql, data)
    return await pool.execute(sql, data)
