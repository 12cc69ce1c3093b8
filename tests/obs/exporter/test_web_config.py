from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from ancestry_obs.exceptions import ExporterError
from ancestry_obs.metrics_exporter.web_config import TlsConfig, WebConfig, read_web_config

HASH = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG"
PAIR = "tls_server_config: {cert_file: a.crt, key_file: a.key"
# Everything of the format that there is here.
WHOLE = f"""\
tls_server_config:
  cert_file: certs/exporter.crt
  key_file: /etc/exporter.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: clients.crt
  client_allowed_sans: [prometheus.example.org, 10.0.0.7]
  min_version: TLS13
  max_version: TLS13
  cipher_suites:
    - TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
    - TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
  prefer_server_cipher_suites: false
http_server_config:
  http2: false
  headers:
    Content-Security-Policy: default-src 'none'
    X-Frame-Options: deny
    X-Content-Type-Options: nosniff
    X-XSS-Protection: 0
    Strict-Transport-Security: max-age=31536000
basic_auth_users:
  ada: {HASH}
  42: {HASH}
  no: {HASH}
"""


@pytest.fixture
def read(tmp_path):
    """Write a web configuration and read it."""

    def do(text):
        path = tmp_path / "web.yml"
        path.write_text(text, "utf-8")
        return read_web_config(path)

    return do


def test_all_there_is(read, tmp_path):
    config = read(WHOLE)
    assert config.tls == TlsConfig(
        tmp_path / "certs/exporter.crt",
        Path("/etc/exporter.key"),
        tmp_path / "clients.crt",
        ssl.CERT_REQUIRED,
        frozenset({"prometheus.example.org", "10.0.0.7"}),
        ssl.TLSVersion.TLSv1_3,
        ssl.TLSVersion.TLSv1_3,
        ("ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"),
        server_preference=False,
    )
    assert config.headers == (
        ("Content-Security-Policy", "default-src 'none'"),
        ("X-Frame-Options", "deny"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-XSS-Protection", "0"),
        ("Strict-Transport-Security", "max-age=31536000"),
    )
    assert config.users == dict.fromkeys(("ada", "42", "no"), HASH.encode())


def test_nothing_is_asked_for(read):
    assert read("") == read("tls_server_config:\nbasic_auth_users: {}\n") == WebConfig()


def test_the_defaults_of_the_format(read, tmp_path):
    config = read(f"{PAIR}}}\n")
    assert config.tls == TlsConfig(tmp_path / "a.crt", tmp_path / "a.key")
    assert config.tls.files == (tmp_path / "a.crt", tmp_path / "a.key")


def test_hashes_are_not_shown(read):
    assert HASH not in repr(read(WHOLE))


def test_http2_is_told_that_it_is_not_spoken(read, caplog):
    caplog.set_level("INFO", "ancestry_obs")
    assert read("http_server_config: {http2: true}") == WebConfig()
    assert "web.yml: http2: the exporter speaks HTTP/1.1, to clients of HTTP/2 too" in caplog.text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a\n", "found a list; allowed is a table of 'key: value' lines"),
        (
            "tls_sever_config: {}\n",
            (
                "tls_sever_config: is no key of the format; did you mean 'tls_server_config'? "
                "allowed: tls_server_config, http_server_config, basic_auth_users"
            ),
        ),
        (
            "rate_limit: {interval: 1s, burst: 3}\n",
            "rate_limit: is not supported; leave it out: no scrape is ever put off by its rate",
        ),
        (
            "tls_server_config: {key_file: a.key}",
            "tls_server_config.cert_file: is missing; name the file",
        ),
        (
            "tls_server_config: {cert_file: a.crt}",
            "tls_server_config.key_file: is missing; name the file",
        ),
        (
            "tls_server_config: {cert_file: [a]}",
            "tls_server_config.cert_file: found a list; allowed is a text",
        ),
        (
            "tls_server_config: {cert: PEM}",
            (
                "tls_server_config.cert: is not supported; write it to a file and name that by "
                "cert_file"
            ),
        ),
        (
            f"{PAIR}, curve_preferences: [X25519]}}",
            (
                "tls_server_config.curve_preferences: is not supported; leave it out: Python "
                "cannot set them, and OpenSSL's own are used"
            ),
        ),
        (
            f"{PAIR}, min_version: TLS10}}",
            (
                "tls_server_config.min_version: found 'TLS10'; did you mean 'TLS13'? "
                "allowed: TLS12, TLS13"
            ),
        ),
        (
            f"{PAIR}, min_version: TLS13, max_version: TLS12}}",
            "tls_server_config.min_version: is above max_version; allowed is one that is not",
        ),
        (
            f"{PAIR}, client_auth_type: RequireAnyClientCert}}",
            (
                "tls_server_config.client_auth_type: found 'RequireAnyClientCert'; did you mean "
                "'RequireAndVerifyClientCert'? allowed: NoClientCert, VerifyClientCertIfGiven, "
                "RequireAndVerifyClientCert"
            ),
        ),
        (
            f"{PAIR}, client_auth_type: VerifyClientCertIfGiven}}",
            (
                "tls_server_config.client_ca_file: is missing; name the file that certificates are "
                "checked by"
            ),
        ),
        (
            f"{PAIR}, client_ca_file: ca.crt}}",
            (
                "tls_server_config.client_ca_file: is set and no client is asked for a "
                "certificate; set client_auth_type to RequireAndVerifyClientCert"
            ),
        ),
        (
            f"{PAIR}, client_allowed_sans: [a]}}",
            (
                "tls_server_config.client_allowed_sans: is set and a client may come without a "
                "certificate; set client_auth_type to RequireAndVerifyClientCert"
            ),
        ),
        (
            f"{PAIR}, cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]}}",
            "tls_server_config.cipher_suites: found 'TLS_RSA_WITH_RC4_128_SHA'; ",
        ),
        (
            f"{PAIR}, prefer_server_cipher_suites: 1}}",
            "tls_server_config.prefer_server_cipher_suites: found '1'; allowed: true, false",
        ),
        (
            "http_server_config: {http2: maybe}",
            "http_server_config.http2: found 'maybe'; allowed: true, false",
        ),
        (
            "http_server_config: {headers: {Set-Cookie: a}}",
            "http_server_config.headers.Set-Cookie: is no header of the format; ",
        ),
        (
            "http_server_config: {headers: {X-Frame-Options: allow}}",
            "http_server_config.headers.X-Frame-Options: found 'allow'; allowed: deny, sameorigin",
        ),
        (
            'http_server_config: {headers: {X-XSS-Protection: "0\\r\\nX-Evil: 1"}}',
            (
                "http_server_config.headers.X-XSS-Protection: found '0\\r\\nX-Evil: 1'; allowed "
                "is one line of ASCII"
            ),
        ),
        (
            "basic_auth_users: {ada: secret}",
            "basic_auth_users.ada: found no bcrypt hash; make one: htpasswd -nBC 10 ''",
        ),
        (
            f"basic_auth_users: {{ada: {HASH.replace('$10$', '$31$')}}}",
            "basic_auth_users.ada: found a bcrypt hash of cost 31; allowed is 4 to 16",
        ),
        (
            f"basic_auth_users: {{'a:b': {HASH}}}",
            "basic_auth_users.a:b: found ':' in a user's name; HTTP cannot express that",
        ),
    ],
)
def test_what_is_refused_names_file_key_found_and_allowed(text, said, read, tmp_path):
    with pytest.raises(ExporterError) as caught:
        read(text)
    assert str(caught.value).startswith(f"{tmp_path / 'web.yml'}: {said}")
    assert "secret" not in str(caught.value)
