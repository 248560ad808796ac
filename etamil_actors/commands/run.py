"""``etamil-actors run``: one program, from its first statement to its last.

This file and all that it imports are loaded on every run, so it imports next to nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from etamil_actors.cli import Given


def main(given: Given) -> int:
    """Run a program and answer its exit status."""
    import os

    from etamil_actors.script import JOURNAL, RunOptions, run_file

    options = RunOptions(
        journal=os.path.join(os.path.dirname(given.words[0]), JOURNAL),
        seconds=float(given.options["seconds"]),
        steps=given.options["steps"],
        cache=not given.options["no-cache"],
    )
    return run_file(given.words[0], given.rest, options)
