"""A site with all its services: which of them answers, what every site has, what is counted and logged.

Most runs are in virtual time with settings of their own. Files and endless loops need the real clock.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import msgspec
import pytest
import trio
import trio.testing
from trio.testing import MockClock

from etamil_actors.actors.errors import StartError
from etamil_actors.actors.programs.agents import fault_in
from etamil_actors.actors.programs.exchange import Headers
from etamil_actors.actors.programs.system import ServicePlan, System, open_system
from etamil_actors.edge.access_log import Entry as LogEntry
from etamil_actors.edge.request import HttpRequest
from etamil_actors.edge.server import Edge
from etamil_actors.edge.settings import Cors, HttpSettings
from etamil_actors.edge.site import GONE, Site
from etamil_actors.resources.system import SimulatedConsole, SimulatedFiles, SystemFiles
from etamil_actors.testing import load, simulated_ports
from etamil_actors.testing.requests import MemoryExchange, Received, send
from etamil_actors.vm.machine import Image

START = 1_767_225_600
PLAIN = HttpSettings(access_log=False)


class Notes:
    """An access log that keeps what it is told."""

    def __init__(self) -> None:
        self.entries: list[LogEntry] = []

    def note(self, entry: LogEntry) -> None:
        """A request is over."""
        self.entries.append(entry)


@dataclass
class World:
    """Services that run, and the site where they are asked."""

    system: System
    site: Site
    console: SimulatedConsole
    notes: Notes = field(default_factory=Notes)
    warnings: list[str] = field(default_factory=list)

    async def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: str | bytes = b""
    ) -> Received:
        """One request."""
        return await send(self.site, method, path, headers, body.encode() if isinstance(body, str) else body)

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Status and body."""
        received = await self.ask("GET", path, headers)
        return received.status, received.body.decode("utf-8", "replace")

    @property
    def lines(self) -> list[str]:
        """What was printed."""
        return self.console.output.splitlines()


Scenario = Callable[[World], Awaitable[None]]


def plan(name: str, text: str, **options: Any) -> ServicePlan:
    """A service from its text."""
    program = load(f"{name}.qmz", text, SimulatedFiles()).program
    return ServicePlan(name=name, image=Image(program), **options)


def serve(
    plans: list[ServicePlan], scenario: Scenario, settings: HttpSettings = PLAIN, *, really: bool = False
) -> None:
    """Run services and a scenario with their site; ``really`` with real files and real time."""
    ports = simulated_ports(seed=0, start=START)
    if really:
        ports = replace(ports, is_simulated=False, files=SystemFiles())
    console = ports.console
    assert isinstance(console, SimulatedConsole)

    async def run() -> None:
        with trio.fail_after(30 if really else 1_000_000):
            async with open_system(ports, plans) as system:
                warnings: list[str] = []
                edge = Edge(system, settings, warn=lambda tamil, english: warnings.append(english))
                world = World(system, edge.without_sockets(), console, warnings=warnings)
                world.site.shared.access_log = world.notes  # type: ignore[assignment]
                await scenario(world)
                await trio.testing.wait_all_tasks_blocked()
                assert world.site.shared.metrics.in_flight == 0
                assert world.site.shared.budget.used == 0
                for service in system.services.values():
                    assert not any(route.running or route.line for route in service.routes)

    trio.run(run, clock=None if really else MockClock(autojump_threshold=0))


# ---- the top level for each request ---------------------------------------------------


def test_the_top_level_runs_once_and_not_again_for_requests() -> None:
    async def scenario(world: World) -> None:
        assert await world.get("/a") == (200, "2")
        assert await world.get("/a") == (200, "2")
        assert world.lines == ["top"]

    serve([plan("p", 'அச்சு "top"; g = 1; வழி பெறு, "/a" { g = g + 1; பதில் 200, g; }')], scenario)


PER_REQUEST = """
அச்சு "top";
g = 0;
g = g + 1;
செயல் கா(r) { திரும்பு எல்லை == 3; }
எல்லை = 3;
வடிவம் ப { a: எண் };
வழி பெறு, "/a" { g = g + 1; பதில் 200, g; }
வழி பெறு, "/b", [கா] { பதில் 200, [g, எல்லை]; }
வழி பதி, "/c", {"body": ப} { பதில் 200, [request_path, கோரிக்கை.json.a, g]; }
வழி பெறு, "/w" { உறங்கு(1); g = g + 1; பதில் 200, g; }
"""


