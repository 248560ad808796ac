"""What is served at one address: which route a request goes to, under which limits, and how it is answered.

Both lanes ask it, and only it (``exchange.py`` has the sequence):

```
begin ─ router ─ limits ─▶ Route.ask ─▶ finish ─▶ Outgoing                    the plain way, without a wait
          │         └ body, form, cache, keys … ─▶ Route.ask ─▶ wait ─▶ finish      a coroutine
          └ no route: 404, 405, 426, OPTIONS
```

A request counts as in flight from ``begin`` to ``done``. What it may take of the process is bounded here:
how many there are at once, how often one client may come, how large a body is, how much of bodies is in
memory. How long its handler may take is its route's business.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import trio

from etamil_actors.actors.programs.exchange import Headers, Response, Sink
from etamil_actors.actors.programs.routes import Pending
from etamil_actors.edge.access_log import GONE, AccessLog
from etamil_actors.edge.access_log import Entry as LogEntry
from etamil_actors.edge.compression import compress, compress_nowait
from etamil_actors.edge.cors import CrossOrigin
from etamil_actors.edge.entries import Entry
from etamil_actors.edge.exchange import BodyError, CutShortError, Exchange, Outgoing
from etamil_actors.edge.files import respond_file
from etamil_actors.edge.forms import BodyBudget, read_body, read_form
from etamil_actors.edge.metrics import UNMATCHED, EdgeMetrics
from etamil_actors.edge.paths import cut
from etamil_actors.edge.problem_documents import plain_problem, problem_body, problem_headers
from etamil_actors.edge.rates import retry_after
from etamil_actors.edge.request import HttpRequest
from etamil_actors.edge.reuse import MemoryStore, Note, ResponseCache, answer_once, conditioned, with_tag
from etamil_actors.edge.routing import BadPath, Found, NeedsUpgrade, NotAllowed, Options, Outcome, Router
from etamil_actors.edge.sessions import USER_KEYS, Sessions
from etamil_actors.edge.settings import HttpSettings
from etamil_actors.edge.tracing import Tracer, begin_span, end_span
from etamil_actors.errors import Fault

if TYPE_CHECKING:
    from etamil_actors.edge.client_address import TrustedProxies
    from etamil_actors.edge.credentials import Credentials
    from etamil_actors.ports import telemetry

SMALL: Final = 16 * 1024
"""A body of so many bytes is not worth counting while it is in memory anyway."""

Made = Outgoing | Coroutine[Any, Any, Outgoing | None]

AUTHORITY: Final = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)")

CHALLENGE: Final = (b"www-authenticate", b"Bearer")
CHALLENGES: Final = {"auth.invalid": (b"www-authenticate", b'Bearer error="invalid_token"')}
"""What a 401 has to say (RFC 6750), by the code of its problem."""

NOSNIFF: Final = (b"x-content-type-options", b"nosniff")


RespondFile = Callable[[HttpRequest, str, Headers, int], Awaitable[Outgoing]]


class Shared:
    """What all sites of a process have in common."""

    def __init__(
        self,
        settings: HttpSettings,
        *,
        sessions: Sessions,
        credentials: Credentials,
        proxies: TrustedProxies,
        metrics: EdgeMetrics,
        access_log: AccessLog | None,
        wall: Callable[[], float],
        report: Callable[[BaseException, str], None],
        respond_file: RespondFile = respond_file,
        names: Tracer | None = None,
        spans: telemetry.Tracer | None = None,
    ) -> None:
        """``report`` is told of mistakes of our own, and of the request in which they were noticed.
        ``respond_file`` answers with a file that a program has named; ``names`` gives requests their ids,
        and ``spans`` tells of them, where traces are followed.
        """
        self.metrics = metrics
        self.access_log = access_log
        self.wall = wall
        self.keys = MemoryStore()
        self.report = report
        self.respond_file = respond_file
        self.budget = BodyBudget(settings.buffered_bytes)
        self.take(settings, sessions, credentials, proxies, CrossOrigin(settings.cors))
        self.tracer = names or Tracer()
        self.spans = spans
        self.is_draining = False
        self.at_work = 0
        """Requests whose handlers have been asked and have not answered."""
        self.queue_age: Callable[[], float] = lambda: 0.0
        """For how long the request has waited that has waited longest."""

    def take(
        self,
        settings: HttpSettings,
        sessions: Sessions,
        credentials: Credentials,
        proxies: TrustedProxies,
        cors: CrossOrigin,
    ) -> None:
        """Let these hold from now on."""
        self.settings = settings
        self.sessions = sessions
        self.credentials = credentials
        self.proxies = proxies
        self.cors = cors
        self.budget.limit = settings.buffered_bytes

    def retry_after(self) -> bytes:
        """The seconds after which it makes sense to come again, when there is too much under way."""
        return b"%d" % retry_after(self.queue_age(), 0, 0.0)


class Site:
    """See the top of the file."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.look_again()
        self.cache = ResponseCache()
        self.router: Router[Entry] = Router(())
        self.make_openapi: Callable[[], bytes] = lambda: b"{}"
        self._begin_trace = shared.tracer.begin
        self._spans = shared.spans
        self._match = self.router.match
        self._metrics = shared.metrics

    def look_again(self) -> None:
        """What the settings say is kept at hand here; they have changed."""
        shared = self.shared
        self.settings = settings = shared.settings
        self.sessions = shared.sessions
        self.credentials = shared.credentials
        self._most = settings.in_flight
        self._has_proxies = bool(settings.trusted_proxies)
        self._has_cors = bool(settings.cors.origins)

    @property
    def is_draining(self) -> bool:
        """No more connections; every answer says ``Connection: close``."""
        return self.shared.is_draining

    def route_with(self, router: Router[Entry]) -> None:
        """These are the routes from now on."""
        self.router = router
        self._match = router.match

    def openapi(self) -> bytes:
        """The OpenAPI document of what is served here."""
        return self.make_openapi()

    # ── the way in ───────────────────────────────────────────────────────────────────────────────

    def begin(self, request: HttpRequest) -> Made:
        """Answer a request: at once where nothing has to be waited for, else by a coroutine to be awaited.

        None from the coroutine: the sink has sent everything; the lane ends the stream.
        """
        self._admit(request)
        target = request.target
        query = target.find(b"?")
        found = self._match(request.method, target if query < 0 else target[:query])
        if type(found) is not Found:
            return self._finish(request, self._unrouted(request, found))
        entry = request.entry = found.route.target
        request.parameters = found.parameters
        if entry.limiter is not None or self.shared.at_work >= self._most:
            refused = self._limit(request, entry)
            if refused is not None:
                return self._finish(request, refused)
        route = entry.route
        if not entry.is_simple or route is None:
            return self._take(request, entry, found)
        if request.exchange.has_body and not self._takes_at_once(request, entry):
            return self._take(request, entry, found)
        answer = route.ask(request)
        if type(answer) is Response:
            return self._finish(request, answer)
        assert type(answer) is Pending
        return self._finish_later(request, answer)

    def _admit(self, request: HttpRequest) -> None:
        """It counts from now on, and has its names."""
        request.site = self
        self._metrics.in_flight += 1
        named = request.named = dict(request.fields)
        if self._spans is None:
            names = self._begin_trace(named.get(b"traceparent"), named.get(b"x-request-id"))
            request.traceparent, request.id = names
        else:
            begin_span(request, self._spans, self._begin_trace)
        if request.target[:1] != b"/":
            self._take_origin(request)
        if self._has_proxies:
            self._look_behind_proxy(request)

    @staticmethod
    def _take_origin(request: HttpRequest) -> None:
        """``GET http://host/path``: the host of the target counts, whatever the header says (RFC 9112)."""
        origin, path = request.target, cut(request.target)
        request.target = path.path + b"?" + path.query if path.query else path.path
        found = AUTHORITY.match(origin)
        host = found[1] if found is not None else b""
        if host and b"@" not in host:
            request.fields = [pair for pair in request.fields if pair[0] != b"host"]
            request.fields.insert(0, (b"host", host))
            request.named[b"host"] = host

    def _look_behind_proxy(self, request: HttpRequest) -> None:
        forwarded_for = request.joined(b"x-forwarded-for")
        forwarded_proto = request.joined(b"x-forwarded-proto")
        client = self.shared.proxies.client_of(
            request.client,
            forwarded_for.decode("latin-1") if forwarded_for is not None else None,
            forwarded_proto.decode("latin-1") if forwarded_proto is not None else None,
            request.scheme,
        )
        request.client, request.scheme = client

    def _limit(self, request: HttpRequest, entry: Entry) -> Response | None:
        """The refusal, if the process or the client has too much under way."""
        if self.shared.at_work >= self._most and not entry.is_vital:
            self._metrics.refused("in_flight")
            return _refusal(503, Fault("overloaded"), (b"retry-after", self.shared.retry_after()))
        limiter = entry.limiter
        if limiter is None:
            return None
        now = trio.current_time()
        wait = limiter.admit(request.client, now)
        if not wait:
            return None
        self._metrics.limited(entry.number)
        return _refusal(429, Fault("rate_limited"), *limiter.headers(request.client, now, wait))

    def _unrouted(self, request: HttpRequest, found: Outcome[Entry]) -> Response:
        """What is answered where there is no route."""
        if type(found) is Options:
            return Response(204, [(b"allow", ", ".join(found.allowed).encode()), *self._preflight(request)])
        if type(found) is NotAllowed:
            names = ", ".join(found.allowed)
            return self._told(
                request,
                405,
                f"இந்தப் பாதை {request.method[:40]} முறையை ஏற்காது; ஏற்பவை: {names}",
                f"this path does not take {request.method[:40]}; it takes {names}",
                (b"allow", names.encode()),
            )
        if type(found) is NeedsUpgrade:
            return self._told(request, 426, *ONLY_WEBSOCKET, (b"upgrade", b"websocket"))
        if type(found) is BadPath:
            return self._told(request, 400, found.flaw.tamil, found.flaw.english)
        return self._told(request, 404, *NO_ROUTE)

    def _told(
        self, request: HttpRequest, status: int, tamil: str, english: str, *headers: tuple[bytes, bytes]
    ) -> Response:
        """A refusal in words of the edge, in the client's language."""
        language = request.language
        envelope = self.settings.envelope
        body = plain_problem(status, tamil, english, language, request_id=request.id, envelope=envelope)
        return Response(status, [*problem_headers(language), *headers], body)

    def _preflight(self, request: HttpRequest) -> Sequence[tuple[bytes, bytes]]:
        named = request.named
        asked = named.get(b"access-control-request-method")
        headers = named.get(b"access-control-request-headers")
        return self.shared.cors.preflight(named.get(b"origin"), asked, headers) or ()

    # ── what needs more than a handler ───────────────────────────────────────────────────────────

    def _take(self, request: HttpRequest, entry: Entry, found: Found[Entry]) -> Made:
        if entry.answer is not None:
            made = entry.answer(request)
            if isinstance(made, Outgoing):
                return self._dress(request, made)
            return self._dress_later(request, made)
        if entry.folder is not None:
            ready = entry.folder.open_nowait(request, found.rest)
            if ready is not None:
                return self._from_folder(request, ready)
            return self._open_file(request, entry, found.rest)
        return self._take_body(request, entry)

    async def _dress_later(self, request: HttpRequest, made: Coroutine[Any, Any, Outgoing]) -> Outgoing:
        return self._dress(request, await made)

    async def _open_file(self, request: HttpRequest, entry: Entry, rest: Sequence[str]) -> Outgoing | None:
        assert entry.folder is not None
        try:
            made = self._from_folder(request, await entry.folder.open(request, rest))
        except OSError as trouble:
            self.shared.report(trouble, request.id)
            made = self._finish(request, _refusal(500, Fault("internal", problem=str(trouble))))
        return made if isinstance(made, Outgoing) else await made

    def _from_folder(self, request: HttpRequest, outgoing: Outgoing) -> Made:
        if outgoing.status < 400:
            return self._dress(request, outgoing)
        fault = NO_FILE if outgoing.status == 404 else Fault("conflict")
        response = _refusal(outgoing.status, fault)
        response.headers.extend(outgoing.headers)
        return self._finish(request, response)

    def _takes_at_once(self, request: HttpRequest, entry: Entry) -> bool:
        """Take the body, where it is plain and small and has come already."""
        named, length = request.named, request.exchange.length
        if length is None or length > (entry.body_bytes or self.settings.body_bytes) or length > SMALL:
            return False
        if b"content-encoding" in named or request.is_form:
            return False
        body = request.exchange.whole()
        if body is None:
            return False
        request.body = body
        self._metrics.bytes_in += length
        return True

    async def _take_body(self, request: HttpRequest, entry: Entry) -> Outgoing | None:
        """Read what comes with the request, and let its route answer."""
        route = entry.route
        assert route is not None
        try:
            await self._read(request, entry)
        except BodyError as trouble:
            self._metrics.refused("body")
            return self.refuse(trouble.status, trouble.tamil, trouble.english, request)
        if route.is_stream and request.method != "HEAD":
            request.sink = DressedSink(self, request, request.exchange.sink())
        if entry.keys is not None:
            response = await self._answer_once(request, entry)
        elif entry.cache is not None:
            response = await self._answer_from_cache(request, entry)
        else:
            response = await self._answer(request)
        return await self._sent_or_finished(request, response)

    async def _read(self, request: HttpRequest, entry: Entry) -> None:
        if not request.exchange.has_body:
            return
        exchange = CountedExchange(request.exchange, self._metrics)
        if request.named.get(b"content-encoding", b"identity").lower() != b"identity":
            raise BodyError(
                415,
                "சுருக்கப்பட்ட உடலுரை (Content-Encoding) ஏற்கப்படாது; அப்படியே அனுப்பவும்",
                "a body with a Content-Encoding is not taken; please send it as it is",
            )
        limit = entry.body_bytes or self.settings.body_bytes
        if request.is_form:
            kind = request.named[b"content-type"]
            form = await read_form(exchange, kind, limit, self.settings, self.shared.budget)
            request.form_sent, request.body = form, form.body
            return
        request.body = await read_body(exchange, limit, self.shared.budget)
        request.held = len(request.body)

    async def _answer(self, request: HttpRequest) -> Response:
        route = request.entry.route if request.entry is not None else None
        assert route is not None
        answer = route.ask(request)
        return answer if isinstance(answer, Response) else await self._wait(request, answer)

    async def _wait(self, request: HttpRequest, pending: Pending) -> Response:
        """Wait for the answer; a client that leaves ends the work if the route says so."""
        request.pending = pending
        route = pending.route
        if route.is_stream:
            return await self._wait_beside(request, pending)
        # Only these count: what stays, and what waits for slow clients, has bounds of its own.
        self.shared.at_work += 1
        try:
            if route.options.disconnect != "cancel":
                return await pending.wait()
            return await self._wait_beside(request, pending)
        finally:
            self.shared.at_work -= 1

    async def _wait_beside(self, request: HttpRequest, pending: Pending) -> Response:
        """Wait for the answer, and give it up when the client leaves."""
        async with trio.open_nursery() as nursery:

            async def watch() -> None:
                await request.exchange.wait_gone()
                pending.abandon()

            nursery.start_soon(watch)
            try:
                response = await pending.wait()
            except trio.Cancelled:
                pending.abandon()
                raise
            nursery.cancel_scope.cancel("it is answered")
        return response

    async def _finish_later(self, request: HttpRequest, pending: Pending) -> Outgoing | None:
        return await self._sent_or_finished(request, await self._wait(request, pending))

    async def _sent_or_finished(self, request: HttpRequest, response: Response) -> Outgoing | None:
        sink = request.sink
        if sink is not None and sink.is_open:
            if response.problem is not None:
                raise CutShortError(response.problem.message)
            return None
        made = self._finish(request, response)
        return made if isinstance(made, Outgoing) else await made

    # ── answers that are given again ─────────────────────────────────────────────────────────────

    async def _answer_once(self, request: HttpRequest, entry: Entry) -> Response:
        """The route honours ``Idempotency-Key``: what has been done once is not done again."""
        assert entry.keys is not None
        digest = request.form_sent.digest if request.form_sent is not None else b""
        route = entry.route
        assert route is not None
        asked: list[Pending] = []

        async def make() -> Response:
            answer = route.ask(request)
            if isinstance(answer, Response):
                return answer
            asked.append(answer)
            return await self._wait(request, answer)

        def go_on(note: Note) -> bool:
            if not asked or route.options.disconnect == "cancel":
                return False
            asked[0].note(note)
            return True

        name = f"{entry.service}: {entry.name}"
        return await answer_once(
            entry.keys, request, name, _who(request), make, form_digest=digest, go_on=go_on
        )

    async def _answer_from_cache(self, request: HttpRequest, entry: Entry) -> Response:
        """The route lets its answers be given again for some seconds."""
        assert entry.cache is not None and entry.route is not None
        seconds = entry.route.options.cache or 0.0
        make = partial(self._answer, request)
        if entry.route.options.guards:  # who is not let in must not see what others have got
            response = with_tag(await make())
        else:
            response = await entry.cache.answer(request, seconds, make)
        return conditioned(request, response, self.shared.wall())

    # ── the way out ──────────────────────────────────────────────────────────────────────────────

    def _made_now(self, request: HttpRequest, response: Response) -> Outgoing:
        made = self._finish(request, response)
        assert isinstance(made, Outgoing)
        return made

    def _finish(self, request: HttpRequest, response: Response) -> Made:
        """The response with all that every answer has."""
        if response.file is not None:
            return self._finish_file(request, response)
        if response.problem is not None:
            self._tell(request, response)
        outgoing = Outgoing(response.status, response.headers, response.body)
        if response.status in (204, 304):
            outgoing.length = None
        if self.settings.compress and b"accept-encoding" in request.named:
            smaller = compress_nowait(outgoing, request.fields)
            if smaller is None:
                return self._compress(request, outgoing)
            outgoing = smaller
        return self._dress(request, outgoing)

    async def _compress(self, request: HttpRequest, outgoing: Outgoing) -> Outgoing:
        return self._dress(request, await compress(outgoing, request.fields))

    async def _finish_file(self, request: HttpRequest, response: Response) -> Outgoing:
        assert response.file is not None
        try:
            outgoing = await self.shared.respond_file(
                request, response.file, response.headers, response.status
            )
        except Fault as fault:
            self.shared.report(fault, request.id)
            return self._made_now(request, _refusal(500, fault))
        return self._dress(request, outgoing)

    def _tell(self, request: HttpRequest, response: Response) -> None:
        """Write the document that tells a problem, in the client's language."""
        problem = response.problem
        assert problem is not None
        language = request.language
        response.body = problem_body(
            problem,
            response.status,
            language,
            request_id=request.id,
            debug=self.settings.debug,
            envelope=self.settings.envelope,
        )
        response.headers = [*problem_headers(language), *response.headers]
        if response.status == 401:
            response.headers.append(CHALLENGES.get(problem.code, CHALLENGE))

    def _dress(self, request: HttpRequest, outgoing: Outgoing) -> Outgoing:
        """Headers that every answer has; no body where there may be none."""
        headers = outgoing.headers
        headers += (
            (b"x-request-id", request.id.encode()),
            (b"traceparent", request.traceparent.encode()),
            NOSNIFF,
        )
        session = request._session
        if session is not None:
            changed = session.set_cookie_header()
            if changed is not None:
                headers.append((b"set-cookie", changed))
                headers.append((b"cache-control", b"no-store"))
        for cookie in request.cookies:
            headers.append((b"set-cookie", cookie))
        if self._has_cors:
            headers.extend(self.shared.cors.answer_headers(request.named.get(b"origin")))
        if request.method == "HEAD" and isinstance(outgoing.body, bytes):
            outgoing.body = b""
        return outgoing

    def done(
        self,
        request: HttpRequest | None,
        status: int,
        sent: int,
        *,
        is_cut: bool = False,
        peer: str = "",
    ) -> None:
        """The answer has been sent, or could not be: ``is_cut``. Counts it, logs it, lets go.

        Without a request it was refused before it was one; ``peer`` is who has sent it.
        """
        metrics = self._metrics
        metrics.bytes_out += sent
        if request is None or request.site is None:
            metrics.answered(UNMATCHED, "", status, 0.0)
            if self.shared.access_log is not None:
                now = trio.current_time()
                refused = LogEntry(now, 0.0, peer, "-", b"", status, sent, "", "", "", "", b"")
                self.shared.access_log.note(refused)
            return
        metrics.in_flight -= 1
        now = trio.current_time()
        seconds = now - request.arrived
        entry = request.entry
        number = entry.number if entry is not None else UNMATCHED
        if is_cut:
            status = GONE
            metrics.gone(number)
        elif status == 504 or status == 408:
            metrics.timed_out(number)
        metrics.answered(number, request.method, status, seconds, request.scheme)
        if request.span is not None:
            end_span(request, status)
        if request.is_streaming:
            metrics.streams_open -= 1
        pending = request.pending
        if pending is not None and pending.response is None:
            pending.note(lambda _: self._let_go(request))  # its handler goes on, and may use what came
        else:
            self._let_go(request)
        log = self.shared.access_log
        if log is not None:
            log.note(
                LogEntry(
                    now,
                    seconds,
                    request.client,
                    request.method,
                    request.target,
                    status,
                    sent,
                    request.id,
                    request.traceparent,
                    entry.id if entry is not None else "",
                    entry.service if entry is not None else "",
                    request.named.get(b"user-agent", b""),
                )
            )

    def _let_go(self, request: HttpRequest) -> None:
        """Nobody needs what came with the request any more."""
        if request.held:
            self.shared.budget.give(request.held)
            request.held = 0
        if request.form_sent is not None:
            request.form_sent.close()
        request.record = None  # it knows its request: a circle, which would wait for the collector

    # ── refusals of the edge itself ──────────────────────────────────────────────────────────────

    def refuse(
        self, status: int, tamil: str, english: str, request: HttpRequest | None = None, **extra: str
    ) -> Outgoing:
        """An answer of the edge itself to what is no request (bad framing, too large a head, too many
        connections …), as a problem document. It closes the connection. ``extra``: more members.
        """
        language = request.language if request is not None else ""
        id = request.id if request is not None else ""
        envelope = self.settings.envelope
        body = plain_problem(status, tamil, english, language, request_id=id, envelope=envelope, **extra)
        headers = problem_headers(language)
        if status == 503:
            headers.append((b"retry-after", self.shared.retry_after()))
        outgoing = Outgoing(status, headers, body, closes=True)
        return outgoing if request is None else self._dress(request, outgoing)

    def failed(self, problem: BaseException, request: HttpRequest | None = None) -> None:
        """A mistake of our own was noticed; the connection has been given up, and everything else goes on."""
        if not isinstance(problem, CutShortError):
            self.shared.report(problem, request.id if request is not None else "")

    # ── WebSockets ───────────────────────────────────────────────────────────────────────────────

    def wants_upgrade(self, request: HttpRequest) -> bool:
        """Is there a WebSocket route at this path?"""
        return type(self.router.match_upgrade(cut(request.target).path)) is Found

    async def live(self, request: HttpRequest) -> Outgoing | None:
        """Serve a WebSocket; ``request.live`` is its other end. An ``Outgoing`` refuses the handshake."""
        self._admit(request)
        found = self.router.match_upgrade(request.raw_path)
        if type(found) is not Found:
            plain = self.router.match("GET", request.raw_path)
            if found is None and type(plain) is Found:
                return self._made_now(request, self._told(request, 404, *NO_WEBSOCKET))
            return self._made_now(request, self._unrouted(request, found or plain))
        entry = request.entry = found.route.target
        request.parameters = found.parameters
        refused = self._limit(request, entry)
        if refused is not None:
            return self._made_now(request, refused)
        assert entry.route is not None
        answer = entry.route.ask(request)
        if isinstance(answer, Pending):
            self._metrics.websockets_open += 1
            try:
                answer = await self._live_to_its_end(answer)
            finally:
                self._metrics.websockets_open -= 1
        if request.line is not None and request.line.is_open:
            return None
        made = self._finish(request, answer)
        return made if isinstance(made, Outgoing) else await made

    @staticmethod
    async def _live_to_its_end(pending: Pending) -> Response:
        try:
            return await pending.wait()
        except trio.Cancelled:
            pending.abandon()
            raise


