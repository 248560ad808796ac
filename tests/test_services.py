"""The services of this repository, run as ``make up`` runs them: the root ``config.yaml``, a real process, requests."""

from __future__ import annotations

import io
import json
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.http_life.serving import Answer, Server, request

REPOSITORY = Path(__file__).resolve().parent.parent
EXAMPLES = REPOSITORY / "services" / "examples"
EDITOR, LEGAL = "editor-demo-key", "legal-demo-key"
MOCK = {"SETTING_MOCK": "true"}

Start = Callable[..., Server]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the root configuration in a folder of its own: ``start("--watch", SETTING_MOCK="true")``."""
    shutil.copy(REPOSITORY / "config.yaml", tmp_path)
    shutil.copytree(
        REPOSITORY / "services", tmp_path / "services", ignore=shutil.ignore_patterns("__qmc__", "data")
    )
    servers: list[Server] = []

    def begin(*options: str, **environment: str) -> Server:
        servers.append(Server.at(tmp_path, "--bind", "127.0.0.1:0", *options, **environment))
        return servers[-1]

    yield begin
    for server in servers:
        server.end()


def example(name: str) -> Any:
    return json.loads((EXAMPLES / f"{name}.json").read_text("utf-8"))


def told(answer: Answer, status: int = 200) -> Any:
    """The data of an answer, which has to come in the envelope."""
    assert answer.status == status, answer
    document = json.loads(answer.body)
    if status < 400:
        assert document.keys() == {"success", "data", "error"}
        assert document["success"] is True and document["error"] is None
        return document["data"]
    assert document["success"] is False and document["data"] is None
    assert isinstance(document["error"], str) and document["error"]
    return document


def get(server: Server, path: str, status: int = 200) -> Any:
    return told(server.ask("GET", path), status)


def post(server: Server, path: str, body: object = None, status: int = 200, **headers: str) -> Any:
    text = b"" if body is None else json.dumps(body).encode()
    return told(server.ask("POST", path, text, Content_Type="application/json", **headers), status)


def sign(server: Server, body: object, status: int = 200, key: str = EDITOR) -> Any:
    return post(server, "/review/signoff", body, status, **({"X_API_Key": key} if key else {}))


def follow(server: Server, path: str) -> list[tuple[str, Any]]:
    """Every event of a stream, to its end: its name and its data."""
    with server.connect() as line:
        line.send(request("GET", path, Connection="close"))
        answer = line.answer()
    assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (200, "text/event-stream")
    events = []
    for block in answer.body.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "data" in fields:
            document = json.loads(fields["data"])
            assert document["success"] is True and document["error"] is None
            events.append((fields["event"], document["data"]))
    return events


def exported(server: Server, brief: str) -> dict[str, str]:
    answer = server.ask("POST", f"/export/{brief}")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/zip"), answer
    assert answer.headers["content-disposition"].startswith("attachment")
    with zipfile.ZipFile(io.BytesIO(answer.body)) as package:
        assert package.testzip() is None
        return {name: package.read(name).decode() for name in package.namelist()}


# ---- what the files say -----------------------------------------------------------------


def test_the_root_configuration_listens_at_8787_on_this_machine_only() -> None:
    setup = yaml.safe_load((REPOSITORY / "config.yaml").read_text("utf-8"))
    assert setup["http"]["bind"] == "127.0.0.1:8787"
    assert [one["path"] for one in setup["services"]] == ["services/engine.qmz", "services/api.qmz"]


def test_the_examples_fit_together() -> None:
    classified, runtime = example("classify_today"), example("runtime")
    assert classified["total"] == sum(one["count"] for one in classified["topics"])
    assert classified["total"] == runtime["ingest"]["items_today"] == runtime["roi"]["items_read"]
    for topic in classified["topics"]:
        brief = example(f"brief_{topic['id']}")
        assert (brief["id"], len(brief["points"])) == (topic["id"], topic["count"]) == (topic["id"], len(topic["items"]))
    assert {path.stem for path in EXAMPLES.glob("brief_*")} == {f"brief_{one['id']}" for one in classified["topics"]}


def test_the_tests_in_the_language_hold_under_several_schedules() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "etamil_actors", "sim", "--seeds", "2", "services/brief_test.qmz"],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


# ---- every route, from the files and for real --------------------------------------------


def test_a_mock_answers_from_the_files(start: Start) -> None:
    server = start(**MOCK)
    runtime = example("runtime")
    assert get(server, "/")["mock"] is True
    assert get(server, "/ingest/status") == runtime["ingest"]
    assert get(server, "/classify/today") == example("classify_today")
    for name in ("festivals", "markets", "weather"):
        assert get(server, f"/brief/{name}") == example(f"brief_{name}")
    assert get(server, "/roi/today") == runtime["roi"]
    assert get(server, "/config") == runtime["config"]
    review = get(server, "/review/status")
    assert (review["state"], [one["role"] for one in review["signed"]]) == ("pending", ["editor"])
    job = post(server, "/assets/generate", {"brief": "weather", "kinds": ["headline"]}, 202)
    assert follow(server, job["events"])[-1][0] == "done"
    assert exported(server, "weather")["assets/headline.txt"] == "வானிலை: இன்றைய சுருக்கம்"
    assert post(server, "/config", {"cost_per_day": 5})["cost_per_day"] == 5
    assert sign(server, {"role": "legal", "approve": True}, key=LEGAL)["state"] == "approved"
    assert server.stop() == 0
    assert not list(server.folder.glob("*.db*")), "a mock keeps nothing"
    again = start(**MOCK)
    assert get(again, "/config") == runtime["config"]
    assert get(again, "/review/status")["state"] == "pending"


def test_a_mock_answers_from_whatever_files_there_are(start: Start, tmp_path: Path) -> None:
    examples = tmp_path / "services" / "examples"
    (examples / "brief_நூல்.json").write_text('{"id": "நூல்", "points": []}', "utf-8")
    (examples / "brief_markets.json").unlink()
    server = start(**MOCK)
    assert get(server, "/brief/%E0%AE%A8%E0%AF%82%E0%AE%B2%E0%AF%8D") == {"id": "நூல்", "points": []}
    assert get(server, "/brief/markets", 404)["code"] == "not_found"
    for outside in ("..%2Fbrief_weather", "%2Fetc%2Fpasswd", "weather.json", "....%2F%2Fweather"):
        assert server.ask("GET", f"/brief/{outside}").status in (400, 404)


def test_the_engine_answers_from_its_sources(start: Start) -> None:
    server = start()
    status = get(server, "/ingest/status")
    assert (status["state"], status["items_today"], len(status["sources"])) == ("ready", 8, 3)
    classified = get(server, "/classify/today")
    assert {one["id"]: one["count"] for one in classified["topics"]} == {"markets": 3, "weather": 3, "festivals": 2}
    for topic in classified["topics"]:
        brief = get(server, f"/brief/{topic['id']}")
        assert brief["date"] == classified["date"]
        assert len(brief["points"]) == topic["count"]
    assert get(server, "/roi/today")["items_read"] == 8
    assert server.stop() == 0


def test_a_brief_is_kept_until_the_configuration_changes(start: Start) -> None:
    server = start()
    first = get(server, "/brief/festivals")
    assert post(server, "/config", {"minutes_per_item": 10})["minutes_per_item"] == 10
    assert (first["minutes"], get(server, "/brief/festivals")["minutes"]) == (4, 20)


def test_assets_are_made_in_the_background_and_followed_live(start: Start) -> None:
    server = start(SETTING_ASSET_SECONDS="0.05")
    answer = server.ask("POST", "/assets/generate", b'{"brief": "weather"}', Content_Type="application/json")
    job = told(answer, 202)
    assert job["state"] == "queued" and answer.headers["location"] == f"/assets/{job['id']}"
    events = follow(server, job["events"])
    names = [name for name, _ in events]
    assert names[-1] == "done" and set(names[:-1]) <= {"queued", "running"}
    made = [len(data["made"]) for _, data in events]
    assert made == sorted(made) and made[-1] == 4
    assert {data["id"] for _, data in events} == {job["id"]}
    assert follow(server, job["events"]) == [events[-1]], "who comes late is told the end"
    assert get(server, f"/assets/{job['id']}")["made"] == events[-1][1]["made"]
    assert get(server, "/roi/today")["assets_made"] == 4


def test_two_who_follow_two_jobs_hear_of_their_own(start: Start) -> None:
    server = start(SETTING_ASSET_SECONDS="0.05")
    jobs = [post(server, "/assets/generate", {"brief": brief}, 202) for brief in ("weather", "markets")]
    for job in jobs:
        events = follow(server, job["events"])
        assert {data["brief"] for _, data in events} == {job["brief"]} and events[-1][0] == "done"


def test_an_export_is_a_zip_that_others_can_read(start: Start) -> None:
    server = start(SETTING_ASSET_SECONDS="0")
    entries = exported(server, "markets")
    assert list(entries) == ["brief.json", "brief.md"]
    assert json.loads(entries["brief.json"]) == get(server, "/brief/markets")
    assert entries["brief.md"].startswith("# சந்தை: இன்றைய சுருக்கம்\n")
    job = post(server, "/assets/generate", {"brief": "markets", "kinds": ["post", "mail"]}, 202)
    made = follow(server, job["events"])[-1][1]["made"]
    entries = exported(server, "markets")
    assert {name: entries[f"assets/{name}.txt"] for name in ("mail", "post")} == made


# ---- who may, and what does not fit --------------------------------------------------------


def test_signing_off_needs_a_role_and_is_done_in_a_role_that_one_has(start: Start) -> None:
    server = start()
    body = {"role": "editor", "approve": True}
    assert sign(server, body, 401, key="")["code"] == "auth.missing"
    assert sign(server, body, 401, key="guessed")["code"] == "auth.invalid"
    assert sign(server, {"role": "legal", "approve": True}, 403)["code"] == "auth.forbidden"
    assert get(server, "/review/status")["signed"] == []
    state = sign(server, body)
    assert (state["state"], state["signed"][0]["by"]) == ("pending", "editor")
    assert sign(server, {"role": "legal", "approve": True}, key=LEGAL)["state"] == "approved"
    assert sign(server, {"role": "editor", "approve": False})["state"] == "rejected"


@pytest.mark.parametrize(
    ("path", "body", "fields"),
    [
        ("/review/signoff", {}, ["role", "approve"]),
        ("/review/signoff", {"role": "", "approve": True}, ["role"]),
        ("/review/signoff", {"role": "   ", "approve": True}, ["role"]),
        ("/review/signoff", {"role": "x" * 51, "approve": True}, ["role"]),
        ("/review/signoff", {"role": 7, "approve": True}, ["role"]),
        ("/review/signoff", {"role": ["editor"], "approve": "yes"}, ["role", "approve"]),
        ("/review/signoff", {"role": "editor", "approve": None}, ["approve"]),
        ("/assets/generate", {}, ["brief"]),
        ("/assets/generate", {"brief": "weather", "kinds": []}, ["kinds"]),
        ("/assets/generate", {"brief": "weather", "kinds": ["poem"]}, ["kinds"]),
        ("/assets/generate", {"brief": "weather", "kinds": "post"}, ["kinds"]),
        ("/config", {"cost_per_day": -1}, ["cost_per_day"]),
        ("/config", {"minutes_per_item": "two"}, ["minutes_per_item"]),
        ("/config", {"topics": {"a": {"name": "அ"}}}, ["topics.a.words"]),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_field_by_field(
    serving: Server, path: str, body: object, fields: list[str]
) -> None:
    document = post(serving, path, body, 422, X_API_Key=EDITOR)
    assert [one["field"] for one in document["errors"]] == fields
    assert all(one["detail"] for one in document["errors"])


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all questions that change nothing."""
    folder = tmp_path_factory.mktemp("serving")
    shutil.copy(REPOSITORY / "config.yaml", folder)
    shutil.copytree(REPOSITORY / "services", folder / "services", ignore=shutil.ignore_patterns("__qmc__"))
    server = Server.at(folder, "--bind", "127.0.0.1:0")
    yield server
    server.end()


