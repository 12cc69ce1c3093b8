from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ancestry_obs.exceptions import Where
from ancestry_obs.mapfile.specs import LabelSpec
from ancestry_obs.recording.limits import LONGEST, LabelLimit, label_text

NOWHERE = Where("test.toml", None, "")


def enumeration(*values):
    return LabelLimit(LabelSpec("a", values, None, NOWHERE))


def free(max_values):
    return LabelLimit(LabelSpec("a", None, max_values, NOWHERE))


def test_an_enumeration_admits_its_values_and_error_and_other():
    limit = enumeration("GET", "POST")
    assert [limit.admit(value) for value in ("GET", "POST", "error", "other")] == [True] * 4
    assert not limit.admit("DELETE")


@given(st.lists(st.text(max_size=3)), st.integers(0, 5))
def test_a_free_label_admits_the_first_values_and_keeps_to_them(values, max_values):
    limit = free(max_values)
    admitted = {value for value in values if limit.admit(value)}
    new = list(dict.fromkeys(value for value in values if value not in {"error", "other"}))
    assert admitted - {"error", "other"} == set(new[:max_values])


def test_threads_that_admit_the_same_values_use_up_one_place_for_each():
    limit = free(50)
    gate = threading.Barrier(4)
    refused = []

    def admit():
        gate.wait()
        refused.extend(value for value in map(str, range(50)) if not limit.admit(value))

    threads = [threading.Thread(target=admit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(limit.admit(str(value)) for value in range(50))
    assert not limit.admit("one more")


def test_a_place_taken_twice_is_given_back():
    limit = free(2)

    class Rival(dict):
        def setdefault(self, key, default=None):
            super().setdefault(key, -7)  # another thread was faster
            return super().setdefault(key, default)

    limit._admitted = Rival(limit._admitted)
    assert limit.admit("a")
    limit._admitted = dict(limit._admitted)
    assert limit.admit("b")
    assert limit.admit("c")
    assert not limit.admit("d")


@given(st.one_of(st.text(), st.integers(), st.none(), st.booleans(), st.floats()))
def test_the_text_of_a_label_is_short_and_can_be_written_as_utf_8(value):
    text = label_text(value)
    assert type(text) is str
    assert len(text) <= LONGEST
    text.encode("utf-8")


class Shouting(str):
    """A text that does anything else than a text does."""

    __slots__ = ()

    def __str__(self):
        return self

    def __getitem__(self, place):
        return self

    def isascii(self):
        return True

    def encode(self, *arguments):
        raise RuntimeError("loud")

    __format__ = __hash__ = __eq__ = encode


class Spoken:
    def __init__(self, text):
        self._text = text

    def __str__(self):
        return self._text


@pytest.mark.parametrize("wrap", [Shouting, lambda text: Spoken(Shouting(text))])
def test_a_class_of_its_own_becomes_a_plain_text(wrap):
    text = label_text(wrap("ä" * 300))
    assert type(text) is str
    assert text == "ä" * LONGEST


def test_a_lone_surrogate_is_replaced():
    assert label_text("a\ud800b") == "a?b"


def test_numbers_and_none_become_their_text():
    assert [label_text(value) for value in (1, True, 1.0, None)] == ["1", "True", "1.0", "None"]


def test_a_text_of_another_class_becomes_a_plain_one_and_none_of_its_methods_runs():
    def fail(*_):
        raise RuntimeError("called")

    names = ("__getitem__", "__len__", "__format__", "__eq__", "isascii", "encode", "translate")
    text = type("Text", (str,), dict.fromkeys(names, fail))

    class Speaker:
        def __str__(self):
            return text("\ud800" + "z" * 1000)

    made = label_text(Speaker())
    assert type(made) is str
    assert made == "?" + "z" * (LONGEST - 1)
