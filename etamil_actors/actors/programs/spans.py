"""Spans of what programs do: a helper for the words, for where traces are followed and where they are not.

A word that waits for the world — a query, a command, a call — tells of it like this:

```python
span = begin(activity, "SELECT kadai", "client", {"db.system.name": "sqlite"})
try:
    …
except Fault as problem:
    end(span, problem)
    raise
end(span)
```

or ``with followed(activity, name, "client", attributes) as span:``. Without a tracer both do nothing, and
``span`` is ``None``. What the work itself sends on is ``context_of(activity, span)``.

``Within`` is for what programs do inside: for its length the activity's own context is that of the span, so
whatever begins meanwhile stands below it. Without a tracer the context of a message is gone on with all the
same: it stands in the lines of the log, and goes along to others who may follow it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING

from etamil_actors.errors import ActivityCancelled, BudgetSpent, ExitRequested, Fault

if TYPE_CHECKING:
    from etamil_actors.actors.channels.base import Delivery
    from etamil_actors.actors.programs.activity import Activity
    from etamil_actors.ports.telemetry import Span, SpanKind

Attributes = Mapping[str, str | int | float | bool]


def begin(
    activity: Activity, name: str, kind: SpanKind = "client", attributes: Attributes | None = None
) -> Span | None:
    """A span below what the activity does now. ``None``: nobody follows this trace."""
    tracer = activity.service.system.tracer
    if tracer is None:
        return None
    return tracer.begin(name, kind, activity.trace, attributes)


def end(span: Span | None, problem: BaseException | None = None) -> None:
    """It is over, well or with this problem."""
    if span is not None:
        span.end("" if problem is None else error_of(problem))


def context_of(activity: Activity, span: Span | None) -> str:
    """What goes along with what is sent from within a span."""
    return span.context if span is not None else activity.trace


def error_of(problem: BaseException) -> str:
    """What a span calls a problem: its code, never its text, which may tell what is nobody's business."""
    if isinstance(problem, BudgetSpent):
        problem = problem.fault
    if isinstance(problem, Fault):
        return problem.code
    if isinstance(problem, ExitRequested):
        return ""  # வெளியேறு is no error
    if isinstance(problem, (ActivityCancelled, GeneratorExit)) or type(problem).__name__ == "Cancelled":
        return "cancelled"
    return type(problem).__name__


class followed:
    """A span for the length of a ``with``."""

    __slots__ = ("_span",)

    def __init__(
        self, activity: Activity, name: str, kind: SpanKind = "client", attributes: Attributes | None = None
    ) -> None:
        self._span = begin(activity, name, kind, attributes)

    def __enter__(self) -> Span | None:
        return self._span

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        end(self._span, problem)


class Within:
    """A span that is the activity's own context until it is left. May be left once only."""

    __slots__ = ("_activity", "_before", "span")

    def __init__(self, activity: Activity, span: Span | None, context: str = "") -> None:
        """Without a span this ``context`` is gone on with, if there is one."""
        self._activity = activity
        self._before = activity.trace
        self.span = span
        if span is not None:
            activity.trace = span.context
        elif context:
            activity.trace = context

    def leave(self, problem: BaseException | None = None) -> None:
        """It is over, and the activity goes on with the context that it had before."""
        self._activity.trace = self._before
        end(self.span, problem)

    def __enter__(self) -> Span | None:
        return self.span

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave(problem)


# ---- what the runtime itself tells of -------------------------------------------------


def handling(activity: Activity, delivery: Delivery) -> Within | None:
    """A message of a channel is in hand. ``None``: there is nothing to go on with."""
    tracer = activity.service.system.tracer
    context = delivery.trace
    if tracer is None:
        return Within(activity, None, context) if context else None
    name = getattr(delivery.source, "name", "")
    span = tracer.begin(
        f"process {name}".rstrip(), "consumer", context or activity.trace, _of_message(activity, delivery)
    )
    return Within(activity, span, context)


def running(activity: Activity, job: str, delivery: Delivery | None) -> Within:
    """A run of a job begins, perhaps for a message."""
    tracer = activity.service.system.tracer
    context = delivery.trace if delivery is not None else ""
    if tracer is None:
        return Within(activity, None, context)
    attributes: dict[str, str | int | float | bool] = {
        "etamil.service": activity.service.name,
        "etamil.job": job,
    }
    if delivery is None:
        return Within(activity, tracer.begin(activity.name, "internal", activity.trace, attributes))
    attributes |= _of_message(activity, delivery)
    span = tracer.begin(activity.name, "consumer", context or activity.trace, attributes)
    return Within(activity, span, context)


def answering(activity: Activity, agent: str, message: str, context: object) -> Within | None:
    """An agent handles a message that came with this context. ``None``: there is nothing to go on with."""
    tracer = activity.service.system.tracer
    said = context if type(context) is str else ""
    if tracer is None:
        return Within(activity, None, said) if said else None
    attributes = {
        "etamil.service": activity.service.name,
        "etamil.agent": activity.name,
        "etamil.message": message,
    }
    return Within(activity, tracer.begin(f"{agent}.{message}", "internal", said, attributes), said)


def _of_message(activity: Activity, delivery: Delivery) -> dict[str, str | int | float | bool]:
    return {
        "etamil.service": activity.service.name,
        "messaging.system": "etamil",
        "messaging.operation.type": "process",
        "messaging.destination.name": str(getattr(delivery.source, "name", "")),
        "etamil.attempt": delivery.attempt,
    }
