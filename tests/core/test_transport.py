import socket
import ssl
import threading
import traceback

import pytest
import requests
from requests.exceptions import ChunkedEncodingError, ConnectTimeout, ReadTimeout, SSLError
from tests.ports import refusing_port
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError
from urllib3.exceptions import SSLError as TlsError

from ancestry_core.config import HttpSettings
from ancestry_core.transport import HttpTransport, TransportError

URL = "http://service.test/path"


@pytest.fixture
def transport(scripted):
    settings = HttpSettings(connect_timeout_seconds=3, read_timeout_seconds=7)
    return HttpTransport("http://service.test", settings, adapter=scripted)


def test_a_request_goes_out_as_asked(transport, scripted):
    scripted.answer(201, {"a": 1})
    answer = transport.send(
        "POST", URL, headers={"X-A": "b"}, params={"q": "c d"}, json={"text": "é"}
    )
    (sent,) = scripted.sent
    assert (answer.status_code, answer.json()) == (201, {"a": 1})
    assert (sent.method, sent.url) == ("POST", f"{URL}?q=c+d")
    assert sent.headers["X-A"] == "b"
    assert sent.body == b'{"text": "\\u00e9"}'


def test_a_form_goes_out_as_a_form(transport, scripted):
    transport.send("POST", URL, data={"username": "me", "password": "a&b"})
    assert scripted.sent[0].body == "username=me&password=a%26b"


def test_a_redirect_is_an_answer(transport, scripted):
    scripted.answer(302, "", Location="http://elsewhere.test/")
    assert transport.send("GET", URL).status_code == 302
    assert len(scripted.sent) == 1


def test_cookies_that_answers_set_are_kept(transport):
    assert not list(transport.cookies)


def test_the_environment_is_not_asked_for_proxies_or_passwords(transport, scripted, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.test:1")
    seen = {}
    original = scripted.send
    monkeypatch.setattr(
        scripted, "send", lambda request, **options: (seen.update(options), original(request))[1]
    )
    transport.send("GET", URL)
    transport.send("GET", URL, timeout=1.5)
    assert not seen["proxies"]
    assert seen["timeout"] == (3, 1.5)


REFUSED = MaxRetryError(None, URL, NewConnectionError(None, "refused"))


def tls(error):
    return SSLError(MaxRetryError(None, URL, TlsError(error)))


@pytest.mark.parametrize(
    ("error", "reason", "never_sent"),
    [
        (ConnectTimeout(), "no connection within 3 s", True),
        (ReadTimeout(), "no answer within 7 s", False),
        (SSLError(), "the TLS connection failed", False),
        (tls(ssl.SSLCertVerificationError(1, "self-signed")), "certificate is not trusted", True),
        # A record that cannot be read may be a part of the answer.
        (tls(ssl.SSLError(1, "wrong version number")), "the TLS connection failed", False),
        (ChunkedEncodingError(), "the answer broke off", False),
        (requests.ConnectionError(REFUSED), "nothing answers at that address", True),
        (requests.ConnectionError(ProtocolError("gone")), "the connection was dropped", False),
        (requests.ConnectionError(), "the connection was dropped", False),
        (requests.exceptions.InvalidHeader(), "could not be made (InvalidHeader)", False),
    ],
)
def test_a_failure_says_what_happened_and_whether_it_was_sent(
    transport, scripted, error, reason, never_sent
):
    scripted.fault(error)
    with pytest.raises(TransportError) as caught:
        transport.send("GET", URL)
    assert reason in str(caught.value)
    assert caught.value.never_sent is never_sent


def test_a_failure_carries_nothing_of_the_request(transport, scripted):
    # Put together here: a traceback shows the source lines of this test too.
    secret = "s3" + "cr3t"
    scripted.fault(requests.ConnectionError(f"while sending password={secret}"))
    with pytest.raises(TransportError) as caught:
        transport.send("POST", URL, data={"password": secret}, headers={"Cookie": f"A={secret}"})
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert secret not in "".join(traceback.format_exception(caught.value))


def test_a_port_where_nobody_listens_was_never_sent_to():
    with refusing_port() as port:
        base_url = f"http://127.0.0.1:{port}"
        transport = HttpTransport(base_url, HttpSettings())
        with pytest.raises(TransportError, match="nothing answers at that address") as caught:
            transport.send("GET", f"{base_url}/x")
    assert caught.value.never_sent


def answer_once(listener, answer):
    connection, _ = listener.accept()
    with connection:
        connection.recv(65_536)
        connection.sendall(answer)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "the connection was dropped"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "the answer broke off"),
    ],
)
def test_a_real_connection_that_ends_early_may_have_been_served(answer, reason):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=answer_once, args=(listener, answer))
        server.start()
        base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        transport = HttpTransport(base_url, HttpSettings())
        with pytest.raises(TransportError, match=reason) as caught:
            transport.send("GET", f"{base_url}/x")
        server.join()
        transport.close()
    assert not caught.value.never_sent
