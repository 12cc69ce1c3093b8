"""The tables of the pages have the rows that the code has: none is missing, none made up."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from types import SimpleNamespace
from typing import get_args

import pytest
from prometheus_client import CollectorRegistry

from ancestry_obs import ExpressionError, ObservabilitySettings, install, uninstall
from ancestry_obs.cli import application
from ancestry_obs.collector import SelfMetrics
from ancestry_obs.collector.blocks import SUFFIXES
from ancestry_obs.expressions import BUILTIN_FUNCTIONS, emit, parse
from ancestry_obs.expressions.grammar import MAX_LENGTH, Grammar
from ancestry_obs.mapfile import load, worst_case_series
from ancestry_obs.mapfile.language import ACTIONS, MAP
from ancestry_obs.mapfile.specs import MetricType, Moment
from ancestry_obs.metrics_exporter.pages import Pages
from ancestry_obs.metrics_exporter.push import LAST_SUCCESS
from ancestry_obs.recording import Store
from ancestry_obs.settings import VARIABLES

PEERS = ("prometheus_client", "OpenTelemetry SDK in wrapt")
VALUES = {
    "url": "https://example.org/v1/items/17?page=2",
    "method": "get",
    "count": 7,
    "options": {"page": 2},
    "result": SimpleNamespace(status_code=404),
    "error": TimeoutError(),
}


SHOP = """
class Cart:
    def add(self): ...
    @property
    def total(self): ...
    def _count(self): ...
class Outer:
    class Inner:
        def run(self): ...
def main(): ...
def outer():
    def inner(): ...
    return inner
def _private(): ...
"""
STOCK = """
class Cart:
    def add(self): ...
