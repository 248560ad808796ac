"""The parts of a JSON Web Token (RFC 7515, 7519), read without believing anything.

A header is tiny, comes again with every token of the same key, and decides how a token is verified. So it is
read strictly — a name that stands in it twice has two meanings for two readers, and is refused — and kept.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64
from functools import lru_cache
from typing import Final, NamedTuple

from etamil_actors.errors import Fault
from etamil_actors.vm.builtins.json import NotJson, parse_json_bytes
from etamil_actors.vm.values import Value

LONGEST_TOKEN: Final = 65_536
LONGEST_HEADER: Final = 4_096
"""Letters; a header holds a few names."""


class Parts(NamedTuple):
    """A token taken apart."""

    algorithm: str
    kid: Value
    """Which key the token means; இன்மை when it does not say."""
    body: bytes
    """What is signed."""
    payload: str
    """Not read yet: that is for after the signature."""
    signature: bytes


def parts_of(token: str) -> Parts:
    """Take a token apart. Raises: Fault ``auth.invalid``."""
    if len(token) > LONGEST_TOKEN or not token.isascii():
        raise malformed()
    parts = token.split(".", 3)
    if len(parts) != 3:
        raise malformed()
    head, payload, signature = parts
    algorithm, kid = _header(head)
    return Parts(algorithm, kid, token[: len(head) + 1 + len(payload)].encode(), payload, decoded(signature))


@lru_cache(maxsize=256)
def _header(text: str) -> tuple[str, Value]:
    """Algorithm and key. Faults are not kept, so rubbish takes no room."""
    if len(text) > LONGEST_HEADER:
        raise malformed()
    data = decoded(text)
    header = record(data)
    if _has_repeated_names(data):
        raise malformed()
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str):
        raise malformed()
    if "crit" in header:
        # RFC 7515: what must be understood and is not makes a token invalid.
        raise refused("சீட்டுக்குத் தெரியாத நீட்டிப்புகள் தேவை", "it needs extensions that are not known")
    return algorithm, kid if isinstance(kid, str) or kid is None else str(kid)


def _has_repeated_names(data: bytes) -> bool:
    import json

    is_repeated = False

    def look(pairs: list[tuple[str, object]]) -> None:
        nonlocal is_repeated
        is_repeated |= len({name for name, _ in pairs}) < len(pairs)

    json.loads(data, object_pairs_hook=look)
    return is_repeated


def record(data: bytes) -> dict[str, Value]:
    """The JSON object in a part. Raises: Fault ``auth.invalid``."""
    try:
        value = parse_json_bytes(data)
    except (NotJson, UnicodeDecodeError):
        raise malformed() from None
    if not isinstance(value, dict):
        raise malformed()
    return value


def decoded(text: str) -> bytes:
    """The bytes of a part. Raises: Fault ``auth.invalid``."""
    try:
        return from_base64url(text)
    except ValueError:
        raise malformed() from None


_base64url_text: Final = re.compile(r"[A-Za-z0-9_-]*", re.ASCII).fullmatch


def from_base64url(text: str) -> bytes:
    """What base64 in its URL form without padding (RFC 7515) means, and nothing else. Raises: ValueError."""
    if not _base64url_text(text):
        raise ValueError(text)
    letters = text.replace("-", "+").replace("_", "/")
    return a2b_base64(letters + "=" * (-len(text) % 4), strict_mode=True)


def to_base64url(data: bytes) -> str:
    """Base64 in its URL form, without padding."""
    return b2a_base64(data, newline=False).decode().rstrip("=").replace("+", "-").replace("/", "_")


def malformed() -> Fault:
    """The error for what is no token at all."""
    return refused("இது ஒரு சீட்டு அல்ல", "this is no token")


def refused(tamil: str, english: str) -> Fault:
    """The error for a token that is not believed."""
    return Fault("auth.invalid", problem_ta=tamil, problem_en=english)


def misconfigured(tamil: str, english: str) -> Fault:
    """The error for settings that make no sense."""
    return Fault("config", problem_ta=tamil, problem_en=english)
