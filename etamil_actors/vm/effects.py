"""What a machine may want from the world.

A builtin that has to wait makes one of these and hands it to ``machine.perform``; whoever
drives the machine answers. An effect is a small value that says *what* is wanted and nothing
about how: the same program runs on a script's plain calls, on trio, and in a simulation.

Trouble with a file, a folder or a program is raised by the performer as ``OSError``; the
builtin turns it into words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from etamil_actors.language.program import PATH_PREFIX as PATH_PREFIX

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing takes longer to import than all of this
    from typing import Any


class Effect:
    """Something that a machine asks for."""

    __slots__: tuple[str, ...] = ()

    def __repr__(self) -> str:
        parts = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"{type(self).__name__}({parts})"


class ReadFile(Effect):
    """All bytes of a file; one longer than ``limit`` is an ``OSError`` with ``EFBIG``."""

    __slots__ = ("limit", "path")

    def __init__(self, path: str, limit: int | None = None) -> None:
        self.path = path
        self.limit = limit


class WriteFile(Effect):
    """Replace a file by these bytes, or append them; answers how many were written."""

    __slots__ = ("append", "data", "path")

    def __init__(self, path: str, data: bytes, append: bool = False) -> None:
        self.path = path
        self.data = data
        self.append = append


class FileExists(Effect):
    """Is there anything at this path? Answers a boolean and never fails."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path


class FileInfo(Effect):
    """Answers three things: is it a folder, its size in bytes, when it was last changed
    (whole seconds since 1970, or ``None``)."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path


class ListFolder(Effect):
    """The names in a folder, in any order, as a list of texts."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path


class RunProgram(Effect):
    """Run another program. Answers its exit status, its output and its errors as bytes.

    ``TimeoutError`` when it had to be killed after ``seconds``; ``OSError`` with ``EFBIG`` when
    it wrote more than ``limit`` bytes; any other ``OSError`` when it cannot start.
    """

    __slots__ = ("arguments", "limit", "program", "seconds")

    def __init__(self, program: str, arguments: Sequence[str], seconds: float, limit: int) -> None:
        self.program = program
        self.arguments = arguments
        self.seconds = seconds
        self.limit = limit


class ReadLine(Effect):
    """The next line of standard input; "" at its end."""

    __slots__ = ()


class InThread(Effect):
    """Call a slow pure function where it delays nobody, and answer what it answers."""

    __slots__ = ("arguments", "function")

    def __init__(self, function: Callable[..., Any], arguments: Sequence[Any] = ()) -> None:
        self.function = function
        self.arguments = arguments


class Sleep(Effect):
    """Wait so many seconds; answers nothing."""

    __slots__ = ("seconds",)

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


class Service(Effect):
    """A word that needs the running service: its English alias and the program's arguments.

    A performer that has no service raises ``Fault("not_here")``.
    """

    __slots__ = ("arguments", "key")

    def __init__(self, key: str, arguments: Sequence[Any]) -> None:
        self.key = key
        self.arguments = arguments


OF_REQUESTS = {
    "respond": "பதில்",
    "respond_json": "ஜேசான்_உரை",
    "_request": "_request",
    "_session": "_session",
    "_setSession": "_setSession",
    "_endSession": "_endSession",
    "_setCookie": "_setCookie",
    "_stream": "_stream",
    "_live": "_live",
    "_wsReceive": "_wsReceive",
    "_wsSend": "_wsSend",
    "_firstParameter": "_firstParameter",
    "_respondFile": "_respondFile",
    "_respondPackage": "_respondPackage",
    "_saveUpload": "_saveUpload",
}
"""Words that mean the request at hand, and their names. Where there is none they raise ``no_request``."""
