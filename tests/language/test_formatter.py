"""The one layout: what it looks like, that it changes nothing, that it is its own layout."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etamil_actors.language import nodes
from etamil_actors.language.formatter import format_source, same_tree
from etamil_actors.language.lexer import COMMENT, TEXT, lex
from etamil_actors.language.parser import parse
from etamil_actors.language.problems import LoadFailed
from etamil_actors.language.source import SourceMap
from tests.golden.cases import HERE as GOLDEN
from tests.golden.cases import all_cases

ROOT = Path(__file__).parents[2]


def tree_of(program: str) -> nodes.Module:
    source = SourceMap().add("test.qmz", program)
    return parse(lex(source)[0], source)[0]


def words_of(program: str) -> list[object]:
    """Everything but layout and semicolons: tokens in their order, then comments."""
    tokens = lex(SourceMap().add("test.qmz", program), comments=True)[0]
    kept = [token for token in tokens if token.kind not in (";", COMMENT)]
    comments = [token.text.rstrip() for token in tokens if token.kind == COMMENT]
    return [token.text if token.kind == TEXT else token.value for token in kept] + comments


def formatted(program: str) -> str:
    """The layout of a program, which must mean the same and be its own layout."""
    written = format_source(program)
    assert words_of(written) == words_of(program)
    assert same_tree(tree_of(written), tree_of(program))
    assert format_source(written) == written
    return written


def parses(program: str) -> bool:
    source = SourceMap().add("test.qmz", program)
    tokens, lexical = lex(source)
    errors = [problem for problem in lexical if problem.severity == "error"]
    return not errors and not parse(tokens, source)[1]


# ---- what it looks like ---------------------------------------------------------------

LAYOUTS = [
    ("spaces", "எண்  அ=1+2*-3 ;", "எண் அ = 1 + 2 * -3;\n"),
    ("unary minus", "x = - ( a ) - - b;", "x = -(a) - -b;\n"),
    ("brackets", "x=f( a , [ 1,2 ] , { அ :1 } )[ 0 ].b.c( ) ? ;", "x = f(a, [1, 2], {அ: 1})[0].b.c()?;\n"),
    ("words before brackets", "அச்சு(a);திரும்பு(b);x=இல்லை(c);", "அச்சு (a);\nதிரும்பு (b);\nx = இல்லை (c);\n"),
    ("return", "return(x);", "return (x);\n"),
    ("one statement a line", "a=1;b=2;;c=3;", "a = 1;\nb = 2;\nc = 3;\n"),
    ("else", "(a)எனில்{b();}\n\nஇன்றேல்{c();}", "(a) எனில் {\n    b();\n} இன்றேல் {\n    c();\n}\n"),
    (
        "else if",
        "(a)எனில்{}இன்றேல்(b)எனில்{c();}இன்றேல்{}",
        "(a) எனில் {} இன்றேல் (b) எனில் {\n    c();\n} இன்றேல் {}\n",
    ),
    (
        "loops",
        "ஒவ்வொரு a இல் [1]{(மெய்)சுற்று{நிறுத்து;}}",
        "ஒவ்வொரு a இல் [1] {\n    (மெய்) சுற்று {\n        நிறுத்து;\n    }\n}\n",
    ),
    (
        "function",
        "செயல் f (எண் a , நிலை b:சொல்) அணி<எண்> {திரும்பு a;};",
        "செயல் f(எண் a, நிலை b: சொல்) அணி<எண்> {\n    திரும்பு a;\n}\n",
    ),
    ("function value", "f=செயல் (x){திரும்பு x;} ;", "f = செயல்(x) { திரும்பு x; };\n"),
    ("called at once", "a = செயல்(x) { திரும்பு x; } (4);", "a = செயல்(x) { திரும்பு x; }(4);\n"),
    (
        "long function value",
        "f=செயல்(x){a=x;திரும்பு a;};",
        "f = செயல்(x) {\n    a = x;\n    திரும்பு a;\n};\n",
    ),
    (
        "shape",
        "வடிவம் v{எண் x,y:சொல்?,செயல் m(இது){திரும்பு இது;}}",
        "வடிவம் v {\n    எண் x,\n    y: சொல்?,\n    செயல் m(இது) {\n        திரும்பு இது;\n    }\n}\n",
    ),
    ("shape literal", "வடிவம் v {x}\na=v {x : 1,..b};", "வடிவம் v {\n    x\n}\na = v{x: 1, ..b};\n"),
    ("word with a record", 'a=கேச்_உருவாக்கு{"ttl":1};', 'a = கேச்_உருவாக்கு {"ttl": 1};\n'),
    ("call with a record", "f(1){a:2};", "f(1) {a: 2};\n"),
    ("element types", "அணி < அணி<எண்> > a = [ ] ;", "அணி<அணி<எண்>> a = [];\n"),
    ("comparison", "x = a<b<=c;", "x = a < b <= c;\n"),
    ("nothing", "", ""),
    ("blank", "\n\n \n", ""),
    ("comment alone", "\n// x  \n\n", "// x\n"),
    ("blank lines", "\n\na = 1;\n\n\n\nb = 2;\n", "a = 1;\n\nb = 2;\n"),
    (
        "blank lines in a block",
        "f(1) {\n\n\n};(a)எனில்{\n\na=1;\n\n\nb=2;\n\n}",
        "f(1) {};\n(a) எனில் {\n    a = 1;\n\n    b = 2;\n}\n",
    ),
    (
        "try",
        "முயல்{a();}பிழை (e){b();}இறுதியில்{c();}",
        "முயல் {\n    a();\n} பிழை(e) {\n    b();\n} இறுதியில் {\n    c();\n}\n",
    ),
    (
        "choose",
        "தேர்வு{a இல் b{c();}காலம் 5{d();}}",
        "தேர்வு {\n    a இல் b {\n        c();\n    }\n    காலம் 5 {\n        d();\n    }\n}\n",
    ),
    (
        "agent",
        "முகவர் a(x){y=x;செய்தி m(){திரும்பு y;}}",
        "முகவர் a(x) {\n    y = x;\n    செய்தி m() {\n        திரும்பு y;\n    }\n}\n",
    ),
    (
        "route",
        'வழி பெறு,"/" ,["a"]{பதில் 200 ,{அ:1} ;};',
        'வழி பெறு, "/", ["a"] {\n    பதில் 200, {அ: 1};\n}\n',
    ),
    ("static route", 'வழி நிலைக்கோப்பு,"/s","f";', 'வழி நிலைக்கோப்பு, "/s", "f";\n'),
    ("block behind a call", "பூட்டு_பிடி(a){b();};", "பூட்டு_பிடி(a) {\n    b();\n}\n"),
    ("value of a block", "x=காலவரம்பு(1){b();}\ny=1;", "x = காலவரம்பு(1) {\n    b();\n};\ny = 1;\n"),
    ("command", 'மெட்ரிக்_எண் "a",1 ;', 'மெட்ரிக்_எண் "a", 1;\n'),
    ("test", 'சோதனை "s"{a();};', 'சோதனை "s" {\n    a();\n}\n'),
    (
        "spellings stay",
        "_print 1;accu 2;\nceyal f(){qirumpu 1;}",
        "_print 1;\naccu 2;\nceyal f() {\n    qirumpu 1;\n}\n",
    ),
    ("percentage", "a=18%*b ;", "a = 18% * b;\n"),
    ("text as a field", 'a = r . "வரிசை" [ 0 ];', 'a = r."வரிசை"[0];\n'),
    ("request", 'a = கோரிக்கை [ "x" ] . பாதை;', 'a = கோரிக்கை["x"].பாதை;\n'),
    ("import", 'இறக்கு  "a.qmz" ;', 'இறக்கு "a.qmz";\n'),
    ("carriage returns", 'a = 1;\r\n\r\nb = "x\r\ny";\r\n', 'a = 1;\n\nb = "x\ny";\n'),
    ("byte order mark", "\ufeffa=1;", "a = 1;\n"),
]


@pytest.mark.parametrize(
    ("program", "expected"), [case[1:] for case in LAYOUTS], ids=[case[0] for case in LAYOUTS]
)
def test_a_construct_has_one_layout(program: str, expected: str) -> None:
    assert formatted(program) == expected


def test_look_alike_letters_are_repaired_in_words_only() -> None:
    program = 'அச\u094dசு "அச\u094dசு"; // அச\u094dசு\nவண\u094dடி = कार्य;\n'
    assert format_source(program) == 'அச்சு "அச\u094dசு";  // அச\u094dசு\nவண்டி = कार्य;\n'


# ---- lines that are too long ----------------------------------------------------------

LONG = '"' + "அ" * 40 + '"'


def test_a_record_that_does_not_fit_has_one_entry_a_line() -> None:
    program = f"a = {{அ: {LONG}, ஆ: {LONG}, இ: [1, {{உ: 2}}]}};"
    assert formatted(program) == f"a = {{\n    அ: {LONG},\n    ஆ: {LONG},\n    இ: [1, {{உ: 2}}]\n}};\n"


def test_an_author_who_ends_with_a_comma_gets_one_entry_a_line() -> None:
    assert formatted("a = [1, 2,];") == "a = [\n    1, 2,\n];\n"
    assert formatted("a = {அ: 1, ஆ: [1, 2],};") == "a = {\n    அ: 1,\n    ஆ: [1, 2],\n};\n"


def test_only_the_last_argument_opens_when_the_others_fit() -> None:
    program = f'f("x", 1, {{அ: {LONG}, ஆ: {LONG}}});'
    assert formatted(program) == f'f("x", 1, {{\n    அ: {LONG},\n    ஆ: {LONG}\n}});\n'


def test_arguments_that_do_not_fit_have_a_line_each() -> None:
    assert (
        formatted(f"a = f({LONG}, b, {LONG}, c).d;")
        == f"a = f(\n    {LONG},\n    b,\n    {LONG},\n    c\n).d;\n"
    )


def test_a_function_value_as_the_last_argument_stays_in_its_line() -> None:
    program = "a = மாற்றியமை(b, செயல்(x) { c = x; திரும்பு c; });"
    assert formatted(program) == "a = மாற்றியமை(b, செயல்(x) {\n    c = x;\n    திரும்பு c;\n});\n"


def test_operands_that_do_not_fit_have_a_line_each() -> None:
    program = f"a = {LONG} & b * 2 & {LONG} & f(c);"
    assert formatted(program) == f"a = {LONG}\n    & b * 2\n    & {LONG}\n    & f(c);\n"


def test_an_operand_that_no_line_can_hold_stands_on_its_own() -> None:
    longer = f'"{"x" * 120}"'
    assert formatted(f"a = b & {longer} & c;") == f"a = b\n    & {longer}\n    & c;\n"
    assert formatted(f"f(b & {longer} & c);") == f"f(\n    b\n        & {longer}\n        & c\n);\n"


def test_a_condition_that_does_not_fit_is_parted_at_its_loosest_operators() -> None:
    program = f"(a == {LONG} மற்றும் b அல்லது c == {LONG}) எனில் {{ d(); }}"
    expected = f"(\n    a == {LONG} மற்றும் b\n        அல்லது c == {LONG}\n) எனில் {{\n    d();\n}}\n"
    assert formatted(program) == expected


def test_the_record_of_an_answer_opens() -> None:
    program = f"பதில் 200, {{அ: {LONG}, ஆ: {LONG}}}, b;"
    assert formatted(program) == f"பதில் 200,\n    {{அ: {LONG}, ஆ: {LONG}}},\n    b;\n"
    program = f"பதில் 200, {{அ: {LONG}, ஆ: {LONG}, இ: 1}};"
    assert formatted(program) == f"பதில் 200, {{\n    அ: {LONG},\n    ஆ: {LONG},\n    இ: 1\n}};\n"


def test_numbers_fill_their_lines() -> None:
    numbers = [str(number * 37 - 500) for number in range(60)]
    lines = formatted(f"a = [{','.join(numbers)}];").splitlines()
    assert lines[0] == "a = [" and lines[-1] == "];"
    assert all(90 < len(line) <= 100 for line in lines[1:-2])


def test_lines_are_as_wide_as_a_reader_sees_them() -> None:
    fits = '"' + "கொ" * 87 + '"'
    assert formatted(f"a = f(1, {fits});") == f"a = f(1, {fits});\n"


def test_texts_that_span_lines_stay_as_they_are() -> None:
    program = '(a) எனில் { தளம்_வினா "SELECT *\n   FROM t  \n\n\tWHERE x = ?",[1],b; }'
    expected = '(a) எனில் {\n    தளம்_வினா "SELECT *\n   FROM t  \n\n\tWHERE x = ?", [1], b;\n}\n'
    assert formatted(program) == expected


# ---- comments -------------------------------------------------------------------------


def test_comments_stay_behind_and_before_what_they_belong_to() -> None:
    program = """
