"""Types and expressions, in the order of the grammar (REFERENCE §3.2).

Operators are a table and a loop, so a chain of ten thousand terms is not deep; only brackets and
prefixes are. A ``{`` directly behind a name or a call's ``)`` goes on with the expression, except
directly in a head, where it opens the body.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from etamil_actors.language import nodes
from etamil_actors.language.builtins import BUILTIN_OF
from etamil_actors.language.keywords import KEYWORD_NAMED
from etamil_actors.language.lexer import END, NAME, NUMBER, PERCENTAGE, TEXT, Token
from etamil_actors.language.parse_cursor import (
    A_KEY,
    A_TYPE,
    A_VALUE,
    SLOT,
    STRING_TYPE,
    Cursor,
    quoted,
    statement_word_near,
)
from etamil_actors.language.problems import NotRepeatable, WrongBraces

TYPE_OF = {word.token: word.value for word in KEYWORD_NAMED.values() if word.family == "type"}
"""What each type keyword declares."""

# How tightly operators bind; இல்லை stands at 3, between மற்றும் and the comparisons.
_AND, _NOT, _COMPARES, _ADDS = 2, 3, 4, 5
BINDS = {
    "Or": 1, "And": _AND,
    "<": _COMPARES, "<=": _COMPARES, ">": _COMPARES, ">=": _COMPARES, "==": _COMPARES, "!=": _COMPARES,
    "+": _ADDS, "-": _ADDS, "&": _ADDS, "*": 6, "/": 6,
}  # fmt: skip

_POSTFIX = frozenset("([.?{")
_CONST = frozenset(KEYWORD_NAMED["Const"].spellings)
_CONSTANTS = {"True": True, "False": False, "Null": None}
_REPEATABLE = (nodes.Name, nodes.Number, nodes.Text, nodes.Constant, nodes.RequestValue)
_NIL = "nil"


class Expressions(Cursor):
    """What has a value."""

    def block(self) -> nodes.Block:
        """Statements in braces; ``parse_statements.py`` knows them."""
        raise NotImplementedError

    def body(self) -> nodes.Block:
        """The same, where it runs on its own."""
        raise NotImplementedError

    # ---- types and signatures ----

    def type(self, optional: bool = False) -> nodes.TypeName:
        """``எண்``, ``அணி<எண்>``, ``பயனர்``, in a shape perhaps with ``?``."""
        token = self.tokens[self.i]
        kind, name = TYPE_OF.get(token.kind), ""
        if kind is None:
            kind, name = self.named_type(token)
        self.i += 1
        element = None
        if self.kinds[self.i] == "<" and kind in ("Array", "Record"):
            self.i += 1
            self.deeper()
            element = self.type()
            self.close_angle()
            self.depth -= 1
        is_optional = optional and self.kinds[self.i] == "?"
        if is_optional:
            self.i += 1
        end = self.tokens[self.i - 1].end
        return nodes.TypeName(token.start, end, kind, name, token.text, element, is_optional)

    def named_type(self, token: Token) -> tuple[str, str]:
        if token.kind == "Function":
            return "Function", ""
        if token.kind != NAME:
            self.unexpected(A_TYPE)
        if token.value in STRING_TYPE and token.value not in self.taken:
            self.parsed.words.add(token.value)
            return "Text", ""
        return "Shape", token.value

    def close_angle(self) -> None:
        token = self.tokens[self.i]
        if token.kind == ">=":
            # அணி<எண்>= 5: the longest symbol was taken, only half of it belongs to the type.
            self.tokens = self.tokens.copy()
            self.tokens[self.i] = Token("=", "=", "=", token.start + 1, token.end)
            self.kinds[self.i] = "="
        else:
            self.expect(">")

    def type_ends(self, i: int) -> int | None:
        """The token behind a type that begins here, if one does; nothing is consumed."""
        kinds = self.kinds
        kind = kinds[i]
        if kind != NAME and kind != "Function" and kind not in TYPE_OF:
            return None
        i += 1
        if kinds[i] == "<" and kind in TYPE_OF:
            depth = 0
            while kinds[i] in ("<", ">", ">=", NAME, "Function") or kinds[i] in TYPE_OF:
                depth += (kinds[i] == "<") - (kinds[i][0] == ">")
                i += 1
                if depth == 0:
                    return i - 1 if kinds[i - 1] == ">=" else i
            return None
        return i

    def signature(self) -> tuple[list[nodes.Parameter], nodes.TypeName | None]:
        """``(…) [type]``"""
        parameters = self.parameters()
        kind = self.kinds[self.i]
        named = (kind == NAME or kind == "Function") and self.kinds[self.i + 1] == "{"
        return parameters, self.type() if named or kind in TYPE_OF else None

    def parameters(self) -> list[nodes.Parameter]:
        self.expect("(")
        parameters: list[nodes.Parameter] = []
        if self.kinds[self.i] != ")":
            parameters.append(self.parameter())
            while self.kinds[self.i] == ",":
                self.i += 1
                parameters.append(self.parameter())
        if self.kinds[self.i] != ")":
            self.unexpected(quoted(",", ")"))
        self.i += 1
        return parameters

    def parameter(self) -> nodes.Parameter:
        """``[நிலை] [type] name`` or ``[நிலை] name: type``"""
        kinds = self.kinds
        start = self.tokens[self.i].start
        after = kinds[self.i + 1]
        fixed = self.tokens[self.i].value in _CONST and (after == NAME or after in TYPE_OF)
        if fixed:
            self.i += 1
            after = kinds[self.i + 1]
        type = None
        kind = kinds[self.i]
        if (kind != NAME and (kind in TYPE_OF or kind == "Function")) or (kind == NAME and after == NAME):
            type = self.type()
        name = self.name()
        if type is None and kinds[self.i] == ":":
            self.i += 1
            type = self.type()
        self.bind(name.text)
        return nodes.Parameter(start, self.tokens[self.i - 1].end, name, type, fixed)

    # ---- operators ----

    def expression(self, floor: int = 0) -> nodes.Expression:
        """What binds more tightly than ``floor``."""
        kinds = self.kinds
        left: nodes.Expression
        if kinds[self.i] == "Not" and floor <= _NOT:
            left = self.negation()
        else:
            left = self.operand()
        while True:
            operator = kinds[self.i]
            binds = BINDS.get(operator, 0)
            if binds <= floor:
                return left
            if binds == _COMPARES:
                left = self.comparison(left)
                continue
            self.i += 1
            right = self.expression(binds)
            if binds > _COMPARES:
                left = nodes.Arithmetic(left.start, right.end, left, operator, right)
            else:
                left = nodes.Logical(left.start, right.end, left, operator.lower(), right)

    def negation(self) -> nodes.Expression:
        """``இல்லை`` before a whole comparison."""
        start = self.tokens[self.i].start
        self.deeper()
        self.i += 1
        operand = self.expression(_NOT)
        self.depth -= 1
        return nodes.Not(start, operand.end, operand)

    def comparison(self, left: nodes.Expression) -> nodes.Expression:
        """``a < b <= c``: every operand in the middle is computed twice."""
        kinds = self.kinds
        operands = [left]
        operators: list[str] = []
        while BINDS.get(kinds[self.i]) == _COMPARES:
            if operators and not _is_repeatable(operands[-1]):
                self.fail(NotRepeatable(operands[-1].start, operands[-1].end))
            operators.append(kinds[self.i])
            self.i += 1
            operands.append(self.expression(_COMPARES))
        return nodes.Comparison(left.start, operands[-1].end, operands, operators)

    # ---- operands and what follows them ----

    def operand(self) -> nodes.Expression:
        """A primary with its postfixes."""
        i = self.i
        kind = self.kinds[i]
        if kind == NAME:
            token = self.tokens[i]
            after = self.kinds[i + 1]
            self.i = i + 1
            if token.value == _NIL and after != "(" and _NIL not in self.taken:
                self.parsed.words.add(_NIL)
                return self.postfixes(nodes.Constant(token.start, token.end, None))
            if after not in _POSTFIX:
                return nodes.Name(token.start, token.end, token.value)
            if after == "{":
                if self.head:
                    return nodes.Name(token.start, token.end, token.value)
                return self.postfixes(self.shape_literal(token))
            return self.postfixes(nodes.Name(token.start, token.end, token.value))
        primary = PRIMARIES.get(kind)
        if primary is None:
            self.no_value()
        left = primary(self)
        return self.postfixes(left) if self.kinds[self.i] in _POSTFIX else left

    def no_value(self) -> NoReturn:
        """No value begins here; of the reserved words the everyday nouns were meant as names."""
        keyword = KEYWORD_NAMED.get(self.kinds[self.i])
        if keyword is not None and keyword.family not in ("statement", "operator"):
            self.no_name(A_VALUE)
        self.unexpected(A_VALUE)

    def postfixes(self, left: nodes.Expression) -> nodes.Expression:
        kinds = self.kinds
        while True:
            kind = kinds[self.i]
            if kind == ".":
                left = self.dot(left)
            elif kind == "(":
                if self.i == self.block_end:
                    return left  # (…) எனில் behind a block begins the next statement
                arguments = self.arguments()
                left = nodes.Call(left.start, self.tokens[self.i - 1].end, left, arguments)
                if kinds[self.i] == "{" and not self.head:
                    self.braces(left)
            elif kind == "[":
                index = self.index()
                left = nodes.Index(left.start, self.tokens[self.i - 1].end, left, index)
            elif kind == "?":
                self.i += 1
                left = nodes.Unwrap(left.start, self.tokens[self.i - 1].end, left)
            else:
                return left

    def dot(self, left: nodes.Expression) -> nodes.Expression:
        """``.field`` or ``.method(…)``"""
        self.i += 1
        name = self.slot_name(A_KEY)
        if self.kinds[self.i] != "(":
            return nodes.Field(left.start, name.end, left, name)
        types = self.type_values
        if name.text == "on" and isinstance(left, nodes.Name) and left.text == "server":
            self.type_values = True
        arguments = self.arguments()
        self.type_values = types
        call = nodes.MethodCall(left.start, self.tokens[self.i - 1].end, left, name, arguments)
        if self.kinds[self.i] == "{" and not self.head:
            self.braces(call)
        return call

    def arguments(self) -> list[nodes.Expression]:
        """``(a, b)``"""
        self.deeper()
        kinds = self.kinds
        head, self.head = self.head, False
        self.i += 1
        arguments: list[nodes.Expression] = []
        if kinds[self.i] != ")":
            arguments.append(self.expression())
            while kinds[self.i] == ",":
                self.i += 1
                arguments.append(self.expression())
            if kinds[self.i] != ")":
                self.unexpected(quoted(",", ")"))
        self.i += 1
        self.head = head
        self.depth -= 1
        return arguments

    def index(self) -> nodes.Expression:
        """``[i]``"""
        self.deeper()
        head, self.head = self.head, False
        self.i += 1
        index = self.expression()
        self.expect("]")
        self.head = head
        self.depth -= 1
        return index

    def braces(self, call: nodes.Call | nodes.MethodCall, is_body: bool = False) -> None:
        """The record, block or body behind a call."""
        i = self.i
        self.parsed.braced.append(call)
        if self.kinds[i + 1] == "}":
            self.i = i + 2
            # Which of the two it is, is settled at the end; a block needs no ‘;’ behind it.
            call.options = nodes.Record(self.tokens[i].start, self.tokens[i + 1].end, [])
            self.block_end = self.i
        elif self.opens_record(i):
            call.options = self.record()
        else:
            builtin = BUILTIN_OF.get(called(call))
            alone = is_body or (builtin is not None and builtin.takes == "body")
            call.block = self.body() if alone else self.block()
            self.block_end = self.i
        call.end = self.tokens[self.i - 1].end

    def opens_record(self, i: int) -> bool:
        """Whether the ``{`` here opens a record: a key and ``:``, and no typed binding."""
        kinds = self.kinds
        if kinds[i + 1] in (TEXT, ":"):
            return True  # perhaps a broken one, but no statement begins so
        if kinds[i + 2] != ":" or (kinds[i + 1] != NAME and kinds[i + 1] not in KEYWORD_NAMED):
            return False
        behind = self.type_ends(i + 3)
        return behind is None or (kinds[behind] != "=" and kinds[behind] != ">=")

    def shape_literal(self, token: Token) -> nodes.Expression:
        """``Name{k: v, …, ..base}``, which is a call when there is no shape of the name."""
        name = nodes.Identifier(token.start, token.end, token.value)
        if not self.opens_record(self.i) and self.kinds[self.i + 1] not in ("}", "."):
            self.fail_braces(token)
        self.deeper()
        head, self.head = self.head, False
        self.i += 1
        pairs: list[nodes.Pair] = []
        base = None
        while self.kinds[self.i] != "}":
            if self.kinds[self.i] == ".":
                self.i += 1
                self.expect(".")
                base = self.expression()
            else:
                pairs.append(self.pair())
            if self.kinds[self.i] == ",":
                self.i += 1
                if base is not None and self.kinds[self.i] != "}":
                    self.unexpected(quoted("}"))
            elif self.kinds[self.i] != "}":
                self.unexpected(quoted(",", "}"))
        self.i += 1
        self.head = head
        self.depth -= 1
        literal = nodes.ShapeLiteral(token.start, self.tokens[self.i - 1].end, name, pairs, base)
        self.parsed.braced.append(literal)
        return literal

    def fail_braces(self, token: Token) -> NoReturn:
        """Neither a key nor ``}`` stands behind ``Name {``."""
        following = self.tokens[self.i + 1]
        if following.kind == END:
            self.i += 1
            self.unexpected(quoted("}"))
        if self.kinds[self.i + 2] in (",", "}") and following.kind in SLOT:
            self.i += 2
            self.unexpected(quoted(":"))
        opener = self.tokens[self.i]
        self.fail(
            WrongBraces(
                opener.start, opener.end, suggestion=statement_word_near(token.text), name=token.text,
                wanted_ta="சொல்லுக்கு நேர்பின் ஒரு பொருள் மட்டுமே வரலாம்", given_ta="ஒரு தொகுதி",
                wanted_en="can be followed directly only by a record", given_en="a block",
            )
        )  # fmt: skip

    # ---- primaries ----

    def number(self) -> nodes.Expression:
        token = self.tokens[self.i]
        self.i += 1
        return nodes.Number(token.start, token.end, token.value)

    def percentage(self) -> nodes.Expression:
        token = self.tokens[self.i]
        self.i += 1
        return nodes.Number(token.start, token.end, token.value, True)

    def text(self) -> nodes.Expression:
        token = self.tokens[self.i]
        self.i += 1
        return nodes.Text(token.start, token.end, token.value)

    def constant(self) -> nodes.Expression:
        token = self.tokens[self.i]
        self.i += 1
        return nodes.Constant(token.start, token.end, _CONSTANTS[token.kind])

    def request(self) -> nodes.Expression:
        token = self.tokens[self.i]
        self.i += 1
        return nodes.RequestValue(token.start, token.end)

    def array(self) -> nodes.Expression:
        """``[a, b]``, perhaps with a comma at the end."""
        start = self.tokens[self.i].start
        self.deeper()
        kinds = self.kinds
        head, self.head = self.head, False
        self.i += 1
        items: list[nodes.Expression] = []
        while kinds[self.i] != "]":
            items.append(self.expression())
            if kinds[self.i] == ",":
                self.i += 1
            elif kinds[self.i] != "]":
                self.unexpected(quoted(",", "]"))
        self.i += 1
        self.head = head
        self.depth -= 1
        return nodes.Array(start, self.tokens[self.i - 1].end, items)

    def record(self) -> nodes.Record:
        """``{k: v}``, perhaps with a comma at the end."""
        start = self.tokens[self.i].start
        self.deeper()
        kinds = self.kinds
        head, self.head = self.head, False
        self.i += 1
        pairs: list[nodes.Pair] = []
        while kinds[self.i] != "}":
            pairs.append(self.pair())
            if kinds[self.i] == ",":
                self.i += 1
            elif kinds[self.i] != "}":
                self.unexpected(quoted(",", "}"))
        self.i += 1
        self.head = head
        self.depth -= 1
        return nodes.Record(start, self.tokens[self.i - 1].end, pairs)

    def pair(self) -> nodes.Pair:
        key = self.slot_name(A_KEY)
        self.expect(":")
        value = self.expression()
        return nodes.Pair(key.start, value.end, key, value)

    def lambda_(self) -> nodes.Expression:
        """A function written as a value."""
        start = self.tokens[self.i].start
        self.i += 1
        parameters, result = self.signature()
        body = self.body()
        return nodes.Lambda(start, body.end, parameters, result, body)

    def parentheses(self) -> nodes.Expression:
        self.deeper()
        head, self.head = self.head, False
        self.i += 1
        value = self.expression()
        self.expect(")")
        self.head = head
        self.depth -= 1
        return value

    def minus(self) -> nodes.Expression:
        """``-x`` for one operand with its postfixes."""
        start = self.tokens[self.i].start
        self.deeper()
        self.i += 1
        operand = self.operand()
        self.depth -= 1
        return nodes.Negate(start, operand.end, operand)

    def not_operand(self) -> nodes.Expression:
        """``இல்லை`` inside arithmetic binds to one operand."""
        start = self.tokens[self.i].start
        self.deeper()
        self.i += 1
        operand = self.operand()
        self.depth -= 1
        return nodes.Not(start, operand.end, operand)

    def type_value(self) -> nodes.Expression:
        """A type among the options of a route."""
        if not self.type_values:
            self.no_name(A_VALUE)
        type = self.type()
        return nodes.TypeValue(type.start, type.end, type)

    def head_expression(self) -> nodes.Expression:
        """An expression in front of a body: a ``{`` outside brackets opens the body."""
        outer, self.head = self.head, True
        value = self.expression()
        self.head = outer
        return value


# ---- what begins how ------------------------------------------------------------------

PRIMARIES: dict[str, Callable[[Expressions], nodes.Expression]] = {
    NUMBER: Expressions.number,
    PERCENTAGE: Expressions.percentage,
    TEXT: Expressions.text,
    "True": Expressions.constant,
    "False": Expressions.constant,
    "Null": Expressions.constant,
    "Request": Expressions.request,
    "[": Expressions.array,
    "{": Expressions.record,
    "Function": Expressions.lambda_,
    "(": Expressions.parentheses,
    "-": Expressions.minus,
    "Not": Expressions.not_operand,
    **dict.fromkeys(TYPE_OF, Expressions.type_value),
}


def called(node: nodes.Call | nodes.MethodCall | nodes.ShapeLiteral) -> str:
    """What a call calls, as it is written in the table of builtins."""
    if isinstance(node, nodes.ShapeLiteral):
        return node.name.text
    if isinstance(node, nodes.MethodCall):
        target = node.target
        return f"{target.text}.{node.name.text}" if isinstance(target, nodes.Name) else node.name.text
    return node.callee.text if isinstance(node.callee, nodes.Name) else "…"


def _is_repeatable(value: nodes.Expression) -> bool:
    """Whether computing it twice is the same as once (REFERENCE §3.2)."""
    while True:
        match value:
            case nodes.Index(target=target, index=index):
                if not _is_repeatable(index):
                    return False
                value = target
            case nodes.Field(target=target):
                value = target
            case nodes.Negate(operand=operand):
                return isinstance(operand, nodes.Number)
            case _:
                return isinstance(value, _REPEATABLE)
