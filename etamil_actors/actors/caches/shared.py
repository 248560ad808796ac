"""A cache in Redis: the same values for every process that uses it.

Values travel as JSON, every digit of a number kept, so what JSON cannot say is refused: results, functions,
handles. A record comes back as a plain one. The server forgets what has lived long enough, and by its own
settings (``maxmemory``) what there is no room for.

Within a process one activity computes a value and the others wait for it, as in memory. Between processes
the one that computes holds a *claim* (``ports/redis_scripts.py``), renewed for as long as it computes:

```
asked ─▶ there ─▶ answered
      └▶ claimed by nobody ─▶ compute ─▶ kept, if the claim is still there; answered in any case
      └▶ claimed by another process ─▶ look again and again ─▶ there, or the claim has gone
```

The claim saves work and guards against keeping what is older than somebody's write; it is no lock. After
``PATIENCE`` a process computes by itself and keeps nothing, so two processes that wait for each other go on.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Protocol

import trio

from etamil_actors.actors.caches.base import Cache
from etamil_actors.actors.moments import after
from etamil_actors.errors import Fault
from etamil_actors.ports.redis import Redis, RedisError, RedisUnavailable, Reply
from etamil_actors.ports.redis_scripts import CLAIM, FORGET, KEEP, PUT, RELEASE, RENEW
from etamil_actors.vm.convert import kind_of
from etamil_actors.vm.values import Value

if TYPE_CHECKING:
    from etamil_actors.actors.caches.flights import Flight
    from etamil_actors.actors.locks import Holder
    from etamil_actors.ports import Random
    from etamil_actors.ports.background import Keeper

CLAIM_SECONDS: Final = 10.0
"""How long a claim lasts that nobody renews: so long a process that has died keeps the others waiting."""

CLAIM_MILLISECONDS: Final = round(CLAIM_SECONDS * 1000)

PATIENCE: Final = 30.0
"""How long a process waits for another one to compute."""

FIRST_LOOK: Final = 0.01
LONGEST_LOOK: Final = 0.25

MOST_BYTES: Final = 16 * 1024 * 1024
"""The largest value, as JSON."""

MOST_PARTS: Final = 1_000_000
"""Texts, numbers, arrays … that a value may consist of. Parts that are shared count each time."""

MOST_DEEP: Final = 200
"""Arrays and records may nest so deep in a value."""

MILLISECONDS_MOST: Final = 10**15

BATCH: Final = 500
"""Keys that are forgotten at once when everything is."""


class Ask(Protocol):
    """Sends commands to the server on behalf of one activity. Raises: Fault ``redis.*``."""

    async def __call__(self, *parts: str | bytes | int) -> Reply: ...


class RedisCache(Cache):
    """See the top of the file."""

    __slots__ = ("_prefix", "_token", "claims", "redis")

    def __init__(self, name: str, redis: Redis, claims: Claims, *, ttl: float | None = None) -> None:
        super().__init__(name, ttl)
        self.redis = redis
        self.claims = claims
        self._token = claims.new_token()
        """What its claims hold. One for all, so that a claim that was cancelled half-way is found again."""
        place = name.replace("%", "%25").replace(":", "%3A")
        self._prefix = f"etamil:cache:{place}:"

    def key_of(self, key: str) -> str:
        """Where a value is."""
        return f"{self._prefix}value:{key}"

    def claim_of(self, key: str) -> str:
        """Where it is noted that somebody computes it."""
        return f"{self._prefix}claim:{key}"

    # ── the words ────────────────────────────────────────────────────────────────────────────────

    async def get(self, key: str, ask: Ask, default: Value = None) -> Value:
        """The value of a key, or the default."""
        text = await ask("GET", self.key_of(key))
        if text is None:
            self.misses += 1
            return default
        self.hits += 1
        return self._decoded(key, text)

    async def keep(self, key: str, value: Value, ttl: float | None, ask: Ask) -> None:
        """Keep a value."""
        text = encoded(value)
        self.forget_flight(key)
        lasts = self._milliseconds(ttl)
        if lasts is None:
            await self._forget(key, ask)
        else:
            await ask("EVAL", PUT, 2, self.key_of(key), self.claim_of(key), text, lasts)

    async def remove(self, key: str, ask: Ask) -> bool:
        """Forget a value; was it there?"""
        self.forget_flight(key)
        return await self._forget(key, ask)

    async def _forget(self, key: str, ask: Ask) -> bool:
        return bool(await ask("EVAL", FORGET, 2, self.key_of(key), self.claim_of(key)))

    async def clear(self, ask: Ask) -> None:
        """Forget everything that has this name, also what is being computed."""
        self.flights.clear()
        pattern = "".join("\\" + letter if letter in "*?[]\\^-" else letter for letter in self._prefix) + "*"
        cursor: Any = b"0"
        while True:
            match await ask("SCAN", cursor, "MATCH", pattern, "COUNT", BATCH):
                case [bytes(cursor), [*keys]]:
                    found = [key for key in keys if isinstance(key, bytes)]
                case _:
                    raise _strange()
            if found:
                await ask("UNLINK", *found)
            if cursor == b"0":
                return

    # ── computing ────────────────────────────────────────────────────────────────────────────────

    async def claim(self, key: str, flight: Flight, party: Holder, ask: Ask) -> tuple[bool, Value]:
        """Find the value, perhaps when another process has computed it; or it is for us to compute it.

        Answers: whether it was found, and the value.
        """
        deadline = after(PATIENCE)
        pause = FIRST_LOOK
        keys = (self.key_of(key), self.claim_of(key))
        while True:
            reply = await ask("EVAL", CLAIM, 2, *keys, self._token, CLAIM_MILLISECONDS)
            if isinstance(reply, bytes):
                self.hits += 1
                return True, self._decoded(key, reply)
            if reply == 1:
                self.claims.held[flight] = Claimed(self, key, party)
                self.claims.begin()
                return False, None
            if trio.current_time() >= deadline:
                return False, None
            await trio.sleep_until(min(after(pause), deadline))
            pause = min(2 * pause, LONGEST_LOOK)

    async def settle(self, key: str, flight: Flight, text: bytes | None, ask: Ask) -> None:
        """Computing is over: keep the text, if there is one and the claim is still ours; the claim goes."""
        if self.claims.held.pop(flight, None) is None or not self.is_current(key, flight):
            return  # it was never ours, or went with what was written meanwhile
        lasts = self._milliseconds(None)
        if text is None or lasts is None:
            await ask("EVAL", RELEASE, 1, self.claim_of(key), self._token)
        else:
            await ask("EVAL", KEEP, 2, self.key_of(key), self.claim_of(key), self._token, text, lasts)

    async def renew(self, key: str) -> None:
        """Let a claim last longer. Raises: RedisError, RedisUnavailable."""
        await self.redis.command("EVAL", RENEW, 1, self.claim_of(key), self._token, CLAIM_MILLISECONDS)

    def _milliseconds(self, ttl: float | None) -> int | None:
        """How long a value is to last, 0 for ever; nothing when it is not to be kept at all."""
        if ttl is None:
            ttl = self.ttl
        if ttl is None or ttl * 1000 > MILLISECONDS_MOST:
            return 0
        return max(1, round(ttl * 1000)) if ttl > 0 else None

    def _decoded(self, key: str, text: Reply) -> Value:
        # JSON is loaded by those who need it.
        from etamil_actors.vm.builtins.json import NotJson, parse_json_bytes

        if not isinstance(text, bytes):
            raise _strange()
        try:
            return parse_json_bytes(text)
        except (NotJson, UnicodeDecodeError):
            raise Fault(
                "redis.refused",
                problem_ta=f"கேச் {self.name}: ‘{key}’ என்பதன் கீழ் இருப்பது ஜேசான் அல்ல; வேறு யாரோ எழுதியது",
                problem_en=f"cache {self.name}: what is kept under ‘{key}’ is no JSON; another wrote it",
            ) from None


def _strange() -> Fault:
    return Fault(
        "redis.refused",
        problem_ta="ரெடிஸிடமிருந்து எதிர்பாராத பதில் வந்தது",
        problem_en="an answer came that is not Redis's",
    )


# ── claims ───────────────────────────────────────────────────────────────────────────────────────


class Claimed:
    """A claim that this process holds."""

    __slots__ = ("cache", "key", "party")

    def __init__(self, cache: RedisCache, key: str, party: Holder) -> None:
        self.cache = cache
        self.key = key
        self.party = party


class Claims:
    """The claims of a process, and who renews them."""

    def __init__(self, keeper: Keeper, random: Random) -> None:
        self._keeper = keeper
        self._random = random
        self._is_running = False
        self._wake = trio.Event()
        self.held: dict[Flight, Claimed] = {}

    def new_token(self) -> str:
        """What tells our claim from any other."""
        return self._random.bytes(16).hex()

    def begin(self) -> None:
        """There is something to renew."""
        self._wake.set()
        if not self._is_running:
            self._is_running = True
            self._keeper.start("cache claims", self._renew)

    async def _renew(self) -> None:
        while True:
            await self._wake.wait()
            await trio.sleep_until(after(CLAIM_SECONDS / 3))
            for flight, claimed in list(self.held.items()):
                if claimed.party not in flight.holders:  # its activity has ended in an unusual way
                    del self.held[flight]
                else:
                    await self._renew_one(claimed)
            if not self.held:
                self._wake = trio.Event()

    async def _renew_one(self, claimed: Claimed) -> None:
        cache = claimed.cache
        try:
            await cache.renew(claimed.key)
        except (RedisUnavailable, RedisError) as trouble:
            self._keeper.tell(
                f"கேச் {cache.name}: கணக்கிடும் உரிமையைப் புதுப்பிக்க முடியவில்லை: {trouble}",
                f"cache {cache.name}: a claim cannot be renewed: {trouble}",
            )


# ── values as JSON ───────────────────────────────────────────────────────────────────────────────


def encoded(value: Value) -> bytes:
    """A value as JSON that says all of it, fields in their order.

    Raises:
        Fault: ``value.local``, JSON cannot say it; ``value.invalid``, it is too large or nests too deep.
    """
    global _encoder
    _look_through(value)
    if _encoder is None:
        from msgspec.json import Encoder

        _encoder = Encoder(decimal_format="number")
    data: bytes = _encoder.encode(value)
    if len(data) > MOST_BYTES:
        raise _too_much(f"{MOST_BYTES} பைட்டுகளுக்கு மேல்", f"it takes more than {MOST_BYTES} bytes")
    return data


_encoder: Any = None


def _look_through(value: Value) -> None:
    """Raises: as ``encoded``."""
    level = [value]
    parts = 0
    for _ in range(MOST_DEEP):
        inner: list[Value] = []
        parts += len(level)
        if parts > MOST_PARTS:
            raise _too_much(f"{MOST_PARTS} பகுதிகளுக்கு மேல்", f"it has more than {MOST_PARTS} parts")
        for part in level:
            kind = type(part)
            if kind is str or kind is int or kind is Decimal or kind is bool or part is None:
                continue
            if kind is list:
                inner += part
            elif isinstance(part, dict):
                inner += part.values()
            else:
                raise Fault(
                    "value.local",
                    tamil=f"ரெடிஸில் உள்ள கேச்சில் இதை வைக்க முடியாது: {kind_of(part)}",
                    english=f"a cache in Redis cannot keep {kind_of(part)}",
                    details={"kind": kind_of(part)},
                )
        if not inner:
            return
        level = inner
    raise _too_much(f"{MOST_DEEP} நிலைகளை விட ஆழம்", f"it nests deeper than {MOST_DEEP} levels")


def _too_much(tamil: str, english: str) -> Fault:
    return Fault(
        "value.invalid",
        name="கேச்",
        problem_ta=f"இந்த மதிப்பு மிகப் பெரியது: {tamil}",
        problem_en=f"this value is too large: {english}",
    )
