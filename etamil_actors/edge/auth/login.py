"""A login at an identity provider: three paths of ours, and a cookie that remembers one login on its way.

```
browser ── GET /login?next=/notes ──▶ state, nonce, verifier into a cookie ──▶ 303 to the provider
        ◀─ …it asks for a password, or knows him already…
browser ── GET /callback?code&state ──▶ the cookie's state? ──▶ code + verifier ──▶ id token, its nonce?
        ◀─ 303 to /notes, with a new session that holds ``user``
browser ── GET /logout ──▶ the session ends ──▶ 303 to the provider, or home
```

The cookie is signed, ends after some minutes, and is removed when it has been used. So a page of somebody
else cannot finish a login that did not begin in this browser, nor make somebody use a stranger's account.
The session is a new one: what was in it before the login is gone, whoever may have put it there.

Where one arrives afterwards is a path of this service and never another place.

One address may do this only so often: it costs requests to the provider, and anybody can begin.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from typing import Any, Final
from urllib.parse import quote, urlsplit

import trio

from etamil_actors.actors.auth.authority import Authority
from etamil_actors.actors.auth.parts import to_base64url
from etamil_actors.actors.programs.exchange import STATUS_OF
from etamil_actors.edge.auth.provider import LONGEST_CODE, Provider, no_login
from etamil_actors.edge.exchange import Outgoing
from etamil_actors.edge.problem_documents import problem_body, problem_headers
from etamil_actors.edge.rates import RateLimiter
from etamil_actors.edge.request import HttpRequest
from etamil_actors.edge.sessions import OpenSession, RandomBytes, Sessions
from etamil_actors.edge.settings import SessionSettings
from etamil_actors.errors import Fault
from etamil_actors.ports.auth import OidcSettings
from etamil_actors.vm.values import Value

SECONDS: Final = 600
"""How long somebody may take at the provider."""
SECRET_BYTES: Final = 32
LONGEST_NEXT: Final = 1_024
"""Bytes; it travels in the cookie."""
USER: Final = "user"
"""Where the session tells who it is; a guard reads it there."""
NO_STORE: Final = (b"cache-control", b"no-store")
CHALLENGE: Final = (b"www-authenticate", b"Bearer")

Answer = Coroutine[Any, Any, Outgoing]
Answering = Callable[[HttpRequest], Answer]
Door = tuple[str, str, Answering]
"""A path, what it is called, and who answers there."""


class Login:
    """See the top of the file."""

    def __init__(
        self,
        settings: OidcSettings,
        authority: Authority,
        session: SessionSettings,
        wall: Callable[[], float],
        random_bytes: RandomBytes,
    ) -> None:
        self._settings = settings
        self._tell = authority.tell
        self._provider = Provider(settings, authority, wall)
        self._wall = wall
        self._random_bytes = random_bytes
        self._begun, self._finished = RateLimiter(settings.rate), RateLimiter(settings.rate)
        self._cookie = f"{session.cookie}_login"
        # The same secret, and another key: what signs a cookie depends on its name.
        self._pending = Sessions(
            replace(session, cookie=self._cookie, seconds=SECONDS), wall, random_bytes
        )

    @property
    def doors(self) -> list[Door]:
        """What stands at which path."""
        settings = self._settings
        return [
            (settings.login, "login", partial(self._limited, self._begun, self._begin)),
            (settings.callback, "login_callback", partial(self._limited, self._finished, self._finish)),
            (settings.logout, "logout", self._leave),
        ]

    @staticmethod
    async def _limited(limiter: RateLimiter, answer: Answering, request: HttpRequest) -> Outgoing:
        """The answer, unless this address asks too often."""
        now = trio.current_time()
        wait = limiter.admit(request.client, now)
        if not wait:
            return await answer(request)
        refusal = _told(request, Fault("rate_limited"))
        refusal.headers += limiter.headers(request.client, now, wait)
        return refusal

    # ── the three paths ──────────────────────────────────────────────────────────────────────────

    async def _begin(self, request: HttpRequest) -> Outgoing:
        """Send the browser to the provider."""
        state, nonce, verifier = (to_base64url(self._random_bytes(SECRET_BYTES)) for _ in range(3))
        try:
            place = await self._provider.login_url(
                redirect=self._here(request, self._settings.callback),
                state=state,
                nonce=nonce,
                verifier=verifier,
            )
        except Fault as problem:
            return _told(request, problem)
        pending = self._pending.open(None, request.scheme == "https")
        wanted = local_path(request.query().get("next", "")) or self._settings.after
        for name, value in (("state", state), ("nonce", nonce), ("verifier", verifier), ("next", wanted)):
            pending.set(name, value)
        return self._sent_to(place, pending)

    async def _finish(self, request: HttpRequest) -> Outgoing:
        """The browser comes back from the provider."""
        cookie = request.cookies_sent().get(self._cookie)
        pending = self._pending.open(cookie, request.scheme == "https")
        kept = dict(pending.values)
        try:
            told = _expect_our_own(request, kept)
        except Fault as problem:
            # Anybody can send a browser here, so what is on its way is left alone.
            return _told(request, problem)
        pending.end()
        try:
            user = await self._user(request, told, kept)
            session = request.session()
            session.end()
            session.until = int(self._wall()) + self._settings.seconds
            session.set(USER, user)
        except Fault as problem:
            if problem.code == "value.invalid" and self._tell is not None:
                self._tell(f"auth.oidc.claims: {problem.tamil}", f"auth.oidc.claims: {problem.english}")
            answer = _told(request, problem)
            answer.headers += _cookies(pending)
            return answer
        return self._sent_to(_location(str(kept["next"])), pending)

    async def _leave(self, request: HttpRequest) -> Outgoing:
        """End the session, here and at the provider."""
        home = _location(self._settings.after)
        if request.method != "GET" or request.named.get(b"sec-fetch-site") == b"cross-site":
            return self._sent_to(home)  # a link or picture of another site logs nobody out
        request.session().end()
        try:
            there = await self._provider.logout_url(self._here(request, home))
        except Fault:  # nobody can say what this service is called
            there = ""
        return self._sent_to(there or home)

    # ── parts ────────────────────────────────────────────────────────────────────────────────────

    async def _user(self, request: HttpRequest, told: dict[str, str], kept: dict[str, Value]) -> Value:
        """Who has logged in. Raises: Fault."""
        await self._provider.expect_itself(told.get("iss"))
        if "error" in told:
            if told["error"] == "access_denied":
                raise Fault("auth.forbidden")
            raise no_login("வழங்குநர் உள்நுழைவை மறுத்தார்", "the provider refused the login")
        code = told.get("code", "")
        if not 0 < len(code) <= LONGEST_CODE:
            raise no_login("வழங்குநரின் பதிலில் code இல்லை", "the answer of the provider has no code")
        return await self._provider.user_of(
            code=code,
            verifier=str(kept["verifier"]),
            redirect=self._here(request, self._settings.callback),
            nonce=str(kept["nonce"]),
        )

    def _here(self, request: HttpRequest, path: str) -> str:
        """The address of a path of ours, as browsers see it. Raises: Fault ``auth.invalid``."""
        base = self._settings.url.rstrip("/")
        if not base:
            host = request.named.get(b"host", b"").decode("latin-1")
            if not _is_host(host):
                raise no_login("‘Host’ ஒரு முகவரி அல்ல", "‘Host’ is no address")
            base = f"{request.scheme}://{host}"
        return base + _location(path)

    @staticmethod
    def _sent_to(place: str, pending: OpenSession | None = None) -> Outgoing:
        headers = [(b"location", place.encode("ascii")), NO_STORE, (b"referrer-policy", b"no-referrer")]
        if pending is not None:
            headers += _cookies(pending)
        return Outgoing(303, headers, b"")


_is_host: Final = re.compile(
    r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?", re.ASCII
).fullmatch


def _expect_our_own(request: HttpRequest, kept: dict[str, Value]) -> dict[str, str]:
    """What the provider tells, if this browser has begun a login here. Raises: Fault ``auth.invalid``."""
    pairs = request.query_pairs()
    told = dict(pairs)
    if len(told) < len(pairs):
        raise no_login("ஒரு பெயர் இருமுறை வந்தது", "the answer of the provider says a name twice")
    state = kept.get("state")
    shown = told.get("state", "")
    if not isinstance(state, str) or not hmac.compare_digest(state.encode(), shown.encode()):
        raise no_login(
            "அது இந்த உலாவியில் தொடங்கவில்லை, அல்லது நேரம் கடந்துவிட்டது; மீண்டும் முயலவும்",
            "it did not begin in this browser, or took too long; please try again",
        )
    return told


def local_path(text: str) -> str:
    """The path, with a query perhaps, if it leads nowhere but into this service; else nothing.

    ``//host`` and ``/\\host`` are other places to a browser, and so they are with a tab or line end between,
    which it leaves out.
    """
    is_local = (
        text.startswith("/")
        and not text.startswith("//")
        and "\\" not in text
        and all(letter.isprintable() and letter != " " for letter in text)
        and len(text.encode()) <= LONGEST_NEXT
    )
    if not is_local:
        return ""
    parts = urlsplit(text)
    return "" if parts.scheme or parts.netloc else text


def _location(path: str) -> str:
    """A path as it travels."""
    return quote(path, safe="!#$%&'()*+,/:;=?@[]~-._")


def _cookies(pending: OpenSession) -> list[tuple[bytes, bytes]]:
    made = pending.set_cookie_header()
    return [(b"set-cookie", made)] if made is not None else []


def _told(request: HttpRequest, problem: Fault) -> Outgoing:
    """What went wrong, in the language of the browser."""
    status = STATUS_OF.get(problem.code, 500)
    language = request.language
    headers = [*problem_headers(language), NO_STORE]
    if status == 401:
        headers.append(CHALLENGE)
    envelope = request.site is not None and request.site.settings.envelope
    body = problem_body(problem, status, language, request_id=request.id, envelope=envelope)
    return Outgoing(status, headers, body)
