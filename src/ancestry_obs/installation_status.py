"""What `status()` answers: plain data about an installation, which also travels as JSON.

The exporter's `/status` page gives `Status.as_dict()`; `ancestry-obs status URL` reads it back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ancestry_obs.frozen import frozen, replaced

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ancestry_obs.process_tree.totals import Target

__all__ = ["Status", "TargetStatus"]

_WORSE = ("expired", "installed", "pending", "error")


@frozen()
class TargetStatus:
    """One target of the map.

    Args:
        target: `module:qualname` where it is defined, or the pattern that has reached nothing yet.
        state: `pending` (its module is not imported yet), `installed`, `idle` (installed, and never
            called although its module is busy), `expired` (its instrument is over), or `error`.
        reason: why it is not installed, or what is remarkable although it is; may be empty.
        aliases: other names of the map that lead to the same function.
        unreached: what may hold the bare object and stays unmeasured: of a target that could only
            be given a proxy.
        way: how it is woven: `inline` (the statements are in the function's own code), `call` (its
            code calls the original), `proxy` (its name is bound to a proxy).
        patterns: the map's patterns that reach it.
        calls: finished calls so far.
        errors: expressions that failed and values that were dropped.
    """

    target: str
    state: str
    reason: str = ""
    aliases: tuple[str, ...] = ()
    unreached: tuple[str, ...] = ()
    way: str = ""
    patterns: tuple[str, ...] = ()
    calls: int = 0
    errors: int = 0

    def as_row(self) -> Target:
        """Give it, without its name, for the other processes of a run (`process_tree.totals`)."""
        return (
            self.state,
            self.reason,
            self.aliases,
            self.unreached,
            self.way,
            self.patterns,
            self.calls,
            self.errors,
        )

    def as_idle(self, reason: str) -> TargetStatus:
        """Give this one as a target that nothing calls.

        Args:
            reason: Why that is remarkable.
        """
        return replaced(self.remarked(reason), state="idle")

    def remarked(self, remark: str) -> TargetStatus:
        """Give this one with something more that is remarkable."""
        return replaced(self, reason=f"{self.reason}; {remark}" if self.reason else remark)

    def with_copy(self, other: TargetStatus) -> TargetStatus:
        """Give this one together with a second copy of the same target.

        A module that runs as `__main__` may have been imported under its own name as well. What is
        wrong with either copy decides the state.
        """
        worse = max(self, other, key=lambda each: _WORSE.index(each.state))
        return replaced(
            worse,
            aliases=_both(self.aliases, other.aliases),
            unreached=_both(self.unreached, other.unreached),
            patterns=_both(self.patterns, other.patterns),
            calls=self.calls + other.calls,
            errors=self.errors + other.errors,
        )


@frozen()
class Status:
    """A whole installation.

    Args:
        enabled: whether metrics are on; if not, everything else is empty.
        map: the map's file as it was named.
        url: where the exporter answers; empty while none does.
        exporter_error: why no exporter answers, or none can be found, although one was asked for.
        end_error: why a signal would end the program before its metrics are written or pushed.
        map_error: why the map stays as it was although one of its files has changed.
        targets: every target, in the map's order.
    """

    enabled: bool
    map: str = ""
    url: str = ""
    exporter_error: str = ""
    end_error: str = ""
    map_error: str = ""
    targets: tuple[TargetStatus, ...] = ()

    @property
    def failed(self) -> tuple[TargetStatus, ...]:
        """The targets in state `error`."""
        return tuple(each for each in self.targets if each.state == "error")

    @property
    def never_called(self) -> tuple[TargetStatus, ...]:
        """The targets that are installed and have not been called."""
        return tuple(each for each in self.targets if each.state == "installed" and not each.calls)

    def as_dict(self) -> dict[str, Any]:
        """Give the same as dicts, lists and plain values."""
        return {
            name: [_as_dict(each) for each in self.targets] if name == "targets" else value
            for name, value in _as_dict(self).items()
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Status:
        """Read what `as_dict` gave; keys that a newer version added are passed over.

        Raises:
            ValueError: it has not the form of a status.
        """
        try:
            targets = tuple(TargetStatus(**_known(TargetStatus, each)) for each in data["targets"])
            return cls(**_known(cls, {**data, "targets": targets}))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{data!r:.60} is no status") from error


def _as_dict(form: Status | TargetStatus) -> dict[str, Any]:
    return {name: getattr(form, name) for name in form.__match_args__}


def _both(some: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*some, *others)))


def _known(form: type, data: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what the form has; JSON knows lists where a status has tuples."""
    names = form.__match_args__  # type: ignore[attr-defined]  # the names of its fields
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in data.items()
        if name in names
    }
