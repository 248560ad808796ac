"""The ports of watching: numbers that programs count, and the spans of what they do.

Where nobody watches there is no port at all: whoever would tell something asks first whether it is ``None``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

SpanKind = Literal["internal", "server", "client", "producer", "consumer"]


class Numbers(Protocol):
    """What programs count, time and gauge by their own names."""

    def count(self, name: str, amount: float, labels: Mapping[str, str], service: str) -> None: ...

    def timing(self, name: str, seconds: float, labels: Mapping[str, str], service: str) -> None: ...

    def gauge(self, name: str, value: float, labels: Mapping[str, str], service: str) -> None: ...


class Span(Protocol):
    """Something that takes time, as part of a trace."""

    @property
    def context(self) -> str:
        """As the header ``traceparent`` has it: what goes along with messages and requests."""

    def note(self, name: str, value: str | int | float | bool) -> None:
        """Add an attribute."""

    def rename(self, name: str) -> None:
        """Call it so from now on: what it is about is known better than when it began."""

    def end(self, error: str = "") -> None:
        """It is over; ``error`` is the code of what went wrong."""


class Tracer(Protocol):
    """Begins spans."""

    def begin(
        self,
        name: str,
        kind: SpanKind,
        parent: str,
        attributes: Mapping[str, str | int | float | bool] | None = None,
    ) -> Span | None:
        """A span below this context (empty: a new trace). ``None``: whoever began this trace does not keep
        it, and then the parent's context goes along with what is sent. A new trace that is not kept is a
        span all the same: it tells nobody of itself, and its context says to all below that they are not
        wanted either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TracingSettings:
    """Where spans go, and how many."""

    endpoint: str
    """OTLP over HTTP: ``http://127.0.0.1:4318``."""
    sample: float = 1.0
    """The share of new traces that are kept; of a trace that came with a request its sender decides."""
    headers: tuple[str, ...] = field(default=(), repr=False)
    """Sent along, as ``name=value``: keys of the collector."""
