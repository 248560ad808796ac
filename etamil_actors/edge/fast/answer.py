"""The head of an answer as bytes. What it says is the site's; what framing needs is added here.

Nothing that a program, a file name or a request has put into a header may end a line: a head with one CR,
LF or NUL more than its lines is not sent. That is the last door, not the only one.
"""

from __future__ import annotations

from http import HTTPStatus
from time import time
from typing import Final

from etamil_actors.actors.programs.exchange import Headers
from etamil_actors.edge.conditions import http_date
from etamil_actors.errors import InternalError

_LINES: Final = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\ndate: ".encode() for status in HTTPStatus
}

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
CHUNKED: Final = b"transfer-encoding: chunked\r\n"
CLOSE: Final = b"connection: close\r\n"
KEEP_ALIVE: Final = b"connection: keep-alive\r\n"

_second = -1
_date = b""


def head_of(status: int, headers: Headers, framing: bytes) -> bytes:
    """The whole head; ``framing`` are the lines of the lane, each with its end.

    Raises: InternalError, a header would break out of its line.
    """
    start = _LINES.get(status) or f"HTTP/1.1 {status} \r\ndate: ".encode()
    if int(time()) != _second:
        _tick()
    if len(headers) == 1:
        name, value = headers[0]
        head = b"%b%b\r\n%b: %b\r\n%b\r\n" % (start, _date, name, value, framing)
    else:
        fields = b"".join([b"%b: %b\r\n" % field for field in headers])
        head = b"%b%b\r\n%b%b\r\n" % (start, _date, fields, framing)
    ends = 3 + len(headers) + framing.count(b"\n")
    if head.count(b"\n") != ends or head.count(b"\r") != ends or b"\0" in head:
        raise InternalError(f"a header of an answer {status} has a line end or NUL in it")
    return head


def _tick() -> None:
    global _date, _second
    _second = int(time())
    _date = http_date(_second)
