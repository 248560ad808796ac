"""Values as bytes and back: nothing is lost, and what means nothing elsewhere is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etamil_actors.errors import Fault
from etamil_actors.vm import packing
from etamil_actors.vm.machine import Machine
from etamil_actors.vm.packing import MachineMeanings, Meanings, fingerprint_of, packed, unpacked
from etamil_actors.vm.values import (
    UNSET,
    Err,
    FieldInfo,
    Handle,
    Ok,
    Shaped,
    ShapeInfo,
    TwoNamed,
)

from . import test_machine

USER = ShapeInfo("பயனர்", {name: FieldInfo(name, "", "", False) for name in ("id", "பெயர்")})
NAMES = {"குறி": "code", "செய்தி": "message"}


class Named(Handle):
    """A handle that can be found elsewhere, or not."""

    kind = "a channel"

    def __init__(self, name: str | None) -> None:
        self.global_name = ("channel", name) if name is not None else None


class Known(Meanings):
    """Knows one shape and every channel."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def shape(self, name: str) -> ShapeInfo | None:
        return USER if name == USER.name else None

    def handle(self, kind: str, name: str) -> Any:
        self.asked.append((kind, name))
        return None if name == "gone" else CHANNEL


CHANNEL = Named("ஆணைகள்")

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**96), 2**96)
    | texts
    | st.decimals(allow_nan=False, allow_infinity=False, places=3).map(lambda number: +number)
    | st.sampled_from([Decimal("0.00"), Decimal("1.50"), Decimal("-0.000000000000000000000000001"), 2**63, -(2**63)])
)


