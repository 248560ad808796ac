"""Bodies within their limits, and forms from pieces of any length."""

from __future__ import annotations

import errno
import gc
import os
import threading
import tracemalloc
from collections.abc import Iterable
from dataclasses import replace
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from etamil_actors.actors.programs.exchange import PeerGoneError
from etamil_actors.edge import forms
from etamil_actors.edge.exchange import BodyError
from etamil_actors.edge.forms import (
    HEAD_BYTES,
    BodyBudget,
    Form,
    MultipartReader,
    PartEnd,
    PartHead,
    UploadFile,
    boundary_of,
    head_of,
    is_form,
    parse_urlencoded,
    read_body,
    read_form,
)
from etamil_actors.edge.settings import KIB, MIB, HttpSettings

SETTINGS = HttpSettings()
TYPE = b"multipart/form-data; boundary=X"


class Peer:
    """An exchange whose body comes in these pieces; an exception among them is raised."""

    def __init__(self, pieces: Iterable[bytes | Exception], length: int | None = None) -> None:
        self._pieces = iter(pieces)
        self.length = length
        self.has_body = True
        self.reads = 0

    async def read(self) -> bytes:
        await trio.lowlevel.checkpoint()
        self.reads += 1
        piece = next(self._pieces, b"")
        if isinstance(piece, Exception):
            raise piece
        return piece

    def sink(self) -> Any:
        raise NotImplementedError

    async def wait_gone(self) -> None:
        raise NotImplementedError


def part(head: str, content: bytes = b"") -> bytes:
    return b"--X\r\nContent-Disposition: form-data; " + head.encode() + b"\r\n\r\n" + content + b"\r\n"


