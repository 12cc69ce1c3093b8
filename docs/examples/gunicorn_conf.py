r"""A gunicorn configuration: each worker serves its own metrics, and Prometheus finds them all.

    PROMETHEUS_METRICS_ENABLED=true INSTRUMENTATION_MAP=my.toml METRICS_EXPORT_PORT=0 \
    METRICS_FILE_SD=/var/lib/prometheus/workers.json gunicorn -c gunicorn_conf.py my_app:app

The map is woven once, in the master, before it forks; a worker begins with empty counters. Port 0
gives each worker a port of its own, which it enters in the file and takes out when it ends. What a
killed worker leaves there, the worker that replaces it takes out.
"""

import ancestry_obs


def on_starting(_server: object) -> None:
    """Weave in the master; with a registry of its own, `install` serves nothing there."""
    ancestry_obs.install(registry=ancestry_obs.get_registry())


def post_fork(_server: object, _worker: object) -> None:
    """Serve from each worker."""
    ancestry_obs.start_exporter()
