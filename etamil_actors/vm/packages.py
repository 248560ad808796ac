"""ZIP packages in memory, such as ODF documents (PKWARE APPNOTE 6.3).

Just what packages need: find the entries, unpack one, and make a copy in which some are
replaced. Entries that stay are never unpacked; their packed bytes are carried over as they are,
in the same order, so neither a signature over them nor a small file that would unpack to a
terabyte matters here. Python's ``zipfile`` can do none of that with bytes in memory without
reaching into its inner parts.

A new one is made of names and contents (``packed``). Stored and deflated entries are understood; sizes of 64
bits are read, and written as 32.
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct
from struct import error as StructError
from typing import NamedTuple

from etamil_actors.vm.limits import VALUE_BYTES, too_large

Moment = tuple[int, int, int, int, int, int]
"""Year, month, day, hour, minute, second."""

STORED, DEFLATED = 0, 8
ENCRYPTED, SIZES_BEHIND, UTF8_NAME = 0x1, 0x8, 0x800
IN_EXTRA = 0xFFFFFFFF
"""Stands for a size or offset that is to be found in the extra field of 64-bit sizes."""

# What stands in front of every entry: needs, flags, method, time, date, checksum, packed, size, and the
# lengths of name and extra.
LOCAL = Struct("<4s5H3L2H")
# A line of the directory: made by, then as above, and the length of its comment, disk, attributes, offset.
LISTED = Struct("<4s6H3L5H2L")
# The end: disks, how many entries, size and offset of the directory, length of the comment.
END = Struct("<4s4H2LH")
WIDE = Struct("<Q")


class BadPackage(Exception):
    """What is wrong with a package, in words of both languages."""

    def __init__(self, tamil: str, english: str) -> None:
        super().__init__(english)
        self.tamil = tamil
        self.english = english


class Entry(NamedTuple):
    """A line of the directory."""

    name: bytes
    made_by: int
    needs: int
    flags: int
    method: int
    time: int
    date: int
    checksum: int
    packed: int
    size: int
    offset: int
    internal: int
    external: int
    extra: bytes
    comment: bytes

    def is_called(self, name: str) -> bool:
        """Names are UTF-8 when a flag says so, else of the old code page 437, or yet UTF-8."""
        if self.name == name.encode():
            return True
        return not self.flags & UTF8_NAME and self.name.decode("cp437") == name


class Package:
    """A package that was read."""

    __slots__ = ("_comment", "_data", "entries")

    def __init__(self, data: bytes) -> None:
        """Find the entries of a package.

        Raises:
            BadPackage: this is no package, or it is damaged.
        """
        self._data = data
        try:
            self.entries, self._comment = _directory(data)
        except (StructError, ValueError) as problem:
            raise _damaged() from problem

    def find(self, name: str) -> int:
        """Which entry has this name; of several the last.

        Raises:
            BadPackage: there is none.
        """
        for place in range(len(self.entries) - 1, -1, -1):
            if self.entries[place].is_called(name):
                return place
        raise BadPackage(f"‘{name}’ என்ற உள்ளீடு பொதியில் இல்லை", f"the package has no entry ‘{name}’")

    def read(self, name: str) -> bytes:
        """The content of an entry.

        Raises:
            BadPackage: there is none, or it cannot be unpacked.
            BudgetSpent: it is too large.
        """
        from zlib import crc32

        entry = self.entries[self.find(name)]
        if entry.flags & ENCRYPTED:
            raise BadPackage("உள்ளீடு மறைகுறியாக்கப்பட்டுள்ளது", "the entry is encrypted")
        content = self._packed_bytes(entry)[1]
        if entry.method == DEFLATED:
            content = _inflated(content)
        elif entry.method != STORED:
            raise BadPackage("தெரியாத சுருக்க முறை", "the entry is packed in an unknown way")
        if crc32(content) != entry.checksum:
            raise _damaged()
        return content

    def changed(self, changes: dict[str, bytes]) -> bytes:
        """A copy of the whole package in which these entries have new contents.

        Raises:
            BadPackage: an entry does not exist, or the package is damaged.
            BudgetSpent: the copy would be too large.
        """
        new = {self.find(name): content for name, content in changes.items()}
        kept = [entry.packed for place, entry in enumerate(self.entries) if place not in new]
        if max(kept, default=0) > len(self._data):
            raise _damaged()
        # Entries may claim the same bytes, to make a large package out of a small one.
        if sum(kept) > VALUE_BYTES:
            raise too_large()
        pieces: list[bytes] = []
        listed: list[bytes] = []
        offset = 0
        for place, entry in enumerate(self.entries):
            extra, data = b"", b""
            if place in new:
                entry, data = _packed(entry, new[place])
            else:
                extra, data = self._packed_bytes(entry)
            before = LOCAL.pack(b"PK\x03\x04", *_common(entry), len(entry.name), len(extra))
            pieces += (before, entry.name, extra, data)
            listed.append(_line(entry, offset))
            offset += len(before) + len(entry.name) + len(extra) + len(data)
            if offset > VALUE_BYTES:
                raise too_large()
        count, directory = len(self.entries), b"".join(listed)
        end = END.pack(b"PK\x05\x06", 0, 0, count, count, len(directory), offset, len(self._comment))
        return b"".join([*pieces, directory, end, self._comment])

    def _packed_bytes(self, entry: Entry) -> tuple[bytes, bytes]:
        """The extra field and the packed bytes that stand at an entry."""
        front = self._data[entry.offset : entry.offset + LOCAL.size]
        if len(front) != LOCAL.size or front[:4] != b"PK\x03\x04":
            raise _damaged()
        *_, name_length, extra_length = LOCAL.unpack(front)
        name_end = entry.offset + LOCAL.size + name_length
        start = name_end + extra_length
        data = self._data[start : start + entry.packed]
        if len(data) != entry.packed:
            raise _damaged()
        return _narrow_extra(self._data[name_end:start]), data


MOST_ENTRIES = 0xFFFF
LONGEST_NAME = 0xFFFF
EARLIEST = 1980
"""Before this year there is no date in a package."""
REGULAR = 0o100644 << 16
"""A file that its owner may write and everybody may read, for systems that ask."""
UNIX = 3 << 8


def packed(contents: Mapping[str, bytes], moment: Moment) -> bytes:
    """A new package with these entries, in their order, all made at this moment.

    A name is a path inside the folder into which somebody will unpack it, with ``/`` between its parts.

    Raises:
        BadPackage: a name leads out of that folder, or cannot be one; or there are too many entries.
        BudgetSpent: it would be too large.
    """
    if len(contents) > MOST_ENTRIES:
        raise BadPackage(
            f"ஒரு பொதியில் {MOST_ENTRIES} உள்ளீடுகள் வரை இருக்கலாம்",
            f"a package may have {MOST_ENTRIES} entries at most",
        )
    if sum(map(len, contents.values())) > VALUE_BYTES:
        raise too_large()
    pieces: list[bytes] = []
    listed: list[bytes] = []
    offset = 0
    time, date = _dos_time(moment)
    for name, content in contents.items():
        expect_entry_name(name)
        blank = Entry(
            name.encode(), UNIX | 20, 20, UTF8_NAME, DEFLATED, time, date, 0, 0, 0, 0, 0, REGULAR, b"", b""
        )
        entry, data = _packed(blank, content)
        if len(data) >= len(content):
            entry, data = entry._replace(method=STORED, packed=len(content)), content
        before = LOCAL.pack(b"PK\x03\x04", *_common(entry), len(entry.name), 0)
        pieces += (before, entry.name, data)
        listed.append(_line(entry, offset))
        offset += len(before) + len(entry.name) + len(data)
    count, directory = len(listed), b"".join(listed)
    end = END.pack(b"PK\x05\x06", 0, 0, count, count, len(directory), offset, 0)
    return b"".join([*pieces, directory, end])


def expect_entry_name(name: str) -> None:
    """May an entry be called so? Raises: BadPackage."""
    parts = name.split("/")
    is_plain = all(letter >= " " and letter not in '\\:\x7f' for letter in name)
    if is_plain and not {"", ".", ".."} & set(parts) and len(name.encode("utf-8", "replace")) <= LONGEST_NAME:
        return
    raise BadPackage(
        f"‘{name[:100]}’ ஒரு பொதியின் உள்ளீட்டுக்குப் பெயராகாது; ‘folder/name.txt’ போல எழுதவும்",
        f"‘{name[:100]}’ cannot be the name of an entry in a package; write it like ‘folder/name.txt’",
    )


def _dos_time(moment: Moment) -> tuple[int, int]:
    """Time and date as packages have them: two seconds are the least that can be told."""
    year, month, day, hour, minute, second = moment
    if year < EARLIEST:
        year, month, day, hour, minute, second = EARLIEST, 1, 1, 0, 0, 0
    return hour << 11 | minute << 5 | second // 2, min(year - EARLIEST, 127) << 9 | month << 5 | day


# ── reading the directory ───────────────────────────────────────────────────────────────────────────


def _directory(data: bytes) -> tuple[list[Entry], bytes]:
    position = _end_of(data)
    _, disk, first_disk, _, count, length, offset, _ = END.unpack_from(data, position)
    # Something may stand in front of the package; all offsets count from its beginning.
    shift = position - length - offset
    if disk or first_disk or shift < 0:
        raise _damaged()
    entries: list[Entry] = []
    place = offset + shift
    for _ in range(count):
        entry, place = _entry(data, place, shift)
        entries.append(entry)
    if place > position:
        raise _damaged()
    return entries, data[position + END.size :]


def _end_of(data: bytes) -> int:
    """Where the end record stands: the last one whose comment reaches to the end of the file."""
    position = len(data)
    while True:
        position = data.rfind(b"PK\x05\x06", max(0, len(data) - END.size - 0xFFFF), position)
        if position < 0:
            raise _damaged()
        if position + END.size <= len(data):
            if position + END.size + END.unpack_from(data, position)[-1] == len(data):
                return position


def _entry(data: bytes, place: int, shift: int) -> tuple[Entry, int]:
    (
        signature, made_by, needs, flags, method, time, date, checksum, packed, size,
        name_length, extra_length, comment_length, _, internal, external, offset,
    ) = LISTED.unpack_from(data, place)  # fmt: skip
    name_end = place + LISTED.size + name_length
    extra_end = name_end + extra_length
    end = extra_end + comment_length
    if signature != b"PK\x01\x02" or end > len(data):
        raise _damaged()
    extra = data[name_end:extra_end]
    size, packed, offset = _widened((size, packed, offset), extra)
    entry = Entry(
        data[place + LISTED.size : name_end],
        made_by, needs, flags, method, time, date, checksum, packed, size, offset + shift,
        internal, external, _narrow_extra(extra), data[extra_end:end],
    )  # fmt: skip
    return entry, end


def _widened(sizes: tuple[int, ...], extra: bytes) -> tuple[int, ...]:
    """Sizes and offset, those of 64 bits taken from the extra field."""
    wide = next((field[4:] for field in _fields(extra) if field[:2] == b"\x01\x00"), b"")
    found: list[int] = []
    for size in sizes:
        if size == IN_EXTRA:
            (size,) = WIDE.unpack_from(wide)
            wide = wide[WIDE.size :]
        found.append(size)
    return tuple(found)


def _narrow_extra(extra: bytes) -> bytes:
    """The extra fields without that of the 64-bit sizes."""
    return b"".join(field for field in _fields(extra) if field[:2] != b"\x01\x00")


def _fields(extra: bytes) -> list[bytes]:
    fields = []
    while len(extra) >= 4:
        length = 4 + int.from_bytes(extra[2:4], "little")
        fields.append(extra[:length])
        extra = extra[length:]
    return fields


# ── packing ─────────────────────────────────────────────────────────────────────────────────────────


def _inflated(data: bytes) -> bytes:
    from zlib import decompressobj
    from zlib import error as ZlibError

    unpacker = decompressobj(-15)
    try:
        # Not the size that the package claims counts, but what comes out.
        content = unpacker.decompress(data, VALUE_BYTES + 1)
    except ZlibError as problem:
        raise _damaged() from problem
    if len(content) > VALUE_BYTES:
        raise too_large()
    if not unpacker.eof:
        raise _damaged()
    return content


def _packed(entry: Entry, content: bytes) -> tuple[Entry, bytes]:
    """An entry with new content, packed as the old one was. ``mimetype`` stays readable as it is."""
    from zlib import compressobj, crc32

    data, method = content, STORED
    if entry.method != STORED and entry.name != b"mimetype":
        packer = compressobj(9, DEFLATED, -15)
        data, method = packer.compress(content) + packer.flush(), DEFLATED
    new = entry._replace(
        flags=entry.flags & UTF8_NAME,
        needs=20,
        method=method,
        checksum=crc32(content),
        packed=len(data),
        size=len(content),
    )
    return new, data


def _common(entry: Entry) -> tuple[int, ...]:
    # Sizes are written in front, not behind; with encryption that flag has a second meaning.
    flags = entry.flags if entry.flags & ENCRYPTED else entry.flags & ~SIZES_BEHIND
    size = min(entry.size, IN_EXTRA - 1)
    return entry.needs, flags, entry.method, entry.time, entry.date, entry.checksum, entry.packed, size


def _line(entry: Entry, offset: int) -> bytes:
    lengths = len(entry.name), len(entry.extra), len(entry.comment)
    rest = 0, entry.internal, entry.external, offset
    head = LISTED.pack(b"PK\x01\x02", entry.made_by, *_common(entry), *lengths, *rest)
    return head + entry.name + entry.extra + entry.comment


def _damaged() -> BadPackage:
    return BadPackage("இது ஒரு ZIP பொதி அல்ல, அல்லது சேதமடைந்துள்ளது", "this is no ZIP package, or it is damaged")
