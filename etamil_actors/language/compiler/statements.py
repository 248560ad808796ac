"""Statements become Python statements; a unit becomes a Python function.

Each statement is written twice when it speculates (``expressions.py``): the quick form under
``try``, the sure form as its handler. ``assigned`` follows which names surely have a value, so
that only doubtful reads ask.

The flag that ends a time slice is looked at where control can stay for long: at the head of every
turn of a loop, and at the entry of every function — there in the same comparison that bounds the
depth of calls, because whoever ends a slice also lowers ``limit`` below every depth.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from itertools import pairwise

from etamil_actors.language import nodes
from etamil_actors.language.builtins import BUILTIN_OF
from etamil_actors.language.compiler import kinds
from etamil_actors.language.compiler.expressions import Expressions
from etamil_actors.language.compiler.inference import Inference, Version, leaves
from etamil_actors.language.compiler.kinds import Kind
from etamil_actors.language.compiler.units import BODY, FUNCTION, LAMBDA, MESSAGE, TOP, parts_of

Written = list[ast.stmt]
_SPECULATION = "Speculation"
_TOLD = ("_transaction", "_breaker")
"""Words that want to know what திரும்பு takes out of their block."""


class Statements(Expressions):
    """Writes the statements of one unit."""

    def __init__(self, inference: Inference, version: Version, counted: bool) -> None:
        super().__init__(inference, version)
        self.counted = counted
        self.loops: list[list[str]] = []
        """For each loop around, the flags of blocks between it and here (see ``_break``)."""
        self.told: list[str] = []
        """The turns around that are told what திரும்பு takes out of them: of transactions and breakers."""
        self.stores: set[str] = set()
        self.wants_warmth = False
        """CPython 3.11 specialises code only once it is warm, and counts calls and plain jumps backwards
        for that. A top level is called once, so it begins with a few empty turns."""
        self.block_root: nodes.Node | None = None
        """The one call of the statement at hand that may have a block."""

    # ---- a unit -----------------------------------------------------------------------

    def whole_unit(self, name: str, parameters: list[str]) -> ast.stmt:
        """The Python function of this unit."""
        unit = self.unit
        if unit.node is not None:
            self.go_to(unit.node)
        deep = unit.kind in (FUNCTION, LAMBDA, MESSAGE) or unit.carries
        body = self.block(unit.statements)
        if unit.node is not None:
            self.go_to(unit.node)
        if unit.kind == BODY and not unit.carries:
            body = body or [self.nothing()]
        if unit.unwraps and deep:
            caught = self.give(self.attribute(self.name("problem"), "result"))
            body = [self.attempt(body or [self.nothing()], "Propagate", "problem", [caught])]
        start: Written = []
        outer = sorted("g_" + name for name in self.stores if self.is_shared(name))
        if self.counted:
            outer.append("steps")
        if outer:
            start.append(self.outer(outer))
        start.extend(
            self.assign("v_" + name, self.name("UNSET")) for name in sorted(self.unset - self._given())
        )
        if self.wants_warmth:
            start.append(self.each("t0", self.name("WARMTH"), [self.nothing()]))
        if deep:
            if self.counted:
                start.extend(self._count())
            start.append(
                self.when(
                    self.compare(self.name("d"), ">", self.name("limit")),
                    [self.do(self.call("deep", self.name("d")))],
                )
            )
            if self.calls:
                start.append(self.assign("d", self.binary(self.name("d"), "+", self.constant(1))))
        return self.function(name, [*parameters, "d"] if deep else parameters, start + body)

    def _given(self) -> set[str]:
        shared = {name for name in self.unset if self.is_shared(name)}
        return set(self.unit.parameters) | set(self.unit.captures) | shared

    def _count(self) -> Written:
        less = self.assign("steps", self.binary(self.name("steps"), "-", self.constant(1)))
        return [
            less,
            self.when(
                self.compare(self.name("steps"), "<", self.constant(0)), [self.do(self.call("out_of_steps"))]
            ),
        ]

    def _tick(self) -> Written:
        look = self.when(self.name("flag"), [self.do(self.call("tick"))])
        return [*self._count(), look] if self.counted else [look]

    def block(self, statements: list[nodes.Statement]) -> Written:
        """Statements one after the other, with what they must have in front of them."""
        written: Written = []
        facts = self.facts
        for statement in statements:
            self.go_to(statement)
            self.block_root = root_of(statement)
            made = _RULES[type(statement)](self, statement)
            if self.before:
                written.extend(self.before)
                self.before = []
            written.extend(made)
            if (
                isinstance(statement, nodes.If)
                and statement.otherwise is None
                and leaves(statement.then.statements)
            ):
                self.facts = {**self.facts, **self.facts_of(statement.condition, False)}
        self.facts = facts
        return written

    def inner(self, statements: list[nodes.Statement], facts: dict[str, Kind] | None = None) -> Written:
        """A block inside a statement: never empty, and what it binds is not sure afterwards."""
        assigned, before, known = set(self.assigned), self.before, self.facts
        self.before = []
        if facts:
            self.facts = {**self.facts, **facts}
        written = self.block(statements) or [self.nothing()]
        self.facts = known
        self.after_inner = self.assigned
        self.assigned, self.before = assigned, before
        return written

    def facts_of(self, test: nodes.Expression, truth: bool) -> dict[str, Kind]:
        """What a condition tells about names that never change in this unit."""
        if isinstance(test, nodes.Not):
            return self.facts_of(test.operand, not truth)
        if isinstance(test, nodes.Logical) and (test.operator == "and") == truth:
            return {**self.facts_of(test.left, truth), **self.facts_of(test.right, truth)}
        if not isinstance(test, nodes.Comparison) or len(test.operands) != 2:
            return {}
        name, other = test.operands
        operator = test.operators[0]
        if (
            not isinstance(name, nodes.Name)
            or name.text in self.unit.bound
            or name.text not in self.unit.parameters
        ):
            return {}
        kind = self.kind_of(name.text)
        bound = self.inference.of(self.version, other)
        if kind.mask != kinds.INT or bound.mask != kinds.INT:
            return {}
        if not truth:
            operator = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}[operator]
        low, high = kind.low, kind.high
        if operator == "<":
            high = min(high, bound.high - 1)
        elif operator == "<=":
            high = min(high, bound.high)
        elif operator == ">":
            low = max(low, bound.low + 1)
        elif operator == ">=":
            low = max(low, bound.low)
        elif operator == "==":
            low, high = max(low, bound.low), min(high, bound.high)
        return {name.text: Kind(kinds.INT, low, high)} if low <= high else {}

    # ---- doing it quickly, or surely --------------------------------------------------

    def twice(self, parts: list[nodes.Node | None], write: Callable[[], Written]) -> Written:
        """Write a statement; if its quick form speculates, the sure form stands behind it."""
        if self.before or not self.is_repeatable(*parts):
            return write()
        self.speculating, self.speculated = True, False
        quick = write()
        self.speculating = False
        if not self.speculated:
            return quick
        return [self.attempt(quick, _SPECULATION, None, write())]

    def into(self, name: str, node: nodes.Expression) -> Written:
        """Evaluate an expression into a Python name."""

        def write() -> Written:
            value = self.value(node)
            return [*self._hoisted(), self.assign(name, value)]

        return self.twice([node], write)

    def _hoisted(self) -> Written:
        before, self.before = self.before, []
        return before

    def settled(self, node: nodes.Expression) -> tuple[Written, ast.expr]:
        """An expression after which only a name or constant is left, when it had to speculate."""
        return self._settled(node, self.value)

    def settled_condition(self, node: nodes.Expression) -> tuple[Written, ast.expr]:
        """The same for one that is only asked whether it is true."""
        return self._settled(node, self.condition)

    def _settled(
        self, node: nodes.Expression, write_value: Callable[[nodes.Expression], ast.expr]
    ) -> tuple[Written, ast.expr]:
        made: list[ast.expr] = []
        kept = self.temporary()

        def write() -> Written:
            made.append(write_value(node))
            return [self.assign(kept, made[-1])]

        written = self.twice([node], write)
        if len(made) == 1:
            return self._hoisted(), made[0]
        return [*self._hoisted(), *written], self.name(kept)

    # ---- bindings ---------------------------------------------------------------------

    def store(self, name: str, value: ast.expr) -> ast.stmt:
        """``name = value``."""
        self.stores.add(name)
        return self.assign(self.python_name(name), value)

    def _binding(self, node: nodes.Binding) -> Written:
        name = node.name.text
        value = node.value
        if value is None:
            written = [self.store(name, self.constant(0))]
        elif (appended := self._appended(name, value)) is not None:
            written = self._append(node, appended)
        elif (parts := self._joined(name, value)) is not None:
            written = self._join(node, parts)
        else:

            def write() -> Written:
                made = self.value(value)
                self.go_to(node)
                return [*self._hoisted(), self.store(name, made)]

            written = self.twice([value], write)
        self.assigned.add(name)
        return written

    def _appended(self, name: str, value: nodes.Expression) -> nodes.Expression | None:
        """``v`` of ``name = இணை(name, v)``."""
        if (
            not isinstance(value, nodes.Call)
            or len(value.arguments) != 2
            or not isinstance(value.callee, nodes.Name)
        ):
            return None
        if value.options is not None or value.block is not None:
            return None
        called = value.callee.text
        builtin = BUILTIN_OF.get(called)
        if builtin is None or builtin.english != "_append" or called in self.units.functions:
            return None
        if self.inference.is_variable(self.unit, called):
            return None
        first = value.arguments[0]
        return value.arguments[1] if isinstance(first, nodes.Name) and first.text == name else None

    def _append(self, node: nodes.Binding, element: nodes.Expression) -> Written:
        name = node.name.text
        if not self._may_stand(name):
            before = self.read(name)  # a name without a value is found before the element is made
            first: Written = [self.do(before)]
        else:
            first = []
        kept = self.temporary()
        first.extend(self.into(kept, element))
        self.go_to(node)
        own = self.name(self.python_name(name))
        tests = [
            self.compare(self.call("refs", own), "<=", self.name("ALONE")),
            self.compare(self.call("len_", own), "<", self.name("ELEMENTS")),
        ]
        if not (self._may_stand(name) and self.kind_of(name).mask == kinds.ARRAY):
            tests.insert(0, self.is_type(own, "list_"))
        append = self.builtin_name(BUILTIN_OF["_append"])
        here = self.do(self.call(self.attribute(own, "append"), self.name(kept)))
        copy = self.store(name, self.call(append, self.read(name), self.name(kept)))
        return [*first, self.when(self.both(*tests), [here], [copy])]

    def _may_stand(self, name: str) -> bool:
        return name in self.assigned or self.is_shared(name)

    def _joined(self, name: str, value: nodes.Expression) -> list[nodes.Expression] | None:
        """The parts of ``name = name & a & b``."""
        parts: list[nodes.Expression] = []
        while isinstance(value, nodes.Arithmetic) and value.operator == "&":
            parts.append(value.right)
            value = value.left
        if not parts or not isinstance(value, nodes.Name) or value.text != name:
            return None
        return parts[::-1]

    def _join(self, node: nodes.Binding, parts: list[nodes.Expression]) -> Written:
        name = node.name.text
        kept = self.temporary()
        first: Written = [] if self._may_stand(name) else [self.do(self.read(name))]

        def write() -> Written:
            made = [self.expression(part) for part in parts]
            self.go_to(node)
            if len(made) == 1 and made[0][1].is_only(kinds.TEXT):
                text = made[0][0]
            else:
                text = self.call("joined", *[value for value, _ in made])
            return [*self._hoisted(), self.assign(kept, text)]

        first.extend(self.twice(list(parts), write))
        self.go_to(node)
        own = self.python_name(name)
        shared = self.is_shared(name)
        self.stores.add(name)
        grown = self.temporary() if shared else own
        long = self.when(
            self.compare(self.call("len_", self.name(grown)), ">", self.name("LETTERS")),
            [self.do(self.call("too_long", self.name(grown)))],
        )
        grow = [self.extend(grown, self.name(kept)), long]
        if shared:
            # Python extends a text in place only through a fast local that holds it alone.
            take = [self.assign(grown, self.name(own)), self.assign(own, self.constant(None))]
            grow = [*take, *grow, self.assign(own, self.name(grown))]
        other = self.store(name, self.call("joined", self.read(name), self.name(kept)))
        return [*first, self.when(self.is_type(self.name(own), "str_"), grow, [other])]

    def _set_index(self, node: nodes.SetIndex) -> Written:
        name = node.name.text
        index_name, value_name = self.temporary(), self.temporary()
        kind: list[Kind] = []

        def write() -> Written:
            index, index_kind = self.expression(node.index)
            kind.append(index_kind)
            before = [*self._hoisted(), self.assign(index_name, index)]
            value = self.value(node.value)
            return [*before, *self._hoisted(), self.assign(value_name, value)]

        written = self.twice([node.index, node.value], write)
        self.go_to(node)
        index, value = self.name(index_name), self.name(value_name)
        own = self.name(self.python_name(name))
        alone = self.compare(self.call("refs", own), "<=", self.name("ALONE"))
        sure: Written = [self.store(name, self.call("set_index", self.read(name), index, value))]
        inside = [self.compare(index, "<", self.call("len_", own))]
        if kind[0].low < 0 or kind[0].mask != kinds.INT:
            inside.insert(0, self.compare(index, ">=", self.constant(0)))
        if kind[0].mask != kinds.INT:
            inside.insert(0, self.is_type(index, "int_"))
        put = self.assign_item(own, index, value)
        if kind[0].may_be(kinds.INT):
            sure = [self.when(self.both(self.is_type(own, "list_"), *inside, alone), [put], sure)]
        if kind[0].may_be(kinds.TEXT):
            text = [] if kind[0].is_only(kinds.TEXT) else [self.is_type(index, "str_")]
            room = self.compare(self.call("len_", own), "<", self.name("ELEMENTS"))
            sure = [self.when(self.both(self.is_type(own, "dict_"), *text, room, alone), [put], sure)]
        self.assigned.add(name)
        return written + sure

    def _set_field(self, node: nodes.SetField) -> Written:
        name = node.name.text
        own = self.name(self.python_name(name))
        field = self.constant(node.field.text)
        if self.is_owned(name):

            def write() -> Written:
                value = self.value(node.value)
                self.go_to(node)
                return [*self._hoisted(), self.assign_item(own, field, value)]

            return self.twice([node.value], write)
        value_name = self.temporary()
        written = self.into(value_name, node.value)
        self.go_to(node)
        copied = self.store(name, self.call("set_field", self.read(name), field, self.name(value_name)))
        put = self.assign_item(own, field, self.name(value_name))
        apart = self.when(
            self.compare(self.call("refs", own), ">", self.name("ALONE")),
            [self.store(name, self.call(self.attribute(own, "copy")))],
        )
        self.assigned.add(name)
        return [*written, self.when(self.is_type(own, "dict_"), [apart, put], [copied])]

    def is_owned(self, name: str) -> bool:
        """Whether a name always holds a plain record that nothing else refers to."""
        if name not in self.assigned or name in self.unit.parameters or name in self.unit.captures:
            return False
        if self.is_shared(name):
            return False
        captured = any(name in unit.captures for unit in self.unit.inner)
        return not captured and name in self._owned()

    _owned_names: set[str] | None = None

    def _owned(self) -> set[str]:
        if self._owned_names is None:
            self._owned_names = owned_records(self.unit.statements)
        return self._owned_names

    # ---- control ----------------------------------------------------------------------

    def _if(self, node: nodes.If) -> Written:
        if node.otherwise is not None and _else_if(node) is not None:
            return self._ladder(node)
        return self._one_if(node)

    def _ladder(self, node: nodes.If) -> Written:
        """A chain of *else if*, cut into pieces: Python's compiler recurses into each ``elif``."""
        rungs = [node]
        while (below := _else_if(rungs[-1])) is not None:
            rungs.append(below)
        if len(rungs) <= _RUNGS:
            return self._one_if(node)
        last = rungs[_RUNGS - 1]
        rest, missed = last.otherwise, self.temporary()
        assert rest is not None
        below_all = [
            nodes.If(one.start, one.end, one.condition, one.then, one.otherwise) for one in rungs[:_RUNGS]
        ]
        for upper, lower in pairwise(below_all):
            upper.otherwise = nodes.Block(lower.start, lower.end, [lower])
        below_all[-1].otherwise = None
        assigned = set(self.assigned)
        written = self._one_if(below_all[0])
        self.assigned = assigned
        note = self.assign(missed, self.constant(True))
        _innermost(written[-1]).orelse = [note]
        others = self.inner(rest.statements)
        self.assigned = assigned
        self.go_to(last)
        start = self.assign(missed, self.constant(False))
        return [start, *written, self.when(self.name(missed), others)]

    def _one_if(self, node: nodes.If) -> Written:
        before, test = self.settled_condition(node.condition)
        then = self.inner(node.then.statements, self.facts_of(node.condition, True))
        after_then = self.after_inner
        if node.otherwise is None:
            self.go_to(node)
            return [*before, self.when(test, then)]
        otherwise = self.inner(node.otherwise.statements, self.facts_of(node.condition, False))
        if leaves(node.then.statements):
            self.assigned = self.after_inner
        elif leaves(node.otherwise.statements):
            self.assigned = after_then
        else:
            self.assigned = after_then & self.after_inner
        self.go_to(node)
        return [*before, self.when(test, then, otherwise)]

    def _while(self, node: nodes.While) -> Written:
        before, test = self.settled_condition(node.condition)
        self.loops.append([])
        body = self.inner(node.body.statements, self.facts_of(node.condition, True))
        self.loops.pop()
        self.go_to(node)
        if self.unit.kind == TOP and not before:
            self.wants_warmth = True
            return [self.loop(test, [*self._tick(), *body])]
        # Not ``while test``, which CPython 3.11 ends with a jump that does not warm the code up.
        stop = self.when(self.negation(test), [self.leave()])
        return [self.loop(self.constant(True), [*before, stop, *self._tick(), *body])]

    def _each(self, node: nodes.Each) -> Written:
        before, collection = self.settled(node.collection)
        kind = self.inference.of(self.version, node.collection)
        name = node.name.text
        self.stores.add(name)
        self.loops.append([])
        assigned = set(self.assigned)
        self.assigned.add(name)
        body = self.inner(node.body.statements)
        self.assigned = assigned
        self.loops.pop()
        self.go_to(node)
        if kind.mask == kinds.ARRAY:
            return [*before, self.each(self.python_name(name), collection, [*self._tick(), *body])]
        if kind.mask and kind.is_only(kinds.ARRAY | kinds.RECORD | kinds.TEXT):
            turns = self.call("iterate", collection)
            return [*before, self.each(self.python_name(name), turns, [*self._tick(), *body])]
        # It may be a channel, whose message is acknowledged when its turn ends, however it ends.
        turns_name = self.temporary()
        start = self.assign(turns_name, self.call("iterate", collection))
        walk = self.each(self.python_name(name), self.name(turns_name), [*self._tick(), *body])
        end = self.when(
            self.compare(self.call("type_", self.name(turns_name)), "is not", self.name("list_")),
            [self.do(self.call("finish", self.name(turns_name)))],
        )
        return [*before, start, self.attempt([walk], final=[end])]

    def _break(self, node: nodes.Break) -> Written:
        return self._jump(1, self.leave())

    def _continue(self, node: nodes.Continue) -> Written:
        return self._jump(2, self.next())

    def _jump(self, code: int, plain: ast.stmt) -> Written:
        flags = self.loops[-1] if self.loops else []
        if not flags:
            return [plain]
        # A block is a Python loop of its own: leave it with a note for the loop around.
        return [*[self.assign(flag, self.constant(code)) for flag in flags], self.leave()]

    def _return(self, node: nodes.Return) -> Written:
        if self.unit.kind == TOP:
            before = [] if node.value is None else [self.do(self.value(node.value))]
            return [*before, self.do(self.call("return_outside"))]
        if node.value is None:
            return [self.give(self.constant(None))]
        value = node.value

        def write() -> Written:
            made = self.value(value)
            self.go_to(node)
            if not self.told:
                return [*self._hoisted(), self.give(made)]
            kept = self.temporary()
            tell = [
                self.assign_attribute(self.name(turn), "answer", self.name(kept)) for turn in self.told
            ]
            return [*self._hoisted(), self.assign(kept, made), *tell, self.give(self.name(kept))]

        return self.twice([value], write)

    def _try(self, node: nodes.Try) -> Written:
        assigned = set(self.assigned)
        body = self.inner(node.body.statements)
        written = body
        if node.handler is not None and node.name is not None:
            self.go_to(node.handler)
            name = node.name.text
            self.assigned.add(name)
            handler = self.inner(node.handler.statements)
            self.go_to(node.name)
            keep = self.store(name, self.call("caught", self.name("problem")))
            written = [self.attempt(body, "Exception_", "problem", [keep, *handler])]
        self.assigned = assigned
        if node.final is not None:
            final = self.inner(node.final.statements)
            self.assigned = self.after_inner
            self.go_to(node)
            # An end that cannot be caught stays one, however இறுதியில் is left: raising it again
            # in a ``finally`` of its own beats a return or break.
            end = self.temporary()
            ended = self.assign(end, self.name("problem"))
            watched = self.attempt(written, "ProgramEnd_", "problem", [ended, self.again()])
            begin = self.do(self.call("final_begins", self.name(end)))
            leave = self.do(self.call("final_ends", self.name(end)))
            written = [
                self.assign(end, self.constant(None)),
                self.attempt([watched], final=[begin, self.attempt(final, final=[leave])]),
            ]
        return written

    def _choose(self, node: nodes.Choose) -> Written:
        sources: list[ast.expr] = []
        after: ast.expr = self.constant(None)
        otherwise = False
        for branch in node.branches:
            if branch.kind == "channel" and branch.source is not None:
                sources.append(self.value(branch.source))
            elif branch.kind == "after" and branch.source is not None:
                after = self.value(branch.source)
            else:
                otherwise = True
        self.go_to(node)
        choice = self.temporary()
        before = [
            *self._hoisted(),
            self.assign(choice, self.call("choose", self.group(sources), after, self.constant(otherwise))),
        ]
        chosen = self.attribute(self.name(choice), "branch")
        written: Written = [self.nothing()]
        place = 0
        for branch in reversed(node.branches):
            key: ast.expr
            if branch.kind == "channel":
                place += 1
                key = self.constant(len(sources) - place)
            else:
                key = self.constant(branch.kind)
            first: Written = []
            assigned = set(self.assigned)
            if branch.name is not None:
                first = [self.store(branch.name.text, self.attribute(self.name(choice), "value"))]
                self.assigned.add(branch.name.text)
            body = self.inner(branch.body.statements)
            self.assigned = assigned
            self.go_to(branch)
            written = [self.when(self.compare(chosen, "==", key), [*first, *body], written)]
        self.go_to(node)
        return [*before, self.within(self.name(choice), written)]

    # ---- blocks behind calls ----------------------------------------------------------

    def block_call(self, node: nodes.Call | nodes.MethodCall) -> ast.expr:
        """A word with a block: the word decides how often it runs, and cleans up."""
        assert node.block is not None
        if node is not self.block_root:
            raise Misplaced(node)
        builtin = None
        if isinstance(node, nodes.Call) and isinstance(node.callee, nodes.Name):
            builtin = BUILTIN_OF.get(node.callee.text)
        elif isinstance(node, nodes.MethodCall) and isinstance(node.target, nodes.Name):
            builtin = BUILTIN_OF.get(f"{node.target.text}.{node.name.text}")
        arguments = [self.value(argument) for argument in node.arguments]
        if node.options is not None:
            arguments.append(self.value(node.options))
        self.go_to(node)
        word, turn, flag = self.temporary(), self.temporary(), self.temporary()
        key = builtin.english if builtin is not None else ""
        before = self._hoisted()
        before.append(self.assign(word, self.call("open_block", self.constant(key), self.group(arguments))))
        first: Written = []
        brings = builtin.brings.split() if builtin is not None else []
        for name in brings:
            first.append(self.store(name, self.attribute(self.name(turn), "brought")))
            self.assigned.add(name)
        if self.loops:
            self.loops[-1].append(flag)
        is_told = key in _TOLD
        if is_told:
            self.told.append(turn)
        body = self._block_body(node.block, turn)
        if is_told:
            self.told.pop()
        if self.loops:
            self.loops[-1].pop()
        self.go_to(node)
        before.append(self.assign(flag, self.constant(0)))
        before.append(self.each(turn, self.name(word), [self.within(self.name(turn), [*first, *body])]))
        if self.loops:
            for code, jump in ((1, self.leave()), (2, self.next())):
                test = self.compare(self.name(flag), "==", self.constant(code))
                out = [self.leave()] if self.loops[-1] else [jump]
                before.append(self.when(test, out))
        self.before = before
        return self.attribute(self.name(word), "answer")

    def _block_body(self, block: nodes.Block, turn: str) -> Written:
        """The statements; the value of the last call or assignment is the block's."""
        last = block.statements[-1] if block.statements else None
        written = self.inner(block.statements[:-1] if last is not None else [])
        assigned, self.assigned = self.assigned, set(self.after_inner)
        outer, self.before = self.before, []
        if isinstance(last, nodes.Do):
            self.go_to(last)
            self.block_root = root_of(last)
            value = self.value(last.call)
            self.go_to(last)
            written += [*self._hoisted(), self.assign_attribute(self.name(turn), "answer", value)]
        elif last is not None:
            made = self.block([last])
            written += made
            if isinstance(last, nodes.Binding):
                self.go_to(last)
                written.append(
                    self.assign_attribute(
                        self.name(turn), "answer", self.name(self.python_name(last.name.text))
                    )
                )
        self.before = outer
        self.assigned = assigned
        return written

    def body_value(self, node: nodes.Call) -> ast.expr:
        """The body of an inner job."""
        unit = self.units.of_node[id(node)]
        if unit.carries:
            return self.closure(unit)
        me = self.attribute(self.name("M"), "me")
        return self.call("body_value", self.constant(unit.index), *([me] if unit.itself else []))

    # ---- the console, files, databases, answers ---------------------------------------

    def _do(self, node: nodes.Do) -> Written:
        made = self.value(node.call)
        hoisted = self._hoisted()
        if hoisted and isinstance(made, ast.Attribute):
            return hoisted
        self.go_to(node)
        return [*hoisted, self.do(made)]

    def _print(self, node: nodes.Print) -> Written:
        before, value = self.settled(node.value)
        self.go_to(node)
        return [*before, self.do(self.call("print_", value))]

    def _input(self, node: nodes.Input) -> Written:
        line = self.call("read_input")
        if node.target is None:
            return [self.do(line)]
        self.assigned.add(node.target.text)
        return [self.store(node.target.text, line)]

    def _file_open(self, node: nodes.FileOpen) -> Written:
        return [self.do(self.call("open_file", self.value(node.path), self.constant(node.mode)))]

    def _file_close(self, node: nodes.FileClose) -> Written:
        return [self.do(self.call("close_file", self.value(node.path)))]

    def _file_read(self, node: nodes.FileRead) -> Written:
        made = self.call("count_rows" if node.rows else "read_file", self.value(node.path))
        self.assigned.add(node.target.text)
        return [*self._hoisted(), self.store(node.target.text, made)]

    def _file_write(self, node: nodes.FileWrite) -> Written:
        path = self.value(node.path)
        return [self.do(self.call("append_line", path, self.value(node.data)))]

    def _ask(self, key: str, *arguments: ast.expr) -> ast.expr:
        return self.call("service", self.constant(key), self.group(arguments))

    def _db_connect(self, node: nodes.DbConnect) -> Written:
        text = self.value(node.text)
        return [
            self.do(self._ask("db.connect", self.constant(node.backend), text, self.constant(node.handle)))
        ]

    def _db_disconnect(self, node: nodes.DbDisconnect) -> Written:
        return [self.do(self._ask("db.disconnect", self.constant(node.handle)))]

    def _db_query(self, node: nodes.DbQuery) -> Written:
        sql = self.value(node.sql)
        made = self._ask("db.query", sql, self.value(node.parameters), self.constant(node.handle))
        self.assigned.add(node.target.text)
        return [*self._hoisted(), self.store(node.target.text, made)]

    def _db_execute(self, node: nodes.DbExecute) -> Written:
        sql = self.value(node.sql)
        return [
            self.do(self._ask("db.execute", sql, self.value(node.parameters), self.constant(node.handle)))
        ]

    def _not_implemented(self, node: nodes.NotImplementedStatement) -> Written:
        return [self.do(self.call("not_provided", self.constant(node.word)))]

    def _respond(self, node: nodes.Respond) -> Written:
        status = self.value(node.status)
        body = self.value(node.body)
        headers = self.value(node.headers) if node.headers is not None else self.constant(None)
        return [*self._hoisted(), self.do(self._ask("respond", status, body, headers))]

    def _respond_json(self, node: nodes.RespondJson) -> Written:
        value = self.value(node.value)
        status = self.value(node.status) if node.status is not None else self.constant(200)
        return [*self._hoisted(), self.do(self._ask("respond_json", value, status))]

    def _start_server(self, node: nodes.StartServer) -> Written:
        host = self.value(node.host)
        return [self.do(self._ask("start_server", host, self.value(node.port)))]

    # ---- declarations -----------------------------------------------------------------

    def _declaration(self, node: nodes.Statement) -> Written:
        number = self.units.number_of.get(id(node))
        if number is not None:
            made = self.declaration(number, _evaluated(node))
            return [*self._hoisted(), self.do(made)]
        if isinstance(node, (nodes.Test, nodes.OnStop, nodes.Agent, nodes.Message)):
            return [self.nothing()]
        return [self.do(self.call("not_in_block", self.constant(type(node).__name__)))]

    def declaration(self, number: int, parts: list[nodes.Expression]) -> ast.expr:
        """What the program declares here is told to the machine, with its options."""
        made = [self.option_value(part) for part in parts]
        return self.call("declare", self.constant(number), self.group(made))

    def _nothing(self, node: nodes.Statement) -> Written:
        return [self.nothing()]

    def _import(self, node: nodes.Import) -> Written:
        if node.module is not None:
            return self.block(node.module.statements) or [self.nothing()]
        return [self.do(self.call("not_in_block", self.constant("Import")))]


