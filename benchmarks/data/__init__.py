"""Routes that read a row, on SQLite and on PostgreSQL, beside FastAPI with aiosqlite and with asyncpg.

``programs/rows.qmz`` is the same for both databases; the environment says which. Servers and load keep to
their cores as in ``benchmarks/http``; PostgreSQL runs wherever the system puts it, for both alike.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

from benchmarks.http import CONNECTIONS, Turn, faster, load, refused
from benchmarks.http.servers import Running, Server, started
from benchmarks.programs import FOLDER
from benchmarks.rounds import take_turns
from benchmarks.table import Line

PROGRAMS = ("rows",)
SECONDS = 5.0
ROWS = 10_000
PATH = "/rows/17"
ROW = {"id": 17, "name": "பேனா 17", "price": 1217, "stock": 34}
POSTGRES = os.environ.get("ETAMIL_TEST_POSTGRES", "postgres://root@127.0.0.1:5432/test")
TABLE = "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, price INTEGER, stock INTEGER)"
SCHEMA = "etamil_benchmark"

APPS = Path(__file__).resolve().parent / "apps"

ON_SQLITE = "a row by its key from SQLite, as JSON"
ON_POSTGRES = "a row by its key from PostgreSQL, pool of 10, as JSON"
TITLES = (ON_SQLITE, ON_POSTGRES)


def measure(rounds: int, seconds: float = SECONDS) -> list[Line]:
    """Every line of the table."""
    if not load.is_there():
        return [refused("wrk", "apt-get install wrk · brew install wrk", "database")]
    needed = ("fastapi", "uvicorn", "uvloop", "httptools", "aiosqlite", "asyncpg", "psycopg")
    missing = [package for package in needed if find_spec(package) is None]
    if missing:
        return [refused(", ".join(missing), "pip install 'etamil-actors[bench]'", "database")]
    with tempfile.TemporaryDirectory(prefix="etamil-benchmark-") as name:
        folder = Path(name)
        return [_sqlite(rounds, seconds, folder), _postgres(rounds, seconds, folder)]


def _rows() -> Iterator[tuple[int, str, int, int]]:
    return ((key, f"பேனா {key}", 1200 + key, 2 * key) for key in range(1, ROWS + 1))


def _ours(url: str) -> Server:
    program = str(FOLDER / "rows.qmz")
    command = (sys.executable, "-m", "etamil_actors", "up", program, "--bind", "127.0.0.1:PORT")
    return Server("eTamil", command, environment={"ROWS_URL": url})


def _theirs(app: str, environment: dict[str, str]) -> Server:
    command = (
        sys.executable, "-m", "uvicorn", f"{app}:app", "--app-dir", str(APPS), "--host", "127.0.0.1",
        "--port", "PORT", "--loop", "uvloop", "--http", "httptools", "--timeout-keep-alive", "75",
        "--log-level", "warning", "--no-access-log",
    )  # fmt: skip
    return Server(f"FastAPI, {app}", command, environment=environment)


def _beside(
    title: str, bar: float, servers: tuple[Server, Server], rounds: int, seconds: float, folder: Path
) -> Line:
    with ExitStack() as stack:
        running: list[Running] = [stack.enter_context(started(server, folder)) for server in servers]
        for one in running:
            one.expect("GET", PATH, 200, ROW)
        turns = [Turn(one, seconds, CONNECTIONS, path=PATH) for one in running]
        own, others = take_turns(rounds, *turns)
        for turn in turns:
            if turn.errors:
                print(f"✗ {turn.told_errors()}", file=sys.stderr)
        return faster(title, own, others, bar)


def _sqlite(rounds: int, seconds: float, folder: Path) -> Line:
    file = folder / "rows.db"
    database = sqlite3.connect(file)
    with database:
        database.execute(TABLE)
        database.executemany("INSERT INTO items VALUES (?, ?, ?, ?)", _rows())
    database.close()
    servers = (_ours(f"sqlite:{file}"), _theirs("sqlite_app", {"ROWS_FILE": str(file)}))
    return _beside(f"{ON_SQLITE}, beside FastAPI with aiosqlite", 1.5, servers, rounds, seconds, folder)


def _postgres(rounds: int, seconds: float, folder: Path) -> Line:
    import psycopg

    try:
        with psycopg.connect(POSTGRES, connect_timeout=5):
            pass
    except psycopg.Error as error:
        return refused(f"PostgreSQL ({error})", "ETAMIL_TEST_POSTGRES=postgres://…", "PostgreSQL")
    with _filled():
        url = f"{POSTGRES}?options=-csearch_path%3D{SCHEMA}"
        servers = (_ours(url), _theirs("postgres_app", {"ROWS_URL": url}))
        return _beside(f"{ON_POSTGRES}, beside FastAPI with asyncpg", 1.0, servers, rounds, seconds, folder)


@contextmanager
def _filled() -> Iterator[None]:
    """The table in a schema of its own, for the length of a block."""
    import psycopg

    def run(*statements: str) -> None:
        with psycopg.connect(POSTGRES, autocommit=True) as database:
            for statement in statements:
                database.execute(statement)  # type: ignore[call-overload]

    run(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE", f"CREATE SCHEMA {SCHEMA}")
    try:
        with psycopg.connect(POSTGRES, autocommit=True, options=f"-csearch_path={SCHEMA}") as database:
            database.execute(TABLE)
            with database.cursor() as cursor, cursor.copy("COPY items FROM STDIN") as copy:
                for row in _rows():
                    copy.write_row(row)
            database.execute("ANALYZE items")
        yield
    finally:
        run(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
