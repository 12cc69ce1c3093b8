"""Prometheus instrumentation for any Python program from one declarative map."""
