"""Words that mean the request at hand, where there is none: in tasks, jobs, agents and at the top level."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from etamil_actors.actors.programs.words import tamil_of, word
from etamil_actors.errors import Fault
from etamil_actors.vm.effects import OF_REQUESTS
from etamil_actors.vm.values import Value

if TYPE_CHECKING:
    from etamil_actors.actors.programs.activity import Activity


def _refuse(name: str) -> Callable[..., Any]:
    def refuse(activity: Activity, *arguments: Value) -> NoReturn:
        raise Fault("no_request", name=tamil_of(name))

    return refuse


for _key, _name in OF_REQUESTS.items():
    word(_key)(_refuse(_name))