def form_of(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--X--\r\n"


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


async def read(data: bytes, size: int = 64 * KIB, limit: int = MIB, **changes: Any) -> Form:
    budget = changes.pop("budget", None) or BodyBudget(10 * MIB)
    return await read_form(Peer(cut(data, size)), TYPE, limit, replace(SETTINGS, **changes), budget)


def bytes_of(upload: Any) -> bytes:
    return b"".join(upload.pieces())


async def refused(status: int, *given: Any, **changes: Any) -> BodyError:
    budget = changes.setdefault("budget", BodyBudget(10 * MIB))
    with pytest.raises(BodyError) as caught:
        await read(*given, **changes)
    assert caught.value.status == status, caught.value.english
    assert budget.used == 0
    assert any("஀" <= char <= "௿" for char in caught.value.tamil) and caught.value.english
    return caught.value


# ---------------------------------------------------------------- bodies


async def test_a_body_is_read_to_its_end_and_stays_counted() -> None:
    budget = BodyBudget(100)
    assert await read_body(Peer([b"ab", b"c"], 3), 3, budget) == b"abc"
    assert await read_body(Peer([b"de", b"f"]), 3, budget) == b"def"
    assert budget.used == 6
    budget.give(6)


async def test_without_a_body_nothing_is_read() -> None:
    peer = Peer([b"x"])
    peer.has_body = False
    assert await read_body(peer, 0, BodyBudget(0)) == b""
    assert peer.reads == 0


async def test_a_body_announced_as_too_large_is_refused_before_it_comes() -> None:
    budget = BodyBudget(100)
    peer = Peer([b"abcd"], 4)
    with pytest.raises(BodyError) as caught:
        await read_body(peer, 3, budget)
    assert (caught.value.status, peer.reads, budget.used) == (413, 0, 0)


async def test_a_body_that_grows_too_large_is_not_read_on() -> None:
    budget = BodyBudget(100)
    peer = Peer([b"ab", b"cd", b"ef"])
    with pytest.raises(BodyError) as caught:
        await read_body(peer, 3, budget)
    assert (caught.value.status, peer.reads, budget.used) == (413, 2, 0)


@pytest.mark.parametrize("length", [None, 4])
async def test_without_room_for_bodies_a_request_is_refused(length: int | None) -> None:
    budget = BodyBudget(5)
    budget.take(2)
    with pytest.raises(BodyError) as caught:
        await read_body(Peer([b"abc", b"d"], length), 10, budget)
    assert (caught.value.status, budget.used) == (503, 2)


@pytest.mark.parametrize("trouble", [PeerGoneError("gone"), BodyError(408, "தாமதம்", "slow")])
@pytest.mark.parametrize("length", [None, 10])
async def test_what_breaks_off_is_not_counted_any_more(trouble: Exception, length: int | None) -> None:
    budget = BodyBudget(100)
    with pytest.raises(type(trouble)):
        await read_body(Peer([b"abc", trouble], length), 10, budget)
    assert budget.used == 0


async def test_a_body_whose_reading_is_cancelled_is_not_counted_any_more() -> None:
    budget = BodyBudget(100)
    with trio.CancelScope() as scope:
        peer = Peer([b"abc"], 3)
        scope.cancel()
        await read_body(peer, 10, budget)
    assert scope.cancelled_caught and budget.used == 0


async def test_many_tiny_pieces_take_no_more_memory_than_their_bytes() -> None:
    peer = Peer(b"x" for _ in range(20_000))
    tracemalloc.start()
    try:
        assert len(await read_body(peer, MIB, BodyBudget(MIB))) == 20_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 150_000


# ---------------------------------------------------------------- url-encoded


async def test_an_url_encoded_form_is_read_like_a_query() -> None:
    budget = BodyBudget(1000)
    body = "a=1&b=x+y&பெயர்=%E0%AE%85&a=2&none&c=".encode()
    kind = b"Application/X-WWW-Form-Urlencoded; charset=UTF-8"
    with await read_form(Peer([body[:7], body[7:]]), kind, 100, SETTINGS, budget) as form:
        assert form.fields == [("a", "1"), ("b", "x y"), ("பெயர்", "அ"), ("a", "2"), ("c", "")]
        assert (form.body, form.uploads, budget.used) == (body, [], len(body))
    assert budget.used == 0


async def test_names_come_in_one_spelling_and_values_as_they_are() -> None:
    spelled = normalize("NFD", "கொள்முதல்")
    assert parse_urlencoded(f"{spelled}={spelled}".encode(), 10) == [(normalize("NFC", spelled), spelled)]


async def test_an_url_encoded_form_has_only_so_many_fields() -> None:
    budget = BodyBudget(1000)
    assert len(parse_urlencoded(b"&&&a=1&b==2&c=3&&d&e", 3)) == 3
    settings = replace(SETTINGS, form_fields=3)
    with pytest.raises(BodyError) as caught:
        await read_form(Peer([b"a=1&b=2&c=3&d=4"]), forms.URLENCODED.encode(), 100, settings, budget)
    assert (caught.value.status, budget.used) == (413, 0)


async def test_another_type_is_no_form() -> None:
    assert is_form(TYPE) and is_form(forms.URLENCODED.encode()) and not is_form(b"application/json")
    with pytest.raises(BodyError) as caught:
        await read_form(Peer([b"{}"]), b"application/json", 100, SETTINGS, BodyBudget(100))
    assert caught.value.status == 415


# ---------------------------------------------------------------- multipart: what is told

MIXED = form_of(
    part('name="பெயர்"', "கடை".encode()),
    part('name="file"; filename="அறிக்கை.txt"\r\nContent-Type: text/plain', b"line\r\n--not\r\n--\r\n"),
    part('name="empty"'),
    part('name="file"; filename="b.bin"', bytes(range(256))),
)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 100_000])
async def test_fields_and_files_are_read_from_pieces_of_any_length(size: int) -> None:
    with await read(MIXED, size) as form:
        assert form.fields == [("பெயர்", "கடை"), ("empty", "")]
        assert [(one.field, one.filename, one.kind, one.size) for one in form.uploads] == [
            ("file", "அறிக்கை.txt", "text/plain", 17),
            ("file", "b.bin", "application/octet-stream", 256),
        ]
        assert [bytes_of(one) for one in form.uploads] == [b"line\r\n--not\r\n--\r\n", bytes(range(256))]


