"""What every variable and function of a program can hold, found out before code is written.

One pass collects the assignments and returns of each unit; then kinds grow from nothing until
they stop growing (a least fixed point). Intervals would grow one step a round for ever, so from
the third round on a bound that still moves is *widened*: to ``FAR`` when the variable only moves
by small steps, else to the limit of the language. What comes from outside — parameters, elements,
fields, the answers of the world — is ``ANY``.

A function whose parameters take part in arithmetic gets a second version for whole numbers when
it calls itself or loops. Inside it the parameters are known, so its arithmetic needs few questions.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from etamil_actors.language import nodes
from etamil_actors.language.builtins import BUILTIN_OF
from etamil_actors.language.compiler import kinds
from etamil_actors.language.compiler.kinds import ANY, Kind
from etamil_actors.language.compiler.units import (
    MESSAGE,
    REQUEST_NAMES,
    RESPONSE_NAMES,
    Unit,
    Units,
    parts_of,
)

_ROUNDS_BEFORE_WIDENING = 3
_ROUNDS = 24
_PURE_GROUPS = frozenset(("collections", "results", "numbers", "text", "json", "dates", "everyday"))
_ANSWERS = {
    "number": kinds.NUMERIC,
    "text": kinds.IS_TEXT,
    "boolean": kinds.IS_BOOL,
    "array": kinds.IS_ARRAY,
    "result": kinds.IS_OTHER,
}
_LENGTH = Kind(kinds.INT, 0, kinds.FAR)

Given = Kind | nodes.Expression


class Version:
    """One compiled form of a unit: for anything, or for whole numbers in some parameters."""

    def __init__(self, unit: Unit, whole: frozenset[str] = frozenset()) -> None:
        self.unit = unit
        self.whole = whole
        self.variables: dict[str, Kind] = {}
        self.answer = kinds.NEVER
        self.assignments: list[tuple[str, Given]] = []
        self.returns: list[nodes.Expression | None] = []
        for name in unit.parameters:
            self.variables[name] = kinds.WHOLE if name in whole else ANY
        for name in unit.captures:
            self.variables[name] = ANY


class Inference:
    """Kinds of all names and functions of a program."""

    def __init__(self, units: Units, outside: frozenset[str]) -> None:
        self.units = units
        self.outside = outside
        self.globals: dict[str, Kind] = {}
        self.general: dict[int, Version] = {}
        self.special: dict[int, Version] = {}
        for unit in units.all:
            if unit.owns_globals:  # what the runtime gives them can be anything
                self.globals.update(dict.fromkeys((*unit.parameters, *unit.brings), ANY))
            version = self.general[unit.index] = Version(unit)
            _Assignments(version).visit_all(unit.statements)
            whole = _whole_parameters(unit)
            if whole:
                special = self.special[unit.index] = Version(unit, whole)
                special.assignments, special.returns = version.assignments, version.returns
        self._solve()

    # ---- names ------------------------------------------------------------------------

    def is_local(self, unit: Unit, name: str) -> bool:
        """Whether assigning the name in this unit makes a local."""
        if unit.owns_globals:
            return False
        if name in unit.parameters or name in unit.captures:
            return True
        if (
            unit.kind == MESSAGE
            and unit.parent is not None
            and (name in unit.parent.bound or name in unit.parent.parameters)
        ):
            return False
        return name in unit.bound

    def of_global(self, name: str) -> Kind:
        """What a global name, function or builtin of that name can be."""
        if name in self.outside or name in REQUEST_NAMES or name in RESPONSE_NAMES:
            return ANY
        kind = self.globals.get(name, kinds.NEVER)
        if name in self.units.functions or name in BUILTIN_OF or name in self.units.agents:
            return kinds.join(kind, kinds.IS_OTHER)
        if name in self.units.globals and name not in self.globals:
            return kind if name in self._assigned_somewhere else ANY
        return kind if name in self.units.globals else ANY

    def of_name(self, version: Version, name: str) -> Kind:
        """What a name can be in this unit."""
        if not self.is_local(version.unit, name):
            return ANY if name in version.unit.itself else self.of_global(name)
        kind = version.variables.get(name, kinds.NEVER)
        if name in version.unit.parameters or name in version.unit.captures:
            return kind
        if name in self.units.globals or name in self.units.functions or name in BUILTIN_OF:
            return kinds.join(kind, self.of_global(name))
        return kind

    def is_variable(self, unit: Unit, name: str) -> bool:
        """Whether a variable of that name may exist where this unit looks."""
        return self.is_local(unit, name) or name in self.units.globals or name in unit.itself

    def called(self, version: Version, call: nodes.Call) -> Unit | None:
        """The function of the program that a call surely means."""
        callee = call.callee
        if not isinstance(callee, nodes.Name) or self.is_variable(version.unit, callee.text):
            return None
        return self.units.functions.get(callee.text)

    def special_for(self, unit: Unit, arguments: list[Kind]) -> Version | None:
        """The whole-number version, when these arguments suit it."""
        version = self.special.get(unit.index)
        if version is None or len(arguments) != len(unit.parameters):
            return None
        for name, kind in zip(unit.parameters, arguments, strict=True):
            if name in version.whole and not (kind.mask == kinds.INT and kinds.fits(kind)):
                return None
        return version

    # ---- expressions ------------------------------------------------------------------

    def of(self, version: Version, node: nodes.Expression) -> Kind:
        """What an expression can be."""
        rule = _RULES.get(type(node))
        kind: Kind = rule(self, version, node) if rule is not None else ANY
        return kind

    def _number(self, version: Version, node: nodes.Number) -> Kind:
        return of_number(node)

    def _constant(self, version: Version, node: nodes.Constant) -> Kind:
        return kinds.IS_NIL if node.value is None else kinds.IS_BOOL

    def _name(self, version: Version, node: nodes.Name) -> Kind:
        return self.of_name(version, node.text)

    def _negate(self, version: Version, node: nodes.Negate) -> Kind:
        return kinds.clipped(kinds.total(kinds.whole(0), self.of(version, node.operand), "-"))

    def _arithmetic(self, version: Version, node: nodes.Arithmetic) -> Kind:
        spine: list[nodes.Arithmetic] = []
        left: nodes.Expression = node
        while isinstance(left, nodes.Arithmetic):
            spine.append(left)
            left = left.left
        kind = self.of(version, left)
        for part in reversed(spine):
            kind = combined(kind, part.operator, self.of(version, part.right))
        return kind

    def _call(self, version: Version, node: nodes.Call) -> Kind:
        unit = self.called(version, node)
        if unit is not None:
            arguments = [self.of(version, argument) for argument in node.arguments]
            special = self.special_for(unit, arguments)
            return (special or self.general[unit.index]).answer
        return self.of_builtin(version.unit, node)

    def of_builtin(self, unit: Unit, node: nodes.Call) -> Kind:
        """What a call of a builtin answers, as far as its row tells."""
        if not isinstance(node.callee, nodes.Name) or self.is_variable(unit, node.callee.text):
            return ANY
        builtin = BUILTIN_OF.get(node.callee.text)
        if builtin is None or builtin.group not in _PURE_GROUPS or node.callee.text in self.units.functions:
            return ANY
        if builtin.english == "_length":
            return _LENGTH
        return _ANSWERS.get(builtin.answers.split(":")[0], ANY)

    # ---- the fixed point --------------------------------------------------------------

    def _solve(self) -> None:
        versions = [*self.general.values(), *self.special.values()]
        self._assigned_somewhere = {
            name
            for version in versions
            for name, _ in version.assignments
            if not self.is_local(version.unit, name)
        }
        for version in versions:
            if version.unit.unwraps:
                version.answer = kinds.IS_OTHER
            if not leaves(version.unit.statements):  # reaching the end answers இன்மை
                version.answer = kinds.join(version.answer, kinds.IS_NIL)
        for turn in range(_ROUNDS):
            changed = False
            for version in versions:
                for name, given in version.assignments:
                    changed |= self._assign(version, name, given, turn >= _ROUNDS_BEFORE_WIDENING)
                for value in version.returns:
                    kind = kinds.IS_NIL if value is None else self.of(version, value)
                    answer = _grown(version.answer, kind, turn >= _ROUNDS_BEFORE_WIDENING, None)
                    changed |= answer != version.answer
                    version.answer = answer
            if not changed:
                break
        else:
            for version in versions:
                version.variables = {
                    name: kinds.WHOLE if name in version.whole and name not in version.unit.bound else ANY
                    for name in version.variables
                }
                version.answer = ANY
            self.globals = dict.fromkeys(self.globals, ANY)

    def _assign(self, version: Version, name: str, given: Given, widen: bool) -> bool:
        kind = given if isinstance(given, Kind) else self.of(version, given)
        local = self.is_local(version.unit, name)
        names = version.variables if local else self.globals
        old = names.get(name, kinds.NEVER)
        new = _grown(old, kind, widen, None if isinstance(given, Kind) else self._step(version, name, given))
        if new == old:
            return False
        names[name] = new
        return True

    def _step(self, version: Version, name: str, value: nodes.Expression) -> bool | None:
        """Whether ``name = value`` moves the name by a small whole step."""
        if not isinstance(value, nodes.Arithmetic) or value.operator not in "+-":
            return None
        left, right = value.left, value.right
        if isinstance(left, nodes.Name) and left.text == name:
            kind = self.of(version, right)
        elif value.operator == "+" and isinstance(right, nodes.Name) and right.text == name:
            kind = self.of(version, left)
        else:
            return None
        return bool(kind.mask == kinds.INT and -kinds.STEP <= kind.low and kind.high <= kinds.STEP) or None


def _grown(old: Kind, kind: Kind, widen: bool, step: bool | None) -> Kind:
    if not kind.mask:
        return old
    kind = kinds.clipped(kind)
    if step and old.mask & kinds.INT and _starts_near(old.low) and _starts_near(old.high):
        kind = Kind(kind.mask, max(kind.low, -kinds.FAR), min(kind.high, kinds.FAR), kind.size)
    new = kinds.join(old, kind)
    if not widen:
        return new
    if new.size > old.size:
        new = Kind(new.mask, new.low, new.high, _landing(new.size))
    if not new.mask & kinds.INT or not old.mask & kinds.INT:
        return new
    near = step and _starts_near(old.low) and _starts_near(old.high)
    low = new.low if new.low == old.low else -_landing(-new.low, near)
    high = new.high if new.high == old.high else _landing(new.high, near)
    return Kind(new.mask, low, high, new.size)


_LANDINGS = (kinds.FAR << 4, kinds.FAR << 10, kinds.MOST)


def _landing(bound: int, near: bool | None = False) -> int:
    """Where a bound that keeps moving is put down: few places, so that it soon comes to rest."""
    if near and bound <= kinds.FAR:
        return kinds.FAR
    return next((place for place in _LANDINGS if bound <= place), kinds.MOST)


def _starts_near(bound: int) -> bool:
    """Whether small steps from here stay within ``FAR``; a widened bound has been asked already."""
    return abs(bound) <= kinds.FAR // 2 or abs(bound) == kinds.FAR


def of_number(node: nodes.Number) -> Kind:
    """The kind of a literal."""
    if type(node.value) is int:
        return kinds.whole(node.value)
    return Kind(kinds.DECIMAL if node.value else kinds.ZERO, 0, 0, int(abs(Decimal(node.value))) + 1)


def combined(left: Kind, operator: str, right: Kind) -> Kind:
    """The kind of ``left operator right`` after its checks."""
    if operator == "&":
        return kinds.IS_TEXT
    if operator == "/":
        return kinds.NUMERIC
    if not left.mask or not right.mask:
        return kinds.NEVER
    if operator == "*":
        return kinds.clipped(kinds.product(left, right))
    return kinds.clipped(kinds.total(left, right, operator))


def leaves(statements: list[nodes.Statement]) -> bool:
    """Whether these statements surely end with திரும்பு."""
    for statement in statements:
        if isinstance(statement, nodes.Return):
            return True
        if isinstance(statement, nodes.If) and statement.otherwise is not None:
            if leaves(statement.then.statements) and leaves(statement.otherwise.statements):
                return True
    return False


class _Assignments:
    """Collects what is assigned and returned in one unit, not in units inside it."""

    def __init__(self, version: Version) -> None:
        self.version = version

    def visit_all(self, items: list[nodes.Statement]) -> None:
        for item in items:
            self.visit(item)

    def visit(self, node: object) -> None:
        kind = type(node)
        if kind in _OWN_UNIT:
            return
        give = self.version.assignments.append
        if isinstance(node, nodes.Binding):
            value: Given = kinds.whole(0) if node.value is None else node.value
            give((node.name.text, ANY if _has_block(value) else value))
        elif isinstance(node, (nodes.SetIndex, nodes.SetField)):
            give((node.name.text, Kind(kinds.ARRAY | kinds.RECORD | kinds.OTHER)))
        elif isinstance(node, nodes.Each):
            give((node.name.text, ANY))
        elif isinstance(node, nodes.Branch) and node.name is not None:
            give((node.name.text, ANY))
        elif isinstance(node, nodes.Try) and node.name is not None:
            give((node.name.text, kinds.IS_OTHER))
        elif isinstance(node, nodes.Input) and node.target is not None:
            give((node.target.text, kinds.IS_TEXT))
        elif isinstance(node, nodes.FileRead):
            give((node.target.text, _LENGTH if node.rows else kinds.IS_TEXT))
        elif isinstance(node, nodes.DbQuery):
            give((node.target.text, kinds.IS_ARRAY))
        elif isinstance(node, nodes.Return):
            self.version.returns.append(node.value)
        elif isinstance(node, nodes.Call) and node.block is not None:
            builtin = BUILTIN_OF.get(node.callee.text) if isinstance(node.callee, nodes.Name) else None
            if builtin is not None and builtin.takes == "body":
                return
            for name in builtin.brings.split() if builtin is not None else ():
                give((name, ANY))
        elif kind is nodes.Arithmetic or kind is nodes.Logical:
            return
        if isinstance(node, nodes.Node):
            for slot in parts_of(kind):
                part = getattr(node, slot)
                if isinstance(part, nodes.Node):
                    self.visit(part)
                elif isinstance(part, list):
                    for item in part:
                        self.visit(item)


_OWN_UNIT = frozenset(
    (
        nodes.Function,
        nodes.Shape,
        nodes.Lambda,
        nodes.Route,
        nodes.Every,
        nodes.Test,
        nodes.OnStop,
        nodes.Agent,
        nodes.Message,
    )
)


def _has_block(value: Given) -> bool:
    return isinstance(value, (nodes.Call, nodes.MethodCall)) and value.block is not None


def _whole_parameters(unit: Unit) -> frozenset[str]:
    """Parameters worth a whole-number version: they meet arithmetic in a function that calls
    itself or loops."""
    if unit.kind != "function" or not unit.parameters or unit.is_method:
        return frozenset()
    seen = _Worth(unit.name)
    seen.visit(unit.statements)
    captured = {name for inner in unit.inner for name in inner.captures}
    if not seen.repeats or len(set(unit.parameters)) != len(unit.parameters):
        return frozenset()
    return frozenset(unit.parameters) & seen.numeric - captured


class _Worth:
    def __init__(self, name: str) -> None:
        self.name = name
        self.repeats = False
        self.numeric: set[str] = set()

    def visit(self, node: object) -> None:
        stack = [node]
        while stack:
            item = stack.pop()
            if isinstance(item, list):
                stack.extend(item)
                continue
            if not isinstance(item, nodes.Node) or type(item) in _OWN_UNIT:
                continue
            if isinstance(item, (nodes.While, nodes.Each)):
                self.repeats = True
            elif isinstance(item, nodes.Call):
                self.repeats |= isinstance(item.callee, nodes.Name) and item.callee.text == self.name
            elif isinstance(item, nodes.Arithmetic) and item.operator != "&":
                self._operands(item.left, item.right)
            elif isinstance(item, nodes.Comparison) and item.operators[0] not in ("==", "!="):
                self._operands(*item.operands)
            stack.extend(getattr(item, slot) for slot in parts_of(type(item)))

    def _operands(self, *operands: nodes.Expression) -> None:
        self.numeric.update(operand.text for operand in operands if isinstance(operand, nodes.Name))


_RULES: dict[type, Callable[..., Kind]] = {
    nodes.Number: Inference._number,
    nodes.Text: lambda self, version, node: kinds.IS_TEXT,
    nodes.Constant: Inference._constant,
    nodes.Name: Inference._name,
    nodes.Array: lambda self, version, node: kinds.IS_ARRAY,
    nodes.Record: lambda self, version, node: kinds.IS_RECORD,
    nodes.ShapeLiteral: lambda self, version, node: ANY,
    nodes.Lambda: lambda self, version, node: kinds.IS_OTHER,
    nodes.Negate: Inference._negate,
    nodes.Not: lambda self, version, node: kinds.IS_BOOL,
    nodes.Arithmetic: Inference._arithmetic,
    nodes.Comparison: lambda self, version, node: kinds.IS_BOOL,
    nodes.Logical: lambda self, version, node: kinds.IS_BOOL,
    nodes.Call: Inference._call,
}
