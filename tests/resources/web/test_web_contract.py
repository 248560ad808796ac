"""What a web client promises, of the real one and of the simulated one (REFERENCE §22)."""

from __future__ import annotations

import encodings
import gzip
import zlib
from collections.abc import Callable
from typing import Any

import pytest
import trio

from etamil_actors.ports.web import WebError, WebSettings
from etamil_actors.resources.web.client import charset_of
from etamil_actors.resources.web.simulated import Answer, Asked, SimulatedWeb
from tests.resources.web.serving import World, real_world, simulated_world

METADATA = "169.254.169.254"

Worlds = Callable[..., Any]


@pytest.fixture(params=("real", "simulated"))
def world(request: pytest.FixtureRequest) -> Worlds:
    """Opens a client with a server: ``async with world({"/": Answer()}) as there``."""
    opens = real_world if request.param == "real" else simulated_world

    def open_one(table: Any, *, names: Any = None, hosts: Any = (), **settings: Any) -> Any:
        return opens(table, settings=WebSettings(**settings), names=names or {}, hosts=hosts)

    return open_one


def told(asked: Asked) -> Answer:
    """Answers with what it was asked."""
    lines = [f"{name}={value}" for name, value in sorted(asked.headers.items())]
    return Answer(200, "\n".join((asked.method, asked.body.decode(), *lines)))


async def trouble(awaitable: Any) -> str:
    """Why there is no answer."""
    with pytest.raises(WebError) as caught:
        await awaitable
    assert caught.value.tamil != caught.value.english
    return caught.value.english


# ---- asking and answering -------------------------------------------------------------


@pytest.mark.parametrize("status", (200, 201, 204, 304, 400, 404, 418, 500, 503))
async def test_any_status_is_an_answer(world: Worlds, status: int) -> None:
    async with world({"/": Answer(status)}) as there:
        assert (await there.get("/")).status == status


async def test_headers_have_small_names_and_lines_of_one_name_are_joined(world: Worlds) -> None:
    headers = [
        ("X-One", "1"),
        ("Set-Cookie", "a=1"),
        ("Set-Cookie", "b=2"),
        ("X-தமிழ்".encode().decode("latin-1"), "x"),
    ]
    async with world({"/": Answer(200, "", headers[:3])}) as there:
        answer = await there.get("/")
    assert answer.headers["x-one"] == "1"
    assert answer.headers["set-cookie"] == "a=1, b=2"


async def test_a_header_of_tamil_text_arrives(world: Worlds) -> None:
    async with world({"/": told}) as there:
        answer = await there.get("/", **{"X-Name": "எழில்"})
    assert "x-name=எழில்" in answer.body.decode().splitlines()


async def test_method_body_and_headers_arrive(world: Worlds) -> None:
    async with world({"/": told}) as there:
        answer = await there.request("put", "/?அ=1&b=x y", "வணக்கம்".encode(), {"Content-Type": "text/plain"})
    lines = answer.body.decode().splitlines()
    assert lines[:2] == ["PUT", "வணக்கம்"]
    assert "content-type=text/plain" in lines
    assert f"content-length={len('வணக்கம்'.encode())}" in lines
    assert "accept-encoding=gzip, deflate" in lines
    assert any(line.startswith("user-agent=etamil-actors/") for line in lines)
    [asked] = there.asked
    assert asked.url.endswith("/?%E0%AE%85=1&b=x%20y")


async def test_no_body_is_not_an_empty_one(world: Worlds) -> None:
    async with world({"/": told}) as there:
        await there.request("GET", "/")
        await there.request("DELETE", "/")
        await there.request("POST", "/")
        await there.request("DELETE", "/", b"")
    assert [asked.headers.get("content-length") for asked in there.asked] == [None, None, "0", "0"]


async def test_what_the_program_says_replaces_what_we_say(world: Worlds) -> None:
    async with world({"/": told}) as there:
        await there.get("/", **{"user-agent": "mine", "ACCEPT": "text/html", "Host": "other.example"})
    [asked] = there.asked
    assert asked.headers["user-agent"] == "mine"
    assert asked.headers["accept"] == "text/html"
    assert asked.headers["host"] == "other.example"


