"""A call of a method and the frame that it came from -> whether an override counted it already.

A call that goes up through `super()` from an override counts once, at the override. One that comes
from anywhere else counts where it arrives: `Base.save(sub)`, or `super().save()` from a method of
another name.
"""

from __future__ import annotations

import weakref
from functools import partial
from sys import _getframe as getframe
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.compiler.permits import Permit, Way
from ancestry_obs.frozen import define
from ancestry_obs.patcher.namespaces import qualname_of
from ancestry_obs.recording.failures import is_from_outside

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

__all__ = ["SuperCalls", "SuperTest", "call_woven"]

_MOST_TYPES: Final = 1024
# A comprehension has a frame of its own before Python 3.12.
_IN_BETWEEN: Final = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"})
_CALLER: Final = 2


@define()
class _Known:
    reference: weakref.ref[CodeType]
    only_goes_up: bool
    is_woven: bool
    # What it looks up before it gives a permit, if it ever does.
    giver: SuperTest | None
    users: int = 1


def call_woven(self: Any, /, *args: object, **kwargs: object) -> object:  # noqa: ANN401 - a proxy
    """Call what stands for a proxy's original; such a frame is between a caller and the method."""
    return self._self_woven(*args, **kwargs)


class SuperCalls:
    """Knows the code of every override, by the name of the method."""

    def __init__(self) -> None:
        # Held weakly: an id may be given to other code once this one is gone.
        self._codes: dict[str, dict[int, _Known]] = {}

    def add(self, name: str, *codes: CodeType) -> None:
        """Note code that runs an override.

        Args:
            name: The method's name.
            codes: What its frames may have: the woven code, and the original if that is called.
        """
        known = self._codes.setdefault(name, {})
        for code in codes:
            key = id(code)
            if key in known:
                known[key].users += 1
            else:
                reference = weakref.ref(code, partial(_forget, known, key))
                test = next((each for each in code.co_consts if type(each) is SuperTest), None)
                giver = test if "own" in code.co_names else None
                up = _only_goes_up(code, name)
                known[key] = _Known(reference, up, test is not None, giver)
                if test is not None:
                    test.takes = any(each is test.permit for each in code.co_consts)

    def remove(self, name: str, *codes: CodeType) -> None:
        """Forget code that is out of use; as often as it was added.

        Code of ours is forgotten when it is gone: until then a call may be running it that was
        counted there.
        """
        known = self._codes.get(name, {})
        for code in codes:
            found = known.get(id(code))
            if found is not None and not found.is_woven:
                found.users -= 1
                if not found.users:
                    del known[id(code)]

    def test(self, owner: type, name: str) -> SuperTest:
        """Make the test for calls of one method.

        Args:
            owner: The class that defines it.
            name: Its name.
        """
        return SuperTest(owner, name, self._codes.setdefault(name, {}))


