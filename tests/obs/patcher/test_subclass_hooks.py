from __future__ import annotations

import gc
import logging
import weakref

from ancestry_obs.patcher import Pointcut
from ancestry_obs.patcher.subclass_hooks import SubclassHooks

SOURCE = """
    class Base:
        def run(self): return ["base"]

    class Child(Base):
        def run(self): return ["child", *super().run()]

    class Grandchild(Child):
        def run(self): return ["grandchild", *super().run()]

    class Unrelated:
        def run(self): ...
"""


def test_overrides_of_present_subclasses_take_part(program, weave, weaver, picture):
    prog = program(SOURCE)
    classes = (prog.Base, prog.Child, prog.Grandchild, prog.Unrelated)
    before = picture(*classes)
    weave("prog:Base.run", subclasses=True)

    assert prog.Grandchild().run() == ["grandchild", "child", "base"]
    assert weaver.calls == ["prog:Grandchild.run"]
    assert sorted(weaver.targets()) == ["prog:Base.run", "prog:Child.run", "prog:Grandchild.run"]
    weave()
    assert picture(*classes) == before


def test_without_the_option_they_do_not(program, weave, weaver, picture):
    prog = program(SOURCE)
    before = picture(prog.Child, prog.Grandchild)
    weave("prog:Base.run")

    assert picture(prog.Child, prog.Grandchild) == before
    assert "__init_subclass__" not in vars(prog.Base)
    assert weaver.targets() == ["prog:Base.run"]


def test_overrides_of_future_subclasses_take_part(program, weave, weaver):
    prog = program(SOURCE)
    weave("prog:Base.run", subclasses=True)

    class Late(prog.Child):
        def run(self):
            return ["late", *super().run()]

    assert Late().run() == ["late", "child", "base"]
    assert len(weaver.calls) == 1
    assert weaver.take_calls()[0].endswith("Late.run")
    weave()
    assert Late().run() == ["late", "child", "base"]
    assert weaver.calls == []


def test_a_subclass_of_a_class_that_only_inherits_takes_part(program, weave, weaver):
    prog = program(SOURCE + "\n    class Empty(Base): ...\n")
    weave("prog:Empty.run", subclasses=True)

    class Late(prog.Empty):
        def run(self): ...

    prog.Child().run()
    Late().run()

    assert weaver.calls[0] == "prog:Base.run"  # Child is no subclass of Empty
    assert weaver.calls[1].endswith("Late.run")


def test_a_class_with_its_own_hook_keeps_it(program, weave, weaver, picture):
    prog = program(
        """
        told = []
        class Base:
            def __init_subclass__(cls, tag=None, **kwargs):
                super().__init_subclass__(**kwargs)
                told.append((cls.__name__, tag))
            def run(self): ...
        """
    )
    before = picture(prog.Base)
    weave("prog:Base.run", subclasses=True)

    class Late(prog.Base, tag="t"):
        def run(self): ...

    Late().run()

    assert prog.told == [("Late", "t")]
    assert len(weaver.calls) == 1
    weave()
    assert picture(prog.Base) == before


def test_a_mixin_further_along_the_mro_is_still_told(program, weave):
    prog = program(
        """
        told = []
        class Mixin:
            def __init_subclass__(cls, **kwargs):
                super().__init_subclass__(**kwargs)
                told.append((cls.__name__, kwargs))
        class Base:
            def run(self): ...
        """
    )
    weave("prog:Base.run", subclasses=True)

    class Late(prog.Base, prog.Mixin):
        pass

    assert prog.told == [("Late", {})]


def test_an_unknown_class_argument_fails_as_before(program, weave):
    prog = program("class Base:\n    def run(self): ...")

    def derive():
        try:
            type("Late", (prog.Base,), {}, tag=1)
        except TypeError as error:
            return str(error)

    before = derive()
    weave("prog:Base.run", subclasses=True)

    assert "takes no keyword arguments" in before
    assert derive().split("(")[-1] == before.split("(")[-1]


