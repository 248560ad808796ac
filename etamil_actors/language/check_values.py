"""The checker's half for expressions: what each is known as, and what is wrong in it.

``value`` of a node answers its ``Known`` or ``None`` for unknown (``check_types.py``), and reports
on the way: arguments that do not fit, shape literals, fields and methods. Chains that grow to
the left — ``a + b + c``, ``a.b().c`` — are walked by loops, so their length does not matter.

Whether a name exists at all can be said only when the whole program has been walked. Such
questions are put on lists here and answered at the end, in ``checker.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from etamil_actors.language import check_problems as problems
from etamil_actors.language import nodes
from etamil_actors.language.builtins import BUILTIN_OF, Builtin
from etamil_actors.language.check_options import NamedChannels, OptionUse
from etamil_actors.language.check_outline import Outline, Shape, Signature
from etamil_actors.language.check_types import (
    BOOLEAN,
    FUNCTION,
    NUMBER,
    RECORD,
    TEXT,
    Known,
    declared_words,
    fits,
    given_words,
    known_words,
    misfit,
    read_as,
)
from etamil_actors.language.jobs import may_consume
from etamil_actors.language.nearby import nearest
from etamil_actors.language.options import JOB_AT_TOP, OPTIONS_OF, Takes, canonical_option
from etamil_actors.language.problems import NotAllowedHere, Problem, did_you_mean
from etamil_actors.language.source import SourceMap

REQUEST_NAMES = frozenset(
    "request_method request_path request_body query_params headers path_params request_fields"
    " request_files".split()
)
"""What 2.0 sets before a request's handler runs (REFERENCE §19.3); ``param_…`` besides."""

REQUEST_WORDS = frozenset(BUILTIN_OF["_request"].spellings)
PARAMETER_PREFIX = "param_"

MOST_HINTS = 50


class Variable:
    """A name in a scope: what was declared for it, what is known when it is read, whether it is
    fixed, and where it was first bound. Never changed, only replaced: scopes share them."""

    __slots__ = ("declared", "fixed", "known", "start", "type")

    def __init__(
        self,
        start: int,
        type: nodes.TypeName | None = None,
        declared: Known | None = None,
        fixed: bool = False,
        known: Known | None = None,
    ) -> None:
        self.start = start
        self.type = type
        self.declared = declared
        self.fixed = fixed
        self.known = known or read_as(declared)


class Itself(Variable):
    """இது: the record of a method, or the agent."""

    __slots__ = ()


def is_agent(variable: Variable | None) -> bool:
    """Whether a name means the agent around."""
    return type(variable) is Itself and variable.known is None


Scope = dict[str, Variable]