async def test_headers_of_the_connection_are_ours(world: Worlds) -> None:
    given = {
        "Content-Length": "99",
        "Transfer-Encoding": "chunked",
        "Connection": "close",
        "Expect": "100-continue",
    }
    async with world({"/": told}) as there:
        await there.request("POST", "/", b"x", given)
    [asked] = there.asked
    assert asked.headers["content-length"] == "1"
    assert not {"transfer-encoding", "connection", "expect"} & asked.headers.keys()


async def test_name_and_password_in_a_url_are_told_and_not_sent_as_part_of_it(world: Worlds) -> None:
    async with world({"/": told}) as there:
        await there.get(there.url.replace("//", "//%E0%AE%85:p%40ss@") + "/")
        await there.request(
            "GET", there.url.replace("//", "//a:b@") + "/", None, {"Authorization": "Bearer x"}
        )
        await there.get(there.url.replace("//", "//a@") + "/")
    assert there.asked[0].headers["authorization"] == "Basic 4K6FOnBAc3M="
    assert there.asked[2].headers["authorization"] == "Basic YTo="  # a: without a password
    assert "@" not in there.asked[0].headers["host"] + there.asked[0].url
    assert there.asked[1].headers["authorization"] == "Bearer x"


async def test_the_answer_to_head_has_headers_and_no_body(world: Worlds) -> None:
    headers = [("Content-Length", "99999999999"), ("Content-Encoding", "gzip")]
    async with world({"/": Answer(200, "", headers)}) as there:
        answer = await there.request("HEAD", "/")
    assert (answer.status, answer.body) == (200, b"")


async def test_the_charset_is_as_the_answer_says(world: Worlds) -> None:
    types = {
        "/latin": "text/plain; charset=ISO-8859-1", "/quoted": 'text/plain; x=1; Charset="UTF-16"',
        "/unsaid": "text/plain", "/unknown": "text/plain; charset=klingon", "/codec": "text/plain; charset=base64",
        "/escape": "text/plain; charset=unicode_escape", "/colon": "text/html; charset=iso-8859-1:1987",
        "/path": "text/plain; charset=../os", "/long": "text/plain; charset=" + "x" * 9_000, "/none": "text/plain; charset=",
    }  # fmt: skip
    table = {path: Answer(200, "", [("Content-Type", kind)]) for path, kind in types.items()}
    async with world(table) as there:
        found = [(await there.get(path)).charset for path in types]
    assert found == ["iso8859-1", "utf-16", *["utf-8"] * 4, "iso8859-1", *["utf-8"] * 3]


def test_servers_do_not_fill_the_memory_with_names_of_charsets() -> None:
    known = len(encodings._cache)  # type: ignore[attr-defined]
    for number in range(50):
        assert charset_of({"content-type": f"text/plain; charset=none-{number}"}) == "utf-8"
    assert len(encodings._cache) == known  # type: ignore[attr-defined]


# ---- what cannot be asked -------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    (
        "",
        "/",
        "எங்கோ",
        "127.0.0.1:80/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://",
        "http:///x",
        "http://:80/",
        "http://a b/",
        "http://a..b/",
        "http://-/",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:0/",
        "http://[::1",
        "http://[fe80::1%25eth0]/",
        "http://256.1.1.1/",
        "http://1.2.3.4.5/",
        "http://0x/x\r\nX: y",
        "http://" + "a" * 70 + ".example/",
        "http://127.0.0.1/" + "a" * 20_000,
    ),
)
async def test_what_is_no_url_is_not_asked(world: Worlds, url: str) -> None:
    async with world({"/": Answer()}) as there:
        assert await trouble(there.client.request("GET", url, None, []))
        assert there.asked == []


@pytest.mark.parametrize("method", ("", "GE T", "GET\r\nX: y", "CONNECT", "TRACE", "கேள்", "A" * 40))
async def test_what_is_no_method_is_not_asked(world: Worlds, method: str) -> None:
    async with world({"/": Answer()}) as there:
        assert await trouble(there.request(method, "/")) == "this method cannot be used"
        assert there.asked == []


