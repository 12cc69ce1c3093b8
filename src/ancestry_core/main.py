"""The `ancestry` command.

In: arguments. Out: a report on standard output, everything else on standard error, an exit code:
0 fine, 1 failed, 2 wrong usage or settings, 130 interrupted. The work is in `workflow`.
"""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading
import traceback
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING

import ancestry_obs
from ancestry_core.exceptions import PlatformError
from ancestry_core.options import OneLineParser, RunOptions, add_run_arguments
from ancestry_core.standard_output import standard_output

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from ancestry_core.report.run_report import RunReport
    from ancestry_obs import Disabled, Instrumentation

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: The arguments; the process's own when left out.

    Returns:
        The exit code.

    Example:
        >>> main(["run", "--actions", "6,7", "--json"])  # doctest: +SKIP
        0
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    try:
        args = _parser(arguments).parse_args(arguments)
        code: int = args.run(args)
    except PlatformError as error:
        return _fail(str(error), error.exit_code)
    except ancestry_obs.ObservabilityError as error:
        return _fail(str(error), EXIT_USAGE)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("ancestry_"):
            raise
        return _fail(
            f"the package {error.name} is missing; install ancestry-obs[platform]", EXIT_FAILED
        )
    except KeyboardInterrupt as interrupt:
        _drop_unfinished(interrupt)
        return _fail("interrupted; run again to go on", EXIT_INTERRUPTED)
    return code


def _drop_unfinished(interrupt: KeyboardInterrupt) -> None:
    """Let go of what an interrupt has left half made, without the complaints of its finalizers.

    An `http.client.HTTPResponse` that is interrupted in its `__init__` cannot be closed: Python
    would print the traceback of that below the message.
    """
    before = sys.unraisablehook
    sys.unraisablehook = lambda _: None
    try:
        traceback.clear_frames(interrupt.__traceback__)
    finally:
        sys.unraisablehook = before


def run_platform(args: argparse.Namespace) -> int:
    """Run the actions and print what they did: `ancestry run`.

    Args:
        args: As declared by `add_run_arguments`.

    Returns:
        The exit code.

    Raises:
        PlatformError: If the run cannot go on; what was done is printed before.
        KeyboardInterrupt: If it was interrupted; likewise.
    """
    options = RunOptions.of(args)
    # Only now: these need the [platform] extra, which `--help` and `--version` do not.
    consoles = import_module("rich.console")
    display = import_module("ancestry_core.report.display")
    shown = display.open_display(consoles.Console(stderr=True))
    stopped: BaseException | None = None
    with ExitStack() as stack:
        stack.enter_context(_logging_to(display.Notes(shown)))
        # From here on something is seen: what comes next takes most of a second.
        with shown:
            workflow = import_module("ancestry_core.workflow")
            # Before the platform is made, so that its managers are seen from the start.
            observed = _install(args)
            work = stack.enter_context(workflow.Workflow(options, shown))
            try:
                work.run()
            except (PlatformError, KeyboardInterrupt) as error:
                stopped = error
        report: RunReport = work.report()
        if report.actions or stopped is None:
            _print(report, options)
            _print_metrics(observed, options)
        if stopped is None and not options.json:
            _print_steps(observed, held=args.hold)
        if stopped is not None:
            raise stopped
        if args.hold:
            _hold()
    return 0


@contextmanager
def _logging_to(notes: logging.Handler) -> Iterator[None]:
    """Show where the metrics are served and what cannot be measured, as long as the run lasts."""
    logger = logging.getLogger("ancestry_obs")
    before = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(notes)
    try:
        yield
    finally:
        logger.removeHandler(notes)
        logger.setLevel(before)


def _install(args: argparse.Namespace) -> Instrumentation | Disabled:
    """Switch metrics on if the command line or the environment says so."""
    settings = ancestry_obs.ObservabilitySettings.from_environment()
    if args.metrics:
        settings = replace(settings, enable_prometheus_metrics=True)
    return ancestry_obs.install(settings=settings)


