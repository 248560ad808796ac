"""What passes between the edge and a route: a request in, a response out (DESIGN §4).

The edge reads HTTP and knows sockets, cookies and forms; a route knows programs. Both know what is here, and
nothing else of each other:

```
edge (a lane) ──Request──▶ Route.ask ──▶ the program's handler
              ◀─Response──      └ Pending, when the handler has to wait
              ◀─── Sink / Live, for routes that send as they go
```

A ``Request`` here says what a route may ask of it; the edge has the class that answers from HTTP
(``edge/request.py``), and tests may have one of their own. Header names are lower-case bytes, values are
bytes, both in the order of the wire.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from etamil_actors.actors.events import Event
from etamil_actors.errors import EtamilError, Fault
from etamil_actors.vm.values import UNSET, TwoNamed, Value

if TYPE_CHECKING:
    from etamil_actors.actors.programs.routes import Route
    from etamil_actors.actors.programs.streams import Line

Headers = list[tuple[bytes, bytes]]

STATUS_OF: Final = {
    "validation": 422,
    "auth.missing": 401,
    "auth.invalid": 401,
    "auth.forbidden": 403,
    "auth.unavailable": 503,
    "not_found": 404,
    "conflict": 409,
    "rate_limited": 429,
    "overloaded": 503,
    "breaker.open": 503,
    "db.conflict": 503,
    "db.unavailable": 503,
    "redis.unavailable": 503,
    "channel.unavailable": 503,
    "timeout": 504,
}
"""The status of an uncaught error, by its code; all others are 500 (EXTENSIONS §3)."""


@dataclass(slots=True)
class RequestFailed(Event):
    """A request has ended with an error of the program. ``actor`` is its route's place."""

    route: str
    request: str
    """Its id, which the client has been told."""
    problem: Fault


class PeerGoneError(EtamilError):
    """The client has gone, or takes nothing any more; nobody will read what is sent."""


class Upload(NamedTuple):
    """A file of a form. Its bytes never become a value (REFERENCE §19.3)."""

    field: str
    """The name of the form's field."""
    filename: str
    """What the client calls it; never to be used as a path."""
    kind: str
    """Its content type."""
    size: int
    pieces: Callable[[], Iterable[bytes]]
    """Its bytes, piece by piece, from the beginning each time; may block, so a thread asks for them."""


class Session(Protocol):
    """The signed-cookie session of a request."""

    @property
    def values(self) -> Mapping[str, Value]:
        """What it holds; empty when there is none."""
        ...

    @property
    def csrf(self) -> str:
        """What a form has to send back (field ``_csrf`` or header ``X-CSRF-Token``)."""
        ...

    def set(self, key: str, value: Value) -> None:
        """Change one key; nothing removes it. Raises Fault when the value cannot travel in a cookie."""
        ...

    def end(self) -> None:
        """Forget it; the answer removes the cookie."""
        ...


class Sink(Protocol):
    """Where a route of kind SSE or STREAM sends to."""

    @property
    def is_open(self) -> bool:
        """Has the head been sent?"""
        ...

    async def open(self, status: int, headers: Headers) -> None:
        """Send the head. Raises: PeerGoneError."""
        ...

    async def send(self, data: bytes) -> None:
        """Send a piece, waiting while the client is slow. Raises: PeerGoneError."""
        ...


