"""Words of containers: the parts of a program under names, made when they are first wanted (EXTENSIONS §10).

A part that is a function is called by the first who asks for it, and what it answers is the part from then
on. Whoever asks meanwhile waits for it; a ring of parts that need each other is noticed as a deadlock. An
error goes to all who wait and is not kept: the next one who asks tries again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from unicodedata import normalize

from etamil_actors.actors.caches.flights import Flight
from etamil_actors.actors.programs.tasks import told
from etamil_actors.actors.programs.words import expect, tamil_of, word
from etamil_actors.errors import Fault
from etamil_actors.vm.builtins.registry import wrong_kind
from etamil_actors.vm.convert import text_of
from etamil_actors.vm.traces import fault_of
from etamil_actors.vm.values import BuiltinFunction, Function, Handle, Value

if TYPE_CHECKING:
    from etamil_actors.actors.programs.activity import Activity
    from etamil_actors.vm.machine import Machine


class Container(Handle):
    """See the top of the file."""

    __slots__ = ("flights", "made", "parts")

    kind = "a container"

    def __init__(self, parts: dict[str, Value]) -> None:
        self.parts = parts
        """By name, as the program gave them."""
        self.made: dict[str, Value] = {}
        """What functions among them have answered."""
        self.flights: dict[str, Flight] = {}
        """By name: what is being made now."""

    @property
    def text(self) -> str:
        return "<முன்பதிகம்>"


@word("_container")
def make_container(activity: Activity, parts: Value = None) -> Value:
    """முன்பதிகம்_உருவாக்கு."""
    if parts is not None and not isinstance(parts, dict):
        raise wrong_kind(tamil_of("_container"), "பகுதிகளின் பொருள்", "a record of parts", parts)
    return Container({normalize("NFC", name): part for name, part in (parts or {}).items()})


@word("_resolve")
def resolve(activity: Activity, target: Value, name: Value) -> Value:
    """முன்பதிகம்_பெறு."""
    container = expect(Container, target, "_resolve", "ஒரு முன்பதிகம்", "a container")
    key = normalize("NFC", text_of(name))
    machine = activity.machine
    assert machine is not None
    if key not in container.parts:
        raise Fault(
            "not_found",
            tamil=f"முன்பதிகத்தில் ‘{key}’ என்ற பகுதி இல்லை",
            english=f"the container has no part ‘{key}’",
        )
    part = container.parts[key]
    if isinstance(part, Function | BuiltinFunction):
        part = container.made[key] if key in container.made else _made(activity, container, key)
    return machine.adopt(part)


def _for_others(problem: Exception, machine: Machine) -> Fault:
    """The error as those get it who wait. The trace of its own is not written yet: it goes further out."""
    whole = problem.trace if isinstance(problem, Fault) else ()
    fault = fault_of(problem, machine.program.files, machine.depth)
    copy = told(fault, machine)
    if fault is problem:
        fault.trace = whole
    return copy


def _made(activity: Activity, container: Container, key: str) -> Value:
    flight = container.flights.get(key)
    if flight is None:
        flight = container.flights[key] = Flight(f"முன்பதிகம்: {key}")
    if not flight.try_acquire(activity) and not activity.wait(flight.join(activity)):
        if flight.fault is not None:
            assert activity.machine is not None
            raise told(flight.fault, activity.machine)
        return flight.value
    return _make(activity, container, key, flight)


def _make(activity: Activity, container: Container, key: str, flight: Flight) -> Value:
    """It is this activity's turn. Whatever happens, whoever waits goes on."""
    machine = activity.machine
    assert machine is not None
    try:
        part = machine.call_value(machine.adopt(container.parts[key]), (), 1, key)
    except Exception as problem:
        del container.flights[key]
        flight.land(activity, None, _for_others(problem, machine))
        raise
    except BaseException:  # ended from outside: the next who waits shall try
        if not flight.waiting:
            del container.flights[key]
        flight.release(activity)
        raise
    container.made[key] = part
    del container.flights[key]
    flight.land(activity, part)
    return part
