"""Which expressions do not fit a function, by its parameters and annotations."""

from __future__ import annotations

import sys

import pytest

from ancestry_obs.checking.checker import Checker
from ancestry_obs.checking.modules import Finder
from ancestry_obs.checking.program import Program
from ancestry_obs.mapfile import load_text

SHOP = """
    from __future__ import annotations
    import enum
    from dataclasses import dataclass
    from functools import lru_cache, wraps
    from typing import Annotated, Any, Literal, Optional, TYPE_CHECKING
    from absent_x import unknown

    if TYPE_CHECKING:
        from answers import Answer

    class Colour(enum.Enum):
        RED = 1
        BLUE = 2

    class Open:
        def __getattr__(self, name): ...

    class Mixed:
        def run(self):
            return self.provided

    @dataclass
    class Line:
        item: str
        count: int = 1

    class Base:
        def __init__(self, name: str, number: int):
            self.name = name
            self.number, self.rest = number, 1
            with open(name) as self.file:
                pass

        @property
        def size(self) -> int: ...

        def label(self) -> str: ...

    class Cart(Base):
        limit: float = 3.0

        def add(self, item: str, count: int, line: Line, text: "str | None" = None,
                maybe: Optional[int] = None, colour: Colour = Colour.RED, is_new: bool = True,
                way: Literal["in", "out"] = "in", made: Annotated[str, 1] = "", some: Any = 1,
                *more: int, odd: unknown = 1, answer: Answer = None, opened: Open = None,
                mixed: Mixed = None, **rest) -> Answer: ...

        @staticmethod
        def clean(text): ...

        @classmethod
        def of(cls, name): ...

    def wrapping(function):
        @wraps(function)
        def call(*args, **kwargs): ...
        return call

    def hiding(function):
        def call(*args): ...
        return call

    @wrapping
    def tried(url: str): ...
    @hiding
    def hidden(url: str): ...
    @unknown
    def foreign(url: str): ...
    def number(x) -> float: ...
    async def later(x) -> str: ...
    def pages(item: str):
        yield item
    class Feed:
        async def rows(self):
            if self:
                for each in ():
                    yield each
    @hiding
    def hidden_pages(): yield 1
    @lru_cache
    def kept_pages(): yield 1
    def without():
        def inner(): yield 1
        return inner
"""
MAP = """\
version = 1
[metrics.seen_total]
type = "counter"
help = "Seen."
labels.what = {{ max_values = 50 }}
[[instrument]]
target = "{target}"
record = [{{ metric = "seen_total", on = "{on}", {rest}, labels = {{ what = "{label}" }} }}]
"""


@pytest.fixture
def verdict(write):
    def check(target="shop:Cart.add", label="'x'", value="1", on="exit", when="1 > 0"):
        files = {"shop.py": SHOP, "answers.py": "class Answer:\n    status: int\n    text: str\n"}
        folder = write(files)
        rest = f'value = "{value}", when = "{when}"'
        spec = load_text(MAP.format(target=target, label=label, rest=rest, on=on), "a.toml")
        return Checker(Program(Finder([str(folder), *sys.path]))).check(spec)

    return check


def messages(verdict):
    return [each.message for each in verdict.findings]


@pytest.mark.parametrize(
    ("target", "label"),
    [
        ("shop:Cart.add", "item"),
        ("shop:Cart.add", "self.name"),
        ("shop:Cart.add", "self.size"),
        ("shop:Cart.add", "self.file"),
        ("shop:Cart.add", "self.rest"),
        ("shop:Cart.add", "self.limit"),
        ("shop:Cart.add", "line.item"),
        ("shop:Cart.add", "result.status"),
        ("shop:Cart.add", "answer.text"),
        ("shop:Cart.add", "opened.anything"),
        ("shop:Cart.add", "mixed.provided"),
        ("shop:Cart.add", "odd.anything"),
        ("shop:Cart.add", "some.anything"),
        ("shop:Cart.add", "rest['x']"),
        ("shop:Cart.add", "error.args"),
        ("shop:Cart.add", "colour.name"),
        ("shop:Cart.add", "colour.value"),
        ("shop:Cart.of", "self.limit"),
        ("shop:tried", "url"),
        ("shop:tried", "args[0]"),
        ("shop:later", "result"),
    ],
)
def test_what_fits(verdict, target, label):
    assert messages(verdict(target, label)) == []


