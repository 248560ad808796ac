"""Which pages are let in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etamil_actors.edge.cors import CrossOrigin
from etamil_actors.edge.settings import Cors
from etamil_actors.errors import Fault

SHOP = b"https://kadai.example"
ALLOW = b"access-control-allow-origin"


def shop(**more: object) -> CrossOrigin:
    return CrossOrigin(Cors(origins=("https://kadai.example",), **more))  # type: ignore[arg-type]


def test_nobody_is_let_in_unless_the_settings_say_so() -> None:
    rules = CrossOrigin(Cors())
    assert rules.answer_headers(SHOP) == []
    assert rules.preflight(SHOP, b"POST") is None


def test_a_page_that_is_let_in_may_read_the_answer() -> None:
    assert shop().answer_headers(SHOP) == [
        (ALLOW, SHOP), (b"access-control-expose-headers", b"X-Request-Id"), (b"vary", b"Origin"),
    ]


@pytest.mark.parametrize("origin", [
    None, b"https://other.example", b"http://kadai.example", b"https://kadai.example:8443", b"null",
    b"https://kadai.example.evil.example", b"https://kadai.example/", b"*", b"",
])  # fmt: skip
def test_others_are_not_but_the_answer_depends_on_the_origin(origin: bytes | None) -> None:
    assert shop().answer_headers(origin) == [(b"vary", b"Origin")]


def test_all_pages_are_let_in_with_a_star() -> None:
    rules = CrossOrigin(Cors(origins=("*",), exposed=()))
    assert rules.answer_headers(b"https://any.example") == [(ALLOW, b"*")]
    assert rules.answer_headers(None) == []


def test_a_star_with_cookies_is_a_mistake() -> None:
    with pytest.raises(Fault) as raised:
        CrossOrigin(Cors(origins=("https://kadai.example", "*"), credentials=True))
    assert raised.value.code == "config"


def test_cookies_go_with_named_origins() -> None:
    headers = shop(credentials=True).answer_headers(SHOP)
    assert (b"access-control-allow-credentials", b"true") in headers


@pytest.mark.parametrize(("written", "sent"), [
    ("https://KADAI.example/", b"https://kadai.example"),
    (" http://localhost:3000 ", b"http://localhost:3000"),
    ("http://[::1]:3000", b"http://[::1]:3000"),
    ("https://கடை.example", b"https://xn--clcu7j.example"),
])  # fmt: skip
def test_an_origin_is_read_as_browsers_send_it(written: str, sent: bytes) -> None:
    assert (ALLOW, sent) in CrossOrigin(Cors(origins=(written,))).answer_headers(sent)


@pytest.mark.parametrize("written", [
    "kadai.example", "https://kadai.example/shop", "https://*.kadai.example", "https://a\r\nb", "null", "https://",
    "https://a b", "https://கடை கண்ணி.example", "",
])  # fmt: skip
def test_what_is_no_origin_is_refused_at_the_start(written: str) -> None:
    with pytest.raises(Fault) as raised:
        CrossOrigin(Cors(origins=(written,)))
    assert raised.value.code == "config"


@pytest.mark.parametrize("more", [{"methods": ("GET\r\nx",)}, {"headers": ("a b",)}, {"exposed": ("அ",)}])
def test_names_that_would_break_a_header_are_refused_at_the_start(more: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(Fault):
        shop(**more)


def test_a_preflight_is_told_what_is_allowed() -> None:
    rules = shop(methods=("GET", "POST"), headers=("Content-Type",))
    assert rules.preflight(SHOP, b"POST", b"x-other") == [
        (b"access-control-allow-methods", b"GET, POST"),
        (b"access-control-allow-headers", b"Content-Type"),
        (b"access-control-max-age", b"600"),
        (b"vary", b"Access-Control-Request-Method, Access-Control-Request-Headers"),
    ]


def test_a_preflight_names_the_origin_once() -> None:
    rules = shop(credentials=True)
    names = [name for name, _ in [*rules.answer_headers(SHOP), *(rules.preflight(SHOP, b"POST") or [])]]
    assert names.count(ALLOW) == names.count(b"access-control-allow-credentials") == 1


def test_a_preflight_of_another_page_hears_nothing() -> None:
    told = shop().preflight(b"https://other.example", b"POST", b"x-a")
    assert told is not None and [name for name, _ in told] == [b"vary"]


@pytest.mark.parametrize(("origin", "method"), [(None, b"POST"), (SHOP, None)])
def test_an_ordinary_question_for_options_is_no_preflight(origin: bytes | None, method: bytes | None) -> None:
    assert shop().preflight(origin, method) is None


@given(st.binary())
def test_only_names_of_headers_are_repeated(asked: bytes) -> None:
    told = dict(shop(headers=("*",)).preflight(SHOP, b"POST", asked) or [])
    repeated = told.get(b"access-control-allow-headers", b"")
    assert repeated in (b"", asked)
    assert not set(b"\r\n\x00") & set(repeated)


def test_with_a_star_for_headers_those_asked_for_are_allowed() -> None:
    told = dict(shop(headers=("*",)).preflight(SHOP, b"POST", b"x-a, x-b") or [])
    assert told[b"access-control-allow-headers"] == b"x-a, x-b"
