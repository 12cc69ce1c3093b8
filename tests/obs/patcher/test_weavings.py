"""Functions in place: exchanged code, closures, definitions inside objects, and what is gone."""

from __future__ import annotations

import gc
import importlib
import pickle
import sys

import pytest

from ancestry_obs.patcher import Pointcut

EXCHANGED = "def f(n=1): return n\ndef g(n=2): return n + 100\ndef late(): return f()"


def test_code_that_the_program_exchanges_is_woven_again_at_the_next_report(
    program, weave, weaver, states, totals
):
    prog = program(EXCHANGED)
    weave("prog:f")
    prog.f()
    theirs = prog.g.__code__
    prog.f.__code__ = theirs
    assert states() == {"prog:f": "installed"}

    assert (prog.f(), weaver.calls) == (101, ["prog:f"] * 2)
    assert totals() == {"prog:f": 2}
    weave()
    assert prog.f.__code__ is theirs


@pytest.mark.parametrize("restored", ["original", "another woven one"])
def test_code_that_looks_like_ours_but_is_not_what_was_given_is_seen(
    program, weave, weaver, states, restored
):
    prog = program(EXCHANGED)
    original = prog.f.__code__
    weave("prog:f", "prog:g")
    prog.f.__code__ = original if restored == "original" else prog.g.__code__
    expected = prog.f()
    weaver.take_calls()
    states()

    assert prog.f() == expected
    assert weaver.take_calls() == ["prog:f"]
    prog.g()
    assert weaver.take_calls() == ["prog:g"]


def test_uninstalling_leaves_the_programs_code_and_says_so(program, patcher, weave, states, reason):
    prog = program(EXCHANGED)
    theirs = prog.g.__code__
    weave("prog:f")
    prog.f.__code__ = theirs
    weave()

    assert prog.f.__code__ is theirs
    assert states() == {"prog:f": "error"}
    assert reason("prog:f") == (
        "left in place: the program has given the function other code meanwhile"
    )


def test_code_that_cannot_be_woven_again_is_an_error_with_its_reason(
    program, weave, weaver, states, reason
):
    prog = program(EXCHANGED)
    weave("prog:f")
    theirs = prog.f.__code__ = prog.g.__code__.replace(co_name="theirs")
    weaver.refuse["prog:f"] = ValueError("not this code")

    assert states() == {"prog:f": "error"}
    assert reason("prog:f") == "cannot be woven: not this code"
    assert prog.f.__code__ is theirs
    del weaver.refuse["prog:f"]
    prog.f.__code__ = prog.g.__code__
    assert states() == {"prog:f": "installed"}


INSIDE = """
    def outer(n):
        own = n
        def inner(k=0):
            def deepest(): return own
            return deepest() + k
        def other(): return own
        first, second = lambda: 1, lambda: 2
        return inner, other, first, second

    class A:
        def make(self):
            class Local:
                def run(self): return 3
            return Local

    before = outer(10)[0], outer(20)[0]
    earlier = A().make()
"""


def test_a_function_inside_a_function_is_a_target(program, weave, weaver, reports):
    prog = program(INSIDE)
    weave("prog:outer.<locals>.inner")
    inner, other, *_ = prog.outer(1)

    assert (inner(), other()) == (1, 1)
    assert weaver.take_calls() == ["prog:outer.<locals>.inner"]
    assert reports()["prog:outer.<locals>.inner"].way == "inline"
    assert [each() for each in prog.before] == [10, 20]
    assert weaver.take_calls() == ["prog:outer.<locals>.inner"] * 2


def test_closures_from_before_and_in_between_come_back(program, weave, weaver):
    prog = program(INSIDE)
    code, outer = prog.before[0].__code__, prog.outer.__code__
    weave("prog:outer.<locals>.inner", "prog:outer.<locals>.inner.<locals>.deepest")
    between = prog.outer(30)[0]
    for each in (*prog.before, between):
        assert each(1) % 10 == 1
    assert len(weaver.take_calls()) == 6
    weave("prog:outer.<locals>.inner.<locals>.deepest")
    for each in (*prog.before, between):
        each()
    assert weaver.take_calls() == ["prog:outer.<locals>.inner.<locals>.deepest"] * 3
    weave()

    assert all(each.__code__ is code for each in (*prog.before, between))
    assert prog.outer.__code__ is outer
    assert between() == 30
    assert weaver.calls == []


def test_closures_follow_a_change_of_the_map(program, patcher, weaver, totals):
    prog = program(INSIDE)
    for advice in ("one", "two", "three"):
        patcher.apply([Pointcut("prog:outer.<locals>.inner", advice)])
        prog.before[0]()

    assert weaver.calls == ["prog:outer.<locals>.inner"] * 3
    assert totals() == {"prog:outer.<locals>.inner": 3}


