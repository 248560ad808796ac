"""The programs of the founding documents do what their words say: each as a real process, asked over HTTP."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from tests.http_life.serving import Answer, Server
from tests.programs.running import output_of

FOUNDING = Path(__file__).resolve().parent.parent / "examples" / "founding"
PROGRAMS = sorted(path.name for path in FOUNDING.glob("*.qmz"))
SECRET = "a secret that is long enough for HS256"


class Begun:
    """A program of the founding documents that runs."""

    def __init__(self, folder: Path, program: str, environment: dict[str, str], **others: Any) -> None:
        text = (FOUNDING / program).read_text("utf-8")
        sections = {"database": {"default": {"url": "sqlite:mydb.db"}}, **others}
        self.server = Server(folder, text, others=sections, environment=environment)

    def get(self, path: str, token: str = "") -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer: Answer = self.server.ask("GET", path, **headers)
        return answer.status, json.loads(answer.body) if answer.body else None


@pytest.fixture
def begun(tmp_path: Path) -> Iterator[Any]:
    """Starts one of them: ``begun("00_minimal.qmz")``; at the end it stops in order, whatever it was asked."""
    running: list[Begun] = []

    def begin(program: str, *, environment: dict[str, str] | None = None, **others: Any) -> Begun:
        running.append(Begun(tmp_path, program, environment or {}, **others))
        return running[-1]

    try:
        yield begin
        for one in running:
            assert one.server.stop() == 0, one.server.said
    finally:
        for one in running:
            one.server.end()


def fill(folder: Path) -> None:
    """The table that the handlers expect."""
    database = sqlite3.connect(folder / "mydb.db")
    with database:
        database.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)")
        database.execute("INSERT INTO users VALUES (1, 'மலர்')")
    database.close()


def token(**claims: Any) -> str:
    return jwt.encode({"alg": "HS256"}, {"exp": 4_000_000_000, **claims}, OctKey.import_key(SECRET))


def logged(begun: Begun, event: str) -> dict[str, Any]:
    """A line of the log, once it has been written; it is JSON where nobody looks on."""
    begun.server.says(event)
    (line,) = [json.loads(line) for line in begun.server.raw if f'"event":"{event}"' in line][:1]
    return line


def test_all_of_them_are_tested() -> None:
    own = Path(__file__).read_text("utf-8")
    assert PROGRAMS
    assert [name for name in PROGRAMS if own.count(f'"{name}"') == 0] == []


def test_the_minimal_server_answers(begun: Any) -> None:
    one = begun("00_minimal.qmz")
    status, told = one.get("/hello")
    assert (status, told["message"]) == (200, "Hello from eTamil!")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*", told["timestamp"])
    assert one.get("/health") == (200, {"status": "healthy"})


def test_the_job_runs_and_the_message_comes_through_the_channel(begun: Any) -> None:
    one = begun("01_jobs_channels_locks.qmz")
    one.server.says("^message$")
    assert logged(one, "நிலை")["fields"] == {"நிலை": "processing"}


def test_the_lock_holds() -> None:
    text = (FOUNDING / "01_jobs_channels_locks.qmz").read_text("utf-8")
    rivals = """
    பணி_உருவாக்கு "முதல்வர்" { பூட்டு_பிடி(பூட்டு) { அச்சு "முதல்வர் உள்ளே"; உறங்கு(1); அச்சு "முதல்வர் வெளியே"; } }
    பணி_உருவாக்கு "அடுத்தவர்" { பூட்டு_பிடி(பூட்டு) { அச்சு "அடுத்தவர் உள்ளே"; } }
    """
    assert output_of(text + rivals) == ["message", "முதல்வர் உள்ளே", "முதல்வர் வெளியே", "அடுத்தவர் உள்ளே"]


def test_the_log_line_is_json_and_the_metrics_count(begun: Any) -> None:
    one = begun("02_logs_metrics.qmz")
    line = logged(one, "db_connection_failed")
    assert line["level"] == "error"
    assert line["fields"]["retry_count"] == 3
    assert line["fields"]["error"] == {"code": "db.unavailable"}
    assert one.server.metric("http_requests_total") == 1
    assert one.server.metric("request_duration_seconds_sum") == pytest.approx(0.125)


def test_pool_settings_and_container(begun: Any, tmp_path: Path) -> None:
    one = begun("03_pool_config_container.qmz")
    one.server.says(r"1 service started")
    assert (tmp_path / "mydb.db").exists(), "the pool has asked the database"


def test_the_guard_and_the_permission_refuse_without_a_token_and_a_role(begun: Any) -> None:
    auth = {"jwt": {"secret": SECRET, "algorithms": ["HS256"]}}
    one = begun("04_auth_cache_types.qmz", environment={"JWT_SECRET": SECRET}, auth=auth)
    assert one.get("/me")[0] == 401
    assert one.get("/me", token(sub="1", roles=["reader"]))[0] == 403
    status, claims = one.get("/me", token(sub="1", roles=["admin"]))
    assert (status, claims["sub"]) == (200, "1")
    assert one.get("/admin/users")[0] == 401
    assert one.get("/admin/users", token(sub="1", roles=["reader"]))[0] == 403
    admin = one.server.ask("GET", "/admin/users", Authorization=f"Bearer {token(sub='1', roles=['admin'])}")
    assert admin.status == 200
    one.server.says("Admin access granted")


def test_the_backend_reads_a_user_for_whoever_has_a_token(begun: Any, tmp_path: Path) -> None:
    one = begun("05_backend.qmz", auth={"jwt": {"secret": SECRET}})
    assert one.get("/api/users/1")[0] == 401
    status, told = one.get("/api/users/1", token(sub="1"))
    assert (status, told) == (500, {"error": "Internal Server Error"})
    assert logged(one, "user_fetch_failed")["level"] == "error"
    fill(tmp_path)
    assert one.get("/api/users/1", token(sub="1")) == (200, [{"id": 1, "name": "மலர்"}])


def test_handlers_as_jobs_answer_side_by_side(begun: Any, tmp_path: Path) -> None:
    one = begun("06_concurrent_handlers.qmz")
    status, told = one.get("/api/users/1")
    assert status == 500
    assert "users" in told["error"]
    fill(tmp_path)
    lines = [one.server.connect() for _ in range(20)]
    try:
        for line in lines:
            line.send(b"GET /api/users/1 HTTP/1.1\r\nHost: a\r\n\r\n")
        for line in lines:
            assert json.loads(line.answer().body) == [{"id": 1, "name": "மலர்"}]
    finally:
        for line in lines:
            line.close()


def test_a_missing_row_is_404_and_a_failed_query_500_and_a_log_line(begun: Any, tmp_path: Path) -> None:
    one = begun("07_error_handling.qmz")
    assert one.get("/users/1") == (500, {"error": "Internal Server Error"})
    assert logged(one, "db_query_failed")["fields"]["user_id"] in ("1", 1)
    fill(tmp_path)
    assert one.get("/users/1") == (200, {"id": 1, "name": "மலர்"})
    assert one.get("/users/2") == (404, {"error": "User not found"})


def test_the_test_in_the_language_is_ignored_by_up_and_its_route_answers(begun: Any) -> None:
    one = begun("08_tests.qmz")
    assert one.get("/api/hello") == (200, {"message": "Hello"})


def test_the_test_in_the_language_passes() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "etamil_actors", "test", str(FOUNDING / "08_tests.qmz")],
        capture_output=True, cwd=FOUNDING.parent.parent, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done
    assert "1 test, no failure" in done.stdout.decode()
