from __future__ import annotations

import subprocess
import sys

import pytest

# A process of its own: there is one profiler in a process, and a package to be imported afresh.
_PROGRAM = """
import independent_count

starts = independent_count.Starts(["shop"])
import shop

shop.main()
starts.settle()
targets = [
    "add", "Cart.total.fget", "Cart.total.fset", "Cart.make", "price", "numbers", "counted",
    "outer", "never", "Item.__init__", "recursive", "absent",
]
for target, count in starts.finished(f"shop:{each}" for each in targets).items():
    print(target, count)
"""

_SHOP = """
import dataclasses, functools, types

def add(): pass

class Cart:
    @property
    def total(self): return 1
    @total.setter
    def total(self, value): pass
    @classmethod
    def make(cls): return cls()

@functools.lru_cache
def price(item): return item

def numbers():
    yield 1
    yield 2

# Each is a closure of the same code.
def decorated(function):
    def inner(): return function()
    return inner

counted, outer = decorated(add), decorated(add)
# Weaving gives each a code of its own.
outer.__code__ = outer.__code__.replace()

def never(): yield

@dataclasses.dataclass
class Item:
    name: str

def recursive(n): return n and recursive(n - 1)

def stand_in(function):
    '''Let another code call the original one, as the toolkit does where it cannot write into it.'''
    original = types.FunctionType(function.__code__, globals())
    place = function.__code__
    code = (lambda: HELD()).__code__.replace(
        co_filename=place.co_filename,
        co_qualname=place.co_qualname,
        co_firstlineno=place.co_firstlineno,
    )
    globals()["HELD"] = original
    function.__code__ = code

def main():
    stand_in(add)
    add()                                   # 1
    counted(), counted(), outer()           # 4: these call it as well
    cart = Cart.make()
    cart.total; cart.total; cart.total = 3
    price(1), price(1), price(2)            # a hit never enters the function
    list(numbers()), next(numbers())        # finished, and closed at once
    global held
    held = numbers()
    next(held)                              # open at the end
    global unstarted
    unstarted = never()
    Item("tea")
    recursive(3)
"""


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring came with Python 3.12")
def test_each_finished_call_is_counted_once(tmp_path, repository):
    (tmp_path / "shop.py").write_text(_SHOP, "utf-8")
    (tmp_path / "program.py").write_text(_PROGRAM, "utf-8")
    answer = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(repository / "transparency/plugins")},
        capture_output=True,
        text=True,
        check=True,
    )
    counts = dict(line.removeprefix("shop:").split() for line in answer.stdout.splitlines())
    assert counts == {
        "add": "4",
        "Cart.total.fget": "2",
        "Cart.total.fset": "1",
        "Cart.make": "1",
        "price": "3",
        "numbers": "2",
        "counted": "2",
        "outer": "1",
        "never": "0",
        "Item.__init__": "1",
        "recursive": "4",
        "absent": "None",
    }
