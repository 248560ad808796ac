"""A lease for one machine: of all processes that want it, one has it, until it gives it back or ends.

Processes that serve the same programs would each fire every schedule. So what may run once only runs under a
lease, and whoever waits for it takes over when its holder is gone. The lease is the lock on a file that the
system takes from a process however that ends, so nothing has to be renewed, and nobody can believe to have it
who has it no more.
"""

from __future__ import annotations

import fcntl
import os
from types import TracebackType
from typing import Final

import trio

LOOK_SECONDS: Final = 0.5
"""How often whoever waits looks whether it is free."""

# A link that others may have put there is not followed, for what it leads to would be overwritten.
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class LocalLease:
    """``async with lease:`` waits for it, and has it for the length of the block. May be used again.

    Raises:
        OSError: the file cannot be made or opened.
    """

    def __init__(self, path: str, *, look_seconds: float = LOOK_SECONDS) -> None:
        """The folder of the file need not be there yet. The file stays when nobody has the lease."""
        self.path = path
        self._look_seconds = look_seconds
        self._file: int | None = None

    @property
    def is_held(self) -> bool:
        """Do we have it?"""
        return self._file is not None

    def try_take(self) -> bool:
        """Take it if it is free."""
        if self._file is not None:
            raise RuntimeError("a lease is not taken twice")
        os.makedirs(os.path.dirname(self.path) or ".", exist_ok=True)
        file = os.open(self.path, _FLAGS, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(file, 0)
            os.pwrite(file, b"%d\n" % os.getpid(), 0)  # for people who look
        except BlockingIOError:
            os.close(file)
            return False
        except BaseException:
            os.close(file)
            raise
        self._file = file
        return True

    def give_back(self) -> None:
        """Somebody else may have it. Does nothing when we do not have it."""
        if self._file is not None:
            file, self._file = self._file, None
            os.close(file)

    async def __aenter__(self) -> LocalLease:
        # A lock that blocks would hold a thread that cannot be cancelled.
        await trio.lowlevel.checkpoint()
        while not self.try_take():  # noqa: ASYNC110  nobody tells when a lock is free
            await trio.sleep(self._look_seconds)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.give_back()
