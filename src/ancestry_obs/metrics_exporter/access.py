"""Who may read, and how it is encrypted: a web configuration comes in, kept up with its file.

The file and the certificates that it names are looked at before each handshake and each request,
and read when they have changed. What cannot be used is said once, and the configuration from before
it stays. The format is `web_config`'s, passwords are `passwords`'.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from math import inf
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from ancestry_obs.exceptions import ExporterError
from ancestry_obs.metrics_exporter.passwords import PasswordCheck, load_bcrypt
from ancestry_obs.metrics_exporter.web_config import WebConfig, read_web_config
from ancestry_obs.notices import Notices
from ancestry_obs.unpatched import threading

if TYPE_CHECKING:
    import os
    import socket
    from collections.abc import Callable, Iterable
    from http import HTTPStatus

    from ancestry_obs.metrics_exporter.web_config import TlsConfig

__all__ = ["Access"]

logger = Notices()

# How long a configuration that could not be used is left alone if it does not change.
_AGAIN_SECONDS: Final = 5.0

_Stamp = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class _State:
    """A configuration that can be used."""

    config: WebConfig
    context: ssl.SSLContext | None
    passwords: PasswordCheck | None


class Access:
    """What a web configuration asks for, as its file has it now.

    Args:
        path: The file.

        clock: Seconds, from any beginning.

    Raises:
        ExporterError: It cannot be used; the message says why and what to do.

    Example:
        >>> access = Access("web.yml")
        >>> access.refusal("Basic YWRhOnNlY3JldA==")
    """

    def __init__(
        self, path: str | os.PathLike[str], *, clock: Callable[[], float] = monotonic
    ) -> None:
        # The program may go to another folder meanwhile.
        self._path = Path(path).absolute()
        self._lock = threading.Lock()
        self._passwords: PasswordCheck | None = None
        self._watched: tuple[Path, ...] = (self._path,)
        self._stamp: _Stamp = ()
        self._clock = clock
        self._failure = ""
        self._again_at = inf
        self._state = self._load(encrypted=None)

    @property
    def encrypted(self) -> bool:
        """Whether connections are encrypted; that is decided at the start."""
        return self._state.context is not None

    @property
    def protected(self) -> bool:
        """Whether only users may read, or clients that have a certificate."""
        config = self._state.config
        certified = config.tls is not None and config.tls.client_auth is ssl.CERT_REQUIRED
        return bool(config.users) or certified

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """What each answer has beside its own headers."""
        return self._state.config.headers

    def refusal(self, authorization: str) -> HTTPStatus | None:
        """Tell whether a request may read; see `PasswordCheck.refusal`."""
        self._refresh()
        state = self._state
        if state.passwords is None:
            return None
        return state.passwords.refusal(state.config.users, authorization)

    def encrypt(self, connection: socket.socket) -> socket.socket:
        """Prepare an accepted connection for `handshake`; it is given back if nothing is encrypted.

        Args:
            connection: It is of no use any more if another one is given back.
        """
        self._refresh()
        context = self._state.context
        if context is None:
            return connection
        return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)

    def handshake(self, connection: socket.socket) -> None:
        """Agree on the encryption, within the connection's time limit.

        Raises:
            OSError: The other end has another idea, or is too slow.
        """
        if isinstance(connection, ssl.SSLSocket):
            connection.do_handshake()
            tls = self._state.config.tls
            if tls is not None and tls.client_allowed_sans:
                _check_names(connection, tls.client_allowed_sans)

    def _refresh(self) -> None:
        """Read everything again if a file has changed; whoever comes meanwhile has the old one."""
        if not self._has_changed() or not self._lock.acquire(blocking=False):
            return
        try:
            if self._has_changed():
                self._state = self._load(encrypted=self.encrypted)
                self._failure, self._again_at = "", inf
                logger.info("%s: read again", self._path)
        except ExporterError as error:
            # A certificate may come before its key, and a process may be short of file descriptors.
            self._again_at = self._clock() + _AGAIN_SECONDS
            before, self._failure = self._failure, str(error)
            if self._failure != before:
                logger.warning("%s; what it had before stays in force", error)
        finally:
            self._lock.release()

    def _has_changed(self) -> bool:
        return _stamp(self._watched) != self._stamp or self._clock() >= self._again_at

    def _load(self, *, encrypted: bool | None) -> _State:
        """Read the file; encryption stays as it is, unless nothing is known of it yet."""
        # Each file is looked at before it is read: what changes in between is seen the next time.
        self._stamp = _stamp(self._watched)
        config = read_web_config(self._path)
        files = (self._path, *(config.tls.files if config.tls else ()))
        if files != self._watched:
            self._stamp = (self._stamp[0], *_stamp(files[1:]))
            self._watched = files
        context = None if config.tls is None else _context(self._path, config.tls)
        if encrypted is not None and encrypted != (context is not None):
            raise ExporterError(
                f"{self._path}: tls_server_config: TLS is not switched on or off while the "
                "exporter runs; start it again"
            )
        if config.users and self._passwords is None:
            self._passwords = PasswordCheck(load_bcrypt())
        return _State(config, context, self._passwords if config.users else None)


def _stamp(paths: Iterable[Path]) -> _Stamp:
    """Tell files' states apart; one that is not there has a state too."""
    return tuple(map(_look_at, paths))


def _look_at(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0, 0
    return found.st_mtime_ns, found.st_size, found.st_ino


def _context(path: Path, tls: TlsConfig) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version, context.maximum_version = tls.min_version, tls.max_version
    if tls.server_preference:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if tls.ciphers:
        context.set_ciphers(":".join(tls.ciphers))
    for file in tls.files:
        _check_readable(path, file)
    try:
        # A key with a passphrase would be asked for at the terminal.
        context.load_cert_chain(tls.cert_file, tls.key_file, password="")
    except (OSError, ValueError) as error:
        raise ExporterError(
            f"{path}: tls_server_config: {tls.cert_file} and {tls.key_file} cannot be used: "
            f"{_reason(error)}; they must be a PEM certificate and its key, without a passphrase"
        ) from error
    context.verify_mode = tls.client_auth
    if tls.client_ca_file is not None:
        try:
            context.load_verify_locations(tls.client_ca_file)
        except (OSError, ValueError) as error:
            raise ExporterError(
                f"{path}: tls_server_config.client_ca_file: {tls.client_ca_file} cannot be used: "
                f"{_reason(error)}; it must have PEM certificates"
            ) from error
    return context


def _check_readable(path: Path, file: Path) -> None:
    try:
        file.open("rb").close()
    except OSError as error:
        raise ExporterError(
            f"{path}: tls_server_config: {file} cannot be read: {error.strerror or error}; "
            "correct its name, which is relative to the file's folder, or its permissions"
        ) from error


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or error)


def _check_names(connection: ssl.SSLSocket, allowed: frozenset[str]) -> None:
    """Refuse a client whose certificate has none of the names (its Subject Alternative Names)."""
    certificate = connection.getpeercert() or {}
    entries: Iterable[Any] = certificate.get("subjectAltName", ())
    if {_name(*entry) for entry in entries}.isdisjoint(allowed):
        raise ConnectionError("the client's certificate has none of client_allowed_sans")


def _name(kind: str, text: str) -> str:
    # OpenSSL writes addresses of IPv6 with all their zeros, which nobody else does.
    return str(ip_address(text)) if kind == "IP Address" else text
