"""How a client of MySQL or MariaDB proves that it knows the password, by each of the server's methods.

Where a method would show the password itself, it is shown only to a server that nobody stands before: over
TLS, over a Unix socket, or, encrypted with a key the server sends, on loopback.
"""

from __future__ import annotations

import hashlib
from typing import Final

NATIVE: Final = "mysql_native_password"
CACHING: Final = "caching_sha2_password"
SHA256: Final = "sha256_password"
CLEAR: Final = "mysql_clear_password"
HIDING: Final = (NATIVE, CACHING, SHA256)
"""What is safe to begin with, before the server has asked."""
METHODS: Final = (*HIDING, CLEAR)


def first_proof(method: str, password: str, nonce: bytes, is_secret: bool) -> bytes:
    """What answers the first question of a method."""
    if not password:
        return b"" if method in (NATIVE, CACHING) else b"\0"
    raw = password.encode()
    if method == NATIVE:
        once = hashlib.sha1(raw).digest()
        return _mixed(once, hashlib.sha1(nonce + hashlib.sha1(once).digest()).digest())
    if method == CACHING:
        once = hashlib.sha256(raw).digest()
        return _mixed(once, hashlib.sha256(hashlib.sha256(once).digest() + nonce).digest())
    # Both show it; of SHA256 there is a way with a key, which has to be asked for.
    return raw + b"\0" if is_secret else b"\x01"


def encrypted(password: str, nonce: bytes, key: bytes) -> bytes:
    """The password for whoever has the other half of this key (PEM)."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    public = serialization.load_pem_public_key(key)
    if not isinstance(public, rsa.RSAPublicKey):
        raise ValueError("the server's key is of another kind")
    raw = password.encode() + b"\0"
    mixed = _mixed(raw, (nonce * (len(raw) // len(nonce) + 1))[: len(raw)])
    # SHA-1 is what the protocol says; padding does not rest on its weakness.
    oaep = padding.OAEP(mgf=padding.MGF1(hashes.SHA1()), algorithm=hashes.SHA1(), label=None)
    return public.encrypt(mixed, oaep)


def _mixed(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
