"""``sim`` and the words of tests: what passes, what fails, and that a seed repeats it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from etamil_actors import simulation
from etamil_actors.errors import Fault
from etamil_actors.resources.system import SimulatedFiles
from etamil_actors.simulation import Plan, Run, run_case, simulate
from etamil_actors.testing import FaultKinds, Service, load, run_service
from etamil_actors.testing import service as kit
from etamil_actors.testing.service import blocks_of

Command = Callable[..., subprocess.CompletedProcess[str]]

ALL = FaultKinds(crashes=True, delays=True, full=True)


def plan(text: str, **options: Any) -> Plan:
    program = load("t.qmz", text, SimulatedFiles(), keep=False)
    return Plan(program, SimulatedFiles, **{"name": "t", "idle": 0.0, **options})


def runs(text: str, seeds: int = 1, **options: Any) -> list[Run]:
    return list(simulate(plan(text, **options), range(seeds)))


def failures(text: str, **options: Any) -> list[tuple[str, str]]:
    """Kind and English words of what fails under seed 0."""
    return [(failure.kind, failure.english) for run in runs(text, **options) for failure in run.failures]


def of_test(body: str, before: str = "", **options: Any) -> list[tuple[str, str]]:
    return failures(f'{before}\nசோதனை "அ" {{ {body} }}', **options)


# ---- expectations ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("எதிர்பார்_சமம்(1 + 1, 2);", None),
        ('எதிர்பார்_சமம்([1, {"அ": "ஆ"}], [1, {"அ": "ஆ"}]);', None),
        ("எதிர்பார்_சமம்(1, 2);", "expected 2, got 1"),
        ('எதிர்பார்_சமம்("1", 1);', "expected 1, got “1”"),
        ('எதிர்பார்_சமம்([1], ["1"]);', "expected [1] (an array), got [1] (an array)"),
        ("எதிர்பார்_மெய்(1 < 2);", None),
        ("எதிர்பார்_மெய்(பொய்);", "expected a true value, got false"),
        ('எதிர்பார்_மெய்("");', "expected a true value, got “”"),
        ('எதிர்பார்_பிழை("index.range") { x = [1][1]; }', None),
        ('எதிர்பார்_பிழை("index.range") { x = [1][0]; }', "expected the error ‘index.range’, but there was none"),
        (
            'எதிர்பார்_பிழை("conflict") { x = [1][1]; }',
            "expected the error ‘conflict’, got ‘index.range’: the index 1 is outside; the length is 1",
        ),
        ('எதிர்பார்_பிழை("timeout") { காலவரம்பு(2) { உறங்கு(3); } }', None),
        ('எதிர்பார்_பிழை("index.range") { எதிர்பார்_சமம்(1, 2); x = [1][1]; }', "expected 2, got 1"),
        ("முயல் { எதிர்பார்_சமம்(1, 2); } பிழை(e) { எதிர்பார்_மெய்(மெய்); }", "expected 2, got 1"),
        ("முயல் { எதிர்பார்_சமம்(1, 2); } இறுதியில் { எதிர்பார்_சமம்(3, 4); }", "expected 2, got 1"),
    ],
)
def test_an_expectation_holds_or_tells_both_values(body: str, words: str | None) -> None:
    assert of_test(body) == ([] if words is None else [("expectation", words)])


def test_a_failed_expectation_in_a_task_ends_the_test() -> None:
    text = """
    செயல் பார்வை(x) { எதிர்பார்_சமம்(x, 1); உறங்கு(1); }
    சோதனை "அ" { t = பணி_தொடங்கு(பார்வை, 2); முயல் { பணி_காத்திரு(t); } பிழை(e) { உறங்கு(100); } உறங்கு(100); }
    """
    assert failures(text) == [("expectation", "expected 1, got 2")]


def test_a_failed_expectation_in_an_agent_ends_the_test() -> None:
    text = """
    முகவர் அவன்() { செய்தி செய்() { எதிர்பார்_மெய்(பொய்); } }
    ஒருவன் = அவன்();
    சோதனை "அ" { முயல் { ஒருவன்.செய்(); } பிழை(e) { உறங்கு(100); } }
    """
    assert failures(text) == [("expectation", "expected a true value, got false")]


def test_a_failed_expectation_says_where() -> None:
    (run,) = runs('செயல் f() {\n  எதிர்பார்_சமம்(1, 2);\n}\nசோதனை "அ" {\n  f();\n}')
    places = [(frame.file, frame.line, frame.function) for frame in run.failures[0].trace]
    assert places == [("t.qmz", 2, "f"), ("t.qmz", 5, "")]


def test_an_error_fails_the_test() -> None:
    assert of_test("x = [1][7];") == [("error", "the index 7 is outside; the length is 1  [index.range]")]


def test_requests_go_through_the_real_router() -> None:
    text = """
    வழி பெறு, "/வணக்கம்/:பெயர்" { பதில் 200, {"m": param_பெயர், "q": query_params}; }
    சோதனை "அ" {
        விடை = கோரிக்கை_அனுப்பு("get", "/வணக்கம்/மலர்", {"query": {"x": "1 2"}});
        எதிர்பார்_சமம்(விடை.நிலை, 200);
        எதிர்பார்_சமம்(விடை.ஜேசான்_மதிப்பு.m, "மலர்");
        எதிர்பார்_சமம்(விடை.ஜேசான்_மதிப்பு.q.x, "1 2");
        எதிர்பார்_சமம்(கோரிக்கை_அனுப்பு("GET", "/வேறு").status, 404);
    }
    """
    assert failures(text) == []


def test_the_words_of_tests_outside_of_one() -> None:
    text = """
    செயல் நகர்() { நேரம்_நகர்த்து(1); }
    செயல் மாற்று() { போலியாக("நகர்", மாற்று); }
    செயல் சமம்() { எதிர்பார்_சமம்(1, 2); }
    பரீட்சை_ஓட்டு();
    """

    async def scenario(service: Service) -> list[str]:
        codes = []
        for name in ("நகர்", "மாற்று", "சமம்"):
            with pytest.raises(Fault) as caught:
                await service.call(name)
            codes.append(caught.value.code)
        return codes

    assert run_service(text, scenario) == ["not_here", "not_here", "expectation"]


# ---- time -----------------------------------------------------------------------------

CLOCK = """
எண்ணி = அணு_உருவாக்கு(0);
பணி_உருவாக்கு "மணி", {"every": 1} { அணு_கூட்டு(எண்ணி, 1); }
"""


def test_time_moves_by_exactly_what_was_wanted() -> None:
    body = "ஒவ்வொரு i இல் [1, 2, 3] { நேரம்_நகர்த்து(100); எதிர்பார்_சமம்(அணு_படி(எண்ணி), i * 100); }"
    assert of_test(body, CLOCK) == []


def test_what_a_test_has_slept_counts_too() -> None:
    body = "உறங்கு(2.5); நேரம்_நகர்த்து(2); எதிர்பார்_சமம்(அணு_படி(எண்ணி), 4);"
    assert of_test(body, CLOCK) == []


# ---- replacing functions --------------------------------------------------------------

SHOP = """
செயல் விலை(x) { திரும்பு x * 2; }
செயல் மொத்தம்(x) { திரும்பு விலை(x) + நீளம்("அஆ"); }
முகவர் கடைக்காரர்() { செய்தி கேள்(x) { திரும்பு மொத்தம்(x); } }
கடை = கடைக்காரர்();
"""


@pytest.mark.parametrize(
    "body",
    [
        'போலியாக("விலை", செயல்(x) { திரும்பு x; }); எதிர்பார்_சமம்(மொத்தம்(5), 7);',
        'போலியாக("விலை", செயல்(x) { திரும்பு "9"; }); எதிர்பார்_சமம்(மொத்தம்(5), 11);',
        'போலியாக("நீளம்", செயல்(x) { திரும்பு 100; }); எதிர்பார்_சமம்(மொத்தம்(5), 110);',
        'போலியாக("_length", செயல்(x) { திரும்பு 100; }); எதிர்பார்_சமம்(மொத்தம்(5), 110);',
        'போலியாக("விலை", செயல்(x) { திரும்பு x; }); எதிர்பார்_சமம்(கடை.கேள்(5), 7);',
        'எதிர்பார்_சமம்(கடை.கேள்(5), 12); போலியாக("விலை", செயல்(x) { திரும்பு x; }); எதிர்பார்_சமம்(கடை.கேள்(5), 7);',
        'n = 7; போலியாக("விலை", செயல்(x) { திரும்பு n; }); எதிர்பார்_சமம்(இணையாக_மாற்று([1, 2], மொத்தம்), [9, 9]);',
        'போலியாக("இப்போது", செயல்() { திரும்பு "நேற்று"; }); எதிர்பார்_சமம்(இப்போது(), "நேற்று");',
        'எதிர்பார்_சமம்(மொத்தம்(5), 12);',
    ],
)
def test_a_function_is_replaced_everywhere_in_the_test(body: str) -> None:
    assert of_test(body, SHOP) == []


def test_another_test_has_the_real_function_again() -> None:
    text = SHOP + """
    சோதனை "அ" { போலியாக("விலை", செயல்(x) { திரும்பு x; }); எதிர்பார்_சமம்(கடை.கேள்(5), 7); }
    சோதனை "ஆ" { எதிர்பார்_சமம்(கடை.கேள்(5), 12); }
    """

    async def scenario(service: Service) -> list[str]:
        return [(await service.run_test(name)).kind for name in service.tests]

    assert run_service(text, scenario) == ["passed", "passed"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('போலியாக("இல்லை", செயல்(x) { திரும்பு x; });', "there is no function ‘இல்லை’"),
        ('போலியாக("காலவரம்பு", செயல்(x) { திரும்பு x; });', "which has a block, cannot be replaced"),
        ('n = "விலை"; போலியாக(n, செயல்(x) { திரும்பு x; });', "has to be written as a text in the program"),
    ],
)
def test_what_cannot_be_replaced(body: str, words: str) -> None:
    ((kind, english),) = of_test(body, SHOP)
    assert kind == "error"
    assert words in english


# ---- what fails a run -----------------------------------------------------------------


def test_a_test_that_nobody_will_wake_waits_for_ever() -> None:
    (run,) = runs('c = சேனல்_உருவாக்கு();\nசோதனை "அ" {\n  x = சேனல்_பெறு(c);\n}')
    (failure,) = run.failures
    assert (failure.kind, failure.english) == ("hang", "waits for ever")
    assert [frame.line for frame in failure.trace] == [3]


def test_a_test_waits_for_ever_even_if_others_go_on() -> None:
    assert of_test("c = சேனல்_உருவாக்கு(); x = சேனல்_பெறு(c);", CLOCK) == [("hang", "waits for ever")]


def test_a_test_without_an_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kit.Service.run_test, "__kwdefaults__", {"most_steps": 500})
    endless = [("endless", "goes on without an end")]
    assert of_test("(மெய்) சுற்று { உறங்கு(1); }") == endless
    assert of_test("(மெய்) சுற்று { நேரம்_நகர்த்து(1); }") == endless
    assert of_test("நேரம்_நகர்த்து(3000);", CLOCK) == []


def test_a_deadlock_is_told() -> None:
    text = """
    அ = பூட்டு_உருவாக்கு("அ"); ஆ = பூட்டு_உருவாக்கு("ஆ");
    செயல் ஒன்று() { பூட்டு_பிடி(அ) { உறங்கு(1); பூட்டு_பிடி(ஆ) { உறங்கு(0); } } }
    செயல் இரண்டு() { பூட்டு_பிடி(ஆ) { உறங்கு(1); பூட்டு_பிடி(அ) { உறங்கு(0); } } }
    சோதனை "அ" { இணையாக([ஒன்று, இரண்டு]); }
    """
    ((kind, english),) = failures(text)
    assert kind == "error"
    assert english.endswith("[lock.deadlock]")


def test_a_service_that_does_not_start() -> None:
    ((kind, english),) = failures("x = [1][7];")
    assert (kind, english) == ("start", "the service did not start: the index 7 is outside; the length is 1")


def test_a_root_that_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def crash(self: simulation.Case, service: Service) -> None:
        while True:
            await service.settle()
            service.crash("closing", Fault("conflict"))

    monkeypatch.setattr(simulation.Case, "_idle", crash)
    ((kind, english),) = failures("x = 1;")
    assert kind == "gave_up"
    assert "gave up" in english


def test_what_is_left_over_and_our_own_mistakes(monkeypatch: pytest.MonkeyPatch) -> None:
    async def steal(self: simulation.Case, service: Service) -> None:
        from etamil_actors.actors.programs.activity import Activity

        assert service.system.locks.named("பூட்டு").try_acquire(Activity(service.running, "திருடன்"))
        service.crash("jobs", ValueError("நாங்கள்"))
        await service.settle()

    monkeypatch.setattr(simulation.Case, "_idle", steal)
    found = dict(failures("x = 1;"))
    assert found == {
        "lock": "<பூட்டு பூட்டு> is still held by திருடன்",
        "internal": "an error in the runtime itself: ValueError: நாங்கள்",
    }


def test_a_mistake_that_breaks_the_run_itself_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(self: simulation.Case, service: Service) -> None:
        raise ZeroDivisionError("us")

    monkeypatch.setattr(simulation.Case, "_idle", fail)
    assert failures("x = 1;") == [("internal", "an error in the runtime itself: ZeroDivisionError: us")]


def test_a_program_that_leaves_ends_its_idle_hour() -> None:
    (run,) = runs('பணி_உருவாக்கு "பிறகு" { உறங்கு(5); வெளியேறு(2); }', idle=3600.0)
    assert run.failures == ()
    assert float(run.tail[-1].split()[0]) < 6


def test_jobs_run_in_the_idle_hour() -> None:
    (run,) = runs('பணி_உருவாக்கு "மணி", {"every": 1800} { x = [1][7]; }', idle=3600.5)
    assert run.failures == ()  # what a program does about its jobs is its own business
    assert any("RunFailed /root/t/jobs/மணி" in line for line in run.tail)


def test_every_test_is_run_whatever_its_name() -> None:
    done = runs('சோதனை "அ" { }\nசோதனை "அ" { எதிர்பார்_மெய்(பொய்); }\nசோதனை "" { எதிர்பார்_சமம்(1, 2); }')
    assert [(run.test, bool(run.failures)) for run in done] == [("அ", False), ("அ (2)", True), ("சோதனை", True)]


def test_a_program_that_ends_before_its_tests() -> None:
    assert failures('வெளியேறு(0);\nசோதனை "அ" { }') == [
        ("start", "the program has ended before it came to this test")
    ]


def test_a_test_that_leaves_with_an_error_has_failed() -> None:
    assert failures('சோதனை "அ" { வெளியேறு(7); எதிர்பார்_சமம்(1, 2); }') == [
        ("expectation", "வெளியேறு(7) has ended the test before its end")
    ]
    assert failures('சோதனை "அ" { வெளியேறு(0); }') == []


def test_a_test_may_wait_long_for_work_that_takes_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kit, "WAITING_STEPS", 10)
    text = """
    செயல் வேலை(n) { ஒவ்வொரு i இல் [1, 2, 3, 4, 5] { உறங்கு(1); } திரும்பு n; }
    சோதனை "அ" { எதிர்பார்_சமம்(இணையாக_மாற்று([1, 2, 3, 4, 5], வேலை), [1, 2, 3, 4, 5]); }
    """
    assert failures(text) == []


# ---- schedules and faults -------------------------------------------------------------

RACE = """
எண்ணி = அணு_உருவாக்கு(0);
செயல் ஏற்று() { x = அணு_படி(எண்ணி); அணு_இடு(எண்ணி, x + 1); }
சோதனை "எண்ணிக்கை" { இணையாக([ஏற்று, ஏற்று, ஏற்று]); எதிர்பார்_சமம்(அணு_படி(எண்ணி), 3); }
"""

ORDER = """
c = சேனல்_உருவாக்கு();
செயல் அ() { சேனல்_அனுப்பு(c, "அ"); }
செயல் ஆ() { சேனல்_அனுப்பு(c, "ஆ"); }
சோதனை "வரிசை" { பணி_தொடங்கு(அ); பணி_தொடங்கு(ஆ); எதிர்பார்_சமம்(சேனல்_பெறு(c), "அ"); x = சேனல்_பெறு(c); }
"""

SOUND = """
எண்ணி = அணு_உருவாக்கு(0);
கடிதங்கள் = சேனல்_உருவாக்கு("கடிதங்கள்", {"capacity": 2});
பூட்டு_ஒன்று = பூட்டு_உருவாக்கு("ஒன்று");
முகவர் கணக்கு(t) { மீதம் = t; செய்தி போடு(n) { உறங்கு(0.01); மீதம் = மீதம் + n; திரும்பு மீதம்; } }
க = கணக்கு(0);
பணி_உருவாக்கு "அஞ்சல்", {"சேனல்": கடிதங்கள், "எண்ணிக்கை": 2, "தடவை": 20} {
    பூட்டு_பிடி(பூட்டு_ஒன்று) { முயல் { க.போடு(செய்தி); } பிழை(e) { அச்சு e; } அணு_கூட்டு(எண்ணி, 1); }
}
செயல் அனுப்பு_எல்லாம்(n) { ஒவ்வொரு i இல் [1, 2, 3] { சேனல்_அனுப்பு(கடிதங்கள், n * 10 + i); } }
சோதனை "குறைந்தது ஒருமுறை" {
    இணையாக_மாற்று([1, 2, 3], அனுப்பு_எல்லாம்);
    நேரம்_நகர்த்து(600);
    எதிர்பார்_மெய்(அணு_படி(எண்ணி) >= 9);
    எதிர்பார்_சமம்(சேனல்_நீளம்(கடிதங்கள்), 0);
}
"""


def test_a_wrong_order_shows_under_some_seed_only() -> None:
    failed = [run.seed for run in runs(ORDER, 20) if run.failures]
    assert 0 < len(failed) < 20


def test_pauses_show_a_race_that_no_schedule_shows() -> None:
    assert not any(run.failures for run in runs(RACE, 20))
    assert any(run.failures for run in runs(RACE, 20, faults=FaultKinds(delays=True)))


def test_a_sound_service_stands_everything() -> None:
    done = runs(SOUND, 25, faults=ALL, idle=100.0)
    assert [(run.seed, run.test, run.failures) for run in done if run.failures] == []
    faults = [fault for run in done for fault in run.faults]
    assert any("✗ /root/t/agents/" in fault for fault in faults)
    assert any("✗ /root/t/jobs/" in fault for fault in faults)
    assert any("▣ " in fault for fault in faults)


def test_a_test_that_an_ordered_crash_ends_tells_nothing() -> None:
    text = """
    முகவர் அவன்() { செய்தி செய்() { உறங்கு(0.001); } }
    ஒருவன் = அவன்();
    சோதனை "அ" { ஒவ்வொரு i இல் வரிசை_எண்கள்() { ஒருவன்.செய்(); } }
    செயல் வரிசை_எண்கள்() { திரும்பு [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]; }
    """
    done = runs(text, 20, faults=FaultKinds(crashes=True))
    assert not any(run.failures for run in done)
    assert any(run.is_disturbed for run in done)


@pytest.mark.parametrize("text", [ORDER, RACE, SOUND])
def test_a_seed_repeats_its_run(text: str) -> None:
    (test,) = blocks_of(plan(text).program.program)
    for seed in range(6):
        first = run_case(plan(text, faults=ALL), test, seed)
        assert run_case(plan(text, faults=ALL), test, seed) == first


# ---- the command ----------------------------------------------------------------------


@pytest.fixture
def order(tmp_path: Path) -> Path:
    path = tmp_path / "order.qmz"
    path.write_text(ORDER, encoding="utf-8")
    return path


def test_the_command_names_the_seed_and_the_seed_repeats_it(command: Command, order: Path) -> None:
    done = command("sim", "--seeds", "20", "--idle", "0", "order.qmz")
    assert done.returncode == 1
    first = done.stdout.splitlines()
    assert first[0].startswith("✗ ‘வரிசை’  --seed ")
    assert first[1] == "  எதிர்பார்த்தது “அ”; கிடைத்தது “ஆ”  (expected “அ”, got “ஆ”)"
    assert "order.qmz: வரி 5, நெடுவரிசை" in first[2]
    assert "கடைசி நிகழ்வுகள்  (the last events):" in first[3]
    assert "20 seed(s), 20 run(s); failures: ‘வரிசை’ ×" in done.stderr
    seed = first[0].split()[-1]
    again = command("sim", "--seed", seed, "--idle", "0", "order.qmz", PYTHONHASHSEED="99")
    assert again.returncode == 1
    assert again.stdout == done.stdout


def test_the_command_is_content(command: Command, tmp_path: Path) -> None:
    (tmp_path / "good.qmz").write_text(SOUND, encoding="utf-8")
    done = command("sim", "--seeds", "3", "--faults", "good.qmz")
    assert (done.returncode, done.stdout) == (0, "")
    assert "3 seed(s), 6 run(s)" in done.stderr
    assert done.stderr.startswith("✓ ")


def test_the_command_speaks_json(command: Command, order: Path) -> None:
    done = command("sim", "--seeds", "4", "--json", "--crashes", "order.qmz")
    rows = json.loads(done.stdout)
    assert [(row["seed"], row["test"]) for row in rows[:2]] == [(0, "வரிசை"), (0, None)]
    assert len(rows) == 8
    assert done.returncode == int(any(row["failures"] for row in rows))
    failed = next(row for row in rows if row["failures"])
    assert failed["failures"][0]["kind"] == "expectation"
    assert set(failed["failures"][0]["trace"][0]) == {"file", "line", "column", "function"}
    assert len(failed["hash"]) == 32


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["sim", "none.qmz"], 1, "none.qmz"),
        (["sim", "--seeds", "0", "order.qmz"], 2, "at least 1"),
        (["sim"], 2, "a file is needed"),
        (["sim", "bad.qmz"], 1, "E0201"),
    ],
)
def test_the_command_refuses(
    command: Command, order: Path, tmp_path: Path, words: list[str], status: int, says: str
) -> None:
    (tmp_path / "bad.qmz").write_text("x = ;", encoding="utf-8")
    done = command(*words)
    assert done.returncode == status
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_reads_real_files_and_writes_none(command: Command, tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("ஒன்று", encoding="utf-8")
    (tmp_path / "f.qmz").write_text(
        'கோப்பு_எழுது "data.txt", "இரண்டு";\nகோப்பு_படி "data.txt", உள்ளே;\n'
        'சோதனை "அ" { எதிர்பார்_மெய்(உள்ளதா(உள்ளே, "இரண்டு")); எதிர்பார்_மெய்(உள்ளதா(உள்ளே, "ஒன்று")); }\n',
        encoding="utf-8",
    )
    done = command("sim", "--seeds", "3", "--idle", "0", "f.qmz")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert (tmp_path / "data.txt").read_text(encoding="utf-8") == "ஒன்று"
