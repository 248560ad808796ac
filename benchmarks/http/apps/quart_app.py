"""The greeting of ``programs/http.qmz``, on Quart-Trio; Hypercorn's trio worker serves it."""

from __future__ import annotations

from quart_trio import QuartTrio

app = QuartTrio(__name__)
app.json.ensure_ascii = False  # type: ignore[attr-defined]  # the default provider has it


@app.get("/hello")
async def hello() -> dict[str, str]:
    """Greet."""
    return {"message": "வணக்கம்"}
