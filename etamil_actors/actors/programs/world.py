"""The world of a service: the ports, behind effects and behind what a machine has without waiting.

What may take long — files, other programs, hashing a password — happens in threads of a limited number,
so that it delays nobody. In a simulation nothing may run in a thread, because virtual time does not know
of it: there the ports are simulated ones, which answer at once.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import trio

from etamil_actors.actors.programs.words import deed
from etamil_actors.errors import Fault, OutputClosed
from etamil_actors.ports import Clock, Console, Environment, Files, Programs, Random
from etamil_actors.ports.databases import Databases
from etamil_actors.ports.redis import RedisServers
from etamil_actors.ports.web import Web
from etamil_actors.vm import effects

if TYPE_CHECKING:
    from etamil_actors.actors.auth.authority import Authority
    from etamil_actors.actors.programs.activity import Activity

THREADS: Final = 8
"""How many slow calls of files and programs may run at once."""
COMPUTING: Final = max(2, min(4, (os.cpu_count() or 1) - 1))
"""How many slow pure functions. Each keeps a core busy and may need 64 MiB: a crowd that logs in must not
take what all the others live on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Everything that a service can want from the outside world."""

    console: Console
    files: Files
    clock: Clock
    random: Random
    environment: Environment
    programs: Programs
    databases: Databases | None = None
    redis: RedisServers | None = None
    web: Web | None = None
    is_simulated: bool = False


class ServiceWorld:
    """What the machines of a service have of the world without waiting (``vm/world.py``)."""

    def __init__(self, ports: Ports, warn: Callable[[str], None], auth: Authority) -> None:
        self.ports = ports
        self.warn = warn
        self.random_bytes = ports.random.bytes
        self.wall_time: Callable[[], Decimal] = ports.clock.wall
        self.environment = ports.environment.get
        self.budget: Any = None
        self.keys: dict[str, bytes] = {}
        """Keys made for this process, where none was configured."""
        self._auth = auth
        self.is_dirty = False
        """Was anything written that nobody has seen yet?"""

    def has_role(self, user: Any, role: str) -> bool:
        """Has somebody with these claims this role, by what the configuration says of roles?"""
        return self._auth.roles.has(user, role)

    @property
    def passwords(self) -> str:
        """How they are hashed."""
        return self._auth.settings.passwords

    def write(self, text: str) -> None:
        """Put text on standard output; it is seen when the program waits next."""
        self.is_dirty = True
        self.ports.console.write(text)

    def show(self) -> None:
        """Let what was written be seen.

        Raises:
            OutputClosed: nobody reads it any more.
        """
        if self.is_dirty:
            self.is_dirty = False
            try:
                self.ports.console.flush()
            except OSError as trouble:
                raise OutputClosed(trouble) from None


class Threads:
    """Where slow calls run."""

    __slots__ = ("_computing", "_limiter", "is_reading")

    def __init__(self, is_simulated: bool) -> None:
        self.is_reading = False
        """Does a thread wait for input that perhaps never comes?"""
        self._limiter = None if is_simulated else trio.CapacityLimiter(THREADS)
        self._computing = None if is_simulated else trio.CapacityLimiter(COMPUTING)

    async def compute(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a pure function that takes long. Who is cancelled does not wait for it."""
        if self._computing is None:
            await trio.lowlevel.checkpoint()
            return function(*arguments)
        return await trio.to_thread.run_sync(
            function, *arguments, limiter=self._computing, abandon_on_cancel=True
        )

    async def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call it where it delays nobody."""
        if self._limiter is None:
            await trio.lowlevel.checkpoint()
            return function(*arguments)
        # Not abandoned when cancelled: what a file or program has half done must be known.
        return await trio.to_thread.run_sync(function, *arguments, limiter=self._limiter)

    async def read(self, read: Callable[[], str]) -> str:
        """Wait for somebody who types. When nobody waits any more, the thread goes on by itself."""
        if self._limiter is None:
            await trio.lowlevel.checkpoint()
            return read()
        self.is_reading = True
        text = await trio.to_thread.run_sync(read, limiter=self._limiter, abandon_on_cancel=True)
        self.is_reading = False
        return text


def _slow(kind: type[effects.Effect], call: Callable[[Ports, Any], tuple[Any, ...]]) -> None:
    def answer(activity: Activity, effect: effects.Effect) -> Any:
        system = activity.service.system
        return system.threads.call(*call(system.ports, effect))

    deed(kind)(answer)


_slow(effects.ReadFile, lambda ports, wish: (ports.files.read, wish.path, wish.limit))
_slow(effects.WriteFile, lambda ports, wish: (ports.files.write, wish.path, wish.data, wish.append))
_slow(effects.FileExists, lambda ports, wish: (ports.files.exists, wish.path))
_slow(effects.FileInfo, lambda ports, wish: (ports.files.details, wish.path))
_slow(effects.ListFolder, lambda ports, wish: (ports.files.names, wish.path))
_slow(
    effects.RunProgram,
    lambda ports, wish: (ports.programs.run, wish.program, wish.arguments, wish.seconds, wish.limit),
)


@deed(effects.InThread)
def in_thread(activity: Activity, effect: effects.InThread) -> Any:
    """A slow pure function: hashing a password, say."""
    return activity.service.system.threads.compute(effect.function, *effect.arguments)


@deed(effects.ReadLine)
def read_line(activity: Activity, effect: effects.ReadLine) -> Any:
    """உள்ளிடு: only a script has somebody who types."""
    system = activity.service.system
    if not system.has_console:
        raise Fault(
            "not_here",
            name="உள்ளிடு",
            problem_ta="ஒரு சேவைக்கு உள்ளீட்டு முனையம் இல்லை",
            problem_en="a service has nobody who types",
        )
    return system.threads.read(system.ports.console.read_line)
