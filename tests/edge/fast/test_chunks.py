"""The reader of chunks: by example, against a writer of chunks, and cut at every place."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etamil_actors.edge.fast.chunked import MAX_LINE, ChunkError, Chunks


def read(*parts: bytes, max_extra: int = 1000) -> tuple[bytes, bytes, bool]:
    """Give it the parts as they come; the body, what is left over, and whether it is over."""
    chunks = Chunks(max_extra)
    body = rest = b""
    for part in parts:
        piece, rest = chunks.take(rest + part)
        body += piece
    return body, rest, chunks.is_over


@pytest.mark.parametrize(("wire", "body", "rest"), [
    (b"0\r\n\r\n", b"", b""),
    (b"3\r\nabc\r\n0\r\n\r\nGET", b"abc", b"GET"),
    (b"A\r\n0123456789\r\n00000\r\n\r\n", b"0123456789", b""),
    (b"000000000000001\r\na\r\n0\r\n\r\n\r\n", b"a", b"\r\n"),
    (b"2\r\n\r\n\r\n0\r\n\r\n", b"\r\n", b""),
    (b"1;a\r\nx\r\n1 ; a = b\r\ny\r\n1;a=\"\\\"\xff;\";c\r\nz\r\n0;e\r\n\r\n", b"xyz", b""),
    (b"1\r\nx\r\n0\r\nA: b\r\nC: \xff\r\n\r\n.", b"x", b"."),
])  # fmt: skip
def test_chunks_become_the_body(wire: bytes, body: bytes, rest: bytes) -> None:
    assert read(wire) == (body, rest, True)
    assert read(*(wire[at : at + 1] for at in range(len(wire) - len(rest)))) == (body, b"", True)


@pytest.mark.parametrize("wire", [
    b"\r\n",
    b"g\r\n",
    b"-1\r\n",
    b"+1\r\n",
    b"0x1\r\n",
    b"1_0\r\n",
    b" 1\r\n",
    b"1 \r\n",
    b"1\n",
    b"1\r\r\n",
    b"1\n\n",
    b"0000000000000001\r\n",
    b"ffffffffffffffff\r\n",
    b"1;\r\n",
    b"1;=b\r\n",
    b"1;a=\r\n",
    b"1;a=\"b\r\n",
    b"1;a\0\r\n",
    b"1;a=b c\r\n",
    b"1,a\r\n",
    b"1;a\nx\r\n",
    b"1\r\nab\r\n",
    b"1\r\na\n",
    b"1\r\na\r\r\n",
    b"1\r\na0\r\n\r\n",
    b"1\r\na\r0",
    b"1;" + b"a" * MAX_LINE,
    b"1" + b";a" * MAX_LINE + b"\r\n",
    b"0\r\nx\r\n",
    b"0\r\n x: y\r\n",
    b"0\r\nx : y\r\n",
    b"0\r\nx: y\n",
    b"0\r\nx: \0\r\n",
    b"0\r\nx: y\r\n z\r\n",
    b"0\r\nx: " + b"y" * 1000 + b"\r\n",
    b"0\r\n" + b"x: y\r\n" * 200,
    b"1;abcdefgh\r\na\r\n" * 200,
])  # fmt: skip
def test_what_is_no_chunks_is_refused(wire: bytes) -> None:
    with pytest.raises(ChunkError):
        read(wire)
    with pytest.raises(ChunkError):
        read(*(wire[at : at + 1] for at in range(len(wire))))


def test_a_line_that_does_not_end_is_kept_only_so_long() -> None:
    chunks = Chunks(1000)
    rest = b""
    with pytest.raises(ChunkError):
        for _ in range(10_000):
            _, rest = chunks.take(rest + b"1")
            assert len(rest) < MAX_LINE


tokens = st.text("abcXYZ019-_.", min_size=1, max_size=8).map(str.encode)
quoted = st.text(" abc;=,\r\n", max_size=8).map(lambda text: text.replace("\r", "").replace("\n", "").encode())
extensions = st.one_of(
    st.just(b""),
    tokens.map(lambda name: b";" + name),
    st.tuples(tokens, tokens).map(lambda pair: b"; %b = %b" % pair),
    st.tuples(tokens, quoted).map(lambda pair: b';%b="%b"' % pair),
)


@given(
    pieces=st.lists(st.tuples(st.binary(min_size=1, max_size=300), extensions, st.booleans()), max_size=8),
    trailers=st.lists(tokens, max_size=3),
    behind=st.binary(max_size=20),
    cuts=st.lists(st.integers(0, 4000), max_size=12),
)
@settings(max_examples=300, deadline=None)
def test_however_it_is_cut_the_body_is_what_was_sent(
    pieces: list[tuple[bytes, bytes, bool]], trailers: list[bytes], behind: bytes, cuts: list[int]
) -> None:
    wire = b"".join(
        (b"%X%b\r\n%b\r\n" if is_upper else b"%x%b\r\n%b\r\n") % (len(piece), extension, piece)
        for piece, extension, is_upper in pieces
    )
    wire += b"0\r\n" + b"".join(b"%b: x\r\n" % name for name in trailers) + b"\r\n"
    end = len(wire)
    wire += behind
    places = sorted({0, len(wire), *(cut % (len(wire) + 1) for cut in cuts)})
    parts = [wire[a:b] for a, b in pairwise(places)]
    assert read(*parts) == (b"".join(piece for piece, _, _ in pieces), wire[end:], True)


@given(st.binary(max_size=60), st.integers(0, 60))
@settings(max_examples=500, deadline=None)
def test_anything_cut_in_two_is_read_like_the_whole(wire: bytes, cut: int) -> None:
    def verdict(*parts: bytes) -> object:
        try:
            return read(*parts)
        except ChunkError:
            return "refused"

    assert verdict(wire[:cut], wire[cut:]) == verdict(wire)
