"""What ``/metrics`` looks up when it is asked: the tree, channels, jobs, pools, caches, breakers.

Nothing is counted here, and nothing of it costs anything as long as nobody asks. What stands behind names
that programs make is bounded: so many of a kind are told apart, and the rest are one row, called ``…``.

The tree may have a hundred thousand actors, so it is walked in turns, before the text is made (``Survey``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import trio

from etamil_actors.edge.metrics import Labels, Look, Samples, dead_letters, number, service_of

if TYPE_CHECKING:
    from etamil_actors.actors.programs.system import System

MOST: Final = 200
"""So many names of a kind are told apart."""

OTHERS: Final = "…"

AT_ONCE: Final = 2_000
"""So many actors are looked at before others have their turn."""


class Survey:
    """The actors of the tree at one moment, by service."""

    def __init__(self) -> None:
        self.actors: dict[str, int] = {}
        self.waiting: dict[str, int] = {}
        """Messages in mailboxes."""
        self.oldest: dict[str, float] = {}
        """Seconds since the oldest of them came."""

    async def look(self, system: System) -> None:
        """Walk the tree."""
        actors: dict[str, int] = {}
        waiting: dict[str, int] = {}
        oldest: dict[str, float] = {}
        for number_of, actor in enumerate(system.tree.registry):
            service = service_of(actor.path)
            actors[service] = actors.get(service, 0) + 1
            mailbox = actor.mailbox
            if mailbox.depth:
                waiting[service] = waiting.get(service, 0) + mailbox.depth
                oldest[service] = max(oldest.get(service, 0.0), mailbox.oldest_age)
            if number_of % AT_ONCE == AT_ONCE - 1:
                await trio.lowlevel.checkpoint()
        self.actors = actors
        self.waiting = {service: waiting.get(service, 0) for service in actors}
        self.oldest = {service: oldest.get(service, 0.0) for service in actors}


def rows(samples: Iterable[tuple[Labels, float]], most: int = MOST) -> Samples:
    """Samples, bounded; what has one name is one row."""
    found: dict[Labels, float] = {}
    for labels, value in samples:
        if labels not in found and len(found) >= most:
            labels = (OTHERS,) * len(labels)
        found[labels] = found.get(labels, 0.0) + value
    return found.items()


def looks_of(system: System, survey: Survey) -> Sequence[Look]:
    """All that is looked up."""
    return (
        *_tree(system, survey),
        *_channels(system),
        *_jobs(system),
        *_pools(system),
        *_redis(system),
        *_caches(system),
        *_breakers(system),
        *_watching(system),
    )


def _look(
    name: str,
    words: str,
    labels: Labels,
    look: Callable[[], Iterable[tuple[Labels, float]]],
    *,
    is_counter: bool = False,
) -> Look:
    return Look(name, words, is_counter, labels, lambda: rows(look()))


# ── the tree ─────────────────────────────────────────────────────────────────────────────────────


def _tree(system: System, survey: Survey) -> Iterator[Look]:
    def by_service(name: str, words: str, found: Callable[[], dict[str, Any]]) -> Look:
        return _look(name, words, ("service",), lambda: [((key,), n) for key, n in found().items()])

    yield by_service("etamil_actors", "Actors that are there now.", lambda: survey.actors)
    yield by_service("etamil_mailbox_messages", "Messages in mailboxes now.", lambda: survey.waiting)
    yield by_service(
        "etamil_mailbox_oldest_seconds",
        "How long the message has waited that has waited longest in a mailbox.",
        lambda: survey.oldest,
    )
    yield dead_letters(system.tree.dead_letters)


def _jobs(system: System) -> Iterator[Look]:
    labels = ("service", "job")
    runs = system.runs.jobs

    yield _look("etamil_job_runs", "Runs of jobs that have ended.", labels,
                lambda: [(key, job.runs) for key, job in runs.items()], is_counter=True)  # fmt: skip
    yield _look("etamil_job_failed_runs", "Runs of jobs that ended with an error.", labels,
                lambda: [(key, job.failed) for key, job in runs.items()], is_counter=True)  # fmt: skip
    yield _look("etamil_job_seconds", "Time that runs of jobs took.", labels,
                lambda: [(key, job.seconds) for key, job in runs.items()], is_counter=True)  # fmt: skip
    yield _look("etamil_job_running", "Runs of jobs under way now.", labels,
                lambda: [(key, job.running) for key, job in runs.items()])  # fmt: skip


# ── channels ─────────────────────────────────────────────────────────────────────────────────────

_OF_CHANNELS: Final = (
    ("etamil_channel_messages", "Messages that wait in a channel.", "pending", False),
    ("etamil_channel_sleeping", "Messages of a channel that are not due yet.", "sleeping", False),
    ("etamil_channel_unsettled", "Messages of a channel in somebody's hands.", "unsettled", False),
    ("etamil_channel_waiting_senders", "Senders that wait for room in a channel.", "waiting_senders", False),
    ("etamil_channel_dropped", "Messages that a channel has dropped.", "dropped", True),
)


def _channels(system: System) -> Iterator[Look]:
    for name, words, what, is_counter in _OF_CHANNELS:

        def look(what: str = what) -> Iterator[tuple[Labels, float]]:
            for channel in system.channels.channels:
                count = getattr(channel, what, None)
                if count is not None and channel.global_name is not None:
                    yield (channel.name,), count

        yield _look(name, words, ("channel",), look, is_counter=is_counter)
    yield number(
        "etamil_channel_dead_letters",
        "Messages in channels of memory that nobody will handle.",
        system.letters.count,
        is_counter=True,
    )


# ── what is opened ───────────────────────────────────────────────────────────────────────────────

_POOL: Final = "db_client_connection_pool_name"


def _pools(system: System) -> Iterator[Look]:
    """In the words of OpenTelemetry's conventions for databases, where they have one."""

    def each(read: Callable[[Any, Any], float]) -> Callable[[], Iterator[tuple[Labels, float]]]:
        def look() -> Iterator[tuple[Labels, float]]:
            databases = system.ports.databases
            for pool in databases.pools() if databases is not None else ():
                yield (pool.settings.name,), read(pool.facts(), pool.settings)

        return look

    def by_state() -> Iterator[tuple[Labels, float]]:
        databases = system.ports.databases
        for pool in databases.pools() if databases is not None else ():
            facts, name = pool.facts(), pool.settings.name
            yield (name, "used"), facts.leased
            yield (name, "idle"), max(facts.open - facts.leased, 0)

    yield _look("db_client_connection_count", "Connections of a pool, by what they do.",
                (_POOL, "db_client_connection_state"), by_state)  # fmt: skip
    yield _look("db_client_connection_max", "Connections that a pool may have.", (_POOL,),
                each(lambda facts, settings: settings.most))  # fmt: skip
    yield _look("db_client_connection_pending_requests", "Activities that wait for a connection.", (_POOL,),
                each(lambda facts, settings: facts.waiting))  # fmt: skip
    yield _look("db_client_connection_timeouts", "Activities that waited too long for a connection.",
                (_POOL,), each(lambda facts, settings: facts.timed_out), is_counter=True)  # fmt: skip
    yield _look("etamil_db_connections_opened", "Connections that a pool has opened.", (_POOL,),
                each(lambda facts, settings: facts.opened), is_counter=True)  # fmt: skip
    yield _look("etamil_db_connections_failed", "Connections that could not be opened.", (_POOL,),
                each(lambda facts, settings: facts.failed), is_counter=True)  # fmt: skip


