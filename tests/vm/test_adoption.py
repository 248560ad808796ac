"""Values that go from one machine to another: functions see the variables of where they are."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from etamil_actors.errors import Fault
from etamil_actors.vm.adoption import holds_functions
from etamil_actors.vm.convert import equal
from etamil_actors.vm.machine import Machine
from etamil_actors.vm.values import Err, Handle, Ok, TwoNamed

from .test_machine import Paper, machine_of, nothing

PROGRAM = """
வடிவம் புள்ளி { x, y }
எண்ணி = 1;
செயல் பார்() { திரும்பு எண்ணி; }
செயல் கட்டு(அ) { திரும்பு செயல்(ஆ) { திரும்பு [அ, ஆ, பார்()]; }; }
செயல் சுற்று_கட்டு(f) { திரும்பு செயல்() { திரும்பு f(7); }; }
முகவர் க() { }
வழி பெறு, "/" {
    எண்ணி = 2;
    திரும்பு {"பார்": பார், "கட்டு": கட்டு("ம"), "உள்": சுற்று_கட்டு(கட்டு([1])), "நீளம்": நீளம், "க": க,
              "அணி": [1, [பார், {"f": பார்}]], "சரி": சரி(பார்), "தவறு": தவறு([பார்]), "ப": புள்ளி{x: பார், y: 1},
              "வெறுமை": செயல்() { திரும்பு எண்ணி; }};
}
"""


@pytest.fixture
def pair() -> tuple[Machine, Machine, dict[str, Any]]:
    """Two machines of one program whose variable differs, and values that the first one made."""
    first, _ = machine_of(PROGRAM)
    first.run_top()
    second = Machine(first.image, Paper(), nothing)
    second.restore(first.save())
    route = next(row for row in first.program.declared if row.kind == "route")
    return first, second, first.run_body(route.unit)


def test_functions_see_the_variables_of_the_machine_that_adopted_them(pair: Any) -> None:
    first, second, made = pair
    here = {name: first.adopt(value) for name, value in made.items()}
    there = {name: second.adopt(value) for name, value in made.items()}
    for name, at_home, away in [
        ("பார்", 2, 1), ("வெறுமை", 2, 1), ("உள்", [[1], 7, 2], [[1], 7, 1]),
    ]:  # fmt: skip
        assert first.call(here[name]) == at_home
        assert second.call(there[name]) == away
    assert second.call(there["கட்டு"], 5) == ["ம", 5, 1]
    assert second.call(there["அணி"][1][0]) == second.call(there["அணி"][1][1]["f"]) == 1
    assert second.call(there["சரி"].value) == second.call(there["தவறு"].value[0]) == 1
    assert second.call(there["நீளம்"], [1, 2, 3]) == 3
    assert (there["ப"].shape, second.call(there["ப"]["x"])) == (made["ப"].shape, 1)


def test_what_was_adopted_equals_the_original_and_leaves_it_alone(pair: Any) -> None:
    first, second, made = pair
    before = dict(made)
    adopted = second.adopt(made)
    assert equal(adopted, made)
    assert made == before
    assert adopted is not made
    assert first.call(made["பார்"]) == 2
    assert second.adopt(adopted) is adopted


def test_an_adopted_agent_is_started_by_the_new_machine(pair: Any) -> None:
    _, second, made = pair
    second.performer = lambda effect: (effect.key, effect.arguments)
    assert second.call(second.adopt(made["க"])) == ("start_agent", ("க", ()))


def test_a_builtin_that_needs_its_machine_uses_the_new_one() -> None:
    first, _ = machine_of("f = உறங்கு;")
    first.run_top()
    second = Machine(first.image, Paper(), lambda effect: "இரண்டு")
    assert (
        second.call(second.adopt(first.save()[0] if first.save() else first.builtin_value("_sleep")), 1)
        == "இரண்டு"
    )


class Thing(Handle):
    """A handle."""


@pytest.mark.parametrize(
    "value",
    [
        None, True, 5, Decimal("1.5"), "உரை", [], {}, [1, "அ", [2, {"ஆ": [None]}]], Ok([1]), Err("அ"),
        TwoNamed({"code": 1}, {"குறி": "code"}), [Thing()], {"c": Thing()},
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_a_value_without_functions_stays_the_same_object(pair: Any, value: Any) -> None:
    assert pair[1].adopt(value) is value
    assert not holds_functions(value)


def test_only_what_holds_a_function_is_made_anew(pair: Any) -> None:
    _, second, made = pair
    plain, names = [1, 2], TwoNamed({"code": made["பார்"]}, {"குறி": "code"})
    adopted = second.adopt([plain, names, plain])
    assert adopted[0] is plain
    assert adopted[2] is plain
    assert (type(adopted[1]), adopted[1].names) == (TwoNamed, names.names)
    assert adopted[1]["குறி"].home is second


def test_parts_that_are_shared_stay_shared_and_depth_does_not_matter(pair: Any) -> None:
    _, second, made = pair
    value = [made["பார்"]]
    for _ in range(60):  # two ways to each level: walking every path would never end
        value = [value, value]
    adopted = second.adopt(value)
    assert adopted[0] is adopted[1]
    deep: Any = made["பார்"]
    for _ in range(20_000):
        deep = [deep]
    adopted = second.adopt(deep)
    for _ in range(20_000):
        adopted, deep = adopted[0], deep[0]
    assert adopted.home is second


def test_a_function_of_another_program_is_refused(pair: Any) -> None:
    other, _ = machine_of('செயல் பார்() { திரும்பு 1; } f = பார்; வழி பெறு, "/" { திரும்பு f; }')
    other.run_top()
    own = other.functions["பார்"]
    for value in (own, [{"f": Ok(own)}]):
        with pytest.raises(Fault) as caught:
            pair[1].adopt(value)
        assert (caught.value.code, caught.value.details) == ("value.local", {"kind": "a function"})


def test_a_builtin_is_the_same_in_every_program(pair: Any) -> None:
    other, _ = machine_of("f = நீளம்;")
    adopted = pair[1].adopt([other.builtin_value("_length")])[0]
    assert (adopted.name, adopted.home) == ("நீளம்", pair[1])


def test_a_record_of_another_programs_shape_becomes_a_plain_one(pair: Any) -> None:
    other, _ = machine_of('வடிவம் புள்ளி { x } ப = [புள்ளி{x: 1}]; வழி பெறு, "/" { திரும்பு ப; }')
    other.run_top()
    [value] = other.run_body(other.program.declared[0].unit)
    [plain] = pair[1].adopt([value])
    assert (type(plain), plain) == (dict, {"x": 1})