def test_the_top_level_runs_before_each_request_where_the_operator_says_so() -> None:
    async def scenario(world: World) -> None:
        before = len(world.lines)
        for path, wanted in (("/a", "2"), ("/a", "2"), ("/b", "[1,3]"), ("/w", "2")):
            assert await world.get(path) == (200, wanted)
        received = await world.ask("POST", "/c", {"content-type": "application/json"}, '{"a": 5}')
        assert bytes(received.body).decode() == '["/c",5,1]'
        assert len(world.lines) - before == 5

    serve([plan("p", PER_REQUEST, prelude_per_request=True)], scenario)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('m = request_method; வழி பெறு, "/a" { பதில் 200, m; }', (200, "GET")),
        ('p = கோரிக்கை.path; வழி பெறு, "/a" { பதில் 200, p; }', (200, "/a")),
        ('பதில் 203, "top"; வழி பெறு, "/a" { }', (203, "top")),
        ('request_body = "over"; வழி பெறு, "/a" { பதில் 200, request_body; }', (200, "over")),
        ('response_status = 202; வழி பெறு, "/a" { response_body = "x"; }', (202, "x")),
    ],
)
def test_a_top_level_that_runs_for_each_request_sees_it(text: str, wanted: tuple[int, str]) -> None:
    async def scenario(world: World) -> None:
        assert await world.get("/a") == wanted
        assert await world.get("/a") == wanted

    serve([plan("p", text, prelude_per_request=True)], scenario)


def test_server_on_is_refused_where_the_top_level_runs_for_each_request() -> None:
    async def scenario(world: World) -> None:
        raise AssertionError("it has started")

    text = 'server.on("GET", "/a", செயல்(r) { திரும்பு r.path; });'
    with pytest.raises(StartError, match=r"server\.on does not work"):
        serve([plan("p", text, prelude_per_request=True)], scenario)


def test_every_answer_counts_as_handled_and_errors_of_the_program_as_failures_too() -> None:
    async def scenario(world: World) -> None:
        for status in (200, 201, 404, 409, 422, 500, 503):
            assert (await world.get(f"/a?s={status}"))[0] == status
        (route,) = world.system.services["p"].routes
        assert (route.answered, route.failed) == (7, 1)

    text = """
    சொல்பவை = {"404": "not_found", "409": "conflict", "422": "validation", "500": "எதுவோ", "503": "overloaded"};
    வழி பெறு, "/a" {
        s = query_params.s;
        (s == "200") எனில் { உறங்கு(1); பதில் 200, s; திரும்பு; }
        (s == "201") எனில் { பதில் 201, s; திரும்பு; }
        பிழை_எழுப்பு(சொல்பவை[s], "x");
    }
    """
    serve([plan("p", text)], scenario)


def test_an_interval_runs_the_top_level_first_where_each_request_does() -> None:
    async def scenario(world: World) -> None:
        await trio.sleep(11)
        assert world.lines == ["top", "every 2 1"], "after one interval, in a machine of its own"
        assert await world.get("/a") == (200, "1")
        await trio.sleep(10.5)
        assert world.lines == ["top", "every 2 1", "top", "top", "every 2 1"]

    text = """
    அச்சு "top";
    செயல் இரட்டை(n) { திரும்பு n * 2; }
    g = 1;
    இடைவெளி 10 { அச்சு "every " & இரட்டை(g) & " " & g; g = g + 1; }
    வழி பெறு, "/a" { பதில் 200, g; }
    """
    serve([plan("p", text, prelude_per_request=True)], scenario)


def test_a_block_for_the_end_knows_the_top_level_where_that_runs_for_each_request() -> None:
    worlds: list[World] = []

    async def scenario(world: World) -> None:
        worlds.append(world)

    text = 'g = 3; நிறுத்தும்போது { அச்சு "end " & g; } வழி பெறு, "/a" { பதில் 200, g; }'
    serve([plan("p", text, prelude_per_request=True)], scenario)
    assert worlds[0].lines == ["end 3"]


def test_an_interval_without_routes_runs_where_the_top_level_would_run_for_each_request() -> None:
    async def scenario(world: World) -> None:
        await trio.sleep(6)
        assert world.lines == ["b"] * 5

    text = 'இடைவெளி 0.5 { அச்சு "b"; } இடைவெளி 2 { அச்சு 1 / 0; }'
    serve([plan("p", text, prelude_per_request=True)], scenario)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("n = 5; இடைவெளி n { அச்சு 1; }", r"p\.qmz:1:.*the seconds of இடைவெளி are a number"),
        ("\nc = சேனல்_உருவாக்கு();", r"p\.qmz:2:.*‘சேனல்_உருவாக்கு’ cannot stand"),
        ("l = _lock();", "‘_lock’ cannot stand"),
        ("a = அணு_உருவாக்கு(0);", "‘அணு_உருவாக்கு’ cannot stand"),
        ("முகவர் எ() { செய்தி ம() { திரும்பு 1; } }", "‘முகவர்’ cannot stand"),
        ('பணி_உருவாக்கு "ப", {"every": 5} { அச்சு 1; }', "‘பணி_உருவாக்கு’ cannot stand"),
        ('(மெய்) எனில் { பணி_உருவாக்கு "ப" { அச்சு 1; } }', "‘பணி_உருவாக்கு’ cannot stand"),
    ],
)
def test_what_lasts_is_refused_where_the_top_level_runs_for_each_request(text: str, said: str) -> None:
    async def scenario(world: World) -> None:
        raise AssertionError("it has started")

    with pytest.raises(StartError, match=said):
        serve([plan("p", text + ' வழி பெறு, "/a" { பதில் 200, 1; }', prelude_per_request=True)], scenario)


