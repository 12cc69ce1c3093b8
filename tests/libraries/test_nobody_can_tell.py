"""What other tools see of a woven function: coverage.py, cloudpickle, dill, attrs."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# Coverage by file and line.

COVERED = """
    import contextlib

    def branches(x):
        if x > 2:
            return "many"
        elif x:
            x += 1
        else:
            x = -1
        for each in range(x):
            if each > 5:
                break
        else:
            x = 0
        return x

    def never_called(x):
        if x:
            return 1
        return 2

    def fails(x):
        try:
            return 1 / x
        except ZeroDivisionError:
            raise ValueError(x)
        finally:
            x = None

    def one_line(x): return x

    def never_called_in_one_line(x): return x

    def several_lines(
        x,
        y=1,
    ):
        \"\"\"A text
        of two lines.\"\"\"
        return (
            x
            + y
        )

    class Thing:
        def method(self, x):
            with contextlib.suppress(KeyError):
                {}[x]
            return x

        @classmethod
        def make(cls):
            return cls()

        @property
        def size(self):
            if self:
                return 3
            return 4

        @size.setter
        def size(self, value):
            pass

    async def coroutine(x):
        async with manager():
            return await inner(x)

    async def inner(x):
        return x

    @contextlib.asynccontextmanager
    async def manager():
        try:
            yield
        finally:
            pass

    def generator(x):
        while x:
            x -= 1
            yield x
        return x

    async def async_generator():
        yield 1
        yield 2

    def outer(x):
        def closure(y):
            if y:
                return x + y
            return x
        return closure

    double = lambda x: 2 * x
    unused = lambda x: 3 * x

    def matches(x):
        match x:
            case 1:
                return "one"
            case [_, *_]:
                return "list"
        return "other"
"""
MEASURES = """
    import asyncio
    import os

    import coverage

    BRANCH, START = os.environ["BRANCH"] == "yes", os.environ["START"]
    measured = coverage.Coverage(include=["*/lib.py"], data_file=None, branch=BRANCH)
    if START == "before the module":
        measured.start()
    import lib

    def collect(stream):
        async def all_of_it():
            return [each async for each in stream]
        return asyncio.run(all_of_it())

    def use():
        lib.branches(3), lib.branches(1), lib.branches(0)
        lib.one_line(1), lib.several_lines(1), lib.matches(1), lib.matches(2)
        for each in (0, 1):
            try:
                lib.fails(each)
            except ValueError:
                pass
        thing = lib.Thing.make()
        thing.method(1), thing.size
        asyncio.run(lib.coroutine(1))
        list(lib.generator(2)), collect(lib.async_generator())
        lib.outer(1)(1), lib.double(2)
        next(lib.generator(3))

    def main():
        if START == "after the module":
            measured.start()
        use()
        measured.stop()
        data = measured.get_data()
        (file,) = data.measured_files()
        _, statements, excluded, missing, text = measured.analysis2(file)
        arcs = None
        if BRANCH:
            # From a line to itself is no way between two: a look-up that misses makes one.
            arcs = sorted(arc for arc in data.arcs(file) if arc[0] != arc[1])
            arcs += sorted(measured._analyze(file).missing_branch_arcs().items())
        return [sorted(data.lines(file)), statements, excluded, missing, text, arcs]
"""
LIB_TARGETS = (
    "lib:*",
    {"target": "lib:manager", "at": "definition"},
    "lib:outer.<locals>.closure",
    "lib:Thing.size.fset",
)
CORES = ["ctrace", "pytrace"] + (["sysmon"] if sys.version_info >= (3, 12) else [])


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("branch", ["no", "yes"])
@pytest.mark.parametrize("start", ["before the module", "after the module"])
def test_coverage_has_the_same_lines(run_bare, order, core, branch, start):
    """Whatever comes first: the map, the module, or coverage."""
    if core == "sysmon" and branch == "yes" and sys.version_info < (3, 14):
        pytest.skip("coverage.py measures branches by sys.monitoring from Python 3.14 on")
    environment = {"COVERAGE_CORE": core, "BRANCH": branch, "START": start}
    files = {"lib": COVERED}
    bare = run_bare(MEASURES, files=files, environment=environment)
    woven = run_bare(MEASURES, *LIB_TARGETS, order=order, files=files, environment=environment)
    lines, _, _, missing, *_ = bare.result
    assert lines
    assert missing
    assert woven.result == bare.result
    assert woven.calls["lib:*"] > 10


# Pickling by value, for a process that does not know the toolkit.

SENT = """
    import functools

    FACTOR = 3

    def helper(x):
        return x * FACTOR

    def uses_others(x, *, plus=1):
        \"\"\"Doc.\"\"\"
        return helper(x) + plus

    uses_others.attribute = "kept"

    def make(number):
        def closure(x):
            return x + number
        return closure

    CLOSURE = make(10)

    def factorial(x):
        return x * factorial(x - 1) if x else 1

    def generator(x):
        for each in range(x):
            yield each

    async def coroutine(x):
        return x

    double = lambda x: 2 * x

    class Base:
        def method(self, x):
            return x + self.number

    class Thing(Base):
        def __init__(self, number):
            self.number = number
        def method(self, x):
            return super().method(x) * 2
        @classmethod
        def make(cls, number):
            return cls(number).number
        @staticmethod
        def static(x):
            return x + 1
        @property
        def size(self):
            return self.number
