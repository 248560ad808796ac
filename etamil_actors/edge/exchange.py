"""What a lane does for the request at hand, and what the site gives it to send.

A lane knows framing: how bytes become requests and answers become bytes. What a request is answered, it asks
the site (``site.py``):

```
lane: head ─▶ HttpRequest ─▶ site.begin ─▶ Outgoing                    nothing had to be waited for
                                     └───▶ coroutine ─▶ Outgoing, or None when a sink has sent everything
```

The site reads the body through the exchange, when it has found who wants it, so both lanes have the same
limits. Whatever happens, a lane calls ``site.done`` once for each request that it began.
"""

from __future__ import annotations

from typing import Protocol

from etamil_actors.actors.programs.exchange import Headers, Sink
from etamil_actors.errors import EtamilError


class BodyError(EtamilError):
    """The body of a request cannot be read to its end; the connection is of no more use."""

    def __init__(self, status: int, tamil: str, english: str) -> None:
        super().__init__(english)
        self.status = status
        """What the client is told, if it still listens: 400 broken, 408 too slow, 413 too large."""
        self.tamil = tamil
        self.english = english


class CutShortError(EtamilError):
    """An answer that has begun cannot be finished. The lane cuts the connection: so the client notices."""


class Exchange(Protocol):
    """One request on its connection, as the site uses it."""

    @property
    def has_body(self) -> bool:
        """Does a body come (or has it)? False: ``read`` need not be asked."""
        ...

    @property
    def length(self) -> int | None:
        """The announced length of the body; None for a chunked one."""
        ...

    def whole(self) -> bytes | None:
        """All of the body, if all of it has come already and none of it was read; else nothing, and it is
        there for ``read``."""
        ...

    async def read(self) -> bytes:
        """The next piece of the body, at most some 64 KiB; empty at its end. Tells the client to go on, if it
        waits for that.

        Raises: BodyError; PeerGoneError, the client left in the middle of it.
        """
        ...

    def sink(self) -> Sink:
        """For answers that are sent as they are made."""
        ...

    async def wait_gone(self) -> None:
        """Wait until the client has left. May be cancelled; takes nothing of what the client sends."""
        ...


class FileBody:
    """A piece of a file, as the body of an answer. Opened already, so that it exists; closed by the lane."""

    __slots__ = ("_file", "length", "start")

    def __init__(self, file: object, start: int, length: int) -> None:
        self._file = file
        self.start = start
        self.length = length

    async def read(self, at: int, size: int) -> bytes:
        """So many bytes from there, in a thread."""
        raise NotImplementedError

    def close(self) -> None:
        """It is not read any more. May be said twice."""
        raise NotImplementedError


class Outgoing:
    """An answer ready to be framed. A lane adds only what framing needs: length, chunks, connection, date."""

    __slots__ = ("body", "closes", "headers", "length", "status")

    def __init__(
        self, status: int, headers: Headers, body: bytes | FileBody, *, closes: bool = False
    ) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        """Empty for HEAD, 204 and 304."""
        self.length: int | None = len(body) if isinstance(body, bytes) else body.length
        """What Content-Length says; None: it says nothing (204, 304). For HEAD that of the GET answer."""
        self.closes = closes
        """The connection must not be used for another request."""