// head

// of the file
a = 1;   // behind a
// before b
b = [   // of the array
// first
1,   // behind 1
2 // behind 2
// last
]; // behind b
(a) எனில் { // of the block
// before c
c(); } // behind the block
// before else
இன்றேல் { // of else
// nothing else
} // end
// of the file"""
    assert (
        formatted(program)
        == """\
// head

// of the file
a = 1;  // behind a
// before b
b = [  // of the array
    // first
    1,  // behind 1
    2  // behind 2
    // last
];  // behind b
(a) எனில் {  // of the block
    // before c
    c();
}  // behind the block
// before else
இன்றேல் {  // of else
    // nothing else
}  // end
// of the file
"""
    )


def test_a_comment_before_a_semicolon_or_comma_goes_behind_it() -> None:
    assert (
        formatted("a = 1 // why\n;\nb = [1 // one\n, 2];")
        == "a = 1;  // why\nb = [\n    1,  // one\n    2\n];\n"
    )


def test_a_comment_in_the_middle_of_a_value_keeps_its_place() -> None:
    program = "a = // first\n    b\n    // second\n    + c; // third"
    assert formatted(program) == "a =  // first\n    b\n    // second\n    + c;  // third\n"


def test_the_comments_of_a_semicolon_that_goes_stay() -> None:
    program = "(a) எனில் {} // one\n; // two\n// three\n; ; // four\nb();"
    assert format_source(program).splitlines() == [
        "(a) எனில் {}  // one", "// two", "// three", "// four", "b();",
    ]  # fmt: skip


