"""Prometheus metrics for any Python program from one declarative map, with no line of it changed.

The data's path, and the package that each step lives in:

    map file   mapfile         read and validated into a frozen form
               expressions     its label expressions, parsed and checked
               aspects         what the map asks for, as advice for the patcher
    code       compiler        the target's own code, with the statements of its advice inside
    weave      patcher         given to the target's function, which stays the same, and back
    call       recording       one float for each call, folded into series at the scrape
    scrape     collector       series and live instances become an exposition
               metrics_registry, metrics_exporter
                               and leave over HTTP, as a file, or through anybody's registry

`instrumentation` puts the steps together; `lifecycle` knows which installation is in force.

Example:
    >>> import ancestry_obs
    >>> ancestry_obs.install("my_program.toml")  # does nothing unless metrics are switched on
    >>> import my_program

PYTEST_DONT_REWRITE: pytest takes the package of a plugin for one, and warns of what was imported
before pytest, as this is under `ancestry-obs run -- pytest`.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
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
    from ancestry_obs.installation_status import Status, TargetStatus
    from ancestry_obs.instrumentation import Instrumentation
    from ancestry_obs.ipython_extension import load_ipython_extension, unload_ipython_extension
    from ancestry_obs.lifecycle import (
        Disabled,
        install,
        mark_failed,
        reload,
        start_exporter,
        status,
        stop_exporter,
        uninstall,
    )
    from ancestry_obs.mapfile import MapDiff
    from ancestry_obs.metrics_registry import get_registry, metrics
    from ancestry_obs.settings import ObservabilitySettings

__all__ = [
    "CompileError",
    "Disabled",
    "ExporterError",
    "ExpressionError",
    "Finding",
    "Instrumentation",
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
    "load_ipython_extension",
    "mark_failed",
    "metrics",
    "reload",
    "start_exporter",
    "status",
    "stop_exporter",
    "uninstall",
    "unload_ipython_extension",
]


# What is imported when somebody first asks for it (PEP 562). Some of it needs wrapt and
# prometheus_client, which need not be there while metrics are off; the rest would make every
# program that has metrics off wait for what it does not use, and every one that is launched.
_LATE = {
    **dict.fromkeys(
        (
            "CompileError",
            "ExporterError",
            "ExpressionError",
            "Finding",
            "LaunchError",
            "MapError",
            "ObservabilityError",
            "SettingsError",
            "TargetError",
        ),
        "exceptions",
    ),
    **dict.fromkeys(
        (
            "Disabled",
            "install",
            "mark_failed",
            "reload",
            "start_exporter",
            "status",
            "stop_exporter",
            "uninstall",
        ),
        "lifecycle",
    ),
    "Instrumentation": "instrumentation",
    # What IPython looks for: `%load_ext ancestry_obs`.
    "load_ipython_extension": "ipython_extension",
    "unload_ipython_extension": "ipython_extension",
    "MapDiff": "mapfile",
    "ObservabilitySettings": "settings",
    "Status": "installation_status",
    "TargetStatus": "installation_status",
    "get_registry": "metrics_registry",
    "metrics": "metrics_registry",
}


def __getattr__(name: str) -> object:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Not `import_module`, which would be one import more.
    module = __import__(f"{__name__}.{_LATE[name]}", fromlist=[name])
    value: object = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