@pytest.mark.parametrize(
    "header",
    (("X-A", "1\r\nX-B: 2"), ("X-A\r\nX-B", "1"), ("", "1"), ("X A", "1"), ("தமிழ்", "1"), ("X", "\0")),
)
async def test_a_header_cannot_smuggle_another(world: Worlds, header: tuple[str, str]) -> None:
    async with world({"/": Answer()}) as there:
        assert "header" in await trouble(there.request("GET", "/", None, dict([header])))
        assert there.asked == []


async def test_a_name_without_an_address_is_no_answer(world: Worlds) -> None:
    async with world({"/": Answer()}) as there:
        assert (
            await trouble(there.get("http://nowhere.example/")) == "there is no address for ‘nowhere.example’"
        )


async def test_a_server_that_does_not_listen_is_no_answer(world: Worlds) -> None:
    async with world({"/": Answer()}) as there:
        assert await trouble(there.get("http://127.0.0.1:1/")) == "‘127.0.0.1:1’ refuses connections"


# ---- redirects ------------------------------------------------------------------------


def to(where: str, status: int = 302) -> Answer:
    return Answer(status, "gone", [("Location", where)])


@pytest.mark.parametrize(
    "where", ("/there", "there", "./x/../there", "?a=1", "//{host}/there", "{url}/there#part")
)
async def test_redirects_are_followed_as_they_are_written(world: Worlds, where: str) -> None:
    def start(asked: Asked) -> Answer:
        if asked.url.endswith("?a=1"):
            return Answer(200, "here")
        return to(where.format(url=there.url, host=there.url[7:]))

    async with world({"/": start, "/there": Answer(200, "here")}) as there:
        answer = await there.get("/")
    assert (answer.status, answer.body) == (200, b"here")
    assert len(there.asked) == 2


async def test_five_redirects_are_followed_and_no_sixth(world: Worlds) -> None:
    table = {f"/{step}": to(f"/{step + 1}") for step in range(7)} | {"/7": Answer(200, "end")}
    async with world(table) as there:
        assert (await there.get("/2")).body == b"end"
        there.asked.clear()
        assert await trouble(there.get("/1")) == "there were more than 5 redirects"
        assert len(there.asked) == 6


async def test_a_ring_of_redirects_ends(world: Worlds) -> None:
    async with world({"/": to("/")}, redirects=3) as there:
        assert "more than 3" in await trouble(there.get("/"))


async def test_without_redirects_the_answer_is_that_of_the_first(world: Worlds) -> None:
    async with world({"/": to("/there", 308), "/there": Answer()}, redirects=0) as there:
        answer = await there.get("/")
    assert (answer.status, answer.headers["location"], len(there.asked)) == (308, "/there", 1)


async def test_who_asks_may_want_no_redirects(world: Worlds) -> None:
    async with world({"/": to("/there", 307), "/there": Answer()}) as there:
        answer = await there.client.request("POST", there.url + "/", b"secret", [], follows=False)
    assert (answer.status, answer.headers["location"], len(there.asked)) == (307, "/there", 1)


@pytest.mark.parametrize("status", (300, 304))
async def test_other_statuses_with_a_location_are_answers(world: Worlds, status: int) -> None:
    async with world({"/": Answer(status, "", [("Location", "/there")])}) as there:
        assert (await there.get("/")).status == status


@pytest.mark.parametrize(
    ("method", "status", "then", "body"),
    (
        ("GET", 301, "GET", b""), ("POST", 301, "GET", b""), ("POST", 302, "GET", b""), ("POST", 303, "GET", b""),
        ("PUT", 303, "GET", b""), ("HEAD", 303, "HEAD", b""), ("PUT", 302, "PUT", b"data"),
        ("POST", 307, "POST", b"data"), ("POST", 308, "POST", b"data"), ("DELETE", 308, "DELETE", b"data"),
    ),
)  # fmt: skip
async def test_the_method_after_a_redirect(
    world: Worlds, method: str, status: int, then: str, body: bytes
) -> None:
    given = b"data" if method not in ("GET", "HEAD") else None
    async with world({"/": to("/there", status), "/there": Answer()}) as there:
        await there.request(method, "/", given, {"Content-Type": "text/plain", "X-Mine": "1"})
    last = there.asked[-1]
    assert (last.method, last.body) == (then, body)
    assert ("content-type" in last.headers) == (then == method)
    assert last.headers["x-mine"] == "1"


