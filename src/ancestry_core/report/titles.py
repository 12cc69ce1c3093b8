"""What the actions are called where a person reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ancestry_core.actions.completion import ActionName

TITLES: Mapping[ActionName, str] = {
    "action6_gather": "6  Gather matches",
    "action7_inbox": "7  Read inbox",
    "action9_process_productive": "9  Productive replies",
    "action8_messaging": "8  Messages",
}
