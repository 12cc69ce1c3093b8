from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from ancestry_obs.live.page_reader import read_page

OURS = "# TYPE ancestry_obs_build_info gauge\nancestry_obs_build_info 1\n"
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def read(text):
    return read_page((OURS + text).encode())


@given(
    st.lists(st.tuples(TEXTS, TEXTS), unique=True, max_size=4),
    st.lists(st.floats(0, 1e9), min_size=1, max_size=4),
)
def test_it_reads_what_prometheus_client_reads(labels, numbers):
    registry = CollectorRegistry()
    counter = Counter("jobs", "Jobs.", ["a", "b"], registry=registry)
    gauge = Gauge("heat", "Heat.", ["a", "b"], registry=registry)
    histogram = Histogram("size", "Sizes.", ["a", "b"], buckets=[1, 1e6], registry=registry)
    summary = Summary("time", "Times.", ["a", "b"], registry=registry)
    for pair in labels:
        for number in numbers:
            counter.labels(*pair).inc(number)
            gauge.labels(*pair).set(-number)
            histogram.labels(*pair).observe(number)
            summary.labels(*pair).observe(number)
    page = generate_latest(registry).decode()
    found = read(page)
    seen = {
        (each.name, tuple(each.labels.items())): each.value
        for family in text_string_to_metric_families(page)
        for each in family.samples
    }
    told = {
        **{("jobs_total", labels): v for labels, v in found["jobs_total"].values.items()},
        **{("heat", labels): v for labels, v in found["heat"].values.items()},
        **{("size_count", labels): v for labels, v in found["size"].values.items()},
        **{("time_count", labels): v for labels, v in found["time"].values.items()},
        **{
            ("size_bucket", (*labels, ("le", bound_text(bound)))): count
            for labels, buckets in found["size"].buckets.items()
            for bound, count in buckets.items()
        },
    }
    assert told == {
        key: value for key, value in seen.items() if not key[0].endswith(("_sum", "_created"))
    }


def bound_text(bound):
    return "+Inf" if math.isinf(bound) else {1.0: "1.0", 1e6: "1e+06"}[bound]


def test_a_brace_a_comma_and_a_quote_in_a_label():
    found = read('jobs{a="} 5",b="x\\",y",c="\\\\n"} 3 1395066363000\n')
    assert found["jobs"].values == {(("a", "} 5"), ("b", 'x",y'), ("c", "\\n")): 3}


def test_what_is_no_number():
    found = read("a NaN\nb +Inf\nc -Inf\n")
    assert math.isnan(found["a"].values[()])
    assert (found["b"].values[()], found["c"].values[()]) == (math.inf, -math.inf)


def test_what_is_no_sample_is_passed_over():
    text = '{"odd.name"} 1\nwords of someone\na b\n# TYPE\n# EOF\nx_bucket{le="many"} 1\ny 2\n'
    found = read("# TYPE x histogram\n" + text)
    assert found["y"].values == {(): 2.0}
    assert found["x"].values == {}


def test_a_histogram_without_a_count_is_counted_by_its_last_bucket():
    found = read('# TYPE x histogram\nx_bucket{a="1",le="-1"} 2\nx_bucket{a="1",le="+Inf"} 5\n')
    assert found["x"].values == {(("a", "1"),): 5}


def test_a_name_that_only_ends_like_a_part_is_another_metric():
    found = read("# TYPE x histogram\nx_count 4\n# TYPE x_counts gauge\nx_counts 3\n")
    assert (found["x"].values[()], found["x_counts"].values[()]) == (4, 3)


@pytest.mark.parametrize("page", [b"", b"<html></html>", b"\xff", b"up 1\n", b"{}"])
def test_a_page_of_somebody_else(page):
    with pytest.raises(ValueError, match=r"no exposition|codec"):
        read_page(page)
