"""Passwords and tokens (REFERENCE §23).

Passwords are hashed with bcrypt at cost 12, in a thread, because it is slow on purpose. bcrypt
sees only the first 72 bytes (24 Tamil letters); a longer password is refused rather than cut,
so that nobody believes in letters that do not count. Where the configuration says so, new hashes
are made with Argon2id (RFC 9106), which needs memory too and sees every letter. A hash tells what
made it, so both are recognised whatever the configuration says.

Tokens are JSON Web Tokens (RFC 7519). They are made of three lines of standard library and
our own JSON, which keeps numbers exact; a library would bring its own. What a verifier must not
believe is written down here once: the algorithm is the verifier's choice and never the token's,
the signature is compared before anything in the payload is read, and in constant time.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from etamil_actors.errors import Fault
from etamil_actors.vm.builtins.errors import failed
from etamil_actors.vm.builtins.json import NotJson, json_text, parse_json
from etamil_actors.vm.builtins.registry import implements
from etamil_actors.vm.effects import InThread
from etamil_actors.vm.number import truncate
from etamil_actors.vm.values import Err, Number, Ok, Value

if TYPE_CHECKING:
    from etamil_actors.vm.machine import Machine

COST: Final = 12
MOST_COST: Final = 18
"""A hash that claims to need more rounds would keep a thread busy for minutes."""
PASSWORD_BYTES: Final = 72

ARGON2ID: Final = "argon2id"
PASSES, MEMORY, LANES = 2, 65_536, 1
"""Memory in KiB. It takes about as long as bcrypt at its cost, and one thread."""
MOST_PASSES: Final = 10
MOST_MEMORY: Final = 4 * MEMORY
MOST_LANES: Final = 16
ARGON2_BYTES: Final = 4_096
"""Nobody's password is longer."""

GRACE: Final = 5
"""Seconds by which clocks may differ."""
TOKEN_LENGTH: Final = 65_536
"""A longer token is neither made nor read."""
KEY_BITS: Final = (2048, 8192)
HEADER: Final = b'{"alg":"HS256","typ":"JWT"}'

BCRYPT_LETTERS: Final = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
BASE64_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


# ── passwords ───────────────────────────────────────────────────────────────────────────────────────


@implements("_hashPassword", machine=True)
def hash_password(machine: Machine, password: str) -> str:
    """``கடவுச்சொல்_மறை``: a hash of this password."""
    data = password.encode()
    # Only a service has a configuration that says so.
    is_argon2 = getattr(machine.world, "passwords", "") == ARGON2ID
    most = ARGON2_BYTES if is_argon2 else PASSWORD_BYTES
    if len(data) > most:
        raise _invalid(
            "கடவுச்சொல்_மறை",
            f"கடவுச்சொல் {most} பைட்டுகளுக்கு மேல் இருக்கக் கூடாது; இதில் {len(data)} உள்ளன",
            f"a password has at most {most} bytes; this one has {len(data)}",
        )
    random = machine.world.random_bytes(16)
    salt = f"$2b${COST}${_bcrypt_salt(random)}".encode()
    slow = InThread(_argon2, (data, random)) if is_argon2 else InThread(_bcrypt, (data, salt))
    hashed: bytes = machine.perform(slow)
    return hashed.decode("ascii")


@implements("_verifyPassword", machine=True)
def verify_password(machine: Machine, password: str, hashed: str) -> bool:
    """``கடவுச்சொல்_சரியா``: does the password match the hash?"""
    data = password.encode()
    if hashed.startswith("$argon2"):
        if not _is_argon2(hashed):
            raise _invalid(
                "கடவுச்சொல்_சரியா",
                "இங்கே ஏற்கப்படும் Argon2id சுருக்கம் அல்ல",
                "this is no Argon2id hash that is accepted here",
            )
        if len(data) > ARGON2_BYTES:
            return False
        is_right: bool = machine.perform(InThread(_argon2_matches, (hashed.encode(), data)))
        return is_right
    if not _is_bcrypt(hashed):
        raise _invalid("கடவுச்சொல்_சரியா", "இது ஒரு bcrypt சுருக்கம் அல்ல", "this is no bcrypt hash")
    if len(data) > PASSWORD_BYTES:
        # No such hash is made here, and its tail would count for nothing.
        return False
    import hmac

    again: bytes = machine.perform(InThread(_bcrypt, (data, hashed.encode())))
    return hmac.compare_digest(again, hashed.encode())


