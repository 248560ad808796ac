"""Servers for the tests of this folder, on both lanes: plain HTTP/1.1, and all else (reached over TLS)."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.http_life.serving import Certificate, Server, Start

LANES = ("fast", "full")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Of an authority of our own."""
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "localhost")
    issued.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    authority.cert_pem.write_to_path(folder / "authority.pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    context.set_alpn_protocols(["http/1.1"])
    return Certificate(
        str(folder / "certificate.pem"), str(folder / "key.pem"), str(folder / "authority.pem"), context
    )


@pytest.fixture(params=LANES)
def lane(request: pytest.FixtureRequest) -> str:
    """Which of the two lanes answers."""
    return str(request.param)


@pytest.fixture
def start(tmp_path: Path, certificate: Certificate) -> Iterator[Start]:
    """Starts servers: ``start("full", connections=200)``."""
    servers: list[Server] = []

    def begin(lane: str = "fast", program: str = "life.qmz", **given: Any) -> Server:
        folder = tmp_path / str(len(servers))
        folder.mkdir()
        servers.append(
            Server(folder, program, certificate=certificate if lane == "full" else None, **given)
        )
        return servers[-1]

    yield begin
    for server in servers:
        server.end()
