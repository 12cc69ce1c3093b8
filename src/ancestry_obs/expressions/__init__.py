"""Label expressions: text from the map goes in, checked source for statements comes out.

`parse` accepts a small subset of Python expressions, `check` compares the names in one with what
its target has, `emit` writes it as source with the statements' own identifiers. `BUILTIN_FUNCTIONS`
are the functions that an expression may call. Nothing here evaluates an expression.
"""

from __future__ import annotations

from ancestry_obs.expressions.emission import check, emit
from ancestry_obs.expressions.functions import BUILTIN_FUNCTIONS
from ancestry_obs.expressions.parser import Expression, parse

__all__ = ["BUILTIN_FUNCTIONS", "Expression", "check", "emit", "parse"]
