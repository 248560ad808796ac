"""``etamil-actors dead``: messages and one-time jobs of a running process that nobody will handle."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from etamil_actors.commands import Usage, complain, remark
from etamil_actors.commands.asking import (
    Process,
    RefusedError,
    age,
    answer_of,
    lost,
    print_json,
    table,
    the_one,
)

if TYPE_CHECKING:
    from etamil_actors.cli import Given

LIST, ALL = "list", "all"
DEALS: Final = {"requeue": ("மீண்டும் அனுப்பப்பட்டது", "sent again"), "drop": ("நீக்கப்பட்டது", "thrown away")}


def main(given: Given) -> int:
    """List them, or send some again, or throw them away."""
    what = given.words[0] if given.words else LIST
    if what not in (LIST, *DEALS):
        raise Usage(
            f"‘{what}’: list, requeue அல்லது drop வேண்டும்", f"‘{what}’: list, requeue or drop is wanted"
        )
    if what in DEALS and len(given.words) < 2:
        raise Usage(
            f"{what}: எது என்று சொல்லவும், எ.கா. memory:7, அல்லது {ALL}",
            f"{what}: say which, as memory:7, or {ALL}",
        )
    process = the_one(given.texts.get("of", ())[-1:])
    if process is None:
        return 1
    if what == LIST:
        return _list(process, as_json=bool(given.options["json"]))
    try:
        return _deal(process, what, given.words[1:])
    except (OSError, RefusedError) as trouble:
        return lost(process, trouble)


def _list(process: Process, *, as_json: bool) -> int:
    answer = answer_of(process, ask="dead")
    if answer is None:
        return 1
    letters: list[dict[str, Any]] = answer["letters"]
    if as_json:
        print_json(letters)
        return 0
    if not letters:
        remark("இறந்த மடல்கள் எதுவும் இல்லை", "there are no dead letters")
        return 0
    heads = ("எண் (id)", "எங்கே (where)", "முன்பு (ago)", "முயற்சிகள் (tries)", "காரணம் (why)", "மதிப்பு (value)")
    rows = [
        (
            one["id"],
            one.get("channel") or f"பணி {one['job']}",
            age(one["ago"]),
            str(one["tries"]),
            _why(one),
            one.get("value", ""),
        )
        for one in letters
    ]
    sys.stdout.write("\n".join(table(heads, rows, right=(2, 3))) + "\n")
    if answer["more"]:
        sys.stdout.write(f"… இன்னும் {answer['more']}  ({answer['more']} more)\n")
    return 0


def _why(one: dict[str, Any]) -> str:
    said = one["tamil"] if one["tamil"] == one["english"] else f"{one['tamil']} ({one['english']})"
    return f"{said} [{one['code']}]"


def _every_one(process: Process) -> Iterator[str]:
    """Those that are there now, however many; not those that become one while we deal with them."""
    left = None
    while left != 0:
        answer = process.ask(ask="dead")
        ids = [letter["id"] for letter in answer["letters"]]
        if not ids:
            return
        left = len(ids) + answer["more"] if left is None else left
        yield from ids[:left]
        left -= len(ids[:left])


def _deal(process: Process, what: str, ids: Sequence[str]) -> int:
    status = 0
    for id in _every_one(process) if ALL in ids else ids:
        try:
            done = process.ask(ask="dead", do=what, id=id)["done"]
        except RefusedError as refused:
            complain(f"{id}: {refused.tamil}", f"{id}: {refused.english}")
            status = 1
            continue
        if done:
            tamil, english = DEALS[what]
            remark(f"{id}: {tamil}", f"{id}: {english}")
        else:
            complain(f"‘{id}’ என்று எதுவும் இல்லை", f"there is no ‘{id}’")
            status = 1
    return status
