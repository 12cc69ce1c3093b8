"""Prometheus metrics for any Python program from one declarative map, with no line of it changed.

The data's path, and the package that each step lives in:

    map file   spec            read and validated into a frozen form
               expressions     its label expressions, parsed and checked
               aspects         what the map asks for, as advice for the patcher
    wrapper    compiler        one function for each target, with the target's exact signature
    patch      patcher         put in the target's place, and back
    call       recording       one float for each call, folded into series at the scrape
    scrape     collector       series and live instances become an exposition
               metrics_registry, metrics_exporter
                               and leave over HTTP, as a file, or through anybody's registry

`instrumentation` puts the steps together; `lifecycle` knows which installation is in force.

Example:
    >>> import ancestry_obs
    >>> ancestry_obs.install("my_program.toml")  # does nothing unless metrics are switched on
    >>> import my_program
"""

from ancestry_obs.exceptions import (
    CompileError,
    ExporterError,
    ExpressionError,
    Finding,
    LaunchError,
    MapError,
    ObservabilityError,
    SettingsError,
    TargetError,
)
from ancestry_obs.lifecycle import (
    install,
    reload,
    start_exporter,
    status,
    stop_exporter,
    uninstall,
)
from ancestry_obs.metrics_registry import metrics
from ancestry_obs.settings import ObservabilitySettings
from ancestry_obs.spec import MapDiff
from ancestry_obs.status import Status, TargetStatus

__all__ = [
    "CompileError",
    "ExporterError",
    "ExpressionError",
    "Finding",
    "LaunchError",
    "MapDiff",
    "MapError",
    "ObservabilityError",
    "ObservabilitySettings",
    "SettingsError",
    "Status",
    "TargetError",
    "TargetStatus",
    "get_registry",
    "install",
    "metrics",
    "reload",
    "start_exporter",
    "status",
    "stop_exporter",
    "uninstall",
]


def __getattr__(name: str) -> object:
    # get_registry() needs prometheus_client, which must not be imported while metrics are off.
    if name == "get_registry":
        from ancestry_obs.metrics_registry import get_registry  # noqa: PLC0415

        return get_registry
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
