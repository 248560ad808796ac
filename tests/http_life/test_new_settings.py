"""SIGHUP with other settings: they hold for what comes from now on, and nobody loses a connection."""

from __future__ import annotations

import hashlib
import json
import re
import signal
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.http_life.serving import Line, Server, Start, WebSocket, request

PROGRAM = """
வழி பெறு, "/" { பதில் 200, "ok"; }
வழி பதி, "/size" { பதில் 200, நீளம்(request_body); }
வழி பெறு, "/slow" { உறங்கு(1.5); பதில் 200, "ok"; }
வழி பெறு, "/mine", ["editor"] { பதில் 200, "ok"; }
வழி பெறு, "/kept" {
    விகல்_செய்("CREATE TABLE IF NOT EXISTS t (n INTEGER)");
    விகல்_செய்("INSERT INTO t VALUES (1)");
    பதில் 200, விகல்_ஒன்று("SELECT count(*) AS n FROM t").n;
}
வழி பெறு, "/ask/:port" {
    வி = வலை_பெறு("http://127.0.0.1:" & param_port & "/", {});
    பதில் 200, சரியா(வி);
}
வழி WS, "/live" { ஒவ்வொரு சொன்னது இல் நேரலை { நேரலை_அனுப்பு(சொன்னது); } }
"""


class World:
    """A server, and its configuration as it is now."""

    def __init__(self, folder: Path, program: str = PROGRAM, **setup: Any) -> None:
        self.folder = folder
        (folder / "a.qmz").write_text(program, "utf-8")
        self.setup: dict[str, Any] = {"services": ["a.qmz"], "http": {"bind": ["127.0.0.1:0"]}, **setup}
        self._write()
        self.server = Server.at(folder)

    def _write(self) -> None:
        (self.folder / "config.yaml").write_text(json.dumps(self.setup), "utf-8")

    def again(self, said: str, *, times: int = 1, **setup: Any) -> None:
        """Change something, and let the server read it again, until it has said this."""
        http = setup.pop("http", None)
        self.setup |= setup
        if http is not None:
            self.setup["http"] = {"bind": ["127.0.0.1:0"], **http}
        self._write()
        self.server.gets(signal.SIGHUP)
        self.server.says(said, times)

    def end(self) -> None:
        self.server.end()


@pytest.fixture
def world(tmp_path: Path) -> Any:
    made = World(tmp_path, database={"default": {"url": "sqlite:one.db"}})
    yield made
    made.end()


HOLD = r"the new settings hold"


def test_limits_and_headers_hold_for_the_next_request_of_an_open_connection(world: World) -> None:
    with world.server.connect() as line:
        assert line.ask("POST", "/size", b"x" * 2000).status == 200
        world.again(HOLD, http={"body": "1kB", "cors": {"origins": ["https://kadai.example"]}, "paths": {"docs": "/பக்கம்"}})
        answer = line.ask("GET", "/", Origin="https://kadai.example")
        assert answer.headers["access-control-allow-origin"] == "https://kadai.example"
        assert line.ask("GET", "/%E0%AE%AA%E0%AE%95%E0%AF%8D%E0%AE%95%E0%AE%AE%E0%AF%8D").status == 200
        assert line.ask("GET", "/docs").status == 404
        assert line.ask("POST", "/size", b"x" * 2000).status == 413


def test_the_time_of_handlers_changes_for_requests_that_come_then(world: World) -> None:
    with world.server.connect() as slow, world.server.connect() as next_one:
        slow.send(request("GET", "/slow"))
        assert next_one.ask("GET", "/").status == 200  # it has been read by now, and so has the other
        world.again(HOLD, http={"handler_time": "200ms"})
        assert next_one.ask("GET", "/slow").status == 504
        assert slow.answer().status == 200


def test_roles_and_keys_change(world: World) -> None:
    key = "a-key-of-more-than-thirty-two-letters"
    digest = hashlib.sha256(key.encode()).hexdigest()
    assert world.server.ask("GET", "/mine", X_API_Key=key).status == 401
    world.again("auth: " + HOLD, auth={"keys": {"malar": {"hash": digest, "roles": ["chief"]}}})
    assert world.server.ask("GET", "/mine", X_API_Key=key).status == 403
    world.again("auth: " + HOLD, times=2, auth={"roles": {"chief": ["editor"]}, **world.setup["auth"]})
    assert world.server.ask("GET", "/mine", X_API_Key=key).status == 200


