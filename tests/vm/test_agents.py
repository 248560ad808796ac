"""Agents, their messages, and jobs that a handler starts: what compiled code offers whoever runs them."""

from __future__ import annotations

from typing import Any

import pytest

from etamil_actors.errors import Fault
from etamil_actors.language.program import keep, open_kept
from etamil_actors.vm.effects import Service
from etamil_actors.vm.machine import Image, Machine

from .test_machine import Paper, machine_of, nothing

BOOK = """
செயல் பார்வை() { திரும்பு மீதம்; }
முகவர் புத்தகம்(தொடக்கம்: எண், பெயர்) {
    மீதம் = தொடக்கம்;
    வரிகள் = [];
    செய்தி போடு(அளவு: எண், குறிப்புகள்: அணி<சொல்>) {
        தற்காலிகம் = அளவு;
        மீதம் = மீதம் + தற்காலிகம்;
        வரிகள் = இணை(வரிகள், பெயர்);
        திரும்பு [பார்வை(), வரிகள்];
    }
    செய்தி பெயரிடு(பெயர்) { மீதம் = 0; திரும்பு பெயர்; }
    நிறுத்தும்போது { அச்சு "மூடு " & மீதம்; }
}
முகவர் சும்மா() { செய்தி ஒன்று() { திரும்பு 1; } }
"""


def agent_of(text: str, name: str, *given: Any, me: Any = None, **options: Any) -> tuple[Machine, Any, Paper]:
    machine, paper = machine_of(text, **options)
    machine.run_top()
    info = machine.image.agents[name]
    machine.me = me
    machine.run_body(info.unit, *given)
    return machine, info, paper


def test_a_program_lists_its_agents_with_messages_and_types() -> None:
    machine, _ = machine_of(BOOK)
    book, plain = machine.program.agents
    assert (book.name, plain.name) == ("புத்தகம்", "சும்மா")
    assert [(row.name, row.kind) for row in book.parameters] == [("தொடக்கம்", "Number"), ("பெயர்", "")]
    assert book.state == ("தொடக்கம்", "பெயர்", "மீதம்", "வரிகள்")
    assert [row.name for row in book.messages] == ["போடு", "பெயரிடு"]
    amount, notes = book.messages[0].parameters
    assert (amount.name, amount.kind) == ("அளவு", "Number")
    assert notes.element is not None
    assert (notes.kind, notes.element.kind) == ("Array", "Text")
    assert book.on_stop >= 0
    assert plain.on_stop == -1
    assert machine.program.place_of(book.place) == ("test.qmz", 3)
    again = open_kept(keep(machine.program, ()))
    assert again is not None
    assert again[1].agents == machine.program.agents
    assert again[1].declared == machine.program.declared


def test_messages_reach_the_state_and_functions_read_it() -> None:
    machine, info, paper = agent_of(BOOK, "புத்தகம்", 100, "அ")
    put = info.messages["போடு"].unit
    assert machine.run_body(put, 5, []) == [105, ["அ"]]
    assert machine.run_body(put, 5, []) == [110, ["அ", "அ"]]
    assert machine.run_body(info.messages["பெயரிடு"].unit, "ஆ") == "ஆ"
    assert machine.run_body(put, 1, []) == [1, ["அ", "அ", "அ"]]
    machine.run_body(info.on_stop)
    assert paper.printed == "மூடு 1\n"


def test_a_parameter_of_an_agent_can_hold_anything_whatever_messages_assign() -> None:
    text = "முகவர் க(x) { செய்தி கூட்டு() { திரும்பு x + 1; } செய்தி மாற்று() { x = 5; திரும்பு x + 1; } }"
    machine, info, _ = agent_of(text, "க", "41")
    assert machine.run_body(info.messages["கூட்டு"].unit) == 42
    assert machine.run_body(info.messages["மாற்று"].unit) == 6


ITSELF = """
முகவர் க() {
    நான் = இது;
    f = செயல்() { திரும்பு [இது]; };
    செய்தி யார்() { g = செயல்() { h = செயல்() { திரும்பு இது; }; திரும்பு h(); }; திரும்பு [நான், இது, f(), g(), _self]; }
    செய்தி தன்(இது) { திரும்பு இது; }
    செய்தி தா() { திரும்பு செயல்() { திரும்பு இது; }; }
}
"""


