from __future__ import annotations

import ast
import types
import warnings

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ancestry_obs.exceptions import ExpressionError
from ancestry_obs.expressions import BUILTIN_FUNCTIONS, parse
from ancestry_obs.expressions.grammar import MAX_DEPTH, MAX_LENGTH
from ancestry_obs.expressions.parser import _parse

ACCEPTED = [
    "result",
    "self._private.name",
    "'text'",
    "-1.5",
    "None",
    "a < b <= c",
    "a in ('x', 'y')",
    "a not in ()",
    "a in b",
    "error is None",
    "a is not b",
    "a and b or not c",
    "'hit' if result else 'miss'",
    "items[0]",
    "items['key'].name",
    "items[index]",
    "path[:3]",
    "path[-2:]",
    "path[::2]",
    "a + b - c * d / e // f % g",
    "counts['n'] * 2",
    "+elapsed",
    "ok(result)",
    "bucket(elapsed, 1, 10)",
    "endpoint(endpoint)",
    "upper(text(method))",
    "type_name(error) if error else 'none'",
    "  result\n",
    "(a\n or b)",
    "ünder",
    # A name is no attribute, and what only resembles one of Python's is none.
    "f_name",
    "self.family.code_page",
    "self.f",
    "self._f_x",
    "result['gi_frame']",
    "result['__typename']",
]

REFUSED = {
    # Text that Python itself does not take, or takes with a warning.
    "": "an expression is empty",
    "   ": "an expression is empty",
    "a +": "not a Python expression",
    "a = 1": "not a Python expression",
    "import os": "not a Python expression",
    "a; b": "not a Python expression",
    "a, b\0": "not a Python expression",
    "'\ud800'": "not a Python expression",
    "'\\d'": "not a Python expression: invalid escape sequence",
    "1if a else b": "not a Python expression: invalid decimal literal",
    "a is 'x'": '"is" with',
    # Ways out of the language.
    "__import__('os')": "the name '__import__' is not allowed: it starts with two underscores",
    "__builtins__": "the name '__builtins__' is not allowed",
    "self.__class__": "the name '__class__' is not allowed",
    "self.__dict__['x']": "the name '__dict__' is not allowed",
    "self._\uff3fclass__": "the name '__class__' is not allowed",
    "a.__x": "the name '__x' is not allowed",
    "rows.gi_frame.f_globals['os']": "the attribute 'f_globals' is not allowed: those that begin "
    "with 'f_' are of Python's frames; read one of your own in a label function",
    "rows.gi_frame": "the attribute 'gi_frame' is not allowed",
    "rows.\uff47i_frame": "the attribute 'gi_frame' is not allowed",
    "result.cr_code": "the attribute 'cr_code' is not allowed",
    "result.ag_await": "the attribute 'ag_await' is not allowed",
    "error.trace.tb_next": "the attribute 'tb_next' is not allowed",
    "self.form.f_name": "the attribute 'f_name' is not allowed",
    "code.co_consts[0]": "the attribute 'co_consts' is not allowed",
    "a.b()": "only label functions can be called, by bare name; methods cannot",
    "self.method()": "only label functions can be called",
    "a()()": "only label functions can be called",
    "f(a)(b)": "only label functions can be called",
    "(a or b)(c)": "only label functions can be called",
    "a[0](b)": "only label functions can be called",
    "f(key=a)": "a keyword argument is not allowed; pass it by position",
    "f(**a)": "a keyword argument is not allowed",
    "f(*a)": "a starred argument is not allowed",
    "lambda: 1": "a lambda is not allowed; register a label function under [functions]",
    "(a := b)": "an assignment ':=' is not allowed",
    "await a": "Await is not allowed; see 'Label expressions'",
    "(yield)": "Yield is not allowed",
    "[x for x in a]": "ListComp is not allowed",
    "{x for x in a}": "SetComp is not allowed",
    "{x: x for x in a}": "DictComp is not allowed",
    "f(x for x in a)": "GeneratorExp is not allowed",
    # Calls of a built-in function that could only fail.
    "upper()": "the function 'upper' is called with 0 arguments, not 1",
    "ok(a, b)": "the function 'ok' is called with 2 arguments, not 1",
    "get(a)": "the function 'get' is called with 1 arguments, not 2 to 3",
    "bucket(a)": "the function 'bucket' is called with 1 arguments, not 2 or more",
    # Values that are not needed, or could become big.
    "[a]": "a list is not allowed; write a tuple after 'in'",
    "a in ['x']": "a list is not allowed; write a tuple after 'in'",
    "a in {'x'}": "a set is not allowed; write a tuple after 'in'",
    "{'a': b}": "a dict is not allowed",
    "(a, b)": "a tuple is only allowed on the right side of 'in'",
    "a in (('x',),)": "a tuple is only allowed on the right side of 'in'",
    "d[a, b]": "a tuple is only allowed on the right side of 'in'",
    "a in (*b,)": "a starred argument is not allowed",
    "f'{a}'": "an f-string is not allowed; join with '+'",
    "b'x'": "a literal of type bytes is not allowed",
    "1j": "a literal of type complex is not allowed",
    "...": "a literal of type ellipsis is not allowed",
    "a ** b": "this operator is not allowed; allowed are + - * / // %",
    "a << b": "this operator is not allowed",
    "a >> b": "this operator is not allowed",
    "a | b": "this operator is not allowed",
    "a @ b": "this operator is not allowed",
    "~a": "the operator '~' is not allowed",
    "'x' * 9": "text cannot be repeated or %-formatted",
    "9 * 'x'": "text cannot be repeated",
    "(a or 'x') * 9": "text cannot be repeated",
    "upper('x') * 9": "text cannot be repeated",
    "'xy'[0] * 9": "text cannot be repeated",
    "('a' if b else c) * 9": "text cannot be repeated",
    "('a' + b) * 9": "text cannot be repeated",
    "'%9d' % a": "text cannot be repeated or %-formatted",
    "path[a:]": "a slice is only allowed as a subscript with constant bounds",
    "path[:1.5]": "a slice is only allowed as a subscript with constant bounds",
    "path[f(a):]": "a slice is only allowed as a subscript with constant bounds",
}


