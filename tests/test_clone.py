"""A person who has never seen the project clones it, types the two commands of the README, edits a service and
sees the change.

The clone gets an environment of its own, made by make, so this takes the better part of a minute. Packages come
out of pip's cache where they are in it, and are compiled when they are imported first.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.child import REPOSITORY, ChildProcess

PORT = 8787
"""Where the README says that it is found."""

SELECTION = "-n 0 -q tests/language/test_keywords.py"
"""Of all tests; this one must not be among them."""

OFFLINE = re.compile(
    "Temporary failure in name resolution|Name or service not known|Network is unreachable|NewConnectionError"
    "|ConnectTimeoutError|ReadTimeoutError|ProxyError|Read timed out|Connection aborted|Connection broken"
)
ADDRESS = re.compile(r"\(addresses\): http://127\.0\.0\.1:(\d+)")
IS_TAKEN = f"✗ 127.0.0.1:{PORT}: "


class Typed(ChildProcess):
    """A command as it is typed in a terminal: a group of processes, to which Ctrl-C goes."""

    patience = 400.0  # packages are fetched and installed, perhaps on a busy machine

    def __init__(self, command: str, folder: Path, **more: str) -> None:
        ours = ("VIRTUAL_ENV", "PYTHONPATH", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "CONFIG", "DATABASE_URL")
        kept = {name: text for name, text in os.environ.items() if name not in ours and "PYTEST" not in name}
        kept |= {"PIP_NO_COMPILE": "1", **more}
        super().__init__(("sh", "-c", f"exec {command}"), folder, kept, start_new_session=True)

    def ctrl_c(self) -> None:
        os.killpg(self.pid, signal.SIGINT)

    def end(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
        super().end()


def commands_of_the_readme(folder: Path) -> list[str]:
    """The first lines for a shell in it, without what is said of them."""
    block = (folder / "README.md").read_text(encoding="utf-8").partition("```sh\n")[2].partition("```")[0]
    return [line.partition("#")[0].strip() for line in block.splitlines()]


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Path]:
    """What ``git clone`` makes of the repository."""
    missing = [command for command in ("git", "make") if shutil.which(command) is None]
    if missing:
        pytest.skip(f"there is no {' and no '.join(missing)} here")
    trusted = {
        **os.environ, "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
    }  # fmt: skip
    if not (REPOSITORY / ".git").exists():
        pytest.skip("the tree under test is no git repository")
    folder = tmp_path / "etamil-actors"
    subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(folder)], check=True, env=trusted)
    yield folder
    shutil.rmtree(folder / ".venv", ignore_errors=True)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_two_commands_of_the_readme_are_enough(clone: Path) -> None:
    up, test = commands_of_the_readme(clone)
    assert (up, test) == ("make up", "make test")
    child = Typed(up, clone)
    try:
        if not serves(child):
            child.end()
            child = Typed(up, clone, CONFIG=elsewhere(clone))
            assert serves(child), child.said
        found = ADDRESS.search(child.said)
        assert found is not None
        with urlopen(f"http://127.0.0.1:{found[1]}/classify/today", timeout=60) as answer:
            told = json.load(answer)
        assert (told["success"], told["error"]) == (True, None)
        with open(clone / "services" / "api.qmz", "a", encoding="utf-8") as file:
            file.write('\nவழி பெறு, "/புதிது" { பதில் 200, "மாறியது"; }\n')
        child.says("api: the new code runs")
        with urlopen(f"http://127.0.0.1:{found[1]}/%E0%AE%AA%E0%AF%81%E0%AE%A4%E0%AE%BF%E0%AE%A4%E0%AF%81", timeout=60) as answer:
            assert answer.read().decode() == "மாறியது"
        child.ctrl_c()
        # make waits for what it has started, tells of it if it failed, and then goes the way of all who get Ctrl-C.
        assert child.ends() in (0, -signal.SIGINT), child.said
        assert child.lines[-1].endswith("எல்லாம் ஒழுங்காக நின்றது  (everything has stopped in order)")
        assert "make: ***" not in child.said
    finally:
        child.end()
    child = Typed(test, clone, PYTEST_ARGS=SELECTION)
    try:
        status = child.ends(child.patience)
        skip_if_offline(child)
        assert status == 0, child.said
        assert re.search(r"\d+ passed", child.said)
        assert "failed" not in child.said
    finally:
        child.end()


def serves(child: Typed) -> bool:
    """Wait until it does; False when somebody else has its port. Nobody knows that before: it is taken when all
    packages have come, and that takes long."""
    try:
        child.says(ADDRESS.pattern)
    except AssertionError:
        skip_if_offline(child)
        if IS_TAKEN in child.said:
            return False
        raise
    return True


def skip_if_offline(child: Typed) -> None:
    """Where packages cannot be fetched, nothing can be said of the commands."""
    if child.ends() != 0 and OFFLINE.search(child.said):
        pytest.skip("packages cannot be fetched here")


def elsewhere(clone: Path) -> str:
    """The same configuration, at a port that the system chooses."""
    text = (clone / "config.yaml").read_text(encoding="utf-8")
    (clone / "elsewhere.yaml").write_text(text.replace(f"127.0.0.1:{PORT}", "127.0.0.1:0"), encoding="utf-8")
    return "elsewhere.yaml"