def test_a_hook_that_somebody_put_on_top_is_left(program, weave, weaver):
    prog = program(SOURCE)
    weave("prog:Base.run", subclasses=True)
    ours = prog.Base.__init_subclass__
    prog.Base.__init_subclass__ = classmethod(lambda cls, **kwargs: ours(**kwargs))
    theirs = vars(prog.Base)["__init_subclass__"]
    weave()

    class Late(prog.Base):
        def run(self): ...

    assert vars(prog.Base)["__init_subclass__"] is theirs
    Late().run()
    assert weaver.calls == []


def test_what_the_callback_raises_does_not_reach_the_class_statement(caplog):
    class Base:
        pass

    hooks = SubclassHooks(lambda: 1 / 0)
    hooks.watch(Base)
    hooks.watch(Base)

    class Late(Base):
        pass

    hooks.close()
    (record,) = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert "Late" in record.getMessage()
    assert "__init_subclass__" not in vars(Base)


def test_a_watched_class_is_not_kept_alive():
    hooks = SubclassHooks(print)

    class Base:
        def __init_subclass__(cls):
            super().__init_subclass__()

    hooks.watch(Base)
    reference = weakref.ref(Base)
    del Base
    gc.collect()

    assert reference() is None
    assert hooks._hooks == {}
    hooks.close()


def test_abstract_classes_stay_as_abstract_as_they_were(program, weave, weaver):
    prog = program(
        """
        import abc
        class Base(abc.ABC):
            @abc.abstractmethod
            def run(self): ...
            @property
            @abc.abstractmethod
            def size(self): ...
        """
    )
    weave("prog:Base.*", subclasses=True)

    class Half(prog.Base):
        def run(self): ...

    class Whole(Half):
        size = property(lambda self: 1)

    assert prog.Base.run.__isabstractmethod__
    assert prog.Base.__abstractmethods__ == {"run", "size"}
    assert Half.__abstractmethods__ == {"size"}
    assert Whole().size == 1
    assert Whole.__abstractmethods__ == frozenset()


def test_a_hook_that_was_taken_off_tells_nothing_though_somebody_still_calls_it():
    class Base:
        pass

    told = []
    hooks = SubclassHooks(lambda: told.append("told"))
    hooks.watch(Base)
    ours = Base.__init_subclass__
    hooks.close()
    Base.__init_subclass__ = classmethod(lambda cls: ours())
    type("Late", (Base,), {})

    assert told == []


def test_a_class_that_is_derived_while_others_are_woven_is_found(program, patcher, weaver):
    prog = program(SOURCE)

    def derive(wanted):
        if len(weaver.asked) == 1:
            prog.Late = type("Late", (prog.Base,), {"run": lambda self: ["late"]})

    weaver.when_asked = derive
    patcher.apply([Pointcut("prog:Base.run", "count", subclasses=True)])
    prog.Late().run()

    assert len(weaver.calls) == 1


def test_issubclass_of_the_program_is_not_asked(program, weave, weaver):
    prog = program(
        """
        class Meta(type):
            def __subclasscheck__(cls, other): raise RuntimeError("asked")
        class Base(metaclass=Meta):
            def run(self): ...
        """
    )
    weave("prog:Base.run", subclasses=True)
    late = type(prog.Base)("Late", (prog.Base,), {"run": lambda self: None})
    late().run()

    assert len(weaver.calls) == 1


def test_a_dataclass_that_is_made_anew_with_slots_is_woven_once(program, weave, weaver):
    prog = program(SOURCE)
    weave("prog:Base.run", subclasses=True)
    exec(
        "import dataclasses\n"
        "@dataclasses.dataclass(slots=True)\n"
        "class Late(Base):\n"
        "    x: int = 1\n"
        "    def run(self): return [self.x]",
        vars(prog),
    )

    assert prog.Late().run() == [1]
    assert weaver.calls == ["prog:Late.run"]
