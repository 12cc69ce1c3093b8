"""`%load_ext ancestry_obs`: what IPython calls when the toolkit is loaded into a shell or kernel.

Nothing here imports IPython: it is there when this is called.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ancestry_obs import lifecycle
from ancestry_obs.exceptions import ObservabilityError
from ancestry_obs.notices import Notices
from ancestry_obs.settings import ObservabilitySettings
from ancestry_obs.variables import read_variables

__all__ = ["load_ipython_extension", "unload_ipython_extension"]

_logger = Notices(__name__)
_OFF = (
    "nothing is measured: PROMETHEUS_METRICS_ENABLED says no; set it to true, or take it away, and "
    "write '%reload_ext ancestry_obs'"
)

_NO_MODULE = (
    "what cells define is not measured, only what they import: this shell was started with a "
    "namespace of its own, so that there is no module to name in a target; start it without one"
)


def load_ipython_extension(shell: Any) -> None:  # noqa: ANN401 - IPython's type
    """Install the map that is found, with metrics on, and weave what the shell's cells define.

    As `ancestry-obs run`, who loads it wants metrics: they are on unless a variable says no. What
    is installed already stays.

    Args:
        shell: The shell.

    Raises:
        UsageError: Settings or map have mistakes. IPython shows the message alone.
    """
    try:
        values: dict[str, Any] = {"enable_prometheus_metrics": True, **read_variables()}
        installed = lifecycle.install(settings=ObservabilitySettings(**values))
    except ObservabilityError as error:
        raise _usage_error(str(error)) from None
    if isinstance(installed, lifecycle.Disabled):
        _logger.warning(_OFF)
    elif not installed.join(shell):
        _logger.warning(_NO_MODULE)


def unload_ipython_extension(shell: Any) -> None:  # noqa: ANN401, ARG001 - IPython's type and call
    """Leave every function, class and module as it was found, and stop serving."""
    lifecycle.uninstall()


def _usage_error(message: str) -> Exception:
    error: Exception = import_module("IPython.core.error").UsageError(message)
    return error
