"""Every test that asks for a ``place`` is run on all databases, and on the simulated ones in virtual time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from tests.resources.databases.kinds import NAMES, Place, place_of


@pytest.fixture(params=NAMES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return place_of(request.param, tmp_path)


def run_in_its_time(test: partial[Awaitable[Any]], **options: Any) -> Any:
    """Run a test on the clock of its place."""
    place = test.keywords["place"]
    if place.is_simulated:
        options["clock"] = trio.testing.MockClock(autojump_threshold=0)
    run: Callable[..., Any] = trio.run
    return run(test, **options)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here) and "place" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.trio(run=run_in_its_time), append=False)
