"""`install()` and its kin: which installation is in force, if any.

Free when off: with metrics disabled nothing here imports the composition root, and with it wrapt
and prometheus_client, which then need not even be on the machine. Nor does it import what of the
standard library takes milliseconds (dataclasses, typing, re, pathlib, tomllib). That is why most
imports below stand in functions.
"""

from __future__ import annotations

import os
import threading

from ancestry_obs.metrics_registry import metrics
from ancestry_obs.notices import prepare
from ancestry_obs.variables import VARIABLES, read_variables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import CodeType, ModuleType
    from typing import Any, TypeAlias

    from prometheus_client import CollectorRegistry

    from ancestry_obs.collector.summary import Row
    from ancestry_obs.installation_status import Status
    from ancestry_obs.instrumentation import Instrumentation
    from ancestry_obs.map_watch import MapWatch
    from ancestry_obs.mapfile import MapDiff, MapSpec
    from ancestry_obs.mapfile.specs import FileStamp
    from ancestry_obs.metrics_exporter import Exporter
    from ancestry_obs.settings import ObservabilitySettings

    MapSource: TypeAlias = str | Path | Sequence[str | Path] | Mapping[str, Any] | MapSpec

__all__ = [
    "DEFAULT_MAP",
    "Disabled",
    "begin_run",
    "build",
    "concerns_main",
    "install",
    "join_run",
    "mark_failed",
    "pushes",
    "read_launched",
    "reload",
    "start_exporter",
    "status",
    "stop_exporter",
    "uninstall",
    "weave_main",
]

DEFAULT_MAP = "ancestry.toml"
"""The map that ships with the package: the platform's."""


class Disabled:
    """What `install()` gives when metrics are off: nothing was done, nothing is there."""

    enabled = False

    def status(self) -> Status:
        """Tell that metrics are off."""
        from ancestry_obs.installation_status import Status  # noqa: PLC0415  see above

        return Status(enabled=False)

    def summary(self) -> list[Row]:
        """Give no metric."""
        return []


class _Current:
    """The installation in force and the lock under which it changes."""

    def __init__(self) -> None:
        self.renew_lock()
        self.instrumentation: Instrumentation | None = None
        self.map: MapSource | None = None
        self.packs: Sequence[str] = ()
        self.files: tuple[FileStamp, ...] = ()
        self.watch: MapWatch | None = None
        # The folder of the run that this process began by `install()`.
        self.run = ""

    def renew_lock(self) -> None:
        """Forget who holds the lock: in a forked child that thread does not exist."""
        self.lock = threading.RLock()


_current = _Current()
os.register_at_fork(after_in_child=_current.renew_lock)


def install(
    map: MapSource | None = None,  # noqa: A002  the contract's name, and what it is
    *,
    settings: ObservabilitySettings | None = None,
    registry: CollectorRegistry | None = None,
) -> Instrumentation | Disabled:
    """Weave a map into the program, once; where metrics are off, return at once.

    Modules that are imported already are woven now, the others when they are imported. Installing
    again, from whichever thread, gives the installation that is there; `reload` changes its map.

    Args:
        map: a file, `pack:NAME`, or the name of a shipped map; several of these; a mapping of the
            same structure; or a built spec. If None, the first of: the setting
            `instrumentation_map`; the packs alone, if `instrumentation_packs` names any; `map` in
            `[tool.ancestry_obs]` of the working folder's `pyproject.toml`; `obs.toml` there; the
            shipped `ancestry.toml`.
        settings: from the environment and `.env` if None.
        registry: an own registry for whoever serves it by themselves: the toolkit then starts no
            exporter by itself, and neither writes nor pushes at the end.

    Returns:
        The installation; one whose `enabled` is false when metrics are off.

    Raises:
        SettingsError: a setting's value is not allowed, or `pyproject.toml` names no map's file.
        MapError: the map has mistakes; `findings` has all of them.
        ObservabilityError: the packages that metrics need are not installed, or the registry has a
            metric of the same name.

    Example:
        >>> import ancestry_obs
        >>> ancestry_obs.install("my_program.toml")
        >>> import my_program
    """
    try:
        return _install(map, settings, registry)
    except Exception as error:
        from ancestry_obs.exceptions import MissingPackageError  # noqa: PLC0415  see above

        if not isinstance(error, MissingPackageError):
            raise
        raise MissingPackageError(
            f"metrics are switched on, but {error}, or switch PROMETHEUS_METRICS_ENABLED off"
        ) from error.__cause__


