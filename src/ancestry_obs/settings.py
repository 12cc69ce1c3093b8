"""Environment and `.env` go in, checked `ObservabilitySettings` come out.

The variables of the process win over those of the file; an empty value counts as not set. Nothing
is connected or started here, and importing this costs nothing beyond the standard library's basics,
since a program with metrics switched off reads its settings too.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ancestry_obs.exceptions import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["VARIABLES", "ObservabilitySettings"]

VARIABLES: Final[dict[str, str]] = {
    "enable_prometheus_metrics": "PROMETHEUS_METRICS_ENABLED",
    "metrics_export_port": "METRICS_EXPORT_PORT",
    "metrics_namespace": "METRICS_NAMESPACE",
    "metrics_export_host": "METRICS_EXPORT_HOST",
    "instrumentation_map": "INSTRUMENTATION_MAP",
    "push_url": "METRICS_PUSH_URL",
    "textfile": "METRICS_TEXTFILE",
    "file_sd": "METRICS_FILE_SD",
}

_BOOLEANS: Final = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}
_HIGHEST_PORT: Final = 65535
# Letters, digits, dots and dashes, or an IPv6 address; a scheme or a port would be a mistake.
_HOST: Final = re.compile(r"[A-Za-z0-9.-]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%\w+)?")
# Prometheus documentation, "Data model"; a double underscore in front is Prometheus' own.
_NAMESPACE: Final = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")
# As python-dotenv reads them, line by line: a # begins a comment only after a blank.
_DOTENV_LINE: Final = re.compile(
    r"""(?:export\s+)?(?P<name>[A-Za-z_]\w*)\s*=\s*
    (?:"(?P<double>(?:\\.|[^"\\])*)"|'(?P<single>[^']*)'|(?P<bare>[^\s"'\#](?:[^\#]|(?<!\s)\#)*?)?)
    \s*(?:(?<=\s)\#.*)?""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class ObservabilitySettings:
    """How metrics are collected and exposed.

    Args:
        enable_prometheus_metrics: Whether anything is instrumented at all.
        metrics_export_port: The exporter's TCP port; 0 lets the system choose a free one.
        metrics_namespace: The prefix of every metric's name, without the underscore after it.
        metrics_export_host: The address the exporter listens on.
        instrumentation_map: The map's file, or the name of one that ships with the package; `None`
            for the default.
        push_url: The address of a Pushgateway to push to when the program ends.
        textfile: A ``.prom`` file for node exporter's textfile collector, written at the end.
        file_sd: A ``.json`` file for Prometheus' file-based service discovery to register in.

    Raises:
        SettingsError: A value is not allowed.

    Example:
        >>> ObservabilitySettings(enable_prometheus_metrics=True, metrics_export_port=0).textfile
    """

    enable_prometheus_metrics: bool = False
    metrics_export_port: int = 9000
    metrics_namespace: str = "ancestry"
    metrics_export_host: str = "127.0.0.1"
    instrumentation_map: str | None = None
    # May hold a password, hence not in the repr.
    push_url: str | None = field(default=None, repr=False)
    textfile: str | None = None
    file_sd: str | None = None

    def __post_init__(self) -> None:
        for setting in fields(self):
            value = getattr(self, setting.name)
            if value is None and setting.default is None:
                continue
            accepts, allowed = _RULES[setting.name]
            if not accepts(value):
                raise _not_allowed(setting.name, value, allowed)

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str] | None = None, dotenv: Path | None = Path(".env")
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
        own = os.environ if environ is None else environ
        given = {**_read_dotenv(dotenv), **{name: text for name, text in own.items() if text}}
        values = {
            name: _converted(name, given[variable])
            for name, variable in VARIABLES.items()
            if given.get(variable)
        }
        return cls(**values)  # type: ignore[arg-type]  # __post_init__ checks each value's type


def _converted(name: str, text: str) -> object:
    """Give a text the type of its setting; what does not fit stays text and fails its rule."""
    stripped = text.strip()
    if name == "enable_prometheus_metrics":
        return _BOOLEANS.get(stripped.lower(), stripped)
    if name == "metrics_export_port":
        # int() would also take 9_000, +9000 and digits of other scripts.
        return int(stripped) if re.fullmatch("[0-9]{1,9}", stripped) else stripped
    return stripped


def _not_allowed(name: str, value: object, allowed: str) -> SettingsError:
    # Credentials in a URL must not get into a log.
    shown = re.sub(r"//[^/@]*@", "//***@", value) if isinstance(value, str) else value
    return SettingsError(f"{VARIABLES[name]} ({name}) is {shown!r}; allowed is {allowed}")


def _read_dotenv(path: Path | None) -> dict[str, str]:
    """Read the non-empty variables of a file of ``NAME=value`` lines; no file gives none."""
    if path is None:
        return {}
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read ({error}); make it readable UTF-8") from error
    variables: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        match = _DOTENV_LINE.fullmatch(stripped)
        if match is None:
            # The line itself may hold a password of the program's, so it is not shown.
            raise SettingsError(f"{path}:{number}: no NAME=value line; close its quotes")
        unescaped = re.sub(r"\\(.)", r"\1", match["double"] or "")
        variables[match["name"]] = unescaped or match["single"] or match["bare"] or ""
    return {name: value for name, value in variables.items() if value}


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_port(value: object) -> bool:
    return type(value) is int and 0 <= value <= _HIGHEST_PORT


def _matches(pattern: re.Pattern[str]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_http_url(value: object) -> bool:
    try:
        parts = urlsplit(value) if isinstance(value, str) else urlsplit("")
        # The port is only checked when it is asked for.
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _is_file(suffix: str) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and Path(value).suffix == suffix


_RULES: Final[dict[str, tuple[Callable[[object], bool], str]]] = {
    "enable_prometheus_metrics": (
        lambda value: isinstance(value, bool),
        "true or false (also 1/0, yes/no, on/off)",
    ),
    "metrics_export_port": (
        _is_port,
        f"a whole number from 0 to {_HIGHEST_PORT} (0: any free port)",
    ),
    "metrics_namespace": (
        _matches(_NAMESPACE),
        "letters, digits and underscores, not starting with a digit or two underscores",
    ),
    "metrics_export_host": (
        _matches(_HOST),
        "a host name or IP address without scheme and port, such as 127.0.0.1",
    ),
    "instrumentation_map": (
        _is_text,
        "a map's file, or the name of one that ships (ancestry.toml)",
    ),
    "push_url": (_is_http_url, "an http or https URL such as http://127.0.0.1:9091"),
    "textfile": (_is_file(".prom"), "a file that ends in .prom (others are not collected)"),
    "file_sd": (_is_file(".json"), "a file that ends in .json"),
}
