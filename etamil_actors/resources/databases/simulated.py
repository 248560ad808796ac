"""Databases of a simulation: SQLite in memory, whatever kind the settings say, and no thread anywhere.

How they do it is in ``simulated_sqlite.py``, which is imported when a program wants a database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from etamil_actors.ports.background import Keeper
from etamil_actors.ports.databases import Kind, PoolSettings
from etamil_actors.resources.databases import MEMORY, RealDatabases
from etamil_actors.resources.databases.driver import Driver

if TYPE_CHECKING:
    from etamil_actors.resources.databases.simulated_sqlite import SimulatedPlace


class SimulatedDatabases(RealDatabases):
    """The twin of ``RealDatabases``: one database per kind and url, for as long as the world lives."""

    def __init__(self) -> None:
        super().__init__()
        self._places: dict[tuple[Kind, str], SimulatedPlace] = {}

    def _driver(self, settings: PoolSettings, keeper: Keeper) -> Driver:
        from etamil_actors.resources.databases.simulated_sqlite import SimulatedDriver, SimulatedPlace

        if settings.kind == "sqlite" and settings.url == MEMORY:
            return SimulatedDriver(settings, SimulatedPlace(), is_own=True)
        key = (settings.kind, settings.url)
        if key not in self._places:
            self._places[key] = SimulatedPlace()
        return SimulatedDriver(settings, self._places[key], is_own=False)

    def _is_tended(self, settings: PoolSettings) -> bool:
        return False
