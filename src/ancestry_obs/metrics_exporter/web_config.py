"""The web configuration: a file comes in, what it asks for goes out, checked and frozen.

The format is that of Prometheus' exporter-toolkit, which Prometheus itself and its exporters read:
https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md. What Python's
`ssl` cannot do, and what this exporter has not, is refused with the reason; nothing is passed over.
No certificate is read here.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ancestry_obs.mapfile.report import allowed_names
from ancestry_obs.metrics_exporter.yaml_tables import Table, read_yaml
from ancestry_obs.notices import Notices

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["TlsConfig", "WebConfig", "read_web_config"]

logger = Notices()

_VERSIONS: Final = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_CLIENT_AUTH: Final = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
# Go's names of the suites that can be chosen there, and OpenSSL's.
_CIPHERS: Final = {
    f"TLS_ECDHE_{key}_WITH_{go}": f"ECDHE-{key}-{openssl}"
    for key in ("ECDSA", "RSA")
    for go, openssl in (
        ("AES_128_CBC_SHA", "AES128-SHA"),
        ("AES_256_CBC_SHA", "AES256-SHA"),
        ("AES_128_GCM_SHA256", "AES128-GCM-SHA256"),
        ("AES_256_GCM_SHA384", "AES256-GCM-SHA384"),
        ("CHACHA20_POLY1305_SHA256", "CHACHA20-POLY1305"),
    )
}
_BOOLEANS: Final = {"true": True, "false": False}
# The format's own list; of some it fixes the value too.
_HEADERS: Final[dict[str, tuple[str, ...]]] = {
    "Content-Security-Policy": (),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-Content-Type-Options": ("nosniff",),
    "X-XSS-Protection": (),
    "Strict-Transport-Security": (),
}
_PRINTABLE: Final = re.compile(r"[\x20-\x7e]+")
_HASH: Final = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}")
# Each step doubles the time; 16 takes about three seconds.
_COSTS: Final = range(4, 17)

_KEYS: Final = ("tls_server_config", "http_server_config", "basic_auth_users")
_NO_LIMIT: Final = {"rate_limit": "leave it out: no scrape is ever put off by its rate"}
_TLS_KEYS: Final = (
    *("cert_file", "key_file", "client_auth_type", "client_ca_file", "client_allowed_sans"),
    *("min_version", "max_version", "cipher_suites", "prefer_server_cipher_suites"),
)
_NO_TLS_KEYS: Final = {
    "cert": "write it to a file and name that by cert_file",
    "key": "write it to a file and name that by key_file",
    "client_ca": "write it to a file and name that by client_ca_file",
    "curve_preferences": "leave it out: Python cannot set them, and OpenSSL's own are used",
}


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """How connections are encrypted.

    Args:
        cert_file: The certificate, with those that lead to its issuer behind it.
        key_file: Its private key.
        client_ca_file: Who may have issued the clients' certificates.
        client_auth: Whether a client must have one.
        client_allowed_sans: The names of which a client's certificate must have one; any if empty.
        min_version: The oldest TLS that is spoken.
        max_version: The newest.
        ciphers: OpenSSL's names of the suites of TLS 1.2; its own choice if empty.
        server_preference: Whether the order here decides on the suite, and not the client's.
    """

    cert_file: Path
    key_file: Path
    client_ca_file: Path | None = None
    client_auth: ssl.VerifyMode = ssl.CERT_NONE
    client_allowed_sans: frozenset[str] = frozenset()
    min_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    max_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
    ciphers: tuple[str, ...] = ()
    server_preference: bool = True

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are read for it."""
        own = (self.cert_file, self.key_file)
        return own if self.client_ca_file is None else (*own, self.client_ca_file)


@dataclass(frozen=True, slots=True)
class WebConfig:
    """What a web configuration asks for.

    Args:
        tls: How connections are encrypted; not at all if `None`.
        headers: What each answer has beside its own headers.
        users: The bcrypt hash of each user's password; everybody may read if there are none.
    """

    tls: TlsConfig | None = None
    headers: tuple[tuple[str, str], ...] = ()
    # Hashes are no passwords, and still not for a log.
    users: Mapping[str, bytes] = field(default_factory=dict, repr=False)


