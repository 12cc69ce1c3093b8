"""A value comes in, the items that can be gone through come out, at most so many of them.

To go through a generator would use it up, and other iterators may have no end. What is gone through
is what Python itself keeps its items in, by the iteration of that very type: no code of the
program's runs, and nothing is changed by it.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from itertools import islice
from typing import Any, Final

__all__ = ["MOST_ITEMS", "items_of"]

MOST_ITEMS: Final = 1000
"""How many items of one call are recorded."""

_EMPTY: Final[dict[object, object]] = {}
_ORDERED: Final[OrderedDict[object, object]] = OrderedDict()
_GONE_THROUGH: Final[frozenset[type[Any]]] = frozenset(
    {list, tuple, set, frozenset, dict, OrderedDict, deque}
    | {
        type(view)
        for each in (_EMPTY, _ORDERED)
        for view in (each.keys(), each.values(), each.items())
    }
)


def items_of(value: object) -> tuple[tuple[object, ...], int]:
    """Give the items of a value, and how many are left out.

    Args:
        value: Any object.

    Raises:
        TypeError: It is none of what is gone through.

    Example:
        >>> items_of({"a": 1})
        (('a',), 0)
    """
    kind: type[Any] = type(value)
    if kind not in _GONE_THROUGH:
        kind = next((each for each in kind.__mro__ if "__iter__" in vars(each)), object)
        if kind not in _GONE_THROUGH:
            raise TypeError(
                f"a value of the type {type(value).__name__} is not gone through; lists, tuples, "
                "sets, dicts, deques and views of dicts are"
            )
    # In one step of C: another thread may change it meanwhile.
    items = tuple(islice(kind.__iter__(value), MOST_ITEMS))
    return items, max(kind.__len__(value) - len(items), 0) if len(items) == MOST_ITEMS else 0
