"""What can go wrong, for every floor: the ground that all others stand on.

Two families live here. ``EtamilError`` and its children are Python exceptions of this
house; their names tell whose turn it is (STYLE, *Errors*). ``Fault`` is one of them: a
failure of a running *program*, with a stable dotted code, words in Tamil and English, and
a place and trace of program lines that are filled in when it leaves compiled code.

The codes are one closed list, ``FAULTS``; the page of error codes is made from it. Mistakes
that are found before a program runs are no exceptions at all but data (``language/problems.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing takes longer to import than all of this
    from typing import NamedTuple
else:
    from etamil_actors.rows import NamedTuple


class EtamilError(Exception):
    """Something of this house failed."""


class InternalError(EtamilError):
    """We made a mistake. The text is for us; the user is asked to report it."""


class ProgramEnd(BaseException):
    """An activity ends on purpose. Programs cannot catch it, only ``இறுதியில்`` runs."""


class ExitRequested(ProgramEnd):
    """``வெளியேறு(n)``."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class ActivityCancelled(ProgramEnd):
    """The activity was cancelled from outside."""


class OutputClosed(ProgramEnd):
    """Nobody reads the program's output any more; ``trouble`` is what the system said."""

    def __init__(self, trouble: OSError) -> None:
        super().__init__(trouble)
        self.trouble = trouble


class FaultKind(NamedTuple):
    """One row of the list of error codes."""

    code: str
    tamil: str
    english: str
    meaning: str


