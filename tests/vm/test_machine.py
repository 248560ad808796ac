"""The machine by hand: effects, slices, budgets, states. No clock, no files, no event loop."""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import Any

import pytest

from etamil_actors.errors import ActivityCancelled, BudgetSpent, Fault
from etamil_actors.language.checker import check
from etamil_actors.language.compiler.generator import generate
from etamil_actors.language.loader import load
from etamil_actors.vm.effects import FileExists, ReadFile, Service
from etamil_actors.vm.machine import Finished, Image, Machine, Run, Slice
from etamil_actors.vm.values import UNSET


class Paper:
    """A world that only remembers what was printed."""

    def __init__(self) -> None:
        self.printed = ""

    def write(self, text: str) -> None:
        self.printed += text

    def warn(self, text: str) -> None:
        raise AssertionError(text)

    def wall_time(self) -> Decimal:
        return Decimal(0)

    def random_bytes(self, count: int) -> bytes:
        return bytes(count)

    def environment(self, name: str) -> str | None:
        return None


def nothing(effect: object) -> Any:
    raise AssertionError(f"unexpected {effect}")


def machine_of(text: str, *, counted: bool = False, **options: Any) -> tuple[Machine, Paper]:
    loaded = load("test.qmz", text, read=lambda path: None)
    problems = loaded.problems + check(loaded.module, loaded.sources)
    assert not [problem for problem in problems if problem.severity == "error"]
    paper = Paper()
    program = generate(loaded.module, loaded.sources, counted=counted)
    return Machine(Image(program), paper, options.pop("performer", nothing), **options), paper


def test_a_program_is_driven_by_its_effects() -> None:
    machine, paper = machine_of('கோப்பு_படி "a.txt", உரை_ஒன்று; அச்சு உரை_ஒன்று; அச்சு கோப்பு_உள்ளதா("b");')
    run = Run(machine, machine.run_top)
    step = run.start()
    assert isinstance(step, ReadFile)
    assert step.path == "a.txt"
    step = run.resume("வணக்கம்\n".encode())
    assert isinstance(step, FileExists)
    assert not run.is_over
    step = run.resume(True)
    assert isinstance(step, Finished)
    assert run.is_over
    assert paper.printed == "வணக்கம்\ntrue\n"


def test_trouble_in_place_of_an_answer_becomes_an_error_of_the_program() -> None:
    machine, paper = machine_of('முயல் { கோப்பு_படி "a", x; } பிழை(e) { அச்சு e.code & " " & e.line; }')
    run = Run(machine, machine.run_top)
    run.start()
    assert isinstance(run.throw(FileNotFoundError(2, "no")), Finished)
    assert paper.printed == "file 1\n"


def test_a_cancelled_program_runs_its_last_parts_and_nothing_else() -> None:
    text = 'முயல் { கோப்பு_படி "a", x; } பிழை(e) { அச்சு "பிழை"; } இறுதியில் { அச்சு "இறுதி"; } அச்சு "பின்";'
    machine, paper = machine_of(text)
    run = Run(machine, machine.run_top)
    run.start()
    step: object = run.throw(ActivityCancelled())
    with pytest.raises(ActivityCancelled):
        while True:  # it may ask for its grace first
            assert not isinstance(step, Finished)
            step = run.resume(None)
    assert paper.printed == "இறுதி\n"


def test_programs_take_turns_between_effects() -> None:
    runs = []
    papers = []
    for name in ("அ", "ஆ"):
        machine, paper = machine_of(f'அச்சு "{name}1"; கோப்பு_படி "x", ப; அச்சு "{name}" & ப;')
        papers.append(paper)
        runs.append(Run(machine, machine.run_top))
    for run in runs:
        run.start()
    for run in reversed(runs):
        run.resume(b"2")
    assert [paper.printed for paper in papers] == ["அ1\nஅ2\n", "ஆ1\nஆ2\n"]


@pytest.mark.parametrize(
    "text",
    [
        "(மெய்) சுற்று { }",
        "செயல் f(n) { (n > 0) எனில் { f(n - 1); } } (மெய்) சுற்று { f(3); }",
        "ஒவ்வொரு i இல் [1, 2, 3] { (மெய்) சுற்று { தொடர்; } }",
    ],
)
def test_a_raised_flag_ends_the_slice(text: str) -> None:
    machine, _ = machine_of(text)
    run = Run(machine, machine.run_top)
    machine.interrupt()
    assert isinstance(run.start(), Slice)
    machine.interrupt()
    assert isinstance(run.resume(None), Slice)
    with pytest.raises(BudgetSpent):
        run.throw(BudgetSpent(Fault("budget.time", seconds=1)))


def test_a_budget_of_steps_is_exact_and_repeatable() -> None:
    text = "i = 0; (மெய்) சுற்று { i = i + 1; அச்சு i; }"
    printed = []
    for _ in range(2):
        machine, paper = machine_of(text, counted=True, steps=7)
        with pytest.raises(BudgetSpent) as spent:
            machine.run_top()
        assert spent.value.fault.code == "budget.steps"
        assert spent.value.fault.trace[0].line == 1
        printed.append(paper.printed)
    assert printed[0] == printed[1] == "1\n2\n3\n4\n5\n6\n7\n"