SECRET = {
    "Authorization": "Bearer t",
    "Cookie": "a=1",
    "X-Api-Key": "k",
    "Proxy-Authorization": "p",
    "X-Mine": "1",
}


async def test_secrets_stay_with_the_origin_that_the_program_has_named(world: Worlds) -> None:
    def start(asked: Asked) -> Answer:
        return to(there.url.replace("127.0.0.1", "other.example") + "/there", 307)

    names = {"other.example": ["127.0.0.1"]}
    async with world({"/": start, "/there": Answer()}, names=names, hosts=["other.example"]) as there:
        await there.request("POST", "/", b"x", {**SECRET, "Host": "a.example"})
    first, second = there.asked
    assert {"authorization", "cookie", "x-api-key", "proxy-authorization"} <= first.headers.keys()
    assert not {"authorization", "cookie", "x-api-key", "proxy-authorization"} & second.headers.keys()
    assert second.headers["x-mine"] == "1"
    assert second.headers["host"].startswith("other.example")


async def test_secrets_go_along_within_one_origin(world: Worlds) -> None:
    async with world({"/": to("/there"), "/there": Answer()}) as there:
        await there.request("GET", "/", None, SECRET)
    assert there.asked[1].headers["authorization"] == "Bearer t"


async def test_an_answer_names_no_user(world: Worlds) -> None:
    def start(asked: Asked) -> Answer:
        return to(there.url.replace("//", "//a:b@") + "/there")

    async with world({"/": start, "/there": Answer()}) as there:
        await there.get("/")
    assert "authorization" not in there.asked[1].headers


@pytest.mark.parametrize(
    "where",
    (
        f"http://{METADATA}/latest/meta-data/", f"//{METADATA}/", "http://[::ffff:169.254.169.254]/", "http://0xa9fea9fe/",
        "http://2852039166/", "http://169.254.43518/", "http://[64:ff9b::a9fe:a9fe]/",
        "http://metadata.google.internal/", f"http://user@{METADATA}:80/", "http://[fe80::1]/", "http://0/",
        "http://bad.example/", "http://169.254.169.254./",
    ),
)  # fmt: skip
async def test_a_redirect_leads_to_no_denied_place(world: Worlds, where: str) -> None:
    names = {"bad.example": [METADATA]}
    async with world({"/": to(where)}, names=names) as there:
        assert "may not be asked" in await trouble(there.get("/"))
        assert len(there.asked) == 1


@pytest.mark.parametrize(
    "where", ("file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1:1/", "http://0251.0376.0251.0376/", "http://[x")
)
async def test_a_redirect_out_of_the_web_is_no_answer(world: Worlds, where: str) -> None:
    async with world({"/": to(where)}) as there:
        assert "URL" in await trouble(there.get("/"))
        assert len(there.asked) == 1


# ---- where one may go -----------------------------------------------------------------


async def test_a_name_is_denied_by_where_it_leads(world: Worlds) -> None:
    names = {
        "one.example": [METADATA],
        "two.example": ["127.0.0.1", METADATA],
        "three.example": ["fe80::1", "::"],
    }
    async with world({"/": Answer()}, names=names, hosts=["two.example"]) as there:
        for host in ("one.example", "three.example"):
            said = await trouble(there.get(f"http://{host}/"))
            assert said.startswith(f"‘{host}’ may not be asked")
            assert METADATA not in said  # what the resolver knows is nobody else's business
        url = there.url.replace("127.0.0.1", "two.example")
        assert (await there.get(url + "/")).status == 200  # over the address that is permitted


