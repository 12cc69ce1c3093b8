"""Reads what several parts of a map have alike: expressions, targets, a metric and its labels.

Each mistake goes to the report, and reading goes on; a value of the wrong type was reported before
and is `None` here. Which parameters a target has is not known in a map; the compiler checks that
when it sees the target.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ancestry_obs.exceptions import ExpressionError, TargetError
from ancestry_obs.expressions import Expression, check, parse
from ancestry_obs.expressions.given import NOTHING, Given
from ancestry_obs.frozen import field, frozen
from ancestry_obs.mapfile.metrics import ALWAYS_POSSIBLE
from ancestry_obs.mapfile.report import allowed_names
from ancestry_obs.mapfile.targets import parse_target

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ancestry_obs.exceptions import Where
    from ancestry_obs.mapfile.report import Report
    from ancestry_obs.mapfile.specs import LabelSpec, MetricSpec
    from ancestry_obs.mapfile.taken import DefaultLabel
    from ancestry_obs.mapfile.toml_lines import KeyPath

__all__ = ["Reader", "Variables"]


@frozen(slots=False)
class Variables:
    """Which variables an expression may read.

    Args:
        only: All that there are; `None` where the target decides.
        methods: Whether methods of ``self`` may be called.
        given: The names with a dot that are variables.
    """

    only: Collection[str] | None = None
    methods: bool = False
    given: Given = NOTHING


@frozen(slots=False)
class Reader:
    """Reads the parts of one map that refer to its metrics and functions.

    Args:
        metrics: The metrics by name; `None` for one that is broken.
        functions: The label functions there are.
        report: Takes the mistakes.
        values: The default of a label where a record does not give it, by metric and label.
    """

    metrics: Mapping[str, MetricSpec | None]
    functions: Collection[str]
    report: Report
    values: Mapping[str, Mapping[str, DefaultLabel]] = field(default_factory=dict)

    def target(self, text: str | None, path: KeyPath, *, single: bool = False) -> str:
        """Check a target's form; `single` refuses globs."""
        if text is None:
            return ""
        try:
            if parse_target(text).is_glob and single:
                self.report.add(path, f"target {text!r} has a '*'", "name one target here")
        except TargetError as error:
            self.report.add(path, str(error))
        return text

    def metric(self, table: Mapping[str, Any], path: KeyPath) -> MetricSpec | None:
        """Find the metric that a table names."""
        name = table.get("metric")
        if name is not None and name not in self.metrics:
            remedy = allowed_names(name, self.metrics)
            self.report.add((*path, "metric"), f"unknown metric {name!r}", remedy)
        return self.metrics.get(name or "")

    def expression(
        self, table: Mapping[str, Any], key: str, path: KeyPath, variables: Variables
    ) -> Expression | None:
        """Parse the expression under a key, if there is one, and check what it names."""
        text = table.get(key)
        if text is None:
            return None
        place = (*path, key)
        try:
            expression = parse(text, allow_methods=variables.methods, given=variables.given)
            only = expression.names if variables.only is None else variables.only
            check(expression, names=only, functions=self.functions)
        except ExpressionError as error:
            self.report.add(place, str(error))
            return None
        return expression

    def labels(
        self,
        table: Mapping[str, Any],
        path: KeyPath,
        metric: MetricSpec | None,
        variables: Variables,
    ) -> tuple[tuple[str, Expression], ...]:
        """Read the expression of each label, in the metric's order."""
        given = {} if table.get("labels") is None else table["labels"]
        inside = (*path, "labels")
        read = {name: self.expression(given, name, inside, variables) for name in given}
        if metric is None:
            return ()
        declared = [label.name for label in metric.labels]
        taken = self.values.get(metric.name) or {}
        read = {**{name: each.value for name, each in taken.items()}, **read}
        for name in given:
            if name not in declared:
                message = f"unknown label {name!r} of {metric.name!r}{self._declared(metric)}"
                self.report.add((*inside, name), message, allowed_names(name, declared))
        for label in metric.labels:
            if label.name not in read:
                remedy = f'add {label.name} = "..." with an expression'
                message = f"the label {label.name!r} is missing{self._declared(metric)}"
                self.report.add(inside, message, remedy)
            elif expression := read[label.name]:
                self.check_outcomes(label, expression, (*inside, label.name))
        return tuple((name, expression) for name in declared if (expression := read.get(name)))

    def _declared(self, metric: MetricSpec) -> str:
        """Say where a metric is declared, if that is another file: there it may be mended, too."""
        where = metric.where
        return "" if where.source == self.report.source else f", declared in {where.file_and_line}"

    def taken(
        self, table: Mapping[str, Any], metric: MetricSpec | None
    ) -> tuple[tuple[str, Where], ...]:
        """Give the texts of the defaults that a record takes for its labels, with their places."""
        values = self.values.get(metric.name) or {} if metric and self.values else {}
        given = table.get("labels") or {}
        return tuple(
            (each.value.source, each.where) for name, each in values.items() if name not in given
        )

    def check_outcomes(self, label: LabelSpec, expression: Expression, path: KeyPath) -> None:
        """Refuse what an expression may give and an enumeration does not list."""
        if label.values is None:
            return
        possible = (*label.values, *ALWAYS_POSSIBLE)
        for value in map(str, expression.outcomes):
            if value not in possible:
                message = f"{value!r} is no value of the label {label.name!r}"
                self.report.add(path, message, allowed_names(value, possible))
