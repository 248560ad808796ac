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


def test_what_was_right_once_is_looked_at_again_where_its_types_do_not_decide() -> None:
    line = ShapeInfo("வரி", {
        "பெயர்": FieldInfo("பெயர்", "Text", "", False),
        "குறிப்பு": FieldInfo("குறிப்பு", "Text", "", True),
    })  # fmt: skip
    order = ShapeInfo("ஆணை", {
        "எண்": FieldInfo("எண்", "Number", "", False),
        "வரிகள்": FieldInfo("வரிகள்", "Array", "", False, FieldInfo("", "Shape", "வரி", False)),
    })  # fmt: skip
    shapes, wanted = {"வரி": line, "ஆணை": order}, FieldInfo("", "Shape", "ஆணை", False)

    def right(note: str | None) -> dict[str, Any]:
        return {"எண்": 1, "வரிகள்": [{"பெயர்": "அ", "குறிப்பு": note}]}

    for note in ("ஆ", None, "ஆ", None):
        made: Any = entered(wanted, right(note), shapes)
        assert made == right(note)
        assert (made.shape, made["வரிகள்"][0].shape) == (order, line)
    for wrong, ways in (
        ({"எண்": 1, "வரிகள்": [{"பெயர்": None, "குறிப்பு": None}]}, ["வரிகள்[0].பெயர்"]),
        ({"எண்": 1, "வரிகள்": [{"பெயர்": "அ", "குறிப்பு": True}]}, ["வரிகள்[0].குறிப்பு"]),
        ({"எண்": 1, "வரிகள்": [1]}, ["வரிகள்[0]"]),
        ({"எண்": 1, "வரிகள்": [{"பெயர்": "அ", "வேறு": "ஆ"}]}, ["வரிகள்[0].வேறு"]),
        ({"எண்": True, "வரிகள்": []}, ["எண்"]),
        ({"எண்": 1}, ["வரிகள்"]),
    ):
        with pytest.raises(Fault) as raised:
            entered(wanted, wrong, shapes)
        assert list(raised.value.details["fields"]) == ways
    turned: Any = entered(wanted, {"வரிகள்": [], "எண்": 2}, shapes)
    assert list(turned) == ["எண்", "வரிகள்"]
