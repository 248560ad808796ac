"""Spans as OpenTelemetry sends them: OTLP over HTTP.

The library is imported when a tracer is opened, before anything serves: it takes half a second, and in the
thread that sends it would slow down the first requests. Its own log is kept from standard error, where every
line is one of ours; what it says is told by ``sending.py``.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from random import Random
from time import time_ns
from typing import Any, Final

from etamil_actors.errors import Fault
from etamil_actors.ports.background import Keeper
from etamil_actors.ports.telemetry import TracingSettings
from etamil_actors.resources.telemetry.sending import SpanSender
from etamil_actors.resources.telemetry.tracer import LONGEST, Datum, KeptSpan, SpanTracer

PATH: Final = "/v1/traces"
SEND_SECONDS: Final = 5.0
"""How long one batch may take, with every new try."""

SCOPE: Final = "etamil_actors"


class OtlpTracer(SpanTracer):
    """A tracer whose spans go to a collector."""

    def __init__(self, sender: SpanSender, share: float) -> None:
        super().__init__(sender.over, bits=Random(os.urandom(32)).getrandbits, wall=time_ns, share=share)
        self.sender = sender


def open_tracer(settings: TracingSettings, keeper: Keeper, *, name: str, version: str = "") -> OtlpTracer:
    """A tracer for this process, called ``name`` among others.

    Raises:
        Fault: ``config``: the endpoint is none, or what sends is not installed.
    """
    url = endpoint_of(settings.endpoint)
    headers = headers_of(settings.headers)
    if not _is_installed():
        raise Fault(
            "config",
            problem_ta="‘tracing’-க்கு OpenTelemetry தேவை: pip install 'etamil-actors[otel]'",
            problem_en="‘tracing’ needs OpenTelemetry: pip install 'etamil-actors[otel]'",
        )
    sender = SpanSender(OtlpExporter(url, headers, name, version), keeper, where=place_of(url))
    return OtlpTracer(sender, settings.sample)


def _is_installed() -> bool:
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        return False


def endpoint_of(said: str) -> str:
    """The whole URL: a collector's address alone gets the usual path.

    Raises:
        Fault: ``config``.
    """
    scheme, _, rest = said.partition("://")
    host, slash, path = rest.partition("/")
    if scheme not in ("http", "https") or not host or any(sign.isspace() for sign in said):
        raise Fault(
            "config",
            problem_ta=f"tracing.endpoint: ‘{place_of(said)}’ ஓர் HTTP முகவரி அல்ல; எ.கா. http://127.0.0.1:4318",
            problem_en=f"tracing.endpoint: ‘{place_of(said)}’ is no HTTP address; say http://127.0.0.1:4318",
        )
    return said if slash and path else f"{scheme}://{host}{PATH}"


def place_of(url: str) -> str:
    """An endpoint as people may read it: without user, password and query."""
    scheme, separator, rest = url.partition("?")[0].rpartition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"


def headers_of(lines: Sequence[str]) -> dict[str, str]:
    """``name=value`` as headers.

    Raises:
        Fault: ``config``; the value is not told, for it may be a key.
    """
    headers = {}
    for line in lines:
        name, equals, value = line.partition("=")
        if not equals or not name.strip():
            raise Fault(
                "config",
                problem_ta="tracing.headers: ஒவ்வொன்றும் ‘பெயர்=மதிப்பு’ என்று இருக்க வேண்டும்",
                problem_en="tracing.headers: each is written as ‘name=value’",
            )
        headers[name.strip().lower()] = value.strip()
    return headers


class OtlpExporter:
    """Sends spans by the library's own exporter."""

    def __init__(self, url: str, headers: dict[str, str], name: str, version: str = "") -> None:
        library = logging.getLogger("opentelemetry")
        library.propagate = False
        if not library.handlers:
            library.addHandler(logging.NullHandler())
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource

        about = {"service.name": name, "service.instance.id": f"{socket.gethostname()}:{os.getpid()}"}
        if version:
            about["service.version"] = version
        self._resource = Resource.create(about)
        self._exporter: Any = OTLPSpanExporter(endpoint=url, headers=headers, timeout=SEND_SECONDS)
        self._made = _maker(self._resource)
        self._trouble = _Heard()
        library.addHandler(self._trouble)

    def export(self, spans: Sequence[KeptSpan]) -> str:
        """See ``sending.Exporter``."""
        from opentelemetry.sdk.trace.export import SpanExportResult

        self._trouble.said = ""
        result = self._exporter.export([self._made(span) for span in spans])
        if result is SpanExportResult.SUCCESS:
            return ""
        return self._trouble.said or "refused"

    def shutdown(self) -> None:
        """See ``sending.Exporter``."""
        self._exporter.shutdown()
        logging.getLogger("opentelemetry").removeHandler(self._trouble)


class _Heard(logging.Handler):
    """What the library had to say last."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.said = record.getMessage()[:300]


def _maker(resource: Any) -> Callable[[KeptSpan], Any]:
    """Makes the library's spans of ours."""
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import SpanContext, SpanKind, TraceFlags
    from opentelemetry.trace.status import Status, StatusCode

    kinds = {kind.name.lower(): kind for kind in SpanKind}
    scope = InstrumentationScope(SCOPE)
    flags = TraceFlags(TraceFlags.SAMPLED)
    well = Status(StatusCode.UNSET)

    def made(span: KeptSpan) -> Any:
        trace = int(span.trace_id, 16)
        context = SpanContext(trace, int(span.span_id, 16), is_remote=False, trace_flags=flags)
        parent = None
        if span.parent:
            above, is_remote = int(span.parent, 16), span.kind == "server"
            parent = SpanContext(trace, above, is_remote=is_remote, trace_flags=flags)
        attributes = {key[:LONGEST]: _shown(value) for key, value in span.attributes.items()}
        status = well
        if span.error:
            attributes.setdefault("error.type", span.error)
            status = Status(StatusCode.ERROR, span.error)
        return ReadableSpan(
            span.name[:LONGEST] or "?",
            context=context,
            parent=parent,
            resource=resource,
            attributes=attributes,
            kind=kinds[span.kind],
            status=status,
            start_time=span.began,
            end_time=max(span.ended, span.began),
            instrumentation_scope=scope,
        )

    return made


def _shown(value: Datum) -> Datum:
    if isinstance(value, str):
        return value[:LONGEST]
    if type(value) is int and not -(1 << 63) <= value < 1 << 63:
        return str(value)[:LONGEST]
    return value
