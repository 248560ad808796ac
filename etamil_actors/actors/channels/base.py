"""What every channel is, whatever carries its messages.

A *source* is something to receive from: a queue channel, one's own end of a broadcast channel, the
messages of a WebSocket. What is taken from it comes as a ``Delivery``, which is settled once: it is
acknowledged, given back, or buried among the dead letters. How much a settlement means depends on the
transport; the words of the language and jobs treat all transports alike.

```
send ──▶ channel ──try_take──▶ Delivery ──ack──▶ done
            ▲                     ├─give_back(delay)──▶ waits again, attempt + 1
            └─────────────────────┘
                                  └─bury(fault)──▶ dead letters
```

Waiting is always the same: whoever wants a message tries to take, asks to be woken, and tries again. A
wake says that there may be something, not that there is; who was woken and leaves a message behind
passes the wake on. So a receiver that is cancelled loses nothing, and who waits for several sources
at once takes from exactly one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import trio

from etamil_actors.actors.mailbox import Overflow
from etamil_actors.actors.moments import after, as_number
from etamil_actors.errors import Fault
from etamil_actors.vm.values import Handle, Value

MEMORY: Final = "memory"
JOURNAL: Final = "journal"
QUEUE: Final = "queue"
BROADCAST: Final = "broadcast"

SEEN_SECONDS: Final = 600.0
"""An ``id`` that was seen within so many seconds is not sent again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSettings:
    """How a channel is made; what the program or the configuration leaves open has these defaults."""

    capacity: int = 1000
    overflow: Overflow = Overflow.WAIT
    kind: str = QUEUE
    transport: str = MEMORY
    attempts: int | None = None
    """Tries of one message; nothing leaves it to whoever consumes it."""
    ttl: float | None = None
    """Seconds after which a message that still waits is a dead letter."""


class Delivery:
    """A message that was taken and is not yet settled."""

    __slots__ = ("attempt", "id", "is_loose", "is_settled", "key", "sent", "source", "trace", "value")

    def __init__(
        self,
        source: Source,
        value: Value,
        *,
        attempt: int = 1,
        key: str | None = None,
        id: object = None,
        sent: float = 0.0,
        trace: str = "",
    ) -> None:
        self.source = source
        self.value = value
        self.attempt = attempt
        """1 for the first time that it is taken."""
        self.key = key
        self.id = id
        """What the transport knows it by."""
        self.sent = sent
        """When it was sent, by trio's clock."""
        self.trace = trace
        """The trace context of whoever sent it, or empty."""
        self.is_settled = False
        self.is_loose = False
        """Is it out of the channel for good, as far as others can see, although it might be given back?"""

    packed: bytes | None = None
    """The value as it came from outside of the process, for whoever knows what names in it mean."""

    def ack(self) -> None:
        """It is done and will not come again. A second settlement changes nothing."""
        if not self.is_settled:
            self.is_settled = True
            self.source.acked(self)

    def give_back(self, delay: float = 0.0) -> None:
        """Let it be taken again, by anybody, after so many seconds."""
        if not self.is_settled:
            self.is_settled = True
            self.source.given_back(self, delay)

    def bury(self, fault: Fault) -> None:
        """Put it among the dead letters."""
        if not self.is_settled:
            self.is_settled = True
            self.source.buried(self, fault)


