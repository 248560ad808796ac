"""``etamil-actors new``: the project that it writes is sound, tested and runs at once."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from glob import glob
from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from etamil_actors import __version__
from etamil_actors.commands import Usage
from etamil_actors.commands.new import name_of, unit_of
from etamil_actors.configuration import read_setup
from tests.plain_lines import plain

Command = Callable[..., subprocess.CompletedProcess[str]]

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture
def project(command: Command, tmp_path: Path) -> Path:
    """A project that has just been made."""
    done = command("new", "kadai")
    assert (done.returncode, done.stderr) == (0, "")
    return tmp_path / "kadai"


@contextmanager
def served(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """``up`` in a folder, at an address that is free, and where it is."""
    process = subprocess.Popen(
        [sys.executable, "-m", "etamil_actors", "up"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "HOME": str(folder), "BIND": "127.0.0.1:0"},
    )
    assert process.stdout is not None
    try:
        said = []
        for line in process.stdout:
            said += plain(line.rstrip("\n"))
            found = re.search(r"\(addresses\): (http://127\.0\.0\.1:\d+)", said[-1] if said else "")
            if found:
                break
        else:
            pytest.fail("\n".join(said))
        yield process, found[1]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_what_is_written_is_told_with_what_to_do_next(command: Command, tmp_path: Path) -> None:
    told = command("new", "kadai").stdout
    written = sorted(str(path.relative_to(tmp_path / "kadai")) for path in (tmp_path / "kadai").rglob("*.*"))
    files = [
        ".dockerignore",
        ".gitignore",
        "Dockerfile",
        "README.md",
        "config.yaml",
        "deploy/kadai.service",
        "services/api.qmz",
        "tests/api_test.qmz",
    ]
    assert written == [file for file in files if file != "Dockerfile"]
    assert [line.strip() for line in told.splitlines()][1:9] == files
    assert "  cd kadai\n  etamil-actors test\n" in told


def test_a_new_project_is_sound_and_in_order(command: Command, project: Path) -> None:
    assert [(done.returncode, done.stdout) for done in (
        command("check", ".", cwd=project), command("fmt", "--check", ".", cwd=project)
    )] == [(0, ""), (0, "")]


def test_the_tests_of_a_new_project_pass(command: Command, project: Path) -> None:
    done = command("test", "--json", cwd=project)
    told = json.loads(done.stdout)
    assert (done.returncode, told["tests"], told["failed"]) == (0, 3, 0)


def test_a_new_project_is_served_and_ends_in_order(project: Path) -> None:
    with served(project) as (process, url):
        with urlopen(f"{url}/hello/{quote('மலர்')}") as answer:
            assert json.load(answer) == {"message": "வணக்கம், மலர்!", "greetings": 1}
        with urlopen(f"{url}/") as answer:
            assert json.load(answer) == {"service": "kadai", "greetings": 1}
        with urlopen(f"{url}/health/ready") as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_no_word_is_left_to_be_filled_in(project: Path) -> None:
    for path in project.rglob("*"):
        if path.is_file():
            assert "__" not in path.read_text(encoding="utf-8").replace("__pycache__", "").replace("__qmc__", ""), path


def test_a_tamil_name_is_kept_and_written_in_latin_for_docker_and_systemd(
    command: Command, tmp_path: Path
) -> None:
    assert command("new", "என்-கடை_2").returncode == 0
    assert read_setup(str(tmp_path / "என்-கடை_2" / "config.yaml"), {}).name == "என்-கடை_2"
    assert (tmp_path / "என்-கடை_2" / "deploy" / "ez-katy-2.service").exists()


@pytest.mark.parametrize("name", ["yes", "null", "_1"])
def test_a_name_stays_a_text_in_the_configuration(command: Command, tmp_path: Path, name: str) -> None:
    assert command("new", name).returncode == 0
    assert read_setup(str(tmp_path / name / "config.yaml"), {}).name == name


# ---- what it refuses ------------------------------------------------------------------


def test_a_folder_with_something_in_it_is_left_as_it_is(command: Command, tmp_path: Path) -> None:
    (tmp_path / "kadai").mkdir()
    (tmp_path / "kadai" / "notes.txt").write_text("mine")
    done = command("new", "kadai")
    assert done.returncode == 1
    assert "the folder ‘kadai’ exists and is not empty" in done.stderr
    assert [path.name for path in (tmp_path / "kadai").iterdir()] == ["notes.txt"]


def test_a_file_of_that_name_is_left_as_it_is(command: Command, tmp_path: Path) -> None:
    (tmp_path / "kadai").write_text("mine")
    done = command("new", "kadai")
    assert (done.returncode, (tmp_path / "kadai").read_text()) == (1, "mine")


def test_an_empty_folder_is_filled(command: Command, tmp_path: Path) -> None:
    folder = tmp_path / "kadai"
    folder.mkdir()
    done = command("new", ".", cwd=folder)
    assert done.returncode == 0
    assert "cd " not in done.stdout
    assert (folder / "config.yaml").exists()


@pytest.mark.parametrize("name", ["x.y", "2kadai", "-x", "a b", "a" * 61, 'x"y', ""])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(Usage):
        name_of(name)


def test_without_a_name_it_asks_for_one(command: Command) -> None:
    done = command("new")
    assert done.returncode == 2
    assert "a name is needed: etamil-actors new NAME" in done.stderr


@pytest.mark.parametrize(
    ("name", "unit"),
    [("kadai", "kadai"), ("My_Shop", "my-shop"), ("கடை", "katy"), ("日本", "etamil-service")],
)
def test_the_name_for_docker_and_systemd(name: str, unit: str) -> None:
    assert unit_of(name) == unit


# ---- what others make of the files ----------------------------------------------------


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here")
def test_systemd_has_nothing_to_say_about_the_unit(project: Path) -> None:
    unit = project / "deploy" / "kadai.service"
    text = unit.read_text(encoding="utf-8")
    unit.write_text(text.replace("/opt/kadai/.venv/bin/etamil-actors", sys.executable), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    assert [line for line in done.stderr.splitlines() if "kadai" in line] == []


def test_the_dockerfile_copies_what_is_there_and_names_this_version(project: Path) -> None:
    text = (project / "Dockerfile").read_text(encoding="utf-8")
    assert f"etamil-actors=={__version__}" in text
    copied = re.findall(r"^COPY (\S+) ", text, re.MULTILINE)
    assert copied == ["config.yaml", "services"]
    assert all((project / name).exists() for name in copied)


def test_the_templates_are_part_of_what_is_installed() -> None:
    package = REPOSITORY / "etamil_actors"
    data = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["package-data"]
    packed = {path for pattern in data["etamil_actors"] for path in glob(pattern, root_dir=package, recursive=True)}
    wanted = {
        str(path.relative_to(package))
        for path in (package / "templates").rglob("*")
        if path.is_file() and "__qmc__" not in path.parts
    }
    assert wanted
    assert wanted <= packed
