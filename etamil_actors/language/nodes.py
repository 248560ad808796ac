"""The tree of a program, one class per construct, in the order of the grammar.

A node holds what was written and where: ``start`` and ``end`` are positions in the
source map (``source.py``), so one integer names both the file and the place. Names are
kept in NFC; keywords leave no trace here beyond the kind of the node. Nothing in this
file decides anything.

Plain classes with slots: a 5 000 line program has some hundred thousand nodes, and a
dataclass decorator costs more to import than the whole parser.
"""

from __future__ import annotations

from decimal import Decimal


class Node:
    """Something the program wrote between two positions."""

    __slots__ = ("end", "start")

    def __init__(self, start: int, end: int) -> None:
        self.start = start
        self.end = end


class Expression(Node):
    """What has a value."""

    __slots__ = ()


class Statement(Node):
    """What is done."""

    __slots__ = ()


# ---- small parts ----------------------------------------------------------------------


class Identifier(Node):
    """A name as written (NFC, look-alikes mapped), with its place."""

    __slots__ = ("text",)

    def __init__(self, start: int, end: int, text: str) -> None:
        self.start = start
        self.end = end
        self.text = text


class TypeName(Node):
    """A type where one may stand.

    ``kind`` is what the keyword declares ("Number", "Text", "Boolean", "Array", "Record",
    "Date", "Function") or "Shape", and then ``name`` is the shape's. ``written`` is the word
    as typed. ``element`` is what stands in ``<…>``; ``optional`` says that ``?`` followed.
    """

    __slots__ = ("element", "kind", "name", "optional", "written")

    def __init__(
        self,
        start: int,
        end: int,
        kind: str,
        name: str,
        written: str,
        element: TypeName | None = None,
        optional: bool = False,
    ) -> None:
        self.start = start
        self.end = end
        self.kind = kind
        self.name = name
        self.written = written
        self.element = element
        self.optional = optional


class Parameter(Node):
    """One parameter of a function, method, task, agent or message."""

    __slots__ = ("fixed", "name", "type")

    def __init__(
        self, start: int, end: int, name: Identifier, type: TypeName | None, fixed: bool
    ) -> None:
        self.start = start
        self.end = end
        self.name = name
        self.type = type
        self.fixed = fixed


class Block(Node):
    """The statements between two braces."""

    __slots__ = ("statements",)

    def __init__(self, start: int, end: int, statements: list[Statement]) -> None:
        self.start = start
        self.end = end
        self.statements = statements


class Pair(Node):
    """``key: value`` of a record, of options or of a shape literal."""

    __slots__ = ("key", "value")

    def __init__(self, start: int, end: int, key: Identifier, value: Expression) -> None:
        self.start = start
        self.end = end
        self.key = key
        self.value = value


# ---- expressions ----------------------------------------------------------------------


class Number(Expression):
    """A number or percentage literal. ``int`` when it has no decimals, else ``Decimal`` with
    the scale as written; a percentage is already divided."""

    __slots__ = ("percent", "value")

    def __init__(
        self, start: int, end: int, value: int | Decimal, percent: bool = False
    ) -> None:
        self.start = start
        self.end = end
        self.value = value
        self.percent = percent


class Text(Expression):
    """A string literal, escapes already read."""

    __slots__ = ("value",)

    def __init__(self, start: int, end: int, value: str) -> None:
        self.start = start
        self.end = end
        self.value = value


class Constant(Expression):
    """மெய், பொய் or இன்மை: ``True``, ``False`` or ``None``."""

    __slots__ = ("value",)

    def __init__(self, start: int, end: int, value: bool | None) -> None:
        self.start = start
        self.end = end
        self.value = value


class Name(Expression):
    """A name that is read."""

    __slots__ = ("text",)

    def __init__(self, start: int, end: int, text: str) -> None:
        self.start = start
        self.end = end
        self.text = text


class RequestValue(Expression):
    """கோரிக்கை in an expression: the request at hand."""

    __slots__ = ()


class Array(Expression):
    """``[a, b]``."""

    __slots__ = ("items",)

    def __init__(self, start: int, end: int, items: list[Expression]) -> None:
        self.start = start
        self.end = end
        self.items = items


class Record(Expression):
    """``{k: v}``; of a repeated key the first counts (EXTENSIONS §14)."""

    __slots__ = ("pairs",)

    def __init__(self, start: int, end: int, pairs: list[Pair]) -> None:
        self.start = start
        self.end = end
        self.pairs = pairs


