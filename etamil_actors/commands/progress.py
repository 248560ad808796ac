"""How far a command is, for somebody at a terminal who waits for it."""

from __future__ import annotations

import sys
from typing import Final

WIDTH: Final = 24
_ERASED: Final = "\r\x1b[K"


class Bar:
    """A line that is drawn over itself, and is gone in the end. There is none but on a terminal."""

    def __init__(self, total: int, *, is_wanted: bool = True) -> None:
        self._total = total
        self._done = 0
        self._is_seen = is_wanted and total > 1 and sys.stdout.isatty() and sys.stderr.isatty()
        self._draw()

    def step(self) -> None:
        """One more is done."""
        self._done += 1
        self._draw()

    def clear(self) -> None:
        """Make room for a line of text; the next step draws it again."""
        if self._is_seen:
            sys.stderr.write(_ERASED)
            sys.stderr.flush()

    def _draw(self) -> None:
        if not self._is_seen:
            return
        full = WIDTH * self._done // self._total
        told = f"· {self._done}/{self._total} {'█' * full}{'░' * (WIDTH - full)}"
        sys.stderr.write(_ERASED + (told if self._done < self._total else ""))
        sys.stderr.flush()
