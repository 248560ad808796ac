"""Who is let in by a running service: plain HTTP (the fast lane) and TLS (the full lane) say the same."""

from __future__ import annotations

import base64
import hmac
import json
import ssl
import time
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest
import trustme

from tests.auth.provider import Key, Provider
from tests.http_life.serving import Answer, Certificate, Server, request

SECRET = "0123456789abcdef0123456789abcdef"
API_KEY = "kadai_U2VuZCBtZSBhIGxldHRlcg"
OTHER_KEY = "kadai_QW5vdGhlciBsZXR0ZXI"

PROGRAM = """
வழி பெறு, "/me", ["auth"] { பதில் 200, கோரிக்கை.user; }
வழி பெறு, "/read", ["reader"] { பதில் 200, "read"; }
வழி பெறு, "/admin", ["admin"] { பதில் 200, "admin"; }
வழி பெறு, "/by-words" {
    உரிமைகள் = ஜீடபள்_சரிபார்த்து(கோரிக்கை);
    அனுமதி_சரிபார்த்து(உரிமைகள், "reader") { பதில் 200, உரிமைகள்.sub; }
}
வழி ஓடை, "/stream", ["reader"] { ஓடை_அனுப்பு("a"); }
வழி நேரலை, "/live", ["reader"] { நேரலை_அனுப்பு("a"); }
வழி பதி, "/once", {"guards": ["auth"], "idempotent": மெய்} { பதில் 200, கோரிக்கை.user.sub; }
வழி பெறு, "/enter/:name" { அமர்வு_அமை("user", {sub: கோரிக்கை.parameters.name}); }
"""


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


