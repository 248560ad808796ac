"""What a process is to serve: its programs, and what the configuration says."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from etamil_actors.actors.programs.routes import is_whole
from etamil_actors.actors.programs.system import ServicePlan
from etamil_actors.edge.settings import HttpSettings
from etamil_actors.errors import Fault
from etamil_actors.ports.auth import AuthSettings
from etamil_actors.resource_settings import ResourceSettings
from etamil_actors.vm.machine import Image

if TYPE_CHECKING:
    from etamil_actors.language.program import Program


class Service(NamedTuple):
    """A program that is to be served, and what people call it."""

    name: str
    program: Program
    settings: Mapping[str, Any] = {}
    """What the configuration says for அமைப்பு."""
    prefix: str = ""
    """What stands before the path of each of its routes."""
    is_per_request: bool = False
    """Does its top level run before each request, as 2.0 does?"""


class Plan(NamedTuple):
    """What a process is to serve."""

    title: str
    services: Sequence[Service]
    journal: str
    """Where the journal is, or will be when a program needs one."""
    verbose: bool = False
    channels: Mapping[str, Mapping[str, Any]] = {}
    """What the configuration says of channels, by name."""
    http: HttpSettings = HttpSettings()
    auth: AuthSettings = AuthSettings()
    child: int | None = None
    """The number of this process, when it is one of several that serve the same."""
    resources: ResourceSettings = ResourceSettings()
    config: str = ""
    """The file that says all this, whole."""
    processes: int = 1
    """How many processes the configuration wants."""
    lease: str = ""
    """The file whose lock tells which of several processes runs what may run once only."""


def service_plan(one: Service) -> ServicePlan:
    """A service, made ready to run."""
    image = Image(one.program)
    return ServicePlan(
        name=one.name,
        image=image,
        as_whole=is_whole(image),
        prefix=one.prefix,
        prelude_per_request=one.is_per_request,
        settings=one.settings,
    )


def make_folders(plan: Plan) -> None:
    """The folders of the SQLite files that the configuration names. Raises: Fault ``config``."""
    for settings in plan.resources.databases.values():
        path = settings.url.partition("?")[0]
        if settings.kind != "sqlite" or path == ":memory:":
            continue
        try:
            os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        except OSError as trouble:
            why = f"{trouble.filename}: {trouble.strerror}"
            raise Fault(
                "config",
                problem_ta=f"database.{settings.name}: கோப்புறையை உருவாக்க முடியவில்லை: {why}",
                problem_en=f"database.{settings.name}: its folder cannot be made: {why}",
            ) from None


def expect_services_of_log(plan: Plan) -> None:
    """The log has levels of services that there are. Raises: Fault ``config``."""
    names = [one.name for one in plan.services]
    for name in plan.resources.log.levels:
        if name not in names:
            known = ", ".join(names)
            raise Fault(
                "config",
                problem_ta=f"log.levels: ‘{name}’ என்ற சேவை இல்லை; உள்ளவை: {known}",
                problem_en=f"log.levels: there is no service ‘{name}’; there is {known}",
            )
