"""JSON text to values and back (REFERENCE §21), without losing a digit.

msgspec does the work, and this module guards the places where it is not the language: numbers
are read as exact decimals and must fit, nesting has a limit of our own instead of Python's,
tiny numbers are written without an exponent, and a value that shares its parts so cleverly that
its text would fill the memory ends the activity instead. Of the libraries that were measured
only msgspec keeps decimals exact at full speed.

msgspec is imported with the first use; a program without JSON does not pay for it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from etamil_actors.vm.builtins.errors import failed
from etamil_actors.vm.builtins.registry import implements
from etamil_actors.vm.limits import ELEMENTS, VALUE_BYTES, admit_array, admit_text, too_large
from etamil_actors.vm.number import MAX_MANTISSA, MAX_SCALE, scaled_text
from etamil_actors.vm.values import Err, Number, Ok, Shaped, TwoNamed, Value

DEPTH: Final = 500
"""Arrays and objects may nest this deep in a text that is read."""

CONTAINERS: Final = frozenset({list, dict, Shaped, TwoNamed})
MANY: Final = 1000
FEW: Final = 32

FAST_DEPTH: Final = 100
"""Values that nest deeper are written by our own slower writer, which needs no recursion."""

DIGITS: Final = bytes.maketrans(b"123456789", b"000000000")
LONG_DIGITS: Final = b"0" * 29
"""A whole number can be too large only when it has at least as many digits."""

SQUARE: Final = bytes.maketrans(b"{}", b"[]")
NOT_STRUCTURE: Final = bytes(set(range(256)) - set(b'[]{}"'))
TOO_MANY: Final = b"[" * (DEPTH + 1)

REASONS: Final = (
    ("truncated", "உரை பாதியில் முடிகிறது", "the text ends too early"),
    ("trailing characters", "மதிப்புக்குப் பிறகும் எழுத்துகள் உள்ளன", "there is more after the value"),
    ("trailing comma", "மிகையான காற்புள்ளி", "a comma too many"),
    ("invalid number", "எண் சரியாக எழுதப்படவில்லை", "a number is not well written"),
    ("surrogate", "துணையற்ற பதிலிக் குறி", "a surrogate without its partner"),
    ("escape", "தெரியாத விடுபடு குறி", "an unknown escape"),
    ("expected", "எதிர்பாராத எழுத்து", "an unexpected character"),
    ("invalid character", "எதிர்பாராத எழுத்து", "an unexpected character"),
    ("key", "புலத்தின் பெயர் ஓர் உரையாக இருக்க வேண்டும்", "a key must be a string"),
)
"""How msgspec puts it, and how we do."""


class NotJson(Exception):
    """The text is no JSON, in words of both languages."""

    def __init__(self, tamil: str, english: str) -> None:
        super().__init__(english)
        self.tamil = tamil
        self.english = english


@implements("_jsonParse")
def json_parse(text: str) -> Ok | Err:
    """``ஜேசான்_படி``: JSON text to a value."""
    try:
        return Ok(parse_json(text))
    except NotJson as problem:
        return failed(problem.tamil, problem.english)


@implements("_jsonStringify")
def json_stringify(value: Value) -> str:
    """``ஜேசான்_ஆக்கு``: a value to compact JSON text with sorted keys."""
    return json_text(value)


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────


def parse_json(text: str) -> Value:
    """The value that a JSON text means.

    Raises:
        NotJson: the text is not exactly one JSON value, or holds a number that does not fit.
    """
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise NotJson("துணையற்ற பதிலிக் குறி", "a surrogate without its partner") from None
    return parse_json_bytes(data)


def parse_json_bytes(data: bytes) -> Value:
    """The value that a JSON text in UTF-8 means.

    Raises:
        NotJson: the text is not exactly one JSON value, or holds a number that does not fit.
        UnicodeDecodeError: it is no UTF-8.
    """
    from msgspec import DecodeError

    if data.count(b"[") + data.count(b"{") > DEPTH and _nests_too_deep(data):
        raise _too_deep()
    try:
        value = _decoder().decode(data)
    except DecodeError as problem:
        raise _explained(str(problem), data) from None
    except RecursionError:
        raise _too_deep() from None
    if len(data) > 2 * ELEMENTS or LONG_DIGITS in data.translate(DIGITS):
        _examine(value)
    return value


def _nests_too_deep(data: bytes) -> bool:
    """Do brackets nest deeper than ``DEPTH``, at least up to the first mistake in the text?

    The decoder recurses in C and would go as deep as the machine lets Python go, which is
    further than the stack of a thread reaches. Hence this look before: what is neither bracket
    nor quote is taken out, then the texts, and then the innermost pairs of brackets, as often as
    there are levels. All of it is done by searches that run in C; walking through the text
    would take longer than reading it.
    """
    plain = data.replace(rb"\\", b"").replace(rb"\"", b"") if b"\\" in data else data
    brackets = plain.translate(SQUARE, NOT_STRUCTURE).replace(b'""', b"")
    if b'"' in brackets:
        # Some text has a bracket in it. Every other piece between quotes is a text.
        brackets = b"".join(plain.split(b'"')[::2]).translate(SQUARE, NOT_STRUCTURE)
    for peeled in range(DEPTH + 1):
        if TOO_MANY in brackets:
            return True
        inner = brackets.replace(b"[]", b"")
        if len(inner) == len(brackets):
            # Nothing is left of a sound text; of another one, what was opened and never closed.
            return brackets.count(b"[") + peeled > DEPTH
        brackets = inner
    return True


def _decoder() -> Any:
    global _DECODER
    if _DECODER is None:
        from msgspec.json import Decoder

        _DECODER = Decoder(float_hook=read_number)
    return _DECODER


_DECODER: Any = None


def read_number(digits: str) -> Number:
    """The exact decimal that a JSON number means; ``digits`` is known to be well formed.

    Raises:
        NotJson: it does not fit without losing a digit.
    """
    if len(digits) < 30 and "e" not in digits and "E" not in digits:
        number = Decimal(digits)
        return number or number.copy_abs()
    return _read_long_number(digits)


def _read_long_number(written: str) -> Number:
    mantissa, _, exponent = written.lower().partition("e")
    whole, _, decimals = mantissa.lstrip("-").partition(".")
    scale = len(decimals) - _exponent(exponent)
    digits = (whole + decimals).lstrip("0")
    if not digits:
        return _number("0", min(max(scale, 0), MAX_SCALE))
    sign = "-" if written[0] == "-" else ""
    # Zeros at the end may go when only they are in the way, and no more of them than that.
    spare = min(len(digits) - len(digits.rstrip("0")), max(scale, 0))
    for most in (29, 28):
        drop = min(spare, max(scale - MAX_SCALE, len(digits) - most, 0))
        kept, places = digits[: len(digits) - drop], scale - drop
        if places < 0 and len(kept) - places <= 29:
            kept, places = kept + "0" * -places, 0
        if 0 <= places <= MAX_SCALE and len(kept) <= 29 and int(kept) <= MAX_MANTISSA:
            return _number(sign + kept, places)
    raise _does_not_fit()


def _exponent(text: str) -> int:
    """An exponent, cut to what matters: no text is long enough to make up for more."""
    negative = text.startswith("-")
    digits = text.lstrip("+-").lstrip("0")
    size = int(digits or "0") if len(digits) <= 12 else 10**12
    return -size if negative else size


def _number(digits: str, scale: int) -> Number:
    return Decimal(f"{digits}E-{scale}") if scale else int(digits)


def _examine(value: Value) -> None:
    """Look at every part of a value that may hold too large a number or too long an array."""
    left = [value]
    while left:
        part = left.pop()
        kind = type(part)
        if kind is list:
            admit_array(len(part))
            left.extend(part)
        elif kind is dict:
            left.extend(part.values())
        elif kind is int and not -MAX_MANTISSA <= part <= MAX_MANTISSA:
            raise _does_not_fit()


def _does_not_fit() -> NotJson:
    return NotJson("ஓர் எண் எல்லைக்குள் அடங்கவில்லை", "a number does not fit")


def _too_deep() -> NotJson:
    return NotJson(
        f"அணிகளும் பொருள்களும் {DEPTH} நிலைகளை விட ஆழமாக உள்ளன",
        f"arrays and objects nest deeper than {DEPTH} levels",
    )


def _explained(problem: str, data: bytes) -> NotJson:
    """msgspec's complaint in our words, with the place as a reader counts it."""
    if "out of range" in problem:
        return _does_not_fit()
    tamil, english = next(
        ((tamil, english) for part, tamil, english in REASONS if part in problem),
        ("எழுத்து எதிர்பார்த்தபடி இல்லை", "not well formed"),
    )
    offset = problem.rpartition("(byte ")[2].rstrip(")")
    before = data[: int(offset)] if offset.isdecimal() else data
    line = before.count(b"\n") + 1
    column = len(before.rpartition(b"\n")[2].decode("utf-8", "ignore")) + 1
    return NotJson(
        f"ஜேசான் அல்ல: வரி {line}, நெடுவரிசை {column}: {tamil}",
        f"no JSON: line {line}, column {column}: {english}",
    )


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────


