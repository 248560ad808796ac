"""What a machine begins with: the template's variables, and nothing of the activity before."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from etamil_actors.errors import Fault
from etamil_actors.vm.machine import Machine, Slice
from etamil_actors.vm.template import Template

from .test_machine import Paper, machine_of, nothing

PROGRAM = """
எண்ணி = 1; பெயர்கள் = ["அ"]; தரவுப்பொருள் = {"x": [1]}; உரை_நீளம் = "ம"; கணிப்பு = செயல்() { திரும்பு எண்ணி; };
பட்டியல் = [கணிப்பு];
செயல் படம்() { திரும்பு [எண்ணி, பெயர்கள், தரவுப்பொருள், உரை_நீளம், கணிப்பு(), பட்டியல்[0]()]; }
செயல் புதிது() { திரும்பு தற்காலிகம்; }
வழி பெறு, "/" { திரும்பு படம்(); }
வழி பெறு, "/1" { எண்ணி = 7; }
வழி பெறு, "/2" { பெயர்கள் = இணை(பெயர்கள், எண்ணி); }
வழி பெறு, "/3" { பெயர்கள்[0] = "ஆ"; }
வழி பெறு, "/4" { தரவுப்பொருள்.z = 5; தரவுப்பொருள்["y"] = 6; }
வழி பெறு, "/5" { உள்ளது = தரவுப்பொருள்.x; உள்ளது = இணை(உள்ளது, 9); தரவுப்பொருள்.x = உள்ளது; }
வழி பெறு, "/6" { உரை_நீளம் = உரை_நீளம் & "ன" & எண்ணி; }
வழி பெறு, "/7" { கணிப்பு = செயல்() { திரும்பு "வேறு"; }; பட்டியல்[0] = கணிப்பு; }
வழி பெறு, "/8" { தற்காலிகம் = 4; புதிது(); }
வழி பெறு, "/9" { பட்டியல் = இணை(பட்டியல், பட்டியல்); எண்ணி = "உரை"; }
"""
FRESH = [1, ["அ"], {"x": [1]}, "ம", 1, 1]


def started() -> tuple[Machine, Template, list[int]]:
    machine, _ = machine_of(PROGRAM)
    machine.run_top()
    return machine, Template(machine), [row.unit for row in machine.program.declared]


@given(some.lists(some.integers(min_value=1, max_value=9), max_size=8), some.booleans())
def test_a_poured_machine_is_as_new_whatever_ran_before(routes: list[int], again: bool) -> None:
    first, template, units = started()
    machine = Machine(first.image, Paper(), nothing)
    template.pour(machine)
    for route in routes:
        machine.run_body(units[route])
        if again:
            template.pour(machine)
    template.pour(machine)
    assert machine.run_body(units[0]) == FRESH
    assert first.run_body(units[0]) == FRESH
    fresh = Machine(first.image, Paper(), nothing)
    template.pour(fresh)
    for route in routes:
        fresh.run_body(units[route])
        machine.run_body(units[route])
    assert fresh.run_body(units[0]) == machine.run_body(units[0])


def test_functions_in_variables_see_the_machine_they_were_poured_into() -> None:
    first, template, units = started()
    machine = Machine(first.image, Paper(), nothing)
    template.pour(machine)
    machine.run_body(units[1])
    assert machine.run_body(units[0]) == [7, ["அ"], {"x": [1]}, "ம", 7, 7]
    assert first.run_body(units[0]) == FRESH


def test_a_name_without_a_value_has_none_again() -> None:
    first, template, units = started()
    machine = Machine(first.image, Paper(), nothing)
    template.pour(machine)
    machine.run_body(units[8])
    template.pour(machine)
    with pytest.raises(Fault) as caught:
        machine.call(machine.functions["புதிது"])
    assert caught.value.code == "name.undefined"


def test_pouring_forgets_what_is_beside_the_variables() -> None:
    first, template, units = started()
    slices: list[Any] = []
    machine = Machine(first.image, Paper(), slices.append)
    machine.me = "முகவர்"
    machine.state["board"] = object()
    machine.interrupt()
    template.pour(machine)
    assert (machine.me, machine.state) == (None, {})
    machine.run_body(units[0])
    assert slices == []
    machine.interrupt()
    machine.run_body(units[0])
    assert [type(one) for one in slices] == [Slice]


def test_a_depth_that_was_lowered_counts_from_pouring_on() -> None:
    machine, _ = machine_of(
        'செயல் f(n) { (n > 0) எனில் { திரும்பு f(n - 1); } திரும்பு "அடி"; } வழி பெறு, "/" { திரும்பு f(20); }'
    )
    machine.run_top()
    template, unit = Template(machine), machine.program.declared[0].unit
    machine.depth = 10
    template.pour(machine)
    with pytest.raises(Fault) as caught:
        machine.run_body(unit)
    assert caught.value.code == "call.depth"
    machine.depth = 1000
    template.pour(machine)
    assert machine.run_body(unit) == "அடி"


def test_handles_are_kept_and_plain_templates_hold_the_very_values() -> None:
    shared = object()
    machine, _ = machine_of(
        'ச = சேனல்_உருவாக்கு(); ப = [1]; செயல் f() { திரும்பு [ச, ப]; } வழி பெறு, "/" { திரும்பு f(); }',
        performer=lambda effect: shared,
    )
    machine.run_top()
    template = Template(machine)
    other = Machine(machine.image, Paper(), nothing)
    template.pour(other)
    got, values = other.run_body(machine.program.declared[0].unit)
    assert got is shared
    assert values is machine.run_body(machine.program.declared[0].unit)[1]


def test_a_child_begins_with_the_variables_of_its_parent() -> None:
    first, template, units = started()
    parent = Machine(first.image, Paper(), nothing)
    template.pour(parent)
    for route in (1, 2, 7):
        parent.run_body(units[route])
    child = Machine(first.image, Paper(), nothing)
    template.continue_from(parent, child)
    assert (
        child.run_body(units[0])
        == parent.run_body(units[0])
        == [7, ["அ", 7], {"x": [1]}, "ம", "வேறு", "வேறு"]
    )
    parent.run_body(units[3])
    child.run_body(units[4])
    assert child.run_body(units[0])[1:3] == [["அ", 7], {"x": [1], "z": 5, "y": 6}]
    assert parent.run_body(units[0])[1:3] == [["ஆ", 7], {"x": [1]}]


@pytest.mark.parametrize(
    ("text", "keeps"),
    [
        ("செயல் f(x) { திரும்பு x; } அச்சு f(மாற்றியமை([1], செயல்(அ) { திரும்பு அ; }));", False),
        ("செயல் f(x) { திரும்பு x; } அச்சு மாற்றியமை([1], f);", False),
        ("முகவர் க() { ம = 1; செய்தி ப() { திரும்பு ம; } } க();", False),
        ("f = செயல்() { திரும்பு 1; };", True),
        ("செயல் f() { திரும்பு செயல்() { திரும்பு 1; }; }", True),
        ("செயல் f(x) { திரும்பு x; } அச்சு f(f);", True),
        ("செயல் f(x) { திரும்பு x; } அச்சு மாற்றியமை([1], f) & [f];", True),
        ("அச்சு மாற்றியமை([1], செயல்(அ) { திரும்பு செயல்() { திரும்பு அ; }; });", True),
        ("x = [நீளம்];", True),
        ("முகவர் க() { } x = க;", True),
        ("செயல் g() { திரும்பு f; } (பொய்) எனில் { f = 1; } செயல் f() { }", True),
        ("செயல் மாற்றியமை(அ, f) { திரும்பு f; } அச்சு மாற்றியமை([1], செயல்() { திரும்பு 1; });", True),
    ],
)
def test_a_program_knows_whether_its_variables_can_hold_functions(text: str, keeps: bool) -> None:
    machine, _ = machine_of(text, performer=lambda effect: None)
    assert machine.program.keeps_functions is keeps


def test_what_was_known_of_an_earlier_state_still_holds() -> None:
    first, template, units = started()
    first.run_body(units[1])
    first.run_body(units[7])
    later, alone = Template(first, template), Template(first)
    machines = [Machine(first.image, Paper(), nothing) for _ in range(2)]
    for state, machine in zip((later, alone), machines, strict=True):
        state.pour(machine)
        assert machine.run_body(units[0]) == [7, ["அ"], {"x": [1]}, "ம", "வேறு", "வேறு"]
        machine.run_body(units[2])
        assert machine.run_body(units[0])[1] == ["அ", 7]
    assert first.run_body(units[0])[1] == ["அ"]
