"""What a long and suspicious reading of the actor floor has found: each of these went wrong once.

Restarts of a whole branch, jobs that are started while everything is taken down, and jobs that the journal
keeps are here, because they need several parts at once and belong to none.
"""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import trio
import trio.testing

from etamil_actors.actors.channels.base import Delivery
from etamil_actors.actors.channels.letters import KEPT
from etamil_actors.actors.channels.takers import Takers
from etamil_actors.actors.events import ActorCrashed, ActorRestarted
from etamil_actors.actors.programs.system import System
from etamil_actors.errors import Fault
from etamil_actors.testing import open_journal, open_service, run_seeded
from tests.actors.helpers import run_virtually
from tests.programs.running import Result, output_of, run_program

REPOSITORY = Path(__file__).resolve().parents[2]

LIVES = """
அச்சு "தொடக்கம்";
பரப்பு = சேனல்_உருவாக்கு("பரப்பு", {"kind": "broadcast"});
சந்தா = சேனல்_சந்தா(பரப்பு);
பெயருள்ளது = சேனல்_உருவாக்கு("பெயருள்ளது");
அளவு = 7;
செயல் பார்() { திரும்பு அளவு; }
முகவர் எண்ணி(தொடக்கம்) {
    மொத்தம் = தொடக்கம்;
    செய்தி கூட்டு(எவ்வளவு) { மொத்தம் = மொத்தம் + எவ்வளவு; திரும்பு மொத்தம் & "/" & பார்(); }
}
முகவர்_தொடங்கு(எண்ணி, [1], {"name": "எண்ணி"});
தனி = எண்ணி(10);
அளவு = 8;
பணி_உருவாக்கு "கேள்", {"channel": சந்தா} { அச்சு "பரப்பு " & செய்தி; }
பணி_உருவாக்கு "வாங்கு", {"channel": பெயருள்ளது} {
    அச்சு "வரிசை " & செய்தி & " " & முகவர்_தேடு("எண்ணி").கூட்டு(1) & " " & தனி.கூட்டு(1);
}
நிறுத்தும்போது { அச்சு "முடிவு " & அளவு; }
"""


async def send(system: System, text: str) -> None:
    for name in ("பரப்பு", "பெயருள்ளது"):
        channel = system.channels.find(name)
        assert channel is not None
        await channel.send(text)
    await trio.sleep(1)


@pytest.mark.parametrize("branch", ["agents", "jobs", "prelude"])
def test_a_service_is_as_new_when_its_prelude_begins_again(branch: str) -> None:
    """Its subscriptions are open, its agents are started once and see what the prelude has made so far."""
    agents = 0

    async def during(system: System) -> None:
        nonlocal agents
        await send(system, "ஒன்று")
        actor = system.tree.at(f"/root/சேவை/{branch}")._actor
        assert actor.crash(RuntimeError("a fault that was put in"))
        await trio.sleep(1)
        await send(system, "இரண்டு")
        agents = len(system.services["சேவை"].agents.children)

    done = run_program(LIVES, during=during)
    assert done.problem is None
    assert done.crashes == [(branch, "RuntimeError")]
    first, second = done.lines.index("தொடக்கம்"), done.lines.index("தொடக்கம்", 1)
    assert sorted(done.lines[first + 1 : second]) == ["பரப்பு ஒன்று", "வரிசை ஒன்று 2/7 11/7"]
    assert sorted(done.lines[second + 1 : -1]) == ["பரப்பு இரண்டு", "வரிசை இரண்டு 2/7 11/7"]
    assert done.lines[-1] == "முடிவு 8"
    assert agents == 2
    assert not done.left_over


def test_a_script_that_is_over_does_not_begin_again() -> None:
    """Whoever sees that its jobs are done stays until all is taken down, however long that takes."""

    async def during(system: System) -> None:
        await system.leaving.wait()
        await trio.sleep(100)

    done = run_program('அச்சு "ஒருமுறை";', as_script=True, during=during)
    assert done.lines == ["ஒருமுறை"]
    assert not [event for event in done.events if isinstance(event, ActorRestarted)]
    assert not done.crashes


