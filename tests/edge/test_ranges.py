"""Parts of a body, by example and against a reader that takes every byte by itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etamil_actors.edge.ranges import (
    ASKED,
    PARTS,
    Span,
    content_range,
    length_of,
    multipart,
    spans_of,
    unsatisfied,
)


def spans(*pairs: tuple[int, int]) -> tuple[Span, ...]:
    return tuple(Span(start, length) for start, length in pairs)


@pytest.mark.parametrize(("value", "expected"), [
    (b"bytes=0-499", spans((0, 500))),
    (b"bytes=500-", spans((500, 500))),
    (b"bytes=-500", spans((500, 500))),
    (b"bytes=-5000", spans((0, 1000))),
    (b"bytes=999-5000", spans((999, 1))),
    (b"BYTES = 0-0", spans((0, 1))),
    (b"bytes=0-0,-1", spans((0, 1), (999, 1))),
    (b"bytes= 0-0 ,, 2-2 ", spans((0, 1), (2, 1))),
    (b"bytes=0-99999999999999999999999999999", spans((0, 1000))),
    (b"bytes=000-0001", spans((0, 2))),
    # put together, at the place of the first that was asked for
    (b"bytes=0-10,5-20", spans((0, 21))),
    (b"bytes=0-10,11-20", spans((0, 21))),
    (b"bytes=500-600,0-9,550-700", spans((500, 201), (0, 10))),
    (b"bytes=500-600,0-9", spans((500, 101), (0, 10))),
    # no such bytes
    (b"bytes=1000-", ()),
    (b"bytes=1000-2000,5000-", ()),
    (b"bytes=-0", ()),
    (b"bytes=99999999999999999999999-", ()),
    (b"bytes=5000-,0-0", spans((0, 1))),
    # counts for nothing
    (b"", None), (b"bytes", None), (b"bytes=", None), (b"bytes=,", None), (b"bytes=-", None),
    (b"bytes=a-b", None), (b"bytes=5-4", None), (b"bytes=0-1,x", None), (b"items=0-1", None),
    (b"bytes=0 - 1", None), (b"bytes=+1-2", None), (b"bytes=0-1-2", None), (b"bytes=0x1-2", None),
    ("bytes=௧-௨".encode(), None), (b"bytes=0-1\n", None),
])  # fmt: skip
def test_parts_of_a_thousand_bytes(value: bytes, expected: tuple[Span, ...] | None) -> None:
    assert spans_of(value, 1000) == expected


def test_nothing_has_no_parts() -> None:
    assert spans_of(b"bytes=0-", 0) == ()
    assert spans_of(b"bytes=-0", 0) == ()
    assert spans_of(b"bytes=-5", 0) is None


def test_who_asks_for_too_many_parts_gets_the_whole() -> None:
    some = b"bytes=" + b",".join(b"%d-%d" % (at, at) for at in range(0, PARTS * 2, 2))
    assert len(spans_of(some, 1000) or ()) == PARTS
    assert spans_of(some + b",900-", 1000) is None
    touching = b"bytes=" + b",".join(b"%d-%d" % (at, at) for at in range(ASKED))
    assert spans_of(touching, 1000) == spans((0, ASKED))
    assert spans_of(touching + b",900-", 1000) is None


Spec = tuple[int | None, int | None]


def naive(specs: list[Spec], size: int) -> tuple[Span, ...] | None:
    """Each byte by itself; runs of bytes are parts, at the place of the first who asked for one of them."""
    wanted: dict[int, int] = {}
    for place, (first, last) in enumerate(specs):
        if first is None:
            if last and not size:
                return None
            chosen = range(max(size - (last or 0), 0), size)
        elif last is not None and last < first:
            return None
        else:
            chosen = range(first, size if last is None else min(last + 1, size))
        for byte in chosen:
            wanted[byte] = min(wanted.get(byte, place), place)
    runs: list[list[int]] = []
    for byte in sorted(wanted):
        if runs and runs[-1][-1] == byte - 1:
            runs[-1].append(byte)
        else:
            runs.append([byte])
    runs.sort(key=lambda run: min(wanted[byte] for byte in run))
    found = tuple(Span(run[0], len(run)) for run in runs)
    return found if len(found) <= PARTS else None


SPECS = st.lists(
    st.tuples(st.none() | st.integers(0, 60), st.none() | st.integers(0, 60)).filter(lambda one: one != (None, None)),
    min_size=1,
    max_size=25,
)


@given(SPECS, st.integers(0, 50))
def test_the_reader_agrees_with_one_that_counts_bytes(specs: list[Spec], size: int) -> None:
    text = ",".join(f"{'' if first is None else first}-{'' if last is None else last}" for first, last in specs)
    assert spans_of(f"bytes={text}".encode(), size) == naive(specs, size)


@given(st.binary(max_size=80), st.integers(0, 10**6))
def test_no_bytes_make_the_reader_fail_or_leave_the_body(value: bytes, size: int) -> None:
    for given_value in (value, b"bytes=" + value):
        for span in spans_of(given_value, size) or ():
            assert 0 <= span.start < span.end <= size


def test_the_frame_around_several_parts() -> None:
    body = b"0123456789"
    pieces = multipart(spans((8, 2), (0, 3)), 10, b"text/plain", b"BORDER")
    told = b"".join(body[piece.start : piece.end] if isinstance(piece, Span) else piece for piece in pieces)
    assert told == (
        b"--BORDER\r\nContent-Type: text/plain\r\nContent-Range: bytes 8-9/10\r\n\r\n89"
        b"\r\n--BORDER\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-2/10\r\n\r\n012"
        b"\r\n--BORDER--\r\n"
    )
    assert length_of(pieces) == len(told)


def test_how_a_part_is_told() -> None:
    assert content_range(Span(0, 500), 1234) == b"bytes 0-499/1234"
    assert unsatisfied(1234) == b"bytes */1234"