def test_names_of_the_program_may_be_words_of_services_where_the_top_level_runs_for_each_request() -> None:
    async def scenario(world: World) -> None:
        assert await world.get("/a") == (200, "[7,8]")

    text = """
    செயல் சேனல்_உருவாக்கு() { திரும்பு 7; }
    பூட்டு_உருவாக்கு = செயல்() { திரும்பு 8; };
    c = சேனல்_உருவாக்கு();
    d = பூட்டு_உருவாக்கு();
    செயல் பிறகு() { பணி_உருவாக்கு "ப" { அச்சு 1; } }
    வழி பெறு, "/a" { பிறகு(); பதில் 200, [c, d]; }
    """
    serve([plan("p", text, prelude_per_request=True)], scenario)


def test_an_error_of_a_top_level_that_runs_for_each_request_is_that_requests() -> None:
    async def scenario(world: World) -> None:
        assert (await world.get("/a?x=0"))[0] == 500
        assert await world.get("/a?x=2") == (200, "5")
        assert (await world.get("/a"))[0] == 500

    text = 'y = 10 / எண்ணாக்கு(query_params.x); வழி பெறு, "/a" { பதில் 200, y; }'.replace(
        "எண்ணாக்கு(query_params.x)", "query_params.x"
    )
    serve([plan("p", text, prelude_per_request=True)], scenario)


def test_an_error_of_the_top_level_ends_the_start() -> None:
    async def scenario(world: World) -> None:
        raise AssertionError

    with pytest.raises(StartError):
        serve([plan("p", 'x = 1 / 0; வழி பெறு, "/a" { }')], scenario)


def test_a_program_without_routes_answers_at_the_root_by_running_as_a_whole() -> None:
    text = """
    அச்சு "run"; x = 1; x = x + 1; உறங்கு(1);
    (request_body == "bad") எனில் { y = 1 / 0; }
    பதில் 200, [request_method, x, கோரிக்கை.path, request_body];
    """

    async def scenario(world: World) -> None:
        assert world.lines == []
        for method in ("GET", "POST", "PUT", "DELETE"):
            received = await world.ask(method, "/", None, "b")
            assert msgspec.json.decode(received.body) == [method, 2, "/", "b"]
        assert (await world.ask("POST", "/", None, "bad")).status == 500
        assert (await world.ask("PATCH", "/")).status == 405
        assert (await world.ask("HEAD", "/")).status == 200
        assert (await world.get("/x"))[0] == 404
        assert world.lines == ["run"] * 6

    serve([plan("w", text, as_whole=True)], scenario)


def test_a_site_that_the_settings_trust_may_log_somebody_in() -> None:
    async def scenario(world: World) -> None:
        for name, status in (("evil", 403), ("friend", 200)):
            headers = {
                "content-type": "application/x-www-form-urlencoded",
                "sec-fetch-site": "cross-site",
                "origin": f"https://{name}.example",
            }
            assert (await world.ask("POST", "/login", headers, "name=malar")).status == status

    text = 'வழி பதி, "/login" { அமர்வு_அமை("user", {"name": கோரிக்கை.form.name}); பதில் 200, 1; }'
    settings = replace(PLAIN, cors=Cors(origins=("https://friend.example",)))
    serve([plan("l", text)], scenario, settings)


# ---- where a program is served that runs anew for every request -----------------------


def served_at(text: str, bind: tuple[str, ...] = (), **options: Any) -> tuple[list[str], list[str]]:
    """The addresses at which this program is served, and what the operator is told."""
    ports, found, warnings = simulated_ports(seed=0, start=START), [], []

    async def run() -> None:
        async with open_system(ports, [plan("w", text, **(options or {"as_whole": True}))]) as system:
            settings = replace(PLAIN, bind=bind)
            edge = Edge(system, settings, warn=lambda tamil, english: warnings.append(english))
            edge.bind()
            edge.open()
            found.extend(edge.urls)
            edge.close()

    trio.run(run, clock=MockClock(autojump_threshold=0))
    return found, warnings


