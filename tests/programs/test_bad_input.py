"""What is wrong is said before it does harm: at ``check`` with place and suggestion, or at the start with a place.

The checker speaks of what is written out; what is computed is looked at when the service starts, or when a
word runs, and is then an error of the program with its place.
"""

from __future__ import annotations

import pytest

from etamil_actors.language.problems import Problem
from etamil_actors.resources.system import SimulatedFiles
from etamil_actors.script import read_and_check
from tests.programs.running import failure_of, output_of, run_program

V = "செயல் வ(x) { திரும்பு x; }\n"
"""A function that hides from the checker what a value is."""


def problems_of(text: str) -> list[Problem]:
    """What check says of a program, without warnings."""
    compiled = read_and_check("சோதனை.qmz", text, SimulatedFiles({}))
    return [problem for problem in compiled.problems if problem.severity == "error"]


def only_problem(text: str, near: str) -> Problem:
    """The only problem of a program, which is told at this part of the text."""
    found = problems_of(text)
    assert len(found) == 1, found
    assert found[0].start <= text.index(near) + len(near)
    assert found[0].end >= text.index(near)
    return found[0]


# ---- at check -------------------------------------------------------------------------


def test_a_job_name_that_is_used_twice() -> None:
    text = 'பணி_உருவாக்கு "ஒன்று" { அச்சு 1; }\nபணி_உருவாக்கு "ஒன்று", {"every": 5} { அச்சு 2; }\n'
    found = problems_of(text)
    assert len(found) == 1
    assert found[0].start > text.index("\n")
    assert "ஒன்று" in found[0].english_text


@pytest.mark.parametrize(
    "cron",
    ["* * * *", "61 * * * *", "* 24 * * *", "* * 32 * *", "* * * 13 *", "* * * * 8", "a b c d e", "", "* * * * * *",
     "*/0 * * * *", "5-1 * * * *"],
)  # fmt: skip
def test_a_cron_text_that_is_wrong(cron: str) -> None:
    only_problem(f'பணி_உருவாக்கு "ஒன்று", {{"cron": "{cron}"}} {{ அச்சு 1; }}\n', f'"{cron}"')


def test_a_cron_text_gets_a_suggestion() -> None:
    problem = only_problem('பணி_உருவாக்கு "ஒன்று", {"cron": "0 2 * * MOM"} { அச்சு 1; }\n', "MOM")
    assert problem.suggestion is not None
    assert "MON" in problem.suggestion


def test_a_zone_that_does_not_exist() -> None:
    problem = only_problem(
        'பணி_உருவாக்கு "ஒன்று", {"cron": "0 2 * * *", "tz": "Asia/Kolkatta"} { அச்சு 1; }\n', "Kolkatta"
    )
    assert problem.suggestion is not None
    assert "Asia/Kolkata" in problem.suggestion


