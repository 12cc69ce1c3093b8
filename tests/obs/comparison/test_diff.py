"""What `diff` tells of two maps: what comes and goes, and what breaks by it."""

from __future__ import annotations

import io
import json
from textwrap import dedent
from types import SimpleNamespace

import pytest

from ancestry_obs.cli import main

OLD = """\
version = 1
[metrics.requests_total]
type = "counter"
help = "Requests."
labels.method = ["GET", "POST", "PUT"]
labels.route = { max_values = 20 }
[metrics.latency_seconds]
type = "histogram"
help = "Latency."
buckets = [0.1, 1]
[[instrument]]
target = "shop:price"
record = [
  { metric = "requests_total", labels = { method = "'GET'", route = "name" } },
  { metric = "latency_seconds" },
]
"""
RULES = """
    groups:
      - name: shop
        rules:
          - alert: ManyPuts
            expr: rate(shop_requests_total{method="PUT"}[5m]) > 1
          - alert: ManyOfTwo
            expr: rate(shop_requests_total{method=~"PUT|GET"}[5m]) > 1
          - alert: NotPuts
            expr: rate(shop_requests_total{method!="PUT"}[5m]) > 1
          - record: routes
            expr: sum by (route) (rate(shop_requests_total[5m]))
          - record: methods
            expr: sum by (method) (rate(shop_requests_total[5m]))
          - record: others
            expr: label_replace(up, "text", "shop_requests_total route", "", "")
          - alert: ManyRoutes
            expr: count(routes) > 10
          - record: quick
            expr: sum(rate(shop_latency_seconds_bucket{le="0.1"}[5m]))
          - record: slow
            expr: histogram_quantile(0.9, sum by (le) (rate(shop_latency_seconds_bucket[5m])))
"""
OTHER_LABEL = (("labels.route", "labels.path"), ("route = ", "path = "))


