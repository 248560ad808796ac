"""What a program logs: its fields as they may be shown, and one line of them for people.

Values of fields whose names speak of secrets are not shown, however deep they stand, and neither is what
looks like one wherever it stands: a signed token, ``Bearer …``, the password in a URL. What is shown is
bounded, so that one line never fills a disk, and it is a copy: what a program does to its values later does
not show.

Signs that cannot be printed are written as ``\\x1b``, so that no text passes for a line of its own, turns the
direction of writing, or colours a terminal. The joiners that Indian scripts need stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from unicodedata import normalize

from etamil_actors.vm.builtins.json import json_text
from etamil_actors.vm.convert import text_of
from etamil_actors.vm.values import Err, Ok, Value

LEVELS = {"_logError": "error", "_logWarn": "warn", "_logInfo": "info", "_logDebug": "debug"}
"""By the English name of the word."""

MARKS = {"error": "✗", "warn": "⚠", "info": "·", "debug": "…"}

RANKS = {"debug": 0, "info": 1, "warn": 2, "error": 3}

SECRET_PARTS = (
    "password", "passwd", "passphrase", "secret", "token", "authorization", "api_key", "apikey", "cookie",
    "credential", "private_key", "signature", "கடவுச்சொல்", "இரகசிய", "ரகசிய", "சீட்டு", "திறவுகோல்",
    "கடவுச்சொற்றொடர்", "சாவி",
)  # fmt: skip
"""A name that holds one of these speaks of a secret …"""

SECRET_WORDS = frozenset({"pwd", "pass", "jwt", "otp", "pin", "auth", "csrf", "cvv"})
"""… and so does one in which one of these is a whole word: ``user_pin``, not ``spinning``."""

HIDDEN = "***"

LONGEST = 8_000
"""So many characters of texts are shown in one line, all fields together."""

LONGEST_SECRET = 1_000
"""So much of a text that is cut is read beyond its end, for a secret that may stand there."""

MOST_PARTS = 1_000
"""So many values."""

DEEPEST = 50

_KNOWN_NAMES = 4_096

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W_a-zA-Z\d]+")

_SECRET_VALUES = re.compile(
    r"\bBearer\s+[A-Za-z0-9._~+/=-]{8,}"
    r"|\bBasic\s+[A-Za-z0-9+/=]{12,}"
    r"|(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"
    r"|(?<=://)[^\s/@:]*:[^\s/@]+(?=@)"
    r"|-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)",
    re.IGNORECASE,
)

_JOINERS = "\u200c\u200d"


class Secrets:
    """Which names speak of secrets: those above, and what the operator has added."""

    __slots__ = ("_known", "_more")

    def __init__(self, more: Iterable[str] = ()) -> None:
        self._more = tuple(_plain(name) for name in more)
        self._known: dict[str, bool] = {}

    def is_secret(self, name: str) -> bool:
        """Does the name of a field speak of a secret?"""
        found = self._known.get(name)
        if found is None:
            found = self._looks_secret(name)
            if len(self._known) < _KNOWN_NAMES and len(name) <= 100:
                self._known[name] = found
        return found

    def _looks_secret(self, name: str) -> bool:
        plain = _plain(name)
        if any(part in plain for part in (*SECRET_PARTS, *self._more)):
            return True
        return any(word.lower() in SECRET_WORDS for word in _WORDS.findall(name))


def _plain(name: str) -> str:
    # The same name may come in other signs: ொ as two, letters that are wide.
    return normalize("NFKC", name).lower().replace("-", "_")


SECRETS = Secrets()


def masked(value: Value, secrets: Secrets = SECRETS) -> Value:
    """A copy of a value without its secrets, cut where it is too much for a line."""
    return _Copy(secrets).of(value, 0)


class _Copy:
    __slots__ = ("_left", "_parts", "_secrets")

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._left = LONGEST
        self._parts = MOST_PARTS

    def of(self, value: Value, depth: int) -> Value:
        kind = type(value)
        if kind is str:
            return self._text(value)
        if kind is int or kind is bool or value is None or kind is Decimal:
            return value
        if depth >= DEEPEST or self._parts <= 0 or self._left <= 0:
            return "…"
        if isinstance(value, dict):
            return self._record(value, depth + 1)
        if kind is list:
            return self._array(value, depth + 1)
        if isinstance(value, (Ok, Err)):
            return self._text(text_of(type(value)(self.of(value.value, depth + 1))))
        return self._text(text_of(value))

    def _text(self, text: str) -> str:
        if len(text) <= self._left:
            self._left -= len(text)
            return shown(text)
        most, self._left = max(self._left, 0), 0
        return _shown_within(text, most)

    def _record(self, record: dict[str, Value], depth: int) -> dict[str, Value]:
        is_secret, copy = self._secrets.is_secret, {}
        for key, value in record.items():
            self._parts -= 1
            if self._parts < 0 or self._left <= 0:
                copy["…"] = "…"
                break
            copy[self._text(key)] = HIDDEN if is_secret(key) else self.of(value, depth)
        return copy

    def _array(self, array: list[Value], depth: int) -> list[Value]:
        copy = []
        for value in array:
            self._parts -= 1
            if self._parts < 0 or self._left <= 0:
                copy.append("…")
                break
            copy.append(self.of(value, depth))
        return copy


def shown(text: str) -> str:
    """A text without what looks like a secret, and without signs that cannot be printed."""
    if len(text) > 8 and (" " in text or "." in text or ":" in text):
        text = _SECRET_VALUES.sub(HIDDEN, text)
    return text if text.isprintable() else printable(text)


def _shown_within(text: str, most: int) -> str:
    # A secret that is cut would not look like one any more.
    return shown(text[: most + LONGEST_SECRET])[:most] + "…"


def printable(text: str) -> str:
    """A text in one line: what cannot be printed as ``\\x1b``."""
    return "".join([sign if sign.isprintable() or sign in _JOINERS else _escaped(sign) for sign in text])


def _escaped(sign: str) -> str:
    return ascii(sign)[1:-1]


def event_text(event: str) -> str:
    """What happened, in the program's words, as it may be shown."""
    return shown(event) if len(event) <= LONGEST else _shown_within(event, LONGEST)


def line_of(event: str, fields: Value) -> str:
    """An event and its fields that are masked already, as one line."""
    return event if fields is None else f"{event} {json_text(fields)}"


def log_line(event: str, fields: Value, secrets: Secrets = SECRETS) -> str:
    """The event and its fields."""
    return line_of(event_text(event), None if fields is None else masked(fields, secrets))
