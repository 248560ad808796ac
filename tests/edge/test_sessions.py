"""Sessions in cookies: what is kept, what ends, and that nobody makes one up."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etamil_actors.actors.programs.exchange import Session
from etamil_actors.edge.cookies import parse_cookies
from etamil_actors.edge.sessions import OpenSession, Sessions, is_form_post, is_of_another_site
from etamil_actors.edge.settings import SessionSettings
from etamil_actors.errors import Fault
from etamil_actors.vm.values import Err, Function, Handle, Ok, Shaped, ShapeInfo

SECRET = "a secret of sixteen bytes and more"
DAY = 24 * 3600


class World:
    """A clock that stands still, bytes that count up, and what was refused."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.5
        self.refused: list[str] = []
        self._count = 0

    def wall(self) -> float:
        return self.now

    def random_bytes(self, count: int) -> bytes:
        self._count += 1
        return self._count.to_bytes(count, "big")

    def sessions(self, secret: str = SECRET, *old_secrets: str, **settings: Any) -> Sessions:
        return Sessions(
            SessionSettings(secret=secret, old_secrets=old_secrets, **settings), self.wall, self.random_bytes,
            on_refused=self.refused.append,
        )  # fmt: skip


@pytest.fixture
def world() -> World:
    return World()


def sent(session: OpenSession, name: str = "session") -> str:
    """The cookie as the browser would send it next time."""
    header = session.set_cookie_header()
    assert header is not None
    return parse_cookies(header.partition(b";")[0])[name]


def refused(action: Callable[[], object]) -> Fault:
    with pytest.raises(Fault) as raised:
        action()
    return raised.value


def begun(sessions: Sessions, **values: Any) -> str:
    session = sessions.open(None, False)
    for key, value in values.items():
        session.set(key, value)
    return sent(session)


# ---------------------------------------------------------------- what is kept


def test_what_is_set_is_there_in_the_next_request(world: World) -> None:
    sessions = world.sessions()
    cookie = begun(sessions, பயனர்="கமலா", கூடை=[1, Decimal("2.50"), None, True, {"அ": "ஆ"}])
    session = sessions.open(cookie, False)
    assert dict(session.values) == {"பயனர்": "கமலா", "கூடை": [1, Decimal("2.50"), None, True, {"அ": "ஆ"}]}
    assert str(session.values["கூடை"][1]) == "2.50"
    assert session.has_come
    assert session.set_cookie_header() is None
    assert world.refused == []


def test_a_session_answers_what_a_request_asks_of_it(world: World) -> None:
    session: Session = world.sessions().open(None, False)
    assert session.values == {}


def test_a_session_that_nobody_touches_sets_no_cookie(world: World) -> None:
    assert world.sessions().open(None, True).set_cookie_header() is None


@pytest.mark.parametrize(("settings", "is_secure", "expected"), [
    ({}, False, "; Path=/; Max-Age=1209600; HttpOnly; SameSite=Lax"),
    ({}, True, "; Path=/; Max-Age=1209600; Secure; HttpOnly; SameSite=Lax"),
    ({"secure": True, "seconds": 60}, False, "; Path=/; Max-Age=60; Secure; HttpOnly; SameSite=Lax"),
    ({"cookie": "__Host-session"}, False, "; Path=/; Max-Age=1209600; Secure; HttpOnly; SameSite=Lax"),
])  # fmt: skip
def test_the_cookie_is_guarded(world: World, settings: dict[str, Any], is_secure: bool, expected: str) -> None:
    session = world.sessions(**settings).open(None, is_secure)
    session.set("a", 1)
    header = session.set_cookie_header()
    assert header is not None and ("; " + header.decode().partition("; ")[2]) == expected


def test_nothing_removes_one_key(world: World) -> None:
    sessions = world.sessions()
    session = sessions.open(begun(sessions, a=1, b=2), False)
    session.set("nobody", None)
    assert session.set_cookie_header() is None
    session.set("a", None)
    assert dict(sessions.open(sent(session), False).values) == {"b": 2}


def test_the_last_key_takes_the_cookie_with_it(world: World) -> None:
    sessions = world.sessions()
    session = sessions.open(begun(sessions, a=1), False)
    session.set("a", None)
    assert session.set_cookie_header() == (
        b"session=; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax"
    )


