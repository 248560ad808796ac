"""How often one client may ask: the rate of a route, and when to come again.

Pure: the clock is an argument. A client is its address; of IPv6 its first 64 bits, since whoever has one
address there has all of that network.

Each client has a bucket of as many requests as the rate names, which fills evenly: ``10/s`` lets ten come at
once, and then one every tenth of a second. A bucket is kept as one number (the generic cell rate algorithm):
the moment when it will be full again.

```
full again at   now ≤ now                 a full bucket, the same as one that was never used
                now + (count−1)·interval  one is left
                more than that            empty: come again when it is no more than that
```

So a bucket that is full need not be kept, and a table of buckets cleans itself: a client that has not asked
for one period has a full one. The table is bounded all the same. When more clients than it holds are
in the middle of their periods, those that come then share buckets, told apart by a hash only. So a flood of
addresses costs a fixed amount of memory, takes nobody's bucket away, and gives nobody a fresh one.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv6Address
from math import ceil, floor, isfinite
from typing import Final, NamedTuple

from etamil_actors.actors.programs.exchange import Headers

MOST_COUNT: Final = 1_000_000
MOST_SECONDS: Final = 86_400

CLIENTS: Final = 65_536
"""So many clients have a bucket of their own."""

SHARED: Final = 1_024
"""So many buckets are there for all the others."""

_A_MOMENT: Final = 1e-6
"""Sums of intervals are not exact; who waited as long as he was told is not refused for a rounding."""

UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

_FORM: Final = re.compile(r"\s*([0-9]{1,9})\s*/\s*([0-9]{0,9})\s*([smhd])\s*", re.ASCII)


class RateError(ValueError):
    """A text that is no rate. ``tamil`` and ``english`` say why."""

    def __init__(self, tamil: str, english: str) -> None:
        super().__init__(f"{tamil}  ({english})")
        self.tamil = tamil
        self.english = english


class Rate(NamedTuple):
    """So many requests in so many seconds."""

    requests: int
    seconds: int

    def __str__(self) -> str:
        for unit, size in UNITS.items():
            if self.seconds == size:
                return f"{self.requests}/{unit}"
        return f"{self.requests}/{self.seconds}s"


def parse_rate(text: str) -> Rate:
    """Read ``10/s``, ``100/m``, ``1000/h``, ``5/d`` or, with a number before the unit, ``10/30s``.

    Raises:
        RateError: a ``ValueError``; it is no rate, or one beyond the limits.
    """
    form = _FORM.fullmatch(text)
    if form is None:
        shown = text if len(text) <= 40 else text[:39] + "…"
        raise RateError(
            f"‘{shown}’ ஒரு வேகம் அல்ல; ‘10/s’, ‘100/m’, ‘1000/h’ அல்லது ‘10/30s’ என எழுதுங்கள்",
            f"‘{shown}’ is no rate; write ‘10/s’, ‘100/m’, ‘1000/h’ or ‘10/30s’",
        )
    rate = Rate(int(form[1]), int(form[2] or 1) * UNITS[form[3]])
    if not 1 <= rate.requests <= MOST_COUNT:
        raise RateError(
            f"வேகத்தின் எண்ணிக்கை 1 முதல் {MOST_COUNT} வரை இருக்க வேண்டும்; {rate.requests} அல்ல",
            f"the count of a rate is from 1 to {MOST_COUNT}, not {rate.requests}",
        )
    if not 1 <= rate.seconds <= MOST_SECONDS:
        raise RateError(
            f"வேகத்தின் காலம் ஒரு நொடி முதல் ஒரு நாள் வரை இருக்க வேண்டும்; {rate.seconds} நொடி அல்ல",
            f"the period of a rate is from a second to a day, not {rate.seconds} s",
        )
    return rate


class RateLimiter:
    """The buckets of one route. See the top of the file."""

    __slots__ = ("_full_at", "_interval", "_most", "_reach", "_shared", "rate", "refused")

    def __init__(self, rate: Rate | str, *, clients: int = CLIENTS, shared: int = SHARED) -> None:
        """``clients`` is how many have a bucket of their own, ``shared`` how many buckets the others have.

        Raises:
            RateError: the text is no rate.
        """
        self.rate = parse_rate(rate) if isinstance(rate, str) else rate
        self.refused = 0
        """How many requests were too many."""
        self._interval = self.rate.seconds / self.rate.requests
        self._reach = self.rate.seconds - self._interval
        """How far in the future “full again” may be, for one more to be admitted."""
        self._most = clients
        self._full_at: dict[str, float] = {}
        """By client, the one that was admitted last at the end."""
        self._shared: list[float] = [0.0] * shared

    @property
    def clients(self) -> int:
        """How many clients have a bucket of their own now."""
        return len(self._full_at)

    def admit(self, address: str, now: float) -> float:
        """Take one from the client's bucket: 0.0, or the seconds after which there will be one."""
        client = client_of(address)
        own = self._full_at.get(client)
        if own is not None:
            wait = own - now - self._reach
            if wait > _A_MOMENT:
                self.refused += 1
                return wait
            del self._full_at[client]  # to the end of the order
            self._full_at[client] = (own if own > now else now) + self._interval
            return 0.0
        return self._admit_stranger(client, now)

    def _admit_stranger(self, client: str, now: float) -> float:
        """One that has no bucket of its own, or not yet."""
        self._forget_full(now)
        place = self._place(client)
        # What was taken from the shared bucket is taken from the own one, too: else a bucket of one's own,
        # when there is room for it at last, would be a fresh one.
        full_at = max(self._shared[place], now)
        wait = full_at - now - self._reach
        if wait > _A_MOMENT:
            self.refused += 1
            return wait
        if len(self._full_at) < self._most:
            self._full_at[client] = full_at + self._interval
        else:
            self._shared[place] = full_at + self._interval
        return 0.0

    def _place(self, client: str) -> int:
        # Python's hash of a text has a secret key, so nobody can choose addresses that meet another's.
        return hash(client) % len(self._shared)

    def _forget_full(self, now: float) -> None:
        # Two for each one that comes: so it never takes long, and the table still shrinks. The first has
        # not asked for longest. It may not be full yet while one behind it is; that one has to be patient.
        full_at = self._full_at
        for _ in range(2):
            oldest = next(iter(full_at), None)
            if oldest is None or full_at[oldest] > now:
                return
            del full_at[oldest]

    def left(self, address: str, now: float) -> int:
        """How many this client may send at once."""
        spare = self._reach - max(self._kept(address) - now, 0.0) + _A_MOMENT
        return floor(spare / self._interval) + 1 if spare >= 0 else 0

    def _kept(self, address: str) -> float:
        client = client_of(address)
        own = self._full_at.get(client)
        return own if own is not None else self._shared[self._place(client)]

    def headers(self, address: str, now: float, wait: float = 0.0) -> Headers:
        """Tell a client its limit; with the seconds that ``admit`` has answered, also when to come again.

        These are the fields of the draft “RateLimit header fields for HTTP”: the policy, and what is left of
        it until it is full again.
        """
        full_in = ceil(max(self._kept(address) - now - _A_MOMENT, 0.0))
        told = [
            (b"ratelimit-policy", f'"default";q={self.rate.requests};w={self.rate.seconds}'.encode()),
            (b"ratelimit", f'"default";r={self.left(address, now)};t={full_in}'.encode()),
        ]
        if wait > 0:
            told.append((b"retry-after", str(max(ceil(wait - _A_MOMENT), 1)).encode()))
        return told


