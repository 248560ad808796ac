"""Who a request comes from: a token in ``Authorization``, or the user that its session tells.

Tokens are JSON Web Tokens (RFC 7519, RFC 8725). What the guard must not believe is the same as for the
words that programs have for tokens (REFERENCE §23), so a token that one of them made under the same secret
is accepted here:

- the algorithm is our choice and never the token's. ``HS…`` is for the secret only and all others for public
  keys only, so nobody signs with a public key as if it were a secret; ``none`` does not exist;
- the signature is compared before anything in the payload is read, and in constant time;
- it has to end (``exp``); clocks may differ by a few seconds;
- an audience has to be ours. One with an audience is refused where none of ours is known (RFC 7519 §4.1.3).

``HS…`` needs three lines of the standard library. Public keys need joserfc, which is imported when there are
any. A token that was verified once is known by its text from then on, for as long as it is good.
"""

from __future__ import annotations

import hmac
import re
from binascii import a2b_base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from etamil_actors.actors.programs.exchange import Session
from etamil_actors.edge.exact_json import NotExactError, decode
from etamil_actors.edge.sessions import USER_KEYS, Wall
from etamil_actors.errors import Fault
from etamil_actors.vm.values import Value

SECRET_ALGORITHMS: Final = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}
PUBLIC_ALGORITHMS: Final = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"
)  # fmt: skip
LEEWAY: Final = 5
"""Seconds by which clocks may differ."""
LONGEST_TOKEN: Final = 65_536
LEAST_RSA_BITS: Final = 2_048
MOST_KEYS: Final = 100
MOST_KNOWN: Final = 1_024
"""Verified tokens that are remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JwtSettings:
    """What a token has to be, to be believed."""

    secret: str = field(default="", repr=False)
    """For ``HS…``."""
    algorithms: tuple[str, ...] = ()
    """Empty: HS256 when there is a secret; the RS, PS and ES ones and EdDSA when there are public keys."""
    issuer: str = ""
    audience: str = ""
    jwks: Mapping[str, Value] | None = None
    """Public keys, as the record that identity providers publish (RFC 7517)."""


class Credentials:
    """Recognises users.

    Raises:
        Fault: ``config``, the settings make no sense together or hold a key that is none.
    """

    def __init__(self, jwt: JwtSettings | None, wall: Wall) -> None:
        self._tokens = _Tokens(jwt) if jwt is not None and (jwt.secret or jwt.jwks is not None) else None
        self._wall = wall

    def user_of(self, authorization: str | None, session: Session | None) -> Value:
        """The claims of a token, or what the session holds under ``பயனர்`` or ``user``.

        A token that came decides: when it is not good, a session does not help.

        Raises:
            Fault: ``auth.missing`` when there is neither; ``auth.invalid`` for a token that does not verify;
                when one came and there is no key to verify it, the operator has been told at the start.
        """
        token = _bearer(authorization)
        if token is not None:
            if self._tokens is None:
                raise _bad("சீட்டுகள் இங்கே ஏற்கப்படுவதில்லை", "tokens are not accepted here")
            return self._tokens.claims_of(token, int(self._wall()))
        if session is not None:
            values = session.values
            for key in USER_KEYS:
                if values.get(key) is not None:
                    return values[key]
        raise Fault("auth.missing")


def has_role(user: Value, role: str) -> bool:
    """Does the user have it, in ``role`` or ``roles``? Each may be a text or an array of texts."""
    if not isinstance(user, Mapping):
        return False
    for claim in ("role", "roles"):
        held = user.get(claim)
        if role in (held if isinstance(held, list) else [held]):
            return True
    return False


def _bearer(authorization: str | None) -> str | None:
    """The token, if the scheme is ours; others are none of our business."""
    if not authorization:
        return None
    scheme, _, token = authorization.strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


class _Tokens:
    """Verifies tokens under one set of keys."""

    def __init__(self, settings: JwtSettings) -> None:
        self._settings = settings
        self._secret = settings.secret.encode()
        self._algorithms = _checked_algorithms(settings)
        self._keys = _public_keys(settings.jwks) if settings.jwks is not None else []
        self._known: dict[str, bytes] = {}

    def claims_of(self, token: str, now: int) -> dict[str, Value]:
        """The claims. Raises: Fault ``auth.invalid``."""
        payload = self._known.get(token)
        claims = _object(self._verified(token) if payload is None else payload)
        try:
            self._expect_good(claims, now)
        except Fault:
            self._known.pop(token, None)
            raise
        return claims

    def _verified(self, token: str) -> bytes:
        parts = token.split(".", 3)
        if len(parts) != 3 or len(token) > LONGEST_TOKEN or not token.isascii():
            raise _malformed()
        header = _object(_base64url(parts[0]))
        algorithm = header.get("alg")
        if not isinstance(algorithm, str) or algorithm not in self._algorithms:
            raise _bad("இந்தக் கையொப்ப முறை இங்கே ஏற்கப்படாது", "its algorithm is not accepted here")
        if "crit" in header:
            # RFC 7515: what must be understood and is not makes a token invalid.
            raise _bad("சீட்டுக்குத் தெரியாத நீட்டிப்புகள் தேவை", "it needs extensions that are not known")
        body, signature = f"{parts[0]}.{parts[1]}".encode("ascii"), _base64url(parts[2])
        if algorithm in SECRET_ALGORITHMS:
            expected = hmac.digest(self._secret, body, SECRET_ALGORITHMS[algorithm])
            is_right = hmac.compare_digest(expected, signature)
        else:
            is_right = self._is_signed(algorithm, header.get("kid"), body, signature)
        if not is_right:
            raise _bad("கையொப்பம் பொருந்தவில்லை", "the signature does not match")
        payload = _base64url(parts[1])
        self._remember(token, payload)
        return payload

    def _is_signed(self, algorithm: str, kid: Value, body: bytes, signature: bytes) -> bool:
        keys = [key for key in self._keys if key.may_verify(algorithm, kid)]
        if not keys:
            raise _bad("கையொப்பமிட்ட சாவி இங்கே தெரியவில்லை", "the key that signed it is not known")
        return any(key.verifies(algorithm, body, signature) for key in keys)

    def _remember(self, token: str, payload: bytes) -> None:
        # A copy is read anew each time, so nobody changes what another request sees.
        if len(self._known) >= MOST_KNOWN:
            del self._known[next(iter(self._known))]
        self._known[token] = payload

    def _expect_good(self, claims: dict[str, Value], now: int) -> None:
        ends: Value = claims.get("exp")
        starts: Value = claims.get("nbf")
        if not _is_number(ends):
            raise _bad("சீட்டில் முடிவு நேரம் (exp) இல்லை", "it has no time of expiry (exp)")
        if ends < now - LEEWAY:
            raise _bad("சீட்டின் காலம் முடிந்தது", "it has expired")
        if starts is not None and not (_is_number(starts) and starts <= now + LEEWAY):
            raise _bad("சீட்டின் காலம் இன்னும் தொடங்கவில்லை", "it is not valid yet")
        if self._settings.issuer and claims.get("iss") != self._settings.issuer:
            raise _bad("வழங்குநர் பொருந்தவில்லை", "the issuer does not match")
        self._expect_audience(claims)

    def _expect_audience(self, claims: dict[str, Value]) -> None:
        ours, meant_for = self._settings.audience, claims.get("aud")
        if not ours and "aud" not in claims:
            return
        if not ours or ours not in (meant_for if isinstance(meant_for, list) else [meant_for]):
            raise _bad("பெறுநர் பொருந்தவில்லை", "the audience does not match")


class _PublicKey:
    """A public key and what its record says it is for."""

    __slots__ = ("_algorithm", "_key", "_kid")

    def __init__(self, key: Any, record: Mapping[str, Value]) -> None:
        self._key = key
        self._kid = record.get("kid")
        self._algorithm = record.get("alg")

    def may_verify(self, algorithm: str, kid: Value) -> bool:
        """Is it the key a token means, and one for this algorithm?"""
        return (kid is None or kid == self._kid) and self._algorithm in (None, algorithm)

    def verifies(self, algorithm: str, body: bytes, signature: bytes) -> bool:
        """Did this key's owner sign it?"""
        from joserfc.errors import JoseError
        from joserfc.jws import JWSRegistry

        # Not get_alg: the choice is made already, and it warns of the name EdDSA, which most still use.
        method = JWSRegistry.algorithms[algorithm]
        try:
            method.check_key(self._key)
            return method.verify(body, signature, self._key)
        except (JoseError, ValueError):  # a key of another kind, or curve
            return False


