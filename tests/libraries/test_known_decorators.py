"""What the decorators of libraries leave, as `check` tells it from the source: compared with it."""

from __future__ import annotations

import importlib
import sys
from textwrap import dedent
from types import FunctionType

import pytest

from ancestry_obs.checking.checker import Checker
from ancestry_obs.checking.modules import Finder
from ancestry_obs.checking.program import Program
from ancestry_obs.mapfile import load

PROGRAMS = {
    "aiohttp": """
        from aiohttp import web
        routes = web.RouteTableDef()
        @routes.get("/a")
        async def view(request): ...
        @web.middleware
        async def around(request, handler): ...
    """,
    "celery": """
        from celery import Celery, shared_task
        tasks = Celery("known")
        @tasks.task
        def view(): ...
        @tasks.task(bind=True)
        def bound(self): ...
        @shared_task
        def shared(): ...
        @shared_task(name="other")
        def named(): ...
    """,
    "click": """
        import click
        from click import command, option
        @click.group()
        def group(): ...
        @group.command()
        @click.argument("name")
        def sub(name): ...
        @group.group("more")
        def more(): ...
        @more.command("deep")
        def deep(): ...
        @command()
        @option("--name")
        @click.pass_context
        def plain(context, name): ...
        @click.option("--name")
        @click.version_option("1")
        def bare(name): ...
        @click.pass_obj
        def given(thing): ...
    """,
    "django": """
        from django.dispatch import Signal, receiver
        from django.views.decorators.csrf import csrf_exempt
        from django.views.decorators.http import require_http_methods
        done = Signal()
        @receiver(done)
        def view(sender, **more): ...
        @csrf_exempt
        def exempt(request): ...
        @require_http_methods(["GET"])
        def limited(request): ...
    """,
    "fastapi": """
        from fastapi import APIRouter, FastAPI
        api, router = FastAPI(), APIRouter()
        @api.get("/a")
        async def view(): ...
        @api.middleware("http")
        async def around(request, call_next): ...
        @api.exception_handler(KeyError)
        async def failed(request, error): ...
        @router.post("/b")
        def added(): ...
        @router.websocket("/c")
        async def talk(websocket): ...
    """,
    "flask": """
        import flask
        from flask import Blueprint, Flask
        class Own(Flask): ...
        app, own, part = Flask(__name__), Own(__name__), Blueprint("part", __name__)
        inner = flask.Flask("inner")
        @app.route("/a")
        @part.get("/a")
        def view(): ...
        @own.post("/b")
        def own_view(): ...
        @inner.get("/c")
        def inner_view(): ...
        @app.before_request
        def before(): ...
        @app.errorhandler(404)
        def lost(error): ...
        @app.template_filter("x")
        def filtered(text): ...
        @part.app_context_processor
        def more(): ...
    """,
    "pydantic": """
        from pydantic import BaseModel, field_validator, model_validator
        class Item(BaseModel):
            name: str
            @field_validator("name")
            @classmethod
            def checked(cls, value): ...
            @model_validator(mode="after")
            def whole(self): ...
    """,
    "sqlalchemy": """
        from sqlalchemy import event, pool
        @event.listens_for(pool.Pool, "connect")
        def view(connection, record): ...
    """,
}


@pytest.mark.parametrize("library", PROGRAMS)
def test_what_is_told_is_what_is_left(library, tmp_path, monkeypatch):
    pytest.importorskip(library)
    name = f"known_by_{library}"
    (tmp_path / f"{name}.py").write_text(dedent(PROGRAMS[library]))
    monkeypatch.syspath_prepend(str(tmp_path))
    targets = {
        f"{name}:{line.split('def ')[1].partition('(')[0]}"
        for line in PROGRAMS[library].splitlines()
        if "def " in line and not line.startswith(" " * 12)
    }
    targets |= {f"{name}:Item.checked", f"{name}:Item.whole"} if library == "pydantic" else set()
    record = [{"metric": "calls_total"}]
    spec = load(
        {
            "version": 1,
            "metrics": {"calls_total": {"type": "counter", "help": "Calls."}},
            "instrument": [{"target": sorted(targets), "record": record}],
        }
    )
    told = {}
    verdict = Checker(Program(Finder(sys.path))).check(spec)
    assert not verdict.findings
    assert not verdict.doubts
    for note in verdict.notes:
        for target in targets:
            if note.startswith(f"note: {target}: "):
                told[target] = note.removeprefix(f"note: {target}: ")
    module = importlib.import_module(name)
    for target in targets:
        left = module
        for part in target.partition(":")[2].split("."):
            left = vars(left)[part] if hasattr(left, "__dict__") else getattr(left, part)
        left = getattr(left, "__func__", left) if isinstance(left, classmethod) else left
        words = told.get(target, "")
        assert "cannot be told" not in words, words
        if not isinstance(left, FunctionType):
            assert "leaves an object" in words, (target, left)
        elif left.__code__.co_filename != module.__file__:
            assert "leaves a function of its own" in words, (target, left)
        else:
            assert not words, (target, words)
