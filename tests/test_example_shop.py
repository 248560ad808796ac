"""The shop of ``examples/``: the same program on SQLite and on PostgreSQL, by one line of its configuration,
each started by ``up`` as a person would and asked over a real socket; and in a simulation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from etamil_actors.resources.system import SystemFiles
from etamil_actors.testing import OverlaidFiles, Service, run_service
from tests.resources.servers import url_of
from tests.test_examples_http import REPOSITORY, Running

SHOP = REPOSITORY / "examples" / "24_shop.qmz"
CONFIG = "24_shop/config.yaml"
PEN = {"name": "பேனா", "price": 12.5, "stock": 10}


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database, which is gone afterwards."""
    if request.param == "sqlite":
        yield f"sqlite:{tmp_path}/shop.db"
        return
    server = url_of("postgres")
    import psycopg

    name = f"shop_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
        try:
            yield f"{server}{'&' if '?' in server else '?'}options={quote(f'-c search_path={name}')}"
        finally:
            connection.execute(f"DROP SCHEMA {name} CASCADE")


@pytest.fixture
def shop(url: str) -> Iterator[Running]:
    """The shop, which ends in order."""
    running = Running(CONFIG, SHOP_DATABASE=url)
    yield running
    assert running.stop() == 0


def buy(shop: Running, *lines: tuple[str, Any], **headers: str) -> Any:
    wanted = {"customer": "மலர்", "lines": [{"code": code, "count": count} for code, count in lines]}
    return shop.send_json("POST", "/orders", wanted, **headers)


def stock_of(shop: Running, code: str) -> int:
    return int(shop.ask("GET", f"/items/{code}").json["stock"])


def test_items_are_put_shown_and_changed(shop: Running) -> None:
    assert shop.ask("GET", "/items").json == []
    assert shop.send_json("PUT", "/items/pen", PEN).status == 204
    assert shop.send_json("PUT", "/items/ink", {"name": "மை", "price": 0.1, "stock": 0}).status == 204
    assert shop.send_json("PUT", "/items/pen", {**PEN, "price": 13}).status == 204
    assert shop.ask("GET", "/items").json == [
        {"code": "ink", "name": "மை", "price": 0.1, "stock": 0},
        {"code": "pen", "name": "பேனா", "price": 13, "stock": 10},
    ]
    assert shop.ask("GET", "/items/pen").json == {"name": "பேனா", "price": 13, "stock": 10}
    missing = shop.ask("GET", "/items/stone")
    assert (missing.status, missing.json["code"]) == (404, "not_found")


def test_an_item_that_cannot_be_is_refused(shop: Running) -> None:
    for wrong in ({"stock": -1}, {"stock": 0.5}, {"price": -1}, {"name": None}, {"stock": 10**9}):
        assert shop.send_json("PUT", "/items/pen", {**PEN, **wrong}).status == 422, wrong
    assert shop.ask("GET", "/items").json == []


def test_what_clients_say_stays_a_value(shop: Running) -> None:
    evil = "x'; DROP TABLE items; --"
    assert shop.send_json("PUT", f"/items/{quote(evil)}", {**PEN, "name": evil}).status == 204
    assert shop.ask("GET", f"/items/{quote(evil)}").json["name"] == evil
    assert shop.ask("GET", f"/items/{quote('pen` OR 1=1')}").status == 404
    assert len(shop.ask("GET", "/items").json) == 1


def test_an_order_is_taken_from_the_stock_and_kept(shop: Running) -> None:
    shop.send_json("PUT", "/items/pen", PEN)
    shop.send_json("PUT", "/items/ink", {"name": "மை", "price": 0.1, "stock": 5})
    bought = buy(shop, ("pen", 3), ("ink", 2))
    assert bought.status == 201
    assert bought.json["total"] == 37.7
    assert (stock_of(shop, "pen"), stock_of(shop, "ink")) == (7, 3)
    assert shop.ask("GET", bought.headers["location"]).json == {
        "id": bought.json["id"], "customer": "மலர்", "total": 37.7,
        "lines": [{"code": "ink", "count": 2, "price": 0.1}, {"code": "pen", "count": 3, "price": 12.5}],
    }  # fmt: skip
    assert shop.ask("GET", "/orders/nothing").status == 404


