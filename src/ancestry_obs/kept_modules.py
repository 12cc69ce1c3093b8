"""The toolkit's own modules, out of one file: each process of a run would look for a hundred.

The code of what a start imports is kept beside woven code (`code_cache`), for the next start, and
is used as that is. A module whose file is another one than it was is imported from there, as all
are that are asked for later.
"""

from __future__ import annotations

import os
import sys

# What `importlib.machinery` gives, without an import of its own.
from _frozen_importlib_external import SourceFileLoader, spec_from_file_location
from contextlib import contextmanager
from marshal import dumps, loads
from typing import TYPE_CHECKING

from ancestry_obs.code_cache import open_code_cache
from ancestry_obs.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType
    from typing import Any, Final

    from ancestry_obs.code_cache import CodeCache

    _Kept = dict[str, tuple[str, int, int, bytes]]

__all__ = ["kept_modules"]

_PACKAGE: Final = __name__.partition(".")[0]
_INSIDE: Final = f"{_PACKAGE}."


@contextmanager
def kept_modules(code_cache: str | None) -> Iterator[None]:
    """Import modules of the toolkit from what is kept of them, and keep what is not kept yet.

    Args:
        code_cache: The setting of that name.
    """
    cache = open_code_cache(code_cache, __version__, is_quiet=True)
    if cache is None:
        yield
        return
    entry = cache.name([b"modules", os.fsencode(__file__)])
    finder = _Finder(_read(cache, entry))
    before = {*sys.modules}
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
    new = [each for each in sys.modules if each not in before and each.startswith(_INSIDE)]
    if any(each not in finder.found for each in new):
        cache.write(entry, {**finder.found, **_code_of(new)})


class _Finder:
    """Finds what is kept.

    Args:
        kept: By each module's name the path of its file, its time and size, and its code.

    Attributes:
        found: What of it is as it was.
    """

    def __init__(self, kept: _Kept) -> None:
        self._kept = kept
        self.found: _Kept = {}

    def find_spec(
        self, name: str, _path: object = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Give a module's specification; `None` if it is to be looked for elsewhere."""
        known = self._kept.get(name)
        if known is None:
            return None
        path, *stamp, code = known
        if stamp != _stamp(path):
            return None
        self.found[name] = known
        is_package = os.path.basename(path) == "__init__.py"  # noqa: PTH119  pathlib costs more
        inside = [os.path.dirname(path)] if is_package else None  # noqa: PTH120  as above
        loader = _Loader(name, path, code)
        return spec_from_file_location(name, path, loader=loader, submodule_search_locations=inside)


class _Loader(SourceFileLoader):
    """Loads a module of the code that is kept; everything else is told as by its file."""

    def __init__(self, name: str, path: str, code: bytes) -> None:
        super().__init__(name, path)
        self._code = code

    def get_code(self, fullname: str) -> CodeType | None:
        """Give the code, of what is kept for the first time."""
        code, self._code = self._code, b""
        return loads(code) if code else super().get_code(fullname)  # noqa: S302  ours


def _read(cache: CodeCache, entry: str) -> _Kept:
    kept: Any = cache.read(entry)
    return kept if isinstance(kept, dict) else {}


def _code_of(names: Iterable[str]) -> _Kept:
    """Give what is to be kept of some modules."""
    result: _Kept = {}
    for name in names:
        loader = getattr(sys.modules[name], "__loader__", None)
        if isinstance(loader, SourceFileLoader):
            path = loader.path
            time, size = _stamp(path)
            result[name] = (path, time, size, dumps(loader.get_code(name)))
    return result


def _stamp(path: str) -> list[int]:
    try:
        status = os.stat(path)  # noqa: PTH116  as above
    except OSError:
        return []
    return [status.st_mtime_ns, status.st_size]
