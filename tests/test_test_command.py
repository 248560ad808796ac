"""``etamil-actors test``: what people, build servers and other programs are told of the tests of programs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue
from xml.etree import ElementTree as xml

import pytest

from etamil_actors.actors.programs import settings as _settings  # noqa: F401  enters its words
from etamil_actors.actors.programs import words as answered
from etamil_actors.language.keywords import WORDS
from etamil_actors.testing.coverage import ranges_of
from etamil_actors.testing.suite import BROKEN, FAILED, Wish, differences, run_file
from tests.child import on_a_terminal

Command = Callable[..., subprocess.CompletedProcess[str]]

SERVICE = """\
நிலை விலைகள் = {தேங்காய்: 40, மாம்பழம்: 25};

செயல் விலை(எது) {
    (இல்லை புலம்_உள்ளதா(விலைகள், எது)) எனில் {
        பிழை_எழுப்பு("not_found", எது & " இல்லை");
    }
    திரும்பு விலைகள்[எது];
}

வழி பெறு, "/price/:what" {
    பதிவு_தகவல்("கேட்டார்", {"what": param_what});
    திரும்பு {price: விலை(param_what)};
}

சோதனை "சேவையின் சொந்தச் சோதனை" {
    எதிர்பார்_சமம்(விலை("தேங்காய்"), 40);
}
"""

TESTS = """\
இறக்கு "../services/கடை.qmz";

சோதனை "விலை சொல்லும்" {
    அச்சு "இங்கே";
    விடை = கோரிக்கை_அனுப்பு("GET", "/price/மாம்பழம்");
    எதிர்பார்_சமம்(விடை.ஜேசான்_மதிப்பு, {price: 26});
}

சோதனை "போலியான விலை" {
    போலியாக("விலை", செயல்(x) { திரும்பு 7; });
    எதிர்பார்_சமம்(கோரிக்கை_அனுப்பு("GET", "/price/வாழை").json.price, 7);
}

