"""``etamil-actors test --watch``: the tests again, whenever a file changes.

Run again are the files whose program the changed file is part of. When something else changes that tests
may read (data, a template, a configuration), all of them are.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final

from watchfiles import Change, DefaultFilter
from watchfiles import watch as changes_in

from etamil_actors.commands import Usage, complain, remark
from etamil_actors.commands.files import SUFFIX
from etamil_actors.commands.test import SKIPPED_FOLDERS, Report, files_of, run_and_tell
from etamil_actors.testing.suite import FileResult, Wish

DATA: Final = (".json", ".yaml", ".yml", ".sql", ".csv", ".txt", ".html", ".md", ".toml")
"""Other files that tests may read."""

LOOK_MS: Final = 300
"""How often files are looked at that lie outside of the folders that are watched."""

Stamps = dict[str, tuple[int, int] | None]


class _Filter(DefaultFilter):
    def __init__(self) -> None:
        super().__init__(ignore_dirs=(*DefaultFilter.ignore_dirs, *SKIPPED_FOLDERS))

    def __call__(self, change: Change, path: str) -> bool:
        return path.endswith((SUFFIX, *DATA)) and super().__call__(change, path)


def watch(words: Sequence[str], wish: Wish, jobs: int, is_verbose: bool) -> int:
    """Run tests until Ctrl-C; the exit status is that of the last time."""
    known: dict[str, FileResult] = {}
    status = 0
    try:
        paths = files_of(words)
        stamps = stamps_of(words)
        status = _run(paths, wish, jobs, is_verbose, known)
        while True:
            changed = _next_change(words, {**stamps, **stamps_of(_parts(known), stamps)})
            remark(f"\n── {time.strftime('%H:%M:%S')} · மாறியது: {_named(changed)}", "changed")
            try:
                paths = concerned(files_of(words), changed, known)
            except Usage as wrong:
                complain(wrong.tamil, wrong.english)
                continue
            finally:
                stamps = stamps_of((*words, *_parts(known)))
            status = _run(paths, wish, jobs, is_verbose, known)
    except KeyboardInterrupt:
        sys.stdout.write("\n")
        return status


def _run(paths: Sequence[str], wish: Wish, jobs: int, is_verbose: bool, known: dict[str, FileResult]) -> int:
    report = Report(is_verbose=is_verbose)
    run_and_tell(paths, wish, jobs, report)
    known.update({file.path: file for file in report.files})
    if not report.count and not report.broken:
        remark("· ஓட்ட வேண்டிய சோதனை எதுவும் இல்லை", "no test to run")
    return report.status


def concerned(paths: Iterable[str], changed: set[str], known: dict[str, FileResult]) -> list[str]:
    """The test files to be run again."""
    if not all(path.endswith(SUFFIX) for path in changed):
        return list(paths)
    return [
        path
        for path in paths
        if path not in known or changed.intersection((os.path.abspath(path), *known[path].files))
    ]


def _parts(known: dict[str, FileResult]) -> list[str]:
    return [part for file in known.values() for part in file.files]


def stamps_of(paths: Iterable[str], before: Stamps | None = None) -> Stamps:
    """When files were changed last; what ``before`` has is not looked at again."""
    stamps: Stamps = {}
    for path in paths:
        whole = os.path.abspath(path)
        if before is not None and whole in before:
            continue
        stamps[whole] = None
        with suppress(OSError):
            found = os.stat(whole)
            if not os.path.isdir(whole):
                stamps[whole] = (found.st_mtime_ns, found.st_size)
    return stamps


def _next_change(words: Sequence[str], stamps: Stamps) -> set[str]:
    """Wait until something changes; the whole paths of what did. What changed while tests ran counts too."""
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
            return changed
    raise KeyboardInterrupt  # the watcher has been told to stop


def _named(paths: Iterable[str]) -> str:
    return ", ".join(sorted(os.path.relpath(path) for path in paths))