def a_free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.mark.parametrize(
    "said",
    (
        'வழங்கி_தொடங்கு "127.0.0.1", PORT;',
        'வழங்கி_தொடங்கு "127.0.0.1", "PORT";',
        'server.start("127.0.0.1:PORT");',
        'சேவையகம்_தொடங்கு("127.0.0.1", PORT);',
        'சேவையகம்_தொடங்கு({"port": PORT});',
        'சேவையகம்_தொடங்கு {"server": {"host": "127.0.0.1", "port": PORT}, "database": இன்மை};',
        'வழங்கி_தொடங்கு "127.0.0.1", 1; அச்சு 1; வழங்கி_தொடங்கு "127.0.0.1", PORT;',
    ),
)
@pytest.mark.parametrize("options", ({"as_whole": True}, {"prelude_per_request": True}))
def test_an_address_that_is_written_out_counts_before_the_program_runs(said: str, options: dict[str, Any]) -> None:
    port = a_free_port()
    text = said.replace("PORT", str(port))
    text += 'வழி பெறு, "/" { பதில் 200, 1; }' if "prelude_per_request" in options else "பதில் 200, 1;"
    assert served_at(text, **options) == ([f"http://127.0.0.1:{port}"], [])


def test_the_configuration_goes_before_an_address_that_is_written_out() -> None:
    port = a_free_port()
    said = 'வழங்கி_தொடங்கு "127.0.0.1", 1; பதில் 200, 1;'
    assert served_at(said, (f"127.0.0.1:{port}",)) == ([f"http://127.0.0.1:{port}"], [])


