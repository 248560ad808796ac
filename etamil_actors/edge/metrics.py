"""What the edge counts, and how it is told to Prometheus.

Counting is on the path of every request, so it is two additions into lists: a route is a number, its
histogram a list of counts, and everything happens in one thread, without locks. Text is made only when
somebody asks for ``/metrics``:

```
site, lanes ─▶ EdgeMetrics (plain numbers) ─▶ EdgeCollector ─▶ prometheus_client ─▶ text of either format
EventStream ─▶ ActorCounts ──────────────────────┘
```

What can be looked up — the depth of a queue, dead letters — is not counted here at all: it is asked for by a
function when the text is made.

No label comes from a client: methods that nobody knows are ``_OTHER``, a path that no route answers counts
for route 0, statuses are those of HTTP.

Where OpenTelemetry's conventions have a name for something it is told under that name, with those labels and
buckets (``http_server_request_duration_seconds`` with ``http_route`` …), so dashboards that people have
already show it. What is ours alone begins with ``etamil_``. A route is labelled with its path as the program
writes it; ``service`` and ``route``, its id in ASCII, stand beside it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import trio

from etamil_actors.actors.dead import DeadLetters
from etamil_actors.actors.events import (
    ActorCrashed,
    ActorRestarted,
    ActorStarted,
    ActorStopped,
    DeadReason,
    Event,
    EventStream,
    Subscription,
)

if TYPE_CHECKING:
    from prometheus_client.core import Metric

BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Seconds at which the buckets of a histogram end, as the conventions advise; the last one has no end."""

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
OTHER: Final = "_OTHER"
SCHEMES: Final = frozenset(("http", "https"))

UNMATCHED: Final = 0
"""The number of the route that stands for requests no route answers."""


class Answers:
    """How many answers there were, and how long they took."""

    __slots__ = ("buckets", "seconds")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0
        """All together."""

    @property
    def count(self) -> int:
        """All of them."""
        return sum(self.buckets)


class RouteCounts:
    """The numbers of one route."""

    __slots__ = ("answers", "gone", "id", "limited", "method", "name", "queue", "service",
                 "timeouts")  # fmt: skip

    def __init__(self, service: str, id: str, name: str, method: str) -> None:
        self.service = service
        self.id = id
        self.name = name
        self.method = method
        self.answers: dict[tuple[str, int, str], Answers] = {}
        """By method, status and scheme."""
        self.limited = 0
        """Requests beyond the rate."""
        self.timeouts = 0
        """Requests that took too long to come, or to be answered."""
        self.gone = 0
        """Requests whose client did not wait for the answer."""
        self.queue: Callable[[], tuple[int, float]] | None = None
        """How many wait before it now, and how long the first has waited."""


class EdgeMetrics:
    """See the top of the file. The plain numbers are there to be changed: ``metrics.bytes_in += 4096``."""

    def __init__(self) -> None:
        self.routes: list[RouteCounts] = [RouteCounts("", "unmatched", "", "")]
        """By number; the first stands for requests that no route answers."""
        self.in_flight = 0
        self.connections_open = 0
        self.connections_accepted = 0
        self.connections_refused = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.websockets_open = 0
        self.streams_open = 0
        """Answers of kind SSE and STREAM under way."""
        self.refusals: dict[str, int] = {}
        """Requests that the edge has refused, by reason."""

    @property
    def requests(self) -> int:
        """Those of clients that were answered, with whatever status; not those to what every service has."""
        asked = (one for place, one in enumerate(self.routes) if one.service or not place)
        return sum(answers.count for one in asked for answers in one.answers.values())

    def add_route(self, service: str, id: str, name: str, method: str) -> int:
        """Count for another route from now on; the number by which it is called here.

        ``id`` is ASCII; ``name`` is what people call it.
        """
        self.routes.append(RouteCounts(service, id, name, method))
        return len(self.routes) - 1

    def watch_queue(self, route: int, queue: Callable[[], tuple[int, float]]) -> None:
        """Ask this function how many wait before a route, and how long the first has waited."""
        self.routes[route].queue = queue

    def answered(
        self, route: int, method: str, status: int, seconds: float, scheme: str = "http"
    ) -> None:
        """A request was answered, or given up: its status says so."""
        all_of_them = self.routes[route].answers
        answers = all_of_them.get((method, status, scheme))
        if answers is None:
            answers = self._first(all_of_them, method, status, scheme)
        answers.buckets[bisect_left(BOUNDS, seconds)] += 1
        answers.seconds += seconds

    @staticmethod
    def _first(
        answers: dict[tuple[str, int, str], Answers], method: str, status: int, scheme: str
    ) -> Answers:
        # Only here, where a series begins, it is made sure that there are not without end of them.
        key = (
            method if method in METHODS else OTHER,
            status if 100 <= status <= 599 else 0,
            scheme if scheme in SCHEMES else "",
        )
        return answers.setdefault(key, Answers())

    def refused(self, reason: str) -> None:
        """The edge has refused a request, or what was none; the reason is a word of ours."""
        self.refusals[reason] = self.refusals.get(reason, 0) + 1

    def limited(self, route: int) -> None:
        """A client has sent more than the rate of the route allows."""
        self.routes[route].limited += 1

    def timed_out(self, route: int) -> None:
        """A request took too long."""
        self.routes[route].timeouts += 1

    def gone(self, route: int) -> None:
        """A client has left before its answer."""
        self.routes[route].gone += 1


