"""A Django program: function views, receivers of signals, and what else is registered."""

from __future__ import annotations

APP = """
    import sys

    import django
    from django.conf import settings

    settings.configure(
        ALLOWED_HOSTS=["testserver"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        MIDDLEWARE=["app.middleware"],
        ROOT_URLCONF="app",
        SECRET_KEY="for this test alone",
        TEMPLATES=[{
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {"builtins": ["app"], "context_processors": ["app.context"]},
        }],
        USE_TZ=True,
    )
    django.setup()

    from django import template
    from django.core.signals import request_finished, request_started
    from django.db import connection, models
    from django.db.models.signals import post_save, pre_save
    from django.dispatch import Signal, receiver
    from django.http import HttpResponse
    from django.shortcuts import render
    from django.template import engines
    from django.test import Client
    from django.urls import path
    from django.utils.decorators import method_decorator
    from django.views import View
    from django.views.decorators.http import require_GET

    register = template.Library()
    SEEN = []
    ordered = Signal()

    def middleware(get_response):
        def handle(request):
            return get_response(request)
        return handle

    def context(request):
        return {"name": "ada"}

    def index(request):
        return HttpResponse("index")

    async def later(request):
        return HttpResponse("later")

    @require_GET
    def item(request, number):
        return HttpResponse(f"item {number}")

    def page(request):
        body = engines["django"].from_string("{{ name | shout }} {% twice 2 %}")
        return HttpResponse(body.render({}, request))

    class Orders(View):
        def get(self, request):
            return HttpResponse("orders")
        def post(self, request):
            ordered.send(sender=Orders, number=1)
            return HttpResponse("ordered")

    @register.filter
    def shout(text):
        return text.upper()

    @register.simple_tag
    def twice(number):
        return 2 * number

    @receiver(ordered)
    def on_order(sender, number, **rest):
        SEEN.append(number)

    @receiver([request_started, request_finished], dispatch_uid="requests")
    def on_request(sender, **rest):
        return None

    class Person(models.Model):
        name = models.CharField(max_length=20)
        class Meta:
            app_label = "app"
        def __str__(self):
            return self.name

    @receiver(post_save, sender=Person)
    def on_saved(sender, instance, created, **rest):
        SEEN.append((instance.name, created))

    def before_saving(sender, instance, **rest):
        instance.name = instance.name.title()

    pre_save.connect(before_saving, sender=Person)

    urlpatterns = [
        path("", index),
        path("later", later),
        path("item/<int:number>", item),
        path("page", page),
        path("orders", Orders.as_view()),
    ]

    def main():
        with connection.schema_editor() as editor:
            editor.create_model(Person)
        client = Client(raise_request_exception=True)
        seen = [client.get("/").content.decode() for _ in range(3)]
        seen += [client.get("/later").content.decode(), client.get("/item/7").content.decode()]
        seen += [client.post("/item/7").status_code, client.get("/page").content.decode()]
        seen += [client.get("/orders").content.decode(), client.post("/orders").content.decode()]
        ada = Person.objects.create(name="ada")
        ada.save()
        seen += [str(Person.objects.get())]
        return seen, SEEN
"""
COUNTS = {
    "app:middleware": 1,
    "app:context": 1,
    "app:index": 3,
    "app:later": 1,
    "app:page": 1,
    "app:Orders.get": 1,
    "app:Orders.post": 1,
    "app:shout": 1,
    "app:twice": 1,
    "app:on_order": 1,
    # Django's test client takes its own receivers away, and a program's stay: two for a request.
    "app:on_request": 18,
    "app:on_saved": 2,
    "app:before_saving": 2,
    "app:Person.__str__": 1,
}
RESULT = [
    [
        "index", "index", "index", "later", "item 7", 405, "ADA 4", "orders", "ordered", "Ada",
    ],
    [1, ["Ada", True], ["Ada", False]],
]  # fmt: skip


def test_what_a_project_registers(run_program):
    done = run_program(APP, *COUNTS)
    assert done.result == RESULT
    assert done.calls == COUNTS


def test_a_view_under_a_decorator(run_program):
    """`require_GET` puts a function of its own there: it takes the POST too, and refuses it."""
    done = run_program(APP, "app:item")
    assert done.result == RESULT
    assert done.calls == {"app:item": 2}


def test_the_definition_of_a_view_under_a_decorator(run_program):
    done = run_program(APP, {"target": "app:item", "at": "definition"})
    assert done.result == RESULT
    assert done.calls == {"app:item": 1}
