"""A Flask program: views and all else that an application registers, asked by its test client."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

from prometheus_client.parser import text_string_to_metric_families

APP = """
    from flask import Blueprint, Flask, jsonify
    from flask.views import MethodView

    web = Flask(__name__)
    blueprint = Blueprint("shop", __name__, url_prefix="/shop")

    @web.route("/")
    def index():
        return "index"

    @web.route("/item/<int:number>", methods=["GET", "POST"])
    @web.route("/thing/<int:number>")
    def item(number):
        return jsonify(number=number)

    @web.get("/later")
    async def later():
        return "later"

    @web.get("/lost")
    def lost():
        raise LookupError("lost")

    @blueprint.get("/cart")
    def cart():
        return "cart"

    @web.before_request
    def before():
        return None

    @web.after_request
    def after(response):
        response.headers["X-Seen"] = "yes"
        return response

    @web.teardown_request
    def teardown(error):
        return None

    @web.errorhandler(LookupError)
    def not_there(error):
        return "not there", 404

    @web.template_filter("shout")
    def shout(text):
        return text.upper()

    @web.context_processor
    def context():
        return {"name": "ada"}

    @web.get("/page")
    def page():
        from flask import render_template_string
        return render_template_string("{{ name | shout }}")

    class Orders(MethodView):
        def get(self):
            return "orders"
        def post(self):
            return "ordered"

    web.add_url_rule("/orders", view_func=Orders.as_view("orders"))
    web.register_blueprint(blueprint)

    @web.cli.command("greet")
    def greet():
        print("hello")

    def main():
        client = web.test_client()
        seen = [client.get("/").text for _ in range(3)]
        seen += [client.get("/item/1").json["number"], client.post("/item/2").json["number"]]
        seen += [client.get("/thing/3").json["number"]]
        lost = client.get("/lost")
        seen += [lost.status_code, lost.text, lost.headers["X-Seen"]]
        seen += [client.get("/shop/cart").text, client.get("/page").text]
        seen += [client.get("/orders").text, client.post("/orders").text]
        seen += [web.test_cli_runner().invoke(args=["greet"]).output]
        return seen
"""
COUNTS = {
    "app:index": 3,
    "app:item": 3,
    "app:lost": 1,
    "app:cart": 1,
    "app:before": 11,
    "app:after": 11,
    "app:teardown": 11,
    "app:not_there": 1,
    "app:shout": 1,
    "app:context": 1,
    "app:page": 1,
    "app:Orders.get": 1,
    "app:Orders.post": 1,
    "app:greet": 1,
}
ANSWERS = [
    "index", "index", "index", 1, 2, 3, 404, "not there", "yes", "cart", "ADA", "orders",
    "ordered", "hello\n",
]  # fmt: skip


def test_what_an_application_registers(run_program):
    done = run_program(APP, *COUNTS)
    assert done.result == ANSWERS
    assert done.calls == COUNTS


def test_the_program_without_a_map_answers_the_same(run_bare):
    assert run_bare(APP).result == ANSWERS


def test_the_recipe_of_the_pages(tmp_path):
    (tmp_path / "app.py").write_text(dedent(STATUSES))
    command = ("run", "--pack", "flask", "--port", "0", "--textfile", "page.prom", "--")
    subprocess.run(
        [sys.executable, "-m", "ancestry_obs", *command, "app.py"], cwd=tmp_path, check=True
    )
    by = ("http_request_method", "http_route", "http_response_status_code", "error_type")
    seen = {
        tuple(sample.labels[name] for name in by): sample.value
        for family in text_string_to_metric_families((tmp_path / "page.prom").read_text())
        for sample in family.samples
        if sample.name == "http_server_request_duration_seconds_count"
    }
    assert seen == {
        ("GET", "/order/<int:number>", "200", ""): 2,
        ("GET", "/order/<int:number>", "404", ""): 1,
        ("GET", "/order/<int:number>", "409", ""): 1,
        ("GET", "/order/<int:number>", "500", "ValueError"): 1,
        ("POST", "", "404", ""): 1,
    }


STATUSES = """
    from flask import Flask, abort

    web = Flask(__name__)

    @web.get("/order/<int:number>")
    def order(number):
        if number == 1:
            abort(404)
        if number == 2:
            return {"number": number}, 409
        if number == 3:
            raise ValueError(number)
        return "order"

    client = web.test_client()
    for number in (0, 0, 1, 2, 3):
        client.get(f"/order/{number}")
    client.post("/nowhere")
"""
