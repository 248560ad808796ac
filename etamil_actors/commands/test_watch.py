"""``etamil-actors test --watch``: the tests again, whenever a file changes.

Run again are the files whose program the changed file is part of. When something else changes that tests
may read (data, a template, a configuration), all of them are.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from watchfiles import Change, DefaultFilter
from watchfiles import watch as changes_in

from etamil_actors.commands import Usage, complain, remark
from etamil_actors.commands.files import SUFFIX
from etamil_actors.commands.test import SKIPPED_FOLDERS, Report, files_of, run_and_tell
from etamil_actors.testing.suite import FileResult, Stamp, Wish, stamps_of

DATA: Final = (".json", ".yaml", ".yml", ".sql", ".csv", ".txt", ".html", ".md", ".toml")
"""Other files that tests may read."""

SETTLED_SECONDS: Final = 0.1

LOOK_MS: Final = 300
"""How often files are looked at that lie outside of the folders that are watched."""

class _Filter(DefaultFilter):
    def __init__(self) -> None:
        super().__init__(ignore_dirs=(*DefaultFilter.ignore_dirs, *SKIPPED_FOLDERS))

    def __call__(self, change: Change, path: str) -> bool:
        return path.endswith((SUFFIX, *DATA)) and super().__call__(change, path)


def watch(words: Sequence[str], wish: Wish, jobs: int, is_verbose: bool) -> int:
    """Run tests until Ctrl-C, which is how this ends well, whatever the tests said."""
    known: dict[str, FileResult] = {}
    try:
        _run(files_of(words), wish, jobs, is_verbose, known)
        while True:
            changed = _next_change(words, known)
            remark(f"\n── {time.strftime('%H:%M:%S')} · மாறியது: {_named(changed)}", "changed")
            try:
                paths = files_of(words)
            except Usage as wrong:
                complain(wrong.tamil, wrong.english)
                paths = []
            for gone in known.keys() - set(paths):
                del known[gone]
            _run(concerned(paths, changed, known), wish, jobs, is_verbose, known)
    except KeyboardInterrupt:
        sys.stdout.write("\n")
        return 0


def _run(paths: Sequence[str], wish: Wish, jobs: int, is_verbose: bool, known: dict[str, FileResult]) -> None:
    report = Report(len(paths), is_verbose=is_verbose)
    run_and_tell(paths, wish, jobs, report)
    known.update({file.path: file for file in report.files})
    if not report.count and not report.broken:
        remark("· ஓட்ட வேண்டிய சோதனை எதுவும் இல்லை", "no test to run")


def concerned(paths: Iterable[str], changed: set[str], known: Mapping[str, FileResult]) -> list[str]:
    """The test files to be run again."""
    if not all(path.endswith(SUFFIX) for path in changed):
        return list(paths)
    return [
        path
        for path in paths
        if path not in known or changed.intersection((os.path.abspath(path), *known[path].files))
    ]


def _next_change(words: Sequence[str], known: Mapping[str, FileResult]) -> set[str]:
    """Wait until something changes; the whole paths of what did. What changed while tests ran counts too."""
    stamps = {path: stamp for file in known.values() for path, stamp in file.files.items()}
    folders = {word if os.path.isdir(word) else os.path.dirname(os.path.abspath(word)) for word in words}
    for changes in changes_in(
        *sorted(folders),
        watch_filter=_Filter(),
        debounce=200,
        rust_timeout=LOOK_MS,
        yield_on_timeout=True,
    ):
        changed = {os.path.abspath(path) for _, path in changes}
        changed.update(path for path, stamp in stamps_of(stamps).items() if stamp != stamps[path])
        if changed:
            _settle(changed)
            return changed
    raise KeyboardInterrupt  # the watcher has been told to stop


def _settle(paths: set[str]) -> None:
    """Wait until nobody writes any more: many editors empty a file first and then fill it."""
    before: dict[str, Stamp] = {}
    while before != (now := stamps_of(paths)):
        before = now
        time.sleep(SETTLED_SECONDS)


def _named(paths: Iterable[str]) -> str:
    return ", ".join(sorted(os.path.relpath(path) for path in paths))
