"""Who asked for what, and how it was answered: a line for each request, written off the hot path.

``note`` puts a tuple into a bounded queue and is done; when the queue is full the newest is dropped, counted
and told. One task, a supervised actor, makes the lines and has them written:

```
site.done ─▶ note ─▶ queue ─▶ writer: some entries ─▶ text ─▶ write, in a thread
                                   └ a checkpoint in between, so requests go on
```

The text is made in trio's thread on purpose, a few entries at a time. A thread that computes would take the
interpreter's lock whenever a connection waits for its socket, and every request would feel it; a thread that
only writes gives the lock away.

On a terminal a line is short and coloured; else it is one JSON object, with the time in UTC:

```
· 17:04:05 GET /வணக்கம்?பெயர்=அருண் 200 1.2 kB 3.4 ms 192.0.2.1 kadai
{"time":"2026-11-21T11:34:05.123Z","level":"info","event":"http","method":"GET","path":"/வணக்கம்", …}
```

What clients send is shown decoded, so that people can read it, but never so that it could pass for something
else: signs that cannot be printed, signs that turn the direction of writing and ends of lines stay encoded.
Values of the query whose names speak of secrets are hidden, and so is whatever looks like a signed token.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

import trio

from etamil_actors.actors.actor import Actor, ActorSpec, Behaviour
from etamil_actors.actors.moments import after
from etamil_actors.edge.paths import cut

MOST: Final = 10_000
"""So many entries may wait to be written."""

AT_ONCE: Final = 64
"""So many are made into text before others have their turn: a fraction of a millisecond."""

GATHER_SECONDS: Final = 0.1
"""What comes within this time is written together."""

FLUSH_SECONDS: Final = 2.0
"""How long the end waits for a reader that is slow."""

GONE: Final = 499
"""The status of a request whose client left before it was answered."""


class Entry(NamedTuple):
    """A request that is over."""

    ended: float
    """By trio's clock."""
    seconds: float
    """How long it took."""
    client: str
    method: str
    target: bytes
    """Path and query as they were sent; empty if there was none."""
    status: int
    """499: the client has left."""
    sent: int
    """Bytes of the answer."""
    id: str
    """Of the request."""
    traceparent: str
    """The trace context, or empty."""
    route: str
    """The id of the route, or empty."""
    service: str
    agent: bytes
    """What the client calls itself."""


