"""The inner names of Hypercorn that the full lane stands on; whoever changes them shall hear of it at once.

Hypercorn is written to be run, not to be built on: the classes that we derive from are not promised to
anybody. So the import of the full lane checks them, and says which one is missing, instead of failing
somewhere on the first odd request.
"""

from __future__ import annotations

import inspect
from importlib import import_module
from importlib.metadata import version
from typing import Final

from etamil_actors.errors import InternalError

# fmt: off
NAMES: Final = {
    "hypercorn.config": ("Config.response_headers", "Config.h2_max_concurrent_streams"),
    "hypercorn.events": ("Closed", "RawData", "Updated"),
    "hypercorn.protocol.events": (
        "Body", "Data", "EndBody", "EndData", "InformationalResponse", "Request", "Response", "StreamClosed",
    ),
    "hypercorn.protocol.h11": (
        "H11Protocol.stream_send", "H11Protocol._handle_events", "H11Protocol._create_stream",
        "H11Protocol._maybe_recycle", "H11Protocol._close_stream", "H11Protocol._send_h11_event",
        "H11WSConnection.next_event", "STREAM_ID",
    ),
    "hypercorn.protocol.h2": (
        "H2Protocol.initiate", "H2Protocol.handle", "H2Protocol.stream_send", "H2Protocol._handle_events",
        "H2Protocol._create_stream", "H2Protocol._close_stream", "H2Protocol._flush",
    ),
    "hypercorn.protocol.http_stream": ("HTTPStream.handle", "HTTPStream.app_send", "ASGIHTTPState.CLOSED"),
    "hypercorn.protocol.ws_stream": (
        "WSStream.handle", "WSStream.app_send", "WSStream._accept", "Handshake.accept", "Handshake.is_valid",
        "ASGIWebsocketState.HANDSHAKE",
    ),
    "hypercorn.trio.task_group": ("TaskGroup.spawn_app", "TaskGroup.spawn"),
    "hypercorn.trio.tcp_server": ("TCPServer.run", "TCPServer.protocol_send", "TCPServer._read_data"),
    "hypercorn.trio.worker_context": ("WorkerContext.mark_request", "EventWrapper.set"),
    "wsproto.extensions": (
        "PerMessageDeflate.frame_inbound_payload_data", "PerMessageDeflate.frame_inbound_complete",
    ),
}
# fmt: on

PARAMETERS: Final = (
    "app", "config", "context", "task_group", "connection_state", "ssl", "client", "server", "send"
)  # fmt: skip
"""How both protocols are made."""


def check_foundations() -> None:
    """Are all names there that we build on? Raises: InternalError, with the names that are not."""
    missing = [
        f"{module}.{name}" for module, names in NAMES.items() for name in names if not _has(module, name)
    ]
    for module, name in (("hypercorn.protocol.h11", "H11Protocol"), ("hypercorn.protocol.h2", "H2Protocol")):
        found = getattr(import_module(module), name, None)
        if found is not None and tuple(inspect.signature(found).parameters) != PARAMETERS:
            missing.append(f"{module}.{name}({', '.join(PARAMETERS)})")
    if missing:
        raise InternalError(
            f"Hypercorn {version('hypercorn')} lacks what the HTTP edge is built on: {', '.join(missing)}. "
            "Please install a version that pyproject.toml of etamil-actors allows."
        )


def _has(module: str, path: str) -> bool:
    found: object = import_module(module)
    for name in path.split("."):
        if not hasattr(found, name):
            return False
        found = getattr(found, name)
    return True
