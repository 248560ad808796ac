"""The reader of heads by example: what it takes apart, and everything it refuses, one row each."""

from __future__ import annotations

from time import perf_counter

import pytest

from etamil_actors.edge.fast.head import HeadError, blank_bytes, check_start, read_head
from etamil_actors.edge.settings import HttpSettings

SETTINGS = HttpSettings()
HOST = b"Host: a\r\n"


def head(fields: bytes, line: bytes = b"POST / HTTP/1.1\r\n") -> bytes:
    return line + fields + b"\r\n"


def refusal(raw: bytes) -> HeadError:
    with pytest.raises(HeadError) as caught:
        read_head(raw, SETTINGS)
    return caught.value


# ---------------------------------------------------------------- what is read


def test_a_head_is_taken_apart() -> None:
    found = read_head(b"PUT /a?b#c HTTP/1.1\r\nHOST: a:1\r\nX-Y:\t z \t\r\nE:\r\nO: \x80\xff\r\n\r\n", SETTINGS)
    assert (found.method, found.target, found.version) == ("PUT", b"/a?b#c", "1.1")
    assert found.fields == [(b"host", b"a:1"), (b"x-y", b"z"), (b"e", b""), (b"o", b"\x80\xff")]
    assert (found.length, found.is_chunked, found.closes, found.expects, found.upgrades) == (0, False, False, False, False)


@pytest.mark.parametrize("target", [b"/", b"*", b"/%E0%AE%85?x=y&z", b"http://a/b", b"/a|b{c}^`\"<>\\", b"/a//b;c=d"])
def test_targets_come_as_they_were_sent(target: bytes) -> None:
    assert read_head(b"OPTIONS %b HTTP/1.1\r\nHost: a\r\n\r\n" % target, SETTINGS).target == target


@pytest.mark.parametrize("host", [b"", b"a", b"a.b:80", b"127.0.0.1:", b"[::1]:8080", b"a_b", b"xn--abc", b"%E0%AE%85"])
def test_hosts_of_all_forms_are_taken(host: bytes) -> None:
    assert read_head(head(b"Host: " + host + b"\r\n"), SETTINGS).fields == [(b"host", host)]


