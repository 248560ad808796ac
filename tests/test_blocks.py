"""Every block of code on every page is run, or held against what it speaks of. One that nobody checks is a mistake.

Programs and what they print are run by ``test_docs.py``, the tutorial by ``test_tutorial.py``. Here are the rest: the
pages with commands, which somebody follows; configurations, commands, units, containers, probes; and the list of the
few blocks that other tests look after.
"""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.__main__ import SUBJECTS
from etamil_actors import cli
from etamil_actors.commands.setups import made_up
from etamil_actors.configuration import read_setup
from etamil_actors.edge.settings import HttpSettings
from etamil_actors.testing import Service, run_service
from tests.pages import REPOSITORY, Block, Reader, blocks_of

TUTORIALS = ("tutorial.md", "tutorial.ta.md")
PAGES = sorted(
    page for page in REPOSITORY.rglob("*.md")
    if not any(part.startswith(".") for part in page.relative_to(REPOSITORY).parts)
    and page.parent.name != "problems"  # their examples are what the problems are made of
)
FOLLOWED = [
    page for page in PAGES
    if page.name not in TUTORIALS and any(block.language == "console" for block in blocks_of(page))
]
"""Pages with commands and what they show."""
ELSEWHERE = {
    ("README.md", "✓ 19_library"): "tests/test_examples_http.py",
    ("README.md", "$ curl localhost:8080/books"): "tests/test_examples_http.py",
    ("README.md", "✓ kadai"): "tests/test_docs.py",
    ("README.md", "etamil_actors/  "): "tests/test_docs.py",
    ("docs/watching.md", "POST /ஆணைகள்"): "tests/test_blocks.py",
}
"""Blocks of text by page and beginning, and the test that looks after them."""
DRAWN = "ARCHITECTURE.md"
"""A page on which texts are drawings."""


def every(*languages: str) -> list[Any]:
    """The blocks of these languages on all pages, each with its page."""
    return [
        pytest.param(page, block, id=f"{page.name}:{block.line}")
        for page in PAGES
        for block in blocks_of(page)
        if block.language in languages
    ]


# ---- nothing is left out --------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_block_of_a_page_is_looked_after(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert len(re.findall(r"^\s*```", text, re.MULTILINE)) == 2 * len(blocks_of(page)), "a fence is not seen as a block"
    lines = text.splitlines()
    for block in blocks_of(page):
        assert is_looked_after(page, block, lines), f"nobody checks the block in line {block.line}"


def is_looked_after(page: Path, block: Block, lines: list[str]) -> bool:
    if block.language in CHECKED:
        return True
    if block.language == "sql":
        return block.mark.startswith("file: ")
    is_output = lines[block.line - 3].endswith(("prints", "until Ctrl-C shows"))
    is_typed = block.mark != ""
    is_known = any(page == REPOSITORY / name and block.text.startswith(beginning) for name, beginning in ELSEWHERE)
    return is_output or is_typed or is_known or page.name == DRAWN


CHECKED = {"etamil", "console", "yaml", "sh", "ini", "dockerfile", "json", "python"}


def test_the_tests_that_look_after_the_rest_are_there() -> None:
    for (page, beginning), test in ELSEWHERE.items():
        assert (REPOSITORY / test).exists()
        shown = [block.text for block in blocks_of(REPOSITORY / page)]
        assert any(text.startswith(beginning) for text in shown), f"{page} has no longer {beginning}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_a_reader_is_told_the_name_of_every_file(page: Path) -> None:
    seen = re.sub(r"<!--.*?-->", "", page.read_text(encoding="utf-8"))
    for block in blocks_of(page):
        word, _, rest = block.mark.partition(": ")
        if word in ("file", "append", "replace"):
            assert rest.split(": ")[0] in seen, f"nobody is told of {rest}"


# ---- pages with commands --------------------------------------------------------------


@pytest.mark.parametrize("page", FOLLOWED, ids=lambda page: page.name)
def test_who_follows_a_page_sees_what_it_shows(reader: Reader, page: Path) -> None:
    for block in blocks_of(page):
        try:
            if block.mark or block.language == "console":
                reader.follow(block)
        except AssertionError as trouble:
            raise AssertionError(f"{page.name}:{block.line}: {trouble}") from None


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """Somebody with an empty folder and two terminals."""
    for tool in ("bash", "curl", "openssl", "sha256sum"):
        if shutil.which(tool) is None:
            pytest.skip(f"the pages are typed with {tool}, which is not installed")
    if b"HTTP2" not in subprocess.run(["curl", "--version"], stdout=subprocess.PIPE).stdout:
        pytest.skip("the curl here does not speak HTTP/2")
    with tempfile.TemporaryDirectory(prefix="et", dir="/tmp") as runtime:  # sockets want a short path
        someone = Reader(tmp_path, Path(runtime))
        yield someone
        someone.end()


