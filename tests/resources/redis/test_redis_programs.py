"""Programs on a real Redis: caches and words as they are in a service, and servers that go and come back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
import trio

from etamil_actors.actors.events import ActorCrashed, Event, EventStream
from etamil_actors.actors.programs.system import ServicePlan, System, open_system
from etamil_actors.app import ports_of
from etamil_actors.resources.system import SimulatedConsole
from etamil_actors.script import system_world
from tests.conftest import Command
from tests.programs.running import image_of
from tests.resources.servers import OwnServer, own_server, url_of


@pytest.fixture
def url() -> str:
    """Where the standard server is. Found out before trio runs, so that a skip tells its reason."""
    return url_of("redis")


@pytest.fixture
def own() -> Iterator[OwnServer]:
    """A server that the test may stop."""
    with own_server("redis") as server:
        yield server


class Running:
    """A service, and what it has printed."""

    def __init__(self, system: System, console: SimulatedConsole) -> None:
        self.system = system
        self._console = console

    @property
    def lines(self) -> list[str]:
        return self._console.output.splitlines()

    async def until(self, is_so: Callable[[list[str]], bool], seconds: float = 20) -> list[str]:
        """Wait until what was printed is so."""
        with trio.fail_after(seconds):
            while not is_so(self.lines):  # noqa: ASYNC110  a console tells nobody
                await trio.sleep(0.005)
        return self.lines


@asynccontextmanager
async def running(*texts: str) -> AsyncIterator[Running]:
    """Run programs as services of one process, in a real world but for what they print."""
    console = SimulatedConsole()
    events = EventStream()
    crashes: list[Event] = []
    events.listen(lambda event: crashes.append(event) if isinstance(event, ActorCrashed) else None, messages=False)
    plans = [ServicePlan(name=f"சேவை{number}", image=image_of(text)) for number, text in enumerate(texts)]
    ports = replace(ports_of(system_world()), console=console)
    async with open_system(ports, plans, events=events) as system:
        yield Running(system, console)
    assert not crashes


async def test_a_cache_on_a_real_server(url: str) -> None:
    text = f"""
    க = கேச்_உருவாக்கு({{"name": "{uuid4().hex}", "url": "{url}", "ttl": 60}});
    பணி_உருவாக்கு "வே" {{
        அச்சு கேச்_பெறு(க, "அ", "இல்லை"); கேச்_அமை(க, "அ", {{"தமிழ்": 1.50}}); அச்சு கேச்_பெறு(க, "அ");
        கேச்_அமை(க, "ஆ", 1, 0.02); கேச்_அமை(க, "இ", 1, 0);
        எண்ணி = அணு_உருவாக்கு(0);
        f = செயல்(n) {{ திரும்பு கேச்_கணக்கிடு(க, "ஈ") {{ அணு_கூட்டு(எண்ணி, 1); உறங்கு(0.05); y = "ஒருமுறை"; }}; }};
        அச்சு இணையாக_மாற்று([1, 2, 3, 4], f); அச்சு அணு_படி(எண்ணி);
        அச்சு கேச்_பெறு(க, "ஆ"); அச்சு கேச்_பெறு(க, "இ"); அச்சு கேச்_நீக்கு(க, "அ"); அச்சு கேச்_நீக்கு(க, "அ");
        கேச்_காலி(க); அச்சு கேச்_பெறு(க, "ஈ"); அச்சு "முடிந்தது";
    }}
    """
    async with running(text) as service:
        lines = await service.until(lambda lines: "முடிந்தது" in lines)
    assert lines[:2] == ["இல்லை", "{தமிழ்: 1.5}"]
    assert lines[2:4] == ["[ஒருமுறை, ஒருமுறை, ஒருமுறை, ஒருமுறை]", "1"]
    assert lines[4:] == ["nil", "nil", "true", "false", "nil", "முடிந்தது"]


async def test_two_processes_compute_once(url: str) -> None:
    """Two services whose caches know each other only through the server."""
    name = uuid4().hex
    text = f"""
    க = கேச்_உருவாக்கு({{"name": "{name}", "url": "{url}", "ttl": 60}});
    பணி_உருவாக்கு "வே" {{
        x = கேச்_கணக்கிடு(க, "அ") {{ அச்சு "கணக்கிடுகிறது"; உறங்கு(0.3); y = "விடை"; }}; அச்சு x;
    }}
    """
    async with running(text, text) as service:
        lines = await service.until(lambda lines: lines.count("விடை") == 2)
    assert sorted(lines) == ["கணக்கிடுகிறது", "விடை", "விடை"]


async def test_the_words_of_both_kinds(url: str) -> None:
    key = f"etamil-test:{uuid4().hex}"
    text = f"""
    ரெடிஸ்_இணை("{url}"); r = சிவப்பாய்_தொடர்பு("{url}");
    பணி_உருவாக்கு "வே" {{
        சிவப்பாய்_அமை(r, "{key}", [1, "இரு"], 60); அச்சு மதிப்பு(ரெடிஸ்_கட்டளை("GET", ["{key}"]));
        அச்சு மதிப்பு(ரெடிஸ்_கட்டளை("TTL", ["{key}"])); அச்சு ரெடிஸ்_கட்டளை("INCR", ["{key}"]);
        ரெடிஸ்_கட்டளை("MULTI", []); ரெடிஸ்_கட்டளை("SET", ["{key}", 41]); ரெடிஸ்_கட்டளை("INCR", ["{key}"]);
        அச்சு மதிப்பு(ரெடிஸ்_கட்டளை("EXEC", [])); அச்சு சிவப்பாய்_பெறு(r, "{key}");
        முயல் {{ சிவப்பாய்_பெறு(r, "{key}"); காலவரம்பு(0.05) {{ ரெடிஸ்_கட்டளை("BLPOP", ["{key}:none", 5]); }} }}
        பிழை(e) {{ அச்சு e.குறி; }}
        அச்சு ரெடிஸ்_கட்டளை("PING", []); அச்சு சிவப்பாய்_நீக்கு(r, "{key}"); அச்சு "முடிந்தது";
    }}
    """
    async with running(text) as service:
        lines = await service.until(lambda lines: "முடிந்தது" in lines)
    assert lines[:2] == ['[1,"இரு"]', "60"] and "ERR value is not an integer" in lines[2]
    assert lines[3:6] == ["[OK, 42]", "42", "timeout"]
    assert "PONG" in lines[6] and lines[7] == "true"


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_cache_words_heal_when_the_server_comes_back_under_load(how: str, own: OwnServer) -> None:
    text = f"""
    க = கேச்_உருவாக்கு({{"name": "க", "url": "{own.url}"}}); நலம் = அணு_உருவாக்கு(0); இன்றி = அணு_உருவாக்கு(0);
    பணி f(n) {{
        i = 0;
        (மெய்) சுற்று {{
            முயல் {{
                கேச்_அமை(க, n, i); கேச்_பெறு(க, n);
                x = கேச்_கணக்கிடு(க, "பொது" & i) {{ y = i; }};
                (x != i) எனில் {{ அச்சு "தவறான மதிப்பு"; }}
                அணு_கூட்டு(நலம், 1);
            }} பிழை(e) {{
                (e.குறி != "redis.unavailable") எனில் {{ அச்சு e.குறி & e.செய்தி; }}
                அணு_கூட்டு(இன்றி, 1); உறங்கு(0.005);
            }}
            i = i + 1;
        }}
    }}
    பணி_உருவாக்கு "வே", {{"shutdown": 0}} {{ இணையாக_மாற்று([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], f); }}
    பணி_உருவாக்கு "சொல்", {{"shutdown": 0}} {{ (மெய்) சுற்று {{ அச்சு அணு_படி(நலம்) & " " & அணு_படி(இன்றி); உறங்கு(0.02); }} }}
    """

    def counts(lines: list[str]) -> tuple[int, int]:
        well, away = lines[-1].split()
        return int(well), int(away)

    async with running(text) as service:
        for _ in range(2):
            await _until_well(service, counts)
            before = counts(service.lines)[1]
            await trio.to_thread.run_sync(getattr(own, how))
            await service.until(lambda lines, before=before: counts(lines)[1] > before)  # type: ignore[misc]
            await trio.to_thread.run_sync(own.start)
        await _until_well(service, counts)
        (client,) = service.system.ports.redis.clients()  # type: ignore[union-attr]
        assert client.facts().open <= 16
        other = [line for line in service.lines if not line.replace(" ", "").isdigit()]
    assert not other
    assert client.facts().open == 0


async def _until_well(service: Running, counts: Callable[[list[str]], tuple[int, int]]) -> None:
    await service.until(bool)
    before = counts(service.lines)[0]
    await service.until(lambda lines: counts(lines)[0] > before + 30)


def test_a_script_may_use_redis(command: Command, tmp_path: Path, url: str) -> None:
    key = f"etamil-test:{uuid4().hex}"
    (tmp_path / "நிரல்.qmz").write_text(
        f'ரெடிஸ்_இணை("{url}");\n'
        f'அச்சு மதிப்பு(ரெடிஸ்_கட்டளை("SET", ["{key}", "வணக்கம்"]));\n'
        f'அச்சு மதிப்பு(ரெடிஸ்_கட்டளை("GETDEL", ["{key}"]));\nஅச்சு ரெடிஸ்_பிரி();\n',
        encoding="utf-8",
    )
    done = command("run", "நிரல்.qmz")
    assert (done.stdout.splitlines(), done.stderr, done.returncode) == (["OK", "வணக்கம்", "true"], "", 0)