def events(data: bytes, sizes: Iterable[int]) -> list[Any]:
    """What a reader tells, contents put together."""
    reader = MultipartReader(b"X")
    told: list[Any] = []
    at = 0
    for size in [*sizes, len(data)]:
        for event in reader.feed(data[at : at + size]):
            if isinstance(event, bytes) and told and isinstance(told[-1], bytes):
                told[-1] += event
            else:
                told.append(event)
        at += size
    reader.finish()
    return told


CONTENT = st.lists(
    st.sampled_from([b"\r", b"\n", b"\r\n", b"-", b"--", b"--Y", b"\r\n--", b"\r\n-X", b"--X", b"X", b"a", b"\0"])
    | st.binary(max_size=5)
).map(b"".join)


@settings(deadline=None)
@given(st.lists(CONTENT, max_size=4), st.lists(st.integers(0, 30), max_size=40), st.binary(max_size=20))
def test_contents_come_out_as_they_went_in(contents: list[bytes], sizes: list[int], epilogue: bytes) -> None:
    # No part may hold the border, nor begin with it.
    contents = [one for one in contents if b"\r\n--X" not in one and not one.startswith(b"--X")]
    data = form_of(*(part(f'name="{place}"', one) for place, one in enumerate(contents))) + epilogue
    expected: list[Any] = []
    for place, one in enumerate(contents):
        expected += [PartHead(str(place), None, "application/octet-stream"), *([one] if one else []), PartEnd.END]
    assert events(data, sizes) == expected


@settings(deadline=None)
@given(st.lists(CONTENT, min_size=1, max_size=4))
def test_the_reader_agrees_with_the_library_of_mail(contents: list[bytes]) -> None:
    contents = [one for one in contents if b"--X" not in one and b"\n" not in one and b"\r" not in one]
    data = form_of(*(part(f'name="{place}"', one) for place, one in enumerate(contents)))
    mail = message_from_bytes(b"Content-Type: multipart/form-data; boundary=X\r\n\r\n" + data)
    parts = mail.get_payload() if contents else []
    theirs = [one.get_payload(decode=True) for one in parts if isinstance(one, Message)]
    told = events(data, [])
    assert len(theirs) == sum(event is PartEnd.END for event in told)
    assert b"".join(one for one in theirs if isinstance(one, bytes)) == b"".join(contents)


@settings(deadline=None)
@given(st.binary(max_size=200) | CONTENT, st.lists(st.integers(0, 30), max_size=20))
def test_no_bytes_bring_about_more_than_a_refusal_and_pieces_do_not_matter(data: bytes, sizes: list[int]) -> None:
    def verdict(sizes: list[int]) -> list[Any] | None:
        try:
            return events(b"--X\r\n" + data + b"--X--", sizes)
        except BodyError as broken:
            assert broken.status == 400
            return None

    assert verdict(sizes) == verdict([])


@pytest.mark.parametrize(("name", "data"), [
    ("lines before the first border", b"hello\r\nworld\r\n" + form_of(part('name="a"', b"1"))),
    ("an empty line before the first border", b"\r\n" + form_of(part('name="a"', b"1"))),
    ("spaces after a border", form_of(part('name="a"', b"1")).replace(b"--X\r\n", b"--X \t\r\n", 1)),
    ("no line end after the last border", form_of(part('name="a"', b"1"))[:-2]),
    ("text after the last border", form_of(part('name="a"', b"1")) + part('name="b"', b"2") * 3),
])  # fmt: skip
async def test_what_stands_around_the_parts_does_not_count(name: str, data: bytes) -> None:
    for size in (1, 5, 1000):
        with await read(data, size) as form:
            assert form.fields == [("a", "1")]


async def test_a_part_may_end_with_its_head() -> None:
    data = b'--X\r\nContent-Disposition: form-data; name="a"\r\n\r\n--X--\r\n'
    for size in (1, 5, 1000):
        with await read(data, size) as form:
            assert form.fields == [("a", "")]


