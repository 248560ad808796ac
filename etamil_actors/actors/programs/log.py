"""The log of a program: its words become events, which whoever writes the log hears (EXTENSIONS §10).

What it costs the activity is a look at its service's level, and for a line that is wanted a copy of its
fields without secrets. The line itself is made by whoever writes it, when it writes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import trio

from etamil_actors.actors.events import Event
from etamil_actors.actors.programs.words import word
from etamil_actors.vm.builtins.json import json_text
from etamil_actors.vm.convert import text_of
from etamil_actors.vm.log_line import LEVELS, RANKS, event_text, line_of, masked
from etamil_actors.vm.values import Value

if TYPE_CHECKING:
    from etamil_actors.actors.programs.activity import Activity


@dataclass(slots=True)
class Logged(Event):
    """A program has logged something. ``actor`` is its place in the tree."""

    service: str
    level: str
    activity: str
    event: str
    """What happened, in the program's words."""
    fields: Value
    """A copy, without secrets; nothing when there are none."""
    request: str
    """The id of the request at hand, or empty."""
    trace: str
    """The trace context, or empty."""

    @property
    def text(self) -> str:
        """The event and its fields, for people."""
        return line_of(self.event, self.fields)

    @property
    def json_fields(self) -> str:
        """The fields as JSON, or nothing."""
        return "" if self.fields is None else json_text(self.fields)


def _log(level: str) -> Callable[..., Any]:
    rank = RANKS[level]

    def log(activity: Activity, event: Value, fields: Value = None) -> None:
        service = activity.service
        if rank < service.least_logged:
            return
        system = service.system
        if not system.events.on_life:
            return
        text = event_text(event if type(event) is str else text_of(event))
        shown = None if fields is None else masked(fields, service.secrets)
        request = activity.request
        id = "" if request is None else request.id
        now = trio.current_time()
        logged = Logged(
            now, activity.path, service.name, level, activity.name, text, shown, id, activity.trace
        )
        system.events.life(logged)

    return log


for _key, _level in LEVELS.items():
    word(_key)(_log(_level))
