"""Imports point down, never up, and the two pure floors touch nothing of the world.

The files are read, not run: an import inside a function counts like any other, and so does one
that only a type checker sees.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "etamil_actors"
ROOT = Path(__file__).resolve().parent.parent / PACKAGE

GROUND = {"errors", "ports", "rows"}
FLOORS = {"language", "vm", "actors", "resources", "observe", "edge"}

# What a floor may import beside itself. Whatever is not listed is the roof, which may import everything.
MAY_IMPORT = {
    "rows": set(),
    "errors": set(),
    "ports": {"errors"},
    "language": {"errors"},
    "vm": {"errors", "language"},
    "actors": {"errors", "ports", "vm"},
    "resources": {"errors", "ports"},
    "observe": {"errors", "ports", "actors"},
    "edge": {"errors", "ports", "actors", "vm.values"},
}
assert MAY_IMPORT.keys() == GROUND | FLOORS

# Of the language the machine knows the compiled program and the tables, not how programs are read.
VM_OF_LANGUAGE = {"program", "source", "builtins", "options"}

PURE = ("language", "vm")

IMPURE_MODULES = {
    "asyncio", "concurrent", "ctypes", "curses", "faulthandler", "ftplib", "getpass", "glob", "http",
    "httpx2", "importlib.metadata", "io", "locale", "logging", "mmap", "multiprocessing", "os", "pathlib",
    "platform", "pty", "queue", "random", "readline", "resource", "sched", "secrets", "select", "selectors",
    "shutil", "signal", "smtplib", "socket", "socketserver", "sqlite3", "ssl", "subprocess", "sysconfig",
    "tempfile", "termios", "threading", "time", "trio", "tty", "urllib", "uuid", "webbrowser",
}

# Names that reach the world without an import.
IMPURE_CALLS = {"open", "print", "input", "breakpoint", "exec", "eval", "__import__"}
IMPURE_ATTRIBUTES = {
    ("sys", "stdin"), ("sys", "stdout"), ("sys", "stderr"), ("sys", "argv"), ("sys", "exit"),
    ("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"),
}

# The few places that may, each with its reason.
ALLOWED = {
    # tables that ship inside the package are part of the code
    "language.builtins": {"os", "open"},
    "language.keywords": {"os", "open"},
    "language.options": {"os", "open"},
    # the one place where the code object of a program is executed
    "vm.machine": {"exec"},
}


def files_of(floor: str) -> list[Path]:
    place = ROOT / floor
    return sorted(place.rglob("*.py")) if place.is_dir() else [ROOT / f"{floor}.py"]


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Every module that a file imports, with its line; ``from a import b`` gives ``a.b``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are written in full"
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


def inside(module: str) -> str | None:
    """The part of a module's name below our package, or None when it is another's."""
    if module == PACKAGE:
        return ""
    return module.removeprefix(PACKAGE + ".") if module.startswith(PACKAGE + ".") else None


def may(floor: str, target: str) -> bool:
    if target == "" or target == "__version__":
        return True
    reach = {floor, "rows", *MAY_IMPORT[floor]}
    return any(target == allowed or target.startswith(allowed + ".") for allowed in reach)


@pytest.mark.parametrize("floor", sorted(MAY_IMPORT))
def test_imports_point_down(floor: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in files_of(floor)
        for line, module in imports(path)
        if (target := inside(module)) is not None and not may(floor, target)
    ]
    assert wrong == []


def test_the_machine_knows_only_programs_and_tables_of_the_language() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in files_of("vm")
        for line, module in imports(path)
        if (target := inside(module)) is not None
        and target.startswith("language.")
        and target.split(".")[1] not in VM_OF_LANGUAGE
    ]
    assert wrong == []


@pytest.mark.parametrize("floor", PURE)
def test_a_pure_floor_imports_nothing_of_the_world(floor: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in files_of(floor)
        for line, module in imports(path)
        if is_impure(module) and not is_allowed(path, module)
    ]
    assert wrong == []


def is_impure(module: str) -> bool:
    parts = module.split(".")
    return any(".".join(parts[: length + 1]) in IMPURE_MODULES for length in range(len(parts)))


def is_allowed(path: Path, what: str) -> bool:
    return any(what == word or what.startswith(word + ".") for word in ALLOWED.get(name_of(path), ()))


@pytest.mark.parametrize("floor", PURE)
def test_a_pure_floor_calls_nothing_of_the_world(floor: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} uses {what}"
        for path in files_of(floor)
        for line, what in worldly_uses(path)
        if not is_allowed(path, what)
    ]
    assert wrong == []


def worldly_uses(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS:
            yield node.lineno, node.func.id
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and (node.value.id, node.attr) in IMPURE_ATTRIBUTES
        ):
            yield node.lineno, f"{node.value.id}.{node.attr}"


def test_every_file_says_what_lives_there() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in sorted(ROOT.rglob("*.py"))
        if (text := path.read_text(encoding="utf-8")) and ast.get_docstring(ast.parse(text)) is None
    ]
    assert silent == []


def test_the_walk_sees_lazy_and_type_only_imports(tmp_path: Path) -> None:
    sample = tmp_path / "sample.py"
    sample.write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from etamil_actors.cli import main\n"
        "def late():\n    import trio.lowlevel\n    print(open)\n",
        encoding="utf-8",
    )
    assert list(imports(sample)) == [
        (1, "typing.TYPE_CHECKING"), (3, "etamil_actors.cli.main"), (5, "trio.lowlevel"),
    ]
    assert is_impure("trio.lowlevel")
    assert list(worldly_uses(sample)) == [(6, "print")]
