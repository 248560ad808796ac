"""What travels between us and a Redis server: RESP2, without any I/O.

A command is an array of texts. Replies come in pieces of any size; the reader is fed with what has come,
and gives a reply as soon as there is a whole one:

```
+OK\\r\\n   -ERR why\\r\\n   :42\\r\\n   $3\\r\\nabc\\r\\n   *2\\r\\n:1\\r\\n$-1\\r\\n
simple     an error        number     a text              an array
```

A server says what it is going to send before it does, so that is where replies are bounded: what would be
larger, deeper or longer is refused before memory is given to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NoReturn

from etamil_actors.ports.redis import RedisError, Reply

MOST_DEEP: Final = 32
"""Arrays in arrays."""

PART_BYTES: Final = 64
"""What an element of an array counts at least: about as much memory as it takes here."""

LONGEST_LINE: Final = 64 * 1024
"""An error, a simple text or a number."""


class WireError(Exception):
    """What came is no reply, or one that is larger than it may be; the connection is of no use any more."""


class Waiting:
    """There is no whole reply yet."""


WAITING: Final = Waiting()


def encoded(parts: Sequence[str | bytes | int]) -> bytes:
    """A command as it travels. Texts are UTF-8."""
    pieces = [b"*%d\r\n" % len(parts)]
    for part in parts:
        data = _data(part)
        pieces.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(pieces)


def _data(part: str | bytes | int) -> bytes:
    if isinstance(part, str):
        return part.encode()
    return part if isinstance(part, bytes) else b"%d" % part


class Reader:
    """See the top of the file."""

    __slots__ = ("_at", "_budget", "_data", "_most_bytes", "_open")

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._budget = most_bytes
        """What the reply at hand may still take."""
        self._data = bytearray()
        self._at = 0
        self._open: list[tuple[list[Reply], int]] = []
        """Arrays that are not complete, the outermost first, and how long they will be."""

    @property
    def is_empty(self) -> bool:
        """Has everything that came been given out?"""
        return not self._data and not self._open

    def feed(self, data: bytes | bytearray) -> None:
        """This has come."""
        self._data += data

    def reply(self) -> Reply | Waiting:
        """The next whole reply. Raises: WireError."""
        while True:
            made = self._one()
            if isinstance(made, Waiting):
                self._forget()
                return WAITING
            whole = self._put(made)
            if not isinstance(whole, Waiting):
                self._forget()
                self._budget = self._most_bytes
                return whole

    def _put(self, made: Reply) -> Reply | Waiting:
        """A part is complete: the whole reply, if that makes it complete."""
        while self._open:
            items, length = self._open[-1]
            if made is not items:
                items.append(made)
            if len(items) < length:
                return WAITING
            self._open.pop()
            made = items
        return made

    def _one(self) -> Reply | Waiting:
        """The next part; an array that has just begun stands for itself."""
        end = self._data.find(b"\r\n", self._at)
        if end < 0:
            if len(self._data) - self._at > LONGEST_LINE:
                _broken("a line without an end")
            return WAITING
        kind, line = self._data[self._at], bytes(self._data[self._at + 1 : end])
        if kind == 36:  # $
            return self._text(line, end + 2)
        self._at = end + 2
        match kind:
            case 43:  # +
                self._spend(len(line) + PART_BYTES)
                return line
            case 45:  # -
                self._spend(len(line) + PART_BYTES)
                return RedisError(line.decode("utf-8", "replace"))
            case 58:  # :
                self._spend(PART_BYTES)
                return _number(line)
            case 42:  # *
                return self._array(_number(line))
            case _:
                return _broken("an unknown kind of reply")

    def _text(self, line: bytes, begin: int) -> Reply | Waiting:
        length = _number(line)
        if length < 0:
            _insist(length == -1, "a text of no length")
            self._spend(PART_BYTES)
            self._at = begin
            return None
        if length > self._budget:
            self._too_large()
        end = begin + length
        if len(self._data) < end + 2:
            return WAITING
        if self._data[end : end + 2] != b"\r\n":
            _broken("a text of another length")
        self._spend(length + PART_BYTES)
        self._at = end + 2
        return bytes(self._data[begin:end])

    def _array(self, length: int) -> Reply:
        if length < 0:
            _insist(length == -1, "an array of no length")
            self._spend(PART_BYTES)
            return None
        if length * PART_BYTES > self._budget:
            self._too_large()
        if len(self._open) >= MOST_DEEP:
            _broken("arrays in arrays without end")
        items: list[Reply] = []
        self._spend(PART_BYTES)
        self._open.append((items, length))
        return items

    def _spend(self, count: int) -> None:
        self._budget -= count
        if self._budget < 0:
            self._too_large()

    def _too_large(self) -> NoReturn:
        _broken(f"a reply of more than {self._most_bytes} bytes")

    def _forget(self) -> None:
        if self._at:
            del self._data[: self._at]
            self._at = 0


def _insist(is_so: bool, problem: str) -> None:
    if not is_so:
        _broken(problem)


def _number(line: bytes) -> int:
    digits = line.removeprefix(b"-")
    if not digits.isdigit() or len(digits) > 20:
        _broken("a number that is none")
    return int(line)


def _broken(problem: str) -> NoReturn:
    raise WireError(problem)
