"""Python tree nodes in few letters.

The compiler never writes Python text: what it makes is a tree, so no name and no text of a
program can ever be read as Python. ``Emitter.at`` sets the place that the following nodes get.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

LOAD = ast.Load()
STORE = ast.Store()
DELETE = ast.Del()

OPERATORS: dict[str, ast.operator] = {"+": ast.Add(), "-": ast.Sub(), "*": ast.Mult()}
COMPARISONS: dict[str, ast.cmpop] = {
    "<": ast.Lt(),
    "<=": ast.LtE(),
    ">": ast.Gt(),
    ">=": ast.GtE(),
    "==": ast.Eq(),
    "!=": ast.NotEq(),
    "is": ast.Is(),
    "is not": ast.IsNot(),
}
AND = ast.And()
OR = ast.Or()
NOT = ast.Not()


class Emitter:
    """Makes Python tree nodes at the current place."""

    def __init__(self) -> None:
        self.line = 1
        self.column = 0
        self.end_line = 1
        self.end_column = 0

    def _put(self, node: ast.AST) -> None:
        node.lineno = self.line  # type: ignore[attr-defined]
        node.col_offset = self.column  # type: ignore[attr-defined]
        node.end_lineno = self.end_line  # type: ignore[attr-defined]
        node.end_col_offset = self.end_column  # type: ignore[attr-defined]

    # ---- expressions ------------------------------------------------------------------

    def constant(self, value: str | int | bool | None) -> ast.expr:
        """A constant that a code object can hold."""
        node = ast.Constant(value)
        self._put(node)
        return node

    def name(self, name: str) -> ast.expr:
        """A name that is read."""
        node = ast.Name(name, LOAD)
        self._put(node)
        return node

    def call(self, function: str | ast.expr, *arguments: ast.expr) -> ast.expr:
        """A call."""
        target = self.name(function) if isinstance(function, str) else function
        node = ast.Call(target, list(arguments), [])
        self._put(node)
        return node

    def attribute(self, target: ast.expr, name: str) -> ast.expr:
        """An attribute of one of our own objects."""
        node = ast.Attribute(target, name, LOAD)
        self._put(node)
        return node

    def item(self, target: ast.expr, index: ast.expr) -> ast.expr:
        """``target[index]``."""
        node = ast.Subscript(target, index, LOAD)
        self._put(node)
        return node

    def binary(self, left: ast.expr, operator: str, right: ast.expr) -> ast.expr:
        """``left operator right`` for ``+ - *``."""
        node = ast.BinOp(left, OPERATORS[operator], right)
        self._put(node)
        return node

    def compare(self, left: ast.expr, operator: str, right: ast.expr) -> ast.expr:
        """One comparison."""
        node = ast.Compare(left, [COMPARISONS[operator]], [right])
        self._put(node)
        return node

    def both_whole(self, left: ast.expr, right: ast.expr) -> ast.expr:
        """``type_(left) is type_(right) is int_``, which always evaluates both."""
        kinds = [self.call("type_", right), self.name("int_")]
        node = ast.Compare(self.call("type_", left), [COMPARISONS["is"], COMPARISONS["is"]], kinds)
        self._put(node)
        return node

    def both(self, *values: ast.expr) -> ast.expr:
        """``a and b``."""
        node = ast.BoolOp(AND, list(values))
        self._put(node)
        return node

    def either(self, *values: ast.expr) -> ast.expr:
        """``a or b``."""
        node = ast.BoolOp(OR, list(values))
        self._put(node)
        return node

    def negation(self, value: ast.expr) -> ast.expr:
        """``not a``."""
        node = ast.UnaryOp(NOT, value)
        self._put(node)
        return node

    def choice(self, test: ast.expr, then: ast.expr, otherwise: ast.expr) -> ast.expr:
        """``then if test else otherwise``."""
        node = ast.IfExp(test, then, otherwise)
        self._put(node)
        return node

    def keep(self, name: str, value: ast.expr) -> ast.expr:
        """``(name := value)``."""
        target = ast.Name(name, STORE)
        self._put(target)
        node = ast.NamedExpr(target, value)
        self._put(node)
        return node

    def array(self, items: Sequence[ast.expr]) -> ast.expr:
        """A list display."""
        node = ast.List(list(items), LOAD)
        self._put(node)
        return node

    def group(self, items: Sequence[ast.expr]) -> ast.expr:
        """A tuple display."""
        node = ast.Tuple(list(items), LOAD)
        self._put(node)
        return node

    def record(self, keys: Sequence[ast.expr], values: Sequence[ast.expr]) -> ast.expr:
        """A dict display."""
        node = ast.Dict(list(keys), list(values))
        self._put(node)
        return node

    # ---- statements -------------------------------------------------------------------

    def assign(self, name: str, value: ast.expr) -> ast.stmt:
        """``name = value``."""
        target = ast.Name(name, STORE)
        self._put(target)
        node = ast.Assign([target], value)
        self._put(node)
        return node

    def extend(self, name: str, value: ast.expr) -> ast.stmt:
        """``name += value``."""
        target = ast.Name(name, STORE)
        self._put(target)
        node = ast.AugAssign(target, OPERATORS["+"], value)
        self._put(node)
        return node

    def assign_item(self, target: ast.expr, index: ast.expr, value: ast.expr) -> ast.stmt:
        """``target[index] = value``."""
        place = ast.Subscript(target, index, STORE)
        self._put(place)
        node = ast.Assign([place], value)
        self._put(node)
        return node

    def assign_attribute(self, target: ast.expr, name: str, value: ast.expr) -> ast.stmt:
        """``target.name = value`` on one of our own objects."""
        place = ast.Attribute(target, name, STORE)
        self._put(place)
        node = ast.Assign([place], value)
        self._put(node)
        return node

    def do(self, value: ast.expr) -> ast.stmt:
        """An expression as a statement."""
        node = ast.Expr(value)
        self._put(node)
        return node

    def give(self, value: ast.expr) -> ast.stmt:
        """``return value``."""
        node = ast.Return(value)
        self._put(node)
        return node

    def when(self, test: ast.expr, then: list[ast.stmt], otherwise: list[ast.stmt] | None = None) -> ast.stmt:
        """``if``."""
        node = ast.If(test, then, otherwise or [])
        self._put(node)
        return node

    def loop(self, test: ast.expr, body: list[ast.stmt]) -> ast.stmt:
        """``while``."""
        node = ast.While(test, body, [])
        self._put(node)
        return node

    def each(self, name: str, collection: ast.expr, body: list[ast.stmt]) -> ast.stmt:
        """``for``."""
        target = ast.Name(name, STORE)
        self._put(target)
        node = ast.For(target, collection, body, [])
        self._put(node)
        return node

    def attempt(
        self,
        body: list[ast.stmt],
        kind: str | None = None,
        name: str | None = None,
        handler: list[ast.stmt] | None = None,
        final: list[ast.stmt] | None = None,
    ) -> ast.stmt:
        """``try``."""
        handlers: list[ast.ExceptHandler] = []
        if kind is not None:
            clause = ast.ExceptHandler(self.name(kind), name, handler or [self.nothing()])
            self._put(clause)
            handlers.append(clause)
        node = ast.Try(body, handlers, [], final or [])
        self._put(node)
        return node

    def within(self, context: ast.expr, body: list[ast.stmt]) -> ast.stmt:
        """``with``."""
        node = ast.With([ast.withitem(context, None)], body)
        self._put(node)
        return node

    def nothing(self) -> ast.stmt:
        """``pass``."""
        node = ast.Pass()
        self._put(node)
        return node

    def leave(self) -> ast.stmt:
        """``break``."""
        node = ast.Break()
        self._put(node)
        return node

    def again(self) -> ast.stmt:
        """``raise``."""
        node = ast.Raise(None, None)
        self._put(node)
        return node

    def next(self) -> ast.stmt:
        """``continue``."""
        node = ast.Continue()
        self._put(node)
        return node

    def outer(self, names: Sequence[str]) -> ast.stmt:
        """``nonlocal``."""
        node = ast.Nonlocal(list(names))
        self._put(node)
        return node

    def forget(self, name: str) -> ast.stmt:
        """``del name``."""
        target = ast.Name(name, DELETE)
        self._put(target)
        node = ast.Delete([target])
        self._put(node)
        return node

    def function(self, name: str, parameters: Sequence[str], body: list[ast.stmt]) -> ast.stmt:
        """``def``, with positional parameters only."""
        arguments = []
        for parameter in parameters:
            argument = ast.arg(parameter)
            self._put(argument)
            arguments.append(argument)
        node = ast.FunctionDef(
            name,
            ast.arguments(arguments, [], None, [], [], None, []),
            body or [self.nothing()],
            [],
        )
        if "type_params" in node._fields:
            node.type_params = []  # type: ignore[attr-defined, unused-ignore]
        self._put(node)
        return node
