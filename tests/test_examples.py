"""Every program of ``examples/`` runs and prints what its own ``//>`` comments say, line by line."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., subprocess.CompletedProcess[str]]

REPOSITORY = Path(__file__).resolve().parent.parent
EXAMPLES = REPOSITORY / "examples"
PROGRAMS = sorted(EXAMPLES.glob("*.qmz"))
SERVICES = sorted((REPOSITORY / "services").rglob("*.qmz"))


def expected_output(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()
    return "".join(line.split("//>", 1)[1].removeprefix(" ") + "\n" for line in lines if "//>" in line)


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)
def test_an_example_prints_what_it_says(command: Command, path: Path) -> None:
    done = command("run", "--no-cache", str(path))
    assert done.stderr == ""
    assert done.stdout == expected_output(path)
    assert done.returncode == 0


def test_the_examples_are_numbered_without_a_gap() -> None:
    assert [path.name[:2] for path in PROGRAMS] == [f"{number:02}" for number in range(1, len(PROGRAMS) + 1)]


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)
def test_an_example_has_a_heading_in_both_languages(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith(f"// {int(path.name[:2])} · ")
    assert "  (" in first


def test_examples_and_services_have_no_problems(command: Command) -> None:
    done = command("check", "examples", "services", cwd=REPOSITORY)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_examples_and_services_are_in_the_canonical_layout(command: Command) -> None:
    done = command("fmt", "--check", "examples", "services", cwd=REPOSITORY)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_there_is_a_service() -> None:
    assert SERVICES
