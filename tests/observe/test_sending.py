"""Spans on their way to a collector that is there, slow, refusing, or not there at all."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
import trio

from etamil_actors.actors.events import Event, EventStream
from etamil_actors.actors.programs.keeper import ResourceKeeper, Told
from etamil_actors.errors import Fault
from etamil_actors.ports.telemetry import TracingSettings
from etamil_actors.resources.telemetry.otlp import OtlpTracer, endpoint_of, headers_of, open_tracer, place_of
from etamil_actors.resources.telemetry.sending import BATCH, SpanSender
from etamil_actors.resources.telemetry.tracer import KeptSpan, SpanTracer
from tests.observe.collector import Collector, collecting


class Held:
    """An exporter that waits until it may go on."""

    def __init__(self, trouble: str = "") -> None:
        self.batches: list[int] = []
        self.may = threading.Event()
        self.began = threading.Event()
        self.is_down = False
        self.trouble = trouble

    def export(self, spans: Sequence[KeptSpan]) -> str:
        self.began.set()
        self.may.wait(20)
        self.batches.append(len(spans))
        return self.trouble

    def shutdown(self) -> None:
        self.is_down = True
        self.may.set()


@asynccontextmanager
async def kept(told: list[Told]) -> AsyncIterator[ResourceKeeper]:
    """A keeper for the length of a block."""

    def hear(event: Event) -> None:
        if isinstance(event, Told):
            told.append(event)

    events = EventStream()
    events.listen(hear)
    keeper, stopping = ResourceKeeper(events), trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keeper.keep, stopping.wait)
        await trio.lowlevel.checkpoint()
        yield keeper
        stopping.set()


def tracer_of(sender: SpanSender) -> SpanTracer:
    numbers = iter(range(1, 10**9))
    return SpanTracer(sender.over, bits=lambda count: next(numbers), wall=lambda: 0)


def some(tracer: SpanTracer, count: int) -> None:
    for _ in range(count):
        span = tracer.begin("a", "internal", "")
        assert span is not None
        span.end()


async def test_what_gathers_is_sent_together_and_the_last_spans_at_the_end() -> None:
    exporter, told = Held(), list[Told]()
    exporter.may.set()
    async with kept(told) as keeper:
        sender = SpanSender(exporter, keeper, where="collector", pause=1000)
        some(tracer_of(sender), BATCH + 3)
    assert sorted(exporter.batches) == [3, BATCH]
    assert (sender.sent, sender.lost, told, exporter.is_down) == (BATCH + 3, 0, [], True)


async def test_a_slow_collector_holds_nobody_up_and_what_has_no_room_is_counted() -> None:
    exporter, told = Held(), list[Told]()
    async with kept(told) as keeper:
        sender = SpanSender(exporter, keeper, where="collector", most=10, pause=0.001)
        tracer = tracer_of(sender)
        some(tracer, 1)
        await trio.to_thread.run_sync(exporter.began.wait)
        some(tracer, 25)  # the first is under way
        assert sender.lost == 15
        exporter.may.set()
    assert (sender.sent, sender.lost) == (11, 15)
    assert [one.english for one in told] == ["15 spans did not reach collector"]


async def test_what_the_collector_does_not_take_is_counted_and_told_with_the_reason() -> None:
    exporter, told = Held("503 Service Unavailable"), list[Told]()
    exporter.may.set()
    async with kept(told) as keeper:
        sender = SpanSender(exporter, keeper, where="collector", pause=1000)
        some(tracer_of(sender), 7)
    assert (sender.sent, sender.lost) == (0, 7)
    assert [one.english for one in told] == ["7 spans did not reach collector: 503 Service Unavailable"]
    assert told[0].tamil.startswith("7 தடங்கள் collector-ஐச் சென்றடையவில்லை")


async def test_an_exporter_that_raises_ends_nothing() -> None:
    class Broken(Held):
        def export(self, spans: Sequence[KeptSpan]) -> str:
            raise ValueError("as ordered")

    told = list[Told]()
    async with kept(told) as keeper:
        sender = SpanSender(Broken(), keeper, where="c", pause=1000)
        some(tracer_of(sender), 2)
    assert sender.lost == 2 and told[0].english.endswith("ValueError: as ordered")


async def test_the_end_does_not_wait_long_for_a_collector_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etamil_actors.resources.telemetry.sending.LAST_SECONDS", 0.2)
    exporter, told = Held(), list[Told]()
    with trio.fail_after(5):
        async with kept(told) as keeper:
            sender = SpanSender(exporter, keeper, where="c", pause=1000)
            tracer = tracer_of(sender)
            some(tracer, BATCH + 5)
    assert (sender.sent, sender.lost) == (0, BATCH + 5)
    assert sum(int(one.english.split()[0]) for one in told) == BATCH + 5
    some(tracer, 1)  # whoever comes too late is lost as well
    assert sender.lost == BATCH + 6


# ---- a real collector -----------------------------------------------------------------


def send(collector: Collector, settings: TracingSettings | None = None) -> OtlpTracer:
    """Send a trace of two spans, and one that is of its own."""
    opened: list[OtlpTracer] = []

    async def run() -> None:
        async with kept([]) as keeper:
            tracer = open_tracer(settings or TracingSettings(endpoint=collector.url), keeper, name="kadai")
            opened.append(tracer)
            top = tracer.begin("GET /வணக்கம்", "server", f"00-{'a' * 32}-{'b' * 16}-01", {"http.route": "/வணக்கம்"})
            assert top is not None
            query = tracer.begin("SELECT", "client", top.context)
            assert query is not None
            query.note("rows", 2**70)
            query.note("long", "அ" * 5000)
            query.end("db.query")
            top.note("ok", True)
            top.end()

    trio.run(run)
    return opened[0]


def test_a_collector_gets_spans_with_all_that_is_known_of_them() -> None:
    with collecting() as collector:
        tracer = send(collector)
        top, query = collector.named("GET /வணக்கம்"), collector.named("SELECT")
        assert (top.trace, top.parent, top.kind, top.service, top.error) == ("a" * 32, "b" * 16, "server", "kadai", "")
        assert top.attributes == {"http.route": "/வணக்கம்", "ok": True}
        assert (query.trace, query.parent, query.kind, query.error) == ("a" * 32, top.id, "client", "db.query")
        assert query.attributes == {"rows": str(2**70), "long": "அ" * 1000, "error.type": "db.query"}
        assert top.seconds >= query.seconds >= 0
        assert collector.requests[0]["path"] == "/v1/traces"
        assert (tracer.sender.sent, tracer.sender.lost) == (2, 0)


def test_keys_of_the_collector_are_sent_along() -> None:
    with collecting() as collector:
        headers = ("Authorization=Bearer x=1", " X-Team = kadai ")
        send(collector, TracingSettings(endpoint=f"{collector.url}/otlp/v1/traces", headers=headers))
        assert collector.requests[0]["authorization"] == "Bearer x=1"
        assert collector.requests[0]["x-team"] == "kadai"
        assert collector.requests[0]["path"] == "/otlp/v1/traces"


def test_a_collector_that_refuses_is_told_of_and_nothing_is_written_beside_our_lines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with collecting() as collector:
        collector.status = 400
        tracer = send(collector)
        assert tracer.sender.lost == 2
    assert capsys.readouterr().err == ""
    assert not logging.getLogger("opentelemetry").propagate


@pytest.mark.parametrize(
    ("said", "url"),
    [
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
        ("http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces"),
        ("https://otlp.example/v1/traces", "https://otlp.example/v1/traces"),
        ("https://otlp.example/otlp/traces", "https://otlp.example/otlp/traces"),
    ],
)
def test_an_address_alone_gets_the_usual_path(said: str, url: str) -> None:
    assert endpoint_of(said) == url


@pytest.mark.parametrize("said", ["", "127.0.0.1:4318", "grpc://127.0.0.1:4317", "http://", "http://a b"])
def test_what_is_no_address_is_an_error_of_the_configuration(said: str) -> None:
    with pytest.raises(Fault) as caught:
        endpoint_of(said)
    assert caught.value.code == "config"


def test_a_header_without_a_value_is_an_error_that_does_not_tell_the_key() -> None:
    with pytest.raises(Fault) as caught:
        headers_of(["very-secret"])
    assert caught.value.code == "config" and "very-secret" not in caught.value.message


def test_where_opentelemetry_is_not_installed_the_configuration_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etamil_actors.resources.telemetry.otlp._is_installed", lambda: False)
    with pytest.raises(Fault) as caught:
        open_tracer(TracingSettings(endpoint="http://127.0.0.1:4318"), ResourceKeeper(EventStream()), name="x")
    assert caught.value.code == "config" and "etamil-actors[otel]" in caught.value.message


def test_the_tracer_is_no_import_of_opentelemetry() -> None:
    modules = "etamil_actors.app, etamil_actors.edge.server, etamil_actors.resources.telemetry.otlp"
    text = f"import sys, {modules}; print([m for m in sys.modules if m.split('.')[0] in ('opentelemetry', 'prometheus_client', 'requests')])"
    found = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_what_people_call_a_collector_tells_no_secret() -> None:
    assert place_of("https://ravi:hunter2@otel.example:4318/v1/traces?key=abc") == "https://otel.example:4318/v1/traces"
    assert place_of("http://[::1]:4318/v1/traces") == "http://[::1]:4318/v1/traces"
    with pytest.raises(Fault) as caught:
        endpoint_of("ftp://ravi:hunter2@otel.example")
    assert "hunter2" not in caught.value.tamil + caught.value.english


async def test_what_a_collector_says_is_told_in_one_line_and_without_secrets() -> None:
    told: list[Told] = []
    async with kept(told) as keeper:
        keeper.tell("அ: redis://ravi:hunter2@db/0\n✗ ஆ", "a: Bearer abcdefghijk\x1b[31m")
    assert [(one.tamil, one.english) for one in told] == [("அ: redis://***@db/0\\n✗ ஆ", "a: ***\\x1b[31m")]