def _install(
    given: MapSource | None,
    settings: ObservabilitySettings | None,
    registry: CollectorRegistry | None = None,
    run: str | None = None,
) -> Instrumentation | Disabled:
    with _current.lock:
        if _current.instrumentation is not None:
            # A shell may have been started since.
            _current.instrumentation.join_running_shell()
            return _current.instrumentation
        values = _values(settings)
        named = given if given is not None else values.get("instrumentation_map")
        packs = _packs_of(values)
        if named is None and packs:
            named = ()
        if not values.get("enable_prometheus_metrics"):
            metrics().declare(
                lambda: _load(_found_map() if named is None else named, packs).metrics
            )
            return Disabled()
        prepare()
        source = _found_map() if named is None else named
        _current.map, _current.packs = _settled(source), packs
        spec = _load(source, packs, values)
        settings = settings or _settings(values)
        follows = run is None and registry is None and settings.follow_children
        if follows and not settings.file_sd:
            _current.run = run = begin_run(_told(settings, _current.map), spec)
        _current.instrumentation = build(spec, settings, registry, run)
        if _current.run:
            _lead_children(_current.run)
        if named is None and source == DEFAULT_MAP:
            _say_if_foreign(spec)
        _say_if_unfit(spec)
        _current.files = spec.files
        if settings.map_watch:
            _watch_map()
        if registry is None:
            _current.instrumentation.publish()
        return _current.instrumentation


def build(
    spec: MapSpec,
    settings: ObservabilitySettings,
    registry: CollectorRegistry | None = None,
    run: str | None = None,
) -> Instrumentation:
    """Weave a map into the program, without serving anything yet.

    Args:
        spec: a built spec.
        settings: what to call the metrics and where they will be served.
        registry: as for `install`.
        run: the folder of the run that this process takes part in; None where it is on its own.

    Raises:
        ObservabilityError: as for `install`.
    """
    try:
        _require("prometheus_client")
        from ancestry_obs.instrumentation import Instrumentation  # noqa: PLC0415  see above
        from ancestry_obs.version import __version__  # noqa: PLC0415  see above
    except ModuleNotFoundError as error:
        from ancestry_obs.exceptions import MissingPackageError  # noqa: PLC0415  see above

        raise MissingPackageError(
            f"the package {error.name!r} is not installed, which measuring takes; run 'pip install "
            "ancestry-obs[prometheus]'"
        ) from error
    return Instrumentation(spec, settings, registry, __version__, run)


def _require(package: str) -> None:
    """Look whether a package that is imported later is there.

    Raises:
        ModuleNotFoundError: it is not.
    """
    from importlib.util import find_spec  # noqa: PLC0415  see above

    if find_spec(package) is None:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)


def begin_run(settings: ObservabilitySettings, spec: MapSpec) -> str:
    """Make the folder of a run, whose processes `join_run`.

    Args:
        settings: how metrics are let out.
        spec: what is measured.

    Returns:
        The folder's path, for the variable `ANCESTRY_OBS_RUN` of the processes.

    Raises:
        OSError: it cannot be made.
    """
    from ancestry_obs.process_tree.run_folder import create  # noqa: PLC0415  see above

    return create((settings, spec))


def join_run(folder: str) -> Instrumentation | Disabled:
    """Measure in this process what a run measures, and hand it over to the run's page.

    Args:
        folder: the run's folder.

    Raises:
        OSError: the folder is not there, or not this user's.
        MapError: this process is the first, and the map has mistakes.
        ObservabilityError: as for `install`.
    """
    from ancestry_obs.process_tree import launch_note, run_folder  # noqa: PLC0415  see above

    if run_folder.has_measured(folder):
        settings, spec = run_folder.measured(folder)
    else:
        settings, spec = launched = read_launched(launch_note.read(folder))
        run_folder.put(folder, launched)
    # Where Prometheus is told of each process, each lets out its own.
    installed = _install(spec, settings, run=None if settings.file_sd else folder)
    # What `reload` reads again, whatever folder this process is in.
    _current.map = settings.instrumentation_map or (() if settings.instrumentation_packs else spec)
    return installed


