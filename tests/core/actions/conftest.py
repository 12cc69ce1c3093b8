"""What the tests of the actions share: a real service, and a platform whose time is its own."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from ancestry_core.service import EmbeddedService, ServiceSettings
from ancestry_core.session_manager import SessionManager

PASSWORD = "s3cr3t"  # the one of `settings_for`


@pytest.fixture
def open_service():
    """Start services; they are stopped at the end."""
    running = []

    def make(**changes):
        defaults = ServiceSettings(matches=50, seed=7, password=PASSWORD)
        service = EmbeddedService(replace(defaults, **changes), sleep=lambda _: None)
        service.start()
        running.append(service)
        return service

    yield make
    for service in running:
        service.stop()


@pytest.fixture
def service(open_service):
    return open_service()


@pytest.fixture
def open_platform(settings_for, clock):
    """Make platforms on one database, with the limiter opened; waiting takes no time."""
    opened = []

    def make(service, **sections):
        sections.setdefault("actions", {"page_size": 10, "max_messages": 1000})
        settings = settings_for(
            service.base_url,
            limiter={"requests_per_second": 10_000, "burst": 1000},
            **sections,
        )
        platform = SessionManager(settings, clock=clock, sleep=clock.sleep)
        opened.append(platform)
        return platform

    yield make
    for platform in opened:
        platform.close()


@pytest.fixture
def platform(open_platform, service):
    return open_platform(service)


@pytest.fixture
def rows():
    """Read what a platform has stored."""

    def read(platform, what, *where):
        with platform.database.transaction() as session:
            return list(session.scalars(select(what).where(*where)))

    return read
