"""The log of a program: its words become events, which whoever writes the log hears (EXTENSIONS §10)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import trio

from etamil_actors.actors.events import Event
from etamil_actors.actors.programs.words import word
from etamil_actors.vm.convert import text_of
from etamil_actors.vm.log_line import LEVELS, log_line
from etamil_actors.vm.values import Value

if TYPE_CHECKING:
    from etamil_actors.actors.programs.activity import Activity


@dataclass(slots=True)
class Logged(Event):
    """A program has logged something. ``actor`` is its service's place; secrets are hidden already."""

    level: str
    activity: str
    text: str


def _log(level: str) -> Callable[..., Any]:
    def log(activity: Activity, event: Value, fields: Value = None) -> None:
        service = activity.service
        text = log_line(text_of(event), fields)
        service.system.tell(Logged(trio.current_time(), service.path, level, activity.name, text))

    return log


for _key, _level in LEVELS.items():
    word(_key)(_log(_level))
