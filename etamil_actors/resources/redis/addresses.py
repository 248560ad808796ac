"""Where a Redis server is, as people write it.

```
redis://host                       port 6379, database 0, no password
redis://user:password@host:6380/2  characters like @ and / of a password as %40 and %2F
redis://:password@host             the password alone
rediss://host:6380/2               with TLS
host:6379      [::1]:6379          as in 2.0
```
"""

from __future__ import annotations

from typing import NamedTuple, NoReturn
from urllib.parse import unquote, urlsplit

from etamil_actors.errors import Fault

PORT = 6379


class Address(NamedTuple):
    """A server, and how one logs in there."""

    host: str
    port: int = PORT
    database: int = 0
    user: str = ""
    password: str = ""
    tls: bool = False

    def __repr__(self) -> str:
        return f"Address({self.name})"

    @property
    def name(self) -> str:
        """What people call it; the password is not in it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}/{self.database}"


def address_of(url: str) -> Address:
    """The address that a text means.

    Raises:
        Fault: ``config``, it cannot be understood. What was written is not shown: it may hold a password.
    """
    text = url.strip()
    if "://" not in text:
        text = f"redis://{text}"
    if "?" in text or "#" in text:
        _wrong(
            "முகவரியில் ‘?’ அல்லது ‘#’ வரக் கூடாது; கடவுச்சொல்லில் %3F, %23 என எழுதவும்",
            "there may be no ‘?’ or ‘#’ in the url; a password has %3F and %23 for them",
        )
    try:
        parts = urlsplit(text)
        port = parts.port if parts.port is not None else PORT
    except ValueError:
        _wrong("துறை எண் அல்லது முகவரி தவறு", "the port or host cannot be understood")
    if parts.scheme not in ("redis", "rediss"):
        _wrong(
            "முகவரி redis:// அல்லது rediss:// எனத் தொடங்க வேண்டும்",
            "the url has to begin with redis:// or rediss://",
        )
    if not parts.hostname:
        _wrong("முகவரியில் வழங்கியின் பெயர் இல்லை", "there is no host in the url")
    if not port:
        _wrong("துறை எண் 0 ஆக இருக்க முடியாது", "the port cannot be 0")
    return Address(
        unquote(parts.hostname),
        port,
        _database(parts.path.strip("/")),
        unquote(parts.username or ""),
        unquote(parts.password or ""),
        parts.scheme == "rediss",
    )


def _database(text: str) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        _wrong("முகவரியின் முடிவில் தரவுத்தள எண் தேவை (/0)", "the url has to end with a database number (/0)")
    return int(text)


def _wrong(tamil: str, english: str) -> NoReturn:
    raise Fault("config", problem_ta=f"ரெடிஸ்: {tamil}", problem_en=f"Redis: {english}") from None
