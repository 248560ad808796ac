"""What config.yaml says. Each setting of the table: ``test_every_setting.py``; what is said to whoever writes it
wrongly: ``test_wrong_configurations.py``."""

from __future__ import annotations

from pathlib import Path

import pytest

from etamil_actors import cli
from etamil_actors.commands import Usage
from etamil_actors.commands.up import given_setup
from etamil_actors.configuration import ServiceEntry, Setup, read_setup
from etamil_actors.configuration_auth import reference as auth_reference
from etamil_actors.configuration_table import ConfigError, configuration_page, http_reference
from etamil_actors.edge.settings import HttpSettings
from etamil_actors.ports.auth import AuthSettings
from tests.programs.running import run_program


def config(folder: Path, text: str) -> str:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def read(folder: Path, text: str, **environment: str) -> Setup:
    return read_setup(config(folder, f"services: [a.qmz]\n{text}"), environment)


def refused(folder: Path, text: str, **environment: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        read(folder, text, **environment)
    error = caught.value
    assert error.tamil != error.english
    assert any("\u0b80" <= letter <= "\u0bff" for letter in error.tamil)
    return error


# ---- channels -------------------------------------------------------------------------


def test_channels_are_read_in_both_languages(tmp_path: Path) -> None:
    setup = read_setup(config(tmp_path, """
services: [a.qmz]
channels:
  வேலை: { கொள்ளளவு: 5, நிரம்பினால்: மறு, ஆயுள்: 2.5 }
  orders: { capacity: 200, transport: journal, kind: queue, attempts: 4 }
"""))  # fmt: skip
    assert {name: {k: str(v) for k, v in said.items()} for name, said in setup.channels.items()} == {
        "வேலை": {"capacity": "5", "overflow": "reject", "ttl": "2.5"},
        "orders": {"capacity": "200", "transport": "journal", "kind": "queue", "attempts": "4"},
    }


def test_the_configuration_wins_over_the_program() -> None:
    done = run_program(
        """
        சே = சேனல்_உருவாக்கு("சே", {"capacity": 100});
        சேனல்_அனுப்பு(சே, 1);
        முயல் { சேனல்_அனுப்பு(சே, 2); } பிழை(e) { அச்சு e.code; }
        """,
        seconds=1,
        channels={"சே": {"capacity": 1, "overflow": "reject"}},
    )
    assert done.lines == ["overloaded"]


# ---- what is not said ---------------------------------------------------------------


def test_what_is_not_said_is_the_default(tmp_path: Path) -> None:
    setup = read(tmp_path, "")
    assert setup == Setup(tmp_path.name, [ServiceEntry(str(tmp_path / "a.qmz"))], {}, HttpSettings(), 1, AuthSettings())
    assert read(tmp_path, "http: { cors: { max_age: 1 } }").http.cors.methods == HttpSettings().cors.methods


def test_a_service_may_have_its_top_level_run_for_each_request(tmp_path: Path) -> None:
    path = config(tmp_path, "services: [a.qmz, {path: b.qmz, prelude: per_request}, {path: c.qmz, prelude: once}]")
    setup = read_setup(path)
    assert [Path(path).name for path in setup.paths] == ["a.qmz", "b.qmz", "c.qmz"]
    assert [one.is_per_request for one in setup.services] == [False, True, False]
    with pytest.raises(ConfigError, match="did you mean ‘per_request’"):
        read_setup(config(tmp_path, "services: [{path: b.qmz, prelude: per_requst}]"))


# ---- the environment and secrets ------------------------------------------------------


def test_variables_of_the_environment_stand_in_any_value(tmp_path: Path) -> None:
    text = """
name: "கடை ${WHERE:-சென்னை} $${x} ${EMPTY}"
channels: { c: { capacity: "${ROOM}" } }
http:
  bind: ${BIND}
  handler_time: ${SECONDS:-5}s
  body: "${BODY:-1MiB}"
"""
    setup = read(tmp_path, text, EMPTY="", ROOM="7", BIND="127.0.0.1:1, 127.0.0.1:2", BODY="")
    assert setup.name == "கடை சென்னை ${x} "
    assert setup.channels["c"]["capacity"] == 7
    assert setup.http.bind == ("127.0.0.1:1", "127.0.0.1:2")
    assert (setup.http.handler_seconds, setup.http.body_bytes) == (5, 1 << 20)


def test_what_a_variable_holds_is_one_text_and_never_yaml(tmp_path: Path) -> None:
    setup = read(tmp_path, "name: ${NAME}", NAME="a\nprocesses: 9\nx: ${OTHER} !!python/object:os.system")
    assert setup.name == "a\nprocesses: 9\nx: ${OTHER} !!python/object:os.system"
    assert setup.processes == 1


def test_what_is_written_by_mistake_is_not_told(tmp_path: Path) -> None:
    for text in (
        "auth: { keys: { a: { hash: 'hush-hush' } } }",
        "auth: { jwt: { secret: '-----BEGIN hush-hush' } }",
        "http: { session: { old_secrets: [hush-hush-0123456789, hush-hush-0123456789] } }",
        "auth: { oidc: { issuer: 'https://hush-hush:hush-hush@id.example', client_id: a } }",
    ):
        error = refused(tmp_path, text)
        assert "hush" not in error.english + error.tamil


@pytest.mark.parametrize("where", ["http: { session: { %s } }", "auth: { jwt: { %s } }"])
def test_secrets_come_from_files_and_are_never_told(tmp_path: Path, where: str) -> None:
    (tmp_path / "secret").write_bytes("இரகசியம் ஒன்று\r\n".encode())
    setup = read(tmp_path, where % "secret_file: secret")
    assert "இரகசியம் ஒன்று" in (setup.http.session.secret, setup.auth.jwt.secret if setup.auth.jwt else "")
    error = refused(tmp_path, where % 'secret: "${KEY}"', KEY="hush-hush")
    assert "hush" not in error.english + error.tamil
    (tmp_path / "secret").write_bytes(b"hush-hush")
    error = refused(tmp_path, where % "secret_file: secret")
    assert "hush" not in error.english + error.tamil
    for content in (b"", b"\xff" * 40, b"x" * (1 << 21)):
        (tmp_path / "secret").write_bytes(content)
        assert "secret" in refused(tmp_path, where % "secret_file: secret").english


def test_public_keys_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text('{"keys": []}')
    error = refused(tmp_path, "auth: { jwt: { jwks_file: keys.json, algorithms: [HS256] } }")
    assert "does not go with these keys" in error.english


# ---- YAML -----------------------------------------------------------------------------


def test_aliases_are_read_and_cannot_explode(tmp_path: Path) -> None:
    setup = read(tmp_path, 'channels: { a: &a { capacity: "${N}" }, b: *a }', N="3")
    assert setup.channels == {"a": {"capacity": 3}, "b": {"capacity": 3}}
    bomb = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    assert "there is no setting ‘a0’" in refused(tmp_path, bomb).english
    assert "‘http.bind’ is one value" in refused(tmp_path, "http: { bind: &b [*b] }").english
    assert "is written ‘name: value’" in refused(tmp_path, "http: &h { cors: [*h] }").english


# ---- the reference --------------------------------------------------------------------


def test_the_reference_tells_every_setting_with_a_default_that_can_be_read(tmp_path: Path) -> None:
    for entry in http_reference():
        assert entry.tamil and entry.english
        if entry.default and entry.default != "[]":
            *sections, key = entry.key.split(".")
            text = "".join(f"{section}: {{ " for section in sections[1:])
            text = f"http: {{ {text}{key}: {entry.default} {'}' * len(sections)}\n"
            assert read(tmp_path, text).http == HttpSettings(), text
    assert {entry.key for entry in auth_reference()["auth.jwt"]} >= {"auth.jwt.secret", "auth.jwt.algorithms"}


def test_the_page_names_every_setting_and_its_example_is_read(tmp_path: Path) -> None:
    page = configuration_page()
    for entry in (*http_reference(), *(entry for part in auth_reference().values() for entry in part)):
        assert f"| `{entry.key}` |" in page
    example = page.partition("```yaml\n")[2].partition("```")[0]
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "session").write_text("0123456789abcdef")
    setup = read_setup(config(tmp_path, example), {"JWT_SECRET": "0123456789abcdef"})
    assert (setup.name, setup.processes) == ("kadai", 2)


