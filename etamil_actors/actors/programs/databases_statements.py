"""Statements of 2.0: ``தளம்_இணை``, ``தளம்_செய்``, ``தளம்_வினா``, ``தளம்_பிரி``, and their attempts
(REFERENCE §18).

A handle means one connection that nobody else uses meanwhile. What the top level opens, every activity
begins with (EXTENSIONS §1.1): it borrows a connection when it first uses the handle, and keeps it to its end,
when an open transaction is rolled back. A database in memory belongs to whoever opened it: to the whole
service, if
that was the top level.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Final

from etamil_actors.actors.programs.databases import MEMORY, opened, settled
from etamil_actors.actors.programs.databases_leases import lent_to
from etamil_actors.actors.programs.databases_values import data_of, rows_of
from etamil_actors.actors.programs.words import word
from etamil_actors.errors import Fault
from etamil_actors.ports.databases import Kind, PoolSettings, database_kind
from etamil_actors.vm.convert import text_of
from etamil_actors.vm.values import Err, Ok, Value

if TYPE_CHECKING:
    from etamil_actors.actors.programs.activity import Activity
    from etamil_actors.actors.programs.databases_leases import Lent
    from etamil_actors.actors.programs.system import System
    from etamil_actors.ports.databases import Connection, Pool

BACK_ENDS: Final[dict[str, Kind]] = {
    "SQL": "sqlite",
    "SQLite": "sqlite",
    "PostgreSQL": "postgres",
    "MySQL": "mysql",
}
"""The words of REFERENCE §18.2 that have a driver."""

IDLE_VARIABLE: Final = "ETAMIL_DB_IDLE"
IDLE: Final = 8
"""So many connections are kept for the next activities, if the variable says nothing."""

_memories = count(1)


class Opened:
    """A connection under a handle. It is borrowed when it is first used."""

    __slots__ = ("_connection", "back_end", "is_own", "pool", "text")

    def __init__(self, back_end: str, text: str, pool: Pool, is_own: bool) -> None:
        self.back_end = back_end
        self.text = text
        self.pool = pool
        self.is_own = is_own
        """Does the pool end with it? A database in memory that no other activity has."""
        self._connection: Connection | None = None

    async def connection(self) -> Connection:
        """The connection, borrowed now if it is not yet. Raises: Fault."""
        if self._connection is None:
            self._connection = await self.pool.lease()
        return self._connection

    async def end(self) -> None:
        """Give it back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await self.pool.give_back(connection)
        if self.is_own:
            await self.pool.close()

    def for_another(self) -> Opened:
        """The same for another activity."""
        return Opened(self.back_end, self.text, self.pool, False)


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
            if earlier.text == MEMORY:
                await earlier.pool.close()
        service.opened = {}
    pool = opened(service.system, _settings(service.system, kind, where, is_memory))
    made = Opened(back_end, where, pool, is_memory and not is_top)
    await made.connection()
    handles[name] = made
    if is_top:
        service.opened[name] = made.for_another()


def _path(where: str) -> str:
    kind, place = database_kind(where)
    return place if kind == "sqlite" else where


def _settings(system: System, kind: Kind, where: str, is_memory: bool) -> PoolSettings:
    meant, place = database_kind(where)
    if meant is not None and meant != kind:
        raise Fault("db.unsupported", backend=meant)
    if is_memory:  # every opening is a database of its own
        return PoolSettings(kind=kind, url=MEMORY, name=f"{MEMORY}#{next(_memories)}")
    settings = settled(system, kind, place if meant is not None else where)
    if settings in system.databases.values():
        return settings
    said = system.ports.environment.get(IDLE_VARIABLE) or ""
    return replace(settings, most_idle=int(said) if said.isascii() and said.isdigit() else IDLE)


@word("db.disconnect")
async def disconnect(activity: Activity, handle: str) -> None:
    """தளம்_பிரி."""
    _, handles = _handles(activity)
    if handle not in handles:
        raise _trouble(handle, "இணைக்கப்படவில்லை", "it is not open")
    made = handles.pop(handle)
    if _is_top_level(activity):
        activity.service.opened.pop(handle, None)
        made.is_own = made.text == MEMORY
    await made.end()


async def _connection(activity: Activity, handle: str | None) -> tuple[Connection, Kind]:
    """The connection that a statement means; inside a transaction on its pool, that of the transaction."""
    lent, handles = _handles(activity)
    if handle is not None:
        if handle not in handles:
            raise _trouble(handle, "அப்படி ஒரு கைப்பிடி இல்லை", "there is no such handle")
        found = handles[handle]
    elif not handles:
        raise Fault("db.not_connected")
    elif len(handles) > 1:
        names = ", ".join(handles)
        raise _trouble(
            "", f"பல இணைப்புகள் உள்ளன ({names}); எது என்று சொல்லவும்", f"several are open ({names}); say which"
        )
    else:
        (found,) = handles.values()
    lease = lent.in_transaction(found.pool)
    connection = lease.connection if lease is not None else await found.connection()
    return connection, found.pool.settings.kind


@word("db.query")
async def query(activity: Activity, sql: Value, parameters: Value, handle: str | None = None) -> Value:
    """தளம்_வினா: the rows."""
    if not isinstance(parameters, list):
        raise Fault("db.parameters")
    connection, kind = await _connection(activity, handle)
    return rows_of(await connection.query(text_of(sql), data_of(parameters, kind)))


@word("db.execute")
async def execute(activity: Activity, sql: Value, parameters: Value, handle: str | None = None) -> int:
    """தளம்_செய்: how many rows have changed."""
    if not isinstance(parameters, list):
        raise Fault("db.parameters")
    connection, kind = await _connection(activity, handle)
    return (await connection.execute(text_of(sql), data_of(parameters, kind))).changed


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
def register_function(activity: Activity, *arguments: Value) -> Value:
    """தளம்_செயல்_பதிவு: SQL runs in a thread, where no program code may run."""
    return Err(
        "SQL-இலிருந்து நிரலின் செயலை அழைக்க முடியாது; வரிகளைப் படித்து நிரலில் கணக்கிடவும்"
        "  (SQL cannot call a function of the program; read the rows and compute in the program)"
    )