async def test_a_form_may_be_empty() -> None:
    with await read(b"--X--\r\n") as form:
        assert (form.fields, form.uploads) == ([], [])


async def test_a_file_that_was_not_chosen_is_none() -> None:
    with await read(form_of(part('name="f"; filename=""\r\nContent-Type: application/octet-stream'))) as form:
        assert (form.fields, form.uploads) == ([], [])
    with await read(form_of(part('name="f"; filename=""', b"x"), part('name="g"; filename="e"'))) as form:
        assert [(one.field, one.filename, one.size) for one in form.uploads] == [("f", "", 1), ("g", "e", 0)]


async def test_broken_utf8_is_replaced() -> None:
    with await read(form_of(part('name="a"', b"\xff\xe0\xae"))) as form:
        assert form.fields == [("a", "\ufffd\ufffd")]


@pytest.mark.parametrize(("head", "name", "filename"), [
    ('name="a"', "a", None),
    ("name=a", "a", None),
    ('name=""', "", None),
    ('NAME="a"; FileName="b"', "a", "b"),
    ('name="a b;c=d"', "a b;c=d", None),
    ('name="a%22b"', 'a"b', None),
    ('name="a\\"b\\\\c"', 'a"b\\c', None),
    ('name="%0A%"', "%0A%", None),
    ('name="f"; filename="C:\\temp\\அ.txt"', "f", "அ.txt"),
    ('name="f"; filename="../../etc/passwd"', "f", "passwd"),
    ('name="f"; filename="a\tb"', "f", "ab"),
    ("name=\"f\"; filename=\"_.txt\"; filename*=UTF-8''%E0%AE%85.txt", "f", "அ.txt"),
    ("name=\"f\"; filename*=utf-8'ta'%E0%AE%85%FF", "f", "அ\ufffd"),
    ("name=\"f\"; filename*=iso-8859-1''%E9", "f", "é"),
    ("name=\"f\"; filename*=UTF-8''..%2F..%2Fpasswd%00", "f", "passwd"),
    ('name="f" ; filename="a" ;', "f", "a"),
])  # fmt: skip
def test_names_of_fields_and_files(head: str, name: str, filename: str | None) -> None:
    told = head_of(b"Content-Disposition: form-data; " + head.encode())
    assert (told.name, told.filename) == (name, filename)


def test_the_name_of_a_field_has_one_spelling_and_that_of_a_file_stays() -> None:
    spelled = normalize("NFD", "கொள்முதல்")
    told = head_of(f'Content-Disposition: form-data; name="{spelled}"; filename="{spelled}"'.encode())
    assert (told.name, told.filename) == (normalize("NFC", spelled), spelled)


# ---------------------------------------------------------------- multipart: what is refused

GOOD = b'Content-Disposition: form-data; name="a"'


@pytest.mark.parametrize("head", [
    b"", b"Content-Type: text/plain", b"Content-Disposition: attachment; name=a",
    b"Content-Disposition: form-data", b'Content-Disposition: form-data; filename="a"',
    b'Content-Disposition: form-data; name="a', b'Content-Disposition: form-data; name="a"b',
    b"Content-Disposition: form-data; name=a; name=b", b"Content-Disposition: form-data; name =a",
    b"Content-Disposition: form-data name=a", b'Content-Disposition: form-data; name="a"; ; x',
    GOOD + b"\r\n" + GOOD, GOOD + b"\r\nno colon", GOOD + b"\r\n : x", GOOD + b"\r\nX : y",
    GOOD + b"\r\n folded", GOOD + b"\nX: y", GOOD + b"\r\nX: a\rb", GOOD + b"\r\nX: a\0b",
    GOOD + b"\r\nContent-Transfer-Encoding: base64",
    GOOD + b"; filename*=utf-8", GOOD + b"; filename*=utf-7''a", GOOD + b"; filename*=''a",
    GOOD + b"".join(b"\r\nX-%d: y" % number for number in range(16)),
])  # fmt: skip
async def test_a_broken_head_is_refused(head: bytes) -> None:
    data = b"--X\r\n" + head + b"\r\n\r\n1\r\n--X--\r\n"
    for size in (1, 1000):
        await refused(400, data, size)


