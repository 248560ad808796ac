"""The edge is a child like any other: when it falls it comes back, and nobody else notices.

Here the tree runs in this process, with a real listener on a real port, since only from inside can it be made
to fall.
"""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio

from etamil_actors.actors.actor import Actor
from etamil_actors.actors.events import ActorCrashed, ActorRestarted, Event
from etamil_actors.actors.programs.system import ServicePlan, System, open_system
from etamil_actors.app import system_ports
from etamil_actors.edge.access_log import AccessLog, Entry
from etamil_actors.edge.server import Edge
from etamil_actors.edge.settings import HttpSettings
from etamil_actors.resources.system import SimulatedFiles
from etamil_actors.script import read_and_check
from etamil_actors.vm.machine import Image
from tests.http_life.load import Wire
from tests.http_life.serving import Answer, request

PROGRAM = """
எண்ணிக்கை = அணு_உருவாக்கு(0);
பணி_உருவாக்கு "துடிப்பு", {"இடைநேரம்": 0.02} { அணு_கூட்டு(எண்ணிக்கை, 1); }
முகவர் நினைவு() {
    n = 0;
    செய்தி கூட்டு() { n = n + 1; திரும்பு n; }
}
ஒன்று = நினைவு();
வழி பெறு, "/beats" { பதில் 200, அணு_படி(எண்ணிக்கை); }
வழி பெறு, "/count" { பதில் 200, ஒன்று.கூட்டு(); }
வழி பதி, "/write" {
    உறங்கு(0.3);
    பதில் 200, ஒன்று.கூட்டு();
}
"""


class World:
    """A process as it is inside, and its clients."""

    def __init__(self, system: System, edge: Edge, lines: list[str]) -> None:
        self.lines = lines
        """The access log."""
        self.system = system
        self.edge = edge
        self.events: list[Event] = []
        self.mistakes: list[BaseException] = []

    @property
    def port(self) -> int:
        return int(self.edge.urls[0].rpartition(":")[2])

    def actor(self, path: str) -> Actor:
        reference = self.system.tree.registry.at(path)
        assert reference is not None, path
        return reference._actor

    async def ask(self, method: str, path: str) -> Answer:
        """A request on a new connection, which waits when nobody accepts for a moment."""
        wire = await Wire.open(self.port, None)
        try:
            await wire.send(request(method, path, Connection="close"))
            answer = await wire.answer(method)
            assert answer is not None, "no answer"
            return answer
        finally:
            await wire.close()

    async def back(self, times: int) -> None:
        """Wait until it has come back so often."""
        await until(lambda: sum(type(one) is ActorRestarted for one in self.events) >= times)


async def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so that nobody tells."""
    while not is_so():  # noqa: ASYNC110  nobody sets an event
        await trio.sleep(0.01)


async def living(scenario: Callable[[World], Awaitable[None]]) -> World:
    compiled = read_and_check("a.qmz", PROGRAM, SimulatedFiles({}))
    assert compiled.is_sound, [str(problem) for problem in compiled.problems]
    plans = [ServicePlan(name="a", image=Image(compiled.program()))]
    worlds: list[World] = []

    def opening(system: System) -> list[object]:
        def report(problem: BaseException, where: str) -> None:
            worlds[0].mistakes.append(problem)

        lines: list[str] = []
        edge = Edge(
            system,
            HttpSettings(bind=("127.0.0.1:0",)),
            report=report,
            write_access=lambda text: lines.extend(text.splitlines()),
        )
        edge.bind()
        worlds.append(World(system, edge, lines))
        system.events.listen(worlds[0].events.append, messages=False)
        return [edge.spec()]

    try:
        with trio.fail_after(30):
            async with open_system(system_ports(), plans, opening=opening) as system:  # type: ignore[arg-type]
                await scenario(worlds[0])
                assert system is worlds[0].system
    finally:
        worlds[0].edge.close()
    assert not worlds[0].mistakes
    return worlds[0]


async def test_when_the_edge_falls_it_comes_back_at_its_port_and_jobs_and_agents_do_not_notice() -> None:
    async def scenario(world: World) -> None:
        assert (await world.ask("GET", "/count")).body == b"1"
        port = world.port
        for fall in range(1, 6):
            before = int((await world.ask("GET", "/beats")).body)
            assert world.actor("/root/edge/http").crash(RuntimeError("an ordered fall"))
            # A client that comes now waits a moment, and is not refused.
            assert int((await world.ask("GET", "/beats")).body) >= before
            assert (await world.ask("GET", "/count")).body == b"%d" % (fall + 1)
            assert world.port == port
            await world.back(fall)
        fallen = {one.actor for one in world.events if type(one) is ActorCrashed}
        assert fallen == {"/root/edge/http"}
        before = int((await world.ask("GET", "/beats")).body)
        while int((await world.ask("GET", "/beats")).body) < before + 3:
            pass
        assert world.edge.metrics.in_flight == 0

    await living(scenario)


async def test_what_a_request_has_begun_is_finished_though_the_edge_fell() -> None:
    async def scenario(world: World) -> None:
        wire = await Wire.open(world.port, None)
        try:
            await wire.send(request("POST", "/write"))
            await until(lambda: world.edge.metrics.in_flight == 1)
            assert world.actor("/root/edge/http").crash(RuntimeError("an ordered fall"))
            assert await wire.answer() is None, "its connection is gone"
        finally:
            await wire.close()
        await world.back(1)
        await trio.sleep(0.5)  # what is to be shown is that nobody has stopped it
        assert (await world.ask("GET", "/count")).body == b"2"
        assert world.edge.metrics.in_flight == 0

    await living(scenario)


async def test_a_fall_of_the_access_log_is_not_noticed_and_loses_no_line() -> None:
    async def scenario(world: World) -> None:
        wire = await Wire.open(world.port, None)
        try:
            for fall in range(1, 4):
                await wire.send(request("GET", "/count"))
                assert await wire.answer() is not None
                assert world.actor("/root/edge/access-log").crash(RuntimeError("an ordered fall"))
                await world.back(fall)
        finally:
            await wire.close()
        await until(lambda: sum('"path":"/count"' in line for line in world.lines) == 3)

    await living(scenario)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc here")
async def test_lives_of_the_edge_leave_no_descriptors_behind() -> None:
    async def scenario(world: World) -> None:
        await world.ask("GET", "/count")
        before = len(os.listdir("/proc/self/fd"))
        for fall in range(1, 8):
            world.actor("/root/edge/http").crash(RuntimeError("an ordered fall"))
            await world.ask("GET", "/count")
            await world.back(fall)
        assert len(os.listdir("/proc/self/fd")) <= before

    await living(scenario)


async def test_two_may_write_the_access_log_at_a_time() -> None:
    """At the end of a process its writer may be in the middle of something when all that is left is asked for."""
    lines: list[str] = []
    log = AccessLog(lambda text: lines.extend(text.splitlines()), wall=lambda: 0.0, in_thread=False)
    for number in range(200):
        log.note(Entry(0.0, 0.0, "127.0.0.1", "GET", b"/%d" % number, 200, 0, "", "", "", "", b""))
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(log.flush)
            nursery.start_soon(log.flush)
    assert {re.findall(r'"path":"/(\d+)"', line)[0] for line in lines} == set(map(str, range(200)))
    assert len(lines) == 200
