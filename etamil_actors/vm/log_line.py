"""What a program logs, as one line for people: the event, then its fields as JSON.

Values of fields whose names speak of secrets are not shown, however deep they stand.
"""

from __future__ import annotations

from etamil_actors.vm.builtins.json import json_text
from etamil_actors.vm.values import Value

LEVELS = {"_logError": "error", "_logWarn": "warn", "_logInfo": "info", "_logDebug": "debug"}
"""By the English name of the word."""

MARKS = {"error": "✗", "warn": "⚠", "info": "·", "debug": "…"}

SECRETS = (
    "password", "passwd", "secret", "token", "authorization", "api_key", "apikey", "cookie", "credential",
    "கடவுச்சொல்", "இரகசிய", "ரகசிய", "சீட்டு",
)  # fmt: skip
"""A name that holds one of these speaks of a secret."""

HIDDEN = "***"
_DEEPEST = 50


def log_line(event: str, fields: Value) -> str:
    """The event and its fields."""
    return event if fields is None else f"{event} {json_text(masked(fields))}"


def masked(value: Value, depth: int = 0) -> Value:
    """A value without its secrets."""
    if depth > _DEEPEST:
        return "…"
    if isinstance(value, dict):
        return {key: HIDDEN if is_secret(key) else masked(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [masked(item, depth + 1) for item in value]
    return value


def is_secret(name: str) -> bool:
    """Does the name of a field speak of a secret?"""
    plain = name.lower().replace("-", "_")
    return any(word in plain for word in SECRETS)