@pytest.mark.parametrize(
    ("target", "label", "message"),
    [
        ("shop:Cart.add", "itm", "shop:Cart.add: unknown name 'itm'; did you mean 'item'?"),
        ("shop:Cart.clean", "self", "shop:Cart.clean: unknown name 'self'"),
        ("shop:tried", "uri", "shop:tried: unknown name 'uri'; did you mean 'url'?"),
        ("shop:Cart.add", "self.nam", "shop:Cart.add: 'shop:Cart' has no attribute 'nam'; did you"),
        ("shop:Base.label", "self.limit", "shop:Base.label: 'shop:Base' has no attribute 'limit'"),
        ("shop:Cart.add", "line.itm", "shop:Cart.add: 'shop:Line' has no attribute 'itm'; did you"),
        ("shop:Cart.add", "result.code", "shop:Cart.add: 'answers:Answer' has no attribute 'code'"),
        ("shop:Cart.add", "item.nope", "shop:Cart.add: 'str' has no attribute 'nope'"),
        ("shop:Cart.add", "text.nope", "shop:Cart.add: 'str' has no attribute 'nope'"),
        ("shop:Cart.add", "upper(line.itm)", "shop:Cart.add: 'shop:Line' has no attribute 'itm'"),
        ("shop:Cart.add", "'a' if line.itm else 'b'", "shop:Cart.add: 'shop:Line' has no"),
    ],
)
def test_what_does_not_fit(verdict, target, label, message):
    (found,) = messages(verdict(target, label))
    assert found.startswith(message)


def test_at_the_call_there_is_no_result(verdict):
    (found,) = messages(verdict(label="result", on="call"))
    assert "unknown name 'result'" in found


@pytest.mark.parametrize("on", ["first", "item"])
@pytest.mark.parametrize("target", ["shop:pages", "shop:Feed.rows"])
@pytest.mark.parametrize("label", ["item.anything", "elapsed"])
def test_a_generator_hands_items_over(verdict, target, label, on):
    assert messages(verdict(target, label, on=on)) == []


@pytest.mark.parametrize("name", ["result", "error", "items"])
def test_what_is_not_known_when_an_item_is_handed_over(verdict, name):
    (found,) = messages(verdict("shop:pages", name, on="item"))
    assert f"unknown name {name!r}" in found


def test_the_number_of_items_is_known_of_a_generator_that_is_over(verdict):
    assert messages(verdict("shop:Feed.rows", value="items")) == []
    (found,) = messages(verdict("shop:later", value="items"))
    assert "unknown name 'items'" in found


@pytest.mark.parametrize("label", ["item.anything", "item['x']", "x", "elapsed"])
def test_an_item_of_many_is_not_a_parameter(verdict, label):
    assert messages(verdict("shop:number", label, when='1 > 0", each = "result')) == []


@pytest.mark.parametrize(
    ("target", "kind"),
    [("shop:number", "function"), ("shop:later", "coroutine"), ("shop:kept_pages", "function"),
     ("shop:without", "function"), ("shop:tried", "")],
)  # fmt: skip
def test_what_is_no_generator_hands_nothing_over(verdict, target, kind):
    answer = verdict(target, on="item")
    if not kind:
        assert (messages(answer), [each for each, _, _ in answer.doubts]) == ([], [target])
        return
    (found,) = messages(answer)
    assert found == (
        f"{target}: it is no generator, but a {kind}, which hands no items over; on = 'item' is "
        "for functions with a yield"
    )


@pytest.mark.parametrize("target", ["shop:hidden", "shop:foreign"])
def test_what_a_decorator_takes_may_not_be_known(verdict, target):
    answer = verdict(target, "what")
    assert (answer.findings, [target for target, _, _ in answer.doubts]) == ([], [target])


@pytest.mark.parametrize("value", ["count", "self.number", "self.size", "maybe", "length(item)",
                                   "number(item)", "some", "elapsed", "line.count", "count + 1",
                                   "result.status", "count if is_new else 2"])  # fmt: skip
def test_a_number(verdict, value):
    assert messages(verdict(value=value)) == []


TEXTS = ["item", "text", "made", "self.name", "line.item", "result.text", "upper(item)", "way",
         "item[:2]", "count if is_new else item"]  # fmt: skip


@pytest.mark.parametrize("value", TEXTS)
def test_what_may_be_text_is_no_number(verdict, value):
    (found,) = messages(verdict(value=value))
    assert found.startswith(f"shop:Cart.add: the value {value!r} may be text, as it is annotated; ")


def test_a_condition_is_looked_at_too(verdict):
    (found,) = messages(verdict(when="line.itm > 1"))
    assert "has no attribute 'itm'" in found


def test_the_same_mistake_at_many_targets_is_told_once(verdict):
    (found,) = messages(verdict("shop:Cart.*", "itm"))
    assert found.startswith("shop:Cart.add (and 2 more targets): unknown name 'itm'")


@pytest.mark.parametrize(
    ("label", "count"),
    [
        ("is_new", 3),
        ("way", 3),
        ("colour", 3),
        ("'a' if is_new else 'b'", 3),
        ("'a' if is_new else 'b' if count else 'c'", 4),
        ("'only'", 2),
    ],
)
def test_the_values_of_a_label_bound_its_series(verdict, label, count):
    notes = verdict(label=label).notes
    assert f"note: seen_total: {count} series at most, by what its labels can be" in notes


@pytest.mark.parametrize("label", ["item", "some", "maybe", "self.name", "'a' if is_new else item"])
def test_what_has_no_end_is_bounded_by_the_map(verdict, label):
    assert verdict(label=label).notes == ["note: at most 52 series, of which 52 of seen_total"]
