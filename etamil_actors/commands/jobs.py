"""``etamil-actors jobs``: the jobs of a running process."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from etamil_actors.commands import remark
from etamil_actors.commands.asking import lost, print_json, table, the_one

if TYPE_CHECKING:
    from etamil_actors.cli import Given


def main(given: Given) -> int:
    """List them."""
    process = the_one(given.words)
    if process is None:
        return 1
    try:
        jobs = process.ask(ask="jobs")["jobs"]
    except OSError as trouble:
        return lost(process, trouble)
    if given.options["json"]:
        print_json(jobs)
    elif not jobs:
        remark("பணிகள் எதுவும் இல்லை", "there are no jobs")
    else:
        heads = (
            "பணி (job)",
            "சேவை (service)",
            "எப்போது (when)",
            "நிலை (state)",
            "மறுதொடக்கம் (restarts)",
            "இடம் (at)",
        )
        rows = [
            (job["name"], job["service"], job["when"], job["state"], str(job["restarts"]), job["at"] or "")
            for job in jobs
        ]
        sys.stdout.write("\n".join(table(heads, rows, right=(4,))) + "\n")
    return 0
