"""typeguard's import hook, which puts its finder in front and compiles another source."""

from __future__ import annotations

LIB = """
    class Thing:
        def go(self, x: int) -> int:
            return x
        @property
        def size(self) -> int:
            return 3
    def work(x: int) -> str:
        return str(x)
    def outer(x: int):
        def inner(y: int) -> int:
            return x + y
        return inner
    async def later(x: int) -> int:
        return x
    def stream(x: int):
        yield x
    TABLE = {"work": work}
    HELD = Thing().go
"""
APP = """
    from typeguard import TypeCheckError, install_import_hook

    install_import_hook("lib")
    import lib


    def attempt(call, *arguments):
        try:
            return call(*arguments)
        except TypeCheckError as error:
            return str(error).partition(" ")[0]


    def finish(coroutine):
        try:
            coroutine.send(None)
        except StopIteration as end:
            return end.value


    def main():
        seen = [lib.work(1), lib.TABLE["work"](2), lib.HELD(3), lib.Thing().go(4)]
        seen += [lib.Thing().size, lib.outer(1)(2), finish(lib.later(5)), *lib.stream(6)]
        return seen + [attempt(lib.work, "text"), attempt(lib.HELD, None)]
"""
COUNTS = {
    "lib:work": 3,
    "lib:Thing.go": 3,
    "lib:Thing.size.fget": 1,
    "lib:outer": 1,
    "lib:outer.<locals>.inner": 1,
    "lib:later": 1,
    "lib:stream": 1,
}
ANSWERS = ["1", "2", 3, 4, 3, 3, 5, 6, "argument", "argument"]


def test_a_module_that_is_imported_under_its_hook(run_program):
    done = run_program(APP, *COUNTS, files={"lib": LIB})
    assert done.result == ANSWERS
    assert done.calls == COUNTS


def test_a_function_that_its_decorator_checks(run_program):
    """`typechecked` makes a new function of the source. It is the one that the name leads to.

    Who has taken the definition before goes on calling that, unchecked: another function.
    """
    program = """
    from typeguard import TypeCheckError, typechecked

    def keep(function):
        KEPT.append(function)
        return function

    KEPT = []

    @typechecked
    @keep
    def work(x: int) -> str:
        return str(x)

    def main():
        seen = [work(1), KEPT[0](2), KEPT[0] is work]
        try:
            work("text")
        except TypeCheckError:
            seen.append("refused")
        return seen
"""
    done = run_program(program, "app:work")
    assert done.result == ["1", "2", False, "refused"]
    assert done.calls == {"app:work": 2}
