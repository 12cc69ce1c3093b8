"""Programs that are woven within the test's own process, in either order."""

from __future__ import annotations

import importlib

import pytest
from prometheus_client import generate_latest

import ancestry_obs


class Program:
    """A module `app` with a map that counts the calls of its targets."""

    def __init__(self, order, make_module, settings, counting_map, counted):
        self.order = order
        self.write = make_module
        self._settings = settings
        self._counting_map = counting_map
        self._counted = counted

    def __call__(self, source, *wanted):
        """Write the module, import it and install the map, in the order that is tested."""
        self.write("app", source)
        if self.order == "map first":
            self.install(*wanted)
        app = importlib.import_module("app")
        if self.order == "module first":
            self.install(*wanted)
        return app

    def install(self, *wanted):
        return ancestry_obs.install(self._counting_map(*wanted), settings=self._settings)

    def reload(self, *wanted):
        return ancestry_obs.reload(self._counting_map(*wanted))

    def counted(self):
        """Give what was counted, by the target as the map writes it; nobody asks for the states."""
        return self._counted(generate_latest(ancestry_obs.get_registry()).decode())

    def calls(self):
        """Give what was counted; every target has to be installed and nothing out of reach."""
        calls = self.counted()
        targets = ancestry_obs.status().targets
        assert [each for each in targets if each.state != "installed"] == []
        # A release that cannot measure whoever holds a function lists here what it misses.
        assert [each for each in targets if getattr(each, "unreached", ())] == []
        return calls


@pytest.fixture
def program(order, make_module, enabled, counting_map, counted):
    """A module `app` that is woven, with the map installed before it is imported, and after."""
    return Program(order, make_module, enabled, counting_map, counted)
