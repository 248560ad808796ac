"""A checked tree becomes one Python code object.

The code object, executed once per program, defines one function ``machine(M)``. Calling that
makes one *instance* of the program: the functions below it are closures over the instance's
shared names, so two instances share code and constants but no variable.

```
machine(M)
├─ tick, print_, service …     what the machine offers, as fast closure names
├─ flag, limit                 the end of a slice; the depth of calls
├─ g_…                         global names that more than one unit touches
├─ f_name, i_name              functions; the version for whole numbers
├─ l_12(captured…)             makers of lambdas
├─ top, b_3                    the top level; bodies that run later
└─ save, restore, …            the instance's state as one tuple
```

A place of the program is packed into Python's line number (``pack``): a file number and a line,
so that statements of imported files keep their place although they became one function.
"""

from __future__ import annotations

import ast
import sys
import warnings
from bisect import bisect_right
from collections.abc import Iterator
from decimal import Decimal
from types import CodeType

from etamil_actors.language import nodes
from etamil_actors.language.builtins import BUILTIN_OF, Builtin
from etamil_actors.language.compiler.emit import Emitter
from etamil_actors.language.compiler.inference import Inference, Version
from etamil_actors.language.compiler.statements import Statements
from etamil_actors.language.compiler.units import AGENT, BODY, FUNCTION, MESSAGE, TOP, Unit, Units, find_units
from etamil_actors.language.options import canonical_option, canonical_value
from etamil_actors.language.program import (
    FILE_MARK,
    NO_PLACE,
    AddressRow,
    AgentRow,
    ChannelRow,
    Declaration,
    FieldRow,
    MessageRow,
    Program,
    ShapeRow,
    WordRow,
    pack,
)
from etamil_actors.language.source import SourceMap, clusters
from etamil_actors.language.transports import MEMORY, TRANSPORT_OF

_FROM_MACHINE = (
    "tick",
    "deep",
    "print_",
    "service",
    "declare",
    "caught",
    "call_method",
    "call_value",
    "call_variable",
    "builtin_value",
    "agent_value",
    "start_agent",
    "body_value",
    "open_block",
    "choose",
    "iterate",
    "finish",
    "read_input",
    "open_file",
    "close_file",
    "read_file",
    "count_rows",
    "append_line",
    "not_in_block",
    "final_begins",
    "final_ends",
    # Asked so often that the faster closure names are worth their place.
    "type_",
    "int_",
    "str_",
    "list_",
    "dict_",
    "refs",
    "len_",
    "out_of_steps",
    "undefined",
    "unknown_call",
)


_SERVED_CALLS = frozenset(("choose", "start_agent", "agent_value"))
_CALLS_BY_KEY = frozenset(("service", "open_block", "builtin_value"))
_SERVED_GROUPS = frozenset((
    "tasks", "jobs", "channels", "locks", "agents", "auth", "cache", "databases", "redis", "registry",
    "settings", "web",
))  # fmt: skip
_SERVED_WORDS = frozenset(("_breaker",))
_ALONE = frozenset(("_sleep", "_dev", "_requireRole"))
"""Words of those groups that a plain run does by itself."""
_SERVED_STATEMENTS = frozenset(("db.connect", "db.disconnect", "db.query", "db.execute"))


def is_served(key: str) -> bool:
    """Does this builtin need the actors of a running service? A mere உறங்கு does not."""
    builtin = BUILTIN_OF.get(key)
    if builtin is None or key in _ALONE:
        return key in _SERVED_STATEMENTS
    return builtin.group in _SERVED_GROUPS or key in _SERVED_WORDS