def _bcrypt(password: bytes, salt: bytes) -> bytes:
    import bcrypt

    return bcrypt.hashpw(password, salt)


def _bcrypt_salt(random: bytes) -> str:
    """Sixteen bytes in bcrypt's own base64."""
    from binascii import b2a_base64

    letters = b2a_base64(random, newline=False).decode().rstrip("=")
    return letters.translate(str.maketrans(BASE64_LETTERS, BCRYPT_LETTERS))


def _is_bcrypt(hashed: str) -> bool:
    kind, cost, rest = hashed[:4], hashed[4:6], hashed[7:]
    return (
        len(hashed) == 60
        and kind in ("$2a$", "$2b$", "$2y$")
        and hashed[6] == "$"
        and cost.isascii()
        and cost.isdigit()
        and 4 <= int(cost) <= MOST_COST
        and set(rest) <= set(BCRYPT_LETTERS)
        and rest[21] in _LAST_OF_SALT
    )


_LAST_OF_SALT: Final = BCRYPT_LETTERS[::16]
"""The last of its 22 letters stands for two bits only."""


def _argon2(password: bytes, salt: bytes) -> bytes:
    from argon2.low_level import Type, hash_secret

    return hash_secret(password, salt, PASSES, MEMORY, LANES, 32, Type.ID)


def _argon2_matches(hashed: bytes, password: bytes) -> bool:
    from argon2.exceptions import VerificationError
    from argon2.low_level import Type, verify_secret

    try:
        return verify_secret(hashed, password, Type.ID)
    except VerificationError:
        return False


_read_argon2: Final = re.compile(
    r"\$argon2id\$v=19\$m=([1-9]\d{0,7}),t=([1-9]\d?),p=([1-9]\d?)"
    r"\$[A-Za-z0-9+/]{11,64}\$[A-Za-z0-9+/]{22,86}",
    re.ASCII,
).fullmatch


def _is_argon2(hashed: str) -> bool:
    """Is it a hash of Argon2id, and one that does not claim to need more than a thread should give?"""
    found = _read_argon2(hashed)
    if found is None:
        return False
    memory, passes, lanes = map(int, found.groups())
    return 8 * lanes <= memory <= MOST_MEMORY and passes <= MOST_PASSES and lanes <= MOST_LANES


# ── tokens ──────────────────────────────────────────────────────────────────────────────────────────


class BadToken(Exception):
    """Why a token is not accepted, in words of both languages."""

    def __init__(self, tamil: str, english: str) -> None:
        super().__init__(english)
        self.tamil = tamil
        self.english = english


@implements("_issueToken", machine=True)
def issue_token(machine: Machine, claims: str, seconds: Number) -> str:
    """``சீட்டு_ஆக்கு``: a token with these claims, good for so many seconds."""
    name = "சீட்டு_ஆக்கு"
    try:
        content = parse_json(claims)
    except NotJson as problem:
        raise _invalid(name, problem.tamil, problem.english) from None
    if not isinstance(content, dict):
        raise _invalid(name, "உரிமைகள் ஒரு ஜேசான் பொருளாக இருக்க வேண்டும்", "the claims must be a JSON object")
    now = _now(machine)
    end = now + truncate(seconds)
    if not -(2**53) < end < 2**53:
        raise _invalid(name, "நொடிகள் எல்லைக்குள் அடங்கவில்லை", "the seconds do not fit")
    payload = json_text({**content, "iat": now, "exp": end})
    token = _signed(signing_key(machine), payload)
    if len(token) > TOKEN_LENGTH:
        raise _invalid(name, "சீட்டு மிக நீளமானது", "the token is too long")
    return token


