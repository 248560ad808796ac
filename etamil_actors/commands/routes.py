"""``etamil-actors routes``: where requests go, read from the programs without running them."""

from __future__ import annotations

import sys
from typing import NamedTuple

from etamil_actors.commands import remark
from etamil_actors.commands.check import show
from etamil_actors.commands.files import complain_of_file
from etamil_actors.commands.setups import made_up, path_in, setup_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from etamil_actors.cli import Given
    from etamil_actors.language import nodes
    from etamil_actors.language.program import Program
    from etamil_actors.script import Compiled


class Row(NamedTuple):
    """One route."""

    service: str
    method: str
    path: str
    file: str
    line: int
    summary: str
    guards: list[str]


def main(given: Given) -> int:
    """Show the routes of a configuration, or of a program."""
    from etamil_actors.commands.up import names_of

    setup = setup_at(path_in(given.words), made_up)
    if setup is None:
        return 1
    rows: list[Row] = []
    is_sound = True
    for name, one in zip(names_of(setup.paths), setup.services, strict=True):
        found = routes_of(name, one.path, one.prefix)
        is_sound = is_sound and found is not None
        rows += found or []
    if given.options["json"]:
        import json

        told = [row._asdict() for row in rows]
        sys.stdout.write(json.dumps(told, ensure_ascii=False, indent=2) + "\n")
    elif rows:
        sys.stdout.write("".join(table(rows, has_several=len(setup.services) > 1)))
    elif is_sound:
        remark("· வழி எதுவும் இல்லை", "there are no routes")
    return 0 if is_sound else 1


def routes_of(service: str, path: str, prefix: str = "") -> list[Row] | None:
    """The routes of a program, below this prefix; nothing when it has errors, which have been shown."""
    from etamil_actors.language.problems import LoadFailed
    from etamil_actors.resources.system import SystemEnvironment, SystemFiles
    from etamil_actors.script import SOURCE_BYTES, read_and_check, search_path

    try:
        with open(path, "rb") as file:
            text = file.read(SOURCE_BYTES)
    except OSError as error:
        complain_of_file(error, path, "கோப்பைப் படிக்க முடியவில்லை", "read")
        return None
    compiled = read_and_check(path, text, SystemFiles(), search=search_path(SystemEnvironment()))
    if not compiled.is_sound:
        show([problem for problem in compiled.problems if problem.severity == "error"], compiled.sources)
        return None
    try:
        return list(_rows(service, compiled.program(), compiled, prefix))
    except LoadFailed as failed:
        show(failed.problems, failed.sources)
        return None


def _rows(service: str, program: Program, compiled: Compiled, prefix: str) -> Iterator[Row]:
    from etamil_actors.actors.programs.prefix import below

    options = {
        (*_place(start, compiled), method, path): written
        for start, method, path, written in _routes_in(compiled.module)
    }
    for declared in program.declared:
        if declared.kind in ("route", "handler"):
            file, line = program.place_of(declared.place)
            summary, guards = _told(options.get((file, line, declared.name, declared.path)))
            yield Row(service, declared.name, below(prefix, declared.path), file, line, summary, guards)


def _place(position: int, compiled: Compiled) -> tuple[str, int]:
    source = compiled.sources.find(position)
    return source.name, source.line_of(position)


def _routes_in(module: nodes.Module) -> Iterator[tuple[int, str, str, nodes.Expression | None]]:
    """Routes whose path is written out: where they begin, method, path, and options."""
    from etamil_actors.language import nodes

    for statement in module.statements:
        if isinstance(statement, nodes.Route) and isinstance(statement.path, nodes.Text):
            yield statement.start, statement.method, statement.path.value, statement.options
        elif isinstance(statement, nodes.Do) and isinstance(statement.call, nodes.Call | nodes.MethodCall):
            match statement.call.arguments:  # server.on, should it be declared there
                case [nodes.Text() as method, nodes.Text() as path, options, _]:
                    yield statement.call.start, method.value.upper(), path.value, options
        elif isinstance(statement, nodes.Import) and statement.module is not None:
            yield from _routes_in(statement.module)


def _told(options: nodes.Expression | None) -> tuple[str, list[str]]:
    """The summary and the guards, as they are written out."""
    from etamil_actors.language import nodes
    from etamil_actors.language.options import canonical_option

    if isinstance(options, nodes.Array):
        return "", _names(options)
    summary, guards = "", list[str]()
    for pair in options.pairs if isinstance(options, nodes.Record) else ():
        match canonical_option(pair.key.text), pair.value:
            case "summary", nodes.Text() as text:
                summary = text.value
            case "guards", nodes.Array() as array:
                guards = _names(array)
    return summary, guards


def _names(array: nodes.Array) -> list[str]:
    from etamil_actors.language import nodes

    written = []
    for item in array.items:
        if isinstance(item, nodes.Text):
            written.append(f"“{item.value}”")
        elif isinstance(item, nodes.Name):
            written.append(item.text)
    return written


def table(rows: Sequence[Row], *, has_several: bool) -> Iterator[str]:
    """Routes as people read them."""
    service = ""
    width = max(len(row.method) for row in rows)
    for row in rows:
        if has_several and row.service != service:
            service = row.service
            yield f"{service}\n"
        margin = "  " if has_several else ""
        yield f"{margin}{row.method:<{width}}  {row.path}  {row.file}:{row.line}\n"
        more = [row.summary] if row.summary else []
        if row.guards:
            more.append(f"காவல்  (guards): {', '.join(row.guards)}")
        for line in more:
            yield f"{margin}{'':<{width}}    {line}\n"
