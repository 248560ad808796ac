"""Collections, results, numbers, text and the everyday words, called as compiled code calls them."""

from __future__ import annotations

import inspect
import itertools
import time
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from etamil_actors.errors import BudgetSpent, Fault
from etamil_actors.language.builtins import BUILTIN_OF, BUILTINS, Builtin
from etamil_actors.vm import limits
from etamil_actors.vm.builtins import registry
from etamil_actors.vm.convert import equal, text_of
from etamil_actors.vm.values import Err, Function, Handle, Ok, Shaped, ShapeInfo, TwoNamed, Value

MOST = 79228162514264337593543950335
POINT = ShapeInfo("புள்ளி", {})
RESPONSE = TwoNamed({"status": 200}, {"நிலை": "status", "உடலுரை": "body"})


class World:
    """Chance that counts: bytes 0, 1, 2 …"""

    def __init__(self) -> None:
        self.drawn = itertools.count()

    def random_bytes(self, count: int) -> bytes:
        return bytes(next(self.drawn) % 256 for _ in range(count))


class Machine:
    def __init__(self) -> None:
        self.world = World()


def call(name: str, *arguments: Value, machine: Any = None) -> Value:
    """Call a builtin by any spelling, as a function value of a program is called."""
    builtin = BUILTIN_OF[name]
    assert builtin.least <= len(arguments)
    assert builtin.most < 0 or len(arguments) <= builtin.most
    return registry.function_value(builtin.english, machine or Machine()).call(*arguments, 1)


def function(arity: int, made_of: Any, name: str = "f") -> Function:
    """A function of a program that checks what it is called with."""

    def called(*arguments: Value) -> Value:
        *given, depth = arguments
        assert len(given) == arity
        assert depth == 2, "one deeper than the builtin"
        return made_of(*given)

    return Function(called, name, arity, 1)


def assert_same(found: Value, expected: Value) -> None:
    """Equal as values of a program, and to the scale of each number."""
    assert equal(found, expected), (found, expected)
    assert repr(found) == repr(expected)


def failure(name: str, *arguments: Value) -> Fault:
    with pytest.raises(Fault) as caught:
        call(name, *arguments)
    return caught.value


# ---- every builtin ------------------------------------------------------------------------------


@pytest.mark.parametrize("builtin", BUILTINS, ids=lambda builtin: builtin.english)
def test_every_builtin_has_a_function_that_takes_its_arguments(builtin: Builtin) -> None:
    registry.link(builtin.english, Machine())
    implementation = registry._IMPLEMENTATIONS[builtin.english]
    signature = inspect.signature(implementation.function)
    most = builtin.least + 3 if builtin.most < 0 else builtin.most
    for count in range(builtin.least, most + 1):
        signature.bind(*[None] * (count + implementation.machine + implementation.calls))


AWKWARD: list[Value] = [
    None, True, False, 0, -1, 5, MOST, -MOST, Decimal("0.5"), Decimal("-0.0000000000000000000000000001"),
    "", "12", "கா", "\0", "9" * 50, [], [1, "2", None], [[]], {}, {"a": 1},
    Shaped({"x": 1}, POINT), RESPONSE, Ok(1), Err("x"),
    Function(lambda *_: None, "f", 1, 1), Handle(),
]  # fmt: skip
CORE = [b for b in BUILTINS if b.group in ("collections", "results", "numbers", "text", "everyday")]


@pytest.mark.parametrize("builtin", CORE, ids=lambda builtin: builtin.english)
def test_no_argument_whatever_makes_anything_but_a_value_or_a_fault(builtin: Builtin) -> None:
    kept = [text_of(value) for value in AWKWARD]
    linked = registry.function_value(builtin.english, Machine())
    for count in range(builtin.least, builtin.most + 1):
        for arguments in itertools.product(AWKWARD, repeat=count):
            try:
                text_of(linked.call(*arguments, 1))
            except Fault as fault:
                assert fault.message
    assert [text_of(value) for value in AWKWARD] == kept, "a builtin changed what it was given"


# ---- collections --------------------------------------------------------------------------------


