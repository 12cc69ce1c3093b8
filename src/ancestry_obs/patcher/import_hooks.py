"""Modules that are loaded -> a look at their code before it is executed, and at them after it.

Some functions of the import system are given other code while this is in force, so that it does not
matter which finder finds a module or whose loader loads it, nor which finders others put in front.
No bytecode file is written anew: what was read or compiled is changed in memory only. No exception
leaves a hook, and Python takes the frames here out of tracebacks, as it does with its own.
"""

from __future__ import annotations

import importlib._bootstrap as bootstrap
import importlib._bootstrap_external as bootstrap_external
from functools import partial
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.compiler.code import copied
from ancestry_obs.notices import Notices
from ancestry_obs.patcher.given_code import GivenCode

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ImportHooks", "is_initializing"]

_logger = Notices(__name__)

# As the function of the same name does it, with a step in between and one after it.
_EXEC_MODULE: Final = """
def exec_module(self, module):
    code = self.get_code(module.__name__)
    if code is None:
        raise ImportError(f"cannot load module {module.__name__!r} when get_code() returns None")
    code = _prepare(module, code, self)
    try:
        _bootstrap._call_with_frames_removed(exec, code, module.__dict__)
    except BaseException:
        _ended(module.__name__)
        raise
    _executed(module)
"""
_LOAD: Final = """
def load(spec):
    module = _original(spec)
    _loaded(spec.name, module)
    return module
"""
_EXEC: Final = """
def execute(spec, module):
    _begun(spec.name)
    module = _original(spec, module)
    _loaded(spec.name, module)
    return module
"""
# The lock of a module is let go when its import is over, also one that began before this was here.
_EXIT: Final = """
def __exit__(self, *args, **kwargs):
    _original(self, *args, **kwargs)
    _ended(self._name)
"""


def is_initializing(module: ModuleType) -> bool:
    """Whether the module's own statements are still to be executed, or under way.

    A lazy module is not woken up.
    """
    if type(module).__name__ == "_LazyModule":
        return True
    spec = object.__getattribute__(module, "__dict__").get("__spec__")
    return bool(getattr(spec, "_initializing", False))


class ImportHooks:
    """Tells of modules.

    Args:
        prepare: Called with a module's name, its code and its source's reader before it is
            executed; gives the code to execute.
        loaded: Called with the name and the module, once it has been executed.
        begun: Called with the name before a module is executed once more.
        ended: Called with the name when an import is over, be it that it failed; and perhaps before
            that, where modules import each other.
    """

    def __init__(
        self,
        prepare: Callable[[str, CodeType, Callable[[], str | None]], CodeType],
        loaded: Callable[[str, ModuleType], None],
        begun: Callable[[str], None],
        ended: Callable[[str], None],
    ) -> None:
        self._prepare = prepare
        self._loaded = loaded
        self._begun = begun
        self._ended = ended
        self._given = GivenCode()

    @property
    def is_open(self) -> bool:
        """Whether it tells of anything."""
        return bool(self._given)

    def open(self) -> None:
        """Begin to tell; opening it twice is opening it once."""
        if self.is_open:
            return
        # There is no public way that no finder can pass by.
        executing: Any = bootstrap_external._LoaderBasics.exec_module  # type: ignore[attr-defined]  # noqa: SLF001
        loading: Any = bootstrap._load_unlocked  # type: ignore[attr-defined]  # noqa: SLF001
        again: Any = bootstrap._exec  # type: ignore[attr-defined]  # noqa: SLF001
        leaving: Any = bootstrap._ModuleLockManager.__exit__  # type: ignore[attr-defined]  # noqa: SLF001
        begun, ended = partial(self._say, self._begun), partial(self._say, self._ended)
        self._given.give(
            executing, _EXEC_MODULE, _prepare=self._before, _executed=self._after, _ended=ended
        )
        self._given.give(loading, _LOAD, _original=copied(loading), _loaded=self._tell)
        self._given.give(again, _EXEC, _original=copied(again), _begun=begun, _loaded=self._tell)
        self._given.give(leaving, _EXIT, _original=copied(leaving), _ended=ended)

    def close(self) -> None:
        """Tell of nothing any more."""
        self._given.take_back()

    def _before(self, module: ModuleType, code: CodeType, loader: Any) -> CodeType:  # noqa: ANN401 - any loader
        if not self.is_open:
            return code
        try:
            name = module.__name__
            return self._prepare(name, code, lambda: loader.get_source(name))
        except Exception:
            _logger.exception("module %r is not instrumented before it runs", module.__name__)
            return code

    def _after(self, module: ModuleType) -> None:
        # Under a name of its own: a lazy module's `__getattribute__` must not be asked.
        self._tell(object.__getattribute__(module, "__dict__").get("__name__", ""), module)

    def _tell(self, name: str, module: object) -> None:
        if not self.is_open or not issubclass(type(module), ModuleType):
            return
        try:
            self._loaded(name, module)  # type: ignore[arg-type]  # it is a module
        except Exception:
            _logger.exception("module %r is not instrumented: its import hook failed", name)

    def _say(self, listener: Callable[[str], None], name: str) -> None:
        if not self.is_open:
            return
        try:
            listener(name)
        except Exception:
            _logger.exception("module %r is not instrumented: its import hook failed", name)
