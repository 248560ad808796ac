"""Patterns, paths and queries by example, and the router against a reader that tries every pattern."""

from __future__ import annotations

from typing import Any
from unicodedata import normalize
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from etamil_actors.edge.paths import (
    Flaw,
    PathError,
    cut,
    decoded,
    encoded,
    query_pairs,
    query_params,
    segments,
)
from etamil_actors.edge.routing import (
    PROBLEMS,
    BadPath,
    Found,
    NeedsUpgrade,
    NotAllowed,
    NotFound,
    Options,
    Route,
    Router,
    RoutesError,
)


def router(*routes: str) -> Router[str]:
    """``"GET /a"`` …; a ``+`` in front marks what is built in. The target is the text itself."""
    return Router([route(text) for text in routes])


def route(text: str) -> Route[str]:
    method, pattern = text.removeprefix("+").split(" ", 1)
    return Route(method, pattern, text, text.startswith("+"))


def found(outcome: Any) -> tuple[str, dict[str, str]]:
    assert isinstance(outcome, Found), outcome
    return outcome.route.target, dict(outcome.parameters)


# ---------------------------------------------------------------- paths


@pytest.mark.parametrize(("path", "expected"), [
    (b"/", [""]),
    (b"/items", ["items"]),
    (b"/items/", ["items", ""]),
    (b"//items", ["", "items"]),
    (b"/a%20b/c+d", ["a b", "c+d"]),
    (b"/a%2Fb/c", ["a/b", "c"]),
    (b"/a%2fb", ["a/b"]),
    (b"/%252F", ["%2F"]),
    (b"/%3F%23", ["?#"]),
    (b"/...", ["..."]),
    (b"/.hidden/a.b", [".hidden", "a.b"]),
    (b"/%e0%ae%85", ["அ"]),
    ("/அ".encode(), ["அ"]),
    ("/க".encode() + b"%E0%AF%8A", ["கொ"]),
    # half of a letter as it is, half of it encoded: still one reading
    (b"/\xe0%ae\x85", ["அ"]),
])
def test_a_path_becomes_segments_of_text(path: bytes, expected: list[str]) -> None:
    assert segments(path) == expected


@pytest.mark.parametrize(("path", "flaw"), [
    (b"", Flaw.RELATIVE),
    (b"*", Flaw.RELATIVE),
    (b"items", Flaw.RELATIVE),
    (b"/%", Flaw.PERCENT),
    (b"/a%2", Flaw.PERCENT),
    (b"/%zz", Flaw.PERCENT),
    (b"/%+1", Flaw.PERCENT),
    (b"/% 1", Flaw.PERCENT),
    (b"/%u0B85", Flaw.PERCENT),
    (b"/%E0%AE", Flaw.UTF8),
    (b"/\xe0\xae", Flaw.UTF8),
    (b"/%C0%AF", Flaw.UTF8),            # an overlong slash
    (b"/%C0%AE%C0%AE", Flaw.UTF8),      # overlong dots
    (b"/%ED%A0%80", Flaw.UTF8),         # a lone surrogate
    (b"/%E0/%AE%85", Flaw.UTF8),
    (b"/a%00b", Flaw.NUL),
    (b"/a\0b", Flaw.NUL),
    (b"/.", Flaw.DOTS),
    (b"/..", Flaw.DOTS),
    (b"/a/../b", Flaw.DOTS),
    (b"/a/./b", Flaw.DOTS),
    (b"/%2e%2E/a", Flaw.DOTS),
    (b"/.%2e", Flaw.DOTS),
    (b"/..%2fetc%2fpasswd", Flaw.DOTS),
    (b"/a%2F..%2Fb", Flaw.DOTS),
])
def test_a_path_with_two_readings_is_refused(path: bytes, flaw: Flaw) -> None:
    with pytest.raises(PathError) as caught:
        segments(path)
    assert caught.value.flaw is flaw
    assert flaw.tamil in str(caught.value)
    assert flaw.english in str(caught.value)
    assert router("GET /*rest").match("GET", path) == BadPath(flaw)
    assert router("WS /*rest").match_upgrade(path) == BadPath(flaw)


@pytest.mark.parametrize(("target", "path", "query"), [
    (b"/a?x=1?y=2", b"/a", b"x=1?y=2"),
    (b"/a", b"/a", b""),
    (b"/a?", b"/a", b""),
    (b"http://host:80/a?x", b"/a", b"x"),
    (b"HTTPS://host", b"/", b""),
    (b"http://host?x=1", b"/", b"x=1"),
    (b"//host/a", b"//host/a", b""),
    (b"*", b"*", b""),
])
def test_a_target_is_cut_at_its_first_question_mark(target: bytes, path: bytes, query: bytes) -> None:
    assert cut(target) == (path, query)


