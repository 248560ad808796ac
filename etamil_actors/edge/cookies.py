"""Cookies as they travel, and as a program has them (RFC 6265bis). No sessions here.

A cookie may hold a part of ASCII only. Texts of programs are any text, so what is not allowed is
percent-encoded as UTF-8, ``%`` itself too, and decoded on reading: ``set_cookie`` and ``parse_cookies`` are
inverses, and pages may do the same with ``encodeURIComponent``. Reading is forgiving: others set cookies
too, and a broken one must not hide the rest.

**Names** are decoded only where they say letters outside ASCII. A browser guards ``__Host-x`` by how it is
spelled; were ``__%48ost-x`` read as the same name, a neighbouring site could make up what looks guarded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal
from typing import Final
from unicodedata import normalize
from urllib.parse import quote

from etamil_actors.edge.paths import encoded
from etamil_actors.errors import Fault
from etamil_actors.vm.values import Value

MOST_COOKIES: Final = 200
LONGEST_PAIR: Final = 4_096
"""Bytes of name and value together, as browsers keep them."""
LONGEST_ATTRIBUTE: Final = 1_024
LONGEST_AGE: Final = 400 * 24 * 3600
"""Seconds; browsers keep no cookie longer."""
REMOVED: Final = "Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"
WORD: Final = "குக்கீ_அமை"

# ── reading ─────────────────────────────────────────────────────────────────────────────────────────


def parse_cookies(header: bytes) -> dict[str, str]:
    """The cookies of a ``Cookie`` header; of a repeated name the last.

    Several lines are joined with ``; ``. What is no ``name=value`` counts for nothing, and so does what comes
    after the first 200.
    """
    found: dict[str, str] = {}
    for part in header.split(b";", MOST_COOKIES)[:MOST_COOKIES]:
        name, mark, value = part.partition(b"=")
        name = name.strip(_SPACE)
        if mark and name:
            found[_name_of(name)] = _value_of(value.strip(_SPACE))
    return found


_SPACE: Final = b" \t"
_ESCAPES: Final = re.compile(rb"(?:%[0-9A-Fa-f]{2})+")
_HIGH_ESCAPES: Final = re.compile(rb"(?:%[89A-Fa-f][0-9A-Fa-f])+")


def _name_of(name: bytes) -> str:
    # Names are fields of a record, and so come in NFC.
    text = _decoded(name, _HIGH_ESCAPES)
    return text if text.isascii() else normalize("NFC", text)


def _value_of(value: bytes) -> str:
    if len(value) >= 2 and value[:1] == value[-1:] == b'"':
        value = value[1:-1]
    return _decoded(value, _ESCAPES)


def _decoded(part: bytes, escapes: re.Pattern[bytes]) -> str:
    if b"%" in part:
        plain = escapes.sub(lambda run: bytes.fromhex(run[0].decode("ascii").replace("%", "")), part)
        try:
            return plain.decode("utf-8")
        except UnicodeDecodeError:
            pass  # it was no percent-encoded text, so it stands for itself
    return part.decode("utf-8", "replace")


# ── setting ─────────────────────────────────────────────────────────────────────────────────────────


def set_cookie(name: str, value: str, options: Mapping[str, Value] | None = None) -> bytes:
    """The value of a ``Set-Cookie`` header.

    Options are the attributes of cookies: ``path`` (``/`` if nothing is said), ``domain``, ``max_age``
    (seconds; 0 removes the cookie), ``expires`` (a date as text, or seconds since 1970), ``secure``,
    ``http_only`` (true if nothing is said), ``same_site`` (``Lax`` if nothing is said), ``partitioned``. How
    they are written — ``Max-Age``, ``max_age``, ``MaxAge`` — does not matter. இன்மை counts as left out.

    Raises:
        Fault: ``option.unknown``; ``value.invalid`` for what no browser would take.
    """
    pair = f"{_sent_name(name)}={quote(value, safe=_SAFE_IN_VALUES, errors='replace')}"
    if len(pair) > LONGEST_PAIR:
        raise _invalid(
            WORD,
            f"குக்கீ {LONGEST_PAIR} பைட்டுகளுக்கு மேல் இருக்கக் கூடாது; இதில் {len(pair)} உள்ளன",
            f"a cookie has at most {LONGEST_PAIR} bytes; this one has {len(pair)}",
        )
    given = _read_options(options or {})
    attributes = [
        _path(given.get("path")),
        *_domain(given.get("domain")),
        *_max_age(given.get("max_age")),
        *_expires(given.get("expires"), given.get("max_age")),
    ]
    secure = _flag(given, "secure", default=False)
    same_site = _same_site(given.get("same_site"))
    partitioned = _flag(given, "partitioned", default=False)
    _expect_agreement(name, given, secure, same_site, partitioned)
    attributes += ["Secure"] * secure
    attributes += ["HttpOnly"] * _flag(given, "http_only", default=True)
    attributes.append(f"SameSite={same_site}")
    attributes += ["Partitioned"] * partitioned
    return "; ".join((pair, *attributes)).encode("ascii")


_SAFE_IN_VALUES: Final = "!#$&'()*+-./:<=>?@[]^_`{|}~"
"""What a cookie's value may hold beside letters and digits, without ``%``."""

_NAMES: Final = {
    name.replace("_", ""): name
    for name in (
        "path", "domain", "max_age", "expires", "secure", "http_only", "same_site", "partitioned"
    )
}  # fmt: skip
_SAME_SITE: Final = {"lax": "Lax", "strict": "Strict", "none": "None"}
_ascii_name: Final = re.compile(r"[!#$&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_LABEL: Final = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_host_name: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*").fullmatch