class ActorCounts:
    """Lives that began and ended, by service; a listener of the event stream."""

    def __init__(self) -> None:
        self.counts: dict[type[Event], dict[str, int]] = {
            kind: {} for kind in (ActorStarted, ActorCrashed, ActorRestarted, ActorStopped)
        }

    def listen(self, events: EventStream) -> Subscription:
        """Count from now on."""
        return events.listen(self.hear, messages=False)

    def hear(self, event: Event) -> None:
        """Count an event, if it is one of a life."""
        counts = self.counts.get(type(event))
        if counts is not None:
            service = service_of(event.actor)
            counts[service] = counts.get(service, 0) + 1


def service_of(path: str) -> str:
    """The branch of the tree in which an actor stands: that of ``/root/kadai/jobs/…`` is kadai."""
    parts = path.split("/", 3)
    return parts[2] if len(parts) > 2 else ""


Labels: TypeAlias = tuple[str, ...]

Samples: TypeAlias = Iterable[tuple[Labels, float]]


class Look(NamedTuple):
    """A number, or several, that are looked up when the text is made."""

    name: str
    """``etamil_channel_depth``; that of a counter without ``_total``."""
    words: str
    is_counter: bool
    labels: tuple[str, ...]
    look: Callable[[], Samples]


def number(name: str, words: str, look: Callable[[], float], *, is_counter: bool = False) -> Look:
    """One number without labels."""
    return Look(name, words, is_counter, (), lambda: [((), look())])


def by_label(
    name: str, words: str, label: str, look: Callable[[], Mapping[str, float]], *, is_counter: bool = False
) -> Look:
    """Several numbers, told apart by one label."""
    return Look(name, words, is_counter, (label,), lambda: [((key,), n) for key, n in look().items()])


def dead_letters(letters: DeadLetters) -> Look:
    """Messages to actors that nobody has handled."""
    return by_label(
        "etamil_dead_letters",
        "Messages that were accepted by a mailbox and not handled, by reason.",
        "reason",
        lambda: {reason.value: letters.count(reason) for reason in DeadReason},
        is_counter=True,
    )


