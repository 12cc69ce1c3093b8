"""`subclasses = true`: a call is counted once when it goes up, and wherever else it comes from."""

from __future__ import annotations

import pytest

STORES = """
    class Base:
        def save(self):
            return "base"
        def copy(self):
            return self.save()
    class Sub(Base):
        def save(self):
            return "sub > " + super().save()
        def raw(self):
            return super().save()
        def both(self):
            return [self.save(), super().save()]
    class Deep(Sub):
        def save(self):
            return "deep > " + super().save()
    class Silent(Base):
        def save(self):
            return "silent"
    class Plain(Base):
        pass
    class Left(Base):
        def save(self):
            return "left > " + super().save()
    class Right(Base):
        def save(self):
            return "right > " + super().save()
    class Both(Left, Right):
        def save(self):
            return "both > " + super().save()
    class Explicit(Base):
        def save(self):
            return "explicit > " + Base.save(self)
    class Twice(Base):
        def save(self):
            return super().save() + super().save()
    class Other(Base):
        def save(self):
            return Plain().save() + " other > " + super().save()
    class Fails(Base):
        def save(self):
            super().save()
            raise ValueError("after")
    HELD = Sub().save
    FUNCTION = Sub.save
"""


@pytest.mark.parametrize(
    ("call", "result", "count"),
    [
        (lambda app: app.Base().save(), "base", 1),
        (lambda app: app.Sub().save(), "sub > base", 1),
        (lambda app: app.Deep().save(), "deep > sub > base", 1),
        (lambda app: app.Silent().save(), "silent", 1),
        (lambda app: app.Plain().save(), "base", 1),
        (lambda app: app.Both().save(), "both > left > right > base", 1),
        (lambda app: app.Explicit().save(), "explicit > base", 1),
        (lambda app: app.Twice().save(), "basebase", 1),
        (lambda app: app.Other().save(), "base other > base", 2),
        (lambda app: app.Base.save(app.Sub()), "base", 1),
        (lambda app: app.Base.save(app.Silent()), "base", 1),
        (lambda app: app.Sub.save(app.Deep()), "sub > base", 1),
        (lambda app: app.Sub().raw(), "base", 1),
        (lambda app: app.Deep().raw(), "base", 1),
        (lambda app: app.Sub().both(), ["sub > base", "base"], 2),
        (lambda app: super(app.Deep, app.Deep()).save(), "sub > base", 1),
        (lambda app: app.Sub().copy(), "sub > base", 1),
        (lambda app: app.HELD(), "sub > base", 1),
        (lambda app: app.FUNCTION(app.Sub()), "sub > base", 1),
    ],
    ids=[
        "base", "sub", "deep", "silent", "plain", "diamond", "explicit", "up twice",
        "another instance on the way", "base of a sub", "base of a silent one", "sub of a deep one",
        "super from another method", "inherited", "override and super", "super by hand",
        "by another method", "held bound method", "held function",
    ],
)  # fmt: skip
def test_calls_and_what_they_count(program, call, result, count):
    app = program(STORES, {"target": "app:Base.save", "subclasses": True})
    assert call(app) == result
    assert call(app) == result
    assert program.calls() == {"app:Base.save": 2 * count}


def test_a_call_that_raises_on_its_way_is_counted_once(program):
    app = program(STORES, {"target": "app:Base.save", "subclasses": True})
    for _ in range(2):
        with pytest.raises(ValueError, match="after"):
            app.Fails().save()
    assert app.Sub().raw() == "base"
    assert program.calls() == {"app:Base.save": 3}


def test_a_class_that_is_made_later(program):
    app = program(STORES, {"target": "app:Base.save", "subclasses": True})

    class Later(app.Sub):
        def save(self):
            return "later > " + super().save()

        def raw(self):
            return super().save()

    assert [Later().save(), Later().raw(), app.Base.save(Later())] == [
        "later > sub > base", "sub > base", "base",
    ]  # fmt: skip
    assert program.calls() == {"app:Base.save": 3}


def test_without_the_key_the_function_that_is_named_is_counted_and_no_other(program):
    app = program(STORES, "app:Base.save")
    results = [app.Sub().save(), app.Silent().save(), app.Sub().raw(), app.Base.save(app.Sub())]
    assert results == ["sub > base", "silent", "base", "base"]
    assert program.calls() == {"app:Base.save": 3}


ASYNC = """
    class Base:
        async def load(self):
            return 1
        def stream(self):
            yield 1
    class Sub(Base):
        async def load(self):
            return 1 + await super().load()
        async def raw(self):
            return await super().load()
        def stream(self):
            yield from super().stream()
            yield 2
        def raw_stream(self):
            return super().stream()
"""


def finish(coroutine):
    with pytest.raises(StopIteration) as end:
        coroutine.send(None)
    return end.value.value


def test_coroutines_and_generators(program):
    app = program(
        ASYNC,
        {"target": "app:Base.load", "subclasses": True},
        {"target": "app:Base.stream", "subclasses": True},
    )
    sub = app.Sub()
    coroutines = [sub.load(), sub.raw(), app.Base.load(sub), app.Base().load()]
    assert [finish(each) for each in coroutines] == [2, 1, 1, 1]
    streams = [sub.stream(), sub.raw_stream(), app.Base.stream(sub)]
    assert [[*each] for each in streams] == [[1, 2], [1], [1]]
    assert program.calls() == {"app:Base.load": 4, "app:Base.stream": 3}


def test_two_instances_at_once_do_not_hide_one_another(program):
    """A generator that stands still in an override is not on the way of another's call."""
    app = program(ASYNC, {"target": "app:Base.stream", "subclasses": True})
    one, two = app.Sub(), app.Sub()
    first = one.stream()
    assert next(first) == 1
    assert [*app.Base.stream(two)] == [1]
    assert [*app.Base.stream(one)] == [1]
    assert [*first] == [2]
    assert program.calls() == {"app:Base.stream": 3}