FAULTS: tuple[FaultKind, ...] = (
    # names and calls
    FaultKind(
        "name.undefined",
        "‘{name}’ இன்னும் வரையறுக்கப்படவில்லை",
        "‘{name}’ has no value yet",
        "A name was read before anything was stored under it.",
    ),
    FaultKind(
        "call.unknown",
        "‘{name}’ என்ற செயல் இல்லை",
        "there is no function ‘{name}’",
        "A function was called that the program does not have.",
    ),
    FaultKind(
        "call.arguments",
        "‘{name}’ {expected} அளவுருக்களை எதிர்பார்க்கிறது; {given} கொடுக்கப்பட்டன",
        "‘{name}’ takes {expected} argument(s), {given} given",
        "A function was called with the wrong number of arguments.",
    ),
    FaultKind(
        "call.not_function",
        "{kind_ta} ஒரு செயல் அல்ல; அதை அழைக்க முடியாது",
        "{kind} is not a function and cannot be called",
        "Something that is no function was called.",
    ),
    FaultKind(
        "call.depth",
        "செயல் அழைப்புகள் {limit}-ஐ விட ஆழமாகச் சென்றன",
        "calls nest deeper than {limit}",
        "Functions called each other more than the allowed number of levels deep; usually a recursion without an end.",
    ),
    FaultKind(
        "return.outside",
        "‘திரும்பு’ ஒரு செயலுக்குள் மட்டுமே வரலாம்",
        "‘return’ may stand only inside a function",
        "A return statement was executed at the top level.",
    ),
    # numbers
    FaultKind(
        "number.division_by_zero", "சுழியத்தால் வகுக்க முடியாது", "division by zero", "The right side of / was 0."
    ),
    FaultKind(
        "number.overflow",
        "விடை எண்ணின் எல்லையைத் தாண்டுகிறது",
        "the result does not fit a number",
        "The integer digits of a result exceed 79228162514264337593543950335.",
    ),
    # parts of values
    FaultKind(
        "index.not_whole",
        "{index} முழு எண் அல்ல; சுட்டு முழு எண்ணாக இருக்க வேண்டும்",
        "the index {index} is not a whole number",
        "An index of an array or text was fractional.",
    ),
    FaultKind(
        "index.range",
        "சுட்டு {index} எல்லைக்கு வெளியே உள்ளது; நீளம் {length}",
        "the index {index} is outside; the length is {length}",
        "An index was negative or not smaller than the length.",
    ),
    FaultKind(
        "index.kind",
        "{kind_ta} சுட்டப்பட முடியாது",
        "{kind} has no elements to index",
        "Something that is no array, text or record was indexed.",
    ),
    FaultKind(
        "index.text_fixed",
        "உரையின் எழுத்துகளை மாற்ற முடியாது",
        "a text cannot be changed in place",
        "An element of a text was assigned.",
    ),
    FaultKind(
        "record.missing_key",
        "‘{key}’ என்ற புலம் இல்லை",
        "there is no field ‘{key}’",
        "A field or key was read that the record does not have.",
    ),
    FaultKind(
        "record.kind",
        "{kind_ta} ஒரு பொருள் அல்ல; புலம் ‘{field}’ இல்லை",
        "{kind} is not a record, it has no field ‘{field}’",
        "A field of something that is no record was read or set.",
    ),
    FaultKind(
        "method.missing",
        "‘{name}’ என்ற வழிமுறை இல்லை",
        "there is no method ‘{name}’",
        "A method was called that neither the shape nor a field of the record provides.",
    ),
    FaultKind(
        "method.no_self",
        "‘{name}’ வடிவத்தின் செயல்; பொருளின் மேல் அழைக்க முடியாது",
        "‘{name}’ belongs to the shape and takes no record",
        "A function of a shape that does not take இது was called on a record.",
    ),
    FaultKind(
        "shape.field",
        "{shape}: {problem_ta}",
        "{shape}: {problem_en}",
        "A shape literal or an assignment did not fit the shape.",
    ),
    FaultKind(
        "loop.kind",
        "{kind_ta} மீது ‘ஒவ்வொரு’ செல்ல முடியாது",
        "{kind} cannot be walked through with ‘each’",
        "A for-each loop met something that is no array, record, text or channel.",
    ),
    FaultKind(
        "value.kind",
        "‘{name}’: {wanted_ta} தேவை; {kind_ta} கிடைத்தது",
        "‘{name}’ wants {wanted_en}, not {kind}",
        "A builtin got a parameter of a wrong kind.",
    ),
    FaultKind(
        "value.invalid",
        "‘{name}’: {problem_ta}",
        "‘{name}’: {problem_en}",
        "A builtin got a parameter of the right kind that it cannot work with.",
    ),
    FaultKind(
        "value.local",
        "‘{kind_ta}’ இந்தச் செயல்முறையை விட்டு வெளியேற முடியாது",
        "{kind} cannot leave this process",
        "A handle was about to be stored or sent where it has no meaning.",
    ),
    FaultKind(
        "option.unknown",
        "‘{name}’ என்ற விருப்பம் இல்லை",
        "there is no option ‘{name}’",
        "A record of options holds a key that the word does not know.",
    ),
    # results
    FaultKind(
        "result",
        "‘?’ ஒரு தவறைச் சந்தித்தது: {text}",
        "‘?’ met a failure: {text}",
        "A ? met a தவறு inside முயல், or at the top level. What it held is in details.value.",
    ),
    FaultKind(
        "result.kind",
        "{kind_ta} ஒரு விளைவு அல்ல (சரி அல்லது தவறு தேவை)",
        "{kind} is not a result",
        "A result was wanted and something else came.",
    ),
    FaultKind(
        "result.unwrap",
        "எதிர்பார்த்த விளைவு அல்ல: {text}",
        "the result is not what was expected: {text}",
        "மதிப்பு met a தவறு, or தவறு_மதிப்பு a சரி.",
    ),
    # the world
    FaultKind(
        "file",
        "கோப்பு ‘{path}’: {problem_ta}",
        "file ‘{path}’: {problem_en}",
        "A file statement could not read or write its file.",
    ),
    FaultKind(
        "db.not_connected",
        "தரவுத்தள இணைப்பு இல்லை",
        "no database connection is open",
        "A database statement without an open connection.",
    ),
    FaultKind(
        "db.handle",
        "தரவுத்தளக் கைப்பிடி ‘{handle}’: {problem_ta}",
        "database handle ‘{handle}’: {problem_en}",
        "A handle that is unknown, open with another text, or missing although several are open.",
    ),
    FaultKind(
        "db.unsupported",
        "‘{backend}’ தரவுத்தளம் ஆதரிக்கப்படவில்லை",
        "the back end ‘{backend}’ is not supported",
        "A database back end without a driver.",
    ),
    FaultKind(
        "db.parameters",
        "SQL அளவுருக்கள் ஓர் அணியாக இருக்க வேண்டும்",
        "SQL parameters must be an array",
        "The parameters of a database statement were no array.",
    ),
    FaultKind(
        "db.query",
        "SQL தோல்வி: {problem}",
        "SQL failed: {problem}",
        "The database refused a query or command.",
    ),
    FaultKind(
        "db.conflict",
        "வேறொரு பரிவர்த்தனை குறுக்கிட்டது: {problem}",
        "another transaction is in the way: {problem}",
        "Others change or hold the same rows: a deadlock, a serialization that failed, a lock that did not become free in time. The transaction has to be done again from its beginning.",
    ),
    FaultKind(
        "db.unavailable",
        "தரவுத்தளத்தை அடைய முடியவில்லை: {problem}",
        "the database cannot be reached: {problem}",
        "The database does not answer, or no connection became free in time.",
    ),
    FaultKind(
        "db.rows",
        "வினவலின் விடையில் {rows} வரிசைகளுக்கு மேல் உள்ளன",
        "a query answers with more than {rows} rows",
        "A query brought more rows than the setting `max_rows` of its database allows.",
    ),
    FaultKind(
        "db.closed",
        "இந்த இணைப்பு ஏற்கெனவே திருப்பித் தரப்பட்டது",
        "this connection has been given back already",
        "A leased connection was used after its block.",
    ),
    FaultKind(
        "redis.unavailable",
        "ரெடிஸை அடைய முடியவில்லை: {problem_ta}",
        "Redis cannot be reached: {problem_en}",
        "The Redis server does not answer, or no connection became free in time. Whether the command was carried out is not known.",
    ),
    FaultKind(
        "redis.refused",
        "ரெடிஸ் மறுத்தது: {problem_ta}",
        "Redis refused: {problem_en}",
        "The Redis server answered with an error, or what it holds cannot be used.",
    ),
    # time, limits, ends
    FaultKind(
        "timeout",
        "கால வரம்பு ({seconds} நொடி) முடிந்தது",
        "the time limit of {seconds} s is over",
        "Something was not done within its time.",
    ),
    FaultKind(
        "cancelled",
        "பணி நிறுத்தப்பட்டது",
        "the task was cancelled",
        "A task that was awaited had been cancelled.",
    ),
    FaultKind(
        "overloaded", "இப்போது இடமில்லை; பிறகு முயலவும்", "too busy, please try later", "A queue is full."
    ),
    FaultKind(
        "budget.time",
        "கணிப்பு நேர வரம்பு ({seconds} நொடி) முடிந்தது",
        "the computing time of {seconds} s is used up",
        "An activity computed longer than its budget. It cannot be caught.",
    ),
    FaultKind(
        "budget.steps",
        "படி வரம்பு ({steps}) முடிந்தது",
        "the budget of {steps} steps is used up",
        "An activity made more steps than its budget. It cannot be caught.",
    ),
    FaultKind(
        "budget.size",
        "ஒரு மதிப்பு {bytes} பைட்டுகளை விடப் பெரிதாகிறது",
        "a value grows beyond {bytes} bytes",
        "A text, array or record outgrew the budget. It cannot be caught.",
    ),
    FaultKind(
        "not_provided",
        "‘{name}’ இந்த இயக்கியில் இல்லை",
        "this runtime does not provide ‘{name}’",
        "A word of eTamil 2.0 that this runtime does not implement.",
    ),
    FaultKind(
        "not_here",
        "‘{name}’ இங்கே இயங்காது: {problem_ta}",
        "‘{name}’ does not work here: {problem_en}",
        "A word that needs a running service was used where there is none.",
    ),
    FaultKind(
        "no_request",
        "‘{name}’ ஒரு கோரிக்கையின் உள்ளே மட்டுமே",
        "‘{name}’ works only inside a request",
        "A request word outside a request.",
    ),
    # channels, locks, agents, auth …
    FaultKind("channel.closed", "சேனல் மூடப்பட்டது", "the channel is closed", "A send to a closed channel."),
    FaultKind(
        "channel.unavailable",
        "சேனலின் பதிவேட்டைப் பயன்படுத்த முடியவில்லை: {problem}",
        "the journal of the channel cannot be used: {problem}",
        "A message or durable job could not be written to the journal and was not kept, or none could be read: a full disk, perhaps.",
    ),
    FaultKind(
        "lock.deadlock",
        "பூட்டுகள் ஒன்றுக்காக ஒன்று காத்திருக்கின்றன: {who}",
        "a deadlock: {who}",
        "A cycle of activities that wait for each other.",
    ),
    FaultKind(
        "agent.message",
        "முகவருக்கு ‘{name}’ என்ற செய்தி தெரியாது",
        "the agent does not know the message ‘{name}’",
        "An agent got a message it has no handler for.",
    ),
    FaultKind(
        "agent.stopped",
        "முகவர் நிறுத்தப்பட்டது",
        "the agent has stopped",
        "A message to an agent that has ended.",
    ),
    FaultKind(
        "agent.self",
        "முகவர் தன்னையே கேட்க முடியாது",
        "an agent cannot ask itself",
        "An agent asked itself and would wait for ever.",
    ),
    FaultKind(
        "validation",
        "{problem_ta}",
        "{problem_en}",
        "Data from outside did not have the form that was declared.",
    ),
    FaultKind(
        "auth.missing",
        "அடையாளம் தேவை",
        "authentication is needed",
        "A guarded route was asked without a token, an API key or a session.",
    ),
    FaultKind("auth.forbidden", "அனுமதி இல்லை", "not permitted", "The user lacks the role."),
    FaultKind(
        "auth.invalid",
        "சீட்டு செல்லாது: {problem_ta}",
        "the token is not valid: {problem_en}",
        "A token or an API key that does not verify, or a login that is not believed.",
    ),
    FaultKind(
        "auth.unavailable",
        "அடையாள வழங்குநரை அடைய முடியவில்லை",
        "the identity provider cannot be reached",
        "It takes the identity provider to know who asks, and it cannot be reached now.",
    ),
    FaultKind("not_found", "கிடைக்கவில்லை", "not found", "What was asked for does not exist."),
    FaultKind("conflict", "முரண்பாடு", "conflict", "The state does not allow this now."),
    FaultKind("rate_limited", "கோரிக்கைகள் மிக அதிகம்", "too many requests", "A rate limit was exceeded."),
    FaultKind(
        "breaker.open",
        "‘{name}’ தற்காலிகமாக நிறுத்தப்பட்டுள்ளது",
        "‘{name}’ is switched off for a while",
        "A circuit breaker is open.",
    ),
    FaultKind(
        "config", "அமைப்பு: {problem_ta}", "configuration: {problem_en}", "A setting is missing or impossible."
    ),
    FaultKind(
        "expectation", "{problem_ta}", "{problem_en}", "An expectation of a test failed. It cannot be caught."
    ),
    FaultKind("raised", "{message}", "{message}", "Raised by the program with a code of its own."),
    FaultKind(
        "internal",
        "இயக்கியில் ஒரு பிழை: {problem}",
        "an error in the runtime itself: {problem}",
        "Our mistake; please report it.",
    ),
)

