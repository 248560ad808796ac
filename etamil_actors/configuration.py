"""config.yaml: how it is read. What may be said in it stands in the table of ``configuration_table.py``.

The file is never made into objects: YAML's own tree is read, which knows the line of everything. So whatever
is wrong — a key that does not exist, a value of another kind, one that cannot be — is an error with its line,
and nothing in the file can call anything. In every value ``${NAME}`` and ``${NAME:-default}`` stand for a
variable of the environment, and ``$${`` for ``${``; they are replaced after the YAML is read, so what a
variable holds stays one text, whatever it holds. Paths count from the folder of the file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields
from decimal import Decimal
from functools import partial
from typing import Any, Final, NamedTuple

from etamil_actors.configuration_auth import expect_apart, read_auth
from etamil_actors.configuration_resources import LEVEL, SECTIONS
from etamil_actors.configuration_table import (
    HTTP,
    LARGEST,
    LONGEST_NUMBER,
    PARTS,
    PER_REQUEST,
    PREFIX,
    SERVICE,
    TOP,
    WHEN,
    ConfigError,
    Row,
    Said,
    count,
    near,
    short,
)
from etamil_actors.edge.addresses import parse_address
from etamil_actors.edge.settings import Cors, HttpSettings
from etamil_actors.errors import Fault
from etamil_actors.observe.settings import LogSettings, ObserverSettings
from etamil_actors.ports.auth import AuthSettings
from etamil_actors.ports.databases import UNCLEAR_URL, PoolSettings, database_kind, may_be_server
from etamil_actors.resource_settings import ResourceSettings

TYPE_CHECKING = False
if TYPE_CHECKING:
    import yaml

SETTINGS: Final = (*(one.key for one in TOP), "http", "auth", *SECTIONS)
SERVICE_SETTINGS: Final = tuple(one.key.removeprefix("services.") for one in SERVICE)
MOST_PROCESSES: Final = 256


class ServiceEntry(NamedTuple):
    """One of ``services``."""

    path: str
    prefix: str = ""
    """What stands before the path of each of its routes."""
    is_per_request: bool = False
    """Does its top level run before each request, as 2.0 does?"""
    settings: Mapping[str, Any] = {}
    """What அமைப்பு answers."""


class Setup(NamedTuple):
    """What a configuration says."""

    name: str
    """What people call the whole."""
    services: Sequence[ServiceEntry]
    """Its programs."""
    channels: dict[str, dict[str, Any]]
    """Options of channels by name; they win over those in the programs."""
    http: HttpSettings = HttpSettings()
    processes: int = 1
    auth: AuthSettings = AuthSettings()
    resources: ResourceSettings = ResourceSettings()

    @property
    def paths(self) -> list[str]:
        """Where its programs are."""
        return [one.path for one in self.services]


DEEPEST: Final = 50
"""So deep settings of a service may nest."""


# ---- the file -------------------------------------------------------------------------


def read_setup(
    path: str, environment: Mapping[str, str] | None = None, missing: Callable[[str], str] | None = None
) -> Setup:
    """Read a configuration; paths in it count from its folder. ``missing`` makes up what the environment
    has not.

    Raises: OSError when it cannot be read, ConfigError when it says something else than it may.
    """
    root = _compose(path)
    reader = Reader(path, os.environ if environment is None else environment, missing)
    reader.fill_in(root)
    return reader.setup(root)


def _compose(path: str) -> yaml.MappingNode:
    import yaml

    with open(path, "rb") as file:
        text = file.read(LARGEST + 1)
    if len(text) > LARGEST:
        raise ConfigError(
            f"{path}:1", f"{LARGEST} பைட்டுகளுக்கு மேல் உள்ளது", f"it is larger than {LARGEST} bytes"
        )
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        problem = getattr(error, "problem", None) or "it is not YAML"
        lines = text.splitlines()
        tamil = english = ""
        if line <= len(lines) and b"${" in lines[line - 1]:
            tamil, english = "; ‘${…}’ ஐ மேற்கோள் குறிகளுக்குள் எழுதவும்", "; write ‘${…}’ in quotes"
        raise ConfigError(
            f"{path}:{line}", f"YAML அல்ல: {problem}{tamil}", f"not YAML: {problem}{english}"
        ) from None
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError(
            f"{path}:1", "அமைப்புகள் ‘பெயர்: மதிப்பு’ என இருக்க வேண்டும்", "settings are written ‘name: value’"
        )
    return root


_VARIABLE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?:(:-)([^}]*))?\}|\$\{")


class Reader:
    """Reads the tree of one configuration."""

    def __init__(
        self, path: str, environment: Mapping[str, str], missing: Callable[[str], str] | None = None
    ) -> None:
        self._path = path
        self._missing = missing
        self._folder = os.path.dirname(path)
        self._environment = environment

    def place(self, node: yaml.Node) -> str:
        return f"{self._path}:{node.start_mark.line + 1}"

    def fill_in(self, root: yaml.Node) -> None:
        """Put variables of the environment in place, in every value."""
        import yaml

        # What has an alias is one node with many parents, itself perhaps among them.
        seen: set[int] = set()
        waiting: list[yaml.Node] = [root]
        while waiting:
            node = waiting.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            if isinstance(node, yaml.MappingNode):
                waiting += [value for _, value in node.value]
            elif isinstance(node, yaml.SequenceNode):
                waiting += node.value
            elif "${" in node.value:
                node.value = _VARIABLE.sub(partial(self._variable, node), node.value)

    def _variable(self, node: yaml.Node, found: re.Match[str]) -> str:
        if found[0] == "$${":
            return "${"
        name, has_default, default = found[1], found[2], found[3]
        if name is None:
            raise ConfigError(
                self.place(node),
                "‘${’-க்குப் பின் ஒரு பெயரும் ‘}’ குறியும் தேவை; ‘${’ என்றே எழுத: ‘$${’",
                "‘${’ is followed by a name and ‘}’; to write ‘${’ itself: ‘$${’",
            )
        value = self._environment.get(name)
        if has_default:
            return value or default
        if value is None and self._missing is not None:
            return self._missing(name)
        if value is None:
            raise ConfigError(
                self.place(node),
                f"சூழல் மாறி ‘{name}’ இல்லை; அதை அமைக்கவும், அல்லது ‘${{{name}:-இயல்பு}}’ என எழுதவும்",
                f"the environment has no ‘{name}’; set it, or write ‘${{{name}:-default}}’",
            )
        return value

    def setup(self, root: yaml.MappingNode) -> Setup:
        """The whole."""
        said = dict(self.members(root, SETTINGS))
        if "services" not in said:
            raise ConfigError(f"{self._path}:1", "‘services’ இல்லை", "‘services’ is missing")
        setup = Setup(
            name=os.path.basename(os.path.abspath(self._folder)),
            services=list(self._services(said["services"])),
            channels=dict(self._channels(said["channels"])) if "channels" in said else {},
            http=self._http(said["http"]) if "http" in said else HttpSettings(),
            auth=read_auth(self, said["auth"]) if "auth" in said else AuthSettings(),
            resources=self._resources(said),
        )
        if "auth" in said:
            expect_apart(self, said["auth"], setup.auth, setup.http)
        if "name" in said:
            setup = setup._replace(name=self._text(said["name"], "name"))
        if "processes" in said:
            number = count(most=MOST_PROCESSES).read(self.said(said["processes"], "processes"))
            setup = setup._replace(processes=number)
            if number > 1:
                complain_of_sockets(setup, self.place(said["processes"]))
        return setup

    # ── parts of the tree ────────────────────────────────────────────────────────────────────────

    def members(
        self, node: yaml.Node, known: Sequence[str], name: str = ""
    ) -> Iterator[tuple[str, yaml.Node]]:
        """Settings of a section by name, each known and none twice."""
        for key, value in self.pairs(node, name):
            if key.value not in known:
                raise self._no_setting(key, known)
            yield str(key.value), value

    def pairs(self, node: yaml.Node, name: str) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
        """What stands below a name, by names; none twice."""
        import yaml

        if not isinstance(node, yaml.MappingNode):
            raise ConfigError(
                self.place(node),
                f"‘{name}’: ‘பெயர்: மதிப்பு’ என எழுத வேண்டும்",
                f"‘{name}’ is written ‘name: value’",
            )
        seen = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                place = self.place(key)
                raise ConfigError(place, f"‘{name}’: பெயர் ஓர் உரை", f"‘{name}’: a name is a text")
            if key.value in seen:
                raise self._twice(key)
            seen.add(key.value)
            yield key, value

    def _no_setting(self, key: yaml.ScalarNode, known: Sequence[str]) -> ConfigError:
        near_tamil, near_english = near(key.value, known)
        return ConfigError(
            self.place(key),
            f"‘{short(key.value)}’ என்ற அமைப்பு இல்லை{near_tamil}",
            f"there is no setting ‘{short(key.value)}’{near_english}",
        )

    def _twice(self, key: yaml.ScalarNode) -> ConfigError:
        return ConfigError(
            self.place(key), f"‘{key.value}’ இருமுறை உள்ளது", f"‘{key.value}’ is given twice"
        )

    def said(self, node: yaml.Node, name: str) -> Said:
        """One value as it is written."""
        import yaml

        if not isinstance(node, yaml.ScalarNode):
            raise ConfigError(
                self.place(node), f"‘{name}’: ஒரு மதிப்பு மட்டும் தேவை", f"‘{name}’ is one value"
            )
        return Said(name, self.place(node), str(node.value).strip(), self._folder)

    def value(self, row: Row, node: yaml.Node, name: str) -> Any:
        """The value of a setting, or its values."""
        import yaml

        if not row.kind.is_list:
            return row.kind.read(self.said(node, name))
        if isinstance(node, yaml.SequenceNode):
            parts = [self.said(part, name) for part in node.value]
        else:
            whole = self.said(node, name)
            parts = [whole._replace(text=text.strip()) for text in whole.text.split(",") if text.strip()]
        values = []
        for part in parts:
            value = row.kind.read(part)
            if value in values:
                told = short(value) if row.kind.show((value,)) else "…"  # a secret is shown nowhere
                raise part.wrong(f"‘{told}’ இருமுறை உள்ளது", f"‘{told}’ is given twice")
            values.append(value)
        return tuple(values)

    # ── http ────────────────────────────────────────────────────────────────────────────────────

    def section(self, node: yaml.Node, rows: Sequence[Row], name: str) -> dict[str, Any]:
        """The values of a section and those inside it, by field."""
        found: dict[str, Any] = {}
        known = tuple(dict.fromkeys(row.key.partition(".")[0] for row in rows))
        row_of = {row.key: row for row in rows}
        for key, value in self.members(node, known, name):
            head = f"{key}."
            inner = [row._replace(key=row.key.removeprefix(head)) for row in rows if row.key.startswith(head)]
            if inner:
                found |= self.section(value, inner, f"{name}.{key}")
                continue
            row = row_of[key]
            if row.field in found:  # a secret, and a file with it
                raise ConfigError(
                    self.place(value),
                    f"‘{name}’: secret, secret_file இரண்டில் ஒன்று மட்டும்",
                    f"‘{name}’: either secret or secret_file, not both",
                )
            found[row.field] = self.value(row, value, f"{name}.{key}")
        return found

    def _http(self, node: yaml.Node) -> HttpSettings:
        found = self.section(node, HTTP, "http")
        for part, kind in PARTS.items():
            inner = {
                field.removeprefix(f"{part}."): found.pop(field)
                for field in list(found)
                if field.startswith(f"{part}.")
            }
            if inner:
                found[part] = self.made(kind, inner, self._inside(node, part), f"http.{part}")
        settings = HttpSettings(**found)
        self._check_paths(node, settings)
        if settings.cors.origins:
            self._check_cors(node, settings.cors)
        return settings

    def made(self, kind: type[Any], values: Mapping[str, Any], node: yaml.Node, name: str) -> Any:
        """Settings of these values, of which none may be missing."""
        for one in fields(kind):
            if one.default is MISSING and one.name not in values:
                raise ConfigError(
                    self.place(node), f"‘{name}’: ‘{one.name}’ இல்லை", f"‘{name}’: ‘{one.name}’ is missing"
                )
        return kind(**values)

    def _inside(self, node: yaml.Node, name: str) -> yaml.Node:
        """What stands below this name, for its line."""
        return next((value for key, value in node.value if key.value == name), node)

    def _check_paths(self, node: yaml.Node, settings: HttpSettings) -> None:
        used = [path for path in (settings.health, settings.metrics, settings.openapi, settings.docs) if path]
        for path in used:
            if used.count(path) > 1:
                raise ConfigError(
                    self.place(self._inside(node, "paths")),
                    f"‘http.paths’: ‘{path}’ இருமுறை உள்ளது",
                    f"‘http.paths’: ‘{path}’ is given twice",
                )

    def _check_cors(self, node: yaml.Node, cors: Cors) -> None:
        from etamil_actors.edge.cors import CrossOrigin

        try:
            CrossOrigin(cors)
        except Fault as wrong:
            place = self.place(self._inside(node, "cors"))
            raise ConfigError(place, wrong.tamil, wrong.english) from None

    # ── resources ────────────────────────────────────────────────────────────────────────────────

    def _resources(self, said: Mapping[str, yaml.Node]) -> ResourceSettings:
        found: dict[str, Any] = {}
        if "database" in said:
            found["databases"] = dict(self._databases(said["database"]))
        if "web" in said:
            found["web"] = self._flat("web", said["web"])
        if "log" in said:
            found["log"] = self._log(said["log"])
        if "tracing" in said:
            found["tracing"] = self._flat("tracing", said["tracing"])
        if "observer" in said:
            found["observer"] = self._observer(said["observer"])
        return ResourceSettings(**found)

    def _observer(self, node: yaml.Node) -> ObserverSettings:
        settings: ObserverSettings = self._flat("observer", node)
        for text in settings.bind:
            if not (settings.secret or parse_address(text).is_loopback):
                raise ConfigError(
                    self.place(self._inside(node, "bind")),
                    f"‘observer’: ‘{text}’ ஐ மற்ற இயந்திரங்களும் அடையலாம்; secret_file-இல் ஒரு கடவுச்சொல் தரவும்,"
                    " அல்லது 127.0.0.1 இல் கேட்கவும்",
                    f"‘observer’: other machines can reach ‘{text}’; give it a password by secret_file, or"
                    " listen at 127.0.0.1",
                )
        return settings

    def _flat(self, name: str, node: yaml.Node) -> Any:
        section = SECTIONS[name]
        return self.made(section.kind, self.section(node, section.rows, name), node, name)

    def _databases(self, node: yaml.Node) -> Iterator[tuple[str, PoolSettings]]:
        for name, inner in self.pairs(node, "database"):
            found = self.section(inner, SECTIONS["database"].rows, f"database.{name.value}")
            place = self.place(self._inside(inner, "url"))
            kind, url = database_kind(found.get("url", ""))
            if kind is None:
                raise ConfigError(
                    place,
                    f"‘database.{name.value}.url’: sqlite:, postgres://, mysql:// இவற்றில் ஒன்றுடன் தொடங்க வேண்டும்",
                    f"‘database.{name.value}.url’ begins with sqlite:, postgres:// or mysql://",
                )
            if kind != "sqlite" and not may_be_server(url):
                raise ConfigError(
                    place,
                    f"‘database.{name.value}.url’: முகவரியைப் புரிந்துகொள்ள முடியவில்லை; {UNCLEAR_URL[0]}",
                    f"‘database.{name.value}.url’ cannot be understood; {UNCLEAR_URL[1]}",
                )
            if kind == "sqlite" and url != ":memory:":
                url = os.path.join(self._folder, url)
            settings = PoolSettings(**(found | {"kind": kind, "url": url, "name": name.value}))
            if settings.least > settings.most:
                raise ConfigError(
                    place,
                    f"‘database.{name.value}’: min_connections, max_connections-ஐ விடப் பெரியது",
                    f"‘database.{name.value}’: min_connections is larger than max_connections",
                )
            yield str(name.value), settings

    def _log(self, node: yaml.Node) -> LogSettings:
        section = SECTIONS["log"]
        known = (*(row.key for row in section.rows), "levels")
        said = dict(self.members(node, known, "log"))
        found = {
            row.field: self.value(row, said[row.key], f"log.{row.key}")
            for row in section.rows
            if row.key in said
        }
        if "levels" in said:
            found["levels"] = {
                str(name.value): LEVEL.read(self.said(level, f"log.levels.{name.value}"))
                for name, level in self.pairs(said["levels"], "log.levels")
            }
        return LogSettings(**found, said=frozenset(said))

    # ── services and channels ────────────────────────────────────────────────────────────────────

    def _services(self, node: yaml.Node) -> Iterator[ServiceEntry]:
        import yaml

        place = self.place(node)
        if not isinstance(node, yaml.SequenceNode):
            raise ConfigError(
                place, "‘services’ நிரல்களின் பட்டியலாக இருக்க வேண்டும்", "‘services’ is a list of programs"
            )
        if not node.value:
            raise ConfigError(place, "‘services’ எந்தச் சேவையையும் குறிப்பிடவில்லை", "‘services’ names no service")
        for entry in node.value:
            if isinstance(entry, yaml.MappingNode):
                yield self._service(entry)
            else:
                yield ServiceEntry(self._program(entry, "services"))

    def _service(self, entry: yaml.Node) -> ServiceEntry:
        """A program, and what is said of it."""
        said = dict(self.members(entry, SERVICE_SETTINGS, "services"))
        if "path" not in said:
            raise ConfigError(self.place(entry), "‘path’ இல்லை", "‘path’ is missing")
        when, prefix, own = "once", "", {}
        if "prelude" in said:
            when = WHEN.read(self.said(said["prelude"], "prelude"))
        if "prefix" in said:
            prefix = PREFIX.read(self.said(said["prefix"], "prefix"))
        if "settings" in said:
            own = self._free(said["settings"], "settings")
        if not isinstance(own, dict):
            raise ConfigError(
                self.place(said["settings"]),
                "‘settings’: ‘பெயர்: மதிப்பு’ என எழுத வேண்டும்",
                "‘settings’ is written ‘name: value’",
            )
        return ServiceEntry(self._program(said["path"], "path"), prefix, when == PER_REQUEST, own)

    def _program(self, node: yaml.Node, name: str) -> str:
        return os.path.join(self._folder, self._text(node, name))

    def _free(self, node: yaml.Node, name: str, depth: int = 0) -> Any:
        """A value of the program's own: texts, exact numbers, booleans, nothing, lists and records."""
        import yaml

        if depth > DEEPEST:
            raise ConfigError(self.place(node), f"‘{name}’: மிக ஆழம்", f"‘{name}’ is nested too deeply")
        if isinstance(node, yaml.MappingNode):
            return {
                str(key.value): self._free(value, f"{name}.{short(key.value)}", depth + 1)
                for key, value in self.pairs(node, name)
            }
        if isinstance(node, yaml.SequenceNode):
            return [self._free(part, name, depth + 1) for part in node.value]
        assert isinstance(node, yaml.ScalarNode)
        text = str(node.value)
        return text if node.style is not None else _plain_value(text)  # in quotes it is a text

    def _text(self, node: yaml.Node, name: str) -> str:
        import yaml

        if not isinstance(node, yaml.ScalarNode) or not node.value:
            raise ConfigError(self.place(node), f"‘{name}’ ஓர் உரையாக இருக்க வேண்டும்", f"‘{name}’ is a text")
        return str(node.value)

    def _channels(self, node: yaml.Node) -> Iterator[tuple[str, dict[str, Any]]]:
        """What is said of channels: the same options as சேனல்_உருவாக்கு has, in both languages."""
        import yaml

        from etamil_actors.actors.channels.book import settings_of
        from etamil_actors.language.check_options import option_spellings
        from etamil_actors.language.options import OPTIONS_OF, canonical_option

        takes = OPTIONS_OF["_channel"]
        for name, options in self.pairs(node, "channels"):
            said: dict[str, Any] = {}
            for key, value in self.pairs(options, name.value):
                place = self.place(key)
                option = canonical_option(str(key.value), takes.names)
                if option is None:
                    raise self._no_setting(key, option_spellings(takes))
                if not isinstance(value, yaml.ScalarNode):
                    raise ConfigError(place, f"‘{key.value}’: ஒரு மதிப்பு தேவை", f"‘{key.value}’ is one value")
                if option in said:
                    raise self._twice(key)
                said[option] = _channel_value(option, value.value)
                try:
                    settings_of({option: said[option]}, word=f"channels.{name.value}")
                except Fault as wrong:
                    raise ConfigError(place, wrong.tamil, wrong.english) from None
            yield str(name.value), said


