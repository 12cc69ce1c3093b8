"""Who may sign in to the embedded service when nobody says otherwise.

These are no secrets: the account exists in the embedded service alone. The `ancestry` command
signs in with them when it starts the service itself.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

DEFAULT_USERNAME = "demo@example.org"
DEFAULT_PASSWORD = "demo-password"  # noqa: S105 - opens nothing but the embedded service

BUNDLED_PEDIGREE: Traversable = files("ancestry_core.service") / "data" / "royal92.ged.gz"
"""The public-domain pedigree that ships with the package, compressed by gzip."""
