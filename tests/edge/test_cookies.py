"""Cookies: there and back, and nothing else into the header."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from unicodedata import normalize

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from etamil_actors.edge.cookies import parse_cookies, set_cookie
from etamil_actors.errors import Fault

PLAIN = "; Path=/; HttpOnly; SameSite=Lax"


@pytest.mark.parametrize(("header", "expected"), [
    (b"", {}),
    (b"a=1", {"a": "1"}),
    (b"a=1; b=2", {"a": "1", "b": "2"}),
    (b"a=1;b=2 ;; c = 3 ;", {"a": "1", "b": "2", "c": "3"}),
    (b"a=1; a=2", {"a": "2"}),
    (b"a=", {"a": ""}),
    (b"a=b=c", {"a": "b=c"}),
    (b"broken; =x; a=1", {"a": "1"}),
    (b'a="x y"', {"a": "x y"}),
    (b'a="', {"a": '"'}),
    (b'a=""', {"a": ""}),
    (b"a=%E0%AE%85", {"a": "அ"}),
    ("அ=ஆ".encode(), {"அ": "ஆ"}),
    (b"%E0%AE%85=1", {"அ": "1"}),
    (b"a=100%", {"a": "100%"}),
    (b"a=%zz%41", {"a": "%zzA"}),
    (b"a=%FF", {"a": "%FF"}),
    (b"a=\xff", {"a": "�"}),
    (b"a=1+2", {"a": "1+2"}),
])  # fmt: skip
def test_a_cookie_header_is_read_forgivingly(header: bytes, expected: dict[str, str]) -> None:
    assert parse_cookies(header) == expected


def test_a_guarded_name_cannot_be_made_up_from_escapes() -> None:
    assert parse_cookies(b"__%48ost-user=evil; %5F%5FHost-user=evil") == {
        "__%48ost-user": "evil", "%5F%5FHost-user": "evil",
    }


def test_only_so_many_cookies_are_read() -> None:
    found = parse_cookies(b"; ".join(b"c%d=%d" % (n, n) for n in range(10_000)))
    assert len(found) == 200 and found["c199"] == "199"


@given(st.text(max_size=200))
@example('"quoted"')
@example(" a;b,c\\ %41 \r\n\x00")
@example("தமிழ் நாடு")
def test_any_text_comes_back_as_it_was_set(value: str) -> None:
    cookie = set_cookie("a", value)
    pair, _, rest = cookie.partition(b"; ")
    assert parse_cookies(b"x=1; " + pair + b"; y=2") == {"x": "1", "a": value, "y": "2"}
    assert b"; " + rest == PLAIN.encode()
    assert all(0x20 < byte < 0x7F for byte in pair)


@given(st.text(min_size=1, max_size=50))
@example("அடையாளம்")
@example("கூடை")  # in two signs
def test_a_name_comes_back_or_is_refused(name: str) -> None:
    try:
        cookie = set_cookie(name, "1", {"secure": True})
    except Fault as problem:
        assert problem.code == "value.invalid"
        return
    assert parse_cookies(cookie.partition(b";")[0]) == {normalize("NFC", name): "1"}


@pytest.mark.parametrize("name", ["", "a b", "a=b", "a;b", "a\r\nSet-Cookie: x", "a,b", "a%41", '"a"', "அ\x85", "அ "])
def test_what_no_cookie_is_called_is_refused(name: str) -> None:
    with pytest.raises(Fault) as raised:
        set_cookie(name, "1")
    assert raised.value.code == "value.invalid"
    assert "\n" not in raised.value.message and "\r" not in raised.value.message


@pytest.mark.parametrize(("options", "expected"), [
    ({}, PLAIN),
    ({"path": "/admin"}, "; Path=/admin; HttpOnly; SameSite=Lax"),
    ({"path": "/கடை"}, "; Path=/%E0%AE%95%E0%AE%9F%E0%AF%88; HttpOnly; SameSite=Lax"),
    ({"Domain": ".Kadai.example"}, "; Path=/; Domain=kadai.example; HttpOnly; SameSite=Lax"),
    ({"domain": "கடை.example"}, "; Path=/; Domain=xn--clcu7j.example; HttpOnly; SameSite=Lax"),
    ({"Max-Age": 60}, "; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"),
    ({"max_age": Decimal("1.5")}, "; Path=/; Max-Age=2; HttpOnly; SameSite=Lax"),
    ({"MaxAge": 10**20}, "; Path=/; Max-Age=34560000; HttpOnly; SameSite=Lax"),
    ({"max_age": 0}, "; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax"),
    ({"max_age": -5, "expires": 5}, "; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax"),
    ({"expires": "2026-12-31T18:00:00+05:30"}, "; Path=/; Expires=Thu, 31 Dec 2026 12:30:00 GMT; HttpOnly; SameSite=Lax"),
    ({"expires": "2026-12-31"}, "; Path=/; Expires=Thu, 31 Dec 2026 00:00:00 GMT; HttpOnly; SameSite=Lax"),
    ({"expires": "Thu, 31 Dec 2026 12:30:00 GMT"}, "; Path=/; Expires=Thu, 31 Dec 2026 12:30:00 GMT; HttpOnly; SameSite=Lax"),
    ({"expires": 0}, "; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax"),
    ({"HttpOnly": False}, "; Path=/; SameSite=Lax"),
    ({"http_only": True, "SECURE": True}, "; Path=/; Secure; HttpOnly; SameSite=Lax"),
    ({"same_site": "strict"}, "; Path=/; HttpOnly; SameSite=Strict"),
    ({"SameSite": "None", "secure": True, "partitioned": True}, "; Path=/; Secure; HttpOnly; SameSite=None; Partitioned"),
    ({"secure": None, "domain": None, "path": None, "max_age": None, "expires": None, "same_site": None}, PLAIN),
])  # fmt: skip
def test_options_become_attributes(options: dict[str, Any], expected: str) -> None:
    assert set_cookie("a", "1", options).decode() == "a=1" + expected


@pytest.mark.parametrize("options", [
    {"path": "admin"}, {"path": "/a;Domain=evil.example"}, {"path": "/a\r\nx: y"}, {"path": 5}, {"path": "/" + "a" * 2000},
    {"domain": ""}, {"domain": "a;b"}, {"domain": "a\nb"}, {"domain": "-a.example"}, {"domain": "a" * 300}, {"domain": 5},
    {"domain": "a..b"},
    {"max_age": "60"}, {"max_age": True}, {"expires": "soon"}, {"expires": "2026-13-01"}, {"expires": True},
    {"expires": 10**20}, {"expires": "Thu, 31 Dec 2026 12:30:00 GMT; Domain=evil.example"},
    {"secure": "yes"}, {"http_only": 1}, {"same_site": "loose"}, {"same_site": 5}, {"partitioned": 1},
    {"same_site": "None"}, {"partitioned": True},
])  # fmt: skip
def test_what_browsers_would_drop_is_refused(options: dict[str, Any]) -> None:
    try:
        cookie = set_cookie("a", "1", options)
    except Fault as problem:
        assert problem.code == "value.invalid"
        assert any(key in problem.english for key in options)
    else:  # a date may be read to its end and no further
        assert b"evil" not in cookie and "expires" in options


@pytest.mark.parametrize(("name", "options", "is_good"), [
    ("__Secure-a", {}, False),
    ("__Secure-a", {"secure": True, "domain": "kadai.example"}, True),
    ("__Host-a", {"secure": True}, True),
    ("__host-a", {"secure": True, "domain": "kadai.example"}, False),
    ("__Host-a", {"secure": True, "path": "/a"}, False),
    ("__Host-a", {}, False),
])  # fmt: skip
def test_the_rules_of_guarded_names_are_kept(name: str, options: dict[str, Any], is_good: bool) -> None:
    if is_good:
        assert set_cookie(name, "1", options).startswith(name.encode())
    else:
        with pytest.raises(Fault) as raised:
            set_cookie(name, "1", options)
        assert raised.value.code == "value.invalid"


def test_an_unknown_option_is_named() -> None:
    with pytest.raises(Fault) as raised:
        set_cookie("a", "1", {"colour": "red"})
    assert (raised.value.code, raised.value.details["name"]) == ("option.unknown", "colour")


def test_a_cookie_that_no_browser_keeps_is_refused() -> None:
    set_cookie("a", "x" * 4094)
    with pytest.raises(Fault) as raised:
        set_cookie("a", "x" * 4095)
    assert raised.value.code == "value.invalid"


TEXTS = st.one_of(st.text(max_size=20), st.sampled_from(["a\r\nb", "/\r\n", "/;x", "lax", "/"]))


@given(st.dictionaries(
    st.sampled_from(["path", "domain", "max-age", "expires", "secure", "httponly", "samesite", "partitioned"]),
    st.one_of(TEXTS, st.booleans(), st.integers(), st.none(), st.decimals(allow_nan=False, allow_infinity=False)),
), TEXTS, TEXTS)  # fmt: skip
def test_nothing_gets_out_of_the_header(options: dict[str, Any], name: str, value: str) -> None:
    try:
        cookie = set_cookie(name, value, options)
    except Fault:
        return
    assert all(0x20 <= byte < 0x7F for byte in cookie)
    attributes = [part.partition(b"=")[0] for part in cookie.split(b"; ")[1:]]
    assert len(attributes) == len(set(attributes))
    assert set(attributes) <= {
        b"Path", b"Domain", b"Max-Age", b"Expires", b"Secure", b"HttpOnly", b"SameSite", b"Partitioned",
    }