def test_a_role_of_fifty_letters_is_not_too_long(serving: Server) -> None:
    assert sign(serving, {"role": "க்" * 50, "approve": True}, 403)["code"] == "auth.forbidden"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nowhere", b"", 404),
        ("GET", "/brief/nope", b"", 404),
        ("GET", "/brief/..%2Fruntime", b"", 400),
        ("GET", "/assets/nope", b"", 404),
        ("GET", "/assets/nope/events", b"", 404),
        ("POST", "/export/nope", b"", 404),
        ("POST", "/assets/generate", b'{"brief": "nope"}', 404),
        ("DELETE", "/config", b"", 405),
        ("POST", "/config", b"{", 422),
        ("POST", "/config", b"[" * 2_000_000, 413),
    ],
)
def test_every_refusal_comes_in_the_envelope(
    serving: Server, method: str, path: str, body: bytes, status: int
) -> None:
    told(serving.ask(method, path, body, Content_Type="application/json"), status)


def test_every_route_is_described(serving: Server) -> None:
    paths = serving.json("/openapi.json")["paths"]
    ours = {(path, method) for path, methods in paths.items() for method in methods}
    assert ours >= {
        ("/ingest/status", "get"), ("/classify/today", "get"), ("/brief/{id}", "get"), ("/assets/generate", "post"),
        ("/assets/{id}", "get"), ("/assets/{id}/events", "get"), ("/roi/today", "get"), ("/export/{id}", "post"),
        ("/config", "get"), ("/config", "post"), ("/review/status", "get"), ("/review/signoff", "post"),
    }  # fmt: skip
    problem = serving.json("/openapi.json")["components"]["schemas"]["Problem"]
    assert {"success", "data", "error"} <= set(problem["required"])
    assert all(paths[path][method]["summary"] for path, method in ours if not path.startswith("/health"))


