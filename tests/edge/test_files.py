"""Files as answers: forms and conditions, what must not be reached, and files that change while they are sent."""

from __future__ import annotations

import errno
import gc
import gzip
import os
import re
import socket
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unicodedata import normalize

import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etamil_actors.edge import files
from etamil_actors.edge.conditions import http_date
from etamil_actors.edge.exchange import CutShortError, FileBody, Outgoing
from etamil_actors.edge.files import (
    FRESH,
    SMALL,
    DiskBody,
    FileChangedError,
    Shelf,
    StaticFolder,
    content_disposition,
    respond_file,
)
from etamil_actors.errors import Fault

NOW = 1_800_000_000.0
OLD = 1_700_000_000
"""When the files of these tests were changed."""
SCRIPT = b"let a = 1;\n" * 500


def asking(target: str = "/static/x", method: str = "GET", **fields: str) -> Any:
    """A request as it is read here. ``if_none_match="…"`` is the field If-None-Match."""
    sent = [(name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()]
    return SimpleNamespace(method=method, target=target.encode(), fields=sent)


class Site:
    """A folder on the disk, and a clock that stands still."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.time = 0.0
        self.loads = 0
        self.shelf = Shelf()
        self.folder = StaticFolder(
            str(root), shelf=self.shelf, wall=lambda: NOW, monotonic=lambda: self.time
        )

    def put(self, name: str, data: bytes, changed: int = OLD) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (changed, changed))
        return path

    async def get(self, name: str, method: str = "GET", **fields: str) -> Outgoing:
        return await self.folder.open(asking(f"/static/{name}", method, **fields), name.split("/"))

    async def body(self, name: str, **fields: str) -> bytes:
        return await read(await self.get(name, **fields))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    root = tmp_path / "root"
    root.mkdir()
    return Site(root)


async def read(outgoing: Outgoing, piece: int = 64 * 1024) -> bytes:
    """The body as a lane reads it."""
    body = outgoing.body
    if isinstance(body, bytes):
        return body
    got = bytearray()
    try:
        while len(got) < body.length:
            more = await body.read(body.start + len(got), min(piece, body.length - len(got)))
            assert more
            got += more
    finally:
        body.close()
    return bytes(got)


def headers(outgoing: Outgoing) -> dict[str, str]:
    assert len(dict(outgoing.headers)) == len(outgoing.headers), "a header stands there twice"
    return {name.decode(): value.decode() for name, value in outgoing.headers}


def descriptors() -> int:
    return len(os.listdir("/dev/fd"))


# ---------------------------------------------------------------- what is sent


async def test_a_file_is_sent_with_all_that_caches_want_to_know(site: Site) -> None:
    site.put("படங்கள்/அ.png", b"picture")
    outgoing = await site.get("படங்கள்/அ.png")
    told = headers(outgoing)
    assert (outgoing.status, outgoing.body, outgoing.length) == (200, b"picture", 7)
    assert re.fullmatch(r'"[0-9a-f]+-7-[0-9a-f]+"', told.pop("etag"))
    assert told == {
        "content-type": "image/png",
        "last-modified": http_date(OLD).decode(),
        "accept-ranges": "bytes",
        "cache-control": "public, max-age=0, must-revalidate",
    }


async def test_a_text_says_that_it_depends_on_the_codings_taken(site: Site) -> None:
    site.put("a.html", b"<p>")
    told = headers(await site.get("a.html"))
    assert (told["content-type"], told["vary"]) == ("text/html; charset=utf-8", "Accept-Encoding")


async def test_an_empty_file_is_sent(site: Site) -> None:
    site.put("e.txt", b"")
    outgoing = await site.get("e.txt", range="bytes=0-")
    assert (outgoing.status, headers(outgoing)["content-range"]) == (416, "bytes */0")
    assert (await site.get("e.txt")).length == 0


async def test_a_large_file_is_read_piece_by_piece(site: Site) -> None:
    data = os.urandom(SMALL + 12345)
    site.put("big.bin", data)
    outgoing = await site.get("big.bin")
    assert isinstance(outgoing.body, FileBody)
    assert outgoing.length == outgoing.body.length == len(data)
    assert await read(outgoing, 100_000) == data


async def test_without_its_body_an_answer_says_the_same(site: Site) -> None:
    for name, data in (("small.html", SCRIPT), ("big.bin", b"x" * (SMALL + 1))):
        site.put(name, data)
        with_body = await site.get(name)
        await read(with_body)
        without = await site.get(name, "HEAD")
        assert (without.status, without.body) == (200, b"")
        assert (without.headers, without.length) == (with_body.headers, with_body.length)


async def test_of_a_folder_its_index_is_sent(site: Site) -> None:
    site.put("index.html", b"top")
    site.put("docs/index.html", b"inside")
    for target, rest, body in (("/static/", [], b"top"), ("/static/docs/", ["docs", ""], b"inside")):
        outgoing = await site.folder.open(asking(target), rest)
        assert (outgoing.status, outgoing.body) == (200, body)


@pytest.mark.parametrize(("target", "place"), [
    ("/static/docs", "/static/docs/"),
    ("/static/docs?v=1&w=%0A", "/static/docs/?v=1&w=%0A"),
    ("//evil.example/docs", "/evil.example/docs/"),
    ("/\\evil.example/docs", "/evil.example/docs/"),
    ("http://evil.example//docs", "/docs/"),
    ("/static/கடை", "/static/%E0%AE%95%E0%AE%9F%E0%AF%88/"),
    ("/static/do%63s", "/static/do%63s/"),
])  # fmt: skip
async def test_a_folder_without_its_slash_is_sent_there_on_the_same_host(
    site: Site, target: str, place: str
) -> None:
    site.put("docs/index.html", b"inside")
    for _ in range(2):  # from the disk, and from the shelf
        outgoing = await site.folder.open(asking(target), ["docs"])
        assert (outgoing.status, headers(outgoing)["location"]) == (308, place)


async def test_a_folder_without_index_is_not_listed(site: Site) -> None:
    site.put("docs/a.txt", b"a")
    (site.root / "other" / "index.html").mkdir(parents=True)
    for name in ("docs", "docs/", "other", "", "."):
        assert (await site.get(name)).status == 404


async def test_a_folder_that_does_not_exist_has_no_files(tmp_path: Path) -> None:
    folder = StaticFolder(str(tmp_path / "later"))
    assert (await folder.open(asking(), ["a.txt"])).status == 404
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "a.txt").write_bytes(b"now")
    assert (await folder.open(asking(), ["a.txt"])).body == b"now"


@pytest.mark.parametrize("form", ["NFC", "NFD"])
async def test_a_name_that_looks_the_same_is_found(site: Site, form: Any) -> None:
    site.put(normalize(form, "கொள்முதல்/தொகை.txt"), b"here")
    assert await site.body(normalize("NFC", "கொள்முதல்/தொகை.txt")) == b"here"


# ---------------------------------------------------------------- conditions and parts


async def test_who_has_it_already_is_told_so(site: Site) -> None:
    site.put("a.html", SCRIPT)
    first = headers(await site.get("a.html"))
    again = await site.get("a.html", if_none_match=first["etag"])
    assert (again.status, again.body, again.length) == (304, b"", None)
    assert headers(again) == {
        name: first[name] for name in ("etag", "last-modified", "cache-control", "vary")
    }
    assert (await site.get("a.html", if_modified_since=first["last-modified"])).status == 304
    assert (await site.get("a.html", if_none_match='"other"')).status == 200
    assert (await site.get("a.html", if_match='"other"')).status == 412


async def test_a_date_ahead_of_the_clock_is_not_told(site: Site) -> None:
    site.put("a.txt", b"a", int(NOW) + 1000)
    assert headers(await site.get("a.txt"))["last-modified"] == http_date(int(NOW)).decode()


@pytest.mark.parametrize("size", [1000, SMALL + 1000])
async def test_parts_are_sent(site: Site, size: int) -> None:
    data = os.urandom(size)
    site.put("a.bin", data)
    one = await site.get("a.bin", range="bytes=10-19")
    assert (one.status, one.length, headers(one)["content-range"]) == (206, 10, f"bytes 10-19/{size}")
    assert await read(one) == data[10:20]
    last = await site.get("a.bin", range="bytes=-5")
    assert await read(last) == data[-5:]
    none = await site.get("a.bin", range=f"bytes={size}-")
    assert (none.status, none.length, headers(none)["content-range"]) == (416, 0, f"bytes */{size}")
    whole = await site.get("a.bin", range="lines=1-2")
    assert whole.status == 200 and await read(whole) == data


@pytest.mark.parametrize("size", [1000, SMALL + 1000])
async def test_several_parts_are_sent_in_their_frame(site: Site, size: int) -> None:
    data = os.urandom(size)
    site.put("a.png", data)
    outgoing = await site.get("a.png", range=f"bytes=0-9,500-{size - 200},-3")
    told = headers(outgoing)
    boundary = told["content-type"].removeprefix("multipart/byteranges; boundary=").encode()
    body = await read(outgoing, 777)
    assert (outgoing.status, outgoing.length) == (206, len(body))
    parts = body.split(b"--" + boundary)
    assert parts[0] == b"" and parts[-1] == b"--\r\n"
    sent = [part.partition(b"\r\n\r\n") for part in parts[1:-1]]
    assert [content.removesuffix(b"\r\n") for _, _, content in sent] == [
        data[:10], data[500 : size - 199], data[-3:],
    ]  # fmt: skip
    assert b"Content-Type: image/png\r\nContent-Range: bytes 0-9/%d" % size in sent[0][0]


async def test_a_part_is_sent_only_while_the_file_is_the_same(site: Site) -> None:
    path = site.put("a.bin", b"0123456789")
    tag = headers(await site.get("a.bin"))["etag"]
    assert (await site.get("a.bin", range="bytes=2-", if_range=tag)).status == 206
    assert (await site.get("a.bin", range="bytes=2-", if_range=http_date(OLD).decode())).status == 206
    path.write_bytes(b"abcdefghij")
    site.time += FRESH
    changed = await site.get("a.bin", range="bytes=2-", if_range=tag)
    assert (changed.status, changed.body) == (200, b"abcdefghij")


async def test_parts_are_asked_for_with_get_only(site: Site) -> None:
    site.put("a.bin", b"0123456789")
    assert (await site.get("a.bin", "HEAD", range="bytes=2-")).length == 10


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_every_piece_of_every_body_is_what_a_naive_reader_finds(tmp_path: Path, data: st.DataObject) -> None:
    content = bytes(index * 7 % 251 for index in range(3000))
    path = tmp_path / "a.bin"
    path.write_bytes(content)
    cuts = data.draw(st.lists(st.integers(0, 3000), min_size=2, max_size=8))
    pieces: list[Any] = []
    for start, end in pairwise(cuts):
        if start < end:
            pieces += (b"|%d|" % start, files.Span(start, end - start))
    whole = b"".join(content[one.start : one.end] if isinstance(one, files.Span) else one for one in pieces)
    at, size = data.draw(st.integers(0, 4000)), data.draw(st.integers(0, 4000))
    body = DiskBody(files._opened(bytes(path)), pieces)
    try:
        assert body.length == len(whole)
        assert trio.run(body.read, at, size) == whole[at : at + size]
    finally:
        body.close()


# ---------------------------------------------------------------- codings


async def test_a_text_is_compressed_once_and_has_a_tag_of_its_own(site: Site, monkeypatch: Any) -> None:
    site.put("a.js", SCRIPT)
    plain = headers(await site.get("a.js"))
    packed = await site.get("a.js", accept_encoding="gzip")
    told = headers(packed)
    assert told["content-encoding"] == "gzip" and gzip.decompress(await read(packed)) == SCRIPT
    assert packed.length == len(await read(packed)) < len(SCRIPT)
    assert told["etag"] == plain["etag"][:-1] + '-gzip"'
    assert (await site.get("a.js", accept_encoding="gzip", if_none_match=told["etag"])).status == 304
    assert (await site.get("a.js", accept_encoding="gzip", if_none_match=plain["etag"])).status == 200
    # The file is looked at again, but not compressed again.
    monkeypatch.delattr(files, "gzipped")
    site.time += FRESH
    assert await read(await site.get("a.js", accept_encoding="gzip")) == await read(packed)


@pytest.mark.parametrize(("takes", "coding", "body"), [
    ("br, gzip", "br", b"BR"),
    ("gzip", "gzip", b"GZ"),
    ("br;q=0.5, gzip", "gzip", b"GZ"),
    ("", None, SCRIPT),
    ("gzip;q=0", None, SCRIPT),
])  # fmt: skip
async def test_a_compressed_file_beside_it_is_sent_to_who_takes_it(
    site: Site, takes: str, coding: str | None, body: bytes
) -> None:
    site.put("a.js", SCRIPT)
    site.put("a.js.br", b"BR")
    site.put("a.js.gz", b"GZ")
    outgoing = await site.get("a.js", accept_encoding=takes)
    told = headers(outgoing)
    assert (told.get("content-encoding"), outgoing.body) == (coding, body)
    assert (told["content-type"], told["vary"]) == ("text/javascript; charset=utf-8", "Accept-Encoding")
    assert told["last-modified"] == http_date(OLD).decode()


async def test_a_part_of_the_compressed_file_is_a_part_of_its_bytes(site: Site) -> None:
    site.put("a.js", SCRIPT)
    site.put("a.js.br", b"0123456789")
    outgoing = await site.get("a.js", accept_encoding="br", range="bytes=2-3")
    assert (outgoing.status, outgoing.body, headers(outgoing)["content-encoding"]) == (206, b"23", "br")


async def test_a_part_is_never_one_of_what_was_compressed_just_now(site: Site) -> None:
    site.put("a.js", SCRIPT)
    outgoing = await site.get("a.js", accept_encoding="gzip", range="bytes=0-9")
    assert (outgoing.status, outgoing.body) == (206, SCRIPT[:10])
    assert "content-encoding" not in headers(outgoing)


async def test_an_older_compressed_file_and_a_link_to_one_are_not_used(site: Site, tmp_path: Path) -> None:
    site.put("a.js", SCRIPT)
    site.put("a.js.br", b"OLD", OLD - 1)
    (tmp_path / "outside").write_bytes(b"SECRET")
    (site.root / "a.js.gz").symlink_to(tmp_path / "outside")
    outgoing = await site.get("a.js", accept_encoding="br, gzip")
    assert gzip.decompress(await read(outgoing)) == SCRIPT


async def test_a_folder_can_leave_compression_to_others(site: Site) -> None:
    site.put("a.js", SCRIPT)
    site.put("a.js.gz", b"GZ")
    folder = StaticFolder(str(site.root), compress=False)
    assert (await folder.open(asking(accept_encoding="gzip"), ["a.js"])).body == SCRIPT


async def test_pictures_are_kept_once_whatever_the_client_takes(site: Site) -> None:
    site.put("a.png", SCRIPT)
    for takes in ("gzip", "br", "br, gzip", ""):
        assert "content-encoding" not in headers(await site.get("a.png", accept_encoding=takes))
    assert site.shelf.used < 2 * len(SCRIPT)


# ---------------------------------------------------------------- what must not be reached


@pytest.mark.parametrize("rest", [
    ["..", "secret"], [".", "a.txt"], ["a", "..", "..", "secret"], ["../secret"], ["a/../../secret"],
    ["..\\secret"], ["a\\..\\..\\secret"], ["\0"], ["a.txt\0.png"], [".env"], [".git", "config"],
    ["/etc/passwd"], ["a\n.txt"], ["x" * 300], ["a.txt", "b"], ["a.txt", "..", "b"], ["~"], ["%2e%2e", "secret"],
])  # fmt: skip
async def test_no_path_leads_out_of_the_folder_or_to_what_is_hidden(site: Site, rest: list[str]) -> None:
    site.put("a.txt", b"a")
    site.put(".env", b"SECRET")
    site.put(".git/config", b"SECRET")
    (site.root.parent / "secret").write_bytes(b"SECRET")
    before = descriptors()
    outgoing = await site.folder.open(asking(), rest)
    assert (outgoing.status, outgoing.body) == (404, b"")
    assert descriptors() == before


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.sampled_from("./\\ab~%\0ொ\ud7ff")) | st.sampled_from(["..", "secret", "out", "in"])))
def test_whatever_is_asked_for_secrets_stay_secret(tmp_path: Path, rest: list[str]) -> None:
    root = tmp_path / "root"
    if not root.exists():
        (root / "in").mkdir(parents=True)
        (tmp_path / "secret").write_bytes(b"SECRET")
        (root / "secret").symlink_to("../secret")
        (root / "out").symlink_to("..")
        (root / "in" / "out").symlink_to("../..")
        (root / "a").write_bytes(b"fine")
    outgoing = trio.run(StaticFolder(str(root)).open, asking(), rest)
    assert outgoing.status == 404 or outgoing.body == b"fine"


async def test_links_that_lead_out_are_refused_and_those_inside_are_followed(
    site: Site, tmp_path: Path
) -> None:
    (tmp_path / "secret.txt").write_bytes(b"SECRET")
    (tmp_path / "rootless").mkdir()  # a neighbour whose path begins like that of the folder
    (tmp_path / "rootless" / "secret.txt").write_bytes(b"SECRET")
    site.put("docs/index.html", b"docs")
    site.put("docs/a.txt", b"inside")
    site.put(".hidden/a.txt", b"SECRET")
    link = site.root.joinpath
    link("inside.txt").symlink_to("docs/a.txt")
    link("inside").symlink_to("docs")
    link("absolute").symlink_to(site.root / "docs")
    link("docs", "up.txt").symlink_to("../docs/./a.txt")
    for name in ("inside.txt", "inside/a.txt", "absolute/a.txt", "docs/up.txt"):
        assert await site.body(name) == b"inside", name
    assert await site.body("inside/") == b"docs"
    link("out.txt").symlink_to("../secret.txt")
    link("out").symlink_to("..")
    link("neighbour").symlink_to("../rootless")
    link("far.txt").symlink_to(tmp_path / "secret.txt")
    link("hidden").symlink_to(".hidden")
    link("loop").symlink_to("loop")
    link("nowhere").symlink_to("nothing")
    link("itself").symlink_to(".")
    link("twice").symlink_to("out")
    for name in ("out.txt", "out/secret.txt", "neighbour/secret.txt", "far.txt", "hidden/a.txt", "loop",
                 "loop/a.txt", "nowhere", "itself", "twice/secret.txt"):  # fmt: skip
        assert (await site.get(name)).status == 404, name


async def test_the_folder_itself_may_be_a_link_that_is_turned(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text(name)
    (tmp_path / "current").symlink_to("one")
    folder = StaticFolder(str(tmp_path / "current"), monotonic=iter(range(100)).__next__)
    assert (await folder.open(asking(), ["a.txt"])).body == b"one"
    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").rename(tmp_path / "current")
    assert (await folder.open(asking(), ["a.txt"])).body == b"two"


async def test_a_link_put_there_between_two_looks_leads_nowhere(
    site: Site, tmp_path: Path, monkeypatch: Any
) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "a.txt").write_bytes(b"SECRET")
    site.put("docs/a.txt", b"inside")
    (site.root / "way").symlink_to("docs")
    real = os.path.realpath

    def resolve_then_swap(path: Any, **options: Any) -> Any:
        found = real(path, **options)
        if os.fsencode(path).endswith(b"a.txt"):
            (site.root / "docs").rename(site.root / "gone")
            (site.root / "docs").symlink_to(tmp_path / "secret")
        return found

    monkeypatch.setattr(os.path, "realpath", resolve_then_swap)
    assert (await site.get("way/a.txt")).status == 404


@pytest.mark.parametrize("make", [
    lambda path: os.mkfifo(path),
    lambda path: socket.socket(socket.AF_UNIX).bind(str(path)),
    lambda path: path.mkdir(),
], ids=["fifo", "socket", "folder"])  # fmt: skip
@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_what_is_no_ordinary_file_does_not_exist(
    tmp_path: Path, monkeypatch: Any, make: Callable[[Path], None]
) -> None:
    monkeypatch.chdir(tmp_path)
    make(Path("it.txt"))
    gc.collect()
    with trio.fail_after(5):
        assert (await StaticFolder(str(tmp_path)).open(asking(), ["it.txt"])).status == 404
    with pytest.raises(Fault), trio.fail_after(5):
        await respond_file(asking(), str(tmp_path / "it.txt"), [])


async def test_devices_are_not_served() -> None:
    assert (await StaticFolder("/dev").open(asking(), ["zero"])).status == 404
    with pytest.raises(Fault):
        await respond_file(asking(), "/dev/zero", [])


async def test_trouble_of_the_system_is_not_called_absence(site: Site, monkeypatch: Any) -> None:
    site.put("a.txt", b"a")

    def no_descriptor(*_: Any, **__: Any) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "open", no_descriptor)
    with pytest.raises(OSError, match="open files"):
        await site.get("a.txt")


# ---------------------------------------------------------------- the shelf


async def test_a_small_file_is_answered_without_a_thread_for_a_while(site: Site) -> None:
    path = site.put("a.txt", b"one")
    request = asking("/static/a.txt")
    assert site.folder.open_nowait(request, ["a.txt"]) is None
    await site.get("a.txt")
    path.write_bytes(b"other")
    at_once = site.folder.open_nowait(request, ["a.txt"])
    assert at_once is not None and at_once.body == b"one"
    site.time += FRESH
    assert site.folder.open_nowait(request, ["a.txt"]) is None
    assert await site.body("a.txt") == b"other"
    path.unlink()
    site.time += FRESH
    assert (await site.get("a.txt")).status == 404
    assert site.shelf.used == 0


async def test_headers_of_one_answer_are_not_those_of_the_next(site: Site) -> None:
    site.put("a.txt", b"one")
    for _ in range(3):
        outgoing = await site.get("a.txt")
        assert "x-mine" not in headers(outgoing)
        outgoing.headers.append((b"x-mine", b"1"))


async def test_the_shelf_has_an_end_and_keeps_what_is_asked_for(site: Site) -> None:
    site.folder = StaticFolder(str(site.root), shelf=(shelf := Shelf(room=10_000)), monotonic=lambda: 0.0)
    for number in range(20):
        site.put(f"{number}.bin", bytes(1000))
    for number in range(20):
        await site.get(f"{number}.bin")
        await site.get("0.bin")
        assert shelf.used <= 10_000
    assert site.folder.open_nowait(asking(), ["0.bin"]) is not None
    assert site.folder.open_nowait(asking(), ["1.bin"]) is None


async def test_many_who_ask_at_once_make_one_read(site: Site, monkeypatch: Any) -> None:
    site.put("a.js", SCRIPT)
    loads: list[Any] = []
    real = files._load
    monkeypatch.setattr(files, "_load", lambda *given: (loads.append(given), real(*given))[1])
    bodies: list[bytes] = []

    async def one() -> None:
        bodies.append(await site.body("a.js", accept_encoding="gzip"))

    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(one)
    assert len(loads) == 1 and len(bodies) == 50 and len(set(bodies)) == 1
    # When it has to be looked after, one does that and the others go on.
    site.time += FRESH
    loads.clear()
    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(one)
    assert len(loads) == 1


async def test_who_waits_for_one_that_leaves_gets_the_file(site: Site, monkeypatch: Any) -> None:
    site.put("big.bin", bytes(SMALL + 1))
    began, go_on = threading.Event(), threading.Event()
    real = files._load

    def slow(*given: Any) -> Any:
        began.set()
        assert go_on.wait(10)
        return real(*given)

    monkeypatch.setattr(files, "_load", slow)
    got: list[int] = []

    async def one(scope: trio.CancelScope) -> None:
        with scope:
            got.append(len(await site.body("big.bin")))

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            first, second = trio.CancelScope(), trio.CancelScope()
            nursery.start_soon(one, first)
            assert await trio.to_thread.run_sync(began.wait, 10)
            nursery.start_soon(one, second)
            await trio.testing.wait_all_tasks_blocked()
            first.cancel()
            go_on.set()
    assert SMALL + 1 in got
    gc.collect()  # a descriptor that was left open would warn, and warnings are errors here


# ---------------------------------------------------------------- files that change


async def test_a_file_replaced_by_renaming_is_sent_to_its_end(site: Site) -> None:
    data = os.urandom(SMALL * 2)
    site.put("big.bin", data)
    body = (await site.get("big.bin")).body
    assert isinstance(body, FileBody)
    first = await body.read(0, 1000)
    site.put("next", b"n" * len(data)).rename(site.root / "big.bin")
    rest = await body.read(1000, len(data))
    body.close()
    assert first + rest == data
    assert await site.body("big.bin") == b"n" * len(data)


@pytest.mark.parametrize("change", [
    lambda path: os.truncate(path, 5000),
    lambda path: path.write_bytes(b"y" * SMALL * 2),
    lambda path: path.open("ab").write(b"more"),
], ids=["shorter", "other bytes", "longer"])  # fmt: skip
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
async def test_a_file_changed_in_its_place_cuts_the_answer(site: Site, change: Any) -> None:
    path = site.put("big.bin", b"x" * SMALL * 2)
    body = (await site.get("big.bin")).body
    assert isinstance(body, FileBody)
    assert await body.read(0, 1000) == b"x" * 1000
    change(path)
    gc.collect()
    with pytest.raises(FileChangedError):
        await body.read(SMALL, 1000)
    with pytest.raises(CutShortError):
        await body.read(0, 10)
    body.close()


async def test_a_small_file_that_changes_while_it_is_read_is_read_again(site: Site, monkeypatch: Any) -> None:
    path = site.put("a.bin", b"x" * 1000)
    real = os.pread
    changes = [b"y" * 1000, b"z" * 500]

    def pread(descriptor: int, size: int, at: int) -> bytes:
        got = real(descriptor, size, at)
        if changes:
            path.write_bytes(changes.pop())
        return got

    monkeypatch.setattr(os, "pread", pread)
    assert await site.body("a.bin") == b"y" * 1000
    site.time += FRESH
    changes += [b"1" * 10, b"2" * 20, b"3" * 30, b"4" * 40]
    path.write_bytes(b"new")
    with pytest.raises(OSError, match="busy"):
        await site.get("a.bin")


# ---------------------------------------------------------------- descriptors


async def test_a_body_is_closed_once_and_not_under_a_reader(site: Site, monkeypatch: Any) -> None:
    data = os.urandom(SMALL * 2)
    site.put("big.bin", data)
    before = descriptors()
    body = (await site.get("big.bin")).body
    assert isinstance(body, FileBody)
    began, go_on = threading.Event(), threading.Event()
    real = os.pread

    def slow(*given: int) -> bytes:
        began.set()
        assert go_on.wait(10)
        return real(*given)

    monkeypatch.setattr(os, "pread", slow)
    got: list[bytes] = []

    async def one() -> None:
        got.append(await body.read(0, len(data)))

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one)
            assert await trio.to_thread.run_sync(began.wait, 10)
            body.close()
            body.close()
            assert descriptors() > before
            go_on.set()
    assert got == [data]
    assert descriptors() == before
    with pytest.raises(trio.ClosedResourceError):
        await body.read(0, 1)


async def test_a_body_nobody_closed_is_closed_with_a_warning(site: Site) -> None:
    site.put("big.bin", bytes(SMALL * 2))
    before = descriptors()
    outgoing: Any = await site.get("big.bin")
    assert descriptors() > before
    with pytest.warns(ResourceWarning, match="was not closed"), trio.fail_after(5):
        del outgoing
        while descriptors() != before:  # the thread that opened it may not have let go of it yet
            gc.collect()
            await trio.sleep(0.001)


async def test_answers_without_a_body_leave_nothing_open(site: Site) -> None:
    site.put("big.bin", bytes(SMALL * 2))
    before = descriptors()
    tag = headers(await site.get("big.bin", "HEAD"))["etag"]
    for fields in ({"if_none_match": tag}, {"if_match": '"x"'}, {"range": "bytes=9999999-"}):
        await site.get("big.bin", **fields)
    assert descriptors() == before
    gc.collect()


# ---------------------------------------------------------------- a file that the program names


async def test_the_program_names_a_file_and_its_headers_stand(tmp_path: Path) -> None:
    path = tmp_path / "அறிக்கை.pdf"
    path.write_bytes(b"%PDF")
    plain = await respond_file(asking(), str(path), [])
    assert (plain.status, plain.body) == (200, b"%PDF")
    assert headers(plain)["content-type"] == "application/octet-stream"
    assert headers(plain)["cache-control"] == "private, no-cache"
    own = [(b"Content-Type", b"application/pdf"), (b"ETag", b'"mine"'), (b"Cache-Control", b"no-store")]
    told = headers(await respond_file(asking(), str(path), own))
    assert told["content-type"] == "application/pdf" and told["cache-control"] == "no-store"
    assert told["etag"] == '"mine"'
    assert (await respond_file(asking(if_none_match='"mine"'), str(path), own)).status == 304
    part = await respond_file(asking(range="bytes=1-2"), str(path), own)
    assert (part.status, part.body) == (206, b"PD")


async def test_with_another_status_the_file_is_sent_whole(tmp_path: Path) -> None:
    path = tmp_path / "404.html"
    path.write_bytes(SCRIPT)
    request = asking(range="bytes=0-1", if_none_match="*", accept_encoding="gzip")
    outgoing = await respond_file(request, str(path), [(b"content-type", b"text/html")], 404)
    assert (outgoing.status, outgoing.body) == (404, SCRIPT)


async def test_a_text_of_the_program_is_compressed_and_seen_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for content in (SCRIPT, SCRIPT * 2):
        path.write_bytes(content)
        outgoing = await respond_file(
            asking(accept_encoding="gzip"), str(path), [(b"content-type", b"text/csv")]
        )
        told = headers(outgoing)
        assert (told["content-encoding"], told["vary"]) == ("gzip", "Accept-Encoding")
        assert gzip.decompress(await read(outgoing)) == content


async def test_a_large_file_of_the_program_is_read_piece_by_piece(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(SMALL * 2))
    outgoing = await respond_file(asking(), str(path), [])
    assert isinstance(outgoing.body, FileBody) and await read(outgoing) == bytes(SMALL * 2)


@pytest.mark.parametrize("name", ["nothing", "a\0b", ""])
async def test_a_file_that_is_not_there_is_told_to_the_program(tmp_path: Path, name: str) -> None:
    with pytest.raises(Fault) as caught:
        await respond_file(asking(), str(tmp_path / name), [])
    assert caught.value.code == "file"
    assert "கோப்பு" in caught.value.tamil and "file" in caught.value.english


@pytest.mark.parametrize(("name", "value"), [
    ("report.pdf", b'attachment; filename="report.pdf"'),
    ("அ.pdf", b"attachment; filename=\"_.pdf\"; filename*=UTF-8''%E0%AE%85.pdf"),
    ("a b.txt", b'attachment; filename="a b.txt"'),
    ('a"b\\c.txt', b'attachment; filename="c.txt"'),
    ('a"b.txt', b"attachment; filename=\"a_b.txt\"; filename*=UTF-8''a%22b.txt"),
    ("../../etc/passwd", b'attachment; filename="passwd"'),
    ("a\r\nSet-Cookie: x=1", b"attachment; filename=\"aSet-Cookie_ x=1\"; filename*=UTF-8''aSet-Cookie%3A%20x%3D1"),
    ("100%.txt", b"attachment; filename=\"100_.txt\"; filename*=UTF-8''100%25.txt"),
    ("", b'attachment; filename="file"'),
    ("/", b'attachment; filename="file"'),
])  # fmt: skip
def test_the_name_to_save_under_is_told_to_old_and_new_clients(name: str, value: bytes) -> None:
    assert content_disposition(name) == value


def test_a_name_can_be_told_without_asking_to_save() -> None:
    assert content_disposition("a.pdf", is_inline=True) == b'inline; filename="a.pdf"'


@given(st.text(max_size=50))
def test_no_name_breaks_a_header(name: str) -> None:
    value = content_disposition(name)
    assert value.isascii() and all(0x20 <= byte < 0x7F for byte in value) and value.count(b'"') == 2
