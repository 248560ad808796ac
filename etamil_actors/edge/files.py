"""Files as answers: those of a folder that a route serves, and one that a program names.

What a client asks for never leads out of its folder. The path is walked one directory descriptor at a time
and no link is followed; where a link stands in the way, the path is resolved first, has to end inside the
folder, and is then walked the same way. So a link that is put there between the two steps leads nowhere.
Names that begin with a dot, and everything that is no ordinary file, do not exist for a client.

```
open_nowait    shelf: small files as bytes, looked after once a second     ─▶ Outgoing at once, no thread
open           thread: walk, stat, choose .br / .gz / gzip / as it is      ─▶ bytes, or an open file
```

A file is one state of its bytes: its tag tells inode, size and time of change. When it becomes another while
it is being sent, the connection is cut (``FileChangedError``): the client sees that something is missing, and
never gets a mixture. Files that are replaced by renaming, as editors and deployments do, are sent to their
end.

Everything that touches the disk runs in threads of its own limiter, so that a slow disk holds up only files.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple, Protocol
from unicodedata import normalize
from urllib.parse import quote
from warnings import warn

import trio

from etamil_actors.actors.programs.exchange import Headers
from etamil_actors.edge.compression import GZIP, IDENTITY, WORTH, accept_encoding, gzipped, ranking
from etamil_actors.edge.conditions import (
    Tag,
    Verdict,
    asked_of,
    evaluate,
    http_date,
    may_use_range,
    tag_of,
)
from etamil_actors.edge.exchange import CutShortError, FileBody, Outgoing
from etamil_actors.edge.media_types import UNKNOWN, is_compressible, media_type
from etamil_actors.edge.paths import cut
from etamil_actors.edge.ranges import Piece, Span, content_range, length_of, multipart, spans_of, unsatisfied
from etamil_actors.errors import Fault

SMALL: Final = 512 * 1024
"""A file up to this size is read at once, kept on the shelf, and compressed if that is worth it."""
SHELF_BYTES: Final = 16 * 1024 * 1024
SHELF_ENTRY: Final = 1024
"""What an entry of the shelf costs beside its bytes."""
FRESH: Final = 1.0
"""For so many seconds a file on the shelf is taken to be unchanged."""
TRIES: Final = 3
"""So often a small file is read anew when it changes meanwhile."""
INDEX: Final = "index.html"
REVALIDATE: Final = b"public, max-age=0, must-revalidate"

_THREADS: Final = trio.CapacityLimiter(16)

_FOLLOW: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY
_FOLDER: Final = _FOLLOW | os.O_NOFOLLOW
# A pipe that nobody writes to would let us wait; a terminal would become ours.
_FILE: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_ABSENT: Final = frozenset({
    errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.EINVAL,
    errno.ENXIO, errno.EISDIR,
})  # fmt: skip
"""What the system says when there is nothing that a client may have. All else is trouble of ours."""
_SIBLINGS: Final = {"br": b".br", GZIP: b".gz"}
_OFFERED: Final = ("br", GZIP, IDENTITY)


class FileChangedError(CutShortError):
    """A file became another while it was read; what has been sent of it is worth nothing."""


class Asking(Protocol):
    """What is read here of a request; see ``HttpRequest``."""

    method: str
    target: bytes
    fields: Headers


# ---------------------------------------------------------------- reading


class _State(NamedTuple):
    """One state of a file's bytes."""

    device: int
    inode: int
    size: int
    changed: int

    @property
    def tag(self) -> bytes:
        return b"%x-%x-%x" % (self.inode, self.size, self.changed)

    @property
    def modified(self) -> int:
        return self.changed // 1_000_000_000