class ShapeLiteral(Expression):
    """``Name{f: v, …, ..base}``. When the program has no shape of that name it is the call
    ``Name({…})`` (EXTENSIONS §2); the resolver tells which."""

    __slots__ = ("base", "name", "pairs")

    def __init__(
        self,
        start: int,
        end: int,
        name: Identifier,
        pairs: list[Pair],
        base: Expression | None,
    ) -> None:
        self.start = start
        self.end = end
        self.name = name
        self.pairs = pairs
        self.base = base


class Lambda(Expression):
    """A function written as a value."""

    __slots__ = ("body", "parameters", "result")

    def __init__(
        self,
        start: int,
        end: int,
        parameters: list[Parameter],
        result: TypeName | None,
        body: Block,
    ) -> None:
        self.start = start
        self.end = end
        self.parameters = parameters
        self.result = result
        self.body = body


class Negate(Expression):
    """``-x``, which is ``0 - x``."""

    __slots__ = ("operand",)

    def __init__(self, start: int, end: int, operand: Expression) -> None:
        self.start = start
        self.end = end
        self.operand = operand


class Not(Expression):
    """``இல்லை x``."""

    __slots__ = ("operand",)

    def __init__(self, start: int, end: int, operand: Expression) -> None:
        self.start = start
        self.end = end
        self.operand = operand


class Arithmetic(Expression):
    """``left operator right`` with one of ``+ - * / &``."""

    __slots__ = ("left", "operator", "right")

    def __init__(
        self, start: int, end: int, left: Expression, operator: str, right: Expression
    ) -> None:
        self.start = start
        self.end = end
        self.left = left
        self.operator = operator
        self.right = right


class Comparison(Expression):
    """``a < b <= c``: operators is one shorter than operands; all middle operands are
    repeatable."""

    __slots__ = ("operands", "operators")

    def __init__(
        self, start: int, end: int, operands: list[Expression], operators: list[str]
    ) -> None:
        self.start = start
        self.end = end
        self.operands = operands
        self.operators = operators


class Logical(Expression):
    """``left மற்றும் right`` (``operator`` "and") or ``அல்லது`` ("or")."""

    __slots__ = ("left", "operator", "right")

    def __init__(
        self, start: int, end: int, left: Expression, operator: str, right: Expression
    ) -> None:
        self.start = start
        self.end = end
        self.left = left
        self.operator = operator
        self.right = right


class Index(Expression):
    """``target[index]``."""

    __slots__ = ("index", "target")

    def __init__(self, start: int, end: int, target: Expression, index: Expression) -> None:
        self.start = start
        self.end = end
        self.target = target
        self.index = index


class Field(Expression):
    """``target.name``."""

    __slots__ = ("name", "target")

    def __init__(self, start: int, end: int, target: Expression, name: Identifier) -> None:
        self.start = start
        self.end = end
        self.target = target
        self.name = name


class Unwrap(Expression):
    """``target?``."""

    __slots__ = ("target",)

    def __init__(self, start: int, end: int, target: Expression) -> None:
        self.start = start
        self.end = end
        self.target = target


class Call(Expression):
    """``callee(arguments)``, also as a command (``callee "text", 1;``), with what may follow:
    ``options`` is a record written behind it (the last argument), ``block`` a block or body.
    ``command`` tells how it was written."""

    __slots__ = ("arguments", "block", "callee", "command", "options")

    def __init__(
        self,
        start: int,
        end: int,
        callee: Expression,
        arguments: list[Expression],
        options: Record | None = None,
        block: Block | None = None,
        command: bool = False,
    ) -> None:
        self.start = start
        self.end = end
        self.callee = callee
        self.arguments = arguments
        self.options = options
        self.block = block
        self.command = command


class MethodCall(Expression):
    """``target.name(arguments)``, with what may follow as in ``Call``."""

    __slots__ = ("arguments", "block", "name", "options", "target")

    def __init__(
        self,
        start: int,
        end: int,
        target: Expression,
        name: Identifier,
        arguments: list[Expression],
        options: Record | None = None,
        block: Block | None = None,
    ) -> None:
        self.start = start
        self.end = end
        self.target = target
        self.name = name
        self.arguments = arguments
        self.options = options
        self.block = block


