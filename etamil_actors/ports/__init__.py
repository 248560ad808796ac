"""The wall of ports: everything that a program can want from the outside world.

Each port is a protocol with two forms that pass one contract test: the real one, and a
simulated one in which nothing depends on the machine it runs on. The ports here belong to
scripts as well as to services, so their calls are plain and may block; the actors' floor moves
them to threads. Their forms are in ``resources/system.py``.

Trouble is an ``OSError``, as Python has it, never anything else: a path with a null
character, say, is one too.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing takes longer to import than all of this
    from typing import NamedTuple, Protocol
else:
    from etamil_actors.rows import NamedTuple

    Protocol = object


class FileDetails(NamedTuple):
    """What is known of a file or folder without opening it."""

    folder: bool
    size: int
    changed: int | None
    """Whole seconds since 1970, if known."""


class ProgramResult(NamedTuple):
    """How another program ended: status −1 when a signal killed it."""

    status: int
    output: bytes
    errors: bytes


class Clock(Protocol):
    """What time it is."""

    def wall(self) -> Decimal:
        """Seconds since 1970-01-01 UTC."""

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back. For measuring."""

    def sleep(self, seconds: float) -> None:
        """Let so much time go by."""


class Random(Protocol):
    """What nobody can foresee, unless it is simulated."""

    def bytes(self, count: int) -> bytes:
        """So many unpredictable bytes, good enough for keys."""


class Files(Protocol):
    """Files and folders. Paths are texts; relative ones start at the working directory."""

    def read(self, path: str, limit: int | None = None) -> bytes:
        """All bytes of a file; ``OSError`` with ``EFBIG`` when there are more than ``limit``."""

    def write(self, path: str, data: bytes, append: bool = False) -> int:
        """Replace a file by these bytes, or append them; makes the file, never a folder."""

    def exists(self, path: str) -> bool:
        """Is there anything at this path?"""

    def details(self, path: str) -> FileDetails:
        """What is known of the file or folder at this path."""

    def names(self, path: str) -> list[str]:
        """The names in a folder, in any order."""


class Console(Protocol):
    """Standard input, output and error."""

    def write(self, text: str) -> None:
        """Put a text on standard output, perhaps only in its buffer."""

    def write_error(self, text: str) -> None:
        """Put a text on standard error, now, after what was written before."""

    def read_line(self) -> str:
        """The next line of standard input with its line feed; "" at the end."""

    def flush(self) -> None:
        """Let everything that was written be seen."""


class Environment(Protocol):
    """Environment variables."""

    def get(self, name: str) -> str | None:
        """The value of a variable, or nothing."""


class Programs(Protocol):
    """Other programs of the machine. Whether one may be run is decided before."""

    def run(self, program: str, arguments: Sequence[str], seconds: float, limit: int) -> ProgramResult:
        """Run a program without a shell, its standard input empty, and wait for its end.

        Raises:
            TimeoutError: it had to be killed after ``seconds``.
            OSError: it cannot start, or (``EFBIG``) wrote more than ``limit`` bytes.
        """
