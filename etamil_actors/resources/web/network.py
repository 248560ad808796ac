"""Carries requests over real connections: httpcore2's pool, over sockets of our own.

The pool would resolve names itself. So it is given a network whose ``connect_tcp`` resolves a name once, asks
whether each address is permitted, and connects to one of those: what was checked is what is connected to. The
name stays the name, in ``Host`` and in TLS.

A connection that the server has closed while it was idle is noticed by the pool, unless the server closes it
in that very moment. Then a request that may be sent twice is sent again, once, and others fail.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

import httpcore2
import trio

from etamil_actors.ports.web import WebError, WebSettings
from etamil_actors.resources.web.asking import Ask, wire_headers
from etamil_actors.resources.web.client import RawAnswer, refused
from etamil_actors.resources.web.destinations import Address, Destinations, literal_address
from etamil_actors.resources.web.gates import Gates
from etamil_actors.resources.web.tls import Tls

if TYPE_CHECKING:
    import ssl

    from etamil_actors.ports.background import Keeper

RESOLVERS: Final = 8
"""Names that are looked up at once: each takes a thread, and a slow resolver keeps it for long."""

MOST_ADDRESSES: Final = 16
STAGGER_SECONDS: Final = 0.25
"""So long one address is tried before the next is tried beside it (RFC 8305)."""

CLOSE_SECONDS: Final = 1.0
"""How long the goodbye of TLS may take; a peer that does not read must hold up nobody."""

AGAIN: Final = frozenset(("GET", "HEAD", "OPTIONS", "PUT", "DELETE"))
"""Methods that mean the same when they come twice."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class Threads:
    """Looks names up as the system does, in threads of a limited number."""

    def __init__(self) -> None:
        self._limiter = trio.CapacityLimiter(RESOLVERS)

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """The addresses of a name, the system's favourite first. Raises: OSError."""
        found = await trio.to_thread.run_sync(
            lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM),
            abandon_on_cancel=True,
            limiter=self._limiter,
        )
        return [str(entry[4][0]) for entry in found]