def _public_keys(jwks: Mapping[str, Value]) -> list[_PublicKey]:
    from joserfc.errors import JoseError
    from joserfc.jwk import JWKRegistry

    records = jwks.get("keys")
    if not isinstance(records, list) or len(records) > MOST_KEYS:
        raise _config("auth.jwt.jwks: ‘keys’ என்ற அணி தேவை", "auth.jwt.jwks: an array ‘keys’ is needed")
    keys = []
    for record in records:
        if not isinstance(record, Mapping):
            raise _config("auth.jwt.jwks: ஒரு சாவி பொருளாக இல்லை", "auth.jwt.jwks: a key is no record")
        if not _is_for_signatures(record):
            continue
        try:
            _expect_strong(record)
            # Only what is public: a private key has no business here, and is read for its public part.
            keys.append(_PublicKey(JWKRegistry.import_key(_public_part(record)), record))
        except (JoseError, ValueError, TypeError, KeyError):
            raise _config(
                f"auth.jwt.jwks: சாவி ‘{record.get('kid', '')}’ செல்லாது",
                f"auth.jwt.jwks: the key ‘{record.get('kid', '')}’ is not valid",
            ) from None
    if not keys:
        raise _config(
            "auth.jwt.jwks: கையொப்பங்களைச் சரிபார்க்கும் பொதுச் சாவி எதுவும் இல்லை",
            "auth.jwt.jwks: there is no public key that verifies signatures",
        )
    return keys


