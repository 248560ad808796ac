"""What is shown is run: the reference pages, the programs of the README, links, and commands named."""

from __future__ import annotations

import importlib.util
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from etamil_actors import cli
from etamil_actors.errors import FAULTS
from etamil_actors.resources.system import SimulatedFiles
from etamil_actors.script import read_and_check
from tests.pages import blocks_of
from tests.plain_lines import plain

Command = Callable[..., subprocess.CompletedProcess[str]]

REPOSITORY = Path(__file__).resolve().parent.parent
PAGES = sorted(
    page for page in REPOSITORY.rglob("*.md")
    if not any(part.startswith(".") for part in page.relative_to(REPOSITORY).parts)
)
GUIDES = [
    page for page in PAGES
    if page.parent.name == "docs" and not page.read_text(encoding="utf-8").startswith("<!-- This page is made by")
]
"""Pages of ``docs/`` that are written by hand."""
WRITTEN = [page for page in PAGES if "docs" not in page.relative_to(REPOSITORY).parts] + GUIDES


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def reference_pages() -> ModuleType:
    """The tool that writes the reference pages, as a module."""
    path = REPOSITORY / "tools" / "reference_pages.py"
    spec = importlib.util.spec_from_file_location("reference_pages", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# ---- the reference pages --------------------------------------------------------------


def test_the_reference_pages_are_what_the_tables_say(reference_pages: ModuleType) -> None:
    assert reference_pages.stale(reference_pages.pages()) == [], "run ‘make docs’"


def test_a_page_that_differs_is_noticed(
    reference_pages: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference_pages, "DOCS", tmp_path)
    wanted = {"a.md": "one\n", "problems/E0001.md": "two\n"}
    assert reference_pages.stale(wanted) == ["a.md", "problems/E0001.md"]
    reference_pages.write(wanted)
    assert reference_pages.stale(wanted) == []
    (tmp_path / "problems" / "E9999.md").write_text("gone", encoding="utf-8")
    assert reference_pages.stale(wanted) == ["problems/E9999.md"]
    reference_pages.write(wanted)
    assert reference_pages.stale(wanted) == []


def test_the_example_of_a_problem_shows_that_problem(reference_pages: ModuleType) -> None:
    silent = [
        code
        for code, problem in reference_pages.known_problems().items()
        if problem.example and f"[{code}]" not in reference_pages.what_is_printed(problem)
    ]
    assert silent == []


def test_every_problem_has_words_in_both_languages_and_a_page(reference_pages: ModuleType) -> None:
    for code, problem in reference_pages.known_problems().items():
        assert has_tamil(problem.tamil), code
        assert problem.english, code
        assert problem.__doc__, code


def test_one_thing_has_one_tamil_word() -> None:
    rows = re.findall(r"^  \|(.*)\|(.*)\|(.*)\|$", text_of(REPOSITORY / "CONTRIBUTING.md"), re.MULTILINE)
    others = [word.strip(" …") for _, _, refused in rows[2:] for word in refused.split(",") if word.strip()]
    assert len(others) >= 8
    sources = sorted((REPOSITORY / "etamil_actors").rglob("*.py"))
    for path in [*GUIDES, REPOSITORY / "README.md", *sources]:
        text = text_of(path)
        found = [word for word in others if word in text]
        assert found == [], f"{path.relative_to(REPOSITORY)}: CONTRIBUTING.md has another word"


def test_every_error_code_has_words_in_both_languages() -> None:
    for kind in FAULTS:
        filled_in = "_ta}" in kind.tamil or "{message}" in kind.tamil
        assert filled_in or has_tamil(kind.tamil), kind.code
        assert kind.english, kind.code
        assert kind.meaning.endswith("."), kind.code


def has_tamil(text: str) -> bool:
    return any("\u0b80" <= letter <= "\u0bff" for letter in text)


# ---- the written pages ----------------------------------------------------------------


def programs_with_output(page: Path) -> list[tuple[str, str]]:
    """Every program of a page that is followed by what it prints."""
    return re.findall(r"```etamil\n([^`]*)```\s+prints\s+```text\n([^`]*)```", text_of(page))


def test_the_first_screen_of_the_readme_shows_a_program() -> None:
    [(program, _)] = programs_with_output(REPOSITORY / "README.md")
    assert 8 <= len(program.strip().splitlines()) <= 12


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.name)
def test_a_program_on_a_page_prints_what_the_page_says(command: Command, page: Path) -> None:
    for program, output in programs_with_output(page):
        done = command("run", "-", stdin=program)
        assert (done.stdout, done.stderr, done.returncode) == (output, "", 0)


