"""The statements of 2.0 on the pools of services: handles, attempts, transactions in plain SQL, functions that
SQL calls (REFERENCE §18, EXTENSIONS §1.1)."""

from __future__ import annotations

import pytest

from etamil_actors.actors.programs.system import System
from tests.programs.running import failure_of, output_of, run_program
from tests.programs.test_databases import looked_at

ITEMS = """
தளம்_இணை SQL, "kadai.db";
தளம்_செய் "CREATE TABLE IF NOT EXISTS items (name TEXT, price NUMERIC)", [];
"""


# ---- statements -----------------------------------------------------------------------


@pytest.mark.parametrize("back_end", ["SQL", "SQLite", "கவி_மொழி", "சீகுலைட்"])
def test_the_program_of_the_reference_runs(back_end: str) -> None:
    text = f"""
    தளம்_இணை {back_end}, "kadai.db";
    தளம்_செய் "CREATE TABLE IF NOT EXISTS items (name TEXT, price NUMERIC)", [];
    தளம்_செய் "INSERT INTO items VALUES (?, ?)", ["பேனா", 12.50];
    தளம்_வினா "SELECT name, price FROM items WHERE price > ?", [10], வரிகள்;
    ஒவ்வொரு வ இல் வரிகள் {{ அச்சு வ.name & " = " & வ.price; }}
    தளம்_பிரி {back_end};
    """
    assert output_of(text) == ["பேனா = 12.5"]
    assert output_of(text, as_script=True) == ["பேனா = 12.5"]


def test_of_two_columns_with_one_name_the_later_wins() -> None:
    assert output_of(ITEMS + 'தளம்_வினா "SELECT 1 AS a, 2 AS a", [], v; அச்சு v;') == ["[{a: 2}]"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('தளம்_வினா "SELECT 1", [], v;', "db.not_connected"),
        ('தளம்_செய் "SELECT 1", [], வேறு;', "db.handle"),
        ("தளம்_பிரி வேறு;", "db.handle"),
        ('தளம்_இணை SQL, "a.db"; தளம்_இணை SQL, "b.db";', "db.handle"),
        ('தளம்_இணை SQL, "a.db"; தளம்_இணை SQL, "b.db", h; தளம்_வினா "SELECT 1", [], v;', "db.handle"),
        ('தளம்_இணை SQL, "a.db"; தளம்_செய் "SELECT 1", 5;', "db.parameters"),
        ('தளம்_இணை SQL, "a.db"; தளம்_வினா "SELECT ?", "உரை", v;', "db.parameters"),
        ('தளம்_இணை SQL, "a.db"; தளம்_வினா "SELEKT", [], v;', "db.query"),
        ('தளம்_இணை SQL, "a.db"; தளம்_செய் "SELECT 1", [];', "db.query"),
        ('தளம்_இணை SQL, "a.db"; தளம்_செய் "CREATE TABLE t (a); CREATE TABLE u (a)", [];', "db.query"),
        ('தளம்_இணை மாங்கோடிபி, "mongodb://localhost";', "db.unsupported"),
        ('தளம்_இணை ஜேசான், "a.json";', "db.unsupported"),
        ('தளம்_இணை தேடு_மொழி, "a";', "db.unsupported"),
        ('தளம்_இணை எதுவோ, "a";', "db.unsupported"),
        ('தளம்_இணை SQL, "postgres://root@127.0.0.1/test";', "db.unsupported"),
        ('தளம்_இணை மைசீகுல், "postgres://root@127.0.0.1/test";', "db.unsupported"),
        ('தளம்_இணை SQL, "postgress://malar:s3cret@127.0.0.1/test";', "db.unsupported"),
    ],
)
def test_what_a_statement_cannot_do_is_an_error_with_its_line(text: str, code: str) -> None:
    fault = failure_of("\n" + text)
    assert (fault.code, fault.trace[0].line) == (code, 2)
    assert "s3cret" not in fault.message


def test_a_handle_means_its_own_connection() -> None:
    text = """
    தளம்_இணை SQL, "a.db", முதல்;
    தளம்_இணை SQL, "b.db", மற்ற;
    தளம்_செய் "CREATE TABLE t (a INTEGER)", [], முதல்;
    தளம்_செய் "CREATE TABLE u (a INTEGER)", [], மற்ற;
    தளம்_செய் "INSERT INTO t VALUES (1)", [], முதல்;
    தளம்_வினா "SELECT a FROM t", [], v, முதல்; அச்சு v;
    தளம்_வினா "SELECT a FROM u", [], v, மற்ற; அச்சு v;
    தளம்_இணை SQL, "a.db", முதல்;
    தளம்_பிரி மற்ற;
    தளம்_வினா "SELECT a FROM t", [], v; அச்சு v;
    """
    assert output_of(text) == ["[{a: 1}]", "[]", "[{a: 1}]"]


