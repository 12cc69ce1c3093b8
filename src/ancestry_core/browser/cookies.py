"""The cookies of a signed-in browser, as a mapping that does not show its values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping


class Cookies(Mapping[str, str]):
    """Names and values of cookies; only the names appear in logs and errors.

    Args:
        values: The cookies.

    Example:
        >>> Cookies({"ANCSESSIONID": "secret"})
        <Cookies ANCSESSIONID>
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<Cookies {' '.join(sorted(self._values))}>"
