"""Words that ask other servers (REFERENCE §22), in services, in scripts, and as part of a trace."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import trio

from etamil_actors.actors.programs.activity import Activity
from etamil_actors.actors.programs.system import System
from etamil_actors.ports.web import WebError, WebSettings
from etamil_actors.resources.web.simulated import Answer, Asked, SimulatedWeb
from tests.conftest import Command
from tests.programs.running import output_of, run_program

URL = "http://shop.example"


def told(asked: Asked) -> Answer:
    """Answers with what it was asked."""
    mine = [f"{name}={value}" for name, value in sorted(asked.headers.items()) if name.startswith(("x-", "content-t"))]
    return Answer(200, "|".join((asked.method, asked.body.decode(), *mine)))


def web(**more: Any) -> SimulatedWeb:
    return SimulatedWeb({("*", f"{URL}/"): told, **more.pop("routes", {})}, WebSettings(**more))


# ---- the three words ------------------------------------------------------------------


def test_the_words_ask_and_any_answer_is_a_success() -> None:
    program = f"""
    வி = மதிப்பு(வலை_பெறு("{URL}/", {{"X-A": 1}}));
    அச்சு வி.நிலைக்_குறி; அச்சு வி.உடலுரை; அச்சு வகை(வி.தலைப்புகள்);
    அச்சு மதிப்பு(வலை_பதி("{URL}/", "வணக்கம்", {{"Content-Type": "text/plain"}})).உடலுரை;
    அச்சு மதிப்பு(வலை_அனுப்பு("put", "{URL}/", 12.50, {{}})).உடலுரை;
    அச்சு மதிப்பு(வலை_அனுப்பு("DELETE", "{URL}/", இன்மை, இன்மை)).உடலுரை;
    அச்சு மதிப்பு(வலை_பெறு("{URL}/missing", 5)).நிலைக்_குறி;
    """
    assert output_of(program, web=web()) == [
        "200", "GET||x-a=1", "a record", "POST|வணக்கம்|content-type=text/plain", "PUT|12.5", "DELETE|", "404",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("url", "said"),
    (
        ("http://nowhere.example/", "there is no address for ‘nowhere.example’"),
        ("http://169.254.169.254/", "‘169.254.169.254’ may not be asked: a metadata service of a cloud"),
        ("எங்கோ", "a URL begins with http:// or https://"),
    ),
)
def test_no_answer_is_a_failure_with_words_in_both_languages(url: str, said: str) -> None:
    [line] = output_of(f'அச்சு தவறு_மதிப்பு(வலை_பெறு("{url}", {{}}));', web=web())
    assert line.endswith(f"  ({said})")
    assert any("\u0b80" <= letter <= "\u0bff" for letter in line)


def test_a_failure_can_be_propagated_and_tried_again() -> None:
    count = 0

    def third(asked: Asked) -> Answer:
        nonlocal count
        count += 1
        if count < 3:
            raise WebError("மறுப்பு", "refused")
        return Answer(200, "கிடைத்தது")

    program = f'x = மீள்முயற்சி({{"தடவை": 3, "பின்வாங்கு": 1}}) {{ வலை_பெறு("{URL}/third", {{}}); }};\n அச்சு மதிப்பு(x).உடலுரை;'
    assert output_of(program, web=web(routes={("GET", f"{URL}/third"): third})) == ["கிடைத்தது"]


def test_a_body_is_read_as_its_charset_says_and_is_always_a_text() -> None:
    def answer(kind: str, body: bytes) -> Answer:
        return Answer(200, body, [("Content-Type", f"text/plain; charset={kind}")])

    routes = {
        ("GET", f"{URL}/1"): answer("latin-1", "é".encode("latin-1")), ("GET", f"{URL}/2"): answer("utf-16", "அ".encode("utf-16")),
        ("GET", f"{URL}/3"): answer("utf-8", b"a\xffb"), ("GET", f"{URL}/4"): answer("utf-7", b"+2D0-"),
    }  # fmt: skip
    program = "".join(f'அச்சு மதிப்பு(வலை_பெறு("{URL}/{n}", {{}})).உடலுரை;' for n in (1, 2, 3, 4))
    lines = output_of(program, web=web(routes=routes))
    assert lines[:3] == ["é", "அ", "a�b"]
    lines[3].encode()  # half a letter would not be one


def test_others_work_while_one_waits_for_an_answer() -> None:
    async def slow(asked: Asked) -> Answer:
        await trio.sleep(2)
        return Answer(200, "x")

    program = f"""
    செயல் கேள்() {{ திரும்பு மதிப்பு(வலை_பெறு("{URL}/slow", {{}})).உடலுரை; }}
    செயல் வேலை() {{ உறங்கு(1); அச்சு "இடையில்"; திரும்பு 1; }}
    அச்சு இணையாக([கேள், வேலை]);
    """
    assert output_of(program, web=web(routes={("GET", f"{URL}/slow"): slow})) == ["இடையில்", "[x, 1]"]


def test_a_time_limit_ends_a_request() -> None:
    async def never(asked: Asked) -> Answer:
        await trio.sleep_forever()
        raise AssertionError

    program = f"""
    முயல் {{ காலவரம்பு(3) {{ வலை_பெறு("{URL}/never", {{}}); }} }} பிழை(e) {{ அச்சு e.code; }}
    அச்சு தவறு_மதிப்பு(வலை_பெறு("{URL}/never", {{}}));
    """
    lines = output_of(program, web=web(routes={("GET", f"{URL}/never"): never}))
    assert lines[0] == "timeout"
    assert lines[1].endswith("(there was no whole answer within 30 s)")


def test_where_there_is_no_web_that_is_said() -> None:
    done = run_program(f'வலை_பெறு("{URL}/", {{}});', ports=lambda ports: replace(ports, web=None))
    assert done.fault is not None
    assert done.fault.code == "not_here"


# ---- traces ---------------------------------------------------------------------------

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CHILD = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"


class Span:
    """A span that keeps what it is told."""

    context = CHILD

    def __init__(self, *told: Any) -> None:
        self.told = told
        self.notes: dict[str, Any] = {}
        self.errors: list[str] = []

    def note(self, name: str, value: Any) -> None:
        self.notes[name] = value

    def end(self, error: str = "") -> None:
        self.errors.append(error)


class Tracer:
    """A tracer that keeps every span; one that does not ``sample`` makes none."""

    def __init__(self, sample: bool = True) -> None:
        self.spans: list[Span] = []
        self.sample = sample

    def begin(
        self, name: str, kind: str, parent: str, attributes: Mapping[str, Any] | None = None
    ) -> Span | None:
        if not self.sample:
            return None
        self.spans.append(Span(name, kind, parent, dict(attributes or {})))
        return self.spans[-1]


def traced(call: str, tracer: Tracer | None, trace: str = PARENT, seconds: float = 60) -> SimulatedWeb:
    """Run a call in an activity that belongs to a trace."""

    async def never(asked: Asked) -> Answer:
        await trio.sleep_forever()
        raise AssertionError

    client = web(routes={("GET", f"{URL}/bad"): Answer(503), ("GET", f"{URL}/never"): never})

    async def during(system: System) -> None:
        system.tracer = tracer  # type: ignore[assignment]
        service = next(iter(system.services.values()))
        activity = Activity(service, "தேடு")
        activity.trace = trace
        machine = service.take_machine()
        activity.enter(machine)
        with trio.move_on_after(seconds):
            await activity.live(machine.call, machine.functions["தேடு"])

    done = run_program(f"செயல் தேடு() {{ {call} திரும்பு 1; }}", during=during, web=client)
    assert done.problem is None
    return client


def test_the_trace_of_an_activity_goes_along() -> None:
    [asked] = traced(f'வலை_பெறு("{URL}/", {{}});', None).asked
    assert asked.headers["traceparent"] == PARENT


def test_without_a_trace_nothing_goes_along() -> None:
    [asked] = traced(f'வலை_பெறு("{URL}/", {{}});', None, trace="").asked
    assert "traceparent" not in asked.headers


def test_what_the_program_says_of_the_trace_counts() -> None:
    [asked] = traced(f'வலை_பெறு("{URL}/", {{"TraceParent": "mine"}});', Tracer()).asked
    assert asked.headers["traceparent"] == "mine"


def test_a_request_is_a_span_that_the_other_side_goes_on_with() -> None:
    tracer = Tracer()
    [asked] = traced(f'வலை_பெறு("{URL}/?password=x", {{}});', tracer).asked
    [span] = tracer.spans
    attributes = {"http.request.method": "GET", "server.address": "shop.example", "server.port": 80}
    assert span.told == ("GET shop.example", "client", PARENT, attributes)
    assert span.notes == {"http.response.status_code": 200}
    assert span.errors == [""]
    assert asked.headers["traceparent"] == CHILD


def test_a_trace_that_is_not_sampled_goes_along_as_it_is() -> None:
    [asked] = traced(f'வலை_பெறு("{URL}/", {{}});', Tracer(sample=False)).asked
    assert asked.headers["traceparent"] == PARENT


@pytest.mark.parametrize(("url", "error"), ((f"{URL}/bad", "503"), ("http://nowhere.example/", "web"), ("::", "web")))
def test_a_span_says_what_went_wrong(url: str, error: str) -> None:
    tracer = Tracer()
    traced(f'வலை_பெறு("{url}", {{}});', tracer)
    assert [span.errors for span in tracer.spans] == [[error]]


def test_the_span_of_a_request_that_is_cancelled_ends() -> None:
    tracer = Tracer()
    traced(f'வலை_பெறு("{URL}/never", {{}});', tracer, seconds=5)
    assert [span.errors for span in tracer.spans] == [["cancelled"]]


# ---- real ones ------------------------------------------------------------------------


class Handler(BaseHTTPRequestHandler):
    """Answers with what it was asked."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.send_header("X-Path", self.path)
        self.end_headers()
        self.wfile.write(b"you said " + body)

    def log_message(self, *words: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    """A server of the standard library on loopback."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()
        thread.join()


def test_a_script_asks_a_server(server: str, command: Command) -> None:
    program = f"""
    வி = மதிப்பு(வலை_பதி("{server}/பக்கம்", "வணக்கம்", {{}}));
    அச்சு வி.நிலைக்_குறி; அச்சு வி.உடலுரை; அச்சு வி.தலைப்புகள்["x-path"];
    """
    done = command("run", "-", stdin=program)
    assert (done.stdout, done.stderr) == ("201\nyou said வணக்கம்\n/%E0%AE%AA%E0%AE%95%E0%AF%8D%E0%AE%95%E0%AE%AE%E0%AF%8D\n", "")


def test_a_script_is_told_of_certificates_that_cannot_be_used(server: str, command: Command) -> None:
    program = f'அச்சு மதிப்பு(வலை_பதி("{server}/", "x", {{}})).உடலுரை;'
    done = command("run", "-", stdin=program, ETAMIL_TLS_CA="/nowhere.pem")
    assert done.stdout == "you said x\n"
    assert done.stderr == (
        "· ETAMIL_TLS_CA: பயன்படுத்த முடியவில்லை; விடப்படுகிறது: No such file or directory"
        "  (ETAMIL_TLS_CA cannot be used and is ignored: No such file or directory)\n"
    )


def test_who_asks_nobody_loads_no_client() -> None:
    code = (
        "import sys; from etamil_actors.cli import main; sys.argv = ['etamil-actors', 'run', '-'];\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print([name for name in sys.modules if name.startswith(('httpx', 'httpcore', 'certifi'))])"
    )
    program = 'செயல் f() { திரும்பு வலை_பெறு("x", {}); }\n அச்சு 1;'
    done = subprocess.run([sys.executable, "-c", code], input=program.encode(), capture_output=True, timeout=60)
    assert done.stdout.decode().splitlines()[-1] == "[]", done.stderr.decode()
