"""``etamil-actors up`` and ``run`` with actors, as real processes that get real signals.

Nobody sleeps here: a test waits until the process has said something, and then does the next thing.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from etamil_actors.cli import COMMAND_OF
from etamil_actors.commands.up import names_of
from etamil_actors.resources.system import SimulatedFiles
from etamil_actors.script import read_and_check
from tests.child import ETAMIL_ACTORS, PATIENCE, REPOSITORY, ChildProcess, plain_environment

Command = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., "Child"]


class Child(ChildProcess):
    """``etamil-actors`` with these words; what it says is looked for as it stands."""

    def __init__(self, words: tuple[str, ...], folder: Path, **environment: str) -> None:
        if words[0] == "up" and "--bind" not in words:
            words = (*words, "--bind", "127.0.0.1:0")  # tests run side by side
        told = plain_environment(folder, **environment)
        super().__init__((*ETAMIL_ACTORS, *words), folder, told, stdin=subprocess.PIPE)

    def says(self, pattern: str, times: int = 1) -> None:
        super().says(re.escape(pattern), times)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts ``etamil-actors`` with a program: ``start("up", TEXT)``."""
    children: list[Child] = []

    def begin(word: str, text: str, *options: str) -> Child:
        (tmp_path / "a.qmz").write_text(text, encoding="utf-8")
        children.append(Child((word, *options, "a.qmz"), tmp_path))
        return children[-1]

    yield begin
    for child in children:
        child.end()


# ---- starting -------------------------------------------------------------------------


def test_a_configuration_is_started_and_listed(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "a.qmz").write_text(
        'அச்சு "தொடங்கியது";\nc = சேனல்_உருவாக்கு("வரிசை");\n'
        "முகவர் எண்ணி() { செய்தி பார்() { திரும்பு 1; } }\n"
        'எண்ணி(); முகவர்_தொடங்கு(எண்ணி, [], {"name": "முதல்"});\n'
        'பணி_உருவாக்கு "அஞ்சல்", {"சேனல்": c, "எண்ணிக்கை": 3} { அச்சு செய்தி; }\n'
        'பணி_உருவாக்கு "இரவு", {"cron": "0 2 * * *"} { அச்சு 1; }\n'
        "இடைவெளி 3600 { அச்சு 2; }\n"
        'வழி பெறு, "/x/:id" { பதில் 200, param_id; }\n',
        encoding="utf-8",
    )
    (folder / "my.yaml").write_text("name: kadai\nservices: [a.qmz]\n", encoding="utf-8")
    child = Child(("up", "elsewhere/my.yaml"), tmp_path)
    try:
        child.says("(addresses): http://127.0.0.1:")
        child.gets(signal.SIGTERM)
        assert child.ends() == 0
    finally:
        child.end()
    assert "தொடங்கியது" in child.lines
    for text in (
        "kadai: 1 service started", "    GET /x/:id", "அஞ்சல்  ← வரிசை  ×3", "இரவு  cron 0 2 * * * (Asia/Kolkata)",
        "every 3600 s", "(agents): எண்ணி, முதல்", "(channels): வரிசை",
    ):
        assert text in child.said
    assert not (folder / "data").exists(), "nobody needed a journal"


def test_a_program_with_nothing_that_lasts_stays_until_it_is_stopped(start: Start) -> None:
    child = start("up", 'அச்சு "வணக்கம்"; சேனல்_உருவாக்கு();\n')
    child.says("nothing that lasts; Ctrl-C stops it")
    child.gets(signal.SIGINT)
    assert child.ends() == 0
    assert "வணக்கம்" in child.lines
    assert "everything has stopped in order" in child.said


def test_the_example_of_the_help_starts_the_services_of_the_repository(tmp_path: Path) -> None:
    elsewhere = f"sqlite:{tmp_path}/brief.db"  # and not beside that of whoever works here
    child = Child(tuple(COMMAND_OF["up"].example.split()[1:]), REPOSITORY, DATABASE_URL=elsewhere)
    try:
        child.says("(addresses): http://127.0.0.1:")
        child.gets(signal.SIGTERM)
        assert child.ends() == 0
    finally:
        child.end()
    assert "    GET /brief/:id" in child.lines


