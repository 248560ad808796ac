"""The steps of a shutdown in virtual time: their order, their deadlines, and what they leave behind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import pytest
import trio

from etamil_actors.actors.programs import service
from etamil_actors.actors.programs.activity import Activity
from etamil_actors.actors.programs.shutdown import STEPS, Hook, Shutdown
from etamil_actors.actors.programs.system import ServicePlan, System, open_system
from etamil_actors.actors.programs.words import WORDS
from etamil_actors.app import Process
from etamil_actors.observe.lines import Lines
from etamil_actors.plan import Plan, Service
from etamil_actors.resources.system import SimulatedConsole, SimulatedFiles
from etamil_actors.script import fault_text, read_and_check
from etamil_actors.testing import run_seeded, simulated_ports
from etamil_actors.vm.machine import Image
from etamil_actors.vm.values import Value

During = Callable[[System, Shutdown], Awaitable[None]]


class Taken(NamedTuple):
    """How a shutdown went."""

    shutdown: Shutdown
    system: System
    said: list[tuple[float, str]]
    """What was told in English, with the seconds since the shutdown began."""
    seconds: float
    lines: list[str]
    """What the programs have printed."""

    @property
    def texts(self) -> list[str]:
        return [text for _, text in self.said]


def image_of(text: str) -> Image:
    compiled = read_and_check("a.qmz", text, SimulatedFiles({}))
    assert compiled.is_sound, [str(problem) for problem in compiled.problems]
    return Image(compiled.program())


def take_down(
    *texts: str,
    after: float = 1.0,
    during: During | None = None,
    hooks: dict[str, list[Hook]] | None = None,
    seconds: dict[str, float] | None = None,
    seed: int = 0,
) -> Taken:
    """Run programs as services for so many seconds, and take them down."""

    async def scenario() -> Taken:
        ports = simulated_ports()
        plans = [ServicePlan(name=name, image=image_of(text)) for name, text in zip("abc", texts, strict=False)]
        said: list[tuple[float, str]] = []
        async with open_system(ports, plans, journal=":memory:") as system:
            await trio.sleep(after)
            begun = trio.current_time()
            shutdown = Shutdown(
                system,
                lambda tamil, english: said.append((round(trio.current_time() - begun, 1), english)),
                hooks=hooks,
                seconds=seconds,
            )
            async with trio.open_nursery() as nursery:
                if during is not None:
                    nursery.start_soon(during, system, shutdown)
                await shutdown.run()
            took = trio.current_time() - begun
        console = ports.console
        assert isinstance(console, SimulatedConsole)
        return Taken(shutdown, system, said, round(took, 1), console.output.splitlines())

    return run_seeded(scenario, seed=seed)


# ---- order ----------------------------------------------------------------------------


def test_the_steps_come_in_their_order_with_the_hooks_of_the_edge_first() -> None:
    taken: list[str] = []

    def hook(key: str) -> Hook:
        async def note() -> None:
            taken.append(key)

        return note

    done = take_down(
        'பணி_உருவாக்கு "அ" { முயல் { உறங்கு(5); } இறுதியில் { அச்சு "பணி"; } }\nநிறுத்தும்போது { அச்சு "கடைசி"; }\n',
        hooks={step.key: [hook(step.key)] for step in STEPS},
    )
    assert taken == [step.key for step in STEPS]
    assert taken[:5] == ["ready", "notice", "refuse", "goodbye", "requests"]
    assert taken[5:] == ["jobs", "tasks", "agents", "channels", "closing", "resources"]
    assert done.lines == ["பணி", "கடைசி"]
    assert done.shutdown.is_clean


def test_every_step_is_told_in_both_languages_and_has_a_time() -> None:
    assert len({step.key for step in STEPS}) == len(STEPS)
    assert all(step.tamil and step.english and step.does and step.seconds > 0 for step in STEPS)


def test_a_job_that_sends_finishes_before_its_agent_and_that_before_the_blocks_at_the_end() -> None:
    done = take_down(
        "முகவர் அ() { செய்தி வை(x) { உறங்கு(1); அச்சு x; திரும்பு x; } நிறுத்தும்போது { அச்சு \"முகவர்\"; } }\nx = அ();\n"
        'பணி_உருவாக்கு "ப" { உறங்கு(3); முகவர்_சொல்(x, "வை", [1]); முகவர்_சொல்(x, "வை", [2]); அச்சு "பணி"; }\n'
        'நிறுத்தும்போது { அச்சு "கடைசி"; }\n'
    )
    assert done.lines == ["பணி", "1", "2", "முகவர்", "கடைசி"]
    assert done.seconds == pytest.approx(4.0, abs=0.1)
    assert done.shutdown.status() == 0


def test_agents_may_ask_earlier_ones_until_their_last_word() -> None:
    done = take_down(
        "முகவர் கிடங்கு() { n = 0; செய்தி வை(x) { n = n + x; திரும்பு n; } நிறுத்தும்போது { அச்சு \"கிடங்கு \" & n; } }\n"
        "முகவர் கடை(k) { கி = k; செய்தி பார்() { திரும்பு 1; } நிறுத்தும்போது { அச்சு \"கடை \" & கி.வை(5); } }\n"
        "k = கிடங்கு(); a = கடை(k); b = கடை(k);\n"
    )
    assert sorted(done.lines[:2]) == ["கடை 10", "கடை 5"]
    assert done.lines[2:] == ["கிடங்கு 10"]
    assert done.shutdown.is_clean


def test_an_agent_that_keeps_itself_busy_is_not_waited_for_long() -> None:
    done = take_down(
        "முகவர் துடிப்பு() { n = 0; செய்தி துடி() { n = n + 1; உறங்கு(0.5); முகவர்_சொல்(இது, \"துடி\"); }"
        ' நிறுத்தும்போது { அச்சு "நின்றது"; } }\nx = துடிப்பு(); முகவர்_சொல்(x, "துடி");\n'
    )
    assert done.lines == ["நின்றது"]
    assert done.seconds < 4
    assert done.shutdown.is_clean


def test_the_tasks_of_an_agent_work_until_its_last_message_is_handled() -> None:
    done = take_down(
        "முகவர் அ() { செய்தி கணி() { v = இணையாக([செயல்() { உறங்கு(2); திரும்பு 1; }, செயல்() { திரும்பு 2; }]); அச்சு v; } }\n"
        'x = அ();\nபணி_உருவாக்கு "ப" { உறங்கு(2); முகவர்_சொல்(x, "கணி"); }\n'
    )
    assert done.lines == ["[1, 2]"]
    assert done.shutdown.is_clean


def test_services_go_side_by_side() -> None:
    slow = 'பணி_உருவாக்கு "ப" { உறங்கு(8); அச்சு "முடிந்தது"; }\nநிறுத்தும்போது { உறங்கு(2); }\n'
    done = take_down(slow, slow, slow)
    assert done.lines == ["முடிந்தது"] * 3
    assert done.seconds == 9.0


def test_jobs_take_nothing_more_and_what_is_left_is_counted() -> None:
    done = take_down(
        'c = சேனல்_உருவாக்கு("வரிசை");\nஒவ்வொரு i இல் [1, 2, 3, 4, 5] { சேனல்_அனுப்பு(c, i); }\n'
        'பணி_உருவாக்கு "ப", {"channel": c} { அச்சு செய்தி; உறங்கு(2); அச்சு "முடிந்தது"; }\n'
    )
    assert done.lines == ["1", "முடிந்தது"]
    assert done.shutdown.left == {"வரிசை": 4}
    assert done.system.letters.count("வரிசை") == 4
    assert done.shutdown.status() == 0, "what was left is no failure: it is counted"


def test_a_message_in_the_hands_of_a_job_that_is_cut_is_a_dead_letter() -> None:
    done = take_down(
        'c = சேனல்_உருவாக்கு("வரிசை");\nசேனல்_அனுப்பு(c, "முக்கியம்");\n'
        'பணி_உருவாக்கு "ப", {"channel": c, "shutdown": 1} { உறங்கு(900); }\n'
    )
    assert done.shutdown.left == {"வரிசை": 1}
    assert [one.path for one in done.shutdown.cut] == ["/root/a/jobs/ப"]


def test_what_a_journal_holds_stays_there() -> None:
    waiting: list[dict[str, int]] = []
    systems: list[System] = []

    async def keep(system: System, shutdown: Shutdown) -> None:
        systems.append(system)

    async def look() -> None:
        assert systems[0].journal is not None
        waiting.append(systems[0].journal.waiting())

    done = take_down(
        'c = சேனல்_உருவாக்கு("வரிசை", {"transport": "journal"});\nசேனல்_அனுப்பு(c, 1); சேனல்_அனுப்பு(c, 2);\n'
        'பணி_உருவாக்கு "ப", {"channel": c, "shutdown": 1} { உறங்கு(900); }\n',
        hooks={"resources": [look]},
        during=keep,
    )
    assert waiting == [{"வரிசை": 2}]
    assert done.shutdown.left == {}
    assert done.system.journal is not None
    assert done.system.journal.is_clean


# ---- what does not end ----------------------------------------------------------------


def test_a_job_has_the_time_that_its_program_gave_it() -> None:
    done = take_down('பணி_உருவாக்கு "ப", {"shutdown": 100} { உறங்கு(91); அச்சு "முடிந்தது"; }\n')
    assert (done.lines, done.seconds, done.shutdown.status()) == (["முடிந்தது"], 90.0, 0)


def test_what_is_cut_is_named_with_its_line_and_runs_its_last_blocks() -> None:
    done = take_down(
        'செயல் ஆழம்() {\n    உறங்கு(900);\n}\nபணி_உருவாக்கு "ப", {"shutdown": 3} {\n'
        '    முயல் { ஆழம்(); } இறுதியில் { உறங்கு(1); அச்சு "இறுதி"; }\n}\n'
    )
    assert done.lines == ["இறுதி"]
    assert [str(one) for one in done.shutdown.cut] == ["/root/a/jobs/ப (a.qmz:2)"]
    assert "cut: /root/a/jobs/ப (a.qmz:2)" in done.texts
    assert done.seconds == 4.0
    assert done.shutdown.status() == 1


def test_a_program_that_leaves_keeps_its_status_when_something_was_cut() -> None:
    done = take_down(
        'பணி_உருவாக்கு "ப", {"shutdown": 1} { உறங்கு(900); }\nபணி_உருவாக்கு "வெளி" { வெளியேறு(7); }\n'
    )
    assert len(done.shutdown.cut) == 1
    assert done.shutdown.status() == 7


def test_an_agent_that_does_not_end_is_cut() -> None:
    done = take_down(
        'முகவர் அ() { செய்தி தூங்கு() { உறங்கு(900); } }\nx = அ(); முகவர்_சொல்(x, "தூங்கு");\n'
    )
    assert [one.path for one in done.shutdown.cut] == ["/root/a/agents/அ#1"]
    assert done.shutdown.cut[0].place == "a.qmz:1"
    assert done.seconds < 30


def test_a_block_at_the_end_is_not_waited_for_without_end() -> None:
    done = take_down('நிறுத்தும்போது { உறங்கு(900); }\nநிறுத்தும்போது { அச்சு "இல்லை"; }\n')
    assert [one.path for one in done.shutdown.cut] == ["/root/a/closing"]
    assert done.seconds <= 16
    assert done.shutdown.status() == 1


def test_being_in_a_hurry_cuts_everything_now() -> None:
    async def impatient(system: System, shutdown: Shutdown) -> None:
        await trio.sleep(2)
        shutdown.hurry()

    done = take_down(
        'முகவர் அ() { செய்தி தூங்கு() { உறங்கு(900); } }\nx = அ(); முகவர்_சொல்(x, "தூங்கு");\n'
        'பணி_உருவாக்கு "ப", {"shutdown": 900} { உறங்கு(900); }\n'
        'நிறுத்தும்போது { உறங்கு(900); }\n',
        during=impatient,
    )
    assert [one.path for one in done.shutdown.cut] == ["/root/a/jobs/ப", "/root/a/agents/அ#1", "/root/a/closing"]
    assert done.seconds == 2.0
    assert not done.shutdown.is_stuck


def test_what_cannot_be_cut_is_stuck_and_the_next_steps_come_nevertheless() -> None:
    release = trio.Event()
    before = WORDS["_sleep"]

    async def free_it(system: System, shutdown: Shutdown) -> None:
        while not shutdown.is_stuck:  # noqa: ASYNC110  the event is the other way round
            await trio.sleep(1)
        await trio.sleep(5)
        release.set()

    async def block(activity: Activity, seconds: Value) -> None:
        with trio.CancelScope(shield=True):
            await release.wait()

    WORDS["_sleep"] = block
    try:
        done = take_down(
            'பணி_உருவாக்கு "ப", {"shutdown": 1} { உறங்கு(1); }\nநிறுத்தும்போது { அச்சு "கடைசி"; }\n', during=free_it
        )
    finally:
        WORDS["_sleep"] = before
    assert done.lines == ["கடைசி"]
    assert done.shutdown.cut[0].is_stuck
    assert "was cut and still runs: /root/a/jobs/ப (a.qmz:1)" in done.texts


def test_a_hook_that_does_not_come_back_is_given_up() -> None:
    done = take_down("x = 1;\n", hooks={"goodbye": [trio.sleep_forever]}, seconds={"goodbye": 3.0})
    assert done.texts == ["given up: the step ‘goodbye’"]
    assert (done.seconds, done.shutdown.status()) == (3.0, 1)


def test_what_still_runs_is_told_every_five_seconds() -> None:
    done = take_down('பணி_உருவாக்கு "ப", {"shutdown": 60} { உறங்கு(13); }\n')
    assert done.said == [
        (5.0, "still running (jobs): /root/a/jobs/ப (a.qmz:1)"),
        (10.0, "still running (jobs): /root/a/jobs/ப (a.qmz:1)"),
    ]


def test_nothing_starts_again_while_everything_ends() -> None:
    done = take_down(
        'பணி_உருவாக்கு "ப", {"restart": "permanent", "shutdown": 5} { அச்சு "ஓட்டம்"; உறங்கு(2); x = 1 / 0; }\n'
    )
    assert done.lines == ["ஓட்டம்"]
    assert done.seconds == 1.0


@pytest.mark.parametrize("seed", range(5))
def test_any_schedule_ends_the_same_way(seed: int) -> None:
    done = take_down(
        'c = சேனல்_உருவாக்கு("வரிசை");\nமுகவர் அ() { n = 0; செய்தி கூட்டு() { n = n + 1; உறங்கு(0.01); திரும்பு n; } }\nx = அ();\n'
        'பணி_உருவாக்கு "எழுது", {"every": 0.05} { சேனல்_அனுப்பு(c, x.கூட்டு()); }\n'
        'பணி_உருவாக்கு "படி", {"channel": c, "instances": 3} { உறங்கு(0.1); அச்சு செய்தி; }\n'
        'நிறுத்தும்போது { அச்சு "கடைசி"; }\n',
        after=3.0,
        seed=seed,
    )
    assert done.lines[-1] == "கடைசி"
    numbers = sorted(int(line) for line in done.lines[:-1])
    assert numbers == list(range(1, len(numbers) + 1))
    assert done.shutdown.is_clean


# ---- a process ------------------------------------------------------------------------


def live(text: str, seconds: float = 900.0) -> tuple[int, str]:
    """A process with one service: its status, and everything that it has told."""

    async def scenario() -> tuple[int, str]:
        told: list[str] = []
        lines = Lines(told.append, fault_text=fault_text, in_thread=False)
        process = Process(lines, end=told.append)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lines.run)
            plan = Plan("a", [Service("a", image_of(text).program)], ":memory:")
            with trio.move_on_after(seconds):
                await process.live(plan, simulated_ports(), lambda system, process: ())
            await lines.flush()
            nursery.cancel_scope.cancel("the test has ended")
        return process.status, "".join(told)

    return run_seeded(scenario)


def test_the_root_gives_up_with_a_report(monkeypatch: pytest.MonkeyPatch) -> None:
    # A thousand restarts within a second are allowed else; here three jobs can use them up.
    monkeypatch.setattr(service, "MANY", 2)
    status, told = live('பணி_உருவாக்கு "விழும்", {"instances": 3} {\n    x = 1 / 0;\n}\n')
    assert status == 1
    report = told[told.index("(the process gives up)") :]
    assert "‘/root’ gave up" in report
    assert "‘/root/a/jobs’ gave up" in report
    assert "/root/a/jobs/விழும்: a.qmz:2:9: சுழியத்தால் வகுக்க முடியாது  (division by zero)" in report
    assert "3 restarts are allowed" in report
    assert "restarted at once" in report


def test_a_start_that_fails_is_reported_once() -> None:
    status, told = live("செயல் f() { திரும்பு 1 / 0; }\nx = f(); c = சேனல்_உருவாக்கு();\n")
    assert status == 1
    assert told.splitlines() == [
        "✗ a: தொடங்கவில்லை  (did not start)",
        "✗ சுழியத்தால் வகுக்க முடியாது  (division by zero)  [number.division_by_zero]",
        "    a.qmz: வரி 1, நெடுவரிசை 16  (line 1, column 16)  f()",
        "    a.qmz: வரி 2, நெடுவரிசை 5  (line 2, column 5)",
    ]