@pytest.fixture(scope="module", params=["fast", "full"])
def server(
    request: pytest.FixtureRequest, provider: Provider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A service that believes a secret, a provider's keys, and an API key."""
    folder = tmp_path_factory.mktemp("guards")
    tls = None
    if request.param == "full":
        authority = trustme.CA()
        issued = authority.issue_cert("127.0.0.1")
        issued.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
        issued.private_key_pem.write_to_path(folder / "tls.pem")
        context = ssl.create_default_context()
        authority.configure_trust(context)
        tls = Certificate(str(folder / "certificate.pem"), str(folder / "tls.pem"), "", context)
    auth = {
        "jwt": {"secret": SECRET, "jwks_url": f"{provider.issuer}/keys", "issuer": provider.issuer},
        "keys": {
            "billing": {"hash": sha256(API_KEY.encode()).hexdigest(), "roles": ["editor"]},
            "printer": {"hash": sha256(OTHER_KEY.encode()).hexdigest()},
        },
        "roles": {"admin": ["editor"], "editor": ["reader"]},
    }
    server = Server(folder, PROGRAM, certificate=tls, others={"auth": auth})
    yield server
    server.end()


def part(value: object) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def token(claims: dict[str, Any], secret: str = SECRET, **header: Any) -> str:
    body = f"{part({'alg': 'HS256', **header})}.{part(claims)}"
    return f"{body}.{part(hmac.digest(secret.encode(), body.encode(), 'sha256'))}"


def good(provider: Provider, **claims: Any) -> dict[str, Any]:
    return {"sub": "மலர்", "iss": provider.issuer, "exp": int(time.time()) + 60, **claims}


def code_of(answer: Answer) -> str:
    return str(json.loads(answer.body)["code"])


def test_a_token_of_the_secret_or_of_the_provider_is_believed(server: Server, provider: Provider) -> None:
    before = provider.count("/keys")
    for shown in (token(good(provider)), provider.token(sub="மலர்"), provider.token(sub="மலர்", n=2)):
        answer = server.ask("GET", "/me", Authorization=f"Bearer {shown}")
        assert answer.status == 200 and json.loads(answer.body)["sub"] == "மலர்"
    assert provider.count("/keys") == before + 1


@pytest.mark.parametrize(("roles", "path", "status"), [
    ({"role": "admin"}, "/admin", 200), ({"role": "admin"}, "/read", 200), ({"roles": ["editor"]}, "/read", 200),
    ({"roles": ["editor"]}, "/admin", 403), ({"roles": ["reader"]}, "/read", 200), ({}, "/read", 403),
    ({"roles": "stranger"}, "/read", 403), ({"role": "reader"}, "/by-words", 200), ({"role": "x"}, "/by-words", 403),
    ({"role": "reader"}, "/stream", 200), ({"role": "x"}, "/stream", 403),
])  # fmt: skip
def test_roles_include_roles(
    server: Server, provider: Provider, roles: dict[str, Any], path: str, status: int
) -> None:
    answer = server.ask("GET", path, Authorization=f"Bearer {token(good(provider, **roles))}")
    assert answer.status == status
    if status == 403:
        assert code_of(answer) == "auth.forbidden"


@pytest.mark.parametrize("path", ["/me", "/read", "/stream", "/by-words"])
def test_nobody_is_let_in_without_showing_anything(server: Server, path: str) -> None:
    answer = server.ask("GET", path)
    assert (answer.status, code_of(answer)) == (401, "auth.missing")
    assert answer.headers["www-authenticate"] == "Bearer"


def bad_tokens(provider: Provider) -> dict[str, str]:
    claims = good(provider)
    public = provider.keys[0].public
    key = Key("first")
    return {
        "none": f"{part({'alg': 'none'})}.{part(claims)}.",
        "another secret": token(claims, "another"),
        "another key of that name": key.sign(claims),
        "a key that is not known": key.sign(claims, kid="unknown"),
        "the public key as a secret": token(claims, json.dumps(public)),
        "its point as a secret": token(claims, public["x"]),
        "HS512, which is not said": token(claims, alg="HS512"),
        "expired": token({**claims, "exp": int(time.time()) - 10}),
        "not yet": token({**claims, "nbf": int(time.time()) + 60}),
        "without an end": token({"sub": "a", "iss": provider.issuer}),
        "another issuer": token({**claims, "iss": "https://evil.example"}),
        "for somebody": token({**claims, "aud": "another"}),
        "crit": token(claims, crit=["exp"]),
        "a key of its own": token(claims, "\0\0\0", jwk={"kty": "oct", "k": "AAAA"}),
        "keys of its own": key.sign(claims, jku="https://evil.example/keys"),
        "rubbish": "x",
        "nothing": "",
    }


def test_what_is_not_to_be_believed_is_not(server: Server, provider: Provider) -> None:
    for name, shown in bad_tokens(provider).items():
        for path in ("/me", "/by-words"):
            answer = server.ask("GET", path, Authorization=f"Bearer {shown}")
            code = "auth.missing" if not shown and path == "/by-words" else "auth.invalid"
            assert (answer.status, code_of(answer)) == (401, code), (name, path)
            assert not shown or len(shown) < 5 or shown not in answer.body.decode()


def test_a_token_that_no_head_may_hold_is_431(server: Server, provider: Provider) -> None:
    shown = token(good(provider, x="a" * 20_000))
    assert server.ask("GET", "/me", Authorization=f"Bearer {shown}").status == 431


def test_an_api_key_is_somebody_with_roles(server: Server) -> None:
    for shown in ({"X_API_Key": API_KEY}, {"Authorization": f"ApiKey {API_KEY}"}):
        answer = server.ask("GET", "/me", **shown)
        assert json.loads(answer.body) == {"sub": "billing", "roles": ["editor"]}
        assert server.ask("GET", "/read", **shown).status == 200
        assert server.ask("GET", "/admin", **shown).status == 403
    for wrong in (API_KEY[:-1], API_KEY + "x", sha256(API_KEY.encode()).hexdigest()):
        answer = server.ask("GET", "/me", X_API_Key=wrong)
        assert (answer.status, code_of(answer)) == (401, "auth.invalid")


def test_two_of_a_kind_are_refused(server: Server, provider: Provider) -> None:
    for name, values in (
        ("Authorization", (f"Bearer {token(good(provider))}", f"Bearer {token(good(provider, role='admin'))}")),
        ("X-API-Key", (API_KEY, "another")),
    ):
        head = request("GET", "/me", Connection="close")[:-2]
        lines = "".join(f"{name}: {value}\r\n" for value in values).encode()
        with server.connect() as line:
            line.send(head + lines + b"\r\n")
            assert line.answer("GET").status in (400, 401)


def test_a_websocket_has_guards_too(server: Server, provider: Provider) -> None:
    handshake = {
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Version": "13",
        "Sec_WebSocket_Key": base64.b64encode(b"x" * 16).decode(),
    }  # fmt: skip
    for roles, status in (({"role": "reader"}, 101), ({"role": "x"}, 403)):
        shown = f"Bearer {token(good(provider, **roles))}"
        with server.connect() as line:
            line.send(request("GET", "/live", Authorization=shown, **handshake))
            assert line.answer("GET").status == status
    with server.connect() as line:
        line.send(request("GET", "/live", **handshake))
        assert line.answer("GET").status == 401


def test_what_one_has_got_once_nobody_else_gets(server: Server, provider: Provider) -> None:
    """``Idempotency-Key`` is counted for each of them by himself."""
    shown = {"Idempotency_Key": '"k-1"'}
    mine = server.ask("POST", "/once", Authorization=f"Bearer {token(good(provider))}", **shown)
    assert mine.body.decode() == "மலர்"
    for key, name in ((API_KEY, "billing"), (OTHER_KEY, "printer")):
        assert server.ask("POST", "/once", X_API_Key=key, **shown).body.decode() == name
    proxy = {"Authorization": "Basic Z2F0ZTpvcGVu", "Idempotency_Key": '"k-2"'}  # the same for everybody
    for name in ("one", "two"):
        cookie = server.ask("GET", f"/enter/{name}").headers["set-cookie"].partition(";")[0]
        assert server.ask("POST", "/once", Cookie=cookie, **proxy).body.decode() == name
    assert server.ask("POST", "/once", **proxy).status == 401


def test_the_openapi_document_tells_every_way_to_come_in(server: Server) -> None:
    from openapi_spec_validator import validate

    document = server.json("/openapi.json")
    validate(document)
    assert document["components"]["securitySchemes"]["apiKey"]["name"] == "X-API-Key"
    assert document["paths"]["/read"]["get"]["security"] == [
        {"bearerAuth": ["reader"]}, {"session": ["reader"]}, {"apiKey": ["reader"]},
    ]  # fmt: skip


def test_nothing_secret_is_said(server: Server, provider: Provider) -> None:
    shown = token(good(provider))
    server.ask("GET", f"/me?access_token={shown}&api_key={API_KEY}", X_API_Key=API_KEY)
    server.ask("GET", f"/me/{shown}", Authorization=f"Bearer {shown}")
    server.ask("GET", "/me?the_end", Authorization=f"ApiKey {API_KEY}")
    server.says("the_end")
    assert shown not in server.said
    for secret in (SECRET, API_KEY, sha256(API_KEY.encode()).hexdigest()):
        assert secret not in server.said
