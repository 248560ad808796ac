"""Who a request comes from: a token or an API key that it shows, or the user that its session tells.

```
Authorization: Bearer <token>      the claims of the token          actors/auth/tokens.py
Authorization: ApiKey <key>        whose key it is                  actors/auth/api_keys.py
X-API-Key: <key>                   the same
Cookie: session=…                  what the session holds under பயனர் or user
```

What is shown decides: where it is not good, a session does not help, and two of a kind are refused, because
another reader of the same request might believe the other one. What is believed of a token is written down
in ``tokens.py``, and programs have it as words.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any, Final, TypeAlias

from etamil_actors.actors.auth.authority import Authority
from etamil_actors.actors.programs.exchange import Headers, Session
from etamil_actors.edge.sessions import USER_KEYS, Wall
from etamil_actors.errors import Fault
from etamil_actors.vm.values import Value

AUTHORIZATION: Final = b"authorization"
KEY_HEADER: Final = b"x-api-key"

User: TypeAlias = Value | Coroutine[Any, Any, Value]


class Credentials:
    """Recognises users."""

    def __init__(self, authority: Authority, wall: Wall) -> None:
        self._authority = authority
        self._wall = wall
        self.has_role = authority.roles.has

    def user_of(self, shown: Headers, session: Session | None) -> User:
        """The claims of a token, whose key it is, or what the session holds under ``பயனர்`` or ``user``.
        ``shown``: the header fields.

        Raises:
            Fault: ``auth.missing`` when there is nothing; ``auth.invalid`` for what does not verify;
                ``auth.unavailable``, the keys that it takes to verify it cannot be fetched.
        """
        scheme, told = _authorization(shown)
        if scheme == "bearer":
            return self._token_user(told)
        keys = self._authority.keys
        if keys:
            key = told.encode("latin-1") if scheme == "apikey" else _only(shown, KEY_HEADER)
            if key is not None:
                return keys.user_of(key)
        if session is not None:
            values = session.values
            for name in USER_KEYS:
                if values.get(name) is not None:
                    return values[name]
        raise Fault("auth.missing")

    def _token_user(self, token: str) -> User:
        tokens = self._authority.tokens
        if tokens is None:
            raise _bad("சீட்டுகள் இங்கே ஏற்கப்படுவதில்லை", "tokens are not accepted here")
        return tokens.claims_of(token, lambda: float(self._wall()))


def _authorization(shown: Headers) -> tuple[str, str]:
    """The scheme, in lower case, and what follows. Other schemes than ours are none of our business."""
    sent = _only(shown, AUTHORIZATION)
    scheme, _, told = (sent or b"").decode("latin-1").strip().partition(" ")
    return scheme.lower(), told.strip()


def _only(shown: Sequence[tuple[bytes, bytes]], wanted: bytes) -> bytes | None:
    """A header field, of which there may be one. Raises: Fault ``auth.invalid``."""
    found = [value for name, value in shown if name == wanted]
    if len(found) > 1:
        name = wanted.decode()
        raise _bad(f"‘{name}’ ஒருமுறைக்கு மேல் வந்தது", f"‘{name}’ came more than once")
    return found[0] if found else None


def _bad(tamil: str, english: str) -> Fault:
    return Fault("auth.invalid", problem_ta=tamil, problem_en=english)
