"""A shop that sells in a trace of its own each time, until its input ends.

The module that stands for OpenTelemetry's API has what is asked of it, and nothing else; the real
one is in tests/libraries.
"""

import select
import sys
from types import ModuleType, SimpleNamespace

import traced_till

trace = ModuleType("opentelemetry.trace")
now = SimpleNamespace(trace_id=0xABC000, span_id=0xDEF, is_valid=True)
trace.get_current_span = lambda: SimpleNamespace(get_span_context=lambda: now)
sys.modules["opentelemetry.trace"] = trace

sys.stdout.write("open\n")
sys.stdout.flush()
while not select.select([sys.stdin], [], [], 0.05)[0]:
    now.trace_id += 1
    traced_till.sell(now.trace_id % 3 * 10)
