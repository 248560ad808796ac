"""TLS of the web client: the public roots, and what ``ETAMIL_TLS_CERT``, ``_KEY`` and ``_CA`` add
(REFERENCE §22).

The files are read once for a process, in a thread. What cannot be used is told to the operator and ignored,
so a wrong path in the environment stops no service; it does not weaken one either, for what is ignored is a
certificate of our own or a root too many.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import ssl

CERT, KEY, CA = "ETAMIL_TLS_CERT", "ETAMIL_TLS_KEY", "ETAMIL_TLS_CA"

Tell = Callable[[str, str], None]

_IGNORED: Final = ("பயன்படுத்த முடியவில்லை; விடப்படுகிறது", "cannot be used and is ignored")


def _to_standard_error(tamil: str, english: str) -> None:
    print(f"{tamil}  ({english})", file=sys.stderr)


class Tls:
    """The settings of one process."""

    __slots__ = ("_context", "_environment", "tell")

    def __init__(self, environment: Callable[[str], str | None]) -> None:
        self._environment = environment
        self._context: ssl.SSLContext | None = None
        self.tell: Tell = _to_standard_error

    async def context(self) -> ssl.SSLContext:
        """The context for every request."""
        if self._context is None:
            import trio

            told: list[tuple[str, str]] = []
            limiter = trio.CapacityLimiter(1)
            self._context = await trio.to_thread.run_sync(
                make_context, self._environment, lambda *words: told.append(words), limiter=limiter
            )
            for words in told:
                self.tell(*words)
        return self._context


def make_context(environment: Callable[[str], str | None], tell: Tell) -> ssl.SSLContext:
    """A context with the public roots and what the environment adds; tells what of that is ignored."""
    import ssl

    import certifi

    context = ssl.create_default_context(cafile=certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _add_roots(context, environment(CA), tell)
    _add_own(context, environment(CERT), environment(KEY), tell)
    return context


def _add_roots(context: ssl.SSLContext, path: str | None, tell: Tell) -> None:
    if not path:
        return
    try:
        context.load_verify_locations(cafile=path)
    except (OSError, ValueError) as problem:  # errors of TLS are OSErrors
        tell(f"{CA}: {_IGNORED[0]}: {_why(problem)}", f"{CA} {_IGNORED[1]}: {_why(problem)}")


def _add_own(context: ssl.SSLContext, certificate: str | None, key: str | None, tell: Tell) -> None:
    if not certificate and not key:
        return
    if not certificate or not key:
        missing, there = (CERT, KEY) if not certificate else (KEY, CERT)
        tell(f"{there}: {missing} இல்லாமல் {_IGNORED[0]}", f"{there} {_IGNORED[1]}: there is no {missing}")
        return
    try:
        # A key with a password would make the library ask for it at the terminal.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except (OSError, ValueError) as problem:
        why = _why(problem)
        tell(f"{CERT}, {KEY}: {_IGNORED[0]}: {why}", f"{CERT} and {KEY}: {_IGNORED[1]}: {why}")


def _why(problem: Exception) -> str:
    """What went wrong, without the content of any file."""
    return getattr(problem, "reason", None) or getattr(problem, "strerror", None) or type(problem).__name__
