"""Read the settings: what the caller overrides beats the environment, which beats `.env`.

In: overrides, an environment, the path of a `.env` file. Out: `PlatformSettings`, or a
`SettingsError` of one line that names the variable, its value and what is allowed. The
environment is an argument and never looked up behind the caller's back, which is why the
variables are gathered here and only their values are checked by pydantic.
"""

from __future__ import annotations

import difflib
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dotenv import dotenv_values
from pydantic import SecretStr, ValidationError

from ancestry_core.config.config_schema import SECTIONS, PlatformSettings
from ancestry_core.exceptions import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails

_log = logging.getLogger(__name__)

_VARIABLES = {
    section.variable_of(field): (name, field)
    for name, section in SECTIONS.items()
    for field in section.model_fields
}

Values = dict[str, dict[str, Any]]


def load_settings(
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
    environ: Mapping[str, str] | None = None,
    dotenv: Path | None = Path(".env"),
) -> PlatformSettings:
    """Read and check the settings.

    Args:
        overrides: Values by section and field, from the command line for instance; None as a
            value means "not given". They beat everything else.
        environ: The environment; the process's own when left out.
        dotenv: A file of `NAME=value` lines; one that does not exist is no error.

    Returns:
        The settings, frozen.

    Raises:
        SettingsError: If a value is not allowed, or an override names no setting.

    Example:
        >>> load_settings({"http": {"retries": 5}}, environ={}, dotenv=None).http.retries
        5
    """
    variables = {**_read_dotenv(dotenv), **(os.environ if environ is None else environ)}
    values = _by_section(variables)
    for section, fields in (overrides or {}).items():
        given = {field: value for field, value in fields.items() if value is not None}
        values.setdefault(section, {}).update(given)
    try:
        return PlatformSettings.model_validate(values)
    except ValidationError as error:
        problem = _explain(error.errors(include_url=False)[0], values)
    # Raised outside the handler: pydantic's error holds the refused values, secrets included.
    raise SettingsError(problem)


def _read_dotenv(path: Path | None) -> dict[str, str]:
    if path is None or not path.is_file():
        return {}
    try:
        found = dotenv_values(path, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{path}: cannot be read as settings ({type(error).__name__}); "
            "it must be a readable UTF-8 text of NAME=value lines"
        ) from None
    return {name: value for name, value in found.items() if value is not None}


def _by_section(variables: Mapping[str, str]) -> Values:
    """Sort variables into sections; an empty one counts as not set."""
    values: Values = {}
    for name, value in variables.items():
        if name in _VARIABLES and value.strip():
            section, field = _VARIABLES[name]
            values.setdefault(section, {})[field] = value
        elif name not in _VARIABLES:
            _warn_of_typo(name)
    return values


def _warn_of_typo(name: str) -> None:
    near = difflib.get_close_matches(name, _VARIABLES, n=1, cutoff=0.85)
    if near and name.startswith("ANCESTRY_"):
        _log.warning("%s is no setting and is ignored; did you mean %s?", name, near[0])


def _explain(problem: ErrorDetails, values: Values) -> str:
    """Turn pydantic's finding into one line: variable, value, what is allowed."""
    location = tuple(str(part) for part in problem["loc"])
    section = SECTIONS.get(location[0])
    reason = problem["msg"].removeprefix("Value error, ")
    if section is None:
        return f"{location[0]!r} is no section of the settings; there are {', '.join(SECTIONS)}"
    if len(location) == 1:
        return f"settings: {reason}; change one of them"
    if location[1] not in section.model_fields:
        known = ", ".join(section.model_fields)
        return f"{'.'.join(location)!r} is no setting; section {location[0]!r} has {known}"
    variable = section.variable_of(location[1])
    shown = _shown(location[0], location[1], values)
    return f"{variable}={shown}: {reason}; correct the value or unset it"


def _shown(section: str, field: str, values: Values) -> str:
    """Quote the refused value, unless it is a secret."""
    annotation = SECTIONS[section].model_fields[field].annotation
    if annotation == SecretStr | None:
        return "'***'"
    if field == "base_url" and "@" in str(values[section][field]):
        return "'***' (the URL holds credentials)"
    return repr(values[section][field])
