from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from ancestry_obs.exceptions import LaunchError
from ancestry_obs.suggestion.traced_command import trace

KINDS = """
    import asyncio, dataclasses, functools, threading

    class Cart:
        def __init__(self):
            self.items = []

        def add(self, item, count=1):
            self.items += [item] * count

        @property
        def size(self):
            return len(self.items)

        @size.setter
        def size(self, number):
            del self.items[number:]

        @staticmethod
        def plain():
            return 1

        @classmethod
        def made(cls):
            return cls()

        def __private(self):
            return 1

        def shows(self):
            return self.__private()

    @dataclasses.dataclass
    class Point:
        x: int

        def moved(self):
            return Point(self.x + 1)

    def retrying(function):
        @functools.wraps(function)
        def attempt(*args):
            try:
                return function(*args)
            except ConnectionError:
                return function(*args)
        return attempt

    left = [1]

    @retrying
    def fetch(url):
        if left:
            left.clear()
            raise ConnectionError(url)
        return url

    def pages(number):
        yield from range(number)

    async def work(seconds):
        await asyncio.sleep(seconds)

    async def stream():
        for number in range(3):
            yield number
            await asyncio.sleep(0)

    def depth(number):
        return number and depth(number - 1)

    def outer():
        def inner():
            return 1
        return [inner() for _ in range(3)]

    def fails():
        raise LookupError

    def never():
        pass

    async def rush():
        await asyncio.gather(*(work(0) for _ in range(4)))
        async for _ in stream():
            pass
        task = asyncio.create_task(work(60))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def main():
        cart = Cart.made()
        cart.add("tea")
        cart.add("milk", count=3)
        cart.size
        cart.size = 2
        cart.plain()
        cart.shows()
        Point(1).moved()
        fetch("a")
        list(pages(3))
        for _ in pages(2):
            break
        thrown = pages(2)
        next(thrown)
        try:
            thrown.throw(KeyError)
        except KeyError:
            pass
        asyncio.run(rush())
        depth(5)
        outer()
        for _ in range(2):
            try:
                fails()
            except LookupError:
                pass
        threads = [threading.Thread(target=lambda: [cart.add(1) for _ in range(500)])
                   for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    if __name__ == "__main__":
        main()
"""
CALLS = {
    "Cart.__init__": 1, "Cart.add": 2002, "Cart.plain": 1, "Cart.made": 1, "Cart.shows": 1,
    "Cart.__private": 1, "Point.moved": 1, "retrying": 1, "retrying.<locals>.attempt": 1,
    "fetch": 2, "pages": 3, "work": 5, "stream": 1, "depth": 6, "outer": 1,
    "outer.<locals>.inner": 3, "fails": 2, "rush": 1, "main": 1,
}  # fmt: skip


def test_every_kind_of_call_is_counted(traced):
    result, _ = traced(KINDS)
    found = [(each.qualname, each.calls) for each in result.functions]
    assert (result.code, result.processes) == (0, 1)
    assert sorted(found) == sorted([*CALLS.items(), ("Cart.size", 1), ("Cart.size", 1)])


def test_exceptions_and_results_are_told(traced):
    _, found = traced(KINDS)
    assert found["prog:fails"].raised == 2
    assert found["prog:fetch"].raised == 1
    assert found["prog:fetch"].results == {"str": 1}
    assert found["prog:depth"].results == {"int": 6}


def test_time_is_shared_out(traced):
    source = """
        import asyncio

        def busy():
            total = 0
            for number in range(300_000):
                total += number
            return total

        def depth(number):
            return busy() if not number else depth(number - 1)

        async def waits():
            await asyncio.sleep(0.05)

        def main():
            depth(3)
            asyncio.run(waits())

        main()
    """
    result, found = traced(source)
    assert found["prog:busy"].own == found["prog:busy"].seconds
    # A recursion's time counts once, and what waits takes none.
    assert found["prog:busy"].seconds < found["prog:depth"].seconds < found["prog:main"].seconds
    assert found["prog:depth"].own < found["prog:busy"].own
    after = found["prog:main"].seconds - found["prog:depth"].seconds
    # However busy the machine is: it has waited so long, beside what it took.
    assert found["prog:waits"].seconds + 0.049 < after
    assert sum(each.own for each in result.functions) <= result.seconds


def test_values_are_counted_unless_they_are_somebody_s(traced):
    source = """
        import enum

        def paint(colour):
            pass

        class Colour(enum.Enum):
            RED = 1

            def __init__(self, number):
                paint(self)

            def __str__(self):
                raise RuntimeError("nobody asks the program")

        class Text(str):
            def __hash__(self):
                raise RuntimeError("nobody asks the program")

        def ask(method, user_id, password, flag=False, colour=None, number=0, text_like=None):
            return method

        for at in range(20):
            ask("GET" if at % 2 else "POST", at, f"s3cret-{at}", at > 9, Colour.RED, at)
        ask("GET", 1, "s3cret", True, None, 1, Text("text"))
    """
    _, found = traced(source)
    assert found["prog:ask"].values == {
        "method": {("str", "GET"): 11, ("str", "POST"): 10},
        "flag": {("bool", False): 10, ("bool", True): 11},
        "colour": {("enum", "Colour.RED"): 20, ("NoneType", None): 1},
    }
    assert found["prog:paint"].values == {"colour": {("enum", "Colour.RED"): 1}}


