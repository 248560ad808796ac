"""Public keys: whatever is published or shown, the answer is yes, no, or that the configuration is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etamil_actors.actors.auth.keys import PUBLIC_ALGORITHMS, given_keys, published_keys
from etamil_actors.actors.auth.parts import LONGEST_TOKEN, from_base64url, parts_of, to_base64url
from etamil_actors.actors.auth.tokens import Tokens
from etamil_actors.errors import Fault
from etamil_actors.ports.auth import JwtSettings
from tests.auth.provider import Key

KEYS = [
    Key("ec", "EC", "P-256"), Key("ec3", "EC", "P-384"), Key("ec5", "EC", "P-521"), Key("rsa", "RSA", 2048),
    Key("ed", "OKP", "Ed25519"),
]  # fmt: skip
PUBLIC = [{name: value for name, value in key.public.items() if name != "alg"} for key in KEYS]


@pytest.mark.parametrize("algorithm", PUBLIC_ALGORITHMS)
@pytest.mark.parametrize("signature", [b"", b"x", bytes(64), b"\xff" * 64, bytes(96), bytes(132), b"\x01" * 256], ids=len)
def test_a_signature_that_is_none_is_refused_whatever_the_key(algorithm: str, signature: bytes) -> None:
    for key in given_keys({"keys": PUBLIC}):
        assert key.verifies(algorithm, b"body", signature) is False


def test_two_keys_of_one_name_are_both_tried() -> None:
    one, two = Key("same"), Key("same")
    tokens = Tokens(JwtSettings(jwks={"keys": [one.public, two.public]}))
    for key in (one, two):
        assert tokens.claims_of(key.sign({"exp": 10}), lambda: 0.0) == {"exp": 10}


def test_the_private_part_of_a_key_is_not_looked_at() -> None:
    key = Key("one")
    private = {**key.key.as_dict(private=True), "kid": "one"}
    assert "d" in private
    (read,) = given_keys({"keys": [private]})
    assert not read._key.is_private
    tokens = Tokens(JwtSettings(jwks={"keys": [private]}))
    assert tokens.claims_of(key.sign({"exp": 10}), lambda: 0.0) == {"exp": 10}
    with pytest.raises(Fault) as raised:
        tokens.issue({}, 0)
    assert raised.value.code == "config"


def test_a_key_that_is_too_weak_or_too_large_is_told() -> None:
    modulus = to_base64url((1 << 8193).to_bytes(1100, "big"))
    for n in (to_base64url(b"\xff" * 128), modulus):
        with pytest.raises(Fault) as raised:
            given_keys({"keys": [{"kty": "RSA", "n": n, "e": "AQAB"}]})
        assert raised.value.code == "config" and "bits" in raised.value.english


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10) | st.sampled_from(["RSA", "EC", "OKP", "AQAB"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["kty", "n", "e", "crv", "x"]), inner),
    max_leaves=10,
)
RECORD = st.fixed_dictionaries(
    {"kty": st.sampled_from(["RSA", "EC", "OKP"]) | ANY},
    optional=dict.fromkeys(("n", "e", "crv", "x", "y", "kid", "use", "alg", "key_ops"), ANY),
)


@settings(deadline=None)
@given(st.lists(RECORD | ANY, max_size=4))
def test_whatever_is_published_breaks_nothing(records: list[Any]) -> None:
    for key in published_keys({"keys": [*records, KEYS[0].public]}):
        assert key.verifies("ES256", b"body", b"x" * 64) is False
    try:
        given_keys({"keys": records})
    except Fault as fault:
        assert fault.code == "config"


@settings(deadline=None)
@given(st.text(alphabet="ab.=_-+/ \n\0é", max_size=30) | st.binary(max_size=40).map(to_base64url))
def test_whatever_is_shown_is_a_token_or_none(text: str) -> None:
    for shown in (text, f"{text}.{text}.{text}", f"eyJhbGciOiJFUzI1NiJ9.{text}.{text}"):
        try:
            parts_of(shown)
        except Fault as fault:
            assert fault.code == "auth.invalid"


@settings(deadline=None)
@given(st.binary(max_size=50))
def test_base64url_is_read_back_and_only_in_its_one_form(data: bytes) -> None:
    text = to_base64url(data)
    assert from_base64url(text) == data
    for other in (text + "=", text + "\n", " " + text, text + "é"):
        with pytest.raises(ValueError):
            from_base64url(other)


def test_how_long_a_token_may_be() -> None:
    tokens = Tokens(JwtSettings(secret="0123456789abcdef"))
    long = tokens.issue({"a": "x" * 48_000, "exp": 10}, 0)
    assert len(long) < LONGEST_TOKEN
    assert tokens.claims_of(long, lambda: 0.0)
    with pytest.raises(Fault) as raised:
        tokens.claims_of(long + "x" * LONGEST_TOKEN, lambda: 0.0)
    assert raised.value.code == "auth.invalid"
    with pytest.raises(Fault) as raised:
        tokens.issue({"a": "x" * 50_000}, 0)
    assert raised.value.code == "value.invalid"
