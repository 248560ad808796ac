"""Wrong configurations, each with its line and with all that is said: ``wrong_configurations.txt``.

Whoever reads these messages writes a server for the first time, and in Tamil.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from etamil_actors.configuration import Setup, read_setup
from etamil_actors.configuration_table import ConfigError
from tests.test_every_setting import all_but, configuration, files_beside

TABLE = Path(__file__).with_suffix("").with_name("wrong_configurations.txt")
RECORD = bool(os.environ.get("ETAMIL_RECORD"))
ENVIRONMENT = {"EMPTY": "", "SHORT": "hush"}
SERVICES = "services: [a.qmz]\n"
WHOLE = "whole"
"""Below such a ‘──’ nothing is added to the file."""


class Case(NamedTuple):
    """A wrong file, and what is said of it."""

    title: str
    text: str
    is_whole: bool
    said: str

    @property
    def file(self) -> str:
        """The file as it is read."""
        return self.text if self.is_whole or re.search("^services:", self.text, re.M) else self.text + SERVICES


def read_cases(table: str) -> Iterator[Case]:
    for part in re.split("^══ ", table, flags=re.M)[1:]:
        title, _, rest = part.partition("\n")
        rest, _, _ = rest.partition("════ ")  # the heading of what follows
        text, *marks = re.split("^── ", rest, flags=re.M)
        said = [mark.rstrip("\n") + "\n" for mark in marks if mark.strip() != WHOLE]
        yield Case(title, f"{text.rstrip()}\n".lstrip("\n"), len(marks) > len(said), "".join(said))


CASES = list(read_cases(TABLE.read_text(encoding="utf-8")))


def said_of(folder: Path, text: str | bytes) -> str:
    """The line, and what is said in both languages."""
    path = folder / "config.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    for name, content in (("cert.pem", "…"), ("empty", ""), ("keys.json", '{"keys": []}')):
        (folder / name).write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_setup(str(path), ENVIRONMENT)
    error = caught.value
    file, _, line = error.place.rpartition(":")
    assert file == str(path)
    return f"{line}\n{error.tamil}\n{error.english}\n".replace(str(folder), "FOLDER")


@pytest.mark.parametrize("case", CASES, ids=[case.title for case in CASES])
def test_a_wrong_configuration_is_refused_with_its_line_and_these_words(tmp_path: Path, case: Case) -> None:
    said = said_of(tmp_path, case.file)
    if not RECORD:
        assert case.said == said, "read the new words, then ETAMIL_RECORD=1"
    _, tamil, english = said.splitlines()
    assert re.search("[\u0b80-\u0bff]", tamil)
    assert not re.search("[\u0b80-\u0bff]", re.sub("‘[^’]*’", "", english)), "Tamil only where it is quoted"
    assert "hush" not in said, "what may be a secret is not repeated"


def test_the_table_is_as_it_is_recorded(tmp_path: Path) -> None:
    assert len({case.title for case in CASES}) == len(CASES) >= 50
    if RECORD:
        parts = re.split("(?<=\n)(?=════ |══ )", TABLE.read_text(encoding="utf-8"))
        cases = iter(CASES)
        written = [recorded(next(cases), tmp_path) if part.startswith("══ ") else part for part in parts]
        TABLE.write_text("".join(written), encoding="utf-8")


def recorded(case: Case, folder: Path) -> str:
    whole = f"── {WHOLE}\n" if case.is_whole else ""
    return f"══ {case.title}\n{case.text}{whole}── {said_of(folder, case.file)}\n"


# ---- what is no text ------------------------------------------------------------------

BEYOND_TEXT: dict[str, tuple[bytes, str]] = {
    "another encoding": (
        b"name: kadai\nhttp: {}\nname: \xe9\n",
        "3\nYAML அல்ல: UTF-8 உரை அல்ல; கோப்பை UTF-8 ஆகச் சேமிக்கவும்\n"
        "not YAML: it is no text in UTF-8; save the file as UTF-8\n",
    ),
    "a character that cannot be seen": (
        b"name: kadai\nhttp:\x07 {}\n",
        "2\nYAML அல்ல: கண்ணுக்குத் தெரியாத ஓர் எழுத்து (U+0007) உள்ளது; அதை நீக்கவும்\n"
        "not YAML: there is a character that cannot be seen (U+0007); take it away\n",
    ),
    "too large": (
        b"#" * (1 << 20) + b"\n",
        "1\n1048576 பைட்டுகளுக்கு மேல் உள்ளது\nit is larger than 1048576 bytes\n",
    ),
    "too deep": (
        b"name: " + b"[" * 5000,
        "1\nYAML அல்ல: மிக ஆழமாகப் பொதிந்துள்ளது\nnot YAML: it is nested too deeply\n",
    ),
}


@pytest.mark.parametrize(("content", "said"), BEYOND_TEXT.values(), ids=BEYOND_TEXT)
def test_a_file_that_nobody_could_read_is_refused_too(tmp_path: Path, content: bytes, said: str) -> None:
    assert said_of(tmp_path, content) == said


def test_every_beginning_of_a_configuration_is_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    files_beside(tmp_path)
    whole = configuration(all_but())
    refused = 0
    for end in range(0, len(whole), 7):
        path.write_text(whole[:end], encoding="utf-8")
        try:
            assert isinstance(read_setup(str(path), {}), Setup)
        except ConfigError as error:
            refused += 1
            assert error.tamil and error.english
    assert refused > 100


# ---- the commands ---------------------------------------------------------------------


@pytest.mark.parametrize("words", [("up", "bad.yaml"), ("config", "check", "bad.yaml")])
def test_the_commands_say_it_and_leave(command: Callable[..., object], tmp_path: Path, words: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    (tmp_path / "a.qmz").write_text('அச்சு "ஓடியது"; வழி பெறு, "/" { பதில் 200, 1; }\n', encoding="utf-8")
    text = f'{SERVICES}http:\n  bind: "127.0.0.1:{port}"\n  bodi: 1MiB\n'
    (tmp_path / "bad.yaml").write_text(text, encoding="utf-8")
    done = command(*words)
    tamil = "‘http’: ‘bodi’ என்ற அமைப்பு இல்லை; ‘body’ என்று எழுத எண்ணினீர்களா?"
    english = "‘http’: there is no setting ‘bodi’; did you mean ‘body’?"
    assert (done.stdout, done.stderr, done.returncode) == (
        "", f"✗ bad.yaml:4: {tamil}  (bad.yaml:4: {english})\n", 1
    )  # fmt: skip
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
