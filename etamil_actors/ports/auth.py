"""What the operator says of who may come in: keys of tokens, API keys, a login elsewhere, and roles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

BCRYPT = "bcrypt"
ARGON2ID = "argon2id"


@dataclass(frozen=True, slots=True, kw_only=True)
class JwtSettings:
    """What a token has to be, to be believed."""

    secret: str = field(default="", repr=False)
    """For ``HS…``."""
    algorithms: tuple[str, ...] = ()
    """Empty: HS256 when there is a secret; the RS, PS and ES ones and EdDSA when there are public keys."""
    issuer: str = ""
    audience: str = ""
    jwks: Mapping[str, Any] | None = None
    """Public keys, as the record that identity providers publish (RFC 7517)."""
    jwks_url: str = ""
    """Where they publish it; fetched when the first token comes, and again when it has become old."""

    @property
    def has_keys(self) -> bool:
        """Is there anything to verify a token with?"""
        return bool(self.secret or self.jwks_url) or self.jwks is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A client with keys of its own. Only their digests are known here."""

    hashes: tuple[str, ...] = field(default=(), repr=False)
    """SHA-256 in hexadecimal. Several: a new key is added before the old one is taken away."""
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcSettings:
    """A login at an OpenID provider."""

    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    """Empty: a public client, which only PKCE protects."""
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    claims: tuple[str, ...] = ("name", "email")
    """What the session keeps of the claims, beside ``sub`` and the roles."""
    roles_claim: str = "roles"
    """Where the roles are; dots lead inside: ``realm_access.roles``."""
    seconds: int = 12 * 3600
    """How long a session lasts that begins with a login, however much it is used: then the provider is asked
    again."""
    url: str = ""
    """How browsers see this service: ``https://kadai.example``. Empty: as the request says."""
    login: str = "/login"
    callback: str = "/callback"
    logout: str = "/logout"
    after: str = "/"
    """Where one arrives after a login or logout that wants nothing else."""
    rate: str = "120/m"
    """How often one address may begin a login, and as often come back from the provider, who is asked then,
    whoever it is that comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthSettings:
    """The whole section."""

    jwt: JwtSettings | None = None
    keys: Mapping[str, ApiKey] = field(default_factory=dict)
    """By the name of whoever has them."""
    oidc: OidcSettings | None = None
    roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Which other roles a role includes."""
    passwords: str = BCRYPT
    """How new passwords are hashed. Old hashes are recognised whatever it says."""
