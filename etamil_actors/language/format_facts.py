"""What the formatter needs to know that tokens alone do not tell.

The formatter works on tokens, because they hold every spelling as the author typed it. The tree
is asked only for facts about places: which braces hold statements, where a statement begins,
which minus has one operand.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise

from etamil_actors.language import nodes
from etamil_actors.language.builtins import BUILTIN_OF
from etamil_actors.language.lexer import NAME, Token

_BEGIN_WITH_NAME = (nodes.Binding, nodes.SetIndex, nodes.SetField, nodes.Do, nodes.ShapeField)
_END_WITH_VALUE = (
    nodes.Binding, nodes.SetIndex, nodes.SetField, nodes.Return, nodes.Print, nodes.Respond,
    nodes.RespondJson,
)  # fmt: skip


class Facts:
    """Sets of positions in the text of one file. ``tokens`` are without comments."""

    def __init__(self, module: nodes.Module, tokens: Sequence[Token]) -> None:
        self._braces = [token.start for token in tokens if token.kind == "{"]
        self._brackets = set(self._braces)
        self._behind_names = {
            token.start: before.start for before, token in pairwise(tokens) if before.kind == NAME
        }
        self._continued: set[int] = set()
        self.statements: set[int] = set()
        """Where a statement, a member of a shape or a branch of தேர்வு begins."""
        self.empty: set[int] = set()
        """Semicolons that stand alone."""
        self.words: set[int] = set()
        """First words of statements; a parenthesis behind one opens no call."""
        self.blocks: set[int] = set()
        """Braces that hold statements."""
        self.lambdas: set[int] = set()
        """… of functions written as values."""
        self.negatives: set[int] = set()
        """Minus signs with one operand."""
        self.types: list[tuple[int, int]] = []
        """Types with an element type: from where to where."""
        self.literals: set[int] = set()
        """Names of shapes before their literals."""
        self.calls_with_block: set[int] = set()
        """Statements that are a call with a block or body: they need no semicolon."""
        self.end_with_value: set[int] = set()
        """Statements that end in a value, and so in a semicolon, be it behind a brace."""
        pending: list[nodes.Node] = [module]
        while pending:
            node = pending.pop()
            self._note(node)
            pending.extend(_children(node))
        self.statements -= self._continued

    def _note(self, node: nodes.Node) -> None:
        if isinstance(node, nodes.Statement | nodes.ShapeField | nodes.Branch):
            self._note_statement(node)
        elif type(node) is nodes.Block:
            if node.start in self._brackets:
                self.blocks.add(node.start)
        elif type(node) is nodes.Lambda:
            self.lambdas.add(node.body.start)
        elif type(node) is nodes.Negate:
            self.negatives.add(node.start)
        elif type(node) is nodes.TypeName:
            if node.element is not None:
                self.types.append((node.start, node.end))
        elif type(node) is nodes.ShapeLiteral and node.name.text not in BUILTIN_OF:
            self.literals.add(node.name.start)

    def _note_statement(self, node: nodes.Statement | nodes.ShapeField | nodes.Branch) -> None:
        # ‘name name(…);’ is a call whose first word means nothing; it stays with its statement.
        self.statements.add(self._behind_names.get(node.start, node.start))
        if not isinstance(node, _BEGIN_WITH_NAME):
            self.words.add(node.start)
        if type(node) is nodes.Empty:
            self.empty.add(node.start)
        elif type(node) is nodes.Shape:
            self.blocks.add(self._brace_from(node.name.end))
        elif type(node) is nodes.Choose:
            self.blocks.add(self._brace_from(node.start))
        elif type(node) is nodes.If:
            self._note_else_if(node.otherwise)
        elif type(node) is nodes.Test or _is_call_with_block(node):
            self.calls_with_block.add(self._behind_names.get(node.start, node.start))
        elif isinstance(node, _END_WITH_VALUE):
            self.end_with_value.add(node.start)

    def _note_else_if(self, otherwise: nodes.Block | None) -> None:
        # An else-if goes on with its statement: its block has no brace of its own.
        if otherwise is not None and otherwise.start not in self._brackets:
            self._continued.add(otherwise.statements[0].start)

    def _brace_from(self, position: int) -> int:
        return self._braces[bisect_left(self._braces, position)]


def _is_call_with_block(node: nodes.Node) -> bool:
    return type(node) is nodes.Do and getattr(node.call, "block", None) is not None


def _children(node: nodes.Node) -> Iterator[nodes.Node]:
    for kind in type(node).__mro__:
        for slot in getattr(kind, "__slots__", ()):
            value = getattr(node, slot)
            if isinstance(value, nodes.Node):
                yield value
            elif isinstance(value, list):
                yield from [one for one in value if isinstance(one, nodes.Node)]
