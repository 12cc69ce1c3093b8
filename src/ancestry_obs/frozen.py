"""Classes that are their fields: a class with annotations comes in, its methods are added.

What `dataclasses.dataclass` does, for the classes that each measured program makes at its start.
`dataclass` compiles the methods of a class at once, and for the toolkit's sixty classes that took
longer than anything else of a start. Here they are closures over the fields' names; `__init__`
alone is compiled, for a class of which more than a few objects are made. What programs get to see
(states, findings), and what commands alone import, are dataclasses.

The words are those of attrs, which is dearer still to import.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, TypeVar, dataclass_transform

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["define", "field", "frozen", "replaced"]

_Class = TypeVar("_Class", bound=type)
_Object = TypeVar("_Object")

_MISSING: Final = object()
_FEW: Final = 8
"""So many objects are made before it is worth while to compile an `__init__` for their class."""


class _Field:
    """See `field`."""

    __slots__ = ("compare", "default", "default_factory", "init", "repr")

    def __init__(
        self,
        default: object,
        default_factory: Callable[[], object] | None = None,
        init: bool = True,  # noqa: FBT001, FBT002 - as `field` gives it
        compare: bool = True,  # noqa: FBT001, FBT002 - as above
        repr: bool = True,  # noqa: A002, FBT001, FBT002 - as above
    ) -> None:
        self.default = default
        self.default_factory = default_factory
        self.init = init
        self.compare = compare
        self.repr = repr


def field(
    *,
    default: object = _MISSING,
    default_factory: Callable[[], object] | None = None,
    init: bool = True,
    compare: bool = True,
    repr: bool = True,  # noqa: A002 - dataclasses' word
) -> Any:  # noqa: ANN401 - it stands where a value of the field's type would
    """Say more of a field than its type.

    Args:
        default: the value where none is given.
        default_factory: makes the value where none is given.
        init: whether the field is given; `__post_init__` sets one that is not and has no default.
        compare: whether equality and hash take the field in.
        repr: whether `repr` shows it.
    """
    return _Field(default, default_factory, init, compare, repr)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(*, slots: bool = True, eq: bool = True) -> Callable[[_Class], _Class]:
    """Make a class whose objects are values: equal by their fields, which stay as they are.

    Args:
        slots: whether the fields take slots; not for objects that remember more (cached_property).
        eq: whether objects are equal, and hash, by their fields, or by identity.

    Example:
        >>> @frozen()
        ... class Point:
        ...     x: int
        ...     y: int = 0
        >>> Point(1), Point(1) == Point(1, 0)
        (Point(x=1, y=0), True)
    """
    return lambda cls: _make(cls, slots=slots, eq=eq, is_frozen=True)


@dataclass_transform(field_specifiers=(field,))
def define(
    *, slots: bool = True, eq: bool = True, weakref_slot: bool = False
) -> Callable[[_Class], _Class]:
    """Make a class whose objects change.

    Args:
        slots: as in `frozen`.
        eq: as in `frozen`; with it, objects have no hash.
        weakref_slot: whether objects with slots may be referred to weakly.
    """
    return lambda cls: _make(cls, slots=slots, eq=eq, is_frozen=False, weakref_slot=weakref_slot)


def replaced(instance: _Object, **changes: object) -> _Object:
    """Make an object like another one but for the fields that are given."""
    names: tuple[str, ...] = type(instance).__match_args__  # type: ignore[attr-defined]  # `_make`
    values = {name: getattr(instance, name) for name in names}
    return type(instance)(**values | changes)


def _fields(cls: type) -> dict[str, _Field]:
    """Read a class as its statement has made it."""
    own = vars(cls)
    fields = {}
    for name, kind in cls.__annotations__.items():
        if not kind.startswith("ClassVar"):
            said = own.get(name, _MISSING)
            fields[name] = said if isinstance(said, _Field) else _Field(said)
    return fields


def _make(
    cls: Any,  # noqa: ANN401 - a class of whatever kind
    *,
    slots: bool,
    eq: bool,
    is_frozen: bool,
    weakref_slot: bool = False,
) -> Any:  # noqa: ANN401 - as above
    fields = _fields(cls)
    methods: dict[str, Any] = {
        "__match_args__": tuple(name for name, each in fields.items() if each.init),
        "__init__": _late_init(fields, slots=slots, is_frozen=is_frozen),
        "__repr__": _repr(tuple(name for name, each in fields.items() if each.repr)),
    }
    if eq:
        key = attrgetter(*(name for name, each in fields.items() if each.compare))
        methods |= {"__eq__": _eq(key), "__hash__": _hash(key) if is_frozen else None}
    if is_frozen:
        methods |= {"__setattr__": _refuse, "__delattr__": _refuse}
        if slots:
            methods["__reduce__"] = _reduce
    own = vars(cls)
    # What the class has of its own stays.
    methods = {name: each for name, each in methods.items() if own.get(name) is None}
    if not slots:
        for name in fields.keys() & own.keys():
            delattr(cls, name)
        for name, method in methods.items():
            setattr(cls, name, method)
        return cls
    left_out = {"__dict__", "__weakref__", *fields}
    namespace = {name: value for name, value in own.items() if name not in left_out} | methods
    namespace["__slots__"] = (*fields, "__weakref__") if weakref_slot else tuple(fields)
    made = type(cls)(cls.__name__, cls.__bases__, namespace)
    made.__qualname__ = cls.__qualname__
    return made


def _late_init(fields: dict[str, _Field], *, slots: bool, is_frozen: bool) -> Callable[..., None]:
    calls = 0

    def __init__(self: object, *values: object, **named: object) -> None:  # noqa: N807 - a method
        nonlocal calls
        cls = next(each for each in type(self).__mro__ if vars(each).get("__init__") is __init__)
        calls += 1
        given = _given(fields, values, named) if calls <= _FEW else None
        if given is not None:
            for name, value in given.items():
                object.__setattr__(self, name, value)
            if hasattr(cls, "__post_init__"):
                self.__post_init__()  # type: ignore[attr-defined]  # it is there
            return
        # Several threads may come by here; each makes the same.
        init = _init(fields, cls, slots=slots, is_frozen=is_frozen)
        cls.__init__ = init  # type: ignore[misc]  # that is the purpose
        init(self, *values, **named)

    return __init__


def _given(
    fields: dict[str, _Field], values: tuple[object, ...], named: dict[str, object]
) -> dict[str, object] | None:
    """Give the fields' values; None where the arguments do not fit: what is compiled says so."""
    names = [name for name, each in fields.items() if each.init or each.default_factory]
    given = dict(zip(names, values, strict=False)) | named
    if len(given) < len(values) + len(named) or not named.keys() <= {*names}:
        return None
    for name, each in fields.items():
        if name not in given:
            if each.default_factory is not None:
                given[name] = each.default_factory()
            elif each.default is not _MISSING:
                given[name] = each.default
            elif each.init:
                return None
    return given


