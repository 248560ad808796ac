"""The test kit: a whole service in a test, with a virtual clock, a simulated world and one seed for all.

```python
async def test_an_order_is_confirmed() -> None:
    async with open_service(TEXT) as service:
        await service.channel("ஆணைகள்").send({"id": 7})
        assert await service.channel("உறுதிகள்").receive() == 7
```

or, where the schedule shall be decided by a seed too::

    run_service(TEXT, scenario, seed=3)

The page docs/testing.md tells it at length; ``fixtures`` is for pytest.
"""

from etamil_actors.actors.journal.store import open_journal
from etamil_actors.testing import words
from etamil_actors.testing.determinism import (
    PRIORITIES,
    SHUFFLE,
    ThreadsInSimulationError,
    no_threads,
    run_seeded,
    seeded,
)
from etamil_actors.testing.faults import FaultKinds, InjectedCrash
from etamil_actors.testing.ports import OverlaidFiles, VirtualClock, simulated_ports
from etamil_actors.testing.service import (
    ChannelProbe,
    Finding,
    Loaded,
    Service,
    Verdict,
    WaitsForeverError,
    load,
    open_service,
    open_services,
    run_service,
)
from etamil_actors.testing.trace import Trace, told

__all__ = [
    "PRIORITIES",
    "SHUFFLE",
    "ChannelProbe",
    "FaultKinds",
    "Finding",
    "InjectedCrash",
    "Loaded",
    "OverlaidFiles",
    "Service",
    "ThreadsInSimulationError",
    "Trace",
    "Verdict",
    "VirtualClock",
    "WaitsForeverError",
    "load",
    "no_threads",
    "open_journal",
    "open_service",
    "open_services",
    "run_seeded",
    "run_service",
    "seeded",
    "simulated_ports",
    "told",
    "words",
]
