"""Compiled programs on disk: ``__qmc__/hello.qmz.cpython-311.qmc`` beside ``hello.qmz``.

A kept program is used only when it was made by this version from exactly these sources, and only
when nobody but its owner could have written it: the code in it is run as it is. A folder that
cannot be written, or that others may write, means that programs are compiled on every run —
slower, never wrong.

Beside the digests of all files that were read, the places that were looked at in vain are kept: a
file that appears there would change what an import means. So would another search path, and a
program that was moved or copied is another program.
"""

from __future__ import annotations

import os
import sys

from etamil_actors.language.program import Program, digest, keep, open_kept

FOLDER = "__qmc__"
ABSENT = b""
"""Stands for the digest of a file that was looked for and not there."""

_OTHERS_MAY_WRITE = 0o022

Digests = tuple[tuple[str, bytes], ...]


def place_of(path: str) -> str:
    """Where the compiled form of a program is kept."""
    folder, name = os.path.split(path)
    return os.path.join(folder, FOLDER, f"{name}.{sys.implementation.cache_tag}.qmc")


def read_program(path: str, setting: str) -> Program | None:
    """The kept program of this source file, if it can be trusted and is fresh.

    ``setting`` is whatever else decides what the program is: how it was named, the search path.
    """
    kept = place_of(path)
    try:
        if not _is_ours(os.path.dirname(kept)):
            return None
        with open(kept, "rb") as file:
            if not _is_ours(file.fileno()):
                return None
            found = open_kept(file.read())
    except OSError:
        return None
    if found is None:
        return None
    digests, program = found
    if len(digests) < 2 or digests[0] != ("", digest(setting.encode())) or digests[1][0] != path:
        return None
    return program if all(_is_fresh(name, known) for name, known in digests[1:]) else None


def write_program(path: str, program: Program, digests: Digests, setting: str) -> None:
    """Keep a program, or leave it when the folder cannot be written."""
    kept = place_of(path)
    folder = os.path.dirname(kept)
    try:
        os.makedirs(folder, mode=0o755, exist_ok=True)
        if not _is_ours(folder):
            return
        data = keep(program, (("", digest(setting.encode())), *digests))
        beside = f"{kept}.{os.getpid()}"
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            with open(descriptor, "wb") as file:
                file.write(data)
            os.replace(beside, kept)
        except OSError:
            os.unlink(beside)
            raise
    except (OSError, ValueError):
        # A read-only folder, a full disk: the program runs all the same, and is compiled next time.
        return


def _is_ours(place: str | int) -> bool:
    facts = os.stat(place)
    return facts.st_uid == os.geteuid() and not facts.st_mode & _OTHERS_MAY_WRITE


def _is_fresh(name: str, known: bytes) -> bool:
    if known == ABSENT:
        return not os.path.isfile(name)
    try:
        with open(name, "rb") as file:
            return digest(file.read()) == known
    except OSError:
        return False
