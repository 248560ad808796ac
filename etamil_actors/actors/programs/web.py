"""Words that ask other servers (REFERENCE §22).

Any answer is a சரி, whatever its status; only when there is none the program gets a தவறு, which says why in
both languages. The trace of the activity goes along, unless the program sends one of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from etamil_actors.actors.programs.words import word
from etamil_actors.errors import Fault
from etamil_actors.ports.web import WebAnswer, WebError
from etamil_actors.vm.builtins.errors import failed
from etamil_actors.vm.convert import text_of
from etamil_actors.vm.values import Ok, Value

if TYPE_CHECKING:
    from etamil_actors.actors.programs.activity import Activity
    from etamil_actors.ports.telemetry import Span

TRACE: Final = "traceparent"

STATUS, BODY, HEADERS = "நிலைக்_குறி", "உடலுரை", "தலைப்புகள்"


@word("_httpGet")
def get(activity: Activity, url: Value, headers: Value) -> Any:
    """வலை_பெறு."""
    return _ask(activity, "GET", text_of(url), None, headers)


@word("_httpPost")
def post(activity: Activity, url: Value, body: Value, headers: Value) -> Any:
    """வலை_பதி."""
    return _ask(activity, "POST", text_of(url), text_of(body).encode(), headers)


@word("_httpRequest")
def request(activity: Activity, method: Value, url: Value, body: Value, headers: Value) -> Any:
    """வலை_அனுப்பு."""
    data = None if body is None else text_of(body).encode()
    return _ask(activity, text_of(method).upper(), text_of(url), data, headers)


async def _ask(activity: Activity, method: str, url: str, body: bytes | None, headers: Value) -> Value:
    web = activity.service.system.ports.web
    if web is None:
        raise Fault(
            "not_here",
            name="வலை",
            problem_ta="இங்கே இணையம் இல்லை",
            problem_en="there is no web here",
        )
    lines = [(key, text_of(value)) for key, value in headers.items()] if isinstance(headers, dict) else []
    span = _begin(activity, method, url)
    context = span.context if span is not None else activity.trace
    if isinstance(context, str) and context and all(name.lower() != TRACE for name, _ in lines):
        lines.append((TRACE, context))
    error = "cancelled"
    try:
        answer = await web.request(method, url, body, lines)
        error = ""
    except WebError as trouble:
        error = "web"
        return failed(trouble.tamil, trouble.english)
    finally:
        if span is not None:
            if not error:
                span.note("http.response.status_code", answer.status)
                error = str(answer.status) if answer.status >= 400 else ""
            span.end(error)
    return Ok(_record(answer))


def _begin(activity: Activity, method: str, url: str) -> Span | None:
    tracer = activity.service.system.tracer
    if tracer is None:
        return None
    try:
        found = urlsplit(url)
        host, port = found.hostname or "", found.port or (443 if found.scheme == "https" else 80)
    except ValueError:
        host, port = "", 0
    parent = activity.trace if isinstance(activity.trace, str) else ""
    # Of the URL only the place: its path and query may hold what is nobody else's business.
    attributes: dict[str, str | int | float | bool] = {
        "http.request.method": method, "server.address": host, "server.port": port,
    }  # fmt: skip
    return tracer.begin(f"{method} {host}", "client", parent, attributes)


def _record(answer: WebAnswer) -> Value:
    text = answer.body.decode(answer.charset, "replace")
    if not text.isascii():  # some charsets can spell half a letter, which no text of a program may hold
        text = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return {STATUS: answer.status, BODY: text, HEADERS: dict(answer.headers)}