def test_another_database_takes_its_place(world: World) -> None:
    assert world.server.json("/kept") == 1
    assert world.server.json("/kept") == 2
    world.again(r"a: the new code runs", database={"default": {"url": "sqlite:two.db"}})
    assert world.server.json("/kept") == 1
    assert world.server.json("/kept") == 2
    assert (world.folder / "two.db").exists()


def test_where_programs_may_go_changes(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]

        def answer() -> None:
            connection, _ = nobody.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        assert world.server.ask("GET", f"/ask/{port}").body == b"true"
        thread.join(10)
        world.again("web: " + HOLD, web={"deny": ["127.0.0.0/8"]})
        assert world.server.ask("GET", f"/ask/{port}").body == b"false"


def test_live_connections_stay(world: World) -> None:
    with world.server.connect() as line:
        live = WebSocket(line)
        live.say("முன்")
        assert live.hears() == "முன்"
        world.again(HOLD, http={"body": "2MiB", "websocket": {"message": "1kB"}})
        live.say("பின்")
        assert live.hears() == "பின்"
    assert world.server.stop() == 0


def test_what_cannot_change_is_said_once_and_the_rest_holds(world: World) -> None:
    world.again(
        r"http\.bind, observer: changes of these take effect when the process is started anew",
        http={"bind": ["127.0.0.1:1"], "body": "1kB"},
        observer={"bind": "127.0.0.1:0"},
    )
    assert world.server.ask("POST", "/size", b"x" * 2000).status == 413
    program = world.folder / "a.qmz"
    program.write_text(PROGRAM.replace('பெறு, "/" { பதில் 200, "ok"', 'பெறு, "/" { பதில் 200, "new"'), "utf-8")
    world.again(r"a: the new code runs")
    assert world.server.ask("GET", "/").body == b"new"
    assert len(re.findall("take effect when", world.server.said)) == 1


def test_what_makes_no_sense_changes_nothing(world: World) -> None:
    world.again("what runs goes on with the old code", http={"body": "1kB", "cors": {"origins": ["*"], "credentials": True}})
    assert world.server.ask("POST", "/size", b"x" * 2000).status == 200


def test_a_certificate_that_was_renewed_is_used_without_a_start(start: Start, tmp_path: Path) -> None:
    server = start("full")
    with server.connect() as before:
        assert before.ask("GET", "/").status in (200, 404)
        first = server.certificate.context  # type: ignore[union-attr]
        authority = trustme.CA()
        issued = authority.issue_cert("127.0.0.1")
        setup = json.loads((server.folder / "config.yaml").read_text("utf-8"))
        for name in ("certificate", "key"):
            setup["http"]["tls"][name] = str(tmp_path / f"{name}.pem")
        issued.cert_chain_pems[0].write_to_path(tmp_path / "certificate.pem")
        issued.private_key_pem.write_to_path(tmp_path / "key.pem")
        (server.folder / "config.yaml").write_text(json.dumps(setup), "utf-8")
        server.gets(signal.SIGHUP)
        server.says("http: " + HOLD)
        with pytest.raises(ssl.SSLCertVerificationError):
            first.wrap_socket(socket.create_connection(("127.0.0.1", server.port), 10), server_hostname="127.0.0.1")
        context = ssl.create_default_context()
        authority.configure_trust(context)
        with Line(context.wrap_socket(socket.create_connection(("127.0.0.1", server.port), 10), server_hostname="127.0.0.1")) as line:
            assert line.ask("GET", "/").status in (200, 404)
        assert before.ask("GET", "/").status in (200, 404), "who had come before goes on"
        # The same files with something else in them: read again, too.
        (tmp_path / "certificate.pem").write_text("broken", "utf-8")
        server.gets(signal.SIGHUP)
        server.says(r"http\.tls: the certificate or its key cannot be used")
        with Line(context.wrap_socket(socket.create_connection(("127.0.0.1", server.port), 10), server_hostname="127.0.0.1")) as line:
            assert line.ask("GET", "/").status in (200, 404)
    assert server.stop() == 0


