"""Public keys of identity providers (RFC 7517), and what each of them may verify.

A key verifies only what its record says it is for, and only with algorithms of its kind: nobody signs with
a public key as if it were a secret. joserfc is imported when there is a key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from etamil_actors.actors.auth.parts import from_base64url, misconfigured
from etamil_actors.errors import Fault
from etamil_actors.vm.values import Value

SECRET_ALGORITHMS: Final = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}
PUBLIC_ALGORITHMS: Final = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"
)  # fmt: skip
LEAST_RSA_BITS: Final = 2_048
MOST_RSA_BITS: Final = 8_192
"""A larger key would keep the process busy for each signature."""
MOST_KEYS: Final = 100

_PUBLIC_PARTS: Final = {"RSA": ("kty", "n", "e"), "EC": ("kty", "crv", "x", "y"), "OKP": ("kty", "crv", "x")}


class PublicKey:
    """A public key and what its record says it is for."""

    __slots__ = ("_algorithm", "_key", "kid")

    def __init__(self, key: Any, record: Mapping[str, Value]) -> None:
        self._key = key
        self.kid = record.get("kid")
        self._algorithm = record.get("alg")

    def may_verify(self, algorithm: str, kid: Value) -> bool:
        """Is it the key a token means, and one for this algorithm?"""
        return (kid is None or kid == self.kid) and self._algorithm in (None, algorithm)

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


def given_keys(jwks: Mapping[str, Value], name: str = "auth.jwt.jwks") -> list[PublicKey]:
    """The keys of a set that somebody has written down: all of it has to be right.

    Raises:
        Fault: ``config``.
    """
    keys = []
    for record in _records(jwks, name):
        if not isinstance(record, Mapping):
            raise misconfigured(f"{name}: ஒரு சாவி பொருளாக இல்லை", f"{name}: a key is no record")
        if not _is_for_signatures(record):
            continue
        key = _read(record, name)
        if key is None:
            raise misconfigured(
                f"{name}: சாவி ‘{record.get('kid', '')}’ செல்லாது",
                f"{name}: the key ‘{record.get('kid', '')}’ is not valid",
            )
        keys.append(key)
    if not keys:
        raise misconfigured(
            f"{name}: கையொப்பங்களைச் சரிபார்க்கும் பொதுச் சாவி எதுவும் இல்லை",
            f"{name}: there is no public key that verifies signatures",
        )
    return keys


def published_keys(jwks: Mapping[str, Value]) -> list[PublicKey]:
    """The keys of a set that somebody publishes, where one that we cannot use must not spoil the others.

    Raises:
        Fault: ``config``, it is no set of keys.
    """
    return list(_usable(_records(jwks, "jwks")))


def _usable(records: list[Value]) -> Iterator[PublicKey]:
    for record in records:
        if isinstance(record, Mapping) and _is_for_signatures(record):
            try:
                key = _read(record, "jwks")
            except Fault:  # too weak
                continue
            if key is not None:
                yield key


def _records(jwks: Mapping[str, Value], name: str) -> list[Value]:
    records = jwks.get("keys")
    if not isinstance(records, list) or len(records) > MOST_KEYS:
        raise misconfigured(f"{name}: ‘keys’ என்ற அணி தேவை", f"{name}: an array ‘keys’ is needed")
    return records


def _read(record: Mapping[str, Value], name: str) -> PublicKey | None:
    """The key; nothing when it is none. Raises: Fault ``config``, it is too weak."""
    from joserfc.errors import JoseError
    from joserfc.jwk import JWKRegistry

    try:
        _expect_strong(record, name)
        # Only what is public: a private key has no business here, and is read for its public part.
        parts: Any = {part: record[part] for part in _PUBLIC_PARTS[record["kty"]]}
        return PublicKey(JWKRegistry.import_key(parts), record)
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def _is_for_signatures(record: Mapping[str, Value]) -> bool:
    # RFC 7517 §5: keys of kinds that we do not know, or that are for something else, are passed over.
    operations = record.get("key_ops")
    return (
        str(record.get("kty")) in _PUBLIC_PARTS
        and record.get("crv") not in ("X25519", "X448")  # they agree on keys, and sign nothing
        and record.get("use", "sig") == "sig"
        and record.get("alg") in (None, *PUBLIC_ALGORITHMS)
        and (not isinstance(operations, Sequence) or "verify" in operations)
    )


def _expect_strong(record: Mapping[str, Value], name: str) -> None:
    if record["kty"] != "RSA":
        return
    modulus = int.from_bytes(from_base64url(record["n"]), "big")
    if not LEAST_RSA_BITS <= modulus.bit_length() <= MOST_RSA_BITS:
        raise misconfigured(
            f"{name}: RSA சாவி {LEAST_RSA_BITS} முதல் {MOST_RSA_BITS} பிட் வரை இருக்க வேண்டும்",
            f"{name}: an RSA key must have {LEAST_RSA_BITS} to {MOST_RSA_BITS} bits",
        )
