"""One request on its connection, as the site uses it: its body, a stream for the answer, the client's end.

Bodies are framed here and not by a parser, so what has been taken from the connection is known to the byte:
the next request is never read ahead, an upload that nobody reads stays with its sender (TCP pushes back), and
a connection can be handed over in the middle. Reads that have to wait carry their own deadline, since a
site may read from any task; a request whose body came along with its head makes none.

Only the time spent waiting for the client counts against ``body_seconds``: a site that is busy with the
pieces it has got does not make its client slow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio
from trio.lowlevel import checkpoint, wait_readable

from etamil_actors.actors.programs.exchange import PeerGoneError
from etamil_actors.edge.exchange import BodyError
from etamil_actors.edge.fast.answer import CONTINUE
from etamil_actors.edge.fast.chunked import ChunkError, Chunks
from etamil_actors.edge.fast.head import Head
from etamil_actors.edge.fast.stream import Stream

if TYPE_CHECKING:
    from etamil_actors.edge.fast.connection import Connection

PIECE: Final = 64 * 1024
"""What is read or sent at a time."""
GONE_SECONDS: Final = 0.5
"""How often a client that has sent more than was read is asked whether it is still there."""


class FastExchange:
    """See ``Exchange``."""

    __slots__ = ("_chunks", "_connection", "_expects", "_head", "_left", "_received", "_waited", "length",
                 "stream")  # fmt: skip

    length: int | None

    def __init__(self, connection: Connection, head: Head) -> None:
        self._connection: Connection | None = connection
        self._head = head
        self._left = self.length = head.length
        self._chunks: Chunks | None = None
        self.stream: Stream | None = None
        if head.length or head.is_chunked:
            self._expects = head.expects
            self._received = 0
            self._waited = 0.0
            if head.is_chunked:
                self.length = None
                self._chunks = Chunks(connection.settings.header_bytes)

    @property
    def has_body(self) -> bool:
        """See ``Exchange``."""
        return self.length != 0

    @property
    def is_read(self) -> bool:
        """Has the whole body been taken from the connection?"""
        return self._left == 0 if self._chunks is None else self._chunks.is_over

    def whole(self) -> bytes | None:
        """See ``Exchange``."""
        connection = self._connection
        if self._chunks is not None or connection is None or self._left != self.length:
            return None
        return self._take() if len(connection.buffer) >= self._left else None

    async def read(self) -> bytes:
        """See ``Exchange``."""
        self._here()
        while not self.is_read:
            if piece := self._take():
                return piece
            if not self.is_read:
                await self._receive()
        return b""

    def skip(self) -> bool:
        """Take the rest of the body, if it is here already and little. Was that all of it?"""
        skipped = 0
        try:
            while not self.is_read and skipped <= PIECE:
                skipped += len(self._take())
                if not self.is_read and not self._receive_nowait():
                    return False
        except (BodyError, PeerGoneError):
            return False
        return self.is_read

    def end(self) -> None:
        """The request is over; whoever still holds it reads nothing of the next one."""
        self._connection = None
        if self.stream is not None:
            self.stream.end()
            self.stream = None

    def _take(self) -> bytes:
        """What is here of the body. Raises: BodyError."""
        connection = self._here()
        data = connection.buffer
        if self._chunks is None:
            piece, connection.buffer = data[: self._left], data[self._left :]
            self._left -= len(piece)
            return piece
        try:
            piece, connection.buffer = self._chunks.take(data)
        except ChunkError as problem:
            connection.is_broken = True
            raise BodyError(400, problem.tamil, problem.english) from None
        return piece

    def _here(self) -> Connection:
        if self._connection is None or self._connection.is_broken:
            raise PeerGoneError("the connection of this request is over")
        return self._connection

    async def _receive(self) -> None:
        """Wait for more of the body. Raises: BodyError, PeerGoneError."""
        connection = self._here()
        if self._expects:
            self._expects = False
            await connection.send(CONTINUE)
        if self._received > PIECE:
            await checkpoint()  # whoever sends fast must not keep all others waiting
        while not self._receive_nowait():
            await self._wait(connection)

    def _receive_nowait(self) -> bool:
        """Is there more? Then it is in the connection's buffer. Raises: PeerGoneError."""
        connection = self._here()
        try:
            data = connection.socket.recv(min(self._left, PIECE) if self._chunks is None else PIECE)
        except BlockingIOError:
            return False
        except OSError as problem:
            raise PeerGoneError("the client left while its body was read") from problem
        if not data:
            raise PeerGoneError("the client left while its body was read")
        self._received += len(data)
        connection.buffer += data
        return True

    async def _wait(self, connection: Connection) -> None:
        settings = connection.settings
        since = trio.current_time()
        allowed = settings.body_seconds + self._received / settings.body_rate
        with trio.move_on_at(since + allowed - self._waited) as scope:
            try:
                await wait_readable(connection.socket)
            except (trio.ClosedResourceError, ValueError, OSError) as problem:
                raise PeerGoneError("the connection of this request is over") from problem
        self._waited += trio.current_time() - since
        if scope.cancelled_caught:
            connection.is_broken = True
            raise BodyError(
                408,
                f"உடலுரை மிக மெதுவாக வந்தது; {allowed:g} நொடிகளில் அது முடிந்திருக்க வேண்டும்",
                f"the body came too slowly; it should have ended within {allowed:g} seconds",
            )

    def sink(self) -> Stream:
        """See ``Exchange``."""
        if self.stream is None:
            self.stream = Stream(self._here(), self, self._head)
        return self.stream

    async def wait_gone(self) -> None:
        """See ``Exchange``. A client that closed only its own side counts as gone for those who ask."""
        while self._connection is not None:
            is_quiet = self._connection.look()
            if is_quiet is None:
                return
            if not is_quiet:
                # What it sent next lies in front of its goodbye, and waiting would return at once.
                await trio.sleep(GONE_SECONDS)
                continue
            try:
                await wait_readable(self._connection.socket)
            except (trio.ClosedResourceError, ValueError, OSError):
                return