class AccessLog:
    """See the top of the file."""

    def __init__(
        self,
        write: Callable[[str], None],
        *,
        wall: Callable[[], float],
        as_json: bool = True,
        colours: bool = False,
        zone: tzinfo | None = None,
        in_thread: bool = True,
        most: int = MOST,
    ) -> None:
        """``write`` puts text where it belongs; ``wall`` answers the seconds since 1970. ``zone`` is that of
        the times on a terminal: the machine's, if it is not said.
        """
        self.dropped = 0
        """Entries that were never written."""
        self._write = write
        self._wall = wall
        self._form = Json() if as_json else Short(colours, zone)
        self._limiter = trio.CapacityLimiter(1) if in_thread else None
        self._most = most
        self._queue: deque[Entry] = deque()
        self._lines: list[str] = []
        """Made, and not handed over yet."""
        self._untold = 0
        self._wake: trio.Event | None = None
        """What the writer waits for, while it waits."""
        self._ended = trio.Event()

    def note(self, entry: Entry) -> None:
        """A request is over. Never waits."""
        queue = self._queue
        if len(queue) >= self._most:
            self.dropped += 1
            self._untold += 1
            return
        queue.append(entry)
        if self._wake is not None:
            self._call()

    @property
    def waiting(self) -> int:
        """How many wait to be written."""
        return len(self._queue) + len(self._lines)

    def spec(self, name: str = "access-log") -> ActorSpec:
        """The actor that writes, for a supervisor. What waits survives its restarts."""
        return ActorSpec(name=name, make=lambda: Writer(self), shutdown=2 * FLUSH_SECONDS + 1)

    def begin(self) -> None:
        """What comes is going to be written; ``run`` does it."""
        self._ended = trio.Event()

    def end(self) -> None:
        """Let ``run`` return as soon as what is being written is written."""
        self._ended.set()
        self._call()

    def _call(self) -> None:
        if self._wake is not None:
            self._wake.set()
            self._wake = None

    async def run(self) -> None:
        """Write what comes, until the end or until this is cancelled."""
        while not self._ended.is_set():
            if not self.waiting:
                self._wake = wake = trio.Event()
                await wake.wait()
            await self.write_waiting()
            with trio.CancelScope(deadline=after(GATHER_SECONDS)):
                await self._ended.wait()

    async def flush(self, seconds: float = FLUSH_SECONDS) -> None:
        """Write all that waits, even if this is cancelled; but not for ever. What is left then is dropped."""
        with trio.CancelScope(shield=True, deadline=after(seconds)):
            while self._queue or self._lines or self._untold:
                await self.write_waiting()
        self.dropped += self.waiting
        self._queue.clear()
        self._lines.clear()

    async def write_waiting(self) -> None:
        """Write what waits now. If this is cancelled, nothing is lost but what is being written."""
        await self._make_lines()
        count, text = len(self._lines), "".join(self._lines)
        self._lines.clear()
        if self._untold:
            text += self._form.dropped(self._untold, self._wall())
            self._untold = 0
        if not text:
            return
        # Dropped until it is written, so there is no way out of here that loses a line in silence.
        self.dropped += count
        try:
            await self._put(text)
        except OSError:  # nobody reads any more
            return
        self.dropped -= count

    async def _make_lines(self) -> None:
        line, queue = self._form.line, self._queue
        left = len(queue)
        while left > 0 and queue:  # two may be here at the end, and take what the other has counted
            offset = self._wall() - trio.current_time()
            for _ in range(min(AT_ONCE, left, len(queue))):
                entry = queue.popleft()
                self._lines.append(line(entry, offset + entry.ended))
            left -= AT_ONCE
            await trio.lowlevel.checkpoint()

    async def _put(self, text: str) -> None:
        if self._limiter is None:
            self._write(text)
            await trio.lowlevel.checkpoint()
            return
        await trio.to_thread.run_sync(
            self._write,
            text,
            limiter=self._limiter,
            abandon_on_cancel=True,  # a reader that hangs must not hold up the end of the process
        )


class Writer(Behaviour):
    """The actor that writes the access log."""

    def __init__(self, log: AccessLog) -> None:
        self.log = log

    async def work(self, actor: Actor) -> None:
        """Write until it shall stop, then what is left."""
        self.log.begin()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.log.run)
            await actor.stopping.wait()
            self.log.end()
            nursery.cancel_scope.deadline = after(FLUSH_SECONDS)
        await self.log.flush()


# ── lines ────────────────────────────────────────────────────────────────────────────────────────


