"""Shell completion: every command, option and choice, as real shells complete them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from etamil_actors import cli
from etamil_actors.commands.completion import SHELLS

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def complete(tmp_path: Path) -> Callable[[str], list[str]]:
    """What bash makes of a line; the word at the cursor is the last one."""
    script = tmp_path / "completion.bash"
    script.write_text("".join(f"{line}\n" for line in SHELLS["bash"](cli.COMMANDS)), encoding="utf-8")
    for name in ("kadai.qmz", "with space.qmz"):
        (tmp_path / name).touch()

    def run(line: str) -> list[str]:
        words = line.split(" ")
        code = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _etamil_actors; printf "%s\\n" "${COMPREPLY[@]}"'
        done = subprocess.run(
            ["bash", "--norc", "-c", code, "bash", script, *words],
            capture_output=True, text=True, cwd=tmp_path, check=True,
        )
        return done.stdout.splitlines()

    return run


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("etamil-actors te", ["test"]),
        ("etamil-actors test --cov", ["--coverage"]),
        ("etamil-actors config ", ["reference", "show", "check"]),
        ("etamil-actors config s", ["show"]),
        ("etamil-actors completion z", ["zsh"]),
        ("etamil-actors run ka", ["kadai.qmz"]),
        ("etamil-actors check kadai.qmz w", ["with space.qmz"]),
        ("etamil-actors --v", ["--version"]),
        ("etamil-actors help comp", ["completion"]),
        ("etamil-actors nothing --x", [""]),
    ],
)
def test_bash_completes(complete: Callable[[str], list[str]], line: str, words: list[str]) -> None:
    assert complete(line) == words


def test_bash_knows_every_command_and_every_option(complete: Callable[[str], list[str]]) -> None:
    assert complete("etamil-actors ") == [*cli.COMMAND_OF, "help", "--help", "--version"]
    for command in cli.COMMANDS:
        assert complete(f"etamil-actors {command.word} --") == [
            *(option.word for option in command.options if option.word.startswith("--")), "--help",
        ]


@pytest.mark.parametrize("shell", SHELLS)
def test_every_script_has_every_command_and_option(command: Command, shell: str) -> None:
    done = command("completion", shell)
    assert (done.returncode, done.stderr) == (0, "")
    for row in cli.COMMANDS:
        assert row.word in done.stdout
        for option in row.options:
            assert (option.word if shell != "fish" else option.word.lstrip("-")) in done.stdout
        for choice in row.choices:
            assert choice in done.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_itself_can_read_its_script(tmp_path: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    script = tmp_path / "script"
    script.write_text("".join(f"{line}\n" for line in SHELLS[shell](cli.COMMANDS)), encoding="utf-8")
    subprocess.run([shell, "-n", script], check=True)


def test_fish_completes(tmp_path: Path) -> None:
    if shutil.which("fish") is None:
        pytest.skip("there is no fish here")
    script = tmp_path / "script"
    script.write_text("".join(f"{line}\n" for line in SHELLS["fish"](cli.COMMANDS)), encoding="utf-8")
    code = f"source {script}; complete -C 'etamil-actors te'; complete -C 'etamil-actors config s'"
    done = subprocess.run(["fish", "--no-config", "-c", code], capture_output=True, text=True, check=True)
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["test", "show"]


def test_another_shell_is_refused(command: Command) -> None:
    done = command("completion", "tcsh")
    assert (done.returncode, done.stdout) == (2, "")
    assert "completion: not ‘tcsh’, but one of bash, zsh, fish" in done.stderr
    assert command("completion").returncode == 2