def test_itself_is_what_the_machine_supplies() -> None:
    machine, info, _ = agent_of(ITSELF, "க", me="நான்தான்")
    me = "நான்தான்"
    assert machine.run_body(info.messages["யார்"].unit) == [me, me, [me], me, me]
    assert machine.run_body(info.messages["தன்"].unit, 7) == 7


def test_a_lambda_takes_along_who_made_it() -> None:
    machine, info, _ = agent_of(ITSELF, "க", me="அ")
    function = machine.run_body(info.messages["தா"].unit)
    other = Machine(machine.image, Paper(), nothing)
    other.me = "வேறு"
    assert other.call(other.adopt(function)) == "அ"


def test_itself_needs_an_agent() -> None:
    machine, _ = machine_of("செயல் f() { திரும்பு இது; } f();")
    machine.me = "அ"
    with pytest.raises(Fault) as caught:
        machine.run_top()
    assert caught.value.code == "name.undefined"


def test_an_agents_name_is_a_function_that_starts_one() -> None:
    asked: list[Any] = []

    def perform(effect: Service) -> str:
        asked.append((effect.key, effect.arguments))
        return f"முகவர் {len(asked)}"

    text = (
        "முகவர் க(அ, ஆ) { } முகவர் ச() { } f = க; அச்சு [க(1, 2), f(3, 4), க == ச, f == க];"
        " முயல் { f(1); } பிழை(e) { அச்சு e.code; } முயல் { க(); } பிழை(e) { அச்சு e.code; }"
    )
    machine, paper = machine_of(text, performer=perform)
    machine.run_top()
    assert asked == [("start_agent", ("க", (1, 2))), ("start_agent", ("க", (3, 4)))]
    assert paper.printed == "[முகவர் 1, முகவர் 2, false, true]\ncall.arguments\ncall.arguments\n"


# ---- jobs -----------------------------------------------------------------------------

JOBS = """
எண்ணி = 1;
பணி_உருவாக்கு "ஒன்று" { அச்சு எண்ணி; }
பணி_உருவாக்கு "இரண்டு", {"சேனல்": எண்ணி, "எண்ணிக்கை": 2} { அச்சு செய்தி; }
வி = {"every": 5};
h = பணி_உருவாக்கு("மூன்று", வி) { எண்ணி = 3; };
ஒவ்வொரு i இல் [7] { பணி_உருவாக்கு("நான்கு") { அச்சு எண்ணி; } }
வழி பெறு, "/" { x = 8; k = பணி_உருவாக்கு("ஐந்து", {"durable": மெய்}) { அச்சு [x, எண்ணி]; }; திரும்பு k; }
செயல் f(அ) { செய்தி = 4; பணி_உருவாக்கு "ஆறு" { அச்சு [அ, செய்தி]; } திரும்பு 1; }
f(2);
"""


def test_jobs_tell_where_they_stand_and_whether_they_are_declared() -> None:
    asked: list[tuple[str, Any]] = []
    machine, paper = machine_of(
        JOBS, performer=lambda effect: asked.append((effect.key, effect.arguments)) or "கைப்பிடி"
    )
    machine.declaring = lambda number, options: machine.program.declared[number].name
    machine.run_top()
    jobs = [row for row in machine.program.declared if row.kind == "job"]
    assert [(row.name, row.is_inner, row.takes, row.captures) for row in jobs] == [
        ("ஒன்று", False, 0, ()),
        ("இரண்டு", False, 1, ()),
        ("மூன்று", False, 1, ()),
        ("நான்கு", True, 0, ()),
        ("ஐந்து", True, 0, ()),
        ("ஆறு", True, 0, ("அ", "செய்தி")),
    ]
    assert [machine.program.place_of(row.place)[1] for row in jobs] == [3, 4, 6, 7, 8, 9]
    numbers = [machine.program.declared.index(row) for row in jobs[:3]]
    assert [machine.declared[number] for number in numbers] == [
        ("ஒன்று",), ("இரண்டு", {"சேனல்": 1, "எண்ணிக்கை": 2}), ("மூன்று", {"every": 5}),
    ]  # fmt: skip
    assert machine.save()[machine.program.shared.index("எண்ணி")] == 1
    (first, (name, body)), (second, (other, inner)) = asked
    assert (first, name, second, other) == ("_job", "நான்கு", "_job", "ஆறு")
    assert (body.unit, inner.unit, inner.captured) == (jobs[3].unit, jobs[5].unit, (2, 4))
    worker = Machine(machine.image, paper, nothing)
    worker.restore(machine.save())
    worker.call(worker.adopt(body))
    worker.call(worker.adopt(inner))
    worker.run_body(jobs[0].unit)
    worker.run_body(jobs[1].unit, "மடல்")
    assert paper.printed == "1\n[2, 4]\n1\nமடல்\n"


