"""Bodies that come in chunks: bytes of the wire in, bytes of the body out. No I/O.

RFC 9112 §7.1, and nothing that servers add to it out of kindness:

```
body    = *chunk last trailers CRLF
chunk   = size [extensions] CRLF  size × byte  CRLF
last    = "0"… [extensions] CRLF
```

A size is 1 to 15 hexadecimal digits, lower or upper case; CR LF ends each line and each chunk. Extensions
are checked for their form and forgotten, so are trailers: a field that comes after the body has been acted
upon must not change what was decided. Both are counted over the whole body against one limit, else a
client could make us read a hundred bytes for each byte of body.

The reader keeps no bytes. What it cannot use yet it gives back, and gets it again with more behind it; of
a line that has not ended that is at most the limit of a line. So cut points cannot matter: what has been
used is a prefix that is read in the same way however it arrived.
"""

from __future__ import annotations

import re
from typing import Final

from etamil_actors.edge.fast.head import are_trailers
from etamil_actors.errors import EtamilError

MAX_LINE: Final = 256
"""A line with a size and its extensions."""
_HEXADECIMAL: Final = b"0123456789abcdefABCDEF"
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_QUOTED = rb'"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*+"'
_VALUE = rb"(?:[ \t]*+=[ \t]*+(?:" + _TOKEN + rb"|" + _QUOTED + rb"))?+"
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15}+)((?:[ \t]*+;[ \t]*+" + _TOKEN + _VALUE + rb")*+)\r\n")


FREE_BYTES: Final = 2
MOST_EXCESS: Final = 16 * 1024
"""Some thousand chunks of one byte; a body may have more of them where longer ones make up for it."""


class ChunkError(EtamilError):
    """These are no chunks, or there is more around them than in them."""

    def __init__(self, tamil: str, english: str) -> None:
        super().__init__(english)
        self.tamil = tamil
        self.english = english


class Chunks:
    """One body, from its first chunk to the empty line at its end."""

    __slots__ = ("_excess", "_extra", "_is_last", "_left", "is_over")

    def __init__(self, max_extra: int) -> None:
        """``max_extra`` bounds the extensions and trailers of the whole body."""
        self._left = -1
        """Of the chunk at hand; 0: its CR LF is missing; -1: the line with a size comes next."""
        self._extra = max_extra
        self._excess = 0
        """What has come around the chunks beyond what a sender needs who does not send them byte by byte."""
        self._is_last = False
        self.is_over = False

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """What of the body is in these bytes, and what of them could not be used.

        Bytes behind the end of the body come back as they are.

        Raises: ChunkError.
        """
        at = 0
        pieces: list[bytes] = []
        while not self.is_over:
            if self._left > 0:
                piece = data[at : at + self._left]
                if not piece:
                    break
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                continue
            after = self._take_end(data, at) if self._left == 0 else self._take_line(data, at)
            if after == at:
                break
            at = after
        return pieces[0] if len(pieces) == 1 else b"".join(pieces), data[at:]

    def _take_end(self, data: bytes, at: int) -> int:
        """CR LF behind the bytes of a chunk."""
        end = data[at : at + 2]
        if not b"\r\n".startswith(end):
            raise ChunkError("துண்டின் முடிவில் CR LF இல்லை", "a chunk does not end with CR LF")
        if len(end) < 2:
            return at
        self._left = -1
        return at + 2

    def _take_line(self, data: bytes, at: int) -> int:
        if self._is_last:
            return self._take_trailers(data, at)
        end = data.find(b"\n", at, at + MAX_LINE) + 1
        if end == 0:
            if len(data) - at >= MAX_LINE:
                raise _too_much()
            if at < len(data) and data[at] not in _HEXADECIMAL:
                raise _no_size()
            return at
        line = _SIZE.fullmatch(data, at, end)
        if line is None:
            raise _no_size()
        self._pay(len(line[2]))
        self._left = int(line[1], 16)
        # The lines around a chunk are at most as long as twice its bytes and some; else it is all work.
        self._excess = max(self._excess + (end - at) + 2 - FREE_BYTES - 2 * self._left, 0)
        if self._excess > MOST_EXCESS:
            raise _too_much()
        if self._left == 0:
            self._is_last = True
            self._left = -1
        return end

    def _take_trailers(self, data: bytes, at: int) -> int:
        """One line of what comes after the last chunk; the empty one ends it."""
        if data[at : at + 2] == b"\r\n":
            self.is_over = True
            return at + 2
        end = data.find(b"\n", at) + 1
        if end == 0:
            if len(data) - at > self._extra:
                raise _too_much()
            return at
        self._pay(end - at)
        if not are_trailers(data[at:end]):
            raise ChunkError(
                "துண்டுகளுக்குப் பின் வந்த தலைப்பு ‘பெயர்: மதிப்பு’ என்ற வடிவில் இல்லை",
                "a header after the chunks is not of the form ‘name: value’",
            )
        return end

    def _pay(self, size: int) -> None:
        self._extra -= size
        if self._extra < 0:
            raise _too_much()


def _no_size() -> ChunkError:
    return ChunkError("துண்டின் அளவு பதினறும எண் அல்ல", "the size of a chunk is no hexadecimal number")


def _too_much() -> ChunkError:
    return ChunkError(
        "துண்டுகளைச் சுற்றி வரும் தகவல்கள் மிக அதிகம்", "there is too much around the chunks of the body"
    )