@pytest.mark.parametrize("source", ACCEPTED)
def test_accepted(source):
    assert parse(source).source == source.strip()


@pytest.mark.parametrize(("source", "message"), REFUSED.items())
def test_refused(source, message):
    with pytest.raises(ExpressionError) as caught:
        parse(source)
    assert message in caught.value.message


@pytest.mark.parametrize("source", ["self.age()", "self.pool.size()", "self._queue.qsize() + 1"])
def test_a_sample_may_call_methods_of_self_without_arguments(source):
    assert parse(source, allow_methods=True).names == {"self"}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("self.age(1)", "a method is called without arguments here"),
        ("self.age(now=1)", "a keyword argument is not allowed"),
        ("self.pool().size()", "only label functions can be called"),
        ("other.age()", "only label functions can be called"),
        ("self.__del__()", "the name '__del__' is not allowed"),
    ],
)
def test_a_sample_may_call_nothing_else(source, message):
    with pytest.raises(ExpressionError) as caught:
        parse(source, allow_methods=True)
    assert message in caught.value.message


@pytest.mark.parametrize(
    "kind",
    [
        types.AsyncGeneratorType,
        types.CodeType,
        types.CoroutineType,
        types.FrameType,
        types.GeneratorType,
        types.TracebackType,
    ],
)
def test_no_attribute_of_python_s_own_objects_can_be_read(kind):
    data = (types.GetSetDescriptorType, types.MemberDescriptorType)
    names = [name for name in dir(kind) if isinstance(getattr(kind, name), data)]
    assert names
    for name in names:
        for allow_methods in (False, True):
            with pytest.raises(ExpressionError, match="is not allowed"):
                parse(f"self.part.{name}", allow_methods=allow_methods)


def test_self_called_by_bare_name_is_a_label_function():
    # `check` will not find one of that name.
    assert parse("self()", allow_methods=True).functions == {"self"}


def test_names_and_functions_are_told_apart():
    expression = parse("endpoint(endpoint) if ok(result.x) else text(self.y[i])")
    assert expression.names == {"endpoint", "result", "self", "i"}
    assert expression.functions == {"endpoint", "ok", "text"}


@pytest.mark.parametrize(
    ("source", "constant"), [("'get'", "get"), ("-2", -2), ("1.5", 1.5), ("None", None)]
)
def test_a_literal_is_constant(source, constant):
    expression = parse(source)
    assert expression.is_constant
    assert expression.constant == constant
    assert expression.outcomes == (constant,)


@pytest.mark.parametrize("source", ["a", "'a' + 'b'", "not True", "ok(1)"])
def test_whatever_is_computed_is_not(source):
    expression = parse(source)
    assert (expression.is_constant, expression.constant) == (False, None)


@pytest.mark.parametrize(
    ("source", "outcomes"),
    [
        ("'a' if x else 'b' if y else z", ("a", "b")),
        ("name or 'none'", ("none",)),
        ("name and 'none'", ()),
        ("upper('a')", ()),
    ],
)
def test_outcomes_are_the_literals_a_value_can_be(source, outcomes):
    assert parse(source).outcomes == outcomes