_RUNGS = 50
"""So many *else if* become one Python chain."""


def _else_if(node: nodes.If) -> nodes.If | None:
    """The ``If`` that is all there is behind இன்றேல்."""
    if node.otherwise is None or len(node.otherwise.statements) != 1:
        return None
    below = node.otherwise.statements[0]
    return below if isinstance(below, nodes.If) else None


def _innermost(written: ast.stmt) -> ast.If:
    """The last ``elif`` of a chain."""
    assert isinstance(written, ast.If)
    while written.orelse and isinstance(written.orelse[-1], ast.If):
        written = written.orelse[-1]
    return written


class Misplaced(Exception):
    """A call with a block inside a larger expression, where it could not run in its turn."""

    def __init__(self, node: nodes.Node) -> None:
        super().__init__()
        self.node = node


def root_of(statement: nodes.Statement) -> nodes.Node | None:
    """The expression that a statement evaluates first and as a whole."""
    root: nodes.Node | None = None
    if isinstance(statement, nodes.Binding | nodes.Return | nodes.Print | nodes.SetField):
        root = statement.value
    elif isinstance(statement, nodes.Do):
        root = statement.call
    while isinstance(root, nodes.Unwrap):
        root = root.target
    return root


def _evaluated(node: nodes.Statement) -> list[nodes.Expression]:
    if isinstance(node, nodes.Route):
        parts = [node.path, node.options, node.folder]
        return [part if part is not None else nodes.Constant(node.start, node.end, None) for part in parts]
    if isinstance(node, nodes.Every):
        return [node.seconds]
    if isinstance(node, nodes.Test):
        return [node.name]
    return []


