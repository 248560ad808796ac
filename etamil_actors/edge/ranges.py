"""Parts of a body: reading ``Range``, and the frame around several parts. Pure.

```
bytes=0-499      the first 500          bytes=500-    all from there        bytes=-500    the last 500
bytes=0-0,-1     several: one after the other as multipart/byteranges
```

A ``Range`` that cannot be read, or that asks for more parts than is sensible, is as if it was not there, and
the whole is sent (RFC 9110 §14.2). Parts that touch or overlap are sent as one, so nothing is sent twice.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

PARTS: Final = 16
"""So many parts are sent at most; whoever wants more gets the whole."""
ASKED: Final = 128
"""So many are read at most, before they are put together."""


class Span(NamedTuple):
    """A part of a body."""

    start: int
    length: int

    @property
    def end(self) -> int:
        return self.start + self.length


_SPEC: Final = re.compile(rb"(\d*)-(\d*)")
_DIGITS: Final = 18
"""A number of more digits is beyond every file."""


def spans_of(value: bytes, size: int) -> tuple[Span, ...] | None:
    """The parts of ``size`` bytes that a ``Range`` asks for, in its order.

    None: it counts for nothing, the whole is sent. An empty tuple: there are no such bytes, 416.
    """
    unit, equals, rest = value.partition(b"=")
    if not equals or unit.strip(b" \t").lower() != b"bytes":
        return None
    specs = [spec for part in rest.split(b",") if (spec := part.strip(b" \t"))]
    if not specs or len(specs) > ASKED:
        return None
    spans: list[Span] = []
    for spec in specs:
        found = _SPEC.fullmatch(spec)
        if found is None:
            return None
        first, last = _number(found[1]), _number(found[2])
        if first is None:
            if last is None:
                return None
            if last and not size:
                return None  # all of nothing: there is no way to say that as a part
            span = Span(max(size - last, 0), min(last, size))
        elif last is not None and last < first:
            return None
        else:
            end = size if last is None else min(last + 1, size)
            span = Span(first, end - first)
        if span.length > 0:
            spans.append(span)
    joined = _joined(spans)
    return joined if len(joined) <= PARTS else None


def _number(digits: bytes) -> int | None:
    if not digits:
        return None
    digits = digits.lstrip(b"0")
    return int(digits or b"0") if len(digits) <= _DIGITS else int(10**_DIGITS)


def _joined(spans: list[Span]) -> tuple[Span, ...]:
    """Those that touch as one, at the place of the one that was asked for first."""
    if len(spans) < 2:
        return tuple(spans)
    found: list[tuple[int, int, int]] = []  # its place in the request, start, end
    for place, span in sorted(enumerate(spans), key=lambda one: one[1]):
        if found and span.start <= found[-1][2]:
            earlier = found[-1]
            found[-1] = min(earlier[0], place), earlier[1], max(earlier[2], span.end)
        else:
            found.append((place, span.start, span.end))
    return tuple(Span(start, end - start) for _, start, end in sorted(found))


def content_range(span: Span, size: int) -> bytes:
    """``bytes 0-499/1234``, of a part that is sent."""
    return b"bytes %d-%d/%d" % (span.start, span.end - 1, size)


def unsatisfied(size: int) -> bytes:
    """``bytes */1234``, of a 416."""
    return b"bytes */%d" % size


Piece: TypeAlias = bytes | Span
"""Bytes as they are, or a part of the file."""


def multipart(spans: Sequence[Span], size: int, kind: bytes, boundary: bytes) -> list[Piece]:
    """Several parts as one body of type ``multipart/byteranges``."""
    pieces: list[Piece] = []
    for place, span in enumerate(spans):
        head = b"%s--%s\r\nContent-Type: %s\r\nContent-Range: %s\r\n\r\n" % (
            b"\r\n" if place else b"", boundary, kind, content_range(span, size),
        )  # fmt: skip
        pieces += (head, span)
    pieces.append(b"\r\n--%s--\r\n" % boundary)
    return pieces


def length_of(pieces: Sequence[Piece]) -> int:
    """How long the body is."""
    return sum(piece.length if isinstance(piece, Span) else len(piece) for piece in pieces)
