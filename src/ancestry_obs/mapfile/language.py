"""The map's language as data: which keys there are, what each may hold and what it means.

The loader checks a map against `MAP`, the JSON Schema is written from it. Rules on names come from
the Prometheus documentation, "Data model" and "Metric and label naming".
"""

from __future__ import annotations

from typing import Any, Final, get_args

from ancestry_obs.mapfile.buckets import NAMED, NATIVE
from ancestry_obs.mapfile.containers import Array, Either, Field, Named, Table
from ancestry_obs.mapfile.shapes import (
    between,
    choice,
    day_or_time,
    flag,
    namespace,
    number,
    percentage,
    text,
    versions,
    whole,
)
from ancestry_obs.mapfile.specs import Aggregate, At, MetricType, Moment

__all__ = ["ACTIONS", "LABEL_BOUNDS", "MAP", "MOST_VALUES", "VERSION", "json_schema"]

VERSION: Final = 1
ACTIONS: Final = ("exporter.start", "exporter.stop")
MOST_VALUES: Final = 10_000
_LEAST_SAMPLE: Final = 0.001
_MOST_STEPS: Final = 20
_MOST_BUCKETS: Final = 1000

# Colons are for recording rules; "obs_" would meet the toolkit's own ancestry_obs_* metrics.
_METRIC_NAME: Final = "^(?!__|obs_)[a-zA-Z_][a-zA-Z0-9_]*$"
_METRIC_RULE: Final = (
    "allowed are letters, digits and underscores, no digit, '__' or 'obs_' in front, no colon "
    "(Prometheus documentation, 'Data model'); the namespace is added by itself"
)
_LABEL_NAME: Final = "^(?!__|(?:le|quantile)$)[a-zA-Z_][a-zA-Z0-9_]*$"
_LABEL_RULE: Final = (
    "allowed are letters, digits and underscores, no digit or '__' in front, and not le and "
    "quantile, where Prometheus keeps buckets and quantiles (its documentation, 'Data model')"
)
_FUNCTION_NAME: Final = "^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$"
_FUNCTION_RULE: Final = "allowed are letters, digits and underscores, no digit or '__' in front"

_TARGET: Final = text("a target such as 'package.module:Class.method'")
_EXPRESSION: Final = text('an expression such as "upper(method)"')
_LABELS: Final = Field(
    Named(_EXPRESSION, _LABEL_NAME, _LABEL_RULE),
    "An expression for each label of the metric.",
)
_HANDED: Final = Named(_EXPRESSION, _FUNCTION_NAME, _FUNCTION_RULE)


def _some(key: str) -> dict[str, object]:
    """Say in the JSON Schema that a table is there with something in it."""
    return {"required": [key], "properties": {key: {"minProperties": 1}}}


_VALUES: Final = Array(text("a label value"), unique=True)

LABEL_BOUNDS: Final = (
    'write ["a", "b"] for an enumeration, or { max_values = 100 } for a free label'
)

_BOUND: Final = {
    "values": Field(_VALUES, "The values; anything else becomes 'other'."),
    "max_values": Field(
        whole(1, MOST_VALUES),
        "How many values there may be before new ones become 'other'.",
    ),
}
# Without either the bound is that of the map's defaults.
_LABEL: Final = Either(
    _VALUES, Table(_BOUND, extra={"not": {"required": ["values", "max_values"]}})
)

_BUCKETS: Final = Either(
    choice((*NAMED, NATIVE)),
    Table(
        {
            "from": Field(number("a number above 0"), "The first bound.", required=True),
            "to": Field(number("a number above from"), "The last bound.", required=True),
            "per_decade": Field(
                whole(1, _MOST_STEPS),
                "How many there are between a number and ten times that; 3 makes 1, 2, 5, 10.",
                required=True,
            ),
        }
    ),
)

_ANY_BUCKETS: Final = Either(Array(number("a finite number; +Inf is added by itself")), _BUCKETS)

_NATIVE: Final = Table(
    {
        "factor": Field(
            between(1.0028, 65536),
            "How many times its lower bound a bucket's upper bound is at most.",
        ),
        "max_buckets": Field(
            whole(1, _MOST_BUCKETS), "How many buckets there may be before they get wider."
        ),
        "zero_threshold": Field(
            between(0, 1e300),
            "What is not further from zero than this counts as zero.",
        ),
        "max_zero_threshold": Field(
            between(0, 1e300),
            "How far the bucket of zero may grow before the others get wider.",
        ),
        "min_reset_seconds": Field(
            between(0, 1e9),
            "After how many seconds it may begin anew before its buckets get wider.",
        ),
    }
)

_METRIC: Final = Table(
    {
        "type": Field(choice(get_args(MetricType)), "What is kept of the records.", required=True),
        "help": Field(text("one sentence"), "What the metric means.", required=True),
        "labels": Field(Named(_LABEL, _LABEL_NAME, _LABEL_RULE), "Each label with its bound."),
        "buckets": Field(
            _ANY_BUCKETS,
            "A histogram's upper bounds, ascending, without +Inf; or a name or a range for them.",
        ),
        "native": Field(
            _NATIVE, "What its exponential buckets are like; with buckets beside them, or without."
        ),
    },
    extra={
        # A histogram may have those of the map's defaults.
        "if": {"properties": {"type": {"const": "histogram"}}},
        "else": {"properties": {"buckets": False, "native": False}},
    },
)

