"""An application of FastAPI and a client of httpx, until told to end."""

import contextlib
import os
import select
import sys

import httpx
from fastapi import FastAPI
from fastapi.testclient import TestClient

app = FastAPI()


@app.get("/tea/{cup}")
def tea(cup: int):
    return cup


@app.get("/broken")
async def broken():
    raise RuntimeError("no")


client = TestClient(app, raise_server_exceptions=False)
sys.stdout.write("open\n")
sys.stdout.flush()
while not select.select([sys.stdin], [], [], 0.1)[0]:
    for path in ("/tea/1", "/tea/many", "/broken", "/nothing"):
        client.get(path)
    for port, path in ((os.environ["S3"], "/shelf"), (os.environ["CLOSED"], "/")):
        with contextlib.suppress(httpx.HTTPError):
            httpx.get(f"http://127.0.0.1:{port}{path}")
