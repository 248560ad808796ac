"""What ``programs/http.qmz`` does, on FastAPI; uvicorn serves it."""

from __future__ import annotations

from fastapi import FastAPI
from pydantic import BaseModel


class OrderLine(BaseModel):
    """One line of an order."""

    item: str
    count: int
    price: float


class Order(BaseModel):
    """What is sent to ``/orders/…``."""

    customer: str
    phone: str
    address: str
    lines: list[OrderLine]
    note: str | None = None


app = FastAPI()


@app.get("/hello")
async def hello() -> dict[str, str]:
    """Greet."""
    return {"message": "வணக்கம்"}


@app.post("/orders/{order_id}", status_code=201)
async def take_order(order_id: str, order: Order) -> dict[str, str | int]:
    """Take an order that fits its model."""
    return {"id": order_id, "customer": order.customer, "lines": len(order.lines)}
