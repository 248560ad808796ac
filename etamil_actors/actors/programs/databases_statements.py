"""Statements of 2.0: ``தளம்_இணை``, ``தளம்_செய்``, ``தளம்_வினா``, ``தளம்_பிரி``, and their attempts (REFERENCE §18).

A handle means one connection that nobody else uses meanwhile. What the top level opens, every activity
begins with (EXTENSIONS §1.1): it borrows a connection when it first uses the handle, and keeps it to its end,
when an open transaction is rolled back. A database in memory belongs to whoever opened it: to the whole
service, if that was the top level.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Sequence
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any, Final, TypeVar

from etamil_actors.actors.programs.databases import MEMORY, opened, settings_for, settled
from etamil_actors.actors.programs.databases_functions import (
    LONGEST_NAME,
    MODES,
    MOST_PARAMETERS,
    RowFunction,
    SqlFunction,
)
from etamil_actors.actors.programs.databases_leases import lent_to, told
from etamil_actors.actors.programs.databases_values import data_of, refused, rows_in_turns
from etamil_actors.actors.programs.words import word
from etamil_actors.errors import Fault
from etamil_actors.ports.databases import Kind, PoolSettings, TakesFunctions, database_kind
from etamil_actors.vm.convert import text_of
from etamil_actors.vm.purity import why_not_pure
from etamil_actors.vm.values import BuiltinFunction, Err, Function, Ok, Value

if TYPE_CHECKING:
    from etamil_actors.actors.programs.activity import Activity
    from etamil_actors.actors.programs.databases_leases import Lent
    from etamil_actors.actors.programs.system import System
    from etamil_actors.ports.databases import Connection, Datum, Pool

BACK_ENDS: Final[dict[str, Kind]] = {
    "SQL": "sqlite",
    "SQLite": "sqlite",
    "PostgreSQL": "postgres",
    "MySQL": "mysql",
}
"""The words of REFERENCE §18.2 that have a driver."""

_memories = count(1)
_ROLLBACK: Final = re.compile(r"\s*ROLLBACK(?:\s+(?:WORK|TRANSACTION))?[\s;]*", re.IGNORECASE)

A = TypeVar("A")


class Opened:
    """A connection under a handle. It is borrowed when it is first used."""

    __slots__ = ("_connection", "_was_open", "back_end", "functions", "is_own", "pool", "text")

    def __init__(self, back_end: str, text: str, pool: Pool, is_own: bool) -> None:
        self.back_end = back_end
        self.text = text
        self.pool = pool
        self.is_own = is_own
        """Does the pool end with it? A database in memory that no other activity has."""
        self.functions: dict[tuple[str, int], SqlFunction] = {}
        """What தளம்_செயல்_பதிவு has made callable, by name and number of parameters."""
        self._connection: Connection | None = None
        self._was_open = False
        """Did a transaction begin, and not end, before the connection broke?"""

    async def run(
        self, activity: Activity, sql: str, asked: Callable[[Connection], Coroutine[Any, Any, A]]
    ) -> A:
        """What its connection answers. Raises: Fault."""
        if self._connection is not None and self._connection.is_broken:
            await self._replace(sql)
        connection = await self.connection()
        try:
            return await told(activity, self.pool, sql, asked(connection))
        finally:
            if not connection.is_broken:
                self._was_open = connection.in_transaction

    async def _replace(self, sql: str) -> None:
        """Let a broken connection go. With it went the transaction that was open, if one was, and what else
        belonged to that must not be done by itself: first the program has to say ROLLBACK."""
        if self._was_open and not _ROLLBACK.fullmatch(sql):
            return
        self._was_open = False
        connection, self._connection = self._connection, None
        assert connection is not None
        await self.pool.give_back(connection)

    async def connection(self) -> Connection:
        """The connection, borrowed now if it is not yet. Raises: Fault."""
        if self._connection is None:
            self._connection = await self.pool.lease()
            for made in self.functions.values():
                _add(self._connection, made)
        return self._connection

    async def rest(self) -> None:
        """Whoever has it does nothing for a while: others may use it, if nothing is open on it."""
        connection = self._connection
        if connection is None or self.is_memory or (not connection.is_broken and connection.in_transaction):
            return
        if connection.is_broken and self._was_open:
            return  # the program has to hear of it
        self._connection = None
        await self.pool.give_back(connection)

    async def end(self) -> None:
        """Give it back."""
        connection, self._connection = self._connection, None
        try:
            if connection is not None:
                await self.pool.give_back(connection)
        finally:
            if self.is_own:
                await self.pool.close()

    def for_another(self) -> Opened:
        """The same for another activity."""
        made = Opened(self.back_end, self.text, self.pool, False)
        made.functions = dict(self.functions)
        return made

    @property
    def is_memory(self) -> bool:
        """Is it a database in memory? Then it is gone with its pool."""
        return self.pool.settings.url == MEMORY


def _is_top_level(activity: Activity) -> bool:
    """Does it leave what it opens to every activity?"""
    return activity.machine is not None and activity.machine.declaring is not None


def _handles(activity: Activity) -> tuple[Lent, dict[str, Opened]]:
    """What is open in this activity, by handle."""
    lent = lent_to(activity)
    if lent.opened is None:
        lent.opened = {}
        if not _is_top_level(activity):
            lent.opened = {name: one.for_another() for name, one in activity.service.opened.items()}
    return lent, lent.opened


def _trouble(handle: str, tamil: str, english: str) -> Fault:
    return Fault("db.handle", handle=handle, problem_ta=tamil, problem_en=english)


@word("db.connect")
async def connect(activity: Activity, back_end: str, text: Value, handle: str | None) -> None:
    """தளம்_இணை."""
    kind = BACK_ENDS.get(back_end)
    if kind is None:
        raise Fault("db.unsupported", backend=back_end)
    where, name = text_of(text), handle or back_end
    _, handles = _handles(activity)
    there = handles.get(name)
    if there is not None:
        if (there.text, BACK_ENDS[there.back_end]) != (where, kind):
            raise _trouble(name, "வேறொரு தரவுத்தளத்துடன் இணைந்திருக்கிறது", "it is connected to another database")
        return
    service = activity.service
    is_top, is_memory = _is_top_level(activity), kind == "sqlite" and _path(where) == MEMORY
    if is_top and not handles:  # what an earlier run of the top level has left
        for earlier in service.opened.values():
            if earlier.is_memory:
                await earlier.pool.close()
        service.opened = {}
    settings = settings_for(service, _settings(service.system, kind, where, is_memory))
    pool = opened(service.system, settings)
    made = Opened(back_end, where, pool, is_memory and not is_top)
    await made.connection()
    handles[name] = made
    if is_top:
        service.opened[name] = shared = made.for_another()
        shared.functions = made.functions  # what the top level registers is there for every activity


def _path(where: str) -> str:
    kind, place = database_kind(where)
    return place if kind == "sqlite" else where


def _settings(system: System, kind: Kind, where: str, is_memory: bool) -> PoolSettings:
    meant, place = database_kind(where)
    if meant is not None and meant != kind:
        raise Fault("db.unsupported", backend=meant)
    if kind == "sqlite" and "://" in place:  # a url with a slip in its first word: no file has such a name
        raise Fault("db.unsupported", backend=place.partition("://")[0])
    if is_memory:  # every opening is a database of its own
        return PoolSettings(kind=kind, url=MEMORY, name=f"{MEMORY}#{next(_memories)}")
    return settled(system, kind, place if meant is not None else where)


@word("db.disconnect")
async def disconnect(activity: Activity, handle: str) -> None:
    """தளம்_பிரி."""
    _, handles = _handles(activity)
    if handle not in handles:
        raise _trouble(handle, "இணைக்கப்படவில்லை", "it is not open")
    made = handles.pop(handle)
    if _is_top_level(activity):
        activity.service.opened.pop(handle, None)
        made.is_own = made.is_memory
    await made.end()


async def _asked(
    activity: Activity,
    sql: Value,
    parameters: Value,
    handle: str | None,
    ask: Callable[[Connection, str, Sequence[Datum]], Coroutine[Any, Any, A]],
) -> A:
    """What a statement gets from the connection that it means; inside a transaction on the same database,
    from that of the transaction. Raises: Fault."""
    if not isinstance(parameters, list):
        raise Fault("db.parameters")
    lent, handles = _handles(activity)
    if handle is None:
        found = _only(handles)
    elif handle in handles:
        found = handles[handle]
    else:
        raise _trouble(handle, "அப்படி ஒரு கைப்பிடி இல்லை", "there is no such handle")
    settings = found.pool.settings
    text, data = text_of(sql), data_of(parameters, settings.kind)
    lease = lent.in_transaction(settings)
    if lease is not None:
        return await told(activity, lease.pool, text, ask(lease.connection, text, data))
    return await found.run(activity, text, lambda connection: ask(connection, text, data))


def _only(handles: dict[str, Opened]) -> Opened:
    """The one that is open. Raises: Fault ``db.not_connected``, ``db.handle``."""
    if not handles:
        raise Fault("db.not_connected")
    if len(handles) > 1:
        names = ", ".join(handles)
        raise Fault(
            "db.handle",
            tamil=f"பல தரவுத்தள இணைப்புகள் உள்ளன ({names}); எது என்று சொல்லவும்",
            english=f"several databases are open ({names}); say which",
        )
    return next(iter(handles.values()))


@word("db.query")
async def query(activity: Activity, sql: Value, parameters: Value, handle: str | None = None) -> Value:
    """தளம்_வினா: the rows."""
    rows = await _asked(activity, sql, parameters, handle, lambda one, text, data: one.query(text, data))
    return await rows_in_turns(rows)


@word("db.execute")
async def execute(activity: Activity, sql: Value, parameters: Value, handle: str | None = None) -> int:
    """தளம்_செய்: how many rows have changed."""
    done = await _asked(activity, sql, parameters, handle, lambda one, text, data: one.execute(text, data))
    return done.changed


@word("_tryQuery")
async def try_query(activity: Activity, sql: Value, parameters: Value) -> Value:
    """தளம்_வினா_முயற்சி."""
    try:
        return Ok(await query(activity, sql, parameters))
    except Fault as fault:
        return Err(fault.message)


@word("_tryExecute")
async def try_execute(activity: Activity, sql: Value, parameters: Value) -> Value:
    """தளம்_செய்_முயற்சி."""
    try:
        return Ok(await execute(activity, sql, parameters))
    except Fault as fault:
        return Err(fault.message)


@word("_registerFunction")
async def register_function(
    activity: Activity, name: str, function: Function | BuiltinFunction, arity: Value, mode: Value = MODES[0]
) -> Value:
    """தளம்_செயல்_பதிவு(name, function, arity [, mode])."""
    try:
        made = _function_for(activity, name, function, arity, mode)
        opened_one = _only(_handles(activity)[1])
        _add(await opened_one.connection(), made)
        opened_one.functions[made.name, made.arity] = made
    except Fault as fault:
        return Err(fault.message)
    return Ok(None)


def _add(connection: Connection, made: SqlFunction) -> None:
    if not isinstance(connection, TakesFunctions):
        raise _no_function(made.name, "SQLite மட்டுமே செயல்களை அழைக்கும்", "only SQLite calls functions")
    connection.add_function(made.name, made.arity, made.call, made.is_numeric)


def _function_for(
    activity: Activity, name: str, function: Function | BuiltinFunction, arity: Value, mode: Value
) -> SqlFunction:
    if not name or len(name.encode("utf-8", "replace")) > LONGEST_NAME or "\0" in name:
        raise _no_function(name, "இப்படி ஒரு பெயர் இருக்க முடியாது", "there can be no such name")
    if type(arity) is Decimal and arity == int(arity):
        arity = int(arity)
    least = function.arity if isinstance(function, Function) else function.least
    most = function.arity if isinstance(function, Function) else function.most
    if type(arity) is not int or not 0 <= arity <= MOST_PARAMETERS or arity < least or 0 <= most < arity:
        many = text_of(arity)
        raise _no_function(name, f"அது {many} அளவுருக்களை எடுக்காது", f"it does not take {many} parameter(s)")
    said = text_of(mode)
    if said not in MODES:
        raise _no_function(
            name,
            f"‘{said}’ என்ற முறை இல்லை; exact அல்லது numeric",
            f"there is no mode ‘{said}’, only exact and numeric",
        )
    reason = why_not_pure(function)
    if reason is not None:
        tamil, _, english = reason.partition(" / ")
        raise _no_function(
            name,
            f"அது கணக்கிட மட்டுமே செய்யலாம்; உள்ளே ‘{tamil}’ இருக்கிறது",
            f"it may only compute, and there is ‘{english or tamil}’ in it",
        )
    assert activity.machine is not None
    call = RowFunction(name, function, activity.machine)
    return SqlFunction(name, arity, call, said == MODES[1])


def _no_function(name: str, tamil: str, english: str) -> Fault:
    return refused(
        f"‘{name}’ என்ற செயலைப் பதிவு செய்ய முடியாது: {tamil}", f"‘{name}’ cannot be registered: {english}"
    )
