"""Running a service under many schedules, to find what one schedule does not show.

For each seed every test of the program runs in a fresh tree, and once more the service is left alone for
an hour of virtual time, so that its jobs come due. The seed decides the order in which tasks go on, what is
random in the world, and which faults are put in, if any. One seed is one run: it fails again tomorrow.

A run fails when an expectation does, when a test raises an error, when everybody waits for ever, when
the root of the tree gives up or the service does not start, when something is held at the end that nobody may
hold any more, and when the runtime itself fails. What the program does about the errors of its jobs is its
own business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import trio

from etamil_actors.actors.errors import StartError, TooManyRestartsError
from etamil_actors.actors.events import Listener
from etamil_actors.actors.programs.agents import fault_in
from etamil_actors.errors import EtamilError, Fault, Frame
from etamil_actors.ports import Files
from etamil_actors.testing import words  # noqa: F401  enters the words of tests
from etamil_actors.testing.determinism import PRIORITIES, SHUFFLE, run_seeded
from etamil_actors.testing.faults import FaultKinds, InjectedCrash
from etamil_actors.testing.service import Finding, Loaded, Service, Verdict, blocks_of, open_service
from etamil_actors.testing.trace import Trace

IDLE: Final = ""
"""The name of the run without a test."""

IDLE_STEPS: Final = 20_000
"""A service that does so much while it is left alone has been watched long enough."""

TAIL: Final = 12
"""Events that a report shows."""


class Failure(NamedTuple):
    """Why a run has failed."""

    kind: str
    """``expectation``, ``error``, ``hang``, ``endless``, ``gave_up``, ``start``, ``lock``, ``delivery``,
    ``task``, ``internal``."""
    tamil: str
    english: str
    trace: Sequence[Frame] = ()

    @property
    def message(self) -> str:
        """Both languages on one line."""
        return self.tamil if self.tamil == self.english else f"{self.tamil}  ({self.english})"


class Run(NamedTuple):
    """One run, and what came of it."""

    seed: int
    test: str
    """The name of the test, ``IDLE`` for none."""
    failures: tuple[Failure, ...]
    faults: tuple[str, ...]
    """What was put out of order, and when."""
    tail: tuple[str, ...]
    """The last events."""
    hash: str
    """The fingerprint of all events."""
    is_disturbed: bool = False
    """Did the test end with a fault that was put in, so that it tells nothing?"""


class Plan(NamedTuple):
    """What is to be run under each seed."""

    program: Loaded
    files: Callable[[], Files]
    """Makes the files of a run: what one run writes the next must not read."""
    name: str = "service"
    faults: FaultKinds = FaultKinds()
    idle: float = 3600.0
    """Virtual seconds that the service is left alone; 0 for not at all."""
    options: Mapping[str, Any] = {}
    """More of what ``open_service`` takes."""


def order_of(seed: int) -> str:
    """How this seed chooses among schedules; there are two ways, in turn."""
    return PRIORITIES if seed % 2 else SHUFFLE


def simulate(plan: Plan, seeds: Sequence[int]) -> Iterator[Run]:
    """Run everything under each of these seeds, one run after the other."""
    cases = cases_of(plan)
    for seed in seeds:
        for case in cases:
            yield run_case(plan, case, seed)


def cases_of(plan: Plan) -> list[str]:
    """What is run under each seed."""
    cases = list(blocks_of(plan.program.program))
    return cases if cases and plan.idle <= 0 else [*cases, IDLE]


def run_case(plan: Plan, test: str, seed: int) -> Run:
    """One test, or one idle hour, under one seed."""
    return Case(plan, test, seed).run()


class Case:
    """One run: a test, or an idle hour, under one seed."""

    def __init__(self, plan: Plan, test: str, seed: int, listeners: Sequence[Listener] = ()) -> None:
        self.plan = plan
        self.listeners = listeners
        self.test = test
        self.seed = seed
        self.service: Service | None = None
        self.result: Verdict | None = None
        self.failures: list[Failure] = []
        self.tail: tuple[str, ...] | None = None
        self.is_disturbed = False

    def run(self) -> Run:
        """Run it, and say what came of it."""
        try:
            run_seeded(self._run, seed=self.seed, order=order_of(self.seed))
        except TooManyRestartsError as trouble:
            tamil, _, english = str(trouble).split("\n", 1)[0].partition("  (")
            self._failed("gave_up", tamil, english.rstrip(")"), problem=trouble.problem)
        except StartError as trouble:
            self._did_not_start(trouble)
        except Exception as problem:  # noqa: BLE001  the runtime's own mistake, and the finding of this run
            text = f"{type(problem).__name__}: {problem}"
            self._failed("internal", f"இயக்கியில் ஒரு பிழை: {text}", f"an error in the runtime itself: {text}")
        self._look_at_the_end()
        trace = self.service.trace if self.service is not None else Trace()
        faults = self.service.system.faults if self.service is not None else None
        if self.tail is None:
            self.tail = tuple(trace.lines(TAIL))
        return Run(
            self.seed,
            self.test,
            tuple(dict.fromkeys(self.failures)),
            tuple(faults.log) if faults is not None else (),
            self.tail,
            trace.hash,
            self.is_disturbed,
        )

    async def _run(self) -> None:
        plan = self.plan
        async with open_service(
            plan.program,
            name=plan.name,
            seed=self.seed,
            files=plan.files(),
            faults=plan.faults,
            kept_events=200,
            listeners=self.listeners,
            **plan.options,
        ) as self.service:
            if self.test == IDLE:
                await self._idle(self.service)
            elif self.test not in self.service.tests:
                self._failed(
                    "start",
                    "நிரல் இந்தச் சோதனைக்கு முன்பே முடிந்துவிட்டது",
                    "the program has ended before it came to this test",
                )
            else:
                self.result = await self.service.run_test(self.test)
            if self.service.findings or (self.result is not None and not self.result.passed):
                self.tail = tuple(self.service.trace.lines(TAIL))  # what follows is only the end of all

    async def _idle(self, service: Service) -> None:
        with trio.CancelScope() as scope:

            def cut(why: str) -> bool:
                scope.cancel("it was watched long enough")
                return True

            with service.system.watch.cutting(cut, IDLE_STEPS):
                with trio.move_on_after(self.plan.idle):
                    await service.system.leaving.wait()

    # ── what came of it ──────────────────────────────────────────────────────────────────────────

    def _look_at_the_end(self) -> None:
        result = self.result
        if result is not None and not result.passed:
            self._test_failed(result)
        if self.service is not None:
            self.failures += [_failure_of(finding) for finding in self.service.findings]

    def _test_failed(self, result: Verdict) -> None:
        match result.kind:
            case "hang":
                self._failed("hang", "முடிவில்லாமல் காத்திருக்கிறது", "waits for ever", result.trace)
            case "endless":
                self._failed("endless", "முடிவே இல்லாமல் ஓடுகிறது", "goes on without an end", result.trace)
            case kind:
                fault = result.fault
                assert fault is not None
                if isinstance(fault, InjectedCrash):
                    self.is_disturbed = True
                    return
                tamil, english = fault.tamil, fault.english
                if kind == "error":
                    tamil, english = f"{tamil}  [{fault.code}]", f"{english}  [{fault.code}]"
                self._failed(kind, tamil, english, fault.trace)

    def _did_not_start(self, trouble: StartError) -> None:
        problem: BaseException = trouble
        while isinstance(problem, StartError):
            problem = fault_in(problem.problem)
        if isinstance(problem, InjectedCrash):
            self.is_disturbed = True
            return
        text = getattr(problem, "tamil", str(problem)), getattr(problem, "english", str(problem))
        trace = problem.trace if isinstance(problem, Fault) else ()
        self._failed("start", f"சேவை தொடங்கவில்லை: {text[0]}", f"the service did not start: {text[1]}", trace)

    def _failed(
        self,
        kind: str,
        tamil: str,
        english: str,
        trace: Sequence[Frame] = (),
        problem: BaseException | None = None,
    ) -> None:
        if isinstance(problem, Fault):
            tamil, english = f"{tamil}: {problem.tamil}", f"{english}: {problem.english}"
            trace = problem.trace
        elif isinstance(problem, EtamilError):
            tamil, english = f"{tamil}: {problem}", f"{english}: {problem}"
        self.failures.append(Failure(kind, tamil, english, tuple(trace)))


def _failure_of(finding: Finding) -> Failure:
    trace = finding.fault.trace if finding.fault is not None else ()
    return Failure(finding.kind, finding.tamil, finding.english, tuple(trace))


_FRAME: Final = ("file", "line", "column", "function")


def row_of(run: Run) -> dict[str, Any]:
    """A run as other programs take it."""
    return {
        "seed": run.seed,
        "test": run.test or None,
        "failures": [
            {
                "kind": failure.kind,
                "tamil": failure.tamil,
                "english": failure.english,
                "trace": [dict(zip(_FRAME, frame, strict=True)) for frame in failure.trace],
            }
            for failure in run.failures
        ],
        "faults": list(run.faults),
        "events": list(run.tail),
        "hash": run.hash,
        "disturbed": run.is_disturbed,
    }
