"""What is measured in a process of its own, because only there it is cold.

``python -m benchmarks.fresh front FILE`` reads, checks and compiles a program and leaves it in the
cache; ``python -m benchmarks.fresh cached FILE`` makes it ready from there. Both print seconds as JSON.
"""

from __future__ import annotations

import sys
from time import process_time


def front(path: str) -> dict[str, float]:
    """Seconds for loading the front end itself, for reading and checking, and for compiling."""
    begin = process_time()
    from etamil_actors.language import checker, lexer, loader, parser  # noqa: F401 — loaded, not counted
    from etamil_actors.language.compiler import generator  # noqa: F401
    from etamil_actors.resources.system import SystemFiles
    from etamil_actors.script import read_and_check
    from etamil_actors.store import write_program

    loaded = process_time()
    with open(path, "rb") as file:
        compiled = read_and_check(path, file.read(), SystemFiles())
    checked = process_time()
    program = compiled.program()
    made = process_time()
    write_program(path, program, compiled.digests, "")
    return {"load": loaded - begin, "check": checked - loaded, "compile": made - checked}


def cached(path: str) -> dict[str, float]:
    """Seconds for making a kept program ready to run."""
    from etamil_actors.store import read_program
    from etamil_actors.vm.machine import Image

    begin = process_time()
    program = read_program(path, "")
    read = process_time()
    assert program is not None, "the program is not in the cache"
    Image(program)
    return {"read": read - begin, "ready": process_time() - begin}


def main(words: list[str]) -> None:
    """Measure, and print the seconds."""
    action, path = words
    seconds = {"front": front, "cached": cached}[action](path)
    import json

    print(json.dumps(seconds))


if __name__ == "__main__":
    main(sys.argv[1:])
