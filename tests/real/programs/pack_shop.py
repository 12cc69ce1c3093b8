"""A shop of Flask and SQLAlchemy that asks itself, well and badly, until its input ends."""

import select
import sys

import flask
import sqlalchemy

app = flask.Flask("shop")
app.logger.disabled = True
engine = sqlalchemy.create_engine(
    "sqlite:///shop.db", pool_size=1, max_overflow=0, pool_timeout=0.01
)


@app.get("/orders/<int:number>")
def order(number):
    with engine.connect() as connection:
        found = connection.execute(sqlalchemy.text("select :n"), {"n": number}).scalar()
    return str(found)


@app.get("/broken")
def broken():
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("select * from nowhere"))


@app.get("/crowded")
def crowded():
    with engine.connect(), engine.connect():
        pass


client = app.test_client()
sys.stdout.write("open\n")
sys.stdout.flush()
while not select.select([sys.stdin], [], [], 0.05)[0]:
    for address in ("/orders/7", "/orders/8", "/broken", "/crowded", "/nothing"):
        client.get(address)
    # So that connections are opened all the time.
    engine.dispose()
