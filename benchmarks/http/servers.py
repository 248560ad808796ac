"""The measured servers: how each is started, seen to answer, and stopped.

Each is a process of its own on the second core (the load is on the first), with what one would give it in
production: one process, keep-alive of 75 seconds, warnings only. Ours has its defaults: every limit, the
metrics, and the access log, which nobody else writes.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep
from typing import NamedTuple

from benchmarks.http.load import on_cores, order
from benchmarks.programs import FOLDER

APPS = Path(__file__).resolve().parent / "apps"
PROGRAM = FOLDER / "http.qmz"

HELLO = "/hello"
ORDER = "/orders/17"
GREETING = {"message": "வணக்கம்"}
TAKEN = {"id": "17", "customer": "மலர்விழி", "lines": 5}

FILES = 15_000
"""So many open files a server may have: one for each idle connection, and some."""

_START = 30.0
_STOP = 15.0
_KEEP_ALIVE = "75"


class ServerError(Exception):
    """A server did not start, or does not answer what it should."""


class Server(NamedTuple):
    """How a server is called, and the command that starts it; ``PORT`` stands for the port."""

    name: str
    command: tuple[str, ...]
    needs: tuple[str, ...] = ()
    """Packages that it is made of."""
    cores: tuple[int, ...] = (1,)
    environment: Mapping[str, str] = {}

    @property
    def missing(self) -> list[str]:
        """Which of its packages are not installed."""
        return [package for package in self.needs if find_spec(package) is None]


_OURS = (sys.executable, "-m", "etamil_actors", "up", str(PROGRAM), "--bind", "127.0.0.1:PORT")

OURS = Server("eTamil", _OURS)
OURS_TWICE = Server("eTamil, 2 processes", (*_OURS, "--processes", "2"), cores=(0, 1))
FASTAPI = Server(
    "FastAPI on uvicorn",
    (
        sys.executable, "-m", "uvicorn", "fastapi_app:app", "--app-dir", str(APPS), "--host", "127.0.0.1",
        "--port", "PORT", "--loop", "uvloop", "--http", "httptools", "--timeout-keep-alive", _KEEP_ALIVE,
        "--log-level", "warning", "--no-access-log",
    ),
    ("fastapi", "uvicorn", "uvloop", "httptools"),
)  # fmt: skip
QUART = Server(
    "Quart-Trio on Hypercorn",
    (
        sys.executable, "-m", "hypercorn", f"{APPS / 'quart_app.py'}:app", "--worker-class", "trio",
        "--workers", "0", "--bind", "127.0.0.1:PORT", "--keep-alive", _KEEP_ALIVE, "--log-level", "warning",
    ),
    ("quart_trio", "hypercorn"),
)  # fmt: skip
BARE = Server("a bare trio loop", (sys.executable, str(APPS / "bare.py"), "PORT"))


class Running:
    """A server that has been started."""

    def __init__(self, server: Server, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.server = server
        self.process = process
        self.port = port
        self.log = log

    def url(self, path: str) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}{path}"

    def expect(self, method: str, path: str, status: int, answer: object) -> None:
        """See once that it answers what it should.

        Raises: ServerError when it does not.
        """
        body = order() if method == "POST" else None
        got = self._ask(method, path, body)
        if got != (status, answer):
            raise ServerError(f"{self.server.name}: {method} {path}: {status} {answer} expected, got {got}")

    def wait(self) -> None:
        """Wait until it answers at all.

        Raises: ServerError when it ends before, or takes too long.
        """
        deadline = monotonic() + _START
        while True:
            try:
                self._ask("GET", HELLO)
                return
            except (OSError, HTTPException) as error:
                if self.process.poll() is not None or monotonic() > deadline:
                    text = f"{self.server.name} does not answer: {error}\n{self._last()}"
                    raise ServerError(text) from None
            sleep(0.05)

    def forget_log(self) -> None:
        """Empty the file that it logs to; a log of millions of lines helps nobody."""
        os.truncate(self.log, 0)

    def stop(self) -> None:
        """Stop it, in order if it can."""
        self.process.terminate()
        try:
            self.process.wait(_STOP)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, object]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text

    def _last(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")[-2000:]


@contextmanager
def started(server: Server, folder: Path) -> Iterator[Running]:
    """A server, from its first answer until the block ends. What it writes goes to a file in the folder.

    Raises: ServerError when it does not start, or answers something else than it should.
    """
    port = _free_port()
    log = folder / f"{port}.log"
    command = on_cores(*server.cores, files=FILES)
    command += [word.replace("PORT", str(port)) for word in server.command]
    with log.open("ab") as file:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env={**os.environ, **server.environment},
        )
    running = Running(server, process, port, log)
    try:
        running.wait()
        running.expect("GET", HELLO, 200, GREETING)
        yield running
    finally:
        running.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