# ---- the command line -----------------------------------------------------------------


def given(*words: str) -> cli.Given:
    found = cli.read(cli.COMMAND_OF["up"], words)
    assert found is not None
    return found


def test_the_command_line_wins_over_the_configuration(tmp_path: Path) -> None:
    path = config(tmp_path, "services: [a.qmz]\nprocesses: 3\nhttp: { bind: '127.0.0.1:1', body: 5 }")
    setup = given_setup(path, given("--bind", ":80, localhost:81", "--processes=1", "--bind=82", path))
    assert (setup.processes, setup.http.body_bytes) == (1, 5)
    assert setup.http.bind == (":80", "localhost:81", "127.0.0.1:82")
    assert given_setup(path, given(path)).http.bind == ("127.0.0.1:1",)
    assert given_setup("x/a.qmz", given("x/a.qmz")) == Setup("a", [ServiceEntry("x/a.qmz")], {})


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--bind", "nowhere"], "--bind: nowhere: the port is missing"),
        (["--bind", "1,1"], "given twice"),
        (["--processes", "0"], "--processes is from 1 to 256"),
        (["--processes", "9999"], "--processes is from 1 to 256"),
        (["--processes", "two"], "is not a whole number"),
        (["--bind"], "--bind needs a value"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_refused(words: list[str], problem: str) -> None:
    with pytest.raises(Usage, match=problem):
        given_setup("a.qmz", given(*words))


def test_several_processes_do_not_share_a_socket_in_the_file_system() -> None:
    with pytest.raises(ConfigError, match="only one process can listen"):
        given_setup("a.qmz", given("--bind", "unix:/run/a.sock", "--processes", "2"))