def _redis(system: System) -> Iterator[Look]:
    def each(what: str) -> Callable[[], Iterator[tuple[Labels, float]]]:
        def look() -> Iterator[tuple[Labels, float]]:
            servers = system.ports.redis
            for client in servers.clients() if servers is not None else ():
                yield (client.name,), getattr(client.facts(), what)

        return look

    for name, words, what, is_counter in (
        ("etamil_redis_connections", "Connections to Redis.", "open", False),
        ("etamil_redis_connections_busy", "Connections to Redis with a command under way.", "busy", False),
        ("etamil_redis_waiting", "Commands that wait for a connection to Redis.", "waiting", False),
        ("etamil_redis_connections_opened", "Connections to Redis since the start.", "opened", True),
        ("etamil_redis_connections_failed", "Those that were thrown away after trouble.", "failed", True),
    ):
        yield _look(name, words, ("server",), each(what), is_counter=is_counter)


def _caches(system: System) -> Iterator[Look]:
    def each(what: str) -> Callable[[], Iterator[tuple[Labels, float]]]:
        def look() -> Iterator[tuple[Labels, float]]:
            for cache in system.caches:
                count = getattr(cache.facts(), what)
                if count is not None:  # only its server knows
                    yield (cache.name,), count

        return look

    for name, words, what, is_counter in (
        ("etamil_cache_entries", "Values in a cache.", "entries", False),
        ("etamil_cache_bytes", "About how much memory they take.", "bytes", False),
        ("etamil_cache_hits", "Values that a cache had.", "hits", True),
        ("etamil_cache_misses", "Values that a cache did not have.", "misses", True),
        ("etamil_cache_evicted", "Values for which there was no room any more.", "evicted", True),
        ("etamil_cache_computed", "Values that were computed for a cache.", "computed", True),
    ):
        yield _look(name, words, ("cache",), each(what), is_counter=is_counter)


def _breakers(system: System) -> Iterator[Look]:
    def is_open() -> Iterator[tuple[Labels, float]]:
        for breaker in system.breakers:
            yield (breaker.name,), breaker.state.value != "closed"

    def opened() -> Iterator[tuple[Labels, float]]:
        for breaker in system.breakers:
            yield (breaker.name,), breaker.opened

    def refused() -> Iterator[tuple[Labels, float]]:
        for breaker in system.breakers:
            yield (breaker.name,), breaker.refused

    label = ("breaker",)
    yield _look("etamil_breaker_open", "Is a circuit breaker open (1), or half open?", label, is_open)
    yield _look("etamil_breaker_opened", "How often a circuit breaker has opened.", label, opened,
                is_counter=True)  # fmt: skip
    yield _look("etamil_breaker_refused", "Calls that a circuit breaker has refused.", label, refused,
                is_counter=True)  # fmt: skip


# ── those who watch ──────────────────────────────────────────────────────────────────────────────


def _watching(system: System) -> Iterator[Look]:
    def of_tracer(what: str) -> Callable[[], float]:
        return lambda: getattr(getattr(system.tracer, "sender", None), what, 0)

    yield number("etamil_spans_sent", "Spans that the collector has got.", of_tracer("sent"),
                 is_counter=True)  # fmt: skip
    yield number("etamil_spans_lost", "Spans that could not be sent.", of_tracer("lost"),
                 is_counter=True)  # fmt: skip
    yield number("etamil_numbers_lost", "Numbers of programs that were not kept.",
                 lambda: getattr(system.numbers, "lost", 0), is_counter=True)  # fmt: skip
