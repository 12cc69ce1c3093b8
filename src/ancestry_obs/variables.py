"""Environment and `.env` go in, checked values of the settings come out.

A program with metrics switched off reads this too, and nothing else of the toolkit. So nothing is
imported here but `os`; what a value costs beyond that, its rule imports when there is one. The
variables of the process win over those of the file; an empty value counts as not set, but for the
folder of woven code, which it switches off.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import Final

    from ancestry_obs.exceptions import SettingsError

__all__ = ["DOTENV", "NO_FOLDER", "VARIABLES", "check", "read_variables"]

DOTENV: Final = ".env"
"""The file that is read beside the environment, in the folder that the program starts in."""

VARIABLES: Final[dict[str, str]] = {
    "enable_prometheus_metrics": "PROMETHEUS_METRICS_ENABLED",
    "metrics_export_port": "METRICS_EXPORT_PORT",
    "metrics_namespace": "METRICS_NAMESPACE",
    "metrics_export_host": "METRICS_EXPORT_HOST",
    "metrics_export_page": "METRICS_EXPORT_PAGE",
    "instrumentation_map": "INSTRUMENTATION_MAP",
    "instrumentation_packs": "INSTRUMENTATION_PACKS",
    "push_url": "METRICS_PUSH_URL",
    "textfile": "METRICS_TEXTFILE",
    "file_sd": "METRICS_FILE_SD",
    "code_cache": "METRICS_CODE_CACHE",
    "web_config": "METRICS_WEB_CONFIG",
    "follow_children": "METRICS_FOLLOW_CHILDREN",
    "map_watch": "METRICS_MAP_WATCH",
}

NO_FOLDER: Final = "off"
"""What stands for no folder of woven code."""

_BOOLEANS: Final = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}
_HIGHEST_PORT: Final = 65535
_MOST_DIGITS: Final = 9
_DIGITS: Final = "0123456789"
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def read_variables(
    environ: Mapping[str, str] | None = None, dotenv: str | Path | None = DOTENV
) -> dict[str, object]:
    """Read the settings that variables and a ``.env`` file have.

    Args:
        environ: The variables; `None` for the process's own.
        dotenv: The file, which need not exist; `None` for no file.

    Returns:
        The checked value of each setting that one of the sources has, by the setting's name.

    Raises:
        SettingsError: A value is not allowed, or the file cannot be read.
    """
    own = os.environ if environ is None else environ
    in_file = {} if dotenv is None else _read_dotenv(dotenv)
    values: dict[str, object] = {}
    for name, variable in VARIABLES.items():
        text = own.get(variable) or in_file.get(variable)
        if name == "code_cache" and not own.get(variable, in_file.get(variable, NO_FOLDER)).strip():
            text = NO_FOLDER
        if text:
            values[name] = _converted(name, text)
            check(name, values[name])
    return values


def check(name: str, value: object) -> None:
    """Refuse a value that a setting may not have.

    Args:
        name: The setting.
        value: What it is to be.

    Raises:
        SettingsError: It is not allowed; the message names variable, value and rule.
    """
    accepts, allowed = _RULES[name]
    if not accepts(value):
        raise _error(f"{VARIABLES[name]} ({name}) is {_shown(value)!r}; allowed is {allowed}")


def _converted(name: str, text: str) -> object:
    """Give a text the type of its setting; what does not fit stays text and fails its rule."""
    stripped = text.strip()
    if _RULES[name][0] is _is_boolean:
        return _BOOLEANS.get(stripped.lower(), stripped)
    if name == "metrics_export_port":
        # int() would also take 9_000, +9000 and digits of other scripts.
        digits = stripped.isascii() and stripped.isdigit() and len(stripped) <= _MOST_DIGITS
        return int(stripped) if digits else stripped
    return stripped


def _error(message: str) -> SettingsError:
    from ancestry_obs.exceptions import SettingsError  # noqa: PLC0415  see the module's docstring

    return SettingsError(message)


def _shown(value: object) -> object:
    """Leave out the credentials of a URL, which must not get into a log."""
    if not isinstance(value, str):
        return value
    import re  # noqa: PLC0415  see the module's docstring

    return re.sub(r"//[^/@]*@", "//***@", value)


def _read_dotenv(path: str | Path) -> dict[str, str]:
    """Read the variables of a file of ``NAME=value`` lines; no file gives none."""
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123  pathlib costs more than the rest
            lines = file.read().splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise _error(f"{path} cannot be read ({error}); make it readable UTF-8") from error
    variables: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            name, value = _assignment(stripped)
            if value is None:
                # The line itself may hold a password of the program's, so it is not shown.
                raise _error(f"{path}:{number}: no NAME=value line; close its quotes")
            variables[name] = value
    return variables


def _assignment(line: str) -> tuple[str, str | None]:
    """Read ``NAME=value`` as python-dotenv does; no value if it is none.

    Args:
        line: The line, with nothing around it.
    """
    left, equals, right = line.partition("=")
    words = left.split()
    if words[:1] == ["export"] and len(words) > 1:
        del words[0]
    name = words[0] if equals and len(words) == 1 else ""
    named = name[:1] in {*_LETTERS, "_"} and name.replace("_", "0").isalnum()
    return name, _value(right) if named else None


def _value(right: str) -> str | None:
    """Read what stands on the right of the sign; nothing if its quotes are not closed."""
    text = right.lstrip()
    quote = text[:1]
    if quote not in {'"', "'"}:
        value = _before_comment(right).strip()
        return None if value.startswith("#") else value
    value, at = "", 1
    while at < len(text) and text[at] != quote:
        at += quote == '"' and text[at] == "\\"
        value += text[at : at + 1]
        at += 1
    closed = at < len(text) and not _before_comment(text[at + 1 :]).strip()
    return value if closed else None


def _before_comment(text: str) -> str:
    """Leave out a comment, which begins only after a blank."""
    at = text.find("#")
    while at > 0 and not text[at - 1].isspace():
        at = text.find("#", at + 1)
    return text[:at] if at > 0 else text


def _is_boolean(value: object) -> bool:
    return isinstance(value, bool)


def _is_port(value: object) -> bool:
    return type(value) is int and 0 <= value <= _HIGHEST_PORT


def _is_namespace(value: object) -> bool:
    # Prometheus documentation, "Data model"; a double underscore in front is Prometheus' own.
    return (
        isinstance(value, str)
        and value.isascii()
        and value.isidentifier()
        and not value.startswith("__")
    )


def _is_host(value: object) -> bool:
    """Tell a name or an address; with a scheme or a port it would be a mistake."""
    if not isinstance(value, str):
        return False
    address, percent, zone = value.partition("%")
    if ":" in address:
        zoned = not percent or zone.replace("_", "0").isalnum()
        return zoned and not address.strip(f"{_DIGITS}ABCDEFabcdef:.")
    return bool(value) and not value.strip(f"{_DIGITS}{_LETTERS}.-")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_list(value: object) -> bool:
    return isinstance(value, str) and all(each.strip() for each in value.split(","))


def _is_http_url(value: object) -> bool:
    from urllib.parse import urlsplit  # noqa: PLC0415  see the module's docstring

    try:
        parts = urlsplit(value) if isinstance(value, str) else urlsplit("")
        # The port is only checked when it is asked for.
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _is_file(suffix: str) -> Callable[[object], bool]:
    def accepts(value: object) -> bool:
        # pathlib costs more than everything else here together.
        return isinstance(value, str) and os.path.splitext(value)[1] == suffix  # noqa: PTH122

    return accepts


_RULES: Final[dict[str, tuple[Callable[[object], bool], str]]] = {
    "enable_prometheus_metrics": (_is_boolean, "true or false (also 1/0, yes/no, on/off)"),
    "metrics_export_port": (
        _is_port,
        f"a whole number from 0 to {_HIGHEST_PORT} (0: any free port)",
    ),
    "metrics_namespace": (
        _is_namespace,
        "letters, digits and underscores, not starting with a digit or two underscores",
    ),
    "metrics_export_host": (
        _is_host,
        "a host name or IP address without scheme and port, such as 127.0.0.1",
    ),
    "metrics_export_page": (_is_boolean, "true or false (also 1/0, yes/no, on/off)"),
    "instrumentation_map": (
        _is_text,
        "a map's file, pack:NAME, or the name of one that ships (ancestry.toml)",
    ),
    "instrumentation_packs": (
        _is_list,
        "names of packs, with commas between them; 'ancestry-obs packs' shows them",
    ),
    "push_url": (_is_http_url, "an http or https URL such as http://127.0.0.1:9091"),
    "textfile": (_is_file(".prom"), "a file that ends in .prom (others are not collected)"),
    "file_sd": (_is_file(".json"), "a file that ends in .json"),
    "code_cache": (_is_text, f"a folder that only this user can write to, or {NO_FOLDER}"),
    "web_config": (_is_text, "a file in the web configuration format of Prometheus' exporters"),
    "follow_children": (_is_boolean, "true or false (also 1/0, yes/no, on/off)"),
    "map_watch": (_is_boolean, "true or false (also 1/0, yes/no, on/off)"),
}
