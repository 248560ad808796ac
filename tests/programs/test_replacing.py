"""New code for a service that runs: in virtual time, from the inside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio

from etamil_actors.actors.events import ActorCrashed, EventStream
from etamil_actors.actors.programs.replacing import NEXT, Refusal, Replacer
from etamil_actors.actors.programs.system import ServicePlan, System, open_system
from etamil_actors.errors import Fault
from etamil_actors.resources.system import SimulatedConsole
from tests.actors.helpers import run_virtually
from tests.programs.running import image_of, left_over, ports_of


def plan(text: str, name: str = "சேவை") -> ServicePlan:
    return ServicePlan(name=name, image=image_of(text))


def run(
    first: str, during: Callable[[System, Replacer], Awaitable[None]], *, crashes_of: str = ""
) -> list[str]:
    """Run a service, and do something with it; what it has printed. Nobody may crash but below this place."""
    console, events, crashes = SimulatedConsole(), EventStream(), list[str]()

    def note(event: object) -> None:
        if isinstance(event, ActorCrashed) and not (crashes_of and event.actor.startswith(crashes_of)):
            crashes.append(f"{event.actor}: {event.problem!r}")

    async def scenario() -> None:
        found: list[Replacer] = []

        def opening(system: System) -> object:
            found.append(Replacer(system))
            return found[0].specs()

        async with open_system(
            ports_of(console), [plan(first)], events=events, random=lambda: 0.5, opening=opening  # type: ignore[arg-type]
        ) as system:
            await during(system, found[0])
            await trio.sleep(60)
            assert not system.parting, "an earlier generation has not ended"
        assert not left_over(system)

    events.listen(note, messages=False)
    run_virtually(scenario)
    assert not crashes
    return console.output.splitlines()


COUNTER = """
முகவர் எண்ணி(தொடக்கம்) {{
    தொகை = தொடக்கம்;
    செய்தி கூட்டு(எவ்வளவு) {{ தொகை = தொகை + எவ்வளவு; திரும்பு {version} & ":" & தொகை; }}
}}
எ = முகவர்_தொடங்கு(எண்ணி, [100], {options});
பணி_உருவாக்கு "கேள்", {{"every": 1}} {{ அச்சு எ.கூட்டு(1); }}
"""


async def after(seconds: float, replacer: Replacer, text: str) -> None:
    await trio.sleep(seconds)
    await replacer.replace(plan(text))


@pytest.mark.parametrize(
    ("options", "goes_on_with"),
    [('{"keep": மெய்}', 103), ('{"keep": மெய், "name": "எ"}', 103), ("{}", 101)],
)
def test_an_agent_goes_on_with_its_state_where_it_is_kept(options: str, goes_on_with: int) -> None:
    async def during(system: System, replacer: Replacer) -> None:
        await after(2.5, replacer, COUNTER.format(version=2, options=options))
        await trio.sleep(1.2)
        system.leave(0)

    lines = run(COUNTER.format(version=1, options=options), during)
    assert lines[:3] == ["1:101", "1:102", f"2:{goes_on_with}"]


def test_the_state_of_an_agent_goes_over_by_its_names_and_shapes() -> None:
    first = """
வடிவம் புள்ளி {{ x: எண், y: எண்{more} }}
முகவர் அ() {{
    {extra}
    செய்தி வை(எ) {{ இடங்கள் = இணை(இடங்கள், புள்ளி {{ x: எ, y: எ }}); திரும்பு நீளம்(இடங்கள்); }}
    செய்தி பார்() {{ திரும்பு {look}; }}
}}
ஒன்று = முகவர்_தொடங்கு(அ, [], {{"keep": மெய்}});
பணி_உருவாக்கு "கேள்", {{"every": 1}} {{ அச்சு ஒன்று.வை(7) & " " & ஒன்று.பார்(); }}
"""
    old = first.format(more="", extra="இடங்கள் = []; பழைய = 1;", look="பழைய")
    new = first.format(more="", extra="புதிய = 5; இடங்கள் = [];", look="இடங்கள்[0].x + புதிய")

    async def during(system: System, replacer: Replacer) -> None:
        await after(2.5, replacer, new)
        await trio.sleep(1.2)

    assert run(old, during)[:3] == ["1 1", "2 1", "3 12"]


def test_code_that_does_not_start_changes_nothing() -> None:
    problems: list[BaseException] = []

    async def during(system: System, replacer: Replacer) -> None:
        await trio.sleep(1.5)
        before = system.services["சேவை"]
        for text in (
            "x = 1 / 0;",
            'ந = 0; பணி_உருவாக்கு "அ", {"every": ந} { }',
            'ந = "நாளை"; வழி பெறு, "/x", {"timeout": ந} { பதில் 200, ""; }',
        ):
            with pytest.raises(Refusal) as refused:
                await replacer.replace(plan(text))
            problems.append(refused.value.problem)
        assert system.services["சேவை"] is before
        await trio.sleep(1)

    text = COUNTER.format(version=1, options='{"name": "எ"}')
    assert run(text, during, crashes_of=f"/root/{NEXT}")[:2] == ["1:101", "1:102"]
    assert all(isinstance(problem, Fault) for problem in problems)


def test_a_message_in_hand_is_finished_by_the_old_code_and_the_next_is_taken_by_the_new() -> None:
    text = """
