"""The log as JSON lines: one object for each line, whatever is in it, with all that finds it again."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from etamil_actors.actors.events import ActorCrashed, ActorRestarted, Event, EventStream
from etamil_actors.actors.programs.exchange import RequestFailed
from etamil_actors.actors.programs.jobs import RunFailed
from etamil_actors.actors.programs.keeper import Told
from etamil_actors.actors.programs.log import Logged
from etamil_actors.errors import BudgetSpent, Fault, Frame
from etamil_actors.observe.lines import Lines
from etamil_actors.testing.determinism import run_seeded
from etamil_actors.vm.log_line import Secrets, masked
from tests.programs.running import run_program

WALL = 1_767_225_600.0
TRACE = f"00-{'a' * 32}-{'b' * 16}-01"


def text_of(*events: Event, **options: Any) -> str:
    """What is written when these have happened, a second after each other has passed."""
    written: list[str] = []

    async def scenario() -> None:
        lines = Lines(written.append, as_json=True, in_thread=False, wall=lambda: WALL, **options)
        for event in events:
            lines.hear(event)
        await lines.flush()

    run_seeded(scenario)
    return "".join(written)


def told_of(*events: Event, **options: Any) -> list[dict[str, Any]]:
    text = text_of(*events, **options)
    assert text.endswith("\n")
    return [json.loads(line) for line in text[:-1].split("\n")]


def logged(event: str = "விற்பனை", fields: Any = None, level: str = "info", **members: str) -> Logged:
    given = {"request": "", "trace": "", **members}
    return Logged(0.0, "/root/kadai/jobs/வ", "kadai", level, "பணி வ", event, fields, given["request"], given["trace"])


def test_a_line_of_a_program_tells_when_who_what_and_for_which_request() -> None:
    (told,) = told_of(logged(fields={"எண்": 7}, request="r1", trace=TRACE))
    assert told == {
        "time": "2026-01-01T00:00:00.000Z",
        "level": "info",
        "event": "விற்பனை",
        "service": "kadai",
        "actor": "/root/kadai/jobs/வ",
        "activity": "பணி வ",
        "request": "r1",
        "trace": "a" * 32,
        "span": "b" * 16,
        "fields": {"எண்": 7},
    }


def test_what_is_not_there_is_left_out() -> None:
    (told,) = told_of(logged())
    assert list(told) == ["time", "level", "event", "service", "actor", "activity"]


def test_decimals_keep_their_digits() -> None:
    done = run_program('பதிவு_தகவல்("x", {"விலை": 12345678901234567890.12, "பெரியது": 79228162514264337593543950335});')
    (line,) = [event for event in done.events if isinstance(event, Logged)]
    assert text_of(line).endswith('"fields":{"பெரியது":79228162514264337593543950335,"விலை":12345678901234567890.12}}\n')


FAULT = Fault("shop.closed", tamil="மூடியாயிற்று", english="closed")
FAULT.trace = (Frame("kadai.qmz", 3, 5, "விற்பனை"), Frame("kadai.qmz", 9, 1, ""))
ERROR = {
    "code": "shop.closed", "tamil": "மூடியாயிற்று", "english": "closed",
    "trace": ["kadai.qmz:3:5 விற்பனை", "kadai.qmz:9:1"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("event", "members"),
    [
        (ActorCrashed(0.0, "/root/a", 2, FAULT), {"level": "error", "event": "actor.crashed", "life": 2, "error": ERROR}),
        (ActorCrashed(0.0, "/root/a", 2, BudgetSpent(FAULT)), {"error": ERROR}),
        (ActorCrashed(0.0, "/root/a", 2, ValueError("x")), {"error": {"kind": "ValueError", "message": "ValueError: x"}}),
        (ActorRestarted(0.0, "/root/a", 3, 1.5, "/root/b"), {"level": "warn", "event": "actor.restarted", "life": 3}),
        (RunFailed(0.0, "/root/a", 2, FAULT, 5.0), {"level": "error", "event": "run.failed", "attempt": 2, "error": ERROR}),
        (RequestFailed(0.0, "/root/a", "GET /a", "r1", FAULT), {"event": "request.failed", "request": "r1", "error": ERROR}),
        (Told(0.0, "/root/resources", "அ", "a"), {"level": "warn", "event": "resources", "tamil": "அ", "english": "a"}),
    ],
)  # fmt: skip
def test_what_happens_in_the_tree_is_a_line_as_well(event: Event, members: dict[str, Any]) -> None:
    (told,) = told_of(event)
    assert {**told, **members} == told and told["actor"] == event.actor


def test_both_languages_stand_in_members_of_their_own() -> None:
    (told,) = told_of(ActorCrashed(0.0, "/root/a", 2, FAULT))
    assert (told["tamil"], told["english"]) == ("/root/a பழுதடைந்தது", "/root/a crashed, life 2")


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@settings(deadline=None)
@given(TEXTS, st.dictionaries(TEXTS, st.one_of(TEXTS, st.integers(), st.booleans(), st.none(), st.lists(TEXTS))))
def test_whatever_a_program_logs_is_one_line_that_can_be_read(event: str, fields: dict[str, Any]) -> None:
    text = text_of(logged(event, masked(fields)))
    assert text.count("\n") == 1 and len(text.splitlines()) == 1
    told = json.loads(text)
    assert told["event"] == event
    assert all(told["fields"][key] == fields[key] for key in fields if type(fields[key]) in (int, bool, type(None)) and key.isascii() and key.isalpha() and not Secrets().is_secret(key))


def test_lines_that_were_dropped_are_counted_and_told_as_a_line() -> None:
    told = told_of(*[logged(str(number)) for number in range(10)], most=3)
    assert [line["event"] for line in told] == ["0", "1", "2", "log.dropped"]
    assert (told[3]["count"], told[3]["level"], told[3]["english"]) == (7, "error", "lines that were dropped: 7")


def test_names_that_the_operator_adds_are_hidden_as_well() -> None:
    secrets = Secrets(["Aadhaar", "பான்_எண்"])
    fields = {"aadhaar_number": "1", "பான்_எண்": "2", "எண்": 3, "nested": [{"MY-AADHAAR": 4}]}
    assert masked(fields, secrets) == {
        "aadhaar_number": "***", "பான்_எண்": "***", "எண்": 3, "nested": [{"MY-AADHAAR": "***"}],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("Bearer abcdefghijk.lmn", "***"),
        ("postgres://ravi:hunter2@db/kadai", "postgres://***@db/kadai"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "***"),
        ("வணக்கம்: உலகம்", "வணக்கம்: உலகம்"),
    ],
)
def test_what_looks_like_a_secret_is_hidden_wherever_it_stands(value: str, shown: str) -> None:
    assert masked({"note": value}) == {"note": shown}


# ---- levels ---------------------------------------------------------------------------

LEVELS = 'பதிவு_பிழை "e"; பதிவு_எச்சரிக்கை "w"; பதிவு_தகவல் "i"; பதிவு_தடம் "d";'


@pytest.mark.parametrize(("least", "heard"), [(0, "ewid"), (1, "ewi"), (2, "ew"), (3, "e")])
def test_what_is_below_the_level_of_its_service_is_not_even_made(least: int, heard: str) -> None:
    from etamil_actors.actors.programs.system import System, open_system
    from tests.programs.running import ServicePlan, SimulatedConsole, image_of, ports_of, run_virtually

    lines: list[str] = []

    async def scenario() -> None:
        def opening(system: System) -> None:
            system.services["quiet"].least_logged = least

        events = EventStream()
        events.listen(lambda event: lines.append(f"{event.service}:{event.event}") if isinstance(event, Logged) else None)
        plans = [ServicePlan(name=name, image=image_of(LEVELS)) for name in ("quiet", "loud")]
        async with open_system(ports_of(SimulatedConsole()), plans, events=events, opening=opening):
            await trio.lowlevel.checkpoint()

    run_virtually(scenario)
    assert lines == [*(f"quiet:{one}" for one in heard), *(f"loud:{one}" for one in "ewid")]