def test_a_body_starts_from_the_state_that_the_top_level_left() -> None:
    text = (
        'எண்ணி = 1; பெயர்கள் = ["அ"]; செயல் பார்() { திரும்பு எண்ணி; }'
        ' வழி பெறு, "/" { எண்ணி = எண்ணி + பார்(); பெயர்கள் = இணை(பெயர்கள், எண்ணி); திரும்பு [எண்ணி, பார்(), பெயர்கள்]; }'
    )
    machine, _ = machine_of(text)
    machine.run_top()
    template = machine.save()
    unit = machine.program.declared[0].unit
    for _ in range(3):
        machine.restore(template)
        assert machine.run_body(unit) == [2, 2, ["அ", 2]]
    other = Machine(machine.image, Paper(), nothing)
    other.restore(template)
    assert other.run_body(unit) == [2, 2, ["அ", 2]]
    assert template[list(machine.program.shared).index("பெயர்கள்")] == ["அ"]


def test_a_name_without_a_value_has_none_after_restoring() -> None:
    machine, _ = machine_of(
        'செயல் f() { திரும்பு x; } வழி பெறு, "/" { x = 1; திரும்பு f(); } வழி பெறு, "/b" { திரும்பு f(); }'
    )
    machine.run_top()
    empty = machine.save()
    assert set(empty) == {UNSET}
    first, second = machine.program.declared
    assert machine.run_body(first.unit) == 1
    machine.restore(empty)
    with pytest.raises(Fault) as caught:
        machine.run_body(second.unit)
    assert caught.value.code == "name.undefined"


def test_a_word_of_a_service_is_asked_of_the_world() -> None:
    asked = []

    def perform(effect: object) -> Any:
        assert isinstance(effect, Service)
        asked.append((effect.key, effect.arguments))
        return {"முடிவு": 7}

    machine, paper = machine_of('ப = சேனல்_உருவாக்கு("அ", {"capacity": 5}); அச்சு ப;', performer=perform)
    machine.run_top()
    assert asked == [("_channel", ("அ", {"capacity": 5}))]
    assert paper.printed == "{முடிவு: 7}\n"


def test_a_trace_tells_places_and_functions_from_the_inside_out() -> None:
    machine, _ = machine_of(
        "செயல் உள்ளே() {\n    திரும்பு 1 / 0;\n}\nசெயல் வெளியே() { திரும்பு உள்ளே(); }\nவெளியே();"
    )
    with pytest.raises(Fault) as caught:
        machine.run_top()
    trace = [(frame.line, frame.column, frame.function) for frame in caught.value.trace]
    assert trace == [(2, 10, "உள்ளே"), (4, 18, "வெளியே"), (5, 1, "")]


def test_a_call_that_is_handed_on_to_the_version_for_whole_numbers_is_one_call_of_the_trace() -> None:
    text = (
        "செயல் எண்ணு(n) {\n    (n == 0) எனில் { திரும்பு 1 / n; }\n    திரும்பு n * எண்ணு(n - 1);\n}\n"
        "x = [2];\n"
        "முயல் { எண்ணு(x[0]); } பிழை(e) { ஒவ்வொரு வரி_ஒன்று இல் e.trace { அச்சு வரி_ஒன்று; } அச்சு e.line; }\n"
        "அச்சு எண்ணு(x[0]);"
    )
    machine, paper = machine_of(text)
    with pytest.raises(Fault) as caught:
        machine.run_top()
    trace = [(frame.line, frame.column, frame.function) for frame in caught.value.trace]
    assert trace == [(2, 25, "எண்ணு"), (3, 14, "எண்ணு"), (3, 14, "எண்ணு"), (7, 5, "")]
    lines = paper.printed.splitlines()
    assert len(lines) == 5
    assert lines[-1] == "2"


def test_calls_that_nest_too_deep_are_told_where_the_call_stands() -> None:
    machine, _ = machine_of("செயல் f(n) { திரும்பு 1 + f(n + 1); }\nx = [1];\nf(x[0]);", depth=5)
    with pytest.raises(Fault) as caught:
        machine.run_top()
    assert caught.value.code == "call.depth"
    assert [frame.line for frame in caught.value.trace] == [1, 1, 1, 1, 1, 3]


def test_an_activity_that_ends_leaves_others_the_room_for_their_calls() -> None:
    text = (
        'செயல் f(n) { (n == 0) எனில் { கோப்பு_படி "a", x; திரும்பு g(300); } திரும்பு f(n - 1); }'
        " செயல் g(n) { (n == 0) எனில் { திரும்பு 7; } திரும்பு g(n - 1); } அச்சு f(600);"
    )
    before = sys.getrecursionlimit()
    deep, paper = machine_of(text)
    run = Run(deep, deep.run_top)
    run.start()
    short, _ = machine_of("அச்சு 1;")
    short.run_top()
    other = Run(deep_again := machine_of(text)[0], deep_again.run_top)
    other.start()
    assert isinstance(run.resume(b""), Finished)
    assert paper.printed == "7\n"
    assert isinstance(other.resume(b""), Finished)
    assert sys.getrecursionlimit() == before
