"""The registry and the typed helpers: `get_registry()` and `metrics()`.

    helpers     one metric: functions with the metric's labels as parameters
    namespace   all of them, by name                                    `metrics`, `connect`
    registry    prometheus_client's side                                `get_registry`, `attach`

`metrics()` works without prometheus_client, as it must where metrics are off: what `registry` has
is imported when somebody first asks for it (PEP 562).
"""

from __future__ import annotations

from ancestry_obs.metrics_registry.namespace import Metrics, connect, disconnect, metrics

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ancestry_obs.metrics_registry.registry import attach, detach, get_registry

__all__ = [
    "Metrics",
    "attach",
    "connect",
    "detach",
    "disconnect",
    "get_registry",
    "metrics",
]

_LATE = {"attach", "detach", "get_registry"}


def __getattr__(name: str) -> object:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Late on purpose: with metrics off, prometheus_client need not be on the machine at all.
    from ancestry_obs.metrics_registry import registry  # noqa: PLC0415

    return getattr(registry, name)