def json_text(value: Value) -> str:
    """A value as JSON text, whatever it is.

    Raises:
        BudgetSpent: the text would be longer than a value may be.
    """
    data = _written_fast(value)
    return _write(value) if data is None else data.decode()


def json_bytes(value: Value) -> bytes:
    """The same as it travels. What UTF-8 cannot say becomes ‘?’."""
    data = _written_fast(value)
    return _write(value).encode("utf-8", "replace") if data is None else data


def _written_fast(value: Value) -> bytes | None:
    """The text as bytes, or nothing where only the slow writer will do."""
    if not _is_small(value) and _measured_depth(value) > FAST_DEPTH:
        return None
    try:
        data: bytes = _encoder().encode(value)
    except (RecursionError, UnicodeEncodeError):
        # Called from deep inside the program; the slow writer needs no room, and takes any text.
        return None
    # It writes tiny numbers as 1E-7. The two characters inside a text do no harm here.
    if b"E-" in data:
        return None
    admit_text(len(data))
    return data


def _encoder() -> Any:
    global _ENCODER
    if _ENCODER is None:
        from msgspec.json import Encoder

        _ENCODER = Encoder(decimal_format="number", order="sorted", enc_hook=_nothing)
    return _ENCODER


_ENCODER: Any = None


def _nothing(_: object) -> None:
    """Results, functions and handles have no JSON."""


