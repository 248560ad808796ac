"""What a configuration says of databases, the web, the log, traces and the observer, in one value that
travels from the file to the process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from etamil_actors.observe.settings import LogSettings, ObserverSettings
from etamil_actors.ports.databases import PoolSettings
from etamil_actors.ports.telemetry import TracingSettings
from etamil_actors.ports.web import WebSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceSettings:
    """See the top of the file."""

    databases: Mapping[str, PoolSettings] = field(default_factory=dict)
    """By name; ``default`` is the one that programs mean without a name."""
    web: WebSettings = field(default_factory=WebSettings)
    log: LogSettings = field(default_factory=LogSettings)
    tracing: TracingSettings | None = None
    observer: ObserverSettings | None = None
