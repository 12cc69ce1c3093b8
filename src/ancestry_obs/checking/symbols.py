"""A module's source -> the names that it and its classes bind, as plain data.

Nothing is looked up or judged here, so that a table depends on its file and on the Python that
reads it alone, and can be kept: it is made of what `marshal` writes. Each name has its bindings in
the order of the file, each with the guards under which it happens:

    "?"              it depends on something that cannot be told
    "types"          for type checkers alone
    "+m:n,m2"        if the name n of the module m can be imported, and the module m2
    "-m:n,m2"        if one of them cannot

Expressions are kept as text. Of a function's body only its statements are read. Private names of
classes stand as they are at run time ("Private name mangling" in Python's language reference).
"""

from __future__ import annotations

import ast
from importlib.util import decode_source
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ancestry_obs.checking.conditions import truth_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "Binding",
    "ClassSymbol",
    "FunctionSymbol",
    "ImportSymbol",
    "Scope",
    "Table",
    "ValueSymbol",
    "read_source",
    "symbol_of",
    "table_of",
]

Binding = tuple[Any, ...]
"""The plain form of a symbol; its first item says of which kind it is."""

Scope = dict[str, list[Binding]]

_LONGEST_TEXT: Final = 400
# By these a module binds names that its text does not show.
_HIDDEN: Final = ("setattr(", "exec(", "globals()", "locals()", "vars(", "__dict__")
_HIDDEN_IN_FUNCTIONS: Final = ("globals()[", "globals().update", "sys.modules[__name__]")


