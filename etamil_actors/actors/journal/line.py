"""Which message comes next: the order of what waits in one channel, without the messages themselves.

The rules are those of channels in memory (``channels/lane.py``). A million messages may wait here, so
what is kept of each is little more than a number, its *place*; the smallest that may be taken goes first:

```
enter ──▶ order ─────────────┐  places, ascending
          sleeping ─(time)─▶ early ──▶ the smaller of the two first ──▶ take
              ▲               ▲                        │
              └── give_back ──┘                        ▼ another of its key is being handled
                              └────(its turn)──── parked
```

A message's place is the number under which the file knows it. Only one that was sent with a delay gets
another when it is due, for it begins to wait then. (After a restart it has its number again.)

What is removed from the middle — too old, or dropped — is noted as gone and skipped when it comes up.

Pure: time is an argument, and whoever asks says how a message is found by its number.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from math import inf
from typing import Final

from etamil_actors.actors.channels.alarm import MOST_SPENT, Sleepers

LONGEST_SEARCH: Final = 4096
"""So many messages whose key is taken are parked in one go; then others get a turn."""


class Message:
    """A message of the journal, as far as it is in memory."""

    __slots__ = ("attempt", "is_kept", "key", "number", "packed", "place", "ready", "sent")

    def __init__(
        self, number: int, packed: bytes, key: str | None, sent: float, ready: float, attempt: int
    ) -> None:
        self.number = number
        self.place = number
        """Where it stands among the others, see ``Line``."""
        self.packed = packed
        self.key = key
        self.sent = sent
        """When it was sent; like all times here by trio's clock."""
        self.ready = ready
        """When it could be taken first: later than ``sent`` when it was delayed."""
        self.attempt = attempt
        """How often it has been taken."""
        self.is_kept = False
        """It must stay in memory: it knows of tries that the file may not know yet."""


class _Key:
    __slots__ = ("owner", "parked")

    def __init__(self, owner: int) -> None:
        self.owner = owner
        self.parked: list[int] = []


