"""A small OTLP collector: a real HTTP server that decodes what it is sent."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

KINDS = {1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}


class Received(NamedTuple):
    """A span as the collector got it."""

    name: str
    kind: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, Any]
    error: str
    """The text of its status, where that is an error."""
    seconds: float
    service: str


@dataclass
class Collector:
    """What has come so far."""

    url: str = ""
    spans: list[Received] = field(default_factory=list)
    requests: list[dict[str, str]] = field(default_factory=list)
    """Headers of every request."""
    status: int = 200
    """What it answers."""
    gate: threading.Event = field(default_factory=threading.Event)
    """Answers are held back until this is set; it is, at the start."""
    _came: threading.Condition = field(default_factory=threading.Condition)

    def named(self, name: str, *, seconds: float = 30.0) -> Received:
        """The span of this name, when it has come."""
        return self.until(lambda: next((span for span in self.spans if span.name == name), None), seconds)

    def until(self, found: Any, seconds: float = 30.0) -> Any:
        """What this finds, when it finds something."""
        ends = time.monotonic() + seconds
        with self._came:
            while not (value := found()):
                assert self._came.wait(max(0.0, ends - time.monotonic())), [span.name for span in self.spans]
            return value

    def take(self, headers: dict[str, str], body: bytes) -> None:
        """A request has come."""
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        sent = ExportTraceServiceRequest.FromString(body)
        with self._came:
            self.requests.append(headers)
            for resource in sent.resource_spans:
                about = {one.key: _value(one.value) for one in resource.resource.attributes}
                for scope in resource.scope_spans:
                    self.spans += [_received(span, about["service.name"]) for span in scope.spans]
            self._came.notify_all()


def _received(span: Any, service: str) -> Received:
    return Received(
        span.name,
        KINDS[span.kind],
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        {one.key: _value(one.value) for one in span.attributes},
        span.status.message if span.status.code == 2 else "",
        (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
        service,
    )


def _value(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))


@contextmanager
def collecting(port: int = 0) -> Iterator[Collector]:
    """A collector for the length of a block."""
    collector = Collector()
    collector.gate.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()} | {"path": self.path}
            collector.gate.wait(30)
            if collector.status == 200:
                collector.take(headers, body)
            self.send_response(collector.status)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *values: object) -> None:
            """It is quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    collector.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield collector
    finally:
        collector.gate.set()
        server.shutdown()
        server.server_close()
        thread.join()