class SuperTest:
    """The test for calls of one method.

    Args:
        owner: The class that defines it.
        name: Its name.
        codes: What is known of the overrides' code.

    Attributes:
        plain: By their ids the types whose instances cannot have come up from an override, since
            they have none. Held weakly: woven code is out of the garbage collector's sight.
        permit: What the method takes from an override.
        takes: Whether it does.
        own: Where `super()` leads from the method for instances of the class itself, if known.
        find: Gives the same for those of another type, by its id.
    """

    __slots__ = (
        "_codes", "_name", "_others", "_overridden", "_owner", "find", "own", "permit", "plain",
        "takes",
    )  # fmt: skip

    def __init__(self, owner: type, name: str, codes: Mapping[int, _Known]) -> None:
        self._owner = weakref.ref(owner)
        self._name = name
        self._codes = codes
        self.plain: dict[int, weakref.ref[type]] = {}
        self._overridden: dict[int, weakref.ref[type]] = {}
        self.permit = Permit()
        self.takes = False
        self.own: Way | None = None
        self._others: dict[int, Way] = {}
        self.find = self._others.get
        _remember(self.plain, owner)

    def has_own(self, code: CodeType) -> bool:
        """Whether code was written in the body of the class itself: what it calls ``__class__``."""
        owner = self._owner()
        return owner is not None and code.co_qualname == f"{qualname_of(owner)}.{self._name}"

    def is_inner(self, first: object = None) -> bool:
        """Tell whether a call came up from an override; to be called from the method's own frame.

        Args:
            first: The method's first argument, an instance or a class. Nothing is raised,
                whatever it is.
        """
        try:
            frame = getframe(_CALLER)
            known = self._codes.get(id(frame.f_code))
            # The common way first: one that only goes up does so for this very call. It may also
            # call what it was given, such as a method of another object that has no override.
            is_up = known is not None and known.only_goes_up
            if self.takes and known is not None and known.giver is not None:
                known.giver.learn(self.permit, type(first))
            if is_up and id(type(first)) in self._overridden:
                return True
            kind: Any = type(first)
            base: Any = self._owner()
            if issubclass(kind, type) and issubclass(first, base):  # type: ignore[arg-type]
                kind = first
            if _is_overridden(kind, base, self._name):
                if kind is type(first) and len(self._overridden) < _MOST_TYPES:
                    _remember(self._overridden, kind)
                return is_up or _came_from(frame, first, self._codes)
            if len(self.plain) < _MOST_TYPES and kind is type(first):
                _remember(self.plain, kind)
        except BaseException as error:
            # A class may raise whatever it likes when asked.
            if is_from_outside(error):
                raise
            return False
        return False

    def learn(self, permit: Permit, kind: type) -> None:
        """Learn where `super()` leads from the method, of a call that was given no permit.

        To be called from the `is_inner` of what was called.

        Args:
            permit: What is taken there.
            kind: The type of the first argument.
        """
        owner = self._owner()
        known = self.own if kind is owner else self.find(id(kind))
        if owner is None or (known is not None and known.permit is permit):
            return
        function = _following(kind, owner, self._name)
        called = getframe(_CALLER).f_code
        if type(function) is not FunctionType or function.__code__ is not called:
            return
        # Replaced as a whole: another thread may be using the one that there was.
        if kind is owner:
            self.own = Way(function, permit)
        elif len(self._others) < _MOST_TYPES:
            key, others = id(kind), self._others
            gone = weakref.ref(kind, lambda _: others.pop(key, None))
            others[key] = Way(function, permit, gone)


def _following(kind: type, owner: type, name: str) -> object:
    """Give what a type has under a name behind one of its bases, as the class there has it."""
    is_behind = False
    for each in type.__dict__["__mro__"].__get__(kind):
        space = type.__dict__["__dict__"].__get__(each)
        if is_behind and name in space:
            return space[name]
        is_behind |= each is owner
    return None


def _remember(types: dict[int, weakref.ref[type]], kind: type) -> None:
    key = id(kind)
    types[key] = weakref.ref(kind, lambda _: types.pop(key, None))


def _forget(known: dict[int, _Known], key: int, _: object) -> None:
    known.pop(key, None)


def _is_overridden(kind: type, owner: type, name: str) -> bool:
    for each in type.__dict__["__mro__"].__get__(kind):
        if each is owner:
            return False
        if name in type.__dict__["__dict__"].__get__(each):
            return True
    return False


def _came_from(frame: FrameType | None, first: object, codes: Mapping[int, _Known]) -> bool:
    while frame is not None and (
        frame.f_code.co_name in _IN_BETWEEN or frame.f_code is call_woven.__code__
    ):
        frame = frame.f_back
    if frame is None:
        return False
    known = codes.get(id(frame.f_code))
    if known is None:
        return False
    return known.only_goes_up or _first_of(frame) is first


def _first_of(frame: FrameType) -> object:
    code = frame.f_code
    value = frame.f_locals.get(code.co_varnames[0]) if code.co_varnames else None
    if code.co_argcount == 0 and type(value) is tuple:
        return value[0] if value else None
    return value


def _only_goes_up(code: CodeType, name: str) -> bool:
    """Whether code reaches for the name by `super()` alone, thus for its own first argument.

    That is never known of a name that Python reaches for by itself, as for `__init__` where the
    code makes another object.
    """
    if name.startswith("__") and name.endswith("__"):
        return False
    from dis import get_instructions  # noqa: PLC0415  few maps name a method above others

    reached = by_super = 0
    before = ("", "")
    for each in get_instructions(code):
        if each.opname in {"PRECALL", "CALL", "CACHE", "PUSH_NULL", "COPY_FREE_VARS"}:
            continue
        # Statements of ours ask as well, of a variable of theirs.
        if each.argval == name and not before[1].startswith("_obs"):
            reached += 1
            # From 3.12 on in one instruction, whose lowest bits tell a call and two arguments.
            if each.opname == "LOAD_SUPER_ATTR":
                by_super += not (each.arg or 0) & 2
            else:
                by_super += before == ("LOAD_GLOBAL", "super")
        before = each.opname, str(each.argval)
    return reached > 0 and reached == by_super
