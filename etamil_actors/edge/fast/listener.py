"""Where connections come in: accepting, counting, watching the clock for all of them, and ending them.

One task accepts for each socket, one task looks at all connections four times a second (and sleeps while
there are none), and each connection is one task. A connection above a limit gets its answer (503) on the side
and for a short time; accepting never waits for anyone.

The end has three steps, and the caller decides when: ``stop_accepting`` takes what the kernel has already
taken for us, and closes the doors; ``drained`` waits until nobody is being served — a connection that is only
kept alive is closed once it has been silent for a moment, so that a request that was already on its way is
answered and not reset; ``cut`` ends the rest.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import trio
from trio.lowlevel import checkpoint, wait_readable

from etamil_actors.edge.client_address import UNIX, TrustedProxies
from etamil_actors.edge.fast.answer import CLOSE, head_of
from etamil_actors.edge.fast.connection import (
    AWAY,
    BUSY,
    FRESH,
    GOODBYE_SECONDS,
    HEAD,
    IDLE,
    Connection,
    linger,
)
from etamil_actors.edge.rates import client_of
from etamil_actors.edge.settings import PER_ADDRESS

if TYPE_CHECKING:
    from etamil_actors.edge.site import Site

HandOver = Callable[[socket.socket, bytes, str], Awaitable[None]]
"""Serves a connection to its end: the socket, what was read of it, the peer's address."""

SWEEP_SECONDS: Final = 0.25
SILENT_SECONDS: Final = 0.5
"""So long after the doors closed an idle connection may still bring a request that was on its way."""
LATE_HEAD_SECONDS: Final = 2.0
"""So long after the doors closed a head that has begun may take."""
ACCEPTS: Final = 64
"""So many connections are accepted before others have a turn."""
REFUSALS: Final = 64
"""So many refused connections are seen off at a time; any more are closed at once."""
SHORTAGE_SECONDS: Final = 0.1

_SHORTAGES: Final = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
_CLOSED: Final = frozenset((errno.EBADF, errno.EINVAL, errno.ENOTSOCK))