@pytest.mark.parametrize(
    ("statement", "near"),
    [
        ('c = சேனல்_உருவாக்கு({"capacity": -5});', "-5"),
        ('c = சேனல்_உருவாக்கு({"கொள்ளளவு": 0});', "0"),
        ('c = சேனல்_உருவாக்கு({"capacity": 1.5});', "1.5"),
        ('c = சேனல்_உருவாக்கு("ம", {"capacity": "பத்து"});', '"பத்து"'),
        ('c = சேனல்_உருவாக்கு({"overflow": "dropp"});', '"dropp"'),
        ('c = சேனல்_உருவாக்கு({"kind": "குவியல்"});', '"குவியல்"'),
        ('c = சேனல்_உருவாக்கு({"transport": "புறா"});', '"புறா"'),
        ('c = சேனல்_உருவாக்கு({"ttl": -1});', "-1"),
        ('c = சேனல்_உருவாக்கு(); சேனல்_அனுப்பு(c, 1, {"delay": -1});', "-1"),
        ('c = சேனல்_உருவாக்கு(); சேனல்_பெறு(c, {"timeout": "x"});', '"x"'),
        ('பூ = பூட்டு_உருவாக்கு({"அனுமதிகள்": 0});', "0"),
        ('பணி_உருவாக்கு "ப", {"every": 0} { அச்சு 1; }', "0"),
        ('பணி_உருவாக்கு "ப", {"every": -5} { அச்சு 1; }', "-5"),
        ('பணி_உருவாக்கு "ப", {"instances": 0} { அச்சு 1; }', "0"),
        ('பணி_உருவாக்கு "ப", {"attempts": 0} { அச்சு 1; }', "0"),
        ('பணி_உருவாக்கு "ப", {"timeout": -1} { அச்சு 1; }', "-1"),
        ('பணி_உருவாக்கு "ப", {"restart": "sometimes"} { அச்சு 1; }', '"sometimes"'),
        ('பணி_உருவாக்கு "ப", {"singleton": 1} { அச்சு 1; }', "1"),
        ('பணி_உருவாக்கு "ப", {"channel": "அஞ்சல்"} { அச்சு 1; }', '"அஞ்சல்"'),
        ('பணி_உருவாக்கு "ப", {"every": 5, "cron": "* * * * *"} { அச்சு 1; }', '"cron"'),
        ('பணி_உருவாக்கு "ப", {"tz": "Asia/Kolkata"} { அச்சு 1; }', '"tz"'),
        ('முகவர் அ() { செய்தி ம() { திரும்பு 1; } } x = முகவர்_தொடங்கு(அ, [], {"mailbox": 0});', "0"),
        ('முகவர் அ() { செய்தி ம() { திரும்பு 1; } } x = முகவர்_தொடங்கு(அ, [], {"overflow": "x"});', '"x"'),
    ],
)
def test_values_of_options(statement: str, near: str) -> None:
    only_problem(statement + "\n", near)


@pytest.mark.parametrize(
    ("statement", "key", "meant"),
    [
        ('c = சேனல்_உருவாக்கு({"capasity": 5});', "capasity", "capacity"),
        ('c = சேனல்_உருவாக்கு({"கொள்ளளவ": 5});', "கொள்ளளவ", "கொள்ளளவு"),
        ('c = சேனல்_உருவாக்கு(); சேனல்_அனுப்பு(c, 1, {"dellay": 1});', "dellay", "delay"),
        ('c = சேனல்_உருவாக்கு(); சேனல்_பெறு(c, {"timout": 1});', "timout", "timeout"),
        ('பணி_உருவாக்கு "ப", {"evry": 5} { அச்சு 1; }', "evry", "every"),
        ('பணி_உருவாக்கு "ப", {"இடைநேரம": 5} { அச்சு 1; }', "இடைநேரம", "இடைநேரம்"),
        ('முகவர் அ() { செய்தி ம() { திரும்பு 1; } } x = முகவர்_தொடங்கு(அ, [], {"mailbx": 5});', "mailbx", "mailbox"),
        ('c = சேனல்_உருவாக்கு({"overflow": "drop_oldst"});', "drop_oldst", "drop_oldest"),
        ('பணி_உருவாக்கு "ப", {"restart": "எப்போது"} { அச்சு 1; }', "எப்போது", "எப்போதும்"),
    ],
)
def test_near_words_are_suggested(statement: str, key: str, meant: str) -> None:
    problem = only_problem(statement + "\n", key)
    assert problem.suggestion is not None
    assert meant in problem.suggestion


@pytest.mark.parametrize(
    "option", ['"every": 5', '"இடைநேரம்": 5', '"cron": "* * * * *"', '"channel": c', '"instances": 2']
)
def test_options_of_declared_jobs_inside_a_function(option: str) -> None:
    text = f'c = சேனல்_உருவாக்கு();\nசெயல் f() {{ பணி_உருவாக்கு "ப", {{{option}}} {{ அச்சு 1; }} }}\n'
    assert len(problems_of(text)) == 1


