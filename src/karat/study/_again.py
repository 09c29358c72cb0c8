"""`python -m karat.study._again TASK PARENT`: one selection cell again in this fresh interpreter; prints JSON.

Three answers: the hash of the forecast, to be compared with the first one; whether the fitted forecaster keeps its
forecasts when everything that became known later is replaced; and whether it does when the instruments are renamed.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def main(text: str, parent: int) -> dict[str, Any]:
    """Run the task given as JSON and return what was found; ends with the process `parent`."""
    for name in THREAD_VARIABLES:
        os.environ.setdefault(name, "1")
    from karat.study._cells import Cell, Task, moved_by_names, moved_by_the_future, run_cell
    from karat.study._config import SplitConfig
    from karat.study._executor import watch_parent

    watch_parent(parent)
    values = json.loads(text)
    cell = Cell(**values.pop("cell"))
    splits = SplitConfig.model_validate(values.pop("splits"))
    horizons, plugins = tuple(values.pop("horizons")), tuple(values.pop("plugins"))
    task = Task(cell=cell, splits=splits, horizons=horizons, plugins=plugins, **values)
    found = run_cell(task).forecast_hash
    return {"forecast_hash": found, "moved_rows": moved_by_the_future(task), "renamed_rows": moved_by_names(task)}


if __name__ == "__main__":
    sys.stdout.write("\n" + json.dumps(main(sys.argv[1], int(sys.argv[2]))) + "\n")
