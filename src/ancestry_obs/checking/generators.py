"""A function's place in the source -> what a call of it gives; nothing is executed."""

from __future__ import annotations

from textwrap import dedent
from types import CodeType
from typing import TYPE_CHECKING

from ancestry_obs.compiler.aspect import kind_of

if TYPE_CHECKING:
    from ancestry_obs.checking.program import Program
    from ancestry_obs.checking.resolution import Found

__all__ = ["kind_in_source"]


def kind_in_source(found: Found, program: Program) -> str:
    """Tell what a call gives: as `compiler.aspect.Kind`; empty where that cannot be told.

    Args:
        found: The function.
        program: Has its source.
    """
    symbol = found.symbol
    if symbol is None or "lambda" in symbol.flags:
        return ""
    lines = program.text_of(found.item.module).split("\n")[symbol.line - 1 : symbol.end]
    try:
        # By Python's own rules for what a `yield` belongs to.
        module = compile(dedent("\n".join(lines)), "<checked>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):  # it needs what is around it, such as for `nonlocal`
        return ""
    code = next((each for each in module.co_consts if isinstance(each, CodeType)), None)
    return "" if code is None else kind_of(code)