@pytest.mark.parametrize("data", [
    b"", b"--X", b"--X-", b"--X\r\n", form_of(part('name="a"', b"1"))[:-5], b"hello", b"--Y--\r\n", b"--X--"[:4],
    form_of(part('name="a"', b"1")).replace(b"\r\n--X--", b"\r\n--Xtra--"),
    form_of(part('name="a"', b"1")).replace(b"\r\n--X--", b"\n--X--"),
    form_of(part('name="a"', b"1")).replace(b"--X\r\n", b"--X\n"),
    form_of(part('name="a"', b"1")).replace(b"--X\r\n", b"--X-\r\n"),
    form_of(part('name="a"', b"1")).replace(b"--X\r\n", b"--X" + b" " * 65 + b"\r\n"),
    form_of(part('name="a"', b"1")).replace(b"--X\r\n", b"--X \n"),
    form_of(part('name="a"', b"1")).replace(b"--X\r\n", b"--X\r\r\n"),
    form_of(part('name="a"', b"--Xa")),
])  # fmt: skip
async def test_broken_borders_and_forms_without_end_are_refused(data: bytes) -> None:
    for size in (1, 1000):
        await refused(400, data, size)


async def test_a_head_has_only_so_many_bytes() -> None:
    await read(form_of(part('name="a"\r\nX: ' + "y" * (HEAD_BYTES - 100))))
    for size in (1000, 100_000):
        await refused(400, form_of(part('name="a"\r\nX: ' + "y" * HEAD_BYTES)), size)
        await refused(400, b"--X\r\n" + b"y" * HEAD_BYTES * 2, size)


@pytest.mark.parametrize(("content_type", "boundary"), [
    (b"multipart/form-data; boundary=X", b"X"),
    (b'Multipart/Form-Data; charset=utf-8; BOUNDARY="a b:c" ;', b"a b:c"),
    (b"multipart/form-data; boundary=----WebKitFormBoundaryAbC123", b"----WebKitFormBoundaryAbC123"),
    (b"multipart/form-data", None), (b"multipart/form-data; boundary=", None),
    (b'multipart/form-data; boundary=""', None), (b"multipart/form-data; boundary=" + b"x" * 71, None),
    (b"multipart/form-data; boundary=x; boundary=y", None), (b'multipart/form-data; boundary="x ', None),
    (b'multipart/form-data; boundary="x "', None), ("multipart/form-data; boundary=அ".encode(), None),
    (b'multipart/form-data; boundary="a\\r\\nb*"', None),
])  # fmt: skip
def test_the_border_is_told_by_the_content_type(content_type: bytes, boundary: bytes | None) -> None:
    if boundary is not None:
        assert boundary_of(content_type) == boundary
        return
    with pytest.raises(BodyError) as caught:
        boundary_of(content_type)
    assert caught.value.status == 400


async def test_a_form_has_only_so_many_fields_and_files() -> None:
    fields = [part(f'name="{number}"', b"1") for number in range(4)]
    uploads = [part(f'name="{number}"; filename="f"', b"1") for number in range(4)]
    with await read(form_of(*fields[:3], *uploads[:2]), form_fields=3, form_files=2) as form:
        assert (len(form.fields), len(form.uploads)) == (3, 2)
    await refused(413, form_of(*fields), form_fields=3)
    await refused(413, form_of(*uploads), form_files=3)
    # Files that were not chosen count too.
    await refused(413, form_of(part('name="a"; filename=""') * 4), form_files=3)


async def test_a_form_has_only_so_many_bytes_and_those_of_fields_even_fewer() -> None:
    data = form_of(part('name="a"', b"x" * 1000), part('name="b"; filename="f"', b"y" * 1000))
    (await read(data, limit=len(data))).close()
    await refused(413, data, limit=len(data) - 1)
    await refused(413, data + b"epilogue", limit=len(data))
    await refused(413, data, body_bytes=999)
    budget = BodyBudget(MIB)
    peer = Peer([data], len(data))
    with pytest.raises(BodyError) as caught:
        await read_form(peer, TYPE, len(data) - 1, SETTINGS, budget)
    assert (caught.value.status, peer.reads) == (413, 0)


