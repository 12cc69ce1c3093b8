"""Classes without an `__init__` in Python: one is added while woven, and nobody can tell."""

from __future__ import annotations

import inspect
import pickle

import pytest

from ancestry_obs.patcher import Pointcut

CLASSES = """
    class Plain:
        "Nothing of its own."

    class Slotted:
        __slots__ = ("x", "__weakref__")

    class Mapping(dict):
        pass

    class Number(int):
        pass

    class Failure(Exception):
        pass

    class Made:
        def __new__(cls, x, *, y=2):
            made = super().__new__(cls)
            made.x = x
            return made

    class Meta(type):
        def __call__(cls, *args):
            return super().__call__()

    class Called(metaclass=Meta):
        pass
"""
NAMES = ("Plain", "Slotted", "Mapping", "Number", "Failure", "Made", "Called")
CALLS = (
    ((), {}),
    ((1,), {}),
    (([("k", "v")],), {}),
    ((1, 2), {}),
    ((1,), {"y": 3}),
    ((), {"x": 1}),
    ((), {"self": 1}),
)


def outcome(cls, args, kwargs):
    try:
        made = cls(*args, **kwargs)
    except TypeError as error:
        return str(error)
    return cls, repr(made).partition(" at ")[0], vars(made) if hasattr(made, "__dict__") else None


def shown(cls):
    try:
        return inspect.signature(cls)
    except ValueError:
        return None


