"""Smaller bodies: which coding a client takes, and gzip for answers that are worth it.

An answer that *could* be compressed says ``Vary: Accept-Encoding``, whether it is or not, so that caches
keep the two apart. A strong tag of a compressed answer becomes weak: the bytes are others, what they say is
the same. Parts of a body (206), bodies that are coded already and those that must not be changed
(``no-transform``) stay as they are. Deciding is pure; only the work on long bodies goes to a thread.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from typing import Final

import trio

from etamil_actors.actors.programs.exchange import Headers
from etamil_actors.edge.conditions import tag_of
from etamil_actors.edge.exchange import Outgoing
from etamil_actors.edge.media_types import is_compressible

LEVEL: Final = 5
WORTH: Final = 1024
"""A shorter body fits one packet anyway."""
INLINE: Final = 16 * 1024
"""Compressing so much takes less than half a millisecond; a thread would cost as much as it saves."""
GZIP: Final = "gzip"
IDENTITY: Final = "identity"

_THREADS: Final = trio.CapacityLimiter(2)

_ITEM: Final = re.compile(
    rb"[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:[ \t]*;[ \t]*[qQ]=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?[ \t]*"
)
_ALIASES: Final = {"x-gzip": GZIP, "x-compress": "compress"}


def accepted(value: bytes | None) -> dict[str, float]:
    """What an ``Accept-Encoding`` says of each coding, ``*`` among them. Unreadable items do not count."""
    weights: dict[str, float] = {}
    for item in (value or b"").split(b","):
        found = _ITEM.fullmatch(item)
        if found is not None:
            name = found[1].decode("ascii").lower()
            weights[_ALIASES.get(name, name)] = float(found[2]) if found[2] is not None else 1.0
    return weights


def ranking(value: bytes | None, offered: Sequence[str]) -> list[str]:
    """Those of the offered codings that the client takes, the best first; ``offered`` breaks ties.

    Without a coding (``identity``) it takes everything unless it says otherwise. An empty answer: it takes
    nothing of what there is, and gets it without coding all the same (RFC 9110 §12.5.3 leaves that to us).
    """
    weights = accepted(value)
    others = weights.get("*", 0.0)
    weighed = [(weights.get(name, _plain(others, weights) if name == IDENTITY else others), name)
               for name in offered]  # fmt: skip
    return [name for weight, name in sorted(weighed, key=lambda one: -one[0]) if weight > 0]


def _plain(others: float, weights: dict[str, float]) -> float:
    # Not named: taken, but after everything that is named.
    return 0.0001 if "*" not in weights else others


def accept_encoding(fields: Headers) -> bytes | None:
    """The field of a request; repeated ones are one list."""
    values = [value for name, value in fields if name == b"accept-encoding"]
    return b",".join(values) if values else None


def gzipped(data: bytes) -> bytes:
    """The same bytes for the same data: the frame tells no time."""
    return zlib.compress(data, LEVEL, 31)


def varied(headers: Headers, name: bytes = b"Accept-Encoding") -> Headers:
    """The headers with one more name in ``Vary``."""
    kept = [line for key, line in headers if key.lower() == b"vary" and line.strip()]
    said = {one.strip().lower() for line in kept for one in line.split(b",")}
    if name.lower() in said or b"*" in said:
        return headers
    others = [(key, line) for key, line in headers if key.lower() != b"vary"]
    return [*others, (b"vary", b", ".join([*kept, name]))]


def may_compress(status: int, headers: Headers, length: int, *, is_forced: bool = False) -> bool:
    """Is such an answer worth compressing, and may it be?

    ``is_forced``: the client takes it in no other way, so its size and type do not matter.
    """
    if status < 200 or status in (204, 206, 304) or length == 0:
        return False
    kind = b""
    for key, value in headers:
        name = key.lower()
        if name == b"content-type":
            kind = value
        elif name in (b"content-encoding", b"content-range"):
            return False
        elif name == b"cache-control" and b"no-transform" in value.lower():
            return False
    if is_forced:
        return True
    return length >= WORTH and is_compressible(kind.decode("latin-1"))


def _coded(headers: Headers) -> Headers:
    """The headers of the compressed answer."""
    changed: Headers = []
    for key, value in headers:
        name = key.lower()
        if name == b"etag":
            tag = tag_of(value)
            value = value if tag is None else bytes(tag._replace(is_weak=True))
        elif name == b"accept-ranges":
            value = b"none"
        if name != b"content-length":
            changed.append((key, value))
    return varied([*changed, (b"content-encoding", GZIP.encode())])


def _is_wanted(outgoing: Outgoing, fields: Headers) -> bool:
    """Shall this answer be compressed for this client? Puts ``Vary`` on it if that could have been."""
    if not isinstance(outgoing.body, bytes):
        return False
    length = len(outgoing.body) or outgoing.length or 0
    takes = ranking(accept_encoding(fields), (GZIP, IDENTITY))
    is_forced = takes == [GZIP]
    if not may_compress(outgoing.status, outgoing.headers, length, is_forced=is_forced):
        return False
    outgoing.headers = varied(outgoing.headers)
    return takes[:1] == [GZIP]


def _replace(outgoing: Outgoing, body: bytes) -> Outgoing:
    return Outgoing(outgoing.status, _coded(outgoing.headers), body, closes=outgoing.closes)


def compress_nowait(outgoing: Outgoing, fields: Headers) -> Outgoing | None:
    """The answer as this client best gets it; None when its body is so long that ``compress`` is needed.

    ``fields``: those of the request.
    """
    if not _is_wanted(outgoing, fields):
        return outgoing
    assert isinstance(outgoing.body, bytes)
    if not outgoing.body:
        # HEAD: the length is known only to whoever compresses, so it is not said.
        told = Outgoing(outgoing.status, _coded(outgoing.headers), b"", closes=outgoing.closes)
        told.length = None
        return told
    if len(outgoing.body) > INLINE:
        return None
    return _replace(outgoing, gzipped(outgoing.body))


async def compress(outgoing: Outgoing, fields: Headers) -> Outgoing:
    """The answer as this client best gets it; long bodies are compressed in a thread."""
    done = compress_nowait(outgoing, fields)
    if done is not None:
        return done
    assert isinstance(outgoing.body, bytes)
    return _replace(outgoing, await trio.to_thread.run_sync(gzipped, outgoing.body, limiter=_THREADS))
