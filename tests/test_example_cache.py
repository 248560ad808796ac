"""``examples/25_cache.qmz``, started as a person would: in memory, and by one variable in Redis."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

import pytest

from etamil_actors.testing import Service, run_service
from tests.resources.servers import own_server
from tests.test_examples_http import PATIENCE, Answer, Running

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "25_cache.qmz"

Start = Callable[..., Running]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts the example, and sees to it that it has ended in order."""
    started: list[Running] = []

    def begin(**environment: str) -> Running:
        started.append(Running(EXAMPLE.name, **environment))
        return started[-1]

    yield begin
    assert [one.stop() for one in started] == [0] * len(started)


def many(shop: Running, path: str, count: int = 20) -> list[Answer]:
    """So many ask at once."""
    with ThreadPoolExecutor(count) as people:
        return list(people.map(lambda _: shop.ask("GET", path), range(count)))


def journeys(shop: Running) -> int:
    return int(shop.ask("GET", "/journeys").json["journeys"])


def look(shop: Running, price: str) -> None:
    """Many ask, the price changes, many ask again."""
    answers = many(shop, "/prices/pen")
    assert {answer.status for answer in answers} == {200}
    assert {answer.text for answer in answers} == {f'{{"name":"pen","price":{price}}}'}


def test_one_goes_however_many_ask(start: Start) -> None:
    shop = start()
    look(shop, "12.50")
    look(shop, "12.50")
    assert journeys(shop) == 1
    assert shop.send_json("PUT", "/prices/pen", {"price": 15.25}).status == 204
    look(shop, "15.25")
    assert journeys(shop) == 2


def test_an_error_reaches_all_who_wait_and_is_not_kept(start: Start) -> None:
    shop = start()
    assert {answer.status for answer in many(shop, "/prices/gold")} == {404}
    before = journeys(shop)
    assert shop.send_json("PUT", "/prices/gold", {"price": 6000}).status == 204
    assert shop.ask("GET", "/prices/gold").json == {"name": "gold", "price": 6000}
    assert journeys(shop) == before + 1


def test_in_redis_processes_share_it_and_the_service_outlives_the_server(start: Start) -> None:
    with own_server("redis") as server:
        first, second = start(CACHE_URL=server.url), start(CACHE_URL=server.url)
        look(first, "12.50")
        look(second, "12.50")
        assert (journeys(first), journeys(second)) == (1, 0)
        server.stop()
        away = first.ask("GET", "/prices/pen", Accept_Language="en")
        assert (away.status, away.headers["retry-after"]) == (503, "1")
        assert server.url.removeprefix("redis://") not in away.text
        server.start()
        until = monotonic() + PATIENCE
        while first.ask("GET", "/prices/pen").status != 200 and monotonic() < until:
            pass
        look(first, "12.50")


@pytest.mark.parametrize("seed", range(3))
def test_it_runs_in_simulation_with_a_simulated_server(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(service: Service) -> None:
        first = await service.request("GET", "/prices/ink")
        second = await service.request("GET", "/prices/ink")
        assert (first.status, second.status) == (200, 200)
        counted = await service.request("GET", "/journeys")
        assert counted.body == b'{"journeys":1}'
        assert service.findings == []

    run_service(EXAMPLE.read_text(encoding="utf-8"), scenario, seed=seed, environment={"CACHE_URL": "redis://r"})
