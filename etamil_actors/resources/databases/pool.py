"""One pool for all kinds of databases.

A pool has ``most`` *places*. Whoever wants a connection needs a place first, in the order of asking; with it
one takes the connection that was used last, or opens a new one when none is idle:

```
lease ── a place free? ──▶ idle one? ─ yes ─▶ good? ─▶ leased ──▶ give_back ─┬─▶ idle
              │ no            │ no              │ no                        └─▶ thrown away
              ▼               ▼                 ▼                 the place goes to the first who waits
       wait, first come    connect        throw it away
```

So idle and leased connections together are never more than ``most``, and nothing but the number of places
has to be right for that. A place is handed over, never set free, while somebody waits: nobody is overtaken.

When no connection can be made, the next attempt waits: twice as long after each failure, with jitter. Until
then whoever needs a new connection is told at once what the trouble is. Only one tries then, for all.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Final, cast

import outcome
import trio
from trio.lowlevel import Abort, Task, current_task, reschedule, wait_task_rescheduled

from etamil_actors.errors import Fault
from etamil_actors.ports.background import Keeper
from etamil_actors.ports.databases import Connection, Datum, Done, Pool, PoolFacts, PoolSettings, Row
from etamil_actors.resources.databases import troubles
from etamil_actors.resources.databases.driver import Driver, QuickConnection, RawConnection

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 10.0
"""How long nobody tries to connect after a failure: from the first to the worst."""
CHECK_SECONDS: Final = 2.0
"""How long a connection may take to tell that it lives."""
CHECK_AFTER: Final = 1.0
"""A connection that was idle for so long is asked whether it lives before it is leased. One that is used all
the time never is."""
CHECK_EVERY: Final = 60.0
"""So often idle connections are asked in the background."""
RESET_SECONDS: Final = 5.0
GRACE_SECONDS: Final = 2.5
"""How long closing a pool waits for what is leased."""
GOODBYE_SECONDS: Final = 1.0


class Held:
    """An open connection, and what the pool knows of it."""

    __slots__ = ("born", "checked", "connection", "is_returning", "since")

    def __init__(self, connection: RawConnection, now: float) -> None:
        self.connection = connection
        self.born = now
        self.since = now
        """When it became idle."""
        self.checked = now
        """When it was last known to live."""
        self.is_returning = False


class DriverPool:
    """See ``ports.databases.Pool``."""

    def __init__(
        self,
        settings: PoolSettings,
        driver: Driver,
        keeper: Keeper,
        *,
        forget: Callable[[Pool], None],
        background: bool = True,
    ) -> None:
        """
        Args:
            forget: called when the pool is closed.
            background: may idle connections be looked after while nobody asks for one?
        """
        self._settings = settings
        self._driver = driver
        self._is_quick = getattr(driver, "is_quick", False)
        self._keeper = keeper
        self._forget = forget
        self._name = settings.name or settings.kind
        self._most = max(1, settings.most)
        self._most_idle = self._most if settings.most_idle is None else settings.most_idle
        self._used = 0
        """Places that are taken."""
        self._idle: list[Held] = []
        """The one that was used last stands last."""
        self._leased: dict[Connection, Held] = {}
        self._waiting: dict[Task, None] = {}
        self._is_closed = False
        self._gone: trio.Event | None = None
        self._emptied: trio.Event | None = None

        self._failures = 0
        self._next_try = 0.0
        self._trouble: Fault | None = None
        self._attempt: trio.Event | None = None
        """Set while somebody tries to connect after a failure."""
        self._suspect_since = -math.inf
        """Connections that were idle at this moment may be as dead as the one that broke then."""

        self._is_tended = not background
        self._call: trio.Event | None = None
        """What wakes the one who looks after idle connections."""
        self._sleeps_forever = False

        self._opened = 0
        self._failed = 0
        self._timed_out = 0

    @property
    def settings(self) -> PoolSettings:
        return self._settings

    def facts(self) -> PoolFacts:
        """The pool at this moment."""
        return PoolFacts(
            open=len(self._idle) + len(self._leased),
            leased=len(self._leased),
            waiting=len(self._waiting),
            opened=self._opened,
            failed=self._failed,
            timed_out=self._timed_out,
        )

    def __repr__(self) -> str:
        return f"<pool {self._name}: {len(self._leased)} leased, {len(self._idle)} idle>"

    # ---- what programs ask ------------------------------------------------------------------

    async def lease(self) -> Connection:
        """A connection, in the order of asking. Raises: Fault."""
        await trio.lowlevel.checkpoint_if_cancelled()
        held = self._take_nowait()
        return held.connection if held is not None else (await self._take()).connection

    async def give_back(self, connection: Connection) -> None:
        """It is free for others. What is not ours, or not ours any more, is left alone."""
        held = self._leased.get(connection)
        if held is None or held.is_returning:
            return
        held.is_returning = True
        raw = held.connection
        try:
            if not raw.is_broken and raw.needs_reset:
                with trio.CancelScope(shield=True, deadline=trio.current_time() + RESET_SECONDS) as scope:
                    await raw.reset()
                if scope.cancelled_caught:
                    raw.abandon()
        except BaseException:
            raw.abandon()
            raise
        finally:
            await self._settle(held)

    async def query(self, sql: str, parameters: Sequence[Datum]) -> list[Row]:
        """One query outside any transaction. Raises: Fault."""
        held = self._take_nowait()
        if held is None:
            held = await self._take()
        raw = held.connection
        try:
            return await raw.query(sql, parameters)
        finally:
            if raw.is_broken or raw.needs_reset or self._is_closed:
                await self.give_back(raw)
            else:
                await self._settle(held)

    def query_nowait(self, sql: str, parameters: Sequence[Datum]) -> list[Row] | None:
        """The rows of one query, if they can be had without a wait; None: nothing was done. Raises: Fault."""
        if not self._is_quick:
            return None
        held = self._take_nowait()
        if held is None:
            return None
        raw = held.connection
        try:
            return cast(QuickConnection, raw).query_nowait(sql, parameters)
        finally:
            self._settle_nowait(held)

    async def execute(self, sql: str, parameters: Sequence[Datum]) -> Done:
        """One command outside any transaction. Raises: Fault."""
        held = self._take_nowait()
        if held is None:
            held = await self._take()
        raw = held.connection
        try:
            return await raw.execute(sql, parameters)
        finally:
            if raw.is_broken or raw.needs_reset or self._is_closed:
                await self.give_back(raw)
            else:
                await self._settle(held)

    async def migrate(self, files: Sequence[tuple[str, str]]) -> int:
        """Run numbered files of SQL, each once; answers how many were new. Raises: Fault."""
        from etamil_actors.resources.databases.migrations import STATEMENT_SECONDS, migrate

        patient = getattr(self._driver, "patient", None)
        driver = patient(STATEMENT_SECONDS, self._keeper) if patient is not None else None
        if driver is None:
            return await migrate(self, files)
        pool = DriverPool(driver.settings, driver, self._keeper, forget=_nobody, background=False)
        try:
            return await migrate(pool, files)
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 2 * GOODBYE_SECONDS):
                await pool.close()

    # ---- leasing ----------------------------------------------------------------------------

    def _take_nowait(self) -> Held | None:
        """The connection that was used last, if there is nothing to wait for and nothing to look into."""
        if not self._idle or self._used >= self._most or self._is_closed:
            return None
        held = self._idle[-1]
        now = trio.current_time()
        if (
            now - held.since > CHECK_AFTER
            or held.since <= self._suspect_since
            or now - held.born >= self._settings.age_seconds
        ):
            return None
        self._idle.pop()
        self._used += 1
        self._leased[held.connection] = held
        return held

    async def _take(self) -> Held:
        await self._take_place()
        try:
            while self._idle:
                held = self._idle.pop()
                if await self._is_good(held):
                    return self._lend(held)
            return self._lend(await self._open())
        except BaseException:
            self._free_place()
            raise

    def _lend(self, held: Held) -> Held:
        if self._is_closed:
            held.connection.abandon()
            raise troubles.pool_is_closed(self._name)
        self._leased[held.connection] = held
        return held

    async def _take_place(self) -> None:
        """Wait for a place. Raises: Fault ``db.unavailable``, ``db.closed``."""
        if self._is_closed:
            raise troubles.pool_is_closed(self._name)
        if self._used < self._most:
            self._used += 1
            return
        task = current_task()
        self._waiting[task] = None

        def abort(_: object) -> Abort:
            del self._waiting[task]
            return Abort.SUCCEEDED

        seconds = self._settings.wait_seconds
        with trio.CancelScope(deadline=trio.current_time() + seconds):
            await wait_task_rescheduled(abort)
            return
        self._timed_out += 1
        if self._trouble is not None and not self._leased:
            raise troubles.of_pool(self._name, self._trouble)
        raise troubles.nothing_free(self._name, self._most, seconds)

    def _free_place(self) -> None:
        """A place is free: it is handed to the first who waits."""
        for task in self._waiting:
            del self._waiting[task]
            reschedule(task)
            return
        self._used -= 1
        if self._emptied is not None and not self._used:
            self._emptied.set()

    async def _settle(self, held: Held) -> None:
        """What was leased becomes idle or is thrown away; its place is free."""
        if held.connection not in self._leased:
            return  # the pool was closed meanwhile, and has let go of it
        is_spare = len(self._idle) >= self._most_idle and not self._waiting
        is_old = trio.current_time() - held.born >= self._settings.age_seconds
        if held.connection.is_broken or not (self._is_closed or is_old or is_spare):
            self._settle_nowait(held)
            return
        del self._leased[held.connection]
        try:
            await self._dismiss(held)
        finally:
            self._free_place()

    def _settle_nowait(self, held: Held) -> None:
        """The same, where there is nobody to say goodbye to: it is good, or broken."""
        raw = held.connection
        del self._leased[raw]
        now = trio.current_time()
        if raw.is_broken:
            self._suspect_since = now
            raw.abandon()
            self._wake()
        else:
            held.since = held.checked = now
            held.is_returning = False
            self._idle.append(held)
            if self._sleeps_forever:
                self._wake()
        self._free_place()

    async def _is_good(self, held: Held) -> bool:
        """May it be leased? If not, it is thrown away. The caller has a place."""
        now = trio.current_time()
        if now - held.born >= self._settings.age_seconds or now - held.since >= self._settings.idle_seconds:
            await self._dismiss(held)
            return False
        if now - held.checked <= CHECK_AFTER and held.since > self._suspect_since:
            return True
        return await self._lives(held)

    async def _lives(self, held: Held) -> bool:
        """Does the other side answer? If not, the connection is thrown away; and if it only stays silent, so
        are the others that are idle: nobody shall wait for the same silence once for each of them."""
        raw = held.connection
        lives = False
        try:
            with trio.CancelScope(deadline=trio.current_time() + CHECK_SECONDS) as scope:
                lives = await raw.check()
            if scope.cancelled_caught:
                idle, self._idle = self._idle, []
                for other in idle:
                    other.connection.abandon()
        except Fault:
            pass  # it does not live, whatever it says
        finally:
            if not lives or raw.is_broken:
                raw.abandon()
        if lives:
            held.checked = trio.current_time()
        return lives

    async def _dismiss(self, held: Held) -> None:
        """Say goodbye to a connection that still works."""
        raw = held.connection
        try:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + GOODBYE_SECONDS):
                await raw.close()
        finally:
            raw.abandon()

    # ---- connecting -------------------------------------------------------------------------

    async def _open(self) -> Held:
        """A new connection. The caller has a place. Raises: Fault ``db.unavailable``, naming the pool."""
        while self._failures:
            if self._attempt is not None:
                await self._attempt.wait()
                continue
            pause = self._next_try - trio.current_time()
            if pause > 0 and self._trouble is not None:
                raise troubles.of_pool(self._name, self._trouble, pause)
            self._attempt = trio.Event()
            try:
                return await self._connect()
            finally:
                self._attempt.set()
                self._attempt = None
        return await self._connect()

    async def _connect(self) -> Held:
        seconds = self._settings.connect_seconds
        began = trio.current_time()
        try:
            with trio.CancelScope(deadline=trio.current_time() + seconds):
                raw = await self._driver.connect()
                self._failures = 0
                self._trouble = None
                self._opened += 1
                self._tend()
                return Held(raw, trio.current_time())
            raise troubles.no_answer(seconds)
        except Fault as fault:
            self._failed += 1
            self._trouble = fault
            if began >= self._next_try:  # those that began together are one failure
                self._failures += 1
                pause = min(FIRST_PAUSE * 2 ** min(self._failures - 1, 20), LONGEST_PAUSE)
                self._next_try = trio.current_time() + pause * random.uniform(0.5, 1.0)
            raise troubles.of_pool(self._name, fault) from None

    # ---- looking after what is idle ---------------------------------------------------------

    def _tend(self) -> None:
        if not self._is_tended:
            self._is_tended = True
            self._keeper.start(f"pool {self._name}", self._look_after)

    def _wake(self) -> None:
        self._sleeps_forever = False
        call, self._call = self._call, None
        if call is not None:
            call.set()

    async def _look_after(self) -> None:
        """Close what nobody uses or what is old, ask the others whether they live, keep ``least`` open."""
        while True:
            until = await self._tidy()
            if self._is_closed:
                return
            self._call = call = trio.Event()
            # What becomes idle meanwhile is due later than what is idle already.
            self._sleeps_forever = until == math.inf
            with trio.CancelScope(deadline=until):
                await call.wait()

    async def _tidy(self) -> float:
        """Do what is due; answers when something will be."""
        now = trio.current_time()
        for held in self._idle[:]:
            if held not in self._idle or self._used >= self._most:
                continue
            spare = len(self._idle) + len(self._leased) > self._settings.least
            is_old = now - held.born >= self._settings.age_seconds
            is_idle = spare and now - held.since >= self._settings.idle_seconds
            is_due = now - held.checked >= CHECK_EVERY or held.since <= self._suspect_since
            if not (is_old or is_idle or is_due):
                continue
            self._idle.remove(held)
            self._used += 1
            try:
                if is_old or is_idle:
                    await self._dismiss(held)
                elif await self._lives(held):
                    if self._is_closed:
                        await self._dismiss(held)
                        continue
                    self._idle.append(held)
                    self._idle.sort(key=lambda one: one.since)
            finally:
                self._free_place()
        await self._warm()
        return self._next_due()

    async def _warm(self) -> None:
        """Open as many as are wanted at the least."""
        while self._is_cold():
            self._used += 1
            try:
                held = await self._open()
                if self._is_closed:
                    held.connection.abandon()
                else:
                    self._idle.insert(0, held)
            except Fault:
                return  # whoever asks for a connection is told
            finally:
                self._free_place()

    def _is_cold(self) -> bool:
        """Are fewer open than are wanted at the least?"""
        return not self._is_closed and len(self._idle) + self._used < min(self._settings.least, self._most)

    def _next_due(self) -> float:
        settings = self._settings
        due = math.inf
        for held in self._idle:
            due = min(due, held.born + settings.age_seconds, held.checked + CHECK_EVERY)
            if len(self._idle) + self._used > settings.least:
                due = min(due, held.since + settings.idle_seconds)
        if self._leased:
            # They will be idle one day, and shall not have to wake anybody whenever they are.
            due = min(due, trio.current_time() + min(CHECK_EVERY, settings.idle_seconds))
        if self._is_cold():
            due = min(due, self._next_try)
        # What could not be looked at because everything was in use is looked at a little later.
        return max(due, trio.current_time() + FIRST_PAUSE)

    # ---- the end ----------------------------------------------------------------------------

    async def close(self) -> None:
        """Lease nothing more, wait a moment for what is leased, and close everything."""
        if self._gone is not None:
            await self._gone.wait()
            return
        self._gone = trio.Event()
        self._is_closed = True
        self._wake()
        waiting, self._waiting = self._waiting, {}
        for task in waiting:
            reschedule(task, outcome.Error(troubles.pool_is_closed(self._name)))
        try:
            if self._used:
                self._emptied = trio.Event()
                with trio.CancelScope(deadline=trio.current_time() + GRACE_SECONDS):
                    await self._emptied.wait()
        finally:
            leased, self._leased = self._leased, {}
            for connection in leased.values():
                connection.connection.abandon()
            idle, self._idle = self._idle, []
            try:
                with trio.CancelScope(shield=True, deadline=trio.current_time() + 2 * GOODBYE_SECONDS):
                    async with trio.open_nursery() as nursery:
                        for held in idle:
                            nursery.start_soon(self._dismiss, held)
                    await self._driver.close()
            finally:
                self._forget(self)
                self._gone.set()


def _nobody(pool: Pool) -> None:
    """Nobody else has heard of it."""