def owned_records(statements: list[nodes.Statement]) -> set[str]:
    """Names that only ever hold a record literal of their own and never hand it out."""
    watch = _Owned()
    for statement in statements:
        watch.visit(statement)
    return watch.fresh - watch.shared


class _Owned:
    def __init__(self) -> None:
        self.fresh: set[str] = set()
        self.shared: set[str] = set()

    def visit(self, node: object) -> None:
        if isinstance(node, list):
            for item in node:
                self.visit(item)
            return
        if not isinstance(node, nodes.Node):
            return
        if isinstance(node, nodes.Binding):
            name = node.name.text
            (self.fresh if isinstance(node.value, nodes.Record) else self.shared).add(name)
            self.visit(node.value)
        elif isinstance(node, nodes.Name):
            self.shared.add(node.text)
        elif isinstance(node, (nodes.Index, nodes.Field)) and isinstance(node.target, nodes.Name):
            if isinstance(node, nodes.Index):
                self.visit(node.index)
        elif isinstance(node, nodes.Arithmetic | nodes.Logical):
            left: nodes.Expression = node
            while isinstance(left, nodes.Arithmetic | nodes.Logical):
                self.visit(left.right)
                left = left.left
            self.visit(left)
        else:
            if isinstance(node, nodes.SetIndex):
                self.shared.add(node.name.text)
            for slot in parts_of(type(node)):
                part = getattr(node, slot)
                if isinstance(part, nodes.Identifier) and not isinstance(node, (nodes.SetField, nodes.Field)):
                    self.shared.add(part.text)
                self.visit(part)