def _channel_value(option: str, text: str) -> Any:
    """A number where it is written like one; else a word, which may be Tamil."""
    from etamil_actors.language.options import VALUES_OF, canonical_value

    known = VALUES_OF.get(option)
    if known is not None:
        return text if text in known else canonical_value(text, known) or text
    return _number(text)


def _number(text: str) -> Any:
    from decimal import InvalidOperation

    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    if not number.is_finite() or abs(number.adjusted()) > LONGEST_NUMBER:
        return text  # as large as that it is a mistake, and would take for ever to compute
    return int(number) if number == int(number) else number


_WORDS: Final[Mapping[str, Any]] = {
    "true": True, "மெய்": True, "false": False, "பொய்": False, "null": None, "~": None, "": None, "இன்மை": None,
}  # fmt: skip


def _plain_value(text: str) -> Any:
    return _WORDS[text] if text in _WORDS else _number(text)


def complain_of_sockets(setup: Setup, place: str) -> None:
    """A socket in the file system belongs to one process.

    Raises: ConfigError, when several are to listen at one.
    """
    for text in setup.http.bind:
        if parse_address(text).path:
            raise ConfigError(
                place,
                f"‘{text}’ இல் ஒரு செயல்முறை மட்டுமே கேட்க முடியும்; குதை (port) எண்ணை எழுதவும், அல்லது processes: 1",
                f"only one process can listen at ‘{text}’; write a port instead, or processes: 1",
            )
