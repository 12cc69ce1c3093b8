"""Decorators that are well known, and what each leaves under the name of what it decorates.

Those of Python, and of the libraries that programs are made with: a decorator of theirs often is
a method of an object (``@app.get``), of whose class it is known then. Where a library makes its
module at run time, the name is the one that it is imported by. Read off the libraries' sources;
tests/libraries/test_known_decorators.py compares with what they really leave.
"""

from __future__ import annotations

from typing import Final, Literal

__all__ = ["CLASSES", "FUNCTIONS", "MAKERS", "METHODS", "Left"]

Left = Literal[
    "same",
    "property",
    "cached",
    "static",
    "class",
    "wrapper",
    "stranger",
    "cache",
    "object",
    "unknown",
]
"""What a decorator leaves: the function; a holder of it that Python knows
(``cached`` is `cached_property`); a function of its own
that goes by the other's name (``wrapper``) or by its own (``stranger``); a cache; an object."""

FUNCTIONS: Final[dict[str, Left]] = {
    "abc:abstractclassmethod": "class",
    "abc:abstractmethod": "same",
    "abc:abstractproperty": "property",
    "abc:abstractstaticmethod": "static",
    "abc:update_abstractmethods": "same",
    "asyncio.coroutines:coroutine": "same",
    "atexit:register": "same",
    "contextlib:asynccontextmanager": "wrapper",
    "contextlib:contextmanager": "wrapper",
    "enum:member": "object",
    "enum:nonmember": "object",
    "enum:property": "property",
    "functools:cache": "cache",
    "functools:cached_property": "cached",
    "functools:lru_cache": "cache",
    "functools:singledispatch": "wrapper",
    "functools:singledispatchmethod": "cache",
    "functools:wraps": "same",
    "aiohttp.web_middlewares:middleware": "same",
    "celery:shared_task": "object",
    "click.decorators:argument": "same",
    "click.decorators:command": "object",
    "click.decorators:confirmation_option": "same",
    "click.decorators:group": "object",
    "click.decorators:help_option": "same",
    "click.decorators:option": "same",
    "click.decorators:pass_context": "wrapper",
    "click.decorators:pass_obj": "wrapper",
    "click.decorators:password_option": "same",
    "click.decorators:version_option": "same",
    "django.dispatch.dispatcher:receiver": "same",
    "django.views.decorators.csrf:csrf_exempt": "wrapper",
    "django.views.decorators.http:require_http_methods": "wrapper",
    "pydantic:field_validator": "same",
    "pydantic:model_validator": "same",
    "sqlalchemy.event.api:listens_for": "same",
    "sqlalchemy.orm.mapper:validates": "same",
    "types:DynamicClassAttribute": "property",
    "types:coroutine": "wrapper",
    "typing:final": "same",
    "typing:no_type_check": "same",
    "typing:overload": "stranger",
    "typing:override": "same",
    "warnings:deprecated": "wrapper",
    "typing_extensions:deprecated": "wrapper",
    "typing_extensions:final": "same",
    "typing_extensions:override": "same",
}
"""Functions that decorate, by module and name."""

METHODS: Final[dict[str, dict[str, Left]]] = {
    "aiohttp.web_routedef:RouteTableDef": {"*": "same"},
    "celery:Celery": {"task": "object"},
    "click.core:Group": {"command": "object", "group": "object", "result_callback": "same"},
    "fastapi.applications:FastAPI": {"*": "same"},
    "fastapi.routing:APIRouter": {"*": "same"},
    "flask.sansio.scaffold:Scaffold": {"*": "same"},
    "flask.sansio.app:App": {"*": "same"},
}
"""Methods that decorate, by the class that has them; ``*`` stands for all others."""

MAKERS: Final[dict[str, str]] = {
    "click.core:Group.group": "click.core:Group",
    "click.decorators:group": "click.core:Group",
}
"""Decorators that make an object whose methods decorate, and the class of that object."""

CLASSES: Final = frozenset(
    {
        "attr._make:attrs",
        "attr._next_gen:define",
        "attr._next_gen:frozen",
        "attr._next_gen:mutable",
        "attr:dataclass",
        "attr:s",
        "attrs:define",
        "attrs:frozen",
        "attrs:mutable",
        "dataclasses:dataclass",
        "enum:global_enum",
        "enum:unique",
        "enum:verify",
        "functools:total_ordering",
        "pydantic.dataclasses:dataclass",
        "typing:dataclass_transform",
        "typing:final",
        "typing:runtime_checkable",
        "typing_extensions:deprecated",
        "typing_extensions:final",
        "warnings:deprecated",
    }
)
"""Decorators of classes that leave the class with the names that its statement gives it, or more of
those that are known (special ones)."""
