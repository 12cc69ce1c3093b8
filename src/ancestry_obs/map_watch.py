"""The files of the map in force -> a reload, when one of them has changed.

A file counts as changed when its time, its size or its number on the disk is not what it was when
it was read, at two looks in a row: an editor may be in the midst of writing it. A map with mistakes
leaves the one in force where it is; a line says so, and so does the status.
"""

from __future__ import annotations

# What a reload may want. A child that is forked while this thread imports it could never import it.
import difflib  # noqa: F401
import dis  # noqa: F401
import inspect  # noqa: F401
import os
import tokenize  # noqa: F401
import weakref
from typing import TYPE_CHECKING, Final

import ancestry_obs.mapfile.composition
import ancestry_obs.mapfile.moments  # noqa: F401
from ancestry_obs.exceptions import MapError
from ancestry_obs.mapfile.map_files import stamp_of
from ancestry_obs.notices import Notices
from ancestry_obs.repeater import Repeater

if TYPE_CHECKING:
    from collections.abc import Callable

    from ancestry_obs.mapfile.specs import FileStamp

__all__ = ["MapWatch"]

_logger = Notices(__name__)

_SECONDS: Final = 3.0
_NOT_THERE: Final = (0, 0, 0)


class MapWatch:
    """Looks at the files of a map every few seconds, in a thread of its own.

    Args:
        files: Gives the files of the map in force, each as it was when it was read.
        reload: Reads the map anew and puts it in force; gives what differed.
        tell: Is told why that could not be; with an empty text once it is over.
    """

    def __init__(
        self,
        files: Callable[[], tuple[FileStamp, ...]],
        reload: Callable[[], object],
        tell: Callable[[str], None],
    ) -> None:
        self._files = files
        self._reload = reload
        self._tell = tell
        self._seen: list[FileStamp] = []
        self._said = ""
        self._repeater = Repeater(self.look, _SECONDS)
        _WATCHES.add(self)

    def start(self) -> None:
        """Begin to look."""
        self._repeater.start()

    def stop(self) -> None:
        """Look no more."""
        self._repeater.stop()
        _WATCHES.discard(self)

    def look(self) -> None:
        """Look once."""
        read = self._files()
        present = [(path, _stamp_at(path)) for path, _ in read]
        is_written, self._seen = present == self._seen, present
        if is_written and present != [*read]:
            self._read_again()
        elif is_written and self._said:
            self._clear()

    def _read_again(self) -> None:
        try:
            changes = self._reload()
        except MapError as error:
            first, *more = error.findings
            self._say(f"{first} (and {len(more)} more)" if more else str(first))
        except Exception as error:  # noqa: BLE001 - the program goes on, whatever it is
            self._say(f"{type(error).__name__}: {error}")
        else:
            self._clear()
            _logger.info("a file of the map has changed; %s", changes)

    def _clear(self) -> None:
        self._said = ""
        self._tell("")

    def _say(self, mistake: str) -> None:
        # It is tried again at each look, since a file that is missing may come.
        if mistake != self._said:
            self._said = mistake
            self._tell(mistake)
            _logger.warning("the map stays as it was: %s", mistake)

    def begin_child(self) -> None:
        """Look in a forked child too, which has no thread of its parent's."""
        self._repeater = Repeater(self.look, _SECONDS)
        self._repeater.start()


def _stamp_at(path: str) -> tuple[int, int, int]:
    try:
        return stamp_of(os.stat(path))  # noqa: PTH116 - again and again
    except OSError:
        return _NOT_THERE


_WATCHES: Final[weakref.WeakSet[MapWatch]] = weakref.WeakSet()


def _begin_children() -> None:
    for watch in tuple(_WATCHES):
        watch.begin_child()


os.register_at_fork(after_in_child=_begin_children)