def _state_of(found: os.stat_result) -> _State:
    return _State(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


class _Opened:
    """An ordinary file that is open. Closed exactly once."""

    __slots__ = ("_descriptor", "state")

    def __init__(self, descriptor: int, state: _State) -> None:
        self._descriptor = descriptor
        self.state = state

    def read(self, start: int, length: int) -> bytes:
        """Exactly these bytes. Blocks. Raises: FileChangedError, OSError."""
        pieces: list[bytes] = []
        missing = length
        while missing:
            piece = os.pread(self._descriptor, missing, start + length - missing)
            if not piece:
                break
            pieces.append(piece)
            missing -= len(piece)
        # Asked afterwards: the system notes a change before the new bytes can be read.
        if missing or _state_of(os.fstat(self._descriptor)) != self.state:
            raise FileChangedError("the file was changed while it was read")
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        if self._descriptor >= 0:
            left = f"the descriptor {self._descriptor} of a file was not closed"
            self.close()
            warn(left, ResourceWarning, stacklevel=2, source=self)


class DiskBody(FileBody):
    """A body that is read from a file piece by piece.

    ``start`` is 0: places are those of the body, which may be one part of the file or several in their frame.
    """

    __slots__ = ("_is_closed", "_opened", "_pieces", "_readers")

    def __init__(self, opened: _Opened, pieces: Sequence[Piece]) -> None:
        super().__init__(None, 0, length_of(pieces))
        self._opened = opened
        self._pieces = pieces
        self._readers = 0
        self._is_closed = False

    async def read(self, at: int, size: int) -> bytes:
        """So many bytes from there, fewer only at the end.

        Raises: CutShortError: the file was changed, or the disk cannot be read; trio.ClosedResourceError.
        """
        if self._is_closed:
            raise trio.ClosedResourceError("the body was closed")
        self._readers += 1
        try:
            return await trio.to_thread.run_sync(self._read, at, size, limiter=_THREADS)
        except OSError as trouble:
            raise CutShortError(f"the file cannot be read: {trouble}") from trouble
        finally:
            self._readers -= 1
            self._close_unless_read()

    def _read(self, at: int, size: int) -> bytes:
        end = min(at + size, self.length)
        found: list[bytes] = []
        place = 0
        for piece in self._pieces:
            length = piece.length if isinstance(piece, Span) else len(piece)
            first, last = max(at - place, 0), min(end - place, length)
            if first < last:
                if isinstance(piece, Span):
                    found.append(self._opened.read(piece.start + first, last - first))
                else:
                    found.append(piece[first:last])
            place += length
        return found[0] if len(found) == 1 else b"".join(found)

    def close(self) -> None:
        """It is not read any more. May be said twice, and while a read is under way."""
        self._is_closed = True
        self._close_unless_read()

    def _close_unless_read(self) -> None:
        # A descriptor closed under a reading thread may be somebody else's by the time it reads.
        if self._is_closed and not self._readers:
            self._opened.close()


# ---------------------------------------------------------------- what is sent of a file


class _Version:
    """A file in the form in which it goes to some clients. Has its bytes, or is open."""

    __slots__ = ("coding", "data", "is_index", "kind", "opened", "origin", "state", "varies")

    def __init__(
        self,
        kind: str,
        coding: str,
        state: _State,
        origin: _State,
        body: bytes | _Opened,
        *,
        varies: bool,
        is_index: bool = False,
    ) -> None:
        self.kind = kind
        self.coding = coding
        self.state = state
        """Of the file that is sent."""
        self.origin = origin
        """Of the file that was asked for; another one when a compressed one lies beside it."""
        self.data = body if isinstance(body, bytes) else None
        self.opened = body if isinstance(body, _Opened) else None
        self.varies = varies
        """Does it depend on what codings the client takes?"""
        self.is_index = is_index

    @property
    def size(self) -> int:
        return self.state.size if self.data is None else len(self.data)

    @property
    def tag(self) -> Tag:
        coded = b"" if self.coding == IDENTITY else b"-" + self.coding.encode()
        return Tag(self.state.tag + coded)

    def body(self, pieces: Sequence[Piece]) -> bytes | DiskBody:
        if self.opened is not None:
            return DiskBody(self.opened, pieces)
        data = self.data
        assert data is not None
        return b"".join(data[part.start : part.end] if isinstance(part, Span) else part for part in pieces)

    def whole(self) -> bytes | DiskBody:
        return self.data if self.data is not None else self.body((Span(0, self.size),))

    def close(self) -> None:
        if self.opened is not None:
            self.opened.close()


def _answer(
    version: _Version, request: Asking, status: int, headers: Headers, tag: Tag, modified: int, now: float
) -> Outgoing:
    """The answer with these headers, or what conditions and ranges make of it. Takes the version over."""
    if status == 200:
        asked = asked_of(request.fields)
        verdict = evaluate(request.method, asked, tag, modified, now)
        if verdict is not Verdict.PROCEED:
            version.close()
            return _unchanged(headers) if verdict is Verdict.NOT_MODIFIED else Outgoing(412, [], b"")
        if asked.range is not None and request.method == "GET":
            spans = spans_of(asked.range, version.size)
            if spans is not None and may_use_range(asked.if_range, tag, modified, now):
                return _parts(version, headers, spans)
    if request.method == "HEAD":
        version.close()
        told = Outgoing(status, headers, b"")
        told.length = version.size
        return told
    return Outgoing(status, headers, version.whole())


def _unchanged(headers: Headers) -> Outgoing:
    kept = [(name, value) for name, value in headers if not name.startswith((b"content-", b"accept-"))]
    outgoing = Outgoing(304, kept, b"")
    outgoing.length = None
    return outgoing


def _parts(version: _Version, headers: Headers, spans: tuple[Span, ...]) -> Outgoing:
    size = version.size
    if not spans:
        version.close()
        return Outgoing(416, [(b"content-range", unsatisfied(size)), (b"accept-ranges", b"bytes")], b"")
    if len(spans) == 1:
        where = (b"content-range", content_range(spans[0], size))
        return Outgoing(206, [*headers, where], version.body(spans))
    kind = next((value for name, value in headers if name == b"content-type"), UNKNOWN.encode())
    boundary = os.urandom(16).hex().encode()
    others = [(name, value) for name, value in headers if name != b"content-type"]
    framed = (b"content-type", b"multipart/byteranges; boundary=" + boundary)
    return Outgoing(206, [framed, *others], version.body(multipart(spans, size, kind, boundary)))


def _headers(version: _Version, modified: int, cache_control: bytes) -> Headers:
    headers = [
        (b"content-type", version.kind.encode("latin-1")),
        (b"etag", bytes(version.tag)),
        (b"last-modified", http_date(modified)),
        (b"accept-ranges", b"bytes"),
        (b"cache-control", cache_control),
    ]
    if version.coding != IDENTITY:
        headers.append((b"content-encoding", version.coding.encode()))
    if version.varies:
        headers.append((b"vary", b"Accept-Encoding"))
    return headers


# ---------------------------------------------------------------- finding


class _Place(NamedTuple):
    """Where something stands: the folder, open; its name there; what it is."""

    folder: int
    name: bytes
    found: os.stat_result


def _walk(root: bytes, parts: Sequence[bytes]) -> _Place:
    """Go down from the root, following no link. Raises: OSError; ELOOP at a link, on some systems ENOTDIR."""
    folder = os.open(root, _FOLLOW)
    try:
        for part in parts[:-1]:
            deeper = os.open(part, _FOLDER, dir_fd=folder)
            folder, left = deeper, folder
            os.close(left)
        found = os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
        if stat.S_ISLNK(found.st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        return _Place(folder, parts[-1], found)
    except BaseException:
        os.close(folder)
        raise


def _walk_resolved(root: bytes, parts: Sequence[bytes]) -> _Place:
    """The same where links stand in the way; they have to lead to a place inside. Raises: OSError."""
    base = os.path.realpath(root)
    inside = os.path.relpath(os.path.realpath(os.path.join(base, *parts)), base).split(b"/")
    if any(part.startswith(b".") for part in inside):  # out of the folder, the folder itself, or hidden
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    return _walk(base, inside)


def _step(root: bytes, parts: Sequence[bytes]) -> _Place:
    try:
        return _walk(root, parts)
    except OSError as trouble:
        if trouble.errno not in (errno.ELOOP, errno.ENOTDIR):
            raise
    return _walk_resolved(root, parts)


def _find(root: bytes, names: Sequence[str]) -> tuple[_Place, bool] | None:
    """The ordinary file of that name, or the index of the folder of that name (then True)."""
    spellings = [list(names)]
    if not all(map(str.isascii, names)):
        # Requests come in NFC; files that some systems made have their names in NFD.
        spellings.append([normalize("NFD", name) for name in names])
    for spelling in spellings:
        try:
            return _find_spelled(root, [name.encode("utf-8") for name in spelling])
        except OSError as trouble:
            if trouble.errno not in _ABSENT:
                raise
    return None


def _find_spelled(root: bytes, parts: list[bytes]) -> tuple[_Place, bool]:
    is_index = not parts
    place = _step(root, parts or [INDEX.encode()])
    if stat.S_ISDIR(place.found.st_mode) and not is_index:
        os.close(place.folder)
        place, is_index = _step(root, [*parts, INDEX.encode()]), True
    if not stat.S_ISREG(place.found.st_mode):
        os.close(place.folder)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    return place, is_index


def _opened(path: bytes, flags: int = 0, folder: int | None = None) -> _Opened:
    """Open an ordinary file. Raises: OSError; ENOENT also for what is none."""
    # Asked before too: to open a device can already do something.
    if stat.S_ISREG(os.stat(path, dir_fd=folder, follow_symlinks=not flags & os.O_NOFOLLOW).st_mode):
        descriptor = os.open(path, _FILE | flags, dir_fd=folder)
        found = os.fstat(descriptor)
        if stat.S_ISREG(found.st_mode):
            return _Opened(descriptor, _state_of(found))
        os.close(descriptor)
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))


def _is_name(name: str) -> bool:
    """May this be the name of a file for a client? Hidden ones and what somewhere is a path may not."""
    return name[0] != "." and not any(char in "/\\" or char < " " or char == "\x7f" for char in name)


# ---------------------------------------------------------------- choosing


class _Wish(NamedTuple):
    """What of a request decides which form of a file it gets."""

    takes: tuple[str, ...]
    """Codings, the best first."""
    is_part: bool
    """Parts are asked for: of the file as it is, or of a compressed file; not of what we compress."""


_AS_IT_IS: Final = _Wish((IDENTITY,), False)


def _wish_of(fields: Headers) -> _Wish:
    takes = tuple(ranking(accept_encoding(fields), _OFFERED)) or (IDENTITY,)
    return _Wish(takes, any(name == b"range" for name, _ in fields))


def _load(root: bytes, names: Sequence[str], wish: _Wish, known: _Version | None) -> _Version | None:
    """Find a file and take what is wanted of it; ``known`` again, when nothing has changed. Blocks."""
    for _ in range(TRIES - 1):
        try:
            return _load_once(root, names, wish, known)
        except FileChangedError:
            continue  # somebody is writing it
    try:
        return _load_once(root, names, wish, known)
    except FileChangedError as trouble:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY)) from trouble


def _load_once(root: bytes, names: Sequence[str], wish: _Wish, known: _Version | None) -> _Version | None:
    found = _find(root, names)
    if found is None:
        return None
    place, is_index = found
    try:
        kind = media_type(place.name.decode("utf-8"))
        origin = _state_of(place.found)
        if not is_compressible(kind):
            return _plain(place, kind, origin, known, varies=False, is_index=is_index)
        for coding in wish.takes:
            if coding == IDENTITY:
                break
            version = _sibling(place, coding, kind, origin, known, is_index)
            if version is None and coding == GZIP and WORTH <= origin.size <= SMALL and not wish.is_part:
                version = _compressed(place, kind, origin, known, is_index)
            if version is not None:
                return version
        return _plain(place, kind, origin, known, varies=True, is_index=is_index)
    except OSError as trouble:  # gone or replaced since it was found
        if trouble.errno not in _ABSENT:
            raise
        return None
    finally:
        os.close(place.folder)


def _is_still(known: _Version | None, coding: str, state: _State, origin: _State) -> bool:
    return known is not None and (known.coding, known.state, known.origin) == (coding, state, origin)


def _plain(
    place: _Place, kind: str, origin: _State, known: _Version | None, *, varies: bool, is_index: bool
) -> _Version:
    if _is_still(known, IDENTITY, origin, origin):
        assert known is not None
        return known
    opened = _opened(place.name, os.O_NOFOLLOW, place.folder)
    body, state = _taken(opened)
    return _Version(kind, IDENTITY, state, state, body, varies=varies, is_index=is_index)


def _sibling(
    place: _Place, coding: str, kind: str, origin: _State, known: _Version | None, is_index: bool
) -> _Version | None:
    """The compressed file beside a file, if there is one and it is not older."""
    try:
        name = place.name + _SIBLINGS[coding]
        state = _state_of(os.stat(name, dir_fd=place.folder, follow_symlinks=False))
        if state.changed < origin.changed:
            return None
        if _is_still(known, coding, state, origin):
            return known
        opened = _opened(name, os.O_NOFOLLOW, place.folder)
    except OSError as trouble:
        if trouble.errno not in _ABSENT:
            raise
        return None
    body, state = _taken(opened)
    return _Version(kind, coding, state, origin, body, varies=True, is_index=is_index)


def _compressed(
    place: _Place, kind: str, origin: _State, known: _Version | None, is_index: bool
) -> _Version | None:
    if _is_still(known, GZIP, origin, origin):
        return known
    body, state = _taken(_opened(place.name, os.O_NOFOLLOW, place.folder))
    if not isinstance(body, bytes):  # it has grown since
        body.close()
        return None
    return _Version(kind, GZIP, state, state, gzipped(body), varies=True, is_index=is_index)


def _taken(opened: _Opened) -> tuple[bytes | _Opened, _State]:
    """The bytes of a small file, and the state they belong to; a large one stays open. Blocks."""
    if opened.state.size > SMALL:
        return opened, opened.state
    try:
        return opened.read(0, opened.state.size), opened.state
    finally:
        opened.close()


# ---------------------------------------------------------------- a folder


class _Kept:
    """A version on the shelf, and when it was last looked after."""

    __slots__ = ("checked", "version")

    def __init__(self, version: _Version, checked: float) -> None:
        self.version = version
        self.checked = checked


_Key = tuple[bytes, tuple[str, ...], _Wish]


class Shelf:
    """Small files that were asked for lately, bounded by their bytes. Several folders may share one."""

    __slots__ = ("_kept", "_room", "_used")

    def __init__(self, room: int = SHELF_BYTES) -> None:
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()
        self._room = room
        self._used = 0

    @property
    def used(self) -> int:
        """Bytes that it holds."""
        return self._used

    def get(self, key: _Key) -> _Kept | None:
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
        return kept

    def put(self, key: _Key, version: _Version, now: float) -> None:
        self.drop(key)
        self._kept[key] = _Kept(version, now)
        self._used += version.size + SHELF_ENTRY
        while self._used > self._room:
            self.drop(next(iter(self._kept)))

    def drop(self, key: _Key) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._used -= kept.version.size + SHELF_ENTRY


class StaticFolder:
    """The files of a folder, as ``வழி நிலைக்கோப்பு, "/static", "folder";`` serves them.

    The folder need not exist yet. ``rest`` is what the router left of the path, in segments.
    """

    def __init__(
        self,
        root: str,
        *,
        cache_control: bytes = REVALIDATE,
        compress: bool = True,
        shelf: Shelf | None = None,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._root = os.fsencode(os.path.abspath(root))
        self._cache_control = cache_control
        self._compress = compress
        self._shelf = Shelf() if shelf is None else shelf
        self._wall = wall
        self._monotonic = monotonic
        self._loading: dict[_Key, trio.Event] = {}

    def open_nowait(self, request: Asking, rest: Sequence[str]) -> Outgoing | None:
        """The answer, if it needs no look at the disk; else None, and ``open`` is to be asked."""
        key = self._key(request, rest)
        if key is None:
            return Outgoing(404, [], b"")
        kept = self._shelf.get(key)
        if kept is None or self._monotonic() - kept.checked >= FRESH:
            return None
        return self._answered(kept.version, request)

    async def open(self, request: Asking, rest: Sequence[str]) -> Outgoing:
        """The answer to GET or HEAD: 200, 206, 304, 308 (a folder without its slash), 404, 412, 416.

        Errors have no body; what is told of them is the caller's.
        Raises: OSError, the file is there and cannot be read.
        """
        answer = self.open_nowait(request, rest)
        if answer is not None:
            return answer
        key = self._key(request, rest)
        assert key is not None
        loading = self._loading.get(key)
        if loading is not None:
            # Many ask at once for what is not there yet: read and compressed once.
            await loading.wait()
            answer = self.open_nowait(request, rest)
            if answer is not None:
                return answer
            return self._answered_or_not(await self._loaded(key), request)
        self._loading[key] = done = trio.Event()
        try:
            return self._answered_or_not(await self._loaded(key), request)
        finally:
            if self._loading.get(key) is done:
                del self._loading[key]
            done.set()

    def _key(self, request: Asking, rest: Sequence[str]) -> _Key | None:
        names = tuple(name for name in rest if name)
        if not all(map(_is_name, names)):
            return None
        if not self._compress or (names and "." in names[-1] and not is_compressible(media_type(names[-1]))):
            return self._root, names, _AS_IT_IS
        return self._root, names, _wish_of(request.fields)

    async def _loaded(self, key: _Key) -> _Version | None:
        kept = self._shelf.get(key)
        now = self._monotonic()
        if kept is not None:
            kept.checked = now  # the others go on with it while this one looks
        root, names, wish = key
        work = partial(_load, root, names, wish, None if kept is None else kept.version)
        version = await trio.to_thread.run_sync(work, limiter=_THREADS)
        if version is None or version.data is None:
            self._shelf.drop(key)
        elif kept is None or version is not kept.version:
            self._shelf.put(key, version, now)
        return version

    def _answered_or_not(self, version: _Version | None, request: Asking) -> Outgoing:
        return Outgoing(404, [], b"") if version is None else self._answered(version, request)

    def _answered(self, version: _Version, request: Asking) -> Outgoing:
        if version.is_index:
            path, query = cut(request.target)
            if not path.endswith(b"/"):
                version.close()
                return _with_slash(path, query, self._cache_control)
        now = self._wall()
        # A date ahead of our clock would be one that the file can still change at.
        modified = min(version.origin.modified, int(now))
        headers = _headers(version, modified, self._cache_control)
        return _answer(version, request, 200, headers, version.tag, modified, now)


def _with_slash(path: bytes, query: bytes, cache_control: bytes) -> Outgoing:
    # One slash only in front: two would name another host.
    place = "/" + quote(path.lstrip(b"/\\"), safe="/:@!$&'()*+,;=%~") + "/"
    if query:
        place += "?" + quote(query, safe="/:@!$&'()*+,;=%~?[]")
    return Outgoing(308, [(b"location", place.encode("ascii")), (b"cache-control", cache_control)], b"")


# ---------------------------------------------------------------- one file


async def respond_file(
    request: Asking,
    path: str,
    headers: Headers,
    status: int = 200,
    *,
    compress: bool = True,
    wall: Callable[[], float] = time.time,
) -> Outgoing:
    """Answer with a file that the *program* has named, for பதில்_கோப்பு; with tag, parts and compression.

    The program's headers stand; without a content type it is ``application/octet-stream`` (REFERENCE §19.4).
    Only 200 knows conditions and parts. Raises: Fault ``file``, there is no such file or it cannot be read.
    """
    given = [(name.lower(), value) for name, value in headers]
    names = {name for name, _ in given}
    told = next((value for name, value in given if name == b"content-type"), None)
    kind = UNKNOWN if told is None else told.decode("latin-1")
    may_gzip = (
        compress
        and status == 200
        and is_compressible(kind)
        and names.isdisjoint((b"content-encoding", b"etag", b"content-range"))
    )
    work = partial(_load_one, path, kind, _wish_of(request.fields), may_gzip)
    try:
        version = await trio.to_thread.run_sync(work, limiter=_THREADS)
    except (OSError, ValueError, FileChangedError) as trouble:  # ValueError: a NUL in the path
        raise _file_fault(path, trouble) from trouble
    now = wall()
    modified = min(version.state.modified, int(now))
    own = _headers(version, modified, b"private, no-cache")
    whole = [*given, *((name, value) for name, value in own if name not in names)]
    tag = next((tag_of(value) for name, value in given if name == b"etag"), version.tag)
    return _answer(version, request, status, whole, tag or version.tag, modified, now)


def _load_one(path: str, kind: str, wish: _Wish, may_gzip: bool) -> _Version:
    body, state = _taken(_opened(path.encode("utf-8")))
    if may_gzip and isinstance(body, bytes) and len(body) >= WORTH:
        if wish.takes[0] in ("br", GZIP) and GZIP in wish.takes and not wish.is_part:
            return _Version(kind, GZIP, state, state, gzipped(body), varies=True)
    return _Version(kind, IDENTITY, state, state, body, varies=may_gzip)


def _file_fault(path: str, trouble: Exception) -> Fault:
    if isinstance(trouble, FileNotFoundError):
        return Fault("file", path=path, problem_ta="அப்படி ஒரு கோப்பு இல்லை", problem_en="there is no such file")
    if isinstance(trouble, FileChangedError):
        return Fault(
            "file",
            path=path,
            problem_ta="படிக்கும்போதே கோப்பு மாறியது",
            problem_en="it was changed while it was being read",
        )
    why = (trouble.strerror if isinstance(trouble, OSError) else None) or str(trouble)
    return Fault(
        "file",
        path=path,
        problem_ta=f"அதைப் படிக்க முடியவில்லை ({why})",
        problem_en=f"it cannot be read ({why})",
    )


_PLAIN_NAME: Final = frozenset(chr(code) for code in range(0x20, 0x7F)) - frozenset('"\\%/*?<>|:')


def content_disposition(filename: str, *, is_inline: bool = False) -> bytes:
    """The value of ``Content-Disposition`` that has a browser save the answer under this name.

    Old clients get an ASCII name, all others the real one, in Tamil too. Folders in the name are left out.
    """
    name = "".join(char for char in filename.replace("\\", "/").rpartition("/")[2] if char.isprintable())
    name = name.strip() or "file"
    how = b"inline" if is_inline else b"attachment"
    plain = "".join(char if char in _PLAIN_NAME else "_" for char in name)
    value = how + b'; filename="' + plain.encode("ascii") + b'"'
    if plain != name:
        encoded = quote(name.encode("utf-8", "replace"), safe="!#$&+-.^_`|~")
        value += b"; filename*=UTF-8''" + encoded.encode("ascii")
    return value
