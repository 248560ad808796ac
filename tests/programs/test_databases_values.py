"""Values on their way from a database to a program (REFERENCE §18.3)."""

from __future__ import annotations

from decimal import Decimal

import trio

from etamil_actors.actors.programs.databases_values import ROWS_AT_ONCE, rows_in_turns
from etamil_actors.ports.databases import Row


async def _turns_of_others(rows: list[Row]) -> tuple[int, list[object]]:
    """How often somebody else gets a turn while these rows are made ready, and what they become."""
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        made = await rows_in_turns(rows)
        nursery.cancel_scope.cancel()
    return turns, made


async def test_others_get_their_turn_while_many_rows_are_made_ready() -> None:
    rows: list[Row] = [{"n": number, "price": Decimal("1.50")} for number in range(5 * ROWS_AT_ONCE + 1)]
    turns, made = await _turns_of_others(rows)
    assert turns >= 5
    assert made == [{"n": number, "price": Decimal("1.5")} for number in range(5 * ROWS_AT_ONCE + 1)]


async def test_a_few_rows_are_ready_at_once() -> None:
    assert await _turns_of_others([{"n": 1}] * ROWS_AT_ONCE) == (0, [{"n": 1}] * ROWS_AT_ONCE)
