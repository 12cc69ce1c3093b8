"""Module names -> a call whenever such a module has been imported, for the first time or again.

wrapt's post-import hooks tell of the first import. They know nothing of a module that is already
there when the hook is registered and is then reloaded, or removed and imported anew; a finder of
our own tells of those. No exception leaves a hook. Nothing is imported here.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, cast

import wrapt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec
    from types import ModuleType

__all__ = ["ImportHooks", "is_initializing"]

_logger = logging.getLogger(__name__)


def is_initializing(module: ModuleType) -> bool:
    """Whether the module's own statements are still being executed by an import."""
    return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))


class _TellingLoader(wrapt.ObjectProxy):  # type: ignore[type-arg]  # no generic at run time
    """A module's own loader, which tells when it has executed the module."""

    def __init__(self, loader: object, tell: Callable[[ModuleType], None]) -> None:
        super().__init__(loader)
        self._self_tell = tell

    def exec_module(self, module: ModuleType) -> None:
        # The module must not see that its loader was exchanged.
        loader = self.__wrapped__
        module.__loader__ = loader
        if module.__spec__ is not None:
            module.__spec__.loader = loader
        loader.exec_module(module)
        self._self_tell(module)


class ImportHooks:
    """Watches imports.

    Args:
        notify: Called with the watched name and the module after each import of it, in the thread
            that imports; what it raises is logged.
    """

    def __init__(self, notify: Callable[[str, ModuleType], None]) -> None:
        self._notify = notify
        self._active = False
        self._registered: set[str] = set()
        self._imported: set[str] = set()

    def watch(self, name: str) -> None:
        """Watch the module `name`; watching it twice is watching it once."""
        self._activate()
        if name in self._registered:
            return
        self._registered.add(name)
        if name in sys.modules:
            self._imported.add(name)
        else:
            # wrapt offers no way back, so the hook stays registered and is inert when closed.
            wrapt.register_post_import_hook(lambda module: self._tell(name, module), name)

    def watched(self) -> frozenset[str]:
        """Return the names that are watched, imported or not."""
        return frozenset(self._registered) if self._active else frozenset()

    def close(self) -> None:
        """Tell of nothing any more, until something is watched again."""
        self._active = False
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module that is imported again, as the other finders do (PEP 451)."""
        if name not in self._imported:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = find(name, path, target) if find is not None and finder is not self else None
            if spec is not None:
                return self._with_telling_loader(name, cast("ModuleSpec", spec))
        return None

    def _activate(self) -> None:
        self._active = True
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def _with_telling_loader(self, name: str, spec: ModuleSpec) -> ModuleSpec:
        if hasattr(spec.loader, "exec_module"):
            loader = _TellingLoader(spec.loader, lambda module: self._tell(name, module))
            spec.loader = cast("Loader", loader)
        return spec

    def _tell(self, name: str, module: ModuleType) -> None:
        self._imported.add(name)
        if not self._active:
            return
        try:
            self._notify(name, module)
        except Exception:
            _logger.exception("module %r is not instrumented: its import hook failed", name)