def test_length_counts_elements_fields_and_letters() -> None:
    assert call("நீளம்", [1, [2, 3]]) == 2
    assert call("nILam", {"a": 1}) == 1
    assert call("_length", "வணக்கம்") == 5
    assert failure("நீளம்", 5).message == (
        "‘நீளம்’: அணி, பொருள் அல்லது உரை தேவை; எண் கிடைத்தது  "
        "(‘நீளம்’ wants an array, a record or a text, not a number)"
    )


def test_appending_leaves_the_array_alone() -> None:
    array = [1]
    assert call("இணை", array, [2]) == [1, [2]]
    assert array == [1]
    assert failure("இணை", "உரை", 1).code == "value.kind"


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        ([], []),
        ([3, Decimal("1.5"), -2, Decimal("1.50"), 1], [-2, 1, Decimal("1.5"), Decimal("1.50"), 3]),
        (["b", "அ", "B", "a"], ["B", "a", "b", "அ"]),
        # One element that is no number, and all go by their text.
        ([10, 9, "1"], ["1", 10, 9]),
        ([True, 10, None, [2]], [10, [2], None, True]),
        ([Ok(1), Err(2)], [Ok(1), Err(2)]),
    ],
)
def test_sorting(array: list[Value], expected: list[Value]) -> None:
    assert_same(call("வரிசையாக்கு", array), expected)


def test_sorting_by_a_field_is_stable_both_ways() -> None:
    rows = [
        {"n": 2, "k": 1},
        {"n": "10", "k": 2},
        {"k": 3},
        7,
        {"n": Decimal("2.0"), "k": 5},
        {"n": -1, "k": 6},
    ]
    order = [rows[place] for place in (5, 2, 3, 0, 4, 1)]
    assert call("புலத்தால்_வரிசையாக்கு", rows, "n", False) == order
    assert call("_sortByField", rows, "n", "மெய்") == [rows[place] for place in (1, 0, 4, 2, 3, 5)]
    same = [{"n": n, "k": k} for k, n in enumerate([2, 1, 2, 1])]
    assert [row["k"] for row in call("_sortByField", same, "n", True)] == [0, 2, 1, 3]
    assert [row["k"] for row in call("_sortByField", same, "n", False)] == [1, 3, 0, 2]
    assert call("_sortByField", [{"status": 5}, RESPONSE], "நிலை", True) == [RESPONSE, {"status": 5}]


def test_fields_are_asked_for() -> None:
    record = {"பெயர்": "மலர்", "5": None}
    assert call("புலம்_உள்ளதா", record, "பெயர்") is True
    assert call("புலம்_உள்ளதா", record, 5) is True
    assert call("புலம்_உள்ளதா", record, "வயது") is False
    assert call("புலம்_அல்லது", record, "பெயர்", 0) == "மலர்"
    assert call("புலம்_அல்லது", record, 5, 0) is None
    assert call("புலம்_அல்லது", record, "வயது", 0) == 0
    assert call("புலம்_உள்ளதா", RESPONSE, "நிலை") is True
    assert call("புலம்_உள்ளதா", RESPONSE, "உடலுரை") is False
    assert call("புலம்_அல்லது", RESPONSE, "நிலை", 0) == 200
    assert failure("புலம்_உள்ளதா", [1], "a").code == "value.kind"


def test_the_kind_of_a_shaped_record_is_the_name_of_its_shape() -> None:
    assert call("வகை", Shaped({}, POINT)) == "புள்ளி"
    assert call("வகை", None) == "nil"


# ---- results --------------------------------------------------------------------------------------


def test_results_are_made_asked_and_opened() -> None:
    assert_same(call("சரி", 5), Ok(5))
    assert_same(call("தவறு", "x"), Err("x"))
    assert [call("சரியா", value) for value in (Ok(0), Err(0), 5)] == [True, False, False]
    assert [call("தவறா", value) for value in (Ok(0), Err(0), 5)] == [False, True, False]
    assert call("மதிப்பு", Ok([1])) == [1]
    assert call("தவறு_மதிப்பு", Err([1])) == [1]
    assert (call("இயல்பு", Ok(1), 2), call("இயல்பு", Err(1), 2)) == (1, 2)


