"""Answers that are given again: the cache of a route, and the store of answers to requests that are repeated.

A *cache* (route option ``cache``) saves work: whoever asks the same within some seconds gets the same bytes.
Only what is the same for everybody is kept: 200 to GET and HEAD, without cookies or a session, and never for
a request that shows who it is (``Authorization``, ``Cookie``) unless the answer says ``Cache-Control:
public``. The key is method, host, path and query, and of the header fields those that the answer names in
``Vary``. Many who ask at once for what is not there wait for the first of them (*single flight*).

An *idempotency store* (route option ``idempotent``) saves from doing twice: a client that does not know
whether its request arrived sends it again with the same ``Idempotency-Key``, and gets the first answer.

```
key unknown ──▶ the handler runs ──▶ kept for a day         the same body ──▶ the kept answer
                      └─ the same key meanwhile ──▶ 409     another body  ──▶ 422
```

Answers that say ``not now`` or ``not you`` are not kept, so the request may be tried again: those of 500 and
above, and some of 400 and above. Both hold a bounded number of bytes and decide by the clock they are given.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from enum import Enum
from functools import partial
from hashlib import blake2b
from typing import Final, NamedTuple, Protocol, TypeAlias

import trio

from etamil_actors.actors.programs.exchange import Headers, Response, refusal
from etamil_actors.edge.conditions import Verdict, asked_of, evaluate, tag_of
from etamil_actors.edge.sessions import OpenSession
from etamil_actors.errors import Fault

CACHE_BYTES: Final = 16 * 1024 * 1024
CACHE_ENTRY: Final = 1024
"""What an entry costs beside its bytes."""
STORE_BYTES: Final = 16 * 1024 * 1024
STORE_ENTRIES: Final = 100_000
STORE_SECONDS: Final = 24 * 3600.0
LARGEST_KEPT: Final = 1024 * 1024
"""An answer with a longer body is not kept."""
KEY_BYTES: Final = 255


class Asking(Protocol):
    """What is read here of a request; see ``HttpRequest``."""

    method: str
    target: bytes
    fields: Headers
    cookies: list[bytes]
    body: bytes

    @property
    def session_used(self) -> OpenSession | None:
        """The session, if anybody has asked for it; else None."""
        ...


def _values(headers: Headers, name: bytes) -> list[bytes]:
    return [value for key, value in headers if key.lower() == name]


def _words(headers: Headers, name: bytes) -> list[bytes]:
    """The elements of a field that is a list, in lower case."""
    lines = b",".join(_values(headers, name)).lower()
    return [word for one in lines.split(b",") if (word := one.strip())]


def _size(headers: Headers, body: bytes) -> int:
    return len(body) + sum(len(name) + len(value) for name, value in headers)


def with_tag(response: Response) -> Response:
    """Give an answer a strong tag made from its bytes, if it has none."""
    if not _values(response.headers, b"etag"):
        digest = blake2b(response.body, digest_size=16).hexdigest()
        response.headers.append((b"etag", b'"%s"' % digest.encode()))
    return response


_OF_UNCHANGED: Final = frozenset({
    b"etag", b"cache-control", b"content-location", b"date", b"expires", b"vary", b"last-modified",
})  # fmt: skip


def conditioned(request: Asking, response: Response, wall: float) -> Response:
    """The answer, or 304 or 412 if the request puts a condition on its tag. ``wall``: seconds since 1970."""
    if response.status != 200 or response.file is not None or response.problem is not None:
        return response
    tags = _values(response.headers, b"etag")
    tag = tag_of(tags[0]) if tags else None
    if tag is None or request.method not in ("GET", "HEAD"):
        return response
    match evaluate(request.method, asked_of(request.fields), tag, None, wall):
        case Verdict.NOT_MODIFIED:
            kept = [(name, value) for name, value in response.headers if name.lower() in _OF_UNCHANGED]
            return Response(304, kept)
        case Verdict.FAILED:
            return refusal(
                Fault(
                    "conflict",
                    tamil="If-Match சொல்லும் நிலை இப்போது இல்லை; புதியதைப் பெற்றபின் மீண்டும் முயலவும்",
                    english="If-Match names a state that is not the present one; fetch it anew and try again",
                ),
                status=412,
            )
    return response


# ---------------------------------------------------------------- the cache of a route

Primary: TypeAlias = tuple[str, bytes, bytes]
"""Method, host, path and query."""
CacheKey: TypeAlias = tuple[Primary, tuple[tuple[bytes, ...], ...]]
"""And the values of the fields that count."""


class _Kept(NamedTuple):
    headers: Headers
    body: bytes
    until: float
    is_public: bool
    size: int


class _Group:
    """What is kept for one path."""

    __slots__ = ("keys", "names")

    def __init__(self, names: tuple[bytes, ...]) -> None:
        self.names = names
        """The fields that count."""
        self.keys: set[CacheKey] = set()


class _Flight:
    """Somebody is making the answer that others wait for."""

    __slots__ = ("ended", "is_abandoned")

    def __init__(self) -> None:
        self.ended = trio.Event()
        self.is_abandoned = False
        """Its client left; another has to make it."""


def _primary(request: Asking) -> Primary:
    host = next((value.lower() for name, value in request.fields if name in (b"host", b":authority")), b"")
    return request.method, host, request.target


def _values_of(request: Asking, names: tuple[bytes, ...]) -> tuple[tuple[bytes, ...], ...]:
    return tuple(tuple(value for key, value in request.fields if key == name) for name in names)


def _is_personal(request: Asking) -> bool:
    return any(name in (b"authorization", b"cookie") for name, _ in request.fields)


class ResponseCache:
    """Answers of routes, bounded by their bytes; those not asked for go first. See the top of the file.

    ``clock`` tells seconds that never go back. An answer that is handed out is the caller's to change.
    """

    def __init__(
        self, *, room: int = CACHE_BYTES, clock: Callable[[], float] = trio.current_time
    ) -> None:
        self._room = room
        self._clock = clock
        self._used = 0
        self._kept: OrderedDict[CacheKey, _Kept] = OrderedDict()
        self._groups: dict[Primary, _Group] = {}
        self._flights: dict[CacheKey, _Flight] = {}

    @property
    def used(self) -> int:
        """Bytes that it holds."""
        return self._used

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, request: Asking) -> Response | None:
        """What is kept for such a request."""
        key = self._key(request)
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.until <= self._clock():
            self._drop(key)
            return None
        if not kept.is_public and _is_personal(request):
            return None
        self._kept.move_to_end(key)
        return Response(200, list(kept.headers), kept.body)

    def keep(self, request: Asking, response: Response, seconds: float) -> bool:
        """Keep an answer that was just made, if it may be kept. Gives it a tag then."""
        seconds = self._lifetime(request, response, seconds)
        if seconds <= 0:
            return False
        with_tag(response)
        headers = list(response.headers)
        primary = _primary(request)
        names = self._names_with(primary, _words(headers, b"vary"))
        key = primary, _values_of(request, names)
        self._drop(key)
        size = _size(headers, response.body) + len(request.target) + CACHE_ENTRY
        size += sum(len(value) for values in key[1] for value in values)
        if size > self._room:
            return False
        is_public = b"public" in _words(headers, b"cache-control")
        self._kept[key] = _Kept(headers, response.body, self._clock() + seconds, is_public, size)
        group = self._groups.setdefault(primary, _Group(names))
        group.keys.add(key)
        self._used += size
        while self._used > self._room:
            self._drop(next(iter(self._kept)))
        return True

    def clear(self) -> None:
        """Forget everything."""
        for key in list(self._kept):
            self._drop(key)

    async def answer(
        self, request: Asking, seconds: float, make: Callable[[], Awaitable[Response]]
    ) -> Response:
        """The kept answer, or the one that ``make`` makes; for many at once it is called once."""
        if request.method not in ("GET", "HEAD"):
            return await make()
        while True:
            found = self.find(request)
            if found is not None:
                return found
            # Whoever shows who he is may get an answer of his own, and so waits for nobody.
            key = self._key(request)
            flight = None if _is_personal(request) else self._flights.get(key)
            if flight is None:
                return await self._make(request, key, seconds, make)
            await flight.ended.wait()
            if not flight.is_abandoned:
                # It was kept, or is one that cannot be kept; then waiting for another brings nothing.
                found = self.find(request)
                return found if found is not None else await self._made(request, seconds, make)

    async def _make(
        self, request: Asking, key: CacheKey, seconds: float, make: Callable[[], Awaitable[Response]]
    ) -> Response:
        if _is_personal(request):
            return await self._made(request, seconds, make)
        flight = self._flights[key] = _Flight()
        flight.is_abandoned = True  # until there is an answer: whoever makes it may leave in many ways
        try:
            response = await self._made(request, seconds, make)
            flight.is_abandoned = False
            return response
        finally:
            del self._flights[key]
            flight.ended.set()

    async def _made(
        self, request: Asking, seconds: float, make: Callable[[], Awaitable[Response]]
    ) -> Response:
        response = await make()
        self.keep(request, response, seconds)
        return response

    # Keys: the values of the fields that count belong to them.

    def _key(self, request: Asking) -> CacheKey:
        primary = _primary(request)
        group = self._groups.get(primary)
        return primary, () if group is None else _values_of(request, group.names)

    def _names_with(self, primary: Primary, names: list[bytes]) -> tuple[bytes, ...]:
        """The fields that count from now on. What was kept under fewer could not be found any more."""
        group = self._groups.get(primary)
        if group is None:
            return tuple(sorted(set(names)))
        more = tuple(sorted({*group.names, *names}))
        if more != group.names:
            for key in list(group.keys):
                self._drop(key)
        return more

    def _drop(self, key: CacheKey) -> None:
        kept = self._kept.pop(key, None)
        if kept is None:
            return
        self._used -= kept.size
        group = self._groups[key[0]]
        group.keys.discard(key)
        if not group.keys:
            del self._groups[key[0]]

    def _lifetime(self, request: Asking, response: Response, seconds: float) -> float:
        """How long it may be kept; 0: not at all."""
        if request.method not in ("GET", "HEAD") or response.status != 200:
            return 0
        if response.file is not None or response.problem is not None or len(response.body) > LARGEST_KEPT:
            return 0
        headers = response.headers
        if request.session_used is not None:
            return 0
        if request.cookies or _values(headers, b"set-cookie") or b"*" in _words(headers, b"vary"):
            return 0
        said = _words(headers, b"cache-control")
        if any(one.partition(b"=")[0] in (b"no-store", b"no-cache", b"private") for one in said):
            return 0
        if _is_personal(request) and b"public" not in said:
            return 0
        for one in said:
            name, _, value = one.partition(b"=")
            if name in (b"max-age", b"s-maxage") and value.isdigit():
                seconds = min(seconds, float(value[:12]))
        return seconds


# ---------------------------------------------------------------- requests that are repeated


class IdempotencyKey(NamedTuple):
    """One key of one client at one route."""

    route: str
    who: str
    """The user, or the address of the client: keys of others are not to be guessed."""
    key: str


class Kept(NamedTuple):
    """An answer as it is kept."""

    status: int
    headers: Headers
    body: bytes
    file: str | None
    problem: Fault | None
    cookies: tuple[bytes, ...]
    is_whole: bool = True
    """False: the body was too long to be kept."""


class Turn(Enum):
    """What comes of a request with a key, unless an answer is kept for it."""

    RUN = "run"
    """It is the first: run it, then ``finish`` or ``forget``."""
    RUNNING = "running"
    """The first is still being answered."""
    DIFFERENT = "different"
    """The key belongs to another request."""


class IdempotencyStore(Protocol):
    """Where answers are kept. What is told to it is done before it returns."""

    async def begin(self, key: IdempotencyKey, fingerprint: bytes) -> Turn | Kept:
        """A request with this key has come."""
        ...

    async def finish(self, key: IdempotencyKey, answer: Kept) -> None:
        """The first one has been answered."""
        ...

    async def forget(self, key: IdempotencyKey) -> None:
        """The first one has come to nothing; the next is a first one again."""
        ...

    def note_nowait(self, key: IdempotencyKey, answer: Kept | None) -> None:
        """``finish``, or ``forget`` for nothing, told by somebody who cannot wait; it may be done a little
        later."""
        ...


SHARE: Final = 0.05
"""The part of the room that one client may fill when it is scarce."""


class _Seen(NamedTuple):
    fingerprint: bytes
    until: float
    answer: Kept
    size: int


class MemoryStore:
    """Keeps answers in the memory of this process, bounded; the oldest go first. What runs always stays."""

    def __init__(
        self,
        *,
        seconds: float = STORE_SECONDS,
        room: int = STORE_BYTES,
        entries: int = STORE_ENTRIES,
        clock: Callable[[], float] = trio.current_time,
    ) -> None:
        self._seconds = seconds
        self._room = room
        self._entries = entries
        self._clock = clock
        self._used = 0
        self._running: dict[IdempotencyKey, bytes] = {}
        self._done: OrderedDict[IdempotencyKey, _Seen] = OrderedDict()
        self._keys_of: dict[str, dict[IdempotencyKey, int]] = {}
        """By whose they are, and how large; the oldest first."""
        self._used_by: dict[str, int] = {}

    @property
    def used(self) -> int:
        """Bytes that it holds."""
        return self._used

    def __len__(self) -> int:
        return len(self._running) + len(self._done)

    def begin_nowait(self, key: IdempotencyKey, fingerprint: bytes) -> Turn | Kept:
        """See ``IdempotencyStore.begin``."""
        self._forget_old()
        running = self._running.get(key)
        if running is not None:
            return Turn.RUNNING if running == fingerprint else Turn.DIFFERENT
        seen = self._done.get(key)
        if seen is not None:
            return seen.answer if seen.fingerprint == fingerprint else Turn.DIFFERENT
        self._running[key] = fingerprint
        return Turn.RUN

    def finish_nowait(self, key: IdempotencyKey, answer: Kept) -> None:
        """See ``IdempotencyStore.finish``."""
        fingerprint = self._running.pop(key)
        size = _size(answer.headers, answer.body) + sum(map(len, key)) + CACHE_ENTRY
        self._done[key] = _Seen(fingerprint, self._clock() + self._seconds, answer, size)
        self._used += size
        mine = self._keys_of.setdefault(key.who, {})
        mine[key] = size
        self._used_by[key.who] = self._used_by.get(key.who, 0) + size
        while self._done and (self._used > self._room or len(self._done) > self._entries):
            # Whoever has much makes room himself: a flood of new keys drives out nobody else's.
            has_much = len(mine) > SHARE * self._entries or self._used_by.get(key.who, 0) > SHARE * self._room
            self._drop(next(iter(mine if has_much and len(mine) > 1 else self._done)))

    def forget_nowait(self, key: IdempotencyKey) -> None:
        """See ``IdempotencyStore.forget``."""
        del self._running[key]

    def note_nowait(self, key: IdempotencyKey, answer: Kept | None) -> None:
        if answer is None:
            self.forget_nowait(key)
        else:
            self.finish_nowait(key, answer)

    async def begin(self, key: IdempotencyKey, fingerprint: bytes) -> Turn | Kept:
        return self.begin_nowait(key, fingerprint)

    async def finish(self, key: IdempotencyKey, answer: Kept) -> None:
        self.finish_nowait(key, answer)

    async def forget(self, key: IdempotencyKey) -> None:
        self.forget_nowait(key)

    def _forget_old(self) -> None:
        # All live equally long, so the oldest stand in front.
        now = self._clock()
        while self._done and next(iter(self._done.values())).until <= now:
            self._drop(next(iter(self._done)))

    def _drop(self, key: IdempotencyKey) -> None:
        size = self._done.pop(key).size
        self._used -= size
        self._used_by[key.who] -= size
        mine = self._keys_of[key.who]
        del mine[key]
        if not mine:
            del self._keys_of[key.who], self._used_by[key.who]


REPLAYED: Final = (b"idempotent-replayed", b"true")
RETRY_SECONDS: Final = 1
TIDY_SECONDS: Final = 5.0
"""A store may take so long to note how a request has ended whose client is gone."""

NOT_NOW: Final = frozenset({401, 403, 408, 425, 429})
"""Answers that tell nothing of the work itself; the next try may have another."""

_KEY: Final = re.compile(rb"[\x21-\x7e]{1,255}")


def fingerprint_of(request: Asking, form_digest: bytes = b"") -> bytes:
    """Tells requests apart: method, path and query, and the content of the body.

    ``form_digest``: that of a multipart form, whose bytes differ each time a browser sends it.
    """
    digest = blake2b(digest_size=16)
    for part in (request.method.encode(), request.target, form_digest, request.body):
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.digest()


async def answer_once(
    store: IdempotencyStore,
    request: Asking,
    route: str,
    who: str,
    make: Callable[[], Awaitable[Response]],
    *,
    form_digest: bytes = b"",
    go_on: GoOn | None = None,
) -> Response:
    """Answer a request that may be a repeated one; without ``Idempotency-Key`` it is like any other.

    ``go_on`` is asked when nobody waits for the answer any more: if the work goes on, it sees to it that the
    answer is noted nevertheless, and says so.
    """
    given = _values(request.fields, b"idempotency-key")
    if not given:
        return await make()
    if len(given) > 1 or _KEY.fullmatch(given[0]) is None:
        return _bad_key()
    key = IdempotencyKey(route, who, given[0].decode("ascii"))
    turn = await store.begin(key, fingerprint_of(request, form_digest))
    match turn:
        case Kept():
            return _again(request, turn)
        case Turn.RUNNING:
            return _still_running()
        case Turn.DIFFERENT:
            return _different()
    try:
        response = await make()
    except BaseException:
        # If it runs on although nobody waits, the key stays taken until it is answered.
        if go_on is None or not go_on(partial(_note_later, store, key, request)):
            await _note(store, key, request, None)
        raise
    await _note(store, key, request, response)
    return response


Note = Callable[[Response], None]
GoOn = Callable[[Note], bool]


def _note_later(store: IdempotencyStore, key: IdempotencyKey, request: Asking, response: Response) -> None:
    """It has been answered, and nobody is there who could wait for the store."""
    store.note_nowait(key, _kept(request, response) if _is_kept(response) else None)


async def _note(
    store: IdempotencyStore, key: IdempotencyKey, request: Asking, response: Response | None
) -> None:
    """Also when the client has gone and all of this is being cancelled: the key must not stay taken."""
    with trio.move_on_after(TIDY_SECONDS, shield=True):
        if response is not None and _is_kept(response):
            await store.finish(key, _kept(request, response))
        else:
            await store.forget(key)


def _is_kept(response: Response) -> bool:
    return response.status < 500 and response.status not in NOT_NOW


def _kept(request: Asking, response: Response) -> Kept:
    body = response.body
    is_whole = len(body) <= LARGEST_KEPT
    return Kept(
        response.status,
        list(response.headers),
        body if is_whole else b"",
        response.file,
        response.problem,
        _cookies_of(request),
        is_whole,
    )


def _cookies_of(request: Asking) -> tuple[bytes, ...]:
    session = request.session_used
    changed = session.set_cookie_header() if session is not None else None
    return (*request.cookies, changed) if changed is not None else tuple(request.cookies)


def _again(request: Asking, kept: Kept) -> Response:
    if not kept.is_whole:
        return refusal(
            Fault(
                "conflict",
                tamil="இந்த Idempotency-Key உடைய கோரிக்கை ஏற்கெனவே முடிந்தது; "
                "அதன் பதில் மிகப் பெரியதால் சேமிக்கப்படவில்லை",
                english="the request with this Idempotency-Key has been carried out; "
                "its answer was too large to be kept",
            )
        )
    request.cookies.extend(kept.cookies)
    return Response(kept.status, [*kept.headers, REPLAYED], kept.body, file=kept.file, problem=kept.problem)


def _bad_key() -> Response:
    return refusal(
        Fault(
            "validation",
            problem_ta="ஒரே ஒரு Idempotency-Key வரலாம்; "
            f"அது இடைவெளியின்றி 1 – {KEY_BYTES} ASCII எழுத்துகளாக இருக்க வேண்டும்",
            problem_en=f"there may be one Idempotency-Key, of 1 – {KEY_BYTES} ASCII letters without spaces",
        ),
        status=400,
    )


def _still_running() -> Response:
    return refusal(
        Fault(
            "conflict",
            tamil="இந்த Idempotency-Key உடைய கோரிக்கை இன்னும் முடியவில்லை; சற்றுப் பின் மீண்டும் கேட்கவும்",
            english="the request with this Idempotency-Key is still being answered; ask again a little later",
        ),
        [(b"retry-after", b"%d" % RETRY_SECONDS)],
    )


def _different() -> Response:
    return refusal(
        Fault(
            "validation",
            problem_ta="இந்த Idempotency-Key வேறொரு கோரிக்கையுடன் ஏற்கெனவே வந்தது; புதியதைப் பயன்படுத்தவும்",
            problem_en="this Idempotency-Key has come with another request already; use a new one",
        )
    )
