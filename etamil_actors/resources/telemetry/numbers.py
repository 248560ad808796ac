"""What programs count, time and gauge under names of their own, kept for whoever reads ``/metrics``.

Counting is one look into a dictionary and one addition; text is made only when somebody asks for it
(``collect``, as prometheus_client calls it).

A name of a program may be Tamil, and may hold anything. Prometheus wants ASCII, so it is spelled in ASCII,
and the program's own spelling stands in the help text:

===================  ==========================  =======================================
a program says       it is told as
===================  ==========================  =======================================
மெட்ரிக்_எண்          ``orders_total``            a counter
மெட்ரிக்_நேரம்        ``request_duration_seconds``  a histogram, of milliseconds in seconds
மெட்ரிக்_அளவு         ``stock``                   a gauge
===================  ==========================  =======================================

Names and labels are bounded. Of one name so many rows are kept, one for each combination of labels; all that
come later are one row, labelled ``overflow="true"``, and the operator is told once for each name. What would
clash — one name for two kinds, a name that this runtime has itself — is told once and not kept.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from prometheus_client.core import Metric

Kind = Literal["counter", "histogram", "gauge"]

BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Seconds at which the buckets of a time end; the last one has no end. OpenTelemetry's, as for requests."""

MOST_FAMILIES: Final = 500
MOST_SERIES: Final = 1_000
"""Rows of one name."""
MOST_LABELS: Final = 16
LONGEST: Final = 200
"""So many characters of a label's value, or of a name, are kept."""

MOST_KNOWN: Final = 50_000
"""So many ways to say a row are remembered: the labels may come in any order."""

OURS: Final = ("etamil_", "process_", "python_", "http_server_", "http_client_", "db_client_")
"""Names that this runtime tells itself; a program's get ``program_`` in front."""

OVERFLOW: Final = {"overflow": "true"}

_NOT_A_NAME = re.compile(r"[^a-zA-Z0-9_]+")
_TAKEN_LABELS = frozenset(("service", "process", "le", "quantile", "overflow"))

_OF_KIND: Final[dict[Kind, tuple[str, ...]]] = {
    "counter": ("", "_total", "_created"),
    "gauge": ("",),
    "histogram": ("", "_bucket", "_sum", "_count", "_created"),
}
"""The names that a family of this kind takes, behind its own."""


class Series:
    """One row: a number, or the counts of a histogram."""

    __slots__ = ("buckets", "labels", "value")

    def __init__(self, labels: dict[str, str], *, is_histogram: bool = False) -> None:
        self.labels = labels
        self.value = 0.0
        """Of a histogram the sum."""
        self.buckets = [0] * (len(BOUNDS) + 1) if is_histogram else []


class Family:
    """All rows of one name."""

    __slots__ = ("is_full", "kind", "name", "said", "series")

    def __init__(self, name: str, said: str, kind: Kind) -> None:
        self.name = name
        self.said = said
        """As the program spells it."""
        self.kind: Kind = kind
        self.series: dict[tuple[tuple[str, str], ...], Series] = {}
        self.is_full = False


