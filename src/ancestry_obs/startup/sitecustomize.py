"""Python imports this in each process of a run, before anything of the program.

`ancestry-obs run` puts this folder first on PYTHONPATH. It is taken off `sys.path` at once, the
process joins the run, and then Python gets the `sitecustomize` that it would have had, if any.

Any Python may come by here, also one that the toolkit is not installed for and one that is too old
for it: hence no syntax that is new, and no import of the toolkit outside `try`.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import gc
import os
import sys

_STANDARD_ERROR = 2


def _leave_path():
    here = os.path.dirname(__file__)
    while here in sys.path:
        sys.path.remove(here)
    sys.path_importer_cache.pop(here, None)


def _join(folder, traces):
    # What is made here is there to stay: Python need not look for garbage in it, neither now nor
    # later, nor at the end.
    collects = gc.isenabled()
    gc.disable()
    try:
        _import_and_begin(folder, traces)
    finally:
        gc.freeze()
        if collects:
            gc.enable()


def _import_and_begin(folder, traces):
    try:
        if traces:
            from ancestry_obs.suggestion.trace_start import begin
        else:
            from ancestry_obs.process_start import begin
    except Exception as error:
        if (getattr(error, "name", None) or "").startswith("ancestry_obs"):
            reason = "not installed for %s" % sys.executable
        else:
            reason = "not to be imported by %s: %s" % (sys.executable, error)
        _say(folder, "not measured: ancestry-obs is " + reason)
    else:
        begin(folder)


def _say(folder, line):
    # Once for the run, and not into what the program reads of its children.
    try:
        error = os.fstat(_STANDARD_ERROR)
        if os.path.exists("%s/stderr-%d-%d" % (folder, error.st_dev, error.st_ino)):
            os.close(os.open(folder + "/said-not-measured", os.O_CREAT | os.O_EXCL, 0o600))
            os.write(_STANDARD_ERROR, ("ancestry-obs: %s\n" % line).encode())
    except OSError:
        pass


_leave_path()
if os.environ.get("ANCESTRY_OBS_TRACE"):
    _join(os.environ["ANCESTRY_OBS_TRACE"], True)
elif os.environ.get("ANCESTRY_OBS_RUN"):
    _join(os.environ["ANCESTRY_OBS_RUN"], False)
del sys.modules["sitecustomize"]
# Where there is none, Python has to find none.
import sitecustomize  # type: ignore[import-not-found]  # noqa: E402, F401
