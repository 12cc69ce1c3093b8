"""The `ancestry-obs` command: `application` parses, a module for each command does the work."""

from ancestry_obs.cli.application import main

__all__ = ["main"]
