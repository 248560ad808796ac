"""Who may come in, as a process knows it: tokens, published keys, roles. Shared by the edge and by programs.

Made by the system from what the operator says. A program that names keys of its own gets a verifier that is
kept as well, because what it has fetched and verified is worth keeping.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from etamil_actors.actors.auth.api_keys import ApiKeys
from etamil_actors.actors.auth.parts import misconfigured
from etamil_actors.actors.auth.published import PublishedKeys, Start, Tell
from etamil_actors.actors.auth.roles import Roles
from etamil_actors.actors.auth.tokens import Tokens
from etamil_actors.ports.auth import AuthSettings, JwtSettings
from etamil_actors.ports.web import Web

MOST_VERIFIERS: Final = 64
"""Sets of keys and demands that programs name; those used longest ago go."""
MOST_ADDRESSES: Final = 64

LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")


class Authority:
    """See the top of the file.

    Raises:
        Fault: ``config``, the settings make no sense.
    """

    def __init__(
        self,
        settings: AuthSettings | None = None,
        *,
        web: Callable[[], Web | None] = lambda: None,
        tell: Tell | None = None,
        start: Start | None = None,
    ) -> None:
        """``tell`` tells the operator; ``start`` runs something beside everything else."""
        self.web = web
        """The way to a provider, if there is any."""
        self.tell = tell
        self.start = start
        self._published: OrderedDict[str, PublishedKeys] = OrderedDict()
        self._verifiers: OrderedDict[object, Tokens] = OrderedDict()
        self.take(settings if settings is not None else AuthSettings())

    def take(self, settings: AuthSettings) -> None:
        """Let these hold from now on; what has been fetched stays.

        Raises:
            Fault: ``config``, they make no sense, and nothing has changed.
        """
        roles, keys, jwt = Roles(settings.roles), ApiKeys(settings.keys), settings.jwt
        tokens = self._made(jwt) if jwt is not None and jwt.has_keys else None
        self.settings, self.roles, self.keys = settings, roles, keys
        self.tokens = tokens
        """Verifies by the keys of the configuration, if it has any."""

    @property
    def recognises(self) -> bool:
        """Is there a way to come in, beside the sessions that programs begin by themselves?"""
        return self.tokens is not None or bool(self.keys) or self.settings.oidc is not None

    def verifier(self, settings: JwtSettings) -> Tokens:
        """What verifies by these keys. Raises: Fault ``config``."""
        if settings == self.settings.jwt and self.tokens is not None:
            return self.tokens
        name = (settings if settings.jwks is None else replace(settings, jwks=None), repr(settings.jwks))
        found = self._verifiers.get(name)
        if found is None:
            found = self._verifiers[name] = self._made(settings)
            if len(self._verifiers) > MOST_VERIFIERS:
                self._verifiers.popitem(last=False)
        else:
            self._verifiers.move_to_end(name)
        return found

    def published(self, url: str) -> PublishedKeys:
        """The keys at this address, of which there is one copy. Raises: Fault ``config``."""
        found = self._published.get(url)
        if found is None:
            expect_safe_url(url, "jwks")
            found = self._published[url] = PublishedKeys(url, self.web, self.tell, self.start)
            if len(self._published) > MOST_ADDRESSES:
                self._published.popitem(last=False)
        return found

    def _made(self, settings: JwtSettings) -> Tokens:
        return Tokens(settings, self.published(settings.jwks_url) if settings.jwks_url else None)


def expect_safe_url(url: str, name: str) -> None:
    """Keys and logins come over TLS only, but for a provider on this machine, as tests have one.

    Raises:
        Fault: ``config``.
    """
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        bare = host if host.endswith("]") else host.rpartition(":")[0] or host
        is_good = bool(parts.hostname) and "@" not in parts.netloc and url.isascii() and url.isprintable()
        is_good = is_good and " " not in url and (parts.port is None or parts.port > 0)
        is_safe = parts.scheme == "https" or (parts.scheme == "http" and bare in LOOPBACK)
    except ValueError:
        is_good = is_safe = False
    if not (is_good and is_safe):
        raise misconfigured(
            f"{name}: ‘https://…’ முகவரி தேவை (இந்தக் கணினிக்கு மட்டும் ‘http://127.0.0.1…’)",
            f"{name}: an address ‘https://…’ is needed (‘http://127.0.0.1…’ for this machine only)",
        )
