"""Words that mean the request at hand, where there is none: in tasks, jobs, agents and at the top level."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NoReturn

from etamil_actors.actors.programs.words import tamil_of, word
from etamil_actors.errors import Fault
from etamil_actors.vm.values import Value

if TYPE_CHECKING:
    from etamil_actors.actors.programs.activity import Activity

STATEMENTS: Final = {"respond": "பதில்", "respond_json": "ஜேசான்_உரை"}

OF_REQUESTS: Final = (
    *STATEMENTS,
    "_request",
    "_session",
    "_setSession",
    "_endSession",
    "_setCookie",
    "_stream",
    "_live",
    "_wsReceive",
    "_wsSend",
    "_firstParameter",
    "_respondFile",
    "_saveUpload",
)


def _refuse(key: str) -> Callable[..., Any]:
    def refuse(activity: Activity, *arguments: Value) -> NoReturn:
        raise Fault("no_request", name=STATEMENTS.get(key) or tamil_of(key))

    return refuse


for _key in OF_REQUESTS:
    word(_key)(_refuse(_key))
