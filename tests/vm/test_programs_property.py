"""Random programs, run by the machine and by a slow, plain model of REFERENCE §4–§9.

The model shares nothing with the house: numbers are pairs of Python integers, values are Python
lists and dicts that are copied deeply wherever the reference says "copied". What a program prints,
or the code of the error that stops it, must be the same.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from etamil_actors.script import run_text

GREATEST = 2**96 - 1
FINEST = 28


# ---- the model of values --------------------------------------------------------------


class Stopped(Exception):
    """The model's runtime error."""


class Num(NamedTuple):
    """A mantissa and a scale (REFERENCE §5)."""

    mantissa: int
    scale: int = 0


ZERO = Num(0)


def half_even(dividend: int, divisor: int) -> int:
    quotient, rest = divmod(dividend, divisor)
    return quotient + (2 * rest > divisor or (2 * rest == divisor and quotient & 1))


def fitted(mantissa: int, scale: int) -> Num:
    """The number, rounded half to even to the most decimals that fit."""
    sign, amount = (-1 if mantissa < 0 else 1), abs(mantissa)
    for kept in range(min(scale, FINEST), -1, -1):
        rounded = half_even(amount, 10 ** (scale - kept))
        if rounded <= GREATEST:
            return Num(sign * rounded, kept)
    raise Stopped("number.overflow")


def add(a: Num, b: Num) -> Num:
    if a.mantissa == 0:
        return b
    if b.mantissa == 0:
        return a
    scale = max(a.scale, b.scale)
    return fitted(a.mantissa * 10 ** (scale - a.scale) + b.mantissa * 10 ** (scale - b.scale), scale)


def negate(a: Num) -> Num:
    return Num(-a.mantissa, a.scale)


def multiply(a: Num, b: Num) -> Num:
    if a.mantissa == 0 or b.mantissa == 0:
        return ZERO
    return fitted(a.mantissa * b.mantissa, a.scale + b.scale)


def divide(a: Num, b: Num) -> Num:
    if b.mantissa == 0:
        raise Stopped("number.division_by_zero")
    if a.mantissa == 0:
        return ZERO
    sign = -1 if (a.mantissa < 0) != (b.mantissa < 0) else 1
    m, n, scale = abs(a.mantissa), abs(b.mantissa), a.scale - b.scale
    if m % n == 0:
        quotient = m // n * 10 ** max(0, -scale)
        if quotient > GREATEST:
            raise Stopped("number.overflow")
        return Num(sign * quotient, max(0, scale))
    for kept in range(FINEST, -1, -1):
        quotient = half_even(m * 10 ** max(0, kept - scale), n * 10 ** max(0, scale - kept))
        if quotient <= GREATEST:
            while kept and quotient % 10 == 0:
                quotient, kept = quotient // 10, kept - 1
            return Num(sign * quotient, kept)
    raise Stopped("number.overflow")


ARITHMETIC: dict[str, Callable[[Num, Num], Num]] = {
    "+": add,
    "-": lambda a, b: add(a, negate(b)),
    "*": multiply,
    "/": divide,
}


def plain(n: Num) -> str:
    """The digits, with the scale kept."""
    digits = str(abs(n.mantissa)).rjust(n.scale + 1, "0")
    if n.scale:
        digits = digits[: -n.scale] + "." + digits[-n.scale :]
    return "-" + digits if n.mantissa < 0 else digits


