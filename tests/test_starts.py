"""Starts that fail: what is told, with its place and the next step; exit status 1; and nobody was answered."""

from __future__ import annotations

import ctypes
import re
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.child import ETAMIL_ACTORS, ChildProcess, plain_environment
from tests.http_life.serving import Server

ROUTE = 'வழி பெறு, "/" { பதில் 200, "வணக்கம்"; }\n'
CONFIG = 'name: kadai\nservices: [a.qmz]\nhttp: { bind: "127.0.0.1:0" }\n'
SQLITE = 'database: { default: { url: "sqlite:data/kadai.db" } }\n'
JOURNAL = 'சேனல்_உருவாக்கு("வரிசை", {"ஊடகம்": "பதிவேடு"});\n'
NOT_STARTED = r"✗ a: தொடங்கவில்லை  \(did not start\)"


def up(folder: Path, files: dict[str, str], **more: object) -> ChildProcess:
    """``etamil-actors up`` in a folder with these files."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return ChildProcess((*ETAMIL_ACTORS, "up"), folder, plain_environment(folder), **more)  # type: ignore[arg-type]


def a_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def config(bind: str, more: str = "") -> str:
    return CONFIG.replace("127.0.0.1:0", bind) + more


class Failing(NamedTuple):
    """Files that do not start, and patterns of what is said, in the order in which it is said."""

    files: dict[str, str]
    says: tuple[str, ...]


FAILING: dict[str, Failing] = {
    "there is no configuration": Failing(
        {"a.qmz": ROUTE},
        ("✗ ‘config.yaml’ கோப்பைப் படிக்க முடியவில்லை: அப்படி ஒன்று இல்லை  .cannot read ‘config.yaml’: there is no such",),
    ),
    "a program is missing, and another has mistakes": Failing(
        {"config.yaml": "services: [a.qmz, b.qmz]\n", "b.qmz": ROUTE + "x = ;\nஅச்சு 1;\ny = ;\n"},
        (
            "✗ ‘a.qmz’ கோப்பைப் படிக்க முடியவில்லை: அப்படி ஒன்று இல்லை  .cannot read ‘a.qmz’: there is no such",
            r"✗ b.qmz: \[E0201\] வரி 2, நெடுவரிசை 5: .*\(line 2, column 5: expected a value",
            r"  2 \| x = ;",
            r"✗ b.qmz: \[E0201\] வரி 4, நெடுவரிசை 5: ",
        ),
    ),
    "the top level of a program fails": Failing(
        {"config.yaml": CONFIG, "a.qmz": ROUTE + "x = 1 / 0;\n"},
        (NOT_STARTED, r"சுழியத்தால் வகுக்க முடியாது  \(division by zero\)", "a.qmz: வரி 2"),
    ),
    "a migration fails": Failing(
        {
            "config.yaml": CONFIG + SQLITE,
            "a.qmz": f'கடை = விகல்_உருவாக்கு();\nவிகல்_மேம்படுத்து(கடை, "migrations");\n{ROUTE}',
            "migrations/001_items.sql": "CREATE TABLE items (name TEXT);\n",
            "migrations/002_stock.sql": "CREATE TABLE stock (count INTEGER);\nINSERT INTO nowhere VALUES (1);\n",
        },
        (
            NOT_STARTED,
            "மேம்படுத்தும் கோப்பு ‘002_stock.sql’, கட்டளை 2: .*migration ‘002_stock.sql’, statement 2: .*nowhere",
            "a.qmz: வரி 2",
        ),
    ),
    "migrations are not there": Failing(
        {"config.yaml": CONFIG + SQLITE, "a.qmz": f'விகல்_மேம்படுத்து(விகல்_உருவாக்கு(), "migrations");\n{ROUTE}'},
        (NOT_STARTED, "கோப்பு ‘migrations’: .*file ‘migrations’: there is no such file", "a.qmz: வரி 1"),
    ),
    "a database is none": Failing(
        {"config.yaml": CONFIG + SQLITE, "a.qmz": f'x = விகல்_குறி("SELECT 1");\n{ROUTE}', "data/kadai.db": "வணக்கம்" * 99},
        (NOT_STARTED, "‘default’ குளம்: .*pool ‘default’: .*not a database", "a.qmz: வரி 1"),
    ),
    "a journal is none": Failing(
        {"config.yaml": CONFIG, "a.qmz": JOURNAL + ROUTE, "data/journal.sqlite": "வணக்கம்" * 999},
        (NOT_STARTED, "journal.sqlite: இது எங்கள் பதிவேட்டுக் கோப்பு அல்ல.*not a journal of etamil-actors"),
    ),
    "a certificate is none": Failing(
        {"config.yaml": CONFIG.replace("{ bind", "{ tls: { certificate: c.pem, key: c.pem }, bind"),
         "a.qmz": ROUTE, "c.pem": "வணக்கம்"},
        ("did not start", r"http.tls: சான்றிதழையோ .*http.tls: the certificate or its key cannot be used \(.*c.pem"),
    ),
    "a level is for a service that is not there": Failing(
        {"config.yaml": CONFIG + "log: { levels: { கடை: debug } }\n", "a.qmz": ROUTE},
        ("log.levels: ‘கடை’ என்ற சேவை இல்லை; உள்ளவை: a  .*there is no service ‘கடை’; there is a",),
    ),
    "a channel wants a transport that is not there": Failing(
        {"config.yaml": CONFIG + "channels: { வரிசை: { transport: jurnal } }\n", "a.qmz": f'சேனல்_உருவாக்கு("வரிசை");\n{ROUTE}'},
        (NOT_STARTED, "‘jurnal’ ஊடகம் இங்கே இல்லை; உள்ளவை: memory, journal.*there is memory, journal", "a.qmz: வரி 1"),
    ),
    "an address is not of this machine": Failing(
        {"config.yaml": config("192.0.2.1:8080"), "a.qmz": ROUTE},
        ("✗ 192.0.2.1:8080: இந்த முகவரி இந்தக் கணினிக்கு உரியதல்ல.*this machine does not have this address",),
    ),
}  # fmt: skip


@pytest.mark.parametrize("failing", FAILING.values(), ids=FAILING)
def test_a_start_that_fails_says_where_and_leaves(tmp_path: Path, failing: Failing) -> None:
    with up(tmp_path, failing.files) as child:
        assert child.ends() == 1
    expect(child, failing.says)


def expect(child: ChildProcess, patterns: tuple[str, ...]) -> None:
    """So it was said, in this order, and nothing else was started or told as a mistake of ours."""
    place = 0
    for pattern in patterns:
        found = next((number for number, line in enumerate(child.lines[place:], place) if re.search(pattern, line)), None)
        assert found is not None, f"{pattern!r} is not said after line {place}:\n{child.said}"
        place = found
    assert "started" not in child.said
    assert "Traceback" not in child.said


def test_nobody_is_answered_by_a_start_that_fails_in_the_end(tmp_path: Path) -> None:
    port = a_free_port()
    slow = f'{ROUTE}அச்சு "முன்";\nஉறங்கு(0.5);\nx = 1 / 0;\n'
    answered = b""
    with up(tmp_path, {"config.yaml": config(f"127.0.0.1:{port}"), "a.qmz": slow}) as child:
        child.says("முன்")
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=30) as line:
            line.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            answered = line.recv(1)
        assert child.ends() == 1
    assert answered == b""
    expect(child, (NOT_STARTED, "division by zero", "a.qmz: வரி 4"))


def test_a_port_in_use_is_named_with_how_to_find_who_has_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        place = f"127.0.0.1:{other.getsockname()[1]}"
        with up(tmp_path, {"config.yaml": config(place), "a.qmz": ROUTE + 'அச்சு "ஓடியது";\n'}) as child:
            assert child.ends() == 1
    expect(child, (f"✗ {place}: வேறொரு செயல்முறை இங்கே கேட்கிறது; .*{place}: somebody listens here already; to find out",))
    assert "ஓடியது" not in child.said, "a port that cannot be had is known before a program runs"


def without_low_ports() -> None:
    """Between fork and exec: this process may not take ports below 1024, even as root."""
    drop, bind_service = 24, 10  # PR_CAPBSET_DROP, CAP_NET_BIND_SERVICE
    ctypes.CDLL(None).prctl(drop, bind_service, 0, 0, 0)


def first_free_port_of_all() -> int:
    try:
        return int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    except OSError:
        return 1024 if sys.platform != "darwin" else 0


def test_a_port_that_is_not_allowed_is_named_with_the_next_step(tmp_path: Path) -> None:
    if first_free_port_of_all() <= 80:
        pytest.skip("on this machine everybody may take port 80")
    files = {"config.yaml": config("127.0.0.1:80"), "a.qmz": ROUTE}
    with up(tmp_path, files, preexec_fn=without_low_ports) as child:
        assert child.ends() == 1
    expect(child, ("✗ 127.0.0.1:80: இந்தத் துறை எண்ணுக்கு .port. அனுமதி இல்லை; .*127.0.0.1:80: .*write one from 1024 on",))


@pytest.mark.parametrize("kind", ["postgres", "mysql"])
def test_a_database_that_cannot_be_reached_is_named_without_its_password(tmp_path: Path, kind: str) -> None:
    place = f"127.0.0.1:{a_free_port()}"
    database = f'database: {{ கடை: {{ url: "{kind}://malar:hush@{place}/kadai" }} }}\n'
    program = f'அச்சு "முன்";\nx = விகல்_குறி(விகல்_உருவாக்கு("கடை"), "SELECT 1");\n{ROUTE}'
    with up(tmp_path, {"config.yaml": CONFIG + database, "a.qmz": program}) as child:
        assert child.ends() == 1
    expect(child, (
        NOT_STARTED, "‘கடை’ குளம்: தரவுத்தளத்தை அடைய முடியவில்லை.*pool ‘கடை’: the database cannot be reached", "a.qmz: வரி 2",
    ))  # fmt: skip
    assert "hush" not in child.said
    assert "refused" in child.said


def test_a_journal_of_another_process_is_left_to_it(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "a.qmz").write_text(JOURNAL + ROUTE, encoding="utf-8")
    with Server.at(tmp_path) as first:
        with up(tmp_path, {}) as second:
            assert second.ends() == 1
        expect(second, (
            NOT_STARTED,
            rf"journal.sqlite: இந்தப் பதிவேட்டை வேறொரு செயல்முறை .* \(.*in use by another process \({first.pid}\); stop that one",
        ))  # fmt: skip
        assert first.ask("GET", "/").status == 200
        assert first.stop() == 0


def test_two_services_with_one_route_are_told_and_the_first_has_it(tmp_path: Path) -> None:
    files = {
        "config.yaml": CONFIG.replace("[a.qmz]", "[a.qmz, b.qmz]"),
        "a.qmz": ROUTE,
        "b.qmz": ROUTE.replace("வணக்கம்", "வருக"),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    with Server.at(tmp_path) as server:
        told = "b: GET /: ‘a’ சேவையில் இதே வழி இருப்பதால் இது பயன்படாது  (b: GET /: ‘a’ has the same route, so this one is never used)"
        assert server.place_of(told) < server.place_of("started")
        assert server.ask("GET", "/").body.decode() == "வணக்கம்"
        assert server.stop() == 0


def test_a_configuration_that_is_none_is_told_before_any_program_is_read(tmp_path: Path) -> None:
    with up(tmp_path, {"config.yaml": CONFIG + "procesess: 2\n", "a.qmz": "x = ;\n"}) as child:
        assert child.ends() == 1
    assert child.lines == [
        "✗ config.yaml:4: ‘procesess’ என்ற அமைப்பு இல்லை; ‘processes’ என்று எழுத எண்ணினீர்களா?"
        "  (config.yaml:4: there is no setting ‘procesess’; did you mean ‘processes’?)"
    ]
