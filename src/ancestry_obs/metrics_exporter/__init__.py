"""The ways out of the process: a page to scrape, a textfile, a Pushgateway, a `file_sd` entry.

In comes a function that renders the exposition; out go bytes on a socket or in a file. What the
bytes say is the collector's business, and when to start and stop the composition root's.

    addresses   host and port: listen, name, explain
    server      the threads                               `start_exporter`, `Exporter`
    handler     HTTP: methods, keep-alive, compression
    pages       what stands at which path
    client      asks an exporter for a page               `get`
    textfile    a file replaced in one step               `write_textfile`
    push        to a Pushgateway, for batch runs          imported by name: needs prometheus_client
    file_sd     how Prometheus finds many workers         imported by name: POSIX alone
"""

from ancestry_obs.metrics_exporter.client import get
from ancestry_obs.metrics_exporter.pages import Render, StatusReport
from ancestry_obs.metrics_exporter.server import Exporter, start_exporter
from ancestry_obs.metrics_exporter.textfile import write_textfile

__all__ = ["Exporter", "Render", "StatusReport", "get", "start_exporter", "write_textfile"]
