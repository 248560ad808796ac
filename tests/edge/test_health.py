"""Health: what is answered about a process, compared with a look at every actor of its tree."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from etamil_actors.actors.actor import Actor, ActorSpec, Behaviour, State
from etamil_actors.actors.errors import ActorError, TooManyRestartsError
from etamil_actors.actors.events import EventStream
from etamil_actors.actors.programs.system import System
from etamil_actors.actors.restart import Backoff, Restart, Strategy
from etamil_actors.actors.supervisor import DynamicSpec, SupervisorSpec
from etamil_actors.actors.tree import Tree, open_tree
from etamil_actors.edge.health import NAMED, QUESTIONS, Health, Verdict
from tests.actors.helpers import Crash, Worker, run_virtually, settle, worker
from tests.programs.running import run_program

SLOW = Backoff(initial=5.0, jitter=0.0)


def told(health: Health, question: str = "") -> tuple[int, dict[str, Any]]:
    """Status and content of an answer."""
    response = health.answer(question)
    assert (b"content-type", b"application/json") in response.headers
    assert (b"cache-control", b"no-store") in response.headers
    return response.status, msgspec.json.decode(response.body)


def kadai(*children: Any, name: str = "kadai", **options: Any) -> SupervisorSpec:
    return SupervisorSpec(name="root", children=(SupervisorSpec(name=name, children=children, **options),))


# ---------------------------------------------------------------- from start to end


class Gated(Behaviour):
    """Starts when it is let."""

    def __init__(self, gate: trio.Event) -> None:
        self.gate = gate

    async def on_start(self, actor: Actor) -> None:
        await self.gate.wait()


def test_it_starts_serves_and_drains() -> None:
    async def scenario() -> None:
        gate, events, seen = trio.Event(), EventStream(), []
        leaving = trio.Event()

        class Edge(Behaviour):
            """Stands before the service here, so that it can be asked while that starts."""

            async def on_start(self, actor: Actor) -> None:
                seen.append(Health(actor.tree, ["kadai"], is_leaving=leaving.is_set))

        spec = SupervisorSpec(
            name="root",
            children=(
                ActorSpec(name="edge", make=Edge),
                SupervisorSpec(
                    name="kadai",
                    children=(worker("agents"), ActorSpec(name="prelude", make=lambda: Gated(gate)), worker("declared")),
                ),
            ),
        )

        async def look() -> None:
            await settle()
            (health,) = seen
            assert told(health, "live") == (200, {"status": "ok"})
            assert told(health, "startup") == (503, {"status": "starting", "services": {"kadai": {"status": "starting"}}})
            assert told(health, "ready")[0] == 503
            assert told(health) == (
                503,
                {
                    "status": "starting",
                    "live": "ok",
                    "startup": "starting",
                    "services": {"kadai": {"status": "starting"}},
                    "checks": {},
                },
            )
            assert health.status == "starting"
            gate.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(look)
            async with open_tree(spec, events):
                (health,) = seen
                assert told(health, "startup")[0] == 200
                assert told(health, "ready") == (200, {"status": "ok", "services": {"kadai": {"status": "ok"}}, "checks": {}})
                assert told(health)[1]["startup"] == "ok"
                health.is_draining = True
                assert told(health, "ready")[0] == 503
                assert told(health)[1]["status"] == "draining"
                assert told(health, "live")[0] == told(health, "startup")[0] == 200
                health.is_draining = False
                assert health.status == "ok"
                leaving.set()
                assert health.status == "draining"
        assert events.failures == []

    run_virtually(scenario)


# ---------------------------------------------------------------- between two lives


@pytest.mark.parametrize("word", ["crash", "end"])
def test_a_permanent_actor_between_two_lives_makes_its_service_unready(word: str) -> None:
    async def scenario() -> None:
        spec = kadai(worker("prelude"), worker("வழி", backoff=SLOW))
        async with open_tree(spec) as tree:
            health = Health(tree, ["kadai"])
            assert told(health, "ready")[0] == 200
            with suppress(ActorError):
                await tree.at("/root/kadai/வழி").ask(word)
            await settle()
            assert told(health, "ready") == (
                503,
                {
                    "status": "degraded",
                    "services": {"kadai": {"status": "degraded", "down": 1, "actors": ["வழி"]}},
                    "checks": {},
                },
            )
            assert told(health, "startup")[0] == 200
            assert told(health, "live")[0] == 200
            await trio.sleep(5.1)
            assert told(health, "ready")[0] == 200

    run_virtually(scenario)


@pytest.mark.parametrize("kind", [Restart.TRANSIENT, Restart.TEMPORARY])
def test_actors_that_need_not_always_run_make_nothing_unready(kind: Restart) -> None:
    async def scenario() -> None:
        async with open_tree(kadai(worker("a", restart=kind, backoff=SLOW))) as tree:
            health = Health(tree, ["kadai"])
            with suppress(ActorError):
                await tree.at("/root/kadai/a").ask("crash")
            await settle()
            assert told(health, "ready")[0] == 200

    run_virtually(scenario)


def test_another_branch_of_the_tree_is_no_service() -> None:
    async def scenario() -> None:
        async with open_tree(kadai(worker("a", backoff=SLOW), name="resources")) as tree:
            health = Health(tree, [])
            with suppress(ActorError):
                await tree.at("/root/resources/a").ask("crash")
            await settle()
            assert told(health, "ready") == (200, {"status": "ok", "services": {}, "checks": {}})

    run_virtually(scenario)


def test_one_that_is_stopped_for_good_is_missed_by_nobody() -> None:
    async def scenario() -> None:
        async with open_tree(kadai(worker("a"), worker("b"))) as tree:
            health = Health(tree, ["kadai"])
            tree.at("/root/kadai/b").request_stop("enough")
            await settle()
            assert told(health, "ready")[0] == 200

    run_virtually(scenario)


def test_those_that_have_ended_for_good_are_forgotten() -> None:
    async def scenario() -> None:
        async with open_tree(kadai(DynamicSpec(name="agents"))) as tree:
            health = Health(tree, ["kadai"])
            before = health.known
            agents = tree.at("/root/kadai/agents")._actor
            for number in range(50):
                agents.start_child_nowait(worker(f"a{number % 3}"))  # type: ignore[attr-defined]
                await settle()
                assert health.known == before + 1
                await tree.at(f"/root/kadai/agents/a{number % 3}").stop()
            assert health.known == before

    run_virtually(scenario)


def test_of_many_that_are_down_some_are_named() -> None:
    async def scenario() -> None:
        children = [worker(f"w{number}", backoff=SLOW) for number in range(NAMED + 5)]
        async with open_tree(kadai(*children, intensity=100)) as tree:
            health = Health(tree, ["kadai"])
            for number in range(NAMED + 5):
                with suppress(ActorError):
                    await tree.at(f"/root/kadai/w{number}").ask("crash")
            await settle()
            service = told(health, "ready")[1]["services"]["kadai"]
            assert service["down"] == NAMED + 5
            assert service["actors"] == [f"w{number}" for number in range(NAMED)]

    run_virtually(scenario)


def test_a_service_whose_name_is_written_otherwise_is_the_same() -> None:
    composed, decomposed = "கொடு", "க\u0bc6\u0bbeடு"

    async def scenario() -> None:
        async with open_tree(kadai(worker("a"), name=decomposed)) as tree:
            assert told(Health(tree, [decomposed]), "ready")[0] == 200
            assert told(Health(tree, [composed]), "ready")[0] == 200

    run_virtually(scenario)


# ---------------------------------------------------------------- checks


def test_readiness_waits_for_every_check() -> None:
    async def scenario() -> None:
        verdicts = {"database": Verdict(True, "இணைந்துள்ளது", "connected")}
        async with open_tree(kadai(worker("a"))) as tree:
            health = Health(tree, ["kadai"])
            health.add_check("database", lambda: verdicts["database"])
            assert told(health, "ready")[1]["checks"] == {
                "database": {"ok": True, "tamil": "இணைந்துள்ளது", "english": "connected"}
            }
            assert health.status == "ok"
            verdicts["database"] = Verdict(False, "தொடர்பு இல்லை", "no connection")
            status, answer = told(health, "ready")
            assert (status, answer["status"], answer["checks"]["database"]["ok"]) == (503, "degraded", False)
            assert health.status == "degraded"
            del verdicts["database"]
            status, answer = told(health)
            assert (status, answer["checks"]["database"]["english"]) == (503, "the check itself failed: KeyError")
            assert told(health, "live")[0] == 200

    run_virtually(scenario)


def test_there_are_four_questions() -> None:
    assert set(QUESTIONS) == {"", "live", "ready", "startup"}

    async def scenario() -> None:
        async with open_tree(kadai(worker("a"))) as tree:
            with pytest.raises(KeyError):
                Health(tree, ["kadai"]).answer("dead")

    run_virtually(scenario)


def test_after_closing_nothing_is_heard() -> None:
    async def scenario() -> None:
        async with open_tree(kadai(worker("a"))) as tree:
            health = Health(tree, ["kadai"])
            assert len(tree.events.on_life) == 1
            health.close()
            health.close()
            assert tree.events.on_life == ()

    run_virtually(scenario)


# ---------------------------------------------------------------- against a walk


def walked(tree: Tree, service: str) -> set[str]:
    """Permanent actors of a service between two lives, by a look at all actors of the tree."""
    home = f"/root/{service}"
    return {
        actor.path
        for actor in tree.registry
        if (actor.path == home or actor.path.startswith(home + "/"))
        and actor.spec.restart is Restart.PERMANENT
        and (
            (actor.state is State.WAITING and actor.life > 0)
            or (actor.state is State.STARTING and actor.life > 1)
        )
    }


class Slow(Worker):
    """Needs a second to start, and another to stop."""

    async def on_start(self, actor: Actor) -> None:
        await trio.sleep(1)

    async def on_stop(self, actor: Actor, exit: Any) -> None:
        await trio.sleep(1)


def random_child(chance: random.Random, name: str) -> ActorSpec:
    make: Callable[[], Behaviour] = chance.choice([Worker, Worker, Slow])
    return ActorSpec(
        name=name,
        make=make,
        restart=chance.choice([Restart.PERMANENT, Restart.PERMANENT, *Restart]),
        backoff=Backoff(initial=chance.choice([0.0, 0.5, 4.0]), jitter=0.0, cap=4.0),
    )


def random_service(chance: random.Random, name: str) -> SupervisorSpec:
    inner = SupervisorSpec(
        name="inner",
        children=tuple(random_child(chance, f"i{number}") for number in range(chance.randint(1, 3))),
        strategy=chance.choice(list(Strategy)),
        intensity=2,
    )
    return SupervisorSpec(
        name=name,
        children=(
            DynamicSpec(name="agents", intensity=3),
            *(random_child(chance, f"c{number}") for number in range(chance.randint(0, 3))),
            inner,
        ),
        strategy=chance.choice(list(Strategy)),
        intensity=1000,
    )


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32))
def test_the_answer_is_that_of_a_walk_through_the_tree(seed: int) -> None:
    async def scenario() -> None:
        chance = random.Random(seed)
        services = [random_service(chance, name) for name in ("kadai", "வங்கி")]
        spec = SupervisorSpec(name="root", children=tuple(services), intensity=1000)
        early: list[Health] = []
        with suppress(TooManyRestartsError):
            async with open_tree(spec, random=lambda: 0.0) as tree:
                early.append(Health(tree, ["kadai", "வங்கி"]))
                for number in range(40):
                    await random_deed(chance, tree, number)
                    await trio.sleep(chance.choice([0, 0, 0.1, 0.7, 3]))
                    await settle()
                    for health in (early[0], Health(tree, ["kadai", "வங்கி"])):
                        answer = told(health, "ready")[1]
                        for name in ("kadai", "வங்கி"):
                            down = walked(tree, name)
                            expected = {path.removeprefix(f"/root/{name}/").removeprefix("/root/") for path in down}
                            assert set(answer["services"][name].get("actors", [])) == expected, f"step {number}"
                assert tree.events.failures == []

    run_virtually(scenario, seed=seed)


async def random_deed(chance: random.Random, tree: Tree, number: int) -> None:
    """Something that happens to one actor or other."""
    actors = [actor for actor in tree.registry if isinstance(actor.spec, ActorSpec)]
    deed = chance.choice(["crash", "crash", "end", "stop", "start", "inject"])
    if deed == "start":
        agents = tree.registry.at(f"/root/{chance.choice(['kadai', 'வங்கி'])}/agents")
        if agents is not None:
            with suppress(ActorError):
                agents._actor.start_child_nowait(random_child(chance, f"a{number}"))  # type: ignore[attr-defined]
    elif actors:
        actor = chance.choice(actors)
        if deed == "stop":
            if chance.random() < 0.2:
                actor.stop_for_good("the test wants it")
        elif deed == "inject":
            actor.crash(Crash("injected"))
        else:
            with suppress(ActorError):
                actor.reference.tell_nowait(deed)


def test_the_scenarios_do_see_actors_between_two_lives() -> None:
    counts = []

    async def scenario(seed: int) -> None:
        chance = random.Random(seed)
        spec = SupervisorSpec(name="root", children=(random_service(chance, "kadai"),), intensity=1000)
        with suppress(TooManyRestartsError):
            async with open_tree(spec, random=lambda: 0.0) as tree:
                for number in range(40):
                    await random_deed(chance, tree, number)
                    await trio.sleep(chance.choice([0, 0, 0.1, 0.7, 3]))
                    counts.append(len(walked(tree, "kadai")))

    for seed in range(20):
        run_virtually(scenario, seed)
    assert sum(count > 0 for count in counts) > 100
    assert sum(count == 0 for count in counts) > 100


# ---------------------------------------------------------------- with a real program


def test_a_service_with_a_program_is_ready_when_its_top_level_has_run() -> None:
    async def during(system: System) -> None:
        health = Health(system.tree, system.services, is_leaving=system.leaving.is_set)
        assert told(health, "ready") == (200, {"status": "ok", "services": {"சேவை": {"status": "ok"}}, "checks": {}})
        system.leave(0)
        assert told(health, "ready")[1]["status"] == "draining"

    done = run_program("ம = 1;", during=during)
    assert done.problem is None
