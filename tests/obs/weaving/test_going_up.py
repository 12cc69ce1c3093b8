"""A call that goes up from an override is told from every other one, whatever comes in between."""

from __future__ import annotations

import asyncio
import gc
import importlib
import signal
import sys
import threading
import traceback
import weakref
from collections import Counter
from contextlib import suppress

import pytest

import ancestry_obs
from ancestry_obs.patcher import super_calls

SOURCE = """
    import contextlib
    import sys

    def nothing(*_): ...
    hook = nothing

    class Base:
        def save(self, n, *, wish=None):
            return [n]
        def frame(self, n):
            return sys._getframe()
        def fail(self, n):
            raise ValueError(n)
        @classmethod
        def make(cls, n):
            return cls.__name__
        async def load(self, n):
            return n
        def items(self, n):
            yield n
    class Returned(Base):
        def save(self, n): return super().save(n)
        def frame(self, n): return super().frame(n)
        def fail(self, n): return super().fail(n)
        @classmethod
        def make(cls, n): return super().make(n)
        async def load(self, n): return await super().load(n)
        def items(self, n): return (yield from super().items(n))
    class Kept(Base):
        def save(self, n):
            kept = super().save(n, wish=n)
            return kept
    class Annotated(Base):
        def save(self, n):
            kept: list = super().save(n)
            return kept
    class Done(Base):
        def save(self, n):
            super().save(n)
            return [n]
    class Branched(Base):
        def save(self, n):
            if n:
                return super().save(n)
            else:
                return super().save(0)
    class Looped(Base):
        def save(self, n):
            for each in [n]:
                kept = super().save(each)
            while True:
                return kept
    class Matched(Base):
        def save(self, n):
            match n:
                case 7: return []
                case _: return super().save(n)
    class Twice(Base):
        def save(self, n):
            super().save(n)
            return super().save(n)
    class Spread(Base):
        def save(self, n, *more, **wishes): return super().save(n, *more, **wishes)
    class Middle(Returned):
        pass
    class Deep(Middle):
        def save(self, n): return super().save(n)
    class Deepest(Deep):
        def save(self, n): return super().save(n)
    class Left(Base):
        def save(self, n): return super().save(n)
    class Right(Base):
        def save(self, n): return super().save(n)
    class Both(Left, Right):
        def save(self, n): return super().save(n)
    class Hooked(Base):
        def save(self, n):
            hook(self)
            return super().save(n)

    class Tried(Base):
        def save(self, n):
            try:
                return super().save(n)
            finally:
                hook(self)
    class Managed(Base):
        def save(self, n):
            with contextlib.nullcontext():
                return super().save(n)
    class Computed(Base):
        def save(self, n):
            return super().save(n + len(hook(self) or ""))
    class Inside(Base):
        def save(self, n): return [each for each in super().save(n)]
    class Stored(Base):
        def save(self, n):
            up = super()
            return up.save(n)
    class Named(Base):
        def save(self, n): return super(Named, self).save(n)
    class Nested(Base):
        def save(self, n):
            def inner(): return super(Nested, self).save(n)
            hook(self)
            return super().save(n)
    class Rebound(Base):
        def save(self, n):
            self = Rebound()
            return super().save(n)
    class Unfit(Base):
        def save(self, n):
            if n == 1:
                return super().save(n)
            return super().save(n, n, n)
    class Retried(Base):
        def save(self, n):
            try:
                return super().save(n, n)
            except TypeError:
                hook(self)
                return super().save(n)
"""
QUICK = [
    "Returned", "Kept", "Annotated", "Done", "Branched", "Looped", "Matched", "Twice", "Middle",
    "Deep", "Deepest", "Left", "Both", "Hooked",
]  # fmt: skip
OTHERS = [
    "Spread", "Tried", "Managed", "Computed", "Inside", "Stored", "Named", "Nested", "Retried",
]  # fmt: skip