# ---- over a restart, and new code -----------------------------------------------------------


def test_the_state_outlives_the_process(start: Start) -> None:
    first = start(SETTING_ASSET_SECONDS="0")
    post(first, "/config", {"rupees_per_hour": 600})
    sign(first, {"role": "editor", "approve": True})
    job = post(first, "/assets/generate", {"brief": "weather", "kinds": ["sms"]}, 202)
    made = follow(first, job["events"])[-1][1]
    kept = {path: get(first, path) for path in ("/config", "/review/status", "/roi/today", "/classify/today")}
    assert first.stop() == 0
    second = start()
    assert {path: get(second, path) for path in kept} == kept
    assert told(second.ask("GET", f"/assets/{job['id']}"))["made"] == made["made"]
    assert "assets/sms.txt" in exported(second, "weather")


def test_assets_that_were_not_finished_are_finished_by_the_next_process(start: Start) -> None:
    first = start(SETTING_ASSET_SECONDS="600")
    job = post(first, "/assets/generate", {"brief": "weather"}, 202)
    with first.connect() as line:
        line.send(request("GET", job["events"]))
        line.until(b"event: running")
    first.gets(signal.SIGKILL)
    first.ends()
    second = start(SETTING_ASSET_SECONDS="0")
    name, data = follow(second, job["events"])[-1]
    assert (name, len(data["made"])) == ("done", 4)


