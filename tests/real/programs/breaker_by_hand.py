"""The platform's circuit breaker, moved by the words on standard input, and by nothing else."""

import itertools
import sys

import ancestry_obs
from ancestry_core.circuit_breaker import SessionCircuitBreaker
from ancestry_core.config import BreakerSettings

# In the platform a session starts it; here is none.
ancestry_obs.start_exporter()

# Every look at the clock is a second later than the one before.
breaker = SessionCircuitBreaker(
    "api",
    BreakerSettings(threshold=1, recovery_seconds=1),
    clock=itertools.count().__next__,
)
for line in sys.stdin:
    getattr(breaker, line.strip())()
