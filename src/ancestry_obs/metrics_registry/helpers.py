"""A helper for one metric: its declaration comes in, functions of its labels go out.

The functions are generated, so that each has an exact signature and a wrong call is a `TypeError`,
whether metrics are on or not. What a call does is a global of the generated code: nothing at first,
a family of the store once connected. So who imported a helper before metrics were switched on
measures from then on, and no call asks whether they are.
"""

from __future__ import annotations

import linecache
import weakref
from contextlib import AbstractContextManager, contextmanager
from keyword import iskeyword
from math import inf
from typing import TYPE_CHECKING, Any, Protocol

from ancestry_obs.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ancestry_obs.mapfile.specs import MetricSpec, MetricType

__all__ = ["UNITS", "Helper", "Recorder", "stem"]

UNITS = ("seconds", "bytes", "ratio", "celsius", "meters", "volts", "amperes", "joules", "grams")
"""Prometheus' base units, from https://prometheus.io/docs/practices/naming/#base-units."""

_DEFAULT_NUMBER = "value"


class Recorder(Protocol):
    """Where helpers record to; `ancestry_obs.recording.Family` is one."""

    def observe(self, values: Sequence[object], value: float, /) -> None:
        """Record a value under label values."""


@frozen()
class _Shape:
    """A function of a helper.

    Args:
        number: The name of its last parameter, if it takes a number; `_DEFAULT_NUMBER` stands for
            the metric's unit.
        annotation: That parameter's type and default.
        recorded: What is recorded; ``{}`` is the parameter.
        ending: What the function does then, and returns.
    """

    number: str = ""
    annotation: str = ""
    recorded: str = "0.0 + {}"
    ending: str = "__record(__labels, __number)"
    returns: str = "None"


_SHAPES: Mapping[MetricType, Mapping[str, _Shape]] = {
    "counter": {"inc": _Shape("amount", "float = 1.0")},
    "gauge": {"set": _Shape("value", "float")},
    "histogram": {"observe": _Shape(_DEFAULT_NUMBER, "float")},
    "ratio": {
        "hit": _Shape(recorded="1.0"),
        "miss": _Shape(recorded="0.0"),
        "observe": _Shape("hit", "bool", "1.0 if {} else 0.0"),
    },
    "in_flight": {
        "track": _Shape(
            recorded="1.0",
            ending="return __track(__record, __labels)",
            returns="__AbstractContextManager[None]",
        )
    },
}

# Two underscores: no label's name begins with them, so that no parameter hides one of these.
_TEMPLATE = """\
def {function}({parameters}) -> {returns}:
    try:
        __labels = ({labels})
        __number = {recorded}
    except __TypeError:
        raise __refusal({function!r}, ({given})) from None
    except __OverflowError:
        __number = __infinite
    {ending}
"""


