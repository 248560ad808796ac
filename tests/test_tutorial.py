"""The tutorial, followed to the letter: its files are written, its commands typed, and what it shows is seen.

Both pages have the same blocks, so one person who types is enough. Ports, times, sizes and ids differ from run to
run and are not compared; ``up`` gets a port that is free.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pages import REPOSITORY, Block, Reader, alike, blocks_of, replaced, steps

ENGLISH = REPOSITORY / "docs" / "tutorial.md"
TAMIL = REPOSITORY / "docs" / "tutorial.ta.md"
TOOLS = ("bash", "curl", "openssl", "sha256sum")


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """Somebody with an empty folder and two terminals."""
    for tool in TOOLS:
        if shutil.which(tool) is None:
            pytest.skip(f"the tutorial is typed with {tool}, which is not installed")
    with tempfile.TemporaryDirectory(prefix="et", dir="/tmp") as runtime:  # sockets want a short path
        someone = Reader(tmp_path, Path(runtime))
        yield someone
        someone.end()


def test_who_follows_the_tutorial_sees_what_it_shows(reader: Reader) -> None:
    for block in blocks_of(ENGLISH):
        try:
            reader.follow(block)
        except AssertionError as trouble:
            raise AssertionError(f"{ENGLISH.name}:{block.line}: {trouble}") from None


def test_both_pages_have_the_same_steps_and_the_same_code() -> None:
    english, tamil = (
        [(block.language, block.mark, block.text) for block in blocks_of(page)] for page in (ENGLISH, TAMIL)
    )
    assert english == tamil
    assert headings(ENGLISH) == headings(TAMIL)


def headings(page: Path) -> list[str]:
    """The numbers of the steps; a heading without one counts as well."""
    lines = page.read_text(encoding="utf-8").splitlines()
    words = [line.removeprefix("## ").split()[0] for line in lines if line.startswith("## ")]
    return [word if word.isdigit() else "" for word in words]


# ---- the one who types ----------------------------------------------------------------


def test_times_sizes_ids_and_ports_are_not_compared() -> None:
    shown = "· 18:01:16 GET /items 200 301 B 0.3 ms 127.0.0.1 shop"
    assert alike(shown) == alike("\x1b[36m·\x1b[0m 09:59:00 GET /items 200 1.2 kB 12 ms 127.0.0.1 shop")
    assert alike(shown) != alike(shown.replace("200", "404"))
    assert alike("http://127.0.0.1:8080/x") == alike("http://127.0.0.1:41873/x")


def test_a_block_is_read_as_commands_with_what_they_show() -> None:
    assert list(steps("^C\nstopping\n$ a b\n$ c\n1\n\n2\n")) == [
        ("^C", ["stopping"]),
        ("a b", []),
        ("c", ["1", "", "2"]),
    ]


def test_a_definition_takes_the_place_of_that_with_the_same_head() -> None:
    program = "x = 1;\n\nசெயல் f() {\n    செயல்படு({\n    });\n}\n\ny = 2;\n"
    assert replaced(program, "செயல் f() {\n}\n") == "x = 1;\n\nசெயல் f() {\n}\n\ny = 2;\n"
    assert replaced("a {\n}\nb {\n}\n", "c {\n    1;\n}\n", "b {") == "a {\n}\nc {\n    1;\n}\n"


def test_a_command_that_prints_something_else_is_noticed(reader: Reader) -> None:
    with pytest.raises(AssertionError, match="வணக்கம்"):
        reader.follow(Block("console", "$ echo வணக்கம்\nபோய் வருக\n", "", 1))