@pytest.fixture
def diff(tmp_path, monkeypatch, capsys):
    """Compare `OLD` with what becomes of it by replacements of text."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.toml").write_text(OLD)
    (tmp_path / "rules.yml").write_text(dedent(RULES))

    def run(*replacements, options=("--uses", "rules.yml", "--json")):
        new = OLD
        for old, text in replacements:
            assert old in new
            new = new.replace(old, text)
        (tmp_path / "new.toml").write_text(new)
        code = main(["diff", "old.toml", "new.toml", "--namespace", "shop", *options])
        written = capsys.readouterr()
        if "--json" in options and written.out:
            return code, json.loads(written.out)
        return code, written.out.splitlines() or written.err

    return run


def broken(told):
    return {each["what"]: each["reasons"] for each in told["breaks"] if each["where"]}


def test_the_same_map_breaks_nothing(diff):
    code, told = diff()
    assert (code, told["metrics"], told["targets"], told["breaks"]) == (0, [], [], [])
    assert told["series_at_most"]["old"] == told["series_at_most"]["new"] > 0


def test_a_metric_that_goes(diff):
    code, told = diff(("requests_total", "calls_total"))
    kinds = [(each["kind"], each["name"]) for each in told["metrics"]]
    assert kinds == [("removed", "requests_total"), ("added", "calls_total")]
    gone = ["shop_requests_total is gone"]
    names = ("alert ManyPuts", "alert ManyOfTwo", "alert NotPuts", "rule routes", "rule methods")
    assert code == 1
    reads = {"alert ManyRoutes": ["routes breaks, which it reads"]}
    assert broken(told) == dict.fromkeys(names, gone) | reads
    # What is generated from the map asks for it, too, and is told once.
    own = [each["what"] for each in told["breaks"] if not each["where"]]
    assert [each for each in own if each.startswith("panel ") and each.endswith("Requests")]
    assert len(own) == len(set(own))


def test_a_label_that_goes_breaks_who_names_it(diff):
    code, told = diff(*OTHER_LABEL)
    assert code == 1
    assert broken(told) == {
        "rule routes": ["shop_requests_total has no label route any more"],
        "alert ManyRoutes": ["routes breaks, which it reads"],
    }
    (change,) = told["metrics"]
    assert change["details"] == ["label route is gone", "label path is new"]


def test_a_word_that_is_no_label_there_breaks_nothing(diff, tmp_path):
    rules = """
      groups:
        - name: words
          rules:
            - alert: AnotherMetric
              expr: shop_requests_total > 1 and up{route="x"} == route
            - alert: AnotherMatcher
              expr: other_shop_requests_total{route="x"} + shop_requests_total
            - alert: Grouped
              expr: sum BY (method, route) (shop_requests_total)
            - alert: Matched
              expr: shop_requests_total {method="GET",route=~".+"} > 1
    """
    (tmp_path / "rules.yml").write_text(dedent(rules))
    _, told = diff(*OTHER_LABEL)
    assert {*broken(told)} == {"alert Grouped", "alert Matched"}


def test_a_value_that_goes_breaks_who_asks_for_it(diff):
    code, told = diff((', "PUT"]', "]"))
    gone = ['shop_requests_total has no method="PUT" any more']
    names = ("alert ManyPuts", "alert ManyOfTwo", "alert NotPuts")
    assert code == 1
    assert broken(told) == dict.fromkeys(names, gone)
    assert told["metrics"][0]["details"][0] == "label method no longer takes PUT"


def test_another_kind_of_metric_has_other_series(diff):
    code, told = diff(
        ('type = "histogram"', 'type = "gauge"'),
        ("buckets = [0.1, 1]\n", ""),
        ('"latency_seconds" }', '"latency_seconds", value = "1" }'),
    )
    assert code == 1
    gone = ["shop_latency_seconds_bucket is gone"]
    assert broken(told) == {"rule slow": gone, "rule quick": gone}
    assert "is a gauge, was a histogram" in told["metrics"][0]["details"]


@pytest.mark.parametrize(
    ("replacement", "detail"),
    [
        (("[0.1, 1]", "[0.1, 1, 5]"), "buckets 0.1, 1 are 0.1, 1, 5"),
        (('"Latency."', '"How long."'), "help: How long."),
        (("max_values = 20", "max_values = 40"), "label route has at most 40 values, were 20"),
        (('["GET", "POST", "PUT"]', "{ max_values = 9 }"), "label method takes any of 9 values, "),
        (('"PUT"]', '"PUT", "PATCH"]'), "label method now takes PATCH"),
    ],
)
def test_what_differs_and_breaks_nothing(diff, replacement, detail):
    code, told = diff(replacement)
    assert (code, told["breaks"]) == (0, [])
    assert [each for each in told["metrics"][0]["details"] if each.startswith(detail)]


def test_a_bucket_that_goes_breaks_who_asks_for_it(diff):
    code, told = diff(("[0.1, 1]", "[0.2, 1]"))
    assert code == 1
    assert broken(told) == {"rule quick": ['shop_latency_seconds_bucket has no le="0.1" any more']}


def test_a_target_with_another_name(diff):
    code, told = diff(("shop:price", "shop:cost"))
    changes = [(each["kind"], each["name"], each["new_name"]) for each in told["targets"]]
    assert (code, changes) == (0, [("renamed", "shop:price", "shop:cost")])


def test_targets_that_come_and_change(diff):
    more = '[[instrument]]\ntarget = "shop:new"\nrecord = [{ metric = "latency_seconds" }]\n'
    _, told = diff(("[[instrument]]", f"{more}[[instrument]]"), ('"name"', "\"'x'\""))
    assert [(each["kind"], each["name"], each["details"]) for each in told["targets"]] == [
        ("added", "shop:new", ["feeds latency_seconds"]),
        ("changed", "shop:price", ["feeds requests_total, latency_seconds"]),
    ]


def test_a_target_that_ends_or_is_rare(diff):
    name = 'target = "shop:price"'
    _, told = diff((name, f"{name}\nuntil = 2027-01-01\nrare = true"))
    assert [each["details"][:2] for each in told["targets"]] == [
        ["rare is true, was false", "until is 2027-01-01, was not given"]
    ]


def test_a_dashboard_in_a_folder(diff, tmp_path):
    panel = {"title": "Routes", "targets": [{"expr": "sum by (route) (shop_requests_total)"}]}
    (tmp_path / "shown").mkdir()
    text = json.dumps({"title": "Shop", "panels": [{"panels": [panel]}]})
    (tmp_path / "shown" / "shop.json").write_text(text)
    (tmp_path / "shown" / "other.json").write_text("{}")
    code, told = diff(*OTHER_LABEL, options=("--uses", "shown", "--json"))
    assert code == 1
    (found,) = [each for each in told["breaks"] if each["where"]]
    assert (found["what"], found["where"]) == ("panel Routes", "shown/shop.json")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("none.yml", None, "none.yml: cannot be read (No such file or directory)"),
        ("odd.json", b"{", "odd.json: neither JSON nor YAML ("),
        ("odd.yml", b"a: [", "odd.yml: neither JSON nor YAML ("),
        ("odd.yml", b"\xff\xfe\x00", "odd.yml: neither JSON nor YAML ("),
        ("empty.json", b"{}", "empty.json: asks Prometheus nothing; name a Grafana dashboard"),
    ],
)
def test_what_cannot_be_read_is_one_line(diff, tmp_path, name, content, told):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    code, err = diff(options=("--uses", name))
    assert code == 2
    (line,) = err.splitlines()
    assert line.startswith(f"ancestry-obs: {told}")


@pytest.mark.parametrize("files", [{}, {"readme.txt": "Dashboards."}, {"other.json": "{}"}])
def test_a_folder_that_asks_nothing_is_one_line(diff, tmp_path, files):
    (tmp_path / "shown").mkdir()
    for name, text in files.items():
        (tmp_path / "shown" / name).write_text(text)
    code, err = diff(options=("--uses", "shown"))
    assert code == 2
    assert err == (
        "ancestry-obs: shown: nothing in this folder asks Prometheus anything; name a Grafana "
        "dashboard (.json), a file of Prometheus' rules (.yml), or a folder of them\n"
    )


def test_annotations(diff, tmp_path):
    (tmp_path / "shown").mkdir()
    (tmp_path / "rules.yml").rename(tmp_path / "shown" / "rules.yml")
    code, lines = diff(
        ("requests_total", "calls_total"), options=("--uses", "shown", "--format", "github")
    )
    assert code == 1
    # In the file that has it; what is generated from the map is in none.
    assert "::error file=shown/rules.yml::alert ManyPuts: shop_requests_total is gone" in lines
    others = [each for each in lines if not each.startswith("::error file=shown/rules.yml::")]
    assert others
    assert all(each.startswith("::error file=new.toml::") for each in others)


@pytest.mark.parametrize("names", [("-", "new.toml"), ("old.toml", "-")])
def test_a_map_on_standard_input(diff, tmp_path, monkeypatch, capsys, names):
    diff(("requests_total", "calls_total"))
    there = "old.toml" if names[0] == "-" else "new.toml"
    text = (tmp_path / there).read_bytes()
    (tmp_path / there).unlink()
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(text)))
    options = ["--namespace", "shop", "--uses", "rules.yml"]
    assert main(["diff", *names, *options]) == 1
    lines = capsys.readouterr().out.splitlines()
    old, new = ("<stdin>" if each == "-" else each for each in names)
    assert lines[0] == f"{old} -> {new}"
    assert "  - requests_total" in lines
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(text)))
    assert main(["diff", *names, *options, "--format", "github"]) == 1
    assert f"::error file={new}::panel " in capsys.readouterr().out


def test_standard_input_twice(capsys):
    assert main(["diff", "-", "-"]) == 2
    assert capsys.readouterr().err == (
        "ancestry-obs: -: standard input can be read once; name files for the other maps\n"
    )


def test_what_a_person_reads(diff):
    code, lines = diff(("requests_total", "calls_total"), options=("--uses", "rules.yml"))
    assert code == 1
    assert lines[0] == "old.toml -> new.toml"
    assert "  - requests_total" in lines
    assert "  ! rules.yml: alert ManyPuts" in lines
    assert max(map(len, lines)) <= 80


OVERRIDDEN = """\
version = 1
include = ["old.toml"]
[[instrument]]
name = "prices"
target = "shop:price"
record = [{ metric = "latency_seconds" }]
"""


def test_an_override_that_leaves_a_metric_unfed(tmp_path, diff, capsys):
    diff()
    named = OLD.replace("[[instrument]]", '[[instrument]]\nname = "prices"')
    (tmp_path / "old.toml").write_text(named)
    (tmp_path / "new.toml").write_text(OVERRIDDEN)
    options = ["--namespace", "shop", "--uses", "rules.yml", "--json"]
    assert main(["diff", "old.toml", "new.toml", *options]) == 1
    told = json.loads(capsys.readouterr().out)
    (metric,) = told["metrics"]
    assert (metric["kind"], metric["name"]) == ("changed", "requests_total")
    assert metric["details"] == ["nothing of the map feeds it any more"]
    found = broken(told)
    assert found["alert ManyPuts"] == ["nothing feeds shop_requests_total any more"]
    assert not {"rule quick", "rule slow", "rule others"} & {*found}
    # What nothing has fed before is as it was.
    assert main(["diff", "new.toml", "new.toml", *options]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"] == []


def test_a_metric_that_another_instrument_feeds_is_fed(diff):
    labels = """labels.method = "'GET'", labels.route = "'x'" """
    record = f"record = [{{ metric = 'requests_total', {labels} }}]"
    other = f'[[instrument]]\ntarget = "shop:other"\n{record}\n'
    record = """  { metric = "requests_total", labels = { method = "'GET'", route = "name" } },\n"""
    code, told = diff((record, ""), ('help = "Latency."', 'help = "Latency."'))
    assert code == 1
    code, told = diff((record, ""), ("[[instrument]]\n", other + "[[instrument]]\n"))
    assert (code, told["breaks"]) == (0, [])