def test_a_tamil_path_is_encoded_in_its_composed_form() -> None:
    decomposed = "/க\u0bc6\u0bbeடி"
    assert normalize("NFC", decomposed) != decomposed
    assert encoded(decomposed) == "/%E0%AE%95%E0%AF%8A%E0%AE%9F%E0%AE%BF"
    assert encoded("/a b/100%?") == "/a%20b/100%25%3F"


# Characters that a path may hold: no lone surrogates, no NUL.
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")


@given(st.text(CHARACTERS))
def test_what_is_encoded_is_decoded_again(text: str) -> None:
    path = normalize("NFC", "/" + text)
    if any(part in (".", "..") for part in path.split("/")):
        with pytest.raises(PathError):
            decoded(encoded(path).encode())
    else:
        assert decoded(encoded(path).encode()) == path


@given(st.binary(max_size=40))
@example(b"%E0%AE%85%2F%2e%2e")
def test_any_bytes_are_read_or_refused(path: bytes) -> None:
    try:
        parts = segments(b"/" + path)
    except PathError:
        return
    assert len(parts) == path.count(b"/") + 1
    for part in parts:
        assert normalize("NFC", part) == part
        assert not {".", ".."} & set(part.split("/"))


@pytest.mark.parametrize(("query", "expected"), [
    (b"", {}),
    (b"a=1&b=2", {"a": "1", "b": "2"}),
    (b"a=1&a=2", {"a": "2"}),
    (b"a&b=", {"b": ""}),
    (b"=v&&", {"": "v"}),
    (b"a=b=c", {"a": "b=c"}),
    (b"a+b=c+d%2Be", {"a b": "c d+e"}),
    (b"a=1;b=2", {"a": "1;b=2"}),
    (b"a=100%&b=%zz&c=%4", {"a": "100%", "b": "%zz", "c": "%4"}),
    (b"a=%E0%AE", {"a": "\ufffd"}),
    (b"a=%26%3D&%61=x", {"a": "x"}),
    (b"q=%E0%AE%85", {"q": "அ"}),
    ("q=அ".encode(), {"q": "அ"}),
])
def test_a_query_becomes_a_record_of_text(query: bytes, expected: dict[str, str]) -> None:
    assert query_params(query) == expected


def test_keys_of_a_query_are_composed_and_values_left_alone() -> None:
    decomposed = quote("க\u0bc6\u0bbe").encode()
    assert query_params(decomposed + b"=" + decomposed) == {"கொ": "க\u0bc6\u0bbe"}


def test_all_values_of_a_repeated_key_can_be_had() -> None:
    assert query_pairs(b"a=1&b=2&a=3") == [("a", "1"), ("b", "2"), ("a", "3")]


# ---------------------------------------------------------------- matching


@pytest.mark.parametrize(("routes", "path", "expected"), [
    (["GET /"], b"/", ("GET /", {})),
    (["GET /"], b"//", ("GET /", {})),
    (["GET /a"], b"/a/", ("GET /a", {})),
    (["GET /a/"], b"//a", ("GET /a/", {})),
    (["GET a"], b"/a", ("GET a", {})),
    (["GET /a"], b"/%61", ("GET /a", {})),
    # the spelling decides between literals, and only there
    (["GET /a", "GET /a/"], b"/a/", ("GET /a/", {})),
    (["GET /a", "GET /a/"], b"/%61/", ("GET /a/", {})),
    (["GET /a", "GET /a/"], b"//a", ("GET /a", {})),
    (["GET /a/", "GET /a"], b"/a", ("GET /a", {})),
    (["GET /a/", "GET /a"], b"//a", ("GET /a/", {})),
    # more literals first, wherever they stand; then the source
    (["GET /:x", "GET /new"], b"/new", ("GET /new", {})),
    (["GET /a/:x/:y", "GET /:a/b/c"], b"/a/b/c", ("GET /:a/b/c", {"a": "a"})),
    (["GET /:x/b", "GET /a/:y"], b"/a/b", ("GET /:x/b", {"x": "a"})),
    (["GET /a/:y", "GET /:x/b"], b"/a/b", ("GET /a/:y", {"y": "b"})),
    (["GET /a/b/:x/d", "GET /:w/:v/c/:u"], b"/a/b/c/e", ("GET /:w/:v/c/:u", {"w": "a", "v": "b", "u": "e"})),
    # *name loses against all others, and takes nothing too
    (["GET /a/b/*r", "GET /:x/:y/:z"], b"/a/b/c", ("GET /:x/:y/:z", {"x": "a", "y": "b", "z": "c"})),
    (["GET /*r", "GET /a/*s"], b"/a/b//c/", ("GET /a/*s", {"s": "b/c"})),
    (["GET /:x/*r", "GET /*s"], b"/a/b", ("GET /:x/*r", {"x": "a", "r": "b"})),
    (["GET /a/*r"], b"/a", ("GET /a/*r", {"r": ""})),
    (["GET /*r"], b"/", ("GET /*r", {"r": ""})),
    (["GET /a/:x", "GET /*r"], b"/a/b/c", ("GET /*r", {"r": "a/b/c"})),
    # text of parameters
    (["GET /:x"], b"/a%2Fb", ("GET /:x", {"x": "a/b"})),
    (["GET /a/b", "GET /:x"], b"/a%2Fb", ("GET /:x", {"x": "a/b"})),
    (["GET /:x"], b"/100%25", ("GET /:x", {"x": "100%"})),
    (["GET /:பெயர்"], "/அ".encode(), ("GET /:பெயர்", {"பெயர்": "அ"})),
])
def test_the_best_of_the_matching_patterns_wins(
    routes: list[str], path: bytes, expected: tuple[str, dict[str, str]]
) -> None:
    assert found(router(*routes).match("GET", path)) == expected


