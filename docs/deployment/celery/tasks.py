"""A shop's queue. Nothing here knows of metrics: obs.toml beside it says what is measured.

Where the broker and the results are, CELERY_BROKER_URL and CELERY_RESULT_BACKEND say.
"""

from __future__ import annotations

import os

from celery import Celery

PRICES = {"coffee": 6, "tea": 4}

queue = Celery("shop")


@queue.task
def order(item: str) -> dict[str, object]:
    """Take an order, and tell which of the worker's processes took it."""
    return {"item": item, "price": PRICES[item], "process": os.getpid()}
