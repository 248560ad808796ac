"""RESP2 without a server: whole replies, replies in pieces, and what is none."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etamil_actors.ports.redis import Changes, RedisError, Reply, is_refused
from etamil_actors.resources.redis.wire import LONGEST_LINE, MOST_DEEP, Reader, Waiting, WireError, encoded

MOST = 1_000_000


def written(reply: Reply) -> bytes:
    """As a server sends it."""
    match reply:
        case None:
            return b"$-1\r\n"
        case RedisError():
            return b"-%b\r\n" % str(reply).encode()
        case int():
            return b":%d\r\n" % reply
        case bytes():
            return b"$%d\r\n%b\r\n" % (len(reply), reply)
        case list():
            return b"*%d\r\n%b" % (len(reply), b"".join(map(written, reply)))


def read(data: bytes, most: int = MOST) -> Reply | Waiting:
    reader = Reader(most)
    reader.feed(data)
    return reader.reply()


LINES = st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=20)
PARTS = st.none() | st.integers(-(2**63), 2**63 - 1) | st.binary(max_size=40) | LINES.map(RedisError)
REPLIES = st.recursive(PARTS, lambda inner: st.lists(inner, max_size=5), max_leaves=20)


@pytest.mark.parametrize(
    ("parts", "data"),
    [
        (["GET", "k"], b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"),
        (["SET", "அ", b"\r\n\x00"], b"*3\r\n$3\r\nSET\r\n$3\r\n\xe0\xae\x85\r\n$3\r\n\r\n\x00\r\n"),
        (["X", -12, ""], b"*3\r\n$1\r\nX\r\n$3\r\n-12\r\n$0\r\n\r\n"),
    ],
)
def test_how_a_command_travels(parts: list[str | bytes | int], data: bytes) -> None:
    assert encoded(parts) == data


def test_simple_texts_and_the_other_nothing() -> None:
    assert read(b"+OK\r\n") == b"OK"
    assert read(b"+\r\n") == b""
    assert read(b"*-1\r\n") is None
    assert read(b"*0\r\n") == []
    assert read(b"*2\r\n*0\r\n*1\r\n*0\r\n") == [[], [[]]]


@given(st.lists(REPLIES, min_size=1, max_size=4), st.lists(st.integers(0, 400), max_size=8))
def test_replies_are_the_same_in_whatever_pieces_they_come(replies: list[Reply], cuts: list[int]) -> None:
    data = b"".join(map(written, replies))
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    reader, found = Reader(MOST), []
    for begin, end in pairwise(places):
        reader.feed(data[begin:end])
        while not isinstance(reply := reader.reply(), Waiting):
            found.append(reply)
    assert found == replies
    assert reader.is_empty


@given(REPLIES)
def test_half_a_reply_is_waited_for(reply: Reply) -> None:
    data = written(reply)
    for end in range(len(data)):
        assert isinstance(read(data[:end]), Waiting)


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\n",
        b"\r\n",
        b"$x\r\n",
        b"$\r\n",
        b"$-2\r\n",
        b"*-2\r\n",
        b"$+3\r\nabc\r\n",
        b"$3\r\nabcd\r\n",
        b"$1000001\r\n",
        b"*1000000\r\n",
        b"*99999999999999999999\r\n",
        b"*999999999999999999999\r\n",
        b":1.5\r\n",
        b":\r\n",
        b":--1\r\n",
        b"%1\r\n+a\r\n+b\r\n",
        b"_\r\n",
        b"*1\r\n" * (MOST_DEEP + 1),
        b"+" + b"x" * (LONGEST_LINE + 2),
    ],
)
def test_what_is_no_reply_is_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        read(data)


def test_a_reply_is_bounded_as_a_whole() -> None:
    many = b"*9\r\n" + b"$100\r\n%b\r\n" % (b"x" * 100) * 9
    assert len(read(many, 2000)) == 9  # type: ignore[arg-type]
    with pytest.raises(WireError):
        read(many, 1000)
    with pytest.raises(WireError):
        read(b"*3\r\n" + b"*5\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n" * 3, 1000)


@pytest.mark.parametrize("part", [b"+\r\n", b"-\r\n", b"$-1\r\n", b"*-1\r\n", b"*0\r\n", b"$0\r\n\r\n"])
def test_what_is_empty_takes_room_too(part: bytes) -> None:
    small = b"*8\r\n" + part * 8
    assert len(read(small, 1000)) == 8  # type: ignore[arg-type]
    with pytest.raises(WireError):
        read(b"*8\r\n" + small * 8, 1000)


def test_the_next_reply_has_the_whole_room_again() -> None:
    reader = Reader(1000)
    for _ in range(5):
        reader.feed(b"$900\r\n%b\r\n" % (b"x" * 900))
        assert reader.reply() == b"x" * 900


@settings(max_examples=300)
@given(st.lists(REPLIES, min_size=1, max_size=3), st.randoms(use_true_random=False))
def test_whatever_comes_is_a_reply_or_refused(replies: list[Reply], random) -> None:  # type: ignore[no-untyped-def]
    data = bytearray(b"".join(map(written, replies)))
    for _ in range(random.randrange(4)):
        place = random.randrange(len(data))
        match random.randrange(3):
            case 0:
                data[place] = random.choice(b"$*:+-\r\n0129\xff")
            case 1:
                del data[place : place + random.randrange(5)]
            case 2:
                data[place:place] = bytes(random.choice(b"$*:+-\r\n019") for _ in range(random.randrange(4)))
        if not data:
            return
    reader = Reader(10_000)
    reader.feed(data)
    try:
        while not isinstance(reader.reply(), Waiting):
            pass
    except WireError:
        pass


def test_which_commands_belong_to_a_connection() -> None:
    changes = Changes()
    changes.sent(["GET", "select"])
    changes.sent([])
    assert not changes.any
    changes.sent(["multi"])
    changes.succeeded(["SET", "exec", 1])
    assert changes.any
    changes.succeeded(["exec"])
    assert not changes.any
    changes.sent([b"SELECT", 3])
    changes.succeeded([b"EXEC"])
    assert changes.any
    assert is_refused(["subscribe", "x"]) and is_refused([b"Client", "reply", "off"])
    assert not is_refused(["CLIENT", "ID"]) and not is_refused(["PUBLISH", "x", "y"]) and not is_refused([])
