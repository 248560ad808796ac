"""From what a program answers to a ``Response``: status, headers and body as bytes.

A record, array, boolean, number or nothing is JSON; text is sent as it is, and its type stays
``application/json`` unless a header says otherwise (EXTENSIONS §1.2). Headers that belong to the framing of
the message are not the program's. A value that could end a header field is an error, never cleaned: the
program has handed on what it should have looked at.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import quote

from etamil_actors.actors.programs.exchange import Headers, Response
from etamil_actors.actors.programs.route_options import whole_number
from etamil_actors.errors import Fault
from etamil_actors.vm.builtins.json import json_bytes
from etamil_actors.vm.convert import text_of
from etamil_actors.vm.values import TwoNamed, Value

JSON: Final = (b"content-type", b"application/json")

BYTES: Final = (b"content-type", b"application/octet-stream")

NOTHING_SAID: Final = "Handler executed successfully"
"""The answer of a handler that answers nothing (REFERENCE §19.4)."""

ANSWER_NAMES: Final = {"நிலை": "status", "உடலுரை": "body", "தலைப்புகள்": "headers", "स्थिति": "status"}
"""The fields of a response value; the table itself tells such a record from others."""

_FRAMING: Final = frozenset(
    (b"content-length", b"transfer-encoding", b"connection", b"keep-alive", b"upgrade", b"trailer", b"te",
     b"proxy-connection", b"date", b"x-request-id", b"traceparent", b"x-content-type-options")
)  # fmt: skip

URL_SIGNS: Final = "/:?#[]@!$&'()*+,;=%~"
"""What is not percent-encoded in a whole URL."""

NO_BODY: Final = (204, 205, 304)
"""Statuses of answers that have none."""

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_BREAKS: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Answer(NamedTuple):
    """What the program has said last: பதில், or what it returned."""

    status: Value
    body: Value
    """Bytes, where a word has made them."""
    headers: Value
    file: str | None = None


def answer_value(status: Value, body: Value, headers: Value) -> Value:
    """A response value; making one sends nothing."""
    return TwoNamed({"status": status, "body": body, "headers": headers}, ANSWER_NAMES)


def is_answer_value(value: Value) -> bool:
    """Was this made by பதில்_ஆக்கு or வழிமாற்று?"""
    return type(value) is TwoNamed and value.names is ANSWER_NAMES


def answer_of(value: Value, said: Answer | None) -> Answer:
    """The answer of a handler that has returned this and has ``said`` that before."""
    if value is None:
        return said or Answer(200, NOTHING_SAID, None)
    if type(value) is TwoNamed and value.names is ANSWER_NAMES:
        return Answer(value.get("status"), value.get("body"), value.get("headers"))
    return Answer(200, value, None)


def status_of(value: Value) -> int:
    """A number, truncated; what cannot be the status of an answer is 200 (REFERENCE §19.4)."""
    status = whole_number(value)
    return status if status is not None and 200 <= status <= 599 else 200


def compose(answer: Answer) -> Response:
    """The answer as bytes.

    Raises:
        Fault: ``value.local``, ``value.invalid``: it cannot travel.
    """
    status = answer.status
    if type(status) is not int or not 200 <= status <= 599:
        status = status_of(status)
    headers = headers_of(answer.headers) if answer.headers else [JSON]
    if answer.file is not None:
        typed = [pair for pair in headers if pair is not JSON]
        if not any(name == b"content-type" for name, _ in typed):
            typed.append(BYTES)
        return Response(status, typed, file=answer.file)
    if status in NO_BODY:
        return Response(status, [pair for pair in headers if pair is not JSON])
    body = answer.body
    if type(body) is bytes:  # made by a word; a program has no such value
        return Response(status, headers, body)
    data = body.encode("utf-8", "replace") if type(body) is str else json_bytes(body)
    return Response(status, headers, data)


def headers_of(written: Value) -> Headers:
    """The header fields that a program gives, with the type of JSON where it gives none.

    What is no record is ignored. A value that is an array becomes a field for each element.
    """
    if not isinstance(written, dict):
        return [JSON]
    made: Headers = []
    has_type = False
    for name, value in written.items():
        if _TOKEN.fullmatch(name) is None:
            raise _unsound(name)
        key = name.lower().encode("ascii")
        if key in _FRAMING or value is None:
            continue
        has_type = has_type or key == b"content-type"
        for one in value if isinstance(value, list) else (value,):
            text = text_of(one).strip(" \t")
            if _BREAKS.search(text) is not None:
                raise _unsound(name)
            if key == b"location" and not text.isascii():
                text = quote(text, safe=URL_SIGNS)
            made.append((key, text.encode("utf-8", "replace")))
    if not has_type:
        made.insert(0, JSON)
    return made


def _unsound(name: str) -> Fault:
    return Fault(
        "value.invalid",
        name="பதில்",
        problem_ta=f"தலைப்பு ‘{name}’-இல் கட்டுப்பாட்டு எழுத்துகள் இருக்கக் கூடாது, பெயரில் இடைவெளியும் கூடாது",
        problem_en=f"the header ‘{name}’ may not have control characters, nor its name a space",
    )
