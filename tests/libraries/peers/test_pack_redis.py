"""The pack of redis-py beside the server's own count of commands."""

from __future__ import annotations

from collections import Counter

import pytest

pytestmark = [pytest.mark.live, pytest.mark.real]

DURATION = "db_client_operation_duration_seconds_count"
CREATED = "db_client_connection_create_time_seconds_count"
RETRIES = "redis_client_retries_total"
PIPELINES = "redis_client_pipeline_size"
PIPELINED = "redis_client_pipelined_commands_total"
# What a client sends when it connects, and what the test itself asks.
OWN = ("hello", "client", "select", "info", "config")

COMMANDS = """
    import asyncio, json, os, sys
    import redis
    import redis.asyncio
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    PORT = int(os.environ["PORT"])
    admin = redis.Redis(port=PORT)

    def seen(client):
        return {
            name.removeprefix("cmdstat_"): each["calls"]
            for name, each in client.info("commandstats").items()
        }

    admin.flushall()
    admin.config_resetstat()
"""
SYNC = """
    client = redis.Redis(port=PORT, db=3)
    client.set("name", "Ada")
    for _ in range(3):
        client.get("name")
    client.execute_command("strlen name")
    for wrong in (lambda: client.lpush("name", 1), lambda: client.execute_command("NOSUCH")):
        try:
            wrong()
        except redis.ResponseError:
            pass
    client.blpop("empty", timeout=0.01)
    client.config_get("maxmemory")
    script = client.register_script("return redis.call('GET', KEYS[1])")
    assert script(keys=["name"]) == script(keys=["name"]) == b"Ada"
    list(client.scan_iter(count=1))
    with client.pubsub() as channel:
        channel.subscribe("news")
        channel.get_message(timeout=5)
        client.publish("news", "Ada")
    print(json.dumps(seen(admin)))
"""
PIPES = """
    client = redis.Redis(port=PORT)
    with client.pipeline() as pipe:
        pipe.set("one", 1).incr("one").get("one").execute()
        pipe.execute()
    with client.pipeline(transaction=False) as pipe:
        pipe.mget(["one"]).lpush("one", 1)
        try:
            pipe.execute()
        except redis.ResponseError:
            pass
    with client.pipeline() as pipe:
        pipe.watch("one")
        number = int(pipe.get("one"))
        pipe.multi()
        pipe.set("one", number + 1)
        pipe.execute()
    with client.pipeline() as pipe:
        pipe.watch("one")
        client.set("one", 7)
        pipe.multi()
        pipe.set("one", 8)
        try:
            pipe.execute()
        except redis.WatchError:
            pass
    print(json.dumps(seen(admin)))
"""
ASYNC = """
    async def main():
        # Newer releases have a time limit otherwise, after which they ask again. A command that is
        # cancelled before it is sent may go on in them, so this waits until the server has it.
        async with redis.asyncio.Redis(port=PORT, socket_timeout=None) as client:
            await client.set("name", "Ada")
            await asyncio.gather(*(client.get("name") for _ in range(10)))
            try:
                await client.lpush("name", 1)
            except redis.ResponseError:
                pass
            waiting = asyncio.create_task(client.blpop("empty", timeout=0))
            while not any(
                each["cmd"] == "blpop" and "b" in each["flags"] for each in admin.client_list()
            ):
                await asyncio.sleep(0.01)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            async with client.pubsub() as channel:
                await channel.subscribe("news")
                await channel.get_message(timeout=5)
            async with client.pipeline() as pipe:
                await pipe.set("one", 1).incr("one").execute()
                await pipe.execute()
            async with client.pipeline(transaction=False) as pipe:
                await pipe.watch("one")
                assert await pipe.get("one") == b"2"
                await pipe.unwatch()
                await pipe.get("one").execute()

    asyncio.run(main())
    print(json.dumps(seen(admin)))
"""
RETRYING = """
    retry = Retry(NoBackoff(), 2)
    errors = [redis.ConnectionError]
    client = redis.Redis(
        port=PORT, single_connection_client=True, retry=retry, retry_on_error=errors
    )
    client.set("name", "Ada")
    admin.client_kill_filter(_type="normal", skipme=True)
    assert client.get("name") == b"Ada"
    refused = redis.Redis(port=int(os.environ["CLOSED"]), retry=Retry(NoBackoff(), 2))
    try:
        refused.get("name")
    except redis.ConnectionError:
        pass
    # A server that answers nobody meanwhile, so that not even the connection is ready in time.
    hasty = redis.Redis(port=PORT, socket_timeout=0.1, retry=Retry(NoBackoff(), 0))
    admin.client_pause(5000)
    try:
        hasty.get("name")
    except redis.TimeoutError:
        admin.client_unpause()
    print(json.dumps(seen(admin)))
"""
CLUSTER = """
    admin.cluster("ADDSLOTSRANGE", 0, 16383)
    while admin.execute_command("CLUSTER INFO")["cluster_state"] != "ok":
        pass
    client = redis.cluster.RedisCluster(host="127.0.0.1", port=PORT)
    client.set("name", "Ada")
    for _ in range(3):
        client.get("name")
    try:
        client.lpush("name", 1)
    except redis.ResponseError:
        pass
    with client.pipeline() as pipe:
        pipe.set("a", 1).set("b", 2).incr("b").execute()
        pipe.execute()

    async def main():
        client = redis.asyncio.cluster.RedisCluster(host="127.0.0.1", port=PORT)
        await asyncio.gather(*(client.get("name") for _ in range(5)))
        await client.pipeline().get("a").get("b").execute()
        await client.aclose() if hasattr(client, "aclose") else await client.close()

    asyncio.run(main())
    print(json.dumps(seen(admin)))
"""


