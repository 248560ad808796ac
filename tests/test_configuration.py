"""What config.yaml says of channels, and what is said to whoever writes it wrongly."""

from __future__ import annotations

from pathlib import Path

import pytest

from etamil_actors.commands.up import ConfigError, read_setup
from tests.programs.running import run_program


def config(folder: Path, text: str) -> str:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_channels_are_read_in_both_languages(tmp_path: Path) -> None:
    setup = read_setup(config(tmp_path, """
services: [a.qmz]
channels:
  வேலை: { கொள்ளளவு: 5, நிரம்பினால்: மறு, ஆயுள்: 2.5 }
  orders: { capacity: 200, transport: journal, kind: queue, attempts: 4 }
"""))  # fmt: skip
    assert {name: {k: str(v) for k, v in said.items()} for name, said in setup.channels.items()} == {
        "வேலை": {"capacity": "5", "overflow": "reject", "ttl": "2.5"},
        "orders": {"capacity": "200", "transport": "journal", "kind": "queue", "attempts": "4"},
    }


WRONG = {
    "capacty: 3": ("there is no setting ‘capacty’; did you mean ‘capacity’?", 3),
    "capacity: -2": ("it must be a whole number from 1, not -2", 3),
    "capacity: அதிகம்": ("wants a number, not a string", 3),
    "kind: qeue": ("it must be one of queue, broadcast, not qeue", 3),
    "capacity: [1]": ("‘capacity’ is one value", 3),
    "capacity: 1, capacity: 2": ("‘capacity’ is given twice", 3),
    "capacity: 1, கொள்ளளவு: 2": ("‘கொள்ளளவு’ is given twice", 3),
    "capacity: NaN": ("wants a number, not a string", 3),
    "capacity: sNaN": ("wants a number, not a string", 3),
    "capacity: 1e999999999": ("wants a number, not a string", 3),
    "? [a] : 3": ("‘c’: a name is a text", 3),
}


@pytest.mark.parametrize(("options", "wrong"), WRONG.items(), ids=WRONG)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, options: str, wrong: tuple[str, int]) -> None:
    path = config(tmp_path, f"services: [a.qmz]\nchannels:\n  c: {{ {options} }}\n")
    with pytest.raises(ConfigError) as caught:
        read_setup(path)
    text, line = wrong
    assert text in str(caught.value)
    assert caught.value.place == f"{path}:{line}"


@pytest.mark.parametrize("channels", ["channels: 5", "channels: [a]", "channels: { c: 5 }"])
def test_channels_are_names_with_options(tmp_path: Path, channels: str) -> None:
    with pytest.raises(ConfigError, match="is written ‘name: value’"):
        read_setup(config(tmp_path, f"services: [a.qmz]\n{channels}\n"))


def test_the_configuration_wins_over_the_program() -> None:
    done = run_program(
        """
        சே = சேனல்_உருவாக்கு("சே", {"capacity": 100});
        சேனல்_அனுப்பு(சே, 1);
        முயல் { சேனல்_அனுப்பு(சே, 2); } பிழை(e) { அச்சு e.code; }
        """,
        seconds=1,
        channels={"சே": {"capacity": 1, "overflow": "reject"}},
    )
    assert done.lines == ["overloaded"]