class Line:
    """The messages of one channel that wait, by place."""

    __slots__ = (
        "_early", "_ends", "_find", "_gone", "_keys", "_moved", "_next_place", "_order", "_sleeping",
        "_until", "count", "ttl",
    )  # fmt: skip

    def __init__(
        self, find: Callable[[int], Message], next_place: Callable[[], int], ttl: float | None = None
    ) -> None:
        self._find = find
        self._next_place = next_place
        self._order: deque[int] = deque()
        self._early: list[int] = []
        # Those that were given back by their place; those that never waited by their number, negative.
        self._sleeping: Sleepers[int] = Sleepers()
        self._moved: dict[int, int] = {}
        """The number of what has another place."""
        self._keys: dict[str, _Key] = {}
        self._gone: set[int] = set()
        # Only where messages grow old: when each that waits does, and the heap over it.
        self._until: dict[int, float] = {}
        self._ends: list[tuple[float, int]] = []
        self.ttl = ttl
        self.count = 0
        """How many wait, the parked ones too; those that sleep do not wait."""

    @property
    def sleeping(self) -> int:
        """How many are not due yet."""
        return len(self._sleeping)

    @property
    def may_have(self) -> bool:
        """Is it worth while to try to take?"""
        return bool(self._order or self._early)

    @property
    def next_time(self) -> float:
        """When time alone changes something here: one is due, or too old."""
        return min(self._sleeping.next, self._ends[0][0]) if self._ends else self._sleeping.next

    # ── coming ──────────────────────────────────────────────────────────────────────────────────

    def enter(self, number: int, ready: float) -> None:
        """A message begins to wait. Numbers ascend."""
        self.count += 1
        self._order.append(number)
        if self.ttl is not None:
            self._grow_old(number, ready + self.ttl)

    def sleep(self, number: int, due: float) -> None:
        """A message will begin to wait at that time."""
        self._sleeping.add(due, -number)

    def sleep_again(self, number: int, due: float) -> None:
        """From the beginning this message, which was tried before, sleeps until then."""
        self._sleeping.add(due, number)

    def restore(self, numbers: deque[int], keys: dict[str, int]) -> None:
        """What was there from the beginning: those that wait, ascending, and who has which key."""
        self.count += len(numbers)
        self._order = numbers
        self._keys = {key: _Key(number) for key, number in keys.items()}

    def give_back(self, message: Message, due: float | None = None) -> None:
        """A message that was taken goes back to its place, at once or after a sleep."""
        if due is not None:
            self._sleeping.add(due, message.place)
        else:
            self._enter_early(message.place, message.ready)

    def settle(self, message: Message) -> bool:
        """A message that was taken is done with; may another of its key be taken now?"""
        self._moved.pop(message.place, None)
        return message.key is not None and self._pass_on(message.key)

    # ── going ───────────────────────────────────────────────────────────────────────────────────

    def take(self) -> Message | None:
        """The first message that may be taken, if there is one."""
        for _ in range(LONGEST_SEARCH):
            place = self._first()
            if place is None:
                return None
            message = self._found(place)
            if message.key is None or self._takes_key(message.key, place):
                self.count -= 1
                if self._until:
                    self._until.pop(place, None)
                return message
        return None

    def drop_oldest(self) -> Message:
        """Remove the message that has waited longest, parked or not."""
        place = self._first()
        parked = min((self._first_parked(key) for key in self._keys.values()), default=inf)
        if parked < inf and (place is None or parked < place):
            if place is not None:
                heappush(self._early, place)
            return self._remove(int(parked))
        assert place is not None, "nothing waits"
        return self._forget(self._found(place))

    def wake_due(self, now: float) -> int:
        """Messages whose time has come wait from now on; how many are they?"""
        woken = 0
        while (sleeper := self._sleeping.pop_due(now)) is not None:
            woken += 1
            if sleeper > 0:
                self._enter_early(sleeper, self._ready(sleeper, now))
            else:
                place = self._next_place()
                self._moved[place] = -sleeper
                self.enter(place, now)
        return woken

    def expire(self, now: float) -> Message | None:
        """Remove one message that is too old, if there is one."""
        while self._ends and self._ends[0][0] <= now:
            end, place = self._ends[0]
            if self._until.get(place) == end:
                return self._remove(place)
            heappop(self._ends)
        return None

    # ── inside ──────────────────────────────────────────────────────────────────────────────────

    def _at(self, place: int) -> Message:
        message = self._find(self._moved.get(place, place) if self._moved else place)
        message.place = place
        return message

    def _found(self, place: int) -> Message:
        """The message at a place that is out of the line; it goes back when it cannot be found."""
        try:
            return self._at(place)
        except BaseException:
            heappush(self._early, place)
            raise

    def _ready(self, place: int, now: float) -> float:
        if self.ttl is None:
            return now
        try:
            return self._at(place).ready
        except BaseException:
            self._sleeping.add(now, place)
            raise

    def ahead(self, many: int) -> list[int]:
        """The numbers of the next ones, more or less, for whoever gets messages from afar."""
        order = self._order
        return [self._moved.get(order[at], order[at]) for at in range(min(many, len(order)))]

    def _enter_early(self, place: int, ready: float) -> None:
        self.count += 1
        heappush(self._early, place)
        if self.ttl is not None:
            self._grow_old(place, ready + self.ttl)

    def _grow_old(self, place: int, until: float) -> None:
        self._until[place] = until
        if len(self._ends) > 2 * len(self._until) + MOST_SPENT:
            self._ends = [(end, waiting) for waiting, end in self._until.items()]
            heapify(self._ends)
        else:
            heappush(self._ends, (until, place))

    def _first(self) -> int | None:
        """Out of the line: the smallest place, keys apart."""
        order, early, gone = self._order, self._early, self._gone
        while order or early:
            place = heappop(early) if early and (not order or early[0] < order[0]) else order.popleft()
            if not gone or place not in gone:
                return place
            gone.discard(place)
        return None

    def _first_parked(self, key: _Key) -> float:
        while key.parked:
            if key.parked[0] not in self._gone:
                return key.parked[0]
            self._gone.discard(heappop(key.parked))
        return inf

    def _takes_key(self, key: str, place: int) -> bool:
        held = self._keys.get(key)
        if held is None:
            self._keys[key] = _Key(place)
        elif held.owner != place:
            heappush(held.parked, place)
            return False
        return True

    def _pass_on(self, key: str) -> bool:
        """The owner of a key gives it to the first that is parked."""
        held = self._keys[key]
        if self._first_parked(held) == inf:
            del self._keys[key]
            return False
        held.owner = heappop(held.parked)
        heappush(self._early, held.owner)
        return True

    def _remove(self, place: int) -> Message:
        message = self._at(place)  # first of all, for this may fail
        self._gone.add(place)
        self._sweep(message.key)
        return self._forget(message)

    def _sweep(self, key: str | None) -> None:
        """What is gone leaves its place when that is a first one, as it is nearly always; nobody may ever
        come to take."""
        order, early, gone = self._order, self._early, self._gone
        while order and order[0] in gone:
            gone.discard(order.popleft())
        while early and early[0] in gone:
            gone.discard(heappop(early))
        held = self._keys.get(key) if key is not None else None
        if held is not None:
            self._first_parked(held)

    def _forget(self, message: Message) -> Message:
        place = message.place
        self.count -= 1
        self._until.pop(place, None)
        self._moved.pop(place, None)
        if message.key is not None:
            held = self._keys.get(message.key)
            if held is not None and held.owner == place:
                self._pass_on(message.key)
        return message
