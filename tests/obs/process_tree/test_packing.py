"""Plain values as bytes."""

from __future__ import annotations

import marshal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestry_obs.process_tree.packing import pack, unpack

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda each: st.lists(each) | st.dictionaries(st.text(), each) | st.tuples(each, each),
    max_leaves=20,
)


@given(PLAIN)
def test_what_was_packed_comes_back(value):
    assert unpack(pack(value)) == value


@given(st.data())
def test_any_damage_shows(data):
    packed = bytearray(pack({"calls": [1, 2.5, "three"]}))
    place = data.draw(st.integers(0, len(packed) - 1))
    packed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ValueError, match="damaged, or of another version"):
        unpack(bytes(packed))


@pytest.mark.parametrize("cut", [0, 3, 6, 8, 12])
def test_a_beginning_is_not_enough(cut):
    with pytest.raises(ValueError, match="damaged"):
        unpack(pack((1, 2, 3))[:cut])


def test_what_only_marshal_wrote_is_not_read():
    with pytest.raises(ValueError, match="damaged"):
        unpack(marshal.dumps((1, 2)))