@pytest.mark.parametrize(
    ("kept", "removed"),
    [
        ("prog:outer", "prog:outer.<locals>.inner"),
        ("prog:outer.<locals>.inner", "prog:outer"),
        ("prog:outer.<locals>.inner", "prog:outer.<locals>.other"),
        ("prog:outer.<locals>.inner.<locals>.deepest", "prog:outer.<locals>.inner"),
    ],
)
def test_one_target_of_a_function_can_be_removed_without_the_others(
    program, weave, weaver, picture, kept, removed
):
    prog = program(INSIDE)
    before = picture(prog)

    def call():
        inner, other, *_ = prog.outer(1)
        inner()
        other()
        return sorted(weaver.take_calls())

    weave(kept, removed)
    assert call() == sorted([kept, removed])
    weave(kept)
    assert call() == [kept]
    weave()
    assert call() == []
    assert picture(prog) == before


def test_a_method_of_a_class_inside_a_function_is_a_method(program, weave, weaver):
    prog = program(INSIDE)
    weave("prog:A.make.<locals>.Local.run")

    assert (prog.A().make()().run(), prog.earlier().run()) == (3, 3)
    assert weaver.calls == ["prog:A.make.<locals>.Local.run"] * 2
    assert weaver.asked[-1].is_method


def test_lambdas_on_one_line_are_not_confused(program, weave):
    prog = program(INSIDE)
    weave("prog:outer", "prog:outer.<locals>.inner")
    *_, first, second = prog.outer(1)
    weave()

    assert (first(), second()) == (1, 2)


def test_calls_of_inner_functions_count_during_the_import(project, weave, weaver, states, totals):
    load = project(
        {
            "inner_a.py": """
                def outer():
                    def inner():
                        def deepest(): return 1
                        return deepest()
                    def other(): return 2
                    return inner, other
                made = outer()
                for each in made: each()
                """
        }
    )
    targets = [
        "inner_a:outer",
        "inner_a:outer.<locals>.inner",
        "inner_a:outer.<locals>.inner.<locals>.deepest",
        "inner_a:outer.<locals>.other",
    ]
    weave(*targets)
    module = load("inner_a")
    assert weaver.take_calls() == targets
    for each in (*module.outer(), *module.made):
        each()

    assert sorted(totals().items()) == [
        (targets[0], 2), (targets[1], 3), (targets[2], 3), (targets[3], 3),
    ]  # fmt: skip
    assert weaver.targets() == [*targets]
    assert set(states().values()) == {"installed"}
    weave()
    weaver.take_calls()
    for each in (*module.outer(), *module.made):
        each()
    assert weaver.calls == []
    assert module.made[1].__code__ in module.outer.__code__.co_consts


def test_code_around_an_inner_function_that_is_exchanged_is_told(program, weave, states, reason):
    prog = program(INSIDE)
    weave("prog:outer.<locals>.inner")
    prog.outer.__code__ = (lambda n: ()).__code__

    assert states() == {"prog:outer.<locals>.inner": "error"}
    assert reason("prog:outer.<locals>.inner") == (
        "the program has given other code to the function around it"
    )


def test_an_inner_function_that_is_not_there_is_told(program, weave, reason):
    program(INSIDE)
    weave("prog:outer.<locals>.inmer")

    assert reason("prog:outer.<locals>.inmer") == "'outer' defines no function 'inmer'"


OBJECTS = """
    import functools

    class Task:
        def __init__(self, run, **options):
            self._run, self.options = run, options
            self.name = run.__name__
        def delay(self, *args): return self._run(*args)
        __call__ = delay

    def task(**options): return lambda function: Task(function, **options)

    class Command:
        __slots__ = ("callback", "params")
        def __init__(self, callback): self.callback, self.params = callback, [1, (2,)]
        def main(self, *args): return self.callback(*args)

    def decorate(function):
        @functools.wraps(function)
        def wrapper(*args): return function(*args)
        return wrapper

    class prop(property):
        def __init__(self, get, *, note): super().__init__(get)

    @task(retries=3)
    def job(n): return n

    @Command
    @decorate
    def command(n): return n

    @decorate
    def decorated(n): return n

    def filled(a, b): return b
    filled = functools.partial(filled, 0)

    @functools.lru_cache
    def cached(n): return n

    class A:
        @functools.singledispatchmethod
        def general(self, n): return n
        @functools.cached_property
        def kept(self): return 5
        @property
        @functools.lru_cache
        def remembered(self): return 6
        titled = functools.partial(prop, note="x")(lambda self: 7)
        @task()
        def method(self): return 8
"""


