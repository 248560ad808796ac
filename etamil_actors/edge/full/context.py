"""What all connections of the full lane share: the site, the settings in Hypercorn's words, the end."""

from __future__ import annotations

from collections.abc import Coroutine
from math import inf
from typing import Any, Final, Protocol

import trio
from hypercorn.config import Config
from hypercorn.trio.worker_context import EventWrapper, WorkerContext

from etamil_actors.edge.exchange import Outgoing
from etamil_actors.edge.request import HttpRequest
from etamil_actors.edge.settings import HttpSettings

STREAMS: Final = 100
"""So many requests of one HTTP/2 connection are served at once."""


class SiteOfLane(Protocol):
    """What the full lane asks of the site (``edge/site.py``)."""

    @property
    def settings(self) -> HttpSettings: ...

    @property
    def is_draining(self) -> bool: ...

    def openapi(self) -> bytes: ...

    def begin(self, request: HttpRequest) -> Outgoing | Coroutine[Any, Any, Outgoing | None]: ...

    def wants_upgrade(self, request: HttpRequest) -> bool: ...

    async def live(self, request: HttpRequest) -> Outgoing | None: ...

    def refuse(
        self, status: int, tamil: str, english: str, request: HttpRequest | None = None, **extra: str
    ) -> Outgoing: ...

    def done(
        self,
        request: HttpRequest | None,
        status: int,
        sent: int,
        *,
        is_cut: bool = False,
        peer: str = "",
    ) -> None: ...

    def failed(self, problem: BaseException, request: HttpRequest | None) -> None:
        """Something of ours raised what nobody expected: log it, count it."""
        ...


class Happening(EventWrapper):
    """An event of Hypercorn's kind that can be set without waiting."""

    def set_now(self) -> None:
        """Let those that wait go on."""
        self._event.set()


class LaneContext(WorkerContext):
    """What Hypercorn calls a worker: one per lane."""

    event_class = Happening
    terminated: Happening

    def __init__(self, site: SiteOfLane) -> None:
        super().__init__(None)
        self.site = site
        self.leaving = trio.Event()
        """Goodbye has been said."""
        self.left_at = inf
        """When that was."""

    @property
    def settings(self) -> HttpSettings:
        return self.site.settings

    def leave(self) -> None:
        """No more requests on any connection, but those that are on their way. May be said twice."""
        if self.leaving.is_set():
            return
        self.left_at = trio.current_time()
        self.leaving.set()
        self.terminated.set_now()


def config_of(settings: HttpSettings) -> Config:
    """The settings in Hypercorn's words. What is not here, our own classes see to."""
    config = Config()
    config.accesslog = None
    config.errorlog = None
    config.include_server_header = False
    config.h2_max_concurrent_streams = STREAMS
    # The hard bound, which ends a connection; a head between ours and this is answered 431.
    config.h2_max_header_list_size = 4 * settings.header_bytes
    config.websocket_max_message_size = settings.websocket_message_bytes
    return config
