"""Asks aiohttp, Redis and a stub of S3, renders and runs commands, until its input ends."""

import asyncio
import contextlib
import os
import select
import sys
import threading

import boto3
import click
import jinja2
import redis
import requests
from aiohttp import web
from botocore.config import Config
from botocore.exceptions import ClientError
from redis.backoff import NoBackoff
from redis.retry import Retry


async def answer(request):
    if request.match_info["what"] == "broken":
        raise RuntimeError("no")
    return web.Response(text="tea")


def serve(is_open):
    async def main():
        app = web.Application()
        app.router.add_get("/{what}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        is_open.port = runner.addresses[0][1]
        is_open.set()
        await asyncio.Event().wait()

    asyncio.run(main())


def ask(port):
    for what in ("tea", "broken"):
        requests.get(f"http://127.0.0.1:{port}/{what}", timeout=60)
    with contextlib.suppress(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{os.environ['CLOSED']}/", timeout=60)


def ask_redis():
    client = redis.Redis(port=int(os.environ["REDIS"]))
    client.set("name", "tea")
    client.get("name")
    with client.pipeline() as pipeline:
        pipeline.get("name").get("other").execute()
    with contextlib.suppress(redis.ResponseError):
        client.lpush("name", 1)
    refused = redis.Redis(port=int(os.environ["CLOSED"]), retry=Retry(NoBackoff(), 2))
    with contextlib.suppress(redis.ConnectionError):
        refused.get("name")
    client.close()


s3 = boto3.client(
    "s3",
    endpoint_url=f"http://127.0.0.1:{os.environ['S3']}",
    region_name="eu-west-1",
    aws_access_key_id="key",
    aws_secret_access_key="secret",
    config=Config(
        retries={"mode": "legacy", "total_max_attempts": 2}, s3={"addressing_style": "path"}
    ),
)


def ask_s3():
    s3.put_object(Bucket="shelf", Key="one", Body=b"tea")
    s3.get_object(Bucket="shelf", Key="one")
    for key in ("missing", "busy"):
        with contextlib.suppress(ClientError):
            s3.get_object(Bucket="shelf", Key=key)


templates = jinja2.Environment(
    loader=jinja2.DictLoader({"letter": "Dear {{ name }}", "broken": "{{ 1 / 0 }}"}),
    autoescape=True,
)


def render():
    for name in ("letter", "broken"):
        with contextlib.suppress(ZeroDivisionError):
            templates.get_template(name).render(name="Ada")
    templates.from_string("{{ name }}").render(name="Ada")


@click.group()
def shop():
    pass


@shop.command()
@click.option("--fails", is_flag=True)
def buy(fails):
    if fails:
        raise ValueError("sold out")


def run_commands():
    shop(["buy"], standalone_mode=False)
    with contextlib.suppress(ValueError):
        shop(["buy", "--fails"], standalone_mode=False)


is_open = threading.Event()
threading.Thread(target=serve, args=(is_open,), daemon=True).start()
is_open.wait()
sys.stdout.write("open\n")
sys.stdout.flush()
while not select.select([sys.stdin], [], [], 0.1)[0]:
    ask(is_open.port)
    ask_redis()
    ask_s3()
    render()
    run_commands()
