"""Databases as they are: pools of SQLite, PostgreSQL and MySQL behind ``ports.databases``.

``pool.py`` is one pool for all of them; ``driver.py`` says what a kind brings. Nothing of a kind is imported
before a program wants one of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Final

from etamil_actors.errors import Fault
from etamil_actors.ports.background import Keeper
from etamil_actors.ports.databases import Kind, Pool, PoolSettings
from etamil_actors.resources.databases.driver import Driver

DRIVERS: Final[dict[Kind, tuple[str, str]]] = {
    "sqlite": ("sqlite", "SqliteDriver"),
    "postgres": ("postgres", "PostgresDriver"),
    "mysql": ("mysql", "MysqlDriver"),
}
"""Where the driver of a kind lives; it is called with the settings and the keeper."""

PACKAGES: Final[dict[Kind, str]] = {
    "sqlite": "apsw",
    "postgres": "etamil-actors[postgres]",
    "mysql": "etamil-actors[mysql]",
}
OURS: Final = "etamil_actors"
MEMORY: Final = ":memory:"


def open_driver(settings: PoolSettings, keeper: Keeper) -> Driver:
    """What opens connections of this kind.

    Raises:
        Fault: ``config``; the url cannot be understood, or the library is not installed.
    """
    module, name = DRIVERS[settings.kind]
    try:
        made = getattr(import_module(f"{__name__}.{module}"), name)
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] == OURS:
            raise
        wanted = PACKAGES[settings.kind]
        raise Fault(
            "config",
            problem_ta=f"{settings.kind} தரவுத்தளத்திற்கான நூலகம் நிறுவப்படவில்லை: pip install '{wanted}'",
            problem_en=f"the library for {settings.kind} is not installed: pip install '{wanted}'",
        ) from None
    driver: Driver = made(settings, keeper)
    return driver


class RealDatabases:
    """See ``ports.databases.Databases``."""

    def __init__(self) -> None:
        self._pools: dict[PoolSettings, Pool] = {}
        self._keepers: list[Keeper] = []

    def _driver(self, settings: PoolSettings, keeper: Keeper) -> Driver:
        return open_driver(settings, keeper)

    def _is_tended(self, settings: PoolSettings) -> bool:
        """Shall idle connections be looked after? In memory there is nothing that could grow old."""
        return settings.url != MEMORY

    def pool(self, settings: PoolSettings, keeper: Keeper) -> Pool:
        """The pool of these settings, made when there is none.

        Raises:
            Fault: ``config``; the url cannot be understood, or the driver is not installed.
        """
        found = self._pools.get(settings)
        if found is not None:
            return found
        from etamil_actors.resources.databases.pool import DriverPool

        # Pools come and go with every request that connects to a database in memory, so the keeper
        # knows of all of them together only.
        if not any(one is keeper for one in self._keepers):
            self._keepers.append(keeper)
            keeper.at_close(self.close)
        pool = DriverPool(
            settings,
            self._driver(settings, keeper),
            keeper,
            forget=self._forget,
            background=self._is_tended(settings),
        )
        self._pools[settings] = pool
        return pool

    def pools(self) -> Sequence[Pool]:
        """Those that are open."""
        return list(self._pools.values())

    async def retire(self, settings: PoolSettings) -> None:
        """Close the pool of these settings, if there is one."""
        pool = self._pools.get(settings)
        if pool is not None:
            await pool.close()

    def _forget(self, pool: Pool) -> None:
        if self._pools.get(pool.settings) is pool:
            del self._pools[pool.settings]

    async def close(self) -> None:
        """Close every pool, all of them at once."""
        import trio

        self._keepers.clear()
        async with trio.open_nursery() as nursery:
            for pool in self.pools():
                nursery.start_soon(pool.close)
