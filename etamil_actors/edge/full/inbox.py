"""What a client has sent for one request, and nobody has taken yet.

It stands between a protocol, which reads the connection, and the application:

```
protocol ── put, end ──▶ Inbox ──▶ take (our application), receive (ASGI)
          ── leave  ───▶   └ gone, is_deaf
```

Three rules keep one request from holding the others or its own connection:

- to tell that the client has left never waits for room;
- when the application has ended, the inbox is closed: what is in it is dropped, whoever waits for room goes
  on, and whatever comes later is dropped too;
- pieces are joined, so a client that sends single bytes fills no memory with the boxes around them.

On HTTP/1.1 the protocol waits for room, and so TCP holds the client back. On HTTP/2 it must not wait, since
the connection serves others; there the client may send only as much as its window says, and the window
grows by what was taken (``taken``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import trio

PIECE: Final = 64 * 1024
"""So many bytes are handed on at once, at most."""

Acknowledge = Callable[[int], None]
Flush = Callable[[], Awaitable[None]]


class Inbox:
    """See the top of the file."""

    def __init__(self, taken: Acknowledge | None = None, flush: Flush | None = None) -> None:
        self.gone = trio.Event()
        """The client has left, or at least sends nothing any more."""
        self.is_deaf = False
        """Nothing reaches the client any more."""
        self.is_cut = False
        """It was so before the answer was complete."""
        self.is_broken = False
        """What comes is no HTTP; the body has no end."""
        self.has_ended = False
        """All of it has come."""
        self.on_wanted: Flush | None = None
        """Tells a client that waits for it to send the body."""
        self._data = bytearray()
        self._is_closed = False
        self._told_end = False
        self._taken = taken
        self._flush = flush
        self._changed = trio.Event()

    def _change(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    # The protocol's side.

    async def put(self, data: bytes) -> None:
        """Add a piece; where no window bounds the client, wait while there is no room."""
        if self._is_closed or self.is_broken or self.is_deaf:
            self._drop(len(data))
            return
        self._data += data
        self._change()
        while self._taken is None and len(self._data) >= PIECE:
            await self._changed.wait()

    def end(self) -> None:
        """All has come."""
        self.has_ended = True
        self._change()

    def hang_up(self) -> None:
        """The client sends nothing any more; it may still read."""
        self.gone.set()
        self._change()

    def leave(self) -> None:
        """The client has left. What came completely may still be taken."""
        self.is_deaf = True
        if not self.has_ended:
            self._clear()
        self.hang_up()

    def break_off(self) -> None:
        """What came last is no HTTP."""
        self.is_broken = True
        self._clear()
        self._change()

    # The application's side.

    async def take(self) -> bytes:
        """The next piece; empty when there is none, and why: ``has_ended``, ``is_broken``, ``gone``."""
        if not self._data and not self._is_over and self.on_wanted is not None:
            tell, self.on_wanted = self.on_wanted, None
            await tell()
        while not self._data:
            if self._is_over:
                return b""
            await self._changed.wait()
        piece = bytes(self._data[:PIECE])
        del self._data[:PIECE]
        self._change()
        if self._taken is not None:
            self._taken(len(piece))
            if self._flush is not None:
                await self._flush()
        return piece

    @property
    def _is_over(self) -> bool:
        return self.has_ended or self.is_broken or self.gone.is_set() or self._is_closed

    async def receive(self) -> Any:
        """The next message as ASGI has them."""
        if not self._told_end:
            piece = await self.take()
            if piece:
                return {"type": "http.request", "body": piece, "more_body": True}
            self._told_end = True
            if self.has_ended:
                return {"type": "http.request", "body": b"", "more_body": False}
        if not self.is_broken:
            await self.gone.wait()
        return {"type": "http.disconnect"}

    def close(self) -> None:
        """The application has ended and takes nothing more."""
        self._is_closed = True
        self._clear()
        self._change()

    def _clear(self) -> None:
        dropped = len(self._data)
        self._data.clear()
        self._drop(dropped)

    def _drop(self, size: int) -> None:
        if size and self._taken is not None:
            self._taken(size)
