"""What the page `/status` tells besides states: a map and processes come in, plain data goes out.

Who looks at a program, as the live page does, learns here where the map asks for what is measured,
how many values a label may have, and which processes are measured.
"""

from __future__ import annotations

import os
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ancestry_obs.mapfile.specs import MapSpec, Where

__all__ = ["label_limits", "places", "processes"]


def places(spec: MapSpec) -> dict[str, list[str]]:
    """Give where the map names each pattern, as ``file:line``.

    Args:
        spec: The map.

    Returns:
        The places by pattern, in the map's order, each once.
    """
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for pattern, where in _patterns(spec):
        found[pattern][where.file_and_line] = None
    return {pattern: list(each) for pattern, each in found.items()}


def _patterns(spec: MapSpec) -> Iterator[tuple[str, Where]]:
    for instrument in spec.instruments:
        for pattern in instrument.targets:
            yield pattern, instrument.where
    for sample in spec.samples:
        yield sample.initializer, sample.where
    for hook in spec.hooks:
        yield hook.target, hook.where


def label_limits(spec: MapSpec, namespace: str) -> list[dict[str, object]]:
    """List the labels that may have so many values, and no more.

    Args:
        spec: The map.
        namespace: What the metrics' full names begin with; may be empty.

    Returns:
        For each its ``metric`` as the map names it and by its ``full_name``, its ``label``, and the
        ``limit``. A label whose values the map lists is not among them: it cannot have more.
    """
    return [
        {
            "metric": metric.name,
            "full_name": metric.full_name(namespace),
            "label": label.name,
            "limit": label.max_values,
        }
        for metric in spec.metrics
        for label in metric.labels
        if label.max_values is not None
    ]


def processes(living: Iterable[int] | None) -> list[dict[str, object]]:
    """Tell of processes who they are, as far as the system tells.

    Args:
        living: Their numbers; of this one alone if `None`.

    Returns:
        For each its ``pid``; the ``name`` that the system has for it, which is no argument of the
        command and may be empty; the number of its ``parent``, or `None`; and whether it ``serves``
        this page.
    """
    own = os.getpid()
    numbers = [own] if living is None else living
    return [{"pid": each, **_told(each), "serves": each == own} for each in numbers]


def _told(process: int) -> dict[str, object]:
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123  as in `process_tree`
            head, _, rest = file.read().rpartition(")")
    except OSError:
        return {"name": "", "parent": None}
    # Its state, then its parent (proc_pid_stat(5)).
    return {"name": head.partition("(")[2], "parent": int(rest.split()[1])}