class EdgeCollector:
    """What prometheus_client asks, by ``collect``, when it makes the text."""

    def __init__(self, metrics: EdgeMetrics, actors: ActorCounts, looks: Sequence[Look] = ()) -> None:
        self._metrics = metrics
        self._actors = actors
        self._looks = looks

    def collect(self) -> Iterator[Metric]:
        """All families, one after the other."""
        yield from self._requests()
        yield from self._per_route()
        yield from self._plain()
        yield from self._lives()
        for look in self._looks:
            yield _family(look.name, look.words, look.labels, look.look(), is_counter=look.is_counter)

    def _requests(self) -> Iterator[Metric]:
        from prometheus_client.core import HistogramMetricFamily

        durations = HistogramMetricFamily(
            "http_server_request_duration_seconds",
            "From the end of the head of a request to the end of its answer (499: the client left).",
            labels=(*_OF_ROUTE, *_OF_ANSWER),
        )
        for route in self._metrics.routes:
            for (method, status, scheme), answers in route.answers.items():
                so_far = list(accumulate(answers.buckets))
                error = str(status) if status >= 500 else ""
                labels = (*_labels(route), method, str(status), scheme, error)
                durations.add_metric(labels, list(zip(_ENDS, so_far, strict=True)), answers.seconds)
        yield durations

    def _per_route(self) -> Iterator[Metric]:
        for name, words, read in _PER_ROUTE:
            samples = [(_labels(route), read(route)) for route in self._metrics.routes]
            yield _family(name, words, _OF_ROUTE, samples, is_counter=True)
        watched = [(route, route.queue) for route in self._metrics.routes]
        queues = [(_labels(route), queue()) for route, queue in watched if queue is not None]
        yield _family(
            "etamil_http_queue_depth",
            "Requests that wait for a route now.",
            _OF_ROUTE,
            [(labels, depth) for labels, (depth, _) in queues],
        )
        yield _family(
            "etamil_http_queue_age_seconds",
            "How long the first of those that wait for a route has waited.",
            _OF_ROUTE,
            [(labels, age) for labels, (_, age) in queues],
        )

    def _plain(self) -> Iterator[Metric]:
        for name, words, is_counter, read in _PLAIN:
            yield _family(name, words, (), [((), read(self._metrics))], is_counter=is_counter)
        refusals = [((reason,), count) for reason, count in self._metrics.refusals.items()]
        words = "Requests that the edge has refused before any route saw them, by reason."
        yield _family("etamil_http_refused", words, ("reason",), refusals, is_counter=True)

    def _lives(self) -> Iterator[Metric]:
        for kind, (name, words) in _OF_LIVES.items():
            samples = [((service,), count) for service, count in self._actors.counts[kind].items()]
            yield _family(name, words, ("service",), samples, is_counter=True)


_OF_ROUTE: Final = ("service", "route", "http_route")

_OF_ANSWER: Final = ("http_request_method", "http_response_status_code", "url_scheme", "error_type")
"""A label that is empty is one that is not there."""

_ENDS: Final = [*(str(end) for end in BOUNDS), "+Inf"]

_PER_ROUTE: Final[tuple[tuple[str, str, Callable[[RouteCounts], int]], ...]] = (
    ("etamil_http_rate_limited", "Requests beyond the rate of a client.", lambda route: route.limited),
    ("etamil_http_timeouts", "Requests that took too long.", lambda route: route.timeouts),
    ("etamil_http_gone", "Requests whose client left before the answer.", lambda route: route.gone),
)

_PLAIN: Final[tuple[tuple[str, str, bool, Callable[[EdgeMetrics], int]], ...]] = (
    ("http_server_active_requests", "Requests under way now.", False, lambda m: m.in_flight),
    ("etamil_http_connections", "Connections that are open now.", False, lambda m: m.connections_open),
    ("etamil_http_connections_accepted", "Connections taken.", True, lambda m: m.connections_accepted),
    ("etamil_http_connections_refused", "Connections beyond a limit.", True, lambda m: m.connections_refused),
    ("etamil_http_received_bytes", "Bytes of bodies that clients have sent.", True, lambda m: m.bytes_in),
    ("etamil_http_sent_bytes", "Bytes that were sent to clients.", True, lambda m: m.bytes_out),
    ("etamil_http_websockets", "WebSockets that are open now.", False, lambda m: m.websockets_open),
    ("etamil_http_streams", "Event streams that are open now.", False, lambda m: m.streams_open),
)

_OF_LIVES: Final[dict[type[Event], tuple[str, str]]] = {
    ActorStarted: ("etamil_actors_started", "Lives of actors that became ready."),
    ActorCrashed: ("etamil_actors_crashed", "Lives of actors that ended with an error."),
    ActorRestarted: ("etamil_actors_restarted", "Lives of actors that a supervisor has begun again."),
    ActorStopped: ("etamil_actors_stopped", "Actors that have ended for good."),
}


def _labels(route: RouteCounts) -> Labels:
    return route.service, route.id, route.name


def _family(
    name: str, words: str, labels: Sequence[str], samples: Samples, *, is_counter: bool = False
) -> Metric:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    family = (CounterMetricFamily if is_counter else GaugeMetricFamily)(name, words, labels=labels)
    for values, count in samples:
        family.add_metric(values, count)
    return family