FAULT_OF = {kind.code: kind for kind in FAULTS}
assert len(FAULT_OF) == len(FAULTS), "two rows share an error code"


class Frame(NamedTuple):
    """One program call of a trace: where it stood, and in which function."""

    file: str
    line: int
    column: int
    function: str


class Fault(EtamilError):
    """A runtime error of a program.

    ``code`` is a row of ``FAULTS`` (or the program's own, with ``tamil`` and ``english`` given).
    The named values fill the row's texts and are kept in ``details``. ``trace`` lists program
    calls, innermost first, and is filled in by the machine.
    """

    def __init__(
        self,
        code: str,
        /,
        *,
        tamil: str | None = None,
        english: str | None = None,
        details: Mapping[str, object] | None = None,
        **values: object,
    ) -> None:
        kind = FAULT_OF.get(code)
        self.code = code
        self.tamil = tamil if tamil is not None else _fill(kind.tamil if kind else "{code}", code, values)
        self.english = (
            english if english is not None else _fill(kind.english if kind else "{code}", code, values)
        )
        self.details: dict[str, object] = dict(details if details is not None else values)
        self.trace: Sequence[Frame] = ()
        self.earlier: Fault | None = None
        super().__init__(code)

    @property
    def message(self) -> str:
        """Both languages on one line, as every message of the language."""
        if self.tamil == self.english:
            return self.tamil
        return f"{self.tamil}  ({self.english})"

    def __str__(self) -> str:
        return self.message


