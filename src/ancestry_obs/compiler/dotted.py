"""How variables with a dot in their names are read: an advice comes in, their text goes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ancestry_obs.compiler.advice import Advice
    from ancestry_obs.compiler.signature import Names

__all__ = ["given_texts", "local_name"]


def given_texts(advice: Advice, names: Names, *, outside: bool = False) -> dict[str, str]:
    """Write each variable that has a dot in its name.

    Args:
        advice: What is wanted.
        names: Makes identifiers.
        outside: Whether what the call itself sets for those within it does not count yet.
    """
    own = set() if outside else {name for name, _ in advice.handed.context}
    texts = {each: names(local_name(each)) for each in advice.nested}
    for root, name in advice.dotted:
        local = names(f"{root}_{name}")
        if root == "told":
            local = f"{names.told}.value.get({name!r})"
        elif root == "context" and name not in own:
            local = f"{names(f'get_context_{name}')}().value"
        texts[f"{root}.{name}"] = local
    return texts


def local_name(variable: str) -> str:
    """Write a variable's name without its dot, for an identifier that begins with a prefix."""
    return variable.replace(".", "_")
