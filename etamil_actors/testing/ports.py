"""The world of a service under test: every port simulated, and one clock for all of it.

Nothing here depends on the machine it runs on. The calendar follows trio's virtual clock, so a job that is
due at two in the morning runs when the test has moved the clock there.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import trio

from etamil_actors.actors.programs.world import Ports
from etamil_actors.errors import InternalError
from etamil_actors.ports import FileDetails, Files
from etamil_actors.ports.databases import Databases
from etamil_actors.ports.web import Web
from etamil_actors.resources.databases.simulated import SimulatedDatabases
from etamil_actors.resources.redis.simulated import SimulatedRedisServers
from etamil_actors.resources.system import (
    SimulatedConsole,
    SimulatedEnvironment,
    SimulatedFiles,
    SimulatedProgram,
    SimulatedPrograms,
    SimulatedRandom,
    seconds_of,
)
from etamil_actors.resources.web.simulated import SimulatedWeb

START: Final = 1_767_225_600
"""Where the calendar of a test begins, if it says nothing else: 2026-01-01 00:00 UTC."""


class VirtualClock:
    """The calendar of a virtual clock: ``start`` and what has passed in this run of trio's."""

    __slots__ = ("start",)

    def __init__(self, start: int = START) -> None:
        self.start = start

    def wall(self) -> Decimal:
        """Seconds since 1970-01-01 UTC."""
        return seconds_of(self.start * 1_000_000_000 + round(self.monotonic() * 1e9))

    def monotonic(self) -> float:
        """Seconds since the run began; 0 outside of one."""
        try:
            return trio.current_time()
        except RuntimeError:
            return 0.0

    def sleep(self, seconds: float) -> None:
        """Nobody may: it would stop all actors at once.

        Raises:
            InternalError: always.
        """
        raise InternalError(f"somebody sleeps {seconds} s without trio")


class OverlaidFiles:
    """The files of another port as they are now, with what is written kept in memory above them."""

    __slots__ = ("_below", "written")

    def __init__(self, below: Files) -> None:
        self._below = below
        self.written: dict[str, bytes] = {}
        """Whole path → bytes."""

    def read(self, path: str, limit: int | None = None) -> bytes:
        """All bytes of a file."""
        data = self.written.get(_whole(path))
        if data is None:
            return self._below.read(path, limit)
        if limit is not None and len(data) > limit:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
        return data

    def write(self, path: str, data: bytes, append: bool = False) -> int:
        """Keep these bytes, in memory only."""
        whole = _whole(path)
        if not self._below.details(os.path.dirname(whole)).folder:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        there = self.exists(path)
        if there and self.details(path).folder:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        self.written[whole] = (self.read(path) if append and there else b"") + data
        return len(data)

    def exists(self, path: str) -> bool:
        """Is there anything at this path?"""
        return bool(path) and (_whole(path) in self.written or self._below.exists(path))

    def details(self, path: str) -> FileDetails:
        """What is known of the file or folder at this path."""
        data = self.written.get(_whole(path))
        return self._below.details(path) if data is None else FileDetails(False, len(data), None)

    def names(self, path: str) -> list[str]:
        """The names in a folder."""
        whole = _whole(path)
        names = dict.fromkeys(self._below.names(path))
        names.update((name, None) for name in map(os.path.basename, self._in(whole)))
        return list(names)

    def _in(self, folder: str) -> list[str]:
        return [path for path in self.written if os.path.dirname(path) == folder]


def _whole(path: str) -> str:
    if not path:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    if "\0" in path:
        raise OSError(errno.EINVAL, "embedded null byte")
    return os.path.abspath(path)


def simulated_ports(
    *,
    seed: int = 0,
    start: int = START,
    files: Files | Mapping[str, str | bytes] | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: str = "",
    programs: Mapping[str, SimulatedProgram] | None = None,
    web: Web | None = None,
    databases: Databases | None = None,
) -> Ports:
    """A world for one run."""
    clock = VirtualClock(start)
    if files is None or isinstance(files, Mapping):
        files = SimulatedFiles(files, clock=clock)
    return Ports(
        console=SimulatedConsole(stdin),
        files=files,
        clock=clock,
        random=SimulatedRandom(seed),
        environment=SimulatedEnvironment(environment),
        programs=SimulatedPrograms(programs),
        databases=databases if databases is not None else SimulatedDatabases(),
        redis=SimulatedRedisServers(),
        web=web if web is not None else SimulatedWeb(),
        is_simulated=True,
    )
