"""What `dashboards` and `rules` have alike: the map, its plan, and a file that is written."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ancestry_obs.exceptions import ObservabilityError
from ancestry_obs.monitoring import Catalogue, load_plan
from ancestry_obs.spec import load

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from ancestry_obs.monitoring import Plan

__all__ = ["add_arguments", "monitored", "written"]

_NAMESPACE = "ancestry"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of both commands."""
    parser.add_argument("map", metavar="M", help="the map")
    parser.add_argument(
        "--namespace", default=_NAMESPACE, help="what exposed names begin with (ancestry)"
    )
    parser.add_argument("--docs", metavar="URL", help="the page that links and runbooks lead to")


def monitored(arguments: argparse.Namespace) -> tuple[Catalogue, Plan]:
    """Load a map and the plan beside it.

    Raises:
        MapError: One of the two has mistakes.
    """
    spec = load(arguments.map)
    catalogue = Catalogue(spec, arguments.namespace)
    plan = load_plan(spec.source, catalogue)
    return catalogue, replace(plan, docs=arguments.docs) if arguments.docs else plan


def written(path: Path, text: str) -> str:
    """Write a file, and its folder if need be; give what to tell about it.

    Raises:
        ObservabilityError: It cannot be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError as error:
        raise ObservabilityError(
            f"{path}: cannot be written ({error.strerror}); name another place with -o"
        ) from error
    return f"wrote {path}"
