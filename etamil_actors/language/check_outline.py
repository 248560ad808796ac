"""What a program defines, gathered before its statements are looked at.

Functions count for the whole program wherever they are written, shapes from the top level, so
that a definition may follow its use (REFERENCE §10.3). Signatures of methods belong to their
shape; lambdas have none. Problems are not reported here but where the definition is walked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from etamil_actors.language import nodes
from etamil_actors.language.check_types import Known, declared_by, read_as


class Signature:
    """A function, method or message as its callers see it."""

    __slots__ = ("declared", "known", "name", "parameters")

    def __init__(
        self,
        name: nodes.Identifier,
        parameters: list[nodes.Parameter],
        result: nodes.TypeName | None,
        shapes: Mapping[str, object],
    ) -> None:
        self.name = name
        self.parameters = parameters
        self.declared = [declared_by(p.type, shapes) if p.type else None for p in parameters]
        self.known = read_as(declared_by(result, shapes)) if result else None


class Shape:
    """A shape: its fields by name, and its methods with their signatures."""

    __slots__ = ("fields", "known", "methods", "node", "signatures", "types")

    def __init__(self, node: nodes.Shape) -> None:
        self.node = node
        self.known = Known("Shape", node.name.text)
        self.fields: dict[str, nodes.ShapeField] = {}
        self.methods: dict[str, nodes.Function] = {}
        self.types: dict[str, Known | None] = {}
        self.signatures: dict[str, Signature] = {}
        for field in node.fields:
            self.fields.setdefault(field.name.text, field)
        for method in node.methods:
            self.methods.setdefault(method.name.text, method)

    def settle(self, shapes: Mapping[str, object]) -> None:
        """Work out the types, once all shapes are known."""
        for name, field in self.fields.items():
            self.types[name] = declared_by(field.type, shapes) if field.type else None
        for name, method in self.methods.items():
            signature = Signature(method.name, method.parameters, method.result, shapes)
            if method.takes_self:
                signature.declared[0] = self.known
            self.signatures[name] = signature


class Outline:
    """The functions, agents and shapes of a program by name, and whether it has routes."""

    __slots__ = ("_found", "functions", "has_routes", "shapes")

    def __init__(self, module: nodes.Module) -> None:
        self.shapes: dict[str, Shape] = {}
        self.functions: dict[str, Signature] = {}
        self.has_routes = False
        self._found: list[nodes.Function | nodes.Agent] = []
        main: list[nodes.Function | nodes.Agent] = []
        for statement in module.statements:
            if type(statement) is nodes.Import:
                self._gather_import(statement)
            else:
                self._gather_top(statement, main)
        for shape in self.shapes.values():
            shape.settle(self.shapes)
        # A later definition replaces an earlier one; the main file's replaces an imported one.
        for function in [*self._found, *main]:
            self.define(function)

    def define(self, function: nodes.Function | nodes.Agent) -> None:
        """Take the signature of a function or agent."""
        result = function.result if type(function) is nodes.Function else None
        name = function.name
        self.functions[name.text] = Signature(name, function.parameters, result, self.shapes)

    def _gather_import(self, statement: nodes.Import) -> None:
        pending = [statement]
        while pending:
            module = pending.pop().module
            for inner in module.statements if module else ():
                if type(inner) is nodes.Import:
                    pending.append(inner)
                else:
                    self._gather_top(inner, self._found)

    def _gather_top(self, statement: nodes.Statement, found: list[nodes.Function | nodes.Agent]) -> None:
        if type(statement) is nodes.Shape:
            self.shapes.setdefault(statement.name.text, Shape(statement))
        elif type(statement) is nodes.Route:
            self.has_routes = True
        self._gather(statement, found)

    def _gather(self, statement: nodes.Statement, found: list[nodes.Function | nodes.Agent]) -> None:
        if type(statement) is nodes.Function or type(statement) is nodes.Agent:
            found.append(statement)
        inner = _BLOCKS.get(type(statement))
        if inner is not None:
            for block in inner(statement):
                if block is not None:
                    for one in block.statements:
                        if type(one) not in _LEAVES:
                            self._gather(one, found)


# ---- where statements hold others -----------------------------------------------------


def _of_call(call: nodes.Expression) -> nodes.Block | None:
    if type(call) is nodes.Call or type(call) is nodes.MethodCall:
        return call.block
    return None


def _of_if(statement: nodes.If) -> Iterator[nodes.Block | None]:
    # A long chain of else-ifs is walked here and not by recursion.
    while True:
        yield statement.then
        otherwise = statement.otherwise
        if otherwise is None:
            return
        if len(otherwise.statements) != 1 or type(otherwise.statements[0]) is not nodes.If:
            yield otherwise
            return
        statement = otherwise.statements[0]


_BLOCKS: dict[type, Callable[..., Iterator[nodes.Block | None] | tuple[nodes.Block | None, ...]]]
_BLOCKS = {
    nodes.If: _of_if,
    nodes.While: lambda s: (s.body,),
    nodes.Each: lambda s: (s.body,),
    nodes.Function: lambda s: (s.body,),
    nodes.Shape: lambda s: tuple([method.body for method in s.methods]),
    nodes.Agent: lambda s: (s.body,),
    nodes.Message: lambda s: (s.body,),
    nodes.Route: lambda s: (s.body,),
    nodes.Every: lambda s: (s.body,),
    nodes.OnStop: lambda s: (s.body,),
    nodes.Test: lambda s: (s.body,),
    nodes.Try: lambda s: (s.body, s.handler, s.final),
    nodes.Choose: lambda s: tuple([branch.body for branch in s.branches]),
    nodes.Do: lambda s: (_of_call(s.call),),
    nodes.Binding: lambda s: (_of_call(s.value),),
}

_LEAVES = frozenset({nodes.Print, nodes.Return, nodes.SetIndex, nodes.SetField, nodes.Empty})
"""Frequent statements that hold no block; not worth a call."""
