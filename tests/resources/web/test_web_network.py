"""What only real connections have: pools, limits, broken ones, names that change their meaning, TLS."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
import trustme

from etamil_actors.ports.web import WebError, WebSettings
from etamil_actors.resources.web import SystemWeb
from etamil_actors.resources.web.simulated import Answer, Asked
from tests.resources.web.serving import Names, Reader, Server, opened, pool_of, raw_server


async def get(web: SystemWeb, url: str, method: str = "GET") -> Any:
    return await web.request(method, url, None, [])


async def trouble(awaitable: Any) -> str:
    """Why there is no answer."""
    with pytest.raises(WebError) as caught:
        await awaitable
    return caught.value.english


# ---- the pool -------------------------------------------------------------------------


async def test_nothing_is_opened_before_the_first_request() -> None:
    async with opened() as web:
        assert web._client is None
        assert pool_of(web).connections == 0


async def test_a_connection_is_used_again() -> None:
    async with Server({"/": Answer(200, "x")}).open() as server, opened() as web:
        for _ in range(10):
            assert (await get(web, server.url)).body == b"x"
        assert server.connections == 1
        assert pool_of(web).connections == 1


async def test_a_closed_client_has_no_connections_and_opens_new_ones() -> None:
    async with Server({"/": Answer()}).open() as server, opened() as web:
        await get(web, server.url)
        await web.close()
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert server.ended == ["them"]
        await get(web, server.url)
        assert server.connections == 2


async def ask_many(web: SystemWeb, urls: Sequence[str]) -> None:
    async with trio.open_nursery() as nursery:
        for url in urls:
            nursery.start_soon(get, web, url)


async def brief(asked: Asked) -> Answer:
    await trio.sleep(0.01)
    return Answer()


async def test_one_server_gets_so_many_requests_at_once_and_no_more() -> None:
    async with Server({"/": brief}).open() as server, opened(WebSettings(per_host=3)) as web:
        await ask_many(web, [server.url] * 30)
        assert server.most_busy == 3
        assert server.connections <= 3
        assert len(pool_of(web)._gates) == 0


async def test_all_servers_together_get_so_many_connections_and_no_more() -> None:
    settings = WebSettings(connections=4, per_host=3)
    async with (
        Server({"/": brief}).open() as one, Server({"/": brief}).open() as two, opened(settings) as web,
    ):  # fmt: skip
        await ask_many(web, [one.url, two.url] * 15)
        assert pool_of(web).connections <= 4
        assert one.most_busy <= 3
        assert two.most_busy <= 3


async def test_a_slow_server_does_not_keep_the_connections_of_others() -> None:
    settings = WebSettings(connections=4, per_host=2)
    async with Server({"/": Answer()}).open() as slow, Server({"/": Answer()}).open() as quick:
        slow.hold = trio.Event()
        async with opened(settings) as web, trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(get, web, slow.url)
            await slow.arrived.wait()
            with trio.fail_after(5):
                await ask_many(web, [quick.url] * 10)
            slow.hold.set()


async def test_a_storm_of_cancellations_leaks_no_slot() -> None:
    settings = WebSettings(connections=4, per_host=4)
    async with Server({"/": brief}).open() as server, opened(settings) as web:

        async def impatient(seconds: float) -> None:
            with trio.move_on_after(seconds):
                await get(web, server.url)

        for round_number in range(8):
            async with trio.open_nursery() as nursery:
                for number in range(25):
                    nursery.start_soon(impatient, 0.0007 * number + 0.0003 * round_number)
        assert len(pool_of(web)._gates) == 0
        with trio.fail_after(5):
            await ask_many(web, [server.url] * 12)
        assert pool_of(web).connections <= 4


async def test_a_cancelled_request_closes_its_connection() -> None:
    async with Server({"/": Answer()}).open() as server, opened() as web:
        server.hold = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(get, web, server.url)
            await server.arrived.wait()
            nursery.cancel_scope.cancel()
        assert pool_of(web).connections == 0
        server.hold.set()


# ---- connections that break -----------------------------------------------------------


def answers_once_then_closes(seen: list[str]) -> Any:
    """A server that closes a connection when the second request has come, without a word."""

    async def serve(stream: trio.SocketStream) -> None:
        reader = Reader(stream)
        for step in range(2):
            asked = await reader.request()
            if asked is None:
                return
            seen.append(f"{asked.method} {step}")
            if step:
                return
            await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")

    return serve


async def test_a_request_that_may_come_twice_is_sent_again_when_an_old_connection_breaks() -> None:
    seen: list[str] = []
    async with raw_server(answers_once_then_closes(seen)) as url, opened() as web:
        await get(web, url)
        assert (await get(web, url)).body == b"x"
    assert seen == ["GET 0", "GET 1", "GET 0"]


async def test_a_request_that_may_not_come_twice_fails_then() -> None:
    seen: list[str] = []
    async with raw_server(answers_once_then_closes(seen)) as url, opened() as web:
        await get(web, url)
        assert "not a whole one" in await trouble(get(web, url, "POST"))
    assert seen == ["GET 0", "POST 1"]


async def test_a_new_connection_that_breaks_is_not_tried_again() -> None:
    count = 0

    async def serve(stream: trio.SocketStream) -> None:
        nonlocal count
        count += 1
        await stream.receive_some(65536)
        await trio.aclose_forcefully(stream)

    async with raw_server(serve) as url, opened() as web:
        assert await trouble(get(web, url))
    assert count == 1


async def test_an_idle_connection_that_the_server_has_closed_is_not_used() -> None:
    async def serve(stream: trio.SocketStream) -> None:
        asked = await Reader(stream).request()
        assert asked is not None
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
        await stream.aclose()

    async with raw_server(serve) as url, opened() as web:
        for _ in range(5):
            assert (await get(web, url, "POST")).body == b"x"
            await trio.testing.wait_all_tasks_blocked(0.02)


@pytest.mark.parametrize(
    ("data", "said"),
    (
        (b"", "not a whole one"),
        (b"hello\r\n\r\n", "not a whole one"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "not a whole one"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "not a whole one"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n", "not a whole one"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000 + b"\r\n\r\n", "not a whole one"),
    ),
)
async def test_what_is_no_whole_answer_is_none(data: bytes, said: str) -> None:
    async def serve(stream: trio.SocketStream) -> None:
        await Reader(stream).request()
        try:
            await stream.send_all(data)
        except trio.BrokenResourceError:
            return
        await stream.aclose()

    async with raw_server(serve) as url, opened() as web:
        assert said in await trouble(get(web, url))
        assert pool_of(web).connections == 0


async def test_a_body_without_a_length_ends_with_the_connection() -> None:
    async def serve(stream: trio.SocketStream) -> None:
        await Reader(stream).request()
        await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        await stream.aclose()

    async with raw_server(serve) as url, opened() as web:
        assert (await get(web, url)).body == b"all of it"


async def test_a_body_without_end_ends_at_the_limit() -> None:
    async def serve(stream: trio.SocketStream) -> None:
        await Reader(stream).request()
        try:
            await stream.send_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                await stream.send_all(b"2710\r\n" + b"x" * 10_000 + b"\r\n")
        except trio.BrokenResourceError:
            pass

    async with raw_server(serve) as url, opened(WebSettings(body_bytes=100_000)) as web:
        assert "larger than 100000 bytes" in await trouble(get(web, url))
        assert pool_of(web).connections == 0


async def test_a_server_that_drips_is_given_up_in_time() -> None:
    async def serve(stream: trio.SocketStream) -> None:
        await Reader(stream).request()
        try:
            await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while True:
                await stream.send_all(b"x")
                await trio.sleep(0.02)
        except trio.BrokenResourceError:
            pass

    async with raw_server(serve) as url, opened(WebSettings(seconds=0.3)) as web:
        assert "within 0.3 s" in await trouble(get(web, url))
        assert pool_of(web).connections == 0


# ---- names and addresses --------------------------------------------------------------


async def test_what_was_checked_is_what_is_connected_to() -> None:
    """A name that means something else when it is asked the second time gains nothing by it."""

    class Rebinding(Names):
        async def resolve(self, host: str, port: int) -> Sequence[str]:
            await super().resolve(host, port)
            return ["127.0.0.1"] if len(self.looked_up) == 1 else ["169.254.169.254"]

    names = Rebinding({"a.example": []})
    async with Server({"/": Answer(200, "x", [("Connection", "close")])}).open() as server:
        async with opened(resolve=names.resolve) as web:
            url = server.url.replace("127.0.0.1", "a.example")
            assert (await get(web, url)).body == b"x"
            assert len(names.looked_up) == 1
            assert "may not be asked" in await trouble(get(web, url))
        assert len(server.asked) == 1


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    names = {"a.example": ["::1", "127.0.0.9", "127.0.0.1"]}
    async with Server({"/": Answer()}).open() as server, opened(names=names) as web:
        assert (await get(web, server.url.replace("127.0.0.1", "a.example"))).status == 200
        assert server.asked[0].headers["host"] == f"a.example:{server.port}"


async def test_a_name_that_is_looked_up_for_too_long_is_given_up() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        await trio.sleep_forever()
        return ()

    async with opened(WebSettings(connect_seconds=0.1), resolve=resolve) as web:
        assert await trouble(get(web, "http://a.example/")) == "‘a.example’ could not be connected to within 0.1 s"


async def test_names_are_looked_up_as_the_system_does() -> None:
    async with Server({"/": Answer()}).open() as server:
        web = SystemWeb(WebSettings(), {}.get)
        try:
            assert (await get(web, server.url.replace("127.0.0.1", "localhost"))).status == 200
            assert "no address" in await trouble(get(web, "http://nowhere.invalid/"))
        finally:
            await web.close()


# ---- TLS ------------------------------------------------------------------------------


class Authority:
    """Certificates of our own, as files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = trustme.CA()
        self.authority.cert_pem.write_to_path(folder / "authority.pem")
        client = self.authority.issue_cert("client@example.org")
        client.cert_chain_pems[0].write_to_path(folder / "client.pem")
        client.private_key_pem.write_to_path(folder / "client.key")

    def server(self, *names: str, asks: bool = False) -> ssl.SSLContext:
        """What a server of these names has; one that ``asks`` wants a certificate of its client."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.authority.issue_cert(*names).configure_cert(context)
        if asks:
            context.verify_mode = ssl.CERT_REQUIRED
            self.authority.configure_trust(context)
        return context

    def environment(self, **more: str) -> dict[str, str]:
        return {"ETAMIL_TLS_CA": str(self.folder / "authority.pem"), **more}

    @property
    def own(self) -> dict[str, str]:
        """A certificate for the client."""
        return {
            "ETAMIL_TLS_CERT": str(self.folder / "client.pem"), "ETAMIL_TLS_KEY": str(self.folder / "client.key"),
        }  # fmt: skip


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


async def test_a_certificate_of_a_root_that_was_added_is_trusted(authority: Authority) -> None:
    there = Server({"/": Answer(200, "x")}, tls=authority.server("127.0.0.1"))
    async with there.open() as server, opened(environment=authority.environment()) as web:
        assert [(await get(web, server.url)).body for _ in range(3)] == [b"x"] * 3
        assert server.connections == 1


async def test_a_certificate_of_nobody_is_not_trusted(authority: Authority) -> None:
    async with Server({"/": Answer()}, tls=authority.server("127.0.0.1")).open() as server, opened() as web:
        assert await trouble(get(web, server.url)) == (
            "the certificate of ‘127.0.0.1’ is not trusted: unable to get local issuer certificate"
        )
        assert server.asked == []


async def test_a_certificate_has_to_be_for_the_name_that_was_asked(authority: Authority) -> None:
    names = {"right.example": ["127.0.0.1"], "wrong.example": ["127.0.0.1"]}
    there = Server({"/": Answer()}, tls=authority.server("right.example"))
    async with there.open() as server, opened(names=names, environment=authority.environment()) as web:
        assert (await get(web, server.url.replace("127.0.0.1", "right.example"))).status == 200
        said = await trouble(get(web, server.url.replace("127.0.0.1", "wrong.example")))
        assert "‘wrong.example’ is not trusted: Hostname mismatch" in said


async def test_the_certificate_of_the_client_is_offered(authority: Authority) -> None:
    async with Server({"/": Answer()}, tls=authority.server("127.0.0.1", asks=True)).open() as server:
        async with opened(environment=authority.environment(**authority.own)) as web:
            assert (await get(web, server.url)).status == 200
        async with opened(environment=authority.environment()) as web:
            assert await trouble(get(web, server.url))


async def test_a_server_without_tls_is_no_answer() -> None:
    async def serve(stream: trio.SocketStream) -> None:
        await stream.receive_some(10)
        await stream.send_all(b"HTTP/1.1 400 Bad\r\n\r\n")
        await stream.aclose()

    async with raw_server(serve) as url, opened() as web:
        assert "TLS failed" in await trouble(get(web, url.replace("http:", "https:")))
        assert pool_of(web).connections == 0


async def test_a_handshake_that_does_not_end_is_given_up() -> None:
    async def serve(stream: trio.SocketStream) -> None:
        await trio.sleep_forever()

    async with raw_server(serve) as url, opened(WebSettings(connect_seconds=0.2)) as web:
        assert "TLS was not set up in time" in await trouble(get(web, url.replace("http:", "https:")))
        assert pool_of(web).connections == 0


@pytest.mark.parametrize(
    ("settings", "said"),
    (
        ({"ETAMIL_TLS_CA": "/nowhere.pem"}, "ETAMIL_TLS_CA cannot be used and is ignored: No such file or directory"),
        ({"ETAMIL_TLS_CERT": "{client}"}, "ETAMIL_TLS_CERT cannot be used and is ignored: there is no ETAMIL_TLS_KEY"),
        ({"ETAMIL_TLS_KEY": "{key}"}, "ETAMIL_TLS_KEY cannot be used and is ignored: there is no ETAMIL_TLS_CERT"),
        ({"ETAMIL_TLS_CERT": "{client}", "ETAMIL_TLS_KEY": "{other}"}, "ETAMIL_TLS_CERT and ETAMIL_TLS_KEY: "),
    ),
)  # fmt: skip
async def test_settings_of_tls_that_cannot_be_used_are_told_once_and_ignored(
    authority: Authority, settings: dict[str, str], said: str
) -> None:
    class Keeper:
        told: list[str] = []

        def start(self, name: str, run: Any) -> None:
            raise AssertionError(name)

        def at_close(self, close: Any) -> None:
            pass

        def tell(self, tamil: str, english: str) -> None:
            self.told.append(english)

    keeper = Keeper()
    keeper.told = []
    files = {"client": "client.pem", "key": "client.key", "other": "authority.pem"}
    paths = {name: str(authority.folder / file) for name, file in files.items()}
    given = {name: value.format(**paths) for name, value in settings.items()}
    async with Server({"/": Answer()}).open() as server, opened(environment=given) as web:
        web.keep(keeper)
        for _ in range(2):
            assert (await get(web, server.url)).status == 200
    [told] = keeper.told
    assert told.startswith(said)


async def test_a_redirect_from_tls_to_plain_drops_secrets(authority: Authority) -> None:
    async with Server({"/": Answer()}).open() as plain:
        table = {"/": Answer(302, "", [("Location", plain.url)])}
        there = Server(table, tls=authority.server("127.0.0.1"))
        async with there.open() as secure, opened(environment=authority.environment()) as web:
            await web.request("GET", secure.url, None, [("Authorization", "Bearer t")])
        assert "authorization" in secure.asked[0].headers
        assert "authorization" not in plain.asked[0].headers
