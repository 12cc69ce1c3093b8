"""Whatever is called, in whatever order, with folds in between: the totals are the plain ones."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from http import HTTPStatus
from types import FunctionType, SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ancestry_obs.compiler import Advice, Aspect, Runtime, weave
from ancestry_obs.exceptions import Where
from ancestry_obs.expressions import BUILTIN_FUNCTIONS, parse
from ancestry_obs.mapfile.specs import LabelSpec, MetricSpec, RecordSpec
from ancestry_obs.recording import Store

NOWHERE = Where("test.toml", None, "")
LABELS = {
    "name": "name",
    "family": "status_family(result)",
    "fine": "'yes' if ok(result) else 'no'",
    "how": "outcome(error)",
}
LIMIT = 4

statuses = st.sampled_from((200, 204, 404, 503, True, 0, "200", None, HTTPStatus.OK))
results = st.one_of(
    st.builds(lambda status: SimpleNamespace(status_code=status), statuses),
    st.builds(lambda status: SimpleNamespace(status=status), statuses),
    st.builds(SimpleNamespace),
    statuses,
    st.just(KeyError("raised")),
)
names = st.one_of(
    st.text(max_size=2), st.sampled_from((1, True, 1.0, 0, False, -0.0, 0.0, None, (1,), "a", "b"))
)
steps = st.lists(st.one_of(st.tuples(names, results), st.just("fold")), max_size=40)


def call(name, result):
    if isinstance(result, KeyError):
        raise result
    return result


def text(value):
    return str(value).encode("utf-8", "replace").decode()


def expected(script):
    """Count the calls by labels, with the limit of the first label, the plain way."""
    status_family, ok, outcome = (
        BUILTIN_FUNCTIONS[name] for name in ("status_family", "ok", "outcome")
    )
    known, counts = {"other", "error"}, Counter()
    for name, result in script:
        label = text(name)
        if label not in known and len(known) - 2 < LIMIT:
            known.add(label)
        error = result if isinstance(result, KeyError) else None
        value = None if error else result
        counts[
            label if label in known else "other",
            status_family(value),
            "yes" if ok(value) else "no",
            outcome(error),
        ] += 1
    return counts


@pytest.mark.parametrize("source", [None, ""], ids=["inline", "call"])
@given(script=steps)
@settings(deadline=None)  # the first example reads this file
def test_a_woven_function_counts_what_the_plain_way_counts(source, script):
    bounds = {"name": (None, LIMIT), "family": (("2xx", "4xx", "5xx"), None), "fine": (None, 9)}
    bounds["how"] = (None, 9)
    specs = tuple(LabelSpec(name, *bound, NOWHERE) for name, bound in bounds.items())
    metric = MetricSpec("a_total", "counter", "H.", specs, (), NOWHERE)
    labels = tuple((name, parse(label)) for name, label in LABELS.items())
    record = RecordSpec("a_total", labels, None, None, "exit", None, NOWHERE)
    store = Store("")
    advices = (Advice((record,), (metric,)),)
    aspect = Aspect("m:call", call.__code__, advices, Runtime(store), function=call)
    (woven,) = weave([aspect], source)
    function = FunctionType(woven.code, globals())
    calls = []
    for step in script:
        if step == "fold":
            store.fold()
        else:
            calls.append(step)
            with suppress(KeyError):
                function(*step)
    store.fold()
    found = {key: series.value for key, series in store.family(metric).series()}
    assert found == expected(calls)
    assert woven.calls() == len(calls)