def number_text(n: Num) -> str:
    digits = plain(n)
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def text_of(value: object) -> str:
    match value:
        case Num():
            return "0" if value.mantissa == 0 else number_text(value)
        case bool():
            return "true" if value else "false"
        case None:
            return "nil"
        case str():
            return value
        case list():
            return "[" + ", ".join(map(text_of, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{key}: {text_of(value[key])}" for key in sorted(value)) + "}"
    raise AssertionError(value)


def number_of(value: object) -> Num:
    match value:
        case Num():
            return value
        case bool():
            return Num(int(value))
        case str():
            return number_in(value) or ZERO
    return ZERO


def number_in(text: str) -> Num | None:
    """A number written the plain way; the strategies write no other texts."""
    digits = text.strip().removeprefix("-")
    whole, _, decimals = digits.partition(".")
    if not (whole + decimals).isascii() or not (whole + decimals).isdigit():
        return None
    mantissa = int(whole + decimals)
    assume(len(decimals) <= FINEST and (not decimals or mantissa <= GREATEST))  # the reference does not say
    if mantissa > GREATEST:
        return None
    return Num(-mantissa if text.strip().startswith("-") else mantissa, len(decimals))


def equal(a: object, b: object) -> bool:
    if isinstance(a, Num) and isinstance(b, Num):
        return same_amount(a, b)
    if type(a) is not type(b):
        return False
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    return a == b


def same_amount(a: Num, b: Num) -> bool:
    return a.mantissa * 10**b.scale == b.mantissa * 10**a.scale


def less(a: object, b: object) -> bool | None:
    """``a < b``, or None where the order of the two is undefined and so false."""
    if isinstance(a, str) and isinstance(b, str):
        return a < b
    if isinstance(a, Num | str) and isinstance(b, Num | str):
        x, y = number_of(a), number_of(b)
        return x.mantissa * 10**y.scale < y.mantissa * 10**x.scale
    return None


def compare(operator: str, a: object, b: object) -> bool:
    if operator == "==":
        return equal(a, b)
    if operator == "!=":
        return not equal(a, b)
    before, behind = less(a, b), less(b, a)
    if before is None or behind is None:
        return False
    return {"<": before, ">": behind, "<=": not behind, ">=": not before}[operator]


def truth(value: object) -> bool:
    return value.mantissa != 0 if isinstance(value, Num) else bool(value)


# ---- expressions ----------------------------------------------------------------------

Expression = tuple


def evaluate(node: Expression, names: dict[str, object]) -> object:
    match node:
        case ("value", value):
            return value
        case ("name", name):
            return names[name]
        case ("negate", operand):
            return add(ZERO, negate(number_of(evaluate(operand, names))))
        case ("not", operand):
            return not truth(evaluate(operand, names))
        case ("and", left, right):
            return truth(evaluate(left, names)) and truth(evaluate(right, names))
        case ("or", left, right):
            return truth(evaluate(left, names)) or truth(evaluate(right, names))
        case (operator, left, right):
            a, b = evaluate(left, names), evaluate(right, names)
            if operator in ARITHMETIC:
                return ARITHMETIC[operator](number_of(a), number_of(b))
            if operator == "&":
                return text_of(a) + text_of(b)
            return compare(operator, a, b)
    raise AssertionError(node)


def written(node: Expression) -> str:
    match node:
        case ("value", value):
            return literal(value)
        case ("name", name):
            return name
        case ("negate", operand):
            return f"(-{written(operand)})"
        case ("not", operand):
            return f"(இல்லை {written(operand)})"
        case ("and", left, right):
            return f"({written(left)} மற்றும் {written(right)})"
        case ("or", left, right):
            return f"({written(left)} அல்லது {written(right)})"
        case (operator, left, right):
            return f"({written(left)} {operator} {written(right)})"
    raise AssertionError(node)


def literal(value: object) -> str:
    match value:
        case Num(mantissa):
            digits = plain(Num(abs(mantissa), value.scale))
            return f"(-{digits})" if mantissa < 0 else digits
        case bool():
            return "மெய்" if value else "பொய்"
        case None:
            return "இன்மை"
        case str():
            return f'"{value}"'
        case list():
            return "[" + ", ".join(map(literal, value)) + "]"
        case dict():
            return "{" + ", ".join(f'"{key}": {literal(part)}' for key, part in value.items()) + "}"
    raise AssertionError(value)


EDGES = [
    Num(0), Num(1), Num(2), Num(3), Num(7), Num(10), Num(100), Num(-1), Num(-7), Num(GREATEST),
    Num(GREATEST - 1), Num(-GREATEST), Num(2**95), Num(2**48), Num(2**64), Num(10**28), Num(1, 28), Num(5, 28),
    Num(15, 28), Num(5, 1), Num(50, 2), Num(15, 1), Num(150, 2), Num(100, 2), Num(333, 3), Num(GREATEST, 28),
    Num(GREATEST, 1), Num(25, 15), Num(10**14 + 1, 14), Num(18, 2), Num(2, 1), Num(20, 2), Num(99999, 0),
]

small = st.builds(Num, st.integers(-1000, 1000), st.integers(0, 3))
wide = st.builds(Num, st.integers(-GREATEST, GREATEST), st.integers(0, FINEST))
numbers = st.one_of(st.sampled_from(EDGES), small, wide)
texts = st.sampled_from(["", "அ", "ஆம்", "5", "1.50", "-3", " 7 ", "x", "க்ஷ"])
simple = st.one_of(numbers, texts, st.booleans(), st.none())
NAMES = ("அ", "ஆ", "இ")


def expressions(values: st.SearchStrategy[object], names: tuple[str, ...]) -> st.SearchStrategy[Expression]:
    leaves = st.tuples(st.just("value"), values)
    if names:
        leaves |= st.tuples(st.just("name"), st.sampled_from(names))
    operators = st.sampled_from(["+", "-", "*", "/", "+", "-", "*", "&", "<", "<=", ">", ">=", "==", "!=", "and", "or"])
    return st.recursive(
        leaves,
        lambda inner: st.tuples(operators, inner, inner) | st.tuples(st.sampled_from(["negate", "not"]), inner),
        max_leaves=8,
    )


def arithmetic(names: tuple[str, ...]) -> st.SearchStrategy[Expression]:
    leaves = st.tuples(st.just("value"), numbers) | st.tuples(st.just("name"), st.sampled_from(names))
    operators = st.sampled_from(["+", "-", "*", "/"])
    return st.recursive(leaves, lambda inner: st.tuples(operators, inner, inner), max_leaves=6)


def ran(text: str) -> tuple[str, str]:
    """What a program printed, and the code of the error that stopped it or ""."""
    outcome = run_text(text)
    assert not outcome.problems, f"{text}\n{outcome.errors}"
    return outcome.output, outcome.fault.code if outcome.fault else ""


def expected(node: Expression, names: dict[str, object]) -> tuple[str, str]:
    try:
        return text_of(evaluate(node, names)) + "\n", ""
    except Stopped as stopped:
        return "", str(stopped)


ROOMS = {
    "constants": "{bindings}\nஅச்சு {expression};",
    "a function": "செயல் f(அ, ஆ, இ) {{ திரும்பு {expression}; }}\nஅச்சு f({values});",
    "locals": "செயல் f() {{ {bindings} திரும்பு {expression}; }}\nஅச்சு f();",
    "a lambda": "செயல் f() {{ {bindings} g = செயல்() {{ திரும்பு {expression}; }}; திரும்பு g(); }}\nஅச்சு f();",
    "a loop": "{bindings}\nஒவ்வொரு முறை_எண் இல் [1, 2] {{ விடை = {expression}; }}\nஅச்சு விடை;",
    "an array": "{bindings}\nஅனைத்தும் = [{values}];\nஅ = அனைத்தும்[0]; ஆ = அனைத்தும்[1]; இ = அனைத்தும்[2];\nஅச்சு {expression};",
}


def program_in(room: str, node: Expression, names: dict[str, object]) -> str:
    return ROOMS[room].format(
        bindings=" ".join(f"{name} = {literal(value)};" for name, value in names.items()),
        values=", ".join(literal(value) for value in names.values()),
        expression=written(node),
    )


QUICK = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("room", ROOMS)
@QUICK
@given(
    node=expressions(simple, NAMES),
    values=st.tuples(simple, simple, simple),
)
def test_an_expression_means_what_the_model_says(room, node, values) -> None:
    names = dict(zip(NAMES, values, strict=True))
    assert ran(program_in(room, node, names)) == expected(node, names)


@pytest.mark.parametrize("room", ROOMS)
@QUICK
@given(node=arithmetic(NAMES), values=st.tuples(numbers, numbers, numbers))
def test_arithmetic_is_exact_to_the_last_digit(room, node, values) -> None:
    names = dict(zip(NAMES, values, strict=True))
    assert ran(program_in(room, node, names)) == expected(node, names)


@QUICK
@given(node=arithmetic(NAMES), values=st.tuples(numbers, numbers, numbers))
def test_declared_numbers_are_computed_alike(node, values) -> None:
    names = dict(zip(NAMES, values, strict=True))
    text = " ".join(f"எண் {name} = {literal(value)};" for name, value in names.items())
    assert ran(f"{text} அச்சு {written(node)};") == expected(node, names)


@QUICK
@given(
    start=numbers,
    step=numbers,
    operator=st.sampled_from(["+", "-", "*", "/"]),
    turns=st.integers(0, 70),
    swapped=st.booleans(),
)
def test_a_number_that_grows_in_a_loop_stays_exact_or_overflows(start, step, operator, turns, swapped) -> None:
    grow = f"{literal(step)} {operator} v" if swapped else f"v {operator} {literal(step)}"
    text = f"v = {literal(start)}; i = 0; (i < {turns}) சுற்று {{ v = {grow}; i = i + 1; }} அச்சு v;"
    value = start
    try:
        for _ in range(turns):
            value = ARITHMETIC[operator](*((step, value) if swapped else (value, step)))
        wanted = text_of(value) + "\n", ""
    except Stopped as stopped:
        wanted = "", str(stopped)
    assert ran(text) == wanted
    assert ran(f"செயல் f() {{ {text} }} f();") == wanted


@QUICK
@given(
    a=st.integers(-5, 5),
    b=st.integers(-3, 3),
    limit=st.integers(0, 40),
    power=st.sampled_from([1, 2**31, 2**63, 2**93, 10**20]),
)
def test_loops_over_great_whole_numbers_agree(a, b, limit, power) -> None:
    """The compiler may know bounds of loop variables: they must hold."""
    text = f"""
        i = {literal(Num(a * power))}; j = {literal(Num(b))}; n = 0; s = 0;
        (n < {limit} மற்றும் i < {literal(Num(GREATEST // 2))}) சுற்று {{
            s = s + i; i = i + j * {literal(Num(power))}; j = j + 1; n = n + 1;
        }}
        அச்சு s & " " & i & " " & j;
    """
    i, j, n, s = Num(a * power), Num(b), 0, ZERO
    try:
        while n < limit and i.mantissa < GREATEST // 2:
            s = add(s, i)
            i = add(i, multiply(j, Num(power)))
            j = add(j, Num(1))
            n += 1
        wanted = f"{text_of(s)} {text_of(i)} {text_of(j)}\n", ""
    except Stopped as stopped:
        wanted = "", str(stopped)
    assert ran(text) == wanted


# ---- copies ---------------------------------------------------------------------------
#
# A program is a list of statements over a few names. The model copies deeply at every place
# where REFERENCE §4 says that a value is copied; the machine shares and copies on write.

TOP = 200
"""Values larger than this are of no interest, only slow."""

ARRAYS = ("அ", "ஆ", "இ")
RECORDS = ("ப", "ர")
TEXTS = ("உ",)
KEYS = ("x", "y", "z")

HELPERS = """
செயல் முதல்_மாற்று(தொ, v) { (நீளம்(தொ) > 0) எனில் { தொ[0] = v; } திரும்பு தொ; }
செயல் இரட்டிப்பு(v) { திரும்பு [v, v]; }
செயல் அப்படியே(v) { திரும்பு v; }
செயல் சேர்த்து(தொ, v) { பழைய = தொ; தொ = இணை(தொ, v); தொ = இணை(தொ, பழைய); திரும்பு தொ; }
செயல் புலம்_இடு(பொ, v) { பொ.x = v; பொ["w"] = பொ; திரும்பு பொ; }
"""


def size(value: object) -> int:
    if isinstance(value, list):
        return 1 + sum(map(size, value))
    if isinstance(value, dict):
        return 1 + sum(map(size, value.values()))
    return 1


class Model:
    """Runs statements over values that are copied deeply."""

    def __init__(self) -> None:
        self.names: dict[str, object] = {
            "அ": [Num(1), Num(2)], "ஆ": [], "இ": [[Num(3)], [Num(4), "அ"]],
            "ப": {"x": Num(1)}, "ர": {"x": [Num(5)], "y": {"x": Num(6)}}, "உ": "",
        }  # fmt: skip

    def value(self, node: tuple) -> object:
        match node:
            case ("value", value):
                result = value
            case ("name", name):
                result = self.names[name]
            case ("array", *items):
                result = [self.value(item) for item in items]
            case ("record", *pairs):
                result = {key: self.value(item) for key, item in pairs}
            case ("element", name, index):
                target = self.names[name]
                assert isinstance(target, list)
                if index >= len(target):
                    raise Stopped("index.range")
                result = target[index]
            case ("field", name, key):
                target = self.names[name]
                assert isinstance(target, dict)
                if key not in target:
                    raise Stopped("record.missing_key")
                result = target[key]
            case ("append", target, item):
                result = [*self.array(target), self.value(item)]
            case ("first", target, item):
                # The arguments are evaluated from left to right, then the helper runs.
                old, new = self.array(target), self.value(item)
                result = [new, *old[1:]] if old else old
            case ("twice", item):
                result = [self.value(item), self.value(item)]
            case ("same", item):
                result = self.value(item)
            case ("with old", target, item):
                old, new = self.array(target), self.value(item)
                result = [*old, new, old]
            case ("put", name, item):
                old = self.names[name]
                assert isinstance(old, dict)
                result = {**old, "x": self.value(item)}
                result["w"] = copy.deepcopy(result)
            case ("length", name):
                result = Num(len(self.names[name]))
            case _:
                raise AssertionError(node)
        result = copy.deepcopy(result)
        assume(size(result) < TOP)
        return result

    def array(self, node: tuple) -> list:
        value = self.value(node)
        assert isinstance(value, list)
        return value

    def run(self, statements: list[tuple]) -> None:
        for statement in statements:
            self.step(statement)

    def step(self, statement: tuple) -> None:
        match statement:
            case ("set", name, node):
                self.names[name] = self.value(node)
            case ("set element", name, index, node):
                value, target = self.value(node), self.names[name]
                if index >= len(target):
                    raise Stopped("index.range")
                target[index] = value
            case ("set field", name, key, node):
                self.names[name][key] = self.value(node)
            case ("join", name, node):
                self.names[name] += text_of(self.value(node))
                assume(len(self.names[name]) < 4000)
            case ("each", variable, name, body):
                for item in copy.deepcopy(self.names[name]):
                    self.names[variable] = item
                    self.run(body)
            case ("while", turns, body):
                for _ in range(turns):
                    self.run(body)
            case ("if", name, body, other):
                self.run(body if truth(self.names[name]) else other)
            case ("captured", name, node, target):
                before = copy.deepcopy(self.names[name])
                self.names[name] = self.value(node)
                self.names[target] = [*before, before] if isinstance(before, list) else [before]
            case _:
                raise AssertionError(statement)


def shown(node: tuple) -> str:
    match node:
        case ("value", value):
            return literal(value)
        case ("name", name):
            return name
        case ("array", *items):
            return "[" + ", ".join(map(shown, items)) + "]"
        case ("record", *pairs):
            return "{" + ", ".join(f"{key}: {shown(item)}" for key, item in pairs) + "}"
        case ("element", name, index):
            return f"{name}[{index}]"
        case ("field", name, key):
            return f"{name}.{key}"
        case ("append", target, item):
            return f"இணை({shown(target)}, {shown(item)})"
        case ("first", target, item):
            return f"முதல்_மாற்று({shown(target)}, {shown(item)})"
        case ("twice", item):
            return f"இரட்டிப்பு({shown(item)})"
        case ("same", item):
            return f"அப்படியே({shown(item)})"
        case ("with old", target, item):
            return f"சேர்த்து({shown(target)}, {shown(item)})"
        case ("put", name, item):
            return f"புலம்_இடு({name}, {shown(item)})"
        case ("length", name):
            return f"நீளம்({name})"
    raise AssertionError(node)


class Listing:
    """Writes statements as a program; ``inside`` a function lambdas may capture."""

    def __init__(self, inside: bool) -> None:
        self.inside = inside
        self.count = 0

    def block(self, statements: list[tuple], depth: int = 1) -> str:
        return "".join("    " * depth + self.line(statement, depth) + "\n" for statement in statements)

    def line(self, statement: tuple, depth: int) -> str:
        match statement:
            case ("set", name, node):
                return f"{name} = {shown(node)};"
            case ("set element", name, index, node):
                return f"{name}[{index}] = {shown(node)};"
            case ("set field", name, key, node):
                return f"{name}.{key} = {shown(node)};"
            case ("join", name, node):
                return f"{name} = {name} & {shown(node)};"
            case ("each", variable, name, body):
                return f"ஒவ்வொரு {variable} இல் {name} {{\n{self.block(body, depth + 1)}{'    ' * depth}}}"
            case ("while", turns, body):
                self.count += 1
                turn = f"சுற்று_{self.count}"
                return (
                    f"{turn} = 0; ({turn} < {turns}) சுற்று {{\n{self.block(body, depth + 1)}"
                    f"{'    ' * (depth + 1)}{turn} = {turn} + 1;\n{'    ' * depth}}}"
                )
            case ("if", name, body, other):
                return (
                    f"({name}) எனில் {{\n{self.block(body, depth + 1)}{'    ' * depth}}} "
                    f"இன்றேல் {{\n{self.block(other, depth + 1)}{'    ' * depth}}}"
                )
            case ("captured", name, node, target):
                self.count += 1
                taken = f"மூலம்_{self.count}"
                made = f"f_{self.count}"
                grown = f"{taken} = இணை({taken}, {taken}); திரும்பு {taken};"
                plain_ = f"திரும்பு [{taken}];"
                body = grown if name in ARRAYS else plain_
                if self.inside:
                    # The copy is taken when the lambda is made, and each call starts from it again.
                    return (
                        f"{taken} = {name}; {made} = செயல்() {{ {body} }}; {name} = {shown(node)}; "
                        f"{target} = {made}(); {target} = {made}();"
                    )
                return f"{taken} = {name}; {name} = {shown(node)}; {made} = செயல்() {{ {body} }}; {target} = {made}(); {target} = {made}();"
        raise AssertionError(statement)


ALL = (*ARRAYS, *RECORDS)
PRINTS = "".join(f"அச்சு {name};\n" for name in (*ALL, *TEXTS))

leaf = st.one_of(
    st.tuples(st.just("value"), st.integers(0, 9).map(Num)),
    st.tuples(st.just("value"), st.sampled_from(["", "க்", "b"])),
    st.tuples(st.just("name"), st.sampled_from(ALL)),
    st.tuples(st.just("element"), st.sampled_from(ARRAYS), st.integers(0, 2)),
    st.tuples(st.just("field"), st.sampled_from(RECORDS), st.sampled_from(KEYS)),
    st.tuples(st.just("length"), st.sampled_from(ALL)),
)
array_name = st.tuples(st.just("name"), st.sampled_from(ARRAYS))
arrays = st.recursive(
    st.one_of(
        array_name,
        st.lists(leaf, max_size=3).map(lambda items: ("array", *items)),
        st.tuples(st.just("twice"), leaf),
    ),
    lambda inner: st.one_of(
        st.tuples(st.just("append"), inner, leaf),
        st.tuples(st.just("first"), inner, leaf),
        st.tuples(st.just("with old"), inner, leaf),
        st.tuples(st.just("same"), inner),
    ),
    max_leaves=2,
)
records = st.one_of(
    st.tuples(st.just("name"), st.sampled_from(RECORDS)),
    st.dictionaries(st.sampled_from(KEYS), leaf, max_size=2).map(lambda pairs: ("record", *pairs.items())),
    st.tuples(st.just("put"), st.sampled_from(RECORDS), leaf),
)
anything = st.one_of(leaf, arrays, records)
statement = st.one_of(
    st.tuples(st.just("set"), st.sampled_from(ARRAYS), arrays),
    st.builds(lambda name, item: ("set", name, ("append", ("name", name), item)), st.sampled_from(ARRAYS), anything),
    st.tuples(st.just("set"), st.sampled_from(RECORDS), records),
    st.tuples(st.just("set element"), st.sampled_from(ARRAYS), st.integers(0, 2), anything),
    st.tuples(st.just("set field"), st.sampled_from(RECORDS), st.sampled_from(KEYS), anything),
    st.tuples(st.just("join"), st.sampled_from(TEXTS), leaf),
    st.builds(lambda name, node, target: ("captured", name, node, target), st.sampled_from(ARRAYS), arrays, st.sampled_from(ARRAYS)),
    st.builds(lambda name, node, target: ("captured", name, node, target), st.sampled_from(RECORDS), records, st.sampled_from(ARRAYS)),
)
statements = st.recursive(
    st.lists(statement, min_size=1, max_size=5),
    lambda inner: st.lists(
        st.one_of(
            statement,
            st.builds(lambda name, body: ("each", "உறுப்பு", name, body), st.sampled_from(ARRAYS), inner),
            st.tuples(st.just("while"), st.integers(0, 3), inner),
            st.tuples(st.just("if"), st.sampled_from(ALL), inner, inner),
        ),
        min_size=1,
        max_size=5,
    ),
    max_leaves=4,
)  # fmt: skip


def modelled(body: list[tuple]) -> tuple[list[str], str]:
    model = Model()
    try:
        model.run(body)
    except Stopped as stopped:
        return [], str(stopped)
    return [text_of(model.names[name]) for name in (*ALL, *TEXTS)], ""


def listed(body: list[tuple], inside: bool) -> str:
    start = "".join(f"{name} = {literal(value)};\n" for name, value in Model().names.items())
    listing = Listing(inside).block(body)
    if inside:
        return f"{HELPERS}செயல் முழுதும்() {{\n{start}{listing}{PRINTS}}}\nமுழுதும்();\n"
    return f"{HELPERS}{start}{listing}{PRINTS}"


@pytest.mark.parametrize("inside", [False, True], ids=["at the top level", "in a function"])
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=statements)
def test_values_are_copied_never_shared(inside, body) -> None:
    lines, code = modelled(body)
    text = listed(body, inside)
    output, fault = ran(text)
    assert fault == code, text
    assert output.splitlines() == lines, text


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(before=statements, after=statements)
def test_a_function_cannot_change_what_its_caller_holds(before, after) -> None:
    """The globals are set by one list of statements, a function works on them with another."""
    model = Model()
    try:
        model.run(before)
    except Stopped:
        assume(False)
    held = [text_of(model.names[name]) for name in (*ALL, *TEXTS)]
    try:
        model.run(after)
        inner, code = [text_of(model.names[name]) for name in (*ALL, *TEXTS)], ""
    except Stopped as stopped:
        inner, code = [], str(stopped)
    start = "".join(f"{name} = {literal(value)};\n" for name, value in Model().names.items())
    text = (
        f"{HELPERS}{start}{Listing(False).block(before)}"
        f"செயல் உள்ளே() {{\n{Listing(True).block(after)}{PRINTS}}}\n"
        f'முயல் {{ உள்ளே(); }} பிழை(e) {{ அச்சு "பிழை " & e.code; }}\n{PRINTS}'
    )
    output, fault = ran(text)
    assert fault == "", text
    assert output.splitlines() == [*inner, *([f"பிழை {code}"] if code else []), *held], text


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=statements)
def test_parameters_are_copies_each_time(body) -> None:
    """The same list of statements works on parameters, twice; the arguments stay as they were."""
    lines, code = modelled(body)
    assume(not code)
    names = ", ".join((*ALL, *TEXTS))
    start = "".join(f"{name} = {literal(value)};\n" for name, value in Model().names.items())
    before = [text_of(value) for value in (Model().names[name] for name in (*ALL, *TEXTS))]
    text = (
        f"{HELPERS}{start}செயல் முழுதும்({names}) {{\n{Listing(True).block(body)}{PRINTS}}}\n"
        f"முழுதும்({names});\n{PRINTS}முழுதும்({names});\nf = முழுதும்; f({names});\n"
    )
    output, fault = ran(text)
    assert fault == "", text
    assert output.splitlines() == [*lines, *before, *lines, *lines], text