class FunctionSymbol(NamedTuple):
    """A ``def`` or a named lambda.

    Args:
        kind: ``def``.
        guards: Under which it is bound.
        line: Of the ``def``, from 1.
        end: Its last line.
        arguments: Name, kind (``p`` positional only, ``a``, ``*``, ``k`` keyword only, ``**``),
            annotation and whether there is a default, of each.
        returns: The annotation of its result.
        decorators: Their texts, from the top.
        flags: ``async``, ``generator``, ``lambda``.
        inner: Functions and classes inside.
        attributes: What it assigns to attributes of its first parameter: ``(name, text, kind)``, of
            an annotation (``:``) or a value (``=``).
    """

    kind: str
    guards: tuple[str, ...]
    line: int
    end: int
    arguments: tuple[tuple[str, str, str, bool], ...]
    returns: str
    decorators: tuple[str, ...]
    flags: tuple[str, ...]
    inner: Scope
    attributes: tuple[tuple[str, str, str], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names."""
        return tuple(each[0] for each in self.arguments)


class ClassSymbol(NamedTuple):
    """A ``class``.

    Args:
        kind: ``class``.
        guards: Under which it is bound.
        line: Of the statement, from 1.
        end: Its last line.
        bases: Their texts.
        keywords: ``name=text`` of each, such as of the metaclass.
        decorators: Their texts.
        scope: The names that its body binds.
        annotations: Name and annotation of those that are annotated.
        doubt: How it gets names that are not seen; empty if it does not.
    """

    kind: str
    guards: tuple[str, ...]
    line: int
    end: int
    bases: tuple[str, ...]
    keywords: tuple[str, ...]
    decorators: tuple[str, ...]
    scope: Scope
    annotations: dict[str, str]
    doubt: str


class ImportSymbol(NamedTuple):
    """A name that is imported.

    Args:
        kind: ``import``.
        guards: Under which it is bound.
        line: From 1.
        level: How many dots the module has in front.
        module: The module as it is written, without dots in front.
        name: What is taken from it; empty for the module itself.
    """

    kind: str
    guards: tuple[str, ...]
    line: int
    level: int
    module: str
    name: str


class ValueSymbol(NamedTuple):
    """Whatever else a name is bound to.

    Args:
        kind: ``value``.
        guards: Under which it is bound.
        line: From 1.
        what: ``alias`` of a dotted name, ``call`` of one, the type of a literal, ``del``, or ``?``.
        text: The expression's text; of a call, what is called.
        arguments: Of a call: the arguments' texts, with ``name=`` where they are named.
    """

    kind: str
    guards: tuple[str, ...]
    line: int
    what: str
    text: str
    arguments: tuple[str, ...]


class Table(NamedTuple):
    """All that is known of a module.

    Args:
        scope: Its names.
        stars: Modules of ``import *``: level, name and guards of each.
        exports: What `__all__` has; `None` if it has none that can be read.
        doubt: How it gets names that are not seen; empty if it does not.
        annotations: Of its names.
    """

    scope: Scope
    stars: list[tuple[int, str, tuple[str, ...]]]
    exports: list[str] | None
    doubt: str
    annotations: dict[str, str]


_SYMBOLS: Final[dict[str, Any]] = {
    "class": ClassSymbol,
    "def": FunctionSymbol,
    "import": ImportSymbol,
    "value": ValueSymbol,
}


def symbol_of(binding: Binding) -> FunctionSymbol | ClassSymbol | ImportSymbol | ValueSymbol:
    """Give a binding with names for what it has."""
    made: FunctionSymbol | ClassSymbol | ImportSymbol | ValueSymbol
    made = _SYMBOLS[binding[0]]._make(binding)
    return made


def read_source(data: bytes) -> str:
    """Decode a source file as Python does.

    Raises:
        SyntaxError: It has an unknown encoding.
        ValueError: It is not text in that encoding.
    """
    is_plain = data.isascii() and b"\r" not in data and b"coding" not in data[:200]
    if is_plain:
        return data.decode()
    return decode_source(data)


def table_of(source: str) -> Table:
    """Read a module.

    Args:
        source: Its text.

    Raises:
        SyntaxError: It is no Python.
        ValueError: It has a null byte.
        RecursionError: It is nested deeper than can be read.
    """
    tree = ast.parse(source)
    reader = _Reader(source)
    scope = _Names()
    reader.block(tree.body, scope, ())
    doubt = scope.doubt or _doubt_in_functions(source)
    return Table(scope.names, scope.stars, scope.exports, doubt, scope.annotations)


def _doubt_in_functions(source: str) -> str:
    for mark in _HIDDEN_IN_FUNCTIONS:
        place = source.find(mark)
        if place >= 0:
            return f"{mark.rstrip('[')} in line {source.count(chr(10), 0, place) + 1}"
    return ""


class _Names:
    """What a block binds so far."""

    def __init__(self) -> None:
        self.names: Scope = {}
        self.stars: list[tuple[int, str, tuple[str, ...]]] = []
        self.exports: list[str] | None = None
        self.annotations: dict[str, str] = {}
        self.doubt = ""

    def bind(self, name: str, binding: Binding) -> None:
        self.names.setdefault(name, []).append(binding)


class _Reader:
    def __init__(self, source: str) -> None:
        self._lines = source.split("\n")
        self._is_ascii = source.isascii()
        self._owner = ""

    def text(self, node: ast.expr | None) -> str:
        """Give an expression's text in one line; empty if it is too long to be of use."""
        if node is None:
            return ""
        if isinstance(node, ast.Name):
            return self._mangled(node.id)
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        if last - first > _LONGEST_TEXT:
            return ""
        lines = self._lines[first : last + 1]
        end = node.end_col_offset or 0
        if self._is_ascii:
            lines[-1] = lines[-1][:end]
            lines[0] = lines[0][node.col_offset :]
        else:  # columns are counted in bytes
            lines[-1] = lines[-1].encode()[:end].decode(errors="replace")
            lines[0] = lines[0].encode()[node.col_offset :].decode(errors="replace")
        text = " ".join(map(str.strip, lines))
        return text if len(text) <= _LONGEST_TEXT else ""

    def block(self, body: Iterable[ast.stmt], scope: _Names, guards: tuple[str, ...]) -> None:
        """Read the statements of a module or class."""
        for statement in body:
            rule = _RULES.get(type(statement))
            if rule is not None:
                rule(self, statement, scope, guards)

    def _function(
        self,
        node: ast.FunctionDef | ast.AsyncFunctionDef,
        scope: _Names,
        guards: tuple[str, ...],
    ) -> None:
        inner = _Names()
        attributes: dict[str, tuple[str, str]] = {}
        flags = {"async"} if isinstance(node, ast.AsyncFunctionDef) else set()
        arguments = self.arguments(node.args)
        first = arguments[0][0] if arguments else ""
        self._body(node.body, inner, first, attributes)
        scope.bind(node.name, (
            "def", guards, node.lineno, node.end_lineno, arguments, self.text(node.returns),
            tuple(map(self.text, node.decorator_list)), tuple(sorted(flags)), inner.names,
            tuple((name, *how) for name, how in attributes.items()),
        ))  # fmt: skip

    def _body(
        self,
        body: Iterable[ast.stmt],
        inner: _Names,
        first: str,
        attributes: dict[str, tuple[str, str]],
    ) -> None:
        """Read a function's body for what is defined in it and what it gives to its instance."""
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                self._function(node, inner, ())
            elif isinstance(node, ast.ClassDef):
                self._class(node, inner, ())
            elif isinstance(node, ast.AnnAssign):
                self._attribute(node.target, node.annotation, ":", first, attributes)
            elif isinstance(node, ast.Assign):
                for target in node.targets:
                    self._attribute(target, node.value, "=", first, attributes)
            elif isinstance(node, ast.AugAssign):
                self._attribute(node.target, None, "=", first, attributes)
            elif hasattr(node, "body"):
                self._body(_blocks_in(node), inner, first, attributes)
            elif isinstance(node, ast.Match):
                cases = (each for case in node.cases for each in case.body)
                self._body(cases, inner, first, attributes)

    def _attribute(
        self,
        target: ast.expr,
        value: ast.expr | None,
        kind: str,
        first: str,
        attributes: dict[str, tuple[str, str]],
    ) -> None:
        if isinstance(target, ast.Tuple | ast.List):
            for each in target.elts:
                self._attribute(each, None, "=", first, attributes)
        elif (
            isinstance(target, ast.Attribute)
            and isinstance(target.value, ast.Name)
            and self._mangled(target.value.id) == first
        ):
            # The first one says the most: it is in `__init__`, as a rule.
            attributes.setdefault(self._mangled(target.attr), (self.text(value), kind))

    def arguments(self, node: ast.arguments) -> tuple[tuple[str, str, str, bool], ...]:
        """Describe what a function takes, in the order of its parameters."""
        positional = [("p", each) for each in node.posonlyargs]
        positional += [("a", each) for each in node.args]
        bare = len(positional) - len(node.defaults)
        found = [
            (self._mangled(each.arg), kind, self.text(each.annotation), index >= bare)
            for index, (kind, each) in enumerate(positional)
        ]
        if node.vararg:
            found.append(
                (self._mangled(node.vararg.arg), "*", self.text(node.vararg.annotation), False)
            )
        for each, default in zip(node.kwonlyargs, node.kw_defaults, strict=True):
            name = self._mangled(each.arg)
            found.append((name, "k", self.text(each.annotation), default is not None))
        if node.kwarg:
            found.append(
                (self._mangled(node.kwarg.arg), "**", self.text(node.kwarg.annotation), False)
            )
        return tuple(found)

    def _class(self, node: ast.ClassDef, scope: _Names, guards: tuple[str, ...]) -> None:
        inner, around = _Names(), self._owner
        self._owner = node.name
        self.block(node.body, inner, ())
        names = {self._mangled(name): bindings for name, bindings in inner.names.items()}
        annotations = {self._mangled(name): text for name, text in inner.annotations.items()}
        self._owner = around
        scope.bind(node.name, (
            "class", guards, node.lineno, node.end_lineno, tuple(map(self.text, node.bases)),
            tuple(f"{each.arg or '**'}={self.text(each.value)}" for each in node.keywords),
            tuple(map(self.text, node.decorator_list)), names, annotations, inner.doubt,
        ))  # fmt: skip

    def _mangled(self, name: str) -> str:
        """Give a name as it is at run time where the class is that is being read."""
        bare = self._owner.lstrip("_")
        is_private = name.startswith("__") and not name.endswith("__")
        return f"_{bare}{name}" if is_private and bare else name

    def _import(self, node: ast.Import, scope: _Names, guards: tuple[str, ...]) -> None:
        for each in node.names:
            module = each.name if each.asname else each.name.partition(".")[0]
            scope.bind(each.asname or module, ("import", guards, node.lineno, 0, module, ""))

    def _import_from(self, node: ast.ImportFrom, scope: _Names, guards: tuple[str, ...]) -> None:
        module = node.module or ""
        for each in node.names:
            if each.name == "*":
                scope.stars.append((node.level, module, guards))
            else:
                binding = ("import", guards, node.lineno, node.level, module, each.name)
                scope.bind(each.asname or each.name, binding)

    def _assign(self, node: ast.Assign, scope: _Names, guards: tuple[str, ...]) -> None:
        for target in node.targets:
            self._bind(target, node.value, scope, guards)
        self._doubt(node, node.value, scope)

    def _annotated(self, node: ast.AnnAssign, scope: _Names, guards: tuple[str, ...]) -> None:
        if isinstance(node.target, ast.Name):
            scope.annotations[node.target.id] = self.text(node.annotation)
        if node.value is not None:
            self._bind(node.target, node.value, scope, guards)

    def _augmented(self, node: ast.AugAssign, scope: _Names, _guards: tuple[str, ...]) -> None:
        if isinstance(node.target, ast.Name) and node.target.id == "__all__":
            more = _texts(node.value)
            is_known = scope.exports is not None and more is not None
            scope.exports = [*(scope.exports or ()), *(more or ())] if is_known else None

    def _bind(
        self, target: ast.expr, value: ast.expr, scope: _Names, guards: tuple[str, ...]
    ) -> None:
        match target:
            case ast.Name(id="__all__"):
                scope.exports = _texts(value)
            case ast.Name(id=name):
                scope.bind(name, self.value(value, guards))
            case ast.Tuple(elts=targets) | ast.List(elts=targets):
                values = value.elts if isinstance(value, ast.Tuple | ast.List) else []
                same = len(values) == len(targets)
                for index, each in enumerate(targets):
                    if same:
                        self._bind(each, values[index], scope, guards)
                    elif isinstance(each, ast.Name):
                        scope.bind(each.id, ("value", guards, each.lineno, "?", "", ()))
            case ast.Attribute(value=ast.Name(id=owner), attr=name):
                self._give(scope, owner, name, self.value(value, guards))

    @staticmethod
    def _give(scope: _Names, owner: str, name: str, binding: Binding) -> None:
        """Read ``Class.name = value`` and ``del Class.name`` below a class."""
        for each in scope.names.get(owner, ()):
            if each[0] == "class":
                inner: Scope = each[7]
                inner.setdefault(name, []).append(binding)

    def value(self, node: ast.expr, guards: tuple[str, ...]) -> Binding:
        """Describe what a name is bound to by an assignment."""
        match node:
            case ast.Lambda(args=arguments):
                taken = self.arguments(arguments)
                end = node.end_lineno
                return ("def", guards, node.lineno, end, taken, "", (), ("lambda",), {}, ())
            case ast.Name() | ast.Attribute() if _is_dotted(node):
                return ("value", guards, node.lineno, "alias", self.text(node), ())
            case ast.Call(func=function) if _is_dotted(function):
                given = [self.text(each) for each in node.args]
                given += [f"{each.arg or '**'}={self.text(each.value)}" for each in node.keywords]
                text = self.text(function)
                return ("value", guards, node.lineno, "call", text, tuple(given))
            case ast.Subscript(value=generic) if self.text(generic).rpartition(".")[2] in _GENERIC:
                return ("value", guards, node.lineno, "generic alias", self.text(node), ())
            case ast.Constant(value=constant):
                what = type(constant).__name__
                return ("value", guards, node.lineno, what, "", ())
            case _:
                what = _DISPLAYS.get(type(node), "?")
                return ("value", guards, node.lineno, what, self.text(node), ())

    def _expression(self, node: ast.Expr, scope: _Names, _guards: tuple[str, ...]) -> None:
        match node.value:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="__all__"), attr="extend" | "append" as how),
                args=[given],
            ):
                more = _texts(given if how == "extend" else ast.List([given]))
                is_known = scope.exports is not None and more is not None
                scope.exports = [*(scope.exports or ()), *(more or ())] if is_known else None
            case ast.Constant():
                pass
            case value:
                self._doubt(node, value, scope)

    def _doubt(self, node: ast.Assign | ast.Expr, value: ast.expr, scope: _Names) -> None:
        targets = node.targets if isinstance(node, ast.Assign) else []
        may_hide = isinstance(value, ast.Call | ast.Subscript | ast.Attribute) or any(
            isinstance(each, ast.Subscript) for each in targets
        )
        if scope.doubt or not may_hide:
            return
        text = " ".join(self._lines[node.lineno - 1 : node.end_lineno])
        for mark in _HIDDEN:
            if mark in text:
                scope.doubt = f"{mark.rstrip('()')} in line {node.lineno}"
                return

    def _if(self, node: ast.If, scope: _Names, guards: tuple[str, ...]) -> None:
        truth = truth_of(node.test)
        if truth == "types":
            self.block(node.body, scope, (*guards, "types"))
            self.block(node.orelse, scope, guards)
        elif truth is None:
            self.block(node.body, scope, (*guards, "?"))
            self.block(node.orelse, scope, (*guards, "?"))
        else:
            self.block(node.body if truth else node.orelse, scope, guards)

    def _try(self, node: ast.Try, scope: _Names, guards: tuple[str, ...]) -> None:
        needed = ",".join(_needed(node.body)) if _catches_imports(node) else ""
        whole = (*guards, f"+{needed}") if needed else guards
        self.block(node.body, scope, whole)
        for handler in node.handlers:
            if needed:
                self.block(handler.body, scope, (*guards, f"-{needed}"))
                continue
            # Without an import, it is an exception that is the exception.
            rare = _Names()
            self.block(handler.body, rare, (*guards, "?"))
            for name, bindings in rare.names.items():
                scope.names.setdefault(name, bindings)
        self.block(node.orelse, scope, whole)
        self.block(node.finalbody, scope, guards)

    def _loop(
        self, node: ast.For | ast.While | ast.With, scope: _Names, guards: tuple[str, ...]
    ) -> None:
        if isinstance(node, ast.For) and isinstance(node.target, ast.Name):
            scope.bind(node.target.id, ("value", guards, node.lineno, "?", "", ()))
        self.block(node.body, scope, guards)
        if not isinstance(node, ast.With):
            self.block(node.orelse, scope, guards)

    def _match(self, node: ast.Match, scope: _Names, guards: tuple[str, ...]) -> None:
        for case in node.cases:
            self.block(case.body, scope, (*guards, "?"))

    def _delete(self, node: ast.Delete, scope: _Names, guards: tuple[str, ...]) -> None:
        for target in node.targets:
            gone = ("value", guards, node.lineno, "del", "", ())
            match target:
                case ast.Name(id=name):
                    scope.bind(name, gone)
                case ast.Attribute(value=ast.Name(id=owner), attr=name):
                    self._give(scope, owner, name, gone)