def test_an_ended_session_is_forgotten(world: World) -> None:
    sessions = world.sessions()
    session = sessions.open(begun(sessions, a=1), False)
    session.end()
    assert session.values == {}
    assert b"Max-Age=0" in (session.set_cookie_header() or b"")


def test_a_session_that_never_was_leaves_no_trace(world: World) -> None:
    session = world.sessions().open(None, False)
    session.set("a", 1)
    session.end()
    assert session.set_cookie_header() is None


def test_after_its_end_a_new_session_may_begin(world: World) -> None:
    sessions = world.sessions()
    session = sessions.open(begun(sessions, a=1), False)
    session.end()
    session.set("b", 2)
    assert dict(sessions.open(sent(session), False).values) == {"b": 2}


def test_later_changes_of_a_value_do_not_reach_the_session(world: World) -> None:
    session = world.sessions().open(None, False)
    basket = [1]
    session.set("a", basket)
    basket.append(2)
    assert session.values == {"a": [1]}


def test_a_record_of_a_shape_is_kept_as_a_plain_one(world: World) -> None:
    sessions = world.sessions()
    cookie = begun(sessions, a=Shaped({"x": 1}, ShapeInfo("புள்ளி", {})))
    assert sessions.open(cookie, False).values == {"a": {"x": 1}}


class Pool(Handle):
    kind = "a pool"


@pytest.mark.parametrize(("value", "code"), [
    (Pool(), "value.local"),
    ([{"a": Pool()}], "value.local"),
    (Ok(1), "value.invalid"),
    (Err(1), "value.invalid"),
    (Function(lambda: None, "f", 0, 0), "value.invalid"),
    ("அ" * 2000, "value.invalid"),
    ("x" * 10**7, "value.invalid"),
    ({"x" * 10**6: 1}, "value.invalid"),
    (list(range(5000)), "value.invalid"),
])  # fmt: skip
def test_what_cannot_travel_in_a_cookie_changes_nothing(world: World, value: Any, code: str) -> None:
    session = world.sessions().open(None, False)
    assert refused(lambda: session.set("a", value)).code == code
    assert session.values == {} and session.set_cookie_header() is None


def test_deep_and_cleverly_shared_values_are_refused_quickly(world: World) -> None:
    session = world.sessions().open(None, False)
    shared: list[Any] = []
    for _ in range(30):
        shared = [shared, shared]
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    assert refused(lambda: session.set("a", shared)).code == "value.invalid"
    assert refused(lambda: session.set("a", deep)).code == "value.invalid"


def test_what_fits_still_fits_with_its_token(world: World) -> None:
    sessions = world.sessions()
    size = next(n for n in range(4096, 0, -1) if fits(sessions, "x" * n))
    session = sessions.open(None, False)
    session.set("a", "x" * size)
    session.csrf  # noqa: B018  asking for it is what makes it
    header = session.set_cookie_header()
    assert header is not None and len(header.partition(b";")[0]) <= 4096
    assert sessions.open(sent(session), False).values == {"a": "x" * size}


def fits(sessions: Sessions, value: str) -> bool:
    try:
        sessions.open(None, False).set("a", value)
    except Fault:
        return False
    return True


# ---------------------------------------------------------------- what ends


def test_a_session_ends_when_its_time_is_over(world: World) -> None:
    sessions = world.sessions(seconds=DAY)
    cookie = begun(sessions, a=1)
    world.now += DAY
    session = sessions.open(cookie, False)
    assert (session.values, session.has_come) == ({}, False)
    assert world.refused == ["expired"]


def test_a_session_in_use_is_issued_anew_at_half_its_life(world: World) -> None:
    sessions = world.sessions(seconds=DAY)
    cookie = begun(sessions, a=1)
    world.now += DAY / 2 - 10
    assert sessions.open(cookie, False).set_cookie_header() is None
    world.now += 20
    again = sent(sessions.open(cookie, False))
    world.now += DAY / 2 + 100
    assert sessions.open(cookie, False).values == {}
    assert sessions.open(again, False).values == {"a": 1}


def test_a_shorter_life_in_the_settings_counts_for_older_sessions(world: World) -> None:
    cookie = begun(world.sessions(seconds=DAY), a=1)
    world.now += 100
    assert world.sessions(seconds=60).open(cookie, False).values == {}


