"""A worker of gunicorn that is asked, well and badly, until told to end."""

import http.client
import select
import socket
import subprocess
import sys


def app(environ, start_response):
    if environ["PATH_INFO"] == "/broken":
        raise RuntimeError("no")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"tea"]


def ask(port):
    for path in ("/tea", "/broken"):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", path)
        connection.getresponse().read()
        connection.close()


if __name__ == "__main__":
    # Requests wait until there is a worker.
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    bound = f"fd://{listening.fileno()}"
    options = ("--bind", bound, "--log-level", "critical", "--chdir")
    folder = __file__.rpartition("/")[0]
    with subprocess.Popen(
        [sys.executable, "-m", "gunicorn", *options, folder, "shop_site:app"],
        stdin=subprocess.DEVNULL,
        pass_fds=[listening.fileno()],
    ) as server:
        listening.close()
        ask(port)
        sys.stdout.write("open\n")
        sys.stdout.flush()
        while not select.select([sys.stdin], [], [], 0.1)[0]:
            ask(port)
        server.terminate()
