"""The web of a simulation: servers that are functions, or answers that are known beforehand.

What decides — destinations, redirects, limits — is the real client's code.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Final, NamedTuple

from etamil_actors.ports.background import Keeper
from etamil_actors.ports.web import WebError, WebSettings
from etamil_actors.resources.web.asking import Ask, Target, target_of, wire_headers
from etamil_actors.resources.web.client import RawAnswer, WebClient, refused
from etamil_actors.resources.web.destinations import Destinations, literal_address

SOMEWHERE: Final = "192.0.2.1"
"""The address of a simulated server that was given none: one of those kept for documentation."""

PIECE: Final = 65_536


class Asked(NamedTuple):
    """What a simulated server is asked."""

    method: str
    url: str
    headers: Mapping[str, str]
    """With names in lower case."""
    body: bytes


class Answer(NamedTuple):
    """What a simulated server answers."""

    status: int = 200
    body: bytes | str = b""
    headers: Sequence[tuple[str, str]] = ()


Answering = Answer | WebError | Callable[[Asked], "Answer | Awaitable[Answer]"]

Routes = Mapping[tuple[str, str], Answering]
"""By method, ``*`` for any, and URL; what has no ``?`` in it answers with every query."""


class SimulatedWeb(WebClient):
    """See ``ports.web.Web``. A host of which nothing is known has no address."""

    def __init__(
        self,
        routes: Routes | None = None,
        settings: WebSettings | None = None,
        addresses: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.carrier = SimulatedCarrier(routes or {}, addresses or {})
        super().__init__(settings or WebSettings(), self.carrier)

    def register(self, method: str, url: str, answer: Answering) -> None:
        """Answer so from now on; ``*`` stands for any method."""
        self.carrier.register(method, url, answer)

    def take(self, settings: WebSettings) -> None:
        """Let these settings hold from now on."""
        super().__init__(settings, self.carrier)

    @property
    def asked(self) -> list[Asked]:
        """Every request so far, redirects too."""
        return self.carrier.asked


class SimulatedCarrier:
    """See ``client.Carrier``."""

    def __init__(self, routes: Routes, addresses: Mapping[str, Sequence[str]]) -> None:
        self.asked: list[Asked] = []
        self._routes: dict[tuple[str, Target], Answering] = {}
        self._addresses = addresses
        self._hosts = set(addresses)
        for (method, url), answer in routes.items():
            self.register(method, url, answer)

    def register(self, method: str, url: str, answer: Answering) -> None:
        """Answer so from now on."""
        target = target_of(url)
        self._routes[method, target] = answer
        self._hosts.add(target.host)

    def keep(self, keeper: Keeper) -> None:
        """There is no trouble to tell of."""

    async def close(self) -> None:
        """Nothing is open."""

    @asynccontextmanager
    async def carry(self, ask: Ask, destinations: Destinations) -> AsyncIterator[RawAnswer]:
        """Answer this, if somebody does. Raises: WebError."""
        import trio

        target = ask.target
        self._connect(target.host, target.port, destinations)
        await trio.lowlevel.checkpoint()
        headers = {name.decode().lower(): value.decode() for name, value in wire_headers(ask)}
        asked = Asked(ask.method, target.url, headers, ask.body or b"")
        self.asked.append(asked)
        answer = self._found(ask)
        if callable(answer):
            made = answer(asked)
            answer = made if isinstance(made, Answer) else await made
        if isinstance(answer, WebError):
            raise WebError(answer.tamil, answer.english)
        body = answer.body.encode() if isinstance(answer.body, str) else answer.body
        lines = [(name.encode(), value.encode()) for name, value in answer.headers]
        yield RawAnswer(answer.status, lines, _pieces(body))

    def _connect(self, host: str, port: int, destinations: Destinations) -> None:
        if literal_address(host) is not None:
            addresses = [host]
        elif host in self._hosts:
            addresses = list(self._addresses.get(host, (SOMEWHERE,)))
        else:
            raise WebError(
                f"‘{host}’ என்ற பெயருக்கு முகவரி கிடைக்கவில்லை", f"there is no address for ‘{host}’"
            )
        refusals = [destinations.refuse_address(host, ip_address(one), port) for one in addresses]
        if None not in refusals and refusals[0] is not None:
            raise refused(host, refusals[0])

    def _found(self, ask: Ask) -> Answering:
        target = ask.target
        whole = target._replace(path=target.path.partition("?")[0])
        for place in ((ask.method, target), ("*", target), (ask.method, whole), ("*", whole)):
            if place in self._routes:
                return self._routes[place]
        if any(known.origin == target.origin for _, known in self._routes):
            return Answer(404)
        raise WebError(
            f"‘{target.host}:{target.port}’ இணைப்பை மறுத்தது",
            f"‘{target.host}:{target.port}’ refuses connections",
        )


async def _pieces(body: bytes) -> AsyncGenerator[bytes, None]:
    for start in range(0, len(body), PIECE):
        yield body[start : start + PIECE]