async def test_the_deny_list_counts_before_all_else(world: Worlds) -> None:
    names = {"a.bad.example": ["127.0.0.1"], "good.example": ["127.0.0.1"], "inner.example": ["10.1.2.3"]}
    hosts = ("a.bad.example", "good.example", "inner.example")
    deny = ("*.bad.example", "10.0.0.0/8")
    async with world(
        {"/": Answer()}, names=names, hosts=hosts, deny=deny, allow=hosts
    ) as there:
        denied = "the configuration denies it"
        assert denied in await trouble(there.get(there.url.replace("127.0.0.1", "a.bad.example")))
        assert denied in await trouble(there.get(there.url.replace("127.0.0.1", "inner.example")))
        assert (await there.get(there.url.replace("127.0.0.1", "good.example"))).status == 200


async def test_where_something_is_allowed_nothing_else_is(world: Worlds) -> None:
    names = {"good.example": ["127.0.0.1"], "other.example": ["127.0.0.1"]}
    async with world({"/": Answer()}, names=names, hosts=tuple(names), allow=("good.example",)) as there:
        assert (await there.get(there.url.replace("127.0.0.1", "good.example"))).status == 200
        assert "places allowed" in await trouble(there.get(there.url.replace("127.0.0.1", "other.example")))
        assert "places allowed" in await trouble(there.get("/"))


async def test_loopback_can_be_denied(world: Worlds) -> None:
    async with world({"/": Answer()}, deny=("127.0.0.0/8", "::1")) as there:
        for host in ("127.0.0.1", "0x7f.1", "127.1", "2130706433", "[::ffff:127.0.0.1]", "[::1]"):
            assert "denies" in await trouble(there.get(there.url.replace("127.0.0.1", host))), host


async def test_odd_spellings_of_an_address_are_that_address(world: Worlds) -> None:
    async with world({"/": Answer()}) as there:
        for host in ("127.1", "0x7f.1", "2130706433", "127.0.0.1."):
            assert (await there.get(there.url.replace("127.0.0.1", host) + "/")).status == 200
    assert {asked.headers["host"] for asked in there.asked} == {there.url.removeprefix("http://")}


# ---- bodies ---------------------------------------------------------------------------


def packed(coding: str, body: bytes, **more: str) -> Answer:
    return Answer(200, body, [("Content-Encoding", coding), *more.items()])


def bare_deflate(data: bytes) -> bytes:
    maker = zlib.compressobj(wbits=-15)
    return maker.compress(data) + maker.flush()


async def test_packed_bodies_are_unpacked(world: Worlds) -> None:
    data = "வணக்கம் ".encode() * 5000
    table = {
        "/gzip": packed("gzip", gzip.compress(data, mtime=0)),
        "/x": packed("X-GZIP", gzip.compress(data, mtime=0)),
        "/zlib": packed("deflate", zlib.compress(data)),
        "/bare": packed("deflate", bare_deflate(data)),
        "/two": packed("gzip", gzip.compress(data[:999], mtime=0) + gzip.compress(data[999:])),
        "/twice": packed("deflate, gzip", gzip.compress(zlib.compress(data))),
        "/plain": packed("identity", data),
    }
    async with world(table) as there:
        for path in table:
            answer = await there.get(path)
            assert answer.body == data, path
            if path != "/plain":
                assert not {"content-encoding", "content-length"} & answer.headers.keys()


@pytest.mark.parametrize(
    ("coding", "body"),
    (
        ("gzip", b"not packed at all"), ("gzip", gzip.compress(b"x" * 9999, mtime=0)[:-9]), ("deflate", b"\x78\x9cnothing"),
        ("br", b"whatever"), ("gzip, gzip, gzip, gzip", b""), ("gzip", gzip.compress(b"x", mtime=0) + b"rest"),
    ),
)  # fmt: skip
async def test_a_body_that_cannot_be_unpacked_is_no_answer(world: Worlds, coding: str, body: bytes) -> None:
    async with world({"/": packed(coding, body)}) as there:
        assert await trouble(there.get("/")) == "the body cannot be unpacked"


