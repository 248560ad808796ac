"""The test kit itself: what a test can see and do, and that one seed is one run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio
import trio._core._run as inner
import trio.testing
from trio.testing import MockClock

from etamil_actors.actors.actor import Actor, ActorSpec, Behaviour
from etamil_actors.actors.errors import StartError
from etamil_actors.actors.events import ActorCrashed, ActorRestarted, ActorStarted
from etamil_actors.actors.restart import Crashed
from etamil_actors.actors.supervisor import SupervisorSpec
from etamil_actors.actors.tree import open_tree
from etamil_actors.errors import Fault, InternalError
from etamil_actors.language.problems import LoadFailed
from etamil_actors.resources.system import SystemFiles
from etamil_actors.testing import (
    PRIORITIES,
    SHUFFLE,
    FaultKinds,
    OverlaidFiles,
    Service,
    ThreadsInSimulationError,
    Trace,
    VirtualClock,
    WaitsForeverError,
    load,
    no_threads,
    open_journal,
    open_service,
    open_services,
    run_seeded,
    run_service,
    seeded,
)
from etamil_actors.testing.service import left_in, leftovers

REPOSITORY = Path(__file__).resolve().parent.parent

BANK = """
முகவர் கணக்கு(தொடக்கம்) {
    மீதம் = தொடக்கம்;
    செய்தி போடு(அளவு: எண்) { மீதம் = மீதம் + அளவு; திரும்பு மீதம்; }
    செய்தி பார்() { திரும்பு மீதம்; }
    செய்தி தூங்கு(n) { உறங்கு(n); திரும்பு "எழுந்தேன்"; }
    செய்தி எடு(அளவு) { பிழை_எழுப்பு("conflict", "போதாது"); }
}
புத்தகம் = கணக்கு(100);
செயல் இரட்டை(x) { திரும்பு x * 2; }
செயல் முதல்(a) { திரும்பு a[0]; }
அச்சு "தயார்";
"""


def run(text: str, scenario: Callable[[Service], Awaitable[Any]], **options: Any) -> Any:
    return run_service(text, scenario, **options)


# ---- what can be seen -----------------------------------------------------------------


def test_a_service_prints_and_leaves_values() -> None:
    async def scenario(service: Service) -> None:
        assert service.lines == ["தயார்"]
        assert service.errors == ""
        assert service.path == "/root/t"
        assert service.value("புத்தகம்") is service.agent("புத்தகம்")
        with pytest.raises(KeyError):
            service.value("இல்லாதது")

    run(BANK, scenario)


def test_events_are_filtered_by_kind_and_place() -> None:
    async def scenario(service: Service) -> None:
        started = [event.actor for event in service.trace.of(ActorStarted, "/root/t/agents")]
        assert started == ["/root/t/agents", "/root/t/agents/கணக்கு#1"]
        assert service.trace.of(ActorStarted, "/root/t/agent") == []
        assert service.trace.at("/root/t/agents/கணக்கு#1")
        assert len(service.trace) == service.trace.count == len(service.trace.lines())
        assert service.trace.lines(0) == []

    run(BANK, scenario)


def test_a_trace_that_keeps_little_has_the_fingerprint_of_everything() -> None:
    async def scenario(service: Service) -> tuple[str, int]:
        await service.ask("புத்தகம்", "போடு", 1)
        return service.trace.hash, len(service.trace)

    (whole, many), (part, few) = run(BANK, scenario), run(BANK, scenario, kept_events=3)
    assert whole == part
    assert few == 3 < many


def test_a_program_with_errors_does_not_start() -> None:
    async def scenario(service: Service) -> None:
        raise AssertionError("it has started")

    with pytest.raises(LoadFailed):
        run("x = ;", scenario)
    with pytest.raises(StartError):
        run("x = [1][5];", scenario)


# ---- talking with it ------------------------------------------------------------------


def test_agents_are_asked_and_told() -> None:
    async def scenario(service: Service) -> None:
        assert await service.ask("புத்தகம்", "போடு", 50) == 150
        await service.tell("புத்தகம்", "போடு", 1)
        assert await service.ask("புத்தகம்", "பார்") == 151
        assert await service.ask(service.agent("புத்தகம்"), "தூங்கு", 3) == "எழுந்தேன்"
        assert trio.current_time() == pytest.approx(3, abs=0.001)
        for message, code in (("எடு", "conflict"), ("இல்லை", "agent.message")):
            with pytest.raises(Fault) as caught:
                await service.ask("புத்தகம்", message, *([5] if message == "எடு" else []))
            assert caught.value.code == code
        with pytest.raises(Fault) as late:
            await service.ask("புத்தகம்", "தூங்கு", 9, seconds=2)
        assert late.value.code == "timeout"

    run(BANK, scenario)


def test_functions_are_called_in_an_activity() -> None:
    async def scenario(service: Service) -> None:
        assert await service.call("இரட்டை", 21) == 42
        with pytest.raises(Fault) as caught:
            await service.call("முதல்", [])
        assert caught.value.trace[0].function == "முதல்"
        with pytest.raises(KeyError):
            await service.call("மும்மடங்கு", 1)
        assert service.findings == []

    run(BANK, scenario)


CHANNELS = """
உள்ளே = சேனல்_உருவாக்கு("உள்ளே");
வெளியே = சேனல்_உருவாக்கு("வெளியே", {"capacity": 2, "overflow": "reject"});
தனி = சேனல்_உருவாக்கு();
பரப்பு = சேனல்_உருவாக்கு("பரப்பு", {"kind": "broadcast"});
பணி_உருவாக்கு "கடத்தி", {"சேனல்": உள்ளே, "தடவை": 1} {
    (செய்தி == 0) எனில் { பிழை_எழுப்பு("validation", "சுழியம்"); }
    சேனல்_அனுப்பு(வெளியே, செய்தி * 10);
    சேனல்_அனுப்பு(பரப்பு, செய்தி);
}
"""


def test_channels_are_sent_to_and_received_from() -> None:
    async def scenario(service: Service) -> None:
        ear = service.channel("பரப்பு").subscribe()
        assert await service.channel("உள்ளே").send(7)
        assert await service.channel("வெளியே").receive() == 70
        assert await ear.receive() == 7
        await service.channel("தனி").send("அ")
        assert service.channel("தனி").pending == 1
        assert service.channel("தனி").receive_all() == ["அ"]
        with pytest.raises(Fault) as caught:
            await service.channel("வெளியே").receive(1)
        assert caught.value.code == "timeout"
        with pytest.raises(TypeError):
            await ear.send(1)
        with pytest.raises(KeyError):
            service.channel("எங்கோ")

    run(CHANNELS, scenario)


def test_jobs_are_waited_for_and_their_dead_letters_seen() -> None:
    async def scenario(service: Service) -> None:
        await service.channel("உள்ளே").send(1)
        await service.wait_for_run("கடத்தி")
        assert service.runs("கடத்தி") == 1
        await service.channel("உள்ளே").send(0)
        await service.wait_for_run("கடத்தி")
        await service.settle()
        assert [failed.problem.code for failed in service.failed_runs] == ["validation"]
        assert [letter.value for letter in await service.letters("உள்ளே")] == [0]

    run(CHANNELS, scenario)


# ---- time -----------------------------------------------------------------------------


def test_the_calendar_follows_the_virtual_clock() -> None:
    text = """
    பணி_உருவாக்கு "இரவு", {"cron": "0 2 * * *", "tz": "Asia/Kolkata"} { அச்சு இப்போது(); }
    பணி_உருவாக்கு "நொடி", {"every": 10} { x = 1; }
    """

    async def scenario(service: Service) -> None:
        await service.advance(100)
        assert service.runs("நொடி") == 10
        await service.advance(3600)
        assert [line[:16] for line in service.lines] == ["2026-02-28T20:30"]

    # 2026-03-01 01:40 in India; the program's texts are in UTC
    run(text, scenario, start=1_772_309_400)


def test_outside_of_a_run_the_clock_stands_at_its_start() -> None:
    clock = VirtualClock(100)
    assert clock.wall() == 100
    assert clock.monotonic() == 0
    with pytest.raises(InternalError):
        clock.sleep(1)


async def test_a_real_clock_is_refused() -> None:
    with pytest.raises(RuntimeError, match="virtual clock"):
        async with open_service(BANK):
            raise AssertionError("it has started")


def test_a_scenario_that_waits_for_ever_ends() -> None:
    async def scenario(service: Service) -> None:
        await service.channel("தனி").receive(float("inf"))

    with pytest.raises(WaitsForeverError):
        run(CHANNELS, scenario)


def test_a_failed_assertion_of_a_scenario_comes_out_as_it_is() -> None:
    async def scenario(service: Service) -> None:
        raise AssertionError("no")

    with pytest.raises(AssertionError, match="no"):
        run(BANK, scenario)


def test_an_interrupt_comes_out_as_it_is() -> None:
    async def scenario(service: Service) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(BANK, scenario)


# ---- the world ------------------------------------------------------------------------


def test_files_environment_console_and_programs_are_simulated() -> None:
    text = """
    அச்சு சுற்றுச்சூழல்_பெறு("வீடு");
    கோப்பு_படி "a.txt", உள்ளே;
    அச்சு உள்ளே;
    உள்ளிடு வரி;
    அச்சு வரி;
    """

    async def scenario(service: Service) -> list[str]:
        return service.lines

    lines = run(text, scenario, environment={"வீடு": "இங்கே"}, files={"a.txt": "ஒன்று"}, stdin="இரண்டு\n")
    assert lines == ["இங்கே", "ஒன்று", "இரண்டு"]


def test_written_files_stay_above_the_real_ones(tmp_path: Path) -> None:
    real = tmp_path / "a.txt"
    real.write_text("ஒன்று")
    files = OverlaidFiles(SystemFiles())
    assert files.write(str(real), b"+", append=True) == 1
    assert files.read(str(real)).decode() == "ஒன்று+"
    assert files.write(str(tmp_path / "b.txt"), b"two") == 3
    assert sorted(files.names(str(tmp_path))) == ["a.txt", "b.txt"]
    assert files.details(str(tmp_path / "b.txt")).size == 3
    assert files.exists(str(tmp_path / "b.txt"))
    assert not files.exists("")
    assert real.read_text() == "ஒன்று"
    assert not (tmp_path / "b.txt").exists()
    with pytest.raises(FileNotFoundError):
        files.write(str(tmp_path / "none" / "c.txt"), b"")
    with pytest.raises(IsADirectoryError):
        files.write(str(tmp_path), b"")
    with pytest.raises(OSError, match="File too large"):
        files.read(str(tmp_path / "b.txt"), 2)


def test_several_services_share_one_tree() -> None:
    one = 'c = சேனல்_உருவாக்கு("பொது"); சேவை_பதிவு("விலை", 5);'
    two = 'c = சேனல்_உருவாக்கு("பொது"); செயல் விலை() { திரும்பு சேவை_பெறு("விலை"); }'

    async def scenario() -> None:
        async with open_services({"ஒன்று": one, "இரண்டு": two}) as services:
            await services["ஒன்று"].channel("பொது").send("வணக்கம்")
            assert await services["இரண்டு"].channel("பொது").receive() == "வணக்கம்"
            assert await services["இரண்டு"].call("விலை") == 5
            assert services["ஒன்று"].value("c") is services["இரண்டு"].value("c")

    run_seeded(scenario)


def test_a_service_starts_twice_with_one_journal() -> None:
    text = 'c = சேனல்_உருவாக்கு("பொருள்", {"transport": "journal"});'

    async def scenario() -> None:
        async with open_journal(":memory:") as journal:
            async with open_service(text, journal=journal) as service:
                await service.channel("பொருள்").send({"id": 7})
                taken = await service.channel("பொருள்").source.take()
                assert taken is not None
                taken.give_back()
            async with open_service(text, journal=journal) as service:
                assert await service.channel("பொருள்").receive() == {"id": 7}
        async with open_service(text) as service:
            assert service.channel("பொருள்").pending == 0

    run_seeded(scenario)


def test_a_program_that_leaves_is_seen() -> None:
    async def scenario(service: Service) -> None:
        assert service.is_leaving
        assert service.system.status == 3

    run("வெளியேறு(3);", scenario)


# ---- putting things out of order ------------------------------------------------------


def test_an_idle_agent_crashes_and_starts_again() -> None:
    async def scenario(service: Service) -> None:
        await service.ask("புத்தகம்", "போடு", 50)
        service.crash("agents/கணக்கு#1", ValueError("ஆணை"))
        assert await service.ask("புத்தகம்", "பார்") == 100
        assert [str(event.problem) for event in service.trace.of(ActorCrashed)] == ["ஆணை"]
        assert len(service.trace.of(ActorRestarted, "/root/t/agents/கணக்கு#1")) == 1

    run(BANK, scenario)


def test_a_busy_agent_crashes_over_its_message() -> None:
    async def scenario(service: Service) -> None:
        async with trio.open_nursery() as nursery:

            async def sleep_long() -> None:
                with pytest.raises(Fault) as caught:
                    await service.ask("புத்தகம்", "தூங்கு", 4)
                assert caught.value.code == "internal"

            nursery.start_soon(sleep_long)
            await service.settle()
            service.crash(service.agent("புத்தகம்"))
        assert trio.current_time() < 1
        assert await service.ask("புத்தகம்", "பார்") == 100
        assert service.findings == []  # what was ordered is no mistake of ours

    run(BANK, scenario)


def test_a_crash_that_the_message_at_hand_does_not_notice_comes_after_it() -> None:
    class Stubborn(Behaviour):
        async def on_message(self, message: Any, actor: Actor) -> Any:
            if message == "crash":
                assert actor.crash(ValueError("ஆணை"))
            return actor.life

    async def scenario() -> list[int]:
        child = ActorSpec(name="a", make=Stubborn)
        async with open_tree(SupervisorSpec(name="root", children=(child,))) as tree:
            lives = [await tree.at("/root/a").ask(word) for word in ("x", "crash")]
            await trio.testing.wait_all_tasks_blocked()
            lives.append(await tree.at("/root/a").ask("x"))
            assert tree.injected == {}
            return lives

    assert run_seeded(scenario) == [1, 1, 2]


def test_a_job_that_crashes_in_its_run_gives_its_message_back() -> None:
    text = """
    c = சேனல்_உருவாக்கு("வேலை");
    பணி_உருவாக்கு "தொழிலாளி", {"சேனல்": c} { அச்சு செய்தி; உறங்கு(5); அச்சு "முடிந்தது"; }
    """

    async def scenario(service: Service) -> None:
        await service.channel("வேலை").send("அ")
        await service.settle()
        service.crash("jobs/தொழிலாளி")
        await service.advance(20)
        assert service.lines == ["அ", "அ", "முடிந்தது"]
        assert service.findings == []

    run(text, scenario)


def test_a_declared_service_part_that_crashes_too_often_ends_everything() -> None:
    from etamil_actors.actors.errors import TooManyRestartsError

    async def scenario(service: Service) -> None:
        while True:
            await service.settle()
            service.crash("closing")

    with pytest.raises(TooManyRestartsError):
        run("x = 1;", scenario)


def test_a_word_is_delayed() -> None:
    text = """
    c = சேனல்_உருவாக்கு("c");
    செயல் முதல்() { சேனல்_அனுப்பு(c, 1); }
    செயல் இரண்டாவது() { சேனல்_அனுப்பு(c, 2); }
    """

    async def scenario(service: Service) -> None:
        service.delay(3, "சேனல்_அனுப்பு", activity="சோதனை முதல்")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(service.call, "முதல்")
            nursery.start_soon(service.call, "இரண்டாவது")
        assert service.channel("c").receive_all() == [2, 1]
        assert trio.current_time() == pytest.approx(3, abs=0.001)
        await service.call("முதல்")  # only once
        assert trio.current_time() == pytest.approx(3, abs=0.001)

    run(text, scenario)


def test_a_full_channel_makes_senders_wait_and_lets_them_in_afterwards() -> None:
    async def scenario(service: Service) -> None:
        async with trio.open_nursery() as nursery:
            with service.full("தனி"):
                nursery.start_soon(service.channel("தனி").send, "அ")
                await service.settle()
                assert service.channel("தனி").pending == 0
            await service.settle()
            assert service.channel("தனி").receive_all() == ["அ"]
            with service.full("வெளியே"), pytest.raises(Fault) as caught:
                await service.channel("வெளியே").send(1)
            assert caught.value.code == "overloaded"

    run(CHANNELS.partition("பணி_உருவாக்கு")[0], scenario)


def test_a_full_agent_answers_when_there_is_room_again() -> None:
    async def scenario(service: Service) -> None:
        with service.full("புத்தகம்"):
            with pytest.raises(Fault) as caught:
                await service.ask("புத்தகம்", "பார்")
            assert caught.value.code == "timeout"
            async with trio.open_nursery() as nursery:
                nursery.start_soon(service.tell, "புத்தகம்", "போடு", 1)
                await service.settle()
                nursery.cancel_scope.cancel()
        async with trio.open_nursery() as nursery:
            with service.full("agents/கணக்கு#1"):
                nursery.start_soon(service.tell, "புத்தகம்", "போடு", 5)
                await service.settle()
        assert await service.ask("புத்தகம்", "பார்") == 105

    run(BANK, scenario)


# ---- what must never be ---------------------------------------------------------------


def test_an_activity_that_keeps_something_is_found() -> None:
    async def scenario(service: Service) -> None:
        from etamil_actors.actors.programs.activity import Activity

        activity = Activity(service.running, "திருடன்")
        lock = service.system.locks.named("பூட்டு")
        assert lock.try_acquire(activity)
        activity.took(await service.channel("தனி").source.take())  # type: ignore[arg-type]
        assert [finding.kind for finding in leftovers(activity)] == ["lock", "delivery"]
        assert [finding.kind for finding in left_in(service.system)] == ["delivery", "lock"]
        activity.settle(True)
        lock.release(activity)
        assert leftovers(activity) == []
        assert left_in(service.system) == []

    async def with_message(service: Service) -> None:
        await service.channel("தனி").send(1)
        await scenario(service)

    run(CHANNELS, with_message)


def test_errors_of_the_runtime_are_found_and_those_of_programs_are_not() -> None:
    async def scenario(service: Service) -> None:
        service.crash("agents/கணக்கு#1", InternalError("நாங்கள்"))
        service.crash("jobs", Fault("conflict"))
        await service.settle()
        assert [finding.kind for finding in service.findings] == ["internal"]
        assert "நாங்கள்" in service.findings[0].message

    run(BANK, scenario)


# ---- threads --------------------------------------------------------------------------


def test_nobody_gets_a_thread_and_whoever_wants_one_is_named() -> None:
    async def scenario(service: Service) -> None:
        with pytest.raises(ThreadsInSimulationError) as caught:
            await trio.to_thread.run_sync(os.getpid)
        assert "test_testing_kit.py" in str(caught.value)
        assert "getpid" in str(caught.value)

    before = trio.to_thread.run_sync
    run(BANK, scenario)
    assert trio.to_thread.run_sync is before


async def test_threads_are_back_afterwards() -> None:
    with no_threads(), pytest.raises(ThreadsInSimulationError):
        await trio.to_thread.run_sync(os.getpid)
    assert await trio.to_thread.run_sync(os.getpid) == os.getpid()


# ---- one seed, one run ----------------------------------------------------------------

BUSY = """
c = சேனல்_உருவாக்கு("c", {"capacity": 2});
எண்ணி = அணு_உருவாக்கு(0);
முகவர் குவளை(n) { மொத்தம் = n; செய்தி ஊற்று(x) { உறங்கு(0.01); மொத்தம் = மொத்தம் + x; திரும்பு மொத்தம்; } }
கு = குவளை(0);
செயல் அனுப்புநர்(n) { ஒவ்வொரு i இல் [1, 2, 3] { சேனல்_அனுப்பு(c, n * 10 + i); உறங்கு(0); } }
பணி_உருவாக்கு "நுகர்வோர்", {"சேனல்": c, "எண்ணிக்கை": 3} { அச்சு செய்தி; கு.ஊற்று(செய்தி); அணு_கூட்டு(எண்ணி, 1); }
செயல் ஓட்டு() { இணையாக_மாற்று([1, 2, 3, 4], அனுப்புநர்); திரும்பு தனி_அடையாளம்(); }
"""


async def busy(service: Service) -> tuple[str, list[str], Any]:
    identity = await service.call("ஓட்டு")
    await service.advance(5)
    return service.trace.hash, service.lines, identity


@pytest.mark.parametrize("order", [SHUFFLE, PRIORITIES])
def test_the_same_seed_gives_the_same_run_and_others_do_not(order: str) -> None:
    program = load("busy.qmz", BUSY, SystemFiles())
    runs = {seed: run_service(program, busy, seed=seed, order=order) for seed in range(6)}
    assert all(run_service(program, busy, seed=seed, order=order) == runs[seed] for seed in runs)
    assert len({lines[0] for lines in runs.values()}) > 1
    assert len({tuple(lines[1]) for lines in runs.values()}) > 1
    assert len({lines[2] for lines in runs.values()}) == 6


def test_the_same_seed_gives_the_same_run_in_every_process() -> None:
    script = (
        "import sys; sys.path[:0] = [sys.argv[1], sys.argv[2]]\n"
        "import importlib.util as u\n"
        "s = u.spec_from_file_location('kit', sys.argv[2]); m = u.module_from_spec(s); s.loader.exec_module(m)\n"
        "junk = [object() for _ in range(int(sys.argv[3]))]\n"
        "print([m.run_service(m.BUSY, m.busy, seed=k, faults=m.ALL)[0] for k in range(4)])\n"
    )
    seen = set()
    for hash_seed, junk in (("1", "10"), ("2", "5001"), ("777", "99")):
        done = subprocess.run(
            [sys.executable, "-c", script, str(REPOSITORY), __file__, junk],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True, text=True, timeout=60, check=False,
        )
        assert done.returncode == 0, done.stderr
        seen.add(done.stdout)
    assert len(seen) == 1
    assert len(set(next(iter(seen)).split(","))) > 1


ALL = FaultKinds(crashes=True, delays=True, full=True)


def test_trio_is_left_as_it_was() -> None:
    before = inner._r, inner._ALLOW_DETERMINISTIC_SCHEDULING
    with pytest.raises(ZeroDivisionError), seeded(1):
        assert inner._ALLOW_DETERMINISTIC_SCHEDULING
        assert inner._r is not before[0]
        1 / 0  # noqa: B018
    assert (inner._r, inner._ALLOW_DETERMINISTIC_SCHEDULING) == before


@pytest.mark.parametrize("name", ["_r", "_ALLOW_DETERMINISTIC_SCHEDULING"])
def test_a_trio_without_the_inner_names_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(inner, name)
    with pytest.raises(AttributeError), seeded(1):
        raise AssertionError("nobody has noticed")


def test_a_trace_has_no_address_in_it() -> None:
    from etamil_actors.actors.events import ActorStopped, MessageSent
    from etamil_actors.vm.values import Err, Ok

    trace = Trace()
    trace(MessageSent(1.5, "/a", [object(), Ok("x"), Err(1), {"k": (1, 2.5, None)}]))
    trace(ActorStopped(2.0, "/a", Crashed(ValueError("w"))))
    assert trace.lines() == [
        "1.500000000 MessageSent /a message=[object, Ok('x'), Err(1), {'k': (1, 2.5, None)}]",
        "2.000000000 ActorStopped /a exit=Crashed(ValueError: ValueError: w)",
    ]


# ---- fixtures -------------------------------------------------------------------------

FIXTURE_TEST = '''
import pytest, trio

@pytest.mark.service("""
c = சேனல்_உருவாக்கு("c");
பணி_உருவாக்கு "மணி", {"every": 60} { சேனல்_அனுப்பு(c, "டிங்"); }
""", seed=3)
async def test_the_bell(service):
    await service.advance(120)
    assert service.channel("c").receive_all() == ["டிங்", "டிங்"]

async def test_without_a_mark(service):
    raise AssertionError

async def test_opened_by_hand(virtual_clock):
    from etamil_actors.testing import open_service
    async with open_service('அச்சு 1;') as one:
        assert one.lines == ["1"]
'''


def test_the_fixtures_work_in_a_project_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["etamil_actors.testing.fixtures"]\n')
    (tmp_path / "test_it.py").write_text(FIXTURE_TEST, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\ntrio_mode = true\naddopts = --strict-markers\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, cwd=tmp_path,
        capture_output=True, text=True, timeout=100, check=False,
    )
    assert "1 failed, 2 passed" in done.stdout, done.stdout + done.stderr
    assert "wants @pytest.mark.service" in done.stdout


def test_the_kit_does_not_need_pytest() -> None:
    script = (
        "import sys; sys.modules['pytest'] = sys.modules['_pytest'] = None\n"
        "import etamil_actors.testing, etamil_actors.simulation; print('fine')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.stdout == "fine\n", done.stderr


async def test_a_service_is_opened_in_a_test_of_ones_own(autojump_clock: MockClock) -> None:
    async with open_service(BANK) as service:
        await service.advance(1000)
        assert await service.ask("புத்தகம்", "பார்") == 100
