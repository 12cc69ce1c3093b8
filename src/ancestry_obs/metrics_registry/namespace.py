"""`metrics()`: every metric of the map by name, with metrics on and off.

Declarations come in from whoever installs (`connect`); before that, or with metrics off, they come
from the map that the settings name, read when somebody first asks for a metric. What makes helpers
is imported then too: most programs never ask while metrics are off.
"""

from __future__ import annotations

import os
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ancestry_obs.mapfile.specs import MetricSpec
    from ancestry_obs.metrics_registry.helpers import Helper, Recorder

__all__ = ["Metrics", "connect", "disconnect", "metrics"]


class Metrics:
    """A helper for each metric.

    A metric is found under its name and under the name without its unit or ``_total``, as long as
    only one metric is meant: ``api_latency_seconds`` is ``api_latency`` too.

    Example:
        >>> metrics().api_latency.observe("/matches/:id", "2xx", 0.25)
        >>> metrics().api_requests.inc("/matches/:id", "GET", "success")
        >>> with metrics().requests_in_flight.track("/matches/:id"):
        ...     ...
    """

    def __init__(self) -> None:
        self.renew_lock()
        self._helpers: dict[str, Helper] = {}
        self._aliases: dict[str, list[str]] = {}
        self._declare: Callable[[], Iterable[MetricSpec]] | None = None

    def renew_lock(self) -> None:
        """Forget who holds the lock: in a forked child that thread does not exist."""
        self._lock = threading.RLock()

    def declare(self, declare: Callable[[], Iterable[MetricSpec]]) -> None:
        """Say where the declarations are to be had when somebody asks for the first metric.

        Args:
            declare: Called until it succeeds once, and not at all if `connect` comes before.
        """
        with self._lock:
            self._declare = declare

    def connect(
        self, specs: Iterable[MetricSpec], recorder: Callable[[MetricSpec], Recorder]
    ) -> None:
        """Let helpers record; one whose declaration is unchanged stays the same object.

        Args:
            specs: The metrics there are from now on.
            recorder: Gives where a metric records to, such as `Store.family`.
        """
        with self._lock:
            self._declare = None
            self._replace(specs)
            for helper in self._helpers.values():
                helper.connect(recorder(helper.spec))

    def disconnect(self) -> None:
        """Make every helper a no-op; they stay as they are otherwise."""
        with self._lock:
            for helper in self._helpers.values():
                helper.disconnect()

    def __getattr__(self, name: str) -> Helper:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}", name=name)
        with self._lock:
            self._load()
            names = [name] if name in self._helpers else self._aliases.get(name, [])
            if len(names) == 1:
                return self._helpers[names[0]]
            raise AttributeError(self._refusal(name, names), name=name, obj=self)

    def __dir__(self) -> list[str]:
        with self._lock:
            self._load()
            return sorted({*super().__dir__(), *self._helpers, *self._aliases})

    def _load(self) -> None:
        if self._declare is not None:
            self._replace(self._declare())
            self._declare = None

    def _replace(self, specs: Iterable[MetricSpec]) -> None:
        from ancestry_obs.metrics_registry.helpers import Helper, stem  # noqa: PLC0415  see above

        before, self._helpers = self._helpers, {}
        for spec in specs:
            kept = before.get(spec.name)
            if kept is not None and kept.spec == spec:
                self._helpers[spec.name] = before.pop(spec.name)
            else:
                self._helpers[spec.name] = Helper(spec)
        for gone in before.values():
            gone.disconnect()
        self._aliases = {}
        for name in self._helpers:
            self._aliases.setdefault(stem(name), []).append(name)

    def _refusal(self, name: str, meant: list[str]) -> str:
        if meant:
            return f"{name!r} may be {' or '.join(meant)}; write the whole name"
        from difflib import get_close_matches  # noqa: PLC0415  see above

        known = {*self._helpers, *self._aliases}
        nearest = get_close_matches(name, known, n=1)
        if nearest:
            return f"the map has no metric {name!r}; did you mean {nearest[0]!r}?"
        return f"the map has no metric {name!r}; it has {', '.join(self._helpers) or 'none'}"


_metrics = Metrics()
os.register_at_fork(after_in_child=_metrics.renew_lock)


def metrics() -> Metrics:
    """Give the helpers of every metric in the map; always the same object.

    With metrics off, or before `install`, each helper has the same functions and does nothing; one
    that was kept from then works as soon as metrics are on.
    """
    return _metrics


def connect(specs: Iterable[MetricSpec], recorder: Callable[[MetricSpec], Recorder]) -> None:
    """Let the helpers of `metrics` record; see `Metrics.connect`."""
    _metrics.connect(specs, recorder)


def disconnect() -> None:
    """Make the helpers of `metrics` no-ops; see `Metrics.disconnect`."""
    _metrics.disconnect()
