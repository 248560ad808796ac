"""The HTTP edge of a process: its sites, its listeners, and its place in the tree.

```
/root/edge
├─ access-log     writes what has been answered
└─ http           accepts and serves; a life of it has listeners of its own
```

The tree owns the edge, not the reverse: it is started last and stopped first, and when it dies it comes back
while everything else goes on. The listening sockets outlive its lives, so a client that comes in between
waits a moment and is not refused.

Several programs may be served at one address. Each has its routes there; of two with the same path that of
the program that is named first counts, and the operator is told. A program that says an address of its own
is served there, unless the operator has said where everything is served.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from unicodedata import normalize

import trio

from etamil_actors.actors.actor import Actor, ActorSpec, Behaviour
from etamil_actors.actors.moments import after
from etamil_actors.actors.programs.exchange import Response
from etamil_actors.actors.programs.replacing import generations
from etamil_actors.actors.restart import Backoff, Strategy
from etamil_actors.actors.supervisor import SupervisorSpec
from etamil_actors.edge.access_log import AccessLog
from etamil_actors.edge.addresses import (
    Address,
    address_of,
    bind_sockets,
    close_sockets,
    listen,
    parse_addresses,
)
from etamil_actors.edge.client_address import TrustedProxies
from etamil_actors.edge.cors import CrossOrigin
from etamil_actors.edge.credentials import Credentials
from etamil_actors.edge.entries import Entry, Folder, operation_of, rate_limiter
from etamil_actors.edge.exchange import Outgoing
from etamil_actors.edge.fast.listener import Listener
from etamil_actors.edge.files import Shelf, StaticFolder, respond_file
from etamil_actors.edge.health import QUESTIONS, Health, Verdict, path_of
from etamil_actors.edge.looks import Survey, looks_of
from etamil_actors.edge.metrics import ActorCounts, EdgeMetrics, Look, MetricsPage, number
from etamil_actors.edge.openapi import openapi_bytes, openapi_document
from etamil_actors.edge.request import HttpRequest
from etamil_actors.edge.routing import Route as Pattern
from etamil_actors.edge.routing import RouteProblem, Router, RoutesError
from etamil_actors.edge.sessions import Sessions
from etamil_actors.edge.settings import LOOPBACK_DEFAULT, HttpSettings, SessionSettings
from etamil_actors.edge.siblings import Siblings
from etamil_actors.edge.site import RespondFile, Shared, Site
from etamil_actors.edge.tracing import Tracer
from etamil_actors.errors import Fault, Frame

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from etamil_actors.actors.programs.routes import Route
    from etamil_actors.actors.programs.service import RunningService
    from etamil_actors.actors.programs.system import System
    from etamil_actors.edge.auth.login import Door
    from etamil_actors.edge.full.lane import FullLane
    from etamil_actors.edge.full.pages import Pages

OpenFolder = Callable[[str], Folder]

BACKOFF: Final = Backoff(initial=0.1, cap=5.0, reset=30.0, free=1)

API_VERSION: Final = "1"
"""Programs tell no version of their own."""

GOODBYE_SECONDS: Final = 4.0
"""Streams and WebSockets may take so long to part before the next step begins; then they are waited for
with the requests."""


@dataclass(slots=True)
class Place:
    """A site, and the sockets at which it is served."""

    site: Site
    services: list[RunningService]
    addresses: list[Address]
    sockets: list[socket.socket]
    entries: list[tuple[Entry, Route]] = field(default_factory=list)
    pages: Pages | None = None
    document: bytes | None = None
    """The OpenAPI document, once somebody has asked for it."""

    @property
    def urls(self) -> list[str]:
        """Where people find it."""
        scheme = "https" if self.site.settings.tls is not None else "http"
        return [address_of(one).url(scheme) for one in self.sockets]


class Held(NamedTuple):
    """What settings stand for, made of them."""

    settings: HttpSettings
    sessions: Sessions
    credentials: Credentials
    proxies: TrustedProxies
    cors: CrossOrigin
    doors: Sequence[Door]
    lanes: dict[Site, FullLane]


class Edge:
    """See the top of the file."""

    def __init__(
        self,
        system: System,
        settings: HttpSettings,
        *,
        name: str = "etamil",
        reuse_port: bool = False,
        write_access: Callable[[str], None] | None = None,
        has_terminal: bool = False,
        ascii_name: Callable[[str], str] = str,
        warn: Callable[[str, str], None] | None = None,
        report: Callable[[BaseException, str], None] | None = None,
        respond_file: RespondFile = respond_file,
        open_folder: OpenFolder | None = None,
    ) -> None:
        """``write_access`` writes lines of the access log; ``ascii_name`` spells a Tamil name in ASCII.
        ``respond_file`` and ``open_folder`` stand for the disk where there is none.

        Raises:
            Fault: ``config``, a setting makes no sense.
        """
        self.system = system
        self.settings = settings
        self.name = name
        self.reuse_port = reuse_port
        self.metrics = EdgeMetrics()
        self.actor_counts = ActorCounts()
        self.actor_counts.listen(system.events)
        self.health: Health | None = None
        self.places: list[Place] = []
        self.listeners: list[Listener] = []
        self._ascii_name = ascii_name
        self._warn = _once(warn or _say_nothing)
        self._places_of: dict[str, int] = {}
        """Which service is named first, which next, where the configuration has said it anew."""
        self._own_secret = ""
        """Signs sessions where nobody has said a secret, for as long as the process lives."""
        self._numbers: dict[tuple[str, str], int] = {}
        self._shelf = Shelf()
        self._open_folder = open_folder or self._folder_on_disk
        self._metrics_page: MetricsPage | None = None
        self._survey = Survey()
        self._siblings: Siblings | None = None
        self.collectors: list[Any] = []
        """Who else tells numbers, as prometheus_client asks for them."""
        self.more_numbers: list[Look] = []
        self._lanes: dict[Site, FullLane] = {}
        self._lanes_before: list[FullLane] = []
        """Those whose connections came under earlier settings, and are still open."""
        self._accepted_before = 0
        self._refused_before = 0
        clock = system.ports.clock
        self._wall = wall = lambda: float(clock.wall())
        self.access_log = None
        if settings.access_log and write_access is not None:
            self.access_log = AccessLog(
                write_access, wall=wall, as_json=not has_terminal, colours=has_terminal
            )
        self.shared = Shared(
            settings,
            sessions=self._new_sessions(),
            credentials=Credentials(system.auth, wall),
            proxies=TrustedProxies(settings.trusted_proxies),
            metrics=self.metrics,
            access_log=self.access_log,
            wall=wall,
            report=report or _raise,
            respond_file=respond_file,
            # In a simulation one run is like another, ids and all.
            names=Tracer(seed=b"simulated") if system.ports.is_simulated else None,
            spans=system.tracer,
        )
        self._doors = self._open_doors()
        self.shared.queue_age = self._queue_age
        system.handler_seconds = settings.handler_seconds
        system.on_routes = self.routes_changed

    # ── other settings, while clients come and go ────────────────────────────────────────────────

    async def take(self, settings: HttpSettings) -> list[str]:
        """Let these settings hold from now on, for requests and connections that come; those that are there
        go on. The certificate is read again. Answers what has to wait for another start.

        Raises:
            Fault: ``config``, they make no sense, and nothing has changed.
        """
        settings, waiting = self._possible(settings)
        before = self._held()
        self.settings = settings
        try:
            held = await self._made()
        except Fault:
            self.settings = before.settings
            raise
        self._hold(held)
        try:
            self.routes_changed()
        except Fault:
            self._hold(before)
            self.routes_changed()
            raise
        return waiting

    def _held(self) -> Held:
        shared = self.shared
        return Held(
            self.settings,
            shared.sessions,
            shared.credentials,
            shared.proxies,
            shared.cors,
            self._doors,
            self._lanes,
        )

    async def _made(self) -> Held:
        """What the settings stand for. Raises: Fault ``config``."""
        settings, sessions = self.settings, self.shared.sessions
        if sessions.settings != self._session_settings():
            sessions = self._new_sessions()
        return Held(
            settings,
            sessions,
            Credentials(self.system.auth, self._wall),
            TrustedProxies(settings.trusted_proxies),
            CrossOrigin(settings.cors),
            self._open_doors(),
            await self._new_lanes(),
        )

    def _hold(self, held: Held) -> None:
        self.settings = settings = held.settings
        self._doors = held.doors
        self.shared.take(settings, held.sessions, held.credentials, held.proxies, held.cors)
        self.shared.access_log = self.access_log if settings.access_log else None
        earlier = dict.fromkeys((*self._lanes_before, *self._lanes.values()))
        self._lanes_before = [
            lane for lane in earlier if lane.connections and lane not in held.lanes.values()
        ]
        self._lanes = held.lanes
        for place in self.places:
            place.site.look_again()
        for listener in self.listeners:
            listener.look_again()
        self.system.handler_seconds = settings.handler_seconds
        for service in generations(self.system):
            for route in service.routes:
                route.look_again()

    def _possible(self, settings: HttpSettings) -> tuple[HttpSettings, list[str]]:
        """The settings, with those of before where only another start can change them, and their names."""
        before = self.settings
        kept: dict[str, Any] = {}
        if not settings.session.secret:  # who has a session keeps it
            session = replace(settings.session, secret=before.session.secret)
            settings = replace(settings, session=session)
        if settings.bind != before.bind:
            kept["bind"] = before.bind
        if (settings.tls is None) != (before.tls is None):
            kept["tls"] = before.tls
        if settings.access_log and self.access_log is None:
            kept["access_log"] = False
        if settings.metrics and not before.metrics and not self.collectors:
            kept["metrics"] = ""
        return replace(settings, **kept), [f"http.{name}" for name in kept]

    def _new_sessions(self) -> Sessions:
        return Sessions(
            self._session_settings(),
            self._wall,
            self.system.ports.random.bytes,
            on_refused=lambda reason: self.metrics.refused(f"session_{reason}"),
        )

    async def _new_lanes(self) -> dict[Site, FullLane]:
        """For connections that come from now on. Raises: Fault ``config``, the certificate cannot be read."""
        tls = self.settings.tls
        if tls is None:
            return {}
        from etamil_actors.edge.full.lane import FullLane, open_certificate

        context = await trio.to_thread.run_sync(open_certificate, tls, self.settings)
        return {place.site: FullLane(place.site, context) for place in self.places}

    @property
    def urls(self) -> list[str]:
        """Where people find what is served."""
        return [url for place in self.places for url in place.urls]

    def numbers(self) -> dict[str, float]:
        """What people look at first."""
        self._count_connections()
        return {
            "requests": self.metrics.requests,
            "in flight": self.metrics.in_flight,
            "connections": self.metrics.connections_open,
        }

    # ── where ────────────────────────────────────────────────────────────────────────────────────

    def bind(self) -> None:
        """Take the addresses that the operator has said, before anything starts. Raises: AddressError."""
        if self.settings.bind and not self.places:
            services = list(self.system.services.values())
            self._take(parse_addresses(self.settings.bind), services)

    def open(self) -> None:
        """Take the addresses that the programs say, and let clients come. Raises: AddressError."""
        if not self.places:
            wanted: dict[Address, list[RunningService]] = {}
            for service in filter(_is_served, self.system.services.values()):
                if service.computes_address is not None:
                    self._warn(*_known_too_late(service.computes_address))
                for address in parse_addresses([_said(service)]):
                    wanted.setdefault(address, []).append(service)
            for address, services in wanted.items():
                self._take([address], services)
        for place in self.places:
            listen(place.sockets)

    def without_sockets(self) -> Site:
        """A site of all services that no client of the network reaches."""
        site = Site(self.shared)
        self.places.append(Place(site, list(self.system.services.values()), [], []))
        self.routes_changed()
        return site

    def _take(self, addresses: list[Address], services: list[RunningService]) -> None:
        sockets = bind_sockets(addresses, reuse_port=self.reuse_port)
        self.places.append(Place(Site(self.shared), services, addresses, sockets))

    def close(self) -> None:
        """Give the addresses back."""
        for place in self.places:
            close_sockets(place.sockets)
        if self.health is not None:
            self.health.close()

    # ── routes ───────────────────────────────────────────────────────────────────────────────────

    def routes_changed(self) -> None:
        """Lead requests to the routes that there are now. Raises: Fault, a pattern or an option is none."""
        for place in self.places:
            self._route(place)

    def _route(self, place: Place) -> None:
        place.entries = [(self._entry(route, place.site), route) for route in self._routes_of(place)]
        place.document = None
        patterns = [Pattern(route.method, _pattern_of(route), entry) for entry, route in place.entries]
        patterns += self._built_in(place)
        try:
            router = Router(patterns)
        except RoutesError as wrong:
            raise _told_with_place(wrong.problems[0]) from None
        for problem in router.warnings:
            self._tell(problem)
        place.site.route_with(router)

    def replace(self, old: RunningService | None, new: RunningService | None) -> None:
        """Lead requests to one generation of a service in place of another, or to none, or to a new service.

        Raises:
            Fault: a pattern or an option is none.
        """
        for place in self.places:
            if old is None:
                place.services = [*place.services, new] if new is not None else place.services
            elif old in place.services:
                place.services = [
                    other for one in place.services if (other := new if one is old else one) is not None
                ]
        if self.health is not None and not self.health.is_draining:  # it looks at other places from now on
            self.health.close()
            self.health = None
        self.routes_changed()

    def put_in_order(self, names: Sequence[str]) -> None:
        """The services are named in this order from now on; what is not among them is about to go."""
        before, self._places_of = self._places_of, {name: at for at, name in enumerate(names)}
        if self._places_of != before:
            self.routes_changed()

    def _in_order(self, services: Iterable[RunningService]) -> list[RunningService]:
        last = len(self._places_of)
        return sorted(services, key=lambda service: self._places_of.get(service.name, last))

    def _routes_of(self, place: Place) -> Iterator[Route]:
        """The routes of all programs; of two programs with one path the one that is named first has it."""
        taken: dict[tuple[str, str], str] = {}
        for service in self._in_order(place.services):
            own = {(route.method, normalize("NFC", route.pattern)): service.name for route in service.routes}
            for route in service.routes:
                other = taken.get((route.method, normalize("NFC", route.pattern)))
                if other is None:
                    yield route
                elif service.name in self._places_of or not self._places_of:
                    name = f"{service.name}: {route.name}"
                    self._warn(
                        f"{name}: ‘{other}’ சேவையில் இதே வழி இருப்பதால் இது பயன்படாது",
                        f"{name}: ‘{other}’ has the same route, so this one is never used",
                    )
            taken = own | taken

    def _tell(self, problem: RouteProblem[Entry]) -> None:
        entry = problem.route.target
        where = f"{entry.service}: {entry.name}"
        self._warn(f"{where}: {problem.tamil}", f"{where}: {problem.english}")

    def _entry(self, route: Route, site: Site) -> Entry:
        service, options = route.service.name, route.options
        id = self._id_of(route)
        entry = Entry(route.name, id, service)
        entry.path = route.pattern
        entry.number = self._number(service, id, route.pattern, route.method)
        entry.body_bytes = options.body_limit
        try:
            entry.limiter = rate_limiter(options.rate, route.name)
        except Fault as fault:
            fault.trace = (route.where,) if route.where is not None else ()
            raise
        if route.folder is not None:
            entry.folder = self._open_folder(route.folder)
            return entry
        entry.route = route
        if options.needs_user and not self.system.auth.recognises:
            self._warn(
                "சில வழிகளுக்கு அடையாளம் தேவை, ஆனால் auth.jwt, auth.keys அமைக்கப்படவில்லை; அமர்வுகள் மட்டுமே ஏற்கப்படும்",
                "routes want to know who asks, and there is neither auth.jwt nor auth.keys; only sessions are"
                " accepted",
            )
        entry.cache = site.cache if options.cache else None
        entry.keys = self.shared.keys if options.idempotent else None
        entry.is_simple = not (route.is_stream or entry.cache is not None or entry.keys is not None)
        self.metrics.watch_queue(entry.number, lambda: (len(route.line), route.queue_age))
        return entry

    def _folder_on_disk(self, path: str) -> StaticFolder:
        return StaticFolder(path, compress=self.settings.compress, shelf=self._shelf)

    def _id_of(self, route: Route) -> str:
        path = "_".join(part.lstrip(":*") for part in route.pattern.split("/") if part)
        return self._ascii_name(f"{route.method.lower()}_{path}" if path else route.method.lower())

    def _number(self, service: str, id: str, name: str, method: str) -> int:
        key = service, id
        if key not in self._numbers:
            self._numbers[key] = self.metrics.add_route(service, id, name, method)
        return self._numbers[key]

    # ── what every site has ──────────────────────────────────────────────────────────────────────

    def _built_in(self, place: Place) -> list[Pattern[Entry]]:
        settings, patterns = self.settings, []
        site = place.site

        def add(path: str, id: str, answer: Callable[[HttpRequest], Any], *, is_vital: bool = False) -> None:
            entry = Entry(f"GET {path}", id)
            entry.path = path
            entry.number = self._number("", id, path, "GET")
            entry.answer, entry.is_vital = answer, is_vital
            patterns.append(Pattern("GET", path, entry, is_built_in=True))

        if settings.health:
            for question in QUESTIONS:
                path = path_of(settings.health, question)
                add(path, f"health_{question}".rstrip("_"), partial(self._healthy, question), is_vital=True)
        if settings.metrics:
            add(settings.metrics, "metrics", self._tell_metrics, is_vital=True)
        if settings.openapi:
            add(settings.openapi, "openapi", partial(self._tell_openapi, place))
            site.make_openapi = partial(self._openapi, place)
        if settings.docs and settings.openapi:
            add(settings.docs, "docs", partial(self._show_docs, place))
        for path, id, answer in self._doors:
            add(path, id, answer)
        return patterns

    def _open_doors(self) -> Sequence[Door]:
        """The paths of a login at a provider, if the configuration has one."""
        auth = self.system.auth
        if auth.settings.oidc is None:
            return ()
        from etamil_actors.edge.auth.login import Login

        random_bytes = self.system.ports.random.bytes
        login = Login(auth.settings.oidc, auth, self._session_settings(), self._wall, random_bytes)
        return login.doors

    def _session_settings(self) -> SessionSettings:
        """As the operator says; and where browsers come over TLS, whatever is between, only for that."""
        session, oidc = self.settings.session, self.system.auth.settings.oidc
        is_secure = session.secure or (oidc is not None and oidc.url.startswith("https:"))
        if not session.secret and not self._own_secret:
            self._own_secret = self.system.ports.random.bytes(32).hex()
        return replace(session, secure=is_secure, secret=session.secret or self._own_secret)

    def _queue_age(self) -> float:
        services = generations(self.system)
        return max((route.queue_age for service in services for route in service.routes), default=0.0)

    def _healthy(self, question: str, request: HttpRequest) -> Outgoing:
        if self.health is None:
            paths = {name: service.path for name, service in self.system.services.items()}
            self.health = Health(self.system.tree, paths, places=paths, is_leaving=self._is_leaving)
            self.health.add_check("routes", self._routes_up)
        response = self.health.answer(question)
        return _outgoing(response)

    def _routes_up(self) -> Verdict:
        """Does every route take requests?"""
        down = [
            route.name
            for service in self.system.services.values()
            for route in service.routes
            if not route.is_up and route.folder is None
        ]
        if not down:
            return Verdict(True, "எல்லா வழிகளும் ஆயத்தம்", "all routes are ready")
        names = ", ".join(down[:8])
        return Verdict(False, f"மீண்டும் தொடங்குபவை: {names}", f"beginning anew: {names}")

    def _is_leaving(self) -> bool:
        return self.system.leaving.is_set()

    async def _tell_metrics(self, request: HttpRequest) -> Outgoing:
        page = await self._looked()
        accept = request.field(b"accept") or b""
        families = await self._siblings.all() if self._siblings is not None else None
        kind, text = await page.text_in_turns(accept, families)
        return Outgoing(200, [(b"content-type", kind)], text)

    async def _looked(self) -> MetricsPage:
        """The page, after a look at everything that it tells."""
        if self._metrics_page is None:
            self._metrics_page = await self.system.threads.call(self._make_page)
        self._count_connections()
        await self._survey.look(self.system)
        return self._metrics_page

    async def _own_numbers(self) -> Iterable[Metric]:
        return (await self._looked()).families()

    def has_siblings(self, path: str, number: int) -> None:
        """It is one of several processes that serve the same, and tells the numbers of all."""
        self._siblings = Siblings(path, number, self._own_numbers)
        self.system.keeper.start("numbers", self._siblings.serve)

    def _make_page(self) -> MetricsPage:
        system = self.system
        looks = (
            *looks_of(system, self._survey),
            number(
                "etamil_access_log_dropped",
                "Requests that were not written to the access log, because it was full.",
                lambda: self.access_log.dropped if self.access_log is not None else 0,
                is_counter=True,
            ),
        )
        page = MetricsPage(self.metrics, self.actor_counts, [*looks, *self.more_numbers])
        for collector in self.collectors:
            page.add(collector)
        return page

    def _count_connections(self) -> None:
        metrics, listeners = self.metrics, self.listeners
        metrics.connections_open = sum(one.connections for one in listeners)
        metrics.connections_accepted = self._accepted_before + sum(one.accepted for one in listeners)
        metrics.connections_refused = self._refused_before + sum(one.refused for one in listeners)

    def _openapi(self, place: Place) -> bytes:
        if place.document is None:
            operations = [operation_of(entry, route) for entry, route in place.entries]
            document = openapi_document(
                self.name,
                API_VERSION,
                operations,
                servers=place.urls,
                cookie=self.settings.session.cookie,
                has_api_keys=bool(self.system.auth.keys),
                envelope=self.settings.envelope,
                ascii_name=self._ascii_name,
            )
            place.document = openapi_bytes(document)
        return place.document

    def _tell_openapi(self, place: Place, request: HttpRequest) -> Outgoing:
        return Outgoing(200, [(b"content-type", b"application/json")], self._openapi(place))

    def _show_docs(self, place: Place, request: HttpRequest) -> Any:
        """A page made for people, which Quart makes."""
        if place.pages is None:
            from etamil_actors.edge.full.pages import Pages

            place.pages = Pages(place.site)
        return place.pages.undressed(request)

    # ── in the tree ──────────────────────────────────────────────────────────────────────────────

    def spec(self) -> SupervisorSpec:
        """Its branch of the tree."""
        children = [ActorSpec(name="http", make=lambda: Http(self), backoff=BACKOFF, shutdown=1.0)]
        if self.access_log is not None:
            children.insert(0, self.access_log.spec())
        return SupervisorSpec(
            name="edge", children=tuple(children), strategy=Strategy.ONE_FOR_ONE, intensity=1000, period=1.0
        )

    def begin(self) -> None:
        """A life begins: listeners on the sockets that are kept."""
        self._count_connections()
        self._accepted_before = self.metrics.connections_accepted
        self._refused_before = self.metrics.connections_refused
        has_tls = self.settings.tls is not None
        self.listeners = [
            Listener(
                place.site,
                [one.dup() for one in place.sockets],
                self._hand_over(place.site),
                hands_over_all=has_tls,
            )
            for place in self.places
        ]

    def _hand_over(self, site: Site) -> Callable[[socket.socket, bytes, str], Awaitable[None]]:
        has_tls = self.settings.tls is not None

        async def hand_over(sock: socket.socket, already_read: bytes, peer: str) -> None:
            await self._lane_of(site).serve_connection(sock, already_read, peer, tls=has_tls)

        return hand_over

    async def prepare(self) -> None:
        """Read the certificate, where there is to be TLS. Raises: Fault ``config``."""
        if self.settings.tls is not None:
            for place in self.places:
                await self._lane_of(place.site).prepare()

    def _lane_of(self, site: Site) -> FullLane:
        lane = self._lanes.get(site)
        if lane is None:
            from etamil_actors.edge.full.lane import FullLane

            lane = self._lanes[site] = FullLane(site)
        return lane

    # ── the end ──────────────────────────────────────────────────────────────────────────────────

    def hooks(self) -> dict[str, list[Callable[[], Awaitable[None]]]]:
        """What the steps of a shutdown do here, by the keys of its table."""
        return {
            "ready": [self._be_unready],
            "notice": [self._let_notice],
            "refuse": [self._refuse],
            "goodbye": [self._say_goodbye],
            "requests": [self._finish],
        }

    async def _be_unready(self) -> None:
        if self.health is not None:
            self.health.is_draining = True
        await trio.lowlevel.checkpoint()

    async def _let_notice(self) -> None:
        await trio.sleep_until(after(self.settings.drain_delay))

    async def _refuse(self) -> None:
        self.shared.is_draining = True
        for listener in self.listeners:
            listener.stop_accepting()
        for place in self.places:
            close_sockets(place.sockets)
        await trio.lowlevel.checkpoint()

    async def _say_goodbye(self) -> None:
        self.system.goodbye.set()
        for lane in self._all_lanes():
            lane.goodbye()
        lasting = [
            route
            for service in generations(self.system)
            for route in service.routes
            if route.is_lasting
        ]
        with trio.move_on_after(GOODBYE_SECONDS):
            for route in lasting:
                await route.wait_idle()

    async def _finish(self) -> None:
        try:
            for listener in self.listeners:
                await listener.drained()
            for lane in self._all_lanes():
                await lane.drained()
        except trio.Cancelled:
            # The time is over. Whoever still sends to a client that takes nothing is to let go of it now.
            self.cut()
            raise

    def _all_lanes(self) -> list[FullLane]:
        return [*self._lanes_before, *self._lanes.values()]

    def cut(self) -> int:
        """End the connections that are left. How many were in the middle of something?"""
        cut = sum(lane.cut() for lane in self._all_lanes())
        return cut + sum(listener.cut() for listener in self.listeners)


class Http(Behaviour):
    """A life of the edge: accepts and serves."""

    def __init__(self, edge: Edge) -> None:
        self.edge = edge

    async def on_start(self, actor: Actor) -> None:
        """Take the addresses, and know the routes. Raises: AddressError, Fault."""
        self.edge.open()
        await self.edge.prepare()
        self.edge.routes_changed()

    async def work(self, actor: Actor) -> None:
        """Serve until it is to end."""
        edge = self.edge
        edge.begin()
        async with trio.open_nursery() as nursery:
            for listener in edge.listeners:
                nursery.start_soon(listener.serve)
            await actor.stopping.wait()
            nursery.cancel_scope.cancel("the edge ends")


def _told_with_place(problem: RouteProblem[Any]) -> Fault:
    entry: Entry = problem.route.target
    name = entry.name
    fault = Fault(
        "config",
        problem_ta=f"வழி {name}: {problem.tamil}",
        problem_en=f"route {name}: {problem.english}",
    )
    route = entry.route
    fault.trace = (route.where,) if route is not None and route.where is not None else ()
    return fault


def _pattern_of(route: Route) -> str:
    """A folder is at its path and at everything below."""
    return route.pattern if route.folder is None else f"{route.pattern.rstrip('/')}/*path"


def _is_served(service: RunningService) -> bool:
    return bool(service.routes or service.address)


def _known_too_late(where: Frame) -> tuple[str, str]:
    place = f"{where.file}:{where.line}"
    return (
        f"{place}: இந்த நிரல் ஒவ்வொரு கோரிக்கைக்கும் முழுவதும் இயங்குவதால், அது கணிக்கும் முகவரி தொடக்கத்தில் தெரியாது;"
        ' ‘வழங்கி_தொடங்கு "0.0.0.0", 8080;’ என மேல்நிலையில் நேராக எழுதவும், அல்லது http.bind-இல் சொல்லவும்',
        f"{place}: this program runs anew for every request, so an address that it computes is not known at"
        ' the start; write it out at the top level (வழங்கி_தொடங்கு "0.0.0.0", 8080;), or say it in http.bind',
    )


def _said(service: RunningService) -> str:
    if service.address is None:
        return LOOPBACK_DEFAULT
    host, port = service.address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _outgoing(response: Response) -> Outgoing:
    return Outgoing(response.status, response.headers, response.body)


def _once(say: Callable[[str, str], None]) -> Callable[[str, str], None]:
    """Say the same thing only once: routes are looked at whenever a service has made its own."""
    said: set[str] = set()

    def say_once(tamil: str, english: str) -> None:
        if english not in said:
            said.add(english)
            say(tamil, english)

    return say_once


def _say_nothing(tamil: str, english: str) -> None:
    """Nobody wants to know."""


def _raise(problem: BaseException, request: str) -> None:
    raise problem
