"""The numbers of the edge, and the text that Prometheus reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_plain

from etamil_actors.actors.dead import DeadLetters
from etamil_actors.actors.events import (
    ActorCrashed,
    ActorRestarted,
    ActorStarted,
    ActorStopped,
    DeadReason,
    EventStream,
)
from etamil_actors.actors.restart import Ended
from etamil_actors.edge.metrics import (
    BOUNDS,
    OPENMETRICS,
    OTHER,
    PLAIN_TEXT,
    UNMATCHED,
    ActorCounts,
    EdgeCollector,
    EdgeMetrics,
    MetricsPage,
    by_label,
    dead_letters,
    number,
    service_of,
    wants_openmetrics,
)

Labels = dict[str, str]


class Read:
    """A page as Prometheus reads it."""

    def __init__(self, page: MetricsPage, accept: bytes = b"") -> None:
        kind, text = page.text(accept)
        read = read_openmetrics if kind == OPENMETRICS else read_plain
        self.families: dict[str, Any] = {family.name: family for family in read(text.decode())}

    def value(self, name: str, /, **labels: str) -> float:
        (found,) = [sample.value for sample in self.samples(name) if labels.items() <= sample.labels.items()]
        return float(found)

    def samples(self, name: str) -> list[Any]:
        return [sample for family in self.families.values() for sample in family.samples if sample.name == name]


BOTH = pytest.mark.parametrize("accept", [b"", b"application/openmetrics-text; version=1.0.0"])


def some() -> EdgeMetrics:
    metrics = EdgeMetrics()
    hello = metrics.add_route("kadai", "get_vaNakkam", "/வணக்கம்/:பெயர்", "GET")
    for seconds in (0.0005, 0.005, 0.0051, 2.0, 31.0):
        metrics.answered(hello, "GET", 200, seconds)
    metrics.answered(hello, "HEAD", 503, 0.5, "https")
    metrics.answered(UNMATCHED, "GET", 404, 0.0)
    metrics.limited(hello)
    metrics.timed_out(hello)
    metrics.gone(hello)
    metrics.refused("body_too_large")
    metrics.refused("body_too_large")
    metrics.in_flight = 3
    metrics.connections_open = 7
    metrics.connections_accepted = 9
    metrics.bytes_out = 2**40
    metrics.watch_queue(hello, lambda: (4, 1.5))
    return metrics


@BOTH
def test_prometheus_reads_what_was_counted(accept: bytes) -> None:
    read = Read(MetricsPage(some(), ActorCounts()), accept)
    requests = "http_server_request_duration_seconds_count"
    well = {"http_request_method": "GET", "http_response_status_code": "200", "url_scheme": "http", "error_type": ""}
    assert read.value(requests, route="get_vaNakkam", **well) == 5
    bad = {"http_request_method": "HEAD", "http_response_status_code": "503", "url_scheme": "https", "error_type": "503"}
    assert read.value(requests, http_route="/வணக்கம்/:பெயர்", **bad) == 1
    assert read.value(requests, route="unmatched", http_route="", http_response_status_code="404") == 1
    assert read.value("etamil_http_rate_limited_total", route="get_vaNakkam") == 1
    assert read.value("etamil_http_timeouts_total", service="kadai") == 1
    assert read.value("etamil_http_gone_total", http_route="/வணக்கம்/:பெயர்") == 1
    assert read.value("etamil_http_refused_total", reason="body_too_large") == 2
    assert read.value("http_server_active_requests") == 3
    assert read.value("etamil_http_connections") == 7
    assert read.value("etamil_http_connections_accepted_total") == 9
    assert read.value("etamil_http_sent_bytes_total") == 2**40
    assert read.value("etamil_http_queue_depth", route="get_vaNakkam") == 4
    assert read.value("etamil_http_queue_age_seconds", route="get_vaNakkam") == 1.5


@BOTH
def test_the_buckets_of_a_histogram_count_what_is_not_above_their_end(accept: bytes) -> None:
    read = Read(MetricsPage(some(), ActorCounts()), accept)
    name = "http_server_request_duration_seconds"
    buckets = {
        float(sample.labels["le"]): sample.value
        for sample in read.samples(f"{name}_bucket")
        if sample.labels["http_response_status_code"] == "200"
    }
    assert list(buckets) == [*BOUNDS, float("inf")]
    assert (buckets[0.005], buckets[0.01], buckets[1.0], buckets[2.5], buckets[10.0], buckets[float("inf")]) == (2, 3, 3, 4, 4, 5)
    assert read.value(f"{name}_count", route="get_vaNakkam", http_request_method="GET") == 5
    assert read.value(f"{name}_sum", route="get_vaNakkam", http_request_method="GET") == pytest.approx(33.0106)


def test_buckets_are_those_that_the_conventions_advise() -> None:
    assert BOUNDS == (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)


@BOTH
def test_the_process_tells_of_itself(accept: bytes) -> None:
    read = Read(MetricsPage(EdgeMetrics(), ActorCounts()), accept)
    for name in ("process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds", "process_start_time_seconds"):
        assert read.value(name) > 0
    assert read.value("python_info", implementation="CPython") == 1


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), st.text("\\\"\n{},= அ", max_size=8))
def test_any_text_may_be_the_name_of_a_route(name: str, service: str) -> None:
    metrics = EdgeMetrics()
    metrics.answered(metrics.add_route(service, "r", name, "GET"), "GET", 200, 0.1)
    page = MetricsPage(metrics, ActorCounts())
    for accept in (b"", b"application/openmetrics-text"):
        (sample,) = Read(page, accept).samples("http_server_request_duration_seconds_count")
        assert (sample.labels["http_route"], sample.labels["service"]) == (name, service)


def test_clients_cannot_make_new_series() -> None:
    metrics = EdgeMetrics()
    for count in range(100):
        metrics.answered(UNMATCHED, f"METHOD{count}", 405, 0.0)
        metrics.answered(UNMATCHED, "GET", 1000 + count, 0.0, f"scheme{count}")
    answers = metrics.routes[UNMATCHED].answers
    assert {key: found.count for key, found in answers.items()} == {(OTHER, 405, "http"): 100, ("GET", 0, ""): 100}


@BOTH
async def test_the_text_of_many_routes_is_made_in_turns_and_is_the_same(accept: bytes) -> None:
    metrics = EdgeMetrics()
    for count in range(200):
        route = metrics.add_route("kadai", f"r{count}", "# அ\n# b", "GET")
        metrics.answered(route, "GET", 200, 0.1)
    page = MetricsPage(metrics, ActorCounts())
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        kind, text = await page.text_in_turns(accept)
        nursery.cancel_scope.cancel()
    assert turns > 20
    assert kind == page.text(accept)[0]
    assert text.count(b"# TYPE http_server_request_duration_seconds histogram\n") == 1
    ours = [line for line in text.splitlines() if b"etamil_" in line or b"http_" in line]
    assert len(ours) > 200 * 17
    once = (generate_openmetrics if kind == OPENMETRICS else generate_latest)(EdgeCollector(metrics, ActorCounts()))
    assert ours == [line for line in once.splitlines() if b"etamil_" in line or b"http_" in line]


# ---------------------------------------------------------------- actors and what is looked up


def test_lives_are_counted_by_service() -> None:
    events, actors = EventStream(), ActorCounts()
    with actors.listen(events):
        for path in ("/root", "/root/kadai", "/root/kadai/jobs/வேலை", "/root/வங்கி/tasks/x"):
            events.life(ActorStarted(0.0, path, 1))
        events.life(ActorCrashed(1.0, "/root/kadai/jobs/வேலை", 1, ValueError()))
        events.life(ActorRestarted(2.0, "/root/kadai/jobs/வேலை", 2, 0.0, "x"))
    events.life(ActorStopped(3.0, "/root/kadai/jobs/வேலை", Ended()))
    read = Read(MetricsPage(EdgeMetrics(), actors))
    assert read.value("etamil_actors_started_total", service="kadai") == 2
    assert read.value("etamil_actors_started_total", service="வங்கி") == 1
    assert read.value("etamil_actors_started_total", service="") == 1
    assert read.value("etamil_actors_crashed_total", service="kadai") == 1
    assert read.value("etamil_actors_restarted_total", service="kadai") == 1
    assert read.samples("etamil_actors_stopped_total") == []
    assert events.failures == []


@pytest.mark.parametrize(("path", "service"), [("/root", ""), ("", ""), ("/root/a", "a"), ("/root/a/b/c", "a")])
def test_an_actor_belongs_to_a_branch_below_the_root(path: str, service: str) -> None:
    assert service_of(path) == service


@BOTH
def test_what_is_there_already_is_looked_up_when_it_is_asked_for(accept: bytes) -> None:
    letters, depths = DeadLetters(EventStream()), {"கூடை": 2.0}
    looks = [
        dead_letters(letters),
        by_label("etamil_channel_depth", "Messages in a channel.", "channel", lambda: depths),
        number("etamil_access_log_dropped", "Lines that were not written.", lambda: 5, is_counter=True),
    ]
    page = MetricsPage(EdgeMetrics(), ActorCounts(), looks)
    depths["கூடை"] = 3.0

    async def bury() -> None:
        letters.add("/root/a", "message", DeadReason.LEFT)

    trio.run(bury)
    read = Read(page, accept)
    assert read.value("etamil_dead_letters_total", reason="left") == 1
    assert read.value("etamil_dead_letters_total", reason="expired") == 0
    assert read.value("etamil_channel_depth", channel="கூடை") == 3
    assert read.value("etamil_access_log_dropped_total") == 5


class Others:
    def __init__(self, name: str) -> None:
        self.name = name

    def collect(self) -> Iterator[Metric]:
        orders = CounterMetricFamily(self.name, "Orders.", labels=["kind"])
        orders.add_metric(["பெரியது"], 2)
        yield orders
        yield GaugeMetricFamily(f"{self.name}_open", "Open.", value=1)


@BOTH
def test_others_may_tell_their_numbers_on_the_same_page(accept: bytes) -> None:
    page = MetricsPage(EdgeMetrics(), ActorCounts())
    page.add(Others("kadai_orders"))
    assert Read(page, accept).value("kadai_orders_total", kind="பெரியது") == 2


def test_two_may_not_tell_the_same_numbers() -> None:
    page = MetricsPage(EdgeMetrics(), ActorCounts())
    with pytest.raises(ValueError, match="etamil_http_timeouts"):
        page.add(Others("etamil_http_timeouts"))


# ---------------------------------------------------------------- which format


@pytest.mark.parametrize(
    ("accept", "is_openmetrics"),
    [
        (b"", False),
        (b"*/*", False),
        (b"text/plain", False),
        (b"text/html,*/*;q=0.1", False),
        (b"application/openmetrics-text", True),
        (b"application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2", True),
        (b"application/openmetrics-text;q=0.2, text/plain;q=0.9", False),
        (b"application/openmetrics-text;q=0", False),
        (b"application/openmetrics-text;q=nonsense", False),
        (b"APPLICATION/OpenMetrics-Text ; Q=1", True),
        (b"application/openmetrics-text;version=9\r\nx: y", True),
        (b",;,=;q=", False),
    ],
)
def test_the_client_says_which_format_it_likes(accept: bytes, is_openmetrics: bool) -> None:
    assert wants_openmetrics(accept) is is_openmetrics
    kind, text = MetricsPage(EdgeMetrics(), ActorCounts()).text(accept)
    assert kind == (OPENMETRICS if is_openmetrics else PLAIN_TEXT)
    assert text.endswith(b"# EOF\n") is is_openmetrics
