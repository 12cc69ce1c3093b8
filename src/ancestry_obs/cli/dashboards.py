"""`ancestry-obs dashboards M -o FOLDER`: the Grafana dashboard of a map."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from ancestry_obs.cli.monitored import add_arguments, monitored, written
from ancestry_obs.cli.output import say
from ancestry_obs.exceptions import ObservabilityError
from ancestry_obs.library_versions import fits, installed_version
from ancestry_obs.mapfile.map_files import resolve_map

if TYPE_CHECKING:
    import argparse

_SDK: Final = "grafana-foundation-sdk"
_FITTING: Final = ">=11.6,<11.7"
"""Releases are numbered as Grafana's; the extra names one of them."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser("dashboards", help="write the Grafana dashboard of a map")
    add_arguments(parser)
    parser.add_argument("-o", "--output", metavar="FOLDER", type=Path, required=True, help="where")
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    """Write the dashboard and say where it is."""
    _refuse_other_sdk()
    try:
        # Not at the top: the base install has every command, and only this one needs the extra.
        from ancestry_obs.monitoring.dashboard import dashboard_json  # noqa: PLC0415  see above
    except ModuleNotFoundError as error:
        raise ObservabilityError(
            f"dashboards need the package {error.name!r}, which is not installed; run "
            "'pip install ancestry-obs[dashboards]'"
        ) from error
    _, plan = monitored(arguments)
    name = resolve_map(arguments.map).stem
    say(written(arguments.output / f"{name}_overview.json", dashboard_json(plan, name)))
    return 0


def _refuse_other_sdk() -> None:
    """Refuse a package for another Grafana, which has other parts or draws others."""
    found = installed_version(_SDK)
    if found is not None and not fits(found, _FITTING):
        raise ObservabilityError(
            f"dashboards need {_SDK} {_FITTING}, and {found.rpartition('!')[2]} is installed; run "
            "'pip install ancestry-obs[dashboards]'"
        )