KEEPS = """
வழி பெறு, "/in" { அமர்வு_அமை("பயனர்", "மலர்"); பதில் 200, "ok"; }
வழி பெறு, "/who" { பதில் 200, அமர்வு; }
"""


def test_who_has_a_session_keeps_it_where_nobody_has_said_a_secret(tmp_path: Path) -> None:
    world = World(tmp_path, KEEPS)
    try:
        came = world.server.ask("GET", "/in").headers["set-cookie"].partition(";")[0]
        world.again(HOLD, http={"session": {"lifetime": "3h"}})
        assert json.loads(world.server.ask("GET", "/who", Cookie=came).body) == {"பயனர்": "மலர்"}
        # A secret that signs until another signs, and is then among the old ones.
        one, two = "one-secret-that-is-long-enough", "another-secret-that-is-long-enough"
        world.again(HOLD, times=2, http={"session": {"secret": one}})
        assert json.loads(world.server.ask("GET", "/who", Cookie=came).body) == {}
        came = world.server.ask("GET", "/in").headers["set-cookie"].partition(";")[0]
        world.again(HOLD, times=3, http={"session": {"secret": two, "old_secrets": [one]}})
        assert json.loads(world.server.ask("GET", "/who", Cookie=came).body) == {"பயனர்": "மலர்"}
        came = world.server.ask("GET", "/in").headers["set-cookie"].partition(";")[0]
        world.again(HOLD, times=4, http={"body": "1kB"})  # not said any more: the last one goes on
        assert json.loads(world.server.ask("GET", "/who", Cookie=came).body) == {"பயனர்": "மலர்"}
    finally:
        world.end()


def test_a_service_whose_code_is_refused_keeps_its_database_until_it_is_mended(world: World) -> None:
    assert world.server.json("/kept") == 1
    program = world.folder / "a.qmz"
    program.write_text(f"{PROGRAM}x = 1 / 0;\n", "utf-8")
    world.again("the old code", database={"default": {"url": "sqlite:in/a/new/folder/two.db"}})
    assert world.server.json("/kept") == 2
    program.write_text(PROGRAM, "utf-8")  # what runs already; but its database is another
    world.again("a: the new code runs")
    assert world.server.json("/kept") == 1
    assert (world.folder / "in/a/new/folder/two.db").exists()


LOGS = """
அமை_புரோ { "log_level": "error" };
வழி பெறு, "/" { பதிவு_எச்சரிக்கை("வந்தது", {"ஊர்": "மதுரை"}); பதில் 200, "ok"; }
"""


def test_what_is_logged_changes_and_what_the_program_says_of_it_still_counts(tmp_path: Path) -> None:
    world = World(tmp_path, LOGS)
    try:
        world.server.ask("GET", "/")
        world.again("log: " + HOLD, log={"mask": ["ஊர்"]})
        world.server.ask("GET", "/")
        world.again("log: " + HOLD, times=2, log={"levels": {"a": "warn"}, "mask": ["ஊர்"], "format": "text"})
        world.server.ask("GET", "/")
        world.server.says(r"^⚠ a · GET /: வந்தது")
        assert "மதுரை" not in world.server.said
        assert len(re.findall("வந்தது", world.server.said)) == 1, "the program logs errors only"
        world.again(r"log\.levels: there is no service ‘b’; there is a", log={"levels": {"b": "info"}})
    finally:
        world.end()


def test_the_name_and_the_number_of_processes_wait_for_another_start(world: World) -> None:
    world.again("name, processes: changes of these take effect when", name="மற்றொன்று", processes=3)


def test_of_two_services_with_one_path_that_which_is_named_first_has_it(world: World) -> None:
    for name in ("b", "c"):
        (world.folder / f"{name}.qmz").write_text(f'வழி பெறு, "/" {{ பதில் 200, "{name}"; }}\n', "utf-8")
    world.again("a: removed", services=["b.qmz"])  # it is in the place of another, and takes nothing from it
    assert world.server.ask("GET", "/").body == b"b"
    assert "is never used" not in world.server.said
    world.again("c: the new code runs", services=["c.qmz", "b.qmz"])
    assert world.server.ask("GET", "/").body == b"c"
    world.again("c: GET /: ‘b’ has the same route, so this one is never used", services=["b.qmz", "c.qmz"])
    assert world.server.ask("GET", "/").body == b"b"
