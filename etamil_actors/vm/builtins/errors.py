"""Failing and recovering: ``பிழை_எழுப்பு``, and the record that ``பிழை(e)`` gets.

A caught error is an ordinary record with exactly six keys (EXTENSIONS §3), so a program may
copy it, log it, send it away and raise it again. The trace is therefore kept as texts. They are
written so that they can be read back: raising a caught error again finds its frames, and the
errors that came before it, in the record alone.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NoReturn

from etamil_actors.errors import Fault, Frame
from etamil_actors.vm.builtins.registry import implements
from etamil_actors.vm.convert import kind_of, text_of
from etamil_actors.vm.values import BuiltinFunction, Err, Function, Handle, Ok, TwoNamed, Value

NAMES = {
    "குறி": "code",
    "செய்தி": "message",
    "வரி": "line",
    "நிகழ்விடம்": "place",
    "விவரம்": "details",
    "தடம்": "trace",
}

TRACE_LINES = 1000
"""A caught error shows no more lines of trace than calls can nest."""

BEFORE = "← "
"""Stands in front of an error that another one has replaced; its own lines follow."""


def failed(tamil: str, english: str) -> Err:
    """A தவறு that holds a text in both languages."""
    return Err(f"{tamil}  ({english})")


def caught_record(fault: Fault) -> TwoNamed:
    """What a program sees of an error that it caught."""
    innermost = fault.trace[0] if fault.trace else None
    return TwoNamed(
        {
            "code": fault.code,
            "message": fault.message,
            "line": innermost.line if innermost else None,
            "place": _place(innermost) if innermost else "",
            "details": {name: _as_value(value) for name, value in fault.details.items()},
            "trace": _trace_texts(fault),
        },
        NAMES,
    )


@implements("_raise", raw=True)
def raise_error(code: Value, message: Value = "", details: Value = None, *rest: Value) -> NoReturn:
    """Raise an error of the program's own, or a caught one again."""
    if isinstance(code, dict):
        _raise_again(_fault_of_record(code))
    if details is not None and not isinstance(details, dict):
        raise Fault(
            "value.kind",
            name="பிழை_எழுப்பு",
            wanted_ta="விவரங்களாக ஒரு பொருள்",
            wanted_en="a record of details",
            kind=kind_of(details),
        )
    raise _of_program(text_of(code), text_of(message), dict(details or {}))


def _raise_again(fault: Fault) -> NoReturn:
    """Raise an error that may be the very one being handled; then it has not replaced itself."""
    try:
        raise fault
    except Fault:
        handled = fault.__context__
        if isinstance(handled, Fault) and list(handled.trace) == list(fault.trace):
            fault.__context__ = handled.__context__
        raise


def _of_program(code: str, message: str, details: dict[str, Value]) -> Fault:
    tamil, english = _two_languages(message)
    return Fault(code or "raised", tamil=tamil, english=english, details=details)


def _two_languages(message: str) -> tuple[str, str]:
    """Take apart what ``Fault.message`` joins, for answers in the language of a client."""
    tamil, space, english = message.partition("  (")
    if space and english.endswith(")"):
        return tamil, english[:-1]
    return message, message


# ── a caught error and back ─────────────────────────────────────────────────────────────────────────


def _fault_of_record(record: dict[str, Value]) -> Fault:
    details = _field(record, None, "details")
    fault = _of_program(
        text_of(_field(record, "raised", "code")),
        text_of(_field(record, "", "message")),
        dict(details) if isinstance(details, dict) else {},
    )
    trace = _field(record, None, "trace")
    if isinstance(trace, list):
        _restore_trace(fault, [text_of(line) for line in trace])
    return fault


def _field(record: dict[str, Value], default: Value, key: str) -> Value:
    if key in record:
        return record[key]
    return next((record[name] for name in NAMES if NAMES[name] == key and name in record), default)


def _trace_texts(fault: Fault) -> list[Value]:
    """The program's calls, innermost first, then the error that this one replaced, and so on."""
    texts: list[Value] = []
    current: Fault | None = fault
    while current is not None:
        texts.extend(_frame_text(frame) for frame in current.trace)
        current = current.earlier
        if len(texts) >= TRACE_LINES:
            return [*texts[:TRACE_LINES], "…"]
        if current is not None:
            texts.append(f"{BEFORE}{current.code}: {current.message}")
    return texts


def _restore_trace(fault: Fault, texts: list[str]) -> None:
    frames: list[Frame] = []
    for text in texts:
        if text.startswith(BEFORE):
            fault.trace = tuple(frames)
            code, _, message = text[len(BEFORE) :].partition(": ")
            fault.earlier = _of_program(code, message, {})
            fault, frames = fault.earlier, []
        else:
            frame = _frame(text)
            if frame is not None:
                frames.append(frame)
    fault.trace = tuple(frames)


def _place(frame: Frame) -> str:
    return f"{frame.file}:{frame.line}:{frame.column}"


def _frame_text(frame: Frame) -> str:
    return f"{_place(frame)} {frame.function}".rstrip()


def _frame(text: str) -> Frame | None:
    """Read back what ``_frame_text`` wrote. A name of the language holds no space."""
    place, _, function = text.rpartition(" ")
    return _frame_at(place, function) or _frame_at(text, "")


def _frame_at(place: str, function: str) -> Frame | None:
    file, *numbers = place.rsplit(":", 2)
    if len(numbers) == 2 and all(number.isdecimal() and len(number) < 10 for number in numbers):
        return Frame(file, int(numbers[0]), int(numbers[1]), function)
    return None


def _as_value(thing: object) -> Value:
    """What the runtime noted about an error, as a value of a program."""
    if thing is None or isinstance(thing, (str, bool, int, Decimal, list, dict, Ok, Err)):
        return thing
    if isinstance(thing, (Function, BuiltinFunction, Handle)):
        return thing
    return [_as_value(part) for part in thing] if isinstance(thing, tuple) else str(thing)
