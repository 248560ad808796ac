"""Who is recognised, and that nobody becomes somebody else."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping
from decimal import Decimal
from hashlib import sha256
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etamil_actors.actors.auth.authority import Authority
from etamil_actors.edge.credentials import Credentials
from etamil_actors.errors import Fault
from etamil_actors.ports.auth import ApiKey, AuthSettings, JwtSettings
from etamil_actors.vm.blocks import has_role
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


def recogniser(settings: JwtSettings | None = HS, now: float = NOW) -> Credentials:
    return Credentials(Authority(AuthSettings(jwt=settings)), lambda: now)


def shown(written: str | None) -> list[tuple[bytes, bytes]]:
    return [(b"host", b"kadai"), *([(b"authorization", written.encode())] if written is not None else [])]


def user_of(written: str | None, settings: JwtSettings | None = HS, *, now: float = NOW, **session: Value) -> Any:
    return recogniser(settings, now).user_of(shown(written), Held(**session) if session else None)


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
        recogniser(JwtSettings(secret=SECRET, algorithms=algorithms))
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
    credentials: Any = Credentials(Authority(AuthSettings(jwt=HS)), lambda: now[0])
    written = shown("Bearer " + token({"exp": NOW + 60, "roles": ["user"]}))
    first = credentials.user_of(written, None)
    first["roles"].append("admin")
    assert credentials.user_of(written, None)["roles"] == ["user"]
    now[0] += 100
    for _ in range(2):
        with pytest.raises(Fault) as raised:
            credentials.user_of(written, None)
        assert raised.value.code == "auth.invalid"


def test_many_tokens_are_not_remembered_for_ever() -> None:
    authority = Authority(AuthSettings(jwt=HS))
    credentials: Any = Credentials(authority, lambda: NOW)
    for number in range(1100):
        user = credentials.user_of(shown("Bearer " + token({"exp": NOW, "n": number})), None)
        assert user["n"] == number
    user = credentials.user_of(shown("Bearer " + token({"exp": NOW, "long": "x" * 10_000})), None)
    assert len(user["long"]) == 10_000
    assert authority.tokens is not None
    assert len(authority.tokens._known) == 1024
    assert max(map(len, authority.tokens._known)) < 10_000


# ---------------------------------------------------------------- what came twice


def test_a_header_that_came_twice_is_refused() -> None:
    good = f"Bearer {token(GOOD)}".encode()
    for other in (b"Bearer " + token({**GOOD, "sub": "b"}).encode(), b"Basic abc", good):
        with pytest.raises(Fault) as raised:
            recogniser().user_of([(b"authorization", good), (b"authorization", other)], None)
        assert raised.value.code == "auth.invalid"


@pytest.mark.parametrize("head", [
    b'{"alg":"none","alg":"HS256"}', b'{"alg":"HS256","alg":"none"}', b'{"alg":"HS256","kid":"a","kid":"b"}',
    b'{"alg":"HS256","alg":"HS256"}',
])  # fmt: skip
def test_a_head_that_says_one_thing_twice_is_refused(head: bytes) -> None:
    body = f"{part(head)}.{part(GOOD)}"
    written = f"{body}.{part(hmac.digest(SECRET.encode(), body.encode(), 'sha256'))}"
    assert refused("Bearer " + written).code == "auth.invalid"


def test_a_head_that_is_too_large_is_refused() -> None:
    assert user_of("Bearer " + token(GOOD, x="a" * 2000)) == GOOD
    assert refused("Bearer " + token(GOOD, x="a" * 5000)).code == "auth.invalid"


# ---------------------------------------------------------------- API keys

KEY = "kadai_3f1d7c0b9a5e4d2c"


def with_keys(*headers: tuple[bytes, bytes], user: Value = None, jwt: JwtSettings | None = None) -> Any:
    billing = ApiKey(hashes=(sha256(KEY.encode()).hexdigest(), sha256(b"the next one").hexdigest()), roles=("a",))
    other = ApiKey(hashes=(sha256(b"another key").hexdigest().upper(),))
    authority = Authority(AuthSettings(jwt=jwt, keys={"billing": billing, "other": other}))
    return Credentials(authority, lambda: NOW).user_of(headers, Held(user=user) if user else None)


@pytest.mark.parametrize("header", [
    (b"x-api-key", KEY.encode()), (b"authorization", f"ApiKey {KEY}".encode()),
    (b"authorization", f"apikey  {KEY} ".encode()), (b"x-api-key", b"the next one"),
])  # fmt: skip
def test_whose_key_it_is(header: tuple[bytes, bytes]) -> None:
    assert with_keys(header) == {"sub": "billing", "roles": ["a"]}
    assert with_keys((b"x-api-key", b"another key")) == {"sub": "other", "roles": []}


@pytest.mark.parametrize("key", [
    b"", b"kadai", KEY.upper().encode(), KEY.encode() + b" ", sha256(KEY.encode()).hexdigest().encode(),
    b"x" * 600, "சாவி".encode(),
])  # fmt: skip
def test_a_key_that_nobody_has_is_refused_whatever_the_session_says(key: bytes) -> None:
    for user in (None, "கமலா"):
        with pytest.raises(Fault) as raised:
            with_keys((b"x-api-key", key), user=user)
        assert raised.value.code == "auth.invalid"
        assert KEY not in raised.value.message


def test_a_key_that_came_twice_is_refused() -> None:
    with pytest.raises(Fault) as raised:
        with_keys((b"x-api-key", KEY.encode()), (b"x-api-key", b"another key"))
    assert raised.value.code == "auth.invalid"


def test_a_token_wins_over_a_key_and_a_key_over_a_session() -> None:
    key = (b"x-api-key", KEY.encode())
    assert with_keys(key, user="கமலா")["sub"] == "billing"
    assert with_keys(key, (b"authorization", f"Bearer {token(GOOD)}".encode()), jwt=HS) == GOOD
    with pytest.raises(Fault):
        with_keys(key, (b"authorization", b"Bearer x"), jwt=HS)


def test_what_one_request_does_with_its_user_no_other_sees() -> None:
    billing = ApiKey(hashes=(sha256(KEY.encode()).hexdigest(),), roles=("a",))
    credentials: Any = Credentials(Authority(AuthSettings(keys={"billing": billing})), lambda: NOW)
    credentials.user_of([(b"x-api-key", KEY.encode())], None)["roles"].append("admin")
    assert credentials.user_of([(b"x-api-key", KEY.encode())], None)["roles"] == ["a"]


def test_without_keys_that_header_belongs_to_the_program() -> None:
    with pytest.raises(Fault) as raised:
        recogniser().user_of([(b"x-api-key", b"whatever")], None)
    assert raised.value.code == "auth.missing"


@pytest.mark.parametrize("keys", [
    {"a": ApiKey()}, {"a": ApiKey(hashes=("x",))}, {"a": ApiKey(hashes=(KEY,))},
    {"a": ApiKey(hashes=("0" * 64,)), "b": ApiKey(hashes=("0" * 64,))},
    {f"k{number}": ApiKey(hashes=(f"{number:064x}",)) for number in range(501)},
])  # fmt: skip
def test_keys_that_make_no_sense_are_refused_at_the_start(keys: dict[str, ApiKey]) -> None:
    with pytest.raises(Fault) as raised:
        Authority(AuthSettings(keys=keys))
    assert raised.value.code == "config"
    assert KEY not in raised.value.message


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


@pytest.mark.parametrize("head", ["-----BEGIN PUBLIC KEY-----", "\n-----BEGIN RSA PUBLIC KEY-----", "ssh-rsa AAAA"])
def test_a_public_key_that_is_given_for_a_secret_is_refused_at_the_start(head: str) -> None:
    with pytest.raises(Fault) as raised:
        recogniser(JwtSettings(secret=head + "\nMIIB"))
    assert raised.value.code == "config"


@pytest.mark.parametrize("jwks", [
    {}, {"keys": "x"}, {"keys": []}, {"keys": ["x"]}, {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]},
    {"keys": [{"kty": "RSA"}]}, {"keys": [{"kty": "RSA", "n": "!", "e": "AQAB"}]},
    {"keys": [{"kty": "RSA", "n": "x" * 170, "e": "AQAB"}]},
    {"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]}, {"keys": [{"kty": "EC", "crv": "no", "x": "AA", "y": "AA"}]},
    {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": 5}]}, {"keys": [{"kty": ["RSA"]}]},
])  # fmt: skip
def test_keys_that_are_none_are_refused_at_the_start(jwks: dict[str, Any]) -> None:
    with pytest.raises(Fault) as raised:
        recogniser(JwtSettings(jwks=jwks))
    assert raised.value.code == "config"


def test_keys_for_something_else_are_passed_over() -> None:
    key, record = made("EC", "P-256")
    encrypting = {**record, "use": "enc"}
    agreeing = {"kty": "OKP", "crv": "X25519", "x": "AAAA"}
    assert user_of(signed(key, "ES256"), keys(encrypting, agreeing, {"kty": "AKP"}, record)) == GOOD
    with pytest.raises(Fault):
        recogniser(keys(encrypting, agreeing))


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
