from __future__ import annotations

import logging
import os
import socket
import ssl
import threading
from contextlib import closing

import bcrypt
import pytest

from ancestry_obs.exceptions import ExporterError
from ancestry_obs.metrics_exporter import access as access_module
from ancestry_obs.metrics_exporter.access import Access

TLS = "tls_server_config: {cert_file: exporter.crt, key_file: exporter.key}\n"
HASH = bcrypt.hashpw(b"secret", b"$2b$04$abcdefghijklmnopqrstuu").decode()
USERS = f"basic_auth_users: {{ada: {HASH}}}\n"
ADA = "Basic YWRhOnNlY3JldA=="
CLIENTS = (
    "tls_server_config: {cert_file: exporter.crt, key_file: exporter.key, client_ca_file: "
    "issuer.crt, client_auth_type: RequireAndVerifyClientCert%s}\n"
)


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def meet():
    """Let a client's side and an access shake hands; what each of them raised is returned."""

    def do(access, context):
        ours, theirs = socket.socketpair()
        with closing(ours), closing(theirs):
            ours.settimeout(10)
            theirs.settimeout(10)
            raised = []

            def serve():
                connection = access.encrypt(ours)
                with connection:
                    try:
                        access.handshake(connection)
                        connection.sendall(b"!")
                    except OSError as error:
                        raised.append(error)

            thread = threading.Thread(target=serve)
            thread.start()
            serial = None
            try:
                with context.wrap_socket(theirs, server_hostname="localhost") as client:
                    serial = client.getpeercert()["serialNumber"]
                    client.recv(1)
            except OSError as error:
                raised.append(error)
            thread.join()
            return serial, raised

    return do


def change(path, text):
    """Replace a file, as a later one."""
    before = path.stat()
    path.write_text(text) if isinstance(text, str) else path.write_bytes(text)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))


def test_nothing_is_asked_for(web_config):
    access = Access(web_config("http_server_config: {headers: {X-Frame-Options: deny}}"))
    assert (access.encrypted, access.protected) == (False, False)
    assert access.headers == (("X-Frame-Options", "deny"),)
    assert access.refusal("") is None
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert access.encrypt(ours) is ours
        access.handshake(ours)


def test_users(web_config):
    access = Access(web_config(USERS))
    assert (access.encrypted, access.protected) == (False, True)
    assert access.refusal(ADA) is None
    assert access.refusal("") == 401


def test_encryption(web_config, trusting, meet):
    access = Access(web_config())
    assert (access.encrypted, access.protected) == (True, False)
    serial, raised = meet(access, trusting)
    assert serial
    assert raised == []


def test_the_file_s_folder_is_where_its_names_are_looked_for(web_config, tmp_path, monkeypatch):
    web_config()
    monkeypatch.chdir(tmp_path)
    access = Access("web.yml")
    monkeypatch.chdir("/")
    change(tmp_path / "web.yml", TLS + USERS)
    assert access.refusal("") == 401


def test_versions_and_ciphers(web_config, trusting, meet):
    text = TLS.replace("}", ", max_version: TLS12, cipher_suites: [%s]}")
    context = ssl.create_default_context(cadata=None)
    access = Access(web_config(text % "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"))
    assert access._state.context.maximum_version is ssl.TLSVersion.TLSv1_2
    named = {each["name"] for each in access._state.context.get_ciphers()}
    assert {each for each in named if not each.startswith("TLS_")} == {
        "ECDHE-ECDSA-AES128-GCM-SHA256"
    }
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    _, raised = meet(access, context)
    assert any("VERSION" in str(each).upper() for each in raised)


@pytest.mark.parametrize("ours", [True, False])
def test_whose_choice_the_cipher_is(ours, web_config):
    text = TLS.replace("}", f", prefer_server_cipher_suites: {str(ours).lower()}}}")
    options = Access(web_config(text))._state.context.options
    assert bool(options & ssl.OP_CIPHER_SERVER_PREFERENCE) is ours


def test_clients_without_a_certificate_are_refused(web_config, issuer, trusting, meet):
    access = Access(web_config(CLIENTS % ""))
    assert access.protected
    _, raised = meet(access, trusting)
    assert any("PEER_DID_NOT_RETURN_A_CERTIFICATE" in str(each) for each in raised)
    assert meet(access, client_of(issuer, "prometheus.example.org"))[1] == []


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("prometheus.example.org", True),
        ("10.0.0.7", True),
        ("fd00::7", True),
        ("other.example.org", False),
    ],
)
def test_clients_with_another_name_are_refused(name, fits, web_config, issuer, meet):
    names = ", client_allowed_sans: [prometheus.example.org, 10.0.0.7, 'fd00::7']"
    access = Access(web_config(CLIENTS % names))
    _, raised = meet(access, client_of(issuer, name))
    said = [] if fits else ["the client's certificate has none of client_allowed_sans"]
    assert [str(each) for each in raised if isinstance(each, ConnectionError)][:1] == said


