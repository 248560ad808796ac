"""Spans: who makes them, which of them are kept, and what is known of one.

The names are those of W3C Trace Context, so a span's context is the text of a header ``traceparent``:

```
00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
   trace, 32 digits                 span, 16         01: kept, 00: not
```

Whether a trace is kept is decided once, where it begins, and travels along: below a context that is not kept
no span is made at all. A trace that begins here is kept when the lower half of its number is below the share
that is wanted, as OpenTelemetry's TraceIdRatioBased has it, so all who look at one number decide alike.

No library is needed for any of this. A span costs two looks at the clock, some random bits and one append;
everything else happens where spans are sent (``sending.py``, ``otlp.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from etamil_actors.ports.telemetry import Span, SpanKind

Datum = str | int | float | bool

CONTEXT_LENGTH: Final = 55

_KEPT: Final = "13579bdf"
"""Last digits of flags that have the lowest bit set."""

_NEITHER_ZERO: Final = 1 << 64 | 1
"""One bit of either id is always set: no id is all zeros."""

_LOWER: Final = (1 << 64) - 1

MOST_ATTRIBUTES: Final = 64
LONGEST: Final = 1_000
"""So many characters of a name or of an attribute's text are kept."""


class KeptSpan:
    """A span of a trace that is kept."""

    __slots__ = (
        "_tracer", "attributes", "began", "context", "ended", "error", "is_over", "kind", "name", "parent",
    )  # fmt: skip

    def __init__(
        self,
        tracer: SpanTracer,
        name: str,
        kind: SpanKind,
        context: str,
        parent: str,
        began: int,
        attributes: Mapping[str, Datum] | None,
    ) -> None:
        self._tracer = tracer
        self.name = name
        self.kind: SpanKind = kind
        self.context = context
        self.parent = parent
        """The id of the span above; empty: it is the first of its trace."""
        self.began = began
        """Nanoseconds since 1970, as ``ended``."""
        self.ended = began
        self.is_over = False
        self.error = ""
        self.attributes: dict[str, Datum] = dict(attributes) if attributes else {}

    def __repr__(self) -> str:
        return f"<span {self.name} {self.context}>"

    @property
    def trace_id(self) -> str:
        """The trace, in hexadecimal digits."""
        return self.context[3:35]

    @property
    def span_id(self) -> str:
        """The span, in hexadecimal digits."""
        return self.context[36:52]

    def note(self, name: str, value: Datum) -> None:
        """Add an attribute."""
        if len(self.attributes) < MOST_ATTRIBUTES or name in self.attributes:
            self.attributes[name] = value

    def rename(self, name: str) -> None:
        """Call it so from now on."""
        self.name = name

    def end(self, error: str = "") -> None:
        """It is over; only the first end counts."""
        if not self.is_over:
            self.is_over = True
            self.error = error
            self.ended = self._tracer.wall()
            self._tracer.over(self)


class QuietSpan:
    """The first span of a trace that is not kept: all that it is for is its context."""

    __slots__ = ("context",)

    def __init__(self, context: str) -> None:
        self.context = context

    def note(self, name: str, value: Datum) -> None:
        """Nobody wants to know."""

    def rename(self, name: str) -> None:
        """Nobody wants to know."""

    def end(self, error: str = "") -> None:
        """Nobody wants to know."""


class SpanTracer:
    """See the top of the file, and ``ports.telemetry.Tracer``."""

    def __init__(
        self,
        over: Callable[[KeptSpan], None],
        *,
        bits: Callable[[int], int],
        wall: Callable[[], int],
        share: float = 1.0,
    ) -> None:
        """``over`` gets each span that has ended; ``bits`` are random ones, so many; ``wall`` tells
        nanoseconds since 1970; ``share`` of the traces that begin here are kept.
        """
        self.over = over
        self.wall = wall
        self._bits = bits
        self._bound = round(share * (1 << 64))

    def begin(
        self, name: str, kind: SpanKind, parent: str, attributes: Mapping[str, Datum] | None = None
    ) -> Span | None:
        """See ``ports.telemetry.Tracer``."""
        if len(parent) != CONTEXT_LENGTH:
            return self._first(name, kind, attributes)
        if parent[54] not in _KEPT:
            return None
        context = f"{parent[:36]}{self._bits(64) or 1:016x}{parent[52:]}"
        return KeptSpan(self, name, kind, context, parent[36:52], self.wall(), attributes)

    def _first(self, name: str, kind: SpanKind, attributes: Mapping[str, Datum] | None) -> Span:
        number = self._bits(192) | _NEITHER_ZERO
        ids = f"{number:048x}"
        if (number >> 64) & _LOWER < self._bound:
            return KeptSpan(self, name, kind, f"00-{ids[:32]}-{ids[32:]}-01", "", self.wall(), attributes)
        return QuietSpan(f"00-{ids[:32]}-{ids[32:]}-00")
