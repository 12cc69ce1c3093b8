"""The pack of Jinja2 beside what templates and loaders themselves count."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.live

RENDERED = "jinja2_render_duration_seconds_count"
LOADED = "jinja2_load_duration_seconds_count"
COMPILED = "jinja2_compile_duration_seconds_count"

PROGRAM = """
    import asyncio, json
    from collections import Counter
    from jinja2 import (
        ChoiceLoader, DictLoader, Environment, FunctionLoader, TemplateNotFound,
        TemplateSyntaxError, UndefinedError, StrictUndefined,
    )
    from jinja2.nativetypes import NativeEnvironment

    BODIES, SOURCES = Counter(), Counter()
    TEMPLATES = {
        "base.html": "<p>{% block body %}{% endblock %}</p>",
        "page.html": "{% extends 'base.html' %}{% block body %}{{ seen('page.html') }}"
                     "{% include 'part.html' %}{% endblock %}",
        "part.html": "{{ seen('part.html') }}",
        "rows.html": "{{ seen('rows.html') }}{% for n in range(3) %}{{ n }}{% endfor %}",
        "fails.html": "{{ seen('fails.html') }}{{ nothing.at_all }}",
        "wrong.html": "{% if %}",
    }

    def seen(name):
        BODIES[name] += 1
        return ""

    def source(name):
        SOURCES[name] += 1
        return TEMPLATES.get(name)

    def environment(kind=Environment, **more):
        made = kind(
            loader=ChoiceLoader([DictLoader({}), FunctionLoader(source)]),
            undefined=StrictUndefined, **more
        )
        made.globals["seen"] = seen
        return made

    plain = environment()
    for _ in range(3):
        assert plain.get_template("page.html").render() == "<p></p>"
    assert "".join(plain.get_template("rows.html").generate()) == "012"
    stream = plain.get_template("rows.html").generate()
    next(stream), next(stream)
    stream.close()
    for name, error in (
        ("fails.html", UndefinedError), ("wrong.html", TemplateSyntaxError),
        ("none.html", TemplateNotFound),
    ):
        try:
            plain.get_template(name).render()
        except error:
            pass
    plain.from_string("{{ seen('text') }}").render()

    waiting = environment(enable_async=True)

    async def main():
        page = waiting.get_template("page.html")
        await asyncio.gather(*(page.render_async() for _ in range(5)))
        assert [piece async for piece in waiting.get_template("rows.html").generate_async()]

    asyncio.run(main())
    assert waiting.get_template("rows.html").render() == "012"
    assert environment(NativeEnvironment).from_string("{{ 40 + 2 }}").render() == 42
    print(json.dumps([BODIES, SOURCES]))
"""


def test_renderings_are_those_of_the_bodies_and_loads_those_of_the_loader(run_with):
    (bodies, sources), page = run_with("jinja2", PROGRAM)
    rendered = page.count(RENDERED, "jinja2_template_name")
    # What is included is no rendering of its own; the native one has no word of it.
    assert bodies.pop("part.html") == bodies["page.html"] == 8
    assert bodies.pop("text") == 1
    assert rendered == {**bodies, "<template>": 2}
    assert page.count(RENDERED, "error_type") == {
        "": 3 + 1 + 1 + 5 + 1 + 1 + 1,
        "GeneratorExit": 1,
        "jinja2.exceptions.UndefinedError": 1,
    }
    assert page.count(LOADED, "jinja2_template_name", jinja2_cache="miss") == sources
    hits = page.count(LOADED, "jinja2_template_name", jinja2_cache="hit")
    assert hits == {"page.html": 2, "base.html": 2 + 4, "part.html": 2 + 4, "rows.html": 2}
    assert {k: v for k, v in page.count(LOADED, "error_type").items() if k} == {
        "jinja2.exceptions.TemplateSyntaxError": 1,
        "jinja2.exceptions.TemplateNotFound": 1,
    }
    compiled = {name: count for name, count in sources.items() if name != "none.html"}
    assert page.count(COMPILED, "jinja2_template_name") == {**compiled, "<template>": 2}
