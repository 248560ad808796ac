"""The tries of messages, counted before the message is handed out, and for little money.

A message that kills the process must not be tried for ever, so its try has to be on record before
anybody sees it, even when nothing has been committed since. The count need not survive a loss of power,
only ``kill -9``: what was written to a file survives that without being forced to the disk. So here is
a small file beside the journal that is written in place and never synced; half a microsecond a record.

```
head A │ head B │ records of A … │ records of B …        head: magic, a random salt
                                                          record: number, attempt, checksum with the salt
```

While one half fills up, the other is folded into the journal by an ordinary commit. A half that is
begun anew gets another salt, and what the old one left behind counts no more. The room is allotted when
the file is made, so a full disk does not stop the counting; only when both halves are full because
nothing could be committed for long, there is no more counting, and nothing may be handed out.
"""

from __future__ import annotations

import os
from binascii import crc32
from collections.abc import Iterator
from contextlib import suppress
from struct import Struct
from typing import Final

RECORDS: Final = 65_536
"""Records of one half."""

# What others may have put there to lead elsewhere is not followed, for the file is overwritten.
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW

_MAGIC = b"eTt1"
_HEAD = Struct("<4s8s")
_ROOM_OF_HEAD = 32
_RECORD = Struct("<QI")
_SUM = Struct("<I")
_SIZE = _RECORD.size + _SUM.size


class Tries:
    """The file beside the journal, or nothing at all when there is no path."""

    __slots__ = ("_file", "_free", "_half", "_left", "_path", "_place", "_records", "_salt")

    def __init__(self, path: str | None, records: int = RECORDS) -> None:
        self._path = path
        self._records = records
        self._file = -1
        self._half = 0
        self._free = True
        """Is the other half empty, its records folded into the journal?"""
        self._left = 0
        self._place = 0
        self._salt = 0

    def begin(self) -> None:
        """Make the file anew. What the last one knew must be in the journal by now.

        Raises:
            OSError: there is no room, or no permission.
        """
        if self._path is None:
            return
        self._file = os.open(self._path, _FLAGS, 0o600)
        _allot(self._file, 2 * (_ROOM_OF_HEAD + self._records * _SIZE))
        self._begin_half(0)

    def note(self, number: int, attempt: int) -> bool:
        """Put on record that this is tried; False when it could not be, and must not be tried."""
        if self._path is None:
            return True
        data = _RECORD.pack(number, attempt)
        try:
            if not self._left:
                if not self._free or self._file < 0:
                    return False
                self._begin_half(1 - self._half)
                self._free = False
            os.pwrite(self._file, data + _SUM.pack(crc32(data, self._salt)), self._place)
        except OSError:
            return False
        self._place += _SIZE
        self._left -= 1
        return True

    @property
    def wants_folding(self) -> bool:
        """Is the other half full of what the journal does not know yet?"""
        return not self._free

    def folded(self) -> None:
        """What the other half knew is in the journal."""
        self._free = True

    def close(self, forget: bool) -> None:
        """Done. To forget is right when the journal knows everything."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            if forget and self._path is not None:
                with suppress(FileNotFoundError):
                    os.unlink(self._path)

    def _begin_half(self, half: int) -> None:
        salt = os.urandom(8)
        os.pwrite(self._file, _HEAD.pack(_MAGIC, salt), half * _ROOM_OF_HEAD)
        self._half = half
        self._left = self._records
        self._salt = crc32(salt)
        self._place = 2 * _ROOM_OF_HEAD + half * self._records * _SIZE


def _allot(file: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
    else:
        os.pwrite(file, bytes(size), 0)


def read_tries(path: str) -> dict[int, int]:
    """The tries that a process which ended badly has left, by number; none when there is no file."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        return {}
    tries: dict[int, int] = {}
    records = (len(data) - 2 * _ROOM_OF_HEAD) // (2 * _SIZE)
    for half in (0, 1):
        for number, attempt in _records_of(data, half, records):
            tries[number] = max(attempt, tries.get(number, 0))
    return tries


def _records_of(data: bytes, half: int, records: int) -> Iterator[tuple[int, int]]:
    """The sound records of one half, which stand at its beginning."""
    head = data[half * _ROOM_OF_HEAD :][: _HEAD.size]
    if len(head) < _HEAD.size or not head.startswith(_MAGIC):
        return
    salt = crc32(_HEAD.unpack(head)[1])
    place = 2 * _ROOM_OF_HEAD + half * records * _SIZE
    for start in range(place, place + records * _SIZE, _SIZE):
        record = data[start : start + _RECORD.size]
        if data[start + _RECORD.size : start + _SIZE] != _SUM.pack(crc32(record, salt)):
            return
        yield _RECORD.unpack(record)
