"""Values that calls hand on, where a library changes who runs: greenlets, anyio, forks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from textwrap import dedent

import pytest

SHOP = """
    from __future__ import annotations
    import os

    def pause(): pass

    def serve(tenant, number): return handle(tenant, number)
    def handle(tenant, number):
        pause()
        send(f"{tenant}{number}")
        pause()
    def send(name): return name

    async def page(tenant, number, run):
        await run(serve, tenant, number)

    def split(tenant, number):
        pid = os.fork()
        send(f"{tenant}{number}{'' if pid else ' of the child'}")
        return pid
"""
MAP = """
    version = 1
    [metrics.handled_total]
    type = "counter"
    help = "Handled."
    labels.tenant = { max_values = 500 }
    labels.told = { max_values = 500 }
    labels.before = { max_values = 500 }
    [[instrument]]
    target = ["shop:serve", "shop:split"]
    context = { tenant = "tenant" }
    [[instrument]]
    target = ["shop:handle", "shop:split"]
    entry = { before = "number * 2" }
    [[instrument.record]]
    metric = "handled_total"
    labels.tenant = "context.tenant"
    labels.told = "told.name"
    labels.before = "text(entry.before)"
    [[instrument]]
    target = "shop:send"
    tell = { name = "result" }
"""
BEGIN = """
    import ancestry_obs, os, sys
    from ancestry_obs import ObservabilitySettings
    ancestry_obs.install("map.toml", settings=ObservabilitySettings(
        enable_prometheus_metrics=True, metrics_export_port=0))
    import shop

    def tell(name=""):
        (family,) = [each for each in ancestry_obs.get_registry().collect()
                     if each.name.endswith("_handled")]
        for sample in family.samples:
            if sample.name.endswith("_total") and sample.value:
                labels = [sample.labels[each] for each in ("tenant", "told", "before")]
                print(*labels, int(sample.value), name, sep="|", flush=True)
"""
TASKS = [(tenant, number) for tenant in "abc" for number in range(20)]
EXPECTED = Counter({(tenant, f"{tenant}{n}", str(2 * n), "1", ""): 1 for tenant, n in TASKS})
pytestmark = pytest.mark.live


@pytest.fixture
def counted(tmp_path):
    """Run a program to its end; give the lines that `tell` prints."""
    (tmp_path / "shop.py").write_text(dedent(SHOP))
    (tmp_path / "map.toml").write_text(dedent(MAP))

    def run(*parts):
        (tmp_path / "program.py").write_text("\n".join(map(dedent, parts)))
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "program.py"],
            cwd=tmp_path, env={**os.environ, "METRICS_EXPORT_HOST": "127.0.0.1"},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        return Counter(tuple(line.split("|")) for line in done.stdout.splitlines())

    return run


PATCH = "from gevent import monkey; monkey.patch_all()"
GREENLETS = f"""
    import gevent
    shop.pause = lambda: gevent.sleep(0)
    gevent.joinall([gevent.spawn(shop.serve, *each) for each in {TASKS}], raise_error=True)
    tell()
"""


@pytest.mark.parametrize("parts", [(PATCH, BEGIN), (BEGIN, PATCH)], ids=["before", "after"])
def test_greenlets_are_told_apart(counted, parts):
    pytest.importorskip("gevent", reason="the library is not installed")
    assert counted(*parts, GREENLETS) == EXPECTED


@pytest.mark.parametrize("parts", [(PATCH, BEGIN), (BEGIN, PATCH)], ids=["before", "after"])
def test_greenlets_of_a_pool_and_of_its_threads(counted, parts):
    pytest.importorskip("gevent", reason="the library is not installed")
    work = f"""
        from gevent.pool import Pool
        import gevent, time
        shop.pause = lambda: gevent.sleep(0)
        half = {TASKS[:30]}
        pool = Pool(7)
        for each in half:
            pool.spawn(shop.serve, *each)
        pool.join()
        shop.pause = lambda: None
        threads = gevent.get_hub().threadpool
        for each in [threads.spawn(shop.serve, *each) for each in {TASKS[30:]}]:
            each.get()
        tell()
    """
    assert counted(*parts, work) == EXPECTED


def test_threads_of_anyio(counted):
    pytest.importorskip("anyio", reason="the library is not installed")
    work = f"""
        import anyio, threading
        meet = threading.Barrier(5, timeout=30)
        shop.pause = lambda: meet.wait()
        async def main():
            limit = anyio.CapacityLimiter(5)
            async def one(each):
                run = lambda *words: anyio.to_thread.run_sync(*words, limiter=limit)
                await shop.page(*each, run)
            async with anyio.create_task_group() as group:
                for each in {TASKS}:
                    group.start_soon(one, each)
        anyio.run(main)
        tell()
    """
    assert counted(BEGIN, work) == EXPECTED


def test_endpoints_of_fastapi_that_are_no_coroutines(counted):
    pytest.importorskip("fastapi", reason="the library is not installed")
    pytest.importorskip("httpx", reason="the library that asks it is not installed")
    work = f"""
        import asyncio, httpx
        from fastapi import FastAPI
        web = FastAPI()
        web.get("/{{tenant}}/{{number}}")(lambda tenant, number: shop.serve(tenant, int(number)))
        async def main():
            transport = httpx.ASGITransport(web)
            async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
                await asyncio.gather(*[client.get(f"/{{t}}/{{n}}") for t, n in {TASKS}])
        asyncio.run(main())
        tell()
    """
    assert counted(BEGIN, work) == EXPECTED


def test_a_fork_in_the_midst_of_a_call(counted):
    work = """
        shop.serve("z", 1)
        pid = shop.split("a", 4)
        if not pid:
            tell("child")
            shop.serve("b", 2)
            tell("later")
            os._exit(0)
        os.waitpid(pid, 0)
        tell("parent")
    """
    # Each process tells what ended in it, with the values of its own; the child begins with zeros.
    of_the_child = ("a", "a4 of the child", "8", "1")
    assert counted(BEGIN, work) == Counter(
        [
            ("z", "z1", "2", "1", "parent"),
            ("a", "a4", "8", "1", "parent"),
            (*of_the_child, "child"),
            (*of_the_child, "later"),
            ("b", "b2", "4", "1", "later"),
        ]
    )
