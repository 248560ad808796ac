"""``etamil-actors ps``: what runs now, and the tree of one process."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from etamil_actors.commands.asking import (
    Process,
    age,
    answer_of,
    bytes_of,
    one_line,
    print_json,
    table,
    wanted,
)

if TYPE_CHECKING:
    from etamil_actors.cli import Given


def main(given: Given) -> int:
    """Tell of all processes, or of the one that is meant and its tree."""
    found = wanted(given.words)
    if found is None:
        return 1
    if not given.words and len(found) > 1:
        return _tell_all(found, as_json=bool(given.options["json"]))
    for process in found:
        answer = answer_of(process, ask="tree")
        if answer is None:
            return 1
        if given.options["json"]:
            print_json(answer)
        else:
            sys.stdout.write("\n".join([*head(answer), *tree(answer)]) + "\n")
    return 0


def _tell_all(found: list[Process], *, as_json: bool) -> int:
    if as_json:
        print_json([one.facts for one in found])
        return 0
    heads = ("PID", "பெயர் (name)", "நேரம் (age)", "நினைவகம் (memory)", "சேவைகள் (services)", "முகவரி (address)")
    rows = [
        (
            str(facts["pid"]),
            facts["title"],
            age(facts["seconds"]),
            bytes_of(facts["memory"]),
            ", ".join(facts["services"]),
            ", ".join(facts["urls"]),
        )
        for facts in (one.facts for one in found)
    ]
    sys.stdout.write("\n".join(table(heads, rows, right=(0, 2, 3))) + "\n")
    return 0


def head(facts: dict[str, Any]) -> list[str]:
    """The line above a tree."""
    numbers = facts["numbers"]
    told = [
        f"{facts['title']}  pid {facts['pid']}  {age(facts['seconds'])}  {bytes_of(facts['memory'])}",
        "  ".join(f"{name} {count:g}" for name, count in numbers.items()),
        "  ".join(facts["urls"]),
    ]
    if facts["leaving"]:
        told.append("நிறுத்தப்படுகிறது  (stopping)")
    return [line for line in told if line]


def tree(answer: dict[str, Any]) -> list[str]:
    """The lines of a tree: every actor below its parent."""
    children: dict[str, list[dict[str, Any]]] = {}
    for actor in answer["actors"]:
        children.setdefault(actor["path"].rpartition("/")[0], []).append(actor)
    lines: list[str] = []

    def draw(path: str, lead: str) -> None:
        below = children.get(path, [])
        for actor in below:
            is_last = actor is below[-1]
            lines.append(f"{lead}{'└─ ' if is_last else '├─ '}{_told(actor)}")
            draw(actor["path"], lead + ("   " if is_last else "│  "))

    draw("", "")
    if answer["more"]:
        lines.append(f"… இன்னும் {answer['more']}  ({answer['more']} more)")
    return lines


def _told(actor: dict[str, Any]) -> str:
    parts = [one_line(actor["path"].rpartition("/")[2])]
    if actor["kind"] not in ("supervisor", "actor"):
        parts.append(actor["kind"])
    if actor["state"] != "running":
        parts.append(actor["state"].upper())
    for key, words in (
        ("restarts", "restarts"), ("handled", "handled"), ("failed", "failed"), ("running", "at work"),
        ("waiting", "waiting"),
    ):  # fmt: skip
        if actor.get(key):
            parts.append(f"{words} {actor[key]}")
    if "oldest" in actor:
        parts.append(f"oldest {age(actor['oldest'])}")
    return "  ".join(parts)