def test_of_an_order_that_cannot_be_filled_nothing_is_taken(shop: Running) -> None:
    shop.send_json("PUT", "/items/ink", {"name": "மை", "price": 0.1, "stock": 5})
    shop.send_json("PUT", "/items/pen", PEN)
    refused = buy(shop, ("ink", 5), ("pen", 11))
    assert (refused.status, refused.json["code"]) == (409, "conflict")
    assert buy(shop, ("ink", 1), ("stone", 1)).status == 409
    assert buy(shop).status == 422
    assert buy(shop, ("pen", 0)).status == 422
    assert (stock_of(shop, "ink"), stock_of(shop, "pen")) == (5, 10)


def test_the_same_order_sent_twice_is_bought_once(shop: Running) -> None:
    shop.send_json("PUT", "/items/pen", PEN)
    first, second = (buy(shop, ("pen", 2), Idempotency_Key='"ஆணை-1"'.encode().hex()) for _ in range(2))
    assert (first.status, second.status, first.json["id"]) == (201, 201, second.json["id"])
    assert stock_of(shop, "pen") == 8


def test_the_stock_never_falls_below_zero_however_many_buy_at_once(shop: Running) -> None:
    shop.send_json("PUT", "/items/ink", {"name": "மை", "price": 1, "stock": 100})
    shop.send_json("PUT", "/items/pen", PEN)

    def one(number: int) -> int:
        lines = [("pen", 1), ("ink", 1)]
        return int(buy(shop, *(lines if number % 2 else reversed(lines))).status)

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(one, range(30)))
    assert sorted(answers) == [201] * 10 + [409] * 20
    assert (stock_of(shop, "pen"), stock_of(shop, "ink")) == (0, 90)


def test_what_was_sold_is_known_after_a_restart(url: str) -> None:
    first = Running(CONFIG, SHOP_DATABASE=url)
    first.send_json("PUT", "/items/pen", PEN)
    bought = buy(first, ("pen", 4))
    assert first.stop() == 0
    second = Running(CONFIG, SHOP_DATABASE=url)
    assert stock_of(second, "pen") == 6
    assert second.ask("GET", bought.headers["location"]).json["total"] == 50
    assert second.stop() == 0


def test_a_shop_without_its_database_does_not_start() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "etamil_actors", "up", f"examples/{CONFIG}", "--bind", "127.0.0.1:0"],
        stdin=subprocess.DEVNULL, capture_output=True, cwd=REPOSITORY, timeout=60, check=False,
        env={"PATH": os.environ["PATH"], "SHOP_DATABASE": "postgres://malar:s3cret@127.0.0.1:9/shop"},
    )  # fmt: skip
    told = done.stderr.decode()
    assert done.returncode == 1
    assert "db.unavailable" in told
    assert "24_shop.qmz:18" in told or "24_shop.qmz: வரி 18" in told
    assert "s3cret" not in told


def test_the_shop_opens_in_a_simulation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)

    async def scenario(service: Service) -> None:
        async def send(method: str, path: str, value: object) -> int:
            headers = {"Content-Type": "application/json"}
            answer = await service.request(method, path, headers=headers, body=json.dumps(value).encode())
            return int(answer.status)

        assert await send("PUT", "/items/pen", PEN) == 204
        order = {"customer": "அ", "lines": [{"code": "pen", "count": 4}]}
        assert [await send("POST", "/orders", order) for _ in range(3)] == [201, 201, 409]
        assert service.findings == []

    run_service(SHOP.read_text(encoding="utf-8"), scenario, files=OverlaidFiles(SystemFiles()))
