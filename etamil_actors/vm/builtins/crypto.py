"""Encryption, signatures, digests and random bytes (REFERENCE §24).

Three sources, all imported with the first use: ``hmac`` and ``hashlib`` of the standard library,
``cryptography`` for ChaCha20-Poly1305, Argon2id and the curve P-256, and the forty lines of
HChaCha20 below. Those turn ChaCha20 with its nonce of 12 bytes into XChaCha20 with one of 24
(draft-irtf-cfrg-xchacha-03). PyNaCl would bring them too, and with them a second
cryptographic library for one function; ``cryptography`` we need for the other two anyway.

Everything that is drawn by chance — salts, nonces, keys — comes from the world's randomness.
Curve signatures need none: their nonce is derived as RFC 6979 has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from etamil_actors.errors import Fault
from etamil_actors.vm.builtins.errors import failed
from etamil_actors.vm.builtins.registry import implements
from etamil_actors.vm.effects import InThread
from etamil_actors.vm.limits import admit_text
from etamil_actors.vm.number import truncate
from etamil_actors.vm.values import Err, Number, Ok, Value

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import (
        ECDSA,
        EllipticCurvePrivateKey,
        EllipticCurvePublicKey,
    )

    from etamil_actors.vm.machine import Machine

VERSION: Final = b"\x01"
SALT, NONCE, TAG = 16, 24, 16

# What sealed texts of published programs were made with: the defaults of Argon2id in Rust.
MEMORY_KIB, PASSES, LANES = 19_456, 2, 1

ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""How many points the curve P-256 has; a private key lies below."""


# ── sealing texts ───────────────────────────────────────────────────────────────────────────────────


