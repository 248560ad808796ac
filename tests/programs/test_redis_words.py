"""சிவப்பாய்_* and ரெடிஸ்_* as programs use them (EXTENSIONS §10, REFERENCE §25)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import trio

from etamil_actors.actors.programs.redis_words import TIED
from etamil_actors.actors.programs.system import System
from etamil_actors.actors.programs.world import Ports
from etamil_actors.ports.redis import RedisSettings
from etamil_actors.resources.redis.simulated import SimulatedRedisServers
from tests.programs.running import failure_of, output_of, run_program


def with_servers(servers: SimulatedRedisServers) -> Callable[[Ports], Ports]:
    return lambda ports: replace(ports, redis=servers)


# ---- சிவப்பாய்_* ------------------------------------------------------------------------------


def test_a_text_is_kept_as_it_is_and_all_else_as_json() -> None:
    text = """
    r = சிவப்பாய்_தொடர்பு("redis://r.example/3");
    அச்சு சிவப்பாய்_பெறு(r, "அ");
    ஒவ்வொரு v இல் ["உரை", 1.50, மெய், இன்மை, [1, "இரு"], {"ஆ": 2}] {
        சிவப்பாய்_அமை(r, "அ", v); அச்சு சிவப்பாய்_பெறு(r, "அ");
    }
    அச்சு சிவப்பாய்_நீக்கு(r, "அ"); அச்சு சிவப்பாய்_நீக்கு(r, "அ"); அச்சு சிவப்பாய்_பெறு(r, "அ");
    அச்சு r; அச்சு வகை(r);
    """
    assert output_of(text) == [
        "nil",
        *["உரை", "1.50", "true", "null", '[1,"இரு"]', '{"ஆ":2}'],
        *["true", "false", "nil"],
        *["<இணைப்பு redis r.example:6379/3>", "a connection"],
    ]


def test_values_go_when_their_time_is_over() -> None:
    text = """
    r = _redis("r.example"); _redisSet(r, "அ", 1, 2.5); _redisSet(r, "ஆ", 1, 0);
    அச்சு _redisGet(r, "அ"); அச்சு _redisGet(r, "ஆ"); உறங்கு(3); அச்சு _redisGet(r, "அ"); அச்சு _redisDelete(r, "அ");
    """
    assert output_of(text) == ["1", "nil", "nil", "false"]


@pytest.mark.parametrize(
    ("text", "code", "english"),
    [
        ('சிவப்பாய்_தொடர்பு("ftp://x");', "config", "redis://"),
        ("சிவப்பாய்_பெறு(கேச்_உருவாக்கு(), 1);", "value.kind", "a connection to Redis"),
        ('சிவப்பாய்_அமை(சிவப்பாய்_தொடர்பு("x"), 1, 1, -1);', "value.invalid", "negative"),
        ('சிவப்பாய்_அமை(சிவப்பாய்_தொடர்பு("x"), 1, [நீளம்]);', "value.local", "a function"),
    ],
)
def test_what_cannot_be(text: str, code: str, english: str) -> None:
    fault = failure_of(text)
    assert fault.code == code and english in fault.english


def test_what_the_server_refuses() -> None:
    text = """
    ரெடிஸ்_இணை("r.example"); ரெடிஸ்_கட்டளை("LPUSH", ["l", 1]);
    முயல் { சிவப்பாய்_பெறு(சிவப்பாய்_தொடர்பு("r.example"), "l"); } பிழை(e) { அச்சு e.குறி; அச்சு e.செய்தி; }
    """
    code, message = output_of(text)
    assert code == "redis.refused" and "WRONGTYPE" in message


def test_a_server_that_is_away_is_told_and_comes_back() -> None:
    servers = SimulatedRedisServers()
    servers.server("r.example").is_down = True

    async def during(system: System) -> None:
        await trio.sleep(1)
        servers.server("r.example").is_down = False
        await trio.sleep(5)

    text = """
    r = சிவப்பாய்_தொடர்பு("redis://:geheim@r.example");
    பணி_உருவாக்கு "வே" {
        முயல் { சிவப்பாய்_அமை(r, "அ", 1); } பிழை(e) { அச்சு e.குறி; அச்சு e.செய்தி; }
        உறங்கு(2); சிவப்பாய்_அமை(r, "அ", 1); அச்சு சிவப்பாய்_பெறு(r, "அ");
    }
    """
    done = run_program(text, ports=with_servers(servers), during=during)
    assert [done.lines[0], done.lines[2]] == ["redis.unavailable", "1"]
    assert "r.example:6379/0" in done.lines[1] and "geheim" not in done.lines[1]


# ---- ரெடிஸ்_* of 2.0 -----------------------------------------------------------------------------


def test_commands_and_their_replies() -> None:
    text = """
    அச்சு மதிப்பு(ரெடிஸ்_இணை("r.example:6380"));
    செயல் கட்டளை(c, a) { அச்சு ரெடிஸ்_கட்டளை(c, a); }
    கட்டளை("SET", ["பெயர்", "குமார்"]); கட்டளை("GET", ["பெயர்"]); கட்டளை("get", ["இல்லை"]);
    கட்டளை("INCRBY", ["n", 42]); கட்டளை("RPUSH", ["l", 1, 2.50, மெய்]); கட்டளை("LRANGE", ["l", 0, -1]);
    கட்டளை("INCR", ["பெயர்"]); கட்டளை("கட்டளை", []);
    அச்சு ரெடிஸ்_பிரி(); அச்சு ரெடிஸ்_பிரி(); அச்சு தவறா(ரெடிஸ்_கட்டளை("PING", []));
    """
    lines = output_of(text)
    assert lines[0] == "r.example:6380"
    assert [line.partition("(")[2][:-1] for line in lines[1:9]] == [
        "OK",
        "குமார்",
        "nil",
        "42",
        "3",
        "[1, 2.5, true]",
        "ERR value is not an integer or out of range",
        "ERR unknown command 'கட்டளை', with args beginning with: ",
    ]
    assert lines[9:] == ["true", "false", "true"]


def test_before_anything_is_connected() -> None:
    lines = output_of('அச்சு ரெடிஸ்_கட்டளை("PING", []); அச்சு ரெடிஸ்_பிரி(); அச்சு தவறா(_redisCommand("PING", []));')
    assert "not connected" in lines[0] and lines[1:] == ["false", "true"]


def test_what_is_no_array_is_an_error() -> None:
    assert failure_of('ரெடிஸ்_இணை("x"); ரெடிஸ்_கட்டளை("GET", "k");').code == "value.kind"


@pytest.mark.parametrize("address", ["", "ftp://x", "x:0", "x:y"])
def test_an_address_that_is_none_is_a_failure(address: str) -> None:
    assert output_of(f'அச்சு தவறா(ரெடிஸ்_இணை("{address}"));') == ["true"]


@pytest.mark.parametrize("command", ['"SUBSCRIBE", ["x"]', '"monitor", []', '"HELLO", [3]', '"client", ["reply", "off"]'])
def test_commands_that_one_reply_does_not_answer_are_refused(command: str) -> None:
    text = f'ரெடிஸ்_இணை("r.example"); அச்சு ரெடிஸ்_கட்டளை({command}); அச்சு மதிப்பு(ரெடிஸ்_கட்டளை("PING", []));'
    lines = output_of(text)
    assert "not answered by one reply" in lines[0] and lines[1] == "PONG"


def test_an_error_inside_a_reply_is_a_failure_inside_an_array() -> None:
    text = """
    ரெடிஸ்_இணை("r.example"); ரெடிஸ்_கட்டளை("MULTI", []);
    ரெடிஸ்_கட்டளை("SET", ["k", "x"]); ரெடிஸ்_கட்டளை("INCR", ["k"]);
    x = மதிப்பு(ரெடிஸ்_கட்டளை("EXEC", [])); அச்சு x[0]; அச்சு தவறா(x[1]);
    """
    assert output_of(text) == ["OK", "true"]


def test_what_the_top_level_connects_every_activity_begins_with() -> None:
    text = """
    ரெடிஸ்_இணை("redis://r.example/3"); ரெடிஸ்_கட்டளை("SELECT", [5]); ரெடிஸ்_கட்டளை("SET", ["k", "ஐந்தில்"]);
    பணி f(n) {
        ரெடிஸ்_கட்டளை("SET", ["k", "மூன்றில்"]); அச்சு மதிப்பு(ரெடிஸ்_கட்டளை("GET", ["k"]));
        ரெடிஸ்_கட்டளை("SELECT", [7]); அச்சு மதிப்பு(ரெடிஸ்_கட்டளை("GET", ["k"]));
        (n == 1) எனில் { அச்சு ரெடிஸ்_பிரி(); அச்சு தவறா(ரெடிஸ்_கட்டளை("PING", [])); }
    }
    பணி_உருவாக்கு "வே" { f(1); உறங்கு(1); }
    பணி_உருவாக்கு "லை" { உறங்கு(2); f(2); }
    """
    assert output_of(text) == ["மூன்றில்", "nil", "true", "true", "மூன்றில்", "nil"]


def test_what_an_activity_connects_is_its_own() -> None:
    text = """
    பணி f(n) {
        அச்சு தவறா(ரெடிஸ்_கட்டளை("PING", []));
        ரெடிஸ்_இணை("r" & n & ".example"); ரெடிஸ்_கட்டளை("SET", ["k", n]); உறங்கு(1);
        அச்சு மதிப்பு(ரெடிஸ்_கட்டளை("GET", ["k"]));
    }
    இணையாக_மாற்று([1, 2, 3], f);
    """
    lines = output_of(text)
    assert lines[:3] == ["true"] * 3 and sorted(lines[3:]) == ["1", "2", "3"]


def test_connecting_again_leaves_the_first() -> None:
    text = """
    ரெடிஸ்_இணை("r1.example"); ரெடிஸ்_கட்டளை("SET", ["k", 1]); ரெடிஸ்_இணை("r2.example");
    அச்சு மதிப்பு(ரெடிஸ்_கட்டளை("GET", ["k"])); ரெடிஸ்_இணை("r1.example"); அச்சு மதிப்பு(ரெடிஸ்_கட்டளை("GET", ["k"]));
    """
    assert output_of(text) == ["nil", "1"]


def test_every_connection_comes_back_at_the_end_of_its_activity() -> None:
    servers = SimulatedRedisServers()
    text = f"""
    ரெடிஸ்_இணை("r.example"); எண்ணி = அணு_உருவாக்கு(0);
    பணி f(n) {{
        முயல் {{
            காலவரம்பு(1) {{
                ரெடிஸ்_கட்டளை("INCR", ["n"]);
                (n / 2 == தரை(n / 2)) எனில் {{ x = 1 / 0; }}
                உறங்கு(50);
            }}
        }} பிழை(e) {{ அணு_கூட்டு(எண்ணி, 1); x = y; }}
    }}
    பணி_உருவாக்கு "வே" {{
        i = 0; (i < {3 * TIED}) சுற்று {{ முயல் {{ பணி_காத்திரு(பணி_தொடங்கு(f, i)); }} பிழை(e) {{ }} i = i + 1; }}
        அச்சு அணு_படி(எண்ணி);
    }}
    """
    settings = RedisSettings(url="r.example", most=TIED)

    async def during(system: System) -> None:
        await trio.sleep(2 * 3 * TIED)
        keeper: Any = system.keeper
        facts = servers.client(settings, keeper).facts()
        assert facts.busy == facts.waiting == 0
        (only,) = servers.clients()
        assert only.facts() == facts

    done = run_program(text, ports=with_servers(servers), during=during)
    assert done.problem is None and done.lines == [str(3 * TIED)]


def test_a_connection_that_breaks_is_another_unless_something_was_set_on_it() -> None:
    servers = SimulatedRedisServers()
    server = servers.server("r.example")

    async def during(system: System) -> None:
        for moment in (1, 2, 3, 4):
            await trio.sleep_until(moment)
            server.is_down = bool(moment % 2)
        await trio.sleep(3)

    text = """
    ரெடிஸ்_இணை("r.example");
    செயல் சோதி() { அச்சு ரெடிஸ்_கட்டளை("PING", []); }
    பணி_உருவாக்கு "வே" {
        சோதி(); உறங்கு(1.5); சோதி(); உறங்கு(1); சோதி();
        ரெடிஸ்_கட்டளை("SELECT", [1]); உறங்கு(1); சோதி(); உறங்கு(1); சோதி(); ரெடிஸ்_இணை("r.example"); சோதி();
    }
    """
    lines = run_program(text, ports=with_servers(servers), during=during).lines
    assert ["PONG" in line for line in lines] == [True, False, True, False, False, True]
    assert "connect again" in lines[4]


# ---- spans -----------------------------------------------------------------------------------


class Noted:
    """A tracer that notes."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, str, str, dict[str, Any]]] = []
        self.ended: list[str] = []

    def begin(self, name: str, kind: str, parent: str, attributes: Any = None) -> Noted:
        self.spans.append((name, kind, parent, dict(attributes or {})))
        return self

    @property
    def context(self) -> str:
        return ""

    def note(self, name: str, value: Any) -> None: ...

    def end(self, error: str = "") -> None:
        self.ended.append(error)


