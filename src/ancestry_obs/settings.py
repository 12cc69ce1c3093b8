"""`ObservabilitySettings`: what `variables` reads, or what a program gives, checked and frozen.

Nothing is connected or started here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.frozen import field, frozen
from ancestry_obs.variables import DOTENV, VARIABLES, check, read_variables

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["VARIABLES", "ObservabilitySettings"]


_OPTIONAL: Final = frozenset(
    {
        *("instrumentation_map", "instrumentation_packs", "push_url", "textfile", "file_sd"),
        *("code_cache", "web_config"),
    }
)
"""Settings that may be `None`."""


class _DataclassFields:
    """The fields as `dataclasses` knows them, so that its `replace` and `fields` take settings.

    They are made for who asks: to import `dataclasses` takes longer than to read the settings.
    """

    def __get__(self, _: object, owner: type) -> dict[str, Any]:
        from dataclasses import dataclass, field  # noqa: PLC0415  see above

        values = owner()
        defaults = {name: field(default=getattr(values, name)) for name in VARIABLES}
        kinds = {"__annotations__": dict.fromkeys(VARIABLES, object)}
        known: Any = dataclass(type(owner.__name__, (), {**defaults, **kinds}))
        return known.__dataclass_fields__  # type: ignore[no-any-return]  # every dataclass has it


@frozen()
class ObservabilitySettings:
    """How metrics are collected and exposed.

    Args:
        enable_prometheus_metrics: Whether anything is instrumented at all.
        metrics_export_port: The exporter's TCP port; 0 lets the system choose a free one.
        metrics_namespace: The prefix of every metric's name, without the underscore after it.
        metrics_export_host: The address the exporter listens on.
        metrics_export_page: Whether the exporter's ``/`` is the live page, and not a short index.
        instrumentation_map: The map's file, ``pack:NAME``, or the name of one that ships with the
            package; `None` for the default.
        instrumentation_packs: Names of packs that the map takes in, with commas between them; if
            no map is given, they alone are the map.
        push_url: The address of a Pushgateway to push to when the program ends.
        textfile: A ``.prom`` file for node exporter's textfile collector, written at the end.
        file_sd: A ``.json`` file for Prometheus' file-based service discovery to register in.
        code_cache: A folder to keep woven code in, so that the next start need not compile it; only
            this user may be able to write to it. ``off`` for none; `None` for one in the user's
            cache folder, where Python may write bytecode.
        web_config: A file with the exporter's certificate and users, in the web configuration
            format of Prometheus' exporter-toolkit.
        follow_children: Whether `install()` begins a run, in which the processes that come of this
            one are measured too, and one page has the sum; `ancestry-obs run` always does.
        map_watch: Whether the files of the map are looked at every few seconds, and it is reloaded
            when one has changed.

    Raises:
        SettingsError: A value is not allowed.

    Example:
        >>> ObservabilitySettings(enable_prometheus_metrics=True, metrics_export_port=0).textfile
    """

    __dataclass_fields__ = _DataclassFields()

    enable_prometheus_metrics: bool = False
    metrics_export_port: int = 9000
    metrics_namespace: str = "ancestry"
    metrics_export_host: str = "127.0.0.1"
    metrics_export_page: bool = True
    instrumentation_map: str | None = None
    instrumentation_packs: str | None = None
    # May hold a password, hence not in the repr.
    push_url: str | None = field(default=None, repr=False)
    textfile: str | None = None
    file_sd: str | None = None
    code_cache: str | None = None
    web_config: str | None = None
    follow_children: bool = False
    map_watch: bool = False

    def __post_init__(self) -> None:
        for name in VARIABLES:
            value = getattr(self, name)
            if value is not None or name not in _OPTIONAL:
                check(name, value)

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str] | None = None, dotenv: str | Path | None = DOTENV
    ) -> ObservabilitySettings:
        """Read the settings from variables and a ``.env`` file.

        Args:
            environ: The variables; `None` for the process's own.
            dotenv: The file, which need not exist; `None` for no file.

        Returns:
            The settings; what neither source has keeps its default.

        Raises:
            SettingsError: A value is not allowed, or the file cannot be read.

        Example:
            >>> ObservabilitySettings.from_environment({"METRICS_EXPORT_PORT": "9100"}, None)
            ... # doctest: +ELLIPSIS
            ObservabilitySettings(enable_prometheus_metrics=False, metrics_export_port=9100, ...)
        """
        values = read_variables(environ, dotenv)
        return cls(**values)  # type: ignore[arg-type]  # __post_init__ checks each value's type
