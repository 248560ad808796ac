"""New code while clients come and go: ``up --watch`` and SIGHUP, as a real process under load."""

from __future__ import annotations

import json
import shutil
import signal
import threading
from pathlib import Path

import pytest

from tests.child import ETAMIL_ACTORS, ChildProcess, plain_environment
from tests.http_life.serving import Line, Server, Start, request

PROGRAM = """
முகவர் எண்ணி() {{
    தொகை = 0;
    செய்தி கூட்டு() {{ தொகை = தொகை + 1; திரும்பு தொகை; }}
    செய்தி பார்() {{ திரும்பு தொகை; }}
}}
எ = முகவர்_தொடங்கு(எண்ணி, [], {{"keep": மெய், "name": "எண்ணி"}});
வேலைகள் = சேனல்_உருவாக்கு("வேலை");
பணி_உருவாக்கு "கையாள்", {{"channel": வேலைகள்}} {{ எ.கூட்டு(); }}
வழி பெறு, "/version" {{ ஜேசான்_உரை ஜேசான்_ஆக்கு({version}); }}
வழி பெறு, "/wait/:s" {{ உறங்கு(எண்ணாக்கு(param_s)?); ஜேசான்_உரை ஜேசான்_ஆக்கு({version}); }}
வழி பதி, "/send" {{ சேனல்_அனுப்பு(வேலைகள், 1); பதில் 202, ""; }}
வழி பெறு, "/count" {{ ஜேசான்_உரை ஜேசான்_ஆக்கு(எ.பார்()); }}
"""
BROKEN = (
    "x = ;\n",
    'வழி பெறு, "/x" { பதில் 200, 1; }\nx = 1 / 0;\n',
    'ந = 0;\nபணி_உருவாக்கு "அ", {"every": ந} { }\n',
    'வழி பெறு, "/x" { பதில் 200, 1; }\nx = இல்லாதது;\n',
)