AWKWARD = 'செயல்|f|(|எண்|a|,|b|)|எண்|{|x|=|f|(|1|,|[|2|,|-|3|]|,|{|அ|:|4|}|)|.|y|[|0|]|?|;|(|x|>|1|)|எனில்|{|திரும்பு|x|;|}|இன்றேல்|{|அச்சு|"z"|;|}|}|g|=|செயல்|(|)|{|திரும்பு|1|;|}|;|முயல்|{|}|பிழை|(|e|)|{|}|;|வழி|பெறு|,|"/"|{|}'


@pytest.mark.parametrize("comment", [" // c\n", "\n// c\n", "\n\n// c\n\n// d\n", " // c\n// d\n"])
@pytest.mark.parametrize("place", range(AWKWARD.count("|") + 1))
def test_a_comment_may_stand_anywhere(place: int, comment: str) -> None:
    parts = AWKWARD.split("|")
    program = " ".join(parts[: place + 1]) + comment + " ".join(parts[place + 1 :])
    formatted(program)


def test_comments_everywhere_at_once() -> None:
    formatted(" // c\n".join(AWKWARD.split("|")))
    formatted("\n// c\n".join(AWKWARD.split("|")))


# ---- real programs --------------------------------------------------------------------


def blocks_of(path: Path) -> list[str]:
    """The programs of a page."""
    return re.findall(r"^```etamil\n(.*?)^```", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


FILES = [
    *sorted((GOLDEN / "founding").glob("*.qmz")),
    *sorted((ROOT / "examples").glob("**/*.qmz")),
    *sorted((ROOT / "services").glob("**/*.qmz")),
]
PROGRAMS = {
    **{str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in FILES},
    **{case.id: case.text for case in all_cases()},
    **{
        f"{path.relative_to(ROOT)} {number}": block
        for path in [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("**/*.md"))]
        for number, block in enumerate(blocks_of(path), 1)
    },
}


