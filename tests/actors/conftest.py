"""Actors are tested in virtual time: nobody sleeps, and every deadline fires exactly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from etamil_actors.actors import moments

HERE = Path(__file__).parent


def run_in_virtual_time(
    test: Callable[[], Any], clock: trio.abc.Clock | None = None, instruments: Sequence[Any] = ()
) -> Any:
    """What pytest-trio calls for every async test of this folder."""
    moments.start_over()  # so that no deadline is later because of the tests before
    clock = clock or trio.testing.MockClock(autojump_threshold=0)
    return trio.run(test, clock=clock, instruments=instruments)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE) and iscoroutinefunction(getattr(item, "obj", None)):
            # In front of the mark that pytest-trio sets by itself.
            item.add_marker(pytest.mark.trio(run=run_in_virtual_time), append=False)
