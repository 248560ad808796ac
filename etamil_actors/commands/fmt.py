"""``etamil-actors fmt``: programs in the one canonical layout.

A file is written only when something changes, and then as a whole beside the old one and put in
its place, so that a machine that stops in between leaves the old file or the new, never half.
"""

from __future__ import annotations

import contextlib
import os
import sys

from etamil_actors.commands import complain
from etamil_actors.commands.files import complain_of_file, programs_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from etamil_actors.cli import Given


def main(given: Given) -> int:
    """Format every file that is meant."""
    only_check, to_stdout = bool(given.options["check"]), bool(given.options["stdout"])
    status = 0
    for path in programs_in(given.words):
        try:
            before = _read(path)
        except OSError as error:
            complain_of_file(error, path, "கோப்பைப் படிக்க முடியவில்லை", "read")
            status = 1
            continue
        after = _format(before, path)
        if after is None:
            status = 1
        elif only_check:
            if after != before:
                sys.stdout.write(path + "\n")
                status = 1
        elif to_stdout or path == "-":
            sys.stdout.write(after.decode())
        elif after != before:
            try:
                replace_file(path, after)
            except OSError as error:
                complain_of_file(error, path, "கோப்பை எழுத முடியவில்லை", "write")
                status = 1
    return status


def _read(path: str) -> bytes:
    if path == "-":
        return sys.stdin.buffer.read()
    with open(path, "rb") as file:
        return file.read()


def _format(before: bytes, path: str) -> bytes | None:
    from etamil_actors.commands.check import show
    from etamil_actors.language.formatter import format_source
    from etamil_actors.language.problems import LoadFailed

    try:
        text = before.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        complain(
            f"‘{path}’ UTF-8 கோப்பு அல்ல ({error.start + 1}-ஆவது பைட்டு)",
            f"‘{path}’ is not UTF-8 (byte {error.start + 1})",
        )
        return None
    try:
        return format_source(text, path).encode()
    except LoadFailed as failed:
        show(failed.problems, failed.sources)
        return None


def replace_file(path: str, content: bytes) -> None:
    """Put new content in a file's place in one step; links and permissions stay.

    Raises: OSError, and then the file is as it was.
    """
    target = os.path.realpath(path)
    beside = f"{target}.{os.getpid()}.new"
    try:
        with open(beside, "xb") as file:
            file.write(content)
            os.fchmod(file.fileno(), os.stat(target).st_mode & 0o7777)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise
