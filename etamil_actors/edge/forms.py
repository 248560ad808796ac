"""Bodies of requests: taken whole within their limits, or as forms whose files go to the disk as they come.

A body is read only as fast as it is used, so what is not wanted yet waits in the network. Three bounds hold
at once: the limit of the route, the *budget* of the whole process for bodies in memory, and for forms the
number of fields and files. A file of a form stays in memory while it is small, else it goes to a temporary
file that has no name: it is gone with the process, whatever happens to it.

``multipart/form-data`` is read by a machine of states that knows no files and no waiting
(``MultipartReader``). It is strict: two readers that guess differently are a hole between a filter and a
service.

```
PREAMBLE ─boundary─▶ BORDER ─CRLF─▶ HEAD ─empty line─▶ START ─▶ BODY ─boundary─▶ BORDER ─"--"─▶ END
```

Names of fields come in NFC, like every key; names of files and all contents are data and stay as they are.
"""

from __future__ import annotations

import errno
import os
import re
import tempfile
import threading
from collections.abc import Iterator
from enum import Enum
from functools import partial
from hashlib import blake2b
from typing import IO, Final, NamedTuple, TypeAlias
from unicodedata import normalize
from urllib.parse import unquote_to_bytes

import trio

from etamil_actors.actors.programs.exchange import Upload
from etamil_actors.edge.exchange import BodyError, Exchange
from etamil_actors.edge.media_types import UNKNOWN
from etamil_actors.edge.paths import query_pairs
from etamil_actors.edge.settings import HttpSettings

URLENCODED: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"

PIECE: Final = 64 * 1024
"""So much goes to a temporary file at once."""
COPY: Final = 256 * 1024
"""So much of it is read at once."""
HEAD_BYTES: Final = 8 * 1024
"""What a part of a form may say of itself."""
HEAD_LINES: Final = 16

_THREADS: Final = trio.CapacityLimiter(8)


# ---------------------------------------------------------------- bodies


class BodyBudget:
    """How many bytes of bodies the whole process holds in memory."""

    __slots__ = ("limit", "used")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    def take(self, count: int) -> None:
        """Count so many more. Raises: BodyError 503, there is no room now; nothing was counted."""
        if self.used + count > self.limit:
            raise BodyError(
                503,
                "கோரிக்கைகளின் உடலுரைகளுக்கு இப்போது இடமில்லை; சற்றுப் பின் மீண்டும் முயலவும்",
                "there is no room for request bodies now; please try again a little later",
            )
        self.used += count

    def give(self, count: int) -> None:
        """So many are not held any more."""
        assert 0 <= count <= self.used
        self.used -= count


def too_large(limit: int) -> BodyError:
    """The body is longer than the route takes."""
    return BodyError(
        413,
        f"கோரிக்கையின் உடலுரை {limit} பைட்டுகளை மீறுகிறது; சிறியதாக அனுப்பவும்",
        f"the body of the request is longer than {limit} bytes; please send less",
    )


async def read_body(exchange: Exchange, limit: int, budget: BodyBudget) -> bytes:
    """The whole body. Its bytes stay counted: who has it calls ``budget.give(len(body))`` when it is let go.

    Raises: BodyError, also 413 too large and 503 no room; PeerGoneError. Then nothing stays counted.
    """
    if not exchange.has_body:
        return b""
    counted = exchange.length or 0
    if counted > limit:
        raise too_large(limit)
    # What is announced is counted before it comes: better to refuse than to stop in the middle.
    budget.take(counted)
    body = bytearray()
    try:
        while piece := await exchange.read():
            body += piece
            if len(body) > limit:
                raise too_large(limit)
            if len(body) > counted:
                budget.take(len(body) - counted)
                counted = len(body)
    except BaseException:
        budget.give(counted)
        raise
    budget.give(counted - len(body))
    return bytes(body)


# ---------------------------------------------------------------- multipart, as a machine of states


class PartHead(NamedTuple):
    """What a part of a form says of itself."""

    name: str
    filename: str | None
    """None: it is a field and no file."""
    kind: str


class PartEnd(Enum):
    """The part is complete."""

    END = "end"


Event: TypeAlias = PartHead | bytes | PartEnd


class _State(Enum):
    PREAMBLE = "preamble"
    BORDER = "border"
    HEAD = "head"
    START = "start"
    BODY = "body"
    END = "end"


class MultipartReader:
    """Reads ``multipart/form-data`` from pieces of any length, and keeps less than a head of them.

    What has been read is told as a head, its bytes in any number of pieces, and an end, part after part.
    """

    __slots__ = ("_at", "_border", "_buffer", "_state")

    def __init__(self, boundary: bytes) -> None:
        self._border = b"\r\n--" + boundary
        # The first border may stand at the very beginning: as if a line had ended before it.
        self._buffer = bytearray(b"\r\n")
        self._at = 0
        self._state = _State.PREAMBLE

    def feed(self, data: bytes) -> Iterator[Event]:
        """What these bytes tell; to be asked to its end. Raises: BodyError 400."""
        if not self._is_complete:  # nothing that follows the last border counts
            self._buffer += data
        while not self._is_complete:
            state = self._state
            if state is _State.BORDER:
                if not self._pass_border():
                    break
            elif state is _State.HEAD:
                head = self._head()
                if head is None:
                    break
                yield head
            elif state is _State.START:
                if not self._begin_body():
                    break
            else:
                content, is_whole = self._content()
                if content:
                    yield content
                if not is_whole:
                    break
                if state is _State.BODY:
                    yield PartEnd.END
        del self._buffer[: self._at]
        self._at = 0

    @property
    def _is_complete(self) -> bool:
        return self._state is _State.END

    def finish(self) -> None:
        """There are no more bytes. Raises: BodyError 400, the form has no end."""
        if not self._is_complete:
            raise _broken("படிவம் முடிவதற்கு முன்பே நின்றுவிட்டது", "the form stops before its end")

    # Each of these goes on from ``_at`` and answers nothing when more bytes are needed.

    def _content(self) -> tuple[bytes, bool]:
        """What is before the next border; True when the border is there."""
        border = self._buffer.find(self._border, self._at)
        # Without a border all is content, but for what may be the beginning of one.
        end = border if border >= 0 else max(len(self._buffer) - len(self._border) + 1, self._at)
        content = bytes(self._buffer[self._at : end]) if self._state is _State.BODY else b""
        self._at = end
        if border >= 0:
            self._at += len(self._border)
            self._state = _State.BORDER
        return content, border >= 0

    def _pass_border(self) -> bool:
        """After a border: ``--`` when it is the last, else the end of the line."""
        found = _AFTER_BORDER.match(self._buffer, self._at)
        if found is None:
            raise _broken("பகுதிகளுக்கிடையே உள்ள எல்லைக்கோடு சரியில்லை", "a border between two parts is broken")
        if not found[1]:
            return False
        self._at = found.end()
        self._state = _State.END if found[1] == b"--" else _State.HEAD
        return True

    def _head(self) -> PartHead | None:
        end = self._buffer.find(b"\r\n\r\n", self._at)
        if (end if end >= 0 else len(self._buffer)) - self._at > HEAD_BYTES:
            raise _broken(
                f"ஒரு பகுதியின் தலைப்பு {HEAD_BYTES} பைட்டுகளை மீறுகிறது",
                f"the head of a part is longer than {HEAD_BYTES} bytes",
            )
        if end < 0:
            return None
        head = head_of(bytes(self._buffer[self._at : end]))
        self._at = end + 2
        self._state = _State.START
        return head

    def _begin_body(self) -> bool:
        # The end of the empty line may belong to a border already, when a part has no bytes.
        here = bytes(self._buffer[self._at : self._at + len(self._border)])
        if here != self._border:
            if self._border.startswith(here):
                return False
            self._at += 2
        self._state = _State.BODY
        return True


def _broken(tamil: str, english: str) -> BodyError:
    return BodyError(
        400, f"படிவத்தைப் படிக்க முடியவில்லை: {tamil}", f"the multipart form cannot be read: {english}"
    )


_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# Matches with an empty first group while what there is may still become an end.
_AFTER_BORDER: Final = re.compile(rb"(--|[ \t]{0,64}\r\n|(?=-?\Z|[ \t]{0,64}\r?\Z))")
_LINE: Final = re.compile(rb"(" + _TOKEN + rb"):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_PARAMETER: Final = re.compile(
    rb"[ \t]*;[ \t]*(" + _TOKEN + rb')=(?:"((?:[^"\\]|\\.)*)"|([^\x00-\x20\x7f";]*))'
)  # fmt: skip
_ESCAPED: Final = re.compile(rb'\\(["\\])')
_BOUNDARY: Final = re.compile(rb"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")


def boundary_of(content_type: bytes) -> bytes:
    """What stands between the parts, by the content type of the form. Raises: BodyError 400."""
    parameters = _parameters(content_type)
    boundary = None if parameters is None else parameters.get(b"boundary")
    if boundary is None or _BOUNDARY.fullmatch(boundary) is None:
        raise _broken(
            "Content-Type தலைப்பில் சரியான boundary இல்லை", "its Content-Type has no boundary that can be used"
        )
    return boundary


def _parameters(value: bytes) -> dict[bytes, bytes] | None:
    """What follows the first ``;``. None: broken, or something is said twice."""
    found: dict[bytes, bytes] = {}
    at = value.find(b";")
    if at < 0:
        return found
    rest = value.rstrip(b" \t;")
    while at < len(rest):
        one = _PARAMETER.match(rest, at)
        if one is None or (name := one[1].lower()) in found:
            return None
        found[name] = one[3] if one[2] is None else _ESCAPED.sub(rb"\1", one[2])
        at = one.end()
    return found


def head_of(head: bytes) -> PartHead:
    """Read the head of a part. Raises: BodyError 400."""
    lines = head.split(b"\r\n")
    said: dict[bytes, bytes] = {}
    for line in lines:
        found = _LINE.fullmatch(line)
        if found is None or len(lines) > HEAD_LINES:
            raise _broken("ஒரு பகுதியின் தலைப்பு சரியில்லை", "the head of a part is broken")
        name = found[1].lower()
        if name in said:
            raise _broken(
                f"ஒரு பகுதியில் ‘{name.decode()}’ இருமுறை வருகிறது", f"a part says ‘{name.decode()}’ twice"
            )
        said[name] = found[2].strip(b" \t")
    if said.get(b"content-transfer-encoding", b"binary").lower() not in (b"binary", b"8bit", b"7bit"):
        raise _broken(
            "Content-Transfer-Encoding ஏற்கப்படாது; பைட்டுகளை அப்படியே அனுப்பவும்",
            "Content-Transfer-Encoding is not taken; please send the bytes as they are",
        )
    disposition = said.get(b"content-disposition", b"")
    parameters = _parameters(disposition)
    if parameters is None or disposition.partition(b";")[0].strip().lower() != b"form-data":
        raise _broken(
            "ஒரு பகுதியின் Content-Disposition சரியில்லை", "the Content-Disposition of a part is broken"
        )
    if b"name" not in parameters:
        raise _broken("ஒரு பகுதிக்குப் பெயர் இல்லை", "a part has no name")
    kind = said.get(b"content-type", b"").decode("ascii", "replace") or UNKNOWN
    return PartHead(normalize("NFC", _text(parameters[b"name"])), _filename(parameters), kind)


def _text(value: bytes) -> str:
    # Browsers write a quotation mark inside a name in this way.
    return value.replace(b"%22", b'"').decode("utf-8", "replace")


def _filename(parameters: dict[bytes, bytes]) -> str | None:
    extended = parameters.get(b"filename*")
    if extended is not None:
        charset, _, rest = extended.partition(b"'")
        _, quote, encoded = rest.partition(b"'")
        if not quote or charset.lower() not in (b"utf-8", b"iso-8859-1"):
            raise _broken("ஒரு கோப்பின் பெயர் (filename*) சரியில்லை", "the name of a file (filename*) is broken")
        name = unquote_to_bytes(encoded).decode(charset.decode(), "replace")
    elif b"filename" in parameters:
        name = _text(parameters[b"filename"])
    else:
        return None
    # Some send the whole path that it has with them. Only the last name is of use, and it is no path here.
    name = name.replace("\\", "/").rpartition("/")[2]
    return "".join(char for char in name if char >= " " and char != "\x7f")


# ---------------------------------------------------------------- files of forms


class _Content:
    """The bytes of one file of a form: in memory while they are few, else mostly in a temporary file."""

    __slots__ = ("_file", "_filename", "_is_closed", "_lock", "_memory", "size")

    def __init__(self, filename: str) -> None:
        self.size = 0
        self._filename = filename
        self._memory = bytearray()
        """What is not in the file; its end, if there is one."""
        self._file: IO[bytes] | None = None
        self._lock = threading.Lock()
        self._is_closed = False

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return len(self._memory)

    def upload(self, head: PartHead) -> UploadFile:
        """It has come."""
        return UploadFile(head.name, self._filename, head.kind, self.size, self.pieces)

    def add(self, data: bytes, memory: int) -> bool:
        """Take a piece; True when ``spill`` has to be called before the next one."""
        self._memory += data
        self.size += len(data)
        return len(self._memory) > (memory if self._file is None else PIECE)

    def spill(self, folder: str | None) -> None:
        """Put what is in memory into the temporary file. Blocks. Raises: OSError."""
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115  closed by the form
        _write(self._file, self._memory)
        self._memory = bytearray()

    def pieces(self) -> Iterator[bytes]:
        """All bytes, piece after piece. Blocks. Raises: OSError, EBADF when the request is over."""
        with self._lock:
            if self._is_closed:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF), self._filename)
            memory = bytes(self._memory)
            # One of its own: the form may be closed while somebody still copies.
            descriptor = -1 if self._file is None else os.dup(self._file.fileno())
        if descriptor >= 0:
            try:
                yield from self._stored(descriptor, self.size - len(memory))
            finally:
                os.close(descriptor)
        if memory:
            yield memory

    def _stored(self, descriptor: int, size: int) -> Iterator[bytes]:
        at = 0
        while at < size:
            piece = os.pread(descriptor, min(COPY, size - at), at)
            if not piece:
                raise OSError(errno.EIO, os.strerror(errno.EIO), self._filename)
            at += len(piece)
            yield piece

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            self._memory = bytearray()
            file, self._file = self._file, None
        if file is not None:
            file.close()


def _write(file: IO[bytes], data: bytes | bytearray) -> None:
    """All of it: a file without a buffer may take less at once."""
    at = 0
    while at < len(data):
        at += file.write(memoryview(data)[at:])


class UploadFile(Upload):
    """A file of a form. ``pieces`` raises OSError, EBADF when the request is over."""

    __slots__ = ()

    def save_to(self, path: str) -> None:
        """Store it there. Whoever looks finds the whole file or what was there before. Blocks.

        Raises: OSError; then nothing has changed.
        """
        whole = os.path.abspath(path)
        beside = os.path.join(os.path.dirname(whole), f".upload-{os.urandom(8).hex()}.part")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(beside, flags, 0o666)
        try:
            with open(descriptor, "wb", buffering=0) as file:
                for piece in self.pieces():
                    _write(file, piece)
                # Renamed before it is on the disk, it could be empty after a power cut.
                os.fsync(descriptor)
            os.replace(beside, whole)
        except BaseException:
            os.unlink(beside)
            raise


class Form:
    """A form that was sent. Holds memory and temporary files until it is closed."""

    __slots__ = ("_budget", "_contents", "_held", "body", "digest", "fields", "uploads")

    def __init__(self, budget: BodyBudget, held: int = 0) -> None:
        self.fields: list[tuple[str, str]] = []
        """Text fields in the order sent, repeated ones too; names in NFC."""
        self.uploads: list[UploadFile] = []
        self.body = b""
        """What an url-encoded form was read from."""
        self.digest = b""
        """Tells forms of other content apart, whatever they are framed with."""
        self._budget = budget
        self._contents: list[_Content] = []
        self._held = held

    @property
    def held(self) -> int:
        """Bytes of the budget that it has."""
        return self._held

    def begin_file(self, head: PartHead) -> _Content:
        """Room for a file that is coming; the form closes it."""
        content = _Content(head.filename or "")
        self._contents.append(content)
        return content

    def hold(self, count: int) -> None:
        """Take so many more of the budget, or give back. Raises: BodyError 503."""
        if count > 0:
            self._budget.take(count)
        else:
            self._budget.give(-count)
        self._held += count

    def close(self) -> None:
        """Let go of everything; its files cannot be read any more. May be said twice."""
        for content in self._contents:
            content.close()
        self._contents.clear()
        self.hold(-self._held)

    def __enter__(self) -> Form:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()


def is_form(content_type: bytes) -> bool:
    """Is a body of this type read by ``read_form``?"""
    return _essence(content_type) in (URLENCODED, MULTIPART)


def _essence(content_type: bytes) -> str:
    return content_type.partition(b";")[0].strip().lower().decode("latin-1")


async def read_form(
    exchange: Exchange,
    content_type: bytes,
    limit: int,
    settings: HttpSettings,
    budget: BodyBudget,
    *,
    folder: str | None = None,
) -> Form:
    """The form in a body of at most ``limit`` bytes. The caller closes it.

    ``folder``: where temporary files are made, if not where the system has them.
    Raises: BodyError: 400 broken, 413 too large or too many fields or files, 415 no form, 503 no room in
    memory or on the disk; PeerGoneError.
    """
    match _essence(content_type):
        case "application/x-www-form-urlencoded":
            return await _read_urlencoded(exchange, limit, settings, budget)
        case "multipart/form-data":
            boundary = boundary_of(content_type)
        case _:
            raise BodyError(
                415,
                f"இது ஒரு படிவம் அல்ல; {URLENCODED} அல்லது {MULTIPART} ஆக அனுப்பவும்",
                f"this is no form; please send it as {URLENCODED} or {MULTIPART}",
            )
    if exchange.length is not None and exchange.length > limit:
        raise too_large(limit)
    form = Form(budget)
    try:
        await _read_multipart(exchange, boundary, limit, _Gathering(form, settings, limit), folder)
    except BaseException:
        form.close()
        raise
    return form


async def _read_urlencoded(
    exchange: Exchange, limit: int, settings: HttpSettings, budget: BodyBudget
) -> Form:
    body = await read_body(exchange, limit, budget)
    try:
        fields = parse_urlencoded(body, settings.form_fields)
    except BaseException:
        budget.give(len(body))
        raise
    form = Form(budget, held=len(body))
    form.body, form.fields = body, fields
    form.digest = blake2b(body, digest_size=16).digest()
    return form


def parse_urlencoded(body: bytes, most: int) -> list[tuple[str, str]]:
    """The fields of an url-encoded form, read like a query. Raises: BodyError 413, more than ``most``."""
    if body.count(b"&") > 4 * most:  # separators without fields are work as well
        raise _too_many_fields(most)
    if body.count(b"=") > most and sum(b"=" in part for part in body.split(b"&")) > most:
        raise _too_many_fields(most)
    return query_pairs(body)


