"""Every error that the platform raises on purpose.

    PlatformError
    ├── SettingsError         a setting is missing or not allowed
    ├── PortInUseError        the embedded service cannot listen
    ├── PedigreeError         a GEDCOM file cannot be read
    ├── DatabaseError         the database cannot be opened or written
    ├── CheckpointError       a checkpoint cannot be written
    ├── OutputError           standard output cannot be written
    ├── BrowserError          the browser session failed; signing in afresh may help
    ├── SignInError           the service did not sign us in
    └── ApiError              a call of the service's API did not succeed
        ├── CircuitOpenError  not sent: the service failed too often a moment ago
        ├── ServiceError      the service refused, or answered what nobody can use
        ├── RequestFailed     still failing after every allowed attempt
        └── UncertainSendError  a message may or may not have arrived

A message says in one line what happened, where, and the remedy. It never holds a password,
a cookie or a token: whoever raises one of these passes texts that cannot contain them, and
never chains an exception of the HTTP library, whose `request` attribute does.
"""

from __future__ import annotations


class PlatformError(Exception):
    """Base of all; `main()` prints the message as one line and exits with `exit_code`."""

    exit_code = 1


class SettingsError(PlatformError, ValueError):
    """A setting is missing or not allowed; the message names the variable, the value, the rule."""

    exit_code = 2


class PortInUseError(PlatformError):
    """The embedded service cannot listen on the wanted port."""


class PedigreeError(PlatformError):
    """A GEDCOM file cannot be read, or has no usable root person."""


class DatabaseError(PlatformError):
    """The database cannot be opened, read or written."""


class CheckpointError(PlatformError):
    """A checkpoint cannot be written."""


class OutputError(PlatformError):
    """Standard output is full, or whoever read it has closed it."""


class BrowserError(PlatformError):
    """The browser session failed: no answer, an error page, or no longer signed in."""


class SignInError(PlatformError):
    """The service did not accept the credentials, or has no sign-in page where one belongs."""


class ApiError(PlatformError):
    """A call of the service's API did not succeed."""


class CircuitOpenError(ApiError):
    """Nothing was sent, because the service failed too often a moment ago.

    Args:
        breaker: The breaker's name.
        retry_in_seconds: Seconds until it lets a probe through.

    Example:
        >>> str(CircuitOpenError("api", 12.34))
        "circuit breaker 'api' is open after repeated failures; try again in 12.3 s"
    """

    def __init__(self, breaker: str, retry_in_seconds: float) -> None:
        self.breaker = breaker
        self.retry_in_seconds = retry_in_seconds
        super().__init__(
            f"circuit breaker {breaker!r} is open after repeated failures; "
            f"try again in {retry_in_seconds:.1f} s"
        )


class ServiceError(ApiError):
    """The service refused a request for good, or answered what nobody can use.

    Args:
        message: What, where, remedy.
        status: The HTTP status, where there was an answer.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        self.status = status
        super().__init__(message)


class RequestFailed(ApiError):  # noqa: N818 - a state of the request, the name its callers know
    """Still failing after every allowed attempt.

    Args:
        message: What, where, remedy.
        status: The HTTP status of the last attempt, None when there was no answer.
        attempts: How often the request was sent.
    """

    def __init__(self, message: str, *, status: int | None = None, attempts: int = 1) -> None:
        self.status = status
        self.attempts = attempts
        super().__init__(message)


class UncertainSendError(ApiError):
    """A message may or may not have arrived, so it was not sent again."""
