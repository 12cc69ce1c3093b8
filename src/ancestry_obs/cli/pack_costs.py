"""What packs cost: `maps/packs/costs.json`, which `benchmarks/packs.py --keep` writes.

`ancestry-obs packs`, `docs/packs.md` and the table of `docs/performance.md` tell what is in it, so
that they tell the same.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from ancestry_obs.mapfile.map_files import PACKS_FOLDER

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["COSTS_FILE", "PYTHON", "PackCost", "read_costs", "write_costs"]

COSTS_FILE: Final = PACKS_FOLDER / "costs.json"
PYTHON: Final = "3.13"
"""The Python that the microseconds are of; the others have their ratios alone."""


@dataclass(frozen=True, slots=True)
class PackCost:
    """What a pack adds, beside what OpenTelemetry's instrumentation of the same library adds.

    Args:
        per: What a call of the library is: a request, a statement, a task, ...
        plain: Microseconds of the processor that it takes where nothing is measured.
        ours: Microseconds that the pack adds.
        theirs: Microseconds that OpenTelemetry's instrumentation adds; None where there is none.
        unsampled: Those that it adds where a sampler refuses its spans; None where it has metrics.
        ratios: Ours by theirs, by the version of Python; empty without theirs.
    """

    per: str
    plain: float
    ours: float
    theirs: float | None
    unsampled: float | None
    ratios: Mapping[str, float]

    @property
    def basis(self) -> str | None:
        """What OpenTelemetry's instrumentation measures by; None without one."""
        if self.theirs is None:
            return None
        return "metrics" if self.unsampled is None else "spans"

    @property
    def ratio(self) -> float | None:
        """Ours by theirs, on `PYTHON`; None without theirs."""
        return self.ratios.get(PYTHON)


def read_costs() -> dict[str, PackCost]:
    """Give what has been measured, by the name of the pack."""
    read = json.loads(COSTS_FILE.read_text("utf-8"))
    return {name: PackCost(**each) for name, each in read.items()}


def write_costs(costs: Mapping[str, PackCost]) -> None:
    """Write what has been measured, by the name of the pack."""
    lines = [f"{json.dumps(name)}: {json.dumps(asdict(each))}" for name, each in costs.items()]
    COSTS_FILE.write_text("{\n  " + ",\n  ".join(lines) + "\n}\n", "utf-8")
