"""What can go wrong between actors, and the reports of it that people read.

A name tells whose turn it is: the *world* when the other side has stopped, crashed or is too
slow; *you* when a name is taken or an actor asks itself. ``MailboxFull`` and ``MailboxClosed``
are signals, not errors: they say how things stand, and the floor above decides what that means.

Every text is Tamil with the English in brackets, like the messages of the language.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from etamil_actors.errors import BudgetSpent, EtamilError, Fault


class ActorError(EtamilError):
    """Something between actors failed."""


class MailboxFull(ActorError):
    """There is no room in the mailbox now; the message was not taken over."""

    def __str__(self) -> str:
        return "அஞ்சல்பெட்டி நிரம்பியுள்ளது  (the mailbox is full)"


class MailboxClosed(ActorError):
    """The mailbox takes no more messages, or has none left and never will."""

    def __str__(self) -> str:
        return "அஞ்சல்பெட்டி மூடப்பட்டது  (the mailbox is closed)"


class ActorStoppedError(ActorError):
    """The actor has ended and will not come back; the message was not handled."""

    def __init__(self, actor: str) -> None:
        super().__init__(f"‘{actor}’ நிறுத்தப்பட்டது  (‘{actor}’ has stopped)")
        self.actor = actor


class ActorCrashedError(ActorError):
    """The actor crashed while it handled this message. Whether the work was done is not known."""

    def __init__(self, actor: str, problem: BaseException) -> None:
        text = describe(problem)
        super().__init__(f"‘{actor}’ பிழையால் நின்றது: {text}  (‘{actor}’ crashed: {text})")
        self.actor = actor
        self.problem = problem


class AskTimeoutError(ActorError):
    """No answer came in time. The message may be handled later, or may have been handled already."""

    def __init__(self, actor: str, seconds: float) -> None:
        super().__init__(
            f"‘{actor}’ {seconds:g} நொடியில் விடை தரவில்லை  (‘{actor}’ did not answer within {seconds:g} s)"
        )
        self.actor = actor
        self.seconds = seconds


class AskSelfError(ActorError):
    """An actor asked itself and would wait for ever."""

    def __init__(self, actor: str) -> None:
        super().__init__(f"‘{actor}’ தன்னையே கேட்க முடியாது  (‘{actor}’ cannot ask itself)")
        self.actor = actor


class NameTakenError(ActorError):
    """Another actor has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"‘{name}’ என்ற பெயர் ஏற்கெனவே உள்ளது  (the name ‘{name}’ is taken)")
        self.name = name


class StartError(ActorError):
    """An actor could not start, so what depends on it was not started either.

    When it was a supervisor, ``problem`` is the ``StartError`` of the child that did not start. The text
    names the innermost one, whose path has all the others in it.
    """

    def __init__(self, actor: str, problem: BaseException) -> None:
        self.actor = actor
        self.problem = problem
        if isinstance(problem, StartError):
            text = str(problem)
        else:
            tamil, english = _two_words(problem)
            text = f"‘{actor}’ தொடங்கவில்லை: {tamil}  (‘{actor}’ did not start: {english})"
        super().__init__(text)

    @property
    def innermost(self) -> StartError:
        """The one that tells what went wrong at last."""
        return self.problem.innermost if isinstance(self.problem, StartError) else self


class StartTimeoutError(ActorError):
    """An actor was still starting when its time for that was over."""

    def __init__(self, actor: str, seconds: float) -> None:
        super().__init__(
            f"‘{actor}’ {seconds:g} நொடியில் தொடங்கவில்லை  (‘{actor}’ was not ready after {seconds:g} s)"
        )
        self.actor = actor
        self.seconds = seconds


class Attempt(NamedTuple):
    """One end of a child that made its supervisor act."""

    time: float
    actor: str
    problem: str
    """What happened, with the program's line when it is known."""
    delay: float | None
    """Seconds until the restart that was tried; nothing when no restart was allowed any more."""


class TooManyRestartsError(ActorError):
    """A child ended more often than its supervisor may restart it, so the supervisor gave up.

    The text is the report: which actor, how often, what was tried. ``problem`` is the last error;
    it is a ``TooManyRestartsError`` itself when the child was a supervisor that had given up.
    """

    def __init__(
        self,
        supervisor: str,
        child: str,
        intensity: int,
        period: float,
        attempts: Sequence[Attempt],
        problem: BaseException | None = None,
    ) -> None:
        self.supervisor = supervisor
        self.child = child
        self.intensity = intensity
        self.period = period
        self.attempts = tuple(attempts)
        self.problem = problem
        super().__init__("\n".join(self._lines()))

    def _lines(self) -> list[str]:
        count, period = len(self.attempts), f"{self.period:g}"
        lines = [
            f"‘{self.child}’ மீண்டும் மீண்டும் நின்றுபோனது; ‘{self.supervisor}’ கைவிட்டது"
            f"  (‘{self.child}’ ended again and again; ‘{self.supervisor}’ gave up)",
            f"  {period} நொடிக்குள் {count} முறை; {self.intensity} மறுதொடக்கங்களே அனுமதி"
            f"  ({count} times within {period} s; {self.intensity} restarts are allowed)",
        ]
        first = self.attempts[0].time if self.attempts else 0.0
        lines += [_line(attempt, first) for attempt in self.attempts]
        if isinstance(self.problem, TooManyRestartsError):
            lines += ["  " + line for line in self.problem._lines()]
        return lines


def _line(attempt: Attempt, first: float) -> str:
    if attempt.delay is None:
        tried = "கைவிடப்பட்டது  (given up)"
    elif attempt.delay == 0:
        tried = "உடனே மறுதொடக்கம்  (restarted at once)"
    else:
        tried = f"{attempt.delay:.3g} நொடிக்குப் பின் மறுதொடக்கம்  (restarted after {attempt.delay:.3g} s)"
    return f"  +{attempt.time - first:.3f} s  {attempt.actor}: {attempt.problem} → {tried}"


def _two_words(problem: BaseException) -> tuple[str, str]:
    """The same as ``describe``, in Tamil alone and in English alone where both are known."""
    fault = problem.fault if isinstance(problem, BudgetSpent) else problem
    if not isinstance(fault, Fault):
        text = describe(problem)
        return text, text
    place = ""
    if fault.trace:
        frame = fault.trace[0]
        place = f"{frame.file}:{frame.line}:{frame.column}: "
    return place + fault.tamil, place + fault.english


def describe(problem: BaseException) -> str:
    """One line for people: the words of a program's error with its place, else the class and text.

    Of a group it tells the members, of a report of its own kind only the first line.
    """
    if isinstance(problem, BaseExceptionGroup):
        return "; ".join(describe(member) for member in problem.exceptions)
    if isinstance(problem, BudgetSpent):
        return describe(problem.fault)
    if isinstance(problem, Fault):
        if not problem.trace:
            return problem.message
        frame = problem.trace[0]
        return f"{frame.file}:{frame.line}:{frame.column}: {problem.message}"
    text = str(problem).split("\n", 1)[0]
    if isinstance(problem, EtamilError):
        return text
    return f"{type(problem).__name__}: {text}" if text else type(problem).__name__
