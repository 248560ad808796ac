"""What ``programs/rows.qmz`` does on PostgreSQL, on FastAPI with asyncpg; uvicorn serves it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from fastapi import FastAPI


@asynccontextmanager
async def _opened(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["ROWS_URL"], min_size=10, max_size=10) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=_opened)


@app.get("/hello")
async def hello() -> dict[str, str]:
    """Greet."""
    return {"message": "வணக்கம்"}


@app.get("/rows/{row_id}")
async def row(row_id: int) -> dict[str, Any] | None:
    """One row by its key."""
    sql = "SELECT id, name, price, stock FROM items WHERE id = $1"
    found = await app.state.pool.fetchrow(sql, row_id)
    return dict(found) if found is not None else None