# ── the text ─────────────────────────────────────────────────────────────────────────────────────

PLAIN_TEXT: Final = b"text/plain; version=0.0.4; charset=utf-8"
AT_ONCE: Final = 400
"""So many samples are made into text before others have their turn: a few milliseconds."""

OPENMETRICS: Final = b"application/openmetrics-text; version=1.0.0; charset=utf-8"


class MetricsPage:
    """What ``/metrics`` answers: the edge's own numbers, those of the process, and whoever else's.

    prometheus_client is imported when this is made, so it is made by whoever serves the page.
    """

    def __init__(self, metrics: EdgeMetrics, actors: ActorCounts, looks: Sequence[Look] = ()) -> None:
        from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector

        # Not the library's own registry: what others register there is their affair.
        self._registry = CollectorRegistry(auto_describe=True)
        self.add(EdgeCollector(metrics, actors, looks))
        self.add(ProcessCollector(registry=None))
        self.add(PlatformCollector(registry=None))

    def add(self, collector: Any) -> None:
        """Tell the numbers of another collector, too: anything with a ``collect`` as EdgeCollector has one.

        Raises:
            ValueError: it names numbers that are told already.
        """
        self._registry.register(collector)

    def text(self, accept: bytes = b"") -> tuple[bytes, bytes]:
        """The content type and the text, in the format that the client understands best."""
        kind, pieces = self._pieces(accept)
        return kind, b"".join(pieces)

    def families(self) -> Iterator[Metric]:
        """All numbers, before they are text."""
        return iter(self._registry.collect())

    async def text_in_turns(
        self, accept: bytes = b"", families: Iterable[Metric] | None = None
    ) -> tuple[bytes, bytes]:
        """The same, letting others have their turn: the text of many routes takes a while. Perhaps of other
        families than its own."""
        kind, pieces = self._pieces(accept, families)
        made = []
        for piece in pieces:
            made.append(piece)
            await trio.lowlevel.checkpoint()
        return kind, b"".join(made)

    def _pieces(
        self, accept: bytes, families: Iterable[Metric] | None = None
    ) -> tuple[bytes, Iterator[bytes]]:
        from prometheus_client.exposition import generate_latest
        from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

        # The library's own choice takes the version from the request into a header of the answer.
        told = self.families() if families is None else families
        if wants_openmetrics(accept):
            return OPENMETRICS, self._written(told, generate_openmetrics, b"# EOF\n")
        return PLAIN_TEXT, self._written(told, generate_latest, b"")

    @staticmethod
    def _written(
        families: Iterable[Metric], generate: Callable[[Any], bytes], end: bytes
    ) -> Iterator[bytes]:
        for family in families:
            is_first = True
            for part in _parts(family):
                text = generate(_One(part)).removesuffix(end)
                yield text if is_first else _without_head(text)
                is_first = False
        yield end


class _One:
    """A registry with one family."""

    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> Iterator[Metric]:
        yield self._family


def _parts(family: Metric) -> Iterator[Metric]:
    """A family in parts that take no longer than a turn may."""
    samples = family.samples
    if len(samples) <= AT_ONCE or any(sample.name.endswith("_created") for sample in samples):
        yield family  # moments of creation stand together behind the others, in a family of their own
        return
    for start in range(0, len(samples), AT_ONCE):
        part = copy(family)
        part.samples = samples[start : start + AT_ONCE]
        yield part


def _without_head(text: bytes) -> bytes:
    while text.startswith(b"# "):
        text = text.partition(b"\n")[2]
    return text


def wants_openmetrics(accept: bytes) -> bool:
    """Does an ``Accept`` field like OpenMetrics at least as much as plain text?"""
    likes = {b"application/openmetrics-text": 0.0, b"text/plain": 0.0}
    for choice in accept[:4096].split(b","):
        kind, *parameters = [part.strip().lower() for part in choice.split(b";")]
        if kind in likes:
            likes[kind] = max(likes[kind], _quality(parameters))
    return likes[b"application/openmetrics-text"] >= max(likes[b"text/plain"], 1e-9)


def _quality(parameters: list[bytes]) -> float:
    for parameter in parameters:
        if parameter.startswith(b"q="):
            try:
                return min(max(float(parameter[2:]), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0
