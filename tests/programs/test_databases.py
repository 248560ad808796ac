"""Pools, queries, leases, transactions and migrations as programs have them (EXTENSIONS §10), on the
simulated twin. The same on real databases is in ``test_databases_real.py``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import trio

from etamil_actors.actors.programs.activity import Activity
from etamil_actors.actors.programs.system import System
from etamil_actors.actors.programs.world import Ports
from etamil_actors.ports.databases import PoolSettings
from etamil_actors.resources.system import SimulatedFiles
from tests.programs.running import Result, failure_of, output_of, run_program

KADAI = """
கடை = விகல்_உருவாக்கு("sqlite") {"database": "kadai.db"};
விகல்_செய்(கடை, "CREATE TABLE items (name TEXT, count INTEGER)");
செயல் எல்லாம்() { திரும்பு விகல்_குறி(கடை, "SELECT name, count FROM items ORDER BY name"); }
"""


def leased(system: System) -> list[tuple[str, int]]:
    """Pools of which something is lent."""
    databases = system.ports.databases
    assert databases is not None
    return [(one.settings.name, one.facts().leased) for one in databases.pools() if one.facts().leased]


def looked_at(text: str, **options: Any) -> Result:
    """A run after whose programs nothing of a pool is lent."""

    async def during(system: System) -> None:
        with trio.move_on_after(60):
            await system.leaving.wait()
        assert leased(system) == []

    return run_program(text, during=during, **options)


# ---- pools ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "made",
    [
        'விகல்_உருவாக்கு("sqlite") {"database": "kadai.db", "max_connections": 3, "timeout": 5000}',
        'விகல்_உருவாக்கு("sqlite", {"url": "kadai.db"})',
        'விகல்_உருவாக்கு {"url": "sqlite:kadai.db", "pool_size": 3}',
        'விகல்_உருவாக்கு({"url": "sqlite:kadai.db", "இணைப்புகள்": 3})',
        'விகல்_உருவாக்கு("sqlite:kadai.db")',
        '_pool("sqlite", {"database": "kadai.db"})',
        'pool_create("sqlite", {"database": "kadai.db"})',
    ],
)
def test_a_pool_is_made_of_a_kind_of_options_or_of_a_url(made: str) -> None:
    text = f"""
    க = {made};
    அச்சு க; அச்சு வகை(க); அச்சு க == க; அச்சு ஜேசான்_ஆக்கு([க]);
    அச்சு விகல்_ஒன்று(க, "SELECT 1 AS one").one;
    """
    assert output_of(text) == ["<இணைப்புக்குளம் kadai.db>", "a pool", "true", "[null]", "1"]


def test_pools_of_one_database_see_the_same_and_pools_of_others_do_not() -> None:
    text = KADAI + """
    மற்றது = விகல்_உருவாக்கு {"url": "sqlite:kadai.db", "max_connections": 2};
    விகல்_செய்(மற்றது, "INSERT INTO items VALUES ('பேனா', 1)");
    அச்சு நீளம்(எல்லாம்());
    வேறு = விகல்_உருவாக்கு {"url": "sqlite:other.db"};
    முயல் { விகல்_குறி(வேறு, "SELECT * FROM items"); } பிழை(e) { அச்சு e.code; }
    """
    assert output_of(text) == ["1", "db.query"]


@pytest.mark.parametrize(
    ("made", "code"),
    [
        ('விகல்_உருவாக்கு("oracle")', "db.unsupported"),
        ('விகல்_உருவாக்கு {"url": "http://a/b"}', "value.invalid"),
        ('விகல்_உருவாக்கு("postgres") {"url": "mysql://root@127.0.0.1/test"}', "value.invalid"),
        ('விகல்_உருவாக்கு {"url": "postgres://malar:s3@cret@db.example/kadai"}', "value.invalid"),
        ('விகல்_உருவாக்கு {"url": "postgres://malar:s3/cret@db.example/kadai"}', "value.invalid"),
        ('விகல்_உருவாக்கு("sqlite", ஆக்கு({"database": "a.db", "max_connections": 0}))', "value.invalid"),
        ('விகல்_உருவாக்கு("sqlite", ஆக்கு({"database": "a.db", "timeout": "நேரம்"}))', "value.kind"),
        ('விகல்_உருவாக்கு("sqlite", ஆக்கு({"databse": "a.db"}))', "option.unknown"),
        ('விகல்_உருவாக்கு {"host": "db.example", "user": "malar"}', "value.invalid"),
        ('விகல்_உருவாக்கு {"database": "a.db"}', "value.invalid"),
    ],
)
def test_what_is_no_pool_is_told_where_it_is_made(made: str, code: str) -> None:
    fault = failure_of(f"செயல் ஆக்கு(v) {{ திரும்பு v; }}\nக = {made};")
    assert fault.code == code
    assert fault.trace[0].line == 2


@pytest.mark.parametrize(
    "made",
    [
        'விகல்_உருவாக்கு("postgress://malar:s3cret@db.example/kadai")',
        'விகல்_உருவாக்கு("sqlite") {"url": "postgress://malar:s3cret@db.example/kadai"}',
        'விகல்_உருவாக்கு {"url": "postgress://malar:s3cret@db.example/kadai"}',
    ],
)
def test_a_url_with_a_slip_is_not_shown_because_it_may_hold_a_password(made: str) -> None:
    fault = failure_of(f"க = {made};")
    assert "s3cret" not in f"{fault.message} {fault.details}"


def test_what_is_not_supported_is_told_with_what_is() -> None:
    fault = failure_of('விகல்_உருவாக்கு("oracle://malar:s3cret@db.example/kadai");')
    assert "‘oracle’ is not supported; known are sqlite, postgres" in fault.english


def test_nothing_is_opened_before_it_is_needed() -> None:
    done = looked_at('க = விகல்_உருவாக்கு("postgres") {"host": "db.example", "user": "மலர்", "password": "இரகசியம்"};')
    assert done.problem is None
    databases = done.system.ports.databases
    assert databases is not None and list(databases.pools()) == []


def test_a_password_is_never_shown() -> None:
    text = """
    அச்சு விகல்_உருவாக்கு("postgres") {"host": "db.example", "user": "malar", "password": "s3cret", "database": "kadai"};
    அச்சு விகல்_உருவாக்கு {"url": "mysql://malar:s3cret@db.example:3307/kadai"};
    """
    assert output_of(text) == [
        "<இணைப்புக்குளம் postgres://db.example/kadai>", "<இணைப்புக்குளம் mysql://db.example:3307/kadai>",
    ]  # fmt: skip


def test_a_closed_pool_answers_nothing_more_but_the_database_is_still_there() -> None:
    text = KADAI + """
    மற்றது = விகல்_உருவாக்கு("sqlite") {"database": "kadai.db"};
    விகல்_மூடு(கடை);
    முயல் { விகல்_குறி(கடை, "SELECT 1"); } பிழை(e) { அச்சு e.code; }
    விகல்_மூடு(கடை);
    அச்சு விகல்_குறி(மற்றது, "SELECT 1 AS one");
    """
    assert output_of(text) == ["db.closed", "[{one: 1}]"]


def test_a_pool_with_nothing_free_says_its_name_when_the_time_is_over() -> None:
    text = """
    குளம் = விகல்_உருவாக்கு("sqlite") {"database": "kadai.db", "max_connections": 1, "timeout": 2000};
    செயல் பிடி() { விகல்_குறி(குளம்) { உறங்கு(10); }; }
    செயல் கேள்() { உறங்கு(1); முயல் { விகல்_குறி(குளம்) { }; } பிழை(e) { அச்சு e.code; அச்சு e.message; } }
    இணையாக([பிடி, கேள்]);
    """
    done = looked_at(text, seconds=0)
    code, message = done.lines
    assert code == "db.unavailable"
    assert "kadai.db" in message


# ---- the default pool -----------------------------------------------------------------


def test_the_default_pool_is_what_the_program_names() -> None:
    text = """
    உறவு_தொடர்பு "sqlite", "kadai.db";
    விகல்_செய்("CREATE TABLE t (a INTEGER)");
    விகல்_செய்("INSERT INTO t VALUES (?)", [7]);
    அச்சு விகல்_ஒன்று("SELECT a FROM t").a;
    அச்சு விகல்_குறி(விகல்_உருவாக்கு {"url": "sqlite:kadai.db"}, "SELECT a FROM t");
    அச்சு விகல்_குறி(விகல்_உருவாக்கு {"url": இன்மை, "pool_size": 10}, "SELECT a FROM t");
    விகல்_குறி() { அச்சு குறி.ஒன்று("SELECT a FROM t").a; };
    """
    assert output_of(text) == ["7", "[{a: 7}]", "[{a: 7}]", "7"]


def test_the_default_pool_of_the_configuration_is_used_without_a_word() -> None:
    kept = PoolSettings(kind="sqlite", url="/data/kadai.db", name="default", most=2)
    text = """
    அச்சு விகல்_ஒன்று("SELECT 5 AS five").five;
    அச்சு விகல்_உருவாக்கு("நூலகம்");
    அச்சு விகல்_உருவாக்கு {"url": "sqlite:/data/kadai.db"};
    """
    other = PoolSettings(kind="sqlite", url="/data/books.db", name="நூலகம்")
    assert output_of(text, databases={"default": kept, "நூலகம்": other}) == [
        "5", "<இணைப்புக்குளம் நூலகம்>", "<இணைப்புக்குளம் default>",
    ]  # fmt: skip


def test_without_any_default_pool_a_query_says_so() -> None:
    def real(ports: Ports) -> Ports:
        return replace(ports, is_simulated=False)

    async def during(system: System) -> None:
        await system.leaving.wait()

    done = run_program('விகல்_குறி("SELECT 1");', ports=real, during=during)
    assert done.fault is not None and done.fault.code == "db.not_connected"
    assert "database.default" in done.fault.english and "database.default" in done.fault.tamil


@pytest.mark.parametrize("start", ["முதல்_உருவாக்கு(அமை)", "சேவையகம்_தொடங்கு(அமை)", "அமை_புரோ(அமை)"])
@pytest.mark.parametrize(
    "said", ['"database": "sqlite:kadai.db"', '"database_url": "sqlite:kadai.db"', '"database": {"url": "sqlite:kadai.db"}']
)
def test_the_settings_of_an_application_may_name_the_default_pool(start: str, said: str) -> None:
    text = f"""
    அமை = {{ {said} }};
    {start};
    விகல்_செய்("CREATE TABLE t (a INTEGER)");
    அச்சு விகல்_குறி(விகல்_உருவாக்கு("sqlite") {{"database": "kadai.db"}}, "SELECT * FROM t");
    """
    assert output_of(text) == ["[]"]


def test_the_configuration_wins_over_the_settings_of_an_application() -> None:
    kept = PoolSettings(kind="sqlite", url="/data/kadai.db", name="default")
    text = """
    முதல்_உருவாக்கு({"database": "sqlite:other.db"});
    விகல்_செய்("CREATE TABLE t (a INTEGER)");
    அச்சு விகல்_குறி(விகல்_உருவாக்கு {"url": "sqlite:/data/kadai.db"}, "SELECT * FROM t");
    """
    assert output_of(text, databases={"default": kept}) == ["[]"]


def test_settings_with_a_wrong_url_are_an_error_where_they_are_used() -> None:
    fault = failure_of('\n\nமுதல்_உருவாக்கு({"database": "kadai"});')
    assert (fault.code, fault.trace[0].line) == ("value.invalid", 3)
    assert "sqlite:" in fault.english


# ---- queries --------------------------------------------------------------------------


def test_a_query_answers_rows_one_row_and_what_a_command_did() -> None:
    text = KADAI + """
    அச்சு விகல்_செய்(கடை, "INSERT INTO items VALUES (?, ?)", ["பேனா", 2]);
    செய்தது = விகல்_செய்(கடை, "INSERT INTO items VALUES ($2, $1)", [5, "தாள்"]);
    அச்சு செய்தது.எண்ணிக்கை & " " & செய்தது.அடையாளம் & " " & செய்தது.changed & " " & செய்தது["id"];
    அச்சு எல்லாம்();
    அச்சு விகல்_ஒன்று(கடை, "SELECT count FROM items WHERE name = ?", ["தாள்"]);
    அச்சு விகல்_ஒன்று(கடை, "SELECT count FROM items WHERE name = ?", ["கல்"]);
    அச்சு விகல்_செய்(கடை, "UPDATE items SET count = count + 1").changed;
    அச்சு query_one(கடை, "SELECT '??' AS q").q;
    அச்சு query_async(கடை, "SELECT 1 AS one");
    """
    assert output_of(text) == [
        "{changed: 1, id: 1}", "1 2 1 2", "[{count: 5, name: தாள்}, {count: 2, name: பேனா}]", "{count: 5}",
        "nil", "2", "??", "[{one: 1}]",
    ]  # fmt: skip


@pytest.mark.parametrize("given", ["5", '"பேனா"', '{"a": 1}', "இன்மை"])
def test_parameters_have_to_be_an_array(given: str) -> None:
    text = KADAI + f"விகல்_குறி(கடை, \"SELECT ? AS a\", {given});"
    assert failure_of(text).code == "db.parameters"


def test_whatever_a_parameter_says_it_stays_a_value() -> None:
    evil = "'; DROP TABLE items; --"
    text = KADAI + f"""
    தீயது = "{evil}";
    விகல்_செய்(கடை, "INSERT INTO items VALUES (?, 1)", [தீயது]);
    அச்சு விகல்_ஒன்று(கடை, "SELECT name FROM items WHERE name = ?", [தீயது]).name;
    அச்சு நீளம்(விகல்_குறி(கடை, "SELECT name FROM items WHERE name = ?", ["' OR '1'='1"]));
    """
    assert output_of(text) == [evil, "0"]


def test_values_travel_as_the_reference_says() -> None:
    text = KADAI + """
    செயல் போய்வா(v) { திரும்பு விகல்_ஒன்று(கடை, "SELECT ? AS v", [v]).v; }
    அச்சு போய்வா(1234567890123456789.123456789);
    அச்சு போய்வா(79228162514264337593543950335);
    அச்சு போய்வா("தமிழ் 🙂");
    அச்சு போய்வா("007");
    அச்சு போய்வா(இன்மை) == இன்மை;
    அச்சு போய்வா(மெய்);
    அச்சு போய்வா([1, "அ"]);
    அச்சு போய்வா({"அ": 1});
    அச்சு போய்வா(சரி(1));
    """
    assert output_of(text) == [
        "1234567890123456789.123456789", "79228162514264337593543950335", "தமிழ் 🙂", "7", "true", "1", "[1, அ]",
        "{அ: 1}", "சரி(1)",
    ]  # fmt: skip


def test_a_query_that_is_wrong_is_an_error_with_its_line() -> None:
    fault = failure_of(KADAI + 'விகல்_குறி(கடை, "SELEKT 1");')
    assert fault.code == "db.query"
    assert fault.trace[0].line == KADAI.count("\n") + 1


@pytest.mark.parametrize("said", ['விகல்_குறி(கடை)', 'விகல்_ஒன்று(கடை)', 'விகல்_செய்("a", [], 1, 2)', "விகல்_குறி(5, \"SELECT 1\")"])
def test_a_query_without_a_text_or_a_pool_is_refused(said: str) -> None:
    assert failure_of(f"{KADAI}{said};").code in ("call.arguments", "value.kind", "db.parameters")


# ---- a lease --------------------------------------------------------------------------


def test_a_block_has_a_connection_and_answers_what_its_last_query_answers() -> None:
    text = KADAI + """
    முடிவு = விகல்_குறி(கடை) {
        அச்சு வகை(குறி);
        குறி.செய்("INSERT INTO items VALUES (?, ?)", ["பேனா", 2]);
        அச்சு குறி.ஒன்று("SELECT count FROM items").count;
        அச்சு குறி.வினா("SELECT count FROM items");
        குறி.குற்றம்("SELECT name FROM items");
    };
    அச்சு முடிவு;
    """
    assert output_of(text) == ["a connection", "2", "[{count: 2}]", "[{name: பேனா}]"]


def test_all_queries_of_a_block_are_on_one_connection() -> None:
    text = KADAI + """
    விகல்_குறி(கடை) {
        குறி.செய்("CREATE TEMP TABLE mine (a INTEGER)");
        விகல்_செய்(கடை, "INSERT INTO mine VALUES (1)");
        விகல்_குறி(கடை) { அச்சு குறி.ஒன்று("SELECT a FROM mine").a; };
        அச்சு விகல்_ஒன்று(கடை, "SELECT a FROM mine").a;
    };
    """
    assert output_of(text) == ["1", "1"]


def test_a_pool_of_one_connection_does_not_wait_for_itself() -> None:
    text = """
    குளம் = விகல்_உருவாக்கு("sqlite") {"database": "kadai.db", "max_connections": 1};
    விகல்_பரிவர்த்தனை(குளம்) {
        விகல்_குறி(குளம்) { அச்சு விகல்_ஒன்று(குளம், "SELECT 1 AS a").a; };
    }
    """
    assert output_of(text) == ["1"]


def test_after_its_block_a_connection_is_closed() -> None:
    text = KADAI + """
    மறந்தது = இன்மை;
    விகல்_குறி(கடை) { மறந்தது = குறி; };
    முயல் { மறந்தது.வினா("SELECT 1"); } பிழை(e) { அச்சு e.code; }
    முயல் { மறந்தது.ஒன்று("SELECT 1"); } பிழை(e) { அச்சு e.code; }
    முயல் { மறந்தது.செய்("SELECT 1"); } பிழை(e) { அச்சு e.code; }
    """
    assert output_of(text) == ["db.closed"] * 3


def test_a_connection_is_of_no_use_to_another_activity() -> None:
    text = KADAI + """
    செயல் வேறு(இணைப்பு_1) { முயல் { இணைப்பு_1.வினா("SELECT 1"); } பிழை(e) { அச்சு e.code; } }
    விகல்_குறி(கடை) { பணி_காத்திரு(பணி_தொடங்கு(வேறு, குறி)); };
    """
    assert output_of(text) == ["not_here"]


@pytest.mark.parametrize(
    "out", ["பிழை_எழுப்பு(\"அ\");", "தவறு(1)?;", "திரும்பு 1;", "குறி.வினா(\"SELEKT\");", "உறங்கு(99);", "வெளியேறு(0);"]
)
def test_a_connection_comes_back_on_every_way_out_of_its_block(out: str) -> None:
    text = KADAI + f"""
    செயல் வேலை() {{ விகல்_குறி(கடை) {{ குறி.செய்("BEGIN"); {out} }}; }}
    ப = பணி_தொடங்கு(வேலை); உறங்கு(1); பணி_நிறுத்து(ப);
    முயல் {{ பணி_காத்திரு(ப); }} பிழை(e) {{ அச்சு e.code; }}
    """
    assert looked_at(text).problem is None


# ---- transactions ---------------------------------------------------------------------


def test_a_transaction_is_done_as_a_whole_or_not_at_all() -> None:
    text = KADAI + """
    அச்சு விகல்_பரிவர்த்தனை(கடை) {
        விகல்_செய்(கடை, "INSERT INTO items VALUES ('அ', 1)");
        விகல்_ஒன்று(கடை, "SELECT name FROM items").name;
    };
    முயல் {
        விகல்_பரிவர்த்தனை(கடை) {
            விகல்_செய்(கடை, "INSERT INTO items VALUES ('ஆ', 2)");
            அச்சு நீளம்(எல்லாம்());
            பிழை_எழுப்பு("போதும்", "இனி இல்லை");
        }
    } பிழை(e) { அச்சு e.code; }
    அச்சு எல்லாம்();
    """
    assert output_of(text) == ["அ", "2", "போதும்", "[{count: 1, name: அ}]"]


@pytest.mark.parametrize(
    ("leaves", "kept"),
    [
        ("திரும்பு 1;", 1),
        ("திரும்பு சரி(1);", 1),
        ('திரும்பு தவறு("இல்லை");', 0),
        ('தவறு("இல்லை")?;', 0),
        ('x = தவறு("இல்லை"); திரும்பு x;', 0),
        ('தவறு("இல்லை");', 0),
        ("சரி(1);", 1),
    ],
)
def test_a_failure_that_leaves_the_block_undoes_it(leaves: str, kept: int) -> None:
    text = KADAI + f"""
    செயல் வேலை() {{
        விகல்_பரிவர்த்தனை(கடை) {{ விகல்_செய்(கடை, "INSERT INTO items VALUES ('அ', 1)"); {leaves} }}
    }}
    வேலை();
    அச்சு நீளம்(எல்லாம்());
    """
    assert output_of(text) == [str(kept)]


def test_a_failure_inside_a_loop_around_the_transaction_ends_the_loop_and_undoes_only_the_last() -> None:
    text = KADAI + """
    ஒவ்வொரு n இல் [1, 2, 3, 4] {
        விகல்_பரிவர்த்தனை(கடை) {
            விகல்_செய்(கடை, "INSERT INTO items VALUES ('அ', ?)", [n]);
            (n == 3) எனில் { நிறுத்து; }
        }
    }
    அச்சு நீளம்(எல்லாம்());
    """
    assert output_of(text) == ["3"]


def test_a_transaction_inside_another_is_undone_by_itself() -> None:
    text = KADAI + """
    விகல்_பரிவர்த்தனை(கடை) {
        விகல்_செய்(கடை, "INSERT INTO items VALUES ('அ', 1)");
        முயல் {
            விகல்_பரிவர்த்தனை(கடை) {
                விகல்_செய்(கடை, "INSERT INTO items VALUES ('ஆ', 2)");
                விகல்_பரிவர்த்தனை(கடை) { விகல்_செய்(கடை, "INSERT INTO items VALUES ('இ', 3)"); }
                பிழை_எழுப்பு("x");
            }
        } பிழை(e) { அச்சு e.code; }
        விகல்_பரிவர்த்தனை(கடை) { விகல்_செய்(கடை, "INSERT INTO items VALUES ('ஈ', 4)"); }
    }
    அச்சு எல்லாம்();
    """
    assert output_of(text) == ["x", "[{count: 1, name: அ}, {count: 4, name: ஈ}]"]


def test_a_transaction_that_ends_inside_its_block_is_told() -> None:
    text = KADAI + """
    முயல் { விகல்_பரிவர்த்தனை(கடை) { விகல்_செய்(கடை, "ROLLBACK"); } } பிழை(e) { அச்சு e.message; }
    விகல்_பரிவர்த்தனை(கடை) { விகல்_செய்(கடை, "INSERT INTO items VALUES ('அ', 1)"); }
    அச்சு நீளம்(எல்லாம்());
    """
    told, kept = output_of(text)
    assert "has ended inside its block" in told and "may be committed" in told
    assert kept == "1"


def test_what_another_activity_does_is_no_part_of_a_transaction() -> None:
    text = KADAI + """
    செயல் கேள்() { திரும்பு விகல்_ஒன்று(கடை, "SELECT count(*) AS n FROM items").n; }
    செயல் வை(n) { விகல்_செய்(கடை, "INSERT INTO items VALUES ('ஆ', ?)", [n]); திரும்பு கேள்(); }
    ப = இன்மை;
    முயல் {
        விகல்_பரிவர்த்தனை(கடை) {
            விகல்_செய்(கடை, "INSERT INTO items VALUES ('அ', 1)");
            ப = பணி_தொடங்கு(வை, 2);
            உறங்கு(1);
            அச்சு கேள்();
            பிழை_எழுப்பு("x");
        }
    } பிழை(e) { அச்சு பணி_காத்திரு(ப); அச்சு எல்லாம்(); }
    """
    assert output_of(text) == ["1", "1", "[{count: 2, name: ஆ}]"]


def test_a_transaction_that_is_cancelled_is_undone_and_its_connection_comes_back() -> None:
    text = KADAI + """
    செயல் வேலை() {
        விகல்_பரிவர்த்தனை(கடை) { விகல்_செய்(கடை, "INSERT INTO items VALUES ('அ', 1)"); உறங்கு(100); }
    }
    ப = பணி_தொடங்கு(வேலை); உறங்கு(1); பணி_நிறுத்து(ப);
    அச்சு எல்லாம்();
    முயல் { காலவரம்பு(1) { வேலை(); } } பிழை(e) { அச்சு e.code; }
    அச்சு எல்லாம்();
    """
    done = looked_at(text)
    assert (done.lines, done.problem) == (["[]", "timeout", "[]"], None)


def test_an_agent_may_hold_a_transaction_only_as_long_as_its_block() -> None:
    text = KADAI + """
    முகவர் காசாளர்() {
        செய்தி வை(n: எண்) {
            விகல்_பரிவர்த்தனை(கடை) {
                விகல்_செய்(கடை, "INSERT INTO items VALUES ('அ', ?)", [n]);
                (n > 2) எனில் { பிழை_எழுப்பு("அதிகம்"); }
            }
        }
    }
    க = காசாளர்();
    ஒவ்வொரு n இல் [1, 2, 3, 4] { முயல் { க.வை(n); } பிழை(e) { அச்சு e.code; } }
    அச்சு நீளம்(எல்லாம்());
    """
    done = looked_at(text)
    assert done.lines == ["அதிகம்", "அதிகம்", "2"]


# ---- migrations -----------------------------------------------------------------------

FIRST = "CREATE TABLE items (name TEXT);\nINSERT INTO items VALUES ('பேனா; தாள்');"
SECOND = "ALTER TABLE items ADD COLUMN count INTEGER DEFAULT 7;"


def migrating(files: dict[str, str]) -> Any:
    return lambda ports: replace(ports, files=SimulatedFiles(files))


def test_numbered_files_are_run_once_in_the_order_of_their_numbers() -> None:
    text = """
    கடை = விகல்_உருவாக்கு("sqlite") {"database": "kadai.db"};
    அச்சு விகல்_மேம்படுத்து(கடை, "sql");
    அச்சு விகல்_மேம்படுத்து(கடை, "sql");
    அச்சு விகல்_ஒன்று(கடை, "SELECT * FROM items");
    """
    files = {"sql/002_count.sql": SECOND, "sql/001_items.sql": FIRST, "sql/README.md": "?"}
    assert output_of(text, ports=migrating(files)) == ["2", "0", "{count: 7, name: பேனா; தாள்}"]


def test_inside_a_transaction_nothing_is_migrated() -> None:
    text = KADAI + """
    முயல் { விகல்_பரிவர்த்தனை(கடை) { விகல்_மேம்படுத்து(கடை, "sql"); } } பிழை(e) { அச்சு e.message; }
    """
    (told,) = output_of(text)
    assert "outside its block" in told


def test_the_default_pool_is_migrated_like_any_other() -> None:
    text = 'அச்சு விகல்_மேம்படுத்து(விகல்_உருவாக்கு(), "sql"); அச்சு விகல்_குறி("SELECT * FROM items");'
    assert output_of(text, ports=migrating({"sql/001_items.sql": FIRST})) == ["1", "[{name: பேனா; தாள்}]"]


def test_a_file_that_was_run_and_has_changed_is_refused() -> None:
    text = """
    கடை = விகல்_உருவாக்கு("sqlite") {"database": "kadai.db"};
    விகல்_மேம்படுத்து(கடை, "sql");
    கோப்பு_எழுது "sql/001_items.sql", "-- மாற்றம்";
    விகல்_மேம்படுத்து(கடை, "sql");
    """
    fault = failure_of(text, ports=migrating({"sql/001_items.sql": FIRST}))
    assert fault.code == "db.query"
    assert "001_items.sql" in fault.english
    assert fault.trace[0].line == 5


def test_a_folder_that_is_not_there_is_told_as_a_file_is() -> None:
    fault = failure_of('விகல்_மேம்படுத்து(விகல்_உருவாக்கு {"url": "sqlite:a.db"}, "எங்கோ");')
    assert (fault.code, "எங்கோ" in fault.english) == ("file", True)


# ---- spans ----------------------------------------------------------------------------


class Spans:
    """Notes what it is told."""

    def __init__(self, *, keeps: bool = True) -> None:
        self.told: list[tuple[str, str, dict[str, Any], str]] = []
        self.keeps = keeps

    def begin(self, name: str, kind: str, parent: str, attributes: Any = None) -> Any:
        return _Span(self, name, kind, dict(attributes or {})) if self.keeps else None


class _Span:
    context = ""

    def __init__(self, spans: Spans, name: str, kind: str, attributes: dict[str, Any]) -> None:
        self.spans, self.name, self.kind, self.attributes = spans, name, kind, attributes

    def note(self, name: str, value: object) -> None:
        self.attributes[name] = value

    def rename(self, name: str) -> None:
        self.name = name

    def end(self, error: str = "") -> None:
        self.spans.told.append((self.name, self.kind, self.attributes, error))


@pytest.mark.parametrize("keeps", [True, False])
def test_every_query_is_a_span_without_what_it_says(keeps: bool) -> None:
    spans = Spans(keeps=keeps)
    text = KADAI.replace("கடை = ", "தொடங்கு_1 = 1; கடை = ") + """
    விகல்_குறி(கடை, "select 'இரகசியம்'");
    விகல்_குறி(கடை) { குறி.செய்("INSERT INTO items VALUES (?, 1)", ["இரகசியம்"]); };
    முயல் { விகல்_ஒன்று(கடை, "இரகசியம்"); } பிழை(e) { }
    தளம்_இணை SQL, "kadai.db";
    தளம்_வினா "SELECT 1", [], வரிகள்;
    """

    before = System.__init__

    def begin(system: System, *arguments: Any, **options: Any) -> None:
        before(system, *arguments, **options)
        system.tracer = spans

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(System, "__init__", begin)
        assert output_of(text) == []
    if not keeps:
        assert spans.told == []
        return
    told = [one for one in spans.told if one[1] == "client"]
    assert [(name, kind, error) for name, kind, _, error in told] == [
        ("CREATE", "client", ""), ("SELECT", "client", ""), ("INSERT", "client", ""), ("SQL", "client", "db.query"),
        ("SELECT", "client", ""),
    ]  # fmt: skip
    assert {attributes["db.system"] for _, _, attributes, _ in told} == {"sqlite"}
    assert "இரகசியம்" not in str(spans.told)


# ---- cancelled at every wait ----------------------------------------------------------

VICTIM = "வேலை"

STRUCK = KADAI + f"""
தளம்_இணை SQL, "kadai.db";
செயல் வை(n) {{ விகல்_செய்(கடை, "INSERT INTO items VALUES ('அ', ?)", [n]); }}
பணி {VICTIM}() {{
    விகல்_பரிவர்த்தனை(கடை) {{
        வை(1);
        விகல்_பரிவர்த்தனை(கடை) {{ வை(2); }}
        முயல் {{ விகல்_பரிவர்த்தனை(கடை) {{ வை(9); பிழை_எழுப்பு("x"); }} }} பிழை(e) {{ }}
        விகல்_குறி(கடை) {{ குறி.செய்("INSERT INTO items VALUES ('அ', 3)"); }};
    }}
    தளம்_செய் "BEGIN", [];
    தளம்_செய் "INSERT INTO items VALUES ('ஆ', 1)", [];
    தளம்_செய் "INSERT INTO items VALUES ('ஆ', 2)", [];
    தளம்_செய் "COMMIT", [];
    திரும்பு "முடிந்தது";
}}
பணி_உருவாக்கு "பெற்றோர்" {{
    முயல் {{ அச்சு பணி_காத்திரு(பணி_தொடங்கு({VICTIM})); }} பிழை(e) {{ அச்சு e.code; }}
    அச்சு விகல்_ஒன்று(கடை, "SELECT count(*) AS n FROM items WHERE name = 'அ'").n;
    அச்சு விகல்_ஒன்று(கடை, "SELECT count(*) AS n FROM items WHERE name = 'ஆ'").n;
}}
"""


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_whoever_is_cancelled_at_any_wait_leaves_whole_transactions_and_no_connection(before: bool) -> None:
    def cancel(activity: Activity) -> None:
        for child in activity.service.tasks._accounts:
            task = getattr(child._behaviour, "task", None)
            if task is not None and task.activity is activity:
                task.cancel()

    plain = Activity.wait
    waits = 0
    for at in range(1, 100):
        count = 0

        def wait(activity: Activity, coroutine: Any, at: int = at) -> Any:
            nonlocal count
            if activity.name != VICTIM:
                return plain(activity, coroutine)
            count += 1
            is_it = count == at
            if is_it and before:
                cancel(activity)
            try:
                return plain(activity, coroutine)
            finally:
                if is_it and not before:
                    cancel(activity)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Activity, "wait", wait)
            done = looked_at(STRUCK)
        assert done.problem is None
        assert not done.left_over
        how, first, second = done.lines
        assert (first, second) in (("0", "0"), ("3", "0"), ("3", "2")), (at, done.lines)
        if count < at:
            assert (how, first, second) == ("முடிந்தது", "3", "2")
            break
        waits += 1
    assert waits > 15
