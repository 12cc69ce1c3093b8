"""A YAML file comes in, tables that check what is asked of them go out.

What is wrong is told with the file, the key, what was found and what is allowed. PyYAML reads; it
is of an extra, and imported when there is a file to read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

from ancestry_obs.exceptions import ExporterError
from ancestry_obs.mapfile.report import allowed_names

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["INSTALL", "Table", "read_yaml"]

_T = TypeVar("_T")

INSTALL: Final = 'install the extra that has it: pip install "ancestry-obs[web]"'
"""The remedy where a library is missing."""


class Table:
    """A table of the file.

    Args:
        path: The file.
        name: The table's key; empty for the file itself.
        found: What stands there.
        keys: Which keys it may have; any if `None`.
        refused: Keys of the format that cannot be had here, and what to do instead.

    Attributes:
        values: What it has; a key without a value is one that is not there.

    Raises:
        ExporterError: It is no table, or has other keys.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        found: object,
        keys: Iterable[str] | None = None,
        refused: Mapping[str, str] | None = None,
    ) -> None:
        self._path = path
        self._name = name
        if found and not isinstance(found, Mapping):
            self.fail("", _found(found), "allowed is a table of 'key: value' lines")
        table = found if isinstance(found, Mapping) else {}
        for key, value in table.items():
            if not isinstance(key, str):
                self.fail("", f"{_found(key)} as a key", "allowed is a text")
            if refused and key in refused and value:
                self.fail(key, "is not supported", refused[key])
            if keys is not None and key not in {*keys, *(refused or ())}:
                self.fail(key, "is no key of the format", allowed_names(key, keys))
        self.values: dict[str, Any] = {key: value for key, value in table.items() if value}

    def fail(self, key: str, found: str, remedy: str) -> NoReturn:
        """Raise for what was found at a key."""
        where = ".".join(filter(None, (self._name, key)))
        raise ExporterError(": ".join(filter(None, (str(self._path), where, f"{found}; {remedy}"))))

    def table(
        self,
        key: str,
        keys: Iterable[str] | None = None,
        refused: Mapping[str, str] | None = None,
    ) -> Table:
        """Give a table inside this one; an empty one if it is not there."""
        name = ".".join(filter(None, (self._name, key)))
        return Table(self._path, name, self.values.get(key), keys, refused)

    def text(self, key: str) -> str:
        """Give a text; an empty one if it is not there."""
        found: object = self.values.get(key, "")
        if not isinstance(found, str):
            self.fail(key, _found(found), "allowed is a text")
        return found

    def texts(self, key: str) -> list[str]:
        """Give a list of texts; an empty one if it is not there."""
        found: object = self.values.get(key, [])
        if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
            self.fail(key, _found(found), "allowed is a list of texts")
        return found

    def choice(self, key: str, choices: Mapping[str, _T], default: _T) -> _T:
        """Give what one of a few words stands for; the default if it is not there."""
        found = self.text(key)
        if found and found not in choices:
            self.fail(key, f"found {found!r}", allowed_names(found, choices))
        return choices[found] if found else default


def read_yaml(path: Path) -> object:
    """Read a file with every scalar as the text that stands there: `no` may be a user's name.

    Returns:
        Texts, lists and dicts.

    Raises:
        ExporterError: PyYAML is missing, or the file cannot be read or has a key twice.
    """
    try:
        import yaml  # noqa: PLC0415  of an extra, and only whoever has such a file needs it
    except ImportError as error:
        raise ExporterError(f"{path}: PyYAML is missing, which reads it; {INSTALL}") from error
    try:
        node = yaml.compose(path.read_text("utf-8"), yaml.BaseLoader)
        return _value(path, node) if node else None
    except OSError as error:
        reason = error.strerror or error
        raise ExporterError(
            f"{path}: cannot be read: {reason}; correct METRICS_WEB_CONFIG"
        ) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # Not PyYAML's whole text: it shows the line, and there may be a hash in it.
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else path
        problem = getattr(error, "problem", None) or "it cannot be parsed"
        raise ExporterError(f"{place}: is no YAML: {problem}; correct the file") from None


def _value(path: Path, node: Any) -> object:  # noqa: ANN401 - PyYAML's nodes have no types
    """Make plain data of a node, of which PyYAML itself would take the last of two equal keys."""
    if node.id == "scalar":
        return node.value
    if node.id == "sequence":
        return [_value(path, each) for each in node.value]
    table: dict[object, object] = {}
    for key_node, value in node.value:
        key = _value(path, key_node)
        line = key_node.start_mark.line + 1
        if not isinstance(key, str):
            raise ExporterError(f"{path}:{line}: {_found(key)} as a key; allowed is a text")
        if key in table:
            raise ExporterError(f"{path}:{line}: {key}: stands there twice; remove one of the two")
        table[key] = _value(path, value)
    return table


def _found(value: object) -> str:
    if isinstance(value, list):
        return "found a list"
    return "found a table" if isinstance(value, dict) else f"found {value!r}"