சே = சேனல்_உருவாக்கு("வேலை");
பணி_உருவாக்கு "செய்", {{"channel": சே}} {{ உறங்கு(2); அச்சு "{version} " & செய்தி; }}
{more}
"""
    more = 'பணி_உருவாக்கு "போடு" { ஒவ்வொரு எ இல் [1, 2, 3, 4] { சேனல்_அனுப்பு(சே, எ); } }'

    async def during(system: System, replacer: Replacer) -> None:
        await after(3, replacer, text.format(version="புதிது", more=""))

    lines = run(text.format(version="பழையது", more=more), during)
    assert sorted(lines) == ["பழையது 1", "பழையது 2", "புதிது 3", "புதிது 4"]


def test_a_job_that_was_started_once_is_done_to_its_end_by_the_old_code() -> None:
    text = 'செயல் வேலை() { பணி_உருவாக்கு "ஒருமுறை" { உறங்கு(20); அச்சு "முடிந்தது"; } }\nவேலை();'

    async def during(system: System, replacer: Replacer) -> None:
        await after(1, replacer, 'அச்சு "புதிது";')
        assert len(system.parting) == 1

    assert run(text, during) == ["புதிது", "முடிந்தது"]


def test_an_agent_that_was_started_while_the_service_ran_begins_anew() -> None:
    text = """
முகவர் அறை(பெயர்) {{ எத்தனை = 0; செய்தி வா() {{ எத்தனை = எத்தனை + 1; திரும்பு பெயர் & எத்தனை & "{version}"; }} }}
பணி_உருவாக்கு "கேள்", {{"every": 1}} {{
    அ = முகவர்_தேடு("வாசல்");
    (அ == இன்மை) எனில் {{ அ = முகவர்_தொடங்கு(அறை, ["வாசல்"], {{"name": "வாசல்", "keep": {keep}}}); }}
    அச்சு அ.வா();
}}
"""
    for keep, third in (("மெய்", "வாசல்3b"), ("பொய்", "வாசல்1b")):

        async def during(system: System, replacer: Replacer, keep: str = keep) -> None:
            await after(2.5, replacer, text.format(version="b", keep=keep))
            await trio.sleep(1.2)

        lines = run(text.format(version="a", keep=keep), during)
        assert lines[:3] == ["வாசல்1a", "வாசல்2a", third]


def test_the_blocks_of_the_end_run_when_a_generation_ends() -> None:
    async def during(system: System, replacer: Replacer) -> None:
        await after(1, replacer, 'நிறுத்தும்போது { அச்சு "இரண்டு"; }')
        await trio.sleep(1)
        assert [one.path for one in system.services.values()] == [f"/root/{NEXT}/சேவை#2"]

    assert run('நிறுத்தும்போது { அச்சு "ஒன்று"; }', during) == ["ஒன்று", "இரண்டு"]


def test_services_come_and_go() -> None:
    async def during(system: System, replacer: Replacer) -> None:
        await replacer.replace(plan('பணி_உருவாக்கு "அ", {"every": 1} { அச்சு "கூடுதல்"; }', "மற்றது"))
        await trio.sleep(1.5)
        await replacer.remove("மற்றது")
        assert list(system.services) == ["சேவை"]

    assert run("x = 1;", during) == ["கூடுதல்"]


def test_a_hundred_generations_leave_nothing_behind() -> None:
    async def during(system: System, replacer: Replacer) -> None:
        for version in range(100):
            await after(0.3, replacer, COUNTER.format(version=version, options='{"keep": மெய், "name": "எ"}'))
        await trio.sleep(30)
        branch = system.tree.at(f"/root/{NEXT}")._actor
        assert len(branch.children) == 1  # type: ignore[attr-defined]
        assert len(system.agents) == 1

    assert run(COUNTER.format(version="x", options='{"keep": மெய், "name": "எ"}'), during)
