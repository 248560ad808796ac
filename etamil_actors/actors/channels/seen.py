"""Which ids were sent to a channel within the last minutes, so that none is sent twice."""

from __future__ import annotations

from collections import OrderedDict

import trio

from etamil_actors.actors.channels.base import SEEN_SECONDS


class SeenIds:
    """The ids of messages that were accepted, each for ``SEEN_SECONDS``.

    The time counts from the message that was accepted; a second one that is dropped does not
    lengthen it.
    """

    __slots__ = ("_until",)

    def __init__(self) -> None:
        self._until: OrderedDict[str, float] = OrderedDict()

    def __contains__(self, id: str) -> bool:
        self._forget()
        return id in self._until

    def __len__(self) -> int:
        self._forget()
        return len(self._until)

    def add(self, id: str) -> None:
        """A message of this id was accepted now."""
        self._until[id] = trio.current_time() + SEEN_SECONDS

    def _forget(self) -> None:
        until, now = self._until, trio.current_time()
        while until and until[next(iter(until))] <= now:
            until.popitem(last=False)
