"""Names of a request for those who follow it: a trace context (W3C, level 1) and a request id.

A ``traceparent`` is ``version-trace-parent-flags``. What came along is gone on with: same trace, a new
parent, for the request is a step of its own. What is not well formed counts as not sent, as the
recommendation wants it. Versions to come may be longer; of them the parts that we know are believed.

Ids tell requests apart and keep nothing secret. So they come from a generator that is seeded once by the
system and then costs no call of it; the whole of ``begin`` takes about a microsecond.

Where traces are followed, a request is a span of kind *server*, from its head to the end of its answer, told
in the words of OpenTelemetry's conventions for HTTP. Neither its query nor its headers are told: they hold
what is nobody else's business. Probes of health and readers of numbers are no spans.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from os import urandom
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

from etamil_actors.edge.access_log import hide_tokens
from etamil_actors.edge.metrics import METHODS

if TYPE_CHECKING:
    from etamil_actors.edge.request import HttpRequest
    from etamil_actors.ports import telemetry

SAMPLED: Final = 1


class Trace(NamedTuple):
    """The parts of a ``traceparent``, in hexadecimal digits."""

    trace_id: str
    parent_id: str
    flags: str

    @property
    def is_sampled(self) -> bool:
        """Does the caller keep a record of this trace?"""
        return bool(int(self.flags, 16) & SAMPLED)


class Identity(NamedTuple):
    """What a request is called."""

    traceparent: str
    """The context that everything done for it goes on with; it is the request's own."""
    request_id: str


_TRACEPARENT: Final = re.compile(
    rb"(?!ff)(?P<version>[0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})"
    rb"(?P<more>-.*)?",
    re.DOTALL,
)
_well_formed: Final = _TRACEPARENT.fullmatch
_usable_id: Final = re.compile(rb"[A-Za-z0-9._~+/=:-]{1,128}").fullmatch
LONGEST: Final = 512


def parse_traceparent(header: bytes | None) -> Trace | None:
    """The context that came along, or None when none came or it is not well formed."""
    if not header or len(header) > LONGEST:
        return None
    found = _well_formed(header)
    if found is None or (found["version"] == b"00" and found["more"] is not None):
        return None
    return Trace(found[2].decode(), found[3].decode(), found[4].decode())


NEITHER_ZERO: Final = 1 << 64 | 1
"""One bit of either id is always set."""


class Tracer:
    """Gives requests their names. One for each process: a copy would go on with the same numbers."""

    __slots__ = ("_bits", "_flags")

    def __init__(self, *, seed: bytes | None = None, is_sampled: bool = True) -> None:
        self._bits = Random(seed or urandom(32)).getrandbits
        self._flags = f"{SAMPLED if is_sampled else 0:02x}"

    def begin(self, traceparent: bytes | None = None, request_id: bytes | None = None) -> Identity:
        """Names for a request. Its id is the client's, if that is one we like to print, else the trace's."""
        trace = parse_traceparent(traceparent) if traceparent else None
        # No id is all zeros: one in 2⁶⁴ would be, and would make the context not well formed.
        if trace is None:
            bits = f"{self._bits(192) | NEITHER_ZERO:048x}"  # both at once, as most requests need both
            name = bits[:32]
            if request_id is None:
                return Identity(f"00-{name}-{bits[32:]}-{self._flags}", name)
            trace_id, flags = name, self._flags
        else:
            trace_id, _, flags = trace
            name = trace_id
        if request_id is not None and _usable_id(request_id):
            name = request_id.decode("ascii")
        return Identity(f"00-{trace_id}-{self._bits(64) or 1:016x}-{flags}", name)

    def child_of(self, traceparent: str) -> str:
        """A context of the same trace for the next step: a query, a call of another service."""
        return f"{traceparent[:36]}{self._bits(64) or 1:016x}{traceparent[52:]}"


# ── spans of requests ────────────────────────────────────────────────────────────────────────────

GONE: Final = 499
LONGEST_TOLD: Final = 256
"""So many characters of a path or of a client's name are told."""

Begin = Callable[[bytes | None, bytes | None], Identity]


def begin_span(request: HttpRequest, spans: telemetry.Tracer, begin: Begin) -> None:
    """A request has come: its names are those of a span, if its trace is kept."""
    sent = request.named.get(b"traceparent")
    trace = parse_traceparent(sent) if sent else None
    parent = f"00-{trace.trace_id}-{trace.parent_id}-{trace.flags}" if trace is not None else ""
    request.span = span = spans.begin(_method(request), "server", parent)
    if span is not None:
        sent = span.context.encode()
    names = begin(sent, request.named.get(b"x-request-id"))
    request.id = names.request_id
    request.traceparent = span.context if span is not None else names.traceparent


def end_span(request: HttpRequest, status: int) -> None:
    """It was answered, or given up: 499."""
    span, entry = request.span, request.entry
    assert span is not None
    if entry is not None and entry.answer is not None:
        return  # health, numbers, documents: asked every few seconds, and no part of any work
    method, note = _method(request), span.note
    note("http.request.method", method if method != OTHER_METHOD else "_OTHER")
    note("http.response.status_code", status)
    note("url.scheme", request.scheme)
    note("url.path", hide_tokens(request.raw_path[:LONGEST_TOLD].decode("utf-8", "replace")))
    note("network.protocol.version", request.version)
    note("client.address", request.client)
    host = request.named.get(b"host")
    if host:
        name, _, port = host[:LONGEST_TOLD].decode("latin-1").rpartition(":")
        note("server.address", name if name and port.isdecimal() else f"{name}:{port}".lstrip(":"))
        if name and port.isdecimal():
            note("server.port", int(port))
    agent = request.named.get(b"user-agent")
    if agent:
        note("user_agent.original", agent[:LONGEST_TOLD].decode("utf-8", "replace"))
    if entry is not None:
        note("etamil.service", entry.service)
        if entry.path:
            note("http.route", entry.path)
            span.rename(f"{method} {entry.path}")
    span.end(str(status) if status >= 500 else "cancelled" if status == GONE else "")


OTHER_METHOD: Final = "HTTP"


def _method(request: HttpRequest) -> str:
    return request.method if request.method in METHODS else OTHER_METHOD
