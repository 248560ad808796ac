"""What ``programs/rows.qmz`` does on SQLite, on FastAPI with aiosqlite; uvicorn serves it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiosqlite
from fastapi import FastAPI


@asynccontextmanager
async def _opened(app: FastAPI) -> AsyncIterator[None]:
    async with aiosqlite.connect(os.environ["ROWS_FILE"]) as database:
        async with database.execute("PRAGMA journal_mode = WAL"):
            """Left open it would keep its lock on the file, and nobody else could use it."""
        database.row_factory = aiosqlite.Row
        app.state.database = database
        yield


app = FastAPI(lifespan=_opened)


@app.get("/hello")
async def hello() -> dict[str, str]:
    """Greet."""
    return {"message": "வணக்கம்"}


@app.get("/rows/{row_id}")
async def row(row_id: int) -> dict[str, Any] | None:
    """One row by its key."""
    sql = "SELECT id, name, price, stock FROM items WHERE id = ?"
    async with app.state.database.execute(sql, (row_id,)) as cursor:
        found = await cursor.fetchone()
    return dict(found) if found is not None else None
