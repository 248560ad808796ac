"""Words that need the running service around the program: tasks, channels, agents, requests,
databases, the web, logs …

A machine has none of that. Each such word becomes one effect that carries its English alias and
the program's arguments; whoever drives the machine knows what to do with it, and where there is
no service the answer is the error ``not_here``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from etamil_actors.language.builtins import BUILTINS
from etamil_actors.vm.builtins.registry import MODULE_OF, implements
from etamil_actors.vm.values import Value

if TYPE_CHECKING:
    from etamil_actors.vm.machine import Machine


_NEVER_RAISE = ("_tryQuery", "_tryExecute")
"""They answer a தவறு for arguments of another kind (REFERENCE §18.1), so they take what comes."""

_OFTEN = ("_cacheGet",)
"""They are said so often that they look at their arguments themselves."""


def _asking(key: str) -> Callable[..., Value]:
    def ask(machine: Machine, *arguments: Value) -> Value:
        return machine.service(key, arguments)

    return ask


for _row in BUILTINS:
    if MODULE_OF.get(_row.group) == "services":
        _is_raw = _row.english in _NEVER_RAISE or _row.english in _OFTEN
        implements(_row.english, machine=True, raw=_is_raw)(_asking(_row.english))
