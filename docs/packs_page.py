# ruff: noqa: INP001 - a script beside the pages, no package
"""What is generated of the packs that ship: their part of the pages, and `grafana/packs/`.

    python docs/packs_page.py       writes them; a test says when they are stale

In: the packs, the monitoring plans beside them, and what `benchmarks/packs.py` has measured. Out:
for each pack a section of `packs.md`, which says what it measures, weaves, costs, promises and how
it is tested; the table of costs in `performance.md`; and its dashboard, rules and alerts as
`ancestry-obs dashboards pack:NAME` and `ancestry-obs rules pack:NAME` give them. What stands above
the mark in `packs.md`, and around the table in `performance.md`, is written by hand, and stays.
"""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

from ancestry_obs.cli.pack_costs import PYTHON, read_costs
from ancestry_obs.mapfile import load, series_multiplied, worst_case_series
from ancestry_obs.mapfile.map_files import PACK, PACKS_FOLDER, packs_there_are
from ancestry_obs.monitoring import Catalogue, build_rules, load_plan, rules_yaml
from ancestry_obs.monitoring.dashboard import dashboard_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ancestry_obs.cli.pack_costs import PackCost
    from ancestry_obs.mapfile import MapSpec, MetricSpec
    from ancestry_obs.mapfile.specs import LabelSpec
    from ancestry_obs.monitoring import Plan

REPOSITORY = Path(__file__).parents[1]
PAGE = REPOSITORY / "docs/packs.md"
PERFORMANCE = REPOSITORY / "docs/performance.md"
FOLDER = REPOSITORY / "grafana/packs"
MARK = "<!-- What follows is generated: python docs/packs_page.py -->\n"
TABLE_MARK = "<!-- This table is generated: python docs/packs_page.py -->\n"
PYTHONS = (PYTHON, "3.12", "3.11")
NAMESPACE = "ancestry"


def generated() -> dict[Path, str]:
    """Give each file that is generated, with its text."""
    files = {}
    sections = []
    costs = read_costs()
    for name in packs_there_are():
        spec = load(f"{PACK}{name}")
        catalogue = Catalogue(spec, NAMESPACE)
        plan = load_plan(spec.source, catalogue)
        rules = build_rules(plan, catalogue, None)
        files[FOLDER / f"{name}_overview.json"] = dashboard_json(plan, name)
        files[FOLDER / f"{name}_rules.yml"] = rules_yaml(rules, spec.source)
        sections.append("\n".join(_section(name, spec, plan, costs.get(name))))
    by_hand = PAGE.read_text("utf-8").partition(MARK)[0]
    return {
        PAGE: "\n".join([by_hand + MARK, *sections]),
        PERFORMANCE: _with_table(PERFORMANCE.read_text("utf-8"), costs),
        **files,
    }


def _with_table(page: str, costs: dict[str, PackCost]) -> str:
    """Put the table of costs where the page has its mark, in the place of the one that is there."""
    before, mark, rest = page.partition(TABLE_MARK)
    if not mark:
        raise SystemExit(
            f"{PERFORMANCE}: the line {TABLE_MARK!r} is missing; put it above the table"
        )
    after = rest.partition("\n\n")[2]
    heads = (
        "Library", f"Ratio, {PYTHONS[0]}", *PYTHONS[1:],
        "Plain", "Ours, on top", "OpenTelemetry, on top", "Its", "Unsampled",
    )  # fmt: skip
    rows = [_row(heads), "|---" * len(heads) + "|", *(_cost_row(*each) for each in costs.items())]
    return "\n".join([before + mark.rstrip(), *rows, "", after])


def _cost_row(name: str, cost: PackCost) -> str:
    ratios = (f"{cost.ratios[each]:.2f}x" if cost.ratios else "" for each in PYTHONS)
    unsampled = "" if cost.unsampled is None else str(cost.unsampled)
    theirs = "" if cost.theirs is None else str(cost.theirs)
    figures = (str(cost.plain), str(cost.ours), theirs)
    return _row((name, *ratios, *figures, cost.basis or "none", unsampled))


def _row(cells: Iterable[str]) -> str:
    return "".join(f"| {cell} ".replace("|  ", "| ") for cell in cells) + "|"


