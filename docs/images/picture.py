# ruff: noqa: INP001 - a script in a folder of pictures, no package
"""The pictures in the README: a map, the metrics that it gives, a panel of its dashboard.

    python docs/images/picture.py           draws them from what was recorded, in both themes
    python docs/images/picture.py record    runs `ancestry run` anew, records it, then draws

In: `picture.toml` (the map), `picture.monitoring.toml` (what its dashboard shows) and
`picture.json`, which has what a real run gave: its last page, and a counter as it was scraped twice
a second. Out: `picture_light.svg` and `picture_dark.svg`, which ask nobody for a font or a script.
The tests draw them once more from the same data, so that they cannot differ from it.

The panel is drawn as Grafana draws it: a rate over a window, layers that add up.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from ancestry_obs.mapfile import load
from ancestry_obs.monitoring import Catalogue, load_plan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ancestry_obs.monitoring.plan import Panel

HERE = Path(__file__).parent
MAP, RUN = HERE / "picture.toml", HERE / "picture.json"
NAMESPACE = "dna"
SCRAPE_SECONDS = 0.5
WINDOW = 4
"""Scrapes that a rate goes back."""

WIDTH, HEIGHT = 1000, 404
MAP_WIDTH, PAGE_WIDTH, GAP = 362, 298, 14
TOP, MARGIN, LINE = 56, 13, 16
UNITS = {"reqps": "req/s"}
THEMES: Mapping[str, Mapping[str, str]] = {
    "light": {
        "ground": "#ffffff",
        "edge": "#d1d9e0",
        "grid": "#d1d9e0",
        "arrow": "#59636e",
        "title": "#1f2328",
        "label": "#59636e",
        "code": "#1f2328",
        "comment": "#59636e",
        "text": "#0a3069",
        "head": "#6639ba",
        "number": "#953800",
        "green": "#37872d",
        "blue": "#1f60c4",
        "yellow": "#b8860b",
        "red": "#c4162a",
        "purple": "#8f3bb8",
    },
    "dark": {
        "ground": "#161b22",
        "edge": "#3d444d",
        "grid": "#3d444d",
        "arrow": "#9198a1",
        "title": "#f0f6fc",
        "label": "#b1bac4",
        "code": "#e6edf3",
        "comment": "#9198a1",
        "text": "#a5d6ff",
        "head": "#d2a8ff",
        "number": "#ffa657",
        "green": "#73bf69",
        "blue": "#5794f2",
        "yellow": "#fade2a",
        "red": "#f2495c",
        "purple": "#b877d9",
    },
}
"""The colour of each thing, in each theme; those of the layers are Grafana's, or darker."""
# What is a name, a text, a number or a comment, in TOML and in the exposition alike.
TOKENS = re.compile(r'(?P<text>"[^"]*")|(?P<comment>#.*)|(?P<head>^\[.*\]$)|(?P<number>\b[\d.]+$)')
STYLE = """\
.card {{ fill: {ground}; stroke: {edge} }}
.title {{ font: 600 12.5px system-ui, -apple-system, "Segoe UI", sans-serif; fill: {title} }}
.label {{ font: 11px system-ui, -apple-system, "Segoe UI", sans-serif; fill: {label} }}
.code {{ font: 10.5px ui-monospace, SFMono-Regular, Menlo, "DejaVu Sans Mono", monospace }}
.code {{ fill: {code}; white-space: pre }}
.text {{ fill: {text} }} .comment {{ fill: {comment} }} .head {{ fill: {head} }}
.number {{ fill: {number}; font-weight: 600 }}
.grid {{ stroke: {grid}; stroke-width: 1 }} .arrow {{ fill: {arrow} }}
"""


@dataclass(frozen=True)
class Run:
    """What was recorded of a run.

    Args:
        page: The lines of the last scrape that are the map's.
        seconds: When each scrape was, from the first one on.
        counts: The counter at each scrape, by the value of its label.
    """

    page: tuple[str, ...]
    seconds: tuple[float, ...]
    counts: Mapping[str, tuple[float, ...]]

    @classmethod
    def read(cls, path: Path) -> Run:
        """Read a recorded run."""
        data = json.loads(path.read_text("utf-8"))
        counts = {value: tuple(counts) for value, counts in data["counts"].items()}
        return cls(tuple(data["page"]), tuple(data["seconds"]), counts)

    def write(self, path: Path) -> None:
        """Keep the run, a line for each thing recorded."""
        data = {"page": self.page, "seconds": self.seconds, "counts": self.counts}
        lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in data.items()]
        path.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")

    def rates(self, value: str) -> list[float]:
        """Give how often a second something happened, at each scrape that has a whole window."""
        counts, seconds = self.counts[value], self.seconds
        return [
            (counts[i] - counts[i - WINDOW]) / (seconds[i] - seconds[i - WINDOW])
            for i in range(WINDOW, len(seconds))
        ]


