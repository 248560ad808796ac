"""Settings, containers and the registry in programs (EXTENSIONS §10)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from etamil_actors.actors.programs.settings import in_effect, merged, part_of, variable
from etamil_actors.actors.programs.system import ServicePlan, open_system
from etamil_actors.errors import Fault
from etamil_actors.resources.system import SimulatedConsole
from etamil_actors.vm.values import UNSET
from tests.actors.helpers import run_virtually
from tests.programs import running
from tests.programs.running import failure_of, output_of, run_program

# ---- what holds in the end ------------------------------------------------------------

DEFAULTS = {"database": {"url": "sqlite:a", "pool": 5, "slow": False}, "names": ["a"], "துறை": 80, "none": None}


def effect(said: Any = UNSET, default: Any = DEFAULTS, **environment: str) -> Any:
    return in_effect((), default, said, environment.get)


def test_the_defaults_hold_where_nobody_says_anything() -> None:
    assert effect() == DEFAULTS
    assert effect({}) == DEFAULTS


def test_the_configuration_says_more_than_the_default_and_the_environment_most() -> None:
    said = {"database": {"url": "postgres:b", "pool": 6}, "துறை": 81}
    found = effect(said, SETTING_DATABASE_POOL="7", SETTING_NONE="x")
    assert found == {
        "database": {"url": "postgres:b", "pool": 7, "slow": False}, "names": ["a"], "துறை": 81, "none": "x",
    }  # fmt: skip


def test_what_only_the_configuration_says_is_there_too() -> None:
    assert effect({"database": {"extra": 1}, "more": {"x": 2}}, SETTING_MORE_X="3") == {
        **DEFAULTS, "database": {**DEFAULTS["database"], "extra": 1}, "more": {"x": 3},  # type: ignore[dict-item]
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "default", "value"),
    (
        ("12", 5, 12), (" 1.50 ", 5, "1.50"), ("-3", 5, -3), ("true", False, True), ("மெய்", False, True), ("1", False, True),
        ("FALSE", True, False), ("பொய்", True, False), ("0", True, False), ("007", "x", "007"), ("", "x", ""),
        ("a, b ,c", ["x"], ["a", "b", "c"]), ("1,2", [5], [1, 2]), ("", ["x"], []), ("a,b", [], ["a", "b"]), ("12", None, "12"),
    ),
)  # fmt: skip
def test_a_text_of_the_environment_becomes_what_the_default_is(text: str, default: Any, value: Any) -> None:
    found = effect(default={"x": default}, SETTING_X=text)["x"]
    assert str(found) == str(value)
    assert default is None or isinstance(found, type(default)) or value == "1.50"


@pytest.mark.parametrize(
    ("text", "default", "english"),
    (
        ("secret", 5, "SETTING_X: a number is wanted, not a string"), ("", 5, "SETTING_X: a number is wanted, not a string"),
        ("maybe", True, "SETTING_X: a boolean is wanted, not a string"), ("1,secret", [5], "SETTING_X: a number is wanted, not a string"),
    ),
)  # fmt: skip
def test_what_cannot_be_read_so_is_told_without_its_text(text: str, default: Any, english: str) -> None:
    with pytest.raises(Fault) as caught:
        effect(default={"x": default}, SETTING_X=text)
    assert caught.value.code == "config"
    assert caught.value.english == f"configuration: {english}"
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    ("said", "english"),
    (
        ({"துறை": "80"}, "settings: துறை: a number is wanted, not a string"),
        ({"database": 5}, "settings: database: a record is wanted, not a number"),
        ({"database": {"url": 5}}, "settings: database.url: a string is wanted, not a number"),
        ({"database": {"url": {}}}, "settings: database.url: a string is wanted, not a record"),
        ({"names": "a"}, "settings: names: an array is wanted, not a string"),
    ),
)
def test_a_configuration_of_another_kind_is_told_by_its_way(said: Any, english: str) -> None:
    with pytest.raises(Fault) as caught:
        effect(said)
    assert caught.value.english == f"configuration: {english}"


@pytest.mark.parametrize(
    ("way", "name"),
    (
        (("database", "url"), "SETTING_DATABASE_URL"), (("a-b", "c d"), "SETTING_A_B_C_D"), (("துறை",), "SETTING_துறை"),
        (("a.b",), "SETTING_A_B"), (("x1",), "SETTING_X1"),
    ),
)  # fmt: skip
def test_the_variable_of_a_setting(way: tuple[str, ...], name: str) -> None:
    assert variable(way) == name


VALUES = st.recursive(st.integers() | st.text(max_size=3) | st.booleans(), lambda part: st.dictionaries(st.sampled_from("abc"), part))
RECORDS = st.dictionaries(st.sampled_from("abc"), VALUES)


@given(RECORDS, RECORDS)
def test_of_two_declarations_the_second_counts(first: dict[str, Any], second: dict[str, Any]) -> None:
    both = merged(first, second)
    assert both.keys() == first.keys() | second.keys()
    assert merged(both, second) == both
    assert merged({}, first) == first
    for key, value in second.items():
        assert both[key] == value or isinstance(value, dict)


@given(RECORDS)
def test_what_is_said_holds_for_any_defaults(defaults: dict[str, Any]) -> None:
    assert in_effect((), defaults, defaults, {}.get) == defaults


def test_a_name_that_is_written_otherwise_is_the_same_name() -> None:
    one, other = "கொ", "கெ\u0bbe"  # as one sign and as two
    assert one != other
    assert effect({other: 2}, default={one: 1}) == {one: 2}
    assert part_of({other: 2}, (one,)) == 2


# ---- the words ------------------------------------------------------------------------

DECLARE = 'அமை = அமை_புரோ { "database": { "url": "sqlite:a", "pool": 5 }, "debug": பொய் };'


def test_a_program_declares_settings_and_reads_them() -> None:
    program = DECLARE + """
    அச்சு அமை.database.pool;
    அச்சு அமைப்பு("database.url");
    அச்சு அமைப்பு("database");
    அச்சு அமைப்பு("other", 7);
    அச்சு அமைப்பு("database.url", "unused");
    """
    environment = {"SETTING_DATABASE_POOL": "9"}
    assert output_of(program, environment=environment) == ["9", "sqlite:a", "{pool: 9, url: sqlite:a}", "7", "sqlite:a"]


def test_a_setting_that_nobody_has_declared_comes_from_the_environment_as_its_default_is() -> None:
    environment = {"SETTING_PORT": "81", "SETTING_NAME": "12"}
    assert output_of('அச்சு அமைப்பு("port", 80) + 1; அச்சு அமைப்பு("name") & "!";', environment=environment) == ["82", "12!"]


def test_a_setting_without_a_value_is_an_error_that_says_where_to_give_one() -> None:
    fault = failure_of('அச்சு அமைப்பு("a.b");')
    assert fault.code == "config"
    assert fault.english == "configuration: the setting ‘a.b’ has no value; give it in SETTING_A_B or under settings"


def test_every_activity_of_a_service_sees_its_settings() -> None:
    program = DECLARE + 'செயல் f() { திரும்பு அமைப்பு("debug"); }\n அச்சு இணையாக([f]);'
    assert output_of(program) == ["[false]"]


def test_the_settings_of_one_service_are_not_those_of_another() -> None:
    image = running.image_of(DECLARE + 'அச்சு அமைப்பு("database.pool");')
    plans = [
        ServicePlan(name=f"s{pool}", image=image, settings={"database": {"pool": pool}}) for pool in (11, 12)
    ]
    assert sorted(run_plans(plans)) == ["11", "12"]


def run_plans(plans: list[ServicePlan]) -> list[str]:
    """What services print that are planned by hand."""
    console = SimulatedConsole()

    async def scenario() -> None:
        async with open_system(running.ports_of(console), plans, random=lambda: 0.5):
            await trio.sleep(1)

    run_virtually(scenario)
    return console.output.splitlines()


CONFIGURATION = """
services:
  - path: one.qmz
    settings:
      database: { url: "postgres://${DB_HOST:-db}/shop", pool: 6 }
      debug: true
