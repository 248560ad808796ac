"""The benchmarks measure what they say: both sides of every line do the same work.

Nothing here looks at a clock. The programs run at small sizes; a timing never decides a test.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import caches, data, http, language, roof, services, watching
from benchmarks.counterparts import BEGIN, END
from benchmarks.http.load import BODY_BYTES, Load, order, run_wrk
from benchmarks.http.servers import BARE, GREETING, HELLO, OURS, PROGRAM, ServerError, started
from benchmarks.programs import (
    FOLDER,
    Counterpart,
    Stopwatch,
    compiled,
    large_program,
    prepared,
    program_text,
    run_counterpart,
    run_program,
)
from benchmarks.rounds import doublings, ratio_of, take_turns
from benchmarks.table import Bar, Line, render, verdict
from etamil_actors.script import run_text

SIDES = [(item.program, item.counterpart) for item in (*language.WORKS, *language.GROWTHS)]
SMALL = (1, 2, 13, 200)
SMALL_OF = {"fib": (0, 1, 2, 15)}


# ---- the programs ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "counterpart", "size"),
    [(program, counterpart, size) for program, counterpart in SIDES for size in SMALL_OF.get(program, SMALL)],
)
def test_a_program_does_what_its_counterpart_does(program: str, counterpart: Counterpart, size: int) -> None:
    ours = run_program(prepared(program_text(program, size)))
    theirs = run_counterpart(counterpart, size)
    assert ours.lines == theirs.lines
    assert ours.lines[:2] == [BEGIN, END]
    assert len(ours.lines) == 3


@pytest.mark.parametrize("work", language.WORKS, ids=lambda work: work.program)
def test_a_program_has_the_size_that_its_line_of_the_table_says(work: language.Work) -> None:
    assert program_text(work.program, work.size) == program_text(work.program)


@pytest.mark.parametrize("program", [program for program, _ in SIDES])
def test_a_program_runs_from_the_command_line_too(program: str) -> None:
    size = SMALL_OF.get(program, SMALL)[-1]
    outcome = run_text(program_text(program, size))
    assert outcome.status == 0, outcome.errors
    assert outcome.output.splitlines() == run_program(prepared(program_text(program, size))).lines


def test_every_program_is_measured() -> None:
    measured = {program for program, _ in SIDES} | {"hello", "department"} | {
        *services.PROGRAMS, *http.PROGRAMS, *data.PROGRAMS, *caches.PROGRAMS, *watching.PROGRAMS,
    }  # fmt: skip
    assert {path.stem for path in FOLDER.glob("*.qmz")} == measured


def test_copied_records_leave_the_old_ones_as_they_were() -> None:
    old, new = run_program(prepared(program_text("record_copy", 5))).lines[-1].split()
    assert int(new) == int(old) + 1


def test_a_watch_counts_from_the_first_line_to_the_second() -> None:
    watch = Stopwatch()
    for line in ("a\n", "b\n", "c\n"):
        watch.write(line)
    assert watch.lines == ["a", "b", "c"]
    assert watch.seconds >= 0


# ---- the large program ----------------------------------------------------------------


def test_the_large_program_is_sound_and_as_long_as_asked() -> None:
    text = large_program(300)
    assert 300 <= text.count("\n") < 400
    assert compiled(text).is_sound


def test_the_large_program_runs_as_often_as_it_has_copies() -> None:
    once = run_text(program_text("department")).output
    assert once.splitlines() == [
        "பேனா × 10: 125",
        "விளக்கு × 2: 699.98",
        "செலுத்த வேண்டியது: 973.48",
        "33 5625",
    ]
    assert run_text(large_program(300)).output == once * 4


# ---- HTTP -----------------------------------------------------------------------------


def test_the_service_that_is_put_under_load_is_sound() -> None:
    assert compiled(PROGRAM.read_text(encoding="utf-8")).is_sound


def test_the_order_is_json_of_the_size_that_its_line_of_the_table_says() -> None:
    assert len(order()) == BODY_BYTES
    assert len(json.loads(order())["lines"]) == 5


def test_what_wrk_tells_becomes_rates_seconds_and_errors() -> None:
    counts = {"connect": 0, "read": 1, "write": 0, "timeout": 2, "status": 3}
    told = {"requests": 30_000, "duration": 3_000_000, "p50": 2_000, "p99": 9_000, "max": 20_000, **counts}
    assert Load.of(told) == Load(10_000.0, 0.002, 0.009, counts)


def test_a_server_is_seen_to_answer_and_stopped(tmp_path: Path) -> None:
    with started(BARE, tmp_path) as running:
        running.expect("GET", HELLO, 200, GREETING)
        with pytest.raises(ServerError, match="200"):
            running.expect("GET", HELLO, 404, GREETING)
    assert running.process.returncode is not None


def test_a_server_that_ends_at_once_is_no_server(tmp_path: Path) -> None:
    broken = OURS._replace(name="broken", command=(*OURS.command[:2], "etamil_actors", "up", "இல்லை.qmz"))
    with pytest.raises(ServerError, match=r"இல்லை\.qmz"), started(broken, tmp_path):
        pass


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_wrk_tells_its_numbers(tmp_path: Path) -> None:
    body = tmp_path / "order.json"
    body.write_bytes(order())
    with started(BARE, tmp_path) as running:
        for sent in (None, body):
            seen = run_wrk(running.url(HELLO), 4, 1, sent)
            assert seen.rate > 0
            assert not any(seen.errors.values())


def test_without_wrk_it_is_said_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    (line,) = http.measure(1)
    assert "wrk" in line.work
    assert "apt-get install wrk" in capsys.readouterr().err


@pytest.mark.usefixtures("invented")
def test_seconds_are_those_of_a_load(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[tuple[int, float]] = []

    def measure(rounds: int, seconds: float) -> list[Line]:
        taken.append((rounds, seconds))
        return LINES

    monkeypatch.setattr(http, "measure", measure)
    assert command.main(["http", "language", "--rounds", "2", "--seconds", "3"]) == 0
    assert taken == [(2, 3)]


# ---- the table ------------------------------------------------------------------------


def test_what_is_compared_takes_turns() -> None:
    called: list[str] = []

    def measure(name: str, seconds: float) -> float:
        called.append(name)
        return seconds

    taken = take_turns(3, lambda: measure("ours", 3.0), lambda: measure("theirs", 2.0))
    assert called == ["ours", "theirs", "theirs", "ours"] * 2
    assert taken == [[3.0] * 3, [2.0] * 3]
    assert ratio_of(*taken) == 1.5


def test_the_ratio_is_the_median_of_the_rounds() -> None:
    assert ratio_of([2.0, 30.0, 3.0], [1.0, 1.0, 1.0]) == 3.0


def test_growth_is_told_for_each_doubling() -> None:
    assert doublings([[1.0, 1.0], [2.0, 2.0], [8.0, 8.0]]) == [2.0, 4.0]


@pytest.mark.parametrize(
    ("bar", "numbers", "is_met"),
    [
        (Bar(1.3), [1.3], True),
        (Bar(1.3), [1.31], False),
        (Bar(2.3), [2.0, 2.4, 2.0], False),
        (Bar(10_000, "lines/s", least=True), [10_000], True),
        (Bar(10_000, "lines/s", least=True), [9_999], False),
    ],
)
def test_a_bar_holds_for_every_number(bar: Bar, numbers: list[float], is_met: bool) -> None:
    assert bar.is_met(numbers) is is_met


LINES = [
    Line("quick", "1.0 ms", "1.0 ms", "1.00 ×", Bar(1.3), [1.0], {"ours": 0.001}),
    Line("slow", "9.0 ms", "1.0 ms", "9.00 ×", Bar(1.6), [9.0]),
    Line("only told", "5 lines/s"),
]


def test_the_table_tells_what_is_met_and_what_is_not() -> None:
    assert render(LINES) == (
        "| work      |      ours | Python |  ratio |     bar | met? |\n"
        "| --------- | --------: | -----: | -----: | ------: | ---- |\n"
        "| quick     |    1.0 ms | 1.0 ms | 1.00 × | ≤ 1.3 × | yes  |\n"
        "| slow      |    9.0 ms | 1.0 ms | 9.00 × | ≤ 1.6 × | NO   |\n"
        "| only told | 5 lines/s |      — |      — |       — | —    |"
    )
    assert verdict(LINES) == "2 வரம்புகளில் 1 எட்டப்பட்டன  (1 of 2 bars are met)\n  ✗ slow"


@pytest.fixture
def invented(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command measures nothing and shows ``LINES``."""
    monkeypatch.setitem(command.SUBJECTS, "language", lambda rounds: LINES)


