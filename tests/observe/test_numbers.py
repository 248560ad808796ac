"""Numbers of programs: what Prometheus reads of them, and that there are never without end of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_plain

from etamil_actors.edge.metrics import OPENMETRICS, ActorCounts, EdgeMetrics, MetricsPage
from etamil_actors.language.romanise import romanise
from etamil_actors.ports.telemetry import Numbers
from etamil_actors.resources.telemetry.numbers import BOUNDS, ProgramNumbers, plain_name
from etamil_actors.resources.telemetry.simulated import SimulatedNumbers


class Page:
    """Numbers, as whoever asks for ``/metrics`` reads them."""

    def __init__(self, numbers: ProgramNumbers, accept: bytes = b"") -> None:
        page = MetricsPage(EdgeMetrics(), ActorCounts())
        page.add(numbers)
        kind, text = page.text(accept)
        read: Any = read_openmetrics if kind == OPENMETRICS else read_plain
        self.families = {family.name: family for family in read(text.decode())}

    def samples(self, name: str) -> list[Any]:
        return [sample for family in self.families.values() for sample in family.samples if sample.name == name]

    def value(self, name: str, **labels: str) -> float:
        (found,) = [sample.value for sample in self.samples(name) if labels.items() <= sample.labels.items()]
        return float(found)


BOTH = pytest.mark.parametrize("accept", [b"", b"application/openmetrics-text; version=1.0.0"])


@BOTH
def test_prometheus_reads_counters_times_and_levels(accept: bytes) -> None:
    numbers = ProgramNumbers(ascii_name=romanise)
    numbers.count("ஆர்டர்கள்", 2, {"வகை": "பெரியது"}, "kadai")
    numbers.count("ஆர்டர்கள்", 3, {"வகை": "பெரியது"}, "kadai")
    numbers.count("http_requests_total", 1, {}, "kadai")
    numbers.timing("request_duration_ms", 0.125, {}, "kadai")
    numbers.timing("request_duration_ms", 0.005, {}, "kadai")
    numbers.timing("request_duration_ms", 11, {}, "kadai")
    numbers.gauge("இருப்பு", 7, {}, "kadai")
    numbers.gauge("இருப்பு", -3.5, {}, "kadai")
    page = Page(numbers, accept)
    assert page.value("ArtarkaL_total", vakY="பெரியது", service="kadai") == 5
    assert page.value("http_requests_total", service="kadai") == 1
    assert page.value("iruppu") == -3.5
    assert page.value("request_duration_seconds_count") == 3
    assert page.value("request_duration_seconds_sum") == pytest.approx(11.13)
    buckets = {float(one.labels["le"]): one.value for one in page.samples("request_duration_seconds_bucket")}
    assert list(buckets) == [*BOUNDS, float("inf")]
    assert (buckets[0.005], buckets[0.1], buckets[0.25], buckets[10.0], buckets[float("inf")]) == (1, 1, 2, 2, 3)
    assert page.families["iruppu"].documentation.startswith("இருப்பு")


@pytest.mark.parametrize("make", [ProgramNumbers, SimulatedNumbers])
def test_both_kinds_of_numbers_take_the_same(make: type) -> None:
    numbers: Numbers = make()
    numbers.count("a", 1, {}, "s")
    numbers.timing("b", 0.5, {"x": "y"}, "s")
    numbers.gauge("c", -1, {"x": "y"}, "s")


@BOTH
def test_labels_in_another_order_are_the_same_row(accept: bytes) -> None:
    numbers = ProgramNumbers()
    numbers.count("x", 1, {"a": "1", "b": "2"}, "s")
    numbers.count("x", 1, {"b": "2", "a": "1"}, "s")
    assert Page(numbers, accept).value("x_total", a="1", b="2") == 2


def test_labels_that_others_need_get_another_name() -> None:
    numbers = ProgramNumbers()
    numbers.count("x", 1, {"service": "mine", "le": "3", "process": "9", "__name__": "bad"}, "kadai")
    (sample,) = Page(numbers).samples("x_total")
    assert sample.labels == {
        "service": "kadai", "exported_service": "mine", "exported_le": "3", "exported_process": "9", "name": "bad",
    }  # fmt: skip


def test_of_one_name_so_many_rows_are_kept_and_the_operator_is_told_once() -> None:
    told: list[tuple[str, str]] = []
    numbers = ProgramNumbers(tell=lambda tamil, english: told.append((tamil, english)), most_series=10)
    for number in range(1000):
        numbers.count("x", 1, {"user": str(number)}, "s")
        numbers.gauge("y", number, {"user": str(number)}, "s")
    page = Page(numbers)
    rows = page.samples("x_total")
    assert len(rows) == 11
    assert page.value("x_total", overflow="true") == 990
    assert len(told) == 2
    assert "‘x’" in told[0][0] and "more than 10 combinations" in told[0][1]


def test_there_are_only_so_many_names_and_the_operator_is_told_once() -> None:
    told: list[str] = []
    numbers = ProgramNumbers(tell=lambda tamil, english: told.append(english), most_families=5)
    for number in range(50):
        numbers.count(f"x{number}", 1, {}, "s")
    assert len([name for name in Page(numbers).families if name.startswith("x")]) == 5
    assert numbers.lost == 45
    assert told == ["there are more than 5 names of metrics; ‘x5’ and later ones are not kept"]


@BOTH
def test_a_name_that_clashes_is_told_once_and_the_page_stays_sound(accept: bytes) -> None:
    told: list[str] = []
    numbers = ProgramNumbers(tell=lambda tamil, english: told.append(english))
    numbers.count("orders", 1, {}, "s")
    for _ in range(3):
        numbers.gauge("orders", 5, {}, "s")
    numbers.timing("packing", 1, {}, "s")
    numbers.gauge("packing_seconds_count", 7, {}, "s")
    numbers.gauge("orders_total", 7, {}, "s")
    page = Page(numbers, accept)
    assert page.value("orders_total") == 1
    assert page.value("packing_seconds_count") == 1
    assert told == [
        "the metric ‘orders’ clashes with ‘orders’ and is not kept",
        "the metric ‘packing_seconds_count’ clashes with ‘packing’ and is not kept",
        "the metric ‘orders_total’ clashes with ‘orders’ and is not kept",
    ]


@BOTH
def test_a_program_cannot_tell_what_the_runtime_tells_itself(accept: bytes) -> None:
    numbers = ProgramNumbers()
    numbers.count("etamil_actors_started", 1_000_000, {}, "s")
    numbers.gauge("process_open_fds", -1, {}, "s")
    page = Page(numbers, accept)
    assert page.value("program_etamil_actors_started_total") == 1_000_000
    assert page.value("process_open_fds") > 0 and page.value("program_process_open_fds") == -1


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["count", "timing", "gauge"]), TEXTS, st.dictionaries(TEXTS, TEXTS, max_size=4)), max_size=12))
def test_whatever_programs_say_the_page_can_be_read(said: list[tuple[str, str, dict[str, str]]]) -> None:
    numbers = ProgramNumbers(ascii_name=romanise, most_series=3)
    for kind, name, labels in said:
        getattr(numbers, kind)(name, 1, labels, "சேவை")
    for accept in (b"", b"application/openmetrics-text"):
        Page(numbers, accept)


@pytest.mark.parametrize(
    ("said", "name"),
    [("a b", "a_b"), ("அ", ""), ("9lives", "_9lives"), ("a.b-c", "a_b_c"), ("__x", "__x"), ("", ""), ("x:y", "x_y")],
)
def test_a_name_as_prometheus_takes_it(said: str, name: str) -> None:
    assert plain_name(said) == name
