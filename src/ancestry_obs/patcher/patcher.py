"""Pointcuts in, a woven program out: `apply` makes what is woven equal to what is wanted.

This module decides when to look where: at once for modules that are there, before and after their
execution for the others, after their definition for subclasses and for the program's own
`__main__`. Each look is at one module, and costs in proportion to what is in it.
"""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections import deque
from functools import partial
from types import CodeType, MappingProxyType, ModuleType
from typing import TYPE_CHECKING

from ancestry_obs.compiler.code import codes_in
from ancestry_obs.compiler.sources import Source
from ancestry_obs.notices import Notices
from ancestry_obs.patcher.cell_hooks import CellHooks
from ancestry_obs.patcher.code_exchange import CodeExchange
from ancestry_obs.patcher.definitions_in import definition_in
from ancestry_obs.patcher.definitions_to_come import DefinitionsToCome
from ancestry_obs.patcher.import_hooks import ImportHooks, is_initializing
from ancestry_obs.patcher.join_points import TargetReport
from ancestry_obs.patcher.library_hooks import LibraryHooks
from ancestry_obs.patcher.namespaces import (
    NO_MARKS,
    marks_of,
    name_of,
    name_of_main,
    subclasses_of,
)
from ancestry_obs.patcher.pointcuts import Targets
from ancestry_obs.patcher.prepared_code import Prepared, PreparedCode
from ancestry_obs.patcher.resolver import Resolver
from ancestry_obs.patcher.states import report_unreached, report_weavings
from ancestry_obs.patcher.subclass_hooks import SubclassHooks
from ancestry_obs.patcher.super_calls import SuperCalls
from ancestry_obs.patcher.weavings import Weavings, is_woven

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from typing import Any

    from ancestry_obs.patcher.join_point_weaving import Weaving
    from ancestry_obs.patcher.join_points import JoinPoint, Pointcut, Weaver
    from ancestry_obs.patcher.namespaces import Marks
    from ancestry_obs.patcher.pointcuts import Target
    from ancestry_obs.patcher.resolver import Base

__all__ = ["Patcher"]

_logger = Notices(__name__)
_EXCHANGED = (
    "woven again: the program had given the function other code, and calls from then until this "
    "was seen were not counted"
)
_TO_COME = (
    "{!r} runs as __main__ and has none of that name yet; what it defines after install() is "
    "measured from the first scrape on: call install() below it, or start the program by "
    "`ancestry-obs run`"
)
_MOST_SAID = 1024
_PATIENCE = 5.0
"""Seconds that an import or a report waits for another thread's task at most."""
_NOT_ALONE = (
    "another thread has been weaving for more than %g s: the states of targets are told as they "
    "are, and code that the program has exchanged is not woven again before the next look"
)


