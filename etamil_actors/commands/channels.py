"""``etamil-actors channels``: the channels of a running process, and what waits in them."""

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
        channels = process.ask(ask="channels")["channels"]
    except OSError as trouble:
        return lost(process, trouble)
    if given.options["json"]:
        print_json(channels)
    elif not channels:
        remark("சேனல்கள் எதுவும் இல்லை", "there are no channels")
    else:
        heads = (
            "சேனல் (channel)", "வகை (kind)", "ஊடகம் (transport)", "காத்திருப்பு (waiting)", "கொள்ளளவு (capacity)",
            "இறந்தவை (dead)",
        )  # fmt: skip
        rows = [
            (
                one["name"] + ("  ✗" if one["closed"] else ""),
                one["kind"],
                one["transport"],
                str(one["waiting"]),
                str(one["capacity"]),
                str(one["dead"]),
            )
            for one in channels
        ]
        sys.stdout.write("\n".join(table(heads, rows, right=(3, 4, 5))) + "\n")
    return 0
