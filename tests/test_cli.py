"""The command line: what it accepts, what it says, how it ends, and what it leaves unloaded."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from etamil_actors import __version__, cli
from etamil_actors.commands import Usage

Command = Callable[..., subprocess.CompletedProcess[str]]

REPOSITORY = Path(__file__).resolve().parent.parent

HELLO = 'அச்சு "வணக்கம், உலகம்!";\n'

# What a run of a small program must not load: each of them costs milliseconds, some a quarter of a second.
HEAVY = {
    "argparse", "asyncio", "bcrypt", "cryptography", "dataclasses", "inspect", "json", "logging", "msgspec",
    "regex", "rich", "structlog", "trio", "yaml",
}


@pytest.fixture
def hello(tmp_path: Path) -> Path:
    path = tmp_path / "hello.qmz"
    path.write_text(HELLO, encoding="utf-8")
    return path


def read(line: str) -> cli.Given | None:
    word, *words = line.split()
    return cli.read(cli.COMMAND_OF[word], words)


def expect(line: str) -> cli.Given:
    given = read(line)
    assert given is not None
    return given


# ---- reading the command line ---------------------------------------------------------


def test_what_stands_behind_the_file_belongs_to_the_program() -> None:
    given = expect("run a.qmz one two --three")
    assert (given.words, given.rest) == (["a.qmz"], ["one", "two", "--three"])


def test_two_dashes_end_the_options() -> None:
    assert expect("run a.qmz -- --seconds 5").rest == ["--seconds", "5"]
    assert expect("run -- -odd.qmz x").words == ["-odd.qmz"]
    assert expect("check -- --json").words == ["--json"]


@pytest.mark.parametrize("line", ["run --seconds 5 a.qmz", "run --seconds=5 a.qmz", "run a.qmz --seconds 5"])
def test_options_stand_before_or_right_behind_the_file(line: str) -> None:
    given = expect(line)
    assert given.options == {"seconds": 5, "steps": 0, "no-cache": 0}
    assert (given.words, given.rest) == (["a.qmz"], [])


def test_a_run_has_thirty_seconds_unless_told_otherwise() -> None:
    assert expect("run a.qmz").options["seconds"] == 30
    assert expect("run a.qmz --seconds 0").options["seconds"] == 0


def test_a_dash_is_a_word() -> None:
    assert expect("run -").words == ["-"]


@pytest.mark.parametrize("word", [command.word for command in cli.COMMANDS])
@pytest.mark.parametrize("help_word", ["--help", "-h"])
def test_help_wins_over_everything_else(word: str, help_word: str) -> None:
    assert read(f"{word} {help_word}") is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("run", "a file is needed: etamil-actors run FILE [--] [ARGUMENT …]"),
        ("check", "a file is needed: etamil-actors check FILE …"),
        ("run --seconds", "--seconds needs a value"),
        ("run --seconds many a.qmz", "--seconds: ‘many’ is not a whole number"),
        ("run --seconds -1 a.qmz", "--seconds: ‘-1’ is not a whole number"),
        ("run --seconds ௫ a.qmz", "--seconds: ‘௫’ is not a whole number"),
        ("run --no-cache=yes a.qmz", "--no-cache takes no value"),
        ("repl a.qmz", "‘a.qmz’ is one word too many"),
        ("up a.yaml b.yaml", "‘b.yaml’ is one word too many"),
        ("fmt --chek a.qmz", "fmt has no option --chek; did you mean ‘--check’?"),
        ("run -x a.qmz", "run has no option -x"),
    ],
)
def test_a_wrong_line_is_refused_with_a_reason(line: str, message: str) -> None:
    with pytest.raises(Usage) as refused:
        read(line)
    assert refused.value.english == message
    assert refused.value.tamil != message


# ---- the process ----------------------------------------------------------------------


def test_without_a_command_it_shows_its_help_and_fails(command: Command) -> None:
    done = command()
    assert (done.returncode, done.stdout) == (2, "")
    assert "etamil-actors run" in done.stderr


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"]])
def test_help_shows_every_command_with_an_example(command: Command, words: list[str]) -> None:
    done = command(*words)
    assert (done.returncode, done.stderr) == (0, "")
    for row in cli.COMMANDS:
        assert row.example in done.stdout
        assert row.tamil in done.stdout
        assert row.english in done.stdout


@pytest.mark.parametrize("row", cli.COMMANDS, ids=lambda row: row.word)
def test_help_of_a_command_shows_its_options_and_an_example(command: Command, row: cli.Command) -> None:
    done = command(row.word, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert row.example in done.stdout
    for option in row.options:
        assert option.form in done.stdout
        assert option.tamil in done.stdout
        assert option.english in done.stdout
    assert command("help", row.word).stdout == done.stdout


def test_the_examples_of_the_help_work(command: Command) -> None:
    looking = {"ps", "top", "jobs", "channels", "dead"}  # at a process; tests/test_looking.py has one
    for row in cli.COMMANDS:
        if row.word == "up" or row.word in looking:  # it stays until it is stopped; tests/test_up.py has it
            continue
        # What writes files does so in an empty folder; the others name files of this repository.
        done = command(*row.example.split()[1:], cwd=None if row.word == "new" else REPOSITORY)
        assert done.returncode == 0, (row.example, done.stderr)


@pytest.mark.parametrize("word", ["--version", "-V"])
def test_version_names_the_release_and_the_language(command: Command, word: str) -> None:
    done = command(word)
    assert done.returncode == 0
    assert done.stdout.startswith(f"etamil-actors {__version__} (eTamil 2.0, Python 3.")


def test_an_unknown_command_is_refused_with_the_near_one(command: Command) -> None:
    done = command("chek", "a.qmz")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "✗ ‘chek’ என்ற கட்டளை இல்லை; ‘check’ என்று எழுத எண்ணினீர்களா?  "
        "(there is no command ‘chek’; did you mean ‘check’?)\n"
    )


def test_a_command_like_no_other_is_sent_to_the_help(command: Command) -> None:
    done = command("வணக்கம்")
    assert done.returncode == 2
    assert "help: etamil-actors --help" in done.stderr


def test_a_file_in_place_of_the_command_is_told_how_to_run(command: Command, hello: Path) -> None:
    done = command("hello.qmz")
    assert done.returncode == 2
    assert "to run the program: etamil-actors run hello.qmz" in done.stderr


def test_a_program_is_run(command: Command, hello: Path) -> None:
    done = command("run", "hello.qmz")
    assert (done.stdout, done.stderr, done.returncode) == ("வணக்கம், உலகம்!\n", "", 0)


def test_output_is_utf8_even_where_python_is_told_otherwise(command: Command, hello: Path) -> None:
    ascii_only = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert command("run", "hello.qmz", **ascii_only).stdout == "வணக்கம், உலகம்!\n"
    assert "‘chek’ என்ற கட்டளை இல்லை" in command("chek", **ascii_only).stderr
    assert command("run", "-", stdin='உள்ளிடு x;', **ascii_only).returncode == 0


def test_a_program_is_read_from_standard_input(command: Command) -> None:
    done = command("run", "-", stdin=HELLO)
    assert (done.stdout, done.stderr, done.returncode) == ("வணக்கம், உலகம்!\n", "", 0)


def test_the_status_is_the_one_the_program_asks_for(command: Command) -> None:
    done = command("run", "-", stdin='அச்சு "முன்";\nவெளியேறு(7);\nஅச்சு "பின்";\n')
    assert (done.stdout, done.stderr, done.returncode) == ("முன்\n", "", 7)


def test_an_error_goes_to_standard_error_with_its_place(command: Command, tmp_path: Path) -> None:
    (tmp_path / "bad.qmz").write_text('அச்சு "முன்";\nஅச்சு 1 / 0;\n', encoding="utf-8")
    done = command("run", "bad.qmz")
    assert (done.stdout, done.returncode) == ("முன்\n", 1)
    assert done.stderr.startswith("✗ ")
    assert "division by zero" in done.stderr
    assert "bad.qmz" in done.stderr
    assert "2" in done.stderr


def test_a_program_that_does_not_load_is_not_started(command: Command) -> None:
    done = command("run", "-", stdin='அச்சு "முன்";\nஅச்சு (;\n')
    assert (done.stdout, done.returncode) == ("", 1)
    assert done.stderr.startswith("✗ ")
    assert "[E02" in done.stderr


@pytest.mark.parametrize("word", ["run", "check", "fmt"])
def test_a_file_that_is_not_there_is_named(command: Command, word: str) -> None:
    done = command(word, "missing.qmz")
    assert (done.stdout, done.returncode) == ("", 1)
    assert done.stderr.startswith("✗ ")
    assert "missing.qmz" in done.stderr


@pytest.mark.parametrize("word", ["run", "check", "fmt"])
def test_a_file_that_is_not_utf8_is_refused(command: Command, tmp_path: Path, word: str) -> None:
    (tmp_path / "bytes.qmz").write_bytes(b"\xff\xfe\x00")
    done = command(word, "bytes.qmz")
    assert done.returncode == 1
    assert "UTF-8" in done.stderr


def test_computing_for_ever_ends_with_the_budget(command: Command) -> None:
    done = command("run", "--seconds", "1", "-", stdin="(மெய்) சுற்று { x = 1; }\n")
    assert (done.stdout, done.returncode) == ("", 1)
    assert done.stderr.startswith("✗ ")


def test_steps_are_counted_when_asked(command: Command) -> None:
    done = command("run", "--steps", "1000", "-", stdin="(மெய்) சுற்று { x = 1; }\n")
    assert done.returncode == 1
    assert "1000" in done.stderr


def test_ctrl_c_ends_a_run_quietly(tmp_path: Path) -> None:
    program = tmp_path / "long.qmz"
    program.write_text('அச்சு "தொடக்கம்";\nஉள்ளிடு x;\n', encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, "-m", "etamil_actors", "run", str(program)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=REPOSITORY,
    ) as process:
        _wait_until_reading(process)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors.decode()) == (130, "")


def _wait_until_reading(process: subprocess.Popen[bytes]) -> None:
    # The kernel tells what a process waits for; elsewhere half a second has to do.
    wchan = Path(f"/proc/{process.pid}/wchan")
    for _ in range(200):
        time.sleep(0.02)
        if process.poll() is not None:
            return
        with_kernel = wchan.exists()
        if with_kernel and "pipe" in wchan.read_text():
            return
    time.sleep(0.5)


def test_a_reader_that_leaves_is_no_news(tmp_path: Path) -> None:
    program = tmp_path / "much.qmz"
    program.write_text("i = 0;\n(i < 200000) சுற்று { i = i + 1; அச்சு i; }\n", encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, "-m", "etamil_actors", "run", str(program)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=REPOSITORY,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=30) == cli.BROKEN_PIPE


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_output_that_cannot_be_written_is_an_error(hello: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "etamil_actors", "run", str(hello)],
            stdout=full, stderr=subprocess.PIPE, cwd=REPOSITORY, check=False,
        )
    assert done.returncode == 1
    assert done.stderr.decode().startswith("✗ ")
    assert "Traceback" not in done.stderr.decode()


# ---- check ----------------------------------------------------------------------------


def test_check_is_silent_about_what_is_right(command: Command, hello: Path) -> None:
    done = command("check", "hello.qmz")
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_check_reports_every_file_and_runs_nothing(command: Command, tmp_path: Path) -> None:
    folder = tmp_path / "programs"
    (folder / "inner").mkdir(parents=True)
    (folder / "a.qmz").write_text('அச்சு "இயங்கக் கூடாது";\nஎண் x = "உரை";\n', encoding="utf-8")
    (folder / "inner" / "b.qmz").write_text("அச்சு (;\n", encoding="utf-8")
    (folder / "notes.txt").write_text("not a program", encoding="utf-8")
    done = command("check", "programs")
    assert (done.stdout, done.returncode) == ("", 1)
    assert "a.qmz" in done.stderr
    assert "[E0401]" in done.stderr
    assert "b.qmz" in done.stderr
    assert "notes.txt" not in done.stderr


def test_check_of_a_folder_without_programs_says_so(command: Command, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = command("check", "empty")
    assert done.returncode == 2
    assert "there is no .qmz file in ‘empty’" in done.stderr


def test_warnings_do_not_change_the_status(command: Command, tmp_path: Path) -> None:
    (tmp_path / "w.qmz").write_text("(பொய்) எனில் { அச்சு மறந்தது; }\n", encoding="utf-8")
    done = command("check", "w.qmz")
    assert done.returncode == 0
    assert done.stderr.startswith("⚠ ")
    assert "[W0310]" in done.stderr


def test_check_prints_json_for_other_programs(command: Command, tmp_path: Path) -> None:
    (tmp_path / "a.qmz").write_text('அச்சு 1;\nஎண் x = "உரை";\n', encoding="utf-8")
    done = command("check", "--json", "a.qmz")
    assert done.returncode == 1
    assert done.stderr == ""
    [row] = json.loads(done.stdout)
    assert row["file"].endswith("a.qmz")
    assert (row["line"], row["code"], row["severity"]) == (2, "E0401", "error")
    assert row["tamil"] != row["english"]
    assert row.keys() == {
        "file", "line", "column", "end_line", "end_column", "code", "severity", "tamil", "english",
        "suggestion",
    }


def test_check_prints_an_empty_list_when_all_is_well(command: Command, hello: Path) -> None:
    done = command("check", "--json", "hello.qmz")
    assert (json.loads(done.stdout), done.returncode) == ([], 0)


# ---- fmt ------------------------------------------------------------------------------

UNTIDY = 'அச்சு    1+2 ;\n(மெய்)எனில்{அச்சு "x";}\n'


def test_fmt_rewrites_a_file_once(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "a.qmz"
    path.write_text(UNTIDY, encoding="utf-8")
    path.chmod(0o640)
    done = command("fmt", "a.qmz")
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
    tidy = path.read_text(encoding="utf-8")
    assert tidy != UNTIDY
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert sorted(entry.name for entry in tmp_path.iterdir() if entry.is_file()) == ["a.qmz"]
    before = path.stat().st_mtime_ns, path.stat().st_ino
    assert command("fmt", "a.qmz").returncode == 0
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before, "a tidy file is not written"
    assert command("fmt", "--check", "a.qmz").returncode == 0


def test_fmt_keeps_a_link_a_link(command: Command, tmp_path: Path) -> None:
    (tmp_path / "real.qmz").write_text(UNTIDY, encoding="utf-8")
    (tmp_path / "link.qmz").symlink_to("real.qmz")
    assert command("fmt", "link.qmz").returncode == 0
    assert (tmp_path / "link.qmz").is_symlink()
    assert (tmp_path / "real.qmz").read_text(encoding="utf-8") != UNTIDY


def test_fmt_check_names_what_it_would_change(command: Command, tmp_path: Path) -> None:
    (tmp_path / "a.qmz").write_text(UNTIDY, encoding="utf-8")
    (tmp_path / "b.qmz").write_text("அச்சு 1;\n", encoding="utf-8")
    done = command("fmt", "--check", "a.qmz", "b.qmz")
    assert (done.stdout, done.returncode) == ("a.qmz\n", 1)
    assert (tmp_path / "a.qmz").read_text(encoding="utf-8") == UNTIDY


def test_fmt_prints_instead_of_writing(command: Command, tmp_path: Path) -> None:
    (tmp_path / "a.qmz").write_text(UNTIDY, encoding="utf-8")
    printed = command("fmt", "--stdout", "a.qmz")
    assert (tmp_path / "a.qmz").read_text(encoding="utf-8") == UNTIDY
    assert printed.returncode == 0
    assert command("fmt", "-", stdin=UNTIDY).stdout == printed.stdout != UNTIDY


def test_fmt_leaves_a_file_that_does_not_parse_alone(command: Command, tmp_path: Path) -> None:
    (tmp_path / "a.qmz").write_text("அச்சு (;\n", encoding="utf-8")
    done = command("fmt", "a.qmz")
    assert (done.stdout, done.returncode) == ("", 1)
    assert "[E02" in done.stderr
    assert (tmp_path / "a.qmz").read_text(encoding="utf-8") == "அச்சு (;\n"


# ---- up -------------------------------------------------------------------------------


def test_up_starts_nothing_when_one_service_is_wrong(command: Command, tmp_path: Path) -> None:
    (tmp_path / "a.qmz").write_text(HELLO, encoding="utf-8")
    (tmp_path / "b.qmz").write_text("அச்சு (;\n", encoding="utf-8")
    (tmp_path / "config.yaml").write_text("services: [a.qmz, b.qmz]\n", encoding="utf-8")
    done = command("up")
    assert (done.stdout, done.returncode) == ("", 1)
    assert "b.qmz" in done.stderr


def test_a_prelude_that_fails_ends_the_start(command: Command, tmp_path: Path) -> None:
    (tmp_path / "a.qmz").write_text("c = சேனல்_உருவாக்கு(); x = 1 / 0;\n", encoding="utf-8")
    (tmp_path / "config.yaml").write_text("services: [a.qmz]\n", encoding="utf-8")
    done = command("up")
    assert done.returncode == 1
    assert "division by zero" in done.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot read ‘config.yaml’"),
        ("services: [a.qmz\n", "config.yaml:1: not YAML"),
        ("just text\n", "config.yaml:1"),
        ("", "config.yaml:1"),
        ("name: x\n", "‘services’ is missing"),
        ("services: []\n", "names no service"),
        ("servces: [a.qmz]\n", "config.yaml:1: there is no setting ‘servces’; did you mean ‘services’?"),
        ("name: x\nservices: 5\n", "config.yaml:2: ‘services’ is a list of programs"),
        ("name: [x]\nservices: [a.qmz]\n", "config.yaml:1: ‘name’ is a text"),
        ("services:\n  - a.qmz\n  - file: b.qmz\n", "config.yaml:3: ‘services’: there is no setting ‘file’"),
        ("services: [a.qmz]\nservices: [a.qmz]\n", "config.yaml:2: ‘services’ is given twice"),
    ],
)
def test_a_wrong_configuration_is_refused_with_its_line(
    command: Command, tmp_path: Path, text: str | None, message: str
) -> None:
    (tmp_path / "a.qmz").write_text(HELLO, encoding="utf-8")
    if text is not None:
        (tmp_path / "config.yaml").write_text(text, encoding="utf-8")
    done = command("up")
    assert (done.stdout, done.returncode) == ("", 1)
    assert done.stderr.startswith("✗ ")
    assert message in done.stderr


# ---- start time -----------------------------------------------------------------------

# The site module is left out: what it loads depends on the machine, not on us.
LOADED = """
import sys
sys.path[:0] = {path!r}
before = set(sys.modules)
from etamil_actors.cli import main
status = main({words!r})
sys.stderr.write("\\n".join(sorted(set(sys.modules) - before)))
sys.exit(status)
"""


def modules_after(words: list[str]) -> set[str]:
    path = [str(REPOSITORY), *(entry for entry in sys.path if "site-packages" in entry)]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", LOADED.format(path=path, words=words)],
        capture_output=True, text=True, encoding="utf-8", timeout=60, check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


def test_help_loads_nothing_heavy() -> None:
    assert modules_after(["--help"]) & HEAVY == set()
    assert modules_after(["run", "--help"]) & HEAVY == set()


def test_a_run_from_the_cache_loads_nothing_heavy_and_no_front_end(hello: Path) -> None:
    modules_after(["run", str(hello)])  # the first run fills the cache
    loaded = modules_after(["run", str(hello)])
    assert loaded & HEAVY == set()
    assert not {"etamil_actors.language.parser", "etamil_actors.language.checker", "ast"} & loaded


def test_a_first_run_never_loads_trio(hello: Path) -> None:
    loaded = modules_after(["run", "--no-cache", str(hello)])
    assert not {"trio", "asyncio", "argparse", "yaml", "msgspec", "cryptography"} & loaded


def test_check_tells_what_channels_promise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "a.qmz"
    program.write_text(
        'அ = சேனல்_உருவாக்கு();\nஆ = சேனல்_உருவாக்கு("வேலை", {"ஊடகம்": "பதிவேடு"});\n'
        'இ = சேனல்_உருவாக்கு({"transport": "memory"});\n',
        encoding="utf-8",
    )
    assert cli.main(["check", str(program)]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    memory, journal = said.err.splitlines()
    assert f"{program}:1, {program}:3 · memory:" in memory
    assert "at most once" in memory
    assert "‘வேலை’ · journal:" in journal
    assert "at least once after the send has returned" in journal
