"""The client against servers that are slow, hostile, locked, encrypted or gone."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from random import Random
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import trio
import trustme

from etamil_actors.ports.redis import RedisError, RedisSettings, RedisUnavailable
from etamil_actors.resources.redis.client import LONGEST_PAUSE, SystemRedis
from tests.resources.servers import OwnServer, free_port, own_server, url_of

PASSWORD = "மிக/ரகசியம்@1"
QUOTED = "%E0%AE%AE%E0%AE%BF%E0%AE%95%2F%E0%AE%B0%E0%AE%95%E0%AE%9A%E0%AE%BF%E0%AE%AF%E0%AE%AE%E0%AF%8D%401"


@pytest.fixture
def url() -> str:
    """Where the standard server is. Found out before trio runs, so that a skip tells its reason."""
    return url_of("redis")


@pytest.fixture
def own() -> Iterator[OwnServer]:
    """A server that the test may stop."""
    with own_server("redis") as server:
        yield server


@asynccontextmanager
async def client(
    url: str, most: int = 4, seconds: float = 5.0, most_bytes: int = 10_000, context: ssl.SSLContext | None = None
) -> AsyncIterator[SystemRedis]:
    redis = SystemRedis(RedisSettings(url=url, most=most, seconds=seconds, most_bytes=most_bytes), context)
    try:
        yield redis
    finally:
        with trio.CancelScope(shield=True):
            await redis.close()


@asynccontextmanager
async def serving(handle: Callable[[trio.SocketStream], Awaitable[None]]) -> AsyncIterator[str]:
    """A server whose connections this function has."""

    async def guarded(stream: trio.SocketStream) -> None:
        try:
            await handle(stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the client has gone

    async with trio.open_nursery() as nursery:
        serve = partial(trio.serve_tcp, guarded, 0, host="127.0.0.1")
        listeners: list[trio.SocketListener] = await nursery.start(serve)
        yield f"127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


# ---- the pool --------------------------------------------------------------------------


async def test_there_are_never_more_connections_than_allowed(url: str) -> None:
    key = f"etamil-test:{uuid4().hex}"
    async with client(url, most=3) as redis:
        most = 0

        async def count() -> None:
            nonlocal most
            for _ in range(5):
                await redis.command("INCR", key)
                most = max(most, redis.facts().open)

        async with trio.open_nursery() as nursery:
            for _ in range(100):
                nursery.start_soon(count)
        assert await redis.command("GETDEL", key) == b"500"
        facts = redis.facts()
        assert most <= 3 and facts.opened <= 3 and not facts.busy and not facts.waiting and not facts.failed


async def test_who_waits_longer_than_allowed_is_told_what_for(url: str) -> None:
    async with client(url, most=2, seconds=0.1) as redis:
        leases = [await redis.lease() for _ in range(2)]
        with pytest.raises(RedisUnavailable, match=r"no connection became free within 0\.1 s \(there are 2\)"):
            await redis.command("PING")
        redis.give_back(leases[0])
        assert await redis.command("PING") == b"PONG"
        redis.give_back(leases[1])
        redis.give_back(leases[1])
        assert redis.facts().open == 2


async def test_those_who_wait_are_served_in_their_order(url: str) -> None:
    async with client(url, most=1) as redis:
        lease = await redis.lease()
        order: list[int] = []

        async def ask(number: int) -> None:
            await redis.command("PING")
            order.append(number)

        async with trio.open_nursery() as nursery:
            for number in range(10):
                nursery.start_soon(ask, number)
                while redis.facts().waiting <= number:
                    await trio.lowlevel.checkpoint()
            redis.give_back(lease)
        assert order == list(range(10))


async def test_a_storm_of_cancellations_leaves_a_whole_pool(url: str) -> None:
    key = f"etamil-test:{uuid4().hex}"
    random = Random(7)
    async with client(url, most=4) as redis:

        async def ask(number: int) -> None:
            for turn in range(10):
                text = f"{number}-{turn}"
                with trio.move_on_after(random.random() * 0.004):
                    if random.random() < 0.3:
                        assert await redis.command("BLPOP", f"{key}:none", 1) is None
                    else:
                        assert await redis.command("ECHO", text) == text.encode()

        async with trio.open_nursery() as nursery:
            for number in range(40):
                nursery.start_soon(ask, number)
        assert redis.facts()[1:3] == (0, 0)
        for number in range(20):
            assert await redis.command("ECHO", number) == b"%d" % number
        assert redis.facts().open <= 4


# ---- servers that do not behave ---------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "english"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "unknown kind"),
        (b"+OK\r\n+OK\r\n", "more than one reply"),
        (b"$20000\r\n", "more than 10000 bytes"),
        (b"*1000000\r\n", "more than 10000 bytes"),
        (b"*1\r\n" * 100, "arrays in arrays"),
        (b"$5\r\nhal", "has closed the connection"),
        (b"", "has closed the connection"),
    ],
)
async def test_an_answer_that_is_none_is_an_error_and_ends_the_connection(answer: bytes, english: str) -> None:
    async def handle(stream: trio.SocketStream) -> None:
        await stream.receive_some(100)
        await stream.send_all(answer)

    async with serving(handle) as url, client(url) as redis:
        with pytest.raises(RedisUnavailable, match=english) as caught:
            await redis.command("GET", "k")
        assert str(caught.value).startswith(url) and caught.value.tamil.startswith(url)
        assert redis.facts().open == 0


async def test_an_error_of_the_server_keeps_the_connection(url: str) -> None:
    async with client(url) as redis:
        for _ in range(3):
            with pytest.raises(RedisError, match="unknown command"):
                await redis.command("கட்டளை")
        assert redis.facts().opened == 1


async def test_a_server_that_says_nothing_is_not_waited_for() -> None:
    async def handle(stream: trio.SocketStream) -> None:
        await trio.sleep_forever()

    async with serving(handle) as url, client(url, seconds=0.05) as redis:
        with pytest.raises(RedisUnavailable, match=r"no answer within 0\.05 s"):
            await redis.command("GET", "k")
        assert redis.facts().open == 0


async def test_a_server_that_does_not_read_is_not_waited_for() -> None:
    async def handle(stream: trio.SocketStream) -> None:
        await trio.sleep_forever()

    async with serving(handle) as url, client(url, seconds=0.1) as redis:
        with pytest.raises(RedisUnavailable, match="no answer within"):
            await redis.command("SET", "k", b"x" * 20_000_000)


async def test_an_idle_connection_that_the_server_has_closed_is_not_used() -> None:
    connections = 0

    async def handle(stream: trio.SocketStream) -> None:
        nonlocal connections
        connections += 1
        await stream.receive_some(100)
        await stream.send_all(b"+OK\r\n")

    async with serving(handle) as url, client(url) as redis:
        for _ in range(3):
            assert await redis.command("GET", "k") == b"OK"
            await _until_closed(redis)
        assert connections == 3 and redis.facts().failed >= 2


async def _until_closed(redis: SystemRedis) -> None:
    with trio.fail_after(5):
        while redis._idle[0].is_fit():
            await trio.lowlevel.checkpoint()


async def test_a_reply_that_nobody_asked_for_is_not_taken_for_the_next() -> None:
    connections = 0
    is_read = trio.Event()

    async def handle(stream: trio.SocketStream) -> None:
        nonlocal connections
        connections += 1
        await stream.receive_some(100)
        await stream.send_all(b"+first\r\n")
        await is_read.wait()
        await stream.send_all(b"+late\r\n")
        await trio.sleep_forever()

    async with serving(handle) as url, client(url) as redis:
        assert await redis.command("GET", "k") == b"first"
        is_read.set()
        await _until_closed(redis)
        is_read = trio.Event()
        assert await redis.command("GET", "k") == b"first"
        assert connections == 2


# ---- servers that cannot be reached ------------------------------------------------------


async def test_nobody_listens() -> None:
    async with client(f"127.0.0.1:{free_port()}") as redis:
        with pytest.raises(RedisUnavailable, match="cannot connect") as caught:
            await redis.command("PING")
        assert "இணைக்க முடியவில்லை" in caught.value.tamil


async def test_a_server_in_trouble_is_not_asked_again_and_again() -> None:
    connections, is_well = 0, False

    async def handle(stream: trio.SocketStream) -> None:
        nonlocal connections
        connections += 1
        await stream.receive_some(100)
        await stream.send_all(b"+OK\r\n" if is_well else b"-WRONGPASS no\r\n")
        await stream.receive_some(100)
        await stream.send_all(b"+PONG\r\n")

    async with serving(handle) as url, client(f"redis://:x@{url}") as redis:
        for _ in range(50):
            with pytest.raises(RedisUnavailable, match="login refused: WRONGPASS no"):
                await redis.command("PING")
        assert connections <= 3
        is_well = True
        with trio.fail_after(3 * LONGEST_PAUSE):
            while True:
                try:
                    assert await redis.command("PING") == b"PONG"
                    break
                except RedisUnavailable:
                    await trio.sleep(0.005)
        facts = redis.facts()
        assert facts.opened == 1 and not facts.busy and not facts.waiting


# ---- who may come in --------------------------------------------------------------------


async def test_a_password_and_a_user(own: OwnServer) -> None:
    async with client(own.url) as redis:
        await redis.command("CONFIG", "SET", "requirepass", PASSWORD)
        await redis.command("ACL", "SETUSER", "kumar", "on", f">{PASSWORD}", "~*", "+@all")
    place = urlsplit(own.url).netloc
    for user in ("", "kumar"):
        async with client(f"redis://{user}:{QUOTED}@{place}/3") as redis:
            assert await redis.command("SET", "k", 1) == b"OK"
            assert redis.name == f"{place}/3"
    async with client(own.url) as redis:
        with pytest.raises(RedisError, match="NOAUTH"):
            await redis.command("PING")
    async with client(f"redis://:{QUOTED}x@{place}") as redis:
        with pytest.raises(RedisUnavailable, match="login refused: WRONGPASS") as caught:
            await redis.command("PING")
        assert PASSWORD not in str(caught.value) and QUOTED not in str(caught.value)


@asynccontextmanager
async def encrypted(authority: trustme.CA, url: str, host: str = "127.0.0.1") -> AsyncIterator[str]:
    """The server at this URL behind TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    parts = urlsplit(url)

    async def handle(outside: trio.SocketStream) -> None:
        stream = trio.SSLStream(outside, context, server_side=True, https_compatible=True)
        try:
            await stream.do_handshake()
        except (trio.BrokenResourceError, ssl.SSLError):
            return
        inside = await trio.open_tcp_stream(parts.hostname or "127.0.0.1", parts.port or 6379)
        async with inside, trio.open_nursery() as nursery:
            nursery.start_soon(pump, stream, inside, nursery.cancel_scope)
            nursery.start_soon(pump, inside, stream, nursery.cancel_scope)

    async def pump(source: trio.abc.Stream, target: trio.abc.Stream, scope: trio.CancelScope) -> None:
        while data := await source.receive_some(65536):
            await target.send_all(data)
        scope.cancel()

    async with serving(handle) as place:
        yield place.replace("127.0.0.1", host)


