"""What compiling makes: a Python code object, and what the machine must know beside it.

A ``Program`` holds plain data only, so that it can be kept in a file. The format of a kept
program starts with a magic word, the format and Python version, and digests of every source
it was made from; whoever reads it back compares all of them (``open_kept``), and anything off
means that it is made again. Files are read and written by the roof, not here.
"""

from __future__ import annotations

import marshal
import sys
from types import CodeType

from etamil_actors import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing takes longer to import than all of this
    from typing import Any, NamedTuple
else:
    from etamil_actors.rows import NamedTuple


FILE_MARK = "<etamil>"
"""The file name in code objects of programs; how a frame of a program is told from ours."""

FORMAT = 10
"""Raised with every change of what compiled code expects of the machine, or the other way round."""
MAGIC = b"qmc1"
_TAG = f"{sys.implementation.cache_tag}-{sys.hexversion:x}-{__version__}-{FORMAT}".encode()
_HEAD = MAGIC + bytes([len(_TAG)]) + _TAG
_DIGEST = 20
_LINE_BITS = 20


PATH_PREFIX = "param_"
"""``:id`` in the path of a route is the variable ``param_id``."""

NO_PLACE = 0
"""The packed place of code that stands for nothing in the program; a trace leaves it out."""


def digest(data: bytes) -> bytes:
    """The fingerprint of a source file, or of a kept program."""
    try:
        from _blake2 import blake2b  # hashlib loads OpenSSL, which costs more than the whole cache
    except ImportError:
        from hashlib import blake2b
    return blake2b(data, digest_size=_DIGEST).digest()


def pack(file: int, line: int) -> int:
    """A file number and a line as one number, which Python carries as its line number."""
    return (file << _LINE_BITS) | line


def unpack(packed: int) -> tuple[int, int]:
    """The file number and the line."""
    return packed >> _LINE_BITS, packed & ((1 << _LINE_BITS) - 1)


class FieldRow(NamedTuple):
    """A field of a shape; see ``TypeName``."""

    name: str
    kind: str
    shape: str
    optional: bool
    element: FieldRow | None


class ShapeRow(NamedTuple):
    """A shape: its fields, and its methods with whether they take இது and how many parameters."""

    name: str
    fields: tuple[FieldRow, ...]
    methods: tuple[tuple[str, bool, int], ...]


class Declaration(NamedTuple):
    """A route, job, test … of a service. ``unit`` is the number of its body, −1 without one.

    ``name`` is the route's method, the seconds of an இடைவெளி, or what the declaration is called, as far as
    the text tells; ``path`` a route's path; ``place`` the packed file and line. ``is_inner`` marks a job
    that is not declared but started where the program comes past it; ``captures`` are the locals it takes
    along, ``reads`` all names that stand in it.
    ``takes`` tells how many values the body is given: 1 for a job that may consume a channel.
    """

    kind: str
    unit: int
    name: str
    path: str
    place: int
    is_inner: bool
    takes: int
    captures: tuple[str, ...]
    reads: tuple[str, ...]


class ChannelRow(NamedTuple):
    """A channel that the program makes: its name and transport, as far as the text tells."""

    name: str
    transport: str
    place: int


class AddressRow(NamedTuple):
    """Where the program says that it is served: texts, empty where it says nothing. ``is_written`` tells
    whether the text of the program alone tells it; else it is known only when the program runs."""

    host: str
    port: str
    is_written: bool
    place: int


class WordRow(NamedTuple):
    """A word of the runtime that stands at the top level, as the program spells it."""

    name: str
    place: int


class MessageRow(NamedTuple):
    """A message of an agent: the number of its body, and its parameters with their types."""

    name: str
    unit: int
    parameters: tuple[FieldRow, ...]


class AgentRow(NamedTuple):
    """An agent. ``state`` are the names it keeps, its parameters first; ``on_stop`` is the number
    of its நிறுத்தும்போது block, −1 without one."""

    name: str
    unit: int
    parameters: tuple[FieldRow, ...]
    state: tuple[str, ...]
    messages: tuple[MessageRow, ...]
    on_stop: int
    place: int


class Program(NamedTuple):
    """A compiled program."""

    code: CodeType
    files: tuple[str, ...]
    shared: tuple[str, ...]
    decimals: tuple[tuple[str, str], ...]
    types: tuple[FieldRow, ...]
    shapes: tuple[ShapeRow, ...]
    declared: tuple[Declaration, ...]
    channels: tuple[ChannelRow, ...]
    addresses: tuple[AddressRow, ...]
    agents: tuple[AgentRow, ...]
    keeps_functions: bool
    """Whether a variable can hold a function; not so when they are only called or lent to builtins."""
    counted: bool
    serves: bool
    """Does it use words that only the actors of a running service answer?"""
    top_words: tuple[WordRow, ...]
    """Jobs, channels, locks and agents at the top level, which has to run once and no more for them."""

    def place_of(self, packed: int) -> tuple[str, int]:
        """The file's name and the line of a packed place."""
        file, line = unpack(packed)
        return self.files[file], line


def keep(program: Program, digests: tuple[tuple[str, bytes], ...]) -> bytes:
    """The bytes of a kept program. ``digests`` name every file it was made from."""
    body = marshal.dumps((digests, _plain(program)))  # type: ignore[arg-type]
    return _HEAD + digest(body) + body


def open_kept(data: bytes) -> tuple[tuple[tuple[str, bytes], ...], Program] | None:
    """What ``keep`` made, or None when these bytes are anything else."""
    start = len(_HEAD) + _DIGEST
    body = data[start:]
    # A flipped bit in bytecode can bring the interpreter down, so the body is compared first.
    if not data.startswith(_HEAD) or digest(body) != data[len(_HEAD) : start]:
        return None
    try:
        digests, parts = marshal.loads(body)
        return digests, _program(parts)
    except (ValueError, EOFError, TypeError):
        return None


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return tuple(_plain(item) for item in value)
    return value


def _program(parts: tuple[Any, ...]) -> Program:
    code, files, shared, decimals, types, shapes, declared, *rest = parts
    channels, addresses, agents, keeps_functions, counted, serves, top_words = rest
    if not isinstance(code, CodeType) or not isinstance(serves, bool):
        raise TypeError("no program")
    return Program(
        code,
        files,
        shared,
        decimals,
        tuple(_row(type) for type in types),
        tuple(
            ShapeRow(name, tuple(_row(field) for field in fields), methods)
            for name, fields, methods in shapes
        ),
        tuple(Declaration(*row) for row in declared),
        tuple(ChannelRow(*row) for row in channels),
        tuple(AddressRow(*row) for row in addresses),
        tuple(_agent(row) for row in agents),
        keeps_functions,
        counted,
        serves,
        tuple(WordRow(*row) for row in top_words),
    )


def _agent(parts: tuple[Any, ...]) -> AgentRow:
    name, unit, parameters, state, messages, on_stop, place = parts
    return AgentRow(
        name,
        unit,
        _rows(parameters),
        state,
        tuple(MessageRow(word, body, _rows(fields)) for word, body, fields in messages),
        on_stop,
        place,
    )


def _rows(parts: tuple[Any, ...]) -> tuple[FieldRow, ...]:
    return tuple(_row(field) for field in parts)


def _row(parts: tuple[str, str, str, bool, Any]) -> FieldRow:
    name, kind, shape, optional, element = parts
    return FieldRow(name, kind, shape, optional, _row(element) if element is not None else None)
