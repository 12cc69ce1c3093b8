"""Remember in a small file how far an action has got, so that a killed run goes on from there.

In: a path and plain values. Out: the same values, or None where there is nothing to go on from.
The file is replaced as a whole (written beside it, flushed to the disk, renamed), so a kill at any
moment leaves the old one or the new one. It holds no data that the database does not have.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from ancestry_core.exceptions import CheckpointError

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Position:
    """How far the gathering of matches has got.

    Args:
        test_id: The DNA test whose matches are gathered.
        next_page: The first page that is not stored yet.
        page_size: Matches per page; another size makes the page numbers worthless.
        stored: Matches that the database held then; fewer now mean that it is another database.
    """

    test_id: str
    next_page: int
    page_size: int
    stored: int


class Checkpoint:
    """The checkpoint of one database.

    Args:
        path: The file; its folder must exist.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     checkpoint = Checkpoint(Path(folder, "checkpoint.json"))
        ...     checkpoint.save(Position("A1", next_page=3, page_size=30, stored=60))
        ...     checkpoint.load()
        Position(test_id='A1', next_page=3, page_size=30, stored=60)
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def beside(cls, database: Path) -> Checkpoint:
        """Return the checkpoint that belongs to a database file: it lies beside it."""
        return cls(database.with_name(f"{database.name}.checkpoint.json"))

    def load(self) -> Position | None:
        """Read the position.

        Returns:
            The position, or None when there is none. A file that makes no sense is said in the log
            and renamed to `*.corrupt`, and counts as none.

        Raises:
            CheckpointError: If the file is there but cannot be read or set aside.
        """
        try:
            return _parse(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError as error:
            self._set_aside(error)
            return None
        except OSError as error:
            raise self._error("read", error) from error

    def save(self, position: Position) -> None:
        """Replace the file by one with this position.

        Raises:
            CheckpointError: If it cannot be written; the old file is still there then.
        """
        try:
            self._replace(json.dumps(asdict(position)).encode())
        except OSError as error:
            raise self._error("written", error) from error

    def clear(self) -> None:
        """Remove the file: the work is done."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise self._error("removed", error) from error

    def _replace(self, content: bytes) -> None:
        # A name of its own per writer: two threads must not write into one temporary file.
        descriptor, name = tempfile.mkstemp(prefix=f"{self.path.name}.", dir=self.path.parent)
        try:
            with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor has no path
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self.path)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise

    def _set_aside(self, reason: ValueError) -> None:
        aside = self.path.with_name(f"{self.path.name}.corrupt")
        try:
            self.path.replace(aside)
        except OSError as error:
            raise self._error("set aside", error) from error
        _log.warning(
            "%s is no checkpoint (%s); set aside as %s, gathering starts afresh",
            self.path,
            reason,
            aside.name,
        )

    def _error(self, what: str, error: OSError) -> CheckpointError:
        return CheckpointError(
            f"{self.path}: the checkpoint cannot be {what} ({error.strerror}); "
            "check the folder's rights and free space, then run again"
        )


def _parse(content: bytes) -> Position:
    """Read a position; ValueError says what is wrong with it (UnicodeDecodeError is one)."""
    values = json.loads(content)
    if not isinstance(values, dict) or set(values) != set(Position.__slots__):
        raise ValueError(f"it has not the keys {', '.join(Position.__slots__)}")
    numbers = (values["next_page"], values["page_size"], values["stored"])
    whole = all(type(number) is int for number in numbers)
    if not whole or not isinstance(values["test_id"], str) or min(numbers[:2]) < 1:
        raise ValueError("a value is of the wrong kind")
    return Position(**values)
