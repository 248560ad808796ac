"""Answers that tell what went wrong: problem documents (RFC 9457), in the client's language.

```json
{"type": "urn:etamil:validation", "title": "உள்ளடக்கம் பொருந்தவில்லை", "status": 422, "detail": "…",
 "code": "validation", "errors": [{"field": "வயது", "detail": "எண் தேவை; …"}], "error": "…", "request_id": "…"}
```

A client that asks for Tamil or English gets that; one that says nothing gets both, in the way of this
house: ``தமிழ்  (English)``. ``error`` is for clients of before: the short words that they show.

**What goes out.** An error tells the client what *it* can change. What went wrong inside — any code without
a status of its own, and the words of databases and journals — is for the log; the client gets the request's
id, by which the log is found. ``debug`` tells it all, to those who write the service.

**In an envelope.** Services whose every answer is ``{success, data, error}`` want their errors to be read
in the same way. ``envelope`` adds ``"success": false`` and ``"data": null``: with ``error``, which is there
anyhow, the document is both, for RFC 9457 lets a document have further members.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from etamil_actors.actors.programs.exchange import STATUS_OF, Headers
from etamil_actors.edge.exact_json import encode
from etamil_actors.edge.languages import Language
from etamil_actors.errors import Fault, Frame
from etamil_actors.vm.values import Value

CONTENT_TYPE: Final = b"application/problem+json; charset=utf-8"
LONGEST_TEXT: Final = 4_000
"""Letters of a text in an answer. Some of them repeat what the client has sent."""
LONGEST_KEPT: Final = 300
"""Letters of texts whose documents are kept ready."""
MOST_ERRORS: Final = 100
MOST_FRAMES: Final = 40


class Words(NamedTuple):
    """The same in both languages."""

    tamil: str
    english: str


TITLES: Final = {
    status: Words(tamil, english)
    for status, tamil, english in (
        (400, "தவறான கோரிக்கை", "Bad Request"),
        (401, "அடையாளம் தேவை", "Unauthorized"),
        (403, "அனுமதி இல்லை", "Forbidden"),
        (404, "கிடைக்கவில்லை", "Not Found"),
        (405, "இந்த முறைக்கு அனுமதி இல்லை", "Method Not Allowed"),
        (406, "கேட்ட வடிவத்தில் தர முடியாது", "Not Acceptable"),
        (408, "கோரிக்கை முழுமையாக வருவதற்குள் நேரம் முடிந்தது", "Request Timeout"),
        (409, "முரண்பாடு", "Conflict"),
        (410, "நிரந்தரமாக நீக்கப்பட்டது", "Gone"),
        (411, "உடலுரையின் நீளம் தேவை", "Length Required"),
        (412, "முன்நிபந்தனை நிறைவேறவில்லை", "Precondition Failed"),
        (413, "உடலுரை மிகப் பெரியது", "Content Too Large"),
        (414, "கோரிக்கையின் முகவரி மிக நீளமானது", "URI Too Long"),
        (415, "இந்த உள்ளடக்க வகை ஏற்கப்படாது", "Unsupported Media Type"),
        (416, "கேட்ட பகுதி இல்லை", "Range Not Satisfiable"),
        (417, "எதிர்பார்ப்பை நிறைவேற்ற முடியாது", "Expectation Failed"),
        (421, "கோரிக்கை தவறான வழங்கிக்கு வந்துள்ளது", "Misdirected Request"),
        (422, "உள்ளடக்கம் பொருந்தவில்லை", "Unprocessable Content"),
        (426, "வேறு நெறிமுறைக்கு மாற வேண்டும்", "Upgrade Required"),
        (428, "முன்நிபந்தனை தேவை", "Precondition Required"),
        (429, "கோரிக்கைகள் மிக அதிகம்", "Too Many Requests"),
        (431, "தலைப்புகள் மிகப் பெரியவை", "Request Header Fields Too Large"),
        (499, "பதிலுக்கு முன் இணைப்பு மூடப்பட்டது", "Client Closed Request"),
        (500, "உட்பிழை", "Internal Server Error"),
        (501, "இந்த வசதி இல்லை", "Not Implemented"),
        (502, "பின்னால் உள்ள சேவை தவறாகப் பதிலளித்தது", "Bad Gateway"),
        (503, "சேவை இப்போது கிடைக்கவில்லை", "Service Unavailable"),
        (504, "நேரத்துக்குள் பதில் கிடைக்கவில்லை", "Gateway Timeout"),
        (505, "இந்த HTTP பதிப்பு ஏற்கப்படாது", "HTTP Version Not Supported"),
    )
}

INSIDE: Final = Words(
    "சேவையின் உள்ளே ஒரு பிழை ஏற்பட்டது; இதைத் தெரிவிக்கும்போது கோரிக்கையின் அடையாளத்தை (request_id) குறிப்பிடவும்",
    "something went wrong inside the service; when you report it, please give the request id (request_id)",
)
AWAY: Final = Words(
    "தேவையான ஒரு வளத்தை இப்போது அடைய முடியவில்லை; சிறிது நேரம் கழித்து முயலவும்",
    "a resource that is needed cannot be reached now; please try again a little later",
)
BUSY: Final = Words(
    "இதே தரவை மற்றவர்களும் இப்போது மாற்றுகிறார்கள்; மீண்டும் முயலவும்",
    "others are changing the same data now; please try again",
)

_OWN_WORDS: Final = {
    "db.conflict": BUSY, "db.unavailable": AWAY, "redis.unavailable": AWAY, "channel.unavailable": AWAY,
}  # fmt: skip
"""Errors whose status is known, but whose words come from inside."""
_INSIDE_CODE: Final = "internal"
_CONTENT_LANGUAGE: Final[Mapping[Language, bytes]] = {"ta": b"ta", "en": b"en", "": b"ta, en"}


def problem_headers(language: Language) -> Headers:
    """The headers that go with a problem document."""
    return [(b"content-type", CONTENT_TYPE), (b"content-language", _CONTENT_LANGUAGE[language])]


def problem_body(
    fault: Fault,
    status: int,
    language: Language,
    *,
    request_id: str,
    debug: bool = False,
    extra: Mapping[str, Value] | None = None,
    instance: str = "",
    envelope: bool = False,
) -> bytes:
    """The document that tells an error of a program.

    ``extra`` has further members; those above keep their meaning. ``instance`` is what the problem was with,
    as a URI reference.
    """
    code, words = _told(fault, status)
    errors = _errors(fault, language) if code == "validation" else None
    if debug or extra or errors or instance:
        document = _document(code, words, status, language, instance, envelope)
        if errors:
            document["errors"] = errors
        if debug:
            document["debug"] = _debug(fault)
        return _finished(document, request_id, extra)
    return _quick(code, words, status, language, request_id, envelope)


def plain_problem(
    status: int,
    tamil: str,
    english: str,
    language: Language,
    *,
    request_id: str = "",
    envelope: bool = False,
    **extra: str,
) -> bytes:
    """The document for a refusal of the edge itself. ``extra`` has further members."""
    words = Words(tamil, english)
    if extra:
        return _finished(_document("", words, status, language, "", envelope), request_id, extra)
    return _quick("", words, status, language, request_id, envelope)


def title_of(status: int) -> Words:
    """What a status is called; one that is not in our list goes by its hundred."""
    return TITLES.get(status) or TITLES[500 if status >= 500 else 400]


def in_language(words: Words, language: Language) -> str:
    """The text for a client of this language."""
    if language == "ta" or words.tamil == words.english:
        return words.tamil
    return words.english if language == "en" else f"{words.tamil}  ({words.english})"


def both_words(text: str) -> Words:
    """``தமிழ்  (English)`` in its two parts; a text that is not made so is the same in both."""
    tamil, mark, english = text.partition("  (")
    if mark and english.endswith(")"):
        return Words(tamil, english[:-1])
    return Words(text, text)


def _told(fault: Fault, status: int) -> tuple[str, Words]:
    """The code and the words that may go out."""
    # A wrong *answer* of the program is a validation error too, but none of the client's: its status is 500.
    if status >= 500 and STATUS_OF.get(fault.code) != status:
        return _INSIDE_CODE, INSIDE
    own = _OWN_WORDS.get(fault.code)
    return fault.code, own or Words(_shortened(fault.tamil), _shortened(fault.english))


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"


def _errors(fault: Fault, language: Language) -> list[Value]:
    """One entry for each field that was wrong."""
    fields = fault.details.get("fields")
    if not isinstance(fields, Mapping):
        return []
    return [
        {"field": _shortened(str(way)), "detail": in_language(both_words(_shortened(str(text))), language)}
        for way, text in list(fields.items())[:MOST_ERRORS]
    ]


def _document(
    code: str, words: Words, status: int, language: Language, instance: str = "", envelope: bool = False
) -> dict[str, Any]:
    title, detail = title_of(status), in_language(words, language)
    document: dict[str, Any] = {"success": False, "data": None} if envelope else {}
    document |= {
        "type": f"urn:etamil:{quote(code, safe='._-', errors='replace')}" if code else "about:blank",
        "title": in_language(title, language),
        "status": status,
        "detail": detail,
    }
    if instance:
        document["instance"] = instance
    if code:
        document["code"] = code
    # A client of 2.0 compares it with ‘Not Found’, so what the edge itself says keeps its English name.
    document["error"] = detail if code else title.english
    return document


def _finished(document: dict[str, Any], request_id: str, extra: Mapping[str, Value] | None) -> bytes:
    document["request_id"] = request_id
    for name, value in (extra or {}).items():
        document.setdefault(name, value)
    try:
        return encode(document)
    except UnicodeEncodeError:  # half a character, from the name of a file or from another program
        return encode(_mended(document))


def _mended(value: Value) -> Value:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, Mapping):
        return {_mended(key): _mended(part) for key, part in value.items()}
    return [_mended(part) for part in value] if isinstance(value, list) else value


def _quick(
    code: str, words: Words, status: int, language: Language, request_id: str, envelope: bool
) -> bytes:
    """The same few refusals are asked for again and again, often by those who send too much."""
    if len(words.tamil) + len(words.english) > LONGEST_KEPT:
        return _finished(_document(code, words, status, language, "", envelope), request_id, None)
    return b'%b,"request_id":%b}' % (_prepared(code, words, status, language, envelope), encode(request_id))


@lru_cache(1024)
def _prepared(code: str, words: Words, status: int, language: Language, envelope: bool) -> bytes:
    """The document without its end."""
    document = _document(code, words, status, language, "", envelope)
    try:
        return encode(document)[:-1]
    except UnicodeEncodeError:
        return encode(_mended(document))[:-1]


def _debug(fault: Fault) -> dict[str, Value]:
    frames = [_frame_text(frame) for frame in fault.trace[:MOST_FRAMES]]
    told: dict[str, Value] = {"code": fault.code, "message": _shortened(fault.message), "trace": frames}
    if frames:
        told["place"] = frames[0]
    if fault.earlier is not None:
        told["earlier"] = _shortened(fault.earlier.message)
    return told


def _frame_text(frame: Frame) -> str:
    return f"{frame.file}:{frame.line}:{frame.column} {frame.function}".rstrip()
