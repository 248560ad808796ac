"""Who waits for whom, and whether somebody would wait for ever.

A *party* runs, or waits for other parties: for any one of the holders of a lock to give a permit
back, or for all of its children to end. Deadlocks are looked for by *reduction* of this graph, when a
party begins to wait. Whoever runs can go on. Whoever waits for one of several can go on when one of them
can; whoever waits for all of several, when all can. That is applied until nothing changes, and who is left
then waits for ever:

```
அ ──▶ lock (2 permits) held by ஆ, இ      ஆ ──▶ lock held by அ      இ runs
அ can go on: இ can, and gives its permit back; then ஆ can. If இ waits for அ too, none of them can.
```

Reduction is hopeful: it takes for granted that who can go on will give back what it holds. So it never
accuses the innocent. And since every wait is looked at when it begins, before which everybody could go
on, a deadlock is found in the moment in which it closes, and everybody in it depends on the one that
closed it.

Those who queue for a lock in front of a party need not be looked at: they wait for the same holders.
A wait counts even if it is limited in time: it is a mistake of the program all the same, and
found at once instead of at the end of the limit.

Only the graph lives here, and nothing that waits: no trio.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

from etamil_actors.errors import FAULT_OF, Fault, InternalError


class Wait:
    """What a party waits for. ``parties`` may change while it waits, and is looked at when needed.

    A party that has joined later must be one that can go on, as a child that has just begun is.
    """

    __slots__ = ("parties",)

    enough: Callable[[Iterable[bool]], bool]
    """Is the wait over in the end, if these parties can go on and those cannot?"""

    def __init__(self, parties: Collection[Party]) -> None:
        self.parties = parties


class AnyOf(Wait):
    """For one of these, as for a permit that any of its holders may give back."""

    __slots__ = ()

    enough = staticmethod(any)


class AllOf(Wait):
    """For each of these, as for children to end."""

    __slots__ = ()

    enough = staticmethod(all)


class Party(Protocol):
    """Who may wait. Parties are told apart by identity."""

    @property
    def name(self) -> str:
        """What people call it."""

    waiting: Wait | None
    """What it waits for; nothing when it runs, and when it has ended."""


def cycle(party: Party, wait: Wait) -> list[Party] | None:
    """Who would wait in a ring if this party began to wait so: itself first, each waiting for the next.

    Where several rings would close at once, they stand one behind the other, and the party stands at the
    beginning of each: அ ஆ அ இ says that அ waits for ஆ and ஆ for அ, and அ for இ and இ for அ.
    """
    if wait.enough(other.waiting is None and other is not party for other in wait.parties):
        return None
    waits = _waits_behind(party, wait)
    stuck = waits.keys() - _able(waits)
    if party not in stuck:
        return None
    edges = {one: [other for other in waits[one].parties if other in stuck] for one in waits}
    return _rings(party, edges) or None


def begin_waiting(party: Party, wait: Wait) -> None:
    """Note that a party waits from now on. Whoever calls this says ``party.waiting = None`` at the end.

    Raises:
        Fault: ``lock.deadlock``, it would wait for ever. Nothing has changed then.
    """
    if party.waiting is not None:
        raise InternalError(f"{party.name} begins to wait while it waits")
    ring = cycle(party, wait)
    if ring is not None:
        raise deadlock(ring)
    party.waiting = wait


@contextmanager
def wait_for_children(party: Party, children: Collection[Party]) -> Iterator[None]:
    """A block in which a party waits until all of these have ended. Children may join meanwhile.

    Raises:
        Fault: ``lock.deadlock``, before the block begins.
    """
    begin_waiting(party, AllOf(children))
    try:
        yield
    finally:
        party.waiting = None


def deadlock(ring: list[Party]) -> Fault:
    """The fault that names everybody in a ring, whatever the length of the names.

    Parties of one name, tasks of one function say, are numbered.
    """
    names = _told_apart(ring)
    who = " → ".join(names[party] for party in [*ring, ring[0]])
    kind = FAULT_OF["lock.deadlock"]
    tamil, english = kind.tamil.format(who=who), kind.english.format(who=who)
    return Fault(kind.code, tamil=tamil, english=english, details={"who": who})


def _told_apart(ring: list[Party]) -> dict[Party, str]:
    alike: dict[str, dict[Party, None]] = {}
    for party in ring:
        alike.setdefault(party.name, {})[party] = None
    return {
        party: party.name if len(alike[party.name]) == 1 else f"{party.name} #{number}"
        for parties in alike.values()
        for number, party in enumerate(parties, 1)
    }


# ── reduction ────────────────────────────────────────────────────────────────────────────────────
# Dicts keep the order in which parties were met; sets of parties are only asked, never walked through.


def _waits_behind(party: Party, wait: Wait) -> dict[Party, Wait]:
    """Everybody that the party would depend on, as far as they wait, with what they wait for."""
    waits = {party: wait}
    todo = deque([wait])
    while todo:
        for other in todo.popleft().parties:
            if other not in waits and other.waiting is not None:
                waits[other] = other.waiting
                todo.append(other.waiting)
    return waits


def _able(waits: dict[Party, Wait]) -> set[Party]:
    """Those of the waiting who can go on in the end. Who is not among the waiting can."""
    behind: dict[Party, list[Party]] = {}
    for party, wait in waits.items():
        for other in wait.parties:
            behind.setdefault(other, []).append(party)
    able: set[Party] = set()
    todo = deque(waits)
    while todo:
        party = todo.popleft()
        if party in able:
            continue
        if waits[party].enough(other in able or other not in waits for other in waits[party].parties):
            able.add(party)
            todo.extend(behind.get(party, ()))
    return able


def _rings(party: Party, waits: dict[Party, list[Party]]) -> list[Party]:
    """Shortest ways from the party through everybody stuck and back to it."""
    to, back = _tree(party, waits), _tree(party, _reversed(waits))
    if len(to) == 1:
        return [party]
    walk: list[Party] = []
    named = {party}
    for other in to:
        if other not in named and other in back:
            ring = [*reversed(_way(other, to)), *_way(other, back)[1:-1]]
            walk += ring
            named.update(ring)
    return walk


def _reversed(waits: dict[Party, list[Party]]) -> dict[Party, list[Party]]:
    turned: dict[Party, list[Party]] = {party: [] for party in waits}
    for party, others in waits.items():
        for other in others:
            turned[other].append(party)
    return turned


def _tree(root: Party, edges: dict[Party, list[Party]]) -> dict[Party, Party | None]:
    """Who can be reached, nearest first, each with the one before it on a shortest way."""
    before: dict[Party, Party | None] = {root: None}
    todo = deque([root])
    while todo:
        party = todo.popleft()
        for other in edges[party]:
            if other not in before:
                before[other] = party
                todo.append(other)
    return before


def _way(party: Party, before: dict[Party, Party | None]) -> list[Party]:
    """From a party back to the root, both included."""
    way = [party]
    while (step := before[way[-1]]) is not None:
        way.append(step)
    return way
