"""What the processes that serve one configuration tell of themselves, to one of them: through the sockets
that the command line asks at, too (``admin.py``)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Final

import trio

from etamil_actors.errors import Fault
from etamil_actors.observe.admin import Facts
from etamil_actors.observe.sockets import folder, stem_of

ASK_SECONDS: Final = 3.0
MOST_BYTES: Final = 16 * 1024 * 1024


class Everyone:
    """Answers for this process, and for the others of the same configuration."""

    def __init__(self, facts: Facts, config: str) -> None:
        self._facts = facts
        self._stem = stem_of(config)

    async def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The answer to a question of ``Facts``; ``pid`` says of which process.

        Raises:
            KeyError: there is no such question.
            Fault: it cannot be done, or that process does not answer.
        """
        question = {name: value for name, value in asked.items() if name != "pid"}
        pid = asked.get("pid") or os.getpid()
        if pid == os.getpid():
            answer = await self._facts.answer(question)
        else:
            answer = await self._ask(int(pid), question)
        if question.get("ask") == "all":
            answer["processes"] = [{"pid": one} for one in sorted({os.getpid(), *self._numbers()})]
        return answer

    def _numbers(self) -> Iterator[int]:
        try:
            places = list(folder().glob(f"{self._stem}-*.sock"))
        except OSError:  # it has been told when the process began
            return
        for place in places:
            number = place.stem.rpartition("-")[2]
            if number.isdigit() and os.path.exists(f"/proc/{number}"):
                yield int(number)

    async def _ask(self, pid: int, question: dict[str, Any]) -> dict[str, Any]:
        from msgspec import DecodeError
        from msgspec.json import decode, encode

        data = bytearray()
        try:
            with trio.fail_after(ASK_SECONDS):
                async with await trio.open_unix_socket(folder() / f"{self._stem}-{pid}.sock") as stream:
                    await stream.send_all(encode(question) + b"\n")
                    while not data.endswith(b"\n") and len(data) < MOST_BYTES:
                        more = await stream.receive_some(65536)
                        if not more:
                            break
                        data += more
            answer: dict[str, Any] = decode(bytes(data), type=dict[str, Any])
        except (OSError, trio.BrokenResourceError, trio.TooSlowError, DecodeError):
            raise Fault(
                "not_found", tamil=f"செயல்முறை {pid} பதிலளிக்கவில்லை", english=f"process {pid} does not answer"
            ) from None
        if "error" in answer:
            error = answer["error"]
            raise Fault(error.get("code", "not_found"), tamil=error["tamil"], english=error["english"])
        return answer