def test_a_session_from_the_future_is_none(world: World) -> None:
    sessions = world.sessions()
    cookie = begun(sessions, a=1)
    world.now -= 200
    assert sessions.open(cookie, False).values == {"a": 1}
    world.now -= 200
    assert sessions.open(cookie, False).values == {}


# ---------------------------------------------------------------- who signs


def test_a_new_secret_signs_and_the_old_one_still_verifies(world: World) -> None:
    old = "the old secret of sixteen bytes"
    cookie = begun(world.sessions(old), a=1)
    both = world.sessions(SECRET, "one that is older still", old)
    session = both.open(cookie, False)
    assert session.values == {"a": 1}
    assert world.sessions().open(sent(session), False).values == {"a": 1}  # signed anew, though nothing changed
    session.set("a", 2)
    assert world.sessions().open(sent(session), False).values == {"a": 2}
    assert world.sessions().open(cookie, False).values == {}
    assert world.refused == ["signature"]


def test_a_session_may_be_told_until_when_it_lasts_however_much_it_is_used(world: World) -> None:
    sessions = world.sessions(seconds=100)
    session = sessions.open(None, False)
    session.until = int(world.now) + 250
    session.set("user", "கமலா")
    cookie = sent(session)
    for _ in range(4):  # it is used, and so issued anew
        world.now += 60
        again = sessions.open(cookie, False)
        assert again.values == {"user": "கமலா"}
        header = again.set_cookie_header()
        assert header is not None
        cookie = sent(again)
    assert b"; Max-Age=10;" in header
    world.now += 9
    assert sessions.open(cookie, False).values == {"user": "கமலா"}
    again = sessions.open(cookie, False)
    again.set("user", "வேலன்")
    assert again.until == session.until
    world.now += 2
    assert sessions.open(cookie, False).values == {}
    assert sessions.open(sent(again), False).values == {}
    again.end()
    assert again.until == 0


def test_without_a_secret_sessions_end_with_the_process(world: World) -> None:
    sessions = world.sessions("")
    cookie = begun(sessions, a=1)
    assert sessions.open(cookie, False).values == {"a": 1}
    assert world.sessions("").open(cookie, False).values == {}


def test_a_cookie_of_another_name_is_none_of_ours(world: World) -> None:
    cookie = begun(world.sessions(cookie="session"), a=1)
    assert world.sessions(cookie="other").open(cookie, False).values == {}


@pytest.mark.parametrize("settings", [{"secret": "short"}, {"cookie": "a b"}, {"cookie": ""}, {"cookie": "அமர்வு"}])
def test_settings_that_make_no_safe_session_are_refused(world: World, settings: dict[str, Any]) -> None:
    fault = refused(lambda: world.sessions(**settings))
    assert fault.code == "config"
    assert "short" not in fault.message


@given(st.data())
def test_a_changed_cookie_is_as_none(data: st.DataObject) -> None:
    world = World()
    sessions = world.sessions()
    cookie = begun(sessions, பயனர்={"role": "user"})
    place = data.draw(st.integers(0, len(cookie) - 1))
    letter = data.draw(st.characters(exclude_characters=cookie[place], exclude_categories=("Cs",)))
    changed = cookie[:place] + letter + cookie[place + 1 :]
    session = sessions.open(changed, False)
    assert (session.values, session.has_come) == ({}, False)
    assert len(world.refused) == 1


@given(st.text())
def test_no_cookie_is_too_odd(cookie: str) -> None:
    assert World().sessions().open(cookie, False).values == {}


@pytest.mark.parametrize("cookie", ["1..", "1.e30.", ".", "x" * 10_000, "2.e30.e30", "1.e30.அ"])
def test_what_is_no_session_is_told_apart(world: World, cookie: str) -> None:
    assert world.sessions().open(cookie, False).values == {}
    assert world.refused in (["malformed"], ["signature"])


# ---------------------------------------------------------------- forms


FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(("method", "kind", "has_body", "expected"), [
    ("POST", FORM, True, True),
    ("PUT", "multipart/form-data; boundary=x", True, True),
    ("PATCH", "Text/Plain;charset=utf-8", True, True),
    ("DELETE", FORM, False, True),
    ("POST", "text/plain; application/json", True, True),
    ("POST", None, True, True),
    ("POST", None, False, False),
    ("POST", "", True, True),
    ("POST", "application/json", True, False),
    ("GET", FORM, True, False),
    ("HEAD", None, True, False),
])  # fmt: skip
def test_a_form_post_is_what_another_site_could_send(
    method: str, kind: str | None, has_body: bool, expected: bool
) -> None:
    assert is_form_post(method, kind, has_body=has_body) is expected