def test_a_prelude_that_cannot_begin_again_leaves_the_closing_blocks_what_they_knew() -> None:
    text = """
    சேவை_பதிவு("எத்தனை", முன்பு());
    செயல் முன்பு() {
        முயல் { திரும்பு சேவை_பெறு("எத்தனை") + 1; } பிழை(e) { திரும்பு 1; }
    }
    வாக்கு = "நான் " & சேவை_பெறு("எத்தனை");
    (சேவை_பெறு("எத்தனை") > 1) எனில் { பிழை_எழுப்பு("கெட்டது", "மறுபடி முடியாது"); }
    நிறுத்தும்போது { அச்சு வாக்கு; }
    """

    async def during(system: System) -> None:
        assert system.tree.at("/root/சேவை/prelude")._actor.crash(RuntimeError("a fault that was put in"))
        await trio.sleep(600)

    done = run_program(text, during=during)
    assert done.problem is not None
    assert done.lines
    assert set(done.lines) == {"நான் 1"}


def test_a_job_that_is_started_while_all_are_stopped_is_a_plain_error() -> None:
    text = """
    செயல் தொடங்கு() { பணி_உருவாக்கு("பின்னது") { அச்சு "இது ஓடாது"; }; }
    பணி_உருவாக்கு "வேலை" {
        உறங்கு(5);
        முயல் { தொடங்கு(); } பிழை(e) { அச்சு e.குறி; }
    }
    """
    assert output_of(text, seconds=1) == ["cancelled"]


DURABLE = """
செயல் வை(பெயர்) {
    பணி_உருவாக்கு(பெயர், {"durable": மெய்}) { அச்சு "தொடங்கியது " & பெயர்; உறங்கு(5); அச்சு "முடிந்தது " & பெயர்; };
}
வை("மேல்நிலை");
பணி_உருவாக்கு "பெற்றோர்" { வை("பிள்ளை"); }
"""


def test_a_durable_job_of_the_top_level_runs_once() -> None:
    lines: list[str] = []

    async def scenario() -> None:
        async with open_journal(":memory:") as journal, open_service(DURABLE, journal=journal) as service:
            await service.advance(60)
            lines.extend(service.lines)

    run_seeded(scenario)
    assert sorted(lines) == [
        "தொடங்கியது பிள்ளை",
        "தொடங்கியது மேல்நிலை",
        "முடிந்தது பிள்ளை",
        "முடிந்தது மேல்நிலை",
    ]


def test_a_durable_job_that_is_started_too_late_runs_after_the_next_start() -> None:
    text = """
    செயல் வை() { பணி_உருவாக்கு("கடைசி", {"durable": மெய்}) { அச்சு "ஓடியது"; }; }
    பணி_உருவாக்கு "வேலை" {
        (சேவை_பெறு("முதல்")) எனில் { உறங்கு(5); வை(); அச்சு "வைத்தது"; }
    }
    சேவை_பதிவு("முதல்", சுற்றுச்சூழல்_பெறு("முதல்") == "ஆம்");
    """
    lines: list[list[str]] = []

    async def scenario() -> None:
        async with open_journal(":memory:") as journal:
            for environment in ({"முதல்": "ஆம்"}, {}):
                async with open_service(text, journal=journal, environment=environment) as service:
                    await service.advance(1)
                lines.append(service.lines)

    run_seeded(scenario)
    assert lines == [["வைத்தது"], ["ஓடியது"]]


HURRIED = """
import sys
from etamil_actors import cli, script_with_actors
script_with_actors.INTERRUPT_SECONDS = 0.2
sys.exit(cli.main(["run", "--no-cache", "program.qmz"]))
"""


def test_one_interrupt_ends_a_script_that_waits_in_a_thread(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "never")
    text = 'அச்சு "தயார்"; காலவரம்பு(100) { கோப்பு_படி "never", வந்தது; }'
    (tmp_path / "program.qmz").write_text(text, encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, "-c", HURRIED],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().decode() == "தயார்\n"
        writer = os.open(tmp_path / "never", os.O_WRONLY)  # comes back when the script has begun to read
        process.send_signal(signal.SIGINT)
        try:
            _, errors = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    os.close(writer)
    assert process.returncode == 130
    assert "ended by force" in errors.decode()


# ---- what lives long does not grow ----------------------------------------------------


def test_agents_that_have_ended_leave_no_name_behind() -> None:
    text = """
    முகவர் ஏ() { செய்தி பார்() { திரும்பு 1; } }
    செயல் தொடங்கு(பெயர்) { திரும்பு முகவர்_தொடங்கு(ஏ, [], {"name": பெயர்}); }
    பணி_உருவாக்கு "ஓடு" {
        i = 0;
        (i < 50) சுற்று { முகவர்_நிறுத்து(தொடங்கு("அ" & i)); i = i + 1; }
        தொடங்கு("கடைசி");
        அச்சு முகவர்_தேடு("அ1") == இன்மை;
        அச்சு முகவர்_தேடு("கடைசி").பார்();
    }
    """
    names: list[str] = []

    async def during(system: System) -> None:
        await trio.sleep(10)
        names.extend(system.agents)

    assert output_of(text, during=during) == ["true", "1"]
    assert names == ["கடைசி"]