class Json:
    """One JSON object for each entry. What is empty is left out.

    A line is made for every request, so most of it is put together from pieces that are alike for many: who
    asks for what, as text that is escaped already.
    """

    def __init__(self) -> None:
        from msgspec.json import Encoder  # only who logs needs it

        self._encode = Encoder().encode
        self._second = -1
        self._until_second = ""
        self._asked = lru_cache(1024)(self._who_asks)
        self._answered = lru_cache(1024)(self._who_answers)

    def line(self, entry: Entry, time: float) -> str:
        """An entry that ended at this moment."""
        _, seconds, client, method, target, status, sent, id, traceparent, route, service, agent = entry
        second, milliseconds = divmod(int(time * 1000), 1000)
        if second != self._second:
            self._second, self._until_second = second, _utc_second(second)
        asked = self._asked if len(target) <= KEPT_TARGET else self._who_asks
        # Most requests are called by the id of their trace, which is our own or was looked at when it came.
        named = f',"request":"{id}","trace":"{id}"' if id and id == traceparent[3:35] else self._named(entry)
        return (
            f'{{"time":"{self._until_second}.{milliseconds:03}Z"'
            f',"level":"{"error" if status >= 500 else "info"}","event":"http"{asked(client, method, target)}'
            f',"status":{status},"bytes":{sent},"ms":{seconds * 1000:.3f}'
            f"{named}{self._answered(route, service, agent)}}}\n"
        )

    def _who_asks(self, client: str, method: str, target: bytes) -> str:
        path, query = shown_target(target)
        return self._members(client=plain(client, 64), method=plain(method, 32), path=path, query=query)

    def _who_answers(self, route: str, service: str, sent: bytes) -> str:
        return self._members(route=route, service=service, agent=agent(sent))

    def _named(self, entry: Entry) -> str:
        """Request and trace. Their letters were looked at when the request came, or they are our own."""
        trace, id = trace_of(entry.traceparent), entry.id
        if not (id.isalnum() and id.isascii()) and _SAFE(id) is None:
            return self._members(request=plain(id, 128), trace=trace)
        named = f',"request":"{id}"' if id else ""
        return f'{named},"trace":"{trace}"' if trace else named

    def _members(self, **told: str) -> str:
        """Members of an object, each with a comma in front."""
        return "".join([f',"{name}":{self._encode(text).decode()}' for name, text in told.items() if text])

    def dropped(self, count: int, time: float) -> str:
        """So many lines are missing here."""
        told = {
            "time": utc(time),
            "level": "warn",
            "event": "http.dropped",
            "count": count,
            "tamil": f"{count} வரிகள் விடுபட்டன",
            "english": f"{count} lines were dropped",
        }
        return self._encode(told).decode() + "\n"


KEPT_TARGET: Final = 200
"""What is asked for in so many bytes is likely to be asked for again."""

_SAFE: Final = re.compile(r"[A-Za-z0-9._~+/=:-]{0,128}").fullmatch

MARKS: Final = {2: "·", 3: "·", 4: "⚠", 5: "✗"}
"""By the hundreds of the status; the marks are those of all lines for people."""

COLOURS: Final = {"·": "\x1b[36m", "⚠": "\x1b[33m", "✗": "\x1b[31m"}
FAINT, PLAIN = "\x1b[2m", "\x1b[0m"


