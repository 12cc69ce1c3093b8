"""Binding: an outline comes in, the objects that the text of the wrapper reads come out.

Each object is bound under the identifier that `source` uses for it. Builtins are bound too, since
the program's modules may have names of their own for them.
"""

from __future__ import annotations

import builtins
from functools import cache, lru_cache, partial
from threading import get_ident
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Final

from ancestry_obs.compiler.guards import UNBOUND, begin_quietly, inner_call_test, isolated
from ancestry_obs.compiler.keys import ResponseTypes
from ancestry_obs.compiler.observation import evaluators_source
from ancestry_obs.compiler.recorder import Recorder
from ancestry_obs.compiler.signature import binder
from ancestry_obs.exceptions import CompileError
from ancestry_obs.recording.limits import label_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ancestry_obs.compiler.outline import Outline, Part
    from ancestry_obs.compiler.recorder import Evaluators
    from ancestry_obs.compiler.signature import Names
    from ancestry_obs.compiler.subject import Subject
    from ancestry_obs.recording import Probe

__all__ = ["Common", "bind"]

_BUILTINS: Final = (
    "BaseException",
    "Exception",
    "StopAsyncIteration",
    "float",
    "len",
    "str",
    "type",
)


class Common:
    """What all wrappers of one design are bound to.

    Args:
        subject: Any of their targets.
        outline: What the wrappers do.

    Attributes:
        bound: The objects, by identifier.
        responses: The result types that carry a status, which all the wrappers learn together.
        evaluators: For each part what gives its recorders the expressions as functions.
    """

    def __init__(self, subject: Subject, outline: Outline) -> None:
        names, runtime = subject.names, subject.runtime
        functions: dict[str, object] = {
            names(f"fn_{name}"): runtime.functions[name] for name in subject.wishes.functions
        }
        self.responses = ResponseTypes()
        self.bound: dict[str, object] = {
            **{names(name): getattr(builtins, name) for name in _BUILTINS},
            names.clock: runtime.clock,
            names.text: label_text,
            names.relieve: runtime.store.relieve,
            names.responses: self.responses,
            names.unbound: UNBOUND,
            names.begin: begin_quietly,
            names.busy: runtime.store.evaluating,
            names.thread: get_ident,
            **functions,
        }
        self.evaluators = [
            cache(partial(_evaluators, part, names, functions)) for part in outline.parts
        ]


def bind(
    subject: Subject, outline: Outline, common: Common, probes: Sequence[Probe]
) -> dict[str, object]:
    """Give the value of each identifier that a wrapper's text may have.

    Args:
        subject: What is woven.
        outline: What the wrapper does.
        common: What it has in common with others.
        probes: Where its parts record, one for each.

    Raises:
        CompileError: An action is unknown.
    """
    names, store = subject.names, subject.runtime.store
    bound = {**common.bound, names.call: subject.original, **_actions(subject)}
    if outline.guarded and subject.owner:
        bound[names.inner] = inner_call_test(subject.owner, subject.name)
    if outline.bound:
        bound[names.bind] = binder(subject.shown, outline.bound)
    for part, evaluators, probe in zip(outline.parts, common.evaluators, probes, strict=True):
        recorder = Recorder(
            part.stream, part.keys, part.variables, evaluators, store, probe, common.responses
        )
        bound[names(f"memo{part.index}")] = probe.memo
        bound[names(f"miss{part.index}")] = recorder.miss
        bound[names(f"record{part.index}")] = recorder.record
    return bound


def _actions(subject: Subject) -> dict[str, object]:
    store, actions = subject.runtime.store, subject.runtime.actions
    bound: dict[str, object] = {}
    for moment in ("before", "after"):
        for index, name in enumerate(getattr(subject.wishes, moment)):
            if name not in actions:
                known = ", ".join(sorted(actions)) or "none"
                raise CompileError(f"{subject.target}: unknown action {name!r}; known are: {known}")
            action = isolated(actions[name], name, subject.target, store)
            bound[subject.names(f"{moment}{index}")] = action
    for index, spec in enumerate(subject.wishes.tracks):
        tracker = subject.runtime.trackers[spec]
        track = isolated(tracker, spec.metric, subject.target, store)
        bound[subject.names(f"track{index}")] = track
    return bound


def _evaluators(part: Part, names: Names, functions: Mapping[str, object]) -> Evaluators:
    expressions = tuple(dict.fromkeys(part.stream.expressions))
    code = _expression_code(evaluators_source(expressions, part, names))
    # No builtins: an expression has the label functions, and nothing else to call.
    made = FunctionType(code, {**functions, "__builtins__": {}})()
    return dict(zip(expressions, made, strict=True))


@lru_cache(maxsize=512)
def _expression_code(source: str) -> CodeType:
    return compile(source, "<ancestry-obs expressions>", "eval", dont_inherit=True)
