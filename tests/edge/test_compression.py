"""Which coding a client takes, and which answers are compressed."""

from __future__ import annotations

import gzip

import pytest

from etamil_actors.actors.programs.exchange import Headers
from etamil_actors.edge.compression import (
    INLINE,
    WORTH,
    accept_encoding,
    compress,
    compress_nowait,
    gzipped,
    ranking,
    varied,
)
from etamil_actors.edge.exchange import FileBody, Outgoing

OFFERED = ("br", "gzip", "identity")
TEXT = "வணக்கம் ".encode() * 200
HTML: Headers = [(b"content-type", b"text/html; charset=utf-8"), (b"etag", b'"1"')]
TAKES: Headers = [(b"accept-encoding", b"gzip, deflate, br")]


@pytest.mark.parametrize(("value", "expected"), [
    (None, ["identity"]),
    (b"", ["identity"]),
    (b"gzip", ["gzip", "identity"]),
    (b"gzip, deflate, br, zstd", ["br", "gzip", "identity"]),
    (b"x-gzip", ["gzip", "identity"]),
    (b"GZIP;Q=0.5, br;q=0.9", ["br", "gzip", "identity"]),
    (b"gzip;q=0.5, identity", ["identity", "gzip"]),
    (b"gzip; q=0.001 ,identity;q=0", ["gzip"]),
    (b"gzip;q=0", ["identity"]),
    (b"*", ["br", "gzip", "identity"]),
    (b"*;q=0", []),
    (b"*;q=0, gzip", ["gzip"]),
    (b"identity;q=0", []),
    (b"gzip;q=2, br;q=-1, x y, deflate;level=3", ["identity"]),
    (b"gzip;q=1.000, br;q=1.0001", ["gzip", "identity"]),
])  # fmt: skip
def test_codings_are_ranked_by_what_the_client_says(value: bytes | None, expected: list[str]) -> None:
    assert ranking(value, OFFERED) == expected


def test_repeated_fields_are_one_list() -> None:
    fields = [(b"accept-encoding", b"br"), (b"host", b"x"), (b"accept-encoding", b"gzip;q=0")]
    assert ranking(accept_encoding(fields), OFFERED) == ["br", "identity"]


def test_a_text_is_compressed_and_its_tag_becomes_weak() -> None:
    done = compress_nowait(Outgoing(200, [*HTML, (b"x-mine", b"1")], TEXT), TAKES)
    assert done is not None and isinstance(done.body, bytes)
    assert gzip.decompress(done.body) == TEXT
    assert done.length == len(done.body) < len(TEXT)
    assert dict(done.headers) == {
        b"content-type": b"text/html; charset=utf-8",
        b"etag": b'W/"1"',
        b"x-mine": b"1",
        b"content-encoding": b"gzip",
        b"vary": b"Accept-Encoding",
    }


def test_who_does_not_take_it_gets_the_text_and_caches_are_told() -> None:
    done = compress_nowait(Outgoing(200, list(HTML), TEXT, closes=True), [])
    assert done is not None and done.body == TEXT and done.closes
    assert dict(done.headers) == {**dict(HTML), b"vary": b"Accept-Encoding"}


@pytest.mark.parametrize(("status", "headers", "body"), [
    (200, HTML, TEXT[: WORTH - 1]),
    (200, [(b"content-type", b"image/png")], TEXT),
    (200, [], TEXT),
    (200, [*HTML, (b"Content-Encoding", b"br")], TEXT),
    (200, [*HTML, (b"cache-control", b"public, No-Transform")], TEXT),
    (206, [*HTML, (b"content-range", b"bytes 0-1/2")], TEXT),
    (200, [(b"content-type", b"text/event-stream")], TEXT),
    (204, HTML, b""),
    (304, HTML, b""),
])  # fmt: skip
def test_what_must_not_or_need_not_be_compressed_stays(status: int, headers: Headers, body: bytes) -> None:
    outgoing = Outgoing(status, list(headers), body)
    assert compress_nowait(outgoing, TAKES) is outgoing
    assert (outgoing.headers, outgoing.body) == (headers, body)


def test_a_file_is_left_to_whoever_opened_it() -> None:
    outgoing = Outgoing(200, list(HTML), FileBody(None, 0, 5000))
    assert compress_nowait(outgoing, TAKES) is outgoing


def test_who_takes_nothing_but_gzip_gets_gzip() -> None:
    fields = [(b"accept-encoding", b"gzip, identity;q=0")]
    done = compress_nowait(Outgoing(200, [(b"content-type", b"image/png")], b"few"), fields)
    assert done is not None and isinstance(done.body, bytes) and gzip.decompress(done.body) == b"few"


def test_an_answer_without_its_body_says_what_the_one_with_it_says() -> None:
    told = Outgoing(200, list(HTML), b"")
    told.length = len(TEXT)
    done = compress_nowait(told, TAKES)
    whole = compress_nowait(Outgoing(200, list(HTML), TEXT), TAKES)
    assert done is not None and whole is not None
    assert (done.headers, done.body, done.length) == (whole.headers, b"", None)


async def test_a_long_body_is_compressed_in_a_thread() -> None:
    body = TEXT * (INLINE // len(TEXT) + 1)
    outgoing = Outgoing(200, list(HTML), body)
    assert compress_nowait(outgoing, TAKES) is None
    done = await compress(outgoing, TAKES)
    assert isinstance(done.body, bytes) and gzip.decompress(done.body) == body
    # Asked twice, it still says everything once.
    assert [name for name, _ in done.headers].count(b"vary") == 1


@pytest.mark.parametrize(("headers", "value"), [
    ([], b"Accept-Encoding"),
    ([(b"Vary", b"Accept-Language")], b"Accept-Language, Accept-Encoding"),
    ([(b"vary", b"Origin"), (b"vary", b"Cookie")], b"Origin, Cookie, Accept-Encoding"),
    ([(b"vary", b"Origin, accept-encoding")], b"Origin, accept-encoding"),
    ([(b"vary", b"*")], b"*"),
])  # fmt: skip
def test_names_in_vary_stand_once_and_in_one_field(headers: Headers, value: bytes) -> None:
    assert [one for name, one in varied(headers) if name.lower() == b"vary"] == [value]


def test_the_same_data_gives_the_same_bytes() -> None:
    assert gzipped(TEXT) == gzipped(TEXT)
    assert gzipped(TEXT)[4:8] == b"\0\0\0\0", "no time in the frame"