def test_every_database_in_memory_is_one_of_its_own() -> None:
    text = """
    தளம்_இணை SQL, ":memory:", அ;
    தளம்_இணை SQL, ":memory:", ஆ;
    தளம்_செய் "CREATE TABLE t (a INTEGER)", [], அ;
    முயல் { தளம்_வினா "SELECT a FROM t", [], v, ஆ; } பிழை(e) { அச்சு e.code; }
    தளம்_பிரி அ; தளம்_பிரி ஆ;
    தளம்_இணை SQL, ":memory:", அ;
    முயல் { தளம்_வினா "SELECT a FROM t", [], v, அ; } பிழை(e) { அச்சு e.code; }
    """
    assert output_of(text) == ["db.query", "db.query"]


def test_attempts_answer_results() -> None:
    text = """
    செயல் தோல்வி(r) { (தவறா(r)) எனில் { திரும்பு "தவறு"; } திரும்பு r; }
    அச்சு தோல்வி(தளம்_செய்_முயற்சி("SELECT 1", []));
    தளம்_இணை SQL, "a.db";
    அச்சு தளம்_செய்_முயற்சி("CREATE TABLE t (a INTEGER UNIQUE)", []);
    அச்சு தளம்_செய்_முயற்சி("INSERT INTO t VALUES (?), (?)", [1, 2]);
    அச்சு தோல்வி(தளம்_செய்_முயற்சி("INSERT INTO t VALUES (?)", [1]));
    அச்சு தோல்வி(தளம்_செய்_முயற்சி("INSERT INTO t VALUES (?)", ஜேசான்_படி("1")?));
    அச்சு தளம்_வினா_முயற்சி("SELECT a FROM t ORDER BY a", []);
    அச்சு தோல்வி(தளம்_வினா_முயற்சி("SELECT b FROM t", []));
    தளம்_இணை SQL, "b.db", h;
    அச்சு தோல்வி(தளம்_வினா_முயற்சி("SELECT a FROM t", []));
    """
    assert output_of(text) == [
        "தவறு", "சரி(0)", "சரி(2)", "தவறு", "தவறு", "சரி([{a: 1}, {a: 2}])", "தவறு", "தவறு",
    ]  # fmt: skip


def test_transactions_are_plain_sql() -> None:
    text = ITEMS + """
    தளம்_செய் "BEGIN", []; தளம்_செய் "INSERT INTO items VALUES ('அ', 1)", []; தளம்_செய் "ROLLBACK", [];
    தளம்_செய் "BEGIN", []; தளம்_செய் "INSERT INTO items VALUES ('ஆ', 2)", []; தளம்_செய் "COMMIT", [];
    தளம்_வினா "SELECT name FROM items", [], v; அச்சு v;
    """
    assert output_of(text) == ["[{name: ஆ}]"]


# ---- what the top level opens ---------------------------------------------------------


def test_every_activity_begins_with_what_the_top_level_has_opened() -> None:
    text = ITEMS + """
    செயல் எழுது_1(n) { தளம்_செய் "INSERT INTO items VALUES ('அ', ?)", [n]; }
    செயல் தொடங்காதது(n) { தளம்_செய் "BEGIN", []; தளம்_செய் "INSERT INTO items VALUES ('ஆ', ?)", [n]; }
    இணையாக_மாற்று([1, 2, 3], எழுது_1);
    பணி_காத்திரு(பணி_தொடங்கு(தொடங்காதது, 4));
    தளம்_வினா "SELECT name, price FROM items ORDER BY price", [], v; அச்சு v;
    """
    done = looked_at(text)
    assert done.problem is None
    assert done.lines == ["[{name: அ, price: 1}, {name: அ, price: 2}, {name: அ, price: 3}]"]


def test_a_database_in_memory_that_the_top_level_opens_is_one_for_the_whole_service() -> None:
    text = """
    தளம்_இணை SQL, ":memory:";
    தளம்_செய் "CREATE TABLE t (a INTEGER)", [];
    பணி_உருவாக்கு "எழுதி", {"இடைநேரம்": 1} { தளம்_செய் "INSERT INTO t VALUES (1)", []; }
    பணி_உருவாக்கு "வாசகர்", {"இடைநேரம்": 5} {
        உறங்கு(4.5);
        தளம்_வினா "SELECT count(*) AS n FROM t", [], v; அச்சு v;
        வெளியேறு(0);
    }
    """
    assert looked_at(text).lines == ["[{n: 9}]"]


