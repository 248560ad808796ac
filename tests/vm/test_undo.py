"""What a message changed can be undone: a saved state never changes, whatever the program does.

Compiled code changes arrays, records and texts in place where nothing else refers to them. The saved
state refers to all of them, so the first change after saving has to make a copy.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from etamil_actors.errors import Fault
from etamil_actors.vm.machine import Machine
from etamil_actors.vm.template import Template

from .test_machine import Paper, machine_of, nothing

CHANGES = {
    "an element": "வரிசைகள்[0] = 9;",
    "an appended element": "வரிசைகள் = இணை(வரிசைகள், 4);",
    "many appended": "i = 0; (i < 20) சுற்று { வரிசைகள் = இணை(வரிசைகள், i); i = i + 1; }",
    "an inner array": "ப = வரிசைகள்[1]; ப = இணை(ப, 5); ப[0] = 6; வரிசைகள்[1] = ப;",
    "a field": "நிலவரம்.x = 9;",
    "a field by index": 'நிலவரம்["x"] = 8; நிலவரம்["புதிது"] = 1;',
    "a nested field": "ப = நிலவரம்.கீழ்; ப.y = 7; ப.z = இணை(ப.z, 1); நிலவரம்.கீழ் = ப;",
    "a text": 'உரைகள் = உரைகள் & "ம" & 1;',
    "a text grown in a loop": 'i = 0; (i < 50) சுற்று { உரைகள் = உரைகள் & "நீ"; i = i + 1; }',
    "a number": "எண்ணி = எண்ணி + 1;",
    "a parameter": "தொடக்கம்[0] = 5; தொடக்கம் = இணை(தொடக்கம், 1);",
    "another kind": 'எண்ணி = "உரை"; வரிசைகள் = 5; நிலவரம் = [1];',
    "through another name": "ப = வரிசைகள்; ப[0] = 7; ப = இணை(ப, 8); r = நிலவரம்; r.x = 5;",
    "a loop over it": "ஒவ்வொரு v இல் வரிசைகள் { வரிசைகள் = இணை(வரிசைகள், v); }",
    "elements of a loop": "ஒவ்வொரு v இல் [நிலவரம்] { v.x = 3; v = 4; }",
    "through a lambda": "f = செயல்(ப) { ப[0] = 1; ப = இணை(ப, 2); திரும்பு ப; }; வரிசைகள் = f(வரிசைகள்);",
    "a captured value": "ப = வரிசைகள்; f = செயல்() { ப[0] = 5; திரும்பு ப; }; f(); வரிசைகள் = f();",
    "by a function": "வரிசைகள் = மாற்று(வரிசைகள்); நிலவரம் = குறி_மாற்று(நிலவரம்);",
    "by a function and back": "மாற்று(வரிசைகள்); குறி_மாற்று(நிலவரம்);",
    "a function that reads it": "ப = எடு(); ப[0] = 3; ப = இணை(ப, 1);",
    "a function that fails": "முயல் { வரிசைகள் = உடை(வரிசைகள்); } பிழை(e) { வரிசைகள்[0] = 2; }",
    "a method": "ப_ஒன்று = ப_ஒன்று.நகர்த்து(); ப_ஒன்று.x = 5;",
    "a result": "தீர்வு = சரி(வரிசைகள்); ப = மதிப்பு(தீர்வு); ப[0] = 1; வரிசைகள் = ப;",
    "a block": "மீள்முயற்சி() { வரிசைகள்[0] = 4; வரிசைகள் = இணை(வரிசைகள், 2); }",
    "a body's own variable": "மறைவு = 5;",
}

PROGRAM = """
வடிவம் புள்ளி { x, செயல் நகர்த்து(இது) { திரும்பு புள்ளி{x: இது.x + 1}; } }
செயல் மாற்று(ப) { ப[0] = 8; ப = இணை(ப, 8); ப[1] = ப; திரும்பு ப; }
செயல் குறி_மாற்று(r) { r.x = 8; r["w"] = r; திரும்பு r; }
செயல் எடு() { ப = வரிசைகள்; ப[0] = 5; ப = இணை(ப, 6); திரும்பு வரிசைகள்; }
செயல் உடை(ப) { ப[0] = 1; ப = இணை(ப, 2); திரும்பு 1 / 0; }
முகவர் க(தொடக்கம்) {
    வரிசைகள் = [1, [2, 3]];
    நிலவரம் = {"x": 1, "கீழ்": {"y": [2], "z": [3]}};
    உரைகள் = "அ"; எண்ணி = 1; ப_ஒன்று = புள்ளி{x: 1}; தீர்வு = இன்மை; மறைவு = [1]; மறைவு[0] = 2;
    செய்தி நிலைமை() { திரும்பு [தொடக்கம், வரிசைகள், நிலவரம், உரைகள், எண்ணி, ப_ஒன்று, தீர்வு, மறைவு, எடு()]; }
"""
NAMES = list(CHANGES)
for place, change in enumerate(CHANGES.values()):
    PROGRAM += f"    செய்தி m{place}() {{ {change} }}\n"
    PROGRAM += f'    செய்தி x{place}() {{ {change} பிழை_எழுப்பு("validation", "இல்லை"); }}\n'
PROGRAM += "}\n"


IMAGE = machine_of(PROGRAM)[0].image


class Life:
    """An agent on a machine, run by hand."""

    def __init__(self) -> None:
        self.machine = Machine(IMAGE, Paper(), lambda effect: None)  # it waits before it tries again
        self.machine.run_top()
        self.info = self.machine.image.agents["க"]
        self.machine.run_body(self.info.unit, [0, [0]])

    def send(self, name: str) -> Any:
        return self.machine.run_body(self.info.messages[name].unit)

    def refused(self, name: str) -> None:
        """A message that fails, and is undone."""
        saved = self.machine.save()
        before = copy.deepcopy(saved)
        with pytest.raises(Fault) as caught:
            self.send(name)
        assert caught.value.code in (
            "validation",
            "index.kind",
            "record.kind",
            "value.kind",
            "loop.kind",
            "index.range",
        )
        assert same(saved, before)
        self.machine.restore(saved)


def same(one: Any, other: Any) -> bool:
    """Equal in every part, kinds included; results have no equality of their own."""
    return repr(one) == repr(other)


@pytest.mark.parametrize("change", NAMES)
def test_what_a_failed_message_changed_is_undone(change: str) -> None:
    life = Life()
    before = copy.deepcopy(life.send("நிலைமை"))
    life.refused(f"x{NAMES.index(change)}")
    assert same(life.send("நிலைமை"), before)


@pytest.mark.parametrize("change", NAMES)
def test_a_state_that_is_kept_stays_what_it_was_over_many_messages(change: str) -> None:
    life = Life()
    kept = Template(life.machine)
    before = copy.deepcopy(kept.state)
    for _ in range(2):
        try:
            life.send(f"m{NAMES.index(change)}")
        except Fault:  # what changed the kind of a name lets the second time fail
            continue
    assert same(kept.state, before)
    other = Machine(life.machine.image, Paper(), nothing)
    kept.pour(other)
    fresh = Life()
    assert same(other.run_body(life.info.messages["நிலைமை"].unit), fresh.send("நிலைமை"))


@given(some.lists(some.tuples(some.integers(0, len(NAMES) - 1), some.booleans()), max_size=10))
def test_only_messages_that_succeed_leave_something(messages: list[tuple[int, bool]]) -> None:
    life, calm = Life(), Life()
    for place, fails in messages:
        if fails:
            life.refused(f"x{place}")
            continue
        for one in (life, calm):
            saved = one.machine.save()
            try:
                one.send(f"m{place}")
            except Fault:
                one.machine.restore(saved)
    assert same(life.machine.save(), calm.machine.save())


def test_every_name_of_the_state_is_part_of_what_is_saved_when_anybody_reads_it() -> None:
    life = Life()
    read = {"தொடக்கம்", "வரிசைகள்", "நிலவரம்", "உரைகள்", "எண்ணி", "ப_ஒன்று", "தீர்வு", "மறைவு"}
    assert set(life.info.state) == read
    assert read <= set(life.machine.program.shared)
