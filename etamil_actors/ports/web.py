"""The port of the web: requests to other servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from etamil_actors.ports.background import Keeper


class WebError(Exception):
    """There was no answer; the texts say why, and hold no secret of the address."""

    def __init__(self, tamil: str, english: str) -> None:
        super().__init__(english)
        self.tamil = tamil
        self.english = english


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """Where programs may go, and how long it may take."""

    allow: tuple[str, ...] = ()
    """Hosts (``api.example``, ``*.example``) and networks. When something stands here, nothing else is
    allowed; a network here also opens what is denied by default."""
    deny: tuple[str, ...] = ()
    """Hosts and networks that are not asked, whatever is allowed."""
    connect_seconds: float = 10.0
    seconds: float = 30.0
    """The whole request, redirects included."""
    redirects: int = 5
    body_bytes: int = 10 * 1024 * 1024
    connections: int = 100
    per_host: int = 20
    keep_alive_seconds: float = 30.0


class WebAnswer(NamedTuple):
    """Any answer, whatever its status."""

    status: int
    headers: Mapping[str, str]
    """With names in lower case; lines with one name are joined by a comma."""
    body: bytes
    """Unpacked, where it came packed."""
    charset: str
    """As the answer says; ``utf-8`` where it says nothing or what nobody knows."""


class Web(Protocol):
    """A client with pooled connections. Nothing is opened before the first request."""

    def keep(self, keeper: Keeper) -> None:
        """Close with this keeper, and tell it of trouble: certificates that cannot be used, say."""

    def take(self, settings: WebSettings) -> None:
        """Let these settings hold from now on."""

    async def request(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Sequence[tuple[str, str]],
        *,
        follows: bool = True,
    ) -> WebAnswer:
        """Ask, and follow redirects; or answer the first of them as it is. Raises: WebError."""

    async def close(self) -> None: ...
