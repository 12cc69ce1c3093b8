"""`check` answers in a clear way, whatever map it is given; see mutated_maps.py.

`MUTATED_MAPS` is how many maps there are; the nox session `nightly` has 10,000.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

COUNT = int(os.environ.get("MUTATED_MAPS", "250"))


def test_a_mutated_map_is_fine_or_refused_in_words(tmp_path, environment):
    script = Path(__file__).with_name("mutated_maps.py")
    done = subprocess.run(
        [sys.executable, str(script), str(COUNT), "seed", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60 + COUNT,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["faults"] == []
    assert sum(answer["codes"].values()) == COUNT
    # Both what is fine and what is not were among them.
    assert answer["codes"].keys() >= {"0", "1"}
    # For who runs it at length, by `pytest -s`.
    sys.stdout.write(f"{answer['codes']}, none above {answer['seconds']:.2f} s of processor time\n")
