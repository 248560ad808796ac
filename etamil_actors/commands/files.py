"""Which files a command line means, and their texts."""

from __future__ import annotations

import os
from collections.abc import Iterable

from etamil_actors.commands import Usage, complain

SUFFIX = ".qmz"


def programs_in(words: Iterable[str]) -> list[str]:
    """The files that are meant: each word itself, and of a folder every ``.qmz`` file below it.

    Raises: Usage, when a folder holds no program.
    """
    found: list[str] = []
    for word in words:
        if not os.path.isdir(word):
            found.append(word)
            continue
        inside = list(_walk(word))
        if not inside:
            raise Usage(
                f"‘{word}’ கோப்புறையில் {SUFFIX} கோப்பு எதுவும் இல்லை", f"there is no {SUFFIX} file in ‘{word}’"
            )
        found += inside
    return found


def _walk(folder: str) -> Iterable[str]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.endswith(SUFFIX):
                yield os.path.join(place, name)


def complain_of_file(error: OSError, path: str, tamil: str, english: str) -> None:
    """Say that something could not be done with a file, and why, in words that a program sees too."""
    complain(*told_of_file(error, path, tamil, english))


def told_of_file(error: OSError, path: str, tamil: str, english: str) -> tuple[str, str]:
    """The same, in both languages."""
    from etamil_actors.vm.builtins.files import words_of

    why_tamil, why_english = words_of(error)
    return f"‘{path}’ {tamil}: {why_tamil}", f"cannot {english} ‘{path}’: {why_english}"
