"""Write many counts at once as Protocol Buffers pack them: how each differs from the one before.

A loop over fifty buckets would take longer than all else of a series. So all counts are taken as
one large whole number, in which each has a lane of some bytes, and each step below is done for all
lanes by one operation on that number.

Each difference has as many bytes as its lane. That may be more than it needs: a varint may have
bytes that add nothing, which each reader takes (the conformance tests of Protocol Buffers have
them).
"""

from __future__ import annotations

from functools import lru_cache
from sys import byteorder
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from array import array
    from collections.abc import Sequence

__all__ = ["packed_differences"]

_SHAPES_KEPT: Final = 1024
_SEVEN: Final = 0x7F


class _Lanes(NamedTuple):
    """Numbers with the same in each lane.

    Args:
        bits: How wide a lane is.
        all: All bits of all lanes.
        top: The highest bit of each.
        seven: The bits of each byte of a varint, before they are moved there.
        more: What tells that another byte of a varint follows.
    """

    bits: int
    all: int
    top: int
    seven: tuple[int, ...]
    more: int


@lru_cache(_SHAPES_KEPT)
def _lanes(number: int, width: int) -> _Lanes:
    bits = 8 * width
    full = (1 << bits * number) - 1
    ones = full // ((1 << bits) - 1)
    seven = tuple(ones * (_SEVEN << 7 * place) for place in range(width))
    more = ones * int.from_bytes(bytes((*(0x80,) * (width - 1), 0)), "little")
    return _Lanes(bits, full, ones << bits - 1, seven, more)


def packed_differences(runs: Sequence[array[int]]) -> bytes:
    """Write counts, each as its difference from the one before.

    Args:
        runs: The counts, at least one. A bit of each of their bytes is unused, and one more.
    """
    width = runs[0].itemsize
    if byteorder == "big":
        runs = [run[:] for run in runs]
        for run in runs:
            run.byteswap()
    data = b"".join([run.tobytes() for run in runs])
    bits, full, top, seven, more = _lanes(len(data) // width, width)
    counts = int.from_bytes(data, "little")
    # With half of what fits on top, so that no lane takes from the next.
    raised = top + counts - (counts << bits & full)
    negative = (raised & top) ^ top
    one = negative >> bits - 1
    # Zigzag: twice the number, or twice its absolute value less one. Below its highest bit each
    # lane has the number, or what it lacks to 0 beyond the highest bit.
    signed = ((raised & ~top) ^ (negative - one)) << 1 | one
    if width > 1:
        found = more
        for place, mask in enumerate(seven):
            found |= (signed & mask) << place
        signed = found
    return signed.to_bytes(len(data), "little")
