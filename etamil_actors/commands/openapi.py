"""``etamil-actors openapi``: the OpenAPI document of what ``up`` would serve.

Options of routes are values, so the top level of each program runs: in a simulated world, in which nothing is
written, no address is taken and nobody is asked.
"""

from __future__ import annotations

import os
import sys

from etamil_actors.commands import complain
from etamil_actors.commands.setups import made_up, path_in, setup_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from etamil_actors.cli import Given
    from etamil_actors.configuration import Setup
    from etamil_actors.testing import Loaded


def main(given: Given) -> int:
    """Print the document."""
    from etamil_actors.actors.errors import StartError, TooManyRestartsError
    from etamil_actors.errors import Fault

    setup = setup_at(path_in(given.words), made_up)
    if setup is None:
        return 1
    programs = _programs(setup)
    if programs is None:
        return 1
    try:
        sys.stdout.write(document_of(setup, programs).decode())
    except (StartError, TooManyRestartsError, Fault) as trouble:
        return _did_not_start(trouble)
    sys.stdout.write("\n")
    return 0


def _programs(setup: Setup) -> dict[str, Loaded] | None:
    from etamil_actors.commands.files import complain_of_file
    from etamil_actors.commands.sim import load_program
    from etamil_actors.commands.up import names_of

    programs: dict[str, Loaded] = {}
    is_sound = True
    for name, path in zip(names_of(setup.paths), setup.paths, strict=True):
        try:
            with open(path, "rb") as file:
                loaded = load_program(path, file.read())
        except OSError as error:
            complain_of_file(error, path, "கோப்பைப் படிக்க முடியவில்லை", "read")
            loaded = None
        if loaded is None:
            is_sound = False
        else:
            programs[name] = loaded
    return programs if is_sound else None


def document_of(setup: Setup, programs: dict[str, Loaded]) -> bytes:
    """The document, as ``/openapi.json`` would answer it.

    Raises: StartError, TooManyRestartsError, Fault.
    """
    from etamil_actors.edge.server import Edge
    from etamil_actors.language.romanise import romanise
    from etamil_actors.resources.system import SystemFiles
    from etamil_actors.testing import OverlaidFiles, open_services, run_seeded

    async def made() -> bytes:
        async with open_services(
            programs,
            files=OverlaidFiles(SystemFiles()),
            environment=dict(os.environ),
            channels=setup.channels,
            how=_how(setup, programs),
            process={"databases": setup.resources.databases},
        ) as services:
            system = next(iter(services.values())).system
            edge = Edge(system, setup.http, name=setup.name, ascii_name=romanise)
            return edge.without_sockets().openapi()

    return run_seeded(made)


def _how(setup: Setup, programs: dict[str, Loaded]) -> dict[str, dict[str, Any]]:
    """What the configuration says of each service, by name."""
    from etamil_actors.actors.programs.routes import is_whole
    from etamil_actors.vm.machine import Image

    return {
        name: {
            "as_whole": is_whole(Image(one.program)),
            "prefix": entry.prefix,
            "prelude_per_request": entry.is_per_request,
            "settings": entry.settings,
        }
        for entry, (name, one) in zip(setup.services, programs.items(), strict=True)
    }


def _did_not_start(trouble: BaseException) -> int:
    from etamil_actors.actors.errors import StartError
    from etamil_actors.actors.programs.agents import fault_in
    from etamil_actors.errors import Fault
    from etamil_actors.script import fault_text

    problem: BaseException = trouble
    while isinstance(problem, StartError):
        problem = fault_in(problem.problem)
    if isinstance(problem, Fault):
        complain("சேவை தொடங்கவில்லை", "a service did not start")
        sys.stderr.write(fault_text(problem) + "\n")
    else:
        complain(f"சேவை தொடங்கவில்லை: {problem}", f"a service did not start: {problem}")
    return 1