class Clients:
    """Clients on connections that stay open. Whatever is no good answer is kept."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._is_over = threading.Event()
        self.wrong: list[str] = []
        self.versions: set[int] = set()
        self.sent = 0
        self._lock = threading.Lock()
        paths = ("/version", "/version", "/wait/0.05", "/wait/0.3", "/send", "/send")
        self._threads = [threading.Thread(target=self._run, args=(path,)) for path in paths]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def _run(self, path: str) -> None:
        try:
            with self._server.connect() as line:
                while not self._is_over.is_set():
                    self._ask(line, path)
        except Exception as problem:  # noqa: BLE001  a client that loses its connection tells
            self.wrong.append(f"{path}: {problem!r}")

    def _ask(self, line: Line, path: str) -> None:
        method = "POST" if path == "/send" else "GET"
        line.send(request(method, path))
        answer = line.answer(method)
        with self._lock:
            if answer.status not in (200, 202) or answer.closes:
                self.wrong.append(f"{path}: {answer}")
            elif path == "/send":
                self.sent += 1
            else:
                self.versions.add(json.loads(answer.body))


def write(server: Server, text: str) -> None:
    """As editors do: a file beside it takes its place."""
    beside = server.folder / ".life.qmz.new"
    beside.write_text(text, "utf-8")
    beside.replace(server.folder / "life.qmz")


@pytest.mark.parametrize("by", ["--watch", "SIGHUP"])
def test_new_code_takes_over_and_nobody_is_sent_away(start: Start, by: str) -> None:
    server = start(program=PROGRAM.format(version=0), options=("--watch",) if by == "--watch" else ())

    def save(text: str) -> None:
        write(server, text)
        if by == "SIGHUP":
            server.gets(signal.SIGHUP)

    good, bad = 0, 0
    with Clients(server) as clients:
        for broken in BROKEN:
            good += 1
            save(PROGRAM.format(version=good))
            server.says("the new code runs", good)
            bad += 1
            save(broken)
            server.says("goes on with the old code", bad)
            assert server.json("/version") == good
    assert not clients.wrong
    assert clients.versions <= set(range(good + 1))
    assert good in clients.versions
    # Every message is handled once, and the agent has kept count over all generations.
    counts = [0]
    while counts[-1] < clients.sent and len(counts) < 5000:
        counts.append(server.json("/count"))
    assert counts[-1] == clients.sent
    assert server.stop() == 0


def test_a_service_walks_from_its_start_to_its_end_and_no_request_fails(start: Start) -> None:
    server = start(program=PROGRAM.format(version=0), options=("--watch",))
    config = server.folder / "config.yaml"
    setup = json.loads(config.read_text("utf-8"))
    slow = 'வழி பெறு, "/slow" { அச்சு "வந்தது"; உறங்கு(0.3); பதில் 200, "முடிந்தது"; }\n'
    (server.folder / "more.qmz").write_text(slow, "utf-8")
    with Clients(server) as clients:
        assert server.json("/version") == 0
        write(server, PROGRAM.format(version=1))
        server.says("life: the new code runs")
        assert server.json("/version") == 1
        write(server, "x = ;\n")
        server.says(r"life.qmz: \[E0201\] வரி 1")
        server.says("goes on with the old code")
        write(server, PROGRAM.format(version=2) + "x = 1 / 0;\n")
        server.says("life: புதிய நிரல் தொடங்கவில்லை")
        server.says("goes on with the old code", 2)
        assert server.json("/version") == 1
        write(server, PROGRAM.format(version=2))
        server.says("life: the new code runs", 2)
        assert server.json("/version") == 2
        config.write_text(json.dumps(setup | {"services": ["life.qmz", "more.qmz"]}), "utf-8")
        server.gets(signal.SIGHUP)
        server.says("more: the new code runs")
        assert server.ask("GET", "/slow").status == 200
        config.write_text(json.dumps(setup | {"servces": []}), "utf-8")
        server.gets(signal.SIGHUP)
        server.says("config.yaml:1: there is no setting ‘servces’; did you mean ‘services’")
        server.says("goes on with the old code", 3)
        assert server.ask("GET", "/slow").status == 200
    assert not clients.wrong
    assert clients.versions <= {0, 1, 2}
    with server.connect() as line:
        line.send(request("GET", "/slow"))
        server.says("வந்தது", 3)
        server.gets(signal.SIGTERM)
        assert line.answer("GET").body.decode() == "முடிந்தது"
    assert server.ends() == 0
    assert "everything has stopped in order" in server.said


def test_a_stream_goes_on_with_the_code_that_it_began_with(start: Start) -> None:
    text = 'வழி ஓடை, "/live" {{ ஒவ்வொரு எ இல் [1, 2, 3] {{ ஓடை_அனுப்பு("{version}:" & எ); உறங்கு(0.4); }} }}\n'
    server = start(program=text.format(version="a"))
    with server.connect() as line:
        line.send(request("GET", "/live"))
        line.until(b"a:1")
        write(server, text.format(version="b"))
        server.gets(signal.SIGHUP)
        server.says("the new code runs")
        line.until(b"a:3")
    with server.connect() as line:
        line.send(request("GET", "/live"))
        line.until(b"b:1")
    assert server.stop() == 0


def test_the_configuration_is_read_again(start: Start, tmp_path: Path) -> None:
    server = start(program='வழி பெறு, "/a" { பதில் 200, "a"; }\n')
    config = server.folder / "config.yaml"
    setup = json.loads(config.read_text("utf-8"))
    (server.folder / "more.qmz").write_text('வழி பெறு, "/b" { பதில் 200, "b"; }\n', "utf-8")

    def read_again(changed: dict[str, object], says: str, times: int = 1) -> None:
        config.write_text(json.dumps(setup | changed), "utf-8")
        server.gets(signal.SIGHUP)
        server.says(says, times)

    assert server.ask("GET", "/b").status == 404
    read_again({"services": ["life.qmz", "more.qmz"]}, "more: the new code runs")
    assert server.ask("GET", "/b").status == 200
    read_again({"servces": []}, "goes on with the old code")
    assert "servces" in server.said
    read_again({}, "more: removed")
    assert server.ask("GET", "/b").status == 404
    assert server.ask("GET", "/a").status == 200
    read_again({"http": {**setup["http"], "body": "2 MiB"}}, r"http: the new settings hold")
    config.unlink()
    server.gets(signal.SIGHUP)
    server.says("goes on with the old code", 2)
    assert server.stop() == 0


def test_a_module_that_a_program_uses_is_watched_too(start: Start) -> None:
    folder_text = 'இறக்கு "தொகுதி.qmz";\nவழி பெறு, "/v" { ஜேசான்_உரை ஜேசான்_ஆக்கு(பதிப்பு()); }\n'
    server = start(program="x = 1;\n", options=("--watch",))
    (server.folder / "தொகுதி.qmz").write_text("செயல் பதிப்பு() { திரும்பு 1; }\n", "utf-8")
    write(server, folder_text)
    server.says("the new code runs")
    assert server.json("/v") == 1
    (server.folder / "தொகுதி.qmz").write_text("செயல் பதிப்பு() { திரும்பு 2; }\n", "utf-8")
    server.says("the new code runs", 2)
    assert server.json("/v") == 2
    assert server.stop() == 0


def test_what_is_saved_while_everything_starts_is_taken_then(start: Start) -> None:
    server = start(program='அச்சு "தொடங்குகிறது";\nஉறங்கு(0.5);\nவழி பெறு, "/a" { பதில் 200, "old"; }\n', is_awaited=False)
    server.says("தொடங்குகிறது")
    write(server, 'வழி பெறு, "/a" { பதில் 200, "new"; }\n')
    server.gets(signal.SIGHUP)
    server.says("life: the new code runs")
    assert server.ask("GET", "/a").body == b"new"
    assert server.stop() == 0


def test_a_process_that_is_to_end_gives_up_code_that_has_not_started_yet(start: Start) -> None:
    server = start(program='வழி பெறு, "/a" { பதில் 200, "old"; }\n')
    write(server, 'அச்சு "தொடங்குகிறது";\nஉறங்கு(60);\nவழி பெறு, "/a" { பதில் 200, "new"; }\n')
    server.gets(signal.SIGHUP)
    server.says("தொடங்குகிறது")
    assert server.stop() == 0
    assert "Traceback" not in server.said
    assert server.lines[-1].endswith("(everything has stopped in order)")


def test_what_keeps_new_code_from_starting_is_told_once(start: Start) -> None:
    server = start(program='வழி பெறு, "/a" { பதில் 200, "old"; }\n')
    write(server, 'x = 1 / 0;\nவழி பெறு, "/a" { பதில் 200, "new"; }\n')
    server.gets(signal.SIGHUP)
    server.says("goes on with the old code")
    assert server.said.count("division by zero") == 1
    assert "life: புதிய நிரல் தொடங்கவில்லை  (the new code did not start)" in server.said
    assert server.said.count("life.qmz: வரி 1") == 1
    assert server.stop() == 0


def test_a_folder_that_is_made_anew_is_watched_like_the_old_one(tmp_path: Path) -> None:
    folder = tmp_path / "உள்ளே"

    def save(version: str) -> None:
        (folder / "b.qmz").write_text(f'வழி பெறு, "/" {{ பதில் 200, "{version}"; }}\n', "utf-8")

    folder.mkdir()
    save("1")
    (tmp_path / "config.yaml").write_text('services: ["உள்ளே/b.qmz"]\nhttp: { bind: "127.0.0.1:0" }\n', "utf-8")
    with Server.at(tmp_path, "--watch") as server:
        shutil.rmtree(folder)  # as ‘git checkout’ does
        folder.mkdir()
        save("2")
        server.says("b: the new code runs")
        assert server.ask("GET", "/").body == b"2"
        save("3")
        server.says("b: the new code runs", 2)
        assert server.ask("GET", "/").body == b"3"


def test_whoever_writes_the_first_route_while_the_program_runs_is_told_what_it_needs(tmp_path: Path) -> None:
    program = tmp_path / "a.qmz"
    program.write_text('பணி_உருவாக்கு "செய்", {"இடைநேரம்": 60} { }\n', "utf-8")
    with ChildProcess((*ETAMIL_ACTORS, "up", "--watch", "a.qmz"), tmp_path, plain_environment(tmp_path)) as child:
        child.says("Ctrl-C stops")
        program.write_text('வழி பெறு, "/" { பதில் 200, ""; }\n', "utf-8")
        child.says("a: its address is opened when the process is started anew")
        assert child.stop() == 0
