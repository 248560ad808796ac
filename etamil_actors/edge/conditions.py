"""Requests with a condition: tags and dates of what the client has, compared with what there is. Pure.

A *tag* (``ETag``) names one state of the bytes of a resource. Two tags are equal *strongly* when both are
strong and the same; *weakly* when they are the same apart from the ``W/``. The order of the questions is
that of RFC 9110 §13.2.2:

```
If-Match, else If-Unmodified-Since            not so → 412
If-None-Match, else If-Modified-Since (GET)   not so → 304 for GET and HEAD, else 412
Range with If-Range (GET)                     not so → the whole
```

What cannot be read never lets anything happen that the client did not want: an unreadable ``If-Match`` fails,
an unreadable ``If-None-Match``, date or ``If-Range`` has the answer sent in full.
"""

from __future__ import annotations

import re
import time
from calendar import timegm
from datetime import date
from enum import Enum
from functools import lru_cache
from typing import Final, NamedTuple

from etamil_actors.actors.programs.exchange import Headers


class Tag(NamedTuple):
    """An entity tag."""

    opaque: bytes
    """What stands between the quotes."""
    is_weak: bool = False

    def __bytes__(self) -> bytes:
        return b'W/"%s"' % self.opaque if self.is_weak else b'"%s"' % self.opaque

    def is_same(self, other: Tag) -> bool:
        """Strong comparison: the same bytes."""
        return self.opaque == other.opaque and not self.is_weak and not other.is_weak

    def is_alike(self, other: Tag) -> bool:
        """Weak comparison: as good as the same."""
        return self.opaque == other.opaque


_TAG: Final = rb'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"'
_ONE_TAG: Final = re.compile(_TAG)
_NEXT_TAG: Final = re.compile(rb"[ \t,]*" + _TAG + rb"[ \t]*(?=,|\Z)")
_REST: Final = re.compile(rb"[ \t,]*\Z")


def tag_of(value: bytes) -> Tag | None:
    """The one tag that a value consists of."""
    found = _ONE_TAG.fullmatch(value.strip(b" \t"))
    return None if found is None else Tag(found[2], found[1] is not None)


def tags_of(value: bytes) -> list[Tag] | None:
    """The tags of ``If-Match`` and ``If-None-Match``; None when they cannot be read."""
    tags: list[Tag] = []
    at = 0
    while (found := _NEXT_TAG.match(value, at)) is not None:
        tags.append(Tag(found[2], found[1] is not None))
        at = found.end()
    return tags if tags and _REST.match(value, at) is not None else None


class Asked(NamedTuple):
    """The fields of a request that put conditions."""

    if_match: bytes | None = None
    if_none_match: bytes | None = None
    if_modified_since: bytes | None = None
    if_unmodified_since: bytes | None = None
    if_range: bytes | None = None
    range: bytes | None = None


_LISTS: Final = {b"if-match": "if_match", b"if-none-match": "if_none_match"}
_SINGLE: Final = {
    b"if-modified-since": "if_modified_since",
    b"if-unmodified-since": "if_unmodified_since",
    b"if-range": "if_range",
    b"range": "range",
}
_NAMES: Final = _LISTS.keys() | _SINGLE.keys()
NOTHING_ASKED: Final = Asked()


def asked_of(fields: Headers) -> Asked:
    """Pick them out. Repeated lists are one list; any other field that is repeated counts as unreadable."""
    found: dict[str, bytes] = {}
    for name, value in fields:
        if name not in _NAMES:
            continue
        one = _SINGLE.get(name)
        if one is not None:
            found[one] = b"" if one in found else value
        else:
            several = _LISTS[name]
            found[several] = found[several] + b", " + value if several in found else value
    return Asked(**found) if found else NOTHING_ASKED


class Verdict(Enum):
    """What the conditions of a request lead to; the value is the status."""

    PROCEED = 200
    NOT_MODIFIED = 304
    FAILED = 412