@pytest.mark.parametrize("spelling", ["NFC", "NFD"])
@pytest.mark.parametrize("source", ["NFC", "NFD"])
@pytest.mark.parametrize("pattern", ["/கொள்முதல்", "/கொள்முதல்/:எண்", "/கொள்முதல்/*மீதி"])
def test_a_tamil_route_is_found_however_it_is_typed(pattern: str, source: Any, spelling: Any) -> None:
    routes = router("GET " + normalize(source, pattern))
    path = normalize(spelling, "/கொள்முதல்/சொ" if ":" in pattern or "*" in pattern else pattern)
    expected = {} if pattern == "/கொள்முதல்" else {pattern.split("/")[2][1:]: "சொ"}
    for raw in (path.encode(), quote(path).encode(), quote(path).lower().encode()):
        outcome = routes.match("GET", raw)
        assert isinstance(outcome, Found)
        assert outcome.parameters == expected


def test_the_rest_is_also_given_in_segments() -> None:
    outcome = router("GET /files/*path").match("GET", b"/files/a%2Fb//c/")
    assert isinstance(outcome, Found)
    assert outcome.rest == ("a/b", "c")
    assert outcome.parameters == {"path": "a/b/c"}


def test_a_program_wins_at_the_path_of_what_is_built_in() -> None:
    routes = router("+GET /health", "+GET /metrics", "GET /health", "GET /:page", "POST /metrics")
    assert routes.warnings == ()
    assert found(routes.match("GET", b"/health"))[0] == "GET /health"
    assert found(routes.match("GET", b"/metrics"))[0] == "+GET /metrics"
    assert found(router("+GET /health", "GET /health/").match("GET", b"/health"))[0] == "GET /health/"
    assert found(router("GET /health", "+GET /health").match("GET", b"/health"))[0] == "GET /health"


# ---------------------------------------------------------------- methods


def test_when_only_the_method_differs_the_others_are_named_in_a_fixed_order() -> None:
    routes = router("DELETE /a", "LINK /a", "POST /a", "PATCH /:x", "GET /*r", "ACL /a", "PUT /b")
    expected = ("GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS", "ACL", "LINK")
    assert routes.match("PUT", b"/a") == NotAllowed(expected)
    assert routes.match("OPTIONS", b"/a") == Options(expected)
    assert routes.match("get", b"/a") == NotAllowed(expected)
    assert router("POST /a").match("HEAD", b"/a") == NotAllowed(("POST", "OPTIONS"))


def test_what_no_method_has_is_not_found() -> None:
    routes = router("GET /a", "POST /b/:x")
    for method in ("GET", "HEAD", "POST", "OPTIONS", "BREW"):
        assert routes.match(method, b"/b") == NotFound()
    assert Router[str]([]).match("GET", b"/") == NotFound()


def test_head_is_answered_by_get_unless_it_has_a_route() -> None:
    routes = router("GET /a", "GET /b/:x", "HEAD /b/c")
    assert found(routes.match("HEAD", b"/a")) == ("GET /a", {})
    assert found(routes.match("HEAD", b"/b/d")) == ("GET /b/:x", {"x": "d"})
    assert found(routes.match("HEAD", b"/b/c")) == ("HEAD /b/c", {})