@implements("_readToken", machine=True)
def read_token(machine: Machine, token: str) -> Ok | Err:
    """``சீட்டு_சரிபார்``: the claims of a token of ours, as JSON text."""
    try:
        header, payload, signature = _parts(token)
        _expect_algorithm(header, "HS256")
        expected = _mac(signing_key(machine), f"{header.text}.{payload}")
        if not _same(expected, signature):
            raise _bad_signature()
        claims = _object(payload)
        _expect_time(claims, _now(machine))
        if "aud" in claims:
            # REFERENCE §23: who it is meant for cannot be told here, so nobody may say it.
            raise BadToken("‘aud’ உள்ள சீட்டு இங்கே ஏற்கப்படாது", "a token with ‘aud’ is not accepted here")
        return Ok(json_text(claims))
    except BadToken as problem:
        return failed(problem.tamil, problem.english)


@implements("_tokenHeader")
def token_header(token: str) -> Ok | Err:
    """``சீட்டு_தலைப்பு``: which key and algorithm a token claims, unverified."""
    try:
        header, _, _ = _parts(token)
    except BadToken as problem:
        return failed(problem.tamil, problem.english)
    kid = header.fields.get("kid", "")
    return Ok({"kid": kid if isinstance(kid, str) else "", "alg": header.algorithm})


@implements("_verifyTokenRSA", machine=True)
def verify_token_rsa(machine: Machine, token: str, n: str, e: str, issuer: str, audience: str) -> Ok | Err:
    """``சீட்டு_பொதுச்_சரிபார்``: the claims of a token that another party signed with RS256."""
    try:
        if not issuer or not audience:
            raise BadToken("வழங்குநரும் பெறுநரும் தேவை", "issuer and audience are needed")
        header, payload, signature = _parts(token)
        _expect_algorithm(header, "RS256")
        _verify_rsa(f"{header.text}.{payload}".encode(), _base64url(signature), _base64url(n), _base64url(e))
        claims = _object(payload)
        _expect_time(claims, _now(machine))
        if claims.get("iss") != issuer:
            raise BadToken("வழங்குநர் பொருந்தவில்லை", "the issuer does not match")
        meant_for = claims.get("aud")
        if audience not in (meant_for if isinstance(meant_for, list) else [meant_for]):
            raise BadToken("பெறுநர் பொருந்தவில்லை", "the audience does not match")
        return Ok(json_text(claims))
    except BadToken as problem:
        return failed(problem.tamil, problem.english)


def signing_key(machine: Machine) -> bytes:
    """The key of this process's tokens: ``ETAMIL_JWT_SECRET``, else a random one and a warning."""
    secret = machine.world.environment("ETAMIL_JWT_SECRET")
    if secret:
        return str(secret).encode()
    keys: dict[str, bytes] = getattr(machine.world, "keys", _KEYS_OF_PROCESS)
    if "jwt" not in keys:
        keys["jwt"] = machine.world.random_bytes(32)
        machine.world.warn(
            "ETAMIL_JWT_SECRET அமைக்கப்படவில்லை; சீட்டுகள் இந்தச் செயல்முறை முடியும் வரை மட்டுமே செல்லும்"
            "  (ETAMIL_JWT_SECRET is not set; tokens are good only until this process ends)"
        )
    return keys["jwt"]


_KEYS_OF_PROCESS: dict[str, bytes] = {}
"""Keys made for want of configured ones, in a world that keeps none itself."""


