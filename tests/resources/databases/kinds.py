"""The databases that one suite is run against, real and simulated, and how each says what the suite needs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import trio

from etamil_actors.ports.databases import Databases, Kind, Pool, PoolSettings
from etamil_actors.resources.databases import RealDatabases
from etamil_actors.resources.databases.simulated import SimulatedDatabases
from tests.resources.servers import NurseryKeeper, url_of

NAMES = ("sqlite", "durable", "memory", "postgres", "mysql", "simulated", "simulated postgres", "simulated mysql")


@asynccontextmanager
async def open_keeper() -> AsyncIterator[NurseryKeeper]:
    """A keeper; what it keeps is closed at the end."""
    async with trio.open_nursery() as nursery:
        keeper = NurseryKeeper(nursery)
        try:
            yield keeper
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 10):
                await keeper.close()
            nursery.cancel_scope.cancel("the test is over")


SLOW = {
    "sqlite": "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) AS c FROM n",
    "postgres": "SELECT pg_sleep(60)",
    "mysql": "SELECT SLEEP(60)",
}
"""A query that nobody wants to wait for."""

TYPES = {
    "sqlite": {"text": "TEXT", "number": "TEXT", "whole": "INTEGER", "flag": "BOOLEAN"},
    "postgres": {"text": "TEXT", "number": "NUMERIC", "whole": "BIGINT", "flag": "BOOLEAN"},
    "mysql": {"text": "LONGTEXT", "number": "DECIMAL(65, 28)", "whole": "BIGINT", "flag": "BOOLEAN"},
}
KEY = {
    "sqlite": "INTEGER PRIMARY KEY",
    "postgres": "BIGSERIAL PRIMARY KEY",
    "mysql": "BIGINT AUTO_INCREMENT PRIMARY KEY",
}


@dataclass
class Place:
    """One of the databases."""

    name: str
    kind: Kind
    url: str
    databases: Databases

    @property
    def is_simulated(self) -> bool:
        return isinstance(self.databases, SimulatedDatabases)

    @property
    def is_sqlite(self) -> bool:
        """Does SQLite do the work?"""
        return self.kind == "sqlite" or self.is_simulated

    @property
    def slow(self) -> str:
        return SLOW["sqlite" if self.is_simulated else self.kind]

    @property
    def types(self) -> dict[str, str]:
        return TYPES[self.kind]

    @property
    def is_exact(self) -> bool:
        """Does a column of exact numbers keep 28 digits? SQLite in the place of others keeps 15."""
        return not self.is_simulated or self.kind == "sqlite"

    @property
    def key(self) -> str:
        return KEY[self.kind]

    @asynccontextmanager
    async def pool(self, **settings: Any) -> AsyncIterator[Pool]:
        """A pool of it, closed when the block ends."""
        said: dict[str, Any] = {"name": "சோதனை", **settings}
        async with open_keeper() as keeper:
            pool = self.databases.pool(PoolSettings(kind=self.kind, url=self.url, **said), keeper)
            try:
                yield pool
            finally:
                with trio.CancelScope(shield=True, deadline=trio.current_time() + 10):
                    await pool.close()

    @asynccontextmanager
    async def table(self, pool: Pool, columns: str) -> AsyncIterator[str]:
        """A table of one's own, gone when the block ends."""
        name = f"t_{uuid4().hex[:12]}"
        await pool.execute(f"CREATE TABLE {name} ({columns})", [])
        try:
            yield name
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 10):
                await pool.execute(f"DROP TABLE {name}", [])


def place_of(name: str, folder: Path) -> Place:
    """The database of this name; the test is skipped (in CI: fails) where its server is not there."""
    match name:
        case "sqlite":
            return Place(name, "sqlite", str(folder / "kadai.db"), RealDatabases())
        case "durable":  # every commit waits for the disk, in a thread
            return Place(name, "sqlite", f"{folder}/kadai.db?synchronous=full", RealDatabases())
        case "memory":
            return Place(name, "sqlite", ":memory:", RealDatabases())
        case "simulated":
            return Place(name, "sqlite", "data/kadai.db", SimulatedDatabases())
        case "simulated postgres":
            return Place(name, "postgres", "postgres://a@b/c", SimulatedDatabases())
        case "simulated mysql":
            return Place(name, "mysql", "mysql://a@b/c", SimulatedDatabases())
        case "postgres":
            return Place(name, "postgres", url_of("postgres"), RealDatabases())
        case "mysql":
            return Place(name, "mysql", url_of("mysql"), RealDatabases())
    raise AssertionError(name)
