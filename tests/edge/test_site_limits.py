"""The limits of a route: time, machines, line, rate, body; and answers that are given again.

Virtual time, one seed, the real router and actors. Every scenario ends with nothing in flight and no byte of
a body held.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
import trio

from etamil_actors.actors.programs import routes
from etamil_actors.testing import Service, run_service
from etamil_actors.testing.requests import Received

ENGLISH = {"accept-language": "en"}


class Client:
    """Asks a service, and notes what was answered and when."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.begun = trio.current_time()

    @property
    def now(self) -> float:
        """Seconds since the beginning, to the tenth."""
        return round(trio.current_time() - self.begun, 1)

    async def ask(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: str = ""
    ) -> Received:
        return await self.service.request(method, path, headers=headers, body=body.encode())

    async def get(self, path: str) -> int:
        """The status alone."""
        return (await self.ask("GET", path)).status

    async def leave_after(self, seconds: float, method: str, path: str, **options: Any) -> None:
        """Ask, and go away before the answer."""
        with trio.move_on_after(seconds):
            await self.ask(method, path, **options)
            raise AssertionError("it was answered")

    async def many(self, count: int, path: str) -> list[tuple[int, float, str | None]]:
        """Ask all at once: statuses, moments and ``Retry-After``, in the order of the answers."""
        answers = []

        async def one() -> None:
            received = await self.ask("GET", path)
            answers.append((received.status, self.now, received.field("retry-after")))

        async with trio.open_nursery() as nursery:
            for _ in range(count):
                nursery.start_soon(one)
        return answers


def during(text: str, scenario: Callable[[Client], Awaitable[None]], **options: Any) -> Service:
    """Run a service and a scenario with a client of it; nothing may be left."""
    seen: list[Service] = []

    async def watched(service: Service) -> None:
        seen.append(service)
        with trio.fail_after(1_000_000):
            await scenario(Client(service))
        await service.settle()
        shared = service.system.site.shared
        assert shared.metrics.in_flight == 0
        assert shared.budget.used == 0
        assert not any(route.running or route.line for route in service.running.routes)

    run_service(text, watched, **options)
    assert seen[0].findings == []
    return seen[0]


def read(received: Received) -> Any:
    """The body as JSON."""
    return msgspec.json.decode(received.body)


# ---- time -----------------------------------------------------------------------------

TIMES = """
வழி பெறு, "/wait", {"timeout": 3} { உறங்கு(10); அச்சு "late"; }
வழி பெறு, "/finally", {"timeout": 3} { முயல் { உறங்கு(10); } பிழை(e) { அச்சு "caught"; } இறுதியில் { உறங்கு(100); அச்சு "late"; } }
வழி பெறு, "/returns", {"timeout": 3} { முயல் { உறங்கு(10); } இறுதியில் { பதில் 200, "fin"; திரும்பு "late"; } }
வழி பெறு, "/own" { காலவரம்பு(1) { உறங்கு(5); } }
வழி பெறு, "/own-caught" { முயல் { காலவரம்பு(1) { உறங்கு(5); } } பிழை(e) { பதில் 200, e.code; } }
வழி பெறு, "/default" { உறங்கு(40); }
வழி பெறு, "/long", {"timeout": 100} { உறங்கு(60); பதில் 200, 1; }
வழி பெறு, "/quick" { பதில் 200, 1; }
"""


@pytest.mark.parametrize(
    ("path", "status", "least", "most"),
    [
        ("/wait", 504, 3, 3),
        ("/finally", 504, 3, 8),  # what is in இறுதியில் gets five seconds
        ("/returns", 504, 3, 3),
        ("/own", 504, 1, 1),
        ("/own-caught", 200, 1, 1),
        ("/default", 504, 30, 30),
        ("/long", 200, 60, 60),
        ("/quick", 200, 0, 0),
    ],
)
def test_a_request_takes_no_longer_than_its_route_says(
    path: str, status: int, least: float, most: float
) -> None:
    async def scenario(client: Client) -> None:
        received = await client.ask("GET", path, ENGLISH)
        assert received.status == status
        assert least <= client.now <= most
        if status == 504:
            assert read(received)["code"] == "timeout"
        await client.service.advance(200)
        assert client.service.lines == []

    during(TIMES, scenario)


