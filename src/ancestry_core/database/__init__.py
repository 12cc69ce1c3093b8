"""What the platform knows, in one SQLite file: its tables, and what is asked of them."""

from ancestry_core.database.engine import Database, open_database

__all__ = ["Database", "open_database"]