def test_an_agent_forgets_watchers_whose_channels_are_forgotten() -> None:
    text = """
    முகவர் ஏ() { செய்தி பார்() { திரும்பு 1; } }
    நீள் = ஏ();
    பணி_உருவாக்கு "ஓடு" {
        i = 0;
        (i < 50) சுற்று { கண் = முகவர்_கண்காணி(நீள்); i = i + 1; }
        உறங்கு(20);
        முகவர்_நிறுத்து(நீள்);
        அச்சு சேனல்_பெறு(கண்).காரணம்;
    }
    """
    watchers = 0

    async def during(system: System) -> None:
        nonlocal watchers
        await trio.sleep(10)
        gc.collect()
        (agent,) = system.services["சேவை"].agents.children
        watchers = len(agent._actor._watchers or ())
        await trio.sleep(20)

    assert output_of(text, during=during) == ["நிறுத்தப்பட்டது"]
    assert watchers == 1


def test_jobs_that_failed_are_kept_as_long_as_their_letters() -> None:
    text = f"""
    செயல் கெடு() {{ பணி_உருவாக்கு("கெடு", {{"attempts": 1}}) {{ பிழை_எழுப்பு("x", "bad"); }}; }}
    பணி_உருவாக்கு "ஓடு" {{
        i = 0;
        (i < {KEPT + 20}) சுற்று {{ கெடு(); i = i + 1; }}
    }}
    """

    async def during(system: System) -> None:
        await trio.sleep(100)
        service = system.services["சேவை"]
        assert len(service.dead_jobs) == KEPT
        letters = await system.letters.listed()
        assert len(letters) == KEPT
        assert await system.letters.requeue(letters[0].number)
        assert len(service.dead_jobs) == KEPT - 1
        await trio.sleep(100)
        assert len(service.dead_jobs) == KEPT

    assert output_of(text, during=during, crashes=True) == []


# ---- errors and what they keep --------------------------------------------------------


def test_an_error_does_not_follow_from_one_that_was_caught_before() -> None:
    """Whoever was given an error by a word, and has caught it, raises another one that is about something else."""
    text = """
    ச = சேனல்_உருவாக்கு();
    முகவர் ஏ() {
        செய்தி கேள்() {
            முயல் { சேனல்_பெறு(ச, {"timeout": 1}); } பிழை(e) { அச்சு e.குறி; }
            பிழை_எழுப்பு("validation", "வேறொன்று");
        }
    }
    நீள் = ஏ();
    பணி_உருவாக்கு "ஓடு", {"restart": "temporary"} { நீள்.கேள்(); }
    """
    done = run_program(text)
    assert done.lines == ["timeout"]
    (crash,) = [event.problem for event in done.events if isinstance(event, ActorCrashed)]
    assert isinstance(crash, Fault)
    assert (crash.code, crash.earlier) == ("validation", None)


def test_errors_that_are_over_are_freed_at_once() -> None:
    """No ring of an error, its trace and a frame that knows it keeps the values of the program."""
    text = """
    முகவர் ஏ() {
        செய்தி மறு(க) { பிழை_எழுப்பு("validation", "இல்லை"); }
        செய்தி தாமதி(க) { உறங்கு(0.001); பிழை_எழுப்பு("validation", "இல்லை"); }
    }
    நீள் = ஏ();
    பணி_உருவாக்கு "ஓடு" {
        உறங்கு(1);
        i = 0;
        (i < 20) சுற்று {
            முயல் { நீள்.மறு([i]); } பிழை(e) { }
            முயல் { நீள்.தாமதி([i]); } பிழை(e) { }
            i = i + 1;
        }
        அச்சு i;
        உறங்கு(100);
    }
    """
    kept = 0

    async def during(system: System) -> None:
        nonlocal kept
        gc.collect()
        gc.disable()
        try:
            before = sum(type(one) is Fault for one in gc.get_objects())
            await trio.sleep(10)
            kept = sum(type(one) is Fault for one in gc.get_objects()) - before
        finally:
            gc.enable()

    assert output_of(text, during=during) == ["20"]
    assert kept <= 1  # the last one, where the one who was told of it stands


