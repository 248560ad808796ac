"""Putting a server under load with wrk, from another core, and reading what wrk says.

``load.lua`` makes wrk tell its numbers as one line of JSON; nothing is read out of its tables.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parent
SCRIPT = FOLDER / "load.lua"
START = FOLDER / "start.py"
BODY_BYTES = 1024
ERRORS = ("connect", "read", "write", "timeout", "status")
_PATIENCE = 30.0


class Load(NamedTuple):
    """What one run of wrk saw: requests a second, times in seconds, and how often what went wrong."""

    rate: float
    p50: float
    p99: float
    errors: Mapping[str, int]

    @classmethod
    def of(cls, told: Mapping[str, int]) -> Load:
        """From the numbers of ``load.lua``."""
        rate = told["requests"] / (told["duration"] / 1e6)
        return cls(rate, told["p50"] / 1e6, told["p99"] / 1e6, {kind: told[kind] for kind in ERRORS})


def is_there() -> bool:
    """Whether wrk is installed."""
    return shutil.which("wrk") is not None


def run_wrk(url: str, connections: int, seconds: float, body: Path | None = None) -> Load:
    """Ask for one thing as often as possible, over so many connections. With a body it is posted."""
    command = [
        *on_cores(0), "wrk", "--threads", "1", "--connections", str(connections),
        "--duration", f"{round(seconds)}s", "--latency", "--script", str(SCRIPT), url,
    ]  # fmt: skip
    if body is not None:
        command += ["--", str(body)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds + _PATIENCE)
    return Load.of(json.loads(done.stdout.splitlines()[-1]))


def order() -> bytes:
    """An order as a client would send it: JSON of exactly ``BODY_BYTES`` bytes."""
    items = ("பேனா", "விளக்கு", "நோட்டுப் புத்தகம்", "குடை", "கைக்கடிகாரம்")
    parts = {
        "customer": "மலர்விழி",
        "phone": "+91 98400 00000",
        "address": "12, வடக்கு மாசி வீதி, மதுரை 625001",
        "lines": [{"item": item, "count": at + 1, "price": 12.5 * (at + 1)} for at, item in enumerate(items)],
        "note": "",
    }
    left = BODY_BYTES - len(_written(parts))
    assert left >= 0, left
    return _written({**parts, "note": "." * left})


def _written(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


# ---- cores and files ------------------------------------------------------------------


def on_cores(*cores: int, files: int = 0) -> list[str]:
    """What stands before a command to keep it to some of our cores, and let it open so many files."""
    return [sys.executable, "-I", "-S", str(START), ",".join(map(str, cores)), str(files)]


def may_open(files: int) -> bool:
    """Whether a process may have so many files open."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return hard == resource.RLIM_INFINITY or hard >= files
