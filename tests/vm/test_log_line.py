"""What a program logs, as a line: the event and its fields, without secrets."""

from __future__ import annotations

from typing import Any
from unicodedata import normalize

import pytest

from etamil_actors.script import run_text
from etamil_actors.vm.log_line import LONGEST, log_line
from etamil_actors.vm.values import Ok
from tests.programs.running import run_program


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        (None, "நிகழ்வு"),
        ({"a": 1}, 'நிகழ்வு {"a":1}'),
        ({"password": "x", "b": 2}, 'நிகழ்வு {"b":2,"password":"***"}'),
        ({"சாவி": "x", "கடவுச்சொற்றொடர்": "y"}, 'நிகழ்வு {"கடவுச்சொற்றொடர்":"***","சாவி":"***"}'),
        ({"பயனர்_கடவுச்சொல்": "x"}, 'நிகழ்வு {"பயனர்_கடவுச்சொல்":"***"}'),
        ({"a": [{"X-Api-Key": "x"}, {"Authorization": {"b": "x"}}]}, 'நிகழ்வு {"a":[{"X-Api-Key":"***"},{"Authorization":"***"}]}'),
        ([1, "x"], 'நிகழ்வு [1,"x"]'),
        ({normalize("NFD", "கடவுச்சொல்"): "x"}, f'நிகழ்வு {{"{normalize("NFD", "கடவுச்சொல்")}":"***"}}'),
        ({"ｐａｓｓｗｏｒｄ": "x"}, 'நிகழ்வு {"ｐａｓｓｗｏｒｄ":"***"}'),
        ({"a": Ok({"password": "x", "b": 1})}, 'நிகழ்வு {"a":"சரி({b: 1, password: ***})"}'),
    ],
)
def test_a_line(fields: Any, line: str) -> None:
    assert log_line("நிகழ்வு", fields) == line


KEY = "-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----"


@pytest.mark.parametrize("text", [KEY, KEY.partition("-----END")[0], KEY.replace("PRIVATE", "RSA PRIVATE")])
def test_of_a_private_key_nothing_is_shown(text: str) -> None:
    assert log_line("x", {"a": f"key: {text}"}) == 'x {"a":"key: ***"}'


@pytest.mark.parametrize("short", [0, 5, 12, 25])
def test_a_secret_at_which_a_long_text_is_cut_is_not_shown(short: int) -> None:
    text = " " * (LONGEST - short) + "redis://ravi:hunter2hunter2@cache/0" + "x" * 100
    assert "hunter" not in log_line("x", {"a": text})
    assert "hunter" not in log_line(text, None)


def test_what_is_nested_too_deep_is_left_out() -> None:
    deep: Any = {}
    for _ in range(10_000):
        deep = [deep]
    assert len(log_line("நிகழ்வு", deep)) < 200


def test_a_script_logs_to_standard_error() -> None:
    done = run_text('பதிவு_தகவல்("தொடக்கம்", {"a": 1}); log_error("கெட்டது");')
    assert done.errors == '· தொடக்கம் {"a":1}\n✗ கெட்டது\n'
    assert done.output == ""


def test_a_service_tells_what_it_logs_as_an_event() -> None:
    done = run_program("""
        பணி_உருவாக்கு "வ" {
            முயல் { x = 1 / 0; } பிழை(e) { பதிவு_பிழை("கணக்கு", e); }
            பதிவு_எச்சரிக்கை("கவனம்");
        }
        """, seconds=1)  # fmt: skip
    logged = [event for event in done.events if type(event).__name__ == "Logged"]
    assert [(event.level, event.activity, event.text.split(" ")[0]) for event in logged] == [
        ("error", "பணி வ", "கணக்கு"),
        ("warn", "பணி வ", "கவனம்"),
    ]
    assert '"code":"number.division_by_zero"' in logged[0].text
