"""What is written to the log, and how; where the page of the observer is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """See ``docs/configuration.md``, section ``log``."""

    level: str = "info"
    """The least that is written: debug, info, warn, error."""
    format: str = "auto"
    """``json`` lines, ``text`` for people, or ``auto``: text on a terminal, JSON otherwise."""
    levels: Mapping[str, str] = field(default_factory=dict)
    """Levels of single services, by name."""
    mask: tuple[str, ...] = ()
    """More names of fields whose values are hidden."""
    said: frozenset[str] = frozenset()
    """What of this the configuration says; of the rest a program may say something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserverSettings:
    """See ``docs/configuration.md``, section ``observer``."""

    bind: tuple[str, ...] = ("127.0.0.1:8081",)
    secret: str = field(default="", repr=False)
    """The password of whoever looks; where other machines come there has to be one."""
