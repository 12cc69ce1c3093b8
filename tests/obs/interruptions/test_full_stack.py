"""A call for which the stack has no room left counts, and the status tells so at once."""

from __future__ import annotations

import importlib
import sys
from contextlib import suppress

import ancestry_obs

SOURCE = """
    ran = []

    def charge(amount):
        ran.append(amount)
        return amount

    def down(left):
        return down(left - 1) if left else charge(1)
"""
MAP = {
    "version": 1,
    "metrics": {
        "charges_total": {"type": "counter", "help": "Charges."},
        "charge_seconds": {"type": "histogram", "help": "Time of charges.", "buckets": [1]},
    },
    "instrument": [
        {
            "target": "app:charge",
            "record": [{"metric": "charges_total"}, {"metric": "charge_seconds"}],
        }
    ],
}


def test_the_status_has_what_could_not_be_recorded_at_once(make_module, enabled):
    make_module("app", SOURCE)
    app = importlib.import_module("app")
    frame, depth = sys._getframe(), 0
    while frame is not None:
        frame, depth = frame.f_back, depth + 1
    wrong, errors = [], 0
    # The first call of each installation is the one that needs room.
    for left in range(sys.getrecursionlimit() - depth - 40, sys.getrecursionlimit() - depth):
        app.ran.clear()
        ancestry_obs.install(MAP, settings=enabled)
        with suppress(RecursionError):
            app.down(left)
        (target,) = ancestry_obs.status().targets
        errors += target.errors
        if target.calls != len(app.ran):
            wrong.append((left, target.calls, len(app.ran)))
        ancestry_obs.uninstall()
    assert wrong == []
    assert errors > 0