def _read_options(options: Mapping[str, Value]) -> dict[str, Value]:
    given: dict[str, Value] = {}
    for key, value in options.items():
        name = _NAMES.get(key.lower().replace("-", "").replace("_", ""))
        if name is None:
            raise Fault("option.unknown", name=key)
        if value is not None:
            given.setdefault(name, value)
    return given


def _sent_name(name: str) -> str:
    """A name as it travels: ASCII as it is, other letters encoded."""
    name = normalize("NFC", name)
    plain = "".join(letter for letter in name if letter.isascii())
    if not name or (plain and not _ascii_name(plain)) or not _is_printable(name):
        raise _invalid(
            WORD,
            f"‘{_printable(name)}’ குக்கீயின் பெயராக முடியாது; எழுத்துகள், எண்கள், ‘-’, ‘_’ பயன்படுத்துங்கள்",
            f"‘{_printable(name)}’ cannot be the name of a cookie; use letters, digits, ‘-’ and ‘_’",
        )
    return name if name.isascii() else quote(name, safe="!#$&'*+-.^_`|~", errors="replace")


def _is_printable(text: str) -> bool:
    """No control characters; marks that join letters are no such."""
    return not _CONTROLS.search(text)


_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def _printable(text: str) -> str:
    return _CONTROLS.sub("�", text)


def _path(value: Value) -> str:
    if value is None:
        return "Path=/"
    if type(value) is not str or not value.startswith("/") or ";" in value or not _is_printable(value):
        raise _bad_option(
            "path", "‘/’ உடன் தொடங்கி, ‘;’ இல்லாத பாதை தேவை", "a path starts with ‘/’ and has no ‘;’"
        )
    return f"Path={_short('path', encoded(value))}"


def _domain(value: Value) -> list[str]:
    if value is None:
        return []
    if type(value) is str:
        try:
            host = value.strip().lower().removeprefix(".").encode("idna").decode("ascii")
        except UnicodeError:
            host = ""
        if len(host) <= 253 and _host_name(host):
            return [f"Domain={host}"]
    raise _bad_option(
        "domain", "ஒரு வழங்கியின் பெயர் தேவை: kadai.example", "it takes a host name: kadai.example"
    )


def _max_age(value: Value) -> list[str]:
    if value is None:
        return []
    if type(value) is not int and type(value) is not Decimal:
        raise _bad_option("max_age", "நொடிகளின் எண் தேவை", "it takes a number of seconds")
    if value <= 0:
        return [REMOVED]
    # Half a second is not yet none at all.
    seconds = int(value.to_integral_value(ROUND_CEILING)) if isinstance(value, Decimal) else value
    return [f"Max-Age={min(seconds, LONGEST_AGE)}"]


def _expires(value: Value, max_age: Value) -> list[str]:
    if value is None:
        return []
    moment = _moment(value)
    if moment is None:
        raise _bad_option(
            "expires",
            "ஒரு நாள் நேரம் தேவை: 2026-12-31T18:00:00+05:30, அல்லது 1970 முதலான நொடிகள்",
            "it takes a date and time, 2026-12-31T18:00:00+05:30, or seconds since 1970",
        )
    if max_age is not None and max_age <= 0:
        return []  # said already, with the removal
    from email.utils import format_datetime

    return [f"Expires={format_datetime(moment, usegmt=True)}"]


def _moment(value: Value) -> datetime | None:
    """What a program may mean by a moment; a time of day without a zone is UTC."""
    from email.utils import parsedate_to_datetime

    try:
        if type(value) is int or type(value) is Decimal:
            return datetime.fromtimestamp(int(value), UTC)
        if type(value) is not str:
            return None
        text = value.strip()
        read = datetime.fromisoformat(text) if text[:1].isdigit() else parsedate_to_datetime(text)
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _same_site(value: Value) -> str:
    if value is None:
        return "Lax"
    found = _SAME_SITE.get(value.strip().lower()) if type(value) is str else None
    if found is None:
        raise _bad_option("same_site", "இருப்பவை: Lax, Strict, None", "known are Lax, Strict, None")
    return found


def _flag(given: Mapping[str, Value], name: str, *, default: bool) -> bool:
    value = given.get(name, default)
    if type(value) is not bool:
        raise _bad_option(name, "மெய் அல்லது பொய் தேவை", "it takes true or false")
    return value


def _expect_agreement(
    name: str, given: Mapping[str, Value], secure: bool, same_site: str, partitioned: bool
) -> None:
    """Refuse what a browser would drop without a word."""
    guard = name.lower()
    if not secure and guard.startswith(("__host-", "__secure-")):
        raise _bad_option("secure", f"‘{name}’ என்ற பெயருக்கு secure தேவை", f"the name ‘{name}’ needs secure")
    if not secure and same_site == "None":
        raise _bad_option("same_site", "None என்பதற்கு secure தேவை", "None needs secure")
    if not secure and partitioned:
        raise _bad_option("partitioned", "இதற்கு secure தேவை", "it needs secure")
    if guard.startswith("__host-") and ("domain" in given or given.get("path", "/") != "/"):
        raise _bad_option(
            "domain" if "domain" in given else "path",
            f"‘{name}’ என்ற பெயருடன் domain இருக்கக் கூடாது; path ‘/’ ஆக இருக்க வேண்டும்",
            f"the name ‘{name}’ goes with no domain and with the path ‘/’",
        )


def _short(name: str, text: str) -> str:
    if len(text) > LONGEST_ATTRIBUTE:
        raise _bad_option(name, "மிக நீளமானது", "it is too long")
    return text


def _bad_option(option: str, tamil: str, english: str) -> Fault:
    return _invalid(f"{WORD}: {option}", tamil, english)


def _invalid(name: str, tamil: str, english: str) -> Fault:
    return Fault("value.invalid", name=name, problem_ta=tamil, problem_en=english)
