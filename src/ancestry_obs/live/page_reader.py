"""An exposition comes in as bytes, its metrics go out.

The format: https://prometheus.io/docs/instrumenting/exposition_formats/, "Text-based format". It is
read here, and not by prometheus_client, since whoever looks at a program from elsewhere need not
have that installed. What is no sample is passed over: the program may register what it likes.
"""

from __future__ import annotations

import re
from typing import Final

from ancestry_obs.live.scrape import Labels, Metric

__all__ = ["read_page"]

# A value never has a brace in it: the last one of a line ends the labels.
_SAMPLE: Final = re.compile(r"([^\s{}#]+)\s*(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?\s*")
_LABEL: Final = re.compile(r'\s*([^\s=,"]+)\s*=\s*"((?:[^"\\]|\\.)*)"\s*,?')
_ESCAPED: Final = re.compile(r"\\(.)")
_MEANT: Final = {"n": "\n"}
_PARTS: Final = {
    "histogram": ("_bucket", "_count", "_sum", "_created"),
    "summary": ("_count", "_sum", "_created"),
}
_OURS: Final = "ancestry_obs_build_info"


def read_page(page: bytes) -> dict[str, Metric]:
    """Read an exposition.

    Args:
        page: In Prometheus' text format, from an exporter of ours.

    Returns:
        The metrics by name, in the order of the page.

    Raises:
        ValueError: It is something else.
    """
    metrics: dict[str, Metric] = {}
    parts: dict[str, tuple[Metric, str]] = {}
    for line in page.decode().split("\n"):
        if line.startswith("# TYPE "):
            _declare(line, metrics, parts)
        elif line and line[0] != "#":
            _read_sample(line, metrics, parts)
    if _OURS not in metrics:
        raise ValueError("no exposition of ancestry-obs")
    return metrics


def _declare(line: str, metrics: dict[str, Metric], parts: dict[str, tuple[Metric, str]]) -> None:
    words = line.split()
    if len(words) != len(("#", "TYPE", "name", "kind")):
        return
    metric = metrics[words[2]] = Metric(words[2], words[3])
    for suffix in _PARTS.get(metric.kind, ("",)):
        parts[metric.name + suffix] = metric, suffix


def _read_sample(
    line: str, metrics: dict[str, Metric], parts: dict[str, tuple[Metric, str]]
) -> None:
    found = _SAMPLE.fullmatch(line)
    if found is None:
        return
    name, text, number = found.groups()
    try:
        value = float(number)
    except ValueError:
        return
    if name not in parts:
        parts[name] = metrics.setdefault(name, Metric(name, "untyped")), ""
    metric, suffix = parts[name]
    if suffix == "_bucket":
        _read_bucket(metric, text or "", value)
    elif suffix in {"", "_count"}:
        metric.values[_labels(text or "")] = value


def _read_bucket(metric: Metric, text: str, count: float) -> None:
    labels = _labels(text)
    bound = dict(labels).get("le", "")
    series = tuple(pair for pair in labels if pair[0] != "le")
    try:
        metric.buckets.setdefault(series, {})[float(bound)] = count
    except ValueError:
        return
    # With negative bounds a histogram has no count of its own; its last bucket is the same.
    if bound == "+Inf":
        metric.values[series] = count


def _labels(text: str) -> Labels:
    pairs = _LABEL.findall(text)
    if "\\" in text:
        return tuple((name, _ESCAPED.sub(_plain, value)) for name, value in pairs)
    return tuple(pairs)


def _plain(found: re.Match[str]) -> str:
    return _MEANT.get(found[1], found[1])
