"""A request read from HTTP: answers a route's questions, most of them only when they are asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from etamil_actors.actors.programs.exchange import Headers, Request, Upload
from etamil_actors.edge.cookies import parse_cookies, set_cookie
from etamil_actors.edge.credentials import User
from etamil_actors.edge.exchange import Exchange
from etamil_actors.edge.forms import MULTIPART, URLENCODED, Form
from etamil_actors.edge.languages import Language, preferred
from etamil_actors.edge.paths import decoded, query_pairs, query_params
from etamil_actors.edge.sessions import OpenSession, is_form_post, is_of_another_site
from etamil_actors.vm.values import Value

if TYPE_CHECKING:
    from etamil_actors.actors.programs.routes import Pending
    from etamil_actors.edge.entries import Entry
    from etamil_actors.edge.site import Site
    from etamil_actors.ports.telemetry import Span


class HttpRequest(Request):
    """See ``Request``. Made by a lane when the head is complete."""

    __slots__ = ("_headers", "_pairs", "_session", "entry", "exchange", "fields", "form_sent", "held",
                 "is_streaming", "named", "pending", "scheme", "site", "span", "target",
                 "version")  # fmt: skip

    def __init__(
        self,
        method: str,
        target: bytes,
        fields: Headers,
        exchange: Exchange,
        *,
        arrived: float,
        client: str,
        scheme: str = "http",
        version: str = "1.1",
    ) -> None:
        super().__init__(method, arrived)
        self.target = target
        """As it was sent: path and query."""
        self.fields = fields
        """Header fields in the order of the wire: names in lower case, values without space around them."""
        self.exchange = exchange
        self.client = client
        """The peer's address; the site may put that of a client behind a trusted proxy."""
        self.scheme = scheme
        self.version = version
        self.site: Site | None = None
        """Where it has come to."""
        self.entry: Entry | None = None
        """What it has found there."""
        self.form_sent: Form | None = None
        """The multipart form in its body."""
        self.named: dict[bytes, bytes] = {}
        """The header fields by name, of several the last; filled by the site."""
        self.pending: Pending | None = None
        """Its answer, where that has to be waited for."""
        self.is_streaming = False
        """Is its answer sent as it is made?"""
        self.span: Span | None = None
        """What is told of it, where traces are followed."""
        self.held = 0
        """Bytes of its body that count as being in memory."""
        self._headers: dict[str, str] | None = None
        self._pairs: list[tuple[str, str]] | None = None
        self._session: OpenSession | None = None

    # ---- head -------------------------------------------------------------------------

    def field(self, name: bytes) -> bytes | None:
        """A header field; of several the last."""
        return (self.named or dict(self.fields)).get(name)

    def joined(self, name: bytes) -> bytes | None:
        """A header field that is a list; several lines are one list."""
        values = [value for key, value in self.fields if key == name]
        return b", ".join(values) if values else None

    @property
    def raw_path(self) -> bytes:
        """The path as it was sent."""
        return self.target.partition(b"?")[0]

    @property
    def path(self) -> str:
        return decoded(self.raw_path)

    def query(self) -> dict[str, str]:
        sent = self.target.partition(b"?")[2]
        return query_params(sent) if sent else {}

    def query_pairs(self) -> list[tuple[str, str]]:
        return query_pairs(self.target.partition(b"?")[2])

    def headers(self) -> dict[str, str]:
        if self._headers is None:
            self._headers = {
                name.decode("ascii", "replace"): value.decode("utf-8", "replace")
                for name, value in self.fields
            }
        return self._headers

    @property
    def language(self) -> Language:
        """Which language the client likes to read."""
        accepted = self.field(b"accept-language")
        return preferred(accepted.decode("latin-1")) if accepted is not None else ""

    @property
    def content_type(self) -> str:
        """The type of the body, without parameters, in lower case."""
        sent = self.field(b"content-type")
        return _type_in(sent) if sent is not None else ""

    # ---- forms ------------------------------------------------------------------------

    @property
    def is_form(self) -> bool:
        return self.content_type in (URLENCODED, MULTIPART)

    def form_pairs(self) -> list[tuple[str, str]]:
        if self._pairs is None:
            self._pairs = self.form_sent.fields if self.form_sent is not None else []
        return self._pairs

    def form(self) -> dict[str, str]:
        return dict(self.form_pairs())

    def multipart_fields(self) -> dict[str, str]:
        return self.form() if self.content_type == MULTIPART else {}

    def uploads(self) -> Sequence[Upload]:
        return self.form_sent.uploads if self.form_sent is not None else ()

    # ---- who asks ---------------------------------------------------------------------

    def cookies_sent(self) -> dict[str, str]:
        sent = self.joined_cookies()
        return parse_cookies(sent) if sent is not None else {}

    def joined_cookies(self) -> bytes | None:
        """All cookies as one field: HTTP/2 may send each by itself."""
        values = [value for key, value in self.fields if key == b"cookie"]
        return b"; ".join(values) if values else None

    def session(self) -> OpenSession:
        session = self._session
        if session is None:
            assert self.site is not None
            sessions = self.site.sessions
            cookie = self.cookies_sent().get(sessions.settings.cookie)
            session = self._session = sessions.open(cookie, self.scheme == "https")
            session.is_foreign = self.is_form_post and self._is_of_another_site()
        return session

    @property
    def is_form_post(self) -> bool:
        """May a page of another site have sent it, without being asked about it first?"""
        return is_form_post(self.method, self.content_type, has_body=self.exchange.has_body)

    def _is_of_another_site(self) -> bool:
        assert self.site is not None
        origin = self.field(b"origin")
        if self.site.shared.cors.trusts(origin):
            return False
        return is_of_another_site(self.field(b"sec-fetch-site"), origin, self.field(b"host"))

    @property
    def session_used(self) -> OpenSession | None:
        """The session, if anybody has asked for it."""
        return self._session

    def csrf(self) -> str:
        return self.session().csrf

    def check_csrf(self) -> None:
        if self.is_form_post:
            self.session().check_csrf(self.form(), self.headers().get("x-csrf-token"))

    def authenticate(self) -> User:
        assert self.site is not None
        session = self.session()
        return self.site.credentials.user_of(self.fields, session if session.has_come else None)

    def has_role(self, role: str) -> bool:
        assert self.site is not None
        return self.site.credentials.has_role(self.user, role)

    def set_cookie(self, name: str, value: str, options: Mapping[str, Value]) -> None:
        made = set_cookie(name, value, options)
        named = made[: made.index(b"=") + 1]
        self.cookies = [one for one in self.cookies if not one.startswith(named)] + [made]


@lru_cache(maxsize=128)
def _type_in(sent: bytes) -> str:
    return sent.partition(b";")[0].strip().lower().decode("latin-1")