def generate(
    module: nodes.Module,
    sources: SourceMap,
    *,
    known: frozenset[str] = frozenset(),
    keep: bool = False,
    counted: bool = False,
) -> Program:
    """Write the program.

    ``known`` are global names that exist already and ``keep`` makes all global names readable
    afterwards (both for the shell). ``counted`` code counts steps one by one.

    Raises:
        RecursionError, SyntaxError: the program nests deeper than CPython can compile.
    """
    before = sys.getrecursionlimit()
    # Long postfix chains and ladders are deep trees; both our walks and CPython's need the room.
    sys.setrecursionlimit(max(before, _DEEPEST))
    try:
        units = find_units(module, known, keep)
        return _Generator(units, sources, known, counted).program()
    finally:
        sys.setrecursionlimit(before)


_DEEPEST = 12_000


class _Places:
    """Positions to file, line and column as a reader sees them, quickly."""

    def __init__(self, sources: SourceMap) -> None:
        self.sources = sources
        self.numbers = {id(source): number for number, source in enumerate(sources.sources)}
        self._columns: dict[tuple[int, int], list[int]] = {}

    def of(self, position: int) -> tuple[int, int]:
        source = self.sources.find(position)
        number = self.numbers[id(source)]
        line = source.line_of(position)
        column = source.code_column(position) - 1
        starts = self._columns.get((number, line))
        if starts is None:
            text = source.line_text(line)
            starts = []
            if not text.isascii():
                offset = 0
                for cluster in clusters(text):
                    starts.append(offset)
                    offset += len(cluster)
            self._columns[number, line] = starts
        if starts:
            column = (
                bisect_right(starts, column) - 1
                if column <= starts[-1]
                else len(starts) - (column == starts[-1])
            )
        return pack(number, line), max(column, 0)


class _Writer(Statements):
    """Writes one version of one unit."""

    def __init__(self, generator: _Generator, version: Version) -> None:
        super().__init__(generator.inference, version, generator.counted)
        self.generator = generator

    def whole_unit(self, name: str, parameters: list[str]) -> ast.stmt:
        written = super().whole_unit(name, parameters)
        self.generator.keeps_functions |= self.keeps_functions
        return written

    def go_to(self, node: nodes.Node) -> None:
        places = self.generator.places
        self.line, self.column = places.of(node.start)
        self.end_line, self.end_column = self.line, self.column + 1

    def decimal(self, value: Decimal) -> ast.expr:
        return self.name(self.generator.decimal(value))

    def type_value(self, type: nodes.TypeName) -> ast.expr:
        return self.name(self.generator.type_row(type))

    def builtin_name(self, builtin: Builtin) -> str:
        self.generator.builtins.setdefault(builtin.english, None)
        return "B" + builtin.english


