"""Names with a dot that stand for a value of their own, not for an attribute of something.

`told.status`, `context.tenant`, `entry.size` and `target.name` look like attributes, as people
expect them, but are variables: each has its own value at each call. A parameter of a target that is
called ``told``, ``context`` or ``target`` keeps its name (see `Given.without`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ancestry_obs.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Container

__all__ = ["EXPLAINED", "HANDED", "NOTHING", "NO_SCOPE", "TARGET", "Given", "entry_variable"]

TARGET: Final = ("target.name", "target.module", "target.class_name")
"""What there is to know of a target; the same at each of its calls."""

HANDED: Final = ("context", "told")
"""Roots of what other calls hand over: from around a call, and from inside of it."""

EXPLAINED: Final = {
    "context": "context.NAME is what an outer call knows",
    "entry": "entry.NAME is a value of the instrument's own table 'entry'",
    "target": f"there are {', '.join(TARGET)}",
    "told": "told.NAME is what an inner call tells, known when the call is over",
}
"""What to say to whoever reads one of these roots in another way, or where it is not known."""

NO_SCOPE: Final = (
    "a generator has no context, told or outermost, since other calls come between its items; name "
    "a function that calls it, or that it calls"
)
"""Why a generator cannot have what is for all calls inside of one."""


@frozen(slots=False)
class Given:
    """The names with a dot that an expression may read.

    Args:
        roots: What may stand before the dot with anything behind it.
        names: Each other name, and the variable that it is.
    """

    roots: frozenset[str] = frozenset()
    names: tuple[tuple[str, str], ...] = ()

    def variable(self, root: str, attribute: str) -> str | None:
        """Give the variable that ``root.attribute`` is, or `None` if it is an attribute."""
        name = f"{root}.{attribute}"
        return name if root in self.roots else dict(self.names).get(name)

    def unknown(self, root: str, attribute: str) -> str | None:
        """Say what is wrong with ``root.attribute`` if the root is the map's own name.

        Args:
            root: What stands before the dot.
            attribute: What stands behind it.
        """
        known = [each for each, _ in self.names if each.startswith("entry.")]
        name = f"{root}.{attribute}"
        if root != "entry" or not known or name in known:
            return None
        from difflib import get_close_matches  # noqa: PLC0415 - for mistakes alone

        nearest = get_close_matches(name, known, n=1)
        hint = f"did you mean {nearest[0]!r}? " if nearest else ""
        return f"unknown name {name!r}; {hint}known are {', '.join(known)}"

    def only(self, variables: set[str]) -> Given:
        """Give what is left if no other variables are read."""
        return Given(
            self.roots & {each.partition(".")[0] for each in variables},
            tuple(each for each in self.names if each[1] in variables),
        )

    def hidden_by(self, parameters: Container[str]) -> frozenset[str]:
        """Give the roots that are names of parameters, but for `entry`, the map's own name."""
        roots = {*self.roots, *(each[0].partition(".")[0] for each in self.names)} - {"entry"}
        return frozenset(each for each in roots if each in parameters)

    def without(self, roots: frozenset[str]) -> Given:
        """Give what is left where some roots are names of parameters."""
        names = tuple(each for each in self.names if each[0].partition(".")[0] not in roots)
        return Given(self.roots - roots, names)


NOTHING: Final = Given()


def entry_variable(name: str, source: str) -> str:
    """Name the variable of a value that is worked out at the call.

    Several instruments may meet at one function, each with its own value of that name.

    Args:
        name: What the map calls it.
        source: The text of its expression.
    """
    from zlib import crc32  # noqa: PLC0415  few maps have one

    return f"entry.{name}_{crc32(source.encode()):08x}"
