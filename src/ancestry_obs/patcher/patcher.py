"""Pointcuts in, a woven program out: `apply` makes what is woven equal to what is wanted.

This module decides when to look where: at once for modules that are there, after their import for
the others, after their definition for subclasses and for the program's own `__main__`. The looking
is done by the plan, the changing by the fabric. What a wrapper does is the weaver's affair.
"""

from __future__ import annotations

import logging
import os
import pkgutil
import sys
import threading
import weakref
from collections import deque
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, cast

from ancestry_obs.patcher.fabric import Fabric
from ancestry_obs.patcher.import_hooks import ImportHooks, is_initializing
from ancestry_obs.patcher.ledger import report_sites, report_unreached_patterns
from ancestry_obs.patcher.model import TargetReport
from ancestry_obs.patcher.namespaces import namespace_of
from ancestry_obs.patcher.plan import Plan
from ancestry_obs.patcher.resolve import Resolver
from ancestry_obs.patcher.subclass_hooks import SubclassHooks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ancestry_obs.patcher.model import Pointcut, Weave

__all__ = ["Patcher"]

_logger = logging.getLogger(__name__)


class Patcher:
    """Weaves targets and undoes it. All methods may be called from any thread.

    Args:
        weave: Makes the wrapper of one target.

    Example:
        >>> patcher = Patcher(weave)  # doctest: +SKIP
        >>> patcher.apply([Pointcut("shop.cart:Cart.add", advice="count")])  # doctest: +SKIP
        >>> patcher.apply(())  # all as it was before  # doctest: +SKIP
    """

    def __init__(self, weave: Weave) -> None:
        self._fabric = Fabric(weave)
        self._names: dict[str, str] = {}
        self._resolver = Resolver(self._fabric.original_of, self._names)
        self._plan = Plan((), self._resolver)
        self._imports = ImportHooks(self._imported)
        self._subclasses = SubclassHooks(self._derived)
        self._settled: dict[str, ModuleType] = {}
        self._offered: dict[str, list[int]] = {}
        self._said: set[tuple[str, str]] = set()
        self.renew_lock()
        os.register_at_fork(after_in_child=partial(_renew_lock_of, weakref.ref(self)))

    def apply(self, pointcuts: Sequence[Pointcut]) -> None:
        """Make the woven set equal to the wanted one.

        Idempotent: a target whose advices are equal to what they were keeps its wrapper. Targets
        that cannot be woven, or not yet, are in the `report`; they raise nothing.

        Args:
            pointcuts: All that is wanted, in the map's order; empty to undo everything.
        """
        self._run(partial(self._replan, tuple(pointcuts)))

    def offer(self, module: ModuleType, name: str) -> None:
        """Weave what is defined by now in a module that runs under another name.

        For a launcher that executes a program statement by statement as ``__main__``.

        Args:
            module: The module that is being executed.
            name: What targets call it.
        """
        if self._plan.concerned(name):
            self._run(partial(self._take_in_offered, name, module))

    def report(self, *, search: bool = False) -> tuple[TargetReport, ...]:
        """Return the state of every target, then of the patterns that have reached none.

        Args:
            search: Also find what holds unwrapped functions beyond reach. That goes once over every
                object of the process, so it is for who asks, not for every scrape.
        """
        with self._lock:
            self._run(self._catch_up)
            unreached = self._fabric.unreached(self._plan.targets) if search else {}
            return (
                *report_sites(self._fabric.sites.values(), unreached),
                *report_unreached_patterns(self._plan, self._imports.watched()),
                *(TargetReport(name, "error", why) for name, why in self._fabric.left.items()),
            )

    def renew_lock(self) -> None:
        """Forget who holds the lock: in a forked child that thread does not exist."""
        self._lock = threading.RLock()
        self._tasks: deque[Callable[[], None]] = deque()
        self._is_busy = False

    def _run(self, task: Callable[[], None]) -> None:
        # A weaver or a finaliser may import something, or derive a class, in the midst of a task:
        # its hook then only queues up.
        with self._lock:
            self._tasks.append(task)
            if self._is_busy:
                return
            self._is_busy = True
            try:
                while self._tasks:
                    self._tasks.popleft()()
            finally:
                self._is_busy = False

    def _replan(self, pointcuts: tuple[Pointcut, ...]) -> None:
        # Off first: a class's own `__init_subclass__` may be a target itself.
        self._subclasses.watch_only(())
        self._plan = Plan(pointcuts, self._resolver)
        self._settled.clear()
        self._offered.clear()
        self._fabric.left.clear()
        for name in self._plan.starting_points():
            self._imports.watch(name)
        for name in list(sys.modules):
            self._look_at(name)
        self._bring_about(None)
        if not pointcuts:
            self._imports.close()
        elif self._plan.bases():
            self._bring_about(None)  # what another thread has derived while the hooks were off

    def _catch_up(self) -> None:
        """Look at modules whose import no hook has told of: it was under way when we came."""
        late = [name for name in self._imports.watched() if self._look_at(name)]
        if late:
            self._bring_about(None)

    def _look_at(self, name: str) -> bool:
        """Take in the module `name` unless that was done; say whether there was anything to do."""
        module = sys.modules.get(name)
        if not isinstance(module, ModuleType) or module is self._settled.get(name):
            return False
        if not self._plan.concerned(name) and not self._plan.reaches_below(name):
            return False
        self._take_in(name, module, settled=not is_initializing(module))
        return True

    def _imported(self, name: str, module: ModuleType) -> None:
        self._run(partial(self._take_in_imported, name, module))

    def _take_in_imported(self, name: str, module: ModuleType) -> None:
        self._take_in(name, module, settled=True)
        for each in self._imports.watched():
            self._look_at(each)
        self._bring_about(name)

    def _take_in(self, name: str, module: ModuleType, *, settled: bool) -> None:
        if settled:
            self._settled[name] = module
        if self._plan.concerned(name):
            self._imports.watch(name)
        for target, outcome in self._plan.resolve(name, module, settled=settled):
            spans = target.pattern is None or target.pattern.spans_modules
            if outcome.reason and settled and not spans and not self._plan.companions(target):
                self._say(target.pointcut.pattern, outcome.reason)
        if self._plan.reaches_below(name):
            self._imports.watch(name)
            self._watch_below(name, module)

    def _watch_below(self, name: str, package: ModuleType) -> None:
        path = namespace_of(package).get("__path__")
        if path is None:
            return
        for info in pkgutil.iter_modules(cast("Iterable[str]", path), f"{name}."):
            if info.ispkg or self._plan.concerned(info.name):
                self._imports.watch(info.name)

    def _take_in_offered(self, name: str, module: ModuleType) -> None:
        namespace = namespace_of(module)
        if self._offered.get(name) == list(map(id, namespace.values())):
            return
        self._names[module.__name__] = name
        self._plan.resolve(name, module, label=f"{name} as {module.__name__}", settled=False)
        self._bring_about(None)
        self._offered[name] = list(map(id, namespace.values()))

    def _derived(self) -> None:
        self._run(partial(self._bring_about, None))

    def _bring_about(self, fresh: str | None) -> None:
        for part in self._fabric.bring_about(self._plan.wants(), fresh):
            if part.reason:
                self._say(part.want.found.target, part.reason)
        for target, reason in self._fabric.left.items():
            self._say(target, reason)
        self._subclasses.watch_only(self._plan.bases())

    def _say(self, target: str, reason: str) -> None:
        if (target, reason) not in self._said:
            self._said.add((target, reason))
            _logger.warning("target %s: %s", target, reason)


def _renew_lock_of(reference: weakref.ref[Patcher]) -> None:
    patcher = reference()
    if patcher is not None:
        patcher.renew_lock()
