"""Words that mean the request at hand. In tasks, jobs, agents and at the top level they raise ``no_request``.

What the program answers is kept on the activity (``said``) until its handler has ended: the last word counts,
and nothing is sent before. Words of streams and WebSockets, which do send, are in ``live.py``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from time import gmtime
from typing import TYPE_CHECKING, Any, Final, NoReturn
from urllib.parse import quote, urlsplit

from etamil_actors.actors.programs.exchange import Request, Upload
from etamil_actors.actors.programs.responses import URL_SIGNS, Answer, answer_value, headers_of
from etamil_actors.actors.programs.words import WORDS, tamil_of, word
from etamil_actors.errors import Fault
from etamil_actors.vm.builtins.errors import failed
from etamil_actors.vm.builtins.json import NotJson, json_bytes, json_text, parse_json_bytes
from etamil_actors.vm.builtins.registry import wrong_kind
from etamil_actors.vm.convert import text_of
from etamil_actors.vm.effects import OF_REQUESTS
from etamil_actors.vm.packages import BadPackage, packed
from etamil_actors.vm.values import UNSET, LateNames, Ok, TwoNamed, Value

if TYPE_CHECKING:
    from etamil_actors.actors.programs.activity import Activity

REQUEST_NAMES: Final = {
    "கோரிக்கை_முறை": "method",
    "பாதை": "path",
    "அளவுருக்கள்": "parameters",
    "வினவல்": "query",
    "தலைப்புகள்": "headers",
    "குக்கீகள்": "cookies",
    "உடலுரை": "body",
    "ஜேசான்_மதிப்பு": "json",
    "படிவம்": "form",
    "கோப்புகள்": "files",
    "பயனர்": "user",
    "அடையாளம்": "id",
    "முகவரி": "client",
}
"""The fields of கோரிக்கை: Tamil and English. ``csrf`` has one name, and is made when it is read."""

FILE_NAMES: Final = ("குறியீடு", "பெயர்", "கோப்புப்_பெயர்", "வகை", "அளவு")
"""The fields of an uploaded file (REFERENCE §19.3)."""


def request_of(activity: Activity, key: str) -> Request:
    """The request at hand.

    Raises:
        Fault: ``no_request``.
    """
    request = activity.request
    if request is None:
        raise Fault("no_request", name=tamil_of(OF_REQUESTS.get(key, key)))
    assert isinstance(request, Request)
    return request


# ---- reading --------------------------------------------------------------------------


@word("_request")
def read_request(activity: Activity) -> Value:
    """கோரிக்கை."""
    return request_record(request_of(activity, "_request"))


def request_record(request: Request) -> TwoNamed:
    """The request as a record, made when it is first read."""
    record = request.record
    if record is None:
        given = request.given
        record = request.record = TwoNamed(
            {
                "method": request.method,
                "path": request.path,
                "parameters": given["parameters"] if "parameters" in given else dict(request.parameters),
                "query": given.get("query") if "query" in given else request.query(),
                "headers": request.headers(),
                "cookies": request.cookies_sent(),
                "body": body_text(request),
                "json": json_of(request),
                "form": given.get("form") if "form" in given else request.form(),
                "files": files_of(request),
                "user": request.user,
                "id": request.id,
                "client": request.client,
            },
            LateNames(REQUEST_NAMES, {"csrf": request.csrf}),  # a session begins where it is asked for
        )
    return record


def body_text(request: Request) -> str:
    """The body as text; broken bytes are replaced."""
    return request.body.decode("utf-8", "replace")


def json_of(request: Request) -> Value:
    """The body as a value; இன்மை when it is no JSON."""
    if request.json is UNSET:
        try:
            request.json = parse_json_bytes(request.body) if request.body else None
        except (NotJson, UnicodeDecodeError):
            request.json = None
    return request.json


def why_no_json(request: Request) -> tuple[str, str]:
    """Why the body has no value, in Tamil and in English."""
    try:
        parse_json_bytes(request.body)
    except NotJson as why:
        return f"உடலுரை: {why.tamil}", f"the body: {why.english}"
    except UnicodeDecodeError:
        pass
    return "உடலுரை சரியான UTF-8 அல்ல", "the body is no valid UTF-8"


def files_of(request: Request) -> list[Value]:
    """The uploaded files, as descriptions; their bytes never become a value."""
    return [
        dict(zip(FILE_NAMES, (place, one.field, one.filename, one.kind, one.size), strict=True))
        for place, one in enumerate(request.uploads())
    ]


@word("_firstParameter")
def first_parameter(activity: Activity, given: Value = None) -> Value:
    """பணர௦_வெளிப்பாடு: the value of the first parameter of the path."""
    request = request_of(activity, "_firstParameter")
    return next(iter(request.parameters.values()), None)


@word("_saveUpload")
def save_upload(activity: Activity, place: Value, path: Value) -> Any:
    """பதிவேற்றம்_சேமி: store an uploaded file."""
    uploads = request_of(activity, "_saveUpload").uploads()
    if type(place) is Decimal and place == int(place):
        place = int(place)
    if type(place) is not int or not 0 <= place < len(uploads):
        return failed(f"{text_of(place)} என்ற எண்ணில் கோப்பு இல்லை", f"there is no uploaded file {text_of(place)}")
    return _save(activity, uploads[place], text_of(path))


async def _save(activity: Activity, upload: Upload, path: str) -> Value:
    system = activity.service.system

    def copy() -> int:
        size = 0
        for piece in upload.pieces():
            system.ports.files.write(path, piece, size > 0)
            size += len(piece)
        if not size:
            system.ports.files.write(path, b"")
        return size

    try:
        return Ok(await system.threads.call(copy))
    except OSError as trouble:
        why = trouble.strerror or str(trouble)
        return failed(f"‘{path}’ எழுத முடியவில்லை: {why}", f"cannot write ‘{path}’: {why}")


# ---- answering ------------------------------------------------------------------------


@word("respond")
def respond(activity: Activity, status: Value, body: Value, headers: Value = None) -> None:
    """பதில்: what is said last is the answer."""
    if activity.request is None:
        request_of(activity, "respond")
    activity.said = Answer(status, body, headers)
    if activity.service.answer_places:
        _tell_variables(activity, Answer(status, body, headers))


@word("respond_json")
def respond_json(activity: Activity, text: Value, status: Value = 200) -> None:
    """ஜேசான்_உரை: text is taken for JSON, anything else becomes it."""
    request_of(activity, "respond_json")
    body = text if type(text) is str else json_text(text)
    activity.said = Answer(status, body, {"Content-Type": "application/json"})
    if activity.service.answer_places:
        _tell_variables(activity, activity.said)


@word("_makeResponse")
def make_response(activity: Activity, status: Value, body: Value = None, headers: Value = None) -> Value:
    """பதில்_ஆக்கு: a response value; nothing is sent by it."""
    return answer_value(status, body, headers)


@word("_redirect")
def redirect(activity: Activity, url: Value, status: Value = 302) -> Value:
    """வழிமாற்று: a response that leads elsewhere."""
    target = text_of(url)
    if status not in (300, 301, 302, 303, 307, 308):
        raise Fault(
            "value.invalid",
            name=tamil_of("_redirect"),
            problem_ta=f"நிலை {text_of(status)} வழிமாற்றம் அல்ல; 301, 302, 303, 307, 308 இருக்கலாம்",
            problem_en=f"the status {text_of(status)} does not redirect; 301, 302, 303, 307 and 308 do",
        )
    headers = {"Location": _address(target), "Content-Type": "text/plain; charset=utf-8"}
    return answer_value(status, "", headers)


def _address(target: str) -> str:
    """A URL as it travels: Tamil letters percent-encoded, the name of a host in ASCII.

    Raises:
        Fault: ``value.invalid``, it is none.
    """
    try:
        if CONTROLS.search(target) is not None:
            raise ValueError(target)
        parts = urlsplit(target)
        host = parts.hostname or ""
        place = parts.netloc
        if not host.isascii():
            place = place.replace(host, host.encode("idna").decode("ascii"))
        return quote(parts._replace(netloc=place).geturl(), safe=URL_SIGNS)
    except (ValueError, UnicodeError):
        raise Fault(
            "value.invalid",
            name=tamil_of("_redirect"),
            problem_ta=f"‘{target}’ ஒரு முகவரி (URL) அல்ல",
            problem_en=f"‘{target}’ is no address (URL)",
        ) from None


CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f]")


@word("_respondFile")
async def respond_file(activity: Activity, status: Value, path: Value, headers: Value = None) -> Value:
    """பதில்_கோப்பு: a file as the answer, read when the handler has ended."""
    request_of(activity, "_respondFile")
    name = text_of(path)
    system = activity.service.system
    try:
        details = await system.threads.call(system.ports.files.details, name)
    except OSError as trouble:
        return failed(f"‘{name}’: {trouble.strerror}", f"‘{name}’: {trouble.strerror}")
    if details.folder:
        return failed(f"‘{name}’ ஒரு கோப்பு அல்ல", f"‘{name}’ is not a file")
    headers_of(headers)  # so that the program hears now what is wrong with them
    activity.said = Answer(status, "", headers, name)
    return Ok(name)


@word("_respondPackage")
async def respond_package(activity: Activity, status: Value, entries: Value, headers: Value = None) -> None:
    """பதில்_பொதி: a package (ZIP) as the answer, made of names and contents.

    Raises: Fault ``value.invalid``.
    """
    request_of(activity, "_respondPackage")
    if not isinstance(entries, dict):
        name = tamil_of("_respondPackage")
        raise wrong_kind(name, "பெயர்: உள்ளடக்கம் என்ற பொருள்", "a record of entries", entries)
    contents = {
        name: value.encode("utf-8", "replace") if type(value) is str else json_bytes(value)
        for name, value in entries.items()
    }
    given = dict(headers) if isinstance(headers, dict) else {}
    if not any(name.lower() == "content-type" for name in given):
        given["Content-Type"] = "application/zip"
    headers_of(given)  # so that the program hears now what is wrong with them
    system = activity.service.system
    moment = gmtime(int(system.ports.clock.wall()))[:6]
    try:
        package = await system.threads.compute(packed, contents, moment)
    except BadPackage as problem:
        raise Fault(
            "value.invalid",
            name=tamil_of("_respondPackage"),
            problem_ta=problem.tamil,
            problem_en=problem.english,
        ) from None
    activity.said = Answer(status, package, given)


def _tell_variables(activity: Activity, answer: Answer) -> None:
    """The program looks at ``response_status`` and its like: these hold what was said last."""
    machine = activity.machine
    assert machine is not None
    state = list(machine.save())
    for name, value in zip(("response_status", "response_body", "response_headers"), answer, strict=False):
        place = activity.service.answer_places.get(name)
        if place is not None:
            state[place] = value
    machine.restore(tuple(state))


def from_variables(activity: Activity) -> Answer | None:
    """What the handler's ``response_*`` variables say; the answer that was said before fills the rest."""
    machine = activity.machine
    assert machine is not None
    state = machine.save()
    said = activity.said
    parts: dict[str, Value] = {}
    for name, place in activity.service.answer_places.items():
        if state[place] is not UNSET:
            parts[name] = state[place]
    if not parts:
        return said
    first = said or Answer(200, "", None)
    file = parts.get("response_file", first.file)
    return Answer(
        parts.get("response_status", first.status),
        parts.get("response_body", first.body),
        parts.get("response_headers", first.headers),
        file if type(file) is str and file else None,
    )


