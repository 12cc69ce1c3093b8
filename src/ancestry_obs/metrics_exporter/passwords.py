"""Users and passwords: what a request says comes in, whether it may read goes out.

A bcrypt hash is slow on purpose, a tenth of a second and more. So what was found out once is
remembered, by a keyed digest and not by the password; and only one is worked out at a time, so that
a flood of wrong passwords takes one processor and leaves scrapes with a known one alone.
"""

from __future__ import annotations

import binascii
import hmac
import secrets
from base64 import b64decode
from collections import OrderedDict
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from ancestry_obs.exceptions import ExporterError
from ancestry_obs.metrics_exporter.yaml_tables import INSTALL
from ancestry_obs.unpatched import threading

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["PasswordCheck", "credentials", "load_bcrypt"]

_REMEMBERED: Final = 128
_WAIT_SECONDS: Final = 10.0
# bcrypt looks at no more of a password; its library refuses a longer one.
_LONGEST: Final = 72
# No user has it: what is compared with it takes as long as with a user's, and is refused.
_NOBODY: Final = "$2b${cost}$" + "." * 53


def load_bcrypt() -> Callable[[bytes, bytes], bool]:
    """Give the function that compares a password with a hash.

    Raises:
        ExporterError: The library is missing.
    """
    try:
        import bcrypt  # noqa: PLC0415  of an extra, and only whoever has users needs it
    except ImportError as error:
        raise ExporterError(f"bcrypt is missing, which checks passwords; {INSTALL}") from error
    return bcrypt.checkpw


def credentials(header: str) -> tuple[str, bytes] | None:
    """Read user and password from an Authorization header (RFC 7617).

    Example:
        >>> credentials("Basic YWRhOnNlY3JldA==")
        ('ada', b'secret')
    """
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = b64decode(encoded.strip(), validate=True).partition(b":")
        return (user.decode(), password) if colon else None
    except (binascii.Error, ValueError):
        return None


class PasswordCheck:
    """Compares passwords with hashes, and remembers.

    Args:
        compare: Tells whether a password has a hash; slow.
        wait: How long to wait for others' comparisons, in seconds.
    """

    def __init__(
        self, compare: Callable[[bytes, bytes], bool], wait: float = _WAIT_SECONDS
    ) -> None:
        self._compare = compare
        self._wait = wait
        self._key = secrets.token_bytes(32)
        self._turn = threading.Lock()
        # Two, so that any number of wrong passwords leaves the right ones where they are.
        self._right = _Remembered()
        self._wrong = _Remembered()

    def refusal(self, users: Mapping[str, bytes], header: str) -> HTTPStatus | None:
        """Tell whether a request may read.

        Args:
            users: Each user's hash.
            header: The request's Authorization header, or an empty text.

        Returns:
            `None` if it may; 401 if it may not, 503 if too many others are in front.
        """
        given = credentials(header)
        if given is None:
            return HTTPStatus.UNAUTHORIZED
        user, password = given
        hashed = users.get(user)
        digest = self._digest(user, hashed or b"", password)
        if digest in self._right:
            return None
        if digest in self._wrong:
            return HTTPStatus.UNAUTHORIZED
        if not self._turn.acquire(timeout=self._wait):
            return HTTPStatus.SERVICE_UNAVAILABLE
        try:
            # Somebody who stood in front may have had the same.
            if digest in self._right:
                return None
            same = self._is_same(password, hashed or _hash_of_nobody(users))
        finally:
            self._turn.release()
        right = same and hashed is not None
        (self._right if right else self._wrong).add(digest)
        return None if right else HTTPStatus.UNAUTHORIZED

    def _is_same(self, password: bytes, hashed: bytes) -> bool:
        try:
            return self._compare(password[:_LONGEST], hashed)
        except ValueError:
            return False  # the library's own refusal, such as of a zero byte

    def _digest(self, user: str, hashed: bytes, password: bytes) -> bytes:
        # The lengths are in it, so that no two triples make one text.
        parts = [user.encode(), hashed, password]
        text = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
        return hmac.digest(self._key, text, "sha256")


class _Remembered:
    """The digests that were seen last, no more than a fixed number."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._digests: OrderedDict[bytes, None] = OrderedDict()

    def __contains__(self, digest: bytes) -> bool:
        with self._lock:
            if digest not in self._digests:
                return False
            self._digests.move_to_end(digest)
            return True

    def __len__(self) -> int:
        return len(self._digests)

    def add(self, digest: bytes) -> None:
        with self._lock:
            self._digests[digest] = None
            if len(self._digests) > _REMEMBERED:
                self._digests.popitem(last=False)


def _hash_of_nobody(users: Mapping[str, bytes]) -> bytes:
    """Give a hash that takes as long to compare with as the dearest of the users'."""
    cost = max((hashed[4:6] for hashed in users.values()), default=b"10").decode()
    return _NOBODY.format(cost=cost).encode()