def client_of(issuer, name):
    context = ssl.create_default_context()
    issuer.configure_trust(context)
    issuer.issue_cert(name).configure_cert(context)
    return context


def test_another_certificate_is_taken_without_a_restart(web_config, trusting, meet, caplog):
    caplog.set_level(logging.INFO, "ancestry_obs")
    access = Access(web_config())
    first, _ = meet(access, trusting)
    path = web_config()
    second, raised = meet(access, trusting)
    assert raised == []
    assert first != second
    assert caplog.messages == [f"{path}: read again"]
    assert meet(access, trusting)[0] == second


def test_files_that_have_not_changed_are_not_read_again(web_config, monkeypatch):
    path = web_config(TLS + USERS)
    access = Access(path)
    monkeypatch.setattr(access, "_load", lambda **_: pytest.fail("read again"))
    for _ in range(3):
        access.refusal(ADA)


def test_users_come_and_go_without_a_restart(web_config):
    path = web_config(TLS)
    access = Access(path)
    assert access.refusal("") is None
    change(path, TLS + USERS)
    assert access.refusal("") == 401
    assert access.refusal(ADA) is None
    change(path, TLS)
    assert access.refusal("") is None


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("web.yml", "basic_auth_users: {ada: secret}", "found no bcrypt hash"),
        ("web.yml", USERS, "TLS is not switched on or off while the exporter runs"),
        ("exporter.crt", "", "cannot be used"),
        ("exporter.key", "nonsense", "cannot be used"),
    ],
)
def test_what_cannot_be_used_is_said_once_and_the_old_stays(
    file, text, said, web_config, trusting, meet, caplog
):
    path = web_config(TLS + USERS)
    clock = Clock()
    access = Access(path, clock=clock)
    old, _ = meet(access, trusting)
    change(path.with_name(file), text)
    for _ in range(3):
        assert meet(access, trusting)[0] == old
        assert access.refusal("") == 401
        assert access.refusal(ADA) is None
        clock.now += 60
    (message,) = caplog.messages
    assert said in message
    assert message.startswith(f"{path}: ")
    assert message.endswith("; what it had before stays in force")
    assert "secret" not in message


def test_what_could_not_be_read_for_once_is_tried_again(web_config, caplog, monkeypatch):
    path = web_config(USERS)
    clock = Clock()
    access = Access(path, clock=clock)
    read, tries = access_module.read_web_config, []

    def fail(_path):
        tries.append(clock.now)
        raise ExporterError("web.yml: cannot be read: Too many open files")

    monkeypatch.setattr(access_module, "read_web_config", fail)
    change(path, "")
    for clock.now in (0, 1, 4, 5, 6):
        assert access.refusal("") == 401
    assert tries == [0, 5]
    assert len(caplog.messages) == 1
    monkeypatch.setattr(access_module, "read_web_config", read)
    clock.now = 11
    assert access.refusal("") is None


def test_whoever_comes_while_it_is_read_has_the_old(web_config):
    path = web_config(USERS)
    access = Access(path)
    change(path, "")
    with access._lock:
        assert access.refusal("") == 401
    assert access.refusal("") is None


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda folder: (folder / "exporter.key").unlink(),
            (
                "exporter.key cannot be read: No such file or directory; correct its name, which "
                "is relative to the file's folder, or its permissions"
            ),
        ),
        (
            lambda folder: (folder / "exporter.key").write_bytes(
                (folder / "exporter.key").read_bytes()[:40]
            ),
            "they must be a PEM certificate and its key, without a passphrase",
        ),
        (lambda folder: (folder / "issuer.crt").write_text("x"), "it must have PEM certificates"),
    ],
)
def test_files_that_cannot_be_used_at_the_start(spoil, said, web_config, tmp_path):
    path = web_config(CLIENTS % "")
    spoil(tmp_path)
    with pytest.raises(ExporterError) as caught:
        Access(path)
    assert str(caught.value).startswith(f"{path}: tls_server_config")
    assert str(caught.value).endswith(said)


def test_a_key_with_a_passphrase_is_not_asked_for(web_config, tmp_path):
    from cryptography.hazmat.primitives import serialization

    path = web_config()
    key = serialization.load_pem_private_key((tmp_path / "exporter.key").read_bytes(), None)
    (tmp_path / "exporter.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(ExporterError, match="without a passphrase"):
        Access(path)