def test_what_was_made_before_a_crash_is_not_made_again(start: Start) -> None:
    first = start(SETTING_ASSET_SECONDS="0.3")
    job = post(first, "/assets/generate", {"brief": "weather"}, 202)
    with first.connect() as line:
        line.send(request("GET", job["events"]))
        line.until(b'"headline":')
    first.gets(signal.SIGKILL)
    first.ends()
    second = start(SETTING_ASSET_SECONDS="0")
    assert follow(second, job["events"])[-1][0] == "done"
    assert get(second, "/roi/today")["assets_made"] == 4


def test_more_than_can_wait_is_refused_for_a_while(start: Start) -> None:
    server = start(SETTING_ASSET_SECONDS="600", SETTING_MOST_WAITING="1")
    for _ in range(2):  # so many are made at once
        job = post(server, "/assets/generate", {"brief": "weather"}, 202)
        with server.connect() as line:
            line.send(request("GET", job["events"]))
            line.until(b"event: running")
    post(server, "/assets/generate", {"brief": "weather"}, 202)
    answer = server.ask("POST", "/assets/generate", b'{"brief": "weather"}', Content_Type="application/json")
    assert told(answer, 503)["code"] == "overloaded"
    assert int(answer.headers["retry-after"]) > 0
    assert get(server, "/brief/weather")["id"] == "weather"