class TypeValue(Expression):
    """A type where a value stands: ``{"body": அணி<பயனர்>}`` in the options of a route. A type
    that is a shape's name is a plain ``Name`` there."""

    __slots__ = ("type",)

    def __init__(self, start: int, end: int, type: TypeName) -> None:
        self.start = start
        self.end = end
        self.type = type


# ---- statements -----------------------------------------------------------------------


class Binding(Statement):
    """``[type] name [= value];``, ``நிலை …``, ``name: type = value;``.

    Without a value it stores 0.
    """

    __slots__ = ("fixed", "name", "type", "value")

    def __init__(
        self,
        start: int,
        end: int,
        name: Identifier,
        type: TypeName | None,
        value: Expression | None,
        fixed: bool,
    ) -> None:
        self.start = start
        self.end = end
        self.name = name
        self.type = type
        self.value = value
        self.fixed = fixed


class SetIndex(Statement):
    """``name[index] = value;``."""

    __slots__ = ("index", "name", "value")

    def __init__(
        self, start: int, end: int, name: Identifier, index: Expression, value: Expression
    ) -> None:
        self.start = start
        self.end = end
        self.name = name
        self.index = index
        self.value = value


class SetField(Statement):
    """``name.field = value;``."""

    __slots__ = ("field", "name", "value")

    def __init__(
        self, start: int, end: int, name: Identifier, field: Identifier, value: Expression
    ) -> None:
        self.start = start
        self.end = end
        self.name = name
        self.field = field
        self.value = value


class Do(Statement):
    """A call that stands as a statement."""

    __slots__ = ("call",)

    def __init__(self, start: int, end: int, call: Expression) -> None:
        self.start = start
        self.end = end
        self.call = call


class Function(Statement):
    """``செயல் name(…) type { … }``; ``task`` for ``பணி``. ``takes_self`` for a method whose
    first parameter is இது (parser sets it inside shapes only; the parameter stays in the list)."""

    __slots__ = ("body", "name", "parameters", "result", "takes_self", "task")

    def __init__(
        self,
        start: int,
        end: int,
        name: Identifier,
        parameters: list[Parameter],
        result: TypeName | None,
        body: Block,
        task: bool = False,
        takes_self: bool = False,
    ) -> None:
        self.start = start
        self.end = end
        self.name = name
        self.parameters = parameters
        self.result = result
        self.body = body
        self.task = task
        self.takes_self = takes_self


class ShapeField(Node):
    """One field of a shape."""

    __slots__ = ("name", "type")

    def __init__(self, start: int, end: int, name: Identifier, type: TypeName | None) -> None:
        self.start = start
        self.end = end
        self.name = name
        self.type = type


class Shape(Statement):
    """``வடிவம் name { … }`` or ``தரம் name { … }``."""

    __slots__ = ("fields", "methods", "name")

    def __init__(
        self,
        start: int,
        end: int,
        name: Identifier,
        fields: list[ShapeField],
        methods: list[Function],
    ) -> None:
        self.start = start
        self.end = end
        self.name = name
        self.fields = fields
        self.methods = methods


class Import(Statement):
    """``இறக்கு "path";``. At the top level the loader puts the file's statements into
    ``module`` (empty when the file was included before); elsewhere it stays ``None``."""

    __slots__ = ("module", "path")

    def __init__(self, start: int, end: int, path: Text) -> None:
        self.start = start
        self.end = end
        self.path = path
        self.module: Module | None = None


class Return(Statement):
    """``திரும்பு [value];``."""

    __slots__ = ("value",)

    def __init__(self, start: int, end: int, value: Expression | None) -> None:
        self.start = start
        self.end = end
        self.value = value


class If(Statement):
    """``(condition) எனில் {…} இன்றேல் {…}``. An *else if* is an ``If`` alone in ``otherwise``."""

    __slots__ = ("condition", "otherwise", "then")

    def __init__(
        self, start: int, end: int, condition: Expression, then: Block, otherwise: Block | None
    ) -> None:
        self.start = start
        self.end = end
        self.condition = condition
        self.then = then
        self.otherwise = otherwise


class While(Statement):
    """``(condition) சுற்று {…}``."""

    __slots__ = ("body", "condition")

    def __init__(self, start: int, end: int, condition: Expression, body: Block) -> None:
        self.start = start
        self.end = end
        self.condition = condition
        self.body = body


class Each(Statement):
    """``ஒவ்வொரு name இல் collection {…}``."""

    __slots__ = ("body", "collection", "name")

    def __init__(
        self, start: int, end: int, name: Identifier, collection: Expression, body: Block
    ) -> None:
        self.start = start
        self.end = end
        self.name = name
        self.collection = collection
        self.body = body