"""
# What is sent, and what the receiver does with it.
SENDS = {
    "function": ("lib.uses_others", "sent(2)", 7),
    "attributes": ("lib.uses_others", "[sent.attribute, sent.__doc__]", ["kept", "Doc."]),
    "closure": ("lib.CLOSURE", "sent(1)", 11),
    "maker of closures": ("lib.make", "sent(5)(1)", 6),
    "recursive": ("lib.factorial", "sent(5)", 120),
    "generator": ("lib.generator", "list(sent(3))", [0, 1, 2]),
    "coroutine": ("lib.coroutine", "finish(sent(3))", 3),
    "lambda": ("lib.double", "sent(4)", 8),
    "partial": ("lib.functools.partial(lib.uses_others, 2)", "sent()", 7),
    "table": ("{'a': lib.helper, 'b': [lib.double]}", "[sent['a'](1), sent['b'][0](1)]", [3, 2]),
    "class": ("lib.Thing", "[sent(3).method(1), sent.static(1), sent(4).size]", [8, 2, 4]),
    "instance": ("lib.Thing(3)", "sent.method(1)", 8),
    "bound method": ("lib.Thing(3).method", "sent(1)", 8),
    "bound class method": ("lib.Thing.make", "sent(9)", 9),
    "static method": ("lib.Thing.static", "sent(9)", 10),
    "unbound method": ("lib.Base.method", "sent(type('T', (), {'number': 1})(), 2)", 3),
    "local function": ("local", "sent(1)", 13),
}
SENDER = """
    import base64
    import os
    import sys

    import PICKLER
    import lib

    def main():
        count = 12

        def local(x):
            return lib_double(x) - 1 + count

        lib_double = lib.double
        sent = {name: eval(text, {"lib": lib, "local": local}) for name, text in SENDS_HERE}
        BY_VALUE
        return {
            name: base64.b64encode(PICKLER.dumps(each, **OPTIONS)).decode()
            for name, each in sent.items()
        }
"""
RECEIVER = """
import sys

sys.path.insert(0, sys.argv[1])
import base64
import importlib.util
import json
import pickle
import traceback

assert importlib.util.find_spec("ancestry_obs") is None
assert importlib.util.find_spec("wrapt") is None
assert importlib.util.find_spec("lib") is None


def finish(coroutine):
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value


answers = {}
for name, (data, text) in json.load(sys.stdin).items():
    try:
        answers[name] = eval(text, {"sent": pickle.loads(base64.b64decode(data)), "finish": finish})
    except Exception:
        answers[name] = traceback.format_exc()
