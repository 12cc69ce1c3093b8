# ruff: noqa: INP001 - a script in a folder of pictures, no package
"""Render what the main job prints at its end, as a picture for the README.

    python docs/images/render_demo.py docs/images/demo.svg

Runs `ancestry run --metrics` in an empty folder and takes its standard output, colours included.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

COLUMNS = 92
COMMAND = ("ancestry", "run", "--metrics")


def demo() -> str:
    """Run the main job and give its standard output as a terminal would get it."""
    environment = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(COLUMNS)}
    folder = Path(sys.executable).parent
    with tempfile.TemporaryDirectory() as empty:
        done = subprocess.run(  # noqa: S603 - this project's own command
            [os.fspath(folder / COMMAND[0]), *COMMAND[1:]],
            cwd=empty,
            env={**environment, "METRICS_EXPORT_PORT": "0"},
            capture_output=True,
            text=True,
            check=True,
        )
    return done.stdout


def picture(output: str) -> str:
    """Draw a terminal with some output.

    Args:
        output: With ANSI colours.

    Returns:
        An SVG that asks nobody for a font.
    """
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text.from_ansi(output.strip("\n")))
    svg = console.export_svg(title=" ".join(COMMAND), theme=MONOKAI)
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


def main() -> None:
    """Write the picture to the file that is named."""
    Path(sys.argv[1]).write_text(picture(demo()), "utf-8")


if __name__ == "__main__":
    main()
