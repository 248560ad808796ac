"""Fixtures for pytest, on pytest-trio.

```python
# conftest.py
pytest_plugins = ["etamil_actors.testing.fixtures"]

# test_orders.py
@pytest.mark.service(Path("orders.qmz").read_text(), seed=3)
async def test_an_order_is_confirmed(service: Service) -> None:
    …
```

``service`` runs the program of the mark, with the options of ``open_service``; ``virtual_clock`` is for
tests that open services themselves. How trio schedules is not decided by a seed here; ``run_service`` does
that.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import pytest
import trio
from pytest_trio import trio_fixture  # type: ignore[import-untyped]
from trio.testing import MockClock

from etamil_actors.testing import Service, no_threads, open_service


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line("markers", "service(text, **options): the program of the fixture ‘service’")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever has a service has its clock too, asked for or not."""
    for item in items:
        if "service" in getattr(item, "fixturenames", ()):
            # In front of the mark that pytest-trio sets by itself.
            item.add_marker(pytest.mark.trio(run=_run), append=False)


def _run(test: Callable[[], Awaitable[Any]], clock: Any = None, instruments: Sequence[Any] = ()) -> Any:
    return trio.run(test, clock=clock or MockClock(autojump_threshold=0), instruments=instruments)


@pytest.fixture
def virtual_clock() -> MockClock:
    """The clock of this test: it jumps whenever everybody waits."""
    return MockClock(autojump_threshold=0)


@trio_fixture  # type: ignore[untyped-decorator]
async def service(request: pytest.FixtureRequest) -> AsyncIterator[Service]:
    """The service whose text the mark ``service`` gives."""
    mark = request.node.get_closest_marker("service")
    if mark is None or len(mark.args) != 1:
        raise pytest.UsageError("the fixture ‘service’ wants @pytest.mark.service(text, **options)")
    with no_threads():
        async with open_service(mark.args[0], **mark.kwargs) as running:
            yield running
