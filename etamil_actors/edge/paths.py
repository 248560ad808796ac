"""The target of a request as text: its path in segments, its query in pairs. No routes, no bytes of bodies.

A target is cut at its first ``?``. What a *path* says has to be read in one way only, by us and by every
proxy and filter in front of us, so a path with two readings is refused (400) rather than guessed:

- a path is cut at its ``/`` first and percent-decoded afterwards, so ``%2F`` is a character of its segment
  and never a border between two;
- bytes must be UTF-8, percent-encoded or as they are (what a terminal sends), and become text in NFC: one
  look, one route;
- a ``%`` without two hexadecimal digits, broken UTF-8, NUL, and ``.`` or ``..`` between slashes — encoded
  or not, the encoded slashes of a segment included — are refused. Clients resolve dots before they send;
  dots that arrive want to reach a file. So no path, and no parameter cut from one, can climb out of a
  folder;
- an empty segment counts for nothing (REFERENCE §19.2): ``/items/`` and ``//items`` are read as ``/items``.
  ``segments`` still gives them, since of two routes that differ only so the one spelled like the request
  wins.

A *query* is data, and is read as forgivingly as browsers read forms: ``+`` is a space, a broken ``%``
stands for itself, broken UTF-8 becomes U+FFFD, a part without ``=`` is dropped, and ``;`` separates
nothing. Values are never changed; keys are fields of records and so come in NFC. Of a repeated key the last
wins (REFERENCE §19.3).
"""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple
from unicodedata import normalize
from urllib.parse import quote

from etamil_actors.errors import EtamilError


class Flaw(Enum):
    """Why a path cannot be read; the value is the sentence in Tamil and English."""

    RELATIVE = ("பாதை ‘/’ உடன் தொடங்க வேண்டும்", "a path starts with ‘/’")
    PERCENT = (
        "பாதையில் ‘%’ குறிக்குப் பின் இரண்டு பதினறும எண்கள் இல்லை",
        "a ‘%’ in the path is not followed by two hexadecimal digits",
    )
    UTF8 = ("பாதை சரியான UTF-8 அல்ல", "the path is not valid UTF-8")
    NUL = ("பாதையில் NUL எழுத்து இருக்கக் கூடாது", "the path contains the character NUL")
    DOTS = ("பாதையில் ‘.’ அல்லது ‘..’ பகுதி இருக்கக் கூடாது", "the path has a ‘.’ or ‘..’ segment")

    @property
    def tamil(self) -> str:
        return self.value[0]

    @property
    def english(self) -> str:
        return self.value[1]


class PathError(EtamilError):
    """The client sent a path that has no single reading; the answer is 400."""

    def __init__(self, flaw: Flaw) -> None:
        super().__init__(f"{flaw.tamil} ({flaw.english})")
        self.flaw = flaw


class Target(NamedTuple):
    """A request target in two parts, both as they were sent."""

    path: bytes
    query: bytes


def cut(target: bytes) -> Target:
    """Cut a request target at its first ``?``; the scheme and host of an absolute one are left out."""
    if target[:1] != b"/":
        target = _without_origin(target)
    path, _, query = target.partition(b"?")
    return Target(path, query)


_ORIGIN = re.compile(rb"https?://[^/?#]*", re.IGNORECASE)


def _without_origin(target: bytes) -> bytes:
    origin = _ORIGIN.match(target)
    if origin is None:
        return target
    rest = target[origin.end() :]
    return rest if rest[:1] == b"/" else b"/" + rest


def segments(path: bytes) -> list[str]:
    """The segments of a path as NFC text, empty ones too: ``/items/%E0%AE%85/`` gives items, அ and "".

    Raises ``PathError`` when the client sent what has no single reading.
    """
    if path[:1] != b"/":
        raise PathError(Flaw.RELATIVE)
    if b"%" in path:
        found = [text_of(_unescaped(part)) for part in path[1:].split(b"/")]
    else:
        found = text_of(path[1:]).split("/")
    if has_dots(found):
        raise PathError(Flaw.DOTS)
    return found


def decoded(path: bytes) -> str:
    """The whole path as NFC text for people and programs; an encoded slash is then a slash like any other.

    Raises ``PathError`` as ``segments`` does.
    """
    return "/" + "/".join(segments(path))


def encoded(path: str) -> str:
    """The same path as it travels: ``/அ`` becomes ``/%E0%AE%85``. ``decoded`` is its inverse.

    A ``%`` of the text is a character like any other and becomes ``%25``.
    """
    return quote(normalize("NFC", path), safe="/:@!$&'()*+,;=")


_ESCAPES = re.compile(rb"(?:%[0-9A-Fa-f]{2})+")


def _unescape_run(run: re.Match[bytes]) -> bytes:
    # A Tamil word is one long run of escapes: one call for all of them.
    return bytes.fromhex(run[0].decode("ascii").replace("%", ""))


_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def _unescaped(part: bytes) -> bytes:
    if b"%" not in part:
        return part
    if _BROKEN_ESCAPE.search(part) is not None:
        raise PathError(Flaw.PERCENT)
    return _ESCAPES.sub(_unescape_run, part)


def text_of(part: bytes) -> str:
    """Bytes of a path, no longer percent-encoded, as NFC text. Raises ``PathError``."""
    try:
        text = part.decode("utf-8")
    except UnicodeDecodeError:
        raise PathError(Flaw.UTF8) from None
    if "\0" in text:
        raise PathError(Flaw.NUL)
    return text if text.isascii() else normalize("NFC", text)


_DOTS = frozenset({".", ".."})


def has_dots(parts: list[str]) -> bool:
    """Whether ``.`` or ``..`` stands alone in a segment, or between the slashes inside one."""
    for part in parts:  # noqa: SIM110 -- a generator costs more than the work, and every request comes by
        if "." in part and not _DOTS.isdisjoint(part.split("/")):
            return True
    return False


def query_pairs(query: bytes) -> list[tuple[str, str]]:
    """Every ``key=value`` of a query string, decoded, in the order sent, repeated keys too."""
    parts = [part.partition(b"=") for part in query.split(b"&") if b"=" in part]
    return [(normalize("NFC", _form_text(key)), _form_text(value)) for key, _, value in parts]


def query_params(query: bytes) -> dict[str, str]:
    """What the variable ``query_params`` holds: of a repeated key the last value."""
    return dict(query_pairs(query)) if query else {}


def _form_text(part: bytes) -> str:
    return _ESCAPES.sub(_unescape_run, part.replace(b"+", b" ")).decode("utf-8", "replace")