def test_opening_the_wrong_result_shows_what_it_holds() -> None:
    fault = failure("மதிப்பு", Err("கோப்பு இல்லை"))
    assert (fault.code, fault.details) == ("result.unwrap", {"value": "கோப்பு இல்லை"})
    assert "தவறு(கோப்பு இல்லை)" in fault.message
    assert failure("தவறு_மதிப்பு", Ok(1)).code == "result.unwrap"
    for name, rest in (("மதிப்பு", ()), ("தவறு_மதிப்பு", ()), ("இயல்பு", (1,))):
        assert failure(name, 5, *rest).code == "result.kind"


# ---- numbers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("வட்டமிடு", (Decimal("2.456"), 1), Decimal("2.5")),
        ("வட்டமிடு", (Decimal("2.5"), 0), 3),
        ("வட்டமிடு", (Decimal("-2.5"), 0), -3),
        ("வட்டமிடு", (Decimal("-0.4"), 0), 0),
        ("வட்டமிடு", (Decimal("1.5"), 5), Decimal("1.5")),
        ("வட்டமிடு", (5, 2), 5),
        ("வட்டமிடு", ("12.345", Decimal("2.9")), Decimal("12.35")),
        ("வட்டமிடு", (Decimal("1.25"), MOST), Decimal("1.25")),
        ("தரை", (Decimal("-1.5"),), -2),
        ("மேல்", (Decimal("-0.4"),), 0),
        ("மேல்", ("1.1",), 2),
        ("எண்ணாக்கு", (" 41 ",), Ok(41)),
        ("எண்ணாக்கு", (True,), Err("‘true’ ஓர் எண் அல்ல  (‘true’ is not a number)")),
        ("வர்க்கமூலம்", (25,), Ok(5)),
        ("வர்க்கமூலம்", (Decimal("6.25"),), Ok(Decimal("2.5"))),
        ("பத்தின்_மடக்கை", (1000,), Ok(3)),
        ("இயற்கை_மடக்கை", (1,), Ok(0)),
        ("இயற்கை_அடுக்கு", (0,), Ok(1)),
        ("அடுக்கேற்று", (2, 10), Ok(1024)),
        ("அடுக்கேற்று", (9, Decimal("0.5")), Ok(3)),
        ("மீதி", (7, 3), 1),
        ("மீதி", (-7, 3), 2),
        ("மீதி", (7, -3), -2),
        ("மீதி", (Decimal("7.5"), 2), Decimal("1.5")),
    ],
)
def test_numbers(name: str, arguments: tuple[Value, ...], expected: Value) -> None:
    assert_same(call(name, *arguments), expected)


def test_what_has_no_number_is_a_failure_in_two_languages() -> None:
    for name, arguments in {
        "வர்க்கமூலம்": (-1,), "இயற்கை_மடக்கை": (0,), "பத்தின்_மடக்கை": (-5,), "இயற்கை_அடுக்கு": (100,),
    }.items():  # fmt: skip
        assert isinstance(call(name, *arguments), Err)
    assert text_of(call("அடுக்கேற்று", 10, 29)) == (
        "தவறு(விடை எண்ணின் எல்லையைத் தாண்டுகிறது  (the result does not fit a number))"
    )
    assert isinstance(call("அடுக்கேற்று", 0, -1), Err)
    assert isinstance(call("அடுக்கேற்று", -8, Decimal("0.5")), Err)
    assert failure("வட்டமிடு", 1, -1).code == "value.invalid"
    assert failure("மீதி", 5, "ஐந்து").code == "number.division_by_zero"


