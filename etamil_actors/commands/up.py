"""``etamil-actors up``: the services of a configuration, or one program, until they are to end.

The configuration is read and every program checked before anything starts: one error keeps all of them
from starting. What a process does from then on is in ``app.py``; here is what people are told of it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from etamil_actors.commands import remark
from etamil_actors.commands.check import show
from etamil_actors.commands.files import SUFFIX, complain_of_file
from etamil_actors.script import JOURNAL

TYPE_CHECKING = False
if TYPE_CHECKING:
    import yaml

    from etamil_actors.actors.programs.jobs import JobPlan
    from etamil_actors.actors.programs.service import RunningService
    from etamil_actors.actors.programs.system import System
    from etamil_actors.cli import Given
    from etamil_actors.language.program import Program

DEFAULT = "config.yaml"
SETTINGS = ("name", "services", "channels")
SERVICE_SETTINGS = ("path",)

SHOWN = 20
"""So many agents or channels are listed by name at the start."""

LONGEST_NUMBER = 100
"""So many digits a number of the configuration may have."""


class ConfigError(Exception):
    """The configuration cannot be used as it stands."""

    def __init__(self, place: str, tamil: str, english: str) -> None:
        super().__init__(english)
        self.place = place
        self.tamil = tamil
        self.english = english


class Setup(NamedTuple):
    """What a configuration says: the name of the whole, the paths of its programs, and its channels."""

    name: str
    services: list[str]
    channels: dict[str, dict[str, Any]]
    """Options of channels by name; they win over those in the programs."""


def main(given: Given) -> int:
    """Start what is named, and stay until it ends."""
    path = given.words[0] if given.words else DEFAULT
    try:
        setup = Setup(_stem(path), [path], {}) if path.endswith(SUFFIX) else read_setup(path)
    except OSError as error:
        complain_of_file(error, path, "கோப்பைப் படிக்க முடியவில்லை", "read")
        return 1
    except ConfigError as wrong:
        sys.stderr.write(f"✗ {wrong.place}: {wrong.tamil}  ({wrong.place}: {wrong.english})\n")
        return 1
    programs = sound_programs(setup.services)
    if programs is None:
        return 1
    from etamil_actors.app import Plan, Service, serve

    names = names_of(setup.services)
    services = [Service(name, program) for name, program in zip(names, programs, strict=True)]
    journal = os.path.join(os.path.dirname(path), JOURNAL)
    sys.stderr.flush()
    return serve(
        Plan(setup.name, services, journal, bool(given.options["verbose"]), setup.channels),
        lambda system: announce(setup.name, system),
    )


def sound_programs(paths: Iterable[str]) -> list[Program] | None:
    """The compiled programs; None when one of them has errors. Whatever is wrong is shown."""
    from etamil_actors.script import load_program

    programs: list[Program] = []
    is_sound = True
    for path in paths:
        try:
            problems, sources, program = load_program(path)
        except OSError as error:
            complain_of_file(error, path, "கோப்பைப் படிக்க முடியவில்லை", "read")
            is_sound = False
            continue
        show(problems, sources)
        if program is None:
            is_sound = False
        else:
            programs.append(program)
    return programs if is_sound else None


def names_of(paths: Sequence[str]) -> list[str]:
    """What people call the services: the files' names, and as much of the folders as tells them apart."""
    parts = [os.path.normpath(path).removesuffix(SUFFIX).split(os.sep) for path in paths]
    names: list[str] = []
    for own in parts:
        length = 1
        while length < len(own) and sum(other[-length:] == own[-length:] for other in parts) > 1:
            length += 1
        name, again = "∕".join(own[-length:]), 2
        while name in names:  # one program, served twice
            name, again = f"{'∕'.join(own[-length:])}#{again}", again + 1
        names.append(name)
    return names


def _stem(path: str) -> str:
    return os.path.basename(path).removesuffix(SUFFIX)


# ---- what has started -----------------------------------------------------------------


def announce(title: str, system: System) -> None:
    """Say what has started: the services with their jobs, agents and routes, and the channels."""
    count = len(system.services)
    remark(f"✓ {title}: {count} சேவை தொடங்கியது", f"{title}: {count} service(s) started")
    routes = False
    for service in system.services.values():
        lines = [*_jobs(service), *_agents(service), *_routes(service)]
        routes = routes or any(_routes(service))
        sys.stderr.write(f"  {service.name}\n" + "".join(f"    {line}\n" for line in lines))
        if not lines:
            remark("    தொடர்ந்து ஓடுவது எதுவும் இல்லை; நிறுத்த Ctrl-C", "nothing that lasts; Ctrl-C stops it")
    channels = [channel.name for channel in system.channels.channels]
    if channels:
        sys.stderr.write(f"  சேனல்கள்  (channels): {_listed(channels)}\n")
    if routes:
        remark(
            "இந்தப் பதிப்பு HTTP கோரிக்கைகளுக்கு இன்னும் பதில் தருவதில்லை",
            "this version does not answer HTTP requests yet",
        )
    sys.stderr.flush()


def _jobs(service: RunningService) -> Iterator[str]:
    from etamil_actors.actors.programs.jobs import JobBehaviour

    told = set()
    for reference in service.jobs.children:
        behaviour = reference._actor.behaviour
        if isinstance(behaviour, JobBehaviour) and behaviour.plan.name not in told:
            told.add(behaviour.plan.name)
            yield f"பணி  (job)  {behaviour.plan.name}{_when(behaviour.plan)}"


