"""What asks Prometheus for metrics: the panels, rules and alerts of a map, or those of files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.exceptions import ObservabilityError
from ancestry_obs.monitoring.usage import all_usages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ancestry_obs.monitoring import Catalogue, Plan

__all__ = ["Use", "uses_in", "uses_of"]

_SUFFIXES: Final = {".json", ".yml", ".yaml"}


@dataclass(frozen=True, slots=True)
class Use:
    """Something that asks.

    Args:
        what: Such as ``panel Requests``, ``alert TargetNotInstrumented``.
        where: The file that has it; empty for what is generated from a map.
        expression: What it asks; PromQL, perhaps with Grafana's variables.
    """

    what: str
    where: str
    expression: str


def uses_of(catalogue: Catalogue, plan: Plan) -> Iterator[Use]:
    """Give what the generated dashboard and rules of a map ask.

    Args:
        catalogue: The map's metrics.
        plan: What is shown and promised of them.
    """
    for usage in all_usages(plan, catalogue):
        what = "rule" if usage.kind == "record" else usage.kind
        for query in usage.queries:
            yield Use(f"{what} {usage.name}", "", query)


def uses_in(path: Path) -> list[Use]:
    """Give what a Grafana dashboard (JSON) or a file of Prometheus' rules (YAML) asks.

    Args:
        path: The file, or a folder of such files.

    Raises:
        ObservabilityError: It cannot be read, or is neither; or the folder has none of them.
    """
    if path.is_dir():
        files = [each for each in sorted(path.rglob("*")) if each.suffix in _SUFFIXES]
        found = [use for each in files for use in _read(each)]
        if not found:
            raise ObservabilityError(
                f"{path}: nothing in this folder asks Prometheus anything; name a Grafana "
                "dashboard (.json), a file of Prometheus' rules (.yml), or a folder of them"
            )
        return found
    found = _read(path)
    if not found:
        raise ObservabilityError(
            f"{path}: asks Prometheus nothing; name a Grafana dashboard (.json) or a file of "
            "Prometheus' rules (.yml)"
        )
    return found


def _read(path: Path) -> list[Use]:
    try:
        text = path.read_text("utf-8-sig")
        data = json.loads(text) if path.suffix == ".json" else _yaml(text)
    except OSError as error:
        raise ObservabilityError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise ObservabilityError(f"{path}: neither JSON nor YAML ({error})") from error
    return [*_asked(data, str(path))]


def _yaml(text: str) -> object:
    try:
        import yaml  # noqa: PLC0415  of an extra, and few have such files compared
    except ModuleNotFoundError as error:
        raise ObservabilityError(
            "rules in YAML need the package 'PyYAML', which is not installed; run "
            "'pip install ancestry-obs[web]'"
        ) from error
    try:
        data: object = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error).splitlines()[0]) from error
    return data


def _asked(data: object, where: str, within: str = "") -> Iterator[Use]:
    """Yield every expression, however deep: panels stand in rows, rules in groups."""
    if isinstance(data, list):
        for each in data:
            yield from _asked(each, where, within)
    if not isinstance(data, dict):
        return
    within = _named(data) or within
    for key, value in data.items():
        if key in {"expr", "query", "definition"} and isinstance(value, str):
            yield Use(within or "query", where, value)
        else:
            yield from _asked(value, where, within)


def _named(data: dict[Any, Any]) -> str:
    for key, what in (("alert", "alert"), ("record", "rule"), ("title", "panel")):
        if isinstance(data.get(key), str) and ("expr" in data or key == "title"):
            return f"{what} {data[key]}"
    return ""