def _is_small(value: Value) -> bool:
    """Is it a record of a few short plain values, as most answers are?"""
    if type(value) is not dict or len(value) > FEW:
        return False
    for part in value.values():
        if type(part) in CONTAINERS or (type(part) is str and len(part) > MANY):
            return False
    return True


def _measured_depth(value: Value) -> int:
    """How deep a value nests; also refuses one whose text would be too long.

    Copies share their parts, so ``x = [x, x]`` forty times over is a small value with a text of
    a terabyte. Walking level by level finds that out: shared parts make a level grow, and then
    each is looked at only once.
    """
    depth = size = 0
    level: list[Value] = [value]
    while level:
        inner: list[Value] = []
        for container in level:
            if isinstance(container, dict):
                size += len("".join(container)) + 4 * len(container)
                parts: Any = container.values()
            else:
                parts = container if isinstance(container, list) else (container,)
            size += len(parts) + 2
            for part in parts:
                kind = type(part)
                if kind is str:
                    size += len(part)
                elif kind in CONTAINERS:
                    inner.append(part)
        if size > VALUE_BYTES:
            raise too_large()
        if len(inner) > MANY and len(set(map(id, inner))) < len(inner):
            return _measured_depth_of_shared(value)
        level = inner
        depth += 1
    return depth


def _measured_depth_of_shared(value: Value) -> int:
    """The same, counting a part that occurs more than once on a level as often as it does."""
    depth = size = 0
    level: dict[int, tuple[Value, int]] = {0: (value, 1)}
    while level:
        inner: dict[int, tuple[Value, int]] = {}
        for container, times in level.values():
            parts = container
            if isinstance(container, dict):
                size += times * (len("".join(container)) + 4 * len(container))
                parts = container.values()
            size += times * (len(parts) + 2)
            for part in parts:
                kind = type(part)
                if kind is str:
                    size += times * len(part)
                elif kind in CONTAINERS:
                    seen = inner.get(id(part))
                    inner[id(part)] = (part, times if seen is None else times + seen[1])
        if size > VALUE_BYTES:
            raise too_large()
        level = inner
        depth += 1
    return depth


class _Piece(str):
    """Finished text, to be told from a text that is a value."""

    __slots__ = ()


def _write(value: Value) -> str:
    """The slow writer: a stack of what is still to be written, last first."""
    from json.encoder import encode_basestring as quoted

    pieces: list[str] = []
    left: list[Value] = [value]
    while left:
        part = left.pop()
        if type(part) is _Piece:
            pieces.append(part)
        elif isinstance(part, str):
            pieces.append(quoted(part))
        elif part is None or isinstance(part, bool):
            pieces.append({None: "null", True: "true", False: "false"}[part])
        elif isinstance(part, (int, Decimal)):
            pieces.append(scaled_text(part))
        elif isinstance(part, dict):
            left.append(_Piece("}"))
            for key in sorted(part, reverse=True):
                left += (part[key], _Piece(quoted(key) + ":"), _Piece(","))
            left[-1:] = [_Piece("{")] if part else [_Piece("}"), _Piece("{")]
        elif isinstance(part, list):
            left.append(_Piece("]"))
            for element in reversed(part):
                left += (element, _Piece(","))
            left[-1:] = [_Piece("[")] if part else [_Piece("]"), _Piece("[")]
        else:
            pieces.append("null")
    text = "".join(pieces)
    admit_text(len(text))
    return text
