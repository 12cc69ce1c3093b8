from __future__ import annotations

import importlib
import sys
from types import ModuleType, SimpleNamespace

import pytest

from ancestry_obs import aspects
from ancestry_obs.exceptions import CompileError
from ancestry_obs.expressions import BUILTIN_FUNCTIONS
from ancestry_obs.mapfile import load

MAP = {
    "version": 1,
    "functions": {"short": "labels:short", "long": "labels:long"},
    "metrics": {
        "a_total": {"type": "counter", "help": "A.", "labels": {"x": {"max_values": 3}}},
        "b": {"type": "gauge", "help": "B."},
    },
    "instrument": [
        {
            "target": ["m:f", "m:g"],
            "subclasses": True,
            "record": [{"metric": "a_total", "labels": {"x": "short(x)"}}],
        }
    ],
    "sample": [{"target": "m:C", "metric": "b", "value": "self.size()"}],
    "hook": [
        {"target": "m:f", "before": "exporter.start"},
        {"target": "m:g", "after": "exporter.stop"},
    ],
}


def test_every_part_of_a_map_becomes_advice():
    spec = load(MAP)
    found = aspects.pointcuts(spec, 0.0)
    assert [each.pattern for each in found] == ["m:f", "m:g", "m:C.__init__", "m:f", "m:g"]
    record, _, sample, before, after = (each.advice for each in found)
    assert record.records == spec.instruments[0].records
    assert record.metrics == (spec.metrics[0],)
    assert record.subclasses
    assert sample.track == spec.samples
    assert (before.before, before.after) == (("exporter.start",), ())
    assert (after.before, after.after) == ((), ("exporter.stop",))


def test_only_the_functions_that_are_called_are_part_of_the_advice():
    before, changed = load(MAP), load(MAP | {"functions": {"short": "a:b", "long": "labels:long"}})
    assert aspects.pointcuts(before, 0.0)[0].advice.functions == (("short", "labels:short"),)
    assert aspects.pointcuts(before, 0.0)[0] != aspects.pointcuts(changed, 0.0)[0]
    assert aspects.pointcuts(before, 0.0)[2:] == aspects.pointcuts(changed, 0.0)[2:]


class TestInstances:
    def test_of_a_class_and_of_those_below_it(self):
        class Base: ...

        class Derived(Base): ...

        class Other: ...

        base, derived, other = Base(), Derived(), Other()
        assert {id(each) for each in aspects.instances_of(Base)} == {id(base), id(derived)}
        assert aspects.instances_of(Derived) == [derived]
        assert aspects.instances_of(Other) == [other]

    def test_of_another_class_of_the_same_name_are_none(self):
        def make():
            class Thing: ...

            return Thing

        first, second = make()(), make()()
        assert aspects.instances_of(type(second)) == [second]
        assert type(first).__qualname__ == type(second).__qualname__

    def test_by_the_name_of_the_class(self):
        class Base: ...

        class Derived(Base): ...

        target = f"{__name__}:{Base.__qualname__}"
        assert aspects.is_instance_of(Base(), target)
        assert aspects.is_instance_of(Derived(), target)
        assert not aspects.is_instance_of(Base(), f"{__name__}:{Derived.__qualname__}")
        assert not aspects.is_instance_of(Base(), f"other:{Base.__qualname__}")

    def test_by_the_name_that_a_main_module_has_otherwise(self):
        kind = type("Thing", (), {"__module__": "__main__"})
        assert aspects.is_instance_of(kind(), "prog:Thing")

    def test_none_of_their_code_runs(self):
        class Meta(type):
            def __eq__(cls, other):
                raise AssertionError

            __hash__ = None

        class Hostile(metaclass=Meta):
            def __eq__(self, other):
                raise AssertionError

            def __getattribute__(self, name):
                raise AssertionError

            __hash__ = None

        kept = Hostile()
        assert [id(each) for each in aspects.instances_of(Hostile)] == [id(kept)]
        assert aspects.is_instance_of(kept, f"{__name__}:{Hostile.__qualname__}")


class TestLabelFunctions:
    @pytest.fixture
    def labels(self, make_module):
        make_module(
            "labels",
            """
            imported = True
            constant = 3
            class Texts:
                @staticmethod
                def short(text):
                    return text[:1]
            """,
        )

    def test_the_builtin_ones_are_there(self):
        functions = aspects.LabelFunctions(())
        assert dict(functions) == dict(BUILTIN_FUNCTIONS)
        assert len(functions) == len(BUILTIN_FUNCTIONS)

    def test_an_own_one_is_imported_when_it_is_asked_for(self, labels):
        functions = aspects.LabelFunctions((("short", "labels:Texts.short"),))
        assert set(functions) == {*BUILTIN_FUNCTIONS, "short"}
        assert len(functions) == len(BUILTIN_FUNCTIONS) + 1
        assert "labels" not in sys.modules
        assert functions["short"]("abc") == "a"
        assert functions["short"] is functions["short"]

    @pytest.mark.parametrize("wanted", ["from half import late", "import half; half.late"])
    def test_one_that_needs_what_is_being_imported_is_imported_at_its_first_call(
        self, make_module, tmp_path, wanted
    ):
        make_module("half.part", "asked = []")
        make_module("wanting", f"{wanted}\ndef short(text): return text[:1]")
        functions = aspects.LabelFunctions((("short", "wanting:short"),))
        weaving = []
        sys.modules["weaving_now"] = SimpleNamespace(
            weave=lambda: weaving.append(functions["short"])
        )
        text = "import weaving_now; weaving_now.weave()\nlate = 1\n"
        (tmp_path / "half" / "__init__.py").write_text(text)
        try:
            importlib.import_module("half")
        finally:
            del sys.modules["weaving_now"]
        assert weaving[0]("abc") == "a"
        assert functions["short"] is weaving[0]

    def test_another_map_has_others(self, labels):
        functions = aspects.LabelFunctions((("short", "labels:Texts.short"),))
        assert functions["short"]("abc") == "a"
        functions.replace((("short", "builtins:len"),))
        assert functions["short"] is len

    @pytest.mark.parametrize(
        ("path", "message"),
        [
            (
                "no_such_module_x:f",
                (
                    "functions.short: cannot import 'no_such_module_x:f': No module named "
                    "'no_such_module_x'; it has to be 'module:callable' of a module that can be "
                    "imported"
                ),
            ),
            ("labels:missing", "functions.short: cannot import 'labels:missing': module 'labels'"),
            (
                "leaves:f",
                "functions.short: cannot import 'leaves:f': SystemExit('bye'); it has to be",
            ),
            ("labels:constant", "functions.short: 'labels:constant' is no callable but 3"),
        ],
    )
    def test_one_that_cannot_be_had(self, labels, make_module, path, message):
        make_module("leaves", "raise SystemExit('bye')")
        functions = aspects.LabelFunctions((("short", path),))
        with pytest.raises(CompileError) as refused:
            functions["short"]
        assert str(refused.value).startswith(message)

    def test_an_unknown_one_is_a_key_error(self):
        with pytest.raises(KeyError):
            aspects.LabelFunctions(())["no_such"]

    def test_a_program_that_is_being_executed_is_not_imported_again(self, make_module):
        make_module("prog", "raise AssertionError('executed a second time')")
        functions = aspects.LabelFunctions((("short", "prog:short"),))
        main = ModuleType("__main__")
        functions.look_in(main, "prog")
        short = functions["short"]
        with pytest.raises(AttributeError):
            short("abc")
        main.short = lambda text: text[:1]
        assert short("abc") == "a"