"""
# What each row of the table on targets reaches in that package.
MEANT = [
    {"shop:main"},
    {"shop:Cart.add"},
    {"shop:Cart.total"},
    {"shop:Outer.Inner.run"},
    {"shop:outer.<locals>.inner"},
    {"shop:Cart.add", "shop:Cart.total"},
    {"shop:main", "shop:outer", "shop:Cart.add", "shop:Cart.total", "shop:Outer.Inner.run"},
    {"shop.stock:Cart.add"},
]


@pytest.fixture
def map_page(pages):
    return pages["docs/map.md"]


def _codes(rows, column=0):
    """Give what stands in backticks in a column."""
    return [re.findall(r"`([^`]+)`", row[column]) for row in rows]


def _firsts(rows):
    return [codes[0] for codes in _codes(rows)]


def test_settings(pages):
    rows = pages["README.md"].table("observability")
    defaults = ObservabilitySettings()
    expected = {}
    for name, variable in VARIABLES.items():
        value = getattr(defaults, name)
        expected[variable] = str(value).lower() if value is not None else ""
    expected["INSTRUMENTATION_MAP"] = "ancestry.toml"
    expected["METRICS_CODE_CACHE"] = "the user's cache folder"
    assert {row[0].strip("`"): row[1].strip("`") for row in rows} == expected


def test_extras(pages, repository):
    project = tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))["project"]
    names = {
        extra: [re.split(r"[<>=~! \[]", each)[0] for each in requirements]
        for extra, requirements in project["optional-dependencies"].items()
    }
    rows = pages["README.md"].table("what-to-install")
    assert {row[0].strip("`"): row[1].split(", ") for row in rows} == names
    assert project["dependencies"] == []


def test_commands(pages):
    rows = pages["README.md"].table("on-your-own-program")
    (commands,) = application._parser()._subparsers._group_actions
    listed = [name for names in _codes(rows) for name in names]
    assert sorted(listed) == sorted(commands.choices)


def test_keys_of_the_map(map_page):
    instrument = MAP.fields["instrument"].shape.item
    tables = [
        (("a-whole-map", 0), MAP),
        (("metrics", 1), MAP.fields["metrics"].shape.item),
        (("records", 0), instrument),
        (("records", 1), instrument.fields["record"].shape.item),
        (("samples", 0), MAP.fields["sample"].shape.item),
        (("hooks", 0), MAP.fields["hook"].shape.item),
        (("defaults", 0), MAP.fields["defaults"].shape),
        (("packs", 0), MAP.fields["pack"].shape),
    ]
    for (section, number), shape in tables:
        assert sorted(_firsts(map_page.table(section, number))) == sorted(shape.fields), section


def test_targets_mean_what_the_page_says(map_page, folder):
    package = folder / "shop"
    package.mkdir()
    (package / "__init__.py").write_text(SHOP, "utf-8")
    (package / "stock.py").write_text(STOCK, "utf-8")
    metrics = {"calls_total": {"type": "counter", "help": "Calls."}}
    for target, expected in zip(_firsts(map_page.table("targets")), MEANT, strict=True):
        instrument = [{"target": target, "record": [{"metric": "calls_total"}]}]
        settings = ObservabilitySettings(enable_prometheus_metrics=True)
        wanted = {"version": 1, "metrics": metrics, "instrument": instrument}
        installed = install(wanted, settings=settings, registry=CollectorRegistry())
        importlib.import_module("shop.stock")
        states = {each.target: each.state for each in installed.status().targets}
        uninstall()
        assert states == dict.fromkeys(expected, "installed"), target


def test_types_moments_and_actions(map_page):
    assert _firsts(map_page.table("metrics")) == list(get_args(MetricType))
    assert sorted(_firsts(map_page.table("records", 2))) == sorted(get_args(Moment))
    hooks = " ".join(map_page.prose["hooks"])
    assert all(f"`{action}`" in hooks for action in ACTIONS)


def test_every_form_of_the_grammar_has_an_example_that_is_accepted(map_page):
    rows = map_page.table("label-expressions")
    kinds = {
        type(node).__name__
        for (example,) in _codes(rows, 1)
        for node in ast.walk(parse(example).tree)
    }
    rules = {name[1:] for name in vars(Grammar) if re.fullmatch("_[A-Z][A-Za-z]+", name)}
    assert rules <= kinds
    assert f"at most {MAX_LENGTH} characters" in " ".join(map_page.prose["label-expressions"])


def test_label_functions_and_what_they_give(map_page):
    rows = map_page.table("label-expressions", 1)
    assert _firsts(rows) == sorted(BUILTIN_FUNCTIONS)
    names = {name: name for name in VALUES}
    functions = {name: f"_{name}" for name in BUILTIN_FUNCTIONS}
    bound = {identifier: BUILTIN_FUNCTIONS[name] for name, identifier in functions.items()}
    for row in rows:
        expression, expected = row[2].strip("`"), row[3].strip("`")
        source = emit(parse(expression), names=names, functions=functions)
        assert str(eval(source, {**bound, **VALUES})) == expected, expression


def test_what_is_outside_the_grammar_is_refused_as_the_page_says(map_page):
    rows = map_page.table("label-expressions", 2)
    assert len(rows) > 4
    for row in rows:
        with pytest.raises(ExpressionError) as caught:
            parse(row[0].strip("`"))
        assert caught.value.message == row[1]


def _metrics(page):
    """Give type, labels and text of each metric that has a heading."""
    told = {}
    for heading in page.anchors:
        if heading.startswith("ancestry_"):
            _, kind, *text = [line for line in page.prose[heading] if line]
            told[heading] = (kind.split()[0].strip("."), re.findall(r"`(\w+)`", kind), text)
    return told


def _kinds(page):
    return {name: (kind.lower(), labels) for name, (kind, labels, _) in _metrics(page).items()}


def test_metrics_with_type_and_labels(pages):
    platform = {
        f"ancestry_{metric.name}": (metric.type, [label.name for label in metric.labels])
        for metric in load("ancestry.toml").metrics
    }
    own = {
        block.name + (SUFFIXES[block.kind][0] if block.kind in {"counter", "info"} else ""): (
            block.kind,
            list(block.label_names),
        )
        for block in SelfMetrics(Store(), tuple, "1").blocks()
    }
    expected = {**platform, **own, LAST_SUCCESS: ("gauge", [])}
    assert _kinds(pages["docs/monitoring.md"]) == expected


def test_values_of_metrics_are_explained(pages):
    told = _metrics(pages["docs/monitoring.md"])
    metrics = {metric.name: metric for metric in load("ancestry.toml").metrics}
    for name, label in (
        ("session_refresh_total", "reason"),
        ("api_requests_total", "result"),
        ("cache_operations_total", "operation"),
    ):
        values = next(each.values for each in metrics[name].labels if each.name == label)
        text = "".join(told[f"ancestry_{name}"][2])
        assert all(f"`{value}`" in text for value in values), name


def test_the_exporters_pages(pages):
    shown = _firsts(pages["docs/monitoring.md"].table("exporter"))
    served = Pages(lambda accept: (b"", accept), dict).answer("/nothing", accept="").body.decode()
    assert sorted(shown) == sorted(re.findall(r"/[\w/-]*", served))


def test_modules_of_the_architecture(pages, repository):
    package = repository / "src/ancestry_obs"
    listed = _firsts(pages["docs/architecture.md"].table("the-path"))
    there = {
        f"{path.name}/" if path.is_dir() else path.name
        for path in package.iterdir()
        if not path.name.startswith("_") and path.name not in {"py.typed", "maps"}
    }
    # Data without behaviour, which every stage may use.
    assert set(listed) == there - {"exceptions.py", "installation_status.py"}


@pytest.mark.parametrize("name", ["docs/architecture.md", "docs/review_todo.md"])
def test_tests_that_pages_name_are_there(name, pages, repository):
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", pages[name].text)
    assert len(named) > 10
    for file, function in named:
        text = (repository / file).read_text("utf-8")
        assert not function or re.search(rf"\bdef {function}\(", text), f"{file}::{function}"


def test_the_worst_case_that_a_decision_rests_on(pages):
    latency = next(each for each in load("ancestry.toml").metrics if "latency" in each.name)
    prose = " ".join(pages["docs/architecture.md"].prose["the-plans-open-questions"])
    assert f"{worst_case_series(latency):,} series" in prose


def test_benchmarks_have_the_rows_of_the_page(pages, repository):
    page = pages["docs/performance.md"]
    for section, script in (
        ("a-call", "hot_path"),
        ("off-the-known-path", "unhappy_paths"),
        ("values-from-other-calls", "handed_values"),
        ("exemplars", "exemplars"),
        ("a-scrape", "scrape"),
        ("installing", "install"),
        ("starting", "start_up"),
        ("growing", "growth"),
        ("packs", "_pack_cases"),
    ):
        source = (repository / f"benchmarks/{script}.py").read_text("utf-8")
        for row in page.table(section):
            assert row[0] in source, row[0]
    named = {f"benchmarks/{path.name}" for path in (repository / "benchmarks").glob("[!_]*.py")}
    told = set(re.findall(r"`(benchmarks/\w+\.py)`", page.text))
    assert told == named


def test_figures_agree_with_each_other(pages):
    rows = {row[0]: row[1:] for row in pages["docs/performance.md"].table("a-call")}
    on_top = {name: float(row[2].replace(",", "")) for name, row in rows.items()}
    ours = on_top["ours, fold included"]
    for name, row in rows.items():
        assert not row[3] or float(row[3]) == pytest.approx(on_top[name] / ours, abs=0.1), name
    compared = pages["README.md"].table("compared-with-others")[-1]
    figures = [int(each.replace(",", "")) for each in re.findall(r"([\d,]+) ns", "".join(compared))]
    quoted = ("ours, fold included", *(f"{peer}, same labels" for peer in PEERS))
    # To the nearest ten: more digits than that are noise.
    assert figures == [round(on_top[name], -1) for name in quoted]
