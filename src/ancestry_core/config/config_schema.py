"""What can be set: frozen pydantic models, one per part of the platform.

In: values from `config_manager`. Out: `PlatformSettings`. A field's environment variable is its
section's `prefix` and its own name in upper case (`variable_of`). Nothing is read here: neither
the environment nor a file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    HttpUrl,
    SecretStr,
    TypeAdapter,
    model_validator,
)

_HTTP_URL = TypeAdapter(HttpUrl)


def _base_url(value: object) -> object:
    """Check an http(s) URL, and drop the slash at its end so that paths can be appended."""
    if not isinstance(value, str):
        return value
    url = _HTTP_URL.validate_python(value.strip())
    if url.username or url.password:
        # The URL appears in messages; a password in it would too.
        raise ValueError("credentials belong into ANCESTRY_USERNAME and ANCESTRY_PASSWORD")
    if url.query is not None or url.fragment is not None:
        raise ValueError("paths are appended to it, so it must end before '?' and '#'")
    return str(url).rstrip("/")


def _seconds_by_name(value: object) -> object:
    """Read `name=seconds, name=seconds`, which is how a mapping is written in a variable."""
    if not isinstance(value, str):
        return value
    pairs = (item.partition("=") for item in value.split(",") if item.strip())
    return {name.strip(): seconds.strip() for name, _, seconds in pairs}


BaseUrl = Annotated[str, BeforeValidator(_base_url)]
Seconds = Annotated[float, Field(gt=0, le=86_400 * 365, allow_inf_nan=False)]
Rate = Annotated[float, Field(gt=0, le=100_000, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
SecondsByName = Annotated[dict[str, Seconds], BeforeValidator(_seconds_by_name)]


class Section(BaseModel):
    """Base of the sections: frozen, and a key that does not exist is an error."""

    # A failing secret must not appear in pydantic's own message either.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    prefix: ClassVar[str] = "ANCESTRY_"

    @classmethod
    def variable_of(cls, field: str) -> str:
        """Give the environment variable of a field.

        Args:
            field: The field's name.

        Returns:
            The variable's name.

        Example:
            >>> HttpSettings.variable_of("retries")
            'ANCESTRY_HTTP_RETRIES'
        """
        return f"{cls.prefix}{field.upper()}"


class ServiceSettings(Section):
    """The genealogy service and the account."""

    base_url: BaseUrl | None = Field(default=None, description="where the service is")
    username: str | None = Field(
        default=None, min_length=1, description="the account's e-mail address"
    )
    password: SecretStr | None = Field(default=None, description="the account's password")


class HttpSettings(Section):
    """Timeouts and retries of a request."""

    prefix = "ANCESTRY_HTTP_"

    connect_timeout_seconds: Seconds = Field(default=5.0, description="until a connection stands")
    read_timeout_seconds: Seconds = Field(
        default=30.0, description="without a byte from the service"
    )
    retries: int = Field(default=3, ge=0, le=20, description="attempts after the first one")
    backoff_seconds: Seconds = Field(
        default=0.5, description="before the first retry; doubles each time"
    )
    backoff_max_seconds: Seconds = Field(default=30.0, description="the longest back-off")


class LimiterSettings(Section):
    """How fast requests may go out."""

    requests_per_second: Rate = Field(default=2.0, description="the rate to begin with")
    min_requests_per_second: Rate = Field(default=0.1, description="throttling never goes below")
    max_requests_per_second: Rate | None = Field(
        default=None, description="successes never raise it above; empty: requests_per_second"
    )
    burst: Count = Field(
        default=1, description="requests that may go out at once after a quiet time"
    )
    throttle_factor: float = Field(
        default=0.8, gt=0, lt=1, description="rate after a 429, times this"
    )
    recovery_factor: float = Field(
        default=1.05, gt=1, le=10, description="rate after successes, times this"
    )
    recovery_successes: Count = Field(
        default=10, description="successes in a row that raise the rate"
    )
    max_pause_seconds: Seconds = Field(
        default=120.0, description="the longest Retry-After that is waited"
    )

    @property
    def ceiling(self) -> float:
        """The rate that successes lead up to, in requests per second."""
        return self.max_requests_per_second or self.requests_per_second

    @model_validator(mode="after")
    def _rates_in_order(self) -> LimiterSettings:
        if not self.min_requests_per_second <= self.requests_per_second <= self.ceiling:
            raise ValueError(
                f"ANCESTRY_MIN_REQUESTS_PER_SECOND ({self.min_requests_per_second:g}) <= "
                f"ANCESTRY_REQUESTS_PER_SECOND ({self.requests_per_second:g}) <= "
                f"ANCESTRY_MAX_REQUESTS_PER_SECOND ({self.ceiling:g}) does not hold"
            )
        return self


class BreakerSettings(Section):
    """When to stop asking a failing service."""

    prefix = "ANCESTRY_BREAKER_"

    threshold: Count = Field(default=5, description="failures in a row that open the breaker")
    recovery_seconds: Seconds = Field(default=30.0, description="until probes are let through")
    max_probes: Count = Field(default=1, description="probes at once while half-open")


class CacheSettings(Section):
    """How much is remembered, and how long."""

    prefix = "ANCESTRY_CACHE_"

    max_entries: Count = Field(
        default=2_000, description="past it the least recently used entry goes"
    )
    default_ttl_seconds: Seconds = Field(default=300.0, description="for a service without its own")
    ttl_seconds: SecondsByName = Field(
        default={"account": 3_600.0, "profiles": 3_600.0, "matches": 900.0},
        description="per service: name=seconds, name=seconds",
    )


class SessionSettings(Section):
    """How the session is kept alive."""

    prefix = "ANCESTRY_SESSION_"

    refresh_after_seconds: Seconds = Field(
        default=1_800.0, description="age of a proactive refresh"
    )
    browser: Literal["http", "chromium"] = Field(default="http", description="what signs in")


class ActionSettings(Section):
    """What the actions do in one run."""

    prefix = "ANCESTRY_ACTIONS_"

    page_size: int = Field(
        default=30, ge=1, le=200, description="matches or conversations per page"
    )
    max_messages: int = Field(default=20, ge=0, description="messages sent per run")
    message_interval_days: float = Field(
        default=14.0, gt=0, description="between messages to one match"
    )
    active_within_days: float = Field(
        default=365.0, gt=0, description="last sign-in of an active match"
    )


class DatabaseSettings(Section):
    """Where results are kept."""

    prefix = "ANCESTRY_DATABASE_"

    path: Path = Field(default=Path("ancestry.db"), description="the SQLite file")


class PlatformSettings(Section):
    """All settings of the platform."""

    service: ServiceSettings = ServiceSettings()
    http: HttpSettings = HttpSettings()
    limiter: LimiterSettings = LimiterSettings()
    breaker: BreakerSettings = BreakerSettings()
    cache: CacheSettings = CacheSettings()
    session: SessionSettings = SessionSettings()
    actions: ActionSettings = ActionSettings()
    database: DatabaseSettings = DatabaseSettings()


SECTIONS: dict[str, type[Section]] = {
    name: section
    for name, field in PlatformSettings.model_fields.items()
    if isinstance(section := field.annotation, type) and issubclass(section, Section)
}
"""The sections by name, in the order of `.env.example`."""
