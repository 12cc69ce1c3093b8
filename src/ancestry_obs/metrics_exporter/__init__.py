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
    client      asks an exporter for a page
    textfile    a file replaced in one step
    push        to a Pushgateway, for batch runs          needs prometheus_client
    file_sd     how Prometheus finds many workers         POSIX alone

The last four are imported by name, where they are needed; `connections` and `pages` when
somebody asks for a page.
"""

from ancestry_obs.metrics_exporter.server import Exporter, start_exporter

__all__ = ["Exporter", "start_exporter"]