class Break(Statement):
    """``நிறுத்து;``."""

    __slots__ = ()


class Continue(Statement):
    """``தொடர்;``."""

    __slots__ = ()


class Empty(Statement):
    """``;`` alone."""

    __slots__ = ()


class Print(Statement):
    """``அச்சு value;``."""

    __slots__ = ("value",)

    def __init__(self, start: int, end: int, value: Expression) -> None:
        self.start = start
        self.end = end
        self.value = value


class Input(Statement):
    """``உள்ளிடு name;``; ``target`` is None when the operand is not a plain name (the line is
    read and thrown away)."""

    __slots__ = ("target",)

    def __init__(self, start: int, end: int, target: Identifier | None) -> None:
        self.start = start
        self.end = end
        self.target = target


class FileOpen(Statement):
    """``கோப்பு_திற path, mode;`` with the mode as lower-case text."""

    __slots__ = ("mode", "path")

    def __init__(self, start: int, end: int, path: Expression, mode: str) -> None:
        self.start = start
        self.end = end
        self.path = path
        self.mode = mode


class FileClose(Statement):
    """``கோப்பு_மூடு path;``."""

    __slots__ = ("path",)

    def __init__(self, start: int, end: int, path: Expression) -> None:
        self.start = start
        self.end = end
        self.path = path


class FileRead(Statement):
    """``கோப்பு_படி path, name;``; ``rows`` for ``தரவுரை_படி``, which stores a count."""

    __slots__ = ("path", "rows", "target")

    def __init__(
        self, start: int, end: int, path: Expression, target: Identifier, rows: bool
    ) -> None:
        self.start = start
        self.end = end
        self.path = path
        self.target = target
        self.rows = rows


class FileWrite(Statement):
    """``கோப்பு_எழுது path, data;`` and ``தரவுரை_எழுது``, which does the same."""

    __slots__ = ("data", "path")

    def __init__(self, start: int, end: int, path: Expression, data: Expression) -> None:
        self.start = start
        self.end = end
        self.path = path
        self.data = data


class DbConnect(Statement):
    """``தளம்_இணை backend, text [, handle];`` with the words as texts."""

    __slots__ = ("backend", "handle", "text")

    def __init__(
        self, start: int, end: int, backend: str, text: Expression, handle: str | None
    ) -> None:
        self.start = start
        self.end = end
        self.backend = backend
        self.text = text
        self.handle = handle


class DbDisconnect(Statement):
    """``தளம்_பிரி handle;``."""

    __slots__ = ("handle",)

    def __init__(self, start: int, end: int, handle: str) -> None:
        self.start = start
        self.end = end
        self.handle = handle


class DbQuery(Statement):
    """``தளம்_வினா sql, parameters, target [, handle];``."""

    __slots__ = ("handle", "parameters", "sql", "target")

    def __init__(
        self,
        start: int,
        end: int,
        sql: Expression,
        parameters: Expression,
        target: Identifier,
        handle: str | None,
    ) -> None:
        self.start = start
        self.end = end
        self.sql = sql
        self.parameters = parameters
        self.target = target
        self.handle = handle


class DbExecute(Statement):
    """``தளம்_செய் sql, parameters [, handle];``."""

    __slots__ = ("handle", "parameters", "sql")

    def __init__(
        self,
        start: int,
        end: int,
        sql: Expression,
        parameters: Expression,
        handle: str | None,
    ) -> None:
        self.start = start
        self.end = end
        self.sql = sql
        self.parameters = parameters
        self.handle = handle


class NotImplementedStatement(Statement):
    """A statement that 2.0 parses and refuses to run: தளம்_செருக, தளம்_புதுப்பி, தளம்_நீக்கு,
    அட்டை_ஆக்கு, தேர்வெடு, வழங்கி_நிறுத்து. ``word`` is the keyword as written."""

    __slots__ = ("word",)

    def __init__(self, start: int, end: int, word: str) -> None:
        self.start = start
        self.end = end
        self.word = word


