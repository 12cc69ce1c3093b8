"""Functions that are pickled by value -> their own code, not the woven one, goes into the pickle.

Spark, Ray, Dask and joblib send functions to other processes as cloudpickle or dill write them: as
code with its constants. There the toolkit may be missing, and what its statements need is no thing
to send. The functions that write code get a step in front, in place as everything else.
"""

from __future__ import annotations

from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Final

from ancestry_obs.patcher.given_code import GivenCode, copied

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PickleHooks"]

# Module, also where a package brings its own copy along; the function; the same with our step.
_WRITERS: Final = {
    "cloudpickle": ("_code_reduce", "def _code_reduce(obj): return _write(_own_code(obj))"),
    "_dill": ("save_code", "def save_code(pickler, obj): return _write(pickler, _own_code(obj))"),
}


class PickleHooks:
    """Keeps hooks in the pickling modules there are.

    Args:
        own_code: Gives for woven code what the function had before, and any other as it is.
    """

    def __init__(self, own_code: Callable[[CodeType], CodeType]) -> None:
        self._own_code = own_code
        self._given = GivenCode()

    def look_at(self, name: str, module: ModuleType) -> None:
        """Put a hook into a module if it is one that pickles functions by value.

        Args:
            name: Its name.
            module: The module; also an old one that was loaded once more.
        """
        attribute, text = _WRITERS.get(name.rpartition(".")[2], ("", ""))
        if not attribute:
            return
        writer = object.__getattribute__(module, "__dict__").get(attribute)
        if type(writer) is not FunctionType or any(writer is each for each, *_ in self._given):
            return
        if not writer.__code__.co_freevars:
            self._given.give(writer, text, _write=copied(writer), _own_code=self._own_code)

    def close(self) -> None:
        """Take all of them away."""
        self._given.take_back()
