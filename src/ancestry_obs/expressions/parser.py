"""Text of a label expression goes in, a checked `Expression` comes out, or an `ExpressionError`.

The text is parsed by Python's own parser and then every node is compared with `grammar`'s lists of
what is allowed; whatever is not listed is refused, so a construct that a later Python adds is
refused too. Nothing is evaluated here, and which names exist is not asked (see `emission.check`).
"""

from __future__ import annotations

import ast
import warnings
from functools import lru_cache

from ancestry_obs.exceptions import ExpressionError
from ancestry_obs.expressions.given import NOTHING, Given
from ancestry_obs.expressions.grammar import MAX_LENGTH, Grammar, Refusal, given_variable
from ancestry_obs.expressions.inference import is_text, literal, outcomes
from ancestry_obs.frozen import field, frozen

__all__ = ["Expression", "both", "parse"]


@frozen()
class Expression:
    """A parsed label expression; two are equal if their text is, and names mean the same in it.

    Attributes:
        source: The text, without surrounding blanks.
        names: The variables it reads, such as ``url`` or ``self``.
        functions: The label functions it calls.
        is_constant: Whether it is a single literal.
        constant: That literal, or `None` if it is not constant.
        is_text: Whether its value is a `str` whatever the variables hold.
        outcomes: The literals that it can come out as, through conditional branches too.
        tree: The syntax tree; treat it as read-only. A variable with a dot is one `ast.Name`.
        given: The variables with a dot that it reads.
    """

    source: str
    names: frozenset[str] = field(compare=False)
    functions: frozenset[str] = field(compare=False)
    is_constant: bool = field(compare=False)
    constant: object = field(compare=False)
    is_text: bool = field(compare=False)
    outcomes: tuple[object, ...] = field(compare=False)
    tree: ast.expr = field(compare=False, repr=False)
    given: Given = NOTHING

    def __str__(self) -> str:
        return self.source

    def without(self, roots: frozenset[str]) -> Expression:
        """Give what it means where some roots are names of parameters; see `Given.without`."""
        return parse(self.source, given=self.given.without(roots))


def parse(source: str, *, allow_methods: bool = False, given: Given = NOTHING) -> Expression:
    """Parse a label expression.

    Args:
        source: The text, as it stands in a map.
        allow_methods: Also accept ``self.method()`` and ``self.part.method()`` without arguments,
            as a sample's value may.
        given: The names with a dot that are variables, and no attributes.

    Returns:
        The expression.

    Raises:
        ExpressionError: The text is no expression, or has a form that is not in the grammar.

    Example:
        >>> parse("'hit' if result is not None else 'miss'").names
        frozenset({'result'})
    """
    return _parse(source.strip(), allow_methods, given)


# A map says the same thing in many places. What is remembered has at most `MAX_LENGTH` characters.
@lru_cache(maxsize=1024)
def _parse(text: str, allow_methods: bool, given: Given) -> Expression:  # noqa: FBT001 - a key of the cache
    tree = _syntax_tree(text)
    grammar = Grammar(allow_methods=allow_methods, given=given)
    try:
        grammar.visit(tree)
    except Refusal as refusal:
        raise ExpressionError(refusal.message, text, _column(text, refusal.node)) from None
    _refuse_suspicious(tree, text)
    if grammar.dotted:
        tree = _Undotted(given).visit(tree)
    constants = literal(tree)
    return Expression(
        source=text,
        names=frozenset(grammar.names),
        functions=frozenset(grammar.functions),
        is_constant=bool(constants),
        constant=constants[0] if constants else None,
        is_text=is_text(tree),
        outcomes=outcomes(tree),
        tree=tree,
        given=given.only(grammar.dotted),
    )


def both(first: Expression, second: Expression) -> Expression:
    """Join two conditions that are fine by themselves, however long or deep both are together.

    Args:
        first: Is asked first.
        second: Is asked if the first one holds.
    """
    given, more = first.given, second.given
    tree = ast.BoolOp(ast.And(), [first.tree, second.tree])
    return Expression(
        source=f"{first.source} and ({second.source})",
        names=first.names | second.names,
        functions=first.functions | second.functions,
        is_constant=False,
        constant=None,
        is_text=False,
        outcomes=outcomes(tree),
        tree=tree,
        given=Given(given.roots | more.roots, (*given.names, *more.names)),
    )


class _Undotted(ast.NodeTransformer):
    def __init__(self, given: Given) -> None:
        self._given = given

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        variable = given_variable(node, self._given)
        if variable is None:
            return self.generic_visit(node)
        return ast.copy_location(ast.Name(variable, ast.Load()), node)


def _syntax_tree(text: str) -> ast.expr:
    if not text:
        raise ExpressionError("an expression is empty; write a constant such as \"'none'\"", text)
    if len(text) > MAX_LENGTH:
        raise ExpressionError(
            f"an expression has {len(text)} characters, allowed are {MAX_LENGTH}; "
            "move the work into a label function",
            text,
        )
    try:
        return _quietly(text)
    except SyntaxError as error:
        message = f"not a Python expression: {error.msg}"
        # Offset 0 means that the text ends too early.
        raise ExpressionError(message, text, error.offset or len(text)) from None
    # A null byte, a lone surrogate, or nesting beyond the parser's own limit.
    except (ValueError, RecursionError, MemoryError) as error:
        raise ExpressionError(f"not a Python expression: {error}", text) from None


def _quietly(text: str) -> ast.expr:
    # What Python only warns of (an unknown escape, `1if x`) is a mistake in a map.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return ast.parse(text, mode="eval").body


def _refuse_suspicious(tree: ast.expr, text: str) -> None:
    """Refuse what the compiler would warn of, lest the program's own start prints the warning."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            compile(ast.Expression(tree), "<label expression>", "eval")
    except SyntaxError as error:
        raise ExpressionError(f"{error.msg}", text, error.offset or 1) from None


def _column(text: str, node: ast.AST) -> int:
    """Give a node's column in characters; the tree counts in bytes, and per line."""
    line: int = getattr(node, "lineno", 1)
    offset: int = getattr(node, "col_offset", 0)
    lines = text.split("\n")
    before = sum(len(earlier) + 1 for earlier in lines[: line - 1])
    return before + len(lines[line - 1].encode()[:offset].decode()) + 1
