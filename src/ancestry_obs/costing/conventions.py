"""What the modules of this package, and the report, agree on: bounds, and files that are left."""

from __future__ import annotations

import os
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

__all__ = ["DEAR_SHARE", "LEAST_PAIRS", "PRICES", "SECONDS", "SEEN_SHARE", "SHORT_CALL", "leave"]

DEAR_SHARE: Final = 0.01
"""From this share of the run on, a target is not worth it."""

SHORT_CALL: Final = 10.0
"""A call that is shorter than so many times its price is not worth it..."""

SEEN_SHARE: Final = 0.001
"""...where the target takes this share of the run."""

LEAST_PAIRS: Final = 3
"""Fewer pairs of runs do not show how large the noise is."""

PRICES: Final = ".prices"
"""What the name of a file with prices ends in, which a process has left."""

SECONDS: Final = ".seconds"
"""The same of a file with what is timed; then 1 where Python was started, 0 where it forked."""


def leave(path: str, text: str) -> None:
    """Write a file at a process's end, whole or not at all.

    What helps `multiprocessing` may end after the command has, when nobody waits for it.

    Args:
        path: the file.
        text: what is in it.
    """
    written = f"{path}.part"
    with suppress(OSError):  # the folder is gone: nobody asks any more
        with open(written, "w") as file:  # noqa: PTH123  pathlib costs more
            file.write(text)
        os.replace(written, path)  # noqa: PTH105  as above
