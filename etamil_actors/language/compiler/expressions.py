"""Expressions become Python expressions.

Two ways to write an operation stand side by side. *Surely*: a helper of the machine that follows
the reference for any operands. *Speculating*: the bare Python operation, inside a ``try`` whose
handler does the same statement surely. That is allowed where the statement can be done twice
without anybody noticing (``is_repeatable``), and only with operations that either answer what
the language says or raise. So a wrong guess costs time, never a digit:

* Decimal arithmetic runs under a context that raises ``Rounded`` as soon as 28 digits are not
  enough or a 29th decimal place appears — everything that does not raise is exact;
* ``number + text`` raises ``TypeError`` in Python, so one side known to be a number is enough;
* ``record["field"]`` raises for all that is no record or lacks the field.

Where Python would answer something else in silence — text + text, an index below zero, a Boolean
that compares like a number — the operation is guarded or left to the helper.
"""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections.abc import Callable
from decimal import Decimal

from etamil_actors.language import nodes
from etamil_actors.language.builtins import BUILTIN_OF, Builtin
from etamil_actors.language.compiler import kinds
from etamil_actors.language.compiler.emit import Emitter
from etamil_actors.language.compiler.inference import Inference, Version, combined, of_number
from etamil_actors.language.compiler.kinds import ANY, NUMBER, Kind
from etamil_actors.language.compiler.units import AGENT, BODY, TOP, Unit, is_handler_word
from etamil_actors.language.keywords import WORDS

Made = tuple[ast.expr, Kind]

STRING_TYPE = frozenset([spelling for word in WORDS if word.word == "String" for spelling in word.spellings])
"""The spellings of சரம், which is a type where one may stand and a name elsewhere."""

_NEAR = 2**30 - 1
"""The greatest whole number that CPython compares without a function call."""

_LONG = 40
"""More operands than this are handed to a helper in one go: Python's own compiler recurses."""

_SURE = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide"}
_ANY = {"+": "add_any", "-": "subtract_any", "*": "multiply_any", "/": "divide_any"}
_ORDER = {"<": "less", "<=": "less_equal", ">": "greater", ">=": "greater_equal"}
_NOTHING = "nil"
"""Stands for இன்மை where no variable of the name has a value (EXTENSIONS §1.11)."""

_PURE_GROUPS = frozenset(("collections", "results", "numbers", "text", "json", "everyday"))
_IMPURE = frozenset(("_random", "_uuid"))


