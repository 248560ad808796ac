"""Checks a whole program before it runs, and reports everything at once (REFERENCE §10).

The checker is narrow by design: it objects only when it *knows* that something breaks what the
author wrote down. Statements are walked in program order, imported files in their place;
branches one after the other as if both ran. A function starts with its parameters and nothing
else; a route, job, agent or test sees what the top level fixed, in a copy. What is known about
expressions is in ``check_values.py``, what may be said about a type in ``check_types.py``.

``check`` is the entrance. It needs every import spliced in and no parse problems.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from typing import Any

from etamil_actors.language import check_problems as problems
from etamil_actors.language import nodes
from etamil_actors.language.builtins import BUILTIN_OF
from etamil_actors.language.check_options import OptionChecker, OptionUse
from etamil_actors.language.check_outline import Outline
from etamil_actors.language.check_types import (
    TEXT_TYPE,
    Known,
    declared_by,
    declared_words,
    fits,
    given_words,
    takes_zero,
)
from etamil_actors.language.check_values import (
    Itself,
    Scope,
    ValueChecker,
    Variable,
    is_agent,
    is_of_request,
)
from etamil_actors.language.keywords import KEYWORD_OF, WORDS
from etamil_actors.language.options import ROUTE
from etamil_actors.language.problems import Problem
from etamil_actors.language.source import SourceMap

RESPONSE_NAMES = frozenset("response_status response_body response_headers response_file".split())
SELF = next(word.spellings for word in WORDS if word.word == "Self")
NIL = next(word.spellings for word in WORDS if word.word == "Nil")


def check(module: nodes.Module, sources: SourceMap, *, names: Iterable[str] = ()) -> list[Problem]:
    """Everything that is wrong with a program, in the order of its text.

    ``names`` have a value already, as in a shell where earlier lines gave them one.
    """
    checker = Checker(Outline(module), sources)
    checker.assigned.update(names)
    checker.walk(module.statements)
    checker.answer_questions()
    return _in_order(checker.problems)


_MOST_PROBLEMS = 200
"""A program with more is not read to the end anyway."""


def _in_order(problems: list[Problem]) -> list[Problem]:
    """In the order of the text; of too many the errors are kept before the warnings."""
    if len(problems) > _MOST_PROBLEMS:
        problems = sorted(problems, key=lambda problem: (problem.severity, problem.start))
    return sorted(problems[:_MOST_PROBLEMS], key=lambda problem: (problem.start, problem.code))


class Checker(ValueChecker):
    """One check of one program: the statements' half."""

    def __init__(self, outline: Outline, sources: SourceMap) -> None:
        super().__init__(outline, sources)
        self.agents: dict[str, int] = {}
        self.seen_shapes: dict[str, int] = {}
        # The function at hand, and what it is declared to return:
        self.function: nodes.Identifier | None = None
        self.result: nodes.TypeName | None = None
        self.returns: Known | None = None
        self._statements: dict[type, Callable[[Any], None]] = {
            nodes.Binding: self.check_binding,
            nodes.SetIndex: self.check_set_index,
            nodes.SetField: self.check_set_field,
            nodes.Do: self.check_do,
            nodes.Function: self.check_function,
            nodes.Shape: self.check_shape,
            nodes.Import: self.check_import,
            nodes.Return: self.check_return,
            nodes.If: self.check_if,
            nodes.While: self.check_while,
            nodes.Each: self.check_each,
            nodes.Break: self.check_nothing,
            nodes.Continue: self.check_nothing,
            nodes.Empty: self.check_nothing,
            nodes.NotImplementedStatement: self.check_nothing,
            nodes.DbDisconnect: self.check_nothing,
            nodes.Print: self.check_print,
            nodes.Input: self.check_input,
            nodes.FileOpen: self.check_file_open,
            nodes.FileClose: self.check_file_close,
            nodes.FileRead: self.check_file_read,
            nodes.FileWrite: self.check_file_write,
            nodes.DbConnect: self.check_db_connect,
            nodes.DbQuery: self.check_db_query,
            nodes.DbExecute: self.check_db_execute,
            nodes.Route: self.check_route,
            nodes.Respond: self.check_respond,
            nodes.RespondJson: self.check_respond_json,
            nodes.StartServer: self.check_start_server,
            nodes.Every: self.check_every,
            nodes.Try: self.check_try,
            nodes.Choose: self.check_choose,
            nodes.OnStop: self.check_on_stop,
            nodes.Test: self.check_test,
            nodes.Agent: self.check_agent,
            nodes.Message: self.check_message,
        }

    # ---- walking ----------------------------------------------------------------------

    def walk(self, statements: Sequence[nodes.Statement]) -> None:
        """The statements of a file, at the top level."""
        check = self._statements
        for statement in statements:
            self.statement = statement
            check[type(statement)](statement)

    def walk_block(self, block: nodes.Block) -> None:
        check = self._statements
        for statement in block.statements:
            check[type(statement)](statement)

    def walk_body(self, block: nodes.Block, brings: Sequence[str] = ()) -> None:
        scope = {name: variable for name, variable in self.scope.items() if variable.fixed}
        for name in brings:
            scope[name] = Variable(block.start)
        self.assigned.update(brings)
        self.walk_in(scope, block)

    def walk_in(
        self,
        scope: Scope,
        block: nodes.Block,
        name: nodes.Identifier | None = None,
        result: nodes.TypeName | None = None,
    ) -> None:
        """A block with a scope of its own, and with the result it is declared to have."""
        before = self.scope, self.prelude, self.function, self.result, self.returns
        self.scope, self.prelude, self.function, self.result = scope, False, name, result
        self.returns = self.declared(result)
        self.walk_block(block)
        self.scope, self.prelude, self.function, self.result, self.returns = before

    def walk_function(
        self,
        name: nodes.Identifier,
        parameters: Sequence[nodes.Parameter],
        result: nodes.TypeName | None,
        body: nodes.Block,
        scope: Scope,
    ) -> None:
        for parameter in parameters:
            text = parameter.name.text
            declared = self.declared(parameter.type)
            if type(scope.get(text)) is Itself:
                continue
            self._check_no_shape(parameter.name)
            scope[text] = Variable(parameter.name.start, parameter.type, declared, parameter.fixed)
        self.walk_in(scope, body, name, result)

    def declared(self, type: nodes.TypeName | None) -> Known | None:
        """What a written type declares. A type that names no shape is reported."""
        if type is None:
            return None
        innermost = type
        while innermost.element is not None:
            innermost = innermost.element
        known = declared_by(type, self.shapes)
        if innermost.kind == "Shape" and declared_by(innermost, self.shapes) is None:
            self._report_type(innermost)
        return known

    def _report_type(self, type: nodes.TypeName) -> None:
        types = [word for word, row in KEYWORD_OF.items() if row.family == "type"]
        near = self.hint(type.name, [*self.shapes, *types, *TEXT_TYPE])
        self.report(problems.NoSuchType(type.start, type.end, name=type.name, suggestion=near))

    # ---- names ------------------------------------------------------------------------

    def bind(self, name: nodes.Identifier) -> None:
        variable = self.scope.get(name.text)
        if variable is None:
            self._bind_first(name)
        elif variable.fixed:
            self._report_fixed(name, variable)
        elif variable.type is not None:
            self.scope[name.text] = Variable(variable.start)

    def _bind_first(self, name: nodes.Identifier) -> None:
        self._check_no_shape(name)
        self.assigned.add(name.text)
        self.scope[name.text] = Variable(name.start)

    def _check_no_shape(self, name: nodes.Identifier) -> None:
        self.assigned.add(name.text)
        if name.text in self.shapes:
            self.report(problems.ShapeNameTaken(name.start, name.end, name=name.text))

    def _report_fixed(self, name: nodes.Identifier, variable: Variable) -> None:
        if type(variable) is Itself:
            self._report_self(name, variable, "அதை மாற்ற முடியாது", "it cannot be changed")
            return
        places = self.place_words(variable.start, name.start)
        self.report(problems.ChangesFixed(name.start, name.end, name=name.text, **places))

    def _report_self(self, name: nodes.Identifier, itself: Variable, why_ta: str, why: str) -> None:
        record = ("அழைக்கப்பட்ட பொருள்", "the record that the method was called on")
        what_ta, what = ("முகவரே", "the agent itself") if itself.known is None else record
        words = {"what_ta": what_ta, "what": what, "why_ta": why_ta, "why": why}
        self.report(problems.SelfMisused(name.start, name.end, name=name.text, **words))

    # ---- bindings ---------------------------------------------------------------------

    def check_binding(self, node: nodes.Binding) -> None:
        value = node.value
        given = self._values[type(value)](value) if value is not None else None
        name = node.name
        before = self.scope.get(name.text)
        if node.type is not None or node.fixed:
            self._check_declaration(node, before, given)
        elif before is None:
            self._bind_first(name)
        elif before.fixed:
            self._report_fixed(name, before)
        elif before.type is not None:
            self._check_value(node, before.type, before.declared, given)

    def _check_declaration(self, node: nodes.Binding, before: Variable | None, given: Known | None) -> None:
        name = node.name
        declared = self.declared(node.type)
        self._check_no_shape(name)
        if node.type is not None:
            self._check_value(node, node.type, declared, given)
        if before is not None and (before.fixed or node.fixed):
            self._check_again(node, before)
        if before is None or not before.fixed:
            # நிலை x = Shape{…} is the one case that makes x known without a type.
            literal = node.fixed and type(node.value) is nodes.ShapeLiteral
            known = given if literal and node.type is None else None
            self.scope[name.text] = Variable(name.start, node.type, declared, node.fixed, known)

    def _check_again(self, node: nodes.Binding, before: Variable) -> None:
        """A name that is fixed, now or before, is bound a second time in its scope."""
        name = node.name
        if not node.fixed or type(before) is Itself:
            self._report_fixed(name, before)
            return
        fixed = ("ஏற்கெனவே நிலைப்படுத்தப்பட்டது", "is fixed already")
        variable = ("ஏற்கெனவே மாறியாகப் பயன்பட்டது", "was an ordinary variable before")
        why_ta, why = fixed if before.fixed else variable
        words = {"name": name.text, "why_ta": why_ta, "why": why}
        places = self.place_words(before.start, name.start)
        self.report(problems.FixedTwice(name.start, name.end, **words, **places))

    def _check_value(
        self,
        node: nodes.Binding,
        type: nodes.TypeName,
        declared: Known | None,
        given: Known | None,
    ) -> None:
        name, value = node.name, node.value
        if value is None:
            if not takes_zero(declared):
                words = {"name": name.text, "declared": declared_words(type)}
                self.report(problems.NeedsValue(name.start, name.end, **words))
        elif not fits(given, declared):
            assert given and declared, "what is unknown fits"
            self.report_misfit(name, type, declared, value, given)

    def check_set_index(self, node: nodes.SetIndex) -> None:
        self.value(node.index)
        self.value(node.value)
        self._check_change(node.name)

    def check_set_field(self, node: nodes.SetField) -> None:
        given = self.value(node.value)
        variable = self._check_change(node.name)
        shape = self._shape_of(variable.known) if variable is not None else None
        if shape is None:
            return
        field = shape.fields.get(node.field.text)
        if field is None:
            self.report(self._unreadable(shape, node.field))
            return
        declared = shape.types[node.field.text]
        if not fits(given, declared):
            assert given and declared and field.type, "what is unknown fits"
            self.report_misfit(node.field, field.type, declared, node.value, given)

    def _check_change(self, name: nodes.Identifier) -> Variable | None:
        """A part of a name's value is changed, which needs a value to be there."""
        variable = self.scope.get(name.text)
        if variable is None:
            self.read_unbound(name)
        elif variable.fixed:
            self._report_fixed(name, variable)
        return variable

    def check_do(self, node: nodes.Do) -> None:
        self.value(node.call)

    # ---- definitions ------------------------------------------------------------------

    def check_function(self, node: nodes.Function) -> None:
        if node.name.text not in self.functions:
            self.outline.define(node)  # written inside a lambda
        self._check_against_shape(node.name)
        self.walk_function(node.name, node.parameters, node.result, node.body, {})

    def _check_against_shape(self, name: nodes.Identifier) -> None:
        if name.text in self.shapes:
            self._report_clash(name, self.shapes[name.text].node.start)

    def _report_clash(self, name: nodes.Identifier, other: int) -> None:
        places = self.place_words(other, name.start)
        self.report(problems.ShapeAndFunction(name.start, name.end, name=name.text, **places))

    def check_shape(self, node: nodes.Shape) -> None:
        name = node.name
        first = self.shapes.get(name.text)
        if not self.prelude or node is not self.statement:
            self.report(problems.ShapeNotAtTop(name.start, name.end, name=name.text))
            return
        if first is not None and first.node is not node:
            places = self.place_words(first.node.start, name.start)
            self.report(problems.ShapeTwice(name.start, name.end, name=name.text, **places))
        self._check_members(node)
        for field in node.fields:
            self.declared(field.type)
        for method in node.methods:
            self._check_method(node, method)

    def _check_members(self, node: nodes.Shape) -> None:
        seen: dict[str, int] = {}
        names = [field.name for field in node.fields] + [method.name for method in node.methods]
        for name in sorted(names, key=lambda name: name.start):
            if name.text in seen:
                words = {"name": name.text, "shape": node.name.text}
                places = self.place_words(seen[name.text], name.start)
                self.report(problems.MemberTwice(name.start, name.end, **words, **places))
            seen.setdefault(name.text, name.start)

    def _check_method(self, shape: nodes.Shape, node: nodes.Function) -> None:
        scope: Scope = {}
        if node.takes_self:
            itself = node.parameters[0]
            known = Known("Shape", shape.name.text)
            self.assigned.add(itself.name.text)
            scope[itself.name.text] = Itself(itself.start, None, known, True)
            if itself.type is not None and itself.type.name != shape.name.text:
                self._report_self(
                    itself.name,
                    scope[itself.name.text],
                    "அதற்கு வேறு வகை இருக்க முடியாது",
                    "it can have no other type",
                )
        self.walk_function(node.name, node.parameters, node.result, node.body, scope)

    def check_import(self, node: nodes.Import) -> None:
        if node.module is not None:
            self.walk(node.module.statements)

    def check_return(self, node: nodes.Return) -> None:
        if node.value is None:
            return
        given = self.value(node.value)
        if self.returns is None or fits(given, self.returns):
            return
        assert given and self.function and self.result, "a result is declared by a function"
        name = self.function
        tamil, english = given_words(node.value, given, self.returns)
        words = {"declared": declared_words(self.result), "given_ta": tamil, "given": english}
        places = self.place_words(node.start, name.start)
        self.report(problems.ResultDoesNotFit(name.start, name.end, name=name.text, **words, **places))

    # ---- control flow -----------------------------------------------------------------

    def check_nothing(self, node: nodes.Statement) -> None:
        """Nothing in it can be wrong."""

    def check_if(self, node: nodes.If) -> None:
        # A long chain of else-ifs is walked here and not by recursion.
        while True:
            self.value(node.condition)
            self.walk_block(node.then)
            otherwise = node.otherwise
            if otherwise is None:
                return
            only = otherwise.statements[0] if len(otherwise.statements) == 1 else None
            if type(only) is not nodes.If:
                self.walk_block(otherwise)
                return
            node = only

    def check_while(self, node: nodes.While) -> None:
        self.value(node.condition)
        self.walk_repeated(node.body)

    def check_each(self, node: nodes.Each) -> None:
        self.value(node.collection)
        self.bind(node.name)
        self.walk_repeated(node.body)

    def check_try(self, node: nodes.Try) -> None:
        self.walk_block(node.body)
        if node.name is not None:
            self.bind(node.name)
        for block in (node.handler, node.final):
            if block is not None:
                self.walk_block(block)

    def check_choose(self, node: nodes.Choose) -> None:
        for branch in node.branches:
            if branch.source is not None:
                self.value(branch.source)
            if branch.name is not None:
                self.bind(branch.name)
            self.walk_block(branch.body)

    # ---- console, files, databases ----------------------------------------------------

    def check_print(self, node: nodes.Print) -> None:
        self._values[type(node.value)](node.value)

    def check_input(self, node: nodes.Input) -> None:
        if node.target is not None:
            self._bind_keeping_type(node.target)

    def _bind_keeping_type(self, name: nodes.Identifier) -> None:
        variable = self.scope.get(name.text)
        if variable is None or variable.fixed:
            self.bind(name)

    def value_quietly(self, node: nodes.Expression | None) -> None:
        """Look at an expression without judging its calls (REFERENCE §10.3)."""
        if node is not None:
            before, self.quiet = self.quiet, True
            self._values[type(node)](node)
            self.quiet = before

    def check_file_open(self, node: nodes.FileOpen) -> None:
        self.value_quietly(node.path)

    def check_file_close(self, node: nodes.FileClose) -> None:
        self.value_quietly(node.path)

    def check_file_read(self, node: nodes.FileRead) -> None:
        self.value_quietly(node.path)
        self.bind(node.target)

    def check_file_write(self, node: nodes.FileWrite) -> None:
        self.value_quietly(node.path)
        self.value_quietly(node.data)

    def check_db_connect(self, node: nodes.DbConnect) -> None:
        self.value_quietly(node.text)

    def check_db_query(self, node: nodes.DbQuery) -> None:
        self.value_quietly(node.sql)
        self.value_quietly(node.parameters)
        self.bind(node.target)

    def check_db_execute(self, node: nodes.DbExecute) -> None:
        self.value_quietly(node.sql)
        self.value_quietly(node.parameters)

    # ---- HTTP, jobs, agents, tests ----------------------------------------------------

    def check_route(self, node: nodes.Route) -> None:
        self.value_quietly(node.path)
        self.options_quietly(node.options)
        self.value_quietly(node.folder)
        if type(node.options) is nodes.Record:
            word = self.text_of(node).split(None, 1)[0]
            self.option_uses.append(OptionUse(word, node.options, ROUTE))
        if node.body is not None:
            self.walk_body(node.body)

    def options_quietly(self, options: nodes.Expression | None) -> None:
        """Options of a route, where சரம் is a type and no name."""
        before = len(self.reads)
        self.value_quietly(options)
        self.reads[before:] = [node for node in self.reads[before:] if node.text not in TEXT_TYPE]

    def check_respond(self, node: nodes.Respond) -> None:
        self.value_quietly(node.status)
        self.value_quietly(node.body)
        self.value_quietly(node.headers)

    def check_respond_json(self, node: nodes.RespondJson) -> None:
        self.value_quietly(node.value)
        self.value_quietly(node.status)

    def check_start_server(self, node: nodes.StartServer) -> None:
        self.value_quietly(node.host)
        self.value_quietly(node.port)

    def check_every(self, node: nodes.Every) -> None:
        self.value_quietly(node.seconds)
        self.walk_body(node.body)

    def check_on_stop(self, node: nodes.OnStop) -> None:
        if is_agent(self.scope.get(SELF[0])):
            self.walk_in(dict(self.scope), node.body)  # an agent's: its state is reached
        else:
            self.walk_body(node.body)

    def check_test(self, node: nodes.Test) -> None:
        self.value(node.name)
        self.walk_body(node.body)

    def check_agent(self, node: nodes.Agent) -> None:
        """The body runs first; the messages see what it declared, each in a copy."""
        name = node.name
        self._check_against_shape(name)
        if name.text in self.agents:
            self.report_twice(name, name.text, self.agents[name.text], "ஒரு முகவர்", "an agent")
        self.agents.setdefault(name.text, name.start)
        scope = {key: variable for key, variable in self.scope.items() if variable.fixed}
        for spelling in SELF:
            scope[spelling] = Itself(node.start, None, None, True)
        later = [one for one in node.body.statements if type(one) in _LATER_IN_AGENT]
        first = [one for one in node.body.statements if type(one) not in _LATER_IN_AGENT]
        self._check_messages_once(later)
        body = nodes.Block(node.body.start, node.body.end, [*first, *later])
        self.walk_function(name, node.parameters, None, body, scope)

    def _check_messages_once(self, statements: Iterable[nodes.Statement]) -> None:
        seen: dict[str, int] = {}
        for one in statements:
            if type(one) is nodes.Message:
                name = one.name
                if name.text in seen:
                    first = seen[name.text]
                    self.report_twice(name, name.text, first, "ஒரு செய்தி", "a message")
                seen.setdefault(name.text, name.start)

    def check_message(self, node: nodes.Message) -> None:
        """Names of the agent are reached, unless a parameter has the name."""
        scope = dict(self.scope)
        self.walk_function(node.name, node.parameters, node.result, node.body, scope)

    # ---- questions for the end --------------------------------------------------------

    def answer_questions(self) -> None:
        """What can be said only now, when every name of the program is known."""
        for node in self.unknown_literals:
            if node.name.text not in self.assigned:
                self.report_unknown_literal(node)
        options = OptionChecker(self.sources, self.hint)
        for use in self.option_uses:
            if use.word not in self.assigned and use.word not in self.functions:
                self.problems += options.problems_of(use)
        self._report_unassigned()
        if self.outline.has_routes:
            for start, end, name in self.request_reads:
                self.report(problems.PreludeReadsRequest(start, end, name=name))

    def _report_unassigned(self) -> None:
        known: Container[str] = _Union(self.assigned, self.functions, self.shapes)
        candidates = [*sorted(self.assigned), *self.functions, *self.shapes, *BUILTIN_OF]
        hints: dict[str, str | None] = {}
        for node in self.reads:
            name = node.text
            if name in known or is_known_anyway(name):
                continue
            if name not in hints:
                hints[name] = self.hint(name, candidates)
            start, end = node.start, node.end
            self.report(problems.NeverAssigned(start, end, name=name, suggestion=hints[name]))


class _Union:
    """Names of several collections, without a copy."""

    def __init__(self, *parts: Container[str]) -> None:
        self._parts = parts

    def __contains__(self, name: object) -> bool:
        return any([name in part for part in self._parts])


_LATER_IN_AGENT = frozenset({nodes.Message, nodes.OnStop})


def is_known_anyway(name: str) -> bool:
    """Whether a name means something in every program."""
    return name in BUILTIN_OF or name in RESPONSE_NAMES or name in NIL or is_of_request(name)
