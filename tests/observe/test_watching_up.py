"""Watching as an operator meets it: ``up`` as a process, a collector and a reader of numbers beside it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families as read_plain

from tests.http_life.serving import REPOSITORY, Server
from tests.observe.collector import Collector, collecting

Start = Callable[..., Server]

SHOP = """
விகல்_செய்("CREATE TABLE IF NOT EXISTS items (id INTEGER PRIMARY KEY, name TEXT)");
வேலை = சேனல்_உருவாக்கு("வேலை", {"ஊடகம்": "பதிவேடு"});
பணி_உருவாக்கு "எழுது", {"சேனல்": வேலை} {
    விகல்_செய்("INSERT INTO items (name) VALUES (?)", [செய்தி.பெயர்]);
    வலை_பெறு(செய்தி.முகவரி, {});
}
வழி பெறு, "/items/:name" {
    மெட்ரிக்_எண்("ஆர்டர்கள்", 1, {"வகை": "பேனா"});
    சேனல்_அனுப்பு(வேலை, {"பெயர்": கோரிக்கை.parameters.name, "முகவரி": கோரிக்கை.query.url});
    பதிவு_தகவல் "வந்தது", {"password": "இரகசியம்", "எது": "பேனா"};
    பதில் 200, 1;
}
வழி பெறு, "/இறுதி" { பதில் 200, 2; }
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts servers, and ends them."""
    servers: list[Server] = []

    def begin(program: str = SHOP, **given: Any) -> Server:
        folder = tmp_path / str(len(servers))
        folder.mkdir()
        servers.append(Server(folder, program, **given))
        return servers[-1]

    yield begin
    for server in servers:
        server.end()


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as one:
        yield one


def test_one_request_is_one_trace_through_route_channel_job_query_and_the_web(
    start: Start, collector: Collector
) -> None:
    server = start(
        others={
            "tracing": {"endpoint": collector.url},
            "database": {"default": {"url": "sqlite:kadai.db"}},
            "web": {"allow": ["127.0.0.1"]},
        }
    )
    last = f"http://127.0.0.1:{server.port}/%E0%AE%87%E0%AE%B1%E0%AF%81%E0%AE%A4%E0%AE%BF"
    assert server.ask("GET", f"/items/pen?url={last}").status == 200
    end = collector.named("GET /இறுதி")
    first = collector.named("GET /items/:name")
    job = collector.named("பணி எழுது")
    query = next(span for span in collector.spans if span.kind == "client" and span.parent == job.id and "db.system" in span.attributes)
    call = next(span for span in collector.spans if span.kind == "client" and "http.request.method" in span.attributes)
    assert {span.trace for span in (end, first, job, query, call)} == {first.trace}
    assert (first.parent, job.parent, call.parent, end.parent) == ("", first.id, job.id, call.id)
    assert [span.kind for span in (first, job, query, call, end)] == ["server", "consumer", "client", "client", "server"]
    assert query.attributes["db.system"] == "sqlite"
    assert call.attributes["http.response.status_code"] == 200
    assert {span.service for span in collector.spans} == {"life"}
    assert not any("INSERT INTO items" in str(span) or "url=" in str(span) for span in collector.spans)
    assert server.stop() == 0


def test_the_last_spans_are_sent_before_the_process_ends(start: Start, collector: Collector) -> None:
    server = start('வழி பெறு, "/a" { பதில் 200, 1; }\n', others={"tracing": {"endpoint": collector.url}})
    for _ in range(20):
        assert server.ask("GET", "/a").status == 200
    assert server.stop() == 0
    assert sum(span.name == "GET /a" for span in collector.spans) == 20


def test_a_collector_that_is_not_there_delays_nothing_and_is_told_of(start: Start) -> None:
    server = start('வழி பெறு, "/a" { பதில் 200, 1; }\n', others={"tracing": {"endpoint": "http://127.0.0.1:9"}})
    assert server.ask("GET", "/a").status == 200
    server.gets()
    begin = time.monotonic()
    assert server.ends() == 0
    assert time.monotonic() - begin < 20
    assert re.search(r"\d+ spans did not reach http://127\.0\.0\.1:9/v1/traces: ", server.said)


def test_a_share_of_new_traces_is_kept(start: Start, collector: Collector) -> None:
    tracing = {"endpoint": collector.url, "sample": 0}
    server = start('வழி பெறு, "/a" { பதில் 200, 1; }\n', others={"tracing": tracing})
    server.ask("GET", "/a")
    kept = f"00-{'a' * 32}-{'b' * 16}-01"
    server.ask("GET", "/a", traceparent=kept)
    assert server.stop() == 0
    assert [(span.name, span.trace) for span in collector.spans] == [("GET /a", "a" * 32)]


def test_what_is_no_endpoint_is_told_before_anything_is_served(start: Start) -> None:
    server = start('வழி பெறு, "/a" { பதில் 200, 1; }\n', others={"tracing": {"endpoint": "kadai"}}, is_awaited=False)
    assert server.ends() == 1
    assert "tracing.endpoint" in server.said and "(addresses)" not in server.said


def test_nothing_of_tracing_and_numbers_is_imported_where_nobody_wants_it(tmp_path: Path) -> None:
    (tmp_path / "a.qmz").write_text('பதிவு_தகவல் "வந்தது"; வழி பெறு, "/a" { மெட்ரிக்_எண்("x", 1); தடம்("அ") { } பதில் 200, 1; }', "utf-8")
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "etamil_actors", "up", "a.qmz", "--bind", "127.0.0.1:0"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    assert process.stderr is not None
    said = []
    with process, process.stderr:
        for line in process.stderr:
            said.append(line.decode())
            if "(addresses)" in said[-1]:
                process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in said if line.startswith("import time:")}
    assert {"trio", "greenlet"} <= imported
    assert not imported & {"opentelemetry", "prometheus_client", "requests", "structlog", "google"}


# ---- numbers of several processes -----------------------------------------------------


def samples_of(server: Server) -> list[Any]:
    """What a page tells. Raises: it cannot be read."""
    text = server.ask("GET", "/metrics").body.decode()
    return [sample for family in read_plain(text) for sample in family.samples]


def test_whoever_is_asked_tells_the_numbers_of_all_processes(start: Start) -> None:
    server = start('வழி பெறு, "/a" { மெட்ரிக்_எண்("orders", 1); பதில் 200, 1; }\n', processes=2)
    wanted = {"1": 1.0, "2": 1.0}

    def told(name: str) -> dict[str, float]:
        return {sample.labels["process"]: sample.value for sample in samples_of(server) if sample.name == name}

    ends = time.monotonic() + 30
    while told("etamil_process_up") != wanted:
        assert time.monotonic() < ends, server.said
        time.sleep(0.05)
    for _ in range(40):
        assert server.ask("GET", "/a").status == 200
    for _ in range(6):
        assert sum(told("orders_total").values()) == 40
        samples = samples_of(server)
        keys = [(sample.name, tuple(sorted(sample.labels.items()))) for sample in samples]
        assert len(keys) == len(set(keys))
        assert all("process" in sample.labels for sample in samples)
    sockets = sorted((server.folder / "data").glob("*-numbers.*"))
    assert [path.name[-1] for path in sockets] == ["1", "2"]
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in sockets)
    assert server.stop() == 0
    assert not list((server.folder / "data").glob("*-numbers.*"))


def test_a_process_alone_has_no_label_and_no_socket(start: Start) -> None:
    server = start('வழி பெறு, "/a" { மெட்ரிக்_எண்("orders", 1); பதில் 200, 1; }\n')
    server.ask("GET", "/a")
    assert [sample.labels for sample in samples_of(server) if sample.name == "orders_total"] == [{"service": "life"}]
    assert not list(server.folder.rglob("*-numbers.*"))
