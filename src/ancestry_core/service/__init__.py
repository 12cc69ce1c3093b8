"""A genealogy service of one's own, over real HTTP on loopback, for work that needs no live one.

    settings -> pedigree -> population -> application -> server

`EmbeddedService` is the whole of it as one object. `faults` says what goes wrong and when; the
rest of the modules follow the path above.
"""

from __future__ import annotations

from ancestry_core.service.defaults import DEFAULT_PASSWORD, DEFAULT_USERNAME
from ancestry_core.service.embedded import EmbeddedService
from ancestry_core.service.faults import FaultRates
from ancestry_core.service.record import ReceivedRequest, ServiceRecord
from ancestry_core.service.settings import ServiceSettings

__all__ = [
    "DEFAULT_PASSWORD",
    "DEFAULT_USERNAME",
    "EmbeddedService",
    "FaultRates",
    "ReceivedRequest",
    "ServiceRecord",
    "ServiceSettings",
]
