"""The composition root: the one module that knows every stage of the data's path.

    spec -> aspects -> compiler + patcher -> recording -> collector -> registry -> exporter
                                                            |
                                    process_tree: what the other processes of the run have measured

An `Instrumentation` puts them together for one map and takes them apart again. It is made only when
metrics are on: this module imports prometheus_client by way of the stages, and wrapt is imported
where a name is to be bound to a proxy.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from functools import partial
from time import time
from types import ModuleType
from typing import TYPE_CHECKING, cast

from ancestry_obs import aspects
from ancestry_obs.code_cache import open_code_cache
from ancestry_obs.collector import (
    Expectation,
    Run,
    Samples,
    SelfMetrics,
    calls_by_module,
    told_of,
)
from ancestry_obs.compiler import Aspect, Runtime, weave, weave_callable
from ancestry_obs.compiler.code import codes_in
from ancestry_obs.late_imports import importing
from ancestry_obs.mapfile.exposed_names import refuse_names
from ancestry_obs.metrics_registry import attach, connect, detach, disconnect, get_registry
from ancestry_obs.outlets import EXCHANGERS, Outlets
from ancestry_obs.patcher import Patcher, running_shell
from ancestry_obs.process_tree.member import Member
from ancestry_obs.recording import Store

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from types import CodeType, FunctionType
    from typing import Any

    from prometheus_client import CollectorRegistry

    from ancestry_obs.budget import Budget
    from ancestry_obs.collector import Collector, Reading
    from ancestry_obs.collector.summary import Row
    from ancestry_obs.compiler import Advice, Woven
    from ancestry_obs.compiler.sources import Source
    from ancestry_obs.exceptions import CompileError
    from ancestry_obs.installation_status import Status, TargetStatus
    from ancestry_obs.mapfile import InstrumentSpec, MapDiff, MapSpec, SampleSpec
    from ancestry_obs.mapfile.specs import RecordSpec
    from ancestry_obs.metrics_exporter import Exporter
    from ancestry_obs.patcher import TargetReport, Wanted
    from ancestry_obs.settings import ObservabilitySettings

__all__ = ["Instrumentation"]


class Instrumentation:
    """One map, woven into the running program.

    Args:
        spec: the map.
        settings: where to serve, what to call the metrics.
        registry: where the collector is registered; the toolkit's own registry if None.
        version: the toolkit's, for the build info.
        run: the folder of the run whose processes let out together what each has measured; None
            where this process is on its own.

    Raises:
        MapError: two of its metrics would have one name.
        ObservabilityError: the registry has a metric of the same name.
    """

    enabled = True

    def __init__(
        self,
        spec: MapSpec,
        settings: ObservabilitySettings,
        registry: CollectorRegistry | None,
        version: str,
        run: str | None = None,
    ) -> None:
        refuse_names(spec.metrics, settings.metrics_namespace)
        self._spec = spec
        self._ends: list[float] = []
        self._ended = 0
        self._expectation = _expectation(spec)
        self._budget = _budget(spec)
        self._is_closed = False
        # Whoever looks at the map's files writes it; see `lifecycle`.
        self.map_error = ""
        self._settings = settings
        self._store = Store(settings.metrics_namespace, is_added_up=run is not None)
        self._functions = aspects.LabelFunctions(spec.functions)
        self._samples = Samples(self._store, self._functions)
        self._trackers = _Trackers(self._tracker)
        actions: dict[str, Callable[[], object]] = {
            "exporter.start": self.start_exporter,
            "exporter.stop": self.stop_exporter,
        }
        self._runtime = Runtime(
            self._store,
            self._functions,
            actions,
            self._trackers,
            code_cache=open_code_cache(settings.code_cache, version),
        )
        self._patcher = Patcher(
            _Weaver(self._runtime, self._trackers),
            dict.fromkeys(EXCHANGERS, self._load_pages),
        )
        self._declare(spec)
        self._self_metrics = SelfMetrics(
            self._store,
            self._targets,
            version,
            lambda: self._expectation,
            lambda: self._budget.gauges() if self._budget else {},
        )
        self._run: Run | None = None
        # Not by `pathlib`, which a start need not import.
        self._run_name = os.path.basename(run) if run is not None else ""  # noqa: PTH119  so
        self._since = time()
        self._member = self._join(run) if run is not None else None
        self._given_registry = registry
        self._attach(spec)
        self._outlets = Outlets(
            settings,
            get_registry,
            self._status_page,
            numbers=self._live_numbers,
            count_failure=self._self_metrics.exporter_failed,
            member=self._member,
        )
        self.join_running_shell()
        self._weave()

    @property
    def registry(self) -> CollectorRegistry:
        """Where the collector is registered."""
        return get_registry()

    def join_running_shell(self) -> None:
        """Weave what the cells define of the IPython shell that runs here, if one does."""
        self.join(running_shell())

    def join(self, shell: Any) -> bool:  # noqa: ANN401 - IPython's type, which is not imported
        """Weave what an IPython shell's cells define, too; the first shell is the one.

        Args:
            shell: the shell, or None.

        Returns:
            Whether there is a module that its cells are executed in: a shell that was started with
            a namespace of its own has none.
        """
        module = getattr(shell, "user_module", None)
        if not isinstance(module, ModuleType):
            return False
        self._functions.look_in(module, module.__name__)
        self._patcher.weave_cells(shell)
        return True

    def publish(self) -> None:
        """Let the metrics out as the settings say: over HTTP now, by file and push at the end.

        Where the map has a hook that starts the exporter, that hook decides when it starts.
        """
        self._outlets.arrange_end()
        if not _starts_exporter_by_hook(self._spec):
            self.start_exporter()

    def reload(self, spec: MapSpec) -> MapDiff:
        """Change to another map; what both maps say alike keeps its code and values.

        Args:
            spec: the new map.

        Returns:
            What differed.

        Raises:
            MapError: two of its metrics would have one name.
            ObservabilityError: the registry has a metric of the same name as a new one; the old map
                stays.
        """
        from ancestry_obs.mapfile.difference import difference  # noqa: PLC0415 - as in `status`

        refuse_names(spec.metrics, self._settings.metrics_namespace)
        changes = difference(self._spec, spec)
        if spec.metrics != self._spec.metrics:
            # First of all: if a name is taken, nothing has been changed yet.
            self._attach(spec)
        self._change(lambda: self._exchange(spec, changes))
        self.map_error = ""
        # A target that is new is not idle for calls from before it was there.
        self._expectation = _expectation(spec, calls_by_module(self._targets_of_all(holders=False)))
        return changes

    def _change(self, change: Callable[[], None]) -> None:
        if self._run is None:
            change()
        else:
            self._run.change(self._read, change)

    def _exchange(self, spec: MapSpec, changes: MapDiff) -> None:
        # What the old map's targets had in common is of no use to the new one's.
        self._runtime.shapes.clear()
        self._functions.replace(spec.functions)
        self._samples.retain(_alike(self._spec, spec))
        self._trackers.clear()
        # What is dropped of a metric is counted under its name as long as there is one.
        self._store.fold()
        for name in changes.metrics_removed:
            self._store.drop(name)
        self._declare(spec)
        if self._budget is None or spec.budget is None:
            self._budget = _budget(spec)
        else:
            self._budget.share = spec.budget
        self._spec = spec
        self._weave()
        self._store.tidy(changes.metrics_removed)
        self._drop_exemplars(record for each in spec.instruments for record in each.records)

    def _drop_exemplars(self, records: Iterable[RecordSpec]) -> None:
        """Drop those that no record asks for: what leads to a call may lead to a person."""
        exemplary = {each.metric for each in records if each.exemplar}
        for family in self._store.families():
            if family.spec.name not in exemplary:
                family.drop_exemplars()

    def close(self) -> None:
        """Take everything out of the program again."""
        self._is_closed = True
        self._change(self._weave)
        disconnect()
        detach()
        self._outlets.close()
        self._store.grew = int

    @property
    def rare_targets(self) -> frozenset[str]:
        """The map's patterns that may well lead nowhere, since their instruments say so."""
        return frozenset(self._expectation.rare)

    def status(self) -> Status:
        """Tell the state of every target and of the exporter."""
        # What `install()` does not need is not imported by it.
        from ancestry_obs.installation_status import Status  # noqa: PLC0415

        exporter = self._outlets.exporter
        return Status(
            enabled=True,
            map=self._spec.source,
            url=exporter.url if exporter else "",
            exporter_error=self._outlets.error,
            end_error=self._outlets.end_error,
            map_error=self.map_error,
            targets=self._marked(self._targets_of_all(holders=True)),
        )

    def start_exporter(self, host: str | None = None, port: int | None = None) -> Exporter | None:
        """Serve the registry over HTTP; what serves already goes on.

        Args:
            host: the address to listen on; the setting's if None.
            port: the port, 0 for any that is free; the setting's if None.

        Returns:
            The exporter; None if it could not start, which is logged and in `status()`.
        """
        return self._outlets.start_exporter(host, port)

    def stop_exporter(self) -> None:
        """Stop serving; nothing happens if nothing serves."""
        self._outlets.stop_exporter()

    @property
    def pushes(self) -> bool:
        """Whether something is pushed at the end."""
        return bool(self._settings.push_url)

    def mark_failed(self) -> None:
        """Note that the program will not end well, so that no success is pushed."""
        self._outlets.failed = True

    def summary(self) -> list[Row]:
        """Read the map's own metrics back from the exposition, in a form for people.

        Returns:
            A few rows for each metric, from the page that is served, or that would be.
        """
        from ancestry_obs.collector.summary import summarize  # noqa: PLC0415 - as in `status`

        text = self._outlets.read_back()
        names = {family.name: family.spec.name for family in self._store.families()}
        return summarize(text, names)

    def concerns_main(self, name: str, code: CodeType | None) -> bool:
        """Tell whether the map means the main module by a name, and something in its code."""
        functions = [path.partition(":")[::2] for _, path in self._spec.functions]
        named = {qualname for module, qualname in functions if module == name}
        if code is None:
            return bool(named) or self._patcher.concerns(name)
        return self._patcher.concerns(name, code) or not named.isdisjoint(
            each.co_qualname for each in codes_in(code)
        )

    def weave_main(self, module: ModuleType, name: str) -> None:
        """Weave what a module defines so far, under another module's name."""
        self._functions.look_in(module, name)
        self._patcher.weave_main(module, name)

    def reports(self, patterns: Collection[str]) -> list[TargetReport]:
        """Give the patcher's own report of each function that one of the patterns leads to."""
        return [
            report
            for report in self._patcher.report()
            if report.state == "installed" and not set(patterns).isdisjoint(report.patterns)
        ]

    def _join(self, folder: str) -> Member:
        # Not at the end: a module that runs text then, as dataclasses do, makes Python forget that
        # it is to end by SIGINT.
        import ancestry_obs.installation_status  # noqa: F401, PLC0415

        member = Member(
            folder,
            lambda: run.totals(self._read()),
            lambda: self._outlets.take_over(),  # noqa: PLW0108  there by then
            self._self_metrics.handover_failed,
        )
        self._run = run = Run(member)
        self._store.grew = partial(self._begin_measuring, member)
        return member

    def _read(self) -> Reading:
        return self._self_metrics.read(self._samples)

    def _live_numbers(self) -> Iterator[bytes]:
        with importing:
            from ancestry_obs.collector.live_numbers import write_numbers  # noqa: PLC0415 - as above

        read, run = self._read, self._run
        return write_numbers(
            read if run is None else partial(run.whole, read),
            lambda reading: self._expectation.idle(reading.targets),
            self._begun,
            (self.map_error, self._outlets.error, self._outlets.end_error),
        )

    @property
    def _begun(self) -> str:
        """Tell apart what is counted from what another process counts, or an earlier installation.

        The processes of a run go on where one of them has ended.
        """
        return self._run_name or f"{os.getpid()} {self._since}"

    def _begin_measuring(self, member: Member) -> None:
        is_first = not member.has_begun
        member.begin()
        if is_first:
            self._outlets.begin_measuring()

    def _load_pages(self) -> None:
        self._outlets.load()

    def _attach(self, spec: MapSpec) -> None:
        attach(lambda: self._collector(spec), self._given_registry)

    def _collector(self, spec: MapSpec) -> Collector:
        """Make the collector that tells a registry of a map's metrics, those to come included."""
        from ancestry_obs.collector import Collector  # noqa: PLC0415 - with prometheus_client

        planned = Store(self._settings.metrics_namespace)
        declared = [planned.family(metric) for metric in spec.metrics]
        return Collector(self._store, self._samples, self._self_metrics, declared, run=self._run)

    def _weave(self) -> None:
        """Weave what is in force of the map; a scrape may come here during a reload or the end."""
        while True:
            spec, now, is_closed = self._spec, time(), self._is_closed
            self._ends = [each.until for each in spec.instruments if each.until is not None]
            self._ended = _passed(self._ends, now)
            self._patcher.apply(() if is_closed else aspects.pointcuts(spec, now))
            if self._spec is spec and self._is_closed is is_closed:
                return

    def _declare(self, spec: MapSpec) -> None:
        for metric in spec.metrics:
            self._store.family(metric)
        connect(spec.metrics, self._store.family)

    def _tracker(self, sample: SampleSpec) -> Callable[[object], None]:
        tracker = self._samples.tracker(sample)

        def register(instance: object) -> None:
            if aspects.is_instance_of(instance, sample.target):
                tracker.register(instance)

        return register

    def _targets(self, *, holders: bool = False) -> tuple[TargetStatus, ...]:
        self._store.record_lost()
        errors: Counter[str] = Counter()
        for (target, *_), count in dict(self._store.expression_errors).items():
            errors[target] += count
        now = time()
        # A clock that is set back takes an end back, too.
        before: list[TargetStatus] | None = None
        if _passed(self._ends, now) != self._ended:
            before = [_status_of(each, 0) for each in self._patcher.report()]
            self._weave()
        targets: dict[str, TargetStatus] = {}
        reports = self._patcher.report(holders=holders)
        if self._budget is not None:
            woven = ((each.target, cast("Sequence[Woven]", each.woven)) for each in reports)
            self._budget.review(woven)
        for report in reports:
            each = _status_of(report, errors.pop(report.target, 0))
            if self._budget is not None and each.target in self._budget.sampled:
                each = each.remarked("a hundredth of its calls is timed, for the map's budget")
            known = targets.get(each.target)
            targets[each.target] = known.with_copy(each) if known else each
        for instrument in self._spec.instruments:
            if instrument.is_over(now):
                for name in instrument.targets:
                    targets.setdefault(name, _expired(name, instrument))
        if self._run is not None and before is not None:
            self._run.expire(before, tuple(targets.values()))
        return tuple(targets.values())

    def _targets_of_all(self, *, holders: bool) -> tuple[TargetStatus, ...]:
        """Give the targets as all processes of the run know them."""
        own = self._targets(holders=holders)
        if self._run is None:
            return own
        from ancestry_obs.installation_status import TargetStatus  # noqa: PLC0415 - as in `status`

        return tuple(TargetStatus(name, *row) for name, row in self._run.targets(own).items())

    def _marked(self, targets: tuple[TargetStatus, ...]) -> tuple[TargetStatus, ...]:
        """Give the targets with those marked that nothing calls."""
        idle = self._expectation.idle(targets)
        return tuple(
            each.as_idle(told_of(idle[each.target])) if each.target in idle else each
            for each in targets
        )

    def _status_page(self) -> dict[str, object]:
        from ancestry_obs.feeds import feeds  # noqa: PLC0415 - as in `status`
        from ancestry_obs.status_page import (  # noqa: PLC0415 - as in `status`
            label_limits,
            places,
            processes,
        )

        spec, namespace = self._spec, self._settings.metrics_namespace
        return {
            **self.status().as_dict(),
            "feeds": [each.as_dict() for each in feeds(spec, namespace)],
            "places": places(spec),
            "label_limits": label_limits(spec, namespace),
            "costs": self._budget.costs if self._budget else {},
            "processes": processes(self._member.living() if self._member else None),
        }