def served(page: Path) -> list[tuple[str, str, str]]:
    """Every program of a page that ``up`` runs, under its name, with what is seen until Ctrl-C and after."""
    return re.findall(
        r"```etamil\n([^`]*)```\s+`etamil-actors up (\w+\.qmz)` until Ctrl-C shows\s+```text\n([^`]*)```",
        text_of(page),
    )


def test_a_service_in_the_readme_shows_what_the_readme_says(tmp_path: Path) -> None:
    ((program, name, shown),) = served(REPOSITORY / "README.md")
    assert 8 <= len(program.strip().splitlines()) <= 12
    (tmp_path / name).write_text(program, encoding="utf-8")
    before, after = shown.split("^C\n")
    told = ("✓", " ", "·")
    printed = [line for line in before.splitlines() if not line.startswith(told)]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(
        [sys.executable, "-m", "etamil_actors", "up", name],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, env=environment,
    ) as process:
        assert process.stdout is not None
        assert [process.stdout.readline().decode().rstrip("\n") for _ in printed] == printed
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    said = [line for line in (before + after).splitlines() if line.startswith(told)]
    assert [line for one in errors.decode().splitlines() for line in plain(one)] == said
    assert output.decode().splitlines() == [line for line in after.splitlines() if not line.startswith(told)]
    assert process.returncode == 0


def test_the_map_of_the_readme_is_that_of_the_repository() -> None:
    (shown,) = re.findall(r"```text\n(etamil_actors/  .*?)```", text_of(REPOSITORY / "README.md"), re.DOTALL)
    for line in shown.splitlines():
        folder = REPOSITORY / "etamil_actors" if line.startswith("  ") else REPOSITORY
        for name in re.findall(r"[\w.]+(?:/|\.py)", line[:24]):
            assert (folder / name).exists(), name
    floors = {path.name for path in (REPOSITORY / "etamil_actors").iterdir() if (path / "__init__.py").exists()}
    assert floors <= set(re.findall(r"(\w+)/", shown))


def test_the_numbers_of_the_readme_are_those_that_were_measured() -> None:
    _, _, rest = text_of(REPOSITORY / "README.md").partition("## How fast")
    rows = re.findall(r"^\| (.+?) \| ([\d .]+(?:/s|ms|MB)) \| (?:.+?: )?(.*?) ?\|$", rest, re.MULTILINE)
    assert len(rows) >= 6
    measured = text_of(REPOSITORY / "benchmarks" / "README.md").splitlines()
    for work, ours, theirs in rows:
        found = [line for line in measured if f" {ours} |" in line and (not theirs or f" {theirs} |" in line)]
        assert found, f"nobody has measured: {work}"


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.name)
def test_every_program_on_a_page_is_sound(page: Path) -> None:
    blocks = blocks_of(page)
    files = {block.mark.removeprefix("file: "): block.text for block in blocks if block.mark.startswith("file: ")}
    for block in blocks:
        if block.language == "etamil" and not block.mark.startswith(("append: ", "replace: ")):  # those are parts
            name = block.mark.removeprefix("file: ") or page.name
            assert list(read_and_check(name, block.text, SimulatedFiles(files)).problems) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_lead_somewhere(page: Path) -> None:
    without_code = re.sub(r"```.*?```|`[^`\n]*`", "", text_of(page), flags=re.DOTALL)
    broken = [
        target
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", without_code)
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert broken == []


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.name)
def test_files_and_commands_named_on_a_page_exist(page: Path) -> None:
    text = text_of(page)
    for word in re.findall(r"etamil-actors ([a-z]+)\b", text):
        assert word in cli.COMMAND_OF, f"{page.name} names the command {word}"
    for target in re.findall(r"`make ([a-z]+)\b", text):
        assert f"\n{target}:" in text_of(REPOSITORY / "Makefile"), f"{page.name} names make {target}"
    for path in re.findall(r"`((?:tests|tools|docs|examples|services)/[\w/.]*)`", text):
        assert (REPOSITORY / path).exists(), f"{page.name} names {path}"