def test_every_program_of_the_house_keeps_its_meaning() -> None:
    tried = 0
    for name, program in PROGRAMS.items():
        if parses(program):
            tried += 1
            assert max(map(len, formatted(program).splitlines()), default=0) < 2_000, name
    assert tried > len(FILES)


@pytest.mark.parametrize("program", ["a = ;", "அச்சு 'x';", "(a) எனில் { b();", "}"])
def test_what_does_not_parse_is_refused(program: str) -> None:
    with pytest.raises(LoadFailed) as refused:
        format_source(program)
    assert refused.value.problems


# ---- whatever the author's spaces -----------------------------------------------------

SPACES = st.sampled_from(["", " ", "  ", "\t", "\n", "\n    ", " \f", "\n\n", "\r\n"])
NAMES = sorted(name for name, program in PROGRAMS.items() if len(program) < 2_000 and parses(program))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(NAMES), st.data())
def test_spaces_change_neither_the_meaning_nor_break_the_layout(name: str, data: st.DataObject) -> None:
    program = PROGRAMS[name]
    tokens = lex(SourceMap().add("test.qmz", program), comments=True)[0]
    pieces: list[str] = []
    for token in tokens[:-1]:
        pieces += [token.text, "\n" if token.kind == COMMENT else data.draw(SPACES) or " "]
    mutated = "".join(pieces)
    assert same_tree(tree_of(mutated), tree_of(program))
    formatted(mutated)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(NAMES), st.data())