class CountedExchange:
    """An exchange whose body is counted as it comes."""

    __slots__ = ("_exchange", "_metrics", "has_body", "length", "sink", "wait_gone", "whole")

    def __init__(self, exchange: Exchange, metrics: EdgeMetrics) -> None:
        self._exchange = exchange
        self._metrics = metrics
        self.has_body = exchange.has_body
        self.length = exchange.length
        self.sink = exchange.sink
        self.wait_gone = exchange.wait_gone
        self.whole = exchange.whole

    async def read(self) -> bytes:
        """The next piece. Raises: BodyError, PeerGoneError."""
        piece = await self._exchange.read()
        self._metrics.bytes_in += len(piece)
        return piece


class DressedSink:
    """The sink of a lane; its head has what every answer has."""

    __slots__ = ("_request", "_sink", "_site")

    def __init__(self, site: Site, request: HttpRequest, sink: Sink) -> None:
        self._site = site
        self._request = request
        self._sink = sink

    @property
    def is_open(self) -> bool:
        """Has the head been sent?"""
        return self._sink.is_open

    async def open(self, status: int, headers: Headers) -> None:
        """Send the head. Raises: PeerGoneError."""
        dressed = self._site._dress(self._request, Outgoing(status, list(headers), b""))
        if not self._request.is_streaming:
            self._request.is_streaming = True
            self._site._metrics.streams_open += 1
        await self._sink.open(status, dressed.headers)

    async def send(self, data: bytes) -> None:
        """Send a piece. Raises: PeerGoneError."""
        await self._sink.send(data)