def _print_metrics(observed: Instrumentation | Disabled, options: RunOptions) -> None:
    """Print what a scrape shows now; beside a JSON report it is no result, but a note."""
    if observed.enabled:
        consoles = import_module("rich.console")
        table = import_module("ancestry_core.report.table")
        with standard_output():
            table.print_metrics(observed.summary(), consoles.Console(stderr=options.json))


def _print_steps(observed: Instrumentation | Disabled, *, held: bool) -> None:
    """Print what to do next."""
    consoles = import_module("rich.console")
    # A port that is any that is free is another one in the next run.
    lasts = held or ancestry_obs.ObservabilitySettings.from_environment().metrics_export_port
    steps = next_steps(
        sys.argv[0],
        measured=observed.enabled,
        held=held,
        url=observed.status().url if lasts else "",
    )
    with standard_output():
        import_module("ancestry_core.report.table").print_steps(steps, consoles.Console())


def next_steps(command: str, *, measured: bool, held: bool, url: str) -> list[tuple[str, str]]:
    """Give the steps that make sense after a run.

    Args:
        command: The file of the `ancestry` command, as the system started it.
        measured: Whether metrics were on.
        held: Whether the run stays up.
        url: The page that is scraped; empty if there is none.

    Returns:
        For each step what to type or to open, and its purpose.
    """
    run, obs = _as_typed(command, "ancestry"), _as_typed(command, "ancestry-obs")
    if not measured:
        return [(f"{run} run --metrics", "the same, with its metrics on and shown at the end")]
    steps = []
    if not held:
        again = f"{run} run --metrics --hold"
        steps.append((again, "runs and then stays up, so that it can be scraped"))
    elif url:
        steps.append((url, "what a Prometheus scrapes, for as long as this run is up"))
    if url:
        states = f"{obs} status {url.removesuffix('/metrics')}"
        steps.append((states, "from a second terminal: what is measured, and what is not"))
    dashboards = f"{obs} dashboards ancestry.toml -o grafana"
    steps.append((dashboards, "writes the dashboard; docs/monitoring.md: how to see it in Grafana"))
    return steps


def _as_typed(command: str, name: str) -> str:
    """Give what starts a command from here: its path if it is below this folder, or its name.

    In an environment that is not activated, such as nox', the name alone would not be found.
    """
    script = Path(command).absolute().with_name(name)
    here = Path.cwd()
    return str(script.relative_to(here)) if script.exists() and here in script.parents else name


def _hold() -> None:
    """Wait until somebody ends the run."""
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    sys.stderr.write("Holding on, so that the metrics can be scraped; Ctrl-C ends the run.\n")
    with suppress(KeyboardInterrupt):
        ended.wait()


def _print(report: RunReport, options: RunOptions) -> None:
    if options.json:
        with standard_output() as out:
            out.write(json.dumps(report.as_dict()) + "\n")
    else:
        consoles = import_module("rich.console")
        with standard_output():
            import_module("ancestry_core.report.table").print_report(report, consoles.Console())


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = OneLineParser(prog="ancestry", description="An automation platform for a DNA account.")
    version = f"ancestry {metadata.version('ancestry-obs')}"
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="sign in and run the actions")
    add_run_arguments(run)
    _add_metrics_arguments(run)
    run.set_defaults(run=run_platform)
    if arguments[:1] == ["service"]:
        import_module("ancestry_core.service.command").add_service_parser(commands)
    else:
        # Its arguments are declared beside the service, which needs the [platform] extra.
        commands.add_parser("service", help="serve the embedded genealogy service on its own")
    return parser


def _add_metrics_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--metrics",
        action="store_true",
        help="switch metrics on (PROMETHEUS_METRICS_ENABLED does so too) and end with a table",
    )
    parser.add_argument(
        "--hold",
        action="store_true",
        help="stay up after the work, to be scraped, until Ctrl-C or SIGTERM",
    )


def _fail(message: str, code: int) -> int:
    ancestry_obs.mark_failed()
    sys.stderr.write(f"ancestry: {message}\n")
    return code
