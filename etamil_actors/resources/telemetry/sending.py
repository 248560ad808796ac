"""Spans on their way out: a bounded queue, and one task that has them sent in a thread, many at a time.

```
span ends ─▶ queue, bounded ─▶ batch ─▶ thread: export ─▶ collector
               └ full: lost             └ it fails: lost
```

Whoever ends a span is never held up. What could not be sent is not kept: a collector that is away for an hour
would fill the memory with what nobody looks at any more. It is counted, and the operator is told.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final, Protocol

import trio

from etamil_actors.ports.background import Keeper
from etamil_actors.resources.telemetry.tracer import KeptSpan

MOST: Final = 8_192
"""So many spans may wait."""

BATCH: Final = 512
"""So many are sent at once."""

PAUSE_SECONDS: Final = 1.0
"""How long a span may wait for others to go with."""

TELL_SECONDS: Final = 60.0
"""How often, at the most, it is told that spans were lost."""

LAST_SECONDS: Final = 3.0
"""How long the last spans may take when everything ends."""


class Exporter(Protocol):
    """Sends spans. ``export`` is called in a thread."""

    def export(self, spans: Sequence[KeptSpan]) -> str:
        """Send these; answers what is wrong, or nothing."""

    def shutdown(self) -> None:
        """There will be no more; an export that is under way gives up."""


class SpanSender:
    """See the top of the file."""

    def __init__(
        self,
        exporter: Exporter,
        keeper: Keeper,
        *,
        where: str,
        most: int = MOST,
        pause: float = PAUSE_SECONDS,
    ) -> None:
        """``where`` is what people call the collector."""
        self.sent = 0
        self.lost = 0
        """Spans that nobody will ever see: there was no room, or they could not be sent."""
        self._exporter = exporter
        self._keeper = keeper
        self._where = where
        self._most = most
        self._pause = pause
        self._queue: deque[KeptSpan] = deque()
        self._wake = trio.Event()
        self._is_closing = False
        self._is_over = False
        self._turn = trio.Lock()
        self._limiter = trio.CapacityLimiter(1)
        self._told = 0
        self._tell_from = -1.0
        self._trouble = ""
        keeper.start("tracing", self.run)
        keeper.at_close(self.close)

    def over(self, span: KeptSpan) -> None:
        """A span has ended."""
        if self._is_over or len(self._queue) >= self._most:
            self.lost += 1
            return
        self._queue.append(span)
        if len(self._queue) >= BATCH:
            self._wake.set()

    async def run(self) -> None:
        """Send what comes, until this is cancelled."""
        while True:
            with trio.move_on_after(self._pause):
                await self._wake.wait()
            self._wake = trio.Event()
            if self._queue:
                await self._send_all()
            self._tell()

    async def close(self) -> None:
        """Send what still waits, as long as there is time; what is left then is lost."""
        with trio.CancelScope(shield=True, deadline=trio.current_time() + LAST_SECONDS):
            await self._send_all()
        self._is_over = True
        self.lost += len(self._queue)
        self._queue.clear()
        self._exporter.shutdown()
        self._tell_from = -1.0
        self._tell()

    async def _send_all(self) -> None:
        async with self._turn:
            while self._queue:
                await self._send_some()

    async def _send_some(self) -> None:
        spans = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
        trouble = "cancelled"
        try:
            # Abandoned when there is no more time: a collector that hangs holds up nobody's end.
            trouble = await trio.to_thread.run_sync(
                self._export, spans, limiter=self._limiter, abandon_on_cancel=True
            )
        finally:
            if trouble:
                self.lost += len(spans)
                self._trouble = trouble
            else:
                self.sent += len(spans)

    def _export(self, spans: Sequence[KeptSpan]) -> str:
        """In a thread: send them, and answer what is wrong."""
        try:
            return self._exporter.export(spans)
        except Exception as problem:  # noqa: BLE001  counted and told; tracing ends nothing
            return f"{type(problem).__name__}: {problem}"

    def _tell(self) -> None:
        new = self.lost - self._told
        now = trio.current_time()
        if not new or now < self._tell_from:
            return
        self._told, self._tell_from = self.lost, now + TELL_SECONDS
        why, self._trouble = self._trouble, ""
        because = f": {why}" if why else ""
        self._keeper.tell(
            f"{new} தடங்கள் {self._where}-ஐச் சென்றடையவில்லை{because}",
            f"{new} spans did not reach {self._where}{because}",
        )