async def test_fields_and_files_in_memory_are_counted_until_the_form_is_closed() -> None:
    budget = BodyBudget(10_000)
    data = form_of(part('name="a"', b"x" * 1000), part('name="b"; filename="f"', b"y" * 2000))
    form = await read(data, 100, budget=budget)
    assert budget.used == form.held == 3000
    await refused_without_room(data, budget)
    form.close()
    form.close()
    assert budget.used == 0


async def refused_without_room(data: bytes, budget: BodyBudget) -> None:
    taken, budget.limit = budget.used, budget.used + 2500
    with pytest.raises(BodyError) as caught:
        await read(data, 100, budget=budget)
    assert (caught.value.status, budget.used) == (503, taken)


# ---------------------------------------------------------------- files of forms


@pytest.fixture
def spills(monkeypatch: Any, tmp_path: Path) -> list[Any]:
    """The temporary files that are made, in a folder of the test."""
    made: list[Any] = []
    real = forms.tempfile.TemporaryFile

    def make(**options: Any) -> Any:
        made.append(real(**{**options, "dir": tmp_path}))
        return made[-1]

    monkeypatch.setattr(forms.tempfile, "TemporaryFile", make)
    return made


@pytest.mark.parametrize(("size", "is_spilled"), [(0, 0), (1000, 0), (1001, 1), (70_000, 1), (300_000, 1)])
async def test_a_file_goes_to_the_disk_when_it_is_larger(
    size: int, is_spilled: int, spills: list[Any], tmp_path: Path
) -> None:
    budget = BodyBudget(200 * KIB)
    content = os.urandom(size)
    data = form_of(part('name="f"; filename="a"', content))
    with await read(data, 500, upload_memory_bytes=1000, budget=budget) as form:
        assert len(spills) == is_spilled
        assert bytes_of(form.uploads[0]) == content == bytes_of(form.uploads[0])
        assert form.uploads[0].size == size
        assert budget.used <= 64 * KIB + 1000
        assert os.listdir(tmp_path) == [], "it has no name"
    assert all(file.closed for file in spills) and budget.used == 0


async def test_after_the_request_its_files_cannot_be_read() -> None:
    for size in (10, 200_000):
        form = await read(form_of(part('name="f"; filename="a"', bytes(size))))
        form.close()
        with pytest.raises(OSError) as caught:
            bytes_of(form.uploads[0])
        assert caught.value.errno == errno.EBADF


async def test_who_reads_a_file_while_the_form_is_closed_reads_it_to_its_end() -> None:
    content = os.urandom(600_000)
    form = await read(form_of(part('name="f"; filename="a"', content)))
    pieces = iter(form.uploads[0].pieces())
    first = next(pieces)
    form.close()
    assert first + b"".join(pieces) == content


@pytest.mark.parametrize("trouble", [PeerGoneError("gone"), None])
async def test_a_form_that_breaks_off_leaves_nothing(trouble: Exception | None, spills: list[Any]) -> None:
    budget = BodyBudget(10 * MIB)
    data = part('name="a"', b"1") + part('name="f"; filename="a"', bytes(300_000))
    pieces: list[Any] = [*cut(data, 1000), *([trouble] if trouble else [])]
    with pytest.raises(PeerGoneError if trouble else BodyError):
        await read_form(Peer(pieces), TYPE, MIB, SETTINGS, budget)
    assert len(spills) == 1 and spills[0].closed and budget.used == 0


