"""A map's file -> the checked map, read anew only where one of its files has changed.

To read a map, to check it and to parse its expressions comes to the same at each start. So the
outcome is kept beside woven code, for the next start, and is used as that is: only from a folder
to which nobody else can write, and not where `METRICS_CODE_CACHE` is off. What is kept says which
files the map was read of, and what was in them.
"""

from __future__ import annotations

import os

# What `pickle` is made of, which needs no import of its own.
from _blake2 import blake2b
from _pickle import dumps, loads
from time import time
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.code_cache import open_code_cache
from ancestry_obs.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ancestry_obs.mapfile import MapSpec

__all__ = ["load_map"]

_JUST_NOW: Final = 2.0
"""Seconds; whoever writes a file now may do so between two looks at it."""


def load_map(source: str | Path, code_cache: str | None) -> MapSpec:
    """Load and validate a map.

    Args:
        source: A file, or the name of a shipped map.
        code_cache: The setting of that name.

    Raises:
        MapError: The map has mistakes; all of them are in its findings.
    """
    named, began = os.fspath(source), time()
    path = os.path.abspath(named)  # noqa: PTH100 - pathlib costs more
    # Which file the name of a shipped map means depends on the folder that the program starts in.
    is_file = os.path.isfile(path)  # noqa: PTH113 - as above
    cache = open_code_cache(code_cache, __version__, is_quiet=True) if is_file else None
    entry = f"map-{cache.name([os.fsencode(named), os.fsencode(path)])}" if cache else ""
    spec = _known(cache.read(entry)) if cache else None
    if spec is None:
        from ancestry_obs.mapfile import load  # noqa: PLC0415  that is what is spared

        spec = load(source)
        files = _files_of(spec, path)
        if cache and _are_older(files, began - _JUST_NOW):
            cache.write(entry, ([(each, _digest(each)) for each in files], dumps(spec)))
    return spec


def _known(kept: Any) -> MapSpec | None:  # noqa: ANN401 - whatever was kept
    """Give the map that is kept, if its files are what they were."""
    try:
        files, data = kept
        if all(_digest(path) == digest for path, digest in files):
            spec: MapSpec = loads(data)
            return spec
    except Exception:  # noqa: BLE001 - what cannot be read is as good as not there
        return None
    return None


def _files_of(spec: MapSpec, path: str) -> tuple[str, ...]:
    """Give the files that a map was read of."""
    return tuple({path: None, **dict(spec.files)})


def _digest(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - pathlib costs more
        return blake2b(file.read()).digest()


def _are_older(paths: Iterable[str], moment: float) -> bool:
    return all(os.stat(path).st_ctime < moment for path in paths)  # noqa: PTH116 - as above
