"""Becomes another program, on such cores and with so many files: ``start.py 0,1 15000 COMMAND …``.

A program of its own, because a process with threads may not safely run Python between fork and exec. Where
there are fewer cores, or nobody can be kept to one, the program shares what there is.
"""

from __future__ import annotations

import os
import resource
import sys


def main(cores: str, files: str, *command: str) -> None:
    """Never returns."""
    if hasattr(os, "sched_setaffinity"):
        ours = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {ours[int(core) % len(ours)] for core in cores.split(",")})
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY != soft < int(files):
        enough = hard == resource.RLIM_INFINITY or hard >= int(files)
        resource.setrlimit(resource.RLIMIT_NOFILE, (int(files) if enough else hard, hard))
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
