"""Tracers: the real one and its twin of simulations give the same answers; what is kept, and what is sent on."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etamil_actors.ports.telemetry import Span, Tracer
from etamil_actors.resources.telemetry.simulated import SimulatedTracer
from etamil_actors.resources.telemetry.tracer import MOST_ATTRIBUTES, KeptSpan, QuietSpan, SpanTracer

Make = Callable[..., tuple[Tracer, list[KeptSpan]]]


def real(share: float = 1.0, seed: int = 0) -> tuple[Tracer, list[KeptSpan]]:
    spans: list[KeptSpan] = []
    moments = iter(range(10**9))
    return SpanTracer(spans.append, bits=Random(seed).getrandbits, wall=lambda: next(moments), share=share), spans


def simulated(share: float = 1.0, seed: int = 0) -> tuple[Tracer, list[KeptSpan]]:
    moments = iter(range(10**9))
    tracer = SimulatedTracer(seed=seed, wall=lambda: next(moments), share=share)
    return tracer, tracer.spans  # type: ignore[return-value]


BOTH = pytest.mark.parametrize("make", [real, simulated])
CONTEXT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[01]")


def kept(span: Span | None) -> KeptSpan:
    assert isinstance(span, KeptSpan)
    return span


@BOTH
def test_a_span_is_told_once_when_it_is_over(make: Make) -> None:
    tracer, spans = make()
    span = kept(tracer.begin("அ", "client", "", {"a": 1}))
    assert list(spans) == []
    span.note("b", "x")
    span.rename("ஆ")
    span.end("db.query")
    span.end("other")
    assert list(spans) == [span]
    assert (span.name, span.kind, span.attributes, span.error) == ("ஆ", "client", {"a": 1, "b": "x"}, "db.query")
    assert span.ended > span.began and span.parent == ""
    assert CONTEXT.fullmatch(span.context)


@BOTH
def test_what_begins_below_a_span_is_of_its_trace(make: Make) -> None:
    tracer, _ = make()
    top = kept(tracer.begin("a", "server", ""))
    below = kept(tracer.begin("b", "client", top.context))
    assert (below.trace_id, below.parent) == (top.trace_id, top.span_id)
    assert below.span_id != top.span_id
    other = kept(tracer.begin("c", "server", ""))
    assert other.trace_id != top.trace_id


@BOTH
def test_below_a_trace_that_its_sender_does_not_keep_there_are_no_spans(make: Make) -> None:
    tracer, _ = make()
    assert tracer.begin("a", "server", f"00-{'a' * 32}-{'b' * 16}-00") is None
    assert tracer.begin("a", "server", f"00-{'a' * 32}-{'b' * 16}-02") is None
    assert kept(tracer.begin("a", "server", f"00-{'a' * 32}-{'b' * 16}-03")).trace_id == "a" * 32


@BOTH
def test_of_new_traces_a_share_is_kept_and_what_is_not_says_so_to_all_below(make: Make) -> None:
    tracer, spans = make(share=0.25)
    began = [tracer.begin("a", "internal", "") for _ in range(4000)]
    few = [span for span in began if isinstance(span, KeptSpan)]
    assert 850 < len(few) < 1150
    for span in began:
        assert span is not None and CONTEXT.fullmatch(span.context)
        assert (tracer.begin("b", "internal", span.context) is None) == isinstance(span, QuietSpan)
        span.note("x", 1)
        span.rename("y")
        span.end()
    assert len(spans) == len(few)


@pytest.mark.parametrize(("share", "kind"), [(0.0, QuietSpan), (1.0, KeptSpan)])
@BOTH
def test_all_or_none(make: Make, share: float, kind: type) -> None:
    tracer, _ = make(share=share)
    assert {type(tracer.begin("a", "internal", "")) for _ in range(100)} == {kind}


@given(st.floats(0, 1), st.integers(0, 2**64))
def test_the_share_is_decided_as_opentelemetry_decides_it(share: float, seed: int) -> None:
    from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased

    tracer = SimulatedTracer(seed=seed, share=share)
    theirs = TraceIdRatioBased(share)
    for _ in range(20):
        span = tracer.begin("a", "internal", "")
        assert span is not None
        decision = theirs.should_sample(None, int(span.context[3:35], 16), "a").decision
        assert isinstance(span, KeptSpan) == (decision is Decision.RECORD_AND_SAMPLE)


@BOTH
@pytest.mark.parametrize("parent", ["nonsense", "00-1-2-01", "x" * 54, "x" * 56])
def test_what_is_no_context_begins_a_new_trace(make: Make, parent: str) -> None:
    tracer, _ = make()
    assert kept(tracer.begin("a", "internal", parent)).parent == ""


def test_attributes_are_not_without_end() -> None:
    tracer, _ = real()
    span = kept(tracer.begin("a", "internal", ""))
    for number in range(1000):
        span.note(f"a{number}", number)
    span.note("a0", "again")
    assert len(span.attributes) == MOST_ATTRIBUTES and span.attributes["a0"] == "again"
