"""What the operator may say of HTTP: every setting of the ``http`` section, its default and what it means.

Defaults are limits (DESIGN §4). The table below is the one place: the configuration is read by it, and the
reference page is made from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB




@dataclass(frozen=True, slots=True, kw_only=True)
class Cors:
    """Which pages of other origins may read our answers. None may, unless it is said."""

    origins: tuple[str, ...] = ()
    """``https://kadai.example``, or ``*`` for all."""
    methods: tuple[str, ...] = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
    headers: tuple[str, ...] = ("Content-Type", "Authorization", "X-CSRF-Token", "Idempotency-Key")
    exposed: tuple[str, ...] = ("X-Request-Id",)
    credentials: bool = False
    max_age: int = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Files of a certificate and its key, PEM."""

    certificate: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """The cookie that carries a session."""

    secret: str = field(default="", repr=False)
    """Signs it. Empty: one is made for this process, so sessions end with it."""
    old_secrets: tuple[str, ...] = field(default=(), repr=False)
    """They sign no more; what they have signed is accepted until it ends."""
    cookie: str = "session"
    seconds: int = 14 * 24 * 3600
    secure: bool = False
    """Send it over TLS only. On by itself when the request came over TLS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """See the top of the file. Durations are seconds."""

    bind: tuple[str, ...] = ()
    """``127.0.0.1:8080``, ``[::1]:8080``, ``unix:/run/kadai.sock``; empty: what the programs say."""
    # what a request may be
    target_bytes: int = 8 * KIB
    header_bytes: int = 16 * KIB
    header_count: int = 100
    body_bytes: int = MIB
    # how long things may take
    header_seconds: float = 10.0
    body_seconds: float = 30.0
    """A body may take so long, and ``1 / body_rate`` seconds more for each byte of it that has come."""
    body_rate: int = 4 * KIB
    handler_seconds: float = 30.0
    write_seconds: float = 30.0
    """How long a client may take nothing of what is sent to it."""
    keep_alive_seconds: float = 75.0
    tls_seconds: float = 10.0
    # how much at once
    connections: int = 16_384
    connections_per_address: int = 0
    """0: 256, and no limit for addresses of this machine, where a proxy may be."""
    in_flight: int = 2_048
    """Requests whose handlers are at work."""
    buffered_bytes: int = 128 * MIB
    """Bodies of requests in memory, all together."""
    # forms
    form_fields: int = 1_000
    form_files: int = 100
    upload_memory_bytes: int = 64 * KIB
    """A larger file of a form goes to a temporary file."""
    # WebSockets
    websocket_message_bytes: int = MIB
    websocket_ping_seconds: float = 20.0
    # end
    drain_delay: float = 0.0
    """How long requests are still taken after readiness has become false."""
    # whom to believe
    trusted_proxies: tuple[str, ...] = ()
    """Networks whose ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed: ``10.0.0.0/8``."""
    debug: bool = False
    """Tell clients what went wrong inside. Never in production."""
    envelope: bool = False
    """Error answers have ``success: false`` and ``data: null`` too, beside ``error``."""
    access_log: bool = True
    compress: bool = True
    http2: str = "tls-only"
    """``tls-only``, ``cleartext`` or ``off``."""
    # paths that every service has; empty: none
    health: str = "/health"
    metrics: str = "/metrics"
    openapi: str = "/openapi.json"
    docs: str = "/docs"
    cors: Cors = Cors()
    tls: Tls | None = None
    session: SessionSettings = SessionSettings()


LOOPBACK_DEFAULT: Final = "127.0.0.1:8080"
PER_ADDRESS: Final = 256