class _Header:
    """The first part of a token: as it was written, and read."""

    __slots__ = ("algorithm", "fields", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.fields = _object(text)
        algorithm = self.fields.get("alg")
        if not isinstance(algorithm, str):
            raise _malformed()
        self.algorithm = algorithm


def _signed(key: bytes, payload: str) -> str:
    body = f"{_to_base64url(HEADER)}.{_to_base64url(payload.encode())}"
    return f"{body}.{_mac(key, body)}"


def _mac(key: bytes, body: str) -> str:
    import hmac

    return _to_base64url(hmac.digest(key, body.encode(), "sha256"))


def _same(one: str, other: str) -> bool:
    import hmac

    return hmac.compare_digest(one.encode(), other.encode())


def _parts(token: str) -> tuple[_Header, str, str]:
    parts = token.split(".", 3)
    if len(parts) != 3 or len(token) > TOKEN_LENGTH:
        raise _malformed()
    return _Header(parts[0]), parts[1], parts[2]


def _expect_algorithm(header: _Header, algorithm: str) -> None:
    if header.algorithm != algorithm:
        raise BadToken(f"‘{algorithm}’ முறையில் கையொப்பமிடப்படவில்லை", f"it is not signed with ‘{algorithm}’")
    if "crit" in header.fields:
        # RFC 7515: what must be understood and is not makes a token invalid.
        raise BadToken("சீட்டுக்குத் தெரியாத நீட்டிப்புகள் தேவை", "it needs extensions that are not known")


def _expect_time(claims: dict[str, Value], now: int) -> None:
    end: Value = claims.get("exp")
    if not _is_number(end):
        raise BadToken("சீட்டில் முடிவு நேரம் (exp) இல்லை", "it has no time of expiry (exp)")
    if end < now - GRACE:
        raise BadToken("சீட்டின் காலம் முடிந்தது", "it has expired")
    start: Value = claims.get("nbf")
    if start is not None and not (_is_number(start) and start <= now + GRACE):
        raise BadToken("சீட்டின் காலம் இன்னும் தொடங்கவில்லை", "it is not valid yet")


def _verify_rsa(body: bytes, signature: bytes, n: bytes, e: bytes) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
    from cryptography.hazmat.primitives.hashes import SHA256

    modulus, exponent = int.from_bytes(n, "big"), int.from_bytes(e, "big")
    if not KEY_BITS[0] <= modulus.bit_length() <= KEY_BITS[1] or exponent.bit_length() > 33:
        raise BadToken(
            f"பொதுச் சாவி {KEY_BITS[0]}–{KEY_BITS[1]} பிட் கொண்டதாக இருக்க வேண்டும்",
            f"the public key must have {KEY_BITS[0]} to {KEY_BITS[1]} bits",
        )
    try:
        RSAPublicNumbers(exponent, modulus).public_key().verify(signature, body, PKCS1v15(), SHA256())
    except InvalidSignature:
        raise _bad_signature() from None
    except ValueError:
        raise BadToken("பொதுச் சாவி செல்லாது", "the public key is not valid") from None


def _object(part: str) -> dict[str, Value]:
    """The JSON object that a part of a token holds."""
    try:
        value = parse_json(_base64url(part).decode())
    except (NotJson, UnicodeDecodeError):
        raise _malformed() from None
    if not isinstance(value, dict):
        raise _malformed()
    return value


def _is_number(value: Value) -> bool:
    return isinstance(value, Number) and not isinstance(value, bool)


def _now(machine: Machine) -> int:
    numerator, denominator = machine.world.wall_time().as_integer_ratio()
    return int(numerator // denominator)


def _to_base64url(data: bytes) -> str:
    from binascii import b2a_base64

    return b2a_base64(data, newline=False).decode().rstrip("=").replace("+", "-").replace("/", "_")


def _base64url(text: str) -> bytes:
    """The bytes of base64 in its URL form without padding (RFC 7515), and nothing else."""
    from binascii import a2b_base64

    if not set(text) <= _BASE64URL:
        raise _malformed()
    letters = text.replace("-", "+").replace("_", "/")
    try:
        return a2b_base64(letters + "=" * (-len(letters) % 4), strict_mode=True)
    except ValueError:
        raise _malformed() from None


_BASE64URL: Final = frozenset(BASE64_LETTERS) - {"+", "/"} | {"-", "_"}


def _malformed() -> BadToken:
    return BadToken("இது ஒரு சீட்டு அல்ல", "this is no token")


def _bad_signature() -> BadToken:
    return BadToken("சீட்டின் கையொப்பம் பொருந்தவில்லை", "the signature does not match")


def _invalid(name: str, tamil: str, english: str) -> Fault:
    return Fault("value.invalid", name=name, problem_ta=tamil, problem_en=english)