class Expressions(Emitter, ABC):
    """Writes the expressions of one unit. What it leaves open its heirs supply."""

    def __init__(self, inference: Inference, version: Version) -> None:
        super().__init__()
        self.inference = inference
        self.units = inference.units
        self.version = version
        self.unit: Unit = version.unit
        self.assigned: set[str] = set(version.unit.parameters) | set(version.unit.captures)
        self.facts: dict[str, Kind] = {}
        self.unset: set[str] = set()
        """Names that start as ``UNSET`` because a read may come too early and has somewhere to fall."""
        self.speculating = False
        self.speculated = False
        self.before: list[ast.stmt] = []
        """Statements that must run before the expression at hand: blocks inside expressions."""
        self.calls = False
        self.keeps_functions = False
        """Whether it makes a function that a variable may hold."""
        self.temporaries = 0

    # ---- supplied by its heirs ---------------------------------------------------------

    @abstractmethod
    def go_to(self, node: nodes.Node) -> None:
        """Set the place of what is written next."""

    @abstractmethod
    def decimal(self, value: Decimal) -> ast.expr:
        """A decimal constant."""

    @abstractmethod
    def type_value(self, type: nodes.TypeName) -> ast.expr:
        """A type that stands as a value."""

    @abstractmethod
    def builtin_name(self, builtin: Builtin) -> str:
        """The Python name of a linked builtin."""

    @abstractmethod
    def block_call(self, node: nodes.Call | nodes.MethodCall) -> ast.expr:
        """A call with a block: its statements go to ``before``."""

    @abstractmethod
    def body_value(self, node: nodes.Call) -> ast.expr:
        """The body behind a call as a function value."""

    @abstractmethod
    def declaration(self, number: int, parts: list[nodes.Expression]) -> ast.expr:
        """What the program declares here is told to the machine, with its options."""

    # ---- small things -----------------------------------------------------------------

    def temporary(self) -> str:
        """A fresh Python name."""
        self.temporaries += 1
        return f"t{self.temporaries}"

    def python_name(self, name: str) -> str:
        """What a variable is called in the code: ``g_`` when several units share it."""
        return ("g_" if self.is_shared(name) else "v_") + name

    def is_shared(self, name: str) -> bool:
        """Whether a name means a global one that several units share."""
        return name in self.units.shared and not self.inference.is_local(self.unit, name)

    def depth(self) -> ast.expr:
        """How deep a call made here stands."""
        self.calls = True
        if self.unit.kind in (TOP, BODY, AGENT) and not self.unit.carries:
            return self.constant(1)
        return self.name("d")

    def is_type(self, value: ast.expr, kind: str) -> ast.expr:
        """``type(value) is kind``."""
        return self.compare(self.call("type_", value), "is", self.name(kind))

    def value(self, node: nodes.Expression) -> ast.expr:
        """An expression whose kind does not matter."""
        return self.expression(node)[0]

    def expression(self, node: nodes.Expression) -> Made:
        """An expression and what it can be."""
        self.go_to(node)
        made: Made = _RULES[type(node)](self, node)
        return made

    # ---- literals ---------------------------------------------------------------------

    def _number(self, node: nodes.Number) -> Made:
        if type(node.value) is int:
            return self.constant(node.value), of_number(node)
        return self.decimal(node.value), of_number(node)  # type: ignore[arg-type]

    def _text(self, node: nodes.Text) -> Made:
        return self.constant(node.value), kinds.IS_TEXT

    def _constant(self, node: nodes.Constant) -> Made:
        return self.constant(node.value), kinds.IS_NIL if node.value is None else kinds.IS_BOOL

    def _array(self, node: nodes.Array) -> Made:
        return self.array([self.value(item) for item in node.items]), kinds.IS_ARRAY

    def _record(self, node: nodes.Record) -> Made:
        values = [self.value(pair.value) for pair in node.pairs]
        self.go_to(node)
        keys = [self.constant(pair.key.text) for pair in node.pairs]
        if len({pair.key.text for pair in node.pairs}) == len(keys):
            return self.record(keys, values), kinds.IS_RECORD
        # Of a repeated key the first counts; the later value is still evaluated.
        return self.call("first_keys", self.group(keys), self.group(values)), kinds.IS_RECORD

    # ---- names ------------------------------------------------------------------------

    def kind_of(self, name: str) -> Kind:
        """What a name can be here, facts included."""
        known = self.facts.get(name)
        if known is not None:
            return known
        kind = self.inference.of_name(self.version, name)
        return kind if kind.mask else ANY

    def _name(self, node: nodes.Name) -> Made:
        return self.read(node.text), self.kind_of(node.text)

    def read(self, name: str) -> ast.expr:
        """The value of a name, or the error that it has none."""
        if name in self.unit.itself:
            return self.attribute(self.name("M"), "me")
        if self.inference.is_local(self.unit, name):
            if name in self.assigned:
                return self.name("v_" + name)
            fallback = self.outer_value(name)
            captured = any(name in inner.captures for inner in self.unit.inner)
            if fallback is None and not captured:
                return self.name("v_" + name)
            self.unset.add(name)
            own = self.name("v_" + name)
            return self.choice(
                self.compare(own, "is not", self.name("UNSET")), own, fallback or self.undefined(name)
            )
        return self.outer_value(name) or self.undefined(name)

    def undefined(self, name: str) -> ast.expr:
        """The error of a name without a value."""
        return self.call("undefined", self.constant(name))

    def outer_value(self, name: str) -> ast.expr | None:
        """A global name, function or builtin; None when there is nothing of that name."""
        if name in self.units.shared and name in self.units.globals:
            return self.name("g_" + name)
        if name in self.units.globals and self.unit.owns_globals:
            own = self.name("v_" + name)
            fallback = None if name in self.assigned else self.function_value(name)
            if fallback is None:
                return own
            self.unset.add(name)
            return self.choice(self.compare(own, "is not", self.name("UNSET")), own, fallback)
        return self.function_value(name)

    def function_value(self, name: str) -> ast.expr | None:
        """A function, agent or builtin of that name as a value."""
        unit = self.units.functions.get(name)
        if unit is not None:
            self.keeps_functions = True
            return self.unit_value(unit)
        if name in self.units.agents:
            self.keeps_functions = True
            return self.call("agent_value", self.constant(name))
        builtin = BUILTIN_OF.get(name)
        if builtin is None:
            return self.constant(None) if name == _NOTHING else None
        if builtin.takes == "name":
            return self.call("service", self.constant(builtin.english), self.group([]))
        self.keeps_functions = True
        return self.call("builtin_value", self.constant(builtin.english))

    def unit_value(self, unit: Unit) -> ast.expr:
        """A function of the program as a value."""
        node = unit.node
        task = isinstance(node, nodes.Function) and node.task
        return self.call(
            "Function",
            self.name(unit.python_name),
            self.constant(unit.name),
            self.constant(len(unit.parameters)),
            self.constant(unit.index),
            self.group([]),
            self.name("M"),
            self.constant(isinstance(node, nodes.Function) and node.takes_self),
            self.constant(task),
        )

    def _lambda(self, node: nodes.Lambda) -> Made:
        return self.closure(self.units.of_node[id(node)]), kinds.IS_OTHER

    def closure(self, unit: Unit) -> ast.expr:
        """A lambda or inner body with copies of the locals it reads."""
        self.keeps_functions = True
        captured: list[ast.expr] = []
        for name in unit.captures:
            if name in self.unit.itself:
                captured.append(self.read(name))
                continue
            own = self.name("v_" + name)
            if name not in self.assigned:
                self.unset.add(name)
                own = self.choice(self.compare(own, "is", self.name("UNSET")), self.constant(None), own)
            captured.append(own)
        return self.call(
            "Function",
            self.call(f"l_{unit.index}", *captured),
            self.constant(""),
            self.constant(len(unit.parameters)),
            self.constant(unit.index),
            self.group(captured),
            self.name("M"),
        )

    def _type(self, node: nodes.TypeValue) -> Made:
        return self.type_value(node.type), kinds.IS_OTHER

    def option_value(self, node: nodes.Expression) -> ast.expr:
        """Options may name types as well as values."""
        type = self._type_in(node)
        if type is not None:
            return self.type_value(type)
        if isinstance(node, nodes.Record):
            keys = [self.constant(pair.key.text) for pair in node.pairs]
            return self.record(keys, [self.option_value(pair.value) for pair in node.pairs])
        return self.value(node)

    def _type_in(self, node: nodes.Expression) -> nodes.TypeName | None:
        """The type that an option means: a word for one, a shape's name, either with ``?`` behind it."""
        if isinstance(node, nodes.TypeValue):
            return node.type
        if isinstance(node, nodes.Unwrap):
            type = self._type_in(node.target)
            if type is None:
                return None
            return nodes.TypeName(
                node.start, node.end, type.kind, type.name, type.written, type.element, optional=True
            )
        if not isinstance(node, nodes.Name) or self.inference.is_variable(self.unit, node.text):
            return None
        if node.text in self.units.shapes:
            return nodes.TypeName(node.start, node.end, "Shape", node.text, node.text)
        if node.text in STRING_TYPE and self.function_value(node.text) is None:
            return nodes.TypeName(node.start, node.end, "Text", "", node.text)
        return None

    def _request(self, node: nodes.RequestValue) -> Made:
        return self.call("service", self.constant("_request"), self.group([])), ANY

    # ---- logic ------------------------------------------------------------------------

    def condition(self, node: nodes.Expression) -> ast.expr:
        """An expression that is only asked whether it is true."""
        self.go_to(node)
        if isinstance(node, nodes.Logical):
            operands: list[nodes.Expression] = []
            left: nodes.Expression = node
            while isinstance(left, nodes.Logical) and left.operator == node.operator:
                operands.append(left.right)
                left = left.left
            operands.append(left)
            tests = [self.condition(operand) for operand in reversed(operands)]
            self.go_to(node)
            return self.both(*tests) if node.operator == "and" else self.either(*tests)
        if isinstance(node, nodes.Not):
            return self.negation(self.condition(node.operand))
        return self.value(node)

    def _logical(self, node: nodes.Logical) -> Made:
        test = self.condition(node)
        self.go_to(node)
        return self.choice(test, self.constant(True), self.constant(False)), kinds.IS_BOOL

    def _not(self, node: nodes.Not) -> Made:
        return self.negation(self.condition(node.operand)), kinds.IS_BOOL

    def _comparison(self, node: nodes.Comparison) -> Made:
        made = [self.expression(operand) for operand in node.operands]
        self.go_to(node)
        if len(made) == 2:
            return self._pair(made[0], node.operators[0], made[1]), kinds.IS_BOOL
        tests: list[ast.expr] = []
        for place, operator in enumerate(node.operators):
            left, right = made[place], made[place + 1]
            if place:  # a middle operand is repeatable: read it again
                left = self.expression(node.operands[place])
                self.go_to(node)
            tests.append(self._pair(left, operator, right))
        return self.both(*tests), kinds.IS_BOOL

    def _pair(self, left: Made, operator: str, right: Made) -> ast.expr:
        (one, one_kind), (two, two_kind) = left, right
        if operator in ("==", "!="):
            return self._equality(one, one_kind, operator, two, two_kind)
        for mask in (NUMBER, kinds.TEXT):
            if one_kind.is_only(mask) and two_kind.is_only(mask):
                return self.compare(one, operator, two)
        numbers = one_kind.is_only(NUMBER), two_kind.is_only(NUMBER)
        if self.speculating and any(numbers) and _is_simple(two if numbers[1] else one):
            return self._speculated_order(one, operator, two, numbers[1])
        if not (one_kind.may_be(kinds.INT) and two_kind.may_be(kinds.INT)):
            return self.call(_ORDER[operator], one, two)
        left_value, left_first = self._kept(one)
        right_value, right_first = self._kept(two)
        if _is_simple(two):
            tests = [
                self.is_type(value, "int_")
                for value, kind in ((left_first, one_kind), (two, two_kind))
                if kind.mask != kinds.INT
            ]
            if one_kind.mask == kinds.INT and not _is_simple(one):
                tests.insert(0, self.is_type(left_first, "int_"))
            whole = tests[0] if len(tests) == 1 else self.both(*tests)
        else:  # both sides are evaluated, whatever the first one is
            whole = self.both_whole(left_first, right_first)
        bare = self.compare(left_value, operator, right_value)
        return self.choice(whole, bare, self.call(_ORDER[operator], left_value, right_value))

    def _speculated_order(self, one: ast.expr, operator: str, two: ast.expr, right_number: bool) -> ast.expr:
        """A number against anything: all that is no number raises, but for the Booleans."""
        self.speculated = True
        value, first = self._kept(one if right_number else two)
        left, right = (value, two) if right_number else (one, value)
        guards = self.both(self.compare(first, "is not", self.constant(True)), self._no_boolean(value)[1])
        bare = self.compare(left, operator, right)
        return self.choice(guards, bare, self.call(_ORDER[operator], left, right))

    def _no_boolean(self, value: ast.expr) -> list[ast.expr]:
        return [self.compare(value, "is not", self.constant(truth)) for truth in (True, False)]

    def _equality(
        self, one: ast.expr, one_kind: Kind, operator: str, two: ast.expr, two_kind: Kind
    ) -> ast.expr:
        if one_kind.is_only(NUMBER) and two_kind.is_only(NUMBER):
            return self.compare(one, operator, two)
        if one_kind.is_only(kinds.TEXT) or two_kind.is_only(kinds.TEXT):
            return self.compare(one, operator, two)
        if one_kind.is_only(kinds.NIL) or two_kind.is_only(kinds.NIL):
            return self.compare(one, "is" if operator == "==" else "is not", two)
        for kind in (one_kind, two_kind):
            # True == 1 in Python; any other whole number equals no Boolean.
            if kind.mask == kinds.INT and (kind.low > 1 or kind.high < 0):
                return self.compare(one, operator, two)
        for right_number, known, other in ((True, two_kind, one_kind), (False, one_kind, two_kind)):
            if known.is_only(NUMBER) and other.may_be(kinds.BOOL):
                value, first = self._kept(one if right_number else two)
                left, right = (first, two) if right_number else (one, first)
                alike = self.both(self.compare(left, "==", right), *self._no_boolean(value))
                return alike if operator == "==" else self.negation(alike)
        same = self.call("equal", one, two)
        return same if operator == "==" else self.negation(same)

    # ---- arithmetic -------------------------------------------------------------------

    def _negate(self, node: nodes.Negate) -> Made:
        made, kind = self.expression(node.operand)
        self.go_to(node)
        if isinstance(made, ast.Constant) and type(made.value) is int:
            return self.constant(-made.value), kinds.whole(-made.value)
        return self._combine((self.constant(0), kinds.whole(0)), "-", (made, kind))

    def _arithmetic(self, node: nodes.Arithmetic) -> Made:
        spine: list[nodes.Arithmetic] = []
        left: nodes.Expression = node
        while isinstance(left, nodes.Arithmetic):
            spine.append(left)
            left = left.left
        spine.reverse()
        if len(spine) > _LONG:
            return self._long(left, spine)
        made = self.expression(left)
        place = 0
        while place < len(spine):
            part = spine[place]
            if part.operator == "&":
                texts = [made[0]]
                while place < len(spine) and spine[place].operator == "&":
                    part = spine[place]
                    texts.append(self.value(part.right))
                    place += 1
                self.go_to(part)
                made = self.call("joined", *texts), kinds.IS_TEXT
                continue
            right = self.expression(part.right)
            self.go_to(part)
            made = self._combine(made, part.operator, right)
            place += 1
        return made

    def _long(self, left: nodes.Expression, spine: list[nodes.Arithmetic]) -> Made:
        kind = self.inference.of(self.version, left)
        operands = [self.value(left)]
        for part in spine:
            operands.append(self.value(part.right))
            kind = combined(kind, part.operator, self.inference.of(self.version, part.right))
        self.go_to(spine[-1])
        operators = self.constant("".join(part.operator for part in spine))
        return self.call("folded", operators, self.group(operands)), kind if kind.mask else ANY

    def _combine(self, left: Made, operator: str, right: Made) -> Made:
        (one, one_kind), (two, two_kind) = left, right
        numeric = one_kind.is_only(NUMBER) and two_kind.is_only(NUMBER)
        result = combined(one_kind, operator, two_kind)
        if operator == "/":
            return self.call("divide" if numeric else "divide_any", one, two), result
        if not numeric:
            return self._uncertain(left, operator, right), result
        exact = (
            kinds.product(one_kind, two_kind)
            if operator == "*"
            else kinds.total(one_kind, two_kind, operator)
        )
        if exact.mask == kinds.INT:
            return self._checked(self.binary(one, operator, two), exact), result
        if self.speculating and kinds.fits(exact):
            bare = self._decimal(left, operator, right)
            if bare is not None:
                self.speculated = True
                return bare, result
        return self.call(_SURE[operator], one, two), result

    def _checked(self, made: ast.expr, kind: Kind) -> ast.expr:
        """Leave the check of 2⁹⁶ out where the interval shows that it holds."""
        if kinds.fits(kind):
            return made
        kept = self.temporary()
        test = self.within_bounds(self.keep(kept, made), kept, kind.high > kinds.MOST, kind.low < -kinds.MOST)
        return self.choice(test, self.name(kept), self.call("fit", self.name(kept)))

    def within_bounds(self, first: ast.expr, kept: str, above: bool = True, below: bool = True) -> ast.expr:
        """Whether a whole number is one of the language.

        Most are near zero, where CPython compares without a function call; the true bounds come after.
        ``first`` stands where the number is read first, ``kept`` is its name from then on.
        """
        again = self.name(kept)
        if not (above and below):
            sign, operator = (1, "<=") if above else (-1, ">=")
            near = self.compare(first, operator, self.constant(sign * _NEAR))
            return self.either(near, self.compare(again, operator, self.constant(sign * kinds.MOST)))
        negative = self.choice(
            self.compare(again, ">=", self.constant(-_NEAR)),
            self.constant(True),
            self.compare(again, ">=", self.constant(-kinds.MOST)),
        )
        far = self.compare(again, "<=", self.constant(kinds.MOST))
        return self.choice(self.compare(first, "<=", self.constant(_NEAR)), negative, far)

    def _decimal(self, left: Made, operator: str, right: Made) -> ast.expr | None:
        """A bare operation with decimals on one side, and the rules for zero."""
        (one, one_kind), (two, two_kind) = left, right
        if operator == "*":  # a zero factor makes a plain 0
            return self.either(self.binary(one, "*", two), self.constant(0))
        zeros = one_kind.may_be(kinds.ZERO) or two_kind.may_be(kinds.ZERO)
        if zeros and not (_is_simple(one) and _is_simple(two)):
            return None
        made = self.binary(one, operator, two)
        if one_kind.mask == kinds.INT and one_kind.low == one_kind.high == 0:
            return made  # what Python makes of 0 + b has the scale of b
        if two_kind.may_be(kinds.ZERO):
            made = self.choice(two, made, one)
        left_zero = one_kind.mask & kinds.INT and one_kind.low <= 0 <= one_kind.high
        if one_kind.may_be(kinds.ZERO) or (left_zero and two_kind.may_be(kinds.ZERO)):
            # 0 + b is b with its own scale; of two zeros the right one is the result.
            other = two if operator == "+" else self.binary(self.constant(0), "-", two)
            made = self.choice(one, made, other)
        return made

    def _uncertain(self, left: Made, operator: str, right: Made) -> ast.expr:
        """An operation on values whose kind nobody knows."""
        (one, one_kind), (two, two_kind) = left, right
        if not self.speculating:
            return self.call(_ANY[operator], one, two)
        # The statement is repeatable, so an operand may be kept, or even be evaluated twice.
        one, one_first = self._kept(one)
        two, two_first = self._kept(two)
        kept = self.temporary()
        one_number, two_number = one_kind.is_only(NUMBER), two_kind.is_only(NUMBER)
        if operator != "*" and (one_number or two_number or operator == "-"):
            self.speculated = True
            rises = operator == "+"
            small = two_kind.mask == kinds.INT and 0 <= two_kind.low and two_kind.high <= _NEAR
            if small and two_kind.low == two_kind.high != 0:
                # Not zero, and near: that settles a decimal too, without asking for the type.
                bare = self.keep(kept, self.binary(one, operator, right[0]))
                near = self.compare(bare, "<" if rises else ">", self.constant(_NEAR if rises else -_NEAR))
                return self.choice(
                    self.both(one_first, near), self.name(kept), self.call(_ANY[operator], one, right[0])
                )
            whole = self.within_bounds(self.name(kept), kept, rises or not small, not rises or not small)
            # A zero with decimals would disturb the scale, and is left to the helper.
            nonzero = [value for value, kind in ((one, one_kind), (two, two_kind)) if kind.mask != kinds.INT]
            decimal = self.both(*nonzero) if len(nonzero) > 1 else nonzero[0]
            bare = self.keep(kept, self.binary(one_first, operator, two_first))
            test = self.choice(self.is_type(bare, "int_"), whole, decimal)
            return self.choice(test, self.name(kept), self.call(_ANY[operator], one, two))
        simple = _is_simple(left[0]) and _is_simple(right[0])
        bare = self.keep(kept, self.binary(one, operator, two))
        if kinds.INT in (one_kind.mask, two_kind.mask):
            if not simple:
                return self.call(_ANY[operator], left[0], right[0])
            guards = [self.is_type(two if one_kind.mask == kinds.INT else one, "int_")]
        elif not simple:  # no tree is written twice: a chain of comparisons evaluates both sides
            guards = [self.both_whole(one_first, two_first)]
        elif operator == "+":  # a whole number + text raises
            self.speculated = True
            guards = [self.is_type(one, "int_"), self.is_type(bare, "int_")]
            bare = self.name(kept)
        else:
            guards = [self.is_type(one, "int_"), self.is_type(two, "int_")]
        sure = self.call(_ANY[operator], one, two)
        return self.choice(self.both(*guards, self.within_bounds(bare, kept)), self.name(kept), sure)

    def _kept(self, made: ast.expr) -> tuple[ast.expr, ast.expr]:
        """Something to read again, and what stands at the first place in its stead."""
        if _is_simple(made):
            return made, made
        kept = self.temporary()
        return self.name(kept), self.keep(kept, made)

    # ---- parts of values --------------------------------------------------------------

    def _index(self, node: nodes.Index) -> Made:
        target, target_kind = self.expression(node.target)
        index, index_kind = self.expression(node.index)
        self.go_to(node)
        if self.speculating:
            if index_kind.is_only(kinds.TEXT) and _is_simple(target):
                self.speculated = True  # a text index of a list or text raises
                return self.item(target, index), ANY
            whole = index_kind.mask == kinds.INT and index_kind.low >= 0
            if target_kind.mask == kinds.ARRAY and whole:
                self.speculated = True
                return self.item(target, index), ANY
            if _is_simple(target) and _is_simple(index) and whole:
                self.speculated = True
                bare = self.item(target, index)
                return self.choice(
                    self.is_type(target, "list_"), bare, self.call("index_any", target, index)
                ), ANY
        return self.call("index_any", target, index), ANY

    def _field(self, node: nodes.Field) -> Made:
        target = self.value(node.target)
        self.go_to(node)
        field = self.constant(node.name.text)
        if self.speculating:
            self.speculated = True
            return self.item(target, field), ANY
        return self.call("field_any", target, field), ANY

    def _unwrap(self, node: nodes.Unwrap) -> Made:
        target = self.value(node.target)
        self.go_to(node)
        kept = self.temporary()
        good = self.compare(self.call("type_", self.keep(kept, target)), "is", self.name("Ok"))
        return (
            self.choice(
                good, self.attribute(self.name(kept), "value"), self.call("question", self.name(kept))
            ),
            ANY,
        )

    def _shape_literal(self, node: nodes.ShapeLiteral) -> Made:
        name = node.name.text
        base = self.value(node.base) if node.base is not None else None
        record, _ = self._record(nodes.Record(node.start, node.end, node.pairs))
        self.go_to(node)
        if name in self.units.shapes:
            shape = self.name("S_" + name)
            arguments = [shape, record] if base is None else [shape, record, base]
            if base is None:
                return self.call("shape_literal", *arguments), kinds.IS_OTHER
            return self.call("shape_from", shape, base, record), kinds.IS_OTHER
        record_node = nodes.Record(node.start, node.end, node.pairs)
        callee = nodes.Name(node.name.start, node.name.end, name)
        return self._call(nodes.Call(node.start, node.end, callee, [], record_node))

    # ---- calls ------------------------------------------------------------------------

    def _call(self, node: nodes.Call) -> Made:
        if node.block is not None:
            return self._call_with_block(node)
        written = list(node.arguments) + ([node.options] if node.options is not None else [])
        callee = node.callee
        if not isinstance(callee, nodes.Name):
            target = self.value(callee)
            arguments = [self.value(argument) for argument in written]
            self.go_to(node)
            return self._call_value(target, arguments, None), ANY
        name = callee.text
        made = [self._argument(name, place, argument) for place, argument in enumerate(written)]
        arguments = [argument for argument, _ in made]
        self.go_to(node)
        if self.inference.is_variable(self.unit, name):
            return self._call_variable(name, arguments), ANY
        if name in self.units.shapes and name not in self.units.functions and len(arguments) == 1:
            return self.call("shape_convert", self.name("S_" + name), arguments[0]), kinds.IS_OTHER
        unit = self.units.functions.get(name)
        if unit is not None:
            return self._call_function(unit, name, made)
        if name in self.units.agents:
            return self.call("start_agent", self.constant(name), self.group(arguments)), ANY
        builtin = BUILTIN_OF.get(name)
        if builtin is not None:
            return self._call_builtin(builtin, name, arguments), self.inference.of_builtin(self.unit, node)
        return self.call("unknown_call", self.constant(name), *arguments), ANY

    def _argument(self, name: str, place: int, node: nodes.Expression) -> Made:
        """An argument of a call. A function that is only lent to a builtin is not kept."""
        if is_handler_word(name):
            return self.option_value(node), ANY
        kept = self.keeps_functions
        made = self.expression(node)
        if isinstance(node, nodes.Lambda | nodes.Name) and self._is_lent(name, place):
            self.keeps_functions = kept
        return made

    def _is_lent(self, name: str, place: int) -> bool:
        if self.inference.is_variable(self.unit, name) or name in self.units.functions:
            return False
        builtin = BUILTIN_OF.get(name)
        if builtin is None or builtin.group not in _PURE_GROUPS:
            return False
        return builtin.letters[place : place + 1] == "f"

    def _call_function(self, unit: Unit, name: str, made: list[Made]) -> Made:
        arguments = [argument for argument, _ in made]
        if len(arguments) != len(unit.parameters):
            return self._wrong_count(name, str(len(unit.parameters)), arguments), ANY
        special = self.inference.special_for(unit, [kind for _, kind in made])
        version = special or self.inference.general[unit.index]
        prefix = "i_" if special is not None else "f_"
        answer = version.answer if version.answer.mask else ANY
        inlined = self._inline(unit, special, made) if special is not None else None
        if inlined is not None:
            return inlined, answer
        return self.call(prefix + name, *arguments, self.depth()), answer

    def _inline(self, unit: Unit, version: Version, made: list[Made]) -> ast.expr | None:
        """``f(a)`` as ``base if a is a base case else f(a)``.

        A function that begins with ``(n < 2) எனில் { திரும்பு n; }`` is mostly called for that
        case; asking the question before the call saves the call.
        """
        first = unit.statements[0] if unit.statements else None
        if len(unit.parameters) != 1 or not isinstance(first, nodes.If) or first.otherwise is not None:
            return None
        if len(first.then.statements) != 1 or not isinstance(first.then.statements[0], nodes.Return):
            return None
        test, answer = first.condition, first.then.statements[0].value
        parameter = unit.parameters[0]
        if parameter in unit.bound or not isinstance(test, nodes.Comparison) or len(test.operands) != 2:
            return None
        left, right = test.operands
        if not (isinstance(left, nodes.Name) and left.text == parameter and isinstance(right, nodes.Number)):
            return None
        if type(right.value) is not int or abs(right.value) > _NEAR:
            return None
        argument = made[0][0]
        kept = self.temporary()
        if isinstance(answer, nodes.Name) and answer.text == parameter:
            base: ast.expr = self.name(kept)
        elif isinstance(answer, nodes.Number) and type(answer.value) is int:
            base = self.constant(answer.value)
        else:
            return None
        question = self.compare(self.keep(kept, argument), test.operators[0], self.constant(right.value))
        depth = self.depth()
        if isinstance(depth, ast.Name):  # the call that is saved must still be allowed
            question = self.both(question, self.compare(depth, "<=", self.name("limit")))
        return self.choice(question, base, self.call("i_" + unit.name, self.name(kept), depth))

    def _call_builtin(self, builtin: Builtin, name: str, arguments: list[ast.expr]) -> ast.expr:
        if len(arguments) < builtin.least or (builtin.most >= 0 and len(arguments) > builtin.most):
            return self._wrong_count(builtin.tamil, expected_count(builtin), arguments)
        if "f" in builtin.letters:
            return self.call(self.builtin_name(builtin), *arguments, self.depth())
        return self.call(self.builtin_name(builtin), *arguments)

    def _wrong_count(self, name: str, expected: str, arguments: list[ast.expr]) -> ast.expr:
        return self.call("wrong_count", self.constant(name), self.constant(expected), self.group(arguments))

    def _call_variable(self, name: str, arguments: list[ast.expr]) -> ast.expr:
        fallback = self.function_value(name)
        if fallback is None and name in self.units.shapes and len(arguments) == 1:
            fallback = self.name("S_" + name)
        value = self.read(name)
        if fallback is None:
            return self._call_value(value, arguments, name)
        return self.call(
            "call_variable", value, fallback, self.group(arguments), self.depth(), self.constant(name)
        )

    def _call_value(self, value: ast.expr, arguments: list[ast.expr], name: str | None) -> ast.expr:
        sure = self.call("call_value", value, self.group(arguments), self.depth(), self.constant(name or ""))
        if not _is_simple(value) or not all(_is_simple(argument) for argument in arguments):
            return sure
        test = self.both(
            self.is_type(value, "Function"),
            self.compare(self.attribute(value, "arity"), "==", self.constant(len(arguments))),
        )
        return self.choice(test, self.call(self.attribute(value, "call"), *arguments, self.depth()), sure)

    def _method_call(self, node: nodes.MethodCall) -> Made:
        if node.block is not None:
            return self.block_call(node), ANY
        method = node.name.text
        written = list(node.arguments) + ([node.options] if node.options is not None else [])
        target_name = node.target.text if isinstance(node.target, nodes.Name) else None
        if target_name is not None and not self.inference.is_variable(self.unit, target_name):
            unit = self.units.methods.get((target_name, method))
            if unit is not None:
                arguments = [self.value(argument) for argument in written]
                self.go_to(node)
                if len(arguments) != len(unit.parameters):
                    return self._wrong_count(unit.name, str(len(unit.parameters)), arguments), ANY
                answer = self.inference.general[unit.index].answer
                return self.call(unit.python_name, *arguments, self.depth()), answer if answer.mask else ANY
            builtin = BUILTIN_OF.get(f"{target_name}.{method}")
            if builtin is not None:
                evaluate = self.option_value if is_handler_word(builtin.english) else self.value
                arguments = [evaluate(argument) for argument in written]
                self.go_to(node)
                return self._call_builtin(builtin, builtin.tamil, arguments), ANY
        target = self.value(node.target)
        arguments = [self.value(argument) for argument in written]
        self.go_to(node)
        return (
            self.call("call_method", target, self.constant(method), self.group(arguments), self.depth()),
            ANY,
        )

    def _call_with_block(self, node: nodes.Call) -> Made:
        builtin = None
        if isinstance(node.callee, nodes.Name) and not self.inference.is_variable(
            self.unit, node.callee.text
        ):
            if node.callee.text not in self.units.functions:
                builtin = BUILTIN_OF.get(node.callee.text)
        if builtin is None or builtin.takes != "body":
            return self.block_call(node), ANY
        number = self.units.number_of.get(id(node))
        if number is not None:
            return self.declaration(number, [*node.arguments, *filter(None, [node.options])]), ANY
        arguments = [self.value(argument) for argument in node.arguments]
        if node.options is not None:
            arguments.append(self.value(node.options))
        self.go_to(node)
        body = self.body_value(node)
        return self.call("service", self.constant(builtin.english), self.group([*arguments, body])), ANY

    # ---- doing it twice ---------------------------------------------------------------

    def is_repeatable(self, *expressions: nodes.Node | None) -> bool:
        """Whether evaluating these twice can be noticed by nobody."""
        stack: list[object] = list(expressions)
        while stack:
            item = stack.pop()
            if isinstance(item, list):
                stack.extend(item)
            elif isinstance(item, (nodes.MethodCall, nodes.RequestValue)):
                return False
            elif isinstance(item, nodes.Call):
                if not self._is_pure(item):
                    return False
                stack.extend(item.arguments)
            elif isinstance(item, nodes.ShapeLiteral):
                if item.name.text not in self.units.shapes:
                    return False
                stack.append(item.pairs)
                stack.append(item.base)
            elif isinstance(item, nodes.Name):
                builtin = BUILTIN_OF.get(item.text)
                if builtin is not None and builtin.takes == "name":
                    return False
            elif isinstance(item, nodes.Node) and not isinstance(item, nodes.Lambda):
                stack.extend(getattr(item, slot) for slot in _PARTS.get(type(item), ()))
        return True

    def _is_pure(self, call: nodes.Call) -> bool:
        if call.block is not None or call.options is not None or not isinstance(call.callee, nodes.Name):
            return False
        name = call.callee.text
        if self.inference.is_variable(self.unit, name) or name in self.units.functions:
            return False
        builtin = BUILTIN_OF.get(name)
        return (
            builtin is not None
            and builtin.group in _PURE_GROUPS
            and "f" not in builtin.letters
            and builtin.english not in _IMPURE
        )


