"""What `dashboards` and `rules` have alike: the map, its plan, and a file that is written."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ancestry_obs.exceptions import ObservabilityError
from ancestry_obs.mapfile import load
from ancestry_obs.metrics_exporter.textfile import replace_file
from ancestry_obs.monitoring import Catalogue, load_plan
from ancestry_obs.settings import ObservabilitySettings

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from ancestry_obs.mapfile import MapSpec
    from ancestry_obs.monitoring import Plan

__all__ = ["add_arguments", "add_plan", "monitored", "namespace_of", "planned", "written"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of both commands."""
    parser.add_argument("map", metavar="M", help="the map")
    add_plan(parser)
    parser.add_argument("--docs", metavar="URL", help="the page that links and runbooks lead to")


def add_plan(parser: argparse.ArgumentParser) -> None:
    """Declare what says which plan is meant, and which names its queries have."""
    parser.add_argument("--namespace", help="what exposed names begin with (METRICS_NAMESPACE)")
    parser.add_argument("--plan", metavar="FILE", help="the monitoring plan (the one beside M)")


def monitored(arguments: argparse.Namespace) -> tuple[Catalogue, Plan]:
    """Load a map and the plan beside it.

    Raises:
        MapError: One of the two has mistakes.
        SettingsError: No metric's name can begin with this namespace.
    """
    return planned(load(arguments.map), arguments)


def planned(spec: MapSpec, arguments: argparse.Namespace) -> tuple[Catalogue, Plan]:
    """Give the metrics of a map, and its plan.

    Raises:
        MapError: The plan has mistakes.
        SettingsError: No metric's name can begin with this namespace.
    """
    catalogue = Catalogue(spec, namespace_of(arguments.namespace))
    plan = load_plan(spec.source, catalogue, arguments.plan)
    return catalogue, _documented(plan, arguments.docs) if arguments.docs else plan


def _documented(plan: Plan, docs: str) -> Plan:
    """Have all runbooks of a plan on one page."""
    return replace(
        plan,
        docs=docs,
        objectives=tuple(replace(each, docs=docs) for each in plan.objectives),
        alerts=tuple(replace(each, docs=docs) for each in plan.alerts),
    )


def namespace_of(given: str | None) -> str:
    """Give the namespace that is given, or the settings'.

    Raises:
        SettingsError: No metric's name can begin with it.
    """
    # What the program itself goes by: queries for another prefix would find nothing.
    settings = ObservabilitySettings.from_environment()
    return (replace(settings, metrics_namespace=given) if given else settings).metrics_namespace


def written(path: Path, text: str) -> str:
    """Write a file, and its folder if need be; give what to tell about it.

    A file is there whole or as it was before; what is none, such as a pipe, is written to.

    Raises:
        ObservabilityError: It cannot be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():
            path.write_text(text, "utf-8")
        else:
            # What a link leads to is replaced, not the link.
            replace_file(path.resolve(), text.encode())
    except OSError as error:
        raise ObservabilityError(
            f"{path}: cannot be written ({error.strerror}); name another place with -o"
        ) from error
    return f"wrote {path}"
