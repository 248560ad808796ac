"""The words of databases on real ones: an SQLite file, PostgreSQL, MariaDB. The same programs run on each, with
nothing but another url, as EXTENSIONS 10 promises."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from unicodedata import normalize
from urllib.parse import quote, urlsplit

import pytest

from etamil_actors.resources.system import (
    SimulatedConsole,
    SimulatedEnvironment,
    SystemClock,
    SystemFiles,
    SystemPrograms,
    SystemRandom,
)
from etamil_actors.script import RunOptions, ScriptWorld, read_and_check
from etamil_actors.script_with_actors import run_script
from tests.resources.servers import url_of

KINDS = ("sqlite", "postgres", "mysql")


class Base(NamedTuple):
    """An empty database for one test."""

    kind: str
    url: str


@pytest.fixture(params=KINDS)
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Base]:
    """A database of each kind, which is gone afterwards."""
    kind: str = request.param
    name = f"words_{uuid.uuid4().hex[:12]}"
    if kind == "sqlite":
        yield Base(kind, f"sqlite:{tmp_path}/kadai.db")
        return
    server = Base(kind, url_of(kind))
    if kind == "postgres":
        inside = f"{server.url}{'&' if '?' in server.url else '?'}options={quote(f'-c search_path={name}')}"
        made, gone = f"CREATE SCHEMA {name}", f"DROP SCHEMA {name} CASCADE"
    else:
        inside = urlsplit(server.url)._replace(path=f"/{name}").geturl()
        made, gone = f"CREATE DATABASE {name}", f"DROP DATABASE {name}"
    lines(server, f'விகல்_செய்(கடை, "{made}");')
    try:
        yield Base(kind, inside)
    finally:
        lines(server, f'விகல்_செய்(கடை, "{gone}");')


class Done(NamedTuple):
    """What a run wrote."""

    lines: list[str]
    errors: str
    status: int


def run(base: Base, text: str, **environment: str) -> Done:
    """Run a program as ``run`` does, in which ``கடை`` is a pool of the database."""
    program = 'கடை = விகல்_உருவாக்கு {"url": env("DATABASE")};\n' + text
    compiled = read_and_check("test.qmz", program, SystemFiles())
    assert compiled.is_sound, "\n".join(map(str, compiled.problems))
    console = SimulatedConsole()
    variables = SimulatedEnvironment({"DATABASE": base.url, **environment})
    world = ScriptWorld(console, SystemFiles(), SystemClock(), SystemRandom(), variables, SystemPrograms())
    outcome = run_script(compiled.program(), world, RunOptions(seconds=0.0, journal=":memory:"))
    return Done(console.output.splitlines(), console.errors, outcome.status)


def lines(base: Base, text: str, **environment: str) -> list[str]:
    """What a sound run prints."""
    done = run(base, text, **environment)
    assert (done.errors, done.status) == ("", 0), done.lines
    return done.lines


TABLE = 'விகல்_செய்(கடை, "CREATE TABLE items (name VARCHAR(100) PRIMARY KEY, count INTEGER NOT NULL)");\n'


def test_a_program_does_the_same_on_every_database(base: Base) -> None:
    text = TABLE + """
    அச்சு விகல்_செய்(கடை, "INSERT INTO items VALUES (?, ?)", ["பேனா", 2]).எண்ணிக்கை;
    அச்சு விகல்_செய்(கடை, "INSERT INTO items VALUES ($1, $2)", ["தாள் 🙂", 5]).எண்ணிக்கை;
    அச்சு விகல்_குறி(கடை, "SELECT name, count FROM items WHERE count > ? ORDER BY count", [1]);
    அச்சு விகல்_ஒன்று(கடை, "SELECT count FROM items WHERE name = ?", ["தாள் 🙂"]).count;
    அச்சு விகல்_ஒன்று(கடை, "SELECT count FROM items WHERE name = ?", ["' OR ''='"]);
    அச்சு விகல்_செய்(கடை, "UPDATE items SET count = count + ?", [1]).changed;
    முடிவு = விகல்_குறி(கடை) {
        குறி.செய்("DELETE FROM items WHERE name = ?", ["பேனா"]);
        குறி.குற்றம்("SELECT name, count FROM items");
    };
    அச்சு முடிவு;
    முயல் { விகல்_செய்(கடை, "INSERT INTO items VALUES (?, 1)", ["தாள் 🙂"]); } பிழை(e) { அச்சு e.code; }
    முயல் { விகல்_குறி(கடை, "SELEKT"); } பிழை(e) { அச்சு e.code; }
    """
    assert lines(base, text) == [
        "1", "1", "[{count: 2, name: பேனா}, {count: 5, name: தாள் 🙂}]", "5", "nil", "2", "[{count: 6, name: தாள் 🙂}]",
        "db.query", "db.query",
    ]  # fmt: skip


def test_a_transaction_is_kept_undone_and_nested_on_every_database(base: Base) -> None:
    text = TABLE + """
    செயல் வை(பெயர், n) { விகல்_செய்(கடை, "INSERT INTO items VALUES (?, ?)", [பெயர், n]); }
    விகல்_பரிவர்த்தனை(கடை) {
        வை("அ", 1);
        முயல் { விகல்_பரிவர்த்தனை(கடை) { வை("ஆ", 2); வை("அ", 3); } } பிழை(e) { அச்சு e.code; }
        வை("இ", 4);
    }
    முயல் { விகல்_பரிவர்த்தனை(கடை) { வை("ஈ", 5); பிழை_எழுப்பு("போதும்"); } } பிழை(e) { அச்சு e.code; }
    செயல் தோல்வி() { விகல்_பரிவர்த்தனை(கடை) { வை("உ", 6); திரும்பு தவறு("இல்லை"); } }
    அச்சு தோல்வி();
    ஒவ்வொரு வ இல் விகல்_குறி(கடை, "SELECT name FROM items ORDER BY count") { அச்சு வ.name; }
    """
    assert lines(base, text) == ["db.query", "போதும்", "தவறு(இல்லை)", "அ", "இ"]


def test_a_transaction_that_others_were_in_the_way_of_is_tried_again(base: Base) -> None:
    if base.kind == "sqlite":
        pytest.skip("in one process writers of an SQLite file take turns; test_sqlite.py has another process")
    text = TABLE + """
    பிற = விகல்_உருவாக்கு {"url": env("DATABASE"), "max_connections": 1};
    விகல்_செய்(கடை, "INSERT INTO items VALUES ('அ', 0)");
    தடவைகள் = அணு_உருவாக்கு(0);
    செயல் மாற்று_பிற() {
        விகல்_பரிவர்த்தனை(பிற) {
            விகல்_குறி(பிற, "SELECT count FROM items FOR UPDATE NOWAIT");
            விகல்_செய்(பிற, "UPDATE items SET count = count + 1");
        }
    }
    மீள்முயற்சி({"தடவை": 3, "பின்வாங்கு": 0.01, "எவை": ["db.conflict"]}) {
        (அணு_கூட்டு(தடவைகள், 1) == 1) எனில் {
            விகல்_பரிவர்த்தனை(கடை) {
                விகல்_செய்(கடை, "UPDATE items SET count = count + 10");
                மாற்று_பிற();
            }
        } இன்றேல் {
            மாற்று_பிற();
        }
    }
    அச்சு அணு_படி(தடவைகள்) & " " & விகல்_ஒன்று(கடை, "SELECT count FROM items").count;
    """
    assert lines(base, text) == ["2 1"]


def test_many_activities_share_a_small_pool_and_no_update_is_lost(base: Base) -> None:
    text = TABLE + """
    குளம் = விகல்_உருவாக்கு {"url": env("DATABASE"), "max_connections": 3};
    விகல்_செய்(குளம், "INSERT INTO items VALUES ('அ', 0)");
    செயல் கூட்டு(n) {
        விகல்_பரிவர்த்தனை(குளம்) {
            விகல்_செய்(குளம், "UPDATE items SET count = count + ? WHERE name = 'அ'", [n]);
            (மீதி(n, 5) == 0) எனில் { பிழை_எழுப்பு("ஐந்து"); }
        }
    }
    செயல் முயற்சி(n) { முயல் { கூட்டு(n); } பிழை(e) { திரும்பு e.code; } }
    எண்கள் = [];
    n = 1;
    (n <= 40) சுற்று { எண்கள் = இணை(எண்கள், n); n = n + 1; }
    இணையாக_மாற்று(எண்கள், முயற்சி);
    அச்சு விகல்_ஒன்று(குளம், "SELECT count FROM items").count;
    """
    assert lines(base, text) == [str(sum(n for n in range(1, 41) if n % 5))]


def test_a_transaction_is_seen_by_others_only_when_it_is_kept(base: Base) -> None:
    text = TABLE + """
    செயல் எத்தனை() { திரும்பு விகல்_ஒன்று(கடை, "SELECT count(*) AS n FROM items").n; }
    விகல்_பரிவர்த்தனை(கடை) {
        விகல்_செய்(கடை, "INSERT INTO items VALUES ('அ', 1)");
        அச்சு எத்தனை();
        அச்சு பணி_காத்திரு(பணி_தொடங்கு(எத்தனை));
    }
    அச்சு எத்தனை();
    """
    assert lines(base, text) == ["1", "0", "1"]


def test_a_transaction_whose_pool_is_closed_by_another_is_not_half_done(base: Base) -> None:
    text = TABLE + """
    செயல் வை(பெயர்) { விகல்_செய்(கடை, "INSERT INTO items VALUES (?, 1)", [பெயர்]); }
    செயல் சாத்து() {
        ஒன்று = விகல்_உருவாக்கு {"url": env("DATABASE")};
        விகல்_குறி(ஒன்று, "SELECT 1 AS a");
        விகல்_மூடு(ஒன்று);
    }
    முயல் {
        விகல்_பரிவர்த்தனை(கடை) { வை("அ"); பணி_காத்திரு(பணி_தொடங்கு(சாத்து)); வை("ஆ"); }
    } பிழை(e) { அச்சு e.code; }
    அச்சு விகல்_குறி(கடை, "SELECT name FROM items");
    """
    assert lines(base, text) == ["db.unavailable", "[]"]


def test_what_commits_by_itself_is_told_when_it_ends_a_transaction() -> None:
    base = Base("mysql", url_of("mysql"))
    name = f"words_{uuid.uuid4().hex[:12]}"
    text = """
    முயல் {
        விகல்_பரிவர்த்தனை(கடை) { விகல்_செய்(கடை, "CREATE TABLE " & env("NAME") & " (a INTEGER)"); }
    } பிழை(e) { அச்சு e.message; }
    விகல்_செய்(கடை, "DROP TABLE " & env("NAME"));
    """
    (told,) = lines(base, text, NAME=name)
    assert "on MySQL by CREATE" in told and "may be committed" in told


@pytest.mark.parametrize("in_transaction", [False, True])
def test_a_handle_heals_when_the_server_has_ended_its_connection(in_transaction: bool) -> None:
    base = Base("postgres", url_of("postgres"))
    mark = f"words_{uuid.uuid4().hex[:12]}"
    text = f"""
    தளம்_இணை போச்குரசீகுல், "{base.url}", h;
    செயல் கேள்() {{
        முயல் {{ தளம்_வினா "SELECT 1 AS {mark}", [], v, h; அச்சு நீளம்(v); }} பிழை(e) {{ அச்சு e.code; }}
    }}
    செயல் வேலை(திறந்து) {{
        (திறந்து) எனில் {{ தளம்_செய் "BEGIN", [], h; }}
        கேள்();
        விகல்_குறி(கடை, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            & " WHERE query LIKE '%{mark}%' AND pid <> pg_backend_pid()");
        கேள்();
        கேள்();
        தளம்_செய் "ROLLBACK", [], h;
        கேள்();
    }}
    வேலை({"மெய்" if in_transaction else "பொய்"});
    """
    # What belonged to the transaction that is lost is not done by itself.
    middle = "db.unavailable" if in_transaction else "1"
    assert lines(base, text) == ["1", "db.unavailable", middle, "1"]


SLOW = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS c FROM n",
    "postgres": "SELECT pg_sleep(60) AS c",
    "mysql": "SELECT sleep(60) AS c",
}


def test_who_is_cancelled_in_the_middle_of_a_query_leaves_a_clean_connection(base: Base) -> None:
    text = TABLE + """
    குளம் = விகல்_உருவாக்கு {"url": env("DATABASE"), "max_connections": 1, "timeout": 5000};
    செயல் மெதுவாக() {
        விகல்_பரிவர்த்தனை(குளம்) {
            விகல்_செய்(குளம், "INSERT INTO items VALUES ('அ', 1)");
            விகல்_குறி(குளம், env("SLOW"));
        }
    }
    முயல் { காலவரம்பு(0.3) { மெதுவாக(); } } பிழை(e) { அச்சு e.code; }
    முயல் { காலவரம்பு(0.3) { விகல்_குறி(குளம், env("SLOW")); } } பிழை(e) { அச்சு e.code; }
    அச்சு விகல்_ஒன்று(குளம், "SELECT count(*) AS n FROM items").n;
    """
    assert lines(base, text, SLOW=SLOW[base.kind]) == ["timeout", "timeout", "0"]


def test_numbered_files_make_the_tables_once_on_every_database(base: Base, tmp_path: Path) -> None:
    folder = tmp_path / "sql"
    folder.mkdir()
    (folder / "001_items.sql").write_text(
        "CREATE TABLE items (name VARCHAR(50));\nINSERT INTO items VALUES ('அ; ஆ');\n", encoding="utf-8"
    )
    text = """
    செயல் வை() { திரும்பு விகல்_மேம்படுத்து(கடை, env("FOLDER")); }
    அச்சு வை(); அச்சு வை();
    அச்சு விகல்_குறி(கடை, "SELECT name FROM items");
    """
    assert lines(base, text, FOLDER=str(folder)) == ["1", "0", "[{name: அ; ஆ}]"]


BACK_ENDS = {"sqlite": "SQL", "postgres": "போச்குரசீகுல்", "mysql": "மைசீகுல்"}


def test_the_statements_of_the_reference_run_on_every_database(base: Base) -> None:
    sign = "$1, $2" if base.kind == "postgres" else "?, ?"
    url = base.url.removeprefix("sqlite:")
    text = TABLE + f"""
    தளம்_இணை {BACK_ENDS[base.kind]}, "{url}", h;
    தளம்_செய் "INSERT INTO items VALUES ({sign})", ["பேனா", 12];
    தளம்_வினா "SELECT name, count FROM items", [], வரிகள், h;
    ஒவ்வொரு வ இல் வரிகள் {{ அச்சு வ.name & " = " & வ.count; }}
    அச்சு தளம்_செய்_முயற்சி("UPDATE items SET count = count + 1", []);
    தளம்_செய் "BEGIN", []; தளம்_செய் "DELETE FROM items", []; தளம்_செய் "ROLLBACK", [];
    செயல் தொடங்கி_மறந்தது() {{ தளம்_செய் "BEGIN", []; தளம்_செய் "DELETE FROM items", []; }}
    பணி_காத்திரு(பணி_தொடங்கு(தொடங்கி_மறந்தது));
    அச்சு தளம்_வினா_முயற்சி("SELECT count FROM items", []);
    தளம்_பிரி h;
    """
    assert lines(base, text) == ["பேனா = 12", "சரி(1)", "சரி([{count: 13}])"]


def test_what_a_database_does_not_have_is_refused_but_sqlite_takes_its_text(base: Base) -> None:
    text = """
    செயல் போய்வா(v) { முயல் { திரும்பு விகல்_ஒன்று(கடை, env("CAST"), [v]).v; } பிழை(e) { திரும்பு e.code; } }
    அச்சு போய்வா([1, 2]); அச்சு போய்வா({"அ": 1}); அச்சு போய்வா(சரி(1)); அச்சு போய்வா(போய்வா);
    """
    cast = {"sqlite": "SELECT ? AS v", "postgres": "SELECT ?::text AS v", "mysql": "SELECT ? AS v"}
    done = lines(base, text, CAST=cast[base.kind])
    if base.kind == "sqlite":
        assert done[:3] == ["[1, 2]", "{அ: 1}", "சரி(1)"]
    else:
        assert done == ["db.query"] * 4


def test_what_cannot_be_a_parameter_is_named_in_both_languages() -> None:
    text = 'முயல் { விகல்_குறி(கடை, "SELECT ?::text", [[1]]); } பிழை(e) { அச்சு e.message; }'
    (told,) = lines(Base("postgres", url_of("postgres")), text)
    assert "அணி என்பதை" in told and "an array cannot be a parameter" in told


@pytest.mark.parametrize("kind", ["postgres", "mysql"])
def test_a_server_that_is_not_there_is_told_without_the_password(kind: str, tmp_path: Path) -> None:
    base = Base(kind, f"{kind}://malar:s3cret@127.0.0.1:9/kadai")
    done = run(base, '\nவிகல்_குறி(கடை, "SELECT 1");')
    assert done.status == 1
    assert "[db.unavailable]" in done.errors
    assert "test.qmz: வரி 3" in done.errors
    assert "s3cret" not in done.errors


def test_a_script_with_a_database_is_run_by_the_command(tmp_path: Path) -> None:
    text = """
    தளம்_இணை SQL, "kadai.db";
    தளம்_செய் "CREATE TABLE IF NOT EXISTS items (name TEXT, price NUMERIC)", [];
    தளம்_செய் "INSERT INTO items VALUES (?, ?)", ["பேனா", 12.50];
    தளம்_வினா "SELECT name, price FROM items WHERE price > ?", [10], வரிகள்;
    ஒவ்வொரு வ இல் வரிகள் { அச்சு வ.name & " = " & வ.price; }
    தளம்_பிரி SQL;
    """
    (tmp_path / "kadai.qmz").write_text(text, encoding="utf-8")
    for runs in (1, 2):
        done = subprocess.run(
            [sys.executable, "-m", "etamil_actors", "run", "kadai.qmz"],
            capture_output=True, cwd=tmp_path, timeout=60, check=False,
        )  # fmt: skip
        assert (done.stderr.decode(), done.returncode) == ("", 0)
        assert done.stdout.decode().splitlines() == ["பேனா = 12.5"] * runs
    assert (tmp_path / "kadai.db").exists()


def test_a_column_has_its_name_however_its_letters_are_made_up(base: Base) -> None:
    column = normalize("NFD", "பொருளோ")
    assert column != "பொருளோ"
    assert lines(base, f'அச்சு விகல்_ஒன்று(கடை, "SELECT 5 AS {column}").பொருளோ;') == ["5"]


def test_many_activities_call_a_function_of_the_program_from_an_sqlite_file_at_once(tmp_path: Path) -> None:
    base = Base("sqlite", f"sqlite:{tmp_path}/kadai.db")
    text = f"""
    தளம்_இணை SQL, "{tmp_path}/kadai.db";
    தளம்_செய் "CREATE TABLE n (a NUMERIC)", [];
    தளம்_செய் "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 500)"
        & " INSERT INTO n SELECT i FROM c", [];
    பங்கு = 3;
    செயல் மூன்றில்(x) {{ i = 0; (i < 10) சுற்று {{ i = i + 1; }} திரும்பு x / பங்கு; }}
    செயல் முடிவில்லை(x) {{ (மெய்) சுற்று {{ x = x + 1; }} }}
    தளம்_செயல்_பதிவு("third", மூன்றில், 1);
    தளம்_செயல்_பதிவு("endless", முடிவில்லை, 1);
    செயல் கேள்(m) {{
        தளம்_வினா "SELECT third(a) AS t FROM n ORDER BY a", [], v;
        முயல் {{ தளம்_வினா "SELECT endless(1)", [], w; }} பிழை(e) {{ திரும்பு v[m].t & " " & e.code; }}
    }}
    அச்சு இணையாக_மாற்று([0, 2, 5, 499], கேள்);
    """
    assert lines(base, text) == [
        "[0.3333333333333333333333333333 db.query, 1 db.query, 2 db.query, 166.66666666666666666666666667 db.query]"
    ]
