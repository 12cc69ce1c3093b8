"""What a signal handler calls counts, also where it comes in between a call and its expressions."""

from __future__ import annotations

import importlib
import signal
import sys

import pytest

import ancestry_obs

SOURCE = """
    import signal

    class Shop:
        names = 0
        signals = True
        @property
        def name(self):
            self.names += 1
            if self.signals:
                signal.raise_signal(signal.SIGUSR1)
            return "corner"
        def sell(self):
            return self.name

    class Quiet(Shop):
        signals = False

    class Hostile:
        # A namespace that is no dict, as code at module level may be given.
        def __init__(self, shop):
            self.shop = shop
        def __getitem__(self, name):
            if name == "shop":
                return self.shop
            raise KeyError(name)
        def __getattr__(self, name):
            raise TypeError(name)

    class Executing:
        begun = ended = 0
        @property
        def name(self):
            self.begun += 1
            exec("shop.sell()", {}, Hostile(Quiet()))
            self.ended += 1
            return "corner"

    def charge(shop, amount):
        return amount

    async def charge_later(shop, amount):
        return amount
"""
# One label is looked up in the woven statements, the other one only where a look-up fails.
MAP = {
    "version": 1,
    "metrics": {
        "charges_total": {
            "type": "counter",
            "help": "Charges.",
            "labels": {"shop": {"max_values": 9}},
        },
        "calls_total": {
            "type": "counter",
            "help": "Calls.",
            "labels": {"loud": ["true", "false"]},
        },
    },
    "instrument": [
        {
            "target": ["app:charge", "app:charge_later"],
            "record": [{"metric": "charges_total", "labels": {"shop": "shop.name"}}],
        },
        {
            "target": ["app:Shop.name", "app:Shop.sell"],
            "record": [{"metric": "calls_total", "labels": {"loud": "self.signals"}}],
        },
    ],
}

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="needs a signal to send")


@pytest.fixture
def app(make_module, enabled):
    make_module("app", SOURCE)
    app = importlib.import_module("app")
    ancestry_obs.install(MAP, settings=enabled)
    return app


@pytest.fixture
def handle():
    before = signal.getsignal(signal.SIGUSR1)
    yield lambda handler: signal.signal(signal.SIGUSR1, handler)
    signal.signal(signal.SIGUSR1, before)


def calls():
    return {each.target.partition(":")[2]: each.calls for each in ancestry_obs.status().targets}


class Handler:
    def __init__(self, act):
        self._act = act

    def handle(self, number, frame):
        self._act()

    def __call__(self, *given):
        self._act()


HANDLERS = {
    "function": lambda act: lambda number, frame: act(),
    "spread": lambda act: lambda *_: act(),
    "method": lambda act: Handler(act).handle,
    "object": Handler,
}


@pytest.mark.parametrize("kind", HANDLERS)
@pytest.mark.parametrize("times", [1, 2, 5])
def test_what_a_handler_calls_while_a_label_is_read_counts(app, handle, kind, times):
    shop, quiet = app.Shop(), app.Quiet()
    handle(HANDLERS[kind](lambda: app.charge(quiet, 1)))
    for _ in range(times):
        assert app.charge(shop, 2) == 2
    # Each reading of the label sends a signal, and each signal charges once more.
    assert shop.names >= times
    assert calls() == {
        "charge": times + shop.names, "charge_later": 0, "Shop.name": 0, "Shop.sell": 0
    }  # fmt: skip


def test_what_the_call_of_a_handler_reads_does_not_count(app, handle):
    shop, quiet = app.Shop(), app.Quiet()
    handle(lambda *_: quiet.sell())
    for _ in range(3):
        app.charge(shop, 2)
    # The handler's call counts, and so does what it calls; a label's reading never does.
    assert calls() == {
        "charge": 3, "charge_later": 0, "Shop.name": shop.names, "Shop.sell": shop.names
    }  # fmt: skip
    handle(lambda *_: app.charge(quiet, 2))
    before = calls()
    app.charge(shop, 2)
    assert {name: now - before[name] for name, now in calls().items()} == {
        "charge": 2, "charge_later": 0, "Shop.name": 0, "Shop.sell": 0
    }  # fmt: skip


def test_a_handler_in_a_handler_and_what_comes_after(app, handle):
    outer, inner, quiet = app.Shop(), app.Shop(), app.Quiet()
    depth = []

    def act(*_):
        if len(depth) < 3:
            depth.append(None)
            app.charge(inner, 1)
            depth.pop()
        else:
            app.charge(quiet, 1)

    handle(act)
    app.charge(outer, 1)
    total = calls()
    assert total["charge"] == 1 + outer.names + inner.names
    assert total["Shop.name"] == 0
    # No mark is left: what the program reads by itself counts.
    assert quiet.name == "corner"
    assert calls()["Shop.name"] == 1


def test_a_step_of_a_coroutine(app, handle):
    shop, quiet = app.Shop(), app.Quiet()

    def run(shop):
        with pytest.raises(StopIteration):
            app.charge_later(shop, 1).send(None)

    handle(lambda *_: run(quiet))
    for _ in range(3):
        run(shop)
    assert calls()["charge_later"] == 3 + shop.names
    assert calls()["Shop.name"] == 0


def test_what_a_tracer_calls_counts(app):
    quiet = app.Quiet()
    read = app.Quiet.name.fget.__code__

    def profile(frame, event, _):
        if event == "call" and frame.f_code is read:
            sys.setprofile(None)
            app.charge(quiet, 1)

    app.charge(quiet, 1)
    before = calls()
    sys.setprofile(profile)
    app.charge(quiet, 1)
    assert sys.getprofile() is None
    assert calls() == {**before, "charge": before["charge"] + 2}


def test_a_namespace_between_a_label_and_a_call_is_left_alone(app):
    shop = app.Executing()
    for _ in range(3):
        assert app.charge(shop, 1) == 1
    assert 0 < shop.begun == shop.ended
    assert calls() == {"charge": 3, "charge_later": 0, "Shop.name": 0, "Shop.sell": 0}
