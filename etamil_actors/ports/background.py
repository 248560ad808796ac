"""Who keeps what is opened once for all of a process: pools, the loop of a bridge, writers of logs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol


class Keeper(Protocol):
    """Runs what belongs to no activity, and closes it when the last activity has ended."""

    def start(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Run this beside everything until the process ends, when it is cancelled. Should it fail, that is
        told, and it is run again after a pause that grows with every failure."""

    def at_close(self, close: Callable[[], Awaitable[None]]) -> None:
        """Call this when no program runs any more; what was opened last is closed first."""

    def tell(self, tamil: str, english: str) -> None:
        """Tell the operator something."""
