"""What Redis answers: one suite for a real server and for the simulated one.

A case is a list of commands on one connection, each with its reply; an error is a reply, too. ``@`` stands
for the beginning of keys that belong to this test alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest
import trio

from etamil_actors.ports.redis import Redis, RedisError, RedisServers, RedisSettings, Reply
from etamil_actors.ports.redis_scripts import CLAIM, FORGET, KEEP, PUT, RELEASE, RENEW
from etamil_actors.resources.redis import SystemRedisServers
from etamil_actors.resources.redis.simulated import SimulatedRedisServers
from tests.resources.servers import url_of

WRONG = "WRONGTYPE Operation against a key holding the wrong kind of value"
NO_INTEGER = "ERR value is not an integer or out of range"


class Closing:
    """As much of a keeper as a client wants."""

    def __init__(self) -> None:
        self.closing: list[Callable[[], Awaitable[None]]] = []

    def start(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        raise NotImplementedError

    def at_close(self, close: Callable[[], Awaitable[None]]) -> None:
        self.closing.append(close)

    def tell(self, tamil: str, english: str) -> None:
        raise NotImplementedError


@pytest.fixture(params=["real", "simulated"])
def where(request: pytest.FixtureRequest) -> tuple[RedisServers, str]:
    """Who makes clients, and the URL."""
    if request.param == "real":
        return SystemRedisServers(), url_of("redis")
    return SimulatedRedisServers(), "redis://redis.example/9"


@pytest.fixture
async def redis(where: tuple[RedisServers, str]) -> AsyncIterator[Redis]:
    """A server with nothing of this test in it."""
    servers, url = where
    keeper = Closing()
    client = servers.client(RedisSettings(url=url), keeper)
    yield client
    for close in keeper.closing:
        await close()


@pytest.fixture
async def mine(redis: Redis) -> AsyncIterator[str]:
    """How the keys of this test begin; they are gone when it ends."""
    begin = f"etamil-test:{uuid4().hex}:"
    yield begin
    found: Any = await redis.command("KEYS", f"{begin}*")
    if found:
        await redis.command("DEL", *found)


CASES: dict[str, list[tuple[list[str | bytes | int], Any]]] = {
    "texts": [
        (["SET", "@k", "மதிப்பு"], b"OK"),
        (["GET", "@k"], "மதிப்பு".encode()),
        (["get", "@k"], "மதிப்பு".encode()),
        (["GET", "@none"], None),
        (["SET", "@k", b"\x00\xff\r\n"], b"OK"),
        (["GET", "@k"], b"\x00\xff\r\n"),
        (["STRLEN", "@k"], 4),
        (["APPEND", "@k", "x"], 5),
        (["APPEND", "@other", "x"], 1),
        (["SET", "@k", ""], b"OK"),
        (["GET", "@k"], b""),
        (["GETDEL", "@k"], b""),
        (["GETDEL", "@k"], None),
        (["MSET", "@a", 1, "@b", 2], b"OK"),
        (["MGET", "@a", "@none", "@b"], [b"1", None, b"2"]),
        (["SETNX", "@a", 5], 0),
        (["SETNX", "@c", 5], 1),
        (["ECHO", "அ"], "அ".encode()),
        (["PING"], b"PONG"),
        (["PING", "x"], b"x"),
    ],
    "options of SET": [
        (["SET", "@k", 1, "NX"], b"OK"),
        (["SET", "@k", 2, "NX"], None),
        (["SET", "@k", 3, "XX", "GET"], b"1"),
        (["SET", "@none", 3, "XX"], None),
        (["SET", "@new", 3, "GET"], None),
        (["SET", "@k", 4, "EX", 100], b"OK"),
        (["TTL", "@k"], 100),
        (["SET", "@k", 5, "KEEPTTL"], b"OK"),
        (["TTL", "@k"], 100),
        (["SET", "@k", 6], b"OK"),
        (["TTL", "@k"], -1),
        (["SET", "@k", 6, "PX", 0], RedisError("ERR invalid expire time in 'set' command")),
        (["SET", "@k", 6, "EX", "x"], RedisError(NO_INTEGER)),
        (["SET", "@k", 6, "EX"], RedisError("ERR syntax error")),
        (["SET", "@k", 6, "NX", "XX"], RedisError("ERR syntax error")),
        (["SET", "@k", 6, "EVER"], RedisError("ERR syntax error")),
        (["GET", "@k"], b"6"),
    ],
    "counters": [
        (["INCR", "@n"], 1),
        (["INCRBY", "@n", 41], 42),
        (["DECR", "@n"], 41),
        (["DECRBY", "@n", 50], -9),
        (["GET", "@n"], b"-9"),
        (["SET", "@n", 2**63 - 1], b"OK"),
        (["INCR", "@n"], RedisError("ERR increment or decrement would overflow")),
        (["INCRBY", "@n", "1.5"], RedisError(NO_INTEGER)),
        (["SET", "@n", "x"], b"OK"),
        (["INCR", "@n"], RedisError(NO_INTEGER)),
        (["SET", "@n", "01"], b"OK"),
        (["INCR", "@n"], RedisError(NO_INTEGER)),
    ],
    "keys": [
        (["EXISTS", "@k"], 0),
        (["TYPE", "@k"], b"none"),
        (["SET", "@k", 1], b"OK"),
        (["EXISTS", "@k", "@k", "@none"], 2),
        (["TYPE", "@k"], b"string"),
        (["TTL", "@k"], -1),
        (["PTTL", "@none"], -2),
        (["EXPIRE", "@k", 50], 1),
        (["TTL", "@k"], 50),
        (["PERSIST", "@k"], 1),
        (["PERSIST", "@k"], 0),
        (["PEXPIRE", "@none", 50], 0),
        (["EXPIRE", "@k", -1], 1),
        (["EXISTS", "@k"], 0),
        (["MSET", "@a", 1, "@b", 2], b"OK"),
        (["DEL", "@a", "@none"], 1),
        (["UNLINK", "@b"], 1),
        (["SETEX", "@e", 40, "v"], b"OK"),
        (["TTL", "@e"], 40),
        (["PSETEX", "@e", 40000, "v"], b"OK"),
        (["TTL", "@e"], 40),
        (["SETEX", "@e", 0, "v"], RedisError("ERR invalid expire time in 'setex' command")),
    ],
    "patterns": [
        (["SET", "@a*b", 1], b"OK"),
        (["KEYS", "@a\\*b"], [b"@a*b"]),
        (["KEYS", "@?[*x]b"], [b"@a*b"]),
        (["KEYS", "@a[^*]b"], []),
        (["KEYS", "@a[)-+]b"], [b"@a*b"]),
        (["KEYS", "@a\\?b"], []),
        (["KEYS", "@"], []),
    ],
    "lists": [
        (["RPUSH", "@l", "b", "c"], 2),
        (["LPUSH", "@l", "a", "0"], 4),
        (["LRANGE", "@l", 0, -1], [b"0", b"a", b"b", b"c"]),
        (["LRANGE", "@l", -2, 100], [b"b", b"c"]),
        (["LRANGE", "@l", 3, 1], []),
        (["LRANGE", "@l", 0, -9], []),
        (["LINDEX", "@l", 1], b"a"),
        (["LINDEX", "@l", -1], b"c"),
        (["LINDEX", "@l", 9], None),
        (["LLEN", "@l"], 4),
        (["LREM", "@l", 0, "a"], 1),
        (["LPOP", "@l"], b"0"),
        (["RPOP", "@l"], b"c"),
        (["RPOP", "@l"], b"b"),
        (["RPOP", "@l"], None),
        (["EXISTS", "@l"], 0),
        (["LRANGE", "@l", 0, -1], []),
        (["RPUSH", "@r", "x", "y", "x", "x"], 4),
        (["LREM", "@r", -2, "x"], 2),
        (["LRANGE", "@r", 0, -1], [b"x", b"y"]),
    ],
    "hashes": [
        (["HSET", "@h", "பெயர்", "குமார்", "வயது", 30], 2),
        (["HSET", "@h", "வயது", 31], 0),
        (["HGET", "@h", "வயது"], b"31"),
        (["HGET", "@h", "none"], None),
        (["HMGET", "@h", "none", "வயது"], [None, b"31"]),
        (["HGETALL", "@h"], ["பெயர்".encode(), "குமார்".encode(), "வயது".encode(), b"31"]),
        (["HKEYS", "@h"], ["பெயர்".encode(), "வயது".encode()]),
        (["HVALS", "@h"], ["குமார்".encode(), b"31"]),
        (["HLEN", "@h"], 2),
        (["HEXISTS", "@h", "வயது"], 1),
        (["HINCRBY", "@h", "வயது", 4], 35),
        (["HINCRBY", "@h", "பெயர்", 4], RedisError("ERR hash value is not an integer")),
        (["HDEL", "@h", "பெயர்", "வயது", "none"], 2),
        (["EXISTS", "@h"], 0),
        (["HGETALL", "@h"], []),
        (["HSET", "@h", "one"], RedisError("ERR wrong number of arguments for 'hset' command")),
    ],
    "sets": [
        (["SADD", "@s", "a", "a"], 1),
        (["SADD", "@s", "a"], 0),
        (["SMEMBERS", "@s"], [b"a"]),
        (["SISMEMBER", "@s", "a"], 1),
        (["SISMEMBER", "@s", "b"], 0),
        (["SCARD", "@s"], 1),
        (["SREM", "@s", "a", "b"], 1),
        (["EXISTS", "@s"], 0),
        (["SMEMBERS", "@s"], []),
    ],
    "another kind": [
        (["RPUSH", "@l", 1], 1),
        (["GET", "@l"], RedisError(WRONG)),
        (["INCR", "@l"], RedisError(WRONG)),
        (["APPEND", "@l", "x"], RedisError(WRONG)),
        (["HGET", "@l", "x"], RedisError(WRONG)),
        (["SADD", "@l", "x"], RedisError(WRONG)),
        (["MGET", "@l"], [None]),
        (["SET", "@l", "text"], b"OK"),
        (["LPUSH", "@l", "x"], RedisError(WRONG)),
        (["TYPE", "@l"], b"string"),
    ],
    "what there is not": [
        (["கட்டளை"], RedisError("ERR unknown command 'கட்டளை', with args beginning with: ")),
        (["NO", "அ", 2], RedisError("ERR unknown command 'NO', with args beginning with: 'அ' '2' ")),
        ([""], RedisError("ERR unknown command '', with args beginning with: ")),
        (["GET"], RedisError("ERR wrong number of arguments for 'get' command")),
        (["GET", "@k", "more"], RedisError("ERR wrong number of arguments for 'get' command")),
        (["MSET", "@a"], RedisError("ERR wrong number of arguments for 'mset' command")),
        (["SELECT", 99], RedisError("ERR DB index is out of range")),
        (["SELECT", "x"], RedisError(NO_INTEGER)),
        (["SCAN", "x"], RedisError("ERR invalid cursor")),
    ],
    "a transaction": [
        (["MULTI"], b"OK"),
        (["MULTI"], RedisError("ERR MULTI calls can not be nested")),
        (["SET", "@k", 1], b"QUEUED"),
        (["LPUSH", "@k", 1], b"QUEUED"),
        (["INCR", "@k"], b"QUEUED"),
        (["EXEC"], [b"OK", RedisError(WRONG), 2]),
        (["EXEC"], RedisError("ERR EXEC without MULTI")),
        (["DISCARD"], RedisError("ERR DISCARD without MULTI")),
        (["MULTI"], b"OK"),
        (["SET", "@k", 9], b"QUEUED"),
        (["DISCARD"], b"OK"),
        (["GET", "@k"], b"2"),
        (["MULTI"], b"OK"),
        (["GET"], RedisError("ERR wrong number of arguments for 'get' command")),
        (["SET", "@k", 9], b"QUEUED"),
        (["EXEC"], RedisError("EXECABORT Transaction discarded because of previous errors.")),
        (["GET", "@k"], b"2"),
        (["WATCH", "@k"], b"OK"),
        (["SET", "@k", 3], b"OK"),
        (["MULTI"], b"OK"),
        (["WATCH", "@k"], RedisError("ERR WATCH inside MULTI is not allowed")),
        (["SET", "@k", 9], b"QUEUED"),
        (["EXEC"], None),
        (["UNWATCH"], b"OK"),
        (["GET", "@k"], b"3"),
    ],
    "another database": [
        (["SET", "@k", "here"], b"OK"),
        (["SELECT", 8], b"OK"),
        (["GET", "@k"], None),
        (["SELECT", 9], b"OK"),
        (["GET", "@k"], b"here"),
    ],
    "the scripts of caches": [
        (["EVAL", CLAIM, 2, "@v", "@c", "ours", 10000], 1),
        (["EVAL", CLAIM, 2, "@v", "@c", "theirs", 10000], 0),
        (["EVAL", CLAIM, 2, "@v", "@c", "ours", 90000], 1),
        (["TTL", "@c"], 90),
        (["EVAL", RENEW, 1, "@c", "theirs", 10000], 0),
        (["EVAL", RENEW, 1, "@c", "ours", 10000], 1),
        (["TTL", "@c"], 10),
        (["EVAL", RELEASE, 1, "@c", "theirs"], 0),
        (["EVAL", KEEP, 2, "@v", "@c", "theirs", "1", 0], 0),
        (["EVAL", KEEP, 2, "@v", "@c", "ours", "2", 0], 1),
        (["TTL", "@v"], -1),
        (["EVAL", CLAIM, 2, "@v", "@c", "theirs", 10000], b"2"),
        (["EVAL", KEEP, 2, "@v", "@c", "ours", "3", 0], 0),
        (["EVAL", FORGET, 2, "@v", "@c"], 1),
        (["EVAL", FORGET, 2, "@v", "@c"], 0),
        (["EVAL", CLAIM, 2, "@v", "@c", "ours", 10000], 1),
        (["EVAL", PUT, 2, "@v", "@c", "4", 60000], 1),
        (["EXISTS", "@c"], 0),
        (["GET", "@v"], b"4"),
        (["TTL", "@v"], 60),
        (["EVAL", CLAIM, 2, "@w", "@c", "ours", 10000], 1),
        (["EVAL", RELEASE, 1, "@c", "ours"], 1),
        (["EVAL", KEEP, 2, "@v", "@c", "ours", "5", 70000], 0),
        (["EVAL", CLAIM, 2, "@w", "@c", "ours", 10000], 1),
        (["EVAL", KEEP, 2, "@w", "@c", "ours", "5", 70000], 1),
        (["TTL", "@w"], 70),
    ],
}


def _for(mine: str, part: Any) -> Any:
    if isinstance(part, str):
        return mine + part[1:] if part.startswith("@") else part
    if isinstance(part, bytes):
        return mine.encode() + part[1:] if part.startswith(b"@") else part
    return [_for(mine, one) for one in part] if isinstance(part, list) else part


async def said(command: Callable[..., Awaitable[Reply]], *parts: str | bytes | int) -> Reply:
    """The reply, also when it is an error."""
    try:
        return await command(*parts)
    except RedisError as problem:
        return problem


@pytest.mark.parametrize("name", CASES)
async def test_the_same_commands_have_the_same_replies(redis: Redis, mine: str, name: str) -> None:
    connection = await redis.lease()
    try:
        for command, expected in CASES[name]:
            reply = await said(connection.command, *_for(mine, command))
            assert reply == _for(mine, expected), command
    finally:
        redis.give_back(connection)


async def test_what_has_lived_long_enough_is_gone(redis: Redis, mine: str) -> None:
    await redis.command("SET", f"{mine}k", 1, "PX", 20)
    with trio.fail_after(10):
        while await redis.command("GET", f"{mine}k") is not None:  # noqa: ASYNC110  a server tells nobody
            await trio.sleep(0.005)
    assert await redis.command("PTTL", f"{mine}k") == -2
    assert await redis.command("SET", f"{mine}k", 2, "NX") == b"OK"


async def test_scanning_comes_past_every_key(redis: Redis, mine: str) -> None:
    wanted = {f"{mine}{number}".encode() for number in range(50)}
    for key in wanted:
        await redis.command("SET", key, 1)
    found: set[bytes] = set()
    cursor: Any = "0"
    while True:
        cursor, keys = await redis.command("SCAN", cursor, "MATCH", f"{mine}*", "COUNT", 10)  # type: ignore[misc]
        found.update(keys)  # type: ignore[arg-type]
        if cursor == b"0":
            break
    assert found == wanted


async def test_what_one_has_changed_is_not_the_next_ones(redis: Redis, mine: str) -> None:
    connection = await redis.lease()
    assert not connection.is_changed
    await connection.command("SELECT", 8)
    await connection.command("MULTI")
    assert connection.is_changed
    redis.give_back(connection)
    await redis.command("SET", f"{mine}k", 1)
    assert await redis.command("GET", f"{mine}k") == b"1"
    assert await redis.command("SELECT", 8) == b"OK"
    assert await redis.command("GET", f"{mine}k") == b"1"


async def test_a_watched_key_that_another_writes_undoes_the_transaction(redis: Redis, mine: str) -> None:
    connection = await redis.lease()
    await connection.command("WATCH", f"{mine}k")
    await redis.command("SET", f"{mine}k", "theirs")
    await connection.command("MULTI")
    await connection.command("SET", f"{mine}k", "ours")
    assert await connection.command("EXEC") is None
    redis.give_back(connection)
    assert await redis.command("GET", f"{mine}k") == b"theirs"


async def test_counters_of_many_lose_nothing(redis: Redis, mine: str) -> None:
    async def count() -> None:
        for _ in range(20):
            await redis.command("INCR", f"{mine}n")

    async with trio.open_nursery() as nursery:
        for _ in range(30):
            nursery.start_soon(count)
    assert await redis.command("GET", f"{mine}n") == b"600"
    assert redis.facts().busy == redis.facts().waiting == 0


async def test_a_cancelled_command_leaves_no_reply_behind(redis: Redis, mine: str) -> None:
    await redis.command("MSET", f"{mine}a", "a", f"{mine}b", "b")

    async def ask(letter: str, seconds: float) -> None:
        with trio.move_on_after(seconds):
            assert await redis.command("GET", f"{mine}{letter}") == letter.encode()

    for number in range(60):
        async with trio.open_nursery() as nursery:
            for place in range(8):
                nursery.start_soon(ask, "ab"[place % 2], number * 2e-5)
    await ask("a", 10)
    assert redis.facts().busy == 0


async def test_a_closed_client_answers_nobody(redis: Redis) -> None:
    from etamil_actors.ports.redis import RedisUnavailable

    await redis.command("PING")
    await redis.close()  # type: ignore[attr-defined]
    with pytest.raises(RedisUnavailable):
        await redis.command("PING")