def containers(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    records = st.dictionaries(texts, parts, max_size=4)
    return (
        st.lists(parts, max_size=4)
        | records
        | records.map(lambda fields: Shaped(fields, USER))
        | records.map(lambda fields: TwoNamed(fields, NAMES))
        | parts.map(Ok)
        | parts.map(Err)
    )


values = st.recursive(scalars, containers, max_leaves=30)


def same(a: Any, b: Any) -> bool:
    """Alike to the last detail: kinds, scales, the order of fields, shapes, second names."""
    if type(a) is not type(b):
        return False
    match a:
        case Decimal():
            return a.as_tuple() == b.as_tuple()
        case list():
            return len(a) == len(b) and all(map(same, a, b))
        case dict():
            return (
                list(a) == list(b)
                and all(map(same, a.values(), b.values()))
                and (not isinstance(a, Shaped) or a.shape is b.shape)
                and (not isinstance(a, TwoNamed) or a.names == b.names)
            )
        case Ok() | Err():
            return same(a.value, b.value)
    return bool(a == b)


@given(values)
def test_nothing_is_lost(value: Any) -> None:
    assert same(unpacked(packed(value), Known()), value)


@given(st.binary(max_size=60))
def test_whatever_the_bytes_are_there_is_a_value_or_a_fault(data: bytes) -> None:
    for kind in (b"p", b"f", b""):
        try:
            unpacked(kind + data)
        except Fault as fault:
            assert fault.code == "validation"


@pytest.mark.parametrize("data", [b"f\x91\xd6\x001.Z0", b"p" + b"\x91" * 200_000 + b"\x01"])
def test_damaged_decimals_and_bottomless_arrays_are_no_values(data: bytes) -> None:
    with pytest.raises(Fault, match="the kept value cannot be read"):
        unpacked(data)


@given(values, st.data())
def test_bytes_that_were_cut_are_refused(value: Any, data: st.DataObject) -> None:
    whole = packed(value)
    part = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises(Fault, match="the kept value cannot be read"):
        unpacked(part, Known())


@pytest.mark.parametrize("value", ["a", 7, None, True, [1, "b", [None]], {"அ": 1, "b": [2, {}]}])
def test_plain_values_are_messagepack_as_they_are(value: Any) -> None:
    import msgspec

    assert msgspec.msgpack.decode(packed(value)[1:]) == value


def test_no_depth_is_too_deep() -> None:
    value: Any = "கீழே"
    for _ in range(100_000):
        value = [value]
    value = unpacked(packed(value))
    for _ in range(100_000):
        (value,) = value
    assert value == "கீழே"


def test_a_name_without_a_value_stays_one() -> None:
    assert unpacked(packed([UNSET, None])) == [UNSET, None]


def test_a_value_that_grows_by_sharing_is_refused_before_it_fills_the_memory() -> None:
    value: Any = [1]
    for _ in range(60):
        value = [value, value]
    with pytest.raises(Fault, match="too large to be sent") as caught:
        packed(value)
    assert caught.value.code == "validation"


def test_a_text_that_is_too_long_is_refused() -> None:
    with pytest.raises(Fault, match="too large to be sent"):
        packed("a" * packing.MOST_BYTES)


# ── names ────────────────────────────────────────────────────────────────────────────────────────


def test_a_record_of_a_shape_that_is_not_known_becomes_a_plain_one() -> None:
    other = ShapeInfo("வேறு", {})
    read = unpacked(packed(Shaped({"a": 1}, other)), Known())
    assert type(read) is dict and read == {"a": 1}


def test_without_a_program_a_record_remembers_the_name_of_its_shape() -> None:
    read = unpacked(packed(Shaped({"a": 1}, USER)))
    assert isinstance(read, Shaped) and read.shape.name == "பயனர்"


def test_a_handle_with_a_name_goes_by_its_name() -> None:
    known = Known()
    read = unpacked(packed({"விடை": CHANNEL}), known)
    assert read["விடை"] is CHANNEL
    assert known.asked == [("channel", "ஆணைகள்")]


def test_a_handle_that_is_not_found_is_refused() -> None:
    with pytest.raises(Fault, match="there is no handle ‘gone’ here"):
        unpacked(packed([Named("gone")]), Known())


@pytest.mark.parametrize("value", [Named(None), [Named(None)], {"a": Ok(Named(None))}])
def test_a_handle_without_a_name_cannot_leave(value: Any) -> None:
    with pytest.raises(Fault, match="a channel cannot leave this process") as caught:
        packed(value)
    assert caught.value.code == "value.local"


# ── functions ────────────────────────────────────────────────────────────────────────────────────

PROGRAM = """
வடிவம் பயனர் { id, பெயர் }
செயல் இரட்டி(n) { திரும்பு n * 2; }
செயல் கூட்டி(m) { திரும்பு செயல்(n) { திரும்பு n + m; }; }
"""


def machine_of(text: str) -> Machine:
    machine, _ = test_machine.machine_of(text)
    machine.run_top()
    return machine


def test_a_named_function_goes_by_its_name() -> None:
    here, there = machine_of(PROGRAM), machine_of(PROGRAM + "செயல் புதிய() { திரும்பு 1; }")
    data = packed([here.functions["இரட்டி"]])
    (function,) = unpacked(data, MachineMeanings(there))
    assert function.home is there
    assert there.call(function, 21) == 42


def test_a_function_that_the_program_does_not_have_is_refused() -> None:
    data = packed(machine_of(PROGRAM).functions["இரட்டி"])
    for text in ("", "செயல் இரட்டி(a, b) { திரும்பு 1; }"):
        with pytest.raises(Fault, match="there is no function ‘இரட்டி’ here"):
            unpacked(data, MachineMeanings(machine_of(text)))


def test_a_lambda_takes_along_what_it_captured() -> None:
    here, there = machine_of(PROGRAM), machine_of(PROGRAM)
    data = packed({"f": here.call(here.functions["கூட்டி"], Decimal("0.50"))})
    function = unpacked(data, MachineMeanings(there))["f"]
    assert function.captured == (Decimal("0.50"),)
    assert there.call(function, 1) == Decimal("1.50")


def test_a_lambda_of_another_version_of_the_program_is_refused() -> None:
    here = machine_of(PROGRAM)
    data = packed(here.call(here.functions["கூட்டி"], 1))
    with pytest.raises(Fault, match="another version of the program") as caught:
        unpacked(data, MachineMeanings(machine_of(PROGRAM.replace("n + m", "n - m"))))
    assert caught.value.code == "validation"
    with pytest.raises(Fault, match="another version"):
        unpacked(data)


def test_a_lambda_that_captured_something_of_this_process_cannot_leave() -> None:
    here = machine_of(PROGRAM)
    with pytest.raises(Fault, match="a channel cannot leave this process"):
        packed(here.call(here.functions["கூட்டி"], Named(None)))


def test_a_builtin_goes_by_its_name() -> None:
    here, there = machine_of("x = நீளம்;"), machine_of("")
    builtin = here.builtin_value("_length")
    assert unpacked(packed(builtin), MachineMeanings(there)).home is there


def test_a_shape_is_that_of_the_program_that_reads() -> None:
    here, there = machine_of(PROGRAM), machine_of(PROGRAM)
    user = Shaped({"id": 1, "பெயர்": "அ"}, here.image.shapes["பயனர்"])
    assert unpacked(packed(user), MachineMeanings(there)).shape is there.image.shapes["பயனர்"]


def test_comments_do_not_make_another_version() -> None:
    first, second, third = (
        fingerprint_of(machine_of(text).program)
        for text in (PROGRAM, "// ஒரு குறிப்பு\n\n" + PROGRAM, PROGRAM + "அச்சு 1;")
    )
    assert first == second != third


def test_the_fingerprint_is_the_same_in_every_process() -> None:
    code = (
        "from tests.vm.test_packing import PROGRAM, machine_of\n"
        "from etamil_actors.vm.packing import fingerprint_of\n"
        "print(fingerprint_of(machine_of(PROGRAM).program).hex())"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=Path(__file__).resolve().parents[2],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    ]
    assert said[0] == said[1] == fingerprint_of(machine_of(PROGRAM).program).hex().encode()
