"""``kill -9`` in a loop, at random moments, while producers, consumers and jobs are at work on a journal.

Every acknowledged send is delivered, whatever happens to the process; tries are never forgotten; what was
sent again with the same id is there once. How often something was handled twice is printed.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

KILLS = 220
PRODUCERS = 4
LONGEST_LIFE = 0.25
SEED = 20261121

CHILD = Path(__file__).with_name("journal_child.py")
REPOSITORY = CHILD.parent.parent.parent


class Record:
    """What the children have written, and what must be true of it."""

    def __init__(self, path: Path) -> None:
        path.touch()
        self.file = path.open(encoding="ascii")
        self.rest = ""
        self.sent: set[tuple[int, int]] = set()
        self.next = [1] * PRODUCERS
        self.taken: dict[tuple[int, int], list[int]] = {}
        self.first_takes: list[list[int]] = [[] for _ in range(PRODUCERS)]
        self.handled: Counter[tuple[int, int]] = Counter()
        self.jobs_added: set[int] = set()
        self.jobs_tried: dict[int, list[int]] = {}
        self.jobs_done: Counter[int] = Counter()

    def read_on(self) -> None:
        *lines, self.rest = (self.rest + self.file.read()).split("\n")
        for line in lines:
            kind, *words = line.split()
            self.enter(kind, *map(int, words))

    def enter(self, kind: str, first: int, second: int = 0, third: int = 0) -> None:
        message = (first, second)
        match kind:
            case "S":
                self.sent.add(message)
                self.next[first] = max(self.next[first], second + 1)
            case "T":
                self.taken.setdefault(message, []).append(third)
                if third == 1 and second % 17 and second % 4:  # neither delayed nor held up by a key
                    self.first_takes[first].append(second)
            case "H":
                self.handled[message] += 1
            case "JS":
                self.jobs_added.add(first)
            case "JT":
                self.jobs_tried.setdefault(first, []).append(second)
            case "JD":
                self.jobs_done[first] += 1
            case _:
                raise AssertionError(kind)


def is_rising(numbers: list[int]) -> bool:
    return all(one < other for one, other in pairwise(numbers))


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_what_was_acknowledged_survives_being_killed_again_and_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(SEED)
    record = Record(tmp_path / "record")
    parent = subprocess.Popen(
        [sys.executable, str(CHILD), str(tmp_path / "journal.db"), str(tmp_path / "record")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert parent.stdin is not None and parent.stdout is not None

    def start(*words: object) -> int:
        print(*words, file=parent.stdin, flush=True)
        return int(parent.stdout.readline())  # type: ignore[union-attr]

    with parent:
        for _ in range(KILLS):
            child = start("work", chance.randrange(1 << 30), *record.next)
            # Now and then while it is still opening what the last one left behind.
            time.sleep(chance.random() * (0.03 if chance.random() < 0.2 else LONGEST_LIFE))
            os.kill(child, signal.SIGKILL)
            assert int(parent.stdout.readline()) == -signal.SIGKILL, "it ended before it was killed"
            record.read_on()
        start("drain")
        assert int(parent.stdout.readline()) == 0
        record.read_on()
        record.file.close()
        parent.stdin.close()

    duplicates = sum(count - 1 for count in record.handled.values())
    again = sum(count - 1 for count in record.jobs_done.values())
    assert len(record.sent) > KILLS
    assert record.sent - record.handled.keys() == set()
    assert record.jobs_added - record.jobs_done.keys() == set()
    # A copy, or a try that was forgotten, would count from an earlier number again.
    assert [tries for tries in record.taken.values() if not is_rising(tries)] == []
    assert [tries for tries in record.jobs_tried.values() if not is_rising(tries)] == []
    assert all(is_rising(numbers) for numbers in record.first_takes)
    assert sorted(tmp_path.iterdir()) == [tmp_path / "journal.db", tmp_path / "record"]
    with capsys.disabled():
        print(
            f"\n{KILLS} kills: {len(record.sent)} sends acknowledged, all delivered, {duplicates} of them twice;"
            f" {len(record.jobs_added)} jobs kept, all done, {again} of them twice"
        )
