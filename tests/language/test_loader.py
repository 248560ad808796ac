"""A program and the files it imports."""

from __future__ import annotations

import hashlib
import posixpath

import pytest

from etamil_actors.language import nodes
from etamil_actors.language.loader import MAX_DEPTH, Loaded, load
from etamil_actors.language.problems import render


class Files:
    """A folder tree in memory; what is read is noted."""

    def __init__(self, **files: str | bytes | Exception) -> None:
        self.files = {name.replace("__", "/") + ".qmz": content for name, content in files.items()}
        self.asked: list[str] = []

    def read(self, path: str) -> str | bytes | None:
        self.asked.append(path)
        content = self.files.get(posixpath.normpath(path))
        if isinstance(content, Exception):
            raise content
        return content

    def load(self, text: str | bytes, name: str = "app/main.qmz", **more) -> Loaded:
        return load(name, text, read=self.read, **more)


def texts(loaded: Loaded) -> list[str]:
    """What the program prints, in the order of its statements, imports included."""
    found: list[str] = []

    def walk(module: nodes.Module) -> None:
        for statement in module.statements:
            if isinstance(statement, nodes.Import):
                assert statement.module is not None
                walk(statement.module)
            elif isinstance(statement, nodes.Print) and isinstance(statement.value, nodes.Text):
                found.append(statement.value.value)

    walk(loaded.module)
    return found


def messages(loaded: Loaded) -> list[str]:
    return [render(problem, loaded.sources) for problem in loaded.problems]


def codes(loaded: Loaded) -> list[str]:
    return [problem.code for problem in loaded.problems]


def test_a_program_without_imports_reads_nothing() -> None:
    files = Files()
    loaded = files.load('அச்சு "அ";')
    assert texts(loaded) == ["அ"] and loaded.is_sound and files.asked == []
    assert loaded.files == [("app/main.qmz", hashlib.sha256('அச்சு "அ";'.encode()).hexdigest())]


def test_statements_of_an_import_stand_in_its_place() -> None:
    loaded = Files(app__a='அச்சு "a";').load('அச்சு "1"; இறக்கு "a.qmz"; அச்சு "2";')
    assert texts(loaded) == ["1", "a", "2"]


def test_a_file_is_included_once_however_it_is_named() -> None:
    files = Files(app__a='அச்சு "a";', app__b='இறக்கு "../app/a.qmz"; அச்சு "b";')
    loaded = files.load('இறக்கு "b.qmz"; இறக்கு "./a.qmz"; இறக்கு "b.qmz";')
    assert texts(loaded) == ["a", "b"]
    assert [path for path, _ in loaded.files] == ["app/main.qmz", "app/b.qmz", "app/a.qmz"]


def test_a_cycle_adds_nothing() -> None:
    files = Files(app__a='இறக்கு "b.qmz"; அச்சு "a";', app__b='இறக்கு "a.qmz"; இறக்கு "main.qmz"; அச்சு "b";')
    assert texts(files.load('இறக்கு "a.qmz"; அச்சு "main";')) == ["b", "a", "main"]


def test_an_import_inside_a_block_stays_empty() -> None:
    files = Files(app__a='அச்சு "a";')
    loaded = files.load('செயல் f() { இறக்கு "a.qmz"; }')
    (function,) = loaded.module.statements
    assert isinstance(function, nodes.Function)
    (statement,) = function.body.statements
    assert isinstance(statement, nodes.Import) and statement.module is None
    assert loaded.is_sound and files.asked == []


@pytest.mark.parametrize(
    ("present", "found"),
    [
        (["app/x", "one/x", "two/x", "lib/x"], "app/x"),
        (["one/x", "two/x", "lib/x"], "one/x"),
        (["two/x", "lib/x"], "two/x"),
        (["lib/x"], "lib/x"),
    ],
)
def test_the_order_of_the_search(present: list[str], found: str) -> None:
    files = Files(**{path.replace("/", "__"): f'அச்சு "{path}";' for path in present})
    assert texts(files.load('இறக்கு "x.qmz";', search=["one", "two"], library="lib")) == [found]


def test_an_import_is_looked_for_beside_the_importing_file() -> None:
    files = Files(app__x='அச்சு "wrong";', lib__a='இறக்கு "x.qmz";', lib__x='அச்சு "right";')
    assert texts(files.load('இறக்கு "../lib/a.qmz";')) == ["right"]


