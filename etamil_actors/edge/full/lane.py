"""The full lane: everything that is not plain HTTP/1.1 — WebSocket, HTTP/2, TLS — on Hypercorn's protocols.

The listener of the fast lane accepts, counts and limits connections; here they are served:

```
FullLane.serve_connection ─▶ GuardedConnection ─┬─ GuardedH11 ─┬─ HttpStream ──────▶ LaneApplication ─▶ site
  (socket, bytes already read)                  └─ GuardedH2  ─┴─ WebSocketStream ─▶
```

Importing this module imports Hypercorn, which takes a third of a second: it is imported when the first
connection needs it, or at the start where TLS is configured.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import Final

import trio

from etamil_actors.edge.full.asgi import LaneApplication
from etamil_actors.edge.full.context import LaneContext, SiteOfLane, config_of
from etamil_actors.edge.full.foundations import check_foundations
from etamil_actors.edge.full.guarded import GuardedConnection, LaneProtocol
from etamil_actors.edge.full.h1 import GuardedH11
from etamil_actors.edge.full.h2 import GuardedH2
from etamil_actors.edge.settings import HttpSettings, Tls
from etamil_actors.errors import Fault

check_foundations()

PROTOCOLS: Final[dict[str, Callable[..., LaneProtocol]]] = {"http/1.1": GuardedH11, "h2": GuardedH2}
"""By their names in TLS."""


class FullLane:
    """See the top of the file."""

    def __init__(self, site: SiteOfLane, tls: ssl.SSLContext | None = None) -> None:
        """``tls``: what has been read of the certificate already."""
        self._site = site
        self._application = LaneApplication(site)
        self._config = config_of(site.settings)
        self._context = LaneContext(site)
        self._tls = tls
        self._connections: set[GuardedConnection] = set()
        self._has_changed = trio.Event()

    async def prepare(self) -> None:
        """Read the certificate, if there is one. Raises: Fault ``config``, when it cannot be used."""
        tls = self._site.settings.tls
        if tls is not None and self._tls is None:
            self._tls = await trio.to_thread.run_sync(open_certificate, tls, self._site.settings)

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._connections)

    async def serve_connection(
        self,
        connection: socket.socket | trio.SocketStream,
        already_read: bytes,
        peer: str,
        *,
        tls: bool = False,
    ) -> None:
        """Serve a connection to its end, beginning with what was read of it. The socket is ours from here on.

        Raises nothing but cancellation. With ``tls``, ``prepare`` has been called.
        """
        if isinstance(connection, trio.SocketStream):
            stream = connection
        else:
            stream = trio.SocketStream(trio.socket.from_stdlib_socket(connection))
        if tls and self._tls is None:
            await self.prepare()
        guarded = GuardedConnection(
            self._application,
            self._config,
            self._context,
            stream,
            peer,
            PROTOCOLS,
            front=already_read,
            tls=self._tls if tls else None,
        )
        self._connections.add(guarded)
        if self._site.is_draining:
            self.goodbye()  # the first that needs this lane may come after all others were told
        try:
            await guarded.run()
        finally:
            self._connections.discard(guarded)
            self._has_changed.set()
            self._has_changed = trio.Event()

    # The end.

    def goodbye(self) -> None:
        """Take no more requests: WebSockets get a farewell, connections end when they are answered.

        What was on its way is answered too, so a silent connection ends a moment later.
        """
        self._context.leave()
        for connection in self._connections:
            connection.hurry()

    async def drained(self) -> None:
        """Wait until no connection is left."""
        while self._connections:
            await self._has_changed.wait()

    def cut(self) -> int:
        """End what is left, now; how many connections that were."""
        left = list(self._connections)
        for connection in left:
            connection.cut()
        return len(left)


def open_certificate(tls: Tls, settings: HttpSettings) -> ssl.SSLContext:
    """What TLS is spoken with. Raises: Fault ``config``, when the files cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    # HTTP/2 forbids the older ciphers of TLS 1.2 (RFC 9113 §9.2.2).
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
    context.set_alpn_protocols(["http/1.1"] if settings.http2 == "off" else ["h2", "http/1.1"])
    try:
        context.load_cert_chain(tls.certificate, tls.key, password=_no_password)
    except (OSError, ValueError) as problem:
        raise Fault(
            "config",
            problem_ta=f"http.tls: சான்றிதழையோ திறவுகோலையோ பயன்படுத்த முடியவில்லை "
            f"({tls.certificate}, {tls.key}): {problem}",
            problem_en=f"http.tls: the certificate or its key cannot be used "
            f"({tls.certificate}, {tls.key}): {problem}",
        ) from problem
    return context


def _no_password() -> str:
    # Without this OpenSSL asks at the terminal, and a service would wait there for ever.
    raise ValueError("the key is encrypted; a service needs one without a password")
