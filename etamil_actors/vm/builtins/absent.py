"""Words of eTamil 2.0 that this runtime does not provide: MongoDB, AMQP brokers, keys in a
device (PKCS#11) and signed XML.

Programs that only mention them load and run; the call itself raises ``not_provided``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from etamil_actors.errors import Fault
from etamil_actors.language.builtins import BUILTINS
from etamil_actors.vm.builtins.registry import implements
from etamil_actors.vm.values import Value

GROUPS = frozenset({"mongo", "broker", "devices", "xml"})


def _refusing(name: str) -> Callable[..., NoReturn]:
    def refuse(*_: Value) -> NoReturn:
        raise Fault("not_provided", name=name)

    return refuse


for _row in BUILTINS:
    if _row.group in GROUPS:
        implements(_row.english, raw=True)(_refusing(_row.tamil))