def test_what_an_activity_opens_is_its_own_and_ends_with_it() -> None:
    text = """
    செயல் வேலை() {
        தளம்_இணை SQL, ":memory:";
        தளம்_செய் "CREATE TABLE t (a INTEGER)", [];
        தளம்_செய் "BEGIN", [];
        தளம்_வினா "SELECT count(*) AS n FROM t", [], v;
        திரும்பு v;
    }
    செயல் எதுவும்_இல்லை() { முயல் { தளம்_வினா "SELECT 1", [], v; } பிழை(e) { திரும்பு e.code; } }
    அச்சு இணையாக([வேலை, வேலை, எதுவும்_இல்லை]);
    """
    done = looked_at(text)
    assert done.lines == ["[[{n: 0}], [{n: 0}], db.not_connected]"]
    databases = done.system.ports.databases
    assert databases is not None and list(databases.pools()) == []


def test_what_an_activity_closes_stays_open_for_the_others() -> None:
    text = ITEMS + """
    செயல் விடு() { தளம்_பிரி SQL; முயல் { தளம்_வினா "SELECT 1", [], v; } பிழை(e) { திரும்பு e.code; } }
    செயல் கேள்() { தளம்_வினா "SELECT 1 AS a", [], v; திரும்பு v; }
    அச்சு பணி_காத்திரு(பணி_தொடங்கு(விடு));
    அச்சு பணி_காத்திரு(பணி_தொடங்கு(கேள்));
    """
    assert output_of(text) == ["db.not_connected", "[{a: 1}]"]


@pytest.mark.parametrize("more", ["", ', "max_connections": 3'])
def test_statements_are_part_of_a_transaction_on_the_same_database(more: str) -> None:
    text = ITEMS + f"""
    கடை = விகல்_உருவாக்கு {{"url": "sqlite:kadai.db"{more}}};
    முயல் {{
        விகல்_பரிவர்த்தனை(கடை) {{
            தளம்_செய் "INSERT INTO items VALUES ('அ', 1)", [];
            அச்சு விகல்_ஒன்று(கடை, "SELECT count(*) AS n FROM items").n;
            பிழை_எழுப்பு("போதும்");
        }}
    }} பிழை(e) {{ அச்சு e.code; }}
    தளம்_வினா "SELECT name FROM items", [], v; அச்சு v;
    """
    assert output_of(text) == ["1", "போதும்", "[]"]


def test_a_database_in_memory_of_a_handle_is_no_part_of_a_transaction_on_another() -> None:
    text = """
    கடை = விகல்_உருவாக்கு {"url": "sqlite::memory:"};
    தளம்_இணை SQL, ":memory:";
    தளம்_செய் "CREATE TABLE t (a INTEGER)", [];
    முயல் {
        விகல்_பரிவர்த்தனை(கடை) { தளம்_செய் "INSERT INTO t VALUES (1)", []; பிழை_எழுப்பு("போதும்"); }
    } பிழை(e) { அச்சு e.code; }
    தளம்_வினா "SELECT a FROM t", [], v; அச்சு v;
    """
    assert output_of(text) == ["போதும்", "[{a: 1}]"]


def test_whoever_names_a_place_gets_the_same_pool() -> None:
    seen: list[str] = []

    async def during(system: System) -> None:
        databases = system.ports.databases
        assert databases is not None
        seen.extend(one.settings.name for one in databases.pools())

    text = ITEMS + """
    விகல்_குறி(விகல்_உருவாக்கு {"url": "sqlite:kadai.db"}, "SELECT name FROM items");
    விகல்_குறி(விகல்_உருவாக்கு("sqlite") {"database": "kadai.db"}, "SELECT name FROM items");
    """
    run_program(text, during=during)
    assert seen == ["kadai.db"]


@pytest.mark.parametrize(("said", "kept"), [("3", 3), ("0", 0), ("", 8), ("பல", 8)])
def test_the_environment_says_how_many_connections_are_kept(said: str, kept: int) -> None:
    seen: list[int | None] = []

    async def during(system: System) -> None:
        databases = system.ports.databases
        assert databases is not None
        seen.extend(one.settings.most_idle for one in databases.pools())

    run_program(ITEMS, during=during, environment={"ETAMIL_DB_IDLE": said})
    assert seen == [kept]


# ---- functions that SQL calls ---------------------------------------------------------


