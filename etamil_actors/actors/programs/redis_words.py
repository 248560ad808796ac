"""Words of Redis: ``சிவப்பாய்_*`` (EXTENSIONS §10) and ``ரெடிஸ்_*`` of 2.0 (REFERENCE §25).

``சிவப்பாய்_தொடர்பு`` answers a handle; each command takes any connection of its pool. ``ரெடிஸ்_இணை`` ties one
connection to the activity, which keeps it to its end, so ``MULTI`` or ``SELECT`` mean what they say. What the
top level has connected, every activity begins with, and borrows a connection when it first uses it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from etamil_actors.actors.programs.spans import followed
from etamil_actors.actors.programs.words import duration, expect, word
from etamil_actors.errors import Fault
from etamil_actors.ports.redis import (
    Redis,
    RedisConnection,
    RedisError,
    RedisSettings,
    RedisUnavailable,
    Reply,
    is_refused,
)
from etamil_actors.vm.builtins.errors import failed
from etamil_actors.vm.builtins.registry import tamil_name, wrong_kind
from etamil_actors.vm.convert import texts_of
from etamil_actors.vm.values import Err, Handle, Ok, Value

if TYPE_CHECKING:
    from etamil_actors.actors.programs.activity import Activity
    from etamil_actors.actors.programs.system import System

TIED: Final = 100
"""Connections that the words of 2.0 may keep at once, for each server."""

STATE: Final = "redis"
"""Where a machine keeps what is tied to its activity."""

LATER: Final = ("LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "BUSY ")
"""How the errors begin that mean: not now."""

WHOLE_MILLISECONDS: Final = 10**15

OTHER: Final = "_OTHER"
"""What a span calls a command whose name cannot be one."""

_is_command = re.compile(r"[A-Z][A-Z0-9_.-]{0,39}").fullmatch


# ---- asking a server ------------------------------------------------------------------


def client_of(system: System, settings: RedisSettings, key: str) -> Redis:
    """The client with these settings. Raises: Fault ``config``, the URL cannot be understood."""
    servers = system.ports.redis
    if servers is None:
        raise Fault("not_provided", name=tamil_name(key))
    return servers.client(settings, system.keeper)


class Asking:
    """Sends commands on behalf of one activity: a span for each, and errors as programs know them."""

    __slots__ = ("activity", "redis")

    def __init__(self, activity: Activity, redis: Redis) -> None:
        self.activity = activity
        self.redis = redis

    async def __call__(self, *parts: str | bytes | int) -> Reply:
        """The reply to a command. Raises: Fault ``redis.unavailable``, ``redis.refused``."""
        with _span(self.activity, self.redis, parts[0]):
            try:
                return await self.redis.command(*parts)
            except (RedisUnavailable, RedisError) as trouble:
                raise fault_for(trouble) from None


def fault_for(trouble: RedisUnavailable | RedisError) -> Fault:
    """The error of a program."""
    if isinstance(trouble, RedisUnavailable):
        return Fault("redis.unavailable", problem_ta=trouble.tamil, problem_en=trouble.english)
    text = str(trouble)
    code = "redis.unavailable" if text.startswith(LATER) else "redis.refused"
    return Fault(code, problem_ta=text, problem_en=text)


def _span(activity: Activity, redis: Redis, command: str | bytes | int) -> followed:
    name = str(command).upper()
    if not _is_command(name):
        name = OTHER  # whole lines are written there by mistake, with what they hold
    # Not the arguments: keys and values may be nobody else's business.
    attributes: dict[str, str | int | float | bool] = {
        "db.system.name": "redis",
        "db.operation.name": name,
        "server.address": redis.host,
        "server.port": redis.port,
    }
    return followed(activity, name, "client", attributes)


# ---- சிவப்பாய்_* ------------------------------------------------------------------------


class RedisHandle(Handle):
    """A server and its pool of connections. Nothing is opened before the first command."""

    __slots__ = ("redis",)

    kind = "a connection"

    def __init__(self, redis: Redis) -> None:
        self.redis = redis

    @property
    def text(self) -> str:
        return f"<இணைப்பு redis {self.redis.name}>"

    def __repr__(self) -> str:
        return f"<redis {self.redis.name}>"


def _asking(activity: Activity, target: Value, key: str) -> Asking:
    handle = expect(RedisHandle, target, key, "ஒரு ரெடிஸ் இணைப்பு", "a connection to Redis")
    return Asking(activity, handle.redis)


@word("_redis")
def open_redis(activity: Activity, url: str) -> Value:
    """சிவப்பாய்_தொடர்பு(url)."""
    return RedisHandle(client_of(activity.service.system, RedisSettings(url=url), "_redis"))


@word("_redisSet")
async def set_value(activity: Activity, target: Value, key: str, value: Value, ttl: Value = None) -> None:
    """சிவப்பாய்_அமை(r, k, v [, ttl]): a text as it is, everything else as JSON."""
    ask = _asking(activity, target, "_redisSet")
    data = value if type(value) is str else _json(value)
    if ttl is None:
        await ask("SET", key, data)
        return
    milliseconds = min(duration(ttl, "_redisSet") * 1000, WHOLE_MILLISECONDS)
    if milliseconds:
        await ask("SET", key, data, "PX", max(1, round(milliseconds)))
    else:
        await ask("DEL", key)


@word("_redisGet")
async def get_value(activity: Activity, target: Value, key: str) -> Value:
    """சிவப்பாய்_பெறு(r, k)."""
    return value_of(await _asking(activity, target, "_redisGet")("GET", key))


@word("_redisDelete")
async def delete_value(activity: Activity, target: Value, key: str) -> bool:
    """சிவப்பாய்_நீக்கு(r, k)."""
    return bool(await _asking(activity, target, "_redisDelete")("DEL", key))


def _json(value: Value) -> bytes:
    # JSON is loaded by those who need it.
    from etamil_actors.actors.caches.shared import encoded

    return encoded(value)


def value_of(reply: Reply) -> Value:
    """A reply as a value: texts, numbers, இன்மை, arrays; an error among others is a தவறு."""
    if isinstance(reply, bytes):
        return reply.decode("utf-8", "replace")
    if isinstance(reply, list):
        return [value_of(part) for part in reply]
    return Err(str(reply)) if isinstance(reply, RedisError) else reply


# ---- ரெடிஸ்_* of 2.0 -----------------------------------------------------------------------


class Tied:
    """The connection that an activity has. It is borrowed when it is first used."""

    __slots__ = ("_connection", "_is_lost", "redis")

    def __init__(self, redis: Redis | None) -> None:
        self.redis = redis
        """Nothing once it was closed: then the activity does not begin anew with that of the top level."""
        self._connection: RedisConnection | None = None
        self._is_lost = False
        """Has it broken, and with it what was set on it? Then nobody else stands in for it unasked."""

    async def connection(self) -> RedisConnection:
        """Borrow it, if it is not. Raises: RedisUnavailable."""
        assert self.redis is not None
        if self._is_lost:
            raise RedisUnavailable(
                f"{self.redis.name}: இணைப்பு அறுந்தது; ரெடிஸ்_இணை மீண்டும் தேவை",
                f"{self.redis.name}: the connection is lost; connect again",
            )
        if self._connection is None:
            self._connection = await self.redis.lease()
        return self._connection

    async def command(self, *parts: str | bytes | int) -> Reply:
        """The reply to a command. Raises: RedisError, RedisUnavailable."""
        connection = await self.connection()
        try:
            return await connection.command(*parts)
        finally:
            if not connection.is_open:
                self._is_lost = connection.is_changed
                self.end()

    def end(self) -> None:
        """Give it back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            assert self.redis is not None
            self.redis.give_back(connection)

    @property
    def name(self) -> str:
        """The address, as programs of 2.0 write it."""
        assert self.redis is not None
        host = f"[{self.redis.host}]" if ":" in self.redis.host else self.redis.host
        return f"{host}:{self.redis.port}"


