"""Chance that is repeatable: everything drawn follows from the seed and from what it is drawn for.

In: a seed and the name of a thing. Out: numbers, choices and ids for that thing. Drawing by name
instead of from one running generator keeps each thing as it is when others are added or left out:
the 12th match is the same person whether 30 or 3,000 are asked for.
"""

from __future__ import annotations

from hashlib import blake2b
from random import Random
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Iterable


def digest(seed: int, *names: object) -> bytes:
    """Return 16 bytes that follow from the seed and the names alone, on any machine."""
    text = "/".join(map(str, (seed, *names)))
    return blake2b(text.encode(), digest_size=16).digest()


def fraction(seed: int, *names: object) -> float:
    """Return a number in [0, 1) for what is named.

    Example:
        >>> fraction(7, "fault", 12) == fraction(7, "fault", 12)
        True
    """
    return int.from_bytes(digest(seed, *names)[:6], "big") / 2**48


def generator(seed: int, *names: object) -> Random:
    """Return a generator of its own for what is named, for those who need several draws."""
    return Random(digest(seed, *names))  # noqa: S311 - repeatable chance is the point, not secrecy


def identifier(seed: int, *names: object) -> str:
    """Return an upper-case UUID for what is named, as the service shows ids."""
    return str(UUID(bytes=digest(seed, *names), version=4)).upper()


def selection(seed: int, purpose: str, names: Iterable[str], count: int) -> frozenset[str]:
    """Choose `count` of the names; a larger count keeps those that a smaller one had chosen."""
    ranked = sorted(names, key=lambda name: digest(seed, purpose, name))
    return frozenset(ranked[:count])
