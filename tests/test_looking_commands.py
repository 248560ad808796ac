"""``routes``, ``openapi`` and ``config``: what is served and what is in force, without serving anything."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from etamil_actors.configuration_auth import JWT
from etamil_actors.configuration_resources import SECTIONS
from etamil_actors.configuration_table import HTTP

Command = Callable[..., subprocess.CompletedProcess[str]]

REPOSITORY = Path(__file__).resolve().parent.parent

SHOP = """\
வடிவம் நூல் {
    title: சொல்,
}
செயல் யாவரும்(r) {
    திரும்பு மெய்;
}
வழி பெறு, "/books/:id", {"summary": "ஒரு நூல் (one book)", "guards": ["auth", யாவரும்]} {
    திரும்பு {id: param_id};
}
வழி பதி, "/books", ["admin"] {
    திரும்பு {};
}
வழி SSE, "/feed" {
    ஓடை_அனுப்பு(1);
}
வழி நிலைக்கோப்பு, "/static", "public";
செயல் வாழ்த்து(r) {
    திரும்பு "வணக்கம்";
}
server.on("GET", "/வணக்கம்", வாழ்த்து);
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Two services, one of which imports a file with a route."""
    (tmp_path / "public").mkdir()
    (tmp_path / "shop.qmz").write_text(SHOP, encoding="utf-8")
    (tmp_path / "more.qmz").write_text('வழி அழி, "/more" {\n    பதில் 204, "";\n}\n', encoding="utf-8")
    (tmp_path / "other.qmz").write_text('இறக்கு "more.qmz";\n', encoding="utf-8")
    (tmp_path / "config.yaml").write_text(
        "name: கடை\n"
        "services:\n"
        "  - shop.qmz\n"
        "  - { path: other.qmz, settings: { size: 3, api_key: 12345, inner: { password: geheim } } }\n"
        "channels: { orders: { capacity: 5 } }\n"
        'http: { bind: ["127.0.0.1:9999"], body: 2MiB, session: { secret: "${SESSION:-0123456789012345678901234567890123456789}" } }\n'
        "auth: { jwt: { secret: a-very-secret-secret-of-forty-characters-, algorithms: [HS256] } }\n"
        "database: { default: { url: postgres://maalar:geheim@db/shop } }\n"
        "log: { level: warn, levels: { shop: debug } }\n",
        encoding="utf-8",
    )
    return tmp_path


# ---- routes ---------------------------------------------------------------------------


def test_routes_are_listed_with_their_places(command: Command, shop: Path) -> None:
    done = command("routes", cwd=shop)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "shop",
        "  GET     /books/:id  shop.qmz:7",
        "            ஒரு நூல் (one book)",
        "            காவல்  (guards): “auth”, யாவரும்",
        "  POST    /books  shop.qmz:10",
        "            காவல்  (guards): “admin”",
        "  SSE     /feed  shop.qmz:13",
        "  STATIC  /static  shop.qmz:16",
        "  GET     /வணக்கம்  shop.qmz:20",
        "other",
        "  DELETE  /more  more.qmz:1",
    ]


def test_guards_are_told_of_the_route_that_has_them(command: Command, tmp_path: Path) -> None:
    (tmp_path / "a.qmz").write_text(
        'வழி பெறு, "/a", ["admin"] { பதில் 200, 1; } வழி பெறு, "/b" { பதில் 200, 1; }\n'
        "செயல் f(r) { திரும்பு 1; }\n"
        'server.on("get", "/c", {"காவல்": ["auth"], "சுருக்கம்": "சி"}, f); server.on("POST", "/c", ["x", f], f);\n'
        'server.on("PUT", "/c", f);\n',
        encoding="utf-8",
    )
    told = json.loads(command("routes", "a.qmz", "--json", cwd=tmp_path).stdout)
    assert [(row["method"], row["path"], row["guards"], row["summary"]) for row in told] == [
        ("GET", "/a", ["“admin”"], ""),
        ("GET", "/b", [], ""),
        ("GET", "/c", ["“auth”"], "சி"),
        ("POST", "/c", ["“x”", "f"], ""),
        ("PUT", "/c", [], ""),
    ]


def test_routes_for_other_programs(command: Command, shop: Path) -> None:
    told = json.loads(command("routes", "shop.qmz", "--json", cwd=shop).stdout)
    assert told[0] == {
        "service": "shop",
        "method": "GET",
        "path": "/books/:id",
        "file": "shop.qmz",
        "line": 7,
        "summary": "ஒரு நூல் (one book)",
        "guards": ["“auth”", "யாவரும்"],
    }
    assert [row["path"] for row in told] == ["/books/:id", "/books", "/feed", "/static", "/வணக்கம்"]


def test_routes_runs_nothing(command: Command, tmp_path: Path) -> None:
    (tmp_path / "a.qmz").write_text('x = [1][7];\nவழி பெறு, "/a" {\n}\n', encoding="utf-8")
    assert command("routes", "a.qmz").stdout == "GET  /a  a.qmz:2\n"


def test_a_program_without_routes_says_so(command: Command, tmp_path: Path) -> None:
    (tmp_path / "a.qmz").write_text("x = 1;\n", encoding="utf-8")
    done = command("routes", "a.qmz")
    assert (done.returncode, done.stdout) == (0, "")
    assert "there are no routes" in done.stderr


@pytest.mark.parametrize("word", ["routes", "openapi"])
def test_what_is_wrong_is_shown_with_status_1(command: Command, shop: Path, word: str) -> None:
    (shop / "other.qmz").write_text("அச்சு (1;\n", encoding="utf-8")
    done = command(word, cwd=shop)
    assert done.returncode == 1
    assert "other.qmz: [E02" in done.stderr
    assert "cannot read ‘nowhere.yaml’" in command(word, "nowhere.yaml", cwd=shop).stderr
    (shop / "config.yaml").write_text("services: [gone.qmz]\n", encoding="utf-8")
    assert command(word, cwd=shop).returncode == 1
    (shop / "config.yaml").write_text("servces: [shop.qmz]\n", encoding="utf-8")
    done = command(word, cwd=shop)
    assert done.returncode == 1
    assert "config.yaml:1: there is no setting ‘servces’; did you mean ‘services’?" in done.stderr


# ---- openapi --------------------------------------------------------------------------


def test_the_document_is_valid_and_has_every_route(command: Command, shop: Path) -> None:
    done = command("openapi", cwd=shop)
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    OpenAPIV31SpecValidator(document).validate()
    assert document["info"]["title"] == "கடை"
    paths = set(document["paths"])
    assert {"/books/{id}", "/books", "/feed", "/more"} <= paths
    assert document["paths"]["/books/{id}"]["get"]["summary"] == "ஒரு நூல் (one book)"


@pytest.mark.parametrize("word", ["routes", "openapi"])
def test_looking_needs_no_secret(command: Command, shop: Path, word: str) -> None:
    path = shop / "config.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace(":-0123456789012345678901234567890123456789", ""), encoding="utf-8")
    done = command(word, cwd=shop)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["19_library.qmz", "20_uploads.qmz", "21_chat.qmz", "23_login.qmz"])
def test_the_documents_of_the_examples_are_valid(command: Command, name: str) -> None:
    done = command("openapi", f"examples/{name}", cwd=REPOSITORY)
    assert (done.returncode, done.stderr) == (0, "")
    OpenAPIV31SpecValidator(json.loads(done.stdout)).validate()


def test_making_the_document_writes_nothing(command: Command, tmp_path: Path) -> None:
    text = 'கோப்பு_சேமி("made.txt", "x");\nவழி பெறு, "/a" {\n    பதில் 200, "";\n}\n'
    (tmp_path / "a.qmz").write_text(text, encoding="utf-8")
    done = command("openapi", "a.qmz")
    assert done.returncode == 0, done.stderr
    assert "/a" in json.loads(done.stdout)["paths"]
    assert not (tmp_path / "made.txt").exists()


def test_a_top_level_that_fails_is_told_with_its_line(command: Command, tmp_path: Path) -> None:
    (tmp_path / "a.qmz").write_text('x = 1;\ny = [1][7];\nவழி பெறு, "/a" {\n}\n', encoding="utf-8")
    done = command("openapi", "a.qmz")
    assert (done.returncode, done.stdout) == (1, "")
    assert "a service did not start" in done.stderr
    assert "a.qmz: வரி 2" in done.stderr


# ---- config ---------------------------------------------------------------------------


def test_the_reference_explains_every_setting(command: Command) -> None:
    told = json.loads(command("config", "reference", "--json").stdout)
    keys = {row["key"] for row in told}
    assert {f"http.{row.key}" for row in HTTP} <= keys
    assert {f"auth.jwt.{row.key}" for row in JWT} <= keys
    assert {"name", "services", "channels", "processes"} <= keys
    for name, section in SECTIONS.items():
        below = f"{name}.<name>." if section.is_named else f"{name}."
        assert {below + row.key for row in section.rows} <= keys
    text = command("config", "reference").stdout
    for row in told:
        assert f"{row['key']}: " in text
        assert row["tamil"] in text
        assert row["english"] in text


def test_the_reference_of_one_part(command: Command) -> None:
    done = command("config", "reference", "http.cors", "--json")
    assert {row["key"] for row in json.loads(done.stdout)} == {f"http.{row.key}" for row in HTTP if row.key.startswith("cors.")}
    assert json.loads(command("config", "reference", "database.url", "--json").stdout)[0]["key"] == "database.<name>.url"
    done = command("config", "reference", "htp.body")
    assert done.returncode == 1
    assert "there is no setting ‘htp.body’; did you mean ‘http.body’?" in done.stderr


def test_what_is_in_force_is_shown_without_secrets(command: Command, shop: Path) -> None:
    done = command("config", "show", cwd=shop)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    for line in (
        "name: கடை",
        "services.0: shop.qmz",
        "services.1: other.qmz",
        "services.1.settings.size: 3",
        "services.1.settings.api_key: ***",
        "services.1.settings.inner.password: ***",
        "processes: 1  # இயல்பு (default)",
        "channels.orders.capacity: 5",
        "http.bind: 127.0.0.1:9999",
        "http.body: 2MiB",
        "http.headers: 16KiB  # இயல்பு (default)",
        "http.session.secret: ***",
        "http.session.cookie: session  # இயல்பு (default)",
        "auth.jwt.secret: ***",
        "auth.jwt.algorithms: HS256",
        "log.level: warn",
        "log.levels.shop: debug",
    ):
        assert line in lines, line
    for secret in ("geheim", "12345", "0123456789", "a-very-secret"):
        assert secret not in done.stdout.replace("127.0.0.1", "")
    assert any(line.startswith("database.default.url: postgres://***@db/shop") for line in lines)


def test_a_secret_of_the_environment_is_hidden_too(command: Command, shop: Path) -> None:
    done = command("config", "show", "--json", cwd=shop, SESSION="another-secret-that-is-long-enough-for-it")
    assert json.loads(done.stdout)["http.session.secret"] == "***"
    assert "another-secret" not in done.stdout


def test_a_program_alone_has_defaults(command: Command, shop: Path) -> None:
    told = json.loads(command("config", "show", "shop.qmz", "--json", cwd=shop).stdout)
    assert (told["name"], told["services.0"], told["http.body"]) == ("shop", "shop.qmz", "1MiB")


def test_a_sound_configuration_is_checked_in_silence(command: Command, shop: Path) -> None:
    done = command("config", "check", cwd=shop)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert json.loads(command("config", "check", "--json", cwd=shop).stdout) == []


@pytest.mark.parametrize(
    ("old", "new", "english"),
    [
        ("body: 2MiB", "body: large", "config.yaml:6"),
        ("capacity: 5", "capacity: -5", "config.yaml:5"),
        ("name:", "nmae:", "there is no setting ‘nmae’; did you mean ‘name’?"),
        ("shop.qmz\n", "gone.qmz\n", "cannot read ‘gone.qmz’"),
        ("${SESSION:-0123456789012345678901234567890123456789}", "${SESSION_SECRET}", "the environment has no ‘SESSION_SECRET’"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(
    command: Command, shop: Path, old: str, new: str, english: str
) -> None:
    path = shop / "config.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    done = command("config", "check", cwd=shop)
    assert done.returncode == 1
    assert english in done.stderr
    (row,) = json.loads(command("config", "check", "--json", cwd=shop).stdout)
    assert (row["severity"], row["line"] > 0) == ("error", True)


def test_a_broken_program_of_a_configuration_is_told(command: Command, shop: Path) -> None:
    (shop / "other.qmz").write_text("அச்சு (1;\n", encoding="utf-8")
    done = command("config", "check", cwd=shop)
    assert done.returncode == 1
    assert "[E02" in done.stderr
    rows = json.loads(command("config", "check", "--json", cwd=shop).stdout)
    assert rows[0]["file"] == "other.qmz"


def test_what_config_is_to_do_has_to_be_said(command: Command) -> None:
    assert "config: one of reference, show, check" in command("config").stderr
    done = command("config", "shwo")
    assert done.returncode == 2
    assert "did you mean ‘show’?" in done.stderr
