"""A FastAPI program: endpoints of both kinds, what they depend on, and what else is registered."""

from __future__ import annotations

APP = """
    from contextlib import asynccontextmanager
    from typing import Annotated

    from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, Request, WebSocket
    from fastapi.responses import JSONResponse
    from fastapi.testclient import TestClient

    SEEN = []

    @asynccontextmanager
    async def lifespan(web):
        SEEN.append("started")
        yield
        SEEN.append("stopped")

    web = FastAPI(lifespan=lifespan)
    router = APIRouter(prefix="/shop")

    def user(name: str = "ada"):
        return name

    async def token(user: Annotated[str, Depends(user)]):
        return f"token of {user}"

    def session():
        SEEN.append("opened")
        yield "session"
        SEEN.append("closed")

    async def connection():
        yield "connection"

    class Pager:
        def __init__(self, page: int = 1):
            self.page = page

    class Allowed:
        def __call__(self, name: str = "ada"):
            return name != "eve"

    def guard():
        return None

    allowed = Allowed()

    @web.get("/sync")
    def sync_endpoint():
        return "sync"

    @web.get("/async")
    async def async_endpoint():
        return "async"

    @web.get("/depends", dependencies=[Depends(guard)])
    def depends(
        user: Annotated[str, Depends(user)],
        token: Annotated[str, Depends(token)],
        session: Annotated[str, Depends(session)],
        connection: Annotated[str, Depends(connection)],
        pager: Annotated[Pager, Depends()],
        allowed: Annotated[bool, Depends(allowed)],
    ):
        return [user, token, session, connection, pager.page, allowed]

    @router.post("/order/{number}")
    async def order(number: int, background: BackgroundTasks):
        background.add_task(send_letter, number)
        return {"number": number}

    def send_letter(number):
        SEEN.append(number)

    @web.get("/lost")
    async def lost():
        raise LookupError("lost")

    @web.exception_handler(LookupError)
    async def not_there(request: Request, error: LookupError):
        return JSONResponse("not there", status_code=404)

    @web.middleware("http")
    async def middleware(request, call_next):
        return await call_next(request)

    @web.websocket("/socket")
    async def socket(websocket: WebSocket):
        await websocket.accept()
        await websocket.send_text("hello")
        await websocket.close()

    web.include_router(router)

    def main():
        seen = []
        with TestClient(web) as client:
            seen += [client.get("/sync").json() for _ in range(3)]
            seen += [client.get("/async").json() for _ in range(2)]
            seen += [client.get("/depends?name=ben&page=3").json()]
            seen += [client.get("/depends").json(), client.post("/shop/order/7").json()]
            seen += [client.post("/shop/order/seven").status_code, client.get("/lost").json()]
            with client.websocket_connect("/socket") as websocket:
                seen += [websocket.receive_text()]
            seen += [sorted(client.get("/openapi.json").json()["paths"])]
        return seen, SEEN
"""
COUNTS = {
    "app:sync_endpoint": 3,
    "app:async_endpoint": 2,
    "app:depends": 2,
    "app:user": 2,
    "app:token": 2,
    "app:session": 2,
    "app:connection": 2,
    "app:Pager.__init__": 2,
    "app:Allowed.__call__": 2,
    "app:guard": 2,
    "app:order": 1,
    "app:send_letter": 1,
    "app:lost": 1,
    "app:not_there": 1,
    # One for each request over HTTP.
    "app:middleware": 11,
    "app:socket": 1,
}
ANSWERS = [
    "sync", "sync", "sync", "async", "async",
    ["ben", "token of ben", "session", "connection", 3, True],
    ["ada", "token of ada", "session", "connection", 1, True],
    {"number": 7}, 422, "not there", "hello",
    ["/async", "/depends", "/lost", "/shop/order/{number}", "/sync"],
]  # fmt: skip
SEEN = ["started", "opened", "closed", "opened", "closed", 7, "stopped"]


def test_what_an_application_registers(run_program):
    done = run_program(APP, *COUNTS)
    assert done.result == [ANSWERS, SEEN]
    assert done.calls == COUNTS


def test_a_context_manager_s_definition_is_measured_where_its_decorator_is_not_meant(run_program):
    done = run_program(APP, {"target": "app:lifespan", "at": "definition"})
    assert done.result == [ANSWERS, SEEN]
    assert done.calls == {"app:lifespan": 1}