_RECORD: Final = Table(
    {
        "metric": Field(text("a metric's name"), "The metric, without namespace.", required=True),
        "labels": _LABELS,
        "value": Field(
            _EXPRESSION, "The number; a histogram's default is elapsed, a counter's is 1."
        ),
        "hit": Field(_EXPRESSION, "For a ratio: whether the lookup was a hit."),
        "on": Field(choice(get_args(Moment)), "When to record; the default is exit."),
        "when": Field(_EXPRESSION, "Record only if this is true."),
        "each": Field(
            _EXPRESSION, "What has items, each of which is recorded and is read as item."
        ),
        "exemplar": Field(
            # No series gets them, so that le and quantile are free.
            Named(_EXPRESSION, _FUNCTION_NAME, _FUNCTION_RULE),
            "An expression for each label of exemplars, such as trace_id; counters and histograms.",
        ),
    }
)

_INSTRUMENT: Final = Table(
    {
        "name": Field(
            text("a name"), "By what a map that includes this one replaces the instrument."
        ),
        "target": Field(
            Either(_TARGET, Array(_TARGET, unique=True)),
            "module:qualname, or several; * matches any text.",
            required=True,
        ),
        "subclasses": Field(flag(), "Whether overrides in subclasses are targets too."),
        "until": Field(
            day_or_time(),
            "When it is over and measures nothing any more; a date begins at midnight, UTC.",
        ),
        "rare": Field(
            flag(), "Whether it may well be that it is never called while others in its module are."
        ),
        "sample": Field(
            between(_LEAST_SAMPLE, 1),
            "The share of calls that are timed; all are counted. The default is 1.",
        ),
        "at": Field(
            choice(tuple(each for each in get_args(At) if each)),
            "Where a decorator put a function of its own around the definition, which of the two: "
            "the object that the name leads to, which is the default, or the definition.",
        ),
        "record": Field(Array(_RECORD), "What each call records."),
        "entry": Field(
            _HANDED, "Values that are worked out when the call begins, read as entry.name."
        ),
        "context": Field(
            _HANDED,
            "Values for everything that is called within this call, read as context.name.",
        ),
        "tell": Field(
            _HANDED,
            "Values for the measured call around this one, which reads them as told.name.",
        ),
        "outermost": Field(
            flag(), "Whether a call inside of another one of this instrument is not recorded."
        ),
    },
    extra={"anyOf": [{"required": ["record"]}, _some("tell"), _some("context")]},
)

_SAMPLE: Final = Table(
    {
        "target": Field(_TARGET, "The class whose live instances are read.", required=True),
        "metric": Field(text("a gauge's name"), "The gauge, without namespace.", required=True),
        "value": Field(
            _EXPRESSION, "The number, over self; self.method() is possible.", required=True
        ),
        "labels": _LABELS,
        "aggregate": Field(
            choice(get_args(Aggregate)), "What becomes of several instances; the default is last."
        ),
    }
)

_HOOK: Final = Table(
    {
        "target": Field(_TARGET, "The function or method.", required=True),
        "before": Field(choice(ACTIONS), "The action before the call."),
        "after": Field(choice(ACTIONS), "The action after the call returned."),
    },
    extra={"anyOf": [{"required": ["before"]}, {"required": ["after"]}]},
)

_DEFAULTS: Final = Table(
    {
        "buckets": Field(_ANY_BUCKETS, "The buckets of histograms that say none."),
        "max_values": Field(
            _BOUND["max_values"].shape, "The bound of labels that are written as {}."
        ),
        "labels": Field(
            Named(
                Table(
                    {
                        **_BOUND,
                        "value": Field(
                            _EXPRESSION, "What it is in records that do not give it.", required=True
                        ),
                    },
                    extra={"oneOf": [{"required": ["values"]}, {"required": ["max_values"]}]},
                ),
                _LABEL_NAME,
                _LABEL_RULE,
            ),
            "Labels that all metrics have which instruments feed.",
        ),
    }
)

_PACK: Final = Table(
    {
        "title": Field(text("one sentence"), "What the pack measures.", required=True),
        "library": Field(
            text("a distribution's name on PyPI"), "The library that it measures.", required=True
        ),
        "versions": Field(versions(), "The versions of the library that it is for.", required=True),
        "url": Field(text("a page's address"), "A page about the library."),
    }
)

MAP: Final = Table(
    {
        "version": Field(whole(VERSION, VERSION), "The version of this language.", required=True),
        "include": Field(
            Array(text("a map's file, or pack:NAME"), unique=True),
            "Maps that this one takes in: files, by their path from this one, or pack:NAME.",
        ),
        "pack": Field(_PACK, "Which library this map is ready for."),
        "namespace": Field(
            namespace(),
            "What the names of its metrics begin with, whatever METRICS_NAMESPACE is; empty for "
            "nothing.",
        ),
        "defaults": Field(
            _DEFAULTS, "What metrics and records do not say, here and in included maps."
        ),
        "budget": Field(
            percentage(),
            "How much of a process's processor time measuring may take before the dearest targets "
            "are timed for a hundredth of their calls.",
        ),
        "metrics": Field(Named(_METRIC, _METRIC_NAME, _METRIC_RULE), "The metrics by name."),
        "instrument": Field(Array(_INSTRUMENT, least=0), "What is recorded where."),
        "sample": Field(Array(_SAMPLE, least=0), "Gauges read from live instances at a scrape."),
        "hook": Field(Array(_HOOK, least=0), "Actions of the toolkit at calls of the program."),
        "functions": Field(
            Named(text("'module:callable'"), _FUNCTION_NAME, _FUNCTION_RULE),
            "One's own label functions: name and module:callable.",
        ),
    }
)


def json_schema() -> dict[str, Any]:
    """Describe the map's language as JSON Schema, draft 2020-12, for editors.

    A schema knows keys, types and enumerations. Expressions, and rules between distant keys (a
    record's labels are its metric's), are the loader's: it may refuse what the schema accepts.

    Returns:
        The schema, ready for `json.dumps`.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Instrumentation map of ancestry-obs",
        **MAP.schema(),
    }