class ValueChecker:
    """What is shared by all checks, and those of expressions."""

    def __init__(self, outline: Outline, sources: SourceMap) -> None:
        self.outline = outline
        self.functions = outline.functions
        self.shapes = outline.shapes
        self.sources = sources
        self.problems: list[Problem] = []
        self.scope: Scope = {}
        self.globals = self.scope
        self.assigned: set[str] = set()
        self.prelude = True
        self.repeats = 0
        """Loops, and blocks that a word may run again, around the place at hand."""
        self.statement: nodes.Statement | None = None
        """The statement of the top level that is being walked."""
        self.jobs: dict[str, int] = {}
        self.channels = NamedChannels()
        self.hints_left = MOST_HINTS
        # Calls inside file, database and HTTP statements are not judged (REFERENCE §10.3).
        self.quiet = False
        # Questions for the end:
        self.reads: list[nodes.Name | nodes.Identifier] = []
        self.request_reads: list[tuple[int, int, str]] = []
        self.option_uses: list[OptionUse] = []
        self.unknown_literals: list[nodes.ShapeLiteral] = []
        self._values: dict[type, Callable[[Any], Known | None]] = {
            nodes.Number: self.value_number,
            nodes.Text: self.value_text,
            nodes.Constant: self.value_constant,
            nodes.Name: self.value_name,
            nodes.RequestValue: self.value_request,
            nodes.Array: self.value_array,
            nodes.Record: self.value_record,
            nodes.ShapeLiteral: self.value_shape_literal,
            nodes.Lambda: self.value_lambda,
            nodes.Negate: self.value_negate,
            nodes.Not: self.value_not,
            nodes.Arithmetic: self.value_arithmetic,
            nodes.Comparison: self.value_comparison,
            nodes.Logical: self.value_logical,
            nodes.Index: self.value_postfix,
            nodes.Field: self.value_postfix,
            nodes.Unwrap: self.value_postfix,
            nodes.Call: self.value_call,
            nodes.MethodCall: self.value_postfix,
            nodes.TypeValue: self.value_type,
        }
        self._steps: dict[type, Callable[[Any, Known | None], Known | None]] = {
            nodes.Index: self.step_index,
            nodes.Field: self.step_field,
            nodes.Unwrap: self.step_unwrap,
            nodes.Call: self.step_call,
            nodes.MethodCall: self.step_method,
        }

    # ---- reporting --------------------------------------------------------------------

    def report(self, problem: Problem) -> None:
        self.problems.append(problem)

    def report_call(self, problem: Problem) -> None:
        """Report something about a call, where calls are judged."""
        if not self.quiet:
            self.problems.append(problem)

    def hint(self, word: str, candidates: Iterable[str]) -> str | None:
        """The suggestion of a near word. Comparing is slow, and nobody reads hundreds of them."""
        self.hints_left -= 1
        near = nearest(word, candidates) if self.hints_left >= 0 else None
        return did_you_mean(near) if near else None

    def place_words(self, position: int, seen_from: int) -> dict[str, str]:
        """Another place in words: its line, and its file when that is another one."""
        source = self.sources.find(position)
        line = source.line_of(position)
        if source is self.sources.find(seen_from):
            return {"place_ta": f"வரி {line}", "place": f"line {line}"}
        return {
            "place_ta": f"{source.name}, வரி {line}",
            "place": f"line {line} of {source.name}",
        }

    def report_misfit(
        self,
        name: nodes.Identifier,
        type: nodes.TypeName,
        declared: Known,
        value: nodes.Expression,
        given: Known,
    ) -> None:
        """Say that a value does not fit; a single element of an array is marked itself."""
        place = misfit(value, given, declared)[0] or name
        tamil, english = given_words(value, given, declared)
        words = {"given_ta": tamil, "given": english, "declared": declared_words(type)}
        self.report(problems.DoesNotFit(place.start, place.end, name=name.text, **words))

    # ---- simple values ----------------------------------------------------------------

    def value(self, node: nodes.Expression) -> Known | None:
        """What is known about an expression, after looking at all of it."""
        return self._values[type(node)](node)

    def value_number(self, node: nodes.Number) -> Known:
        return NUMBER

    def value_text(self, node: nodes.Text) -> Known:
        return TEXT

    def value_constant(self, node: nodes.Constant) -> Known | None:
        return None if node.value is None else BOOLEAN

    def value_name(self, node: nodes.Name) -> Known | None:
        variable = self.scope.get(node.text)
        if variable is not None:
            return variable.known
        self.read_unbound(node)
        return None

    def read_unbound(self, node: nodes.Name | nodes.Identifier) -> None:
        """Note the reading of a name that this scope has not bound so far."""
        name = node.text
        if name not in self.assigned:
            self.reads.append(node)
        if self.prelude and is_of_request(name):
            self.request_reads.append((node.start, node.end, name))

    def value_request(self, node: nodes.RequestValue) -> None:
        if self.prelude:
            self.request_reads.append((node.start, node.end, self.text_of(node)))

    def value_type(self, node: nodes.TypeValue) -> None:
        self.declared(node.type)

    def text_of(self, node: nodes.Node) -> str:
        """What the program wrote at a node."""
        source = self.sources.find(node.start)
        return source.text[node.start - source.base : node.end - source.base]

    def value_array(self, node: nodes.Array) -> Known:
        values = self._values
        return Known("Array", items=[values[type(item)](item) for item in node.items])

    def value_record(self, node: nodes.Record) -> Known:
        values = self._values
        for pair in node.pairs:
            values[type(pair.value)](pair.value)
        return RECORD

    def value_lambda(self, node: nodes.Lambda) -> Known:
        name = nodes.Identifier(node.start, node.body.start, "செயல்")
        own = {parameter.name.text for parameter in node.parameters}
        agent = {word: one for word, one in self.scope.items() if is_agent(one) and word not in own}
        self.walk_function(name, node.parameters, node.result, node.body, agent)
        return FUNCTION

    # ---- operators --------------------------------------------------------------------

    def value_negate(self, node: nodes.Negate) -> Known:
        self.value(node.operand)
        return NUMBER

    def value_not(self, node: nodes.Not) -> Known:
        operand = node.operand
        while type(operand) is nodes.Not:
            operand = operand.operand
        self.value(operand)
        return BOOLEAN

    def value_arithmetic(self, node: nodes.Arithmetic) -> Known:
        known = TEXT if node.operator == "&" else NUMBER
        self._walk_operands(node)
        return known

    def value_logical(self, node: nodes.Logical) -> Known:
        self._walk_operands(node)
        return BOOLEAN

    def _walk_operands(self, node: nodes.Expression) -> None:
        values = self._values
        while type(node) is nodes.Arithmetic or type(node) is nodes.Logical:
            values[type(node.right)](node.right)
            node = node.left
        values[type(node)](node)

    def value_comparison(self, node: nodes.Comparison) -> Known:
        values = self._values
        for operand in node.operands:
            values[type(operand)](operand)
        return BOOLEAN

    # ---- chains of postfixes ----------------------------------------------------------

    def value_postfix(self, node: nodes.Expression) -> Known | None:
        """An element, field, method, ``?`` or call: the chain is walked from its first link."""
        steps = self._steps
        links: list[Any] = []
        link: Any = node
        while type(link) in steps and not self._is_named_call(link):
            links.append(link)
            link = link.callee if type(link) is nodes.Call else link.target
        if links and type(link) is nodes.Name and self._stands_for_more(link, links[-1]):
            known = self._value_of_word(link, links.pop())
        else:
            known = self.value(link)
        for one in reversed(links):
            known = steps[type(one)](one, known)
        return known

    def _is_named_call(self, link: nodes.Expression) -> bool:
        return type(link) is nodes.Call and type(link.callee) is nodes.Name

    def _stands_for_more(self, name: nodes.Name, link: nodes.Expression) -> bool:
        """Whether a name before a dot is a shape, or one word with what follows."""
        if name.text in self.scope or name.text in self.globals:
            return False
        if type(link) is nodes.MethodCall or type(link) is nodes.Field:
            return name.text in self.shapes or _dotted(name, link) is not None
        return False

    def _value_of_word(self, name: nodes.Name, link: nodes.MethodCall | nodes.Field) -> Known | None:
        shape = self.shapes.get(name.text)
        if shape is not None and type(link) is nodes.MethodCall:
            return self.call_of_shape(shape, link)
        if shape is not None:
            self.report(self._unreadable(shape, link.name))
            return None
        builtin = _dotted(name, link)
        assert builtin is not None, "a name before a dot stands for a shape or a builtin"
        if type(link) is nodes.MethodCall:
            self._call_dotted(builtin, link)
        return None

    def _call_dotted(self, builtin: Builtin, node: nodes.MethodCall) -> None:
        """``server.on(…)`` and its like are one word."""
        self._walk_arguments(node)
        word = f"{self.text_of(node.target)}.{node.name.text}"
        if builtin.english == "_onRequest":
            self.outline.has_routes = True
            if not self.prelude:
                self.report(_only_at_top(node.name, word, *_ROUTES_AT_TOP))
        self._note_options(builtin, word, node)
        self._walk_block(node, builtin)

    def step_index(self, node: nodes.Index, known: Known | None) -> None:
        self.value(node.index)

    def step_unwrap(self, node: nodes.Unwrap, known: Known | None) -> None:
        return None

    def step_call(self, node: nodes.Call, known: Known | None) -> None:
        self._walk_arguments(node)
        self._walk_block(node, None)

    def step_field(self, node: nodes.Field, known: Known | None) -> Known | None:
        shape = self._shape_of(known)
        if shape is None:
            return None
        name = node.name.text
        if name not in shape.fields:
            self.report(self._unreadable(shape, node.name))
            return None
        return read_as(shape.types[name])

    def _shape_of(self, known: Known | None) -> Shape | None:
        return self.shapes[known.name] if known is not None and known.kind == "Shape" else None

    def _unreadable(self, shape: Shape, name: nodes.Identifier) -> Problem:
        """Why this is no field of the shape that could be read or set."""
        kind = problems.MethodNotCalled if name.text in shape.methods else problems.UnknownField
        near = None if name.text in shape.methods else self.hint(name.text, shape.fields)
        return kind(name.start, name.end, name=name.text, shape=shape.known.name, suggestion=near)

    # ---- methods ----------------------------------------------------------------------

    def step_method(self, node: nodes.MethodCall, known: Known | None) -> Known | None:
        given = self._walk_arguments(node)
        self._walk_block(node, None)
        shape = self._shape_of(known)
        if shape is None:
            return None
        method = shape.methods.get(node.name.text)
        if method is None:
            self._call_field(shape, node.name)
            return None
        signature = shape.signatures[node.name.text]
        if method.takes_self:
            self._check_arguments(signature, node, given, 1)
        else:
            words = {"name": node.name.text, "shape": shape.known.name}
            self.report_call(problems.MethodWithoutSelf(node.name.start, node.name.end, **words))
        return signature.known

    def _call_field(self, shape: Shape, name: nodes.Identifier) -> None:
        """``record.name(…)`` where the shape has no such method: a field may hold a function."""
        field = shape.fields.get(name.text)
        if field is None and name.text != "get":
            self.report_call(self._no_method(shape, name))
        elif field is not None and field.type is not None and field.type.kind != "Function":
            declared = declared_words(field.type)
            words = {
                "why_ta": f"{declared} வகைப் புலம்; அது வழிமுறை அல்ல",
                "why": f"is a field of the type {declared}, not a method,",
            }
            self.report_call(
                problems.UnknownMethod(name.start, name.end, name=name.text, shape=shape.known.name, **words)
            )

    def _no_method(self, shape: Shape, name: nodes.Identifier) -> Problem:
        return problems.UnknownMethod(
            name.start,
            name.end,
            name=name.text,
            shape=shape.known.name,
            why_ta="என்ற வழிமுறை இல்லை",
            why="is no method",
            suggestion=self.hint(name.text, [*shape.methods, *shape.fields]),
        )

    def call_of_shape(self, shape: Shape, node: nodes.MethodCall) -> Known | None:
        """``Shape.method(…)``; one that takes இது gets the record as its first argument."""
        given = self._walk_arguments(node)
        self._walk_block(node, None)
        signature = shape.signatures.get(node.name.text)
        if signature is None:
            self.report_call(self._no_method(shape, node.name))
            return None
        self._check_arguments(signature, node, given, 0)
        return signature.known

    # ---- calls ------------------------------------------------------------------------

    def value_call(self, node: nodes.Call) -> Known | None:
        if type(node.callee) is not nodes.Name:
            return self.value_postfix(node)
        name = node.callee.text
        given = self._walk_arguments(node)
        if self.may_hold_function(name):
            self._walk_block(node, None)
            return None
        signature = self.functions.get(name)
        if signature is not None:
            self._walk_block(node, None)
            self._check_arguments(signature, node, given, 0)
            return signature.known
        if name in self.shapes:
            self._walk_block(node, None)
            if len(given) != 1:
                start, end = node.callee.start, node.callee.end
                self.report_call(problems.ConversionArguments(start, end, name=name, given=len(given)))
            return None
        builtin = BUILTIN_OF.get(name)
        if builtin is None:
            self.read_unbound(node.callee)
        else:
            self._note_options(builtin, name, node)
        self._walk_block(node, builtin)
        return None

    def may_hold_function(self, name: str) -> bool:
        """Whether a variable comes before the function or builtin of this name in a call."""
        variable = self.scope.get(name) or self.globals.get(name)
        return variable is not None and (variable.known is None or variable.known.kind == "Function")

    def _walk_arguments(self, node: nodes.Call | nodes.MethodCall) -> list[Known | None]:
        values = self._values
        given = [values[type(argument)](argument) for argument in node.arguments]
        if node.options is not None:
            given.append(self.value_record(node.options))
        return given

    def _check_arguments(
        self,
        signature: Signature,
        node: nodes.Expression,
        given: Sequence[Known | None],
        first: int,
    ) -> None:
        """Report arguments that do not fit. ``first`` is the parameter of the first argument."""
        for index, (known, declared) in enumerate(zip(given, signature.declared[first:], strict=False)):
            if not fits(known, declared):
                assert known and declared, "what is unknown fits"
                words = given_words(_argument(node, index), known, declared)
                self._report_argument(signature, node, first + index, declared, words)

    def _report_argument(
        self,
        signature: Signature,
        node: nodes.Expression,
        index: int,
        declared: Known,
        given: tuple[str, str],
    ) -> None:
        parameter = signature.parameters[index]
        name = parameter.name
        # இது has no written type; it is of the shape.
        shape = nodes.TypeName(name.start, name.end, "Shape", declared.name, declared.name)
        self.report_call(
            problems.ArgumentDoesNotFit(
                name.start,
                name.end,
                name=name.text,
                function=signature.name.text,
                declared=declared_words(parameter.type or shape),
                given_ta=given[0],
                given=given[1],
                **self.place_words(node.start, name.start),
            )
        )

    def _note_options(self, builtin: Builtin, word: str, node: nodes.Call | nodes.MethodCall) -> None:
        takes = OPTIONS_OF.get(builtin.english)
        if takes is None:
            return
        declared = builtin.english == "_job" and self.prelude and not self.repeats
        for record in [*node.arguments[takes.first :], node.options]:
            if type(record) is nodes.Record:
                use = OptionUse(word, record, takes, builtin.english, declared)
                self.option_uses.append(use)
                if builtin.english == "_job" and not declared:
                    self._refuse_at_work(record, takes)
                if builtin.english == "_channel" and type(node.arguments[0]) is nodes.Text:
                    name = node.arguments[0].value
                    self.problems += self.channels.differences(name, use, self.place_words)

    def _refuse_at_work(self, record: nodes.Record, takes: Takes) -> None:
        for pair in record.pairs:
            if canonical_option(pair.key.text, takes.names) in JOB_AT_TOP:
                self.report(_only_at_top(pair.key, pair.key.text, *_OPTION_AT_TOP))

    def _walk_block(self, node: nodes.Call | nodes.MethodCall, builtin: Builtin | None) -> None:
        """The block or body behind a call: a block runs in this scope, a body later."""
        if node.block is None:
            return
        brings = builtin.brings.split() if builtin is not None else []
        if builtin is not None and builtin.takes == "body":
            self._note_job(node)
            consumes = type(node) is nodes.Call and self.prelude and not self.repeats and may_consume(node)
            self.walk_body(node.block, brings if consumes else [])
        else:
            for name in brings:
                self.bind(nodes.Identifier(node.block.start, node.block.start + 1, name))
            self.walk_repeated(node.block)

    def _note_job(self, node: nodes.Call | nodes.MethodCall) -> None:
        """A job declared at the top level has a name of its own."""
        name = node.arguments[0] if node.arguments else None
        if type(name) is not nodes.Text or not _is_statement(node, self.statement):
            return
        if name.value in self.jobs:
            self.report_twice(name, name.value, self.jobs[name.value], "ஒரு பணி", "a job")
        self.jobs.setdefault(name.value, name.start)

    def report_twice(self, node: nodes.Node, name: str, first: int, what_ta: str, what: str) -> None:
        """Say that a job, agent or message of this name exists."""
        words = {"name": name, "what_ta": what_ta, "what": what}
        places = self.place_words(first, node.start)
        self.report(problems.DeclaredTwice(node.start, node.end, **words, **places))

    # ---- shape literals ---------------------------------------------------------------

    def value_shape_literal(self, node: nodes.ShapeLiteral) -> Known | None:
        shape = self.shapes.get(node.name.text)
        if shape is None:
            return self._call_with_record(node)
        given: set[str] = set()
        for pair in node.pairs:
            known = self.value(pair.value)
            if pair.key.text in given:
                start, end = pair.key.start, pair.key.end
                self.report(problems.FieldTwice(start, end, name=pair.key.text))
            else:
                given.add(pair.key.text)
                self._check_filler(shape, pair, known)
        if node.base is not None:
            self._check_base(shape, node.base)
        else:
            self._check_complete(shape, node, given)
        return shape.known

    def _check_filler(self, shape: Shape, pair: nodes.Pair, known: Known | None) -> None:
        key = pair.key
        field = shape.fields.get(key.text)
        if field is None:
            near = self.hint(key.text, shape.fields)
            words = {"name": key.text, "shape": shape.known.name}
            self.report(problems.UnknownFieldInLiteral(key.start, key.end, suggestion=near, **words))
            return
        declared = shape.types[key.text]
        if not fits(known, declared):
            assert known and declared and field.type, "what is unknown fits"
            self.report_misfit(key, field.type, declared, pair.value, known)

    def _check_base(self, shape: Shape, base: nodes.Expression) -> None:
        known = self.value(base)
        if known is not None and (known.kind, known.name) != ("Shape", shape.known.name):
            tamil, english = known_words(known)
            words = {"shape": shape.known.name, "given_ta": tamil, "given": english}
            self.report(problems.BaseOfAnotherShape(base.start, base.end, **words))

    def _check_complete(self, shape: Shape, node: nodes.ShapeLiteral, given: set[str]) -> None:
        missing = [
            f"‘{name}’"
            for name, field in shape.fields.items()
            if name not in given and not (field.type is not None and field.type.optional)
        ]
        if missing:
            words = {"shape": shape.known.name, "fields": ", ".join(missing)}
            self.report(problems.FieldsMissing(node.name.start, node.name.end, **words))

    def _call_with_record(self, node: nodes.ShapeLiteral) -> Known | None:
        """``name{…}`` where no shape has the name: a call with a record (EXTENSIONS §2)."""
        record = nodes.Record(node.name.end, node.end, node.pairs)
        self.value_record(record)
        if node.base is not None:
            self.value(node.base)
        name = node.name.text
        if node.base is not None:
            self.report_unknown_literal(node)
        elif self.may_hold_function(name):
            return None
        elif name in self.functions:
            self._check_arguments(self.functions[name], node, [RECORD], 0)
            return self.functions[name].known
        elif name in BUILTIN_OF:
            takes = OPTIONS_OF.get(BUILTIN_OF[name].english)
            if takes is not None:
                self.option_uses.append(OptionUse(name, record, takes, BUILTIN_OF[name].english))
        else:
            self.unknown_literals.append(node)
        return None

    def report_unknown_literal(self, node: nodes.ShapeLiteral) -> None:
        """Say that the name before the braces means nothing."""
        name = node.name
        near = self.hint(name.text, [*self.shapes, *self.functions])
        self.report(problems.UnknownLiteral(name.start, name.end, name=name.text, suggestion=near))

    # ---- what the statements' half does -----------------------------------------------

    def declared(self, type: nodes.TypeName | None) -> Known | None:
        """What a written type declares. A type that names no shape is reported."""
        raise NotImplementedError

    def bind(self, name: nodes.Identifier) -> None:
        """A name gets a value nothing is known about."""
        raise NotImplementedError

    def walk_block(self, block: nodes.Block) -> None:
        """Check the statements of a block in the scope at hand."""
        raise NotImplementedError

    def walk_repeated(self, block: nodes.Block) -> None:
        """Check a block that may run more than once."""
        self.repeats += 1
        self.walk_block(block)
        self.repeats -= 1

    def walk_body(self, block: nodes.Block, brings: Sequence[str] = ()) -> None:
        """Check what runs later, in a machine of its own."""
        raise NotImplementedError

    def walk_function(
        self,
        name: nodes.Identifier,
        parameters: Sequence[nodes.Parameter],
        result: nodes.TypeName | None,
        body: nodes.Block,
        scope: Scope,
    ) -> None:
        """Check the body of a function, of which ``scope`` and the parameters are known."""
        raise NotImplementedError


