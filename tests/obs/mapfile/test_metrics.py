from __future__ import annotations

import pytest

from ancestry_obs.exceptions import MapError
from ancestry_obs.mapfile import LabelSpec, MetricSpec, Where, load, worst_case_series
from ancestry_obs.mapfile.specs import NativeSpec

NOWHERE = Where("", None, "")


def declare(**kinds):
    """Give a map that only declares metrics, by name and type."""
    return {"version": 1, "metrics": {name: metric(kind) for name, kind in kinds.items()}}


def metric(kind, **keys):
    buckets = {"buckets": [1, 2]} if kind == "histogram" else {}
    return {"type": kind, "help": "Help.", **buckets, **keys}


NAME_RULE = (
    "allowed are letters, digits and underscores, no digit, '__' or 'obs_' in front, no colon "
    "(Prometheus documentation, 'Data model'); the namespace is added by itself"
)


@pytest.mark.parametrize("name", ["__x", "9x", "job:rate", "a-b", "obs_series", "", "ä"])
def test_a_metrics_name_follows_prometheus_rules(findings_of, name):
    assert findings_of(declare(**{name: "gauge"})) == [
        f": metrics.{name}: the name {name!r} is not allowed; {NAME_RULE}"
    ]


def test_a_name_with_a_line_break_is_still_a_finding_on_one_line(findings_of):
    assert findings_of(declare(**{"x\n": "gauge"})) == [
        f": metrics.'x\\n': the name 'x\\n' is not allowed; {NAME_RULE}"
    ]
    bad = declare(**{"x\n": "counter"})
    bad["instrument"] = [{"target": "shop:main", "record": [{"metric": "y"}]}]
    assert findings_of(bad)[1:] == [
        ": metrics.'x\\n': the counter's name 'x\\n' does not end in '_total'; write 'x\\n_total'",
        ": instrument[0].record[0].metric: unknown metric 'y'; allowed: 'x\\n'",
    ]


@pytest.mark.parametrize("name", ["le", "quantile", "__name__", "9x", "a-b", "a:b"])
def test_a_labels_name_follows_prometheus_rules(findings_of, name):
    bad = declare()
    bad["metrics"]["x"] = metric("gauge", labels={name: ["a"]})
    rule = (
        "allowed are letters, digits and underscores, no digit or '__' in front, and not le and "
        "quantile, where Prometheus keeps buckets and quantiles (its documentation, 'Data model')"
    )
    assert findings_of(bad) == [
        f": metrics.x.labels.{name}: the name {name!r} is not allowed; {rule}"
    ]


@pytest.mark.parametrize("name", ["left", "quantiles", "_x", "Le"])
def test_names_that_only_begin_like_reserved_ones_are_fine(name):
    good = declare()
    good["metrics"][name] = metric("gauge", labels={name: ["a"]})
    assert load(good).metrics[0].labels[0].name == name


def test_a_counter_ends_in_total(findings_of):
    assert findings_of(declare(jobs="counter")) == [
        ": metrics.jobs: the counter's name 'jobs' does not end in '_total'; write 'jobs_total'"
    ]


@pytest.mark.parametrize("kind", ["gauge", "histogram", "ratio", "in_flight"])
def test_nothing_else_does(findings_of, kind):
    finding = (
        f"the name 'jobs_total' of a {kind} ends in '_total', as only a counter's does; "
        "write 'jobs'"
    )
    assert findings_of(declare(jobs_total=kind)) == [f": metrics.jobs_total: {finding}"]


@pytest.mark.parametrize(
    ("first", "second", "name"),
    [
        (("x", "histogram"), ("x_count", "gauge"), "x_count"),
        (("x", "histogram"), ("x_sum", "gauge"), "x_sum"),
        (("x_bucket", "ratio"), ("x", "histogram"), "x_bucket"),
        (("x", "histogram"), ("x_created", "gauge"), "x_created"),
        (("x_total", "counter"), ("x", "gauge"), "x"),
        (("x_total", "counter"), ("x", "histogram"), "x"),
        (("x_total", "counter"), ("x_created", "in_flight"), "x_created"),
    ],
)
def test_two_metrics_cannot_expose_the_same_name(findings_of, first, second, name):
    assert findings_of(declare(**dict([first, second]))) == [
        (
            f": metrics.{second[0]}: {second[0]!r} and {first[0]!r} would both expose {name!r}; "
            "rename one of them"
        )
    ]


def test_similar_names_do_not_clash():
    kinds = {"x": "histogram", "x_total_count": "gauge", "y_total": "counter", "y_count": "gauge"}
    assert len(load(declare(**kinds)).metrics) == 4


@pytest.mark.parametrize(
    ("buckets", "finding"),
    [
        ([1, 1], "the bucket 1 comes after 1; write each bound once, in ascending order"),
        ([2, 1.5], "the bucket 1.5 comes after 2; write each bound once, in ascending order"),
        ([], ("found an empty array; allowed is a non-empty array, each item a finite number; "
         "+Inf is added by itself; or one of latency, database, size, native; or a table with "
         "from, to, per_decade")),
    ],
)  # fmt: skip
def test_buckets_ascend(findings_of, buckets, finding):
    bad = declare()
    bad["metrics"]["x"] = metric("histogram", buckets=buckets)
    assert findings_of(bad) == [f": metrics.x.buckets: {finding}"]


