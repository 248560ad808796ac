"""A Redis server that is none: enough of it for programs and their tests, in memory and in virtual time.

Texts with a time to live, counters, lists, hashes, sets, transactions, and the scripts that caches use. What
a command answers, and the words of its errors, are those of Redis 7; one contract suite looks at both. Every
address is a server of its own, empty at first, with sixteen databases and nobody who has to log in.

A test takes a server away by ``servers.server(host, port).is_down = True``: then nothing answers, connections
break, and what it holds is there again when it comes back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from math import inf
from typing import Any, Final, cast

import trio

from etamil_actors.ports.background import Keeper
from etamil_actors.ports.redis import (
    Changes,
    Redis,
    RedisError,
    RedisFacts,
    RedisSettings,
    RedisUnavailable,
    Reply,
)
from etamil_actors.ports.redis_scripts import CLAIM, FORGET, KEEP, PUT, RELEASE, RENEW
from etamil_actors.resources.redis.addresses import Address, address_of
from etamil_actors.resources.redis.places import Client, unavailable

DATABASES: Final = 16
LEAST, MOST = -(2**63), 2**63 - 1

WRONG_TYPE: Final = "WRONGTYPE Operation against a key holding the wrong kind of value"
SYNTAX: Final = "ERR syntax error"
NO_INTEGER: Final = "ERR value is not an integer or out of range"
NO_HASH_INTEGER: Final = "ERR hash value is not an integer"
OVERFLOW: Final = "ERR increment or decrement would overflow"
OK: Final = b"OK"

Words = list[bytes]
Kept = bytes | list[bytes] | dict[bytes, bytes] | dict[bytes, None]
"""A text, a list, a hash, or a set, whose values are nothing."""


class Item:
    """What is under a key."""

    __slots__ = ("kind", "until", "value")

    def __init__(self, kind: str, value: Any, until: float = inf) -> None:
        self.kind = kind
        self.value = value
        self.until = until


class Database:
    """One of the databases of a server."""

    def __init__(self) -> None:
        self._items: dict[bytes, Item] = {}
        self.changes: dict[bytes, int] = {}
        """How often a key was written, for ``WATCH``."""

    def find(self, key: bytes, kind: str = "") -> Item | None:
        """What is under a key. Raises: RedisError, it is of another kind."""
        item = self._items.get(key)
        if item is None:
            return None
        if trio.current_time() >= item.until:
            del self._items[key]
            return None
        if kind and item.kind != kind:
            raise RedisError(WRONG_TYPE)
        return item

    def make(self, key: bytes, kind: str, empty: Callable[[], Any]) -> Item:
        """What is under a key, or something new of this kind."""
        item = self.find(key, kind)
        if item is None:
            item = self._items[key] = Item(kind, empty())
        return item

    def put(self, key: bytes, value: bytes, until: float = inf) -> None:
        """Put a text under a key, whatever was there."""
        self._items.pop(key, None)
        self._items[key] = Item("string", value, until)
        self.touch(key)

    def drop(self, key: bytes) -> bool:
        """Take a key away; was it there?"""
        there = self.find(key) is not None
        if there:
            del self._items[key]
            self.touch(key)
        return there

    def touch(self, key: bytes) -> None:
        """This key was written."""
        self.changes[key] = self.changes.get(key, 0) + 1

    def written(self, key: bytes) -> None:
        """Its list, hash or set was changed; an empty one goes."""
        self.touch(key)
        item = self._items.get(key)
        if item is not None and not item.value and item.kind != "string":
            del self._items[key]

    def names(self) -> Words:
        """The keys that are there, in the order in which they came."""
        return [key for key in list(self._items) if self.find(key) is not None]


class SimulatedServer:
    """What is at one address."""

    def __init__(self) -> None:
        self.databases = [Database() for _ in range(DATABASES)]
        self.is_down = False
        self.commands = 0
        """How many it has carried out."""


class SimulatedConnection:
    """A connection; see ``ports.redis.RedisConnection``."""

    def __init__(self, server: SimulatedServer, address: Address) -> None:
        self.server = server
        self._address = address
        self.database = server.databases[address.database]
        self.queue: list[Words] | None = None
        """The commands of an open transaction."""
        self.is_spoilt = False
        self.watched: dict[tuple[int, bytes], int] = {}
        self.is_open = True
        self.changes = Changes()

    async def command(self, *parts: str | bytes | int) -> Reply:
        """Carry out a command."""
        if not self.is_open:
            raise gone(self._address)
        self.changes.sent(parts)
        self.is_open = False  # a cancellation on the way breaks it
        await trio.lowlevel.checkpoint()
        if self.server.is_down:
            raise gone(self._address)
        self.is_open = True
        self.server.commands += 1
        words = [_data(part) for part in parts]
        reply = self._said(words)
        if isinstance(reply, RedisError):
            raise reply
        self.changes.succeeded(parts)
        return reply

    @property
    def is_changed(self) -> bool:
        """Has a command changed what later ones mean?"""
        return self.changes.any

    def _said(self, words: Words) -> Reply:
        name = words[0].decode("utf-8", "replace").upper() if words else ""
        command = COMMANDS.get(name)
        try:
            if command is None:
                raise RedisError(_unknown(words))
            function, least, most = command
            if not least <= len(words) - 1 <= most:
                raise RedisError(f"ERR wrong number of arguments for '{name.lower()}' command")
        except RedisError as problem:
            self.is_spoilt = self.queue is not None
            return problem
        if self.queue is not None and name not in ("EXEC", "DISCARD", "MULTI", "WATCH"):
            self.queue.append(words)
            return b"QUEUED"
        return self.run(function, words)

    def run(self, function: Callable[..., Reply], words: Words) -> Reply:
        """Carry out a command that is known; an error is an answer."""
        try:
            return function(self, *words[1:])
        except RedisError as problem:
            return problem


class SimulatedRedis(Client[SimulatedConnection]):
    """See ``ports.redis.Redis``."""

    def __init__(self, settings: RedisSettings, address: Address, server: SimulatedServer) -> None:
        super().__init__(settings, address)
        self._server = server

    async def _a_connection(self) -> SimulatedConnection:
        await trio.lowlevel.checkpoint()
        if self.is_closed or self._server.is_down:
            raise gone(self._address)
        return SimulatedConnection(self._server, self._address)

    def facts(self) -> RedisFacts:
        """How it is now."""
        busy = len(self._busy)
        return RedisFacts(busy, busy, self._places.statistics().tasks_waiting, busy, self._failed)

    async def close(self) -> None:
        """Nothing answers any more."""
        self.is_closed = True
        await trio.lowlevel.checkpoint()


class SimulatedRedisServers:
    """See ``ports.redis.RedisServers``."""

    def __init__(self) -> None:
        self._servers: dict[tuple[str, int], SimulatedServer] = {}
        self._clients: dict[RedisSettings, SimulatedRedis] = {}

    def server(self, host: str = "127.0.0.1", port: int = 6379) -> SimulatedServer:
        """The server at this address."""
        return self._servers.setdefault((host, port), SimulatedServer())

    def client(self, settings: RedisSettings, keeper: Keeper) -> Redis:
        """The client with these settings. Raises: Fault ``config``."""
        client = self._clients.get(settings)
        if client is None or client.is_closed:
            address = address_of(settings.url)
            server = self.server(address.host, address.port)
            client = self._clients[settings] = SimulatedRedis(settings, address, server)
            keeper.at_close(client.close)
        return client

    def clients(self) -> Sequence[Redis]:
        """Those that are open."""
        return [client for client in self._clients.values() if not client.is_closed]


def gone(address: Address) -> RedisUnavailable:
    """Nobody listens there."""
    return unavailable(address, "இணைக்க முடியவில்லை", "cannot connect: nobody listens there")


def _data(part: str | bytes | int) -> bytes:
    return part if isinstance(part, bytes) else str(part).encode()


def _unknown(words: Words) -> str:
    name = words[0].decode("utf-8", "replace") if words else ""
    arguments = "".join(f"'{word.decode('utf-8', 'replace')}' " for word in words[1:])
    return f"ERR unknown command '{name[:128]}', with args beginning with: {arguments[:128]}"


# ---- the commands ---------------------------------------------------------------------------

COMMANDS: Final[dict[str, tuple[Callable[..., Reply], int, float]]] = {}
"""By name: the function, and how many arguments it takes."""


def _command(name: str, least: int, most: float | None = None) -> Callable[[Any], Any]:
    def enter(function: Any) -> Any:
        COMMANDS[name] = (function, least, least if most is None else most)
        return function

    return enter


def whole(data: bytes, problem: str = NO_INTEGER) -> int:
    """A whole number of 64 bits. Raises: RedisError."""
    if not re.fullmatch(rb"0|-?[1-9][0-9]{0,18}", data) or not LEAST <= int(data) <= MOST:
        raise RedisError(problem)
    return int(data)


def _after(milliseconds: int, name: str) -> float:
    if milliseconds <= 0:
        raise RedisError(f"ERR invalid expire time in '{name}' command")
    return trio.current_time() + milliseconds / 1000


@_command("PING", 0, 1)
def _ping(own: SimulatedConnection, text: bytes | None = None) -> Reply:
    return b"PONG" if text is None else text


@_command("ECHO", 1)
def _echo(own: SimulatedConnection, text: bytes) -> Reply:
    return text


@_command("SELECT", 1)
def _select(own: SimulatedConnection, number: bytes) -> Reply:
    place = whole(number)
    if not 0 <= place < DATABASES:
        raise RedisError("ERR DB index is out of range")
    own.database = own.server.databases[place]
    return OK


@_command("DBSIZE", 0)
def _size(own: SimulatedConnection) -> Reply:
    return len(own.database.names())


@_command("FLUSHDB", 0, 1)
def _flush(own: SimulatedConnection, how: bytes = b"SYNC") -> Reply:
    for key in own.database.names():
        own.database.drop(key)
    return OK


# texts


@_command("GET", 1)
def _get(own: SimulatedConnection, key: bytes) -> Reply:
    item = own.database.find(key, "string")
    return None if item is None else cast(bytes, item.value)


@_command("SET", 2, inf)
def _set(own: SimulatedConnection, key: bytes, value: bytes, *options: bytes) -> Reply:
    until, only, answers_old, keeps = inf, b"", False, False
    left = list(options)
    while left:
        option = left.pop(0).upper()
        if option in (b"NX", b"XX") and only in (b"", option):
            only = option
        elif option == b"GET":
            answers_old = True
        elif option == b"KEEPTTL" and until == inf:
            keeps = True
        elif option in (b"EX", b"PX") and left and until == inf and not keeps:
            until = _after(whole(left.pop(0)) * (1000 if option == b"EX" else 1), "set")
        else:
            raise RedisError(SYNTAX)
    item = own.database.find(key, "string" if answers_old else "")
    old = item.value if item is not None and answers_old else None
    if only == (b"XX" if item is None else b"NX"):
        return old
    own.database.put(key, value, item.until if keeps and item is not None else until)
    return old if answers_old else OK


@_command("SETNX", 2)
def _setnx(own: SimulatedConnection, key: bytes, value: bytes) -> Reply:
    if own.database.find(key) is not None:
        return 0
    own.database.put(key, value)
    return 1


@_command("SETEX", 3)
def _setex(own: SimulatedConnection, key: bytes, seconds: bytes, value: bytes) -> Reply:
    own.database.put(key, value, _after(whole(seconds) * 1000, "setex"))
    return OK


@_command("PSETEX", 3)
def _psetex(own: SimulatedConnection, key: bytes, milliseconds: bytes, value: bytes) -> Reply:
    own.database.put(key, value, _after(whole(milliseconds), "psetex"))
    return OK


@_command("GETDEL", 1)
def _getdel(own: SimulatedConnection, key: bytes) -> Reply:
    value = _get(own, key)
    own.database.drop(key)
    return cast(Reply, value)


@_command("MGET", 1, inf)
def _mget(own: SimulatedConnection, *keys: bytes) -> Reply:
    items = [own.database.find(key) for key in keys]
    return [item.value if item is not None and item.kind == "string" else None for item in items]


@_command("MSET", 2, inf)
def _mset(own: SimulatedConnection, *pairs: bytes) -> Reply:
    if len(pairs) % 2:
        raise RedisError("ERR wrong number of arguments for 'mset' command")
    for key, value in zip(pairs[::2], pairs[1::2], strict=True):
        own.database.put(key, value)
    return OK


@_command("APPEND", 2)
def _append(own: SimulatedConnection, key: bytes, text: bytes) -> Reply:
    item = own.database.make(key, "string", bytes)
    item.value += text
    own.database.touch(key)
    return len(item.value)


@_command("STRLEN", 1)
def _strlen(own: SimulatedConnection, key: bytes) -> Reply:
    item = own.database.find(key, "string")
    return 0 if item is None else len(item.value)


@_command("INCRBY", 2)
def _incrby(own: SimulatedConnection, key: bytes, by: bytes) -> Reply:
    return _increase(own, key, whole(by))


@_command("DECRBY", 2)
def _decrby(own: SimulatedConnection, key: bytes, by: bytes) -> Reply:
    amount = whole(by)
    if amount == LEAST:
        raise RedisError("ERR decrement would overflow")
    return _increase(own, key, -amount)


@_command("INCR", 1)
def _incr(own: SimulatedConnection, key: bytes) -> Reply:
    return _increase(own, key, 1)


@_command("DECR", 1)
def _decr(own: SimulatedConnection, key: bytes) -> Reply:
    return _increase(own, key, -1)


def _increase(own: SimulatedConnection, key: bytes, by: int) -> int:
    item = own.database.find(key, "string")
    number = whole(item.value) if item is not None else 0
    if not LEAST <= number + by <= MOST:
        raise RedisError(OVERFLOW)
    item = own.database.make(key, "string", bytes)
    item.value = b"%d" % (number + by)
    own.database.touch(key)
    return number + by


# keys


@_command("DEL", 1, inf)
@_command("UNLINK", 1, inf)
def _del(own: SimulatedConnection, *keys: bytes) -> Reply:
    return sum([own.database.drop(key) for key in keys])


@_command("EXISTS", 1, inf)
def _exists(own: SimulatedConnection, *keys: bytes) -> Reply:
    return sum([own.database.find(key) is not None for key in keys])


@_command("TYPE", 1)
def _type(own: SimulatedConnection, key: bytes) -> Reply:
    item = own.database.find(key)
    return b"none" if item is None else item.kind.encode()


@_command("EXPIRE", 2)
def _expire(own: SimulatedConnection, key: bytes, seconds: bytes) -> Reply:
    return _let_expire(own, key, whole(seconds) * 1000)


@_command("PEXPIRE", 2)
def _pexpire(own: SimulatedConnection, key: bytes, milliseconds: bytes) -> Reply:
    return _let_expire(own, key, whole(milliseconds))


def _let_expire(own: SimulatedConnection, key: bytes, milliseconds: int) -> int:
    item = own.database.find(key)
    if item is None:
        return 0
    if milliseconds <= 0:
        own.database.drop(key)
    else:
        item.until = trio.current_time() + milliseconds / 1000
        own.database.touch(key)
    return 1


@_command("PERSIST", 1)
def _persist(own: SimulatedConnection, key: bytes) -> Reply:
    item = own.database.find(key)
    if item is None or item.until == inf:
        return 0
    item.until = inf
    own.database.touch(key)
    return 1


@_command("TTL", 1)
def _ttl(own: SimulatedConnection, key: bytes) -> Reply:
    left = cast(int, _pttl(own, key))
    return left if left < 0 else (left + 500) // 1000


@_command("PTTL", 1)
def _pttl(own: SimulatedConnection, key: bytes) -> Reply:
    item = own.database.find(key)
    if item is None:
        return -2
    return -1 if item.until == inf else round((item.until - trio.current_time()) * 1000)


@_command("KEYS", 1)
def _keys(own: SimulatedConnection, pattern: bytes) -> Reply:
    fits = _pattern(pattern)
    return [key for key in own.database.names() if fits(key)]


@_command("SCAN", 1, inf)
def _scan(own: SimulatedConnection, cursor: bytes, *options: bytes) -> Reply:
    whole(cursor, "ERR invalid cursor")
    fits, left = _pattern(b"*"), list(options)
    while left:
        option = left.pop(0).upper()
        if option not in (b"MATCH", b"COUNT", b"TYPE") or not left:
            raise RedisError(SYNTAX)
        value = left.pop(0)
        if option == b"MATCH":
            fits = _pattern(value)
        elif option == b"COUNT" and whole(value) < 1:
            raise RedisError(SYNTAX)
    return [b"0", [key for key in own.database.names() if fits(key)]]


def _pattern(pattern: bytes) -> Callable[[bytes], bool]:
    """Which texts fit a pattern with ``*``, ``?``, ``[…]`` and ``\\`` in front of what stands for itself."""
    expression, text = "", pattern.decode("latin-1")
    for found in re.finditer(r"\\(.)|\[(\^?)((?:\\.|[^\]])*)\]|(.)", text, re.DOTALL):
        stands_for_itself, negation, members, other = found.groups()
        if members is not None:
            expression += f"[{negation}{_members_of(members)}]" if members else "(?!)"
        elif other is not None:
            expression += {"*": ".*", "?": "."}.get(other, re.escape(other))
        else:
            expression += re.escape(stands_for_itself)
    compiled = re.compile(expression, re.DOTALL)
    return lambda key: compiled.fullmatch(key.decode("latin-1")) is not None


def _members_of(members: str) -> str:
    return re.sub(r"\\(.)|([\[\]^&~|])", lambda found: re.escape(found[1] or found[2]), members)


# lists


def _list(own: SimulatedConnection, key: bytes) -> list[bytes]:
    item = own.database.find(key, "list")
    return [] if item is None else cast(list[bytes], item.value)


@_command("LPUSH", 2, inf)
def _lpush(own: SimulatedConnection, key: bytes, *values: bytes) -> Reply:
    held = own.database.make(key, "list", list).value
    held[:0] = reversed(values)
    own.database.touch(key)
    return len(held)


@_command("RPUSH", 2, inf)
def _rpush(own: SimulatedConnection, key: bytes, *values: bytes) -> Reply:
    held = own.database.make(key, "list", list).value
    held.extend(values)
    own.database.touch(key)
    return len(held)


@_command("LPOP", 1)
def _lpop(own: SimulatedConnection, key: bytes) -> Reply:
    return _pop(own, key, 0)


@_command("RPOP", 1)
def _rpop(own: SimulatedConnection, key: bytes) -> Reply:
    return _pop(own, key, -1)


def _pop(own: SimulatedConnection, key: bytes, place: int) -> Reply:
    held = _list(own, key)
    if not held:
        return None
    value = held.pop(place)
    own.database.written(key)
    return value


@_command("LLEN", 1)
def _llen(own: SimulatedConnection, key: bytes) -> Reply:
    return len(_list(own, key))


@_command("LINDEX", 2)
def _lindex(own: SimulatedConnection, key: bytes, place: bytes) -> Reply:
    held, at = _list(own, key), whole(place)
    return held[at] if -len(held) <= at < len(held) else None


@_command("LRANGE", 3)
def _lrange(own: SimulatedConnection, key: bytes, first: bytes, last: bytes) -> Reply:
    held = _list(own, key)
    begin, end = whole(first), whole(last)
    begin = max(begin + len(held), 0) if begin < 0 else begin
    end = end + len(held) if end < 0 else end
    return cast(Reply, held[begin : end + 1] if end >= 0 else [])


@_command("LREM", 3)
def _lrem(own: SimulatedConnection, key: bytes, count: bytes, value: bytes) -> Reply:
    held, most = _list(own, key), whole(count)
    places = [place for place, one in enumerate(held) if one == value]
    gone = places[most:] if most < 0 else places[:most] if most else places
    for place in reversed(gone):
        del held[place]
    if gone:
        own.database.written(key)
    return len(gone)


# hashes


def _hash(own: SimulatedConnection, key: bytes) -> dict[bytes, bytes]:
    item = own.database.find(key, "hash")
    return {} if item is None else cast(dict[bytes, bytes], item.value)


@_command("HSET", 3, inf)
def _hset(own: SimulatedConnection, key: bytes, *pairs: bytes) -> Reply:
    if len(pairs) % 2:
        raise RedisError("ERR wrong number of arguments for 'hset' command")
    held = own.database.make(key, "hash", dict).value
    before = len(held)
    held.update(zip(pairs[::2], pairs[1::2], strict=True))
    own.database.touch(key)
    return len(held) - before


@_command("HGET", 2)
def _hget(own: SimulatedConnection, key: bytes, field: bytes) -> Reply:
    return _hash(own, key).get(field)


@_command("HMGET", 2, inf)
def _hmget(own: SimulatedConnection, key: bytes, *fields: bytes) -> Reply:
    held = _hash(own, key)
    return [held.get(field) for field in fields]


@_command("HGETALL", 1)
def _hgetall(own: SimulatedConnection, key: bytes) -> Reply:
    return [part for pair in _hash(own, key).items() for part in pair]


@_command("HKEYS", 1)
def _hkeys(own: SimulatedConnection, key: bytes) -> Reply:
    return list(_hash(own, key))


@_command("HVALS", 1)
def _hvals(own: SimulatedConnection, key: bytes) -> Reply:
    return list(_hash(own, key).values())


@_command("HLEN", 1)
def _hlen(own: SimulatedConnection, key: bytes) -> Reply:
    return len(_hash(own, key))


@_command("HEXISTS", 2)
def _hexists(own: SimulatedConnection, key: bytes, field: bytes) -> Reply:
    return int(field in _hash(own, key))


@_command("HDEL", 2, inf)
def _hdel(own: SimulatedConnection, key: bytes, *fields: bytes) -> Reply:
    held = _hash(own, key)
    gone = sum([held.pop(field, None) is not None for field in fields])
    if gone:
        own.database.written(key)
    return gone


@_command("HINCRBY", 3)
def _hincrby(own: SimulatedConnection, key: bytes, field: bytes, by: bytes) -> Reply:
    amount = whole(by)
    held = _hash(own, key)
    number = whole(held[field], NO_HASH_INTEGER) if field in held else 0
    if not LEAST <= number + amount <= MOST:
        raise RedisError(OVERFLOW)
    own.database.make(key, "hash", dict).value[field] = b"%d" % (number + amount)
    own.database.touch(key)
    return number + amount


# sets


def _members(own: SimulatedConnection, key: bytes) -> dict[bytes, None]:
    item = own.database.find(key, "set")
    return {} if item is None else cast(dict[bytes, None], item.value)


@_command("SADD", 2, inf)
def _sadd(own: SimulatedConnection, key: bytes, *members: bytes) -> Reply:
    held = own.database.make(key, "set", dict).value
    before = len(held)
    held.update(dict.fromkeys(members))
    own.database.touch(key)
    return len(held) - before


@_command("SREM", 2, inf)
def _srem(own: SimulatedConnection, key: bytes, *members: bytes) -> Reply:
    held = _members(own, key)
    there = [member for member in dict.fromkeys(members) if member in held]
    for member in there:
        del held[member]
    if there:
        own.database.written(key)
    return len(there)


@_command("SMEMBERS", 1)
def _smembers(own: SimulatedConnection, key: bytes) -> Reply:
    return list(_members(own, key))


@_command("SISMEMBER", 2)
def _sismember(own: SimulatedConnection, key: bytes, member: bytes) -> Reply:
    return int(member in _members(own, key))


@_command("SCARD", 1)
def _scard(own: SimulatedConnection, key: bytes) -> Reply:
    return len(_members(own, key))


# transactions


@_command("MULTI", 0)
def _multi(own: SimulatedConnection) -> Reply:
    if own.queue is not None:
        raise RedisError("ERR MULTI calls can not be nested")
    own.queue, own.is_spoilt = [], False
    return OK


@_command("EXEC", 0)
def _exec(own: SimulatedConnection) -> Reply:
    queue, own.queue = own.queue, None
    if queue is None:
        raise RedisError("ERR EXEC without MULTI")
    watched, own.watched = own.watched, {}
    if own.is_spoilt:
        raise RedisError("EXECABORT Transaction discarded because of previous errors.")
    databases = own.server.databases
    if any(databases[place].changes.get(key, 0) != count for (place, key), count in watched.items()):
        return None
    return [own.run(COMMANDS[words[0].decode().upper()][0], words) for words in queue]


@_command("DISCARD", 0)
def _discard(own: SimulatedConnection) -> Reply:
    if own.queue is None:
        raise RedisError("ERR DISCARD without MULTI")
    own.queue, own.watched = None, {}
    return OK


@_command("WATCH", 1, inf)
def _watch(own: SimulatedConnection, *keys: bytes) -> Reply:
    if own.queue is not None:
        raise RedisError("ERR WATCH inside MULTI is not allowed")
    place = own.server.databases.index(own.database)
    own.watched.update({(place, key): own.database.changes.get(key, 0) for key in keys})
    return OK


@_command("UNWATCH", 0)
def _unwatch(own: SimulatedConnection) -> Reply:
    own.watched = {}
    return OK


# scripts


@_command("EVAL", 2, inf)
def _eval(own: SimulatedConnection, text: bytes, count: bytes, *words: bytes) -> Reply:
    keys = whole(count)
    if keys < 0:
        raise RedisError("ERR Number of keys can't be negative")
    if keys > len(words):
        raise RedisError("ERR Number of keys can't be greater than number of args")
    script = SCRIPTS.get(text.decode("utf-8", "replace"))
    if script is None:
        raise RedisError("ERR a simulated server runs no scripts of a program")
    return script(own, *words)


def _claim(own: SimulatedConnection, key: bytes, claim: bytes, token: bytes, milliseconds: bytes) -> Reply:
    value = _get(own, key)
    if value is not None:
        return cast(Reply, value)
    if _set(own, claim, token, b"NX", b"PX", milliseconds) is not None:
        return 1
    if _get(own, claim) != token:
        return 0
    _pexpire(own, claim, milliseconds)
    return 1


def _keep(
    own: SimulatedConnection, key: bytes, claim: bytes, token: bytes, text: bytes, milliseconds: bytes
) -> Reply:
    return 0 if _get(own, claim) != token else _put(own, key, claim, text, milliseconds)


def _put(own: SimulatedConnection, key: bytes, claim: bytes, text: bytes, milliseconds: bytes) -> Reply:
    own.database.drop(claim)
    _set(own, key, text, *([] if milliseconds == b"0" else [b"PX", milliseconds]))
    return 1


def _release(own: SimulatedConnection, claim: bytes, token: bytes) -> Reply:
    return 0 if _get(own, claim) != token else int(own.database.drop(claim))


def _renew(own: SimulatedConnection, claim: bytes, token: bytes, milliseconds: bytes) -> Reply:
    return 0 if _get(own, claim) != token else cast(Reply, _pexpire(own, claim, milliseconds))


def _forget(own: SimulatedConnection, key: bytes, claim: bytes) -> Reply:
    own.database.drop(claim)
    return int(own.database.drop(key))


SCRIPTS: Final[dict[str, Callable[..., Reply]]] = {
    CLAIM: _claim,
    KEEP: _keep,
    RELEASE: _release,
    RENEW: _renew,
    PUT: _put,
    FORGET: _forget,
}
"""What the scripts of ``ports/redis_scripts.py`` do, by their text."""