@pytest.mark.parametrize(
    ("source", "is_text"),
    [
        ("'a'", True),
        ("endpoint(url)", True),
        ("'a' if x else upper(y)", True),
        ("'a' if x else y", False),
        ("'a' + text(x)", True),
        ("'a' + x", False),
        ("text(x) or 'none'", True),
        ("x or 'none'", False),
        ("text(x)[:3]", True),
        ("x[:3]", False),
        ("length(x)", False),
        ("1", False),
        ("x", False),
    ],
)
def test_is_text(source, is_text):
    assert parse(source).is_text is is_text


def test_expressions_compare_by_their_text():
    assert parse(" a ") == parse("a")
    assert len({parse("a"), parse("a"), parse("b")}) == 2
    assert str(parse("a or b")) == "a or b"


@pytest.mark.parametrize(
    ("source", "column"),
    [("é + (1, 2)", 5), ("ok(a) + [b]", 9), ("(a\n or [b])", 8), ("a +* b", 4), ("result.", 7)],
)
def test_the_column_counts_characters(source, column):
    with pytest.raises(ExpressionError) as caught:
        parse(source)
    assert caught.value.column == column


def test_length_and_depth_are_limited():
    assert parse("a" * MAX_LENGTH)
    with pytest.raises(ExpressionError, match="has 501 characters, allowed are 500; move the work"):
        parse("a" * (MAX_LENGTH + 1))
    assert parse("a" + ".b" * (MAX_DEPTH - 1))
    with pytest.raises(ExpressionError, match="nested deeper than 30"):
        parse("a" + ".b" * MAX_DEPTH)
    with pytest.raises(ExpressionError, match="not a Python expression"):
        parse("(" * 240 + "a" + ")" * 240)


def test_parsing_leaves_the_warnings_of_the_program_alone():
    before = list(warnings.filters)
    parse("a")
    assert warnings.filters == before


EXPRESSION_NODES = [
    "Name",
    "Attribute",
    "Constant",
    "Compare",
    "BoolOp",
    "IfExp",
    "UnaryOp",
    "BinOp",
    "Subscript",
    "Slice",
    "Tuple",
    "Call",
    "operator",
    "cmpop",
    "boolop",
    "unaryop",
    "expr_context",
]
ALLOWED_NODES = tuple(getattr(ast, name) for name in EXPRESSION_NODES)
# Fragments that would mean harm if one of them got through.
HOSTILE = [
    *[
        "lambda:1",
        "__import__",
        ".__class__",
        "(a:=1)",
        "**9",
        "<<9",
        "{}",
        "*a",
        "f'{x}'",
        "exec('1')",
        "print(1)",
    ],
    *[".gi_frame", ".f_globals", ".co_consts"],
    *[".mro()", "()", "(k=1)", ";", "#", "'", '"', "\\"],
    *("[x for x in y]", "\n", "\0"),
]


def assert_stays_in_the_grammar(text):
    try:
        expression = parse(text)
    except ExpressionError:
        return
    nodes = list(ast.walk(expression.tree))
    assert all(isinstance(node, ALLOWED_NODES) for node in nodes)
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    assert all(isinstance(call.func, ast.Name) and not call.keywords for call in calls)
    assert expression.functions == {call.func.id for call in calls}
    spoken = [*expression.names, *expression.functions]
    spoken += [node.attr for node in nodes if isinstance(node, ast.Attribute)]
    assert not any(name.startswith("__") for name in spoken)
    attributes = [node.attr for node in nodes if isinstance(node, ast.Attribute)]
    insides = ("ag_", "co_", "cr_", "f_", "gi_", "tb_")
    assert not any(name.startswith(insides) for name in attributes)


@given(st.text(max_size=60))
def test_arbitrary_text_is_refused_or_in_the_grammar(text):
    assert_stays_in_the_grammar(text)


@settings(max_examples=300)
@given(data=st.data())
def test_a_mutated_expression_is_refused_or_in_the_grammar(expression_texts, data):
    text = data.draw(expression_texts)
    at = data.draw(st.integers(0, len(text)))
    until = data.draw(st.integers(at, len(text)))
    assert_stays_in_the_grammar(text[:at] + data.draw(st.sampled_from(HOSTILE)) + text[until:])


@given(data=st.data())
def test_the_text_of_a_tree_parses_to_the_same_tree(expression_texts, data):
    try:
        expression = parse(data.draw(expression_texts))
        again = parse(ast.unparse(expression.tree))
    except ExpressionError:
        assume(False)
    assert ast.dump(again.tree) == ast.dump(expression.tree)
    assert expression.functions <= BUILTIN_FUNCTIONS.keys()


def test_what_is_remembered_of_expressions_is_bounded_in_number_and_in_characters():
    assert parse(" " * 10**6 + "a") is parse("a")
    for number in range(2000):
        parse(f"a + {number}")
    assert _parse.cache_info().currsize == 1024