def test_a_handler_that_computes_for_ever_is_ended_and_cannot_help_it() -> None:
    text = """
    செயல் f() { (மெய்) சுற்று { x = 1; } }
    வழி பெறு, "/loop" { முயல் { f(); } பிழை(e) { அச்சு "caught"; பதில் 200, 1; } }
    வழி பெறு, "/guard", [காவலன்] { அச்சு "in"; }
    செயல் காவலன்(r) { f(); }
    வழி பெறு, "/quick" { பதில் 200, 1; }
    """

    async def scenario(client: Client) -> None:
        client.service.system.slicer.limit = 0.1
        for path in ("/loop", "/guard"):
            assert await client.get(path) >= 500
        assert await client.get("/quick") == 200
        assert client.service.lines == []

    during(text, scenario)


# ---- machines and the line ------------------------------------------------------------

LINES = """
வழி பெறு, "/one", {"concurrency": 1, "queue": 2, "timeout": 10} { உறங்கு(4); பதில் 200, 1; }
வழி பெறு, "/none", {"எண்ணிக்கை": 1, "காத்திருப்பு": 0} { உறங்கு(4); பதில் 200, 1; }
வழி பெறு, "/two", {"concurrency": 2} { உறங்கு(4); பதில் 200, 1; }
வழி பெறு, "/cancel", {"disconnect": "cancel", "concurrency": 1} { அச்சு "run"; முயல் { உறங்கு(5); } இறுதியில் { அச்சு "end"; } பதில் 200, 1; }
வழி பெறு, "/finish", {"concurrency": 1} { அச்சு "run"; உறங்கு(5); அச்சு "done"; }
"""


def test_more_than_the_machines_wait_in_line_and_more_than_the_line_are_503() -> None:
    async def scenario(client: Client) -> None:
        answers = await client.many(5, "/one")
        assert answers == [
            (503, 0.0, "1"),
            (503, 0.0, "1"),
            (200, 4.0, None),
            (200, 8.0, None),
            (504, 10.0, None),
        ]
        client.begun = trio.current_time()
        assert await client.many(2, "/none") == [(503, 0.0, "1"), (200, 4.0, None)]
        client.begun = trio.current_time()
        assert [moment for _, moment, _ in await client.many(6, "/two")] == [4.0, 4.0, 8.0, 8.0, 12.0, 12.0]

    during(LINES, scenario)


def test_retry_after_tells_the_age_of_the_line() -> None:
    text = 'வழி பெறு, "/a", {"concurrency": 1, "queue": 1, "timeout": 300} { உறங்கு(100); பதில் 200, 1; }'

    async def scenario(client: Client) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(client.get, "/a")
            await client.service.settle()
            for wait, told in ((0, 1), (7, 7), (30, 37), (50, 60)):
                await client.service.advance(wait)
                received = await client.ask("GET", "/a")
                assert received.status == 503
                seconds = int(received.field("retry-after") or 0)
                assert told <= seconds <= min(told + 1, 60)

    during(text, scenario)


def test_who_waits_in_line_beyond_its_time_is_told_and_its_handler_never_runs() -> None:
    text = 'வழி பெறு, "/a", {"concurrency": 1, "timeout": 3} { அச்சு "run"; முயல் { உறங்கு(10); } இறுதியில் { உறங்கு(4); } }'

    async def scenario(client: Client) -> None:
        answers = await client.many(3, "/a")
        assert sorted(status for status, _, _ in answers) == [503, 503, 504]
        refused = [(moment, retry) for status, moment, retry in answers if status == 503]
        assert [moment for moment, _ in refused] == [3.0, 3.0]
        assert all(retry is not None for _, retry in refused)
        assert client.service.lines == ["run"]

    during(text, scenario)


def test_a_client_that_leaves_ends_the_work_only_where_the_route_says_so() -> None:
    async def scenario(client: Client) -> None:
        await client.leave_after(2, "GET", "/cancel")
        await client.service.advance(1)
        assert client.service.lines == ["run", "end"]
        await client.leave_after(2, "GET", "/finish")
        await client.service.advance(10)
        assert client.service.lines == ["run", "end", "run", "done"]

    during(LINES, scenario)