_NO_BUCKETS = (
    ': metrics.y: a histogram has no buckets; write buckets = "latency", "native" or [0.1, 1, 10], '
    "for example"
)


def test_buckets_belong_to_histograms(findings_of):
    bad = declare()
    bad["metrics"] = {"x": metric("gauge", buckets=[1]), "y": {"type": "histogram", "help": "H."}}
    assert findings_of(bad) == [
        ": metrics.x.buckets: a gauge has buckets; take them out, or make it a histogram",
        _NO_BUCKETS,
    ]


@pytest.mark.parametrize(
    ("bound", "found"),
    [({}, "no bound"), ({"values": ["a"], "max_values": 3}, "both values and max_values")],
)
def test_a_label_has_one_bound(findings_of, bound, found):
    bad = declare()
    bad["metrics"]["x"] = metric("gauge", labels={"a": bound})
    assert findings_of(bad) == [
        (
            f': metrics.x.labels.a: the label has {found}; write ["a", "b"] for an enumeration, '
            "or { max_values = 100 } for a free label"
        )
    ]


def label(values=None, max_values=None):
    return LabelSpec("x", values, max_values, NOWHERE)


@pytest.mark.parametrize(
    ("kind", "labels", "buckets", "series"),
    [
        ("gauge", (), (), 1),
        # other and error come on top of both kinds of bound
        ("counter", (label(("a", "b")),), (), 4),
        ("counter", (label(("a", "error")),), (), 3),
        ("counter", (label(None, 10),), (), 12),
        ("ratio", (label(("a",)), label(None, 2)), (), 12),
        # +Inf, sum and count come on top of the buckets
        ("histogram", (), (1.0, 2.0), 5),
        ("histogram", (label(("a",)),), (1.0,), 12),
    ],
)
def test_the_worst_case_is_known_before_the_map_runs(kind, labels, buckets, series):
    assert worst_case_series(MetricSpec("x", kind, "Help.", labels, buckets, NOWHERE)) == series


@pytest.mark.parametrize(
    ("keys", "buckets", "native"),
    [
        ({"buckets": "native"}, (), NativeSpec()),
        ({"native": {}}, (), NativeSpec()),
        (
            {"native": {"factor": 2, "max_buckets": 40, "min_reset_seconds": 60}, "buckets": [1]},
            (1.0,),
            NativeSpec(factor=2, max_buckets=40, min_reset_seconds=60),
        ),
        (
            {"buckets": "native", "native": {"zero_threshold": 0, "max_zero_threshold": 0.5}},
            (),
            NativeSpec(zero_threshold=0, max_zero_threshold=0.5),
        ),
    ],
)
def test_a_histogram_may_be_native_with_classic_buckets_beside_it(keys, buckets, native):
    good = declare()
    good["metrics"]["x"] = {"type": "histogram", "help": "H.", **keys}
    (spec,) = load(good).metrics
    assert (spec.buckets, spec.native) == (buckets, native)


def test_the_maps_default_may_be_native():
    good = declare()
    good["defaults"] = {"buckets": "native"}
    good["metrics"] = {
        "x": {"type": "histogram", "help": "H."},
        "y": metric("histogram"),
    }
    assert [each.native for each in load(good).metrics] == [NativeSpec(), None]


@pytest.mark.parametrize(
    ("native", "finding"),
    [
        ({"factor": 1}, "factor: found the number 1; allowed is a number from 1.0028 to 65536"),
        (
            {"max_buckets": 0},
            "max_buckets: found the number 0; allowed is a whole number from 1 to 1000",
        ),
        (
            {"zero_threshold": -1},
            "zero_threshold: found the number -1; allowed is a number from 0 to 1e+300",
        ),
        (
            {"zero_threshold": 0.5, "max_zero_threshold": 0.25},
            (
                "max_zero_threshold: max_zero_threshold is below zero_threshold, which is 0.5; "
                "write a larger one, or none"
            ),
        ),
    ],
)  # fmt: skip
def test_what_is_said_of_native_buckets_is_within_bounds(findings_of, native, finding):
    bad = declare()
    bad["metrics"]["x"] = {"type": "histogram", "help": "H.", "native": native}
    assert findings_of(bad) == [f": metrics.x.native.{finding}"]


def test_native_buckets_belong_to_histograms(findings_of):
    bad = declare()
    bad["metrics"]["x"] = metric("gauge", native={})
    assert findings_of(bad) == [
        ": metrics.x.native: a gauge has native buckets; take them out, or make it a histogram"
    ]


def test_a_native_histogram_is_one_series():
    bounds = {"native": NativeSpec()}
    alone = MetricSpec("x", "histogram", "", (label(("a",)),), (), NOWHERE, **bounds)
    assert worst_case_series(alone) == 3
    beside = MetricSpec("x", "histogram", "", (label(("a",)),), (1.0, 2.0), NOWHERE, **bounds)
    assert worst_case_series(beside) == 3 * 6


@pytest.mark.parametrize(
    ("namespace", "name"), [("", "ancestry_obs_jobs_total"), ("ancestry_obs", "jobs_total")]
)
def test_names_of_the_toolkit_s_own_are_refused(namespace, name):
    metric = {"type": "counter", "help": "Jobs."}
    with pytest.raises(MapError, match="the names that begin with 'ancestry_obs_' are the toolkit"):
        load({"version": 1, "namespace": namespace, "metrics": {name: metric}})
    assert load({"version": 1, "namespace": "ancestry", "metrics": {"jobs_total": metric}})