def test_sql_calls_functions_of_the_program() -> None:
    text = ITEMS + """
    வரி = 1.18;
    செயல் வரியுடன்(விலை) { திரும்பு விலை * வரி; }
    செயல் சுருக்கம்(பெயர், n) {
        h = செயல்(x) { திரும்பு பகுதி(x, 0, n); };
        (பெயர் == இன்மை) எனில் { திரும்பு "?"; }
        திரும்பு மாற்று(h(பெயர்), "னா", "ணா");
    }
    அச்சு தளம்_செயல்_பதிவு("வரியுடன்", வரியுடன், 1);
    அச்சு தளம்_செயல்_பதிவு("short", சுருக்கம், 2);
    தளம்_செய் "INSERT INTO items VALUES (?, ?), (?, ?)", ["பேனா", 0.1, இன்மை, 100];
    தளம்_வினா "SELECT short(name, 2) AS s, வரியுடன்(price) AS p FROM items ORDER BY price", [], v;
    அச்சு v;
    """
    assert output_of(text) == ["சரி(nil)", "சரி(nil)", "[{p: 0.118, s: பேணா}, {p: 118, s: ?}]"]


def test_a_function_counts_as_a_number_when_it_is_wanted_so() -> None:
    text = ITEMS + """
    செயல் அரை(n) { திரும்பு n / 2; }
    தளம்_செயல்_பதிவு("exact_half", அரை, 1);
    தளம்_செயல்_பதிவு("half", அரை, 1, "numeric");
    தளம்_வினா "SELECT typeof(exact_half(3)) AS a, typeof(half(3)) AS b, typeof(half(4)) AS c", [], v;
    அச்சு v;
    """
    assert output_of(text) == ["[{a: text, b: real, c: integer}]"]


@pytest.mark.parametrize(
    "body",
    [
        'கோப்பு_படி "a", v; திரும்பு v;',
        "திரும்பு சீரற்ற_எண்(1, 2);",
        "திரும்பு இப்போது();",
        "உறங்கு(1); திரும்பு 1;",
        'தளம்_செய் "SELECT 1", []; திரும்பு 1;',
        "உள்ளிடு v; திரும்பு v;",
        'திரும்பு விகல்_குறி("SELECT 1");',
        "திரும்பு n.ஒன்று();",
        "காலவரம்பு(1) { n = 1; } திரும்பு n;",
        "f = சீரற்ற_எண்; திரும்பு f(1, 2);",
        "திரும்பு உள்ளே(n);",
    ],
)
def test_a_function_that_does_more_than_compute_is_refused(body: str) -> None:
    text = ITEMS + f"""
    செயல் உள்ளே(n) {{ திரும்பு தனி_அடையாளம்(); }}
    செயல் வேலை(n) {{ {body} }}
    r = தளம்_செயல்_பதிவு("f", வேலை, 1);
    அச்சு தவறா(r); அச்சு உள்ளதா(தவறு_மதிப்பு(r), "compute");
    """
    assert output_of(text) == ["true", "true"]


@pytest.mark.parametrize(
    "call",
    [
        'தளம்_செயல்_பதிவு("f", f, 2)',
        'தளம்_செயல்_பதிவு("f", f, 0)',
        'தளம்_செயல்_பதிவு("f", f, -1)',
        'தளம்_செயல்_பதிவு("f", f, 1, "other")',
        'தளம்_செயல்_பதிவு("", f, 1)',
    ],
)
def test_a_registration_that_cannot_be_is_a_failure(call: str) -> None:
    assert output_of(f"{ITEMS} செயல் f(n) {{ திரும்பு n; }} அச்சு தவறா({call});") == ["true"]


def test_without_a_connection_there_is_nothing_to_register_at() -> None:
    text = 'செயல் f(n) { திரும்பு n; } அச்சு தவறா(தளம்_செயல்_பதிவு("f", f, 1));'
    assert output_of(text) == ["true"]


def test_a_function_that_fails_or_does_not_end_fails_the_query() -> None:
    text = ITEMS + """
    செயல் தோல்வி(n) { திரும்பு 1 / n; }
    செயல் முடிவில்லை(n) { (மெய்) சுற்று { n = n + 1; } திரும்பு n; }
    தளம்_செயல்_பதிவு("failing", தோல்வி, 1);
    தளம்_செயல்_பதிவு("endless", முடிவில்லை, 1);
    முயல் { தளம்_வினா "SELECT failing(0)", [], v; } பிழை(e) { அச்சு e.code; அச்சு உள்ளதா(e.message, "failing"); }
    முயல் { தளம்_வினா "SELECT endless(0)", [], v; } பிழை(e) { அச்சு e.code; அச்சு உள்ளதா(e.message, "100000"); }
    தளம்_வினா "SELECT failing(2) AS a", [], v; அச்சு v;
    """
    assert output_of(text) == ["db.query", "true", "db.query", "true", "[{a: 0.5}]"]


