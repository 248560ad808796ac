"""Which tokens are believed (RFC 7519, RFC 8725), and how one is issued.

What must not be believed is the same as for the words of 2.0 (REFERENCE §23), so a token that one of them
made under the same secret is accepted here:

- the algorithm is our choice and never the token's. ``HS…`` is for the secret only and all others for public
  keys only, so nobody signs with a public key as if it were a secret; ``none`` does not exist;
- the signature is compared before anything in the payload is read, and in constant time;
- it has to end (``exp``); clocks may differ by a few seconds;
- an audience has to be ours. One with an audience is refused where none of ours is known (RFC 7519 §4.1.3).

``HS…`` needs three lines of the standard library. Public keys need joserfc, which is imported when there are
any. A token that was verified once is known by its text from then on, for as long as it and its key are good.

Verifying answers at once, but for one case: keys that are published elsewhere, when they are old or the
token names one that we have not seen. Then a coroutine fetches them (``published.py``).
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from etamil_actors.actors.auth.keys import PUBLIC_ALGORITHMS, SECRET_ALGORITHMS, PublicKey, given_keys
from etamil_actors.actors.auth.parts import (
    LONGEST_TOKEN,
    Parts,
    decoded,
    misconfigured,
    parts_of,
    record,
    refused,
    to_base64url,
)
from etamil_actors.actors.auth.published import PublishedKeys
from etamil_actors.errors import Fault
from etamil_actors.ports.auth import JwtSettings
from etamil_actors.vm.builtins.json import json_text
from etamil_actors.vm.values import Value

LEEWAY: Final = 5
"""Seconds by which clocks may differ."""
MOST_KNOWN: Final = 1_024
"""Verified tokens that are remembered."""
LONGEST_KNOWN: Final = 8_192
"""Letters; one that is longer is verified each time."""
TTL: Final = 3_600
"""Seconds that a token is good for when nobody says."""
LARGEST_MOMENT: Final = 2**53

Claims = dict[str, Value]


class Tokens:
    """Verifies and issues tokens under one set of keys.

    Raises:
        Fault: ``config``, the settings make no sense together or hold a key that is none.
    """

    def __init__(self, settings: JwtSettings, published: PublishedKeys | None = None) -> None:
        """``published``: the keys at ``settings.jwks_url``."""
        self._settings = settings
        self._secret = _checked_secret(settings.secret)
        self._algorithms = _checked_algorithms(settings)
        self._keys: Sequence[PublicKey] = given_keys(settings.jwks) if settings.jwks is not None else ()
        self._published = published
        self._generation = 0
        self._known: dict[str, bytes] = {}

    # ── verifying ────────────────────────────────────────────────────────────────────────────────

    def claims_of(self, token: str, wall: Callable[[], float]) -> Claims | Coroutine[Any, Any, Claims]:
        """The claims; or a coroutine that answers them, when keys have to be fetched first.

        Raises:
            Fault: ``auth.invalid``; ``auth.unavailable``, its key is not known and cannot be fetched.
        """
        published = self._published
        if published is None:
            return self._claims(token, int(wall()))
        published.forget_old()
        if published.is_old and self._needs_key(token) and not published.fetch_beside():
            return self._claims_later(published, token, wall)
        try:
            return self._claims(token, int(wall()))
        except UnknownKeyError:
            if published.may_ask:
                return self._claims_later(published, token, wall)
            if published.is_missing:
                raise Fault("auth.unavailable") from None
            raise

    def _needs_key(self, token: str) -> bool:
        """Is it signed with a public key? Rubbish is no reason to ask anybody."""
        algorithm = parts_of(token).algorithm
        return algorithm in self._algorithms and algorithm not in SECRET_ALGORITHMS

    async def _claims_later(
        self, published: PublishedKeys, token: str, wall: Callable[[], float]
    ) -> Claims:
        await published.fetch()
        try:
            return self._claims(token, int(wall()))
        except UnknownKeyError:
            if published.is_missing:
                raise Fault("auth.unavailable") from None
            raise

    def _claims(self, token: str, now: int) -> Claims:
        if self._published is not None and self._published.generation != self._generation:
            # What a key has verified is believed for as long as the key is.
            self._generation, self._keys = self._published.generation, self._published.keys
            self._known.clear()
        payload = self._known.get(token)
        claims = record(self._verified(token) if payload is None else payload)
        try:
            self._expect_good(claims, now)
        except Fault:
            self._known.pop(token, None)
            raise
        return claims

    def _verified(self, token: str) -> bytes:
        parts = parts_of(token)
        if parts.algorithm not in self._algorithms:
            raise _wrong_algorithm()
        if parts.algorithm in SECRET_ALGORITHMS:
            expected = hmac.digest(self._secret, parts.body, SECRET_ALGORITHMS[parts.algorithm])
            is_right = hmac.compare_digest(expected, parts.signature)
        else:
            is_right = self._is_signed(parts)
        if not is_right:
            raise refused("கையொப்பம் பொருந்தவில்லை", "the signature does not match")
        payload = decoded(parts.payload)
        self._remember(token, payload)
        return payload

    def _is_signed(self, parts: Parts) -> bool:
        keys = [key for key in self._keys if key.may_verify(parts.algorithm, parts.kid)]
        is_signed = any(key.verifies(parts.algorithm, parts.body, parts.signature) for key in keys)
        # One that names no key may be of a new one, where a provider has one key at a time and no names.
        if not keys or (not is_signed and parts.kid is None and self._published is not None):
            raise UnknownKeyError
        return is_signed

    def _remember(self, token: str, payload: bytes) -> None:
        # What is kept is text, read anew each time: nobody changes what another request sees.
        if len(token) > LONGEST_KNOWN:
            return
        if len(self._known) >= MOST_KNOWN:
            del self._known[next(iter(self._known))]
        self._known[token] = payload

    def _expect_good(self, claims: Claims, now: int) -> None:
        ends: Value = claims.get("exp")
        starts: Value = claims.get("nbf")
        if not _is_number(ends):
            raise refused("சீட்டில் முடிவு நேரம் (exp) இல்லை", "it has no time of expiry (exp)")
        if ends < now - LEEWAY:
            raise refused("சீட்டின் காலம் முடிந்தது", "it has expired")
        if starts is not None and not (_is_number(starts) and starts <= now + LEEWAY):
            raise refused("சீட்டின் காலம் இன்னும் தொடங்கவில்லை", "it is not valid yet")
        if self._settings.issuer and claims.get("iss") != self._settings.issuer:
            raise refused("வழங்குநர் பொருந்தவில்லை", "the issuer does not match")
        self._expect_audience(claims)

    def _expect_audience(self, claims: Claims) -> None:
        ours, meant_for = self._settings.audience, claims.get("aud")
        if not ours and "aud" not in claims:
            return
        if not ours or ours not in (meant_for if isinstance(meant_for, list) else [meant_for]):
            raise refused("பெறுநர் பொருந்தவில்லை", "the audience does not match")

    # ── issuing ──────────────────────────────────────────────────────────────────────────────────

    def issue(self, claims: Mapping[str, Value], now: int, seconds: Value = None) -> str:
        """A token with these claims. It ends after ``seconds``, or as the claims say, or in an hour.

        Raises:
            Fault: ``config``, there is no secret to sign with; ``value.invalid``, the claims cannot travel.
        """
        algorithm = next((name for name in SECRET_ALGORITHMS if name in self._algorithms), None)
        if not self._secret or algorithm is None:
            raise misconfigured(
                "சீட்டை ஆக்க ஓர் இரகசியம் (secret) தேவை", "to issue a token a secret is needed"
            )
        content = {**claims, "iat": now}
        if seconds is not None or content.get("exp") is None:
            content["exp"] = now + int(TTL if seconds is None else seconds)
        if not _is_number(content["exp"]) or not -LARGEST_MOMENT < content["exp"] < LARGEST_MOMENT:
            raise _cannot_travel("‘exp’ நொடிகளாக இருக்க வேண்டும்", "‘exp’ is a number of seconds")
        for name, ours in (("iss", self._settings.issuer), ("aud", self._settings.audience)):
            if ours:
                content.setdefault(name, ours)
        return self._signed(algorithm, json_text(content))

    def _signed(self, algorithm: str, payload: str) -> str:
        head = to_base64url(json_text({"alg": algorithm, "typ": "JWT"}).encode())
        body = f"{head}.{to_base64url(payload.encode())}"
        mac = hmac.digest(self._secret, body.encode(), SECRET_ALGORITHMS[algorithm])
        token = f"{body}.{to_base64url(mac)}"
        if len(token) > LONGEST_TOKEN:
            raise _cannot_travel("சீட்டு மிக நீளமானது", "the token is too long")
        return token


class UnknownKeyError(Fault):
    """The key that signed a token is not among ours."""

    def __init__(self) -> None:
        super().__init__(
            "auth.invalid",
            problem_ta="கையொப்பமிட்ட சாவி இங்கே தெரியவில்லை",
            problem_en="the key that signed it is not known",
        )


async def awaited(claims: Claims | Awaitable[Claims]) -> Claims:
    """The claims, for those who may wait anyway."""
    return claims if isinstance(claims, dict) else await claims


def _checked_secret(secret: str) -> bytes:
    if secret.lstrip().startswith(("-----BEGIN", "ssh-", "ecdsa-")):
        # Everybody knows a public key, so everybody could sign with it.
        raise misconfigured(
            "auth.jwt.secret: இது ஒரு சாவிக் கோப்பு (PEM), இரகசியம் அல்ல; பொதுச் சாவிகளுக்கு jwks_file, jwks_url",
            "auth.jwt.secret: this is a key file (PEM) and no secret; for public keys: jwks_file or jwks_url",
        )
    return secret.encode()


def _checked_algorithms(settings: JwtSettings) -> frozenset[str]:
    has_public = settings.jwks is not None or settings.jwks_url
    possible = [*(SECRET_ALGORITHMS if settings.secret else ()), *(PUBLIC_ALGORITHMS if has_public else ())]
    usual = [name for name in possible if name not in ("HS384", "HS512")]
    for name in settings.algorithms:
        if name not in possible:
            raise misconfigured(
                f"auth.jwt.algorithms: ‘{name}’ இந்தச் சாவிகளுடன் இயங்காது; இயங்குபவை: {', '.join(possible)}",
                f"auth.jwt.algorithms: ‘{name}’ does not go with these keys; these do: {', '.join(possible)}",
            )
    return frozenset(settings.algorithms or usual)


def _is_number(value: Value) -> bool:
    return type(value) is int or type(value) is Decimal


def _wrong_algorithm() -> Fault:
    return refused("இந்தக் கையொப்ப முறை இங்கே ஏற்கப்படாது", "its algorithm is not accepted here")


def _cannot_travel(tamil: str, english: str) -> Fault:
    return Fault("value.invalid", name="ஜீடபள்_உருவாக்கு", problem_ta=tamil, problem_en=english)
