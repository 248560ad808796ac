"""Tokens into a tree: every construct, what is refused and where, and that nothing else can happen."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import pytest

from etamil_actors.language import nodes
from etamil_actors.language.lexer import lex
from etamil_actors.language.parse_cursor import MAX_DEPTH
from etamil_actors.language.parser import parse, parse_expression
from etamil_actors.language.problems import Problem, render
from etamil_actors.language.source import Source, SourceMap

FOUNDING = sorted((Path(__file__).parents[1] / "golden" / "founding").glob("*.qmz"))


def show(value: object) -> str:
    """A tree in one line: the name of each node and its parts, in the order of its constructor."""
    match value:
        case nodes.Identifier(text=text):
            return text
        case nodes.Name(text=text):
            return text
        case nodes.Number(value=number, percent=percent):
            return f"{number}%" if percent else str(number)
        case nodes.Text(value=text):
            return f'"{text}"'
        case nodes.Constant(value=constant):
            return str(constant)
        case nodes.Pair(key=key, value=inner):
            return f"{key.text}: {show(inner)}"
        case nodes.Block(statements=statements):
            return "{" + " ".join(map(show, statements)) + "}"
        case nodes.Array(items=items):
            return show(items)
        case nodes.Record(pairs=pairs):
            return "{" + ", ".join(map(show, pairs)) + "}"
        case nodes.Arithmetic() | nodes.Logical():
            return f"({show(value.left)} {value.operator} {show(value.right)})"
        case nodes.TypeName(kind=kind, name=name, element=element, optional=optional):
            shown = f"<{show(element)}>" if element else ""
            return (name or kind) + shown + "?" * optional
        case nodes.Do(call=call):
            return show(call) + ";"
        case list():
            return "[" + ", ".join(map(show, value)) + "]"
        case nodes.Node():
            code = type(value).__init__.__code__
            names = code.co_varnames[3 : code.co_argcount]
            return type(value).__name__ + "(" + ", ".join(show(getattr(value, name)) for name in names) + ")"
        case str():
            return f"‘{value}’"
        case _:
            return {None: "–", True: "yes", False: "no"}.get(value, str(value))  # type: ignore[call-overload]


def parsed(text: str) -> tuple[nodes.Module, list[Problem], SourceMap]:
    sources = SourceMap()
    source = sources.add("a.qmz", text)
    tokens, problems = lex(source)
    assert not [problem for problem in problems if problem.severity == "error"]
    module, problems = parse(tokens, source)
    return module, problems, sources


def tree(text: str) -> str:
    module, problems, sources = parsed(text)
    assert not problems, [render(problem, sources) for problem in problems]
    return "\n".join(map(show, module.statements))


def value(text: str) -> str:
    """The tree of one expression."""
    return tree(f"x = {text};").removeprefix("Binding(x, –, ").removesuffix(", no)")


def codes(text: str) -> list[str]:
    return [problem.code for problem in parsed(text)[1]]


def places(text: str) -> list[str]:
    """What is reported, as ``code line:column`` with columns as a reader counts."""
    _, problems, sources = parsed(text)
    found = []
    for problem in problems:
        place = sources.find(problem.start).place(problem.start)
        found.append(f"{problem.code} {place.line}:{place.column}")
    return found


def messages(text: str) -> list[str]:
    _, problems, sources = parsed(text)
    return [render(problem, sources) for problem in problems]


# ---- expressions ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", "1"),
        ("18%", "0.18%"),
        ('"அ"', '"அ"'),
        ("மெய்", "True"),
        ("_false", "False"),
        ("இன்மை", "None"),
        ("nil", "None"),
        ("கோரிக்கை", "RequestValue()"),
        ("_request.json", "Field(RequestValue(), json)"),
        ("பதிவு", "பதிவு"),
        ("a + b * c - d", "((a + (b * c)) - d)"),
        ("a & b + c & d", "(((a & b) + c) & d)"),
        ("a / b / c", "((a / b) / c)"),
        ("(a + b) * c", "((a + b) * c)"),
        ("-2 * 3", "(Negate(2) * 3)"),
        ("-a[0]", "Negate(Index(a, 0))"),
        ("-a.b()", "Negate(MethodCall(a, b, [], –, –))"),
        ("a - -b", "(a - Negate(b))"),
        ("a அல்லது b மற்றும் c", "(a or (b and c))"),
        ("a மற்றும் b அல்லது c மற்றும் d", "((a and b) or (c and d))"),
        ("இல்லை a > b", "Not(Comparison([a, b], [‘>’]))"),
        ("இல்லை a மற்றும் b", "(Not(a) and b)"),
        ("இல்லை இல்லை a", "Not(Not(a))"),
        ('"விடை " & இல்லை a & "!"', '(("விடை " & Not(a)) & "!")'),
        ("a == இல்லை b", "Comparison([a, Not(b)], [‘==’])"),
        ("1 <= ந <= 12", "Comparison([1, ந, 12], [‘<=’, ‘<=’])"),
        ("a < b.c[0] >= 5% != -1 == (x) > nil", "Comparison([a, Index(Field(b, c), 0), 0.05%, Negate(1), x, None], "
         "[‘<’, ‘>=’, ‘!=’, ‘==’, ‘>’])"),
        ("a + 1 < b * 2", "Comparison([(a + 1), (b * 2)], [‘<’])"),
        ("f(1)[0].a?(2)", "Call(Unwrap(Field(Index(Call(f, [1], –, –, no), 0), a)), [2], –, –, no)"),
        ("உருவாக்கு(3)(4)", "Call(Call(உருவாக்கு, [3], –, –, no), [4], –, –, no)"),
        ("(தேர்ந்தது)(x)", "Call(தேர்ந்தது, [x], –, –, no)"),
        ('r."வரிசை"', "Field(r, வரிசை)"),
        ("[]", "[]"),
        ("[1, [2, 3]]", "[1, [2, 3]]"),
        ("[1, ]", "[1]"),
        ("{}", "{}"),
        ('{a: 1, "வரிசை": {b: 2}, }', "{a: 1, வரிசை: {b: 2}}"),
        ("{a: 1, a: 2}", "{a: 1, a: 2}"),
        ("புள்ளி{x: 1, y: 2}", "ShapeLiteral(புள்ளி, [x: 1, y: 2], –)"),
        ("புள்ளி{x: 1, ..ப, }", "ShapeLiteral(புள்ளி, [x: 1], ப)"),
        ("புள்ளி{..ப}", "ShapeLiteral(புள்ளி, [], ப)"),
        ("புள்ளி{}", "ShapeLiteral(புள்ளி, [], –)"),
        ("செயல்(a, எண் b) எண் { திரும்பு a; }",
         "Lambda([Parameter(a, –, no), Parameter(b, Number, no)], Number, {Return(a)})"),
        ("செயல்() { }(4)", "Call(Lambda([], –, {}), [4], –, –, no)"),
        ("f({a: 1})", "Call(f, [{a: 1}], –, –, no)"),
        ("f() {a: 1}", "Call(f, [], {a: 1}, –, no)"),
        ("f(1) {}", "Call(f, [1], {}, –, no)"),
        ("c.f(1) {a: 1}.b", "Field(MethodCall(c, f, [1], {a: 1}, –), b)"),
        ("r.get(k, 1)", "MethodCall(r, get, [k, 1], –, –)"),
        ("காலவரம்பு(5) { y = 1; }", "Call(காலவரம்பு, [5], –, {Binding(y, –, 1, no)}, no)"),
        ("பூட்டு_பிடி(l) {}", "Call(பூட்டு_பிடி, [l], –, {}, no)"),
        ("தடம்(1) { f(); }?", "Unwrap(Call(தடம், [1], –, {Call(f, [], –, –, no);}, no))"),
    ],
)  # fmt: skip
def test_an_expression(text: str, expected: str) -> None:
    assert value(text) == expected


@pytest.mark.parametrize("middle", ["f()", "a + 1", "a.f()", "இல்லை a", "[1]", "-a", "a[f()]", "a?"])
def test_the_middle_of_a_chain_must_be_repeatable(middle: str) -> None:
    assert codes(f"x = 1 < {middle} < 3;") == ["E0207"]
    assert codes(f"x = {middle} < 1 < {middle};") == []


@pytest.mark.parametrize("operator", ["+", "<", "மற்றும்", "அல்லது", "==", "&"])
def test_a_long_chain_is_not_deep(operator: str) -> None:
    assert codes("x = 1" + f" {operator} 1" * 10_000 + ";") == []


@pytest.mark.parametrize("postfix", [".b", "[0]", "()", "?", ".f()"])
def test_a_long_chain_of_postfixes_is_not_deep(postfix: str) -> None:
    assert codes("x = a" + postfix * 10_000 + ";") == []


def test_one_expression_for_the_shell() -> None:
    for text in ("1 + x", "1 + x;"):
        source = Source("a", text)
        expression, problems = parse_expression(lex(source)[0], source)
        assert (show(expression), problems) == ("(1 + x)", [])
    source = Source("a", "x = 1;")
    expression, (problem,) = parse_expression(lex(source)[0], source)
    assert (expression, problem.code) == (None, "E0201")


# ---- statements -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # bindings
        ("x = 1;", "Binding(x, –, 1, no)"),
        ("x;", "Binding(x, –, –, no)"),
        ("எண் x = 1;", "Binding(x, Number, 1, no)"),
        ("_text x;", "Binding(x, Text, –, no)"),
        ("தேதி நாள்;", "Binding(நாள், Date, –, no)"),
        ("புள்ளி ப = q;", "Binding(ப, புள்ளி, q, no)"),
        ("புள்ளி ப;", "Binding(ப, புள்ளி, –, no)"),
        ("செயல் f = தரை;", "Binding(f, Function, தரை, no)"),
        ("செயல் f;", "Binding(f, Function, –, no)"),
        ("x: எண் = 1;", "Binding(x, Number, 1, no)"),
        ("x: புள்ளி = y;", "Binding(x, புள்ளி, y, no)"),
        ("x: அணி<பொருள்<எண்>> = [];", "Binding(x, Array<Record<Number>>, [], no)"),
        ("x: அணி<எண்>= [];", "Binding(x, Array<Number>, [], no)"),
        ("அணி<பயனர்> x = [];", "Binding(x, Array<பயனர்>, [], no)"),
        ("நிலை x = 1;", "Binding(x, –, 1, yes)"),
        ("நிலை எண் x = 1;", "Binding(x, Number, 1, yes)"),
        ("_const புள்ளி x = 1;", "Binding(x, புள்ளி, 1, yes)"),
        ("நிலை செயல் f = தரை;", "Binding(f, Function, தரை, yes)"),
        ("நிலை x: எண் = 1;", "Binding(x, Number, 1, yes)"),
        ("நிலை நிலை = 1;", "Binding(நிலை, –, 1, yes)"),
        ("நிலை = 1;", "Binding(நிலை, –, 1, no)"),
        ("நிலை: எண் = 1;", "Binding(நிலை, Number, 1, no)"),
        ("வடிவம் = 1;", "Binding(வடிவம், –, 1, no)"),
        ("கணக்கு = 1;", "Binding(கணக்கு, –, 1, no)"),
        ("a[0] = 1;", "SetIndex(a, 0, 1)"),
        ('a["b" & c] = 1;', 'SetIndex(a, ("b" & c), 1)'),
        ("r.x = 1;", "SetField(r, x, 1)"),
        ('r."வரிசை" = 1;', "SetField(r, வரிசை, 1)"),
        # calls
        ("f();", "Call(f, [], –, –, no);"),
        ("f(1)?;", "Unwrap(Call(f, [1], –, –, no));"),
        ("f().g(2)[0];", "Index(MethodCall(Call(f, [], –, –, no), g, [2], –, –), 0);"),
        ("r.f(1);", "MethodCall(r, f, [1], –, –);"),
        ('r."f"();', "MethodCall(r, f, [], –, –);"),
        ("வகை f(x);", "Call(f, [x], –, –, no);"),
        ('மெட்ரிக்_எண் "orders", 1;', 'Call(மெட்ரிக்_எண், ["orders", 1], –, –, yes);'),
        ("f 12;", "Call(f, [12], –, –, yes);"),
        ('f "a", x {k: 1};', 'Call(f, ["a", x], {k: 1}, –, yes);'),
        ("f {a: 1};", "ShapeLiteral(f, [a: 1], –);"),
        ("f(1) {a: 1};", "Call(f, [1], {a: 1}, –, no);"),
        ("காலவரம்பு(5) { }", "Call(காலவரம்பு, [5], –, {}, no);"),
        ("காலவரம்பு(5) { x: எண் = 5; }", "Call(காலவரம்பு, [5], –, {Binding(x, Number, 5, no)}, no);"),
        ("காலவரம்பு(5) { x: அணி<எண்>= y; }", "Call(காலவரம்பு, [5], –, {Binding(x, Array<Number>, y, no)}, no);"),
        # functions and shapes
        ("செயல் f() { }", "Function(f, [], –, {}, no, no)"),
        ("செயல் f(a, எண் b, c: சரம், நிலை d, நிலை எண் e, புள்ளி g, செயல் h, நிலை) செயல் { திரும்பு; }",
         "Function(f, [Parameter(a, –, no), Parameter(b, Number, no), Parameter(c, Text, no), Parameter(d, –, yes), "
         "Parameter(e, Number, yes), Parameter(g, புள்ளி, no), Parameter(h, Function, no), Parameter(நிலை, –, no)], "
         "Function, {Return(–)}, no, no)"),
        ("செயல் f() புள்ளி { }", "Function(f, [], புள்ளி, {}, no, no)"),
        ("செயல் f() அணி<எண்> { }", "Function(f, [], Array<Number>, {}, no, no)"),
        ('செயல் "f g"() { }', "Function(f g, [], –, {}, no, no)"),
        ("பணி f(x) எண் { }", "Function(f, [Parameter(x, –, no)], Number, {}, yes, no)"),
        ("_task f() { }", "Function(f, [], –, {}, yes, no)"),
        ("कार्य f() { };", "Function(f, [], –, {}, no, no)\nEmpty()"),
        ("வடிவம் ப { எண் x, y, சொல் z }",
         "Shape(ப, [ShapeField(x, Number), ShapeField(y, –), ShapeField(z, Text)], [])"),
        ("வடிவம் ப { }", "Shape(ப, [], [])"),
        ("வடிவம் ப { x: எண்?, y: புள்ளி, புள்ளி z, எண்? w, }",
         "Shape(ப, [ShapeField(x, Number?), ShapeField(y, புள்ளி), ShapeField(z, புள்ளி), ShapeField(w, Number?)], [])"),
        ("_shape ப { செயல் f, செயல் m(இது, எண் n) எண் { } செயல் new() { } x }",
         "Shape(ப, [ShapeField(f, Function), ShapeField(x, –)], [Function(m, [Parameter(இது, –, no), "
         "Parameter(n, Number, no)], Number, {}, no, yes), Function(new, [], –, {}, no, no)])"),
        ("தரம் பயனர் { id: எண், பெயர்: சரம் };",
         "Shape(பயனர், [ShapeField(id, Number), ShapeField(பெயர், Text)], [])\nEmpty()"),
        # control
        ('இறக்கு "a/b.qmz";', 'Import("a/b.qmz")'),
        ("திரும்பு;", "Return(–)"),
        ("திரும்பு 1;", "Return(1)"),
        ("return f(1);", "Return(Call(f, [1], –, –, no))"),
        ("return [1];", "Return([1])"),
        ("return;", "Return(–)"),
        ("(a) எனில் { }", "If(a, {}, –)"),
        ("(a) எனில் { } இன்றேல் { f(); }", "If(a, {}, {Call(f, [], –, –, no);})"),
        ("(a) எனில் { } இன்றேல் (b) எனில் { } இன்றேல் (c) _if { } இன்றேல் { }",
         "If(a, {}, {If(b, {}, {If(c, {}, {})})})"),
        ("यदि a == nil { } இன்றேல் { };", "If(Comparison([a, None], [‘==’]), {}, {})\nEmpty()"),
        ("यदि f(a) { }", "If(Call(f, [a], –, –, no), {}, –)"),
        ("(a > 1) சுற்று { }", "While(Comparison([a, 1], [‘>’]), {})"),
        ("(மெய்) சுற்று { நிறுத்து; தொடர்; }", "While(True, {Break() Continue()})"),
        ("ஒவ்வொரு x இல் xs { }", "Each(x, xs, {})"),
        ('ஒவ்வொரு "x" இல் f(y) { }', "Each(x, Call(f, [y], –, –, no), {})"),
        ("ஒவ்வொரு x இல் [ப{a: 1}] { }", "Each(x, [ShapeLiteral(ப, [a: 1], –)], {})"),
        ("ஒவ்வொரு x இல் (f(1) {a: 1}) { }", "Each(x, Call(f, [1], {a: 1}, –, no), {})"),
        ("ஒவ்வொரு x இல் {a: 1} { }", "Each(x, {a: 1}, {})"),
        (";", "Empty()"),
        # console, files, databases
        ("அச்சு 1;", "Print(1)"),
        ("உள்ளிடு x;", "Input(x)"),
        ("உள்ளிடு x.y;", "Input(–)"),
        ('கோப்பு_திற "a", "WRITE";', 'FileOpen("a", ‘write’)'),
        ('கோப்பு_திற "a", Append;', 'FileOpen("a", ‘append’)'),
        ('கோப்பு_திற "a";', 'FileOpen("a", ‘read’)'),
        ('கோப்பு_மூடு "a";', 'FileClose("a")'),
        ('கோப்பு_படி "a", v;', 'FileRead("a", v, no)'),
        ('தரவுரை_படி "a", v;', 'FileRead("a", v, yes)'),
        ('கோப்பு_எழுது "a", d;', 'FileWrite("a", d)'),
        ('தரவுரை_எழுது "a", d;', 'FileWrite("a", d)'),
        ('தளம்_இணை SQL, "a.db";', 'DbConnect(‘SQL’, "a.db", –)'),
        ('தளம்_இணை போச்குரசீகுல், "u", கணக்கு;', 'DbConnect(‘PostgreSQL’, "u", ‘Account’)'),
        ('தளம்_இணை _SQLite, "u", kaNakku;', 'DbConnect(‘SQLite’, "u", ‘Account’)'),
        ("தளம்_பிரி வரிசை;", "DbDisconnect(‘OrderBy’)"),
        ("தளம்_வினா s, [1], v;", "DbQuery(s, [1], v, –)"),
        ('தளம்_வினா s, [], "v", என்_தளம்;', "DbQuery(s, [], v, ‘என்_தளம்’)"),
        ("தளம்_செய் s, [], h;", "DbExecute(s, [], ‘h’)"),
        ("தளம்_செருக t, {a: 1};", "NotImplementedStatement(‘தளம்_செருக’)"),
        ("தளம்_புதுப்பி t, {a: 1}, x == 1;", "NotImplementedStatement(‘தளம்_புதுப்பி’)"),
        ("தளம்_நீக்கு t, x;", "NotImplementedStatement(‘தளம்_நீக்கு’)"),
        ("அட்டை_ஆக்கு t, x;", "NotImplementedStatement(‘அட்டை_ஆக்கு’)"),
        ("தேர்வெடு a, b இதனில் t விதி x == 1;", "NotImplementedStatement(‘தேர்வெடு’)"),
        ("வழங்கி_நிறுத்து;", "NotImplementedStatement(‘வழங்கி_நிறுத்து’)"),
        # HTTP
        ('வழி பெறு, "/a" { }', 'Route(‘GET’, "/a", –, {}, –)'),
        ('வழி get, "/a" { }', 'Route(‘GET’, "/a", –, {}, –)'),
        ('पथ प्रेषण, "/a" { };', 'Route(‘POST’, "/a", –, {}, –)\nEmpty()'),
        ('வழி பதி, "/a", ["auth", f] { }', 'Route(‘POST’, "/a", ["auth", f], {}, –)'),
        ('வழி இடு, "/a", {"body": அணி<பயனர்>, "query": எண், "answer": பயனர்} { }',
         'Route(‘PUT’, "/a", {body: TypeValue(Array<பயனர்>), query: TypeValue(Number), answer: பயனர்}, {}, –)'),
        ('வழி SSE, "/a" { }', 'Route(‘SSE’, "/a", –, {}, –)'),
        ('வழி ஓடை, "/a" { }', 'Route(‘SSE’, "/a", –, {}, –)'),
        ('வழி pAyvu, "/a" { }', 'Route(‘STREAM’, "/a", –, {}, –)'),
        ('வழி நேரலை, "/a" { }', 'Route(‘WS’, "/a", –, {}, –)'),
        ('வழி நிலைக்கோப்பு, "/s", "folder";', 'Route(‘STATIC’, "/s", –, –, "folder")'),
        ('வழி purge, "/a" { }', 'Route(‘PURGE’, "/a", –, {}, –)'),
        ("பதில் 200, {a: 1};", "Respond(200, {a: 1}, –)"),
        ("பதில் 200, x, {a: 1};", "Respond(200, x, {a: 1})"),
        ("प्रतिक्रिया 200, x;", "Respond(200, x, –)"),
        ("ஜேசான்_உரை x, 201;", "RespondJson(x, 201)"),
        ('வழங்கி_தொடங்கு "0.0.0.0", 80;', 'StartServer("0.0.0.0", 80)'),
        ("இடைவெளி 5 { }", "Every(5, {})"),
        ("இடைவெளி n { }", "Every(n, {})"),
        ('server.on("GET", "/a", {"body": எண்}, f);',
         'MethodCall(server, on, ["GET", "/a", {body: TypeValue(Number)}, f], –, –);'),
        # services
        ("முயல் { } பிழை(e) { }", "Try({}, e, {}, –)"),
        ("முயல் { } இறுதியில் { }", "Try({}, –, –, {})"),
        ("_try { } पिछा(e) { } _finally { };", "Try({}, e, {}, {})\nEmpty()"),
        ("தேர்வு { a இல் b { } காலம் 5 { } }",
         "Choose([Branch(‘channel’, a, b, {}), Branch(‘after’, –, 5, {})])"),
        ("தேர்வு { காலம் இல் b { } இல்லையேல் இல் f(c) { } இல்லையேல் { } }",
         "Choose([Branch(‘channel’, காலம், b, {}), Branch(‘channel’, இல்லையேல், Call(f, [c], –, –, no), {}), "
         "Branch(‘otherwise’, –, –, {})])"),
        ("முகவர் k(t: எண்) { m = t; செய்தி போடு(n) எண் { திரும்பு m; } நிறுத்தும்போது { } }",
         "Agent(k, [Parameter(t, Number, no)], {Binding(m, –, t, no) "
         "Message(போடு, [Parameter(n, –, no)], Number, {Return(m)}) OnStop({})})"),
        ("நிறுத்தும்போது { }", "OnStop({})"),
        ('சோதனை "அ" { }', 'Test("அ", {})'),
        ('परीक्षा "அ" { f(); };', 'Test("அ", {Call(f, [], –, –, no);})'),
        ('சோதனை("அ") { }', 'Test("அ", {})'),
        ('பணி_உருவாக்கு "அ", {"every": 5} { f(); }',
         'Call(பணி_உருவாக்கு, ["அ", {every: 5}], –, {Call(f, [], –, –, no);}, yes);'),
        ('h = பணி_உருவாக்கு("அ") { f(); };',
         'Binding(h, –, Call(பணி_உருவாக்கு, ["அ"], –, {Call(f, [], –, –, no);}, no), no)'),
        ('விகல்_புரோ("--watch") { }', 'Call(விகல்_புரோ, ["--watch"], –, {}, no);'),
        ("அமை = அமை_புரோ { \"a\": 1 };", "Binding(அமை, –, ShapeLiteral(அமை_புரோ, [a: 1], –), no)"),
    ],
)  # fmt: skip
def test_a_statement(text: str, expected: str) -> None:
    assert tree(text) == expected


WORDS_AS_NAMES = [
    "முயல்", "பிழை", "இறுதியில்", "தேர்வு", "காலம்", "இல்லையேல்", "நிறுத்தும்போது", "பணி", "முகவர்", "செய்தி",
    "தரம்", "நிறுத்து", "தொடர்", "சோதனை", "நிலை", "வடிவம்", "சரம்", "return", "nil", "request", "server", "caram",
]  # fmt: skip


@pytest.mark.parametrize("word", WORDS_AS_NAMES)
def test_a_contextual_word_is_a_name_elsewhere(word: str) -> None:
    assert tree(f"{word} = 1;") == f"Binding({word}, –, 1, no)"
    assert tree(f"{word}[0] = 1;") == f"SetIndex({word}, 0, 1)"
    assert tree(f"{word}.x = 1;") == f"SetField({word}, x, 1)"
    assert tree(f"{word} = 1; {word}.f(1);").endswith(f"\nMethodCall({word}, f, [1], –, –);")
    assert tree(f"எண் {word} = 1; அச்சு {word};") == f"Binding({word}, Number, 1, no)\nPrint({word})"
    assert tree(f"{word}: எண் = 1;") == f"Binding({word}, Number, 1, no)"
    assert value(f"{{{word}: r.{word}}}") == f"{{{word}: Field(r, {word})}}"
    assert tree(f"செயல் {word}(x) {{ }} {word}(1);") == (
        f"Function({word}, [Parameter(x, –, no)], –, {{}}, no, no)\nCall({word}, [1], –, –, no);"
    )
    assert tree(f"செயல் f({word}) {{ திரும்பு {word} + 1; }}") == (
        f"Function(f, [Parameter({word}, –, no)], –, {{Return(({word} + 1))}}, no, no)"
    )
    assert tree(f"ஒவ்வொரு {word} இல் xs {{ }}") == f"Each({word}, xs, {{}})"


def test_break_and_continue_are_words_only_in_a_loop_of_the_same_function() -> None:
    assert tree("நிறுத்து;") == "Binding(நிறுத்து, –, –, no)"
    assert tree("(a) சுற்று { f = செயல்() { தொடர்; }; }") == (
        "While(a, {Binding(f, –, Lambda([], –, {Binding(தொடர், –, –, no)}), no)})"
    )
    assert "Break" in tree("(a) சுற்று { காலவரம்பு(5) { (b) எனில் { நிறுத்து; } } }")
    assert "Break" in tree("ஒவ்வொரு a இல் b { தேர்வு { c இல் d { _break; } } }")
    assert "Break" in tree("(a) சுற்று { முயல் { நிறுத்து; } இறுதியில் { } }")
    assert "Break" not in tree('(a) சுற்று { பணி_உருவாக்கு "j" { நிறுத்து; } }')
    assert "Break" not in tree('(a) சுற்று { } சோதனை "t" { நிறுத்து; } இடைவெளி 5 { நிறுத்து; }')
    assert tree("(a) சுற்று { நிறுத்து = 1; }") == "While(a, {Binding(நிறுத்து, –, 1, no)})"


@pytest.mark.parametrize(
    "definition",
    ["return = 1;", "செயல் return() { }", "வடிவம் return { }", "செயல் f(return) { }", "ஒவ்வொரு return இல் a { }",
     "உள்ளிடு return;", "தளம்_வினா s, [], return;", "return[0] = 1;"],
)  # fmt: skip
def test_return_is_a_name_when_the_file_defines_it(definition: str) -> None:
    assert "Binding(x, return, –, no)" in tree(f"return x; {definition}")
    assert "Return" not in tree(f"{definition} return(1);")


def test_nil_is_a_name_when_the_file_defines_it() -> None:
    assert tree("அச்சு nil; nil = 4;") == "Print(nil)\nBinding(nil, –, 4, no)"
    assert tree("அச்சு nil;") == "Print(None)"


def test_the_text_type_gives_way_to_a_shape_only() -> None:
    assert tree("சரம் x; சரம் = 1;") == "Binding(x, Text, –, no)\nBinding(சரம், –, 1, no)"
    assert tree("சரம் x; வடிவம் சரம் { }") == "Binding(x, சரம், –, no)\nShape(சரம், [], [])"


@pytest.mark.parametrize("word", ["வடிவம்", "vativam", "_shape", "தரம்"])
def test_a_shape_may_stand_in_the_line_before_its_field(word: str) -> None:
    parts = ["வடிவம் பை { புள்ளி", "p, எண்", "q }"], [f"{word} புள்ளி {{ x }}"]
    for lines in ([*parts[0], *parts[1]], [*parts[1], *parts[0]]):
        assert codes("\n".join(lines)) == []
        assert tree("\n".join(lines)) == tree(
            "\n".join(lines).replace("புள்ளி\n", "புள்ளி ").replace("எண்\n", "எண் ")
        )


def test_a_task_needs_its_braces() -> None:
    assert tree("பணி f(x);") == "Call(f, [x], –, –, no);"


def test_a_block_ends_its_statement() -> None:
    assert tree("x = தடம்(1) { } அச்சு x;").endswith("\nPrint(x)")
    assert tree("காலவரம்பு(5) { } (a) எனில் { }").endswith("\nIf(a, {}, –)")
    assert tree("காலவரம்பு(5) { }; f();").count("\n") == 1
    assert places("f(1) {a: 1} அச்சு 1;") == ["E0201 1:13"]


def test_empty_braces_are_what_the_called_word_takes() -> None:
    assert "{}, –, no" in tree("f(1) {};")
    assert "–, {}, no" in tree("பூட்டு_பிடி(1) {};")
    assert "{}, –, no" in tree("பூட்டு_பிடி(1) {}; செயல் பூட்டு_பிடி(a, b) { }")
    assert "{}, –, no" in tree("விகல்_உருவாக்கு(1) {};")


@pytest.mark.parametrize("path", FOUNDING, ids=[path.stem for path in FOUNDING])
def test_a_founding_program_parses(path: Path) -> None:
    assert tree(path.read_text(encoding="utf-8"))


def test_positions_are_those_of_the_source_map() -> None:
    sources = SourceMap()
    sources.add("a", "எதோ ஒன்று")
    source = sources.add("b", "அச்சு a + 12; // முடிவு")
    module, _ = parse(lex(source)[0], source)
    (statement,) = module.statements
    assert isinstance(statement, nodes.Print)

    def written(node: nodes.Node) -> str:
        return source.text[node.start - source.base : node.end - source.base]

    assert written(statement) == "அச்சு a + 12;"
    assert written(statement.value) == "a + 12"
    assert (module.start, module.end) == (source.base, source.end)


def test_a_call_with_braces_ends_with_them() -> None:
    text = "x = f(1) {a: 2} & g(2) { };"
    module, _, _ = parsed(text)
    (statement,) = module.statements
    assert isinstance(statement, nodes.Binding) and isinstance(statement.value, nodes.Arithmetic)
    left, right = statement.value.left, statement.value.right
    assert text[left.start : left.end] == "f(1) {a: 2}"
    assert text[right.start : right.end] == "g(2) { }"


# ---- what is refused, and where -------------------------------------------------------


@pytest.mark.parametrize(
    ("marked", "code"),
    [
        # unexpected
        ("அச்சு 1 ‸2;", "E0201"),
        ("x = 5\n‸அச்சு x;", "E0201"),
        ("x = ‸;", "E0201"),
        ("f(1, ‸);", "E0201"),
        ("f(1 ‸2);", "E0201"),
        ("x = [1 ‸2];", "E0201"),
        ("x = [‸, ];", "E0201"),
        ("x = {a ‸1};", "E0201"),
        ("x = {a: 1 ‸b: 2};", "E0201"),
        ("x = ப{a: 1, ..q, ‸b: 2};", "E0201"),
        ("x: எண்‸;", "E0201"),
        ("x y ‸z;", "E0201"),
        ("a[0]‸.f();", "E0201"),
        ("a[0]‸(1);", "E0201"),
        ("r.x‸.f();", "E0201"),
        ("f(1) ‸= 2;", "E0201"),
        ("செயல்‸(x) { }(4);", "E0201"),
        ("‸இன்றேல் { }", "E0201"),
        ("(a) எனில் { }; ‸இன்றேல் { }", "E0201"),
        ("‸}", "E0201"),
        ("‸)", "E0201"),
        ("‸{ x = 1; }", "E0201"),
        ("முயல் { } ‸அச்சு 1;", "E0201"),
        ("முயல் { } ‸பிழை { }", "E0201"),
        ("தேர்வு { ‸}", "E0201"),
        ("தேர்வு { f‸(); }", "E0201"),
        ("ஒவ்வொரு x ‸இன் y { }", "E0201"),
        ('வழி பெறு ‸"/x" { }', "E0201"),
        ('வழி நிலைக்கோப்பு, "/x"‸;', "E0201"),
        ('மெட்ரிக்_எண் "a" ‸& x;', "E0201"),
        ("அணி<எண் ‸x = 5;", "E0201"),
        ("எண்‸<எண்> x;", "E0201"),
        ("‸செயள் f(x) { திரும்பு x; }", "E0201"),
        ("செயல் f(a b ‸c) { }", "E0201"),
        ("செயல் f() எண் ‸;", "E0201"),
        ("x: எண்‸? = 5;", "E0201"),
        ('வழி பதி, "/a" ‸{"body": 1} { }', "E0201"),
        # the end
        ("அச்சு 1‸", "E0202"),
        ("செயல் f() { அச்சு 1;‸", "E0202"),
        ("(a‸", "E0202"),
        ("x = [1,‸", "E0202"),
        ("x = {a:‸", "E0202"),
        ("ப{‸", "E0202"),
        ("இறக்கு‸", "E0202"),
        ("நிலை எண்‸", "E0202"),
        ("return‸", "E0202"),
        # reserved words
        ("‸வரிசை = 5;", "E0203"),
        ("‸அச்சு = 5;", "E0203"),
        ("‸மெய் = 5;", "E0203"),
        ("‸எண் = 5;", "E0203"),
        ("எண் ‸வரிசை = 5;", "E0203"),
        ("நிலை ‸வரிசை = 5;", "E0203"),
        ("அச்சு ‸வரிசை;", "E0203"),
        ("‸வரிசை(3);", "E0203"),
        ("‸வரிசை.x = 3;", "E0203"),
        ("x = {‸வரிசை: 1};", "E0203"),
        ("f(1) {‸வரிசை: 1};", "E0203"),
        ("r.‸வரிசை = 1;", "E0203"),
        ("x = r.‸வரிசை;", "E0203"),
        ("செயல் ‸வரிசை() { }", "E0203"),
        ("செயல் f(‸வரிசை) { }", "E0203"),
        ("செயல் f(நிலை ‸செயல் g) { }", "E0201"),
        ("ஒவ்வொரு ‸வரிசை இல் a { }", "E0203"),
        ("வடிவம் ப { எண் ‸வரிசை }", "E0203"),
        ("‸கோரிக்கை = 1;", "E0203"),
        ("முயல் { } பிழை(‸வரிசை) { }", "E0203"),
        ("x = ‸எண்;", "E0203"),
        # the other codes
        ("(x > 0) ‸{ அச்சு x; }", "E0204"),
        ("(x)‸(1);", "E0204"),
        ("(x) ‸எனல் { }", "E0204"),
        ("நிலை எண் ‸அ;", "E0205"),
        ("நிலை ‸அ;", "E0205"),
        ("நிலை ‸f(x);", "E0205"),
        ("வடிவம் ப { எண் x ‸எண் y }", "E0206"),
        ("வடிவம் ப { x\n‸y }", "E0206"),
        ("வடிவம் ப { x\n‸y }\nவடிவம் ம { x }", "E0206"),
        ("வடிவம் ப { x‸; y }", "E0206"),
        ("‸1 < f() < 3;", "E0210"),
        ("x = 1 < ‸f() < 3;", "E0207"),
        ("இறக்கு ‸நூலகம்;", "E0208"),
        ('இறக்கு "a" ‸& "b";', "E0201"),
        ("f(1) ‸{ அச்சு 1; }", "E0209"),
        ("விகல்_உருவாக்கு(1) ‸{ x = 1; }", "E0209"),
        ("காலவரம்பு(1) ‸{ a: 1 };", "E0209"),
        ("‸காலவரம்பு { a: 1 };", "E0209"),
        ("காலவரம்பு ‸{ அச்சு 1; }", "E0209"),
        ('பணி_உருவாக்கு "x" ‸{"every": 5};', "E0209"),
        ("செயல் காலவரம்பு(x) { } காலவரம்பு(1) ‸{ அச்சு 1; }", "E0209"),
        ("r.f(1) ‸{ அச்சு 1; }", "E0209"),
        ("‸1 + 2;", "E0210"),
        ('‸"x";', "E0210"),
        ("‸[1];", "E0210"),
        ("‸-5;", "E0210"),
        ("‸மெய்;", "E0210"),
        ("‸x + 1;", "E0210"),
        ("‸f(x) + 1;", "E0210"),
        ("‸r.x;", "E0210"),
        ("‸a[0];", "E0210"),
        ("‸x?;", "E0210"),
        ("வடிவம் ப { x } ‸ப{x: 1};", "E0210"),
        ("‸a[0][0] = 2;", "E0211"),
        ("‸r.x.y = 3;", "E0211"),
        ("‸a[0].x = 1;", "E0211"),
        ("‸எண் f(1);", "E0212"),
        ("‸எண் a[0] = 1;", "E0212"),
        ("‸எண் r.x = 1;", "E0212"),
        ("‸ப r.x = 1;", "E0212"),
        ("செயல் f() { ‸முகவர் k() { } }", "E0214"),
        ("செயல் f() { ‸நிறுத்தும்போது { } }", "E0214"),
        ("தேர்வு { காலம் 1 { } ‸இல்லையேல் { } }", "E0214"),
        ("தேர்வு { காலம் 1 { } ‸காலம் 2 { } }", "E0214"),
        ("‸செய்தி f() { }", "E0214"),
        ("x = 1; ‸பிழை(e) { அச்சு e; }", "E0214"),
    ],
)  # fmt: skip
def test_what_is_refused(marked: str, code: str) -> None:
    """The mark ‸ stands before what the problem is reported at."""
    text = marked.replace("‸", "")
    assert [(problem.code, problem.start) for problem in parsed(text)[1]] == [(code, marked.index("‸"))]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("x = 5\nஅச்சு x;", "வரி 1-இன் முடிவில் ‘;’ விடுபட்டதா?  (is ‘;’ missing at the end of line 1?)"),
        ("(x) எனல் { }", "‘எனில்’ என எழுத எண்ணினீர்களா?  (did you mean ‘எனில்’?)"),
        ("செயள் f(x) { }", "‘செயல்’ என எழுத எண்ணினீர்களா?  (did you mean ‘செயல்’?)"),
        ("(x) எனில் { } இன்றெல் { f(); }", "‘இன்றேல்’ என எழுத எண்ணினீர்களா?  (did you mean ‘இன்றேல்’?)"),
        ("(x) எனில் { }; இன்றேல் { }", "‘இன்றேல்’-க்கு முன் உள்ள ‘;’-ஐ நீக்குங்கள்  (remove the ‘;’ before ‘இன்றேல்’)"),
        ("வரிசை = 5;", "வேறு பெயர்: ‘வரிசை_1’  (another name: ‘வரிசை_1’)"),
        ("_orderBy = 5;", "வேறு பெயர்: ‘orderBy_1’  (another name: ‘orderBy_1’)"),
        ("x = {வரிசை: 1};", 'மேற்கோள் குறிகளுக்குள் எழுதுங்கள்: "வரிசை"  (write it in quotes: "வரிசை")'),
        ("அச்சு 1 2;", None),
    ],
)  # fmt: skip
def test_a_hint_when_one_is_near(text: str, hint: str | None) -> None:
    (problem,) = parsed(text)[1]
    assert problem.suggestion == hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "varicY = 5;",
            "a.qmz: [E0203] வரி 1, நெடுவரிசை 1: ஒரு பெயர் எதிர்பார்க்கப்பட்டது; ‘varicY’ வந்துள்ளது. ‘varicY’ மொழிக்கு "
            "ஒதுக்கப்பட்ட சொல்; அது பெயராக வர முடியாது  (line 1, column 1: expected a name, found ‘varicY’. ‘varicY’ is "
            "reserved for the language and cannot be a name)\n"
            "  1 | varicY = 5;\n"
            "    | ^^^^^^\n"
            "    வேறு பெயர்: ‘varicY_1’  (another name: ‘varicY_1’)",
        ),
        (
            "செயல் f() {\n    அச்சு 1;\n",
            "a.qmz: [E0202] வரி 3, நெடுவரிசை 1: ‘}’ எதிர்பார்க்கப்பட்டது; நிரல் முடிந்துவிட்டது (வரி 1-இல் உள்ள ‘{’ "
            "மூடப்படவில்லை)  (line 3, column 1: expected ‘}’, but the program ends (the ‘{’ in line 1 is not closed))\n"
            "  3 | \n"
            "    | ^",
        ),
        (
            "(கணக்கு > 0) { }",
            "a.qmz: [E0204] வரி 1, நெடுவரிசை 12: நிபந்தனைக்குப் பிறகு ‘எனில்’ அல்லது ‘சுற்று’ எதிர்பார்க்கப்பட்டது; ‘{’ "
            "வந்துள்ளது  (line 1, column 12: expected ‘எனில்’ (if) or ‘சுற்று’ (while) after the condition, found ‘{’)\n"
            "  1 | (கணக்கு > 0) { }\n"
            "    |            ^",
        ),
        (
            "f(1) { அச்சு 1; }",
            "a.qmz: [E0209] வரி 1, நெடுவரிசை 6: ‘f’ சொல்லுக்குப் பிறகு ஒரு பொருள் மட்டுமே வரலாம்; ஒரு தொகுதி வந்துள்ளது"
            "  (line 1, column 6: ‘f’ takes no block, only a record, and here stands a block)\n"
            "  1 | f(1) { அச்சு 1; }\n"
            "    |      ^",
        ),
    ],
)
def test_messages_of_the_parser(text: str, message: str) -> None:
    assert messages(text) == [message]


# ---- several mistakes -----------------------------------------------------------------


def test_mistakes_of_different_statements_are_reported_together() -> None:
    text = (
        "செயல் f() {\n    அச்சு 1 1;\n    x = ;\n    அச்சு 2;\n}\n"
        'y = = 3;\nவழி பெறு, "/" {\n    பதில் 200;\n    வரிசை = 1;\n}\nஅச்சு 3;\n'
    )
    assert places(text) == ["E0201 2:11", "E0201 3:9", "E0201 6:5", "E0201 8:12", "E0203 9:5"]


def test_after_an_error_in_a_header_its_block_is_skipped() -> None:
    assert places("செயல் வரிசை(x) { x = ; }\nஅச்சு 1 1;") == ["E0203 1:5", "E0201 2:7"]
    assert places("(x) எனல் { x = ; }\nஅச்சு 1 1;") == ["E0204 1:5", "E0201 2:7"]


def test_when_brackets_do_not_match_only_the_first_mistake_counts() -> None:
    assert places("செயல் f(x { அச்சு 1; }\nஅச்சு 2 3;") == ["E0201 1:9"]
    assert places("(x) எனில் அச்சு x; }\nஅச்சு 2 3;") == ["E0201 1:9"]
    assert places("அச்சு 1 1;\nசெயல் f() {") == ["E0201 1:7"]


def test_what_stands_in_a_misplaced_block_is_not_reported() -> None:
    assert places("f(1) { அச்சு 1 1; }\nஅச்சு 2 2;") == ["E0209 1:6", "E0201 2:7"]
    assert places("முயல { x = ; } பிழை(e) { y = ; }")[:1] == ["E0209 1:5"]


def test_there_is_an_end_to_what_is_reported() -> None:
    assert len(parsed("x = ;\n" * 1000)[1]) == 50
    assert len(parsed("f(1) { அச்சு 1; }\n" * 1000)[1]) == 50


# ---- depth ----------------------------------------------------------------------------

NESTS = {
    "parentheses": ("x = ", "(", "1", ")", ";"),
    "arrays": ("x = ", "[", "1", "]", ";"),
    "calls": ("x = ", "f(", "1", ")", ";"),
    "indexes": ("x = ", "a[", "1", "]", ";"),
    "records": ("x = ", "{a: ", "1", "}", ";"),
    "shapes": ("x = ", "ப{a: ", "1", "}", ";"),
    "bases": ("x = ", "ப{..", "1", "}", ";"),
    "minus": ("x = ", "-", "1", "", ";"),
    "not": ("x = ", "இல்லை ", "1", "", ";"),
    "conditions": ("", "(1) எனில் { ", "", "}", ""),
    "functions": ("", "செயல் f() { ", "", "}", ""),
    "lambdas": ("x = ", "செயல்() { திரும்பு ", "1", "; }", ";"),
    "blocks": ("", "காலவரம்பு(1) { ", "", "}", ""),
    "tries": ("", "முயல் { ", "", "} இறுதியில் { }", ""),
    "choices": ("", "தேர்வு { a இல் b { ", "", "} }", ""),
    "types": ("", "அணி<", "எண்", ">", " x = 1;"),
}


@pytest.mark.parametrize("nest", NESTS)
def test_what_nests_too_deeply_is_a_problem(nest: str) -> None:
    before, opens, middle, closes, behind = NESTS[nest]

    def program(depth: int) -> str:
        return before + opens * depth + middle + closes * depth + behind

    assert codes(program(40)) == []
    for depth in (MAX_DEPTH + 1, 1_000, 20_000):
        assert codes(program(depth)) == ["E0213"]


def test_a_caller_that_stands_deep_gets_a_problem_too() -> None:
    source = Source("a", "x = " + "(" * 60 + "1" + ")" * 60 + ";")
    tokens, _ = lex(source)

    def deep(levels: int) -> list[Problem]:
        return deep(levels - 1) if levels else parse(tokens, source)[1]

    depth, frame = 0, sys._getframe()
    while frame is not None:  # type: ignore[redundant-expr]
        depth, frame = depth + 1, frame.f_back  # type: ignore[assignment]
    (problem,) = deep(sys.getrecursionlimit() - depth - 60)
    assert problem.code == "E0213"


def test_else_if_may_be_repeated_as_often_as_wanted() -> None:
    assert codes("(1) எனில் { }" + " இன்றேல் (1) எனில் { }" * 5_000) == []


# ---- whatever comes -------------------------------------------------------------------


def outcome(text: str) -> None:
    """Any text ends in a tree or in problems, and every problem can be shown."""
    sources = SourceMap()
    source = sources.add("a.qmz", text)
    tokens, problems = lex(source)
    if not [problem for problem in problems if problem.severity == "error"]:
        module, more = parse(tokens, source)
        assert isinstance(module, nodes.Module)
        problems = problems + more
    for problem in problems:
        assert source.base <= problem.start <= problem.end <= source.end
        assert render(problem, sources)


@pytest.mark.parametrize("path", FOUNDING, ids=[path.stem for path in FOUNDING])
def test_every_prefix_ends_in_a_tree_or_in_problems(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for end in range(len(text)):
        outcome(text[:end])


@pytest.mark.parametrize("path", FOUNDING, ids=[path.stem for path in FOUNDING])
def test_without_any_one_token_there_is_one_problem_at_most(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for token in lex(Source("a", text))[0]:
        shorter = text[: token.start] + text[token.end :]
        outcome(shorter)
        assert len(codes(shorter)) <= 1


@pytest.mark.parametrize("path", FOUNDING, ids=[path.stem for path in FOUNDING])
def test_with_two_neighbours_swapped_or_one_token_doubled(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tokens, _ = lex(Source("a", text))
    for token, after in pairwise(tokens):
        outcome(text[: token.end] + " " + token.text + text[token.end :])
        outcome(text[: token.start] + after.text + " " + token.text + text[after.end :])


@pytest.mark.parametrize("path", FOUNDING, ids=[path.stem for path in FOUNDING])
def test_with_any_token_in_another_place(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tokens, _ = lex(Source("a", text))
    for i, token in enumerate(tokens[:-1]):
        stray = ("{", "}", "(", ")", ";", "=", ".", "பிழை", "வரிசை", "1", '"x"', "எண்", "செயல்", "..")[i % 14]
        outcome(text[: token.start] + f" {stray} " + text[token.end :])
