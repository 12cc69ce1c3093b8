"""What metrics and records take from a map's defaults, and what they do not."""

from __future__ import annotations

import pytest

from ancestry_obs.exceptions import MapError
from ancestry_obs.mapfile import load
from ancestry_obs.mapfile.buckets import NAMED

DEFAULTS = """\
version = 1

[defaults]
buckets = "latency"
max_values = 7

[defaults.labels.tenant]
max_values = 50
value = "context.tenant"
"""
REST = """
[metrics.work_seconds]
type = "histogram"
help = "Work."
labels.name = {}

[metrics.size_bytes]
type = "histogram"
help = "Size."
buckets = [1, 2]
labels.tenant = ["a", "b"]

[metrics.pool_size]
type = "gauge"
help = "Pool."

[metrics.notes_total]
type = "counter"
help = "By hand."

[[instrument]]
target = "shop:run"
record = [
  { metric = "work_seconds", labels = { name = "target.name" } },
  { metric = "size_bytes", value = "result", labels = { tenant = "'a'" } },
  { metric = "size_bytes", value = "result", on = "return" },
]

[[sample]]
target = "shop:Pool"
metric = "pool_size"
value = "self.size"
"""


@pytest.fixture
def load_files(tmp_path, monkeypatch):
    """Write maps into the working folder, and load one of them."""
    monkeypatch.chdir(tmp_path)

    def loaded(name, **texts):
        for each, text in texts.items():
            (tmp_path / f"{each}.toml").write_text(text, "utf-8")
        return load(f"{name}.toml")

    return loaded


def mistakes(load_files, name, **texts):
    with pytest.raises(MapError) as caught:
        load_files(name, **texts)
    return [*map(str, caught.value.findings)]


def check_all(spec):
    metrics = {each.name: each for each in spec.metrics}
    assert metrics["work_seconds"].buckets == NAMED["latency"]
    assert metrics["size_bytes"].buckets == (1.0, 2.0)
    labels = {
        name: [(each.name, each.values, each.max_values) for each in metric.labels]
        for name, metric in metrics.items()
    }
    assert labels == {
        "work_seconds": [("name", None, 7), ("tenant", None, 50)],
        "size_bytes": [("tenant", ("a", "b"), None)],
        "pool_size": [],
        "notes_total": [],
    }
    (instrument,) = spec.instruments
    given = [{n: e.source for n, e in record.labels} for record in instrument.records]
    assert given == [
        {"name": "target.name", "tenant": "context.tenant"},
        {"tenant": "'a'"},
        {"tenant": "context.tenant"},
    ]


def test_what_a_map_takes_of_its_own_defaults(load_files):
    spec = load_files("root", root=DEFAULTS + REST)
    check_all(spec)
    place = spec.metrics[0].labels[1].where
    assert str(place) == "root.toml:7: defaults.labels.tenant"


def test_what_an_included_map_takes(load_files):
    root = DEFAULTS.replace("1", '1\ninclude = ["inner.toml"]', 1)
    check_all(load_files("root", root=root, inner="version = 1\n" + REST))


def test_an_including_map_takes_nothing(load_files):
    text = 'version = 1\ninclude = ["inner.toml"]\n' + REST
    first, second, *_ = mistakes(load_files, "root", root=text, inner=DEFAULTS)
    assert first.startswith("root.toml:4: metrics.work_seconds: a histogram has no buckets; write")
    assert second.startswith("root.toml:7: metrics.work_seconds.labels.name: the label has no bou")


def test_records_of_an_including_map_take_what_the_metric_takes(load_files):
    metrics, _, records = REST.partition("[[instrument]]")
    root = 'version = 1\ninclude = ["inner.toml"]\n[[instrument]]' + records
    check_all(load_files("root", root=root, inner=DEFAULTS + metrics))


def test_the_defaults_of_the_including_map_win_key_by_key(load_files):
    root = """
        version = 1
        include = ["inner.toml"]
        [defaults]
        max_values = 3
        [defaults.labels.tenant]
        values = ["eu"]
        value = "'eu'"
        [defaults.labels.zone]
        max_values = 2
        value = "zone"
    """
    spec = load_files("root", root=root, inner=DEFAULTS + REST.replace('["a", "b"]', '["a", "eu"]'))
    work = spec.metrics[0]
    assert work.buckets == NAMED["latency"]
    assert [(e.name, e.values, e.max_values) for e in work.labels] == [
        ("name", None, 3),
        ("tenant", ("eu",), None),
        ("zone", None, 2),
    ]
    labels = {name: each.source for name, each in spec.instruments[0].records[0].labels}
    assert labels == {"name": "target.name", "tenant": "'eu'", "zone": "zone"}


def test_two_files_that_have_a_word_on_a_third_agree(load_files):
    both = 'version = 1\ninclude = ["a.toml", "b.toml"]\n'
    one = DEFAULTS.replace("1", '1\ninclude = ["inner.toml"]', 1)
    other = one.replace("50", "51").replace("max_values = 7\n", "")
    inner = "version = 1\n" + REST
    (found,) = mistakes(load_files, "root", root=both, a=one, b=other, inner=inner)
    assert found == (
        "b.toml:7: defaults.labels.tenant: it is not the same as in a.toml:8; make the two the "
        "same, or write it in the map that includes both, which wins"
    )
    check_all(load_files("root", root=both + DEFAULTS.removeprefix("version = 1")))


@pytest.mark.parametrize(
    ("label", "finding"),
    [
        (
            'max_values = 2\nvalue = "lost(x)"',
            "root.toml:4: defaults.labels.tenant.value: unknown f",
        ),
        (
            'values = ["a"]\nvalue = "\'b\'"',
            "root.toml:4: defaults.labels.tenant.value: 'b' is no v",
        ),
        ("value = \"'b'\"", "root.toml:2: defaults.labels.tenant: the label has no bound; write"),
        (
            'values = ["a"]\nmax_values = 2\nvalue = "x"',
            "root.toml:2: defaults.labels.tenant: the label has both values and max_values; write",
        ),
        (
            "max_values = 2",
            "root.toml:2: defaults.labels.tenant: the key 'value' is missing; allowed is an e",
        ),
    ],
)
def test_mistakes_in_the_label_are_told_once(load_files, label, finding):
    text = f"version = 1\n[defaults.labels.tenant]\n{label}\n" + REST.replace(
        '"histogram"', '"histogram"\nbuckets = [1]', 1
    ).replace("{}", "{ max_values = 1 }")
    (found,) = [e for e in mistakes(load_files, "root", root=text) if "defaults" in e]
    assert found.startswith(finding), found


def test_bad_buckets(load_files):
    text = "version = 1\n[defaults]\nbuckets = [2, 1]\n"
    (found,) = mistakes(load_files, "root", root=text)
    assert found == (
        "root.toml:3: defaults.buckets: the bucket 1 comes after 2; write each bound once, in "
        "ascending order"
    )