def test_a_client_that_leaves_the_line_is_not_served() -> None:
    async def scenario(client: Client) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.get, "/cancel")
            await client.service.settle()
            await client.leave_after(2, "GET", "/cancel")
            nursery.start_soon(client.get, "/cancel")
        assert client.now == 10.0
        assert client.service.lines == ["run", "end"] * 2

    during(LINES, scenario)


def test_a_client_in_the_line_of_a_route_that_finishes_is_served_all_the_same() -> None:
    async def scenario(client: Client) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.get, "/finish")
            await client.service.settle()
            await client.leave_after(2, "GET", "/finish")
        await client.service.advance(10)
        assert client.service.lines == ["run", "done"] * 2

    during(LINES, scenario)


# ---- rates and bodies -----------------------------------------------------------------


def test_more_often_than_the_rate_is_429_until_time_has_passed() -> None:
    text = 'வழி பெறு, "/a", {"rate": "2/s"} { அச்சு "run"; பதில் 200, 1; } வழி பெறு, "/b" { பதில் 200, 1; }'

    async def scenario(client: Client) -> None:
        assert [await client.get("/a") for _ in range(4)] == [200, 200, 429, 429]
        refused = await client.ask("GET", "/a", ENGLISH)
        assert int(refused.field("retry-after") or 0) >= 1
        assert refused.field("content-type") == "application/problem+json; charset=utf-8"
        assert await client.get("/b") == 200
        await client.service.advance(1)
        assert await client.get("/a") == 200
        assert client.service.lines == ["run"] * 3

    during(text, scenario)


def test_a_body_over_the_limit_is_413_and_its_handler_never_runs() -> None:
    text = """
    வழி பதி, "/ten", {"body_limit": 10} { அச்சு "run"; பதில் 200, நீளம்(request_body); }
    வழி பதி, "/form", {"body_limit": 30} { அச்சு "run"; பதில் 200, கோரிக்கை.form.a; }
    வழி பதி, "/default" { பதில் 200, நீளம்(request_body); }
    """

    async def scenario(client: Client) -> None:
        form = {"content-type": "application/x-www-form-urlencoded"}
        assert (await client.ask("POST", "/ten", None, "x" * 10)).body == b"10"
        assert (await client.ask("POST", "/ten", None, "x" * 11)).status == 413
        assert (await client.ask("POST", "/ten", None, "த" * 4)).status == 413
        assert (await client.ask("POST", "/form", form, "a=" + "y" * 28)).status == 200
        assert (await client.ask("POST", "/form", form, "a=" + "y" * 29)).status == 413
        assert (await client.ask("POST", "/default", None, "x" * 1024 * 1024)).status == 200
        assert (await client.ask("POST", "/default", None, "x" * (1024 * 1024 + 1))).status == 413
        assert client.service.lines == ["run"] * 2

    during(text, scenario)


# ---- done once ------------------------------------------------------------------------

ONCE = """
N = அணு_உருவாக்கு(0);
வழி பதி, "/i", {"idempotent": மெய்} { n = அணு_கூட்டு(N, 1); உறங்கு(1); பதில் 201, {"n": n, "b": request_body}, {"X-N": n}; }
வழி பதி, "/e", {"ஒருமுறை": மெய்} { n = அணு_கூட்டு(N, 1); (n < 3) எனில் { x = 1 / 0; } பதில் 200, n; }
வழி பதி, "/v", {"idempotent": மெய்} { பிழை_எழுப்பு("validation", "v" & அணு_கூட்டு(N, 1)); }
வழி பதி, "/s", {"idempotent": மெய்} { பதில் 503, அணு_கூட்டு(N, 1); }
வழி பதி, "/c", {"idempotent": மெய்} { n = அணு_கூட்டு(N, 1); குக்கீ_அமை("c", n); பதில் 200, n; }
வழி பதி, "/f", {"idempotent": மெய்} { பதில் 200, அணு_கூட்டு(N, 1); }
வழி பதி, "/l", {"idempotent": மெய்} { n = அணு_கூட்டு(N, 1); உறங்கு(10); பதில் 200, n; }
வழி பதி, "/x", {"idempotent": மெய், "disconnect": "cancel"} { n = அணு_கூட்டு(N, 1); உறங்கு(10); பதில் 200, n; }
"""
KEY = {"idempotency-key": "k1"}


