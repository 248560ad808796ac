"""The shell's evaluator: what lives on from input to input."""

from __future__ import annotations

import pytest

from etamil_actors.resources.system import (
    SimulatedClock,
    SimulatedConsole,
    SimulatedEnvironment,
    SimulatedFiles,
    SimulatedPrograms,
    SimulatedRandom,
)
from etamil_actors.script import ScriptWorld
from etamil_actors.session import Session
from etamil_actors.vm.convert import text_of


@pytest.fixture
def session() -> Session:
    files = SimulatedFiles({"நூல்.qmz": "செயல் இரட்டி(x) { திரும்பு x * 2; }\nவீதம் = 5;"})
    world = ScriptWorld(
        SimulatedConsole(),
        files,
        SimulatedClock(),
        SimulatedRandom(),
        SimulatedEnvironment(),
        SimulatedPrograms(),
    )
    return Session(world)


@pytest.mark.parametrize(
    ("inputs", "answer"),
    [
        (["x = 5;", "x + 1"], "6"),
        (["x = 5;", "x;", "x"], "0"),
        (["செயல் f(a) { திரும்பு a + b; }", "b = 1;", "b = 2;", "f(5)"], "7"),
        (["செயல் f() { திரும்பு 1; }", "செயல் f() { திரும்பு 2; }", "f()"], "2"),
        (["செயல் f(a) { திரும்பு a; }", "f = 3;", "f"], "3"),
        (["செயல் h() { திரும்பு 1; }", "h = செயல்() { திரும்பு 2; };", "h()"], "2"),
        (["x = 1;", "k = செயல்() { திரும்பு x; };", "x = 2;", "k()"], "2"),
        (["k = செயல்(n) { திரும்பு n + b; };", "b = 5;", "k(1)"], "6"),
        (["k = செயல்(n) { திரும்பு g(n); };", "g = செயல்(n) { திரும்பு n * 3; };", "k(2)"], "6"),
        (["வடிவம் ப { எண் x }", "a = ப{x: 1};", "a.x = 4;", "a"], "ப{x: 4}"),
        (['இறக்கு "நூல்.qmz";', "இரட்டி(வீதம்)"], "10"),
        (["1 / 0", "x = 2;", "x"], "2"),
    ],
)
def test_names_live_on(session: Session, inputs: list[str], answer: str) -> None:
    for text in inputs:
        outcome = session.evaluate(text)
    assert outcome.fault is None
    assert outcome.has_value
    assert text_of(outcome.value) == answer


def test_an_error_is_shown_and_the_session_goes_on(session: Session) -> None:
    assert "E0201" in session.evaluate("x = = 1;").errors
    assert "number.division_by_zero" in session.evaluate("x = 1; y = 1 / 0; x = 3;").errors
    assert session.names() == {"x": 1}
