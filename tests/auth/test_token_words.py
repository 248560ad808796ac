"""Tokens and roles as programs have them: ஜீடபள்_சரிபார்த்து, ஜீடபள்_உருவாக்கு, அனுமதி_சரிபார்த்து."""

from __future__ import annotations

import json
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from etamil_actors.actors.auth.roles import Roles
from etamil_actors.errors import Fault
from etamil_actors.ports.auth import AuthSettings, JwtSettings
from etamil_actors.resources.web.simulated import Answer, SimulatedWeb
from tests.auth.provider import Key
from tests.programs.running import START, failure_of, output_of

SECRET = "0123456789abcdef0123456789abcdef"
CONFIGURED = AuthSettings(jwt=JwtSettings(secret=SECRET, issuer="kadai", audience="shop"))
ROLES = AuthSettings(roles={"admin": ("editor",), "editor": ("reader", "writer")})


def text(value: str) -> str:
    return json.dumps(value)


def code_of(program: str, **options: Any) -> str:
    return failure_of(program, **options).code


# ---- issuing and verifying ------------------------------------------------------------


def test_a_token_that_is_issued_is_verified_by_what_the_configuration_says() -> None:
    program = """
    சீட்டு = ஜீடபள்_உருவாக்கு({sub: "மலர்", roles: ["editor"], "விலை": 12.50});
    அச்சு ஜேசான்_ஆக்கு(ஜீடபள்_சரிபார்த்து(சீட்டு));
    அச்சு ஜேசான்_ஆக்கு(ஜீடபள்_சரிபார்த்து({headers: {authorization: "bearer  " & சீட்டு}}));
    """
    first, second = output_of(program, auth=CONFIGURED)
    assert first == second
    claims = json.loads(first)
    assert (claims["sub"], claims["roles"], claims["விலை"]) == ("மலர்", ["editor"], 12.5)
    assert (claims["iss"], claims["aud"], claims["iat"], claims["exp"]) == ("kadai", "shop", START, START + 3600)


def test_another_library_reads_what_is_issued_and_we_read_its_own() -> None:
    (issued,) = output_of('அச்சு ஜீடபள்_உருவாக்கு({sub: "அ"}, {ttl: 60});', auth=CONFIGURED)
    key = OctKey.import_key(SECRET)
    assert jwt.decode(issued, key, algorithms=["HS256"]).claims == {
        "sub": "அ", "iss": "kadai", "aud": "shop", "iat": START, "exp": START + 60,
    }  # fmt: skip
    theirs = jwt.encode({"alg": "HS256"}, {"sub": "ஆ", "iss": "kadai", "aud": ["shop"], "exp": START + 60}, key)
    program = f"அச்சு ஜீடபள்_சரிபார்த்து({text(theirs)}).sub;"
    assert output_of(program, auth=CONFIGURED) == ["ஆ"]


def test_a_program_may_name_everything_itself() -> None:
    keys = f'"secret": "{SECRET}", "algorithms": ["HS512"], "issuer": "நாம்", "audience": "கடை"'
    program = f"""
    சீட்டு = ஜீடபள்_உருவாக்கு({{}}) {{ {keys}, "ttl": 60 }};
    அச்சு ஜீடபள்_சரிபார்த்து(சீட்டு) {{ {keys} }}.aud;
    அச்சு மதிப்பு(சீட்டு_தலைப்பு(சீட்டு)).alg;
    """
    assert output_of(program) == ["கடை", "HS512"]


def test_what_is_left_out_or_nothing_comes_from_the_configuration() -> None:
    program = """
    சீட்டு = ஜீடபள்_உருவாக்கு({sub: "அ"});
    அச்சு ஜீடபள்_சரிபார்த்து(சீட்டு, {"secret": சுற்றுச்சூழல்_பெறு("JWT_SECRET"), "audience": இன்மை}).sub;
    """
    assert output_of(program, auth=CONFIGURED) == ["அ"]
    wrong = 'ஜீடபள்_சரிபார்த்து(ஜீடபள்_உருவாக்கு({sub: "அ"}), {"audience": "வேறு"});'
    assert code_of(wrong, auth=CONFIGURED) == "auth.invalid"


