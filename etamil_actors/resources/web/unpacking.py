"""Bodies that came packed (RFC 9110 §8.4), unpacked in pieces of bounded size.

A packed body may be a thousandth of what is in it, so nothing here answers more than ``PIECE`` bytes at a
time, and every layer has a limit of its own: what is packed twice may be huge in between and nothing in the
end. Nor does work hide in what says nothing, be it empty members or bytes behind the end. Only what the
client says it understands is unpacked, which is gzip and deflate.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Final, Protocol

PIECE: Final = 65_536

MOST_LAYERS: Final = 3
"""So often a body may be packed; each layer multiplies what a small one can hold."""

MOST_MEMBERS: Final = 4_096
"""Of so many members gzip may be made, each of which costs time even when it is empty."""


class NotUnpacked(Exception):
    """The body is damaged, or packed in a way that nobody has asked for."""


class TooMuch(Exception):
    """More has come out than somebody wants."""


class Layer(Protocol):
    """Takes one packing off."""

    left: int
    """So many bytes may still come out."""

    def unpacked(self, data: bytes) -> Iterator[bytes]:
        """What can be said after these bytes, too. Raises: NotUnpacked."""

    def end(self) -> None:
        """There is no more. Raises: NotUnpacked, when there should be."""


class Gzip:
    """RFC 1952: one member after the other."""

    def __init__(self, most: int) -> None:
        self.left = most
        self._members = 1
        self._stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
        self._is_fresh = True

    def unpacked(self, data: bytes) -> Iterator[bytes]:
        """See ``Layer``."""
        while data:
            if self._stream.eof:
                data = data.lstrip(b"\0")  # some fill up with zeros behind the last member
                if not data:
                    return
                self._members += 1
                if self._members > MOST_MEMBERS:
                    raise NotUnpacked("too many members")
                self._stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
            self._is_fresh = False
            yield from _pieces(self._stream, data)
            data = self._stream.unused_data

    def end(self) -> None:
        """See ``Layer``."""
        if not self._is_fresh and not self._stream.eof:
            raise NotUnpacked("cut off")


class Deflate:
    """The zlib format (RFC 1950); also bare deflate, which some servers send by that name."""

    def __init__(self, most: int) -> None:
        self.left = most
        self._stream: zlib._Decompress | None = None

    def unpacked(self, data: bytes) -> Iterator[bytes]:
        """See ``Layer``."""
        if not data:
            return
        if self._stream is None:
            # The low half of the first byte says 8 in the zlib format, and in bare deflate hardly ever does.
            is_bare = data[0] & 0x0F != 8 or data[0] >> 4 > 7
            self._stream = zlib.decompressobj(-zlib.MAX_WBITS if is_bare else zlib.MAX_WBITS)
        if not self._stream.eof:  # it would keep, and copy again and again, all that comes behind its end
            yield from _pieces(self._stream, data)

    def end(self) -> None:
        """See ``Layer``."""
        if self._stream is not None and not self._stream.eof:
            raise NotUnpacked("cut off")


def _pieces(stream: zlib._Decompress, data: bytes) -> Iterator[bytes]:
    try:
        while True:
            piece = stream.decompress(data, PIECE)
            if piece:
                yield piece
            data = stream.unconsumed_tail
            if stream.eof or (not data and len(piece) < PIECE):
                return
    except zlib.error as problem:
        raise NotUnpacked(str(problem)) from None


_LAYERS: Final[dict[str, Callable[[int], Layer]]] = {
    "gzip": Gzip,
    "x-gzip": Gzip,
    "deflate": Deflate,
}


def layers_of(coding: str, most: int = sys.maxsize) -> list[Layer]:
    """What takes these packings off, as a header ``Content-Encoding`` names them; the last comes first.
    Out of each come ``most`` bytes.

    Raises:
        NotUnpacked: one of them is not known, or they are too many.
    """
    names = [name.strip().lower() for name in coding.split(",")]
    names = [name for name in names if name not in ("", "identity")]
    if len(names) > MOST_LAYERS or any(name not in _LAYERS for name in names):
        raise NotUnpacked(coding)
    return [_LAYERS[name](most) for name in reversed(names)]


def unpacked(layers: list[Layer], data: bytes) -> Iterator[bytes]:
    """What these bytes hold below all layers. Raises: NotUnpacked, TooMuch."""
    if not layers:
        yield data
        return
    first, *others = layers
    for piece in first.unpacked(data):
        first.left -= len(piece)
        if first.left < 0:
            raise TooMuch
        yield from unpacked(others, piece)


def end(layers: list[Layer]) -> None:
    """The body is over. Raises: NotUnpacked, when it is not whole."""
    for layer in layers:
        layer.end()
