"""The simulated board and the host (REFERENCE §28)."""

from __future__ import annotations

from typing import Any

import pytest

from etamil_actors.errors import Fault
from etamil_actors.vm.effects import Sleep
from etamil_actors.vm.values import Err, Ok


def fails(code: str) -> Any:
    """An error with this code is raised inside."""
    return pytest.raises(Fault, check=lambda fault: fault.code == code)


@pytest.fixture
def sim(make_machine: Any) -> Any:
    return make_machine(environment={"ETAMIL_BOARD": "sim"})


def value(answer: object) -> object:
    assert isinstance(answer, Ok), answer
    return answer.value


def test_which_board(sim: Any, make_machine: Any) -> None:
    assert sim.call("வன்_பலகை") == "sim"
    assert make_machine().call("வன்_பலகை") == "host"
    assert make_machine(environment={"ETAMIL_BOARD": "pi"}).call("வன்_பலகை") == "host"


def test_an_output_reads_what_was_written(sim: Any) -> None:
    assert value(sim.call("வன்_முனை_வகை", 13, "out")) is None
    assert value(sim.call("வன்_முனை_படி", 13)) == 0
    assert value(sim.call("வன்_முனை_எழுது", 13, -7)) is None
    assert value(sim.call("வன்_முனை_படி", 13)) == 1
    sim.call("வன்_முனை_வகை", 13, "out")
    assert value(sim.call("வன்_முனை_படி", 13)) == 0


def test_an_input_reads_what_was_set(sim: Any) -> None:
    sim.call("வன்_முனை_வகை", 1, "in")
    sim.call("வன்_முனை_வகை", 2, "in_pullup")
    assert [value(sim.call("வன்_முனை_படி", pin)) for pin in (1, 2)] == [0, 1]
    value(sim.call("போலி_முனை_அமை", 1, 5))
    value(sim.call("போலி_முனை_அமை", 2, 0))
    assert [value(sim.call("வன்_முனை_படி", pin)) for pin in (1, 2)] == [1, 0]


@pytest.mark.parametrize(
    ("word", "arguments"),
    [
        ("வன்_முனை_வகை", (1, "sideways")),
        ("வன்_முனை_எழுது", (1, 1)),
        ("வன்_முனை_எழுது", (2, 1)),
        ("வன்_முனை_படி", (1,)),
        ("போலி_ஒப்புமை_அமை", (1, 1024)),
        ("போலி_ஒப்புமை_அமை", (1, -1)),
        ("போலி_நேரம்_நகர்", (-1,)),
        ("வன்_தொடர்_திற", ("/dev/ttyUSB0", 9600)),
        ("வன்_தொடர்_திற", ("", 9600)),
        ("வன்_தொடர்_படி", (1, 10)),
        ("வன்_தொடர்_எழுது", (0, "x")),
        ("வன்_தொடர்_மூடு", (-1,)),
    ],
)
def test_failures_on_the_simulated_board(sim: Any, word: str, arguments: tuple[object, ...]) -> None:
    sim.call("வன்_முனை_வகை", 2, "in")
    answer = sim.call(word, *arguments)
    assert isinstance(answer, Err)
    assert "  (" in answer.value


def test_analogue_pins(sim: Any) -> None:
    assert value(sim.call("வன்_ஒப்புமை_படி", 3)) == 0
    value(sim.call("போலி_ஒப்புமை_அமை", 3, 1023))
    assert value(sim.call("வன்_ஒப்புமை_படி", 3)) == 1023


def test_the_simulated_clock(sim: Any) -> None:
    assert sim.call("வன்_மில்லி") == 0
    assert value(sim.call("வன்_காத்திரு", 250)) is None
    value(sim.call("போலி_நேரம்_நகர்", 1000))
    sim.call("வன்_காத்திரு", -5)
    assert sim.call("வன்_மில்லி") == 1250
    assert sim.performed == []


def test_serial_ports(sim: Any) -> None:
    assert value(sim.call("வன்_தொடர்_திற", "sim:gps", 9600)) == 1
    assert value(sim.call("வன்_தொடர்_திற", "7", 9600)) == 2
    assert value(sim.call("வன்_தொடர்_படி", 1, 50)) is None
    assert sim.call("வன்_மில்லி") == 50
    value(sim.call("போலி_வரி_ஊட்டு", "sim:gps", "வரி 1\r\nவரி 2\n"))
    value(sim.call("போலி_வரி_ஊட்டு", "sim:gps", "வரி 3"))
    assert [value(sim.call("வன்_தொடர்_படி", 1, 50)) for _ in range(4)] == ["வரி 1", "வரி 2", "வரி 3", None]
    assert value(sim.call("வன்_தொடர்_எழுது", 2, "அ\nஆ")) == 7
    assert sim.call("போலி_வரி_வெளியீடு", "7") == ["அ"]
    sim.call("வன்_தொடர்_எழுது", 2, "இ\r\n\n")
    assert sim.call("போலி_வரி_வெளியீடு", "7") == ["ஆஇ", ""]
    assert sim.call("போலி_வரி_வெளியீடு", "7") == []
    assert value(sim.call("வன்_தொடர்_மூடு", 2)) is None
    assert isinstance(sim.call("வன்_தொடர்_எழுது", 2, "x"), Err)
    assert value(sim.call("வன்_தொடர்_திற", "7", 9600)) == 3


def test_tones_and_watchdog_do_nothing(sim: Any) -> None:
    for word, arguments in (
        ("வன்_ஒலி", (8, 440)), ("வன்_ஒலி_நிறுத்து", (8,)), ("வன்_காவல்", (1000,)), ("வன்_காவல்_புதுப்பி", ()),
    ):  # fmt: skip
        assert value(sim.call(word, *arguments)) is None


@pytest.mark.parametrize(
    ("word", "arguments"),
    [
        ("வன்_முனை_வகை", (1, "out")), ("வன்_முனை_எழுது", (1, 1)), ("வன்_முனை_படி", (1,)),
        ("வன்_ஒப்புமை_படி", (1,)), ("வன்_ஒலி", (1, 440)), ("வன்_ஒலி_நிறுத்து", (1,)),
        ("வன்_தொடர்_திற", ("sim:x", 9600)), ("வன்_தொடர்_படி", (1, 5)), ("வன்_தொடர்_எழுது", (1, "x")),
        ("வன்_தொடர்_மூடு", (1,)), ("போலி_முனை_அமை", (1, 1)), ("போலி_ஒப்புமை_அமை", (1, 1)),
        ("போலி_நேரம்_நகர்", (1,)), ("போலி_வரி_ஊட்டு", ("sim:x", "y")),
    ],
)  # fmt: skip
def test_a_host_has_no_pins(machine: Any, word: str, arguments: tuple[object, ...]) -> None:
    assert isinstance(machine.call(word, *arguments), Err)


def test_a_host_has_time(machine: Any) -> None:
    assert machine.call("வன்_மில்லி") == 0
    assert value(machine.call("வன்_காத்திரு", 1500)) is None
    assert isinstance(machine.performed[0], Sleep)
    assert machine.call("வன்_மில்லி") == 1500
    assert value(machine.call("வன்_காவல்", 1)) is None
    with fails("not_here"):
        machine.call("போலி_வரி_வெளியீடு", "sim:x")


def test_pins_must_be_whole_numbers(sim: Any) -> None:
    for wrong in ("1", None, True):
        with fails("value.kind"):
            sim.call("வன்_முனை_படி", wrong)
