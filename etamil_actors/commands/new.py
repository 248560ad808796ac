"""``etamil-actors new``: a project that runs at once.

The files lie in ``templates/project``, as they will be but for three words. Nothing that exists is ever
written over.
"""

from __future__ import annotations

import os
import re
import sys
from typing import Final

from etamil_actors.commands import Usage, complain
from etamil_actors.commands.files import complain_of_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from etamil_actors.cli import Given

FILES: Final = os.path.join(os.path.dirname(os.path.dirname(__file__)), "templates", "project")

HIDDEN: Final = frozenset(("gitignore", "dockerignore"))
"""Files that get a dot in front, which would hide them from whoever packs the templates."""

SUFFIX: Final = ".template"
"""Taken off again: such a page is not one of this project's own."""

LONGEST: Final = 60


def main(given: Given) -> int:
    """Write a project into a folder of this name."""
    name = name_of(given.words[0])
    path = os.path.normpath(given.words[0])
    try:
        if os.path.lexists(path) and not os.path.isdir(path):
            complain(f"‘{path}’ ஏற்கெனவே ஒரு கோப்பு", f"‘{path}’ is a file already")
            return 1
        if os.path.isdir(path) and os.listdir(path):
            complain(
                f"‘{path}’ கோப்புறை ஏற்கெனவே உள்ளது, வெற்றாகவும் இல்லை; வேறொரு பெயரைக் கொடுங்கள்",
                f"the folder ‘{path}’ exists and is not empty; give another name",
            )
            return 1
        written = list(write_project(path, name))
    except OSError as error:
        complain_of_file(error, error.filename or path, "எழுத முடியவில்லை", "write")
        return 1
    sys.stdout.write(_told(path, written))
    return 0


def name_of(path: str) -> str:
    """What the project is called: its folder.

    Raises: Usage, when that is no name for one.
    """
    name = os.path.basename(os.path.abspath(path)) if path else ""
    from etamil_actors.language.lexer import is_name

    if not is_name(name.replace("-", "_")) or name[0] == "-" or len(name) > LONGEST:
        raise Usage(
            f"‘{name}’ திட்டத்தின் பெயராகாது; எழுத்தில் தொடங்கி எழுத்துகள், எண்கள், ‘-’, ‘_’ மட்டும்",
            f"‘{name}’ is no name for a project; it begins with a letter, and goes on with letters, digits, "
            "‘-’ and ‘_’",
        )
    return name


def unit_of(name: str) -> str:
    """The name for Docker and systemd, which want Latin letters."""
    from etamil_actors.language.romanise import romanise

    latin = name if name.isascii() else romanise(name)
    return re.sub(r"[^a-z0-9]+", "-", latin.lower()).strip("-") or "etamil-service"


def write_project(path: str, name: str) -> Iterator[str]:
    """Write every file; their paths below the project.

    Raises: OSError.
    """
    from etamil_actors import __version__

    words = {"__NAME__": name, "__UNIT__": unit_of(name), "__VERSION__": __version__}
    for folder, folders, files in os.walk(FILES):
        folders.sort()
        below = os.path.relpath(folder, FILES)
        os.makedirs(os.path.normpath(os.path.join(path, below)), exist_ok=True)
        for file in sorted(files):
            with open(os.path.join(folder, file), encoding="utf-8") as source:
                text = source.read()
            for word, value in words.items():
                text = text.replace(word, value)
            named = file.replace("UNIT", words["__UNIT__"]).removesuffix(SUFFIX)
            target = os.path.normpath(os.path.join(below, f".{named}" if named in HIDDEN else named))
            with open(os.path.join(path, target), "x", encoding="utf-8", newline="\n") as made:
                made.write(text)
            yield target


def _told(path: str, written: list[str]) -> str:
    enter = [] if os.path.abspath(path) == os.getcwd() else [f"  cd {path}"]
    return "\n".join([
        f"✓ ‘{path}’ ஆயத்தம்  (is ready)",
        *[f"  {file}" for file in sorted(written)],
        "",
        "அடுத்து  (next):",
        *enter,
        "  etamil-actors test",
        "  etamil-actors up --watch",
        "",
    ])