class BudgetSpent(ProgramEnd):
    """An activity used up its budget. It carries the ``Fault`` that is reported."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault = fault


class ExpectationFailed(BudgetSpent):
    """An expectation of a test failed, so the test is over. It is treated like a spent budget: nothing
    catches it, and the ``Fault`` that it carries is reported."""


KIND_IN_TAMIL = {
    "a number": "எண்",
    "a string": "உரை",
    "a boolean": "ஈர்ம மதிப்பு",
    "an array": "அணி",
    "a record": "பொருள்",
    "a result": "விளைவு",
    "a function": "செயல்",
    "nil": "இன்மை",
    "a channel": "சேனல்",
    "a lock": "பூட்டு",
    "a cell": "அணுக்கலம்",
    "a task": "பணி",
    "a job": "பின்னணிப் பணி",
    "an agent": "முகவர்",
    "a pool": "இணைப்புக்குளம்",
    "a connection": "இணைப்பு",
    "a cache": "கேச்",
    "a container": "முன்பதிகம்",
}
"""What வகை answers, in Tamil for messages; a shape's name is its own."""


LONGEST_SHOWN = 300
"""Letters of a value that a message shows."""


def _shortened(value: object) -> object:
    if isinstance(value, str) and len(value) > LONGEST_SHOWN:
        return value[:LONGEST_SHOWN] + "…"
    return value


def _fill(template: str, code: str, values: Mapping[str, object]) -> str:
    values = {name: _shortened(value) for name, value in values.items()}
    kind = values.get("kind")
    if isinstance(kind, str):
        values = {"kind_ta": KIND_IN_TAMIL.get(kind, kind), **values}
    try:
        return template.format(code=code, **values)
    except KeyError as missing:
        raise InternalError(f"{code} needs the value {missing}") from None
