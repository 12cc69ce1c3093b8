from __future__ import annotations

import pytest

from ancestry_obs.exceptions import ObservabilityError
from ancestry_obs.mapfile import load_text
from ancestry_obs.suggestion.candidates import Candidate
from ancestry_obs.suggestion.proposals import Proposal
from ancestry_obs.suggestion.sieve import passing
from ancestry_obs.suggestion.starter_map import map_of

SHOP = {
    "shop/__init__.py": "from shop.cart import add\n__all__ = ['add']\n",
    "shop/web.py": """
        from somewhere import app, router

        @app.route("/cart")
        def cart():
            pass

        class Pages:
            @router.get("/items")
            async def items(self):
                pass
    """,
    "shop/jobs.py": """
        from celery import shared_task
        from somewhere import queue
        import click

        @shared_task
        def sweep():
            pass

        @queue.task(bind=True)
        def mop(self):
            pass

        @click.command()
        def start():
            pass
    """,
    "shop/urls.py": """
        from django.urls import path
        from shop import views
        urlpatterns = [path("about/", views.about, name="about")]
    """,
    "shop/views.py": """
        def about(request):
            pass
    """,
    "shop/cart.py": """
        import enum, functools, requests
        from typing import Literal, overload

        class Colour(enum.Enum):
            RED = 1
            BLUE = 2

        def add(item, kind: Literal["tea", "milk"], fast: bool = False):
            pass

        def paint(colour: Colour):
            pass

        def stock():
            return requests.get("http://stock/")

        @functools.lru_cache
        def price(item):
            pass

        def retrying(function):
            @functools.wraps(function)
            def attempt(*args):
                return function(*args)
            return attempt

        @retrying
        def fetch(user: bool):
            pass

        def _private():
            pass

        class Cart:
            def __init__(self):
                pass
            @property
            def size(self):
                return 1
            def clear(self):
                pass
    """,
    "shop/tests/test_cart.py": """
        def test_add():
            pass
    """,
}
KINDS = {
    "shop.web:cart": "route", "shop.web:Pages.items": "route", "shop.views:about": "route",
    "shop.jobs:sweep": "task", "shop.jobs:mop": "task", "shop.jobs:start": "command",
    "shop.cart:stock": "client", "shop.cart:add": "function", "shop.cart:paint": "function",
    "shop.cart:price": "function", "shop.cart:retrying": "function", "shop.cart:fetch": "function",
    "shop.cart:Cart.clear": "function",
}  # fmt: skip


def test_what_a_package_offers(source):
    found = source(SHOP).public("shop")
    assert {each.target: each.kind for each in found} == KINDS
    kinds = [each.kind for each in found]
    assert kinds == sorted(kinds, key=["route", "task", "command", "client", "function"].index)
    # What the package exports comes before the rest.
    assert next(each.target for each in found if each.kind == "function") == "shop.cart:add"


def test_labels_by_annotations(source):
    labels = {each.target: each.labels for each in source(SHOP).public("shop")}
    assert labels["shop.cart:add"] == [
        Proposal("kind", "kind", ("milk", "tea")),
        Proposal("fast", "fast", ("False", "True")),
    ]
    assert labels["shop.cart:paint"] == [Proposal("colour", "colour")]
    assert labels["shop.cart:fetch"] == []


def test_what_a_decorator_hides_is_meant_itself(source):
    hidden = {each.target for each in source(SHOP).public("shop") if each.is_definition}
    assert {"shop.cart:price", "shop.cart:fetch", "shop.web:cart"} <= hidden
    assert not {"shop.cart:add", "shop.cart:Cart.clear"} & hidden


def test_the_map_of_a_package_passes_check(source, checker):
    found = source(SHOP).public("shop")
    assert passing(found, checker()) == (found, [])
    verdict = checker().check(load_text(map_of(found), "a map"))
    assert (verdict.findings, verdict.doubts) == ([], [])


def test_what_does_not_pass_is_left_out(source, checker):
    found = source(SHOP).public("shop")
    strange = [
        Candidate("shop.cart:missing", "function"),
        Candidate("shop.cart:add", "function", labels=[Proposal("no_such", "no_such")]),
    ]
    kept, lost = passing([strange[0], *found[:2], strange[1]], checker())
    assert kept == found[:2]
    assert lost == ["shop.cart:missing", "shop.cart:add"]


@pytest.mark.parametrize(
    ("package", "message"),
    [
        ("shap", "there is no module 'shap' (looked in "),
        ("shop.nothing", "there is no module 'shop.nothing' (looked in "),
        ("shop.broken", "the module 'shop.broken': it is no Python in line 1: "),
        ("sys", "'sys' is compiled"),
        ("not a name", "there is no module 'not a name'"),
    ],
)
def test_what_is_no_package(source, package, message):
    with pytest.raises(ObservabilityError) as caught:
        source({**SHOP, "shop/broken.py": "def (:\n"}).public(package)
    assert message in str(caught.value)


def test_a_hot_function_stands_there_as_a_comment():
    hot, cold = Candidate("shop:hot", "function"), Candidate("shop:cold", "function")
    hot.labels = [Proposal("kind", "kind", ("a", "b"))]
    text = map_of([hot, cold], {"shop:cold": "quiet"}, {"shop:hot": "too hot"}, ["A map."])
    assert text.startswith("# A map.\n\nversion = 1\n")
    assert '# Left out: too hot\n# [[instrument]]\n# target = "shop:hot"\n' in text
    assert '# quiet\n[[instrument]]\ntarget = "shop:cold"\n' in text
    assert [each.targets for each in load_text(text, "a map").instruments] == [("shop:cold",)]
    # Who takes the signs off has a map without mistakes.
    plain = "\n".join(
        line.removeprefix("# ") for line in text.splitlines() if "Left out" not in line
    ).replace("A map.", "").replace("quiet", "")  # fmt: skip
    both = [each.targets for each in load_text(plain, "a map").instruments]
    assert both == [("shop:hot",), ("shop:cold",)]


def test_what_the_source_does_not_tell_is_left_out_and_no_neighbour(source, checker):
    files = {
        "wild.py": """
            import somewhere
            make = somewhere.make()
            make_more = 1

            def made():
                pass

            def made_too():
                pass
        """
    }
    named = [Candidate(f"wild:{name}", "function") for name in ("make", "made", "made_too")]
    source(files)
    kept, lost = passing(named, checker())
    assert [each.target for each in kept] == ["wild:made", "wild:made_too"]
    assert lost == ["wild:make"]
