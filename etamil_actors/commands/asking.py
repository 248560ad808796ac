"""What commands that look at running processes share: finding one, asking it, tables of answers."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from etamil_actors.commands import Usage, complain, remark

if TYPE_CHECKING:
    from etamil_actors.cli import Given

ASK_SECONDS: Final = 5.0
MOST_BYTES: Final = 64 * 1024 * 1024
DEFAULT: Final = "config.yaml"
JOINERS: Final = "\u200c\u200d"
"""Signs without a width of their own that belong to words."""

TWO = tuple[str, str]


class Process(NamedTuple):
    """A process that answers."""

    socket: str
    facts: dict[str, Any]

    def ask(self, **question: Any) -> dict[str, Any]:
        """Raises: OSError, it has gone; RefusedError."""
        return ask(self.socket, question)

    @property
    def name(self) -> str:
        """What people call it."""
        return f"{self.facts['title']} ({self.facts['pid']})"


class RefusedError(Exception):
    """The process says that it cannot be done."""

    def __init__(self, told: dict[str, str]) -> None:
        super().__init__(told["english"])
        self.tamil = told["tamil"]
        self.english = told["english"]


def ask(path: str, question: dict[str, Any]) -> dict[str, Any]:
    """One question to the process at this socket.

    Raises:
        OSError: nobody answers.
        RefusedError: it cannot be done.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(ASK_SECONDS)
        line.connect(path)
        line.sendall(json.dumps(question).encode() + b"\n")
        data = bytearray()
        while not data.endswith(b"\n") and len(data) < MOST_BYTES:
            more = line.recv(65536)
            if not more:
                break
            data += more
    try:
        answer: dict[str, Any] = json.loads(data)
    except ValueError:
        raise OSError("it ended in the middle of its answer") from None
    if "error" in answer:
        raise RefusedError(answer["error"])
    return answer


def processes() -> list[Process]:
    """Every process of this user that answers, oldest first. Sockets that nobody answers at are removed."""
    from etamil_actors.observe.sockets import folder

    found: list[Process] = []
    for place in sorted(folder().glob("*.sock")):
        try:
            found.append(Process(str(place), ask(str(place), {"ask": "process"})))
        except ConnectionRefusedError:
            place.unlink(missing_ok=True)
        except OSError:
            continue  # it is about to end, or so busy that it cannot say anything
    return sorted(found, key=lambda one: -one.facts["seconds"])


def wanted(words: Sequence[str]) -> list[Process] | None:
    """The processes that a command line means: all, or those of a configuration, program or number. None:
    there are none, which has been told."""
    running = _processes()
    if running is None:
        return None
    if not words:
        if not running:
            _nobody()
        return running or None
    word = words[0]
    if word.isdigit():
        chosen = [one for one in running if one.facts["pid"] == int(word)]
    else:
        real = os.path.realpath(word)
        chosen = [one for one in running if one.facts["config"] == real]
    if chosen:
        return chosen
    complain(f"‘{word}’ இப்போது ஓடவில்லை", f"‘{word}’ is not running")
    return None


def the_one(words: Sequence[str]) -> Process | None:
    """The one process that is meant. None: there is none, which has been told.

    Raises:
        Usage: there are several.
    """
    found = wanted(words)
    if found is None:
        return None
    if len(found) > 1:
        names = ", ".join(one.name for one in found)
        raise Usage(
            f"பல செயல்முறைகள் ஓடுகின்றன: {names}; எது என்று எண்ணால் (pid) சொல்லவும்",
            f"several processes are running: {names}; say which one, by its number",
        )
    return found[0]


def _processes() -> list[Process] | None:
    try:
        return processes()
    except OSError as trouble:
        complain(
            f"ஓடும் செயல்முறைகளைத் தேட முடியவில்லை: {trouble.filename}: {trouble.strerror}",
            f"cannot look for running processes: {trouble.filename}: {trouble.strerror}",
        )
        return None


def _nobody() -> None:
    complain(
        "எதுவும் ஓடவில்லை; தொடங்க: etamil-actors up config.yaml",
        "nothing is running; start with: etamil-actors up config.yaml",
    )


def lost(process: Process, trouble: OSError | RefusedError) -> int:
    """Say that a process has gone in the middle, or does not want to answer; the exit status."""
    if isinstance(trouble, RefusedError):
        complain(f"{process.name}: {trouble.tamil}", f"{process.name}: {trouble.english}")
        return 1
    complain(f"{process.name}: பதில் இல்லை: {trouble}", f"{process.name}: no answer: {trouble}")
    return 1


def answer_of(process: Process, **question: Any) -> dict[str, Any] | None:
    """What a process answers. None: it has gone or does not want to, which has been told."""
    try:
        return process.ask(**question)
    except (OSError, RefusedError) as trouble:
        lost(process, trouble)
        return None


# ---- answers for people ---------------------------------------------------------------


def print_json(value: Any) -> None:
    """For other programs."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def tell_list(
    given: Given,
    what: str,
    nothing: TWO,
    heads: Sequence[str],
    row_of: Callable[[dict[str, Any]], Sequence[str]],
    right: Sequence[int],
) -> int:
    """What a process has of this, as a table or as JSON; the exit status. Raises: Usage."""
    process = the_one(given.words)
    if process is None:
        return 1
    answer = answer_of(process, ask=what)
    if answer is None:
        return 1
    found = answer[what]
    if given.options["json"]:
        print_json(found)
    elif not found:
        remark(*nothing)
    else:
        sys.stdout.write("\n".join(table(heads, [row_of(one) for one in found], right)) + "\n")
    return 0


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> Iterator[str]:
    """Lines of a table; the columns in ``right`` stand to the right."""
    cells = [list(heads), *[[one_line(text) for text in row] for row in rows]]
    widths = [max(cell_width(row[place]) for row in cells) for place in range(len(heads))]
    for row in cells:
        line = "  ".join(_padded(text, widths[place], place in right) for place, text in enumerate(row))
        yield line.rstrip()


def _padded(text: str, width: int, to_right: bool) -> str:
    space = " " * (width - cell_width(text))
    return space + text if to_right else text + space


def one_line(text: str) -> str:
    """Names and messages come from programs and their clients: in them nothing moves the cursor of a
    terminal, or changes its colours."""
    if text.isprintable():
        return text
    return "".join(map(_shown, text))


def _shown(letter: str) -> str:
    if letter == "\n":
        return " ⏎ "
    return letter if letter.isprintable() or letter in JOINERS else repr(letter)[1:-1]


def cell_width(text: str) -> int:
    """So many columns of a terminal it takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def age(seconds: float) -> str:
    """A length of time, in short: ``5 s``, ``3 min``, ``2 h``, ``4 d``."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def bytes_of(count: float) -> str:
    """An amount of memory, in short."""
    return f"{count / 1024 / 1024:.0f} MiB"