@pytest.mark.parametrize("way", ["fork", "spawn", "subprocess", "os.fork", "execv"])
def test_children_are_traced(traced, way):
    source = f"""
        import multiprocessing, os, subprocess, sys

        def job(number):
            return number

        def main(way):
            job(0)
            if way in ("fork", "spawn"):
                with multiprocessing.get_context(way).Pool(2) as pool:
                    pool.map(job, range(10), chunksize=1)
                    pool.close()
                    pool.join()
            elif way == "subprocess":
                subprocess.run([sys.executable, __file__, "alone"], check=True)
            elif way == "os.fork":
                child = os.fork()
                if not child:
                    job(1)
                    os._exit(0)
                os.waitpid(child, 0)
            elif way == "execv":
                os.execv(sys.executable, [sys.executable, __file__, "alone"])

        if __name__ == "__main__":
            main((sys.argv[1:] or [{way!r}])[0])
    """
    result, found = traced(source)
    assert result.code == 0
    assert found["prog:job"].calls == {"fork": 11, "spawn": 11}.get(way, 2)
    assert found["prog:main"].calls == (2 if way in {"subprocess", "execv"} else 1)


@pytest.mark.parametrize(
    ("words", "package", "target"),
    [
        (("prog.py",), "prog", "prog:main"),
        (("prog.py",), "__main__", "prog:main"),
        (("-m", "prog"), "prog", "prog:main"),
        (("-c", "import prog; prog.main()"), "prog", "prog:main"),
        (("-c", "import other; other.use()"), "other", "other:use"),
    ],
)
def test_names_of_the_program_s_own_file(traced, words, package, target):
    source = "def main():\n    pass\n\nif __name__ == '__main__':\n    main()\n"
    other = "import prog\n\ndef use():\n    prog.main()\n"
    _, found = traced(source, package=package, words=words, other=other)
    assert list(found) == [target]


def test_a_package_s_modules_are_traced_and_no_neighbour(write, monkeypatch):
    folder = write({
        "shop/__init__.py": "", "shop/cart.py": "def add():\n    pass\n",
        "shopping.py": "def go():\n    pass\n",
        "start.py": "import shop.cart, shopping\nshop.cart.add()\nshopping.go()\n",
    })  # fmt: skip
    monkeypatch.chdir(folder)
    result = trace("shop", sys.executable, [sys.executable, "start.py"], output=None)
    assert [each.target for each in result.functions] == ["shop.cart:add"]


@pytest.mark.parametrize(
    ("last", "code"),
    [
        ("sys.exit(7)", 7),
        ("raise ValueError", 1),
        ("os.kill(os.getpid(), signal.SIGKILL)", 128 + signal.SIGKILL),
        ("os._exit(3)", 3),
    ],
)
def test_the_exit_code_is_the_command_s(traced, last, code):
    result, found = traced(f"import os, signal, sys\n\ndef go():\n    pass\n\ngo()\n{last}\n")
    assert result.code == code
    # What is killed outright can leave nothing.
    assert ("prog:go" in found) == (code < 128)


@pytest.mark.parametrize("number", ["SIGTERM", "SIGHUP"])
def test_a_server_that_is_ended_leaves_its_counts(traced, number):
    result, found = traced(f"""
        import os, signal

        def serve():
            os.kill(os.getppid(), signal.{number})
            while True:
                signal.pause()

        serve()
    """)
    assert result.code == 128 + getattr(signal, number)
    assert [each.calls for each in found.values()] == [1]


@pytest.mark.parametrize(("number", "code"), [("SIGTERM", 5), ("SIGHUP", 6), ("SIGINT", 0)])
def test_signals_are_the_command_s(traced, number, code):
    # A terminal sends SIGINT to both, so that it is not passed on.
    source = f"""
        import os, signal, sys

        signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))
        signal.signal(signal.SIGHUP, lambda *_: sys.exit(6))
        os.kill(os.getppid(), signal.{number})
        while {number!r} != "SIGINT":
            signal.pause()
    """
    handlers = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)]
    result, _ = traced(source)
    assert result.code == code
    assert handlers == [
        signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    ]


def test_the_program_does_what_it_did(write, monkeypatch):
    source = """
        import gc, json, sys, threading, traceback, weakref

        class Thing:
            pass

        def takes(thing):
            seen = weakref.ref(thing)
            del thing
            return seen() is None

        def gone():
            return takes(Thing())

        def raises():
            raise LookupError("lost")

        def closed():
            try:
                yield 1
            finally:
                said.append("closed")

        said = []
        for _ in closed():
            break
        try:
            raises()
        except LookupError as error:
            told = traceback.format_exc()
        print(json.dumps([gone(), told, said, sys.argv, sys.path[0], threading.active_count(),
                          "sitecustomize" in sys.modules, __name__]))
    """
    folder = write({"prog.py": source})
    monkeypatch.chdir(folder)
    words = [sys.executable, "prog.py", "an argument"]
    plain = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    with (folder / "out.txt").open("w") as file:
        result = trace("prog", sys.executable, words, output=file.fileno())
    traced = json.loads((folder / "out.txt").read_text())
    expected = json.loads(plain)
    if sys.version_info < (3, 12):
        # `sys.setprofile` itself keeps a frame's variables.
        del traced[0], expected[0]
    else:
        assert expected[0]
    assert traced == expected
    assert result.code == 0


def test_what_is_no_program(tmp_path):
    with pytest.raises(LaunchError, match="cannot be executed"):
        trace("prog", str(tmp_path), [str(tmp_path)], output=None)