class _Generator(Emitter):
    def __init__(self, units: Units, sources: SourceMap, known: frozenset[str], counted: bool) -> None:
        super().__init__()
        self.units = units
        self.sources = sources
        self.counted = counted
        self.places = _Places(sources)
        self.inference = Inference(units, known)
        self.decimals: dict[str, str] = {}
        self.builtins: dict[str, None] = {}
        self.types: list[FieldRow] = []
        self.keeps_functions = False

    def type_row(self, type: nodes.TypeName) -> str:
        """The Python name of a type that stands as a value."""
        self.types.append(field_row("", type))
        return f"T{len(self.types) - 1}"

    def decimal(self, value: Decimal) -> str:
        return self.decimals.setdefault(str(value), f"K{len(self.decimals)}")

    def program(self) -> Program:
        shared = sorted(self.units.shared)
        functions = [stmt for unit in self.units.all for stmt in self._unit(unit)]
        self.line, self.column, self.end_line, self.end_column = 1, 0, 1, 0
        body: list[ast.stmt] = [
            self.assign(name, self.attribute(self.name("M"), name)) for name in _FROM_MACHINE
        ]
        body.extend(
            self.assign("B" + key, self.call(self.attribute(self.name("M"), "link"), self.constant(key)))
            for key in self.builtins
        )
        body.append(self.assign("flag", self.constant(False)))
        body.append(self.assign("limit", self.attribute(self.name("M"), "depth")))
        if self.counted:
            body.append(self.assign("steps", self.attribute(self.name("M"), "steps")))
        for name in shared:
            body.append(self.assign("g_" + name, self.constant(None)))
            body.append(self.forget("g_" + name))
        body.extend(functions)
        body.extend(self._state(shared))
        body.append(self.give(self._exports()))
        machine = self.function("machine", ["M"], body)
        tree = ast.Module([machine], [])
        code = _compiled(tree)
        return Program(
            code=code,
            files=tuple(source.name for source in self.sources.sources),
            shared=tuple(shared),
            decimals=tuple((name, text) for text, name in self.decimals.items()),
            types=tuple(self.types),
            shapes=tuple(self._shape(shape) for shape in self.units.shapes.values()),
            declared=tuple(
                Declaration(
                    item.kind,
                    item.unit.index if item.unit is not None else -1,
                    *self._static(item.kind, item.node),
                    self._line(item.node),
                    item.is_inner,
                    len(item.unit.brings) if item.unit is not None else 0,
                    tuple(item.unit.captures) if item.unit is not None else (),
                    tuple(sorted(item.unit.reads)) if item.unit is not None else (),
                )
                for item in self.units.declared
            ),
            channels=tuple(self._channel_row(node) for node in self.units.channels),
            addresses=tuple(self._address_row(*one) for one in self.units.addresses),
            keeps_functions=self.keeps_functions,
            agents=tuple(self._agent_row(unit) for unit in self.units.agents.values()),
            counted=self.counted,
            serves=self._serves(functions),
            top_words=tuple(self._top_words()),
        )

    def _top_words(self) -> Iterator[WordRow]:
        for node in self.units.top_words:
            if isinstance(node, nodes.Agent):
                yield WordRow("முகவர்", self._line(node))
            elif node.text not in self.units.functions and node.text not in self.units.globals:
                yield WordRow(node.text, self._line(node))

    def _serves(self, functions: list[ast.stmt]) -> bool:
        """Is anything in it that only the actors of a running service can do?"""
        if any(is_served(key) for key in self.builtins):
            return True
        if any(item.kind == "on_stop" for item in self.units.declared):
            return True
        for function in functions:
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    key = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else ""
                    if node.func.id in _SERVED_CALLS:
                        return True
                    if node.func.id in _CALLS_BY_KEY and is_served(str(key)):
                        return True
        return False

    def _line(self, node: nodes.Node) -> int:
        return self.places.of(node.start)[0]

    def _channel_row(self, node: nodes.Call) -> ChannelRow:
        given = [*node.arguments, *([node.options] if node.options is not None else [])]
        name = next((one.value for one in given if isinstance(one, nodes.Text)), "")
        transport = MEMORY
        for pair in [pair for one in given if isinstance(one, nodes.Record) for pair in one.pairs]:
            if canonical_option(pair.key.text) == "transport":
                written = pair.value.value if isinstance(pair.value, nodes.Text) else ""
                transport = canonical_value(written, TRANSPORT_OF) or written
        return ChannelRow(name, transport, self._line(node))

    def _address_row(self, node: nodes.Node, is_certain: bool) -> AddressRow:
        said = _said_address(node) if is_certain else None
        host, port = said or ("", "")
        return AddressRow(host, port, said is not None, self._line(node))

    def _static(self, kind: str, node: nodes.Node) -> tuple[str, str]:
        """What can be told of a declaration without running anything."""
        if isinstance(node, nodes.Route):
            return node.method, node.path.value if isinstance(node.path, nodes.Text) else ""
        if kind == "handler":
            assert isinstance(node, nodes.Call | nodes.MethodCall)
            texts = [one.value if isinstance(one, nodes.Text) else "" for one in node.arguments]
            method, path = [*texts, "", ""][:2]
            return method.upper(), path
        if isinstance(node, nodes.Agent):
            return node.name.text, ""
        if isinstance(node, nodes.Every):
            return (str(node.seconds.value) if isinstance(node.seconds, nodes.Number) else ""), ""
        name = node.name if isinstance(node, nodes.Test) else None
        if isinstance(node, nodes.Call) and node.arguments:
            name = node.arguments[0]
        return (name.value if isinstance(name, nodes.Text) else ""), ""

    def _shape(self, shape: nodes.Shape) -> ShapeRow:
        methods = tuple(
            (method.name.text, method.takes_self, len(method.parameters)) for method in shape.methods
        )
        fields = tuple(field_row(field.name.text, field.type) for field in shape.fields)
        return ShapeRow(shape.name.text, fields, methods)

    def _agent_row(self, unit: Unit) -> AgentRow:
        node = unit.node
        assert isinstance(node, nodes.Agent)
        messages = {
            message.name: MessageRow(message.name, message.index, parameter_rows(message.node.parameters))
            for message in unit.messages
            if isinstance(message.node, nodes.Message)
        }
        return AgentRow(
            unit.name,
            unit.index,
            parameter_rows(node.parameters),
            tuple(dict.fromkeys((*unit.parameters, *unit.bound))),
            tuple(messages.values()),
            unit.on_stop.index if unit.on_stop is not None else -1,
            self._line(node),
        )

    # ---- units ------------------------------------------------------------------------

    def _unit(self, unit: Unit) -> list[ast.stmt]:
        if unit.kind == FUNCTION and not unit.is_method and self.units.functions.get(unit.name) is not unit:
            return []  # a later function of the same name wins
        version = self.inference.general[unit.index]
        names = _parameter_names(unit.parameters)
        if unit.kind == TOP:
            return [_Writer(self, version).whole_unit("top", [])]
        if unit.carries:
            return [self._maker(unit, version, names)]
        if unit.kind == BODY:
            return [self._body(unit, version)]
        if unit.kind == AGENT:
            return [self._agent(unit, version)]
        if unit.kind == MESSAGE:
            return [_Writer(self, version).whole_unit(f"b_{unit.index}", names)]
        written = [_Writer(self, version).whole_unit(unit.python_name, names)]
        special = self.inference.special.get(unit.index)
        if special is not None:
            quick = _Writer(self, special)
            written.append(quick.whole_unit("i_" + unit.name, names))
            definition = written[0]
            assert isinstance(definition, ast.FunctionDef)
            # No place of the program: a trace shows one call, not this one and the version's.
            self.line, self.column, self.end_line, self.end_column = NO_PLACE, 0, NO_PLACE, 0
            definition.body.insert(0, self._choose_version(unit, special, names))
        return written

    def _choose_version(self, unit: Unit, special: Version, names: list[str]) -> ast.stmt:
        tests = [
            self.compare(self.call("type_", self.name("v_" + name)), "is", self.name("int_"))
            for name in unit.parameters
            if name in special.whole
        ]
        test = tests[0] if len(tests) == 1 else self.both(*tests)
        call = self.call("i_" + unit.name, *[self.name(name) for name in names], self.name("d"))
        return self.when(test, [self.give(call)])

    def _maker(self, unit: Unit, version: Version, names: list[str]) -> ast.stmt:
        """``def l_7(captured…): def lambda(…): … ; return lambda``."""
        writer = _Writer(self, version)
        label = f"m_{unit.index}"
        function = writer.whole_unit(label, names)
        assert isinstance(function, ast.FunctionDef)
        own = [name for name in unit.captures if name in unit.bound]
        self.line, self.column = function.lineno, function.col_offset
        self.end_line, self.end_column = self.line, self.column + 1
        function.body[:0] = [self.assign("v_" + name, self.name("c_" + name)) for name in own]
        captured = [("c_" if name in own else "v_") + name for name in unit.captures]
        return self.function(f"l_{unit.index}", captured, [function, self.give(self.name(label))])

    def _body(self, unit: Unit, version: Version) -> ast.stmt:
        writer = _Writer(self, version)
        writer.assigned.update(unit.brings)
        writer.stores.update(unit.brings)
        function = writer.whole_unit(f"b_{unit.index}", ["p_" + name for name in unit.brings])
        return self._with_given(writer, function, list(unit.brings))

    def _agent(self, unit: Unit, version: Version) -> ast.stmt:
        writer = _Writer(self, version)
        writer.assigned.update(unit.parameters)
        writer.stores.update(unit.parameters)
        function = writer.whole_unit(f"b_{unit.index}", ["p_" + name for name in unit.parameters])
        return self._with_given(writer, function, unit.parameters)

    def _with_given(self, writer: _Writer, function: ast.stmt, names: list[str]) -> ast.stmt:
        """Move parameters into the names that functions can read."""
        assert isinstance(function, ast.FunctionDef)
        self.line, self.column = function.lineno, function.col_offset
        self.end_line, self.end_column = self.line, self.column + 1
        place = 1 if function.body and isinstance(function.body[0], ast.Nonlocal) else 0
        function.body[place:place] = [
            self.assign(writer.python_name(name), self.name("p_" + name)) for name in names
        ]
        return function

    # ---- the instance -----------------------------------------------------------------

    def _state(self, shared: list[str]) -> list[ast.stmt]:
        """``save``, ``restore``, ``interrupt``, ``calm``: the instance seen from outside."""
        own = ["g_" + name for name in shared]
        save: list[ast.stmt] = []
        restore: list[ast.stmt] = [self.outer(own)] if own else []
        fallbacks = self._fallbacks(shared)
        for place, name in enumerate(own):
            taken = f"t{place}"
            save.append(
                self.attempt(
                    [self.assign(taken, self.name(name))],
                    "NameError_",
                    None,
                    [self.assign(taken, self.name("UNSET"))],
                )
            )
            restore.append(self.assign(name, self.item(self.name("state"), self.constant(place))))
            gone = self.compare(self.name(name), "is", self.name("UNSET"))
            instead = fallbacks.get(shared[place])
            restore.append(
                self.when(gone, [self.forget(name) if instead is None else self.assign(name, instead)])
            )
        save.append(self.give(self.group([self.name(f"t{place}") for place in range(len(own))])))
        interrupt: list[ast.stmt] = [
            self.outer(["flag", "limit"]),
            self.assign("flag", self.constant(True)),
            self.assign("limit", self.constant(-1)),
        ]
        calm: list[ast.stmt] = [
            self.outer(["flag", "limit"]),
            self.assign("flag", self.constant(False)),
            self.assign("limit", self.attribute(self.name("M"), "depth")),
        ]
        written = [
            self.function("save", [], save),
            self.function("restore", ["state"], restore or [self.nothing()]),
            self.function("interrupt", [], interrupt),
            self.function("calm", [], calm),
        ]
        if self.counted:
            count = [self.outer(["steps"]), self.assign("steps", self.name("n"))]
            written.append(self.function("set_steps", ["n"], count))
        for name, value in fallbacks.items():
            written.append(self.assign("g_" + name, value))
        return written

    def _fallbacks(self, shared: list[str]) -> dict[str, ast.expr]:
        """A global name that is also a function's has the function until something is assigned."""
        writer = _Writer(self, self.inference.general[0])
        values = {}
        for name in shared:
            value = writer.function_value(name)
            if value is not None:
                values[name] = value
                self.keeps_functions = True
        return values

    def _exports(self) -> ast.expr:
        bodies: list[ast.expr] = []
        keys: list[ast.expr] = []
        makers: list[ast.expr] = []
        carrying: list[ast.expr] = []
        for unit in self.units.all:
            if unit.carries:
                carrying.append(self.constant(unit.index))
                makers.append(self.name(f"l_{unit.index}"))
            elif unit.kind in (BODY, AGENT, MESSAGE):
                keys.append(self.constant(unit.index))
                bodies.append(self.name(f"b_{unit.index}"))
        writer = _Writer(self, self.inference.general[0])
        functions = {name: writer.unit_value(unit) for name, unit in self.units.functions.items()}
        methods = {
            f"{shape}.{name}": writer.unit_value(unit) for (shape, name), unit in self.units.methods.items()
        }
        for table in (functions, methods):
            for value in table.values():
                ast.fix_missing_locations(value)
        return self.group(
            [
                self.name("top"),
                self.name("save"),
                self.name("restore"),
                self.name("interrupt"),
                self.name("calm"),
                self.record(keys, bodies),
                self.record(carrying, makers),
                self.record([self.constant(name) for name in functions], list(functions.values())),
                self.record([self.constant(name) for name in methods], list(methods.values())),
                self.name("set_steps") if self.counted else self.constant(None),
            ]
        )


