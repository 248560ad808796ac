"""The everyday words of EXTENSIONS §10: searching, slicing, mapping, keys, remainders, chance."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from etamil_actors.errors import Fault
from etamil_actors.vm import number, text
from etamil_actors.vm.builtins.collections import key_in
from etamil_actors.vm.builtins.registry import implements, program_function, wrong_kind
from etamil_actors.vm.convert import equal, text_of, truth
from etamil_actors.vm.values import Number, TwoNamed, Value

if TYPE_CHECKING:
    from etamil_actors.vm.machine import Machine


@implements("_contains")
def contains(whole: Value, part: Value) -> bool:
    """Letters in a text, an element in an array, a key in a record."""
    if isinstance(whole, str):
        return text.contains(whole, text_of(part))
    if isinstance(whole, list):
        return any(equal(element, part) for element in whole)
    if isinstance(whole, dict):
        return key_in(whole, text_of(part)) in whole
    raise wrong_kind("உள்ளதா", "உரை, அணி அல்லது பொருள்", "a text, an array or a record", whole)


@implements("_slice")
def part_of(whole: Value, start: Number, end: Number | None = None) -> Value:
    """Letters or elements from one place up to, not including, another; clipped."""
    first = max(0, _place(start))
    last = None if end is None else max(0, _place(end))
    if isinstance(whole, str):
        return text.slice_letters(whole, first, last)
    if isinstance(whole, list):
        return whole[first:last]
    raise wrong_kind("பகுதி", "உரை அல்லது அணி", "a text or an array", whole)


def _place(n: Number) -> int:
    if not number.is_whole(n):
        raise Fault("index.not_whole", index=number.number_text(n))
    return int(n)


implements("_trim")(text.trim)


@implements("_map", calls=True)
def map_elements(array: list[Value], function: Value, depth: int) -> list[Value]:
    """What the function makes of each element."""
    call = program_function(function, 1, "மாற்றியமை")
    return [call(element, depth + 1) for element in array]


@implements("_filter", calls=True)
def filter_elements(array: list[Value], function: Value, depth: int) -> list[Value]:
    """The elements for which the function answers true."""
    call = program_function(function, 1, "வடிகட்டு")
    return [element for element in array if truth(call(element, depth + 1))]


@implements("_reduce", calls=True)
def reduce_elements(array: list[Value], start: Value, function: Value, depth: int) -> Value:
    """Fold from the left: function(so far, element)."""
    call = program_function(function, 2, "திரட்டு")
    so_far = start
    for element in array:
        so_far = call(so_far, element, depth + 1)
    return so_far


@implements("_keys")
def keys(record: dict[str, Value]) -> list[str]:
    """The keys, sorted: the order of a record means nothing."""
    return sorted(record)


@implements("_without")
def without(record: dict[str, Value], key: str) -> dict[str, Value]:
    """The record without a key. It has no shape any more: a field of the shape may be gone."""
    gone = key_in(record, key)
    kept = {name: value for name, value in record.items() if name != gone}
    return TwoNamed(kept, record.names) if isinstance(record, TwoNamed) else kept


implements("_mod")(number.modulo)


# ---- chance -----------------------------------------------------------------------------------


@implements("_uuid", machine=True)
def uuid(machine: Machine) -> str:
    """A new UUID, version 4."""
    octets = bytearray(machine.world.random_bytes(16))
    octets[6] = octets[6] & 0x0F | 0x40
    octets[8] = octets[8] & 0x3F | 0x80
    digits = octets.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


@implements("_random", machine=True)
def random_whole(machine: Machine, first: int, last: int) -> int:
    """A whole number from the first to the last, each as likely."""
    if first > last:
        raise Fault(
            "value.invalid",
            name="சீரற்ற_எண்",
            problem_ta=f"தொடக்கம் {first} முடிவு {last}-ஐ விடப் பெரியது",
            problem_en=f"the first number {first} is greater than the last {last}",
        )
    return first + _below(last - first + 1, machine.world.random_bytes)


def _below(bound: int, random_bytes: Callable[[int], bytes]) -> int:
    """A number from 0 up to, not including, the bound.

    Numbers of as many bits as the bound has are drawn until one is below it: a remainder would
    favour the small ones. Every second draw succeeds at least.
    """
    bits = (bound - 1).bit_length()
    octets = (bits + 7) // 8
    while True:
        drawn = int.from_bytes(random_bytes(octets), "big") >> (octets * 8 - bits)
        if drawn < bound:
            return drawn
