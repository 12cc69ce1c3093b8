"""The JSON Schema of a map, for editors; written from the tables that the loader checks with."""

from __future__ import annotations

from typing import Any

from ancestry_obs.mapfile.grammar import MAP

__all__ = ["json_schema"]


def json_schema() -> dict[str, Any]:
    """Describe the map's language as JSON Schema, draft 2020-12.

    A schema knows keys, types and enumerations. Expressions, and rules between distant keys (a
    record's labels are its metric's), are the loader's: it may refuse what the schema accepts.

    Returns:
        The schema, ready for `json.dumps`.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Instrumentation map of ancestry-obs",
        **MAP.schema(),
    }