சோதனை "எழும் பிழை" {
    x = விலை("வாழை");
}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A service with a test of its own, and a test file apart from it."""
    for folder, name, text in (("services", "கடை.qmz", SERVICE), ("tests", "கடை_test.qmz", TESTS)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text(text, encoding="utf-8")
    (tmp_path / "hello.qmz").write_text('அச்சு "வணக்கம்";\n', encoding="utf-8")
    return tmp_path


def one(tmp_path: Path, text: str, name: str = "a.qmz") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


# ---- what is run ----------------------------------------------------------------------


def test_without_a_file_all_tests_of_the_folder_run_and_each_once(command: Command, shop: Path) -> None:
    done = command("test", "--json", cwd=shop)
    told = json.loads(done.stdout)
    assert [(file["file"], [test["name"] for test in file["tests"]]) for file in told["files"]] == [
        ("services/கடை.qmz", ["சேவையின் சொந்தச் சோதனை"]),
        ("tests/கடை_test.qmz", ["விலை சொல்லும்", "போலியான விலை", "எழும் பிழை"]),
    ]
    assert (done.returncode, told["tests"], told["failed"]) == (1, 4, 2)


def test_a_name_chooses_tests(command: Command, shop: Path) -> None:
    done = command("test", "-k", "போலி", "-k", "சொந்த", "--verbose", cwd=shop)
    assert done.returncode == 0
    assert "✓ போலியான விலை" in done.stdout
    assert "✓ 2 சோதனை, தோல்வி இல்லை  (2 tests, no failure)" in done.stdout


@pytest.mark.parametrize("word", ["சோதனை", "_test", "परीक्षा", "cOqaZY"])
def test_every_spelling_of_the_word_makes_a_test(tmp_path: Path, word: str) -> None:
    spellings = next(row.spellings for row in WORDS if row.word == "Test")
    spelling = word if word in spellings else spellings[1]
    path = one(tmp_path, f'{spelling} "அ" {{ परीक्षा_सामन्स(1 + 1, 2); परीक्षा_चलाओ(); }}\n')
    assert [(case.name, case.passed) for case in run_file(str(path)).cases] == [("அ", True)]


def test_folders_that_say_so_and_hidden_ones_are_left_out(command: Command, tmp_path: Path) -> None:
    for folder in (".venv", "node_modules", "golden"):
        (tmp_path / folder).mkdir()
        one(tmp_path / folder, 'சோதனை "அ" { எதிர்பார்_மெய்(பொய்); }\n')
    (tmp_path / "golden" / ".etamil-ignore").touch()
    one(tmp_path, 'சோதனை "ஆ" { எதிர்பார்_மெய்(மெய்); }\n')
    assert command("test", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("words", "english"),
    [
        (("test", "hello.qmz"), "there is no test in ‘hello.qmz’"),
        (("test", "nowhere.qmz"), "there is no file ‘nowhere.qmz’"),
        (("test", "data"), "there are no tests in ‘data’"),
        (("test", "-k", "இல்லாதது"), "-k இல்லாதது: no test has such a name"),
        (("test", "--jobs", "0"), "--jobs: at least 1"),
        (("test", "--watch", "--json"), "--watch goes without --json and --junit"),
    ],
)
def test_what_cannot_be_run_is_said_with_status_2(
    command: Command, shop: Path, words: tuple[str, ...], english: str
) -> None:
    (shop / "data").mkdir()
    done = command(*words, cwd=shop)
    assert (done.returncode, done.stdout) == (2, "")
    assert english in done.stderr


def test_a_program_with_errors_is_status_2_and_others_still_run(command: Command, shop: Path) -> None:
    one(shop, 'சோதனை "அ" { அச்சு (1; }\n', "z.qmz")
    done = command("test", "services", "z.qmz", cwd=shop)
    assert done.returncode == 2
    assert "✓ services/கடை.qmz" in done.stdout
    assert "✗ z.qmz  சோதிக்க முடியவில்லை  (could not be tested)" in done.stdout
    assert "[E02" in done.stdout
    assert "1 file(s) could not be tested" in done.stdout


def test_the_process_of_a_file_may_die_and_the_others_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import os, sys\n"
        "from etamil_actors.testing import suite\n"
        "real = suite.run_file\n"
        "suite.run_file = lambda path, wish: os.kill(os.getpid(), 9) if 'a.qmz' in path else real(path, wish)\n"
        "from etamil_actors.cli import main\n"
        "sys.exit(main(['test']))\n"
    )
    one(tmp_path, 'சோதனை "அ" { எதிர்பார்_மெய்(மெய்); }\n', "a.qmz")
    one(tmp_path, 'சோதனை "ஆ" { எதிர்பார்_மெய்(மெய்); }\n', "b.qmz")
    path = str(Path(__file__).resolve().parent.parent)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path, "PYTHONUTF8": "1"},
    )
    assert done.returncode == 2
    assert "the process that ran ‘a.qmz’ ended unexpectedly: -9" in done.stdout
    assert "✓ b.qmz" in done.stdout


def test_many_files_run_side_by_side_and_are_told_in_order(command: Command, tmp_path: Path) -> None:
    for number in range(12):
        one(tmp_path, f'சோதனை "{number}" {{ நேரம்_நகர்த்து({(12 - number) * 100}); }}\n', f"{number:02}.qmz")
    told = json.loads(command("test", "--jobs", "4", "--json", cwd=tmp_path).stdout)
    assert [file["file"] for file in told["files"]] == [f"{number:02}.qmz" for number in range(12)]
    assert told["tests"] == 12


# ---- what a configuration says --------------------------------------------------------

CONFIGURED = """\
அளவுகள் = சேனல்_உருவாக்கு("அளவுகள்");
சோதனை "சேனல்கள்" {
    சேனல்_அனுப்பு(அளவுகள், 1);
    எதிர்பார்_பிழை("overloaded") { சேனல்_அனுப்பு(அளவுகள், 2); }
}
"""


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    """A service whose tests need what the configuration says of it."""
    one(tmp_path, CONFIGURED)
    (tmp_path / "config.yaml").write_text(
        "services:\n"
        "  - path: a.qmz\n"
        '    settings: { folder: "${FOLDER:-data}", secret: "${NO_SUCH_SECRET}" }\n'
        "channels: { அளவுகள்: { capacity: 1, overflow: reject } }\n"
        'auth: { keys: { owner: { hash: "${NO_SUCH_HASH}" } } }\n',
        encoding="utf-8",
    )
    return tmp_path


@pytest.mark.skipif("_setting" not in answered.WORDS, reason="அமைப்பு is not there yet")
def test_settings_of_a_service_hold_and_no_secret_is_needed(command: Command, configured: Path) -> None:
    text = """\
