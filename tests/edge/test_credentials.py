"""Who is recognised, and that nobody becomes somebody else."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etamil_actors.edge.credentials import Credentials, JwtSettings, has_role
from etamil_actors.errors import Fault
from etamil_actors.vm.builtins.passwords import issue_token
from etamil_actors.vm.values import Value

NOW = 1_800_000_000
SECRET = "a secret"
HS = JwtSettings(secret=SECRET)


class Held:
    """A session as the guard reads it."""

    csrf = ""

    def __init__(self, **values: Value) -> None:
        self.values: Mapping[str, Value] = values

    def set(self, key: str, value: Value) -> None:
        raise AssertionError

    def end(self) -> None:
        raise AssertionError


def part(value: object) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def token(claims: object, secret: str = SECRET, kind: str = "sha256", **header: object) -> str:
    body = f"{part({'alg': 'HS256', **header})}.{part(claims)}"
    return f"{body}.{part(hmac.digest(secret.encode(), body.encode(), kind))}"


def user_of(written: str | None, settings: JwtSettings | None = HS, *, now: float = NOW, **session: Value) -> Value:
    return Credentials(settings, lambda: now).user_of(written, Held(**session) if session else None)


def refused(written: str | None, settings: JwtSettings | None = HS, **more: Any) -> Fault:
    with pytest.raises(Fault) as raised:
        user_of(written, settings, **more)
    return raised.value


GOOD = {"sub": "கமலா", "exp": NOW + 60}

# ---------------------------------------------------------------- tokens and sessions


def test_the_claims_of_a_token_are_the_user() -> None:
    claims = {**GOOD, "role": "admin", "limit": 12.50, "n": 3, "list": [None, True]}
    user = user_of("Bearer " + token(claims))
    assert user == {**GOOD, "role": "admin", "limit": Decimal("12.5"), "n": 3, "list": [None, True]}
    assert type(user["limit"]) is Decimal and type(user["n"]) is int


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer"])
def test_the_scheme_may_be_written_in_any_case(scheme: str) -> None:
    assert user_of(f" {scheme}  {token(GOOD)} ") == GOOD


def test_a_token_that_the_programs_word_has_made_is_accepted() -> None:
    class World:
        def environment(self, name: str) -> str | None:
            return {"ETAMIL_JWT_SECRET": SECRET}.get(name)

        def wall_time(self) -> Decimal:
            return Decimal(NOW)

    machine: Any = SimpleNamespace(world=World())
    issued = issue_token(machine, '{"sub": "கமலா", "roles": ["admin"]}', Decimal(60))
    assert user_of(f"Bearer {issued}") == {"sub": "கமலா", "roles": ["admin"], "iat": NOW, "exp": NOW + 60}


@pytest.mark.parametrize("key", ["பயனர்", "user"])
def test_without_a_token_the_session_tells(key: str) -> None:
    assert user_of(None, **{key: {"role": "admin"}}) == {"role": "admin"}
    assert user_of(None, None, **{key: "கமலா"}) == "கமலா"
    assert user_of("Basic abc", **{key: "கமலா"}) == "கமலா"


@pytest.mark.parametrize("written", [None, "", "Basic abc", "nonsense"])
def test_nobody_is_nobody(written: str | None) -> None:
    assert refused(written).code == "auth.missing"
    assert refused(written, other="x", user=None).code == "auth.missing"


def test_a_bad_token_is_not_helped_by_a_session() -> None:
    assert refused("Bearer nonsense", user="கமலா").code == "auth.invalid"


def test_a_token_is_not_accepted_where_there_is_no_key_to_verify_it() -> None:
    assert refused("Bearer " + token(GOOD), None).code == "auth.invalid"
    assert refused("Bearer " + token(GOOD), JwtSettings()).code == "auth.invalid"


# ---------------------------------------------------------------- what is not believed


@pytest.mark.parametrize("bad", [
    "", "a", "a.b", "a.b.c", "..", "...", "!.!.!", "அ.ஆ.இ", "a" * 70_000, token(GOOD) + ".x", token(GOOD) + "=", " ",
    f"{part([])}.{part(GOOD)}.x", f"{part({})}.{part(GOOD)}.x", f"{part({'alg': 5})}.{part(GOOD)}.x",
    token([]), token("text"), token(b"\xff"), token(b"{"), token(b'{"exp": 1e999}'), token(b"[" * 9000),
])  # fmt: skip
def test_what_is_no_token_is_refused(bad: str) -> None:
    assert refused("Bearer " + bad).code == "auth.invalid"


@pytest.mark.parametrize("claims", [
    {"sub": "a"},
    {"exp": "tomorrow"},
    {"exp": True},
    {"exp": NOW - 6},
    {"exp": NOW + 60, "nbf": NOW + 6},
    {"exp": NOW + 60, "nbf": "x"},
    {"exp": NOW + 60, "aud": "somebody"},
    {"exp": NOW + 60, "aud": None},
])  # fmt: skip
def test_a_token_out_of_its_time_or_for_somebody_else_is_refused(claims: dict[str, object]) -> None:
    assert refused("Bearer " + token(claims)).code == "auth.invalid"


@pytest.mark.parametrize("claims", [{"exp": NOW - 5}, {"exp": NOW + 0.5}, {"exp": NOW + 1, "nbf": NOW + 5}])
def test_clocks_may_differ_a_little(claims: dict[str, float]) -> None:
    assert user_of("Bearer " + token(claims)).keys() == claims.keys()


@pytest.mark.parametrize(("claims", "is_good"), [
    ({"iss": "us", "aud": "shop"}, True),
    ({"iss": "us", "aud": ["other", "shop"]}, True),
    ({"iss": "us", "aud": ["other"]}, False),
    ({"iss": "us"}, False),
    ({"iss": "they", "aud": "shop"}, False),
    ({"aud": "shop"}, False),
    ({"iss": ["us"], "aud": "shop"}, False),
    ({"iss": "us", "aud": "shopping"}, False),
])  # fmt: skip
def test_issuer_and_audience_have_to_match(claims: dict[str, object], is_good: bool) -> None:
    settings = JwtSettings(secret=SECRET, issuer="us", audience="shop")
    written = "Bearer " + token({**claims, "exp": NOW + 60})
    if is_good:
        assert user_of(written, settings)["exp"] == NOW + 60
    else:
        assert refused(written, settings).code == "auth.invalid"


def test_another_secret_signs_for_nobody() -> None:
    assert refused("Bearer " + token(GOOD, "another")).code == "auth.invalid"
    assert refused("Bearer " + token(GOOD, "")).code == "auth.invalid"


@pytest.mark.parametrize("algorithm", ["none", "None", "", "HS384", "RS256", "HS256 ", "hs256"])
def test_the_token_does_not_choose_its_algorithm(algorithm: str) -> None:
    unsigned = f"{part({'alg': algorithm})}.{part(GOOD)}."
    assert refused("Bearer " + unsigned).code == "auth.invalid"
    assert refused("Bearer " + token(GOOD, alg=algorithm)).code == "auth.invalid"


def test_a_token_that_wants_more_than_we_know_is_refused() -> None:
    assert refused("Bearer " + token(GOOD, crit=["b64"], b64=False)).code == "auth.invalid"


def test_algorithms_are_those_of_the_settings() -> None:
    settings = JwtSettings(secret=SECRET, algorithms=("HS512",))
    assert user_of("Bearer " + token(GOOD, kind="sha512", alg="HS512"), settings) == GOOD
    assert refused("Bearer " + token(GOOD), settings).code == "auth.invalid"


@pytest.mark.parametrize("algorithms", [("none",), ("RS256",), ("HS256", "XX")])
def test_an_algorithm_that_does_not_go_with_the_key_is_refused_at_the_start(algorithms: tuple[str, ...]) -> None:
    with pytest.raises(Fault) as raised:
        Credentials(JwtSettings(secret=SECRET, algorithms=algorithms), lambda: NOW)
    assert raised.value.code == "config"
    assert SECRET not in raised.value.message and SECRET not in repr(HS)


@given(st.data())
def test_a_changed_token_is_refused(data: st.DataObject) -> None:
    good = token(GOOD)
    # the last letter of each part may hold bits that mean nothing
    ends = {good.index(".") - 1, good.rindex(".") - 1, len(good) - 1}
    place = data.draw(st.sampled_from([n for n in range(len(good)) if n not in ends]))
    letter = data.draw(st.characters(exclude_characters=good[place], exclude_categories=("Cs",)))
    assert refused(f"Bearer {good[:place]}{letter}{good[place + 1 :]}").code == "auth.invalid"


# ---------------------------------------------------------------- tokens that are known already


def test_a_known_token_is_read_anew_and_ends_in_time() -> None:
    now = [NOW]
    credentials = Credentials(HS, lambda: now[0])
    written = "Bearer " + token({"exp": NOW + 60, "roles": ["user"]})
    first = credentials.user_of(written, None)
    first["roles"].append("admin")
    assert credentials.user_of(written, None)["roles"] == ["user"]
    now[0] += 100
    for _ in range(2):
        with pytest.raises(Fault) as raised:
            credentials.user_of(written, None)
        assert raised.value.code == "auth.invalid"


def test_many_tokens_are_not_remembered_for_ever() -> None:
    credentials = Credentials(HS, lambda: NOW)
    for number in range(1100):
        assert credentials.user_of("Bearer " + token({"exp": NOW, "n": number}), None)["n"] == number
    assert len(credentials._tokens._known) == 1024  # type: ignore[union-attr]


# ---------------------------------------------------------------- public keys


def made(kind: str, size: str | int, **more: str) -> tuple[Any, dict[str, Any]]:
    from joserfc.jwk import JWKRegistry

    key = JWKRegistry.generate_key(kind, size, more or None)  # type: ignore[arg-type]
    return key, {**key.as_dict(private=False), **more}


def signed(key: Any, algorithm: str, claims: object = None, **header: str) -> str:
    from joserfc.jws import JWSRegistry, serialize_compact

    payload = json.dumps(claims or GOOD).encode()
    registry = JWSRegistry(algorithms=[algorithm])
    return "Bearer " + serialize_compact({"alg": algorithm, **header}, payload, key, registry=registry)


def keys(*records: dict[str, Any], **more: Any) -> JwtSettings:
    return JwtSettings(jwks={"keys": list(records)}, **more)


@pytest.mark.parametrize(("kind", "size", "algorithm"), [
    ("EC", "P-256", "ES256"), ("EC", "P-384", "ES384"), ("OKP", "Ed25519", "EdDSA"), ("OKP", "Ed25519", "Ed25519"),
    ("RSA", 2048, "RS256"), ("RSA", 2048, "PS512"),
])  # fmt: skip
@pytest.mark.filterwarnings("ignore:EdDSA")
def test_a_public_key_verifies(kind: str, size: str | int, algorithm: str) -> None:
    key, record = made(kind, size)
    assert user_of(signed(key, algorithm), keys(record)) == GOOD
    head, payload, signature = signed(key, algorithm).split(".")
    forged = f"{head}.{part({**GOOD, 'sub': 'மற்றவர்'})}.{signature}"
    assert refused(forged, keys(record)).code == "auth.invalid"
    assert refused(f"{head}.{payload}.", keys(record)).code == "auth.invalid"


def test_the_key_is_the_one_that_the_token_names() -> None:
    key, record = made("EC", "P-256", kid="அ")
    other, other_record = made("EC", "P-256", kid="ஆ")
    settings = keys(record, other_record)
    assert user_of(signed(key, "ES256", kid="அ"), settings) == GOOD
    assert user_of(signed(other, "ES256"), settings) == GOOD
    assert refused(signed(key, "ES256", kid="ஆ"), settings).code == "auth.invalid"
    assert refused(signed(key, "ES256", kid="இ"), settings).code == "auth.invalid"


def test_a_key_verifies_only_what_it_is_for() -> None:
    key, record = made("EC", "P-256")
    assert refused(signed(key, "ES256"), keys({**record, "alg": "ES384"})).code == "auth.invalid"
    rsa, rsa_record = made("RSA", 2048)
    assert refused(signed(key, "ES256"), keys(rsa_record)).code == "auth.invalid"
    assert refused(signed(rsa, "RS256"), keys(rsa_record, algorithms=("PS256",))).code == "auth.invalid"


def test_a_public_key_is_no_secret() -> None:
    _, record = made("RSA", 2048)
    settings = keys(record, secret=SECRET)
    assert refused("Bearer " + token(GOOD, record["n"]), keys(record)).code == "auth.invalid"
    assert user_of("Bearer " + token(GOOD), settings) == GOOD


@pytest.mark.parametrize("jwks", [
    {}, {"keys": "x"}, {"keys": []}, {"keys": ["x"]}, {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]},
    {"keys": [{"kty": "RSA"}]}, {"keys": [{"kty": "RSA", "n": "!", "e": "AQAB"}]},
    {"keys": [{"kty": "RSA", "n": "x" * 170, "e": "AQAB"}]},
    {"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]}, {"keys": [{"kty": "EC", "crv": "no", "x": "AA", "y": "AA"}]},
    {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": 5}]}, {"keys": [{"kty": ["RSA"]}]},
])  # fmt: skip
def test_keys_that_are_none_are_refused_at_the_start(jwks: dict[str, Any]) -> None:
    with pytest.raises(Fault) as raised:
        Credentials(JwtSettings(jwks=jwks), lambda: NOW)
    assert raised.value.code == "config"


def test_keys_for_something_else_are_passed_over() -> None:
    key, record = made("EC", "P-256")
    encrypting = {**record, "use": "enc"}
    agreeing = {"kty": "OKP", "crv": "X25519", "x": "AAAA"}
    assert user_of(signed(key, "ES256"), keys(encrypting, agreeing, {"kty": "AKP"}, record)) == GOOD
    with pytest.raises(Fault):
        Credentials(keys(encrypting, agreeing), lambda: NOW)


# ---------------------------------------------------------------- roles


@pytest.mark.parametrize(("user", "expected"), [
    ({"role": "admin"}, True),
    ({"roles": "admin"}, True),
    ({"roles": ["user", "admin"]}, True),
    ({"role": ["admin"]}, True),
    ({"role": "user", "roles": ["admin"]}, True),
    ({"role": "administrator"}, False),
    ({"role": "user admin"}, False),
    ({"roles": [["admin"]]}, False),
    ({"roles": {"admin": True}}, False),
    ({"பங்கு": "admin"}, False),
    ({}, False),
    ("admin", False),
    (["admin"], False),
    (None, False),
])  # fmt: skip
def test_a_role_is_looked_for_in_two_claims(user: Value, expected: bool) -> None:
    assert has_role(user, "admin") is expected
