"""The twins of tracer and numbers in a simulation: they keep what they are told, for tests to look at.

Ids come from a seed and moments from the virtual clock, so one run is like another to the last digit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from random import Random
from typing import Final, Literal, NamedTuple

from etamil_actors.ports.telemetry import Span, SpanKind
from etamil_actors.resources.telemetry.tracer import Datum, KeptSpan, SpanTracer

KEPT: Final = 50_000
"""So many of each are kept, the last ones: a simulation may go on for years."""


class SimulatedTracer(SpanTracer):
    """A tracer that keeps its spans."""

    def __init__(self, *, seed: int = 0, wall: Callable[[], int] = lambda: 0, share: float = 1.0) -> None:
        """``wall`` tells nanoseconds."""
        self.spans: deque[KeptSpan] = deque(maxlen=KEPT)
        """Those that have ended, in that order."""
        self.begun: deque[KeptSpan] = deque(maxlen=KEPT)
        """All, in the order in which they began."""
        super().__init__(self.spans.append, bits=Random(seed).getrandbits, wall=wall, share=share)

    def begin(
        self, name: str, kind: SpanKind, parent: str, attributes: Mapping[str, Datum] | None = None
    ) -> Span | None:
        """See ``ports.telemetry.Tracer``."""
        span = super().begin(name, kind, parent, attributes)
        if isinstance(span, KeptSpan):
            self.begun.append(span)
        return span

    @property
    def traces(self) -> dict[str, list[KeptSpan]]:
        """The spans of each trace that have ended, in the order in which they began."""
        found: dict[str, list[KeptSpan]] = {}
        for span in self._ended:
            found.setdefault(span.trace_id, []).append(span)
        return found

    @property
    def _ended(self) -> list[KeptSpan]:
        return [span for span in self.begun if span.is_over]

    def tree(self) -> list[str]:
        """All spans by name, each below its own: for tests that look at the shape of traces."""
        lines: list[str] = []
        ended = self._ended
        known = {span.span_id for span in ended}

        def tell(parent: str, depth: int) -> None:
            for span in (one for one in ended if one.parent == parent):
                lines.append("  " * depth + span.name)
                tell(span.span_id, depth + 1)

        for top in dict.fromkeys(span.parent for span in ended if span.parent not in known):
            tell(top, 0)
        return lines


class Told(NamedTuple):
    """A number as it was told."""

    kind: Literal["count", "timing", "gauge"]
    name: str
    value: float
    labels: dict[str, str]
    service: str


class SimulatedNumbers:
    """Numbers that are kept one by one."""

    def __init__(self) -> None:
        self.told: deque[Told] = deque(maxlen=KEPT)

    def count(self, name: str, amount: float, labels: Mapping[str, str], service: str) -> None:
        """See ``ports.telemetry.Numbers``."""
        self.told.append(Told("count", name, amount, dict(labels), service))

    def timing(self, name: str, seconds: float, labels: Mapping[str, str], service: str) -> None:
        """See ``ports.telemetry.Numbers``."""
        self.told.append(Told("timing", name, seconds, dict(labels), service))

    def gauge(self, name: str, value: float, labels: Mapping[str, str], service: str) -> None:
        """See ``ports.telemetry.Numbers``."""
        self.told.append(Told("gauge", name, value, dict(labels), service))

    def total(self, name: str) -> float:
        """All that was counted under a name."""
        return sum(told.value for told in self.told if told.kind == "count" and told.name == name)
