"""The ways out of the process, as the settings choose them: one object for each installation.

A registry comes in; out go an HTTP exporter with its `file_sd` entry while the program runs, and a
textfile and a push when it ends. None of them may disturb the program: what fails is logged once
and kept for `status()`.
"""

from __future__ import annotations

import atexit
import logging
import os
import socket
import sys
import urllib.request
from typing import TYPE_CHECKING

from ancestry_obs.collector import render
from ancestry_obs.exceptions import ExporterError
from ancestry_obs.metrics_exporter import Exporter, file_sd, start_exporter, write_textfile
from ancestry_obs.metrics_exporter.push import Gateway

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from ancestry_obs.metrics_exporter import StatusReport
    from ancestry_obs.settings import ObservabilitySettings

__all__ = ["Outlets"]

logger = logging.getLogger("ancestry_obs")

_SECONDS = 10.0


class Outlets:
    """Exporter, `file_sd` entry, textfile and push of one installation.

    Args:
        settings: which of them there are, and where.
        registry: what they give out.
        status: gives what the exporter's `/status` page shows.

    Attributes:
        error: why no exporter answers although one was asked for; empty otherwise.
        failed: whether the program is known to end badly, so that no success is pushed.
    """

    def __init__(
        self, settings: ObservabilitySettings, registry: CollectorRegistry, status: StatusReport
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._status = status
        self._exporter: Exporter | None = None
        self._registration: file_sd.Registration | None = None
        # A forked child has copies of all this, but neither the socket nor the threads.
        self._process = os.getpid()
        self.error = ""
        self.failed = False

    @property
    def exporter(self) -> Exporter | None:
        """The exporter that answers in this process, if one does."""
        return self._exporter if self._process == os.getpid() else None

    def start_exporter(self, host: str | None, port: int | None) -> Exporter | None:
        """Serve; what serves already goes on.

        Args:
            host: the address to listen on; the setting's if None.
            port: the port, 0 for any that is free; the setting's if None.

        Returns:
            The exporter; None if it could not start.
        """
        if self.exporter is None:
            self._process = os.getpid()
            self._exporter = self._registration = None
            host = self._settings.metrics_export_host if host is None else host
            port = self._settings.metrics_export_port if port is None else port
            try:
                self._exporter = start_exporter(host, port, self.render, status=self._status)
            except ExporterError as error:
                self._say(f"metrics are not served: {error}")
                return None
            self.error = ""
            logger.info("metrics are served at %s", self._exporter.url)
            self._register(self._exporter)
        return self._exporter

    def stop_exporter(self) -> None:
        """Stop serving and withdraw the `file_sd` entry; nothing happens if nothing serves."""
        if self.exporter is not None:
            self._withdraw()
            self.exporter.stop()
        self._exporter = None

    def arrange_end(self) -> None:
        """See to it that the end of the program writes and pushes what the settings ask for."""
        atexit.register(self._end, os.getpid())

    def close(self) -> None:
        """Give out nothing any more."""
        atexit.unregister(self._end)
        self.stop_exporter()

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """Give the exposition and its content type for an Accept header."""
        return render(self._registry, accept)

    def read_back(self) -> str:
        """Give the exposition as a scrape gets it: over HTTP where an exporter answers."""
        if self.exporter is None:
            return self.render()[0].decode()
        page = urllib.request.urlopen(self.exporter.url, timeout=_SECONDS)  # noqa: S310  our own
        with page:
            text: bytes = page.read()
        return text.decode()

    def _register(self, exporter: Exporter) -> None:
        if self._settings.file_sd:
            try:
                self._registration = file_sd.register(self._settings.file_sd, exporter.address)
            except ExporterError as error:
                self._say(str(error))

    def _withdraw(self) -> None:
        registration, self._registration = self._registration, None
        if registration is not None:
            try:
                registration.remove()
            except ExporterError as error:
                self._say(str(error))

    def _say(self, message: str) -> None:
        # Whoever asks again and again, such as a hook at every call, is told once.
        if message != self.error:
            logger.warning("%s", message)
        self.error = message

    def _end(self, process: int) -> None:
        # A forked child leaves through the same door, but the run is its parent's.
        if process == os.getpid():
            if self._settings.textfile:
                try:
                    write_textfile(self._settings.textfile, self.render()[0])
                except ExporterError as error:
                    logger.warning("metrics are not written: %s", error)
            if self._settings.push_url:
                self._push(self._settings.push_url)
        self.stop_exporter()

    def _push(self, url: str) -> None:
        # An exception that nobody caught has been noted by the interpreter before it ends.
        succeeded = not self.failed and getattr(sys, "last_value", None) is None
        job = self._settings.metrics_namespace or "ancestry_obs"
        Gateway(url, job, socket.gethostname()).push(self._registry, succeeded=succeeded)
