"""The registry of prometheus_client that everything of the toolkit is registered in.

It is the toolkit's own, never prometheus_client's global one: what a program registers there for
itself stays its own business. It is made, and prometheus_client imported, when somebody first asks
for it, such as the first scrape.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ancestry_obs.exceptions import ObservabilityError
from ancestry_obs.late_imports import importing

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import CollectorRegistry
    from prometheus_client.registry import Collector

__all__ = ["attach", "detach", "get_registry"]


class _Holder:
    """The registry in use and what the toolkit has registered in it, or will."""

    def __init__(self) -> None:
        self.own: CollectorRegistry | None = None
        self.given: CollectorRegistry | None = None
        self.collector: Collector | None = None
        self.to_come: Callable[[], Collector] | None = None

    @property
    def current(self) -> CollectorRegistry:
        """The registry in use."""
        if self.given is not None:
            return self.given
        if self.own is None:
            from prometheus_client import CollectorRegistry  # noqa: PLC0415  see above

            self.own = CollectorRegistry()
        return self.own


_holder = _Holder()


def get_registry() -> CollectorRegistry:
    """Give the registry in use, always the same one until `install` is given another.

    Example:
        >>> from prometheus_client import make_asgi_app
        >>> app = make_asgi_app(get_registry())
    """
    with importing:
        if _holder.to_come is not None:
            # Nobody has had this registry yet, so that no name in it is taken.
            _holder.collector = _holder.to_come()
            _holder.to_come = None
            _holder.current.register(_holder.collector)
        return _holder.current


def attach(make: Callable[[], Collector], registry: CollectorRegistry | None = None) -> None:
    """Register the toolkit's collector, in place of the one before.

    Args:
        make: Makes what is registered; called when somebody asks for the registry, if nobody has.
        registry: Where, and what `get_registry` gives until `detach`; the toolkit's own if `None`.

    Raises:
        ObservabilityError: The registry has a metric of the same name; all is as it was before.
    """
    with importing:
        if registry is None and _holder.own is None:
            _holder.to_come = make
        else:
            _exchange(make(), registry)


def _exchange(collector: Collector, registry: CollectorRegistry | None) -> None:
    before, current, given = _holder.collector, _holder.current, _holder.given
    if before is not None:
        current.unregister(before)
    _holder.given = registry
    try:
        _holder.current.register(collector)
    except ValueError as error:
        _holder.given = given
        if before is not None:
            current.register(before)
        raise ObservabilityError(
            f"the registry already has one of the map's metrics: {error}; set another "
            "METRICS_NAMESPACE, or give install() a registry of its own"
        ) from error
    _holder.collector, _holder.to_come = collector, None


def detach() -> None:
    """Take the toolkit's collector out; what others registered stays. Twice is once."""
    with importing:
        if _holder.collector is not None:
            _holder.current.unregister(_holder.collector)
        _holder.given = _holder.collector = _holder.to_come = None
