"""Words of caches and of Redis (EXTENSIONS §10, REFERENCE §25)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from etamil_actors.actors.caches.base import Cache
from etamil_actors.actors.caches.memory import MOST_ENTRIES, MemoryCache
from etamil_actors.actors.programs.words import expect, word
from etamil_actors.vm.options import count_of, read_options, seconds_of, text_option
from etamil_actors.vm.values import Value

if TYPE_CHECKING:
    from etamil_actors.actors.programs.activity import Activity

# ---- caches ---------------------------------------------------------------------------


@word("_cache")
def make_cache(activity: Activity, given: Value = None) -> Value:
    """கேச்_உருவாக்கு([options])."""
    options = read_options(given, "_cache")
    ttl = seconds_of(options, "ttl", "_cache")
    name = text_option(options, "name", "_cache")
    most = count_of(options, "max_size", "_cache", MOST_ENTRIES)
    cache: Cache = MemoryCache(
        name or activity.service.next_place("கேச்"), trio.current_time, ttl=ttl, most_entries=most
    )
    activity.service.system.caches.add(cache)
    return cache


def a_cache(value: Value, key: str) -> Cache:
    """This value, which must be a cache."""
    return expect(Cache, value, key, "ஒரு கேச்", "a cache")


@word("_cacheGet")
def get(activity: Activity, target: Value, key: str, default: Value = None) -> Any:
    """கேச்_பெறு."""
    machine = activity.machine
    assert machine is not None
    if type(target) is MemoryCache:
        return target.get(key, machine, default)
    raise NotImplementedError
@word("_cacheSet")
def keep(activity: Activity, target: Value, key: str, value: Value, ttl: Value = None) -> Any:
    """கேச்_அமை."""
    machine = activity.machine
    assert machine is not None
    target.keep(key, value, None, machine.image)