def wish(*methods):
    return {
        "version": 1,
        "metrics": {
            "calls_total": {
                "type": "counter",
                "help": "Calls.",
            },
            "seconds": {"type": "histogram", "help": "How long.", "buckets": [1]},
        },
        "instrument": [
            {
                "target": f"app:Base.{method}",
                "subclasses": True,
                "record": [
                    {"metric": "calls_total"},
                    {"metric": "seconds"},
                ],
            }
            for method in methods
        ],
    }


@pytest.fixture
def app(make_module, enabled):
    make_module("app", SOURCE)
    app = importlib.import_module("app")
    ancestry_obs.install(wish("save", "frame", "fail", "make", "load", "items"), settings=enabled)
    return app


@pytest.fixture
def counts():
    """What each target counted since it was asked the last time."""
    before = Counter()

    def take():
        now = Counter({e.target.partition(":")[2]: e.calls for e in ancestry_obs.status().targets})
        new = now - before
        before.update(new)
        return dict(new)

    return take


@pytest.fixture
def no_frames(monkeypatch):
    """From here on a look at a frame fails, and what depends on it counts in the base as well."""

    def forbid():
        monkeypatch.setattr(super_calls, "getframe", None)

    return forbid


@pytest.mark.parametrize("name", QUICK)
def test_a_call_that_goes_up_is_known_without_a_look_at_a_frame(app, counts, no_frames, name):
    thing = getattr(app, name)()
    owner = "Returned" if name == "Middle" else name
    assert thing.save(1) == [1]
    assert counts() == {f"{owner}.save": 1}
    no_frames()
    assert thing.save(2) == thing.save(2) == [2]
    assert counts() == {f"{owner}.save": 2}


@pytest.mark.parametrize("name", OTHERS)
def test_others_are_told_by_the_frame(app, counts, name):
    for _ in range(3):
        assert getattr(app, name)().save(1) == [1]
    assert counts() == {f"{name}.save": 3}


def test_spread_arguments_need_no_frame_where_making_containers_runs_no_finalizers(
    app, counts, no_frames
):
    app.Spread().save(1)
    no_frames()
    app.Spread().save(1, wish=2)
    assert counts() == {"Spread.save": 2} | ({"Base.save": 1} if sys.version_info < (3, 12) else {})


@pytest.mark.parametrize("name", [*QUICK, *OTHERS, "Rebound"])
def test_direct_calls_count_beside_those_that_go_up(app, counts, name):
    thing = getattr(app, name)()
    owner = "Returned" if name == "Middle" else name
    for _ in range(3):
        thing.save(1)
        assert app.Base.save(thing, 2) == [2]
    assert counts() == {f"{owner}.save": 3, "Base.save": 3}


@pytest.mark.parametrize("name", ["Hooked", "Computed", "Tried", "Nested"])
def test_a_call_from_within_an_override_by_somebody_else_counts(app, counts, name):
    thing = getattr(app, name)()
    thing.save(1)
    app.hook = lambda this: app.Base.save(this, 2) and None
    thing.save(1)
    app.hook = lambda this: app.Base.save(type(this)(), 2) and None
    thing.save(1)
    assert counts() == {f"{name}.save": 3, "Base.save": 2}


def test_several_steps_are_told_by_who_begins_them(app, counts):
    async def both():
        return await app.Returned().load(1), await app.Base.load(app.Returned(), 2)

    assert asyncio.run(both()) == (1, 2)
    assert [*app.Returned().items(1), *app.Base.items(app.Returned(), 2)] == [1, 2]
    assert app.Returned.make(1) == "Returned"
    assert counts() == {
        "Returned.load": 1, "Base.load": 1, "Returned.items": 1, "Base.items": 1,
        "Returned.make": 1,
    }  # fmt: skip


def at_begin_of(code, hook):
    """Have `hook` run once where a function begins, as a signal's handler does."""

    def profile(frame, event, _):
        if event == "call" and frame.f_code is code:
            sys.setprofile(None)
            hook()

    sys.setprofile(profile)


@pytest.mark.parametrize("name", ["Returned", "Middle"])
def test_a_handler_that_runs_where_the_base_begins_takes_nothing(app, counts, name):
    thing = getattr(app, name)()
    thing.save(1)
    at_begin_of(app.Base.save.__code__, lambda: app.Base.save(thing, 2))
    assert thing.save(1) == [1]
    assert sys.getprofile() is None
    assert counts() == {"Returned.save": 2, "Base.save": 1}


