"""An answer that is sent as it is made: chunks for HTTP/1.1, until the connection ends for HTTP/1.0.

The last chunk is sent by the lane and only when the request ended well. So a client can tell the end of a
stream from one that was cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio
from trio.lowlevel import checkpoint

from etamil_actors.actors.programs.exchange import Headers, PeerGoneError
from etamil_actors.edge.fast.answer import CHUNKED, CLOSE, head_of
from etamil_actors.edge.fast.head import Head
from etamil_actors.errors import InternalError

if TYPE_CHECKING:
    from etamil_actors.edge.fast.body import FastExchange
    from etamil_actors.edge.fast.connection import Connection


class Stream:
    """See ``Sink``. Any task may send; each piece goes out whole before the next."""

    __slots__ = ("_connection", "_exchange", "_head", "_is_chunked", "_is_silent", "_turn", "closes",
                 "is_open")  # fmt: skip

    def __init__(self, connection: Connection, exchange: FastExchange, head: Head) -> None:
        self._connection: Connection | None = connection
        self._exchange: FastExchange | None = exchange
        self._head = head
        self._turn = trio.Lock()
        self._is_chunked = head.version != "1.0"
        self._is_silent = head.method == "HEAD"
        self.closes = False
        """Decided when the head is sent."""
        self.is_open = False

    async def open(self, status: int, headers: Headers) -> None:
        """See ``Sink``."""
        connection, exchange = self._here()
        if self.is_open:
            raise InternalError("the head of a stream was sent twice")
        if status in (204, 304):
            self._is_silent = True
        # A body that has not been read may still be wanted, or be endless: nothing can follow it.
        self.closes = not self._is_chunked or not exchange.is_read or connection.ends_with(self._head)
        framing = CHUNKED if self._is_chunked and status not in (204, 304) else b""
        head = head_of(status, headers, framing + CLOSE if self.closes else framing)
        self.is_open = True
        connection.status = status
        async with self._turn:
            await connection.send(head)

    async def send(self, data: bytes) -> None:
        """See ``Sink``."""
        async with self._turn:
            connection, _ = self._here()
            if not self.is_open:
                raise InternalError("a stream sends before its head was sent")
            if data and not self._is_silent:
                await connection.send(b"%x\r\n%b\r\n" % (len(data), data) if self._is_chunked else data)
        # A client that takes everything must not keep all others waiting.
        await checkpoint()

    @property
    def has_no_end(self) -> bool:
        """Could a client not tell a cut stream from a whole one?"""
        return self.is_open and not self._is_chunked

    async def finish(self) -> None:
        """Say that it was all. Raises: PeerGoneError."""
        connection, _ = self._here()
        if self._is_chunked and not self._is_silent:
            await connection.send(b"0\r\n\r\n")

    def end(self) -> None:
        """Nothing more is sent."""
        self._connection = self._exchange = None

    def _here(self) -> tuple[Connection, FastExchange]:
        if self._connection is None or self._exchange is None or self._connection.is_broken:
            raise PeerGoneError("the connection of this stream is over")
        return self._connection, self._exchange
