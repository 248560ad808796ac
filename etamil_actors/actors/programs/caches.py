"""Words of caches (EXTENSIONS §10). Those of Redis are in ``redis_words.py``.

A cache is in memory, or in Redis when it is given a ``url``; the words are the same. ``கேச்_கணக்கிடு`` lets
one activity compute and the others wait for it (``caches/flights.py``); in Redis one process besides
(``caches/shared.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final
from unicodedata import normalize

import trio

from etamil_actors.actors.caches.base import Cache
from etamil_actors.actors.caches.flights import Flight
from etamil_actors.actors.caches.memory import MOST_ENTRIES, MemoryCache
from etamil_actors.actors.moments import after
from etamil_actors.actors.programs.redis_words import Asking, client_of
from etamil_actors.actors.programs.words import block, duration, expect, word
from etamil_actors.errors import Fault
from etamil_actors.ports.redis import RedisSettings
from etamil_actors.vm.blocks import Turn, Word
from etamil_actors.vm.convert import text_of
from etamil_actors.vm.options import count_of, option_named, read_options, seconds_of, text_option
from etamil_actors.vm.traces import fault_of
from etamil_actors.vm.values import UNSET, Err, Value

if TYPE_CHECKING:
    from etamil_actors.actors.caches.shared import RedisCache
    from etamil_actors.actors.programs.activity import Activity
    from etamil_actors.actors.programs.system import System

SETTLE_SECONDS: Final = 3.0
"""How long putting a computed value into Redis may hold up its end."""


@word("_cache")
def make_cache(activity: Activity, given: Value = None) -> Value:
    """கேச்_உருவாக்கு([options])."""
    options = read_options(given, "_cache")
    ttl = seconds_of(options, "ttl", "_cache")
    most = count_of(options, "max_size", "_cache", MOST_ENTRIES)
    name = text_option(options, "name", "_cache")
    url = text_option(options, "url", "_cache")
    service = activity.service
    name = normalize("NFC", name) if name else None
    if url is not None and name is None and service.template is not None:
        raise _never_found_again()
    place = name or service.next_place("கேச்")
    cache: Cache
    if url is None:
        now = trio.lowlevel.current_clock().current_time
        cache = MemoryCache(place, now, ttl=ttl, most_entries=most)
    else:
        cache = _in_redis(service.system, name or f"{service.name}:{place}", url, ttl)
        if "max_size" in options:
            service.system.keeper.tell(
                f"கேச் {place}: max_size ரெடிஸில் பொருந்தாது; அங்கே maxmemory உள்ளது",
                f"cache {place}: max_size means nothing in Redis; set maxmemory there",
            )
    service.system.caches.add(cache)
    return cache


def _never_found_again() -> Fault:
    """Without a name it is told apart by how many came before it. At the top level that is the same every
    time; elsewhere each run would have a new one, with nothing in it."""
    return Fault(
        "value.invalid",
        name=option_named("_cache", "name"),
        problem_ta="ஒவ்வொரு ஓட்டத்திலும் புதிதாக ஆக்கப்படும் ரெடிஸ் கேச்சுக்குப் பெயர் தேவை; இல்லையேல் அடுத்த முறை"
        ' அதில் எதுவும் இருக்காது; {"பெயர்": "விலைகள்", "url": …} என எழுதவும், அல்லது சேவை தொடங்கும்போது'
        " மேல்நிலையில் ஒருமுறை ஆக்கவும்",
        problem_en="a cache in Redis that is made in every run needs a name, or the next run finds nothing in"
        ' it; write {"name": "prices", "url": …}, or make it once, at the top level of a service',
    )


def _in_redis(system: System, name: str, url: str, ttl: float | None) -> Cache:
    from etamil_actors.actors.caches.shared import Claims, RedisCache

    redis = client_of(system, RedisSettings(url=url), "_cache")
    book = system.caches
    if book.claims is None:
        book.claims = Claims(system.keeper, system.ports.random)
    return RedisCache(name, redis, book.claims, ttl=ttl)


def a_cache(value: Value, key: str) -> Cache:
    """This value, which must be a cache."""
    return expect(Cache, value, key, "ஒரு கேச்", "a cache")


def _shared(activity: Activity, target: Value, key: str) -> tuple[RedisCache, Asking]:
    """This value, which must be a cache, and is none in memory; and who asks its server."""
    cache: Any = a_cache(target, key)
    return cache, Asking(activity, cache.redis)


# ---- one value ------------------------------------------------------------------------


@word("_cacheGet")
def get(activity: Activity, target: Value, key: Value, default: Value = None) -> Any:
    """கேச்_பெறு(c, k [, default])."""
    if type(key) is not str:
        key = text_of(key)
    if type(target) is MemoryCache:
        return target.get(key, activity.machine, default)
    cache, ask = _shared(activity, target, "_cacheGet")
    return cache.get(key, ask, default)


@word("_cacheSet")
def keep(activity: Activity, target: Value, key: str, value: Value, ttl: Value = None) -> Any:
    """கேச்_அமை(c, k, v [, ttl])."""
    seconds = None if ttl is None else duration(ttl, "_cacheSet")
    if type(target) is MemoryCache:
        target.forget_flight(key)
        target.keep(key, value, seconds, activity.service.image)
        return None
    cache, ask = _shared(activity, target, "_cacheSet")
    return cache.keep(key, value, seconds, ask)


@word("_cacheDelete")
def delete(activity: Activity, target: Value, key: str) -> Any:
    """கேச்_நீக்கு(c, k): was it there?"""
    if type(target) is MemoryCache:
        target.forget_flight(key)
        return target.remove(key)
    cache, ask = _shared(activity, target, "_cacheDelete")
    return cache.remove(key, ask)


@word("_cacheClear")
def clear(activity: Activity, target: Value) -> Any:
    """கேச்_காலி(c)."""
    if type(target) is MemoryCache:
        return target.clear()
    cache, ask = _shared(activity, target, "_cacheClear")
    return cache.clear(ask)


# ---- computed once --------------------------------------------------------------------


@block("_cacheCompute")
def compute(activity: Activity, target: Value, key: Value) -> Any:
    """கேச்_கணக்கிடு(c, k) { … }"""
    if type(key) is not str:
        key = text_of(key)
    if type(target) is not MemoryCache:
        return _compute_shared(activity, *_shared(activity, target, "_cacheCompute"), key)
    found = target.get(key, activity.machine, UNSET)
    if found is not UNSET:
        return Found(found)
    flight = target.flight(key)
    if flight.try_acquire(activity):
        return Computing(activity, target, key, flight)
    return _wait(activity, target, key, flight)


async def _wait(activity: Activity, cache: MemoryCache, key: str, flight: Flight) -> Word:
    """Somebody computes it: have what comes of it, or be the next to compute."""
    if not await flight.join(activity):
        return _landed(activity, flight)
    try:
        found = cache.get(key, activity.machine, UNSET)  # it may have been written meanwhile
    except BaseException:  # what was written may be nothing for this program
        cache.give_up(key, flight, activity)
        raise
    if found is UNSET:
        return Computing(activity, cache, key, flight)
    cache.land(key, flight, activity, found)
    return Found(found)


async def _compute_shared(activity: Activity, cache: RedisCache, ask: Asking, key: str) -> Word:
    found = await cache.get(key, ask, UNSET)
    if found is not UNSET:
        return Found(found)
    flight = cache.flight(key)
    if not await flight.join(activity):
        return _landed(activity, flight)
    try:
        is_found, found = await cache.claim(key, flight, activity, ask)
    except BaseException:
        cache.give_up(key, flight, activity)
        raise
    if is_found:
        cache.land(key, flight, activity, found)
        return Found(found)
    return ComputingShared(activity, cache, key, flight, ask)


def _landed(activity: Activity, flight: Flight) -> Word:
    """What somebody else has computed. Raises: Fault, theirs."""
    if flight.fault is not None:
        raise _again(flight.fault)
    assert activity.machine is not None
    return Found(activity.machine.adopt(flight.value))


def _again(fault: Fault) -> Fault:
    """The same error with a place and trace of its own."""
    return Fault(fault.code, tamil=fault.tamil, english=fault.english, details=fault.details)


_NO_TURNS: Final[Iterator[Turn]] = iter(())
"""It is at its end, for everybody."""


class Found(Word):
    """A block that need not run."""

    def __init__(self, value: Value) -> None:
        self.answer = value

    def __iter__(self) -> Iterator[Turn]:
        return _NO_TURNS


class Computing(Word):
    """A block that computes a value for everybody who waits for it."""

    def __init__(self, activity: Activity, cache: Cache, key: str, flight: Flight) -> None:
        super().__init__()
        self.activity = activity
        self.cache: Any = cache
        self.key = key
        self.flight = flight

    def __iter__(self) -> Iterator[Turn]:
        yield ComputingTurn(self)

    def keep(self, value: Value) -> None:
        """Keep it, unless it was written or forgotten while it was computed."""
        if self.cache.is_current(self.key, self.flight):
            self.cache.keep(self.key, value, None, self.activity.service.image)

    def forgo(self) -> None:
        """There is nothing to keep."""


class ComputingShared(Computing):
    """The same for a cache in Redis, where a claim has to be given back."""

    def __init__(self, activity: Activity, cache: RedisCache, key: str, flight: Flight, ask: Asking) -> None:
        super().__init__(activity, cache, key, flight)
        self._ask = ask

    def keep(self, value: Value) -> None:
        """Keep it, if the claim is still there. Raises: Fault, JSON cannot say it."""
        from etamil_actors.actors.caches.shared import encoded

        try:
            text = encoded(value)
        except Fault:
            self.forgo()
            raise
        self.activity.wait(self._settle(text))

    def forgo(self) -> None:
        """Give back the claim."""
        self.activity.wait(self._settle(None))

    async def _settle(self, text: bytes | None) -> None:
        cache, key = self.cache, self.key
        problem_ta, problem_en = "நேரம் போதவில்லை", "it took too long"
        with trio.CancelScope(shield=True, deadline=after(SETTLE_SECONDS)):
            try:
                await cache.settle(key, self.flight, text, self._ask)
                return
            except Fault as fault:
                problem_ta, problem_en = fault.tamil, fault.english
        # The program has its value all the same.
        self.activity.service.system.keeper.tell(
            f"கேச் {cache.name}: கணக்கிட்டதை வைக்க முடியவில்லை: {problem_ta}",
            f"cache {cache.name}: what was computed cannot be kept: {problem_en}",
        )


class ComputingTurn(Turn):
    """The one run of the block. It has an answer when its last statement was reached and is one that has."""

    __slots__ = ()

    word: Computing

    def __init__(self, word: Computing) -> None:
        super().__init__(word)
        self.answer = UNSET

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> bool:
        word = self.word
        cache, key, flight, activity = word.cache, word.key, word.flight, word.activity
        value, self.answer = self.answer, None if self.answer is UNSET else self.answer
        is_done = False
        try:
            if isinstance(problem, Exception):
                word.forgo()
                cache.land(key, flight, activity, None, _fault(activity, problem))
            elif problem is None and value is not UNSET:
                try:
                    if type(value) is Err:
                        word.forgo()
                    else:
                        word.keep(value)
                except Fault as refused:
                    cache.land(key, flight, activity, None, _again(refused))
                    is_done = True
                    raise
                cache.computed += 1
                cache.land(key, flight, activity, value)
            else:  # it was left, or is being ended
                word.forgo()
                cache.give_up(key, flight, activity)
            is_done = True
        finally:
            if not is_done:
                cache.give_up(key, flight, activity)
        return word.ended(self, problem)


def _fault(activity: Activity, problem: Exception) -> Fault:
    """The error as those who wait get it. The one that is on its way keeps its trace to itself."""
    if isinstance(problem, Fault):
        return _again(problem)
    machine = activity.machine
    assert machine is not None
    return _again(fault_of(problem, machine.program.files, machine.depth))