# ---- cookies and sessions -------------------------------------------------------------


@word("_setCookie")
def set_cookie(activity: Activity, name: Value, value: Value, options: Value = None) -> None:
    """குக்கீ_அமை."""
    request = request_of(activity, "_setCookie")
    if options is not None and not isinstance(options, dict):
        raise wrong_kind(tamil_of("_setCookie"), "விருப்பங்களின் பொருள்", "a record of options", options)
    request.set_cookie(text_of(name), text_of(value), options or {})


@word("_session")
def read_session(activity: Activity) -> Value:
    """அமர்வு: the session as a record."""
    return dict(request_of(activity, "_session").session().values)


@word("_setSession")
def set_session(activity: Activity, key: Value, value: Value) -> None:
    """அமர்வு_அமை: change one key; இன்மை removes it."""
    request_of(activity, "_setSession").session().set(text_of(key), value)


@word("_endSession")
def end_session(activity: Activity) -> None:
    """அமர்வு_முடி."""
    request_of(activity, "_endSession").session().end()


# ---- all others, until their module comes ---------------------------------------------


def _refuse(name: str) -> Callable[..., Any]:
    def refuse(activity: Activity, *arguments: Value) -> NoReturn:
        raise Fault("no_request", name=tamil_of(name))

    return refuse


for _key, _name in OF_REQUESTS.items():
    if _key not in WORDS and _key not in ("_stream", "_live", "_wsReceive", "_wsSend"):
        word(_key)(_refuse(_name))