class Route(Statement):
    """``வழி method, path [, options] {…}``.

    ``method`` is the word as text, upper-case: an HTTP method, or "SSE", "STREAM", "WS",
    "STATIC". A static route has ``folder`` and no ``body``.
    """

    __slots__ = ("body", "folder", "method", "options", "path")

    def __init__(
        self,
        start: int,
        end: int,
        method: str,
        path: Expression,
        options: Expression | None,
        body: Block | None,
        folder: Expression | None = None,
    ) -> None:
        self.start = start
        self.end = end
        self.method = method
        self.path = path
        self.options = options
        self.body = body
        self.folder = folder


class Respond(Statement):
    """``பதில் status, body [, headers];``."""

    __slots__ = ("body", "headers", "status")

    def __init__(
        self,
        start: int,
        end: int,
        status: Expression,
        body: Expression,
        headers: Expression | None,
    ) -> None:
        self.start = start
        self.end = end
        self.status = status
        self.body = body
        self.headers = headers


class RespondJson(Statement):
    """``ஜேசான்_உரை value [, status];``."""

    __slots__ = ("status", "value")

    def __init__(
        self, start: int, end: int, value: Expression, status: Expression | None
    ) -> None:
        self.start = start
        self.end = end
        self.value = value
        self.status = status


class StartServer(Statement):
    """``வழங்கி_தொடங்கு host, port;``."""

    __slots__ = ("host", "port")

    def __init__(self, start: int, end: int, host: Expression, port: Expression) -> None:
        self.start = start
        self.end = end
        self.host = host
        self.port = port


class Every(Statement):
    """``இடைவெளி seconds {…}``."""

    __slots__ = ("body", "seconds")

    def __init__(self, start: int, end: int, seconds: Expression, body: Block) -> None:
        self.start = start
        self.end = end
        self.seconds = seconds
        self.body = body


class Try(Statement):
    """``முயல் {…} பிழை(name) {…} இறுதியில் {…}``; one of the last two may be missing."""

    __slots__ = ("body", "final", "handler", "name")

    def __init__(
        self,
        start: int,
        end: int,
        body: Block,
        name: Identifier | None,
        handler: Block | None,
        final: Block | None,
    ) -> None:
        self.start = start
        self.end = end
        self.body = body
        self.name = name
        self.handler = handler
        self.final = final


class Branch(Node):
    """One branch of தேர்வு: ``kind`` is "channel" (``name இல் source``), "after"
    (``காலம் source``) or "otherwise"."""

    __slots__ = ("body", "kind", "name", "source")

    def __init__(
        self,
        start: int,
        end: int,
        kind: str,
        name: Identifier | None,
        source: Expression | None,
        body: Block,
    ) -> None:
        self.start = start
        self.end = end
        self.kind = kind
        self.name = name
        self.source = source
        self.body = body


class Choose(Statement):
    """``தேர்வு {…}``."""

    __slots__ = ("branches",)

    def __init__(self, start: int, end: int, branches: list[Branch]) -> None:
        self.start = start
        self.end = end
        self.branches = branches


class OnStop(Statement):
    """``நிறுத்தும்போது {…}``, at the top level or in an agent."""

    __slots__ = ("body",)

    def __init__(self, start: int, end: int, body: Block) -> None:
        self.start = start
        self.end = end
        self.body = body


class Test(Statement):
    """``சோதனை name {…}``."""

    __slots__ = ("body", "name")

    def __init__(self, start: int, end: int, name: Expression, body: Block) -> None:
        self.start = start
        self.end = end
        self.name = name
        self.body = body


class Message(Statement):
    """``செய்தி name(…) [type] {…}`` in an agent."""

    __slots__ = ("body", "name", "parameters", "result")

    def __init__(
        self,
        start: int,
        end: int,
        name: Identifier,
        parameters: list[Parameter],
        result: TypeName | None,
        body: Block,
    ) -> None:
        self.start = start
        self.end = end
        self.name = name
        self.parameters = parameters
        self.result = result
        self.body = body


class Agent(Statement):
    """``முகவர் name(…) {…}``. ``body`` holds all its statements, messages and நிறுத்தும்போது
    included, in the order written."""

    __slots__ = ("body", "name", "parameters")

    def __init__(
        self,
        start: int,
        end: int,
        name: Identifier,
        parameters: list[Parameter],
        body: Block,
    ) -> None:
        self.start = start
        self.end = end
        self.name = name
        self.parameters = parameters
        self.body = body


class Module(Node):
    """One file's statements."""

    __slots__ = ("statements",)

    def __init__(self, start: int, end: int, statements: list[Statement]) -> None:
        self.start = start
        self.end = end
        self.statements = statements
