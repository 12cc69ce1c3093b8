"""The registry of prometheus_client that everything of the toolkit is registered in.

It is the toolkit's own, never prometheus_client's global one: what a program registers there for
itself stays its own business.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from ancestry_obs.exceptions import ObservabilityError

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

__all__ = ["attach", "detach", "get_registry"]


class _Holder:
    """The registry in use and what the toolkit has registered in it."""

    def __init__(self) -> None:
        self.renew_lock()
        self.own = CollectorRegistry()
        self.current = self.own
        self.collector: Collector | None = None

    def renew_lock(self) -> None:
        """Forget who holds the lock: in a forked child that thread does not exist."""
        self.lock = threading.Lock()


_holder = _Holder()
os.register_at_fork(after_in_child=_holder.renew_lock)


def get_registry() -> CollectorRegistry:
    """Give the registry in use, always the same one until `install` is given another.

    Example:
        >>> from prometheus_client import make_asgi_app
        >>> app = make_asgi_app(get_registry())
    """
    return _holder.current


def attach(collector: Collector, registry: CollectorRegistry | None = None) -> CollectorRegistry:
    """Register the toolkit's collector, in place of the one before.

    Args:
        collector: What to register.
        registry: Where, and what `get_registry` gives until `detach`; the toolkit's own if `None`.

    Returns:
        The registry.

    Raises:
        ObservabilityError: The registry has a metric of the same name; all is as it was before.
    """
    with _holder.lock:
        before, current = _holder.collector, _holder.current
        chosen = _holder.own if registry is None else registry
        if before is not None:
            current.unregister(before)
        try:
            chosen.register(collector)
        except ValueError as error:
            if before is not None:
                current.register(before)
            raise ObservabilityError(
                f"the registry already has one of the map's metrics: {error}; set another "
                "METRICS_NAMESPACE, or give install() a registry of its own"
            ) from error
        _holder.current, _holder.collector = chosen, collector
    return chosen


def detach() -> None:
    """Take the toolkit's collector out; what others registered stays. Twice is once."""
    with _holder.lock:
        if _holder.collector is not None:
            _holder.current.unregister(_holder.collector)
        _holder.current, _holder.collector = _holder.own, None