class Listener:
    """Serves a site on listening sockets. It owns the sockets from now on."""

    def __init__(
        self,
        site: Site,
        sockets: Iterable[socket.socket],
        hand_over: HandOver | None = None,
        *,
        hands_over_all: bool = False,
    ) -> None:
        """``hand_over`` takes connections that need more than HTTP/1.1; with ``hands_over_all`` every one, as
        it comes: they speak TLS.
        """
        self.site = site
        self.look_again()
        self.hand_over = hand_over
        self.hands_over_all = hands_over_all
        self.accepted = 0
        """Connections, since the start."""
        self.refused = 0
        """Connections that were one too many, since the start."""
        self._sockets = list(sockets)
        self._open: dict[Connection, None] = {}
        self._of_address: dict[str, int] = {}
        self._refusing = 0
        self._nursery: trio.Nursery | None = None
        self._came = trio.Event()
        self._left = trio.Event()
        self._has_stopped = False
        self._draining_since: float | None = None
        for sock in self._sockets:
            sock.setblocking(False)

    def look_again(self) -> None:
        """The site has other settings; they hold for connections that come from now on."""
        self.settings = self.site.settings
        self._trusts = TrustedProxies(self.settings.trusted_proxies).trusts

    @property
    def connections(self) -> int:
        """How many are open now, those that were handed over included."""
        return len(self._open)

    async def serve(self) -> None:
        """Accept and serve until cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                for sock in self._sockets:
                    nursery.start_soon(self._accept_from, sock)
                await self._watch()
        finally:
            self._nursery = None
            self._close_doors()

    # The end.

    def stop_accepting(self) -> None:
        """Take the connections that the kernel has accepted for us, and close the doors."""
        if self._has_stopped:
            return
        self._has_stopped = True
        self._draining_since = trio.current_time()
        if self._nursery is not None:
            for sock in self._sockets:
                self._accept_rest(sock)
        self._close_doors()

    async def drained(self) -> None:
        """Wait until no request is in flight and nobody is about to send one.

        Connections that were handed over are not waited for.
        """
        while any(connection.state != AWAY for connection in self._open):
            await self._left.wait()

    def cut(self) -> int:
        """End what is left. How many connections were in the middle of something?"""
        busy = sum(connection.state in (BUSY, AWAY) for connection in self._open)
        for connection in self._open:
            connection.cut()
        return busy

    def _close_doors(self) -> None:
        for sock in self._sockets:
            if sock.fileno() >= 0:
                if self._nursery is not None:
                    trio.lowlevel.notify_closing(sock)
                sock.close()

    # Accepting.

    async def _accept_from(self, sock: socket.socket) -> None:
        while sock.fileno() >= 0:
            try:
                await wait_readable(sock)
                if self._accept_some(sock):
                    await checkpoint()
            except trio.ClosedResourceError:
                return
            except OSError as problem:
                self.site.failed(problem, None)
                await trio.sleep(SHORTAGE_SECONDS)

    def _accept_some(self, sock: socket.socket) -> bool:
        """Is there more? Raises: OSError, there is a shortage of files or memory."""
        for _ in range(ACCEPTS):
            try:
                accepted, address = sock.accept()
            except BlockingIOError:
                return False
            except OSError as problem:
                if problem.errno in _SHORTAGES:
                    raise
                if problem.errno in _CLOSED:
                    return False
                continue  # the client changed its mind, or its network did
            self._begin(accepted, peer_of(sock.family, address))
        return True

    def _accept_rest(self, sock: socket.socket) -> None:
        try:
            while self._accept_some(sock):
                pass
        except OSError as problem:
            self.site.failed(problem, None)

    def _begin(self, sock: socket.socket, peer: str) -> None:
        assert self._nursery is not None
        self.accepted += 1
        sock.setblocking(False)
        if peer != UNIX:
            with suppress(OSError):  # some systems refuse it for a connection that has ended already
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = client_of(peer)  # whoever has one IPv6 address has its network
        count = self._of_address.get(client, 0)
        if len(self._open) >= self.settings.connections or count >= self._allowed(peer):
            self._refuse(sock, peer)
            return
        self._of_address[client] = count + 1
        connection = Connection(self, sock, peer)
        self._open[connection] = None
        self._came.set()
        self._nursery.start_soon(connection.run)

    def _allowed(self, peer: str) -> float:
        if peer == UNIX:
            return float("inf")
        if self.settings.connections_per_address:
            return self.settings.connections_per_address
        return float("inf") if is_loopback(peer) or self._trusts(peer) else PER_ADDRESS

    def forget(self, connection: Connection) -> None:
        """It has ended."""
        del self._open[connection]
        client = client_of(connection.peer)
        count = self._of_address[client] - 1
        if count:
            self._of_address[client] = count
        else:
            del self._of_address[client]
        self.tell()

    def tell(self) -> None:
        """One less has to be waited for."""
        if self._draining_since is not None:
            self._left.set()
            self._left = trio.Event()

    # Too many.

    def _refuse(self, sock: socket.socket, peer: str) -> None:
        assert self._nursery is not None
        self.refused += 1
        if self.hands_over_all:  # a client that speaks TLS could not read an answer in the clear
            self.site.done(None, 503, 0, is_cut=True, peer=peer)
            sock.close()
        elif self._refusing < REFUSALS:
            self._refusing += 1
            self._nursery.start_soon(self._see_off, sock, peer)
        else:
            sock.close()

    async def _see_off(self, sock: socket.socket, peer: str) -> None:
        try:
            with trio.move_on_after(GOODBYE_SECONDS):
                if self._say_too_many(sock, peer):
                    await linger(sock)
        except Exception as problem:  # noqa: BLE001  as for a connection that is served
            self.site.failed(problem, None)
        finally:
            trio.lowlevel.notify_closing(sock)
            sock.close()
            self._refusing -= 1

    def _say_too_many(self, sock: socket.socket, peer: str) -> bool:
        """Was it sent whole? A new connection has room for it."""
        outgoing = self.site.refuse(
            503,
            "இணைப்புகள் மிக அதிகம்; சற்று நேரம் கழித்து மீண்டும் முயலுங்கள்",
            "there are too many connections; please try again in a moment",
        )
        assert isinstance(outgoing.body, bytes)
        headers = outgoing.headers
        if not any(name == b"retry-after" for name, _ in headers):
            headers = [*headers, (b"retry-after", b"1")]
        framing = b"content-length: %d\r\n%b" % (len(outgoing.body), CLOSE)
        data = head_of(outgoing.status, headers, framing) + outgoing.body
        try:
            sent = sock.send(data)
        except OSError:
            sent = 0
        self.site.done(None, outgoing.status, sent, is_cut=sent < len(data), peer=peer)
        return sent == len(data)

    # Time.

    async def _watch(self) -> None:
        while True:
            if not self._open:
                self._came = trio.Event()
                await self._came.wait()
            await trio.sleep(SWEEP_SECONDS)
            self._sweep(trio.current_time())

    def _sweep(self, now: float) -> None:
        if self.site.is_draining and self._draining_since is None:
            self._draining_since = now
        for connection in self._open:
            if connection.deadline < now:
                if connection.deadline == FRESH:
                    connection.deadline = now + self.settings.keep_alive_seconds
                else:
                    connection.expire()
        if self._draining_since is not None:
            self._sweep_out(now - self._draining_since)

    def _sweep_out(self, drained_for: float) -> None:
        for connection in self._open:
            if connection.state == IDLE and drained_for >= SILENT_SECONDS:
                connection.expire()
            elif connection.state == HEAD and drained_for >= LATE_HEAD_SECONDS:
                connection.expire()


def peer_of(family: int, address: object) -> str:
    """The address of a peer as text; an IPv4 one that came through an IPv6 socket in its usual form."""
    if family == socket.AF_UNIX or not isinstance(address, tuple):
        return UNIX
    return str(address[0]).removeprefix("::ffff:")


def is_loopback(peer: str) -> bool:
    """Is it this machine?"""
    return peer.startswith("127.") or peer == "::1"