def test_a_secret_of_the_program_takes_the_place_of_every_other_key() -> None:
    program = 'ஜீடபள்_சரிபார்த்து(ஜீடபள்_உருவாக்கு({sub: "அ"}), {"secret": "another secret of ours"});'
    assert code_of(program, auth=CONFIGURED) == "auth.invalid"


@pytest.mark.parametrize("call", [
    'ஜீடபள்_சரிபார்த்து("a.b.c");', "ஜீடபள்_உருவாக்கு({});", 'ஜீடபள்_சரிபார்த்து("x", {"issuer": "a"});',
    'ஜீடபள்_சரிபார்த்து("x", {"secret": சுற்றுச்சூழல்_பெறு("இல்லை")});', 'ஜீடபள்_சரிபார்த்து("x", {"secret": ""});',
    'ஜீடபள்_சரிபார்த்து("x", {"jwks": {}});', 'ஜீடபள்_சரிபார்த்து("x", {"jwks": "http://id.example"});',
    'ஜீடபள்_சரிபார்த்து("x", {"secret": "x", "algorithms": ["none"]});',
    'ஜீடபள்_சரிபார்த்து("x", {"secret": "x", "algorithms": ["RS256"]});',
    'ஜீடபள்_சரிபார்த்து("x", {"secret": "-----BEGIN PUBLIC KEY-----"});',
])  # fmt: skip
def test_without_a_key_that_makes_sense_it_is_the_configuration(call: str) -> None:
    assert code_of(call) == "config"


def test_keys_that_only_verify_issue_nothing() -> None:
    auth = AuthSettings(jwt=JwtSettings(jwks={"keys": [Key("one").public]}))
    assert code_of("ஜீடபள்_உருவாக்கு({});", auth=auth) == "config"


@pytest.mark.parametrize("shown", ['""', "{headers: {}}", '{headers: {authorization: "Basic x"}}', '"  "'])
def test_who_shows_nothing_is_missing(shown: str) -> None:
    assert code_of(f"ஜீடபள்_சரிபார்த்து({shown});", auth=CONFIGURED) == "auth.missing"


@pytest.mark.parametrize("call", [
    "ஜீடபள்_சரிபார்த்து(5);", "ஜீடபள்_சரிபார்த்து({});", 'ஜீடபள்_உருவாக்கு("{}");',
    'ஜீடபள்_சரிபார்த்து("x", {"secret": 5});', 'ஜீடபள்_சரிபார்த்து("x", {"jwks": 5});',
    'ஜீடபள்_சரிபார்த்து("x", {"secret": "x", "algorithms": [5]});',
])  # fmt: skip
def test_what_is_of_another_kind_is_told(call: str) -> None:
    assert code_of(call, auth=CONFIGURED) == "value.kind"


@pytest.mark.parametrize("claims", [
    '{exp: "நாளை"}', "{exp: 99999999999999999999}", "{a: நீண்டது}",
])  # fmt: skip
def test_claims_that_cannot_travel_are_told(claims: str) -> None:
    program = f"""
    நீண்டது = "x";
    (நீளம்(நீண்டது) < 70000) சுற்று {{ நீண்டது = நீண்டது & நீண்டது; }}
    ஜீடபள்_உருவாக்கு({claims});
    """
    assert code_of(program, auth=CONFIGURED) == "value.invalid"


def test_a_token_ends_in_time() -> None:
    program = """
    சீட்டு = ஜீடபள்_உருவாக்கு({sub: "அ"}, {ttl: 20});
    உறங்கு(24);
    அச்சு ஜீடபள்_சரிபார்த்து(சீட்டு).sub;
    உறங்கு(2);
    முயல் { ஜீடபள்_சரிபார்த்து(சீட்டு); } பிழை(e) { அச்சு e.குறி; }
    """
    assert output_of(program, auth=CONFIGURED) == ["அ", "auth.invalid"]


# ---- public keys ----------------------------------------------------------------------