class Network(httpcore2.AsyncNetworkBackend):
    """Connects to permitted addresses only."""

    def __init__(self, settings: WebSettings, destinations: Destinations, resolve: Resolve) -> None:
        self._seconds = settings.connect_seconds
        self._destinations = destinations
        self._resolve = resolve

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  as httpcore2 calls it; unused
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect within the time of the settings; the handshake of TLS is part of it. Raises: WebError."""
        deadline = trio.current_time() + self._seconds
        with trio.CancelScope(deadline=deadline):
            addresses = await self._permitted(host, port)
            return Stream(await connect_any(addresses, host, port), host, deadline)
        raise _slow(host, self._seconds)

    async def _permitted(self, host: str, port: int) -> list[str]:
        literal = literal_address(host)
        if literal is not None:
            addresses: list[Address] = [literal]
        else:
            try:
                found = await self._resolve(host, port)
            except (OSError, UnicodeError):
                found = ()
            addresses = [ip_address(text) for text in dict.fromkeys(found)]
            if not addresses:
                raise WebError(
                    f"‘{host}’ என்ற பெயருக்கு முகவரி கிடைக்கவில்லை", f"there is no address for ‘{host}’"
                )
        permitted, refusal = [], None
        for address in addresses:
            why = self._destinations.refuse_address("" if literal else host, address, port)
            if why is None:
                permitted.append(str(address))
            refusal = refusal or why
        if not permitted:
            assert refusal is not None
            raise refused(host, refusal)
        return _families_in_turn(permitted)[:MOST_ADDRESSES]


def _families_in_turn(addresses: Sequence[str]) -> list[str]:
    """The first stays the first; then the other family has its turn, so a broken one delays little."""
    first = [one for one in addresses if (":" in one) == (":" in addresses[0])]
    other = [one for one in addresses if (":" in one) != (":" in addresses[0])]
    mixed = []
    for place in range(max(len(first), len(other))):
        mixed += first[place : place + 1] + other[place : place + 1]
    return mixed


async def connect_any(addresses: Sequence[str], host: str, port: int) -> trio.SocketStream:
    """Connect to the first of these that answers; the next is tried when one fails or takes its time.

    Raises:
        WebError: none does.
    """
    winner: trio.SocketStream | None = None
    trouble: list[OSError] = []

    async def try_one(address: str, failed: trio.Event) -> None:
        nonlocal winner
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            sock = trio.socket.socket(family, socket.SOCK_STREAM)
        except OSError as problem:  # a machine without this family
            trouble.append(problem)
            failed.set()
            return
        try:
            await sock.connect((address, port))
        except OSError as problem:
            sock.close()
            trouble.append(problem)
            failed.set()
        except BaseException:
            sock.close()
            raise
        else:
            if winner is None:
                winner = trio.SocketStream(sock)
                nursery.cancel_scope.cancel("another address has answered")
            else:
                sock.close()

    try:
        async with trio.open_nursery() as nursery:
            for address in addresses:
                failed = trio.Event()
                nursery.start_soon(try_one, address, failed)
                with trio.move_on_after(STAGGER_SECONDS):
                    await failed.wait()
    except BaseException:
        if winner is not None:
            winner.socket.close()
        raise
    if winner is not None:
        return winner
    if any(isinstance(problem, ConnectionRefusedError) for problem in trouble):
        raise WebError(f"‘{host}:{port}’ இணைப்பை மறுத்தது", f"‘{host}:{port}’ refuses connections")
    raise WebError(f"‘{host}:{port}’-ஐ அடைய முடியவில்லை", f"‘{host}:{port}’ cannot be reached")


def _slow(host: str, seconds: float) -> WebError:
    return WebError(
        f"‘{host}’ {seconds:g} நொடிகளுக்குள் இணையவில்லை",
        f"‘{host}’ could not be connected to within {seconds:g} s",
    )


class Stream(httpcore2.AsyncNetworkStream):
    """A socket as httpcore2 wants it; deadlines are the client's."""

    def __init__(self, stream: trio.abc.Stream, host: str, deadline: float) -> None:
        self._stream = stream
        self._host = host
        self._deadline = deadline
        """Until when it has to be connected."""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        """Some bytes; none when the peer has said goodbye."""
        try:
            return bytes(await self._stream.receive_some(max_bytes))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as problem:
            raise httpcore2.ReadError(str(problem)) from problem

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """All of these bytes."""
        try:
            await self._stream.send_all(buffer)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as problem:
            raise httpcore2.WriteError(str(problem)) from problem

    async def aclose(self) -> None:
        """Close it; the goodbye of TLS is tried for a moment."""
        with trio.CancelScope(shield=True, deadline=trio.current_time() + CLOSE_SECONDS):
            await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore2.AsyncNetworkStream:
        """Shake hands. Raises: WebError."""
        secured = trio.SSLStream(
            self._stream, ssl_context, server_hostname=server_hostname, https_compatible=True
        )
        try:
            with trio.CancelScope(deadline=self._deadline):
                await secured.do_handshake()
                return Stream(secured, self._host, self._deadline)
        except BaseException as problem:
            await trio.aclose_forcefully(self._stream)
            if isinstance(problem, trio.BrokenResourceError):
                raise _no_tls(self._host, problem) from problem
            raise
        await trio.aclose_forcefully(self._stream)
        raise WebError(
            f"‘{self._host}’: TLS கைகுலுக்கல் முடியவில்லை", f"‘{self._host}’: TLS was not set up in time"
        )

    def get_extra_info(self, info: str) -> Any:
        """What httpcore2 asks of a connection."""
        stream = self._stream
        if info == "ssl_object":
            # The stream hands on every attribute of the object that does the work.
            return stream if isinstance(stream, trio.SSLStream) else None
        while isinstance(stream, trio.SSLStream):
            stream = stream.transport_stream
        assert isinstance(stream, trio.SocketStream)
        if info == "is_readable":
            return stream.socket.is_readable()
        return stream.socket if info == "socket" else None


def _no_tls(host: str, problem: BaseException) -> WebError:
    import ssl

    cause = problem.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        why = cause.verify_message or "certificate verify failed"
        return WebError(
            f"‘{host}’-இன் சான்றிதழை நம்ப முடியவில்லை: {why}", f"the certificate of ‘{host}’ is not trusted: {why}"
        )
    told = f": {cause.reason}" if isinstance(cause, ssl.SSLError) and cause.reason else ""
    return WebError(f"‘{host}’: TLS இணைப்பு தோல்வி{told}", f"‘{host}’: TLS failed{told}")