class Patcher:
    """Weaves targets and undoes it. All methods may be called from any thread.

    Args:
        weaver: Makes the code.
        before: By the name of a module what is called before it is executed.

    Example:
        >>> patcher = Patcher(weaver)  # doctest: +SKIP
        >>> patcher.apply([Pointcut("shop.cart:Cart.add", advice="count")])  # doctest: +SKIP
        >>> patcher.apply(())  # all as it was before  # doctest: +SKIP
    """

    def __init__(
        self, weaver: Weaver, before: Mapping[str, Callable[[], object]] = MappingProxyType({})
    ) -> None:
        self._weaver = weaver
        self._before = before
        self._names: dict[str, str] = {}
        self._super_calls = SuperCalls()
        self._exchange = CodeExchange()
        self._prepared = PreparedCode(self._exchange)
        self._weavings = Weavings(
            weaver, self._exchange, self._prepared, self._super_calls, self._weave_again
        )
        self._resolver = Resolver(self._weavings.named_before, self._names)
        self._targets = Targets((), self._resolver)
        self._imports = ImportHooks(self._prepare, self._loaded, self._begun, self._ended)
        self._libraries = LibraryHooks(self._exchange.original_of, self._has_other_code)
        self._subclasses = SubclassHooks(self._derived)
        self._cells = CellHooks(self._prepare_cell, self._cell_ended)
        self._settled: dict[str, ModuleType] = {}
        self._under_way: set[str] = set()
        self._bases: dict[str, list[tuple[Target, Base]]] = {}
        self._main: dict[str, tuple[ModuleType, Marks]] = {}
        self._launched = ""
        self._definitions = DefinitionsToCome()
        self._said: set[tuple[str, str]] = set()
        self.renew_lock()
        _PATCHERS.add(self)

    def apply(self, pointcuts: Sequence[Pointcut]) -> None:
        """Make the woven set equal to the wanted one.

        Idempotent: a join point whose advices are equal to what they were keeps its code. Targets
        that cannot be woven, or not yet, are in the `report`; they raise nothing.

        Args:
            pointcuts: All that is wanted, in the map's order; empty to undo everything.
        """
        self._run(partial(self._replan, tuple(pointcuts)))

    def concerns(self, name: str, code: CodeType | None = None) -> bool:
        """Tell whether a target may be in a module of a name.

        Args:
            name: The module's name in targets.
            code: Its code, where the target has to be defined in it.
        """
        targets = self._targets.concerned(name)
        if code is None or not targets:
            return bool(targets)
        defined = {each.co_qualname for each in codes_in(code)}
        patterns = [each.pattern for each in targets if each.pattern is not None]
        # A class may have of its base what is meant.
        heads = {each.qualname.partition(".")[0] for each in patterns}
        named = any(each.matches_name(name) for each in patterns for name in defined)
        return named or not heads.isdisjoint(defined)

    def weave_main(self, module: ModuleType, name: str) -> None:
        """Weave what is defined by now in a module that runs under another name.

        For a program's own file, after each of its statements.

        Args:
            module: The module that is being executed.
            name: What targets call it.
        """
        # Another map may have targets in it that this one has not.
        self._launched = name
        if self._targets.concerned(name):
            self._run(partial(self._take_in_main, name, module))

    def weave_cells(self, shell: Any) -> None:  # noqa: ANN401 - IPython's type
        """Weave what the cells of an IPython shell define, from now on until all is undone.

        Args:
            shell: The shell; a second one is left alone.
        """
        self._cells.follow(shell)
        self._run(self._begin_cells)

    def report(self, *, holders: bool = False) -> tuple[TargetReport, ...]:
        """Return the state of every target, then of the patterns that have reached none.

        Where another thread does not come to an end with weaving, the states are those of now, and
        a log line says so.

        Args:
            holders: Whether to look for what holds objects that could only be given a proxy; for
                who asks, not for every scrape.
        """
        # As in `_run`; this thread may be in the midst of an import as well.
        lock = self._lock
        is_alone = lock.acquire(timeout=_PATIENCE)
        if not is_alone:
            _logger.warning(_NOT_ALONE, _PATIENCE)
        try:
            if is_alone:
                self._run(self._catch_up)
            left = list(self._weavings.left.items())
            return (
                *report_weavings(self._weavings, holders=holders),
                *report_unreached(self._targets, self._cells.module),
                *(TargetReport(name, "error", why) for name, why in left),
            )
        finally:
            if is_alone:
                lock.release()

    def renew_lock(self) -> None:
        """Forget who holds the lock: in a forked child that thread does not exist."""
        self._lock = threading.RLock()
        self._tasks: deque[Callable[[], None]] = deque()
        self._is_busy = False

    def _run(self, task: Callable[[], None]) -> None:
        # A weaver or a finaliser may import something, or derive a class, in the midst of a task:
        # its hook then only queues up. So does one in a thread that has waited long, since who has
        # the lock may be waiting for what that thread imports.
        self._tasks.append(task)
        if not self._lock.acquire(timeout=_PATIENCE):
            return
        try:
            if self._is_busy:
                return
            self._is_busy = True
            try:
                while self._tasks:
                    self._tasks.popleft()()
            finally:
                self._is_busy = False
        finally:
            self._lock.release()

    def _replan(self, pointcuts: tuple[Pointcut, ...]) -> None:
        # Off first: a class's own `__init_subclass__` may be a target itself.
        self._subclasses.close()
        before = list(self._weavings.all.values())
        self._targets = Targets(pointcuts, self._resolver)
        self._definitions = DefinitionsToCome()
        self._settled.clear()
        self._under_way.clear()
        self._bases.clear()
        self._weavings.left.clear()
        self._weavings.lost.clear()
        for weaving in before:
            weaving.wanted = ()
        if pointcuts:
            self._imports.open()
            self._cells.open()
        else:
            self._imports.close()
            self._libraries.close()
            self._cells.close()
        wanted: list[Weaving] = []
        for name, module in list(sys.modules.items()) if pointcuts else ():
            wanted += self._look_at(name, module)
        noted = self._note_cells() or self._note_main()
        for name, (module, _) in list(self._main.items()):
            wanted += self._find(name, module, label=_label(name, module), settled=False)
            if name == noted and not self._launched and module is not self._cells.module:
                self._say_what_is_to_come(name, module)
        self._adopt_former(before)
        self._weavings.unweave([each for each in before if not each.wanted])
        self._weave([*wanted, *(each for each in before if each.wanted)])
        if not pointcuts:
            self._main.clear()
            self._weavings.unweave_rest()

    def _note_main(self) -> str:
        """Take in the program's own file, which runs under another name than targets have for it.

        Returns:
            That name; empty where no target is in it, or it has been taken in before.
        """
        module = sys.modules.get("__main__")
        # A launcher knows the name; by itself, a module of the same name would have it.
        name = self._launched or name_of_main(module)
        if not name or name in self._main or not self._targets.concerned(name):
            return ""
        self._names["__main__"] = name
        self._main[name] = module, NO_MARKS  # type: ignore[assignment]  # it has a name: a module
        return name

    def _note_cells(self) -> str:
        """Take in the module that cells are executed in; its name, empty where there is none."""
        module = self._cells.module
        if module is None:
            return ""
        name = name_of(module)
        self._names[name] = name
        if self._targets.concerned(name):
            self._main.setdefault(name, (module, NO_MARKS))
        return name

    def _begin_cells(self) -> None:
        if self._targets.all:
            self._cells.open()
        name = self._note_cells()
        for target in self._targets.concerned(name):
            # What was said of it as of any other module.
            target.outcomes.pop(name, None)
        self._take_in_cells()

    def _prepare_cell(self, key: str, code: CodeType, read: Callable[[], str | None]) -> CodeType:
        """Weave what a statement of a cell defines, before it is executed."""
        self._cell_ended()
        module = self._cells.module
        if module is None:
            return code
        name = name_of(module)
        return self._woven_before(key, name, code, read)

    def _cell_ended(self) -> None:
        module = self._cells.module
        if module is not None and name_of(module) in self._main:
            self._run(self._take_in_cells)

    def _take_in_cells(self) -> None:
        """Take in what the statements of cells have defined."""
        module = self._cells.module
        if module is None or name_of(module) not in self._main:
            return
        self._take_in_main(name_of(module), module)
        for key in self._cells.over():
            self._prepared.drop(key, module)

    def _say_what_is_to_come(self, name: str, module: ModuleType) -> None:
        for target in self._targets.concerned(name):
            if not target.outcomes[_label(name, module)].count:
                self._say(target.pointcut.pattern, _TO_COME.format(name))

    def _adopt_former(self, before: Iterable[Weaving]) -> None:
        """Want for functions that no name leads to any more what their names' are wanted for.

        A module that was loaded again has left them behind, with whoever holds them.
        """
        by_target = {each.target: each for each in self._weavings.all.values() if each.wanted}
        for weaving in before:
            if not weaving.wanted and weaving.target in by_target:
                weaving.wanted = by_target[weaving.target].wanted

    def _look_at(self, name: str, module: object) -> list[Weaving]:
        """Take in the module `name` unless that was done."""
        if (
            module is self._cells.module
            or not issubclass(type(module), ModuleType)
            or module is self._settled.get(name)
        ):
            return []
        self._libraries.look_at(name, module)  # type: ignore[arg-type]  # it is a module
        if not self._targets.concerned(name):
            return []
        # The program's own file is executed as long as the program runs.
        settled = name != "__main__" and not is_initializing(module)  # type: ignore[arg-type]  # the same
        return self._find(name, module, settled=settled)  # type: ignore[arg-type]  # the same

    def _find(
        self,
        name: str,
        module: ModuleType,
        *,
        settled: bool,
        label: str = "",
        changed: Collection[str] | None = None,
    ) -> list[Weaving]:
        """Find the join points in a module, and note what is wanted at each.

        Args:
            name: What targets call it.
            module: The module.
            settled: Whether it has been executed to its end.
            label: Under which name to keep what is found, if that is another one.
            changed: The names in it to look at; all if `None`.
        """
        if settled:
            self._settled[name] = module
            self._under_way.discard(name)
        elif not label:
            self._under_way.add(name)
        wanted: list[Weaving] = []
        bases = self._bases[label or name] = []
        resolved = self._targets.resolve(
            name, module, label=label, settled=settled, changed=changed
        )
        for target, outcome, points in resolved:
            wanted += [self._want(point, target) for point in points]
            bases += [(target, base) for base in outcome.bases]
            spans = target.pattern is None or target.pattern.spans_modules
            if outcome.reason and settled and not spans and not self._targets.companions(target):
                self._say(target.pointcut.pattern, outcome.reason)
        for target, base in bases:
            self._subclasses.watch(base.named)
            wanted += self._find_overrides(target, base, subclasses_of(base.named))
        if not settled:
            self._unweave_what_is_inside(wanted)
        return wanted

    def _unweave_what_is_inside(self, wanted: Iterable[Weaving]) -> None:
        """Unweave functions that were found before a decorator made something else of them."""
        new = {each.target: each for each in wanted if each.woven is None}
        for other in list(self._weavings.all.values()):
            outer, inner = new.get(other.target), other.function()
            if outer is None or outer is other or inner is None:
                continue
            module, qualname = str(inner.__globals__.get("__name__")), inner.__code__.co_qualname
            if definition_in(outer.function(), module, qualname) is inner:
                self._weavings.unweave([other])

    def _want(self, point: JoinPoint, target: Target) -> Weaving:
        return self._weavings.want(point, target.index, target.pointcut)

    def _find_overrides(
        self, target: Target, base: Base, subclasses: Iterable[type]
    ) -> list[Weaving]:
        overrides = (self._resolver.override(base, each) for each in subclasses)
        return [self._want(each, target) for each in overrides if each is not None]

    def _weave(self, weavings: Iterable[Weaving]) -> None:
        for weaving in self._weavings.weave(weavings):
            if weaving.woven is None and weaving.reason:
                self._say(weaving.target, weaving.reason)
        for target, reason in self._weavings.left.items():
            self._say(target, reason)

    def _catch_up(self) -> None:
        """Look for what no hook tells of: imports under way, and code that was exchanged."""
        self._weavings.forget_what_is_gone()
        for name, (module, _) in list(self._main.items()):
            self._take_in_main(name, module)
            self._targets.renew_reasons(name, module, _label(name, module))
        for name in list(self._under_way):
            self._weave(self._look_at(name, sys.modules.get(name)))
        for weaving in list(self._weavings.all.values()):
            if not self._weavings.look_at(weaving):
                weaving.remark = weaving.remark or _EXCHANGED

    def _has_other_code(self, function: object) -> None:
        """Weave again what a library has just given other code."""
        try:
            self._weavings.look_at_function(function)
        except Exception:
            _logger.exception("%r is not instrumented with its new code", function)

    def _weave_again(self, weaving: Weaving) -> None:
        """Weave into the code that the program has given a function meanwhile."""
        self._run(partial(self._weave, [weaving]))

    def _prepare(self, name: str, code: CodeType, read: Callable[[], str | None]) -> CodeType:
        """Weave what a module's code defines, before it is executed."""
        self._begun(name)
        if name in self._before:
            self._before[name]()
        return self._woven_before(name, name, code, read)

    def _woven_before(
        self, key: str, name: str, code: CodeType, read: Callable[[], str | None]
    ) -> CodeType:
        wanted = self._definitions.chosen(self._targets.concerned(name), name, code)
        if not wanted:
            return code
        # As in `_run`: who has the lock may be waiting for what this thread imports.
        if not self._lock.acquire(timeout=_PATIENCE):
            return code
        try:
            woven = self._weaver.weave(wanted, Source(read, code))
            results = zip(wanted, woven, strict=True)
            made = [Prepared(want, woven) for want, woven in results if is_woven(woven)]
            return self._prepared.put_into(key, code, made)
        finally:
            self._lock.release()

    def _loaded(self, name: str, module: ModuleType) -> None:
        # Two hooks tell of most modules.
        if module is not self._settled.get(name) or name in self._prepared:
            self._run(partial(self._take_in, name, module))

    def _take_in(self, name: str, module: ModuleType) -> None:
        if module is not self._settled.get(name) or name in self._prepared:
            self._libraries.look_at(name, module)
            if self._targets.concerned(name):
                settled = type(module).__name__ != "_LazyModule"
                self._weave(self._find(name, module, settled=settled))
            self._prepared.drop(name, module)

    def _begun(self, name: str) -> None:
        """Note that a module is to be executed, perhaps once more."""
        self._settled.pop(name, None)

    def _ended(self, name: str) -> None:
        """Take in what no other hook has told of: imports that began before, or that failed."""
        if name not in self._prepared and name not in self._under_way:
            return
        module = sys.modules.get(name)
        if issubclass(type(module), ModuleType) and is_initializing(module):  # type: ignore[arg-type]
            return  # another module of a circle is through, not this one
        self._run(partial(self._take_leave, name, module))

    def _take_leave(self, name: str, module: object) -> None:
        self._under_way.discard(name)
        self._weave(self._look_at(name, module))
        self._prepared.drop(name, has_failed=True)

    def _take_in_main(self, name: str, module: ModuleType) -> None:
        before = self._main.get(name, (module, NO_MARKS))[1]
        marks = marks_of(module, before)
        changed = marks.changes_since(before) | self._prepared.names()
        if changed:
            self._names[name_of(module)] = name
            label = _label(name, module)
            self._weave(self._find(name, module, label=label, settled=False, changed=changed))
            self._main[name] = module, marks

    def _derived(self, subclass: type) -> None:
        self._run(partial(self._take_in_subclass, subclass))

    def _take_in_subclass(self, subclass: type) -> None:
        for target, base in [each for bases in self._bases.values() for each in bases]:
            # A class may have something of its own to say to `issubclass`.
            if any(each is base.named for each in type.__dict__["__mro__"].__get__(subclass)):
                self._weave(self._find_overrides(target, base, (subclass,)))

    def _say(self, target: str, reason: str) -> None:
        if (target, reason) not in self._said:
            if len(self._said) >= _MOST_SAID:
                self._said.clear()
            self._said.add((target, reason))
            _logger.warning("target %s: %s", target, reason)


def _label(name: str, module: ModuleType) -> str:
    return f"{name} as {name_of(module)}"


# What is registered for forks stays so: it is once for the process, not for each installation.
_PATCHERS: weakref.WeakSet[Patcher] = weakref.WeakSet()


def _renew_locks() -> None:
    for patcher in tuple(_PATCHERS):
        patcher.renew_lock()


os.register_at_fork(after_in_child=_renew_locks)
