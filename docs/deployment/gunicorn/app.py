"""A shop in Flask. Nothing here knows of metrics: obs.toml beside it says what is measured."""

from __future__ import annotations

import os

from flask import Flask

PRICES = {"coffee": 6, "tea": 4}

app = Flask(__name__)


@app.get("/order/<item>")
def order(item: str) -> dict[str, object]:
    """Take an order, and tell which of the server's processes took it."""
    return {"item": item, "price": price(item), "process": os.getpid()}


@app.errorhandler(LookupError)
def not_sold(error: LookupError) -> tuple[str, int]:
    """Answer an order for what the shop does not have."""
    return f"not sold here: {error}", 404


def price(item: str) -> int:
    """Give the price of an item."""
    return PRICES[item]
