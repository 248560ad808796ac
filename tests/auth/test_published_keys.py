"""Keys that a provider publishes: fetched once for all, kept, renewed, and believed while it is down."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from etamil_actors.actors.auth.authority import MOST_ADDRESSES, MOST_VERIFIERS, Authority
from etamil_actors.actors.auth.published import KEPT_SECONDS, LARGEST, MOST_AGE, PAUSE, age_of
from etamil_actors.actors.auth.tokens import Tokens, awaited
from etamil_actors.errors import Fault
from etamil_actors.ports.auth import AuthSettings, JwtSettings
from etamil_actors.ports.web import WebError
from etamil_actors.resources.web.simulated import Answer, Asked, SimulatedWeb
from tests.auth.provider import Key

URL = "https://id.example/keys"
SECRET = "a secret that programs share"


class World:
    """A provider that publishes, and whoever reads it, in virtual time."""

    def __init__(self, nursery: trio.Nursery, *keys: Key, secret: str = "") -> None:
        self.keys = list(keys)
        self.max_age = "max-age=600"
        self.trouble: Answer | WebError | None = None
        self.seconds = 0.0
        """How long an answer takes."""
        self.told: list[str] = []
        self.web = SimulatedWeb({("GET", URL): self.answer})
        self._nursery = nursery
        jwt = JwtSettings(jwks_url=URL, secret=secret)
        self.authority = Authority(
            AuthSettings(jwt=jwt), web=lambda: self.web, tell=lambda tamil, english: self.told.append(english),
            start=self.start,
        )  # fmt: skip
        tokens = self.authority.tokens
        assert tokens is not None
        self.tokens: Tokens = tokens

    def start(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        self._nursery.start_soon(run)

    async def answer(self, asked: Asked) -> Answer:
        await trio.sleep(self.seconds)
        if isinstance(self.trouble, WebError):
            raise self.trouble
        if self.trouble is not None:
            return self.trouble
        body = json.dumps({"keys": [key.public for key in self.keys]})
        return Answer(200, body, [("cache-control", self.max_age)])

    @property
    def count(self) -> int:
        """How often it was asked."""
        return len(self.web.asked)

    async def believes(self, token: str) -> bool:
        """Is it believed? ``auth.unavailable`` is neither."""
        try:
            claims = await awaited(self.tokens.claims_of(token, trio.current_time))
        except Fault as fault:
            if fault.code != "auth.invalid":
                raise
            return False
        assert claims["sub"] == "u"
        return True

    def believes_at_once(self, token: str) -> bool:
        """Is it, without anybody being asked?"""
        claims = self.tokens.claims_of(token, trio.current_time)
        if isinstance(claims, dict):
            return True
        claims.close()
        return False


def signed(key: Key, **header: Any) -> str:
    return key.sign({"sub": "u", "exp": 10**9}, **header)


async def test_keys_are_fetched_when_the_first_token_comes_and_once_for_all(
    nursery: trio.Nursery, autojump_clock: Any
) -> None:
    key = Key("one")
    world = World(nursery, key)
    assert world.count == 0
    world.seconds = 1.0
    async with trio.open_nursery() as crowd:
        for _ in range(50):
            crowd.start_soon(world.believes, signed(key))
    assert world.count == 1
    assert world.believes_at_once(signed(key))
    await trio.sleep(599 - trio.current_time())
    assert world.believes_at_once(signed(key))
    await trio.sleep(3)
    assert not world.believes_at_once(signed(key))
    assert await world.believes(signed(key))
    assert world.count == 2


async def test_a_key_that_is_new_is_fetched_and_the_old_one_is_gone(
    nursery: trio.Nursery, autojump_clock: Any
) -> None:
    old, new = Key("one"), Key("two")
    world = World(nursery, old)
    shown = signed(old)
    assert await world.believes(shown)
    world.keys = [old, new]
    await trio.sleep(PAUSE)
    assert await world.believes(signed(new)) and await world.believes(shown)
    assert world.count == 2
    world.keys = [new]  # what was verified with the old one is not believed by heart
    await trio.sleep(600)
    assert not await world.believes(shown)
    assert await world.believes(signed(new))
    assert world.count == 3


async def test_a_key_of_the_same_name_that_is_another_is_noticed(nursery: trio.Nursery, autojump_clock: Any) -> None:
    old, new = Key("one"), Key("one")
    world = World(nursery, old)
    assert await world.believes(signed(old))
    world.keys = [new]
    await trio.sleep(600)
    assert await world.believes(signed(new))
    assert not await world.believes(signed(old))


async def test_keys_that_have_no_names_are_rotated_too(nursery: trio.Nursery, autojump_clock: Any) -> None:
    old, new = Key("one"), Key("one")
    world = World(nursery, old)

    def without_name(key: Key) -> str:
        return key.sign({"sub": "u", "exp": 10**9}, kid=None)

    assert await world.believes(without_name(old))
    world.keys = [new]
    await trio.sleep(PAUSE)
    assert await world.believes(without_name(new)) and not await world.believes(without_name(old))
    assert world.count == 2  # who is refused now has come within the pause
    for _ in range(100):
        assert not await world.believes(without_name(old))
    assert world.count == 2


async def test_whoever_makes_up_names_of_keys_does_not_make_us_ask(
    nursery: trio.Nursery, autojump_clock: Any
) -> None:
    world = World(nursery, Key("one"), secret=SECRET)
    stranger = Key("two")
    for number in range(1000):
        assert not await world.believes(signed(stranger, kid=f"k{number}"))
        await trio.sleep(0.1)
    assert 9 <= world.count <= 100 / PAUSE + 1
    before = world.count
    await trio.sleep(1000)
    for rubbish in ("", "x", "a.b.c", signed(stranger).replace(".", ""), Key("one", "oct", 256, "HS256").sign({})):
        assert not await world.believes(rubbish)
    assert world.count == before  # only for what could be signed with such a key


async def test_while_the_provider_is_down_its_keys_are_believed_and_nobody_waits(
    nursery: trio.Nursery, autojump_clock: Any
) -> None:
    key = Key("one")
    world = World(nursery, key)
    assert await world.believes(signed(key))
    await trio.sleep(600)
    world.trouble, world.seconds = WebError("இல்லை", "refused"), 1000.0
    began = trio.current_time()
    assert await world.believes(signed(key))  # finds out, and is the only one to wait
    assert trio.current_time() - began == pytest.approx(5.0)
    for _ in range(20):
        await trio.sleep(PAUSE + 1)
        assert world.believes_at_once(signed(key))
    assert len(world.told) == 1 and "what was fetched before is still used" in world.told[0]
    assert world.count > 5
    world.trouble, world.seconds = None, 0.0
    await trio.sleep(2 * PAUSE)
    assert world.believes_at_once(signed(key))
    await trio.sleep(1)
    before = world.count
    assert world.believes_at_once(signed(key)) and world.count == before  # it is well again


async def test_keys_are_not_believed_for_ever(nursery: trio.Nursery, autojump_clock: Any) -> None:
    key = Key("one")
    world = World(nursery, key)
    assert await world.believes(signed(key))
    world.trouble = Answer(500)
    await trio.sleep(KEPT_SECONDS - 1)
    assert await world.believes(signed(key))
    await trio.sleep(PAUSE)
    with pytest.raises(Fault) as raised:
        await world.believes(signed(key))
    assert raised.value.code == "auth.unavailable"
    world.trouble = None
    await trio.sleep(PAUSE)
    assert await world.believes(signed(key))


@pytest.mark.parametrize("trouble", [
    WebError("இல்லை", "refused"), Answer(404), Answer(200, "no JSON"), Answer(200, "[]"), Answer(200, b"\xff"),
    Answer(200, '{"keys": 5}'), Answer(200, '{"keys": []}' + " " * LARGEST), Answer(302),
], ids=range(8))  # fmt: skip
async def test_without_keys_nobody_knows_and_that_is_said(
    nursery: trio.Nursery, autojump_clock: Any, trouble: Answer | WebError
) -> None:
    key = Key("one")
    world = World(nursery, key)
    world.trouble = trouble
    for _ in range(5):
        with pytest.raises(Fault) as raised:
            await world.believes(signed(key))
        assert raised.value.code == "auth.unavailable"
    assert world.count == 1 and len(world.told) == 1
    assert "before" not in world.told[0]
    world.trouble = None
    await trio.sleep(PAUSE)
    assert await world.believes(signed(key))


async def test_keys_are_not_taken_from_where_their_address_sends_us(
    nursery: trio.Nursery, autojump_clock: Any
) -> None:
    forger = Key("one")
    world = World(nursery)
    elsewhere = "http://evil.example/keys"
    world.web.register("GET", elsewhere, Answer(200, json.dumps({"keys": [forger.public]})))
    world.trouble = Answer(302, "", [("location", elsewhere)])
    with pytest.raises(Fault) as raised:
        await world.believes(signed(forger))
    assert raised.value.code == "auth.unavailable"
    assert [asked.url for asked in world.web.asked] == [URL] and "status 302" in world.told[0]


async def test_one_key_that_cannot_be_used_does_not_spoil_the_others(
    nursery: trio.Nursery, autojump_clock: Any
) -> None:
    good = Key("one")
    world = World(nursery)
    weak = {"kty": "RSA", "n": "AQAB" * 20, "e": "AQAB", "kid": "weak"}
    odd = [None, 5, {}, {"kty": "EC"}, {"kty": "oct", "k": "c2VjcmV0"}, weak, {**good.public, "use": "enc"}]
    world.trouble = Answer(200, json.dumps({"keys": [*odd, good.public]}))
    assert await world.believes(signed(good))


async def test_who_is_cancelled_while_keys_are_fetched_leaves_the_others_alone(
    nursery: trio.Nursery, autojump_clock: Any
) -> None:
    key = Key("one")
    world = World(nursery, key)
    world.seconds = 2.0
    with trio.move_on_after(1.0):
        await world.believes(signed(key))
        raise AssertionError("it did not wait")
    assert await world.believes(signed(key))
    assert world.count == 2


async def test_a_secret_goes_on_beside_public_keys_and_without_the_provider(
    nursery: trio.Nursery, autojump_clock: Any
) -> None:
    world = World(nursery, Key("one"), secret=SECRET)
    world.trouble = Answer(500)
    token = world.tokens.issue({"sub": "u"}, 0)
    assert world.believes_at_once(token)
    assert world.count == 0


async def test_verifiers_that_programs_name_are_kept_but_not_without_end(nursery: trio.Nursery) -> None:
    world = World(nursery, Key("one"))
    first = world.authority.verifier(JwtSettings(secret="0"))
    assert world.authority.verifier(JwtSettings(secret="0")) is first
    assert world.authority.verifier(JwtSettings(jwks_url=URL)) is world.tokens
    for number in range(1000):
        world.authority.verifier(JwtSettings(secret=str(number)))
        world.authority.published(f"https://id.example/{number}")
    assert len(world.authority._verifiers) == MOST_VERIFIERS
    assert len(world.authority._published) == MOST_ADDRESSES
    assert world.authority.verifier(JwtSettings(secret="0")) is not first


async def test_two_sets_of_keys_are_two_verifiers(nursery: trio.Nursery) -> None:
    one, two = Key("one"), Key("two")
    authority = World(nursery).authority
    for key, other in ((one, two), (two, one)):
        tokens = authority.verifier(JwtSettings(jwks={"keys": [key.public]}))
        assert tokens.claims_of(signed(key), lambda: 0.0)
        with pytest.raises(Fault):
            tokens.claims_of(signed(other), lambda: 0.0)


@pytest.mark.parametrize(("said", "seconds"), [
    ("max-age=600", 600), ("public, max-age=600, immutable", 600), ('Max-Age="600"', 600), ("max-age=1", 60),
    ("max-age=999999999", MOST_AGE), ("no-store", 60), ("no-cache, max-age=600", 60), ("", 300), ("max-age=x", 300),
    ("max-age=-5", 300), ("s-maxage=900", 300),
])  # fmt: skip
def test_how_long_an_answer_is_kept(said: str, seconds: float) -> None:
    assert age_of({"cache-control": said}) == seconds


@pytest.mark.parametrize("url", [
    "http://id.example/keys", "ftp://id.example", "id.example", "", "https://", "https://u:p@id.example",
    "http://localhost.evil.example", "http://127.0.0.1@evil.example", "https://id.example:99999",
    "https://id.example:0", "https://தமிழ்.example", "https://id.example/a b", "https://id.example\n", "file:///etc/x",
    "http://127.0.0.1.evil.example/",
])  # fmt: skip
def test_keys_come_over_tls_only_but_from_this_machine(url: str) -> None:
    with pytest.raises(Fault) as raised:
        Authority(AuthSettings(jwt=JwtSettings(jwks_url=url, issuer="x", secret="" if url else "y"))).published(url)
    assert raised.value.code == "config"


@pytest.mark.parametrize("url", [
    "https://id.example/keys", "http://127.0.0.1:8080/keys", "http://localhost/keys", "http://[::1]:1/", "https://a.b:1",
])  # fmt: skip
def test_an_address_of_keys_that_is_one(url: str) -> None:
    assert Authority().published(url).url == url
