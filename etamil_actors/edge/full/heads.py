"""What is wrong with the head of a request of HTTP/2, which comes in parts. Pure.

Lines are judged in ``fast/head.py``, for both lanes. Where there are none, and so nothing has two readings,
the same limits and the same rules for methods, addresses and hosts are left.
"""

from __future__ import annotations

import re
from typing import Final

from etamil_actors.actors.programs.exchange import Headers
from etamil_actors.edge.fast.head import knows_method
from etamil_actors.edge.heads import (
    EXPECTATION,
    HOST,
    NO_HOST,
    NOT_UNDERSTOOD,
    Refusal,
    raw_letters,
    too_large,
    too_long,
    too_many,
    unknown_method,
)
from etamil_actors.edge.settings import HttpSettings

_VISIBLE: Final = re.compile(rb"[\x21-\x7e]+")
_TOKEN: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


def flaw_of_parts(method: bytes, target: bytes, fields: Headers, settings: HttpSettings) -> Refusal | None:
    """What is wrong with a request, if anything is. A WebSocket's method is ``GET`` here, as in HTTP/1."""
    if _TOKEN.fullmatch(method) is None:
        return NOT_UNDERSTOOD
    if not knows_method(method):
        return unknown_method(method.decode("ascii"))
    return _flaw_of_target(method, target, settings) or _flaw_of_fields(target, fields, settings)


def _flaw_of_target(method: bytes, target: bytes, settings: HttpSettings) -> Refusal | None:
    if len(target) > settings.target_bytes:
        return too_long(settings)
    if _VISIBLE.fullmatch(target) is None:
        return NOT_UNDERSTOOD if target.isascii() else raw_letters(target)
    if target[:1] != b"/" and not (target == b"*" and method == b"OPTIONS"):
        return NOT_UNDERSTOOD
    return None


def _flaw_of_fields(target: bytes, fields: Headers, settings: HttpSettings) -> Refusal | None:
    if len(fields) > settings.header_count:
        return too_many(settings)
    if len(target) + sum(len(name) + len(value) + 4 for name, value in fields) > settings.header_bytes:
        return too_large(settings)
    for name, value in fields:
        if name == b"host" and HOST.fullmatch(value) is None:
            return NO_HOST
        if name == b"expect" and value.lower() != b"100-continue":
            return EXPECTATION
    return None
