"""The words of சோதனை blocks (EXTENSIONS §11), entered into the table of words when this is imported.

A failed expectation ends its test: wherever it fails, even in a task that the test has started, the
failure is noted and the test is cancelled. Outside of a test, expectations are checked all the same and
raise an error; the words that change the world of a test are not there.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any

import trio

from etamil_actors.actors.programs.words import block, duration, tamil_of, word
from etamil_actors.errors import ExpectationFailed, Fault, ProgramEnd
from etamil_actors.testing.faults import InjectedCrash
from etamil_actors.testing.service import GRACE, RunningTest, SimulatedService, advance
from etamil_actors.vm.blocks import Turn, Word
from etamil_actors.vm.convert import equal, kind_of, text_of, truth
from etamil_actors.vm.machine import Machine
from etamil_actors.vm.traces import fault_of
from etamil_actors.vm.values import Value

if TYPE_CHECKING:
    from etamil_actors.actors.programs.activity import Activity

FAULTY_GRACE = 0.25
"""Where pauses are put in, what is due at a moment may take so much longer."""


def _test_of(activity: Activity) -> RunningTest | None:
    service = activity.service
    return service.test if isinstance(service, SimulatedService) else None


def _expect_test(activity: Activity, key: str) -> RunningTest:
    test = _test_of(activity)
    if test is None:
        raise Fault(
            "not_here",
            name=tamil_of(key),
            problem_ta="ஒரு ‘சோதனை’யில் மட்டும்",
            problem_en="only in a test",
        )
    return test


def _failed(activity: Activity, tamil: str, english: str, **details: Value) -> BaseException:
    """What an expectation raises that has failed."""
    fault = Fault("expectation", tamil=tamil, english=english, details=details)
    test = _test_of(activity)
    if test is None:
        return fault
    if test.end or test.scope.cancel_called:
        return ExpectationFailed(fault)
    test.fail(fault)
    return ExpectationFailed(fault)


def _shown(value: Value) -> str:
    """A value in a message: texts in quotes, so that 1 and "1" can be told apart."""
    return f"“{value}”" if type(value) is str else text_of(value)


# ---- expectations ---------------------------------------------------------------------


@word("_expectEqual")
def expect_equal(activity: Activity, actual: Value, expected: Value) -> None:
    """எதிர்பார்_சமம்."""
    if equal(actual, expected):
        return
    got, wanted = _shown(actual), _shown(expected)
    if got == wanted:
        got, wanted = f"{got} ({kind_of(actual)})", f"{wanted} ({kind_of(expected)})"
    raise _failed(
        activity,
        f"எதிர்பார்த்தது {wanted}; கிடைத்தது {got}",
        f"expected {wanted}, got {got}",
        actual=actual,
        expected=expected,
    )


@word("_expectTrue")
def expect_true(activity: Activity, value: Value) -> None:
    """எதிர்பார்_மெய்."""
    if not truth(value):
        got = _shown(value)
        raise _failed(
            activity, f"மெய் என எதிர்பார்த்தது; கிடைத்தது {got}", f"expected a true value, got {got}", actual=value
        )


@block("_expectError")
def expect_error(activity: Activity, code: Value) -> Word:
    """எதிர்பார்_பிழை."""
    return ErrorExpected(activity, text_of(code))


class ErrorExpected(Word):
    """A block that has to raise an error of this code."""

    def __init__(self, activity: Activity, code: str) -> None:
        super().__init__()
        self.activity = activity
        self.code = code

    def __iter__(self) -> Any:
        yield ErrorTurn(self)

    def ended(self, turn: Turn, problem: BaseException | None) -> bool:
        """The block is over."""
        if problem is None:
            raise _failed(
                self.activity,
                f"‘{self.code}’ என்ற பிழையை எதிர்பார்த்தது; எதுவும் எழவில்லை",
                f"expected the error ‘{self.code}’, but there was none",
                expected=self.code,
            )
        if isinstance(problem, ProgramEnd) or not isinstance(problem, Exception):
            return False
        machine = self.activity.machine
        assert isinstance(machine, Machine)
        fault = fault_of(problem, machine.program.files, machine.depth)
        if fault.code == self.code:
            return True
        if isinstance(fault, InjectedCrash):
            return False
        raise _failed(
            self.activity,
            f"‘{self.code}’ என்ற பிழையை எதிர்பார்த்தது; எழுந்தது ‘{fault.code}’: {fault.tamil}",
            f"expected the error ‘{self.code}’, got ‘{fault.code}’: {fault.english}",
            expected=self.code,
            actual=fault.code,
        )


class ErrorTurn(Turn):
    """The one run of the block. What is wrong is raised where the block stands, with nothing before it."""

    __slots__ = ()

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> bool:
        return self.word.ended(self, problem)


# ---- the world of a test --------------------------------------------------------------


@word("_advance")
def move_on(activity: Activity, seconds: Value) -> Any:
    """நேரம்_நகர்த்து: until everything has happened that is due by then."""
    test = _expect_test(activity, "_advance")
    return _advance(activity, test, duration(seconds, "_advance"))


async def _advance(activity: Activity, test: RunningTest, seconds: float) -> None:
    service = activity.service
    assert isinstance(service, SimulatedService)
    grace = GRACE if service.simulated.faults is None else FAULTY_GRACE
    now = trio.current_time()
    if now > test.moment + grace:  # it has waited for something else since
        test.moment = now
    test.moment += seconds
    await advance(test.moment, grace)


@word("_mock")
def replace(activity: Activity, name: Value, function: Value) -> None:
    """போலியாக."""
    _expect_test(activity, "_mock")
    service = activity.service
    assert isinstance(service, SimulatedService) and activity.machine is not None
    service.mocks.replace(text_of(name), function, activity.machine)
    for machine in service.machines:
        if machine.activity is not None:
            machine.restore(machine.save())


@word("_sendRequest")
def send_request(activity: Activity, method: Value, path: Value, options: Value = None) -> Any:
    """கோரிக்கை_அனுப்பு: through the real router and actors; the network is left out."""
    from etamil_actors.testing.requests import send_as_program

    _expect_test(activity, "_sendRequest")
    service = activity.service
    assert isinstance(service, SimulatedService)
    system = service.simulated
    return send_as_program(system.site, system.events, method, path, options)


@word("_runTests")
def run_tests(activity: Activity) -> None:
    """பரீட்சை_ஓட்டு: accepted, and does nothing."""
