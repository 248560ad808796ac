"""``python -m benchmarks [SUBJECT …]``: measure, and print what is met and what is not.

The command ends with 0 whatever it measures: a timing never decides anything but a sentence in a README.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Callable
from functools import partial

from benchmarks import actors, caches, channels, data, http, journal, language, roof, services, watching
from benchmarks.table import Line, render, verdict

SUBJECTS: dict[str, Callable[[int], list[Line]]] = {
    "language": language.measure,
    "actors": actors.measure,
    "channels": channels.measure,
    "journal": journal.measure,
    "services": services.measure,
    "http": http.measure,
    "data": data.measure,
    "caches": caches.measure,
    "watching": watching.measure,
    "roof": roof.measure,
}

ROUNDS = 11


def main(words: list[str] | None = None) -> int:
    """Measure the subjects that are named, or all."""
    given = _arguments().parse_args(words)
    subjects = given.subject or list(SUBJECTS)
    measures = SUBJECTS
    if given.seconds:
        timed = {"http": http.measure, "data": data.measure, "roof": roof.measure}
        measures = {**SUBJECTS, **{name: partial(one, seconds=given.seconds) for name, one in timed.items()}}
    lines = {subject: measures[subject](given.rounds) for subject in subjects}
    if given.json is not None:
        _write_numbers(given.json, lines, given.rounds)
    if given.json != "-":
        for subject, measured in lines.items():
            print(f"{subject}: {_interpreter()}, {given.rounds} rounds", end="\n\n")
            print(render(measured), verdict(measured), sep="\n\n", end="\n\n")
    return 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="வேகத்தை அளந்து அட்டவணையாகக் காட்டும்  (measures speed and prints a table)",
    )
    parser.add_argument(
        "subject", nargs="*", metavar="SUBJECT",
        type=_subject, help=f"எதை அளப்பது  (what to measure): {', '.join(SUBJECTS)}",
    )
    parser.add_argument(
        "--rounds", type=_count, default=ROUNDS, metavar="N",
        help=f"எத்தனை சுற்றுகள்  (how many rounds; {ROUNDS} if nothing is said)",
    )
    parser.add_argument(
        "--seconds", type=_count, metavar="N",
        help="ஒவ்வொரு சுற்றிலும் ஒரு HTTP வழங்கிக்கு எத்தனை நொடிகள்"
        f"  (how long each HTTP server is under load in a round; {http.SECONDS:g} if nothing is said)",
    )
    parser.add_argument(
        "--json", nargs="?", const="-", metavar="FILE",
        help="எண்களை JSON வடிவில் எழுதும்  (writes the numbers as JSON, to a file or in place of the table)",
    )
    return parser


def _subject(word: str) -> str:
    if word not in SUBJECTS:
        raise argparse.ArgumentTypeError(f"‘{word}’? {', '.join(SUBJECTS)}")
    return word


def _count(word: str) -> int:
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError("≥ 1")
    return number


def _interpreter() -> str:
    return f"{platform.python_implementation()} {platform.python_version()}"


def _write_numbers(place: str, lines: dict[str, list[Line]], rounds: int) -> None:
    numbers = {
        "python": _interpreter(),
        "rounds": rounds,
        "subjects": {subject: [line.plain() for line in measured] for subject, measured in lines.items()},
    }
    text = json.dumps(numbers, ensure_ascii=False, indent=2) + "\n"
    if place == "-":
        sys.stdout.write(text)
        return
    with open(place, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    sys.exit(main())
