from __future__ import annotations

from types import ModuleType

import pytest

from ancestry_obs.patcher.namespaces import delete, namespace_of, subclasses_of, write


class Meta(type):
    def __getattribute__(cls, name):
        raise AssertionError(name)

    def __setattr__(cls, name, value):
        raise AssertionError(name)

    def __delattr__(cls, name):
        raise AssertionError(name)


class Guarded(metaclass=Meta):
    one = 1
    two = 2


def test_a_class_is_read_and_written_past_its_metaclass():
    write(Guarded, "one", 3)
    write(Guarded, "three", 4)
    names = [name for name in namespace_of(Guarded) if not name.startswith("__")]
    values = [namespace_of(Guarded)[name] for name in names]
    delete(Guarded, "three")
    write(Guarded, "one", 1)

    assert (names, values) == (["one", "two", "three"], [3, 2, 4])
    assert "three" not in namespace_of(Guarded)


def test_a_module_is_read_and_written_past_its_class():
    class Lazy(ModuleType):
        def __getattribute__(self, name):
            raise AssertionError(name)

    module = Lazy("lazy")
    write(module, "name", 1)

    assert namespace_of(module)["name"] == 1


def test_a_class_in_c_refuses():
    with pytest.raises(TypeError, match="immutable type"):
        write(dict, "get", None)


def test_subclasses_come_once_and_parents_first():
    class Base: ...

    class Left(Base): ...

    class Right(Base): ...

    class Both(Left, Right): ...

    class Last(Both): ...

    assert list(subclasses_of(Base)) == [Left, Right, Both, Last]
