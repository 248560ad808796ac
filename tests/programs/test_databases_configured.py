"""What config.yaml says of databases: read, refused with its line, and used by programs as ``up`` runs them."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from etamil_actors.configuration import Setup, read_setup
from etamil_actors.configuration_table import ConfigError
from etamil_actors.ports.databases import PoolSettings
from tests.http_life.serving import Server
from tests.programs.running import run_program

REPOSITORY = Path(__file__).resolve().parent.parent.parent


def read(folder: Path, text: str, **environment: str) -> Setup:
    path = folder / "config.yaml"
    path.write_text(f"services: [a.qmz]\n{text}", encoding="utf-8")
    return read_setup(str(path), environment)


def test_databases_are_read_by_name(tmp_path: Path) -> None:
    setup = read(tmp_path, """
database:
  default:
    url: "${DATABASE_URL:-sqlite:data/kadai.db}"
    max_connections: 20
    min_connections: 2
    wait_time: 500ms
    query_time: 10s
    max_rows: 5000
    connect_time: 3s
    idle_time: 5m
    age: 1h
  நூலகம்: { url: "postgres://malar:${PASSWORD}@db.example:5433/books" }
  நினைவு: { url: "sqlite::memory:" }
""", PASSWORD="s3%40cret")  # fmt: skip
    assert setup.resources.databases == {
        "default": PoolSettings(
            kind="sqlite", url=str(tmp_path / "data/kadai.db"), name="default", most=20, least=2, wait_seconds=0.5,
            query_seconds=10, max_rows=5000, connect_seconds=3, idle_seconds=300, age_seconds=3600,
        ),
        "நூலகம்": PoolSettings(
            kind="postgres", url="postgres://malar:s3%40cret@db.example:5433/books", name="நூலகம்"
        ),
        "நினைவு": PoolSettings(kind="sqlite", url=":memory:", name="நினைவு"),
    }  # fmt: skip


WRONG = {
    "{}": ("begins with sqlite:", 4),
    "{ url: kadai.db }": ("begins with sqlite:", 4),
    '{ url: "http://db.example/kadai" }': ("begins with sqlite:", 4),
    '{ url: "postgres://malar:s3@cret@db.example/kadai" }': ("cannot be understood", 4),
    '{ url: "postgres://malar:s3/cret@db.example/kadai" }': ("cannot be understood", 4),
    '{ url: "mysql://malar:s3cret@db.example:port/kadai" }': ("cannot be understood", 4),
    '{ url: "mysql://malar:s3cret@[::1/kadai" }': ("cannot be understood", 4),
    '{ url: "sqlite:a.db", max_connections: 0 }': ("max_connections", 4),
    '{ url: "sqlite:a.db", max_connections: many }': ("max_connections", 4),
    '{ url: "sqlite:a.db", max_connections: 2, min_connections: 3 }': ("larger than max_connections", 4),
    '{ url: "sqlite:a.db", query_time: soon }': ("query_time", 4),
    '{ url: "sqlite:a.db", conections: 3 }': ("conections", 4),
    '{ url: "sqlite:${NOWHERE}" }': ("NOWHERE", 4),
    '"sqlite:a.db"': ("default", 4),
}


@pytest.mark.parametrize(("said", "wrong"), WRONG.items(), ids=WRONG)
def test_what_is_wrong_is_told_with_its_line_and_without_the_password(
    tmp_path: Path, said: str, wrong: tuple[str, int]
) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, f"name: kadai\ndatabase:\n  default: {said}\n")
    text, line = wrong
    assert text in caught.value.english
    assert any("\u0b80" <= letter <= "\u0bff" for letter in caught.value.tamil)
    assert caught.value.place.endswith(f"config.yaml:{line}")
    assert not re.search("s3.?cret", str(caught.value))


def test_the_configuration_that_the_page_shows_is_sound(tmp_path: Path) -> None:
    page = (REPOSITORY / "docs" / "databases.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    path = tmp_path / "config.yaml"
    path.write_text(shown, encoding="utf-8")
    assert list(read_setup(str(path), {}).resources.databases) == ["default", "books"]


PROGRAM = """
விகல்_செய்("CREATE TABLE IF NOT EXISTS runs (n INTEGER)");
விகல்_செய்("INSERT INTO runs VALUES (1)");
அச்சு விகல்_ஒன்று("SELECT count(*) AS n FROM runs").n;
அச்சு விகல்_உருவாக்கு("books");
வெளியேறு(0);
"""


def test_up_opens_what_the_configuration_says_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "a.qmz").write_text(PROGRAM, encoding="utf-8")
    (tmp_path / "app" / "config.yaml").write_text(
        'services: [a.qmz]\ndatabase:\n  default: { url: "sqlite:kadai.db" }\n  books: { url: "sqlite:books.db" }\n',
        encoding="utf-8",
    )
    for runs in (1, 2):
        done = subprocess.run(
            [sys.executable, "-m", "etamil_actors", "up", "app/config.yaml", "--bind", "127.0.0.1:0"],
            capture_output=True, cwd=tmp_path, timeout=60, check=False, stdin=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"]},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
        assert done.stdout.decode().splitlines() == [str(runs), "<இணைப்புக்குளம் books>"]
    connection = sqlite3.connect(tmp_path / "app" / "kadai.db")
    assert connection.execute("SELECT count(*) FROM runs").fetchone() == (2,)
    connection.close()
    assert not (tmp_path / "app" / "books.db").exists(), "nothing is opened before it is needed"


def test_the_folder_of_a_file_that_the_configuration_names_is_made(tmp_path: Path) -> None:
    program = 'விகல்_செய்("CREATE TABLE t (a)");\nவழி பெறு, "/t" { பதில் 200, விகல்_ஒன்று("SELECT count(*) AS n FROM t"); }\n'
    server = Server(tmp_path, program, others={"database": {"default": {"url": "sqlite:data/deep/kadai.db"}}})
    try:
        assert server.json("/t") == {"n": 0}
        assert (tmp_path / "data" / "deep" / "kadai.db").exists()
        assert server.stop() == 0
    finally:
        server.end()


FIVE = """
செயல் எத்தனை(குளம்) {
    முயல் { திரும்பு நீளம்(விகல்_குறி(குளம், "VALUES (1), (2), (3), (4), (5)")); } பிழை(e) { திரும்பு e.message; }
}
"""


def test_a_service_takes_as_many_rows_as_the_configuration_allows() -> None:
    told = run_program(
        FIVE + 'அச்சு எத்தனை(விகல்_உருவாக்கு()); அச்சு எத்தனை(விகல்_உருவாக்கு("books"));',
        databases={
            "default": PoolSettings(kind="sqlite", url=":memory:", name="default", max_rows=5),
            "books": PoolSettings(kind="postgres", url="postgres://a@b/c", name="books", max_rows=4),
        },
    ).lines
    assert told[0] == "5"
    assert "a query answers with more than 4 rows" in told[1] and "database.books.max_rows" in told[1]


def test_a_script_takes_all_rows() -> None:
    many = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 100001) SELECT n FROM c"
    text = f'அச்சு நீளம்(விகல்_குறி(விகல்_உருவாக்கு {{"url": "sqlite::memory:"}}, "{many}"));'
    text += f'தளம்_இணை SQL, ":memory:"; தளம்_வினா "{many}", [], வரிகள்; அச்சு நீளம்(வரிகள்);'
    assert run_program(text, as_script=True).lines == ["100001", "100001"]
