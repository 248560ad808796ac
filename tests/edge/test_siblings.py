"""Numbers of several processes, each labelled with its process; whoever is ill is told as being down."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterable
from pathlib import Path

import pytest
import trio
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from etamil_actors.edge import siblings
from etamil_actors.edge.siblings import Siblings


class Process:
    """One that has counted so many."""

    def __init__(self, path: Path, number: int, count: int) -> None:
        self.count = count
        self.siblings = Siblings(str(path), number, self.tell)

    async def tell(self) -> Iterable[Metric]:
        orders = CounterMetricFamily("orders", "Orders.", labels=["kind"])
        orders.add_metric(["அ"], self.count)
        times = HistogramMetricFamily("times", "Times.", labels=["x"])
        times.add_metric(["y"], [("1.0", 1), ("+Inf", self.count)], 2.5)
        return [orders, times]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite-numbers"


async def serving(nursery: trio.Nursery, process: Process) -> None:
    """Serve, and wait until it does."""
    nursery.start_soon(process.siblings.serve)
    await process.siblings.is_served.wait()


async def told(process: Process, name: str) -> dict[str, float]:
    """What one process tells of all, by process."""
    return {
        sample.labels["process"]: sample.value
        for metric in await process.siblings.all()
        for sample in metric.samples
        if sample.name == name
    }


async def test_each_tells_the_numbers_of_all(path: Path) -> None:
    processes = [Process(path, number, number * 10) for number in (1, 2, 3)]
    async with trio.open_nursery() as nursery:
        for process in processes:
            await serving(nursery, process)
        for process in processes:
            assert await told(process, "orders_total") == {"1": 10, "2": 20, "3": 30}
            assert await told(process, "times_count") == {"1": 10, "2": 20, "3": 30}
            assert await told(process, "etamil_process_up") == {"1": 1, "2": 1, "3": 1}
        nursery.cancel_scope.cancel()
    assert not list(path.parent.iterdir())


async def test_the_families_are_those_of_one_process_with_more_rows(path: Path) -> None:
    one, two = Process(path, 1, 10), Process(path, 2, 20)
    async with trio.open_nursery() as nursery:
        await serving(nursery, two)
        found = {metric.name: metric for metric in await one.siblings.all()}
        assert list(found) == ["orders", "times", "etamil_process_up"]
        assert (found["times"].type, found["times"].documentation) == ("histogram", "Times.")
        assert found["orders"].samples[0].labels == {"kind": "அ", "process": "1"}
        nursery.cancel_scope.cancel()


async def test_only_this_user_may_ask(path: Path) -> None:
    process = Process(path, 1, 1)
    async with trio.open_nursery() as nursery:
        await serving(nursery, process)
        mode = os.stat(f"{path}.1").st_mode
        assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600
        nursery.cancel_scope.cancel()


async def test_whoever_does_not_answer_is_down_and_nobody_waits_for_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(siblings, "ANSWER_SECONDS", 0.1)
    one = Process(path, 1, 10)
    with socket.socket(socket.AF_UNIX) as hung:
        hung.bind(f"{path}.2")
        hung.listen()
        with trio.fail_after(5):
            assert await told(one, "etamil_process_up") == {"1": 1, "2": 0}
            assert await told(one, "orders_total") == {"1": 10}


def test_whoever_was_killed_is_forgotten(path: Path) -> None:
    one = Process(path, 1, 10)
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(f"{path}.2")  # and nobody listens
    assert trio.run(told, one, "etamil_process_up") == {"1": 1}
    assert not os.path.exists(f"{path}.2")


@pytest.mark.parametrize("data", [b"", b"nonsense", b"\x91\x01", b"\xff" * 100])
async def test_what_is_no_answer_counts_as_none(path: Path, data: bytes) -> None:
    one = Process(path, 1, 10)
    listener = trio.socket.socket(socket.AF_UNIX)
    with listener:
        await listener.bind(f"{path}.2")
        listener.listen()

        async def answer() -> None:
            peer, _ = await listener.accept()
            with peer:
                if data:
                    await peer.send(data)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer)
            assert await told(one, "etamil_process_up") == {"1": 1, "2": 0}


async def test_a_replacement_takes_the_socket_and_keeps_it_when_the_other_ends(path: Path) -> None:
    old, new, other = Process(path, 1, 5), Process(path, 1, 7), Process(path, 2, 20)
    async with trio.open_nursery() as nursery:
        async with trio.open_nursery() as first:
            await serving(first, old)
            await serving(nursery, new)
            assert await told(other, "orders_total") == {"1": 7, "2": 20}
            first.cancel_scope.cancel()
        assert await told(other, "orders_total") == {"1": 7, "2": 20}
        nursery.cancel_scope.cancel()


def test_a_file_that_is_no_socket_is_left_alone(path: Path) -> None:
    one = Process(path, 1, 10)
    Path(f"{path}.2").write_text("mine")
    Path(f"{path}.1").write_text("mine, too")
    assert trio.run(told, one, "etamil_process_up") == {"1": 1}
    with pytest.raises(OSError, match="in use"):
        trio.run(one.siblings.serve)
    assert Path(f"{path}.1").read_text() == "mine, too"
    assert Path(f"{path}.2").read_text() == "mine"


async def test_a_folder_may_be_deep(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 60) / ("அ" * 40) / "journal-numbers"
    one, two = Process(path, 1, 10), Process(path, 2, 20)
    async with trio.open_nursery() as nursery:
        await serving(nursery, two)
        assert await told(one, "orders_total") == {"1": 10, "2": 20}
        nursery.cancel_scope.cancel()


async def test_a_socket_has_its_name_only_when_somebody_listens(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = Process(path, 1, 1)
    named: list[bool] = []
    with trio.socket.socket(socket.AF_UNIX) as any_socket:
        kind = type(any_socket)
    listen = kind.listen

    def watched(listener: trio.socket.SocketType, *arguments: int) -> None:
        named.append(os.path.exists(f"{path}.1"))
        listen(listener, *arguments)

    monkeypatch.setattr(kind, "listen", watched)
    async with trio.open_nursery() as nursery:
        await serving(nursery, process)
        assert named == [False]
        assert [found.name for found in path.parent.iterdir()] == [f"{path.name}.1"]
        nursery.cancel_scope.cancel()