# ---- text -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("சொல்லாக்கு", ([Decimal("1.50"), None],), "[1.5, nil]"),
        ("மேல்_எழுத்து", (5,), "5"),
        ("மேல்_எழுத்து", ("abc அ",), "ABC அ"),
        ("கீழ்_எழுத்து", ("ABC",), "abc"),
        ("மாற்று", (1001, 0, "x"), "1xx1"),
        ("பிரி", ("1,2", ","), ["1", "2"]),
        ("ஒன்றிணை", (["அ", 1, None], ", "), "அ, 1, nil"),
        ("ஒன்றிணை", ([], ","), ""),
        ("பைட்டுகள்", ("aஅ",), [97, 224, 174, 133]),
        ("பைட்டுச்_சரம்", ([97, Decimal("224.0"), 174, 133],), Ok("aஅ")),
        ("பைட்டுச்_சரம்", ([],), Ok("")),
        ("ஓரம்_நீக்கு", ("  அ \n",), "அ"),
        ("பகுதி", ("வணக்கம்", 1, 3), "ணக்"),
        ("பகுதி", ("வணக்கம்", 3), "கம்"),
        ("பகுதி", ("abc", -5, 2), "ab"),
        ("பகுதி", ([1, 2, 3], 1), [2, 3]),
        ("பகுதி", ([1, 2, 3], 2, 1), []),
        ("பகுதி", ([1, 2, 3], -2, 99), [1, 2, 3]),
        ("உள்ளதா", ("வணக்கம்", "க்க"), True),
        ("உள்ளதா", ("கா", "க"), False),
        ("உள்ளதா", ([1, [Decimal("2.0")]], [2]), True),
        ("உள்ளதா", ([1], "1"), False),
        ("உள்ளதா", ({"5": 0}, 5), True),
        ("உள்ளதா", (RESPONSE, "நிலை"), True),
        ("புலங்கள்", ({"b": 1, "அ": 2, "a": 3},), ["a", "b", "அ"]),
        ("புலம்_நீக்கு", ({"a": 1, "b": 2}, "a"), {"b": 2}),
        ("புலம்_நீக்கு", ({"a": 1}, "x"), {"a": 1}),
        ("புலம்_நீக்கு", (RESPONSE, "நிலை"), {}),
    ],
)
def test_texts_and_parts(name: str, arguments: tuple[Value, ...], expected: Value) -> None:
    found = call(name, *arguments)
    assert equal(found, expected), found


def test_bytes_that_are_no_text() -> None:
    assert text_of(call("பைட்டுச்_சரம்", [97, 255])) == (
        "தவறு(இடம் 1: பைட்டுகள் UTF-8 அல்ல  (at 1: the bytes are not UTF-8))"
    )
    assert isinstance(call("பைட்டுச்_சரம்", [0xED, 0xA0, 0x80]), Err), "a lone surrogate"
    for element in (256, -1, Decimal("1.5"), "97", True, None, MOST):
        assert failure("பைட்டுச்_சரம்", [97, element]).code == "value.invalid"
    assert failure("பைட்டுச்_சரம்", "a").code == "value.kind"


def test_parts_of_what_has_none_are_a_fault() -> None:
    assert failure("பகுதி", 5, 0).code == "value.kind"
    assert failure("பகுதி", "அ", Decimal("0.5")).code == "index.not_whole"
    assert failure("உள்ளதா", 5, 5).code == "value.kind"
    assert failure("புலங்கள்", []).code == "value.kind"


def test_a_record_without_a_field_has_no_shape() -> None:
    shaped = Shaped({"x": 1, "y": 2}, POINT)
    assert type(call("புலம்_நீக்கு", shaped, "x")) is dict
    assert shaped == {"x": 1, "y": 2}


# ---- functions of the program ---------------------------------------------------------------------


def test_functions_of_the_program_are_called_back() -> None:
    assert call("மாற்றியமை", [1, 2], function(1, lambda x: [x])) == [[1], [2]]
    assert call("வடிகட்டு", [0, 1, "", "அ", None], function(1, lambda x: x)) == [1, "அ"]
    assert call("திரட்டு", ["அ", "ஆ"], "", function(2, lambda so_far, x: so_far + x)) == "அஆ"
    assert call("திரட்டு", [], 7, function(2, lambda so_far, x: x)) == 7


def test_builtins_are_called_back() -> None:
    machine = Machine()
    length = registry.function_value("_length", machine)
    assert call("மாற்றியமை", ["கா", [1, 2]], length) == [1, 2]
    nested = registry.function_value("_map", machine)
    pairs = function(1, lambda x: nested.call([x, x], length, 2))
    assert call("மாற்றியமை", ["கா"], pairs) == [[1, 1]]


