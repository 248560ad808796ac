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
    built_in_paths,
    count,
    meaning,
    near,
    path_of,
    refused_at,
    short,
)
from etamil_actors.configuration_words import (
    HOLD_SECRETS,
    MEANT,
    all_there_is,
    below,
    homes_of,
    no_database,
    what_stands,
)
from etamil_actors.configuration_yaml import EXAMPLE, MERGE_TAG, compose, expect_no_tags, nodes
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


_DATABASE_KEYS: Final = tuple(row.key for row in SECTIONS["database"].rows)

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
    root = compose(path)
    expect_no_tags(path, root)
    reader = Reader(path, os.environ if environment is None else environment, missing)
    reader.fill_in(root)
    return reader.setup(root)


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

        every = list(nodes(root))
        maps = (node for node in every if isinstance(node, yaml.MappingNode))
        names = {id(name) for node in maps for name, _ in node.value}
        for node in every:
            if isinstance(node, yaml.ScalarNode) and "${" in node.value and id(node) not in names:
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
            raise ConfigError(
                f"{self._path}:1",
                f"‘services’ இல்லை; ஓட வேண்டிய நிரல்களை எழுதவும்: ‘{EXAMPLE}’",
                f"‘services’ is missing; write which programs run: ‘{EXAMPLE}’",
            )
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
        for key, value in self.pairs(node, name, known[0]):
            if key.value not in known:
                raise self._no_setting(key, known, name)
            yield str(key.value), value

    def pairs(
        self, node: yaml.Node, name: str, example: str = ""
    ) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
        """What stands below a name, by names; none twice."""
        import yaml

        if not isinstance(node, yaml.MappingNode):
            raise self._no_names(node, name, example)
        first: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                told = f"‘{name}’: " if name else ""
                raise ConfigError(
                    self.place(key),
                    f"{told}பெயர் ஓர் உரையாக இருக்க வேண்டும், பட்டியலாக அல்ல",
                    f"{told}a name is a text, and no list",
                )
            if key.tag == MERGE_TAG:
                raise ConfigError(
                    self.place(key),
                    "‘<<’ இங்கே பொருளற்றது; அந்த அமைப்புகளையே எழுதவும்",
                    "‘<<’ means nothing here; write the settings themselves",
                )
            if key.value in first:
                raise self._twice(key, first[key.value])
            first[key.value] = key
            yield key, value

    def _no_names(self, node: yaml.Node, name: str, example: str) -> ConfigError:
        """A section that is something else."""
        tamil, english = what_stands(node, is_secret=name.startswith(HOLD_SECRETS))
        shown = f"‘{name.rpartition('.')[2]}: {{ {example}: … }}’" if example else ""
        return ConfigError(
            self.place(node),
            f"‘{name}’: ‘பெயர்: மதிப்பு’ என எழுத வேண்டும்{tamil}" + (f"; எ.கா. {shown}" if shown else ""),
            f"‘{name}’ is written ‘name: value’{english}" + (f"; for example {shown}" if shown else ""),
        )

    def _no_setting(
        self, key: yaml.ScalarNode, known: Sequence[str], name: str = "", shown: Sequence[str] = ()
    ) -> ConfigError:
        """A name that nothing has: it is meant otherwise, or stands elsewhere, or here is what there is."""
        word = str(key.value)
        meant = MEANT.get(word, word)
        homes = [home for home in homes_of(meant, SETTINGS) if home != name]
        here_tamil = here_english = ""
        if meant in known:
            tamil, english = meaning(meant)
        elif homes:  # a word of another place is no slip of the pen
            here_tamil, here_english = " இங்கே", " here"
            tamil, english = below(homes[:3], meant if meant != word else "")
        else:
            tamil, english = near(word, known)
            if not tamil:
                tamil, english = all_there_is(shown or known, name)
        told = f"‘{name}’: " if name else ""
        return ConfigError(
            self.place(key),
            f"{told}‘{short(word)}’ என்ற அமைப்பு{here_tamil} இல்லை{tamil}",
            f"{told}there is no setting ‘{short(word)}’{here_english}{english}",
        )

    def _twice(self, key: yaml.ScalarNode, first: yaml.Node) -> ConfigError:
        line = first.start_mark.line + 1
        return ConfigError(
            self.place(key),
            f"‘{short(key.value)}’ இருமுறை உள்ளது; முதல் முறை வரி {line}",
            f"‘{short(key.value)}’ is given twice; first in line {line}",
        )

    def said(self, node: yaml.Node, name: str) -> Said:
        """One value as it is written."""
        import yaml

        if not isinstance(node, yaml.ScalarNode):
            tamil, english = what_stands(node)
            raise ConfigError(
                self.place(node), f"‘{name}’: ஒரு மதிப்பு மட்டும் தேவை{tamil}", f"‘{name}’ is one value{english}"
            )
        return Said(name, self.place(node), str(node.value).strip(), self._folder)

    def value(self, row: Row, node: yaml.Node, name: str) -> Any:
        """The value of a setting, or its values."""
        import yaml

        if not row.kind.is_list:
            return row.kind.read(self.said(node, name))
        if isinstance(node, yaml.SequenceNode):
            parts = [self.said(part, name) for part in node.value]
        elif isinstance(node, yaml.MappingNode):
            raise ConfigError(
                self.place(node),
                f"‘{name}’: ‘[…, …]’ என்ற பட்டியல் தேவை, ‘பெயர்: மதிப்பு’ அல்ல",
                f"‘{name}’ is a list ‘[…, …]’, not ‘name: value’",
            )
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
                needed = ", ".join(field.name for field in fields(kind) if field.default is MISSING)
                raise ConfigError(
                    self.place(node),
                    f"‘{name}’: ‘{one.name}’ இல்லை; தேவையானவை: {needed}",
                    f"‘{name}’: ‘{one.name}’ is missing; needed: {needed}",
                )
        return kind(**values)

    def _inside(self, node: yaml.Node, name: str) -> yaml.Node:
        """What stands below this name, for its line."""
        return next((value for key, value in node.value if key.value == name), node)

    def _check_paths(self, node: yaml.Node, settings: HttpSettings) -> None:
        used = built_in_paths(settings)
        for path in used:
            if used.count(path) > 1:
                is_below = path.startswith(f"{settings.health}/")
                raise ConfigError(
                    self.place(self._inside(node, "paths")),
                    f"‘http.paths’: ‘{path}’ {'health-க்கு உரியது' if is_below else 'இருமுறை உள்ளது'};"
                    " ஒவ்வொன்றுக்கும் ஒரு பாதை தேவை",
                    f"‘http.paths’: ‘{path}’ {'belongs to health' if is_below else 'is given twice'};"
                    " each needs a path of its own",
                )

    def _check_cors(self, node: yaml.Node, cors: Cors) -> None:
        from etamil_actors.edge.cors import CrossOrigin

        try:
            CrossOrigin(cors)
        except Fault as wrong:
            place = self.place(self._inside(node, "cors"))
            raise refused_at(place, wrong) from None

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
                    f"‘observer’: ‘{text}’-ஐ மற்ற கணினிகளும் அடையலாம்; secret_file-இல் ஒரு கடவுச்சொல் தரவும்,"
                    " அல்லது 127.0.0.1-இல் கேட்கவும்",
                    f"‘observer’: other machines can reach ‘{text}’; give it a password by secret_file, or"
                    " listen at 127.0.0.1",
                )
        return settings

    def _flat(self, name: str, node: yaml.Node) -> Any:
        section = SECTIONS[name]
        return self.made(section.kind, self.section(node, section.rows, name), node, name)

    def _databases(self, node: yaml.Node) -> Iterator[tuple[str, PoolSettings]]:
        import yaml

        for name, inner in self.pairs(node, "database", "default"):
            whole = f"database.{name.value}"
            if name.value in _DATABASE_KEYS and isinstance(inner, yaml.ScalarNode):
                example = f"‘database: {{ default: {{ {name.value}: … }} }}’"
                raise ConfigError(
                    self.place(name),
                    f"‘database’: முதலில் தரவுத்தளத்தின் பெயர் தேவை: {example}",
                    f"‘database’: first comes the name of the database: {example}",
                )
            found = self.section(inner, SECTIONS["database"].rows, whole)
            place = self.place(self._inside(inner, "url"))
            kind, url = database_kind(found.get("url", ""))
            if kind is None:
                raise ConfigError(place, *no_database(whole, is_missing="url" not in found))
            if kind != "sqlite" and not may_be_server(url):
                raise ConfigError(
                    place,
                    f"‘{whole}.url’: முகவரியைப் புரிந்துகொள்ள முடியவில்லை; {UNCLEAR_URL[0]}",
                    f"‘{whole}.url’ cannot be understood; {UNCLEAR_URL[1]}",
                )
            if kind == "sqlite" and url != ":memory:":
                url = path_of(Said(f"{whole}.url", place, url, self._folder))
            settings = PoolSettings(**(found | {"kind": kind, "url": url, "name": name.value}))
            if settings.least > settings.most:
                least, most = f"min_connections ({settings.least})", f"max_connections ({settings.most})"
                raise ConfigError(
                    self.place(self._inside(inner, "min_connections")),
                    f"‘{whole}’: {least} என்பது {most} என்பதை விடப் பெரியது",
                    f"‘{whole}’: {least} is larger than {most}",
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
            tamil, english = what_stands(node)
            raise ConfigError(
                place,
                f"‘services’ நிரல்களின் பட்டியலாக இருக்க வேண்டும்{tamil}; எ.கா. ‘{EXAMPLE}’",
                f"‘services’ is a list of programs{english}; for example ‘{EXAMPLE}’",
            )
        if not node.value:
            raise ConfigError(
                place,
                f"‘services’ எந்தச் சேவையையும் குறிப்பிடவில்லை; எ.கா. ‘{EXAMPLE}’",
                f"‘services’ names no service; for example ‘{EXAMPLE}’",
            )
        for entry in node.value:
            if isinstance(entry, yaml.MappingNode):
                yield self._service(entry)
            elif isinstance(entry, yaml.ScalarNode) and entry.value:
                yield ServiceEntry(self._program(entry, "services"))
            else:
                tamil, english = what_stands(entry)
                raise ConfigError(
                    self.place(entry),
                    f"‘services’: ஒவ்வொன்றும் ஒரு நிரலின் பாதை, அல்லது ‘{{ path: api.qmz }}’{tamil}",
                    f"‘services’: each is the path of a program, or ‘{{ path: api.qmz }}’{english}",
                )

    def _service(self, entry: yaml.Node) -> ServiceEntry:
        """A program, and what is said of it."""
        said = dict(self.members(entry, SERVICE_SETTINGS, "services"))
        if "path" not in said:
            raise ConfigError(
                self.place(entry),
                "‘services’: ‘path’ இல்லை; எ.கா. ‘{ path: api.qmz }’",
                "‘services’: ‘path’ is missing; for example ‘{ path: api.qmz }’",
            )
        when, prefix, own = "once", "", {}
        if "prelude" in said:
            when = WHEN.read(self.said(said["prelude"], "services.prelude"))
        if "prefix" in said:
            prefix = PREFIX.read(self.said(said["prefix"], "services.prefix"))
        if "settings" in said:
            own = self._free(said["settings"], "services.settings")
        if not isinstance(own, dict):
            raise self._no_names(said["settings"], "services.settings", "")
        return ServiceEntry(self._program(said["path"], "services.path"), prefix, when == PER_REQUEST, own)

    def _program(self, node: yaml.Node, name: str) -> str:
        return path_of(Said(name, self.place(node), self._text(node, name), self._folder))

    def _free(self, node: yaml.Node, name: str, depth: int = 0) -> Any:
        """A value of the program's own: texts, exact numbers, booleans, nothing, lists and records."""
        import yaml

        if depth > DEEPEST:
            raise ConfigError(
                self.place(node),
                f"‘{name[:40]}…’: {DEEPEST} நிலைகளுக்கு மேல் பொதிந்துள்ளது",
                f"‘{name[:40]}…’ is nested too deeply; {DEEPEST} levels at most",
            )
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
            tamil, english = what_stands(node)
            raise ConfigError(
                self.place(node), f"‘{name}’ ஓர் உரையாக இருக்க வேண்டும்{tamil}", f"‘{name}’ is a text{english}"
            )
        return str(node.value)

    def _channels(self, node: yaml.Node) -> Iterator[tuple[str, dict[str, Any]]]:
        """What is said of channels: the same options as சேனல்_உருவாக்கு has, in both languages."""
        from etamil_actors.actors.channels.book import settings_of
        from etamil_actors.language.check_options import option_spellings
        from etamil_actors.language.options import OPTIONS_OF, canonical_option

        takes = OPTIONS_OF["_channel"]
        for name, options in self.pairs(node, "channels"):
            whole = f"channels.{name.value}"
            said: dict[str, Any] = {}
            places: dict[str, yaml.Node] = {}
            for key, value in self.pairs(options, whole, "capacity"):
                place = self.place(key)
                option = canonical_option(str(key.value), takes.names)
                if option is None:
                    raise self._no_setting(key, option_spellings(takes), whole, sorted(takes.names))
                written = self.said(value, f"{whole}.{key.value}").text
                if option in said:
                    raise self._twice(key, places[option])
                places[option] = key
                said[option] = _channel_value(option, written)
                try:
                    settings_of({option: said[option]}, word=whole)
                except Fault as wrong:
                    told = "" if written and written in wrong.english else f": ‘{short(written)}’"
                    raise ConfigError(place, wrong.tamil + told, wrong.english + told) from None
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
                f"‘{text}’-இல் ஒரு செயல்முறை மட்டுமே கேட்க முடியும்; துறை எண்ணை (port) எழுதவும், அல்லது processes: 1",
                f"only one process can listen at ‘{text}’; write a port instead, or processes: 1",
            )