def test_a_repeated_request_is_answered_again_and_not_done_again() -> None:
    async def scenario(client: Client) -> None:
        statuses: list[int] = []

        async def post() -> None:
            statuses.append((await client.ask("POST", "/i", KEY, "x")).status)

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(post)
        assert sorted(statuses) == [201, 409, 409]
        again = await client.ask("POST", "/i", KEY, "x")
        assert (again.status, read(again), again.field("x-n")) == (201, {"n": 1, "b": "x"}, "1")
        assert again.field("idempotent-replayed") == "true"
        assert (await client.ask("POST", "/i", KEY, "y")).status == 422
        assert (await client.ask("POST", "/i?q=1", KEY, "x")).status == 422
        other = await client.ask("POST", "/i", {"idempotency-key": "k2"}, "x")
        assert read(other)["n"] == 2
        assert read(await client.ask("POST", "/i", None, "x"))["n"] == 3
        assert read(await client.ask("POST", "/i", {**KEY, "authorization": "Bearer z"}, "x"))["n"] == 4
        for bad in ("", "a b", "ச", "x" * 256):
            assert (await client.ask("POST", "/i", {"idempotency-key": bad}, "x")).status == 400

    during(ONCE, scenario)


def test_errors_of_the_server_are_not_kept_and_those_of_the_client_are() -> None:
    async def scenario(client: Client) -> None:
        statuses = [(await client.ask("POST", "/e", KEY)).status for _ in range(4)]
        assert statuses == [500, 500, 200, 200]
        said = [bytes((await client.ask("POST", "/s", KEY)).body) for _ in range(2)]
        assert said == [b"4", b"5"]
        details = [read(await client.ask("POST", "/v", KEY))["detail"] for _ in range(2)]
        assert details == ["v6", "v6"]

    during(ONCE, scenario)


def test_a_repeated_answer_has_its_cookies() -> None:
    async def scenario(client: Client) -> None:
        first, again = [await client.ask("POST", "/c", KEY) for _ in range(2)]
        assert first.body == again.body == b"1"
        assert first.field("set-cookie") == again.field("set-cookie")

    during(ONCE, scenario)


def test_a_form_is_the_same_whatever_its_boundary() -> None:
    async def scenario(client: Client) -> None:
        async def post(mark: str, value: str) -> Received:
            body = f'--{mark}\r\nContent-Disposition: form-data; name="a"\r\n\r\n{value}\r\n--{mark}--\r\n'
            headers = {**KEY, "content-type": f"multipart/form-data; boundary={mark}"}
            return await client.ask("POST", "/f", headers, body)

        assert [(await post("X", "1")).body, (await post("Y", "1")).body] == [b"1", b"1"]
        assert (await post("X", "2")).status == 422

    during(ONCE, scenario)


def test_what_a_client_has_left_behind_is_not_done_twice() -> None:
    async def scenario(client: Client) -> None:
        await client.leave_after(3, "POST", "/l", headers=KEY)
        assert (await client.ask("POST", "/l", KEY)).status == 409
        await client.service.advance(10)
        again = await client.ask("POST", "/l", KEY)
        assert (again.status, again.body, again.field("idempotent-replayed")) == (200, b"1", "true")

    during(ONCE, scenario)


def test_what_failed_after_its_client_had_left_may_be_tried_again() -> None:
    text = """
    N = அணு_உருவாக்கு(0);
    வழி பதி, "/l", {"idempotent": மெய்} { n = அணு_கூட்டு(N, 1); உறங்கு(5); (n == 1) எனில் { x = 1 / 0; } பதில் 200, n; }
    """

    async def scenario(client: Client) -> None:
        await client.leave_after(3, "POST", "/l", headers=KEY)
        await client.service.advance(10)
        assert [(await client.ask("POST", "/l", KEY)).body for _ in range(2)] == [b"2", b"2"]

    during(text, scenario)


def test_work_that_was_cancelled_with_its_client_may_be_tried_again() -> None:
    async def scenario(client: Client) -> None:
        await client.leave_after(3, "POST", "/x", headers=KEY)
        await client.service.advance(1)
        assert (await client.ask("POST", "/x", KEY)).body == b"2"

    during(ONCE, scenario)


# ---- cached ---------------------------------------------------------------------------

