from __future__ import annotations

import sys

from ancestry_obs.patcher.main_code import with_looks

SOURCE = """\
'''Text.'''
from __future__ import annotations
'more text'
x = 1
def f(a: Absent): return a
if x:
    y = f(2)
for z in range(3):
    x += z
"""


def looked(source, code=None):
    """Execute code with looks; gives what was there at each, and the namespace at the end."""
    seen = []
    namespace = {}
    code = code or compile(source, "<program>", "exec", dont_inherit=True)

    def look():
        frame = sys._getframe(1)
        seen.append((frame.f_lineno, "".join(sorted(set("fxyz") & {*frame.f_globals}))))

    made = with_looks(code, source, look)
    exec(made, namespace)
    return seen, namespace, made, code


def test_there_is_a_look_after_each_statement_but_not_in_loops():
    seen, namespace, _, _ = looked(SOURCE)
    assert seen == [(4, "x"), (5, "fx"), (7, "fxy"), (6, "fxy"), (8, "fxyz")]
    assert namespace["x"] == 4


def test_it_is_the_same_module_otherwise():
    _, namespace, made, code = looked(SOURCE)
    assert namespace["__doc__"] == "Text."
    assert namespace["f"].__annotations__ == {"a": "Absent"}
    assert namespace["f"].__code__ in code.co_consts
    assert any(each is namespace["f"].__code__ for each in code.co_consts)
    assert (made.co_filename, made.co_name, made.co_qualname) == (
        "<program>",
        "<module>",
        "<module>",
    )


def test_code_of_another_source_stays_as_it_is():
    other = compile("x = 2", "<program>", "exec")
    seen, namespace, made, _ = looked(SOURCE, other)
    assert made is other
    assert (seen, namespace["x"]) == ([], 2)


def test_nothing_odd_about_the_source_is_told_again(recwarn):
    source = "x = '\\d'\ny = x is 1\n"
    code = compile(source, "<program>", "exec", dont_inherit=True)
    recwarn.clear()
    assert looked(source, code)[0]
    assert not recwarn.list