class Short:
    """A short line for each entry, for people."""

    def __init__(self, colours: bool = False, zone: tzinfo | None = None) -> None:
        self._colours = colours
        self._zone = zone

    def line(self, entry: Entry, time: float) -> str:
        """An entry that ended at this moment."""
        path, query = shown_target(entry.target)
        target = f"{path}?{query}" if query else path or "-"
        asked = f"{plain(entry.method, 32)} {target} {entry.status}"
        who = f"{plain(entry.client, 64)} {entry.service}".rstrip()
        rest = f"{size(entry.sent)} {entry.seconds * 1000:.1f} ms {who}"
        mark = MARKS.get(entry.status // 100, "·")
        if not self._colours:
            return f"{mark} {self._clock(time)} {asked} {rest}\n"
        return f"{COLOURS[mark]}{mark}{PLAIN} {self._clock(time)} {asked} {FAINT}{rest}{PLAIN}\n"

    def dropped(self, count: int, time: float) -> str:
        """So many lines are missing here."""
        mark = f"{COLOURS['✗']}✗{PLAIN}" if self._colours else "✗"
        return f"{mark} {self._clock(time)} {count} வரிகள் விடுபட்டன  ({count} lines were dropped)\n"

    def _clock(self, time: float) -> str:
        return _clock(int(time), self._zone)


@lru_cache(maxsize=4)
def _clock(second: int, zone: tzinfo | None) -> str:
    return datetime.fromtimestamp(second, UTC).astimezone(zone).strftime("%H:%M:%S")


def utc(time: float) -> str:
    """A moment as ISO 8601, to the millisecond."""
    second, milliseconds = divmod(int(time * 1000), 1000)
    return f"{_utc_second(second)}.{milliseconds:03}Z"


@lru_cache(maxsize=4)
def _utc_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def size(count: int) -> str:
    """A number of bytes, for people."""
    if count < 1000:
        return f"{count} B"
    if count < 1_000_000:
        return f"{count / 1000:.1f} kB"
    return f"{count / 1_000_000:.1f} MB"


# ── what clients sent, as text that is safe to show ──────────────────────────────────────────────

HIDDEN: Final = "***"

LONGEST_TARGET: Final = 1024
LONGEST_AGENT: Final = 120

_SECRET_PARTS: Final = (
    "password", "passwd", "passphrase", "secret", "token", "authorization", "apikey", "api_key", "cookie",
    "credential", "signature", "session", "கடவுச்சொல்", "இரகசிய", "ரகசிய", "சீட்டு", "அமர்வு", "திறவுகோல்",
    "சாவி",
)  # fmt: skip
"""A name that holds one of these speaks of a secret …"""

_SECRET_WORDS: Final = frozenset({
    "key", "code", "sig", "auth", "jwt", "otp", "pin", "pwd", "pass", "csrf", "state", "nonce", "sid", "hash",
    "assertion",
})  # fmt: skip
"""… and so does one in which one of these is a whole word: ``sign-key``, ``accessKey``, not ``monkey``."""

_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

_SIGNED: Final = re.compile(r"[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{16,}")
"""Three parts with dots between: a signed token, wherever it stands."""


def is_secret(name: str) -> bool:
    """Does the name of a value in a query speak of a secret?"""
    lower = name.lower().replace("-", "_")
    if any(part in lower for part in _SECRET_PARTS):
        return True
    return any(word.lower() in _SECRET_WORDS for word in _WORDS.findall(name))


def shown_target(target: bytes) -> tuple[str, str]:
    """Path and query of a request target, for people; both cut to a sensible length."""
    path, query = cut(target)
    return _shortened(shown_path(path)), _shortened(shown_query(query)) if query else ""


def shown_path(path: bytes) -> str:
    """A path with what is percent-encoded decoded, as far as it is safe to show and cannot be mistaken."""
    return hide_tokens(_readable(path[:_READ], _KEPT_IN_PATHS))


def shown_query(query: bytes) -> str:
    """A query in the same way, without the values of names that speak of secrets."""
    return "&".join([_shown_pair(part) for part in query[:_READ].split(b"&")])


def _shown_pair(part: bytes) -> str:
    name, equals, value = part.replace(b"+", b" ").partition(b"=")
    key = _readable(name, _KEPT_IN_VALUES + "=")
    if not equals:
        return hide_tokens(key)
    if is_secret(key):
        return f"{key}={HIDDEN}"
    return f"{key}={hide_tokens(_readable(value, _KEPT_IN_VALUES))}"


_KEPT_IN_PATHS: Final = "%?#\\"
_KEPT_IN_VALUES: Final = "%&#+\\"

_READ: Final = 4 * LONGEST_TARGET
"""Not more of a target is read than could be shown at all."""


def hide_tokens(text: str) -> str:
    """The text without signed tokens, wherever they stand in it."""
    return _SIGNED.sub(HIDDEN, text) if text.count(".") >= 2 else text


def _readable(sent: bytes, kept: str) -> str:
    """Percent-decoded; what cannot be printed and the signs in ``kept`` are percent-encoded again."""
    if b"%" not in sent and sent.isascii():
        text = sent.decode("ascii")
        if text.isprintable():
            return text
    else:
        text = unquote_to_bytes(sent).decode("utf-8", "replace")
    return "".join([sign if sign.isprintable() and sign not in kept else _encoded(sign) for sign in text])


def _encoded(sign: str) -> str:
    return "".join([f"%{byte:02X}" for byte in sign.encode()])


def plain(text: str, longest: int) -> str:
    """A text that was sent, cut, with what cannot be printed as ``\\x1b``."""
    if len(text) > longest:
        text = text[: longest - 1] + "…"
    if text.isprintable():
        return text
    return "".join([sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text])


def agent(sent: bytes) -> str:
    """What a client calls itself."""
    return plain(sent[: 4 * LONGEST_AGENT].decode("utf-8", "replace"), LONGEST_AGENT) if sent else ""


def trace_of(traceparent: str) -> str:
    """The trace id in a trace context, or nothing."""
    trace = traceparent[3:35]
    return trace if len(trace) == 32 and trace.isalnum() and traceparent[35:36] == "-" else ""


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_TARGET else text[: LONGEST_TARGET - 1] + "…"