def test_what_is_no_function_or_takes_other_arguments_is_a_fault() -> None:
    assert failure("மாற்றியமை", [1], 5).code == "value.kind"
    assert failure("மாற்றியமை", 1, function(1, lambda x: x)).code == "value.kind"
    fault = failure("திரட்டு", [1], 0, function(1, lambda x: x, "கூட்டு"))
    assert fault.code == "call.arguments"
    assert fault.details == {"name": "கூட்டு", "expected": "1", "given": 2}
    assert failure("வடிகட்டு", [1], registry.function_value("_slice", None)).details["expected"] == "2–3"
    # Even when there is nothing to call it for.
    assert failure("மாற்றியமை", [], function(2, lambda x, y: x)).code == "call.arguments"


def test_a_fault_in_the_function_is_the_fault() -> None:
    def broken(_value: Value) -> Value:
        raise Fault("number.overflow")

    assert failure("மாற்றியமை", [1], function(1, broken)).code == "number.overflow"


# ---- chance ---------------------------------------------------------------------------------------


def test_a_uuid_is_made_of_chance() -> None:
    machine = Machine()
    assert call("தனி_அடையாளம்", machine=machine) == "00010203-0405-4607-8809-0a0b0c0d0e0f"
    assert call("தனி_அடையாளம்", machine=machine) != call("தனி_அடையாளம்", machine=machine)


def test_random_numbers_reach_both_ends_and_are_each_as_likely() -> None:
    machine = Machine()
    drawn = Counter(call("சீரற்ற_எண்", -1, 4, machine=machine) for _ in range(576))
    assert drawn == dict.fromkeys(range(-1, 5), 96)
    assert call("சீரற்ற_எண்", 3, 3) == 3
    assert -MOST <= call("சீரற்ற_எண்", -MOST, MOST) <= MOST
    assert failure("சீரற்ற_எண்", 2, 1).code == "value.invalid"
    assert failure("சீரற்ற_எண்", "1", 6).code == "value.kind"
    assert failure("சீரற்ற_எண்", Decimal("0.5"), 6).code == "value.kind"


# ---- large ----------------------------------------------------------------------------------------


def doubled(times: int) -> list[Value]:
    value: list[Value] = ["அ"]
    for _ in range(times):
        value = [value, value]
    return value


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("சொல்லாக்கு", (doubled(100),)),
        ("நீளம்", (doubled(100),)),
        ("வரிசையாக்கு", (doubled(100),)),
        ("வரிசையாக்கு", ([doubled(14)] * 100_000,)),
        ("ஒன்றிணை", (doubled(100), "")),
        ("ஒன்றிணை", ([doubled(14)] * 100_000, "")),
        ("ஒன்றிணை", ([[value] for value in [doubled(14)] * 2_000], "")),
        ("ஒன்றிணை", ([""] * 1_000_000, "அ" * 1_000)),
        ("சொல்லாக்கு", (["அ" * 1_000_000] * 1_000_000,)),
        ("உள்ளதா", ([doubled(100)], doubled(100))),
        ("மாற்று", ("அ" * 1_000_000, "அ", "ஆ" * 1_000)),
        ("எண்ணாக்கு", ("9" * 10_000_000,)),
        ("மதிப்பு", (Err(doubled(16)),)),
    ],
)
def test_large_values_end_in_an_answer_or_in_the_budget_and_soon(
    name: str, arguments: tuple[Value, ...]
) -> None:
    started = time.monotonic()
    try:
        call(name, *arguments)
    except (Fault, BudgetSpent):
        pass
    assert time.monotonic() - started < 20


def test_arrays_stay_within_their_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ELEMENTS", 10)
    assert len(call("இணை", [0] * 9, 1)) == 10
    with pytest.raises(BudgetSpent):
        call("இணை", [0] * 10, 1)
    with pytest.raises(BudgetSpent):
        call("பைட்டுகள்", "x" * 11)