def test_a_channel_that_a_program_names_twice_with_different_options() -> None:
    text = 'a = சேனல்_உருவாக்கு("ம", {"capacity": 5});\nb = சேனல்_உருவாக்கு("ம", {"capacity": 6});\n'
    assert len(problems_of(text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "செயல் f() { முகவர் அ() { செய்தி ம() { திரும்பு 1; } } }",  # an agent only at the top level
        'தேர்வு { m இல் c { அச்சு m; } காலம் 5 { அச்சு 1; } இல்லையேல் { அச்சு 2; } }',  # not beside காலம்
        "முகவர் அ() { செய்தி ம() { திரும்பு 1; } செய்தி ம(x) { திரும்பு 2; } }",  # one message twice
        "முகவர் அ() { செய்தி ம() { திரும்பு 1; } } முகவர் அ() { செய்தி ம() { திரும்பு 1; } }",  # one agent twice
    ],
)
def test_structure(text: str) -> None:
    assert problems_of("c = சேனல்_உருவாக்கு();\n" + text + "\n")


# ---- at the start ---------------------------------------------------------------------


def test_two_jobs_whose_computed_names_are_the_same() -> None:
    fault = failure_of(V + 'பணி_உருவாக்கு(வ("ஒன்று")) { அச்சு 1; };\nபணி_உருவாக்கு "ஒன்று" { அச்சு 2; }\n')
    assert fault.code == "config"
    assert "ஒன்று" in fault.english
    assert fault.trace
    assert fault.trace[0].line == 3


def test_names_of_jobs_are_compared_as_people_read_them() -> None:
    # The same letters, composed and not.
    fault = failure_of(V + 'பணி_உருவாக்கு "க\u0bca" { அச்சு 1; }\nபணி_உருவாக்கு(வ("க\u0bc6\u0bbe")) { அச்சு 2; };\n')
    assert fault.code == "config"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ('{"every": வ(0)}', "value.invalid"),
        ('{"every": வ("x")}', "value.kind"),
        ('{"cron": வ("61 * * * *")}', "value.invalid"),
        ('{"cron": வ(5)}', "value.kind"),
        ('{"cron": "0 2 * * *", "tz": வ("Asia/Kolkatta")}', "value.invalid"),
        ('{"channel": வ("x")}', "value.kind"),
        ('{"instances": வ(0)}', "value.invalid"),
        ('{"instances": வ(1.5)}', "value.kind"),
        ('{"attempts": வ(0)}', "value.invalid"),
        ('{"backoff": வ(-1)}', "value.invalid"),
        ('{"timeout": வ(-1)}', "value.invalid"),
        ('{"shutdown": வ("x")}', "value.kind"),
        ('{"restart": வ("x")}', "value.invalid"),
        ('{"singleton": வ(1)}', "value.kind"),
        ('வ({"evry": 5})', "option.unknown"),
        ("வ(5)", "value.kind"),
    ],
)
def test_computed_options_of_a_declared_job_end_the_start_with_a_place(options: str, code: str) -> None:
    fault = failure_of(V + f'\nபணி_உருவாக்கு("ப", {options}) {{ அச்சு "ஓடியது"; }};\n')
    assert fault.code in (code, "value.invalid")
    assert fault.trace
    assert fault.trace[0].line == 3


def test_computed_schedules_that_exclude_each_other() -> None:
    text = V + 'பணி_உருவாக்கு("ப", வ({"every": 5, "cron": "* * * * *"})) { அச்சு 1; };\n'
    assert failure_of(text).code == "value.invalid"


def test_a_computed_cron_text_gets_a_suggestion() -> None:
    fault = failure_of(V + 'பணி_உருவாக்கு("ப", {"cron": வ("0 2 * * MOM")}) { அச்சு 1; };\n')
    assert "MON" in fault.english


def test_an_unknown_option_gets_a_suggestion_while_running_too() -> None:
    fault = failure_of(V + 'c = சேனல்_உருவாக்கு(வ({"capasity": 5}));\n')
    assert fault.code == "option.unknown"
    assert fault.trace[0].line == 2


