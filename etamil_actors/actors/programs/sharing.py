"""Words of what activities share: locks, atomic cells, and values registered by name (EXTENSIONS §7, §10)."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any
from unicodedata import normalize

from etamil_actors.actors.cells import Cell
from etamil_actors.actors.locks import Lock, permits_of
from etamil_actors.actors.programs.words import block, expect, word
from etamil_actors.errors import Fault
from etamil_actors.vm.blocks import Turn, Word
from etamil_actors.vm.convert import text_of
from etamil_actors.vm.options import name_and_options, read_options, seconds_of
from etamil_actors.vm.values import Value

if TYPE_CHECKING:
    from etamil_actors.actors.programs.activity import Activity

# ---- locks ----------------------------------------------------------------------------


@word("_lock")
def make_lock(activity: Activity, *arguments: Value) -> Value:
    """பூட்டு_உருவாக்கு([name] [, options])."""
    name, given = name_and_options("_lock", arguments)
    permits = permits_of(given["permits"]) if "permits" in given else 1
    if name is None:
        return Lock(activity.service.next_place("பூட்டு"), permits)
    return activity.service.system.locks.named(name, permits)


@block("_withLock")
def with_lock(activity: Activity, target: Value, options: Value = None) -> Any:
    """பூட்டு_பிடி."""
    lock = expect(Lock, target, "_withLock", "ஒரு பூட்டு", "a lock")
    seconds = float("inf")
    if options is not None:
        seconds = seconds_of(read_options(options, "_withLock"), "timeout", "_withLock", seconds)
    if lock.try_acquire(activity):
        return Held(activity, lock)
    return _acquire(activity, lock, seconds)


async def _acquire(activity: Activity, lock: Lock, seconds: float) -> Word:
    await lock.acquire(activity, seconds)
    return Held(activity, lock)


class Held(Word):
    """A block for whose length a lock is held."""

    def __init__(self, activity: Activity, lock: Lock) -> None:
        super().__init__()
        self.activity = activity
        self.lock = lock

    def __iter__(self) -> Iterator[Turn]:
        yield HeldTurn(self)


class HeldTurn(Turn):
    """The one run of the block."""

    __slots__ = ()

    word: Held

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self.word.lock.release(self.word.activity)
        return self.word.ended(self, problem)


# ---- cells ----------------------------------------------------------------------------


@word("_atomic")
def make_cell(activity: Activity, value: Value) -> Value:
    """அணு_உருவாக்கு."""
    return Cell(value)


def a_cell(value: Value, key: str) -> Cell:
    """This value, which must be a cell."""
    return expect(Cell, value, key, "ஓர் அணுக்கலம்", "an atomic cell")


@word("_atomicGet")
def read_cell(activity: Activity, target: Value) -> Value:
    """அணு_படி."""
    assert activity.machine is not None
    return activity.machine.adopt(a_cell(target, "_atomicGet").get())


@word("_atomicSet")
def set_cell(activity: Activity, target: Value, value: Value) -> None:
    """அணு_இடு."""
    a_cell(target, "_atomicSet").set(value)


@word("_atomicAdd")
def add_to_cell(activity: Activity, target: Value, amount: Value) -> Value:
    """அணு_கூட்டு."""
    return a_cell(target, "_atomicAdd").add(amount)


@word("_atomicSwap")
def swap_cell(activity: Activity, target: Value, old: Value, new: Value) -> Value:
    """அணு_ஒப்பிட்டு_இடு."""
    return a_cell(target, "_atomicSwap").swap(old, new)


# ---- values by name -------------------------------------------------------------------


@word("_register")
def register(activity: Activity, name: Value, value: Value) -> None:
    """சேவை_பதிவு."""
    activity.service.system.values[normalize("NFC", text_of(name))] = value


@word("_service")
def registered(activity: Activity, name: Value) -> Value:
    """சேவை_பெறு."""
    values, key = activity.service.system.values, normalize("NFC", text_of(name))
    if key not in values:
        raise Fault(
            "not_found",
            tamil=f"‘{key}’ என்ற பெயரில் எதுவும் பதிவு செய்யப்படவில்லை",
            english=f"nothing is registered as ‘{key}’",
        )
    assert activity.machine is not None
    return activity.machine.adopt(values[key])
