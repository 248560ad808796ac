"""Answers that are given again: the cache of a route, and keys of requests that are repeated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from etamil_actors.actors.programs.exchange import Headers, Response, refusal
from etamil_actors.edge.reuse import (
    CACHE_ENTRY,
    LARGEST_KEPT,
    REPLAYED,
    IdempotencyKey,
    Kept,
    MemoryStore,
    ResponseCache,
    Turn,
    answer_once,
    conditioned,
    fingerprint_of,
    with_tag,
)
from etamil_actors.errors import Fault


class Asked:
    """A request as it is read here. ``accept_language="ta"`` is the field Accept-Language."""

    def __init__(self, target: str = "/a", method: str = "GET", body: bytes = b"", **fields: str) -> None:
        self.method = method
        self.target = target.encode()
        self.fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()]
        self.cookies: list[bytes] = []
        self.body = body
        self.session_used: object = None


class Time:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def text(body: bytes = b"hello", status: int = 200, **headers: str) -> Response:
    told: Headers = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Response(status, told, body)


def cache(**options: Any) -> tuple[ResponseCache, Time]:
    clock = Time()
    return ResponseCache(clock=clock, **options), clock


def body_of(found: Response | None) -> bytes | None:
    return None if found is None else found.body


# ---------------------------------------------------------------- what is kept, and for whom


def test_an_answer_is_given_again_until_its_time_is_over() -> None:
    kept, clock = cache()
    assert kept.find(Asked()) is None
    assert kept.keep(Asked(), text(content_type="text/plain"), 10)
    clock.now = 9.9
    found = kept.find(Asked())
    assert found is not None and (found.status, found.body) == (200, b"hello")
    assert (b"content-type", b"text/plain") in found.headers
    clock.now = 10
    assert kept.find(Asked()) is None
    assert (len(kept), kept.used) == (0, 0)


def test_answers_to_other_questions_are_others() -> None:
    kept, _ = cache()
    kept.keep(Asked("/a?x=1", host="one"), text(), 10)
    assert kept.find(Asked("/a?x=1", host="ONE")) is not None
    for other in (Asked("/a?x=2", host="one"), Asked("/a?x=1", host="two"), Asked("/a?x=1"),
                  Asked("/a?x=1", "HEAD", host="one"), Asked("/a?x=1", "POST", host="one")):  # fmt: skip
        assert kept.find(other) is None


def test_whoever_gets_an_answer_may_change_it() -> None:
    kept, _ = cache()
    made = text()
    kept.keep(Asked(), made, 10)
    made.headers.append((b"x-request-id", b"1"))
    for _ in range(2):
        found = kept.find(Asked())
        assert found is not None and [name for name, _ in found.headers] == [b"etag"]
        found.headers.append((b"x-request-id", b"2"))


def test_the_fields_named_in_vary_count() -> None:
    kept, _ = cache()
    for language in ("ta", "en"):
        kept.keep(Asked(accept_language=language), text(language.encode(), vary="Accept-Language"), 10)
    assert body_of(kept.find(Asked(accept_language="ta"))) == b"ta"
    assert body_of(kept.find(Asked(accept_language="en"))) == b"en"
    assert kept.find(Asked(accept_language="si")) is None
    assert kept.find(Asked()) is None


def test_when_more_fields_count_what_was_kept_under_fewer_is_gone() -> None:
    kept, _ = cache()
    kept.keep(Asked(), text(b"any"), 10)
    kept.keep(Asked(x="1"), text(b"1", vary="X"), 10)
    assert kept.find(Asked()) is None
    assert body_of(kept.find(Asked(x="1"))) == b"1"
    kept.keep(Asked(x="1"), text(b"1", vary="x"), 10)
    kept.keep(Asked(x="2", y="1"), text(b"2", vary="Y"), 10)
    assert kept.find(Asked(x="1")) is None
    assert body_of(kept.find(Asked(x="2", y="1"))) == b"2"
    assert len(kept) == 1


@pytest.mark.parametrize("response", [
    text(status=404), text(status=206), text(set_cookie="a=1"), text(cache_control="no-store"),
    text(cache_control="private, max-age=60"), text(cache_control='no-cache="x"'), text(vary="Accept, *"),
    text(cache_control="max-age=0"), text(cache_control="public, s-maxage=0"), text(b"x" * (LARGEST_KEPT + 1)),
    Response(200, [], file="/etc/hostname"), refusal(Fault("not_found"), status=200),
])  # fmt: skip
def test_what_is_not_for_everybody_is_not_kept(response: Response) -> None:
    kept, _ = cache()
    assert not kept.keep(Asked(), response, 10)
    assert (kept.find(Asked()), len(kept), kept.used) == (None, 0, 0)


def test_who_shows_who_he_is_neither_gives_nor_gets_unless_it_is_public() -> None:
    kept, _ = cache()
    known = [Asked(authorization="Bearer x"), Asked(cookie="session=1")]
    for request in known:
        assert not kept.keep(request, text(b"yours"), 10)
    kept.keep(Asked(), text(b"all"), 10)
    for request in known:
        assert kept.find(request) is None
    assert body_of(kept.find(Asked())) == b"all"
    kept.keep(known[0], text(b"public", cache_control="Public, max-age=5"), 10)
    for request in (*known, Asked()):
        assert body_of(kept.find(request)) == b"public"


def test_an_answer_that_sets_a_cookie_or_used_a_session_is_not_kept() -> None:
    kept, _ = cache()
    with_cookie, with_session = Asked(), Asked()
    with_cookie.cookies.append(b"a=1")
    with_session.session_used = object()
    assert not kept.keep(with_cookie, text(cache_control="public"), 10)
    assert not kept.keep(with_session, text(cache_control="public"), 10)


def test_the_answer_may_say_that_it_lasts_less_long() -> None:
    kept, clock = cache()
    kept.keep(Asked(), text(cache_control="max-age=3"), 10)
    clock.now = 2.9
    assert kept.find(Asked()) is not None
    clock.now = 3
    assert kept.find(Asked()) is None


def test_the_cache_has_an_end_and_what_is_asked_for_stays() -> None:
    kept, _ = cache(room=10 * (CACHE_ENTRY + 1100))
    for number in range(50):
        kept.keep(Asked(f"/{number}"), text(bytes(1000)), 10)
        assert kept.find(Asked("/0")) is not None
        assert kept.used <= 10 * (CACHE_ENTRY + 1100)
    assert kept.find(Asked("/1")) is None and kept.find(Asked("/49")) is not None
    assert not kept.keep(Asked("/big"), text(bytes(100_000)), 10)
    kept.clear()
    assert (len(kept), kept.used) == (0, 0)


def test_a_tag_is_made_from_the_bytes_unless_there_is_one() -> None:
    assert with_tag(text()).headers == with_tag(text()).headers != with_tag(text(b"other")).headers
    assert with_tag(text(etag='"mine"')).headers == [(b"etag", b'"mine"')]


def test_who_has_it_already_is_told_so() -> None:
    response = with_tag(text(content_type="text/plain", vary="X", x_mine="1"))
    tag = dict(response.headers)[b"etag"].decode()
    unchanged = conditioned(Asked(if_none_match=f'W/{tag}, "x"'), response, 0)
    assert (unchanged.status, unchanged.body) == (304, b"")
    assert dict(unchanged.headers) == {b"etag": tag.encode(), b"vary": b"X"}
    failed = conditioned(Asked(if_match='"x"'), response, 0)
    assert failed.status == 412 and failed.problem is not None
    assert conditioned(Asked(if_none_match='"x"'), response, 0) is response
    assert conditioned(Asked(method="PUT", if_none_match=tag), response, 0) is response
    missing = text(status=404, etag=tag)
    assert conditioned(Asked(if_none_match=tag), missing, 0) is missing


# ---------------------------------------------------------------- many at once


class Handler:
    """Answers when it is let go."""

    def __init__(self, response: Callable[[], Response] = text) -> None:
        self.calls = 0
        self.go_on = trio.Event()
        self._response = response

    async def __call__(self) -> Response:
        self.calls += 1
        await self.go_on.wait()
        return self._response()


async def ask(
    nursery: trio.Nursery, kept: ResponseCache, handler: Handler, request: Asked | None = None
) -> tuple[list[bytes], trio.CancelScope]:
    got: list[bytes] = []
    scope = trio.CancelScope()

    async def one() -> None:
        with scope:
            got.append((await kept.answer(request or Asked(), 10, handler)).body)  # type: ignore[arg-type]

    nursery.start_soon(one)
    await trio.testing.wait_all_tasks_blocked()
    return got, scope


async def test_many_who_ask_at_once_make_one_call() -> None:
    kept, handler = ResponseCache(), Handler()
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            all_of_them = [(await ask(nursery, kept, handler))[0] for _ in range(20)]
            assert handler.calls == 1
            handler.go_on.set()
    assert all_of_them == [[b"hello"]] * 20 and handler.calls == 1
    assert (await kept.answer(Asked(), 10, handler)).body == b"hello" and handler.calls == 1  # type: ignore[arg-type]


async def test_when_the_first_leaves_one_of_the_others_goes_on() -> None:
    kept, handler = ResponseCache(), Handler()
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            asked = [await ask(nursery, kept, handler) for _ in range(5)]
            asked[3][1].cancel()  # one who only waits
            await trio.testing.wait_all_tasks_blocked()
            assert handler.calls == 1
            asked[0][1].cancel()
            await trio.testing.wait_all_tasks_blocked()
            assert handler.calls == 2
            handler.go_on.set()
    assert [got for got, _ in asked] == [[], [b"hello"], [b"hello"], [], [b"hello"]]
    assert kept._flights == {}


async def test_what_cannot_be_kept_is_not_made_one_after_the_other() -> None:
    kept, handler = ResponseCache(), Handler(lambda: text(status=404))
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                await ask(nursery, kept, handler)
            assert handler.calls == 1
            handler.go_on.set()
    assert handler.calls == 5 and len(kept) == 0


async def test_who_shows_who_he_is_waits_for_nobody() -> None:
    kept, handler = ResponseCache(), Handler()
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                await ask(nursery, kept, handler, Asked(cookie="a=1"))
            assert handler.calls == 3
            handler.go_on.set()


async def test_who_wants_another_language_waits_and_asks_then() -> None:
    kept = ResponseCache()
    tamil, english = Handler(lambda: text(b"ta", vary="Accept-Language")), Handler(
        lambda: text(b"en", vary="Accept-Language")
    )  # fmt: skip
    english.go_on.set()
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            one, _ = await ask(nursery, kept, tamil, Asked(accept_language="ta"))
            other, _ = await ask(nursery, kept, english, Asked(accept_language="en"))
            tamil.go_on.set()
    assert (one, other) == ([b"ta"], [b"en"])


async def test_an_error_of_the_first_is_its_own() -> None:
    kept = ResponseCache()
    go_on = trio.Event()

    async def fail() -> Response:
        await go_on.wait()
        raise ValueError("broken")

    failed: list[bool] = []
    working = Handler()
    working.go_on.set()

    async def first() -> None:
        with pytest.raises(ValueError, match="broken"):
            await kept.answer(Asked(), 10, fail)
        failed.append(True)

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(first)
            await trio.testing.wait_all_tasks_blocked()
            got, _ = await ask(nursery, kept, working)
            go_on.set()
    assert failed == [True] and got == [b"hello"]


async def test_other_methods_pass_by() -> None:
    kept, handler = ResponseCache(), Handler()
    handler.go_on.set()
    for _ in range(2):
        await kept.answer(Asked(method="POST"), 10, handler)
    assert handler.calls == 2 and len(kept) == 0


# ---------------------------------------------------------------- against a model


class CacheMachine(RuleBasedStateMachine):
    """The cache against all that was ever kept: what it gives is in time, of this path, and the newest."""

    PATHS = st.sampled_from(["/a", "/b", "/c"])
    LANGUAGES = st.sampled_from(["ta", "en"])

    @initialize(room=st.integers(CACHE_ENTRY * 2, CACHE_ENTRY * 12))
    def begin(self, room: int) -> None:
        self.clock = Time()
        self.room = room
        self.cache = ResponseCache(room=room, clock=self.clock)
        self.kept: list[tuple[str, str, bool, bytes, float]] = []

    @rule(path=PATHS, language=LANGUAGES, size=st.integers(0, 3000), seconds=st.integers(0, 5), varies=st.booleans())
    def keep(self, path: str, language: str, size: int, seconds: int, varies: bool) -> None:
        body = b"%d " % len(self.kept) + bytes(size)
        response = text(body, vary="Accept-Language") if varies else text(body)
        request = Asked(path, accept_language=language)
        if self.cache.keep(request, response, seconds):
            assert seconds > 0
            self.kept.append((path, language, varies, body, self.clock.now + seconds))
            assert body_of(self.cache.find(request)) == body

    @rule(path=PATHS, language=LANGUAGES)
    def find(self, path: str, language: str) -> None:
        found = self.cache.find(Asked(path, accept_language=language))
        if found is None:
            return
        number = next(place for place, one in enumerate(self.kept) if one[3] == found.body)
        its_path, its_language, varies, _, until = self.kept[number]
        assert its_path == path and self.clock.now < until
        assert its_language == language or not varies
        later = [one for one in self.kept[number + 1 :] if one[:2] == (path, language)]
        assert later == [], "there is a newer one"

    @rule(seconds=st.integers(1, 3))
    def wait(self, seconds: int) -> None:
        self.clock.now += seconds

    @invariant()
    def bounded(self) -> None:
        assert self.cache.used <= self.room
        assert self.cache.used == sum(one.size for one in self.cache._kept.values())
        keys = {key for group in self.cache._groups.values() for key in group.keys}
        assert keys == set(self.cache._kept), "a group and its answers differ"


class StoreMachine(RuleBasedStateMachine):
    """The store of keys against two dictionaries that forget by the clock; it may forget more, never less."""

    KEYS = st.sampled_from([IdempotencyKey("r", who, key) for who in "ab" for key in "12"])

    @initialize(entries=st.integers(1, 4))
    def begin(self, entries: int) -> None:
        self.clock = Time()
        self.entries = entries
        self.store = MemoryStore(seconds=10, entries=entries, clock=self.clock)
        self.running: dict[IdempotencyKey, bytes] = {}
        self.done: dict[IdempotencyKey, tuple[bytes, Kept, float]] = {}
        self.count = 0

    @rule(key=KEYS, fingerprint=st.sampled_from([b"x", b"y"]))
    def ask(self, key: IdempotencyKey, fingerprint: bytes) -> None:
        turn = self.store.begin_nowait(key, fingerprint)
        if key in self.running:
            assert turn is (Turn.RUNNING if self.running[key] == fingerprint else Turn.DIFFERENT)
        elif turn is Turn.RUN:
            self.done.pop(key, None)
            self.running[key] = fingerprint
        else:
            before, answer, until = self.done[key]
            assert self.clock.now < until
            assert turn == answer if before == fingerprint else turn is Turn.DIFFERENT

    @rule(key=KEYS, size=st.integers(0, 100))
    def finish(self, key: IdempotencyKey, size: int) -> None:
        if key in self.running:
            self.count += 1
            answer = Kept(200, [], b"%d" % self.count + bytes(size), None, None, ())
            self.store.finish_nowait(key, answer)
            self.done[key] = self.running.pop(key), answer, self.clock.now + 10
            assert self.store.begin_nowait(key, self.done[key][0]) == answer, "the newest is there"

    @rule(key=KEYS)
    def forget(self, key: IdempotencyKey) -> None:
        if key in self.running:
            self.store.forget_nowait(key)
            del self.running[key]

    @rule(seconds=st.integers(1, 11))
    def wait(self, seconds: int) -> None:
        self.clock.now += seconds

    @invariant()
    def bounded(self) -> None:
        assert len(self.store) <= len(self.running) + self.entries
        assert (self.store.used == 0) == (len(self.store) == len(self.running))


CacheMachine.TestCase.settings = StoreMachine.TestCase.settings = settings(max_examples=60, deadline=None)
TestCache = CacheMachine.TestCase
TestStore = StoreMachine.TestCase


# ---------------------------------------------------------------- requests that are repeated


def posted(key: str | None = "k-1", body: bytes = b"{}", target: str = "/pay") -> Asked:
    request = Asked(target, "POST", body)
    if key is not None:
        request.fields.append((b"idempotency-key", key.encode()))
    return request


class Shop:
    """A handler that counts, behind a store."""

    def __init__(self, response: Callable[[], Response] | None = None) -> None:
        self.clock = Time()
        self.store = MemoryStore(clock=self.clock)
        self.sold = 0
        self.response = response or (lambda: text(b"sold %d" % self.sold, 201, location="/1"))

    async def post(self, request: Any, who: str = "ann", **options: Any) -> Response:
        async def make() -> Response:
            self.sold += 1
            request.cookies.append(b"seen=1")
            return self.response()

        return await answer_once(self.store, request, "POST /pay", who, make, **options)


async def test_a_repeated_request_gets_the_first_answer() -> None:
    shop = Shop()
    first = await shop.post(posted())
    assert (first.status, first.body, REPLAYED in first.headers) == (201, b"sold 1", False)
    first.headers.append((b"x-request-id", b"1"))
    for _ in range(2):
        request = posted()
        again = await shop.post(request)
        assert (again.status, again.body) == (201, b"sold 1")
        assert again.headers == [(b"location", b"/1"), REPLAYED]
        assert request.cookies == [b"seen=1"]
        again.headers.clear()
    assert shop.sold == 1


async def test_without_a_key_every_request_counts() -> None:
    shop = Shop()
    await shop.post(posted(None))
    assert (await shop.post(posted(None))).body == b"sold 2"
    assert len(shop.store) == 0


async def test_keys_of_others_and_other_keys_are_others() -> None:
    shop = Shop()
    await shop.post(posted(), "ann")
    await shop.post(posted(), "bob")
    await shop.post(posted("k-2"), "ann")
    assert shop.sold == 3


async def test_a_key_belongs_to_one_request() -> None:
    shop = Shop()
    await shop.post(posted())
    for other in (posted(body=b"{ }"), posted(target="/pay?x=1")):
        refused = await shop.post(other)
        assert refused.status == 422 and refused.problem is not None
    assert (await shop.post(posted(), form_digest=b"other form")).status == 422
    assert shop.sold == 1


async def test_the_key_is_free_again_after_a_day() -> None:
    shop = Shop()
    await shop.post(posted())
    shop.clock.now = 24 * 3600 - 1
    assert (await shop.post(posted())).body == b"sold 1"
    shop.clock.now = 24 * 3600
    assert (await shop.post(posted(body=b"new"))).body == b"sold 2"


async def test_while_the_first_runs_the_second_is_told_to_come_later() -> None:
    store, handler = MemoryStore(), Handler()
    first: list[Response] = []

    async def one() -> None:
        first.append(await answer_once(store, posted(), "r", "ann", handler))

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one)
            await trio.testing.wait_all_tasks_blocked()
            second = await answer_once(store, posted(), "r", "ann", handler)
            assert (second.status, second.headers) == (409, [(b"retry-after", b"1")])
            assert (await answer_once(store, posted(body=b"x"), "r", "ann", handler)).status == 422
            handler.go_on.set()
    third = await answer_once(store, posted(), "r", "ann", handler)
    assert third.body == first[0].body and handler.calls == 1


async def test_who_leaves_in_the_middle_leaves_the_key_free() -> None:
    store, handler = MemoryStore(), Handler()
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer_once, store, posted(), "r", "ann", handler)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
    assert len(store) == 0
    handler.go_on.set()
    assert (await answer_once(store, posted(), "r", "ann", handler)).status == 200


@pytest.mark.parametrize("status", [500, 503, 504, 401, 403, 408, 429])
async def test_not_now_is_no_answer_for_ever(status: int) -> None:
    shop = Shop(lambda: text(status=status))
    await shop.post(posted())
    await shop.post(posted())
    assert shop.sold == 2 and len(shop.store) == 0


async def test_an_error_leaves_the_key_free() -> None:
    def fail() -> Response:
        raise ValueError("broken")

    shop = Shop(fail)
    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            await shop.post(posted())
    assert len(shop.store) == 0


async def test_problems_and_files_are_given_again_as_such() -> None:
    problem = Fault("not_found")
    shop = Shop(lambda: refusal(problem))
    await shop.post(posted())
    again = await shop.post(posted())
    assert (again.status, again.problem, shop.sold) == (404, problem, 1)
    shop = Shop(lambda: Response(200, [], file="/a"))
    await shop.post(posted())
    assert (await shop.post(posted())).file == "/a"


async def test_an_answer_too_large_to_keep_is_not_made_twice() -> None:
    shop = Shop(lambda: text(bytes(LARGEST_KEPT + 1)))
    await shop.post(posted())
    again = await shop.post(posted())
    assert again.status == 409 and again.problem is not None and "large" in again.problem.english
    assert shop.sold == 1 and shop.store.used < LARGEST_KEPT


@pytest.mark.parametrize("keys", [[""], ["a b"], ["x" * 256], ["அ"], ["a\x7f"], ["a", "a"]])
async def test_a_key_that_cannot_be_one_is_refused(keys: list[str]) -> None:
    request = posted(None)
    request.fields += [(b"idempotency-key", key.encode()) for key in keys]
    shop = Shop()
    refused = await shop.post(request)
    assert refused.status == 400 and refused.problem is not None and shop.sold == 0


async def test_the_store_has_an_end_and_the_oldest_go_first() -> None:
    shop = Shop()
    shop.store = MemoryStore(entries=3, clock=shop.clock)
    for number in range(5):
        await shop.post(posted(f"k-{number}"))
    assert len(shop.store) == 3
    await shop.post(posted("k-4"))
    assert shop.sold == 5
    await shop.post(posted("k-0"))
    assert shop.sold == 6


def test_a_fingerprint_tells_requests_apart_however_they_are_cut() -> None:
    requests = [
        Asked("/a", "POST", b"bc"), Asked("/ab", "POST", b"c"), Asked("/a", "PUT", b"bc"), Asked("/a", "POST"),
    ]  # fmt: skip
    assert len({fingerprint_of(request) for request in requests}) == len(requests)
    assert fingerprint_of(requests[0], b"x") != fingerprint_of(requests[0])
