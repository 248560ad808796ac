"""The same work as in ``programs/``, written by hand in Python.

Each function does what its namesake among the programs does, to the last digit, and is as quick as
plain Python gets: everything is a local variable, constants are made beforehand, and a value is copied
only where the program's meaning asks for a copy. ``write`` takes the same lines that the program prints;
the first starts the watch and the second stops it (``programs.Stopwatch``).
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from operator import itemgetter
from typing import Any

Write = Callable[[str], object]
Record = dict[str, Any]

BEGIN = "தொடக்கம்"
END = "முடிவு"


def plain(number: int | Decimal) -> str:
    """A number as a program prints it: without zeros at the end."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def decimal_loop(size: int, write: Write) -> None:
    rate = Decimal("0.05")
    total: int | Decimal = 0
    turn = 0
    write(BEGIN)
    while turn < size:
        price = 300000 + turn
        tax = (price - 300000) * rate
        total = total + tax
        turn = turn + 1
    write(END)
    write(plain(total))


def counting_loop(size: int, write: Write) -> None:
    turn = 0
    write(BEGIN)
    while turn < size:
        turn = turn + 1
    write(END)
    write(str(turn))


def _fibonacci(n: int) -> int:
    if n < 2:
        return n
    return _fibonacci(n - 1) + _fibonacci(n - 2)


def fib(size: int, write: Write) -> None:
    write(BEGIN)
    answer = _fibonacci(size)
    write(END)
    write(str(answer))


def array(size: int, write: Write) -> None:
    numbers = []
    turn = 0
    write(BEGIN)
    while turn < size:
        numbers.append(turn)
        turn = turn + 1
    write(END)
    write(f"{len(numbers)} {numbers[-1]}")


def text(size: int, write: Write) -> None:
    piece = "கல்"
    chain = ""
    turn = 0
    write(BEGIN)
    while turn < size:
        chain = chain + piece
        turn = turn + 1
    write(END)
    write(str(2 * len(chain) // len(piece)))  # கல் is two letters as a reader counts


def record_update(size: int, write: Write) -> None:
    item: Record = {"பெயர்": "பேனா", "இருப்பு": 0, "விலை": Decimal("12.50")}
    turn = 0
    write(BEGIN)
    while turn < size:
        item["இருப்பு"] = item["இருப்பு"] + 1
        turn = turn + 1
    write(END)
    write(str(item["இருப்பு"]))


def _stock(size: int) -> list[Record]:
    items = []
    seed = 17
    for _ in range(size):
        seed = (seed * 61 + 29) % 100003
        items.append({"பெயர்": "பேனா", "இருப்பு": seed, "விலை": seed + Decimal("0.25")})
    return items


def record_read(size: int, write: Write) -> None:
    items = _stock(size)
    count = 0
    worth: int | Decimal = 0
    write(BEGIN)
    for item in items:
        count = count + item["இருப்பு"]
        worth = worth + item["விலை"]
    write(END)
    write(f"{count} {plain(worth)}")


def record_compare(size: int, write: Write) -> None:
    items = _stock(size)
    most = 0
    few = 0
    write(BEGIN)
    for item in items:
        if item["இருப்பு"] > most:
            most = item["இருப்பு"]
        if item["இருப்பு"] < 100:
            few = few + 1
    write(END)
    write(f"{most} {few}")


def record_copy(size: int, write: Write) -> None:
    items = _stock(size)
    raised = []
    write(BEGIN)
    for item in items:
        copy = dict(item)
        copy["இருப்பு"] = copy["இருப்பு"] + 1
        raised.append(copy)
    write(END)
    write(f"{items[-1]['இருப்பு']} {raised[-1]['இருப்பு']}")


def record_sort(size: int, write: Write) -> None:
    items = _stock(size)
    write(BEGIN)
    ordered = sorted(items, key=itemgetter("இருப்பு"))
    write(END)
    write(f"{ordered[0]['இருப்பு']} {ordered[-1]['இருப்பு']}")


def record_sort_decimal(size: int, write: Write) -> None:
    items = _stock(size)
    write(BEGIN)
    ordered = sorted(items, key=itemgetter("விலை"), reverse=True)
    write(END)
    write(f"{plain(ordered[0]['விலை'])} {plain(ordered[-1]['விலை'])}")
