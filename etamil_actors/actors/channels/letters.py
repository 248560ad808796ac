"""Dead letters of channels: messages that were accepted, or dropped, and that nobody will handle.

``Letters`` is what whoever shows them may ask, wherever they are kept. Those of channels in memory are
kept here: the last ones to be looked at, requeued or dropped, and the count of all for ever. The
journal keeps its own in its file.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, Protocol
from weakref import ref

import trio

from etamil_actors.errors import Fault, Frame
from etamil_actors.vm.convert import text_of
from etamil_actors.vm.log_line import masked
from etamil_actors.vm.values import Value

KEPT: Final = 1000


class Letter(NamedTuple):
    """A dead letter."""

    number: int
    """What requeues and drops it; never given twice by one who keeps letters."""
    time: float
    """When it became one."""
    channel: str
    """The name of the channel."""
    value: Value
    key: str | None
    code: str
    """Of the error that was the reason: ``overloaded`` when it was dropped for want of room, ``timeout``
    when it was too old, ``channel.closed`` when it was left at the end, else of the last try."""
    tamil: str
    english: str
    trace: tuple[str, ...]
    """The program's calls, innermost first."""
    tries: int
    """How often somebody had begun to handle it."""

    @property
    def shown(self) -> str:
        """The value for people, without secrets."""
        return text_of(masked(self.value))


class Letters(Protocol):
    """Dead letters, wherever they are kept."""

    def count(self, channel: str | None = None) -> int:
        """How many there ever were, of one channel or of all; requeued and dropped ones too."""

    async def listed(self, channel: str | None = None) -> list[Letter]:
        """Those that are kept, oldest first."""

    async def kept(self) -> Mapping[str, int]:
        """How many are kept of each channel that has any."""

    async def requeue(self, number: int) -> bool:
        """Send it again, as a new message; False when there is no such letter.

        It has no tries yet and waits behind the others, whether there is room or not.

        Raises:
            Fault: ``channel.closed``, nobody can take it any more; the letter stays.
        """

    async def drop(self, number: int) -> bool:
        """Throw it away; False when there is no such letter."""


class Origin(Protocol):
    """Where a letter came from, and where it goes when it is requeued."""

    @property
    def name(self) -> str:
        """What people call it."""

    def put_again(self, value: Value, key: str | None) -> None:
        """Take it back, with no tries yet."""


class Content(Protocol):
    """What became a letter."""

    @property
    def value(self) -> Value:
        """What was sent."""

    @property
    def key(self) -> str | None:
        """The key with which it was sent."""


class MemoryLetters:
    """The dead letters of channels in memory."""

    __slots__ = ("_counts", "_kept", "_letters", "_now", "_number")

    def __init__(self, kept: int = KEPT, now: Callable[[], float] = trio.current_time) -> None:
        self._kept = kept
        self._now = now
        self._number = 0
        self._counts: dict[str, int] = {}
        # The way back is weak: a letter must not keep a channel alive that everybody else has forgotten.
        self._letters: OrderedDict[int, tuple[Letter, ref[Origin]]] = OrderedDict()

    def add(self, lane: Origin, message: Content, tries: int, fault: Fault) -> None:
        """Note a message that nobody will handle."""
        self._number += 1
        self._counts[lane.name] = self._counts.get(lane.name, 0) + 1
        letter = Letter(
            self._number, self._now(), lane.name, message.value, message.key,
            fault.code, fault.tamil, fault.english, tuple(map(_told, fault.trace)), tries,
        )
        self._letters[letter.number] = (letter, ref(lane))
        if len(self._letters) > self._kept:
            self._letters.popitem(last=False)

    def count(self, channel: str | None = None) -> int:
        """See ``Letters``."""
        return sum(self._counts.values()) if channel is None else self._counts.get(channel, 0)

    async def listed(self, channel: str | None = None) -> list[Letter]:
        """See ``Letters``."""
        return [letter for letter, _ in self._letters.values() if channel in (None, letter.channel)]

    async def kept(self) -> Mapping[str, int]:
        """See ``Letters``."""
        return Counter(letter.channel for letter, _ in self._letters.values())

    async def requeue(self, number: int) -> bool:
        """See ``Letters``."""
        if number not in self._letters:
            return False
        letter, back = self._letters[number]
        lane = back()
        if lane is None:
            raise Fault("channel.closed")
        lane.put_again(letter.value, letter.key)
        del self._letters[number]
        return True

    async def drop(self, number: int) -> bool:
        """See ``Letters``."""
        return self._letters.pop(number, None) is not None


def _told(frame: Frame) -> str:
    place = f"{frame.file}:{frame.line}:{frame.column}"
    return f"{place} {frame.function}" if frame.function else place