class Helper:
    """The functions of one metric, by its type.

    A counter has ``inc``, a gauge ``set``, a histogram ``observe``, a ratio ``hit``, ``miss`` and
    ``observe``, calls in flight ``track``. Each takes the labels in the map's order, by position or
    name, and then its number; a label that is a Python keyword gets an underscore (``class_``).

    Args:
        spec: The metric's declaration.

    Attributes:
        spec: The same.

    Example:
        >>> helper = Helper(spec)
        >>> inspect.signature(helper.observe)
        <Signature (endpoint: str, status_family: str, seconds: float) -> None>
    """

    def __init__(self, spec: MetricSpec) -> None:
        self.spec = spec
        self._globals: dict[str, Any] = {
            "__AbstractContextManager": AbstractContextManager,
            "__OverflowError": OverflowError,
            "__TypeError": TypeError,
            "__infinite": inf,
            "__refusal": self._refusal,
            "__track": _track,
        }
        self.disconnect()
        self._functions = {name: self._function(name) for name in _SHAPES[spec.type]}

    def connect(self, recorder: Recorder) -> None:
        """Record there from now on."""
        self._globals["__record"] = recorder.observe

    def disconnect(self) -> None:
        """Record nothing from now on."""
        self._globals["__record"] = _record_nothing

    def __getattr__(self, name: str) -> Callable[..., Any]:
        functions = self.__dict__.get("_functions", {})
        if name in functions:
            return functions[name]  # type: ignore[no-any-return] # generated
        known = ", ".join(sorted(functions))
        raise AttributeError(
            f"{self.spec.name} is a {self.spec.type} and has no {name!r}; it has {known}",
            name=name,
            obj=self,
        )

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._functions]

    def __repr__(self) -> str:
        return f"<helper of the {self.spec.type} {self.spec.name}: {', '.join(self._functions)}>"

    def _function(self, name: str) -> Callable[..., Any]:
        source = _source(self.spec, name)
        file = f"<ancestry_obs helper {self.spec.name}.{name}>"
        # With its text in the cache, a traceback and a debugger can show the generated code.
        entry = (len(source), None, source.splitlines(keepends=True), file)
        linecache.cache[file] = entry
        # Each function has the helper among its globals, so that the text lasts as long as both.
        weakref.finalize(self, _forget_text, file, entry).atexit = False
        # Not inherited: annotations are to be types, not their names.
        code = compile(source, file, "exec", dont_inherit=True)
        exec(code, self._globals)  # noqa: S102 - a template of ours with checked names
        function: Callable[..., Any] = self._globals.pop(name)
        function.__module__ = __name__
        function.__qualname__ = f"{self.spec.name}.{name}"
        function.__doc__ = self.spec.help
        return function

    def _refusal(self, function: str, given: tuple[object, ...]) -> TypeError:
        types = ", ".join(type(each).__name__ for each in given)
        _, parameters = _parameters(self.spec, _SHAPES[self.spec.type][function])
        call = f"metrics().{self.spec.name}.{function}()"
        return TypeError(f"{call} takes ({', '.join(parameters)}), got ({types})")


def _forget_text(file: str, entry: object) -> None:
    # A helper whose declaration has changed has the same names: that text is another one's.
    if linecache.cache.get(file) is entry:
        del linecache.cache[file]


def _source(spec: MetricSpec, function: str) -> str:
    """Write a function of a metric as Python source."""
    shape = _SHAPES[spec.type][function]
    names, parameters = _parameters(spec, shape)
    labels = names[: len(spec.labels)]
    return _TEMPLATE.format(
        function=function,
        parameters=", ".join(parameters),
        returns=shape.returns,
        # The cheapest check that a label is a text: a str added to "" is that str itself.
        labels="".join(f'"" + {name}, ' for name in labels),
        recorded=shape.recorded.format(names[-1] if names else ""),
        given="".join(f"{name}, " for name in names),
        ending=shape.ending,
    )


def _parameters(spec: MetricSpec, shape: _Shape) -> tuple[list[str], list[str]]:
    """Name the parameters, bare and with their annotations."""
    names: list[str] = []
    for label in spec.labels:
        names.append(_free_name(label.name, names))
    parameters = [f"{name}: str" for name in names]
    if shape.number:
        number = _unit(spec.name) if shape.number == _DEFAULT_NUMBER else shape.number
        names.append(_free_name(number, names))
        parameters.append(f"{names[-1]}: {shape.annotation}")
    return names, parameters


def _free_name(name: str, taken: list[str]) -> str:
    while name in taken or iskeyword(name):
        name += "_"
    return name


def _unit(metric: str) -> str:
    last = metric.rpartition("_")[2]
    return last if last in UNITS else _DEFAULT_NUMBER


def stem(metric: str) -> str:
    """Give a metric's name without its unit or ``_total``."""
    front, _, last = metric.rpartition("_")
    return front if front and last in {"total", *UNITS} else metric


def _record_nothing(_values: Sequence[object], _value: float) -> None:
    """Stand for a recorder while metrics are off."""


@contextmanager
def _track(
    record: Callable[[Sequence[object], float], None], labels: tuple[str, ...]
) -> Iterator[None]:
    # Both steps go to the same recorder, also if it is disconnected in between.
    record(labels, 1.0)
    try:
        yield
    finally:
        record(labels, -1.0)
