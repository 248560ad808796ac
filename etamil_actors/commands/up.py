"""``etamil-actors up``: the services of a configuration.

This version loads and checks every service, runs its prelude and lists its routes. It has no HTTP
edge yet, and says so; the command's status is 0 when all that it does went well.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from etamil_actors.commands import remark
from etamil_actors.commands.check import show
from etamil_actors.commands.files import complain_of_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    import yaml

    from etamil_actors.cli import Given

DEFAULT = "config.yaml"
SETTINGS = ("name", "services")
SERVICE_SETTINGS = ("path",)


class ConfigError(Exception):
    """The configuration cannot be used as it stands."""

    def __init__(self, place: str, tamil: str, english: str) -> None:
        super().__init__(english)
        self.place = place
        self.tamil = tamil
        self.english = english


class Setup(NamedTuple):
    """What a configuration says: the name of the whole, and the paths of its programs."""

    name: str
    services: list[str]


def main(given: Given) -> int:
    """Start what the configuration names."""
    path = given.words[0] if given.words else DEFAULT
    try:
        setup = read_setup(path)
    except OSError as error:
        complain_of_file(error, path, "கோப்பைப் படிக்க முடியவில்லை", "read")
        return 1
    except ConfigError as wrong:
        sys.stderr.write(f"✗ {wrong.place}: {wrong.tamil}  ({wrong.place}: {wrong.english})\n")
        return 1
    if not all_sound(setup.services):
        return 1
    for service in setup.services:
        status = start(service)
        if status:
            return status
    count = len(setup.services)
    remark(
        f"{setup.name}: {count} சேவை தொடங்கியது. இந்தப் பதிப்பு HTTP கோரிக்கைகளுக்கு இன்னும் பதில் தருவதில்லை",
        f"{setup.name}: {count} service(s) started. This version does not answer HTTP requests yet",
    )
    return 0


def all_sound(services: list[str]) -> bool:
    """Show what is wrong with any of the programs; one error keeps all of them from starting."""
    from etamil_actors.script import load_for_check

    sound = True
    for service in services:
        try:
            problems, sources = load_for_check(service)
        except OSError as error:
            complain_of_file(error, service, "கோப்பைப் படிக்க முடியவில்லை", "read")
            sound = False
            continue
        show(problems, sources)
        sound = sound and not any(problem.severity == "error" for problem in problems)
    return sound


def start(service: str) -> int:
    """Run one program's prelude and say which routes it has."""
    from etamil_actors.script import RunOptions, routes_of, run_file

    status = run_file(service, [], RunOptions(announce=False))
    if status == 0:
        sys.stderr.write(f"✓ {service}\n")
        for method, path in routes_of(service):
            sys.stderr.write(f"  {method} {path}\n")
    return status


# ---- the configuration ----------------------------------------------------------------


def read_setup(path: str) -> Setup:
    """Read a configuration; the programs' paths count from its folder.

    Raises: OSError when it cannot be read, ConfigError when it says something else than it may.
    """
    import yaml

    with open(path, "rb") as file:
        text = file.read()
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        problem = getattr(error, "problem", None) or "it is not YAML"
        raise ConfigError(f"{path}:{line}", f"YAML அல்ல: {problem}", f"not YAML: {problem}") from None
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError(
            f"{path}:1", "அமைப்புகள் ‘பெயர்: மதிப்பு’ என இருக்க வேண்டும்", "settings are written ‘name: value’"
        )
    settings = dict(_members(path, root, SETTINGS))
    if "services" not in settings:
        raise ConfigError(f"{path}:1", "‘services’ இல்லை", "‘services’ is missing")
    folder = os.path.dirname(path)
    services = [os.path.join(folder, service) for service in _services(path, settings["services"])]
    if "name" in settings:
        return Setup(_text(path, settings["name"], "name"), services)
    return Setup(os.path.basename(os.path.abspath(folder)), services)


def _members(path: str, node: yaml.MappingNode, known: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    seen = set()
    for key, value in node.value:
        place = f"{path}:{key.start_mark.line + 1}"
        name = str(key.value)
        if name not in known:
            from etamil_actors.language.nearby import nearest

            near = nearest(name, known)
            raise ConfigError(
                place,
                f"‘{name}’ என்ற அமைப்பு இல்லை" + (f"; ‘{near}’ என்று எழுத எண்ணினீர்களா?" if near else ""),
                f"there is no setting ‘{name}’" + (f"; did you mean ‘{near}’?" if near else ""),
            )
        if name in seen:
            raise ConfigError(place, f"‘{name}’ இருமுறை உள்ளது", f"‘{name}’ is given twice")
        seen.add(name)
        yield name, value


def _services(path: str, node: yaml.Node) -> Iterator[str]:
    import yaml

    place = f"{path}:{node.start_mark.line + 1}"
    if not isinstance(node, yaml.SequenceNode):
        raise ConfigError(
            place, "‘services’ நிரல்களின் பட்டியலாக இருக்க வேண்டும்", "‘services’ is a list of programs"
        )
    if not node.value:
        raise ConfigError(place, "‘services’ எந்தச் சேவையையும் குறிப்பிடவில்லை", "‘services’ names no service")
    for entry in node.value:
        if isinstance(entry, yaml.MappingNode):
            settings = dict(_members(path, entry, SERVICE_SETTINGS))
            if "path" not in settings:
                raise ConfigError(f"{path}:{entry.start_mark.line + 1}", "‘path’ இல்லை", "‘path’ is missing")
            yield _text(path, settings["path"], "path")
        else:
            yield _text(path, entry, "services")


def _text(path: str, node: yaml.Node, name: str) -> str:
    import yaml

    if not isinstance(node, yaml.ScalarNode) or not node.value:
        place = f"{path}:{node.start_mark.line + 1}"
        raise ConfigError(place, f"‘{name}’ ஓர் உரையாக இருக்க வேண்டும்", f"‘{name}’ is a text")
    return str(node.value)
