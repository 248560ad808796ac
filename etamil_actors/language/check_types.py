"""What the checker knows about a value, and whether it fits what was declared (REFERENCE §10.1).

A ``Known`` is what is certain about an expression: it is a number, it is a record of the shape
புள்ளி. Most expressions are *unknown* (``None``), and what is unknown fits everything: the
checker objects only when it knows. The same class stands for a declared type, so that fitting
is a comparison of two of them. Nothing here walks a tree; ``checker.py`` does.
"""

from __future__ import annotations

from collections.abc import Container, Sequence

from etamil_actors.language import nodes
from etamil_actors.language.keywords import WORDS, keyword_of
from etamil_actors.language.romanise import romanise


class Known:
    """A kind of value: ``kind`` as in ``nodes.TypeName``, the ``name`` of a shape, and for
    arrays what is declared (``element``) or written out (``items``) about the elements."""

    __slots__ = ("element", "items", "kind", "name")

    def __init__(
        self,
        kind: str,
        name: str = "",
        element: Known | None = None,
        items: Sequence[Known | None] | None = None,
    ) -> None:
        self.kind = kind
        self.name = name
        self.element = element
        self.items = items


NUMBER = Known("Number")
TEXT = Known("Text")
BOOLEAN = Known("Boolean")
ARRAY = Known("Array")
RECORD = Known("Record")
FUNCTION = Known("Function")
DATE = Known("Date")

_SIMPLE = {known.kind: known for known in (NUMBER, TEXT, BOOLEAN, ARRAY, RECORD, FUNCTION, DATE)}

_FITS = frozenset({("Number", "Text"), ("Number", "Date"), ("Text", "Date"), ("Shape", "Record")})
"""(given, declared) pairs that fit although they differ (REFERENCE §9.2)."""

_TAKES_ZERO = frozenset({"Number", "Text", "Date"})

TEXT_TYPE = frozenset(next(word.spellings for word in WORDS if word.word == "String"))
"""சரம் is the text type where a type stands, unless a shape is called so (EXTENSIONS §2)."""


def declared_by(type: nodes.TypeName, shapes: Container[str]) -> Known | None:
    """What a written type declares; ``None`` when it names no shape."""
    name = type.name or type.written
    if type.kind == "Shape" or (name in TEXT_TYPE and name in shapes):
        return Known("Shape", name) if name in shapes else TEXT if name in TEXT_TYPE else None
    if type.element is None:
        return _SIMPLE[type.kind]
    return Known(type.kind, "", declared_by(type.element, shapes))


def read_as(declared: Known | None) -> Known | None:
    """What is known when a name declared so is read: a date counts as text."""
    return TEXT if declared is DATE else declared


def fits(given: Known | None, declared: Known | None) -> bool:
    """Whether a value may be stored under the declared type; what is unknown may."""
    if given is None or declared is None:
        return True
    if given.kind != declared.kind:
        return (given.kind, declared.kind) in _FITS
    if given.kind == "Shape":
        return given.name == declared.name
    if declared.element is None:
        return True
    if given.items is not None:
        return all([fits(item, declared.element) for item in given.items])
    return fits(read_as(given.element), declared.element)


def takes_zero(declared: Known | None) -> bool:
    """Whether a declaration without a value is possible: it stores 0."""
    return declared is None or declared.kind in _TAKES_ZERO


def misfit(value: nodes.Node, given: Known, declared: Known) -> tuple[nodes.Node | None, Known]:
    """The element that does not fit, when an array is written out, and what it is.

    ``None`` stands for the value as a whole.
    """
    if type(value) is nodes.Array and given.items is not None and declared.kind == "Array":
        for item, known in zip(value.items, given.items, strict=True):
            if known is not None and not fits(known, declared.element):
                assert declared.element is not None, "without an element type every item fits"
                deeper, what = misfit(item, known, declared.element)
                return deeper or item, what
    return None, given


# ---- in words -------------------------------------------------------------------------

_DECLARED = {
    "Number": ("எண்", "number"),
    "Text": ("உரை", "text"),
    "Boolean": ("ஈர்ம", "boolean"),
    "Array": ("அணி", "array"),
    "Record": ("பொருள்", "record"),
    "Date": ("தேதி", "date"),
    "Function": ("செயல்", "function"),
}
"""The word of the language and the English one for each kind; as typed it may be another."""

_GIVEN = {
    "Number": ("ஓர் எண்", "a number"),
    "Text": ("ஓர் உரை", "a text"),
    "Boolean": ("மெய் அல்லது பொய்", "a boolean"),
    "Array": ("ஓர் அணி", "an array"),
    "Record": ("ஒரு பொருள்", "a record"),
    "Date": ("ஒரு தேதி", "a date"),
    "Function": ("ஒரு செயல்", "a function"),
}


def declared_words(type: nodes.TypeName) -> str:
    """A declared type in Tamil, romanised and in English: ``எண் (eN, number)``."""
    tamil, roman, english = _three(type)
    return f"{tamil} ({roman}, {english})"


def _three(type: nodes.TypeName) -> tuple[str, str, str]:
    if type.kind == "Shape":
        tamil, english = type.name, "text" if type.name in TEXT_TYPE else "shape"
        roman = romanise(tamil)
    else:
        tamil, english = _DECLARED[type.kind]
        tamil, roman = _spellings(type.written) or (tamil, romanise(tamil))
    if type.element is not None:
        parts = _three(type.element)
        tamil, roman = f"{tamil}<{parts[0]}>", f"{roman}<{parts[1]}>"
        english = f"{english} of {parts[2]}"
    return tamil, roman, english


def _spellings(written: str) -> tuple[str, str] | None:
    """The Tamil and the romanised spelling of a type keyword as typed."""
    word = keyword_of(written)
    return (word.tamil, word.roman[0]) if word else None


def known_words(known: Known) -> tuple[str, str]:
    """What was given, in Tamil and English."""
    if known.kind == "Shape":
        return f"‘{known.name}’ வடிவப் பொருள்", f"a record of the shape ‘{known.name}’"
    tamil, english = _GIVEN[known.kind]
    if known.element is not None:
        of = known.element
        word, of_word = (of.name, of.name) if of.kind == "Shape" else _DECLARED[of.kind]
        return f"{tamil} (உறுப்பு: {word})", f"{english} of {of_word}"
    return tamil, english


def given_words(value: nodes.Node, given: Known, declared: Known) -> tuple[str, str]:
    """What was given for a declared type; of an array the element that is the reason."""
    element, known = misfit(value, given, declared)
    tamil, english = known_words(known)
    if element is None:
        return tamil, english
    return f"{tamil} உள்ள அணி", f"an array holding {english}"