def panel() -> Panel:
    """Give the panel of the map's dashboard that is drawn: the first one."""
    return load_plan(os.fspath(MAP), Catalogue(load(os.fspath(MAP)), NAMESPACE)).rows[0].panels[0]


def record() -> Run:
    """Run the platform with the map and scrape it until it has nothing left to do."""
    environment = {
        **os.environ,
        "INSTRUMENTATION_MAP": os.fspath(MAP),
        "METRICS_NAMESPACE": NAMESPACE,
        "METRICS_EXPORT_PORT": "0",
    }
    command = (sys.executable, "-m", "ancestry_core", "run", "--metrics", "--hold")
    with tempfile.TemporaryDirectory() as folder, Path(folder, "notes").open("w+") as notes:
        run = subprocess.Popen(  # noqa: S603 - this project's own command
            command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=notes
        )
        try:
            scrapes = list(_scrapes(Path(notes.name)))
        finally:
            run.send_signal(signal.SIGTERM)
            run.wait()
    series = re.compile(rf'^{NAMESPACE}_requests_total{{status="(\w+)"}} (\S+)$', re.MULTILINE)
    found = [dict(series.findall(page)) for _, page in scrapes]
    values = [value for value, _ in panel().colors]
    start, page = scrapes[0][0], scrapes[-1][1]
    return Run(
        tuple(line for line in page.splitlines() if re.match(rf"(# \w+ )?{NAMESPACE}_", line)),
        tuple(round(moment - start, 2) for moment, _ in scrapes),
        {value: tuple(float(each.get(value, 0)) for each in found) for value in values},
    )


def _scrapes(notes: Path) -> Iterator[tuple[float, str]]:
    """Scrape what a run says that it serves, and once more when it says that it is done."""
    while True:
        said = notes.read_text("utf-8")
        if served := re.search(r"metrics are served at (\S+)", said):
            with urllib.request.urlopen(served[1]) as page:  # noqa: S310 - on this machine
                yield time.monotonic(), page.read().decode()
        if "Holding on" in said:
            return
        time.sleep(SCRAPE_SECONDS)


def path_of(theme: str) -> Path:
    """Give where the picture of a theme is."""
    return HERE / f"picture_{theme}.svg"


def picture(run: Run, theme: str) -> str:
    """Draw the picture.

    Args:
        run: What was recorded.
        theme: One of `THEMES`.

    Returns:
        An SVG; its cards have a ground of their own.
    """
    shown, colors = panel(), THEMES[theme]
    page_left = MAP_WIDTH + GAP
    panel_left = page_left + PAGE_WIDTH + GAP
    parts = [
        *_card(0, MAP_WIDTH, "1  A map: what to measure, and where"),
        *_code(MAP.read_text("utf-8").splitlines(), MARGIN),
        *_arrow(MAP_WIDTH),
        *_card(page_left, PAGE_WIDTH, "2  What Prometheus scrapes"),
        *_code(run.page, page_left + MARGIN),
        *_caption(run, page_left + MARGIN),
        *_arrow(page_left + PAGE_WIDTH),
        *_card(panel_left, WIDTH - panel_left, "3  The dashboard made of the map"),
        *_graph(run, shown, panel_left + MARGIN, colors),
    ]
    about = (
        f"A map of a few lines, the metrics that it gives, and a dashboard panel, {shown.title}, "
        f"with a line for each {shown.by[0]}."
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
            f"<title>{escape(about)}</title>",
            f"<style>\n{STYLE.format_map(colors)}</style>",
            *parts,
            "</svg>\n",
        ]
    )


def _card(left: float, width: float, title: str) -> Iterator[str]:
    yield (
        f'<rect class="card" x="{left + 0.5:g}" y="0.5" width="{width - 1:g}" '
        f'height="{HEIGHT - 1}" rx="7"/>'
    )
    yield _words(left + MARGIN, 26, title, "title")