சோதனை "அமைப்புகள்" {
    எதிர்பார்_சமம்(அமைப்பு("folder", "இல்லை"), "data");
    எதிர்பார்_சமம்(நீளம்(அமைப்பு("secret", "இல்லை")), 64);
}
"""
    one(configured, text)
    one(configured, 'இறக்கு "a.qmz";\nசோதனை "ஆ" { எதிர்பார்_சமம்(அமைப்பு("folder", "இல்லை"), "data"); }\n', "b.qmz")
    done = command("test", cwd=configured)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_the_configuration_of_the_folder_holds_and_no_secret_is_needed(
    command: Command, configured: Path
) -> None:
    done = command("test", cwd=configured)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_another_configuration_is_named(command: Command, configured: Path) -> None:
    (configured / "config.yaml").rename(configured / "other.yaml")
    assert command("test", cwd=configured).returncode == 1
    assert command("test", "--config", "other.yaml", cwd=configured).returncode == 0


def test_a_configuration_that_cannot_be_used_is_told(command: Command, configured: Path) -> None:
    (configured / "config.yaml").write_text("servces: [a.qmz]\n", encoding="utf-8")
    done = command("test", cwd=configured)
    assert done.returncode == 1
    assert "config.yaml:1: there is no setting ‘servces’" in done.stderr
    assert "the tests run without this configuration" in done.stderr
    done = command("test", "--config", "config.yaml", cwd=configured)
    assert (done.returncode, done.stdout) == (2, "")


# ---- what is told of a failure --------------------------------------------------------


def test_a_failure_tells_values_place_requests_and_output(command: Command, shop: Path) -> None:
    done = command("test", "-k", "சொல்லும்", cwd=shop)
    assert done.returncode == 1
    at = done.stdout.index("  ✗ விலை சொல்லும்")
    assert done.stdout[at:].splitlines()[:13] == [
        "  ✗ விலை சொல்லும்",
        "      எதிர்பார்த்தது  (expected): {price: 26}",
        "      கிடைத்தது       (got):      {price: 25}",
        "        .price: 26 → 25",
        "      tests/கடை_test.qmz:6:5",
        "        எதிர்பார்_சமம்(விடை.ஜேசான்_மதிப்பு, {price: 26});",
        "      கோரிக்கைகளும் பதிவும்  (requests and log):",
        '        · கடை_test · GET /price/:what: கேட்டார் {"what":"மாம்பழம்"}',
        '        → GET /price/மாம்பழம் 200  {"price":25}',
        "      வெளியீடு  (output):",
        "        இங்கே",
        "",
        "✗ 1 சோதனை, 1 தோல்வி  (1 test, 1 failed)  " + done.stdout.rsplit("  ", 1)[1].rstrip(),
    ]


def test_an_error_is_told_with_its_calls(shop: Path) -> None:
    result = run_file(str(shop / "tests" / "கடை_test.qmz"), Wish(("எழும்",)))
    (case,) = result.cases
    (failure,) = case.failures
    assert (result.kind, result.hidden, failure.kind) == (FAILED, 2, "error")
    assert [(frame.file, frame.line, frame.function) for frame in failure.trace] == [
        (str(shop / "services" / "கடை.qmz"), 5, "விலை"),
        (str(shop / "tests" / "கடை_test.qmz"), 15, ""),
    ]


def test_a_service_that_does_not_start_fails_its_tests(tmp_path: Path) -> None:
    result = run_file(str(one(tmp_path, 'x = [1][7];\nசோதனை "அ" { எதிர்பார்_மெய்(மெய்); }\n')))
    assert [failure.kind for failure in result.cases[0].failures] == ["start"]


def test_failures_of_jobs_are_in_the_log(tmp_path: Path) -> None:
    text = 'பணி_உருவாக்கு "மணி", {"every": 60} { x = [1][7]; }\nசோதனை "அ" { நேரம்_நகர்த்து(90); எதிர்பார்_மெய்(பொய்); }\n'
    (case,) = run_file(str(one(tmp_path, text))).cases
    assert any("a run failed, try 1" in line for line in case.log)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    result = run_file(str(tmp_path / "nowhere.qmz"))
    assert result.kind == BROKEN
    assert "cannot read" in result.problems[0]


@pytest.mark.parametrize(
    ("expected", "actual", "told"),
    [
        (1, 2, []),
        ({"a": 1}, [1], []),
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, [".b: 2 → 3"]),
        ({"a": 1}, {"b": 1}, [".a: 1 → —", ".b: — → 1"]),
        ([1, {"a": ["x"]}], [1, {"a": ["y", "z"]}], ["[1].a[0]: “x” → “y”", "[1].a[1]: — → “z”"]),
        ([1, 2], ["1", 2], ["[0]: 1 → “1”"]),
        (list(range(9)), [], [f"[{number}]: {number} → —" for number in range(6)]),
    ],
)
def test_where_two_values_differ(expected: object, actual: object, told: list[str]) -> None:
    assert differences(expected, actual) == told


def test_on_a_terminal_it_tells_how_far_it_is_and_leaves_no_trace_of_that(tmp_path: Path) -> None:
    for name in ("a.qmz", "b.qmz"):
        one(tmp_path, 'சோதனை "அ" { எதிர்பார்_மெய்(மெய்); }\n', name)
    text = on_a_terminal(tmp_path, "test")
    assert "· 0/2" in text
    assert "· 1/2" in text
    seen = [line.rpartition("\x1b[K")[2].strip() for line in text.split("\n")]
    assert [line[:7] for line in seen if line] == ["✓ a.qmz", "✓ b.qmz", "✓ 2 சோத"]


# ---- coverage -------------------------------------------------------------------------


def test_coverage_names_the_lines_that_did_not_run(command: Command, shop: Path) -> None:
    told = json.loads(command("test", "services", "--coverage", "--json", cwd=shop).stdout)
    assert told["coverage"] == {
        "services/கடை.qmz": {"lines": 8, "run": 5, "percent": 62.5, "missing": [5, 11, 12]}
    }


def test_coverage_of_several_files_is_put_together(command: Command, shop: Path) -> None:
    done = command("test", "--coverage", cwd=shop)
    assert "  services/கடை.qmz  100.0 %  8/8\n" in done.stdout


def test_coverage_sees_what_runs_in_jobs_agents_and_tasks(tmp_path: Path) -> None:
    text = """\
