"""A shop in FastAPI. Nothing here knows of metrics: obs.toml beside it says what is measured."""

from __future__ import annotations

import os

from fastapi import FastAPI, HTTPException

PRICES = {"coffee": 6, "tea": 4}

app = FastAPI()


@app.get("/order/{item}")
async def order(item: str) -> dict[str, object]:
    """Take an order, and tell which of the server's processes took it."""
    if item not in PRICES:
        raise HTTPException(404, f"not sold here: {item}")
    return {"item": item, "price": PRICES[item], "process": os.getpid()}