def test_a_handler_that_raises_where_the_base_begins_leaves_nothing(app, counts):
    thing = app.Returned()
    thing.save(1)

    def interrupt():
        raise KeyboardInterrupt

    at_begin_of(app.Base.save.__code__, interrupt)
    with pytest.raises(KeyboardInterrupt):
        thing.save(1)
    app.Base.save(thing, 2)
    assert counts() == {"Returned.save": 2, "Base.save": 1}


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs timers")
def test_signals_that_call_the_base_on_the_same_object(app, counts):
    thing, handled = app.Returned(), []

    def handle(*_):
        handled.append(app.Base.save(thing, 2))
        # Again and again, but never within itself: a slow machine would come to no end.
        signal.setitimer(signal.ITIMER_REAL, 1e-4)

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 1e-4)
    try:
        calls = 0
        while len(handled) < 50:
            thing.save(1)
            calls += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert counts() == {"Returned.save": calls, "Base.save": len(handled)}


def test_threads_that_share_an_object(app, counts):
    thing, each = app.Deep(), 4_000
    begin = threading.Barrier(6)

    def up():
        begin.wait()
        for _ in range(each):
            thing.save(1)

    def down():
        begin.wait()
        for _ in range(each):
            app.Base.save(thing, 2)

    threads = [threading.Thread(target=target) for target in (up, down) * 3]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert counts() == {"Deep.save": 3 * each, "Base.save": 3 * each}


@pytest.mark.parametrize("name", ["Unfit", "Retried"])
def test_a_call_that_does_not_come_about_leaves_no_permit(app, counts, name):
    thing = getattr(app, name)()
    thing.save(1)
    app.hook = lambda this: app.Base.save(this, 2)
    for _ in range(2):
        with suppress(TypeError):
            thing.save(2)
        app.Base.save(thing, 3)
    inside = 2 if name == "Retried" else 0
    assert counts() == {f"{name}.save": 3, "Base.save": 2 + inside}


def test_a_full_stack_leaves_no_permit(app, counts):
    thing = app.Returned()
    thing.save(1)

    def below(depth):
        return below(depth - 1) if depth else thing.save(1)

    def room():
        depth = 0
        with suppress(RecursionError):
            while True:
                below(depth)
                depth += 1
        return depth

    limit, failed = sys.getrecursionlimit(), 0
    sys.setrecursionlimit(200)
    try:
        most = room()
        counts()
        for depth in range(most - 5, most + 5):
            try:
                below(depth)
            except RecursionError:
                failed += 1
            app.Base.save(thing, 2)
    finally:
        sys.setrecursionlimit(limit)
    assert 0 < failed < 10
    assert counts()["Base.save"] == 10


def test_what_the_base_raises_arrives_as_it_was(app, counts):
    thing = app.Returned()
    for _ in range(3):
        with pytest.raises(ValueError, match="1") as caught:
            thing.fail(1)
        assert [each.name for each in traceback.extract_tb(caught.tb)][-2:] == ["fail", "fail"]
        lines = [each.line for each in traceback.extract_tb(caught.tb)][-2:]
        assert lines == ["def fail(self, n): return super().fail(n)", "raise ValueError(n)"]
        with pytest.raises(ValueError, match="2"):
            app.Base.fail(thing, 2)
    assert counts() == {"Returned.fail": 3, "Base.fail": 3}


def test_what_does_not_fit_is_told_as_before(app):
    with pytest.raises(TypeError) as first:
        app.Unfit().save(2)
    app.Unfit().save(1)
    with pytest.raises(TypeError) as second:
        app.Unfit().save(2)
    text = "Base.save() takes 2 positional arguments but 4 were given"
    assert [str(first.value), str(second.value)] == [text, text]


def test_frames_are_those_that_they_were(app):
    for _ in range(3):
        frame = app.Returned().frame(1)
        assert frame.f_code is app.Base.frame.__code__
        assert frame.f_back.f_code is not app.Base.frame.__code__