@implements("_encrypt", machine=True)
def encrypt(machine: Machine, text: str, passphrase: str) -> str:
    """``மறை``: seal a text under a passphrase; base64."""
    if not passphrase:
        raise Fault(
            "value.invalid",
            name="மறை",
            problem_ta="கடவுச்சொற்றொடர் வெறுமையாக இருக்கக் கூடாது",
            problem_en="the passphrase must not be empty",
        )
    data = text.encode()
    admit_text(len(data) * 4 // 3)
    chance = machine.world.random_bytes(SALT + NONCE)
    sealed: str = machine.perform(InThread(_seal, (data, passphrase.encode(), chance)))
    return sealed


@implements("_decrypt", machine=True)
def decrypt(machine: Machine, sealed: str, passphrase: str) -> Ok | Err:
    """``வெளிப்படு``: open what மறை sealed."""
    from binascii import a2b_base64

    try:
        data = a2b_base64(sealed.strip(), strict_mode=True)
    except ValueError:
        return _no_sealed_text()
    if data[:1] != VERSION or len(data) < 1 + SALT + NONCE + TAG:
        return _no_sealed_text()
    try:
        opened: bytes | None = machine.perform(InThread(_open, (data, passphrase.encode())))
        if opened is not None:
            return Ok(opened.decode())
    except UnicodeDecodeError:
        return _no_sealed_text()
    return failed(
        "திறக்கவில்லை: கடவுச்சொற்றொடர் தவறு, அல்லது உரை மாற்றப்பட்டுள்ளது",
        "it does not open: a wrong passphrase, or the text was changed",
    )


@implements("_encryptionKey", machine=True)
def encryption_key(machine: Machine) -> str:
    """``மறை_விசை``: a fresh random passphrase, base64."""
    return _base64(machine.world.random_bytes(32))


def _no_sealed_text() -> Err:
    return failed("இது ‘மறை’ உருவாக்கிய உரை அல்ல", "this is no text sealed by மறை")


def _seal(data: bytes, passphrase: bytes, chance: bytes) -> str:
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    salt, nonce = chance[:SALT], chance[SALT:]
    key, short_nonce = extended_nonce(_derived_key(passphrase, salt), nonce)
    return _base64(VERSION + salt + nonce + ChaCha20Poly1305(key).encrypt(short_nonce, data, None))


def _open(data: bytes, passphrase: bytes) -> bytes | None:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    salt, nonce, box = data[1 : 1 + SALT], data[1 + SALT : 1 + SALT + NONCE], data[1 + SALT + NONCE :]
    key, short_nonce = extended_nonce(_derived_key(passphrase, salt), nonce)
    try:
        return ChaCha20Poly1305(key).decrypt(short_nonce, box, None)
    except InvalidTag:
        return None


def _derived_key(passphrase: bytes, salt: bytes) -> bytes:
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    argon = Argon2id(salt=salt, length=32, iterations=PASSES, lanes=LANES, memory_cost=MEMORY_KIB)
    return argon.derive(passphrase)


def extended_nonce(key: bytes, nonce: bytes) -> tuple[bytes, bytes]:
    """Key and nonce of 12 bytes that make ChaCha20-Poly1305 into XChaCha20-Poly1305."""
    return hchacha20(key, nonce[:16]), bytes(4) + nonce[16:]


def hchacha20(key: bytes, nonce: bytes) -> bytes:
    """A key of 32 bytes from a key of 32 and a nonce of 16 (draft-irtf-cfrg-xchacha-03, 2.2)."""
    from struct import pack, unpack

    state = list(unpack("<16L", b"expand 32-byte k" + key + nonce))
    for _ in range(10):
        for column in range(4):
            _quarter_round(state, column, column + 4, column + 8, column + 12)
        for column in range(4):
            _quarter_round(state, column, 4 + (column + 1) % 4, 8 + (column + 2) % 4, 12 + (column + 3) % 4)
    return pack("<8L", *state[:4], *state[12:])


def _quarter_round(state: list[int], a: int, b: int, c: int, d: int) -> None:
    for first, second, third, left in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        state[first] = (state[first] + state[second]) & 0xFFFFFFFF
        mixed = state[third] ^ state[first]
        state[third] = (mixed << left | mixed >> (32 - left)) & 0xFFFFFFFF


# ── message codes, digests, chance ──────────────────────────────────────────────────────────────────


@implements("_sign")
def sign(key: str, message: str) -> str:
    """``கையொப்பம்``: HMAC-SHA256 in lower-case hex."""
    import hmac

    return hmac.digest(key.encode(), message.encode(), "sha256").hex()


@implements("_verifySignature")
def verify_signature(key: str, message: str, signature: str) -> bool:
    """``கையொப்பம்_சரியா``: is it the code of this message? Compared in constant time."""
    import hmac

    return hmac.compare_digest(sign(key, message).encode(), signature.strip().lower().encode())


@implements("_sha256")
def sha256(text: str) -> list[Value]:
    """``சுருக்கம்_256``: SHA-256 of a text, as 32 bytes."""
    import hashlib

    return list(hashlib.sha256(text.encode()).digest())


@implements("_randomBytes", machine=True)
def random_bytes(machine: Machine, count: Number) -> list[Value]:
    """``எழுமாற்று``: 1 to 1024 unpredictable bytes."""
    whole = truncate(count)
    if not 1 <= whole <= 1024:
        raise Fault(
            "value.invalid",
            name="எழுமாற்று",
            problem_ta="எண்ணிக்கை 1 முதல் 1024 வரை இருக்க வேண்டும்",
            problem_en="the count must be from 1 to 1024",
        )
    return list(machine.world.random_bytes(whole))


# ── the curve P-256 ─────────────────────────────────────────────────────────────────────────────────


@implements("_keyPair", machine=True)
def key_pair(machine: Machine) -> dict[str, Value]:
    """``வளைவு_சாவிகள்``: a new pair of keys in hex."""
    scalar = 0
    while not 0 < scalar < ORDER:
        scalar = int.from_bytes(machine.world.random_bytes(32), "big")
    private = scalar.to_bytes(32, "big")
    return {"தனி": private.hex(), "பொது": _point(_private_key(private.hex())).hex()}


@implements("_publicKey")
def public_key(private: str) -> Ok | Err:
    """``வளைவு_பொதுச்சாவி``: the public key of a private one."""
    try:
        return Ok(_point(_private_key(private)).hex())
    except _BadKey as problem:
        return failed(*problem.args)


@implements("_ecSign")
def ec_sign(message: str, private: str) -> Ok | Err:
    """``வளைவு_கையொப்பம்``: ECDSA with SHA-256, DER in hex."""
    try:
        return Ok(_private_key(private).sign(message.encode(), _ecdsa(signing=True)).hex())
    except _BadKey as problem:
        return failed(*problem.args)


@implements("_ecVerify")
def ec_verify(message: str, signature: str, public: str) -> Ok | Err:
    """``வளைவு_சரிபார்``: does a DER signature hold?"""
    try:
        return Ok(_holds(_public_key(public), _unhex(signature), message))
    except _BadKey as problem:
        return failed(*problem.args)


@implements("_ecSignFixed")
def ec_sign_fixed(message: str, private: str) -> Ok | Err:
    """``வளைவு_நேர்_கையொப்பம்``: the same signature as 64 bytes, r then s."""
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    try:
        r, s = decode_dss_signature(_private_key(private).sign(message.encode(), _ecdsa(signing=True)))
    except _BadKey as problem:
        return failed(*problem.args)
    return Ok(list(r.to_bytes(32, "big") + s.to_bytes(32, "big")))


@implements("_ecVerifyFixed")
def ec_verify_fixed(message: str, signature: list[Value], public: str) -> bool | Err:
    """``வளைவு_நேர்_சரிபார்``: does a signature of 64 bytes hold? A plain boolean, or a தவறு."""
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    try:
        key = _public_key(public)
    except _BadKey as problem:
        return failed(*problem.args)
    if len(signature) != 64 or not all(type(byte) is int and 0 <= byte <= 255 for byte in signature):
        return False
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    return _holds(key, encode_dss_signature(r, s), message)


class _BadKey(Exception):
    """What is wrong with a key or a signature, in both languages."""


def _private_key(text: str) -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key

    data = _unhex(text)
    scalar = int.from_bytes(data, "big")
    if len(data) != 32 or not 0 < scalar < ORDER:
        raise _BadKey("இது ஒரு தனிச் சாவி அல்ல", "this is no private key")
    return derive_private_key(scalar, SECP256R1())


def _public_key(text: str) -> EllipticCurvePublicKey:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey

    try:
        return EllipticCurvePublicKey.from_encoded_point(SECP256R1(), _unhex(text))
    except ValueError:
        raise _BadKey("இது ஒரு பொதுச் சாவி அல்ல", "this is no public key") from None


def _point(key: EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _ecdsa(signing: bool) -> ECDSA:
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.hashes import SHA256

    return ECDSA(SHA256(), deterministic_signing=signing)


def _holds(key: EllipticCurvePublicKey, signature: bytes, message: str) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(signature, message.encode(), _ecdsa(signing=False))
    except InvalidSignature:
        return False
    return True


def _unhex(text: str) -> bytes:
    try:
        return bytes.fromhex("".join(text.split()))
    except ValueError:
        raise _BadKey("பதினறும (hex) இலக்கங்கள் மட்டுமே வரலாம்", "only hex digits may stand here") from None


def _base64(data: bytes) -> str:
    from binascii import b2a_base64

    return b2a_base64(data, newline=False).decode()
