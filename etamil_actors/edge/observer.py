"""The observer: a page in the browser that shows what a process does, second by second.

```
GET  /                                  the page; the full lane's Quart makes it, once it is wanted
GET  /facts                             everything that it shows, as JSON
POST /dead?do=requeue&id=journal:7      what ‘etamil-actors dead’ does, for the buttons of the page
```

It stands at an address of its own, never beside the routes of a program, and has limits and sessions of its
own: what it does is not counted with the requests of clients. It lives until the process ends, so that one
can watch a shutdown. Looking sends nothing into the program; the buttons are a deed of the operator.

Whoever reaches the address may look, so it is one of the loopback, or there is a password. Other pages that
the same browser shows get nothing: an answer is readable for its own origin only, a name that somebody has
made to lead here is refused (only addresses and ``localhost`` count as ours), and a deed needs a header that
a foreign page cannot send.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as NotBase64Error
from collections.abc import Awaitable, Callable
from hmac import compare_digest
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

import trio

from etamil_actors.actors.actor import Actor, ActorSpec, Behaviour
from etamil_actors.actors.restart import Backoff
from etamil_actors.edge.addresses import address_of, bind_sockets, close_sockets, listen, parse_addresses
from etamil_actors.edge.client_address import TrustedProxies
from etamil_actors.edge.credentials import Credentials
from etamil_actors.edge.entries import Answering, Entry
from etamil_actors.edge.exchange import Outgoing
from etamil_actors.edge.fast.listener import Listener
from etamil_actors.edge.metrics import EdgeMetrics
from etamil_actors.edge.problem_documents import plain_problem, problem_headers
from etamil_actors.edge.request import HttpRequest
from etamil_actors.edge.routing import Route, Router
from etamil_actors.edge.sessions import Sessions
from etamil_actors.edge.settings import HttpSettings
from etamil_actors.edge.site import Shared, Site
from etamil_actors.errors import Fault

if TYPE_CHECKING:
    from etamil_actors.actors.programs.system import System
    from etamil_actors.edge.full.pages import Pages

Ask = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
"""Answers a question about the process. Raises: KeyError, there is none such; Fault, it cannot be done."""

LIMITS: Final = HttpSettings(
    connections=64, in_flight=32, body_bytes=1024, access_log=False,
    health="", metrics="", openapi="", docs="",
)  # fmt: skip
"""Of the people who look there are few."""

BACKOFF: Final = Backoff(initial=0.1, cap=5.0, reset=30.0, free=1)

NO_STORE: Final = (b"cache-control", b"no-store")
JSON: Final = (b"content-type", b"application/json")
CHALLENGE: Final = (b"www-authenticate", b'Basic realm="etamil-actors", charset="UTF-8"')

FOREIGN: Final = (
    "இந்தப் பெயரில் வருவோருக்கு இந்தப் பக்கம் இல்லை; 127.0.0.1 அல்லது localhost எனக் கேட்கவும்",
    "this page is not for who comes by this name; ask for 127.0.0.1 or localhost",
)
NEEDS_PASSWORD: Final = ("இந்தப் பக்கத்துக்குக் கடவுச்சொல் தேவை", "this page needs a password")
NOT_OUR_PAGE: Final = ("இதை இந்தப் பக்கத்திலிருந்து மட்டுமே செய்யலாம்", "this is done from the page itself only")
NO_QUESTION: Final = ("இப்படி ஒரு கேள்வி இல்லை", "there is no such question")

_PORT = re.compile(r":\d*$")


class Observer:
    """See the top of the file."""

    def __init__(
        self,
        system: System,
        bind: tuple[str, ...],
        secret: str,
        ask: Ask,
        *,
        reuse_port: bool,
        report: Callable[[BaseException, str], None],
    ) -> None:
        """Raises: AddressError, it cannot listen there."""
        self._ask = ask
        self._secret = secret.encode()
        ports = system.ports
        wall = lambda: float(ports.clock.wall())  # noqa: E731  a clock, as the parts of a site want it
        self.site = Site(
            Shared(
                LIMITS,
                sessions=Sessions(LIMITS.session, wall, ports.random.bytes),
                credentials=Credentials(system.auth, wall),
                proxies=TrustedProxies(()),
                metrics=EdgeMetrics(),
                access_log=None,
                wall=wall,
                report=report,
            )
        )
        self.site.route_with(
            Router([
                self._at("GET", "/", self._show),
                self._at("GET", "/facts", self._tell),
                self._at("POST", "/dead", self._deal),
            ])
        )
        self._pages: Pages | None = None
        addresses = parse_addresses(bind)
        self._names = {address.host for address in addresses} | {"localhost"}
        self._sockets = bind_sockets(addresses, reuse_port=reuse_port)

    @property
    def urls(self) -> list[str]:
        """Where people find it."""
        return [address_of(one).url() for one in self._sockets]

    def close(self) -> None:
        """Give the addresses back."""
        close_sockets(self._sockets)

    def open(self) -> Listener:
        """Let people come, for one life. Raises: AddressError."""
        listen(self._sockets)
        return Listener(self.site, [one.dup() for one in self._sockets])

    def spec(self) -> ActorSpec:
        """Its place in the tree."""
        return ActorSpec(name="observer", make=lambda: Watching(self), backoff=BACKOFF, shutdown=1.0)

    # ── who may look ─────────────────────────────────────────────────────────────────────────────

    def _at(self, method: str, path: str, answer: Answering) -> Route[Entry]:
        entry = Entry(f"{method} {path}", path.strip("/") or "page")
        entry.path = path

        def guarded(request: HttpRequest) -> Any:
            refused = self._refusal(request)
            return answer(request) if refused is None else refused

        entry.answer = guarded
        return Route(method, path, entry)

    def _refusal(self, request: HttpRequest) -> Outgoing | None:
        if self._secret:
            if not _has_password(request, self._secret):
                return _problem(request, 401, NEEDS_PASSWORD, CHALLENGE)
        elif not self._is_ours(request.field(b"host") or b""):
            return _problem(request, 403, FOREIGN)
        if request.method == "POST" and not _is_from_page(request):
            return _problem(request, 403, NOT_OUR_PAGE)
        return None

    def _is_ours(self, host: bytes) -> bool:
        name = _PORT.sub("", host.decode("latin-1")).strip("[]").lower()
        if name in self._names:
            return True
        try:
            ip_address(name)
        except ValueError:
            return False
        return True

    # ── what it shows ────────────────────────────────────────────────────────────────────────────

    async def _show(self, request: HttpRequest) -> Outgoing:
        if self._pages is None:
            from etamil_actors.edge.full.pages import Pages, make_observer

            self._pages = Pages(self.site, make_observer)
        return await self._pages.undressed(request)

    async def _tell(self, request: HttpRequest) -> Outgoing:
        return await self._answer(request, {"ask": "all"})

    async def _deal(self, request: HttpRequest) -> Outgoing:
        wanted = request.query()
        return await self._answer(
            request, {"ask": "dead", "do": wanted.get("do", ""), "id": wanted.get("id", "")}
        )

    async def _answer(self, request: HttpRequest, asked: dict[str, Any]) -> Outgoing:
        from msgspec.json import encode

        pid = request.query().get("pid", "")
        if pid.isascii() and pid.isdigit() and len(pid) < 10:
            asked["pid"] = int(pid)
        try:
            answer = await self._ask(asked)
        except KeyError:
            return _problem(request, 400, NO_QUESTION)
        except Fault as fault:
            return _problem(request, 404, (fault.tamil, fault.english))
        return Outgoing(200, [JSON, NO_STORE], encode(answer, enc_hook=str))


class Watching(Behaviour):
    """A life of the observer."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    async def work(self, actor: Actor) -> None:
        """Serve until it is to end. Raises: AddressError."""
        listener = self._observer.open()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listener.serve)
            await actor.stopping.wait()
            nursery.cancel_scope.cancel("the process ends")


def _has_password(request: HttpRequest, secret: bytes) -> bool:
    """Basic authentication, under whatever name."""
    scheme, _, sent = (request.field(b"authorization") or b"").partition(b" ")
    if scheme.lower() != b"basic":
        return False
    try:
        _, _, password = b64decode(sent.strip(), validate=True).partition(b":")
    except NotBase64Error:
        return False
    return compare_digest(password, secret)


def _is_from_page(request: HttpRequest) -> bool:
    """The page sends a header of its own; another site could not without asking, and is told no."""
    site = request.field(b"sec-fetch-site")
    return request.field(b"x-observer") is not None and site in (None, b"same-origin", b"none")


def _problem(
    request: HttpRequest, status: int, words: tuple[str, str], *headers: tuple[bytes, bytes]
) -> Outgoing:
    language = request.language
    body = plain_problem(status, *words, language, request_id=request.id)
    return Outgoing(status, [*problem_headers(language), NO_STORE, *headers], body)
