"""What to do after a run: what is typed, and what for.

In: how the run was started, and where its metrics are served. Out: pairs for `table.print_steps`.
"""

from __future__ import annotations

from pathlib import Path


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
