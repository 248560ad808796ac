"""Text that enters a program as something else: the query, the path and the forms of a request.

What travels there is text only, so where the program says a type, text is converted to it (EXTENSIONS §9);
what then still does not fit, ``entering.py`` refuses. JSON has types of its own and never comes here.

- a number: as ``எண்_ஆக்கு`` reads one, or as JSON does (``1e5``);
- a boolean: ``true`` ``false``, ``மெய்`` ``பொய்``, ``1`` ``0``;
- an array: every value of a repeated name, in their order;
- a shape: its fields by their names. An empty text for an optional field that is no text is இன்மை.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from etamil_actors.vm.builtins.json import NotJson, read_number
from etamil_actors.vm.number import parse_number
from etamil_actors.vm.values import FieldInfo, ShapeInfo, Value

JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,400})(?:\.[0-9]{1,400})?[eE][+-]?[0-9]{1,4}")

TRUE = frozenset(("true", "மெய்", "1"))
FALSE = frozenset(("false", "பொய்", "0"))


def converted(info: FieldInfo, pairs: Iterable[tuple[str, str]], shapes: Mapping[str, ShapeInfo]) -> Value:
    """Names and texts as a value of this type, as far as it goes. A name that comes again counts last."""
    texts: dict[str, list[str]] = {}
    for name, text in pairs:
        texts.setdefault(name, []).append(text)
    shape = shapes.get(info.shape) if info.kind == "Shape" else None
    element = info.element if info.kind == "Record" else None
    record: dict[str, Value] = {}
    for name, values in texts.items():
        field = shape.fields.get(name) if shape is not None else element
        record[name] = values[-1] if field is None else _as(field, values)
    return record


def _as(info: FieldInfo, texts: Sequence[str]) -> Value:
    if info.kind == "Array":
        element = info.element
        return [text if element is None else _one(element, text) for text in texts]
    return _one(info, texts[-1])


def _one(info: FieldInfo, text: str) -> Value:
    if info.kind == "Text" or not info.kind:
        return text
    if text == "" and info.optional:
        return None
    if info.kind == "Number":
        number = parse_number(text)
        if number is None and JSON_NUMBER.fullmatch(text) is not None:
            try:
                number = read_number(text)
            except NotJson:
                return text
        return text if number is None else number
    if info.kind == "Boolean":
        return True if text in TRUE else False if text in FALSE else text
    return text
