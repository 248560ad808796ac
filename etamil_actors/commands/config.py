"""``etamil-actors config``: every setting there is, what is in force, and whether a configuration is sound.

Secrets are never shown: neither those of the table nor what looks like one in a free value.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING
from typing import Any, Final, NamedTuple

from etamil_actors import configuration_auth
from etamil_actors.commands import complain, remark
from etamil_actors.commands.setups import DEFAULT, complain_of_setup, setup_at
from etamil_actors.configuration import Setup, read_setup
from etamil_actors.configuration_resources import SECTIONS, reference
from etamil_actors.configuration_table import (
    HTTP,
    PER_REQUEST,
    SERVICE,
    TOP,
    ConfigError,
    Entry,
    Row,
    fields_of,
    http_reference,
)
from etamil_actors.edge.settings import HttpSettings
from etamil_actors.ports.auth import ApiKey, AuthSettings, JwtSettings, OidcSettings
from etamil_actors.vm.log_line import HIDDEN, masked, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from etamil_actors.cli import Given


def main(given: Given) -> int:
    """Do one of the three."""
    deed, *words = given.words
    return _DEEDS[deed](words, bool(given.options["json"]))


def _print_json(told: object) -> None:
    import json

    sys.stdout.write(json.dumps(told, ensure_ascii=False, indent=2, default=str) + "\n")


# ---- every setting --------------------------------------------------------------------


def tell_reference(words: Sequence[str], as_json: bool) -> int:
    """Every setting, or those below a name: how it is written, its default, what it means."""
    sections = configuration_auth.reference() | reference()
    everything = [*TOP, *SERVICE, *http_reference(), *(one for rows in sections.values() for one in rows)]
    entries = [one for one in everything if not words or _is_below(one.key, words[0])]
    if not entries:
        from etamil_actors.configuration_table import near

        tamil, english = near(words[0], [one.key for one in everything])
        complain(f"‘{words[0]}’ என்ற அமைப்பு இல்லை{tamil}", f"there is no setting ‘{words[0]}’{english}")
        return 1
    if as_json:
        _print_json([_entry_row(one) for one in entries])
        return 0
    for one in entries:
        default = f"  (இயல்பு / default: {one.default})" if one.default else ""
        written = one.written_tamil
        if one.written_english != written:
            written += f" / {one.written_english}"
        sys.stdout.write(f"{one.key}: {written}{default}\n    {one.tamil}\n    ({one.english})\n")
    return 0


def _is_below(key: str, name: str) -> bool:
    plain = key.replace(".<name>", "")
    return any(one == name or one.startswith(f"{name}.") for one in (key, plain))


def _entry_row(entry: Entry) -> dict[str, str]:
    return {
        "key": entry.key,
        "written": entry.written_english,
        "default": entry.default,
        "tamil": entry.tamil,
        "english": entry.english,
    }


# ---- what is in force -----------------------------------------------------------------


class InForce(NamedTuple):
    """A setting and its value, as far as it may be shown."""

    key: str
    value: Any
    is_default: bool = False


def tell_settings(words: Sequence[str], as_json: bool) -> int:
    """What a configuration says, with the environment filled in and defaults beside it."""
    setup = setup_at(words[0] if words else DEFAULT)
    if setup is None:
        return 1
    found = list(in_force(setup))
    if as_json:
        _print_json({one.key: one.value for one in found})
        return 0
    for one in found:
        value = ", ".join(map(str, one.value)) if isinstance(one.value, list) else one.value
        mark = "  # இயல்பு (default)" if one.is_default else ""
        sys.stdout.write(f"{one.key}: {value}".rstrip() + f"{mark}\n")
    return 0


def in_force(setup: Setup) -> Iterator[InForce]:
    """Every setting that has a value."""
    yield InForce("name", setup.name)
    for number, one in enumerate(setup.services):
        yield InForce(f"services.{number}", one.path)
        if one.prefix:
            yield InForce(f"services.{number}.prefix", one.prefix)
        if one.is_per_request:
            yield InForce(f"services.{number}.prelude", PER_REQUEST)
        if one.settings:
            yield from _free(f"services.{number}.settings", masked(dict(one.settings)))
    yield InForce("processes", setup.processes, setup.processes == 1)
    for name, options in setup.channels.items():
        yield from _free(f"channels.{name}", masked(dict(options)))
    yield from _section("http", HTTP, setup.http, HttpSettings)
    yield from _auth(setup.auth)
    for name, section in SECTIONS.items():
        value = getattr(setup.resources, name, None) or getattr(setup.resources, f"{name}s", None)
        if isinstance(value, Mapping):
            for own_name, one in value.items():
                yield from _section(f"{name}.{own_name}", section.rows, one, section.kind)
        elif value is not None:
            yield from _section(name, section.rows, value, section.kind)
            if levels := getattr(value, "levels", None):
                yield from _free(f"{name}.levels", dict(levels))


def _auth(auth: AuthSettings) -> Iterator[InForce]:
    if auth.jwt is not None:
        yield from _section("auth.jwt", configuration_auth.JWT, auth.jwt, JwtSettings)
    for name, key in auth.keys.items():
        yield from _section(f"auth.keys.{name}", configuration_auth.KEY, key, ApiKey)
    if auth.oidc is not None:
        yield from _section("auth.oidc", configuration_auth.OIDC, auth.oidc, OidcSettings)
    for role, others in auth.roles.items():
        yield InForce(f"auth.roles.{role}", list(others))
    yield InForce("auth.passwords", auth.passwords, auth.passwords == AuthSettings().passwords)


def _free(key: str, value: Any) -> Iterator[InForce]:
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from _free(f"{key}.{name}", part)
    else:
        yield InForce(key, value)


def _section(name: str, rows: Sequence[Row], settings: Any, kind: type[Any]) -> Iterator[InForce]:
    defaults = fields_of(kind)
    told = set()
    for row in rows:
        if row.field in told:  # a secret may be written in two ways
            continue
        told.add(row.field)
        value: Any = settings
        for part in row.field.split("."):
            value = getattr(value, part, None)
        default = defaults[row.field].default
        text = _shown(row, value)
        if text != "":
            yield InForce(f"{name}.{row.key}", text, default is not MISSING and value == default)


_PASSWORD: Final = re.compile(r"(?i)(password\s*=\s*)\S+")


def _shown(row: Row, value: Any) -> Any:
    """A value as it would be written, or that it is hidden."""
    if value is None or value in ("", ()):
        return ""
    text = row.kind.show(value)
    if not text:  # a kind that shows nothing is a secret's
        return HIDDEN
    if isinstance(value, tuple):
        return [_without_password(str(one)) for one in value]
    return _without_password(text)


def _without_password(text: str) -> str:
    return _PASSWORD.sub(rf"\1{HIDDEN}", shown(text))


# ---- is it sound? ---------------------------------------------------------------------


def check(words: Sequence[str], as_json: bool) -> int:
    """Read a configuration and every program that it names, and say what is wrong."""
    path = words[0] if words else DEFAULT
    rows: list[dict[str, object]] = []
    try:
        setup = read_setup(path)
    except OSError as error:
        from etamil_actors.commands.files import complain_of_file

        complain_of_file(error, path, "கோப்பைப் படிக்க முடியவில்லை", "read")
        return 1
    except ConfigError as wrong:
        file, _, line = wrong.place.rpartition(":")
        rows.append({
            "file": file,
            "line": int(line),
            "severity": "error",
            "tamil": wrong.tamil,
            "english": wrong.english,
        })
        if not as_json:
            complain_of_setup(wrong)
    else:
        rows = _check_programs(setup.paths, as_json)
    if as_json:
        _print_json(rows)
    is_sound = not any(row["severity"] == "error" for row in rows)
    if is_sound and not as_json and sys.stderr.isatty():
        count = len(setup.services)
        remark(f"✓ {path}: {count} சேவை, பிழை இல்லை", f"{path}: {count} service(s), no errors")
    return 0 if is_sound else 1


def _check_programs(paths: Sequence[str], as_json: bool) -> list[dict[str, object]]:
    from etamil_actors.commands.check import row_of, show
    from etamil_actors.commands.files import complain_of_file
    from etamil_actors.script import load_program
    from etamil_actors.vm.builtins.files import words_of

    rows: list[dict[str, object]] = []
    for path in paths:
        try:
            problems, sources, _ = load_program(path)
        except OSError as error:
            tamil, english = words_of(error)
            rows.append({"file": path, "line": 1, "severity": "error", "tamil": tamil, "english": english})
            if not as_json:
                complain_of_file(error, os.path.relpath(path), "கோப்பைப் படிக்க முடியவில்லை", "read")
            continue
        rows += [row_of(problem, sources) for problem in problems]
        if not as_json:
            show(problems, sources)
    return rows


_DEEDS: Final = {"reference": tell_reference, "show": tell_settings, "check": check}
