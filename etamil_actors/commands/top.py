"""``etamil-actors top``: a running process, looked at again and again."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from etamil_actors.commands import Usage
from etamil_actors.commands.asking import Process, RefusedError, age, lost, table, the_one
from etamil_actors.commands.ps import head

if TYPE_CHECKING:
    from etamil_actors.cli import Given

HEADS = (
    "நிலை (state)",
    "வேகம்/s (rate)",
    "காத்திருப்பு (waiting)",
    "பழையது (oldest)",
    "மறுதொடக்கம் (restarts)",
    "இடம் (path)",
)


def main(given: Given) -> int:
    """Look until Ctrl-C; once where nobody looks."""
    process = the_one(given.words)
    if process is None:
        return 1
    seconds = given.options["seconds"]
    if not 1 <= seconds <= 3600:
        raise Usage("--seconds: 1 முதல் 3600 வரை", "--seconds is from 1 to 3600")
    try:
        if sys.stdout.isatty():
            return _watch(process, seconds)
        lines = Look(process).lines(None)
    except (OSError, RefusedError) as trouble:
        return lost(process, trouble)
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _watch(process: Process, seconds: int) -> int:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console()
    look = Look(process)
    with Live(console=console, screen=True, auto_refresh=False) as live:
        try:
            while True:
                shown = look.lines(console.size.height - 1)
                live.update(Text("\n".join(shown), no_wrap=True, overflow="crop"), refresh=True)
                time.sleep(seconds)
        except KeyboardInterrupt:
            return 0


class Look:
    """Looks at a process, and remembers the last time."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._before: dict[str, int] = {}
        self._requests: float | None = None
        self._time = 0.0

    def lines(self, most: int | None) -> list[str]:
        """As many lines as there is room for, the busiest actors first. Raises: OSError."""
        facts = self._process.ask(ask="tree")
        now = time.monotonic()
        passed = now - self._time if self._before else 0.0
        requests = facts["numbers"].get("requests", 0)
        if self._requests is not None and passed:
            facts["numbers"]["requests/s"] = round((requests - self._requests) / passed, 1)
        rated = [(self._rate(actor, passed), actor) for actor in facts["actors"]]
        self._before = {actor["path"]: actor["handled"] for actor in facts["actors"]}
        self._requests, self._time = requests, now
        rated.sort(key=lambda pair: (-pair[1].get("waiting", 0), -pair[0], pair[1]["path"]))
        shown = [pair for pair in rated if pair[1]["kind"] != "supervisor"]
        count = len(facts["actors"]) + facts["more"]
        told = [*head(facts), f"{count} செயலிகள்  ({count} actors)", ""]
        rows = [_row(rate, actor) for rate, actor in shown]
        told += table(HEADS, rows, right=(1, 2, 3, 4))
        return told if most is None else told[:most]

    def _rate(self, actor: dict[str, Any], passed: float) -> float:
        before = self._before.get(actor["path"])
        return (actor["handled"] - before) / passed if passed and before is not None else 0.0


def _row(rate: float, actor: dict[str, Any]) -> tuple[str, ...]:
    return (
        actor["state"],
        f"{rate:.1f}" if rate else "",
        str(actor.get("waiting", "")),
        age(actor["oldest"]) if "oldest" in actor else "",
        str(actor["restarts"] or ""),
        actor["path"],
    )
