"""Statements, in the order of the grammar (REFERENCE §3.1, EXTENSIONS §2).

The first token of a statement tells what it is. When it is a name, the token behind it does, and
for the words that are keywords only in their place sometimes one more or the bracket's end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from etamil_actors.language import nodes
from etamil_actors.language.keywords import KEYWORD_NAMED, KEYWORD_OF, WORD_OF, WORDS
from etamil_actors.language.lexer import END, NAME, NUMBER, PERCENTAGE, SYMBOLS, TEXT, Token
from etamil_actors.language.parse_cursor import (
    A_BLOCK,
    A_BRANCH,
    A_KEY,
    A_NAME,
    A_STATEMENT,
    A_VALUE,
    AGENT,
    BLOCK,
    CLOSER_OF,
    LITERALS,
    MOST_PROBLEMS,
    SLOT,
    TOP,
    Expected,
    GiveUp,
    Stop,
    matching,
    near,
    quoted,
    short,
    statement_word_near,
    unclosed,
)
from etamil_actors.language.parse_expressions import BINDS, PRIMARIES, TYPE_OF, Expressions
from etamil_actors.language.problems import (
    ConditionAlone,
    FixedWithoutValue,
    ImportPath,
    MisplacedType,
    MissingComma,
    NotAllowedHere,
    NotAStatement,
    Problem,
    TooDeepAssignment,
)

_RETURN = "return"
_AN_EQUALS = quoted("=")
_SHAPE_WORDS = frozenset(
    [
        *KEYWORD_NAMED["Shape"].spellings,
        *[word for row in WORDS if row.word == "Class" for word in row.spellings],
    ]
)
_SELF = frozenset([spelling for word in WORDS if word.word == "Self" for spelling in word.spellings])
_METHODS = frozenset({"Get", "Post", "Sse", "Stream", "WebSocket", "Static"})
_NEVER_NAMES = frozenset({"literal", "operator", "statement"})
"""Families of keywords that nobody takes for an everyday noun."""


class Statements(Expressions):
    """What is done."""

    # ---- words taken as texts ----

    def word(self) -> str:
        """Any one word, taken as a text (REFERENCE §3.3)."""
        token = self.tokens[self.i]
        if token.kind in SYMBOLS or token.kind == END:
            self.unexpected(A_NAME)
        self.i += 1
        if token.kind in LITERALS or token.value not in KEYWORD_OF:
            return str(token.value)
        keyword = KEYWORD_OF[token.value]
        return keyword.value if keyword.family in ("backend", "http_method") else keyword.token

    def handle(self) -> str | None:
        """``[, word]`` at the end of a database statement."""
        if self.kinds[self.i] != ",":
            return None
        self.i += 1
        return self.word()

    # ---- files, blocks, and going on after an error ----

    def module(self) -> None:
        """The whole file."""
        try:
            self.parsed.module.statements = self.statements()
            if self.kinds[self.i] != END:
                self.unexpected(A_STATEMENT)
        except Stop as stop:
            self.parsed.only(stop.problem)
        except GiveUp:
            pass
        except RecursionError:
            self.parsed.only(self.too_deep())

    def whole_expression(self) -> nodes.Expression | None:
        """The file as one expression."""
        try:
            value = self.expression()
            if self.kinds[self.i] == ";":
                self.i += 1
            if self.kinds[self.i] != END:
                self.unexpected(quoted(";"))
            return value
        except Stop as stop:
            self.parsed.only(stop.problem)
        except GiveUp:
            pass
        except RecursionError:
            self.parsed.only(self.too_deep())
        return None

    def statements(self) -> list[nodes.Statement]:
        """Statements up to a ``}`` or the end of the file."""
        kinds = self.kinds
        found: list[nodes.Statement] = []
        braced = self.parsed.braced
        state = (self.depth, self.place, self.in_loop, self.type_values)
        while kinds[self.i] != "}" and kinds[self.i] != END:
            start, before = self.i, len(braced)
            try:
                found.append(self.statement())
            except Stop as stop:
                self.recover(stop.problem, start)
                del braced[before:]
                self.depth, self.place, self.in_loop, self.type_values = state
                self.head = False
        return found

    def recover(self, problem: Problem, start: int) -> None:
        """Note a problem and go on behind the statement that began at ``start``."""
        if self.matches is None:
            self.matches = matching(self.kinds)
            if not self.matches and unclosed(self.kinds) is not None:
                self.parsed.only(problem)
                raise GiveUp
        self.parsed.problems.append(problem)
        if len(self.parsed.problems) >= MOST_PROBLEMS:
            raise GiveUp
        self.i = max(self.statement_end(start), start + 1)

    def statement_end(self, i: int) -> int:
        """The token behind the statement that begins here, found by its brackets alone."""
        assert self.matches is not None
        kinds = self.kinds
        while True:
            kind = kinds[i]
            if kind == ";":
                return i + 1
            if kind in (")", "]", "}", END):
                return i
            if kind in CLOSER_OF:
                i = self.matches[i]
                if kind == "{" and self.begins_statement(i + 1):
                    return i + 1
            i += 1

    def begins_statement(self, i: int) -> bool:
        """Whether what stands behind a ``}`` is surely a new statement."""
        kind = self.kinds[i]
        if kind == "(":
            return self.kinds[self.closing(i) + 1] in ("If", "Loop")
        if kind == NAME:
            word = WORD_OF.get(self.tokens[i].value)
            return word is None or word.word not in ("Catch", "Finally")
        return kind == END or (kind in STATEMENTS and kind != ";")

    def statement(self) -> nodes.Statement:
        kind = self.kinds[self.i]
        if kind == NAME:
            return self.name_statement()
        parse = STATEMENTS.get(kind)
        if parse is None or (self.kinds[self.i + 1] == "=" and kind in KEYWORD_NAMED):
            self.no_statement()
        return parse(self)

    def no_statement(self) -> NoReturn:
        """Nothing begins like this: perhaps a reserved word was meant as a name, or a value stands alone."""
        token = self.tokens[self.i]
        keyword = KEYWORD_NAMED.get(token.kind)
        after = self.kinds[self.i + 1]
        noun = keyword is not None and keyword.family not in _NEVER_NAMES
        if keyword is not None and (after == "=" or (noun and after in ".([:;")):
            self.no_name(A_NAME)
        if token.kind in PRIMARIES and token.kind != "{":
            self.fail(NotAStatement(token.start, token.end))
        hint = None
        if token.kind == "Else" and self.i and self.kinds[self.i - 1] == ";":
            hint = f"‘{token.text}’-க்கு முன் உள்ள ‘;’-ஐ நீக்குங்கள்  (remove the ‘;’ before ‘{token.text}’)"
        self.unexpected(A_STATEMENT, hint)

    def block(self) -> nodes.Block:
        """``{ … }`` of statements."""
        opener = self.tokens[self.i]
        if opener.kind != "{":
            self.unexpected(quoted("{"))
        if self.kinds[self.i + 1] == TEXT and self.kinds[self.i + 2] == ":":
            self.unexpected(A_BLOCK)
        self.deeper()
        self.i += 1
        place, head, types = self.place, self.head, self.type_values
        self.place, self.head, self.type_values = BLOCK, False, False
        statements = self.statements()
        if self.kinds[self.i] != "}":
            self.unexpected(quoted("}"))
        closer = self.tokens[self.i]
        self.i += 1
        self.depth -= 1
        self.place, self.head, self.type_values = place, head, types
        return nodes.Block(opener.start, closer.end, statements)

    def loop(self) -> nodes.Block:
        """The block of a loop."""
        outer, self.in_loop = self.in_loop, True
        block = self.block()
        self.in_loop = outer
        return block

    def body(self) -> nodes.Block:
        """A block that runs on its own: no loop around it can be left from inside."""
        outer, self.in_loop = self.in_loop, False
        block = self.block()
        self.in_loop = outer
        return block

    # ---- statements that begin with a name ----

    def name_statement(self) -> nodes.Statement:
        i = self.i
        token = self.tokens[i]
        after = self.kinds[i + 1]
        contextual = CONTEXTUAL.get(token.value)
        if contextual is not None:
            statement = contextual(self, after)
            if statement is not None:
                return statement
        if after == "=":
            self.i = i + 2
            value = self.expression()
            self.end_statement()
            self.bind(token.value)
            name = nodes.Identifier(token.start, token.end, token.value)
            return nodes.Binding(token.start, self.tokens[self.i - 1].end, name, None, value, False)
        if after == "(":
            return self.do()
        parse = AFTER_NAME.get(after)
        if parse is None:
            self.value_alone(after)
        return parse(self)

    def do(self) -> nodes.Do:
        """A call that stands as a statement, with whatever postfixes."""
        start = self.tokens[self.i].start
        call = self.operand()
        if self.kinds[self.i] in BINDS:
            self.fail(NotAStatement(call.start, call.end))
        self.end_statement()
        return nodes.Do(start, self.tokens[self.i - 1].end, call)

    def value_alone(self, after: str) -> NoReturn:
        """A name is followed by something that continues no statement."""
        token = self.tokens[self.i]
        if after in BINDS or after == "?":
            self.fail(NotAStatement(token.start, token.end))
        meant = statement_word_near(token.text)
        self.i += 1
        if after in KEYWORD_NAMED and self.kinds[self.i + 1] in ("=", ";"):
            self.no_name(A_NAME)
        self.unexpected(quoted("="), meant)

    def declared(self) -> nodes.Statement:
        """``name;`` stores 0."""
        name = self.name()
        self.i += 1
        self.bind(name.text)
        return nodes.Binding(name.start, self.tokens[self.i - 1].end, name, None, None, False)

    def annotated(self) -> nodes.Statement:
        """``name: type = value;``"""
        name = self.name()
        self.i += 1
        return self.binding_from(name.start, name, self.type(), False, needs_value=True)

    def shape_typed(self) -> nodes.Statement:
        """``shape name [= value];`` — and the call ``name name(…);`` of 2.0."""
        i = self.i
        third = self.kinds[i + 2]
        if third == "(":
            if self.defines(NAME):
                self.unexpected(A_STATEMENT, statement_word_near(self.tokens[i].text))
            self.i = i + 1
            return self.do()
        return self.typed()

    def typed(self) -> nodes.Statement:
        """``type name [= value];``"""
        start = self.tokens[self.i].start
        type = self.type()
        name = self.name()
        if self.kinds[self.i] in "([.":
            self.fail(MisplacedType(type.start, type.end, type=type.written))
        return self.binding_from(start, name, type, False)

    def fixed(self, after: str) -> nodes.Statement | None:
        """``நிலை [type] name [: type] = value;``"""
        if after != NAME and after != "Function" and after not in TYPE_OF:
            return None
        start = self.tokens[self.i].start
        self.i += 1
        kinds = self.kinds
        type = None
        if after != NAME or kinds[self.i + 1] == NAME:
            type = self.type()
        name = self.name()
        if type is None and kinds[self.i] == ":":
            self.i += 1
            type = self.type()
        return self.binding_from(start, name, type, True)

    def binding_from(
        self,
        start: int,
        name: nodes.Identifier,
        type: nodes.TypeName | None,
        fixed: bool,
        needs_value: bool = False,
    ) -> nodes.Binding:
        """``[= value] ;`` behind a name and its type."""
        value = None
        if self.kinds[self.i] == "=":
            self.i += 1
            value = self.expression()
            self.end_statement()
        elif fixed and self.kinds[self.i] != END:
            self.fail(FixedWithoutValue(name.start, name.end, name=name.text))
        elif needs_value:
            self.unexpected(quoted("="))
        elif self.kinds[self.i] != ";":
            self.unexpected(quoted("=", ";"))
        else:
            self.i += 1
        self.bind(name.text)
        return nodes.Binding(start, self.tokens[self.i - 1].end, name, type, value, fixed)

    def set_index(self) -> nodes.Statement:
        """``name[index] = value;``"""
        name = self.name()
        index = self.index()
        self.expect_assignment(name)
        value = self.expression()
        self.end_statement()
        self.bind(name.text)
        return nodes.SetIndex(name.start, self.tokens[self.i - 1].end, name, index, value)

    def name_dot(self) -> nodes.Statement:
        """``name.field = value;``, or a method call."""
        kinds = self.kinds
        i = self.i
        if kinds[i + 2] in SLOT and kinds[i + 3] == "(":
            return self.do()
        name = self.name()
        self.i += 1
        field = self.slot_name(A_KEY)
        self.expect_assignment(name, quoted("=", "("))
        value = self.expression()
        self.end_statement()
        self.bind(name.text)
        return nodes.SetField(name.start, self.tokens[self.i - 1].end, name, field, value)

    def expect_assignment(self, name: nodes.Identifier, expected: Expected = _AN_EQUALS) -> None:
        """``=`` behind a part of a name; a part of a part cannot be assigned."""
        kind = self.kinds[self.i]
        if kind == "=":
            self.i += 1
            return
        if kind in BINDS or kind in "?;":
            self.fail(NotAStatement(name.start, self.tokens[self.i - 1].end))
        here = self.i
        if kind in "[.":
            self.postfixes(nodes.Name(name.start, name.end, name.text))
            if self.kinds[self.i] == "=":
                self.fail(TooDeepAssignment(name.start, self.tokens[self.i - 1].end))
        self.i = here
        self.unexpected(expected)

    def command(self) -> nodes.Statement:
        """``name literal, …;`` with perhaps a record, block or body behind it."""
        return self.do_command(is_test=False)

    def do_command(self, is_test: bool) -> nodes.Statement:
        token = self.tokens[self.i]
        self.i += 1
        outer, self.head = self.head, True
        arguments = [PRIMARIES[self.kinds[self.i]](self)]
        if self.kinds[self.i] not in ",;{":
            self.unexpected(quoted(",", ";"), self.forgotten_semicolon())
        while self.kinds[self.i] == ",":
            self.i += 1
            arguments.append(self.expression())
        self.head = outer
        callee = nodes.Name(token.start, token.end, token.value)
        call = nodes.Call(token.start, self.tokens[self.i - 1].end, callee, arguments, None, None, True)
        if self.kinds[self.i] == "{":
            self.braces(call, is_test)
        if is_test:
            return self.test_or_call(call)
        self.end_statement()
        return nodes.Do(call.start, self.tokens[self.i - 1].end, call)

    def call_with_record(self) -> nodes.Statement:
        """``name { k: v }`` as a statement."""
        statement = self.do()
        if isinstance(statement.call, nodes.ShapeLiteral):
            self.parsed.alone.append(statement.call)
        return statement

    # ---- words that are keywords only in their place ----

    def shape_word(self, after: str) -> nodes.Statement | None:
        if after == NAME and self.kinds[self.i + 2] == "{":
            return self.shape()
        return None

    def return_word(self, after: str) -> nodes.Statement | None:
        if after in "=.:" or _RETURN in self.taken:
            return None
        if after == "[" and self.kinds[self.closing(self.i + 1) + 1] == "=":
            return None
        self.parsed.words.add(_RETURN)
        return self.return_()

    def break_word(self, after: str) -> nodes.Statement | None:
        if after != ";" or not self.in_loop:
            return None
        self.i += 2
        return nodes.Break(self.tokens[self.i - 2].start, self.tokens[self.i - 1].end)

    def continue_word(self, after: str) -> nodes.Statement | None:
        if after != ";" or not self.in_loop:
            return None
        self.i += 2
        return nodes.Continue(self.tokens[self.i - 2].start, self.tokens[self.i - 1].end)

    def function_word(self, after: str) -> nodes.Statement | None:
        return self.function()

    def route_word(self, after: str) -> nodes.Statement | None:
        return self.route()

    def response_word(self, after: str) -> nodes.Statement | None:
        return None if after in "=.[:;" else self.respond()

    def task(self, after: str) -> nodes.Statement | None:
        """``பணி name(…) [type] {…}``"""
        return self.function_from(task=True) if self.defines(after) else None

    def defines(self, after: str) -> bool:
        """Whether ``name ( … )``, perhaps a type, and ``{`` follow."""
        kinds = self.kinds
        if after != NAME or kinds[self.i + 2] != "(":
            return False
        behind = self.closing(self.i + 2) + 1
        if kinds[behind] == "{":
            return True
        ends = self.type_ends(behind)
        return ends is not None and kinds[ends] == "{"

    def agent(self, after: str) -> nodes.Statement | None:
        """``முகவர் name(…) {…}``"""
        if not self.defines(after):
            return None
        token = self.tokens[self.i]
        if self.place != TOP:
            self.not_here(
                token, "முகவர் நிரலின் மேல்நிலையில் மட்டுமே வரலாம்", "an agent stands at the top level only"
            )
        self.i += 1
        name = self.name()
        self.bind(name.text)
        self.parsed.functions.append(name)
        parameters = self.parameters()
        body = self.agent_body()
        return nodes.Agent(token.start, body.end, name, parameters, body)

    def agent_body(self) -> nodes.Block:
        opener = self.tokens[self.i]
        self.expect("{")
        self.deeper()
        place, loop = self.place, self.in_loop
        self.place, self.in_loop = AGENT, False
        statements = self.statements()
        self.place, self.in_loop = place, loop
        self.expect("}")
        self.depth -= 1
        return nodes.Block(opener.start, self.tokens[self.i - 1].end, statements)

    def message(self, after: str) -> nodes.Statement | None:
        """``செய்தி name(…) [type] {…}`` directly in an agent."""
        if not self.defines(after):
            return None
        token = self.tokens[self.i]
        start = token.start
        if self.place != AGENT:
            self.not_here(
                token, "இது நேரடியாக ஒரு முகவருக்குள் மட்டுமே வரலாம்", "it stands directly in an agent only"
            )
        self.i += 1
        name = self.name()
        parameters, result = self.signature()
        body = self.body()
        return nodes.Message(start, body.end, name, parameters, result, body)

    def on_stop(self, after: str) -> nodes.Statement | None:
        """``நிறுத்தும்போது {…}``"""
        if after != "{":
            return None
        token = self.tokens[self.i]
        if self.place == BLOCK:
            self.not_here(
                token,
                "இது மேல்நிலையில் அல்லது நேரடியாக ஒரு முகவருக்குள் மட்டுமே வரலாம்",
                "it stands at the top level or directly in an agent",
            )
        self.i += 1
        body = self.body()
        return nodes.OnStop(token.start, body.end, body)

    def not_here(self, token: Token, tamil: str, english: str) -> None:
        """Report a word that is out of place, and go on: what it is, is clear."""
        self.parsed.problems.append(
            NotAllowedHere(token.start, token.end, found=token.text, reason_ta=tamil, reason_en=english)
        )

    def test(self, after: str) -> nodes.Statement | None:
        """``சோதனை name {…}``"""
        if after in LITERALS:
            return self.do_command(is_test=True)
        if after != "(" or self.kinds[self.closing(self.i + 1) + 1] != "{":
            return None
        token = self.tokens[self.i]
        self.i += 1
        arguments = self.arguments()
        callee = nodes.Name(token.start, token.end, token.value)
        call = nodes.Call(token.start, self.tokens[self.i - 1].end, callee, arguments)
        self.braces(call, is_body=True)
        return self.test_or_call(call)

    def test_or_call(self, call: nodes.Call) -> nodes.Statement:
        body = call.block
        if call.options is not None and not call.options.pairs:
            body = nodes.Block(call.options.start, call.options.end, [])
        if body is None or len(call.arguments) != 1:
            self.end_statement()
            return nodes.Do(call.start, self.tokens[self.i - 1].end, call)
        self.parsed.braced.remove(call)
        if self.kinds[self.i] == ";":
            self.i += 1
        return nodes.Test(call.start, self.tokens[self.i - 1].end, call.arguments[0], body)

    def try_(self, after: str) -> nodes.Statement | None:
        """``முயல் {…} பிழை(name) {…} இறுதியில் {…}``"""
        if after != "{":
            return None
        start = self.tokens[self.i].start
        self.i += 1
        body = self.block()
        name = handler = final = None
        if self.is_word("Catch") and self.kinds[self.i + 1] == "(":
            self.i += 2
            name = self.name()
            self.bind(name.text)
            self.expect(")")
            handler = self.block()
        if self.is_word("Finally") and self.kinds[self.i + 1] == "{":
            self.i += 1
            final = self.block()
        if handler is None and final is None:
            self.unexpected(quoted("பிழை(…) {", "இறுதியில் {"))
        return nodes.Try(start, self.tokens[self.i - 1].end, body, name, handler, final)

    def choose(self, after: str) -> nodes.Statement | None:
        """``தேர்வு {…}``"""
        if after != "{":
            return None
        start = self.tokens[self.i].start
        self.i += 2
        self.deeper()
        branches: list[nodes.Branch] = []
        while self.kinds[self.i] != "}" or not branches:
            token = self.tokens[self.i]
            branch = self.branch()
            if branch.kind != "channel" and any([other.kind != "channel" for other in branches]):
                self.not_here(
                    token,
                    "ஒரு தேர்வில் காலம், இல்லையேல் ஆகிய இரண்டில் ஒன்று ஒருமுறை மட்டுமே வரலாம்",
                    "a choice has at most one of காலம் (after) and இல்லையேல் (otherwise)",
                )
            branches.append(branch)
        self.i += 1
        self.depth -= 1
        return nodes.Choose(start, self.tokens[self.i - 1].end, branches)

    def branch(self) -> nodes.Branch:
        """``name இல் channel {…}``, ``காலம் seconds {…}`` or ``இல்லையேல் {…}``"""
        token = self.tokens[self.i]
        if self.kinds[self.i] not in SLOT:
            self.no_name(A_BRANCH)
        if self.kinds[self.i + 1] != "In":
            if self.is_word("After"):
                self.i += 1
                seconds = self.head_expression()
                body = self.block()
                return nodes.Branch(token.start, body.end, "after", None, seconds, body)
            if self.is_word("Otherwise"):
                self.i += 1
                body = self.block()
                return nodes.Branch(token.start, body.end, "otherwise", None, None, body)
        name = self.slot_name()
        self.expect_word("In")
        self.bind(name.text)
        channel = self.head_expression()
        body = self.block()
        return nodes.Branch(token.start, body.end, "channel", name, channel, body)

    def when(self, after: str) -> nodes.Statement | None:
        """``यदि condition {…} [இன்றேல் …]``"""
        start = self.tokens[self.i].start
        self.i += 1
        condition = self.head_expression()
        return self.if_from(start, condition)

    # ---- the other statements, in the order of the grammar ----

    def empty(self) -> nodes.Statement:
        token = self.tokens[self.i]
        self.i += 1
        return nodes.Empty(token.start, token.end)

    def function(self) -> nodes.Statement:
        """``செயல் name(…) [type] {…}``, or ``செயல் name = value;``"""
        kinds = self.kinds
        if kinds[self.i + 1] in SLOT and kinds[self.i + 2] in ("=", ";"):
            token = self.tokens[self.i]
            self.i += 1
            type = nodes.TypeName(token.start, token.end, "Function", "", token.text)
            return self.binding_from(token.start, self.slot_name(), type, False)
        return self.function_from()

    def function_from(self, task: bool = False) -> nodes.Function:
        start = self.tokens[self.i].start
        self.i += 1
        name = self.slot_name()
        self.bind(name.text)
        self.parsed.functions.append(name)
        parameters, result = self.signature()
        body = self.body()
        return nodes.Function(start, body.end, name, parameters, result, body, task)

    def shape(self) -> nodes.Statement:
        """``வடிவம் name {…}``"""
        start = self.tokens[self.i].start
        self.i += 1
        name = self.name()
        self.bind(name.text)
        self.parsed.shapes.add(name.text)
        self.i += 1
        self.deeper()
        fields: list[nodes.ShapeField] = []
        methods: list[nodes.Function] = []
        while self.kinds[self.i] != "}":
            if self.kinds[self.i] == "Function" and self.kinds[self.i + 2] == "(":
                methods.append(self.method())
            else:
                fields.append(self.field())
        self.i += 1
        self.depth -= 1
        return nodes.Shape(start, self.tokens[self.i - 1].end, name, fields, methods)

    def field(self) -> nodes.ShapeField:
        """``[type] name`` or ``name: type``, and a comma unless a method or the end follows."""
        start = self.tokens[self.i].start
        kinds = self.kinds
        type = None
        if kinds[self.i] != NAME or self.type_stands_before_name():
            if kinds[self.i] not in TYPE_OF and kinds[self.i] not in (NAME, "Function"):
                self.no_name(A_NAME)
            type = self.type(optional=True)
        name = self.name()
        if type is None and kinds[self.i] == ":":
            self.i += 1
            type = self.type(optional=True)
        field = nodes.ShapeField(start, self.tokens[self.i - 1].end, name, type)
        if kinds[self.i] == ",":
            self.i += 1
        elif kinds[self.i] not in ("}", "Function"):
            token = self.tokens[self.i]
            if token.kind == END:
                self.unexpected(quoted("}"))
            self.fail(MissingComma(token.start, token.end, found=short(token.text)))
        return field

    def type_stands_before_name(self) -> bool:
        """In a shape, whether the name here is the type of a field: ``புள்ளி p`` or ``புள்ளி? p``."""
        kinds = self.kinds
        behind = self.i + 2 if kinds[self.i + 1] == "?" else self.i + 1
        if kinds[behind] != NAME:
            return False
        # Two names in different lines are two fields and a forgotten comma, unless the first is a shape.
        token, line_of = self.tokens[self.i], self.source.line_of
        return line_of(token.start) == line_of(self.tokens[behind].start) or self.defines_shape(token.value)

    def defines_shape(self, name: str) -> bool:
        """Whether the file defines a shape of this name, here or further down."""
        tokens, kinds = self.tokens, self.kinds
        return any(
            [
                tokens[i].value == name and kinds[i] == NAME and tokens[i - 1].value in _SHAPE_WORDS
                for i in range(1, len(tokens) - 1)
                if kinds[i + 1] == "{"
            ]
        )

    def method(self) -> nodes.Function:
        start = self.tokens[self.i].start
        self.i += 1
        name = self.slot_name()
        parameters, result = self.signature()
        takes_self = bool(parameters) and parameters[0].name.text in _SELF
        body = self.body()
        return nodes.Function(start, body.end, name, parameters, result, body, False, takes_self)

    def import_(self) -> nodes.Statement:
        """``இறக்கு "path";``"""
        word = self.tokens[self.i]
        self.i += 1
        token = self.tokens[self.i]
        if token.kind == END:
            self.unexpected(A_VALUE)
        if token.kind != TEXT:
            self.fail(ImportPath(token.start, token.end, word=word.text, found=short(token.text)))
        self.i += 1
        self.end_statement()
        path = nodes.Text(token.start, token.end, token.value)
        return nodes.Import(word.start, self.tokens[self.i - 1].end, path)

    def return_(self) -> nodes.Statement:
        """``திரும்பு [value];``"""
        start = self.tokens[self.i].start
        self.i += 1
        value = None if self.kinds[self.i] == ";" else self.expression()
        self.end_statement()
        return nodes.Return(start, self.tokens[self.i - 1].end, value)

    def condition(self) -> nodes.Statement:
        """``(condition) எனில் {…}`` or ``(condition) சுற்று {…}``"""
        start = self.tokens[self.i].start
        condition = self.parentheses()
        token = self.tokens[self.i]
        self.i += 1
        if token.kind == "If":
            return self.if_from(start, condition)
        if token.kind != "Loop":
            self.i -= 1
            self.condition_alone(token)
        body = self.loop()
        return nodes.While(start, body.end, condition, body)

    def condition_alone(self, token: Token) -> NoReturn:
        if token.kind == END:
            self.unexpected(quoted("எனில்", "சுற்று"))
        meant = near(token.text, (*KEYWORD_NAMED["If"].spellings, *KEYWORD_NAMED["Loop"].spellings))
        self.fail(ConditionAlone(token.start, token.end, found=short(token.text), suggestion=meant))

    def if_from(self, start: int, condition: nodes.Expression) -> nodes.If:
        """The block of a condition and all that hangs on it. Chains are long, so this is a loop."""
        links = [(start, condition, self.block())]
        otherwise = None
        while self.kinds[self.i] == "Else":
            self.i += 1
            start = self.tokens[self.i].start
            if self.kinds[self.i] == "(":
                condition = self.parentheses()
                self.expect_word("If")
            elif self.is_word("When"):
                self.i += 1
                condition = self.head_expression()
            else:
                otherwise = self.block()
                break
            links.append((start, condition, self.block()))
        end = self.tokens[self.i - 1].end
        start, condition, then = links.pop()
        statement = nodes.If(start, end, condition, then, otherwise)
        while links:
            otherwise = nodes.Block(statement.start, end, [statement])
            start, condition, then = links.pop()
            statement = nodes.If(start, end, condition, then, otherwise)
        return statement

    def each(self) -> nodes.Statement:
        """``ஒவ்வொரு name இல் collection {…}``"""
        start = self.tokens[self.i].start
        self.i += 1
        name = self.slot_name()
        self.bind(name.text)
        self.expect_word("In")
        collection = self.head_expression()
        body = self.loop()
        return nodes.Each(start, body.end, name, collection, body)

    def print_(self) -> nodes.Statement:
        start = self.tokens[self.i].start
        self.i += 1
        value = self.expression()
        self.end_statement()
        return nodes.Print(start, self.tokens[self.i - 1].end, value)

    def input(self) -> nodes.Statement:
        start = self.tokens[self.i].start
        self.i += 1
        operand = self.expression()
        self.end_statement()
        target = None
        if isinstance(operand, nodes.Name):
            target = nodes.Identifier(operand.start, operand.end, operand.text)
            self.bind(operand.text)
        return nodes.Input(start, self.tokens[self.i - 1].end, target)

    def file_open(self) -> nodes.Statement:
        """``கோப்பு_திற path [, mode];``: the mode is read now, not looked up when it runs."""
        start = self.tokens[self.i].start
        self.i += 1
        path = self.expression()
        mode: nodes.Expression | None = None
        if self.kinds[self.i] == ",":
            self.i += 1
            mode = self.expression()
        self.end_statement()
        word = "read"
        if isinstance(mode, nodes.Text):
            word = mode.value
        elif isinstance(mode, nodes.Name):
            word = mode.text
        return nodes.FileOpen(start, self.tokens[self.i - 1].end, path, word.lower())

    def file_close(self) -> nodes.Statement:
        start = self.tokens[self.i].start
        self.i += 1
        path = self.expression()
        self.end_statement()
        return nodes.FileClose(start, self.tokens[self.i - 1].end, path)

    def file_read(self) -> nodes.Statement:
        token = self.tokens[self.i]
        self.i += 1
        path = self.expression()
        self.expect(",")
        target = self.target()
        self.end_statement()
        return nodes.FileRead(token.start, self.tokens[self.i - 1].end, path, target, token.kind == "ReadCSV")

    def target(self) -> nodes.Identifier:
        """The name that something is read into."""
        name = self.slot_name()
        self.bind(name.text)
        return name

    def file_write(self) -> nodes.Statement:
        start = self.tokens[self.i].start
        self.i += 1
        path = self.expression()
        self.expect(",")
        data = self.expression()
        self.end_statement()
        return nodes.FileWrite(start, self.tokens[self.i - 1].end, path, data)

    def db_connect(self) -> nodes.Statement:
        start = self.tokens[self.i].start
        self.i += 1
        backend = self.word()
        self.expect(",")
        text = self.expression()
        handle = self.handle()
        self.end_statement()
        return nodes.DbConnect(start, self.tokens[self.i - 1].end, backend, text, handle)

    def db_disconnect(self) -> nodes.Statement:
        start = self.tokens[self.i].start
        self.i += 1
        handle = self.word()
        self.end_statement()
        return nodes.DbDisconnect(start, self.tokens[self.i - 1].end, handle)

    def db_query(self) -> nodes.Statement:
        start = self.tokens[self.i].start
        self.i += 1
        sql = self.expression()
        self.expect(",")
        parameters = self.expression()
        self.expect(",")
        target = self.target()
        handle = self.handle()
        self.end_statement()
        return nodes.DbQuery(start, self.tokens[self.i - 1].end, sql, parameters, target, handle)

    def db_execute(self) -> nodes.Statement:
        start = self.tokens[self.i].start
        self.i += 1
        sql = self.expression()
        self.expect(",")
        parameters = self.expression()
        handle = self.handle()
        self.end_statement()
        return nodes.DbExecute(start, self.tokens[self.i - 1].end, sql, parameters, handle)

    def not_implemented(self) -> nodes.Statement:
        """The statements that 2.0 parses and refuses to run: ``word name, value [, value];``"""
        token = self.tokens[self.i]
        self.i += 1
        if token.kind != "StopServer":
            self.slot_name()
            self.expect(",")
            self.expression()
            if token.kind == "DBUpdate" and self.kinds[self.i] == ",":
                self.i += 1
                self.expression()
        self.end_statement()
        return nodes.NotImplementedStatement(token.start, self.tokens[self.i - 1].end, token.text)

    def select(self) -> nodes.Statement:
        """``தேர்வெடு name, … இதனில் name [விதி condition];`` — parsed, not implemented."""
        token = self.tokens[self.i]
        self.i += 1
        self.slot_name()
        while self.kinds[self.i] == ",":
            self.i += 1
            self.slot_name()
        self.expect_word("From")
        self.slot_name()
        if self.kinds[self.i] == "Where":
            self.i += 1
            self.expression()
        self.end_statement()
        return nodes.NotImplementedStatement(token.start, self.tokens[self.i - 1].end, token.text)

    def route(self) -> nodes.Statement:
        """``வழி method, path [, options] {…}``"""
        start = self.tokens[self.i].start
        self.i += 1
        method = self.method_word()
        self.expect(",")
        path = self.head_expression()
        if method == "STATIC":
            self.expect(",")
            folder = self.expression()
            self.end_statement()
            return nodes.Route(start, self.tokens[self.i - 1].end, method, path, None, None, folder)
        options = None
        if self.kinds[self.i] == ",":
            self.i += 1
            outer, self.type_values = self.type_values, True
            options = self.head_expression()
            self.type_values = outer
        body = self.body()
        return nodes.Route(start, body.end, method, path, options, body)

    def method_word(self) -> str:
        token = self.tokens[self.i]
        word = WORD_OF.get(token.value) if token.kind == NAME else None
        if word is not None and word.word in _METHODS:
            self.i += 1
            return word.value
        return self.word().upper()

    def respond(self) -> nodes.Statement:
        """``பதில் status, body [, headers];``"""
        start = self.tokens[self.i].start
        self.i += 1
        status = self.expression()
        self.expect(",")
        body = self.expression()
        headers = None
        if self.kinds[self.i] == ",":
            self.i += 1
            headers = self.expression()
        self.end_statement()
        return nodes.Respond(start, self.tokens[self.i - 1].end, status, body, headers)

    def respond_json(self) -> nodes.Statement:
        start = self.tokens[self.i].start
        self.i += 1
        value = self.expression()
        status = None
        if self.kinds[self.i] == ",":
            self.i += 1
            status = self.expression()
        self.end_statement()
        return nodes.RespondJson(start, self.tokens[self.i - 1].end, value, status)

    def start_server(self) -> nodes.Statement:
        start = self.tokens[self.i].start
        self.i += 1
        host = self.expression()
        self.expect(",")
        port = self.expression()
        self.end_statement()
        return nodes.StartServer(start, self.tokens[self.i - 1].end, host, port)

    def every(self) -> nodes.Statement:
        """``இடைவெளி seconds {…}``"""
        start = self.tokens[self.i].start
        self.i += 1
        seconds = self.head_expression()
        body = self.body()
        return nodes.Every(start, body.end, seconds, body)


# ---- what begins how ------------------------------------------------------------------

STATEMENTS: dict[str, Callable[[Statements], nodes.Statement]] = {
    ";": Statements.empty,
    "(": Statements.condition,
    "Function": Statements.function,
    "Return": Statements.return_,
    "Import": Statements.import_,
    "ForEach": Statements.each,
    "Print": Statements.print_,
    "Input": Statements.input,
    "FileOpen": Statements.file_open,
    "FileClose": Statements.file_close,
    "FileRead": Statements.file_read,
    "ReadCSV": Statements.file_read,
    "FileWrite": Statements.file_write,
    "WriteCSV": Statements.file_write,
    "DBConnect": Statements.db_connect,
    "DBDisconnect": Statements.db_disconnect,
    "DBQuery": Statements.db_query,
    "DBExecute": Statements.db_execute,
    "DBInsert": Statements.not_implemented,
    "DBUpdate": Statements.not_implemented,
    "DBDelete": Statements.not_implemented,
    "CreateTable": Statements.not_implemented,
    "Select": Statements.select,
    "Route": Statements.route,
    "Response": Statements.respond,
    "JSONBody": Statements.respond_json,
    "StartServer": Statements.start_server,
    "StopServer": Statements.not_implemented,
    "Every": Statements.every,
    **dict.fromkeys(TYPE_OF, Statements.typed),
}

AFTER_NAME: dict[str, Callable[[Statements], nodes.Statement]] = {
    ";": Statements.declared,
    ":": Statements.annotated,
    "[": Statements.set_index,
    ".": Statements.name_dot,
    "{": Statements.call_with_record,
    NAME: Statements.shape_typed,
    TEXT: Statements.command,
    NUMBER: Statements.command,
    PERCENTAGE: Statements.command,
}

_WORD_STATEMENTS: dict[str, Callable[[Statements, str], nodes.Statement | None]] = {
    "Try": Statements.try_,
    "Choose": Statements.choose,
    "OnStop": Statements.on_stop,
    "Task": Statements.task,
    "Agent": Statements.agent,
    "Message": Statements.message,
    "Class": Statements.shape_word,
    "Break": Statements.break_word,
    "Continue": Statements.continue_word,
    "Test": Statements.test,
    "Return": Statements.return_word,
    "Function": Statements.function_word,
    "Route": Statements.route_word,
    "When": Statements.when,
    "Response": Statements.response_word,
}

CONTEXTUAL: dict[str, Callable[[Statements, str], nodes.Statement | None]] = {
    **{
        spelling: _WORD_STATEMENTS[word.word]
        for word in WORDS
        if word.word in _WORD_STATEMENTS
        for spelling in word.spellings
    },
    **dict.fromkeys(KEYWORD_NAMED["Const"].spellings, Statements.fixed),
    **dict.fromkeys(KEYWORD_NAMED["Shape"].spellings, Statements.shape_word),
}
