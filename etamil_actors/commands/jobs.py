"""``etamil-actors jobs``: the jobs of a running process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from etamil_actors.commands.asking import tell_list

if TYPE_CHECKING:
    from etamil_actors.cli import Given

NOTHING: Final = ("பணிகள் எதுவும் இல்லை", "there are no jobs")
HEADS: Final = (
    "பணி (job)", "சேவை (service)", "எப்போது (when)", "நிலை (state)", "மறுதொடக்கம் (restarts)", "இடம் (at)",
)  # fmt: skip


def main(given: Given) -> int:
    """List them."""
    return tell_list(given, "jobs", NOTHING, HEADS, _row, right=(4,))


def _row(job: dict[str, Any]) -> tuple[str, ...]:
    return job["name"], job["service"], job["when"], job["state"], str(job["restarts"]), job["at"] or ""
