"""Which names a piece of the program owns.

A *unit* is what becomes one Python function: the top level, a named function or method, a
lambda, a body that runs later (route, job, test …), an agent and its messages. Blocks make no
scope (REFERENCE §9.1), so a unit has one flat set of names:

* the top level, bodies and agents own *global* names — one set for the whole program;
* functions, methods, messages and lambdas own *locals*; a lambda and a body inside a function
  carry copies of locals of the unit around them;
* இது in an agent is no variable at all: the machine knows whose it is. Lambdas carry it along.

A global name that only one unit touches becomes a fast local of that unit's Python function;
one that several touch becomes a cell that they share.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from etamil_actors.language import nodes
from etamil_actors.language.builtins import BUILTIN_OF, Builtin
from etamil_actors.language.jobs import may_consume
from etamil_actors.language.keywords import WORDS
from etamil_actors.language.program import PATH_PREFIX

TOP, FUNCTION, LAMBDA, BODY, AGENT, MESSAGE = "top", "function", "lambda", "body", "agent", "message"

REQUEST_NAMES = (
    "request_method",
    "request_path",
    "request_body",
    "query_params",
    "headers",
    "path_params",
    "request_fields",
    "request_files",
)
RESPONSE_NAMES = ("response_status", "response_body", "response_headers", "response_file")
GIVEN_NAMES = frozenset((*REQUEST_NAMES, *RESPONSE_NAMES))
SELF = frozenset(next(word.spellings for word in WORDS if word.word == "Self"))

_FAR = 1 << 62


class Unit:
    """One piece of program text with names of its own."""

    def __init__(
        self, kind: str, index: int, name: str, node: nodes.Node | None, parent: Unit | None
    ) -> None:
        self.kind = kind
        self.index = index
        self.name = name
        self.node = node
        self.parent = parent
        self.is_method = False
        self.parameters: list[str] = []
        self.statements: list[nodes.Statement] = []
        self.bound: dict[str, int] = {}
        """Name → where its first binding is complete, in source order."""
        self.reads: set[str] = set()
        self.inner: list[Unit] = []
        self.captures: list[str] = []
        self.unwraps = False
        self.brings: tuple[str, ...] = ()
        self.messages: list[Unit] = []
        self.on_stop: Unit | None = None
        self.itself: frozenset[str] = frozenset()
        """The names by which this unit calls the agent that it is part of."""

    @property
    def owns_globals(self) -> bool:
        """Whether the names it assigns are global."""
        return self.kind in (TOP, BODY, AGENT) and not self.carries

    @property
    def carries(self) -> bool:
        """Whether it takes copies of locals along when it is made."""
        return self.kind == LAMBDA or (
            self.kind == BODY and self.parent is not None and not self.parent.owns_globals
        )

    @property
    def python_name(self) -> str:
        """What its function is called in the code; no name of a program has these prefixes."""
        return ("s_" if self.is_method else "f_") + self.name


class Declared:
    """Something of a service that the program declares: a route, job, test …"""

    def __init__(self, kind: str, unit: Unit | None, node: nodes.Node, is_inner: bool) -> None:
        self.kind = kind
        self.unit = unit
        self.node = node
        self.is_inner = is_inner


class Units:
    """All units of a program, and what is global to it."""

    def __init__(self) -> None:
        self.all: list[Unit] = []
        self.top = self._add(TOP, "", None, None)
        self.functions: dict[str, Unit] = {}
        self.methods: dict[tuple[str, str], Unit] = {}
        self.shapes: dict[str, nodes.Shape] = {}
        self.agents: dict[str, Unit] = {}
        self.of_node: dict[int, Unit] = {}
        self.declared: list[Declared] = []
        self.channels: list[nodes.Call] = []
        """Where the program makes channels."""
        self.addresses: list[tuple[nodes.Node, bool]] = []
        """Where the program says an address to be served at; and does it always come past that?"""
        self.top_words: list[nodes.Name | nodes.Agent] = []
        """Jobs, channels, locks and agents at the top level, or what the program calls by their names."""
        self.number_of: dict[int, int] = {}
        """The place in ``declared`` of a node that declares something where it stands."""
        self.globals: set[str] = set()
        self.of_paths: set[str] = set()
        """Variables that hold the parameters of paths."""
        self.shared: set[str] = set()

    def _add(self, kind: str, name: str, node: nodes.Node | None, parent: Unit | None) -> Unit:
        unit = Unit(kind, len(self.all), name, node, parent)
        self.all.append(unit)
        return unit


ONCE_ONLY = frozenset(("jobs", "channels", "locks", "agents"))
"""Words that make what lasts make it at a top level that runs once."""


def is_handler_word(name: str) -> bool:
    """Is this the word that gives a path a function as its handler, in any spelling?"""
    builtin = BUILTIN_OF.get(name)
    return builtin is not None and builtin.english == "_onRequest"


def is_address_word(name: str) -> bool:
    """Is this the word that says where to be served, in any spelling?"""
    builtin = BUILTIN_OF.get(name)
    return builtin is not None and builtin.english == "_listen"


def find_units(module: nodes.Module, known: frozenset[str] = frozenset(), keep: bool = False) -> Units:
    """Read the whole program and tell its names apart.

    ``known`` are global names from outside (the shell's); with ``keep`` every global name is
    shared, so that all of them can be read back afterwards.
    """
    units = Units()
    _Collector(units).collect(module)
    for unit in units.all:
        if unit.owns_globals:
            units.globals.update(unit.bound, unit.parameters)
    units.globals |= known
    # The runtime gives these a value for each request, so whoever reads one means that.
    units.globals.update(name for unit in units.all for name in unit.reads if name in GIVEN_NAMES)
    for unit in units.all:  # a unit stands behind the one around it, so its captures are known
        _know_itself(unit)
        if unit.carries and unit.parent is not None:
            _capture(unit, unit.parent)
    _share(units, known, keep)
    return units


def _know_itself(unit: Unit) -> None:
    """இது: in an agent, in its messages, and in jobs that it starts from its body."""
    if unit.kind in (AGENT, MESSAGE):
        unit.itself = SELF - set(unit.parameters)
    elif unit.kind == BODY and not unit.carries and unit.parent is not None:
        unit.itself = unit.parent.itself


def _visible(parent: Unit, at: int) -> set[str]:
    names = set(parent.parameters) | set(parent.captures) | parent.itself
    names.update(name for name, place in parent.bound.items() if place <= at)
    return names


def _free(unit: Unit) -> set[str]:
    names = set(unit.reads)
    for inner in unit.inner:
        if inner.carries:
            names |= _free(inner) - set(inner.parameters)
    return names


def _capture(unit: Unit, parent: Unit) -> None:
    assert unit.node is not None
    wanted = _free(unit) - set(unit.parameters)
    visible = parent.itself if parent.owns_globals else _visible(parent, unit.node.start)
    unit.captures = sorted(wanted & visible)


def _share(units: Units, known: frozenset[str], keep: bool) -> None:
    touched: dict[str, set[int]] = {}
    for unit in units.all:
        for name in unit.reads | set(unit.bound):
            if name not in units.globals:
                continue
            if unit.owns_globals:
                touched.setdefault(name, set()).add(unit.index)
            elif unit.kind == MESSAGE and unit.parent is not None and name not in unit.parameters:
                touched.setdefault(name, set()).add(unit.index)
            elif name not in unit.parameters and name not in unit.captures:
                # A local of the same name may still fall back to the global one.
                touched.setdefault(name, set()).add(unit.index)
        if unit.kind == AGENT:
            for name in unit.parameters:
                touched.setdefault(name, set()).update((unit.index, -1))
    units.shared = {name for name, by in touched.items() if len(by) > 1}
    given = {name for name in units.globals if name in GIVEN_NAMES}
    given |= {name for name in units.of_paths if any(name in unit.reads for unit in units.all)}
    units.shared.update(given)
    units.shared |= known
    if keep:
        units.shared |= units.globals


class _Collector:
    """Walks the tree once. Each statement that binds a name says so here."""

    def __init__(self, units: Units) -> None:
        self.units = units
        self.unit = units.top
        self.depth = 0
        self.repeats = 0
        """Loops, and blocks that a word may run again, around the statement at hand."""
        self.importing = False
        self.main_functions: set[str] = set()

    def collect(self, module: nodes.Module) -> None:
        top = self.units.top
        self._declare_names(module)
        top.statements = module.statements
        self._visit_all(module.statements)

    def _declare_names(self, node: nodes.Node) -> None:
        """Shapes and the main file's functions first: definitions may follow their use."""
        stack: list[tuple[object, bool]] = [(node, True)]
        while stack:
            item, main = stack.pop()
            if isinstance(item, list):
                stack.extend((part, main) for part in reversed(item))
            elif isinstance(item, nodes.Node):
                if isinstance(item, nodes.Shape):
                    self.units.shapes.setdefault(item.name.text, item)
                elif isinstance(item, nodes.Function) and main:
                    self.main_functions.add(item.name.text)
                main = main and not isinstance(item, nodes.Import)
                stack.extend((getattr(item, slot), main) for slot in reversed(parts_of(type(item))))

    # ---- units ------------------------------------------------------------------------

    def _open(
        self, kind: str, name: str, node: nodes.Node, parameters: list[nodes.Parameter], body: nodes.Block
    ) -> Unit:
        unit = self.units._add(kind, name, node, self.unit)
        unit.parameters = [parameter.name.text for parameter in parameters]
        unit.statements = body.statements
        self.units.of_node[id(node)] = unit
        self.unit.inner.append(unit)
        before, self.unit = self.unit, unit
        self._visit_all(body.statements)
        self.unit = before
        return unit

    def _function(self, node: nodes.Function) -> None:
        unit = self._open(FUNCTION, node.name.text, node, node.parameters, node.body)
        # The main file may redefine an imported function; its definition wins everywhere.
        if not (self.importing and node.name.text in self.main_functions):
            self.units.functions[node.name.text] = unit

    def _import(self, node: nodes.Import) -> None:
        if node.module is not None:
            before, self.importing = self.importing, True
            self._visit_all(node.module.statements)
            self.importing = before

    def _shape(self, node: nodes.Shape) -> None:
        for method in node.methods:
            name = f"{node.name.text}.{method.name.text}"
            unit = self._open(FUNCTION, name, method, method.parameters, method.body)
            unit.is_method = True
            self.units.methods[node.name.text, method.name.text] = unit

    def _lambda(self, node: nodes.Lambda) -> None:
        self._open(LAMBDA, "", node, node.parameters, node.body)

    def _route(self, node: nodes.Route) -> None:
        self._visit(node.options)
        unit = None
        if node.body is not None:
            path = node.path.value if isinstance(node.path, nodes.Text) else "?"
            unit = self._open(BODY, f"{node.method} {path}", node, [], node.body)
            self._parameters_of(path)
        self._declare("route", unit, node)

    def _parameters_of(self, path: str) -> None:
        for segment in path.split("/"):
            if segment[:1] in (":", "*") and len(segment) > 1:
                self.units.of_paths.add(PATH_PREFIX + segment[1:])
        self.units.globals |= self.units.of_paths

    def _handler(self, node: nodes.Call | nodes.MethodCall) -> None:
        """``server.on(method, path, …)``: a route whose handler is a function."""
        if len(node.arguments) > 1 and isinstance(node.arguments[1], nodes.Text):
            self._parameters_of(node.arguments[1].value)
        self._declare("handler", None, node)

    def _start_server(self, node: nodes.StartServer) -> None:
        self._visit(node.host)
        self._visit(node.port)
        self._address(node)

    def _address(self, node: nodes.Node) -> None:
        self.units.addresses.append((node, self.unit.kind == TOP and self.depth == 0))

    def _every(self, node: nodes.Every) -> None:
        self._visit(node.seconds)
        self._declare("every", self._open(BODY, "இடைவெளி", node, [], node.body), node)

    def _test(self, node: nodes.Test) -> None:
        self._declare("test", self._open(BODY, "சோதனை", node, [], node.body), node)

    def _on_stop(self, node: nodes.OnStop) -> None:
        kind = MESSAGE if self.unit.kind == AGENT else BODY
        unit = self._open(kind, "நிறுத்தும்போது", node, [], node.body)
        if self.unit.kind == AGENT:
            self.unit.on_stop = unit
        else:
            self._declare("on_stop", unit, node)

    def _agent(self, node: nodes.Agent) -> None:
        unit = self._open(AGENT, node.name.text, node, node.parameters, node.body)
        self.units.agents[node.name.text] = unit
        self._declare("agent", unit, node)
        self.units.top_words.append(node)

    def _message(self, node: nodes.Message) -> None:
        unit = self._open(MESSAGE, node.name.text, node, node.parameters, node.body)
        self.unit.messages.append(unit)

    def _declare(self, kind: str, unit: Unit | None, node: nodes.Node) -> None:
        if self.unit.kind == TOP and self.depth == 0:
            self._add_declared(Declared(kind, unit, node, False))

    def _add_declared(self, declared: Declared) -> None:
        if not declared.is_inner:
            self.units.number_of[id(declared.node)] = len(self.units.declared)
        self.units.declared.append(declared)

    def _job(self, builtin: Builtin, node: nodes.Call) -> None:
        """A job is declared where the top level comes past it once: in the blocks of எனில் and முயல்
        too, but not where it may come past it again."""
        assert node.block is not None
        unit = self._open(BODY, builtin.tamil, node, [], node.block)
        is_inner = self.unit.kind != TOP or self.repeats > 0
        if not is_inner and may_consume(node):
            unit.brings = tuple(builtin.brings.split())
            for name in unit.brings:
                unit.bound[name] = node.start
        self._add_declared(Declared("job", unit, node, is_inner))

    # ---- names ------------------------------------------------------------------------

    def _bind(self, name: str, complete: int) -> None:
        place = self.unit.bound.get(name, _FAR)
        self.unit.bound[name] = min(place, complete)

    def _binding(self, node: nodes.Binding) -> None:
        self._visit(node.value)
        self._bind(node.name.text, node.end)

    def _set_part(self, node: nodes.SetIndex | nodes.SetField) -> None:
        if isinstance(node, nodes.SetIndex):
            self._visit(node.index)
        self._visit(node.value)
        self.unit.reads.add(node.name.text)
        self._bind(node.name.text, node.end)

    def _each(self, node: nodes.Each) -> None:
        self._visit(node.collection)
        self._bind(node.name.text, node.name.end)
        self._repeated(node.body)

    def _branch(self, node: nodes.Branch) -> None:
        self._visit(node.source)
        if node.name is not None:
            self._bind(node.name.text, node.name.end)
        self._visit(node.body)

    def _target(self, node: nodes.Input | nodes.FileRead | nodes.DbQuery) -> None:
        for slot in parts_of(type(node)):
            part = getattr(node, slot)
            if slot != "target" and isinstance(part, nodes.Node):
                self._visit(part)
        if node.target is not None:
            self._bind(node.target.text, node.end)

    def _try(self, node: nodes.Try) -> None:
        self._visit(node.body)
        if node.name is not None:
            self._bind(node.name.text, node.name.end)
        self._visit(node.handler)
        self._visit(node.final)

    def _name(self, node: nodes.Name) -> None:
        self.unit.reads.add(node.text)

    def _shape_literal(self, node: nodes.ShapeLiteral) -> None:
        self._visit_all(node.pairs)
        self._visit(node.base)
        if node.name.text not in self.units.shapes:
            self.unit.reads.add(node.name.text)
            if is_address_word(node.name.text):
                self._address(node)

    def _unwrap(self, node: nodes.Unwrap) -> None:
        self.unit.unwraps = True
        self._visit(node.target)

    def _call(self, node: nodes.Call) -> None:
        self._visit(node.callee)
        self._visit_all(node.arguments)
        self._visit(node.options)
        builtin = BUILTIN_OF.get(node.callee.text) if isinstance(node.callee, nodes.Name) else None
        if builtin is not None and builtin.english == "_channel":
            self.units.channels.append(node)
        if builtin is not None and builtin.group in ONCE_ONLY and self.unit.kind == TOP:
            assert isinstance(node.callee, nodes.Name)
            self.units.top_words.append(node.callee)
        if isinstance(node.callee, nodes.Name) and is_handler_word(node.callee.text):
            self._handler(node)
        if isinstance(node.callee, nodes.Name) and is_address_word(node.callee.text):
            self._address(node)
        if node.block is None:
            return
        if builtin is not None and builtin.takes == "body":
            self._job(builtin, node)
        else:
            for name in builtin.brings.split() if builtin is not None else ():
                self._bind(name, node.start)
            self._repeated(node.block)

    def _method_call(self, node: nodes.MethodCall) -> None:
        self._visit(node.target)
        self._visit_all(node.arguments)
        self._visit(node.options)
        self._repeated(node.block)
        word = f"{node.target.text}.{node.name.text}" if isinstance(node.target, nodes.Name) else ""
        if is_handler_word(word):
            self._handler(node)
        if is_address_word(word):
            self._address(node)

    def _while(self, node: nodes.While) -> None:
        self._visit(node.condition)
        self._repeated(node.body)

    def _repeated(self, block: nodes.Block | None) -> None:
        self.repeats += 1
        self._visit(block)
        self.repeats -= 1

    # ---- the walk ---------------------------------------------------------------------

    def _visit_all(self, items: Sequence[nodes.Node]) -> None:
        for item in items:
            self._visit(item)

    def _visit(self, node: nodes.Node | None) -> None:
        if node is None:
            return
        kind = type(node)
        special = _SPECIAL.get(kind)
        if special is not None:
            special(self, node)
            return
        if kind is nodes.Arithmetic or kind is nodes.Logical:
            self._spine(node)
            return
        nested = kind is nodes.Block
        self.depth += nested
        for slot in parts_of(kind):
            value = getattr(node, slot)
            if isinstance(value, nodes.Node):
                self._visit(value)
            elif isinstance(value, list):
                for item in value:
                    if isinstance(item, nodes.Node):
                        self._visit(item)
        self.depth -= nested

    def _spine(self, node: nodes.Node) -> None:
        """Long chains of operators lean to the left: walk down without recursion."""
        rights: list[nodes.Expression] = []
        left: nodes.Node = node
        while isinstance(left, nodes.Arithmetic | nodes.Logical):
            rights.append(left.right)
            left = left.left
        self._visit(left)
        for right in reversed(rights):
            self._visit(right)


_SLOTS: dict[type, tuple[str, ...]] = {}


def parts_of(kind: type) -> tuple[str, ...]:
    """Where the parts of a node in the order of its constructor."""
    slots = _SLOTS.get(kind)
    if slots is None:
        order = kind.__init__.__code__.co_varnames[3 : kind.__init__.__code__.co_argcount]  # type: ignore[misc]
        slots = _SLOTS[kind] = tuple(order) + (("module",) if kind is nodes.Import else ())
    return slots


_SPECIAL: dict[type, Callable[..., None]] = {
    nodes.Function: _Collector._function,
    nodes.Import: _Collector._import,
    nodes.Shape: _Collector._shape,
    nodes.Lambda: _Collector._lambda,
    nodes.Route: _Collector._route,
    nodes.StartServer: _Collector._start_server,
    nodes.Every: _Collector._every,
    nodes.Test: _Collector._test,
    nodes.OnStop: _Collector._on_stop,
    nodes.Agent: _Collector._agent,
    nodes.Message: _Collector._message,
    nodes.Binding: _Collector._binding,
    nodes.SetIndex: _Collector._set_part,
    nodes.SetField: _Collector._set_part,
    nodes.While: _Collector._while,
    nodes.Each: _Collector._each,
    nodes.Branch: _Collector._branch,
    nodes.Input: _Collector._target,
    nodes.FileRead: _Collector._target,
    nodes.DbQuery: _Collector._target,
    nodes.Try: _Collector._try,
    nodes.Name: _Collector._name,
    nodes.ShapeLiteral: _Collector._shape_literal,
    nodes.Unwrap: _Collector._unwrap,
    nodes.Call: _Collector._call,
    nodes.MethodCall: _Collector._method_call,
}