def _tied(activity: Activity) -> Tied | None:
    """What is connected in this activity."""
    machine = activity.machine
    assert machine is not None
    tied = machine.state.get(STATE)
    if tied is None and activity.service.redis is not None and machine.declaring is None:
        tied = _tie(activity, activity.service.redis)
    assert tied is None or isinstance(tied, Tied)
    return tied if tied is not None and tied.redis is not None else None


def _tie(activity: Activity, redis: Redis | None) -> Tied:
    machine = activity.machine
    assert machine is not None
    tied = machine.state[STATE] = Tied(redis)
    activity.at_end(lambda well: tied.end())
    return tied


@word("_redisConnect")
async def connect(activity: Activity, address: str) -> Value:
    """ரெடிஸ்_இணை(address): the address."""
    before = _tied(activity)
    if before is not None:
        before.end()
    try:
        settings = RedisSettings(url=address, most=TIED)
        redis = client_of(activity.service.system, settings, "_redisConnect")
        tied = _tie(activity, redis)
        await tied.connection()
    except Fault as fault:
        return failed(fault.tamil, fault.english)
    except RedisUnavailable as trouble:
        return failed(trouble.tamil, trouble.english)
    if _is_top_level(activity):
        activity.service.redis = redis
    return Ok(tied.name)


def _is_top_level(activity: Activity) -> bool:
    """Does it leave what it connects to every activity?"""
    return activity.machine is not None and activity.machine.declaring is not None


@word("_redisCommand")
def command(activity: Activity, name: str, arguments: Value) -> Any:
    """ரெடிஸ்_கட்டளை(command, arguments)."""
    if type(arguments) is not list:
        raise wrong_kind(tamil_name("_redisCommand"), "அணி", "an array", arguments)
    tied = _tied(activity)
    if tied is None:
        return failed("ரெடிஸ் இணைக்கப்படவில்லை; முதலில் ரெடிஸ்_இணை", "Redis is not connected; connect first")
    parts = [name, *texts_of(arguments)]
    if is_refused(parts):
        return failed(
            f"‘{name}’ இங்கே இயங்காது: அதற்கு ஒரே ஒரு பதில் வராது",
            f"‘{name}’ does not work here: it is not answered by one reply",
        )
    return _command(activity, tied, parts)


async def _command(activity: Activity, tied: Tied, parts: list[str]) -> Value:
    assert tied.redis is not None
    try:
        with _span(activity, tied.redis, parts[0]):
            try:
                return Ok(value_of(await tied.command(*parts)))
            except (RedisUnavailable, RedisError) as trouble:
                raise fault_for(trouble) from trouble
    except Fault as fault:
        why = fault.__cause__
        return failed(why.tamil, why.english) if isinstance(why, RedisUnavailable) else Err(str(why))


@word("_redisClose")
def disconnect(activity: Activity) -> bool:
    """ரெடிஸ்_பிரி: was one open?"""
    tied = _tied(activity)
    if _is_top_level(activity):
        activity.service.redis = None
    if tied is None:
        return False
    tied.end()
    _tie(activity, None)
    return True