def _init(
    fields: dict[str, _Field], cls: type, *, slots: bool, is_frozen: bool
) -> Callable[..., None]:
    """Compile what takes the fields as parameters."""
    has: dict[str, Any] = {"_MISSING": _MISSING}
    parameters = ["self"]
    lines = []
    for name, each in fields.items():
        value = name
        if each.default_factory is not None:
            has[f"_make_{name}"] = each.default_factory
            parameters.append(f"{name}=_MISSING")
            value = f"_make_{name}() if {name} is _MISSING else {name}"
        elif each.default is not _MISSING:
            has[f"_default_{name}"] = each.default
            if each.init:
                parameters.append(f"{name}=_default_{name}")
            else:
                value = f"_default_{name}"
        elif each.init:
            parameters.append(name)
        else:
            continue
        lines.append(_assignment(name, is_frozen=is_frozen, slots=slots).format(value))
        if is_frozen and slots:
            has[f"_set_{name}"] = vars(cls)[name].__set__
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    body = "\n ".join(lines)
    text = f"def __init__({', '.join(parameters)}):\n {body}"
    # Not as text: at the end of the program that makes Python forget that it is to end by SIGINT.
    exec(compile(text, __file__, "exec"), has)  # noqa: S102 - names of our own
    init: Callable[..., None] = has["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    return init


def _assignment(name: str, *, is_frozen: bool, slots: bool) -> str:
    if not is_frozen:
        return f"self.{name} = {{}}"
    return f"_set_{name}(self, {{}})" if slots else f"self.__dict__['{name}'] = {{}}"


def _repr(names: tuple[str, ...]) -> Callable[[object], str]:
    def __repr__(self: object) -> str:  # noqa: N807 - a method
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__qualname__}({fields})"

    return __repr__


def _eq(key: Callable[[object], object]) -> Callable[[object, object], bool]:
    def __eq__(self: object, other: object) -> bool:  # noqa: N807 - a method
        if type(other) is not type(self):
            return NotImplemented
        return key(self) == key(other)

    return __eq__


def _hash(key: Callable[[object], object]) -> Callable[[object], int]:
    def __hash__(self: object) -> int:  # noqa: N807 - a method
        return hash(key(self))

    return __hash__


def _refuse(self: object, name: str, *_: object) -> None:
    raise AttributeError(f"{type(self).__qualname__}.{name} is not to be changed")


def _reduce(self: Any) -> tuple[type, tuple[object, ...]]:  # noqa: ANN401 - any class of `frozen`
    return type(self), tuple(getattr(self, name) for name in self.__match_args__)
