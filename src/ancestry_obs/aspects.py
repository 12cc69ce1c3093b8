"""A map comes in, what the patcher is to apply goes out: for each target, its advice.

Here the parts of a map that reach into a program become one thing: a record, a hook and a sample
are all advice for some function. A sample's instances are met in the `__init__` of
their class.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from ancestry_obs.compiler import Advice
from ancestry_obs.exceptions import CompileError
from ancestry_obs.expressions import BUILTIN_FUNCTIONS
from ancestry_obs.patcher import Pointcut
from ancestry_obs.patcher.namespaces import subclasses_of
from ancestry_obs.recording.failures import came_from_outside

if TYPE_CHECKING:
    from types import ModuleType

    from ancestry_obs.mapfile import HookSpec, InstrumentSpec, MapSpec, MetricSpec, SampleSpec

__all__ = ["LabelFunctions", "instances_of", "is_instance_of", "pointcuts"]


def pointcuts(spec: MapSpec, now: float) -> tuple[Pointcut, ...]:
    """Give what a map asks the patcher for, in the map's order, without what is over.

    Args:
        spec: a validated map.
        now: seconds since the epoch.
    """
    in_force = [each for each in spec.instruments if not each.is_over(now)]
    metrics = {metric.name: metric for metric in spec.metrics}
    # Equal ones are one object, since that is compared at once, and often.
    known: dict[Advice, Advice] = {}
    return (
        *(each for part in in_force for each in _instrument(part, metrics, spec, known)),
        *(_sample(sample, spec) for sample in spec.samples),
        *map(_hook, spec.hooks),
    )


def _instrument(
    instrument: InstrumentSpec,
    metrics: Mapping[str, MetricSpec],
    spec: MapSpec,
    known: dict[Advice, Advice],
) -> Iterator[Pointcut]:
    advice = Advice(
        records=instrument.records,
        metrics=tuple(metrics[record.metric] for record in instrument.records),
        functions=spec.functions_of(instrument),
        handed=instrument.handed,
        subclasses=instrument.subclasses,
        sample=instrument.sample,
        is_budgeted=spec.budget is not None,
    )
    advice = known.setdefault(advice, advice)
    for target in instrument.targets:
        yield Pointcut(target, advice, instrument.subclasses, instrument.at)


def _sample(sample: SampleSpec, spec: MapSpec) -> Pointcut:
    advice = Advice(track=(sample,), functions=spec.functions_of(sample))
    # Overrides too: one that does not call `super().__init__()` would hide its instances.
    return Pointcut(sample.initializer, advice, subclasses=True)


def _hook(hook: HookSpec) -> Pointcut:
    before = (hook.before,) if hook.before else ()
    after = (hook.after,) if hook.after else ()
    return Pointcut(hook.target, Advice(before=before, after=after))


def is_instance_of(instance: object, target: str) -> bool:
    """Tell whether an object is of a class or of one below it.

    Several classes share one `__init__` where it is inherited, so the code there sees instances
    of all of them.

    Args:
        instance: any object; only its type is looked at, none of its code runs.
        target: the class as `module:qualname`. One of the program's main module counts too, since
            `python -m module` defines the module's classes under that name, and `multiprocessing`
            under another one in a child.
    """
    module, _, qualname = target.partition(":")
    return any(
        each.__qualname__ == qualname and each.__module__ in (module, "__main__", "__mp_main__")
        for each in type(instance).__mro__
    )


def instances_of(owner: type) -> list[object]:
    """Find the living instances of a class and of those below it.

    Args:
        owner: the very class; none of its code, such as a metaclass' `__eq__`, runs.
    """
    kinds = {id(kind): kind for kind in (owner, *subclasses_of(owner))}
    # Not among all objects: a tuple that another thread is just building must not be touched.
    return [each for each in gc.get_referrers(*kinds.values()) if id(type(each)) in kinds]


class LabelFunctions(Mapping[str, Callable[..., object]]):
    """The functions that expressions may call: the built-in ones and the map's own.

    A function of the map's own is imported when the first function that calls it is woven, not when
    metrics are switched on: it may live in the program that is being instrumented.

    Args:
        own: name and `module:callable` of each.
    """

    def __init__(self, own: tuple[tuple[str, str], ...]) -> None:
        self._modules: dict[str, ModuleType] = {}
        self._folder = os.getcwd()  # noqa: PTH109 - it is for the import system
        self.replace(own)

    def replace(self, own: tuple[tuple[str, str], ...]) -> None:
        """Take another map's functions instead; they are imported anew when they are needed."""
        self._own = dict(own)
        self._found: dict[str, Callable[..., object]] = dict(BUILTIN_FUNCTIONS)

    def look_in(self, module: ModuleType, name: str) -> None:
        """Look in a module for what another name promises, rather than import it a second time.

        It is looked up when it is called: the program may define it after what it is called for.

        Args:
            module: the program's `__main__`, which is being executed.
            name: the module name that the map uses for it.
        """
        self._modules[name] = module

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - as `Mapping` has it
        """Give a function by its name, or something else."""
        # Asked for each target.
        return self._found.get(name) or super().get(name, default)

    def __getitem__(self, name: str) -> Callable[..., object]:
        """Give a function by its name.

        Raises:
            KeyError: there is none of that name.
            CompileError: it cannot be imported.
        """
        if name not in self._found:
            self._found[name] = self._import(name, self._own[name])
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._found, **self._own})

    def __len__(self) -> int:
        return len({**self._found, **self._own})

    def _import(self, name: str, path: str) -> Callable[..., object]:
        module, _, qualname = path.partition(":")
        if module in self._modules:
            return _late(self._modules[module], qualname)
        try:
            found = attrgetter(qualname)(self._module(module))
        except BaseException as error:
            if came_from_outside(error):
                raise
            # Python forgets a module whose import has failed.
            if module not in sys.modules and _is_under_way(error):
                return self._once_there(name, path)
            raise CompileError(
                f"functions.{name}: cannot import {path!r}: {_told(error)}; it has to be "
                "'module:callable' of a module that can be imported"
            ) from error
        if not callable(found):
            raise CompileError(f"functions.{name}: {path!r} is no callable but {found!r:.60}")
        return found  # type: ignore[no-any-return]  # callable() narrows Any to nothing better

    def _once_there(self, name: str, path: str) -> Callable[..., object]:
        """Give what imports a function when it is called.

        What is measured is being imported, and the function's module wants to import it, too.
        """
        found: list[Callable[..., object]] = []

        def call(*arguments: object) -> object:
            if not found:
                found.append(self._import(name, path))
            return found[0](*arguments)

        return call

    def _module(self, name: str) -> ModuleType:
        """Import a module, or that of the working folder where a program has no such one.

        `ancestry-obs check` finds it there, but a command such as `pytest` has its own folder first
        on its path, and its path is its own.
        """
        package = name.partition(".")[0]
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            spec = PathFinder.find_spec(package, [self._folder]) if error.name == package else None
            if spec is None or spec.loader is None:
                raise
        sys.modules[package] = module_from_spec(spec)
        try:
            spec.loader.exec_module(sys.modules[package])
        except BaseException:
            del sys.modules[package]
            raise
        return importlib.import_module(name)


def _is_under_way(error: BaseException) -> bool:
    """Whether an import failed since another one is not at its end."""
    module: object = None
    if isinstance(error, ImportError):
        module = sys.modules.get(error.name or "")
    elif isinstance(error, AttributeError):
        module = error.obj
    # As Python itself tells it, in the text of such an error.
    return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))


def _told(error: BaseException) -> str:
    # The text of such an exception, as `SystemExit(2)` has one, does not say what it is.
    return str(error) if isinstance(error, Exception) else repr(error)


def _late(module: ModuleType, qualname: str) -> Callable[..., object]:
    find = attrgetter(qualname)

    def call(*arguments: object) -> object:
        return find(module)(*arguments)

    return call
