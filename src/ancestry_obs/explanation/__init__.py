"""A word of a map comes in; what the map does there goes out, the whole way to the alert.

names    a word -> a metric, or targets of the map
facts    a metric or targets -> plain data, as `explain --json` prints it
writing  the same data -> lines for a terminal of 80 columns

What stands in the functions is given by who has woven the map; nothing is imported here.
"""

from __future__ import annotations

from ancestry_obs.explanation.facts import Way, metric_facts, target_facts
from ancestry_obs.explanation.names import find, nearest
from ancestry_obs.explanation.writing import metric_lines, target_lines

__all__ = ["Way", "find", "metric_facts", "metric_lines", "nearest", "target_facts", "target_lines"]