def test_options_of_the_whole_server_and_with_a_route() -> None:
    routes = router("POST /a", "SSE /b", "OPTIONS /c")
    assert routes.match("OPTIONS", b"*") == Options(("GET", "HEAD", "POST", "OPTIONS"))
    assert routes.match("GET", b"*") == BadPath(Flaw.RELATIVE)
    assert found(routes.match("OPTIONS", b"/c")) == ("OPTIONS /c", {})


@pytest.mark.parametrize("method", ["SSE", "STREAM", "STATIC"])
def test_streams_and_files_are_got(method: str) -> None:
    routes = router(f"{method} /a/*r")
    assert found(routes.match("GET", b"/a/b"))[0] == f"{method} /a/*r"
    assert routes.match(method, b"/a/b") == NotAllowed(("GET", "HEAD", "OPTIONS"))


def test_a_websocket_lives_beside_a_get_of_the_same_path() -> None:
    routes = router("GET /chat", "WS /chat", "WS /live/:room")
    assert routes.warnings == ()
    assert found(routes.match("GET", b"/chat"))[0] == "GET /chat"
    assert found(routes.match_upgrade(b"/chat")) == ("WS /chat", {})
    assert found(routes.match_upgrade(b"/live/1")) == ("WS /live/:room", {"room": "1"})
    assert routes.match_upgrade(b"/live") is None
    assert routes.match("GET", b"/live/1") == NeedsUpgrade(("GET", "OPTIONS"))
    assert routes.match("POST", b"/live/1") == NotAllowed(("GET", "OPTIONS"))
    assert routes.match("WS", b"/live/1") == NotAllowed(("GET", "OPTIONS"))


# ---------------------------------------------------------------- problems


@pytest.mark.parametrize(("pattern", "codes"), [
    ("/:", ["name.empty"]),
    ("/a/*", ["name.empty"]),
    ("/:/:", ["name.empty", "name.empty"]),
    ("/:x/a/:x", ["name.twice"]),
    ("/:x/*x", ["name.twice"]),
    ("/:கொ/:க\u0bc6\u0bbe", ["name.twice"]),
    ("/*x/a", ["rest.last"]),
    ("/*x/*y", ["rest.last"]),
    ("/*/a", ["name.empty", "rest.last"]),
    ("/a/../b", ["never"]),
    ("/./:x", ["never"]),
    ("/a\0", ["never"]),
])
def test_what_is_no_pattern_is_refused(pattern: str, codes: list[str]) -> None:
    with pytest.raises(RoutesError) as caught:
        Router([Route("GET", pattern, None)])
    assert [problem.code for problem in caught.value.problems] == codes
    assert not any(problem.is_warning for problem in caught.value.problems)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(RoutesError) as caught:
        router("GET /:", "பெரு /a", "GET /b", "GET /b")
    assert str(caught.value) == (
        "வழி GET, '/:': ‘:’ குறிக்குப் பின் ஒரு பெயர் வேண்டும் (‘:’ needs a name after it)\n"
        "வழி பெரு, '/a': ‘பெரு’ ஒரு HTTP முறை அல்ல (‘பெரு’ is not an HTTP method)"
    )


@pytest.mark.parametrize(("routes", "codes", "losers"), [
    (["GET /a", "GET /b"], [], []),
    (["GET /a", "POST /a", "WS /a"], [], []),
    (["GET /a", "GET /a/"], [], []),
    (["GET /a", "GET /a"], ["replaced"], ["GET /a"]),
    (["GET /கொ", "SSE /க\u0bc6\u0bbe"], ["replaced"], ["GET /கொ"]),
    (["GET /a/:x", "GET /a/:y"], ["shadowed"], ["GET /a/:y"]),
    (["GET /a/:x", "GET /a/:y/"], ["shadowed"], ["GET /a/:y/"]),
    (["GET /a/*x", "GET /a/*y"], ["shadowed"], ["GET /a/*y"]),
    (["+GET /:x", "GET /:y"], [], []),
    (["GET /a%20b"], ["encoded"], ["GET /a%20b"]),
    (["GET /a?b=1"], ["query"], ["GET /a?b=1"]),
])
def test_routes_that_never_answer_are_warned_of(
    routes: list[str], codes: list[str], losers: list[str]
) -> None:
    warnings = router(*routes).warnings
    assert [warning.code for warning in warnings] == codes
    assert [warning.route.target for warning in warnings] == losers
    assert all(warning.is_warning and "{" not in str(warning) for warning in warnings)


