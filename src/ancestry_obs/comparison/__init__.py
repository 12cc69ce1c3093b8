"""Two maps come in; what comes and goes between them, and what breaks by it, goes out.

changes     metrics with their labels and series, and targets    `compare`
uses        what asks for metrics: panels, rules, alerts          `uses_of`, `uses_in`
breaks      which of those ask for what is gone                   `breaks`
"""

from __future__ import annotations

from ancestry_obs.comparison.breaks import Break, breaks
from ancestry_obs.comparison.changes import Change, Comparison, compare
from ancestry_obs.comparison.uses import Use, uses_in, uses_of

__all__ = ["Break", "Change", "Comparison", "Use", "breaks", "compare", "uses_in", "uses_of"]