def as_the_server_names_them(seen, own=OWN):
    """Add up subcommands, and leave out what the program did not ask for."""
    found = {}
    for name, count in seen.items():
        word = name.split("|")[0]
        if word not in own:
            found[word.upper()] = found.get(word.upper(), 0) + count
    return found


def counted(page, own=OWN):
    operations = page.count(DURATION, "db_operation_name")
    left_out = {each.upper() for each in own} | {"FLUSHALL"}
    return {name: count for name, count in operations.items() if name not in left_out}


def failed(page):
    """Count the operations that failed, by name and exception."""
    found = page.count(DURATION, "db_operation_name", "error_type")
    return {key: count for key, count in found.items() if key[1]}


def test_commands_are_those_that_the_server_counts(run_with, redis_port):
    seen, page = run_with("redis", COMMANDS + SYNC, environment={"PORT": str(redis_port)})
    server = as_the_server_names_them(seen)
    # It counts what a script calls, and no command that it does not know.
    server["GET"] -= 2
    server["NOSUCH"] = 1
    assert counted(page) == server
    assert failed(page) == {
        ("LPUSH", "redis.exceptions.ResponseError"): 1,
        ("NOSUCH", "redis.exceptions.ResponseError"): 1,
        ("EVALSHA", "redis.exceptions.NoScriptError"): 1,
    }
    assert set(page.count(DURATION, "db_namespace")) == {"0", "3"}
    states = page.count(
        "db_client_connection_count", "db_client_connection_pool_name", "db_client_connection_state"
    )
    assert states == {
        (f"localhost:{redis_port}/0", "idle"): 1,
        (f"localhost:{redis_port}/3", "idle"): 2,
    }
    assert page.count(CREATED, "error_type") == {"": 3}


def alone(server, page):
    """Take out of the server's count what came in pipelines."""
    left = Counter(server)
    left.subtract(page.count(PIPELINED, "db_operation_name"))
    left.subtract(EXEC=server["EXEC"])
    return {name: count for name, count in left.items() if count}


def test_a_pipeline_is_one_operation_and_what_is_watched_for_it_another(run_with, redis_port):
    seen, page = run_with("redis", COMMANDS + PIPES, environment={"PORT": str(redis_port)})
    server = as_the_server_names_them(seen)
    # The transaction that was given up has left no SET.
    server["SET"] += 1
    assert counted(page) == {**alone(server, page), "PIPELINE": 1}
    assert page.count(f"{PIPELINES}_sum", "db_operation_name") == {"MULTI": 5, "PIPELINE": 2}
    assert page.count(f"{PIPELINES}_count", "db_operation_name") == {"MULTI": 3, "PIPELINE": 1}
    assert failed(page) == {
        ("PIPELINE", "redis.exceptions.ResponseError"): 1,
        ("MULTI", "redis.exceptions.WatchError"): 1,
    }


def test_the_client_of_asyncio_and_a_command_that_is_cancelled(run_with, redis_port):
    seen, page = run_with("redis", COMMANDS + ASYNC, environment={"PORT": str(redis_port)})
    # A command that was cancelled while it was blocked is counted by the server, too.
    assert counted(page) == {**alone(as_the_server_names_them(seen), page), "PIPELINE": 1}
    assert failed(page) == {
        ("LPUSH", "redis.exceptions.ResponseError"): 1,
        ("BLPOP", "asyncio.exceptions.CancelledError"): 1,
    }


def test_a_command_that_was_retried_counts_once_and_its_retries_apart(
    run_with, redis_port, closed_port
):
    environment = {"PORT": str(redis_port), "CLOSED": str(closed_port)}
    seen, page = run_with("redis", COMMANDS + RETRYING, environment=environment)
    assert as_the_server_names_them(seen) == {"SET": 1, "GET": 1}
    assert counted(page) == {"SET": 1, "GET": 3}
    assert failed(page) == {
        ("GET", "redis.exceptions.ConnectionError"): 1,
        ("GET", "redis.exceptions.TimeoutError"): 1,
    }
    # Once after the connection was cut, and as often as the closed port was tried again: releases
    # before 6 take a refusal for final.
    tries = page.count(CREATED, "error_type")["ConnectionRefusedError"]
    assert page.count(RETRIES) == {(): 1 + tries - 1}
    assert tries in {1, 3}


def test_a_cluster(run_with, redis_cluster_port):
    environment = {"PORT": str(redis_cluster_port)}
    seen, page = run_with("redis", COMMANDS + CLUSTER, environment=environment)
    own = (*OWN, "cluster", "command", "readonly", "ping")
    server = as_the_server_names_them(seen, own)
    # Those of the two pipelines.
    server["SET"] -= 2
    server["GET"] -= 2
    del server["INCRBY"]
    assert counted(page, own) == {**server, "PIPELINE": 2}
    assert page.count(f"{PIPELINES}_sum", "db_operation_name") == {"PIPELINE": 5}
    assert failed(page) == {("LPUSH", "redis.exceptions.ResponseError"): 1}