def test_a_job_in_an_expression_answers_what_the_service_says() -> None:
    asked: list[Any] = []

    def perform(effect: Service) -> str:
        asked.append((effect.key, effect.arguments))
        return "கைப்பிடி"

    machine, _ = machine_of(JOBS, performer=perform)
    route = next(row for row in machine.program.declared if row.kind == "route")
    assert machine.run_body(route.unit) == "கைப்பிடி"
    [(key, (name, options, body))] = asked
    assert (key, name, options, body.arity) == ("_job", "ஐந்து", {"durable": True}, 0)


def test_a_declared_job_in_an_expression_answers_what_declaring_says() -> None:
    machine, paper = machine_of('h = பணி_உருவாக்கு("அ") { }; அச்சு h;')
    machine.declaring = lambda number, options: [number, list(options)]
    machine.run_top()
    assert paper.printed == "[0, [அ]]\n"


def test_the_body_of_a_job_that_an_agent_starts_knows_the_agent() -> None:
    text = """
முகவர் க() {
    ம = 1;
    பணி_உருவாக்கு("உள்") { g = செயல்() { திரும்பு இது; }; அச்சு [இது, g(), ம]; }
    செய்தி தொடங்கு() { பணி_உருவாக்கு "வெளி" { அச்சு [இது, ம]; } }
}
"""
    bodies: list[Any] = []
    machine, info, paper = agent_of(
        text, "க", me="அவர்", performer=lambda effect: bodies.append(effect.arguments[-1])
    )
    machine.run_body(info.messages["தொடங்கு"].unit)
    worker = Machine(machine.image, paper, nothing)
    for body in bodies:
        assert body.captured == ("அவர்",)
        worker.restore(machine.save())
        worker.me = None
        worker.call(worker.adopt(body))
        worker.call(worker.function_of(body.unit, body.captured))
    assert paper.printed == "[அவர், அவர், 1]\n" * 2 + "[அவர், 1]\n" * 2


def test_units_that_do_not_exist_are_refused() -> None:
    machine, _ = machine_of("அச்சு 1;")
    with pytest.raises(KeyError):
        machine.function_of(99)
    assert Image(machine.program).messages == set()


@pytest.mark.parametrize(
    ("around", "declared"),
    [
        ("{}", True),
        ("(மெய்) எனில் {{ {} }}", True),
        ("(பொய்) எனில் {{ }} இன்றேல் {{ முயல் {{ {} }} இறுதியில் {{ }} }}", True),
        ("முயல் {{ }} இறுதியில் {{ {} }}", True),
        ("ஒவ்வொரு i இல் [1, 2] {{ {} }}", False),
        ("i = 0; (i < 2) சுற்று {{ i = i + 1; {} }}", False),
        ("மீள்முயற்சி() {{ {} }}", False),
        ("செயல் f() {{ {} }} f();", False),
    ],
)
def test_a_job_is_declared_where_the_top_level_comes_past_it_once(around: str, declared: bool) -> None:
    asked: list[Any] = []
    machine, _ = machine_of(around.format('பணி_உருவாக்கு "அ" { }'), performer=asked.append)
    machine.run_top()
    assert [row.is_inner for row in machine.program.declared] == [not declared]
    assert list(machine.declared) == ([0] if declared else [])
    assert bool(asked) is not declared


def test_a_job_that_the_top_level_does_not_come_past_is_not_declared() -> None:
    machine, _ = machine_of('(பொய்) எனில் { பணி_உருவாக்கு "அ" { } }')
    machine.run_top()
    assert machine.declared == {}