def _refusal(status: int, problem: Fault, *headers: tuple[bytes, bytes]) -> Response:
    return Response(status, list(headers), problem=problem)


def _who(request: HttpRequest) -> str:
    """Whose keys they are: those of whoever shows the same token, API key and session, else of one
    address."""
    shown = [value for name, value in request.fields if name in (b"authorization", b"x-api-key")]
    session = request.session()
    user = next((session.values[key] for key in USER_KEYS if session.values.get(key) is not None), None)
    if not shown:
        return request.client if user is None else f"user {user!r}"
    # All of it: what stands in Authorization may be for somebody before us, and the same for everybody.
    digest = blake2b(b"\n".join(shown), digest_size=16).hexdigest()
    return f"{digest} {user!r}"


NO_ROUTE: Final = ("இந்தப் பாதையில் எதுவும் இல்லை", "there is nothing at this path")
ONLY_WEBSOCKET: Final = (
    "இந்தப் பாதை WebSocket இணைப்புக்கு மட்டும்",
    "this path is for WebSocket connections only",
)
NO_WEBSOCKET: Final = ("இந்தப் பாதையில் WebSocket இல்லை", "there is no WebSocket at this path")
NO_FILE: Final = Fault("not_found", tamil="இந்தக் கோப்பு இல்லை", english="there is no such file")
