"""What the full lane builds on, and what it was reviewed against."""

from __future__ import annotations

import hashlib
import inspect
import subprocess
import sys

import pytest

from etamil_actors.edge.full import foundations
from etamil_actors.errors import InternalError


def test_a_name_that_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    foundations.check_foundations()
    from hypercorn.trio.task_group import TaskGroup

    monkeypatch.delattr(TaskGroup, "spawn_app")
    with pytest.raises(InternalError, match=r"hypercorn.trio.task_group.TaskGroup.spawn_app"):
        foundations.check_foundations()


REVIEWED = {
    "hypercorn.protocol.h11.H11Protocol": "b32a61e0a8ca2127",
    "hypercorn.protocol.h2.H2Protocol": "7257f8bafccaa2e5",
    "hypercorn.protocol.http_stream.HTTPStream": "e0f656feb55ab89c",
    "hypercorn.protocol.ws_stream.WSStream": "67434c428a1a3c04",
    "hypercorn.protocol.ws_stream.Handshake": "701a154c29b5ab4c",
    "hypercorn.trio.tcp_server.TCPServer": "5593e38b83d3e22e",
    "hypercorn.trio.task_group.TaskGroup": "8467a3a16a7e8763",
    "wsproto.extensions.PerMessageDeflate": "809ab54469c440bb",
    "h2.frame_buffer.FrameBuffer": "660a8b118b91c32f",
    "quart.asgi.ASGIHTTPConnection": "6065b18f7c6ef8b5",
    "quart.app.Quart.handle_exception": "fa67a28c5800439e",
    "quart_trio.asgi.TrioASGIHTTPConnection": "6393e71c2a5138be",
    "quart_trio.app.QuartTrio.handle_request": "663b07e762fa6fde",
    "quart_trio.app.QuartTrio.full_dispatch_request": "427aa8d975891180",
    "quart_trio.app.QuartTrio.handle_user_exception": "d141c540ee95f394",
}
"""The first letters of the hash of each source that was read before we relied on it. A new release that
changes one fails here: read what changed, then write the new hash."""


@pytest.mark.parametrize("name", REVIEWED)
def test_what_we_build_on_is_what_was_reviewed(name: str) -> None:
    assert source_hash(name) == REVIEWED[name], f"{name} has changed: {source_hash(name)}"


def source_hash(name: str) -> str:
    import pkgutil

    return hashlib.sha256(inspect.getsource(pkgutil.resolve_name(name)).encode()).hexdigest()[:16]


def test_quart_is_imported_only_when_a_page_is_wanted() -> None:
    code = (
        "import sys; import etamil_actors.edge.full.lane; "
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'quart', 'quart_trio', 'flask', 'jinja2'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