def test_every_command_is_a_span_and_tells_no_values() -> None:
    tracer: Any = Noted()

    async def during(system: System) -> None:
        system.tracer = tracer
        await trio.sleep(3)

    text = """
    பணி_உருவாக்கு "வே" {
        உறங்கு(1); r = சிவப்பாய்_தொடர்பு("redis://r.example/3"); சிவப்பாய்_அமை(r, "திறவு", "ரகசியம்");
        ரெடிஸ்_இணை("redis://r.example/3"); ரெடிஸ்_கட்டளை("lpush", ["திறவு", 1]);
        க = கேச்_உருவாக்கு({"name": "க", "url": "redis://r.example/3"}); கேச்_பெறு(க, "அ");
    }
    """
    run_program(text, during=during)
    commands = [(name, kind) for name, kind, _, attributes in tracer.spans if "db.system.name" in attributes]
    assert commands == [("SET", "client"), ("LPUSH", "client"), ("GET", "client")]
    assert "redis.refused" in tracer.ended
    assert "ரகசியம்" not in str(tracer.spans) and "திறவு" not in str(tracer.spans)
    _, _, _, attributes = next(span for span in tracer.spans if span[0] == "SET")
    assert attributes == {
        "db.system.name": "redis",
        "db.operation.name": "SET",
        "server.address": "r.example",
        "server.port": 6379,
    }


def test_a_whole_line_in_place_of_a_command_is_not_told() -> None:
    tracer: Any = Noted()

    async def during(system: System) -> None:
        system.tracer = tracer
        await trio.sleep(3)

    text = """
    பணி_உருவாக்கு "வே" {
        உறங்கு(1); ரெடிஸ்_இணை("redis://r.example/3"); ரெடிஸ்_கட்டளை("AUTH hunter2", []); ரெடிஸ்_கட்டளை("get", ["அ"]);
    }
    """
    run_program(text, during=during)
    assert [name for name, *_ in tracer.spans if name.isupper()] == ["_OTHER", "GET"]
    assert "hunter2" not in str(tracer.spans).lower()