@pytest.mark.parametrize(("fields", "length", "is_chunked"), [
    (b"", 0, False),
    (b"Content-Length: 0\r\n", 0, False),
    (b"Content-Length: 007\r\n", 7, False),
    (b"content-length:999999999999999999\r\n", 999_999_999_999_999_999, False),
    (b"Transfer-Encoding: chunked\r\n", 0, True),
    (b"transfer-encoding:  Chunked \r\n", 0, True),
])  # fmt: skip
def test_the_length_of_a_body_is_said_in_one_way(fields: bytes, length: int, is_chunked: bool) -> None:
    found = read_head(head(HOST + fields), SETTINGS)
    assert (found.length, found.is_chunked) == (length, is_chunked)


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(("raw", "status"), [
    # lengths
    (head(HOST + b"Content-Length: 3\r\nContent-Length: 3\r\n"), 400),
    (head(HOST + b"Content-Length: 3\r\nContent-Length: 4\r\n"), 400),
    (head(HOST + b"Content-Length: 3, 3\r\n"), 400),
    (head(HOST + b"Content-Length: +3\r\n"), 400),
    (head(HOST + b"Content-Length: -3\r\n"), 400),
    (head(HOST + b"Content-Length: 3.0\r\n"), 400),
    (head(HOST + b"Content-Length: 0x3\r\n"), 400),
    (head(HOST + b"Content-Length: 1_0\r\n"), 400),
    (head(HOST + b"Content-Length: 1 0\r\n"), 400),
    (head(HOST + b"Content-Length: \xb2\r\n"), 400),
    (head(HOST + b"Content-Length:\r\n"), 400),
    (head(HOST + b"Content-Length: 9999999999999999999\r\n"), 400),
    # length and chunks
    (head(HOST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), 400),
    (head(HOST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"), 400),
    (head(HOST + b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"), 400),
    # codings
    (head(HOST + b"Transfer-Encoding: identity\r\n"), 501),
    (head(HOST + b"Transfer-Encoding: gzip, chunked\r\n"), 501),
    (head(HOST + b"Transfer-Encoding: chunked, identity\r\n"), 501),
    (head(HOST + b"Transfer-Encoding: chunked, chunked\r\n"), 501),
    (head(HOST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 501),
    (head(HOST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n"), 501),
    (head(HOST + b"Transfer-Encoding: xchunked\r\n"), 501),
    (head(HOST + b"Transfer-Encoding: chunked;q=1\r\n"), 501),
    (head(HOST + b"Transfer-Encoding: \"chunked\"\r\n"), 501),
    (head(HOST + b"Transfer-Encoding:\r\n"), 501),
    (head(HOST + b"Transfer-Encoding: \x0bchunked\r\n"), 400),
    (head(HOST + b"Transfer-Encoding: chunked\r\n", b"POST / HTTP/1.0\r\n"), 400),
    # spaces and lines
    (head(HOST + b"Content-Length : 3\r\n"), 400),
    (head(HOST + b"Transfer-Encoding : chunked\r\n"), 400),
    (head(HOST + b" Content-Length: 3\r\n"), 400),
    (head(HOST + b"X: y\r\n Content-Length: 3\r\n"), 400),
    (head(HOST + b"X: y\r\n\tz\r\n"), 400),
    (head(b" " + HOST), 400),
    (head(HOST + b"X: y\nContent-Length: 3\r\n"), 400),
    (head(HOST + b"X: y\rContent-Length: 3\r\n"), 400),
    (head(HOST + b"X: y\r\r\nContent-Length: 3\r\n"), 400),
    (head(HOST + b"X\r\n"), 400),
    (head(HOST + b": y\r\n"), 400),
    (head(HOST + b"X Y: y\r\n"), 400),
    (head(HOST + b"X\0: y\r\n"), 400),
    (head(HOST + b"X: \0\r\n"), 400),
    (head(HOST + b"X: \x7f\r\n"), 400),
    (head(HOST + b"X: \x1b[2J\r\n"), 400),
    (head(HOST + b"\xe0\xae\x85: y\r\n"), 400),
    (head(HOST + b"X(Y): y\r\n"), 400),
    # hosts
    (head(b""), 400),
    (head(HOST + HOST), 400),
    (head(HOST + HOST, b"POST / HTTP/1.0\r\n"), 400),
    (head(b"Host: a b\r\n"), 400),
    (head(b"Host: a, b\r\n"), 400),
    (head(b"Host: a/b\r\n"), 400),
    (head(b"Host: a@b\r\n"), 400),
    (head(b"Host: a:b\r\n"), 400),
    (head(b"Host: a:123456\r\n"), 400),
    (head(b"Host: [::1\r\n"), 400),
    (head(b"Host: \xe0\xae\x85\r\n"), 400),
    # expectations
    (head(HOST + b"Expect: 200-ok\r\n"), 417),
    (head(HOST + b"Expect: 100-continue, x\r\n"), 417),
    # first lines
    (head(HOST, b"POST  / HTTP/1.1\r\n"), 400),
    (head(HOST, b"POST /  HTTP/1.1\r\n"), 400),
    (head(HOST, b"POST / a HTTP/1.1\r\n"), 400),
    (head(HOST, b"POST\t/ HTTP/1.1\r\n"), 400),
    (head(HOST, b" POST / HTTP/1.1\r\n"), 400),
    (head(HOST, b"POST / HTTP/1.1 \r\n"), 400),
    (head(HOST, b"POST /\x00 HTTP/1.1\r\n"), 400),
    (head(HOST, b"POST /\x7f HTTP/1.1\r\n"), 400),
    (head(HOST, b"P(ST / HTTP/1.1\r\n"), 400),
    (head(HOST, b"POST HTTP/1.1\r\n"), 400),
    (head(HOST, b"POST /\r\n"), 400),
    (head(HOST, b"POST / http/1.1\r\n"), 400),
    (head(HOST, b"POST / HTTP/1.11\r\n"), 400),
    (head(HOST, b"POST / HTTP/1.1\n"), 400),
    (head(HOST, b"POST / HTTP/1.1\r"), 400),
    (head(HOST, b"POST / HTTP/1.2\r\n"), 505),
    (head(HOST, b"POST / HTTP/0.9\r\n"), 505),
    (head(HOST, b"POST / HTTP/2.0\r\n"), 505),
    (head(HOST, b"PRI * HTTP/2.0\r\n"), 505),
    (head(HOST, b"post / HTTP/1.1\r\n"), 501),
    (head(HOST, b"WINDOW / HTTP/1.1\r\n"), 501),
    (head(HOST, b"POSTS / HTTP/1.1\r\n"), 501),
    (head(HOST, b"CONNECT a:80 HTTP/1.1\r\n"), 501),
    (b"\r\n", 400),
])  # fmt: skip
def test_what_can_be_read_in_two_ways_or_none_is_refused(raw: bytes, status: int) -> None:
    assert refusal(raw).status == status


def test_a_length_beside_chunks_is_refused_for_that_reason() -> None:
    for fields in (b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", b"Content-Length: 3\r\n" * 2):
        assert "length of the body" in refusal(head(HOST + fields)).english


@pytest.mark.parametrize(("target", "host", "is_one"), [
    (b"http://a/b", b"a", True),
    (b"http://a", b"A", True),
    (b"HTTP://A:80/b", b"a", True),
    (b"http://a?x=http://b", b"a", True),
    (b"https://a/b", b"a:443", True),
    (b"http://a:8080/b", b"a:8080", True),
    (b"http://[::1]:80/b", b"[::1]", True),
    (b"http://b/b", b"a", False),
    (b"http://a:8080/b", b"a", False),
    (b"http://a:443/b", b"a", False),
    (b"http://x@a/b", b"a", False),
    (b"http:///b", b"a", False),
])  # fmt: skip
def test_an_address_with_a_host_names_that_of_the_field(target: bytes, host: bytes, is_one: bool) -> None:
    raw = b"GET %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (target, host)
    if is_one:
        assert read_head(raw, SETTINGS).target == target
    else:
        assert refusal(raw).status == 400


def test_letters_in_an_address_are_refused_with_the_address_to_use() -> None:
    error = refusal("GET /கொள்முதல்?x=அ&y=%20 HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert error.status == 400
    assert error.extra == {
        "url": "/%E0%AE%95%E0%AF%8A%E0%AE%B3%E0%AF%8D%E0%AE%AE%E0%AF%81%E0%AE%A4%E0%AE%B2%E0%AF%8D"
        "?x=%E0%AE%85&y=%20"
    }
    assert "percent-encoded" in error.english
    assert "சதவீத" in error.tamil


def test_a_refusal_names_the_line_of_the_header() -> None:
    assert "header line 2 " in refusal(head(HOST + b"X Y: z\r\n")).english
    assert "header line 3 " in refusal(head(HOST + b"X: y\r\n z\r\n")).english


# ---------------------------------------------------------------- what has not come whole


@pytest.mark.parametrize(("start", "status"), [
    (b"\x16\x03\x01\x02", 400),
    (b"\0", 400),
    (b"\xff", 400),
    (b"GET / HTTP/1.1\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\nX", 400),
    (b"GET / HTTP/1.1\r\nHost: a\rX", 400),
    (b"GET /\r\n", 400),
    (b"hello\r\n", 400),
    (b"GET / HTTP/3.0\r\n", 505),
    ("GET /அ HTTP/1.1\r\n".encode(), 400),
    (b"GET /" + b"a" * 9000, 414),
    (b"GET / HTTP/1.1\r\nX: " + b"y" * 17_000, 431),
])  # fmt: skip
def test_what_cannot_become_a_head_is_refused_before_its_end(start: bytes, status: int) -> None:
    with pytest.raises(HeadError) as caught:
        check_start(start, 0, SETTINGS)
    assert caught.value.status == status


def test_every_beginning_of_a_head_may_become_one() -> None:
    for whole in (b"DELETE /a HTTP/1.0\r\nHost: a\r\nX: \xff\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\n"):
        for end in range(1, len(whole)):
            check_start(whole[:end], 0, SETTINGS)
            check_start(bytearray(whole[:end]), end - 1, SETTINGS)


def test_empty_lines_in_front_are_whole_and_few() -> None:
    assert [blank_bytes(data) for data in (b"GET", b"\r", b"\r\n", b"\r\nG", b"\r\n\r", b"\r\n\r\nG")] == [0, 1, 2, 2, 3, 4]
    for data in (b"\n", b"\nG", b"\rG", b"\r\n\nG", b"\r\n\rG", b"\r\n\r\n\r", b"\r\n\r\n\r\nG"):
        with pytest.raises(HeadError):
            blank_bytes(data)


@pytest.mark.parametrize("hard", [
    b"GET / HTTP/1.1\r\n" + b"a" * 16_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"a:" * 8_000 + b"\0\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"a: \r\n" * 3_000 + b"\0\r\n\r\n",
    b"a" * 16_000 + b"\r\n\r\n",
    b"GET " + b"/" * 16_000 + b"\r\n\r\n",
])  # fmt: skip
def test_no_head_takes_long_to_refuse(hard: bytes) -> None:
    """Reading it a thousand times takes a second or two at most when the time is linear, else minutes."""
    began = perf_counter()
    for _ in range(1000):
        with pytest.raises(HeadError):
            read_head(hard, SETTINGS)
    assert perf_counter() - began < 30
