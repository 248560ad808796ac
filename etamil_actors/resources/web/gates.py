"""So many requests to one server at once, the others in line: a slow server must not get every connection."""

from __future__ import annotations

from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

import trio


class Gates:
    """One gate for each key, for as long as somebody is at it."""

    __slots__ = ("_most", "_open")

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: dict[Hashable, tuple[trio.Semaphore, list[None]]] = {}

    def __len__(self) -> int:
        return len(self._open)

    @asynccontextmanager
    async def passed(self, key: Hashable) -> AsyncIterator[None]:
        """Stand in line, and hold a place for the length of a block."""
        gate = self._open.get(key)
        if gate is None:
            gate = self._open[key] = (trio.Semaphore(self._most), [])
        semaphore, users = gate
        users.append(None)
        try:
            async with semaphore:
                yield
        finally:
            users.pop()
            if not users:
                del self._open[key]
