"""Packed bodies: in whatever pieces they come, in bounded pieces they go."""

from __future__ import annotations

import gzip
import time
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etamil_actors.resources.web.unpacking import (
    MOST_MEMBERS,
    PIECE,
    NotUnpacked,
    TooMuch,
    end,
    layers_of,
    unpacked,
)


def bare(data: bytes) -> bytes:
    maker = zlib.compressobj(wbits=-15)
    return maker.compress(data) + maker.flush()


PACKERS = {"gzip": gzip.compress, "x-gzip": gzip.compress, "deflate": zlib.compress}


def unpack(coding: str, data: bytes, step: int = 7) -> bytes:
    """Unpack what comes in pieces of ``step`` bytes."""
    layers = layers_of(coding)
    pieces = []
    for start in range(0, len(data), step):
        pieces += unpacked(layers, data[start : start + step])
    end(layers)
    assert all(0 < len(piece) <= PIECE for piece in pieces)
    return b"".join(pieces)


@given(st.lists(st.sampled_from(sorted(PACKERS)), max_size=3), st.binary(max_size=300), st.integers(1, 50))
def test_what_was_packed_comes_out(codings: list[str], data: bytes, step: int) -> None:
    packed = data
    for coding in codings:
        packed = PACKERS[coding](packed)
    assert unpack(", ".join(codings), packed, step) == data


@given(st.binary(max_size=2000), st.integers(1, 50))
def test_bare_deflate_is_read_too(data: bytes, step: int) -> None:
    assert unpack("deflate", bare(data), step) == data


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=4), st.integers(1, 20), st.integers(0, 20))
def test_members_follow_each_other_and_zeros_may_follow_them(parts: list[bytes], step: int, zeros: int) -> None:
    packed = b"".join(map(gzip.compress, parts)) + b"\0" * zeros
    assert unpack("gzip", packed, step) == b"".join(parts)


@pytest.mark.parametrize("size", (PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 1_000_000))
def test_pieces_are_bounded_whatever_the_size(size: int) -> None:
    for coding, pack in PACKERS.items():
        assert unpack(coding, pack(b"x" * size), 65_536) == b"x" * size


def test_members_that_hold_nothing_are_not_read_for_ever() -> None:
    assert unpack("gzip", gzip.compress(b"") * MOST_MEMBERS, 65_536) == b""
    with pytest.raises(NotUnpacked):
        unpack("gzip", gzip.compress(b"") * (MOST_MEMBERS + 1), 65_536)


def test_what_is_huge_in_between_and_nothing_in_the_end_is_too_much() -> None:
    inner = b"".join(gzip.compress(b"") for _ in range(1_000)) + b"\0" * 1_000_000
    layers = layers_of("gzip, gzip", 1_000_000)
    with pytest.raises(TooMuch):
        list(unpacked(layers, gzip.compress(inner)))


def test_what_follows_the_end_of_deflate_costs_nothing() -> None:
    layers = layers_of("deflate")
    assert b"".join(unpacked(layers, zlib.compress(b"all of it"))) == b"all of it"
    begin = time.process_time()
    for _ in range(1_000):
        assert not list(unpacked(layers, b"x" * PIECE))
    assert time.process_time() - begin < 1.0  # it takes 30 s where the library keeps it
    end(layers)


@given(st.binary(min_size=1, max_size=200), st.data())
def test_what_is_cut_off_is_noticed(data: bytes, draw: st.DataObject) -> None:
    for coding, pack in PACKERS.items():
        packed = pack(data)
        cut = draw.draw(st.integers(1, len(packed) - 1))
        with pytest.raises(NotUnpacked):
            unpack(coding, packed[:cut])


@given(st.binary(max_size=100), st.sampled_from(("gzip", "deflate")))
def test_nothing_else_than_the_error_comes_of_rubbish(data: bytes, coding: str) -> None:
    try:
        unpack(coding, data)
    except NotUnpacked:
        pass


@pytest.mark.parametrize("coding", ("br", "zstd", "compress", "gzip, br", "gzip, gzip, gzip, gzip"))
def test_what_nobody_has_asked_for_is_refused(coding: str) -> None:
    with pytest.raises(NotUnpacked):
        layers_of(coding)


@pytest.mark.parametrize("coding", ("", "identity", " , identity,"))
def test_what_is_not_packed_stays_as_it_is(coding: str) -> None:
    assert unpack(coding, b"as it is") == b"as it is"
