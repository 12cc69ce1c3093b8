"""A rule and a group of rules as Prometheus has them; plain data."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Group", "Rule"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A recording rule or an alert; exactly one of the two names is set.

    Args:
        expression: PromQL.
        record: The name of the series that is computed ahead.
        alert: The alert's name.
        hold: For an alert: how long the expression must have a result before somebody is called.
        labels: What the alert or the series gets.
        annotations: For an alert: the texts.
        inputs: For an alert: what it looks at. Unlike `expression` these give data while all is
            well, so a test can tell a quiet alert from one that looks at nothing.
    """

    expression: str
    record: str = ""
    alert: str = ""
    hold: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated one after another."""

    name: str
    rules: tuple[Rule, ...]