# ---- the pool ------------------------------------------------------------------------------


class PooledCarrier:
    """See ``client.Carrier``. Nothing is opened, and no certificate is read, before the first request."""

    def __init__(
        self, settings: WebSettings, environment: Callable[[str], str | None], resolve: Resolve | None = None
    ) -> None:
        self._settings = settings
        self._tls = Tls(environment)
        self._resolve = resolve
        self._opening: trio.Lock | None = None
        self._pool: httpcore2.AsyncConnectionPool | None = None
        self._gates = Gates(settings.per_host)

    @property
    def connections(self) -> int:
        """How many are open now."""
        return len(self._pool.connections) if self._pool is not None else 0

    def keep(self, keeper: Keeper) -> None:
        """Tell this keeper of certificates that cannot be used."""
        self._tls.tell = keeper.tell

    async def close(self) -> None:
        """Close every connection."""
        pool, self._pool, self._opening = self._pool, None, None
        if pool is not None:
            await pool.aclose()

    async def _opened(self, destinations: Destinations) -> httpcore2.AsyncConnectionPool:
        if self._pool is None:
            self._opening = self._opening or trio.Lock()
            async with self._opening:
                if self._pool is None:
                    context = await self._tls.context()
                    resolve = self._resolve or Threads().resolve
                    settings = self._settings
                    self._pool = httpcore2.AsyncConnectionPool(
                        ssl_context=context,
                        max_connections=settings.connections,
                        keepalive_expiry=settings.keep_alive_seconds,
                        network_backend=Network(settings, destinations, resolve),
                    )
        return self._pool

    @asynccontextmanager
    async def carry(self, ask: Ask, destinations: Destinations) -> AsyncIterator[RawAnswer]:
        """Ask this over a connection of the pool. Raises: WebError."""
        pool = await self._opened(destinations)
        target = ask.target
        async with self._gates.passed(target.origin):
            try:
                response = await self._sent(pool, ask)
                try:
                    yield RawAnswer(response.status, response.headers, _body(response))
                finally:
                    await response.aclose()
            except httpcore2.NetworkError as problem:
                raise WebError(
                    f"‘{target.host}’ இணைப்பைத் துண்டித்தது", f"‘{target.host}’ has cut the connection"
                ) from problem
            except httpcore2.LocalProtocolError as problem:
                raise WebError("கோரிக்கையை அனுப்ப முடியாது", "the request cannot be sent so") from problem
            except httpcore2.ProtocolError as problem:
                raise WebError(
                    f"‘{target.host}’ அனுப்பியது HTTP பதில் அல்ல, அல்லது முடியவில்லை",
                    f"what ‘{target.host}’ has sent is no HTTP answer, or not a whole one",
                ) from problem

    async def _sent(self, pool: httpcore2.AsyncConnectionPool, ask: Ask) -> httpcore2.Response:
        first = _Watched()
        try:
            return await pool.handle_async_request(_request(ask, first))
        except (httpcore2.RemoteProtocolError, httpcore2.ReadError):
            if first.is_new or ask.method not in AGAIN:
                raise
        # An idle connection was closed while the request was on its way.
        return await pool.handle_async_request(_request(ask, _Watched()))


class _Watched:
    """Sees whether a request has got a connection of its own."""

    def __init__(self) -> None:
        self.is_new = False

    async def note(self, name: str, info: object) -> None:
        """Called by httpcore2 with what it does."""
        if name == "connection.connect_tcp.started":
            self.is_new = True


def _request(ask: Ask, watched: _Watched) -> httpcore2.Request:
    target = ask.target
    url = httpcore2.URL(
        scheme=target.scheme.encode(),
        host=target.host.encode(),
        port=target.port,
        target=target.path.encode(),
    )
    return httpcore2.Request(
        ask.method.encode(),
        url,
        headers=wire_headers(ask),
        content=ask.body or b"",
        extensions={"trace": watched.note},
    )


async def _body(response: httpcore2.Response) -> AsyncGenerator[bytes, None]:
    async with aclosing(response.aiter_stream()) as pieces:
        async for piece in pieces:
            yield piece
