"""The argument that names a map -> the map; - is what standard input has."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from ancestry_obs.exceptions import ObservabilityError
from ancestry_obs.mapfile import load, load_text
from ancestry_obs.mapfile.map_text import read_stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ancestry_obs.mapfile import MapSpec

__all__ = [
    "MAP_OR_STANDARD_INPUT",
    "STANDARD_INPUT",
    "STANDARD_INPUT_NAME",
    "load_argument",
    "refuse_twice",
]

STANDARD_INPUT: Final = "-"
"""What is written in the place of a file's name."""
STANDARD_INPUT_NAME: Final = "<stdin>"
"""What the map is called then."""
MAP_OR_STANDARD_INPUT: Final = "the map, or - for standard input"


def load_argument(name: str) -> MapSpec:
    """Load the map that an argument names.

    Raises:
        MapError: It has mistakes, or there is none.
        ObservabilityError: Standard input cannot be read.
    """
    if name == STANDARD_INPUT:
        return load_text(_standard_input(), STANDARD_INPUT_NAME)
    return load(name)


def refuse_twice(names: Sequence[str]) -> None:
    """Refuse standard input for more than one of several maps.

    Raises:
        ObservabilityError: It is named twice.
    """
    if names.count(STANDARD_INPUT) > 1:
        raise ObservabilityError(
            f"{STANDARD_INPUT}: standard input can be read once; name files for the other maps"
        )


def _standard_input() -> str:
    if sys.stdin is None:
        raise ObservabilityError("<stdin>: it is closed; name a map")
    try:
        data: bytes = read_stream(sys.stdin.buffer)
        return data.decode()
    except OSError as error:
        raise ObservabilityError(
            f"<stdin>: cannot be read ({error.strerror}); send a map"
        ) from None
    except UnicodeDecodeError as error:
        raise ObservabilityError(f"<stdin>: not UTF-8 text ({error}); save it as UTF-8") from None
