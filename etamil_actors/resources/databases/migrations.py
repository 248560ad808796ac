"""Numbered files of SQL, each run once and in the order of their numbers: ``001_items.sql``.

Which were run stands in a table of the database itself, each with a digest of its text. Only one at a time
may run them, whoever starts how many processes: SQLite lets one write, PostgreSQL and MySQL have locks of the
application. A file is a transaction together with its row in that table, so one that fails leaves nothing.
MySQL alone commits whatever changes the schema at once; there the message says how far it came.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from hashlib import sha256
from typing import Final, NamedTuple, cast

import trio

from etamil_actors.errors import Fault
from etamil_actors.ports.databases import Connection, Kind, Pool, TakesFunctions
from etamil_actors.resources.databases.driver import RawConnection
from etamil_actors.resources.databases.placeholders import first_word, pieces, statements
from etamil_actors.resources.databases.troubles import refused, unavailable

TABLE: Final = "etamil_migrations"
LOCK_SECONDS: Final = 600.0
"""How long to wait for others who migrate."""
KNOCK_FIRST: Final = 0.05
KNOCK_LAST: Final = 1.0
RELEASE_SECONDS: Final = 5.0
LOCK: Final = 7_302_914_625_103_447
"""The number of our lock in PostgreSQL: any, as long as nobody else has it."""
LONGEST_NAME: Final = 255
STATEMENT_SECONDS: Final = 6 * 3600.0
"""One statement of a file may take so long, whatever is said of queries: a large index takes its time."""

_NAME: Final = re.compile(r"([0-9]{1,15})_.*\.sql\Z", re.DOTALL | re.IGNORECASE)
_CREATE: Final = (
    f"CREATE TABLE IF NOT EXISTS {TABLE} ("
    "number BIGINT NOT NULL PRIMARY KEY, name VARCHAR(255) NOT NULL, digest VARCHAR(80) NOT NULL, "
    "applied TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)"
)
_REMEMBER: Final = f"INSERT INTO {TABLE} (number, name, digest) VALUES (?, ?, ?)"
_OWN_TRANSACTIONS: Final = frozenset(("begin", "commit", "rollback", "start", "end", "abort"))


class Migration(NamedTuple):
    """One file."""

    number: int
    name: str
    digest: str
    statements: Sequence[str]


async def migrate(pool: Pool, files: Sequence[tuple[str, str]]) -> int:
    """Run those that were not run yet; answers how many. Raises: Fault."""
    kind = pool.settings.kind
    wanted = read(files, kind)
    if not wanted:
        return 0
    connection = cast(RawConnection, await pool.lease())
    # In a simulation SQLite stands for the others.
    engine: Kind = "sqlite" if isinstance(connection, TakesFunctions) else kind
    try:
        async with _alone(connection, engine):
            await connection.execute(_CREATE, ())
            known = await _known(connection)
        check(wanted, known)
        return sum([await _apply(connection, engine, kind, one) for one in wanted if one.number not in known])
    finally:
        await pool.give_back(connection)


# ---- what is wanted, and what was done ------------------------------------------------------


def read(files: Sequence[tuple[str, str]], kind: Kind) -> list[Migration]:
    """The files in the order of their numbers. Raises: Fault ``db.query``; a name or number will not do."""
    found: dict[int, Migration] = {}
    for name, text in files:
        fits = _NAME.match(name)
        if fits is None or len(name) > LONGEST_NAME:
            raise _trouble(
                name, "பெயர் 001_பெயர்.sql என்ற வடிவில் இருக்க வேண்டும்", "its name must be like 001_name.sql"
            )
        one = Migration(int(fits[1]), name, digest_of(text), statements(text, kind))
        other = found.setdefault(one.number, one)
        if other is not one:
            raise _trouble(
                name, f"‘{other.name}’ கோப்புக்கும் அதே எண்", f"‘{other.name}’ has the same number"
            )
        _check_statements(one, kind)
    return [found[number] for number in sorted(found)]


def digest_of(text: str) -> str:
    """What a text is known by. Ends of lines are the same on every system."""
    return "sha256:" + sha256(text.replace("\r\n", "\n").encode("utf-8", "surrogatepass")).hexdigest()


def _check_statements(one: Migration, kind: Kind) -> None:
    for statement in one.statements:
        word = first_word(statement, kind)
        if word in _OWN_TRANSACTIONS:
            raise _trouble(
                one.name,
                f"‘{word.upper()}’ வேண்டாம்: ஒவ்வொரு கோப்பும் தானே ஒரு பரிவர்த்தனை",
                f"‘{word.upper()}’ must not be in it: each file is a transaction by itself",
            )


async def _known(connection: Connection) -> dict[int, tuple[str, str]]:
    rows = await connection.query(f"SELECT number, name, digest FROM {TABLE}", ())
    return {int(row["number"] or 0): (str(row["name"]), str(row["digest"])) for row in rows}


def check(wanted: Sequence[Migration], known: dict[int, tuple[str, str]]) -> None:
    """Do the files agree with what was done?

    Raises:
        Fault: ``db.query``; one has changed, or comes too late.
    """
    last = max(known, default=-1)
    for one in wanted:
        if one.number not in known:
            if one.number < last:
                raise _trouble(
                    one.name,
                    f"‘{known[last][0]}’ ஏற்கெனவே இயக்கப்பட்டது; புதிய கோப்புக்கு அதைவிடப் பெரிய எண் தேவை",
                    f"‘{known[last][0]}’ was run already; a new file needs a greater number than that",
                )
        elif known[one.number][1] != one.digest:
            raise _trouble(
                one.name,
                f"இது இயக்கப்பட்ட பின் மாற்றப்பட்டது (அப்போது பெயர் ‘{known[one.number][0]}’); "
                "மாற்றங்களைப் புதிய கோப்பில் எழுதவும்",
                f"it has changed since it was run (then it was ‘{known[one.number][0]}’); "
                "put changes into a new file",
            )


# ---- one file -------------------------------------------------------------------------------


async def _apply(connection: RawConnection, engine: Kind, kind: Kind, one: Migration) -> int:
    """Run one file, unless somebody else was faster. Raises: Fault."""
    async with _alone(connection, engine):
        known = await _known(connection)
        if one.number in known:
            check([one], known)
            return 0
        done = 0
        try:
            for statement in one.statements:
                # What a statement may answer is nobody's concern.
                await connection.query(without_parameters(statement, kind), ())
                done += 1
            await connection.execute(_REMEMBER, (one.number, one.name, one.digest))
        except Fault as fault:
            raise _failed(one, engine, done + 1, fault) from None
    return 1


def without_parameters(statement: str, kind: Kind) -> str:
    """The statement with every ``?`` as it is written, since files have no parameters."""
    return "".join(
        text.replace("?", "??") if what in ("parameter", "escaped") else text
        for what, text in pieces(statement, kind)
    )


def _failed(one: Migration, engine: Kind, place: int, fault: Fault) -> Fault:
    left_ta = left_en = ""
    if engine == "mysql" and place > 1:
        left_ta = "; MySQL-இல் அதற்கு முந்தைய கட்டளைகள் செய்யப்பட்டிருக்கலாம்"
        left_en = "; on MySQL the statements before it may have been done"
    return Fault(
        fault.code,
        tamil=f"மேம்படுத்தும் கோப்பு ‘{one.name}’, கட்டளை {place}: {fault.tamil}{left_ta}",
        english=f"migration ‘{one.name}’, statement {place}: {fault.english}{left_en}",
        details={**fault.details, "file": one.name, "statement": place},
    )


def _trouble(name: str, tamil: str, english: str) -> Fault:
    return refused(f"மேம்படுத்தும் கோப்பு ‘{name}’: {tamil}", f"migration ‘{name}’: {english}", file=name)


# ---- one at a time --------------------------------------------------------------------------


@asynccontextmanager
async def _alone(connection: RawConnection, engine: Kind) -> AsyncIterator[None]:
    """A transaction that nobody else runs at the same time, in whatever process.

    Raises:
        Fault: ``db.unavailable``; others took too long.
    """
    before, after = _AROUND[engine]
    broken = 0
    if engine == "sqlite":
        broken = len(await connection.query("PRAGMA foreign_key_check", ()))
    for sql in before:
        await connection.query(sql, ())
    try:
        await _lock(connection, engine)
        try:
            yield
            if engine == "sqlite" and len(await connection.query("PRAGMA foreign_key_check", ())) > broken:
                raise refused(
                    "வரிகள் இல்லாத வரிகளைச் சுட்டும் (FOREIGN KEY)", "rows would refer to rows that are not there"
                )
            await connection.commit()
        except BaseException:
            await _finished(connection, connection.rollback)
            raise
    finally:
        for sql in after:
            await _finished(connection, partial(connection.query, sql, ()))


# While tables are made anew, SQLite must not take it for deleting all that refers to them.
_NAME_IN_MYSQL: Final = "CONCAT('etamil:', SHA1(COALESCE(DATABASE(), '')))"
_AROUND: Final[dict[Kind, tuple[Sequence[str], Sequence[str]]]] = {
    "sqlite": (["PRAGMA foreign_keys = OFF"], ["PRAGMA foreign_keys = ON"]),
    "postgres": ([], []),
    "mysql": ([], [f"SELECT RELEASE_LOCK({_NAME_IN_MYSQL})"]),
}
"""What happens before the transaction, and in any case after it."""

_TRY: Final[dict[Kind, str]] = {
    "postgres": f"SELECT pg_try_advisory_xact_lock({LOCK}) AS mine",
    "mysql": f"SELECT GET_LOCK({_NAME_IN_MYSQL}, 0) AS mine",
}
"""Asks for the lock in a transaction. SQLite needs no such thing: there only one can begin to write."""


async def _lock(connection: RawConnection, engine: Kind) -> None:
    """Begin a transaction in which we are alone."""
    deadline = trio.current_time() + LOCK_SECONDS
    pause = KNOCK_FIRST
    while True:
        try:
            await connection.begin()
            if engine == "sqlite" or (await connection.query(_TRY[engine], ()))[0]["mine"]:
                return
        except Fault as fault:
            # Only others who write are waited for; they are told with the seconds that it took.
            is_others = fault.code == "db.conflict" and "seconds" in fault.details
            if engine != "sqlite" or not is_others or trio.current_time() > deadline:
                raise
        await connection.rollback()
        if trio.current_time() > deadline:
            raise unavailable(
                f"வேறொருவர் {LOCK_SECONDS:g} நொடிக்கு மேலாக மேம்படுத்தும் கோப்புகளை இயக்குகிறார்",
                f"somebody else has been running migrations for more than {LOCK_SECONDS:g} s",
            )
        await trio.sleep(pause)
        pause = min(2 * pause, KNOCK_LAST)


async def _finished(connection: RawConnection, work: Callable[[], Awaitable[object]]) -> None:
    """Do this even when we are cancelled; should it fail, the connection is not used again."""
    try:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + RELEASE_SECONDS) as scope:
            await work()
        if scope.cancelled_caught:
            connection.abandon()
    except Fault:
        connection.abandon()
