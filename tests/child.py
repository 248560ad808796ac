"""A process that a test has started, and what it says, line by line.

Nobody sleeps: a test waits until the process has said something, and then does the next thing.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.plain_lines import plain

REPOSITORY = Path(__file__).resolve().parent.parent
PATIENCE = 60.0
"""Seconds until something that should come has not come."""

ETAMIL_ACTORS = (sys.executable, "-m", "etamil_actors")


def plain_environment(home: Path, **more: str) -> dict[str, str]:
    """Of a process that knows nothing of who tests it, nor of UTF-8, as in a cron job."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    return {**kept, "HOME": str(home), "LC_ALL": "C", "PYTHONPATH": str(REPOSITORY), **more}


def on_a_terminal(folder: Path, *words: str) -> str:
    """What our command writes there, to its end, which is a good one."""
    reader, terminal = os.openpty()
    process = subprocess.Popen(
        [*ETAMIL_ACTORS, *words], stdin=terminal, stdout=terminal, stderr=terminal, cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "HOME": str(folder), "NO_COLOR": "1"},
    )  # fmt: skip
    os.close(terminal)
    said = b""
    with suppress(OSError):  # how a terminal says that nobody writes to it any more
        while piece := os.read(reader, 4096):
            said += piece
    os.close(reader)
    assert process.wait(PATIENCE) == 0, said.decode()
    return said.decode()


class ChildProcess:
    """A running command, and what it says on both streams."""

    patience = PATIENCE

    def __init__(
        self, words: Sequence[str], folder: Path, environment: Mapping[str, str], stdin: int = subprocess.DEVNULL,
        **more: Any,
    ) -> None:  # fmt: skip
        self.folder = folder
        self.lines: list[str] = []
        """What it has said, as people read it."""
        self.raw: list[str] = []
        """The same, as it was written."""
        self._said = threading.Condition()
        self._is_over = False
        self.process = subprocess.Popen(
            words, cwd=folder, env=dict(environment), stdin=stdin, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, **more,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._said:
                self.raw.append(line.decode("utf-8", "replace").rstrip("\n"))
                self.lines += plain(self.raw[-1])
                self._said.notify_all()
        with self._said:
            self._is_over = True
            self._said.notify_all()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def said(self) -> str:
        """All that it has said."""
        with self._said:
            return "\n".join(self.lines)

    def says(self, pattern: str, times: int = 1) -> None:
        """Wait until so many lines have matched."""

        def is_said() -> bool:
            return sum(re.search(pattern, line) is not None for line in self.lines) >= times

        with self._said:
            self._said.wait_for(lambda: is_said() or self._is_over, self.patience)
            assert is_said(), f"never said {pattern!r} {times} times:\n" + "\n".join(self.lines)

    def place_of(self, text: str) -> int:
        """The number of the first line with this text in it."""
        with self._said:
            for place, line in enumerate(self.lines):
                if text in line:
                    return place
        raise AssertionError(f"never said {text!r}:\n{self.said}")

    def gets(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def ends(self, within: float = PATIENCE) -> int:
        """Wait until it has ended; its exit status."""
        status = self.process.wait(within)
        self._reader.join(PATIENCE)
        return status

    def stop(self) -> int:
        """Let it end in order; its exit status."""
        self.gets()
        return self.ends()

    def end(self) -> None:
        """Whatever happened, leave nothing behind."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()

    def __enter__(self) -> ChildProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
