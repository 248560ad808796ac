"""சரி and தவறு: making results, asking them, opening them."""

from __future__ import annotations

from typing import Final

from etamil_actors.errors import Fault
from etamil_actors.vm.builtins.registry import implements
from etamil_actors.vm.convert import kind_of, text_of
from etamil_actors.vm.values import Err, Ok, Value

_SHOWN: Final = 300
"""So much of a value is shown in a message."""

implements("_ok")(Ok)
implements("_err")(Err)


@implements("_isOk")
def is_ok(value: Value) -> bool:
    """Is it a சரி? What is no result is not."""
    return isinstance(value, Ok)


@implements("_isErr")
def is_err(value: Value) -> bool:
    """Is it a தவறு? What is no result is not."""
    return isinstance(value, Err)


@implements("_unwrap")
def unwrap(result: Value) -> Value:
    """What the சரி holds."""
    if isinstance(result, Ok):
        return result.value
    raise _unexpected(result)


@implements("_unwrapErr")
def unwrap_err(result: Value) -> Value:
    """What the தவறு holds."""
    if isinstance(result, Err):
        return result.value
    raise _unexpected(result)


@implements("_unwrapOr")
def unwrap_or(result: Value, default: Value) -> Value:
    """What the சரி holds, or the default."""
    if isinstance(result, Ok):
        return result.value
    if isinstance(result, Err):
        return default
    raise _unexpected(result)


def _unexpected(value: Value) -> Fault:
    """The fault of opening the wrong kind of result, or no result at all, ready to be raised."""
    if not isinstance(value, Ok | Err):
        return Fault("result.kind", kind=kind_of(value))
    shown = text_of(value)
    if len(shown) > _SHOWN:
        shown = f"{shown[:_SHOWN]}…"
    return Fault("result.unwrap", text=shown, details={"value": value.value})