@pytest.mark.parametrize("key", [Key("k"), Key("k", "RSA", 2048, "RS256"), Key("k", "OKP", "Ed25519", "Ed25519")])
def test_keys_are_given_as_a_record_or_by_their_address(key: Key) -> None:
    token = key.sign({"sub": "u", "exp": START + 60})
    keys = json.dumps({"keys": [key.public]})
    program = f"""
    அச்சு ஜீடபள்_சரிபார்த்து({text(token)}, {{"jwks": மதிப்பு(ஜேசான்_படி({text(keys)}))}}).sub;
    அச்சு ஜீடபள்_சரிபார்த்து({text(token)}, {{"jwks": "https://id.example/keys"}}).sub;
    அச்சு ஜீடபள்_சரிபார்த்து({text(token)}, {{"jwks": "https://id.example/keys"}}).sub;
    """
    web = SimulatedWeb({("GET", "https://id.example/keys"): Answer(200, keys)})
    assert output_of(program, web=web) == ["u", "u", "u"]
    assert len(web.asked) == 1


def test_while_keys_are_fetched_others_go_on() -> None:
    key = Key("k")

    async def slowly(asked: Any) -> Answer:
        import trio

        await trio.sleep(3)
        return Answer(200, json.dumps({"keys": [key.public]}))

    program = f"""
    பணி வேறு() {{ உறங்கு(1); அச்சு "வேறு"; }}
    தொடங்கு வேறு();
    அச்சு ஜீடபள்_சரிபார்த்து({text(key.sign({"sub": "u", "exp": START + 60}))}, {{"jwks": "https://id.example/"}}).sub;
    """
    assert output_of(program, web=SimulatedWeb({("GET", "https://id.example/"): slowly})) == ["வேறு", "u"]


def test_keys_that_cannot_be_fetched_are_no_mistake_of_the_token() -> None:
    token = text(Key("k").sign({"sub": "u", "exp": START + 60}))
    program = f'ஜீடபள்_சரிபார்த்து({token}, {{"jwks": "https://id.example/keys"}});'
    assert code_of(program) == "auth.unavailable"


# ---- roles ----------------------------------------------------------------------------


@pytest.mark.parametrize(("user", "role", "is_let_in"), [
    ('{role: "admin"}', "admin", True), ('{role: "admin"}', "editor", True), ('{roles: ["admin"]}', "reader", True),
    ('{roles: ["editor"]}', "admin", False), ('{roles: ["x", "editor"]}', "writer", True), ("{}", "reader", False),
    ('"admin"', "admin", False), ("இன்மை", "admin", False), ('{role: "stranger"}', "stranger", True),
    ('{role: "admin", roles: []}', "admin", True), ('{roles: [["admin"]]}', "admin", False),
])  # fmt: skip
def test_a_block_runs_for_those_who_have_the_role(user: str, role: str, is_let_in: bool) -> None:
    program = f"""
    முயல் {{
        அனுமதி_சரிபார்த்து({user}, "{role}") {{ அச்சு "உள்ளே"; }}
    }} பிழை(e) {{ அச்சு e.குறி; }}
    """
    assert output_of(program, auth=ROLES) == ["உள்ளே" if is_let_in else "auth.forbidden"]


def test_without_a_configuration_a_role_is_only_itself() -> None:
    program = 'அனுமதி_சரிபார்த்து({role: "admin"}, "editor") { அச்சு "x"; }'
    assert code_of(program) == "auth.forbidden"


def test_roles_are_closed_once() -> None:
    roles = Roles({"a": ["b"], "b": ["c"], "c": ["d"], "x": ["c", "y"]})

    def held(user: Any) -> str:
        return "".join(role for role in "abcdxyz" if roles.has(user, role))

    assert held({"role": "a"}) == "abcd"
    assert held({"roles": ["x", "z"]}) == "cdxyz"
    assert held({"roles": [None, 5, ["a"], {"b": True}]}) == held(None) == ""


@pytest.mark.parametrize(("includes", "circle"), [
    ({"a": ["a"]}, "a → a"), ({"a": ["b"], "b": ["a"]}, "a → b → a"),
    ({"z": ["a"], "a": ["b"], "b": ["c"], "c": ["a"]}, "a → b → c → a"),
])  # fmt: skip
def test_a_role_that_includes_itself_is_refused(includes: dict[str, list[str]], circle: str) -> None:
    with pytest.raises(Fault) as raised:
        Roles(includes)
    assert raised.value.code == "config" and circle in raised.value.english


def test_roles_that_are_many_or_deep_are_bounded() -> None:
    deep = {f"r{number}": [f"r{number + 1}"] for number in range(200)}
    assert Roles(deep).has({"role": "r0"}, "r200")
    with pytest.raises(Fault):
        Roles({**deep, "one": ["more"]})
