"""What several test files lean on: where the repository is, and the command as a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def pytest_configure() -> None:
    """What ignores a signal hands that on to all that it starts, and a server that is started so is deaf to it. A
    script that runs the tests in the background ignores Ctrl-C for them, and nohup the end of the terminal: they
    are heard here, and nothing is done."""
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda number, frame: None)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder that holds pyproject.toml."""
    return REPOSITORY


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Runs ``etamil-actors`` as a process of its own, in an empty folder with an empty home.

    The environment says nothing of UTF-8, as in a cron job.
    """

    def run(*words: str, stdin: str | bytes = "", cwd: Path | None = None, **environment: str):  # type: ignore[no-untyped-def]
        given = stdin.encode() if isinstance(stdin, str) else stdin
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
        done = subprocess.run(
            [sys.executable, "-m", "etamil_actors", *words],
            input=given,
            capture_output=True,
            cwd=cwd or tmp_path,
            env={**kept, "HOME": str(home), "LC_ALL": "C", "PYTHONPATH": str(REPOSITORY), **environment},
            timeout=60,
        )
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
        )

    return run