def test_services_share_what_has_a_name(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "one" / "api.qmz").write_text(
        'c = சேனல்_உருவாக்கு("வரிசை"); பணி_உருவாக்கு "பெறு", {"channel": c} { அச்சு "வந்தது " & செய்தி; }\n',
        encoding="utf-8",
    )
    (tmp_path / "two" / "api.qmz").write_text('சேனல்_அனுப்பு(சேனல்_உருவாக்கு("வரிசை"), 7);\n', encoding="utf-8")
    (tmp_path / "config.yaml").write_text("services: [one/api.qmz, two/api.qmz]\n", encoding="utf-8")
    child = Child(("up",), tmp_path)
    try:
        child.says("வந்தது 7")
        child.says("(channels): வரிசை")
        child.gets(signal.SIGTERM)
        assert child.ends() == 0
    finally:
        child.end()
    assert "  one∕api" in child.lines
    assert "  two∕api" in child.lines


# ---- what is shown --------------------------------------------------------------------

SHOP = """அச்சு "கடை திறந்தது";
சே = சேனல்_உருவாக்கு("வேலை");
முகவர் எண்ணி() { செய்தி பார்() { திரும்பு 1; } }
எ = எண்ணி();
பணி_உருவாக்கு "இரவு", {"cron": "0 2 * * *"} { அச்சு 1; }
பணி_உருவாக்கு "அஞ்சல்", {"சேனல்": சே, "எண்ணிக்கை": 3} { அச்சு செய்தி; }
வழி பெறு, "/கடை/:பொருள்" { பதில் 200, 1; }
வழி பெறு, "/a b/*rest" { பதில் 200, 1; }
"""
CHAT = 'வழி ஓடை, "/live" { ஓடை_அனுப்பு(1); }\nவழி நேரலை, "/அரட்டை" { உறங்கு(0); }\n'
SHOWN = """✓ கடை: 2 சேவைகள் தொடங்கின  (கடை: 2 services started)
  a
    பணி  (job)  இரவு  cron 0 2 * * * (Asia/Kolkata)
    பணி  (job)  அஞ்சல்  ← வேலை  ×3
    முகவர்கள்  (agents): எண்ணி
    GET /கடை/:பொருள்
        http://127.0.0.1:PORT/%E0%AE%95%E0%AE%9F%E0%AF%88/:%E0%AE%AA%E0%AF%8A%E0%AE%B0%E0%AF%81%E0%AE%B3%E0%AF%8D
        unix:kadai.sock /%E0%AE%95%E0%AE%9F%E0%AF%88/:%E0%AE%AA%E0%AF%8A%E0%AE%B0%E0%AF%81%E0%AE%B3%E0%AF%8D
    GET /a b/*rest
        http://127.0.0.1:PORT/a%20b/*rest
        unix:kadai.sock /a%20b/*rest
  b
    SSE /live
        http://127.0.0.1:PORT/live
        unix:kadai.sock /live
    WS /அரட்டை
        ws://127.0.0.1:PORT/%E0%AE%85%E0%AE%B0%E0%AE%9F%E0%AF%8D%E0%AE%9F%E0%AF%88
        unix:kadai.sock /%E0%AE%85%E0%AE%B0%E0%AE%9F%E0%AF%8D%E0%AE%9F%E0%AF%88
  சேனல்கள்  (channels): வேலை
  முகவரிகள்  (addresses): http://127.0.0.1:PORT, unix:kadai.sock
""".splitlines()


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with two services that have something of everything."""
    (tmp_path / "a.qmz").write_text(SHOP, encoding="utf-8")
    (tmp_path / "b.qmz").write_text(CHAT, encoding="utf-8")
    text = 'name: கடை\nservices: [a.qmz, b.qmz]\nhttp: { bind: ["127.0.0.1:0", "unix:kadai.sock"] }\n'
    (tmp_path / "config.yaml").write_text(text, encoding="utf-8")
    return tmp_path


def without_ports(lines: Sequence[str]) -> list[str]:
    return [re.sub(r"(?<=127\.0\.0\.1:)\d+", "PORT", line) for line in lines]


def test_on_a_terminal_a_start_is_a_page_that_people_read(shop: Path) -> None:
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [*ETAMIL_ACTORS, "up"], cwd=shop, env=plain_environment(shop, TERM="xterm"),
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    said = b""
    try:
        while "முகவரிகள்".encode() not in said or not said.endswith(b"\n"):
            said += os.read(ours, 4096)
    finally:
        process.send_signal(signal.SIGINT)
        with suppress(OSError):  # so a terminal tells that nobody is left on it
            while piece := os.read(ours, 4096):
                said += piece
        os.close(ours)
        status = process.wait(PATIENCE)
    lines = without_ports(said.decode().replace("\r\n", "\n").splitlines())
    assert lines[: len(SHOWN) + 1] == ["கடை திறந்தது", *SHOWN]
    assert [re.sub("\x1b\\[[0-9]*m", "", line) for line in lines[len(SHOWN) + 1 :]] == [
        "· SIGINT: ஒழுங்காக நிறுத்துகிறோம்; அவசரமெனில் மீண்டும் அனுப்புங்கள்"
        "  (SIGINT: stopping in order; send it again to be quick)",
        "· நிறுத்தப்படுகிறது  (stopping)",
        "· எல்லாம் ஒழுங்காக நின்றது  (everything has stopped in order)",
    ]
    assert status == 0


def test_without_a_terminal_a_start_tells_the_same_in_json_lines(shop: Path) -> None:
    with ChildProcess((*ETAMIL_ACTORS, "up"), shop, plain_environment(shop)) as child:
        child.says(r"\(addresses\)")
        assert child.stop() == 0
    assert child.raw[0] == "கடை திறந்தது", "what a program prints is its own"
    assert without_ports(child.lines[1 : len(SHOWN) + 1]) == SHOWN
    told = [json.loads(line) for line in child.raw[1:]]
    assert [one["english"] for one in told if one["event"] == "process"][-1] == "everything has stopped in order"
    assert all(one["time"].endswith("Z") and one["level"] == "info" for one in told)


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a.qmz"], ["a"]),
        (["x/a.qmz", "y/a.qmz", "b.qmz"], ["x∕a", "y∕a", "b"]),
        (["a.qmz", "./a.qmz"], ["a", "a#2"]),
        (["s/x/a.qmz", "t/x/a.qmz"], ["s∕x∕a", "t∕x∕a"]),
    ],
)
def test_services_are_called_by_their_files(paths: list[str], names: list[str]) -> None:
    assert names_of(paths) == names


def test_a_prelude_that_fails_ends_the_start_with_one_report(start: Start) -> None:
    child = start("up", 'முகவர் அ() { செய்தி பார்() { திரும்பு 1; } }\nஅ();\nசெயல் f() { திரும்பு 1 / 0; }\nx = f();\n')
    assert child.ends() == 1
    assert child.lines[0].startswith("✗ a: தொடங்கவில்லை  (did not start)")
    assert child.said.count("division by zero") == 1
    assert "a.qmz: வரி 3" in child.said
    assert "a.qmz: வரி 4" in child.said
    assert "started" not in child.said


def test_a_job_that_cannot_be_is_told_at_the_start(start: Start) -> None:
    child = start("up", 'n = 0;\nபணி_உருவாக்கு "அ", {"every": n} { அச்சு 1; }\n')
    assert child.ends() == 1
    assert "did not start" in child.said


def test_a_signal_gives_up_a_start(start: Start) -> None:
    child = start("up", 'சேனல்_உருவாக்கு(); முயல் { அச்சு "நடக்கிறது"; உறங்கு(50); } இறுதியில் { அச்சு "இறுதி"; }\n')
    child.says("நடக்கிறது")
    child.gets(signal.SIGTERM)
    assert child.ends() == 143
    assert "the start is given up" in child.said
    assert "இறுதி" in child.lines


# ---- ending in order ------------------------------------------------------------------

LONG = """
c = சேனல்_உருவாக்கு("மிச்சம்");
முகவர் எண்ணி() { செய்தி பார்() { திரும்பு 1; } நிறுத்தும்போது { அச்சு "முகவர் நின்றது"; } }
a = எண்ணி();
பணி_உருவாக்கு "நீண்ட" {
    அச்சு "பணி தொடக்கம்"; உறங்கு(0.5); சேனல்_அனுப்பு(c, a.பார்()); அச்சு "பணி முடிவு";
}
நிறுத்தும்போது { அச்சு "கடைசி"; }
"""


def test_a_long_run_of_a_job_is_finished_and_everything_ends_in_order(start: Start) -> None:
    child = start("up", LONG)
    child.says("பணி தொடக்கம்")
    child.says("service started")
    child.gets(signal.SIGTERM)
    assert child.ends() == 0
    order = ["stopping in order", "பணி முடிவு", "முகவர் நின்றது", "‘மிச்சம்’: 1 message(s) were left", "everything has stopped"]
    places = [child.place_of(text) for text in order]
    assert places == sorted(places), child.said
    assert child.place_of("முகவர் நின்றது") < child.place_of("கடைசி")


def test_what_is_too_slow_is_cut_and_named_with_its_line(start: Start) -> None:
    child = start(
        "up",
        'பணி_உருவாக்கு "மெது", {"shutdown": 0.2} {\n    முயல் {\n        அச்சு "தொடக்கம்";\n        உறங்கு(50);\n'
        '    } இறுதியில் { அச்சு "இறுதி"; }\n}\n',
    )
    child.says("தொடக்கம்")
    child.says("service started")
    child.gets(signal.SIGTERM)
    assert child.ends() == 1
    assert "(cut: /root/a/jobs/மெது (a.qmz:4))" in child.said
    assert child.lines.count("இறுதி") == 1
    assert "in order)" not in child.lines[-1]


def test_a_second_signal_cuts_what_runs(start: Start) -> None:
    child = start(
        "up",
        'பணி_உருவாக்கு "மெது", {"shutdown": 900} { முயல் { அச்சு "தொடக்கம்"; உறங்கு(900); } இறுதியில் { அச்சு "இறுதி"; } }\n'
        'நிறுத்தும்போது { முயல் { உறங்கு(900); } இறுதியில் { அச்சு "கடைசி"; } }\n',
    )
    child.says("தொடக்கம்")
    child.says("service started")
    child.gets(signal.SIGINT)
    child.says("stopping in order")
    child.gets(signal.SIGINT)
    assert child.ends() == 1
    assert "what still runs is cut" in child.said
    assert "(cut: /root/a/jobs/மெது (a.qmz:1))" in child.said
    assert "இறுதி" in child.lines
    assert "(cut: /root/a/closing" in child.said


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_third_signal_ends_at_once(start: Start, number: signal.Signals, status: int) -> None:
    # Not even an இறுதியில் block that computes without end holds it up.
    child = start(
        "up",
        'பணி_உருவாக்கு "மெது", {"shutdown": 900} {\n'
        '    முயல் { அச்சு "தொடக்கம்"; உறங்கு(900); } இறுதியில் { அச்சு "இறுதி"; உறங்கு(0); (மெய்) சுற்று { x = 1; } }\n}\n',
    )
    child.says("தொடக்கம்")
    child.says("service started")
    child.gets(number)
    child.says("stopping in order")
    child.gets(number)
    child.says("இறுதி")
    child.gets(number)
    assert child.ends() == status


def test_a_program_leaves_with_its_status(start: Start) -> None:
    child = start(
        "up",
        'பணி_உருவாக்கு "வெளி", {"restart": "permanent"} { அச்சு "ஒருமுறை"; வெளியேறு(3); }\nநிறுத்தும்போது { அச்சு "கடைசி"; }\n',
    )
    assert child.ends() == 3
    assert child.lines.count("ஒருமுறை") == 1
    assert "கடைசி" in child.lines


def test_a_prelude_may_leave_too(start: Start) -> None:
    child = start("up", 'அச்சு "முன்"; வெளியேறு(4); அச்சு "பின்";\nபணி_உருவாக்கு "ஒரு" { அச்சு "பணி"; }\n')
    assert child.ends() == 4
    assert "முன்" in child.lines
    assert not {"பின்", "பணி"} & set(child.lines)


def test_a_block_at_the_end_that_fails_is_told_and_the_others_run(start: Start) -> None:
    child = start("up", 'நிறுத்தும்போது { x = 1 / 0; }\nநிறுத்தும்போது { அச்சு "கடைசி"; }\n')
    child.says("service started")
    child.gets(signal.SIGTERM)
    assert child.ends() == 1
    assert "கடைசி" in child.lines
    assert "division by zero" in child.said


def test_hanging_up_reads_everything_again(start: Start, tmp_path: Path) -> None:
    child = start("up", 'அச்சு "வணக்கம்";\n')
    child.says("service started")
    (tmp_path / "a.qmz").write_text('அச்சு "மீண்டும் வணக்கம்";\n', encoding="utf-8")
    child.gets(signal.SIGHUP)
    child.says("a: the new code runs")
    child.gets(signal.SIGTERM)
    assert child.ends() == 0


def test_crashes_and_restarts_are_told_with_their_lines(start: Start) -> None:
    child = start(
        "up",
        'முகவர் அ() { செய்தி விழு() {\n திரும்பு 1 / 0; } }\nx = அ();\n'
        'பணி_உருவாக்கு "தள்ளு", {"every": 0.01, "attempts": 1} { x.விழு(); }\n',
    )
    child.says("/root/a/agents/அ#1 is started again")
    child.says("a run failed, try 1")
    child.gets(signal.SIGTERM)
    assert child.ends() == 0
    crash = child.place_of("/root/a/agents/அ#1 crashed, life 1")
    assert "division by zero" in child.lines[crash]
    assert "a.qmz: வரி 2" in child.lines[crash + 1]


def test_verbose_tells_who_starts_and_stops(start: Start) -> None:
    child = start("up", 'பணி_உருவாக்கு "ஒரு", {"every": 900} { அச்சு 1; }\n', "--verbose")
    child.says("service started")
    child.gets(signal.SIGTERM)
    assert child.ends() == 0
    assert "/root/a/jobs/ஒரு stopped" in child.said


# ---- run ------------------------------------------------------------------------------


def test_a_run_waits_for_the_jobs_that_it_started_and_for_nothing_else(command: Command, tmp_path: Path) -> None:
    (tmp_path / "a.qmz").write_text(
        "முகவர் எண்ணி() { n = 0; செய்தி கூட்டு() { n = n + 1; திரும்பு n; } }\n"
        "a = எண்ணி(); a.கூட்டு();\n"
        'பணி_உருவாக்கு "அறிவித்த", {"every": 0.01} { அச்சு "இல்லை"; }\n'
        'செயல் f() { பணி_உருவாக்கு("பின்") { உறங்கு(0.2); அச்சு a.கூட்டு(); } }\n'
        'f();\nஅச்சு "மேல்நிலை முடிந்தது";\n',
        encoding="utf-8",
    )
    done = command("run", "a.qmz")
    assert (done.stdout, done.returncode) == ("மேல்நிலை முடிந்தது\n2\n", 0)
    assert "does not start jobs" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("text", "status", "output", "error"),
    [
        ("t = பணி_தொடங்கு(செயல்() { திரும்பு 1 / 0; });\nபணி_காத்திரு(t);\n", 1, "", "division by zero"),
        ('அச்சு "அ"; t = பணி_தொடங்கு(செயல்() { திரும்பு 1; }); வெளியேறு(5);\n', 5, "அ\n", ""),
        ("செயல் f() { பணி_உருவாக்கு(\"வெளி\") { வெளியேறு(6); } }\nf();\n", 6, "", ""),
        ("செயல் f() { பணி_உருவாக்கு(\"விழும்\", {attempts: 1}) { x = 1 / 0; } }\nf();\n", 1, "", "division by zero"),
        (
            'செயல் f() { திரும்பு பணி_உருவாக்கு("விழும்", {attempts: 1}) { x = 1 / 0; }; }\n'
            "முயல் { பணி_காத்திரு(f()); } பிழை(e) { அச்சு e.code; }\n",
            0, "number.division_by_zero\n", "",
        ),
        (
            "முகவர் அ() { செய்தி விழு() { திரும்பு 1 / 0; } }\nx = அ();\n"
            "முயல் { x.விழு(); } பிழை(e) { அச்சு e.code; }\n",
            0, "number.division_by_zero\n", "",
        ),
        (
            "முகவர் அ() { செய்தி விழு() { திரும்பு 1 / 0; } செய்தி பார்() { திரும்பு 1; } }\nx = அ();\n"
            'முகவர்_சொல்(x, "விழு"); அச்சு x.பார்();\n',
            0, "1\n", "division by zero",
        ),
        ('c = சேனல்_உருவாக்கு("வரிசை"); சேனல்_அனுப்பு(c, 1);\n', 0, "", "1 message(s) were left"),
        ('t = பணி_தொடங்கு(செயல்() { திரும்பு 1; });\nநிறுத்தும்போது { அச்சு "கடைசி"; }\n', 0, "கடைசி\n", ""),
    ],
)
def test_a_run_ends_as_plain_runs_do(
    command: Command, tmp_path: Path, text: str, status: int, output: str, error: str
) -> None:
    (tmp_path / "a.qmz").write_text(text, encoding="utf-8")
    done = command("run", "a.qmz")
    assert (done.stdout, done.returncode) == (output, status), done.stderr
    assert (error in done.stderr) if error else (done.stderr == "")


@pytest.mark.parametrize(
    "text",
    [
        "t = பணி_தொடங்கு(செயல்() { (மெய்) சுற்று { x = 1; } }); பணி_காத்திரு(t);\n",
        "பூட்டு_உருவாக்கு();\n(மெய்) சுற்று { x = 1; }\n",
        'செயல் f() { பணி_உருவாக்கு("நீண்ட") { (மெய்) சுற்று { x = 1; } } }\nf();\n',
    ],
)
def test_computing_for_ever_ends_with_the_budget(command: Command, tmp_path: Path, text: str) -> None:
    (tmp_path / "a.qmz").write_text(text, encoding="utf-8")
    done = command("run", "--seconds", "1", "a.qmz")
    assert done.returncode == 1
    assert "[budget.time]" in done.stderr
    assert "--seconds N" in done.stderr
    assert "a.qmz: வரி" in done.stderr


def test_waiting_costs_nothing_of_the_budget(command: Command, tmp_path: Path) -> None:
    (tmp_path / "a.qmz").write_text("பூட்டு_உருவாக்கு(); உறங்கு(1.2); அச்சு 1;\n", encoding="utf-8")
    done = command("run", "--seconds", "1", "a.qmz")
    assert (done.stdout, done.stderr, done.returncode) == ("1\n", "", 0)


def test_steps_of_actors_are_not_counted(command: Command, tmp_path: Path) -> None:
    (tmp_path / "a.qmz").write_text("பூட்டு_உருவாக்கு();\n", encoding="utf-8")
    done = command("run", "--steps", "5", "a.qmz")
    assert done.returncode == 1
    assert "use --seconds" in done.stderr


def test_ctrl_c_ends_a_run_with_actors(start: Start) -> None:
    child = start(
        "run",
        'c = சேனல்_உருவாக்கு();\nமுயல் { அச்சு "காத்திருப்பு"; சேனல்_பெறு(c); } இறுதியில் { அச்சு "இறுதி"; }\n',
    )
    child.says("காத்திருப்பு")
    child.gets(signal.SIGINT)
    assert child.ends() == 130
    assert child.lines == ["காத்திருப்பு", "இறுதி"]


def test_ctrl_c_ends_a_run_that_waits_for_input(start: Start) -> None:
    child = start("run", 'பூட்டு_உருவாக்கு();\nஅச்சு "பெயர்?";\nஉறங்கு(0);\nஉள்ளிடு பெயர்;\n')
    child.says("பெயர்?")
    child.gets(signal.SIGINT)
    assert child.ends() == 130
    assert child.lines == ["பெயர்?"]


def test_a_reader_that_leaves_is_no_news(tmp_path: Path) -> None:
    (tmp_path / "a.qmz").write_text(
        'பூட்டு_உருவாக்கு();\n(மெய்) சுற்று { அச்சு "வரி"; உறங்கு(0); }\n', encoding="utf-8"
    )
    with subprocess.Popen(
        [sys.executable, "-m", "etamil_actors", "run", str(tmp_path / "a.qmz")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=REPOSITORY,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
        status = process.wait(PATIENCE)
    assert (status, errors.decode()) == (141, "")


@pytest.mark.parametrize(
    ("text", "serves"),
    [
        ("அச்சு 1;", False),
        ("உறங்கு(1);", False),
        ('வழி பெறு, "/" { பதில் 200, 1; }', False),
        ('பணி_உருவாக்கு "அ" { அச்சு 1; }', False),
        ("முகவர் அ() { செய்தி பார்() { திரும்பு 1; } }", False),
        ("பணி f() { திரும்பு 1; } f();", False),
        ("மீள்முயற்சி({}) { x = 1; }", False),
        ('செயல் f() { பணி_உருவாக்கு("அ") { அச்சு 1; } }', True),
        ("முகவர் அ() { செய்தி பார்() { திரும்பு 1; } } அ();", True),
        ("முகவர் அ() { செய்தி பார்() { திரும்பு 1; } } x = அ;", True),
        ("காலவரம்பு(1) { x = 1; }", True),
        ("f = பணி_தொடங்கு;", True),
        ("c = சேனல்_உருவாக்கு();", True),
        ("தேர்வு { இல்லையேல் { } }", True),
        ("பூட்டு_உருவாக்கு();", True),
        ('சேவை_பதிவு("அ", 1);', True),
        ("நிறுத்தும்போது { அச்சு 1; }", True),
    ],
)
def test_only_programs_that_need_actors_run_with_them(text: str, serves: bool) -> None:
    compiled = read_and_check("a.qmz", text, SimulatedFiles({}))
    assert compiled.is_sound, [str(problem) for problem in compiled.problems]
    assert compiled.program().serves is serves


def test_a_run_with_actors_reads_its_input(command: Command, tmp_path: Path) -> None:
    (tmp_path / "a.qmz").write_text("பூட்டு_உருவாக்கு(); உள்ளிடு x; அச்சு x;\n", encoding="utf-8")
    assert command("run", "a.qmz", stdin="மலர்\n").stdout == "மலர்\n"


def test_a_terminal_that_goes_away_ends_the_service_in_order(tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    program = tmp_path / "a.qmz"
    program.write_text(f'நிறுத்தும்போது {{ கோப்பு_சேமி("{ended}", "ஆம்"); }}\n', encoding="utf-8")
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "etamil_actors", "up", str(program)],
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    os.close(theirs)
    said = b""
    while b"started" not in said:
        said += os.read(ours, 4096)
    os.close(ours)
    assert process.wait(timeout=60) == 0
    assert ended.read_text(encoding="utf-8") == "ஆம்"