# ---- what the page of upgrading says --------------------------------------------------

TWO_POINT_ZERO = """
வழி பெறு, "/record" { பதில் 200, {a: 1}; }
வழி பெறு, "/text" { பதில் 200, "{a: 1}"; }
வழி பெறு, "/fails" { x = 1 / 0; }
வழி பெறு, "/return" { திரும்பு [1, 2,]; };
"""


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/record", 200, '{"a":1}'),
        ("GET", "/text", 200, "{a: 1}"),
        ("GET", "/return", 200, "[1,2]"),
        ("POST", "/record", 405, '"error"'),
        ("HEAD", "/record", 200, ""),
        ("GET", "/fails", 500, '"request_id"'),
    ],
)
def test_what_changes_has_changed(method: str, path: str, status: int, body: str) -> None:
    async def scenario(service: Service) -> None:
        answer = await service.request(method, path)
        assert answer.status == status
        assert body in answer.body.decode()
        assert answer.field("access-control-allow-origin") is None

    run_service(TWO_POINT_ZERO, scenario)


# ---- commands -------------------------------------------------------------------------

TOOLS = {
    "source", ".", "cd", "mkdir", "curl", "printf", "sha256sum", "openssl", "export", "git", "pip", "docker", "kubectl",
    "systemctl", "journalctl", "sudo", "python3", "cat", "tr", "cut", "cp", "kill",
}  # fmt: skip
"""Commands of others that a reader may have to type."""