def test_an_answer_belongs_to_the_asker_alone() -> None:
    """Nothing of the floor keeps a value that a program was given and has forgotten."""
    text = """
    முகவர் ஏ() { செய்தி தா() { உறங்கு(0.1); திரும்பு ["நினை" & "வு"]; } }
    நீள் = ஏ();
    பணி_உருவாக்கு "ஓடு" { க = நீள்.தா(); அச்சு க[0]; க = இன்மை; உறங்கு(50); }
    """
    kept: list[object] = []

    async def during(system: System) -> None:
        await trio.sleep(10)
        gc.collect()
        kept.extend(one for one in gc.get_objects() if type(one) is list and one == ["நினைவு"])

    assert output_of(text, during=during) == ["நினைவு"]
    assert not kept


# ---- who is stopped, and who goes on --------------------------------------------------


def test_a_durable_job_that_is_stopped_while_it_waits_has_not_failed() -> None:
    """However often the service is started anew, what waits for a message goes on waiting for it."""
    text = """
    ச = சேனல்_உருவாக்கு("ச");
    செயல் வை() {
        பணி_உருவாக்கு("நீள்", {"durable": மெய், "attempts": 2}) { அச்சு "தொடங்கியது"; அச்சு சேனல்_பெறு(ச); };
    }
    பணி_உருவாக்கு "வேலை" { (சுற்றுச்சூழல்_பெறு("வேளை") == "முதல்") எனில் { வை(); } }
    பணி_உருவாக்கு "விடு" { (சுற்றுச்சூழல்_பெறு("வேளை") == "கடைசி") எனில் { சேனல்_அனுப்பு(ச, "வந்தது"); } }
    """
    lines: list[list[str]] = []
    letters = 0

    async def scenario() -> None:
        nonlocal letters
        async with open_journal(":memory:") as journal:
            for time in ("முதல்", "இடை", "இடை", "கடைசி", "பின்"):
                async with open_service(text, journal=journal, environment={"வேளை": time}) as service:
                    await service.advance(3)
                    letters += len(await service.system.letters.listed())
                lines.append(service.lines)

    run_seeded(scenario)
    assert lines == [["தொடங்கியது"], ["தொடங்கியது"], ["தொடங்கியது"], ["தொடங்கியது", "வந்தது"], []]
    assert letters == 0


def test_a_simulation_runs_in_any_thread() -> None:
    """Where no signals can be had, nobody is interrupted either before the limit."""
    text = """
    பணி_உருவாக்கு "ஓடு", {"restart": "temporary"} {
        i = 0;
        (i < 300000) சுற்று { i = i + 1; }
        உறங்கு(1);
        அச்சு i;
    }
    பணி_உருவாக்கு "கெடு", {"restart": "temporary"} { உறங்கு(2); (மெய்) சுற்று { } }
    """
    done: list[Result] = []
    thread = threading.Thread(target=lambda: done.append(run_program(text, seconds=5, limit=1.0)))
    thread.start()
    thread.join()
    assert done[0].problem is None
    assert done[0].lines == ["300000"]
    assert done[0].crashes == [("கெடு", "budget.time")]


class Searched(Takers):
    """A source whose next search comes to no end at once, as happens when many keys are taken."""

    def __init__(self) -> None:
        self._open_takers()
        self.messages: list[Delivery] = []
        self.is_searching = False

    @property
    def _may_have(self) -> bool:
        return bool(self.messages)

    @property
    def is_over(self) -> bool:
        return False

    @property
    def pending(self) -> int:
        return len(self.messages)

    def try_take(self) -> Delivery | None:
        if self.is_searching:
            self.is_searching = False
            return None
        return self.messages.pop() if self.messages else None

    def put(self, message: Delivery) -> None:
        self.messages.append(message)
        self._wake_one()

    def acked(self, delivery: Delivery) -> None:
        raise AssertionError("nobody settles here")

    def given_back(self, delivery: Delivery, delay: float) -> None:
        raise AssertionError("nobody settles here")

    def buried(self, delivery: Delivery, fault: Fault) -> None:
        raise AssertionError("nobody settles here")


def test_who_is_cancelled_in_a_long_search_wakes_the_next() -> None:
    taken: list[str] = []

    async def scenario() -> None:
        source = Searched()
        first = trio.CancelScope()

        async def take(name: str, scope: trio.CancelScope) -> None:
            with scope:
                await source.take()
                taken.append(name)

        async with trio.open_nursery() as nursery:
            for name, scope in (("முதல்", first), ("அடுத்தது", trio.CancelScope())):
                nursery.start_soon(take, name, scope)
                await trio.testing.wait_all_tasks_blocked()
            source.is_searching = True
            source.put(Delivery(source, 1))
            first.cancel()
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()

    run_virtually(scenario)
    assert taken == ["அடுத்தது"]