def read_web_config(path: Path) -> WebConfig:
    """Read a web configuration.

    Args:
        path: The file; what it names is relative to its folder.

    Returns:
        What it asks for.

    Raises:
        ExporterError: PyYAML is missing, the file cannot be read, or something in it is not
            allowed; the message names file, key, what was found and what is allowed.

    Example:
        >>> read_web_config(Path("web.yml")).tls.cert_file
        PosixPath('exporter.crt')
    """
    top = Table(path, "", read_yaml(path), _KEYS, _NO_LIMIT)
    http = top.table("http_server_config", ("http2", "headers"))
    if http.choice("http2", _BOOLEANS, default=False):
        logger.info("%s: http2: the exporter speaks HTTP/1.1, to clients of HTTP/2 too", path)
    headers = tuple(_headers(http.table("headers")))
    return WebConfig(_tls(top, path.parent), headers, dict(_users(top.table("basic_auth_users"))))


def _tls(top: Table, folder: Path) -> TlsConfig | None:
    table = top.table("tls_server_config", _TLS_KEYS, _NO_TLS_KEYS)
    if not table.values:
        return None
    for key in ("cert_file", "key_file"):
        if not table.text(key):
            table.fail(key, "is missing", "name the file")
    client_ca = table.text("client_ca_file")
    lowest, highest = _versions(table)
    return TlsConfig(
        folder / table.text("cert_file"),
        folder / table.text("key_file"),
        folder / client_ca if client_ca else None,
        _client_auth(table),
        frozenset(table.texts("client_allowed_sans")),
        lowest,
        highest,
        tuple(_ciphers(table)),
        table.choice("prefer_server_cipher_suites", _BOOLEANS, default=True),
    )


def _versions(table: Table) -> tuple[ssl.TLSVersion, ssl.TLSVersion]:
    lowest = table.choice("min_version", _VERSIONS, ssl.TLSVersion.TLSv1_2)
    highest = table.choice("max_version", _VERSIONS, ssl.TLSVersion.TLSv1_3)
    if lowest > highest:
        table.fail("min_version", "is above max_version", "allowed is one that is not")
    return lowest, highest


def _client_auth(table: Table) -> ssl.VerifyMode:
    """Give what is asked of a client; what would be asked for in vain is a mistake."""
    chosen = table.choice("client_auth_type", _CLIENT_AUTH, ssl.CERT_NONE)
    issuers = table.text("client_ca_file")
    if issuers and chosen is ssl.CERT_NONE:
        table.fail(
            "client_ca_file",
            "is set and no client is asked for a certificate",
            "set client_auth_type to RequireAndVerifyClientCert",
        )
    if chosen is not ssl.CERT_NONE and not issuers:
        table.fail("client_ca_file", "is missing", "name the file that certificates are checked by")
    if table.texts("client_allowed_sans") and chosen is not ssl.CERT_REQUIRED:
        table.fail(
            "client_allowed_sans",
            "is set and a client may come without a certificate",
            "set client_auth_type to RequireAndVerifyClientCert",
        )
    return chosen


def _ciphers(table: Table) -> Iterator[str]:
    for found in table.texts("cipher_suites"):
        if found not in _CIPHERS:
            table.fail("cipher_suites", f"found {found!r}", allowed_names(found, _CIPHERS))
        yield _CIPHERS[found]


def _headers(table: Table) -> Iterator[tuple[str, str]]:
    for name in table.values:
        if name not in _HEADERS:
            table.fail(name, "is no header of the format", allowed_names(name, _HEADERS))
        value = table.text(name)
        if _HEADERS[name] and value not in _HEADERS[name]:
            table.fail(name, f"found {value!r}", allowed_names(value, _HEADERS[name]))
        if not _PRINTABLE.fullmatch(value):
            table.fail(name, f"found {value!r}", "allowed is one line of ASCII")
        yield name, value


def _users(table: Table) -> Iterator[tuple[str, bytes]]:
    for name in table.values:
        found = _HASH.fullmatch(table.text(name))
        if not found:
            # What was found may be a password, which must not get into a log.
            table.fail(name, "found no bcrypt hash", "make one: htpasswd -nBC 10 ''")
        if int(found[1]) not in _COSTS:
            allowed = f"allowed is {_COSTS[0]} to {_COSTS[-1]}"
            table.fail(name, f"found a bcrypt hash of cost {int(found[1])}", allowed)
        if ":" in name:
            table.fail(name, "found ':' in a user's name", "HTTP cannot express that")
        yield name, found[0].encode()
