"""Words of databases: pools, queries, leases, transactions and migrations (EXTENSIONS §10).

A pool is a handle: it may stand in a variable of the top level and be used by every activity. Nothing is
opened before the first query. What is lent to an activity, and its transactions, are in
``databases_leases.py``; how values travel is in ``databases_values.py``; the statements of 2.0 are in
``databases_statements.py``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from etamil_actors.actors.programs.databases_leases import (
    Lease,
    Lent,
    execute,
    lent_to,
    query,
    query_nowait,
    told,
)
from etamil_actors.actors.programs.databases_values import (
    data_of,
    done_of,
    refused,
    row_of,
    rows_in_turns,
    rows_of,
)
from etamil_actors.actors.programs.words import block, expect, tamil_of, word
from etamil_actors.errors import Fault
from etamil_actors.ports.databases import (
    UNCLEAR_URL,
    Kind,
    PoolSettings,
    Row,
    database_kind,
    may_be_server,
)
from etamil_actors.vm.blocks import Turn, Word
from etamil_actors.vm.builtins.files import words_of
from etamil_actors.vm.convert import text_of
from etamil_actors.vm.operations import wrong_count
from etamil_actors.vm.options import count_of, option_named, read_options, seconds_of
from etamil_actors.vm.values import Err, Handle, Value

if TYPE_CHECKING:
    from etamil_actors.actors.programs.activity import Activity
    from etamil_actors.actors.programs.service import RunningService
    from etamil_actors.actors.programs.system import System
    from etamil_actors.ports.databases import Pool

DEFAULT: Final = "default"
"""The name of the database, in the configuration, that programs mean without a name."""

MEMORY: Final = ":memory:"

KINDS: Final[dict[str, Kind]] = {
    "sqlite": "sqlite",
    "postgres": "postgres",
    "postgresql": "postgres",
    "mysql": "mysql",
    "mariadb": "mysql",
}
"""What programs call the kinds."""

IDLE_VARIABLE: Final = "ETAMIL_DB_IDLE"
IDLE: Final = 8
"""So many connections that nobody uses are kept, if neither the configuration nor the variable tells."""

NO_PARAMETERS: Final[list[Value]] = []

MOST_MIGRATIONS: Final = 16 * 1024 * 1024
"""Bytes of one file of SQL."""


# ---- pools ----------------------------------------------------------------------------


class PoolHandle(Handle):
    """A pool of connections. Without settings it stands for the default pool, whichever that is then."""

    __slots__ = ("_pool", "_service", "is_closed", "settings")

    kind = "a pool"

    def __init__(self, service: RunningService, settings: PoolSettings | None) -> None:
        self.settings = settings and settings_for(service, settings)
        self.is_closed = False
        self._service = service
        self._pool: Pool | None = None

    @property
    def text(self) -> str:
        return f"<இணைப்புக்குளம் {self.settings.name}>" if self.settings else "<இணைப்புக்குளம்>"

    def __repr__(self) -> str:
        return f"<pool {self.settings.name if self.settings else DEFAULT}>"

    def pool(self) -> Pool:
        """The pool itself. Raises: Fault ``db.closed``, ``config``, ``db.not_connected`` (no default)."""
        if self.is_closed:
            raise Fault(
                "db.closed", tamil="இந்த இணைப்புக்குளம் மூடப்பட்டது", english="this pool has been closed"
            )
        if self.settings is None:
            return default_pool(self._service)
        # Asked for each time: another handle on the same database may have closed it meanwhile.
        self._pool = opened(self._service.system, self.settings)
        return self._pool

    async def close(self) -> None:
        """Close it, if it was ever used. One that stands for the default closes nothing but itself."""
        self.is_closed = True
        if self._pool is not None:
            await self._pool.close()


def settings_for(service: RunningService, settings: PoolSettings) -> PoolSettings:
    """What holds for a pool of this service: a script has the process for itself, and may read whatever it
    likes."""
    return replace(settings, max_rows=0) if service.as_script else settings


def opened(system: System, settings: PoolSettings) -> Pool:
    """The pool of these settings. Raises: Fault ``config``."""
    databases = system.ports.databases
    if databases is None:
        raise Fault("not_provided", name="விகல்_உருவாக்கு")
    return databases.pool(settings, system.keeper)


def default_pool(service: RunningService) -> Pool:
    """The pool that is meant where none is named. Raises: Fault ``db.not_connected``."""
    handle = service.default_pool
    if handle is None:
        system = service.system
        settings = system.databases.get(DEFAULT)
        if settings is None:
            if not system.ports.is_simulated:
                raise Fault(
                    "db.not_connected",
                    tamil="இயல்புக் குளம் எதுவும் இல்லை; config.yaml-இல் database.default, அல்லது நிரலில் "
                    "உறவு_தொடர்பு எழுதவும்",
                    english="there is no default pool; write database.default in config.yaml, or "
                    "உறவு_தொடர்பு in the program",
                )
            settings = PoolSettings(kind="sqlite", url=MEMORY, name=DEFAULT)  # a test has an empty one
        handle = service.default_pool = PoolHandle(service, settings)
    return handle.pool()  # type: ignore[no-any-return]


@word("_defaultPool")
def set_default_pool(activity: Activity, kind: Value, where: Value = None) -> Value:
    """உறவு_தொடர்பு kind, where;"""
    service = activity.service
    if isinstance(where, dict):
        settings = settings_of(service.system, "_defaultPool", kind, read_options(where, "_pool"))
    else:
        options = {} if where is None else {"url": text_of(where)}
        settings = settings_of(service.system, "_defaultPool", kind, options)
    handle = PoolHandle(service, settings)
    if settings is not None:
        service.default_pool = handle
    return handle


def default_from_settings(activity: Activity, settings: dict[str, Value], key: str) -> None:
    """``database`` or ``database_url`` in the settings of an application: the default pool, where neither the
    configuration nor the program has named one.

    Raises:
        Fault: ``value.invalid``, it is no url of a database.
    """
    service = activity.service
    if service.default_pool is not None or DEFAULT in service.system.databases:
        return
    said = settings.get("database")
    if said is None:
        said = settings.get("database_url")
    if isinstance(said, dict):
        options = {name: said[name] for name in _OPTIONS if said.get(name) is not None}
    else:
        options = {} if said is None else {"url": said}
    if "url" in options:
        service.default_pool = PoolHandle(service, settings_of(service.system, key, None, options))


@word("_pool")
def make_pool(activity: Activity, *arguments: Value) -> Value:
    """விகல்_உருவாக்கு([kind] [, options])."""
    kind: Value = None
    if arguments and not isinstance(arguments[0], dict):
        kind, *arguments = arguments  # type: ignore[assignment]
    given = read_options(arguments[0] if arguments else None, "_pool")
    service = activity.service
    return PoolHandle(service, settings_of(service.system, "_pool", kind, given))


def settings_of(system: System, key: str, kind: Value, given: dict[str, Value]) -> PoolSettings | None:
    """What a program said of a pool; nothing when it means the default one.

    Raises:
        Fault: ``db.unsupported``, a kind that nobody knows; ``value.*``, an option that means nothing.
    """
    options = {name: text_of(value) for name, value in given.items() if name in _TEXTS}
    said = None if kind is None else text_of(kind)
    found = _place(system, key, said, options)
    if found is None:
        return None
    most = count_of(given, "max_connections", "_pool", 0) or count_of(given, "pool_size", "_pool", 0)
    wait = seconds_of(given, "timeout", "_pool")
    if most:
        found = replace(found, most=most, least=min(found.least, most), most_idle=None)
    if wait is not None:  # milliseconds, in this one word
        found = replace(found, wait_seconds=wait / 1000, connect_seconds=wait / 1000)
    return found


_TEXTS: Final = ("host", "port", "database", "user", "password", "url")
_OPTIONS: Final = (*_TEXTS, "max_connections", "pool_size", "timeout")


def _place(system: System, key: str, said: str | None, options: dict[str, str]) -> PoolSettings | None:
    url = options.get("url")
    known = KINDS.get((said or "").lower())
    if said is not None and known is None:
        if said in system.databases:
            return system.databases[said]
        if database_kind(said)[0] is None or url is not None:
            raise _unsupported(said, (*KINDS, *system.databases))
        url = said
    if url is None:
        return _of_parts(system, key, known, options)
    meant, where = database_kind(url)
    if meant is None and (known is None or (known == "sqlite" and "://" in url)):
        raise _invalid(
            key,
            "url",
            "sqlite:, postgres://, mysql:// இவற்றில் ஒன்றுடன் தொடங்க வேண்டும்",
            "it begins with sqlite:, postgres:// or mysql://",
        )
    if known is not None and meant is not None and meant != known:
        raise _invalid(key, "url", f"அது {known} தரவுத்தளத்தின் முகவரி அல்ல", f"it is not one of {known}")
    kind = known or meant
    assert kind is not None
    if meant in ("postgres", "mysql") and not may_be_server(where):
        tamil, english = UNCLEAR_URL
        raise _invalid(key, "url", f"புரிந்துகொள்ள முடியவில்லை; {tamil}", f"it cannot be understood; {english}")
    return settled(system, kind, where)


def _of_parts(system: System, key: str, kind: Kind | None, options: dict[str, str]) -> PoolSettings | None:
    """From ``host``, ``port``, ``user``, ``password`` and ``database``; nothing where nothing is said."""
    if kind is None:
        if not options:
            return None
        raise _invalid(
            key,
            next(iter(options)),
            "எந்த வகைத் தரவுத்தளம் என்று தெரியவில்லை; முதலில் ‘postgres’ என்பது போல எழுதவும், அல்லது url தரவும்",
            "nobody says what kind of database this is; write ‘postgres’, say, before it, or give a url",
        )
    if kind == "sqlite":
        return settled(system, kind, options.get("database", MEMORY))
    host = options.get("host", "127.0.0.1")
    user = quote(options.get("user", ""), safe="")
    if "password" in options:
        user += ":" + quote(options["password"], safe="")
    place = f"[{host}]" if ":" in host else quote(host, safe="")
    port = f":{options['port']}" if "port" in options else ""
    path = quote(options.get("database", ""), safe="")
    return settled(system, kind, f"{kind}://{user and user + '@'}{place}{port}/{path}")


def settled(system: System, kind: Kind, url: str) -> PoolSettings:
    """The settings of a place: those of the configuration where it knows this place. Every word that names
    the same place gets the same, and so the same pool."""
    for one in system.databases.values():
        if one.kind == kind and (one.url == url or (kind == "sqlite" and _is_same_file(one.url, url))):
            return one
    said = system.ports.environment.get(IDLE_VARIABLE) or ""
    idle = int(said) if said.isascii() and said.isdigit() else IDLE
    return PoolSettings(kind=kind, url=url, name=shown(kind, url), most_idle=idle)


def _is_same_file(one: str, other: str) -> bool:
    return MEMORY not in (one, other) and os.path.abspath(one) == os.path.abspath(other)


def shown(kind: Kind, url: str) -> str:
    """What people call a place: without user, password and what else stands in a URL."""
    if kind == "sqlite":
        return url
    if not may_be_server(url):
        return kind
    parts = urlsplit(url)
    return f"{kind}://{parts.netloc.rpartition('@')[2]}{parts.path}" if parts.netloc else kind


def _unsupported(said: str, known: Sequence[str]) -> Fault:
    said = said.partition("://")[0]  # it may be a url with a slip in its first word, and a password later
    return Fault(
        "db.unsupported",
        tamil=f"‘{said}’ தரவுத்தளம் ஆதரிக்கப்படவில்லை; இருப்பவை: {', '.join(known)}",
        english=f"the back end ‘{said}’ is not supported; known are {', '.join(known)}",
        details={"backend": said},
    )


def _invalid(key: str, name: str, tamil: str, english: str) -> Fault:
    return Fault("value.invalid", name=option_named(key, name), problem_ta=tamil, problem_en=english)


def pool_of(activity: Activity, value: Value, key: str) -> Pool:
    """The pool that a word was given; இன்மை is the default one. Raises: Fault."""
    if value is None:
        return default_pool(activity.service)
    return expect(PoolHandle, value, key, "ஓர் இணைப்புக்குளம்", "a pool").pool()


@word("_closePool")
def close_pool(activity: Activity, target: Value) -> Any:
    """விகல்_மூடு."""
    return expect(PoolHandle, target, "_closePool", "ஓர் இணைப்புக்குளம்", "a pool").close()


# ---- single queries -------------------------------------------------------------------


def _parts(activity: Activity, key: str, arguments: Sequence[Value]) -> tuple[Pool, str, Sequence[Any]]:
    """``([pool,] sql [, params])``."""
    first = arguments[0] if arguments else None
    if type(first) is str:
        pool, rest = default_pool(activity.service), arguments
    else:
        pool, rest = pool_of(activity, first, key), arguments[1:]
    if not 1 <= len(rest) <= 2:
        wrong_count(tamil_of(key), "1–3", arguments)
    sql = rest[0]
    data = data_of(rest[1], pool.settings.kind) if len(rest) == 2 else NO_PARAMETERS
    return pool, sql if type(sql) is str else text_of(sql), data


@word("_query")
def run_query(activity: Activity, *arguments: Value) -> Any:
    """விகல்_குறி([pool,] sql [, params])."""
    pool, sql, data = _parts(activity, "_query", arguments)
    rows = query_nowait(activity, pool, sql, data)
    return rows_of(rows) if rows is not None else _all(query(activity, pool, sql, data))


@word("_queryOne")
def query_one(activity: Activity, *arguments: Value) -> Any:
    """விகல்_ஒன்று([pool,] sql [, params])."""
    pool, sql, data = _parts(activity, "_queryOne", arguments)
    rows = query_nowait(activity, pool, sql, data)
    return row_of(rows) if rows is not None else _first(query(activity, pool, sql, data))


async def _all(asked: Coroutine[Any, Any, list[Row]]) -> Value:
    return await rows_in_turns(await asked)


async def _first(asked: Coroutine[Any, Any, list[Row]]) -> Value:
    return row_of(await asked)


@word("_execute")
async def run_command(activity: Activity, *arguments: Value) -> Value:
    """விகல்_செய்([pool,] sql [, params])."""
    return done_of(await execute(activity, *_parts(activity, "_execute", arguments)))


@word("_migrate")
async def migrate(activity: Activity, target: Value, folder: Value) -> int:
    """விகல்_மேம்படுத்து(pool, folder): how many files were new."""
    pool = pool_of(activity, target, "_migrate")
    if activity.lent is not None and activity.lent.in_transaction(pool.settings):
        raise refused(  # it would wait for itself
            "பரிவர்த்தனைக்குள் மேம்படுத்த முடியாது; விகல்_மேம்படுத்து-வைத் தொகுதிக்கு வெளியே எழுதவும்",
            "a transaction is open; write விகல்_மேம்படுத்து outside its block",
        )
    system, path = activity.service.system, text_of(folder)
    files = system.ports.files
    try:
        names = await system.threads.call(files.names, path)
        found = []
        for name in sorted(name for name in names if name.endswith(".sql")):
            data = await system.threads.call(files.read, os.path.join(path, name), MOST_MIGRATIONS)
            found.append((name, data.decode("utf-8-sig")))
    except OSError as trouble:
        tamil, english = words_of(trouble)
        raise Fault("file", path=path, problem_ta=tamil, problem_en=english) from None
    except UnicodeDecodeError:
        tamil, english = "UTF-8 உரை அல்ல", "it is not UTF-8 text"
        raise Fault("file", path=path, problem_ta=tamil, problem_en=english) from None
    return await pool.migrate(found)


# ---- a lease, as a block --------------------------------------------------------------


class ConnectionHandle(Handle):
    """குறி: the connection that a block has."""

    __slots__ = ("activity", "is_over", "lease")

    kind = "a connection"

    def __init__(self, activity: Activity, lease: Lease) -> None:
        self.activity = activity
        self.lease = lease
        self.is_over = False

    @property
    def text(self) -> str:
        return f"<இணைப்பு {self.lease.pool.settings.name}>"

    @property
    def methods(self) -> dict[str, Callable[..., Any]]:
        """What it understands."""
        return _METHODS


def _said(activity: Activity, target: ConnectionHandle, name: str, arguments: Sequence[Value]) -> Any:
    """``குறி.name(sql [, params])``. Raises: Fault."""
    if target.is_over:
        raise Fault("db.closed")
    if target.activity is not activity:
        raise Fault(
            "not_here",
            name=f"குறி.{name}",
            problem_ta="இந்த இணைப்பு வேறொரு செயல்பாட்டுக்குத் தரப்பட்டது",
            problem_en="this connection is lent to another activity",
        )
    if not 1 <= len(arguments) <= 2:
        wrong_count(f"குறி.{name}", "1–2", arguments)
    sql = text_of(arguments[0])
    lease = target.lease
    data = data_of(arguments[1], lease.pool.settings.kind) if len(arguments) == 2 else NO_PARAMETERS
    return lease.connection, sql, data


async def _lease_query(activity: Activity, target: ConnectionHandle, *arguments: Value) -> Value:
    connection, sql, data = _said(activity, target, "வினா", arguments)
    return await _all(told(activity, target.lease.pool, sql, connection.query(sql, data)))


async def _lease_one(activity: Activity, target: ConnectionHandle, *arguments: Value) -> Value:
    connection, sql, data = _said(activity, target, "ஒன்று", arguments)
    return await _first(told(activity, target.lease.pool, sql, connection.query(sql, data)))


async def _lease_execute(activity: Activity, target: ConnectionHandle, *arguments: Value) -> Value:
    connection, sql, data = _said(activity, target, "செய்", arguments)
    return done_of(await told(activity, target.lease.pool, sql, connection.execute(sql, data)))


_METHODS: Final[dict[str, Callable[..., Any]]] = {
    "குற்றம்": _lease_query,
    "வினா": _lease_query,
    "query": _lease_query,
    "ஒன்று": _lease_one,
    "one": _lease_one,
    "செய்": _lease_execute,
    "execute": _lease_execute,
}


@block("_query")
async def lease(activity: Activity, target: Value = None) -> Word:
    """விகல்_குறி(pool) { … குறி … }"""
    pool = pool_of(activity, target, "_query")
    lent = lent_to(activity)
    return Leased(activity, lent, await lent.take(pool))


class Leased(Word):
    """A block that has a connection."""

    def __init__(self, activity: Activity, lent: Lent, lease: Lease) -> None:
        super().__init__()
        self.activity = activity
        self.lent = lent
        self.lease = lease

    def __iter__(self) -> Iterator[Turn]:
        yield LeasedTurn(self, ConnectionHandle(self.activity, self.lease))


class LeasedTurn(Turn):
    """The one run of the block."""

    __slots__ = ()

    word: Leased

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> bool:
        word = self.word
        self.brought.is_over = True
        word.activity.wait(word.lent.leave(word.lease))
        return word.ended(self, problem)


# ---- a transaction, as a block --------------------------------------------------------


@block("_transaction")
async def transaction(activity: Activity, target: Value = None) -> Word:
    """விகல்_பரிவர்த்தனை(pool) { … }"""
    pool = pool_of(activity, target, "_transaction")
    lent = lent_to(activity)
    lease = await lent.take(pool)
    try:
        await lease.begin()
    except BaseException:
        await lent.leave(lease)
        raise
    return Transaction(activity, lent, lease)


class Transaction(Leased):
    """A block that is done as a whole or not at all."""

    def __iter__(self) -> Iterator[Turn]:
        yield TransactionTurn(self)

    async def end(self, well: bool) -> None:
        """Keep what was done, or undo it, and give the connection back. Raises: Fault, it is not kept."""
        try:
            await self.lease.end(well)
        finally:
            await self.lent.leave(self.lease)


class TransactionTurn(Turn):
    """The one run of the block. Its answer is also what திரும்பு takes out of it: a தவறு undoes everything."""

    __slots__ = ()

    word: Transaction

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self.word.activity.wait(self.word.end(problem is None and type(self.answer) is not Err))
        return self.word.ended(self, problem)