முகவர் எண்ணுபவர்(மொத்தம்) {
    செய்தி போடு(n) {
        மொத்தம் = மொத்தம் + n;
        திரும்பு மொத்தம்;
    }
    செய்தி எடு(n) {
        மொத்தம் = மொத்தம் - n;
    }
}
ஒருவர் = எண்ணுபவர்(0);
செயல் வேலை(n) {
    உறங்கு(1);
    திரும்பு n * 2;
}
பணி_உருவாக்கு "மணி", {"every": 60} {
    ஒருவர்.போடு(1);
}
சோதனை "எல்லாம்" {
    நேரம்_நகர்த்து(90);
    எதிர்பார்_சமம்(இணையாக_மாற்று([1, 2], வேலை), [2, 4]);
}
"""
    result = run_file(str(one(tmp_path, text)), Wish(coverage=True))
    (covered,) = result.coverage.values()
    assert result.cases[0].passed
    assert covered.missing == [7]


def test_coverage_costs_nothing_when_it_is_not_wanted(shop: Path) -> None:
    run_file(str(shop / "services" / "கடை.qmz"))
    assert sys.gettrace() is None or "coverage" not in type(sys.gettrace()).__module__ + str(sys.gettrace())
    assert run_file(str(shop / "services" / "கடை.qmz")).coverage == {}


def test_lines_as_people_read_them() -> None:
    assert ranges_of([7, 3, 8, 9, 12]) == "3, 7–9, 12"
    assert ranges_of([]) == ""


# ---- for build servers ----------------------------------------------------------------

# What the schema of JUnit's results wants of each element: attributes that must be there, and children.
SCHEMA = {
    "testsuites": ({"name", "tests", "failures", "errors", "time"}, {"testsuite"}),
    "testsuite": (
        {"id", "name", "package", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname"},
        {"testcase"},
    ),
    "testcase": ({"name", "classname", "time"}, {"failure", "error", "system-out", "system-err"}),
    "failure": ({"type", "message"}, set()),
    "error": ({"type", "message"}, set()),
    "system-out": (set(), set()),
    "system-err": (set(), set()),
}


def test_junit_xml_is_valid_and_tells_everything(command: Command, shop: Path) -> None:
    one(shop, 'சோதனை "அ\x01" { அச்சு "]]>\x02&<"; எதிர்பார்_சமம்("<", "&"); }\n', "odd.qmz")
    one(shop, 'சோதனை "அ" { அச்சு (1; }\n', "z.qmz")
    assert command("test", "--junit", "results.xml", cwd=shop).returncode == 2
    root = xml.parse(shop / "results.xml").getroot()
    for element in root.iter():
        required, children = SCHEMA[element.tag]
        assert required <= set(element.keys()), element.tag
        assert {child.tag for child in element} <= children
    for suite in root:
        cases = suite.findall("testcase")
        assert int(suite.get("tests", "")) == len(cases)
        assert int(suite.get("failures", "")) == sum(case.find("failure") is not None for case in cases)
        assert int(suite.get("errors", "")) == sum(case.find("error") is not None for case in cases)
        assert float(suite.get("time", "")) >= 0
    found = {(case.get("file"), case.get("name")): [child.tag for child in case] for case in root.iter("testcase")}
    assert found["services/கடை.qmz", "சேவையின் சொந்தச் சோதனை"] == []
    assert found["tests/கடை_test.qmz", "விலை சொல்லும்"] == ["failure", "system-out", "system-err"]
    assert found["tests/கடை_test.qmz", "எழும் பிழை"] == ["error"]
    assert found["z.qmz", "z.qmz"] == ["error"]
    assert found["odd.qmz", "அ\\u0001"] == ["failure", "system-out"]
    assert [root.get(count) for count in ("tests", "failures", "errors")] == ["6", "2", "2"]


def test_junit_xml_that_cannot_be_written_is_told(command: Command, shop: Path) -> None:
    done = command("test", "services", "--junit", "nowhere/results.xml", cwd=shop)
    assert done.returncode == 1
    assert "cannot write ‘nowhere/results.xml’" in done.stderr


# ---- again and again ------------------------------------------------------------------


@pytest.fixture
def watching(shop: Path) -> Iterator[tuple[subprocess.Popen[str], Callable[[str], list[str]]]]:
    """``test --watch`` in the folder, and how to read on until a line that holds a text."""
    root = str(Path(__file__).resolve().parent.parent)
    process = subprocess.Popen(
        [sys.executable, "-m", "etamil_actors", "test", "--watch"],
        cwd=shop,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": root, "HOME": str(shop)},
    )
    lines: Queue[str] = Queue()
    assert process.stdout is not None

    def read(stream: Iterator[str]) -> None:
        for line in stream:
            lines.put(line)

    reader = threading.Thread(target=read, args=(process.stdout,), daemon=True)
    reader.start()

    def until(text: str) -> list[str]:
        seen: list[str] = []
        while not seen or text not in seen[-1]:
            seen.append(lines.get(timeout=30))
        return seen

    yield process, until
    process.kill()
    process.wait()
    reader.join()
    process.stdout.close()


def test_a_saved_file_is_tested_again(
    shop: Path, watching: tuple[subprocess.Popen[str], Callable[[str], list[str]]]
) -> None:
    process, until = watching
    until("(4 tests, 2 failed)")
    service, tests = shop / "services" / "கடை.qmz", shop / "tests" / "கடை_test.qmz"
    service.write_text(SERVICE.replace("25", "26"), encoding="utf-8")
    assert any("services/கடை.qmz" in line for line in until("(4 tests, 1 failed)"))
    tests.write_text(TESTS.replace('x = விலை("வாழை");', ""), encoding="utf-8")
    again = until("(3 tests, no failure)")
    assert not any("✓ services/கடை.qmz" in line for line in again)
    tests.write_text("சோதனை \"அ\" { அச்சு (1; }\n", encoding="utf-8")
    until("1 file(s) could not be tested")
    tests.write_text('சோதனை "அ" { எதிர்பார்_மெய்(மெய்); }\n', encoding="utf-8")
    until("(1 test, no failure)")
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