def _section(name: str, spec: MapSpec, plan: Plan, cost: PackCost | None) -> Iterator[str]:
    pack = next(each for each in spec.packs if each.where.source == spec.source)
    library = f"[{pack.library}]({pack.url})" if pack.url else pack.library
    yield f"## {name}\n"
    yield _filled(f"{pack.title.rstrip('.')}. For {library} `{pack.versions}`.")
    yield _filled(_notes(name))
    yield "It measures:\n"
    yield from map(_metric, spec.metrics)
    most = sum(map(worst_case_series, spec.metrics))
    yield ""
    yield _filled(
        f"If every label took all values that it may, each with all of the others, that would be "
        f"{most:,} series; only those that occur are there. It weaves:"
    )
    targets = (target for each in spec.instruments for target in each.targets)
    read = (f"{each.target}` (read when scraped)" for each in spec.samples)
    woven = [*(f"{target}`" for target in targets), *read]
    yield from (f"- `{target}" for target in dict.fromkeys(woven))
    rows = ", ".join(f'"{row.title}"' for row in plan.rows)
    yield ""
    yield _filled(_cost(cost))
    yield _filled(_promises(plan))
    yield _filled(
        f"Its [dashboard]({_link(name, 'overview.json')}) has the rows {rows}. Prometheus has its "
        f"[rules]({_link(name, 'rules.yml')}). {_tests(name)}"
    )


def _notes(name: str) -> str:
    """Give the comment that a pack begins with, as a paragraph."""
    head = re.match(r"(?:#.*\n)*", (PACKS_FOLDER / f"{name}.toml").read_text("utf-8"))
    return " ".join(line.lstrip("# ") for line in head[0].splitlines()) if head else ""


def _metric(metric: MetricSpec) -> str:
    labels = ", ".join(map(_label, metric.labels))
    by = f" by {labels}" if labels else ""
    buckets = ", ".join(f"{each:g}" for each in metric.buckets)
    bounds = f" Buckets: {buckets}." if buckets else ""
    kind = metric.type.replace("_", "-")
    product = series_multiplied(metric)
    most = f" At most {worst_case_series(metric):,} series{f', {product}' if product else ''}."
    full = metric.full_name(NAMESPACE)
    return f"- `{full}`, {kind}{by}. {metric.help}{bounds}{most}"


def _label(label: LabelSpec) -> str:
    if label.values is None:
        return f"`{label.name}` (up to {label.max_values})"
    return f"`{label.name}` ({', '.join(label.values)})"


def _cost(cost: PackCost | None) -> str:
    if cost is None:
        return "What it costs has not been measured beside a peer; `ancestry-obs cost` measures it."
    article = "an" if cost.per[0] in "aeiou" else "a"
    beside = (
        "; OpenTelemetry has no instrumentation of the library"
        if cost.ratio is None
        else f", {cost.ratio:.2f}x of what OpenTelemetry's instrumentation of the library adds"
    )
    return (
        f"It adds {cost.ours} microseconds to {article} {cost.per}{beside} "
        "([how that was measured](performance.md#packs))."
    )


def _promises(plan: Plan) -> str:
    told = [f"{each.title} ({each.target * 100:g} %)." for each in plan.objectives]
    own = [f"`{each.name}`" for each in plan.alerts if not each.metric.name.startswith("ancestry_")]
    promises = f"Objectives: {' '.join(told)}" if told else "Nothing is promised of it."
    besides = " besides" if told else ""
    return f"{promises} Alerts{besides}: {', '.join(own)}." if own else promises


def _filled(text: str) -> str:
    """Write a paragraph, with the empty line after it."""
    return fill(text, 104, break_long_words=False, break_on_hyphens=False) + "\n"


def _link(name: str, kind: str) -> str:
    return f"../grafana/packs/{name}_{kind}"


def _tests(name: str) -> str:
    """Say where a pack is tried."""
    stem = name.replace("-", "_")
    found = sorted((REPOSITORY / "tests/libraries").rglob(f"test*_{stem}*.py"))
    with_pack = [each for each in found if "pack" in each.stem]
    links = [f"[{each.name}](../{each.relative_to(REPOSITORY)})" for each in with_pack]
    return f"Tried with the library itself, in {', '.join(links)}."


def main() -> None:
    """Write what is generated; files of packs that are gone go too."""
    files = generated()
    FOLDER.mkdir(exist_ok=True)
    for path in set(FOLDER.iterdir()) - files.keys():
        path.unlink()
    for path, text in files.items():
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
