"""What the toolkit has to say comes in, one line at a time; a line of the program's log goes out.

Lines go to the logger of that name, as those of any library. A process of a run says them on
standard error instead, however the program logs (`process_start`). As long as its program has not
imported `logging` nobody can have said otherwise, and then they are written there without it: no
program starts later for the sake of one line.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import Logger
    from typing import Final

__all__ = ["Notices", "prepare", "say_without_logging"]

# As the `logging` module numbers them.
_DEBUG: Final = 10
_INFO: Final = 20
_WARNING: Final = 30
_ERROR: Final = 40
# From whoever says something to `Logger.log`.
_FRAMES_BETWEEN: Final = 3


class Notices:
    """What a `logging.Logger` offers, of which one is made when there is something to say.

    Args:
        name: The logger's.
    """

    __slots__ = ("_name",)

    def __init__(self, name: str = "ancestry_obs") -> None:
        self._name = name

    def debug(self, message: str, *details: object, exc_info: object = None) -> None:
        """Say what only those want to know who look for a fault."""
        _say(self._name, _DEBUG, message, details, exc_info)

    def info(self, message: str, *details: object) -> None:
        """Say what is as it should be."""
        _say(self._name, _INFO, message, details, None)

    def warning(self, message: str, *details: object, exc_info: object = None) -> None:
        """Say what is not measured, or not as it was asked for."""
        _say(self._name, _WARNING, message, details, exc_info)

    def exception(self, message: str, *details: object) -> None:
        """Say what has failed although it cannot, with the exception that is being handled."""
        _say(self._name, _ERROR, message, details, sys.exception())


class _Way:
    """How lines are said in this process.

    Attributes:
        write: Writes one without `logging`, where that may be; None where it may not.
        arrange: Has the logger say them likewise from now on; None when it does.
    """

    __slots__ = ("arrange", "write")

    def __init__(self) -> None:
        self.write: Callable[[str], object] | None = None
        self.arrange: Callable[[Logger], object] | None = None


_way: Final = _Way()


def say_without_logging(
    write: Callable[[str], object], arrange: Callable[[Logger], object]
) -> None:
    """Say lines without `logging` as long as the program has not imported it.

    Args:
        write: Gets each line from `INFO` on.
        arrange: Has a logger say them likewise, when there is `logging`.
    """
    _way.write, _way.arrange = write, arrange


def prepare() -> None:
    """Import `logging` now, where lines go there, and not in the midst of the program's calls."""
    if _way.write is None:
        import logging  # noqa: F401, PLC0415  see above


def _say(
    name: str, level: int, message: str, details: tuple[object, ...], exc_info: object
) -> None:
    write = _way.write
    if "logging" not in sys.modules:
        # As long as nobody has imported it, nobody has asked for more.
        if level < _INFO:
            return
        if write is not None:
            text = message % details if details else message
            write(text if exc_info is None else f"{text}\n{_traceback(exc_info)}")
            return
    try:
        import logging  # noqa: PLC0415  see above
    except (ImportError, OSError):
        return  # at the end of Python, or where no file can be opened any more

    arrange, _way.arrange = _way.arrange, None
    if arrange is not None:
        arrange(logging.getLogger("ancestry_obs"))
    logger = logging.getLogger(name)
    logger.log(level, message, *details, exc_info=exc_info, stacklevel=_FRAMES_BETWEEN)  # type: ignore[arg-type]


def _traceback(exc_info: object) -> str:
    import traceback  # noqa: PLC0415  see above

    error = exc_info if isinstance(exc_info, BaseException) else sys.exception()
    return "".join(traceback.format_exception(error)).rstrip() if error is not None else ""