def test_of_two_routes_with_the_same_text_the_later_counts() -> None:
    routes = Router([Route("GET", "/a/:x", 1), Route("GET", "/a/:x", 2), Route("SSE", "/b", 3), Route("GET", "/b", 4)])
    for path, target in ((b"/a/b", 2), (b"/b", 4)):
        outcome = routes.match("GET", path)
        assert isinstance(outcome, Found)
        assert outcome.route.target == target


def test_every_problem_speaks_tamil_and_english() -> None:
    for row in PROBLEMS.values():
        assert any("\u0b80" <= letter <= "\u0bff" for letter in row.tamil)
        assert row.english.isascii() or "‘" in row.english


# ---------------------------------------------------------------- against the naive reader

METHODS = ["GET", "HEAD", "POST", "OPTIONS"]
LITERALS = st.sampled_from(["a", "b", "அ", "கொ", "a/b"])
WORDS = st.sampled_from(["a", "b", "அ", "கொ"])


@st.composite
def patterns(draw: st.DrawFn) -> str:
    parts = draw(st.lists(st.one_of(WORDS, WORDS, st.just(":"), st.just("")), max_size=4))
    if draw(st.integers(0, 4)) == 0:
        parts.append("*")
    # A name tells its place, so that no name stands there twice.
    named = [f"{part}{draw(WORDS)}{place}" if part in (":", "*") else part for place, part in enumerate(parts)]
    return "/" + "/".join(named)


def literals(pattern: str) -> int:
    return sum(1 for part in pattern.split("/") if part and part[0] not in ":*")


def matched(pattern: str, parts: list[str]) -> dict[str, str] | None:
    """One pattern against the segments of a path, word by word from the reference."""
    wanted = [part for part in pattern.split("/") if part]
    taken = {}
    if wanted and wanted[-1][0] == "*":
        name = wanted.pop()[1:]
        if len(parts) < len(wanted):
            return None
        taken[name] = "/".join(parts[len(wanted) :])
        parts = parts[: len(wanted)]
    if len(parts) != len(wanted):
        return None
    for want, part in zip(wanted, parts, strict=True):
        if want[0] == ":":
            taken[want[1:]] = part
        elif want != part:
            return None
    return taken


def naive(routes: list[tuple[str, str]], method: str, spelled: list[str]) -> tuple[int, dict[str, str]] | None:
    """Try all routes of a method in the order of precedence; answer the number of the winner."""
    counting = {}
    for number, route in enumerate(routes):
        counting[route] = number        # of two with the same method and text the later counts
    mine = sorted(
        (("*" in pattern, -literals(pattern), number), pattern)
        for (its, pattern), number in counting.items()
        if its == method
    )
    for (_, _, number), pattern in mine:
        if literals(pattern) == len([part for part in pattern.split("/") if part]):
            if pattern[1:].split("/") == spelled:
                return number, {}
    parts = [part for part in spelled if part]
    for (_, _, number), pattern in mine:
        taken = matched(pattern, parts)
        if taken is not None:
            return number, taken
    return None


@settings(max_examples=1500, deadline=None)
@given(
    routes=st.lists(st.tuples(st.sampled_from(METHODS), patterns()), max_size=12),
    spelled=st.lists(st.one_of(LITERALS, LITERALS, st.just("")), min_size=1, max_size=5),
    method=st.sampled_from(METHODS),
    is_raw=st.booleans(),
    form=st.sampled_from(["NFC", "NFD"]),
)
@example(
    routes=[("GET", "/a/:x/:y"), ("GET", "/:x/b/c")], spelled=["a", "b", "c"], method="GET", is_raw=True, form="NFC",
)
def test_the_router_agrees_with_trying_every_pattern(
    routes: list[tuple[str, str]], spelled: list[str], method: str, is_raw: bool, form: Any
) -> None:
    path = "/" + "/".join(
        normalize(form, part).replace("/", "%2F") if is_raw else quote(normalize(form, part), safe="")
        for part in spelled
    )
    outcome = Router([Route(*route, number) for number, route in enumerate(routes)]).match(method, path.encode())

    expected = naive(routes, method, spelled)
    if expected is None and method == "HEAD":
        expected = naive(routes, "GET", spelled)
    allowed = {name for name in METHODS if naive(routes, name, spelled) is not None}
    if expected is not None:
        assert isinstance(outcome, Found)
        assert (outcome.route.target, dict(outcome.parameters)) == expected
    elif not allowed:
        assert outcome == NotFound()
    else:
        allowed |= {"OPTIONS"} | ({"HEAD"} if "GET" in allowed else set())
        assert type(outcome) is (Options if method == "OPTIONS" else NotAllowed)
        assert isinstance(outcome, Options | NotAllowed)
        assert outcome.allowed == tuple(name for name in METHODS if name in allowed)