@pytest.mark.parametrize(
    ("target", "at", "call", "count", "way"),
    [
        ("job", "", "job(1), job.delay(1), job._run(1)", 3, "inline"),
        ("job", "definition", "job(1), job.delay(1)", 2, "inline"),
        ("job", "object", "job(1), job.delay(1)", 2, "inline"),
        ("command", "", "command.main(1), command.callback(1)", 2, "inline"),
        ("decorated", "", "decorated(1), decorated.__wrapped__(1)", 1, "inline"),
        ("decorated", "definition", "decorated(1), decorated.__wrapped__(1)", 2, "inline"),
        ("filled", "", "filled(1), filled.func(1, 2)", 2, "inline"),
        ("cached", "", "cached(1), cached(1), cached(1)", 3, "proxy"),
        ("cached", "definition", "cached(1), cached(1), cached(1)", 1, "inline"),
        ("A.general", "", "A().general(1), A().general('x')", 2, "proxy"),
        ("A.general", "definition", "A().general(1)", 1, "inline"),
        ("A.kept", "", "A().kept", 1, "inline"),
        ("A.remembered", "", "A().remembered", 1, "proxy"),
        ("A.remembered", "definition", "A().remembered", 1, "inline"),
        ("A.titled", "", "A().titled", 1, "inline"),
        ("A.method", "", "A.method(A()), A.method.delay(A())", 2, "inline"),
    ],
)
def test_what_decorators_made_is_woven_where_it_is_defined(
    program, weave, weaver, ways, picture, target, at, call, count, way
):
    prog = program(OBJECTS)
    before = picture(prog)
    plain = eval(call, vars(prog))
    prog.cached.cache_clear()
    weave(f"prog:{target}", at=at)

    assert eval(call, vars(prog)) == plain
    assert weaver.calls == [f"prog:{target}"] * count
    assert ways() == {f"prog:{target}": way}
    weave()
    assert picture(prog) == before
    assert eval(call, vars(prog)) == plain
    assert len(weaver.calls) == count


def test_a_function_has_no_definition_but_itself(program, weave, states, reason):
    program("half = len\ndef f(): ...")
    weave("prog:f", "prog:half", at="definition")

    assert states() == {"prog:f": "installed", "prog:half": "error"}
    assert "has no definition of that name" in reason("prog:half")


def test_functions_are_held_weakly_over_many_reloads(project, weave, weaver, living, totals):
    load = project(
        {
            "reload_a.py": "def f(): return 1\n"
            "class A:\n    def run_a(self): return super().__init__()"
        }
    )
    weave("reload_a:f", "reload_a:A.run_a", "reload_a:A.run_a", subclasses=True)
    module = load("reload_a")
    for number in range(1, 301):
        importlib.reload(module)
        module.f()
        module.A().run_a()
        if number % 100 == 0:
            assert totals() == {"reload_a:f": number, "reload_a:A.run_a": number}
    gc.collect()
    totals()  # forgets what is gone

    assert living("A.run_a") <= 2
    assert totals() == {"reload_a:f": 300, "reload_a:A.run_a": 300}


def test_nothing_grows_over_many_reloads(project, patcher, weave, weaver):
    load = project({"grow_a.py": "def f(): return 1"})
    weave("grow_a:f")
    module = load("grow_a")
    sizes = []
    for number in range(1000):
        importlib.reload(module)
        module.f()
        if number in {200, 999}:
            weaver.calls.clear()
            weaver.asked.clear()
            patcher.report()
            gc.collect()
            weavings = patcher._weavings
            former = weavings._former["grow_a:f"]
            sizes.append(
                (
                    len(weavings.all),
                    len(patcher._exchange._originals),
                    len(former._former),
                    len(weavings._gone),
                )
            )

    assert sizes[0] == sizes[1]


def test_closures_come_and_go(program, patcher, weave, living, totals, weaver):
    prog = program(INSIDE)
    weave("prog:outer.<locals>.inner")
    for number in range(1000):
        prog.outer(number)[0]()
    del prog.before

    assert living("outer.<locals>.inner") == 0
    assert totals() == {"prog:outer.<locals>.inner": 1000}
    assert len(patcher._weavings.all) == 1


def test_a_function_that_is_gone_keeps_its_count(program, weave, reports, totals):
    prog = program("def f(): ...\ndef g(): ...")
    weave("prog:f")
    prog.f()
    del prog.f
    gc.collect()

    assert totals() == {"prog:f": 1}
    report = reports()["prog:f"]
    assert (report.state, report.reason) == ("installed", "the function does not exist any more")


def test_the_counts_never_go_back(program, patcher, weaver, totals):
    prog = program("def f(): ...")
    for number in range(20):
        patcher.apply([Pointcut("prog:f", number)])
        prog.f()
        assert totals() == {"prog:f": number + 1}


def test_a_cache_that_is_bound_anew_is_woven_anew(project, weave, weaver, program):
    load = project({"cache_a.py": "import functools\n@functools.lru_cache\ndef f(n): return n"})
    module = load("cache_a")
    user = program("from cache_a import f", "user")
    original = user.f
    weave("cache_a:f")
    old = user.f
    importlib.reload(module)
    module.f(1)
    user.f(1)

    assert weaver.calls == ["cache_a:f"] * 2
    assert user.f is old
    weave()
    assert user.f is original


def test_functions_that_share_code_are_all_put_back(project, weave, weaver):
    load = project(
        {"share_a.py": "made = []\nfor _ in range(3):\n    def f(): return 1\n    made.append(f)"}
    )
    weave("share_a:f")
    module = load("share_a")
    module.f()
    assert weaver.take_calls() == ["share_a:f"]
    weave()
    for each in module.made:
        each()

    assert weaver.calls == []
    assert len({id(each.__code__) for each in module.made}) == 1


def test_a_woven_function_is_pickled_by_its_name(program, weave):
    prog = program("def f(): ...")
    weave("prog:f")

    assert pickle.loads(pickle.dumps(prog.f)) is prog.f
    assert sys.modules["prog"].f is prog.f
