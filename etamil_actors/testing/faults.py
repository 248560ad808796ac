"""Putting things out of order on purpose: crashes, delays and full mailboxes.

A test may order each by itself. A simulation draws them by seed (``Faults``): before each word that a
program says to the runtime it may pause a little, crash an agent or a job, or leave a mailbox or channel
room for one message only, for a while. What was done is noted, in words, for the report.

All of that can happen to a correct program. A pause is short enough to change only the order of things;
a crash is what any error is to a supervisor; a mailbox has room again before anybody would wait for ever.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import trio
from trio.lowlevel import reschedule

from etamil_actors.actors.actor import Actor
from etamil_actors.actors.channels.lane import Lane
from etamil_actors.actors.mailbox import Mailbox, Overflow
from etamil_actors.actors.moments import after
from etamil_actors.actors.place import State
from etamil_actors.errors import BudgetSpent, Fault

if TYPE_CHECKING:
    from etamil_actors.actors.programs.activity import Activity
    from etamil_actors.testing.service import SimulatedService

PAUSES: Final = 0.3
"""How many words pause first."""
LONGEST_PAUSE: Final = 0.001
CRASHES: Final = 0.02
MOST_CRASHES: Final = 3
FILLS: Final = 0.03
FULL_FOR: Final = 20
"""Words after which there is room again."""


class InjectedCrash(Fault):
    """A failure that a test has ordered. Programs see it as an error of the runtime."""

    def __init__(self) -> None:
        super().__init__("internal", problem="ஆணையிட்ட பிழை / an ordered crash")


class FaultKinds(NamedTuple):
    """What a simulation may put out of order."""

    crashes: bool = False
    delays: bool = False
    full: bool = False

    @property
    def any(self) -> bool:
        """Anything at all?"""
        return self.crashes or self.delays or self.full


class Delay:
    """An ordered delay of the next words of some kind."""

    def __init__(self, key: str | None, who: str | None, seconds: float, times: int) -> None:
        self.key = key
        self.who = who
        self.seconds = seconds
        self.times = times

    def fits(self, activity: Activity, key: str) -> bool:
        """Is this the one that was meant?"""
        return self.times > 0 and self.key in (None, key) and self.who in (None, activity.name)


class Faults:
    """What is drawn by seed, for one run."""

    def __init__(self, kinds: FaultKinds, seed: int) -> None:
        self.kinds = kinds
        self.log: list[str] = []
        """What was done, and when."""
        self._random = Random(f"faults {seed}")
        self._crashes = 0
        self._squeezed: list[tuple[int, Squeeze]] = []
        self._words = 0

    def before(self, activity: Activity, service: SimulatedService) -> None:
        """A program is about to say a word. Called in its greenlet, where it can wait."""
        self._words += 1
        chance = self._random.random
        while self._squeezed and self._squeezed[0][0] <= self._words:
            self._squeezed.pop(0)[1].release()
        if self.kinds.full and chance() < FILLS:
            self._fill(service)
        if self.kinds.crashes and chance() < CRASHES and self._crashes < MOST_CRASHES:
            self._crash(activity, service)
        if self.kinds.delays and chance() < PAUSES:
            activity.wait(_pause(chance() * LONGEST_PAUSE if chance() < 0.5 else 0.0))

    def make_room(self) -> bool:
        """There is room everywhere again; was there none somewhere?"""
        squeezed, self._squeezed = self._squeezed, []
        for _, squeeze in squeezed:
            squeeze.release()
        return bool(squeezed)

    def _crash(self, activity: Activity, service: SimulatedService) -> None:
        """Let somebody crash: the one who is about to say a word, or any agent or job.

        Raises:
            BudgetSpent: it is the one at hand.
        """
        is_victim = activity.me is not None or activity.name.startswith("பணி ")
        if is_victim and self._random.random() < 0.5:
            self._crashes += 1
            self._note(f"✗ {activity.name}")
            raise BudgetSpent(InjectedCrash())
        victims = [actor for actor in victims_of(service) if actor.state is State.RUNNING]
        if victims:
            victim = self._random.choice(victims)
            if victim.crash(InjectedCrash()):
                self._crashes += 1
                self._note(f"✗ {victim.path}")

    def _fill(self, service: SimulatedService) -> None:
        places: list[Actor | Lane] = [actor for actor in victims_of(service) if "/agents/" in actor.path]
        places += [channel for channel in service.system.channels.channels if isinstance(channel, Lane)]
        busy = [squeeze.place for _, squeeze in self._squeezed]
        places = [place for place in places if not any(place is other for other in busy)]
        if places:
            place = self._random.choice(places)
            self._squeezed.append((self._words + FULL_FOR, Squeeze(place, 1)))
            self._note(f"▣ {place.path}")

    def _note(self, text: str) -> None:
        self.log.append(f"{trio.current_time():.6f} {text}")


async def _pause(seconds: float) -> None:
    if seconds:
        await trio.sleep_until(after(seconds))
    else:
        await trio.lowlevel.checkpoint()


def victims_of(service: SimulatedService) -> list[Actor]:
    """The actors of a service that may crash: agents and jobs, in the order of their start."""
    branches = (f"{service.path}/agents/", f"{service.path}/jobs/")
    return [actor for actor in service.system.tree.registry if actor.path.startswith(branches)]


class Squeeze:
    """A mailbox or channel with little room, until it is released."""

    def __init__(self, place: Actor | Lane, capacity: int) -> None:
        self.place = place
        self._box: Mailbox[Any] | Lane = place.mailbox if isinstance(place, Actor) else place
        self._before = self._box.capacity
        self._box.capacity = min(capacity, self._before)
        if isinstance(self._box, Mailbox) and self._box._lane is None:
            self._box._lane = deque()  # a mailbox that never had a message takes one whatever its capacity

    def release(self) -> None:
        """There is room again, and whoever waits for it comes in."""
        self._box.capacity = self._before
        if isinstance(self._box, Lane):
            self._box._admit()
        else:
            admit(self._box)
            if isinstance(self.place, Actor) and not self._box.is_quiet:
                self.place.has_message()


def admit(mailbox: Mailbox[Any]) -> None:
    """Let those in who wait for room, as far as there is some."""
    while mailbox._senders and mailbox.has_room:
        sender, waiting = mailbox._senders.popitem(last=False)
        if mailbox._lane is None:
            mailbox._lane = deque()
        mailbox._lane.append(waiting)
        reschedule(sender)
    if mailbox._taker is not None and not mailbox.is_quiet:
        mailbox._wake_taker()


@contextmanager
def filled(place: Actor | Lane) -> Iterator[None]:
    """A block in which there is no room at all. An agent is busy with something else meanwhile."""
    if isinstance(place, Lane):
        least = 1 if place.settings.overflow is Overflow.DROP_OLDEST else 0
        squeeze = Squeeze(place, max(place.pending, least))
        try:
            yield
        finally:
            squeeze.release()
        return
    was_parked, place.parked = place.parked, False
    squeeze = Squeeze(place, 0)
    try:
        yield
    finally:
        squeeze.release()
        if was_parked and place.state is State.RUNNING:
            place._rest()