def _parameter_names(parameters: list[str]) -> list[str]:
    """Python names for parameters; of two with one name the later wins."""
    return [
        f"p{place}_{name}" if name in parameters[place + 1 :] else "v_" + name
        for place, name in enumerate(parameters)
    ]


def _compiled(tree: ast.Module) -> CodeType:
    """The code object. Python's advice on its own syntax (``5[0]``) is nothing for our users."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code: CodeType = compile(tree, FILE_MARK, "exec", dont_inherit=True, optimize=0)
    return code


def parameter_rows(parameters: list[nodes.Parameter]) -> tuple[FieldRow, ...]:
    """The parameters of an agent or message, with their types."""
    return tuple(field_row(parameter.name.text, parameter.type) for parameter in parameters)


def field_row(name: str, type: nodes.TypeName | None) -> FieldRow:
    if type is None:
        return FieldRow(name, "", "", False, None)
    element = field_row("", type.element) if type.element is not None else None
    return FieldRow(name, type.kind, type.name, type.optional, element)


def _said_address(node: nodes.Node) -> tuple[str, str] | None:
    """Host and port, or ``host:port`` and nothing, as far as they are written out; else None."""
    if isinstance(node, nodes.StartServer):
        host, port = _written(node.host), _written(node.port)
        return (host, port) if host is not None and port else None
    if isinstance(node, nodes.ShapeLiteral):
        return _said_in_pairs(node.pairs) if node.base is None else None
    assert isinstance(node, nodes.Call | nodes.MethodCall)
    given = [*node.arguments, *([node.options] if node.options is not None else [])]
    if len(given) == 1 and isinstance(given[0], nodes.Record):
        return _said_in_pairs(given[0].pairs)
    texts = [_written(one) for one in given]
    host, port = [*texts, ""][:2] if texts else (None, None)
    return (host, port) if host is not None and port is not None else None


def _said_in_pairs(pairs: list[nodes.Pair]) -> tuple[str, str] | None:
    """``{"host": …, "port": …}``, which may stand in a record ``server``."""
    outer = {pair.key.text: pair.value for pair in reversed(pairs)}
    server = outer.get("server")
    inner: dict[str, nodes.Expression] = {}
    if isinstance(server, nodes.Record):
        inner = {pair.key.text: pair.value for pair in reversed(server.pairs)}
    elif server is not None and _written(server) is None:
        return None
    host, port = (
        next((text for text in map(_written, parts) if text != ""), "")
        for parts in ([one[name] for one in (inner, outer) if name in one] for name in ("host", "port"))
    )
    return (host, port) if host is not None and port is not None else None


def _written(value: nodes.Expression) -> str | None:
    """The text of a literal, empty for இன்மை; None for what has to be computed."""
    if isinstance(value, nodes.Text):
        return value.value
    if isinstance(value, nodes.Number):
        return str(value.value)
    return "" if isinstance(value, nodes.Constant) and value.value is None else None