def read_launched(values: dict[str, Any]) -> tuple[ObservabilitySettings, MapSpec]:
    """Read what a launcher was told to measure."""
    named, packs = values.get("instrumentation_map"), _packs_of(values)
    if named is None and packs:
        spec = _load((), packs)
        return _settings(values), spec
    if named is None:
        from ancestry_obs.exceptions import SettingsError  # noqa: PLC0415  see above
        from ancestry_obs.map_search import WAYS, find_map  # noqa: PLC0415  see above

        named = find_map()
        if named is None:
            raise SettingsError(f"no map is given; write --map M, {WAYS}")
    spec = _load(named, packs, values)
    return _settings({**values, "instrumentation_map": str(_settled(spec.source))}), spec


def _values(settings: ObservabilitySettings | None) -> dict[str, Any]:
    """Give the values of settings; those of the environment without making settings of them."""
    if settings is None:
        return read_variables()
    return {name: getattr(settings, name) for name in VARIABLES}


def _told(settings: ObservabilitySettings, source: MapSource) -> ObservabilitySettings:
    """Let the processes of a run know which file they read again at a reload."""
    if not isinstance(source, (str, os.PathLike)):
        return settings
    from ancestry_obs.frozen import replaced  # noqa: PLC0415  see above

    return replaced(settings, instrumentation_map=os.fspath(source))


def _packs_of(values: dict[str, Any]) -> list[str]:
    """Give the packs that the settings name."""
    return [each.strip() for each in (values.get("instrumentation_packs") or "").split(",") if each]


def _settings(values: dict[str, Any]) -> ObservabilitySettings:
    from ancestry_obs.settings import ObservabilitySettings  # noqa: PLC0415  see above

    return ObservabilitySettings(**values)


def _found_map() -> str:
    """Give the map of a program that names none: its folder's, or else the one that ships."""
    from ancestry_obs.map_search import find_map  # noqa: PLC0415  see above

    return find_map() or DEFAULT_MAP


def _say_if_foreign(spec: MapSpec) -> None:
    """Say that the map which ships was taken, where it is about another program."""
    from ancestry_obs.map_search import say_if_foreign  # noqa: PLC0415  see above

    say_if_foreign(spec, DEFAULT_MAP)


def _say_if_unfit(spec: MapSpec) -> None:
    """Say which libraries are of another version than the packs of the map are for."""
    if spec.packs:
        from ancestry_obs.library_versions import warn  # noqa: PLC0415  few maps have one

        warn(spec)


def _watch_map() -> None:
    """Reload the map when one of its files has changed."""
    from ancestry_obs.map_watch import MapWatch  # noqa: PLC0415  few programs ask for it

    _current.watch = MapWatch(lambda: _current.files, reload, _tell_map_error)
    _current.watch.start()


def _tell_map_error(mistake: str) -> None:
    """Have the status say why a map that has changed is not in force; nothing if it is."""
    if _current.instrumentation is not None:
        _current.instrumentation.map_error = mistake


def _load(source: MapSource, packs: Sequence[str], values: dict[str, Any] | None = None) -> MapSpec:
    """Load a map, which may be known from an earlier start if the settings' values are given."""
    if values is not None and isinstance(source, (str, os.PathLike)) and not packs:
        from ancestry_obs.map_cache import load_map  # noqa: PLC0415  see above

        return load_map(source, values.get("code_cache"))
    from ancestry_obs.mapfile import MapSpec  # noqa: PLC0415  see above

    if isinstance(source, MapSpec):
        return source
    from ancestry_obs.mapfile import load  # noqa: PLC0415  see above

    return load(source, packs)


def _settled(source: MapSource) -> MapSource:
    """Tell where a map's file is, whatever folder the program is in when it is read again."""
    if isinstance(source, (str, os.PathLike)) and os.path.exists(source):  # noqa: PTH110  see above
        return os.path.abspath(source)  # noqa: PTH100  see above
    if isinstance(source, (list, tuple)):
        return [str(_settled(each)) for each in source]
    return source