def test_the_token_of_a_page_is_good_in_the_next_request(world: World) -> None:
    sessions = world.sessions()
    page = sessions.open(None, False)
    token = page.csrf
    assert token == page.csrf
    cookie = sent(page)
    sessions.open(cookie, False).check_csrf({"_csrf": token}, None)
    sessions.open(cookie, False).check_csrf({}, token)
    other = sessions.open(cookie, False).csrf
    assert other != token
    sessions.open(cookie, False).check_csrf({"_csrf": other}, None)


def test_a_token_that_is_there_already_sets_no_cookie(world: World) -> None:
    sessions = world.sessions()
    page = sessions.open(None, False)
    page.csrf  # noqa: B018  asking for it is what makes it
    again = sessions.open(sent(page), False)
    assert again.csrf and again.set_cookie_header() is None


@pytest.mark.parametrize("token", [None, "", "x", "அ", "A" * 43, "=" * 43, "A" * 10_000])
def test_a_form_without_its_token_is_refused(world: World, token: str | None) -> None:
    sessions = world.sessions()
    page = sessions.open(None, False)
    page.csrf  # noqa: B018  asking for it is what makes it
    session = sessions.open(sent(page), False)
    form = {} if token is None else {"_csrf": token}
    assert refused(lambda: session.check_csrf(form, None)).code == "auth.forbidden"
    assert refused(lambda: session.check_csrf({}, token)).code == "auth.forbidden"


def test_the_token_of_another_session_is_refused(world: World) -> None:
    sessions = world.sessions()
    mine, other = sessions.open(None, False), sessions.open(None, False)
    token = other.csrf
    mine.csrf  # noqa: B018  asking for it is what makes it
    session = sessions.open(sent(mine), False)
    assert refused(lambda: session.check_csrf({"_csrf": token}, None)).code == "auth.forbidden"


def test_a_session_that_has_no_token_yet_accepts_none(world: World) -> None:
    sessions = world.sessions()
    session = sessions.open(begun(sessions, a=1), False)
    assert refused(lambda: session.check_csrf({"_csrf": "A" * 43}, None)).code == "auth.forbidden"


def test_without_a_session_there_is_nothing_to_steal(world: World) -> None:
    sessions = world.sessions()
    sessions.open(None, False).check_csrf({}, None)
    sessions.open("made up", False).check_csrf({}, None)


@pytest.mark.parametrize(
    ("fetch_site", "origin", "answer"),
    [
        (None, None, False),  # no browser
        (b"same-origin", b"https://kadai.example", False),
        (b"same-site", b"https://pages.kadai.example", False),
        (b"none", None, False),  # typed in by hand
        (b"same-origin", b"null", False),
        (b"cross-site", b"https://evil.example", True),
        (b"cross-site", b"null", True),
        (b"cross-site", None, True),
        (None, b"http://Kadai.example:8080", False),
        (None, b"https://kadai.example:8080", False),  # behind somebody who speaks TLS for us
        (None, b"http://kadai.example", True),
        (None, b"http://evil.example", True),
        (None, b"http://kadai.example:8080.evil.example", True),
        (None, b"null", True),
        (None, b"", True),
    ],
)
def test_browsers_tell_whether_a_page_of_another_site_asks(
    fetch_site: bytes | None, origin: bytes | None, answer: bool
) -> None:
    assert is_of_another_site(fetch_site, origin, b"kadai.example:8080") is answer


@pytest.mark.parametrize("key", ["பயனர்", "user"])
def test_a_token_from_before_the_login_is_of_no_use_after_it(world: World, key: str) -> None:
    sessions = world.sessions()
    planted = sessions.open(None, False)
    token = planted.csrf
    login = sessions.open(sent(planted), False)
    login.check_csrf({"_csrf": token}, None)
    login.set(key, "கமலா")
    after = sessions.open(sent(login), False)
    assert refused(lambda: after.check_csrf({"_csrf": token}, None)).code == "auth.forbidden"
    after.check_csrf({"_csrf": after.csrf}, None)