# ---- whole programs -------------------------------------------------------------------
#
# Names that change their kind in branches and loops, locals beside globals, calls, errors that
# are caught: what the compiler concludes about a name has to hold however the program runs.

NAMED = ("அ", "ஆ", "இ", "ஈ")
PARAMETERS = ("அ", "x", "y")


class Left(Exception):
    """A block is left: "break", "continue", or "return" with a value."""

    def __init__(self, how: str, value: object = None) -> None:
        self.how = how
        self.value = value


class Interpreter:
    """Walks through a program, statement by statement."""

    def __init__(self, functions: dict[str, list[tuple]]) -> None:
        self.functions = functions
        self.globals: dict[str, object] = {
            "அ": Num(1), "ஆ": Num(5, 1), "இ": "5", "ஈ": Num(GREATEST // 3), "x": Num(2), "y": True,
        }  # fmt: skip
        self.printed: list[str] = []
        self.steps = 0

    def names(self, scope: dict[str, object]) -> dict[str, object]:
        return {**self.globals, **scope}

    def value(self, node: Expression, scope: dict[str, object]) -> object:
        if node[0] == "call":
            _, name, first, second = node
            values = self.value(first, scope), self.value(second, scope)
            return self.call(name, *values)
        return evaluate(node, self.names(scope))

    def call(self, name: str, first: object, second: object) -> object:
        scope: dict[str, object] = {"x": first, "y": second}
        try:
            self.run(self.functions[name], scope)
        except Left as left:
            assert left.how == "return"
            return left.value
        return None

    def run(self, body: list[tuple], scope: dict[str, object]) -> None:
        for statement in body:
            self.steps += 1
            assume(self.steps < 3000)
            self.step(statement, scope)

    def step(self, statement: tuple, scope: dict[str, object]) -> None:
        match statement:
            case ("set", name, node):
                scope[name] = self.value(node, scope)
                assume(len(text_of(scope[name])) < 2000)
            case ("reset", name):
                scope[name] = ZERO
            case ("print", node):
                self.printed.append(text_of(self.value(node, scope)))
            case ("if", node, body, other):
                self.run(body if truth(self.value(node, scope)) else other, scope)
            case ("while", turns, body):
                for _ in range(turns):
                    try:
                        self.run(body, scope)
                    except Left as left:
                        if left.how == "break":
                            break
                        if left.how == "return":
                            raise
            case ("each", name, items, body):
                for item in [self.value(item, scope) for item in items]:
                    scope[name] = item
                    try:
                        self.run(body, scope)
                    except Left as left:
                        if left.how == "break":
                            break
                        if left.how == "return":
                            raise
            case ("try", body, name, handler, final):
                try:
                    try:
                        self.run(body, scope)
                    except Stopped as stopped:
                        scope[name] = str(stopped)
                        self.run(handler, scope)
                finally:
                    self.run(final, scope)
            case ("leave", how):
                raise Left(how)
            case ("return", node):
                raise Left("return", self.value(node, scope))
            case _:
                raise AssertionError(statement)


class Script:
    """Writes such a program down."""

    def __init__(self) -> None:
        self.count = 0

    def expression(self, node: Expression) -> str:
        if node[0] == "call":
            return f"{node[1]}({self.expression(node[2])}, {self.expression(node[3])})"
        return written(node)

    def block(self, body: list[tuple]) -> str:
        return "".join(self.line(statement) for statement in body)

    def line(self, statement: tuple) -> str:
        match statement:
            case ("set", name, node):
                return f"{name} = {self.expression(node)};\n"
            case ("reset", name):
                return f"{name};\n"
            case ("print", node):
                return f"அச்சு {self.expression(node)};\n"
            case ("if", node, body, other):
                return f"({self.expression(node)}) எனில் {{\n{self.block(body)}}} இன்றேல் {{\n{self.block(other)}}}\n"
            case ("while", turns, body):
                self.count += 1
                turn = f"முறை_{self.count}"
                return f"{turn} = 0; ({turn} < {turns}) சுற்று {{\n{turn} = {turn} + 1;\n{self.block(body)}}}\n"
            case ("each", name, items, body):
                listing = ", ".join(map(self.expression, items))
                return f"ஒவ்வொரு {name} இல் [{listing}] {{\n{self.block(body)}}}\n"
            case ("try", body, name, handler, final):
                last = f" இறுதியில் {{\n{self.block(final)}}}" if final else ""
                return f"முயல் {{\n{self.block(body)}}} பிழை({name}) {{\n{name} = {name}.code;\n{self.block(handler)}}}{last}\n"
            case ("leave", how):
                return "நிறுத்து;\n" if how == "break" else "தொடர்;\n"
            case ("return", node):
                return f"திரும்பு {self.expression(node)};\n"
        raise AssertionError(statement)


def bodies(names: tuple[str, ...], callable_: tuple[str, ...], returning: bool) -> st.SearchStrategy[list[tuple]]:
    plain_node = st.one_of(
        st.tuples(st.just("name"), st.sampled_from(names)),
        expressions(simple, names),
        expressions(st.sampled_from(EDGES), names),
        arithmetic(names),
    )
    # Deferred, because a strategy that is named in many places has a very long name itself.
    node = st.deferred(lambda: plain_node)
    if callable_:
        node = st.deferred(
            lambda: plain_node | st.tuples(st.just("call"), st.sampled_from(callable_), plain_node, plain_node)
        )
    name = st.sampled_from(names)
    plain_ones = [
        st.tuples(st.just("set"), name, node),
        st.tuples(st.just("set"), name, node),
        st.tuples(st.just("print"), node),
        st.tuples(st.just("reset"), name),
    ]
    if returning:
        plain_ones.append(st.tuples(st.just("return"), node))
    base = st.lists(st.one_of(plain_ones), min_size=1, max_size=4)

    def larger(inner: st.SearchStrategy[list[tuple]]) -> st.SearchStrategy[list[tuple]]:
        looped = st.builds(
            lambda body, how: [*body, ("if", how[0], [("leave", how[1])], [])] if how else body,
            inner,
            st.none() | st.tuples(node, st.sampled_from(["break", "continue"])),
        )
        return st.lists(
            st.one_of(
                *plain_ones,
                st.tuples(st.just("if"), node, inner, inner | st.just([])),
                st.tuples(st.just("while"), st.integers(0, 3), looped),
                st.tuples(st.just("each"), name, st.lists(node, max_size=3), looped),
                st.tuples(st.just("try"), inner, name, inner | st.just([]), inner | st.just([])),
            ),
            min_size=1,
            max_size=4,
        )

    # No call stands inside a larger expression, so a model without scopes can evaluate it.
    return st.recursive(base, larger, max_leaves=5)


def interpreted(functions: dict[str, list[tuple]], body: list[tuple]) -> tuple[list[str], str]:
    model = Interpreter(functions)
    try:
        model.run(body, model.globals)
    except Stopped as stopped:
        return model.printed, str(stopped)
    return model.printed, ""


@pytest.mark.timeout(900)
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    first=bodies((*NAMED, "x", "y"), (), returning=True),
    second=bodies((*NAMED, "x", "y"), ("f",), returning=True),
    body=bodies(NAMED, ("f", "g"), returning=False),
)
def test_a_program_runs_as_its_interpreter_says(first, second, body) -> None:
    body = [*body, *(("print", ("name", name)) for name in NAMED)]
    lines, code = interpreted({"f": first, "g": second}, body)
    script = Script()
    start = "".join(f"{name} = {literal(value)};\n" for name, value in Interpreter({}).globals.items())
    text = (
        f"செயல் f(x, y) {{\n{script.block(first)}}}\nசெயல் g(x, y) {{\n{script.block(second)}}}\n"
        f"{start}{script.block(body)}"
    )
    output, fault = ran(text)
    assert fault == code, text
    assert output == "".join(line + "\n" for line in lines), text


@pytest.mark.timeout(900)
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=bodies(NAMED, (), returning=False))
def test_a_program_runs_alike_at_the_top_level_and_in_a_function(body) -> None:
    body = [*body, *(("print", ("name", name)) for name in NAMED)]
    lines, code = interpreted({}, body)
    start = "".join(f"{name} = {literal(value)};\n" for name, value in Interpreter({}).globals.items())
    whole = start + Script().block(body)
    for text in (whole, f"செயல் f() {{\n{whole}}}\nf();", f"f = செயல்() {{\n{whole}}};\nf();"):
        output, fault = ran(text)
        assert (output.splitlines(), fault) == (lines, code), text