def _arrow(left: float) -> Iterator[str]:
    middle = HEIGHT / 2
    yield (
        f'<path class="arrow" d="M{left + 3:g} {middle - 6:g} l8 6 l-8 6 z" '
        'stroke-linejoin="round"/>'
    )


def _code(lines: Iterable[str], left: float) -> Iterator[str]:
    for number, line in enumerate(lines):
        if line:
            yield (
                f'<text class="code" x="{left:g}" y="{TOP + number * LINE:g}">'
                f"{''.join(_colored(line))}</text>"
            )


def _caption(run: Run, left: float) -> Iterator[str]:
    seconds = f"The page after {run.seconds[-1]:.0f} seconds of `ancestry run`,"
    yield _words(left, HEIGHT - 42, seconds, "label")
    yield _words(left, HEIGHT - 26, "whose service fails on purpose", "label")


def _colored(line: str) -> Iterator[str]:
    """Give a line's text, each kind of token in the class of its name."""
    end = 0
    for token in TOKENS.finditer(line):
        yield escape(line[end : token.start()])
        yield f'<tspan class="{token.lastgroup}">{escape(token[0])}</tspan>'
        end = token.end()
    yield escape(line[end:])


def _graph(run: Run, shown: Panel, left: float, colors: Mapping[str, str]) -> Iterator[str]:
    """Draw the panel: title, axes with their units, layers that add up, the legend."""
    right, top, bottom = WIDTH - MARGIN - 4, TOP + 24, HEIGHT - 72
    axis = left + 46
    moments = run.seconds[WINDOW:]
    layers = {value: run.rates(value) for value, _ in shown.colors}
    # Each line stands on those below it, as Grafana stacks them.
    sums = [list(accumulate(at)) for at in zip(*layers.values(), strict=True)]
    step, most = _ticks(max(at[-1] for at in sums))

    def x(second: float) -> float:
        return axis + (right - axis) * (second - moments[0]) / (moments[-1] - moments[0])

    def y(rate: float) -> float:
        return bottom - (bottom - top) * rate / most

    yield _words(left, TOP, shown.title, "title")
    for tick in range(0, most + 1, step):
        yield f'<path class="grid" d="M{axis:g} {y(tick):.1f} H{right:g}"/>'
        label = f"{tick} {UNITS[shown.unit or '']}"
        yield _words(axis - 6, y(tick) + 4, label, "label", anchor="end")
    for second in range(10, int(moments[-1]) + 1, 10):
        yield _words(x(second), bottom + 17, f"{second} s", "label", anchor="middle")
    # From the top down, so that a line is seen where nothing lies on it.
    for index, (_, color) in reversed([*enumerate(shown.colors)]):
        ceiling = [at[index] for at in sums]
        floor = [at[index - 1] if index else 0.0 for at in sums]
        over = _points(zip(map(x, moments), map(y, ceiling), strict=True))
        under = _points(reversed([*zip(map(x, moments), map(y, floor), strict=True)]))
        paint = colors[color]
        yield f'<polygon fill="{paint}" fill-opacity=".35" points="{over} {under}"/>'
        yield f'<polyline fill="none" stroke="{paint}" stroke-width="1.4" points="{over}"/>'
    yield from _legend(shown, left, bottom + 48, colors)


def _legend(shown: Panel, left: float, line: float, colors: Mapping[str, str]) -> Iterator[str]:
    yield _words(left, line, f"{shown.by[0]}:", "label")
    start = left + 42
    for value, color in shown.colors:
        yield f'<rect fill="{colors[color]}" x="{start:g}" y="{line - 6:g}" width="12" height="4"/>'
        yield _words(start + 16, line, value, "label")
        start += 48


def _ticks(greatest: float) -> tuple[int, int]:
    """Give the step between the lines of an axis, and its end: at most five lines."""
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100) if greatest <= 4 * step)
    return step, step * -int(-greatest // step)


def _points(places: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)


def _words(left: float, line: float, text: str, style: str, anchor: str = "start") -> str:
    where = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text class="{style}" x="{left:.1f}" y="{line:.1f}"{where}>{escape(text)}</text>'


def main(arguments: Sequence[str]) -> None:
    """Draw; record first where that is asked for."""
    if list(arguments) == ["record"]:
        record().write(RUN)
    for theme in THEMES:
        path_of(theme).write_text(picture(Run.read(RUN), theme), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