def is_of_request(name: str) -> bool:
    """Whether 2.0 or the runtime sets this name for each request."""
    return name in REQUEST_NAMES or name in REQUEST_WORDS or name.startswith(PARAMETER_PREFIX)


_ROUTES_AT_TOP = (
    "வழிகள் நிரலின் மேல்நிலையில் மட்டுமே அறிவிக்கப்படும்",
    "routes are declared only at the top level of the program",
)
_OPTION_AT_TOP = (
    "இந்த விருப்பம் மேல்நிலையில் அறிவிக்கப்படும் பணிக்கு மட்டுமே உரியது",
    "only a job that is declared at the top level has this option",
)


def _argument(call: nodes.Expression, index: int) -> nodes.Expression:
    """An argument of a call; the call itself stands for a record written behind it."""
    if type(call) is nodes.Call or type(call) is nodes.MethodCall:
        return call.arguments[index] if index < len(call.arguments) else call
    return call


def _only_at_top(node: nodes.Node, found: str, tamil: str, english: str) -> Problem:
    return NotAllowedHere(node.start, node.end, found=found, reason_ta=tamil, reason_en=english)


def _dotted(name: nodes.Name, link: nodes.MethodCall | nodes.Field) -> Builtin | None:
    return BUILTIN_OF.get(f"{name.text}.{link.name.text}")


def _is_statement(node: nodes.Expression, statement: nodes.Statement | None) -> bool:
    """Whether a call is all of a statement, or all that it stores."""
    if type(statement) is nodes.Do:
        return statement.call is node
    return type(statement) is nodes.Binding and statement.value is node