def test_every_row_begins_with_the_variables_as_they_were() -> None:
    text = ITEMS + """
    n = 1;
    செயல் கூட்டு(x) { n = n + x; திரும்பு n; }
    தளம்_செயல்_பதிவு("plus", கூட்டு, 1);
    n = 50;
    தளம்_வினா "SELECT plus(1) AS a, plus(2) AS b", [], v; அச்சு v; அச்சு n;
    """
    assert output_of(text) == ["[{a: 2, b: 3}]", "50"]


def test_what_the_top_level_registers_every_activity_can_call() -> None:
    text = ITEMS + """
    செயல் இரட்டை(n) { திரும்பு n * 2; }
    தளம்_செயல்_பதிவு("twice", இரட்டை, 1);
    செயல் கேள்() { தளம்_வினா "SELECT twice(21) AS a", [], v; திரும்பு v; }
    அச்சு பணி_காத்திரு(பணி_தொடங்கு(கேள்));
    """
    assert output_of(text) == ["[{a: 42}]"]


def test_what_a_request_registers_is_its_own() -> None:
    text = ITEMS + """
    செயல் இரட்டை(n) { திரும்பு n * 2; }
    செயல் பதிவு_செய்() {
        தளம்_செயல்_பதிவு("twice", இரட்டை, 1);
        தளம்_வினா "SELECT twice(2) AS a", [], v;
        திரும்பு v;
    }
    செயல் கேள்() { திரும்பு தவறா(தளம்_வினா_முயற்சி("SELECT twice(2)", [])); }
    அச்சு பணி_காத்திரு(பணி_தொடங்கு(பதிவு_செய்));
    அச்சு பணி_காத்திரு(பணி_தொடங்கு(கேள்));
    """
    assert output_of(text) == ["[{a: 4}]", "true"]


def test_a_function_is_gone_when_its_connection_is_given_back() -> None:
    text = """
    செயல் இரட்டை(n) { திரும்பு n * 2; }
    செயல் பதிவு_செய்() { தளம்_இணை SQL, "a.db"; தளம்_செயல்_பதிவு("twice", இரட்டை, 1); தளம்_வினா "SELECT twice(2) AS a", [], v; திரும்பு v; }
    செயல் கேள்() { தளம்_இணை SQL, "a.db"; திரும்பு தவறா(தளம்_வினா_முயற்சி("SELECT twice(2)", [])); }
    அச்சு பணி_காத்திரு(பணி_தொடங்கு(பதிவு_செய்));
    அச்சு பணி_காத்திரு(பணி_தொடங்கு(கேள்));
    """
    assert output_of(text) == ["[{a: 4}]", "true"]


# ---- agents ---------------------------------------------------------------------------

KEEPER = """
முகவர் எழுத்தர்() {
    செய்தி போடு(விலை) { தளம்_செய் "INSERT INTO items VALUES (?, ?)", ["பொருள்", விலை]; திரும்பு விலை; }
    செய்தி ஆரம்பி() { தளம்_செய் "BEGIN", []; தளம்_செய் "INSERT INTO items VALUES ('x', 1)", []; திரும்பு 1; }
    செய்தி விடு() { தளம்_செய் "ROLLBACK", []; திரும்பு 1; }
    செய்தி பார்() { தளம்_வினா "SELECT count(*) AS n FROM items", [], v; திரும்பு v[0].n; }
}
"""


def test_agents_that_have_nothing_to_do_leave_their_connections_to_others() -> None:
    text = f"""
    {ITEMS}{KEEPER}
    எல்லாம் = []; எ = 0;
    (எ < 40) சுற்று {{ எல்லாம் = இணை(எல்லாம், எழுத்தர்()); எ = எ + 1; }}
    ஒவ்வொரு ஒன்று இல் எல்லாம் {{ ஒன்று.போடு(5); }}
    அச்சு எல்லாம்[0].பார்();
    """
    assert looked_at(text).lines == ["40"]


def test_an_agent_keeps_the_connection_on_which_it_has_begun_a_transaction() -> None:
    calls = "ஒன்று = எழுத்தர்(); ஒன்று.ஆரம்பி(); அச்சு ஒன்று.பார்(); ஒன்று.விடு(); அச்சு ஒன்று.பார்();"
    assert output_of(f"{ITEMS}{KEEPER}\n{calls}") == ["1", "0"]
