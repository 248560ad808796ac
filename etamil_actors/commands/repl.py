"""``etamil-actors repl``: the shell at a terminal, with history and completion.

Read from a pipe it answers the same without prompts, so a conversation can be a test.
"""

from __future__ import annotations

import contextlib
import os
import sys

from etamil_actors.repl import Reply, Shell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from etamil_actors.cli import Given

MAX_HISTORY_LINES = 2_000

# Where a word ends for the Tab key. Letters of no script are listed, so all scripts complete.
_WORD_ENDS = " \t\n\"\\'`@$><=;|&{}()[],.+-*/?!%"


def main(given: Given) -> int:
    """Talk until the user leaves or the input ends."""
    from etamil_actors.session import Session
    from etamil_actors.vm.convert import text_of

    shell = Shell(Session(), text_of)
    if not sys.stdin.isatty():
        _converse(shell, prompts=False)
        return shell.status
    from etamil_actors.cli import version_line

    sys.stdout.write(f"{version_line()} · :help · :quit\n")
    with _line_editing(shell):
        _converse(shell, prompts=True)
    return shell.status


def _converse(shell: Shell, *, prompts: bool) -> None:
    while not shell.ended:
        try:
            _show(shell.feed(_next_line(shell.prompt if prompts else "")))
        except EOFError:
            _show(shell.finish())
            if prompts:
                sys.stdout.write("\n")
        except KeyboardInterrupt:  # while typing it gives up the input, while running the run
            if not prompts:
                raise
            shell.abandon()
            sys.stdout.write("\n")


def _next_line(prompt: str) -> str:
    if prompt:
        return input(prompt)
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.rstrip("\n")


def _show(reply: Reply) -> None:
    sys.stdout.write(reply.output)
    sys.stdout.flush()
    sys.stderr.write(reply.errors)
    sys.stderr.flush()


@contextlib.contextmanager
def _line_editing(shell: Shell) -> Iterator[None]:
    try:
        import readline
    except ImportError:  # a Python without it talks all the same
        yield
        return
    path = history_path()
    with contextlib.suppress(OSError):
        readline.read_history_file(path)
    readline.set_history_length(MAX_HISTORY_LINES)
    readline.set_completer_delims(_WORD_ENDS)
    readline.set_completer(completer(shell))
    readline.parse_and_bind("tab: complete")
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            readline.write_history_file(path)


def completer(shell: Shell) -> Callable[[str, int], str | None]:
    """What readline asks for: the n-th word that a prefix could become, then None."""
    found: list[str] = []

    def complete(prefix: str, position: int) -> str | None:
        if position == 0:
            found[:] = shell.completions(prefix)
        return found[position] if position < len(found) else None

    return complete


def history_path() -> str:
    """The file that keeps what was typed, in the place the desktop standard names for it."""
    home = os.environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(home):
        home = os.path.expanduser("~/.local/state")
    return os.path.join(home, "etamil-actors", "history")
