"""Programs to be woven, a weaver that writes down calls, and exact pictures of what is there."""

from __future__ import annotations

import gc
import importlib
import linecache
import sys
import textwrap
from types import FunctionType, ModuleType, SimpleNamespace
from typing import NamedTuple

import pytest

from ancestry_obs import compiler
from ancestry_obs.compiler import Advice, Aspect, Runtime
from ancestry_obs.patcher import Patcher, Pointcut
from ancestry_obs.patcher.import_hooks import ImportHooks
from ancestry_obs.patcher.namespaces import is_class
from ancestry_obs.recording import Store


class Asked(NamedTuple):
    target: str
    advices: tuple
    has_function: bool
    is_method: bool
    owner: str | None


class _Notes(dict):
    """Actions of any name; each writes its name down."""

    def __init__(self, calls):
        super().__init__()
        self._calls = calls

    def __contains__(self, name):
        return True

    def __missing__(self, name):
        return lambda: self._calls.append(name)


class Weaver:
    """The compiler with an advice that writes calls down, whatever advices are asked for.

    `.calls` are the targets called, `.asked` all that was to be woven; `.refuse` has exceptions by
    target, and `.when_asked` is called before each of them is woven.
    """

    def __init__(self):
        self.calls = []
        self.asked = []
        self.refuse = {}
        self.when_asked = lambda wanted: None
        self._runtime = Runtime(Store("test"), actions=_Notes(self.calls))

    def weave(self, wanted, source=None):
        results = {}
        for each in wanted:
            self._note(each)
        accepted = [each for each in wanted if each.target not in self.refuse]
        made = compiler.weave([self._aspect(each) for each in accepted], source)
        results = {id(each): woven for each, woven in zip(accepted, made, strict=True)}
        return [results.get(id(each), self.refuse.get(each.target)) for each in wanted]

    def weave_callable(self, wanted):
        self._note(wanted)
        if wanted.target in self.refuse:
            raise self.refuse[wanted.target]
        return compiler.weave_callable(self._aspect(wanted))

    def targets(self):
        return [each.target for each in self.asked]

    def take_calls(self):
        calls, self.calls[:] = list(self.calls), []
        return calls

    def take_asked(self):
        asked, self.asked[:] = list(self.asked), []
        return asked

    def _note(self, wanted):
        # No function or class: none of them is to be kept alive here.
        has_function, owner = wanted.function is not None, wanted.owner and wanted.owner.__name__
        asked = Asked(wanted.target, wanted.advices, has_function, wanted.is_method, owner)
        self.asked.append(asked)
        self.when_asked(wanted)

    def _aspect(self, wanted):
        return Aspect(
            target=wanted.target,
            code=wanted.code,
            advices=(Advice(before=(wanted.target,)),),
            runtime=self._runtime,
            is_method=wanted.is_method,
            function=wanted.function,
            is_definition=wanted.is_definition,
            inner_test=wanted.inner_test,
        )


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

    def apply(*patterns, subclasses=False, at=""):
        patcher.apply([Pointcut(pattern, "count", subclasses, at) for pattern in patterns])

    return apply


@pytest.fixture
def reports(patcher):
    """The reports by target, one for each."""

    def take(**asked):
        reports = patcher.report(**asked)
        by_target = {each.target: each for each in reports}
        assert len(by_target) == len(reports)
        return by_target

    return take


@pytest.fixture
def states(patcher):
    """The states by target."""
    return lambda: {each.target: each.state for each in patcher.report()}


@pytest.fixture
def reason(patcher):
    """The reason that is told for a target."""
    return lambda target: next(r.reason for r in patcher.report() if r.target == target)


@pytest.fixture
def ways(patcher):
    """How targets are woven."""
    return lambda: {each.target: each.way for each in patcher.report()}


@pytest.fixture
def totals(patcher):
    """The counts of calls, as `status()` sums them up."""

    def take():
        totals = {}
        for report in patcher.report():
            calls = sum(woven.calls() for woven in report.woven)
            totals[report.target] = totals.get(report.target, 0) + calls
        return {target: calls for target, calls in totals.items() if calls}

    return take


def execute(source, module, *, has_source=True):
    """Execute source text in a module, so that it can be found again unless it is not to be."""
    text = textwrap.dedent(source)
    filename = f"<{module.__name__} {id(module)} {hash(text)}>"
    linecache.cache.pop(filename, None)
    if has_source:
        linecache.cache[filename] = len(text), None, text.splitlines(keepends=True), filename
    exec(compile(text, filename, "exec", dont_inherit=True), vars(module))


@pytest.fixture
def program():
    """Make an imported module out of source text."""
    made = []

    def make(source, name="prog", *, has_source=True):
        module = ModuleType(name)
        made.append((name, sys.modules.get(name)))
        sys.modules[name] = module
        execute(source, module, has_source=has_source)
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
    for name in sorted(set(sys.modules) - before, reverse=True):
        spec = vars(sys.modules[name]).get("__spec__")
        state = getattr(spec, "loader_state", None)
        places = [
            getattr(spec, "origin", None),
            *(state if isinstance(state, tuple | list) else ()),
        ]
        places += getattr(spec, "submodule_search_locations", None) or ()
        if any(str(each).startswith(str(tmp_path)) for each in places):
            del sys.modules[name]


def namespaces(*containers):
    """Yield the namespaces of modules and classes, and of the classes in them."""
    for each in containers:
        yield vars(each)
        for value in list(vars(each).values()):
            if is_class(value) and value.__module__ == getattr(each, "__module__", each.__name__):
                yield from namespaces(value)


@pytest.fixture
def picture():
    """Take a picture of modules and classes: names, order, identities, and functions' code."""
    kept = []

    def take(*containers):
        pictures = []
        for each in namespaces(*containers):
            entries = [(name, value, *codes_of(value)) for name, value in each.items()]
            kept.append(entries)  # so that no id is given to something else
            pictures.append([(name, *map(id, values)) for name, *values in entries])
        return pictures

    return take


def codes_of(value):
    """Give the codes of what a namespace holds."""
    for name in ("fget", "fset", "fdel", "func", "__func__", "__wrapped__"):
        inner = getattr(value, name, None)
        if isinstance(inner, FunctionType):
            yield inner.__code__
    if isinstance(value, FunctionType):
        yield value.__code__


@pytest.fixture
def living():
    """Count the living functions with a qualified name."""

    def count(qualname):
        gc.collect()
        functions = [each for each in gc.get_objects() if type(each) is FunctionType]
        return sum(each.__qualname__ == qualname for each in functions)

    return count


@pytest.fixture
def hooks():
    """Make import hooks that are closed in the end."""
    made = []

    def make(
        prepare=lambda name, code, read: code,
        loaded=lambda name, module: None,
        begun=lambda name: None,
        ended=lambda name: None,
    ):
        made.append(ImportHooks(prepare, loaded, begun, ended))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture(scope="session")
def tools():
    """Give what is here to tests that cannot have fixtures of their own for each example."""
    return SimpleNamespace(Weaver=Weaver, execute=execute, namespaces=namespaces)