json.dump(answers, sys.stdout)
"""
PICKLERS = {
    "cloudpickle": ("cloudpickle.register_pickle_by_value(lib)", "{}"),
    # dill sends by name what it can import; of a module that cannot be found it sends the value.
    "dill": ("del sys.modules['lib']; os.rename('lib.py', 'gone')", "{'recurse': True}"),
}
SENT_TARGETS = ("lib:*", "lib:make.<locals>.closure", "lib:Thing.__init__")


def receive(pickler, folder, pickles):
    """Read pickles in a process that has the standard library and the pickler, and nothing else."""
    source = Path(importlib.util.find_spec(pickler).origin).parent
    shutil.copytree(source, folder / "packages" / pickler)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", RECEIVER, str(folder / "packages")],
        input=json.dumps({name: (each, SENDS[name][1]) for name, each in pickles.items()}),
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def sender(pickler):
    """Give the program that sends everything by this pickler."""
    by_value, options = PICKLERS[pickler]
    return (
        SENDER.replace("PICKLER", pickler)
        .replace("SENDS_HERE", repr([(name, text) for name, (text, *_) in SENDS.items()]))
        .replace("BY_VALUE", by_value)
        .replace("OPTIONS", options)
    )


EXPECTED = {name: answer for name, (*_, answer) in SENDS.items()}


@pytest.mark.parametrize("pickler", PICKLERS)
def test_what_is_pickled_by_value_runs_where_the_toolkit_is_not(run_program, tmp_path, pickler):
    done = run_program(sender(pickler), *SENT_TARGETS, files={"lib": SENT})
    received = tmp_path / "received"
    received.mkdir()
    assert receive(pickler, received, done.result) == EXPECTED


@pytest.mark.parametrize("pickler", PICKLERS)
def test_what_is_pickled_by_value_without_a_map(run_bare, tmp_path, pickler):
    done = run_bare(sender(pickler), files={"lib": SENT})
    received = tmp_path / "received"
    received.mkdir()
    assert receive(pickler, received, done.result) == EXPECTED


@pytest.mark.parametrize("pickler", PICKLERS)
def test_a_pickle_by_value_is_as_large_as_without_a_map(run_bare, order, pickler):
    """It is the original function: nothing of the toolkit travels with it."""
    bare = run_bare(sender(pickler), files={"lib": SENT})
    woven = run_bare(sender(pickler), *SENT_TARGETS, order=order, files={"lib": SENT})
    sizes = {name: len(each) for name, each in bare.result.items()}
    assert {name: len(each) for name, each in woven.result.items()} == sizes


@pytest.mark.parametrize("pickler", PICKLERS)
def test_what_comes_back_into_the_program_works(run_program, pickler):
    """By value comes a new function: the original one, which works and is not counted.

    cloudpickle and dill find no name that leads to any of these functions, with a map or without.
    """
    program = """
    import PICKLER
    import lib

    def main():
        sent = (lib.make(1), lib.double, lib.Thing.make)
        copies = [PICKLER.loads(PICKLER.dumps(each)) for each in sent]
        seen = [copies[0](1), copies[1](2), copies[2](3)]
        for copy, each in zip(copies, sent):
            function, other = getattr(copy, "__func__", copy), getattr(each, "__func__", each)
            data = [*filter(callable, function.__code__.co_consts)]
            seen.append([function is other, function.__name__ == other.__name__, data])
        return seen + [lib.double(4)]
"""
    targets = ("lib:make.<locals>.closure", "lib:double", "lib:Thing.make")
    done = run_program(program.replace("PICKLER", pickler), *targets, files={"lib": SENT})
    assert done.result == [2, 4, 3, *[[False, True, []]] * 3, 8]
    assert done.calls == {"lib:double": 1}


# Classes that attrs makes.

ATTRS = """
    import pickle

    import attr
    import attrs

    @attrs.define
    class Point:
        x: int = attrs.field(converter=int, validator=lambda *_: None)
        y: list = attrs.field()

        @x.validator
        def check(self, attribute, value):
            if value < 0:
                raise ValueError("negative")

        @y.default
        def start(self):
            return [self.x]

        def __attrs_post_init__(self):
            self.y.append("post")

        def move(self, by):
            self.x += by
            return self.x

        def name(self):
            return __class__.__name__

        @property
        def double(self):
            return 2 * self.x

    def make(name):
        return attr.make_class(name, ["x"])

    HELD = Point("1").move

    def main():
        global Made
        Made = make("Made")
        made = pickle.loads(pickle.dumps(Made(3)))
        point = Point("2")
        try:
            Point(-1)
        except ValueError:
            pass
        seen = [Made.__module__, made.x, made == Made(3), HELD(1), point.move(2), point.double]
        return [*seen, point.name(), point.y]
"""


def test_methods_of_a_class_with_slots(run_program, order):
    # The first point is made while the module is imported, before one of the two maps is there.
    points = 3 if order == "map first" else 2
    counts = {
        # Once for each point, and once for each of the two that are moved.
        "app:Point.check": points + 2,
        "app:Point.start": points,
        "app:Point.__attrs_post_init__": points - 1,
        "app:Point.move": 2,
        "app:Point.name": 1,
        "app:Point.double.fget": 1,
        "app:make": 1,
    }
    done = run_program(ATTRS, *counts)
    assert done.result == ["app", 3, True, 2, 4, 8, "Point", [2, "post"]]
    assert done.calls == counts


# `attr:*` alone means what that module defines, which is nothing: it takes all from the others.
@pytest.mark.parametrize("target", ["attr._make:make_class", ["attr:*", "attr.*:*"]])
def test_a_maker_of_classes_names_the_module_of_its_caller(run_program, target):
    done = run_program(ATTRS, {"target": target})
    assert done.result[:3] == ["app", 3, True]
    name = target if isinstance(target, str) else " ".join(target)
    assert done.calls[name] > 0