"""


def test_a_configuration_and_the_environment_reach_the_program(tmp_path: Path, repository: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIGURATION, encoding="utf-8")
    (tmp_path / "one.qmz").write_text(DECLARE + "அச்சு அமை; வெளியேறு(0);", encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(repository), "SETTING_DATABASE_POOL": "8"}
    done = subprocess.run(
        [sys.executable, "-m", "etamil_actors", "up", "config.yaml"],
        cwd=tmp_path, env=environment, capture_output=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.decode() == "{database: {pool: 8, url: postgres://db/shop}, debug: true}\n", done.stderr.decode()


# ---- what an application says of itself -------------------------------------------------

SAYING = ("முதல்_உருவாக்கு(அமை)", "சேவையகம்_தொடங்கு(அமை)", "அமை_புரோ(அமை)", "सर्वर_शुरुआत(அமை)")


@pytest.mark.parametrize("word", SAYING)
@pytest.mark.parametrize(
    ("said", "address"),
    (
        ('"host": "0.0.0.0", "port": 9000', ("0.0.0.0", 9000)),
        ('"server": {"host": "0.0.0.0", "port": "9000"}', ("0.0.0.0", 9000)),
        ('"port": 9000, "server": {"host": "::1"}', ("::1", 9000)),
        ('"port": 9000, "host": nil', ("127.0.0.1", 9000)),
        ('"host": "0.0.0.0"', ("0.0.0.0", 8080)),
        ('"host": nil, "server": nil, "log_level": nil, "logging": {"own": 1}', None),
    ),
)
def test_an_application_may_say_where_it_is_served(word: str, said: str, address: Any) -> None:
    assert run_program(f"அமை = {{ {said} }};\n{word};").service.address == address


def test_settings_say_an_address_only_where_nothing_else_does_and_others_may_change_it() -> None:
    settings = 'அமை_புரோ { "port": 9000 };'
    for text in (f"வழங்கி_தொடங்கு \"::1\", 9001;\n{settings}", f"{settings}\nவழங்கி_தொடங்கு \"::1\", 9001;"):
        assert run_program(text).service.address == ("::1", 9001)
    done = run_program(settings, environment={"SETTING_PORT": "9002"})
    assert done.service.address == ("127.0.0.1", 9002)


@pytest.mark.parametrize("said", ('"port": 0', '"port": "eighty"', '"log_level": "loud"', '"logging": "xml"'))
@pytest.mark.parametrize("word", SAYING[:3])
def test_what_an_application_says_wrongly_is_an_error(word: str, said: str) -> None:
    assert failure_of(f"அமை = {{ {said} }};\n{word};").code == "value.invalid"


LOGGING = """
அமை_புரோ { "log_level": "WARNING", "logging": "text" };
பதிவு_தகவல்("ஒன்று");
பதிவு_எச்சரிக்கை("இரண்டு");
வெளியேறு(0);
"""


@pytest.mark.parametrize(
    ("log", "lines"),
    (
        ("", ["⚠ one · one: இரண்டு"]),
        ("log: { level: info }", ["· one · one: ஒன்று", "⚠ one · one: இரண்டு"]),
        ("log: { levels: { one: error } }", []),
    ),
)
def test_a_program_says_how_it_logs_where_the_configuration_does_not(
    tmp_path: Path, command: Any, log: str, lines: list[str]
) -> None:
    (tmp_path / "one.qmz").write_text(LOGGING, encoding="utf-8")
    (tmp_path / "config.yaml").write_text(f"services: [one.qmz]\n{log}\n", encoding="utf-8")
    said = command("up", "config.yaml").stderr.splitlines()
    assert [line for line in said if line.startswith(("· one", "⚠ one"))] == lines


def test_the_format_of_the_log_is_that_of_the_configuration_if_it_says_one(tmp_path: Path, command: Any) -> None:
    (tmp_path / "one.qmz").write_text(LOGGING, encoding="utf-8")
    (tmp_path / "config.yaml").write_text("services: [one.qmz]\nlog: { format: json }\n", encoding="utf-8")
    assert '"level":"warn","event":"இரண்டு"' in command("up", "config.yaml").stderr


def test_a_script_has_the_environment(tmp_path: Path, command: Any) -> None:
    (tmp_path / "one.qmz").write_text(DECLARE + 'அச்சு அமைப்பு("database.pool");', encoding="utf-8")
    done = command("run", "one.qmz", SETTING_DATABASE_POOL="8")
    assert (done.stdout, done.stderr) == ("8\n", "")


# ---- containers -----------------------------------------------------------------------

CONTAINER = """
எ = அணு_உருவாக்கு(0);
செயல் தளம்() { உறங்கு(1); திரும்பு "தளம் " & அணு_கூட்டு(எ, 1); }
மு = முன்பதிகம்_உருவாக்கு { "db": தளம், "எண்": 5 };
"""


def test_a_part_that_is_a_function_is_made_once_when_first_asked_for() -> None:
    program = CONTAINER + 'அச்சு அணு_படி(எ); அச்சு முன்பதிகம்_பெறு(மு, "db"); அச்சு முன்பதிகம்_பெறு(மு, "db"); அச்சு முன்பதிகம்_பெறு(மு, "எண்");'
    assert output_of(program) == ["0", "தளம் 1", "தளம் 1", "5"]


def test_a_part_is_made_once_however_many_ask() -> None:
    program = CONTAINER + """
    செயல் கேள்(n) { திரும்பு முன்பதிகம்_பெறு(மு, "db"); }
    அச்சு இணையாக_மாற்று([1, 2, 3, 4, 5], கேள்);
    """
    assert output_of(program) == ["[" + ", ".join(["தளம் 1"] * 5) + "]"]


def test_an_error_goes_to_all_who_wait_and_is_not_kept() -> None:
    program = """
    எ = அணு_உருவாக்கு(0);
    செயல் தளம்() { உறங்கு(1); (அணு_கூட்டு(எ, 1) < 2) எனில் { பிழை_எழுப்பு("mine", "இல்லை"); } திரும்பு "ஆம்"; }
    மு = முன்பதிகம்_உருவாக்கு { "db": தளம் };
    செயல் கேள்(n) { முயல் { திரும்பு முன்பதிகம்_பெறு(மு, "db"); } பிழை(e) { திரும்பு e.code; } }
    அச்சு இணையாக_மாற்று([1, 2, 3], கேள்);
    அச்சு கேள்(1);
    அச்சு அணு_படி(எ);
    """
    assert output_of(program) == ["[mine, mine, mine]", "ஆம்", "2"]


def test_one_who_is_cancelled_while_making_a_part_leaves_it_to_the_next() -> None:
    program = CONTAINER + """
    செயல் கேள்(n) { முயல் { காலவரம்பு(n) { x = முன்பதிகம்_பெறு(மு, "db"); } திரும்பு x; } பிழை(e) { திரும்பு e.code; } }
    அச்சு இணையாக_மாற்று([0.5, 5, 6], கேள்);
    அச்சு கேள்(1);
    """
    lines = output_of(program)
    assert sorted(lines[0].strip("[]").split(", ")) == ["timeout", "தளம் 1", "தளம் 1"]
    assert lines[1] == "தளம் 1"


def test_parts_may_need_other_parts() -> None:
    program = """
    மு = முன்பதிகம்_உருவாக்கு { "அ": செயல்() { திரும்பு முன்பதிகம்_பெறு(மு, "ஆ") + 1; }, "ஆ": செயல்() { திரும்பு 1; } };
    அச்சு முன்பதிகம்_பெறு(மு, "அ");
    """
    assert output_of(program) == ["2"]


def test_parts_that_need_each_other_are_a_deadlock_that_is_said() -> None:
    program = """
    மு = முன்பதிகம்_உருவாக்கு { "அ": செயல்() { திரும்பு முன்பதிகம்_பெறு(மு, "ஆ"); }, "ஆ": செயல்() { திரும்பு முன்பதிகம்_பெறு(மு, "அ"); } };
    முயல் { முன்பதிகம்_பெறு(மு, "அ"); } பிழை(e) { அச்சு e.code; }
    """
    assert output_of(program) == ["lock.deadlock"]


def test_a_part_may_be_a_function_that_a_function_has_made() -> None:
    program = """
    மு = முன்பதிகம்_உருவாக்கு { "கூட்டு": செயல்() { அச்சு "ஆக்கம்"; திரும்பு செயல்(x) { திரும்பு x + 1; }; } };
    f = முன்பதிகம்_பெறு(மு, "கூட்டு");
    g = முன்பதிகம்_பெறு(மு, "கூட்டு");
    அச்சு f(1) + g(2);
    செயல் மற்றது() { h = முன்பதிகம்_பெறு(மு, "கூட்டு"); திரும்பு h(9); }
    அச்சு இணையாக([மற்றது]);
    """
    assert output_of(program) == ["ஆக்கம்", "5", "[10]"]


def test_a_part_that_is_not_there_is_said() -> None:
    assert failure_of('மு = முன்பதிகம்_உருவாக்கு();\n முன்பதிகம்_பெறு(மு, "db");').code == "not_found"
    assert failure_of('முன்பதிகம்_பெறு(5, "db");').code == "value.kind"
    assert failure_of("x = 5; முன்பதிகம்_உருவாக்கு(x);").code == "value.kind"


def test_the_trace_of_an_error_in_a_part_goes_all_the_way_out() -> None:
    program = """செயல் தளம்() { திரும்பு 1 / 0; }
    மு = முன்பதிகம்_உருவாக்கு { "db": தளம் };
    செயல் கேள்() { திரும்பு முன்பதிகம்_பெறு(மு, "db"); }
    முயல் { கேள்(); } பிழை(e) { அச்சு நீளம்(e.trace); அச்சு e.line; }
    """
    assert output_of(program) == ["3", "1"]


def test_how_a_container_prints() -> None:
    assert output_of("மு = முன்பதிகம்_உருவாக்கு();\n அச்சு மு; அச்சு வகை(மு);") == ["<முன்பதிகம்>", "a container"]


# ---- the registry ---------------------------------------------------------------------


def test_what_is_registered_is_there_for_all_activities() -> None:
    program = """
    சேவை_பதிவு("கடை", {"பெயர்": "எழில்"});
    செயல் f() { திரும்பு சேவை_பெறு("கடை").பெயர்; }
    அச்சு இணையாக([f, f]);
    """
    assert output_of(program) == ["[எழில், எழில்]"]


def test_what_is_not_registered_is_said() -> None:
    assert failure_of('சேவை_பெறு("இல்லை");').code == "not_found"


def test_services_find_what_others_have_registered() -> None:
    first = running.image_of('சேவை_பதிவு("கடை", [1, 2]);')
    second = running.image_of('அச்சு சேவை_பெறு("கடை");')
    assert run_plans([ServicePlan(name="a", image=first), ServicePlan(name="b", image=second)]) == ["[1, 2]"]


def test_a_function_of_one_program_is_not_called_in_another() -> None:
    first = running.image_of('சேவை_பதிவு("கடை", செயல்() { திரும்பு 1; });')
    second = running.image_of('முயல் { சேவை_பெறு("கடை"); } பிழை(e) { அச்சு e.code; }')
    assert run_plans([ServicePlan(name="a", image=first), ServicePlan(name="b", image=second)]) == ["value.local"]