@pytest.mark.parametrize(
    "said",
    (
        'p = 9000; வழங்கி_தொடங்கு "127.0.0.1", p;',
        '(1 == 1) எனில் { வழங்கி_தொடங்கு "0.0.0.0", 80; }',
        'செயல் f() { server.start("0.0.0.0:80"); } f();',
        'வழங்கி_தொடங்கு "127.0.0.1", 9000; p = "0.0.0.0:80"; server.start(p);',
    ),
)
def test_an_address_that_such_a_program_computes_is_not_guessed_and_the_operator_is_told(
    said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = a_free_port()
    monkeypatch.setattr("etamil_actors.edge.server.LOOPBACK_DEFAULT", f"127.0.0.1:{port}")
    found, (warning,) = served_at(said + "பதில் 200, 1;")
    assert found == [f"http://127.0.0.1:{port}"]
    assert warning == (
        "w.qmz:1: this program runs anew for every request, so an address that it computes is not known at the"
        ' start; write it out at the top level (வழங்கி_தொடங்கு "0.0.0.0", 8080;), or say it in http.bind'
    )


def test_a_port_that_is_none_ends_the_start_of_such_a_program() -> None:
    with pytest.raises(StartError) as caught:
        served_at('வழங்கி_தொடங்கு "127.0.0.1", 70000; பதில் 200, 1;')
    assert "70000" in str(fault_in(caught.value))


# ---- several services, and what every site has ----------------------------------------

FIRST = """
வழி பெறு, "/x" { பதில் 200, "a"; }
வழி பெறு, "/p/:id" { பதில் 200, "a" & param_id; }
வழி பெறு, "/r/*rest" { பதில் 200, "a" & param_rest; }
வழி பெறு, "/a" { பதில் 200, "a"; }
வழி பெறு, "/health" { பதில் 200, "own health"; }
"""
SECOND = """
வழி பெறு, "/x" { பதில் 200, "b"; }
வழி பெறு, "/p/:other" { பதில் 200, "b" & param_other; }
வழி பெறு, "/r/*all" { பதில் 200, "b" & param_all; }
வழி பதி, "/x" { பதில் 200, "b post"; }
வழி பெறு, "/p/7" { பதில் 200, "b seven"; }
வழி பெறு, "/metrics" { பதில் 200, "own metrics"; }
வழி பெறு, "/openapi.json" { பதில் 200, "own page"; }
"""


def test_of_two_services_the_first_named_answers_where_both_could() -> None:
    async def scenario(world: World) -> None:
        assert await world.get("/x") == (200, "a")
        assert await world.get("/p/5") == (200, "a5")
        assert await world.get("/r/1/2") == (200, "a1/2")
        assert await world.get("/p/7") == (200, "b seven")  # it says more of the path
        received = await world.ask("POST", "/x")
        assert bytes(received.body) == b"b post"
        assert sorted(line.partition(":")[0] for line in world.warnings) == ["b", "b", "b"]

    serve([plan("a", FIRST), plan("b", SECOND)], scenario)


def test_a_route_of_a_program_wins_over_what_every_site_has() -> None:
    async def scenario(world: World) -> None:
        assert await world.get("/health") == (200, "own health")
        assert (await world.get("/health/live"))[0] == 200
        assert await world.get("/metrics") == (200, "own metrics")
        assert await world.get("/openapi.json") == (200, "own page")

    serve([plan("a", FIRST), plan("b", SECOND)], scenario)


def test_paths_that_every_site_has_can_be_moved_and_switched_off() -> None:
    settings = HttpSettings(access_log=False, health="/நலம்", metrics="", openapi="/api", docs="")

    async def scenario(world: World) -> None:
        for path in ("/health", "/health/live", "/metrics", "/openapi.json", "/docs"):
            assert (await world.get(path))[0] == 404
        for path in ("/நலம்", "/நலம்/live", "/நலம்/ready", "/நலம்/startup"):
            assert (await world.get(path))[0] == 200
        received = await world.ask("GET", "/api")
        assert "/x" in msgspec.json.decode(received.body)["paths"]
        head = await world.ask("HEAD", "/நலம்")
        assert (head.status, bytes(head.body)) == (200, b"")
        assert (await world.ask("POST", "/நலம்")).status == 405

    serve([plan("a", 'வழி பெறு, "/x" { பதில் 200, 1; }')], scenario, settings)


def test_the_document_tells_routes_their_guards_and_types() -> None:
    text = """
    வடிவம் ப { பெயர்: சொல், வயது: எண்? };
    வழி பதி, "/u/:id", {"body": ப, "guards": ["admin"], "summary": "சேர்", "tags": ["பயனர்"]} { }
    server.on("GET", "/on", {"summary": "on"}, செயல்(r) { திரும்பு 1; });
    """

    async def scenario(world: World) -> None:
        document = msgspec.json.decode((await world.ask("GET", "/openapi.json")).body)
        operation = document["paths"]["/u/{id}"]["post"]
        assert operation["summary"] == "சேர்" and operation["tags"] == ["பயனர்"]
        assert "application/json" in operation["requestBody"]["content"]
        assert {"401", "403", "422"} <= set(operation["responses"])
        assert document["paths"]["/on"]["get"]["summary"] == "on"

    serve([plan("a", text)], scenario)


# ---- limits of the process ------------------------------------------------------------


def test_more_than_the_process_takes_is_503_but_health_is_answered() -> None:
    settings = HttpSettings(access_log=False, in_flight=3)
    text = 'வழி பெறு, "/a" { உறங்கு(5); பதில் 200, 1; }'

    async def scenario(world: World) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(world.ask, "GET", "/a")
            await trio.testing.wait_all_tasks_blocked()
            refused = await world.ask("GET", "/a")
            assert (refused.status, refused.field("retry-after")) == (503, "1")
            assert (await world.get("/health/live"))[0] == 200
        assert (await world.get("/a"))[0] == 200

    serve([plan("a", text)], scenario, settings)


def test_bodies_of_all_requests_together_are_bounded() -> None:
    settings = HttpSettings(access_log=False, buffered_bytes=100_000, body_bytes=80_000)
    text = 'வழி பதி, "/a" { உறங்கு(5); பதில் 200, நீளம்(request_body); }'

    async def scenario(world: World) -> None:
        statuses: list[int] = []

        async def post() -> None:
            statuses.append((await world.ask("POST", "/a", None, b"x" * 60_000)).status)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(post)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(post)
        assert 200 in statuses and all(status in (200, 503) for status in statuses)
        assert (await world.ask("POST", "/a", None, b"x" * 80_001)).status == 413
        assert (await world.ask("POST", "/a", None, b"x" * 60_000)).status == 200

    serve([plan("a", text)], scenario, settings)


def test_the_rate_is_for_each_client_and_not_for_each_proxy() -> None:
    settings = HttpSettings(access_log=False, trusted_proxies=("127.0.0.0/8",))
    text = 'வழி பெறு, "/a", {"rate": "1/m"} { பதில் 200, கோரிக்கை.client; }'

    async def scenario(world: World) -> None:
        for address in ("192.0.2.1", "192.0.2.2", "2001:db8::1"):
            headers = {"x-forwarded-for": address}
            assert await world.get("/a", headers) == (200, address)
            assert (await world.get("/a", headers))[0] == 429

    serve([plan("a", text)], scenario, settings)


def test_without_trusted_proxies_nobody_can_name_another_address() -> None:
    text = 'வழி பெறு, "/a", {"rate": "1/m"} { பதில் 200, கோரிக்கை.client; }'

    async def scenario(world: World) -> None:
        assert await world.get("/a", {"x-forwarded-for": "192.0.2.1"}) == (200, "127.0.0.1")
        assert (await world.get("/a", {"x-forwarded-for": "192.0.2.2"}))[0] == 429

    serve([plan("a", text)], scenario)


def test_pages_of_other_origins_may_read_only_what_is_said() -> None:
    settings = HttpSettings(access_log=False, cors=Cors(origins=("https://kadai.example",)))
    text = 'வழி பதி, "/a" { பதில் 200, 1; } வழி பெறு, "/e" { x = 1 / 0; }'

    async def scenario(world: World) -> None:
        preflight = {"origin": "https://kadai.example", "access-control-request-method": "POST"}
        allowed = await world.ask("OPTIONS", "/a", preflight)
        assert allowed.status == 204
        assert allowed.field("access-control-allow-origin") == "https://kadai.example"
        other = await world.ask("OPTIONS", "/a", {**preflight, "origin": "https://evil.example"})
        assert other.field("access-control-allow-origin") is None
        for method, path in (("POST", "/a"), ("GET", "/e"), ("GET", "/nowhere")):
            received = await world.ask(method, path, {"origin": "https://kadai.example"})
            assert received.field("access-control-allow-origin") == "https://kadai.example"
            assert received.field("vary") is not None

    serve([plan("a", text)], scenario, settings)


def test_details_are_told_only_where_the_operator_wants_it() -> None:
    text = 'வழி பெறு, "/a" { இரகசியம் = 1; x = இரகசியம் / 0; }'
    told: list[str] = []

    async def scenario(world: World) -> None:
        told.append((await world.get("/a"))[1])

    serve([plan("a", text)], scenario)
    serve([plan("a", text)], scenario, HttpSettings(access_log=False, debug=True))
    assert "division by zero" not in told[0] and "a.qmz" not in told[0]
    assert "division by zero" in told[1] and "a.qmz" in told[1]


# ---- what is counted and logged -------------------------------------------------------

COUNTED = """
வழி பெறு, "/ok/:id" { பதில் 200, param_id; }
வழி பெறு, "/fails" { x = 1 / 0; }
வழி பெறு, "/slow", {"timeout": 2} { உறங்கு(5); }
வழி பெறு, "/long" { உறங்கு(9); பதில் 200, 1; }
வழி பெறு, "/rate", {"rate": "1/m"} { பதில் 200, 1; }
வழி பதி, "/body", {"body_limit": 3} { பதில் 200, 1; }
வழி பெறு, "/none" { பதில் 204, 1; }
"""


def test_every_request_is_logged_once_with_its_route_and_its_end() -> None:
    async def scenario(world: World) -> None:
        for path in ("/ok/1", "/ok/2", "/fails", "/slow", "/rate", "/rate", "/none", "/nowhere"):
            await world.get(path)
        await world.ask("POST", "/body", None, "xxxx")
        await world.ask("PUT", "/ok/1")
        with trio.move_on_after(3):
            await world.get("/long")
        await trio.sleep(20)
        entries = world.notes.entries
        assert [entry.status for entry in entries] == [200, 200, 500, 504, 200, 429, 204, 404, 413, 405, GONE]
        assert [round(entry.seconds) for entry in entries] == [0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 3]
        assert len({entry.id for entry in entries}) == len(entries)
        assert {entry.service for entry in entries} == {"a", ""}
        assert [entry.route for entry in entries if entry.status in (404, 405)] == ["", ""]
        assert entries[0].route == entries[1].route != entries[2].route
        by_status: dict[int, int] = {}
        for route in world.site.shared.metrics.routes:
            for (_, status, _), answers in route.answers.items():
                by_status[status] = by_status.get(status, 0) + answers.count
        assert sum(by_status.values()) == len(entries)
        assert by_status[200] == 3 and by_status[GONE] == 1

    serve([plan("a", COUNTED)], scenario)


def test_names_of_a_trace_are_handed_on_and_ids_cannot_be_forged_with_line_ends() -> None:
    text = 'வழி பெறு, "/a" { பதில் 200, கோரிக்கை.id; }'

    async def scenario(world: World) -> None:
        trace = "0af7651916cd43dd8448eb211c80319c"
        received = await world.ask("GET", "/a", {"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
        assert trace in (received.field("traceparent") or "")
        assert "b7ad6b7169203331" not in (received.field("traceparent") or "")
        good = await world.ask("GET", "/a", {"x-request-id": "abc-1"})
        assert good.field("x-request-id") == bytes(good.body).decode()
        for bad in ("a b", 'x"y', "த", "x" * 5000, ""):
            received = await world.ask("GET", "/a", {"x-request-id": bad})
            assert re.fullmatch(r"[\x21-\x7e]{1,200}", received.field("x-request-id") or "")
            assert received.field("x-request-id") != bad

    serve([plan("a", text)], scenario)


# ---- WebSockets through the site ------------------------------------------------------


class Peer:
    """The other end of a WebSocket, in memory. It goes when it has as many messages as it sent."""

    def __init__(self, *messages: str | bytes) -> None:
        self.accepted = False
        self.sent: list[str | bytes] = []
        self.code: int | None = None
        self._messages = list(messages)
        self._wanted = len(messages)
        self._enough = trio.Event()

    async def accept(self, headers: Headers) -> None:
        """Yes."""
        await trio.lowlevel.checkpoint()
        self.accepted = True

    async def receive(self) -> str | bytes | None:
        """The next message, and then nothing."""
        await trio.lowlevel.checkpoint()
        if self._messages:
            return self._messages.pop(0)
        await self._enough.wait()
        return None

    async def send(self, message: str | bytes) -> None:
        """Keep it."""
        await trio.lowlevel.checkpoint()
        self.sent.append(message)
        if len(self.sent) >= self._wanted:
            self._enough.set()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Goodbye."""
        await trio.lowlevel.checkpoint()
        self.code = self.code or code
        self._enough.set()


async def connect(world: World, path: str, *messages: str | bytes) -> tuple[int, Peer]:
    """Ask for a WebSocket: the status of a refusal, or 101."""
    peer = Peer(*messages)
    request = HttpRequest(
        "GET",
        path.encode(),
        [(b"host", b"localhost"), (b"upgrade", b"websocket")],
        MemoryExchange(b""),
        arrived=trio.current_time(),
        client="127.0.0.1",
    )
    request.live = peer
    outgoing = await world.site.live(request)
    status = 101 if outgoing is None else outgoing.status
    world.site.done(request, status, 0)
    return status, peer


def test_websockets_are_guarded_limited_and_served() -> None:
    text = """
    செயல் மறு_(r) { திரும்பு பொய்; }
    செயல் அனுப்பி(r) { திரும்பு வழிமாற்று("/login"); }
    வழி WS, "/echo/:n" { ஒவ்வொரு m இல் நேரலை { நேரலை_அனுப்பு(param_n & m); } அச்சு "over"; }
    வழி WS, "/guarded", [மறு_] { நேரலை_அனுப்பு("secret"); }
    வழி WS, "/sent-away", [அனுப்பி] { நேரலை_அனுப்பு("secret"); }
    வழி WS, "/fails" { m = நேரலை_பெறு(); x = 1 / 0; }
    வழி WS, "/rate", {"rate": "1/m"} { நேரலை_அனுப்பு("x"); }
    வழி பெறு, "/plain" { பதில் 200, 1; }
    """

    async def scenario(world: World) -> None:
        status, peer = await connect(world, "/echo/7", "a", "b")
        assert (status, peer.sent, world.lines) == (101, ["7a", "7b"], ["over"])
        for path, refused in (("/guarded", 403), ("/sent-away", 302), ("/plain", 404), ("/nowhere", 404)):
            status, peer = await connect(world, path, "a")
            assert (status, peer.sent, peer.accepted) == (refused, [], False)
        status, peer = await connect(world, "/fails", "a")
        assert (status, peer.code) == (101, 1011)
        assert [(await connect(world, "/rate"))[0] for _ in range(2)] == [101, 429]
        metrics = world.site.shared.metrics
        assert metrics.websockets_open == 0
        assert (await world.get("/echo/7"))[0] == 426

    serve([plan("a", text)], scenario)


# ---- real files, real time ------------------------------------------------------------


def test_files_that_a_program_answers_with_are_read_when_it_has_ended(tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("hello", encoding="utf-8")
    data = tmp_path / "data.txt"
    text = f"""
    வழி பெறு, "/typed" {{ பதில்_கோப்பு(200, "{data}", {{"Content-Type": "text/plain", "X-A": "b"}}); }}
    வழி பெறு, "/untyped" {{ பதில்_கோப்பு(200, "{data}", {{}}); பதில்_ஆக்கு(1, 2); }}
    வழி பெறு, "/status" {{ பதில்_கோப்பு(404, "{data}", {{}}); }}
    வழி பெறு, "/missing" {{ விடை = பதில்_கோப்பு(200, "{tmp_path}/none", {{}}); (தவறா(விடை)) எனில் {{ பதில் 404, "none"; }} }}
    வழி பெறு, "/folder" {{ விடை = பதில்_கோப்பு(200, "{tmp_path}", {{}}); பதில் 200, தவறா(விடை); }}
    வழி பெறு, "/later" {{ பதில்_கோப்பு(200, "{data}", {{}}); கோப்பு_அழி("{data}"); }}
    வழி பெறு, "/variable" {{ பதில் 200, "x"; response_file = "{data}"; }}
    வழி பெறு, "/header" {{ பதில்_கோப்பு(200, "{data}", {{"X A": "b"}}); }}
    """.replace(f'கோப்பு_அழி("{data}");', "")

    async def scenario(world: World) -> None:
        typed = await world.ask("GET", "/typed")
        assert (bytes(typed.body), typed.field("content-type"), typed.field("x-a")) == (
            b"hello",
            "text/plain",
            "b",
        )
        untyped = await world.ask("GET", "/untyped")
        assert untyped.field("content-type") == "application/octet-stream"
        assert await world.get("/status") == (404, "hello")
        assert await world.get("/missing") == (404, "none")
        assert await world.get("/folder") == (200, "true")
        assert await world.get("/variable") == (200, "hello")
        assert (await world.get("/header"))[0] == 500
        part = await world.ask("GET", "/typed", {"range": "bytes=1-2"})
        assert (part.status, bytes(part.body)) == (206, b"el")
        head = await world.ask("HEAD", "/typed")
        assert (head.status, bytes(head.body)) == (200, b"")

    serve([plan("a", text)], scenario, really=True)


def test_a_package_is_answered_without_a_file() -> None:
    text = """
    வழி பெறு, "/zip" { பதில்_பொதி(200, {"a.md": "வணக்கம்", "b/c.json": {"எண்": 7}}, {"X-A": "b"}); }
    வழி பெறு, "/odf" { பதில்_பொதி(201, {"mimetype": "x"}) {"content-type": "application/odt"}; }
    வழி பெறு, "/name" { பதில்_பொதி(200, {"../a": "x"}); }
    வழி பெறு, "/kind" { பதில்_பொதி(200, ["a"]); }
    வழி பெறு, "/header" { பதில்_பொதி(200, {"a": "x"}, {"X A": "b"}); }
    வழி பெறு, "/last" { பதில்_பொதி(200, {"a": "x"}); பதில் 404, "none"; }
    """

    async def scenario(world: World) -> None:
        answer = await world.ask("GET", "/zip")
        told = (answer.status, answer.field("content-type"), answer.field("x-a"))
        assert told == (200, "application/zip", "b")
        with ZipFile(BytesIO(bytes(answer.body))) as found:
            assert {name: found.read(name).decode() for name in found.namelist()} == {
                "a.md": "வணக்கம்", "b/c.json": '{"எண்":7}',
            }  # fmt: skip
        odf = await world.ask("GET", "/odf")
        assert (odf.status, odf.field("content-type")) == (201, "application/odt")
        for path in ("/name", "/kind", "/header"):
            assert (await world.get(path))[0] == 500
        assert await world.get("/last") == (404, "none")

    serve([plan("a", text)], scenario)


def test_a_folder_gives_its_files_and_nothing_outside(tmp_path: Path) -> None:
    folder = tmp_path / "pub"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("aaa", encoding="utf-8")
    (folder / "படம்.txt").write_text("tamil", encoding="utf-8")
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    text = f'வழி நிலைக்கோப்பு, "/static", "{folder}"; வழி பெறு, "/static/own" {{ பதில் 200, "own"; }}'

    async def scenario(world: World) -> None:
        assert await world.get("/static/a.txt") == (200, "aaa")
        assert await world.get("/static/படம்.txt") == (200, "tamil")
        assert await world.get("/static/own") == (200, "own")
        for path in (
            "/static/../secret.txt",
            "/static/%2e%2e/secret.txt",
            "/static/..%2fsecret.txt",
            "/static/%2E%2E%2Fsecret.txt",
            "/static/sub/..%2f..%2fsecret.txt",
            f"/static/{tmp_path}/secret.txt",
            "/static/link.txt",
            "/static/none",
            "/static/a.txt/x",
            "/static/a.txt%00",
        ):
            status, body = await world.get(path)
            assert status in (400, 404) and "secret" not in body.replace("secret.txt", "")
        received = await world.ask("GET", "/static/a.txt")
        again = await world.ask("GET", "/static/a.txt", {"if-none-match": received.field("etag") or ""})
        assert (again.status, bytes(again.body)) == (304, b"")
        assert (await world.ask("POST", "/static/a.txt")).status == 405

    serve([plan("a", text)], scenario, really=True)


def test_numbers_are_told_as_a_page() -> None:
    async def scenario(world: World) -> None:
        await world.get("/ok/1")
        status, text = await world.get("/metrics")
        assert status == 200
        assert re.search(r"^# TYPE etamil_\w+ ", text, re.M)

    serve([plan("a", COUNTED)], scenario, really=True)


def test_endless_loops_delay_others_a_little_and_end_with_their_time() -> None:
    text = """
    வழி பெறு, "/loop", {"timeout": 0.4} { முயல் { (மெய்) சுற்று { x = 1; } } பிழை(e) { அச்சு "caught"; } }
    வழி பெறு, "/quick" { பதில் 200, 1; }
    """

    async def scenario(world: World) -> None:
        statuses: list[int] = []

        async def loop() -> None:
            statuses.append((await world.get("/loop"))[0])

        answered = 0
        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(loop)
            await trio.lowlevel.checkpoint()
            while len(statuses) < 4:
                assert await world.get("/quick") == (200, "1")
                answered += 1
                await trio.sleep(0.01)
        assert statuses == [504] * 4
        assert answered > 3
        assert world.lines == []

    serve([plan("a", text)], scenario, really=True)