_RULES: dict[type, Callable[..., Written]] = {
    nodes.Binding: Statements._binding,
    nodes.SetIndex: Statements._set_index,
    nodes.SetField: Statements._set_field,
    nodes.Do: Statements._do,
    nodes.Function: Statements._nothing,
    nodes.Shape: Statements._nothing,
    nodes.Import: Statements._import,
    nodes.Return: Statements._return,
    nodes.If: Statements._if,
    nodes.While: Statements._while,
    nodes.Each: Statements._each,
    nodes.Break: Statements._break,
    nodes.Continue: Statements._continue,
    nodes.Empty: Statements._nothing,
    nodes.Print: Statements._print,
    nodes.Input: Statements._input,
    nodes.FileOpen: Statements._file_open,
    nodes.FileClose: Statements._file_close,
    nodes.FileRead: Statements._file_read,
    nodes.FileWrite: Statements._file_write,
    nodes.DbConnect: Statements._db_connect,
    nodes.DbDisconnect: Statements._db_disconnect,
    nodes.DbQuery: Statements._db_query,
    nodes.DbExecute: Statements._db_execute,
    nodes.NotImplementedStatement: Statements._not_implemented,
    nodes.Route: Statements._declaration,
    nodes.Respond: Statements._respond,
    nodes.RespondJson: Statements._respond_json,
    nodes.StartServer: Statements._start_server,
    nodes.Every: Statements._declaration,
    nodes.Try: Statements._try,
    nodes.Choose: Statements._choose,
    nodes.OnStop: Statements._declaration,
    nodes.Test: Statements._declaration,
    nodes.Message: Statements._declaration,
    nodes.Agent: Statements._declaration,
}
