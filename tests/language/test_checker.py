"""What the checker refuses (REFERENCE §10), and as much what it does not."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etamil_actors.language import nodes
from etamil_actors.language.check_problems import __name__ as CHECK_PROBLEMS
from etamil_actors.language.checker import check
from etamil_actors.language.lexer import lex
from etamil_actors.language.parser import parse
from etamil_actors.language.problems import Problem, known_problems, render
from etamil_actors.language.source import SourceMap
from tests.golden.cases import all_cases


def checked(program: str) -> tuple[list[Problem], SourceMap]:
    sources = SourceMap()
    source = sources.add("test.qmz", program)
    tokens, lexical = lex(source)
    module, syntactic = parse(tokens, source)
    assert not lexical and not syntactic, "\n".join(
        render(problem, sources) for problem in [*lexical, *syntactic]
    )
    return check(module, sources), sources


def found(program: str) -> list[str]:
    """The problems of a program as ``line:code``."""
    problems, sources = checked(program)
    return [f"{sources.find(p.start).line_of(p.start)}:{p.code}" for p in problems]


POINT = "வடிவம் புள்ளி { எண் x, எண் y }\n"
SQUARE = """
வடிவம் சதுரம் {
    எண் பக்கம்,
    செயல் வினை,
    குறிப்பு,
    செயல் பரப்பு(இது) எண் { திரும்பு இது.பக்கம் * இது.பக்கம்; }
    செயல் பெருக்கு(இது, எண் அளவு) சதுரம் { திரும்பு சதுரம்{பக்கம்: இது.பக்கம் * அளவு, ..இது}; }
    செயல் புதிது(எண் பக்கம்) சதுரம் { திரும்பு சதுரம்{பக்கம்: பக்கம், வினை: தரை, குறிப்பு: 0}; }
}
நிலை ச = சதுரம்{பக்கம்: 2, வினை: தரை, குறிப்பு: "x"};
"""


def checked_lines(*lines: str) -> list[str]:
    return found("\n".join(lines))


# ---- examples of the manual -----------------------------------------------------------

EXAMPLES = {
    code: kind.example for code, kind in known_problems().items() if kind.__module__ == CHECK_PROBLEMS
}


@pytest.mark.parametrize("code", EXAMPLES)
def test_the_example_of_a_problem_causes_it_and_nothing_else(code: str) -> None:
    problems, _ = checked(EXAMPLES[code])
    assert [problem.code for problem in problems] == [code]


@pytest.mark.parametrize("code", EXAMPLES)
def test_a_problem_has_a_manual_page_and_fills_its_words(code: str) -> None:
    problems, sources = checked(EXAMPLES[code])
    assert (known_problems()[code].__doc__ or "").strip()
    for text in (problems[0].tamil_text, problems[0].english_text):
        assert "{" not in text and "None" not in text
    assert problems[0].severity == ("warning" if code.startswith("W") else "error")
    assert f"[{code}]" in render(problems[0], sources)


# ---- values that fit ------------------------------------------------------------------

VALUES = {
    "number": "5",
    "percentage": "18%",
    "sum": "1 + 2",
    "minus": "-(1)",
    "text": '"அ"',
    "joined": '"அ" & 1',
    "boolean": "மெய்",
    "comparison": "1 < 2",
    "logical": "மெய் மற்றும் 5",
    "not": "இல்லை 5",
    "array": "[1]",
    "record": "{அ: 1}",
    "shape": "புள்ளி{x: 1, y: 2}",
    "lambda": "செயல்() { திரும்பு 1; }",
}
ACCEPTED = {
    "எண்": "number percentage sum minus",
    "பின்னம்": "number percentage sum minus",
    "சொல்": "number percentage sum minus text joined",
    "உரை": "number percentage sum minus text joined",
    "தேதி": "number percentage sum minus text joined",
    "ஈர்ம": "boolean comparison logical not",
    "அணி": "array",
    "பொருள்": "record shape",
    "தரவு": "record shape",
    "செயல்": "lambda",
    "புள்ளி": "shape",
}


@pytest.mark.parametrize("type", ACCEPTED)
@pytest.mark.parametrize("value", VALUES)
def test_a_declared_name_takes_what_its_type_accepts(type: str, value: str) -> None:
    program = f"{POINT}{type} அ = {VALUES[value]};"
    fits = value in ACCEPTED[type].split()
    assert found(program) == ([] if fits else ["2:E0401"])


@pytest.mark.parametrize("type", [*ACCEPTED, "சரம்"])
@pytest.mark.parametrize("value", ["இன்மை", "நீளம்([])", "ஆ", "ஆ[0]", "ஆ.பு", "சரி(1)?", "புள்ளி({})"])
def test_what_is_unknown_fits_every_type(type: str, value: str) -> None:
    assert found(f"{POINT}ஆ = 1;\n{type} அ = {value};") == []


@pytest.mark.parametrize("type", ACCEPTED)
def test_a_declaration_without_a_value_stores_a_zero(type: str) -> None:
    fits = "number" in ACCEPTED[type].split()
    if type != "செயல்":
        assert found(f"{POINT}{type} அ;") == ([] if fits else ["2:E0404"])


def test_a_later_assignment_must_fit_the_declared_type() -> None:
    assert checked_lines("எண் அ = 1;", "அ = 2;", 'அ = "இரண்டு";', "அ = இன்மை;") == ["3:E0401"]


def test_a_bare_declaration_is_an_assignment_of_zero() -> None:
    assert checked_lines("அணி அ = [];", "அ;", "எண் ஆ = 1;", "ஆ;") == ["2:E0404"]


def test_a_new_declaration_replaces_the_type() -> None:
    assert checked_lines("எண் அ = 1;", 'சொல் அ = "x";', 'அ = "y";', "அ = [];") == ["4:E0401"]


def test_a_plain_assignment_makes_no_type_known() -> None:
    assert checked_lines("அ = 5;", 'அ = "x";', "ஈர்ம ஆ = அ;") == []


def test_a_variable_is_known_as_it_was_declared() -> None:
    assert checked_lines('சொல் அ = "x";', "எண் ஆ = அ;") == ["2:E0401"]


def test_a_date_counts_as_text() -> None:
    assert checked_lines('தேதி அ = "2026-01-01";', "சொல் ஆ = அ;", "எண் இ = அ;") == ["3:E0401"]


def test_the_annotation_behind_a_name_is_a_type() -> None:
    assert checked_lines("அ: எண் = 5;", 'அ = "x";', 'நிலை ஆ: எண் = "y";') == ["2:E0401", "3:E0401"]


def test_sharam_is_the_text_type() -> None:
    assert checked_lines("அ: சரம் = 5;", "அ = [];") == ["2:E0401"]


def test_sharam_may_be_a_shape() -> None:
    assert checked_lines("வடிவம் சரம் { x }", "அ: சரம் = சரம்{x: 1};", 'ஆ: சரம் = "x";') == ["3:E0401"]


@pytest.mark.parametrize(
    "forgetting",
    [
        "ஒவ்வொரு அ இல் [1] { }",
        'தளம்_வினா "SELECT 1", [], அ;',
        'கோப்பு_படி "a.txt", அ;',
        "முயல் { } பிழை(அ) { }",
    ],
)
def test_what_the_world_stores_forgets_the_declared_type(forgetting: str) -> None:
    assert checked_lines("எண் அ = 1;", forgetting, 'அ = "x";', "ஈர்ம ஆ = அ;") == []


def test_branches_are_walked_as_if_both_ran() -> None:
    program = ["(மெய்) எனில் { எண் அ = 1; } இன்றேல் { சொல் அ = 2; }", "அ = மெய்;", 'அ = "x";']
    assert checked_lines(*program) == ["2:E0401"]


def test_everything_is_reported_at_once_and_in_order() -> None:
    program = ["எண் அ = மெய்;", "நிலை ஆ = 1;", "ஆ = 2;", "சொல் இ = [];"]
    assert checked_lines(*program) == ["1:E0401", "3:E0402", "4:E0401"]


# ---- element types --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type", "value", "fits"),
    [
        ("அணி<எண்>", "[1, 2, இன்மை]", True),
        ("அணி<எண்>", '[1, "இரண்டு"]', False),
        ("அணி<சொல்>", '[1, "இரண்டு"]', True),
        ("அணி<ஈர்ம>", "[மெய், 1 < 2]", True),
        ("அணி<ஈர்ம>", "[1]", False),
        ("அணி<எண்>", "[]", True),
        ("அணி<அணி<எண்>>", "[[1], []]", True),
        ("அணி<அணி<எண்>>", '[[1], ["அ"]]', False),
        ("அணி<அணி<எண்>>", "[1]", False),
        ("அணி<புள்ளி>", "[புள்ளி{x: 1, y: 2}]", True),
        ("அணி<புள்ளி>", "[{x: 1, y: 2}]", False),
        ("அணி<பொருள்>", "[புள்ளி{x: 1, y: 2}, {}]", True),
        ("பொருள்<எண்>", '{அ: "x"}', True),
        ("பொருள்<எண்>", "5", False),
    ],
)
def test_element_types_of_arrays_written_out_are_compared(type: str, value: str, fits: bool) -> None:
    assert found(f"{POINT}{type} அ = {value};") == ([] if fits else ["2:E0401"])


def test_declared_element_types_are_compared() -> None:
    program = ["அணி<எண்> அ = [];", "அணி<சொல்> ஆ = அ;", "அ = ஆ;"]
    assert checked_lines(*program) == ["3:E0401"]


def test_an_element_that_does_not_fit_is_marked_itself() -> None:
    problems, sources = checked('அணி<எண்> அ = [\n    1,\n    "இரண்டு"\n];')
    assert render(problems[0], sources).splitlines() == [
        "test.qmz: [E0401] வரி 3, நெடுவரிசை 5: ‘அ’ அணி<எண்> (aNi<eN>, array of number) என அறிவிக்கப்பட்டது;"
        " ஆனால் ஓர் உரை உள்ள அணி கொடுக்கப்பட்டது"
        "  (line 3, column 5: ‘அ’ is declared as அணி<எண்> (aNi<eN>, array of number),"
        " but an array holding a text is given)",
        '  3 |     "இரண்டு"',
        "    |     ^^^^^^",
    ]


# ---- functions ------------------------------------------------------------------------


def test_an_argument_must_fit_its_parameter_and_is_reported_there() -> None:
    assert checked_lines("செயல் f(", "    எண் அ,", "    ஆ", ") { }", 'f("x", 1);', "f(1, 2);") == ["2:E0421"]


def test_an_argument_message_tells_where_the_call_is() -> None:
    problems, _ = checked('செயல் f(அணி<எண்> அ) { }\n\nf(["x"]);')
    assert problems[0].english_text == (
        "the parameter ‘அ’ of ‘f’ is declared as அணி<எண்> (aNi<eN>, array of number),"
        " but an array holding a text is given in line 3"
    )
    assert problems[0].tamil_text == (
        "‘f’ செயலின் அளவுரு ‘அ’ அணி<எண்> (aNi<eN>, array of number) என அறிவிக்கப்பட்டது;"
        " ஆனால் வரி 3-இல் ஓர் உரை உள்ள அணி கொடுக்கப்பட்டது"
    )


def test_a_message_names_the_type_as_it_was_typed() -> None:
    problems, _ = checked("piZZam அ = [];")
    assert "பின்னம் (piZZam, number)" in problems[0].english_text


def test_a_function_may_be_defined_after_its_use_and_anywhere() -> None:
    program = ["f(மெய்);", "(மெய்) எனில் { செயல் f(எண் அ) { } }"]
    assert checked_lines(*program) == ["2:E0421"]


def test_of_two_functions_the_later_one_counts() -> None:
    program = ["செயல் f(எண் அ) { }", "செயல் f(சொல் அ) { }", 'f("x");']
    assert checked_lines(*program) == []


def test_the_number_of_arguments_is_not_checked() -> None:
    assert checked_lines("செயல் f(எண் அ) { }", "f();", "f(1, 2, 3);") == []


def test_a_call_is_known_as_the_declared_result() -> None:
    program = ["செயல் f() சொல் { திரும்பு 1; }", "எண் அ = f();", "சொல் ஆ = f();"]
    assert checked_lines(*program) == ["2:E0401"]


def test_a_variable_of_the_name_comes_before_the_function() -> None:
    program = ["செயல் f(எண் அ) எண் { திரும்பு அ; }", "f = செயல்(அ) { திரும்பு அ; };", "சொல் ஆ = f([]);"]
    assert checked_lines(*program) == []


def test_a_returned_value_must_fit_and_is_reported_at_the_name() -> None:
    program = ["செயல் f() எண் {", "    (மெய்) எனில் { திரும்பு []; }", "    திரும்பு 1;", "}"]
    assert checked_lines(*program) == ["1:E0422"]


@pytest.mark.parametrize("ending", ["திரும்பு;", "", "திரும்பு இன்மை;", "திரும்பு g;"])
def test_what_returns_nothing_known_is_not_compared(ending: str) -> None:
    assert checked_lines("g = 1;", f"செயல் f() எண் {{ {ending} }}") == []


def test_the_result_of_a_lambda_is_its_own() -> None:
    program = ["செயல் f() எண் {", "    அ = செயல்() சொல் { திரும்பு []; };", "    திரும்பு 1;", "}"]
    assert checked_lines(*program) == ["2:E0422"]


def test_parameters_are_known_in_the_body_and_the_globals_are_not() -> None:
    program = ["எண் ஆ = 1;", "செயல் f(எண் அ) {", '    அ = "x";', '    ஆ = "y";', "}"]
    assert checked_lines(*program) == ["3:E0401"]


def test_calls_in_file_database_and_http_statements_are_not_judged() -> None:
    program = [
        POINT + "செயல் f(எண் அ) { திரும்பு அ; }",
        'கோப்பு_எழுது "a.txt", f("x");',
        'தளம்_செய் "SELECT ?", [f("x")];',
        'வழி பெறு, "/" { பதில் 200, f("x"); }',
        "வழி பதி, f([]) { ஜேசான்_உரை புள்ளி(1, 2); }",
    ]
    assert checked_lines(*program) == []


def test_a_type_must_name_a_shape() -> None:
    program = ["புள்ளி அ = 1;", "செயல் f(புள்ளி x) புள்ளி { }", "அணி<புள்ளி> ஆ = [];"]
    assert checked_lines(*program) == ["1:E0409", "2:E0409", "2:E0409", "3:E0409"]


def test_a_misspelt_type_gets_a_suggestion() -> None:
    problems, _ = checked("வடிவம் பயனர் { x }\nசெயல் f(பயணர் அ) { }")
    assert problems[0].suggestion == "‘பயனர்’ என எழுத எண்ணினீர்களா?  (did you mean ‘பயனர்’?)"


# ---- fixed names ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "அ = 2;",
        "எண் அ = 2;",
        "அ;",
        "அ[0] = 2;",
        "அ.x = 2;",
        "ஒவ்வொரு அ இல் [] { }",
        "உள்ளிடு அ;",
        'கோப்பு_படி "a.txt", அ;',
        'தளம்_வினா "SELECT 1", [], அ;',
        "(மெய்) சுற்று { அ = அ + 1; }",
        "முயல் { } பிழை(அ) { }",
        "தேர்வு { அ இல் சேனல்_உருவாக்கு() { } }",
    ],
)
def test_a_fixed_name_cannot_be_changed(change: str) -> None:
    assert checked_lines("நிலை அ = [1];", change) == ["2:E0402"]


def test_a_message_tells_where_a_name_was_fixed() -> None:
    problems, _ = checked("நிலை அ = 1;\n\nஅ = 2;")
    assert problems[0].english_text == "‘அ’ is fixed (line 1) and cannot be changed"
    assert problems[0].tamil_text == "‘அ’ நிலையானது (வரி 1); அதை மாற்ற முடியாது"


def test_a_name_is_fixed_once_and_only_before_it_is_a_variable() -> None:
    assert checked_lines("நிலை அ = 1;", "நிலை அ = 2;", "ஆ = 1;", "நிலை ஆ = 2;") == ["2:E0403", "4:E0403"]


def test_fixing_in_both_branches_is_fixing_twice() -> None:
    program = ["(மெய்) எனில் {", "    நிலை அ = 1;", "} இன்றேல் {", "    நிலை அ = 2;", "}"]
    assert checked_lines(*program) == ["4:E0403"]


def test_a_function_may_use_an_outer_fixed_name_for_its_own() -> None:
    program = ["நிலை அ = 1;", "செயல் f() { அ = 2; நிலை ஆ = அ; திரும்பு ஆ; }", "ஆ = செயல்(அ) { அ = 3; };"]
    assert checked_lines(*program) == []


def test_a_parameter_may_be_fixed() -> None:
    assert checked_lines("செயல் f(நிலை எண் அ, நிலை ஆ) {", "    அ = 1;", "    ஆ = 2;", "}") == [
        "2:E0402",
        "3:E0402",
    ]


@pytest.mark.parametrize(
    "body",
    [
        'வழி பெறு, "/" {{ {} }}',
        "இடைவெளி 5 {{ {} }}",
        'பணி_உருவாக்கு "p" {{ {} }}',
        'சோதனை "s" {{ {} }}',
        "நிறுத்தும்போது {{ {} }}",
        "முகவர் a() {{ {} }}",
        "முகவர் a() {{ செய்தி m() {{ {} }} }}",
    ],
)
def test_what_runs_later_sees_what_the_top_level_fixed(body: str) -> None:
    top = ["நிலை எண் அ = 1;", "எண் ஆ = 1;"]
    assert checked_lines(*top, body.format("அ = 2;")) == ["3:E0402"]
    assert checked_lines(*top, body.format('ஆ = "x";')) == []
    assert checked_lines(*top, body.format("நிலை இ = 1;"), "இ = 2;") == []


def test_a_block_runs_in_the_scope_where_it_stands() -> None:
    program = ["நிலை அ = 1;", "பூட்டு_பிடி(பூட்டு_உருவாக்கு()) {", "    அ = 2;", "    நிலை ஆ = 1;", "}", "ஆ = 2;"]
    assert checked_lines(*program) == ["3:E0402", "6:E0402"]


# ---- shapes ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["(மெய்) எனில் {", "வடிவம் அ { x }", "}"], ["2:E0405"]),
        (["முயல் {", "வடிவம் அ { x }", "} இறுதியில் { }"], ["2:E0405"]),
        (["வடிவம் அ { x }", "வடிவம் அ { y }", "தரம் அ { z }"], ["2:E0406", "3:E0406"]),
        (["செயல் அ() { }", "வடிவம் அ { x }"], ["1:E0407"]),
        (["வடிவம் அ { x }", "பணி அ() { }"], ["2:E0407"]),
        (["வடிவம் அ { x }", "முகவர் அ() { }"], ["2:E0407"]),
        (["வடிவம் அ {", "x,", "x,", "செயல் x() { }", "செயல் y() { }", "}"], ["3:E0408", "4:E0408"]),
        (["வடிவம் அ { ஆ x }"], ["1:E0409"]),
        (["வடிவம் அ { அ x, அணி<அ> y }"], []),
        (["வடிவம் அ { செயல் f(ஆ x) ஆ { } }"], ["1:E0409", "1:E0409"]),
        (
            ["வடிவம் அ { x }", "அ = 1;", "செயல் f(அ) { }", "நிலை அ = 1;"],
            ["2:E0419", "3:E0419", "4:E0403", "4:E0419"],
        ),
        (["வடிவம் அ { x }", "ஒவ்வொரு அ இல் [] { }", "அச்சு அ(1);"], ["2:E0419"]),
    ],
)
def test_definitions_of_shapes(lines: list[str], expected: list[str]) -> None:
    assert checked_lines(*lines) == expected


@pytest.mark.parametrize(
    ("literal", "expected"),
    [
        ("புள்ளி{x: 1, y: 2}", []),
        ("புள்ளி{y: 2, x: 1,}", []),
        ("புள்ளி{x: 1}", ["E0410"]),
        ("புள்ளி{}", ["E0410"]),
        ("புள்ளி{x: 1, y: 2, z: 3}", ["E0411"]),
        ("புள்ளி{x: 1, y: 2, x: 3}", ["E0412"]),
        ('புள்ளி{x: 1, y: "2"}', ["E0401"]),
        ("புள்ளி{x: 1, ..புள்ளி{x: 1, y: 2}}", []),
        ("புள்ளி{..f()}", []),
        ("புள்ளி{..{x: 1, y: 2}}", ["E0413"]),
        ("புள்ளி{..வட்டம்{r: 1}}", ["E0413"]),
        ("புள்ளி{..5}", ["E0413"]),
        ("புள்ளி(f())", []),
        ("புள்ளி({x: 1})", []),
        ("புள்ளி()", ["E0420"]),
        ("புள்ளி(1, 2)", ["E0420"]),
        ("செவ்வகம்{x: 1}", ["E0310"]),
    ],
)
def test_literals_of_shapes(literal: str, expected: list[str]) -> None:
    program = [POINT + "வடிவம் வட்டம் { r }", "செயல் f() { }", f"அச்சு {literal};"]
    assert checked_lines(*program) == [f"4:{code}" for code in expected]


def test_missing_fields_are_named() -> None:
    problems, _ = checked(f"{POINT}அச்சு புள்ளி{{}};")
    assert problems[0].english_text == "fields of the shape ‘புள்ளி’ are missing here: ‘x’, ‘y’"


def test_an_optional_field_may_be_missing() -> None:
    assert checked_lines("வடிவம் அ { x: எண், y: எண்? }", "அச்சு அ{x: 1};", "அச்சு அ{y: 1};") == ["3:E0410"]


def test_a_misspelt_field_gets_a_suggestion() -> None:
    problems, _ = checked("வடிவம் அ { பெயர் }\nஅச்சு அ{பெயர: 1, பெயர்: 2};")
    assert problems[0].suggestion == "‘பெயர்’ என எழுத எண்ணினீர்களா?  (did you mean ‘பெயர்’?)"


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        ("அச்சு ச.பக்கம்;", []),
        ("எண் அ = ச.பக்கம்;", []),
        ("சொல் அ = ச.பக்கம் & 1;", []),
        ("ஈர்ம அ = ச.பக்கம்;", ["E0401"]),
        ("ஈர்ம அ = ச.பரப்பு();", ["E0401"]),
        ("ஈர்ம அ = சதுரம்.பரப்பு(ச);", ["E0401"]),
        ("அச்சு ச.அகலம்;", ["E0414"]),
        ("அச்சு ச.பரப்பு;", ["E0415"]),
        ("அச்சு சதுரம்.பரப்பு;", ["E0415"]),
        ("அச்சு சதுரம்.அகலம்;", ["E0414"]),
        ("ச.சுழற்று();", ["E0416"]),
        ("சதுரம்.சுழற்று();", ["E0416"]),
        ("ச.பக்கம்();", ["E0416"]),
        ("ச.வினை(1);", []),
        ("ச.குறிப்பு(1);", []),
        ('ச.get("பக்கம்");', []),
        ("ச.புதிது(1);", ["E0417"]),
        ("சதுரம்.புதிது(1);", []),
        ("ச.பெருக்கு(2).பெருக்கு(3);", []),
        ("ச.பெருக்கு(2).சுழற்று();", ["E0416"]),
        ("அச்சு ச.பெருக்கு(2).அகலம்;", ["E0414"]),
        ("f(ச).எதுவும்();", []),
        ("அச்சு f(ச).எதுவும்[0].மேலும்;", []),
    ],
)
def test_uses_of_shaped_records(use: str, expected: list[str]) -> None:
    program = f"{SQUARE}செயல் f(x) {{ திரும்பு x; }}\n{use}"
    assert found(program) == [f"12:{code}" for code in expected]


def test_arguments_of_methods_are_compared() -> None:
    assert found(f'{SQUARE}ச.பெருக்கு("x");\nசதுரம்.பெருக்கு(ச, []);\nசதுரம்.பெருக்கு(5, 1);') == [
        "7:E0421",
        "7:E0421",
        "7:E0421",
    ]


def test_fields_that_are_set_are_compared() -> None:
    program = [POINT + "புள்ளி ப = புள்ளி{x: 1, y: 2};", "ப.x = 5;", 'ப.y = "x";', "ப.z = 1;", "ப.get = 1;"]
    assert checked_lines(*program) == ["4:E0401", "5:E0414", "6:E0414"]


def test_only_a_fixed_literal_makes_a_shape_known() -> None:
    program = [POINT + "அ = புள்ளி{x: 1, y: 2};", "அச்சு அ.z;", "நிலை ஆ = புள்ளி{x: 1, y: 2};", "அச்சு ஆ.z;"]
    assert checked_lines(*program) == ["5:E0414"]


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("செயல் m(இது) { திரும்பு இது; }", []),
        ("செயல் m(iqu) { திரும்பு iqu.x; }", []),
        ("செயல் m(_self) { திரும்பு _self.z; }", ["E0414"]),
        ("செயல் m(புள்ளி இது) { }", []),
        ("செயல் m(எண் இது) { }", ["E0418"]),
        ("செயல் m(இது) { இது = 1; }", ["E0418"]),
        ("செயல் m(இது) { இது.x = 1; }", ["E0418"]),
        ('செயல் m(இது) { இது["x"] = 1; }', ["E0418"]),
        ("செயல் m(இது) { ஒவ்வொரு இது இல் [] { } }", ["E0418"]),
        ("செயல் m(இது) { நிலை இது = 1; }", ["E0418"]),
        ("செயல் m(இது) { f = செயல்() { இது = 1; }; }", []),
        ("செயல் m(அ, இது) { இது = 1; }", []),
    ],
)
def test_uses_of_self(method: str, expected: list[str]) -> None:
    program = f"வடிவம் புள்ளி {{ எண் x, {method} }}"
    assert found(program) == [f"1:{code}" for code in expected]


# ---- agents ---------------------------------------------------------------------------


def test_the_state_of_an_agent_keeps_its_declared_types() -> None:
    program = [
        "முகவர் கணக்கு(எண் தொடக்கம்) {",
        "    எண் மீதம் = தொடக்கம்;",
        "    செய்தி போடு(அளவு: எண், மீதம்) சொல் { மீதம் = மெய்; திரும்பு அளவு; }",
        '    செய்தி எடு() எண் { மீதம் = "x"; திரும்பு "y"; }',
        "    நிறுத்தும்போது { மீதம் = மெய்; }",
        "}",
        'க = கணக்கு("x");',
    ]
    assert checked_lines(*program) == ["1:E0421", "4:E0422", "4:E0401", "5:E0401"]


def test_an_agent_itself_cannot_be_assigned() -> None:
    program = ["முகவர் a() {", "    செய்தி m() { திரும்பு இது; }", "    செய்தி n() { இது = 1; }", "}"]
    problems, _ = checked("\n".join(program))
    assert [problem.english_text for problem in problems] == [
        "‘இது’ is the agent itself; it cannot be changed"
    ]


# ---- size and shape of the text -------------------------------------------------------


@pytest.mark.parametrize("operator", ["+", "&", "*", "மற்றும்", "அல்லது"])
def test_long_chains_of_operators_are_walked(operator: str) -> None:
    chain = f" {operator} ".join(["அ"] * 10_000)
    assert checked_lines("அ = 1;", f"ஆ = {chain};", f"இ = {chain} {operator} இல்லாதது;") == ["3:W0310"]


def test_long_chains_of_postfixes_are_walked() -> None:
    chain = "அ" + '.x[0].y("z")?' * 3_000
    assert checked_lines("அ = 1;", f"ஆ = {chain};") == []


def test_long_chains_of_else_ifs_are_walked() -> None:
    links = " இன்றேல் ".join(f"(அ == {n}) எனில் {{ அச்சு {n}; }}" for n in range(3_000))
    assert checked_lines("அ = 1;", links, f"{links} இன்றேல் {{ எண் ஆ = மெய்; }}") == ["3:E0401"]


def test_of_very_many_problems_the_errors_are_kept() -> None:
    problems, _ = checked("\n".join(f"அச்சு அ{n};" for n in range(500)) + '\nஎண் அ = "x";\n')
    assert [problem.code for problem in problems] == ["W0310"] * 199 + ["E0401"]


# ---- whatever is written --------------------------------------------------------------

PROGRAMS = [[token.text for token in lex(SourceMap().add("", case.text))[0]] for case in all_cases()]
WORDS = sorted({word for program in PROGRAMS for word in program if word})


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(PROGRAMS), st.integers(0, 10_000), st.sampled_from(["", *WORDS]), st.booleans())
def test_any_changed_program_ends_in_problems_or_in_none(
    program: list[str], place: int, word: str, keep: bool
) -> None:
    at = place % len(program)
    changed = " ".join([*program[:at], word, *program[at + (not keep) :]])
    sources = SourceMap()
    source = sources.add("test.qmz", changed)
    tokens, problems = lex(source)
    if all(problem.severity == "warning" for problem in problems):
        module, problems = parse(tokens, source)
        if not problems:
            assert all(render(problem, sources) for problem in check(module, sources))


# ---- imports --------------------------------------------------------------------------


def test_an_imported_file_is_walked_in_its_place_and_named_in_messages() -> None:
    sources = SourceMap()
    texts = {
        "main.qmz": 'எண் அ = 1;\nஇறக்கு "வடிவங்கள்.qmz";\nவடிவம் புள்ளி { z }\nஅ = "x";\nf("x");',
        "வடிவங்கள்.qmz": 'வடிவம் புள்ளி { x }\nசொல் அ = "y";\nசெயல் f(எண் ஆ) { }',
    }
    modules = [parse(lex(source)[0], source)[0] for source in map(sources.add, texts, texts.values())]
    statement = modules[0].statements[1]
    assert isinstance(statement, nodes.Import)
    statement.module = modules[1]
    problems = check(modules[0], sources)
    assert [(sources.find(p.start).name, p.english_text) for p in problems] == [
        ("main.qmz", "there is a shape ‘புள்ளி’ already (line 1 of வடிவங்கள்.qmz)"),
        (
            "வடிவங்கள்.qmz",
            "the parameter ‘ஆ’ of ‘f’ is declared as எண் (eN, number), but a text is given in line 5 of main.qmz",
        ),
    ]
    assert problems[1].tamil_text.endswith("ஆனால் main.qmz, வரி 5-இல் ஓர் உரை கொடுக்கப்பட்டது")