class Live(Protocol):
    """The other end of a WebSocket route."""

    async def accept(self, headers: Headers) -> None:
        """Answer the handshake: yes. Raises: PeerGoneError."""
        ...

    async def receive(self) -> str | bytes | None:
        """The next message; nothing when the peer has gone or the server says goodbye."""
        ...

    async def send(self, message: str | bytes) -> None:
        """Send a message, waiting while the peer is slow. Raises: PeerGoneError."""
        ...

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye, if that was not done."""
        ...


class Request:
    """One request as a route sees it. The edge answers the questions from HTTP."""

    __slots__ = ("arrived", "body", "client", "cookies", "given", "id", "is_authenticated", "json", "line",
                 "live", "method", "parameters", "record", "route", "sink", "traceparent",
                 "user")  # fmt: skip

    def __init__(self, method: str, arrived: float) -> None:
        self.method = method
        """As it was sent, in capitals."""
        self.arrived = arrived
        """When its head was complete, by trio's clock."""
        self.route: Route | None = None
        """Who answers it."""
        self.parameters: Mapping[str, str] = _NOTHING
        """What the ``:name`` and ``*name`` segments of the route took."""
        self.body = b""
        """The body as it came, unpacked from chunks; empty for forms with files."""
        self.client = ""
        """The address of the client."""
        self.id = ""
        self.traceparent = ""
        """The trace context that this request goes on with."""
        self.is_authenticated = False
        """Has a valid token or session come?"""
        self.user: Value = None
        """Who was recognised by a guard."""
        self.cookies: list[bytes] = []
        """Values of ``Set-Cookie`` that the answer carries, whatever the answer is."""
        self.sink: Sink | None = None
        """Where it sends as it goes; only for routes of kind SSE and STREAM."""
        self.live: Live | None = None
        """The connection; only for routes of kind WS."""
        # What routes and words keep here.
        self.line: Line | None = None
        """What a stream or WebSocket is served by, while its handler runs."""
        self.record: TwoNamed | None = None
        """கோரிக்கை, once it was read."""
        self.json: Value = UNSET
        """The body as a value, of its type if the route says one; not looked at yet: UNSET."""
        self.given: dict[str, Value] = {}
        """Query and parameters of their types, where the route says some."""

    # What the edge answers.

    @property
    def path(self) -> str:
        """The path, percent-decoded and in NFC."""
        raise NotImplementedError

    def query(self) -> dict[str, str]:
        """The query; of a repeated key the last."""
        raise NotImplementedError

    def query_pairs(self) -> list[tuple[str, str]]:
        """The query as it came, repeated keys too."""
        raise NotImplementedError

    def headers(self) -> dict[str, str]:
        """Names in lower case, values trimmed; of a repeated name the last."""
        raise NotImplementedError

    def cookies_sent(self) -> dict[str, str]:
        """The cookies that came along."""
        raise NotImplementedError

    def form(self) -> dict[str, str]:
        """The text fields of a form, url-encoded or multipart."""
        raise NotImplementedError

    @property
    def is_form(self) -> bool:
        """Did a form come, url-encoded or multipart?"""
        raise NotImplementedError

    def form_pairs(self) -> list[tuple[str, str]]:
        """The text fields of a form as they came, repeated names too."""
        raise NotImplementedError

    def multipart_fields(self) -> dict[str, str]:
        """The text fields of a multipart form only, as 2.0's ``request_fields`` has them."""
        raise NotImplementedError

    def uploads(self) -> Sequence[Upload]:
        """The files of a form."""
        raise NotImplementedError

    def session(self) -> Session:
        """The session; an empty one when there is none."""
        raise NotImplementedError

    def csrf(self) -> str:
        """What a form has to send back. Asking for it begins a session, if there is none."""
        raise NotImplementedError

    def check_csrf(self) -> None:
        """A form post with a session needs its token. Raises: Fault ``auth.forbidden``."""
        raise NotImplementedError

    def authenticate(self) -> Value | Coroutine[Any, Any, Value]:
        """The user that a valid token or session tells. Raises: Fault ``auth.*``, ``config``."""
        raise NotImplementedError

    def has_role(self, role: str) -> bool:
        """Has the recognised user this role?"""
        raise NotImplementedError

    def set_cookie(self, name: str, value: str, options: Mapping[str, Value]) -> None:
        """Let the answer carry a cookie. Raises: Fault ``value.invalid``, ``option.unknown``."""
        raise NotImplementedError


_NOTHING: Final[Mapping[str, str]] = {}


class Response:
    """What a route answers. The edge adds what every answer has: length, date, id, cookies."""

    __slots__ = ("body", "file", "headers", "problem", "status")

    def __init__(
        self,
        status: int,
        headers: Headers,
        body: bytes = b"",
        *,
        file: str | None = None,
        problem: Fault | None = None,
    ) -> None:
        self.status = status
        self.headers = headers
        """Without Content-Length, Transfer-Encoding and Connection: these are the lane's."""
        self.body = body
        self.file = file
        """The path of a file that is sent instead of ``body``."""
        self.problem = problem
        """Why there is no answer; the edge writes the problem document, in the client's language."""

    def __repr__(self) -> str:
        return f"<response {self.status}>"


def refusal(problem: Fault, headers: Headers | None = None, status: int | None = None) -> Response:
    """An answer that tells an error; its code decides the status if none is given."""
    return Response(status or STATUS_OF.get(problem.code, 500), headers or [], problem=problem)