@pytest.fixture
def classes(program):
    module = program(CLASSES)
    return {name: getattr(module, name) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_arguments_are_taken_and_refused_as_before(classes, weave, weaver, name):
    cls = classes[name]
    before = [outcome(cls, *call) for call in CALLS]
    weave(f"prog:{name}.__init__")
    assert [outcome(cls, *call) for call in CALLS] == before
    assert f"prog:{name}.__init__" in weaver.take_calls()


def test_a_plain_class_says_who_takes_no_arguments(classes, weave):
    weave("prog:Plain.__init__")
    with pytest.raises(TypeError, match=r"^Plain\(\) takes no arguments$"):
        classes["Plain"](1)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_left_behind(classes, weave, picture, name):
    cls = classes[name]
    before, inherited = picture(cls), cls.__init__
    outcomes = [outcome(cls, *call) for call in CALLS]
    weave(f"prog:{name}.__init__")
    assert "__init__" in vars(cls)
    weave()
    assert picture(cls) == before
    assert cls.__init__ == inherited
    assert [outcome(cls, *call) for call in CALLS] == outcomes


@pytest.mark.parametrize("name", sorted({*NAMES} - {"Mapping", "Number", "Failure"}))
def test_the_signature_of_the_class_stays(classes, weave, name):
    before = shown(classes[name])
    assert before is not None
    weave(f"prog:{name}.__init__")
    assert shown(classes[name]) == before


def test_a_class_without_a_signature_shows_any_arguments(classes, weave):
    weave("prog:Mapping.__init__")
    assert str(inspect.signature(classes["Mapping"].__init__)) == "(self, /, *args, **kwargs)"


def test_it_looks_like_an_initializer_of_its_class(classes, weave):
    weave("prog:Plain.__init__")
    added = classes["Plain"].__init__
    assert (added.__module__, added.__qualname__) == ("prog", "Plain.__init__")
    assert added.__doc__ == object.__init__.__doc__
    assert added.__annotations__ == {}


def test_instances_are_pickled_as_before(classes, weave):
    before = pickle.dumps(classes["Mapping"](a=1))
    weave("prog:Mapping.__init__")
    assert pickle.dumps(classes["Mapping"](a=1)) == before
    assert pickle.loads(before) == {"a": 1}


def test_an_instance_that_was_made_while_woven_lives_on(classes, weave):
    weave("prog:Plain.__init__")
    made = classes["Plain"]()
    weave()
    made.__init__()
    assert type(made).__init__ is object.__init__


def test_base_classes_that_come_later_are_not_cut_off(program, weave, weaver):
    module = program("""
        class Plain:
            pass
        class Base:
            def __init__(self, x):
                super().__init__()
                self.x = x
        class Both(Plain, Base):
            pass
        class Own(Plain):
            def __init__(self, x):
                super().__init__()
                self.x = x
    """)
    weave("prog:Plain.__init__")
    assert (module.Both(3).x, module.Own(4).x) == (3, 4)
    assert weaver.take_calls() == ["prog:Plain.__init__"] * 2


def test_a_class_and_the_one_below_it_are_both_woven(program, weave, weaver, picture):
    module = program("""
        class Plain:
            pass
        class Below(Plain):
            pass
    """)
    before = picture(module.Plain, module.Below)
    weave("prog:Below.__init__", "prog:Plain.__init__")
    module.Below()
    assert weaver.take_calls() == ["prog:Below.__init__", "prog:Plain.__init__"]
    with pytest.raises(TypeError, match=r"^Below\(\) takes no arguments$"):
        module.Below(1)
    weave()
    assert picture(module.Plain, module.Below) == before


def test_only_the_named_class_gets_one(program, weave):
    module = program("""
        class Plain:
            pass
        class Below(Plain):
            pass
    """)
    weave("prog:Below.__init__")
    assert "__init__" not in vars(module.Plain)
    assert type(module.Plain()).__init__ is object.__init__


def test_subclasses_that_define_their_own_later_take_part(program, patcher, weaver, picture):
    module = program("""
        class Plain:
            pass
    """)
    before = picture(module.Plain)
    patcher.apply([Pointcut("prog:Plain.__init__", "count", subclasses=True)])
    exec("class Later(Plain):\n    def __init__(self): pass", vars(module))
    module.Later()
    assert weaver.take_calls() == ["prog:Later.__init__"]
    patcher.apply(())
    assert picture(module.Plain) == before


def test_an_initializer_that_is_written_meanwhile_stays(classes, weave, reason):
    weave("prog:Plain.__init__")
    own = classes["Plain"].__init__ = lambda self: None
    weave()
    assert vars(classes["Plain"])["__init__"] is own
    assert reason("prog:Plain.__init__") == (
        "left in place: the name was bound to something else meanwhile"
    )


def test_one_that_somebody_removed_is_not_missed(classes, weave, picture):
    before = picture(classes["Plain"])
    weave("prog:Plain.__init__")
    del classes["Plain"].__init__
    weave()
    assert picture(classes["Plain"]) == before


def test_what_stays_the_same_stays(classes, patcher, weaver, states):
    pointcuts = [Pointcut("prog:Plain.__init__", each) for each in ("a", "b")]
    patcher.apply(pointcuts)
    added = vars(classes["Plain"])["__init__"]
    patcher.apply(pointcuts)
    assert vars(classes["Plain"])["__init__"] is added
    assert [asked.advices for asked in weaver.asked] == [("a", "b")]
    assert states() == {"prog:Plain.__init__": "installed"}
    classes["Plain"]()
    assert weaver.take_calls() == ["prog:Plain.__init__"]
    patcher.apply(pointcuts[:1])
    assert weaver.asked[-1].advices == ("a",)
    classes["Plain"]()
    assert weaver.take_calls() == ["prog:Plain.__init__"]
    patcher.apply([Pointcut("prog:Plain.*", "a"), Pointcut("prog:Plain.__*", "a")])
    assert "__init__" not in vars(classes["Plain"])
    patcher.apply(())
    assert "__init__" not in vars(classes["Plain"])


def test_one_that_cannot_be_woven_is_not_added(classes, weave, weaver, picture, reason):
    before = picture(classes["Plain"])
    weaver.refuse["prog:Plain.__init__"] = ValueError("no")
    weave("prog:Plain.__init__")
    assert reason("prog:Plain.__init__") == "cannot be woven: no"
    assert picture(classes["Plain"]) == before


def test_it_is_defined_nowhere_and_held_by_nobody(classes, weave, patcher):
    assert classes
    weave("prog:Plain.__init__")
    (report,) = patcher.report()
    assert (report.defined_at, report.unreached, report.aliases) == ("", (), ())


def test_a_class_of_c_is_refused_as_before(program, weave, states, reason):
    program("from collections import deque")
    weave("prog:deque.__init__")
    assert states() == {"prog:deque.__init__": "error"}
    assert "implemented in C" in reason("prog:deque.__init__")


def test_a_class_that_shows_a_self_of_its_own_shows_any_arguments(program, weave):
    module = program("""
        class Odd:
            def __new__(cls, /, self):
                return super().__new__(cls)
    """)
    weave("prog:Odd.__init__")
    assert module.Odd(self=1)
    assert str(inspect.signature(module.Odd.__init__)) == "(self, /, *args, **kwargs)"
