"""A login at an identity provider: both are processes or threads with real sockets, and some of them lie."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, urlencode, urljoin, urlsplit

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from etamil_actors.actors.auth.authority import Authority
from etamil_actors.edge.auth.login import local_path
from etamil_actors.edge.auth.provider import Provider as EdgeProvider
from etamil_actors.edge.auth.provider import roles_in
from etamil_actors.errors import Fault
from etamil_actors.ports.auth import OidcSettings
from etamil_actors.resources.web.simulated import Answer, SimulatedWeb
from tests.auth.browser import Browser, Page
from tests.auth.provider import CLIENT, SECRET, Key, Provider
from tests.http_life.serving import Certificate, Server

PROGRAM = """
வழி பெறு, "/me", ["auth"] { பதில் 200, கோரிக்கை.user; }
வழி பெறு, "/read", ["reader"] { பதில் 200, "read"; }
வழி பெறு, "/admin", ["admin"] { பதில் 200, "admin"; }
வழி பெறு, "/plant" { அமர்வு_அமை("cart", "planted"); பதில் 200, "planted"; }
வழி பெறு, "/session" { பதில் 200, அமர்வு; }
வழி பெறு, "/" { பதில் 200, "home"; }
வழி பெறு, "/அறை" { பதில் 200, "room"; }
"""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    import ssl

    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return Certificate(str(folder / "certificate.pem"), str(folder / "key.pem"), "", context)


@pytest.fixture(scope="module")
def shared() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


def setup(provider: Provider, **oidc: Any) -> dict[str, Any]:
    oidc = {"rate": "10000/s", **oidc}  # all these browsers have one address
    return {
        "auth": {
            "oidc": {"issuer": provider.issuer, "client_id": CLIENT, "client_secret": SECRET, **oidc},
            "roles": {"editor": ["reader"]},
        }
    }


@pytest.fixture(scope="module", params=["fast", "full"])
def running(
    request: pytest.FixtureRequest,
    shared: Provider,
    certificate: Certificate,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    """A service with a login, on each of the two lanes."""
    tls = certificate if request.param == "full" else None
    server = Server(tmp_path_factory.mktemp("login"), PROGRAM, certificate=tls, others=setup(shared))
    yield server
    server.end()


@pytest.fixture
def provider(shared: Provider) -> Provider:
    """The provider of ``running``, honest again."""
    shared.user = {"sub": "u1", "name": "மலர்", "email": "malar@kadai.example", "roles": ["editor"]}
    shared.changed, shared.sign, shared.is_down, shared.secret = {}, None, False, SECRET
    shared.asked.clear()
    return shared


@pytest.fixture
def browser(running: Server, provider: Provider) -> Browser:
    return browser_of(running)


def browser_of(server: Server) -> Browser:
    scheme = "https" if server.certificate is not None else "http"
    context = server.certificate.context if server.certificate is not None else None
    return Browser(f"{scheme}://127.0.0.1:{server.port}", context)


def come_back(browser: Browser, path: str = "/login") -> str:
    """Begin a login, and stop where the provider sends the browser back: the address that it would go to."""
    page = browser.follow(path, until=f"{browser.home}/callback")
    return page.field("location")


def with_values(url: str, **values: str | None) -> str:
    """The address with other values in its query; None takes one away."""
    parts = urlsplit(url)
    query = {name: value for name, value in {**dict(parse_qsl(parts.query)), **values}.items() if value is not None}
    return parts._replace(query=urlencode(query)).geturl()


def code_of(page: Page) -> str:
    """The code of a problem."""
    return str(json.loads(page.body)["code"])


def is_nobody(browser: Browser) -> bool:
    return browser.get("/me").status == 401


# ---- a login that goes well -----------------------------------------------------------


def test_whoever_logs_in_is_the_user_with_his_roles_until_he_logs_out(browser: Browser, provider: Provider) -> None:
    assert is_nobody(browser)
    page = browser.follow("/login")
    assert (page.status, page.body, page.url) == (200, "home", browser.home + "/")
    user = json.loads(browser.get("/me").body)
    assert user == {**provider.user, "iss": provider.issuer}
    assert browser.get("/read").body == "read"  # an editor is a reader too
    assert browser.get("/admin").status == 403
    page = browser.follow("/logout")
    assert (page.status, page.body) == (200, "home")
    assert provider.asked[-1] == "GET /bye"
    assert is_nobody(browser) and browser.cookies == {}


def test_one_arrives_where_one_wanted_to_go(browser: Browser) -> None:
    assert browser.follow("/login?next=" + quote("/me?a=1&b=2#c")).url == browser.home + "/me?a=1&b=2#c"
    assert browser.follow("/login?next=" + quote("/அறை")).body == "room"


def test_what_the_browser_shows_the_provider_is_new_each_time_and_no_secret(browser: Browser, provider: Provider) -> None:
    seen = []
    for _ in range(2):
        come_back(browser)
        seen.append(provider.given)
    assert all(seen[0][name] != seen[1][name] for name in ("state", "nonce", "code_challenge"))
    assert seen[0]["redirect_uri"] == f"{browser.home}/callback"
    assert set(seen[0]["scope"].split(" ")) == {"openid", "profile", "email"}
    assert "verifier" not in str(seen) and SECRET not in str(seen)


def test_the_cookies_are_not_for_scripts_and_the_session_is_a_new_one(browser: Browser) -> None:
    browser.get("/plant")
    assert json.loads(browser.get("/session").body) == {"cart": "planted"}
    begun = browser.get("/login")
    (cookie,) = begun.fields("set-cookie")
    assert cookie.startswith("session_login=") and "HttpOnly" in cookie and "SameSite=Lax" in cookie
    assert "Max-Age=600" in cookie and begun.field("cache-control") == "no-store"
    assert ("; Secure" in cookie) == browser.home.startswith("https")
    back = browser.get(browser.get(begun.field("location")).field("location"))
    assert {one.partition("=")[0] for one in back.fields("set-cookie")} == {"session", "session_login"}
    assert "session_login" not in browser.cookies
    (session,) = [one for one in back.fields("set-cookie") if one.startswith("session=")]
    assert "Max-Age=43200" in session
    assert list(json.loads(browser.get("/session").body)) == ["user"]


def test_two_logins_one_after_the_other_end_in_the_second(browser: Browser, provider: Provider) -> None:
    browser.follow("/login")
    provider.user = {**provider.user, "sub": "u2", "roles": "admin"}
    browser.follow("/login")
    assert json.loads(browser.get("/me").body)["sub"] == "u2"
    assert browser.get("/admin").body == "admin"
    assert browser.get("/read").status == 403


# ---- who cannot log in ----------------------------------------------------------------


@pytest.mark.parametrize("change", [{"state": "x" * 43}, {"state": ""}, {"state": None}, {"state": "ஆ"}])
def test_another_state_is_refused_and_the_login_goes_on(browser: Browser, change: dict[str, str | None]) -> None:
    back = come_back(browser)
    page = browser.get(with_values(back, **change))
    assert (page.status, code_of(page)) == (401, "auth.invalid")
    assert is_nobody(browser)
    assert browser.follow(back).status == 200


def test_a_login_is_finished_only_in_the_browser_that_began_it(browser: Browser, running: Server) -> None:
    back = come_back(browser)
    victim = browser_of(running)
    assert victim.get(back).status == 401
    come_back(victim)  # has begun one of his own
    assert victim.get(back).status == 401
    assert is_nobody(victim)


def test_a_code_is_good_for_once(browser: Browser, provider: Provider) -> None:
    back = come_back(browser)
    kept = dict(browser.cookies)
    assert browser.get(back).status == 303
    assert browser.get(back).status == 401  # the cookie of this login is gone
    asked = provider.count("POST /token")
    browser.cookies = kept
    page = browser.get(back)
    assert (page.status, code_of(page)) == (401, "auth.invalid")
    assert provider.count("POST /token") == asked + 1
    assert "session" not in browser.cookies and is_nobody(browser)


def test_a_code_of_another_login_does_not_help(browser: Browser, running: Server) -> None:
    """Somebody has got hold of a code, and puts it into a login of his own."""
    stolen = parse_qs(urlsplit(come_back(browser)).query)["code"][0]
    thief = browser_of(running)
    page = thief.get(with_values(come_back(thief), code=stolen))
    assert (page.status, code_of(page)) == (401, "auth.invalid")
    assert is_nobody(thief)


@pytest.mark.parametrize("change", [
    {"nonce": "x" * 43}, {"nonce": None}, {"nonce": 5}, {"nonce": ""},
    {"aud": "another"}, {"aud": None}, {"aud": [CLIENT, "another"]}, {"aud": [CLIENT], "azp": "another"},
    {"iss": "https://id.example"}, {"iss": None},
    {"exp": 5}, {"exp": None}, {"nbf": 9999999999},
    {"sub": None}, {"sub": ""}, {"sub": 5}, {"sub": "x" * 256},
], ids=str)  # fmt: skip
def test_an_id_token_that_is_not_of_this_login_is_refused(
    browser: Browser, provider: Provider, change: dict[str, Any]
) -> None:
    provider.changed = change
    page = browser.follow("/login")
    assert (page.status, code_of(page)) == (401, "auth.invalid")
    assert is_nobody(browser)


@pytest.mark.parametrize("change", [{"aud": [CLIENT, "another"], "azp": CLIENT}, {"aud": [CLIENT]}], ids=str)
def test_an_id_token_may_be_for_others_too(browser: Browser, provider: Provider, change: dict[str, Any]) -> None:
    provider.changed = change
    assert browser.follow("/login").status == 200


def unsigned(claims: dict[str, Any]) -> str:
    import base64

    parts = [json.dumps(part).encode() for part in ({"alg": "none"}, claims)]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + "."


def with_the_client_secret(claims: dict[str, Any]) -> str:
    """Signed with HS256, as the provider could, but did not say."""
    from joserfc.jwk import OctKey
    from joserfc.jws import serialize_compact

    return serialize_compact({"alg": "HS256"}, json.dumps(claims).encode(), OctKey.import_key(SECRET))


@pytest.mark.parametrize("sign", [
    unsigned, with_the_client_secret, Key("first").sign, lambda claims: "", lambda claims: "a.b.c", lambda claims: 5,
])  # fmt: skip
def test_an_id_token_that_the_provider_has_not_signed_is_refused(
    browser: Browser, provider: Provider, sign: Any
) -> None:
    provider.sign = sign
    page = browser.follow("/login")
    assert (page.status, code_of(page)) == (401, "auth.invalid")
    assert is_nobody(browser)


def test_an_id_token_that_is_signed_with_the_public_key_is_refused(browser: Browser, provider: Provider) -> None:
    """Everybody knows it, so as a secret it is none."""
    from joserfc.jwk import OctKey
    from joserfc.jws import serialize_compact

    public = json.dumps(provider.keys[0].public)
    provider.sign = lambda claims: serialize_compact(
        {"alg": "HS256", "kid": "first"}, json.dumps(claims).encode(), OctKey.import_key(public.encode())
    )
    page = browser.follow("/login")
    assert (page.status, code_of(page)) == (401, "auth.invalid")


def test_one_address_may_log_in_only_so_often(shared: Provider, provider: Provider, tmp_path: Path) -> None:
    server = Server(tmp_path, PROGRAM, others=setup(shared, rate="2/d"))
    try:
        for _ in range(2):
            assert browser_of(server).follow("/login").status == 200
        page = browser_of(server).get("/login")
        assert (page.status, code_of(page)) == (429, "rate_limited")
        assert int(page.field("retry-after")) > 1000 and page.fields("set-cookie") == []
        asked = list(provider.asked)
        assert browser_of(server).get("/callback?code=a&state=b").status == 429
        assert provider.asked == asked
        assert browser_of(server).get("/").body == "home"
        assert browser_of(server).get("/logout").status == 303
    finally:
        server.end()


def test_what_the_provider_refuses_is_told(browser: Browser, running: Server, provider: Provider) -> None:
    back = come_back(browser)
    page = browser.get(with_values(back, code=None, error="access_denied", error_description="<script>"))
    assert (page.status, code_of(page)) == (403, "auth.forbidden")
    assert "script" not in page.body
    page = browser.get(with_values(come_back(browser), code=None, error="server_error"))
    assert (page.status, code_of(page)) == (401, "auth.invalid")
    for change in ({"code": None}, {"code": "x" * 5000}, {"code": "made-up"}):
        assert browser.get(with_values(come_back(browser), **change)).status == 401
    assert browser.get(come_back(browser) + "&code=another").status == 401
    assert browser.get(come_back(browser) + "&a=1&a=1").status == 401
    assert "invalid_grant" not in running.said  # anybody could fill the log with that
    provider.secret = "another"
    assert browser.follow("/login").status == 401
    running.says("login at ‘.*’: status 401 invalid_client")
    assert SECRET not in running.said and quote(SECRET) not in running.said


def test_a_provider_that_is_down_is_503_and_heals(browser: Browser, provider: Provider) -> None:
    back = come_back(browser)
    provider.is_down = True
    page = browser.get(back)
    assert (page.status, code_of(page)) == (503, "auth.unavailable")
    provider.is_down = False
    assert browser.follow("/login").status == 200


# ---- where one arrives ----------------------------------------------------------------


@pytest.mark.parametrize("wanted", [
    "https://evil.example/", "//evil.example/", "/\\evil.example", "\\\\evil.example", "/\t/evil.example",
    "/\n/evil.example", " //evil.example", "javascript:alert(1)", "evil.example", "///evil.example",
    "/%0d%0aSet-Cookie:a=b\r\nx", "http:/evil.example", "", "/" + "a" * 2000, "https:evil.example",
])  # fmt: skip
def test_nobody_is_led_to_another_place(browser: Browser, wanted: str) -> None:
    page = browser.follow("/login?" + urlencode({"next": wanted}))
    assert (page.status, page.url) == (200, browser.home + "/")


def test_what_no_cookie_holds_is_no_path_to_arrive_at(browser: Browser) -> None:
    assert local_path("/" + "அ" * 341) and not local_path("/" + "அ" * 342)
    page = browser.follow("/login?" + urlencode({"next": "/" + "அ" * 800}))
    assert (page.status, page.url) == (200, browser.home + "/")


def test_a_path_that_only_looks_odd_is_a_path() -> None:
    for path in ("/a", "/a//b", "/a?next=https://b.example", "/அறை/1", "/a%2F%2Fb", "/a:b", "/@a"):
        assert local_path(path) == path


@settings(deadline=None)
@given(st.text(alphabet="/\\\t\r\n .:@?#%;&=aé\u0085\u2028\uff0fஅ", max_size=12).map("/".__add__))
def test_whatever_is_said_leads_into_this_service(text: str) -> None:
    place = local_path(text)
    if place:
        for heard in (place, re.sub(r"[\t\r\n]", "", place).replace("\\", "/")):  # as browsers read it
            parts = urlsplit(urljoin("https://kadai.example/callback", heard))
            assert (parts.scheme, parts.netloc) == ("https", "kadai.example")


def test_a_link_of_another_site_logs_nobody_out(browser: Browser) -> None:
    browser.follow("/login")
    assert browser.get("/logout", Sec_Fetch_Site="cross-site").field("location") == "/"
    assert not is_nobody(browser)
    assert browser.follow("/logout", Sec_Fetch_Site="same-origin").status == 200
    assert is_nobody(browser)


@pytest.mark.parametrize("host", ["evil.example/x", "a b", "", "a@b", "evil.example:99999999"])
def test_a_host_that_is_none_leads_nowhere(browser: Browser, host: str) -> None:
    page = browser.get("/login", Host=host)
    assert page.status in (400, 401)
    assert not page.field("location")


# ---- other configurations -------------------------------------------------------------


def test_paths_roles_claims_and_the_public_address_are_configuration(tmp_path: Path, provider: Provider) -> None:
    provider.user = {"sub": "u1", "email": "a@b", "realm_access": {"roles": ["admin"]}, "tenant": 7}
    oidc = setup(
        provider, login="/உள்ளே", callback="/auth/back", logout="/வெளியே", after="/me", scopes=["profile"],
        claims=["tenant"], roles_claim="realm_access.roles", url="https://kadai.example/",
    )  # fmt: skip
    server = Server(tmp_path, PROGRAM, others=oidc, session={"secret": "0123456789abcdef", "cookie": "s"})
    try:
        browser = browser_of(server)
        assert browser.get("/login").status == 404
        page = browser.get(quote("/உள்ளே"))
        assert "Secure" in page.field("set-cookie")  # it is https that browsers see
        back = browser.get(page.field("location")).field("location")
        assert "Secure" in browser.get("/plant").field("set-cookie")
        assert back.startswith("https://kadai.example/auth/back?")
        assert provider.given["scope"] == "openid profile"
        page = browser.follow(back.removeprefix("https://kadai.example"))
        assert json.loads(page.body) == {"sub": "u1", "iss": provider.issuer, "tenant": 7, "roles": ["admin"]}
        assert browser.get("/admin").body == "admin"
        away = browser.get(quote("/வெளியே")).field("location")
        assert parse_qs(urlsplit(away).query)["post_logout_redirect_uri"] == ["https://kadai.example/me"]
    finally:
        server.end()


@pytest.mark.parametrize("change", [
    {"issuer": "https://another.example"}, {"jwks_uri": None}, {"token_endpoint": "http://evil.example/token"},
    {"authorization_endpoint": 5},
], ids=str)  # fmt: skip
def test_a_provider_that_does_not_say_who_or_where_it_is_is_not_believed(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    with Provider() as provider:
        provider.discovery = change
        server = Server(tmp_path, PROGRAM, others=setup(provider))
        try:
            for _ in range(3):
                page = browser_of(server).get("/login")
                assert (page.status, code_of(page)) == (503, "auth.unavailable")
            server.says(f"‘{provider.issuer}/.well-known/openid-configuration’ cannot be fetched")
            assert provider.count("/openid-configuration") == 1  # nobody hammers it
        finally:
            server.end()


ISSUER = "https://id.example"


def far_provider(**doors: str) -> tuple[SimulatedWeb, EdgeProvider]:
    """A provider that is elsewhere, as a login sees it, and who may call itself what it likes."""
    document = {
        "issuer": ISSUER, "authorization_endpoint": f"{ISSUER}/authorize", "token_endpoint": f"{ISSUER}/token",
        "jwks_uri": f"{ISSUER}/keys", "token_endpoint_auth_methods_supported": ["client_secret_post"], **doors,
    }  # fmt: skip
    web = SimulatedWeb({("GET", f"{ISSUER}/.well-known/openid-configuration"): Answer(200, json.dumps(document))})
    told = OidcSettings(issuer=ISSUER, client_id=CLIENT, client_secret=SECRET)
    return web, EdgeProvider(told, Authority(web=lambda: web), time.time)


@pytest.mark.parametrize("door", ["authorization_endpoint", "token_endpoint", "jwks_uri", "end_session_endpoint"])
async def test_a_provider_elsewhere_sends_us_to_no_server_of_this_machine(door: str) -> None:
    _, provider = far_provider(**{door: "http://127.0.0.1:6379/"})
    with pytest.raises(Fault) as raised:
        await provider.doors()
    assert raised.value.code == "auth.unavailable"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_code_and_the_secret_go_to_the_provider_and_nowhere_else(status: int) -> None:
    web, provider = far_provider()
    web.register("POST", f"{ISSUER}/token", Answer(status, "", [("location", "http://evil.example/token")]))
    web.register("*", "http://evil.example/token", Answer(200, "{}"))
    with pytest.raises(Fault) as raised:
        await provider.user_of(code="c", verifier="v", redirect=f"{ISSUER}/callback", nonce="n")
    assert raised.value.code == "auth.invalid"
    assert [asked.url for asked in web.asked][1:] == [f"{ISSUER}/token"]


def test_a_provider_that_tells_its_name_on_the_way_back_has_to_tell_it(tmp_path: Path) -> None:
    with Provider() as provider:
        provider.discovery = {
            "authorization_response_iss_parameter_supported": True,
            "token_endpoint_auth_methods_supported": ["client_secret_post"], "end_session_endpoint": None,
        }  # fmt: skip
        provider.keys = [Key("rsa", "RSA", 2048, "RS256")]
        server = Server(tmp_path, PROGRAM, others=setup(provider))
        try:
            browser = browser_of(server)
            for told in (None, "https://another.example", ""):
                assert browser.get(with_values(come_back(browser), iss=told)).status == 401
                assert is_nobody(browser)
            assert browser.follow("/login").status == 200
            assert browser.get("/logout").field("location") == "/"  # it has no such place
        finally:
            server.end()


def test_without_a_secret_pkce_is_enough_and_a_session_goes_on_in_another_process(tmp_path: Path) -> None:
    with Provider() as provider:
        provider.secret = ""
        others = setup(provider)
        del others["auth"]["oidc"]["client_secret"]
        server = Server(tmp_path, PROGRAM, processes=2, others=others)
        try:
            for _ in range(4):  # whichever of the two answers
                browser = browser_of(server)
                assert browser.follow("/login").status == 200
                assert json.loads(browser.get("/me").body)["sub"] == "u1"
            assert server.stop() == 0
        finally:
            server.end()


def test_claims_that_no_cookie_holds_are_told_to_the_operator(browser: Browser, running: Server, provider: Provider) -> None:
    provider.user = {"sub": "u1", "name": "x" * 5000}
    page = browser.follow("/login")
    assert page.status == 500 and "xxxx" not in page.body
    running.says("auth.oidc.claims: .*the cookie of a session holds at most")
    assert is_nobody(browser)


@pytest.mark.parametrize(("claims", "place", "roles"), [
    ({"roles": ["a", "b"]}, "roles", ["a", "b"]),
    ({"roles": "a"}, "roles", ["a"]),
    ({}, "roles", []),
    ({"roles": {"a": True}}, "roles", []),
    ({"roles": ["a", 5, None, "", ["b"]]}, "roles", ["a"]),
    ({"a": {"b": {"c": ["d"]}}}, "a.b.c", ["d"]),
    ({"a": ["b"]}, "a.b.c", []),
    ({"https://kadai.example/roles": ["a"]}, "https://kadai.example/roles", ["a"]),
    ({"roles": [str(n) for n in range(500)]}, "roles", [str(n) for n in range(100)]),
])  # fmt: skip
def test_where_the_roles_are(claims: dict[str, Any], place: str, roles: list[str]) -> None:
    assert roles_in(claims, place) == roles


def test_a_login_that_takes_too_long_is_over() -> None:
    from etamil_actors.edge.auth.login import SECONDS
    from etamil_actors.edge.sessions import Sessions
    from etamil_actors.edge.settings import SessionSettings

    now = [time.time()]
    pending = Sessions(SessionSettings(cookie="session_login", seconds=SECONDS), lambda: now[0], lambda n: b"x" * n)
    begun = pending.open(None, is_secure=False)
    begun.set("state", "s")
    header = begun.set_cookie_header()
    assert header is not None
    cookie = header.decode().partition("=")[2].partition(";")[0]
    assert pending.open(cookie, is_secure=False).values == {"state": "s"}
    now[0] += SECONDS
    assert pending.open(cookie, is_secure=False).values == {}
