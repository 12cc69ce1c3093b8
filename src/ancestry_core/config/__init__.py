"""The settings: what exists (`config_schema`) and where it is read (`config_manager`)."""

from ancestry_core.config.config_manager import load_settings
from ancestry_core.config.config_schema import (
    ActionSettings,
    BreakerSettings,
    CacheSettings,
    DatabaseSettings,
    HttpSettings,
    LimiterSettings,
    PlatformSettings,
    ServiceSettings,
    SessionSettings,
)

__all__ = [
    "ActionSettings",
    "BreakerSettings",
    "CacheSettings",
    "DatabaseSettings",
    "HttpSettings",
    "LimiterSettings",
    "PlatformSettings",
    "ServiceSettings",
    "SessionSettings",
    "load_settings",
]
