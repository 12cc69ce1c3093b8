from __future__ import annotations

import pytest

from ancestry_core.database import open_database


@pytest.fixture
def database(tmp_path):
    database = open_database(tmp_path / "platform.db")
    yield database
    database.close()
