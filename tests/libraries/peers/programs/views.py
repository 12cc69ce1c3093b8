"""Views of Django and a client of aiohttp, until told to end."""

import asyncio
import os
import select
import sys

import aiohttp
import django
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from django.urls import path


def tea(request, cup):
    return HttpResponse("tea")


def broken(request):
    raise RuntimeError("no")


urlpatterns = [path("tea/<int:cup>", tea), path("broken", broken)]
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], LOGGING_CONFIG=None)
django.setup()
client = Client(raise_request_exception=False)


async def ask():
    async with aiohttp.ClientSession() as session:
        for port, place in ((os.environ["S3"], "/shelf"), (os.environ["CLOSED"], "/")):
            try:
                async with session.get(f"http://127.0.0.1:{port}{place}") as answer:
                    await answer.read()
            except aiohttp.ClientError:
                pass


sys.stdout.write("open\n")
sys.stdout.flush()
while not select.select([sys.stdin], [], [], 0.1)[0]:
    for place in ("/tea/1", "/tea/2", "/broken", "/nothing"):
        client.get(place)
    asyncio.run(ask())