async def test_tls_with_an_authority_that_is_trusted(url: str) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context()
    authority.configure_trust(context)
    key = f"etamil-test:{uuid4().hex}"
    async with encrypted(authority, url) as place, client(f"rediss://{place}/9", context=context) as redis:
        for number in range(5):
            await redis.command("SET", key, b"x" * number * 1000)
            assert await redis.command("GET", key) == b"x" * number * 1000
        await redis.command("DEL", key)
        assert redis.facts().opened == 1


async def test_tls_with_an_authority_that_is_not(url: str) -> None:
    async with encrypted(trustme.CA(), url) as place, client(f"rediss://{place}/9") as redis:
        with pytest.raises(RedisUnavailable, match=r"cannot connect: .*certificate"):
            await redis.command("PING")


async def test_tls_for_another_host(url: str) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context()
    authority.configure_trust(context)
    async with (
        encrypted(authority, url, "localhost") as place,
        client(f"rediss://{place.replace('localhost', '127.0.0.1')}/9", context=context) as redis,
    ):
        with pytest.raises(RedisUnavailable, match=r"cannot connect: .*certificate"):
            await redis.command("PING")


# ---- a server that goes and comes back -----------------------------------------------------


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_the_pool_heals_when_the_server_comes_back_under_load(how: str, own: OwnServer) -> None:
    async with client(own.url, most=5) as redis:
        counted = 0
        lost = 0
        is_over = False

        async def count() -> None:
            nonlocal counted, lost
            while not is_over:
                try:
                    assert isinstance(await redis.command("INCR", "n"), int)
                    counted += 1
                except RedisUnavailable:
                    lost += 1
                    await trio.sleep(0.002)
                except RedisError as problem:  # it is still loading what it had
                    assert str(problem).startswith("LOADING")
                    await trio.sleep(0.002)

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(count)
            for _ in range(2):
                await _until(lambda before=counted: counted > before + 50)  # type: ignore[misc]
                await _away_and_back(own, how)
                await _until(lambda before=counted: counted > before + 50)  # type: ignore[misc]
            is_over = True
        assert lost
        # Each one that was answered was counted; one that was not may have been.
        kept = await redis.command("GET", "n")
        assert isinstance(kept, bytes) and counted <= int(kept) <= counted + lost
        facts = redis.facts()
        assert not facts.busy and not facts.waiting and facts.open <= 5


async def _until(is_so: Callable[[], bool]) -> None:
    with trio.fail_after(20):
        while not is_so():  # noqa: ASYNC110  counters tell nobody
            await trio.sleep(0.005)


async def _away_and_back(server: OwnServer, how: str) -> None:
    await trio.to_thread.run_sync(getattr(server, how))
    await trio.to_thread.run_sync(server.start)
