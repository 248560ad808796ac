"""The client of the web: redirects, limits and destinations, above whoever carries one request (``Carrier``).

The loop is our own, and so are the rules of redirects, because every step has to be permitted and counted. A
client of the library would besides keep the cookies of every answer, and send those of one user along with
the request of another.

The whole of a request has one deadline, redirects, reading and unpacking included; a body is counted as it
comes and as it is unpacked, so neither what is small on the way and huge afterwards, nor what comes for ever
and says nothing, goes beyond the limit.
"""

from __future__ import annotations

import codecs
import encodings
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from encodings import normalize_encoding
from encodings.aliases import aliases
from functools import cache
from pkgutil import iter_modules
from typing import Final, NamedTuple, Protocol

import trio

from etamil_actors import __version__
from etamil_actors.ports.background import Keeper
from etamil_actors.ports.web import WebAnswer, WebError, WebSettings
from etamil_actors.resources.web.asking import REDIRECTS, Ask, Header, ask_of, next_ask
from etamil_actors.resources.web.destinations import Destinations, Refusal
from etamil_actors.resources.web.unpacking import NotUnpacked, TooMuch, end, layers_of, unpacked

AGENT: Final = f"etamil-actors/{__version__}"


class RawAnswer(NamedTuple):
    """An answer whose body has not been read."""

    status: int
    headers: Sequence[Header]
    body: AsyncGenerator[bytes, None]
    """As it came, perhaps packed, in pieces of bounded size."""


class Carrier(Protocol):
    """Carries one request to one server."""

    def carry(self, ask: Ask, destinations: Destinations) -> AbstractAsyncContextManager[RawAnswer]:
        """Ask this, and connect only to what is permitted. Raises: WebError."""

    def keep(self, keeper: Keeper) -> None:
        """Tell this keeper of trouble."""

    async def close(self) -> None: ...


class WebClient:
    """See ``ports.web.Web``."""

    def __init__(self, settings: WebSettings, carrier: Carrier) -> None:
        """Raises: ValueError, when an entry of ``allow`` or ``deny`` is no place."""
        self.settings = settings
        self._carrier = carrier
        self._destinations = Destinations(settings.allow, settings.deny)

    def keep(self, keeper: Keeper) -> None:
        """Close with this keeper, and tell it of trouble."""
        self._carrier.keep(keeper)
        keeper.at_close(self.close)

    async def close(self) -> None:
        """Close every connection; the next request opens new ones."""
        await self._carrier.close()

    async def request(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Sequence[tuple[str, str]],
        *,
        follows: bool = True,
    ) -> WebAnswer:
        """Ask, and follow redirects, unless the caller wants none. Raises: WebError."""
        ask = ask_of(method, url, body, headers, AGENT)
        with trio.move_on_after(self.settings.seconds):
            return await self._follow(ask, self.settings.redirects if follows else 0)
        raise WebError(
            f"{self.settings.seconds:g} நொடிகளுக்குள் பதில் முடியவில்லை",
            f"there was no whole answer within {self.settings.seconds:g} s",
        )

    async def _follow(self, ask: Ask, redirects: int) -> WebAnswer:
        for step in range(redirects + 1):
            self._permit(ask)
            async with self._carrier.carry(ask, self._destinations) as answer:
                headers = _joined(answer.headers)
                location = headers.get("location")
                if answer.status not in REDIRECTS or not location or not redirects:
                    data = await self._read(answer, headers) if ask.method != "HEAD" else b""
                    return WebAnswer(answer.status, headers, data, charset_of(headers))
                if step == redirects:
                    break
            ask = next_ask(ask, answer.status, location)
        raise WebError(
            f"{redirects}-க்கு மேற்பட்ட வழிமாற்றங்கள்",
            f"there were more than {redirects} redirects",
        )

    def _permit(self, ask: Ask) -> None:
        try:
            refusal = self._destinations.refuse_host(ask.target.host, ask.target.port)
        except ValueError:
            raise WebError("இது ஓர் இணைய முகவரி அல்ல", "this is no URL") from None
        if refusal is not None:
            raise refused(ask.target.host, refusal)

    async def _read(self, answer: RawAnswer, headers: dict[str, str]) -> bytes:
        most = self.settings.body_bytes
        length = headers.get("content-length", "")
        if length.isascii() and length.isdigit() and len(length) < 20 and int(length) > most:
            raise _too_large(most)
        data, size = bytearray(), 0
        try:
            layers = layers_of(headers.get("content-encoding", ""), most)
            # What cannot be packed becomes a little larger by it.
            most_packed = most + (most // 100 + 1024 if layers else 0)
            async with aclosing(answer.body) as body:
                async for packed in body:
                    size += len(packed)
                    if size > most_packed:
                        raise _too_large(most)
                    for piece in unpacked(layers, packed):
                        data += piece
            end(layers)
        except TooMuch:
            raise _too_large(most) from None
        except NotUnpacked:
            raise WebError("பதிலின் உடலுரையைப் பிரிக்க முடியவில்லை", "the body cannot be unpacked") from None
        if layers:
            headers.pop("content-encoding")
            headers.pop("content-length", None)  # it was that of the packed body
        return bytes(data)


def refused(host: str, why: Refusal) -> WebError:
    """Why a host may not be asked, in words that tell no address which only the resolver knows."""
    return WebError(
        f"‘{host}’-ஐ அணுக அனுமதி இல்லை: {why.tamil}", f"‘{host}’ may not be asked: {why.english}"
    )


def _too_large(most: int) -> WebError:
    return WebError(f"பதில் {most} பைட்டுகளை விடப் பெரியது", f"the answer is larger than {most} bytes")


def _joined(lines: Sequence[Header]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in lines:
        key, text = name.decode("latin-1").lower(), _text(value)
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


# ---- charsets ----------------------------------------------------------------------------

_KNOWN: Final = ("ascii", "big5", "cp", "euc", "gb", "hz", "iso", "johab", "koi8", "mac", "shift", "utf-8",
                 "utf-16", "utf-32", "windows")  # fmt: skip


def charset_of(headers: dict[str, str]) -> str:
    """How the text of an answer is written. Python knows codecs that are no charsets, and one that reads
    escapes; what is none of the real ones counts as unsaid."""
    for part in headers.get("content-type", "").split(";")[1:]:
        name, _, value = part.partition("=")
        if name.strip().lower() == "charset":
            return _charset(value.strip().strip("\"'").lower())
    return "utf-8"


def _charset(said: str) -> str:
    # Python remembers for ever which names it has not found, so servers must not make it look for any.
    name = normalize_encoding(said[:40])
    if name not in _modules() and name not in aliases:
        return "utf-8"
    try:
        found = codecs.lookup(name).name
    except LookupError:
        return "utf-8"
    return found if found.startswith(_KNOWN) else "utf-8"


@cache
def _modules() -> frozenset[str]:
    return frozenset(module.name for module in iter_modules(encodings.__path__))
