from __future__ import annotations

import asyncio
import signal

import pytest

from ancestry_obs.compiler.guards import isolated
from ancestry_obs.recording import Store


class Panic(BaseException):
    pass


@pytest.mark.parametrize(
    "kind",
    [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError, Panic],
)
def test_nothing_that_an_action_raises_leaves_it(kind, caplog):
    store = Store("ns")

    def fail(*_):
        raise kind("no")

    run = isolated(fail, "exporter.start", "m:f", store)
    run()
    run(1)
    store.fold()
    assert store.expression_errors == {("m:f", "", "exporter.start"): 2}
    (record,) = caplog.records
    assert record.message.startswith("m:f: the action 'exporter.start' failed: ")


def test_what_interrupts_an_action_does():
    store = Store("ns")

    def expire(*_):
        raise TimeoutError("time is up")

    run = isolated(lambda: signal.raise_signal(signal.SIGUSR1), "exporter.start", "m:f", store)
    before = signal.signal(signal.SIGUSR1, expire)
    try:
        with pytest.raises(TimeoutError):
            run()
    finally:
        signal.signal(signal.SIGUSR1, before)
    store.fold()
    assert not store.expression_errors
