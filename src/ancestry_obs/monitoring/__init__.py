"""A map goes in; a Grafana dashboard, and Prometheus' rules and alerts, come out.

    map -> catalogue -> plan -> queries -> dashboard
                         |----> objectives, alerts -> rules

The catalogue says which metrics and labels there are, the plan (data beside the map, or what ships
for packs, or made of the map alone) what is shown and promised. No stage writes a name that the
catalogue does not have, so a panel cannot ask for what nobody records.

`dashboard`, `drawing` and `styling` need the extra ``[dashboards]`` and are imported by those who
have it; this module and everything else here need the base install only.
"""

from __future__ import annotations

from ancestry_obs.monitoring.catalogue import Catalogue
from ancestry_obs.monitoring.plan import Plan
from ancestry_obs.monitoring.plan_loader import load_plan
from ancestry_obs.monitoring.questions import Question, dashboard_questions, rule_questions
from ancestry_obs.monitoring.rule_file import Group, Rule, rules_yaml
from ancestry_obs.monitoring.rule_groups import build_rules

__all__ = [
    "Catalogue",
    "Group",
    "Plan",
    "Question",
    "Rule",
    "build_rules",
    "dashboard_questions",
    "load_plan",
    "rule_questions",
    "rules_yaml",
]