def expected_count(builtin: Builtin) -> str:
    """How many arguments a builtin takes, as text."""
    if builtin.least == builtin.most:
        return str(builtin.least)
    return f"{builtin.least}…" if builtin.most < 0 else f"{builtin.least}–{builtin.most}"


def _is_simple(made: ast.expr) -> bool:
    return isinstance(made, (ast.Name, ast.Constant))


_PARTS: dict[type, tuple[str, ...]] = {
    nodes.Array: ("items",),
    nodes.Record: ("pairs",),
    nodes.Pair: ("value",),
    nodes.Negate: ("operand",),
    nodes.Not: ("operand",),
    nodes.Arithmetic: ("left", "right"),
    nodes.Comparison: ("operands",),
    nodes.Logical: ("left", "right"),
    nodes.Index: ("target", "index"),
    nodes.Field: ("target",),
    nodes.Unwrap: ("target",),
}

_RULES: dict[type, Callable[..., Made]] = {
    nodes.Number: Expressions._number,
    nodes.Text: Expressions._text,
    nodes.Constant: Expressions._constant,
    nodes.Name: Expressions._name,
    nodes.RequestValue: Expressions._request,
    nodes.TypeValue: Expressions._type,
    nodes.Array: Expressions._array,
    nodes.Record: Expressions._record,
    nodes.ShapeLiteral: Expressions._shape_literal,
    nodes.Lambda: Expressions._lambda,
    nodes.Negate: Expressions._negate,
    nodes.Not: Expressions._not,
    nodes.Arithmetic: Expressions._arithmetic,
    nodes.Comparison: Expressions._comparison,
    nodes.Logical: Expressions._logical,
    nodes.Index: Expressions._index,
    nodes.Field: Expressions._field,
    nodes.Unwrap: Expressions._unwrap,
    nodes.Call: Expressions._call,
    nodes.MethodCall: Expressions._method_call,
}
