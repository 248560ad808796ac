"""What ``/metrics`` looks up: the tree, channels, jobs, pools, caches, breakers, as Prometheus reads them."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from prometheus_client.parser import text_string_to_metric_families as read_plain

from etamil_actors.edge.looks import MOST, OTHERS, rows
from etamil_actors.ports.databases import PoolFacts, PoolSettings
from etamil_actors.ports.redis import RedisFacts
from etamil_actors.testing import Service, run_service
from etamil_actors.testing.requests import send

SHOP = """
சே = சேனல்_உருவாக்கு("கூடை", {"கொள்ளளவு": 5});
முகவர் அ() { செய்தி உறங்கிடு() { உறங்கு(100); } }
க = அ();
கே = கேச்_உருவாக்கு {"பெயர்": "விலைகள்", "max_size": 100};
பணி_உருவாக்கு "மணி", {"every": 10} { அச்சு 1; }
பணி_உருவாக்கு "விழும்", {"every": 10, "தடவை": 1} { பிழை_எழுப்பு("x", "y"); }
வழி பெறு, "/a" {
    சேனல்_அனுப்பு(சே, 1); சேனல்_அனுப்பு(சே, 2);
    முகவர்_சொல்(க, "உறங்கிடு"); முகவர்_சொல்(க, "உறங்கிடு"); முகவர்_சொல்(க, "உறங்கிடு");
    கேச்_பெறு(கே, "இல்லை"); கேச்_அமை(கே, "k", 1); கேச்_பெறு(கே, "k");
    முயல் { சுற்று_முறிப்பான்("வங்கி", {"தோல்விகள்": 1}) { பிழை_எழுப்பு("x", "y"); } } பிழை(e) { }
    பதில் 200, 1;
}
"""


class FakePool(NamedTuple):
    """A pool that is asked for nothing but its facts."""

    settings: PoolSettings
    found: PoolFacts

    def facts(self) -> PoolFacts:
        return self.found


class FakeRedis(NamedTuple):
    name: str
    found: RedisFacts

    def facts(self) -> RedisFacts:
        return self.found


class Opened(NamedTuple):
    """What has been opened, of either kind."""

    them: tuple[Any, ...]

    def pools(self) -> tuple[Any, ...]:
        return self.them

    clients = pools


def page_of(scenario: Any, text: str = SHOP) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample of the page after a scenario."""
    found: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}

    async def watched(service: Service) -> None:
        await scenario(service)
        answer = await send(service.system.site, "GET", "/metrics", None, b"")
        assert answer.status == 200
        for family in read_plain(bytes(answer.body).decode()):
            for sample in family.samples:
                key = sample.name, tuple(sorted(sample.labels.items()))
                assert key not in found, key
                found[key] = sample.value

    run_service(text, watched)
    return found


def test_the_page_tells_of_everything_that_a_service_has() -> None:
    async def scenario(service: Service) -> None:
        assert (await send(service.system.site, "GET", "/a", None, b"")).status == 200
        await service.advance(25)

    page = page_of(scenario)

    def value(name: str, **labels: str) -> float:
        return page[name, tuple(sorted(labels.items()))]

    assert value("etamil_channel_messages", channel="கூடை") == 2
    assert value("etamil_channel_waiting_senders", channel="கூடை") == 0
    assert value("etamil_mailbox_messages", service="t") == 2  # the first of three is at hand
    assert value("etamil_mailbox_oldest_seconds", service="t") == pytest.approx(25, abs=1)
    assert value("etamil_actors", service="t") >= 8
    assert value("etamil_job_runs_total", service="t", job="மணி") == 2
    assert value("etamil_job_failed_runs_total", service="t", job="மணி") == 0
    assert value("etamil_job_failed_runs_total", service="t", job="விழும்") == 2
    assert value("etamil_cache_hits_total", cache="விலைகள்") == 1
    assert value("etamil_cache_misses_total", cache="விலைகள்") == 1
    assert value("etamil_cache_entries", cache="விலைகள்") == 1
    assert value("etamil_breaker_open", breaker="வங்கி") == 1
    assert value("etamil_breaker_opened_total", breaker="வங்கி") == 1
    assert value("etamil_spans_lost_total") == 0


def test_pools_are_told_in_the_words_of_the_conventions_and_of_one_name_together() -> None:
    async def scenario(service: Service) -> None:
        pool = FakePool(PoolSettings(kind="sqlite", url="x", name="kadai", most=10), PoolFacts(5, 3, 2, 7, 1, 4))
        redis = FakeRedis("127.0.0.1:6379", RedisFacts(2, 1, 0, 5, 3))
        ports: Any = service.system.ports
        object.__setattr__(ports, "databases", Opened((pool, pool)))
        object.__setattr__(ports, "redis", Opened((redis,)))

    page = page_of(scenario, 'வழி பெறு, "/a" { பதில் 200, 1; }')
    pool = ("db_client_connection_pool_name", "kadai")
    assert page["db_client_connection_count", (pool, ("db_client_connection_state", "used"))] == 6
    assert page["db_client_connection_count", (pool, ("db_client_connection_state", "idle"))] == 4
    assert page["db_client_connection_max", (pool,)] == 20
    assert page["db_client_connection_pending_requests", (pool,)] == 4
    assert page["db_client_connection_timeouts_total", (pool,)] == 8
    assert page["etamil_redis_connections", (("server", "127.0.0.1:6379"),)] == 2
    assert page["etamil_redis_connections_failed_total", (("server", "127.0.0.1:6379"),)] == 3


def test_so_many_names_are_told_apart_and_the_rest_are_one_row() -> None:
    told = dict(rows(((str(number), "x"), 1.0) for number in range(MOST + 50)))
    assert len(told) == MOST + 1
    assert told[OTHERS, OTHERS] == 50
    assert sum(told.values()) == MOST + 50
