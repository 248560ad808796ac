"""A small honest machine for tests of builtins: no program, only a world of simulated ports.

``call`` calls a builtin as a program would, by any of its names and with the conversions of its
row, and counts the arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest

from etamil_actors.errors import Fault
from etamil_actors.language.builtins import BUILTIN_OF
from etamil_actors.resources.system import (
    SimulatedClock,
    SimulatedConsole,
    SimulatedEnvironment,
    SimulatedFiles,
    SimulatedProgram,
    SimulatedPrograms,
    SimulatedRandom,
)
from etamil_actors.vm import effects
from etamil_actors.vm.builtins import registry

START = 1_767_225_600
"""2026-01-01 00:00 UTC."""


class PortWorld:
    """A world made of ports."""

    def __init__(self, environment: Mapping[str, str], stdin: str, seed: int) -> None:
        self.console = SimulatedConsole(stdin)
        self.clock = SimulatedClock(START)
        self.random = SimulatedRandom(seed)
        self.variables = SimulatedEnvironment(environment)
        self.keys: dict[str, bytes] = {}

    def write(self, text: str) -> None:
        self.console.write(text)

    def warn(self, text: str) -> None:
        self.console.write_error(text + "\n")

    def wall_time(self) -> Decimal:
        return self.clock.wall()

    def random_bytes(self, count: int) -> bytes:
        return self.random.bytes(count)

    def environment(self, name: str) -> str | None:
        return self.variables.get(name)


class PortMachine:
    """Performs effects on the spot."""

    def __init__(
        self,
        files: Mapping[str, str | bytes] | None = None,
        environment: Mapping[str, str] | None = None,
        stdin: str = "",
        programs: Mapping[str, SimulatedProgram] | None = None,
        seed: int = 0,
    ) -> None:
        self.world = PortWorld(environment or {}, stdin, seed)
        self.state: dict[str, object] = {}
        self.files = SimulatedFiles(files, clock=self.world.clock)
        self.programs = SimulatedPrograms(programs, self.world.clock)
        self.performed: list[effects.Effect] = []

    def perform(self, effect: effects.Effect) -> Any:
        self.performed.append(effect)
        match effect:
            case effects.ReadFile():
                return self.files.read(effect.path, effect.limit)
            case effects.WriteFile():
                return self.files.write(effect.path, effect.data, effect.append)
            case effects.FileExists():
                return self.files.exists(effect.path)
            case effects.FileInfo():
                return self.files.details(effect.path)
            case effects.ListFolder():
                return self.files.names(effect.path)
            case effects.RunProgram():
                return self.programs.run(effect.program, effect.arguments, effect.seconds, effect.limit)
            case effects.ReadLine():
                return self.world.console.read_line()
            case effects.InThread():
                return effect.function(*effect.arguments)
            case effects.Sleep():
                return self.world.clock.advance(effect.seconds)
            case effects.Service():
                return self.service(effect.key, effect.arguments)
        raise AssertionError(effect)

    def service(self, key: str, arguments: Sequence[Any]) -> Any:
        raise Fault("not_here", name=key, problem_ta="சேவை இல்லை", problem_en="there is no service")

    def call(self, name: str, *arguments: Any) -> Any:
        """Call a builtin by one of its names."""
        builtin = BUILTIN_OF[name]
        assert builtin.least <= len(arguments) <= builtin.most or builtin.most < 0
        return registry.link(builtin.english, self)(*arguments)


@pytest.fixture
def make_machine() -> Callable[..., PortMachine]:
    """Makes a machine with these files, environment variables, input and programs."""
    return PortMachine


@pytest.fixture
def machine() -> PortMachine:
    """A machine with nothing."""
    return PortMachine()


@pytest.fixture
def call(machine: PortMachine) -> Callable[..., Any]:
    """Calls a builtin on a machine with nothing."""
    return machine.call
