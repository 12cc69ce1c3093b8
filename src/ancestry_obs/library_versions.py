"""What packs say of their libraries -> which of them are here, and in another version than meant.

What is installed is told by the names of the folders in which installers note it, since
`importlib.metadata` takes longer to import than a process can wait. Releases are compared as PyPA's
specification "Version specifiers" has it. What comes before one, such as 3.0rc1, fits neither
`>=3.0` nor `<3.0`.
"""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, Final

from ancestry_obs.notices import Notices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ancestry_obs.mapfile import MapSpec
    from ancestry_obs.mapfile.specs import PackSpec

__all__ = ["fits", "installed_version", "misfit", "notes", "warn"]

_logger = Notices(__name__)

_NOTED: Final = re.compile(r"(.+?)-(\d[^-]*)(?:-py[0-9.]+)?\.(?:dist-info|egg-info)", re.ASCII)
_VERSION: Final = re.compile(r"v?(?:\d+!)?(\d+(?:\.\d+)*)(.*)", re.ASCII | re.DOTALL)
_BEFORE: Final = re.compile(r"[-_.]?(?:a|b|c|rc|alpha|beta|pre|preview|dev)\d*", re.IGNORECASE)

_Release = tuple[int, ...]


def warn(spec: MapSpec) -> None:
    """Log a line for each library that is here in a version that its pack is not for.

    Args:
        spec: The map.
    """
    for pack in spec.packs:
        found = installed_version(pack.library)
        if found is not None and not fits(found, pack.versions):
            _logger.warning("%s: %s", pack.where, misfit(pack, found))


def notes(spec: MapSpec) -> Iterator[str]:
    """Yield a note for each library that is not here, or in a version that its pack is not for.

    Args:
        spec: The map.
    """
    for pack in spec.packs:
        found = installed_version(pack.library)
        if found is None or not fits(found, pack.versions):
            yield f"note: {pack.where}: {misfit(pack, found)}"


def misfit(pack: PackSpec, found: str | None) -> str:
    """Say why a pack does not fit.

    Args:
        pack: The pack.
        found: The version of its library that is installed; None if it is not.
    """
    if found is None:
        return f"{pack.library} is not installed in this Python"
    return (
        f"it is for {pack.library} {pack.versions}, and {found} is installed; look at the states "
        "of its targets, and at what they measure"
    )


def installed_version(library: str, path: Iterable[str] | None = None) -> str | None:
    """Find the version of a distribution.

    Args:
        library: Its name on PyPI, in whatever spelling.
        path: The folders to look in; those of this Python if None.

    Returns:
        The version; None if there is no such distribution.
    """
    wanted = _normal(library)
    for folder in sys.path if path is None else path:
        try:
            names = os.listdir(folder or ".")  # noqa: PTH208 - names alone are wanted
        except OSError:  # an archive, or nothing
            continue
        for name in names:
            noted = _NOTED.fullmatch(name)
            if noted and _normal(noted[1]) == wanted:
                return noted[2]
    return None


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def fits(version: str, versions: str) -> bool:
    """Tell whether a version is one of those that a pack is for.

    Args:
        version: Such as ``2.3.1``; one that is no version fits nowhere.
        versions: Such as ``>=2.3,<4``.

    Example:
        >>> fits("2.3.1", ">=2.3,<4"), fits("4.0rc1", ">=2.3,<4")
        (True, False)
    """
    read = _VERSION.fullmatch(version)
    if read is None:
        return False
    release, is_before = _release(read[1]), bool(_BEFORE.match(read[2]))
    for each in versions.split(","):
        comparison, bound = re.fullmatch(r" *([<>=!~]=?) ?(.*?) *", each).groups()  # type: ignore[union-attr]  # the language has seen to it
        if not _COMPARISONS[comparison](release, bound):
            return False
        # It comes before the very release that is the first to fit.
        if is_before and comparison in {">=", "~=", "=="} and release == _release(bound):
            return False
    return True


def _release(text: str) -> _Release:
    """Read a release; zeros at its end mean nothing."""
    numbers = [int(number) for number in text.split(".")]
    while numbers[1:] and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def _is_compatible(release: _Release, bound: str) -> bool:
    series = tuple(int(number) for number in bound.split("."))[:-1]
    return release >= _release(bound) and (*release, *[0] * len(series))[: len(series)] == series


_COMPARISONS: Final[dict[str, Callable[[_Release, str], bool]]] = {
    ">=": lambda release, bound: release >= _release(bound),
    "<=": lambda release, bound: release <= _release(bound),
    ">": lambda release, bound: release > _release(bound),
    "<": lambda release, bound: release < _release(bound),
    "==": lambda release, bound: release == _release(bound),
    "!=": lambda release, bound: release != _release(bound),
    "~=": _is_compatible,
}
