"""Documents that an identity provider publishes, kept for a while: its keys, and where its doors are.

```
          fetch                 max-age over                 fetch well
 none ───────────▶ fresh ───────────────────────▶ old ───────────────────▶ fresh, a new generation
                     ▲  a token names another key   │ fetch fails
                     └────────── fetch ─────────────┴──▶ kept, for a day at the most
```

However many wait, one asks; and nobody is asked again within ``PAUSE`` seconds, so a client that makes up
names of keys does not make us hammer the provider. While it cannot be reached, what was fetched before goes
on to be believed, because a provider that is down for a minute must not log everybody out. And nobody waits
for it then: one request finds out that it is down, and from then on it is asked beside the others.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from math import inf
from typing import Any, Final

import trio

from etamil_actors.actors.auth.keys import PublicKey, published_keys
from etamil_actors.errors import Fault
from etamil_actors.ports.web import Web, WebError
from etamil_actors.vm.builtins.json import NotJson, parse_json_bytes
from etamil_actors.vm.values import Value

FETCH_SECONDS: Final = 5.0
PAUSE: Final = 10.0
"""Seconds between two fetches, whatever for."""
USUAL_AGE: Final = 300.0
LEAST_AGE: Final = 60.0
MOST_AGE: Final = 3_600.0
"""A key that its owner has taken back is believed for so long at the most, while he can be reached."""
KEPT_SECONDS: Final = 86_400.0
"""So long what was fetched is believed while he cannot."""
LARGEST: Final = 256 * 1024

Tell = Callable[[str, str], None]
Start = Callable[[str, Callable[[], Awaitable[None]]], None]
"""Runs something beside everything else, under a name; as ``ports.background.Keeper`` has it."""


class Published:
    """A JSON document at an address, kept for as long as its answer says, within bounds."""

    def __init__(
        self,
        url: str,
        web: Callable[[], Web | None],
        tell: Tell | None = None,
        start: Start | None = None,
    ) -> None:
        self.url = url
        self.generation = 0
        """Goes up with every document that was fetched."""
        self._web = web
        self._tell = tell
        self._start = start
        self._lock = trio.Lock()
        self._fresh_until = -inf
        self._believed_until = -inf
        self._tried = -inf
        self._is_failing = False

    @property
    def is_old(self) -> bool:
        """Should it be fetched before it is used?"""
        return trio.current_time() >= self._fresh_until and self.may_ask

    @property
    def may_ask(self) -> bool:
        """May it be fetched now?"""
        return trio.current_time() >= self._tried + PAUSE

    @property
    def is_missing(self) -> bool:
        """Did the last fetch fail?"""
        return self._is_failing

    def forget_old(self) -> None:
        """Forget what nobody may believe any more."""
        if self.generation and trio.current_time() >= self._believed_until:
            self._forget()

    def fetch_beside(self) -> bool:
        """Fetch it while everybody goes on with what was fetched before. False: somebody has to wait, because
        there is nothing yet, or because nobody knows whether it can be fetched at all."""
        if not self._is_failing or trio.current_time() >= self._believed_until or self._start is None:
            return False
        if not self._lock.locked():
            self._start(f"fetch {self.url}", self.fetch)
        return True

    async def fetch(self) -> None:
        """Fetch it, unless somebody does so already; then wait for what comes of that. Never fails:
        ``is_missing`` tells."""
        async with self._lock:
            if not self.may_ask:
                return
            problem = await self._fetched()
            self._tried = trio.current_time()
            if problem is not None:
                self._failed(*problem)
            else:
                self._is_failing = False

    async def _fetched(self) -> tuple[str, str] | None:
        """Fetch it and take it; answers what went wrong, in both languages."""
        web = self._web()
        if web is None:
            return "இங்கே இணையம் இல்லை", "there is no web here"
        with trio.move_on_after(FETCH_SECONDS) as limit:
            try:
                # Not where it sends us: the address was chosen with care, and what it names was not.
                answer = await web.request(
                    "GET", self.url, None, [("accept", "application/json")], follows=False
                )
            except WebError as trouble:
                return trouble.tamil, trouble.english
        if limit.cancelled_caught:
            return f"{FETCH_SECONDS:g} நொடிகளில் பதில் இல்லை", f"no answer in {FETCH_SECONDS:g} s"
        if answer.status != 200:
            return f"நிலை {answer.status}", f"status {answer.status}"
        if len(answer.body) > LARGEST:
            return f"{LARGEST} பைட்டுகளுக்கு மேல்", f"more than {LARGEST} bytes"
        try:
            document = parse_json_bytes(answer.body)
        except (NotJson, UnicodeDecodeError):
            document = None
        if not isinstance(document, dict):
            return "JSON பொருள் அல்ல", "no JSON object"
        try:
            self._take(document)
        except Fault as unfit:
            return unfit.tamil, unfit.english
        now = trio.current_time()
        self.generation += 1
        self._fresh_until = now + age_of(answer.headers)
        self._believed_until = now + KEPT_SECONDS
        return None

    def _failed(self, tamil: str, english: str) -> None:
        if not self._is_failing and self._tell is not None:
            tamil, english = (
                f"‘{self.url}’ கிடைக்கவில்லை: {tamil}",
                f"‘{self.url}’ cannot be fetched: {english}",
            )
            if trio.current_time() < self._believed_until:
                tamil += "; முன்பு பெற்றவை தொடர்ந்து பயன்படும்"
                english += "; what was fetched before is still used"
            self._tell(tamil, english)
        self._is_failing = True

    def _take(self, document: dict[str, Value]) -> None:
        """This is what it says now. Raises: Fault, it is not usable."""
        raise NotImplementedError

    def _forget(self) -> None:
        """It is too old to be believed."""
        raise NotImplementedError


class PublishedKeys(Published):
    """The keys with which a provider signs."""

    keys: Sequence[PublicKey] = ()

    def _take(self, document: dict[str, Value]) -> None:
        self.keys = published_keys(document)

    def _forget(self) -> None:
        if self.keys:
            self.keys = ()
            self.generation += 1


_max_age: Final = re.compile(r"max-age\s*=\s*\"?(\d{1,9})\b").search


def age_of(headers: Mapping[str, Any]) -> float:
    """For how long an answer may be kept, by its ``Cache-Control``, within our bounds."""
    said = str(headers.get("cache-control", "")).lower()
    found = _max_age(said)
    if "no-store" in said or "no-cache" in said:
        return LEAST_AGE
    if found is None:
        return USUAL_AGE
    return min(max(float(found[1]), LEAST_AGE), MOST_AGE)
