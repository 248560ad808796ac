"""What every cache has: a name, the values that are being computed, and what is counted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakValueDictionary

from etamil_actors.actors.caches.flights import Flight
from etamil_actors.actors.locks import Holder
from etamil_actors.errors import Fault
from etamil_actors.vm.values import Handle, Value

if TYPE_CHECKING:
    from etamil_actors.actors.caches.shared import Claims


class CacheFacts(NamedTuple):
    """A cache at this moment, for metrics. Counts are since it was made."""

    entries: int | None
    """How many values it holds; nothing when only its server knows."""
    bytes: int | None
    """About how much memory they take."""
    hits: int
    misses: int
    evicted: int
    """Values that had to go because there was no room for them."""
    computed: int


class Cache(Handle):
    """See the top of the file."""

    __slots__ = ("__weakref__", "computed", "evicted", "flights", "hits", "misses", "name", "ttl")

    kind = "a cache"

    def __init__(self, name: str, ttl: float | None) -> None:
        self.name = name
        self.ttl = ttl
        """Seconds that a value is kept when nothing else is said; nothing for as long as there is room."""
        self.hits = 0
        self.misses = 0
        self.evicted = 0
        self.computed = 0
        self.flights: dict[str, Flight] = {}
        """By key: what is being computed now."""

    @property
    def text(self) -> str:
        return f"<கேச் {self.name}>"

    def __repr__(self) -> str:
        return f"<cache {self.name}>"

    def facts(self) -> CacheFacts:
        """What is known of it now."""
        return CacheFacts(None, None, self.hits, self.misses, self.evicted, self.computed)

    # ── computing ────────────────────────────────────────────────────────────────────────────────

    def flight(self, key: str) -> Flight:
        """The value of this key as it is computed, perhaps from now on."""
        flight = self.flights.get(key)
        if flight is None:
            flight = self.flights[key] = Flight(f"{self.name}: {key}")
        return flight

    def is_current(self, key: str, flight: Flight) -> bool:
        """Is what comes of it still wanted? Not once the key was written or forgotten meanwhile."""
        return self.flights.get(key) is flight

    def land(self, key: str, flight: Flight, party: Holder, value: Value, fault: Fault | None = None) -> None:
        """There is a value now, or an error that everybody who waits is to get."""
        if self.is_current(key, flight):
            del self.flights[key]
        flight.land(party, value, fault)

    def give_up(self, key: str, flight: Flight, party: Holder) -> None:
        """Computing has ended with nothing: the next one who waits shall try."""
        if self.is_current(key, flight) and not flight.waiting:
            del self.flights[key]
        flight.release(party)

    def forget_flight(self, key: str) -> None:
        """The key was written or forgotten: those who wait get what they wait for, and nobody else does."""
        if self.flights:
            self.flights.pop(key, None)


class CacheBook:
    """The caches of a process, the first to be made first. It keeps none of them alive."""

    __slots__ = ("_caches", "_made", "claims")

    def __init__(self) -> None:
        self.claims: Claims | None = None
        """Who renews what is claimed in Redis, once there is such a cache."""
        self._caches: WeakValueDictionary[int, Cache] = WeakValueDictionary()
        self._made = 0

    def add(self, cache: Cache) -> None:
        """Know this one, too."""
        self._made += 1
        self._caches[self._made] = cache

    def __iter__(self) -> Iterator[Cache]:
        return iter(list(self._caches.values()))

    def __len__(self) -> int:
        return len(self._caches)