def test_a_stop_lets_the_job_at_hand_finish(start: Start) -> None:
    server = start(SETTING_ASSET_SECONDS="0.2")
    job = post(server, "/assets/generate", {"brief": "weather"}, 202)
    with server.connect() as line:
        line.send(request("GET", job["events"]))
        line.until(b"event: running")
    assert server.stop() == 0
    assert "everything has stopped in order" in server.said
    again = start(SETTING_ASSET_SECONDS="600")
    assert get(again, f"/assets/{job['id']}")["state"] == "done"


def test_what_is_saved_is_seen_and_the_state_stays(start: Start) -> None:
    server = start("--watch")
    post(server, "/config", {"cost_per_day": 77})
    api, engine = server.folder / "services" / "api.qmz", server.folder / "services" / "engine.qmz"
    api.write_text(api.read_text("utf-8").replace("வணக்கம்! இன்றைய", "நல்வரவு! இன்றைய"), "utf-8")
    server.says("api: the new code runs")
    assert get(server, "/")["message"].startswith("நல்வரவு!")
    engine.write_text(engine.read_text("utf-8").replace(": இன்றைய சுருக்கம்", ": புதிய சுருக்கம்"), "utf-8")
    server.says("engine: the new code runs")
    post(server, "/config", {})
    assert get(server, "/brief/weather")["title"] == "வானிலை: புதிய சுருக்கம்"
    assert get(server, "/config")["cost_per_day"] == 77
    api.write_text(api.read_text("utf-8") + "\nவழி பெறு, {", "utf-8")
    server.says("goes on with the old code")
    assert get(server, "/")["message"].startswith("நல்வரவு!")
    assert server.stop() == 0


def test_a_source_that_cannot_be_read_is_told_and_the_others_are_taken_in(start: Start, tmp_path: Path) -> None:
    (tmp_path / "services" / "sources" / "vizha.json").write_text("{", "utf-8")
    server = start()
    status = get(server, "/ingest/status")
    assert (status["state"], status["items_today"]) == ("failed", 6)
    assert [bool(one["error"]) for one in status["sources"]] == [False, False, True]
    assert {one["id"] for one in get(server, "/classify/today")["topics"]} == {"markets", "weather"}


def test_an_item_that_says_too_little_is_told_and_does_no_harm(start: Start, tmp_path: Path) -> None:
    sources = tmp_path / "services" / "sources"
    (sources / "vizha.json").write_text('{"name": "விழா", "items": [{"id": "1", "title": "பொங்கல்"}]}', "utf-8")
    (sources / "old.json.bak").write_text("{", "utf-8")
    server = start()
    status = get(server, "/ingest/status")
    assert (status["state"], status["items_today"]) == ("failed", 6)
    assert [one["name"] for one in status["sources"] if one["error"]] == ["vizha.json"]
    assert get(server, "/classify/today")["total"] == 6


def test_the_commands_in_the_head_of_the_api_work(serving: Server) -> None:
    head = (REPOSITORY / "services" / "api.qmz").read_text("utf-8").split("\nநிலை ")[0]
    commands = re.findall(r"^//   (curl .+)$", head, re.MULTILINE)
    assert len(commands) == 5
    for command in commands:
        done = subprocess.run(
            ["sh", "-c", command.replace("localhost:8787", f"127.0.0.1:{serving.port}") + " -sf"],
            cwd=serving.folder, capture_output=True, timeout=30,
        )  # fmt: skip
        assert done.returncode == 0, (command, done.stderr)