def uninstall() -> None:
    """Leave every class and module as it was found; nothing happens without an installation."""
    with _current.lock:
        if _current.instrumentation is not None:
            if _current.watch is not None:
                _current.watch.stop()
                _current.watch = None
            _current.instrumentation.close()
            _current.instrumentation = None
            if _current.run:
                run, _current.run = _current.run, ""
                _leave_children(run)


def _lead_children(run: str) -> None:
    from ancestry_obs.process_tree.new_run import followed  # noqa: PLC0415  see above

    os.environ.update(followed(os.environ, run))


def _leave_children(run: str) -> None:
    from ancestry_obs.process_tree.new_run import left  # noqa: PLC0415  see above

    for name, value in left(os.environ, run).items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def reload(map: MapSource | None = None) -> MapDiff:  # noqa: A002  as in `install`
    """Change to another map, or to the same file as it reads now.

    Only what changed is patched anew. Series of metrics that are declared as before keep their
    values, and no call is lost or counted twice. If the new map has mistakes, the old one stays.

    Args:
        map: as for `install`; the source of the installed map if None.

    Returns:
        What differed; empty where metrics are off or nothing is installed.

    Raises:
        MapError: the new map has mistakes.
        ObservabilityError: the registry has a metric of the same name as a new one.
    """
    from ancestry_obs.mapfile import MapDiff  # noqa: PLC0415  see above

    with _current.lock:
        if _current.instrumentation is None:
            return MapDiff()
        source = map if map is not None else _current.map
        spec = _load(DEFAULT_MAP if source is None else source, _current.packs)
        changes = _current.instrumentation.reload(spec)
        _current.map, _current.files = _settled(source) if source is not None else None, spec.files
        _say_if_unfit(spec)
        return changes


def status() -> Status:
    """Tell the state of every target, and where the exporter answers.

    Example:
        >>> for target in ancestry_obs.status().failed:
        ...     print(target.target, target.reason)
    """
    current = _current.instrumentation
    return Disabled().status() if current is None else current.status()


def rare_targets() -> frozenset[str]:
    """Give the map's patterns that may well lead nowhere, since their instruments say so."""
    current = _current.instrumentation
    return frozenset() if current is None else current.rare_targets


def concerns_main(name: str, code: CodeType | None = None) -> bool:
    """Tell whether the map means the program's main module by a name.

    Args:
        name: the module name that the map may use for it.
        code: the module's code, where something that the map names has to be defined in it for
            that: its name may be another module's as well.
    """
    current = _current.instrumentation
    return current is not None and current.concerns_main(name, code)


def weave_main(module: ModuleType, name: str) -> None:
    """Weave what a module defines so far, under another module's name.

    Args:
        module: the module, such as the `__main__` that is being executed.
        name: the module name that the map uses for it.
    """
    if _current.instrumentation is not None:
        _current.instrumentation.weave_main(module, name)


def pushes() -> bool:
    """Tell whether something is pushed when the program ends, so that it matters how."""
    return _current.instrumentation is not None and _current.instrumentation.pushes


def mark_failed() -> None:
    """Note that the program will not end well.

    A push at the end then leaves the time of the last success as it was. An exception that nobody
    catches is noticed without this; a program that ends by an exit code is not.
    """
    if _current.instrumentation is not None:
        _current.instrumentation.mark_failed()


def start_exporter(host: str | None = None, port: int | None = None) -> Exporter | None:
    """Serve the metrics over HTTP; an exporter that runs already goes on.

    Args:
        host: the address to listen on; `metrics_export_host` if None.
        port: the port, 0 for any that is free; `metrics_export_port` if None.

    Returns:
        The exporter with its `url` and `port`. None where metrics are off, or where it could not
        start: a program must not end for that, so the reason is logged and in `status()`.
    """
    current = _current.instrumentation
    return None if current is None else current.start_exporter(host, port)


def stop_exporter() -> None:
    """Stop serving; nothing happens if nothing serves."""
    if _current.instrumentation is not None:
        _current.instrumentation.stop_exporter()