CACHED = """
N = அணு_உருவாக்கு(0);
வழி பெறு, "/b", {"cache": 60} { பதில் 200, {"n": அணு_கூட்டு(N, 1)}; }
வழி பெறு, "/r", {"கேச்": 60} { பதில் 200, [கோரிக்கை.path, கோரிக்கை.வினவல், அணு_கூட்டு(N, 1)]; }
server.on("GET", "/s", {"cache": 60}, செயல்(r) { திரும்பு அணு_கூட்டு(N, 1); });
வழி பெறு, "/slow", {"cache": 60} { உறங்கு(1); பதில் 200, அணு_கூட்டு(N, 1); }
வழி பெறு, "/cancel", {"cache": 60, "disconnect": "cancel"} { உறங்கு(1); பதில் 200, அணு_கூட்டு(N, 1); }
வழி பெறு, "/error", {"cache": 60} { பதில் 404, அணு_கூட்டு(N, 1); }
வழி பெறு, "/cookie", {"cache": 60} { குக்கீ_அமை("a", "b"); பதில் 200, அணு_கூட்டு(N, 1); }
வழி பெறு, "/session", {"cache": 60} { s = அமர்வு; பதில் 200, அணு_கூட்டு(N, 1); }
வழி பெறு, "/private", {"cache": 60} { பதில் 200, அணு_கூட்டு(N, 1), {"Cache-Control": "private"}; }
வழி பெறு, "/vary", {"cache": 60} { பதில் 200, அணு_கூட்டு(N, 1), {"Vary": "Accept-Language"}; }
"""


async def numbers(client: Client, *asked: tuple[str, dict[str, str] | None]) -> list[Any]:
    """What some GET requests have got."""
    return [read(await client.ask("GET", path, headers)) for path, headers in asked]


def test_an_answer_is_given_again_while_it_is_fresh() -> None:
    async def scenario(client: Client) -> None:
        assert await numbers(client, *[("/b", None)] * 3) == [{"n": 1}] * 3
        assert await numbers(client, ("/b?x", None), ("/b?x", None)) == [{"n": 2}] * 2
        await client.service.advance(61)
        assert await numbers(client, ("/b", None)) == [{"n": 3}]

    during(CACHED, scenario)


def test_handlers_that_read_the_request_are_cached_too() -> None:
    async def scenario(client: Client) -> None:
        first, again = await numbers(client, ("/r?a=1", None), ("/r?a=1", None))
        assert first == again == ["/r", {"a": "1"}, 1]
        assert await numbers(client, ("/s", None), ("/s", None)) == [2, 2]

    during(CACHED, scenario)


def test_many_at_once_make_one_answer() -> None:
    async def scenario(client: Client) -> None:
        answers = await client.many(10, "/slow")
        assert {status for status, _, _ in answers} == {200}
        assert await numbers(client, ("/slow", None)) == [1]

    during(CACHED, scenario)


@pytest.mark.parametrize(
    "path",
    ["/slow", "/cancel"],
)
def test_when_the_first_of_many_leaves_one_other_makes_the_answer(path: str) -> None:
    async def scenario(client: Client) -> None:
        answers: list[Any] = []

        async def ask() -> None:
            answers.append(read(await client.ask("GET", path)))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.leave_after, 0.5, "GET", path)
            await client.service.settle()
            for _ in range(5):
                nursery.start_soon(ask)
        assert len(set(answers)) == 1
        assert await numbers(client, (path, None)) == answers[:1]

    during(CACHED, scenario)


@pytest.mark.parametrize("path", ["/error", "/cookie", "/session", "/private"])
def test_what_is_no_ones_else_is_not_kept(path: str) -> None:
    async def scenario(client: Client) -> None:
        assert await numbers(client, (path, None), (path, None)) == [1, 2]

    during(CACHED, scenario)


def test_who_shows_who_he_is_gets_an_answer_of_his_own() -> None:
    async def scenario(client: Client) -> None:
        asked = [("/b", None), ("/b", {"cookie": "a=b"}), ("/b", {"authorization": "Bearer x"}), ("/b", None)]
        assert [one["n"] for one in await numbers(client, *asked)] == [1, 2, 3, 1]

    during(CACHED, scenario)