class _Weaver:
    """The compiler, as the patcher calls it.

    Args:
        runtime: what woven code works with.
        trackers: what takes each sample's instances.
    """

    def __init__(self, runtime: Runtime, trackers: _Trackers) -> None:
        self._runtime = runtime
        self._trackers = trackers

    def weave(
        self, wanted: Sequence[Wanted], source: Source | None = None
    ) -> list[Woven | CompileError]:
        """Weave functions, or code that is to become functions."""
        # Others of the run are to know of it, be it never called.
        self._runtime.store.grew()
        made = [self._aspect(each) for each in wanted]
        results = weave(made, source)
        for each, aspect in zip(wanted, made, strict=True):
            self._track(each, aspect)
        return results

    def weave_callable(self, wanted: Wanted) -> tuple[FunctionType, Woven]:
        """Make a function that calls another kind of callable."""
        return weave_callable(self._aspect(wanted))

    def _aspect(self, wanted: Wanted) -> Aspect:
        return Aspect(
            target=wanted.target,
            code=wanted.code,
            advices=cast("tuple[Advice, ...]", wanted.advices),
            runtime=self._runtime,
            is_method=wanted.is_method,
            function=wanted.function,
            is_definition=wanted.is_definition,
            inner_test=wanted.inner_test,
        )

    def _track(self, wanted: Wanted, aspect: Aspect) -> None:
        samples = wanted.owner and aspect.advice.track
        if samples and wanted.owner:
            # The woven code meets instances from now on; these are there already.
            for instance in aspects.instances_of(wanted.owner):
                for sample in samples:
                    self._trackers[sample](instance)


