"""The head of a request of HTTP/1: from bytes to method, target and fields, or to the reason why not. No I/O.

Both lanes read heads here, and the words of a refusal are in ``edge/heads.py``; so a flaw is the same flaw
wherever it comes in.

Two readers look at every head. The first is one expression for the whole of it, from RFC 9112 without any
of its leniencies: CR LF ends a line and nothing else does, a field is a token, a colon and a value without
control characters, lines are never continued. It has no choices to go back to (every repetition is
possessive), so its time is linear. The second is ``httptools``, which cuts the parts out. What passes both is
read in one way by everyone else too.

Then the fields that say where the body ends are looked at. A head is refused, and its connection ends, when

- there are two lengths, a length and chunks, a length that is no plain number, or a transfer coding other
  than ``chunked``;
- a request of HTTP/1.1 has no ``Host``, or there are two, or it could not be a host, or the address names
  another one;
- something is expected that we do not do.

Measured on CPython 3.11: 1 µs for a head of one field, 3 µs for one of seven. Cutting the lines in Python
takes longer than the C parser.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import httptools

from etamil_actors.actors.programs.exchange import Headers
from etamil_actors.edge import heads
from etamil_actors.edge.heads import HOST, HeadError, Refusal
from etamil_actors.edge.settings import HttpSettings

__all__ = [
    "END", "PREFACE", "Head", "HeadError", "are_trailers", "blank_bytes", "check_start", "knows_method",
    "read_head", "too_slow",
]  # fmt: skip

END: Final = b"\r\n\r\n"
PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\n"
"""How a client says that it will speak HTTP/2 from the first byte on."""

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_LINE = rb"(" + _TOKEN + rb") ([\x21-\x7e]++) HTTP/1\.([01])\r\n"
_FIELDS = rb"(?:" + _TOKEN + rb":[\t\x20-\x7e\x80-\xff]*+\r\n)*+"
_HEAD = re.compile(_LINE + _FIELDS + rb"\r\n")
_FIRST = re.compile(_LINE)
_TRAILERS = re.compile(_FIELDS)
_ANY_VERSION = re.compile(_TOKEN + rb" [\x21-\x7e]++ HTTP/([0-9]\.[0-9])\r\n")
_BARE = re.compile(rb"(?<!\r)\n|\r(?=[^\n])")
_ABSOLUTE = re.compile(rb"(https?)://([^/?#]*+)", re.IGNORECASE)
_DEFAULT_PORTS: Final = {b"http": b":80", b"https": b":443"}

_MAX_LENGTH_DIGITS: Final = 18
_OF_FRAMING: Final = frozenset(
    (b"host", b"content-length", b"transfer-encoding", b"connection", b"expect", b"upgrade")
)


class Head:
    """A head that was read. ``httptools`` fills it in."""

    __slots__ = ("_framing", "closes", "expects", "fields", "is_chunked", "is_plain", "keeps", "length",
                 "method", "target", "upgrades", "version")  # fmt: skip

    def __init__(self) -> None:
        self.method = ""
        self.target = b""
        self.version = "1.1"
        self.fields: Headers = []
        """Names in lower case, values without space around them, in the order of the wire."""
        self.length = 0
        """Of the body; 0 without one and for chunks."""
        self.is_chunked = False
        self.closes = False
        """The client wants no more than this answer on the connection."""
        self.expects = False
        """The client waits for ``100 Continue`` before it sends the body."""
        self.upgrades = False
        """The client would like to go on as a WebSocket."""
        self.keeps = False
        """Is its end known, and does nothing follow but the next request?"""
        self.is_plain = False
        """Has it no body, and does nothing follow but the next request?"""
        self._framing: Headers = []

    def on_url(self, target: bytes) -> None:
        """``httptools`` found the target."""
        self.target = target

    def on_header(self, name: bytes, value: bytes) -> None:
        """``httptools`` found a field."""
        name = name.lower()
        value = value.strip()
        self.fields.append((name, value))
        if name in _OF_FRAMING:
            self._framing.append((name, value))

    def settle(self) -> None:
        """Decide how the body is framed and what happens afterwards. Raises: HeadError."""
        hosts = lengths = 0
        connection = upgrade = b""
        for name, value in self._framing:
            if name == b"host":
                hosts += 1
                if HOST.fullmatch(value) is None:
                    raise HeadError(heads.NO_HOST)
                if self.target[:1] != b"/" and _names_other_host(self.target, value):
                    raise HeadError(heads.OTHER_HOST)
            elif name == b"connection":
                connection = value if not connection else connection + b"," + value
            elif name == b"content-length":
                lengths += 1
                self.length = _length(value)
            elif name == b"transfer-encoding":
                self._expect_chunked(value)
            elif name == b"upgrade":
                upgrade = value if not upgrade else upgrade + b"," + value
            elif self.version != "1.0":
                self._expect_continue(value)
        if lengths + self.is_chunked > 1:
            raise HeadError(heads.TWO_LENGTHS)
        if hosts != 1 and (hosts or self.version != "1.0"):
            raise HeadError(heads.HOSTS)
        self._settle_connection(connection, upgrade)
        self.keeps = not (self.is_chunked or self.closes or self.upgrades or self.version == "1.0")
        self.is_plain = self.keeps and not self.length

    def _expect_chunked(self, value: bytes) -> None:
        if self.version == "1.0":
            raise HeadError(heads.OLD_CODING)
        if self.is_chunked or value.lower() != b"chunked":
            raise HeadError(heads.CODING)
        self.is_chunked = True

    def _expect_continue(self, value: bytes) -> None:
        if value.lower() != b"100-continue":
            raise HeadError(heads.EXPECTATION)
        self.expects = True

    def _settle_connection(self, connection: bytes, upgrade: bytes) -> None:
        if not connection:
            self.closes = self.version == "1.0"
            return
        said = {word.strip() for word in connection.lower().split(b",")}
        self.closes = b"close" in said or (self.version == "1.0" and b"keep-alive" not in said)
        self.upgrades = (
            b"upgrade" in said
            and self.method == "GET"
            and any(word.strip() == b"websocket" for word in upgrade.lower().split(b","))
        )


def read_head(raw: bytes, settings: HttpSettings) -> Head:
    """Read a whole head, its empty line included.

    Raises: HeadError, it has more than one reading, or none, or is larger than allowed.
    """
    if len(raw) > settings.header_bytes:
        raise _too_large(raw, settings)
    match = _HEAD.fullmatch(raw)
    if match is None:
        raise _flaw(raw)
    head = Head()
    if match[3] == b"0":
        head.version = "1.0"
    head.method = match[1].decode()
    is_read = _cut_out(raw, head)
    if len(match[2]) > settings.target_bytes:
        raise HeadError(heads.too_long(settings))
    if len(head.fields) > settings.header_count:
        raise HeadError(heads.too_many(settings))
    head.settle()
    if not is_read or head.target != match[2]:
        raise HeadError(heads.NOT_UNDERSTOOD)
    return head


def _cut_out(raw: bytes, head: Head) -> bool:
    # A parser of its own for each head: it costs 0.3 µs and there is no state to be sure of.
    try:
        httptools.HttpRequestParser(head).feed_data(raw)
    except httptools.HttpParserUpgrade:
        if head.method == "CONNECT":
            raise HeadError(heads.unknown_method(head.method)) from None
    except httptools.HttpParserInvalidMethodError:
        raise HeadError(heads.unknown_method(head.method)) from None
    except httptools.HttpParserError:
        # It stops where it stumbles. Take the fields from the lines, so that the refusal can say why.
        head.fields, head._framing = [], []
        for line in raw.split(b"\r\n")[1:-2]:
            name, _, value = line.partition(b":")
            head.on_header(name, value)
        return False
    return True


def _length(value: bytes) -> int:
    # ``isdigit`` of bytes is true of 0 to 9 only.
    if not value.isdigit() or len(value) > _MAX_LENGTH_DIGITS:
        raise HeadError(heads.NO_LENGTH)
    return int(value)


def blank_bytes(data: bytes | bytearray) -> int:
    """How many bytes of empty lines stand in front. Some clients send one behind a body; two are let pass.

    Raises: HeadError, there are more, or they are no whole lines.
    """
    count = len(data) - len(data.lstrip(b"\r\n"))
    if not END.startswith(data[:count]) or (count % 2 and count < len(data)):
        raise HeadError(heads.EMPTY_LINES)
    return count


def check_start(
    data: bytes | bytearray, since: int, settings: HttpSettings, *, is_secured: bool = False
) -> None:
    """Look at a head that has not come whole yet; ``since`` is where its new bytes start.

    Raises: HeadError, when it cannot become one any more. Nobody has to wait for the end of what is no HTTP.
    """
    if data[0] < 0x21 or data[0] > 0x7E:
        raise HeadError(heads.NO_HTTP if is_secured else heads.NO_TLS)
    if len(data) < len(PREFACE) and PREFACE.startswith(data):
        return
    since = max(0, since - 1)
    if _BARE.search(data, since):
        raise HeadError(heads.BARE_LINE)
    end = data.find(b"\r\n")
    if end >= since and _FIRST.match(data) is None:
        raise _flaw(bytes(data))
    if (end < 0 and len(data) > settings.target_bytes + 32) or len(data) > settings.header_bytes:
        raise _too_large(bytes(data), settings)


def _too_large(raw: bytes, settings: HttpSettings) -> HeadError:
    """Why a head that is larger than allowed is refused: the target, or all of it."""
    first = raw.partition(b"\r\n")[0].split(b" ")
    if b"\r\n" not in raw or (len(first) > 1 and len(first[1]) > settings.target_bytes):
        return HeadError(heads.too_long(settings))
    return HeadError(heads.too_large(settings))


def too_slow(settings: HttpSettings) -> HeadError:
    """Why a head that does not end is refused."""
    return HeadError(heads.too_slow(settings))


def are_trailers(raw: bytes) -> bool:
    """Are these lines fields? Nothing is kept of those that come after chunks."""
    return _TRAILERS.fullmatch(raw) is not None


@lru_cache(maxsize=64)
def knows_method(method: bytes) -> bool:
    """Is there such a method? For heads that do not come as lines; it has to be a token."""
    try:
        httptools.HttpRequestParser(Head()).feed_data(method + b" / HTTP/1.1\r\n\r\n")
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        return False  # of HTTP/1.1 only CONNECT would change the protocol
    return True


def _names_other_host(target: bytes, host: bytes) -> bool:
    """Does an address that names a host name another one than the ``Host`` field?"""
    found = _ABSOLUTE.match(target)
    if found is None:
        return False
    port = _DEFAULT_PORTS[found[1].lower()]
    return found[2].lower().removesuffix(port) != host.lower().removesuffix(port)


def _flaw(raw: bytes) -> HeadError:
    """Why a head is no head. Only for those that are none, so it may take its time."""
    return HeadError(_refusal(raw))


def _refusal(raw: bytes) -> Refusal:
    line = raw[: raw.find(b"\r\n") + 2]
    if _BARE.search(raw):
        return heads.BARE_LINE
    if not line.isascii():
        target = line.rstrip(b"\r\n").partition(b" ")[2]
        return heads.raw_letters(target.rpartition(b" ")[0] or target)
    if _FIRST.match(line) is None:
        return heads.VERSION if _ANY_VERSION.match(line) else heads.FIRST_LINE
    return _flaw_of_fields(raw[len(line) : -4].split(b"\r\n"))


def _flaw_of_fields(lines: list[bytes]) -> Refusal:
    for number, line in enumerate(lines, 1):
        if line[:1] in (b" ", b"\t"):
            return heads.continued(number)
        if not are_trailers(line + b"\r\n"):
            return heads.no_field(number)
    return heads.NOT_UNDERSTOOD