def test_fields_that_the_answer_varies_by_are_told_apart() -> None:
    async def scenario(client: Client) -> None:
        ta, en = {"accept-language": "ta"}, {"accept-language": "en"}
        asked = [("/vary", ta), ("/vary", en), ("/vary", ta), ("/vary", en), ("/vary", None)]
        assert await numbers(client, *asked) == [1, 2, 1, 2, 3]

    during(CACHED, scenario)


def test_a_client_that_has_the_answer_is_told_so() -> None:
    async def scenario(client: Client) -> None:
        tag = (await client.ask("GET", "/b")).field("etag")
        assert tag is not None
        for wanted in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            received = await client.ask("GET", "/b", {"if-none-match": wanted})
            assert (received.status, bytes(received.body)) == (304, b"")
            assert received.field("etag") == tag and received.field("content-type") is None
        assert (await client.ask("GET", "/b", {"if-none-match": '"other"'})).status == 200
        await client.service.advance(61)
        assert (await client.ask("GET", "/b", {"if-none-match": tag})).status == 200

    during(CACHED, scenario)


# ---- a route that fails too often -----------------------------------------------------

FAILING = """
வழி பெறு, "/r/:k", {"timeout": 3} {
    (param_k == "bad") எனில் { x = 1 / 0; }
    (param_k == "invalid") எனில் { பிழை_எழுப்பு("validation", "m"); }
    (param_k == "slow") எனில் { உறங்கு(2); பதில் 200, "slow"; }
    (param_k == "stuck") எனில் { முயல் { உறங்கு(10); } இறுதியில் { உறங்கு(4); } }
    (param_k == "ok") எனில் { பதில் 200, "ok"; }
}
வழி பெறு, "/other" { பதில் 200, 1; }
"""


def test_a_route_that_fails_too_often_begins_anew_while_others_answer() -> None:
    async def scenario(client: Client) -> None:
        for _ in range(300):
            assert await client.get("/r/invalid") == 422
        assert await client.get("/health/ready") == 200
        statuses: list[int] = []

        async def ask(path: str) -> None:
            statuses.append(await client.get(path))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, "/r/slow")
            await client.service.settle()
            for _ in range(routes.FAILURES + 1):
                assert await client.get("/r/bad") == 500
            nursery.start_soon(ask, "/r/ok")
            await client.service.settle()
            assert statuses == []
            assert await client.get("/other") == 200
            assert await client.get("/health/live") == 200
        assert statuses == [200, 200]
        assert await client.get("/r/ok") == 200
        assert await client.get("/health/ready") == 200

    during(FAILING, scenario)


def test_readiness_says_that_a_route_takes_no_requests() -> None:
    async def scenario(client: Client) -> None:
        for _ in range(routes.FAILURES + 1):
            await client.get("/r/bad")
        await client.service.settle()
        assert await client.get("/health/ready") == 503
        assert await client.get("/r/ok") == 200
        assert await client.get("/health/ready") == 200

    during(FAILING, scenario)


def test_readiness_says_so_while_those_at_work_finish() -> None:
    async def scenario(client: Client) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.get, "/r/slow")
            await client.service.settle()
            for _ in range(routes.FAILURES + 1):
                await client.get("/r/bad")
            await client.service.settle()
            assert await client.get("/health/ready") == 503

    during(FAILING, scenario)


def test_nobody_waits_beyond_its_time_for_a_route_that_begins_anew() -> None:
    async def scenario(client: Client) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.get, "/r/stuck")
            await client.service.settle()
            for _ in range(routes.FAILURES + 1):
                await client.get("/r/bad")
            assert await client.get("/r/ok") == 503
            assert client.now == 3.0
        assert await client.get("/r/ok") == 200

    during(FAILING, scenario)


# ---- what was counted -----------------------------------------------------------------


def test_what_was_counted_is_what_was_answered() -> None:
    async def scenario(client: Client) -> None:
        for path in ("/quick", "/own", "/nowhere", "/own-caught"):
            await client.get(path)
        await client.leave_after(1, "GET", "/long")
        await client.service.advance(100)
        metrics = client.service.system.site.shared.metrics
        assert metrics.in_flight == 0
        assert not any(route.running for route in client.service.running.routes)
        answered = {route.name: (route.answered, route.failed) for route in client.service.running.routes}
        assert answered["GET /quick"] == answered["GET /own-caught"] == answered["GET /long"] == (1, 0)

    during(TIMES, scenario)
