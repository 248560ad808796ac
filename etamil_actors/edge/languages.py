"""Which of our two languages a client would rather read, from its ``Accept-Language`` (RFC 9110 §12.5.4).

A page for ``ta-IN`` is a page for ``ta``: only the first part of a tag counts. Other languages say nothing
about the two that we have, and so does ``*``; whoever asks for neither gets both.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Literal, TypeAlias

Language: TypeAlias = Literal["ta", "en", ""]
"""Tamil, English, or nothing said: then both."""

LONGEST: Final = 512
"""Letters of a header that are looked at; browsers send some fifty."""


def preferred(accept_language: str | None) -> Language:
    """The language that weighs more; of two that weigh the same the one that was said first."""
    if not accept_language:
        return ""
    return _preferred(accept_language[:LONGEST])


@lru_cache(512)  # a service meets a few dozen of these headers, and each of them in every request
def _preferred(header: str) -> Language:
    best: Language = ""
    most = 0.0
    for part in header.split(","):
        tag, _, parameters = part.partition(";")
        language = _ours(tag)
        if language and (weight := _weight(parameters)) > most:
            best, most = language, weight
    return best


def _ours(tag: str) -> Language:
    first = tag.strip().lower().replace("_", "-").partition("-")[0]
    if first in ("ta", "tam"):
        return "ta"
    return "en" if first in ("en", "eng") else ""


def _weight(parameters: str) -> float:
    """``q=0.8``; 1 when nothing is said, 0 when what is said makes no sense."""
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            value = value.strip()
            if not value.isascii() or not value.replace(".", "", 1).isdigit():
                return 0.0
            return min(float(value), 1.0)
    return 1.0