_PUBLIC_PARTS: Final = {"RSA": ("kty", "n", "e"), "EC": ("kty", "crv", "x", "y"), "OKP": ("kty", "crv", "x")}


def _is_for_signatures(record: Mapping[str, Value]) -> bool:
    # RFC 7517 §5: keys of kinds that we do not know, or that are for something else, are passed over.
    operations = record.get("key_ops")
    return (
        str(record.get("kty")) in _PUBLIC_PARTS
        and record.get("crv") not in ("X25519", "X448")  # they agree on keys, and sign nothing
        and record.get("use", "sig") == "sig"
        and (not isinstance(operations, Sequence) or "verify" in operations)
    )


def _public_part(record: Mapping[str, Value]) -> dict[str, Any]:
    return {name: record[name] for name in _PUBLIC_PARTS[record["kty"]]}


def _expect_strong(record: Mapping[str, Value]) -> None:
    if record["kty"] != "RSA":
        return
    modulus = int.from_bytes(_bytes_of(record["n"]), "big")
    if modulus.bit_length() < LEAST_RSA_BITS:
        raise _config(
            f"auth.jwt.jwks: RSA சாவி குறைந்தது {LEAST_RSA_BITS} துகள் கொண்டதாக இருக்க வேண்டும்",
            f"auth.jwt.jwks: an RSA key must have at least {LEAST_RSA_BITS} bits",
        )


def _checked_algorithms(settings: JwtSettings) -> frozenset[str]:
    possible = [
        *(SECRET_ALGORITHMS if settings.secret else ()),
        *(PUBLIC_ALGORITHMS if settings.jwks is not None else ()),
    ]
    usual = [name for name in possible if name not in ("HS384", "HS512")]
    for name in settings.algorithms:
        if name not in possible:
            raise _config(
                f"auth.jwt.algorithms: ‘{name}’ இந்தச் சாவிகளுடன் இயங்காது; இயங்குபவை: {', '.join(possible)}",
                f"auth.jwt.algorithms: ‘{name}’ does not go with these keys; these do: {', '.join(possible)}",
            )
    return frozenset(settings.algorithms or usual)


def _object(data: bytes) -> dict[str, Value]:
    try:
        value = decode(data)
    except NotExactError:
        raise _malformed() from None
    if not isinstance(value, dict):
        raise _malformed()
    return value


def _is_number(value: Value) -> bool:
    return type(value) is int or type(value) is Decimal


_base64url_text: Final = re.compile(r"[A-Za-z0-9_-]*").fullmatch


def _base64url(text: str) -> bytes:
    """A part of a token. Raises: Fault ``auth.invalid``."""
    try:
        return _bytes_of(text)
    except ValueError:
        raise _malformed() from None


def _bytes_of(text: str) -> bytes:
    """What base64 in its URL form without padding (RFC 7515) means, and nothing else. Raises: ValueError."""
    if not _base64url_text(text):
        raise ValueError(text)
    letters = text.replace("-", "+").replace("_", "/")
    return a2b_base64(letters + "=" * (-len(text) % 4), strict_mode=True)


def _malformed() -> Fault:
    return _bad("இது ஒரு சீட்டு அல்ல", "this is no token")


def _bad(tamil: str, english: str) -> Fault:
    return Fault("auth.invalid", problem_ta=tamil, problem_en=english)


def _config(tamil: str, english: str) -> Fault:
    return Fault("config", problem_ta=tamil, problem_en=english)