def test_spaces_within_lines_do_not_matter(name: str, data: st.DataObject) -> None:
    program = PROGRAMS[name]
    source = SourceMap().add("test.qmz", program)
    pieces: list[str] = []
    behind = 0
    for token in lex(source, comments=True)[0]:
        gap = source.text[behind : token.start]
        behind = token.end
        lines = "\n" * gap.count("\n")
        pieces += [
            lines or data.draw(st.sampled_from([" ", "\t ", "   "])),
            source.text[token.start : token.end],
        ]
    assert format_source("".join(pieces)) == format_source(program)


def test_lines_of_the_author_do_not_matter() -> None:
    one = "f(a, [1, 2]); (b) எனில் { c = {அ: 1, ஆ: 2}; }"
    other = "f(\na,\n[\n1,\n2]\n)\n;\n(\nb)\nஎனில்\n{\nc\n=\n{அ\n:\n1,ஆ:2};\n}"
    assert formatted(one) == formatted(other)


# ---- sizes ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "program",
    [
        "a = " + "[" * 99 + "1" + "]" * 99 + ";",
        "a = " + "[{b: " * 49 + LONG + "}]" * 49 + ";",
        "a = " + "f(" * 99 + LONG + ")" * 99 + ";",
        "a = " + "f(x, {b: " * 49 + LONG + "})" * 49 + ";",
        "(a) எனில் { " * 99 + "}" * 99,
        "f = " + "செயல்() { f = " * 99 + "1" + "; }" * 99 + ";",
    ],
    ids=["arrays", "records", "calls", "calls with records", "blocks", "functions"],
)
def test_deep_programs_are_laid_out(program: str) -> None:
    formatted(program)


def test_long_chains_are_laid_out() -> None:
    formatted("a = " + " + ".join(["b"] * 5_000) + ";")
    formatted("a = b" + '.x[0].y("z")?' * 2_000 + ";")
    formatted(" இன்றேல் ".join(["(a) எனில் { b(); }"] * 2_000))