def test_a_program_from_standard_input_looks_in_the_given_folder() -> None:
    files = Files(work__a='அச்சு "a";')
    assert texts(files.load('இறக்கு "a.qmz";', name="-", folder="work")) == ["a"]


def test_an_absolute_path_is_used_as_it_is() -> None:
    files = Files()
    files.files["/abs/a.qmz"] = 'அச்சு "a";'
    assert texts(files.load('இறக்கு "/abs/a.qmz";')) == ["a"]


def test_the_library_imports_only_from_itself() -> None:
    files = Files(lib__nUlakam__a='இறக்கு "nUlakam/b.qmz";', lib__nUlakam__b='அச்சு "b";', one__secret='அச்சு "s";')
    loaded = files.load('இறக்கு "nUlakam/a.qmz";', search=["one"], library="lib")
    assert texts(loaded) == ["b"]
    files.files["lib/nUlakam/b.qmz"] = 'இறக்கு "secret.qmz";'
    assert codes(files.load('இறக்கு "nUlakam/a.qmz";', search=["one"], library="lib")) == ["E0301"]
    files.files["lib/nUlakam/b.qmz"] = 'இறக்கு "../../one/secret.qmz";'
    assert codes(files.load('இறக்கு "nUlakam/a.qmz";', search=["one"], library="lib")) == ["E0301"]


def test_a_file_that_is_not_there() -> None:
    loaded = Files().load('x = 1;\nஇறக்கு "இல்லை.qmz";', search=["one"])
    assert messages(loaded) == [
        "app/main.qmz: [E0301] வரி 2, நெடுவரிசை 6: ‘இல்லை.qmz’ என்ற கோப்பு கிடைக்கவில்லை; தேடிய இடங்கள்: "
        "‘app/இல்லை.qmz’, ‘one/இல்லை.qmz’  (line 2, column 6: the file ‘இல்லை.qmz’ was not found; looked for it at: "
        "‘app/இல்லை.qmz’, ‘one/இல்லை.qmz’)\n"
        '  2 | இறக்கு "இல்லை.qmz";\n'
        "    |      ^^^^^^^^^"
    ]


@pytest.mark.parametrize("path", ["", "a\\u0000b", "\u0000"])
def test_a_path_that_cannot_be_one(path: str) -> None:
    assert "E" in codes(Files().load(f'இறக்கு "{path}";'))[0]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (PermissionError(13, "Permission denied"), "Permission denied"),
        (IsADirectoryError(21, "Is a directory"), "Is a directory"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), "it is not UTF-8 text"),
        (b"\xff\xfe", "it is not UTF-8 text"),
        (ValueError("embedded null byte"), "embedded null byte"),
    ],
)
def test_a_file_that_cannot_be_read(content: bytes | Exception, reason: str) -> None:
    loaded = Files(app__a=content).load('இறக்கு "a.qmz";')
    (problem,) = loaded.problems
    assert problem.code == "E0302"
    assert problem.english_text == f"the file ‘app/a.qmz’ cannot be read: {reason}"


def test_a_main_program_that_is_no_text() -> None:
    loaded = Files().load("அச்சு 1;\n".encode() + b"\xff\xfe")
    assert codes(loaded) == ["E0106"]
    assert loaded.sources.find(loaded.problems[0].start).place(loaded.problems[0].start) == (2, 1)
    assert not loaded.is_sound


def test_bytes_and_text_have_one_digest() -> None:
    text = "\ufeffஅச்சு 1;\r\n"
    assert Files().load(text).files == Files().load(text.encode()).files
    assert Files().load(text).files[0][1] == hashlib.sha256(text.encode()).hexdigest()


def test_problems_of_all_files_come_together_in_order() -> None:
    files = Files(app__a="x = ;", app__b="y = '1;", app__c="z = 1;")
    loaded = files.load('இறக்கு "a.qmz"; இறக்கு "b.qmz"; இறக்கு "c.qmz"; அச்சு 1 1;')
    where = [(loaded.sources.find(problem.start).name, problem.code) for problem in loaded.problems]
    assert where == [("app/main.qmz", "E0201"), ("app/a.qmz", "E0201"), ("app/b.qmz", "E0101")]


def test_warnings_keep_nothing_from_running() -> None:
    loaded = Files().load("உருவாக்கु = 1;")
    assert codes(loaded) == ["W0101"] and loaded.is_sound


