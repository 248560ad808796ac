"""What a machine has of the world without waiting: a pen, a clock, dice, the environment.

Everything that may wait is an effect (``effects.py``) instead.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol


class World(Protocol):
    """Given to a machine by whoever makes it."""

    def write(self, text: str) -> None:
        """Put text on the program's standard output."""

    def warn(self, text: str) -> None:
        """Tell the operator something; the program does not notice."""

    def wall_time(self) -> Decimal:
        """Seconds since 1970-01-01 UTC."""

    def random_bytes(self, count: int) -> bytes:
        """Bytes that nobody can predict."""

    def environment(self, name: str) -> str | None:
        """An environment variable."""
