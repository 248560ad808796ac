"""API keys, for programs that ask. Only digests are known, so a stolen configuration opens nothing.

A key is long and random, unlike a password, so one SHA-256 is enough and nothing has to be slow. All digests
are compared, each in constant time, so an answer does not tell how near a guess was, or whose key it is.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from etamil_actors.actors.auth.parts import misconfigured
from etamil_actors.errors import Fault
from etamil_actors.ports.auth import ApiKey
from etamil_actors.vm.values import Value

LONGEST: Final = 512
"""Bytes of a key that is shown."""
MOST: Final = 500
"""Digests; every one of them is compared."""

_is_digest: Final = re.compile(r"[0-9a-f]{64}", re.ASCII).fullmatch


class ApiKeys:
    """Who has which key.

    Raises:
        Fault: ``config``, a digest is none or belongs to two, or there are too many.
    """

    def __init__(self, keys: Mapping[str, ApiKey]) -> None:
        self._users: list[tuple[bytes, dict[str, Value]]] = []
        owner_of: dict[str, str] = {}
        for name, key in keys.items():
            if not key.hashes:
                raise misconfigured(f"auth.keys.{name}: ‘hash’ இல்லை", f"auth.keys.{name}: ‘hash’ is missing")
            for digest in key.hashes:
                if not _is_digest(digest.lower()):
                    raise misconfigured(
                        f"auth.keys.{name}: SHA-256 என்பது 64 பதினறும இலக்கங்கள்;"
                        ' ஆக்க: printf %s "$KEY" | sha256sum',
                        f"auth.keys.{name}: a SHA-256 has 64 hexadecimal digits;"
                        ' to make it: printf %s "$KEY" | sha256sum',
                    )
                other = owner_of.setdefault(digest.lower(), name)
                if other != name:
                    raise misconfigured(
                        f"auth.keys: ‘{other}’, ‘{name}’ இருவருக்கும் ஒரே சாவி",
                        f"auth.keys: ‘{other}’ and ‘{name}’ have the same key",
                    )
                self._users.append((bytes.fromhex(digest), {"sub": name, "roles": list(key.roles)}))
        if len(self._users) > MOST:
            raise misconfigured(
                f"auth.keys: {MOST} சாவிகளுக்கு மேல் உள்ளன", f"auth.keys: there are more than {MOST} keys"
            )

    def __bool__(self) -> bool:
        return bool(self._users)

    def user_of(self, key: bytes) -> Value:
        """Whose key it is, with his roles. Raises: Fault ``auth.invalid``."""
        shown = sha256(key).digest() if 0 < len(key) <= LONGEST else b""
        found = None
        for digest, user in self._users:
            if hmac.compare_digest(digest, shown):
                found = user
        if found is None:
            raise Fault("auth.invalid", tamil="இந்தச் சாவி செல்லாது", english="this key is not valid")
        roles = found["roles"]
        assert isinstance(roles, list)
        return {**found, "roles": list(roles)}