_RULES: Final[dict[type[ast.stmt], Any]] = {
    ast.FunctionDef: _Reader._function,  # noqa: SLF001 - the rules of this very class
    ast.AsyncFunctionDef: _Reader._function,  # noqa: SLF001
    ast.ClassDef: _Reader._class,  # noqa: SLF001
    ast.Import: _Reader._import,  # noqa: SLF001
    ast.ImportFrom: _Reader._import_from,  # noqa: SLF001
    ast.Assign: _Reader._assign,  # noqa: SLF001
    ast.AnnAssign: _Reader._annotated,  # noqa: SLF001
    ast.AugAssign: _Reader._augmented,  # noqa: SLF001
    ast.Expr: _Reader._expression,  # noqa: SLF001
    ast.If: _Reader._if,  # noqa: SLF001
    ast.Try: _Reader._try,  # noqa: SLF001
    ast.TryStar: _Reader._try,  # noqa: SLF001
    ast.For: _Reader._loop,  # noqa: SLF001
    ast.While: _Reader._loop,  # noqa: SLF001
    ast.With: _Reader._loop,  # noqa: SLF001
    ast.Match: _Reader._match,  # noqa: SLF001
    ast.Delete: _Reader._delete,  # noqa: SLF001
}
_DISPLAYS: Final[dict[type[ast.expr], str]] = {
    ast.BinOp: "expression",
    ast.Compare: "expression",
    ast.Dict: "dict",
    ast.DictComp: "dict",
    ast.JoinedStr: "str",
    ast.List: "list",
    ast.ListComp: "list",
    ast.Set: "set",
    ast.SetComp: "set",
    ast.Tuple: "tuple",
    ast.UnaryOp: "expression",
}
_GENERIC: Final = frozenset(
    {"Annotated", "Callable", "Dict", "Iterable", "List", "Literal", "Mapping", "Optional"}
    | {"Sequence", "Set", "Tuple", "Type", "Union", "dict", "list", "set", "tuple", "type"}
)
_CATCH_IMPORTS: Final = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}


def _blocks_in(node: ast.stmt) -> Iterable[ast.stmt]:
    for name in ("body", "orelse", "finalbody"):
        yield from getattr(node, name, ())
    for handler in getattr(node, "handlers", ()):
        yield from handler.body


def _is_dotted(node: ast.expr) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def _texts(node: ast.expr) -> list[str] | None:
    """Give the texts of a literal list; `None` if it is anything else."""
    if isinstance(node, ast.List | ast.Tuple):
        texts = [each.value for each in node.elts if isinstance(each, ast.Constant)]
        found = [each for each in texts if isinstance(each, str)]
        return found if len(found) == len(node.elts) else None
    return None


def _needed(body: Sequence[ast.stmt]) -> Iterable[str]:
    for node in body:
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from (f"{module}:{each.name}" for each in node.names)


def _catches_imports(node: ast.Try) -> bool:
    for handler in node.handlers:
        kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        for kind in kinds:
            if kind is None or (isinstance(kind, ast.Name) and kind.id in _CATCH_IMPORTS):
                return True
    return False
