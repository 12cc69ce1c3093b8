from __future__ import annotations

import pytest

from ancestry_obs.monitoring import Group, Question, Rule, dashboard_questions, rule_questions


def dashboard(query='label_values(x{a=~"$way"}, shop)'):
    return {
        "templating": {
            "list": [
                {"name": "datasource", "type": "datasource", "query": "prometheus"},
                {"name": "way", "type": "query", "query": {"query": "label_values(y, way)"}},
                {"name": "way_in", "type": "query", "query": {"query": query}},
            ]
        },
        "annotations": {"list": [{"name": "Trips", "expr": "z > 0"}]},
        "panels": [
            {"id": 1, "title": "Row", "type": "row"},
            {
                "id": 2,
                "title": "P",
                "type": "stat",
                "targets": [
                    {"refId": "A", "expr": 'rate(x{b=~"$way_in"}[$__rate_interval])'},
                    {"refId": "B", "expr": "increase(x[$__interval]) / increase(x[$__range])"},
                ],
            },
        ],
    }


def test_everything_that_a_dashboard_asks_is_listed_with_all_chosen():
    assert dashboard_questions(dashboard()) == [
        Question("variable way", "count by (way) (y)"),
        Question("variable way_in", 'count by (shop) (x{a=~".*"})'),
        Question("mark Trips", "z > 0", answered=False),
        Question("panel 2 P, query A", 'rate(x{b=~".*"}[1m])'),
        Question("panel 2 P, query B", "increase(x[1m]) / increase(x[1h])"),
    ]


def test_the_windows_can_be_chosen():
    windows = {"rate_interval": "4s", "interval": "2s", "range": "9s"}
    expressions = [question.expression for question in dashboard_questions(dashboard(), windows)]
    assert expressions[-1] == "increase(x[2s]) / increase(x[9s])"


def test_a_variable_that_asks_something_else_is_refused():
    with pytest.raises(ValueError, match=r"the variable's query 'metrics\(\)' is not label_values"):
        dashboard_questions(dashboard("metrics()"))


def test_an_alert_need_not_be_answered_but_its_inputs_must():
    rules = (Rule("x", record="r"), Rule("x > 1", alert="A", inputs=("x", "y")))
    assert rule_questions([Group("g", rules)]) == [
        Question("r", "x"),
        Question("A", "x > 1", answered=False),
        Question("A, input 1", "x"),
        Question("A, input 2", "y"),
    ]
