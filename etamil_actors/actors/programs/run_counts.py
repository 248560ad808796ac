"""How often jobs have run, how it ended, and how long it took: for whoever reads the numbers of a process.

Names of jobs that are started once may be made while a program runs, so only so many are told apart.
"""

from __future__ import annotations

from typing import Final

MOST: Final = 500
OTHERS: Final = "…"


class RunCounts:
    """By service and job."""

    __slots__ = ("jobs",)

    def __init__(self) -> None:
        self.jobs: dict[tuple[str, str], JobCounts] = {}

    def of(self, service: str, job: str) -> JobCounts:
        """The counts of one job."""
        key = service, job
        counts = self.jobs.get(key)
        if counts is None:
            if len(self.jobs) >= MOST:
                key = "", OTHERS
            counts = self.jobs.setdefault(key, JobCounts())
        return counts


class JobCounts:
    """The counts of one job."""

    __slots__ = ("failed", "running", "runs", "seconds")

    def __init__(self) -> None:
        self.runs = 0
        """Those that have ended, however."""
        self.failed = 0
        self.running = 0
        self.seconds = 0.0
        """All runs together."""
