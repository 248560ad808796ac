"""Does a function of a program only compute?

Compiled code is a closure, and whatever reaches beyond the function has a name of its own among its free
variables: ``service``, ``read_file``, ``B_random`` … (``language/compiler/generator.py``). So the answer is
read off the code, in this function and in those that it calls by name. Functions that it is given, or finds
in a variable, cannot be seen here; whoever runs it must leave these no world either.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType

from etamil_actors.language.builtins import BUILTIN_OF
from etamil_actors.vm.adoption import holds_functions
from etamil_actors.vm.values import BuiltinFunction, Function

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing takes longer to import than all of this
    from typing import Any, Final

_PURE_GROUPS: Final = frozenset(
    ("collections", "results", "numbers", "text", "json", "everyday", "errors", "dates")
)
_IMPURE: Final = frozenset(("_random", "_uuid", "_today", "_now", "_nowSeconds"))
_FILE: Final = "கோப்பு / a file"
_AGENT: Final = "முகவர் / an agent"
_BEYOND: Final = {
    "service": "சேவையின் சொல் / a word of the service",
    "open_block": "தொகுதியுள்ள சொல் / a word with a block",
    "choose": "தேர்வு",
    "start_agent": _AGENT,
    "agent_value": _AGENT,
    "declare": "அறிவிப்பு / a declaration",
    "body_value": "வேலை / a job",
    "read_input": "உள்ளிடு",
    "open_file": _FILE,
    "close_file": _FILE,
    "read_file": _FILE,
    "count_rows": _FILE,
    "append_line": _FILE,
    "call_method": "முறை அழைப்பு / a method call",
}
"""Names in compiled code that reach beyond the function."""


def why_not_pure(function: Function | BuiltinFunction) -> str | None:
    """What this function touches that SQL may not: its Tamil word, or ‘Tamil / English’; nothing when it only
    computes."""
    if isinstance(function, BuiltinFunction):
        return _why_not_builtin(BUILTIN_OF[function.name].english)
    if any(holds_functions(value) for value in function.captured):
        return "பிடித்து வைத்த செயல் / a captured function"
    return next(_reasons(function.call), None)


def _reasons(call: Any) -> Iterator[str]:
    """Everything of that kind that the code reaches, in this function and in those that it calls."""
    todo, seen = [call], set()
    while todo:
        made = todo.pop()
        code = getattr(made, "__code__", None)
        if code is None or code in seen:
            continue
        seen.add(code)
        cells = dict(zip(code.co_freevars, made.__closure__ or (), strict=True))
        for name in code.co_freevars:
            if name in _BEYOND:
                yield _BEYOND[name]
            elif name.startswith("B_"):
                reason = _why_not_builtin(name[1:])
                if reason is not None:
                    yield reason
            elif name[:2] in ("f_", "i_", "l_"):
                todo.append(cells[name].cell_contents)
            elif name == "builtin_value":
                yield from _of_values(code)


def _of_values(code: CodeType) -> Iterator[str]:
    """Builtins that the code uses as values; their names are among its constants."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _of_values(constant)
        elif isinstance(constant, str) and constant.startswith("_") and constant in BUILTIN_OF:
            reason = _why_not_builtin(constant)
            if reason is not None:
                yield reason


def _why_not_builtin(key: str) -> str | None:
    builtin = BUILTIN_OF[key]
    is_pure = builtin.group in _PURE_GROUPS and key not in _IMPURE
    return None if is_pure else builtin.tamil