@pytest.mark.parametrize(("page", "block"), every("sh"))
def test_commands_that_are_shown_exist(page: Path, block: Block) -> None:
    for line in block.text.splitlines():
        for words in typed(line):
            check_command(words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_commands_named_in_a_sentence_exist_with_their_options(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for found in re.findall(r"`(etamil-actors [a-z][^`]*)`", text):
        words = shlex.split(found.replace("\n", " "))
        if words[1:2] != ["COMMAND"] and "…" not in found:
            check_command(words)


PROGRAMS = sorted(
    path for folder in ("examples", "services", "etamil_actors/templates") for path in (REPOSITORY / folder).rglob("*.qmz")
)


def test_commands_in_the_comments_of_programs_exist_and_name_files_that_are_there() -> None:
    found = {
        command
        for program in PROGRAMS
        for line in re.findall(r"//(.*)$", program.read_text(encoding="utf-8"), re.MULTILINE)
        for command in re.findall(r"etamil-actors [a-z]+(?: [\w./-]+)*", line)
    }
    assert len(found) > 10
    for command in found:
        words = command.split()
        check_command(words)
        for word in words:
            assert not word.endswith((".qmz", ".yaml")) or (REPOSITORY / word).exists(), command


def typed(line: str) -> Iterator[list[str]]:
    """The simple commands of a line."""
    inside = re.compile(r"[$<]\((.*?)\)")
    for command_inside in inside.findall(line):
        yield from typed(command_inside)
    line = inside.sub("x", line)
    words = shlex.shlex(line, posix=True, punctuation_chars="|;&<>")
    words.whitespace_split = True
    command: list[str] = []
    for word in words:
        if set(word) <= set("|;&"):
            yield command
            command = []
        else:
            command.append(word)
    yield command


def check_command(words: list[str]) -> None:
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    words = [word for place, word in enumerate(words) if word not in "<>" and words[place - 1 : place] not in ([">"], ["<"])]
    match words:
        case []:
            pass
        case ["etamil-actors", ("--help" | "--version"), *_]:
            pass
        case ["etamil-actors", word]:
            assert word in cli.COMMAND_OF, word
        case ["etamil-actors", word, *rest]:
            cli.read(cli.COMMAND_OF[word], rest)  # raises Usage
        case ["make", *targets]:
            makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
            for target in targets:
                assert "=" in target or f"\n{target.replace('.venv', '$(VENV)')}:" in makefile, target
        case ["python", "-m", "benchmarks", *subjects]:
            named = [word for word in subjects if not word.startswith("-") and word.isalpha()]
            assert set(named) <= set(SUBJECTS), named
        case [tool, *_]:
            assert tool in TOOLS or (REPOSITORY / tool).exists(), f"which command is ‘{tool}’?"


# ---- configurations -------------------------------------------------------------------


@pytest.mark.parametrize(("page", "block"), every("yaml"))
def test_configurations_and_probes_are_what_they_should_be(tmp_path: Path, page: Path, block: Block) -> None:
    if "containers:" in block.text:
        check_cluster(list(yaml.safe_load_all(block.text)))
    else:
        read_as_configuration(tmp_path, block.text)


def read_as_configuration(folder: Path, text: str) -> None:
    """Read it with the reader of the command; what is one section only gets the rest."""
    for name in re.findall(r"(?:_file|certificate|key): ([\w./]+)", text):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a secret of forty characters, or somewhat more\n", encoding="utf-8")
    if "services:" not in text:
        text += "services: [kadai.qmz]\n"
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    read_setup(str(folder / "config.yaml"), {}, made_up)  # raises ConfigError


HEALTH = HttpSettings().health
PROBES = {"startupProbe": "/startup", "readinessProbe": "/ready", "livenessProbe": "/live"}


def check_cluster(shown: list[dict[str, Any]]) -> None:
    """Every probe asks what is meant for it, where the container listens, and what is named is there."""
    made = {one["kind"]: one for one in shown}
    pod = made["Deployment"]["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] >= 90
    assert "fsGroup" in pod["securityContext"], "nobody may write to the volume"
    [volume] = pod["volumes"]
    assert volume["persistentVolumeClaim"]["claimName"] == made["PersistentVolumeClaim"]["metadata"]["name"]
    [container] = pod["containers"]
    [port] = [one["containerPort"] for one in container["ports"]]
    assert [one["targetPort"] for one in made["Service"]["spec"]["ports"]] == [port]
    for probe, path in PROBES.items():
        asked = container[probe]["httpGet"]
        assert (asked["path"], asked["port"]) == (HEALTH + path, port)


# ---- machines -------------------------------------------------------------------------


@pytest.mark.parametrize(("page", "block"), every("ini"))
def test_a_unit_starts_a_command_that_exists(page: Path, block: Block) -> None:
    unit = configparser.ConfigParser(interpolation=None, delimiters=("=",), strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(block.text)
    assert unit.sections() == ["Unit", "Service", "Install"]
    service = unit["Service"]
    tool, *words = service["ExecStart"].split()
    assert Path(tool).name == "etamil-actors"
    check_command(["etamil-actors", *words])
    assert service["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert int(service["TimeoutStopSec"]) >= 90
    assert tool.startswith(service["WorkingDirectory"])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here")
@pytest.mark.parametrize(("page", "block"), every("ini"))
def test_systemd_has_nothing_to_say_about_a_unit(tmp_path: Path, page: Path, block: Block) -> None:
    unit = tmp_path / "kadai.service"
    unit.write_text(re.sub(r"/\S+/bin/etamil-actors", sys.executable, block.text), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    assert [line for line in done.stderr.splitlines() if "kadai" in line] == []


INSTRUCTIONS = {
    "FROM", "ARG", "RUN", "WORKDIR", "COPY", "USER", "ENV", "EXPOSE", "VOLUME", "HEALTHCHECK", "STOPSIGNAL", "CMD",
}  # fmt: skip


@pytest.mark.parametrize(("page", "block"), every("dockerfile"))
def test_a_container_runs_a_command_that_exists_and_gets_its_signals(page: Path, block: Block) -> None:
    lines = re.sub(r"\\\n", " ", block.text).splitlines()
    said = [line.split(None, 1) for line in lines if line and not line.startswith("#")]
    assert {word for word, _ in said} <= INSTRUCTIONS
    told = dict(said)
    words = json.loads(told["CMD"])  # a list: else a shell would get the signal
    assert words[0] == "etamil-actors"
    check_command(words)
    assert any(f":{told['EXPOSE']}" in word for word in words) or "BIND" in block.text
    name = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]["name"]
    assert name in block.text.split("CMD")[0], "the package is not installed"


# ---- the rest -------------------------------------------------------------------------


@pytest.mark.parametrize(("page", "block"), every("json"))
def test_what_is_called_json_is_json(page: Path, block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize(("page", "block"), every("python"))
def test_python_on_a_page_is_python_and_what_it_imports_is_there(page: Path, block: Block) -> None:
    code = compile(block.text, f"{page.name}:{block.line}", "exec", dont_inherit=True)
    if "run_service(" in block.text and "async def" in block.text:
        exec(code, {"__name__": "page"})  # it says itself what has to come out
    else:
        imports = "\n".join(line for line in block.text.splitlines() if line.startswith(("import ", "from ")))
        exec(compile(imports, page.name, "exec", dont_inherit=True), {})


def test_the_trace_that_is_shown_is_that_of_the_program_above_it() -> None:
    blocks = blocks_of(REPOSITORY / "docs" / "watching.md")
    [program] = [block.text for block in blocks if block.language == "etamil"]
    [shown] = [block.text for block in blocks if block.text.startswith("POST ")]

    async def scenario(service: Service) -> None:
        assert (await service.request("POST", "/ஆணைகள்/பேனா")).status == 202
        await service.advance(1)
        assert "\n".join(service.system.tracer.tree()).endswith(shown.rstrip())

    run_service(program, scenario)