class _Trackers(dict["SampleSpec", Callable[[object], None]]):
    """What takes each sample's new instances, made when the first target is woven that needs it.

    Then a label function that cannot be imported is that target's error and nobody else's.

    Args:
        make: makes one; may raise CompileError.
    """

    def __init__(self, make: Callable[[SampleSpec], Callable[[object], None]]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, sample: SampleSpec) -> Callable[[object], None]:
        self[sample] = tracker = self._make(sample)
        return tracker


def _alike(old: MapSpec, new: MapSpec) -> set[SampleSpec]:
    """Give the samples that two maps have alike, with the label functions that they call."""
    return {
        sample
        for sample in {*old.samples} & {*new.samples}
        if old.functions_of(sample) == new.functions_of(sample)
    }


def _expectation(spec: MapSpec, before: Mapping[str, int] | None = None) -> Expectation:
    """Give which targets are called where their module is in use."""
    patterns = {
        is_rare: frozenset(
            name for each in spec.instruments if each.rare is is_rare for name in each.targets
        )
        for is_rare in (False, True)
    }
    return Expectation(patterns[False], patterns[True], before)


def _budget(spec: MapSpec) -> Budget | None:
    if spec.budget is None:
        return None
    from ancestry_obs.budget import Budget  # noqa: PLC0415  few maps have one

    return Budget(spec.budget)


def _passed(ends: list[float], now: float) -> int:
    return sum(end <= now for end in ends)


def _expired(target: str, instrument: InstrumentSpec) -> TargetStatus:
    from ancestry_obs.installation_status import TargetStatus  # noqa: PLC0415 - as in `status`

    return TargetStatus(target, "expired", f"over since {instrument.end}", patterns=(target,))


def _starts_exporter_by_hook(spec: MapSpec) -> bool:
    return any("exporter.start" in {hook.before, hook.after} for hook in spec.hooks)


def _status_of(report: TargetReport, errors: int) -> TargetStatus:
    from ancestry_obs.installation_status import TargetStatus  # noqa: PLC0415 - as in `status`

    return TargetStatus(
        target=report.target,
        state=report.state,
        reason=report.reason,
        aliases=report.aliases,
        unreached=report.unreached,
        way=report.way,
        patterns=report.patterns,
        calls=sum([woven.calls() for woven in report.woven]),  # type: ignore[attr-defined]  # the compiler's
        errors=errors,
    )