class ProgramNumbers:
    """See the top of the file, and ``ports.telemetry.Numbers``."""

    def __init__(
        self,
        *,
        ascii_name: Callable[[str], str] = str,
        tell: Callable[[str, str], None] = lambda tamil, english: None,
        most_series: int = MOST_SERIES,
        most_families: int = MOST_FAMILIES,
    ) -> None:
        """``ascii_name`` spells Tamil in ASCII; ``tell`` tells the operator, in both languages."""
        self._ascii_name = ascii_name
        self._tell = tell
        self._most_series = most_series
        self._most_families = most_families
        self._families: dict[str, Family] = {}
        self._names: dict[str, str] = {}
        """Every name that a row has on the page, with the family that has taken it."""
        self._counters: dict[tuple[object, ...], Series] = {}
        self._timings: dict[tuple[object, ...], Series] = {}
        self._gauges: dict[tuple[object, ...], Series] = {}
        self._refused: set[str] = set()
        self._nowhere = Series({}, is_histogram=True)
        """Takes what is not kept."""
        self.lost = 0
        """Numbers that were not kept."""

    # ── counting ─────────────────────────────────────────────────────────────────────────────────

    def count(self, name: str, amount: float, labels: Mapping[str, str], service: str) -> None:
        """Add to a counter."""
        key = (service, name, *labels.items()) if labels else (service, name)
        series = self._counters.get(key)
        if series is None:
            series = self._new(self._counters, key, "counter", name, labels, service)
        series.value += amount

    def timing(self, name: str, seconds: float, labels: Mapping[str, str], service: str) -> None:
        """Note how long something took."""
        key = (service, name, *labels.items()) if labels else (service, name)
        series = self._timings.get(key)
        if series is None:
            series = self._new(self._timings, key, "histogram", name, labels, service)
        series.value += seconds
        series.buckets[bisect_left(BOUNDS, seconds)] += 1

    def gauge(self, name: str, value: float, labels: Mapping[str, str], service: str) -> None:
        """Note a level."""
        key = (service, name, *labels.items()) if labels else (service, name)
        series = self._gauges.get(key)
        if series is None:
            series = self._new(self._gauges, key, "gauge", name, labels, service)
        series.value = value

    # ── a row that is new ────────────────────────────────────────────────────────────────────────

    def _new(
        self,
        known: dict[tuple[object, ...], Series],
        key: tuple[object, ...],
        kind: Kind,
        name: str,
        labels: Mapping[str, str],
        service: str,
    ) -> Series:
        family = self._family(kind, name)
        series = self._nowhere if family is None else self._series(family, labels, service)
        if series is self._nowhere:
            self.lost += 1
        elif len(known) < MOST_KNOWN and "overflow" not in series.labels and _is_short(name, labels):
            known[key] = series
        return series

    def _family(self, kind: Kind, said: str) -> Family | None:
        name = self._name(kind, said)
        family = self._families.get(name)
        if family is not None and family.kind == kind:
            return family
        taken = [name + ending for ending in _OF_KIND[kind]]
        other = next((self._names[one] for one in taken if one in self._names), None)
        if other is not None:
            self._refuse(
                said,
                f"அளவீடு ‘{said}’: இப்பெயர் ‘{self._families[other].said}’ உடன் மோதுகிறது; எண்ணப்படவில்லை",
                f"the metric ‘{said}’ clashes with ‘{self._families[other].said}’ and is not kept",
            )
            return None
        if len(self._families) >= self._most_families:
            self._refuse(
                "",
                f"அளவீடுகளின் பெயர்கள் {self._most_families}-ஐத் தாண்டிவிட்டன; ‘{said}’ முதலானவை எண்ணப்படவில்லை",
                f"there are more than {self._most_families} names of metrics; ‘{said}’ and later ones are "
                "not kept",
            )
            return None
        family = self._families[name] = Family(name, said[:LONGEST], kind)
        self._names.update(dict.fromkeys(taken, name))
        return family

    def _refuse(self, about: str, tamil: str, english: str) -> None:
        if about not in self._refused and len(self._refused) < self._most_families:
            self._refused.add(about)
            self._tell(tamil, english)

    def _name(self, kind: Kind, said: str) -> str:
        name = plain_name(self._ascii_name(said[:LONGEST])) or "unnamed"
        if kind == "counter":
            name = name.removesuffix("_total") or "unnamed"
        elif kind == "histogram":
            for unit in ("_seconds", "_milliseconds", "_ms"):
                name = name.removesuffix(unit)
            name = f"{name or 'unnamed'}_seconds"
        return f"program_{name}" if name.startswith(OURS) else name

    def _series(self, family: Family, labels: Mapping[str, str], service: str) -> Series:
        told = {"service": service[:LONGEST]}
        for name, value in list(labels.items())[:MOST_LABELS]:
            plain = label_name(self._ascii_name(name[:LONGEST]))
            told[f"exported_{plain}" if plain in _TAKEN_LABELS else plain] = value[:LONGEST]
        row = tuple(sorted(told.items()))
        series = family.series.get(row)
        if series is not None:
            return series
        if len(family.series) >= self._most_series:
            if not family.is_full:
                family.is_full = True
                self._tell(
                    f"அளவீடு ‘{family.said}’: குறிகளின் சேர்க்கைகள் {self._most_series}-ஐத் தாண்டிவிட்டன; புதியவை "
                    "overflow=\"true\" என்ற ஒரே வரிசையில் சேரும்",
                    f"the metric ‘{family.said}’ has more than {self._most_series} combinations of labels; "
                    "new ones are one row, overflow=\"true\"",
                )
            told = {"service": service[:LONGEST], **OVERFLOW}
            row = tuple(sorted(told.items()))
            if row in family.series:
                return family.series[row]
        made = family.series[row] = Series(told, is_histogram=family.kind == "histogram")
        return made

    # ── for Prometheus ───────────────────────────────────────────────────────────────────────────

    def collect(self) -> Iterator[Metric]:
        """Everything, as prometheus_client wants it."""
        from prometheus_client.core import Metric

        for family in list(self._families.values()):
            metric = Metric(family.name, f"{family.said} (by programs)", family.kind)
            for series in list(family.series.values()):
                if family.kind == "histogram":
                    _add_histogram(metric, family.name, series)
                else:
                    name = f"{family.name}_total" if family.kind == "counter" else family.name
                    metric.add_sample(name, series.labels, series.value)
            yield metric


def _is_short(name: str, labels: Mapping[str, str]) -> bool:
    # What is cut before it is kept is not remembered whole either.
    return (
        len(name) <= LONGEST
        and len(labels) <= MOST_LABELS
        and all(len(label) <= LONGEST and len(value) <= LONGEST for label, value in labels.items())
    )


_ENDS: Final = [*(str(end) for end in BOUNDS), "+Inf"]


def _add_histogram(metric: Metric, name: str, series: Series) -> None:
    so_far = list(accumulate(series.buckets))
    for end, count in zip(_ENDS, so_far, strict=True):
        metric.add_sample(f"{name}_bucket", {**series.labels, "le": end}, count)
    metric.add_sample(f"{name}_count", series.labels, so_far[-1])
    metric.add_sample(f"{name}_sum", series.labels, series.value)


def plain_name(name: str) -> str:
    """A name that Prometheus takes, of one that is spelled in ASCII as far as possible."""
    plain = _NOT_A_NAME.sub("_", name).strip("_") if not name.isidentifier() or not name.isascii() else name
    return f"_{plain}" if plain[:1].isdigit() else plain


def label_name(name: str) -> str:
    """The same for a label; two underscores in front are for Prometheus itself."""
    plain = plain_name(name).strip("_") or "label"
    return f"_{plain}" if plain[:1].isdigit() else plain
