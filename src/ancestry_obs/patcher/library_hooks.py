"""Functions of libraries that deal with code -> the same with a step of ours, while that is wanted.

- Spark, Ray, Dask and joblib send functions to other processes as cloudpickle or dill write them:
  as code with its constants. There the toolkit may be missing, and what its statements need is no
  thing to send: the function's own code goes into the pickle, not the woven one.
- IPython's `%autoreload` compiles a changed function by itself and gives its code to the function
  that is there: it is looked at as soon as that is done.

They are given other code, in place as everything else.
"""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Final

from ancestry_obs.compiler.code import copied
from ancestry_obs.frozen import frozen
from ancestry_obs.patcher.given_code import GivenCode
from ancestry_obs.patcher.members import core_of
from ancestry_obs.patcher.namespaces import value_at

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, ModuleType

__all__ = ["LibraryHooks"]


@frozen(slots=False)
class _Hook:
    """A function of a library, and what it does with our step.

    Args:
        qualname: Where it is in its module.
        arguments: What it takes: one that takes something else is another function.
        step: What it does.
    """

    qualname: str
    arguments: tuple[str, ...]
    step: str

    @property
    def text(self) -> str:
        return f"def hooked({', '.join(self.arguments)}):\n    {self.step}"


# By the last name of the module: a package may bring its own copy along.
_HOOKS: Final = {
    "cloudpickle": _Hook("_code_reduce", ("obj",), "return _original(_own_code(obj))"),
    "_dill": _Hook("save_code", ("pickler", "obj"), "return _original(pickler, _own_code(obj))"),
    "autoreload": _Hook(
        "update_function", ("old", "new"), "_original(old, new); _has_other_code(old)"
    ),
    "deduperreload_patching": _Hook(
        "DeduperReloaderPatchingMixin.patch_function",
        ("cls", "to_patch_to", "to_patch_from", "is_method"),
        "_original(cls, to_patch_to, to_patch_from, is_method); _has_other_code(to_patch_to)",
    ),
}


class LibraryHooks:
    """Keeps hooks in the libraries there are.

    Args:
        own_code: Gives for woven code what the function had before, and any other as it is.
        has_other_code: Called with a function that was given other code by a library.
    """

    def __init__(
        self, own_code: Callable[[CodeType], CodeType], has_other_code: Callable[[object], None]
    ) -> None:
        self._own_code = own_code
        self._has_other_code = has_other_code
        self._given = GivenCode()

    def look_at(self, name: str, module: ModuleType) -> None:
        """Put a hook into a module if it is one of these.

        Args:
            name: Its name.
            module: The module; also an old one that was loaded once more.
        """
        hook = _HOOKS.get(name.rpartition(".")[2])
        if hook is None:
            return
        found = _function(module, hook.qualname)
        if found is None or any(found is each for each, *_ in self._given):
            return
        code = found.__code__
        if not code.co_freevars and code.co_varnames[: code.co_argcount] == hook.arguments:
            self._given.give(
                found,
                hook.text,
                _original=copied(found),
                _own_code=self._own_code,
                _has_other_code=self._has_other_code,
            )

    def close(self) -> None:
        """Take all of them away."""
        self._given.take_back()


def _function(module: ModuleType, qualname: str) -> FunctionType | None:
    core = core_of(value_at(module, qualname))
    return core if type(core) is FunctionType else None
