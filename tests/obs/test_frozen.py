"""Classes of values: what they do is what the same dataclass does."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import weakref
from functools import cached_property
from typing import Any

import pytest

from ancestry_obs import frozen as ours

_FIELDS: dict[str, tuple[Any, Any]] = {
    "plain": (ours.frozen(), dataclasses.dataclass(frozen=True, slots=True)),
    "with dict": (ours.frozen(slots=False), dataclasses.dataclass(frozen=True)),
    "changing": (ours.define(), dataclasses.dataclass(slots=True)),
    "changing, with dict": (ours.define(slots=False), dataclasses.dataclass()),
    "by identity": (ours.define(eq=False), dataclasses.dataclass(slots=True, eq=False)),
}


def _make(decorator: Any, field: Any) -> Any:
    class Shown:
        number: int
        text: str = "a"
        items: list[int] = field(default_factory=list, compare=False)
        secret: str = field(default="s", repr=False)
        count: int = field(default=7, init=False)
        made: str = field(init=False, repr=False, compare=False)

        def __post_init__(self) -> None:
            object.__setattr__(self, "made", f"{self.number}{self.text}")

        def doubled(self) -> int:
            return 2 * self.number

    return decorator(Shown)


@pytest.fixture(params=[8, 0], ids=["as it comes", "compiled"])
def few(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `__init__` be compiled after a few objects, or at once."""
    monkeypatch.setattr(ours, "_FEW", request.param)


@pytest.fixture(params=_FIELDS)
def pair(few: None, request: pytest.FixtureRequest) -> tuple[Any, Any]:
    own, other = _FIELDS[request.param]
    return _make(own, ours.field), _make(other, dataclasses.field)


def _outcome(step: Any) -> str:
    try:
        return repr(step())
    except (AttributeError, TypeError) as error:
        kind = AttributeError if isinstance(error, AttributeError) else TypeError
        return kind.__name__


_STEPS = {
    "few": lambda cls: cls(1),
    "all": lambda cls: cls(1, "b", [2], "t"),
    "named": lambda cls: cls(text="b", number=3),
    "twice": lambda cls: cls(1, number=2),
    "too few": lambda cls: cls(),
    "too many": lambda cls: cls(1, "b", [], "s", 8),
    "unknown": lambda cls: cls(1, other=2),
    "not given": lambda cls: cls(1, count=2),
    "from post init": lambda cls: cls(4, "z").made,
    "factory": lambda cls: cls(1).items is cls(1).items,
    "equal": lambda cls: cls(1, "b") == cls(1, "b"),
    "not compared": lambda cls: cls(1, items=[1]) == cls(1, items=[2]),
    "different": lambda cls: cls(1) == cls(2),
    "another kind": lambda cls: cls(1) == 1,
    # Both at once: by identity, what is gone may have had the place of what comes.
    "hash": lambda cls: len({*map(hash, [cls(1, items=[1]), cls(1, items=[2])])}),
    "set": lambda cls: setattr(cls(1), "number", 2),
    "delete": lambda cls: delattr(cls(1), "number"),
    "method": lambda cls: cls(3).doubled(),
    "arguments of a pattern": lambda cls: cls.__match_args__,
    "copy": lambda cls: copy.deepcopy(cls(1, items=[3])).items,
    "class": lambda cls: (cls.__name__, cls.__qualname__, cls.__module__),
    "default of the class": lambda cls: cls(1).secret,
}


@pytest.mark.parametrize("step", _STEPS)
def test_it_does_what_a_dataclass_does(pair: tuple[Any, Any], step: str) -> None:
    own, other = pair
    assert _outcome(lambda: _STEPS[step](own)) == _outcome(lambda: _STEPS[step](other))


@ours.frozen()
class _Point:
    x: int
    y: int = 0


@ours.frozen(slots=False)
class _Remembering:
    x: int

    @cached_property
    def double(self) -> int:
        return 2 * self.x


@ours.define(eq=False, weakref_slot=True)
class _Referred:
    x: int


def test_values_pickle() -> None:
    assert pickle.loads(pickle.dumps(_Point(1, 2))) == _Point(1, 2)


def test_one_that_keeps_a_dict_remembers() -> None:
    point = _Remembering(2)
    assert (point.double, vars(point)) == (4, {"x": 2, "double": 4})


def test_one_is_referred_to_weakly() -> None:
    instance = _Referred(1)
    assert weakref.ref(instance)() is instance


def test_one_like_another() -> None:
    assert ours.replaced(_Point(1, 2), x=3) == _Point(3, 2)


def test_an_error_names_the_class() -> None:
    with pytest.raises(TypeError, match=r"_Point.__init__\(\) missing 1 required .*'x'"):
        _Point()  # type: ignore[call-arg]
    with pytest.raises(AttributeError, match=r"_Point.x is not to be changed"):
        _Point(1).x = 2  # type: ignore[misc]


@pytest.mark.parametrize("instance", [_Point(1), _Remembering(1)])
def test_a_value_gets_no_new_attribute(instance: object) -> None:
    with pytest.raises(AttributeError, match="other is not to be changed"):
        instance.other = 2  # type: ignore[attr-defined]
