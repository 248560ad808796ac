"""Pages made for people, by Quart-Trio: that of the OpenAPI document, and that of the observer.

Only these pages are Quart's. Everything else is plain ASGI (``asgi.py`` tells why): Quart reads bodies into
memory as fast as they come and cancels a handler when its client leaves, which does no harm to a page that
takes no body and only shows something.

The application is asked inside the process, by a message of ASGI, so a page is an answer like any other: both
lanes can give it, with its length, under the site's limits. It is imported in a thread when the first page is
wanted, because that takes the better part of a second.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import trio

from etamil_actors.actors.leaves import leaves_of
from etamil_actors.actors.programs.exchange import Headers
from etamil_actors.edge.exchange import Outgoing
from etamil_actors.edge.full.context import SiteOfLane
from etamil_actors.edge.request import HttpRequest
from etamil_actors.edge.site import NOSNIFF

if TYPE_CHECKING:
    from quart_trio import QuartTrio

FAILED: Final = (
    500,
    "இந்தப் பக்கத்தை உருவாக்க முடியவில்லை; காரணம் பதிவில் உள்ளது.",
    "This page could not be made; the log tells why.",
)

HTML: Final = "text/html; charset=utf-8"

SECONDS: Final = 10.0
"""How long a page may take."""

_HOST: Final = re.compile(rb"[A-Za-z0-9.\-]+(:[0-9]+)?|\[[0-9A-Fa-f:.]+\](:[0-9]+)?")


Make = Callable[[SiteOfLane], "QuartTrio"]


class Pages:
    """See the top of the file."""

    def __init__(self, site: SiteOfLane, make: Make | None = None) -> None:
        """``make`` makes the application, whose page is at ``/``."""
        self._site = site
        self._make = make or make_docs
        self._application: QuartTrio | None = None
        self._making = trio.Lock()

    async def answer(self, request: HttpRequest) -> Outgoing:
        """The page that a request asks for; a problem document when it cannot be made."""
        try:
            with trio.fail_after(SECONDS):
                return await self._ask(request)
        except BaseException as problem:  # the boundary of a page; cancellation goes on
            found = leaves_of(problem)
            if found.cancelled or found.interrupts:
                raise
            for error in found.errors:
                self._site.failed(error, request)
        return self._site.refuse(*FAILED)

    async def undressed(self, request: HttpRequest) -> Outgoing:
        """The same for a site, which gives every answer some headers of its own."""
        made = await self.answer(request)
        made.headers = [pair for pair in made.headers if pair != NOSNIFF]
        return made

    async def _ask(self, request: HttpRequest) -> Outgoing:
        async with self._making:
            if self._application is None:
                self._application = await trio.to_thread.run_sync(self._make, self._site)
        answer = _Collected()
        await self._application(_scope_of(request), answer.receive, answer.send)  # type: ignore[arg-type]
        outgoing = Outgoing(answer.status, answer.headers, bytes(answer.body))
        if request.method == "HEAD":
            outgoing.body = b""
        return outgoing


class _Collected:
    """The answer of an application, gathered; of the client it hears only that there is no body."""

    def __init__(self) -> None:
        self.status = 500
        self.headers: Headers = []
        self.body = bytearray()
        self._was_asked = False

    async def receive(self) -> Any:
        if self._was_asked:
            await trio.sleep_forever()
        self._was_asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = [
                (bytes(name).lower(), bytes(value))
                for name, value in message["headers"]
                if bytes(name).lower() not in (b"content-length", b"date", b"server")
            ]
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")


def _scope_of(request: HttpRequest) -> dict[str, Any]:
    fields = dict(request.fields)
    host = fields.get(b"host", b"")
    return {
        "type": "http",
        "asgi": {"spec_version": "2.3", "version": "3.0"},
        "http_version": request.version,
        "method": "GET",
        "scheme": request.scheme,
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", host if _HOST.fullmatch(host) else b"localhost")],
        "client": (request.client, 0),
        "server": None,
        "state": {},
        "extensions": {},
    }


def make_docs(site: SiteOfLane) -> QuartTrio:
    """The application of the OpenAPI page. Imports Quart, so it is called in a thread."""
    from quart import Response, request

    from etamil_actors.edge.full.template import PLACES, POLICY, SCRIPT, STYLE, TEMPLATE

    application = _application()
    template = application.jinja_env.from_string(TEMPLATE)
    style, script = _safe(STYLE), _safe(SCRIPT)

    @application.get("/")
    async def docs() -> Response:
        from msgspec.json import decode

        from etamil_actors.edge.full.documents import page_of

        page = page_of(decode(site.openapi()), f"{request.scheme}://{request.host}")
        text = await template.render_async(
            page=page, style=style, script=script, places=PLACES, openapi=site.settings.openapi
        )
        return Response(text, content_type=HTML, headers=_headers(POLICY))

    return application


def make_observer(site: SiteOfLane) -> QuartTrio:
    """The application of the observer's page. Imports Quart, so it is called in a thread."""
    from quart import Response

    from etamil_actors.edge.full.observer_template import OBSERVER, POLICY, SCRIPT, STYLE

    application = _application()
    template = application.jinja_env.from_string(OBSERVER)
    style, script = _safe(STYLE), _safe(SCRIPT)

    @application.get("/")
    async def watch() -> Response:
        text = await template.render_async(style=style, script=script)
        return Response(text, content_type=HTML, headers=_headers(POLICY))

    return application


def _application() -> QuartTrio:
    from quart_trio import QuartTrio

    application = QuartTrio(__name__, static_folder=None)
    # An error is ours to report; Quart would write its own page and log.
    application.config["PROPAGATE_EXCEPTIONS"] = True
    return application


def _headers(policy: str) -> dict[str, str]:
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-cache",
    }


def _safe(text: str) -> Any:
    from markupsafe import Markup

    return Markup(text)  # ours, and its hash is in the policy