@pytest.mark.usefixtures("invented")
def test_the_command_ends_with_0_although_a_bar_is_missed(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["language", "--rounds", "1"]) == 0
    assert "✗ slow" in capsys.readouterr().out


@pytest.mark.usefixtures("invented")
def test_json_takes_the_place_of_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["language", "--json"]) == 0
    written = json.loads(capsys.readouterr().out)
    first, second, third = written["subjects"]["language"]
    assert first["ours"] == 0.001
    assert [first["met"], second["met"], third["met"]] == [True, False, None]
    assert second["bar"] == {"value": 1.6, "unit": "×", "least": False}


@pytest.mark.usefixtures("invented")
def test_json_goes_to_a_file_beside_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "numbers.json"
    assert command.main(["language", "--json", str(place)]) == 0
    assert json.loads(place.read_text(encoding="utf-8"))["subjects"]["language"][1]["work"] == "slow"
    assert "✗ slow" in capsys.readouterr().out


def test_the_page_has_every_line_of_the_table() -> None:
    page = (FOLDER.parent / "README.md").read_text(encoding="utf-8")
    for item in (*language.WORKS, *language.GROWTHS):
        assert f"| {item.title} " in page
    for title in (*http.TITLES, *data.TITLES):
        assert f"| {title}" in page


# ---- the roof -------------------------------------------------------------------------


def test_the_root_services_are_up_when_they_answer_and_see_what_is_saved(tmp_path: Path) -> None:
    folder = roof.copied(tmp_path)
    with roof.up(folder) as running:
        assert 0 < running.seconds and 0 < running.resident()
        assert (roof.message_of(running.port) or "").startswith(roof.GREETING)
    assert running.process.returncode == 0
    assert roof.message_of(running.port) is None


def test_what_a_save_changes_stands_once_in_the_program() -> None:
    assert (roof.REPOSITORY / "services" / "api.qmz").read_text("utf-8").count(roof.GREETING) == 1