_LONGEST: Final = 64


def client_of(address: str) -> str:
    """Whose bucket it is: the address, or the network of an IPv6 one. Anything else stands for itself."""
    return _network(address) if ":" in address else address[:_LONGEST]


@lru_cache(maxsize=4096)
def _network(address: str) -> str:
    try:
        six = IPv6Address(address.partition("%")[0])
    except ValueError:
        return address[:_LONGEST]
    if six.ipv4_mapped is not None:
        return str(six.ipv4_mapped)
    return f"{six.packed[:8].hex(':', 2)}::/64"


LEAST_WAIT: Final = 1
MOST_WAIT: Final = 60


def retry_after(queue_age: float, waiting: int, done_per_second: float) -> int:
    """After how many seconds a client may try again that a full queue has refused.

    ``queue_age`` is how long the first in the queue has waited, ``waiting`` how many there are. At the pace
    at which they are done now, the queue is empty after ``waiting / done_per_second``. If nothing is done,
    what the first has waited already tells that it is going to be long.
    """
    if done_per_second > 0:
        guess = max(queue_age, waiting / done_per_second)
    else:
        guess = 2 * queue_age if waiting > 0 else queue_age
    if not isfinite(guess):
        return MOST_WAIT
    return min(max(ceil(guess), LEAST_WAIT), MOST_WAIT)