async def test_a_form_whose_reading_is_cancelled_leaves_nothing(spills: list[Any], monkeypatch: Any) -> None:
    budget = BodyBudget(10 * MIB)
    began, go_on = threading.Event(), threading.Event()
    real = forms._write

    def slow(*given: Any) -> None:
        began.set()
        assert go_on.wait(10)
        real(*given)

    monkeypatch.setattr(forms, "_write", slow)
    data = form_of(part('name="f"; filename="a"', bytes(300_000)))
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:

            async def one() -> None:
                await read(data, budget=budget)

            nursery.start_soon(one)
            assert await trio.to_thread.run_sync(began.wait, 10)
            nursery.cancel_scope.cancel()
            go_on.set()
    assert spills[0].closed and budget.used == 0


async def test_a_full_disk_is_told(monkeypatch: Any) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(forms, "_write", full)
    await refused(503, form_of(part('name="f"; filename="a"', bytes(300_000))))


async def test_temporary_files_are_made_where_it_is_said(tmp_path: Path) -> None:
    data = form_of(part('name="f"; filename="a"', bytes(100_000)))
    nowhere = str(tmp_path / "nowhere")
    with pytest.raises(BodyError) as caught:
        await read_form(Peer([data]), TYPE, MIB, SETTINGS, BodyBudget(MIB), folder=nowhere)
    assert caught.value.status == 503
    with await read_form(Peer([data]), TYPE, MIB, SETTINGS, BodyBudget(MIB), folder=str(tmp_path)) as form:
        assert form.uploads[0].size == 100_000


@pytest.mark.parametrize("size", [0, 10, 300_000])
async def test_an_upload_is_stored_whole_or_not_at_all(tmp_path: Path, size: int, monkeypatch: Any) -> None:
    content = os.urandom(size)
    place = tmp_path / "கோப்பு.bin"
    place.write_bytes(b"before")
    form = await read(form_of(part('name="f"; filename="a"', content)))
    upload = form.uploads[0]
    assert isinstance(upload, UploadFile)
    await trio.to_thread.run_sync(upload.save_to, str(place))
    assert place.read_bytes() == content and os.listdir(tmp_path) == [place.name]
    assert place.stat().st_mode & 0o777 == 0o666 & ~umask()
    with pytest.raises(OSError):
        upload.save_to(str(tmp_path / "no folder" / "a"))
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.EIO, "broken")))
    with pytest.raises(OSError, match="broken"):
        upload.save_to(str(place))
    assert place.read_bytes() == content and os.listdir(tmp_path) == [place.name]
    form.close()


def umask() -> int:
    now = os.umask(0)
    os.umask(now)
    return now


async def test_forms_of_the_same_content_have_the_same_digest() -> None:
    async def digest(data: bytes, size: int = 1000, kind: bytes = TYPE) -> bytes:
        with await read_form(Peer(cut(data, size)), kind, MIB, SETTINGS, BodyBudget(MIB)) as form:
            return form.digest

    same = await digest(MIXED)
    assert len(same) == 16 and same == await digest(MIXED, 7)
    assert same == await digest(MIXED.replace(b"--X", b"--Other"), 50, TYPE.replace(b"X", b"Other"))
    others = [MIXED.replace(b"line", b"Line"), MIXED.replace(b"empty", b"Empty"), MIXED.replace(b"b.bin", b"c.bin")]
    assert len({same, *[await digest(other) for other in others]}) == 4


async def test_a_large_upload_takes_little_memory(tmp_path: Path) -> None:
    size, piece = 64 * MIB, bytes(64 * KIB)
    head, tail = part('name="f"; filename="a"')[:-2], b"\r\n--X--\r\n"

    def pieces() -> Iterable[bytes]:
        yield head
        for _ in range(size // len(piece)):
            yield piece
        yield tail

    budget = BodyBudget(MIB)
    gc.collect()
    tracemalloc.start()
    try:
        form = await read_form(Peer(pieces()), TYPE, size + 1000, SETTINGS, budget, folder=str(tmp_path))
        await trio.to_thread.run_sync(form.uploads[0].save_to, str(tmp_path / "stored"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert form.uploads[0].size == size == (tmp_path / "stored").stat().st_size
    form.close()
    assert peak < 2 * MIB
