"""The ways out of the process: a page to scrape, a textfile, a Pushgateway, a `file_sd` entry.

In comes a function that renders the exposition; out go bytes on a socket or in a file. What the
bytes say is the collector's business, and when to start and stop the composition root's.

    addresses   host and port: listen, name, explain
    server      the listening thread, what all share      `start_exporter`, `Exporter`
    connections one connection and its thread
    handler     HTTP: methods, keep-alive, what is refused
    access      TLS and users, kept up with their file
    passwords   who may read; `web_config` and `yaml_tables` read the file
    page_making few pages at once, shared by who waits
    pages       what stands at which path, compressed
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