def _when(plan: JobPlan) -> str:
    from etamil_actors.actors.channels.base import Channel
    from etamil_actors.actors.schedule import Cron, Every

    text = ""
    match plan.schedule:
        case Every() as every:
            text = f"  every {every.seconds:g} s"
        case Cron() as cron:
            text = f"  cron {cron.text} ({cron.tz})"
    if isinstance(plan.source, Channel):
        text += f"  ← {plan.source.name}"
    return text + (f"  ×{plan.instances}" if plan.instances > 1 else "")


def _agents(service: RunningService) -> Iterator[str]:
    from etamil_actors.actors.programs.agents import AgentBehaviour

    behaviours = (reference._actor.behaviour for reference in service.agents.children)
    names = [one.handle.name for one in behaviours if isinstance(one, AgentBehaviour)]
    if names:
        yield f"முகவர்கள்  (agents): {_listed(names)}"


def _routes(service: RunningService) -> Iterator[str]:
    for row in service.image.program.declared:
        if row.kind == "route":
            yield f"{row.name} {row.path}"


def _listed(names: Sequence[str]) -> str:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    shown = [name if count == 1 else f"{name} ×{count}" for name, count in counts.items()]
    return ", ".join(shown[:SHOWN]) + (f" … +{len(shown) - SHOWN}" if len(shown) > SHOWN else "")


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
    channels = dict(_channels(path, settings["channels"])) if "channels" in settings else {}
    if "name" in settings:
        return Setup(_text(path, settings["name"], "name"), services, channels)
    return Setup(os.path.basename(os.path.abspath(folder)), services, channels)


def _members(path: str, node: yaml.MappingNode, known: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    seen = set()
    for key, value in node.value:
        place = f"{path}:{key.start_mark.line + 1}"
        name = str(key.value)
        if name not in known:
            raise _no_setting(place, name, known)
        if name in seen:
            raise ConfigError(place, f"‘{name}’ இருமுறை உள்ளது", f"‘{name}’ is given twice")
        seen.add(name)
        yield name, value


def _no_setting(place: str, name: str, known: Sequence[str]) -> ConfigError:
    from etamil_actors.language.nearby import nearest

    near = nearest(name, known)
    return ConfigError(
        place,
        f"‘{name}’ என்ற அமைப்பு இல்லை" + (f"; ‘{near}’ என்று எழுத எண்ணினீர்களா?" if near else ""),
        f"there is no setting ‘{name}’" + (f"; did you mean ‘{near}’?" if near else ""),
    )


def _channels(path: str, node: yaml.Node) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is said of channels: the same options as சேனல்_உருவாக்கு has, in both languages."""
    import yaml

    from etamil_actors.actors.channels.book import settings_of
    from etamil_actors.errors import Fault
    from etamil_actors.language.check_options import option_spellings
    from etamil_actors.language.options import OPTIONS_OF, canonical_option

    takes = OPTIONS_OF["_channel"]
    for name, options in _pairs(path, node, "channels"):
        said: dict[str, Any] = {}
        for key, value in _pairs(path, options, name.value):
            place = f"{path}:{key.start_mark.line + 1}"
            option = canonical_option(str(key.value), takes.names)
            if option is None:
                raise _no_setting(place, str(key.value), option_spellings(takes))
            if not isinstance(value, yaml.ScalarNode):
                raise ConfigError(place, f"‘{key.value}’: ஒரு மதிப்பு தேவை", f"‘{key.value}’ is one value")
            if option in said:
                raise ConfigError(place, f"‘{key.value}’ இருமுறை உள்ளது", f"‘{key.value}’ is given twice")
            said[option] = _value(option, value)
            try:
                settings_of({option: said[option]}, word=f"channels.{name.value}")
            except Fault as wrong:
                raise ConfigError(place, wrong.tamil, wrong.english) from None
        yield str(name.value), said


def _pairs(path: str, node: yaml.Node, name: str) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    import yaml

    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(
            f"{path}:{node.start_mark.line + 1}",
            f"‘{name}’: ‘பெயர்: மதிப்பு’ என எழுத வேண்டும்",
            f"‘{name}’ is written ‘name: value’",
        )
    seen = set()
    for key, value in node.value:
        place = f"{path}:{key.start_mark.line + 1}"
        if not isinstance(key, yaml.ScalarNode):
            raise ConfigError(place, f"‘{name}’: பெயர் ஓர் உரை", f"‘{name}’: a name is a text")
        if key.value in seen:
            raise ConfigError(place, f"‘{key.value}’ இருமுறை உள்ளது", f"‘{key.value}’ is given twice")
        seen.add(key.value)
        yield key, value


def _value(option: str, node: yaml.ScalarNode) -> Any:
    """A number where it is written like one; else a word, which may be Tamil."""
    from decimal import Decimal, InvalidOperation

    from etamil_actors.language.options import VALUES_OF, canonical_value

    text = str(node.value)
    known = VALUES_OF.get(option)
    if known is not None:
        return text if text in known else canonical_value(text, known) or text
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    if not number.is_finite() or abs(number.adjusted()) > LONGEST_NUMBER:
        return text  # as large as that it is a mistake, and would take for ever to compute
    return int(number) if number == int(number) else number


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