def test_a_negative_capacity_that_is_computed() -> None:
    fault = failure_of(V + 'c = சேனல்_உருவாக்கு({"capacity": வ(-5)});\n')
    assert fault.code == "value.invalid"
    assert "-5" in fault.english
    assert fault.trace[0].line == 2


def test_a_transport_that_is_not_there() -> None:
    fault = failure_of('c = சேனல்_உருவாக்கு("ம", {"transport": "redis"});\n')
    assert fault.code == "config"
    assert "redis" in fault.english


def test_a_channel_of_another_transport_needs_a_name() -> None:
    fault = failure_of('c = சேனல்_உருவாக்கு({"transport": "journal"});\n')
    assert fault.code in ("value.invalid", "config")
    assert "journal" in fault.english


def test_a_durable_job_without_a_journal_is_refused() -> None:
    # Either there is a journal and it is kept, or it is said that it cannot be kept.
    assert output_of("""
        பணி_உருவாக்கு "வே" {
            முயல் { h = பணி_உருவாக்கு("உட்பணி", {"durable": மெய்}) { அச்சு 1; }; அச்சு "தொடங்கியது"; } பிழை(e) { அச்சு e.code; }
        }
        """) == ["config"]  # fmt: skip


# ---- names that meet ------------------------------------------------------------------


def test_an_instance_and_a_job_of_its_name() -> None:
    done = run_program("""
        பணி_உருவாக்கு "ம", {"instances": 2} { அச்சு "பல"; }
        பணி_உருவாக்கு "ம#2" { அச்சு "ஒன்று"; }
        """)  # fmt: skip
    assert done.problem is None, done.problem
    assert sorted(done.lines) == ["ஒன்று", "பல", "பல"]


def test_one_time_jobs_with_the_name_of_a_declared_one() -> None:
    assert sorted(output_of("""
        பணி_உருவாக்கு "வே", {"instances": 6} { உறங்கு(10); அச்சு "அறிவித்தது"; }
        பணி_உருவாக்கு "மற்றது" {
            ஒவ்வொரு i இல் [1, 2, 3, 4] { பணி_உருவாக்கு "வே" { உறங்கு(5); அச்சு "ஒருமுறை"; } }
        }
        """)) == ["அறிவித்தது"] * 6 + ["ஒருமுறை"] * 4  # fmt: skip


def test_a_job_without_a_name() -> None:
    fault = failure_of('பணி_உருவாக்கு "" { அச்சு 1; }')
    assert fault.code == "value.invalid"
    assert fault.trace[0].line == 1
    assert output_of(V + """
        பணி_உருவாக்கு "வே" {
            முயல் { h = பணி_உருவாக்கு(வ("")) { அச்சு 1; }; } பிழை(e) { அச்சு e.code; }
        }
        """) == ["value.invalid"]  # fmt: skip


@pytest.mark.parametrize("name", ["a/b", "..", " ", "ப\nப", "#", "சே\u200cவை"])
def test_strange_names(name: str) -> None:
    shown = name.replace("\n", "\\n")
    done = run_program(f"""
        முகவர் அ() {{ செய்தி பார்() {{ திரும்பு 1; }} }}
        பணி_உருவாக்கு "{shown}" {{
            c = சேனல்_உருவாக்கு("{shown}");
            சேனல்_அனுப்பு(c, 1);
            பூட்டு_பிடி(பூட்டு_உருவாக்கு("{shown}")) {{ x = முகவர்_தொடங்கு(அ, [], {{"name": "{shown}"}}); }}
            h = பணி_உருவாக்கு("{shown}") {{ அச்சு முகவர்_தேடு("{shown}").பார்(); }};
            பணி_காத்திரு(h);
        }}
        """)  # fmt: skip
    assert done.problem is None, done.problem
    assert done.lines == ["1"], done.crashes