def test_a_class_that_changes_on_the_way_is_seen(app, counts):
    thing = app.Deep()
    thing.save(1)
    assert counts() == {"Deep.save": 1}
    app.Middle.save = lambda self, n: app.Returned.save(self, n) and ["patched"]
    assert thing.save(1) == thing.save(1) == ["patched"]
    assert counts() == {"Deep.save": 2, "Returned.save": 2}
    del app.Middle.save
    assert thing.save(1) == [1]
    app.Middle.save = None
    with pytest.raises(TypeError, match="'NoneType' object is not callable"):
        thing.save(1)
    del app.Middle.save
    assert counts() == {"Deep.save": 2}


def test_code_that_the_program_exchanges_is_run(app, counts):
    thing = app.Returned()
    thing.save(1)

    def other(self, n, *, wish=None):
        return "other"

    app.Base.save.__code__ = other.__code__
    assert thing.save(1) == "other"
    ancestry_obs.status()
    assert [thing.save(1), app.Base.save(thing, 2)] == ["other", "other"]
    assert counts() == {"Returned.save": 3, "Base.save": 1}


def test_who_only_says_to_be_an_instance(app):
    class Fake:
        __class__ = property(lambda _: app.Returned)

    app.Returned().save(1)
    assert app.Returned.save(Fake(), 1) == [1]
    with pytest.raises(TypeError, match="instance or subtype of type"):
        app.Returned.save(object(), 1)


@pytest.mark.parametrize("again", [False, True])
def test_uninstalled_while_a_call_is_on_its_way(app, counts, enabled, again):
    thing = app.Hooked()
    thing.save(1)

    def exchange(_):
        app.hook = app.nothing
        ancestry_obs.uninstall()
        if again:
            ancestry_obs.install(wish("save"), settings=enabled)

    app.hook = exchange
    assert thing.save(1) == [1]
    if not again:
        ancestry_obs.install(wish("save"), settings=enabled)
    for _ in range(3):
        assert thing.save(1) == app.Base.save(thing, 1) == [1]
    calls = counts()
    assert (calls["Hooked.save"], calls["Base.save"] - again) in {(3, 3), (3, 2)}


def test_reloaded_while_a_call_is_on_its_way(app, counts, no_frames):
    thing = app.Hooked()
    other = wish("save")
    other["instrument"][0]["record"].pop()
    thing.save(1)

    def exchange(_):
        app.hook = app.nothing
        ancestry_obs.reload(other)

    app.hook = exchange
    assert [thing.save(1), thing.save(1), app.Base.save(thing, 2)] == [[1], [1], [2]]
    assert counts() == {"Hooked.save": 3, "Base.save": 1}
    no_frames()
    thing.save(1)
    assert counts() == {"Hooked.save": 1}


def test_nothing_is_kept_alive(app):
    class Later(app.Returned):
        def save(self, n):
            return super().save(n)

    class Below(Later):
        pass

    things = [Later(), Below(), app.Unfit()]
    for thing in things * 3:
        thing.save(1)
        with suppress(TypeError):
            thing.save(2)
    references = [*map(weakref.ref, things), weakref.ref(Later), weakref.ref(Below)]
    things.clear()
    del thing, Later, Below
    gc.collect()
    ancestry_obs.status()
    assert [each() for each in references] == [None] * 5


def lines_of(call):
    """Give what a tracer is told of the program, a line once where it shows several times."""
    seen, last = [], {}

    def trace(frame, event, _):
        if not frame.f_code.co_filename.endswith("app.py"):
            return None
        if event != "line" or last.get(id(frame)) != frame.f_lineno:
            seen.append((frame.f_code.co_qualname, event, frame.f_lineno))
        last[id(frame)] = frame.f_lineno if event == "line" else 0
        return trace

    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(None)
    return seen


@pytest.mark.parametrize("name", [*QUICK, *OTHERS])
def test_a_tracer_sees_what_it_saw(app, name):
    thing = getattr(app, name)()
    thing.save(1)
    woven = lines_of(lambda: thing.save(1))
    ancestry_obs.uninstall()
    assert woven == lines_of(lambda: thing.save(1))