def _too_many_fields(most: int) -> BodyError:
    return BodyError(
        413,
        f"படிவத்தில் {most} புலங்களுக்கு மேல் உள்ளன; குறைவாக அனுப்பவும்",
        f"the form has more than {most} fields; please send fewer",
    )


async def _read_multipart(
    exchange: Exchange, boundary: bytes, limit: int, gathering: _Gathering, folder: str | None
) -> None:
    reader = MultipartReader(boundary)
    total = 0
    # What follows the last border is read as well, so that the connection stands at the next request.
    while piece := await exchange.read() if exchange.has_body else b"":
        total += len(piece)
        if total > limit:
            raise too_large(limit)
        for event in reader.feed(piece):
            full = gathering.take(event)
            if full is not None:
                held = full.held
                await _spill(full, folder)
                gathering.form.hold(full.held - held)
    reader.finish()
    gathering.finish()


async def _spill(content: _Content, folder: str | None) -> None:
    try:
        await trio.to_thread.run_sync(partial(content.spill, folder), limiter=_THREADS)
    except OSError as trouble:
        raise BodyError(
            503,
            "கோப்பை வட்டில் வைக்க முடியவில்லை; சற்றுப் பின் மீண்டும் முயலவும்",
            "the file cannot be put on the disk; please try again a little later",
        ) from trouble


class _Gathering:
    """Makes a form of what a reader tells."""

    __slots__ = ("_content", "_digest", "_files", "_head", "_limit", "_parts", "_settings", "_text", "_texts",
                 "form")  # fmt: skip

    def __init__(self, form: Form, settings: HttpSettings, limit: int) -> None:
        self.form = form
        self._settings = settings
        self._limit = min(limit, settings.body_bytes)
        self._head = PartHead("", None, "")
        self._content: _Content | None = None
        """The file that is coming; None: it is a field."""
        self._text = bytearray()
        self._texts = 0
        self._files = 0
        self._digest = self._parts = blake2b(digest_size=16)

    def take(self, event: Event) -> _Content | None:
        """Take the next; what is answered has to go to the disk before the one after that."""
        if isinstance(event, bytes):
            self.form.hold(len(event))
            self._digest.update(event)
            if self._content is not None:
                return self._content if self._content.add(event, self._settings.upload_memory_bytes) else None
            self._add_text(event)
        elif isinstance(event, PartHead):
            self._begin(event)
        else:
            self._end()
        return None

    def finish(self) -> None:
        """The form is complete."""
        self.form.digest = self._parts.digest()

    def _begin(self, head: PartHead) -> None:
        if head.filename is None:
            if len(self.form.fields) >= self._settings.form_fields:
                raise _too_many_fields(self._settings.form_fields)
        else:
            self._files += 1
            if self._files > self._settings.form_files:
                raise _too_many_files(self._settings.form_files)
            self._content = self.form.begin_file(head)
        self._head = head
        self._digest = blake2b(repr(head).encode("utf-8", "replace"), digest_size=16)

    def _add_text(self, data: bytes) -> None:
        self._texts += len(data)
        if self._texts > self._limit:
            raise BodyError(
                413,
                f"படிவத்தின் உரைப் புலங்கள் {self._limit} பைட்டுகளை மீறுகின்றன; சிறியதாக அனுப்பவும்",
                f"the text fields of the form are longer than {self._limit} bytes; please send less",
            )
        self._text += data

    def _end(self) -> None:
        self._parts.update(self._digest.digest())
        content, self._content = self._content, None
        if content is None:
            self.form.fields.append((self._head.name, self._text.decode("utf-8", "replace")))
            self._text = bytearray()
        elif content.size or self._head.filename:
            self.form.uploads.append(content.upload(self._head))
        # else: a browser says so that no file was chosen


def _too_many_files(most: int) -> BodyError:
    return BodyError(
        413,
        f"படிவத்தில் {most} கோப்புகளுக்கு மேல் உள்ளன; குறைவாக அனுப்பவும்",
        f"the form has more than {most} files; please send fewer",
    )
