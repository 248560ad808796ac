"""Data at the border of a program: what is too deep or wrong in too many places is refused with measure."""

from __future__ import annotations

from typing import Any

import pytest

from etamil_actors.errors import Fault
from etamil_actors.vm.entering import entered
from etamil_actors.vm.values import FieldInfo, ShapeInfo


def test_what_is_nested_too_deeply_is_refused() -> None:
    shapes = {"மரம்": ShapeInfo("மரம்", {"கிளை": FieldInfo("கிளை", "Shape", "மரம்", True)})}
    value: Any = None
    for _ in range(50_000):
        value = {"கிளை": value}
    with pytest.raises(Fault, match="the value is nested too deeply"):
        entered(FieldInfo("வேர்", "Shape", "மரம்", False), value, shapes)
    while value is not None:  # deep values are taken apart by hand
        value = value["கிளை"]


def test_of_very_many_misfits_the_first_hundred_are_told() -> None:
    numbers = FieldInfo("எண்கள்", "Array", "", False, FieldInfo("", "Number", "", False))
    with pytest.raises(Fault) as raised:
        entered(numbers, ["அ"] * 10_000, {})
    fields = raised.value.details["fields"]
    assert (len(fields), next(iter(fields))) == (100, "எண்கள்[0]")