def evaluate(
    method: str, asked: Asked, tag: Tag | None, modified: int | None, now: float, *, exists: bool = True
) -> Verdict:
    """Decide by what there is: its tag and the second of its last change, where known."""
    if asked.if_match is not None:
        if not _has_match(asked.if_match, tag, exists):
            return Verdict.FAILED
    elif asked.if_unmodified_since is not None and modified is not None:
        since = seconds_of(asked.if_unmodified_since, now)
        if since is not None and modified > since:
            return Verdict.FAILED
    is_reading = method in ("GET", "HEAD")
    if asked.if_none_match is not None:
        if _has_alike(asked.if_none_match, tag, exists):
            return Verdict.NOT_MODIFIED if is_reading else Verdict.FAILED
    elif asked.if_modified_since is not None and is_reading and modified is not None:
        since = seconds_of(asked.if_modified_since, now)
        if since is not None and modified <= since:
            return Verdict.NOT_MODIFIED
    return Verdict.PROCEED


def _has_match(value: bytes, tag: Tag | None, exists: bool) -> bool:
    if value.strip(b" \t") == b"*":
        return exists
    return tag is not None and any(tag.is_same(other) for other in tags_of(value) or ())


def _has_alike(value: bytes, tag: Tag | None, exists: bool) -> bool:
    if value.strip(b" \t") == b"*":
        return exists
    return tag is not None and any(tag.is_alike(other) for other in tags_of(value) or ())


def may_use_range(if_range: bytes | None, tag: Tag | None, modified: int | None, now: float) -> bool:
    """Has the client parts of exactly this state, so that a further part is of use to it?"""
    if if_range is None:
        return True
    theirs = tag_of(if_range)
    if theirs is not None:
        return tag is not None and tag.is_same(theirs)
    # A date is a strong validator only when nothing can have changed later in the same second.
    since = seconds_of(if_range, now)
    return since is not None and since == modified and modified + 1 <= now


# ---------------------------------------------------------------- dates

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH_OF: Final = {name.encode(): number for number, name in enumerate(_MONTHS, 1)}

_DAY: Final = rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_LONG_DAY: Final = rb"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_TIME: Final = rb"(?P<hour>\d{2}):(?P<minute>\d{2}):(?P<second>\d{2})"
_MONTH: Final = rb"(?P<month>[A-Z][a-z]{2})"
_FORMS: Final = (
    re.compile(_DAY + rb", (?P<day>\d{2}) " + _MONTH + rb" (?P<year>\d{4}) " + _TIME + rb" GMT"),
    re.compile(_LONG_DAY + rb", (?P<day>\d{2})-" + _MONTH + rb"-(?P<year>\d{2}) " + _TIME + rb" GMT"),
    re.compile(_DAY + rb" " + _MONTH + rb" (?P<day>[ \d]\d) " + _TIME + rb" (?P<year>\d{4})"),
)
_LONGEST: Final = len("Wednesday, 06-Nov-94 08:49:37 GMT")
_LAST_SECOND: Final = 253_402_300_799
"""9999-12-31T23:59:59Z."""


def seconds_of(value: bytes, now: float) -> int | None:
    """A date of HTTP, in any of its three forms, as seconds since 1970; None when it is none.

    ``now`` tells the century of a year with two digits: not more than 50 years ahead.
    """
    if len(value) > _LONGEST:
        return None
    for form in _FORMS:
        found = form.fullmatch(value)
        if found is not None:
            return _seconds(found, now)
    return None


def _seconds(found: re.Match[bytes], now: float) -> int | None:
    month = _MONTH_OF.get(found["month"])
    year, day = int(found["year"]), int(found["day"])
    hour, minute, second = int(found["hour"]), int(found["minute"]), int(found["second"])
    if len(found["year"]) == 2:
        this_year = time.gmtime(min(max(now, 0), _LAST_SECOND)).tm_year
        year += this_year - this_year % 100
        if year > this_year + 50:
            year -= 100
    if month is None or hour > 23 or minute > 59 or second > 60:
        return None
    try:
        date(year, month, day)
    except ValueError:
        return None
    return timegm((year, month, day, hour, minute, min(second, 59)))


@lru_cache(maxsize=256)
def http_date(seconds: int) -> bytes:
    """Seconds since 1970 as ``Sun, 06 Nov 1994 08:49:37 GMT``; a time outside 1970 – 9999 is moved inside."""
    year, month, day, hour, minute, second, weekday, *_ = time.gmtime(min(max(seconds, 0), _LAST_SECOND))
    text = f"{_DAYS[weekday]}, {day:02} {_MONTHS[month - 1]} {year:04} {hour:02}:{minute:02}:{second:02} GMT"
    return text.encode("ascii")
