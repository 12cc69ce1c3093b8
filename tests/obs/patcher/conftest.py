"""Programs to be woven, a weaver that writes down calls, and exact pictures of namespaces."""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
import textwrap
from types import ModuleType

import pytest

from ancestry_obs.patcher import Patcher, Pointcut


class RecordingWoven:
    def __init__(self, found, advices, calls):
        self.found = found
        self.advices = advices
        self.is_armed = True
        original = found.function

        @functools.wraps(original)
        def woven(*args, **kwargs):
            if self.is_armed:
                calls.append(found.target)
            return original(*args, **kwargs)

        @functools.wraps(original)
        async def woven_coroutine(*args, **kwargs):
            return await woven(*args, **kwargs)

        is_coroutine = inspect.iscoroutinefunction(original)
        self.function = woven_coroutine if is_coroutine else woven

    def disarm(self):
        self.is_armed = False


class Weaver:
    """Weaves closures; `.calls` are the targets called, `.made` all that was woven."""

    def __init__(self):
        self.calls = []
        self.made = []
        self.refuse = {}

    def __call__(self, found, advices):
        if found.target in self.refuse:
            raise self.refuse[found.target]
        woven = RecordingWoven(found, advices, self.calls)
        self.made.append(woven)
        return woven

    def targets(self):
        return [woven.found.target for woven in self.made]

    def take_calls(self):
        calls, self.calls[:] = list(self.calls), []
        return calls


@pytest.fixture
def weaver():
    return Weaver()


@pytest.fixture
def patcher(weaver):
    patcher = Patcher(weaver)
    yield patcher
    patcher.apply(())


@pytest.fixture
def weave(patcher):
    """Apply patterns, all with the advice "count"."""

    def apply(*patterns, subclasses=False):
        patcher.apply([Pointcut(pattern, "count", subclasses) for pattern in patterns])

    return apply


@pytest.fixture
def states(patcher):
    """The states by target."""
    return lambda: {each.target: each.state for each in patcher.report()}


@pytest.fixture
def reason(patcher):
    """The reason that is told for a target."""
    return lambda target: next(r.reason for r in patcher.report() if r.target == target)


@pytest.fixture
def program():
    """Make an imported module out of source text."""
    made = []

    def make(source, name="prog"):
        module = ModuleType(name)
        made.append((name, sys.modules.get(name)))
        sys.modules[name] = module
        exec(textwrap.dedent(source), vars(module))
        return module

    yield make
    for name, before in reversed(made):
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Write importable files: `project({"pkg/__init__.py": "..."})`; returns `import_module`."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)

    def write(files):
        for name, source in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(source), encoding="utf-8")
        importlib.invalidate_caches()
        return importlib.import_module

    yield write
    for name in set(sys.modules) - before:
        origin = getattr(getattr(sys.modules[name], "__spec__", None), "origin", None) or ""
        if origin.startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def picture():
    """Take a picture of modules and classes: names, order and identities."""

    def take(*containers):
        return [[(name, id(value)) for name, value in vars(each).items()] for each in containers]

    return take
