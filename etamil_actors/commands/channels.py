"""``etamil-actors channels``: the channels of a running process, and what waits in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from etamil_actors.commands.asking import tell_list

if TYPE_CHECKING:
    from etamil_actors.cli import Given

NOTHING: Final = ("சேனல்கள் எதுவும் இல்லை", "there are no channels")
HEADS: Final = (
    "சேனல் (channel)", "வகை (kind)", "ஊடகம் (transport)", "காத்திருப்பு (waiting)", "கொள்ளளவு (capacity)",
    "இறந்தவை (dead)",
)  # fmt: skip


def main(given: Given) -> int:
    """List them."""
    return tell_list(given, "channels", NOTHING, HEADS, _row, right=(3, 4, 5))


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    name = one["name"] + ("  ✗" if one["closed"] else "")
    numbers = (str(one["waiting"]), str(one["capacity"]), str(one["dead"]))
    return name, one["kind"], one["transport"], *numbers
