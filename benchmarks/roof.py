"""What a person meets: the root ``config.yaml`` under ``up``, from its start to new code on save.

Everything runs in a copy of ``config.yaml`` and ``services/`` in a temporary folder, once before to warm the
caches, and as a process of its own. Load comes from wrk, from the other core.
"""

from __future__ import annotations

import http.client
import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from benchmarks.http.load import is_there, on_cores, run_wrk
from benchmarks.table import Bar, Line, milliseconds

REPOSITORY = Path(__file__).resolve().parent.parent
CONNECTIONS = 32
SECONDS = 4.0
SAVES = 20
GREETING = "வணக்கம்! இன்றைய"
"""What stands in the api, and is changed by a save."""
_PATIENCE = 30.0


def measure(rounds: int, seconds: float = SECONDS) -> list[Line]:
    """Every line of the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = copied(Path(name))
        with up(folder):
            pass  # compiles, and makes the tables
        return [_start(folder, rounds), *_at_rest_and_under_load(folder, seconds), _reload(folder)]


def copied(folder: Path) -> Path:
    """The root configuration and its services, in a folder of their own."""
    shutil.copy(REPOSITORY / "config.yaml", folder)
    ignored = shutil.ignore_patterns("__qmc__")
    shutil.copytree(REPOSITORY / "services", folder / "services", ignore=ignored)
    return folder


class Running:
    """A process that serves, and how long it took until it did."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, seconds: float) -> None:
        self.process = process
        self.port = port
        self.seconds = seconds

    def resident(self) -> float:
        """Its memory, in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text("ascii")
        found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
        assert found is not None, status
        return int(found[1]) / 1024

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def up(folder: Path, *options: str) -> Iterator[Running]:
    """``etamil-actors up`` from the start of the process to its first answer; ends it in order."""
    port = _free_port()
    command = [sys.executable, "-m", "etamil_actors", "up", "--bind", f"127.0.0.1:{port}", *options]
    with (folder / "log").open("wb") as log:
        begin = time.perf_counter()
        process = subprocess.Popen([*on_cores(1), *command], cwd=folder, stdout=log, stderr=log)
        try:
            while message_of(port) is None:
                if process.poll() is not None or time.perf_counter() - begin > _PATIENCE:
                    raise RuntimeError((folder / "log").read_text("utf-8"))
                time.sleep(0.001)
            yield Running(process, port, time.perf_counter() - begin)
        finally:
            process.terminate()
            process.wait(_PATIENCE)


def message_of(port: int) -> str | None:
    """The greeting that is answered at ``/``; nothing while nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    try:
        connection.request("GET", "/")
        answer = connection.getresponse()
        return str(json.loads(answer.read())["data"]["message"]) if answer.status == 200 else None
    except ConnectionError:
        return None
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _start(folder: Path, rounds: int) -> Line:
    taken = []
    for _ in range(max(rounds, 5)):
        with up(folder) as running:
            taken.append(running.seconds)
    title = "`up` on the root config.yaml, from the start of the process to its first answer"
    middle = median(taken)
    numbers: dict[str, object] = {"seconds": taken}
    return Line(title, milliseconds(middle), bar=Bar(1, "s"), judged=[middle], numbers=numbers)


def _at_rest_and_under_load(folder: Path, seconds: float) -> list[Line]:
    with up(folder) as running:
        size = running.resident()
        lines = [Line("memory of the root tree at rest", f"{size:.1f} MB", bar=Bar(80, "MB"), judged=[size])]
        if not is_there():
            return lines
        load = run_wrk(f"{running.url}/brief/weather", CONNECTIONS, seconds)
        failed = sum(load.errors.values())
        assert not failed, load.errors
        title = f"cached `GET /brief/:id` over {CONNECTIONS} connections"
        at_99 = load.p99 * 1000
        numbers: dict[str, object] = {"rate": load.rate, "p50": load.p50, "p99": load.p99}
        return [
            *lines,
            Line(f"{title}, p99", milliseconds(load.p99), bar=Bar(10, "ms"), judged=[at_99], numbers=numbers),
            Line(f"{title}, rate", f"{load.rate:,.0f}/s".replace(",", " ")),
            Line("memory after that load", f"{running.resident():.1f} MB"),
        ]


def _reload(folder: Path) -> Line:
    """From the moment when a file is saved to the first answer of its new code."""
    path = folder / "services" / "api.qmz"
    text = path.read_text("utf-8")
    taken = []
    with up(folder, "--watch") as running:
        for number in range(SAVES):
            greeting = f"{number}. {GREETING}"
            begin = time.perf_counter()
            path.write_text(text.replace(GREETING, greeting), "utf-8")
            while not (message_of(running.port) or "").startswith(greeting):
                if time.perf_counter() - begin > _PATIENCE:
                    raise RuntimeError((folder / "log").read_text("utf-8"))
                time.sleep(0.001)
            taken.append(time.perf_counter() - begin)
    path.write_text(text, "utf-8")
    middle, worst = median(taken) * 1000, max(taken) * 1000
    title = f"`services/api.qmz` saved under `up --watch`, until its new code answers (worst {worst:.0f} ms)"
    numbers: dict[str, object] = {"seconds": taken}
    return Line(title, f"{middle:.0f} ms", bar=Bar(300, "ms"), judged=[middle], numbers=numbers)