# ---- one function in two files --------------------------------------------------------


def test_two_imported_files_must_not_define_one_function() -> None:
    files = Files(app__a="(1) எனில் { செயல் f() { } }", app__b="செயல் g() { }\nபணி f() { }")
    loaded = files.load('இறக்கு "a.qmz";\nஇறக்கு "b.qmz";')
    assert messages(loaded) == [
        "app/main.qmz: [E0303] வரி 2, நெடுவரிசை 6: ‘f’ என்ற செயல் ‘app/a.qmz’, ‘app/b.qmz’ ஆகிய இரு கோப்புகளிலும் "
        "உள்ளது  (line 2, column 6: the function ‘f’ is in two imported files, ‘app/a.qmz’ and ‘app/b.qmz’)\n"
        '  2 | இறக்கு "b.qmz";\n'
        "    |      ^^^^^^^"
    ]


def test_the_problem_stands_at_the_import_that_brought_the_second_file() -> None:
    files = Files(app__a='இறக்கு "b.qmz";\nசெயல் f() { }', app__b="செயல் f() { }")
    loaded = files.load('இறக்கு "a.qmz";')
    (problem,) = loaded.problems
    assert loaded.sources.find(problem.start).name == "app/a.qmz"


def test_the_main_program_may_redefine_an_imported_function() -> None:
    assert Files(app__a="செயல் f() { }").load('இறக்கு "a.qmz"; செயல் f() { }').is_sound


def test_one_file_may_define_a_function_twice_and_methods_do_not_count() -> None:
    files = Files(app__a="செயல் f() { } செயல் f() { } வடிவம் A { செயல் g() { } }", app__b="வடிவம் B { செயல் g() { } }")
    assert files.load('இறக்கு "a.qmz"; இறக்கு "b.qmz";').is_sound


def test_an_agent_is_a_function_too() -> None:
    files = Files(app__a="முகவர் f() { }", app__b="செயல் f() { }")
    assert codes(files.load('இறக்கு "a.qmz"; இறக்கு "b.qmz";')) == ["E0303"]


# ---- what hangs on all files ----------------------------------------------------------


def test_a_word_that_another_file_defines_is_a_name_everywhere() -> None:
    files = Files(app__a="செயல் return(x) { }")
    loaded = files.load('இறக்கு "a.qmz"; return(1); nil_1 = nil;')
    _, call, _ = loaded.module.statements
    assert isinstance(call, nodes.Do)
    files = Files(app__a="nil = 1;")
    _, statement = files.load('இறக்கு "a.qmz"; x = nil;').module.statements
    assert isinstance(statement, nodes.Binding) and isinstance(statement.value, nodes.Name)
    files = Files(app__a="x = nil;")
    imported, _ = files.load('இறக்கு "a.qmz"; nil = 1;').module.statements
    assert isinstance(imported, nodes.Import) and imported.module
    (statement,) = imported.module.statements
    assert isinstance(statement, nodes.Binding) and isinstance(statement.value, nodes.Name)


def test_a_shape_of_another_file_takes_the_text_type_away() -> None:
    files = Files(app__a="வடிவம் சரம் { x }")
    _, statement = files.load('இறக்கு "a.qmz"; சரம் y;').module.statements
    assert isinstance(statement, nodes.Binding) and statement.type and statement.type.kind == "Shape"


def test_a_function_of_another_file_hides_a_builtin_that_takes_a_block() -> None:
    files = Files(app__a="செயல் காலவரம்பு(n, r) { }")
    assert codes(files.load('இறக்கு "a.qmz"; காலவரம்பு(1) { அச்சு 1; }')) == ["E0209"]
    _, statement = files.load('இறக்கு "a.qmz"; காலவரம்பு(1) { };').module.statements
    assert isinstance(statement, nodes.Do) and isinstance(statement.call, nodes.Call)
    assert statement.call.block is None and statement.call.options is not None


def test_imports_that_follow_each_other_for_ever_are_a_problem() -> None:
    class Endless(Files):
        def read(self, path: str) -> str:
            number = int(posixpath.basename(path).removesuffix(".qmz"))
            return f'இறக்கு "{number + 1}.qmz";'

    loaded = Endless().load('இறக்கு "1.qmz";')
    assert codes(loaded) == ["E0213"]
    assert len(loaded.files) == MAX_DEPTH + 1