class Source(Handle, ABC):
    """Something to receive from."""

    __slots__ = ()

    kind = "a channel"

    @abstractmethod
    def try_take(self) -> Delivery | None:
        """The next message, if there is one now. Never waits."""

    @property
    @abstractmethod
    def is_over(self) -> bool:
        """Closed and empty: nothing will ever come."""

    @abstractmethod
    def watch(self, wake: Callable[[], None]) -> None:
        """Call this plain function once: when there may be a message, or when it is over; perhaps now."""

    @abstractmethod
    def unwatch(self, wake: Callable[[], None]) -> None:
        """Do not wake any more; a wake that was not used is passed on to the next who waits."""

    @property
    @abstractmethod
    def pending(self) -> int:
        """How many messages wait."""

    @abstractmethod
    def acked(self, delivery: Delivery) -> None:
        """A delivery was acknowledged. Only ``Delivery`` calls these three, once for each."""

    @abstractmethod
    def given_back(self, delivery: Delivery, delay: float) -> None:
        """A delivery was given back."""

    @abstractmethod
    def buried(self, delivery: Delivery, fault: Fault) -> None:
        """A delivery became a dead letter."""

    def loosen(self, delivery: Delivery) -> None:
        """Whoever received this has it, and is not expected to say what becomes of it.

        Where a message is taken when it is received, nobody waits for its settlement any more.
        """

    def end(self) -> None:
        """Nobody will receive from here any more; only an end of one's own can be given up."""

    async def take(self, seconds: float = float("inf")) -> Delivery | None:
        """Wait for the next message; nothing once the source is over.

        Raises:
            Fault: ``timeout``, none came within so many seconds.
        """
        delivery = self.try_take()
        if delivery is not None:
            return delivery
        with trio.CancelScope(deadline=after(seconds)) as waiting:
            while not self.is_over:
                event = trio.Event()
                self.watch(event.set)
                try:
                    await event.wait()
                    delivery = self.try_take()
                    if delivery is not None:
                        return delivery
                finally:
                    self.unwatch(event.set)
        if waiting.cancelled_caught:
            raise Fault("timeout", seconds=as_number(seconds))
        return None


class Channel(Source):
    """What a program calls a channel: something to send to. Receiving from it is as its kind says."""

    __slots__ = ("global_name", "name", "path", "settings")

    def __init__(self, name: str, settings: ChannelSettings, path: str) -> None:
        self.name = name
        """What people call it: its own name, or that of the place where it was made."""
        self.settings = settings
        self.path = path
        """Its place in the tree."""
        self.global_name: tuple[str, str] | None = None
        """How it can be found from anywhere, if it has a name; only such a channel can leave the process."""

    @property
    def text(self) -> str:
        return f"<சேனல் {self.name}>"

    @property
    @abstractmethod
    def is_closed(self) -> bool:
        """Are sends refused?"""

    @abstractmethod
    def send_nowait(
        self,
        value: Value,
        *,
        delay: float = 0.0,
        key: str | None = None,
        id: str | None = None,
        trace: str = "",
    ) -> bool | None:
        """Send without waiting: was it accepted, or dropped (False)? Nothing when it has to wait.

        ``trace`` is the context that travels along.

        Raises:
            Fault: ``channel.closed``, ``overloaded`` (full, and the rule is to reject), ``value.local``.
        """

    @abstractmethod
    async def send(
        self,
        value: Value,
        *,
        delay: float = 0.0,
        key: str | None = None,
        id: str | None = None,
        trace: str = "",
    ) -> bool:
        """Send, waiting where that is the rule; False when it was dropped.

        When it returns, the promise of the transport holds. A sender that is cancelled while it waits
        for room has sent nothing.

        Raises: as ``send_nowait``; ``channel.closed`` also when it was closed meanwhile.
        """

    def subscribe(self) -> Source:
        """A receiving end of one's own, which only a broadcast channel has.

        Raises:
            Fault: ``value.invalid``, it is not a broadcast channel.
        """
        raise Fault(
            "value.invalid",
            name="சேனல்_சந்தா",
            problem_ta=f"‘{self.name}’ பரப்புச் சேனல் அல்ல; அதிலிருந்து ‘சேனல்_பெறு’ நேரடியாகப் பெறும்",
            problem_en=f"‘{self.name}’ is no broadcast channel; ‘சேனல்_பெறு’ receives from it directly",
        )

    @abstractmethod
    def close(self) -> None:
        """No more sends; what waits can still be taken. May be said twice."""