async def test_a_body_beyond_the_limit_is_no_answer(world: Worlds) -> None:
    table = {"/fits": Answer(200, b"x" * 1000), "/not": Answer(200, b"x" * 1001)}
    async with world(table, body_bytes=1000) as there:
        assert len((await there.get("/fits")).body) == 1000
        assert await trouble(there.get("/not")) == "the answer is larger than 1000 bytes"


async def test_what_is_small_and_unpacks_to_much_ends_at_the_limit(world: Worlds) -> None:
    bomb = gzip.compress(gzip.compress(b"\0" * 200_000_000, 9, mtime=0), 9)
    assert len(bomb) < 2000
    async with world({"/": packed("gzip, gzip", bomb)}, body_bytes=1_000_000) as there:
        assert await trouble(there.get("/")) == "the answer is larger than 1000000 bytes"


async def test_what_unpacks_to_nothing_and_does_not_end_is_no_answer_either(world: Worlds) -> None:
    endless = zlib.compress(b"short") + b"\0" * 20_000
    nothing = gzip.compress(gzip.compress(b"short", mtime=0) + b"\0" * 20_000, mtime=0)
    table = {"/long": packed("deflate", endless), "/nothing": packed("gzip, gzip", nothing)}
    async with world(table, body_bytes=10_000) as there:
        assert await trouble(there.get("/long")) == "the answer is larger than 10000 bytes"
        assert await trouble(there.get("/nothing")) == "the answer is larger than 10000 bytes"


# ---- time -----------------------------------------------------------------------------


async def test_an_answer_that_does_not_come_is_none(world: Worlds) -> None:
    async def never(asked: Asked) -> Answer:
        await trio.sleep_forever()
        raise AssertionError

    async with world({"/": never, "/well": Answer()}, seconds=0.2) as there:
        assert await trouble(there.get("/")) == "there was no whole answer within 0.2 s"
        assert (await there.get("/well")).status == 200


async def test_the_time_is_that_of_all_redirects_together(world: Worlds) -> None:
    async def slow(asked: Asked) -> Answer:
        await trio.sleep(0.2)
        return to("/")

    async with world({"/": slow}, seconds=0.5, redirects=20) as there:
        assert "within 0.5 s" in await trouble(there.get("/"))
        assert len(there.asked) <= 3


async def test_a_cancelled_request_ends_and_the_next_works(world: Worlds) -> None:
    async def never(asked: Asked) -> Answer:
        await trio.sleep_forever()
        raise AssertionError

    async with world({"/": never, "/well": Answer(200, "x")}, connections=1, per_host=1) as there:
        for _ in range(5):
            with trio.move_on_after(0.05) as scope:
                await there.get("/")
            assert scope.cancelled_caught
        assert (await there.get("/well")).body == b"x"


async def test_many_ask_at_once(world: Worlds) -> None:
    bodies: list[bytes] = []

    async def one(there: World, number: int) -> None:
        bodies.append((await there.get(f"/?n={number}")).body)

    table = {"/": lambda asked: Answer(200, asked.url.rpartition("=")[2])}
    async with world(table) as there, trio.open_nursery() as nursery:
        for number in range(100):
            nursery.start_soon(one, there, number)
    assert sorted(map(int, bodies)) == list(range(100))


# ---- what only a simulation has -------------------------------------------------------


async def test_answers_can_be_registered_later() -> None:
    client = SimulatedWeb()
    assert "no address" in await trouble(client.request("GET", "http://a.example/x", None, []))
    client.register("GET", "http://a.example/x", Answer(200, "first"))
    client.register("*", "http://a.example/x?a=1", Answer(201, "second"))
    client.register("POST", "http://a.example/x", WebError("இல்லை", "gone"))
    assert (await client.request("GET", "http://a.example/x?b=2", None, [])).body == b"first"
    assert (await client.request("GET", "http://a.example/x?a=1", None, [])).body == b"second"
    assert await trouble(client.request("POST", "http://a.example/x", None, [])) == "gone"
    assert (await client.request("PUT", "http://a.example/x", None, [])).status == 404
    assert [asked.method for asked in client.asked] == ["GET", "GET", "POST", "PUT"]
