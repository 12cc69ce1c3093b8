"""Text such as ``package.module:Class.method`` goes in, a `TargetPattern` comes out.

Only the form is checked; whether there is such a thing is for the patcher to find out.
"""

from __future__ import annotations

from ancestry_obs.exceptions import TargetError
from ancestry_obs.frozen import frozen

__all__ = ["TargetPattern", "facts_of", "parse_target"]


@frozen()
class TargetPattern:
    """A target, or a glob over targets.

    Args:
        module: The module's dotted name; may hold ``*`` after the top-level package.
        qualname: The dotted name within the module; may hold ``*``.
    """

    module: str
    qualname: str

    def __str__(self) -> str:
        return f"{self.module}:{self.qualname}"

    @property
    def is_glob(self) -> bool:
        """Whether it can match more than one target."""
        return "*" in str(self)

    @property
    def package(self) -> str:
        """The top-level package, which never holds a ``*``."""
        return self.module.partition(".")[0]


def parse_target(text: str) -> TargetPattern:
    """Parse a target's text.

    Args:
        text: ``module:qualname``, in which ``*`` stands for any text, dots included. The top-level
            package is written out, since a glob over all packages would hook every import.

    Returns:
        The pattern.

    Raises:
        TargetError: The text has another form.

    Example:
        >>> parse_target("package.*:Cache.*").package
        'package'
    """
    module, colon, qualname = text.partition(":")
    if not (colon and module and qualname):
        raise TargetError(
            f"target {text!r} is no module:qualname, such as 'package.module:Class.method'"
        )
    if "*" in module.partition(".")[0]:
        raise TargetError(f"target {text!r} has a '*' in the top-level package; write it out")
    # A function inside a function, as its `__qualname__` has it.
    names = qualname.replace(".<locals>.", ".").split(".")
    for part in (*module.split("."), *names):
        if not part.replace("*", "x").isidentifier():
            raise TargetError(f"target {text!r} has {part!r}, which is no Python name")
    return TargetPattern(module, qualname)


def facts_of(target: str) -> dict[str, str]:
    """Give what expressions may know of a target, by the names that they have for it.

    Args:
        target: ``module:qualname``, as `status` has it.

    Example:
        >>> facts_of("shop.carts:Cart.add")["target.class_name"]
        'Cart'
    """
    module, _, qualname = target.removesuffix(" (definition)").partition(":")
    path = qualname.split(".")
    if path[-1] in {"fget", "fset", "fdel"}:
        path.pop()
    owner = path[-2] if len(path) > 1 and path[-2] != "<locals>" else ""
    return {"target.name": path[-1], "target.module": module, "target.class_name": owner}
