"""Passwords and tokens, and all the ways to forge one (REFERENCE §23)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etamil_actors.errors import Fault
from etamil_actors.vm.effects import InThread
from etamil_actors.vm.values import Err, Ok

Call = Callable[..., Any]
SECRET = "ஒரு நீண்ட இரகசியம்"
NOW = 1_767_225_600


def fails(code: str) -> Any:
    """An error with this code is raised inside."""
    return pytest.raises(Fault, check=lambda fault: fault.code == code)


def encoded(data: bytes | str | dict[str, Any]) -> str:
    raw = (
        json.dumps(data).encode()
        if isinstance(data, dict)
        else data.encode()
        if isinstance(data, str)
        else data
    )
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def token(header: dict[str, Any] | str, payload: dict[str, Any] | str, secret: str = SECRET) -> str:
    body = f"{encoded(header)}.{encoded(payload)}"
    return f"{body}.{encoded(hmac.new(secret.encode(), body.encode(), hashlib.sha256).digest())}"


@pytest.fixture
def server(make_machine: Any) -> Any:
    return make_machine(environment={"ETAMIL_JWT_SECRET": SECRET})


# ── passwords ───────────────────────────────────────────────────────────────────────────────────────


def test_a_password_matches_its_hash(machine: Any) -> None:
    hashed = machine.call("கடவுச்சொல்_மறை", "இரகசியம்")
    assert hashed.startswith("$2b$12$")
    assert len(hashed) == 60
    assert machine.call("கடவுச்சொல்_சரியா", "இரகசியம்", hashed) is True
    assert machine.call("கடவுச்சொல்_சரியா", "இரகசியம்!", hashed) is False
    assert all(isinstance(effect, InThread) for effect in machine.performed)


@pytest.mark.parametrize(
    ("password", "hashed"),
    [
        ("abc123xyz", "$2a$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW"),
        ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
        ("U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"),
        ("U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"),
    ],
)
def test_published_hashes_match(call: Call, password: str, hashed: str) -> None:
    assert call("கடவுச்சொல்_சரியா", password, hashed) is True
    assert call("கடவுச்சொல்_சரியா", password + " ", hashed) is False


def test_a_password_that_is_too_long_is_refused(call: Call) -> None:
    with pytest.raises(Fault) as caught:
        call("கடவுச்சொல்_மறை", "அ" * 25)
    assert caught.value.code == "value.invalid"
    assert "72" in caught.value.tamil
    assert "this one has 75" in caught.value.english


def test_a_tail_beyond_72_bytes_does_not_pass(call: Call) -> None:
    hashed = call("கடவுச்சொல்_மறை", "x" * 72)
    assert call("கடவுச்சொல்_சரியா", "x" * 72, hashed) is True
    assert call("கடவுச்சொல்_சரியா", "x" * 72 + "y", hashed) is False


@pytest.mark.parametrize(
    "hashed",
    ["", "x", "$2b$12$", "$2b$12$" + "!" * 53, "$1b$12$" + "a" * 53, "$2b$31$" + "a" * 53,
     "$2b$03$" + "a" * 53, "$2b$04$" + "a" * 53,  # a salt never ends with this letter
     "$2b$௧௨$" + "a" * 53, "$2b$12$" + "a" * 54, "$2b$12$" + "அ" * 53],
)  # fmt: skip
def test_what_is_no_hash_is_an_error(call: Call, hashed: str) -> None:
    with fails("value.invalid"):
        call("கடவுச்சொல்_சரியா", "x", hashed)


# ── our own tokens ──────────────────────────────────────────────────────────────────────────────────


def test_a_token_is_read_back(server: Any) -> None:
    made = server.call("சீட்டு_ஆக்கு", '{"பயனர்":"மலர்","iat":5,"exp":"x","விலை":1.50}', 3600)
    assert server.call("சீட்டு_தலைப்பு", made).value == {"kid": "", "alg": "HS256"}
    answer = server.call("சீட்டு_சரிபார்", made)
    assert isinstance(answer, Ok)
    assert answer.value == f'{{"exp":{NOW + 3600},"iat":{NOW},"பயனர்":"மலர்","விலை":1.50}}'


def test_a_token_is_an_ordinary_one(server: Any) -> None:
    from joserfc import jwt
    from joserfc.jwk import OctKey

    made = server.call("சீட்டு_ஆக்கு", '{"sub":"1"}', 60)
    read = jwt.decode(made, OctKey.import_key(SECRET.encode()), algorithms=["HS256"])
    assert read.claims == {"sub": "1", "iat": NOW, "exp": NOW + 60}
    other = jwt.encode({"alg": "HS256"}, {"sub": "2", "exp": NOW + 1}, OctKey.import_key(SECRET.encode()))
    assert json.loads(server.call("சீட்டு_சரிபார்", other).value)["sub"] == "2"


def test_a_token_ends(server: Any) -> None:
    made = server.call("சீட்டு_ஆக்கு", "{}", 10)
    server.world.clock.advance(15)
    assert isinstance(server.call("சீட்டு_சரிபார்", made), Ok)
    server.world.clock.advance(1)
    assert server.call("சீட்டு_சரிபார்", made).value == "சீட்டின் காலம் முடிந்தது  (it has expired)"


GOOD = {"alg": "HS256", "typ": "JWT"}
LATER = {"exp": NOW + 100}
SIGNED = token(GOOD, LATER)


@pytest.mark.parametrize(
    ("forged", "why"),
    [
        ("", "no token"),
        ("a.b", "no token"),
        ("a.b.c", "no token"),
        ("a.b.c.d", "no token"),
        ("..", "no token"),
        (SIGNED + ".x", "no token"),
        ("x" * 100_000, "no token"),
        (f"{encoded(GOOD)}.{'A' * 70_000}.x", "no token"),
        (SIGNED[:-1], "signature"),
        (SIGNED + "=", "signature"),
        (SIGNED[:-1] + ("A" if SIGNED[-1] != "A" else "B"), "signature"),
        (SIGNED.replace(".", " .", 1), "no token"),
        (SIGNED.rpartition(".")[0] + ".", "signature"),
        (SIGNED.rpartition(".")[0] + ".தமிழ்", "signature"),
        (token(GOOD, LATER, "another secret"), "signature"),
        (token(GOOD, LATER, ""), "signature"),
        (f"{encoded({'alg': 'none'})}.{encoded(LATER)}.", "HS256"),
        (token({"alg": "none"}, LATER), "HS256"),
        (token({"alg": "hs256"}, LATER), "HS256"),
        (token({"alg": "HS512"}, LATER), "HS256"),
        (token({"alg": "RS256"}, LATER), "HS256"),
        (token({"alg": ["HS256"]}, LATER), "no token"),
        (token({"typ": "JWT"}, LATER), "no token"),
        (token("[]", LATER), "no token"),
        (token("[" * 10_000, LATER), "no token"),
        (token({"alg": "HS256", "crit": ["x"]}, LATER), "extensions"),
        (token(GOOD, {}), "expiry"),
        (token(GOOD, {"exp": str(NOW + 100)}), "expiry"),
        (token(GOOD, {"exp": None}), "expiry"),
        (token(GOOD, {"exp": True}), "expiry"),
        (token(GOOD, '{"exp":1e400}'), "no token"),
        (token(GOOD, '{"exp":NaN}'), "no token"),
        (token(GOOD, {"exp": NOW - 6}), "expired"),
        (token(GOOD, {"exp": -1}), "expired"),
        (token(GOOD, '{"exp":9999999999,"exp":1}'), "expired"),
        (token(GOOD, LATER | {"nbf": NOW + 6}), "not valid yet"),
        (token(GOOD, LATER | {"nbf": "x"}), "not valid yet"),
        (token(GOOD, LATER | {"aud": "x"}), "aud"),
        (token(GOOD, "x"), "no token"),
        (token(GOOD, "[1]"), "no token"),
        (token(GOOD, "\ud800".encode("utf-8", "surrogatepass").decode("latin-1")), "no token"),
    ],
)
def test_a_forged_token_is_refused(server: Any, forged: str, why: str) -> None:
    answer = server.call("சீட்டு_சரிபார்", forged)
    assert isinstance(answer, Err), answer
    assert why in answer.value
    assert "  (" in answer.value


@pytest.mark.parametrize("exp", [NOW - 5, NOW + 1, 79228162514264337593543950335, "1767225601.5"])
def test_a_token_within_its_time_is_accepted(server: Any, exp: object) -> None:
    assert isinstance(server.call("சீட்டு_சரிபார்", token(GOOD, f'{{"exp":{exp}}}')), Ok)


@pytest.mark.parametrize("claims", ["", "[]", "5", '"x"', "{", '{"a":1e99}', "null"])
def test_claims_must_be_an_object(server: Any, claims: str) -> None:
    with fails("value.invalid"):
        server.call("சீட்டு_ஆக்கு", claims, 5)


@pytest.mark.parametrize("seconds", [10**20, -(10**20), 2**96 - 1])
def test_seconds_must_fit(server: Any, seconds: int) -> None:
    with fails("value.invalid"):
        server.call("சீட்டு_ஆக்கு", "{}", seconds)


def test_a_token_that_nobody_would_read_is_not_made(server: Any) -> None:
    with fails("value.invalid"):
        server.call("சீட்டு_ஆக்கு", json.dumps({"x": "y" * 60_000}), 5)


@pytest.mark.parametrize("environment", [{}, {"ETAMIL_JWT_SECRET": ""}])
def test_without_a_secret_there_is_a_random_one_and_a_warning(
    make_machine: Any, environment: dict[str, str]
) -> None:
    machine = make_machine(environment=environment)
    made = machine.call("சீட்டு_ஆக்கு", "{}", 5)
    assert isinstance(machine.call("சீட்டு_சரிபார்", made), Ok)
    assert machine.world.console.errors.count("ETAMIL_JWT_SECRET") == 2, (
        "once in each language, and once only"
    )
    assert isinstance(make_machine(environment=environment, seed=1).call("சீட்டு_சரிபார்", made), Err)


# ── tokens of others ────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def number(value: int) -> str:
    return encoded(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def foreign(key: rsa.RSAPrivateKey, payload: dict[str, Any], header: dict[str, Any] | None = None) -> str:
    body = f"{encoded(header or {'alg': 'RS256', 'kid': 'k1'})}.{encoded(payload)}"
    return f"{body}.{encoded(key.sign(body.encode(), padding.PKCS1v15(), SHA256()))}"


CLAIMS = {"iss": "https://id.example", "aud": "kadai", "exp": NOW + 60, "sub": "7"}


def verify(
    machine: Any,
    made: str,
    key: rsa.RSAPrivateKey,
    issuer: str = "https://id.example",
    audience: str = "kadai",
) -> Any:
    numbers = key.public_key().public_numbers()
    return machine.call("சீட்டு_பொதுச்_சரிபார்", made, number(numbers.n), number(numbers.e), issuer, audience)


def test_a_token_of_another_party_is_verified(machine: Any, key: rsa.RSAPrivateKey) -> None:
    made = foreign(key, CLAIMS)
    assert json.loads(verify(machine, made, key).value) == CLAIMS
    assert machine.call("சீட்டு_தலைப்பு", made).value == {"kid": "k1", "alg": "RS256"}
    assert isinstance(verify(machine, foreign(key, CLAIMS | {"aud": ["a", "kadai"]}), key), Ok)


def test_a_forged_token_of_another_party_is_refused(machine: Any, key: rsa.RSAPrivateKey) -> None:
    numbers = key.public_key().public_numbers()
    made = foreign(key, CLAIMS)
    head, body, signature = made.split(".")
    other = rsa.generate_private_key(65537, 2048)
    confused = token({"alg": "HS256"}, CLAIMS, number(numbers.n))
    for forged in (
        "", "x.y.z", f"{head}.{body}.", f"{head}.{encoded(CLAIMS | {'sub': '8'})}.{signature}", confused,
        foreign(other, CLAIMS), foreign(key, CLAIMS, {"alg": "none"}), foreign(key, CLAIMS, {"alg": "PS256"}),
        foreign(key, CLAIMS | {"exp": NOW - 6}), foreign(key, {"iss": CLAIMS["iss"], "aud": "kadai"}),
        foreign(key, CLAIMS | {"iss": "x"}), foreign(key, CLAIMS | {"aud": "x"}),
        foreign(key, CLAIMS | {"aud": None}),
        foreign(key, CLAIMS | {"aud": []}), foreign(key, CLAIMS | {"iss": ["https://id.example"]}),
    ):  # fmt: skip
        assert isinstance(verify(machine, forged, key), Err), forged
    assert isinstance(verify(machine, made, key, issuer=""), Err)
    assert isinstance(verify(machine, made, key, audience=""), Err)


@pytest.mark.parametrize(
    ("n", "e"),
    [("", ""), ("AQAB", "AQAB"), ("x y", "AQAB"), ("A" * 20_000, "AQAB"), ("_" * 342, ""), ("_" * 342, "AA"),
     ("_" * 342, "AQ"), ("_" * 342, "_" * 342), ("_" * 342, "Ag")],
)  # fmt: skip
def test_a_public_key_that_is_none_is_a_failure(machine: Any, key: rsa.RSAPrivateKey, n: str, e: str) -> None:
    answer = machine.call("சீட்டு_பொதுச்_சரிபார்", foreign(key, CLAIMS), n, e, "https://id.example", "kadai")
    assert isinstance(answer, Err)


def test_a_header_that_is_malformed_is_a_failure(machine: Any) -> None:
    for text in ("", "a.b.c", f"{encoded({'alg': 5})}.x.y", f"{encoded({})}.x.y", "." * 100):
        assert isinstance(machine.call("சீட்டு_தலைப்பு", text), Err)
    assert machine.call("சீட்டு_தலைப்பு", f"{encoded({'alg': 'x', 'kid': 5})}.x.y").value == {
        "kid": "",
        "alg": "x",
    }


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text()
    | st.from_regex(r"[A-Za-z0-9_-]{0,20}\.[A-Za-z0-9_-]{0,20}\.[A-Za-z0-9_-]{0,20}", fullmatch=True)
)
def test_any_text_ends_in_a_result(server: Any, text: str) -> None:
    assert isinstance(server.call("சீட்டு_சரிபார்", text), Err)
    assert isinstance(server.call("சீட்டு_தலைப்பு", text), (Ok, Err))
    assert isinstance(server.call("சீட்டு_பொதுச்_சரிபார்", text, text, text, text, text), Err)


# ── Argon2id ────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def modern(make_machine: Any) -> Any:
    """A machine of a service whose configuration says ``passwords: argon2id``."""
    machine = make_machine()
    machine.world.passwords = "argon2id"
    return machine


def test_new_hashes_are_argon2id_when_the_configuration_says_so(modern: Any) -> None:
    hashed = modern.call("கடவுச்சொல்_மறை", "இரகசியம்")
    assert hashed.startswith("$argon2id$v=19$m=65536,t=2,p=1$")
    assert modern.call("கடவுச்சொல்_சரியா", "இரகசியம்", hashed) is True
    assert modern.call("கடவுச்சொல்_சரியா", "இரகசியம்!", hashed) is False
    assert all(isinstance(effect, InThread) for effect in modern.performed)


def test_old_hashes_stay_good_on_both_sides(modern: Any, machine: Any) -> None:
    bcrypt, argon2 = machine.call("கடவுச்சொல்_மறை", "அ"), modern.call("கடவுச்சொல்_மறை", "அ")
    for one in (modern, machine):
        for hashed in (bcrypt, argon2):
            assert one.call("கடவுச்சொல்_சரியா", "அ", hashed) is True
            assert one.call("கடவுச்சொல்_சரியா", "ஆ", hashed) is False


def test_every_letter_of_a_long_password_counts(modern: Any) -> None:
    hashed = modern.call("கடவுச்சொல்_மறை", "அ" * 1000)
    assert modern.call("கடவுச்சொல்_சரியா", "அ" * 1000, hashed) is True
    assert modern.call("கடவுச்சொல்_சரியா", "அ" * 999 + "ஆ", hashed) is False
    assert modern.call("கடவுச்சொல்_சரியா", "x" * 5000, hashed) is False
    with pytest.raises(Fault) as caught:
        modern.call("கடவுச்சொல்_மறை", "x" * 4097)
    assert "at most 4096 bytes" in caught.value.english


def test_two_hashes_of_one_password_differ(modern: Any) -> None:
    first, second = (modern.call("கடவுச்சொல்_மறை", "அ") for _ in range(2))
    assert first != second


def test_the_published_hash_matches(call: Call) -> None:
    hashed = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
    assert call("கடவுச்சொல்_சரியா", "password", hashed) is True
    assert call("கடவுச்சொல்_சரியா", "Password", hashed) is False


@pytest.mark.parametrize(
    "head",
    ["$argon2id$v=16$m=65536,t=2,p=1", "$argon2i$v=19$m=65536,t=2,p=1", "$argon2d$v=19$m=65536,t=2,p=1",
     "$argon2id$m=65536,t=2,p=1", "$argon2id$v=19$m=9999999,t=2,p=1", "$argon2id$v=19$m=65536,t=99,p=1",
     "$argon2id$v=19$m=65536,t=2,p=99", "$argon2id$v=19$m=4,t=2,p=1", "$argon2id$v=19$m=65536,t=0,p=1",
     "$argon2id$v=19$m=௧,t=2,p=1", "$argon2id$v=19$m=65536,t=2,p=1\n", "$argon2"],
)  # fmt: skip
def test_a_hash_that_wants_too_much_or_is_none_is_an_error(call: Call, head: str) -> None:
    with fails("value.invalid"):
        call("கடவுச்சொல்_சரியா", "x", head + "$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
