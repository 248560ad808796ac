"""What a path leads to: a route of a program, a folder of files, or something that every site has.

An entry is made once for each route when the routes are known. It keeps what the edge looks at for every
request: limits, caches, the number under which it is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from etamil_actors.actors.programs.route_options import AUTH
from etamil_actors.edge.metrics import UNMATCHED
from etamil_actors.edge.openapi import Operation
from etamil_actors.edge.rates import RateError, RateLimiter
from etamil_actors.errors import Fault

if TYPE_CHECKING:
    from etamil_actors.actors.programs.routes import Route
    from etamil_actors.edge.exchange import Outgoing
    from etamil_actors.edge.request import HttpRequest
    from etamil_actors.edge.reuse import IdempotencyStore, ResponseCache

Answering = Callable[["HttpRequest"], "Outgoing | Coroutine[Any, Any, Outgoing]"]


class Folder(Protocol):
    """The files below a path; see ``files.StaticFolder``."""

    def open_nowait(self, request: HttpRequest, rest: Sequence[str]) -> Outgoing | None:
        """The answer, if it needs no look at the disk."""
        ...

    async def open(self, request: HttpRequest, rest: Sequence[str]) -> Outgoing:
        """The answer. Raises: OSError."""
        ...


class Entry:
    """See the top of the file."""

    __slots__ = ("answer", "body_bytes", "cache", "folder", "id", "is_simple", "is_vital", "keys", "limiter",
                 "name", "number", "path", "route", "service")  # fmt: skip

    def __init__(self, name: str, id: str, service: str = "") -> None:
        self.name = name
        """As the program writes it: ``GET /பொருட்கள்/:id``."""
        self.id = id
        """The same in ASCII, for metrics."""
        self.service = service
        self.path = ""
        """The pattern of its path, as the program writes it."""
        self.route: Route | None = None
        self.folder: Folder | None = None
        self.answer: Answering | None = None
        """For what every site has."""
        self.body_bytes: int | None = None
        """The largest body it takes, if it is not the one of the settings."""
        self.limiter: RateLimiter | None = None
        self.cache: ResponseCache | None = None
        self.keys: IdempotencyStore | None = None
        self.number = UNMATCHED
        """Under which it is counted."""
        self.is_simple = False
        """Is it nothing but a handler that answers?"""
        self.is_vital = False
        """Is it answered however busy everything is?"""


def operation_of(entry: Entry, route: Route) -> Operation:
    """The route as the OpenAPI document tells it."""
    options = route.options
    guards = [guard for guard in options.guards if not isinstance(guard, str)]
    return Operation(
        method=route.method,
        pattern=route.pattern,
        id=entry.id,
        service=entry.service,
        shapes=route.service.image.shapes,
        summary=options.summary,
        description=options.description,
        tags=options.tags,
        needs_user=options.needs_user,
        roles=tuple(guard for guard in options.guards if isinstance(guard, str) and guard != AUTH),
        guards=tuple(guard.name for guard in guards),
        parameters=options.parameters,
        query=options.query,
        body=options.body,
        answer=options.answer,
        body_limit=options.body_limit,
        rate=options.rate,
        timeout=route.seconds,
        idempotent=options.idempotent,
        cache=options.cache,
    )


def rate_limiter(rate: str | None, name: str) -> RateLimiter | None:
    """The limiter that a route's option ``rate`` wants.

    Raises:
        Fault: ``value.invalid``.
    """
    if rate is None:
        return None
    try:
        return RateLimiter(rate)
    except RateError as wrong:
        raise Fault(
            "value.invalid", name=f"{name}: வேகம்", problem_ta=wrong.tamil, problem_en=wrong.english
        ) from None
