"""Every program of ``examples/`` runs and prints what its own ``//>`` comments say, line by line.

Those that are services say so in their first lines. They run in virtual time, until they have printed so much.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from etamil_actors.actors.events import ActorCrashed, ActorRestarted
from etamil_actors.resources.system import SimulatedFiles, SystemFiles
from etamil_actors.simulation import Plan, simulate
from etamil_actors.testing import (
    FaultKinds,
    OverlaidFiles,
    Service,
    load,
    open_journal,
    open_service,
    run_seeded,
    run_service,
)
from tests.plain_lines import plain

Command = Callable[..., subprocess.CompletedProcess[str]]

REPOSITORY = Path(__file__).resolve().parent.parent
EXAMPLES = REPOSITORY / "examples"
PROGRAMS = sorted(EXAMPLES.glob("*.qmz"))
WRITTEN_HERE = (*(f"examples/{path.name}" for path in PROGRAMS), "examples/kadai", "services")
"""Those of the founding documents stay as they were written (``test_founding.py``)."""
SERVICES = sorted((REPOSITORY / "services").rglob("*.qmz"))
MOST_SECONDS = 300
"""So much virtual time an example has to print all it says."""

PAIR, QUEUE, BANK, LIBRARY = (
    EXAMPLES / name
    for name in ("16_supervised_pair.qmz", "17_job_queue.qmz", "18_bank.qmz", "19_library.qmz")
)


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def is_service(path: Path) -> bool:
    return f"etamil-actors up examples/{path.stem}" in text_of(path)


def has_tests(path: Path) -> bool:
    return "\nசோதனை " in text_of(path)


SCRIPTS = [path for path in PROGRAMS if not is_service(path)]
SHOWN_SERVICES = [path for path in PROGRAMS if is_service(path)]
TESTED = [path for path in PROGRAMS if has_tests(path)]


def expected_output(path: Path) -> str:
    lines = text_of(path).splitlines()
    return "".join(line.split("//>", 1)[1].removeprefix(" ") + "\n" for line in lines if "//>" in line)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_an_example_prints_what_it_says(command: Command, path: Path) -> None:
    done = command("run", "--no-cache", str(path))
    assert done.stderr == ""
    assert done.stdout == expected_output(path)
    assert done.returncode == 0


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("path", SHOWN_SERVICES, ids=lambda path: path.name)
def test_an_example_that_is_a_service_prints_what_it_says(
    path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(REPOSITORY)  # where people start it; what it writes there stays in memory
    wanted = expected_output(path).splitlines()

    async def scenario(service: Service) -> None:
        for _ in range(MOST_SECONDS):
            if len(service.lines) >= len(wanted):
                break
            await service.advance(1)
        assert service.lines == wanted
        assert service.findings == []

    run_service(text_of(path), scenario, seed=seed, files=OverlaidFiles(SystemFiles()))


def test_the_examples_are_numbered_without_a_gap() -> None:
    assert [path.name[:2] for path in PROGRAMS] == [f"{number:02}" for number in range(1, len(PROGRAMS) + 1)]


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)
def test_an_example_has_a_heading_in_both_languages(path: Path) -> None:
    first = text_of(path).splitlines()[0]
    assert first.startswith(f"// {int(path.name[:2])} · ")
    assert "  (" in first


def test_examples_and_services_have_no_problems(command: Command) -> None:
    done = command("check", *WRITTEN_HERE, cwd=REPOSITORY)
    assert (done.stdout, done.returncode) == ("", 0)
    # Promises of channels are told; everything else would be a problem.
    assert [line for line in done.stderr.splitlines() if not line.startswith("· சேனல்கள்")] == []


def test_examples_and_services_are_in_the_canonical_layout(command: Command) -> None:
    done = command("fmt", "--check", *WRITTEN_HERE, cwd=REPOSITORY)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_there_is_a_service() -> None:
    assert SERVICES


# ---- services -------------------------------------------------------------------------


@pytest.mark.parametrize("path", TESTED, ids=lambda path: path.name)
@pytest.mark.parametrize(
    "faults", [FaultKinds(), FaultKinds(delays=True, full=True)], ids=["undisturbed", "delays and full boxes"]
)
def test_the_tests_of_an_example_pass_under_many_schedules(path: Path, faults: FaultKinds) -> None:
    program = load(path.name, text_of(path), SimulatedFiles(), keep=False)
    plan = Plan(program, SimulatedFiles, path.stem, faults, idle=120.0)
    runs = list(simulate(plan, range(6)))
    assert [(run.seed, run.test, run.failures) for run in runs if run.failures] == []
    assert {run.test for run in runs} > {""}, "no test was run"


def test_examples_that_run_without_an_end_tell_how_their_tests_are_run() -> None:
    assert [path.name for path in TESTED] == [path.name for path in (PAIR, QUEUE, BANK, LIBRARY)]
    for path in TESTED:
        assert f"etamil-actors sim examples/{path.name}" in text_of(path)


def test_the_pair_falls_once_and_gets_up() -> None:
    async def scenario(service: Service) -> None:
        await service.advance(6)
        (crash,) = service.trace.of(ActorCrashed)
        assert crash.actor == f"{service.path}/agents/வெப்பமானி#1"
        (again,) = service.trace.of(ActorRestarted)
        assert again.actor == crash.actor
        (failed,) = service.failed_runs
        assert (failed.actor, failed.attempt) == (f"{service.path}/jobs/பார்வை", 1)
        assert failed.problem.code == "கருவி"
        assert failed.delay is not None

    run_service(text_of(PAIR), scenario)


@pytest.mark.parametrize("is_cut", [False, True], ids=["in order", "cut"])
@pytest.mark.parametrize("seed", range(3))
def test_the_queue_survives_a_restart(seed: int, is_cut: bool) -> None:
    """Ended halfway and started again on the same journal: nothing is lost, and nothing is packed twice."""
    wanted = expected_output(QUEUE).splitlines()
    lines: list[str] = []

    async def lives() -> None:
        async with open_journal(":memory:") as journal:
            with trio.CancelScope() as life:
                async with open_service(text_of(QUEUE), journal=journal, seed=seed) as first:
                    await first.advance(2.2)
                    assert first.lines == wanted[:4]
                    if is_cut:
                        life.cancel("as if the power were gone")
            # Whoever is asked to stop finishes what it does: the orders are in, and one more is packed.
            assert first.lines == (wanted[:4] if is_cut else wanted[:6])
            lines.extend(first.lines)
            async with open_service(text_of(QUEUE), journal=journal, seed=seed) as second:
                await second.advance(60)
                assert second.channel("ஆணைகள்").pending == 0
                (letter,) = await second.letters("ஆணைகள்")
                assert letter.value == {"இலக்கம்": 2, "சரக்கு": "தங்கம்", "எத்தனை": 1}
                assert (letter.code, letter.tries) == ("record.missing_key", 3)
                assert second.findings == []
            lines.extend(second.lines)

    run_seeded(lives, seed=seed)
    known = (1, 2, 3) if is_cut else (1, 2, 3, 4)
    assert sorted(lines) == sorted(wanted + [f"ஆணை {number}: முன்பே வந்தது" for number in known])


def test_the_bank_keeps_one_account_over_a_crash_and_not_the_other() -> None:
    async def scenario(service: Service) -> None:
        await service.tell("மலர்", "போடு", 5)
        await service.tell("கதிர்", "போடு", 5)
        await service.settle()
        service.crash(service.agent("மலர்"))
        service.crash(service.agent("கதிர்"))
        assert await service.ask("மலர்", "மீதம்_என்ன") == 80
        assert await service.ask("கதிர்", "மீதம்_என்ன") == 50

    run_service(text_of(BANK), scenario)


def test_an_example_that_is_a_service_starts_and_stops_by_hand(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "etamil_actors", "up", PAIR.name]
    (tmp_path / PAIR.name).write_text(text_of(PAIR), encoding="utf-8")
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().decode() == "அறை வெப்பம்: 28\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    said = "".join(f"{part}\n" for line in errors.decode().splitlines() for part in plain(line))
    assert "1 service started" in said
    assert said.endswith("எல்லாம் ஒழுங்காக நின்றது  (everything has stopped in order)\n")
    assert process.returncode == 0
